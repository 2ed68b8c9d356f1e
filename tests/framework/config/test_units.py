"""Values with a unit: what is read, how exactly, and what is said about everything else."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotewright.config.units import Amount, Bps, Duration, Percent, TimeOfDay, UnitError

SECOND = 1_000_000_000

READ = {
    "milliseconds": (Duration, "100ms", 100_000_000),
    "microseconds": (Duration, "250us", 250_000),
    "nanoseconds": (Duration, "7ns", 7),
    "half a second": (Duration, "0.5s", SECOND // 2),
    "minutes": (Duration, "5m", 300 * SECOND),
    "a day": (Duration, "24h", 86_400 * SECOND),
    "days": (Duration, "2d", 172_800 * SECOND),
    "a blank before the unit": (Duration, "30 s", 30 * SECOND),
    "no time at all": (Duration, "0s", 0),
    "a percentage": (Percent, "2%", Decimal("0.02")),
    "a fine percentage": (Percent, "0.005 %", Decimal("0.00005")),
    "basis points": (Bps, "5 bps", Decimal(5)),
    "a rebate": (Bps, "-0.5 bps", Decimal("-0.5")),
    "midnight": (TimeOfDay, "00:00 UTC", 0),
    "seconds of the day": (TimeOfDay, "23:59:30 UTC", (86_400 - 30) * SECOND),
    "a quantity": (Amount, "0.5 BTC", Amount(Decimal("0.5"), "BTC")),
    "a value": (Amount, "1_000.25 USDT", Amount(Decimal("1000.25"), "USDT")),
}


@pytest.mark.parametrize(("unit", "text", "value"), READ.values(), ids=READ)
def test_a_value_is_read_exactly(unit, text, value):
    read = unit.parse(text)
    assert read == value
    assert type(read) is unit
    assert unit.parse(read) is read


REFUSED = {
    "a duration without its unit": (
        Duration,
        "5",
        "should be a duration such as '100ms', '30s', '5m' or '24h', was '5'",
    ),
    "a bare number": (Duration, 5, "should be a duration such as '100ms', '30s', '5m' or '24h', was 5"),
    "an unknown unit": (Duration, "5 min", "should be a duration such as"),
    "a negative duration": (Duration, "-5s", "should be a duration such as"),
    "finer than a nanosecond": (Duration, "1.5ns", "should be a whole number of nanoseconds, was '1.5ns'"),
    "longer than a lifetime": (Duration, "999999d", "should be a duration below 146 years"),
    "a percentage without its sign": (Percent, "0.02", "should be a percentage such as '2%', was '0.02'"),
    "a number as a percentage": (Percent, Decimal("0.02"), "should be a percentage such as '2%', was 0.02"),
    "basis points without their unit": (Bps, "5", "should be basis points such as '5 bps'"),
    "percent as basis points": (Bps, "5%", "should be basis points such as '5 bps'"),
    "an amount without its unit": (Amount, "0.5", "should be an amount with its unit such as '0.5 BTC'"),
    "an amount without its number": (Amount, "BTC", "should be an amount with its unit"),
    "an exponent": (Amount, "1e3 USDT", "should be an amount with its unit"),
    "not a number": (Amount, "nan BTC", "should be an amount with its unit"),
    "a thousand digits": (Amount, "1" * 1000 + " BTC", "should be a number of at most 28 digits"),
    "digits of another script": (Amount, "\N{ARABIC-INDIC DIGIT FIVE} BTC", "should be an amount with its unit"),
    "nothing": (Amount, None, "should be an amount with its unit such as '0.5 BTC' or '200 USDT', was nothing"),
    "a time without a zone": (TimeOfDay, "00:00", "should be a time of day such as '00:00 UTC'"),
    "a time of another zone": (TimeOfDay, "00:00 CET", "should be a time of day such as '00:00 UTC'"),
    "the hour twenty-five": (TimeOfDay, "25:00 UTC", "should be a time of day such as '00:00 UTC'"),
}


@pytest.mark.parametrize(("unit", "value", "message"), REFUSED.values(), ids=REFUSED)
def test_anything_else_is_refused_with_what_was_expected(unit, value, message):
    with pytest.raises(UnitError) as caught:
        unit.parse(value)
    assert str(caught.value).startswith(message)
    assert caught.value.exit_code == 4


WRITTEN = {
    "5m": Duration.parse("300s"),
    "90s": Duration.parse("1.5m"),
    "0s": Duration.parse("0ms"),
    "2%": Percent.parse("2.0%"),
    "0.05%": Percent.parse("0.05%"),
    "100 bps": Bps.parse("100 bps"),
    "-0.5 bps": Bps.parse("-0.50 bps"),
    "100 USDT": Amount.parse("100.00 USDT"),
    "00:00 UTC": TimeOfDay.parse("00:00:00 UTC"),
    "08:30:05 UTC": TimeOfDay.parse("08:30:05 UTC"),
}


@pytest.mark.parametrize(("text", "value"), WRITTEN.items())
def test_a_value_is_written_back_as_it_was_meant(text, value):
    assert str(value) == text
    assert type(value).parse(text) == value


@given(st.integers(0, (1 << 62) - 1))
def test_every_duration_survives_being_written(nanoseconds):
    assert Duration.parse(str(Duration(nanoseconds))) == nanoseconds


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12, places=9))
def test_every_decimal_survives_being_written(number):
    assert Amount.parse(str(Amount(number, "BTC"))).value == number
    assert Bps.parse(str(Bps(number))) == number
    assert Percent.parse(str(Percent(number))) == number


def test_basis_points_as_a_fraction():
    assert Bps.parse("5 bps").fraction == Decimal("0.0005")
