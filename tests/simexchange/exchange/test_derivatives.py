"""Positions, funding, settlement and liquidation on the local exchange."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

import pytest

from quotewright_simexchange.exchange.exchange import Exchange
from quotewright_simexchange.exchange.records import (
    BalanceEvent,
    Event,
    LiquidationEvent,
    Listing,
    OrderEvent,
    OrderRecord,
    OrderRequest,
    PositionEvent,
    Refused,
)

SECOND = 1_000_000_000


def listing(kind: Any = "linear", **settings: str) -> Listing:
    settle = "BTC" if kind == "inverse" else "USDT"
    base = {"kind": kind, "tick": "0.5", "lot": "1" if kind == "inverse" else "0.001", "base": "BTC", "quote": "USDT"}
    return Listing(
        symbol="BTCUSDT",
        name="BTC-USDT.perp@local",
        kind=kind,
        base="BTC",
        quote="USDT",
        settle=settle,
        settings=base | {"mult": "100" if kind == "inverse" else "1"} | settings,
        price_decimals=1,
        size_decimals=0 if kind == "inverse" else 3,
    )


def opened(one: Listing, cash: str = "1000") -> tuple[Exchange, list[Event]]:
    exchange = Exchange([one])
    for name in ("ann", "bob", "cid"):
        exchange.open_account(name, {one.settle: Decimal(cash)})
    events: list[Event] = []
    exchange.listen(events.append)
    return exchange, events


def trade(exchange: Exchange, buyer: str, seller: str, price: str, quantity: str) -> None:
    for account, side in ((seller, "sell"), (buyer, "buy")):
        order = request(side, price, quantity)
        assert isinstance(exchange.place(account, order), OrderRecord)


def request(side: Any, price: str, quantity: str, **more: Any) -> OrderRequest:
    return OrderRequest(symbol="BTCUSDT", side=side, price=Decimal(price), quantity=Decimal(quantity), **more)


def test_a_position_is_built_reduced_and_turned() -> None:
    exchange, events = opened(listing(), "100000")
    trade(exchange, "ann", "bob", "100", "2")
    trade(exchange, "ann", "bob", "110", "2")
    held = exchange.position("ann", "BTCUSDT")
    assert (held.quantity, held.entry_price, held.entry_value) == (Decimal(4), Decimal(105), Decimal(420))
    trade(exchange, "bob", "ann", "120", "1")
    held = exchange.position("ann", "BTCUSDT")
    assert (held.quantity, held.entry_value, held.realized) == (Decimal(3), Decimal(315), Decimal(15))
    trade(exchange, "bob", "ann", "100", "5")
    held = exchange.position("ann", "BTCUSDT")
    assert (held.quantity, held.entry_value, held.realized) == (Decimal(-2), Decimal(200), Decimal(0))
    assert exchange.position("bob", "BTCUSDT").quantity == 2
    fills = exchange.fills("ann", "BTCUSDT")
    assert [fill.realized for fill in fills] == [Decimal(0), Decimal(0), Decimal(15), Decimal(-15)]
    told = [event.quantity for event in events if isinstance(event, PositionEvent) and event.account == "ann"]
    assert told == [Decimal(2), Decimal(4), Decimal(3), Decimal(-2)]
    exchange.set_mark("BTCUSDT", Decimal(90))
    assert exchange.position("ann", "BTCUSDT").unrealized == Decimal(20)
    assert set(exchange.ledger_sums().values()) == {Decimal(0)}


def test_an_inverse_entry_is_the_harmonic_mean() -> None:
    exchange, _ = opened(listing("inverse"), "10")
    trade(exchange, "ann", "bob", "10000", "100")
    trade(exchange, "ann", "bob", "20000", "100")
    held = exchange.position("ann", "BTCUSDT")
    assert (held.entry_value, round(held.entry_price, 2)) == (Decimal("1.5"), Decimal("13333.33"))
    trade(exchange, "bob", "ann", "20000", "200")
    assert exchange.position("ann", "BTCUSDT").realized == Decimal("0.5")
    assert exchange.balances("ann")["BTC"][0] == Decimal("10.5")


def test_funding_moves_money_from_longs_to_shorts() -> None:
    exchange, events = opened(listing())
    trade(exchange, "ann", "bob", "100", "2")
    exchange.set_mark("BTCUSDT", Decimal(100))
    exchange.set_funding("BTCUSDT", Decimal("0.0001"), exchange.now_ns + SECOND)
    exchange.fund("BTCUSDT", Decimal("0.0001"))
    paid = [event for event in events if isinstance(event, BalanceEvent) and event.why == "funding"]
    assert [(event.account, event.delta) for event in paid] == [
        ("ann", {"USDT": Decimal("-0.02")}),
        ("bob", {"USDT": Decimal("0.02")}),
    ]
    assert exchange.balances("ann")["USDT"][0] == Decimal("999.98")
    assert exchange.reference("BTCUSDT").funding_rate == Decimal("0.0001")


def test_a_settlement_cancels_orders_and_closes_positions() -> None:
    exchange, events = opened(listing())
    trade(exchange, "ann", "bob", "100", "2")
    exchange.place("cid", request("buy", "90", "1"))
    exchange.settle("BTCUSDT", Decimal(110))
    assert exchange.balances("ann")["USDT"][0] == Decimal(1020)
    assert exchange.position("ann", "BTCUSDT").quantity == 0
    assert exchange.open_orders("cid") == []
    assert [event.why for event in events if isinstance(event, PositionEvent)][-2:] == ["settlement", "settlement"]


def test_a_breach_of_maintenance_is_liquidated_against_the_book() -> None:
    exchange, events = opened(listing(im_rate="0.1", mm_rate="0.05"), "100")
    trade(exchange, "ann", "bob", "100", "9")
    exchange.deposit("cid", "USDT", Decimal(100_000))
    exchange.place("cid", request("buy", "92", "4"))
    exchange.set_mark("BTCUSDT", Decimal(92))
    (closed,) = [event for event in events if isinstance(event, LiquidationEvent)]
    assert (closed.account, closed.side, closed.quantity) == ("ann", "sell", Decimal(9))
    assert exchange.position("ann", "BTCUSDT").quantity == Decimal(5)  # what the book could not take stays
    forced = [event for event in events if isinstance(event, OrderEvent) and event.order.client_id == "LIQ-ann"]
    assert [(event.what, event.order.status) for event in forced] == [("trade", "partial"), ("canceled", "expired")]
    assert set(exchange.ledger_sums().values()) == {Decimal(0)}


def test_a_reducing_order_is_refused_without_a_position_and_never_larger_than_it() -> None:
    exchange, _ = opened(listing())
    refused = exchange.place("ann", request("sell", "100", "1", reduce_only=True))
    assert refused == Refused(reason="reduce_only")
    trade(exchange, "ann", "bob", "100", "2")
    record = exchange.place("ann", request("sell", "120", "5", reduce_only=True))
    assert isinstance(record, OrderRecord)
    assert (record.quantity, record.leaves) == (Decimal(2), Decimal(2))


def test_orders_end_at_their_time_and_wait_for_their_trigger() -> None:
    exchange, _ = opened(listing(), "100000")
    order = request("buy", "90", "1", tif="gtd", expire_ns=exchange.now_ns + SECOND)
    timed = exchange.place("ann", order)
    stop = exchange.place(
        "ann", OrderRequest(symbol="BTCUSDT", side="buy", type="stop", quantity=Decimal(1), trigger=Decimal(105))
    )
    assert isinstance(timed, OrderRecord)
    assert isinstance(stop, OrderRecord)
    assert stop.status == "untriggered"
    exchange.advance(exchange.now_ns + SECOND)
    ended = exchange.order("ann", "BTCUSDT", order_id=timed.order_id)
    assert ended is not None
    assert (ended.status, ended.reason) == ("expired", "expired")
    exchange.place("bob", request("sell", "106", "3"))
    exchange.place("cid", request("buy", "106", "1"))
    fired = exchange.order("ann", "BTCUSDT", order_id=stop.order_id)
    assert fired is not None
    assert (fired.status, fired.is_triggered, fired.filled) == ("filled", True, Decimal(1))


def test_self_trades_of_a_group_are_prevented() -> None:
    exchange = Exchange([listing()])
    for name in ("one", "two"):
        exchange.open_account(name, {"USDT": Decimal(1000)}, stp_group="desk")
    exchange.place("one", request("sell", "100", "3"))
    record = exchange.place("two", request("buy", "100", "1", stp="decrement"))
    assert isinstance(record, OrderRecord)
    assert (record.status, record.prevented, record.filled) == ("expired", Decimal(1), Decimal(0))
    (left,) = exchange.open_orders("one")
    assert (left.leaves, left.prevented) == (Decimal(2), Decimal(1))


@pytest.mark.parametrize("kind", ["linear", "inverse"])
@pytest.mark.parametrize("seed", range(4))
def test_money_and_positions_are_conserved(kind: str, seed: int) -> None:
    settings = {"maker_fee": "-0.0001", "taker_fee": "0.0005", "im_rate": "0.1", "mm_rate": "0.05"}
    one = listing(kind, **settings)
    exchange, _ = opened(one, "20" if kind == "inverse" else "5000")
    chance = random.Random(seed)
    for _ in range(250):
        account = chance.choice(["ann", "bob", "cid"])
        price = str(chance.randint(190, 210) / 2)
        roll = chance.random()
        if roll < 0.8:
            size = str(chance.randint(1, 9))
            flags: dict[str, Any] = (
                {"reduce_only": True} if roll < 0.1 else {"stp": "cancel_taker"} if roll < 0.2 else {}
            )
            exchange.place(account, request(chance.choice(["buy", "sell"]), price, size, **flags))
        elif roll < 0.85:
            exchange.cancel_all(account)
        elif roll < 0.95:
            exchange.set_mark("BTCUSDT", Decimal(price))
        else:
            exchange.fund("BTCUSDT", Decimal(chance.choice(["0.0001", "-0.0003"])))
        assert set(exchange.ledger_sums().values()) == {Decimal(0)}
        derivative = exchange._engines["BTCUSDT"].derivative
        assert derivative is not None
        held = {name: exchange.position(name, "BTCUSDT") for name in exchange.accounts}
        assert sum(position.quantity for position in held.values()) == 0
        for name, position in held.items():
            number = exchange.ledger.number(name)
            assert position.quantity == Decimal(derivative.position(number)).scaleb(-one.size_decimals)
            assert position.entry_value == Decimal(derivative.entry_value(number)).scaleb(-18)
            assert position.realized == Decimal(derivative.realized_profit(number)).scaleb(-18)
    again = Exchange.replay(exchange.log, [one])
    assert again.state_hash() == exchange.state_hash()
