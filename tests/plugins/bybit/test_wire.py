"""Bybit's words on the wire: addresses, subscriptions, answers, keep-alive, pages, limits and errors."""

from __future__ import annotations

import json

import pytest

from quotewright.errors import ConfigError, InputError
from quotewright.feed import Stream
from quotewright.live.settings import LiveSettings
from quotewright.wire import Acknowledged, Pong, Refused, Request, Told
from quotewright_plugins.exchanges.bybit.adapter import BybitAdapter
from quotewright_plugins.exchanges.bybit.frames import SYMBOLS, BybitSession, session_lines
from quotewright_plugins.exchanges.bybit.wire import BybitWire
from tests.plugins.bybit.support import MARKETS

SECOND = 1_000_000_000
BOOK = Stream("orderbook.50.BTCUSDT", "BTCUSDT", "book", "linear")


@pytest.mark.parametrize("market", MARKETS)
def test_each_market_has_its_path(market):
    wire = BybitWire(market)
    assert wire.address("", [BOOK]) == f"wss://stream.bybit.com/v5/public/{market}"
    assert wire.instrument_requests()[0].url.startswith(
        f"https://api.bybit.com/v5/market/instruments-info?category={market}"
    )


ENVIRONMENTS = {
    "testnet": ("wss://stream-testnet.bybit.com", "https://api-testnet.bybit.com"),
    "demo": ("wss://stream.bybit.com", "https://api-demo.bybit.com"),
}


@pytest.mark.parametrize(("environment", "hosts"), ENVIRONMENTS.items(), ids=ENVIRONMENTS)
def test_each_environment_has_its_hosts(environment, hosts):
    wire = BybitWire("spot", LiveSettings(environment=environment))
    assert (wire.websocket, wire.rest) == hosts


def test_hosts_can_be_given_and_an_unknown_environment_is_refused():
    wire = BybitWire("spot", LiveSettings(websocket="ws://127.0.0.1:9/", rest="http://127.0.0.1:8"))
    assert wire.address("spot", []) == "ws://127.0.0.1:9/v5/public/spot"
    assert wire.time_request() == Request("http://127.0.0.1:8/v5/market/time")
    with pytest.raises(ConfigError, match="environment should be one of production, testnet, demo"):
        BybitWire("spot", LiveSettings(environment="staging"))


STREAMS = {
    "spot": ["orderbook.50.BTCUSDT", "orderbook.1.BTCUSDT", "publicTrade.BTCUSDT", "tickers.BTCUSDT"],
    "linear": [
        "orderbook.50.BTCUSDT",
        "orderbook.1.BTCUSDT",
        "publicTrade.BTCUSDT",
        "tickers.BTCUSDT",
        "allLiquidation.BTCUSDT",
    ],
    "option": [
        "orderbook.25.BTC-26MAR27-70000-P-USDT",
        "publicTrade.BTC",
        "tickers.BTC-26MAR27-70000-P-USDT",
    ],
}


@pytest.mark.parametrize(("market", "streams"), STREAMS.items(), ids=STREAMS)
def test_streams_follow_the_symbols_books_first(market, streams):
    adapter = BybitAdapter(market)
    adapter.subscribe([SYMBOLS[market]])
    assert [stream.name for stream in adapter.streams()] == streams
    assert {stream.category for stream in adapter.streams()} == {market}


def test_streams_keep_to_the_channels_and_the_depth_asked_for():
    adapter = BybitAdapter("linear", 200, LiveSettings(channels=("book", "liquidations")))
    adapter.subscribe(["BTCUSDT", "ETHUSDT"])
    assert [stream.name for stream in adapter.streams()] == [
        "orderbook.200.BTCUSDT",
        "orderbook.200.ETHUSDT",
        "allLiquidation.BTCUSDT",
        "allLiquidation.ETHUSDT",
    ]


def test_two_options_of_a_coin_share_its_stream_of_trades():
    adapter = BybitAdapter("option")
    adapter.subscribe(["BTC-26MAR27-70000-P-USDT", "BTC-26MAR27-70000-C-USDT", "ETH-26MAR27-3000-C"])
    trades = [stream for stream in adapter.streams() if stream.channel == "trades"]
    assert [(stream.name, stream.symbol) for stream in trades] == [("publicTrade.BTC", ""), ("publicTrade.ETH", "")]


