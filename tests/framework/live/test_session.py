"""A whole feed in virtual time: streams over connections, losses, silence, switches, requests."""

from __future__ import annotations

import pytest

from quotewright.feed import BookState
from quotewright.kernel.codes import CONNECTION, GAP, INSTRUMENT_CHANGE, RESYNC, STATUS
from quotewright.live.orders import Fetch, OpenSocket, SendText
from quotewright.live.settings import LiveSettings
from quotewright.live.status import report
from quotewright.wire import KeepAlive, WireLimits
from tests.framework.live.toy import SECOND, START, Book, ToyAdapter, ToyWire, session_of


def opens(session) -> list[int]:
    return [order.number for order in session.take_orders() if isinstance(order, OpenSocket)]


def connect(session, numbers, now_ns) -> None:
    for number in numbers:
        session.connected(number, now_ns)
        session.opened(number, now_ns)


def made(symbols=("BTCUSDT",), recovers_by="subscription", channels=("book",), settings=None, **wire):
    adapter = ToyAdapter(recovers_by, channels)
    adapter.subscribe(symbols)
    wire.setdefault("keep_alive", KeepAlive())
    session, source = session_of(adapter, ToyWire(**wire), settings or LiveSettings(answer_timeout="0s"))
    session.start(START)
    return session, source, adapter


def kinds(source, kind) -> int:
    words = source.buffer.words
    return sum(words[row * 6 + 5] & 0xFF == kind for row in range(source.buffer.count))


def test_only_the_symbols_of_a_lost_connection_are_stale():
    session, source, adapter = made(("AUSDT", "BUSDT", "CUSDT"), limits=WireLimits(streams_per_connection=1))
    numbers = opens(session)
    connect(session, numbers, START)
    books = {symbol: Book(symbol) for symbol in adapter.subscribed}
    for number, book in zip(numbers, books.values(), strict=True):
        session.heard(number, book.full(), START + 1)
    session.closed(numbers[1], 1006, "", START + 2)
    states = {symbol: book.state for symbol, book in adapter.books.items()}
    assert states == {
        "AUSDT": BookState.SYNCHRONISED,
        "BUSDT": BookState.STALE,
        "CUSDT": BookState.SYNCHRONISED,
    }
    assert kinds(source, GAP) == 1
    assert kinds(source, CONNECTION) == 4
    session.tick(session.deadline_ns)
    assert opens(session) == [numbers[1]]
    connect(session, [numbers[1]], START + 5 * SECOND)
    session.heard(numbers[1], books["BUSDT"].full(), START + 6 * SECOND)
    assert adapter.books["BUSDT"].state is BookState.SYNCHRONISED
    assert kinds(source, RESYNC) == 1
    assert report(session, START + 7 * SECOND)["books"]["BUSDT"]["stale_ns"] == 6 * SECOND - 2


@pytest.mark.parametrize("configured", [False, True])
def test_m06_a_silent_book_is_stale_at_its_limit_and_not_before(configured):
    settings = LiveSettings(answer_timeout="0s", silence="40s" if configured else None)
    keep = KeepAlive(every_ns=20 * SECOND)  # twice the heartbeat is the same 40 s
    session, source, adapter = made(settings=settings, keep_alive=keep)
    (number,) = opens(session)
    connect(session, [number], START)
    book = Book("BTCUSDT")
    session.heard(number, book.full(), START)
    session.heard(number, book.update(), START + 5 * SECOND)
    for second in (20, 40):
        session.tick(START + second * SECOND)
        session.ponged(number, START + second * SECOND)  # the connection itself lives
    limit_ns = START + 45 * SECOND
    session.tick(limit_ns - 1)
    assert adapter.books["BTCUSDT"].state is BookState.SYNCHRONISED
    session.take_orders()
    assert session.deadline_ns <= limit_ns
    session.tick(limit_ns)
    assert adapter.books["BTCUSDT"].state is BookState.STALE
    assert kinds(source, GAP) == 1
    asked = [order.frame for order in session.take_orders() if isinstance(order, SendText)]
    assert [b"unsubscribe" in frame for frame in asked] == [True, False]
    session.heard(number, book.full(), limit_ns + 1)
    assert adapter.books["BTCUSDT"].state is BookState.SYNCHRONISED
    assert session.counters.silences == 1


def test_a_gap_in_one_book_asks_for_its_stream_alone():
    session, _, adapter = made(("AUSDT", "BUSDT"))
    (number,) = opens(session)
    connect(session, [number], START)
    a, b = Book("AUSDT"), Book("BUSDT")
    session.heard(number, a.full(), START)
    session.heard(number, b.full(), START)
    session.take_orders()
    a.update()
    session.heard(number, a.update(), START + 1)
    asked = [order.frame for order in session.take_orders() if isinstance(order, SendText)]
    assert [b"AUSDT" in frame and b"BUSDT" not in frame for frame in asked] == [True, True]
    assert adapter.books["BUSDT"].state is BookState.SYNCHRONISED


