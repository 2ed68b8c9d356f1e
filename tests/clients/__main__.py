"""``python -m tests.clients [CLIENT …] [--market spot|usdm] [--write]``: install clients and let them trade.

Each client gets an environment of its own (two of them own one package name) and runs unmodified against
``quotewright exchange serve``. The last line counts; ``--write`` writes ``docs/compatibility.md``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "compatibility.md"
CLIENTS = {
    "ccxt": (["ccxt==4.5.90"], "ccxt_calls.py"),
    "python-binance": (["python-binance==1.0.37"], "python_binance_calls.py"),
    "binance-connector": (["binance-connector==3.13.0"], "connector_calls.py"),
}
SECONDS = 300
INSTALL_SECONDS = 900

HEAD = """# Clients that trade here unmodified

What was called, by which version, and how it ended. Each client was pointed at a local exchange and nothing else of it
was changed. Made by `python -m tests.clients --write`; a call that fails stands here as failed.
"""


def environment(folder: Path, packages: Sequence[str]) -> Path:
    """Return the Python of an environment with *packages*, made if it is not there."""
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not python.exists():
        venv.create(folder, with_pip=True)
        command = [str(python), "-m", "pip", "install", "--quiet", *packages]
        subprocess.run(command, check=True, stdout=sys.stderr, timeout=INSTALL_SECONDS)
    return python


@contextmanager
def exchange() -> Iterator[str]:
    """Serve a local exchange and give its JSON line."""
    command = [sys.executable, "-m", "quotewright", "exchange", "serve", "--dialect", "binance", "--port", "0"]
    with subprocess.Popen([*command, "--seed", "7", "--json"], stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            yield server.stdout.readline()
        finally:
            server.terminate()


def results(python: Path, script: str, markets: Sequence[str]) -> list[dict[str, Any]]:
    """Run one client's script against an exchange of its own and return what it tells."""
    with exchange() as line:
        done = subprocess.run(
            [str(python), str(HERE / script), *markets],
            env=os.environ | {"EXCHANGE": line},
            check=False,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
    found = [json.loads(text) for text in done.stdout.splitlines() if text.startswith("{")]
    if done.returncode:
        about = {"client": script, "version": "", "market": "", "call": "script", "ok": False, "note": ""}
        found.append({**about, "error": done.stderr[-400:], "trace": done.stderr})
    return found


def page(told: Sequence[dict[str, Any]]) -> str:
    """Return the page of what works."""
    lines = [HEAD, "| client | version | market | call | |", "|---|---|---|---|---|"]
    for one in told:
        how = ("works" + (f": {one['note']}" if one["note"] else "")) if one["ok"] else f"fails: {one['error']}"
        lines.append(f"| {one['client']} | {one['version']} | {one['market']} | {one['call']} | {how} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clients", nargs="*", metavar="CLIENT", help=", ".join(CLIENTS))
    parser.add_argument("--market", action="append", choices=["spot", "usdm"], default=[])
    parser.add_argument("--environments", type=Path, help="where the clients' environments are kept")
    parser.add_argument("--write", action="store_true", help="write docs/compatibility.md")
    parser.add_argument("--trace", action="store_true", help="show where a call failed")
    options = parser.parse_args()
    unknown = set(options.clients) - CLIENTS.keys()
    if unknown:
        parser.error(f"CLIENT should be one of {', '.join(CLIENTS)}, was {sorted(unknown)[0]}")
    told: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as scratch:
        for name in options.clients or CLIENTS:
            packages, script = CLIENTS[name]
            python = environment((options.environments or Path(scratch)) / name, packages)
            told += results(python, script, options.market or ["spot", "usdm"])
    for one in told:
        print(
            f"{'ok  ' if one['ok'] else 'FAIL'} {one['client']} {one['market']}: {one['call']} {one.get('error', '')}"
        )
        if options.trace and not one["ok"]:
            print(one["trace"])
    if options.write:
        PAGE.write_text(page(told), encoding="utf-8")
    failed = sum(not one["ok"] for one in told)
    print(f"clients: {len(told) - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed or not told else 0


if __name__ == "__main__":
    raise SystemExit(main())
