"""``python -m bench.exchanges [--node-modules FOLDER] [--json] [--rounds N] [--messages N]``: beside the peers."""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bench.__main__ import facts
from bench.exchanges.candidates import ByHand, Candidate, Ccxt, Cryptofeed, Missing, Ours, TardisDev
from bench.exchanges.sessions import SESSIONS, Session

SEED = 20_241_201
INSTALL_SECONDS = 900
TARGETS_NS = {"binance": 1_200, "bybit": 1_200, "okx": 1_800, "deribit": 800}


def candidates(node_modules: Path | None) -> tuple[list[Candidate], dict[str, str]]:
    """Return every program that can be measured, ours first, and of each that cannot why."""
    found: list[Candidate] = [Ours(), ByHand()]
    missing = {}
    makers: dict[str, Callable[[], Candidate]] = {
        "cryptofeed": Cryptofeed,
        "ccxt": Ccxt,
        "tardis-dev": lambda: TardisDev(node_modules),
    }
    for name, make in makers.items():
        try:
            found.append(make())
        except Missing as error:
            missing[name] = str(error)
    return found, missing


def install(folder: Path) -> Path:
    """Install every peer, each by itself: one that fails leaves the others. Return the folder of node modules."""
    folder.mkdir(parents=True, exist_ok=True)
    tries = [[sys.executable, "-m", "pip", "install", "--quiet", name] for name in ("cryptofeed", "ccxt")]
    tries.append(["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(folder), "tardis-dev"])
    for command in tries:
        try:
            subprocess.run(command, check=True, stdout=sys.stderr, timeout=INSTALL_SECONDS)
        except (OSError, subprocess.SubprocessError) as error:
            print(f"not installed: {command[-1]}: {error}", file=sys.stderr)
    return folder / "node_modules"


def measure(session: Session, programs: Sequence[Candidate], rounds: int) -> list[dict[str, Any]]:
    """Measure all *programs* in turn, round by round, and return one row each.

    A row says either what was measured or, as ``missing``, why a program that stands beside ours was not.

    Raises:
        AssertionError: our own book does not end with the session's best quotes.
    """
    times: list[list[float]] = [[] for _ in programs]
    reasons: dict[int, str] = {}
    for _ in range(rounds):
        for number, program in enumerate(programs):
            if number in reasons:
                continue
            try:
                took, best = program.round(session)
                assert best == session.best, f"its book ends at {best}, expected {session.best}"
            except Exception as error:  # whatever stops a peer must not stop the others
                if number == 0:
                    raise
                reasons[number] = f"{type(error).__name__}: {error}"[:300]
            else:
                times[number].append(took / len(session.frames))
    ours = statistics.median(times[0])
    rows: list[dict[str, Any]] = []
    for number, (program, found) in enumerate(zip(programs, times, strict=True)):
        row = {"exchange": session.exchange, "program": program.name}
        if number in reasons:
            rows.append({**row, "missing": reasons[number]})
        else:
            median = statistics.median(found)
            rows.append({**row, "min_ns": min(found), "median_ns": median, "ratio": median / ours})
    return rows


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.exchanges", description=__doc__)
    parser.add_argument("--node-modules", type=Path, help="folder with the npm package tardis-dev")
    parser.add_argument("--install", type=Path, metavar="FOLDER", help="install the peers first, node's into FOLDER")
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    node_modules = options.node_modules
    if options.install is not None:
        node_modules = install(options.install)
    programs, missing = candidates(node_modules)
    rows: list[dict[str, Any]] = []
    try:
        for make in SESSIONS.values():
            session = make(options.messages, SEED)
            found = measure(session, programs, options.rounds)
            found += [{"exchange": session.exchange, "program": name, "missing": why} for name, why in missing.items()]
            rows += found
            if not options.json:
                _show(session, found)
    finally:
        for program in programs:
            getattr(program, "close", lambda: None)()
    if options.json:
        print(json.dumps({"facts": facts(), "rows": rows}, indent=1))
    return 1 if any("missing" in row for row in rows) else 0


def _show(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    print(f"{session.exchange}: {len(session.frames)} updates of {session.levels:.1f} levels, bytes to best quotes")
    for number, row in enumerate(rows):
        if "missing" in row:
            print(f"  {row['program']:<20} missing: {row['missing']}")
            continue
        least, median = row["min_ns"] / 1000, row["median_ns"] / 1000
        target = f"  (at most {TARGETS_NS[session.exchange] / 1000:.1f})" if number == 0 else ""
        print(f"  {row['program']:<20} {median:>8.2f} us median {least:>8.2f} least {row['ratio']:>7.1f} x{target}")
    print(flush=True)


if __name__ == "__main__":
    sys.exit(main())
