"""One connection in virtual time."""

from __future__ import annotations

import random

import pytest

from quotewright.feed import Stream
from quotewright.kernel.codes import NEVER
from quotewright.live.backoff import Backoff
from quotewright.live.budget import Windows
from quotewright.live.connection import Connection, ConnectionState
from quotewright.live.orders import AbortSocket, CloseSocket, OpenSocket, SendPing, SendText
from quotewright.live.settings import LiveSettings
from quotewright.live.streams import StreamState, place
from quotewright.wire import KeepAlive, Trouble, Window, WireLimits
from tests.framework.live.toy import SECOND, START, ToyWire

BOOK = Stream("book.BTCUSDT", "BTCUSDT", "book")
TRADES = Stream("trades.BTCUSDT", "BTCUSDT", "trades")
DATA = b'{"s":"BTCUSDT","u":1}'


def connection(wire=None, streams=(BOOK,), connects=(), sends=(), **settings) -> Connection:
    made = LiveSettings(**settings)
    pause = Backoff(int(made.backoff), int(made.backoff_most), int(made.healthy), random.Random(3))
    return Connection(1, "", streams, wire or ToyWire(), made, pause, Windows(connects), Windows(sends))


def opened(one: Connection, now_ns: int = START) -> list:
    """Open it without delay and return what it ordered once it was open."""
    one.open(now_ns)
    assert one.take_orders() == [OpenSocket(1, "wss://toy.example/")]
    one.connected(now_ns)
    one.opened(now_ns)
    return one.take_orders()


def texts(orders) -> list[bytes]:
    return [order.frame for order in orders if isinstance(order, SendText)]


def test_streams_are_asked_acknowledged_and_live():
    one = connection()
    (frame,) = texts(opened(one))
    assert b'"subscribe"' in frame
    subscription = one.subscriptions["book.BTCUSDT"]
    assert subscription.state == StreamState.ASKED
    assert one.heard(b'{"op":"ok","id":1000001}', START + 1) is None
    assert subscription.state == StreamState.ACKNOWLEDGED
    assert one.heard(DATA, START + 2) == "book.BTCUSDT"
    assert subscription.state == StreamState.LIVE
    assert not one.is_settling


def test_c09_data_count_as_an_answer_and_a_second_acknowledgement_changes_nothing():
    one = connection()
    opened(one)
    one.heard(DATA, START + 1)
    one.heard(b'{"op":"ok","args":["book.BTCUSDT"]}', START + 2)
    one.heard(b'{"op":"ok","args":["book.BTCUSDT"]}', START + 3)
    assert one.subscriptions["book.BTCUSDT"].state == StreamState.LIVE
    assert one.counters.acknowledged_twice == 2


def test_c09_a_refusal_is_final_unless_the_venue_says_otherwise():
    one = connection(streams=(BOOK, TRADES))
    opened(one)
    one.heard(b'{"op":"no","args":["book.BTCUSDT"],"text":"no such stream"}', START + 1)
    one.heard(b'{"op":"no","args":["trades.BTCUSDT"],"text":"busy","final":false}', START + 1)
    assert one.subscriptions["book.BTCUSDT"].state == StreamState.REFUSED
    assert "no such stream" in one.subscriptions["book.BTCUSDT"].reason
    assert one.subscriptions["trades.BTCUSDT"].state == StreamState.SILENT
    one.tick(one.deadline_ns)
    (ended,) = texts(one.take_orders())
    assert b'"unsubscribe"' in ended
    one.tick(one.deadline_ns)  # nothing is said to it
    (again,) = texts(one.take_orders())
    assert b"trades" in again
    assert one.subscriptions["book.BTCUSDT"].state == StreamState.REFUSED
    one.closed(1006, "", START + 5 * SECOND)
    one.tick(one.deadline_ns)
    one.connected(START + 90 * SECOND)
    one.opened(START + 90 * SECOND)
    assert not any(b"book" in frame for frame in texts(one.take_orders()))


