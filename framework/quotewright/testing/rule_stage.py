"""A small run around one risk rule: a real pipeline, gate and order manager, a venue and a market that do as told.

What an author's own tests drive their rule with, and what ``quotewright plugins check`` does.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from quotewright.kernel.codes import (
    BEST_QUOTE,
    BID,
    FUNDING,
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
from quotewright.kernel.orders import Order
from quotewright.kernel.pipeline import Pipeline
from quotewright.kernel.quoting import QuoteManager
from quotewright.kernel.risk import RiskGate
from quotewright.kernel.rows import TapeBuffer
from quotewright.kernel.rules import Refusal, RiskRule
from quotewright.kernel.source import RowSource
from quotewright.kernel.strategy import Quotes, Strategy
from quotewright.kernel.venue import Venue
from quotewright.kernel.view import View
from quotewright.model.instrument import Instrument
from quotewright.model.orders import (
    Accepted,
    Amended,
    AmendOrder,
    Canceled,
    CancelOrder,
    Command,
    Fill,
    NewOrder,
    Rejected,
    Report,
    VenueState,
)
from quotewright.wiring import BindContext

INSTRUMENT = Instrument(
    name="BTC-USDT.perp@check", symbol="BTCUSDT", venue="check", kind="perp", base="BTC", quote="USDT", settle="USDT",
    price_decimals=1, size_decimals=3,
)  # fmt: skip
"""One tick is 0.1 USDT, one lot 0.001 BTC."""
START_NS = 1_750_075_200_000_000_000
"""16 June 2025, 12:00 UTC, a Monday."""
MILLISECOND = 1_000_000
SECOND = 1_000_000_000
HOUR = 3600 * SECOND
STRATEGY = "maker"
VENUE = "main"


class Idle(Strategy):
    """Never wants anything: the stage sends its orders itself."""

    wake_on_fill = False

    def on_wake(self, view: View, quotes: Quotes) -> None:
        quotes.keep()


class TestVenue(Venue):
    """Answers every command at once; what it fills, rejects and tells besides is the test's."""

    __test__ = False

    def __init__(self) -> None:
        super().__init__()
        self.pending: list[Report] = []
        self.rejects = False
        self.now_ns = START_NS
        self.filled: dict[int, int] = {}
        self.total: dict[int, int] = {}
        self.fills = 0

    def tell(self, kind: Any, **fields: Any) -> None:
        """Make a report known now."""
        self.pending.append(kind(event_ns=self.now_ns, receive_ns=self.now_ns, **fields))

    def run(self, until_ns: int) -> int:
        return self.now_ns if self.pending and self.now_ns <= until_ns else NEVER

    def take_reports(self, now_ns: int) -> list[Report]:
        taken, self.pending = self.pending, []
        return taken

    def submit(self, command: Command, now_ns: int) -> bool:
        self.now_ns = now_ns
        number = command.order_number
        if isinstance(command, CancelOrder):
            self.tell(Canceled, order_number=number, reason="user")
        elif isinstance(command, AmendOrder):
            self.total[number] = command.quantity_lots
            self.tell(
                Amended,
                order_number=number,
                price_ticks=command.price_ticks,
                quantity_lots=command.quantity_lots,
                leaves_lots=command.quantity_lots - self.filled.get(number, 0),
                keeps_priority=True,
            )
        elif self.rejects:
            self.tell(Rejected, order_number=number, reason="venue", text="as the test says")
        else:
            self.total[number] = command.quantity_lots
            self.tell(Accepted, order_number=number)
        return True


class Told:
    """A recorder that keeps refusals."""

    def __init__(self) -> None:
        self.refusals: list[Refusal] = []

    def on_command(self, now_ns: int, rows: int, command: Command, view: View) -> None:
        """Not kept."""

    def on_report(self, now_ns: int, rows: int, report: Report, order: Order | None) -> None:
        """Not kept."""

    def on_timer(self, now_ns: int, rows: int, timer: int) -> None:
        """Not kept."""

    def on_operator(self, now_ns: int, rows: int, action: str) -> None:
        """Not kept."""

    def on_sample(self, now_ns: int) -> None:
        """Not kept."""

    def on_strategy_failure(self, now_ns: int, strategy: str, error: BaseException) -> None:
        """Cannot happen: the strategy is idle."""

    def on_refusal(self, now_ns: int, command: Command, refusal: Refusal, view: View) -> None:
        self.refusals.append(refusal)


