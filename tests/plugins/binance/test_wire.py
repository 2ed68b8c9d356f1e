"""Binance's words on the wire: addresses, subscriptions, answers, keep-alive, limits, requests and their errors."""

from __future__ import annotations

import json

import pytest

from quotewright.errors import ConfigError, InputError
from quotewright.feed import FetchSnapshot, Stream
from quotewright.live.retry import general_trouble
from quotewright.live.settings import LiveSettings
from quotewright.wire import Acknowledged, Closing, Refused, Request, Told
from quotewright_plugins.exchanges.binance.adapter import BinanceAdapter
from quotewright_plugins.exchanges.binance.feed import BinanceFeed, binance_feed
from quotewright_plugins.exchanges.binance.frames import BinanceSession, session_lines
from quotewright_plugins.exchanges.binance.wire import BinanceWire

SECOND = 1_000_000_000
MINUTE = 60 * SECOND
BOOK = Stream("btcusdt@depth@100ms", "BTCUSDT", "book", "public")
MARKETS = ("spot", "usdm", "coinm", "option")
SYMBOLS = {"spot": "BTCUSDT", "usdm": "BTCUSDT", "coinm": "BTCUSD_PERP", "option": "BTC-261225-90000-C"}

ADDRESSES = {
    ("spot", "production", ""): "wss://stream.binance.com:9443/stream",
    ("spot", "testnet", ""): "wss://stream.testnet.binance.vision/stream",
    ("spot", "demo", ""): "wss://demo-stream.binance.com/stream",
    ("usdm", "production", "public"): "wss://fstream.binance.com/public/stream",
    ("usdm", "production", "market"): "wss://fstream.binance.com/market/stream",
    ("usdm", "testnet", "market"): "wss://fstream.binancefuture.com/market/stream",
    ("usdm", "demo", "public"): "wss://demo-fstream.binance.com/public/stream",
    ("coinm", "production", ""): "wss://dstream.binance.com/stream",
    ("option", "production", "public"): "wss://fstream.binance.com/public/stream",
}


@pytest.mark.parametrize(("asked", "address"), ADDRESSES.items(), ids=str)
def test_each_market_environment_and_category_has_its_address(asked, address):
    market, environment, category = asked
    assert BinanceWire(market, LiveSettings(environment=environment)).address(category, [BOOK]) == address


RESTS = {"spot": "api.binance.com/api/v3", "usdm": "fapi.binance.com/fapi/v1", "coinm": "dapi.binance.com/dapi/v1"}
RESTS["option"] = "eapi.binance.com/eapi/v1"


@pytest.mark.parametrize(("market", "root"), RESTS.items(), ids=RESTS)
def test_each_market_has_its_requests(market, root):
    wire = BinanceWire(market)
    assert wire.instrument_requests() == [Request(f"https://{root}/exchangeInfo", weight=20 if market == "spot" else 1)]
    assert wire.time_request() == Request(f"https://{root}/time")
    symbol = SYMBOLS[market]
    assert wire.snapshot_request(symbol) == Request(
        f"https://{root}/depth?symbol={symbol}&limit=1000", weight=50 if market == "spot" else 20
    )
    assert wire.next_request(wire.instrument_requests()[0], b"{}") is None


WEIGHTS = {
    ("spot", 5): (100, 5),
    ("spot", 100): (100, 5),
    ("spot", 101): (500, 25),
    ("spot", 5000): (5000, 250),
    ("spot", 9000): (5000, 250),
    ("usdm", 5): (5, 2),
    ("usdm", 60): (100, 5),
    ("usdm", 500): (500, 10),
    ("coinm", 5000): (1000, 20),
    ("option", 5): (10, 2),
}


@pytest.mark.parametrize(("asked", "found"), WEIGHTS.items(), ids=str)
def test_a_snapshot_weighs_what_its_levels_weigh(asked, found):
    market, levels = asked
    request = BinanceWire(market, None, levels).snapshot_request("X")
    assert (request.url.rpartition("=")[2], request.weight) == (str(found[0]), found[1])


