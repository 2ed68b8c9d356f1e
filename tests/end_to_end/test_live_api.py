"""A live feed from Python where an event loop is running already, as in a notebook."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import quotewright as qw
from tests.end_to_end.live_exchanges import EXCHANGES
from tests.end_to_end.test_live_paper import CONFIG, PATIENCE


def test_a_live_feed_runs_beside_a_running_loop(tmp_path: Path) -> None:
    def watcher(session: Any) -> None:
        if session.recorder.fill_count:
            exchange.is_enough.set()
            session.stop()

    async def cell() -> qw.Result:
        return qw.paper(path, PATIENCE, watcher=watcher, out=tmp_path / "run")

    with EXCHANGES["binance"]() as exchange:
        path = tmp_path / "live.toml"
        path.write_text(
            CONFIG.format(
                name=exchange.name, keys=exchange.keys, instrument=exchange.instrument, ws=exchange.server.ws,
                http=exchange.server.http, more="",
            )
        )  # fmt: skip
        result = asyncio.run(cell())
    assert (result.exit_code, result.failures) == (0, {})
    assert len(result.fills) == result.summary["fills"] > 0
    assert result.summary["feeds"]["market"]["connections"][0]["state"] == "open"
    with qw.load_tape(tmp_path / "run" / "tape") as tape:
        assert len(tape) == result.summary["rows"]
