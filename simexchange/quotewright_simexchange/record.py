"""Record the market of a local exchange as a tape, labelled synthetic."""

from __future__ import annotations

from pathlib import Path

from quotewright.kernel.codes import NEVER
from quotewright.tape.tape import TapeInfo
from quotewright.tape.writer import TapeWriter
from quotewright_simexchange.local import LocalExchange

DRAIN_ROWS = 4096


def record_market(path: Path, exchange: LocalExchange, seed: int, seconds: float, replace: bool = False) -> TapeInfo:
    """Write *seconds* of the exchange's own market, nobody but its agents trading, to a tape at *path*.

    Raises:
        InputError: *path* is taken.
    """
    market = exchange.open(seed)
    source = exchange.source
    until_ns = market.start_ns + round(seconds * 1e9)
    with TapeWriter(path, market.instruments, replace=replace) as writer:
        while source.fill(until_ns) != NEVER:
            words = source.rows.words
            while source.first < source.last and words[source.first * 6 + 1] <= until_ns:
                at = source.first * 6
                writer.buffer.append(*words[at : at + 6])
                source.first += 1
            if writer.buffer.count >= DRAIN_ROWS:
                writer.drain()
        note = f"made by the local exchange with seed {seed}: a synthetic market, not a recording"
        return writer.finish(TapeInfo(is_synthetic=True, notes=(note,)))
