"""Ticks that depend on the price: which one holds where, what an order price must keep to, how a tape keeps them."""

from __future__ import annotations

from decimal import Decimal

import attrs
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotewright.errors import InputError
from quotewright.model.instrument import Instrument
from quotewright.tape.tape import TapeInfo

TABLE = ((Decimal(0), Decimal("0.0001")), (Decimal("0.005"), Decimal("0.0005")), (Decimal("0.1"), Decimal("0.001")))
OPTION = Instrument(
    name="BTC-USD.270326-70000-C@deribit", symbol="BTC-26MAR27-70000-C", venue="deribit", kind="option",
    base="BTC", quote="USD", price_decimals=4, size_decimals=1, tick_table=TABLE,
)  # fmt: skip
PLAIN = attrs.evolve(OPTION, tick_table=(), tick_steps=5)

TICKS = {
    "0.0001": "0.0001",
    "0.0049": "0.0001",
    "0.005": "0.0005",
    "0.0995": "0.0005",
    "0.1": "0.001",
    "7": "0.001",
}


@pytest.mark.parametrize(("price", "tick"), TICKS.items())
def test_the_tick_is_that_of_the_prices_band(price, tick):
    assert OPTION.tick_size_at(Decimal(price)) == Decimal(tick)
    assert OPTION.is_on_tick(Decimal(price))
    assert OPTION.price(OPTION.price_ticks(Decimal(price))) == Decimal(price)


def test_below_the_first_band_and_without_bands_the_one_tick_holds():
    later = attrs.evolve(OPTION, tick_table=TABLE[1:])
    assert later.tick_size_at(Decimal("0.0003")) == Decimal("0.0001")
    assert PLAIN.tick_size_at(Decimal("0.2")) == PLAIN.tick_size == Decimal("0.0005")
    assert not PLAIN.is_on_tick(Decimal("0.0004"))


def test_a_price_off_the_tick_of_its_band_is_refused_with_its_neighbours():
    with pytest.raises(InputError, match=r"price 0\.0052 is not a multiple of 0\.0005, .*0\.0050 and 0\.0055"):
        OPTION.price_ticks(Decimal("0.0052"))
    with pytest.raises(InputError, match=r"not a multiple of the tick size 0\.0001"):
        OPTION.price_ticks(Decimal("0.00015"))


@given(st.integers(1, 3000))
def test_whole_ticks_stay_linear_in_the_price(steps):
    price = Decimal(steps).scaleb(-4)
    if OPTION.is_on_tick(price):
        assert OPTION.price_ticks(price) == steps
    else:
        with pytest.raises(InputError):
            OPTION.price_ticks(price)


WRONG = {
    "not a multiple of the finest": ((Decimal(1), Decimal("0.00015")),),
    "not rising": ((Decimal(1), Decimal("0.001")), (Decimal(1), Decimal("0.002"))),
    "no tick": ((Decimal(1), Decimal(0)),),
    "not finite": ((Decimal("NaN"), Decimal(1)),),
    "below zero": ((Decimal(-1), Decimal(1)),),
}


@pytest.mark.parametrize("table", WRONG.values(), ids=WRONG)
def test_a_table_that_makes_no_sense_is_refused(table):
    with pytest.raises(InputError, match="tick_table"):
        attrs.evolve(OPTION, tick_table=table)


def test_a_tapes_header_keeps_the_table_and_reads_headers_from_before_it():
    text = TapeInfo(instruments=(OPTION,)).to_json()
    assert msgspec.json.decode(text, type=TapeInfo).instruments == (OPTION,)
    fields = msgspec.json.decode(text)
    del fields["instruments"][0]["tick_table"]
    (old,) = msgspec.json.decode(msgspec.json.encode(fields), type=TapeInfo).instruments
    assert old == attrs.evolve(OPTION, tick_table=())
