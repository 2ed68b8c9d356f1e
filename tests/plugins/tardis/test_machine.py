"""A tardis-machine server as a feed: its addresses, its frames over loopback, the exchange's own frames replayed."""

from __future__ import annotations

import json
from urllib.parse import parse_qs, urlsplit

import pytest
from picows import WSListener, WSMsgType

from quotewright.errors import ConfigError, InputError
from quotewright.feed import FeedAdapter, Stream
from quotewright.fetching.times import Span
from quotewright.plugin.registry import PluginSet
from quotewright.wire import Told, Wire, WireLimits
from quotewright_plugins.tardis.feed import ReplayWire, TardisFeed, plain_args, tardis_feed
from quotewright_plugins.tardis.instruments import described
from tests.plugins.holysheep.relay import received
from tests.plugins.tardis.script import ScriptSink

TIMES = '"timestamp":"2026-03-01T00:00:00.100Z","localTimestamp":"2026-03-01T00:00:00.104512Z"}'
HEAD = '"symbol":"BTCUSDT","exchange":"binance-futures",'
FRAMES = [
    f'{{"type":"book_change",{HEAD}"isSnapshot":true,"bids":[{{"price":1.50,"amount":2}}],"asks":[],{TIMES}'.encode(),
    f'{{"type":"trade",{HEAD}"id":"5","price":1.5,"amount":2,"side":"buy",{TIMES}'.encode(),
    b'{"type":"disconnect","exchange":"binance-futures","localTimestamp":"2026-03-01T00:02:11.000Z"}',
]


@pytest.fixture(autouse=True)
def no_key(monkeypatch):
    monkeypatch.delenv("TARDIS_API_KEY", raising=False)


def feed(**fields) -> FeedAdapter:
    return tardis_feed(TardisFeed(exchange="binance-futures", symbols=("BTCUSDT",), **fields))


def options(address: str) -> tuple[str, dict[str, object]]:
    split = urlsplit(address)
    return split.path, json.loads(parse_qs(split.query)["options"][0])


def test_the_address_asks_for_everything():
    adapter = feed()
    adapter.subscribe(["ETHUSDT", "BTCUSDT"])
    wire = adapter.wire()
    assert adapter.streams()[0] == Stream("book_change:BTCUSDT", "BTCUSDT", "book")
    path, asked = options(wire.address("", adapter.streams()))
    assert path == "/ws-stream-normalized"
    assert asked == {
        "exchange": "binance-futures",
        "symbols": ["BTCUSDT", "ETHUSDT"],
        "dataTypes": ["book_change", "trade", "book_ticker", "derivative_ticker", "liquidation"],
        "withDisconnectMessages": True,
        "withErrorMessages": True,
        "timeoutIntervalMS": 10_000,
    }
    assert wire.subscribe(adapter.streams(), 1) == []


def test_a_replay_names_its_half_open_span():
    adapter = feed(mode="replay-normalized", begin="2026-03-01", end="2026-03-01T00:05Z", channels=("trades",))
    adapter.subscribe(["BTCUSDT"])
    path, asked = options(adapter.wire().address("", adapter.streams()))
    assert path == "/ws-replay-normalized"
    assert (asked["from"], asked["to"]) == ("2026-03-01T00:00:00.000Z", "2026-03-01T00:05:00.000Z")
    assert asked["dataTypes"] == ["trade"]
    with pytest.raises(ConfigError, match="needs its beginning"):
        feed(mode="replay-normalized")
    with pytest.raises(ConfigError, match="neither begin nor end"):
        feed(begin="2026-03-01")
    with pytest.raises(InputError, match="needs its zone"):
        feed(mode="replay", begin="2026-03-01T00:00")


class Machine(WSListener):
    """Sends the frames to whoever connects, as the server does: no acknowledgement, no waiting."""

    def __init__(self, request) -> None:
        self.path = request.path

    def on_ws_connected(self, transport) -> None:
        assert self.path.startswith(b"/ws-stream-normalized?options=")
        for frame in FRAMES:
            transport.send(WSMsgType.TEXT, frame)


def test_messages_come_over_a_socket():
    made = []

    def address(base):
        adapter = feed(websocket=base)
        adapter.subscribe(["BTCUSDT"])
        made.append(adapter)
        return adapter.wire().address("", adapter.streams())

    came = received(address, [], len(FRAMES), Machine)
    sink = ScriptSink()
    for frame in came:
        made[0].on_message(frame, "ws", None, 7, sink)
    assert [line.split(" @")[0] for line in sink.lines] == [
        *("BTCUSDT", "snapshot", "bid 1.50 2", "BTCUSDT", "trade 1 1.5 2 5", "BTCUSDT", "gap 0")
    ]
    wire = made[0].wire()
    assert [wire.stream_of(frame) for frame in came] == ["book_change:BTCUSDT", "trade:BTCUSDT", ""]
    assert wire.control(came[0]) is None


