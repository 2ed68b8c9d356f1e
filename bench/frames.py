"""From the bytes of a Binance depth frame to the book: adapter, sink and ladder beside json, Decimal and SortedDict."""

from __future__ import annotations

import random
from decimal import Decimal

from bench.measure import Candidate, Measured, Work, compare
from bench.peers import DecimalBook
from quotewright.kernel.ladder import Ladder
from quotewright.kernel.rows import TapeBuffer
from quotewright.kernel.sink import TapeSink
from quotewright_plugins.exchanges.binance.adapter import BinanceAdapter

SNAPSHOT_URL = "https://fapi.binance.com/fapi/v1/depth?symbol=BTCUSDT&limit=1000"
SNAPSHOT_LEVELS = 1000
MID = 617_000
"""Price steps of 0.1 USDT."""
FIRST_MS = 1_723_161_600_000
OVERLAP = (
    b'{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":1723161600000,"T":1723161600000,"s":"BTCUSDT",'
    b'"U":999990,"u":1000000,"pu":999980,"b":[],"a":[]}}'
)
"""An empty update that ends where the snapshot stands."""
Changes = list[tuple[int, int]]


def frames(count: int, seed: int) -> tuple[bytes, list[bytes]]:
    """Return a REST snapshot and *count* diff-depth frames of the USD-M combined stream, about seven levels each."""
    chance = random.Random(seed)
    last_id = 1_000_000
    snapshot = (
        f'{{"lastUpdateId":{last_id},"E":{FIRST_MS},"T":{FIRST_MS},'
        f'"bids":{_levels([(MID - i, 1000 + i) for i in range(SNAPSHOT_LEVELS)])},'
        f'"asks":{_levels([(MID + 1 + i, 1000 + i) for i in range(SNAPSHOT_LEVELS)])}}}'
    )
    before = last_id
    made = []
    for number in range(count):
        first, last_id = last_id + 1, last_id + chance.randint(5, 40)
        stamp = FIRST_MS + 100 * (number + 1)
        bids = [(MID - _away(chance), _size(chance)) for _ in range(chance.randint(2, 5))]
        offers = [(MID + 1 + _away(chance), _size(chance)) for _ in range(chance.randint(2, 5))]
        made.append(
            f'{{"stream":"btcusdt@depth@100ms","data":{{"e":"depthUpdate","E":{stamp + 3},"T":{stamp},"s":"BTCUSDT",'
            f'"U":{first},"u":{last_id},"pu":{before},"b":{_levels(bids)},"a":{_levels(offers)}}}}}'.encode()
        )
        before = last_id
    return snapshot.encode(), made


def _away(chance: random.Random) -> int:
    return min(int(chance.expovariate(1 / 60)), SNAPSHOT_LEVELS - 1)


def _size(chance: random.Random) -> int:
    return 0 if chance.random() < 0.2 else 1 + int(chance.lognormvariate(5, 1.5))


def _levels(levels: Changes) -> str:
    pairs = [f'["{price // 10}.{price % 10}","{size // 1000}.{size % 1000:03}"]' for price, size in levels]
    return "[" + ",".join(pairs) + "]"


def to_book(count: int, seed: int, repeats: int) -> list[Measured]:
    """Every frame by itself from bytes to the best quotes."""
    snapshot, made = frames(count, seed)

    def ours() -> Work:
        adapter, buffer, book = BinanceAdapter("usdm"), TapeBuffer(65_536), Ladder()
        sink = TapeSink(buffer, {"BTCUSDT": (0, 1, 3)})
        # The first update makes the adapter ask for a snapshot, and overlaps it.
        adapter.on_message(OVERLAP, "ws", None, 1, sink)
        adapter.on_message(snapshot, "rest", SNAPSHOT_URL, 1, sink)
        book.apply(buffer, 0, buffer.count)

        def work() -> tuple[int, int]:
            on_message, apply = adapter.on_message, book.apply
            last = buffer.count
            for frame in made:
                first = last
                on_message(frame, "ws", None, 1, sink)
                last = buffer.count
                apply(buffer, first, last)
            assert adapter.counters.updates >= count, "the adapter passed frames over"
            return book.best_bid, book.best_offer

        return work

    def plain() -> Work:
        book = DecimalBook(1_000_000)
        for levels, sign, first in ((book.bids, -1, MID), (book.offers, 1, MID + 1)):
            for number in range(SNAPSHOT_LEVELS):
                levels[Decimal(first + sign * number) / 10] = Decimal(1000 + number) / 1000

        def work() -> tuple[int, int]:
            on_message, best = book.on_message, book.best
            for frame in made:
                on_message(frame)
                best()
            bid, offer = best()
            return int(bid * 10), int(offer * 10)

        return work

    return compare(
        [
            Candidate(name="adapter, sink, ladder", units=count, prepare=ours, check=tuple, target_ns=2000),
            Candidate(name="json, Decimal, SortedDict", units=count, prepare=plain, check=tuple),
        ],
        repeats,
    )
