"""A real pipeline with three strategies on two instruments at one or two venues, and a reading beside it.

The venue answers nothing by itself: every report is the history's, so that answers may come late, twice or never.
"""

from __future__ import annotations

from fractions import Fraction
from random import Random
from typing import Any

import attrs

from quotewright.kernel.codes import (
    BEST_QUOTE,
    BID,
    GAP,
    INDEX,
    LAST,
    LEVEL_SET,
    MARK,
    NEVER,
    OFFER,
    RESYNC,
    SNAPSHOT_BEGIN,
    TRADE,
    pack,
)
from quotewright.kernel.desk import Desk
from quotewright.kernel.ladder import Ladder
from quotewright.kernel.pipeline import Pipeline
from quotewright.kernel.quoting import QuoteManager
from quotewright.kernel.risk import RiskGate
from quotewright.kernel.rows import TapeBuffer
from quotewright.kernel.source import RowSource
from quotewright.kernel.venue import Venue
from quotewright.kernel.view import View
from quotewright.model.instrument import Instrument
from quotewright.model.orders import (
    Accepted,
    Amended,
    AmendOrder,
    AmendRejected,
    Canceled,
    CancelRejected,
    Fill,
    NewOrder,
    OrderUnknown,
    Payment,
    Rejected,
    VenueState,
)
from quotewright.testing.rule_stage import Idle
from quotewright.wiring import BindContext
from tests.plugins.risk_reading.world import START, World

PERP = Instrument(
    name="BTC-USDT.perp@one", symbol="BTCUSDT", venue="one", kind="perp", base="BTC", quote="USDT", settle="USDT",
    price_decimals=1, size_decimals=3, tick_steps=5, lot_steps=10,
)  # fmt: skip
SPOT = Instrument(
    name="BTC-USDT.spot@two", symbol="BTC-USDT", venue="two", base="BTC", quote="USDT", price_decimals=1,
    size_decimals=3, tick_steps=1, lot_steps=1,
)  # fmt: skip
ETH = attrs.evolve(PERP, name="ETH-USDT.perp@one", symbol="ETHUSDT", base="ETH", tick_steps=1, lot_steps=100)
LAYOUTS = (([PERP, SPOT], ["main", "side"]), ([PERP, ETH], ["main", "main"]), ([PERP, ETH], ["main", "side"]))
DESKS = (("mm", 0), ("alt", 0), ("mm", 1), ("solo", 1))


class Silent(Venue):
    """Takes every command, and tells what the history lets it tell."""

    def __init__(self) -> None:
        super().__init__()
        self.pending: list[Any] = []
        self.now_ns = START

    def run(self, until_ns: int) -> int:
        return self.now_ns if self.pending and self.now_ns <= until_ns else NEVER

    def take_reports(self, now_ns: int) -> list[Any]:
        taken, self.pending = self.pending, []
        return taken

    def submit(self, command: Any, now_ns: int) -> bool:
        return True


