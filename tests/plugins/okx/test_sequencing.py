"""OKX's books stay right through lost, doubled, swapped and damaged updates, by ids or by checksums alone."""

from __future__ import annotations

import random
from functools import cache

import attrs
import pytest

from quotewright.kernel import codes
from quotewright_plugins.exchanges.okx.frames import MILLISECOND, SYMBOLS, Line, OkxSession, session_lines, spoiled
from tests.plugins.binance.support import names
from tests.plugins.okx.support import Run, is_true

UPDATES = 200
STYLES = {"ids": (True, False), "checksums": (False, True), "both": (True, True)}
FAULTS = ("gap", "duplicate", "reorder", "bad_number", "truncated")


def session_of(style: str, **keys: object) -> OkxSession:
    has_ids, has_checksums = STYLES[style]
    return OkxSession(has_ids=has_ids, has_checksums=has_checksums, **keys)  # type: ignore[arg-type]


@cache
def recorded_session(style: str) -> tuple[OkxSession, tuple[Line, ...], tuple[Line, ...]]:
    """Return a session at its end, its updates, and the images that could be had before the first and after each."""
    session = session_of(style)
    images, lines = [session.image()], []
    for _ in range(UPDATES):
        lines.append(session.update())
        images.append(session.image())
    return session, tuple(lines), tuple(images)


def through(style: str, fault: str, at: int) -> tuple[Run, OkxSession]:
    """Return a run through a session with one fault; the image is sent as soon as it is asked for."""
    session, updates, images = recorded_session(style)
    run = Run()
    run.feed(images[0])
    for number, line in enumerate(updates):
        lines = [line]
        if number == at:
            lines = [] if fault == "reorder" else spoiled(line, fault, session)  # type: ignore[arg-type]
        elif number == at + 1 and fault == "reorder":
            lines = [line, updates[at]]
        for sent in lines:
            run.feed(sent)
        if run.wants_image():
            run.feed(images[number + 1])
    return run, session


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("style", STYLES)
def test_m01_to_m03_every_fault_at_every_update_leaves_the_true_book(style, fault):
    found = 0
    for at in range(UPDATES - 1):
        run, session = through(style, fault, at)
        assert is_true(run, session), (style, fault, at)
        book = run.adapter.books["BTC-USDT"]
        assert book.gaps == book.resyncs <= 1, (style, fault, at)
        found += book.gaps
        if fault == "duplicate" and style != "checksums":
            assert run.adapter.counters.stale_dropped == 1
    if fault == "duplicate":
        assert found == 0
    elif style == "checksums" and fault in ("gap", "reorder"):
        assert found > 150  # what is lost may be told again by the very next update: then the sum is right
    else:
        assert found == UPDATES - 1


def test_m01_a_gap_is_found_in_the_message_that_shows_it():
    session, run = session_of("ids"), Run()
    run.feed(session.image())
    session.update()
    assert names(run.feed(session.update())) == ["gap"]
    assert run.wants_image()
    rows = run.feed(session.image())
    assert names(rows)[:2] == ["resync", "snapshot_begin"]


@pytest.mark.parametrize("late", range(51))
def test_m04_updates_before_the_image_wait_for_it(late):
    session, run = session_of("ids"), Run()
    image = session.image()
    early = [session.update() for _ in range(late)]
    assert run.feed_all(early) == []
    run.feed(image)
    run.feed(session.update())
    assert is_true(run, session)
    assert run.adapter.counters.gaps == 0


def test_m05_an_image_older_than_what_waits_is_refused_and_asked_anew():
    session, run = session_of("ids"), Run()
    image = session.image()
    session.update()
    run.feed(session.update())
    assert run.wants_image()
    assert run.feed(image) == []
    assert run.adapter.counters.snapshots_refused == 1
    assert run.wants_image()
    run.feed(session.image())
    assert is_true(run, session)


def test_tries_are_bounded():
    session, run = session_of("ids"), Run()
    for _ in range(50):
        session.update()
        run.feed(session.image())
        session.update()
        run.feed(session.update())
        run.adapter.on_wake(session.now_ns)
    assert 0 < len(run.adapter.books["BTC-USDT"].asked) <= run.adapter.snapshot_tries_per_minute


def test_a_stream_kept_alive_and_one_restarted_go_on():
    session, run = session_of("ids"), Run()
    run.feed(session.image())
    run.feed(session.update())
    assert run.feed(session.keep_alive()) == []
    run.feed(session.update())
    run.feed(session.restart())
    assert session.seq < 100
    run.feed(session.update())
    assert is_true(run, session)
    assert run.adapter.counters.gaps == 0


def test_a_newer_image_replaces_a_good_book_and_an_older_one_is_passed_over():
    session, run = session_of("ids"), Run()
    old = session.image()
    run.feed(old)
    run.feed(session.update())
    assert run.feed(old) == []
    assert run.adapter.counters.stale_dropped == 1
    session.update()
    run.feed(session.image())
    assert is_true(run, session)
    assert run.adapter.counters.gaps == 0


