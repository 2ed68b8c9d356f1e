"""The markets that both engines replay: made from fixed seeds, and recorded ones where they are beside the project.

Sizes are counted in thousandths of the market's own step, so that hardly a print fills an order of ours to the very
unit: hftbacktest 2.4.4 keeps such an order in its book, and ends its run with error 14 at the next event that meets it.
"""

from __future__ import annotations

import gzip
import random
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import attrs
import numpy as np

from bench.market import INSTRUMENT as BUSY
from bench.market import generate
from quotewright.kernel.codes import (
    BID,
    BUY,
    IN_SNAPSHOT,
    LEVEL_DELETE,
    LEVEL_SET,
    NO_MARKET,
    OFFER,
    SELL,
    SNAPSHOT_BEGIN,
    TRADE,
    pack,
)
from quotewright.kernel.rows import TapeBuffer
from quotewright.model.instrument import Instrument
from quotewright.tape.tape import MemoryTape, TapeFile

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
FINER = 1000
LINES = 12_000
"""How many messages of a recorded market are replayed."""


class Missing(Exception):
    """A market that is not here; the text says why."""


@attrs.frozen(kw_only=True)
class Market:
    """A tape of one instrument. ``tick`` is the distance of its prices in steps, ``size`` an ordinary size."""

    name: str
    tape: MemoryTape
    tick: int
    size: int

    @property
    def instrument(self) -> Instrument:
        return self.tape.instruments[0]


def finer(name: str, instrument: Instrument, array: Any, count: int | None = None) -> Market:
    """Return a market of the rows of *array*, sizes in thousandths, every step a tick and every thousandth a lot."""
    array = array[:count] if count else array
    kinds = array["kind"]
    buffer = TapeBuffer(max(64, len(array)))
    words = np.ascontiguousarray(array).view(np.int64).reshape(len(array), -1)
    is_sized = (kinds == LEVEL_SET) | (kinds == TRADE)
    scaled = words.copy()
    scaled[is_sized, 3] *= FINER
    for row in scaled.tolist():
        buffer.append(*row)
    exact = attrs.evolve(
        instrument,
        size_decimals=instrument.size_decimals + 3,
        tick_steps=1,
        lot_steps=1,
        min_quantity_steps=0,
        max_quantity_steps=0,
        min_notional=instrument.min_notional * 0,
        is_inverse=False,
        settle=instrument.quote if instrument.is_inverse else instrument.settle,
        tick_table=(),
    )
    prices = np.unique(array["price"][kinds == LEVEL_SET])
    sizes = scaled[kinds == TRADE, 3]
    tick = int(np.gcd.reduce(np.diff(prices)))
    return Market(name=name, tape=MemoryTape((exact,), buffer), tick=tick, size=int(np.median(sizes)))


def busy(rows: int) -> Market:
    """Return the market of the benchmarks: a liquid perpetual of 1,700 rows a second."""
    return finer("busy", BUSY, generate(rows, 5))


def agents(rows: int) -> Market:
    """Return the market that the agents of the local exchange make among themselves."""
    import tempfile

    from quotewright_simexchange.local import LocalExchange
    from quotewright_simexchange.record import record_market

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tape"
        record_market(path, LocalExchange(), seed=11, seconds=rows / 130)
        with TapeFile.open(path) as tape:
            return finer("agents", tape.instruments[0], tape.array.copy())


QUEUES = Instrument(
    name="EUR-USD.perp@queues", symbol="EURUSD", venue="queues", kind="perp", base="EUR", quote="USD", settle="USD",
    price_decimals=4, size_decimals=0,
)  # fmt: skip
DEPTH = 6


