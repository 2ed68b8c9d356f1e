"""A door behind a bad line: what a client sends and gets goes through the faults, in the owner's time.

The owner is a server (wall time) or a simulated world (virtual time). Nothing here waits: what is held back is let go
by :meth:`FaultyDoor.tick`, which the owner calls when it was asked to by *wake*.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping
from typing import Protocol, TypeAlias

import attrs

from quotewright_simexchange.doors import Connection, Door, HttpRequest, HttpResponse, Session
from quotewright_simexchange.server.faults import Fault, Faults, spoiled

FOREVER = 1 << 62
PATIENCE = 10
"""An answer that waits for its stream's event waits at most so many delays."""


@attrs.frozen
class Cut:
    """The connection ends without an answer, or after the first *size* bytes of its body."""

    response: HttpResponse | None = None
    size: int = 0


@attrs.frozen
class Silence:
    """Nothing is ever answered; the connection stays open until the client leaves."""


Outcome: TypeAlias = HttpResponse | Cut | Silence
Reply: TypeAlias = Callable[[Outcome], None]


class OwnedConnection(Connection, Protocol):
    """A connection as its owner gives it: it can also be broken."""

    def abort(self) -> None:
        """End it at once, without a closing handshake."""

    def hush(self) -> None:
        """Answer nothing any more, neither pings nor a close; the connection stays open."""


