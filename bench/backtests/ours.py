"""``python -m bench.backtests.ours shipped|plain|cli|ladder TAPE``: one run of ours in a process of its own."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

from bench.backtests.maker import EVERY_NS, LATENCY_NS, LOT, MOST_LOTS, SIZE_LOTS, SPREAD_BPS, Stopwatch, peak_kb, tell

VENUE = f"""
config_version = 1
[run]
name = "bench"
seed = 7
[feeds.market]
plugin = "tape"
[venues.main]
plugin = "replay"
queue = {{ model = "risk_averse" }}
latency = {{ model = "constant", entry = {LATENCY_NS}, response = {LATENCY_NS} }}
maker_fee = "0 bps"
taker_fee = "0 bps"
"""
SHIPPED = f"""{VENUE}
[strategies.maker]
plugin = "fixed_spread"
size = "{SIZE_LOTS} lots"
spread = "{SPREAD_BPS} bps"
skew = 0.0
max_position = "{MOST_LOTS} lots"
hold_within = "{MOST_LOTS} lots"
every = "{EVERY_NS // 1_000_000}ms"
wake_on_fill = false
"""
PLAIN = f"""{VENUE}
[strategies.maker]
plugin = "plain_maker"
"""


def backtest(kind: str, tape_path: Path) -> None:
    """Run the maker on the tape, from opening it to the summary; imports are not counted."""
    from quotewright.config.load import load_config
    from quotewright.plugin.registry import PluginSet
    from quotewright.runtime.session import Session
    from quotewright.runtime.session import backtest as run
    from quotewright.tape.tape import TapeFile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bench.toml"
        path.write_text(SHIPPED if kind == "shipped" else PLAIN, encoding="utf-8")
        config = load_config([path])
    extra = [] if kind == "shipped" else ["bench.backtests.plain"]
    plugins = PluginSet.discover(extra=extra).loaded()
    import quotewright.report.summary  # noqa: F401  # would otherwise be imported, and timed, at the end

    sessions: list[Session] = []
    watch = Stopwatch()
    tape = TapeFile.open(tape_path)
    outcome = run(config, plugins, tape, None, None, sessions.append)
    assert outcome.exit_code == 0, f"the backtest ended with exit code {outcome.exit_code}"
    (session,) = sessions
    recorder = session.recorder
    tell(
        tape.info.row_count,
        watch,
        wakes=sum(desk.wakes for desk in session.wired.desks),
        orders=recorder.orders,
        cancels=recorder.cancels,
        fills=recorder.fill_count,
        hash=recorder.order_log_sha256,
    )


def command_line(tape_path: Path) -> int:
    """Do what ``quotewright backtest`` does, all of it; whoever started this process measures it from outside."""
    from quotewright.cli.main import run

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bench.toml"
        path.write_text(SHIPPED, encoding="utf-8")
        sys.argv = ["quotewright", "backtest", str(path), "--data", str(tape_path), "--no-report", "--json"]
        sys.argv += ["--out", str(Path(folder) / "run")]
        try:
            run()
        except SystemExit as end:
            told = {"peak_kb": peak_kb(), "process_cpu_s": time.process_time()}
            print(json.dumps(told), file=sys.stderr, flush=True)
            return int(end.code or 0)
    return 0


def ladder(tape_path: Path) -> None:
    """Apply every level row of the tape to one ladder, in one call."""
    import numpy as np

    from quotewright.kernel.codes import SNAPSHOT_BEGIN
    from quotewright.kernel.ladder import Ladder
    from quotewright.kernel.rows import Rows
    from quotewright.tape.tape import TapeFile

    with TapeFile.open(tape_path) as tape:
        found = tape.array[tape.array["kind"] <= SNAPSHOT_BEGIN].copy()
    rows = Rows(memoryview(np.ascontiguousarray(found).view(np.int64)))
    book = Ladder()
    watch = Stopwatch()
    book.apply_messages(rows, 0, len(found), 0)
    tell(len(found), watch, best=[book.best_bid * LOT, book.best_offer * LOT])


if __name__ == "__main__":
    kind, tape = sys.argv[1], Path(sys.argv[2])
    if kind == "cli":
        sys.exit(command_line(tape))
    ladder(tape) if kind == "ladder" else backtest(kind, tape)
