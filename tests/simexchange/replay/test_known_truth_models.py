"""Queue models against the truth, at a small size: exact where orders are known, never early where that is promised."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest

from bench import __main__ as bench
from bench import known_truth
from bench.known_flow import CANCELS, OTHERS, OURS, Flow
from bench.known_truth import LINEAR, MODELS, Row, Size, compare, lanes, replayed, table, targets, with_table
from quotewright.kernel.codes import BUY, NEVER
from quotewright_simexchange.matching.codes import LIMIT
from quotewright_simexchange.matching.core import MatchingCore

SMALL = Size(1_500, 25, 150)


@pytest.fixture(scope="module", params=CANCELS)
def flow(request: pytest.FixtureRequest) -> Flow:
    return Flow(5, request.param, SMALL.count, SMALL.every, SMALL.patience)


def test_order_by_order_every_probe_fills_with_the_command_that_filled_it(flow: Flow) -> None:
    found = replayed(flow, MODELS["orders"])
    expected = {probe.number: flow.times[probe.filled] for probe in flow.probes if probe.filled >= 0}
    assert found == expected
    assert len(flow.probes) > 50
    assert len(expected) > 15


def test_risk_averse_is_never_early_and_front_never_late(flow: Flow) -> None:
    averse, front = compare(flow, "risk_averse"), compare(flow, "front")
    assert averse.earlier == 0
    assert front.later == 0
    assert averse.fills <= averse.true_fills <= front.fills
    exact = {"tail": averse, "front": front}.get(flow.cancels)
    if exact is not None:
        assert (exact.earlier, exact.later) == (0, 0)


def test_the_other_models_lie_between_the_two(flow: Flow) -> None:
    averse, front = replayed(flow, MODELS["risk_averse"]), replayed(flow, MODELS["front"])
    for name in (LINEAR, "power 2, form 2", "log"):
        found = replayed(flow, MODELS[name])
        for probe in flow.probes:
            time = found.get(probe.number, NEVER)
            assert front.get(probe.number, NEVER) <= time <= averse.get(probe.number, NEVER), name


def test_probes_of_one_side_never_share_a_print(flow: Flow) -> None:
    found = lanes(flow.probes)
    assert sorted(probe.number for lane in found for probe in lane) == [probe.number for probe in flow.probes]
    for lane in found:
        for side in (1, 2):
            mine = [probe for probe in lane if probe.side == side]
            assert all(one.until < other.after for one, other in pairwise(mine))


def test_a_round_trip_differs_only_where_our_own_fills_had_changed_the_market(flow: Flow) -> None:
    """Ours in the engine, one after the other in one life, against the same on the recorded market: where the two
    differ, an own fill came before, and the engine begun anew on the recorded book agrees with the replay."""
    lane = lanes(flow.probes)[0]
    numbers = {probe.number for probe in lane}
    live = live_fills(flow, lane)
    recorded = {number: at for number, at in replayed(flow, MODELS["orders"]).items() if number in numbers}
    truth = {probe.number: flow.times[probe.filled] for probe in lane if probe.filled >= 0}
    same = explained = 0
    for probe in lane:
        there, here = live.get(probe.number, NEVER), recorded.get(probe.number, NEVER)
        if there == here:
            same += 1
            continue
        first = min(live.values())
        assert first < max(there, here), "nothing of ours had filled: the worlds were one"
        assert here == truth.get(probe.number, NEVER), "the recorded market does not explain it"
        explained += 1
    assert same + explained == len(lane)
    assert same > explained
    assert len(live) >= 3


def live_fills(flow: Flow, lane: list) -> dict[int, int]:  # type: ignore[type-arg]
    """Return when each order of ours fills with all of them, and everybody else's commands, in one engine."""
    core = MatchingCore()
    base = len(flow.commands)
    joins = {probe.after: [] for probe in lane}
    leaves: dict[int, list[int]] = {}
    for probe in lane:
        joins[probe.after].append(probe)
        leaves.setdefault(probe.until, []).append(probe.number)
    filled: dict[int, int] = {}
    open_now: set[int] = set()
    for number, (side, order, price, lots, tif) in enumerate(flow.commands):
        if side:
            core.new(order, OTHERS, side, LIMIT, price, lots, tif)
        else:
            core.cancel(order, OTHERS)
        for one in sorted(open_now):
            if not core.leaves(base + one):
                filled[one] = flow.times[number]
                open_now.discard(one)
        for one in leaves.get(number, ()):
            if one in open_now:
                core.cancel(base + one, OURS)
                open_now.discard(one)
        for probe in joins.get(number, ()):
            core.new(base + probe.number, OURS, probe.side, LIMIT, probe.price, 1)
            if core.leaves(base + probe.number):
                open_now.add(probe.number)
            else:
                filled[probe.number] = flow.times[number]
    return filled


