"""The simulated network between transports and doors: delays drawn by the seed, in order on each connection.

It carries out what a session asks of a transport (:mod:`quotewright.live.orders`) and reports to it as sockets would.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Self
from urllib.parse import unquote, urlsplit

import attrs

from quotewright.live.orders import AbortSocket, CloseSocket, Fetch, OpenSocket, SendPing, SendText
from quotewright_simexchange.doors import Connection, Door, HttpRequest, HttpResponse, Session
from quotewright_simexchange.server.faulty_door import FOREVER, Cut, FaultyDoor, Outcome
from quotewright_simexchange.world.plan import Draw

if TYPE_CHECKING:
    from quotewright.live.orders import Order
    from quotewright.live.transport import Events
    from quotewright.wire import Request
    from quotewright_simexchange.server.faults import Faults
    from quotewright_simexchange.world.agenda import Agenda
    from quotewright_simexchange.world.plan import Plan

ABNORMAL = 1006
GOING = 1001


@attrs.define
class Traffic:
    """What has passed, and what the venue itself said about it."""

    requests: int = 0
    frames_up: int = 0
    frames_down: int = 0
    connects: int = 0
    limited: list[str] = attrs.Factory(list)
    """Requests and handshakes that the venue refused for their number; injected refusals are none of them."""
    placed: dict[str, int] = attrs.Factory(dict)
    """How often each client id was sent with an order to place."""
    sent_again: list[str] = attrs.Factory(list)
    impatient: list[str] = attrs.Factory(list)
    """Requests made while the venue had asked for silence."""

    def sent(self, client_ids: tuple[str, ...]) -> None:
        """Note orders that leave."""
        for client_id in client_ids:
            self.placed[client_id] = self.placed.get(client_id, 0) + 1
            if self.placed[client_id] > 1:
                self.sent_again.append(client_id)


class WatchedDoor(Door):
    """A door whose own refusals are noted; what faults refuse does not come here."""

    def __init__(self, door: Door, traffic: Traffic) -> None:
        self.door = door
        self.name = door.name
        self.traffic = traffic

    def http(self, request: HttpRequest, now_ns: int) -> HttpResponse:
        answer = self.door.http(request, now_ns)
        if answer.status in (418, 429):
            self.traffic.limited.append(f"{request.method} {request.path} answered {answer.status}")
        return answer

    def connect(
        self, path: str, query: bytes, headers: Mapping[str, str], client: str, connection: Connection, now_ns: int
    ) -> Session | HttpResponse:
        answer = self.door.connect(path, query, headers, client, connection, now_ns)
        if isinstance(answer, HttpResponse) and answer.status in (418, 429):
            self.traffic.limited.append(f"handshake {path} answered {answer.status}")
        return answer

    def is_private(self, frame: bytes) -> bool:
        return self.door.is_private(frame)

    def placed(self, message: HttpRequest | bytes) -> tuple[str, ...]:
        return self.door.placed(message)

    def refusal(self, status: int, retry_after: int, now_ns: int) -> HttpResponse:
        return self.door.refusal(status, retry_after, now_ns)


class Network:
    """Doors by host name, and the delays on the way to them."""

    def __init__(self, agenda: Agenda, plan: Plan, faults: Faults) -> None:
        self.agenda = agenda
        self.faults = faults
        self.up_ns = plan.up_ns
        self.down_ns = plan.down_ns
        self.jitter_ns = plan.jitter_ns
        self.traffic = Traffic()
        self.doors: dict[str, FaultyDoor] = {}
        self.lines: dict[int, NetLine] = {}
        """Connections that either side still holds."""
        self._draw = Draw(f"network {plan.seed}")
        self._numbers = 0

    def serve(self, host: str, door: Door) -> None:
        """Let *door* be found at *host*."""
        faulty = FaultyDoor(WatchedDoor(door, self.traffic), self.faults, lambda: self.agenda.now, self._wake)
        self.doors[host] = faulty

    def carrier(self, name: str, client: str, timeout_ns: int) -> Callable[[Events], Carrier]:
        """Return what makes the transport of a session: *client* is its address, *timeout_ns* how long it waits."""
        return lambda events: Carrier(self, events, name, client, timeout_ns)

    def heal(self) -> None:
        """End all faults."""
        self.faults.clear()
        for door in self.doors.values():
            door.heal()

    def door_at(self, url: str) -> FaultyDoor:
        host = urlsplit(url).hostname or ""
        found = self.doors.get(host)
        if found is None:
            raise LookupError(f"nobody serves {host}; there are {', '.join(self.doors)}")
        return found

    def delay_up(self) -> int:
        return self.up_ns + self._jitter()

    def delay_down(self) -> int:
        return self.down_ns + self._jitter()

    def number(self) -> int:
        self._numbers += 1
        return self._numbers

    def _jitter(self) -> int:
        """Return what is added to a delay: mostly little, now and then much."""
        drawn = self._draw.random()
        return int(self.jitter_ns * drawn * drawn * drawn * 4)

    def _wake(self, when_ns: int) -> None:
        if when_ns < FOREVER:
            self.agenda.at(when_ns, "faults let go", self._tick)

    def _tick(self) -> None:
        for door in self.doors.values():
            door.tick(self.agenda.now)


class NetLine:
    """One WebSocket connection: the client's number at one end, the door's session at the other."""

    def __init__(self, network: Network, carrier: Carrier, number: int, door: FaultyDoor) -> None:
        self.network = network
        self.carrier = carrier
        self.number = number
        self.door = door
        self.id = network.number()
        self.name = f"{carrier.name} {number}"
        self.session: Session | None = None
        self.is_hushed = False
        self.has_client = True
        """The client still listens."""
        self.has_server = True
        self._up_ns = 0
        self._down_ns = 0
        self._tick_ns = FOREVER
        self._early: list[tuple[str, Callable[[], None]]] | None = None
        """What the door has sent before the handshake was answered; it comes after the answer."""
        network.lines[self.id] = self

    # The door's side.

    def send(self, frame: bytes) -> None:
        self.network.traffic.frames_down += 1
        self.network.agenda.add(frame)
        self._down(f"{self.name} ← {len(frame)} bytes", lambda: self.carrier.events.heard(self.number, frame))

    def ping(self, payload: bytes) -> None:
        def arrived() -> None:
            self.carrier.events.ponged(self.number)
            self.up("pong", lambda session, now_ns: session.ponged(payload, now_ns))

        self._down(f"{self.name} ← ping", arrived)

    def close(self, code: int, reason: str) -> None:
        self.has_server = False
        self._down(f"{self.name} ← close {code}", lambda: self._closed(code, reason))

    def abort(self) -> None:
        if self.has_server:
            self.has_server = False
            self._down(f"{self.name} ← cut", lambda: self._closed(ABNORMAL, ""))
            self.network.agenda.at(self.network.agenda.now, f"{self.name} server gone", self._end_session)

    def hush(self) -> None:
        self.is_hushed = True

    def _down(self, what: str, call: Callable[[], None]) -> None:
        if self._early is not None:
            self._early.append((what, call))
            return

        def arrive() -> None:
            if self.has_client:
                call()

        self._down_ns = max(self._down_ns, self.network.agenda.now + self.network.delay_down())
        self.network.agenda.at(self._down_ns, what, arrive)

    def _closed(self, code: int, reason: str) -> None:
        self._client_gone()
        self.carrier.events.closed(self.number, code, reason)
        self.network.agenda.at(self._arrival_ns(), f"{self.name} → gone", self._end_session)

    # The client's side.

    def open(self, url: str) -> None:
        """Connect, and ask for the WebSocket."""
        agenda, network = self.network.agenda, self.network
        network.traffic.connects += 1
        agenda.add(url.encode())
        round_trip_ns = network.delay_up() + network.delay_down()
        agenda.at(agenda.now + round_trip_ns, f"{self.name} connected", self._connected)
        self._up_ns = agenda.now + round_trip_ns + network.delay_up()
        agenda.at(self._up_ns, f"{self.name} → handshake", lambda: self._handshake(url))

    def _connected(self) -> None:
        if self.has_client:
            self.carrier.events.connected(self.number)

    def _handshake(self, url: str) -> None:
        if not self.has_client:
            self._drop()
            return
        parts = urlsplit(url)
        now_ns = self.network.agenda.now
        self._early = []
        answer = self.door.connect(
            unquote(parts.path), parts.query.encode(), {"host": parts.netloc}, self.carrier.client, self, now_ns
        )
        early, self._early = self._early, None
        if answer is None:
            self._refused("the handshake was not answered", 0, {}, b"")
        elif isinstance(answer, HttpResponse):
            headers = headers_of(answer)
            self._refused(
                f"the handshake was answered with status {answer.status}", answer.status, headers, answer.body
            )
        else:
            self.session = answer
            self._down(f"{self.name} opened", lambda: self.carrier.events.opened(self.number))
            for what, call in early:
                self._down(what, call)
            self.arm()

    def _refused(self, reason: str, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.has_server = False

        def arrived() -> None:
            self._client_gone()
            self._drop()
            self.carrier.events.failed(self.number, reason, status, headers, body)

        self._down(f"{self.name} ← refused {status}", arrived)

    def up(self, what: str, call: Callable[[Session, int], None]) -> None:
        """Bring something to the session, after what is on its way already."""

        def arrive() -> None:
            if self.session is not None and self.has_server and not self.is_hushed:
                call(self.session, self.network.agenda.now)
                self.arm()

        self.network.agenda.at(self._arrival_ns(), f"{self.name} → {what}", arrive)

    def text(self, frame: bytes) -> None:
        self.network.traffic.frames_up += 1
        self.network.traffic.sent(self.door.door.placed(frame))
        self.network.agenda.add(frame)
        self.up(f"{len(frame)} bytes", lambda session, now_ns: session.heard(frame, now_ns))

    def begin_close(self, code: int) -> None:
        """Ask the server to close; it answers, unless the connection is dead."""

        def arrive() -> None:
            if self.is_hushed:
                return
            if self.has_server:
                self.has_server = False
                self._down(f"{self.name} ← close {code}", lambda: self._closed(code, ""))
            self._end_session()

        self.network.agenda.at(self._arrival_ns(), f"{self.name} → close {code}", arrive)

    def forget(self) -> None:
        """The client drops the connection without a word; the server learns of it a little later."""
        self._client_gone()
        self.network.agenda.at(self._arrival_ns(), f"{self.name} → gone", self._end_session)

    def _arrival_ns(self) -> int:
        self._up_ns = max(self._up_ns, self.network.agenda.now + self.network.delay_up())
        return self._up_ns

    def _client_gone(self) -> None:
        self.has_client = False
        if self.carrier.lines.get(self.number) is self:
            del self.carrier.lines[self.number]

    def _end_session(self) -> None:
        session, self.session = self.session, None
        self.has_server = False
        if session is not None:
            session.closed()
        if not self.has_client:
            self._drop()

    def _drop(self) -> None:
        self.network.lines.pop(self.id, None)

    # The session's time.

    def arm(self) -> None:
        """Let the session's deadline come."""
        session = self.session
        if session is None or session.deadline_ns == self._tick_ns:
            return
        self._tick_ns = due_ns = session.deadline_ns
        if due_ns < FOREVER:
            self.network.agenda.at(due_ns, f"{self.name} session due", lambda: self._due(due_ns))

    def _due(self, due_ns: int) -> None:
        if self.session is not None and self._tick_ns == due_ns:
            self._tick_ns = FOREVER
            if self.has_server:
                self.session.tick(self.network.agenda.now)
            self.arm()


