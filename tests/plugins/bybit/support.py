"""What the tests of the Bybit adapter share: a run through it, a plain book read from rows, captures."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator
from pathlib import Path

import attrs
import msgspec

from quotewright.feed import Resubscribe
from quotewright.kernel import codes
from quotewright.kernel.rows import TapeBuffer
from quotewright.kernel.sink import TapeSink
from quotewright_plugins.exchanges.bybit.adapter import BybitAdapter
from quotewright_plugins.exchanges.bybit.frames import SYMBOLS, Line

Row = tuple[int, int, int, int, int, int]
MARKETS = ("spot", "linear", "inverse", "option")


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


def rows_of(buffer: TapeBuffer, first: int = 0) -> list[Row]:
    """Return the rows of *buffer* from row *first* on, six ints each."""
    words = list(buffer.words[first * 6 : buffer.count * 6])
    return [tuple(words[at : at + 6]) for at in range(0, len(words), 6)]  # type: ignore[misc]


def kind(row: Row) -> int:
    return row[5] & 0xFF


def side(row: Row) -> int:
    return row[5] >> codes.SIDE_SHIFT & 0xFF


def flags(row: Row) -> int:
    return row[5] >> codes.FLAG_SHIFT & 0xFFFF


def names(rows: Iterable[Row]) -> list[str]:
    """Return the kinds of *rows* in words."""
    return [codes.KIND_NAMES[kind(row)] for row in rows]


@attrs.define
class PlainBook:
    """The most obvious book: two dictionaries, filled from rows. ``is_stale`` from a gap to the next snapshot."""

    bids: dict[int, int] = attrs.Factory(dict)
    offers: dict[int, int] = attrs.Factory(dict)
    is_stale: bool = True
    gaps: int = 0

    def apply(self, rows: Iterable[Row]) -> None:
        for row in rows:
            if kind(row) == codes.SNAPSHOT_BEGIN:
                self.bids.clear()
                self.offers.clear()
                self.is_stale = False
            elif kind(row) == codes.GAP:
                self.is_stale = True
                self.gaps += 1
            elif kind(row) in (codes.LEVEL_SET, codes.LEVEL_DELETE):
                book = self.bids if side(row) == codes.BID else self.offers
                if row[3]:
                    book[row[2]] = row[3]
                else:
                    book.pop(row[2], None)


@attrs.define
class Run:
    """An adapter, its sink and the rows it wrote."""

    market: str = "linear"
    symbols: dict[str, tuple[int, int, int]] | None = None
    adapter: BybitAdapter = attrs.field(init=False)
    buffer: TapeBuffer = attrs.field(init=False, factory=TapeBuffer)
    sink: TapeSink = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.adapter = BybitAdapter(self.market)
        if self.symbols is None:
            self.symbols = {SYMBOLS[self.market]: (0, 2, 3)}
        self.sink = TapeSink(self.buffer, self.symbols)

    def feed(self, line: Line) -> list[Row]:
        """Hand one line in and return the rows it made."""
        before = self.buffer.count
        self.adapter.on_message(line.raw, line.source, line.url, line.receive_ns, self.sink)
        return rows_of(self.buffer, before)

    def ws(self, raw: bytes, receive_ns: int = 1) -> list[Row]:
        return self.feed(Line(receive_ns, "ws", None, raw))

    def rest(self, raw: bytes, url: str | None = None, receive_ns: int = 1) -> list[Row]:
        return self.feed(Line(receive_ns, "rest", url, raw))

    def feed_all(self, lines: Iterable[Line]) -> list[Row]:
        return [row for line in lines for row in self.feed(line)]

    def book(self) -> PlainBook:
        """Return the book that all rows so far make."""
        book = PlainBook()
        book.apply(rows_of(self.buffer))
        return book

    def wants_subscription(self) -> bool:
        """Drain the actions and return whether the book's stream is to be asked for anew."""
        return any(isinstance(action, Resubscribe) for action in self.adapter.actions())

    @property
    def symbol(self) -> str:
        assert self.symbols is not None
        return next(iter(self.symbols))

    def state(self, symbol: str = "") -> str:
        return self.adapter.books[symbol or self.symbol].state.name