class Floor:
    """The pipeline, the world beside it, and ``listeners`` that are told of every fact in its order."""

    def __init__(self, rules: list[Any], layout: int = 0) -> None:
        instruments, venues = LAYOUTS[layout]
        self.world = World(instruments, venues)
        self.buffer = TapeBuffer(64)
        self.source = RowSource()
        self.source.rows = self.buffer
        self.views = [View(one, number, Ladder()) for number, one in enumerate(instruments)]
        self.venues = {name: Silent() for name in venues}
        self.listeners: list[Any] = []
        self.log: list[Any] = []
        self.refusals: list[Any] = []
        self.count = 0
        for number, rule in enumerate(rules):
            rule.name = rule.name or f"rule{number}"
            rule.bind(BindContext(name=rule.name, where=f"risk.{rule.name}", views=tuple(self.views), seed=1))
        self.gate = RiskGate(list(rules), self.views)
        self.gate.know(["mm", "alt", "solo"], dict(enumerate(venues)))
        for view in self.views:
            view.account = self.gate
        desks = [
            Desk(name, Idle(), self.views[which], QuoteManager(0, 0, False), self.venues[venues[which]])
            for name, which in DESKS
        ]
        places = list(self.venues.values())
        self.pipeline = Pipeline(self.source, list(self.views), desks, self.gate, places, self, 0)
        self.pipeline.start(START)

    # what the pipeline records

    def tell(self, what: str, **facts: Any) -> None:
        self.world.now = self.pipeline.now_ns
        for listener in self.listeners:
            listener.hear(what, **facts)

    def on_command(self, now_ns: int, rows: int, command: Any, view: View) -> None:
        self.world.now = now_ns
        self.world.on_command(command, view.instrument_id)
        self.log.append((now_ns, command))
        self.tell("command", command=command, which=view.instrument_id)

    def on_report(self, now_ns: int, rows: int, report: Any, order: Any) -> None:
        self.world.now = now_ns
        if isinstance(report, VenueState):
            return
        if isinstance(report, Payment):
            self.world.paid.append((now_ns, report.instrument, Fraction(report.amount, 10**18)))
        elif order is not None:
            self.world.on_report(report)
            mine = self.world.orders[report.order_number]
            self.tell("report", report=report, order=mine, which=mine.which)

    def on_timer(self, now_ns: int, rows: int, timer: int) -> None:
        self.tell("timer", rule=self.pipeline.timers[timer].index)

    def on_operator(self, now_ns: int, rows: int, action: str) -> None:
        """Told by :meth:`operate`."""

    def on_sample(self, now_ns: int) -> None:
        """Not asked for."""

    def on_refusal(self, now_ns: int, command: Any, refusal: Any, view: View) -> None:
        self.refusals.append(refusal)

    def on_strategy_failure(self, now_ns: int, strategy: str, error: BaseException) -> None:
        raise error

    # what a history does

    @property
    def now(self) -> int:
        return int(self.pipeline.now_ns)

    def go(self, until: int) -> None:
        for venue in self.venues.values():
            venue.now_ns = until
        self.pipeline.advance(until, NEVER)
        self.world.now = self.now

    def rows(self, which: int, *rows: tuple[int, int, int, int]) -> None:
        for number, (kind, side, price, size) in enumerate(rows, start=1):
            flags = LAST if number == len(rows) else 0
            self.buffer.append(self.now, self.now, price, size, 0, pack(kind, side, flags, which))
        self.source.last = self.buffer.count
        self.go(self.now)

    def book(self, which: int, bid: int, offer: int) -> None:
        """Show a book in ticks."""
        steps = self.world.instruments[which].tick_steps
        was_good = self.world.good[which]
        self.world.book(which, bid, offer)
        sides = ((LEVEL_SET, BID, bid * steps, 1000), (LEVEL_SET, OFFER, offer * steps, 1000))
        self.rows(which, (RESYNC, 0, 0, 0), (SNAPSHOT_BEGIN, 0, 0, 0), *sides)
        self.tell("book", which=which, turned=not was_good)

    def gap(self, which: int) -> None:
        was_good = self.world.good[which]
        self.world.gap(which)
        self.rows(which, (GAP, 0, 0, 0))
        self.tell("book", which=which, turned=was_good)

    def trade(self, which: int, price: int) -> None:
        self.world.trades[which].append((self.now, price))
        self.rows(which, (TRADE, 1, price * self.world.instruments[which].tick_steps, 1000))
        self.tell("trade", which=which)

    def ticker(self, which: int, bid: int, offer: int) -> None:
        steps = self.world.instruments[which].tick_steps
        self.world.quoted[which] = (bid, offer)
        self.rows(which, (BEST_QUOTE, BID, bid * steps, 1), (BEST_QUOTE, OFFER, offer * steps, 1))
        self.tell("ticker", which=which)

    def reference(self, which: int, what: str, price: Any) -> None:
        self.world.references[which][what].append((self.now, price))
        self.rows(which, (MARK if what == "mark" else INDEX, 0, int(price * 10**9), 0))
        self.tell("reference", which=which)

    def reach(self, name: str, is_good: bool) -> None:
        for which, venue in enumerate(self.world.venues):
            if venue == name:
                self.world.reachable[which] = is_good
        self.venues[name].pending.append(VenueState(event_ns=self.now, receive_ns=self.now, is_good=is_good))
        self.go(self.now)

    def pay(self, which: int, units: int) -> None:
        venue = self.venues[self.world.venues[which]]
        venue.pending.append(
            Payment(instrument=which, event_ns=self.now, receive_ns=self.now, what="funding", amount=units * 10**18)
        )
        self.go(self.now)

    def report(self, kind: type, number: int, **facts: Any) -> None:
        venue = self.venues[self.world.venues[self.world.orders[number].which]]
        venue.pending.append(kind(order_number=number, event_ns=self.now, receive_ns=self.now, **facts))
        self.go(self.now)

    def order(self, which: int, strategy: str, side: int, price: int, lots: int, **more: Any) -> NewOrder:
        return NewOrder(
            order_number=0, instrument=which, side=side, price_ticks=price, quantity_lots=lots, strategy=strategy,
            **more,
        )  # fmt: skip

    def amendment(self, number: int, price: int, lots: int) -> AmendOrder:
        mine = self.world.orders[number]
        return AmendOrder(
            order_number=number, instrument=mine.which, price_ticks=price, quantity_lots=lots, strategy=mine.strategy
        )

    def send(self, command: Any) -> bool:
        view = self.views[command.instrument]
        self.tell("asked", command=command)
        venue = self.venues[self.world.venues[command.instrument]]
        return bool(self.pipeline.send(command, view, venue, -1, ""))

    def cancel(self, number: int) -> bool:
        order = self.pipeline.manager.orders.get(number)
        return bool(order is not None and self.pipeline.cancel(order))

    def operate(self, action: str) -> None:
        self.tell("operator", action=action)
        self.pipeline.operate(action, "the history says so")

    def state(self, strategy: str, which: int) -> int:
        return int(self.gate.state_for(strategy, self.views[which]))