@pytest.mark.parametrize("op", ["subscribe", "unsubscribe"])
def test_a_subscribing_frame_names_its_request(op):
    (frame,) = getattr(BybitWire("linear"), op)([BOOK], 7)
    assert json.loads(frame) == {"op": op, "req_id": "7", "args": ["orderbook.50.BTCUSDT"]}


def test_the_limits_hold_for_the_longest_topics():
    limits = {market: BybitWire(market).limits for market in MARKETS}
    assert limits["spot"].streams_per_request == 10
    assert all(
        limit.streams_per_connection * len('"orderbook.100.BTC-26MAR27-170000-P-USDT",') <= 21_000
        for limit in limits.values()
    )
    assert [(window.limit, window.per_ns) for window in limits["spot"].connects] == [(500, 300 * SECOND)]
    assert [(window.limit, window.per_ns) for window in limits["spot"].requests] == [(600, 5 * SECOND)]
    assert json.loads(BybitWire("spot").keep_alive.frame) == {"op": "ping"}
    assert BybitWire("spot").keep_alive.every_ns == 20 * SECOND


CONTROLS = {
    "contract": ('{"success":true,"ret_msg":"","conn_id":"c","req_id":"7","op":"subscribe"}', Acknowledged((), 7)),
    "spot": ('{"success":true,"ret_msg":"subscribe","conn_id":"c","req_id":7,"op":"subscribe"}', Acknowledged((), 7)),
    "without a number": ('{"success":true,"ret_msg":"","conn_id":"c","req_id":"","op":"subscribe"}', Acknowledged()),
    "option": (
        '{"success":true,"conn_id":"c","data":{"failTopics":[],"successTopics":["orderbook.25.X"]},"type":"COMMAND_RESP"}',
        Acknowledged(("orderbook.25.X",)),
    ),
    "option, refused": (
        '{"success":true,"conn_id":"c","data":{"failTopics":["a.b"],"successTopics":["c.d"]},"type":"COMMAND_RESP"}',
        Refused(("a.b",), -1, "", "not served"),
    ),
    "refused": (
        '{"success":false,"ret_msg":"error:handler not found,topic:foo.BTCUSDT","req_id":"8","op":"subscribe"}',
        Refused(("foo.BTCUSDT",), 8, "", "error:handler not found,topic:foo.BTCUSDT"),
    ),
    "refused for now": (
        '{"success":false,"ret_msg":"Too many requests","req_id":"8","op":"subscribe"}',
        Refused((), 8, "", "Too many requests", is_final=False),
    ),
    "asked for twice": (
        '{"success":false,"ret_msg":"error:already subscribed,topic:publicTrade.X","req_id":"8","op":"subscribe"}',
        Acknowledged(("publicTrade.X",), 8),
    ),
    "pong of spot and contracts": ('{"success":true,"ret_msg":"pong","conn_id":"c","req_id":"","op":"ping"}', Pong()),
    "pong of options": ('{"args":["1700000000000"],"op":"pong"}', Pong()),
    "pong of private": ('{"req_id":"","op":"pong","args":["1700000000000"],"conn_id":"c"}', Pong()),
    "pong of trading": ('{"retCode":0,"retMsg":"OK","op":"pong","data":["1700000000000"],"connId":"c"}', Pong()),
    "a bad key": (
        '{"op":"auth","success":false,"retCode":10003,"retMsg":"Invalid apikey"}',
        Told("10003", "Invalid apikey", is_final=True),
    ),
    "an error of nothing": ('{"success":false,"ret_msg":"bad op","op":"foo"}', Told("", "bad op")),
    "the end of a stream": ('{"success":true,"ret_msg":"","req_id":"9","op":"unsubscribe"}', Acknowledged((), 9)),
    "not JSON": ("{", None),
    "another shape": ("[1]", None),
}


@pytest.mark.parametrize(("frame", "control"), CONTROLS.values(), ids=CONTROLS)
def test_control_frames_are_told(frame, control):
    assert BybitWire("linear").control(frame.encode()) == control


@pytest.mark.parametrize("market", MARKETS)
def test_data_is_no_control_and_names_its_stream(market):
    wire = BybitWire(market)
    for line in session_lines(BybitSession(market=market), 60):
        assert wire.control(line.raw) is None
        assert wire.stream_of(line.raw) == json.loads(line.raw)["topic"]
    assert wire.stream_of(b'{"op":"pong"}') == ""


