"""Instruments of OKX, from the answers of ``public/instruments`` or, poorer, from a symbol alone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import attrs
import msgspec

from quotewright.errors import InputError
from quotewright.model.instrument import Instrument

_DERIVATIVE = re.compile(
    r"(?P<base>[^\W_]+)-(?P<quote>[^\W_]+(?:_[^\W_]+)*)-"
    r"(?:(?P<perp>SWAP)|(?P<day>\d{6})(?:-(?P<strike>\d+(?:\.\d+)?)-(?P<right>[CP]))?)"
)
_SPOT = re.compile(r"(?P<base>[^\W_]+)-(?P<quote>[^\W_]+)")

STATES = {
    "live": "trading",
    "suspend": "halted",
    "preopen": "closed",
    "test": "closed",
    "rebase": "halted",
    "post_only": "post_only",
    "expired": "closed",
    "settlement": "halted",
}
"""Our word for each state of an instrument; any other is taken for halted."""

CONTRACTS = {
    "BTC": "0.01",
    "ETH": "0.1",
    "LTC": "1",
    "BCH": "0.1",
    "ETC": "10",
    "XRP": "100",
    "SOL": "1",
    "DOT": "1",
    "DOGE": "1000",
    "ADA": "100",
    "LINK": "1",
    "FIL": "0.1",
    "TRX": "1000",
    "BNB": "0.01",
    "AVAX": "1",
    "UNI": "1",
    "ZRX": "10",
}
"""Contract sizes in coin of linear contracts, where a symbol alone must do."""
OPTIONS = {"BTC": "0.1", "ETH": "1"}
"""Contract sizes in coin of options, by metadata of May 2022; a symbol alone must do."""


@attrs.frozen
class OptionTerms:
    """What an option's symbol tells: ``BTC-USD-270326-70000-C``; it expires at 08:00 UTC."""

    day: str
    strike: str
    right: str
    expiry_ns: int


def kind_of(symbol: str) -> str:
    """Return the kind of derivative that *symbol* names; empty for anything else, mostly a plain pair."""
    matched = _DERIVATIVE.fullmatch(symbol)
    if matched is None:
        return ""
    return "perp" if matched["perp"] else "option" if matched["right"] else "future"


def pair_of(symbol: str) -> str:
    """Return the pair whose index an instrument follows: ``BTC-USD`` of ``BTC-USD_UM_XPERP-310404``."""
    base, _, rest = symbol.partition("-")
    return f"{base}-{rest.partition('-')[0].partition('_')[0]}"


@lru_cache(maxsize=20_000)
def option_terms(symbol: str) -> OptionTerms:
    """Return the terms of the option *symbol*; InputError if it is none."""
    matched = _DERIVATIVE.fullmatch(symbol)
    if matched is None or not matched["right"]:
        raise InputError(f"okx: an option should be named like BTC-USD-270326-70000-C, was {symbol[:64]!r}")
    day = _day(matched["day"], symbol)
    moment = datetime(day.year, day.month, day.day, 8, tzinfo=UTC)
    return OptionTerms(matched["day"], matched["strike"], matched["right"], int(moment.timestamp()) * 1_000_000_000)


def _day(text: str, symbol: str) -> date:
    try:
        return date(2000 + int(text[:2]), int(text[2:4]), int(text[4:]))
    except ValueError:
        raise InputError(f"okx: {symbol[:64]!r} names no day that exists") from None


def guess_instrument(symbol: str) -> dict[str, Any]:
    """Return the fields of an Instrument that *symbol* alone tells; InputError if its shape is not known."""
    matched = _DERIVATIVE.fullmatch(symbol) or _SPOT.fullmatch(symbol)
    if matched is None:
        raise InputError(
            f"okx: {symbol[:64]!r} should be like BTC-USDT, BTC-USDT-SWAP, BTC-USD-261225 or BTC-USD-270326-70000-C"
        )
    base, sent_quote = matched["base"], matched["quote"]
    quote = sent_quote.replace("_", "")
    parts = matched.groupdict()
    if "perp" not in parts:
        kind, suffix = "spot", "spot"
    elif parts["perp"]:
        kind, suffix = "perp", "perp"
    else:
        _day(parts["day"], symbol)
        kind, suffix = "future", parts["day"]
        if parts["right"]:
            kind, suffix = "option", f"{suffix}-{parts['strike']}-{parts['right']}"
    in_coin = kind != "spot" and sent_quote == "USD"
    settle = base if in_coin else sent_quote.partition("_")[0] if kind != "spot" else quote
    is_inverse = in_coin and kind != "option"
    size = Decimal(1)
    if is_inverse:
        size = Decimal(100 if base == "BTC" else 10)
    elif kind == "option":
        size = Decimal(OPTIONS.get(base, "1"))
    elif kind != "spot":
        size = Decimal(CONTRACTS.get(base, "1"))
    return {
        "name": f"{base}-{quote}.{suffix}@okx",
        "symbol": symbol,
        "venue": "okx",
        "kind": kind,
        "base": base,
        "quote": quote,
        "settle": settle,
        "is_inverse": is_inverse,
        "contract_size": size,
    }


