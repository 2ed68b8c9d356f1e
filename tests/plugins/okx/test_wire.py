"""OKX's wire: frames sent, answers understood, requests and their troubles."""

from __future__ import annotations

import pytest

from quotewright.errors import ConfigError, InputError
from quotewright.feed import Stream
from quotewright.live.settings import LiveSettings
from quotewright.wire import Acknowledged, Closing, Pong, Refused, Told
from quotewright_plugins.exchanges.okx.adapter import OkxAdapter
from quotewright_plugins.exchanges.okx.feed import OkxFeed, okx_feed
from quotewright_plugins.exchanges.okx.frames import OkxSession
from quotewright_plugins.exchanges.okx.wire import OkxWire

WIRE = OkxWire(LiveSettings())
CONTROLS = {
    b"pong": Pong(),
    b'{"id":"7","event":"subscribe","arg":{"channel":"books","instId":"BTC-USDT"},"connId":"a"}': Acknowledged(
        ("books:BTC-USDT",), 7
    ),
    b'{"event":"subscribe","arg":{"channel":"liquidation-orders","instType":"SWAP"}}': Acknowledged(
        ("liquidation-orders:SWAP",)
    ),
    b'{"id":"7","event":"unsubscribe","arg":{"channel":"books","instId":"BTC-USDT"}}': Acknowledged((), 7),
    b'{"id":"7","event":"error","code":"60012","msg":"Invalid request"}': Refused(
        (), 7, "60012", "Invalid request", True
    ),
    b'{"event":"error","code":"60018","msg":"Wrong URL or channel:foo,instId:BTC-USDT doesn\'t exist."}': Refused(
        ("foo:BTC-USDT",), -1, "60018", "Wrong URL or channel:foo,instId:BTC-USDT doesn't exist.", True
    ),
    b'{"id":"3","event":"error","code":"60014","msg":"Requests too frequent"}': Refused(
        (), 3, "60014", "Requests too frequent", False
    ),
    b'{"event":"error","code":"60026","msg":"odd"}': Told("60026", "odd"),
    b'{"event":"notice","code":"64008","msg":"soon"}': Closing("soon", 60_000_000_000),
    b'{"event":"channel-conn-count","channel":"orders","connCount":"2"}': None,
    b"\xff": None,
    b"[" * 5_000: None,
}


@pytest.mark.parametrize("frame", CONTROLS)
def test_control_frames_are_understood(frame):
    assert WIRE.control(frame) == CONTROLS[frame]


def test_data_is_no_control_and_names_its_stream():
    session = OkxSession()
    for line in (session.image(), session.trade(), *session.references()):
        assert WIRE.control(line.raw) is None
    assert WIRE.stream_of(session.image().raw) == "books:BTC-USDT"
    assert WIRE.stream_of(b'{"arg":{"channel":') == ""


def test_subscriptions_name_instruments_types_and_families():
    names = ("books:BTC-USDT", "liquidation-orders:SWAP", "opt-summary:BTC-USD", "status")
    (frame,) = WIRE.subscribe([Stream(name) for name in names], 5)
    assert frame == (
        b'{"id":"5","op":"subscribe","args":[{"channel":"books","instId":"BTC-USDT"},'
        b'{"channel":"liquidation-orders","instType":"SWAP"},{"channel":"opt-summary","instFamily":"BTC-USD"},'
        b'{"channel":"status"}]}'
    )
    (frame,) = WIRE.unsubscribe([Stream("books:BTC-USDT")], 6)
    assert b'"op":"unsubscribe"' in frame


def test_a_full_frame_keeps_to_the_venues_length():
    streams = [Stream(f"books50-l2-tbt:LONGNAME{number}-USDT-261225-100000-C") for number in range(500)]
    (frame,) = WIRE.subscribe(streams[: WIRE.limits.streams_per_request], 123)
    assert len(frame) <= WIRE.limits.bytes_per_request