def test_addresses_can_be_given_with_or_without_their_paths():
    for websocket, rest in (
        ("ws://127.0.0.1:9", "http://127.0.0.1:8"),
        ("ws://127.0.0.1:9/ws/", "http://127.0.0.1:8/"),
    ):
        wire = BinanceWire("usdm", LiveSettings(websocket=websocket, rest=rest))
        assert wire.address("market", []) == "ws://127.0.0.1:9/market/stream"
        assert wire.time_request().url == "http://127.0.0.1:8/fapi/v1/time"
    assert BinanceWire("spot", LiveSettings(rest="http://h/api/v3")).time_request().url == "http://h/api/v3/time"
    with pytest.raises(ConfigError, match="environment should be one of production, testnet, demo"):
        BinanceWire("spot", LiveSettings(environment="staging"))
    with pytest.raises(ConfigError, match="market should be one of"):
        BinanceWire("margin")


@pytest.mark.parametrize("method", ["subscribe", "unsubscribe"])
def test_a_subscribing_frame_names_its_streams_and_its_request(method):
    (frame,) = getattr(BinanceWire("usdm"), method)([BOOK, Stream("币安人生usdt@trade")], 7)
    params = ["btcusdt@depth@100ms", "币安人生usdt@trade"]
    assert json.loads(frame) == {"method": method.upper(), "params": params, "id": 7}


STREAMS = {
    "spot": {"": ["btcusdt@depth@100ms", "btcusdt@bookTicker", "btcusdt@trade"]},
    "usdm": {
        "public": ["btcusdt@depth@100ms", "btcusdt@bookTicker"],
        "market": ["btcusdt@aggTrade", "btcusdt@markPrice@1s", "btcusdt@forceOrder", "!contractInfo"],
    },
    "coinm": {
        "": [
            "btcusd_perp@depth@100ms",
            "btcusd_perp@bookTicker",
            "btcusd_perp@aggTrade",
            "btcusd_perp@markPrice@1s",
            "btcusd@indexPrice@1s",
            "btcusd_perp@forceOrder",
            "!contractInfo",
        ]
    },
    "option": {
        "public": [
            "btc-261225-90000-c@depth20@100ms",
            "btc-261225-90000-c@bookTicker",
            "btc-261225-90000-c@optionTrade",
            "btc-261225-90000-c@optionTicker",
        ],
        "market": ["btcusdt@optionMarkPrice", "btcusdt@optionOpenInterest@261225", "!optionSymbol"],
    },
}


@pytest.mark.parametrize("market", MARKETS)
def test_streams_follow_the_symbols_by_category_books_first(market):
    adapter = BinanceAdapter(market)
    adapter.subscribe([SYMBOLS[market]])
    streams = adapter.streams()
    assert {
        category: [stream.name for stream in streams if stream.category == category] for category in STREAMS[market]
    } == STREAMS[market]
    assert {stream.category for stream in streams} == set(STREAMS[market])
    assert streams[0].channel == "book"
    assert {stream.symbol for stream in streams} <= {SYMBOLS[market], ""}


def test_streams_keep_to_the_channels_the_depth_and_the_pace_asked_for():
    names = {
        ("usdm", 0, "0ms"): "btcusdt@depth@0ms",
        ("usdm", 0, "250ms"): "btcusdt@depth",
        ("usdm", 10, "500ms"): "btcusdt@depth10@500ms",
        ("spot", 0, "1000ms"): "btcusdt@depth",
        ("spot", 5, ""): "btcusdt@depth5@100ms",
        ("option", 5, "500ms"): "btcusdt@depth5@500ms",
    }
    for (market, depth, speed), name in names.items():
        adapter = binance_feed(BinanceFeed(market=market, depth=depth, speed=speed, channels=("book",)))
        adapter.subscribe(["BTCUSDT"])
        assert [stream.name for stream in adapter.streams()] == [name]
    adapter = binance_feed(BinanceFeed(market="usdm", channels=("liquidations", "status")))
    adapter.subscribe(["BTCUSDT", "ETHUSDT"])
    assert [stream.name for stream in adapter.streams()] == [
        "btcusdt@forceOrder",
        "ethusdt@forceOrder",
        "!contractInfo",
    ]
    assert BinanceAdapter("usdm").streams() == []


