"""Instruments: from Tardis's metadata, or from symbols alone where there is none to ask."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from quotewright.errors import InputError
from quotewright.model.instrument import Instrument

MOST_DECIMALS = 12


class Described(msgspec.Struct, rename="camel"):
    """What Tardis tells of one instrument; numbers keep their text."""

    id: str
    type: str = "spot"
    active: bool = True
    price_increment: msgspec.Raw = msgspec.Raw(b"")
    amount_increment: msgspec.Raw = msgspec.Raw(b"")
    min_trade_amount: msgspec.Raw = msgspec.Raw(b"")
    contract_multiplier: msgspec.Raw = msgspec.Raw(b"")
    inverse: bool = False


LIST: msgspec.json.Decoder[list[Described]] = msgspec.json.Decoder(list[Described])
Guess = Callable[[str], dict[str, Any]]


def described(body: bytes, guess: Guess) -> list[Instrument]:
    """Return the instruments of an answer of ``/instruments/EXCHANGE``; combos and what has no step are left out."""
    try:
        found = LIST.decode(body if body[:1] == b"[" else b"[" + body + b"]")
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise InputError(f"tardis: instruments should be a list of objects with an id ({error})") from None
    instruments = []
    for one in found:
        tick, lot = _number(one.price_increment), _number(one.amount_increment)
        if one.type == "combo" or tick <= 0 or lot <= 0:
            continue
        try:
            fields = guess(one.id)
        except InputError:
            continue
        multiplier = _number(one.contract_multiplier)
        if multiplier > 0:
            fields["contract_size"] = multiplier
        price_decimals, size_decimals = _decimals(tick), _decimals(lot)
        instruments.append(
            Instrument(
                **{**fields, "is_inverse": one.inverse},
                price_decimals=price_decimals,
                size_decimals=size_decimals,
                tick_steps=int(tick.scaleb(price_decimals)),
                lot_steps=int(lot.scaleb(size_decimals)),
                min_quantity_steps=int(_number(one.min_trade_amount).scaleb(size_decimals)),
                status="trading" if one.active else "closed",
            )
        )
    return instruments


def from_symbols(symbols: Iterable[str], guess: Guess, decimals: int) -> list[Instrument]:
    """Return instruments of which only the symbols are known, with *decimals* for prices and sizes."""
    told = ("price_decimals", "size_decimals", "tick_steps", "lot_steps")
    return [
        Instrument(**guess(symbol), price_decimals=decimals, size_decimals=decimals, inferred=told)
        for symbol in symbols
    ]


def _number(raw: msgspec.Raw) -> Decimal:
    text = bytes(raw).decode("ascii", "replace").strip().strip('"')
    try:
        number = Decimal(text) if text and text != "null" else Decimal(0)
    except InvalidOperation:
        raise InputError(f"tardis: a step should be a decimal number, was {text[:40]!r}") from None
    return number if number.is_finite() else Decimal(0)


def _decimals(step: Decimal) -> int:
    exponent = step.normalize().as_tuple().exponent
    return min(max(0, -int(exponent)), 18)
