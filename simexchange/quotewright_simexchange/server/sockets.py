"""WebSocket connections of a door: frames in through wsproto, frames out written by hand, nothing without bound."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import wsproto
from wsproto import events
from wsproto.connection import ConnectionState
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

from quotewright_simexchange.doors import HttpResponse, Session

if TYPE_CHECKING:
    from quotewright_simexchange.server.listener import Listener

FOREVER = 1 << 62
TOO_BIG = 1009
UNSUPPORTED = 1003
GOING_AWAY = 1001
INTERNAL = 1011


def text_frame(payload: bytes) -> bytes:
    """Return *payload* as one whole, unmasked text frame."""
    return _frame(0x81, payload)


def _frame(first: int, payload: bytes) -> bytes:
    size = len(payload)
    if size < 126:
        return bytes((first, size)) + payload
    if size < 1 << 16:
        return bytes((first, 126)) + size.to_bytes(2, "big") + payload
    return bytes((first, 127)) + size.to_bytes(8, "big") + payload


class Socket(asyncio.Protocol):
    """One connection; uvicorn makes it at an upgrade and hands it the bytes of the request again."""

    def __init__(self, config: Any, server_state: Any, app_state: dict[str, Any], _loop: Any = None) -> None:
        self.listener: Listener = app_state["listener"]
        self.loop = asyncio.get_running_loop()
        self.transport: asyncio.Transport
        self.session: Session | None = None
        self.is_hushed = False
        self.is_ended = False
        self._connection = wsproto.WSConnection(wsproto.ConnectionType.SERVER)
        self._parts: list[bytes] = []
        self._size = 0
        self._outgoing: list[bytes] = []
        self._outgoing_size = 0
        self._timer: asyncio.TimerHandle | None = None
        self._timer_ns = FOREVER
        self._closing: asyncio.TimerHandle | None = None
        self._is_lost = False

    # The owner's side: what doors and faults ask for.

    def send(self, frame: bytes) -> None:
        if not self.is_ended:
            self.listener.counts.frames_out += 1
            self._write(text_frame(frame))

    def ping(self, payload: bytes) -> None:
        if not self.is_ended:
            self._write(_frame(0x89, payload[:125]))

    def close(self, code: int, reason: str) -> None:
        if self.is_ended:
            return
        self._write(self._connection.send(events.CloseConnection(code=code, reason=_short(reason))))
        self.is_ended = True
        self._closing = self.loop.call_later(self.listener.limits.closing_seconds, self.abort)

    def abort(self) -> None:
        self.is_ended = True
        if not self._is_lost:
            self.transport.abort()

    def hush(self) -> None:
        self.is_hushed = True

    def _write(self, data: bytes) -> None:
        """Send with what else is sent before the loop looks at its sockets again; cut off who does not read."""
        if not self._outgoing:
            self.loop.call_soon(self._flush)
        self._outgoing.append(data)
        self._outgoing_size += len(data)
        if self._outgoing_size + self.transport.get_write_buffer_size() > self.listener.limits.queue:
            self._outgoing, self._outgoing_size = [], 0
            self.listener.counts.slow_readers += 1
            self.listener.tell_slow(self)
            self.abort()

    def _flush(self) -> None:
        outgoing, self._outgoing, self._outgoing_size = self._outgoing, [], 0
        if outgoing and not self._is_lost and not self.transport.is_closing():
            self.transport.write(outgoing[0] if len(outgoing) == 1 else b"".join(outgoing))

    # The client's side.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.listener.sockets.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._is_lost = self.is_ended = True
        self.listener.sockets.discard(self)
        for timer in (self._timer, self._closing):
            if timer is not None:
                timer.cancel()
        session, self.session = self.session, None
        if session is not None:
            self._guarded(session.closed)

    def data_received(self, data: bytes) -> None:
        if self.is_hushed:
            return
        connection = self._connection
        try:
            connection.receive_data(data)
            for event in connection.events():
                self._take(event)
                if self._is_lost or self.transport.is_closing() or self.is_hushed:
                    return
        except RemoteProtocolError as error:
            if error.event_hint is not None and connection.state is not ConnectionState.CLOSED:
                self._last(connection.send(error.event_hint))
            else:
                self.abort()
        except LocalProtocolError:
            self.abort()

    def _take(self, event: events.Event) -> None:
        if isinstance(event, events.TextMessage):
            self._text(event.data.encode(), event.message_finished)
        elif isinstance(event, events.Ping):
            if not self.is_ended:
                self._write(_frame(0x8A, bytes(event.payload)))
                self._enter(lambda session, now_ns: session.pinged(bytes(event.payload), now_ns))
        elif isinstance(event, events.Pong):
            self._enter(lambda session, now_ns: session.ponged(bytes(event.payload), now_ns))
        elif isinstance(event, events.BytesMessage):
            if not self.is_ended:
                self.close(UNSUPPORTED, "text frames only")
        elif isinstance(event, events.CloseConnection):
            if self._connection.state is ConnectionState.REMOTE_CLOSING:
                self._last(self._connection.send(event.response()))
            elif self._connection.state is ConnectionState.OPEN:
                # The client broke the protocol; what else it sends cannot be read.
                self._last(self._connection.send(event))
            else:
                self._last(b"")
        elif isinstance(event, events.Request):
            self._handshake(event)

    def _text(self, part: bytes, is_last: bool) -> None:
        if self.is_ended:
            return
        self._size += len(part)
        if self._size > self.listener.limits.frame:
            # What follows is read and thrown away until the client has taken the close in, or too long.
            self._parts, self._size = [], 0
            self.listener.counts.large_frames += 1
            self.close(TOO_BIG, "message too big")
            return
        if not is_last:
            self._parts.append(part)
            return
        frame = part if not self._parts else b"".join([*self._parts, part])
        self._parts, self._size = [], 0
        self.listener.counts.frames_in += 1
        self._enter(lambda session, now_ns: session.heard(frame, now_ns))

    def _handshake(self, request: events.Request) -> None:
        listener = self.listener
        path, _, query = request.target.partition("?")
        headers = {"host": request.host}
        for name, value in request.extra_headers:
            headers[bytes(name).decode("latin-1").lower()] = bytes(value).decode("latin-1")
        peer = self.transport.get_extra_info("peername")
        client = peer[0] if peer else ""
        if len(listener.sockets) > listener.limits.connections:
            self._refuse(HttpResponse(503, b"too many connections", {}, "text/plain"))
            return
        accepted = self._connection.send(events.AcceptConnection())
        try:
            answer = listener.connect(unquote(path), query.encode("latin-1"), headers, client, self)
        except Exception:
            listener.failed(f"handshake {path}")
            answer = HttpResponse(500, b"", {}, "text/plain")
        if answer is None:
            self.abort()
        elif isinstance(answer, HttpResponse):
            self._refuse(answer)
        else:
            listener.counts.sockets += 1
            # What the door has sent already stands after the handshake's answer.
            if not self._outgoing:
                self.loop.call_soon(self._flush)
            self._outgoing.insert(0, accepted)
            self._outgoing_size += len(accepted)
            self.session = answer
            self._arm()

    def _refuse(self, answer: HttpResponse) -> None:
        """Answer the handshake with *answer* and end the connection."""
        self.listener.counts.refused_handshakes += 1
        self._outgoing, self._outgoing_size = [], 0
        self.is_ended = True
        lines = [f"HTTP/1.1 {answer.status} Refused", f"content-type: {answer.content_type}"]
        lines += [f"{name.lower()}: {value}" for name, value in answer.headers.items()]
        lines += [f"content-length: {len(answer.body)}", "connection: close", "", ""]
        self.transport.write("\r\n".join(lines).encode("latin-1") + answer.body)
        self.transport.close()

    def _last(self, data: bytes) -> None:
        """Send *data* after everything else, and end the connection."""
        self.is_ended = True
        if data:
            self._outgoing.append(data)
        self._flush()
        self.transport.close()

    # The session's time.

    def _enter(self, call: Any) -> None:
        session = self.session
        if session is None or self.is_ended:
            return
        now_ns = self.listener.enter()
        self._guarded(lambda: call(session, now_ns))
        if session.deadline_ns != self._timer_ns:
            self._arm()

    def _guarded(self, call: Any) -> None:
        try:
            call()
        except Exception:
            self.listener.failed("a session")
            if not self.is_ended:
                self.close(INTERNAL, "internal error")

    def _arm(self) -> None:
        """Let :meth:`_due` be called at the session's deadline."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.session is None:
            return
        self._timer_ns = self.session.deadline_ns
        if self._timer_ns < FOREVER:
            wait = max(0.0, (self._timer_ns - self.listener.now_ns()) / 1e9)
            self._timer = self.loop.call_later(min(wait, 3600.0), self._due)

    def _due(self) -> None:
        session = self.session
        if session is None:
            return
        now_ns = self.listener.enter()
        self._guarded(lambda: session.tick(now_ns))
        self._arm()

    def clock_moved(self) -> None:
        """The door clock was set: look at the deadline again."""
        self._due()


def _short(reason: str) -> str:
    return reason.encode()[:120].decode("utf-8", "ignore")
