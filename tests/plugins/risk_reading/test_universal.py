"""What holds for every rule and every mix of rules, through random histories."""

from __future__ import annotations

from random import Random

import pytest

from quotewright.model.orders import CancelOrder
from tests.plugins.risk_reading.beside import HALT, HISTORIES, rule_of
from tests.plugins.risk_reading.floor import DESKS, MOVES, Floor, History
from tests.plugins.risk_reading.test_readings import READINGS
from tests.plugins.risk_reading.world import BUY, MS, SECOND, SELL, START

SEEDS = range(HISTORIES or 25)
ASKED = {"max_order_size", "max_order_value", "price_collar", "self_cross", "stale_book", "stale_private"}
"""The rules about price, size, reference and silence: they hold for reducing orders too."""


def mixed(seed, modes=("enforce", "enforce", "warn", "observe"), among=tuple(READINGS)):
    """Return a layout and the names, keys and modes of some rules."""
    random = Random(f"mix {seed}")
    layout = random.randrange(3)
    chosen = random.sample(among, random.randrange(3, 9))
    return layout, [(name, READINGS[name].settings(random, layout), random.choice(modes)) for name in chosen]


def floor_of(layout, rules):
    made = []
    for name, keys, mode in rules:
        rule = rule_of(name, keys)
        rule.name, rule.mode = name, mode
        made.append(rule)
    return Floor(made, layout)


def lived(seed, layout, rules, each=None, steps=40):
    """Let a history happen to a floor of the rules and return it; *each* is called after every event."""
    floor = floor_of(layout, rules)
    history = History(floor, Random(f"life {seed}"), [SECOND, 100 * MS, 5 * SECOND], 6 * SECOND)
    for which, mid in enumerate(history.mids):
        floor.book(which, mid - 1, mid + 1)
    for _ in range(steps):
        history.step(MOVES)
        if each is not None:
            each(floor)
    return floor


def told(floor):
    """Return all that was decided."""
    refusals = [(one.rule, one.reason, one.text) for one in floor.refusals]
    return floor.log, refusals, floor.gate.changes, floor.gate.refusals


@pytest.mark.parametrize("seed", SEEDS)
def test_cancels_pass_and_what_only_reduces_is_held_back_by_prices_sizes_and_silence_only(seed):
    layout, rules = mixed(seed)
    seen = {"cancel": 0, "reducing": 0}

    def look(floor):
        for order in floor.world.live():
            view = floor.views[order.which]
            cancel = CancelOrder(order_number=order.number, instrument=order.which, strategy=order.strategy)
            assert floor.gate.verdict(cancel, view) is None
            seen["cancel"] += 1
        for strategy, which in DESKS:
            held = floor.world.position(which)
            side = SELL if held > 0 else BUY
            if abs(held) <= floor.world.open_lots(which, side) or not floor.world.good[which]:
                continue
            view = floor.views[which]
            view.now_ns = floor.now
            bid, offer = floor.world.touch[which]
            probe = floor.order(which, strategy, side, bid if side == BUY else offer, 1)
            refusal = floor.gate.verdict(probe, view)
            seen["reducing"] += 1
            if floor.state(strategy, which) == HALT:
                assert refusal is not None
                assert refusal.reason == "halt"
            elif refusal is not None:
                assert refusal.rule in ASKED, f"{rules}: {refusal}"

    lived(seed, layout, rules, look)
    assert seen["cancel"] or seen["reducing"] or any(mode == "enforce" for _, _, mode in rules)


def test_the_histories_above_have_something_to_cancel_and_to_reduce():
    found = {"cancel": 0, "reducing": 0}

    def look(floor):
        found["cancel"] += len(floor.world.live())
        found["reducing"] += any(floor.world.position(which) for which in range(2))

    for seed in range(10):
        lived(seed, *mixed(seed), look)
    assert min(found.values()) > 50


@pytest.mark.parametrize("seed", SEEDS)
def test_what_observes_changes_nothing_in_the_log_of_orders(seed):
    layout, rules = mixed(seed, ("enforce", "observe"))
    alone = [one for one in rules if one[2] == "enforce"]
    with_them, without = lived(seed, layout, rules), lived(seed, layout, alone)
    assert with_them.log == without.log
    assert [change[:3] for change in with_them.gate.changes] == [change[:3] for change in without.gate.changes]


@pytest.mark.parametrize("seed", SEEDS)
def test_what_only_warns_holds_nothing_back(seed):
    layout, rules = mixed(seed, ("warn",))
    assert lived(seed, layout, rules).log == lived(seed, layout, []).log


@pytest.mark.parametrize("seed", SEEDS)
def test_the_same_history_comes_to_the_same_verdicts(seed):
    layout, rules = mixed(seed)
    assert told(lived(seed, layout, rules)) == told(lived(seed, layout, rules))


@pytest.mark.parametrize("seed", SEEDS)
def test_the_state_is_the_most_severe_of_all_that_are_enforced(seed):
    layout, rules = mixed(seed)

    def look(floor):
        for strategy, which in DESKS:
            names = (f"strategy:{strategy}", floor.world.name(which), f"venue:{floor.world.venues[which]}")
            states = [0]
            for rule in floor.gate.rules:
                most = {"enforce": 4, "warn": 1, "observe": 0}[rule.mode]
                claims = [rule.state, *(rule.scoped[name][0] for name in names if name in rule.scoped)]
                states += [min(state, most) for state in claims]
            assert floor.state(strategy, which) == max(states)

    lived(seed, layout, rules, look)


MISSING = {  # what is not there,  and the rule that cannot do without
    "no trade yet":     ("price_collar", {"away": "50%", "reference": "last"}),
    "no mark yet":      ("price_collar", {"away": "50%", "reference": "mark"}),
    "no index yet":     ("price_collar", {"away": "50%", "reference": "index"}),
    "no mark to watch": ("price_move", {"move": "50%"}),
    "an old book":      ("stale_book", {"max_age": "1s"}),
    "an old mid":       ("price_collar", {"away": "50%", "max_age": "1s"}),
    "an old answer":    ("stale_private", {"max_age": "1s"}),
}  # fmt: skip


@pytest.mark.parametrize(("name", "keys"), MISSING.values(), ids=MISSING)
def test_a_missing_or_old_input_refuses(name, keys):
    floor = floor_of(0, [(name, keys, "enforce")])
    floor.book(0, 19_999, 20_001)
    if name == "stale_private":
        assert floor.send(floor.order(0, "mm", BUY, 19_000, 1))
    floor.go(START + SECOND)
    assert not floor.send(floor.order(0, "mm", BUY, 20_000, 1))
    assert floor.refusals[-1].rule == name


def test_without_a_good_book_nothing_leaves():
    floor = floor_of(0, [])
    assert not floor.send(floor.order(0, "mm", BUY, 20_000, 1))
    floor.book(0, 19_999, 20_001)
    assert floor.send(floor.order(0, "mm", BUY, 20_000, 1))
    floor.gap(0)
    assert not floor.send(floor.order(0, "mm", BUY, 20_000, 1))
