"""What Binance's protocol has of endpoints, methods and streams, each served or answered as not served."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from quotewright_simexchange.dialects.binance.frames import FrameSession
from quotewright_simexchange.doors import HttpRequest
from tests.simexchange.dialects.binance.support import Wire
from tests.simexchange.dialects.binance.usdm_client import Client
from tests.simexchange.dialects.binance.world import World

SPOT = """
GET    ping time exchangeInfo depth trades historicalTrades aggTrades klines uiKlines avgPrice
GET    ticker ticker/24hr ticker/tradingDay ticker/price ticker/bookTicker
POST   order order/test order/cancelReplace order/oco orderList/oco orderList/oto orderList/otoco userDataStream
GET    order openOrders allOrders myTrades account account/commission rateLimit/order
GET    orderList openOrderList allOrderList myPreventedMatches myAllocations order/amendments
PUT    order/amend/keepPriority userDataStream
DELETE order openOrders orderList userDataStream
"""
SPOT_NOT = """
POST   orderList/opo orderList/opoco sor/order sor/order/test
GET    executionRules
"""
USDM = """
GET    v1/ping v1/time v1/exchangeInfo v1/depth v1/trades v1/historicalTrades v1/aggTrades v1/klines v1/continuousKlines
GET    v1/indexPriceKlines v1/markPriceKlines v1/premiumIndexKlines v1/premiumIndex v1/fundingRate v1/fundingInfo
GET    v1/ticker/24hr v1/ticker/price v2/ticker/price v1/ticker/bookTicker v1/openInterest
GET    v1/order v1/openOrder v1/openOrders v1/allOrders v1/userTrades v1/orderAmendment v1/forceOrders v1/income
GET    v2/account v3/account v2/balance v3/balance v2/positionRisk v3/positionRisk v1/leverageBracket
GET    v1/commissionRate v1/positionSide/dual v1/multiAssetsMargin v1/accountConfig v1/symbolConfig v1/feeBurn
GET    v1/apiTradingStatus v1/adlQuantile v1/rateLimit/order v1/algoOrder v1/openAlgoOrders v1/allAlgoOrders
GET    v1/positionMargin/history
POST   v1/order v1/order/test v1/batchOrders v1/countdownCancelAll v1/algoOrder v1/leverage v1/marginType
POST   v1/positionSide/dual v1/multiAssetsMargin v1/feeBurn v1/positionMargin v1/listenKey
PUT    v1/order v1/batchOrders v1/listenKey
DELETE v1/order v1/allOpenOrders v1/batchOrders v1/algoOrder v1/algoOpenOrders v1/listenKey
"""
USDM_NOT = """
GET    v1/constituents v1/indexInfo v1/assetIndex v1/insuranceBalance v1/pmAccountInfo v1/convert/exchangeInfo
"""
SPOT_METHODS = """
ping time exchangeInfo depth trades.recent trades.historical trades.aggregate klines uiKlines avgPrice ticker
ticker.24hr ticker.tradingDay ticker.price ticker.book order.place order.test order.cancel order.cancelReplace
order.amend.keepPriority order.status openOrders.status openOrders.cancelAll allOrders myTrades account.status
account.commission account.rateLimits.orders myPreventedMatches orderList.place orderList.place.oco orderList.place.oto
orderList.place.otoco orderList.status orderList.cancel openOrderLists.status allOrderLists myAllocations
order.amendments session.logon session.status session.logout session.subscriptions userDataStream.subscribe
userDataStream.subscribe.signature userDataStream.unsubscribe userDataStream.start userDataStream.ping
userDataStream.stop
"""
USDM_METHODS = """
ping time depth ticker.price ticker.book order.place order.test order.modify order.cancel order.status algoOrder.place
algoOrder.cancel account.status account.balance account.position v2/account.status v2/account.balance
v2/account.position userDataStream.start userDataStream.ping userDataStream.stop session.logon session.status
session.logout
"""
SPOT_STREAMS = """
btcusdt@trade btcusdt@aggTrade btcusdt@bookTicker btcusdt@depth btcusdt@depth@100ms btcusdt@depth5 btcusdt@depth10
btcusdt@depth20 btcusdt@depth5@100ms btcusdt@depth20@100ms btcusdt@miniTicker btcusdt@ticker btcusdt@kline_1m
btcusdt@kline_1s btcusdt@avgPrice !miniTicker@arr !ticker@arr !ticker_1h@arr
"""
SPOT_STREAMS_NOT = "btcusdt@blockTrade !bookTicker"
USDM_STREAMS = """
btcusdt@trade btcusdt@aggTrade btcusdt@bookTicker !bookTicker btcusdt@depth btcusdt@depth@100ms btcusdt@depth@500ms
btcusdt@depth@0ms btcusdt@depth5 btcusdt@depth10@100ms btcusdt@depth20@500ms btcusdt@rpiDepth@500ms btcusdt@markPrice
btcusdt@markPrice@1s !markPrice@arr !markPrice@arr@1s btcusdt@forceOrder !forceOrder@arr btcusdt@miniTicker
btcusdt@ticker !miniTicker@arr !ticker@arr btcusdt@kline_1m btcusdt_perpetual@continuousKline_1m
"""
USDM_STREAMS_NOT = "!contractInfo !assetIndex@arr btcusdt@compositeIndex"


def endpoints(table: str, root: str) -> list[tuple[str, str]]:
    rows = [line.split() for line in table.strip().splitlines()]
    return [(row[0], f"{root}/{path}") for row in rows for path in row[1:]]


def asked(door: Any, verb: str, path: str, now_ns: int) -> tuple[int, Mapping[str, Any]]:
    answer = door.http(HttpRequest(verb, path, b"symbol=BTCUSDT", b"", {}), now_ns)
    body = json.loads(answer.body)
    return answer.status, body if isinstance(body, dict) else {}


@pytest.mark.parametrize(("verb", "path"), endpoints(SPOT, "/api/v3"))
def test_spot_serves(world: World, verb: str, path: str) -> None:
    assert asked(world.door, verb, path, world.now_ns)[0] != 404
    assert world.door.unserved() == {}


@pytest.mark.parametrize(("verb", "path"), endpoints(SPOT_NOT, "/api/v3"))
def test_spot_says_that_it_does_not_serve(world: World, verb: str, path: str) -> None:
    status, body = asked(world.door, verb, path, world.now_ns)
    assert (status, body["code"]) == (404, -5000)
    assert world.door.unserved() == {f"{verb} {path}": 1}


@pytest.mark.parametrize(("verb", "path"), endpoints(USDM, "/fapi"))
def test_futures_serve(verb: str, path: str) -> None:
    client = Client()
    assert asked(client.door, verb, path, client.now_ns)[0] != 404
    assert client.door.unserved() == {}


@pytest.mark.parametrize(("verb", "path"), endpoints(USDM_NOT, "/fapi"))
def test_futures_say_that_they_do_not_serve(verb: str, path: str) -> None:
    client = Client()
    status, body = asked(client.door, verb, path, client.now_ns)
    assert (status, body["code"]) == (404, -5000)
    assert client.door.unserved() == {f"{verb} {path}": 1}


def called(session: Any, wire: Wire, method: str, now_ns: int) -> Any:
    assert isinstance(session, FrameSession)
    session.heard(json.dumps({"id": 1, "method": method, "params": {"symbol": "BTCUSDT"}}).encode(), now_ns)
    return wire.last()


def test_the_websocket_api_of_spot_has_every_method(world: World) -> None:
    session, wire = world.connected("/ws-api/v3")
    for method in SPOT_METHODS.split():
        assert called(session, wire, method, world.now_ns).get("error", {}).get("code") != -1020, method
    assert world.door.unserved() == {}
    assert called(session, wire, "sor.order.place", world.now_ns)["error"]["code"] == -1020
    assert world.door.unserved() == {"WS sor.order.place": 1}


def test_the_websocket_api_of_futures_has_every_method() -> None:
    client = Client()
    session, wire = client.connect("/ws-fapi/v1")
    for method in USDM_METHODS.split():
        assert called(session, wire, method, client.now_ns).get("error", {}).get("code") != -1020, method
    assert client.door.unserved() == {}


def test_streams_of_spot(world: World) -> None:
    world.connected("/stream", f"streams={'/'.join(SPOT_STREAMS.split())}")
    assert world.door.unserved() == {}
    world.connected("/stream", f"streams={'/'.join(SPOT_STREAMS_NOT.split())}")
    assert world.door.unserved() == {f"stream {name}": 1 for name in SPOT_STREAMS_NOT.split()}


def test_streams_of_futures() -> None:
    client = Client()
    client.connect("/stream", f"streams={'/'.join(USDM_STREAMS.split())}")
    assert client.door.unserved() == {}
    client.connect("/stream", f"streams={'/'.join(USDM_STREAMS_NOT.split())}")
    assert client.door.unserved() == {f"stream {name}": 1 for name in USDM_STREAMS_NOT.split()}
