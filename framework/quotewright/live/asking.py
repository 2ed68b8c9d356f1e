"""Questions to a live venue, asked within its limits, and the state that everything about its orders shares; pure."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, Literal

import attrs

from quotewright.errors import ConfigError
from quotewright.execution import BalanceSeen, Fault, Frame, OrderSeen, PositionSeen, Reading
from quotewright.kernel.codes import NEVER
from quotewright.live.backoff import Backoff
from quotewright.live.budget import Windows
from quotewright.live.credentials import Credential, Expiry, KeyState, PrivateSide
from quotewright.live.deadman import DeadManSwitch
from quotewright.live.orders import Fetch, Order
from quotewright.live.own_orders import OwnOrder, OwnOrders, Stage
from quotewright.live.private_line import PrivateLine
from quotewright.live.writes import Writes

if TYPE_CHECKING:
    from quotewright.execution import OrderWire
    from quotewright.live.venue_settings import VenueSettings
    from quotewright.model.instrument import Instrument
    from quotewright.wire import Request

SECOND: Final = 1_000_000_000
FIRST_ASK_NS: Final = 250_000_000
MOST_ASK_NS: Final = 5 * SECOND
MARGIN_NS: Final = SECOND
"""Beyond the receive window: what the clocks may differ."""
FILL_PATIENCE_NS: Final = 500_000_000
"""So long may a fill stay away that the venue counts already, before it is asked for."""
MOST_FILL_ASKS: Final = 6
MOST_UNDER_WAY: Final = 8
FULL_TIMES: Final = 2
"""So often in a row must the venue say that it does not know an order."""

Subject = Literal[
    "place", "amend", "cancel", "leftover", "order", "open_orders", "fills", "account", "login", "renew", "time",
    "countdown",
]  # fmt: skip


@attrs.define(eq=False)
class Asked:
    """One request, waiting or under way."""

    subject: Subject
    build: Callable[[int], Request] | None = None
    """Makes it with a stamp, at the moment it leaves."""
    symbol: str = ""
    order: OwnOrder | None = None
    client_id: str = ""
    line: str = ""
    """The line that it went by; empty: HTTP."""
    asked_ns: int = 0
    not_before_ns: int = 0
    is_urgent: bool = False
    then: Callable[[int], None] | None = None

    @property
    def key(self) -> tuple[str, str, str]:
        return (self.subject, self.symbol, self.client_id)


class Asking:
    """One account at one venue: what is asked, and what the answers to questions change.

    Args:
        instruments: By id of the run.
        tag: Part of every client id; no two runs on an account may share it.
        chance: Where pauses are drawn.
        key_name: What the key is called in messages.
    """

    def __init__(
        self,
        wire: OrderWire,
        settings: VenueSettings,
        instruments: Sequence[Instrument],
        tag: str,
        chance: random.Random,
        key_name: str = "key",
    ) -> None:
        self.wire = wire
        self.settings = settings
        self.instruments = tuple(instruments)
        self.symbols = tuple(one.symbol for one in instruments)
        self.prefix = settings.client_prefix
        self.tag = tag
        self.own = OwnOrders(instruments)
        self.writes = Writes()
        self.credential = Credential(key_name)
        limits, reserve = wire.limits, settings.cancel_reserve
        self.requests = Windows(limits.requests, reserve)
        self.order_windows = Windows(limits.orders, 0.0)
        self.connects = Windows(limits.connects)
        rule = wire.login_rule
        self.expiry = Expiry(rule.life_ns, rule.renew_ns) if rule is not None else None
        self.private = PrivateSide(self.credential, self.expiry)
        self.transport_orders: list[Order] = []
        self.lines = {
            line.name: PrivateLine(
                line, settings, self._pause(chance), Windows(limits.sends), self.transport_orders, limits.life_ns
            )
            for line in wire.lines()
        }
        self.pause = self._pause(chance)
        self.token = ""
        self.waiting: dict[tuple[str, str, str], Asked] = {}
        self.under_way: dict[int, Asked] = {}
        self.recovering: set[tuple[str, str]] = set()
        """What is still asked for before orders may be entered."""
        self.balances: dict[str, BalanceSeen] = {}
        self.positions: dict[str, PositionSeen] = {}
        self.switches: dict[str, DeadManSwitch] = {}
        if settings.dead_man is not None:
            if wire.dead_man is None:
                raise ConfigError("dead_man: this venue has no dead-man switch here; leave the key out")
            self.switches = {one: DeadManSwitch(wire.dead_man, int(settings.dead_man)) for one in self.symbols}
        self.is_synced = False
        self.is_leaving = False
        self.banned_until_ns = 0
        self.final = ""
        """Why nobody trades here any more, until a person has acted."""
        self.last_trouble = ""
        self.ambiguous = 0
        self.foreign_orders = 0
        """Open orders of the account that are not ours, when they were last compared."""
        self.leftovers = 0
        self.unread = 0
        self.recoveries = 0
        self.start_stamp_ns = 0
        self._anchors: dict[str, str] = {}
        self._fill_asks: dict[str, tuple[int, int]] = {}
        self._next = 0
        self._sync_at_ns = 0
        self._reconcile_at_ns = NEVER
        self._synced_ns = 0
        self._is_good: bool | None = None
        self._why = ""

    def _pause(self, chance: random.Random) -> Backoff:
        settings = self.settings
        return Backoff(int(settings.backoff), int(settings.backoff_most), int(settings.healthy), chance)

    def stamp(self, now_ns: int) -> int:
        """Return the venue's clock at *now_ns*, as far as it is known."""
        return now_ns + self.credential.offset_ns

    def client_id(self, number: int) -> str:
        """Return how order *number* is called at the venue."""
        return f"{self.prefix}{self.tag}-{number}"

    # Questions.

    def _ask_later(self, order: OwnOrder, now_ns: int) -> None:
        """Have *order* asked for, with growing pauses."""
        if order.is_live:
            order.ask_at_ns = now_ns + min(MOST_ASK_NS, FIRST_ASK_NS << min(order.asks, 8))

    def _question(self, asked: Asked) -> None:
        """Put a question into the queue unless the same waits or is under way."""
        if asked.key in self.waiting or any(one.key == asked.key for one in self.under_way.values()):
            return
        self.waiting[asked.key] = asked

    def _ask_order(self, order: OwnOrder) -> None:
        symbol, client_id = order.instrument.symbol, order.client_id
        self._question(
            Asked(
                "order",
                lambda stamp: self.wire.order(symbol, client_id, stamp),
                symbol,
                order,
                client_id,
                is_urgent=True,
            )
        )

    def _ask_open_orders(self, symbol: str) -> None:
        self._question(Asked("open_orders", lambda stamp: self.wire.open_orders(symbol, stamp), symbol, is_urgent=True))

    def _ask_fills(self, symbol: str, then: Callable[[int], None] | None = None) -> None:
        self._question(
            Asked(
                "fills",
                lambda stamp: self.wire.fills(symbol, self._anchors.get(symbol, ""), self.start_stamp_ns, stamp),
                symbol,
                is_urgent=True,
                then=then,
            )
        )

    def _may_sign(self) -> bool:
        """Whether what is signed now has a chance."""
        credential = self.credential
        return credential.state == KeyState.GOOD or credential.may_retry

    def _pump(self, now_ns: int) -> None:
        """Send the questions whose turn it is."""
        for key, asked in list(self.waiting.items()):
            if len(self.under_way) >= MOST_UNDER_WAY and not asked.is_urgent:
                continue
            if asked.not_before_ns > now_ns or asked.build is None:
                continue
            if asked.subject != "time" and not self._may_sign():
                continue
            request = asked.build(self.stamp(now_ns))
            if not self.requests.take(now_ns, request.weight, is_cancel=asked.is_urgent):
                asked.not_before_ns = now_ns + self.requests.wait_ns(now_ns, request.weight, is_cancel=asked.is_urgent)
                continue
            del self.waiting[key]
            self._next += 1
            asked.asked_ns = now_ns
            self.under_way[self._next] = asked
            self.transport_orders.append(Fetch(self._next, request))

    def _answered_question(self, asked: Asked, reading: Reading, body: bytes, now_ns: int) -> None:
        """Take the answer to a question; what it told has been booked already."""
        subject, symbol = asked.subject, asked.symbol
        if subject == "order" and asked.order is not None:
            self._seen_order(asked.order, now_ns)
        elif subject == "open_orders":
            self._compare(symbol, reading, now_ns)
        elif subject == "fills":
            fills = [one for one in reading.told if not isinstance(one, OrderSeen)]
            if fills:
                self._anchors[symbol] = getattr(fills[-1], "fill_id", "") or self._anchors.get(symbol, "")
            if fills and self.wire.has_more_fills(body):
                self._ask_fills(symbol, asked.then)
                return
            self.recovering.discard(("fills", symbol))
            if asked.then is not None:
                asked.then(now_ns)
        elif subject == "account":
            self.recovering.discard(("account", asked.client_id))
            self._require_flat()
        elif subject == "renew" and self.expiry is not None:
            self.expiry.renewed(asked.asked_ns)
        elif subject == "leftover":
            self._ask_open_orders(symbol)

    def _require_flat(self) -> None:
        """Refuse to trade on an account that holds a position at the start, unless the config lets it."""
        if self.settings.position == "any" or self.private.is_up or self.recoveries > 1:
            return
        for symbol in self.symbols:
            position = self.positions.get(symbol)
            if position is not None and position.quantity.strip("0.-+"):
                self.final = (
                    f"the account holds {position.quantity} of {symbol} at the start; close it, or set "
                    'position = "any" to count from zero all the same'
                )

    def _seen_order(self, order: OwnOrder, now_ns: int) -> None:
        """The venue has said how *order* stands."""
        if not order.is_live or order.stage != Stage.OPEN:
            return
        order.ask_at_ns = None
        if order.closing is not None:
            return  # its last fills are awaited
        if order.is_cancel_wanted:
            order.cancel_at_ns = now_ns
        if order.amend is not None and order.is_amend_sent and not order.writes:
            if self._is_too_late(order, now_ns):
                self.own.amend_rejected(order, "venue", now_ns, now_ns)
            else:
                order.asks += 1
                self._ask_later(order, now_ns)
                return
        order.asks = 0

    def _is_too_late(self, order: OwnOrder, now_ns: int) -> bool:
        """Whether no write about *order* can be taken by the venue any more."""
        return self.stamp(now_ns) > order.latest_stamp_ns + self.wire.receive_window_ns + MARGIN_NS

    def _not_there(self, order: OwnOrder, now_ns: int) -> None:
        """The venue does not know *order*: proven only if it says so twice, and no write can still arrive."""
        if not order.is_live:
            return
        order.asks += 1
        if order.asks < FULL_TIMES or order.writes or not self._is_too_late(order, now_ns):
            self._ask_later(order, now_ns)
        elif order.is_accepted:
            order.ask_at_ns = None
            self._ask_fills(order.instrument.symbol, lambda then_ns: self._vanish(order, then_ns))
        else:
            self.own.never_arrived(order, now_ns)

    def _vanish(self, order: OwnOrder, now_ns: int) -> None:
        if order.is_live:
            self.own.vanished(order, now_ns)

    def _compare(self, symbol: str, reading: Reading, now_ns: int) -> None:
        """Hold the venue's open orders against ours."""
        theirs = {one.client_id: one for one in reading.told if isinstance(one, OrderSeen)}
        for order in self.own.live(symbol):
            if order.is_accepted and order.client_id not in theirs and order.ask_at_ns is None:
                order.ask_at_ns = now_ns
        old = [one for one in theirs if one not in self.own.by_client and one.startswith(self.prefix)]
        self.foreign_orders = sum(one not in self.own.by_client for one in theirs) - len(old)
        if not old:
            self.recovering.discard(("open_orders", symbol))
        elif self.settings.leftovers == "refuse":
            self.final = (
                f"{len(old)} orders of an earlier run are open in {symbol} ({old[0]}, …): cancel them at the venue, or "
                'set leftovers = "cancel"'
            )
        else:
            for client_id in old:
                self._cancel_leftover(symbol, client_id)

    def _cancel_leftover(self, symbol: str, client_id: str) -> None:
        def build(stamp_ns: int) -> Request:
            message = self.wire.cancel(symbol, client_id, stamp_ns, 0, by_rest=True)
            assert not isinstance(message, Frame)
            return message

        self.leftovers += 1
        self._question(Asked("leftover", build, symbol, client_id=client_id, is_urgent=True))

    def _question_failed(self, asked: Asked, fault: Fault, now_ns: int) -> None:
        """A question was not answered, or not with a success: ask again later, or draw the conclusion."""
        self.last_trouble = f"{asked.subject} {asked.symbol}: {fault.code} {fault.text}".strip()
        self._consequences(asked, fault, now_ns)
        if fault.outcome == "absent":
            if asked.subject == "order" and asked.order is not None:
                self._not_there(asked.order, now_ns)
            elif asked.subject == "leftover":
                self._ask_open_orders(asked.symbol)
            elif asked.subject == "renew":
                self._login_gone(now_ns)
            elif asked.subject == "open_orders":
                self._compare(asked.symbol, Reading(), now_ns)
            return
        if asked.subject == "renew" and self.expiry is not None:
            self.expiry.failed(now_ns)
            return
        if asked.subject == "order" and asked.order is not None:
            if asked.order.is_live:
                asked.order.asks += 1
                self._ask_later(asked.order, now_ns)
                if asked.order.ask_at_ns is not None:
                    asked.order.ask_at_ns = max(asked.order.ask_at_ns, now_ns + fault.wait_ns)
            return
        asked.not_before_ns = now_ns + self.pause.next_ns(fault.wait_ns, fault.text)
        self.waiting.setdefault(asked.key, asked)

    def _consequences(self, asked: Asked, fault: Fault, now_ns: int) -> None:
        """Keep silent for as long as the venue asks; mind what it says of the key."""
        if fault.outcome == "retry_after":
            until_ns = now_ns + fault.wait_ns
            if fault.is_ban:
                self.banned_until_ns = max(self.banned_until_ns, until_ns)
                self.order_windows.hold(until_ns)
                self.requests.hold(until_ns)
            else:
                if asked.subject in ("place", "amend"):
                    self.order_windows.hold(until_ns)
                if not fault.is_of_orders:
                    self.requests.hold(until_ns)
        elif fault.outcome == "fatal":
            self._refused(fault, asked.asked_ns, now_ns)

    def _refused(self, fault: Fault, asked_ns: int, now_ns: int) -> None:
        """The venue refuses what was signed at *asked_ns*."""
        if fault.kind == "skew" and self.credential.state == KeyState.SKEWED and asked_ns <= self._synced_ns:
            return  # it left before the clocks were compared
        if fault.kind == "skew" and self.credential.state == KeyState.SKEWED and not self.credential.may_retry:
            return  # the comparison is under way
        if self.credential.refused(fault.kind, fault.code, fault.text) == "resync":
            self._sync_at_ns = now_ns

    def _login_gone(self, now_ns: int) -> None:
        """The token holds no more: a new one is asked for."""
        self.token = ""
        if self.expiry is not None:
            self.expiry.expired(now_ns)
