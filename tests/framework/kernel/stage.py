"""Real views, books, orders and gates under a market that a test writes, and a venue that does as it is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from quotewright.kernel.codes import (
    BID,
    GAP,
    LAST_BIT,
    LEVEL_SET,
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
from quotewright.kernel.strategy import Strategy
from quotewright.kernel.venue import Venue
from quotewright.kernel.view import View
from quotewright.model.instrument import Instrument
from quotewright.model.orders import (
    Accepted,
    Amended,
    AmendOrder,
    Canceled,
    CancelOrder,
    CancelRejected,
    Fill,
    NewOrder,
)
from quotewright.wiring import BindContext

PLAIN = Instrument(
    name="BTC-USDT.spot@test", symbol="BTCUSDT", venue="test", base="BTC", quote="USDT",
    price_decimals=0, size_decimals=0,
)  # fmt: skip
ONE = 10**18
SECOND = 1_000_000_000
BUY, SELL = 1, 2


class Market:
    """Rows of one or more instruments; every call is one message, received as it happens."""

    def __init__(self) -> None:
        self.buffer = TapeBuffer(16)

    def row(self, at: int, price: int, size: int, kind: int, side: int = 0, instrument: int = 0) -> Market:
        self.buffer.append(at, at, price, size, 0, pack(kind, side, 0, instrument) | LAST_BIT)
        return self

    def snapshot(self, at: int, bid: int, offer: int, size: int = 5, instrument: int = 0) -> Market:
        """Let the whole book be one bid and one offer."""
        self.buffer.append(at, at, 0, 0, 0, pack(RESYNC, 0, 0, instrument))
        self.buffer.append(at, at, 0, 0, 0, pack(SNAPSHOT_BEGIN, 0, 0, instrument))
        self.buffer.append(at, at, bid, size, 0, pack(LEVEL_SET, BID, 0, instrument))
        self.buffer.append(at, at, offer, size, 0, pack(LEVEL_SET, OFFER, 0, instrument))
        self.buffer.mark_last()
        return self

    def bid(self, at: int, price: int, size: int) -> Market:
        return self.row(at, price, size, LEVEL_SET, BID)

    def offer(self, at: int, price: int, size: int) -> Market:
        return self.row(at, price, size, LEVEL_SET, OFFER)

    def trade(self, at: int, side: int, price: int, size: int) -> Market:
        return self.row(at, price, size, TRADE, side)

    def gap(self, at: int) -> Market:
        return self.row(at, 0, 0, GAP)

    def source(self) -> RowSource:
        source = RowSource()
        source.rows = self.buffer
        source.last = self.buffer.count
        return source


class Stage:
    """One instrument's view with its rules and their gate, bound; the market and the position are stated."""

    def __init__(self, *rules: Any, instrument: Instrument = PLAIN) -> None:
        self.view = View(instrument, 0, Ladder())
        self.gate = RiskGate(list(rules), [self.view])
        self.view.account = self.gate
        self.told: list[str] = []
        self.gate.on_failure = lambda rule, error: self.told.append(f"{rule.name}: {error}")
        for rule in rules:
            rule.name = rule.name or type(rule).__name__
            rule.bind(BindContext(name=rule.name, where=f"risk.{rule.name}", views=(self.view,)))

    def quote(self, at: int, bid: int, offer: int) -> Stage:
        """Show a book of one bid and one offer at *at*."""
        return self.show(Market().snapshot(at, bid, offer))

    def show(self, market: Market) -> Stage:
        rows = market.buffer
        self.view.on_message(rows, 0, rows.count, rows.words[1])
        return self

    def at(self, now_ns: int) -> Stage:
        self.view.now_ns = now_ns
        return self

    def mid(self, at: int, mid: int) -> Stage:
        """Quote one either side of *mid* and let every rule look."""
        self.quote(at, mid - 1, mid + 1)
        return self.wake()

    def trade(self, side: int, lots: int, price: int) -> Stage:
        """Have bought or sold; no fee."""
        self.view.portfolio.book_fill(side, price, lots, 0, "USDT", 0, True)
        return self

    def wake(self, at: int | None = None) -> Stage:
        if at is not None:
            self.view.now_ns = at
        for rule in self.gate.rules:
            self.gate.wake(rule, self.view.now_ns)
        return self

    def ask(self, side: int, lots: int, price: int = 100, **options: Any) -> str:
        """Return the reason of the refusal of such an order, an empty text if it may leave."""
        refusal = self.gate.verdict(order(side, lots, price, **options), self.view)
        return refusal.reason if refusal is not None else ""


