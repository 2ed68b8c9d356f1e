"""Deribit's words on the wire: addresses, subscriptions, answers, heartbeats, limits and errors."""

from __future__ import annotations

import json
import random

import pytest

from quotewright.errors import ConfigError, InputError
from quotewright.feed import Stream
from quotewright.live.backoff import Backoff
from quotewright.live.budget import Windows
from quotewright.live.connection import Connection
from quotewright.live.orders import SendText
from quotewright.live.settings import LiveSettings
from quotewright.live.streams import StreamState
from quotewright.plugin.settings import config_model
from quotewright.wire import Acknowledged, Refused, Request, Respond, Told
from quotewright_plugins import bundle
from quotewright_plugins.exchanges.deribit.adapter import DeribitAdapter
from quotewright_plugins.exchanges.deribit.feed import DeribitFeed, deribit_feed
from quotewright_plugins.exchanges.deribit.frames import HEARTBEAT, TEST_REQUEST, DeribitSession, session_lines
from quotewright_plugins.exchanges.deribit.wire import DeribitWire

SECOND = 1_000_000_000
BOOK, TRADES = (
    Stream("book.BTC-PERPETUAL.100ms", "BTC-PERPETUAL"),
    Stream("trades.BTC-PERPETUAL.100ms", "BTC-PERPETUAL"),
)


def asked(frames: list[bytes]) -> dict:
    (frame,) = frames
    return json.loads(frame)


def answer(id: int, result: object) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": id, "result": result, "usDiff": 9, "testnet": False}).encode()


def error(code: int, message: str = "", id: int | None = None, **data: object) -> bytes:
    told = {"code": code, "message": message, **({"data": data} if data else {})}
    return json.dumps({"jsonrpc": "2.0", "id": id, "error": told, "testnet": False}).encode()


ENVIRONMENTS = {
    "production": ("wss://www.deribit.com/ws/api/v2", "https://www.deribit.com/api/v2"),
    "testnet": ("wss://test.deribit.com/ws/api/v2", "https://test.deribit.com/api/v2"),
}


@pytest.mark.parametrize(("environment", "hosts"), ENVIRONMENTS.items(), ids=ENVIRONMENTS)
def test_each_environment_has_its_hosts(environment, hosts):
    wire = DeribitWire(LiveSettings(environment=environment))
    assert (wire.address("", [BOOK]), wire.rest) == hosts
    assert wire.instrument_requests() == [Request(f"{hosts[1]}/public/get_instruments?currency=any&expired=false")]


def test_hosts_can_be_given_with_or_without_their_paths_and_an_unknown_environment_is_refused():
    for socket, rest in (
        ("ws://127.0.0.1:9/", "http://127.0.0.1:8"),
        ("ws://127.0.0.1:9/ws/api/v2", "http://127.0.0.1:8/api/v2"),
    ):
        wire = DeribitWire(LiveSettings(websocket=socket, rest=rest))
        assert wire.address("", []) == "ws://127.0.0.1:9/ws/api/v2"
        assert wire.time_request() == Request("http://127.0.0.1:8/api/v2/public/get_time")
    with pytest.raises(ConfigError, match="environment should be one of production, testnet"):
        DeribitWire(LiveSettings(environment="demo"))


def test_a_connection_begins_with_heartbeats_and_answers_test_requests():
    wire = DeribitWire()
    opening = asked(wire.opening(""))
    assert (opening["method"], opening["params"]) == ("public/set_heartbeat", {"interval": 15})
    assert wire.keep_alive.silence_ns == 2 * 15 * SECOND
    assert wire.control(HEARTBEAT) is None
    control = wire.control(TEST_REQUEST)
    assert isinstance(control, Respond)
    assert asked(list(control.frames))["method"] == "public/test"
    assert wire.control(answer(opening["id"], "ok")) is None
    assert wire.control(answer(asked(list(control.frames))["id"], {"version": "1.2.26"})) is None


def test_channels_are_asked_for_and_compared_with_the_answer():
    wire = DeribitWire()
    frame = asked(wire.subscribe([BOOK, TRADES], 7))
    assert (frame["jsonrpc"], frame["method"]) == ("2.0", "public/subscribe")
    assert frame["params"] == {"channels": [BOOK.name, TRADES.name]}
    assert wire.control(answer(frame["id"], [TRADES.name, BOOK.name])) == Acknowledged((), 7)
    again = asked(wire.subscribe([BOOK, TRADES], 7))
    assert again["id"] != frame["id"]
    control = wire.control(answer(again["id"], [BOOK.name]))
    assert isinstance(control, Acknowledged)
    assert (control.streams, control.request, control.missing) == ((BOOK.name,), 7, (TRADES.name,))
    control = wire.control(answer(asked(wire.subscribe([BOOK], 8))["id"], []))
    assert isinstance(control, Refused)
    assert (control.streams, control.request, control.is_final) == ((BOOK.name,), 8, True)


