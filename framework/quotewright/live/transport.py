"""Sockets and requests: carries out the orders of a feed's session and reports what became of them.

Deadlines belong to the session, which aborts what takes too long; here only the limits of size are kept. Peers are
always verified, no proxy is taken from the environment, and redirects are not followed.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import socket
import ssl
import zlib
from collections.abc import Iterable, Mapping
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self
from urllib.parse import urlsplit

import anyio
import anyio.abc
import httpx
from picows import WSFrame, WSHandshakeError, WSListener, WSMsgType, WSTransport, ws_connect

from quotewright.config.masking import masked
from quotewright.live.orders import AbortSocket, CloseSocket, Fetch, OpenSocket, Order, SendPing, SendText

if TYPE_CHECKING:
    from quotewright.config.units import Duration
    from quotewright.wire import Request

ABNORMAL = 1006
TOO_BIG = 1009
PROTOCOL_ERROR = 1002
MOST_BODY = 64 << 20
MOST_HANDSHAKE_BODY = 4096
READ_BUFFER = 256 * 1024
# Looking a member of an enum up costs as much as reading a small frame.
_DATA = (WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.CONTINUATION)
_PING, _PONG, _CLOSE = WSMsgType.PING, WSMsgType.PONG, WSMsgType.CLOSE


class Settings(Protocol):
    """What a transport is told of addresses and patience."""

    websocket: str
    rest: str
    proxy: str
    connect_timeout: Duration
    request_timeout: Duration
    frame_limit: int


class Events(Protocol):
    """Who is told what became of the orders."""

    def connected(self, number: int) -> None: ...

    def opened(self, number: int) -> None: ...

    def heard(self, number: int, frame: bytes) -> None: ...

    def ponged(self, number: int) -> None: ...

    def closed(self, number: int, code: int, reason: str) -> None: ...

    def failed(self, number: int, reason: str, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """*status* is that of the answer to a handshake, 0 if there was none."""

    def answered(self, ticket: int, status: int, headers: Mapping[str, str], body: bytes) -> None: ...

    def unanswered(self, ticket: int, reason: str) -> None: ...


class Unsafe(Exception):
    """An address that must not be opened without TLS."""


class TooLarge(Exception):
    """An answer that unpacks to more than is read."""


class _Socket(WSListener):  # type: ignore[misc, unused-ignore]
    """One WebSocket: puts messages together, answers pings with their own payload, tells how it ended."""

    def __init__(self, number: int, events: Events, frame_limit: int) -> None:
        self.number = number
        self.events = events
        self.frame_limit = frame_limit
        self.transport: WSTransport | None = None
        self.is_muted = False
        """Nothing is reported any more."""
        self.code = ABNORMAL
        self.reason = ""
        self.refusal = ""
        """Why we ended it."""
        self._parts: list[bytes] = []
        self._size = 0

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport
        if self.is_muted:
            transport.disconnect(False)
        else:
            self.events.opened(self.number)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if self.is_muted:
            return
        kind = frame.msg_type
        if kind in _DATA:
            if frame.rsv1:
                self._refuse(transport, PROTOCOL_ERROR, "a compressed frame, which was not agreed on")
            elif frame.fin and not self._parts:
                self.events.heard(self.number, frame.get_payload_as_bytes())
            else:
                self._collect(transport, frame)
        elif kind == _PING:
            transport.send_pong(frame.get_payload_as_bytes())
            self.events.ponged(self.number)
        elif kind == _PONG:
            self.events.ponged(self.number)
        elif kind == _CLOSE:
            payload = frame.get_payload_as_bytes()
            if len(payload) >= 2:
                self.code = int.from_bytes(payload[:2], "big")
                self.reason = payload[2:].decode("utf-8", "replace")
            else:
                self.code = 1005
            transport.send_close()
            transport.disconnect()

    def _collect(self, transport: WSTransport, frame: WSFrame) -> None:
        """Put a message together that comes in several frames."""
        self._size += frame.payload_size
        if self._size > self.frame_limit:
            self._refuse(transport, TOO_BIG, f"a message of more than {self.frame_limit} bytes")
            return
        self._parts.append(frame.get_payload_as_bytes())
        if frame.fin:
            whole = b"".join(self._parts)
            self._parts, self._size = [], 0
            self.events.heard(self.number, whole)

    def _refuse(self, transport: WSTransport, code: int, reason: str) -> None:
        self._parts, self._size = [], 0
        self.refusal = f"we refuse {reason} ({code})"
        transport.disconnect(False)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        if self.is_muted:
            return
        self.is_muted = True
        sent = transport.close_handshake.sent if transport.close_handshake is not None else None
        if not self.refusal and self.code == ABNORMAL and sent is not None and sent.code.value not in (0, 1000):
            self.refusal = f"we refuse what came ({sent.code.value}): {sent.reason or 'against the protocol'}"
        if self.refusal:
            self.events.failed(self.number, self.refusal, 0, {}, b"")
        else:
            self.events.closed(self.number, self.code, self.reason)

    def stop_reading(self) -> None:
        """Take nothing more from the peer; the connection ends a moment later, with our close frame sent."""
        if self.transport is not None and not self.transport.underlying_transport.is_closing():
            self.transport.underlying_transport.pause_reading()

    def mute(self) -> None:
        """Drop the connection and report nothing more."""
        self.is_muted = True
        if self.transport is not None:
            self.transport.disconnect(False)


class _Faults:
    """The log of a socket's parser: it tells of a frame that it refuses here, and would read on for 10 ms.

    What it tells is reported with the end of the connection, so nothing is printed.
    """

    def __init__(self, listener: _Socket) -> None:
        self.listener = listener

    def isEnabledFor(self, level: int) -> bool:
        return False

    def error(self, *told: object, **more: object) -> None:
        self.listener.stop_reading()

    exception = error

    def log(self, *told: object, **more: object) -> None:
        """Nothing that is told so needs an answer."""

    debug = info = warning = log


class Transport:
    """Use it as ``async with Transport(settings, events) as transport: transport.carry_out(orders)``.

    *trusted* is what TLS peers are held against: None for the system's certificates.
    """

    def __init__(
        self,
        settings: Settings,
        events: Events,
        trusted: ssl.SSLContext | None = None,
        most_body: int = MOST_BODY,
    ) -> None:
        self.settings = settings
        self.events = events
        self.trusted = trusted or ssl.create_default_context()
        self.most_body = most_body
        self._sockets: dict[int, _Socket] = {}
        self._scopes: dict[int, anyio.CancelScope] = {}
        self._group: anyio.abc.TaskGroup | None = None
        self._client: httpx.AsyncClient | None = None
        self._is_closed = False

    async def __aenter__(self) -> Self:
        settings = self.settings
        seconds = int(settings.request_timeout) / 1e9
        self._client = httpx.AsyncClient(
            verify=self.trusted,
            proxy=settings.proxy or None,
            trust_env=False,
            follow_redirects=False,
            timeout=httpx.Timeout(seconds, connect=int(settings.connect_timeout) / 1e9),
            headers={"accept-encoding": "gzip", "user-agent": "quotewright"},
        )
        self._group = anyio.create_task_group()
        await self._group.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        assert self._group is not None
        assert self._client is not None
        self._is_closed = True
        for one in self._sockets.values():
            one.mute()
        self._group.cancel_scope.cancel()
        with anyio.CancelScope(shield=True):
            await self._client.aclose()
        # The tasks are cancelled and report what fails; an error of the body stays as it is, in no group.
        await self._group.__aexit__(None, None, None)
        return None

    def carry_out(self, orders: Iterable[Order]) -> None:
        """Begin what *orders* ask for; what comes of it is reported."""
        assert self._group is not None, "use it within: async with Transport(…)"
        for order in orders:
            if isinstance(order, SendText):
                self._send(order.number, WSMsgType.TEXT, order.frame)
            elif isinstance(order, OpenSocket):
                self._group.start_soon(self._open, order.number, order.url)
            elif isinstance(order, Fetch):
                self._group.start_soon(self._fetch, order.ticket, order.request)
            elif isinstance(order, SendPing):
                self._send(order.number, WSMsgType.PING, order.payload)
            elif isinstance(order, CloseSocket):
                self._close(order)
            elif isinstance(order, AbortSocket):
                self._abort(order.number)

    # Sockets.

    def _send(self, number: int, kind: WSMsgType, payload: bytes) -> None:
        found = self._sockets.get(number)
        if found is not None and found.transport is not None:
            found.transport.send(kind, payload)

    def _close(self, order: CloseSocket) -> None:
        found = self._sockets.get(order.number)
        if found is not None and found.transport is not None:
            found.transport.send_close(order.code, order.reason.encode())  # type: ignore[arg-type]

    def _abort(self, number: int) -> None:
        found = self._sockets.pop(number, None)
        if found is not None:
            found.mute()
        scope = self._scopes.pop(number, None)
        if scope is not None:
            scope.cancel()

    async def _open(self, number: int, url: str) -> None:
        settings = self.settings
        listener = _Socket(number, self.events, settings.frame_limit)
        reason, status, headers, body = "", 0, {}, b""
        with anyio.CancelScope() as scope:
            self._scopes[number] = scope
            self._sockets[number] = listener
            try:
                require_safe(url, settings.websocket)
                transport, _ = await ws_connect(
                    lambda: listener,
                    url,
                    ssl_context=self.trusted if url.startswith("wss:") else None,
                    websocket_handshake_timeout=None,
                    enable_auto_pong=False,
                    max_frame_size=settings.frame_limit,
                    max_redirects=0,
                    proxy=settings.proxy or None,
                    read_buffer_init_size=READ_BUFFER,
                    logger_name=_Faults(listener),  # type: ignore[arg-type]
                    socket_factory=partial(self._connect, number),
                )
                await transport.wait_disconnected()
            except WSHandshakeError as error:
                reason = f"the handshake was refused: {error}"
                if error.response is not None and int(error.response.status) != 101:
                    status = int(error.response.status)
                    headers = {name.lower(): value for name, value in error.response.headers.items()}
                    body = (error.raw_body or b"")[:MOST_HANDSHAKE_BODY]
                    reason = f"the handshake was answered with status {status}"
            except ssl.SSLCertVerificationError as error:
                reason = f"TLS failed: {error.verify_message.rstrip('.')}"
            except ssl.SSLError as error:
                reason = f"TLS failed: {error.reason or error}"
            except socket.gaierror as error:
                reason = f"the name {urlsplit(url).hostname} cannot be looked up ({error.strerror})"
            except OSError as error:
                told = os.strerror(error.errno) if error.errno else str(error) or type(error).__name__
                reason = f"{urlsplit(settings.proxy or url).netloc.rpartition('@')[2]}: {told}"
            except Unsafe as error:
                reason = str(error)
            except Exception as error:  # the proxy's and the library's own errors have no base in common
                reason = f"{type(error).__name__}: {error}"
        if self._scopes.get(number) is scope:
            del self._scopes[number]
        if self._sockets.get(number) is listener:
            del self._sockets[number]
        if reason and not listener.is_muted and not scope.cancel_called:
            listener.is_muted = True
            self.events.failed(number, masked(reason)[:300], status, headers, body)

    async def _connect(self, number: int, url: Any) -> socket.socket:
        """Return a socket connected to the peer, or to the proxy, having tried every address of its name."""
        loop = asyncio.get_running_loop()
        host = url.host.strip("[]")
        found = await loop.getaddrinfo(host, url.port, type=socket.SOCK_STREAM)
        last: OSError | None = None
        for family, kind, protocol, _, address in found:
            sock = socket.socket(family, kind, protocol)
            try:
                sock.setblocking(False)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                await loop.sock_connect(sock, address)
            except OSError as error:
                sock.close()
                last = error
            except BaseException:
                sock.close()
                raise
            else:
                self.events.connected(number)
                return sock
        raise last or OSError(f"{host} has no address")

    # Requests.

    async def _fetch(self, ticket: int, request: Request) -> None:
        assert self._client is not None
        if self._is_closed:
            return  # asked for at the very end: there is no client any more
        try:
            require_safe(request.url, self.settings.rest)
            with anyio.fail_after(int(self.settings.request_timeout) / 1e9):
                status, headers, body = await self._answer(self._client, request)
        except TimeoutError:
            reason = f"no answer within {self.settings.request_timeout}"
        except (httpx.HTTPError, httpx.InvalidURL, OSError, Unsafe, TooLarge, zlib.error) as error:
            reason = f"{type(error).__name__}: {error}" if isinstance(error, httpx.HTTPError) else str(error)
        else:
            self.events.answered(ticket, status, headers, body)
            return
        if not self._is_closed:
            self.events.unanswered(ticket, masked(reason)[:300])

    async def _answer(self, client: httpx.AsyncClient, request: Request) -> tuple[int, dict[str, str], bytes]:
        built = client.build_request(
            request.method, request.url, content=request.body or None, headers=dict(request.headers)
        )
        response = await client.send(built, stream=True)
        try:
            unpack = Unpacking(response.headers.get("content-encoding", ""), self.most_body)
            async for part in response.aiter_raw():
                unpack.add(part)
            headers = {name.lower(): value for name, value in response.headers.items()}
            return response.status_code, headers, unpack.done()
        finally:
            await response.aclose()


class Unpacking:
    """A body that is unpacked as it comes, and refused as soon as it is too large."""

    def __init__(self, encoding: str, most: int) -> None:
        self.most = most
        self.size = 0
        self._is_begun = False
        self._parts: list[bytes] = []
        encoding = encoding.strip().lower()
        self._unpacker: Any = None
        if encoding in ("gzip", "x-gzip", "deflate"):
            self._unpacker = zlib.decompressobj(47)
        elif encoding not in ("", "identity"):
            raise TooLarge(f"the answer is packed as {encoding[:40]!r}, which was not asked for")

    def add(self, part: bytes) -> None:
        """Take the next part of the body as it was sent."""
        self._is_begun = True
        if self._unpacker is not None:
            part = self._unpacker.decompress(part, self.most - self.size + 1)
        self.size += len(part)
        if self.size > self.most:
            raise TooLarge(f"the answer is larger than {self.most} bytes unpacked; it is refused")
        self._parts.append(part)

    def done(self) -> bytes:
        """Return the whole body; one that ends too early raises zlib.error."""
        if self._unpacker is not None and not self._unpacker.eof and self._is_begun:
            raise zlib.error("the packed answer ends too early")
        return b"".join(self._parts)


def require_safe(url: str, given: str) -> None:
    """Raise Unsafe for an address without TLS that is neither on this machine nor given in the config."""
    parts = urlsplit(url)
    if parts.scheme in ("wss", "https"):
        return
    host = parts.hostname or ""
    if parts.scheme in ("ws", "http"):
        if is_loopback(host):
            return
        if given and urlsplit(given).netloc == parts.netloc and urlsplit(given).scheme == parts.scheme:
            return
    raise Unsafe(f"{parts.scheme}://{parts.netloc} should be an address with TLS; name it in the config to allow it")


def is_loopback(host: str) -> bool:
    """Return whether *host* is this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
