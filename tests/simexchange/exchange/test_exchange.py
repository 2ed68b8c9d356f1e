"""The local exchange as one object: what a trader could check by hand, and what always holds."""

from __future__ import annotations

import random
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from quotewright.errors import ConfigError, InputError, NotFoundError
from quotewright_simexchange.exchange.exchange import Exchange
from quotewright_simexchange.exchange.records import (
    BalanceEvent,
    DepthEvent,
    Event,
    Listing,
    OrderEvent,
    OrderRecord,
    OrderRequest,
    Refused,
    TradeEvent,
)

SECOND = 1_000_000_000


def listing(symbol: str, base: str) -> Listing:
    settings = {"kind": "spot", "tick": "0.01", "lot": "0.001", "base": base, "quote": "USDT", "fee_mode": "received"}
    return Listing(
        symbol=symbol,
        name=f"{base}-USDT.spot@local",
        kind="spot",
        base=base,
        quote="USDT",
        settle="USDT",
        settings=settings | {"maker_fee": "0.001", "taker_fee": "0.002"},
        price_decimals=2,
        size_decimals=3,
    )


LISTINGS = [listing("BTCUSDT", "BTC"), listing("ETHUSDT", "ETH")]


def opened(seed: int = 0) -> tuple[Exchange, list[Event]]:
    exchange = Exchange(LISTINGS, seed=seed)
    for name in ("ann", "bob"):
        exchange.open_account(name, {"BTC": Decimal(10), "ETH": Decimal(100), "USDT": Decimal(100_000)})
    events: list[Event] = []
    exchange.listen(events.append)
    return exchange, events


def request(side: Any, price: str, quantity: str, symbol: str = "BTCUSDT", **more: Any) -> OrderRequest:
    return OrderRequest(symbol=symbol, side=side, price=Decimal(price), quantity=Decimal(quantity), **more)


def placed(exchange: Exchange, account: str, order: OrderRequest) -> OrderRecord:
    record = exchange.place(account, order)
    assert isinstance(record, OrderRecord), record
    return record


def test_an_order_rests_fills_in_part_and_is_cancelled() -> None:
    exchange, events = opened()
    rests = placed(exchange, "ann", request("sell", "100", "2", client_id="mine"))
    assert (rests.status, rests.order_id, rests.client_id, rests.leaves) == ("open", 1, "mine", Decimal(2))
    assert exchange.balances("ann")["BTC"] == (Decimal(8), Decimal(2))
    takes = placed(exchange, "bob", request("buy", "101", "0.5"))
    assert (takes.status, takes.filled, takes.value) == ("filled", Decimal("0.5"), Decimal(50))
    (fill,) = exchange.fills_of(takes.order_id)
    assert (fill.price, fill.fee, fill.fee_currency, fill.is_maker) == (Decimal(100), Decimal("0.001"), "BTC", False)
    now = exchange.order("ann", "BTCUSDT", client_id="mine")
    assert now is not None
    assert (now.status, now.leaves) == ("partial", Decimal("1.5"))
    ended = exchange.cancel("ann", "BTCUSDT", order_id=1, cause="please")
    assert isinstance(ended, OrderRecord)
    assert (ended.status, ended.reason, ended.filled) == ("canceled", "user", Decimal("0.5"))
    assert exchange.balances("ann")["BTC"] == (Decimal("9.5"), Decimal(0))
    assert exchange.balances("ann")["USDT"][0] == Decimal("100049.95")
    assert exchange.cancel("ann", "BTCUSDT", order_id=1) == Refused(reason="order_closed")
    assert [type(event).__name__ for event in events] == [
        *["OrderEvent", "BalanceEvent", "DepthEvent"],
        *["OrderEvent", "OrderEvent", "OrderEvent", "BalanceEvent", "BalanceEvent", "TradeEvent", "DepthEvent"],
        *["OrderEvent", "BalanceEvent", "DepthEvent"],
    ]
    assert [event.cause for event in events if isinstance(event, OrderEvent)] == ["", "", "", "", "please"]


def test_a_market_order_with_a_budget_buys_the_whole_lots_that_it_pays() -> None:
    exchange, _ = opened()
    placed(exchange, "ann", request("sell", "100", "1"))
    placed(exchange, "ann", request("sell", "200", "1"))
    order = OrderRequest(symbol="BTCUSDT", side="buy", type="market", quote_quantity=Decimal("150.1"))
    bought = placed(exchange, "bob", order)
    assert (bought.filled, bought.value) == (Decimal("1.250"), Decimal(150))
    assert exchange.book("BTCUSDT").offers == [(Decimal(200), Decimal("0.75"))]


