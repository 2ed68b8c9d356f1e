"""The benchmarks run, at tiny sizes, say what they should, and compare equal work. Nothing is timed here."""

from __future__ import annotations

import json

import numpy as np
import pytest
import wsproto.connection

from bench import __main__ as bench
from bench import market, server, wire
from bench.measure import Candidate, compare
from quotewright.kernel.codes import BEST_QUOTE, BOOK_GOOD, LAST, TRADE
from quotewright.kernel.ladder import Ladder
from quotewright.kernel.rows import Rows
from quotewright_simexchange.server import sockets


@pytest.mark.parametrize("name", list(bench.BENCHMARKS))
def test_every_benchmark_measures_ours_beside_a_peer(name: str) -> None:
    found = json.loads(json.dumps(bench.run(bench.TINY, [name])))
    assert found["facts"]["kernels"] in ("compiled", "interpreted")
    assert found["results"]
    for result in found["results"]:
        assert result["benchmark"] == name
        assert result["what"]
        ours, *peers = result["candidates"]
        assert peers, "nothing stands beside ours"
        assert ours["ratio"] == 1.0
        if name == "server":
            assert ours["target_ns"] is None  # no figure is stated for it
        else:
            assert ours["target_ns"] > 0
        for one in (ours, *peers):
            assert one["units"] > 0
            assert 0 <= one["cpu_min_ns"] <= one["cpu_median_ns"]  # a tick of the clock may be longer than the work
            assert 0 < one["wall_min_ns"] <= one["wall_median_ns"]
    bench.show(found)


def test_the_server_is_sent_orders_that_are_checked_and_matched() -> None:
    with server.served() as bench:
        spent, asked = bench.rest("binance-spot", 4)
        server.check_orders(asked.answers)
        assert spent > 0
        told = [json.loads(answer) for answer in asked.answers]
        assert [one["side"] for one in told] == ["BUY", "SELL", "SELL", "BUY"]
        assert [len(one["fills"]) for one in told] == [0, 1, 0, 1]
        assert all(end > start for start, end in zip(asked.sent_ns, asked.answered_ns, strict=True))
        _, asked = bench.entry("binance-spot", 6, 3)
        server.check_orders(asked.answers)
        _, asked, latencies = bench.fan(6, 3)
        assert len(latencies) == 6 * 3
        assert min(latencies) > 0
        bench.keys[0] = (bench.keys[0][0], "another secret")
        with pytest.raises(AssertionError, match="-1022"):
            bench.rest("binance-spot", 1)


def test_answers_that_are_no_matched_orders_are_not_taken_for_speed() -> None:
    placed, filled = b'{"id":0,"result":{"status":"NEW"}}', b'{"id":1,"result":{"status":"FILLED"}}'
    server.check_orders([placed, filled])
    with pytest.raises(AssertionError, match="an order was answered with"):
        server.check_orders([placed, b'{"id":1,"status":400,"error":{"code":-1022}}'])
    with pytest.raises(AssertionError, match="in the order of the requests"):
        server.check_orders([placed.replace(b"0", b"2"), filled])


def test_frames_are_cut_apart_wherever_the_bytes_are() -> None:
    payloads = [b"", b"x" * 125, b"y" * 126, b"z" * 3000]
    wired = b"".join(sockets.text_frame(one) for one in payloads)
    for step in (1, 2, 7, 128, len(wired)):
        data, found = bytearray(), []
        for at in range(0, len(wired), step):
            data += wired[at : at + step]
            found += wire.frames_of(data)
        assert found == payloads
        assert not data


@pytest.mark.parametrize("size", [0, 1, 5, 125, 126, 400])
def test_a_clients_frame_is_masked_and_readable(size: int) -> None:
    connection = wsproto.connection.Connection(wsproto.ConnectionType.SERVER)
    payload = b"abcdefghij"[: size % 10] + b"k" * (size - size % 10)
    connection.receive_data(wire.text_frame(payload))
    assert [event.data for event in connection.events()] == [payload.decode()]


def test_candidates_that_come_to_different_results_are_not_compared() -> None:
    candidates = [
        Candidate(name="one", units=1, prepare=lambda: lambda: 1, check=int),
        Candidate(name="two", units=1, prepare=lambda: lambda: 2, check=int),
    ]
    with pytest.raises(AssertionError, match="two came to 2, expected 1"):
        compare(candidates, 1)


def test_the_generated_market_is_causal_and_never_crossed() -> None:
    rows = market.generate(60_000, 5)
    assert (rows["event_ns"] <= rows["receive_ns"]).all()
    assert (np.diff(rows["receive_ns"]) >= 0).all()
    assert (rows["price"][1:] > 0).all()
    ends = np.flatnonzero(rows["flags"] & LAST) + 1
    book = Ladder()
    flat = Rows(memoryview(rows.view(np.int64)))
    first = 0
    for end in ends.tolist():
        book.apply(flat, first, end)
        assert book.status == BOOK_GOOD
        if rows["kind"][first] == BEST_QUOTE:
            assert rows["price"][first] < rows["price"][first + 1]
        first = end
    assert book.crossings == 0


def test_the_generated_market_is_as_busy_as_the_recorded_one() -> None:
    rows = market.generate(400_000, 5)
    span_s = (rows["receive_ns"][-1] - rows["receive_ns"][0]) * 1e-9
    assert 1400 < len(rows) / span_s < 2100
    assert 250 < np.count_nonzero(rows["flags"] & LAST) / span_s < 300
    assert 50 < np.count_nonzero(rows["kind"] == TRADE) / span_s < 75
