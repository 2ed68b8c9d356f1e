"""The exchange of ``docs/new-exchange.md``, put into its folder as printed, is read recorded and live."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import attrs
import pytest

import quotewright_plugins
from quotewright.testing.scripted import Answer, Asked
from tests.end_to_end.live_exchanges import Exchange, compact

PAGE = Path(__file__).resolve().parents[2] / "docs" / "new-exchange.md"
PATIENCE = 60


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the plugins' package with one more folder: the page's files, nothing else."""
    root = tmp_path_factory.mktemp("plugins")
    package = root / "quotewright_plugins"
    (source,) = quotewright_plugins.__path__
    shutil.copytree(source, package, ignore=shutil.ignore_patterns("__pycache__"))
    folder = package / "exchanges" / "acme"
    folder.mkdir()
    files = re.findall(
        r"^`([\w.-]+)`:\n\n```\w+\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    assert [name for name, _ in files] == ["__init__.py", "adapter.py", "wire.py", "feed.py", "acme-spot.toml"]
    for name, text in files:
        (folder / name).write_text(text, encoding="utf-8")
    return root


def quotewright(place: Path, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "quotewright", *arguments],
        input=given,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(place), os.environ.get("PYTHONPATH", "")])},
        check=False,
        timeout=PATIENCE,
    )


@attrs.frozen
class Line:
    raw: bytes
    kind: str


class AcmeMarket:
    """Acme's book and trades: one level a side moves, every third step somebody buys."""

    def __init__(self) -> None:
        self.number = 100
        self.bids = {tick: 5 * tick % 40 + 3 for tick in range(980, 1000)}
        self.offers = {tick: 7 * tick % 40 + 3 for tick in range(1001, 1021)}

    def _levels(self, side: dict[int, int]) -> list[list[str]]:
        return [[f"{tick / 10:.1f}", f"{lots / 1000:.3f}"] for tick, lots in side.items()]

    def _book(self, bids: dict[int, int], offers: dict[int, int], **more: Any) -> Line:
        event = {"type": "book", "symbol": "BTC-USD", "number": self.number, "time": 1_700_000_000_000 + self.number}
        return Line(compact({**event, "bids": self._levels(bids), "asks": self._levels(offers), **more}), "book")

    def image(self) -> Line:
        return self._book(self.bids, self.offers, whole=True)

    def step(self) -> list[Line]:
        self.number += 1
        tick = 980 + self.number % 20
        self.bids[tick] = self.number % 50 + 1
        offer = 1001 + self.number % 20
        self.offers[offer] = self.number % 45 + 1
        lines = [self._book({tick: self.bids[tick]}, {offer: self.offers[offer]})]
        if self.number % 3 == 0:
            trade = {"type": "trade", "symbol": "BTC-USD", "id": self.number, "time": 1_700_000_000_000 + self.number}
            lines.append(Line(compact({**trade, "price": "100.1", "size": "0.004", "side": "buy"}), "trade"))
        return lines


class Acme(Exchange):
    name = "acme"
    instrument = "BTC-USD.spot@acme"

    def market(self) -> AcmeMarket:
        return AcmeMarket()

    def answer(self, asked: Asked) -> Answer:
        return Answer(
            200, compact([{"symbol": "BTC-USD", "base": "BTC", "quote": "USD", "tick": "0.1", "lot": "0.001"}])
        )

    def reply(self, request: dict[str, Any]) -> tuple[list[bytes], list[str], list[str]]:
        answer = [compact({"ok": True, "id": request["id"]})]
        names = request["names"]
        return (answer, names, []) if request["op"] == "subscribe" else (answer, [], names)

    def is_book(self, stream: str) -> bool:
        return stream.startswith("book.")


