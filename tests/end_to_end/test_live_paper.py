"""A strategy paper-trades on each exchange's public protocol over loopback, fills come from the local exchange."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import attrs
import pytest

from quotewright.config.load import load_config
from quotewright.kernel.codes import BID, BOOK_GOOD, OFFER
from quotewright.plugin.registry import PluginSet
from quotewright.runtime.paper_live import paper_live
from quotewright.runtime.replay import replay
from quotewright.tape.tape import TapeFile
from quotewright_plugins.exchanges.binance.adapter import BinanceAdapter
from tests.end_to_end.live_exchanges import EXCHANGES, Exchange

PATIENCE = 30.0
CONFIG = """config_version = 1
[run]
name = "{name}"
sample = "50ms"
[feeds.market]
plugin = "{name}"
{keys}
instruments = ["{instrument}"]
channels = ["book", "best", "trades"]
websocket = "{ws}"
rest = "{http}"
backoff = "5ms"
backoff_most = "20ms"
{more}
[venues.local]
plugin = "simexchange"
latency = {{ feed = "1ms", entry = "0ms", response = "1ms" }}
[strategies.maker]
plugin = "fixed_spread"
spread = "0.01 bps"
max_position = "1000 BTC"
size = "0.002 BTC"
[risk.fresh]
plugin = "stale_book"
max_age = "30s"
"""


@pytest.fixture(scope="module")
def plugins() -> PluginSet:
    return PluginSet.discover()


def run(exchange: Exchange, plugins: PluginSet, folder: Path, more: str = "") -> Any:
    path = folder / "live.toml"
    path.write_text(
        CONFIG.format(
            name=exchange.name,
            keys=exchange.keys,
            instrument=exchange.instrument,
            ws=exchange.server.ws,
            http=exchange.server.http,
            more=more,
        )
    )
    config = load_config([path])
    seen: dict[str, Any] = {}

    def watcher(session: Any) -> None:
        (view,) = session.wired.views
        book = view.book
        levels = (dict(book.levels(BID, 1_000)), dict(book.levels(OFFER, 1_000)))
        true = tuple(
            {ticks * view.tick_steps: lots * view.lot_steps for ticks, lots in side.items()}
            for side in exchange.books()
        )
        if session.recorder.fill_count:
            exchange.is_enough.set()
        is_there = levels == true and book.status == BOOK_GOOD
        if exchange.is_over.is_set() and is_there and view.live:
            seen["levels"] = len(levels[0])
            session.stop()

    outcome = paper_live(config, plugins, PATIENCE, folder / "run", watcher)
    assert exchange.server.faults == []
    return config, outcome, seen


@pytest.mark.parametrize("name", EXCHANGES)
def test_a_strategy_paper_trades_on_the_public_feed(name: str, plugins: PluginSet, tmp_path: Path) -> None:
    with EXCHANGES[name]() as exchange:
        config, outcome, seen = run(exchange, plugins, tmp_path)
        assert seen["levels"] > 10  # the run was stopped because both books were the same
    assert outcome.exit_code == 0, outcome.summary["failures"]
    assert outcome.summary["orders"] >= 2
    assert outcome.summary["fills"] > 0
    feed = outcome.summary["feeds"]["market"]
    assert (feed["gaps"], sum(feed["decode_errors"].values()), feed["connections"][0]["state"]) == (0, 0, "open")
    (book,) = feed["books"].values()
    assert (book["state"], book["stale_ns"]) == ("good", 0)
    assert len(feed["streams"]) >= 3
    assert all(one["state"] == "live" and one["rate"] > 0 for one in feed["streams"].values())
    with TapeFile.open(tmp_path / "run" / "tape") as tape:
        assert tape.info.row_count == outcome.summary["rows"]
        made = replay(config, plugins, tmp_path / "run" / "inputs.log", tape)
    assert made == outcome.summary["orders"] + outcome.summary["cancels"] + outcome.summary["amends"]


@pytest.mark.parametrize("name", EXCHANGES)
def test_a_lost_update_and_a_lost_connection_pull_the_quotes_and_both_heal(
    name: str, plugins: PluginSet, tmp_path: Path
) -> None:
    with EXCHANGES[name](steps=400, gap_at=60, cut_at=140) as exchange:
        _, outcome, seen = run(exchange, plugins, tmp_path)
        assert seen["levels"] > 10  # the run was stopped because both books were the same
        assert exchange.server.counts["handshakes"] >= 2
    assert outcome.exit_code == 0, outcome.summary["failures"]
    feed = outcome.summary["feeds"]["market"]
    assert feed["gaps"] >= 2
    commands = [json.loads(line) for line in (tmp_path / "run" / "orders.jsonl").read_text().splitlines()]
    with TapeFile.open(tmp_path / "run" / "tape") as tape:
        stale = spans_of_stale_book(tape)
    assert len(stale) >= 2
    for now_ns, command in commands:
        if command["type"] == "new":
            assert not any(first <= now_ns < last for first, last in stale), "an order left on a stale book"
    assert any(now_ns > stale[-1][1] and command["type"] == "new" for now_ns, command in commands)


def test_c06_connections_are_replaced_before_the_server_closes_them_and_no_book_is_ever_stale(
    plugins: PluginSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The venue's day lasts 400 ms here; the server closes a connection after 700 updates, which takes longer."""
    whole_day = BinanceAdapter.wire

    def wire(adapter: BinanceAdapter) -> Any:
        made = whole_day(adapter)
        made.limits = attrs.evolve(made.limits, life_ns=400_000_000)
        return made

    monkeypatch.setattr(BinanceAdapter, "wire", wire)
    with EXCHANGES["binance"](steps=2_000, life=700) as exchange:
        _, outcome, seen = run(exchange, plugins, tmp_path, 'switch_before = "200ms"\noverlap = "20ms"')
        assert seen["levels"] > 10
        assert exchange.server.counts["handshakes"] >= 3
    assert outcome.exit_code == 0, outcome.summary["failures"]
    feed = outcome.summary["feeds"]["market"]
    assert feed["switches"] >= 2
    assert feed["gaps"] == 0
    (book,) = feed["books"].values()
    assert (book["state"], book["gaps"], book["stale_ns"]) == ("good", 0, 0)
    with TapeFile.open(tmp_path / "run" / "tape") as tape:
        assert spans_of_stale_book(tape) == []


def spans_of_stale_book(tape: TapeFile) -> list[tuple[int, int]]:
    """Return from when to when the tape's book was stale, by its gap and snapshot rows."""
    from quotewright.kernel.codes import GAP, SNAPSHOT_BEGIN

    spans, since = [], 0
    for row in tape.array[["receive_ns", "kind"]].tolist():
        if row[1] == GAP and not since:
            since = row[0]
        elif row[1] == SNAPSHOT_BEGIN and since:
            spans.append((since, row[0]))
            since = 0
    return spans