def test_a_snapshot_over_rest_is_fetched_through_the_queue_of_requests():
    session, _, adapter = made(recovers_by="snapshot")
    (number,) = opens(session)
    connect(session, [number], START)
    book = Book("BTCUSDT")
    session.heard(number, book.update(), START + 1)
    (fetch,) = [order for order in session.take_orders() if isinstance(order, Fetch)]
    assert fetch.request.url == "https://toy.example/depth?symbol=BTCUSDT"
    session.answered(fetch.ticket, 200, {}, book.full(), START + 2)
    assert adapter.books["BTCUSDT"].state is BookState.SYNCHRONISED
    session.answered(fetch.ticket, 200, {}, book.full(), START + 3)
    assert session.requests.dropped == 1  # the same answer a second time


def test_a_snapshot_that_comes_when_its_connection_is_gone_makes_no_book_good():
    """Nothing would follow it: the book would stand still and be quoted on until the connection is back."""
    session, _, adapter = made(recovers_by="snapshot")
    (number,) = opens(session)
    connect(session, [number], START)
    book = Book("BTCUSDT")
    session.heard(number, book.update(), START + 1)
    (fetch,) = [order for order in session.take_orders() if isinstance(order, Fetch)]
    session.closed(number, 1006, "", START + 2)
    session.answered(fetch.ticket, 200, {}, book.full(), START + 3)
    assert adapter.books["BTCUSDT"].state is not BookState.SYNCHRONISED
    assert session.counters.orphans == 1
    session.tick(session.deadline_ns)
    connect(session, opens(session), START + 5 * SECOND)
    session.heard(number, book.update(), START + 6 * SECOND)
    (again,) = [order for order in session.take_orders() if isinstance(order, Fetch)]
    session.answered(again.ticket, 200, {}, book.full(), START + 7 * SECOND)
    assert adapter.books["BTCUSDT"].state is BookState.SYNCHRONISED


@pytest.mark.parametrize(
    ("headers", "least", "most"),
    [
        ({"retry-after": "7"}, 7, 7),
        ({"retry-after": "Thu, 01 Jan 2026 00:00:30 GMT", "date": "Thu, 01 Jan 2026 00:00:00 GMT"}, 30, 30),
        ({}, 1, 60),
        ({"retry-after": "0"}, 1, 2),
        ({"retry-after": "-5"}, 1, 2),
        ({"retry-after": "99999999"}, 60, 3600),
    ],
)
def test_c12_after_429_nothing_is_asked_before_the_time(headers, least, most):
    session, _, _ = made(recovers_by="snapshot")
    (number,) = opens(session)
    connect(session, [number], START)
    session.heard(number, Book("BTCUSDT").update(), START)
    (fetch,) = [order for order in session.take_orders() if isinstance(order, Fetch)]
    session.answered(fetch.ticket, 429, headers, b"", START)
    due_ns = session.requests.deadline_ns
    assert least * SECOND <= due_ns - START <= most * SECOND
    session.tick(due_ns - 1)
    assert not [order for order in session.take_orders() if isinstance(order, Fetch)]
    session.requests.tick(due_ns)
    assert [order for order in session.take_orders() if isinstance(order, Fetch)]


@pytest.mark.parametrize("status", [401, 403, 451])
def test_c11_a_final_answer_ends_all_requests_and_is_told(status):
    session, _, _ = made(recovers_by="snapshot")
    (number,) = opens(session)
    connect(session, [number], START)
    session.heard(number, Book("BTCUSDT").update(), START)
    (fetch,) = [order for order in session.take_orders() if isinstance(order, Fetch)]
    session.answered(fetch.ticket, status, {}, b"", START)
    session.tick(START + 600 * SECOND)
    assert not [order for order in session.take_orders() if isinstance(order, Fetch)]
    (warning,) = [text for text in report(session, START)["warnings"] if "no request is made" in text]
    assert str(status) in warning
    assert status != 451 or "'rest'" in warning