REFUSALS = {
    "unknown_symbol": request("buy", "100", "1", symbol="XRPUSDT"),
    "duplicate_client_id": request("buy", "90", "1", client_id="taken"),
    "quote_quantity": OrderRequest(symbol="BTCUSDT", side="buy", price=Decimal(1)),
    "insufficient_funds": request("buy", "100", "1001"),
    "tick": request("buy", "100.001", "1"),
    "lot": request("buy", "100", "0.0001"),
    "post_only": request("buy", "100", "1", post_only="reject"),
}


@pytest.mark.parametrize(("reason", "order"), REFUSALS.items(), ids=REFUSALS)
def test_a_refused_order_says_why_and_changes_nothing(reason: str, order: OrderRequest) -> None:
    exchange, _ = opened()
    placed(exchange, "bob", request("buy", "80", "1", client_id="taken"))
    placed(exchange, "ann", request("sell", "100", "1"))
    before = exchange.balances("bob")
    asked = exchange.test("bob", order)
    refused = exchange.place("bob", order)
    assert isinstance(refused, Refused)
    assert isinstance(asked, Refused)
    assert (asked.reason, refused.reason) == (reason, reason)
    assert (exchange.balances("bob"), len(exchange.open_orders("bob"))) == (before, 1)


def test_trying_an_order_changes_nothing() -> None:
    exchange, events = opened()
    placed(exchange, "ann", request("sell", "100", "1"))
    before, count = exchange.state_hash(), len(events)
    assert exchange.test("bob", request("buy", "100", "1")) is None
    assert (exchange.state_hash(), len(events)) == (before, count)


def test_a_client_id_is_free_again_when_its_order_has_ended() -> None:
    exchange, _ = opened()
    first = placed(exchange, "ann", request("buy", "90", "1", client_id="one"))
    exchange.cancel("ann", "BTCUSDT", client_id="one")
    second = placed(exchange, "ann", request("buy", "91", "1", client_id="one"))
    assert exchange.order("ann", "BTCUSDT", client_id="one") == second
    assert [record.order_id for record in exchange.orders("ann", "BTCUSDT")] == [first.order_id, second.order_id]


def test_accounts_share_their_money_among_instruments() -> None:
    exchange, _ = opened()
    placed(exchange, "ann", request("buy", "90000", "1"))
    refused = exchange.place("ann", request("buy", "3000", "4", symbol="ETHUSDT"))
    assert refused == Refused(reason="insufficient_funds")
    assert isinstance(exchange.place("ann", request("buy", "3000", "3", symbol="ETHUSDT")), OrderRecord)
    assert len(exchange.cancel_all("ann")) == 2
    assert exchange.balances("ann")["USDT"] == (Decimal(100_000), Decimal(0))


def test_what_is_due_happens_in_order_of_its_time() -> None:
    exchange, _ = opened()
    start, seen = exchange.now_ns, []
    exchange.at(start + 2 * SECOND, lambda: seen.append(("late", exchange.now_ns - start)))
    exchange.at(start + SECOND, lambda: seen.append(("first", exchange.now_ns - start)))
    exchange.at(start + SECOND, lambda: seen.append(("second", exchange.now_ns - start)))
    exchange.forget(exchange.at(start + SECOND, lambda: seen.append(("never", 0))))
    exchange.advance(start + SECOND)
    assert seen == [("first", SECOND), ("second", SECOND)]
    exchange.advance(start + 5 * SECOND)
    assert seen[2:] == [("late", 2 * SECOND)]
    with pytest.raises(InputError, match="does not go back"):
        exchange.advance(start)


def test_a_listener_that_trades_is_told_after_what_it_heard() -> None:
    exchange, _ = opened()
    told: list[str] = []

    def answer(event: Event) -> None:
        if isinstance(event, TradeEvent) and event.trade_id == 1:
            placed(exchange, "ann", request("sell", "100", "1"))

    def note(event: Event) -> None:
        told.append(f"{type(event).__name__} {event.sequence if isinstance(event, DepthEvent) else ''}".rstrip())

    exchange.listen(answer)
    exchange.listen(note)
    placed(exchange, "ann", request("sell", "100", "1"))
    placed(exchange, "bob", request("buy", "100", "1"))
    assert [line for line in told if "Depth" in line] == ["DepthEvent 1", "DepthEvent 2", "DepthEvent 3"]


def test_names_that_nobody_has_are_told() -> None:
    exchange, _ = opened()
    with pytest.raises(NotFoundError, match="no account called 'eve'; accounts: ann, bob"):
        exchange.balances("eve")
    with pytest.raises(NotFoundError, match="no instrument called 'X'; traded here: BTCUSDT, ETHUSDT"):
        exchange.book("X")
    with pytest.raises(ConfigError, match="a name that nobody has, was 'ann'"):
        exchange.open_account("ann")
    with pytest.raises(ConfigError, match="two instruments are called BTCUSDT"):
        Exchange([LISTINGS[0], LISTINGS[0]])


