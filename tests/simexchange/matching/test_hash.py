"""The hash of a matching core: two histories that differ in one thing that later commands depend on differ in it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from quotewright.kernel.codes import BUY
from quotewright_simexchange.matching.codes import IOC, LIMIT
from quotewright_simexchange.matching.door import FastEngine
from quotewright_simexchange.matching.ledger import Ledger
from tests.simexchange.matching.story import command

LINEAR = {"kind": "linear", "im_rate": "0.1", "mm_rate": "0.05"}
SPOT = {"kind": "spot", "base": "BTC", "quote": "USD"}

APART: dict[str, tuple[dict[str, Any], str, str]] = {
    "the phase": ({}, "phase post_only", "phase cancel_only"),
    "the last price": ({}, "A1 sell 1@99; B1 buy 1@99", "A1 sell 1@98; B1 buy 1@98"),
    "the clock": ({}, "clock 5", "clock 6"),
    "a mark price": ({}, "mark 99", "mark 100"),
    "an index price": ({}, "index 99", "index 100"),
    "a trigger": ({}, "A1 buy 1 stop=101", "A1 buy 1 stop=102"),
    "what a trigger looks at": ({}, "A1 buy 1 stop=101", "A1 buy 1 stop=101 by=mark"),
    "stop or take-profit": ({}, "A1 buy 1 stop=101", "A1 buy 1 take=101"),
    "an end": ({}, "A1 buy 1@99 gtd=5", "A1 buy 1@99 gtd=6"),
    "a slice": ({}, "A1 buy 5@99 display=5", "A1 buy 5@99 display=4"),
    "what a slice will be": ({}, "A1 buy 6@99 display=3; B1 sell 2@99", "A1 buy 6@99 display=1; B1 sell 2@99"),
    "who hides": ({}, "A1 buy 5@99", "A1 buy 5@99 hidden"),
    "a self-trade prevention": ({}, "A1 buy 5@99 stop=101", "A1 buy 5@99 stop=101 stp=decrement"),
    "which ids are used up": (
        {},
        "A1 buy 1@9; A2 buy 1@9; cancel A1; cancel A2",
        "A1 buy 1@9; A2 buy 1@9 ioc; cancel A1; B1 buy 1@9; cancel B1",
    ),
    "whose an order was": ({}, "A1 buy 1@9 ioc; B2 buy 1@9 ioc", "B1 buy 1@9 ioc; A2 buy 1@9 ioc"),
    "who stands first": ({}, "A1 buy 1@9; B1 buy 1@9", "B1 buy 1@9; A1 buy 1@9"),
    "a position": (LINEAR, "A1 buy 1@9; B1 sell 1@9", "B1 buy 1@9; A1 sell 1@9"),
    "a balance": (SPOT, "A1 buy 1@9; B1 sell 1@9", "B1 buy 1@9; A1 sell 1@9"),
}


def hashed(settings: dict[str, Any], commands: str) -> str:
    engine = FastEngine(settings, {name: {"balances": {"USD": "999", "BTC": "9"}, "cash": "99"} for name in "AB"})
    for text in commands.split("; "):
        engine.run(command(text))
    return engine.core.state_hash()


@pytest.mark.parametrize(("settings", "one", "other"), APART.values(), ids=APART)
def test_the_hash_knows(settings: dict[str, Any], one: str, other: str) -> None:
    assert hashed(settings, one) == hashed(settings, one)
    assert hashed(settings, one) != hashed(settings, other)


def test_the_hash_knows_which_ids_are_used_up_in_the_same_number_of_orders() -> None:
    """Ids 0 and 2, or 1 and 2: as many orders, the same counts, an empty book."""
    hashes = set()
    for first in (0, 1):
        core = FastEngine({}).core
        for order in (first, 2):
            core.new(order, 1, BUY, LIMIT, 100, 1, IOC)
        hashes.add(core.state_hash())
    assert len(hashes) == 2


def test_the_hash_knows_rates_and_the_mark_of_the_accounts() -> None:
    for settings in (SPOT, LINEAR):
        ledger = Ledger()
        engine = FastEngine(settings, ledger=ledger)
        engine.open("A", {"USD": Decimal(1)})
        before = engine.core.state_hash()
        ledger.set_rates(0, None, 5)
        between = engine.core.state_hash()
        ledger.set_rates(0, 5, None)
        assert len({before, between, engine.core.state_hash()}) == 3
    assert engine.derivative is not None
    states = set()
    for mark in (1, 2):
        engine.derivative.set_mark(mark)
        states.add(engine.derivative.state())
    assert len(states) == 2


def test_the_hash_knows_who_is_one_trader() -> None:
    hashes = set()
    for account, group in ((0, 0), (0, 1), (1, 1), (0, 2)):
        core = FastEngine({}).core
        core.set_group(account, group)
        hashes.add(core.state_hash())
    assert len(hashes) == 4
