"""An execution venue over the network: what a plugin makes of an order wire; see ``docs/live-venues.md``.

The pipeline sees a venue like any other. Frames and answers are queued with the time they came;
:meth:`LiveVenue.process` hands them to the session, whose reports the pipeline takes in order of those times.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import attrs

from quotewright.errors import ConfigError
from quotewright.kernel.codes import NEVER
from quotewright.kernel.venue import Venue
from quotewright.live.order_session import OrderSession
from quotewright.live.venue_settings import Secret, VenueSettings, read_secret
from quotewright.model.orders import VenueState

if TYPE_CHECKING:
    from quotewright.execution import OrderWire
    from quotewright.live.clock import Clock
    from quotewright.live.driver import Carrier
    from quotewright.live.transport import Events
    from quotewright.model.cards import VenueCard
    from quotewright.model.orders import Command, Report
    from quotewright.wiring import VenueContext

DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
MILLISECOND = 1_000_000


@attrs.frozen(kw_only=True)
class Account:
    """What a plugin makes its order wire of: the key, its secret, and the venue's card, if the config names one."""

    key: Secret
    secret: Secret
    card: VenueCard | None
    where: str


class LiveVenue(Venue):
    """One account at one venue.

    Args:
        settings: The table's keys.
        wire: Makes the order wire of an account; raises ConfigError for what does not fit.
        feed: Name and keys of the feed adapter that shows this venue's market, for ``plugin = "venue"``.
        card_name: Of the venue card that is wanted where the table names none.
    """

    def __init__(
        self,
        settings: VenueSettings,
        wire: Callable[[Account], OrderWire],
        feed: tuple[str, Mapping[str, Any]] = ("", {}),
        card_name: str = "",
    ) -> None:
        super().__init__()
        self.settings = settings
        self.make_wire = wire
        self.feed = feed
        self.card_name = card_name
        self.name = ""
        self.session: OrderSession | None = None
        self.transport: Carrier | None = None
        self.clock: Clock | None = None
        self.on_news: Callable[[], None] = _nobody
        self._queue: deque[tuple[int, Callable[[int], None]]] = deque()
        self._reports: deque[Report] = deque()
        self.left_open: list[str] | None = None
        """Client ids of our orders that the venue still had when the run left; None: it has not left yet."""

    # The contract of a venue.

    def connect(self, context: VenueContext) -> None:
        """Read the key, make the session; nothing is sent before :meth:`start`."""
        settings, where = self.settings, context.where
        if context.tape is not None and not context.is_replay:
            raise ConfigError(
                f'{where}: a recorded market takes no live orders; write another plugin here, such as "replay"'
            )
        for name in ("rest", "websocket", "ws_api"):
            self._require_here(getattr(settings, name), f"{where}.{name}")
        wire = self.make_wire(self._account(context))
        self.name = context.name
        self.keeps_priority_on_reduce = wire.keeps_priority_on_reduce
        if context.is_replay:
            return
        tag = base36(context.start_ns // MILLISECOND)
        longest = len(settings.client_prefix) + len(tag) + 12
        if longest > wire.client_id_length:
            raise ConfigError(
                f"{where}.client_prefix: should leave room for {len(tag) + 12} more characters in an order id of "
                f"{wire.client_id_length}, was '{settings.client_prefix}'"
            )
        chance = random.Random(context.seed)
        self.session = OrderSession(wire, settings, context.instruments, tag, chance, f"{where}.key")
        start_ns, why = context.start_ns, "not connected yet"
        self._reports.append(VenueState(event_ns=start_ns, receive_ns=start_ns, is_good=False, reason=why))

    def _account(self, context: VenueContext) -> Account:
        """Return the account of the config; a session that is only followed needs no key."""
        settings, where = self.settings, context.where
        kept = Secret("none") if context.is_replay else None
        return Account(
            key=kept or read_secret(settings.key, f"{where}.key"),
            secret=kept or read_secret(settings.secret, f"{where}.secret"),
            card=context.cards.get(settings.card or self.card_name),
            where=where,
        )

    def _require_here(self, address: str, where: str) -> None:
        """Refuse every address but those of this machine: orders that cost money need a journal, which is not built."""
        from quotewright.live.transport import is_loopback  # what it needs takes long to import

        host = urlsplit(address).hostname or ""
        if not is_loopback(host):
            raise ConfigError(
                f"{where}: should be an address of this machine, such as the one that 'quotewright exchange serve' "
                f"prints, was '{address or 'the real exchange'}': trading at real exchanges is not offered yet"
            )

    def run(self, until_ns: int) -> int:
        """Return when the first report becomes known; what happens at the venue happens by itself."""
        if self._reports and self._reports[0].receive_ns <= until_ns:
            return self._reports[0].receive_ns
        return NEVER

    def submit(self, command: Command, now_ns: int) -> bool:
        """Send *command* at once."""
        session, clock = self.session_at_work()
        session.command(command, max(now_ns, clock.now_ns()))
        self._carry_out()
        return True

    def take_reports(self, now_ns: int) -> list[Report]:
        """Return what is known here by *now_ns*."""
        found: list[Report] = []
        while self._reports and self._reports[0].receive_ns <= now_ns:
            found.append(self._reports.popleft())
        return found

    # What the driver of a run calls.

    def attach(self, clock: Clock, on_news: Callable[[], None], transport: Callable[[Events], Carrier] | None) -> None:
        """Give it a clock, whom to wake, and what carries out its orders; None: real sockets."""
        self.clock = clock
        self.on_news = on_news
        if transport is None:
            from quotewright.live.transport import Transport

            transport = partial(Transport, self.settings)
        self.transport = transport(self)

    def start(self) -> None:
        """Begin to connect."""
        session, clock = self.session_at_work()
        session.start(clock.now_ns())
        self._carry_out()

    @asynccontextmanager
    async def at_work(
        self, clock: Clock, on_news: Callable[[], None], transport: Callable[[Events], Carrier] | None = None
    ) -> AsyncIterator[None]:
        """Be at work within this context."""
        self.attach(clock, on_news, transport)
        assert self.transport is not None
        async with self.transport:
            self.start()
            yield
            self.finish()

    def process(self) -> None:
        """Hand everything that came to the session, and let time pass."""
        session, clock = self.session_at_work()
        while self._queue:
            at_ns, call = self._queue.popleft()
            call(at_ns)
        now_ns = clock.now_ns()
        if session.deadline_ns <= now_ns:
            session.tick(now_ns)
        self._carry_out()

    def settled_ns(self) -> int:
        """Return the time up to which every report has been made; NEVER: nothing waits."""
        return self._queue[0][0] - 1 if self._queue else NEVER

    @property
    def deadline_ns(self) -> int:
        """When :meth:`process` is due even if nothing comes."""
        return self.session.deadline_ns if self.session is not None else NEVER

    def leave(self) -> None:
        """Cancel what is open, and take no new order."""
        session, clock = self.session_at_work()
        session.leave(clock.now_ns())
        self._carry_out()

    @property
    def is_clean(self) -> bool:
        """Whether none of our orders may be open any more."""
        return self.session is None or not self.session.own.live()

    def check_left(self) -> None:
        """Have the venue say which of our orders are open; known once :attr:`is_checked`."""
        session, clock = self.session_at_work()
        session.check_left(clock.now_ns())
        self._carry_out()

    @property
    def is_checked(self) -> bool:
        return self.session is None or not any(what == "open_orders" for what, _ in self.session.recovering)

    def finish(self) -> None:
        """Leave the venue for good."""
        session, clock = self.session_at_work()
        if self.left_open is None:
            self.left_open = [order.client_id for order in session.own.live()]
            session.close(clock.now_ns())
            self._carry_out()

    # What the transport reports; it is queued.

    def connected(self, number: int) -> None:
        self._put(partial(self.session_at_work()[0].connected, number))

    def opened(self, number: int) -> None:
        self._put(partial(self.session_at_work()[0].opened, number))

    def heard(self, number: int, frame: bytes) -> None:
        self._put(partial(self.session_at_work()[0].heard, number, frame))

    def ponged(self, number: int) -> None:
        self._put(partial(self.session_at_work()[0].ponged, number))

    def closed(self, number: int, code: int, reason: str) -> None:
        self._put(partial(self.session_at_work()[0].closed, number, code, reason))

    def failed(self, number: int, reason: str, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self._put(partial(self.session_at_work()[0].failed, number, reason, status, headers, body))

    def answered(self, ticket: int, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self._put(partial(self.session_at_work()[0].answered, ticket, status, headers, body))

    def unanswered(self, ticket: int, reason: str) -> None:
        self._put(partial(self.session_at_work()[0].unanswered, ticket, reason))

    def _put(self, call: Callable[[int], None]) -> None:
        assert self.clock is not None
        self._queue.append((self.clock.now_ns(), call))
        self.on_news()

    def _carry_out(self) -> None:
        """Hand over what the session wants done, and take what it reports."""
        assert self.session is not None
        assert self.transport is not None
        self.transport.carry_out(self.session.take_orders())
        self._reports.extend(self.session.take_reports())

    def session_at_work(self) -> tuple[OrderSession, Clock]:
        """Return session and clock; a venue that is not connected and attached raises RuntimeError."""
        if self.session is None or self.clock is None:
            raise RuntimeError("a live venue works once it was connected and attached")
        return self.session, self.clock

    # What is shown.

    def report(self) -> dict[str, Any]:
        """Return how the venue stands."""
        found = self.session.report() if self.session is not None else {}
        if self.left_open is not None:
            found["left_open"] = self.left_open
        return found

    def figures(self) -> dict[str, Any]:
        """Return the venue's own count of what happened."""
        found = self.report()
        if self.session is not None:
            found["balances"] = {
                one.currency: {"free": one.free, "locked": one.locked} for one in self.session.balances.values()
            }
            found["positions"] = {one.symbol: one.quantity for one in self.session.positions.values()}
        return found

    def assumptions(self) -> list[str]:
        """Return what a reader of the report should know about this venue."""
        where = urlsplit(self.settings.rest).netloc
        return [f"orders were sent to {where}; fills, fees and rejections are what it told"]


def _nobody() -> None:
    """Nobody is to be woken."""


def base36(number: int) -> str:
    """Return *number* in digits and small letters."""
    text = ""
    while number:
        number, digit = divmod(number, 36)
        text = DIGITS[digit] + text
    return text or "0"
