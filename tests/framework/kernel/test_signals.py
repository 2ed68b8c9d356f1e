"""Signals have a unit and a time base: golden values, and the same market told in more messages gives the same."""

from __future__ import annotations

import math
import random
from fractions import Fraction

import attrs
import pytest

from quotewright.errors import ConfigError
from quotewright.kernel.by_order import ByOrderBook
from quotewright.kernel.codes import BEST_QUOTE, BID, LAST_BIT, NO_MARKET, OFFER, TRADE, pack
from quotewright.kernel.ladder import Ladder
from quotewright.kernel.rows import TapeBuffer
from quotewright.kernel.signals import (
    Concentration,
    Depth,
    Imbalance,
    Mid,
    Reading,
    Signal,
    Spread,
    WeightedMid,
)
from quotewright.kernel.signals_flow import OrderFlowImbalance, SpreadMoves, TradeFlow, TradeRate
from quotewright.kernel.top_of_book import TopOfBook
from quotewright.kernel.view import View
from quotewright.wiring import BindContext
from quotewright_plugins.books.sorted_book import SortedBook
from tests.framework.kernel.signals_market import Told, books
from tests.framework.kernel.stage import BUY, PLAIN, SECOND, SELL

CENTS = attrs.evolve(PLAIN, price_decimals=2, size_decimals=1, tick_steps=5)

# Bids 45000 x 5, 44990 x 8, 44980 x 12; offers 45010 x 4.5, 45020 x 7.5, 45030 x 11: the article's book.
ARTICLE = {
    BID: [(4_500_000, 50), (4_499_000, 80), (4_498_000, 120)],
    OFFER: [(4_501_000, 45), (4_502_000, 75), (4_503_000, 110)],
}
TEN_BIDS = {BID: [(9_990, 10)], OFFER: [(10_010, 30)]}

READINGS = {  #                        signal                     book      value
    "mid":                            (Mid(),                     ARTICLE,  45_005.0),
    "weighted mid":                   (WeightedMid(),             ARTICLE,  427_550_000 / 95 / 100),
    "weighted mid leans to the thin": (WeightedMid(),             TEN_BIDS, 99.95),
    "spread in bps of the mid":       (Spread(),                  ARTICLE,  20_000 * 10 / 90_010),
    "imbalance of three levels":      (Imbalance(levels=3),       ARTICLE,  (250 - 230) / 480),
    "imbalance of one level":         (Imbalance(levels=1),       TEN_BIDS, -0.5),
    "imbalance within 2 bps":         (Imbalance(bps=2.0),        ARTICLE,  (50 - 45) / 95),
    "imbalance within 5.56 bps":      (Imbalance(bps=5.56),       ARTICLE,  (250 - 230) / 480),
    "depth of two levels":            (Depth(levels=2),           ARTICLE,  25.0),
    "depth within 2 bps":             (Depth(bps=2.0),            ARTICLE,  9.5),
    "concentration":                  (Concentration(1),          TEN_BIDS, 0.0625 + 0.5625),
}  # fmt: skip


@pytest.mark.parametrize(("signal", "book", "value"), READINGS.values(), ids=READINGS)
def test_readings_of_the_book(signal, book, value):
    told = Told(type(signal)(*constructor(signal)), instrument=CENTS)
    told.snapshot(1, book)
    assert (told.signal.value, told.signal.is_ready) == (value, True)
    assert told.signal.unit


def constructor(signal):
    """Return the arguments that make such a signal again: a signal belongs to one market."""
    window_ns, _, *own = signal.parameters()
    if isinstance(signal, Imbalance | Depth):
        return (own[0] or None, own[1] or None, window_ns)
    return (*own, window_ns)


@pytest.mark.parametrize("model", [Ladder, SortedBook, TopOfBook, ByOrderBook])
def test_the_first_level_reads_alike_on_every_book_model(model):
    """C-09: bid 100 x 3, offer 101 x 1 gives 100.75 (the article's formula 101)."""
    signals = [Mid(), WeightedMid(), Spread(), Imbalance(levels=1), Imbalance(bps=60.0), Depth(levels=1)]
    told = Told(*signals, model=model)
    told.snapshot(1, {BID: [(100, 3)], OFFER: [(101, 1)]})
    assert [signal.value for signal in signals] == [100.5, 100.75, 20_000 / 201, 0.5, 0.5, 4.0]
    assert all(signal.is_ready for signal in signals)


