"""Times are UTC, exact and half-open."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotewright.errors import InputError
from quotewright.fetching.times import Span, date_of, iso, time_ns

T = 1_772_323_200_000_000_000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-01", T),
        ("2026-03-01T00:00Z", T),
        ("2026-03-01T00:00:00.1234567Z", T + 123_456_700),
        ("2026-03-01 00:00:00.000000001+00:00", T + 1),
        ("1969-12-31T23:59:59.5Z", -500_000_000),
    ],
)
def test_a_time_is_read_exactly(text, expected):
    assert time_ns(text) == expected


@pytest.mark.parametrize("text", ["2026-03-01T00:05", "2026-03-01 00:05:00"])
def test_a_time_of_day_without_a_zone_is_refused(text):
    with pytest.raises(InputError, match="needs its zone, which is UTC"):
        time_ns(text)


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2026-13-01", "2026-02-30", "2026-03-01T25:00Z", "1772323200", "2026-03-01T00:00+02:00"]
)
def test_what_is_no_utc_time_is_refused(text):
    with pytest.raises(InputError, match="time"):
        time_ns(text)


@given(st.integers(-(10**18), 4 * 10**18))
def test_what_is_written_is_read_again(ns):
    assert time_ns(iso(ns, 9)) == ns
    assert time_ns(iso(ns, 3)) == ns // 1_000_000 * 1_000_000


def test_a_span_is_half_open():
    assert [day.isoformat() for day in Span.parse("2026-02-27", "2026-03-02").days()] == [
        "2026-02-27",
        "2026-02-28",
        "2026-03-01",
    ]
    assert [day.isoformat() for day in Span.parse("2026-03-01").days()] == ["2026-03-01"]
    assert [day.isoformat() for day in Span.parse("2026-01-31", "2026-03-01").months()] == ["2026-01-01", "2026-02-01"]
    minutes = list(Span.parse("2026-03-01T00:00:30Z", "2026-03-01T00:02Z").minutes())
    assert [(minute - T) // 60_000_000_000 for minute in minutes] == [0, 1]
    assert date_of(T - 1).isoformat() == "2026-02-28"


def test_an_end_that_is_not_after_the_beginning_is_refused():
    with pytest.raises(InputError, match="the end itself is not fetched"):
        Span.parse("2026-03-01", "2026-03-01")
