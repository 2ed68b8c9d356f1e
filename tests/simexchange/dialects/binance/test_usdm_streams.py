"""Streams of USD-M futures on root and split paths, private events by listen key, the WebSocket API."""

from __future__ import annotations

import json
from typing import Any

import pytest

from quotewright.model.cards import load_card
from quotewright_simexchange.dialects.binance.auth import frame_text, sign
from quotewright_simexchange.dialects.binance.dialect import BinanceDialect
from quotewright_simexchange.doors import HttpResponse
from quotewright_simexchange.exchange.records import LiquidationEvent
from tests.simexchange.dialects.binance.handmade import PERP, D
from tests.simexchange.dialects.binance.support import Wire
from tests.simexchange.dialects.binance.usdm_client import CARD, KEY, SECRET, Client

HOUR_NS = 3_600_000_000_000


@pytest.fixture
def client() -> Client:
    return Client()


def _subscribe(client: Client, path: str, *names: str) -> Wire:
    session, wire = client.connect(path)
    session.heard(json.dumps({"method": "SUBSCRIBE", "params": names, "id": "1"}).encode(), client.now_ns)
    assert wire.taken() == [{"result": None, "id": "1"}]
    return wire


@pytest.mark.parametrize(
    ("path", "query", "is_combined"),
    [
        ("/ws/btcusdt@depth@100ms", "", False),
        ("/public/ws/btcusdt@depth@100ms", "", False),
        ("/stream", "streams=btcusdt@depth@100ms", True),
        ("/public/stream", "streams=btcusdt@depth@100ms", True),
    ],
)
def test_a_book_is_told_on_every_address(client: Client, path: str, query: str, is_combined: bool) -> None:
    _, wire = client.connect(path, query)
    client.exchange.change("bid", "40000", "1")
    client.exchange.change("bid", "40000", "2")
    client.advance(100)
    (frame,) = wire.taken()
    assert ("stream" in frame) == is_combined
    data = frame["data"] if is_combined else frame
    assert (data["U"], data["u"], data["pu"], data["b"], data["a"]) == (11, 12, 10, [["40000.00", "2.000"]], [])


def test_each_pace_batches_the_same_ids(client: Client) -> None:
    wires = {
        pace: _subscribe(client, "/public/ws/0", f"btcusdt@depth{pace}") for pace in ("@100ms", "", "@500ms", "@0ms")
    }
    for step in range(5):
        client.exchange.change("ask", "40001", str(step + 1))
        client.advance(100)
    counts = {}
    for pace, wire in wires.items():
        frames = wire.taken()
        counts[pace] = len(frames)
        assert frames[-1]["u"] == 15
        assert [frame["pu"] for frame in frames] == [10, *(frame["u"] for frame in frames[:-1])]
    assert counts == {"@100ms": 5, "": 2, "@500ms": 1, "@0ms": 5}


def test_the_best_levels_are_sent_whole(client: Client) -> None:
    for place in range(7):
        client.exchange.change("bid", str(40_000 - place), "1")
    wire = _subscribe(client, "/ws", "btcusdt@depth5@100ms")
    client.exchange.change("bid", "39999", "3")
    client.advance(100)
    (frame,) = wire.taken()
    assert [level[0] for level in frame["b"]] == ["40000.00", "39999.00", "39998.00", "39997.00", "39996.00"]


@pytest.mark.parametrize(
    ("category", "expected"),
    [("", {"depthUpdate", "trade", "aggTrade", "bookTicker", "markPriceUpdate", "24hrMiniTicker", "kline"}),
     ("/public", {"depthUpdate", "trade", "bookTicker"}),
     ("/market", {"aggTrade", "markPriceUpdate", "24hrMiniTicker", "kline"}),
     ("/private", set())],
)  # fmt: skip
def test_a_stream_of_another_category_is_acknowledged_and_silent(
    client: Client, category: str, expected: set[str]
) -> None:
    names = ("depth", "trade", "aggTrade", "bookTicker", "markPrice@1s", "miniTicker", "kline_1m")
    wire = _subscribe(client, f"{category}/ws/7", *(f"btcusdt@{name}" for name in names), "dogeusdt@trade")
    client.exchange.match("40000", "0.1", "sell")
    client.exchange.change("bid", "40000", "1")
    client.advance(1000)
    assert {frame["e"] for frame in wire.taken()} == expected


