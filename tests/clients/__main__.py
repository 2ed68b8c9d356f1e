"""``python -m tests.clients [CLIENT …] [--market spot|usdm] [--write]``: install clients and let them trade.

Each client gets an environment of its own (two of them own one package name) and runs unmodified against
``quotewright exchange serve``. The last line counts; ``--write`` writes ``docs/compatibility.md``, ``--check`` fails if
it would be another one.
"""

from __future__ import annotations

import argparse
import json
import os
import ssl
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs

from tests.clients.environments import CLIENTS, Client, NotInstalled, environment, lacking
from tests.clients.page import PAGE, difference, page

HERE = Path(__file__).parent
SECONDS = 240
AT_ONCE = 2


@contextmanager
def exchange(authority: Path | None) -> Iterator[str]:
    """Serve a local exchange and give its JSON line; with *authority*, over TLS that the file there makes trusted."""
    command = [sys.executable, "-m", "quotewright", "exchange", "serve", "--dialect", "binance", "--port", "0"]
    if authority is not None:
        command += ["--tls", "--ca", str(authority)]
    with subprocess.Popen(
        [*command, "--seed", "7", "--json"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        try:
            assert server.stdout is not None
            line = server.stdout.readline()
            if not line.startswith("{"):
                raise RuntimeError(f"the exchange did not begin: {' '.join(command)}, see what it says to that")
            yield line
        finally:
            server.terminate()


def control(line: str, authority: Path | None, path: str) -> Any:
    """Ask the control plane."""
    plane = json.loads(line)["control"]
    request = urllib.request.Request(plane["url"] + path, headers={"Authorization": f"Bearer {plane['token']}"})
    context = None if authority is None else ssl.create_default_context(cafile=str(authority))
    with urllib.request.urlopen(request, timeout=20, context=context) as answer:
        return json.loads(answer.read())


def results(client: Client, runs: Path, folder: Path, markets: Sequence[str], scratch: Path) -> list[dict[str, Any]]:
    """Run one client's script against an exchange of its own and return what it tells."""
    authority = scratch / f"{client.name}.pem" if client.has_tls else None
    trust = {} if authority is None else dict.fromkeys(("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"), str(authority))
    problem = ""
    with exchange(authority) as line:
        command = [str(runs), str(HERE / client.script), *markets]
        own = {"EXCHANGE": line, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUTF8": "1", "NODE_FOLDER": str(folder)}
        try:
            done = subprocess.run(
                command,
                env=os.environ | own | trust,
                check=False,
                capture_output=True,
                text=True,
                encoding="utf-8",
                timeout=SECONDS,
            )
            said, problem = done.stdout, done.stderr if done.returncode else ""
        except subprocess.TimeoutExpired as late:
            said, problem = (late.stdout or b"").decode(), f"had not ended after {SECONDS} s"
        unserved = control(line, authority, "/status")["unserved"]
    found = [json.loads(text) for text in said.splitlines() if text.startswith("{")]
    if any(unserved.values()):
        print(f"clients: {client.name} asked for what is not served: {json.dumps(unserved)}", file=sys.stderr)
    if problem or not found:
        name, _, version = client.packages[0].partition("==")
        about = {"client": name, "version": version, "market": "spot", "call": "script", "ok": False, "note": ""}
        found.append({**about, "error": problem[-400:] or "told nothing", "trace": problem})
    return found


def show(told: Sequence[dict[str, Any]], *, has_traces: bool) -> None:
    for one in told:
        word = "ok  " if one["ok"] else "FAIL"
        print(f"{word} {one['client']} {one['version']} {one['market']}: {one['call']} {one.get('error', one['note'])}")
        if has_traces and not one["ok"]:
            print(one["trace"])
    sys.stdout.flush()


def chosen(words: Sequence[str]) -> list[Client]:
    """Return the clients that *words* name; ``ccxt==4.5.80,aiohttp==3.12.0`` is another version of one, with what else
    is to be installed."""
    found: list[Client] = []
    for word in words:
        known = [client for client in CLIENTS if client.is_called(word)]
        name, _, version = word.partition("==")
        if not known and version:
            packages = tuple(word.split(","))
            known = [attrs.evolve(client, packages=packages) for client in CLIENTS if client.is_called(name)][:1]
        if not known:
            names = ", ".join(dict.fromkeys(client.packages[0].partition("==")[0] for client in CLIENTS))
            raise SystemExit(f"clients: CLIENT should be one of {names}, or one with a version, was {word!r}")
        found += known
    return list(dict.fromkeys(found))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clients", nargs="*", metavar="CLIENT", help="ccxt, ccxt==4.5.80, …; else all")
    parser.add_argument("--market", action="append", choices=["spot", "usdm"], default=[])
    parser.add_argument("--environments", type=Path, help="where the clients' environments are made and kept")
    parser.add_argument("--write", action="store_true", help="write docs/compatibility.md")
    parser.add_argument("--check", action="store_true", help="fail if docs/compatibility.md would be another one")
    parser.add_argument("--trace", action="store_true", help="show where a call failed")
    options = parser.parse_args()
    clients = chosen(options.clients) or list(CLIENTS)
    if (options.write or options.check) and (options.clients or options.market):
        parser.error("--write and --check are for all clients on both markets")
    left = {client: f"this machine has not {what}" for client in clients if (what := lacking(client))}
    told: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as made, ThreadPoolExecutor(AT_ONCE) as pool:
        scratch = Path(made)

        def trade(client: Client) -> list[dict[str, Any]]:
            folder = (options.environments or scratch).resolve() / client.name
            try:
                runs = environment(folder, client)
            except NotInstalled as problem:
                if not client.is_node:
                    raise
                left[client] = str(problem)
                return []
            return results(client, runs, folder, options.market, scratch)

        running = [pool.submit(trade, client) for client in clients if client not in left]
        try:
            for one in running:
                told += one.result()
                show(one.result(), has_traces=options.trace)
        except NotInstalled as problem:
            pool.shutdown(wait=True, cancel_futures=True)
            print(problem, file=sys.stderr)
            return 2
    for client, why in left.items():
        print(f"clients: {client.name} left out: {why}")
    failed = sum(not one["ok"] for one in told)
    skipped = sum(not client.is_node for client in left)
    is_other = False
    if options.write or options.check:
        text = page(told)
        if options.write:
            PAGE.write_text(text, encoding="utf-8")
        else:
            changes = difference(text, PAGE.read_text(encoding="utf-8"), is_whole=not left)
            is_other = bool(changes)
            print(changes, end="")
            word = "should be written again: --write" if is_other else "is what came out"
            print(f"clients: docs/compatibility.md {word}")
    print(f"clients: {len(told) - failed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or is_other or not told else 0


if __name__ == "__main__":
    raise SystemExit(main())
