"""Which of Bybit's markets a recorded frame or an address belongs to."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import msgspec

from quotewright_plugins.exchanges.bybit import messages
from quotewright_plugins.exchanges.bybit.instruments import is_inverse

CATEGORIES = ("spot", "linear", "inverse", "option")
_HOSTS = ("bybit", "bytick")
_CONTRACTS = ("allLiquidation", "liquidation", "orderBookL2_25", "orderBook_200", "instrument_info")
_STREAMS = ("orderbook", "publicTrade", "tickers", "kline", "priceLimit", "trade", *_CONTRACTS)
_UNREADABLE = (msgspec.MsgspecError, RecursionError, UnicodeError)
_TICKER_OF_CONTRACT = ("fundingRate", "openInterest", "bid1Price", "tickDirection", "nextFundingTime")


def detect_market(raw: bytes, url: str | None = None) -> str | None:
    """Return the market that a frame or an address belongs to, None if it does not tell."""
    if url:
        return _by_address(url)
    try:
        keys = messages.KEYS.decode(raw)
        if "topic" not in keys:
            return _by_answer(keys)
        return _by_topic(msgspec.json.decode(keys["topic"], type=str), keys)
    except _UNREADABLE:
        return None


def _by_address(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return None
    words = parts.path.strip("/").split("/")
    category = (parse_qs(parts.query).get("category") or [words[-1]])[0]
    is_ours = any(name in host for name in _HOSTS) or words[:2] == ["v5", "public"] or words[:2] == ["v5", "market"]
    if not is_ours:
        return None
    if category in CATEGORIES:
        return category
    if words[0] == "spot":
        return "spot"
    if words[0] in ("realtime_public", "v2", "public"):
        return "linear"
    return "inverse" if words[0] == "realtime" else None


def _by_answer(keys: dict[str, msgspec.Raw]) -> str | None:
    """Read the category that most REST answers name."""
    if "retCode" not in keys or "result" not in keys:
        return None
    result = messages.KEYS.decode(keys["result"])
    category = msgspec.json.decode(result["category"], type=str) if "category" in result else ""
    return category if category in CATEGORIES else None


def _by_topic(topic: str, keys: dict[str, msgspec.Raw]) -> str | None:
    word, _, rest = topic.partition(".")
    if not rest:
        return "spot" if word in ("bookTicker", "depth", "trade") and "params" in keys else None
    if word not in _STREAMS or "data" not in keys:
        return None
    symbol = rest.rpartition(".")[2]
    if bytes(keys.get("id", msgspec.Raw(b""))).startswith(b'"' + topic.encode()):
        return "option"  # only their frames carry such an id
    if symbol.count("-") >= 3:
        return "option"
    if is_inverse(symbol):
        return "inverse"
    if word in _CONTRACTS or word == "trade" or "-" in symbol or symbol.endswith("PERP"):
        return "linear"
    if word == "tickers":
        data = messages.KEYS.decode(keys["data"])
        return "linear" if any(name in data for name in _TICKER_OF_CONTRACT) else "spot"
    if word == "publicTrade":
        return _by_trades(bytes(keys["data"]))
    if word == "orderbook":
        if rest.startswith("500."):
            return "linear"
        if not symbol.endswith("USDT"):
            return "spot"
        # The key order is all that differs: contracts put the type before the time, spot the time before the type.
        order = [name for name in keys if name in ("type", "ts")]
        return "linear" if order == ["type", "ts"] else "spot" if order == ["ts", "type"] else None
    return None


def _by_trades(data: bytes) -> str | None:
    """Contracts tell the direction of the tick, and name trades by UUID; spot does neither."""
    trades = msgspec.json.decode(data, type=list[dict[str, msgspec.Raw]])
    if not trades:
        return None
    return "linear" if "L" in trades[0] or b"-" in bytes(trades[0].get("i", msgspec.Raw(b""))) else "spot"
