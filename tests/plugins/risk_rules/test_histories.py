"""Rules under random histories, each against the plainest reading of its description: a list of all that happened."""

from __future__ import annotations

import random

import pytest

from quotewright.model.orders import RiskState
from quotewright_plugins.risk_rules.drawdown import Drawdown
from quotewright_plugins.risk_rules.duplicate_order import DuplicateOrder
from quotewright_plugins.risk_rules.fill_rate import FillRate
from quotewright_plugins.risk_rules.market_maker_protection import MarketMakerProtection
from quotewright_plugins.risk_rules.max_open_orders import MaxOpenOrders
from quotewright_plugins.risk_rules.message_limit import MessageLimit
from quotewright_plugins.risk_rules.position_limit import PositionLimit
from quotewright_plugins.risk_rules.price_move import PriceMove
from quotewright_plugins.risk_rules.reject_throttle import RejectThrottle
from quotewright_plugins.risk_rules.repeated_execution import RepeatedExecution
from quotewright_plugins.risk_rules.self_cross import SelfCross
from quotewright_plugins.risk_rules.strategy_loss import StrategyLoss
from tests.plugins.risk_rules.floor import BUY, SECOND, SELL, at_mid

NORMAL, WARNING, REDUCE_ONLY, CANCEL_ALL, HALT = RiskState
SPOT = "instrument:BTC-USDT.spot@test"
TENTH = SECOND // 10


class History:
    """A floor on which things happen at random, and a list of them: (time, what, strategy, side, lots, price)."""

    def __init__(self, rule, seed):
        self.drawn = random.Random(seed)
        self.floor = at_mid(rule)
        self.now = SECOND
        self.mid = 100
        self.log = []

    def pass_time(self):
        """Let up to two seconds pass, woken ten times in each, and the market move a little now and then."""
        for _ in range(self.drawn.choice([0, 0, 1, 1, 2, 5, 20])):
            self.now += TENTH
            self.floor.wake(self.now)
        if self.drawn.random() < 0.5:
            self.mid = max(50, self.mid + self.drawn.randint(-2, 2))
            self.floor.mid(self.now, self.mid)

    def recent(self, window, *kinds, strategy=""):
        begin = self.now - window
        return [
            one for one in self.log if one[0] > begin and one[1] in kinds and (not strategy or one[2] == strategy)
        ]  # fmt: skip

    def order(self):
        """Draw an order that may be repeated: strategy, side, lots, price."""
        side = self.drawn.choice([BUY, SELL])
        away = self.drawn.randint(0, 3)
        return (
            self.drawn.choice(["one", "two"]),
            side,
            self.drawn.randint(1, 2),
            self.mid + (-away if side == BUY else away),
        )

    def send(self, strategy, side, lots, price):
        refused = self.floor.send(side, lots, price, strategy=strategy)
        if not refused:
            self.log.append((self.now, "order", strategy, side, lots, price))
        return refused

    def happen(self):
        """Fill, reject or cancel some order that is open."""
        live = self.floor.manager.live_orders()
        if not live:
            return
        order = self.drawn.choice(live)
        what = self.drawn.choice(["fill", "fill", "fill", "reject", "cancel"])
        lots = order.open_lots()
        if what == "fill":
            self.log.append((self.now, "fill", order.strategy, order.side, lots, order.price_ticks))
            self.floor.filled(order.number)
        elif what == "reject":
            self.log.append((self.now, "reject", order.strategy, order.side, lots, order.price_ticks))
            self.floor.rejected(order.number, "tick")
        else:
            self.floor.cancel(order.number)
            self.log.append((self.now, "cancel", order.strategy, order.side, lots, order.price_ticks))
            self.floor.cancelled(order.number)

    def reduces(self, side, lots):
        view = self.floor.view
        if side == BUY:
            return view.position_lots < 0 and view.position_lots + view.open_buy_lots + lots <= 0
        return view.position_lots > 0 and view.position_lots - view.open_sell_lots - lots >= 0

    def run(self, steps, expected):
        """Compare each order's fate with what *expected* says of it, and return how many were refused."""
        refused = 0
        for _ in range(steps):
            self.pass_time()
            order = self.order()
            want = "" if self.reduces(order[1], order[2]) else expected(self, *order)
            assert self.send(*order) == want, (self.now, order)
            refused += bool(want)
            while self.drawn.random() < 0.5:
                self.happen()
        return refused


def messages(past, strategy, side, lots, price):
    return "messages" if len(past.recent(5 * SECOND, "order", "cancel")) >= 12 else ""


def duplicates(past, strategy, side, lots, price):
    same = [one for one in past.recent(20 * SECOND, "order", strategy=strategy) if one[3:] == (side, lots, price)]
    return "duplicate" if len(same) >= 2 else ""


def open_orders(past, strategy, side, lots, price):
    live = past.floor.manager.live_orders()
    if len(live) >= 5:
        return "orders"
    mine = [one.price_ticks for one in live if one.side == side]
    if len(mine) >= 3:
        return "per_side"
    return "levels" if len({*mine, price}) > 2 else ""


def worst_case(past, strategy, side, lots, price):
    view = past.floor.view
    if side == BUY:
        return "position" if abs(view.position_lots + view.open_buy_lots + lots) > 5 else ""
    return "position" if abs(view.position_lots - view.open_sell_lots - lots) > 5 else ""


