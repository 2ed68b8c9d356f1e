"""Values with a unit, as they stand in a config file: read exactly, written back as they were meant.

A duration is an int of nanoseconds and a time of day too; percent and basis points are Decimals; an amount is
a Decimal and the name of what it counts. No float is made on the way.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any, ClassVar, Self

import attrs

from quotewright.errors import ConfigError

_UNITS_NS = {
    "ns": 1,
    "us": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
    "d": 86_400_000_000_000,
}
_NUMBER = re.compile(r"([+-]?(?:\d[\d_]*)(?:\.\d+)?)\s*(\S.*)?", re.ASCII)
_TIME = re.compile(r"(\d\d):(\d\d)(?::(\d\d))?\s+(\S+)", re.ASCII)
_UNIT_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.\-]*", re.ASCII)


class UnitError(ConfigError, ValueError):
    """A value that cannot be read: says what was expected, what came and, if it is known, under which key."""

    def __init__(self, expected: str, came: object, key: str = "") -> None:
        self.expected = expected
        self.came = came
        self.key = key
        super().__init__(f"{key} should be {expected}, was {shown(came)}".lstrip())


def shown(value: object) -> str:
    """Return *value* as a config file would show it: text in quotes, numbers and tables as they are."""
    if isinstance(value, str):
        return f"'{value}'"
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "nothing"
    return str(value)


def _split(value: object, expected: str) -> tuple[Decimal, str]:
    if not isinstance(value, str):
        raise UnitError(expected, value)
    found = _NUMBER.fullmatch(value.strip())
    if found is None:
        raise UnitError(expected, value)
    digits = found[1].replace("_", "")
    if len(digits) > 28:
        raise UnitError("a number of at most 28 digits", value)
    return Decimal(digits), (found[2] or "").strip()


class Duration(int):
    """A span of time in whole nanoseconds; written ``100ms``, ``5m``, ``30s``, ``24h``; never negative."""

    EXPECTED: ClassVar = "a duration such as '100ms', '30s', '5m' or '24h'"

    @classmethod
    def parse(cls, value: object) -> Self:
        """Return the duration that *value* states; UnitError if it states none or one finer than 1 ns."""
        if isinstance(value, cls):
            return value
        number, unit = _split(value, cls.EXPECTED)
        if unit not in _UNITS_NS or number.is_signed():
            raise UnitError(cls.EXPECTED, value)
        nanoseconds = number * _UNITS_NS[unit]
        if nanoseconds != nanoseconds.to_integral_value():
            raise UnitError("a whole number of nanoseconds", value)
        if nanoseconds >= 1 << 62:
            raise UnitError("a duration below 146 years", value)
        return cls(int(nanoseconds))

    def __str__(self) -> str:
        """Return the shortest exact text, such as ``5m``."""
        if not self:
            return "0s"
        unit = next(unit for unit in reversed(_UNITS_NS) if int(self) % _UNITS_NS[unit] == 0)
        return f"{int(self) // _UNITS_NS[unit]}{unit}"

    def __repr__(self) -> str:
        return f"Duration('{self}')"


class TimeOfDay(int):
    """A time of day in nanoseconds since midnight UTC; written ``00:00 UTC`` or ``23:59:30 UTC``."""

    EXPECTED: ClassVar = "a time of day such as '00:00 UTC'"

    @classmethod
    def parse(cls, value: object) -> Self:
        """Return the time that *value* states; UnitError if it states none, or one in another zone."""
        if isinstance(value, cls):
            return value
        found = _TIME.fullmatch(value.strip()) if isinstance(value, str) else None
        if found is None or found[4] != "UTC":
            raise UnitError(cls.EXPECTED, value)
        hours, minutes, seconds = int(found[1]), int(found[2]), int(found[3] or 0)
        if hours > 23 or minutes > 59 or seconds > 59:
            raise UnitError(cls.EXPECTED, value)
        return cls((hours * 3600 + minutes * 60 + seconds) * 1_000_000_000)

    def __str__(self) -> str:
        minutes, seconds = divmod(int(self) // 1_000_000_000, 60)
        text = f"{minutes // 60:02}:{minutes % 60:02}"
        return f"{text}:{seconds:02} UTC" if seconds else f"{text} UTC"

    def __repr__(self) -> str:
        return f"TimeOfDay('{self}')"


class Percent(Decimal):
    """A share, as a fraction: ``2%`` is 0.02, exactly."""

    EXPECTED: ClassVar = "a percentage such as '2%'"

    @classmethod
    def parse(cls, value: object) -> Self:
        """Return the fraction that *value* states; UnitError if it carries no percent sign."""
        if isinstance(value, cls):
            return value
        number, unit = _split(value, cls.EXPECTED)
        if unit != "%":
            raise UnitError(cls.EXPECTED, value)
        return cls(number.scaleb(-2))

    def __str__(self) -> str:
        return f"{_plain(self.scaleb(2))}%"

    def __repr__(self) -> str:
        return f"Percent('{self}')"


class Bps(Decimal):
    """A number of basis points: ``5 bps`` is 5, which is 0.0005 of what it is taken of."""

    EXPECTED: ClassVar = "basis points such as '5 bps' or '-0.5 bps'"

    @classmethod
    def parse(cls, value: object) -> Self:
        """Return the number of basis points that *value* states; UnitError if it does not say bps."""
        if isinstance(value, cls):
            return value
        number, unit = _split(value, cls.EXPECTED)
        if unit != "bps":
            raise UnitError(cls.EXPECTED, value)
        return cls(number)

    @property
    def fraction(self) -> Decimal:
        """The same as a fraction: 5 bps is 0.0005."""
        return Decimal(self).scaleb(-4)

    def __str__(self) -> str:
        return f"{_plain(Decimal(self))} bps"

    def __repr__(self) -> str:
        return f"Bps('{self}')"


@attrs.frozen
class Amount:
    """So much of something: ``0.5 BTC`` (a quantity) or ``200 USDT`` (a value)."""

    EXPECTED: ClassVar = "an amount with its unit such as '0.5 BTC' or '200 USDT'"

    value: Decimal
    unit: str

    @classmethod
    def parse(cls, value: object) -> Self:
        """Return the amount that *value* states; UnitError if a number or its unit is missing."""
        if isinstance(value, cls):
            return value
        number, unit = _split(value, cls.EXPECTED)
        if _UNIT_NAME.fullmatch(unit) is None:
            raise UnitError(cls.EXPECTED, value)
        return cls(number, unit)

    def __str__(self) -> str:
        return f"{_plain(self.value)} {self.unit}"


Unit = Duration | TimeOfDay | Percent | Bps | Amount
UNITS: tuple[Any, ...] = (Duration, TimeOfDay, Percent, Bps, Amount)


def _plain(number: Decimal) -> str:
    """Return *number* without an exponent and without zeros that say nothing."""
    text = f"{Decimal(number):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