class _Listed(msgspec.Struct):
    instId: str
    instType: str
    tickSz: str
    lotSz: str
    baseCcy: str = ""
    quoteCcy: str = ""
    settleCcy: str = ""
    uly: str = ""
    instFamily: str = ""
    ctType: str = ""
    ctVal: str = ""
    ctMult: str = ""
    minSz: str = ""
    maxLmtSz: str = ""
    expTime: str = ""
    stk: str = ""
    optType: str = ""
    state: str = "live"


class _Answer(msgspec.Struct):
    data: msgspec.Raw = msgspec.Raw(b"[]")
    code: str = "0"
    msg: str = ""


class _Band(msgspec.Struct):
    minPx: str
    tickSz: str


class _Bands(msgspec.Struct):
    instFamily: str
    tickBand: list[_Band]


_ANSWER = msgspec.json.Decoder(_Answer)
_ROWS = msgspec.json.Decoder(list[_Listed])
_BANDS = msgspec.json.Decoder(list[_Bands])

TickTable = tuple[tuple[Decimal, Decimal], ...]
"""Pairs of a price and the tick from there on, rising."""


def read_bands(body: bytes) -> dict[str, TickTable]:
    """Return the tick bands of an answer of ``public/instrument-tick-bands`` by family; empty for any other answer."""
    try:
        answer = _ANSWER.decode(body)
        if b'"tickBand"' not in bytes(answer.data) or answer.code != "0":
            return {}
        return {
            family.instFamily: tuple(
                sorted(
                    (_number(family.instFamily, "minPx", band.minPx), _number(family.instFamily, "tickSz", band.tickSz))
                    for band in family.tickBand
                )
            )
            for family in _BANDS.decode(answer.data)
        }
    except (msgspec.MsgspecError, RecursionError) as error:
        raise InputError(f"okx instrument-tick-bands: should be an answer with tickBand, {error}") from None


def read_instruments(body: bytes, bands: Mapping[str, TickTable] = MappingProxyType({})) -> list[Instrument]:
    """Return every instrument of an answer of ``public/instruments`` (or a frame of ``instruments``), in its order.

    Instruments whose tick is not told yet (before their opening) are left out; options of a family in *bands* have its
    ticks.
    """
    try:
        answer = _ANSWER.decode(body)
        if answer.code != "0":
            raise InputError(f"okx instruments: code {answer.code[:20]}, {answer.msg[:200]}")
        return [
            _instrument(listed, bands.get(listed.instFamily or listed.uly, ()) if listed.instType == "OPTION" else ())
            for listed in _ROWS.decode(answer.data)
            if listed.tickSz and listed.lotSz
        ]
    except (msgspec.MsgspecError, RecursionError) as error:
        raise InputError(f"okx instruments: should be an answer with data, {error}") from None


def _instrument(listed: _Listed, table: TickTable = ()) -> Instrument:
    symbol = listed.instId
    told = guess_instrument(symbol) if kind_of(symbol) else _from_fields(listed)
    if told["kind"] != "spot":
        told["settle"] = listed.settleCcy or told["settle"]
        told["is_inverse"] = listed.ctType == "inverse"
        told["contract_size"] = _number(symbol, "ctVal", listed.ctVal or "1") * _number(
            symbol, "ctMult", listed.ctMult or "1"
        )
    tick, lot = _number(symbol, "tickSz", listed.tickSz), _number(symbol, "lotSz", listed.lotSz)
    tick = min([band_tick for _, band_tick in table], default=tick)
    if tick <= 0 or lot <= 0:
        raise InputError(f"okx instruments: {symbol}: tickSz and lotSz should be positive")
    least, most = _number(symbol, "minSz", listed.minSz), _number(symbol, "maxLmtSz", listed.maxLmtSz)
    price_decimals = _decimals(tick)
    size_decimals = max(_decimals(lot), _decimals(least))
    return Instrument(
        **told,
        price_decimals=price_decimals,
        size_decimals=size_decimals,
        tick_steps=int(tick.scaleb(price_decimals)),
        lot_steps=int(lot.scaleb(size_decimals)),
        min_quantity_steps=int(least.scaleb(size_decimals)),
        max_quantity_steps=int(most.scaleb(size_decimals)),
        status=STATES.get(listed.state, "halted"),
        tick_table=table,
    )


def _from_fields(listed: _Listed) -> dict[str, Any]:
    """Return the names of a pair as the answer tells them."""
    base, quote = listed.baseCcy, listed.quoteCcy
    if listed.instType not in ("SPOT", "MARGIN") or not base or not quote:
        raise InputError(f"okx instruments: {listed.instId[:64]!r} is no name of an instrument")
    return {
        "name": f"{base}-{quote}.spot@okx",
        "symbol": listed.instId,
        "venue": "okx",
        "kind": "spot",
        "base": base,
        "quote": quote,
        "settle": quote,
        "is_inverse": False,
        "contract_size": Decimal(1),
    }


def _number(symbol: str, field: str, text: str) -> Decimal:
    try:
        value = Decimal(text or "0")
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or value < 0 or value.adjusted() > 40 or value.adjusted() < -18:
        raise InputError(f"okx instruments: {symbol[:64]}: {field} should be a decimal, was {text[:40]!r}")
    return value


def _decimals(number: Decimal) -> int:
    exponent = number.normalize().as_tuple().exponent
    assert isinstance(exponent, int)
    return max(0, -exponent)
