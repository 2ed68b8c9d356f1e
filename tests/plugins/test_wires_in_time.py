"""Each exchange's wire under the connection of live feeds, in virtual time: asked, acknowledged, ended, asked anew."""

from __future__ import annotations

import random
from collections.abc import Callable

import attrs
import msgspec
import pytest

from quotewright.feed import FeedAdapter
from quotewright.live.backoff import Backoff
from quotewright.live.budget import Windows
from quotewright.live.connection import Connection, ConnectionState
from quotewright.live.orders import OpenSocket, SendPing, SendText
from quotewright.live.settings import LiveSettings
from quotewright.live.streams import StreamState
from quotewright.plugin.registry import PluginSet

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND


def okx_ack(asked: dict) -> list[dict]:
    return [{"id": asked["id"], "event": asked["op"], "arg": arg, "connId": "a1"} for arg in asked["args"]]


def bybit_ack(asked: dict) -> list[dict]:
    return [{"success": True, "ret_msg": "", "conn_id": "c-1", "req_id": asked["req_id"], "op": asked["op"]}]


def deribit_ack(asked: dict) -> list[dict]:
    return [{"jsonrpc": "2.0", "id": asked["id"], "result": asked["params"]["channels"], "usIn": 1, "usOut": 2}]


def binance_ack(asked: dict) -> list[dict]:
    return [{"result": None, "id": asked["id"]}]


@attrs.frozen
class Venue:
    """One exchange: an instrument, its acknowledgements, how a data frame of a stream begins, and its heartbeat."""

    table: dict[str, str]
    symbol: str
    ack: Callable[[dict], list[dict]]
    data: Callable[[str], bytes]
    pinged: bytes | None = None
    """What we send when we have sent nothing for long; None: the venue pings."""
    wants_back: tuple[bytes, bytes] | None = None
    """A frame of the venue that wants an answer, and what the answer holds."""


def okx_data(name: str) -> bytes:
    channel, _, symbol = name.partition(":")
    return b'{"arg":{"channel":"%s","instId":"%s"},"data":[]}' % (channel.encode(), symbol.encode())


VENUES = {
    "okx": Venue({"plugin": "okx", "market": "swap"}, "BTC-USDT-SWAP", okx_ack, okx_data, b"ping"),
    "bybit": Venue(
        {"plugin": "bybit", "market": "linear"},
        "BTCUSDT",
        bybit_ack,
        lambda name: b'{"topic":"%s","type":"delta","ts":1,"data":{}}' % name.encode(),
        b'{"op":"ping"}',
    ),
    "deribit": Venue(
        {"plugin": "deribit"},
        "BTC-PERPETUAL",
        deribit_ack,
        lambda name: b'{"jsonrpc":"2.0","method":"subscription","params":{"channel":"%s","data":{}}}' % name.encode(),
        wants_back=(b'{"jsonrpc":"2.0","method":"heartbeat","params":{"type":"test_request"}}', b"public/test"),
    ),
    "binance": Venue(
        {"plugin": "binance", "market": "usdm"},
        "BTCUSDT",
        binance_ack,
        lambda name: b'{"stream":"%s","data":{}}' % name.encode(),
    ),
}


@pytest.fixture(scope="module")
def plugins():
    return PluginSet.discover()


@pytest.fixture(params=VENUES)
def open_connection(request, plugins):
    """Venue, connection and the frames it sent when it was open."""
    venue = VENUES[request.param]
    adapter = plugins.build("feed_adapters", venue.table)
    assert isinstance(adapter, FeedAdapter)
    adapter.subscribe([venue.symbol])
    streams = adapter.streams()
    category = streams[0].category
    wire = adapter.wire()
    settings = LiveSettings()
    pause = Backoff(int(settings.backoff), int(settings.backoff_most), int(settings.healthy), random.Random(1))
    one = Connection(
        1,
        category,
        [stream for stream in streams if stream.category == category],
        wire,
        settings,
        pause,
        Windows(wire.limits.connects),
        Windows(wire.limits.sends),
    )
    one.open(START)
    (opening,) = one.take_orders()
    assert isinstance(opening, OpenSocket)
    assert opening.url.startswith("wss://")
    one.connected(START)
    one.opened(START)
    return venue, one, sent(one)


def sent(one: Connection) -> list[bytes]:
    return [order.frame for order in one.take_orders() if isinstance(order, SendText)]


def asking(frames: list[bytes]) -> list[dict]:
    return [msgspec.json.decode(frame) for frame in frames if b"subscribe" in frame.lower()]


def acknowledge(venue: Venue, one: Connection, frames: list[bytes], now_ns: int) -> None:
    for asked in asking(frames):
        for answer in venue.ack(asked):
            assert one.heard(msgspec.json.encode(answer), now_ns) is None