def test_two_connections_may_count_their_requests_alike():
    wire = DeribitWire()
    first, second = (asked(wire.subscribe([stream], 1))["id"] for stream in (BOOK, TRADES))
    assert wire.control(answer(second, [TRADES.name])) == Acknowledged((), 1)
    assert wire.control(answer(first, [BOOK.name])) == Acknowledged((), 1)


def test_the_end_of_a_channel_acknowledges_nothing():
    wire = DeribitWire()
    frame = asked(wire.unsubscribe([BOOK], 9))
    assert frame["method"] == "public/unsubscribe"
    assert wire.control(answer(frame["id"], [BOOK.name])) == Acknowledged((), 9)


def test_answers_nobody_waits_for_are_believed_and_memory_is_bounded():
    wire = DeribitWire()
    frames = [asked(wire.subscribe([BOOK], number)) for number in range(1_500)]
    assert wire.control(answer(frames[0]["id"], [BOOK.name])) == Acknowledged((BOOK.name,), 0)
    assert len(wire._asked) == 1_000


REFUSALS = {
    "no login": (13778, "raw_subscriptions_not_available_for_unauthorized", True),
    "too many": (10028, "too_many_requests", False),
    "busy": (10040, "retry", False),
    "time-out": (13888, "timed_out", False),
    "wrong": (-32602, "Invalid params", True),
}


@pytest.mark.parametrize(("code", "message", "is_final"), REFUSALS.values(), ids=REFUSALS)
def test_an_error_refuses_what_its_request_asked_for(code, message, is_final):
    wire = DeribitWire()
    control = wire.control(error(code, message, asked(wire.subscribe([BOOK], 3))["id"], reason="because", param="x"))
    assert control == Refused((BOOK.name,), 3, str(code), f"{message} (because, parameter x)", is_final)


def test_other_errors_are_told_and_end_a_connection_only_where_a_key_is_refused():
    wire = DeribitWire()
    assert wire.control(error(10028, "too_many_requests", 1)) == Told("10028", "too_many_requests")
    assert wire.control(error(13009, "unauthorized")) == Told("13009", "unauthorized", True)
    assert wire.control(error(11050, "bad_request", asked(wire.unsubscribe([BOOK], 4))["id"])) == Acknowledged((), 4)


NO_CONTROL = (b"", b"{", b"[]", b"1", b"\xff", b"[" * 10_000, b"{}", b'{"id":5000000,"result":7}', b'{"method":"x"}')


@pytest.mark.parametrize("frame", NO_CONTROL)
def test_what_is_no_answer_is_left_to_the_adapter(frame):
    assert DeribitWire().control(frame) is None


def test_data_is_told_at_a_glance_with_its_channel():
    wire = DeribitWire()
    found = set()
    for line in session_lines(DeribitSession(), 60):
        if line.kind != "other":
            assert wire.control(line.raw) is None
            found.add(wire.stream_of(line.raw))
    assert {"book.BTC-PERPETUAL.100ms", "trades.BTC-PERPETUAL.100ms", "quote.BTC-PERPETUAL"} <= found
    assert wire.stream_of(HEARTBEAT) == ""


def test_limits_are_those_of_the_venue():
    limits = DeribitWire().limits
    assert (limits.connections, limits.streams_per_request, limits.bytes_per_request) == (32, 500, 32_000)
    assert [(window.limit, window.per_ns) for window in limits.sends] == [(10, 3 * SECOND)]
    assert [(window.limit, window.per_ns) for window in limits.requests] == [(100, 5 * SECOND)]
    streams = [Stream(f"book.BTC-26MAR27-{10_000 + number}-C.100ms") for number in range(500)]
    assert len(DeribitWire().subscribe(streams, 1)[0]) < limits.bytes_per_request


