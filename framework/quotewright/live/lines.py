"""One place of a feed among its connections: the one that serves it, and the one that is to take over."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from quotewright.live.connection import ConnectionState
from quotewright.live.streams import StreamState

if TYPE_CHECKING:
    from quotewright.live.connection import Connection

SEEN_LIMIT = 100_000


class Line:
    """A connection and its part in the feed.

    A line that replaces another one holds its frames back: both peers send the same updates, and one that is ahead
    must not make a hole. When it takes over, what it held follows what the old one delivered without a gap.
    """

    def __init__(self, connection: Connection, replaces: Line | None = None, held_limit: int = 100_000) -> None:
        self.connection = connection
        self.replaces = replaces
        self.successor: Line | None = None
        self.held: deque[tuple[bytes, str]] = deque(maxlen=held_limit)
        self.seen: set[bytes] = set()
        """Frames that are no books' and were delivered while the successor was holding the same."""
        self.ready_ns = 0
        """Since when every stream of it has come; 0: not yet."""
        self.was_open = False

    @property
    def is_holding(self) -> bool:
        return self.replaces is not None

    @property
    def is_serving(self) -> bool:
        return self.replaces is None and self.connection.state == ConnectionState.OPEN

    def is_book(self, name: str) -> bool:
        """Return whether the stream *name* carries a book; a name that is not known might."""
        subscription = self.connection.subscriptions.get(name)
        return subscription is None or subscription.stream.channel == "book"

    def saw(self, frame: bytes) -> None:
        """Remember a frame that the successor will have, too."""
        if len(self.seen) >= SEEN_LIMIT:
            self.seen.clear()
        self.seen.add(frame)

    def is_synced(self, now_ns: int, patience_ns: int) -> bool:
        """Return whether every stream was granted and every book has come, or had *patience_ns* to come."""
        connection = self.connection
        if connection.state != ConnectionState.OPEN:
            return False
        for one in connection.subscriptions.values():
            if one.state in (StreamState.WAITING, StreamState.ASKED, StreamState.SILENT):
                return False
            if (
                one.state == StreamState.ACKNOWLEDGED
                and one.stream.channel == "book"
                and now_ns - one.since_ns < patience_ns
            ):
                return False
        return True

    def continue_counts(self, old: Line) -> None:
        """Go on counting messages of each stream where *old* ends."""
        before = old.connection.subscriptions
        for name, one in self.connection.subscriptions.items():
            if name in before:
                one.messages += before[name].messages
                one.messages_before += before[name].messages

    def live_symbols(self) -> set[str]:
        """Return the symbols whose books come."""
        return {
            one.stream.symbol
            for one in self.connection.subscriptions.values()
            if one.stream.channel == "book" and one.state == StreamState.LIVE
        }