def test_every_stream_is_asked_for_acknowledged_and_live(open_connection):
    venue, one, frames = open_connection
    now_ns = START
    while any(stream.state == StreamState.WAITING for stream in one.subscriptions.values()):
        now_ns = one.deadline_ns  # the venue's window of frames
        one.tick(now_ns)
        frames += sent(one)
    acknowledge(venue, one, frames, now_ns)
    # Those that the address has asked for need no frame.
    assert {stream.state for stream in one.subscriptions.values()} == {StreamState.ACKNOWLEDGED}
    for name in one.subscriptions:
        assert one.heard(venue.data(name), now_ns + 1) == name
    assert {stream.state for stream in one.subscriptions.values()} == {StreamState.LIVE}
    assert not one.is_settling


def test_a_book_is_asked_for_anew_only_when_its_end_was_acknowledged(open_connection):
    venue, one, frames = open_connection
    acknowledge(venue, one, frames, START)
    book = next(name for name, one in one.subscriptions.items() if one.stream.channel == "book")
    one.heard(venue.data(book), START)
    now_ns = START + 30 * SECOND
    one.heard(venue.data(book), now_ns)
    assert one.ask_again(book, now_ns)
    (ended,) = sent(one)
    assert b"unsubscribe" in ended.lower()
    one.heard(venue.data(book), now_ns + 1)
    assert one.subscriptions[book].state == StreamState.WAITING
    acknowledge(venue, one, [ended], now_ns + SECOND)
    frames = sent(one)
    if not frames:
        one.tick(one.deadline_ns)  # the venue's window of frames
        frames = sent(one)
    (again,) = frames
    assert b"unsubscribe" not in again.lower()
    assert one.subscriptions[book].state == StreamState.ASKED
    acknowledge(venue, one, [again], now_ns + 2 * SECOND)
    assert one.subscriptions[book].state == StreamState.ACKNOWLEDGED
    assert one.heard(venue.data(book), now_ns + 3 * SECOND) == book
    assert one.subscriptions[book].state == StreamState.LIVE


def test_the_connection_is_kept_alive_the_venue_s_way(open_connection):
    venue, one, frames = open_connection
    acknowledge(venue, one, frames, START)
    book = next(iter(one.subscriptions))
    now_ns = START
    found: list[bytes] = []
    while now_ns < START + 100 * SECOND:
        now_ns += SECOND
        one.heard(venue.data(book), now_ns)
        one.tick(now_ns)
        orders = one.take_orders()
        assert not [order for order in orders if isinstance(order, SendPing)]
        for frame in (order.frame for order in orders if isinstance(order, SendText)):
            if b"subscribe" not in frame.lower():
                found.append(frame)
                if frame == b"ping":
                    assert one.heard(b"pong", now_ns) is None
    assert one.state == ConnectionState.OPEN
    if venue.pinged is None:
        assert found == []
    else:
        assert len(found) >= 3
        assert set(found) == {venue.pinged}
    if venue.wants_back is not None:
        asked, answer = venue.wants_back
        assert one.heard(asked, now_ns) is None
        assert [answer in frame for frame in sent(one)] == [True]


def test_a_venue_that_says_nothing_is_left(open_connection):
    _, one, _ = open_connection
    now_ns = START
    while one.state == ConnectionState.OPEN:
        now_ns = one.deadline_ns
        assert now_ns <= START + 600 * SECOND
        one.tick(now_ns)
        one.take_orders()
    assert one.counters.losses == 1
    assert "nothing came" in one.counters.last_reason or "no answer to our ping" in one.counters.last_reason


def test_frames_are_told_by_their_beginning_as_by_all_of_them(open_connection):
    venue, one, frames = open_connection
    acknowledge(venue, one, frames, START)
    assert one.wire.data_mark
    for turn in (1, 2, 3):
        for name in one.subscriptions:
            assert one.heard(venue.data(name), START + turn) == name
            assert one.heard(venue.data(name + "x"), START + turn) == name + "x"  # none of ours
    assert {stream.messages for stream in one.subscriptions.values()} == {3}
    assert {stream.last_ns for stream in one.subscriptions.values()} == {START + 3}
    assert set(map(id, one._beginnings.values())) == set(map(id, one.subscriptions.values()))
    for asked in asking(frames):
        for answer in venue.ack(asked):  # what holds a known beginning, but is an answer
            assert one.heard(msgspec.json.encode(answer), START + 4) is None
    name = next(iter(one.subscriptions))
    for spaces in range(1000):
        one.heard(b" " * spaces + venue.data(name), START + 5)
    assert len(one._beginnings) <= 8 * len(one.subscriptions)