@pytest.mark.parametrize("model", [Ladder, SortedBook, TopOfBook, ByOrderBook])
@pytest.mark.parametrize("side", [BID, OFFER])
def test_a_book_with_an_empty_side_reads_zero_and_is_not_ready(model, side):
    signals = [Mid(), WeightedMid(), Spread(), Imbalance(levels=5), Imbalance(bps=60.0), Depth(levels=1)]
    told = Told(*signals, model=model)
    assert [signal.value for signal in signals] == [0.0] * 6
    told.snapshot(1, {side: [(100, 3)]})
    assert [(signal.value, signal.is_ready) for signal in signals] == [(0.0, False)] * 6


def test_the_weighted_mid_lies_between_bid_and_offer_and_is_the_fraction_rounded_once():
    rng = random.Random(5)
    told = Told(WeightedMid())
    for now in range(1, 200):
        bid = rng.randrange(1, 10 ** rng.randrange(1, 15))
        offer = bid + rng.randrange(1, 100)
        sizes = rng.randrange(1, 10**12), rng.randrange(1, 10**12)
        told.snapshot(now, {BID: [(bid, sizes[0])], OFFER: [(offer, sizes[1])]})
        assert bid <= told.signal.value <= offer
        assert told.signal.value == float(Fraction(offer * sizes[0] + bid * sizes[1], sizes[0] + sizes[1]))


