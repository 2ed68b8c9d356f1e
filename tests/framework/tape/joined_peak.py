"""Run alone: write days of tapes side by side, read them as one in both orders, and print the peak memory in MB."""

from __future__ import annotations

import sys
from pathlib import Path

import attrs
import numpy as np

from quotewright.kernel.codes import NEVER, ROW_WORDS
from quotewright.tape.joined import JoinedTape
from quotewright.tape.tape import TapeFile
from quotewright.tape.writer import TapeWriter
from tests.framework.tape.generated import INSTRUMENTS, random_rows
from tests.framework.tape.replay_peak import peak_mb

BLOCK = 50_000
OTHERS = tuple(attrs.evolve(one, name=one.name.replace("@test", "@other"), venue="other") for one in INSTRUMENTS)


def main(folder: str, days: int, rows: int) -> None:
    paths = []
    for day in range(days):
        for name, instruments in (("one", INSTRUMENTS), ("two", OTHERS)):
            paths.append(Path(folder) / f"{name}-{day}")
            with TapeWriter(paths[-1], instruments) as writer:
                for first in range(day * rows, (day + 1) * rows, BLOCK):
                    writer.write(random_rows(min(BLOCK, rows), start=first, delay_ns=300_000_000))
                writer.finish()
    tape = JoinedTape([TapeFile.open(path) for path in paths])
    tape.require_causal()
    source, windows = tape.source(), tape.event_windows()
    events_ns, taken, read = 0, 0, 0
    while source.fill(NEVER - 1) != NEVER:
        words = np.asarray(source.rows.words)[source.first * ROW_WORDS : source.last * ROW_WORDS].reshape(-1, ROW_WORDS)
        now_ns = int(words[-1, 1])
        read += len(words)
        while events_ns <= now_ns and (window := next(windows, None)) is not None:  # a venue is ahead of what is shown
            found, order = window
            events_ns = int(found.words[order[-1] * ROW_WORDS])
            taken += len(order)
        source.first = source.last
    taken += sum(len(order) for _, order in windows)
    assert read == taken == len(tape) == 2 * days * rows
    source.close()
    tape.close()
    print(peak_mb())


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
