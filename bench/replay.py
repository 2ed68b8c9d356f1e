"""A backtest as users run it: the maker of Avellaneda and Stoikov on the replay venue, on a generated tape.

``python -m bench.replay TAPE [BOOK]`` runs one and prints its figures as JSON: each has a process of its own, because
a process never gives up its peak of memory.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import attrs

CONFIG = """
config_version = 1
[run]
name = "bench"
seed = 7
[feeds.market]
plugin = "tape"
book = "{book}"
[venues.main]
plugin = "replay"
queue = {{ model = "risk_averse" }}
latency = {{ model = "constant", entry = "5ms", response = "5ms" }}
maker_fee = "0 bps"
taker_fee = "4 bps"
[strategies.maker]
plugin = "avellaneda_stoikov"
size = "500 quote"
gamma = 0.02
k = 1.2
horizon = "30s"
every = "100ms"
volatility_window = "60s"
requote = {{ spread_fraction = 0.1 }}
[risk.position]
plugin = "position_limit"
limit = "3000 quote"
[risk.value]
plugin = "max_order_value"
limit = "2000 quote"
[risk.collar]
plugin = "price_collar"
away = "1%"
max_age = "60s"
[risk.stale]
plugin = "stale_book"
max_age = "60s"
[risk.shock]
plugin = "price_shock"
move = "2%"
window = "30s"
[risk.loss]
plugin = "daily_loss"
limit = "500 quote"
[risk.drawdown]
plugin = "drawdown"
limit = "500 quote"
[risk.kill]
plugin = "kill_switch"
rejects = 200
"""
"""The maker and the rules of ``examples/backtest.toml``, one level a side."""

RSS_TARGET_KB = 20 * 1024
TARGET_NS = 150.0


@attrs.define(kw_only=True)
class Run:
    """One backtest: times per row from opening the tape to the summary, imports apart; memory in kB."""

    rows: int
    span_s: float
    cpu_ns: float
    wall_ns: float
    peak_kb: int
    wakes: int
    orders: int
    cancels: int
    fills: int
    order_log_sha256: str


def peak_kb() -> int:
    """Return the largest resident memory of this process so far."""
    try:
        # ru_maxrss of a child begins with its parent's; the status of the process knows only its own.
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1])
    except OSError:
        pass
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // 1024 if sys.platform == "darwin" else peak


def backtest(tape_path: Path, book: str = "ladder") -> Run:
    """Run the maker on the tape and return what it took."""
    from quotewright.config.load import load_config
    from quotewright.plugin.registry import PluginSet
    from quotewright.runtime.session import Session
    from quotewright.runtime.session import backtest as run
    from quotewright.tape.tape import TapeFile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bench.toml"
        path.write_text(CONFIG.format(book=book), encoding="utf-8")
        config = load_config([path])
    plugins = PluginSet.discover().loaded()
    import quotewright.report.summary  # noqa: F401  # would otherwise be imported, and timed, at the end

    sessions: list[Session] = []
    cpu, wall = time.process_time_ns(), time.perf_counter_ns()
    tape = TapeFile.open(tape_path)
    outcome = run(config, plugins, tape, None, None, sessions.append)
    wall, cpu = time.perf_counter_ns() - wall, time.process_time_ns() - cpu
    peak = peak_kb()
    info = tape.info
    (session,) = sessions
    recorder = session.recorder
    assert outcome.exit_code == 0, f"the backtest ended with exit code {outcome.exit_code}"
    return Run(
        rows=info.row_count,
        span_s=(info.end_ns - info.start_ns) * 1e-9,
        cpu_ns=cpu / info.row_count,
        wall_ns=wall / info.row_count,
        peak_kb=peak,
        wakes=sum(desk.wakes for desk in session.wired.desks),
        orders=recorder.orders,
        cancels=recorder.cancels,
        fills=recorder.fill_count,
        order_log_sha256=recorder.order_log_sha256,
    )


def in_process(tape_path: Path, book: str = "ladder") -> Run:
    """Run :func:`backtest` in a process of its own."""
    # NumPy's linear algebra starts threads that spin for a while; they would be counted.
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    found = subprocess.run(
        [sys.executable, "-m", "bench.replay", str(tape_path), book],
        check=False,
        capture_output=True,
        text=True,
        env=environment,
        cwd=Path(__file__).parent.parent,
    )
    if found.returncode:
        raise RuntimeError(f"the backtest in a process of its own failed:\n{found.stderr}")
    return Run(**json.loads(found.stdout))


def measure(large: int, small: int, seed: int, repeats: int) -> dict[str, Any]:
    """Run the maker on a large and a small tape, in turn, and on the small one with the sorted book beside it."""
    from bench.market import write_tape

    with tempfile.TemporaryDirectory(prefix="quotewright-bench-") as folder:
        paths = {"large": Path(folder) / "large", "small": Path(folder) / "small"}
        for name, count in (("large", large), ("small", small)):
            write_tape(paths[name], count, seed)
        runs: dict[str, list[Run]] = {"large": [], "small": [], "sorted": []}
        for _ in range(repeats):
            runs["large"].append(in_process(paths["large"]))
            runs["small"].append(in_process(paths["small"]))
            runs["sorted"].append(in_process(paths["small"], "sorted"))
    hashes = {run.order_log_sha256 for run in runs["small"] + runs["sorted"]}
    assert len(hashes) == 1, "the sorted book led to other orders than the ladder"
    return {name: [attrs.asdict(run) for run in found] for name, found in runs.items()}


if __name__ == "__main__":
    print(json.dumps(attrs.asdict(backtest(Path(sys.argv[1]), *sys.argv[2:]))))