def test_a_reading_with_a_window_is_the_mean_over_its_grid_points():
    spread = Spread(4 * SECOND, 4)
    told = Told(spread)
    for second, (bid, offer) in enumerate([(99, 101), (98, 102), (99, 101), (97, 103)]):
        told.snapshot(second * SECOND + SECOND // 2, {BID: [(bid, 5)], OFFER: [(offer, 5)]})
        assert spread.is_ready == (second > 1)
    told.view.catch_up(4 * SECOND)
    assert (spread.value, spread.is_ready) == (350.0, True)
    assert spread.readings() == [200.0, 400.0, 200.0, 600.0]
    assert spread.deviation() == math.sqrt(27_500)
    assert spread.latest() == 600.0
    told.gap(4 * SECOND + 1)
    told.view.catch_up(6 * SECOND)
    assert (spread.value, spread.is_ready, spread.readings()) == (400.0, True, [200.0, 600.0])
    told.view.catch_up(7 * SECOND)
    assert (spread.value, spread.is_ready, spread.latest()) == (600.0, False, 0.0)


FLOWS = {  #              quotes (bid, size, offer, size) after 100 x 5 / 102 x 7      order-flow imbalance
    "bids added":         ([(100, 8, 102, 7)],                                          3.0),
    "bids taken away":    ([(100, 2, 102, 7)],                                         -3.0),
    "offers added":       ([(100, 5, 102, 9)],                                         -2.0),
    "offers taken away":  ([(100, 5, 102, 4)],                                          3.0),
    "a better bid":       ([(101, 4, 102, 7)],                                          4.0),
    "a worse bid":        ([(99, 20, 102, 7)],                                         -5.0),
    "a better offer":     ([(100, 5, 101, 4)],                                         -4.0),
    "a worse offer":      ([(100, 5, 103, 50)],                                         7.0),
    "there and back":     ([(101, 4, 102, 7), (100, 5, 102, 7)],                        0.0),
    "both sides move up": ([(101, 3, 103, 9)],                                          10.0),
}  # fmt: skip


@pytest.mark.parametrize(("quotes", "value"), FLOWS.values(), ids=FLOWS)
@pytest.mark.parametrize("model", [Ladder, SortedBook, TopOfBook, ByOrderBook])
def test_order_flow_imbalance_of_cont_kukanov_and_stoikov(quotes, value, model):
    told = Told(OrderFlowImbalance(4 * SECOND, 4), model=model)
    for at, (bid, bid_size, offer, offer_size) in enumerate([(100, 5, 102, 7), *quotes], start=1):
        told.quote(at, bid, bid_size, offer, offer_size)
    told.view.catch_up(SECOND)
    assert told.signal.value == value
    assert told.signal.usual_depth == (told.view.book.best_bid_size + told.view.book.best_offer_size) / 2
    assert told.signal.share == value / told.signal.usual_depth
    told.view.catch_up(4 * SECOND)
    assert (told.signal.value, told.signal.is_ready) == (value, True)
    told.view.catch_up(5 * SECOND)
    assert told.signal.value == 0.0, "the window has passed"


def test_order_flow_over_a_gap_counts_nothing():
    told = Told(OrderFlowImbalance(4 * SECOND, 4))
    told.snapshot(1, {BID: [(100, 5)], OFFER: [(102, 7)]}).gap(2)
    told.snapshot(3, {BID: [(100, 50)], OFFER: [(102, 70)]}).level(4, BID, 100, 51)
    told.view.catch_up(SECOND)
    assert told.signal.value == 1.0


def test_moves_of_the_spread_are_counted_by_time_and_not_by_message():
    told = Told(SpreadMoves(4 * SECOND, 4))
    told.quote(1, 99, 5, 101, 5).quote(2, 100, 5, 102, 9)  # the spread stays
    told.quote(3, 99, 5, 102, 5).quote(3, 99, 5, 101, 5)  # at one time there and back to what stood before
    told.quote(SECOND + 1, 98, 5, 102, 5).quote(SECOND + 2, 98, 5, 102, 5).quote(2 * SECOND + 1, 99, 5, 101, 5)
    told.view.catch_up(4 * SECOND)
    assert (told.signal.value, told.signal.mean_bps, told.signal.is_ready) == (0.5, 200.0, True)
    told.gap(4 * SECOND + 1).quote(4 * SECOND + 2, 90, 5, 110, 5)
    told.view.catch_up(5 * SECOND)
    assert told.signal.value == 0.5, "what changed over a gap is not known"
    told.view.catch_up(8 * SECOND)
    assert (told.signal.value, told.signal.mean_bps) == (0.0, 0.0)


PRINTS = [(SECOND // 2, BUY, 30), (SECOND // 2 + 1, SELL, 10)]


def test_trade_flow_is_the_signed_share_of_takers():
    told = Told(TradeFlow(4 * SECOND, 4)).prints(*PRINTS)
    told.view.catch_up(SECOND)
    assert (told.signal.value, told.signal.is_ready) == (0.5, False)
    told.view.catch_up(4 * SECOND)
    assert (told.signal.value, told.signal.is_ready) == (0.5, True)
    told.view.catch_up(5 * SECOND)
    assert told.signal.value == 0.0, "the window has passed"


@pytest.mark.parametrize(("prints", "value"), [([(1, BUY, 5)], 1.0), ([(1, SELL, 5)], -1.0), ([], 0.0)])
def test_trade_flow_of_one_side_is_one(prints, value):
    told = Told(TradeFlow(4 * SECOND, 4)).prints(*prints)
    told.view.catch_up(SECOND)
    assert told.signal.value == value


def test_arrivals_are_takers_orders_and_not_prints():
    told = Told(TradeRate(4 * SECOND, 4), instrument=CENTS)
    told.prints((1, BUY, 30), (1, BUY, 10), (1, SELL, 10), (2, SELL, 10), (3 * SECOND, SELL, 20))
    told.view.catch_up(3 * SECOND)
    assert (told.signal.value, told.signal.volume, told.signal.is_ready) == (4 / 3, 8 / 3, False)
    told.view.catch_up(4 * SECOND)
    assert (told.signal.value, told.signal.volume, told.signal.is_ready) == (1.0, 2.0, True)


def test_a_print_outside_the_market_moves_no_signal():
    told = Told(TradeRate(SECOND, 1))
    buffer = TapeBuffer(1)
    buffer.append(5, 5, 100, 7, 0, pack(TRADE, BUY, NO_MARKET, 0) | LAST_BIT)
    told.view.on_message(buffer, 0, 1, 5)
    told.view.catch_up(SECOND)
    assert (told.signal.value, told.signal.volume) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: TradeFlow(10), "a window of 10 ns is too short for 60 samples"),
        (lambda: TradeFlow(10, 0), "a window of 10 ns is too short for 0 samples"),
        (lambda: Imbalance(levels=3, bps=1.0), "Imbalance: give levels or bps, not both"),
        (lambda: Imbalance(levels=0), "Imbalance: levels should be 1 or more, was 0"),
        (lambda: Depth(bps=0.0), "Depth: bps should be positive, was 0.0"),
        (lambda: Concentration(0), "Concentration: levels should be 1 or more, was 0"),
    ],
)  # fmt: skip
def test_parameters_that_make_no_sense_are_refused(make, text):
    with pytest.raises(ValueError, match=text):
        make()


