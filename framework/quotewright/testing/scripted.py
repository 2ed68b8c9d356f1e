"""A scripted HTTP and WebSocket server on loopback, for tests of live feeds: every byte and every fault is chosen.

A scenario is a coroutine per connection; requests are answered by a function. Nothing here sleeps or looks at a
clock: scenarios wait for what the client does. It keeps what it saw, so that a test can tell what happened.
"""

from __future__ import annotations

import base64
import hashlib
import struct
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import Self

import anyio
import anyio.abc
import attrs

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
MOST_HEAD = 1 << 16


class Gone(Exception):
    """The client has closed its side."""


@attrs.frozen
class Answer:
    """An HTTP answer; *headers* beside those that follow from the body."""

    status: int = 200
    body: bytes = b"{}"
    headers: Mapping[str, str] = attrs.field(factory=dict)


@attrs.frozen
class Asked:
    """A request as it came."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]


class Peer:
    """The server's end of one WebSocket; what it sends is exactly what the scenario says."""

    def __init__(self, server: ScriptedServer, stream: anyio.abc.SocketStream, asked: Asked, number: int) -> None:
        self.server = server
        self.stream = stream
        self.asked = asked
        self.number = number
        """The how manieth WebSocket of this server, from 0."""
        self._read = b""
        self._texts: deque[bytes] = deque()
        self._settled = 0
        self._sending = anyio.Lock()

    async def accept(self, key: bytes | None = None) -> None:
        """Answer the handshake; a *key* of one's own makes it a wrong one."""
        if key is None:
            given = self.asked.headers.get("sec-websocket-key", "").encode()
            key = base64.b64encode(hashlib.sha1(given + GUID, usedforsecurity=False).digest())
        await self.send_bytes(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + key + b"\r\n\r\n"
        )
        self.server.count("accepted")

    async def refuse(self, answer: Answer) -> None:
        """Answer the handshake with an HTTP status."""
        await self.send_bytes(answer_bytes(answer))

    async def send_bytes(self, data: bytes) -> None:
        """Send *data* as they are; several tasks of a scenario may send."""
        try:
            async with self._sending:
                await self.stream.send(data)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
            raise Gone from error

    async def send(self, text: bytes | str) -> None:
        """Send one text frame."""
        await self.send_bytes(frame(TEXT, text.encode() if isinstance(text, str) else text))

    async def ping(self, payload: bytes) -> None:
        await self.send_bytes(frame(PING, payload))

    async def close(self, code: int, reason: str = "") -> None:
        """Send a close frame and end the connection."""
        await self.send_bytes(frame(CLOSE, struct.pack(">H", code) + reason.encode()))
        await self.stream.send_eof()

    async def abort(self) -> None:
        """End the connection without a word."""
        await self.stream.aclose()

    async def receive(self) -> tuple[int, bytes]:
        """Return the next frame of the client as opcode and payload; raise Gone if it has closed."""
        head = await self._exactly(2)
        opcode, length = head[0] & 15, head[1] & 127
        if length == 126:
            length = int.from_bytes(await self._exactly(2), "big")
        elif length == 127:
            length = int.from_bytes(await self._exactly(8), "big")
        mask = await self._exactly(4) if head[1] & 128 else b"\0\0\0\0"
        payload = await self._exactly(length)
        payload = bytes(byte ^ mask[place & 3] for place, byte in enumerate(payload))
        self.server.count({TEXT: "texts", PING: "pings", PONG: "pongs", CLOSE: "closes"}.get(opcode, "others"))
        return opcode, payload

    async def receive_text(self) -> bytes:
        """Return the next text frame; pings of the client are answered meanwhile."""
        while not self._texts:
            await self._take()
        return self._texts.popleft()

    async def settle(self) -> None:
        """Return when the client has received what was sent so far: it answers a ping. So a scenario keeps pace.

        Where another task reads this connection, ping and wait for the server's count of ``pongs`` instead.
        """
        self._settled += 1
        payload = b"settled %d" % self._settled
        await self.ping(payload)
        while await self._take() != payload:
            pass

    async def _take(self) -> bytes:
        """Take the next frame; return its payload if it is a pong."""
        opcode, payload = await self.receive()
        if opcode == TEXT:
            self._texts.append(payload)
        if opcode == PING:
            await self.send_bytes(frame(PONG, payload))
        if opcode == CLOSE:
            raise Gone
        return payload if opcode == PONG else b""

    async def drain(self) -> None:
        """Read until the client goes; pings are answered."""
        while True:
            await self.receive_text()

    async def swallow(self) -> None:
        """Read and answer nothing at all until the client goes: a half-open connection, seen from there."""
        while True:
            await self.receive()

    async def _exactly(self, count: int) -> bytes:
        while len(self._read) < count:
            try:
                self._read += await self.stream.receive()
            except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
                raise Gone from error
        taken, self._read = self._read[:count], self._read[count:]
        return taken


