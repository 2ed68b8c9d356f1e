"""The pipeline: tape rows, venue reports, timers and operator commands in, orders out.

A state machine without a clock, randomness or ``await``: the same inputs give the same commands, byte for byte.
At one time rows come first, then reports, then timers (risk rules, samples, strategies, each in its order).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from quotewright.kernel.codes import (
    BUY,
    CANCEL_ALL,
    CLOSED,
    HALT,
    LAST_BIT,
    NEVER,
    OPEN,
    PENDING_CANCEL,
    POST_ONLY,
    REDUCE_ONLY,
    SELL,
    STATUS_NAMES,
)
from quotewright.kernel.desk import RULE, SAMPLE, STRATEGY, Desk, Timer, share_instruments
from quotewright.kernel.operating import change, flatten
from quotewright.kernel.orders import ANSWERS, Order, OrderManager, cancel_of
from quotewright.kernel.record import record_of
from quotewright.kernel.risk import RiskGate
from quotewright.kernel.rules import Refusal, RiskRule
from quotewright.kernel.source import RowSource
from quotewright.kernel.venue import Venue
from quotewright.kernel.view import View, pay
from quotewright.model.orders import AmendOrder, CancelOrder, CancelRejected, Fill, NewOrder, Payment, VenueState

if TYPE_CHECKING:
    from collections.abc import Callable

    from quotewright.kernel.recording import Recorder
    from quotewright.kernel.strategy import MultiStrategy, Strategy
    from quotewright.model.orders import Command

OF_NO_ORDER = (VenueState, Payment)
FINISH_STEP_NS = 10_000_000
"""How far a finished run goes on at a time while it waits for the last reports."""


class Pipeline:
    """Consumes inputs in their one order and sends commands to the venues.

    ``views`` holds one view per instrument id of the source (None: not traded, not watched). The driver calls
    :meth:`start` once, then :meth:`advance` until the source ends, then :meth:`finish`. ``configure`` makes a strategy
    anew for the operator's command ``set``: it returns the strategy's name and the strategy, which has taken over from
    the one at work, or raises.
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
        self.only_venue = venues[0] if len(venues) == 1 else None
        self.recorder = recorder
        self.record = record_of(recorder)
        self.manager = OrderManager()
        self.now_ns = 0
        self.rows_consumed = 0
        self.messages = 0
        self.unwatched = 0
        self.is_stopping = False
        self.is_interrupted = False
        self.configure: Callable[[str], tuple[str, Strategy]] | None = None
        share_instruments(desks)
        self.desks_of: list[list[Desk]] = [[] for _ in views]
        for desk in desks:
            self.desks_of[desk.view.instrument_id].append(desk)
        self.timers = [Timer(RULE, i, r.wake_every_ns) for i, r in enumerate(gate.rules) if r.wake_every_ns > 0]
        if sample_every_ns > 0:
            self.timers.append(Timer(SAMPLE, 0, sample_every_ns))
        self.timers.extend(
            Timer(STRATEGY, i, d.strategy.wake_every_ns)
            for i, d in enumerate(desks)
            if d.strategy.wake_every_ns > 0 and d.legs[0] is d
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
            due = self.only_venue.run(horizon) if self.only_venue is not None else self.run_venues(horizon)
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

    def run_venues(self, horizon_ns: int) -> int:
        """Let several venues go on to *horizon_ns*, or to the first report of any; return when that becomes known."""
        due = NEVER
        for venue in self.venues:
            known = venue.run(due if due < horizon_ns else horizon_ns)
            if known < due:
                due = known
        return due

    def take_message(self, source: RowSource, receive_ns: int) -> bool:
        """Apply the message at the head of the source and wake whom it concerns."""
        rows = source.rows
        first = source.first
        end = source.last
        last = first + 1
        word = first * 6 + 5
        while last < end and not rows.words[word] & LAST_BIT:
            last += 1
            word += 6
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
        if view.best_moved or view.traded:
            for desk in self.desks_of[view.instrument_id]:
                if (desk.on_best and view.best_moved) or (desk.on_trade and view.traded):
                    self.wake(desk)
        return True

    def goodness(self, view: View) -> bool:
        """React within the same message to a book that has turned good or bad."""
        if not view.was_good:
            self.cancel_view(view)
        if self.gate.wake_all(view):
            self.enforce()
        self.act()
        for desk in self.desks_of[view.instrument_id]:
            if desk.has_legs:  # its other legs may have to go, or may come back
                self.wake(desk)
        return True

    def new_terms(self, view: View) -> bool:
        """React within the same message to a new tick, lot or state of trading.

        Orders off the new grid are cancelled, and until they are gone nobody quotes; in a state that lets no order
        rest all are cancelled, once, and nobody is woken until it ends.
        """
        desks = self.desks_of[view.instrument_id]
        if not desks:
            return False
        if not view.takes_orders():
            if view.status != CLOSED:  # a closed market has ended them itself
                self.cancel_view(view)
            return True
        self.cancel_off_grid(view)
        for desk in desks:
            self.wake(desk)
        return True

    def cancel_off_grid(self, view: View) -> bool:
        """Cancel the orders that do not lie on today's tick and lot; none is placed while there is one."""
        is_waiting = False
        if view.tick_grid != 1 or view.lot_grid != 1:
            for order in list(view.live):
                if order.price_ticks % view.tick_grid or order.quantity_lots % view.lot_grid:
                    is_waiting = True
                    self.cancel(order)
        for desk in self.desks_of[view.instrument_id]:
            desk.is_waiting = is_waiting
        return is_waiting

    def desk_of(self, order: Order) -> Desk | None:
        """Return the desk of the strategy that *order* belongs to."""
        for desk in self.desks_of[order.view.instrument_id]:
            if desk.name == order.strategy:
                return desk
        return None

    def take_reports(self, now_ns: int) -> bool:
        """Book every report known by *now_ns*, then wake the strategies that were filled."""
        self.now_ns = now_ns
        for view in self.gate.views:
            view.now_ns = now_ns
        filled: list[Desk] = []
        for venue in self.venues:
            for report in venue.take_reports(now_ns):
                is_answer = type(report) in ANSWERS  # the commonest: nothing more is asked of them
                if not is_answer and isinstance(report, OF_NO_ORDER):
                    self.record.on_report(now_ns, self.rows_consumed, report, None)
                    if isinstance(report, VenueState):
                        self.reach(venue, report.is_good, filled)
                    else:
                        pay(self.views, report)
                    continue
                order = self.manager.on_report(report, now_ns)
                self.record.on_report(now_ns, self.rows_consumed, report, order)
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
                desk = self.desk_of(order)
                if not is_answer and isinstance(report, Fill):
                    self.book_fill(report, order, view, desk)
                    if desk is not None and desk.on_fill and desk not in filled:
                        filled.append(desk)
                self.gate.on_report(report, view)
                if order.state == OPEN and self.has_no_owner(view, desk) and not isinstance(report, CancelRejected):
                    self.cancel(order)
                if desk is not None and desk.is_waiting and not self.cancel_off_grid(view):
                    for waiter in self.desks_of[view.instrument_id]:
                        if waiter not in filled:
                            filled.append(waiter)
        if self.gate.is_restricting:
            self.enforce()
        self.act()
        for desk in filled:
            self.wake(desk)
        return True

    def reach(self, venue: Venue, is_good: bool, woken: list[Desk]) -> bool:
        """Pull the quotes at a venue that cannot be reached or followed; quote there again once it can."""
        for desk in self.desks:
            if desk.venue is not venue:
                continue
            desk.is_cut_off = not is_good
            desk.view.is_reachable = is_good
            if not is_good:
                self.cancel_view(desk.view)
            if (is_good or desk.has_legs) and desk not in woken:
                woken.append(desk)
        return True

    def book_fill(self, report: Fill, order: Order, view: View, desk: Desk | None) -> bool:
        """Book one execution into the portfolios of its instrument and its strategy, and the markouts."""
        if view.next_check_ns < self.now_ns:  # what fell due before it does not concern it
            view.catch_up(self.now_ns - 1)
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
        if desk is not None and desk.portfolio is not view.portfolio:
            desk.portfolio.book_fill(
                order.side,
                report.price_ticks,
                report.quantity_lots,
                report.fee,
                report.fee_currency,
                mid2,
                report.is_maker,
            )
        view.markouts.on_fill(self.now_ns, order.side, mid2, report.quantity_lots, report.price_ticks)
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
            self.record.on_timer(now_ns, self.rows_consumed, position)
            if timer.kind == RULE:
                rule: RiskRule = self.gate.rules[timer.index]
                if self.gate.wake(rule, now_ns) or self.gate.is_restricting:
                    self.enforce()
                self.act()
            elif timer.kind == SAMPLE:
                self.recorder.on_sample(now_ns)
            else:
                self.wake(self.desks[timer.index])
        self.lay_timers()
        return True

    def wake(self, desk: Desk) -> bool:
        """Ask one strategy for its quotes and send what it takes to have them; a bad book or a halt wakes nobody."""
        if desk.has_legs:
            return self.wake_legs(desk.legs)
        if not self.may_quote(desk):
            return False
        view = desk.view
        quotes = desk.quotes
        quotes.clear()
        desk.wakes += 1
        if view.next_check_ns < self.now_ns:  # a grid time is sampled once all of it has been told
            view.catch_up(self.now_ns - 1)
        view.own = desk.portfolio
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
            self.send(command, view, desk.venue, level, "")
        return True

    def may_quote(self, desk: Desk) -> bool:
        """Return whether orders of this strategy may be placed on this instrument now, as far as the market goes."""
        view = desk.view
        if desk.is_stopped or not view.was_good or self.is_stopping:
            return False
        if desk.is_waiting or desk.is_cut_off or view.status > POST_ONLY:
            return False
        return self.gate.state < HALT if not self.gate.scoped else self.gate.state_for(desk.name, view) < HALT

    def wake_legs(self, legs: list[Desk]) -> bool:
        """Ask a strategy with legs for the quotes of all of them, and send them for those that may be quoted now."""
        first = legs[0]
        if first.is_stopped or self.is_stopping or self.gate.state >= HALT:
            return False
        for leg in legs:
            leg.quotes.clear()
            leg.wakes += 1
            if leg.view.next_check_ns < self.now_ns:
                leg.view.catch_up(self.now_ns - 1)
            leg.view.now_ns = self.now_ns
            leg.view.own = leg.portfolio
        found: list[tuple[Desk, list[tuple[Command, int]]]] = []
        try:
            strategy: MultiStrategy = first.strategy  # type: ignore[assignment]
            strategy.on_wake_legs([leg.view for leg in legs], [leg.quotes for leg in legs])
            for leg in legs:
                view, quotes = leg.view, leg.quotes
                if quotes.is_kept or not self.may_quote(leg):
                    continue
                if view.tick_grid != 1 or view.lot_grid != 1:
                    quotes.lay_on(view.tick_grid, view.lot_grid)
                found.append((leg, leg.manager.reconcile(view, quotes, self.manager, leg.name)))
        except Exception as error:
            self.stop_desk(first, error)
            return False
        for leg, commands in found:
            for command, level in commands:
                self.send(command, leg.view, leg.venue, level, "")
        return True

    def act(self) -> bool:
        """Send the orders by which rules bring positions back within their limits."""
        for rule in self.gate.acting:
            for view in self.gate.views:
                for command in self.gate.actions(rule, view):
                    self.send_for(rule, command, view)
        return True

    def send_for(self, rule: RiskRule, command: NewOrder, view: View) -> bool:
        """Send an order of *rule* in the name of the strategy whose position it reduces; return whether it left."""
        for desk in self.desks_of[view.instrument_id]:
            if command.strategy in ("", desk.name):
                if desk.is_cut_off or desk.is_waiting or self.is_stopping:
                    return False
                named = replace(command, instrument=view.instrument_id, strategy=desk.name)
                return self.send(named, view, desk.venue, -1, rule.name)
        return False

    def has_no_owner(self, view: View, desk: Desk | None) -> bool:
        """Return whether nobody minds an order of *desk*: run, strategy, book or the way to its venue have ended."""
        if desk is None or desk.is_stopped or desk.is_cut_off:
            return True
        return self.is_stopping or not view.was_good or not view.takes_orders()

    def stop_desk(self, desk: Desk, error: BaseException) -> bool:
        """Stop a strategy that raised: its orders are cancelled, the rest of the run goes on."""
        for leg in desk.legs:
            leg.is_stopped = True
            for order in list(leg.view.live):
                if leg.owns(order):
                    self.cancel(order)
        self.recorder.on_strategy_failure(self.now_ns, desk.name, error)
        return True

    def send(self, command: Command, view: View, venue: Venue, level: int, rule: str) -> bool:
        """Let *command* pass the gate, count it, and hand it to its venue; return whether it left.

        *rule* names the risk rule that sends it, if one does.
        """
        view.now_ns = self.now_ns
        refusal = self.barred(command, view) if view.status else None
        if refusal is None:
            refusal = self.gate.verdict(command, view)
        if refusal is not None:
            self.recorder.on_refusal(self.now_ns, command, refusal, view)
            return False
        return self.dispatch(command, view, venue, level, rule)

    def barred(self, command: Command, view: View) -> Refusal | None:
        """Return why the instrument's state of trading lets *command* not pass."""
        if isinstance(command, CancelOrder):
            return None
        if view.status == POST_ONLY and (isinstance(command, AmendOrder) or command.post_only):
            return None
        return Refusal("status", STATUS_NAMES[view.status], f"{view.instrument.name} is {STATUS_NAMES[view.status]}")

    def dispatch(self, command: Command, view: View, venue: Venue, level: int, rule: str) -> bool:
        """Count *command* as sent, record it, and hand it to its venue."""
        view.now_ns = self.now_ns
        if type(command) is CancelOrder:
            self.manager.cancelling(self.manager.orders[command.order_number])
        elif isinstance(command, NewOrder):
            if command.order_number != self.manager.next_number:
                command = replace(command, order_number=self.manager.next_number)
            self.manager.next_number += 1
            self.manager.register(command, view, self.now_ns, level).rule = rule
            view.order_count += 1
        elif isinstance(command, AmendOrder):
            order = self.manager.orders[command.order_number]
            self.manager.amending(order, command.price_ticks, command.quantity_lots)
        self.record.on_command(self.now_ns, self.rows_consumed, command, view)
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
        if order.rule:
            return False  # a rule's order is immediate-or-cancel: it ends by itself
        view = order.view
        if view.status > POST_ONLY and order.cancel_refused_ns >= view.status_ns:
            return False  # refused once in this state of trading: asking again would only be refused again
        desk = self.desk_of(order)
        return desk is not None and self.dispatch(cancel_of(order), view, desk.venue, order.level, "")

    def enforce(self) -> bool:
        """Bring the working orders in line with the risk state."""
        gate = self.gate
        if not gate.is_restricting:
            return True
        for view in gate.views:
            if not view.live:
                continue
            if gate.state >= CANCEL_ALL:
                if self.must_cancel(view):
                    self.cancel_view(view)
                continue
            if gate.scoped:
                for order in list(view.live):
                    if gate.state_for(order.strategy, view) >= CANCEL_ALL:
                        self.cancel(order)
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
            orders = [
                order
                for order in view.live
                if order.side == side and self.gate.state_for(order.strategy, view) >= REDUCE_ONLY
            ]
            orders.sort(key=_nearest_first)
            for order in orders:
                if order.open_lots() <= room:
                    room -= order.open_lots()
                else:
                    room = 0
                    self.cancel(order)
        return True

    def operate(self, action: str, why: str) -> bool:
        """Take an operator's command.

        ``halt``, ``reduce_only``, ``resume`` (releases every latch) and ``flatten`` may be followed by what they are
        for: ``halt strategy:maker``, ``resume venue:main``, ``flatten instrument:BTC-USDT.perp@binance``. ``set`` is
        followed by a strategy's key and its new value: ``set strategies.maker.gamma=0.02``.

        Raises:
            ValueError: there is no such command, or its scope names nothing of this run.
            InputError, ConfigError: the value of ``set`` does not fit; nothing has changed.
        """
        verb, _, rest = action.partition(" ")
        if verb == "set":
            return change(self, action, rest)
        if verb not in ("halt", "reduce_only", "resume", "flatten"):
            raise ValueError(f"operator command should be halt, reduce_only, resume, flatten or set, was {action!r}")
        if rest and rest not in self.gate.scopes:
            known = ", ".join(sorted(self.gate.scopes))
            raise ValueError(f"operator command '{action}': '{rest}' should be one of {known}")
        self.recorder.on_operator(self.now_ns, self.rows_consumed, action)
        if verb == "halt":
            self.gate.operate(HALT, why, self.now_ns, rest)
        elif verb == "reduce_only":
            self.gate.operate(REDUCE_ONLY, why, self.now_ns, rest)
        elif verb == "resume":
            self.gate.release(self.now_ns, rest)
        else:
            return flatten(self, rest)
        return self.enforce()

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
