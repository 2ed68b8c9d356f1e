"""Small seeded tapes for the tests of this folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from quotewright.kernel.codes import BID, LAST, LEVEL_SET, OFFER, TRADE, pack
from quotewright.kernel.rows import TapeBuffer
from quotewright.model.instrument import Instrument
from quotewright.tape.layout import ROW_DTYPE
from quotewright.tape.writer import TapeWriter

INSTRUMENTS = tuple(
    Instrument(
        name=f"{base}-USDT.spot@test", symbol=f"{base}USDT", venue="test", base=base, quote="USDT",
        price_decimals=2, size_decimals=3,
    )
    for base in ("BTC", "ETH")
)  # fmt: skip


def random_rows(count: int, seed: int = 7, start: int = 0, delay_ns: int = 5_000_000) -> np.ndarray:
    """Return *count* rows in messages of 1 to 5; many equal event times, some events late by up to *delay_ns*."""
    random = np.random.default_rng([seed, start])
    rows = np.zeros(count, ROW_DTYPE)
    ends = np.cumsum(random.integers(1, 6, count))
    message = np.searchsorted(ends, np.arange(count), "right")
    receive = 10**18 + start * 1_000_000 + np.cumsum(random.integers(0, 2, count) * 1000)
    rows["receive_ns"] = receive[np.unique(message, return_index=True)[1]][message]
    late = 1 + random.integers(0, delay_ns // 1000, count)
    rows["event_ns"] = rows["receive_ns"] - late[message] * 1000
    rows["price"] = random.integers(1, 100_000, count)
    rows["size"] = random.integers(1, 1000, count)
    rows["id"] = np.arange(start, start + count)
    rows["kind"] = np.where(random.random(count) < 0.1, TRADE, LEVEL_SET)
    rows["side"] = np.where(random.random(count) < 0.5, BID, OFFER)
    rows["instrument"] = (message % 2).astype(np.uint32)
    rows["flags"][:-1] = np.where(message[1:] != message[:-1], LAST, 0)
    rows["flags"][-1:] = LAST
    return rows


def write_tape(path: Path, rows: np.ndarray, piece: int = 1 << 14) -> None:
    """Write *rows* as a tape, whatever they hold."""
    with TapeWriter(path, INSTRUMENTS) as writer:
        ends = np.flatnonzero(rows["flags"] & LAST) + 1
        first = 0
        while first < len(rows):
            last = int(ends[min(np.searchsorted(ends, first + piece), len(ends) - 1)])
            writer.write(rows[first:last])
            first = last
        writer.finish()


def filled_buffer(rows: np.ndarray) -> TapeBuffer:
    """Return a buffer that holds *rows*."""
    buffer = TapeBuffer(4)
    for row in rows.tolist():
        event_ns, receive_ns, price, size, id, kind, side, flags, instrument = row
        buffer.append(event_ns, receive_ns, price, size, id, pack(kind, side, flags, instrument))
    return buffer
