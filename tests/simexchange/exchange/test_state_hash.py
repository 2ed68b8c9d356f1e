"""The hash of an exchange: one thing changed moves it, and nothing else does, in any process, in either form."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from quotewright_simexchange.exchange.exchange import Exchange
from quotewright_simexchange.exchange.market import DAY_NS, TRADES_KEPT
from quotewright_simexchange.exchange.records import OrderRequest
from tests.simexchange.exchange.session import LISTINGS, SECOND, STARTING, Session, listing

Do = Callable[[Exchange], object]
TREE = Path(__file__).resolve().parents[3]


def opened(seed: int = 0) -> Exchange:
    exchange = Exchange(LISTINGS, seed=seed)
    for name in ("ann", "bob"):
        exchange.open_account(name, STARTING)
        exchange.add_key(name, key=f"key of {name}", secret="secret")
    return exchange


def order(symbol: str, side: Any, text: str, account: str = "ann", **more: Any) -> Do:
    """Return the placing of ``quantity@price`` or of a market order."""
    size, _, price = text.partition("@")
    more |= {"price": Decimal(price)} if price else {"type": more.get("type", "market")}
    request = OrderRequest(symbol=symbol, side=side, quantity=Decimal(size), **more)
    return lambda exchange: exchange.place(account, request)


def both(*steps: Do) -> Do:
    return lambda exchange: [step(exchange) for step in steps]


def call(name: str, *values: Any, **named: Any) -> Do:
    return lambda exchange: getattr(exchange, name)(*values, **named)


def traded(symbol: str, seller: str = "ann", buyer: str = "bob") -> Do:
    return both(order(symbol, "sell", "1@100", seller), order(symbol, "buy", "1@100", buyer))


def later(exchange: Exchange) -> None:
    exchange.advance(exchange.now_ns + SECOND)


def nothing(exchange: Exchange) -> None:
    pass


BUY = order("SPOT", "buy", "3@90")
STOP = {"type": "stop_limit", "trigger": Decimal(105)}
APART: dict[str, tuple[Do, Do]] = {
    "market time": (nothing, later),
    "a deposit": (call("deposit", "ann", "BTC", Decimal(1)), call("deposit", "bob", "BTC", Decimal(1))),
    "a currency": (call("deposit", "ann", "EUR", Decimal(1)), call("deposit", "ann", "USD", Decimal(1))),
    "a withdrawal": (nothing, call("withdraw", "ann", "BTC", Decimal(1))),
    "an account": (call("open_account", "cid"), call("open_account", "dan")),
    "a maker rate": (call("open_account", "cid", maker_fee=Decimal(0)), call("open_account", "cid")),
    "a taker rate": (call("open_account", "cid", taker_fee=Decimal(0)), call("open_account", "cid")),
    "a group": (call("open_account", "cid", stp_group="a"), call("open_account", "cid")),
    "a key": (call("add_key", "ann"), nothing),
    "whose a key is": (call("add_key", "ann", "k", "s"), call("add_key", "bob", "k", "s")),
    "a secret": (call("add_key", "ann", "k", "s"), call("add_key", "ann", "k", "t")),
    "a passphrase": (call("add_key", "ann", "k", "s", passphrase="a"), call("add_key", "ann", "k", "s")),
    "the rights of a key": (call("add_key", "ann", "k", "s", rights=("read",)), call("add_key", "ann", "k", "s")),
    "a key that is off": (call("enable_key", "key of ann", False), nothing),
    "an order": (BUY, nothing),
    "a price": (BUY, order("SPOT", "buy", "3@90.5")),
    "a quantity": (BUY, order("SPOT", "buy", "3.1@90")),
    "a side": (order("LINEAR", "buy", "1@90"), order("LINEAR", "sell", "1@90")),
    "an owner": (order("LINEAR", "buy", "1@90"), order("LINEAR", "buy", "1@90", "bob")),
    "who stands first": (
        both(order("LINEAR", "buy", "1@90"), order("LINEAR", "buy", "1@90", "bob")),
        both(order("LINEAR", "buy", "1@90", "bob"), order("LINEAR", "buy", "1@90")),
    ),
    "a client id": (BUY, order("SPOT", "buy", "3@90", client_id="mine")),
    "the door's words": (BUY, order("SPOT", "buy", "3@90", labels={"type": "LIMIT"})),
    "self-trade prevention": (BUY, order("SPOT", "buy", "3@90", stp="decrement")),
    "post-only": (BUY, order("SPOT", "buy", "3@90", post_only="reject")),
    "what is shown": (
        order("SPOT", "buy", "3@90", display=Decimal(1)),
        order("SPOT", "buy", "3@90", display=Decimal(2)),
    ),
    "what is left of a slice": (
        both(order("LINEAR", "buy", "6@90", display=Decimal(3)), order("LINEAR", "sell", "1@90", "bob")),
        both(order("LINEAR", "buy", "6@90", display=Decimal(3)), order("LINEAR", "sell", "2@90", "bob")),
    ),
    "who hides": (BUY, order("SPOT", "buy", "3@90", hidden=True)),
    "an end": (
        lambda exchange: order("SPOT", "buy", "3@90", tif="gtd", expire_ns=exchange.now_ns + 5)(exchange),
        lambda exchange: order("SPOT", "buy", "3@90", tif="gtd", expire_ns=exchange.now_ns + 6)(exchange),
    ),
    "a trigger": (
        order("SPOT", "buy", "3@90", **STOP),
        order("SPOT", "buy", "3@90", **STOP | {"trigger": Decimal(106)}),
    ),
    "what a trigger looks at": (
        order("SPOT", "buy", "3@90", **STOP),
        order("SPOT", "buy", "3@90", **STOP, trigger_by="mark"),
    ),
    "reduce-only": (
        both(traded("LINEAR"), order("LINEAR", "buy", "1@90")),
        both(traded("LINEAR"), order("LINEAR", "buy", "1@90", reduce_only=True)),
    ),
    "an amend": (BUY, both(BUY, call("amend", "ann", "SPOT", order_id=1, price=Decimal(90)))),
    "an order that has ended": (both(BUY, call("cancel", "ann", "SPOT", order_id=1)), nothing),
    "why an order has ended": (order("SPOT", "buy", "3@90", tif="ioc"), order("SPOT", "buy", "3@90", tif="fok")),
    "an id used up by a refusal": (order("SPOT", "buy", "3@90.1"), nothing),
    "who sold": (traded("SPOT"), traded("SPOT", "bob", "ann")),
    "an instrument": (traded("LINEAR"), traded("INVERSE")),
    "a long and a short": (traded("LINEAR"), traded("LINEAR", "bob", "ann")),
    "a position in coin": (traded("INVERSE"), traded("INVERSE", "bob", "ann")),
    "an option": (traded("CALL"), traded("CALL", "bob", "ann")),
    "a realised profit": (both(traded("LINEAR"), traded("LINEAR", "bob", "ann")), traded("LINEAR")),
    "a mark price": (call("set_mark", "LINEAR", Decimal(100)), call("set_mark", "LINEAR", Decimal("100.1"))),
    "an index price": (call("set_index", "SPOT", Decimal(100)), call("set_index", "SPOT", Decimal(101))),
    "mark or index": (call("set_index", "SPOT", Decimal(100)), call("set_mark", "SPOT", Decimal(100))),
    "a funding rate": (call("set_funding", "LINEAR", Decimal(0), 5), call("set_funding", "LINEAR", Decimal(1), 5)),
    "a funding time": (call("set_funding", "LINEAR", Decimal(0), 5), call("set_funding", "LINEAR", Decimal(0), 6)),
    "funding": (
        both(traded("LINEAR"), call("set_mark", "LINEAR", Decimal(100))),
        both(traded("LINEAR"), call("set_mark", "LINEAR", Decimal(100)), call("fund", "LINEAR", Decimal("0.01"))),
    ),
    "a settlement": (traded("LINEAR"), both(traded("LINEAR"), call("settle", "LINEAR", Decimal(100)))),
    "a phase": (call("set_phase", "SPOT", "halt"), call("set_phase", "SPOT", "cancel_only")),
    "whose phase": (call("set_phase", "SPOT", "halt"), call("set_phase", "COIN", "halt")),
    "a crossed auction": (
        both(
            call("set_phase", "LINEAR", "auction"),
            order("LINEAR", "buy", "1@99"),
            order("LINEAR", "sell", "1@98", "bob"),
        ),
        both(
            call("set_phase", "LINEAR", "auction"),
            order("LINEAR", "buy", "1@98"),
            order("LINEAR", "sell", "1@98", "bob"),
        ),
    ),
    "when a print was": (both(traded("SPOT"), later), both(later, traded("SPOT"))),
}


@pytest.mark.parametrize(("one", "other"), APART.values(), ids=APART)
def test_the_hash_knows(one: Do, other: Do) -> None:
    hashes = []
    for do in (one, one, other):
        exchange = opened()
        do(exchange)
        hashes.append(exchange.state_hash())
        assert Exchange.restore(exchange.snapshot()).state_hash() == hashes[-1]
    assert hashes[0] == hashes[1]
    assert hashes[0] != hashes[2]


def test_the_hash_knows_seed_and_instruments() -> None:
    assert opened(1).state_hash() != opened(2).state_hash()
    hashes = {Exchange([one]).state_hash() for one in (listing("SPOT", "spot"), listing("SPOT", "spot", tick="1"))}
    assert len(hashes) == 2


def test_the_hash_knows_how_its_day_began_and_forgets_what_came_before_it() -> None:
    """A print that lies a day back counts no more, whether somebody has asked for the day since or not."""
    exchange = opened()
    traded("SPOT")(exchange)
    before = exchange.state_hash()
    exchange.advance(exchange.now_ns + DAY_NS)
    asked = Exchange.restore(exchange.snapshot())
    asked.statistics("SPOT")
    assert asked.state_hash() == exchange.state_hash() != before
    assert asked.recent_trades("SPOT") == exchange.recent_trades("SPOT")
    assert TRADES_KEPT == 10_000


def test_asking_moves_no_hash() -> None:
    session = Session.opened(4)
    session.run(120)
    exchange = session.exchange
    before = exchange.state_hash()
    for name in exchange.accounts:
        exchange.balances(name), exchange.open_orders(name)
        for one in LISTINGS:
            exchange.position(name, one.symbol), exchange.orders(name, one.symbol), exchange.fills(name, one.symbol)
            exchange.test(name, OrderRequest(symbol=one.symbol, side="buy", price=Decimal(99), quantity=Decimal(1)))
    for one in LISTINGS:
        exchange.book(one.symbol), exchange.statistics(one.symbol), exchange.reference(one.symbol)
    exchange.listen(lambda event: None)
    exchange.forget(exchange.at(exchange.now_ns + 5, lambda: None))
    assert exchange.state_hash() == before


KNOWN: dict[str, tuple[str, str]] = {
    "exchange": (
        "now_ns listings accounts ledger seed keys _engines _markets _store _balances _held _schedule _sequences"
        " _told_positions _groups _key_maker",
        "log _listeners _queue _is_telling",
    ),
    "market": ("symbol book phase trade_number recent last reference day", ""),
    "store": ("next_id orders fills_by_order clients fills_by_account _own _open", "_forced"),
    "engine": (
        "terms name order_numbers order_names core money spot derivative ledger account_numbers",
        "price_decimals size_decimals base quote is_spot fee_scale money_decimals groups _ordered",
    ),
    "schedule": ("_due _names", "_calls _number"),
    "key maker": ("drawn", "_draw _taken"),
}
"""What each part of an exchange holds: what is saved (or follows from what is), and what is no state between
commands."""


def test_every_part_of_the_state_is_known_to_be_saved_or_none() -> None:
    exchange = opened()
    parts: dict[str, object] = {"exchange": exchange, "market": exchange._markets["SPOT"], "store": exchange._store}
    parts |= {"engine": exchange._engines["SPOT"], "schedule": exchange._schedule, "key maker": exchange._key_maker}
    for name, part in parts.items():
        saved, other = KNOWN[name]
        assert set(vars(part)) == {*saved.split(), *other.split()}, (
            f"{name}: put what is new into exchange/snapshot.py, raise its VERSION, and name it here"
        )


def told(variables: dict[str, str]) -> str:
    """Return the hash that another process comes to."""
    code = (
        "from tests.simexchange.exchange.session import Session\n"
        "session = Session.opened(8); session.run(150); print(session.exchange.state_hash())"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(TREE), *filter(None, sys.path)]), **variables},
    )
    return ran.stdout.strip()


def test_every_process_comes_to_the_same_hash() -> None:
    session = Session.opened(8)
    session.run(150)
    expected = session.exchange.state_hash()
    assert told({"PYTHONHASHSEED": "1"}) == expected
    assert told({"PYTHONHASHSEED": "4096", "QUOTEWRIGHT_KERNELS": "interpreted"}) == expected


def test_the_hash_of_a_known_state_is_the_same_on_every_python() -> None:
    """A change here is a change of the format: raise VERSION in exchange/snapshot.py."""
    exchange = opened()
    both(BUY, traded("LINEAR"), later)(exchange)
    assert exchange.state_hash() == "5673a7252850f3f7e0f44f24f9569d2c5beb710000c4790c1ccd4f3ff68971fe"
