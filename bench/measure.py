"""Measuring side by side: every candidate once, then every candidate again, so that noise falls on all alike."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import attrs

Work = Callable[[], Any]


@attrs.frozen(kw_only=True)
class Candidate:
    """One way to do the work: *prepare* makes what is needed and returns the work, which alone is timed.

    Args:
        units: How many rows, commands or messages the work is.
        check: What the work returned becomes comparable by: candidates of one check must agree.
    """

    name: str
    units: int
    prepare: Callable[[], Work]
    check: Callable[[Any], Any] | None = None
    target_ns: float | None = None


@attrs.define(kw_only=True)
class Measured:
    """The times of one candidate in ns per unit, by processor and by the wall clock; ``ratio`` is to the first."""

    name: str
    units: int
    cpu_min_ns: float
    cpu_median_ns: float
    wall_min_ns: float
    wall_median_ns: float
    repeats: int
    ratio: float = 1.0
    target_ns: float | None = None


def compare(candidates: Sequence[Candidate], repeats: int) -> list[Measured]:
    """Time *candidates* in turn, *repeats* rounds, and return one result each, in their order.

    Raises:
        AssertionError: two candidates with a check did not come to the same result.
    """
    cpu: list[list[float]] = [[] for _ in candidates]
    wall: list[list[float]] = [[] for _ in candidates]
    for _ in range(repeats):
        agreed: list[Any] = []
        for number, candidate in enumerate(candidates):
            work = candidate.prepare()
            gc.collect()
            was_enabled = gc.isenabled()
            gc.disable()
            try:
                cpu_start, wall_start = time.process_time_ns(), time.perf_counter_ns()
                result = work()
                wall_end, cpu_end = time.perf_counter_ns(), time.process_time_ns()
            finally:
                if was_enabled:
                    gc.enable()
            cpu[number].append((cpu_end - cpu_start) / candidate.units)
            wall[number].append((wall_end - wall_start) / candidate.units)
            if candidate.check is not None:
                agreed.append(candidate.check(result))
                assert agreed[-1] == agreed[0], f"{candidate.name} came to {agreed[-1]}, expected {agreed[0]}"
    base = min(cpu[0])
    return [
        Measured(
            name=candidate.name,
            units=candidate.units,
            cpu_min_ns=min(cpu[number]),
            cpu_median_ns=statistics.median(cpu[number]),
            wall_min_ns=min(wall[number]),
            wall_median_ns=statistics.median(wall[number]),
            repeats=repeats,
            ratio=min(cpu[number]) / base if base else 0.0,
            target_ns=candidate.target_ns,
        )
        for number, candidate in enumerate(candidates)
    ]
