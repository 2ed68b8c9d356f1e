"""Requests over sockets: uvicorn's parser, with the head bounded, and the application that hands them to a door."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from quotewright_simexchange.doors import HttpRequest, HttpResponse
from quotewright_simexchange.server.faulty_door import Cut, Outcome, Silence

if TYPE_CHECKING:
    from quotewright_simexchange.server.listener import Listener

log = logging.getLogger("quotewright.exchange")
DRAINED = 8 << 20
HEAD_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class BoundedHttp(HttpToolsProtocol):
    """uvicorn's HTTP protocol; a head that is too large is refused, and a request knows its transport."""

    _is_in_head = True
    _head_size = 0

    def data_received(self, data: bytes) -> None:
        if self._is_in_head:
            self._head_size += len(data)
        super().data_received(data)
        listener: Listener = self.app_state["listener"]
        if self._is_in_head and self._head_size > listener.limits.head and not self.transport.is_closing():
            listener.counts.large_heads += 1
            self.transport.write(HEAD_TOO_LARGE)
            self.transport.close()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["state"]["transport"] = self.transport

    def on_headers_complete(self) -> None:
        self._is_in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._is_in_head, self._head_size = True, 0
        super().on_message_complete()


async def read_body(scope: Any, receive: Any, most: int) -> bytes | None:
    """Return the body of a request; None if it is larger than *most*.

    A little of what is too much is read nevertheless: a client that is still sending might not see the answer.
    """
    for name, value in scope["headers"]:
        if name == b"content-length" and (not value.isdigit() or len(value) > 15 or int(value) > most + DRAINED):
            return None
    message = await receive()
    parts: list[bytes] = [message.get("body", b"")]
    size = len(parts[0])
    while message.get("more_body") and size <= most + DRAINED:
        message = await receive()
        part = message.get("body", b"")
        size += len(part)
        if size <= most:
            parts.append(part)
    return b"".join(parts) if size <= most else None


async def send_whole(send: Any, response: HttpResponse, *more: tuple[bytes, bytes]) -> None:
    """Send a whole answer."""
    await send({"type": "http.response.start", "status": response.status, "headers": head_of(response, *more)})
    await send({"type": "http.response.body", "body": response.body})


def head_of(response: HttpResponse, *more: tuple[bytes, bytes]) -> list[tuple[bytes, bytes]]:
    headers = [
        (b"content-type", response.content_type.encode("latin-1")),
        (b"content-length", str(len(response.body)).encode()),
    ]
    for name, value in response.headers.items():
        headers.append((name.lower().encode("latin-1"), value.encode("latin-1")))
    return [*headers, *more]


class DoorApp:
    """The ASGI application of one door: reads whole requests, writes what becomes of them."""

    def __init__(self, listener: Listener) -> None:
        self.listener = listener

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        listener = self.listener
        listener.counts.requests += 1
        body = await read_body(scope, receive, listener.limits.body)
        if body is None:
            listener.counts.large_bodies += 1
            told = f"the body should have at most {listener.limits.body} bytes".encode()
            await send_whole(send, HttpResponse(413, told, {}, "text/plain"), (b"connection", b"close"))
            return
        request = HttpRequest(
            scope["method"],
            scope["path"],
            scope["query_string"],
            body,
            {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]},
            scope["client"][0] if scope["client"] else "",
        )
        outcomes: list[Outcome] = []
        waiting: list[asyncio.Future[Outcome]] = []

        def reply(outcome: Outcome) -> None:
            if not waiting:
                outcomes.append(outcome)
            elif not waiting[0].done():
                waiting[0].set_result(outcome)

        try:
            listener.take(request, reply)
        except Exception:
            listener.failed(f"{request.method} {request.path}")
            outcomes = [HttpResponse(500, b"", {}, "text/plain")]
        if outcomes:
            outcome = outcomes[0]
        else:
            waiting.append(asyncio.get_running_loop().create_future())
            outcome = await first_of(waiting[0], receive)
        if isinstance(outcome, HttpResponse):
            await send_whole(send, outcome)
            if outcome.status >= 400:
                listener.tell_unserved()
            return
        if isinstance(outcome, Silence):
            await receive()
            return
        if outcome.response is not None:
            start = {"type": "http.response.start", "status": outcome.response.status}
            await send({**start, "headers": head_of(outcome.response)})
            await send({"type": "http.response.body", "body": outcome.response.body[: outcome.size], "more_body": True})
            scope["state"]["transport"].close()
        else:
            scope["state"]["transport"].abort()
        await receive()


async def first_of(answer: asyncio.Future[Outcome], receive: Any) -> Outcome:
    """Return the answer once it is there, or :class:`Cut` if the client leaves before."""
    gone = asyncio.ensure_future(receive())
    try:
        await asyncio.wait((answer, gone), return_when=asyncio.FIRST_COMPLETED)
        return answer.result() if answer.done() else Cut()
    finally:
        gone.cancel()
