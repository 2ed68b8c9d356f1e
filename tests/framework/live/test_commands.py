"""``data record`` and ``status`` as a person runs them, against a server on loopback."""

from __future__ import annotations

import gzip
import json
import os
import signal

import pytest

from quotewright.cli.main import main
from quotewright.live.recording import CaptureWriter
from quotewright.testing.scripted import Answer
from tests.framework.live.test_paper import Stream


def interrupt() -> None:
    """Press Ctrl-C, from whatever thread."""
    os.kill(os.getpid(), signal.SIGINT)


def test_record_writes_metadata_first_and_then_every_frame(tmp_path, capsys):
    with Stream(at_end=interrupt) as stream:
        stream.config(tmp_path)
        out = tmp_path / "live.jsonl.gz"
        code = main(["data", "record", str(tmp_path / "live.toml"), "--output", str(out), "--json"])
        told = json.loads(capsys.readouterr().out)
        again = main(["data", "record", str(tmp_path / "live.toml"), "--output", str(out)])
    assert code == 0  # it was to go on until Ctrl-C
    assert told["interrupted"] is True
    assert again == 4
    assert "exists already" in capsys.readouterr().err
    lines = [json.loads(line) for line in gzip.decompress(out.read_bytes()).splitlines()]
    assert len(lines) == told["lines"] > 120
    assert lines[0]["src"] == "rest"
    assert lines[0]["url"].endswith("/instruments")
    assert lines[0]["msg"] == {"instruments": ["ETHUSDT", "BTCUSDT"]}
    assert {line["src"] for line in lines[1:]} == {"open", "ws"}
    stamps = [line["ts"] for line in lines]
    assert stamps == sorted(stamps)


def test_a_recording_that_cannot_begin_leaves_no_file(tmp_path, capsys):
    with Stream(Answer(451)) as stream:
        stream.config(tmp_path)
        out = tmp_path / "live.jsonl.gz"
        assert main(["data", "record", str(tmp_path / "live.toml"), "--output", str(out)]) != 0
    assert not out.exists()
    assert "'rest'" in capsys.readouterr().err  # the setting that helps


def test_a_kill_leaves_whole_lines(tmp_path):
    path = tmp_path / "cut.jsonl.gz"
    writer = CaptureWriter(path)
    for number in range(100):
        writer.message("ws", None, b'{"n":%d}' % number, 1_000_000_000 + number * 100_000_000)
    found = gzip.decompress(path.read_bytes())  # never closed
    assert found.endswith(b"\n")
    assert len(found.splitlines()) >= 89
    writer.close()
    assert len(gzip.decompress(path.read_bytes()).splitlines()) == 100


@pytest.mark.parametrize("frame", [b"not json", b'{"a":\n1}', b"\xff\xfe"])
def test_frames_that_are_no_line_of_json_are_kept_as_text(tmp_path, frame):
    with CaptureWriter(tmp_path / "odd.jsonl") as writer:
        writer.message("ws", None, frame, 1)
    (line,) = (tmp_path / "odd.jsonl").read_bytes().splitlines()
    assert json.loads(line)["msg"] == frame.decode("utf-8", "replace")


def test_status_shows_a_run_and_says_by_its_exit_code_whether_it_goes_on(tmp_path, capsys, monkeypatch):
    stream = {"state": "live", "reason": "", "messages": 5, "rate": 2.0, "age_ms": 3.0, "gaps": 0, "resyncs": 0}
    connection = {"number": 1, "state": "open", "age_s": 9.0, "losses": 1, "reason": "closed with 1006"}
    feed = {
        "messages": 5,
        "lag_ms": 0.1,
        "clock_skew_ms": None,
        "gaps": 0,
        "resyncs": 0,
        "decode_errors": {"json": 2},
        "connections": [connection],
        "streams": {"book.BTCUSDT": stream},
        "books": {"BTCUSDT": {"state": "good", "gaps": 1, "resyncs": 1, "stale_ns": 22_699_569}},
        "warnings": ["the venue's clock is off"],
    }
    told = {"name": "live", "pid": os.getpid(), "is_running": True, "start_ns": 0, "now_ns": 9_000_000_000}
    told |= {"messages": 5, "orders": 1, "fills": 0, "feeds": {"market": feed}}
    run = tmp_path / "runs" / "one"
    run.mkdir(parents=True)
    (run / "status.json").write_text(json.dumps(told))
    monkeypatch.chdir(tmp_path)
    assert main(["status", str(run)]) == 0
    shown = capsys.readouterr().out
    for part in (
        "running",
        "2 decode errors",
        "closed with 1006",
        "book.BTCUSDT: live",
        "book BTCUSDT: good, 1 gaps, 1 resyncs, stale for 0.023 s",
        "warning: the venue's clock",
    ):
        assert part in shown
    assert main(["status", "--live", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["feeds"]["market"]["messages"] == 5
    (run / "status.json").write_text(json.dumps(told | {"is_running": False}))
    assert main(["status", str(run)]) == 3
    assert main(["status", "--live"]) == 2
    assert main(["status", str(tmp_path)]) == 2
    assert main(["status"]) == 64
