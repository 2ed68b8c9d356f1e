"""``python -m bench.backtests``: our backtest beside hftbacktest and nautilus_trader, in turn, each in its own process.

A peer runs where ``--python NAME=PATH`` says, or with this Python where it is installed. One that is not there has a
row that says so, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np

from bench.__main__ import facts

ROOT = Path(__file__).resolve().parents[2]
PEERS = {"hftbacktest": "2.4.4", "nautilus_trader": "1.221.0"}
SEED = 1
INSTALL_SECONDS = 1_200
RUN_SECONDS = 1_800


@attrs.frozen(kw_only=True)
class Program:
    """One candidate: the module to run with its arguments, and which Python needs to have it."""

    name: str
    arguments: tuple[str, ...]
    peer: str = ""
    target_ns: float | None = None
    is_command: bool = False
    """Measured from outside, process start to end."""


@attrs.frozen(kw_only=True)
class Data:
    """The same market in the form each program reads."""

    tape: Path
    events: Path
    rows: Path
    count: int


def make_data(folder: Path, count: int) -> Data:
    """Write the tape, the events of our hftbacktest export (not compressed), and the plain rows."""
    from bench.market import write_tape
    from quotewright.tape import hftbacktest as layout
    from quotewright.tape.export import Selection
    from quotewright.tape.tape import TapeFile

    data = Data(tape=folder / "tape", events=folder / "events.npz", rows=folder / "rows.npy", count=count)
    if not data.tape.exists():
        write_tape(data.tape, count, SEED)
    with TapeFile.open(data.tape) as tape:
        if not data.events.exists():
            found, _ = layout.events(Selection.of(tape))
            np.savez(data.events, data=found)
        if not data.rows.exists():
            np.save(data.rows, tape.array)
        return attrs.evolve(data, count=tape.info.row_count)


def programs(data: Data, nautilus_rows: int) -> list[Program]:
    """Return everything that is measured; the first of each kind is ours."""
    tape, events = str(data.tape), str(data.events)
    ours, hft = "bench.backtests.ours", "bench.backtests.hft"
    return [
        Program(name="quotewright, shipped strategy", arguments=(ours, "shipped", tape), target_ns=60.0),
        Program(name="quotewright, plain Python strategy", arguments=(ours, "plain", tape), target_ns=100.0),
        Program(
            name="hftbacktest, jitted strategy", arguments=(hft, "maker", events, str(data.count)), peer="hftbacktest"
        ),
        Program(
            name=f"nautilus_trader, {nautilus_rows:,} rows",
            arguments=("bench.backtests.nautilus", "maker", str(data.rows), str(nautilus_rows)),
            peer="nautilus_trader",
        ),
        Program(name="quotewright, whole command", arguments=(ours, "cli", tape), is_command=True),
        Program(name="ladder, in bulk", arguments=(ours, "ladder", tape), target_ns=20.0),
        Program(name="hftbacktest's book, in bulk", arguments=(hft, "book", events), peer="hftbacktest"),
    ]


def install(folder: Path) -> dict[str, str]:
    """Install each peer into an environment of its own below *folder* and return their Pythons by name."""
    found = {}
    for name, version in PEERS.items():
        home = folder / name
        python = home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        try:
            subprocess.run([sys.executable, "-m", "venv", str(home)], check=True, timeout=INSTALL_SECONDS)
            subprocess.run(
                [str(python), "-m", "pip", "install", "--quiet", f"{name}=={version}"],
                check=True,
                stdout=sys.stderr,
                timeout=INSTALL_SECONDS,
            )
        except (OSError, subprocess.SubprocessError) as error:
            print(f"not installed (is there a network, or an index that pip knows?): {name}: {error}", file=sys.stderr)
        else:
            found[name] = str(python)
    return found


def run(program: Program, pythons: dict[str, str]) -> dict[str, Any]:
    """Run *program* once in a process of its own and return what it tells and how long the process took.

    Raises:
        RuntimeError: it failed; the text ends with its last words.
    """
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(_paths(program))}
    command = [pythons.get(program.peer, sys.executable), "-m", *program.arguments]
    began = time.perf_counter()
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, env=environment, cwd=ROOT, timeout=RUN_SECONDS
    )
    took = time.perf_counter() - began
    if done.returncode:
        raise RuntimeError((done.stderr.strip().splitlines() or ["no message"])[-1][:300])
    told: dict[str, Any] = json.loads((done.stderr if program.is_command else done.stdout).strip().splitlines()[-1])
    return {**told, "process_s": took}


def _paths(program: Program) -> list[str]:
    """Return where the process finds modules: a peer sees the bench, and none of our packages or of our Python's."""
    inherited = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    return [str(ROOT)] if program.peer else [str(ROOT), *inherited]


