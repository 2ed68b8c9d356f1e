"""The futures door on the exchange itself: books that are kept equal its book, and both sides of a trade are told."""

from __future__ import annotations

import random
from decimal import Decimal

import attrs
import pytest

from quotewright.model.cards import load_card
from quotewright_simexchange.dialects.binance.usdm_door import UsdmDoor
from quotewright_simexchange.exchange.exchange import Exchange
from quotewright_simexchange.exchange.records import OrderRequest
from tests.simexchange.dialects.binance.handmade import PERP, START_NS
from tests.simexchange.dialects.binance.usdm_client import CARD, KEY, SECRET, Client

LINEAR = attrs.evolve(
    PERP, settings={**PERP.settings, "kind": "linear", "base": "BTC", "quote": "USDT", "fee_scale": 8}
)


@pytest.fixture
def client() -> Client:
    client = Client()
    exchange = Exchange([LINEAR], start_ns=START_NS)
    for name in ("alice", "bob"):
        exchange.open_account(name, {"USDT": Decimal(1_000_000)})
    exchange.add_key("alice", KEY, SECRET)
    client.exchange = exchange  # type: ignore[assignment]
    client.door = UsdmDoor(exchange, load_card(CARD))
    return client


def _place(client: Client, side: str, price: str, quantity: str) -> None:
    done = client.exchange.place(
        "bob",
        OrderRequest(
            symbol=LINEAR.symbol,
            side="buy" if side == "BUY" else "sell",
            quantity=Decimal(quantity),
            price=Decimal(price),
        ),
    )
    assert not hasattr(done, "text"), done


def test_a_kept_book_equals_the_exchange_s(client: Client) -> None:
    _, wire = client.connect("/public/stream", "streams=btcusdt@depth@100ms")
    chance = random.Random(5)
    book: dict[str, dict[Decimal, Decimal]] = {"b": {}, "a": {}}
    last = 0
    for step in range(60):
        for _ in range(3):
            away = chance.randint(0, 9)
            price = 40_000 - away if chance.random() < 0.5 else 40_001 + away
            _place(client, "BUY" if price <= 40_000 else "SELL", str(price), f"0.{chance.randint(1, 999):03}")
            if chance.random() < 0.4:
                _place(client, *(("BUY", "40005") if chance.random() < 0.5 else ("SELL", "39996")), "0.5")
        if step == 20:
            snapshot = client.ask("GET", "v1/depth", symbol="BTCUSDT", limit=1000, signed=False)
            last = snapshot["lastUpdateId"]
            book = {
                side: {Decimal(price): Decimal(size) for price, size in snapshot[name]}
                for side, name in (("b", "bids"), ("a", "asks"))
            }
            first = True
        client.advance(100)
        for frame in wire.taken():
            data = frame["data"]
            if step < 20 or data["u"] < last:
                continue
            assert data["U"] <= last <= data["u"] if first else data["pu"] == last
            first, last = False, data["u"]
            for side, levels in book.items():
                for price, size in data[side]:
                    levels.pop(Decimal(price), None)
                    if Decimal(size):
                        levels[Decimal(price)] = Decimal(size)
    truth = client.exchange.book(LINEAR.symbol)
    assert last == truth.sequence > 60
    assert sorted(book["b"].items(), reverse=True) == list(truth.bids)
    assert sorted(book["a"].items()) == list(truth.offers)


def test_a_trade_is_told_in_answer_stream_and_history(client: Client) -> None:
    key = client.ask("POST", "v1/listenKey", signed=False)["listenKey"]
    _, own = client.connect("/private/ws", f"listenKey={key}")
    _, market = client.connect("/ws/btcusdt@trade/btcusdt@aggTrade/btcusdt_perpetual@continuousKline_1m")
    _place(client, "SELL", "40000", "0.01")
    placed = client.ask(
        "POST",
        "v1/order",
        **client.limit(type="MARKET", price=None, timeInForce=None, quantity="0.004", newOrderRespType="RESULT"),
    )
    assert (placed["status"], placed["avgPrice"], placed["executedQty"]) == ("FILLED", "40000.00000", "0.004")
    client.advance(100)
    client.advance(250)
    trades = {frame["e"]: frame for frame in market.taken()}
    candle = trades["continuous_kline"]
    assert (candle["ps"], candle["ct"], candle["k"]["v"], "s" in candle["k"]) == (
        "BTCUSDT",
        "PERPETUAL",
        "0.004",
        False,
    )
    assert (trades["trade"]["q"], trades["aggTrade"]["q"], trades["trade"]["m"]) == ("0.004", "0.004", False)
    events = own.taken()
    (account,) = [frame["a"] for frame in events if frame["e"] == "ACCOUNT_UPDATE"]
    assert ([entry["a"] for entry in account["B"]], [entry["pa"] for entry in account["P"]]) == (["USDT"], ["0.004"])
    told = [frame for frame in events if frame["e"] == "ORDER_TRADE_UPDATE"]
    assert [(frame["o"]["x"], frame["o"]["X"]) for frame in told] == [("NEW", "NEW"), ("TRADE", "FILLED")]
    (fill,) = client.ask("GET", "v1/userTrades", symbol="BTCUSDT")
    assert (fill["orderId"], fill["qty"], fill["maker"]) == (placed["orderId"], "0.004", False)
    assert set(client.exchange.ledger_sums().values()) <= {Decimal(0)}  # type: ignore[attr-defined]


