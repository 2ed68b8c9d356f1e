"""Rebuilding the books of a capture in the exchange's own text, and telling how far they can be trusted."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from quotewright.errors import InputError
from quotewright.feed import BookState
from quotewright.tape.capture import envelope
from quotewright.tape.exchanges import detect_market, market_of
from quotewright.tape.importing import make_adapter
from quotewright.tape.normalise import NormaliseSink, is_zero
from quotewright.tape.recording import RecordedFile

if TYPE_CHECKING:
    from quotewright.feed import FeedAdapter
    from quotewright.plugin.registry import PluginSet
    from quotewright.tape.importing import Market
    from quotewright.tape.sink import Text
    from quotewright.tape.tape import TapeInfo

SHOWN_LEVELS: Final = 5
LEVEL_LIMIT: Final = 100_000
"""Levels of a side; what comes beyond is left out, as hostile data would fill the memory."""
WAITING_LIMIT: Final = 10_000
BOOK_LIMIT: Final = 20_000

Top = tuple[str, str, str, str]
"""Best bid and its size, best offer and its size, as text; empty where a side is."""


class TextSide:
    """One side of a book that keeps the text of prices and sizes; *sign* is -1 for bids, 1 for offers."""

    def __init__(self, sign: int) -> None:
        self.sign = sign
        self.levels: dict[Decimal, tuple[str, str]] = {}
        self._heap: list[Decimal] = []

    def put(self, price: str, size: str) -> None:
        """Set the size of a level; 0 deletes it, unknown ones are left alone."""
        key = Decimal(price) * self.sign
        if is_zero(size):
            self.levels.pop(key, None)
            return
        if key not in self.levels:
            if len(self.levels) >= LEVEL_LIMIT:
                return
            heapq.heappush(self._heap, key)
            if len(self._heap) > 4 * len(self.levels) + 1000:
                self._heap = [key, *self.levels]
                heapq.heapify(self._heap)
        self.levels[key] = (price, size)

    def best(self) -> Decimal | None:
        """Return the price of the best level times *sign*."""
        heap = self._heap
        while heap and heap[0] not in self.levels:
            heapq.heappop(heap)
        return heap[0] if heap else None

    def top(self) -> tuple[str, str]:
        key = self.best()
        return self.levels[key] if key is not None else ("", "")

    def best_levels(self, count: int) -> list[tuple[str, str]]:
        """Return the best levels, best first."""
        return [self.levels[key] for key in heapq.nsmallest(count, self.levels)]

    def clear(self) -> None:
        self.levels.clear()
        self._heap.clear()


class TextBook:
    """The book of one symbol in text, and what was counted about it."""

    def __init__(self) -> None:
        self.bids = TextSide(-1)
        self.offers = TextSide(1)
        self.messages = self.snapshots = self.trades = self.quotes = self.gaps = self.crossings = 0
        self.compared = self.equal = 0
        self.is_good = False
        self.quote: Top = ("", "", "", "")
        self._quote_id = 0
        self._tops: deque[tuple[int, Top]] = deque(maxlen=WAITING_LIMIT)

    def apply(self, bids: list[tuple[str, str]], asks: list[tuple[str, str]], is_snapshot: bool, id: int) -> None:
        """Apply one message of the book."""
        self.messages += 1
        if is_snapshot:
            self.snapshots += 1
            self.bids.clear()
            self.offers.clear()
            self.is_good = True
        for price, size in bids:
            self.bids.put(price, size)
        for price, size in asks:
            self.offers.put(price, size)
        if not self.is_good:
            return
        best_bid, best_offer = self.bids.best(), self.offers.best()
        if best_bid is not None and best_offer is not None and -best_bid >= best_offer:
            self.crossings += 1
        if self._quote_id and id >= self._quote_id and not is_snapshot:
            self._tops.append((id, self.bids.top() + self.offers.top()))

    def lose(self) -> None:
        """Updates are missing: the book is stale until the next snapshot."""
        self.gaps += 1
        self.is_good = False
        self._tops.clear()

    def take_quote(self, quote: Top, id: int) -> None:
        """Compare the tops that the quote before this one speaks of: the last quote up to a book's id tells its top."""
        self.quotes += 1
        tops = self._tops
        while tops and tops[0][0] < id:
            _, top = tops.popleft()
            self.compared += 1
            self.equal += _is_same(top, self.quote)
        if id < self._quote_id:
            tops.clear()
        self.quote = quote
        self._quote_id = id