def test_two_options_of_an_underlying_share_its_streams():
    adapter = binance_feed(BinanceFeed(market="option", channels=("options",)))
    adapter.subscribe(["BTC-261225-90000-C", "BTC-261225-95000-P", "BTC-270326-90000-C", "ETH-261225-3000-C"])
    shared = [stream.name for stream in adapter.streams() if not stream.symbol]
    assert shared == [
        "btcusdt@optionMarkPrice",
        "ethusdt@optionMarkPrice",
        "btcusdt@optionOpenInterest@261225",
        "btcusdt@optionOpenInterest@270326",
        "ethusdt@optionOpenInterest@261225",
    ]


def test_the_limits_are_the_venues():
    spot, usdm = BinanceWire("spot"), BinanceWire("usdm")
    for wire, messages, weight, ping_ns in ((spot, 5, 6000, 20 * SECOND), (usdm, 10, 2400, 3 * MINUTE)):
        limits = wire.limits
        assert [(window.limit, window.per_ns) for window in limits.connects] == [(300, 5 * MINUTE)]
        assert [(window.limit, window.per_ns) for window in limits.sends] == [(messages - 1, SECOND)], "and a pong"
        assert [(window.limit, window.per_ns) for window in limits.requests] == [(weight, MINUTE)]
        assert (limits.streams_per_connection, limits.life_ns) == (1024, 24 * 60 * MINUTE)
        keep = wire.keep_alive
        assert (keep.every_ns, keep.silence_ns) == (0, 2 * ping_ns), "the venue pings, we answer"


CONTROLS = {
    "served": ('{"result":null,"id":7}', Acknowledged((), 7)),
    "served, the number as text": ('{"result":null,"id":"7"}', Acknowledged((), 7)),
    "refused": (
        '{"code":2,"msg":"Invalid request: unknown method","id":7}',
        Refused((), 7, "2", "Invalid request: unknown method", True),
    ),
    "refused by futures": (
        '{"error":{"code":3,"msg":"Invalid JSON"},"id":8}',
        Refused((), 8, "3", "Invalid JSON", True),
    ),
    "refused for now": (
        '{"id":8,"status":429,"error":{"code":-1003,"msg":"Too many requests"}}',
        Refused((), 8, "-1003", "Too many requests", False),
    ),
    "an error of nothing": ('{"error":{"code":3,"msg":"Invalid JSON"}}', Told("3", "Invalid JSON")),
    "an error without text": ('{"code":1,"id":null}', Told("1", "no text")),
    "the list of streams": ('{"result":["btcusdt@trade"],"id":9}', None),
    "shutdown": ('{"e":"serverShutdown","E":1700000000000}', Closing("the venue shuts this server down", MINUTE)),
    "shutdown on a combined stream": (
        '{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1700000000000}}',
        Closing("the venue shuts this server down", MINUTE),
    ),
    "not JSON": ("{", None),
    "another shape": ("[1]", None),
    "an odd number": ('{"result":null,"id":{}}', None),
}


@pytest.mark.parametrize(("frame", "control"), CONTROLS.values(), ids=CONTROLS)
def test_control_frames_are_told(frame, control):
    for cut in range(len(frame)):
        assert BinanceWire("spot").control(frame[:cut].encode()) in (None, control)
    assert BinanceWire("spot").control(frame.encode()) == control


@pytest.mark.parametrize("market", MARKETS)
def test_data_is_no_control_and_names_its_stream(market):
    wire = BinanceWire(market)
    session = BinanceSession(market=market, symbol=SYMBOLS[market])
    for line in [*session_lines(session, 30), *session.others()]:
        if line.source == "ws" and line.kind != "serverShutdown":
            assert wire.control(line.raw) is None
            assert wire.stream_of(line.raw) == json.loads(line.raw)["stream"]
    assert wire.control(b'{"e":"trade","s":"BTCUSDT"}') is None
    assert wire.stream_of(b'{"result":null,"id":7}') == ""


CLOSES = {
    (1008, "Pong timeout"): ("again", 0),
    (1008, "Too many requests"): ("later", MINUTE),
    (1000, ""): None,
    (1008, "policy"): None,
}


@pytest.mark.parametrize(("close", "found"), CLOSES.items(), ids=str)
def test_closes_that_mean_something_of_the_venues_own(close, found):
    reaction = BinanceWire("spot").reaction(*close)
    assert (None if reaction is None else (reaction.kind, reaction.wait_ns)) == found


