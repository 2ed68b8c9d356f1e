"""The exact way between decimal text and whole steps, for doors that strangers knock at."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation

from quotewright.errors import InputError
from quotewright_simexchange.matching.codes import MOST, OFF_STEP, UNREADABLE

NUMBER = re.compile(r"([+-]?)([0-9]*)(?:\.([0-9]*))?(?:[eE]([+-]?[0-9]{1,9}))?")
MOST_DECIMALS = 18
TOO_LARGE = 10**18
LONGEST = 200


def read_steps(value: object, decimals: int) -> int:
    """Return *value* in steps of 10**-decimals: a positive int, or what stands for a number that is none.

    UNREADABLE: no number, not finite, zero, negative, 10**18 or more, more than 18 decimals (zeros at the end are
    none), or more steps than the core holds. OFF_STEP: a good number, but finer than a step. Text, int and Decimal
    are read; a float is not, because its digits are not what somebody wrote.
    """
    if isinstance(value, bool) or not isinstance(value, (str, int, Decimal)):
        return UNREADABLE
    if isinstance(value, int) and not 0 < value < TOO_LARGE:
        return UNREADABLE
    text = str(value)
    if len(text) > LONGEST:
        return UNREADABLE
    found = NUMBER.fullmatch(text)
    if found is None:
        return UNREADABLE
    sign, whole, part, power = found.groups()
    part = part or ""
    if sign == "-" or not (whole or part):
        return UNREADABLE
    written = (whole + part).rstrip("0")
    exponent = int(power or 0) - len(part) + len(whole + part) - len(written)
    digits = int(written or 0)
    if digits == 0 or exponent < -MOST_DECIMALS or exponent > MOST_DECIMALS:
        return UNREADABLE
    if digits * 10 ** max(exponent, 0) >= TOO_LARGE * 10 ** max(-exponent, 0):
        return UNREADABLE
    shift = exponent + decimals
    if shift < 0:
        steps, rest = divmod(digits, 10**-shift)
        if rest:
            return OFF_STEP
    else:
        steps = digits * int(10**shift)
    return steps if steps <= MOST else UNREADABLE


def write_steps(steps: int, decimals: int) -> str:
    """Return *steps* of 10**-decimals as plain decimal text without needless zeros."""
    sign = "-" if steps < 0 else ""
    text = str(abs(steps)).rjust(decimals + 1, "0")
    if decimals == 0:
        return sign + text
    whole, part = text[:-decimals], text[-decimals:].rstrip("0")
    return f"{sign}{whole}.{part}" if part else sign + whole


def setting_number(name: str, value: object) -> Decimal:
    """Return a setting as a finite Decimal; InputError names it otherwise."""
    if isinstance(value, (str, int, Decimal)) and not isinstance(value, bool):
        try:
            number = Decimal(value)
        except InvalidOperation:
            number = Decimal("NaN")
        if number.is_finite() and abs(number.adjusted()) <= 2 * MOST_DECIMALS:
            return number
    raise InputError(f"{name} should be a finite decimal number, was {value!r}")


def decimals_of(number: Decimal) -> int:
    """Return how many decimals *number* needs."""
    exponent = number.normalize().as_tuple().exponent
    assert isinstance(exponent, int)
    return max(-exponent, 0)


def scaled(number: Decimal, decimals: int) -> int:
    """Return *number* times 10**decimals, which must be whole."""
    sign, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int)
    steps = int("".join(map(str, digits)) or "0")
    shift = exponent + decimals
    if shift >= 0:
        steps *= int(10**shift)
    else:
        steps, rest = divmod(steps, 10**-shift)
        if rest:
            raise InputError(f"{number} has more than {decimals} decimals")
    return -steps if sign else steps