def measure(
    wanted: Sequence[Program], pythons: dict[str, str], rounds: int, tell: Callable[[str], None]
) -> list[dict[str, Any]]:
    """Run all of *wanted* in turn, *rounds* times, and return one row each; the ratio is to the first of its kind."""
    found: list[list[dict[str, Any]]] = [[] for _ in wanted]
    missing: dict[int, str] = {}
    for number in range(rounds):
        for place, program in enumerate(wanted):
            if place in missing:
                continue
            tell(f"round {number + 1} of {rounds}: {program.name}")
            try:
                found[place].append(run(program, pythons))
            except (RuntimeError, OSError, subprocess.SubprocessError) as error:
                if not program.peer:
                    raise
                missing[place] = str(error)
    rows = []
    for place, (program, runs) in enumerate(zip(wanted, found, strict=True)):
        if place in missing:
            rows.append({"program": program.name, "missing": missing[place]})
            continue
        row: dict[str, Any] = {"program": program.name, "target_ns": program.target_ns, "rounds": len(runs)}
        for key in ("cpu_ns", "wall_ns", "process_s", "process_cpu_s", "peak_kb", "compile_s", "compile_cpu_s"):
            values = [one[key] for one in runs if key in one]
            if values:
                row[key] = statistics.median(values)
                row[f"{key}_least"] = min(values)
        for key in ("rows", "orders", "cancels", "fills", "wakes"):
            if key in runs[0]:
                row[key] = runs[0][key]
        hashes = {one["hash"] for one in runs if "hash" in one}
        assert len(hashes) <= 1, f"{program.name} came to other orders in another round"
        rows.append(row)
    for kind in (("shipped", "plain", "jitted", "nautilus"), ("ladder", "book")):
        members = [row for row in rows if "cpu_ns" in row and any(word in row["program"] for word in kind)]
        for row in members:
            row["ratio"] = row["cpu_ns"] / members[0]["cpu_ns"]
    return rows


def show(rows: Sequence[dict[str, Any]]) -> None:
    """Print one line for each program: medians, and the least time in brackets."""
    for row in rows:
        if "missing" in row:
            print(f"{row['program']:<36} missing: {row['missing']}")
            continue
        parts = [f"{row['program']:<36}"]
        if "cpu_ns" in row:
            parts.append(f"{row['cpu_ns']:>9.1f} ns a row ({row['cpu_ns_least']:.1f}), wall {row['wall_ns']:.1f},")
            parts.append(f"{row.get('ratio', 1.0):.2f} x,")
        parts.append(f"process {row['process_s']:.2f} s (processor {row['process_cpu_s']:.2f}),")
        parts.append(f"peak {row['peak_kb'] / 1024:.0f} MB")
        if "compile_s" in row:
            parts.append(f", compiling {row['compile_s']:.1f} s (processor {row['compile_cpu_s']:.1f})")
        if "orders" in row:
            told = ", ".join(f"{row[key]:,} {key}" for key in ("wakes", "orders", "cancels", "fills"))
            parts.append(f"; {row['rows']:,} rows, {told}")
        if row["target_ns"] is not None:
            parts.append(f"; target {row['target_ns']:.0f} ns")
        print(" ".join(parts).replace(" ,", ",").replace(" ;", ";"))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.backtests", description=__doc__)
    parser.add_argument("--install", type=Path, metavar="FOLDER", help="install the peers first, each into FOLDER/NAME")
    parser.add_argument("--python", action="append", default=[], metavar="NAME=PATH", help="the Python that has a peer")
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument(
        "--nautilus-rows", type=int, help="nautilus_trader takes only so many of them: it holds 500 bytes a row"
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", action="append", default=[], help="programs whose name contains this; repeatable")
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="keep the data there and use it again")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    pythons = install(options.install) if options.install is not None else {}
    pythons.update(entry.split("=", 1) for entry in options.python)
    with tempfile.TemporaryDirectory(prefix="quotewright-backtests-") as temporary:
        folder = options.data or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        data = make_data(folder, options.rows)
        wanted = [
            program
            for program in programs(data, min(options.nautilus_rows or data.count, data.count))
            if not options.only or any(word in program.name for word in options.only)
        ]
        rows = measure(wanted, pythons, options.rounds, lambda text: print(text, file=sys.stderr, flush=True))
    if options.json:
        print(json.dumps({"facts": facts(), "rows": rows}, indent=1))
    else:
        show(rows)
    return 1 if any("missing" in row for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