class Queues:
    """A market one tick wide with thick levels, mostly queueing; levels tell of a print with the next of their changes.

    A snapshot comes with changes of which nothing was told before.
    """

    def __init__(self, seed: int, with_snapshots: bool) -> None:
        self.random = random.Random(seed)
        self.with_snapshots = with_snapshots
        self.buffer = TapeBuffer(1024)
        self.time = 1_000_000_000_000_000_000
        self.bid = 11_000
        self.sizes: dict[tuple[int, int], int] = {}
        self.late: list[tuple[int, int]] = []

    def make(self, rows: int) -> TapeBuffer:
        """Write at least *rows* rows."""
        for away in range(2 * DEPTH):
            self.sizes[BID, self.bid - away] = self.thick()
            self.sizes[OFFER, self.bid + 1 + away] = self.thick()
        self.snapshot()
        until_snapshot = 250
        while self.buffer.count < rows:
            self.time += 1 + int(self.random.expovariate(1 / 8e6))
            self.step()
            until_snapshot -= 1
            if self.with_snapshots and not until_snapshot:
                until_snapshot = 250
                self.time += 1_000_000
                self.snapshot()
        return self.buffer

    def amount(self) -> int:
        return 1 + int(self.random.lognormvariate(3.5, 0.8))

    def thick(self) -> int:
        return 4 * self.amount()

    def row(self, kind: int, side: int, price: int, size: int, flags: int = 0) -> None:
        self.buffer.append(self.time, self.time + 2_000_000, price, size, 0, pack(kind, side, flags, 0))

    def snapshot(self) -> None:
        self.late.clear()
        for level in list(self.sizes):
            if self.sizes[level] and self.random.random() < 0.7:
                self.sizes[level] = self.thick()
        self.row(SNAPSHOT_BEGIN, 0, 0, 0, IN_SNAPSHOT)
        for (side, price), size in sorted(self.sizes.items()):
            if size:
                self.row(LEVEL_SET, side, price, size, IN_SNAPSHOT)
        self.buffer.mark_last()

    def level(self, side: int, price: int) -> None:
        size = self.sizes.get((side, price), 0)
        self.row(LEVEL_SET if size else LEVEL_DELETE, side, price, size)

    def step(self) -> None:
        random = self.random
        side = random.choice((BID, OFFER))
        best = self.bid if side == BID else self.bid + 1
        draw = random.random()
        if draw < 0.4:
            self.trade(side, best)
        elif draw < 0.402:
            # Outside the market, at a price that would fill us: no evidence, whatever its size.
            self.row(TRADE, SELL if side == BID else BUY, best + (-2 if side == BID else 2), self.amount(), NO_MARKET)
            self.buffer.mark_last()
        else:
            away = min(int(random.expovariate(0.5)), DEPTH - 1)
            price = best - away if side == BID else best + away
            before = self.sizes.get((side, price), 0)
            change = self.amount() if random.random() < 0.52 else -min(before, max(1, self.amount() // 2))
            self.sizes[side, price] = before + change
            self.level(side, price)
            self.settle()
            self.buffer.mark_last()

    def trade(self, side: int, best: int) -> None:
        """Let a taker print at the best price, or through it; its level tells of it later."""
        random = self.random
        left = self.amount() if random.random() < 0.85 else 2 * self.thick()
        taker = SELL if side == BID else BUY
        price = best
        while left > 0 and abs(price - best) < 3:
            there = self.sizes.get((side, price), 0)
            size = min(left, there)
            if size:
                self.row(TRADE, taker, price, size)
                self.buffer.mark_last()
                self.sizes[side, price] = there - size
                left -= size
                self.late.append((side, price))
            if self.sizes.get((side, price), 0):
                break
            price += -1 if side == BID else 1
        is_told = self.settle() or random.random() < 0.1
        self.buffer.mark_last()
        if is_told:
            self.time += random.choice((0, 1_000_000, 3_000_000))
            for late in dict.fromkeys(self.late):
                self.level(*late)
            self.late.clear()
            self.buffer.mark_last()

    def settle(self) -> bool:
        """Move the touch where a best level is gone, fill in what comes into sight, and return whether it did."""
        written = self.buffer.count
        moved = 0
        while not self.sizes.get((BID, self.bid), 0):
            moved -= 1
            self.bid -= 1
            self.sizes[OFFER, self.bid + 1] = self.thick()
            self.level(OFFER, self.bid + 1)
        while moved == 0 and not self.sizes.get((OFFER, self.bid + 1), 0):
            self.bid += 1
            self.sizes[BID, self.bid] = self.thick()
            self.level(BID, self.bid)
            if self.sizes.get((OFFER, self.bid + 1), 0):
                break
        while not self.sizes.get((OFFER, self.bid + 1), 0):
            self.sizes[OFFER, self.bid + 1] = self.thick()
            self.level(OFFER, self.bid + 1)
        for side, best, step in ((BID, self.bid, -1), (OFFER, self.bid + 1, 1)):
            for away in range(DEPTH):
                if not self.sizes.get((side, best + away * step), 0):
                    self.sizes[side, best + away * step] = self.thick()
                    self.level(side, best + away * step)
        return self.buffer.count > written


def queues(rows: int) -> Market:
    return from_queues("queues", rows, 3, False)


def snapshots(rows: int) -> Market:
    """Return a market of queues that is told anew as a whole every two seconds."""
    return from_queues("snapshots", rows, 4, True)


def from_queues(name: str, rows: int, seed: int, with_snapshots: bool) -> Market:
    buffer = Queues(seed, with_snapshots).make(rows)
    return finer(name, QUEUES, MemoryTape((QUEUES,), buffer).array)


def recorded(file: str) -> Callable[[int], Market]:
    """Return a maker of a recorded market."""

    def make(rows: int) -> Market:
        import tempfile

        from tests.end_to_end.command import quotewright

        path = DATA / file
        if not path.exists():
            raise Missing(f"recorded market data is not beside the project: shared/data/{file} is absent")
        with tempfile.TemporaryDirectory() as folder:
            beginning = Path(folder) / "beginning.jsonl"
            with gzip.open(path) as source:
                beginning.write_bytes(b"".join(islice(source, LINES)))
            ran = quotewright("data", "import", beginning, Path(folder) / "tape")
            if ran.code:
                raise RuntimeError(f"{file} could not be imported: {ran.err}")
            with TapeFile.open(Path(folder) / "tape") as tape:
                return finer(path.name.split("_")[0], tape.instruments[0], tape.array.copy(), 4 * rows)

    return make


MARKETS: dict[str, Callable[[int], Market]] = {
    "busy": busy,
    "agents": agents,
    "queues": queues,
    "snapshots": snapshots,
    "btcusdt": recorded("binance/usdm/btcusdt_20240808T2354_6m.jsonl.gz"),
    "ethusdt": recorded("binance/usdm/ethusdt_20240718T2357_8m.jsonl.gz"),
    "nexousdt": recorded("binance/spot/nexousdt_20240723T1539_24h.jsonl.gz"),
}
