"""The role of a wire: how one market's connections are opened, subscribed, kept alive and read.

Like a feed adapter a wire is pure: frames in, frames and requests out, no socket and no clock. It knows the venue's
words; when to use them is decided by :mod:`quotewright.live`. See ``docs/live-feeds.md``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

import attrs

from quotewright.feed import Stream

WIRE_INTERFACE_VERSION = 1


@attrs.frozen
class Request:
    """One HTTP request; *weight* is what it takes from the venue's windows of requests.

    What may hold a key or a signature (query, body, headers) is not shown.
    """

    url: str = attrs.field(repr=lambda url: repr(url.partition("?")[0]))
    method: Literal["GET", "POST", "PUT", "DELETE"] = "GET"
    body: bytes = attrs.field(default=b"", repr=False)
    headers: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    weight: int = 1


@attrs.frozen
class Poll:
    """A request to be repeated, because the venue has no stream for what it tells."""

    request: Request
    every_ns: int


@attrs.frozen
class Window:
    """At most *limit* in any span of *per_ns*."""

    name: str
    limit: int
    per_ns: int


@attrs.frozen(kw_only=True)
class WireLimits:
    """What the venue allows; 0 or empty: it states nothing."""

    connects: tuple[Window, ...] = ()
    """New connections from one address."""
    connections: int = 0
    """Connections open at a time."""
    streams_per_connection: int = 0
    streams_per_request: int = 0
    bytes_per_request: int = 0
    """Length of one subscribing frame."""
    sends: tuple[Window, ...] = ()
    """Frames that we may send on one connection, whatever they are."""
    requests: tuple[Window, ...] = ()
    """Weights of HTTP requests from one address."""
    life_ns: int = 0
    """The venue closes a connection that is so old."""


@attrs.frozen(kw_only=True)
class KeepAlive:
    """How a connection is kept alive, and when it must be taken for dead."""

    every_ns: int = 0
    """We send when we have sent nothing for so long; 0: the venue asks nothing of us but answers to its pings."""
    frame: bytes = b""
    """The text frame sent then; empty: a ping of the WebSocket protocol."""
    answer_ns: int = 10_000_000_000
    """So long may the answer to it take."""
    silence_ns: int = 0
    """Nothing at all came for so long, pings and answers included: the peer is gone."""


@attrs.frozen
class Acknowledged:
    """The venue serves *streams*; empty: all that the request numbered *request* asked for.

    *missing* it does not serve, for good: some venues answer with the part of a request that they took.
    """

    streams: tuple[str, ...] = ()
    request: int = -1
    missing: tuple[str, ...] = ()
    why: str = ""


@attrs.frozen
class Refused:
    """The venue does not serve *streams*; empty: none that the request asked for. *is_final*: asking again is vain."""

    streams: tuple[str, ...] = ()
    request: int = -1
    code: str = ""
    text: str = ""
    is_final: bool = True


@attrs.frozen
class Pong:
    """The answer to our keep-alive frame."""


@attrs.frozen
class Respond:
    """The venue wants these frames back at once."""

    frames: tuple[bytes, ...]


@attrs.frozen
class Closing:
    """The venue will close this connection soon: open another one first."""

    text: str
    within_ns: int = 0


@attrs.frozen
class Told:
    """An error that concerns no stream. *is_final*: the connection is of no use (a key refused, a region blocked)."""

    code: str
    text: str
    is_final: bool = False


Control: TypeAlias = Acknowledged | Refused | Pong | Respond | Closing | Told


@attrs.frozen
class Trouble:
    """What an HTTP answer other than a success means.

    *kind*: ``retry`` later, ``banned`` (silence until *wait_ns* are over), ``final`` (asking again is vain),
    ``unknown`` (a write of which nobody knows whether it was done). *wait_ns* is what the venue asks for, 0 nothing.
    """

    kind: Literal["retry", "banned", "final", "unknown"]
    text: str
    wait_ns: int = 0


@attrs.frozen
class Reaction:
    """What to do after a close by the venue: connect ``again``, ``later`` (not before *wait_ns*), ``never``."""

    kind: Literal["again", "later", "never"]
    text: str
    wait_ns: int = 0


class Wire:
    """Base class of wires: one market of one venue, with the addresses of one environment.

    A wire is made by :meth:`quotewright.feed.FeedAdapter.wire` from the keys of the feed's config table.
    """

    interface_version = WIRE_INTERFACE_VERSION
    venue = ""
    limits = WireLimits()
    keep_alive = KeepAlive(silence_ns=60_000_000_000)
    data_mark = b""
    """What is before its first occurrence tells the stream of a data frame, and that it is one; empty: nothing does.

    Frames that begin like one of a known stream need neither :meth:`control` nor :meth:`stream_of`.
    """

    # Sockets.

    def address(self, category: str, streams: Sequence[Stream]) -> str:
        """Return the URL of a connection that will carry *streams* of *category*."""
        raise TypeError(f"{type(self).__name__} lacks address()")

    def opening(self, category: str) -> list[bytes]:
        """Return the frames to send on a new connection before anything is subscribed."""
        return []

    def subscribe(self, streams: Sequence[Stream], request: int) -> list[bytes]:
        """Return the frame (or frames) asking for *streams*; the answer names *request* where the venue echoes it.

        Every frame keeps to ``limits``: the caller passes no more streams than ``streams_per_request``.
        """
        raise TypeError(f"{type(self).__name__} lacks subscribe()")

    def unsubscribe(self, streams: Sequence[Stream], request: int) -> list[bytes]:
        """Return the frame (or frames) that end *streams*."""
        raise TypeError(f"{type(self).__name__} lacks unsubscribe()")

    def control(self, frame: bytes) -> Control | None:
        """Return what a frame says about the connection or its subscriptions; None: it is data, or nothing to act on.

        Called for every frame before the adapter sees it, so it must tell data at a glance. Never raises; what it
        cannot read is left to the adapter.
        """
        return None

    def stream_of(self, frame: bytes) -> str:
        """Return the name of the stream that a data frame belongs to, as subscribed; empty if it does not tell.

        Never raises.
        """
        return ""

    def reaction(self, code: int, reason: str) -> Reaction | None:
        """Return what a close code means at this venue; None: what it means in general."""
        return None

    # Requests.

    def instrument_requests(self) -> list[Request]:
        """Return the requests whose answers :meth:`FeedAdapter.instruments` reads."""
        raise TypeError(f"{type(self).__name__} lacks instrument_requests()")

    def next_request(self, request: Request, body: bytes) -> Request | None:
        """Return the request for the next page after the answer *body*; None after the last one."""
        return None

    def snapshot_request(self, symbol: str) -> Request | None:
        """Return the request for a full book; None where the venue sends it on subscribing."""
        return None

    def polls(self, symbols: Sequence[str]) -> list[Poll]:
        """Return what is to be asked for again and again."""
        return []

    def time_request(self) -> Request | None:
        """Return the request for the venue's clock."""
        return None

    def server_time_ns(self, body: bytes) -> int:
        """Return the venue's clock in the answer to :meth:`time_request`; InputError if it tells none."""
        return 0

    def trouble(self, status: int, headers: Mapping[str, str], body: bytes) -> Trouble | None:
        """Return what an answer means at this venue (header names in lower case); None: what it means in general.

        Called for every status that is no success, and for successes too: some venues put errors into them.
        """
        return None
