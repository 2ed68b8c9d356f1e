"""A live feed recorded from the command line imports again, bit for bit, and verifies as the book that was served."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import anyio
import numpy as np
import pytest

from quotewright.config.load import load_config
from quotewright.kernel.codes import CONNECTION, EVENT_ESTIMATED, GAP, STATUS
from quotewright.live.clock import LiveClock
from quotewright.live.market import live_adapter, prepare
from quotewright.live.recording import CaptureWriter
from quotewright.plugin.registry import PluginSet
from quotewright.runtime.record_live import drop
from quotewright.tape.importing import import_file
from quotewright.tape.tape import TapeFile, TapeInfo
from quotewright.tape.verify import verify_capture
from quotewright.tape.writer import TapeWriter
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


def write_config(exchange: Exchange, folder: Path) -> Path:
    config = folder / "live.toml"
    config.write_text(
        CONFIG.format(
            name=exchange.name,
            keys=exchange.keys,
            instrument=exchange.instrument,
            ws=exchange.server.ws,
            http=exchange.server.http,
        )
    )
    return config


def record(exchange: Exchange, folder: Path) -> Path:
    """Record until the exchange has nothing more to tell, end it by Ctrl-C, and return the capture."""
    config, capture = write_config(exchange, folder), folder / "live.jsonl.gz"
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


async def listen(exchange: Exchange, plugins: PluginSet, folder: Path) -> dict[str, Any]:
    """Follow the live feed to its end, writing rows as a tape and frames as a capture at once."""
    (table,) = load_config([write_config(exchange, folder)]).feeds.values()
    adapter = live_adapter(plugins, table)
    assert adapter is not None
    with CaptureWriter(folder / "live.jsonl.gz") as recorder, anyio.fail_after(PATIENCE):
        live = await prepare(adapter, table.instruments, LiveClock(), table.where, recorder=recorder)
        writer = live.source.writer = TapeWriter(folder / "live", live.market.instruments)

        def is_done() -> bool:
            drop(live.source)
            return exchange.is_over.is_set() and not live.feed.queue.entries

        async with live.feed:
            await live.feed.run(is_done)
            drop(live.source)
    live.source.close()
    writer.finish(TapeInfo())
    return live.feed.report()


@pytest.mark.parametrize("is_broken", [False, True], ids=["whole", "broken"])
@pytest.mark.parametrize("name", EXCHANGES)
def test_a_recording_gives_the_rows_of_the_live_feed_again(name: str, is_broken: bool, tmp_path: Path) -> None:
    """Row by row, in all but times: an import shifts the recorder's clock and puts event times where they can be."""
    plugins = PluginSet.discover()
    gap_at, cut_at = (30, 60) if is_broken else (-1, -1)
    with EXCHANGES[name](steps=120, gap_at=gap_at, cut_at=cut_at) as exchange:
        exchange.is_enough.set()
        told = anyio.run(listen, exchange, plugins, tmp_path)
        assert exchange.server.faults == []
    assert told["gaps"] == (2 if is_broken else 0)
    with TapeFile.open(tmp_path / "live") as tape:
        rows = tape.array
        live = rows[~np.isin(rows["kind"], [CONNECTION, STATUS])].copy()  # our own affairs, and what metadata told
    copies = []
    for copy in ("one", "two"):
        info = import_file(tmp_path / "live.jsonl.gz", tmp_path / copy, plugins=plugins)
        assert not [note for note in info.notes if "not read" in note and "rest" in note]
        with TapeFile.open(tmp_path / copy) as tape:
            copies.append(tape.array.copy())
    assert copies[0].tobytes() == copies[1].tobytes()
    for rows in (live, copies[0]):
        rows["event_ns"] = rows["receive_ns"] = 0
        rows["flags"] &= ~np.uint16(EVENT_ESTIMATED)
    assert copies[0].tobytes() == live.tobytes()
    assert (live["kind"] == GAP).sum() == (2 if is_broken else 0)
