"""Times as people and services write them: UTC only, exact to the nanosecond, never a float."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from typing import Final

import attrs

from quotewright.errors import InputError

DAY_NS: Final = 86_400_000_000_000
MINUTE_NS: Final = 60_000_000_000
_EPOCH: Final = dt.date(1970, 1, 1).toordinal()
_TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?)?(Z|[+-]00:?00)?", re.ASCII | re.IGNORECASE
)


def time_ns(text: str) -> int:
    """Return a UTC time such as ``2026-03-01``, ``2026-03-01T00:05Z`` or with up to nine decimals, in ns since 1970.

    Raises:
        InputError: it is no such time, or one with a time of day and without ``Z``: nobody could tell the zone.
    """
    found = _TIME.fullmatch(text.strip())
    if found is None:
        raise InputError(f"a time should be like 2026-03-01 or 2026-03-01T00:05:00Z (UTC), was {text[:40]!r}")
    year, month, day, hour, minute, second, fraction, zone = found.groups()
    if hour is not None and zone is None:
        raise InputError(f"a time of day needs its zone, which is UTC: write {text[:40]}Z")
    try:
        days = dt.date(int(year), int(month), int(day)).toordinal() - _EPOCH
        clock = dt.time(int(hour or 0), int(minute or 0), int(second or 0))
    except ValueError as error:
        raise InputError(f"{text[:40]!r} is no time: {error}") from None
    seconds = days * 86_400 + clock.hour * 3_600 + clock.minute * 60 + clock.second
    return seconds * 1_000_000_000 + int((fraction or "").ljust(9, "0") or 0)


def iso(ns: int, decimals: int = 3) -> str:
    """Return *ns* since 1970 as ISO 8601 in UTC with *decimals* decimals of a second, cut, never rounded."""
    seconds, rest = divmod(ns, 1_000_000_000)
    days, clock = divmod(seconds, 86_400)
    date = dt.date.fromordinal(_EPOCH + days).isoformat()
    fraction = f".{rest:09d}"[: decimals + 1] if decimals else ""
    return f"{date}T{clock // 3_600:02d}:{clock // 60 % 60:02d}:{clock % 60:02d}{fraction}Z"


def date_of(ns: int) -> dt.date:
    """Return the UTC day that *ns* lies in."""
    return dt.date.fromordinal(_EPOCH + ns // DAY_NS)


@attrs.frozen
class Span:
    """The half-open interval ``[from_ns, to_ns)``."""

    from_ns: int
    to_ns: int

    def __attrs_post_init__(self) -> None:
        if self.to_ns <= self.from_ns:
            raise InputError(
                f"the end should lie after the beginning ({iso(self.from_ns)}), was {iso(self.to_ns)}; the end itself "
                "is not fetched"
            )

    @classmethod
    def parse(cls, first: str, end: str = "") -> Span:
        """Return the interval from *first* to *end*; without an end the day that begins then."""
        from_ns = time_ns(first)
        return cls(from_ns, time_ns(end) if end else (from_ns // DAY_NS + 1) * DAY_NS)

    def days(self) -> Iterator[dt.date]:
        """Yield the UTC days that the interval touches."""
        for day in range(self.from_ns // DAY_NS, -(-self.to_ns // DAY_NS)):
            yield dt.date.fromordinal(_EPOCH + day)

    def months(self) -> Iterator[dt.date]:
        """Yield the first days of the months that the interval touches."""
        last = None
        for day in self.days():
            if (day.year, day.month) != last:
                last = (day.year, day.month)
                yield day.replace(day=1)

    def minutes(self) -> Iterator[int]:
        """Yield the beginnings of the minutes that the interval touches, in ns."""
        yield from range(self.from_ns // MINUTE_NS * MINUTE_NS, self.to_ns, MINUTE_NS)
