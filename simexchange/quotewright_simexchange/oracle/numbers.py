"""Decimal text and exact arithmetic for the oracle: nothing here rounds unless its name says so."""

from __future__ import annotations

import decimal
import re
from decimal import Decimal
from typing import Any

EXACT = decimal.Context(
    prec=400,
    rounding=decimal.ROUND_HALF_EVEN,
    traps=[decimal.InvalidOperation, decimal.DivisionByZero, decimal.Overflow],
)
"""Wide enough that sums and products of legal numbers are exact."""

ZERO = Decimal(0)
LIMIT = Decimal(10) ** 18
DECIMALS = 18
MONEY_UNIT = Decimal("1E-8")
NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,9})?", re.ASCII)


def legal_number(text: Any) -> Decimal | None:
    """Return the positive number *text* holds, or None if a command may not contain it."""
    if not isinstance(text, str) or not NUMBER.fullmatch(text):
        return None
    number = Decimal(text)
    if not number.is_finite() or number <= 0 or number >= LIMIT:
        return None
    # The order of magnitude comes first: no context holds every exponent that a text can have.
    if number.adjusted() < -DECIMALS:
        return None
    number = number.normalize(EXACT)
    return None if int(number.as_tuple().exponent) < -DECIMALS else number


def setting(text: Any) -> Decimal | None:
    """Return a number of a case file's settings; None stays None (the setting is off)."""
    return None if text is None else Decimal(str(text))


def plain(number: Decimal) -> str:
    """Return *number* as decimal text without an exponent and without needless zeros."""
    text = format(number, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def to_money(number: Decimal) -> Decimal:
    """Round half-even at 1e-8."""
    return number.quantize(MONEY_UNIT, decimal.ROUND_HALF_EVEN, context=EXACT)


def fee_rounded(number: Decimal, scale: int) -> Decimal:
    """Round a fee at *scale* decimals: charges up, rebates toward zero (both are toward plus infinity)."""
    return number.quantize(Decimal(1).scaleb(-scale), decimal.ROUND_CEILING, context=EXACT)


def is_multiple(number: Decimal, step: Decimal) -> bool:
    """Say whether *number* lies on the grid of *step*."""
    return EXACT.remainder(number, step) == 0