def test_instruments_are_asked_for_page_by_page():
    wire = BybitWire("linear")
    request = wire.instrument_requests()[0]
    page = b'{"retCode":0,"result":{"category":"linear","list":[],"nextPageCursor":"first%%3DA%%26x"},"time":1}' % ()
    following = wire.next_request(request, page)
    assert following is not None
    assert following.url == f"{request.url}&cursor=first%3DA%26x"
    again = wire.next_request(following, page.replace(b"first", b"second"))
    assert again is not None
    assert again.url == f"{request.url}&cursor=second%3DA%26x"
    assert wire.next_request(again, b'{"retCode":0,"result":{"nextPageCursor":""}}') is None
    assert wire.next_request(again, b'{"retCode":0,"result":{"nextPageCursor":null}}') is None
    with pytest.raises(InputError, match="names itself"):
        wire.next_request(following, page)
    with pytest.raises(InputError, match="nextPageCursor"):
        wire.next_request(following, b"<html>")


def test_options_are_asked_for_coin_by_coin():
    urls = [
        request.url
        for request in BybitWire("option", None, ["DOGE-1JAN27-1-C", "ABC-1JAN27-1-C"]).instrument_requests()
    ]
    assert [url.rpartition("baseCoin=")[2] for url in urls] == ["BTC", "ETH", "SOL", "XRP", "MNT", "DOGE", "ABC"]


def test_the_venues_clock():
    wire = BybitWire("spot")
    body = b'{"retCode":0,"result":{"timeSecond":"1700000000","timeNano":"1700000000123456789"},"time":1}'
    assert wire.server_time_ns(body) == 1_700_000_000_123_456_789
    assert wire.server_time_ns(body.replace(b"1700000000123456789", b"")) == 1_700_000_000 * SECOND
    for bad in (b"{}", b"x", b'{"result":{"timeNano":"-1"}}'):
        with pytest.raises(InputError, match="timeNano"):
            wire.server_time_ns(bad)


RESET = {"x-bapi-limit-reset-timestamp": "1700000003500"}
TROUBLES = {
    "fine": (200, {}, '{"retCode":0,"retMsg":"OK","time":1}', None, 0),
    "rate": (200, RESET, '{"retCode":10006,"retMsg":"Too many visits.","time":1700000000000}', "retry", 3_500_000_000),
    "rate, no time told": (200, {}, '{"retCode":10006,"time":1700000000000}', "retry", SECOND),
    "rate, time is over": (200, RESET, '{"retCode":10006,"time":1700000009000}', "retry", SECOND),
    "skew": (200, {}, '{"retCode":10002,"retMsg":"invalid request"}', "retry", 0),
    "key": (200, {}, '{"retCode":10003,"retMsg":"API key is invalid."}', "final", 0),
    "signature": (200, {}, '{"retCode":10004}', "final", 0),
    "permission": (200, {}, '{"retCode":10005}', "final", 0),
    "expired": (200, {}, '{"retCode":33004}', "final", 0),
    "server error": (200, {}, '{"retCode":10016}', "unknown", 0),
    "address limit": (403, {}, "access too frequent", "banned", 600 * SECOND),
    "country": (403, {}, "configured to block access from your country", "final", 0),
    "unauthorised": (401, {}, "", "final", 0),
    "left to the general rule": (503, {}, "", None, 0),
    "not JSON": (200, {}, "<html>", None, 0),
}


@pytest.mark.parametrize(("status", "headers", "body", "kind", "wait"), TROUBLES.values(), ids=TROUBLES)
def test_answers_tell_their_trouble(status, headers, body, kind, wait):
    trouble = BybitWire("spot").trouble(status, headers, body.encode())
    assert (None if trouble is None else trouble.kind) == kind
    assert (0 if trouble is None else trouble.wait_ns) == wait


def test_the_adapter_makes_its_wire():
    adapter = BybitAdapter("inverse", live=LiveSettings(environment="testnet"))
    wire = adapter.wire()
    assert (wire.venue, wire.address("", [])) == ("bybit", "wss://stream-testnet.bybit.com/v5/public/inverse")
