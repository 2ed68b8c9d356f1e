"""Recordings with every kind of fault, imported and run from the command line: one clear message, nothing lost."""

from __future__ import annotations

import gzip
import json
import re
import shutil

import pytest

from quotewright_plugins.exchanges.binance.frames import BinanceSession, session_lines
from tests.end_to_end.command import EXAMPLES, quotewright


def lines(updates=300, **options):
    """Return a generated session of a futures market as lines of a capture."""
    session = BinanceSession(market="usdm", symbol="BTCUSDT")
    return [line.capture() for line in session_lines(session, updates, **options)]


def written(path, capture):
    with gzip.open(path, "wb") as file:
        file.writelines(capture)
    return path


def changed(capture, change):
    """Return *capture* with the first depth frame past the middle changed by *change*."""
    found = []
    for number, line in enumerate(capture):
        if number < len(capture) // 2 or b"depthUpdate" not in line:
            found.append(line)
            continue
        frame = json.loads(line)
        message = frame["msg"]
        data = message.get("data", message)
        change(data)
        return [*found, json.dumps(frame).encode() + b"\n", *capture[number + 1 :]]
    raise AssertionError("no depth frame")


def not_a_number(data):
    data["b"][:1] = [["NaN", "1"]]


def nothing(data):
    data["b"][:1] = [[None, "1"]]


def too_fine(data):
    data["b"][:1] = [["39000.123456", "1"]]


def negative(data):
    data["a"][:1] = [["61000.1", "-1"]]


def crossed(data):
    data["b"][:1] = [["99999999.9", "1"]]


FRAMES = {  #              change         said by the import
    "NaN":                (not_a_number, r"NaN"),
    "null":               (nothing, r"null"),
    "a negative size":    (negative, r"-1"),
}  # fmt: skip


@pytest.mark.parametrize(("change", "said"), FRAMES.values(), ids=FRAMES)
def test_a_frame_that_cannot_be_read_is_named_and_the_rest_is_a_tape(tmp_path, change, said):
    path = written(tmp_path / "a.jsonl.gz", changed(lines(), change))
    ran = quotewright("data", "import", path, tmp_path / "tape")
    shown = ran.out + ran.err
    assert ran.code == 0, shown
    assert re.search(said, shown), shown
    assert "a.jsonl.gz" in shown
    looked = quotewright("data", "inspect", tmp_path / "tape", "--json").json
    assert looked["rows"] > 500
    assert not looked["verdicts"][0]["is_clean"]


@pytest.mark.parametrize("fault", ["gap", "crossed"])
def test_a_gap_or_a_crossed_frame_stops_quoting_and_is_counted(tmp_path, fault):
    capture = changed(lines(), crossed) if fault == "crossed" else cut(lines())
    path = written(tmp_path / "a.jsonl.gz", capture)
    ran = quotewright("data", "import", path, tmp_path / "tape")
    assert ran.code == 0, ran.err
    (verdict,) = quotewright("data", "inspect", tmp_path / "tape", "--json").json["verdicts"]
    assert verdict["crossings" if fault == "crossed" else "gaps"] >= 1
    assert re.search(r"[1-9]\d* " + ("crossing" if fault == "crossed" else "gap"), ran.out), ran.out
    run = quotewright(
        "backtest", EXAMPLES / "backtest.toml", "--data", tmp_path / "tape", "--json", "--no-report",
        "--set", "strategies.maker={plugin='tests.end_to_end.faulty_plugins:Quoter'}", "--out", tmp_path / "run",
    )  # fmt: skip
    assert run.code == 0, run.err
    (figures,) = run.json["instruments"].values()
    assert figures["quotes"]["stale_share"] > 0


def cut(capture):
    """Return *capture* without a few depth frames in the middle."""
    depth = [number for number, line in enumerate(capture) if b"depthUpdate" in line]
    middle = len(depth) // 2
    gone = set(depth[middle : middle + 3])
    return [line for number, line in enumerate(capture) if number not in gone]


