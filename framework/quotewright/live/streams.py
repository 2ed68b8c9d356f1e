"""Where each subscription of a connection stands, and how many streams fit on which connection."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import TYPE_CHECKING

import attrs

from quotewright.feed import Stream

if TYPE_CHECKING:
    from quotewright.wire import WireLimits


class StreamState(IntEnum):
    """What has come of asking for a stream on one connection."""

    WAITING = 0
    """To be asked for as soon as the venue's limit of frames lets us."""
    ASKED = 1
    ACKNOWLEDGED = 2
    LIVE = 3
    """Data have come."""
    SILENT = 4
    """Neither an answer nor data in time: it is asked for again."""
    REFUSED = 5
    """The venue will not serve it."""


SETTLED = (StreamState.LIVE, StreamState.REFUSED)


@attrs.define
class Subscription:
    """One stream on one connection."""

    stream: Stream
    state: StreamState = StreamState.WAITING
    since_ns: int = 0
    """When it came into this state."""
    due_ns: int = 0
    """When what is awaited in this state is late, or when it is to be asked for again; 0: nothing is awaited."""
    request: int = -1
    tries: int = 0
    messages: int = 0
    messages_before: int = 0
    """How many of them came before the connection was opened last."""
    last_ns: int = 0
    reason: str = ""
    """Why it was refused, or what was missing last."""

    def enter(self, state: StreamState, now_ns: int, due_ns: int = 0) -> None:
        self.state = state
        self.since_ns = now_ns
        self.due_ns = due_ns


@attrs.frozen
class Placement:
    """Which streams go on which connection, and which ones the venue's limits leave out."""

    connections: tuple[tuple[str, tuple[Stream, ...]], ...]
    """Category and streams of each connection."""
    unserved: tuple[Stream, ...] = ()


def place(
    streams: Iterable[Stream],
    limits: WireLimits,
    tiers: Sequence[Sequence[str]] = (),
    taken: int = 0,
) -> Placement:
    """Return how *streams* are spread over connections.

    Streams of earlier *tiers* (symbols) come first, then those of no tier; within a tier they keep their order. One
    connection of those that the venue allows is kept for the switch to a new one, unless it allows only one.
    *taken* connections are in use already.
    """
    tier_of = {symbol: number for number, tier in reversed(list(enumerate(tiers))) for symbol in tier}
    ordered = sorted(dict.fromkeys(streams), key=lambda stream: tier_of.get(stream.symbol, len(tiers)))
    room = 0
    if limits.connections:
        room = max(1, limits.connections - 1) - taken
    found: list[tuple[str, list[Stream]]] = []
    open_of: dict[str, list[Stream]] = {}
    unserved: list[Stream] = []
    for stream in ordered:
        group = open_of.get(stream.category)
        if group is None or (limits.streams_per_connection and len(group) >= limits.streams_per_connection):
            if limits.connections and len(found) >= room:
                unserved.append(stream)
                continue
            group = open_of[stream.category] = []
            found.append((stream.category, group))
        group.append(stream)
    return Placement(tuple((category, tuple(group)) for category, group in found), tuple(unserved))
