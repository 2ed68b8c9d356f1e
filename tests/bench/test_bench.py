"""The benchmarks run, at tiny sizes, say what they should, and compare equal work. Nothing is timed here."""

from __future__ import annotations

import json

import numpy as np
import pytest

from bench import __main__ as bench
from bench import market
from bench.measure import Candidate, compare
from quotewright.kernel.codes import BEST_QUOTE, BOOK_GOOD, LAST, TRADE
from quotewright.kernel.ladder import Ladder
from quotewright.kernel.rows import Rows


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
        assert ours["target_ns"] > 0
        for one in (ours, *peers):
            assert one["units"] > 0
            assert 0 <= one["cpu_min_ns"] <= one["cpu_median_ns"]  # a tick of the clock may be longer than the work
            assert 0 < one["wall_min_ns"] <= one["wall_median_ns"]
    bench.show(found)


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