def test_a_truncated_gzip_file_is_refused_with_what_to_do_and_can_be_imported_so_far(tmp_path):
    path = written(tmp_path / "a.jsonl.gz", lines(600))
    path.write_bytes(path.read_bytes()[:-4000])
    refused = quotewright("data", "import", path, tmp_path / "tape")
    assert refused.code == 1
    assert len(refused.err.splitlines()) == 1
    assert re.search(r"a\.jsonl\.gz: .*ends too early after line \d+.*--allow-truncated", refused.last)
    assert not (tmp_path / "tape").exists()
    taken = quotewright("data", "import", path, tmp_path / "tape", "--allow-truncated")
    assert taken.code == 0
    assert "whole lines" in taken.out
    straight = quotewright("backtest", EXAMPLES / "backtest.toml", "--data", path, "--out", tmp_path / "run")
    assert straight.code == 1
    assert "ends too early" in straight.last
    assert not (tmp_path / "run").exists()


def test_a_number_finer_than_the_given_step_is_refused_with_its_frame(tmp_path):
    path = written(tmp_path / "a.jsonl.gz", changed(lines(), too_fine))
    symbol = {
        "symbol": "BTCUSDT",
        "status": "TRADING",
        "contractType": "PERPETUAL",
        "baseAsset": "BTC",
        "quoteAsset": "USDT",
        "marginAsset": "USDT",
        "filters": [
            {"filterType": "PRICE_FILTER", "tickSize": "0.01"},
            {"filterType": "LOT_SIZE", "stepSize": "0.001", "minQty": "0.001"},
        ],
    }
    (tmp_path / "info.json").write_text(json.dumps({"symbols": [symbol]}), encoding="utf-8")
    ran = quotewright("data", "import", path, tmp_path / "tape", "--instruments", tmp_path / "info.json")
    assert ran.code == 0, ran.err
    assert "should have at most 2 decimals, was '39000.123456'" in ran.out + ran.err
    (verdict,) = quotewright("data", "inspect", tmp_path / "tape", "--json").json["verdicts"]
    assert verdict["gaps"] == 1


def test_a_recording_given_to_a_backtest_is_imported_into_the_run(tmp_path):
    path = written(tmp_path / "a.jsonl.gz", lines())
    ran = quotewright(
        "backtest", EXAMPLES / "backtest.toml", "--data", path, "--no-report", "--json", "--out", tmp_path / "run"
    )
    assert ran.code == 0, ran.err
    assert ran.json["tape"]["sources"] == ["a.jsonl.gz"]
    assert (tmp_path / "run" / "tape" / "tape.json").exists()


def test_a_tape_cut_short_is_refused(tape, tmp_path):
    copy = tmp_path / "tape"
    shutil.copytree(tape, copy)
    rows = copy / "rows.bin"
    rows.write_bytes(rows.read_bytes()[:-100])
    ran = quotewright("backtest", EXAMPLES / "backtest.toml", "--data", copy, "--out", tmp_path / "run")
    assert ran.code == 1
    assert "rows.bin" in ran.last
    assert not (tmp_path / "run").exists()


def test_a_run_folder_that_is_damaged_or_of_another_version_is_told(backtested, tmp_path):
    assert quotewright("report", tmp_path).code == 2
    copy = tmp_path / "run"
    shutil.copytree(backtested[1], copy)
    (copy / "summary.json").write_text('{"summary_version": 99}', encoding="utf-8")
    ran = quotewright("report", copy)
    assert (ran.code, "summary version 99; this program reads version 2" in ran.last) == (1, True)
    (copy / "summary.json").write_text('{"summary', encoding="utf-8")
    ran = quotewright("report", copy)
    assert (ran.code, "is damaged" in ran.last) == (1, True)
    shutil.copy(backtested[1] / "summary.json", copy)
    (copy / "samples.npz").write_bytes(b"not an archive")
    ran = quotewright("report", copy)
    assert ran.code == 1
    assert "samples.npz" in ran.last
    assert "internal fault" not in ran.last
