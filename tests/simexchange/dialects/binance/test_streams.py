"""Control frames, forms, pings and lives of connections to market streams."""

from __future__ import annotations

import json
from typing import Any

import pytest

from quotewright_simexchange.dialects.binance.keepalive import Pace
from quotewright_simexchange.dialects.binance.streams import Hub, StreamSession, asked_streams
from tests.simexchange.dialects.binance.support import Wire

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND


class Names(Hub):
    """Remembers what began and ended."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[tuple[str, str]] = []

    def begin(self, name: str) -> None:
        self.told.append(("begin", name))

    def finish(self, name: str) -> None:
        self.told.append(("finish", name))


def opened(hub: Hub, pace: Pace | None = None) -> tuple[StreamSession, Wire]:
    wire = Wire()
    return StreamSession(hub, wire, pace or Pace(messages_per_second=0), START), wire


def said(session: StreamSession, wire: Wire, frame: object, now_ns: int = START) -> Any:
    session.heard(frame if isinstance(frame, bytes) else json.dumps(frame).encode(), now_ns)
    return wire.last()


@pytest.mark.parametrize("number", [7, "7", "3f2a", "btcusdt@trade", None, -3])
def test_subscriptions_come_and_go_and_echo_the_id_as_it_came(number: object) -> None:
    hub = Names()
    session, wire = opened(hub)
    names = ["btcusdt@depth@100ms", "btcusdt@trade"]
    ack = {"result": None, "id": number}
    assert said(session, wire, {"method": "SUBSCRIBE", "params": names, "id": number}) == ack
    assert said(session, wire, {"method": "SUBSCRIBE", "params": names[:1], "id": number}) == ack
    assert said(session, wire, {"method": "LIST_SUBSCRIPTIONS", "id": number}) == {"result": names, "id": number}
    assert said(session, wire, {"method": "UNSUBSCRIBE", "params": [names[0], "never@had"], "id": number}) == ack
    assert said(session, wire, {"method": "LIST_SUBSCRIPTIONS", "id": number}) == {"result": names[1:], "id": number}
    session.closed()
    assert hub.told == [("begin", names[0]), ("begin", names[1]), ("finish", names[0]), ("finish", names[1])]
    assert not hub.subscribers


def test_raw_and_combined_forms_of_one_event() -> None:
    hub = Names()
    session, wire = opened(hub)
    said(session, wire, {"method": "SUBSCRIBE", "params": ["x@trade"], "id": 1})
    hub.publish("x@trade", lambda time: {"E": time(START)})
    assert wire.last() == {"E": 1_700_000_000_000}
    assert said(session, wire, {"method": "GET_PROPERTY", "params": ["combined"], "id": 2})["result"] is False
    said(session, wire, {"method": "SET_PROPERTY", "params": ["combined", True], "id": 3})
    assert said(session, wire, {"method": "GET_PROPERTY", "params": ["combined"], "id": 4})["result"] is True
    session.is_micro = True
    hub.publish("x@trade", lambda time: {"E": time(START)})
    assert wire.last() == {"stream": "x@trade", "data": {"E": 1_700_000_000_000_000}}


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ({"method": "SET_PROPERTY", "params": ["colour", True], "id": 1}, 0),
        ({"method": "SET_PROPERTY", "params": ["combined", "yes"], "id": 1}, 1),
        ({"method": "SET_PROPERTY", "params": ["combined"], "id": 1}, 2),
        ({"method": "LOOK", "params": [], "id": 1}, 2),
        ({"params": [], "id": 1}, 2),
        ({"method": "SUBSCRIBE", "id": 1}, 2),
        ({"method": "SUBSCRIBE", "params": "x@trade", "id": 1}, 2),
        ({"method": "SUBSCRIBE", "params": [1], "id": 1}, 2),
        ({"method": "SUBSCRIBE", "params": ["x"], "id": 1.5}, 2),
        ({"method": "SUBSCRIBE", "params": ["x"], "id": "i" * 37}, 2),
        ([], 2),
        (b"{", 3),
        (b"[" * 100_000, 3),
        (b'{"method": "SUBSCRIBE", "params": ["x"], "id": "\\ud800"}', 3),
        (b'{"method": "SUBSCRIBE", "params": ["\\udc00@trade"], "id": 1}', 3),
        ({"method": "SUBSCRIBE", "params": [1.5], "id": 1}, 2),
    ],
)
def test_bad_frames_are_answered_with_the_venues_codes(frame: object, code: int) -> None:
    session, wire = opened(Names())
    answer = said(session, wire, frame)
    assert answer["code"] == code
    assert not session.names


def test_more_streams_than_a_connection_may_have_are_refused() -> None:
    session, wire = opened(Names(), Pace(messages_per_second=0, streams=2))
    assert said(session, wire, {"method": "SUBSCRIBE", "params": ["a", "b", "c"], "id": 1})["code"] == 2
    assert said(session, wire, {"method": "SUBSCRIBE", "params": ["a", "b"], "id": 1})["result"] is None
    assert said(session, wire, {"method": "SUBSCRIBE", "params": ["a", "b"], "id": 1})["result"] is None


def test_too_many_messages_a_second_close_the_connection() -> None:
    session, wire = opened(Names(), Pace(messages_per_second=5))
    for number in range(4):
        said(session, wire, {"method": "LIST_SUBSCRIPTIONS", "id": number})
    session.pinged(b"", START)
    said(session, wire, {"method": "LIST_SUBSCRIPTIONS", "id": 5}, START + SECOND)
    assert wire.closes == []
    for _ in range(5):
        session.pinged(b"", START + SECOND)
    assert wire.closes == [(1008, "Too many requests")]
    session.heard(b"{}", START + 2 * SECOND)
    assert wire.last()["id"] == 5


def test_pings_must_be_answered_with_what_they_held() -> None:
    session, wire = opened(Names())
    assert session.deadline_ns == START + 20 * SECOND
    session.tick(START + 20 * SECOND)
    session.ponged(b"", START + 20 * SECOND)
    session.ponged(wire.pings[0], START + 21 * SECOND)
    session.tick(START + 40 * SECOND)
    session.tick(START + 60 * SECOND)
    assert session.deadline_ns == START + 80 * SECOND
    session.tick(START + 100 * SECOND - 1)
    assert wire.closes == []
    session.tick(START + 100 * SECOND)
    assert wire.closes == [(1008, "Pong timeout")]
    assert len(wire.pings) == 4


def test_a_connection_lives_a_day_and_is_told_before() -> None:
    session, wire = opened(Names(), Pace(ping_ns=1 << 60))
    session.tick(START + 86_400 * SECOND - 601 * SECOND)
    assert wire.frames == []
    session.tick(session.deadline_ns)
    assert wire.last()["e"] == "serverShutdown"
    session.tick(session.deadline_ns)
    assert wire.closes[0][0] == 1001


@pytest.mark.parametrize(
    ("path", "query", "wanted"),
    [
        ("/ws", b"", ([], False)),
        ("/ws/btcusdt@trade/btcusdt@depth", b"", (["btcusdt@trade", "btcusdt@depth"], False)),
        ("/ws/btcusdt%40trade", b"", (["btcusdt@trade"], False)),
        ("/stream", b"streams=a@trade/b@trade", (["a@trade", "b@trade"], True)),
        ("/stream", b"", ([], True)),
        ("/stream/ws/3", b"", ([], False)),
        ("/public/ws/0", b"", ([], False)),
        ("/market/stream", b"streams=a%40trade", (["a@trade"], True)),
        ("/elsewhere", b"", None),
    ],
)
def test_addresses_of_streams(path: str, query: bytes, wanted: object) -> None:
    assert asked_streams(path, query) == wanted