def test_the_table_is_the_same_on_every_machine() -> None:
    """Golden: a market of seed 3, whose figures no platform, Python or form of the kernels may change."""
    flow = Flow(3, "proportional", 900, 30, 120)
    rows = [compare(flow, name) for name in ("orders", "risk_averse", LINEAR, "log, form 2")]
    assert [(row.probes, row.true_fills, row.fills, row.earlier, row.later, row.delay_ns) for row in rows] == GOLDEN
    assert flow.mids2[-1] == GOLDEN_MID2
    assert flow.times[-1] == GOLDEN_TIME


GOLDEN = [
    (26, 16, 16, 0, 0, 0),
    (26, 16, 16, 0, 2, 31_934_571),
    (26, 16, 16, 0, 1, 4_217_990),
    (26, 16, 16, 0, 2, 31_934_571),
]
GOLDEN_MID2 = 19_993
GOLDEN_TIME = 9_511_135_834


def row(cancels: str, model: str, **counts: int) -> Row:
    zero = dict.fromkeys(
        ("probes", "true_fills", "fills", "earlier", "later", "both", "delay_ns", "true_markout2", "markout2"), 0
    )
    return Row(cancels=cancels, model=model, **(zero | {"probes": 200, "true_fills": 100, "fills": 100} | counts))


def test_the_table_says_what_was_aimed_at_and_what_came() -> None:
    rows = [row(cancels, model) for cancels in CANCELS for model in MODELS]
    assert [met for _, _, met in targets(rows)] == [True, True, True]
    by_name = {(one.cancels, one.model): at for at, one in enumerate(rows)}
    for where, changed in (
        (("front", "orders"), {"later": 1}),
        (("proportional", LINEAR), {"fills": 103}),
        (("tail", "risk_averse"), {"earlier": 1}),
    ):
        wrong = list(rows)
        wrong[by_name[where]] = row(*where, **changed)
        assert [met for _, _, met in targets(wrong)].count(False) == 1
    text = table(rows, 1, SMALL)
    assert "| orders | 50.00 | 0.00 | 100.00 | 0.00 | 0.00 |  | 0.000 |" in text
    assert text.count("### Cancels") == 3
    linear = row("tail", LINEAR, fills=99, earlier=3, later=4, both=50, delay_ns=-75_000_000, markout2=99)
    assert linear.bias == Decimal("-0.5")
    assert linear.cells() == [LINEAR, "49.50", "-0.50", "96.50", "1.50", "2.00", "-2", "+0.500"]


def test_the_page_keeps_everything_but_its_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = known_truth.PAGE.read_text(encoding="utf-8")
    made = with_table(page, "| new |\n")
    assert with_table(made, "| new |\n") == made
    assert made.startswith(page[: page.index(known_truth.BEGIN)])
    with pytest.raises(ValueError, match="the page should hold"):
        with_table("# Nothing\n", "")
    monkeypatch.setattr(known_truth, "FULL", Size(300, 60, 60))
    monkeypatch.setattr(known_truth, "PAGE", tmp_path / "page.md")
    (tmp_path / "page.md").write_text(page, encoding="utf-8")
    told = bench.main(["known-truth", "--seed", "2"])
    assert "Seed 2, 300 commands a market" in (tmp_path / "page.md").read_text(encoding="utf-8")
    assert bench.main(["known-truth", "--seed", "2", "--check"]) == told
    assert bench.main(["known-truth", "--seed", "3", "--check"]) == 1


def test_cancels_are_of_a_known_kind() -> None:
    with pytest.raises(ValueError, match="cancels should be one of proportional, tail, front"):
        Flow(1, "middle", 10, 5, 2)
    assert BUY in {probe.side for probe in Flow(1, "tail", 200, 20, 20).probes}
