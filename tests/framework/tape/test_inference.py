"""What can be read off the data: decimals, tick, lot, and what a symbol tells."""

from __future__ import annotations

import numpy as np
import pytest

from quotewright.errors import InputError
from quotewright.model.instrument import Instrument
from quotewright.tape.causality import Connection
from quotewright.tape.inference import Decimals, Grid, Survey, decided_step, fields_from_symbol, with_decimals
from quotewright.tape.sink import OptionSummary


def survey() -> Survey:
    connection = Connection("test")
    made = Survey(lambda: connection)
    made.begin("BTCUSDT", 1, 2)
    return made


def test_decimals_are_the_finest_seen_trailing_zeros_aside():
    made = survey()
    made.bids(b'[["61800.10","0.500000"],["61799.90","1"]]')
    made.offers(b"[[61801,2.25],[61802.5,1e-3]]")
    made.trade(1, "61800.10000000", b"0.01", 1)
    made.end()
    observed = made.symbols["BTCUSDT"]
    assert (observed.price.finest, observed.size.finest, observed.messages) == (1, 3, 1)


@pytest.mark.parametrize(
    "levels", [b'[["NaN","1"]]', b'[["1","0x1"]]', b'[["1"]]', b'[["1","1"', b'[[null,"1"]]', b"{}"]
)
def test_the_survey_refuses_what_no_tape_can_hold(levels):
    with pytest.raises(InputError, match="BTCUSDT bids"):
        survey().bids(levels)


def test_decimals_leave_room_for_the_whole_digits():
    decimals = Decimals()
    decimals.add({"123456789.5", "0.1234567890123"}, "price")
    assert decimals.finest == 1


@pytest.mark.parametrize("absurd", ["123456789012345678", "1e17", "0.123456789012345678"])
def test_one_absurd_number_does_not_cost_the_others_their_decimals(absurd):
    decimals = Decimals()
    decimals.add({f"{number}.{number % 1000:03d}" for number in range(60_000, 60_050)}, "price")
    decimals.add({absurd}, "price")
    assert decimals.finest in (3, 13)
    assert all(len(str(number)) + decimals.finest <= 18 for number in range(60_000, 60_050))


@pytest.mark.parametrize("text", ["1e400", "1e18", "1234567890123456789", "9e999"])
def test_numbers_beyond_eighteen_digits_are_refused_at_once(text):
    decimals = Decimals()
    decimals.add({"1.25"}, "size")
    with pytest.raises(InputError, match="size should have at most 18 digits"):
        decimals.add({text}, "size")
    assert decimals.finest == 2


def steps(*values: int) -> Grid:
    grid = Grid()
    grid.add(np.array(values, np.int64))
    return grid


MANY = tuple(range(100, 12_000, 10))
DECIDED = {  #                           seen                    given  decided
    "the coarsest grid":                (steps(*MANY),          None, 10),
    "a quarter":                        (steps(*range(25, 9000, 25)), None, 25),
    "one off the grid in a thousand":   (steps(*MANY, 7),        None, 10),
    "many off the grid":                (steps(*MANY, *range(1, 100, 7)), None, 1),
    "too few to tell":                  (steps(10, 20, 30),      None, 1),
    "given and fitting":                (steps(*range(1, 90)),   1, 1),
    "given, data finer":                (steps(*MANY),           100, 10),
    "given, data coarser, many":        (steps(*MANY),           1, 10),
    "given, data coarser, few":         (steps(*MANY[:50]),      1, 1),
    "given, nothing seen":              (steps(),                5, 5),
}  # fmt: skip


@pytest.mark.parametrize(("grid", "given", "decided"), DECIDED.values(), ids=DECIDED)
def test_tick_and_lot(grid, given, decided):
    assert decided_step(grid, grid, given) == decided