def test_marks_and_tickers_have_their_fields(client: Client) -> None:
    wire = _subscribe(client, "/market/ws", "btcusdt@markPrice", "!markPrice@arr@1s", "btcusdt@ticker", "btcusdt@trade")
    client.exchange.match("40000", "0.1", "sell")
    client.advance(3000)
    frames = wire.taken()
    single = [frame for frame in frames if isinstance(frame, dict) and frame["e"] == "markPriceUpdate"]
    assert [(frame["p"], frame["i"], frame["r"]) for frame in single] == [
        ("40000.00000000", "40001.00000000", "0.00010000")
    ]
    assert sum(isinstance(frame, list) for frame in frames) == 3
    (day,) = (frame for frame in frames if isinstance(frame, dict) and frame["e"] == "24hrTicker")
    assert (day["c"], day["n"], day["L"]) == ("40000.00", 1, 1)


def test_a_liquidation_is_told_once_a_second(client: Client) -> None:
    wire = _subscribe(client, "/market/ws", "btcusdt@forceOrder")
    for quantity in ("1", "2"):
        client.exchange.tell(
            LiquidationEvent(
                account="bob",
                symbol=PERP.symbol,
                side="sell",
                quantity=D(quantity),
                price=D(39_000),
                event_ns=client.exchange.now_ns,
            )
        )
    client.advance(1000)
    (frame,) = wire.taken()
    assert (frame["o"]["S"], frame["o"]["q"]) == ("SELL", "2.000")


def test_nothing_is_sent_after_unsubscribing_or_closing(client: Client) -> None:
    session, wire = client.connect("/ws/btcusdt@depth@100ms/btcusdt@markPrice@1s/btcusdt@kline_1m")
    client.exchange.change("bid", "40000", "1")
    client.exchange.match("40000", "1")
    session.closed()
    client.advance(2000)
    assert wire.taken() == []


def _key(client: Client) -> str:
    return str(client.ask("POST", "v1/listenKey", signed=False)["listenKey"])


def _private(client: Client, way: str, key: str) -> Wire:
    if way == "url":
        return client.connect("/private/ws", f"listenKey={key}")[1]
    if way == "path":
        return client.connect(f"/ws/{key}")[1]
    return _subscribe(client, "/private/ws/0", key)


@pytest.mark.parametrize("way", ["url", "path", "subscribe"])
def test_own_orders_are_told_by_listen_key(client: Client, way: str) -> None:
    wire = _private(client, way, _key(client))
    client.ask("POST", "v1/order", **client.limit(newClientOrderId="mine", timeInForce="GTX"))
    client.exchange.fill(1, "0.01", "40000")
    new, light, trade, account = wire.taken()
    assert [new["e"], light["e"], trade["e"], account["e"]] == [
        "ORDER_TRADE_UPDATE",
        "TRADE_LITE",
        "ORDER_TRADE_UPDATE",
        "ACCOUNT_UPDATE",
    ]
    assert (new["o"]["x"], new["o"]["X"], new["o"]["f"], new["o"]["c"]) == ("NEW", "NEW", "GTX", "mine")
    told = trade["o"]
    assert (told["x"], told["X"], told["l"], told["L"], told["z"]) == ("TRADE", "FILLED", "0.010", "40000.00", "0.010")
    assert (told["n"], told["N"], told["m"], told["t"]) == ("0.08000000", "USDT", True, 1)
    assert account["a"]["m"] == "ORDER"
    assert account["a"]["B"] == [{"a": "USDT", "wb": "999.92000000", "cw": "999.92000000", "bc": "0.00000000"}]
    assert (account["a"]["P"][0]["s"], account["a"]["P"][0]["pa"]) == ("BTCUSDT", "0.010")


def test_only_the_wanted_events_come(client: Client) -> None:
    _, wire = client.connect("/private/stream", f"listenKey={_key(client)}&events=ACCOUNT_UPDATE/TRADE_LITE")
    client.ask("POST", "v1/order", **client.limit())
    client.exchange.fill(1, "0.004", "40000")
    assert [frame["data"]["e"] for frame in wire.taken()] == ["TRADE_LITE", "ACCOUNT_UPDATE"]


