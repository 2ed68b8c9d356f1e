"""The maker that every program runs, and what a run tells. Imports nothing but the standard library.

Every 100 ms: half a basis point around the mid, a quote of 0.01 a side, bids rounded down to the tick and offers up,
neither across the market, none that could take the position beyond 0.05. A quote whose price has changed is replaced
by a cancel and a new post-only order. Orders take 5 ms to the venue and reports 5 ms back; no fees.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

EVERY_NS = 100_000_000
LATENCY_NS = 5_000_000
SPREAD_BPS = 0.5
HALF_SHARE = SPREAD_BPS * 1e-4 / 2.0
SIZE_LOTS = 10
MOST_LOTS = 50
TICK = 0.1
LOT = 0.001


class Stopwatch:
    """Wall and processor time since it was made, in ns."""

    def __init__(self) -> None:
        self.cpu, self.wall = time.process_time_ns(), time.perf_counter_ns()

    def read(self) -> tuple[int, int]:
        return time.process_time_ns() - self.cpu, time.perf_counter_ns() - self.wall


def peak_kb() -> int:
    """Return the largest resident memory of this process so far; 0 where the system does not tell."""
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1])
    except OSError:
        pass
    return 0


def tell(rows: int, watch: Stopwatch, **more: Any) -> None:
    """Print what a run took and did as one JSON object; *rows* are those of the market, in whatever form."""
    cpu, wall = watch.read()
    found = {"rows": rows, "cpu_ns": cpu / rows, "wall_ns": wall / rows, "peak_kb": peak_kb(), **more}
    found["process_cpu_s"] = time.process_time()
    print(json.dumps(found), file=sys.stdout, flush=True)