def capture(folder: Path) -> Path:
    market = AcmeMarket()
    lines = [market.image(), *(line for _ in range(30) for line in market.step())]
    path = folder / "acme.jsonl"
    with path.open("wb") as file:
        for number, line in enumerate(lines):
            file.write(b'{"ts":%d,"src":"ws","msg":%s}\n' % (1_700_000_000_200_000_000 + number * 1_000_000, line.raw))
    return path


def test_a_folder_is_all_that_a_new_exchange_takes(place: Path, tmp_path: Path) -> None:
    listed = quotewright(place, "plugins", "--json")
    assert '"acme"' in listed.stdout
    assert '"acme-spot"' in listed.stdout
    checked = quotewright(place, "plugins", "check", "acme")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    (card,) = [one for one in json.loads(quotewright(place, "venues", "--json").stdout) if one["name"] == "acme-spot"]
    assert card["live"] is True or card.get("live_feed") is True


def test_its_recordings_are_normalised_verified_and_imported(place: Path, tmp_path: Path) -> None:
    path = capture(tmp_path)
    made = quotewright(place, "data", "normalize", "--exchange", "acme", given=path.read_text())
    messages = [json.loads(line) for line in made.stdout.splitlines()]
    assert [message["type"] for message in messages[:4]] == ["book_change"] * 3 + ["trade"]
    assert (messages[0]["isSnapshot"], messages[1]["isSnapshot"], messages[0]["exchange"]) == (True, False, "acme")
    found = json.loads(quotewright(place, "data", "verify", str(path), "--json").stdout)["instruments"]["BTC-USD"]
    assert (found["messages"], found["gaps"], found["crossed"], found["bids"][0][0]) == (31, 0, 0, "99.9")
    done = quotewright(place, "data", "import", str(path), str(tmp_path / "tape"), "--json")
    assert done.returncode == 0, done.stderr
    lines = path.read_text().splitlines(keepends=True)
    (tmp_path / "gap.jsonl").write_text("".join(lines[:9] + lines[12:]))
    found = json.loads(quotewright(place, "data", "verify", str(tmp_path / "gap.jsonl"), "--json").stdout)
    assert found["instruments"]["BTC-USD"]["gaps"] == 1


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C cannot be sent to one process there")
def test_a_strategy_paper_trades_on_its_live_feed(place: Path, tmp_path: Path) -> None:
    with Acme(steps=600, gap_at=200) as exchange:
        config = tmp_path / "acme.toml"
        config.write_text(
            f"""config_version = 1
[feeds.market]
plugin = "acme"
instruments = ["{exchange.instrument}"]
websocket = "{exchange.server.ws}"
rest = "{exchange.server.http}"
[venues.local]
plugin = "simexchange"
card = "acme-spot"
[strategies.maker]
plugin = "fixed_spread"
spread = "10 bps"
size = "2 lots"
max_position = "1000 lots"
"""
        )
        folder = tmp_path / "run"
        command = [sys.executable, "-m", "quotewright", "paper", str(config), "--json", "--out", str(folder)]
        env = os.environ | {"PYTHONPATH": os.pathsep.join([str(place), os.environ.get("PYTHONPATH", "")])}
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env) as running:
            while not exchange.is_over.wait(0.05) and running.poll() is None:  # the market goes on until orders stand
                status = folder / "status.json"
                if status.exists() and json.loads(status.read_text())["orders"] >= 2:
                    exchange.is_enough.set()
            assert exchange.is_over.is_set(), running.stderr.read() if running.poll() is not None else "no end"
            os.kill(running.pid, signal.SIGINT)
            out, err = running.communicate(timeout=PATIENCE)
        assert running.returncode == 130, err
        assert exchange.server.faults == []
        assert [name for name in exchange.unsubscribed if name.startswith("book.")] == ["book.BTC-USD"]
    summary = json.loads(out)
    feed = summary["feeds"]["market"]
    assert (feed["gaps"], feed["resyncs"], feed["books"]["BTC-USD"]["state"]) == (1, 1, "good")
    assert summary["orders"] >= 2