def _is_same(one: Top, other: Top) -> bool:
    return one == other or all(
        first == second or (first and second and Decimal(first) == Decimal(second))
        for first, second in zip(one, other, strict=True)
    )


class BookSink(NormaliseSink):
    """A sink that keeps books in text, one for each symbol."""

    def __init__(self) -> None:
        super().__init__("")
        self.books: dict[str, TextBook] = {}
        self._has_gap = False
        self._quote: Top | None = None
        self._prints = 0
        self._message_id = 0

    def begin(
        self, symbol: str, event_ns: int, receive_ns: int, flags: int = 0, id: int = 0, stamp_ns: int = 0
    ) -> bool:
        if symbol not in self.books and len(self.books) >= BOOK_LIMIT:
            return False
        super().begin(symbol, event_ns, receive_ns, flags, id, stamp_ns)
        self._has_gap = False
        self._quote = None
        self._prints = 0
        self._message_id = id
        return True

    def trade(self, side: int, price: Text, size: Text, id: int, flags: int = 0, name: str = "") -> None:
        super().trade(side, price, size, id, flags, name)
        self._prints += 1

    def best(self, bid: Text, bid_size: Text, offer: Text, offer_size: Text) -> None:
        super().best(bid, bid_size, offer, offer_size)
        bids = (self._told(bid, "best bid"), self._told(bid_size, "best bid size"))
        offers = (self._told(offer, "best offer"), self._told(offer_size, "best offer size"))
        self._quote = (bids if all(bids) else ("", "")) + (offers if all(offers) else ("", ""))

    def gap(self, missing: int = 0) -> None:
        super().gap(missing)
        self._has_gap = True

    def end(self) -> None:
        if self.is_open:
            book = self.books.get(self._symbol)
            if book is None:
                book = self.books[self._symbol] = TextBook()
            if self._has_gap:
                book.lose()
            book.trades += self._prints
            super().end()
            if self._quote is not None:
                book.take_quote(self._quote, self._message_id)

    def _end_book(self) -> None:
        self.books[self._symbol].apply(self._bids, self._asks, self._is_snapshot, self._message_id)
        self._bids, self._asks = [], []


def verify_capture(path: Path, plugins: PluginSet, exchange: str = "") -> dict[str, Any]:
    """Return what the books of the capture at *path* are worth, as plain values.

    A file that ends too early is read as far as it goes; ``is_truncated`` says so.
    """
    file = RecordedFile(path, allow_truncated=True)
    market = market_of(exchange, plugins) if exchange else detect_market(file, plugins)
    adapter = make_adapter(plugins, *market)
    sink = BookSink()
    refused = 0
    first_refused = ""
    try:
        for why in _played(file, adapter, sink):
            refused += 1
            first_refused = first_refused or f"line {file.line}: {' '.join(why.split())}"
    finally:
        file.close()
    if file.line and refused == file.line:
        raise InputError(f"{path}: none of {file.line} lines can be used; {first_refused}")
    return {
        "file": str(path),
        "exchange": _name(market),
        "lines": file.line,
        "is_truncated": file.is_truncated,
        "refused": refused,
        "first_refused": first_refused,
        "instruments": {
            symbol: _found(book, adapter, symbol) for symbol, book in sorted(_books(sink, adapter).items())
        },
    }


def _played(file: RecordedFile, adapter: FeedAdapter, sink: BookSink) -> Iterator[str]:
    """Hand every line to *adapter*; yield why a line was refused."""
    opened: set[str | None] = set()
    newest_ns = 0
    for text in file.lines():
        if not text:
            continue
        try:
            line = envelope(text)
        except InputError as error:
            yield str(error)
            continue
        newest_ns = max(newest_ns, line.ts or 0)
        if line.src in ("ws", "file", "rest"):
            before = adapter.counters.errors
            adapter.on_message(bytes(line.msg), "rest" if line.src == "rest" else "ws", line.url, newest_ns, sink)
            if adapter.counters.errors > before:
                yield adapter.counters.last_error
        elif line.src == "open":
            if line.url in opened:  # the same connection a second time: what came between is lost
                adapter.on_close(newest_ns, sink)
            opened.add(line.url)
        elif line.src != "sent":
            yield f"src should be ws, rest, sent, open or file, was {line.src[:20]!r}"
        sink.take()
        if file.line % 1024 == 0:
            adapter.actions()