def test_what_the_server_says_is_understood():
    wire = feed().wire()
    told = wire.control(
        b'{"type":"error","exchange":"bybit","localTimestamp":"","details":"x","subSequentErrorsCount":1}'
    )
    assert isinstance(told, Told)
    assert not told.is_final
    assert wire.reaction(1000, "WS replay-normalized finished").kind == "never"
    assert wire.reaction(1008, "").kind == "later"
    assert wire.reaction(1011, "").kind == "later"
    assert wire.reaction(1006, "") is None


class Okx(Wire):
    """An exchange's wire that asks with objects."""

    limits = WireLimits(streams_per_request=5)

    def subscribe(self, streams, request):
        args = [{"channel": "books", "instId": stream.symbol} for stream in streams]
        return [json.dumps({"op": "subscribe", "args": args}).encode()]

    def stream_of(self, frame):
        return "books:BTC-USDT"


def test_a_raw_replay_asks_with_the_exchange_s_own_frames():
    settings = TardisFeed(exchange="okex", mode="replay", begin="2026-03-01", session="s1", websocket="ws://h:1")
    wire = ReplayWire(settings, Span.parse("2026-03-01"), Okx())
    streams = [Stream("books:BTC-USDT", "BTC-USDT")]
    assert wire.subscribe(streams, 1) == [b'{"op":"subscribe","args":["books:BTC-USDT"]}']
    split = urlsplit(wire.address("", streams))
    assert split.path == "/ws-replay"
    assert {name: values[0] for name, values in parse_qs(split.query).items()} == {
        "exchange": "okex",
        "from": "2026-03-01T00:00:00.000Z",
        "to": "2026-03-02T00:00:00.000Z",
        "session": "s1",
    }
    assert wire.limits.streams_per_request == 5
    assert wire.unsubscribe(streams, 2) == []
    assert wire.stream_of(b"x") == "books:BTC-USDT"


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (b'{"method":"SUBSCRIBE","params":["btcusdt@depth"],"id":1}', None),
        (b'{"op":"subscribe","args":["orderbook.50.BTCUSDT"]}', None),
        (
            b'{"op":"subscribe","args":[{"channel":"tickers","instType":"SWAP"},{"channel":"status"}]}',
            b'{"op":"subscribe","args":["tickers:SWAP","status"]}',
        ),
    ],
)
def test_only_objects_are_rewritten(frame, expected):
    assert plain_args(frame) == (expected or frame)


def test_the_exchange_s_adapter_reads_a_raw_replay():
    adapter = tardis_feed(TardisFeed(exchange="bybit", mode="replay", begin="2026-03-01", websocket="ws://h:1"))
    assert adapter.name == "bybit"
    assert adapter.wire().address("", []).startswith("ws://h:1/ws-replay?exchange=bybit&")


def test_instruments_come_from_metadata_or_from_the_config(monkeypatch):
    adapter = feed(decimals=4)
    (asked,) = adapter.wire().instrument_requests()
    assert asked.url == "http://localhost:8000/health-check"
    (plain,) = adapter.instruments(b'{"status":"Healthy"}')
    assert (plain.name, plain.price_decimals) == ("BTC-USDT.perp@binance", 4)
    monkeypatch.setenv("TARDIS_API_KEY", "TD.secret")
    (asked,) = feed().wire().instrument_requests()
    assert asked.url == "https://api.tardis.dev/v1/instruments/binance-futures"
    assert asked.headers["authorization"] == "Bearer TD.secret"
    assert "TD.secret" not in repr(asked)
    body = json.dumps(
        [
            {
                "id": "BTCUSDT",
                "type": "perpetual",
                "priceIncrement": 0.1,
                "amountIncrement": 0.001,
                "minTradeAmount": 0.002,
            },
            {"id": "X", "type": "combo", "priceIncrement": 0.1, "amountIncrement": 1},
            {
                "id": "BTCUSD_PERP",
                "priceIncrement": 0.1,
                "amountIncrement": 1,
                "contractMultiplier": 100,
                "inverse": True,
            },
        ]
    ).encode()
    found = adapter.instruments(body)
    assert [one.symbol for one in found] == ["BTCUSDT", "BTCUSD_PERP"]
    assert (str(found[0].tick_size), str(found[0].lot_size), found[0].min_quantity_steps) == ("0.1", "0.001", 2)
    assert found[-1].is_inverse
    assert str(found[-1].contract_size) == "100"
    with pytest.raises(InputError, match="list of objects"):
        described(b"[1]", adapter.guess_instrument)
    with pytest.raises(ConfigError, match="needs symbols"):
        tardis_feed(TardisFeed(exchange="bybit")).instruments(b"{}")


def test_the_plugin_is_offered():
    plugins = PluginSet.discover(strict=False)
    assert {"tardis", "holysheep"} <= set(plugins.names("feed_adapters"))
