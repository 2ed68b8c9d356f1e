"""A hundred worlds: no invariant breaks, many are evaluated, faults strike, and quoting resumes."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from quotewright_simexchange.world.chaos import Tally, run_plan, run_seeds
from quotewright_simexchange.world.plan import drawn
from quotewright_simexchange.world.verdicts import NAMES
from quotewright_simexchange.world.world import Ground
from tests.simexchange.world.conftest import CONFIG

SPAN_NS = 12_000_000_000
SEEDS = 100


@pytest.fixture(scope="module")
def tally(ground: Ground) -> Tally:
    return run_seeds(ground, range(SEEDS), SPAN_NS)


def test_hundred_seeds_break_nothing(tally: Tally) -> None:
    assert [str(result.broken) for result in tally.failed] == []
    assert tally.seeds == SEEDS
    assert tally.problem() == ""
    assert tally.quotes_after > SEEDS


def test_faults_of_many_kinds_strike(tally: Tally) -> None:
    assert len([kind for kind, count in tally.faults.items() if count]) >= 8


def test_every_named_invariant_is_evaluated(tally: Tally) -> None:
    assert len(tally.evaluations) >= 12
    assert set(tally.evaluations) <= set(NAMES)
    assert all(count > 0 for count in tally.evaluations.values())
    for number in (1, 2, 3, 4, 5, 6, 7, 12, 14, 16, 20, 21, 26):
        assert tally.evaluations[number] > SEEDS, NAMES[number]


def test_usdm_world_breaks_nothing() -> None:
    from quotewright_simexchange.world.chaos import prepare

    futures = prepare([CONFIG], ["feeds.market.market=usdm", 'feeds.market.instruments=["BTC-USDT.perp@binance"]'])
    tally = run_seeds(futures, range(6), SPAN_NS)
    assert [str(result.broken) for result in tally.failed] == []
    assert tally.problem() == ""


def test_same_seed_gives_the_same_events(ground: Ground) -> None:
    """In this process twice, and in others under other hash seeds."""
    plan = drawn(7, SPAN_NS)
    first = run_plan(ground, plan)
    assert first.digest == run_plan(ground, plan).digest
    program = (
        "from quotewright_simexchange.world.chaos import prepare, run_plan\n"
        "from quotewright_simexchange.world.plan import drawn\n"
        f"print(run_plan(prepare([{str(CONFIG)!r}]), drawn(7, {SPAN_NS})).digest)\n"
    )
    for hash_seed in ("0", "4711"):
        found = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
        )
        assert found.stdout.strip() == first.digest


def test_other_seeds_give_other_events(ground: Ground) -> None:
    assert len({run_plan(ground, drawn(seed, SPAN_NS)).digest for seed in (1, 2, 3)}) == 3