def _books(sink: BookSink, adapter: FeedAdapter) -> dict[str, TextBook]:
    """Return the books of *sink*, and empty ones for symbols whose updates all wait for a snapshot."""
    waiting = (symbol for symbol, sequence in adapter.books.items() if sequence.messages and symbol not in sink.books)
    return {**sink.books, **{symbol: TextBook() for symbol in waiting}}


def _name(market: Market) -> str:
    return " ".join(part for part in market if part)


def _found(book: TextBook, adapter: FeedAdapter, symbol: str) -> dict[str, Any]:
    """Return what is told of one symbol."""
    sequence = adapter.books.get(symbol)
    bids, offers = book.bids.best_levels(SHOWN_LEVELS), book.offers.best_levels(SHOWN_LEVELS)
    bid_count, offer_count = len(book.bids.levels), len(book.offers.levels)
    waiting = sequence.messages if sequence is not None and not book.messages else 0
    if not waiting and not book.messages and book.quotes:  # a stream of best quotes is a book of one level
        bid, bid_size, offer, offer_size = book.quote
        bids, offers = [(bid, bid_size)] * bool(bid), [(offer, offer_size)] * bool(offer)
        bid_count, offer_count = len(bids), len(offers)
    if waiting:
        state = "waiting"
    elif not book.messages:
        state = "best quotes" if book.quotes else "none"
    else:
        is_good = book.is_good and (sequence is None or sequence.state is BookState.SYNCHRONISED)
        state = "good" if is_good else "stale"
    return {
        "messages": (sequence.messages if sequence is not None else 0) or book.messages or book.quotes,
        "gaps": book.gaps,
        "crossed": book.crossings,
        "checksums_ok": sequence.checksums_good if sequence is not None else 0,
        "checksums_bad": sequence.checksums_bad if sequence is not None else 0,
        "bid_levels": bid_count,
        "ask_levels": offer_count,
        "bids": [list(level) for level in bids],
        "asks": [list(level) for level in offers],
        "book": state,
        "snapshots": book.snapshots,
        "resyncs": sequence.resyncs if sequence is not None else 0,
        "trades": book.trades,
        "quotes": book.quotes,
        "quotes_compared": book.compared,
        "quotes_equal": book.equal,
    }


def verify_tape(path: Path) -> dict[str, Any]:
    """Return the verdicts that the tape at *path* was given when it was imported; its checksums are compared now."""
    from quotewright.tape.tape import TapeFile

    with TapeFile.open(path) as tape:
        tape.verify()
        tape.require_causal()
        return {"file": str(path), "rows": tape.info.row_count, "instruments": _verdicts(tape.info)}


def _verdicts(info: TapeInfo) -> dict[str, Any]:
    symbols = {instrument.name: instrument.symbol for instrument in info.instruments}
    found = {}
    for verdict in info.verdicts:
        symbol = symbols.get(verdict.instrument, verdict.instrument)
        told = msgspec.to_builtins(verdict)
        found[verdict.instrument if symbol in found else symbol] = {**told, "crossed": verdict.crossings}
    return found


def page(report: dict[str, Any]) -> str:
    """Return a readable page of what :func:`verify_capture` or :func:`verify_tape` found."""
    lines = [
        f"{report['file']}: {report.get('exchange', 'tape')}, {report.get('lines', report.get('rows')):,} "
        + ("lines" if "lines" in report else "rows, checksums as in the header, nothing received before it happened")
    ]
    for symbol, found in report["instruments"].items():
        checks = found.get("checksums_ok", 0) + found.get("checksums_bad", 0)
        lines.append(
            f"{symbol}: book {found['book']}, {found['messages']:,} messages, {found['gaps']:,} gaps, "
            f"{found['crossed']:,} crossings, "
            + (f"checksums matched {found['checksums_ok']:,}/{checks:,}, " if checks else "")
            + (
                f"best quotes equal {found['quotes_equal']:,}/{found['quotes_compared']:,}, "
                if found.get("quotes_compared")
                else ""
            )
            + f"{found['trades']:,} trades"
        )
        for bid, offer in _rows(found):
            lines.append(f"    {' x '.join(reversed(bid)):>40} | {' x '.join(offer)}")
    return "\n".join(lines) + "\n"


def _rows(found: dict[str, Any]) -> Iterator[tuple[list[str], list[str]]]:
    bids, offers = found.get("bids", []), found.get("asks", [])
    for place in range(max(len(bids), len(offers))):
        yield (bids[place] if place < len(bids) else []), (offers[place] if place < len(offers) else [])