TROUBLES = {  # status, body, headers: kind, seconds to wait
    "limit with a wait": (429, error(10028, "too_many_requests", wait=4), {}, "retry", 4),
    "limit with a header": (429, error(10028, "too_many_requests"), {"retry-after": "7"}, "retry", 7),
    "limit without": (400, error(10028, "too_many_requests"), {}, "retry", 1),
    "limit with a wait without end": (400, error(10028, "too_many_requests", wait=1e9), {}, "retry", 60),
    "queue full": (400, error(10047, "matching_engine_queue_full"), {}, "retry", 1),
    "maintenance": (400, error(11051, "system_maintenance"), {}, "retry", 0),
    "time-out": (400, error(13888, "timed_out"), {}, "unknown", 0),
    "no such instrument": (400, error(13020, "not_found"), {}, "final", 0),
    "no login": (401, error(13009, "unauthorized", reason="invalid_token"), {}, "final", 0),
}


@pytest.mark.parametrize(("status", "body", "headers", "kind", "wait"), TROUBLES.values(), ids=TROUBLES)
def test_errors_over_http_mean_what_their_code_says(status, body, headers, kind, wait):
    trouble = DeribitWire().trouble(status, headers, body)
    assert trouble is not None
    assert (trouble.kind, trouble.wait_ns) == (kind, wait * SECOND)
    assert trouble.text.startswith("deribit answers error ")


@pytest.mark.parametrize("body", [b"", b"<html>", answer(1, [])])
def test_other_answers_mean_what_they_mean_in_general(body):
    assert DeribitWire().trouble(500, {}, body) is None


def test_the_clock_of_the_venue_is_read():
    assert DeribitWire().server_time_ns(answer(1, 1_700_000_000_123)) == 1_700_000_000_123_000_000
    for body in (b"{", b"{}", answer(1, "x"), answer(1, -1), answer(1, 10**15), error(10028)):
        with pytest.raises(InputError, match="deribit get_time"):
            DeribitWire().server_time_ns(body)


def test_the_feed_is_made_from_its_settings():
    assert config_model(bundle.feed_adapters()["deribit"].load()) is DeribitFeed
    adapter = deribit_feed(DeribitFeed(interval="agg2", depth=10, group="5", environment="testnet"))
    assert (adapter.interval, adapter.depth, adapter.group) == ("agg2", 10, "5")
    wire = adapter.wire()
    assert isinstance(wire, DeribitWire)
    assert wire.websocket.startswith("wss://test.")
    chosen = deribit_feed(DeribitFeed(channels=("book", "liquidations")))
    chosen.subscribe(["BTC-PERPETUAL"])
    assert [stream.name for stream in chosen.streams()] == [BOOK.name, TRADES.name]


WRONG = {
    "an interval": ({"interval": "1s"}, "interval should be one of raw, 100ms, agg2"),
    "a depth": ({"depth": 5}, "depth should be 0"),
    "a group without a depth": ({"group": "5"}, "group should be one of none, 1, 2, .* with a depth"),
    "a raw depth": ({"interval": "raw", "depth": 10}, "not raw"),
}


@pytest.mark.parametrize(("keys", "said"), WRONG.values(), ids=WRONG)
def test_settings_that_the_venue_does_not_serve_are_refused(keys, said):
    with pytest.raises(ConfigError, match=said):
        DeribitAdapter(**keys)


def test_raw_is_read_from_recordings_and_refused_live():
    adapter = deribit_feed(DeribitFeed(interval="raw"))
    with pytest.raises(ConfigError, match=r'raw is served to logged-in connections only.* set interval = "100ms"'):
        adapter.wire()


def test_a_channel_left_out_of_the_answer_is_refused_and_the_others_are_served():
    settings = LiveSettings()
    pause = Backoff(int(settings.backoff), int(settings.backoff_most), int(settings.healthy), random.Random(3))
    wire = DeribitWire(settings)
    one = Connection(1, "", (BOOK, TRADES), wire, settings, pause, Windows(()), Windows(wire.limits.sends))
    one.open(SECOND)
    one.connected(SECOND)
    one.opened(SECOND)
    sent = [json.loads(order.frame) for order in one.take_orders() if isinstance(order, SendText)]
    assert [frame["method"] for frame in sent] == ["public/set_heartbeat", "public/subscribe"]
    assert one.heard(answer(sent[1]["id"], [BOOK.name]), SECOND + 1) is None
    states = {name: subscription.state for name, subscription in one.subscriptions.items()}
    assert states == {BOOK.name: StreamState.ACKNOWLEDGED, TRADES.name: StreamState.REFUSED}
    assert "does not serve it" in one.subscriptions[TRADES.name].reason
    one.heard(TEST_REQUEST, SECOND + 2)
    (reply,) = (json.loads(order.frame) for order in one.take_orders() if isinstance(order, SendText))
    assert reply["method"] == "public/test"