class RuleStage:
    """One instrument with a good book around *mid*, one strategy ``maker`` at one venue ``main``, and the rules.

    Prices are ticks, quantities lots, times ns of virtual time from ``START_NS`` on. Every call happens at ``now_ns``;
    :meth:`wait` lets time pass. The rules are bound here, so each needs a name only if there are several.

    Raises:
        ConfigError: a rule does not fit the instrument.
    """

    def __init__(self, *rules: RiskRule, mid: int = 10_000, instrument: Instrument = INSTRUMENT) -> None:
        self.buffer = TapeBuffer(64)
        self.source = RowSource()
        self.source.rows = self.buffer
        self.view = View(instrument, 0, Ladder())
        self.venue = TestVenue()
        self.told = Told()
        for number, rule in enumerate(rules):
            rule.name = rule.name or ("rule" if len(rules) == 1 else f"rule{number}")
            rule.bind(BindContext(name=rule.name, where=f"risk.{rule.name}", views=(self.view,), seed=1))
        self.gate = RiskGate(list(rules), [self.view])
        self.gate.know([STRATEGY], {0: VENUE})
        self.view.account = self.gate
        self.failures: list[str] = []
        self.gate.on_failure = lambda rule, error: self.failures.append(
            f"{rule.name} raised {type(error).__name__}: {error}"
        )
        desk = Desk(STRATEGY, Idle(), self.view, QuoteManager(0, 0, False), self.venue)
        self.pipeline = Pipeline(self.source, [self.view], [desk], self.gate, [self.venue], self.told, 0)
        self.pipeline.start(START_NS)
        self.mid = mid
        self.quote(mid)

    @property
    def now_ns(self) -> int:
        return self.pipeline.now_ns

    def rows(self, rows: Iterable[tuple[int, int, int, int]], receive_ns: int = 0) -> None:
        """Let one message of rows ``(kind, side, price, size)``, in steps, arrive now."""
        at_ns = receive_ns or self.now_ns
        listed = list(rows)
        for number, (kind, side, price, size) in enumerate(listed, start=1):
            flags = LAST if number == len(listed) else 0
            self.buffer.append(at_ns, at_ns, price, size, 0, pack(kind, side, flags, 0))
        self.source.last = self.buffer.count
        self.go(at_ns)

    def go(self, until_ns: int) -> None:
        self.venue.now_ns = max(self.venue.now_ns, until_ns)
        self.pipeline.advance(until_ns, NEVER)

    def quote(self, mid: int, half: int = 1, size: int = 1_000_000) -> None:
        """Show a book of one bid and one offer, *half* ticks either side of *mid*, in place of the one before."""
        self.mid = mid
        self.rows(
            [
                (RESYNC, 0, 0, 0),
                (SNAPSHOT_BEGIN, 0, 0, 0),
                (LEVEL_SET, BID, mid - half, size),
                (LEVEL_SET, OFFER, mid + half, size),
            ]
        )

    def trade(self, side: int, price: int, size: int) -> None:
        """Show a print; *side* is the taker's."""
        self.rows([(TRADE, side, price, size)])

    def ticker(self, bid: int, offer: int) -> None:
        """Show the best quotes of the ticker's stream, beside the book."""
        self.rows([(BEST_QUOTE, BID, bid, 1000), (BEST_QUOTE, OFFER, offer, 1000)])

    def references(self, mark: Decimal, index: Decimal) -> None:
        """Show mark and index price, in quote currency."""
        self.rows([(MARK, 0, int(mark.scaleb(9)), 0), (INDEX, 0, int(index.scaleb(9)), 0)])

    def funding(self, rate: Decimal) -> None:
        """Show a funding rate that falls due in an hour."""
        self.rows([(FUNDING, 0, int(rate.scaleb(15)), self.now_ns + HOUR)])

    def gap(self) -> None:
        """Lose updates of the book: it is stale from here."""
        self.rows([(GAP, 0, 0, 0)])

    def wait(self, span_ns: int) -> None:
        """Let time pass without a message."""
        self.go(self.now_ns + span_ns)

    def reach(self, is_good: bool, reason: str = "") -> None:
        """Let the venue tell that it can or cannot be reached."""
        self.venue.tell(VenueState, is_good=is_good, reason=reason)
        self.go(self.now_ns)

    def place(self, side: int, lots: int, price: int, **options: Any) -> Order | None:
        """Send an order; return it if it left, None if it was refused (``told.refusals`` says why)."""
        command = NewOrder(
            order_number=0,
            instrument=0,
            side=side,
            price_ticks=price,
            quantity_lots=lots,
            strategy=STRATEGY,
            **options,
        )
        number = self.pipeline.manager.next_number
        if not self.pipeline.send(command, self.view, self.venue, -1, ""):
            return None
        self.go(self.now_ns)
        return self.pipeline.manager.orders.get(number)

    def amend(self, order: Order, price: int, lots: int) -> bool:
        """Ask for another price and total quantity; return whether the amend left."""
        command = AmendOrder(
            order_number=order.number, instrument=0, price_ticks=price, quantity_lots=lots, strategy=STRATEGY
        )
        left = self.pipeline.send(command, self.view, self.venue, -1, "")
        self.go(self.now_ns)
        return bool(left)

    def cancel(self, order: Order) -> bool:
        """Cancel an order; return whether the cancel left."""
        left = self.pipeline.cancel(order)
        self.go(self.now_ns)
        return bool(left)

    def fill(self, order: Order, lots: int, is_maker: bool = True, fee: int = 0) -> None:
        """Let the venue execute *lots* of an order at its price."""
        self.venue.fills += 1
        filled = self.venue.filled.get(order.number, 0) + lots
        self.venue.filled[order.number] = filled
        self.venue.tell(
            Fill,
            order_number=order.number,
            fill_id=f"f{self.venue.fills}",
            price_ticks=order.price_ticks,
            quantity_lots=lots,
            leaves_lots=max(0, self.venue.total[order.number] - filled),
            is_maker=is_maker,
            fee=fee,
            fee_currency="USDT",
        )
        self.go(self.now_ns)

    def deal(self, side: int, lots: int, price: int | None = None) -> bool:
        """Send an order and have all of it filled; return whether it left."""
        order = self.place(side, lots, self.mid if price is None else price)
        if order is None or not order.is_live():
            return False
        self.fill(order, lots)
        return True

    def state(self) -> int:
        """Return the state that holds for the strategy's orders."""
        return int(self.gate.state_for(STRATEGY, self.view))

    def asks(self, side: int, lots: int, price: int, **options: Any) -> Refusal | None:
        """Return why such an order would be refused now; it is not sent."""
        command = NewOrder(
            order_number=0, instrument=0, side=side, price_ticks=price, quantity_lots=lots, strategy=STRATEGY, **options
        )
        return self.gate.verdict(command, self.view)

    def faults(self) -> list[str]:
        """Return what the rules raised so far."""
        return list(self.failures)
