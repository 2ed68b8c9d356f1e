"""How long ``quotewright --help`` takes, beside a Python that does nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from bench.measure import Measured

TARGET_NS = 0.3e9


def commands() -> dict[str, list[str]]:
    """Return the command lines that are measured, the installed program if there is one."""
    script = Path(sys.executable).with_name("quotewright")
    program = [str(script)] if script.exists() else [sys.executable, "-m", "quotewright"]
    return {"quotewright --help": [*program, "--help"], "python -c pass": [sys.executable, "-c", "pass"]}


def start(repeats: int) -> list[Measured]:
    """Start each program in turn, after one start that warms the caches, and return seconds as ns."""
    import statistics

    lines = commands()
    cpu: dict[str, list[float]] = {name: [] for name in lines}
    wall: dict[str, list[float]] = {name: [] for name in lines}
    for number in range(repeats + 1):
        for name, line in lines.items():
            cpu_start, wall_start = _children_ns(), time.perf_counter_ns()
            subprocess.run(line, stdout=subprocess.DEVNULL, check=True)
            wall_end, cpu_end = time.perf_counter_ns(), _children_ns()
            if number:
                cpu[name].append(cpu_end - cpu_start)
                wall[name].append(wall_end - wall_start)
    first = min(cpu["quotewright --help"]) or 1.0
    return [
        Measured(
            name=name,
            units=1,
            cpu_min_ns=min(cpu[name]),
            cpu_median_ns=statistics.median(cpu[name]),
            wall_min_ns=min(wall[name]),
            wall_median_ns=statistics.median(wall[name]),
            repeats=repeats,
            ratio=min(cpu[name]) / first,
            target_ns=TARGET_NS if name == "quotewright --help" else None,
        )
        for name in lines
    ]


def _children_ns() -> float:
    """Return the processor time of all children that have ended; os.times counts it in coarse ticks."""
    try:
        import resource
    except ImportError:
        times = os.times()
        return (times.children_user + times.children_system) * 1e9
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (used.ru_utime + used.ru_stime) * 1e9
