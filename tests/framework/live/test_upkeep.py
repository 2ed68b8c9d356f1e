"""What a feed does beside its streams, in virtual time: polls, the venue's clock, instruments, new connections."""

from __future__ import annotations

import attrs
import msgspec
import pytest

from quotewright.feed import BookState
from quotewright.kernel.codes import CLOSED, CONNECTION, GAP, STATUS
from quotewright.live.orders import AbortSocket, CloseSocket, Fetch, OpenSocket
from quotewright.live.settings import LiveSettings
from quotewright.live.status import report
from quotewright.wire import KeepAlive, Poll, Request, WireLimits
from tests.framework.live.test_session import connect, kinds, made, opens
from tests.framework.live.toy import SECOND, START, Book, ToyAdapter, ToyWire, session_of

QUIET = LiveSettings(answer_timeout="0s")


def fetches(session) -> list[Fetch]:
    return [order for order in session.take_orders() if isinstance(order, Fetch)]


def answer_all(session, answer, now_ns: int) -> None:
    """Answer every request that is made, until none is."""
    while asked := fetches(session):
        for fetch in asked:
            status, body = answer(fetch.request.url)
            session.answered(fetch.ticket, status, {}, body, now_ns)


def rows(source, kind) -> list[tuple[int, int, int]]:
    """Receive time, size and id of the rows of *kind*."""
    words = source.buffer.words
    return [
        (words[row * 6 + 1], words[row * 6 + 3], words[row * 6 + 4])
        for row in range(source.buffer.count)
        if words[row * 6 + 5] & 0xFF == kind
    ]


class PolledWire(ToyWire):
    """Has open interest by request alone, and a clock."""

    def polls(self, symbols):
        return [Poll(Request(f"{self.rest}/interest?symbol={symbol}"), 10 * SECOND) for symbol in symbols]

    def time_request(self):
        return Request(f"{self.rest}/time")

    def server_time_ns(self, body):
        return msgspec.json.decode(body).get("now", 0)


def polled(settings=QUIET, wire=PolledWire):
    adapter = ToyAdapter(channels=("book", "trades"))
    adapter.subscribe(("AUSDT", "BUSDT"))
    session, source = session_of(adapter, wire(keep_alive=KeepAlive()), settings)
    session.start(START)
    return session, source, adapter


def test_what_has_no_stream_is_asked_for_again_and_again_and_handed_to_the_adapter():
    session, source, adapter = polled()
    (time, *polls) = fetches(session)
    assert time.request.url.endswith("/time")
    assert [fetch.request.url[-12:] for fetch in polls] == ["symbol=AUSDT", "symbol=BUSDT"]
    before = source.buffer.count
    session.answered(polls[0].ticket, 200, {}, b'{"s":"AUSDT","u":7,"p":"90.00","q":"1"}', START + SECOND)
    assert source.buffer.count == before + 1
    assert adapter.counters.messages == 1
    assert session.deadline_ns <= START + 10 * SECOND
    session.tick(START + 10 * SECOND - 1)
    assert fetches(session) == []
    session.tick(START + 10 * SECOND)  # the one that was not answered is not asked a second time
    assert [fetch.request.url[-12:] for fetch in fetches(session)] == ["symbol=AUSDT"]
    session.unanswered(polls[1].ticket, "no answer", START + 11 * SECOND)
    session.tick(session.requests.deadline_ns)
    assert [fetch.request.url[-12:] for fetch in fetches(session)] == ["symbol=BUSDT"]


@pytest.mark.parametrize(
    ("ahead_ns", "warned"), [(0, False), (999_000_000, False), (1_001_000_000, True), (-5 * SECOND, True)]
)
def test_the_skew_of_the_clocks_is_measured_at_half_way_and_warned_of(ahead_ns, warned):
    session, _, _ = polled()
    time = fetches(session)[0]
    session.answered(time.ticket, 200, {}, b'{"now":%d}' % (START + SECOND + ahead_ns), START + 2 * SECOND)
    told = report(session, START + 3 * SECOND)
    assert told["clock_skew_ms"] == ahead_ns / 1e6
    assert any("clock" in text and "1s is tolerated" in text for text in told["warnings"]) == warned


def test_an_unread_clock_leaves_the_skew_unknown_and_the_next_refresh_asks_again():
    session, _, _ = polled(LiveSettings(answer_timeout="0s", refresh="1h"))
    time = fetches(session)[0]
    session.answered(time.ticket, 503, {}, b"", START + SECOND)
    assert report(session, START + SECOND)["clock_skew_ms"] is None
    session.requests.stop("the test")
    session.requests.final = ""
    session.tick(START + 3600 * SECOND)
    assert [fetch.request.url[-5:] for fetch in fetches(session) if fetch.request.url.endswith("/time")] == ["/time"]