class Highest(Signal):
    """The highest mid at a grid point so far: a stranger's signal, its parameter known to nobody else."""

    def __init__(self, window_ns, least=0.0):
        super().__init__(window_ns, 4)
        self.unit = "quote currency"
        self.least = least

    def sample(self, mid2, book):
        self.value = max(self.value, self.least, mid2 / 2)
        self.is_ready = True
        return super().sample(mid2, book)


def context(*views):
    return BindContext(name="mm", where="strategies.mm", views=views)


def test_a_strangers_signal_is_kept_like_ours():
    told = Told()
    signal = context(told.view).signal(Highest(4 * SECOND))
    told.view.start(0)
    told.quote(1, 99, 5, 101, 5).quote(SECOND + 1, 89, 5, 91, 5)
    told.view.catch_up(2 * SECOND)
    assert (signal.value, signal.is_ready) == (100.0, True)


def test_a_second_declaration_with_equal_parameters_returns_the_first_signal():
    view = Told().view
    bound = context(view)
    first = bound.volatility(SECOND)
    assert bound.volatility(SECOND) is first
    assert bound.volatility(2 * SECOND) is not first
    assert bound.volatility(SECOND, unit="bps") is not first
    assert bound.volatility(SECOND, estimator="bipower") is not first
    high = bound.signal(Highest(SECOND))
    view.start(0)
    view.catch_up(SECOND)  # what it has seen since does not count
    assert bound.signal(Highest(SECOND)) is high
    assert bound.signal(Highest(SECOND, least=3.0)) is not high, "a parameter that only the stranger knows"
    assert len(view.signals) == 6


class Kept(Highest):
    """A stranger's signal that holds what has been set when it was made."""

    def __init__(self, held):
        super().__init__(SECOND)
        self.held = held


def test_signals_that_cannot_be_compared_are_two():
    import threading

    import numpy as np

    bound = context(Told().view)
    for held in (np.zeros(3), threading.Lock()):
        first = bound.signal(Kept(held))
        assert bound.signal(Kept(held)) is not first
    assert bound.signal(Kept([1])) is bound.signal(Kept([1]))


def test_a_signal_declared_in_a_run_starts_then():
    told = Told()
    told.quote(1, 99, 5, 101, 5)
    told.view.catch_up(10 * SECOND)
    told.quote(10 * SECOND + 1, 99, 5, 101, 5)
    bound = context(told.view)
    spread, flow = bound.signal(Spread(2 * SECOND, 2)), bound.signal(OrderFlowImbalance(2 * SECOND, 2))
    told.quote(10 * SECOND + 2, 99, 9, 101, 5)
    told.view.catch_up(11 * SECOND + 1)
    assert (spread.value, spread.is_ready, flow.value) == (200.0, True, 4.0)


def test_a_signal_of_several_instruments_says_which():
    one, other = Told().view, Told().view
    with pytest.raises(ConfigError, match=r"say by view= which of these: BTC-USDT.spot@test"):
        context(one, other).signal(Mid())
    assert context(one, other).signal(Mid(), other) is other.signals[0]
    with pytest.raises(ConfigError, match=r"strategies.mm: a signal of BTC-USDT.spot@test, which it is not bound to"):
        context(one).signal(Mid(), other)
    with pytest.raises(ConfigError, match="no estimator 'guess'; there are realised, exponential, range"):
        context(one).volatility(SECOND, estimator="guess")
    with pytest.raises(ConfigError, match="a signal should be a Signal, was 3"):
        context(one).signal(3)


def test_what_a_reading_lacks_is_named():
    told = Told(Reading(SECOND, 1))
    told.quote(1, 99, 5, 101, 5)
    with pytest.raises(TypeError, match=r"Reading lacks read\(\)"):
        told.view.catch_up(SECOND)


def test_quotes_of_the_ticker_beside_a_book_of_levels_move_no_signal():
    told = Told(Mid())
    told.quote(1, 99, 5, 101, 5)
    told.row(2, BEST_QUOTE, BID, 100, 5)
    assert told.signal.value == 100.0
    assert isinstance(told.view, View)
    assert books(told.view) == ([(99, 5)], [(101, 5)])