class FaultyDoor:
    """One door with the faults before it. *clock* is the door clock, *wake* asks for :meth:`tick` at a time."""

    def __init__(self, door: Door, faults: Faults, clock: Callable[[], int], wake: Callable[[int], None]) -> None:
        self.door = door
        self.name = door.name
        self.faults = faults
        self.clock = clock
        self.wake = wake
        self.lines: dict[int, FaultyConnection] = {}
        """Open connections by number."""
        self._held: list[tuple[int, int, Callable[[], None]]] = []
        self._numbers = 0
        self._swapped: list[Callable[[], None]] = []
        self._awaiting: list[Callable[[], None]] = []

    # Requests.

    def http(self, request: HttpRequest, now_ns: int, reply: Reply) -> None:
        """Answer *request* by calling *reply* once, now or in a later :meth:`tick`; maybe never with ``half_open``."""
        faults = self.faults
        if faults.is_out(now_ns):
            reply(Cut())
            return
        if not faults.rules and not self._swapped:
            reply(self.door.http(request, now_ns))
            return
        what = request.method.encode() + b" " + request.path.encode("utf-8", "replace") + b"?" + request.query
        fault = faults.pick("http", self.name, what, request.client, now_ns, is_write=request.method != "GET")
        if fault is None:
            self._answer(reply, self.door.http(request, now_ns))
        else:
            self._struck(fault, request, now_ns, reply)

    def _struck(self, fault: Fault, request: HttpRequest, now_ns: int, reply: Reply) -> None:
        kind, door = fault.kind, self.door
        if kind == "outage":
            self.faults.out_until_ns = now_ns + fault.delay_ns
            reply(Cut())
            self.cut_all()
        elif kind == "drop":
            reply(Cut())
        elif kind == "half_open":
            reply(Silence())
        elif kind in ("429", "418", "5xx"):
            if fault.is_done:
                door.http(request, now_ns)
            self._answer(reply, door.refusal(fault.answer_status, fault.retry_after, now_ns))
        elif kind == "ack_after_fill":
            self._after_event(fault, request, now_ns, reply)
        else:
            response = door.http(request, now_ns)
            if kind == "lost_ack":
                reply(Cut())
            elif kind == "disconnect":
                reply(Cut(response, len(response.body) // 2))
            elif kind == "duplicate":
                door.http(request, now_ns)
                self._answer(reply, response)
            elif kind == "corrupt":
                self._answer(reply, attrs.evolve(response, body=spoiled(response.body, self.faults.random)))
            elif kind == "reorder":
                self._swap(now_ns + fault.delay_ns, lambda: reply(response))
            else:
                self.hold(now_ns + fault.delay_ns, lambda: reply(response))

    def _answer(self, reply: Reply, response: HttpResponse) -> None:
        """Answer, and let go after it the answers that were to change places with it."""
        reply(response)
        swapped, self._swapped = self._swapped, []
        for call in swapped:
            call()

    def _swap(self, when_ns: int, call: Callable[[], None]) -> None:
        once = _Once(call)
        self._swapped.append(once)
        self.hold(when_ns, once)

    def _after_event(self, fault: Fault, request: HttpRequest, now_ns: int, reply: Reply) -> None:
        """Answer a delay after the next private frame, which the request itself may have caused."""
        self.await_event(fault.delay_ns, now_ns, lambda: reply(response))
        response = self.door.http(request, now_ns)

    def await_event(self, delay_ns: int, now_ns: int, call: Callable[[], None]) -> None:
        """Call *call* that long after the next private frame, or after a multiple of it if none comes."""
        once = _Once(call)
        self._awaiting.append(lambda: self.hold(self.clock() + delay_ns, once))
        self.hold(now_ns + PATIENCE * delay_ns, once)

    # Connections.

    def connect(
        self,
        path: str,
        query: bytes,
        headers: Mapping[str, str],
        client: str,
        connection: OwnedConnection,
        now_ns: int,
    ) -> Session | HttpResponse | None:
        """Take a connection, or say with what its handshake is refused; None: it is cut without an answer."""
        faults = self.faults
        if faults.is_out(now_ns):
            return None
        fault = faults.pick("connect", self.name, path.encode("utf-8", "replace"), client, now_ns)
        if fault is not None:
            if fault.kind in ("429", "418", "5xx"):
                return self.door.refusal(fault.answer_status, fault.retry_after, now_ns)
            if fault.kind == "outage":
                faults.out_until_ns = now_ns + fault.delay_ns
                self.cut_all()
            return None
        self._numbers += 1
        line = FaultyConnection(self, connection, client, self._numbers)
        session = self.door.connect(path, query, headers, client, line, now_ns)
        if isinstance(session, HttpResponse):
            return session
        self.lines[line.number] = line
        return FaultySession(session, line)

    def cut_all(self, client: str = "") -> int:
        """End every connection at once, or those of one address, and return how many."""
        found = [line for line in self.lines.values() if not client or line.client == client]
        for line in found:
            line.cut()
        return len(found)

    def hush_all(self, client: str = "") -> int:
        """Leave every connection open and dead, or those of one address, and return how many."""
        found = [line for line in self.lines.values() if (not client or line.client == client) and not line.is_dead]
        for line in found:
            line.die()
        return len(found)

    # Time.

    def hold(self, when_ns: int, call: Callable[[], None]) -> None:
        """Call *call* at *when_ns*; what is held for the same time is called in the order of asking."""
        self._numbers += 1
        heapq.heappush(self._held, (when_ns, self._numbers, call))
        self.wake(when_ns)

    @property
    def deadline_ns(self) -> int:
        """When the next thing is due that is held back."""
        return self._held[0][0] if self._held else FOREVER

    def tick(self, now_ns: int) -> None:
        """Let go what is due."""
        while self._held and self._held[0][0] <= now_ns:
            heapq.heappop(self._held)[2]()

    def heal(self) -> None:
        """Let go everything that is held back, in order, and cut the connections that are dead."""
        held = sorted(self._held)
        self._held, self._swapped, self._awaiting = [], [], []
        for _, _, call in held:
            call()
        for line in [line for line in self.lines.values() if line.is_dead]:
            line.connection.abort()
        if self._held:
            self.heal()

    def private_sent(self) -> None:
        """A private frame leaves: answers that waited for it are on their way."""
        awaiting, self._awaiting = self._awaiting, []
        for call in awaiting:
            call()


class _Once:
    """A call that is made once, whichever of two occasions comes first."""

    def __init__(self, call: Callable[[], None]) -> None:
        self._call: Callable[[], None] | None = call

    def __call__(self) -> None:
        call, self._call = self._call, None
        if call is not None:
            call()


class FaultyConnection:
    """What a door sends, on its way to the client."""

    def __init__(self, door: FaultyDoor, connection: OwnedConnection, client: str, number: int) -> None:
        self.door = door
        self.connection = connection
        self.client = client
        self.number = number
        self.is_dead = False
        """Half open: nothing passes in either direction."""
        self.answers: Fault | None = None
        """What happens to frames that answer the frame at hand."""
        self._gap = 0
        self._held = 0
        self._held_until_ns = 0
        self._private_held = 0
        self._private_until_ns = 0
        self._swapped: Callable[[], None] | None = None

    def send(self, frame: bytes) -> None:
        if self.is_dead:
            return
        door = self.door
        faults = door.faults
        if not faults.rules and not (self._held or self._private_held or self._gap or self._swapped or self.answers):
            if door._awaiting and door.door.is_private(frame):
                self._pass(frame, True)
            else:
                self.connection.send(frame)
            return
        is_private = door.door.is_private(frame)
        now_ns = door.clock()
        if self.answers is not None and not is_private:
            if self.answers.kind == "ack_after_fill":
                door.await_event(self.answers.delay_ns, now_ns, lambda: self._pass(frame, False))
            return
        if self._gap:
            self._gap -= 1
            return
        fault = faults.pick("out", door.name, frame, self.client, now_ns, is_private=is_private)
        if fault is None:
            self._in_order(frame, is_private, now_ns)
            return
        kind = fault.kind
        if kind == "gap":
            self._gap = fault.frames - 1
        elif kind == "disconnect":
            self.cut()
        elif kind == "half_open":
            self.die()
        elif kind == "outage":
            faults.out_until_ns = now_ns + fault.delay_ns
            door.cut_all()
        elif kind == "delay":
            self._held_until_ns = max(self._held_until_ns, now_ns + fault.delay_ns)
            self._hold(frame, is_private)
        elif kind == "late_fill":
            self._private_until_ns = max(self._private_until_ns, now_ns + fault.delay_ns)
            self._hold_private(frame)
        elif kind == "corrupt":
            self._in_order(spoiled(frame, faults.random), is_private, now_ns)
        elif kind == "duplicate":
            self._in_order(frame, is_private, now_ns)
            self._in_order(frame, is_private, now_ns)
        elif kind == "reorder":
            self._let_swapped_go()
            self._swapped = _Once(lambda: self._in_order(frame, is_private, door.clock()))
            door.hold(now_ns + fault.delay_ns, self._swapped)

    def ping(self, payload: bytes) -> None:
        if self.is_dead:
            return
        if self._held:
            self._later(lambda: self.connection.ping(payload))
        else:
            self.connection.ping(payload)

    def close(self, code: int, reason: str) -> None:
        if self.is_dead:
            return
        self._let_swapped_go()
        if self._held:
            self._later(lambda: self.connection.close(code, reason))
        else:
            self.connection.close(code, reason)

    def cut(self) -> None:
        """End the connection without a closing handshake."""
        self.is_dead = True
        self.connection.abort()

    def die(self) -> None:
        """Let nothing pass any more, in either direction."""
        self.is_dead = True
        self.connection.hush()

    def _in_order(self, frame: bytes, is_private: bool, now_ns: int) -> None:
        if is_private and self._private_held:
            self._hold_private(frame)
        elif self._held:
            self._hold(frame, is_private)
        else:
            self._pass(frame, is_private)
        self._let_swapped_go()

    def _let_swapped_go(self) -> None:
        swapped, self._swapped = self._swapped, None
        if swapped is not None:
            swapped()

    def _pass(self, frame: bytes, is_private: bool) -> None:
        if not self.is_dead:
            self.connection.send(frame)
            if is_private:
                self.door.private_sent()

    def _hold(self, frame: bytes, is_private: bool) -> None:
        self._later(lambda: self._pass(frame, is_private))

    def _later(self, call: Callable[[], None]) -> None:
        self._held += 1

        def go() -> None:
            self._held -= 1
            if not self.is_dead:
                call()

        self.door.hold(self._held_until_ns, go)

    def _hold_private(self, frame: bytes) -> None:
        self._private_held += 1

        def go() -> None:
            self._private_held -= 1
            self._pass(frame, True)

        self.door.hold(self._private_until_ns, go)


class FaultySession(Session):
    """What a client sends, on its way to the door's session."""

    def __init__(self, session: Session, line: FaultyConnection) -> None:
        self.session = session
        self.line = line

    @property
    def deadline_ns(self) -> int:  # type: ignore[override]
        return self.session.deadline_ns

    def heard(self, frame: bytes, now_ns: int) -> None:
        line = self.line
        if line.is_dead:
            return
        door = line.door
        faults = door.faults
        if not faults.rules:
            self.session.heard(frame, now_ns)
            return
        fault = faults.pick("in", door.name, frame, line.client, now_ns)
        kind = "" if fault is None else fault.kind
        if kind == "disconnect":
            line.cut()
        elif kind == "half_open":
            line.die()
        elif kind == "outage" and fault is not None:
            faults.out_until_ns = now_ns + fault.delay_ns
            door.cut_all()
        elif kind in ("lost_ack", "ack_after_fill"):
            line.answers = fault
            self.session.heard(frame, now_ns)
            line.answers = None
        elif kind != "drop":
            self.session.heard(frame, now_ns)
            if kind == "duplicate":
                self.session.heard(frame, now_ns)

    def pinged(self, payload: bytes, now_ns: int) -> None:
        if not self.line.is_dead:
            self.session.pinged(payload, now_ns)

    def ponged(self, payload: bytes, now_ns: int) -> None:
        if not self.line.is_dead:
            self.session.ponged(payload, now_ns)

    def tick(self, now_ns: int) -> None:
        self.session.tick(now_ns)

    def closed(self) -> None:
        self.line.is_dead = True
        self.line.door.lines.pop(self.line.number, None)
        self.session.closed()
