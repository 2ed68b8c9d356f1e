"""The page and the JSON about a tape, and the commands that show them."""

from __future__ import annotations

import json

import attrs
import pytest

from quotewright.cli.main import main
from quotewright.tape.inspect import page
from quotewright.tape.tape import RefusedMessage, TapeFile
from tests.framework.tape.generated import random_rows, write_tape

CSV = """exchange,symbol,timestamp,local_timestamp,id,side,price,amount
binance-futures,BTCUSDT,1772323200000000,1772323200004100,1,buy,40000.1,1.5
binance-futures,BTCUSDT,1772323200100000,1772323200105000,2,sell,40000.2,0.25
"""


def test_a_tape_can_be_imported_and_inspected_from_the_command_line(tmp_path, capsys):
    (tmp_path / "trades.csv").write_text(CSV)
    tape = str(tmp_path / "tape")
    assert main(["data", "import", str(tmp_path / "trades.csv"), tape, "--json"]) == 0
    out = capsys.readouterr().out
    told = json.loads(out)
    assert (told["rows"], told["kinds"]) == (2, {"trade": 2})
    assert told["instruments"][0]["tick_size"] == "0.1"
    assert "tick_steps" in told["instruments"][0]["inferred"]
    assert main(["data", "inspect", tape, "--verify"]) == 0
    shown = capsys.readouterr().out
    assert "recorded tape, version 1, 2 rows" in shown
    assert "span       2026-03-01T00:00:00.001Z to 2026-03-01T00:00:00.101Z" in shown
    assert "receive times shifted by -3.100 ms, so that the smallest latency is 1.000 ms (it was 4.100 ms)" in shown
    assert "BTC-USDT.perp@binance* (BTCUSDT): tick 0.1*, lot 0.01*" in shown
    assert main(["data", "inspect", tape, "--verify", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["is_verified"] is True


def test_one_sentence_and_an_exit_code_for_what_is_wrong(tmp_path, capsys):
    assert main(["data", "inspect", str(tmp_path / "none")]) == 2
    assert "no tape at" in capsys.readouterr().err
    assert main(["data", "import", str(tmp_path / "none")]) == 64
    assert "give one FILE or more" in capsys.readouterr().err
    (tmp_path / "a.csv").write_text(CSV)
    arguments = ["data", "import", str(tmp_path / "a.csv"), str(tmp_path / "tape")]
    assert main([*arguments, "--base-latency", "soon"]) == 4
    assert "--base-latency: should be a duration" in capsys.readouterr().err
    assert main(arguments) == 0
    assert main(arguments) == 1
    assert "exists already; choose another name, or replace it with --replace" in capsys.readouterr().err
    assert main([*arguments, "--replace"]) == 0


def test_what_was_left_out_is_told_on_standard_error_too(tmp_path, capsys):
    (tmp_path / "a.csv").write_text(CSV + "1,2,3\n")
    assert main(["data", "import", str(tmp_path / "a.csv"), str(tmp_path / "tape"), "--json"]) == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["refused_count"] == 1
    assert "1 messages could not be read and were left out, the first in a.csv line 4: should have 8" in told.err


def test_verifying_finds_a_tape_that_shows_the_future(tmp_path, capsys):
    rows = random_rows(100)
    rows["event_ns"][50] += 10**12
    write_tape(tmp_path / "tape", rows)
    assert main(["data", "inspect", str(tmp_path / "tape"), "--verify"]) == 1
    assert "before it happened" in capsys.readouterr().err


@pytest.mark.parametrize("count", [0, 1, 300])
def test_a_page_can_be_written_about_any_tape(tmp_path, count):
    write_tape(tmp_path / "tape", random_rows(count))
    with TapeFile.open(tmp_path / "tape") as tape:
        info = attrs.evolve(
            tape.info,
            instruments=tape.instruments * 30,
            refused=tuple(RefusedMessage(file="f", line=n, reason="r") for n in range(20)),
            refused_count=20,
            unlisted={f"S{n}": n for n in range(30)},
            is_synthetic=True,
        )
        shown = page(tmp_path / "tape", info, False)
    assert "synthetic tape" in shown
    assert "and 20 more (--json lists them)" in shown