def order(side: int, lots: int, price: int = 100, **options: Any) -> NewOrder:
    return NewOrder(order_number=0, instrument=0, side=side, price_ticks=price, quantity_lots=lots, **options)


class ObedientVenue(Venue):
    """Accepts, cancels and amends everything; fills when a test says so. Each way takes *latency*."""

    def __init__(self, latency: int = 10, keeps_priority: bool = False) -> None:
        super().__init__()
        self.keeps_priority_on_reduce = keeps_priority
        self.latency = latency
        self.resting: dict[int, list[int]] = {}  # number → side, price, quantity, filled
        self.commands: list[tuple[int, Any]] = []
        self.reports: list[tuple[int, int, Any]] = []
        self.script: list[tuple[int, Callable[[ObedientVenue], None]]] = []
        self.told = 0
        self.now_ns = 0

    def tell(self, kind: type, **fields: Any) -> None:
        self.told += 1
        receive_ns = self.now_ns + self.latency
        self.reports.append((receive_ns, self.told, kind(event_ns=self.now_ns, receive_ns=receive_ns, **fields)))
        self.reports.sort(key=lambda entry: entry[:2])

    def submit(self, command: Any, now_ns: int) -> bool:
        self.commands.append((now_ns, command))
        self.now_ns = now_ns + self.latency
        number = command.order_number
        if isinstance(command, NewOrder):
            self.resting[number] = [command.side, command.price_ticks, command.quantity_lots, 0]
            self.tell(Accepted, order_number=number)
            if command.time_in_force == 1:
                self.fill(number, command.quantity_lots, is_maker=False)
        elif number not in self.resting:
            self.tell(CancelRejected, order_number=number, reason="order_closed")
        elif isinstance(command, AmendOrder):
            self.resting[number][1:3] = command.price_ticks, command.quantity_lots
            leaves = command.quantity_lots - self.resting[number][3]
            self.tell(
                Amended, order_number=number, price_ticks=command.price_ticks, quantity_lots=command.quantity_lots,
                leaves_lots=leaves, keeps_priority=True,
            )  # fmt: skip
        elif isinstance(command, CancelOrder):
            del self.resting[number]
            self.tell(Canceled, order_number=number, reason="user")
        return True

    def fill(self, number: int, lots: int, is_maker: bool = True, fee: int = 0) -> None:
        """Execute *lots* of a resting order at its price, now."""
        resting = self.resting[number]
        resting[3] += lots
        if resting[3] >= resting[2]:
            del self.resting[number]
        self.tell(
            Fill, order_number=number, fill_id=f"t{self.told}", price_ticks=resting[1], quantity_lots=lots,
            leaves_lots=resting[2] - resting[3], is_maker=is_maker, fee=fee, fee_currency="USDT",
        )  # fmt: skip

    def hit(self, side: int, lots: int) -> Callable[[ObedientVenue], None]:
        """Return what fills the oldest resting order of *side* when the script comes to it."""

        def act(venue: ObedientVenue) -> None:
            number = next((n for n, resting in venue.resting.items() if resting[0] == side), None)
            if number is not None:
                venue.fill(number, min(lots, venue.resting[number][2] - venue.resting[number][3]))

        return act

    def run(self, until_ns: int) -> int:
        while True:
            known = self.reports[0][0] if self.reports else NEVER
            if not self.script or self.script[0][0] > min(known, until_ns):
                return known if known <= until_ns else NEVER
            self.now_ns, act = self.script.pop(0)
            act(self)

    def take_reports(self, now_ns: int) -> list[Any]:
        due = [entry[2] for entry in self.reports if entry[0] <= now_ns]
        self.reports = [entry for entry in self.reports if entry[0] > now_ns]
        return due


