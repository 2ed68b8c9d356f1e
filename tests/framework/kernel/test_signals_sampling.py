"""No signal moves when the same market is sampled twice as often: told in more messages, or looked at more often."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import pytest

from quotewright.kernel.codes import NEVER, pack
from quotewright.kernel.ladder import Ladder
from quotewright.kernel.pipeline import Pipeline
from quotewright.kernel.risk import RiskGate
from quotewright.kernel.signals import Concentration, Depth, Imbalance, Mid, Signal, Spread, WeightedMid
from quotewright.kernel.signals_flow import OrderFlowImbalance, SpreadMoves, TradeFlow, TradeRate
from quotewright.kernel.signals_impact import PriceImpact
from quotewright.kernel.signals_intensity import TradeIntensity
from quotewright.kernel.signals_liquidity import LargeOrders, LiquidityRegime
from quotewright.kernel.signals_microprice import Microprice
from quotewright.kernel.signals_volatility import (
    BipowerVolatility,
    ExponentialVolatility,
    MedianVolatility,
    RangeVolatility,
    Volatility,
)
from quotewright.kernel.top_of_book import TopOfBook
from quotewright_plugins.books.sorted_book import SortedBook
from tests.framework.kernel.signals_market import Message, Told, market, quotes_only, split
from tests.framework.kernel.stage import SECOND, Desk, Notes, ObedientVenue, QuoteManager
from tests.framework.kernel.stage import Market as Rows
from tests.framework.kernel.stage import Told as Woken

W = 8 * SECOND
SIGNALS: dict[str, Callable[[], Signal]] = {
    "mid": Mid,
    "mean mid": lambda: Mid(W, 16),
    "weighted mid": WeightedMid,
    "mean weighted mid": lambda: WeightedMid(W, 16),
    "spread": Spread,
    "mean spread": lambda: Spread(W, 16),
    "imbalance": lambda: Imbalance(levels=3),
    "mean imbalance in a band": lambda: Imbalance(bps=5.0, window_ns=W),
    "depth": lambda: Depth(levels=3),
    "mean depth": lambda: Depth(bps=5.0, window_ns=W),
    "concentration": lambda: Concentration(4),
    "realised volatility": lambda: Volatility(W, 16),
    "realised volatility in steps": lambda: Volatility(W, 16, "steps"),
    "exponential volatility": lambda: ExponentialVolatility(W, 16),
    "range volatility": lambda: RangeVolatility(W, 4),
    "bipower volatility": lambda: BipowerVolatility(W, 16),
    "median volatility": lambda: MedianVolatility(W, 16),
    "order-flow imbalance": lambda: OrderFlowImbalance(W, 8),
    "spread moves": lambda: SpreadMoves(W, 8),
    "trade flow": lambda: TradeFlow(W, 8),
    "trade rate": lambda: TradeRate(W, 8),
    "microprice": lambda: Microprice(W, 16, 4, 2),
    "intensity by likelihood": lambda: TradeIntensity(W, 8, 2.0, 8, least=5),
    "intensity by regression": lambda: TradeIntensity(W, 8, 1.0, 8, "steps", "regression", 5),
    "liquidity regime": lambda: LiquidityRegime(W, 16, levels=3),
    "large orders": lambda: LargeOrders(W, 16, 5, 2.0),
    "price impact": lambda: PriceImpact(W, 16),
}
"""Every signal of the kernel, as it is checked here; a test finds the one that is missing."""

SECONDS = 30


def values(told: Told, messages: Any) -> list[tuple[float, bool]]:
    """Return what the signal says at each tenth of a second, after every message of that time or before."""
    found = []
    due = SECOND // 10
    for at, rows in messages:
        while at > due:
            told.view.catch_up(due)
            found.append((told.signal.value, told.signal.is_ready))
            due += SECOND // 10
        told.message(at, rows)
    return found


@pytest.mark.parametrize("make", SIGNALS.values(), ids=SIGNALS)
@pytest.mark.parametrize("model", [Ladder, SortedBook, TopOfBook])
def test_the_same_market_in_twice_as_many_messages(make, model):
    """A-12: an estimate by count of messages would rise with every repeated message."""
    once = market(3, SECONDS)
    if model is TopOfBook:
        once = quotes_only(once)
    twice = list(split(once, 4))
    assert len(twice) >= 2 * len(once) - 1
    expected = values(Told(make(), model=model), once)
    assert values(Told(make(), model=model), twice) == expected
    assert len(expected) > 10 * SECONDS - 10
    if model is Ladder:
        assert len({value for value, is_ready in expected if is_ready}) > 2, "nothing moved: nothing was shown"


@pytest.mark.parametrize("make", SIGNALS.values(), ids=SIGNALS)
def test_a_strategy_that_wakes_twice_as_often(make):
    """Woken by a timer, by twice as many timers, by every move and by every trade: at one time it reads one value.

    Several messages come at one time here, and that may be a time at which signals are sampled.
    """

    def seen(every: int, best: bool = False, trades: bool = False) -> dict[int, tuple[float, bool]]:
        found: dict[int, tuple[float, bool]] = {}
        stage = Told(make())
        view = stage.view

        def look(view: Any, quotes: Any) -> None:
            if view.now_ns % (SECOND // 2) == 0:
                found[view.now_ns] = (stage.signal.value, stage.signal.is_ready)
            else:
                assert stage.signal.value is not None

        strategy = Woken(look, every=every, best=best)
        strategy.wake_on_trade = trades
        venue = ObedientVenue()
        desk = Desk("mm", strategy, view, QuoteManager(0, 0, False), venue)
        source = rows_of([(at - at % (SECOND // 20), rows) for at, rows in market(7, SECONDS)]).source()
        pipeline = Pipeline(source, [view], [desk], RiskGate([], [view]), [venue], Notes(), 0)
        pipeline.start(0)
        pipeline.advance(SECONDS * SECOND, NEVER)
        return found

    slow = seen(SECOND // 2)
    assert len(slow) > SECONDS
    assert seen(SECOND // 4) == slow
    assert seen(SECOND // 4, best=True, trades=True) == slow


ROUNDED = ("volatility", "intensity", "impact")
"""Signals with logarithms: the C library's may differ in the last digit from machine to machine."""


def test_every_form_and_machine_gives_the_same_digits():
    """Sums are taken in one order, and what is divided is rounded once: equal in both forms, to the last bit."""
    digest = hashlib.sha256()
    for name, make in SIGNALS.items():
        if not any(word in name for word in ROUNDED) or name == "realised volatility in steps":
            for value, is_ready in values(Told(make()), market(5, SECONDS)):
                digest.update(f"{name} {value.hex()} {is_ready}\n".encode())
    assert digest.hexdigest()[:16] == "aec62e2879b27fd8"


def rows_of(messages: list[Message]) -> Rows:
    rows = Rows()
    for at, message in messages:
        for kind, side, price, size in message:
            rows.buffer.append(at, at, price, size, 0, pack(kind, side, 0, 0))
        rows.buffer.mark_last()
    return rows


def test_no_signal_of_the_kernel_is_missing_here():
    import quotewright.kernel.signals as role

    checked = {type(make()) for make in SIGNALS.values()}
    missing, left = set(), [role.Signal]
    while left:
        found = left.pop()
        below = [each for each in found.__subclasses__() if each.__module__.startswith("quotewright.")]
        left += below
        if not below and found not in checked:
            missing.add(found.__name__)
    assert not missing
    assert len(checked) > 12