def test_keys_follow_from_the_seed_and_hide_their_secrets() -> None:
    one, two, other = (opened(seed)[0].add_key("ann") for seed in (1, 1, 2))
    assert (one.key, one.secret) == (two.key, two.secret)
    assert one.key != other.key
    assert one.secret not in repr(one)


def play(exchange: Exchange, seed: int, steps: int = 300) -> None:
    """Let two accounts do what comes to their minds."""
    chance = random.Random(seed)
    for _ in range(steps):
        account, symbol = chance.choice(["ann", "bob"]), chance.choice(["BTCUSDT", "ETHUSDT"])
        roll = chance.random()
        price, size = f"{chance.randint(95, 105)}", f"{chance.randint(1, 20) / 10}"
        mine = exchange.open_orders(account, symbol)
        if roll < 0.6 or not mine:
            tif = chance.choice(["gtc", "gtc", "gtc", "ioc", "fok"])
            exchange.place(account, request(chance.choice(["buy", "sell"]), price, size, symbol, tif=tif))
        elif roll < 0.75:
            exchange.cancel(account, symbol, order_id=chance.choice(mine).order_id)
        elif roll < 0.95:
            change = {"price": Decimal(price)} if roll < 0.85 else {"quantity": Decimal(size)}
            exchange.amend(account, symbol, order_id=chance.choice(mine).order_id, **change)
        else:
            exchange.cancel_all(account, chance.choice([symbol, None]))
        exchange.advance(exchange.now_ns + chance.randint(0, 10**9))


@pytest.mark.parametrize("seed", range(8))
def test_what_always_holds(seed: int) -> None:
    exchange, events = opened()
    books: dict[str, dict[str, dict[Decimal, Decimal]]] = {one.symbol: {"bid": {}, "ask": {}} for one in LISTINGS}
    play(exchange, seed)
    assert set(exchange.ledger_sums().values()) == {Decimal(0)}
    for event in events:
        if isinstance(event, OrderEvent):
            order = event.order
            ended = order.quantity - order.filled - order.prevented - order.leaves
            assert ended >= 0
            assert ended == 0 or not order.is_open
        elif isinstance(event, DepthEvent):
            for side, price, quantity in event.changes:
                books[event.symbol][side].pop(price, None)
                if quantity:
                    books[event.symbol][side][price] = quantity
    for symbol, sides in books.items():
        book = exchange.book(symbol)
        assert (dict(book.bids), dict(book.offers)) == (sides["bid"], sides["ask"])
        assert not (book.bids and book.offers) or book.bids[0][0] < book.offers[0][0]
        resting: dict[Decimal, Decimal] = {}
        for name in exchange.accounts:
            for record in exchange.open_orders(name, symbol):
                assert record.price is not None
                resting[record.price] = resting.get(record.price, Decimal(0)) + record.leaves
        assert resting == sides["bid"] | sides["ask"]
    for name in exchange.accounts:
        told = [
            event.sequence for event in events if isinstance(event, OrderEvent | BalanceEvent) and event.account == name
        ]
        assert told == list(range(told[0], told[0] + len(told)))
    again = Exchange.replay(exchange.log, LISTINGS)
    again.advance(exchange.now_ns)
    assert again.state_hash() == exchange.state_hash()


def test_statistics_are_those_of_a_day_of_market_time() -> None:
    exchange, _ = opened()
    for price in ("100", "110", "90", "95"):
        placed(exchange, "ann", request("sell", price, "1"))
        placed(exchange, "bob", request("buy", price, "1"))
    day = exchange.statistics("BTCUSDT")
    assert (day.open, day.high, day.low, day.last) == (Decimal(100), Decimal(110), Decimal(90), Decimal(95))
    assert (day.volume, day.quote_volume, day.count) == (Decimal(4), Decimal(395), 4)
    exchange.advance(exchange.now_ns + 24 * 3600 * SECOND)
    assert (exchange.statistics("BTCUSDT").count, exchange.statistics("BTCUSDT").last) == (0, Decimal(95))


def test_the_example_of_the_page_runs(capsys: pytest.CaptureFixture[str]) -> None:
    page = (Path(__file__).parents[3] / "docs" / "exchange.md").read_text(encoding="utf-8")
    code = "".join(block.split("```", 1)[0] for block in page.split("```python\n")[1:])
    exec(compile(code, "docs/exchange.md", "exec"), {})
    told = capsys.readouterr().out
    assert "OrderEvent(account='ann'" in told
    assert "TradeEvent(symbol='BTCUSDT', trade_id=1" in told
