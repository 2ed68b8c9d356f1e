"""A hundred worlds: no invariant breaks, many are evaluated, faults strike, and quoting resumes."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from quotewright_simexchange.world.chaos import Tally, prepare, run_plan, run_seeds
from quotewright_simexchange.world.plan import drawn
from quotewright_simexchange.world.verdicts import NAMES
from quotewright_simexchange.world.world import Ground
from tests.simexchange.world.conftest import CONFIG

SPAN_NS = 12_000_000_000
SEEDS = 100
FUTURES = [
    "feeds.market.market=usdm",
    "venues.main.market=usdm",
    'feeds.market.instruments=["BTC-USDT.perp@binance"]',
]
PAPER = ["venues.main.plugin=simexchange"]


@pytest.fixture(scope="module")
def tally(ground: Ground) -> Tally:
    return run_seeds(ground, range(SEEDS), SPAN_NS)


def test_hundred_seeds_break_nothing(tally: Tally) -> None:
    assert [str(result.broken) for result in tally.failed] == []
    assert tally.seeds == SEEDS
    assert tally.problem() == ""
    assert tally.quotes_after > SEEDS


def test_faults_of_many_kinds_strike(tally: Tally) -> None:
    assert len([kind for kind, count in tally.faults.items() if count]) >= 12


def test_every_named_invariant_is_evaluated(tally: Tally) -> None:
    assert len(tally.evaluations) >= 12
    assert set(tally.evaluations) <= set(NAMES)
    assert all(count > 0 for count in tally.evaluations.values())
    for number in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 16, 17, 18, 20, 21, 26, 29):
        assert tally.evaluations[number] > SEEDS, NAMES[number]


@pytest.mark.parametrize(
    ("sets", "seeds"),
    [
        (FUTURES, (41, 48, 54, 66, 71)),  # these found something once
        ([*FUTURES, "venues.main.entry=rest"], (1, 2)),
        (["venues.main.entry=rest"], (1, 2)),
        (["feeds.market.plugin=venue"], (1,)),
        (PAPER, (3, 4)),
    ],
)
def test_other_ways_break_nothing(sets: list[str], seeds: tuple[int, ...]) -> None:
    tally = run_seeds(prepare([CONFIG], sets), seeds, SPAN_NS)
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
