"""What must hold in the run itself: orders, fills, limits, money, decisions; told by its recorder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quotewright.config.units import Amount
from quotewright.kernel.amounts import BoundAmount
from quotewright.kernel.codes import (
    BUY,
    CANCELED,
    FILLED,
    OPEN,
    PENDING_AMEND,
    PENDING_CANCEL,
    PENDING_NEW,
    REJECTED,
    UNKNOWN,
)
from quotewright.model.orders import CancelOrder, Fill, NewOrder, VenueState
from quotewright.runtime.recorder import RunRecorder

if TYPE_CHECKING:
    from quotewright.config.model import Config
    from quotewright.kernel.orders import Order
    from quotewright.kernel.view import View
    from quotewright.model.orders import Command, Report
    from quotewright.runtime.session import Session
    from quotewright_simexchange.world.agenda import Agenda
    from quotewright_simexchange.world.truth_checks import TruthChecks
    from quotewright_simexchange.world.verdicts import Verdicts

LIVE = (PENDING_NEW, OPEN, PENDING_AMEND, PENDING_CANCEL, UNKNOWN)
MOVES = {
    PENDING_NEW: (*LIVE, FILLED, CANCELED, REJECTED),
    OPEN: (OPEN, PENDING_AMEND, PENDING_CANCEL, UNKNOWN, FILLED, CANCELED),
    PENDING_AMEND: (OPEN, PENDING_AMEND, PENDING_CANCEL, UNKNOWN, FILLED, CANCELED),
    PENDING_CANCEL: (OPEN, PENDING_AMEND, PENDING_CANCEL, UNKNOWN, FILLED, CANCELED, REJECTED),
    UNKNOWN: (OPEN, PENDING_AMEND, PENDING_CANCEL, UNKNOWN, FILLED, CANCELED, REJECTED),
    FILLED: (FILLED,),
    CANCELED: (CANCELED, FILLED),
    REJECTED: (REJECTED, FILLED),
}
"""Where an order's state may go; an ended one changes by a late fill only."""
PENDING_NS = 10_000_000_000
"""An order whose command has not been answered for so long is unclear."""
STANDING_NS = 5_000_000_000
"""So long may an order stand uncancelled on a book that is not good."""


class Sums:
    """What the fills of one instrument add up to, reckoned on its own."""

    def __init__(self) -> None:
        self.position = 0
        self.cash = 0
        self.fees: dict[str, int] = {}
        self.fills: set[str] = set()


class WorldRecorder(RunRecorder):
    """The record of a run; everything told to it is checked first."""

    def __init__(self) -> None:
        super().__init__()
        self.checks: RunChecks | None = None

    def on_command(self, now_ns: int, rows: int, command: Command, view: View) -> None:
        super().on_command(now_ns, rows, command, view)
        if self.checks is not None:
            self.checks.on_command(now_ns, command, view)

    def on_report(self, now_ns: int, rows: int, report: Report, order: Order | None) -> None:
        super().on_report(now_ns, rows, report, order)
        if self.checks is not None:
            self.checks.on_report(report, order)