def switched(seed: int, lead: int):
    """A session over the venue's limit: the new connection is *lead* updates ahead of (or behind) the old one."""
    settings = LiveSettings(answer_timeout="0s", switch_before="5m", overlap="1s")
    session, source, adapter = made(
        settings=settings, limits=WireLimits(life_ns=86_400 * SECOND), channels=("book", "trades")
    )
    (old,) = opens(session)
    connect(session, [old], START)
    book = Book("BTCUSDT", seed)
    session.heard(old, book.full(), START)
    due_ns = START + (86_400 - 300) * SECOND
    session.tick(due_ns - 1)
    assert opens(session) == []
    session.tick(due_ns)
    (new,) = opens(session)
    updates = [frame for _ in range(400) for frame in (book.update(), book.trade())]
    first = book.full()
    connect(session, [new], due_ns)
    now_ns = due_ns
    for place in range(-abs(lead), len(updates)):
        now_ns += 5_000_000
        ahead, behind = place + max(lead, 0), place - max(-lead, 0)
        if place == 0:
            session.heard(new, _snapshot_before(updates, ahead, first), now_ns)
        if place >= 0 and ahead < len(updates):
            session.heard(new, updates[ahead], now_ns)
        if 0 <= behind < len(updates) and old in session.lines:
            session.heard(old, updates[behind], now_ns)
        elif 0 <= place < len(updates) and behind < 0:
            session.heard(old, updates[place], now_ns)
        session.tick(now_ns)
    return session, source, adapter, book, (old, new)


def _snapshot_before(updates, place, full: bytes) -> bytes:
    """A snapshot as the new connection begins with: of the update before its first."""
    import msgspec

    number = next(msgspec.json.decode(frame)["u"] for frame in updates[place:] if b'"b"' in frame) - 1
    snapshot = msgspec.json.decode(full)
    return msgspec.json.encode(snapshot | {"u": number})


@pytest.mark.parametrize("lead", [0, 2, 10])
@pytest.mark.parametrize("seed", [1, 2])
def test_c06_the_switch_leaves_no_gap_even_where_the_new_connection_is_ahead(seed, lead):
    session, source, adapter, book, (_, new) = switched(seed, lead)
    assert list(session.lines) == [new]
    assert session.counters.switches == 1
    assert adapter.books["BTCUSDT"].last_id == book.number
    assert adapter.counters.gaps == 0
    assert kinds(source, GAP) == 0
    assert report(session, START + 90_000 * SECOND)["books"]["BTCUSDT"]["stale_ns"] == 0
    assert session.counters.duplicates > 0  # trades that both connections brought were written once


def test_c06_a_closing_notice_begins_the_switch_at_once_and_an_early_close_is_covered():
    session, source, adapter = made()
    (old,) = opens(session)
    connect(session, [old], START)
    book = Book("BTCUSDT")
    session.heard(old, book.full(), START)
    session.heard(old, b'{"op":"closing"}', START + SECOND)
    (new,) = opens(session)
    connect(session, [new], START + SECOND + 1)
    session.heard(new, book.full(), START + SECOND + 2)
    frame = book.update()
    session.heard(new, frame, START + SECOND + 3)
    session.closed(old, 1001, "", START + SECOND + 4)  # before the overlap was over
    assert list(session.lines) == [new]
    assert adapter.books["BTCUSDT"].last_id == book.number
    assert kinds(source, GAP) == 0


def test_changes_of_instruments_become_rows():
    import attrs

    session, source, _ = made(("AUSDT", "BUSDT"))
    connect(session, opens(session), START)
    known = session.directory.known["AUSDT"]
    session.notes.instrument(known, attrs.evolve(known, tick_steps=5), START + 1)
    session.notes.instrument(known, attrs.evolve(known, status="halted"), START + 2)
    session.notes.instrument(known, None, START + 3)
    assert kinds(source, INSTRUMENT_CHANGE) == 1
    assert kinds(source, STATUS) == 2


def test_the_refresh_finds_an_instrument_that_is_listed_no_more():
    session, source, _ = made(("AUSDT", "BUSDT"), settings=LiveSettings(answer_timeout="0s", refresh="1h"))
    connect(session, opens(session), START)
    session.take_orders()
    session.tick(START + 3600 * SECOND)
    (fetch,) = [order for order in session.take_orders() if isinstance(order, Fetch)]
    session.answered(fetch.ticket, 200, {}, b'{"instruments":["AUSDT"]}', START + 3601 * SECOND)
    assert kinds(source, STATUS) == 1


def test_memory_of_a_queue_is_bounded_by_giving_up_the_busiest_books_and_never_own_events():
    from quotewright.live.frames import FrameQueue

    queue = FrameQueue(100, lambda number, frame: (frame.decode(), frame != b"own"))
    shed = []
    for number in range(1_000):
        name = b"own" if number % 50 == 0 else b"busy" if number % 3 else b"calm"
        if queue.put(number, 1, name):
            shed += queue.shed()
    assert set(shed) <= {"busy", "calm"}
    assert shed[0] == "busy"
    assert len(queue) <= 100
    assert sum(content == b"own" for _, _, content in queue.entries) == 20
