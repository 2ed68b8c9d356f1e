"""The command ``calibrate``: what it measures is what the tape holds, and what it suggests is a config that runs."""

from __future__ import annotations

import json
import math
from pathlib import Path

import attrs
import numpy as np
import pytest

from quotewright.cli.calibrate import fragment, measure, suggest
from quotewright.cli.main import main
from quotewright.errors import InputError
from quotewright.kernel.codes import BEST_QUOTE, BID, LAST_BIT, OFFER, TRADE, pack
from quotewright.kernel.ladder import Ladder
from quotewright.kernel.rows import TapeBuffer
from quotewright.kernel.top_of_book import TopOfBook
from quotewright.model.instrument import Instrument
from quotewright.tape.tape import MemoryTape, TapeFile
from quotewright_plugins.books.sorted_book import SortedBook

ROOT = Path(__file__).resolve().parent.parent.parent.parent
TAPE = str(ROOT / "examples" / "synthetic-tape")
SECOND = 1_000_000_000


def run(capsys, *arguments):
    code = main(["calibrate", *arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.fixture(scope="module")
def measured():
    with TapeFile.open(TAPE) as tape:
        return measure(tape, 0, SECOND, Ladder)


def slow_readings():
    """Return mids and spreads (bps) at each whole second of the tape, from a book told message by message."""
    with TapeFile.open(TAPE) as tape:
        book, rows, found, first = SortedBook(), tape.rows, [], 0
        start_ns, end_ns = tape.span
        due = start_ns + SECOND
        for at in range(rows.count):
            while rows.words[at * 6 + 1] > due:
                found.append((book.mid2() / 2, book.spread_bps()))
                due += SECOND
            if rows.words[at * 6 + 5] & LAST_BIT:
                if rows.words[first * 6 + 5] & 255 <= 3 or rows.words[first * 6 + 5] & 255 in (15, 16):
                    book.apply(rows, first, at + 1)
                first = at + 1
        while due <= end_ns:
            found.append((book.mid2() / 2, book.spread_bps()))
            due += SECOND
    return np.array(found)


def test_what_is_measured_is_what_the_tape_holds(measured):
    mids, spreads = slow_readings().T
    moves = 1e4 * np.diff(np.log(mids))
    volatility = measured["volatility_bps_per_root_s"]
    assert volatility["realised"] == pytest.approx(np.sqrt(np.mean(moves**2)), rel=1e-9)
    assert measured["spread_bps"]["mean"] == pytest.approx(spreads.mean(), rel=1e-9)
    assert measured["spread_bps"]["deviation"] == pytest.approx(spreads.std(), rel=1e-9)
    assert measured["spread_bps"]["quantiles"]["50"] == pytest.approx(np.sort(spreads)[len(spreads) // 2])
    assert measured["good_share"] == 1.0
    with TapeFile.open(TAPE) as tape:
        trades = tape.array[tape.array["kind"] == TRADE]
        trades = trades[trades["receive_ns"] <= tape.span[0] + 240 * SECOND]
        orders = {(row["event_ns"], row["side"]) for row in trades}
    assert measured["trades"]["arrivals_per_s"] == pytest.approx(len(orders) / 240, rel=0.01)
    assert measured["intensity"]["likelihood"]["is_ready"]
    near, *farther = measured["reach"]
    assert near["per_s"] == pytest.approx(len(orders) / 480, rel=0.01)
    assert all(0 <= one["per_s"] <= near["per_s"] for one in farther)


def test_the_suggested_gamma_moves_the_quotes_by_half_a_least_spread_at_five_sizes(measured):
    keys, k = measured["suggested"], measured["intensity"]["likelihood"]["k_per_bps"]
    sigma = measured["volatility_bps_per_root_s"]["realised"]
    assert 5 * keys["gamma"] * sigma**2 * 60 == pytest.approx(1 / k, rel=0.01)
    assert keys["spread_bps"] == pytest.approx(
        keys["gamma"] * sigma**2 * 60 + 2 / keys["gamma"] * math.log(1 + keys["gamma"] / k), rel=0.02
    )


def test_the_page_and_the_json_tell_the_same_and_the_fragment_is_a_config(capsys, tmp_path, measured):
    code, out, err = run(capsys, TAPE, "--json")
    assert (code, err) == (0, "")
    assert json.loads(out) == measured
    code, text, _ = run(capsys, TAPE, "--instrument", measured["instrument"], "--book", "ladder")
    assert code == 0
    assert text.endswith(fragment(measured) + "\n")
    assert f"realised {measured['volatility_bps_per_root_s']['realised']:.4g}, bipower" in text
    suggested = tmp_path / "suggested.toml"
    suggested.write_text("config_version = 1\n\n" + fragment(measured) + "\n", encoding="utf-8")
    assert main(["config", "check", str(ROOT / "examples" / "backtest.toml"), str(suggested)]) == 0


FAULTS = {
    "grid": (["--grid", "soon"], 4, "--grid: "),
    "grid too fine": (["--grid", "1us"], 4, "--grid: should be at least 1ms, was 1us"),
    "grid too long": (["--grid", "1h"], 1, "lasts 239.986 s; that is less than ten grid steps"),
    "instrument": (["--instrument", "DOGE"], 2, "no instrument called 'DOGE'; it holds BTC-USDT.spot@local"),
    "book": (["--book", "ladda"], 4, "ladda"),
}


@pytest.mark.parametrize(("options", "code", "text"), FAULTS.values(), ids=FAULTS)
def test_what_cannot_be_measured_is_told_in_one_line(capsys, options, code, text):
    found, out, err = run(capsys, TAPE, *options)
    assert (found, out) == (code, "")
    assert text in err
    assert len(err.splitlines()) == 1


def instrument(name: str = "A-B.spot@test") -> Instrument:
    return Instrument(
        name=name, symbol=name[:3], venue="test", base="A", quote="B", price_decimals=0, size_decimals=0
    )  # fmt: skip


def quotes(seconds: int, trades: bool = False) -> TapeBuffer:
    buffer = TapeBuffer(4)
    for second in range(seconds + 1):
        at = second * SECOND
        buffer.append(at, at, 999, 5, 0, pack(BEST_QUOTE, BID, 0, 0))
        buffer.append(at, at, 1001, 5, 0, pack(BEST_QUOTE, OFFER, 0, 0) | LAST_BIT)
        if trades:
            buffer.append(at, at, 1001, 5, 0, pack(TRADE, BID, 0, 0) | LAST_BIT)
    return buffer


def test_a_market_without_trades_suggests_nothing():
    from quotewright.cli.calibrate import page

    found = measure(MemoryTape((instrument(),), quotes(120)), 0, SECOND, TopOfBook)
    assert found["suggested"] is None
    assert found["spread_bps"]["mean"] == 20.0
    assert "nothing is suggested: too few prints, or a mid that never moved" in page(found)
    still = measure(MemoryTape((instrument(),), quotes(120, trades=True)), 0, SECOND, TopOfBook)
    assert still["trades"]["arrivals_per_s"] == pytest.approx(1.0, rel=0.02)
    assert suggest(still, attrs.evolve(instrument())) is None


def test_a_tape_without_a_book_of_the_instrument_is_refused():
    from quotewright.cli.calibrate import book_maker

    tape = MemoryTape((instrument(), instrument("C-D.spot@test")), quotes(120))
    assert book_maker(tape, 0, "", ()) is TopOfBook
    with pytest.raises(InputError, match=r"holds neither levels, orders nor best quotes of C-D.spot@test"):
        book_maker(tape, 1, "", ())
    with pytest.raises(InputError, match=r"no good book of A-B.spot@test at any grid point"):
        measure(tape, 0, SECOND, Ladder)