def test_a_conditional_order_is_told_on_the_algo_side_first(client: Client) -> None:
    wire = _private(client, "url", _key(client))
    stop = {"algoType": "CONDITIONAL", "symbol": "BTCUSDT", "side": "SELL", "type": "STOP", "clientAlgoId": "a1"}
    client.ask("POST", "v1/algoOrder", **stop, quantity="0.01", triggerPrice="39000", price="38990")
    client.exchange.trigger(1)
    client.ask("DELETE", "v1/order", symbol="BTCUSDT", orderId=1)
    told = [(frame["e"], frame["o"]["X"], frame["o"]["o"]) for frame in wire.taken()]
    assert told == [
        ("ALGO_UPDATE", "NEW", "STOP"),
        ("ALGO_UPDATE", "TRIGGERED", "STOP"),
        ("ORDER_TRADE_UPDATE", "NEW", "LIMIT"),
        ("ALGO_UPDATE", "FINISHED", "STOP"),
        ("ORDER_TRADE_UPDATE", "CANCELED", "LIMIT"),
    ]


def test_a_listen_key_ends_an_hour_after_it_was_last_kept(client: Client) -> None:
    key = _key(client)
    assert _key(client) == key
    session, wire = client.connect("/private/ws", f"listenKey={key}")
    client.now_ns += HOUR_NS - 1
    assert client.ask("PUT", "v1/listenKey", signed=False) == {"listenKey": key}
    client.now_ns += HOUR_NS
    assert session.deadline_ns <= client.now_ns
    session.tick(client.now_ns)
    assert [frame["e"] for frame in wire.taken()] == ["listenKeyExpired"]
    assert client.fail("PUT", "v1/listenKey", signed=False)[1] == -1125
    assert _key(client) != key
    assert client.ask("DELETE", "v1/listenKey", signed=False) == {}
    assert client.fail("DELETE", "v1/listenKey", signed=False)[1] == -1125


def _request(client: Client, method: str, **params: Any) -> Any:
    session, wire = client.connect("/ws-fapi/v1", "returnRateLimits=false")
    params = {**params, "apiKey": KEY, "timestamp": client.now_ns // 1_000_000}
    text = frame_text({name: str(value) for name, value in params.items()})
    params["signature"] = sign(SECRET, text)
    session.heard(json.dumps({"id": "a1", "method": method, "params": params}).encode(), client.now_ns)
    answer = wire.last()
    assert answer.pop("id") == "a1"
    return answer


def test_orders_over_the_websocket_api(client: Client) -> None:
    placed = _request(client, "order.place", **client.limit(), clientOrderId="ignored")
    assert (placed["status"], placed["result"]["orderId"], placed["result"]["status"]) == (200, 1, "NEW")
    ids = {"symbol": "BTCUSDT", "orderId": 1}
    assert _request(client, "order.status", **ids)["result"]["price"] == "40000.00"
    modified = _request(client, "order.modify", **ids, side="BUY", quantity="0.02", price="39000")
    assert modified["result"]["price"] == "39000.00"
    assert _request(client, "order.cancel", **ids)["result"]["status"] == "CANCELED"
    assert _request(client, "order.cancel", **ids) == {
        "status": 400,
        "error": {"code": -2011, "msg": "Unknown order sent."},
    }


@pytest.mark.parametrize(
    "method",
    ["account.balance", "v2/account.balance", "account.status", "v2/account.status", "account.position",
     "v2/account.position", "userDataStream.start", "userDataStream.ping", "userDataStream.stop"],
)  # fmt: skip
def test_accounts_over_the_websocket_api_are_those_of_rest(client: Client, method: str) -> None:
    _key(client)
    assert _request(client, method)["status"] == 200


def test_a_method_of_spot_is_not_served(client: Client) -> None:
    answer = _request(client, "userDataStream.subscribe.signature")
    assert answer["error"]["code"] == -1020
    assert client.door.unserved() == {"WS userDataStream.subscribe.signature": 1}


def test_the_dialect_has_a_door_for_each_product(client: Client) -> None:
    cards = {path.stem: load_card(path) for path in (CARD, CARD.with_name("binance-spot.toml"))}
    doors = BinanceDialect(client.exchange, cards).doors()  # type: ignore[arg-type]
    assert {name: door.addresses("http://h", "ws://h")["rest"] for name, door in doors.items()} == {
        "binance-spot": "http://h",
        "binance-usdm": "http://h",
    }
    assert doors["binance-usdm"].addresses("http://h", "ws://h")["ws_api"] == "ws://h/ws-fapi/v1"


def test_an_address_that_is_no_stream_is_refused(client: Client) -> None:
    answer = client.door.connect("/nothing", b"", {}, "127.0.0.1", Wire(), client.now_ns)
    assert isinstance(answer, HttpResponse)
    assert answer.status == 404
    assert client.door.unserved() == {"WS /nothing": 1}