@pytest.mark.parametrize("fault", ["unreadable", "failed"])
def test_a_listing_that_is_not_whole_closes_no_instrument(fault):
    class Pages(PolledWire):
        def instrument_requests(self):
            return [Request(f"{self.rest}/instruments?page={number}") for number in (1, 2)]

    session, source, _ = polled(LiveSettings(answer_timeout="0s", refresh="1h"), Pages)
    answer_all(session, lambda url: (200, b"{}"), START)
    answers = [(400, b"") if fault == "failed" else (200, b'{"other":1}'), (200, b'{"instruments":["AUSDT"]}')]
    session.tick(START + 3600 * SECOND)
    answer_all(session, lambda url: answers["page=2" in url] if "page" in url else (200, b"{}"), START + 3600 * SECOND)
    assert rows(source, STATUS) == []
    session.tick(START + 7200 * SECOND)
    answer_all(session, lambda url: answers[1] if "page" in url else (200, b"{}"), START + 7200 * SECOND)
    assert [size for _, size, _ in rows(source, STATUS)] == [CLOSED]


def test_frames_in_a_row_that_nobody_can_read_open_a_new_connection():
    session, source, adapter = made(("AUSDT",))
    (number,) = opens(session)
    connect(session, [number], START)
    book = Book("AUSDT")
    session.heard(number, book.full(), START + 1)
    session.take_orders()
    for turn in range(10):
        assert [order for order in session.take_orders() if isinstance(order, CloseSocket)] == []
        session.heard(number, b'{"s":7,"u":%d' % turn, START + 2)
    assert [order for order in session.take_orders() if isinstance(order, CloseSocket)] == [
        CloseSocket(number, 1000, "")
    ]
    assert adapter.books["AUSDT"].state is BookState.STALE
    assert kinds(source, GAP) == 1
    session.closed(number, 1000, "", START + 3)
    assert "10 frames in a row could not be read" in report(session, START + 3)["connections"][0]["reason"]
    session.tick(session.deadline_ns)
    orders = session.take_orders()
    assert [order.number for order in orders if isinstance(order, OpenSocket)] == [number]
    assert not [order for order in orders if isinstance(order, AbortSocket)]


def test_a_switch_tells_strategies_of_the_new_connection_and_of_no_loss():
    session, source, _ = made(settings=LiveSettings(answer_timeout="0s", overlap="1s"))
    (old,) = opens(session)
    connect(session, [old], START)
    book = Book("BTCUSDT")
    session.heard(old, book.full(), START)
    session.heard(old, b'{"op":"closing"}', START + SECOND)
    (new,) = opens(session)
    connect(session, [new], START + SECOND)
    session.heard(new, book.full(), START + SECOND)
    assert [(size, number) for _, size, number in rows(source, CONNECTION)] == [(1, old)]
    session.tick(START + 3 * SECOND)
    assert list(session.lines) == [new]
    assert [(size, number) for _, size, number in rows(source, CONNECTION)] == [(1, old), (1, new)]
    session.closed(old, 1000, "", START + 4 * SECOND)  # ours, and no news
    assert len(rows(source, CONNECTION)) == 2
    session.closed(new, 1006, "", START + 5 * SECOND)
    assert [(size, number) for _, size, number in rows(source, CONNECTION)][2:] == [(0, new)]


def test_a_successor_that_fails_is_tried_again_while_the_old_connection_serves():
    session, source, adapter = made(settings=LiveSettings(answer_timeout="0s", overlap="1s"))
    (old,) = opens(session)
    connect(session, [old], START)
    book = Book("BTCUSDT")
    session.heard(old, book.full(), START)
    session.heard(old, b'{"op":"closing"}', START + SECOND)
    (new,) = opens(session)
    session.failed(new, "refused", START + 2 * SECOND)
    session.heard(old, book.update(), START + 2 * SECOND)
    assert adapter.books["BTCUSDT"].state is BookState.SYNCHRONISED
    session.tick(START + 4 * SECOND)
    assert opens(session) == [new]
    assert len(rows(source, CONNECTION)) == 1


def test_what_the_venue_s_limits_leave_out_is_told():
    session, _, _ = made(("AUSDT", "BUSDT", "CUSDT"), limits=WireLimits(connections=2, streams_per_connection=1))
    told = report(session, START)
    assert told["unserved"] == ["book.BUSDT", "book.CUSDT"]
    assert any("2 streams exceed the venue's limits" in text for text in told["warnings"])


def test_a_refreshed_instrument_is_held_against_what_was_told_last():
    session, source, _ = polled(LiveSettings(answer_timeout="0s", refresh="1h"))
    known = session.directory.known
    known["AUSDT"] = attrs.evolve(known["AUSDT"], status="halted")
    for hour in (1, 2):
        now_ns = START + hour * 3600 * SECOND
        session.tick(now_ns)
        answer_all(session, lambda url: (200, b'{"instruments":["AUSDT","BUSDT"]}'), now_ns)
    assert len(rows(source, STATUS)) == 1  # halted → trading, told once
