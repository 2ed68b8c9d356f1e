"""A live feed recorded from the command line imports again, bit for bit, and verifies as the book that was served."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from quotewright.plugin.registry import PluginSet
from quotewright.tape.importing import import_file
from quotewright.tape.tape import TapeFile
from quotewright.tape.verify import verify_capture
from tests.end_to_end.live_exchanges import EXCHANGES, Exchange

PATIENCE = 60
CONFIG = """config_version = 1
[feeds.market]
plugin = "{name}"
{keys}
instruments = ["{instrument}"]
channels = ["book", "best", "trades"]
websocket = "{ws}"
rest = "{http}"
[venues.local]
plugin = "simexchange"
[strategies.maker]
plugin = "fixed_spread"
spread = "10 bps"
size = "1 lots"
max_position = "10 lots"
"""


def record(exchange: Exchange, folder: Path) -> Path:
    """Record until the exchange has nothing more to tell, end it by Ctrl-C, and return the capture."""
    config, capture = folder / "live.toml", folder / "live.jsonl.gz"
    config.write_text(
        CONFIG.format(
            name=exchange.name,
            keys=exchange.keys,
            instrument=exchange.instrument,
            ws=exchange.server.ws,
            http=exchange.server.http,
        )
    )
    command = [sys.executable, "-m", "quotewright", "data", "record", str(config), "--output", str(capture), "--json"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert exchange.is_over.wait(PATIENCE), running.stderr.read() if running.poll() is not None else "no end"
        os.kill(running.pid, signal.SIGINT)
        out, err = running.communicate(timeout=PATIENCE)
    assert running.returncode in (0, 130), err
    assert json.loads(out)["lines"] > exchange.steps
    return capture


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C cannot be sent to one process there")
@pytest.mark.parametrize("name", EXCHANGES)
def test_a_recording_imports_twice_alike_and_verifies_as_the_book_that_was_served(name: str, tmp_path: Path) -> None:
    with EXCHANGES[name](steps=80) as exchange:
        exchange.is_enough.set()
        capture = record(exchange, tmp_path)
        bids, offers = exchange.books()
    plugins = PluginSet.discover()
    tapes = []
    for copy in ("one", "two"):
        info = import_file(capture, tmp_path / copy, plugins=plugins)
        (verdict,) = [one for one in info.verdicts if one.rows]
        assert (verdict.instrument, verdict.gaps, verdict.crossings, verdict.book) == (
            exchange.instrument,
            0,
            0,
            "good",
        )
        tapes.append((tmp_path / copy / "rows.bin").read_bytes())
    assert tapes[0] == tapes[1]
    with TapeFile.open(tmp_path / "one") as tape:
        (instrument,) = tape.instruments
        assert not {"tick_steps", "lot_steps"} & set(instrument.inferred)  # the metadata stand in the recording
    (found,) = verify_capture(capture, plugins=plugins)["instruments"].values()
    for side, true, best in (("bids", bids, max), ("asks", offers, min)):
        top = best(true)
        price, size = found[side][0]
        assert Decimal(price) == instrument.tick_size * top
        assert Decimal(size) == instrument.lot_size * true[top]
    assert found["quotes"] > 10
