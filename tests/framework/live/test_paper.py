"""A paper run on a live feed over loopback: it trades, its folder replays it, its recording is the tape it saw."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable

import anyio
import pytest
from anyio.from_thread import start_blocking_portal

from quotewright.config.load import load_config
from quotewright.errors import InputError
from quotewright.kernel.codes import GAP, NEVER
from quotewright.live.recording import CaptureWriter
from quotewright.plugin.registry import PluginSet
from quotewright.runtime.paper_live import live_feed, paper_live
from quotewright.runtime.replay import replay
from quotewright.tape.importing import import_file
from quotewright.tape.layout import ROW_DTYPE
from quotewright.tape.tape import TapeFile
from quotewright.testing.scripted import Answer, Peer, ScriptedServer
from tests.framework.live.feeds import PATIENCE, ToyFeed, consume
from tests.framework.live.toy import Book

CONFIG = """config_version = 1
[run]
name = "live"
[feeds.market]
plugin = "tests.framework.live.toy:toy_feed"
instruments = ["BTC-USDT.spot@toy"]
websocket = "{ws}"
rest = "{http}"
answer_timeout = "0s"
[venues.local]
plugin = "tests.framework.kernel.stage:ObedientVenue"
[strategies.maker]
plugin = "fixed_spread"
spread = "20 bps"
max_position = "1 BTC"
size = "0.01 BTC"
"""


class Stream:
    """A server in its own thread that goes on sending updates and trades to whoever comes."""

    def __init__(
        self, instruments: Answer | None = None, is_cut: bool = False, at_end: Callable[[], None] | None = None
    ) -> None:
        self.is_cut = is_cut
        self.at_end = at_end
        """Called once when enough has been sent and received."""
        self.answer = instruments or Answer(200, b'{"instruments":["ETHUSDT","BTCUSDT"]}')
        self.book = Book("BTCUSDT")
        self.sent = threading.Event()

    async def serve(self, peer: Peer) -> None:
        await peer.accept()
        await peer.receive_text()
        await peer.send(self.book.full())
        while True:
            if self.is_cut and peer.number == 0 and self.book.number > 130:
                await peer.abort()
                return
            await peer.send(self.book.update())
            await peer.send(self.book.trade())
            await peer.settle()
            if self.book.number > 160 and not self.sent.is_set():
                self.sent.set()
                if self.at_end is not None:
                    self.at_end()

    def __enter__(self) -> Stream:
        self._portal = start_blocking_portal()
        portal = self._portal.__enter__()
        self.server = ScriptedServer(self.serve, lambda asked: self.answer)
        self._context = portal.wrap_async_context_manager(self.server)
        self._context.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._context.__exit__(None, None, None)
        self._portal.__exit__(None, None, None)

    def config(self, folder):
        path = folder / "live.toml"
        path.write_text(CONFIG.format(ws=self.server.ws, http=self.server.http))
        return load_config([path])


@pytest.fixture(scope="module")
def plugins():
    return PluginSet.discover()


def test_a_live_paper_run_trades_and_its_folder_replays_it_byte_for_byte(tmp_path, plugins):
    with Stream() as stream:
        config = stream.config(tmp_path)
        assert live_feed(config, plugins) is not None
        seen = []

        def watcher(session):
            if stream.sent.is_set() and session.recorder.orders:
                seen.append(json.loads((tmp_path / "run" / "status.json").read_text()))
                session.stop()

        outcome = paper_live(config, plugins, float(PATIENCE), tmp_path / "run", watcher)
        assert stream.server.faults == []
    assert outcome.exit_code == 0
    assert outcome.summary["orders"] >= 2
    feed = outcome.summary["feeds"]["market"]
    assert feed["gaps"] == 0
    assert feed["books"]["BTCUSDT"]["state"] == "good"
    assert feed["streams"]["book.BTCUSDT"]["messages"] > 50
    assert seen[0]["is_running"] is True
    assert json.loads((tmp_path / "run" / "status.json").read_text())["is_running"] is False
    with TapeFile.open(tmp_path / "run" / "tape") as tape:
        assert tape.info.row_count == outcome.summary["rows"]
        assert (
            replay(config, plugins, tmp_path / "run" / "inputs.log", tape)
            == outcome.summary["orders"] + outcome.summary["cancels"] + outcome.summary["amends"]
        )


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (Answer(451), "answers 451"),
        (Answer(401), "answers 401"),
        (Answer(200, b'{"other":1}'), "no instruments"),
    ],
)
def test_a_run_whose_instruments_cannot_be_fetched_says_why(tmp_path, plugins, answer, told):
    with Stream(answer) as stream:
        with pytest.raises(InputError, match=told):
            paper_live(stream.config(tmp_path), plugins, 5.0, None)
        assert stream.server.counts["requests"] == 1  # asking again is vain


@pytest.mark.parametrize("is_cut", [False, True])
def test_a_recording_imports_as_the_rows_the_live_feed_wrote(tmp_path, plugins, is_cut):
    capture = tmp_path / "live.jsonl.gz"
    rows = bytearray()
    stream = Stream(is_cut=is_cut)

    async def record(recorder) -> None:
        async with ScriptedServer(stream.serve) as server, ToyFeed(server, recorder=recorder) as feed:

            def is_done() -> bool:
                source = feed.source
                while source.fill(NEVER) != NEVER:
                    taken = memoryview(source.buffer.words).cast("B")[source.first * 48 : source.last * 48]
                    rows.extend(taken)
                    taken.release()
                    source.first = source.last
                return stream.sent.is_set()

            await feed.until(is_done)
            assert consume(feed.source) == 0

    with CaptureWriter(capture) as recorder:
        anyio.run(record, recorder)
    import numpy as np

    live = np.frombuffer(bytes(rows), ROW_DTYPE)
    market = live[~np.isin(live["kind"], [17, 19])]  # the connection's ups and downs are ours, not the venue's
    assert (market["kind"] == GAP).sum() == is_cut
    smallest = int((market["receive_ns"] - market["event_ns"]).min())
    written = []
    for name in ("one", "two"):
        import_file(capture, tmp_path / name, exchange="toy", plugins=_with_toy(plugins), base_latency_ns=smallest)
        written.append((tmp_path / name / "rows.bin").read_bytes() if (tmp_path / name / "rows.bin").exists() else b"")
        with TapeFile.open(tmp_path / name) as tape:
            words = np.frombuffer(bytes(memoryview(tape.rows.words).cast("B")), ROW_DTYPE)[: tape.rows.count]
            assert words.tobytes() == market.tobytes()
    assert written[0] == written[1]


def _with_toy(plugins):
    """The plugins, with the toy as an adapter of its own name."""

    class WithToy:
        def __getattr__(self, name):
            return getattr(plugins, name)

        def names(self, hook):
            return [*plugins.names(hook), "toy"] if hook == "feed_adapters" else plugins.names(hook)

        def build(self, hook, table, where=""):
            if hook == "feed_adapters" and dict(table)["plugin"] == "toy":
                from tests.framework.live.toy import ToyAdapter

                return ToyAdapter(channels=("book", "trades"))
            return plugins.build(hook, table, where)

    return WithToy()


def test_the_live_view_tells_how_the_feed_stands():
    from rich.text import Text

    from quotewright.runtime.terminal import draw_feed

    text = Text()
    feed = {
        "connections": [{"state": "open", "losses": 2}, {"state": "waiting", "losses": 0}],
        "streams": {"a": {"rate": 10.0}, "b": {"rate": 2.0}},
        "lag_ms": 0.5,
        "gaps": 1,
        "resyncs": 1,
        "warnings": ["the venue's clock is off"],
    }
    draw_feed(text, "market", feed)
    assert "1 of 2 connections open, 12 messages/s, lag 0.5 ms, 1 gaps, 1 resyncs, lost 2 times" in text.plain
    assert "the venue's clock is off" in text.plain