def test_finer_numbers_throughout_change_the_steps_and_keep_tick_and_lot():
    instrument = Instrument(
        name="BTC-USDT.spot@test", symbol="BTCUSDT", venue="test", base="BTC", quote="USDT",
        price_decimals=1, size_decimals=1, tick_steps=5, lot_steps=2, max_quantity_steps=9,
    )  # fmt: skip
    made = survey()
    for number in range(20):
        made.bid(f"6180{number}.25", f"0.{number:03}1")
    made.bid("61800.123456", "1")  # once is a bad number, not a new tick
    made.end()
    finer = with_decimals(instrument, made.symbols["BTCUSDT"])
    assert (finer.price_decimals, finer.size_decimals) == (2, 4)
    assert (finer.tick_size, finer.lot_size) == (instrument.tick_size, instrument.lot_size)
    assert finer.max_quantity_steps == 9000
    assert finer.inferred == ("lot_steps", "price_decimals", "size_decimals", "tick_steps")


SYMBOLS = {  #                           market     name                              kind
    "BTC-USDT":                         ("",        "BTC-USDT.spot@x",                "spot"),
    "NEXOUSDT":                         ("spot",    "NEXO-USDT.spot@x",               "spot"),
    "ADARUB":                           ("spot",    "ADA-RUB.spot@x",                 "spot"),
    "BTCUSDT":                          ("linear",  "BTC-USDT.perp@x",                "perp"),
    "BTC-USDT-SWAP":                    ("swap",    "BTC-USDT.perp@x",                "perp"),
    "BTC-PERPETUAL":                    ("",        "BTC-USD.perp@x",                 "perp"),
    "BTCUSD_PERP":                      ("coinm",   "BTC-USD.perp@x",                 "perp"),
    "DOTUSD_PERP":                      ("coinm",   "DOT-USD.perp@x",                 "perp"),
    "XBTUSD":                           ("swap",    "XBT-USD.perp@x",                 "perp"),
    "BTCTUSD":                          ("spot",    "BTC-TUSD.spot@x",                "spot"),
    "ETHUSD_210924":                    ("coinm",   "ETH-USD.210924@x",               "future"),
    "BTC-25MAR22":                      ("",        "BTC-USD.220325@x",               "future"),
    "BTC-5APR21-400000-C":              ("",        "BTC-USD.210405-400000-C@x",      "option"),
}  # fmt: skip


@pytest.mark.parametrize(("symbol", "expected"), SYMBOLS.items(), ids=SYMBOLS)
def test_a_symbol_tells_its_instrument(symbol, expected):
    market, name, kind = expected
    fields = fields_from_symbol(symbol, "x", market)
    assert (fields["name"], fields["kind"]) == (name, kind)
    assert fields["is_inverse"] == (fields["quote"] == "USD" and kind in ("perp", "future"))


@pytest.mark.parametrize("symbol", ["ABCDEF", "USDT", "BTC-99XXX99", "BTC-USD-1"])
def test_a_symbol_that_tells_nothing_is_refused(symbol):
    with pytest.raises(InputError, match=r"give the venue's metadata|should be a date"):
        fields_from_symbol(symbol, "x", "spot")


def test_the_survey_takes_every_call_and_refuses_what_no_row_can_hold():
    made = survey()
    made.mark("1.5")
    made.index("1.5")
    made.last("0")
    made.funding("-0.0001", 9)
    made.predicted_funding("-1e-5")
    made.trade(1, "1", "1", 1, 0, "name")
    made.liquidation(2, "1", "1", 1, "name")
    made.open_interest("12345678901.5")
    made.option(OptionSummary(right="C", bid_iv="0.5", delta="-0.5", open_interest="12345678901.5"))
    made.status(3)
    made.change("0.25", "0.001")
    made.end()
    observed = made.symbols["BTCUSDT"]
    assert (observed.price.finest, observed.size.finest, observed.messages) == (2, 3, 1)
    for write, why in (
        (lambda: made.mark("0"), "mark price should be positive"),
        (lambda: made.last("-1"), "last price should be at least 0"),
        (lambda: made.option(OptionSummary(mark_iv="-1")), "mark iv should be at least 0"),
        (lambda: made.option(OptionSummary(vega="x")), "vega should be a decimal number"),
        (lambda: made.open_interest("-1"), "open interest should be at least 0"),
    ):
        with pytest.raises(InputError, match=why):
            write()
