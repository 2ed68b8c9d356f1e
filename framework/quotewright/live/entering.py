"""Orders placed, changed and cancelled at a live venue: each write once, and what follows from its answer; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quotewright.execution import Amending, Fault, Frame, Placing
from quotewright.kernel.codes import NEVER
from quotewright.live.asking import FIRST_ASK_NS, SECOND, Asked, Asking, Subject
from quotewright.live.orders import Fetch
from quotewright.live.own_orders import OwnOrder, Stage

if TYPE_CHECKING:
    from quotewright.execution import Message
    from quotewright.model.orders import AmendOrder, CancelOrder, NewOrder


class Entering(Asking):
    """The writing half of a session: nothing is sent twice but cancels, and those only to an order that is open."""

    def _place(self, command: NewOrder, now_ns: int) -> None:
        instrument = self.instruments[command.instrument]
        order = self.own.add(command, instrument, self.client_id(command.order_number))
        why = "" if self._is_good else self._why or "the venue is out of reach"
        if not why and self.is_leaving:
            why = "the run ends"
        if why:
            self.own.reject(order, "venue", f"not sent: {why}", now_ns, now_ns)
            return
        by_rest = not self._entry_is_ready()
        wait_ns = self.order_windows.wait_ns(now_ns)
        if by_rest:
            wait_ns = max(wait_ns, self.requests.wait_ns(now_ns))
        if wait_ns:
            self.own.reject(
                order, "overload", f"not sent: the venue's limit has room in {wait_ns / 1e9:.3f} s", 0, now_ns
            )
            return
        self.order_windows.take(now_ns)
        self._next += 1
        placing = Placing(
            client_id=order.client_id,
            symbol=instrument.symbol,
            side=command.side,
            price=f"{instrument.price(command.price_ticks):f}" if command.price_ticks else "",
            quantity=f"{instrument.quantity(command.quantity_lots):f}",
            time_in_force=command.time_in_force,
            post_only=command.post_only,
            reduce_only=command.reduce_only,
        )
        self._write("place", order, self.wire.place(placing, self.stamp(now_ns), self._next, by_rest=by_rest), now_ns)

    def _want_cancel(self, command: CancelOrder, order: OwnOrder | None, now_ns: int) -> None:
        if order is None or not order.is_live:
            reason = "unknown_order" if order is None else "order_closed"
            self.own.cancel_rejected(command.order_number, reason, now_ns)
            return
        order.is_cancel_wanted = True
        order.cancel_at_ns = now_ns
        self._go_on(order, now_ns)

    def _want_amend(self, command: AmendOrder, order: OwnOrder | None, now_ns: int) -> None:
        if order is None:
            self.own.amend_refused(command.order_number, "unknown_order", now_ns)
            return
        order.amend = command
        order.is_amend_sent = False
        if not order.is_live or not self.wire.has_amend or not self._is_good:
            reason = "order_closed" if not order.is_live else "not_allowed" if not self.wire.has_amend else "venue"
            self.own.amend_rejected(order, reason, now_ns, now_ns)
            return
        self._go_on(order, now_ns)

    def _go_on(self, order: OwnOrder, now_ns: int) -> None:
        """Send what is wanted of *order* next, if it is its turn: nothing overtakes the answer to its placing."""
        if order.stage == Stage.SENT or not order.is_live:
            return
        if order.is_cancel_wanted:
            if not order.writes and order.cancel_at_ns <= now_ns:
                self._cancel(order, now_ns)
        elif order.amend is not None and not order.is_amend_sent and order.stage == Stage.OPEN and not order.writes:
            self._amend(order, order.amend, now_ns)

    def _cancel(self, order: OwnOrder, now_ns: int) -> None:
        by_rest = not self._entry_is_ready()
        if not self.credential.is_usable:
            order.cancel_at_ns = NEVER
            return
        wait_ns = self.requests.wait_ns(now_ns, is_cancel=True) if by_rest else 0
        if wait_ns:
            order.cancel_at_ns = now_ns + wait_ns
            return
        self._next += 1
        message = self.wire.cancel(
            order.instrument.symbol, order.client_id, self.stamp(now_ns), self._next, by_rest=by_rest
        )
        self._write("cancel", order, message, now_ns)

    def _amend(self, order: OwnOrder, command: AmendOrder, now_ns: int) -> None:
        by_rest = not self._entry_is_ready()
        if self.order_windows.wait_ns(now_ns) or (by_rest and self.requests.wait_ns(now_ns)):
            self.own.amend_rejected(order, "overload", now_ns, now_ns)
            return
        self._next += 1
        instrument = order.instrument
        amending = Amending(
            client_id=order.client_id,
            symbol=instrument.symbol,
            side=order.side,
            price=f"{instrument.price(command.price_ticks):f}",
            quantity=f"{instrument.quantity(command.quantity_lots):f}",
            keeps_price=command.price_ticks == order.price_ticks and command.quantity_lots < order.quantity_lots,
        )
        message = self.wire.amend(amending, self.stamp(now_ns), self._next, by_rest=by_rest)
        if message is None:
            self.own.amend_rejected(order, "not_allowed", now_ns, now_ns)
            return
        self.order_windows.take(now_ns)
        order.is_amend_sent = True
        self._write("amend", order, message, now_ns)

    def _write(self, subject: Subject, order: OwnOrder, message: Message, now_ns: int) -> None:
        """Send one write, once."""
        number = self._next
        self.writes.begin(str(number), [order.client_id], now_ns + int(self.settings.answer_timeout))
        asked = Asked(subject, symbol=order.instrument.symbol, order=order, asked_ns=now_ns)
        order.writes += 1
        order.latest_stamp_ns = max(order.latest_stamp_ns, self.stamp(now_ns))
        self.under_way[number] = asked
        if isinstance(message, Frame):
            asked.line = message.line
            self.lines[message.line].send(message.data, now_ns)
        else:
            self.requests.take(now_ns, message.weight, is_cancel=subject == "cancel")
            self.transport_orders.append(Fetch(number, message))
        self.writes.sent(str(number))

    def _entry_is_ready(self) -> bool:
        """Whether a line that takes orders is ready; if there is none, or it is down, orders go by HTTP."""
        return any(line.is_ready for line in self.lines.values() if line.line.is_entry)

    def _write_done(self, asked: Asked, fault: Fault | None, now_ns: int) -> None:
        """Draw the consequences of a write's answer, or of its absence."""
        order = asked.order
        assert order is not None
        order.writes -= 1
        if fault is not None:
            self.last_trouble = f"{asked.subject} {order.client_id}: {fault.code} {fault.text}".strip()
            if fault.outcome == "ambiguous":
                self.ambiguous += 1
            self._consequences(asked, fault, now_ns)
        else:
            self.credential.accepted()
        if asked.subject == "place":
            self._placed(order, fault, now_ns)
        elif asked.subject == "cancel":
            self._canceled(order, fault, now_ns)
        else:
            self._amended(order, fault, now_ns)
        self._go_on(order, now_ns)

    def _placed(self, order: OwnOrder, fault: Fault | None, now_ns: int) -> None:
        if order.stage not in (Stage.SENT, Stage.UNKNOWN):
            return  # the private stream was quicker
        is_there = fault is not None and fault.reason == "duplicate_id"  # an id is used once: it came, and came again
        if fault is not None and fault.outcome in ("reject", "retry_after", "fatal") and not is_there:
            reason = fault.reason if fault.outcome == "reject" else "overload" if fault.outcome != "fatal" else "venue"
            self.own.reject(order, reason, f"{fault.code} {fault.text}".strip(), now_ns, now_ns)
            return
        self.own.unknown(order, fault.text if fault is not None else "the answer does not tell", now_ns)
        self._ask_later(order, now_ns)

    def _canceled(self, order: OwnOrder, fault: Fault | None, now_ns: int) -> None:
        if not order.is_live:
            return
        if fault is None or fault.outcome in ("ambiguous", "absent"):
            if order.closing is None:
                order.cancel_at_ns = NEVER  # not before the venue has said that it is open
                self._ask_later(order, now_ns)
        elif fault.outcome == "reject":
            order.is_cancel_wanted = False
            self.own.cancel_rejected(order.number, fault.reason, now_ns)
        elif fault.outcome == "retry_after":
            order.cancel_at_ns = now_ns + max(fault.wait_ns, FIRST_ASK_NS)
        else:
            order.cancel_at_ns = now_ns + SECOND if fault.kind == "skew" and self.credential.is_usable else NEVER

    def _amended(self, order: OwnOrder, fault: Fault | None, now_ns: int) -> None:
        if order.amend is None or not order.is_live:
            return
        if fault is None or fault.outcome == "ambiguous":
            self._ask_later(order, now_ns)
            return
        reason = {"reject": fault.reason, "absent": "order_closed", "retry_after": "overload"}.get(
            fault.outcome, "venue"
        )
        self.own.amend_rejected(order, reason, now_ns, now_ns)
        if fault.outcome == "absent":
            self._ask_later(order, now_ns)
