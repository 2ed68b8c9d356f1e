"""Recorded sessions of Binance, and generated ones of the same shape: every book joins, never breaks, and agrees.

After each update with last id u the rebuilt best quotes must equal the last bookTicker whose id is at most u. The
ladder and the sorted book read the same rows and must agree after every one of them.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable

import attrs
import pytest

from quotewright.feed import BookState
from quotewright.kernel import codes
from quotewright.kernel.book import BookModel
from quotewright.kernel.ladder import Ladder
from quotewright.kernel.rows import TapeBuffer
from quotewright.kernel.sink import TapeSink
from quotewright_plugins.books.sorted_book import SortedBook
from quotewright_plugins.exchanges.binance.adapter import BinanceAdapter
from quotewright_plugins.exchanges.binance.frames import BinanceSession, Line, session_lines
from tests.plugins.binance.support import capture_lines
from tests.recorded import recorded

Quote = tuple[int, int, int, int]

CAPTURES = {  # how often a recorded bookTicker differs from the book at the same id
    "spot/nexousdt_20240723T1539_24h": 0,
    "spot/btcusdt_20240808T2354_11m": 2,  # bookTicker left a change out
    "spot/multi10_20210417T1636_30s": 0,
    "spot/multi4_20211012T0028_30s": 0,
    "usdm/btcusdt_20240808T2354_6m": 0,
    "usdm/ethusdt_20240718T2357_8m": 0,
    "usdm/multi4_20210722T2225_30s": 0,
    "coinm/btcusd_perp_20240808T2354_11m": 0,
    "coinm/multi10_20210722T0113_30s": 3,  # the snapshot disagrees until the level is updated
}
ROWS_WANTED = 1_200_000
_LEVEL = re.compile(rb'\["\d+\.?(\d*?)0*", ?"\d+\.?(\d*?)0*"\]')


@attrs.define
class Reading:
    """What reading a session has shown."""

    adapter: BinanceAdapter
    symbols: int = 0
    lines: int = 0
    level_rows: int = 0
    trades: int = 0
    compared: int = 0
    mismatches: int = 0
    crossings: int = 0


class Reader:
    """Reads lines through adapter and sink into both books of every symbol, comparing as it goes."""

    def __init__(self, market: str, decimals: dict[str, tuple[int, int]]) -> None:
        self.adapter = BinanceAdapter(market)
        self.adapter.subscribe(decimals)
        self.buffer = TapeBuffer()
        self.sink = TapeSink(
            self.buffer, {symbol: (number, *decimals[symbol]) for number, symbol in enumerate(decimals)}
        )
        self.ladders: list[BookModel] = [Ladder() for _ in decimals]
        self.sorted: list[BookModel] = [SortedBook() for _ in decimals]
        self.best: list[list[tuple[int, Quote]]] = [[] for _ in decimals]
        self.tops: list[list[tuple[int, Quote]]] = [[] for _ in decimals]
        self.reading = Reading(self.adapter, len(decimals))

    def read(self, lines: Iterable[Line]) -> Reading:
        reading, buffer, sink = self.reading, self.buffer, self.sink
        on_message = self.adapter.on_message
        for line in lines:
            on_message(line.raw, line.source, line.url, line.receive_ns, sink)
            if buffer.count:
                self.take()
                buffer.truncate(0)
            reading.lines += 1
        for number, ladder in enumerate(self.ladders):
            for side in (codes.BID, codes.OFFER):
                assert ladder.levels(side, -1) == self.sorted[number].levels(side, -1)
            reading.crossings += ladder.crossings
            self.compare(number)
        return reading

    def take(self) -> None:
        """Apply the messages in the buffer one by one."""
        words = self.buffer.words
        first = 0
        for row in range(self.buffer.count):
            if not words[row * 6 + 5] & codes.LAST_BIT:
                continue
            word = words[first * 6 + 5]
            number = word >> codes.INSTRUMENT_SHIFT
            kind = word & 0xFF
            if kind == codes.BEST_QUOTE:
                at = first * 6
                quote = (words[at + 2], words[at + 3], words[at + 8], words[at + 9])
                self.best[number].append((words[at + 4], quote))
            elif kind == codes.TRADE:
                self.reading.trades += 1
            else:
                self.take_book(number, first, row + 1, kind != codes.SNAPSHOT_BEGIN)
            first = row + 1
        assert first == self.buffer.count, "every message is finished"

    def take_book(self, number: int, first: int, last: int, is_update: bool) -> None:
        """Apply one message to both books and compare what each of its rows has done."""
        ladder, other = self.ladders[number], self.sorted[number]
        assert ladder.apply(self.buffer, first, last) == other.apply(self.buffer, first, last)
        top = (ladder.best_bid, ladder.best_bid_size, ladder.best_offer, ladder.best_offer_size)
        assert top == (other.best_bid, other.best_bid_size, other.best_offer, other.best_offer_size)
        assert ladder.status == other.status
        words = self.buffer.words
        for at in range(first * 6, last * 6, 6):
            word = words[at + 5]
            if word & 0xFF in (codes.LEVEL_SET, codes.LEVEL_DELETE):
                side, price, size = word >> codes.SIDE_SHIFT & 0xFF, words[at + 2], words[at + 3]
                if not ladder.size_at(side, price) == other.size_at(side, price) == size:
                    raise AssertionError(f"size at {price} on side {side} should be {size}")
                self.reading.level_rows += 1
        if is_update:
            self.tops[number].append((words[first * 6 + 4], top))

    def compare(self, number: int) -> None:
        """Compare the top after each update with the last best quote whose id is not greater."""
        quotes = self.best[number]
        at = 0
        for last_id, top in self.tops[number]:
            while at < len(quotes) and quotes[at][0] <= last_id:
                at += 1
            if at:
                self.reading.compared += 1
                self.reading.mismatches += quotes[at - 1][1] != top


def decimals_of(lines: Iterable[Line]) -> dict[str, tuple[int, int]]:
    """Return the decimals that prices and sizes of each symbol need, read off its levels."""
    found: dict[str, tuple[int, int]] = {}
    for line in lines:
        url = line.url or ""
        symbol = re.search(r"symbol=(\w+)", url) or re.search(r'"s(?:ymbol)?":"(\w+)"', line.raw[:300].decode())
        name = symbol.group(1) if symbol else next(iter(found), "")
        levels = _LEVEL.findall(line.raw)
        if levels and name:
            price, size = found.get(name, (0, 0))
            price = max(price, *(len(level[0]) for level in levels))
            size = max(size, *(len(level[1]) for level in levels))
            found[name] = (price, size)
    return dict(sorted(found.items()))


@functools.cache
def read_capture(name: str) -> Reading:
    lines = list(capture_lines(recorded(f"binance/{name}.jsonl.gz")))
    return Reader(name.partition("/")[0], decimals_of(lines)).read(lines)


def check(reading: Reading, mismatches: int) -> None:
    counters = reading.adapter.counters
    assert {book.state for book in reading.adapter.books.values()} == {BookState.SYNCHRONISED}
    assert len(reading.adapter.books) == reading.symbols
    assert (counters.gaps, counters.resyncs, counters.snapshots_refused) == (0, 0, 0)
    assert (counters.errors, counters.unlisted, counters.duplicate_trades) == (0, 0, 0)
    assert counters.snapshots == reading.symbols
    assert reading.crossings == 0
    assert reading.trades == counters.trades > 0
    assert reading.compared > 0
    assert reading.mismatches == mismatches


@pytest.mark.recorded
@pytest.mark.parametrize(("name", "mismatches"), CAPTURES.items(), ids=CAPTURES)
def test_a_recorded_book_joins_never_breaks_and_agrees(
    name: str, mismatches: int, record_property: Callable[[str, object], None]
) -> None:
    reading = read_capture(name)
    print(f"{name}: {reading.level_rows} rows compared between ladder and sorted, {reading.compared} best quotes")
    record_property("rows_compared", reading.level_rows)
    check(reading, mismatches)


@pytest.mark.recorded
def test_ladder_and_sorted_book_agree_on_more_than_a_million_recorded_rows(
    record_property: Callable[[str, object], None],
) -> None:
    rows = {name: read_capture(name).level_rows for name in CAPTURES}
    for name, count in rows.items():
        print(f"{name}: {count} rows compared")
    print(f"in total: {sum(rows.values())} rows compared")
    record_property("rows_compared", sum(rows.values()))
    assert sum(rows.values()) >= ROWS_WANTED


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("market", ["spot", "usdm", "coinm"])
def test_a_generated_book_joins_never_breaks_and_agrees(market: str, seed: int) -> None:
    session = BinanceSession(market=market, seed=seed)
    reading = Reader(market, {"BTCUSDT": (2, 3)}).read(session_lines(session, 300, with_url=seed != 2))
    check(reading, 0)
    assert reading.level_rows > 500
