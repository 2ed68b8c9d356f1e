"""Run alone: write a tape of so many rows, check it, replay it, and print the peak resident memory in MB."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from quotewright.kernel.codes import NEVER
from quotewright.tape.source import TapeSource
from quotewright.tape.tape import TapeFile
from quotewright.tape.writer import TapeWriter
from tests.framework.tape.generated import INSTRUMENTS, random_rows

BLOCK = 50_000


def peak_mb() -> float:
    """Return the most memory that was resident since the program began."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("no VmHWM in /proc/self/status")


def main(path: str, count: int) -> None:
    with TapeWriter(path, INSTRUMENTS) as writer:
        for first in range(0, count, BLOCK):
            writer.write(random_rows(min(BLOCK, count - first), start=first, delay_ns=300_000_000))
        writer.finish()
    with TapeFile.open(path) as tape:
        tape.require_causal()
        source = TapeSource(tape)
        order = np.frombuffer(tape.event_order, np.int64)
        total = matched = 0
        while source.fill(NEVER) != NEVER:
            # A venue goes by event time and is ahead of the rows that are handed out.
            now_ns = int(tape.array["receive_ns"][source.last - 1])
            while matched < count:
                events = tape.array["event_ns"][order[matched : matched + 4096]]
                due = int(np.searchsorted(events, now_ns, "right"))
                matched += due
                if due < len(events):
                    break
            total += int(tape.array["size"][source.first : source.last].sum())
            source.first = source.last
        assert matched == count
        assert total > count
    print(peak_mb())


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