def test_orders_are_amended_and_canceled_on_silence(client: Client) -> None:
    client.ask("POST", "v1/order", **client.limit(newClientOrderId="one"))
    assert client.fail("POST", "v1/order", **client.limit(newClientOrderId="one"))[1] == -4116
    assert client.fail("POST", "v1/order", **client.limit(price="40000.05"))[1] == -4014
    assert client.fail("POST", "v1/order", **client.limit(quantity="0.001", price="4000"))[1] == -4164
    changed = client.ask(
        "PUT", "v1/order", symbol="BTCUSDT", side="BUY", origClientOrderId="one", quantity="0.02", price="39000"
    )
    assert (changed["origQty"], changed["price"]) == ("0.020", "39000.00")
    _place(client, "SELL", "40000", "0.01")
    assert client.fail("POST", "v1/order", **client.limit(timeInForce="GTX"))[1] == -5022
    assert client.fail("POST", "v1/order", **client.limit(timeInForce="FOK", quantity="1"))[1] == -5021
    client.ask("POST", "v1/countdownCancelAll", symbol="BTCUSDT", countdownTime=300)
    client.advance(299)
    assert len(client.ask("GET", "v1/openOrders", symbol="BTCUSDT")) == 1
    client.advance(1)
    assert client.ask("GET", "v1/openOrders", symbol="BTCUSDT") == []


def test_self_trades_change_no_position_and_the_wallet_is_told_all_the_same(client: Client) -> None:
    key = client.ask("POST", "v1/listenKey", signed=False)["listenKey"]
    _, own = client.connect("/private/ws", f"listenKey={key}")
    free = {"selfTradePreventionMode": "NONE", "price": "40000", "quantity": "0.004"}
    for side in ("SELL", "BUY"):
        client.ask("POST", "v1/order", **client.limit(side=side, **free))
    (account,) = [frame["a"] for frame in own.taken() if frame["e"] == "ACCOUNT_UPDATE"]
    assert ([entry["a"] for entry in account["B"]], account["P"]) == (["USDT"], [])


def test_streams_that_are_not_served_are_counted(client: Client) -> None:
    client.connect("/ws/btcusdt@nothing/nope@depth/!assetIndex@arr/btcusdt@rpiDepth@500ms/!bookTicker")
    assert set(client.door.unserved()) == {"stream btcusdt@nothing", "stream nope@depth", "stream !assetIndex@arr"}


def test_what_was_changed_on_an_order_is_told_newest_first(client: Client) -> None:
    placed = client.ask("POST", "v1/order", **client.limit(side="BUY", price="39000", quantity="0.004"))
    for price in ("39001", "39002"):
        client.ask(
            "PUT", "v1/order", symbol="BTCUSDT", orderId=placed["orderId"], side="BUY", price=price, quantity="0.005"
        )
    rows = client.ask("GET", "v1/orderAmendment", symbol="BTCUSDT", orderId=placed["orderId"])
    assert [row["amendment"]["price"]["after"] for row in rows] == ["39002.00", "39001.00"]
    assert [row["amendment"]["origQty"]["before"] for row in rows] == ["0.005", "0.004"]
    assert client.ask("GET", "v1/orderAmendment", symbol="BTCUSDT", orderId=999) == []
    assert client.ask("GET", "v1/forceOrders") == []
    assert client.ask("GET", "v1/adlQuantile")[0]["symbol"] == "BTCUSDT"
    assert client.ask("GET", "v1/feeBurn") == {"feeBurn": False}
    assert client.fail("POST", "v1/feeBurn", feeBurn="true")[1] == -1020
    assert client.ask("GET", "v1/apiTradingStatus")["indicators"] == {}
