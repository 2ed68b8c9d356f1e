"""The pipeline: tape rows, venue reports, timers and operator commands in, orders out.

A state machine without a clock, randomness or ``await``: the same inputs give the same commands, byte for byte.
At one time rows come first, then reports, then timers (risk rules, samples, strategies, each in its order).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from quotewright.kernel.codes import (
    BUY,
    CANCEL_ALL,
    CLOSED,
    HALT,
    IOC,
    LAST_BIT,
    NEVER,
    OPEN,
    PENDING_CANCEL,
    POST_ONLY,
    REDUCE_ONLY,
    SELL,
    STATUS_NAMES,
    TRADING,
)
from quotewright.kernel.orders import Order, OrderManager, cancel_of
from quotewright.kernel.quoting import QuoteManager
from quotewright.kernel.risk import RiskGate
from quotewright.kernel.rules import Refusal, RiskRule
from quotewright.kernel.source import RowSource
from quotewright.kernel.strategy import Quotes, Strategy
from quotewright.kernel.venue import Venue
from quotewright.kernel.view import View
from quotewright.model.orders import AmendOrder, CancelOrder, CancelRejected, Fill, NewOrder, VenueState

if TYPE_CHECKING:
    from quotewright.model.orders import Command, Report

RULE = 0
SAMPLE = 1
STRATEGY = 2

FLATTEN_COLLAR_PPM = 10_000
"""How far from the mid the operator's flatten may trade: 1 %."""


FINISH_STEP_NS = 10_000_000
"""How far a finished run goes on at a time while it waits for the last reports."""


class Recorder(Protocol):
    """What the pipeline tells whoever keeps the record of a run. A recorder changes nothing."""

    def on_command(self, now_ns: int, rows: int, command: Command, view: View) -> None: ...

    def on_report(self, now_ns: int, rows: int, report: Report, order: Order | None) -> None: ...

    def on_timer(self, now_ns: int, rows: int, timer: int) -> None: ...

    def on_operator(self, now_ns: int, rows: int, action: str) -> None: ...

    def on_refusal(self, now_ns: int, command: Command, refusal: Refusal, view: View) -> None: ...

    def on_sample(self, now_ns: int) -> None: ...

    def on_strategy_failure(self, now_ns: int, strategy: str, error: BaseException) -> None: ...


class Timer:
    """Something that falls due every ``period_ns``: a rule, the sample, or a strategy."""

    def __init__(self, kind: int, index: int, period_ns: int) -> None:
        self.kind = kind
        self.index = index
        self.period_ns = period_ns
        self.next_ns = NEVER


class Desk:
    """One strategy at work: its instrument, its quotes, and how they become orders."""

    def __init__(self, name: str, strategy: Strategy, view: View, manager: QuoteManager, venue: Venue) -> None:
        self.name = name
        self.strategy = strategy
        self.view = view
        self.manager = manager
        self.venue = venue
        self.quotes = Quotes()
        self.is_stopped = False
        self.is_waiting = False
        self.is_cut_off = False
        """Whether orders cannot be entered or followed at the venue now."""
        self.wakes = 0
        self.on_best = bool(strategy.wake_on_best)
        self.on_trade = bool(strategy.wake_on_trade)
        self.on_fill = bool(strategy.wake_on_fill)


