"""Orders at one live venue: entered, followed, asked for when nobody knows, compared after every loss; pure.

What happens comes in with its time, what the transport is to do and what the pipeline is to be told come out. A write
is sent once: what became of one that was not answered is asked for, and only a cancel, which does no harm twice, is
sent again once the venue has said that the order is open.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from quotewright.errors import InputError
from quotewright.execution import (
    Answered,
    Ask,
    BalanceSeen,
    Execution,
    Fault,
    Gone,
    Login,
    OrderSeen,
    PositionSeen,
    Ready,
    Respond,
)
from quotewright.kernel.codes import NEVER
from quotewright.live.asking import FILL_PATIENCE_NS, MOST_FILL_ASKS, MOST_UNDER_WAY, SECOND, Asked
from quotewright.live.entering import Entering
from quotewright.live.orders import Fetch, Order
from quotewright.live.own_orders import OwnOrder, Stage
from quotewright.live.private_line import LineState, PrivateLine
from quotewright.live.writes import ItemAnswer
from quotewright.model.orders import CancelOrder, NewOrder, VenueState

if TYPE_CHECKING:
    from quotewright.execution import Heard, Told
    from quotewright.model.orders import Command, Report
    from quotewright.wire import Request

ABOUT: Final[Mapping[str, Ask]] = {
    "place": "place",
    "amend": "amend",
    "cancel": "cancel",
    "leftover": "cancel",
    "order": "order",
    "open_orders": "open_orders",
    "fills": "fills",
    "account": "account",
    "login": "login",
    "renew": "renew",
}
CLOCKS_NS: Final = 60 * SECOND
"""So much before the start are fills asked for: the clock that stamps them need not be the one that takes requests."""
SYNC_NS: Final = 3600 * SECOND
"""How often the clocks are compared."""


class OrderSession(Entering):
    """One account at one venue, from the first comparison of the clocks to the last open order."""

    # Life.

    def start(self, now_ns: int) -> None:
        """Begin to connect; until everything is compared the venue is reported as out of reach."""
        self._judge(now_ns)
        self.tick(now_ns)

    def leave(self, now_ns: int) -> None:
        """Take no new orders any more, and cancel those that are open."""
        self.is_leaving = True
        for order in self.own.live():
            order.is_cancel_wanted = True
        self.tick(now_ns)

    def check_left(self, now_ns: int) -> None:
        """Ask the venue once more which of our orders are open, before leaving."""
        for symbol in self.symbols:
            self.recovering.add(("open_orders", symbol))
            self._ask_open_orders(symbol)
        self._pump(now_ns)

    def close(self, now_ns: int) -> None:
        """Turn the dead-man switch off and close the lines."""
        for symbol in self.switches:
            off = self.wire.countdown(symbol, 0, self.stamp(now_ns))
            if off is not None and not self.own.live():
                self._next += 1
                self.transport_orders.append(Fetch(self._next, off))
        for line in self.lines.values():
            line.leave()

    # What the transport reports.

    def connected(self, number: int, now_ns: int) -> None:
        """The peer has taken the connection; it is not open yet."""

    def opened(self, number: int, now_ns: int) -> None:
        line = self._line(number)
        if line is None:
            return
        self._next += 1
        greeting = self.wire.greeting(line.name, self.stamp(now_ns), self._next)
        if greeting:
            self.under_way[self._next] = Asked("login", line=line.name, asked_ns=now_ns)
        line.opened(greeting, now_ns)
        if not greeting:
            self._ready(line, now_ns)
        self._after(now_ns)

    def heard(self, number: int, frame: bytes, now_ns: int) -> None:
        line = self._line(number)
        if line is None:
            return
        line.heard(now_ns)
        try:
            found = self.wire.heard(line.name, frame)
        except InputError as error:
            self.unread += 1
            self.last_trouble = str(error)
            if line.line.is_private:  # an event of ours may be lost in it
                self._lost(line, f"a frame cannot be read: {error}", now_ns, is_dropped=True)
        else:
            for one in found:
                self._heard(line, one, now_ns)
        self._after(now_ns)

    def ponged(self, number: int, now_ns: int) -> None:
        line = self._line(number)
        if line is not None:
            line.ponged(now_ns)

    def closed(self, number: int, code: int, reason: str, now_ns: int) -> None:
        line = self._line(number)
        if line is not None:
            self._lost(line, f"closed by the venue: {code} {reason}".rstrip(), now_ns)
            self._after(now_ns)

    def failed(
        self, number: int, reason: str, status: int, headers: Mapping[str, str], body: bytes, now_ns: int
    ) -> None:
        line = self._line(number)
        if line is None:
            return
        wait_ns = 0
        if status:
            fault = self.wire.read("login", status, headers, body).fault
            if fault is not None:
                wait_ns = fault.wait_ns
                if fault.outcome == "fatal":
                    self._refused(fault, now_ns, now_ns)
            if self.token and line.line.needs_login and status in (400, 401, 403):
                self._login_gone(now_ns)
        self._lost(line, reason, now_ns, wait_ns)
        self._after(now_ns)

    def answered(self, ticket: int, status: int, headers: Mapping[str, str], body: bytes, now_ns: int) -> None:
        self._answer(ticket, status, headers, body, now_ns)
        self._after(now_ns)

    def unanswered(self, ticket: int, reason: str, now_ns: int) -> None:
        asked = self.under_way.pop(ticket, None)
        if asked is None:
            self.writes.lost(str(ticket), reason)
        elif asked.subject in ("place", "amend", "cancel"):
            self.writes.lost(str(ticket), reason)
            self._write_done(asked, Fault("ambiguous", text=reason), now_ns)
        else:
            self._question_failed(asked, Fault("ambiguous", text=reason), now_ns)
        self._after(now_ns)

    # What the pipeline wants.

    def command(self, command: Command, now_ns: int) -> None:
        """Carry out a command of the pipeline; what becomes of it is reported."""
        if isinstance(command, NewOrder):
            self._place(command, now_ns)
        else:
            order = self.own.by_number.get(command.order_number)
            if isinstance(command, CancelOrder):
                self._want_cancel(command, order, now_ns)
            else:
                self._want_amend(command, order, now_ns)
        self._pump(now_ns)

    def take_orders(self) -> list[Order]:
        """Return what the transport is to do since the last call."""
        orders = list(self.transport_orders)
        self.transport_orders.clear()
        return orders

    def take_reports(self) -> list[Report]:
        """Return what the pipeline is to be told since the last call."""
        return self.own.take_reports()

    # Answers.

    def _answer(self, number: int, status: int, headers: Mapping[str, str], body: bytes, now_ns: int) -> None:
        asked = self.under_way.pop(number, None)
        if asked is None:
            self.writes.answered(str(number), [])
            return
        if asked.subject in ("time", "countdown"):
            self._service(asked, status, headers, body, now_ns)
            return
        about = ABOUT[asked.subject]
        reading = self.wire.read(about, status, headers, body, asked.symbol)
        self._weights(reading.weights, now_ns)
        for told in reading.told:
            self._told(told, now_ns)
        if asked.order is not None and asked.subject in ("place", "amend", "cancel"):
            fault = reading.fault
            is_accepted = None if fault is not None and fault.outcome == "ambiguous" else fault is None
            self.writes.answered(str(number), [ItemAnswer(asked.order.client_id, is_accepted)])
            self._write_done(asked, fault, now_ns)
        elif reading.fault is not None:
            self._question_failed(asked, reading.fault, now_ns)
        else:
            self.credential.accepted()
            self.pause.reset()
            self._answered_question(asked, reading, body, now_ns)

    def _weights(self, weights: Mapping[str, int], now_ns: int) -> None:
        """Take the venue's own counts."""
        for windows in (self.requests, self.order_windows):
            for window in windows.windows:
                if window.name in weights:
                    windows.told(window.name, weights[window.name], now_ns)

    def _told(self, told: Told, now_ns: int) -> None:
        if isinstance(told, Execution):
            self.own.executed(told, now_ns)
        elif isinstance(told, OrderSeen):
            order = self.own.seen(told, now_ns)
            if order is not None:
                self._go_on(order, now_ns)
        elif isinstance(told, BalanceSeen):
            self.balances[told.currency] = told
        elif isinstance(told, PositionSeen):
            self.positions[told.symbol] = told
        elif isinstance(told, Login):
            self.token = told.token
            if self.expiry is not None:
                self.expiry.renewed(now_ns)

    def _heard(self, line: PrivateLine, one: Heard, now_ns: int) -> None:
        if isinstance(one, Answered):
            asked = self.under_way.get(one.number)
            if asked is not None and asked.subject == "login" and asked.line:
                del self.under_way[one.number]
                fault = self.wire.read("login", one.status, {}, one.body).fault
                if fault is not None:
                    if fault.outcome == "fatal":
                        self._refused(fault, asked.asked_ns, now_ns)
                    self._lost(line, f"{fault.code} {fault.text}".strip(), now_ns, fault.wait_ns, is_dropped=True)
                elif not line.is_ready:
                    self._ready(line, now_ns)
            else:
                self._answer(one.number, one.status, {}, one.body, now_ns)
        elif isinstance(one, Ready):
            self._ready(line, now_ns)
        elif isinstance(one, Gone):
            if one.is_login:
                self._login_gone(now_ns)
            self._lost(line, one.text, now_ns, is_dropped=True)
        elif isinstance(one, Respond):
            for frame in one.frames:
                line.send(frame, now_ns)
        else:
            self._told(one, now_ns)

    # Lines and recovery.

    def _line(self, number: int) -> PrivateLine | None:
        return next((line for line in self.lines.values() if line.number == number), None) if number else None

    def _ready(self, line: PrivateLine, now_ns: int) -> None:
        """A line serves; once all private ones do, orders are compared before anything is entered."""
        line.ready()
        if line.line.is_private and all(one.is_ready for one in self.lines.values() if one.line.is_private):
            self._recover(now_ns)

    def _recover(self, now_ns: int) -> None:
        """Ask for what may have been missed: open orders, fills, the account, and whatever is unclear."""
        self.recoveries += 1
        self.start_stamp_ns = self.start_stamp_ns or self.stamp(now_ns) - CLOCKS_NS
        self.recovering = {(what, symbol) for what in ("open_orders", "fills") for symbol in self.symbols}
        for symbol in self.symbols:
            self._ask_open_orders(symbol)
            self._ask_fills(symbol)
        self._ask_account(now_ns)
        for order in self.own.live():
            if order.ask_at_ns is not None:
                order.ask_at_ns = now_ns

    def _ask_account(self, now_ns: int) -> None:
        for number in range(len(self.wire.account(self.stamp(now_ns)))):
            self.recovering.add(("account", str(number)))
            self._question(Asked("account", partial(self._account, number), client_id=str(number)))

    def _account(self, number: int, stamp_ns: int) -> Request:
        return self.wire.account(stamp_ns)[number]

    def _lost(self, line: PrivateLine, why: str, now_ns: int, wait_ns: int = 0, *, is_dropped: bool = False) -> None:
        """A line is gone: what was sent on it and not answered is unknown; without a private one nobody quotes."""
        (line.drop if is_dropped else line.lost)(why, now_ns, wait_ns)
        self.last_trouble = f"{line.name}: {why}"
        for number, asked in list(self.under_way.items()):
            if asked.line != line.name:
                continue
            del self.under_way[number]
            if asked.order is not None:
                self.writes.lost(str(number), why)
                self._write_done(asked, Fault("ambiguous", text=why), now_ns)
        if line.line.is_private:
            self.private.down(why)
            self.recovering.clear()
            for switch in self.switches.values():
                if switch.rule.refresh == "connection":
                    switch.disconnected(now_ns)

    # Clock, login, dead-man switch.

    def _service(self, asked: Asked, status: int, headers: Mapping[str, str], body: bytes, now_ns: int) -> None:
        """Take the answer of the venue's clock or of its dead-man switch."""
        fault = None
        if asked.subject == "countdown":
            fault = self.wire.read("countdown", status, headers, body, asked.symbol).fault
            if fault is None:
                self.switches[asked.symbol].confirmed(now_ns)
        elif status == 200:
            try:
                told_ns = self.wire.server_time_ns(body)
            except InputError as error:
                fault = Fault("retry_after", text=str(error))
            else:
                self.credential.synced(told_ns - (asked.asked_ns + now_ns) // 2)
                self.is_synced = True
                self._synced_ns = now_ns
                self._sync_at_ns = now_ns + SYNC_NS
        else:
            fault = self.wire.read("account", status, headers, body).fault or Fault("retry_after", text=f"{status}")
        if fault is not None:
            self._question_failed(asked, fault, now_ns)

    # Time.

    def tick(self, now_ns: int) -> None:
        """Let time pass."""
        if self._sync_at_ns <= now_ns:
            self._sync_at_ns = NEVER
            self._question(Asked("time", lambda stamp: self.wire.time_request()))
        for line in self.lines.values():
            why = line.tick(now_ns)
            if why:
                self._lost(line, why, now_ns, is_dropped=True)
        for write in list(self.writes.under_way.values()):
            if write.deadline_ns <= now_ns:
                self._late(int(write.request), now_ns)
        for order in self.own.live():
            if order.ask_at_ns is not None and order.ask_at_ns <= now_ns and self.is_synced:
                order.ask_at_ns = NEVER  # until it is answered
                self._ask_order(order)
            self._go_on(order, now_ns)
        self._fetch_missing(now_ns)
        if self._reconcile_at_ns <= now_ns:
            self._reconcile_at_ns = now_ns + int(self.settings.reconcile)
            for symbol in self.symbols:
                self._ask_open_orders(symbol)
        self._refresh_switches(now_ns)
        self._after(now_ns)

    def _late(self, number: int, now_ns: int) -> None:
        """A write has not been answered in time."""
        asked = self.under_way.pop(number, None)
        self.writes.lost(str(number), "no answer in time")
        if asked is not None:
            self._write_done(asked, Fault("ambiguous", text="no answer in time"), now_ns)
            line = self.lines.get(asked.line)
            if line is not None and line.number:  # a line that swallows requests is taken for dead
                self._lost(line, "an order was not answered in time", now_ns, is_dropped=True)

    def _log_in(self, now_ns: int) -> None:
        """Ask for a token, or make the one at hand hold on."""
        if self.expiry is None or not self.is_synced:
            return
        if not self.token:
            if self.wire.login(self.stamp(now_ns)) is not None:
                self._question(Asked("login", self._login))
        elif self.expiry.due_ns <= now_ns:
            self.expiry.due_ns = now_ns + self.expiry.retry_ns
            self._question(Asked("renew", self._renew))

    def _login(self, stamp_ns: int) -> Request:
        request = self.wire.login(stamp_ns)
        assert request is not None
        return request

    def _renew(self, stamp_ns: int) -> Request:
        request = self.wire.renew(self.token, stamp_ns)
        assert request is not None
        return request

    def _open_lines(self, now_ns: int) -> None:
        if not self.is_synced or not self.credential.is_usable:
            return
        for line in self.lines.values():
            if line.state != LineState.DOWN or line.open_at_ns > now_ns or now_ns < self.banned_until_ns:
                continue
            if line.line.needs_login and not self.token:
                continue
            wait_ns = self.connects.wait_ns(now_ns)
            if wait_ns:
                line.open_at_ns = now_ns + wait_ns
                continue
            self.connects.take(now_ns)
            self._next += 1
            line.open(self._next, self.wire.url(line.name, self.token if line.line.needs_login else ""), now_ns)

    def _fetch_missing(self, now_ns: int) -> None:
        """Ask for fills that the venue counts and has not told; give up after some tries, and say so."""
        short: dict[str, list[OwnOrder]] = {}
        for order in self.own.missing_fills():
            short.setdefault(order.instrument.symbol, []).append(order)
        for symbol in [one for one in self._fill_asks if one not in short]:
            del self._fill_asks[symbol]
        for symbol, orders in short.items():
            due_ns, tries = self._fill_asks.setdefault(symbol, (now_ns + FILL_PATIENCE_NS, 0))
            if due_ns > now_ns:
                continue
            if self._is_asked("fills", symbol):  # a try counts once it has been answered
                self._fill_asks[symbol] = (now_ns + FILL_PATIENCE_NS, tries)
                continue
            if tries >= MOST_FILL_ASKS:
                for order in orders:
                    self.own.faults.append(
                        f"{symbol}: the venue counts {order.told_lots} lots of order {order.client_id} filled, "
                        f"and tells fills of {order.filled_lots} only"
                    )
                    self.own.settled(order, now_ns)
                continue
            self._fill_asks[symbol] = (now_ns + FILL_PATIENCE_NS * (tries + 2), tries + 1)
            self._ask_fills(symbol)

    def _is_asked(self, subject: str, symbol: str) -> bool:
        """Whether such a question about *symbol* waits or is under way."""
        key = (subject, symbol, "")
        return key in self.waiting or any(one.key == key for one in self.under_way.values())

    def _refresh_switches(self, now_ns: int) -> None:
        for symbol, switch in self.switches.items():
            switch.tick(now_ns)
            if switch.is_due(now_ns) and self.is_synced and not self.is_left:
                switch.sent(now_ns)
                self._question(Asked("countdown", partial(self._countdown, symbol), symbol, is_urgent=True))

    def _countdown(self, symbol: str, stamp_ns: int) -> Request:
        request = self.wire.countdown(symbol, self.switches[symbol].window_ns, stamp_ns)
        assert request is not None
        return request

    def _after(self, now_ns: int) -> None:
        """Do what has become possible, and say whether the venue is in reach."""
        if not self.is_left:
            self._log_in(now_ns)
            self._open_lines(now_ns)
        self._pump(now_ns)
        self._judge(now_ns)

    def _judge(self, now_ns: int) -> None:
        """Report it when the venue comes into reach, or goes out of it."""
        private = [line for line in self.lines.values() if line.line.is_private]
        if not self.recovering and self.recoveries and not self.private.is_up and all(one.is_ready for one in private):
            self.private.up()
            self._reconcile_at_ns = now_ns + int(self.settings.reconcile)
            for switch in self.switches.values():
                switch.arm(now_ns)
        gate = self.private.gate(now_ns)
        why = self.final or gate.why
        if not why and now_ns < self.banned_until_ns:
            why = "the venue has banned this address for a while"
        if not why:
            why = next((switch.why for switch in self.switches.values() if switch.must_pull), "")
        if not why and self.own.faults:
            why = self.own.faults[0]
        if self.recovering and self.private.is_up and self.is_leaving:
            why = why or "open orders are compared before leaving"
        self._why = why
        if (not why) != self._is_good:
            self._is_good = not why
            self.own.reports.append(VenueState(event_ns=now_ns, receive_ns=now_ns, is_good=self._is_good, reason=why))

    @property
    def is_good(self) -> bool:
        """Whether orders may be entered."""
        return bool(self._is_good)

    @property
    def is_left(self) -> bool:
        return all(line.state == LineState.LEFT for line in self.lines.values())

    @property
    def deadline_ns(self) -> int:
        """When :meth:`tick` is due next."""
        due = [
            # Nothing is opened while the venue wants silence.
            max(line.deadline_ns, self.banned_until_ns) if line.state == LineState.DOWN else line.deadline_ns
            for line in self.lines.values()
            if self._may_open(line)
        ]
        due += [asked.not_before_ns for asked in self.waiting.values() if asked.not_before_ns and self._may_ask(asked)]
        due += [write.deadline_ns for write in self.writes.under_way.values()]
        for order in self.own.live():
            if order.ask_at_ns is not None and self.is_synced:
                due.append(order.ask_at_ns)
            if order.is_cancel_wanted and not order.writes and order.cancel_at_ns and order.stage != Stage.SENT:
                due.append(order.cancel_at_ns)
        due += [at_ns for at_ns, _ in self._fill_asks.values()]
        due += [one.deadline_ns for one in self.switches.values() if one.deadline_ns is not None]
        if self.expiry is not None and self.token:
            due.append(self.expiry.due_ns)
        return min([*due, self._sync_at_ns, self._reconcile_at_ns])

    def _may_ask(self, asked: Asked) -> bool:
        """Whether a question that waits can leave when its time has come; else something must happen first."""
        if len(self.under_way) >= MOST_UNDER_WAY and not asked.is_urgent:
            return False
        return asked.subject == "time" or self._may_sign()

    def _may_open(self, line: PrivateLine) -> bool:
        if line.state != LineState.DOWN:
            return True
        return self.is_synced and self.credential.is_usable and not (line.line.needs_login and not self.token)

    # What is shown.

    def report(self) -> dict[str, Any]:
        """Return how the venue stands, for the status and the summary."""
        own = self.own
        return {
            "is_good": self.is_good,
            "why": self._why,
            "key": self.credential.state.name.lower(),
            "clock_offset_ms": round(self.credential.offset_ns / 1e6, 3),
            "lines": {
                line.name: {
                    "state": line.state.name.lower(),
                    "opens": line.opens,
                    "losses": line.losses,
                    "why": line.why,
                }
                for line in self.lines.values()
            },
            "recoveries": self.recoveries,
            "open_orders": len(own.live()),
            "unknown_orders": sum(one.stage == Stage.UNKNOWN for one in own.live()),
            "ambiguous": self.ambiguous,
            "foreign_orders": self.foreign_orders,
            "foreign_fills": own.foreign_fills,
            "leftovers": self.leftovers,
            "duplicate_fills": own.duplicate_fills,
            "overfills": own.overfills,
            "faults": own.faults[:10],
            "answers_twice": self.writes.answered_twice,
            "unread": self.unread,
            "last_trouble": self.last_trouble,
        }
