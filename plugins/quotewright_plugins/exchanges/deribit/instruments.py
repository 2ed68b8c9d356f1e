"""Instruments of Deribit, from the answer of ``public/get_instruments`` or, poorer, from a name alone.

Amounts are dollars for contracts settled in coin, coins for everything else: they are no contracts, so that an
instrument's ``contract_size`` is 1 and the venue's contract size shows in the lot.
"""

from __future__ import annotations

import calendar
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from math import gcd
from typing import Any

import attrs
import msgspec

from quotewright.errors import InputError
from quotewright.model.instrument import Instrument

MONTHS = {month.upper(): number for number, month in enumerate(calendar.month_abbr) if month}

_SYMBOL = re.compile(
    r"(?P<base>[^\W_]+)(?:_(?P<quote>[^\W_]+))?"
    r"(?:-(?:(?P<perp>PERPETUAL)|(?P<day>[0-9]{1,2})(?P<month>[A-Z]{3})(?P<year>[0-9]{2})"
    r"(?:-(?P<strike>[0-9]+(?:d[0-9]+)?)-(?P<right>[CP]))?))?"
)

STATES = {
    "open": "trading",
    "started": "trading",
    "created": "closed",
    "inactive": "closed",
    "settled": "closed",
    "settlement": "halted",
    "deactivated": "halted",
    "locked": "halted",
    "halted": "halted",
    "closed": "closed",
    "delivered": "closed",
    "terminated": "closed",
    "archivized": "closed",
}
"""Our word for each state that Deribit documents; any other is taken for halted."""


@attrs.frozen
class OptionTerms:
    strike: str
    right: str
    expiry_ns: int


def is_combo(symbol: str) -> bool:
    """Return whether *symbol* names several legs at once: ``BTC-FS-25DEC26_PERP``, ``ETH-CS-26MAR27-3000_3500``."""
    parts = symbol.split("-")
    return len(parts) > 2 and parts[1].isalpha()


def index_of(symbol: str) -> str:
    """Return the name of the index that *symbol* follows: ``btc_usd``, ``xrp_usdc``."""
    base, _, quote = symbol.partition("-")[0].partition("_")
    return f"{base}_{quote or 'usd'}".lower()


def _day(matched: re.Match[str]) -> date:
    try:
        return date(2000 + int(matched["year"]), MONTHS[matched["month"]], int(matched["day"]))
    except (ValueError, KeyError):
        raise InputError(f"deribit: {matched[0][:64]!r} names no day that exists") from None


@lru_cache(maxsize=20_000)
def option_terms(symbol: str) -> OptionTerms | None:
    """Return the terms of the option *symbol* (it expires at 08:00 UTC); None if it is none."""
    matched = _SYMBOL.fullmatch(symbol)
    if matched is None or not matched["right"]:
        return None
    day = _day(matched)
    moment = datetime(day.year, day.month, day.day, 8, tzinfo=UTC)
    return OptionTerms(matched["strike"].replace("d", "."), matched["right"], int(moment.timestamp()) * 1_000_000_000)


def guess_instrument(symbol: str) -> dict[str, Any]:
    """Return the fields of an Instrument that *symbol* alone tells; InputError if its shape is not known."""
    matched = _SYMBOL.fullmatch(symbol)
    if matched is None or not (matched["quote"] or matched["perp"] or matched["day"]):
        raise InputError(
            f"deribit: {symbol[:64]!r} should be like BTC-PERPETUAL, BTC_USDC-PERPETUAL, BTC-25DEC26, BTC_USDC, "
            "BTC-26MAR27-70000-C or XRP_USDC-26MAR27-0d625-P"
        )
    base, quote = matched["base"], matched["quote"] or "USD"
    in_coin = matched["quote"] is None
    if matched["day"]:
        kind, suffix = "future", f"{_day(matched):%y%m%d}"
        if matched["right"]:
            kind, suffix = "option", f"{suffix}-{matched['strike'].replace('d', '.')}-{matched['right']}"
    else:
        kind = suffix = "perp" if matched["perp"] else "spot"
    return {
        "name": f"{base}-{quote}.{suffix}@deribit",
        "symbol": symbol,
        "venue": "deribit",
        "kind": kind,
        "base": base,
        "quote": quote,
        "settle": base if in_coin else quote,
        "is_inverse": in_coin and kind != "option",
        "contract_size": Decimal(1),
    }


