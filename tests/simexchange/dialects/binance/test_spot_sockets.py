"""The spot door over WebSockets: books in sequence, trades, tickers, user data and the WebSocket API."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from quotewright_simexchange.doors import HttpResponse
from tests.simexchange.dialects.binance.support import Wire

if TYPE_CHECKING:
    from tests.simexchange.dialects.binance.world import World


def test_a_book_kept_from_a_snapshot_and_its_changes_is_the_exchanges(world: World) -> None:
    wires = {pace: world.connected(f"/ws/btcusdt@depth{pace}")[1] for pace in ("@100ms", "")}
    for number in range(10):
        world.limit("BUY", f"{39_990 + number}", "0.01", name="other")
        world.limit("SELL", f"{40_010 - number}", "0.01", name="other")
        world.pass_time(0.05)
    snapshot = world.got("/api/v3/depth", "symbol=BTCUSDT&limit=5000")
    for number in range(10):
        world.limit("BUY", "40010", "0.005")
        world.limit("SELL", f"{39_980 - number}", "0.015")
        world.pass_time(0.15)
    world.pass_time(1)
    truth = world.got("/api/v3/depth", "symbol=BTCUSDT&limit=5000")
    counts = {}
    for pace, wire in wires.items():
        book = {"b": dict(snapshot["bids"]), "a": dict(snapshot["asks"])}
        last, before = snapshot["lastUpdateId"], 0
        events = wire.taken()
        counts[pace] = len(events)
        for event in events:
            assert (event["e"], event["s"]) == ("depthUpdate", "BTCUSDT")
            assert event["U"] == before + 1 or not before
            assert event["U"] <= event["u"]
            before = event["u"]
            if event["u"] <= last:
                continue
            assert event["U"] <= last + 1
            last = event["u"]
            for side in ("b", "a"):
                for price, quantity in event[side]:
                    book[side][price] = quantity
        kept = {side: {price: q for price, q in levels.items() if float(q)} for side, levels in book.items()}
        assert last == truth["lastUpdateId"]
        assert kept == {"b": dict(truth["bids"]), "a": dict(truth["asks"])}
    assert counts["@100ms"] > counts[""] > 1


def test_partial_books_trades_and_tickers(world: World) -> None:
    names = [
        "depth5@100ms",
        "trade",
        "aggTrade",
        "bookTicker",
        "miniTicker",
        "ticker",
        "kline_1m",
        "avgPrice",
        "ticker_1h",
    ]
    streams = "/".join(f"btcusdt@{name}" for name in names)
    _, wire = world.connected(
        "/stream", f"streams={streams}/!miniTicker@arr/!miniTicker@arr@3000ms/!ticker@arr/!ticker_4h@arr"
    )
    for number in range(7):
        world.limit("SELL", f"{40_000 + number}", "0.01", name="other")
    world.limit("BUY", "40001", "0.015")
    live = wire.taken()
    assert [event["stream"].partition("@")[2] for event in live].count("trade") == 2
    trades = [event["data"] for event in live if event["stream"].endswith("@trade")]
    assert [(trade["p"], trade["q"], trade["m"]) for trade in trades] == [
        ("40000.00000000", "0.01000000", False),
        ("40001.00000000", "0.00500000", False),
    ]
    assert [event["data"]["p"] for event in live if event["stream"].endswith("@aggTrade")] == [
        "40000.00000000",
        "40001.00000000",
    ]
    best = [event["data"] for event in live if event["stream"].endswith("@bookTicker")]
    assert (best[0]["a"], best[-1]["a"], best[-1]["A"]) == ("40000.00000000", "40001.00000000", "0.00500000")
    assert "e" not in best[0]
    world.pass_time(2)
    paced = {event["stream"]: event["data"] for event in wire.taken()}
    partial = paced["btcusdt@depth5@100ms"]
    assert [price for price, _ in partial["asks"]] == [f"{40_001 + number}.00000000" for number in range(5)]
    assert sorted(partial) == ["asks", "bids", "lastUpdateId"]
    assert paced["btcusdt@miniTicker"]["c"] == "40001.00000000"
    assert (paced["btcusdt@ticker"]["n"], paced["btcusdt@ticker"]["a"]) == (2, "40001.00000000")
    hour = paced["btcusdt@ticker_1h"]
    assert (hour["e"], hour["c"], hour["v"], hour["n"]) == ("1hTicker", "40001.00000000", "0.01500000", 2)
    assert {entry["s"]: entry["e"] for entry in paced["!ticker_4h@arr"]} == dict.fromkeys(
        ("BTCUSDT", "ETHUSDT"), "4hTicker"
    )
    assert {entry["e"] for entry in paced["!ticker@arr"]} == {"24hrTicker"}
    mean = paced["btcusdt@avgPrice"]
    assert (mean["i"], mean["w"], mean["T"]) == ("5m", "40000.33333333", trades[-1]["T"])
    assert paced["btcusdt@kline_1m"]["k"]["v"] == "0.01500000"
    assert {entry["s"] for entry in paced["!miniTicker@arr"]} == {"BTCUSDT", "ETHUSDT"}
    world.pass_time(10)
    assert [event["stream"] for event in wire.taken()] == ["!miniTicker@arr@3000ms"]
    world.pass_time(10)
    assert wire.taken() == []


def test_unknown_streams_are_acknowledged_silent_and_counted(world: World) -> None:
    session, wire = world.connected("/ws")
    frame = {"method": "SUBSCRIBE", "params": ["nope@depth", "btcusdt@nothing"], "id": 1}
    session.heard(json.dumps(frame).encode(), world.now_ns)
    assert wire.last() == {"result": None, "id": 1}
    assert set(world.door.unserved()) == {"stream nope@depth", "stream btcusdt@nothing"}
    refused = world.door.connect("/elsewhere", b"", {}, "127.0.0.1", Wire(), world.now_ns)
    assert isinstance(refused, HttpResponse)
    assert refused.status == 404


@pytest.mark.parametrize("number", ["1", 7, "0123456789abcdef012345", None])
def test_an_order_over_the_websocket_api(world: World, number: object) -> None:
    session, wire = world.connected("/ws-api/v3")
    session.heard(json.dumps({"id": number, "method": "time"}).encode(), world.now_ns)
    assert wire.last()["result"] == {"serverTime": world.now_ns // 1_000_000}
    assert wire.last()["id"] == number
    placed = world.framed(
        session,
        wire,
        "order.place",
        symbol="BTCUSDT",
        side="BUY",
        type="LIMIT",
        timeInForce="GTC",
        price="40000.00",
        quantity="0.01",
        newClientOrderId="sim-1",
        clientOrderId="ignored",
    )
    assert (placed["status"], placed["result"]["status"]) == (200, "NEW")
    assert (placed["rateLimits"][0]["rateLimitType"], placed["rateLimits"][0]["count"]) == ("ORDERS", 1)
    asked = world.framed(session, wire, "order.status", symbol="BTCUSDT", origClientOrderId="sim-1")
    assert asked["result"]["orderId"] == placed["result"]["orderId"]
    assert len(world.framed(session, wire, "openOrders.status")["result"]) == 1
    canceled = world.framed(
        session, wire, "order.cancel", symbol="BTCUSDT", orderId=placed["result"]["orderId"], returnRateLimits=False
    )
    assert canceled["result"]["status"] == "CANCELED"
    assert "rateLimits" not in canceled


# Requests that fail: method, parameters, status, code.
FAILURES: list[tuple[str, dict[str, Any], int, int]] = [
    ("order.place", {"symbol": "BTCUSDT"}, 400, -1102),
    ("order.cancel", {"symbol": "BTCUSDT", "orderId": 9}, 400, -2011),
    ("order.status", {"symbol": "BTCUSDT", "orderId": 9}, 400, -2013),
    ("order.nothing", {}, 400, -1020),
    ("session.logon", {}, 400, -4056),
    ("userDataStream.subscribe", {}, 401, -2015),
    ("userDataStream.unsubscribe", {"subscriptionId": 4}, 400, -1130),
]


@pytest.mark.parametrize(("method", "params", "status", "code"), FAILURES)
def test_failures_over_the_websocket_api(
    world: World, method: str, params: dict[str, Any], status: int, code: int
) -> None:
    session, wire = world.connected("/ws-api/v3")
    answer = world.framed(session, wire, method, **params)
    assert (answer["id"], answer["status"], answer["error"]["code"]) == ("1", status, code)


def test_frames_that_are_no_requests(world: World) -> None:
    session, wire = world.connected("/ws-api/v3")
    for frame, number in (
        (b"{", None),
        (b"[]", None),
        (b'{"id": 3}', 3),
        (b'{"id": "a", "method": "ping", "params": []}', "a"),
        (b'{"id": 1.5, "method": "ping"}', None),
        (b'{"id": "\\ud800", "method": "ping"}', None),
        (b'{"id": 4, "method": "order.place", "params": {"apiKey": "a", "signature": "b", "symbol": "\\ud800"}}', None),
    ):
        session.heard(frame, world.now_ns)
        assert (wire.last()["id"], wire.last()["status"], wire.last()["error"]["code"]) == (number, 400, -1135)


def test_unsigned_and_wrongly_signed_requests(world: World) -> None:
    session, wire = world.connected("/ws-api/v3")
    stamp = world.now_ns // 1_000_000
    for params, status, code in (
        ({}, 400, -1102),
        ({"apiKey": "me-key", "timestamp": stamp, "signature": "00"}, 400, -1022),
        ({"apiKey": "me-key", "timestamp": stamp + 60_000, "signature": "00"}, 400, -1021),
        ({"apiKey": "you-key", "timestamp": stamp, "signature": "00"}, 401, -2015),
    ):
        session.heard(json.dumps({"id": 1, "method": "account.status", "params": params}).encode(), world.now_ns)
        assert (wire.last()["status"], wire.last()["error"]["code"]) == (status, code)


def test_user_data_of_one_account_until_it_is_ended(world: World) -> None:
    session, wire = world.connected("/ws-api/v3")
    assert world.framed(session, wire, "userDataStream.subscribe.signature")["result"] == {"subscriptionId": 0}
    assert world.framed(session, wire, "userDataStream.subscribe.signature")["error"]["code"] == -2010
    assert world.framed(session, wire, "session.subscriptions")["result"] == [{"subscriptionId": 0}]
    wire.taken()
    world.limit("BUY", "40000", "0.01", more="&newClientOrderId=mine")
    world.limit("SELL", "40000", "0.004", name="other")
    world.sent("DELETE", "/api/v3/order", "symbol=BTCUSDT&origClientOrderId=mine&newClientOrderId=bye")
    frames = wire.taken()
    assert {frame["subscriptionId"] for frame in frames} == {0}
    events = [frame["event"] for frame in frames]
    reports = [event for event in events if event["e"] == "executionReport"]
    assert [(event["x"], event["X"], event["c"], event["C"]) for event in reports] == [
        ("NEW", "NEW", "mine", ""),
        ("TRADE", "PARTIALLY_FILLED", "mine", ""),
        ("CANCELED", "CANCELED", "bye", "mine"),
    ]
    trade = reports[1]
    assert (trade["l"], trade["L"], trade["z"], trade["n"], trade["N"], trade["m"]) == (
        "0.00400000",
        "40000.00000000",
        "0.00400000",
        "0.00000400",
        "BTC",
        True,
    )
    assert "outboundAccountPosition" in {event["e"] for event in events}
    world.exchange.deposit("me", "USDT", Decimal(5))
    assert [frame["event"]["e"] for frame in wire.taken()] == ["balanceUpdate", "outboundAccountPosition"]
    assert world.framed(session, wire, "userDataStream.unsubscribe", subscriptionId=0)["result"] == {}
    wire.taken()
    world.limit("BUY", "40000", "0.01")
    assert wire.taken() == []


def test_one_order_more_than_allowed_over_the_websocket_api(world: World) -> None:
    session, wire = world.connected("/ws-api/v3")
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
    for _ in range(100):
        answer = world.framed(session, wire, "order.place", **order, price="40000", quantity="0.001")
        assert answer["status"] == 200
    refused = world.framed(session, wire, "order.place", **order, price="40000", quantity="0.001")
    assert (refused["status"], refused["error"]["code"]) == (429, -1015)
    retry_ms = refused["error"]["data"]["retryAfter"]
    world.pass_time((retry_ms * 1_000_000 - world.now_ns) / 1_000_000_000)
    again = world.framed(session, wire, "order.place", **order, price="40000", quantity="0.001")
    assert again["status"] == 200