def test_the_venues_clock():
    wire = BinanceWire("spot")
    assert wire.server_time_ns(b'{"serverTime":1700000000123}') == 1_700_000_000_123_000_000
    for bad in (b"{}", b"x", b'{"serverTime":-1}', b'{"serverTime":"1"}', b'{"serverTime":9999999999999999}'):
        with pytest.raises(InputError, match="serverTime"):
            wire.server_time_ns(bad)


def test_open_interest_is_polled_on_futures():
    polls = BinanceWire("usdm").polls(["BTCUSDT", "币USDT"])
    assert [poll.request.url.partition("symbol=")[2] for poll in polls] == ["BTCUSDT", "%E5%B8%81USDT"]
    assert {(poll.every_ns, poll.request.weight) for poll in polls} == {(MINUTE, 1)}
    assert BinanceWire("coinm", LiveSettings(channels=("book",))).polls(["BTCUSD_PERP"]) == []
    assert BinanceWire("spot").polls(["BTCUSDT"]) == BinanceWire("option").polls(["X"]) == []


NOW = 1_700_000_000 * SECOND
BANNED = '{"code":-1003,"msg":"Way too much request weight used; IP banned until 1700000090000. Please use WebSocket"}'
TROUBLES = {
    "fine": (200, {}, '{"lastUpdateId":1}', None, 0),
    "an all-clear with a code": (200, {}, '{"code":200,"msg":"done"}', None, 0),
    "too many, seconds told": (429, {"retry-after": "7"}, '{"code":-1003,"msg":"Too many"}', "retry", 7 * SECOND),
    "too many, nothing told": (429, {}, '{"code":-1003,"msg":"Too many"}', "retry", 30 * SECOND),
    "banned, seconds told": (418, {"retry-after": "50"}, '{"code":-1003,"msg":"banned"}', "banned", 50 * SECOND),
    "banned until": (418, {}, BANNED, "banned", 90 * SECOND),
    "banned until, with 429": (429, {}, BANNED, "banned", 90 * SECOND),
    "too many, with another status": (400, {}, '{"code":-1003,"msg":"Too many"}', "retry", MINUTE),
    "firewall": (403, {}, "<html>", "final", 5 * MINUTE),
    "region": (451, {}, "{}", "final", 5 * MINUTE),
    "skew": (400, {}, '{"code":-1021,"msg":"Timestamp for this request"}', "retry", 0),
    "busy": (503, {}, '{"code":-1008,"msg":"busy"}', "retry", 0),
    "no such symbol": (400, {}, '{"code":-1121,"msg":"Invalid symbol."}', "final", 0),
    "an error inside a success": (200, {}, '{"code":-1121,"msg":"Invalid symbol."}', "final", 0),
    "a key": (401, {}, '{"code":-2015,"msg":"Invalid API-key"}', "final", 0),
    "broken": (502, {}, "<html>", "retry", 0),
    "inside": (500, {}, '{"code":-1000,"msg":"x"}', "retry", 0),
}


@pytest.mark.parametrize(("status", "headers", "body", "kind", "wait"), TROUBLES.values(), ids=TROUBLES)
def test_answers_tell_their_trouble(status, headers, body, kind, wait):
    wire = BinanceWire("spot")
    text = body.encode()
    trouble = wire.trouble(status, headers, text) or general_trouble(status, headers, NOW, text)
    assert (None if trouble is None else trouble.kind) == kind
    assert (0 if trouble is None else trouble.wait_ns) == wait


def test_a_refused_region_is_told_with_what_helps():
    assert "rest = https://data-api.binance.vision" in BinanceWire("spot").trouble(451, {}, b"").text
    assert "'rest' and 'websocket'" in BinanceWire("usdm").trouble(451, {}, b"").text


def test_the_adapter_makes_its_wire_and_the_factory_its_adapter():
    adapter = binance_feed(BinanceFeed(market="usdm", environment="testnet", snapshot_levels=100))
    wire = adapter.wire()
    assert wire.address("public", []) == "wss://fstream.binancefuture.com/public/stream"
    assert wire.snapshot_request("BTCUSDT").url.endswith("limit=100")
    assert adapter.live.environment == "testnet"
    adapter.subscribe(["BTCUSDT"])
    adapter.on_wake(1)
    assert FetchSnapshot("BTCUSDT") in adapter.actions()