class Notes:
    """A recorder that keeps everything it is told, in one order."""

    def __init__(self) -> None:
        self.inputs: list[tuple[Any, ...]] = []
        self.commands: list[tuple[int, Any]] = []
        self.refusals: list[tuple[int, str, str]] = []
        self.failures: list[tuple[int, str, str]] = []

    def on_command(self, now_ns: int, rows: int, command: Any, view: View) -> None:
        self.commands.append((now_ns, command))

    def on_report(self, now_ns: int, rows: int, report: Any, order: Any) -> None:
        self.inputs.append(("report", now_ns, type(report).__name__))

    def on_timer(self, now_ns: int, rows: int, timer: int) -> None:
        self.inputs.append(("timer", now_ns, timer))

    def on_operator(self, now_ns: int, rows: int, action: str) -> None:
        self.inputs.append(("operator", now_ns, action))

    def on_refusal(self, now_ns: int, command: Any, refusal: Any, view: View) -> None:
        self.refusals.append((now_ns, refusal.rule, refusal.reason))

    def on_sample(self, now_ns: int) -> None:
        self.inputs.append(("sample", now_ns))

    def on_strategy_failure(self, now_ns: int, strategy: str, error: BaseException) -> None:
        self.failures.append((now_ns, strategy, f"{type(error).__name__}: {error}"))


class Told(Strategy):
    """A strategy that does what a function says; ``seen`` holds when and why it was woken."""

    def __init__(self, act: Callable[[View, Any], None], every: int = 0, best: bool = False) -> None:
        super().__init__()
        self.act = act
        self.wake_every_ns = every
        self.wake_on_best = best
        self.seen: list[int] = []

    def on_wake(self, view: View, quotes: Any) -> None:
        self.seen.append(view.now_ns)
        self.act(view, quotes)


def touch(view: View, quotes: Any) -> None:
    """Quote two lots at the best bid and offer."""
    quotes.bid(view.best_bid_ticks(), 2)
    quotes.offer(view.best_offer_ticks(), 2)


class Run:
    """A pipeline over a written market with one strategy on one venue."""

    def __init__(
        self,
        market: Market,
        strategy: Strategy,
        *rules: Any,
        venue: ObedientVenue | None = None,
        requote_ticks: int = 0,
        sample: int = 0,
    ) -> None:
        self.stage = Stage(*rules)
        self.view, self.gate = self.stage.view, self.stage.gate
        self.venue = venue or ObedientVenue()
        self.notes = Notes()
        self.strategy = strategy
        self.manager = QuoteManager(requote_ticks, 0, bool(self.venue.keeps_priority_on_reduce))
        self.desk = Desk("mm", strategy, self.view, self.manager, self.venue)
        self.pipeline = Pipeline(market.source(), [self.view], [self.desk], self.gate, [self.venue], self.notes, sample)
        self.pipeline.start(0)

    def until(self, until_ns: int) -> Run:
        self.pipeline.advance(until_ns, NEVER)
        return self

    def sent(self) -> list[str]:
        """Return every command in short, such as ``10 buy 2@99`` and ``20 cancel 1``."""
        return [f"{now_ns} {short(command)}" for now_ns, command in self.notes.commands]


def short(command: Any) -> str:
    if isinstance(command, NewOrder):
        return f"{'buy' if command.side == BUY else 'sell'} {command.quantity_lots}@{command.price_ticks}"
    if isinstance(command, AmendOrder):
        return f"amend {command.order_number} {command.quantity_lots}@{command.price_ticks}"
    return f"cancel {command.order_number}"
