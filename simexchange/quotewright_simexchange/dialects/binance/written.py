"""Numbers as the venue writes them: always as strings, with a fixed count of decimals, rounded down."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_DOWN, Context, Decimal

WIDE = Context(prec=60)
_ZERO = Decimal(0)
_STEPS = [Decimal(1).scaleb(-decimals) for decimals in range(40)]


def fixed(value: Decimal | None, decimals: int = 8) -> str:
    """Return *value* with *decimals* decimals; None is zero."""
    if value is None:
        value = _ZERO
    text = format(value.quantize(_STEPS[decimals], ROUND_DOWN, WIDE), "f")
    return text[1:] if text[0] == "-" and not text.strip("-0.") else text


def levels(side: Iterable[tuple[Decimal, Decimal]], decimals: int = 8) -> list[list[str]]:
    """Return levels of a book as pairs of strings."""
    return [[fixed(price, decimals), fixed(quantity, decimals)] for price, quantity in side]
