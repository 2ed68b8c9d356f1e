"""The relay of the articles, spoken with over loopback: four dialects, its requests and its errors."""

from __future__ import annotations

import json
import logging

import attrs
import pytest

from quotewright.errors import ConfigError, InputError
from quotewright.feed import BookState
from quotewright.fetching.client import HttpClient
from quotewright.fetching.retry import Key, QuotaError, RetryPolicy
from quotewright.plugin.registry import PluginSet
from quotewright_plugins.holysheep.adapter import HolySheepAdapter
from quotewright_plugins.holysheep.feed import HolySheep, HolySheepClient, HolySheepFeed, holysheep_feed
from tests.framework.fetching.server import Asked, Reply, serving
from tests.plugins.holysheep.relay import FRAMES, KEY, received
from tests.plugins.tardis.script import ScriptSink

MS = 1_772_323_200_000


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("HOLYSHEEP_API_KEY", f"  {KEY}\n")


def feed(**fields) -> HolySheep:
    return holysheep_feed(HolySheepFeed(exchange="binance", symbols=("BTCUSDT",), **fields))


def written(adapter: HolySheepAdapter, frames: list[bytes], source: str = "ws") -> list[str]:
    sink = ScriptSink()
    for frame in frames:
        adapter.on_message(frame, source, None, 7, sink)
    return sink.lines


@pytest.mark.parametrize("dialect", ["A", "B", "C"])
def test_a_book_comes_over_each_dialect_s_socket(dialect):
    settings = HolySheepFeed(exchange="binance", symbols=("BTCUSDT",), dialect=dialect)
    made: list[HolySheep] = []

    def address(base: str) -> str:
        adapter = holysheep_feed(attrs.evolve(settings, websocket=base, stream_url=f"{base}/token/1"))
        made.append(adapter)
        return adapter.wire().address("", adapter.streams())

    wire = holysheep_feed(settings).wire()
    subscribing = wire.subscribe(feed(dialect=dialect).streams(), 1)
    came = received(address, subscribing, len(FRAMES[dialect]))
    assert came == FRAMES[dialect]
    assert {wire.stream_of(frame) for frame in came} == {"orderbook:BTCUSDT"}
    lines = written(made[0], came)
    assert lines[1:4] == ["snapshot", "bid 40000.1 1.5", "offer 40000.2 2"]
    zero = "0.0" if dialect == "C" else "0"
    assert lines[5:] == [f"bid 40000.1 {zero}", "bid 40000.0 3"]
    assert made[0].books["BTCUSDT"].state is BookState.SYNCHRONISED
    assert made[0].counters.errors == 0
    assert made[0].counters.stale_dropped == (dialect == "C")
    assert made[0].counters.buffer_dropped == (dialect == "A")


def test_dialect_d_and_the_requests_are_read_by_the_same_adapter():
    adapter = HolySheepAdapter("binance", ("BTC-USDT",))
    image = {
        "type": "book_snapshot",
        "exchange": "binance",
        "market": "BTC-USDT",
        "symbol": "BTCUSDT",
        "timestamp": MS,
        "local_timestamp": MS + 105,
        "bids": [[40000.0, 2.5]],
        "asks": [[40001.0, 3.2]],
        "level": 2,
    }
    lines = written(adapter, [json.dumps(image).encode()])
    assert lines == [f"BTC-USDT @{MS}000000 <7 #0", "snapshot", "bid 40000.0 2.5", "offer 40001.0 3.2"]
    lines = written(adapter, [b'{"bids":[["1","2"]],"asks":[]}'], "rest")
    assert lines[1:] == ["snapshot", "bid 1 2"]
    trades = {"trades": [{"id": 5, "timestamp": MS, "price": 1.50, "quantity": "2", "side": "SELL"}]}
    assert written(adapter, [json.dumps(trades).encode()], "rest")[1:] == ["trade 2 1.5 2 5"]


FAULTS = {
    "not JSON": (b"{", "json"),
    "no level": (b'{"type":"update","bids":[["1"]],"asks":[]}', "shape"),
    "no number": (b'{"type":"update","bids":[["NaN","1"]],"asks":[]}', "number"),
    "wrong types": (b'{"type":"update","bids":7}', "shape"),
    "another exchange": (b'{"type":"update","exchange":"okx","bids":[],"asks":[]}', "market"),
    "deep": (b"[" * 100_000, "shape"),
}


@pytest.mark.parametrize(("frame", "reason"), FAULTS.values(), ids=FAULTS)
def test_what_cannot_be_read_makes_the_book_stale(frame, reason):
    adapter = feed(dialect="A")
    lines = written(adapter, [*FRAMES["A"][:2], frame])
    assert adapter.counters.decode_errors == {reason: 1}
    assert adapter.books["BTCUSDT"].state is BookState.STALE
    assert lines[-1] == "gap 0"


def test_a_frame_without_a_symbol_needs_a_feed_of_one_symbol():
    adapter = HolySheepAdapter("binance", ("BTCUSDT", "ETHUSDT"))
    assert written(adapter, [FRAMES["A"][1]]) == []
    assert adapter.counters.decode_errors == {"symbol": 1}
    with pytest.raises(ConfigError, match="exactly one"):
        holysheep_feed(HolySheepFeed(exchange="binance", symbols=("BTCUSDT", "ETHUSDT"), dialect="B"))
    with pytest.raises(ConfigError, match="needs stream_url"):
        feed(dialect="A").wire().address("", [])


