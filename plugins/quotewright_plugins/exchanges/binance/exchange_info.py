"""Instruments of Binance, from the answer of ``exchangeInfo`` or, poorer, from a symbol alone."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Any

import attrs
import msgspec

from quotewright.errors import InputError
from quotewright.model.instrument import Instrument

QUOTES = (
    *("FDUSD", "USDT", "USDC", "BUSD", "TUSD", "USDP", "USDS", "USD1", "XUSD", "BFUSD", "UST", "DAI", "PAX", "VAI"),
    *("BTC", "ETH", "BNB", "TRX", "XRP", "DOGE", "DOT", "SOL"),
    *("BIDR", "IDRT", "BVND", "BKRW", "GYEN", "EURI", "NGN", "RUB", "TRY", "EUR", "ZAR", "UAH", "GBP", "BRL", "AUD"),
    *("PLN", "RON", "ARS", "JPY", "MXN", "CZK", "COP", "USD"),
)
"""Quote assets that a symbol may end with; the longest match wins."""

_BY_LENGTH = sorted(QUOTES, key=lambda quote: (-len(quote), quote))
_DELIVERY = re.compile(r"(\w+?)_(\d{6}|PERP)")

STATUS = {
    "TRADING": "trading",
    "CANCEL_ONLY": "cancel_only",
    "HALT": "halted",
    "BREAK": "halted",
    "END_OF_DAY": "halted",
    "PENDING_TRADING": "pending",
    "PRE_DELIVERING": "cancel_only",
    "DELIVERING": "closed",
    "DELIVERED": "closed",
    "PRE_SETTLE": "cancel_only",
    "SETTLING": "closed",
    "CLOSE": "closed",
}
"""Our word for each status that Binance documents; any other is kept in lower case."""


class _Symbol(msgspec.Struct):
    symbol: str
    baseAsset: str
    quoteAsset: str
    filters: list[dict[str, Any]]
    status: str = ""
    contractStatus: str = ""
    contractType: str = ""
    marginAsset: str = ""
    contractSize: Any = 1
    baseAssetPrecision: int = 8


class _ExchangeInfo(msgspec.Struct):
    symbols: list[_Symbol]


_DECODER = msgspec.json.Decoder(_ExchangeInfo, float_hook=Decimal)


def read_exchange_info(body: bytes, market: str) -> list[Instrument]:
    """Return every instrument of an ``exchangeInfo`` answer, in its order; a filter value of zero is off."""
    try:
        answer = _DECODER.decode(body)
    except msgspec.MsgspecError as error:
        raise InputError(f"binance exchangeInfo: should be an object with symbols, {error}") from None
    return [_instrument(symbol, market) for symbol in answer.symbols]


def _instrument(symbol: _Symbol, market: str) -> Instrument:
    filters = {str(entry.get("filterType")): entry for entry in symbol.filters}
    price, lot = filters.get("PRICE_FILTER", {}), filters.get("LOT_SIZE", {})
    notional = filters.get("NOTIONAL") or filters.get("MIN_NOTIONAL") or {}

    def number(entry: dict[str, Any], key: str, default: str = "0") -> Decimal:
        try:
            value = Decimal(str(entry.get(key, default)))
        except InvalidOperation:
            value = Decimal("NaN")
        if not value.is_finite() or value < 0:
            raise InputError(f"binance exchangeInfo: {symbol.symbol}: {key} should be a decimal, was {entry[key]!r}")
        return value

    tick = number(price, "tickSize") or Decimal(1).scaleb(-8)
    step = number(lot, "stepSize") or Decimal(1).scaleb(-8)
    most = number(lot, "maxQty")
    price_decimals = _decimals(tick)
    lot_decimals = _decimals(step)
    size_decimals = 0 if market == "coinm" else max(lot_decimals, min(symbol.baseAssetPrecision, 8))
    while size_decimals > lot_decimals and most.scaleb(size_decimals) > 1 << 60:
        size_decimals -= 1
    base, quote = symbol.baseAsset, symbol.quoteAsset
    suffix = _suffix(symbol.symbol, market)
    return Instrument(
        name=f"{base}-{quote}.{suffix}@binance",
        symbol=symbol.symbol,
        venue="binance",
        kind=_kind(suffix),
        base=base,
        quote=quote,
        settle=symbol.marginAsset or quote,
        price_decimals=price_decimals,
        size_decimals=size_decimals,
        tick_steps=int(tick.scaleb(price_decimals)),
        lot_steps=int(step.scaleb(size_decimals)),
        contract_size=Decimal(str(symbol.contractSize)),
        is_inverse=market == "coinm",
        min_quantity_steps=int(number(lot, "minQty").scaleb(size_decimals)),
        max_quantity_steps=int(most.scaleb(size_decimals)),
        min_notional=number(notional, "minNotional") or number(notional, "notional"),
        status=_status(symbol.status or symbol.contractStatus),
    )


def guess_instrument(symbol: str, market: str) -> dict[str, Any]:
    """Return the fields of an Instrument that *symbol* alone tells; raises InputError if its quote is not known."""
    suffix = _suffix(symbol, market)
    pair = symbol if market == "spot" else symbol.partition("_")[0]
    quotes = ("USD",) if market == "coinm" else _BY_LENGTH
    quote = next((quote for quote in quotes if pair.endswith(quote) and len(pair) > len(quote)), None)
    if quote is None:
        raise InputError(
            f"binance {market}: the quote asset of {symbol!r} is not known; "
            "give the venue's exchangeInfo with --instruments"
        )
    base = pair[: -len(quote)]
    return {
        "name": f"{base}-{quote}.{suffix}@binance",
        "symbol": symbol,
        "venue": "binance",
        "kind": _kind(suffix),
        "base": base,
        "quote": quote,
        "settle": base if market == "coinm" else quote,
        "is_inverse": market == "coinm",
        "contract_size": Decimal(1) if market != "coinm" else Decimal(100 if base == "BTC" else 10),
    }


def infer(instrument: Instrument, **fields: Any) -> Instrument:
    """Return *instrument* with *fields* read off the data, and marked so."""
    return attrs.evolve(instrument, **fields, inferred=tuple(sorted({*instrument.inferred, *fields})))


def _suffix(symbol: str, market: str) -> str:
    if market == "spot":
        return "spot"
    matched = _DELIVERY.fullmatch(symbol)
    return "perp" if matched is None or matched.group(2) == "PERP" else matched.group(2)


def _kind(suffix: str) -> str:
    return suffix if suffix in ("spot", "perp") else "future"


def _status(word: str) -> str:
    return STATUS.get(word, word.lower() or "trading")


def _decimals(number: Decimal) -> int:
    exponent = number.normalize().as_tuple().exponent
    assert isinstance(exponent, int)
    return max(0, -exponent)