@pytest.mark.parametrize("acknowledged", [False, True])
def test_c09_a_stream_without_answer_or_data_is_asked_for_again_at_its_deadline(acknowledged):
    one = connection(answer_timeout="10s", data_timeout="30s")
    opened(one)
    due_ns = START + 10 * SECOND
    if acknowledged:
        one.heard(b'{"op":"ok","id":1000001}', START + SECOND)
        due_ns = START + 31 * SECOND
    one.tick(due_ns - 1)
    assert one.take_orders() == []
    one.tick(due_ns)
    (ended,) = texts(one.take_orders())
    assert b'"unsubscribe"' in ended
    one.heard(b'{"op":"ok","id":1000002}', due_ns + 1)
    (again,) = texts(one.take_orders())
    assert b'"subscribe"' in again
    expected = "no data within 30s" if acknowledged else "no answer to the subscription within 10s"
    assert expected in one.subscriptions["book.BTCUSDT"].reason


@pytest.mark.parametrize(
    "said", [b'{"op":"ok","id":1000002}', b'{"op":"no","id":1000002,"args":["book.BTCUSDT"]}', None]
)
def test_a_stream_is_asked_for_anew_only_when_its_end_was_answered_or_is_late(said):
    one = connection(streams=(BOOK, TRADES), answer_timeout="10s")
    opened(one)
    one.heard(b'{"op":"ok","id":1000001}', START)
    one.heard(DATA, START)
    now_ns = START + SECOND
    assert one.ask_again("book.BTCUSDT", now_ns)
    (ended,) = texts(one.take_orders())
    assert ended == b'{"op":"unsubscribe","id":1000002,"args":["book.BTCUSDT"]}'
    assert not one.ask_again("book.BTCUSDT", now_ns)  # under way
    one.heard(DATA, now_ns + 1)  # what was still on its way
    assert one.subscriptions["book.BTCUSDT"].state == StreamState.WAITING
    if said is None:
        assert one.deadline_ns == now_ns + 2 * SECOND
        one.tick(now_ns + 2 * SECOND - 1)
        assert one.take_orders() == []
        one.tick(now_ns + 2 * SECOND)
        one.heard(b'{"op":"ok","id":1000002}', now_ns + 2 * SECOND)  # too late to matter
    else:
        one.heard(said, now_ns + 1)
    (again,) = texts(one.take_orders())
    assert again == b'{"op":"subscribe","id":1000003,"args":["book.BTCUSDT"]}'
    assert one.subscriptions["book.BTCUSDT"].state == StreamState.ASKED
    one.heard(DATA, now_ns + 3 * SECOND)
    assert one.subscriptions["book.BTCUSDT"].state == StreamState.LIVE
    assert one.subscriptions["trades.BTCUSDT"].state == StreamState.ACKNOWLEDGED


def test_a_connection_lost_while_a_stream_ends_asks_for_it_with_the_others():
    one = connection(streams=(BOOK, TRADES))
    opened(one)
    one.heard(DATA, START)
    one.ask_again("book.BTCUSDT", START)
    one.closed(1006, "", START + 1)
    one.tick(one.deadline_ns)
    one.take_orders()
    one.connected(START + 9 * SECOND)
    one.opened(START + 9 * SECOND)
    (asked,) = texts(one.take_orders())
    assert b"book.BTCUSDT" in asked
    one.heard(DATA, START + 9 * SECOND)
    assert one.subscriptions["book.BTCUSDT"].state == StreamState.LIVE


def test_c09_a_trade_stream_may_stay_quiet_after_its_acknowledgement():
    one = connection(streams=(TRADES,), wire=ToyWire(keep_alive=KeepAlive()))
    opened(one)
    one.heard(b'{"op":"ok","id":1000001}', START + 1)
    assert one.deadline_ns == NEVER


@pytest.mark.parametrize(
    ("stage", "timeout", "reason"),
    [("connect", 7, "did not open within 7s"), ("handshake", 3, "handshake was not answered within 3s")],
)
def test_c02_connect_and_handshake_have_a_deadline_each(stage, timeout, reason):
    one = connection(connect_timeout="7s", handshake_timeout="3s")
    one.open(START)
    one.take_orders()
    if stage == "handshake":
        one.connected(START)
    due_ns = START + timeout * SECOND
    one.tick(due_ns - 1)
    assert one.take_orders() == []
    one.tick(due_ns)
    assert one.take_orders()[0] == AbortSocket(1)
    assert reason in one.reason
    assert one.state in (ConnectionState.WAITING, ConnectionState.CONNECTING)


