"""The fast machines and the oracle agree on random commands and random markets, event for event."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from quotewright_simexchange.cases import final_difference, is_same, rounded
from quotewright_simexchange.matching.door import FastEngine
from quotewright_simexchange.matching.replay_door import FastReplay
from quotewright_simexchange.oracle.engine import OracleEngine
from quotewright_simexchange.oracle.replay import OracleReplay
from quotewright_simexchange.streams import Feed, Stream, random_feed, random_order_feed, random_stream

STREAMS = int(os.environ.get("QUOTEWRIGHT_STREAMS", "2000"))
"""How many random streams are compared; a night asks for 200,000."""
FEEDS = 500
CHUNK = 50


def stream_difference(stream: Stream, length: int) -> str:
    """Run the first *length* commands on both engines; return how they first differ, or nothing."""
    fast, oracle = (engine(stream.instrument, stream.accounts) for engine in (FastEngine, OracleEngine))
    for number, command in enumerate(stream.commands[:length], 1):
        expected, got = oracle.run(command), fast.run(command)
        if not is_same([expected[0], expected[1]], [got[0], [list(row) for row in got[1]]]):
            return f"command {number} {command}: expected {expected}, got {got}"
        if (number % 40 == 0 or number == length) and (final := final_difference(oracle.final(), fast.final())):
            return f"state after command {number} {command}: expected {final[0]}, got {final[1]}"
    return ""


def told(seed: int, stream: Stream) -> str:
    """Return seed, shortest failing prefix and difference of *stream*; nothing if both engines agree."""
    if not stream_difference(stream, len(stream.commands)):
        return ""
    for length in range(1, len(stream.commands) + 1):
        if difference := stream_difference(stream, length):
            listing = "\n".join(map(str, stream.commands[:length]))
            return f"seed {seed}, {dict(stream.instrument)}, {dict(stream.accounts)}\n{listing}\n{difference}"
    raise AssertionError(f"seed {seed} differs once and then not: an engine depends on something beside its commands")


@pytest.mark.parametrize("first", range(0, STREAMS, CHUNK))
def test_fast_engine_and_oracle_agree_on_random_streams(first: int) -> None:
    for seed in range(first, min(first + CHUNK, STREAMS)):
        assert (why := told(seed, random_stream(seed))) == "", why


def feed_difference(feed: Feed, inputs: Sequence[Mapping[str, Any]]) -> str:
    """Run *inputs* on both replay machines; return how they first differ, or nothing."""
    fast, oracle = FastReplay(feed.model), OracleReplay(feed.model)
    if "latency" in feed.model:
        expected, got = oracle.run_timed(inputs), fast.run_timed(inputs)
        return "" if is_same(expected, got) else f"expected {expected}, got {got}"
    for number, given in enumerate(inputs, 1):
        expected, got = oracle.step(given), fast.step(given)
        if not is_same(expected, got):
            return f"input {number} {given}: expected {expected}, got {got}"
        ahead = [{name: rounded(qty) for name, qty in one.queue().items()} for one in (oracle, fast)]
        if ahead[0] != ahead[1]:
            return f"queue after input {number} {given}: expected {ahead[0]}, got {ahead[1]}"
    return ""


@pytest.mark.parametrize("first", range(0, FEEDS, CHUNK))
def test_fast_replay_and_oracle_agree_on_random_feeds(first: int) -> None:
    for seed in range(first, first + CHUNK):
        feed = random_feed(seed)
        if feed_difference(feed, feed.inputs):
            ends = range(1, len(feed.inputs) + 1)
            prefix = next(end for end in ends if feed_difference(feed, feed.inputs[:end]))
            inputs = "\n".join(map(str, feed.inputs[:prefix]))
            pytest.fail(f"seed {seed}, {feed.model}\n{inputs}\n{feed_difference(feed, feed.inputs[:prefix])}")


@pytest.mark.parametrize("first", range(0, max(FEEDS, STREAMS // 8), CHUNK))
def test_fast_replay_and_oracle_agree_on_random_orders_of_the_market(first: int) -> None:
    for seed in range(first, first + CHUNK):
        feed = random_order_feed(seed)
        assert (why := feed_difference(feed, feed.inputs)) == "", f"seed {seed}, {feed.model}: {why}"


def test_streams_reach_every_outcome_the_engines_share() -> None:
    seen: set[str] = set()
    for seed in range(200):
        stream = random_stream(seed)
        engine = OracleEngine(stream.instrument, stream.accounts)
        for command in stream.commands:
            for event in engine.run(command)[0]:
                seen.add(f"{event['ev']} {event.get('reason', event.get('priority', ''))}".strip())
                seen.update(["fees"] if "fees" in event else [])

    assert seen >= {
        "accepted", "trade", "repriced", "amended kept", "amended lost", "fees", "triggered", "refreshed", "phase",
        "uncrossed", "reduced stp", "reduced reduce_only", "funding", "settled", "liquidation", "insurance",
        *(f"rejected {reason}" for reason in (
            "duplicate_id", "bad_qty", "bad_price", "tick", "lot", "min_qty", "max_qty", "min_notional",
            "bad_flags", "post_only", "insufficient_funds", "insufficient_margin", "phase", "price_band",
            "max_open_orders", "reduce_only", "trigger_met",
        )),
        *(f"canceled {reason}" for reason in (
            "user", "ioc", "fok", "no_liquidity", "post_only", "amend_below_filled", "expired", "insufficient_funds",
            "insufficient_margin", "liquidation", "price_range", "protection", "reduce_only", "settled", "stp",
        )),
        *(f"cancel_rejected {reason}" for reason in ("unknown_order", "order_closed", "phase")),
        *(f"amend_rejected {reason}" for reason in (
            "unknown_order", "order_closed", "bad_qty", "bad_price", "tick", "lot", "min_qty", "max_qty",
            "min_notional", "not_allowed", "post_only", "insufficient_funds", "insufficient_margin", "phase",
            "price_band",
        )),
    }  # fmt: skip


def test_a_seed_always_gives_the_same_stream() -> None:
    assert random_stream(7) == random_stream(7)
    assert random_stream(7) != random_stream(8)
    assert random_feed(7) == random_feed(7)
    assert random_order_feed(7) == random_order_feed(7) != random_order_feed(8)


class ForgetfulEngine(FastEngine):
    """Loses the trades of every command."""

    def run(self, cmd: Mapping[str, Any]) -> tuple[list[dict[str, Any]], list[list[str]]]:
        events, l2 = super().run(cmd)
        return [event for event in events if event["ev"] != "trade"], l2


def test_a_planted_fault_is_told_with_seed_and_shortest_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "FastEngine", ForgetfulEngine)

    why = told(3, random_stream(3))

    assert why.startswith("seed 3, ")
    assert "'ev': 'trade'" in why.splitlines()[-1]
    assert len(why.splitlines()) < len(random_stream(3).commands)
