"""The examples on the pages about feed adapters and venue cards run as printed."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

from quotewright.feed import FetchSnapshot
from quotewright.kernel.rows import TapeBuffer
from quotewright.kernel.sink import TapeSink
from quotewright.model.cards import read_card
from tests.plugins.binance.support import names, rows_of

DOCS = Path(__file__).resolve().parents[3] / "docs"


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), re.DOTALL)


def test_the_adapter_on_the_page_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "acme_on_the_page.py").write_text(blocks("feed-adapters.md", "python")[-1], encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    adapter = importlib.import_module("acme_on_the_page").feed_adapters()["acme"]()
    buffer = TapeBuffer()
    sink = TapeSink(buffer, {"BTC": (0, 2, 3)})

    def send(sequence: int, full: str = "false", price: str = "100.00") -> list[str]:
        before = buffer.count
        text = (
            f'{{"symbol":"BTC","sequence":{sequence},"time_ms":1,"bids":[["{price}","1"]],"offers":[],"full":{full}}}'
        )
        adapter.on_message(text.encode(), "ws", None, 2_000_000, sink)
        return names(rows_of(buffer, before))

    assert send(4) == []
    assert FetchSnapshot("BTC") in adapter.actions()
    assert send(5, "true") == ["snapshot_begin", "level_set"]
    assert send(6) == ["level_set"]
    assert send(6) == []
    assert send(7, price="NaN") == ["gap"]
    assert send(8, "true") == ["resync", "snapshot_begin", "level_set"]
    assert send(10) == ["gap"]
    adapter.on_message(b"{", "ws", None, 3, sink)
    assert adapter.counters.decode_errors == {"number": 1, "json": 1}


def test_the_card_on_the_page_is_a_card() -> None:
    (text,) = blocks("venue-cards.md", "toml")
    error = read_card(text, "page").error(-5, "you are too poor")
    assert error is not None
    assert error.reason == "insufficient_funds"