def test_c02_a_closing_handshake_has_its_own_deadline():
    one = connection(close_timeout="5s")
    opened(one)
    one.reopen("ten frames in a row could not be read", START)
    assert one.take_orders() == [CloseSocket(1, 1000, "")]
    one.tick(START + 5 * SECOND - 1)
    assert one.state == ConnectionState.CLOSING
    one.tick(START + 5 * SECOND)
    assert one.take_orders()[0] == AbortSocket(1)
    assert one.reason == "ten frames in a row could not be read"


@pytest.mark.parametrize("frame", [b"", b'{"op":"ping"}'])
def test_c03_a_half_open_connection_is_found_by_the_missing_answer_to_our_ping(frame):
    keep = KeepAlive(every_ns=20 * SECOND, frame=frame, answer_ns=10 * SECOND)
    one = connection(ToyWire(keep_alive=keep), answer_timeout="0s")
    opened(one)
    one.tick(START + 20 * SECOND)
    (sent,) = one.take_orders()
    assert sent == (SendText(1, frame) if frame else SendPing(1, b"%d" % (START + 20 * SECOND)))
    one.tick(START + 30 * SECOND - 1)
    assert one.state == ConnectionState.OPEN
    one.tick(START + 30 * SECOND)
    assert one.take_orders()[0] == AbortSocket(1)
    assert "no answer to our ping" in one.counters.last_reason


@pytest.mark.parametrize("late", [9, 10])
def test_c08_an_answer_in_time_keeps_the_connection_and_so_does_other_traffic(late):
    one = connection(ToyWire(keep_alive=KeepAlive(every_ns=20 * SECOND, answer_ns=10 * SECOND)), answer_timeout="0s")
    opened(one)
    one.tick(START + 20 * SECOND)
    if late == 9:
        one.ponged(START + 29 * SECOND)
    else:
        one.heard(DATA, START + 25 * SECOND)
    one.tick(START + 30 * SECOND)
    assert one.state == ConnectionState.OPEN


def test_c03_nothing_at_all_for_the_venue_s_limit_means_that_the_peer_is_gone():
    one = connection(ToyWire(keep_alive=KeepAlive(silence_ns=60 * SECOND)), answer_timeout="0s")
    opened(one)
    one.heard(DATA, START + 10 * SECOND)
    one.tick(START + 70 * SECOND - 1)
    assert one.state == ConnectionState.OPEN
    one.tick(START + 70 * SECOND)
    assert one.state != ConnectionState.OPEN
    assert "nothing came for 60 s" in one.counters.last_reason


def test_c08_what_the_venue_wants_back_goes_before_what_waits():
    one = connection(sends=(Window("sends", 1, SECOND),), streams=(BOOK,))
    opened(one)
    one.heard(b'{"op":"ping"}', START)
    assert one.take_orders() == []
    one.tick(START + SECOND)
    assert texts(one.take_orders()) == [b'{"op":"pong"}']


@pytest.mark.parametrize("seed", range(20))
def test_frames_keep_to_the_venue_s_windows_and_sizes(seed):
    chance = random.Random(seed)
    limits = WireLimits(streams_per_request=chance.randint(1, 40), bytes_per_request=chance.choice([0, 200, 600]))
    window = Window("sends", chance.randint(1, 5), SECOND)
    streams = [Stream(f"book.S{number}", f"S{number}", "book") for number in range(chance.randint(1, 150))]
    one = connection(ToyWire(limits=limits), streams, sends=(window,), answer_timeout="0s")
    now_ns = START
    sent = [(now_ns, order.frame) for order in opened(one) if isinstance(order, SendText)]
    while any(each.state == StreamState.WAITING for each in one.subscriptions.values()):
        now_ns = one.deadline_ns
        one.tick(now_ns)
        sent += [(now_ns, frame) for frame in texts(one.take_orders())]
    for at_ns, _ in sent:
        assert sum(at_ns - SECOND < other <= at_ns for other, _ in sent) <= window.limit
    for _, frame in sent:
        assert frame.count(b"book.") <= limits.streams_per_request
        assert not limits.bytes_per_request or len(frame) <= limits.bytes_per_request or frame.count(b"book.") == 1
    assert sorted(
        name for _, frame in sent for name in frame.decode().split('"') if name.startswith("book.")
    ) == sorted(stream.name for stream in streams)


