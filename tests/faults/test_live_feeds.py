"""Rows of the catalogue over live sessions of every exchange: adapter, wire, connections, requests."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from quotewright.feed import MINUTE, BookState
from quotewright.kernel.codes import GAP
from quotewright.live.orders import Fetch
from quotewright.wire import Request
from tests.faults.dialects import HERE, SECOND, Dialect, Market
from tests.faults.live import Live
from tests.faults.test_connections import http_date
from tests.framework.live.test_session import kinds
from tests.framework.live.toy import START

EVERY = pytest.mark.parametrize("dialect", HERE.values(), ids=HERE)


def good(dialect: Dialect, **keys: object) -> tuple[Live, Market]:
    """Return a live feed whose book is good."""
    live, market = Live(dialect, **keys), Market(dialect, 400)
    if live.adapter.recovers_by == "snapshot":
        live.hear(market.updates[0])
    live.hear(market.image())
    assert live.state is BookState.SYNCHRONISED
    return live, market


@EVERY
def test_m05_a_live_feed_asks_for_its_book_a_few_times_a_minute_only(dialect: Dialect) -> None:
    live, market = good(dialect)
    first = len(live.recoveries())
    old = market.image().raw

    def refused(fetch: Fetch) -> None:
        """Answer with an image that is older than what waits."""
        if "depth" in fetch.request.url:
            live.session.answered(fetch.ticket, 200, {}, old, live.now_ns)

    live.on_fetch = refused
    for number in range(2, 399):
        live.at(live.now_ns + SECOND)
        live.hear(market.updates[number])
        assert live.state is BookState.STALE, number
    asked = live.recoveries()[first:]
    most = live.adapter.snapshot_tries_per_minute
    assert len(asked) >= 5 * most, "it goes on asking"
    assert max(sum(at <= other < at + MINUTE for other in asked) for at in asked) <= most
    if live.adapter.recovers_by == "snapshot":
        assert live.adapter.counters.snapshots_refused == len(asked)
    live.on_fetch = live.fetches.append
    live.at(live.now_ns + MINUTE)
    live.hear(market.image(400))
    assert live.state is BookState.SYNCHRONISED


@EVERY
@pytest.mark.parametrize("configured", [None, "7s"])
def test_m06_a_silent_book_of_every_exchange_is_stale_at_its_limit_and_not_before(
    dialect: Dialect, configured: str | None
) -> None:
    live, market = good(dialect, silence=configured)
    silence_ns = live.session.silence_ns
    assert silence_ns == 7 * SECOND if configured else silence_ns >= 20 * SECOND
    live.at(START + 3 * SECOND)
    live.hear(market.updates[1 if live.adapter.recovers_by == "snapshot" else 0])
    last_ns = live.now_ns
    live.at(last_ns + silence_ns - 1)
    assert (live.state, live.session.counters.silences) == (BookState.SYNCHRONISED, 0)
    gaps = kinds(live.source, GAP)
    asked = len(live.recoveries())
    live.at(last_ns + silence_ns)
    assert live.state is BookState.STALE
    assert live.session.counters.silences == 1
    assert kinds(live.source, GAP) == gaps + 1
    assert len(live.recoveries()) == asked + 1


@EVERY
def test_m06_a_connection_on_which_nothing_comes_at_all_is_given_up(dialect: Dialect) -> None:
    live, _ = good(dialect, silence="1h")
    line = live.session.lines[live.book_connection]
    keep = live.wire.keep_alive
    limit_ns = keep.silence_ns or keep.every_ns + keep.answer_ns
    live.at(START + limit_ns // 2, are_alive=False)
    assert line.connection.counters.losses == 0
    live.at(START + 2 * limit_ns, are_alive=False)
    assert line.connection.counters.losses >= 1
    assert live.state is BookState.STALE


RETRY_AFTER: dict[str, tuple[int, Mapping[str, str], int]] = {
    "429 in seconds": (429, {"retry-after": "40"}, 40 * SECOND),
    "429 as a date": (429, {"retry-after": http_date(START + 40 * SECOND)}, 40 * SECOND),
    "418 in seconds": (418, {"retry-after": "300"}, 300 * SECOND),
    "418 as a date": (418, {"retry-after": http_date(START + 300 * SECOND)}, 300 * SECOND),
}


VENUES_WORDS = {
    "binance": b'{"code":-1003,"msg":"Too many requests."}',
    "bybit": b'{"retCode":10006,"retMsg":"Too many visits.","result":{},"time":1700000000000}',
    "okx": b'{"code":"50011","msg":"Requests too frequent.","data":[]}',
    "deribit": b'{"jsonrpc":"2.0","error":{"code":10028,"message":"too_many_requests"}}',
}


WORDS = pytest.mark.parametrize("has_words", [False, True], ids=["plain", "in the venue's words"])


@EVERY
@WORDS
@pytest.mark.parametrize("form", [form for form in RETRY_AFTER if "429" in form])
def test_c12_nothing_is_asked_before_the_time_that_the_venue_names_and_the_market_goes_on(
    dialect: Dialect, form: str, has_words: bool
) -> None:
    keeps_quiet(dialect, *RETRY_AFTER[form], has_words)


@EVERY
@WORDS
@pytest.mark.parametrize("form", [form for form in RETRY_AFTER if "418" in form])
def test_c13_nothing_is_asked_while_we_are_banned_and_the_market_goes_on(
    dialect: Dialect, form: str, has_words: bool
) -> None:
    keeps_quiet(dialect, *RETRY_AFTER[form], has_words)


def keeps_quiet(dialect: Dialect, status: int, headers: Mapping[str, str], wait_ns: int, has_words: bool) -> None:
    live, market = good(dialect)
    live.fetches.clear()
    live.asked.clear()
    live.session.requests.ask("test", "", Request("https://venue.example/x"), live.now_ns)
    live.pump()
    (fetch,) = live.fetches
    assert live.asked == [(START, "https://venue.example/x")]
    live.session.answered(fetch.ticket, status, headers, VENUES_WORDS[dialect.feed] if has_words else b"{}", START)
    live.session.requests.ask("test", "other", Request("https://venue.example/y"), live.now_ns)
    first = 1 if live.adapter.recovers_by == "snapshot" else 0
    for number in range(20):
        live.at(START + (number + 1) * (wait_ns - SECOND) // 21)
        live.hear(market.updates[first + number])
    assert live.state is BookState.SYNCHRONISED, "sockets are not banned with requests"
    live.at(START + wait_ns - 1)
    assert live.asked[1:] == [], "not one request while we are counted out"
    live.at(START + 2 * wait_ns + 60 * SECOND)
    assert {url[-1] for _, url in live.asked[1:]} >= {"x", "y"}
    assert min(at_ns for at_ns, _ in live.asked[1:]) >= START + wait_ns


REFUSED = {
    "binance": b'{"code":-2015,"msg":"Invalid API-key, IP, or permissions for action."}',
    "bybit": b'{"retCode":10003,"retMsg":"API key is invalid in this region.","result":{},"time":1700000000000}',
    "okx": b'{"code":"50111","msg":"Invalid OK-ACCESS-KEY","data":[]}',
    "deribit": b'{"jsonrpc":"2.0","error":{"code":13009,"message":"unauthorized"}}',
}


@EVERY
@pytest.mark.parametrize("status", [401, 403, 451])
@WORDS
def test_c11_a_final_answer_ends_all_requests_says_why_and_the_market_goes_on(
    dialect: Dialect, status: int, has_words: bool
) -> None:
    live, market = good(dialect)
    live.fetches.clear()
    live.asked.clear()
    live.session.requests.ask("test", "", Request("https://venue.example/x"), live.now_ns)
    live.pump()
    (fetch,) = live.fetches
    live.session.answered(
        fetch.ticket, status, {}, REFUSED[dialect.feed] if has_words else b"<html>not in your country</html>", START
    )
    assert live.session.requests.final
    if not has_words or status == 451:
        assert str(status) in live.session.requests.final
    if status == 451:
        assert "websocket" in live.session.requests.final, "the keys that help"
    first = 1 if live.adapter.recovers_by == "snapshot" else 0
    for number in range(first, first + 60):
        live.at(live.now_ns + SECOND)
        live.session.requests.ask("test", str(number), Request("https://venue.example/y"), live.now_ns)
        live.hear(market.updates[number])
    assert len(live.asked) == 1, "no retry at all"
    assert live.state is BookState.SYNCHRONISED


@pytest.mark.parametrize("dialect", [one for name, one in HERE.items() if name == "bybit"], ids=["bybit"])
def test_c11_a_403_that_counts_requests_is_ten_minutes_of_silence(dialect: Dialect) -> None:
    live, market = good(dialect, silence="0s")
    live.asked.clear()
    live.fetches.clear()
    live.session.requests.ask("test", "", Request("https://venue.example/x"), live.now_ns)
    live.pump()
    (fetch,) = live.fetches
    live.session.answered(fetch.ticket, 403, {}, b"access too frequent", START)
    live.at(START + 10 * MINUTE - 1)
    assert len(live.asked) == 1
    live.hear(market.updates[0])
    assert live.state is BookState.SYNCHRONISED
    live.at(START + 12 * MINUTE)
    assert len(live.asked) == 2


@EVERY
@pytest.mark.parametrize("headers", [{"content-type": "text/html"}, {}])
def test_c01_a_login_page_in_place_of_an_answer_reaches_no_adapter_and_is_asked_again(
    dialect: Dialect, headers: Mapping[str, str]
) -> None:
    live, _ = good(dialect)
    live.fetches.clear()
    live.asked.clear()
    errors = live.adapter.counters.errors
    live.session.requests.ask("snapshot", dialect.symbol, Request("https://venue.example/depth"), live.now_ns)
    live.pump()
    (fetch,) = live.fetches
    live.session.answered(fetch.ticket, 200, headers, b"<!DOCTYPE html><p>log in</p>", START)
    assert "web page" in live.session.requests.last_trouble
    assert live.adapter.counters.errors == errors
    live.at(START + 61 * SECOND)
    assert len(live.asked) == 2