class Pipeline:
    """Consumes inputs in their one order and sends commands to the venues.

    ``views`` holds one view per instrument id of the source (None: not traded, not watched). The driver calls
    :meth:`start` once, then :meth:`advance` until the source ends, then :meth:`finish`.
    """

    def __init__(
        self,
        source: RowSource,
        views: list[View | None],
        desks: list[Desk],
        gate: RiskGate,
        venues: list[Venue],
        recorder: Recorder,
        sample_every_ns: int,
    ) -> None:
        self.source = source
        self.views = views
        self.desks = desks
        self.gate = gate
        self.venues = venues
        self.recorder = recorder
        self.manager = OrderManager()
        self.now_ns = 0
        self.rows_consumed = 0
        self.messages = 0
        self.unwatched = 0
        self.is_stopping = False
        self.is_interrupted = False
        self.desk_of: list[Desk | None] = [None] * len(views)
        for desk in desks:
            self.desk_of[desk.view.instrument_id] = desk
        self.timers = [Timer(RULE, i, r.wake_every_ns) for i, r in enumerate(gate.rules) if r.wake_every_ns > 0]
        if sample_every_ns > 0:
            self.timers.append(Timer(SAMPLE, 0, sample_every_ns))
        self.timers.extend(
            Timer(STRATEGY, i, d.strategy.wake_every_ns) for i, d in enumerate(desks) if d.strategy.wake_every_ns > 0
        )
        self.next_timer_ns = NEVER

    def start(self, now_ns: int) -> bool:
        """Set the clock to *now_ns* and lay every timer's grid from there."""
        self.now_ns = now_ns
        for timer in self.timers:
            timer.next_ns = now_ns + timer.period_ns
        for view in self.gate.views:
            view.start(now_ns)
        self.lay_timers()
        return True

    def lay_timers(self) -> bool:
        """Find the time at which the next timer falls due."""
        soonest = NEVER
        for timer in self.timers:
            if timer.next_ns < soonest:
                soonest = timer.next_ns
        self.next_timer_ns = soonest
        return True

    def advance(self, until_ns: int, most_messages: int) -> int:
        """Take every input up to *until_ns*, at most *most_messages* messages; return how many messages were taken."""
        source = self.source
        taken = 0
        while taken < most_messages and not self.is_interrupted:
            limit = self.next_timer_ns
            if until_ns < limit:
                limit = until_ns
            if source.first < source.last:  # noqa: SIM108 - two plain calls, in C too
                receive = source.rows.words[source.first * 6 + 1]
            else:
                receive = source.fill(limit)
            horizon = receive if receive < limit else limit
            due = NEVER
            for venue in self.venues:
                known = venue.run(due if due < horizon else horizon)
                if known < due:
                    due = known
            if receive <= limit and receive <= due:
                self.take_message(source, receive)
                taken += 1
            elif due <= limit:
                self.take_reports(due)
            elif self.next_timer_ns <= until_ns:
                self.take_timers(self.next_timer_ns)
            else:
                if until_ns != NEVER and until_ns > self.now_ns:
                    self.now_ns = until_ns
                break
        return taken

    def take_message(self, source: RowSource, receive_ns: int) -> bool:
        """Apply the message at the head of the source and wake whom it concerns."""
        rows = source.rows
        first = source.first
        last = first
        end = source.last
        while last < end and not rows.words[last * 6 + 5] & LAST_BIT:
            last += 1
        last += 1
        if last > end:
            last = end
        source.first = last
        self.now_ns = receive_ns
        self.rows_consumed += last - first
        self.messages += 1
        view = self.views[rows.words[first * 6 + 5] >> 32]
        if view is None:
            self.unwatched += 1
            return True
        view.on_message(rows, first, last, receive_ns)
        if view.goodness_changed:
            self.goodness(view)
        if view.terms_changed:
            self.new_terms(view)
        desk = self.desk_of[view.instrument_id]
        if desk is not None and ((desk.on_best and view.best_moved) or (desk.on_trade and view.traded)):
            self.wake(desk)
        return True

    def goodness(self, view: View) -> bool:
        """React within the same message to a book that has turned good or bad."""
        if not view.was_good:
            self.cancel_view(view)
        if self.gate.wake_all(view):
            self.enforce()
        return True

    def new_terms(self, view: View) -> bool:
        """React within the same message to a new tick, lot or state of trading.

        Orders off the new grid are cancelled, and until they are gone nobody quotes; in a state that lets no order
        rest all are cancelled, once, and nobody is woken until it ends.
        """
        desk = self.desk_of[view.instrument_id]
        if desk is None:
            return False
        if not view.takes_orders():
            if view.status != CLOSED:  # a closed market has ended them itself
                self.cancel_view(view)
            return True
        self.cancel_off_grid(desk)
        return self.wake(desk)

    def cancel_off_grid(self, desk: Desk) -> bool:
        """Cancel the orders that do not lie on today's tick and lot; none is placed while there is one."""
        view = desk.view
        desk.is_waiting = False
        if view.tick_grid != 1 or view.lot_grid != 1:
            for order in list(view.live):
                if order.price_ticks % view.tick_grid or order.quantity_lots % view.lot_grid:
                    desk.is_waiting = True
                    self.cancel(order)
        return desk.is_waiting

    def take_reports(self, now_ns: int) -> bool:
        """Book every report known by *now_ns*, then wake the strategies that were filled."""
        self.now_ns = now_ns
        for view in self.gate.views:
            view.now_ns = now_ns
        filled: list[Desk] = []
        for venue in self.venues:
            for report in venue.take_reports(now_ns):
                if isinstance(report, VenueState):
                    self.recorder.on_report(now_ns, self.rows_consumed, report, None)
                    self.reach(venue, report.is_good, filled)
                    continue
                order = self.manager.on_report(report, now_ns)
                self.recorder.on_report(now_ns, self.rows_consumed, report, order)
                if order is None:
                    if (
                        self.manager.strays
                        and isinstance(report, Fill)
                        and report.order_number not in self.manager.orders
                    ):
                        self.gate.break_integrity(
                            f"the venue filled order {report.order_number}, which is not ours", now_ns
                        )
                    continue
                view = order.view
                if isinstance(report, Fill):
                    self.book_fill(report, order, view)
                    desk = self.desk_of[view.instrument_id]
                    if desk is not None and desk.on_fill and desk not in filled:
                        filled.append(desk)
                self.gate.on_report(report, view)
                if order.state == OPEN and self.has_no_owner(view) and not isinstance(report, CancelRejected):
                    self.cancel(order)
                desk = self.desk_of[view.instrument_id]
                if desk is not None and desk.is_waiting and not self.cancel_off_grid(desk) and desk not in filled:
                    filled.append(desk)
        if self.gate.state >= REDUCE_ONLY:
            self.enforce()
        for desk in filled:
            self.wake(desk)
        return True

    def reach(self, venue: Venue, is_good: bool, woken: list[Desk]) -> bool:
        """Pull the quotes at a venue that cannot be reached or followed; quote there again once it can."""
        for desk in self.desks:
            if desk.venue is not venue:
                continue
            desk.is_cut_off = not is_good
            if not is_good:
                self.cancel_view(desk.view)
            elif desk not in woken:
                woken.append(desk)
        return True

    def book_fill(self, report: Fill, order: Order, view: View) -> bool:
        """Book one execution into the portfolio and the markouts."""
        mid2 = view.known_mid2
        view.portfolio.book_fill(
            order.side,
            report.price_ticks,
            report.quantity_lots,
            report.fee,
            report.fee_currency,
            mid2,
            report.is_maker,
        )
        view.markouts.on_fill(self.now_ns, order.side, mid2)
        if view.markouts.next_ns < view.next_check_ns:
            view.next_check_ns = view.markouts.next_ns
        if order.is_overfilled():
            self.gate.break_integrity(f"order {order.number} was filled beyond its quantity", self.now_ns)
        return True

    def take_timers(self, now_ns: int) -> bool:
        """Serve every timer that falls due at *now_ns*: rules, then the sample, then strategies."""
        self.now_ns = now_ns
        for view in self.gate.views:
            view.now_ns = now_ns
            if view.next_check_ns <= now_ns:
                view.catch_up(now_ns)
        for position, timer in enumerate(self.timers):
            if timer.next_ns > now_ns:
                continue
            timer.next_ns += timer.period_ns
            self.recorder.on_timer(now_ns, self.rows_consumed, position)
            if timer.kind == RULE:
                rule: RiskRule = self.gate.rules[timer.index]
                if self.gate.wake(rule, now_ns) or self.gate.state >= REDUCE_ONLY:
                    self.enforce()
            elif timer.kind == SAMPLE:
                self.recorder.on_sample(now_ns)
            else:
                self.wake(self.desks[timer.index])
        self.lay_timers()
        return True

    def wake(self, desk: Desk) -> bool:
        """Ask one strategy for its quotes and send what it takes to have them; a bad book or a halt wakes nobody."""
        view = desk.view
        if desk.is_stopped or not view.was_good or self.is_stopping or self.gate.state >= HALT:
            return False
        if desk.is_waiting or desk.is_cut_off or view.status > POST_ONLY:
            return False
        quotes = desk.quotes
        quotes.clear()
        desk.wakes += 1
        if view.next_check_ns <= self.now_ns:
            view.catch_up(self.now_ns)
        try:
            desk.strategy.on_wake(view, quotes)
            if quotes.is_kept:
                return True
            if view.tick_grid != 1 or view.lot_grid != 1:
                quotes.lay_on(view.tick_grid, view.lot_grid)
            commands = desk.manager.reconcile(view, quotes, self.manager, desk.name)
        except Exception as error:
            self.stop_desk(desk, error)
            return False
        for command, level in commands:
            self.send(command, view, desk.venue, level)
        return True

    def has_no_owner(self, view: View) -> bool:
        """Return whether nobody minds the orders of *view*: run, strategy, book or the way to its venue have ended."""
        desk = self.desk_of[view.instrument_id]
        if desk is None or desk.is_stopped or desk.is_cut_off:
            return True
        return self.is_stopping or not view.was_good or not view.takes_orders()

    def stop_desk(self, desk: Desk, error: BaseException) -> bool:
        """Stop a strategy that raised: its orders are cancelled, the rest of the run goes on."""
        desk.is_stopped = True
        self.cancel_view(desk.view)
        self.recorder.on_strategy_failure(self.now_ns, desk.name, error)
        return True

    def send(self, command: Command, view: View, venue: Venue, level: int) -> bool:
        """Let *command* pass the gate, count it, and hand it to its venue; return whether it left."""
        refusal = self.barred(command, view) if view.status else None
        if refusal is None:
            refusal = self.gate.verdict(command, view)
        if refusal is not None:
            self.recorder.on_refusal(self.now_ns, command, refusal, view)
            return False
        return self.dispatch(command, view, venue, level)

    def barred(self, command: Command, view: View) -> Refusal | None:
        """Return why the instrument's state of trading lets *command* not pass."""
        if isinstance(command, CancelOrder):
            return None
        if view.status == POST_ONLY and (isinstance(command, AmendOrder) or command.post_only):
            return None
        return Refusal("status", STATUS_NAMES[view.status], f"{view.instrument.name} is {STATUS_NAMES[view.status]}")

    def dispatch(self, command: Command, view: View, venue: Venue, level: int) -> bool:
        """Count *command* as sent, record it, and hand it to its venue."""
        if isinstance(command, NewOrder):
            command = NewOrder(
                order_number=self.manager.next_number,
                instrument=command.instrument,
                side=command.side,
                price_ticks=command.price_ticks,
                quantity_lots=command.quantity_lots,
                time_in_force=command.time_in_force,
                post_only=command.post_only,
                reduce_only=command.reduce_only,
                strategy=command.strategy,
            )
            self.manager.next_number += 1
            self.manager.register(command, view, self.now_ns, level)
            view.order_count += 1
        else:
            order = self.manager.orders[command.order_number]
            if isinstance(command, AmendOrder):
                self.manager.amending(order, command.price_ticks, command.quantity_lots)
            elif isinstance(command, CancelOrder):
                self.manager.cancelling(order)
        self.recorder.on_command(self.now_ns, self.rows_consumed, command, view)
        venue.submit(command, self.now_ns)
        if self.gate.on_command(command, view):
            self.enforce()
        return True

    def cancel_view(self, view: View) -> bool:
        """Cancel every order of *view* that is not being cancelled already."""
        for order in list(view.live):
            self.cancel(order)
        return True

    def cancel(self, order: Order) -> bool:
        """Cancel *order* unless a cancel is under way, or was refused at this very moment."""
        if order.state == PENDING_CANCEL or order.cancel_refused_ns == self.now_ns or not order.is_live():
            return False
        view = order.view
        if view.status > POST_ONLY and order.cancel_refused_ns >= view.status_ns:
            return False  # refused once in this state of trading: asking again would only be refused again
        desk = self.desk_of[view.instrument_id]
        if desk is None:
            return False
        return self.dispatch(cancel_of(order), order.view, desk.venue, order.level)

    def enforce(self) -> bool:
        """Bring the working orders in line with the risk state."""
        if self.gate.state < REDUCE_ONLY:
            return True
        for view in self.gate.views:
            if self.gate.state >= CANCEL_ALL:
                if self.must_cancel(view):
                    self.cancel_view(view)
            else:
                self.cancel_increasing(view)
        return True

    def must_cancel(self, view: View) -> bool:
        """Return whether *view* has an order that no cancel is under way for."""
        for order in view.live:  # noqa: SIM110 - a typed loop, no generator
            if order.state != PENDING_CANCEL:
                return True
        return False

    def cancel_increasing(self, view: View) -> bool:
        """Cancel every order that could do more than reduce the position; those nearest to the market stay first."""
        position = view.position_lots
        for side in (BUY, SELL):
            room = max(0, -position) if side == BUY else max(0, position)
            orders = [order for order in view.live if order.side == side]
            orders.sort(key=_nearest_first)
            for order in orders:
                if order.open_lots() <= room:
                    room -= order.open_lots()
                else:
                    room = 0
                    self.cancel(order)
        return True

    def operate(self, action: str, why: str) -> bool:
        """Take an operator's command: ``halt``, ``reduce_only``, ``resume`` (releases every latch) or ``flatten``."""
        self.recorder.on_operator(self.now_ns, self.rows_consumed, action)
        if action == "halt":
            self.gate.operate(HALT, why, self.now_ns)
        elif action == "reduce_only":
            self.gate.operate(REDUCE_ONLY, why, self.now_ns)
        elif action == "resume":
            self.gate.release(self.now_ns)
        elif action == "flatten":
            return self.flatten()
        else:
            raise ValueError(f"operator command should be halt, reduce_only, resume or flatten, was {action!r}")
        return self.enforce()

    def flatten(self) -> bool:
        """Cancel everything and close every position at once, at most 1 % through the mid, past every state."""
        for desk in self.desks:
            view = desk.view
            self.cancel_view(view)
            position = view.position_lots
            if position == 0 or not view.was_good or view.status != TRADING:
                continue
            side = SELL if position > 0 else BUY
            reach = view.known_mid2 * FLATTEN_COLLAR_PPM // 1_000_000
            limit2 = view.known_mid2 + reach if side == BUY else view.known_mid2 - reach
            command = NewOrder(
                order_number=0,
                instrument=view.instrument_id,
                side=side,
                price_ticks=max(1, limit2 // (2 * view.tick_steps)),
                quantity_lots=abs(position),
                time_in_force=IOC,
                reduce_only=True,
                strategy=desk.name,
            )
            refusal = self.gate.ask_rules(command, view, True)
            if refusal is not None:
                self.recorder.on_refusal(self.now_ns, command, refusal, view)
                continue
            self.dispatch(command, view, desk.venue, -1)
        return True

    def finish(self, grace_ns: int) -> bool:
        """Stop all strategies, cancel every order, and go on for at most *grace_ns* until the venues have answered."""
        self.recorder.on_operator(self.now_ns, self.rows_consumed, "finish")
        self.is_interrupted = False
        self.is_stopping = True
        for view in self.gate.views:
            self.cancel_view(view)
        until_ns = self.now_ns + grace_ns
        while not self.is_interrupted and self.now_ns < until_ns and any(view.live for view in self.gate.views):
            self.advance(min(until_ns, self.now_ns + FINISH_STEP_NS), NEVER)
        return True


def _nearest_first(order: Order) -> tuple[int, int]:
    return (-order.price_ticks if order.side == BUY else order.price_ticks, order.number)
