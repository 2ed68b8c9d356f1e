"""Recorded sessions of Deribit, and generated ones of the same shape, import and verify: good books, no gaps."""

from __future__ import annotations

import gzip
import json
import random
from decimal import Decimal

import pytest

from quotewright.feed import BookState
from quotewright.kernel.rows import TapeBuffer
from quotewright.kernel.sink import TapeSink
from quotewright.plugin.registry import PluginSet
from quotewright.tape.tape import TapeFile
from quotewright.tape.verify import verify_capture
from quotewright.testing.frames import write_capture
from quotewright_plugins.exchanges.deribit.adapter import DeribitAdapter
from quotewright_plugins.exchanges.deribit.frames import (
    GRIDS,
    KINDS,
    SYMBOLS,
    DeribitSession,
    session_lines,
)
from tests.plugins.deribit.support import capture_lines
from tests.recorded import recorded

CAPTURE = "deribit/options10_20210405T1747_118s.jsonl.gz"
MUTATIONS = 3_000


def test_recorded_books_are_good_to_the_last_line():
    adapter = DeribitAdapter()
    lines = list(capture_lines(recorded(CAPTURE)))
    names = {json.loads(line.raw).get("params", {}).get("channel", "..").split(".")[1] for line in lines} - {""}
    sink = TapeSink(TapeBuffer(), {symbol: (number, 4, 1) for number, symbol in enumerate(sorted(names))})
    for line in lines:
        adapter.on_message(line.raw, line.source, line.url, line.receive_ns, sink)
    counters = adapter.counters
    assert (counters.gaps, counters.errors, counters.stale_dropped, counters.buffer_dropped) == (0, 0, 0, 0)
    assert (counters.snapshots, counters.updates, counters.ignored) == (10, 177, {"reply": 1})
    assert {book.state for book in adapter.books.values()} == {BookState.SYNCHRONISED}
    assert len(adapter.books) == 10


def test_recorded_books_agree_with_the_best_quotes_of_their_tickers():
    report = verify_capture(recorded(CAPTURE), PluginSet.discover(strict=False))
    assert (report["exchange"], report["refused"]) == ("deribit", 0)
    assert sum(found["messages"] for found in report["instruments"].values()) == 187
    assert {(found["gaps"], found["crossed"]) for found in report["instruments"].values()} == {(0, 0)}


def test_recorded_captures_become_tapes(tmp_path):
    from quotewright.cli.main import main

    assert main(["data", "import", str(recorded(CAPTURE)), str(tmp_path / "tape")]) == 0
    with TapeFile.open(tmp_path / "tape") as tape:
        assert len(tape.instruments) == 10
        assert {verdict.gaps for verdict in tape.info.verdicts} == {0}
        assert "BTC-USD.220325-400000-C@deribit" in {instrument.name for instrument in tape.instruments}
        assert tape.info.kinds["mark_iv"] == 273


def test_recorded_metadata_is_read():
    path = recorded("reference/deribit_instruments_20210722.jsonl.gz")
    with gzip.open(path) as file:
        answers = [line[line.index(b'"msg":') + 6 : -1].rstrip().removesuffix(b"}") for line in file]
    read = {instrument.symbol: instrument for body in answers for instrument in DeribitAdapter().instruments(body)}
    assert len(read) == 1017
    perpetual, option, linear = read["BTC-PERPETUAL"], read["ETH-23JUL21-2050-P"], read["UNI_USDC-PERPETUAL"]
    assert (perpetual.tick_size, perpetual.lot_size, perpetual.is_inverse) == (Decimal("0.5"), 10, True)
    assert (option.name, option.tick_size, option.settle) == ("ETH-USD.210723-2050-P@deribit", Decimal("0.0005"), "ETH")
    assert (linear.is_inverse, linear.settle, linear.tick_size) == (False, "USDC", Decimal("0.001"))


@pytest.mark.parametrize("of", KINDS)
def test_a_generated_capture_imports_without_being_told_its_exchange(of, tmp_path):
    from quotewright.cli.main import main

    session = DeribitSession(kind=of, seed=3)
    count = write_capture(session_lines(session, 120), str(tmp_path / "a.jsonl.gz"))
    assert count > 120
    assert main(["data", "import", str(tmp_path / "a.jsonl.gz"), str(tmp_path / "tape")]) == 0
    with TapeFile.open(tmp_path / "tape") as tape:
        (instrument,) = tape.instruments
        (verdict,) = tape.info.verdicts
    assert (instrument.symbol, instrument.venue) == (SYMBOLS[of], "deribit")
    assert instrument.is_inverse is (of in ("perpetual", "future"))
    assert (verdict.book, verdict.gaps) == ("good", 0)


@pytest.mark.parametrize("of", KINDS)
def test_a_verified_capture_ends_with_the_venues_own_book(of, tmp_path):
    session = DeribitSession(kind=of, seed=9)
    write_capture(session_lines(session, 150), str(tmp_path / "a.jsonl.gz"))
    report = verify_capture(tmp_path / "a.jsonl.gz", PluginSet.discover(strict=False))
    found = report["instruments"][SYMBOLS[of]]
    assert (found["messages"], found["gaps"], found["crossed"]) == (151, 0, 0)
    for name, side in (("bids", "bids"), ("asks", "offers")):
        levels = [[session.price(price), session.amount(lots)] for price, lots in session.side(side)[:5]]
        assert found[name] == [[str(price), str(amount)] for price, amount in levels]


@pytest.mark.parametrize("of", KINDS)
def test_altered_frames_end_in_the_declared_error_alone(of):
    frames = [line.raw for line in session_lines(DeribitSession(kind=of, seed=5), 60)]
    drawn = random.Random(1)
    adapter = DeribitAdapter()
    sink = TapeSink(TapeBuffer(), {SYMBOLS[of]: (0, *GRIDS[of][:2])})
    for _ in range(MUTATIONS):
        frame = bytearray(drawn.choice(frames))
        for _ in range(drawn.randint(1, 4)):
            at = drawn.randrange(len(frame))
            change = drawn.randrange(3)
            if change == 0:
                frame[at] = drawn.randrange(256)
            elif change == 1:
                del frame[at : at + drawn.randint(1, 8)]
            else:
                frame[at:at] = frame[drawn.randrange(len(frame)) :][: drawn.randint(1, 8)]
            if not frame:
                break
        adapter.on_message(bytes(frame), "ws", None, 1, sink)
    assert adapter.counters.messages == MUTATIONS
    assert adapter.counters.errors > MUTATIONS // 4
    assert not sink.is_open


def test_the_deribit_adapter_is_found_by_its_folder():
    assert "deribit" in PluginSet.discover(strict=False).names("feed_adapters")