CHECKED = {
    "message_limit": (lambda: MessageLimit(limit=15, window="5s", reserve="20%"), messages),
    "duplicate_order": (lambda: DuplicateOrder(count=2, window="20s"), duplicates),
    "max_open_orders": (lambda: MaxOpenOrders(orders=5, per_side=3, levels=2), open_orders),
    "position_limit": (lambda: PositionLimit(limit="5 lots", on_breach="halt"), worst_case),
}


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(("make", "expected"), CHECKED.values(), ids=CHECKED)
def test_every_order_meets_what_the_description_says(make, expected, seed):
    assert History(make(), seed).run(300, expected) >= 10


@pytest.mark.parametrize("seed", range(3))
def test_own_orders_never_cross_whatever_happens(seed):
    past = History(SelfCross(), seed)
    refused = 0
    for _ in range(300):
        past.pass_time()
        strategy, side, lots, price = past.order()
        live = past.floor.manager.live_orders()
        crosses = [
            one for one in live if one.side != side and (price - one.price_ticks) * (1 if side == BUY else -1) >= 0
        ]
        assert past.send(strategy, side, lots, price) == ("self_cross" if crosses else "")
        refused += bool(crosses)
        while past.drawn.random() < 0.5:
            past.happen()
    assert refused >= 10


def stops(make, scope, trips, freeze=0):
    """Run until the rule first stops *scope* and hold every step against *trips*; then against the freeze."""
    stopped = 0
    for seed in range(4):
        past = History(make(), seed)
        until = None
        for _ in range(200):
            past.pass_time()
            past.send(*past.order())
            live = past.floor.manager.live_orders()
            if live and until is None:
                past.happen()
                if trips(past):
                    until = past.now + freeze if freeze else 1 << 62
                    stopped += 1
            is_stopped = until is not None and past.now < until
            assert (past.floor.of(scope) > WARNING) is is_stopped, (seed, past.now)
            if until is not None and past.now >= until:
                break
    assert stopped >= 2, "too calm to prove anything"


def test_executions_stop_a_strategy_when_a_list_says_so():
    stops(
        lambda: RepeatedExecution(limit=4, window="3s"), "strategy:one",
        lambda past: len(past.recent(3 * SECOND, "fill", strategy="one")) >= 4,
    )  # fmt: skip


def test_rejects_stop_a_strategy_when_a_list_says_so():
    stops(
        lambda: RejectThrottle(limit=3, window="10s", freeze="5s"), "strategy:two",
        lambda past: len(past.recent(10 * SECOND, "reject", strategy="two")) >= 3, 5 * SECOND,
    )  # fmt: skip


def test_fills_freeze_an_instrument_when_a_list_says_so():
    stops(
        lambda: FillRate(limit=5, window="4s", cooldown="3s"), SPOT,
        lambda past: len(past.recent(4 * SECOND, "fill")) >= 5, 3 * SECOND,
    )  # fmt: skip
    stops(
        lambda: MarketMakerProtection(quantity="6 lots", window="4s", freeze="3s"), SPOT,
        lambda past: sum(one[4] for one in past.recent(4 * SECOND, "fill")) >= 6, 3 * SECOND,
    )  # fmt: skip
    stops(
        lambda: MarketMakerProtection(delta="4 lots", window="4s"), SPOT,
        lambda past: past.log[-1][1] == "fill" and abs(
            sum(one[4] if one[3] == BUY else -one[4] for one in past.recent(4 * SECOND, "fill"))
        ) >= 4,
    )  # fmt: skip
    stops(
        lambda: MarketMakerProtection(value="700 USDT", window="4s"), SPOT,
        lambda past: sum(one[4] * one[5] for one in past.recent(4 * SECOND, "fill")) >= 700,
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(3))
def test_a_strategys_loss_and_a_drawdown_are_what_all_fills_add_up_to(seed):
    loss, fall = StrategyLoss(limit="60 USDT", every="100ms"), Drawdown(limit="90 USDT", every="100ms")
    past = History(loss, seed)
    past.floor = at_mid(loss, fall)
    peak = 0
    for _ in range(400):
        past.pass_time()
        past.send(*past.order())
        past.happen()
        past.floor.wake()
        profit = {"one": 0, "two": 0}
        for _, what, strategy, side, lots, price in past.log:
            if what == "fill":
                profit[strategy] += lots * (past.mid - price) * (1 if side == BUY else -1)
        peak = max(peak, sum(profit.values()))
        lost = max(-amount for amount in profit.values())
        assert bool(
            past.floor.gate.scoped and max(claim.state for claim in past.floor.gate.scoped.values()) > WARNING
        ) is (lost >= 60)
        assert (past.floor.state == HALT) is (peak - sum(profit.values()) >= 90)
        if lost >= 60 or past.floor.state == HALT:
            return
    raise AssertionError("too calm to prove anything")


@pytest.mark.parametrize("seed", range(3))
def test_a_price_moves_too_far_when_a_list_of_all_readings_says_so(seed):
    drawn = random.Random(seed)
    floor = at_mid(PriceMove(move="150 bps", window="10s", reference="mid", cooldown="5s"), mid=10_000)
    now, mid, readings, until, trips = SECOND, 10_000, [], 0, 0
    for _ in range(600):
        now += drawn.choice([1, 1, 3]) * SECOND
        mid += drawn.randint(-40, 40)
        if now >= until:
            readings = [(at, value) for at, value in readings if at >= now - 10 * SECOND] + [(now, mid)]
            low, high = min(value for _, value in readings), max(value for _, value in readings)
            if (mid - low) * 10_000 >= 150 * low or (high - mid) * 10_000 >= 150 * high:
                readings, until, trips = [], now + 5 * SECOND, trips + 1
        assert (floor.mid(now, mid).state == CANCEL_ALL) is (now < until)
    assert trips >= 3
