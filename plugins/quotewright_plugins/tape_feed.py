"""A feed for a run on a tape, whichever exchange it was recorded on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quotewright.feed import FeedAdapter
from quotewright.plugin.settings import configured

if TYPE_CHECKING:
    from quotewright.feed import Source
    from quotewright.tape.sink import Sink


@configured
class TapeFeed(FeedAdapter):
    """The rows of the tape that ``--data`` names; there are no frames to read."""

    name = "tape"

    def on_message(self, raw: bytes | memoryview, source: Source, url: str | None, receive_ns: int, sink: Sink) -> None:
        """A tape holds rows, not frames; one that comes all the same is counted as of another market."""
        self.bad_frame("market", "a tape holds rows, not frames")