def test_every_cut_is_survived():
    for dialect, frames in FRAMES.items():
        adapter = feed(dialect=dialect)
        for frame in frames:
            written(adapter, [frame[:at] for at in range(len(frame))])
        assert adapter.counters.errors == sum(len(frame) for frame in frames)


def relay(asked: Asked) -> Reply:
    if asked.headers.get("authorization") != f"Bearer {KEY}":
        return Reply(401, b'{"error":"401 Unauthorized","message":"Invalid or expired API key"}')
    if asked.path == "/tardis/stream-token":
        return Reply(200, b'{"stream_url":"wss://stream.example/token/1"}')
    if asked.path == "/account/status":
        return Reply(200, b'{"email":"a@b.example","credits_remaining":12,"plan_name":"free"}')
    if asked.path == "/tardis/orderbook":
        return Reply(200, b'{"bids":[[40000.10,1]],"asks":[[40000.20,2]]}')
    if asked.path == "/tardis/trades":
        rows = [(MS, 1), (MS, 2), (MS, 3), (MS + 1, 4), (MS + 9, 5)]
        rows = [row for row in rows if int(asked.query["start_time"]) <= row[0]][: int(asked.query["limit"])]
        found = [{"id": id, "timestamp": ms, "price": 40000.10, "quantity": 1, "side": "buy"} for ms, id in rows]
        return Reply(200, json.dumps({"trades": found}).encode())
    if asked.path.endswith("/book_snapshot"):
        times = [time for time in (MS, MS + 1, MS + 1, MS + 2) if time >= int(asked.query["from"])]
        found = [
            {"type": "book_snapshot", "symbol": "BTCUSDT", "timestamp": time, "bids": [[number, 1]], "asks": []}
            for number, time in enumerate(times[: int(asked.query["limit"])], start=4 - len(times))
        ]
        return Reply(200, json.dumps(found).encode())
    return Reply(404, b"{}")


def client(url: str, value: str = KEY, slept: list[float] | None = None) -> HttpClient:
    key = Key.read("env:K", {"K": f" {value} "})
    sleep = (slept if slept is not None else []).append
    return HttpClient(url, key=key, sleep=sleep, policy=RetryPolicy(attempts=3))


def test_requests_are_answered_and_pages_lose_nothing():
    with serving(relay) as (url, _), client(url) as http:
        found = HolySheepClient(http)
        assert found.stream_url("binance", "BTC-USDT") == "wss://stream.example/token/1"
        assert found.status()["plan_name"] == "free"
        assert b"40000.10" in found.book("binance", "BTCUSDT")
        trades = list(found.trades("binance", "BTCUSDT", MS, MS + 9, limit=2, most=4))
        assert [row["id"] for row in trades] == [1, 2, 3, 4]
        snapshots = [json.loads(raw) for raw in found.snapshots("binance", "BTCUSDT", MS, MS + 2, limit=2, base=url)]
        assert [row["bids"][0][0] for row in snapshots] == [0, 1, 2]


def test_a_bad_key_and_a_pause_are_told_without_the_key(caplog):
    caplog.set_level(logging.DEBUG)
    with serving(relay) as (url, log), client(url, "HS.wrong") as http:
        with pytest.raises(ConfigError, match="the key from the variable K of the environment is refused") as caught:
            HolySheepClient(http).status()
        assert len(log) == 1
    assert "HS.wrong" not in str(caught.value) + caplog.text
    replies = iter([Reply(429, b"", {"retry-after": "60"}), Reply(200, b"{}")])
    slept: list[float] = []
    with serving(lambda asked: next(replies)) as (url, _), client(url, slept=slept) as http:
        HolySheepClient(http).status()
        assert slept == [60.0]
    used_up = Reply(429, b"", {"retry-after": "4000"})
    with serving(lambda asked: used_up) as (url, _), client(url) as http, pytest.raises(QuotaError):
        HolySheepClient(http).status()


@pytest.mark.parametrize("body", [b"[]", b'{"stream_url":7}', b'{"stream_url":"http://x"}', b"<html>"])
def test_an_answer_of_another_shape_is_refused(body):
    with serving(lambda asked: Reply(200, body)) as (url, _), client(url) as http, pytest.raises(InputError):
        HolySheepClient(http).stream_url("binance", "BTCUSDT")


def test_the_wire_says_what_errors_mean_and_shows_no_key():
    wire = feed().wire()
    (asked,) = wire.instrument_requests()
    assert asked.headers["authorization"] == f"Bearer {KEY}"
    assert KEY not in repr(asked) + repr(wire.key)
    assert wire.trouble(429, {"retry-after": "7"}, b"").wait_ns == 7_000_000_000
    assert wire.trouble(429, {}, b"").wait_ns == 60_000_000_000
    assert wire.trouble(401, {}, b"").kind == "final"
    assert wire.trouble(500, {}, b"") is None


def test_instruments_are_those_that_the_config_names():
    (instrument,) = feed(decimals=6).instruments(b"{}")
    assert (instrument.name, instrument.price_decimals, instrument.size_decimals) == ("BTC-USDT.spot@binance", 6, 6)
    assert "price_decimals" in instrument.inferred


def test_the_plugin_is_marked_unverified():
    plugins = PluginSet.discover(strict=False)
    factory = plugins.get("feed_adapters", "holysheep")
    assert "unverified" in (type(factory).__doc__ or "").lower()
    assert "unverified" in (factory.config_model.__doc__ or "").lower()
