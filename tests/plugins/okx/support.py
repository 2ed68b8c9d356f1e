"""What the tests of the OKX adapter share: a run through it and a session whose image is sent anew when asked for."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from quotewright.feed import Resubscribe
from quotewright.kernel.rows import TapeBuffer
from quotewright.kernel.sink import TapeSink
from quotewright_plugins.exchanges.okx.adapter import OkxAdapter
from quotewright_plugins.exchanges.okx.frames import SYMBOLS, Line, OkxSession
from tests.plugins.binance.support import PlainBook, Row, rows_of

LISTED = {symbol: (place, 5, 4) for place, symbol in enumerate(SYMBOLS.values())}


@attrs.define
class Run:
    """An adapter, its sink and the rows it wrote."""

    market: str = ""
    checksum: str = "when_sent"
    adapter: OkxAdapter = attrs.field(init=False)
    buffer: TapeBuffer = attrs.field(init=False, factory=TapeBuffer)
    sink: TapeSink = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.adapter = OkxAdapter(self.market, checksum=self.checksum)
        self.sink = TapeSink(self.buffer, LISTED)

    def feed(self, line: Line) -> list[Row]:
        """Hand one line in and return the rows it made."""
        before = self.buffer.count
        self.adapter.on_message(line.raw, line.source, line.url, line.receive_ns, self.sink)
        return rows_of(self.buffer, before)

    def ws(self, raw: bytes, receive_ns: int = 1) -> list[Row]:
        return self.feed(Line(receive_ns, "ws", None, raw))

    def feed_all(self, lines: Iterable[Line]) -> list[Row]:
        return [row for line in lines for row in self.feed(line)]

    def wants_image(self) -> bool:
        """Drain the actions and return whether a new subscription is among them."""
        return any(isinstance(action, Resubscribe) for action in self.adapter.actions())

    def book(self) -> PlainBook:
        """Return the book that all rows so far make."""
        book = PlainBook()
        book.apply(rows_of(self.buffer))
        return book


def is_true(run: Run, session: OkxSession) -> bool:
    """Return whether the book that was written is the session's."""
    book = run.book()
    scale, lots = 10 ** (5 - session.price_decimals), 10 ** (4 - session.size_decimals)
    return (
        not book.is_stale
        and book.bids == {price * scale: size * lots for price, size in session.bids.items()}
        and book.offers == {price * scale: size * lots for price, size in session.offers.items()}
    )
