"""The short form of the run, and that each thing it looks for is found when it is there."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal

import pytest

from quotewright_simexchange.exchange.exchange import Exchange
from quotewright_simexchange.exchange.records import OrderRequest
from quotewright_simexchange.server.faults import KINDS, PLACES
from quotewright_simexchange.testing import usual_listings
from tests.hammer import __main__ as command
from tests.hammer import hammer as run
from tests.hammer.hammer import Plan, Verdict, Watch, hammer
from tests.hammer.truth import differences

BRISK = {"binance-spot": 12.0, "binance-usdm": 25.0}


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Let the clients' library say nothing of connections that break, as they do here."""
    log = logging.getLogger("picows")
    level = log.level
    log.setLevel(logging.CRITICAL)
    yield
    log.setLevel(level)


def verdict(**changes: object) -> Verdict:
    told = {
        "seed": 1,
        "seconds": 2.0,
        "least": 5,
        "faults": dict.fromkeys(KINDS, 5),
        "events": 10,
        "orders": {"accepted": 3},
        "counts": {"unknown carried out": 1},
        "unbalanced": 0,
    }
    return Verdict(**{**told, **changes})  # type: ignore[arg-type]


def test_two_clients_under_every_kind_of_fault_lose_nothing():
    found = asyncio.run(hammer(Plan(seconds=1.5, seed=7, every_s=0.01, pace=BRISK)))
    assert found.failures == []
    assert found.events > 1000
    assert min(found.orders.values()) > 0
    assert found.counts["fills"] > 0
    assert f"unbalanced = 0; differences = {len(found.differences)}" in found.line()


def test_money_from_nowhere_and_orders_that_are_hidden_are_seen(monkeypatch):
    real = Exchange.orders

    def hiding(self: Exchange, account: str, symbol: str, **more: object) -> object:
        found = real(self, account, symbol, **more)  # type: ignore[arg-type]
        return found if more.get("limit") == 1000 else found[:-1]

    def tamper(exchange: Exchange) -> None:
        exchange.ledger.wallets["USDT"].outside += 1
        monkeypatch.setattr(Exchange, "orders", hiding)

    found = asyncio.run(hammer(Plan(seconds=0.5, seed=7, every_s=0.05, pace=BRISK, least=0), tamper))
    assert found.unbalanced > 0
    assert "'USDT': Decimal(" in found.first
    assert any("the exchange has nothing" in text for text in found.differences)


def test_the_ledger_is_looked_at_after_every_event():
    exchange = Exchange(usual_listings())
    watch = Watch(exchange)
    exchange.open_account("us", {"USDT": Decimal(100_000)})
    request = OrderRequest(symbol="BTCUSDT", side="buy", quantity=Decimal(1), price=Decimal(60_000))
    exchange.place("us", request)
    assert watch.events == Counter(BalanceEvent=2, OrderEvent=1, DepthEvent=1)
    assert watch.unbalanced == 0
    exchange.ledger.wallets["USDT"].outside -= 1
    exchange.cancel_all("us")
    assert watch.events.total() == 7
    assert watch.unbalanced == 3
    assert watch.first.startswith("after event 5, ")


FAILING = {
    "a kind that was rare": ({"faults": {**dict.fromkeys(KINDS, 5), "gap": 4}}, "fault gap struck 4 times, least 5"),
    "a sum that was not zero": ({"unbalanced": 2, "first": "after event 3"}, "did not sum to zero 2 times, first af"),
    "a difference": ({"differences": ["ann order 3: REST shows nothing"]}, "ann order 3"),
    "no orders": ({"orders": {"refused": 9}}, "no order was accepted"),
}


@pytest.mark.parametrize("name", FAILING)
def test_the_command_fails_when_something_was_not_as_it_must_be(name, monkeypatch, capsys):
    changes, told = FAILING[name]

    async def ended(plan: Plan) -> Verdict:
        assert (plan.seconds, plan.seed) == (3.0, 4)
        return verdict(**changes)

    monkeypatch.setattr(command, "hammer", ended)
    assert command.main(["--seconds", "3", "--seed", "4"]) == 1
    out, err = capsys.readouterr()
    assert told in err
    assert "hammer: seed 1" in out


def test_the_command_prints_its_line_when_all_is_well(monkeypatch, capsys):
    async def ended(plan: Plan) -> Verdict:
        return verdict()

    monkeypatch.setattr(command, "hammer", ended)
    assert command.main([]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "gap 5, " in out
    assert "orders accepted 3, refused 0, unknown 0 (1 of them carried out)" in out


def test_what_is_not_shown_as_it_is_has_a_sentence():
    assert differences("order", {1: "a", 2: "b"}, {1: "a", 3: "c"}) == [
        "order 2: REST shows b, the exchange has nothing",
        "order 3: REST shows nothing, the exchange has c",
    ]


def test_faults_are_drawn_for_every_place_and_door():
    import random

    draw = random.Random(1)
    for kind in KINDS:
        told = [run.fault(draw, kind) for _ in range(60)]
        places = {one.get("where", "all") for one in told}
        assert places == ({"all"} if kind == "outage" else set(PLACES[kind]))
