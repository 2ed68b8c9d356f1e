"""Which of Binance's markets a recorded frame or an address belongs to."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import msgspec

from quotewright_plugins.exchanges.binance import messages
from quotewright_plugins.exchanges.binance.books import UNREADABLE

MARKETS = ("spot", "usdm", "coinm", "option")
ROOTS = {"api": "spot", "fapi": "usdm", "dapi": "coinm", "eapi": "option"}
"""Markets by the first folder of a REST path."""
HOSTS = (
    ("fstream", "usdm"),
    ("dstream", "coinm"),
    ("nbstream", "option"),
    ("data-stream", "spot"),
    ("stream", "spot"),
    ("demo-fstream", "usdm"),
    ("demo-dstream", "coinm"),
    ("demo-stream", "spot"),
)
"""Markets by what the name of a stream's host begins with."""

_OPTION_STREAM = re.compile(r"-\d{6}-[\d.]+-[cp]@|@option", re.IGNORECASE)
_OPTION = re.compile(rb'"\w+-\d{6}-[\d.]+-[CP]"')
_KEYS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_BY_EVENT = {
    "bookTicker": "usdm",
    "markPriceUpdate": "usdm",
    "forceOrder": "usdm",
    "contractInfo": "usdm",
    "indexPriceUpdate": "coinm",
    "depth": "option",
    "markPrice": "option",
    "openInterest": "option",
    "index": "option",
    "indexPrice": "option",
    "optionSymbol": "option",
}


def detect_market(raw: bytes, url: str | None = None) -> str | None:
    """Return the market that a frame or an address belongs to, None if it does not tell."""
    if url:
        try:
            parts = urlsplit(url)
            host = parts.hostname or ""
        except ValueError:
            return None
        if "binance" not in host:
            return None
        market = ROOTS.get(parts.path.strip("/").partition("/")[0])
        if market is not None:
            return market
        for prefix, market in HOSTS:
            if host.startswith(prefix):
                return "option" if market == "usdm" and _OPTION_STREAM.search(url) else market
    try:
        head = messages.HEAD.decode(raw)
        body = raw if head.data is msgspec.UNSET else bytes(head.data)
        if body[:1] == b"[":
            array = messages.RAW_ARRAY.decode(body)
            body = bytes(array[0]) if array else b"{}"
        return _by_keys(_KEYS.decode(body), body)
    except UNREADABLE:
        return None


def _by_keys(keys: dict[str, msgspec.Raw], body: bytes) -> str | None:
    symbol = bytes(keys.get("s", keys.get("symbol", msgspec.Raw(b""))))
    kind = str(bytes(keys["e"]), "utf-8", "replace").strip('"') if "e" in keys else ""
    if _OPTION.fullmatch(symbol):
        return "option" if kind else None
    if b"USD_" in symbol:
        return "coinm"
    if "st" in keys and kind:
        return {b"1": "usdm", b"2": "coinm"}.get(bytes(keys["st"]))
    if kind == "depthUpdate":
        return "usdm" if "pu" in keys else "spot"
    if kind in ("trade", "aggTrade"):
        return "spot" if "M" in keys else "usdm"
    if kind == "24hrTicker":
        return "spot" if "B" in keys else "usdm"
    if kind == "forceOrder" and b"USD_" in body:
        return "coinm"
    if kind:
        return _BY_EVENT.get(kind)
    if "lastUpdateId" in keys or ("u" in keys and "B" in keys):
        return "usdm" if "T" in keys else "spot"
    return None
