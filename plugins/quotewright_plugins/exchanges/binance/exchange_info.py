"""Instruments of Binance, from the answer of ``exchangeInfo`` or, poorer, from a symbol alone."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Any

import attrs
import msgspec

from quotewright.errors import InputError
from quotewright.model.instrument import Instrument
from quotewright_plugins.exchanges.binance.options import option_terms
from quotewright_plugins.exchanges.binance.prints import STATUS

QUOTES = (
    *("FDUSD", "USDT", "USDC", "BUSD", "TUSD", "USDP", "USDS", "USD1", "XUSD", "BFUSD", "UST", "DAI", "PAX", "VAI"),
    *("BTC", "ETH", "BNB", "TRX", "XRP", "DOGE", "DOT", "SOL"),
    *("BIDR", "IDRT", "BVND", "BKRW", "GYEN", "EURI", "NGN", "RUB", "TRY", "EUR", "ZAR", "UAH", "GBP", "BRL", "AUD"),
    *("PLN", "RON", "ARS", "JPY", "MXN", "CZK", "COP", "USD"),
)
"""Quote assets that a symbol may end with; the longest match wins."""

_BY_LENGTH = sorted(QUOTES, key=lambda quote: (-len(quote), quote))
_DELIVERY = re.compile(r"(\w+?)_(\d{6}|PERP)")


class _Symbol(msgspec.Struct):
    symbol: str
    quoteAsset: str
    filters: list[dict[str, Any]]
    baseAsset: str = ""
    status: str = ""
    contractStatus: str = ""
    contractType: str = ""
    marginAsset: str = ""
    contractSize: Any = 1
    baseAssetPrecision: int = 8
    unit: Any = 1


class _ExchangeInfo(msgspec.Struct):
    symbols: list[_Symbol] = []
    optionSymbols: list[_Symbol] = []


_DECODER = msgspec.json.Decoder(_ExchangeInfo, float_hook=Decimal)


def read_exchange_info(body: bytes, market: str) -> list[Instrument]:
    """Return every instrument of an ``exchangeInfo`` answer, in its order; a filter value of zero is off."""
    try:
        answer = _DECODER.decode(body)
    except msgspec.MsgspecError as error:
        raise InputError(f"binance exchangeInfo: should be an object with symbols, {error}") from None
    listed = answer.optionSymbols if market == "option" else answer.symbols
    if not listed:
        key = "optionSymbols" if market == "option" else "symbols"
        raise InputError(f"binance exchangeInfo: should list instruments of {market} under {key}")
    return [_instrument(symbol, market) for symbol in listed]


def _instrument(symbol: _Symbol, market: str) -> Instrument:
    filters = {str(entry.get("filterType")): entry for entry in symbol.filters}
    price, lot = filters.get("PRICE_FILTER", {}), filters.get("LOT_SIZE", {})
    notional = filters.get("NOTIONAL") or filters.get("MIN_NOTIONAL") or {}

    def number(entry: dict[str, Any], key: str, default: str = "0") -> Decimal:
        try:
            value = Decimal(str(entry.get(key, default)))
        except InvalidOperation:
            value = Decimal("NaN")
        if not value.is_finite() or value < 0 or value.adjusted() > 40 or (value and value.adjusted() < -18):
            raise InputError(f"binance exchangeInfo: {symbol.symbol}: {key} should be a decimal, was {entry[key]!r}")
        return value

    tick = number(price, "tickSize") or Decimal(1).scaleb(-8)
    step = number(lot, "stepSize") or Decimal(1).scaleb(-8)
    most = number(lot, "maxQty")
    price_decimals = _decimals(tick)
    lot_decimals = _decimals(step)
    finest = {"coinm": 0, "option": lot_decimals}.get(market, min(symbol.baseAssetPrecision, 8))
    size_decimals = max(lot_decimals, finest)
    while size_decimals > lot_decimals and most.scaleb(size_decimals) > 1 << 60:
        size_decimals -= 1
    suffix = _suffix(symbol.symbol, market)
    base = option_terms(symbol.symbol).base if market == "option" else symbol.baseAsset
    quote = symbol.quoteAsset
    size = number({"size": symbol.unit if market == "option" else symbol.contractSize}, "size") or Decimal(1)
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
        contract_size=size,
        is_inverse=market == "coinm",
        min_quantity_steps=int(number(lot, "minQty").scaleb(size_decimals)),
        max_quantity_steps=int(most.scaleb(size_decimals)),
        min_notional=number(notional, "minNotional") or number(notional, "notional"),
        status=STATUS.get(symbol.status or symbol.contractStatus or "TRADING", "halted"),
    )


def guess_instrument(symbol: str, market: str) -> dict[str, Any]:
    """Return the fields of an Instrument that *symbol* alone tells; raises InputError if its quote is not known.

    Options are quoted and settled in USDT, unless the metadata says otherwise.
    """
    suffix = _suffix(symbol, market)
    if market == "option":
        base = option_terms(symbol).base
        return {
            "name": f"{base}-USDT.{suffix}@binance",
            "symbol": symbol,
            "venue": "binance",
            "kind": "option",
            "base": base,
            "quote": "USDT",
            "settle": "USDT",
            "is_inverse": False,
            "contract_size": Decimal(1),
        }
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
    if market == "option":
        terms = option_terms(symbol)
        return f"{terms.day}-{terms.strike}-{terms.right}"
    matched = _DELIVERY.fullmatch(symbol)
    return "perp" if matched is None or matched.group(2) == "PERP" else matched.group(2)


def _kind(suffix: str) -> str:
    return suffix if suffix in ("spot", "perp") else "option" if "-" in suffix else "future"


def _decimals(number: Decimal) -> int:
    exponent = number.normalize().as_tuple().exponent
    assert isinstance(exponent, int)
    return max(0, -exponent)
