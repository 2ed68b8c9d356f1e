"""The reading reads our venue right, every rule makes a difference, and a wrong engine is found out."""

from __future__ import annotations

import subprocess

import pytest

from quotewright_simexchange.matching.replay import ReplayVenue
from tests.crosscheck import __main__ as command
from tests.crosscheck import theirs as peer
from tests.crosscheck.check import compare
from tests.crosscheck.fills import MODELS, ours, quantities
from tests.crosscheck.markets import queues, snapshots
from tests.crosscheck.reading import ALL, RULES, Reading, steps
from tests.crosscheck.scenes import SCENES
from tests.crosscheck.script import APART_NS, NEW, write

ORDERS = 400
ROWS = 12_000


@pytest.fixture(scope="module")
def market():
    return snapshots(ROWS)


@pytest.fixture(scope="module")
def commands(market):
    return write(market, ORDERS, 1)


@pytest.fixture(scope="module")
def happenings(market, commands):
    return steps(market, commands)


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_the_reading_of_our_rules_fills_as_our_venue_does(model, market, commands, happenings):
    found = ours(market, commands, model)
    assert len(found) > ORDERS // 4
    assert Reading(market, model).run(happenings) == found


@pytest.mark.parametrize("scene", SCENES, ids=[scene.rule for scene in SCENES])
def test_worked_scene(scene):
    """Where hftbacktest is not installed its rules are read; `tox run -e crosscheck` runs the scenes through it."""
    market, commands, model = scene.made()
    happenings = steps(market, commands)
    as_theirs = Reading(market, model, ALL).run(happenings)
    found = ours(market, commands, model)
    assert (quantities(found), quantities(as_theirs)) == (scene.ours, scene.theirs)
    outcome = compare(market, commands, model, found, as_theirs)
    assert (outcome.unexplained, set(outcome.rules)) == (0, {(scene.rule,)})


def test_every_rule_has_a_scene():
    assert [scene.rule for scene in SCENES] == list(RULES)


def test_differences_are_explained_by_rules_that_are_all_needed(market, commands, happenings):
    model = MODELS["power 2"]
    as_theirs = Reading(market, model, ALL).run(happenings)
    outcome = compare(market, commands, model, ours(market, commands, model), as_theirs)
    assert outcome.unexplained == 0
    assert outcome.explained == outcome.only_ours + outcome.only_theirs > 0
    assert ("print_to_each",) in outcome.rules


class Early(ReplayVenue):
    """A venue that forgets what stands ahead once anything printed at the price."""

    def print_at(self, market, level, size, now_ns):
        for order in level.orders:
            order.ahead = 0
        return super().print_at(market, level, size, now_ns)


def test_a_venue_with_a_bug_is_not_explained(market, commands, happenings):
    model = MODELS["risk_averse"]
    as_theirs = Reading(market, model, ALL).run(happenings)
    outcome = compare(market, commands, model, ours(market, commands, model, Early), as_theirs)
    assert outcome.unexplained > 0
    assert "the reading of our rules" in next(iter(outcome.reasons.values()))


def test_another_engine_with_an_unknown_rule_is_not_explained(market, commands, happenings):
    """Even where both engines agree: a reading that comes to something else would be no proof."""
    model = MODELS["risk_averse"]
    found = ours(market, commands, model)
    later = {order: fills[1:] or fills for order, fills in Reading(market, model, ALL).run(happenings).items()}
    assert compare(market, commands, model, found, later).unexplained > 0


def test_a_script_is_fixed_and_keeps_the_commands_of_an_order_apart(market, commands):
    assert write(market, ORDERS, 1) == commands != write(market, ORDERS, 2)
    last: dict[int, int] = {}
    for one in commands:
        assert one.at - last.get(one.order, one.at - APART_NS) >= APART_NS
        assert (one.kind == NEW) is (one.order not in last)
        last[one.order] = one.at


def test_markets_are_made_from_their_seeds():
    first, second = queues(2_000), queues(2_000)
    assert first.tape.array.tobytes() == second.tape.array.tobytes()
    assert first.tape.array.tobytes() != snapshots(2_000).tape.array[: len(first.tape.array)].tobytes()


def test_without_a_network_it_says_so(monkeypatch, capsys):
    def refuse(arguments, **_):
        raise subprocess.CalledProcessError(1, arguments)

    monkeypatch.setattr(subprocess, "run", refuse)
    assert command.main(["--install"]) == command.NOT_THERE
    assert "needs the network" in capsys.readouterr().err


def test_without_the_other_engine_it_says_what_to_run(monkeypatch, capsys):
    def absent():
        raise ImportError("No module named 'hftbacktest'")

    monkeypatch.setattr(peer, "load", absent)
    assert command.main([]) == command.NOT_THERE
    assert "tox run -e crosscheck" in capsys.readouterr().err


def test_a_run_that_ends_with_an_error_is_no_agreement(monkeypatch, capsys):
    def stop(*_):
        raise peer.Stopped("hftbacktest ended its run with error 14 at 7")

    monkeypatch.setattr(peer, "load", lambda: None)
    monkeypatch.setattr(peer, "release", lambda: peer.RELEASE)
    monkeypatch.setattr(peer, "theirs", stop)
    monkeypatch.setattr(command, "SCENES", ())
    arguments = ["--market=queues", "--model=log", "--rows=2000", "--orders=20", "--seeds=1"]
    assert command.main(arguments) == 1
    told = capsys.readouterr()
    assert "ended its run with error 14" in told.err
    assert [int(line.split()[-1]) for line in told.out.splitlines() if line.startswith("all ")] == [1]
