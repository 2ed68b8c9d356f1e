"""What a seed draws."""

from __future__ import annotations

from quotewright_simexchange.server.faults import KINDS, PLACES
from quotewright_simexchange.world.plan import MARKETS, MOST_KINDS, drawn

SECOND = 1_000_000_000


def test_all_kinds_places_and_markets_are_drawn() -> None:
    plans = [drawn(seed, 20 * SECOND) for seed in range(400)]
    assert {plan.market for plan in plans} == set(MARKETS)
    assert {kind for plan in plans for kind in plan.kinds} == set(KINDS)
    struck = {(strike.kind, strike.where) for plan in plans for strike in plan.strikes}
    assert struck == {(kind, where) for kind, places in PLACES.items() for where in places}
    assert {len(plan.kinds) for plan in plans} == set(range(1, MOST_KINDS + 1))


def test_a_plan_keeps_all_else_with_fewer_kinds_or_less_time() -> None:
    plan = next(plan for seed in range(50) if len((plan := drawn(seed, 20 * SECOND)).kinds) > 2)
    fewer = plan.only(plan.kinds[:1])
    assert fewer.kinds == plan.kinds[:1]
    assert (fewer.market, fewer.up_ns, fewer.down_ns) == (plan.market, plan.up_ns, plan.down_ns)
    shorter = plan.lasting(5 * SECOND)
    assert shorter.strikes == plan.strikes
    assert shorter.faults_ns < plan.faults_ns


def test_phases_are_in_order() -> None:
    for seconds in (1, 10, 60, 600):
        plan = drawn(3, seconds * SECOND)
        assert 0 < plan.warm_ns < plan.faults_ns < plan.span_ns