def test_two_connections_with_one_stream_leave_the_book_good():
    session, run = session_of("ids"), Run()
    lines = [session.image(), *(session.update() for _ in range(60))]
    order = random.Random(3)
    first, second = list(lines), list(lines)
    while first or second:
        side = first if first and (not second or order.random() < 0.5) else second
        run.feed(side.pop(0))
    assert is_true(run, session)
    assert run.adapter.counters.gaps == 0


def test_m08_one_digit_of_the_checksum_makes_the_book_stale():
    session, run = session_of("both"), Run()
    run.feed(session.image())
    line = session.update()
    wrong = attrs.evolve(line, raw=line.raw.replace(b'"checksum":%d' % session.checksum(), b'"checksum":12345'))
    assert wrong != line
    assert names(run.feed(wrong)) == ["gap"]
    book = run.adapter.books["BTC-USDT"]
    assert (book.checksums_good, book.checksums_bad) == (1, 1)
    assert run.wants_image()


def test_m08_a_digit_of_a_price_that_no_longer_fits_the_checksum_makes_the_book_stale():
    session, run = session_of("checksums"), Run()
    line = session.image()
    run.feed(line)
    size = session.size(session.levels("bids")[0][1]).encode()
    sent = session.keep_alive()
    price = session.price(session.levels("bids")[0][0]).encode()
    level = b'[["%s","9%s","0","1"]]' % (price, size)
    assert names(run.feed(attrs.evolve(sent, raw=sent.raw.replace(b'"bids":[]', b'"bids":' + level)))) == ["gap"]


@pytest.mark.parametrize("instead", [b'"checksum":0', b'"unsummed":1'])
def test_m08_a_checksum_that_is_zero_or_absent_falls_back_to_ids(instead):
    session, run = session_of("both"), Run()
    run.feed(session.image())
    for number in range(40):
        line = session.update()
        if number % 2:
            line = attrs.evolve(line, raw=line.raw.replace(b'"checksum":%d' % session.checksum(), instead))
            assert instead in line.raw
        run.feed(line)
    book = run.adapter.books["BTC-USDT"]
    assert is_true(run, session)
    assert (book.checksums_good, book.checksums_bad, book.gaps) == (21, 0, 0)


def test_checksums_are_left_alone_when_off():
    session, run = session_of("both"), Run(checksum="off")
    run.feed(session.image())
    line = session.update()
    run.feed(attrs.evolve(line, raw=line.raw.replace(b'"checksum":', b'"checksum":1').replace(b":1-", b":-1")))
    assert is_true(run, session)
    assert run.adapter.books["BTC-USDT"].checksums_good == 0


def test_m07_a_book_given_up_is_subscribed_anew():
    session, run = session_of("ids"), Run()
    run.feed(session.image())
    run.adapter.resync("BTC-USDT", session.now_ns, run.sink)
    assert run.wants_image()
    run.feed(session.image())
    assert is_true(run, session)


def test_m14_levels_may_be_unsorted_doubled_and_zero():
    run = Run()
    levels = b'[["10","1","0","1"],["12","2","0","1"],["11","0","0","0"],["12","3","0","1"]]'
    frame = (
        b'{"arg":{"channel":"books","instId":"BTC-USDT"},"action":"%s","data":[{"asks":[],"bids":%s,"ts":"1",'
        b'"checksum":%d,"prevSeqId":%d,"seqId":%d}]}'
    )
    run.ws(frame % (b"snapshot", levels, 0, -1, 5))
    run.ws(frame % (b"update", b'[["99","0","0","0"]]', 0, 5, 6))
    assert run.book().bids == {1_000_000: 10_000, 1_200_000: 30_000}
    assert run.book().offers == {}


def test_m17_a_clock_that_jumps_back_changes_nothing():
    session, run = session_of("ids"), Run()
    run.feed(session.image())
    run.feed(session.update())
    session.now_ns -= 3_600_000 * MILLISECOND
    run.feed(session.update())
    run.feed(session.update())
    assert is_true(run, session)
    session.update()
    assert names(run.feed(session.update())) == ["gap"]


def test_m18_m19_states_and_grids_become_rows():
    session, run = OkxSession(), Run()
    assert names(run.feed(session.listing("suspend"))) == ["status", "instrument_change"]
    rows = run.feed(session.listing("live", "", ""))
    assert (names(rows), rows[0][3]) == (["status"], codes.TRADING)


@pytest.mark.parametrize("market", SYMBOLS)
def test_other_books_go_on(market):
    run = Run()
    good = OkxSession(symbol=SYMBOLS[market])
    other = OkxSession(symbol=next(symbol for symbol in SYMBOLS.values() if symbol != SYMBOLS[market]), seed=3)
    run.feed(good.image())
    run.feed(other.image())
    other.update()
    run.feed(other.update())
    run.feed(good.update())
    states = {symbol: book.state.name for symbol, book in run.adapter.books.items()}
    assert states == {good.symbol: "SYNCHRONISED", other.symbol: "STALE"}


@pytest.mark.parametrize("market", SYMBOLS)
def test_a_whole_session_of_each_market_is_read(market):
    session, run = OkxSession(symbol=SYMBOLS[market]), Run(market)
    run.feed_all(session_lines(session))
    assert is_true(run, session)
    assert run.adapter.counters.errors == 0
    assert run.adapter.counters.trades == 67
