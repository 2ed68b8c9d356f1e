"""What the tests of the Deribit adapter share: a run through it, captures."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator
from pathlib import Path

import attrs
import msgspec

from quotewright.feed import Resubscribe
from quotewright.kernel.rows import TapeBuffer
from quotewright.kernel.sink import TapeSink
from quotewright_plugins.exchanges.deribit.adapter import DeribitAdapter
from quotewright_plugins.exchanges.deribit.frames import GRIDS, SYMBOLS, Line
from tests.plugins.binance.support import PlainBook, Row, rows_of


class CaptureLine(msgspec.Struct):
    src: str
    msg: msgspec.Raw
    ts: int | None = None
    url: str | None = None


_LINE = msgspec.json.Decoder(CaptureLine)


def capture_lines(path: Path) -> Iterator[Line]:
    """Yield the frames and answers of a capture file."""
    with gzip.open(path) as file:
        for text in file:
            line = _LINE.decode(text)
            if line.src in ("ws", "rest", "file"):
                yield Line(line.ts or 0, "rest" if line.src == "rest" else "ws", line.url, bytes(line.msg))


@attrs.define
class Run:
    """An adapter, its sink and the rows it wrote."""

    kind: str = "perpetual"
    symbols: dict[str, tuple[int, int, int]] | None = None
    adapter: DeribitAdapter = attrs.field(init=False, factory=DeribitAdapter)
    buffer: TapeBuffer = attrs.field(init=False, factory=TapeBuffer)
    sink: TapeSink = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        if self.symbols is None:
            price_decimals, size_decimals, _ = GRIDS[self.kind]
            self.symbols = {SYMBOLS[self.kind]: (0, price_decimals, size_decimals)}
        self.sink = TapeSink(self.buffer, self.symbols)

    def feed(self, line: Line) -> list[Row]:
        """Hand one line in and return the rows it made."""
        before = self.buffer.count
        self.adapter.on_message(line.raw, line.source, line.url, line.receive_ns, self.sink)
        return rows_of(self.buffer, before)

    def ws(self, raw: bytes | str, receive_ns: int = 1) -> list[Row]:
        return self.feed(Line(receive_ns, "ws", None, raw.encode() if isinstance(raw, str) else raw))

    def rest(self, raw: bytes | str, url: str | None = None, receive_ns: int = 1) -> list[Row]:
        return self.feed(Line(receive_ns, "rest", url, raw.encode() if isinstance(raw, str) else raw))

    def feed_all(self, lines: Iterable[Line]) -> list[Row]:
        return [row for line in lines for row in self.feed(line)]

    def book(self) -> PlainBook:
        """Return the book that all rows so far make."""
        book = PlainBook()
        book.apply(rows_of(self.buffer))
        return book

    def wants_subscription(self) -> bool:
        """Drain the actions and return whether the book's channel is to be asked for anew."""
        return any(isinstance(action, Resubscribe) for action in self.adapter.actions())

    @property
    def symbol(self) -> str:
        assert self.symbols is not None
        return next(iter(self.symbols))

    def state(self, symbol: str = "") -> str:
        return self.adapter.books[symbol or self.symbol].state.name
