"""``data normalize`` and ``data verify`` as commands: a filter, and a report."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys

import pytest

BASE = 1_700_000_000_000


def lines():
    """Return a capture of a small Binance session: a snapshot, updates, best quotes, trades, a line that is none."""
    depth = {"lastUpdateId": 10, "bids": [["100.10", "1.000"], ["100.00", "2"]], "asks": [["100.20", "3"]]}
    url = "https://api.binance.com/api/v3/depth?symbol=BTCUSDT"
    made = [{"ts": 1, "src": "open", "msg": None}, {"ts": 2, "src": "sent", "msg": {"method": "SUBSCRIBE"}}]
    made.append({"ts": BASE * 10**6, "src": "rest", "url": url, "msg": depth})
    for step in range(11, 31):
        update = {"e": "depthUpdate", "E": BASE + step, "s": "BTCUSDT", "U": step, "u": step}
        update |= {"b": [["100.10", f"{step}.50"]], "a": []}
        quote = {"u": step, "s": "BTCUSDT", "b": "100.10", "B": f"{step}.5", "a": "100.20", "A": "3.000"}
        for message, stream in ((update, "depth"), (quote, "bookTicker")):
            made.append(
                {"ts": (BASE + step) * 10**6, "src": "ws", "msg": {"stream": f"btcusdt@{stream}", "data": message}}
            )
    return [json.dumps(line, separators=(",", ":")) for line in made]


def run(*arguments, data=b""):
    return subprocess.run(
        [sys.executable, "-m", "quotewright", "data", *arguments],
        input=data,
        capture_output=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_normalize_is_a_filter(pack):
    data = pack("\n".join([*lines(), "nonsense"]).encode())
    done = run("normalize", "--exchange", "binance", data=data)
    messages = [json.loads(line) for line in done.stdout.splitlines()]
    assert [message["type"] for message in messages] == ["book_change", *["book_change", "book_ticker"] * 20]
    assert b'{"price":100.10,"amount":11.50}' in done.stdout
    assert done.returncode == 0
    assert b"1 of 44 lines cannot be used; line 44" in done.stderr


def test_normalize_per_line_answers_every_line(tmp_path):
    path = tmp_path / "capture.jsonl"
    path.write_text("\n".join(["nonsense", *lines()]))
    done = run("normalize", "--exchange", "binance", "--per-line", str(path))
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [len(answer) for answer in answers] == [0, 0, 0, 1, *[1] * 40]


def test_normalize_says_which_exchanges_it_knows():
    done = run("normalize", "--exchange", "binance-future")
    assert done.returncode == 2
    assert b"did you mean binance-futures?" in done.stderr


def test_normalize_of_something_else_fails():
    done = run("normalize", "--exchange", "binance", data=b"a\nb\n")
    assert done.returncode == 1
    assert b"2 of 2 lines cannot be used" in done.stderr


def test_normalize_of_a_damaged_file_gives_what_was_whole_and_fails():
    data = gzip.compress(b"\n".join(line.encode() for line in lines() * 50))
    done = run("normalize", "--exchange", "binance", data=data[: len(data) // 2])
    assert done.returncode == 1
    assert b"damaged or end too early" in done.stderr


def test_normalize_ends_quietly_when_nobody_reads_on():
    data = "\n".join(lines() * 500).encode()
    command = f"{sys.executable} -m quotewright data normalize --exchange binance | head -n 1"
    done = subprocess.run(["sh", "-c", command], input=data, capture_output=True, timeout=60, check=False)
    assert (done.stderr, done.stdout.count(b"\n")) == (b"", 1)


def test_verify_rebuilds_the_books_in_their_own_text(tmp_path):
    path = tmp_path / "capture.jsonl"
    path.write_text("\n".join(lines()))
    done = run("verify", str(path), "--json")
    found = json.loads(done.stdout)["instruments"]["BTCUSDT"]
    assert done.returncode == 0
    assert {key: found[key] for key in ("messages", "gaps", "crossed", "bid_levels", "ask_levels", "book")} == {
        "messages": 21,
        "gaps": 0,
        "crossed": 0,
        "bid_levels": 2,
        "ask_levels": 1,
        "book": "good",
    }
    assert found["bids"] == [["100.10", "30.50"], ["100.00", "2"]]
    assert found["asks"] == [["100.20", "3"]]
    assert (found["quotes_compared"], found["quotes_equal"]) == (18, 18)
    assert b"best quotes equal 18/18" in run("verify", str(path)).stdout


def test_verify_counts_what_is_missing(tmp_path):
    path = tmp_path / "capture.jsonl"
    path.write_text("\n".join(line for line in lines() if '"U":20' not in line) + '\n{"ts":1')
    done = run("verify", str(path), "--json", "--exchange", "binance")
    report = json.loads(done.stdout)
    assert (report["instruments"]["BTCUSDT"]["gaps"], report["instruments"]["BTCUSDT"]["book"]) == (1, "stale")
    assert report["refused"] == 1


def test_verify_of_a_tape_tells_what_its_import_found(tmp_path):
    path = tmp_path / "capture.jsonl"
    path.write_text("\n".join(lines()))
    assert run("import", str(path), str(tmp_path / "tape")).returncode == 0
    done = run("verify", str(tmp_path / "tape"), "--json")
    found = json.loads(done.stdout)["instruments"]["BTCUSDT"]
    assert (found["messages"], found["gaps"], found["crossed"], found["is_clean"]) == (21, 0, 0, True)
    assert run("verify", str(tmp_path / "nothing")).returncode == 2


def test_verify_names_the_books_that_wait_for_a_snapshot(tmp_path):
    path = tmp_path / "capture.jsonl"
    path.write_text("\n".join(line for line in lines() if "lastUpdateId" not in line))
    done = run("verify", str(path), "--json", "--exchange", "binance")
    found = json.loads(done.stdout)["instruments"]["BTCUSDT"]
    assert (found["messages"], found["book"], found["bids"], found["gaps"]) == (20, "waiting", [], 0)


def test_a_byte_order_mark_is_passed_over():
    data = b"\xef\xbb\xbf" + lines()[2].encode() + b"\r\n"
    done = run("normalize", "--exchange", "binance", data=data)
    assert json.loads(done.stdout)["type"] == "book_change"
    assert done.stderr == b""