class RunChecks:
    """Checks of one run; *limits* are the position limits of its rules, in lots by instrument id."""

    def __init__(self, session: Session, agenda: Agenda, verdicts: Verdicts) -> None:
        self.session = session
        self.agenda = agenda
        self.verdicts = verdicts
        self.views = session.wired.views
        self.manager = session.pipeline.manager
        self.source = session.wired.market.source
        self.sums = {view.instrument_id: Sums() for view in self.views}
        self.limits = position_limits(session.config, self.views)
        self.states: dict[int, int] = {}
        self.since: dict[int, int] = {}
        """When each order came into its state."""
        self.recorded: set[int] = set()
        """Numbers of the orders that are on record."""
        self.placed = 0
        self.is_in_reach = True
        """Whether the venue of the orders has not said otherwise."""
        self.truth: TruthChecks | None = None
        self._bad_since: dict[int, int] = {}
        self._is_moved = False

    # Told by the recorder.

    def on_command(self, now_ns: int, command: Command, view: View) -> None:
        """Look at a command that is about to leave."""
        verdicts = self.verdicts
        verdicts.count(21)
        source = self.source
        if now_ns > self.agenda.now_ns() or (source.first and source.rows.words[(source.first - 1) * 6 + 1] > now_ns):
            verdicts.broken(21, f"a command of {now_ns} was decided on rows or a clock of later: {command}")
        self._is_moved = True
        number = command.order_number
        if isinstance(command, NewOrder):
            self.recorded.add(number)
            self.placed += 1
            verdicts.count(12)
            if number in self.states:
                verdicts.broken(12, f"order number {number} was used before")
            self.states[number] = PENDING_NEW
            self.since[number] = now_ns
        else:
            self._moved(number, PENDING_CANCEL if isinstance(command, CancelOrder) else PENDING_AMEND)
        if not isinstance(command, CancelOrder):
            verdicts.count(16)
            if not view.is_book_good:
                verdicts.broken(16, f"{command} left on a book that is not good")
            if not self.is_in_reach:
                verdicts.broken(16, f"{command} left for a venue that is out of reach")

    def on_report(self, report: Report, order: Order | None) -> None:
        """Look at a report that was booked."""
        self._is_moved = True
        if isinstance(report, VenueState):
            self.is_in_reach = report.is_good
        if order is None:
            return
        self._moved(order.number, order.state)
        if isinstance(report, Fill):
            self._filled(report, order)

    def _moved(self, number: int, state: int) -> None:
        verdicts = self.verdicts
        verdicts.count(12)
        before = self.states.get(number, PENDING_NEW)
        if state not in MOVES[before]:
            verdicts.broken(12, f"order {number} went from state {before} to {state}")
        if state != before:
            self.since[number] = self.agenda.now
        self.states[number] = state

    def _filled(self, fill: Fill, order: Order) -> None:
        verdicts = self.verdicts
        view = order.view
        sums = self.sums[view.instrument_id]
        verdicts.count(8)
        if fill.fill_id in sums.fills:
            verdicts.broken(8, f"fill {fill.fill_id} of {view.instrument.name} was applied before")
        sums.fills.add(fill.fill_id)
        lots = fill.quantity_lots if order.side == BUY else -fill.quantity_lots
        value = view.portfolio.unit * fill.price_ticks * view.tick_steps * fill.quantity_lots * view.lot_steps
        sums.position += lots
        sums.cash += -value if order.side == BUY else value
        if fill.fee:
            sums.fees[fill.fee_currency] = sums.fees.get(fill.fee_currency, 0) + fill.fee
        if self.truth is not None:
            self.truth.on_fill(fill, order)

    # After every event.

    def check(self) -> None:
        """Evaluate what may have changed."""
        for view in self.views:
            if view.is_book_good:
                self._bad_since.pop(view.instrument_id, None)
            else:
                self._stands(view)
        if not self._is_moved:
            return
        self._is_moved = False
        verdicts = self.verdicts
        for view in self.views:
            sums, portfolio = self.sums[view.instrument_id], view.portfolio
            verdicts.count(7)
            if view.position_lots != sums.position:
                verdicts.broken(
                    7, f"{view.instrument.name}: position {view.position_lots}, fills sum to {sums.position}"
                )
            verdicts.count(26)
            mid2 = view.known_mid2
            if (
                portfolio.cash != sums.cash
                or portfolio.fees != sums.fees
                or portfolio.realised() + portfolio.unrealised_at(mid2) != sums.cash + portfolio.value_at(mid2)
            ):
                verdicts.broken(
                    26,
                    f"{view.instrument.name}: cash {portfolio.cash} and fees {portfolio.fees}, "
                    f"fills give {sums.cash} and {sums.fees}",
                )
            self._worst_case(view)

    def _worst_case(self, view: View) -> None:
        limit = self.limits.get(view.instrument_id)
        if limit is None:
            return
        self.verdicts.count(14)
        longest = view.position_lots + view.open_buy_lots
        shortest = view.position_lots - view.open_sell_lots
        if max(longest, -shortest) > limit:
            self.verdicts.broken(
                14,
                f"{view.instrument.name}: position {view.position_lots}, open {view.open_buy_lots} to buy and "
                f"{view.open_sell_lots} to sell; the limit is {limit} lots",
            )
        open_buy = sum(order.open_lots() for order in view.live if order.side == BUY)
        open_sell = sum(order.open_lots() for order in view.live if order.side != BUY)
        if (open_buy, open_sell) != (view.open_buy_lots, view.open_sell_lots):
            self.verdicts.broken(
                14, f"{view.instrument.name}: open lots are {open_buy} and {open_sell}, counted otherwise"
            )

    def _stands(self, view: View) -> None:
        """No order stands uncancelled for long on a book that is not good."""
        self.verdicts.count(16)
        now_ns = self.agenda.now
        since_ns = self._bad_since.setdefault(view.instrument_id, now_ns)
        if now_ns - since_ns < STANDING_NS:
            return
        for order in view.live:
            if order.state in (OPEN, PENDING_AMEND) and order.cancel_refused_ns < since_ns:
                self.verdicts.broken(16, f"order {order.number} stands on a book that is bad for {STANDING_NS} ns")

    def unclear(self) -> list[int]:
        """Return the orders whose outcome is not known, or whose command has not been answered for long."""
        before_ns = self.agenda.now - PENDING_NS
        return [
            order.number
            for view in self.views
            for order in view.live
            if order.state == UNKNOWN or (order.state != OPEN and self.since.get(order.number, before_ns) < before_ns)
        ]


def position_limits(config: Config, views: tuple[View, ...]) -> dict[int, int]:
    """Return the limits that the enforcing ``position_limit`` rules state in lots; values move with the price."""
    found: dict[int, int] = {}
    for table in config.risk.values():
        if table.plugin != "position_limit" or table.mode != "enforce" or "limit" not in table.settings:
            continue
        amount = Amount.parse(table.settings["limit"])
        bound = BoundAmount(amount, views, table.where)
        for view in views:
            if amount.unit in (view.instrument.base, "lots", "contracts", "base"):
                lots = bound.lots(view)
                found[view.instrument_id] = min(lots, found.get(view.instrument_id, lots))
    return found
