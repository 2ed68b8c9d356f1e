"""What the local exchange remembers and tells: edges of histories, groups, rates, auctions, ends, hashes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import attrs

from quotewright_simexchange.exchange.exchange import Exchange
from quotewright_simexchange.exchange.records import (
    DepthEvent,
    Event,
    Listing,
    OrderEvent,
    OrderRecord,
    OrderRequest,
    PositionEvent,
    Refused,
    TradeEvent,
)

SPOT = Listing(
    symbol="BTCUSDT",
    name="BTC-USDT.spot@local",
    kind="spot",
    base="BTC",
    quote="USDT",
    settle="USDT",
    settings={"kind": "spot", "tick": "1", "lot": "0.001", "base": "BTC", "quote": "USDT", "maker_fee": "0.001"},
    price_decimals=0,
    size_decimals=3,
)
LINEAR = attrs.evolve(SPOT, kind="linear", settings={"kind": "linear", "lot": "0.001", "base": "BTC", "quote": "USDT"})
INVERSE = attrs.evolve(
    SPOT, kind="inverse", settle="BTC", size_decimals=0, settings={"kind": "inverse", "mult": "100", "base": "BTC"}
)


def opened(one: Listing = SPOT, **more: Any) -> tuple[Exchange, list[Event]]:
    exchange = Exchange([one])
    for name in ("ann", "bob", "cid"):
        exchange.open_account(name, {"BTC": Decimal(10), "USDT": Decimal(100_000)}, **more)
    events: list[Event] = []
    exchange.listen(events.append)
    return exchange, events


def request(side: Any, size: str, **more: Any) -> OrderRequest:
    quantity, _, price = size.partition("@")
    more = {"type": "limit" if price else "market"} | more
    return OrderRequest(
        symbol="BTCUSDT", side=side, quantity=Decimal(quantity), price=Decimal(price) if price else None, **more
    )


def placed(exchange: Exchange, account: str, side: str, size: str, **more: Any) -> OrderRecord:
    record = exchange.place(account, request(side, size, **more))
    assert isinstance(record, OrderRecord), record
    return record


def test_a_budget_sells_no_dust_at_a_worse_price() -> None:
    exchange, _ = opened()
    placed(exchange, "ann", "buy", "1@100")
    placed(exchange, "ann", "buy", "1@10")
    order = OrderRequest(symbol="BTCUSDT", side="sell", type="market", quote_quantity=Decimal("50.05"))
    sold = exchange.place("bob", order)
    assert isinstance(sold, OrderRecord)
    assert (sold.filled, sold.value) == (Decimal("0.5"), Decimal(50))


def test_a_replayed_log_lets_orders_end_between_its_commands() -> None:
    exchange, _ = opened()
    placed(exchange, "ann", "sell", "1@100", tif="gtd", expire_ns=exchange.now_ns + 10)
    exchange.advance(exchange.now_ns + 20)
    missed = placed(exchange, "bob", "buy", "1@100")
    assert missed.status == "open"
    again = Exchange.replay(exchange.log, [SPOT])
    assert again.state_hash() == exchange.state_hash()
    assert [record.status for record in again.orders("bob", "BTCUSDT")] == ["open"]


def test_the_hash_knows_ids_time_and_books() -> None:
    exchange, _ = opened()
    hashes = [exchange.state_hash()]
    assert isinstance(exchange.place("ann", request("buy", "1@1.5")), Refused)
    hashes.append(exchange.state_hash())
    exchange.advance(exchange.now_ns + 1)
    hashes.append(exchange.state_hash())
    exchange.set_phase("BTCUSDT", "halt")
    hashes.append(exchange.state_hash())
    assert len(set(hashes)) == 4


def test_trying_an_order_uses_up_no_id() -> None:
    exchange, _ = opened()
    assert exchange.test("ann", request("buy", "1@100")) is None
    assert placed(exchange, "ann", "buy", "1@100").order_id == 1


def test_accounts_of_a_group_are_one_trader() -> None:
    exchange, _ = opened(stp_group="desk")
    placed(exchange, "ann", "sell", "1@100")
    assert placed(exchange, "bob", "buy", "1@100", stp="cancel_taker").reason == "stp"
    cancelled = placed(exchange, "cid", "buy", "1@100", stp="cancel_both")
    assert (cancelled.status, cancelled.prevented) == ("expired", Decimal(1))
    assert exchange.orders("ann", "BTCUSDT")[0].prevented == Decimal(1)


def test_an_amended_order_keeps_what_was_prevented_as_its_own_figure() -> None:
    exchange, _ = opened()
    placed(exchange, "ann", "sell", "2@100")
    order_id = placed(exchange, "ann", "buy", "5@100", stp="decrement").order_id

    def figures(record: object) -> tuple[Decimal, ...]:
        assert isinstance(record, OrderRecord)
        assert record.leaves == record.quantity - record.filled - record.prevented
        return record.quantity, record.prevented, record.leaves

    assert figures(exchange.order("ann", "BTCUSDT", order_id=order_id)) == (5, 2, 3)
    assert figures(exchange.amend("ann", "BTCUSDT", order_id=order_id, quantity=Decimal(4))) == (4, 2, 2)
    assert figures(exchange.amend("ann", "BTCUSDT", order_id=order_id, price=Decimal(99))) == (4, 2, 2)
    refused = exchange.amend("ann", "BTCUSDT", order_id=order_id, quantity=Decimal(2))
    assert isinstance(refused, Refused)
    assert refused.reason == "bad_qty"
    placed(exchange, "bob", "sell", "1@99")
    assert figures(exchange.amend("ann", "BTCUSDT", order_id=order_id, quantity=Decimal(6))) == (6, 2, 3)
    ended = exchange.amend("ann", "BTCUSDT", order_id=order_id, quantity=Decimal(3))
    assert isinstance(ended, OrderRecord)
    assert (ended.status, ended.reason, ended.filled, ended.leaves) == ("canceled", "amend_below_filled", 1, 0)


def test_an_account_pays_its_own_rates() -> None:
    exchange, _ = opened(maker_fee=Decimal(0), taker_fee=Decimal("0.01"))
    placed(exchange, "ann", "sell", "1@100")
    bought = placed(exchange, "bob", "buy", "1@100")
    assert [fill.fee for fill in exchange.fills_of(1) + exchange.fills_of(bought.order_id)] == [
        Decimal(0),
        Decimal("0.01"),
    ]


def test_a_stop_follows_the_price_it_names() -> None:
    exchange, _ = opened()
    waits = placed(exchange, "ann", "buy", "1", type="stop", trigger=Decimal(90), trigger_by="mark")
    placed(exchange, "bob", "sell", "5@100")
    placed(exchange, "cid", "buy", "1@100")
    assert exchange.orders("ann", "BTCUSDT")[0].status == "untriggered"
    exchange.set_mark("BTCUSDT", Decimal(90))
    record = exchange.order("ann", "BTCUSDT", order_id=waits.order_id)
    assert record is not None
    assert (record.status, record.is_triggered) == ("filled", True)


def test_an_order_cannot_end_before_it_begins() -> None:
    exchange, _ = opened()
    end = exchange.now_ns + 5
    exchange.advance(end)
    assert exchange.place("ann", request("buy", "1@100", tif="gtd", expire_ns=end)) == Refused(reason="bad_flags")
    assert placed(exchange, "ann", "buy", "1@100", tif="gtd", expire_ns=end + 1).is_open


def test_orders_end_without_anybody_asking() -> None:
    exchange, events = opened()
    end = exchange.now_ns + 5
    placed(exchange, "ann", "buy", "1@100", tif="gtd", expire_ns=end)
    exchange.advance(end + 100)
    ended = [event for event in events if isinstance(event, OrderEvent) and event.what == "canceled"]
    assert [(event.order.reason, event.event_ns) for event in ended] == [("expired", end)]


def test_more_than_is_free_is_not_paid_out() -> None:
    exchange, events = opened()
    refused = exchange.withdraw("ann", "BTC", Decimal(11))
    assert isinstance(refused, Refused)
    assert (refused.reason, events) == ("insufficient_funds", [])
    assert exchange.withdraw("ann", "BTC", Decimal(10)) is None
    assert exchange.balances("ann")["BTC"] == (Decimal(0), Decimal(0))


def test_every_listener_hears_events_in_the_same_order() -> None:
    exchange, _ = opened()
    heard: list[list[int]] = [[], []]

    def answer(event: Event) -> None:
        if isinstance(event, TradeEvent):
            heard[0].append(event.trade_id)
            if event.trade_id < 3:
                placed(exchange, "cid", "sell", "1@100")

    def note(event: Event) -> None:
        if isinstance(event, TradeEvent):
            heard[1].append(event.trade_id)

    stops = [exchange.listen(answer), exchange.listen(note)]
    placed(exchange, "ann", "buy", "9@100")
    placed(exchange, "bob", "sell", "1@100")
    assert heard == [[1, 2, 3], [1, 2, 3]]
    for stop in stops:
        stop()
    placed(exchange, "bob", "sell", "1@100")
    assert heard == [[1, 2, 3], [1, 2, 3]]


def test_nobody_takes_in_an_auction() -> None:
    exchange, events = opened()
    exchange.set_phase("BTCUSDT", "auction")
    placed(exchange, "ann", "buy", "1@100")
    placed(exchange, "bob", "sell", "1@100")
    exchange.uncross("BTCUSDT")
    fills = exchange.fills("ann", "BTCUSDT") + exchange.fills("bob", "BTCUSDT")
    assert [(fill.is_maker, fill.fee) for fill in fills] == [(True, Decimal("0.001")), (True, Decimal("0.1"))]
    assert exchange.phase("BTCUSDT") == "trading"
    assert [event.side for event in events if isinstance(event, TradeEvent)] == ["sell"]


def test_a_settled_position_is_empty_and_keeps_its_profit() -> None:
    for one, profit in ((LINEAR, Decimal(25)), (INVERSE, Decimal("0.2"))):
        exchange, _ = opened(one)
        placed(exchange, "ann", "buy", "1@100")
        placed(exchange, "bob", "sell", "1@100")
        exchange.settle("BTCUSDT", Decimal(125))
        held = exchange.position("ann", "BTCUSDT")
        assert (held.quantity, held.entry_value, held.entry_price) == (0, 0, 0)
        assert held.realized == profit
        assert exchange.position("bob", "BTCUSDT").realized == -profit


def test_who_trades_with_itself_keeps_its_position() -> None:
    exchange, events = opened(LINEAR)
    placed(exchange, "ann", "sell", "1@100")
    placed(exchange, "ann", "buy", "1@100")
    assert exchange.position("ann", "BTCUSDT").quantity == 0
    assert [fill.realized for fill in exchange.fills("ann", "BTCUSDT")] == [0, 0]
    placed(exchange, "ann", "buy", "1@100")
    placed(exchange, "bob", "sell", "1@100")
    placed(exchange, "ann", "buy", "2@90")
    told = [event.quantity for event in events if isinstance(event, PositionEvent) and event.account == "ann"]
    assert told == [1]


def test_an_inverse_position_gains_on_the_right_side() -> None:
    exchange, _ = opened(INVERSE)
    for first, second, size in (("ann", "bob", "3@100"), ("bob", "ann", "1@125"), ("bob", "ann", "4@80")):
        placed(exchange, first, "buy", size)
        placed(exchange, second, "sell", size)
    fills = exchange.fills("ann", "BTCUSDT")
    assert [fill.realized for fill in fills] == [0, Decimal("0.2"), Decimal("-0.5")]
    held = exchange.position("ann", "BTCUSDT")
    assert (held.quantity, held.entry_value, held.entry_price) == (-2, Decimal("2.5"), 80)


def test_the_sequence_of_a_book_counts_commands() -> None:
    exchange, events = opened()
    for price in ("100", "101", "102"):
        placed(exchange, "ann", "sell", f"1@{price}")
    placed(exchange, "bob", "buy", "3@102")
    depths = [event for event in events if isinstance(event, DepthEvent)]
    assert [(event.sequence, len(event.changes)) for event in depths] == [(1, 1), (2, 1), (3, 1), (4, 3)]
    assert exchange.book("BTCUSDT").sequence == 4


def test_the_book_begins_with_the_best() -> None:
    exchange, _ = opened()
    for price in ("98", "99", "97"):
        placed(exchange, "ann", "buy", f"1@{price}")
    for price in ("102", "101", "103"):
        placed(exchange, "bob", "sell", f"1@{price}")
    book = exchange.book("BTCUSDT", 2)
    assert ([int(price) for price, _ in book.bids], [int(price) for price, _ in book.offers]) == ([99, 98], [101, 102])


def test_histories_contain_both_ends() -> None:
    exchange, _ = opened()
    start = exchange.now_ns
    for step in range(4):
        placed(exchange, "ann", "sell", "1@100")
        placed(exchange, "bob", "buy", "1@100")
        exchange.advance(start + 10 * (step + 1))
    span = {"start_ns": start + 10, "end_ns": start + 20}
    assert [record.order_id for record in exchange.orders("ann", "BTCUSDT", **span)] == [3, 5]
    assert [fill.trade_id for fill in exchange.fills("bob", "BTCUSDT", **span)] == [2, 3]
    assert [fill.trade_id for fill in exchange.fills("bob", "BTCUSDT", from_id=3)] == [3, 4]
    assert [fill.trade_id for fill in exchange.fills("bob", "BTCUSDT", limit=3)] == [2, 3, 4]
    assert [fill.trade_id for fill in exchange.fills("bob", "BTCUSDT", from_id=0, limit=2)] == [1, 2]
    assert [fill.trade_id for fill in exchange.fills("bob", "BTCUSDT", start_ns=1, limit=3)] == [1, 2, 3]
    assert [record.order_id for record in exchange.orders("ann", "BTCUSDT", from_id=0, limit=2)] == [1, 3]
    assert [record.order_id for record in exchange.orders("ann", "BTCUSDT", start_ns=1, limit=2)] == [1, 3]
    assert [record.order_id for record in exchange.orders("ann", "BTCUSDT", limit=2)] == [5, 7]
    assert [record.order_id for record in exchange.orders("ann", "BTCUSDT", from_id=1, limit=2)] == [1, 3]
    assert [trade.trade_id for trade in exchange.recent_trades("BTCUSDT", 2)] == [3, 4]


def test_an_account_sees_its_own_orders_only() -> None:
    exchange, _ = opened()
    record = placed(exchange, "ann", "sell", "1@100")
    assert exchange.order("bob", "BTCUSDT", order_id=record.order_id) is None
    assert exchange.cancel("bob", "BTCUSDT", order_id=record.order_id) == Refused(reason="unknown_order")
    assert exchange.open_orders("ann") == [record]


def test_an_order_is_worth_all_its_fills() -> None:
    exchange, _ = opened()
    for price in ("100", "110"):
        placed(exchange, "ann", "sell", f"1@{price}")
    bought = placed(exchange, "bob", "buy", "2@110")
    assert (bought.value, bought.filled, bought.status) == (Decimal(210), Decimal(2), "filled")


def test_what_a_liquidation_could_not_close_is_no_open_order() -> None:
    settings = dict(LINEAR.settings) | {"mm_rate": "0.1"}
    exchange = Exchange([attrs.evolve(LINEAR, settings=settings)])
    for name, cash in (("ann", 20), ("bob", 9999)):
        exchange.open_account(name, {"USDT": Decimal(cash)})
    placed(exchange, "bob", "sell", "2@100")
    placed(exchange, "ann", "buy", "2@100")
    placed(exchange, "bob", "buy", "1@70")
    exchange.set_mark("BTCUSDT", Decimal(80))
    assert exchange.position("ann", "BTCUSDT").quantity == 1
    assert exchange.open_orders("ann") == []
    assert exchange.cancel_all("ann") == []


def test_a_reduced_order_says_what_is_left_of_it() -> None:
    exchange, _ = opened(LINEAR)
    placed(exchange, "ann", "buy", "2@100")
    placed(exchange, "bob", "sell", "2@100")
    record = placed(exchange, "ann", "sell", "5@120", reduce_only=True)
    assert (record.quantity, record.leaves, record.prevented) == (Decimal(2), Decimal(2), Decimal(0))


def test_a_halted_exchange_is_halted_after_its_restoration() -> None:
    exchange, _ = opened()
    exchange.set_phase("BTCUSDT", "halt")
    again = Exchange.restore(exchange.snapshot())
    for one in (exchange, again):
        assert one.place("ann", request("buy", "1@100")) == Refused(reason="phase")
    again.set_phase("BTCUSDT", "trading")
    assert placed(again, "ann", "buy", "1@100").is_open


def test_a_waiting_order_can_be_amended_and_has_no_price_until_it_gets_one() -> None:
    exchange, _ = opened(LINEAR)
    placed(exchange, "ann", "sell", "1@100")
    placed(exchange, "bob", "buy", "1@100")
    waits = placed(exchange, "ann", "buy", "1", type="stop", trigger=Decimal(105))
    for change, price in (({"quantity": Decimal(3)}, None), ({"price": Decimal(104)}, Decimal(104))):
        record = exchange.amend("ann", "BTCUSDT", order_id=waits.order_id, **change)
        assert isinstance(record, OrderRecord)
        assert (record.status, record.quantity, record.price) == ("untriggered", Decimal(3), price)


def test_what_is_asked_for_from_a_time_on_begins_there() -> None:
    exchange, _ = opened()
    start = exchange.now_ns
    for step in range(4):
        placed(exchange, "ann", "sell", "1@100")
        placed(exchange, "bob", "buy", "1@100")
        exchange.advance(start + 10 * (step + 1))
    fills = exchange.fills("bob", "BTCUSDT", start_ns=start + 10, limit=2)
    orders = exchange.orders("ann", "BTCUSDT", start_ns=start + 10, limit=2)
    assert ([fill.trade_id for fill in fills], [record.order_id for record in orders]) == ([2, 3], [3, 5])
