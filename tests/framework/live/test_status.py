"""Counts and rates of streams over losses and switches, and what a report makes of a feed's figures."""

from __future__ import annotations

import pytest

from quotewright.live.settings import LiveSettings
from quotewright.live.status import report
from quotewright.report.feeds import MOST_ROWS, feed_lines, feed_warnings, feeds_section, market_of
from tests.framework.live.test_session import connect, made, opens
from tests.framework.live.toy import SECOND, START, Book

STREAM = "book.BTCUSDT"


def test_a_rate_is_that_since_the_connection_was_opened_and_messages_are_all_that_came():
    session, _, _ = made()
    (number,) = opens(session)
    connect(session, [number], START)
    book = Book("BTCUSDT")
    for _ in range(100):
        session.heard(number, book.full(), START + SECOND)
    assert report(session, START + 10 * SECOND)["streams"][STREAM]["rate"] == 10.0
    session.closed(number, 1006, "", START + 10 * SECOND)
    session.tick(START + 100 * SECOND)
    connect(session, [number], START + 100 * SECOND)
    for _ in range(4):
        session.heard(number, book.full(), START + 101 * SECOND)
    told = report(session, START + 102 * SECOND)["streams"][STREAM]
    assert (told["messages"], told["rate"], told["age_ms"]) == (104, 2.0, 1000.0)


def test_counts_of_a_stream_go_on_when_one_connection_replaces_another():
    session, _, _ = made(settings=LiveSettings(answer_timeout="0s", overlap="1s"))
    (old,) = opens(session)
    connect(session, [old], START)
    book = Book("BTCUSDT")
    for _ in range(10):
        session.heard(old, book.full(), START)
    session.heard(old, b'{"op":"closing"}', START + SECOND)
    (new,) = opens(session)
    connect(session, [new], START + SECOND)
    for _ in range(4):
        session.heard(new, book.full(), START + SECOND)
    session.tick(START + 3 * SECOND)
    assert list(session.lines) == [new]
    told = report(session, START + 5 * SECOND)["streams"][STREAM]
    assert (told["messages"], told["rate"]) == (14, 1.0)


@pytest.fixture
def summary():
    """The figures of a feed that lost its connection once and read a frame in vain."""
    session, _, adapter = made()
    (number,) = opens(session)
    connect(session, [number], START)
    book = Book("BTCUSDT")
    session.heard(number, book.full(), START)
    session.closed(number, 1006, "<gone>", START + SECOND)
    session.tick(START + 30 * SECOND)
    connect(session, [number], START + 30 * SECOND)
    session.heard(number, book.full(), START + 31 * SECOND)
    adapter.bad_frame("json", "no frame at all")
    session.tell("odd things happen")
    told = report(session, START + 41 * SECOND) | {"lag_ms": 0.25, "longest_lag_ms": 17.5}
    return {"feeds": {"market": told}, "tape": None}


def test_a_report_shows_streams_books_connections_and_errors(summary):
    page = feeds_section(summary)
    assert page.startswith("<h2>Feeds</h2>")
    for part in (
        f"<tr><td>{STREAM}</td><td>live</td><td>2</td><td>0.1</td><td>10,000 ms before the end</td><td>1</td>",
        "<tr><td>BTCUSDT</td><td>good</td><td>2</td><td>1</td><td>1</td><td>none sent</td><td>30.000 s</td></tr>",
        "<td>open</td><td>twice</td><td>once (",
        "&lt;gone&gt;",
        "json 1 (last: no frame at all)",
        "0.2 ms, 17.5 ms",
        "unknown",
    ):
        assert part in page, part
    assert "<gone>" not in page  # what a peer says is no markup


def test_a_summary_tells_a_feed_in_one_line_and_its_warnings(summary):
    assert feed_lines(summary) == [
        (
            "feed market",
            "toy: 2 messages, 1 gap, 1 resync, 1 decode error, 1 loss of a connection, lag at most 17.5 ms",
        )
    ]
    assert feed_warnings(summary) == ["feed market: odd things happen"]
    assert market_of(summary) == " on the live market of toy"


def test_a_run_without_live_feeds_tells_nothing_of_them():
    summary = {"tape": None}
    assert (feeds_section(summary), feed_lines(summary), feed_warnings(summary)) == ("", [], [])
    assert market_of(summary) == " on a synthetic market"
    assert market_of({"tape": {"is_synthetic": False}}) == " on a recorded market"


def test_long_tables_end_and_say_so(summary):
    feed = summary["feeds"]["market"]
    feed["streams"] = {f"stream {number}": feed["streams"][STREAM] for number in range(MOST_ROWS + 30)}
    page = feeds_section(summary)
    assert f"stream {MOST_ROWS - 1}<" in page
    assert f"stream {MOST_ROWS}<" not in page
    assert "30 more stand in summary.json" in page