Scenario = Callable[[Peer], Awaitable[None]]
Answering = Callable[[Asked], "Answer | Awaitable[Answer]"]


class ScriptedServer:
    """Listens on a free port of 127.0.0.1: ``async with ScriptedServer(scenario, answer) as server``.

    Args:
        scenario: Called with each WebSocket whose handshake came; it accepts or refuses.
        answer: Called with each other request.
        before: Called with each new connection before anything is read; True: the connection is taken, and stays
            silent (a server that accepts and says nothing) until the test ends.
        is_proxy: CONNECT is served: the client is connected to this server itself, whatever it names.
    """

    def __init__(
        self,
        scenario: Scenario | None = None,
        answer: Answering | None = None,
        before: Callable[[int], bool] | None = None,
        is_proxy: bool = False,
    ) -> None:
        self.scenario = scenario
        self.answer = answer
        self.before = before
        self.is_proxy = is_proxy
        self.port = 0
        self.counts: dict[str, int] = {}
        self.requests: list[Asked] = []
        self.proxied: list[Asked] = []
        self.faults: list[BaseException] = []
        """What scenarios raised; a test should find none."""
        self._changed = anyio.Event()
        self._sockets = 0
        self._connections = 0

    @property
    def http(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    def count(self, what: str) -> None:
        """Count something that happened; whoever waits for it goes on."""
        self.counts[what] = self.counts.get(what, 0) + 1
        self._changed.set()
        self._changed = anyio.Event()

    async def until(self, what: str, count: int = 1) -> None:
        """Return when *what* has happened *count* times."""
        while self.counts.get(what, 0) < count:
            await self.change()

    async def change(self) -> None:
        """Return when anything more has been counted."""
        await self._changed.wait()

    async def __aenter__(self) -> Self:
        self._listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)
        self.port = self._listener.extra(anyio.abc.SocketAttribute.local_port)
        self._group = anyio.create_task_group()
        await self._group.__aenter__()
        self._group.start_soon(self._listener.serve, self._serve)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        self._group.cancel_scope.cancel()
        try:
            return await self._group.__aexit__(kind, error, trace)
        finally:
            with anyio.CancelScope(shield=True):
                await self._listener.aclose()

    async def _serve(self, stream: anyio.abc.SocketStream) -> None:
        number = self._connections
        self._connections += 1
        self.count("connections")
        async with stream:
            if self.before is not None and self.before(number):
                await anyio.sleep_forever()
            try:
                while await self._serve_one(stream):
                    pass
            except (Gone, anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
                self.count("gone")
            except Exception as fault:  # told by the test, not by the loop
                self.faults.append(fault)
                self.count("faults")

    async def _serve_one(self, stream: anyio.abc.SocketStream) -> bool:
        asked = await read_request(stream)
        if asked is None:
            return False
        if asked.method == "CONNECT":
            self.proxied.append(asked)
            self.count("proxied")
            await stream.send(b"HTTP/1.1 %s\r\n\r\n" % (b"200 OK" if self.is_proxy else b"405 No"))
            return self.is_proxy
        if asked.headers.get("upgrade", "").lower() == "websocket" and self.scenario is not None:
            peer = Peer(self, stream, asked, self._sockets)
            self._sockets += 1
            self.count("handshakes")
            await self.scenario(peer)
            return False
        self.requests.append(asked)
        self.count("requests")
        self.count(f"requests {asked.path}")
        answer = self.answer(asked) if self.answer is not None else Answer(404)
        if not isinstance(answer, Answer):
            answer = await answer
        await stream.send(answer_bytes(answer))
        return True


async def read_request(stream: anyio.abc.SocketStream) -> Asked | None:
    """Return the next request; None if the client has closed."""
    data = b""
    while b"\r\n\r\n" not in data:
        try:
            data += await stream.receive()
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            return None
        if len(data) > MOST_HEAD:
            return None
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ", 2)
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    length = int(headers.get("content-length", "0"))
    while len(body) < length:
        body += await stream.receive()
    return Asked(method, target, headers, body)


def frame(opcode: int, payload: bytes, first: int = 0x80) -> bytes:
    """Return one unmasked frame; *first* is what stands in its first byte beside the opcode (FIN)."""
    length = len(payload)
    if length < 126:
        head = struct.pack(">BB", first | opcode, length)
    elif length < 1 << 16:
        head = struct.pack(">BBH", first | opcode, 126, length)
    else:
        head = struct.pack(">BBQ", first | opcode, 127, length)
    return head + payload


def answer_bytes(answer: Answer) -> bytes:
    """Return the bytes of an HTTP answer."""
    lines = [f"HTTP/1.1 {answer.status} Scripted"]
    headers = {"content-length": str(len(answer.body)), "content-type": "application/json"} | dict(answer.headers)
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + answer.body
