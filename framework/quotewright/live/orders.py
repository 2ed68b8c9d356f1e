"""What a feed's session asks of the transport: sockets opened, written to and closed, requests made."""

from __future__ import annotations

from typing import TypeAlias

import attrs

from quotewright.wire import Request


@attrs.frozen
class OpenSocket:
    """Open connection *number* at *url*; report connected, opened, closed or failed."""

    number: int
    url: str = attrs.field(repr=lambda url: repr(url.partition("?")[0]))


@attrs.frozen
class SendText:
    number: int
    frame: bytes = attrs.field(repr=False)


@attrs.frozen
class SendPing:
    number: int
    payload: bytes


@attrs.frozen
class CloseSocket:
    """Begin the closing handshake; report closed."""

    number: int
    code: int
    reason: str


@attrs.frozen
class AbortSocket:
    """Drop the connection without a word; nothing more is reported about it."""

    number: int


@attrs.frozen
class Fetch:
    """Make *request*; report the answer, or that there is none, under *ticket*."""

    ticket: int
    request: Request


Order: TypeAlias = OpenSocket | SendText | SendPing | CloseSocket | AbortSocket | Fetch