def test_c01_pauses_grow_to_the_cap_and_only_a_healthy_time_resets_them():
    one = connection(backoff="1s", backoff_most="60s", healthy="60s")
    one.open(START)
    now_ns = START
    pauses = []
    for _ in range(40):
        one.take_orders()
        one.failed("refused", now_ns)
        pauses.append(one.deadline_ns - now_ns)
        now_ns = one.deadline_ns
        one.tick(now_ns)
    assert max(pauses) <= 60 * SECOND
    assert max(pauses) > 30 * SECOND
    assert pauses[0] <= SECOND
    assert len(set(pauses)) > 30  # jittered
    one.take_orders()
    one.connected(now_ns)
    one.opened(now_ns)
    one.closed(1006, "", now_ns + 59 * SECOND)  # not healthy for long enough
    assert one.pause.tries > 40
    one.tick(one.deadline_ns)
    now_ns = one.deadline_ns
    one.connected(now_ns)
    one.opened(now_ns)
    one.closed(1006, "", now_ns + 60 * SECOND)
    assert one.pause.tries == 1
    assert one.deadline_ns - (now_ns + 60 * SECOND) <= SECOND


def test_c07_connections_that_drop_together_keep_to_the_windows_of_new_connections():
    window = Window("connects", 5, 10 * SECOND)
    shared = Windows((window,))
    settings = LiveSettings()
    many = [
        Connection(
            number,
            "",
            (BOOK,),
            ToyWire(),
            settings,
            Backoff(SECOND, 60 * SECOND, SECOND, random.Random(number)),
            shared,
            Windows(()),
        )
        for number in range(100)
    ]
    attempts = []
    for one in many:
        one.open(START)
    now_ns = START
    while len(attempts) < 300:
        for one in many:
            if any(isinstance(order, OpenSocket) for order in one.take_orders()):
                attempts.append(now_ns)
                one.failed("refused", now_ns)
        now_ns = min(one.deadline_ns for one in many)
        for one in many:
            one.tick(now_ns)
    for at_ns in attempts:
        assert sum(at_ns - window.per_ns < other <= at_ns for other in attempts) <= window.limit


@pytest.mark.parametrize("code", [1000, 1001, 1006, 1008, 1009, 1011, 1012, 1013, 4001, 4401, 4999])
def test_c05_every_close_code_has_a_reaction(code):
    one = connection()
    opened(one)
    one.closed(code, "", START + SECOND)
    assert one.reason.startswith(f"closed with {code}")
    if code == 4401:
        assert one.state == ConnectionState.ENDED
        assert one.deadline_ns == NEVER
    else:
        assert one.state in (ConnectionState.WAITING, ConnectionState.CONNECTING)
    if code == 1008:
        assert one.deadline_ns >= START + 301 * SECOND


def test_c11_a_final_answer_to_the_handshake_ends_the_attempts():
    one = connection()
    one.open(START)
    one.failed("status 451", START, Trouble("final", "answers 451: not served in this region"))
    assert one.state == ConnectionState.ENDED
    assert one.deadline_ns == NEVER


def test_c13_a_ban_is_waited_out():
    one = connection()
    one.open(START)
    one.failed("status 418", START, Trouble("banned", "banned", 120 * SECOND))
    assert one.deadline_ns >= START + 120 * SECOND


def test_priority_tiers_come_first_and_what_is_left_out_is_named():
    streams = [Stream(f"book.{symbol}", symbol, "book") for symbol in "ABCDEF"]
    limits = WireLimits(connections=3, streams_per_connection=2)
    placement = place(streams, limits, [["F"], ["C", "D"]])
    assert [[one.symbol for one in group] for _, group in placement.connections] == [["F", "C"], ["D", "A"]]
    assert [one.symbol for one in placement.unserved] == ["B", "E"]