def test_addresses_follow_environment_and_overrides():
    assert WIRE.address("", []) == "wss://ws.okx.com:8443/ws/v5/public"
    demo = OkxWire(LiveSettings(environment="demo"))
    assert demo.address("business", []) == "wss://wspap.okx.com:8443/ws/v5/business"
    assert demo.time_request().headers == {"x-simulated-trading": "1"}
    local = OkxWire(LiveSettings(websocket="ws://127.0.0.1:1", rest="http://127.0.0.1:2"))
    assert local.address("public", []) == "ws://127.0.0.1:1/ws/v5/public"
    assert local.time_request().url == "http://127.0.0.1:2/api/v5/public/time"
    with pytest.raises(ConfigError, match="production, demo, was 'moon'"):
        OkxWire(LiveSettings(environment="moon"))


def test_options_are_asked_for_by_family():
    adapter = OkxAdapter("option")
    adapter.subscribe(["SOL-USD-270326-70-C", "SOL-USD-270326-80-C"])
    urls = [request.url for request in adapter.wire().instrument_requests()]
    assert urls == ["https://www.okx.com/api/v5/public/instrument-tick-bands?instType=OPTION&instFamily=SOL-USD"]
    assert len(OkxWire(LiveSettings(), "option").instrument_requests()) == 2


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, b'{"code":"0","data":[]}', None),
        (500, b"oops", None),
        (429, b"", "retry"),
        (200, b'{"code":"50011","msg":"Too Many Requests"}', "retry"),
        (503, b'{"code":"50001","msg":"down"}', "retry"),
        (200, b'{"code":"50013","msg":"busy"}', "retry"),
        (200, b'{"code":"51001","msg":"no such instrument"}', "final"),
        (401, b'{"code":"50111","msg":"key"}', "final"),
    ],
)
def test_troubles_are_told_apart(status, body, kind):
    trouble = WIRE.trouble(status, {}, body)
    assert (trouble.kind if trouble else None) == kind


def test_the_venue_may_ask_for_a_longer_pause():
    trouble = WIRE.trouble(429, {"retry-after": "9"}, b"")
    assert trouble is not None
    assert trouble.wait_ns == 9_000_000_000


def test_the_venues_clock_is_read():
    assert WIRE.server_time_ns(b'{"code":"0","data":[{"ts":"1700000000001"}]}') == 1_700_000_000_001_000_000
    for body in (b"{}", b'{"data":[]}', b'{"data":[{"ts":"x"}]}'):
        with pytest.raises(InputError, match="okx time"):
            WIRE.server_time_ns(body)


def test_streams_are_those_wanted_with_books_first():
    adapter = okx_feed(OkxFeed(channels=("trades", "book", "best")))
    adapter.subscribe(["BTC-USDT", "BTC-USDT-SWAP"])
    names = [stream.name for stream in adapter.streams()]
    assert names == [f"{word}:{symbol}" for word in ("books", "bbo-tbt", "trades") for symbol in adapter.subscribed]
    adapter = okx_feed(OkxFeed(depth="bbo-tbt", channels=("book",)))
    adapter.subscribe(["BTC-USDT"])
    assert [stream.name for stream in adapter.streams()] == ["bbo-tbt:BTC-USDT"]
    full = OkxAdapter()
    full.subscribe(["BTC-USD-270326-70000-C", "ETH-USDT-SWAP"])
    names = [stream.name for stream in full.streams()]
    assert {"opt-summary:BTC-USD", "funding-rate:ETH-USDT-SWAP", "index-tickers:ETH-USDT"} <= set(names)
    assert {"liquidation-orders:SWAP", "instruments:OPTION", "instruments:SWAP"} <= set(names)
    assert len(names) == len(set(names))


def test_books_that_need_a_login_are_refused_with_the_way_out():
    with pytest.raises(ConfigError, match="no credentials are handled yet; use books"):
        OkxAdapter(depth="books-l2-tbt").subscribe(["BTC-USDT"])