class History:
    """Random events, many of them at the edges of the spans a rule looks back on."""

    def __init__(self, floor: Floor, random: Random, spans: list[int], longest: int) -> None:
        self.floor, self.random, self.spans, self.longest = floor, random, spans, longest
        self.mids = [20_000, 100_000 if floor.world.instruments[1] is SPOT else 40_000]
        self.times = [START]
        self.last_fill: Any = None

    def price(self, which: int) -> int:
        return self.mids[which] + self.random.choice((-300, -40, -3, -2, -1, 0, 1, 2, 3, 40, 300))

    def wait(self) -> None:
        """Let time pass: often to exactly a span after something that happened, or 1 ns beside it."""
        now, random = self.floor.now, self.random
        until = random.choice(self.times[-12:]) + random.choice(self.spans) + random.choice((-1, 0, 0, 1))
        if random.random() < 0.3:
            until = now + random.choice((1, 1000, 10**6, 10**8, 10**9, 10**10, self.longest))
        self.floor.go(min(max(now, until), now + self.longest))

    def market(self) -> None:
        random, floor = self.random, self.floor
        which = random.randrange(2)
        kind = random.random()
        if kind < 0.6:
            step = random.choice((0, 1, -1, 5, -5, 40, -40, 200, -200, 900, -900))
            self.mids[which] = max(5000, self.mids[which] + step)
            floor.book(which, self.mids[which] - random.choice((1, 2)), self.mids[which] + random.choice((1, 2)))
        elif kind < 0.68:
            floor.gap(which)
        elif kind < 0.78:
            floor.trade(which, self.price(which))
        elif kind < 0.85:
            floor.ticker(which, self.price(which), self.price(which) + 2)
        elif kind < 0.97:
            price = (self.mids[which] + random.choice((0, 10, -10, 100, -200, 500))) * floor.world.tick[which]
            floor.reference(which, random.choice(("mark", "index")), price)
        else:
            floor.reach(random.choice(floor.world.venues), random.random() < 0.6)

    def new(self) -> NewOrder:
        random = self.random
        strategy, which = random.choice(DESKS)
        price = 0 if random.random() < 0.06 else self.price(which)
        lots = random.choice((1, 1, 2, 2, 3, 5, 8))
        more = {"reduce_only": True} if random.random() < 0.1 else {}
        return self.floor.order(which, strategy, random.choice((1, 2)), price, lots, **more)

    def amend(self) -> AmendOrder | None:
        known = self.floor.pipeline.manager.orders
        steady = [one for one in self.floor.world.live() if int(known[one.number].state) == 1]
        if not steady:
            return None
        one = self.random.choice(steady)
        lots = max(one.filled + 1, one.lots + self.random.choice((-2, -1, 0, 1, 3, 6)))
        return self.floor.amendment(one.number, self.price(one.which), lots)

    def answer(self) -> None:
        """Let the venue tell something of an order, most often of one that is live."""
        random, floor = self.random, self.floor
        live = floor.world.live()
        known = floor.pipeline.manager.orders
        pool = live or list(floor.world.orders.values())[-4:]
        if random.random() < 0.08:
            pool = list(floor.world.orders.values())[-6:]
        pool = [one for one in pool if one.number in known]
        if not pool:
            return
        one = random.choice(pool)
        choice = random.random()
        rest = max(one.lots, one.wanted[1] if one.wanted else 0) - one.filled
        if choice < 0.45 and rest > 0:
            lots = random.choice((rest, 1, min(2, rest), rest))
            price = one.price or self.mids[one.which]
            floor.count += 1
            fill_id = f"f{floor.count}"
            if self.last_fill and self.last_fill[1] != one.number and random.random() < 0.1:
                fill_id = self.last_fill[0]
            fee = random.choice((0, 0, 1, 3, -1)) * 10**16
            self.last_fill = (fill_id, one.number)
            floor.report(
                Fill, one.number, fill_id=fill_id, price_ticks=price, quantity_lots=lots, leaves_lots=rest - lots,
                is_maker=True, fee=fee, fee_currency="USDT",
            )  # fmt: skip
        elif "amend" in one.waiting and choice < 0.8 and one.wanted:
            if random.random() < 0.7:
                price, lots = one.wanted
                leaves = max(0, lots - one.filled)
                floor.report(
                    Amended, one.number, price_ticks=price, quantity_lots=lots, leaves_lots=leaves, keeps_priority=True
                )
            else:
                floor.report(AmendRejected, one.number, reason=random.choice(("venue", "post_only", "order_closed")))
        elif "cancel" in one.waiting and choice < 0.9:
            if random.random() < 0.8:
                floor.report(Canceled, one.number, reason="user")
            else:
                floor.report(CancelRejected, one.number, reason=random.choice(("venue", "order_closed")))
        elif "new" in one.waiting and choice < 0.9:
            if random.random() < 0.6:
                floor.report(Accepted, one.number)
            else:
                floor.report(Rejected, one.number, reason=random.choice(("venue", "post_only", "bad_qty")))
        elif choice < 0.94:
            floor.report(Canceled, one.number, reason=random.choice(("stp", "stp", "user")))
        else:
            floor.report(OrderUnknown, one.number, reason="timeout")

    def operator(self) -> None:
        world = self.floor.world
        scopes = ["", "", "", world.name(0), "strategy:mm", f"venue:{world.venues[0]}"]
        self.floor.operate(f"resume {self.random.choice(scopes)}".strip())

    def step(self, moves: dict[str, int]) -> None:
        """Do one thing; *moves* are the weights."""
        what = self.random.choices(list(moves), list(moves.values()))[0]
        if what == "new":
            self.floor.send(self.new())
        elif what == "amend":
            command = self.amend()
            if command is not None:
                self.floor.send(command)
        elif what == "cancel":
            live = self.floor.world.live()
            if live:
                self.floor.cancel(self.random.choice(live).number)
        elif what == "pay":
            self.floor.pay(self.random.randrange(2), self.random.choice((-3, -1, 1, 2)))
        else:
            getattr(self, what)()
        if self.floor.now != self.times[-1]:
            self.times.append(self.floor.now)


MOVES = {"new": 30, "answer": 45, "market": 22, "wait": 22, "amend": 6, "cancel": 6, "operator": 2, "pay": 2}