class _Step(msgspec.Struct):
    above_price: Decimal
    tick_size: Decimal


class _Listed(msgspec.Struct):
    instrument_name: str
    tick_size: Decimal
    min_trade_amount: Decimal
    kind: str = ""
    contract_size: Decimal = Decimal(0)
    tick_size_steps: list[_Step] | None = None
    instrument_type: str = ""
    future_type: str = ""
    settlement_currency: str = ""
    state: str = ""
    is_active: bool = True


class _Error(msgspec.Struct):
    code: int = 0
    message: str = ""


class _Answer(msgspec.Struct):
    result: list[_Listed] | _Listed | None = None
    error: _Error | None = None


_ANSWER = msgspec.json.Decoder(_Answer)


def read_instruments(body: bytes) -> list[Instrument]:
    """Return every instrument of an answer but the combos, in its order."""
    try:
        answer = _ANSWER.decode(body)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise InputError(f"deribit get_instruments: should be an answer with a list as result, {error}") from None
    if answer.error is not None:
        raise InputError(f"deribit get_instruments: error {answer.error.code}, {answer.error.message[:200]}")
    if answer.result is None:
        raise InputError("deribit get_instruments: the answer has no result")
    rows = answer.result if isinstance(answer.result, list) else [answer.result]
    return [_instrument(row) for row in rows if not row.kind.endswith("combo") and not is_combo(row.instrument_name)]


def _instrument(listed: _Listed) -> Instrument:
    where = f"deribit get_instruments: {listed.instrument_name[:64]}"
    fields = guess_instrument(listed.instrument_name)
    table = _tick_table(listed, where)
    ticks = [tick for _, tick in table] or [listed.tick_size]
    lot = listed.min_trade_amount
    for name, value in (*(("tick_size", tick) for tick in ticks), ("min_trade_amount", lot)):
        _check(value, f"{where}: {name}")
    price_decimals = max(_decimals(tick) for tick in ticks)
    size_decimals = _decimals(lot)
    kind = listed.instrument_type or listed.future_type
    if kind in ("linear", "reversed") and fields["kind"] in ("perp", "future"):
        fields["is_inverse"] = kind == "reversed"
    if listed.settlement_currency:
        fields["settle"] = listed.settlement_currency
    lot_steps = int(lot.scaleb(size_decimals))
    return Instrument(
        **fields,
        price_decimals=price_decimals,
        size_decimals=size_decimals,
        tick_steps=gcd(*(int(tick.scaleb(price_decimals)) for tick in ticks)),
        lot_steps=lot_steps,
        min_quantity_steps=lot_steps,
        status=status_of(listed.state) if listed.state else "trading" if listed.is_active else "closed",
        tick_table=table,
    )


def _tick_table(listed: _Listed, where: str) -> tuple[tuple[Decimal, Decimal], ...]:
    if not listed.tick_size_steps:
        return ()
    steps = sorted((step.above_price, step.tick_size) for step in listed.tick_size_steps)
    for above, _ in steps:
        _check(above, f"{where}: above_price")
    return ((Decimal(0), listed.tick_size), *steps)


def _check(value: Decimal, what: str) -> None:
    if not value.is_finite() or value <= 0 or not -18 <= value.adjusted() <= 17 or _decimals(value) > 18:
        raise InputError(f"{what} should be a positive decimal, was {str(value)[:40]}")


def _decimals(number: Decimal) -> int:
    exponent = number.normalize().as_tuple().exponent
    assert isinstance(exponent, int)
    return max(0, -exponent)


def status_of(state: str) -> str:
    return STATES.get(state, "halted")