class Carrier:
    """The transport of one session. As sockets do, it reports later, never while it is asked."""

    def __init__(self, network: Network, events: Events, name: str, client: str, timeout_ns: int) -> None:
        self.network = network
        self.events = events
        self.name = name
        self.client = client
        self.timeout_ns = timeout_ns
        self.lines: dict[int, NetLine] = {}
        self.waiting: dict[int, str] = {}
        """Requests without an answer by ticket."""
        self.silent_until_ns: dict[str, int] = {}
        """By host: until when it has asked for silence."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        self.close()
        return None

    def close(self) -> None:
        """Drop every connection and request."""
        self.waiting.clear()
        for line in list(self.lines.values()):
            line.forget()

    def carry_out(self, orders: Iterable[Order]) -> None:
        """Do what the session asks for, in order."""
        for order in orders:
            if isinstance(order, SendText):
                line = self.lines.get(order.number)
                if line is not None:
                    line.text(order.frame)
            elif isinstance(order, Fetch):
                self._fetch(order.ticket, order.request)
            elif isinstance(order, OpenSocket):
                line = NetLine(self.network, self, order.number, self.network.door_at(order.url))
                self.lines[order.number] = line
                line.open(order.url)
            elif isinstance(order, SendPing):
                self._ping(order)
            elif isinstance(order, CloseSocket):
                line = self.lines.get(order.number)
                if line is not None:
                    line.begin_close(order.code)
            elif isinstance(order, AbortSocket):
                line = self.lines.get(order.number)
                if line is not None:
                    line.forget()

    def _ping(self, order: SendPing) -> None:
        line = self.lines.get(order.number)
        if line is None:
            return

        def arrived(session: Session, now_ns: int) -> None:
            session.pinged(order.payload, now_ns)
            line._down(f"{line.name} ← pong", lambda: self.events.ponged(order.number))

        line.up("ping", arrived)

    def _fetch(self, ticket: int, request: Request) -> None:
        network, agenda = self.network, self.network.agenda
        parts = urlsplit(request.url)
        host = parts.hostname or ""
        door = network.door_at(request.url)
        what = f"{self.name} {request.method} {parts.path}"
        network.traffic.requests += 1
        agenda.add(f"{request.method} {request.url} ".encode() + request.body)
        if agenda.now < self.silent_until_ns.get(host, 0):
            network.traffic.impatient.append(f"{what} while the venue had asked for silence")
        self.waiting[ticket] = what
        built = HttpRequest(
            request.method,
            unquote(parts.path),
            parts.query.encode(),
            request.body,
            {"host": parts.netloc} | {name.lower(): value for name, value in request.headers.items()},
            self.client,
        )
        network.traffic.sent(door.door.placed(built))

        def replied(outcome: Outcome) -> None:
            if isinstance(outcome, HttpResponse):
                agenda.add(outcome.body)
                self._later(f"{what} ← {outcome.status}", lambda: self._answered(ticket, host, outcome))
            elif isinstance(outcome, Cut):
                self._later(f"{what} ← cut", lambda: self._unanswered(ticket, "the connection was cut"))

        agenda.at(agenda.now + network.delay_up(), f"{what} →", lambda: door.http(built, agenda.now, replied))
        late = f"no answer within {self.timeout_ns / 1e9:g} s"
        agenda.at(agenda.now + self.timeout_ns, f"{what} timeout", lambda: self._unanswered(ticket, late))

    def _later(self, what: str, call: Callable[[], None]) -> None:
        self.network.agenda.at(self.network.agenda.now + self.network.delay_down(), what, call)

    def _answered(self, ticket: int, host: str, answer: HttpResponse) -> None:
        if self.waiting.pop(ticket, None) is None:
            return
        headers = headers_of(answer)
        if answer.status in (418, 429):
            wait_ns = int(headers.get("retry-after", "0")) * 1_000_000_000
            until_ns = self.network.agenda.now + wait_ns
            self.silent_until_ns[host] = max(self.silent_until_ns.get(host, 0), until_ns)
        self.events.answered(ticket, answer.status, headers, answer.body)

    def _unanswered(self, ticket: int, reason: str) -> None:
        if self.waiting.pop(ticket, None) is not None:
            self.events.unanswered(ticket, reason)


def headers_of(answer: HttpResponse) -> dict[str, str]:
    """Return the headers of an answer as a client sees them."""
    return {"content-type": answer.content_type} | {name.lower(): value for name, value in answer.headers.items()}
