"""Generated market data: a busy perpetual, row by row what a day of Binance USD-M BTC looks like."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from quotewright.kernel import codes
from quotewright.model.instrument import Instrument
from quotewright.tape.layout import ROW_DTYPE
from quotewright.tape.tape import TapeInfo
from quotewright.tape.writer import TapeWriter

if TYPE_CHECKING:
    from pathlib import Path

    Rows = np.ndarray[Any, np.dtype[Any]]

INSTRUMENT = Instrument(
    name="BTC-USDT.perp@binance",
    symbol="BTCUSDT",
    venue="binance",
    kind="perp",
    base="BTC",
    quote="USDT",
    settle="USDT",
    price_decimals=1,
    size_decimals=3,
)
START_NS = 1_723_161_600_000_000_000
FIRST_BID = 617_000
"""Price steps; where the bid starts and what it is drawn back to."""

# What the recorded capture of 2024-08-08 shows: 272.5 messages and 1,737 rows a second.
MESSAGES_PER_SECOND = 272.5
DEPTH_SHARE = 0.0697
TRADE_SHARE = 0.2268
MOVE_SHARE = 0.0141
MOVE_STEPS = 15.6
DELETE_SHARE = 0.215
SNAPSHOT_LEVELS = 1000
CHUNK_MESSAGES = 65_536


@attrs.define
class Market:
    """The state that one chunk of generated messages hands to the next; the same seed gives the same rows."""

    random: np.random.Generator
    time_ns: int = START_NS
    bid: int = FIRST_BID
    id: int = 1
    is_started: bool = False

    def chunk(self, count: int) -> Rows:
        """Return the next *count* messages as tape rows: causal, the book whole and never crossed after a message.

        The offer stands one step above the bid. A depth message deletes the levels that the price has passed since the
        last one, sets both best levels and changes others, most of them near; best quotes and prints come in between.
        """
        random = self.random
        draw = random.random(count)
        is_depth = draw < DEPTH_SHARE
        is_trade = ~is_depth & (draw < DEPTH_SHARE + TRADE_SHARE)
        if not self.is_started:
            is_depth[0], is_trade[0] = True, False
        is_depth[-1], is_trade[-1] = True, False  # the next chunk goes on from a book that is up to date

        receive = self.time_ns + np.cumsum(random.exponential(1e9 / MESSAGES_PER_SECOND, count)).astype(np.int64) + 1
        latency = 4_500_000 + 2_500_000 * np.sin(receive * 1e-9)
        late = ~is_depth & (random.random(count) < 0.01)
        event = receive - (latency + late * random.exponential(8e6, count)).astype(np.int64)
        self.time_ns = int(receive[-1])

        bids = self._path(count)
        before = self.bid
        self.bid = int(bids[-1])

        rows_of = np.where(is_trade, 1, 2)
        changes = np.minimum(1 + random.lognormal(math.log(26), 1.25, count).astype(np.int64), 1500)
        depth_at = np.flatnonzero(is_depth)
        depth_bids = bids[depth_at]
        earlier = np.concatenate(([before], depth_bids[:-1]))
        passed = np.abs(depth_bids - earlier)
        rows_of[depth_at] = 2 + passed + changes[depth_at]
        ends = np.cumsum(rows_of)
        starts = ends - rows_of
        message = np.repeat(np.arange(count), rows_of)
        place = np.arange(int(ends[-1])) - starts[message]

        rows = np.zeros(len(message), ROW_DTYPE)
        rows["event_ns"] = event[message]
        rows["receive_ns"] = receive[message]
        rows["id"] = self.id + message
        self.id += count
        bid = bids[message]
        in_depth = is_depth[message]
        in_trade = is_trade[message]
        side = random.integers(1, 3, len(message))
        side = np.where(in_depth & (place < 2) | ~(in_depth | in_trade), 1 + place, side)
        size = 1 + random.lognormal(4.0, 1.6, len(message)).astype(np.int64)
        price = np.where(side == codes.BID, bid, bid + 1)
        rows["kind"] = np.where(in_depth, codes.LEVEL_SET, np.where(in_trade, codes.TRADE, codes.BEST_QUOTE))
        # A taker who buys (side 1) prints at the offer.
        price = np.where(in_trade, np.where(side == codes.BUY, bid + 1, bid), price)

        # Rows 2 .. 2 + passed: levels that the price went through are gone.
        depth_number = np.searchsorted(depth_at, message)
        depth_number[~in_depth] = 0
        gone = passed[depth_number]
        old = earlier[depth_number]
        is_gone = in_depth & (place >= 2) & (place < 2 + gone)
        went_up = bid > old
        step = place - 1
        side = np.where(is_gone, np.where(went_up, codes.OFFER, codes.BID), side)
        price = np.where(is_gone, np.where(went_up, old + step, old + 1 - step), price)

        # The others: mostly within 1,000 steps of the best, a few far away, a fifth of them deletions.
        is_other = in_depth & (place >= 2 + gone)
        far = random.random(len(message)) < 0.08
        away = np.where(
            far,
            random.lognormal(math.log(15_000), 1.2, len(message)),
            random.lognormal(math.log(330), 1.3, len(message)),
        )
        away = 1 + np.minimum(away.astype(np.int64), bid - 2)
        price = np.where(is_other, np.where(side == codes.BID, bid - away, bid + 1 + away), price)
        is_deleted = is_gone | (is_other & (random.random(len(message)) < DELETE_SHARE))
        rows["kind"][is_deleted] = codes.LEVEL_DELETE
        rows["price"] = price
        rows["size"] = np.where(is_deleted, 0, size)
        rows["side"] = side
        # As recorded: a message tells all its bids, then all its offers, each by rising price.
        rows = rows[np.lexsort((price, side, message))]
        rows["flags"][ends - 1] = codes.LAST
        if self.is_started:
            return rows
        self.is_started = True
        return np.concatenate((self._snapshot(rows[0]), rows))

    def _path(self, count: int) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Return the best bid of each message: still most of the time, then a move of some steps."""
        random = self.random
        moves = random.random(count) < MOVE_SHARE
        size = np.ceil(random.exponential(MOVE_STEPS, count)).astype(np.int64)
        # Drawn back a little, so that the levels far away do not decide what is measured.
        drift = (FIRST_BID - self.bid) * 2e-5
        sign = np.where(random.random(count) < 0.5 + max(-0.2, min(0.2, drift)), 1, -1)
        path: np.ndarray[Any, np.dtype[np.int64]] = self.bid + np.cumsum(np.where(moves, sign * size, 0))
        return path

    def _snapshot(self, like: Any) -> Rows:
        rows = np.zeros(1 + 2 * SNAPSHOT_LEVELS, ROW_DTYPE)
        rows["event_ns"], rows["receive_ns"], rows["id"] = like["event_ns"], like["receive_ns"], like["id"]
        away = np.arange(SNAPSHOT_LEVELS)
        rows["kind"] = codes.LEVEL_SET
        rows["kind"][0] = codes.SNAPSHOT_BEGIN
        rows["side"][1:] = np.repeat((codes.BID, codes.OFFER), SNAPSHOT_LEVELS)
        rows["price"][1:] = np.concatenate((FIRST_BID - away, FIRST_BID + 1 + away))
        rows["size"][1:] = 1 + self.random.lognormal(4.0, 1.6, 2 * SNAPSHOT_LEVELS).astype(np.int64)
        rows["flags"] = codes.IN_SNAPSHOT
        rows["flags"][-1] |= codes.LAST
        return rows


def chunks(count: int, seed: int) -> Iterator[Rows]:
    """Yield about *count* rows (at least so many) in runs of whole messages."""
    market = Market(np.random.default_rng(seed))
    made = 0
    while made < count:
        left = round((count - made) / 1737 * MESSAGES_PER_SECOND) + 8
        rows = market.chunk(min(CHUNK_MESSAGES, left))
        made += len(rows)
        yield rows


def generate(count: int, seed: int) -> Rows:
    """Return about *count* rows of one instrument in memory."""
    return np.concatenate(list(chunks(count, seed)))


def write_tape(path: Path, count: int, seed: int) -> TapeInfo:
    """Write a tape of about *count* rows and return its header."""
    with TapeWriter(path, (INSTRUMENT,)) as writer:
        for rows in chunks(count, seed):
            writer.write(rows)
        return writer.finish(TapeInfo(is_synthetic=True, notes=("generated by python -m bench",)))
