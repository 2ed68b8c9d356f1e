"""Rows M1 to M22 of the fault catalogue, each tried on every exchange's adapter where it is theirs to answer."""

from __future__ import annotations

import tracemalloc
import zlib

import pytest

from quotewright.feed import MINUTE, Reconnect
from quotewright.kernel import codes
from quotewright.kernel.codes import BEST_QUOTE, BID, BOOK_GOOD, BOOK_STALE, BOOK_SUSPECT, OFFER
from quotewright.live.depth import DepthWatch
from quotewright.live.frames import FrameQueue
from quotewright.model.orders import RiskState
from quotewright_plugins.risk_rules.stream_disagreement import StreamDisagreement
from tests.faults.dialects import HERE, SECOND, Dialect, Frame, Market, Stage
from tests.framework.kernel import stage as kernel
from tests.plugins.binance.support import kind, names, side

HOLDS = ("binance", "okx")
"""Hold updates until an image places them; elsewhere the first message after subscribing is the image."""

EVERY = pytest.mark.parametrize("dialect", HERE.values(), ids=HERE)


def joined(dialect: Dialect, market: Market | None = None) -> tuple[Stage, Market]:
    """Return a stage whose book is good at the beginning of the market."""
    market = market or Market(dialect, 6)
    stage = dialect.stage()
    stage.feed(market.image())
    assert stage.state == "SYNCHRONISED"
    stage.adapter.actions()
    return stage, market


@EVERY
def test_m01_any_lost_update_is_noticed_in_the_message_that_shows_it(dialect: Dialect) -> None:
    market = Market(dialect)
    last = len(market.updates) - 1
    for lost in range(last):
        stage = dialect.stage()
        stage.feed(market.image())
        for number in range(lost):
            stage.feed(market.updates[number])
        stage.adapter.actions()
        rows = stage.feed(market.updates[lost + 1])
        assert "gap" in names(rows), lost
        assert not {"level_set", "level_delete"} & set(names(rows)), lost
        assert stage.state == "STALE"
        assert stage.wants_image()
        stage.feed_all(market.updates[lost + 2 : lost + 4])
        taken = min(lost + 4, last + 1)
        rows = stage.feed(market.image(taken))
        assert "resync" in names(rows)
        stage.feed_all(market.updates[taken:])
        assert stage.sides() == market.sides(), lost


@EVERY
def test_m02_an_update_that_comes_twice_changes_nothing_and_is_counted(dialect: Dialect) -> None:
    market = Market(dialect, 60)
    stage = dialect.stage()
    stage.feed(market.image())
    for number, update in enumerate(market.updates):
        stage.feed(update)
        assert stage.feed(update) == []
        assert stage.counters.stale_dropped == number + 1
    assert (stage.state, stage.counters.gaps, stage.sides()) == ("SYNCHRONISED", 0, market.sides())


@EVERY
def test_m03_swapped_updates_are_never_applied_backwards(dialect: Dialect) -> None:
    market = Market(dialect, 60)
    for first in range(len(market.updates) - 1):
        stage = dialect.stage()
        stage.feed(market.image())
        stage.feed_all(market.updates[:first])
        assert names(stage.feed(market.updates[first + 1])) == ["gap"]
        assert stage.feed(market.updates[first]) == []
        stage.feed(market.image(first + 2))
        stage.feed_all(market.updates[first + 2 :])
        assert stage.sides() == market.sides(), first


@EVERY
def test_m04_updates_before_the_image_are_held_or_passed_over_and_the_book_is_right(dialect: Dialect) -> None:
    market = Market(dialect, 60)
    for early in range(51):
        stage = dialect.stage()
        for update in market.updates[:early]:
            assert stage.feed(update) == []
        assert stage.wants_image() is (early > 0)
        stage.feed(market.image(early))
        assert stage.state == "SYNCHRONISED"
        stage.feed_all(market.updates[early:])
        assert stage.sides() == market.sides(), early
    stage = dialect.stage()
    stage.adapter.buffer_limit = 8
    stage.feed_all(market.updates)
    assert len(stage.adapter.books[dialect.symbol].buffer) <= 8


@pytest.mark.parametrize("name", [name for name in HERE if HERE[name].feed in HOLDS])
def test_m04_what_waited_for_the_image_is_applied_after_it(name: str) -> None:
    market = Market(HERE[name], 50)
    for covered in range(1, 50):
        stage = HERE[name].stage().feed_all(market.updates)
        stage.feed(market.image(covered))
        assert (stage.state, stage.sides()) == ("SYNCHRONISED", market.sides()), covered


@EVERY
def test_m05_images_are_asked_for_a_few_times_a_minute_only(dialect: Dialect) -> None:
    stage, market = joined(dialect)
    asked: list[int] = []
    now_ns = stage.now_ns
    for turn in range(600):
        now_ns += SECOND // 2
        stage.adapter.lose(stage.adapter.books[dialect.symbol], 0, now_ns, stage.sink)
        stage.adapter.answered(stage.adapter.books[dialect.symbol])
        stage.adapter.request(stage.adapter.books[dialect.symbol], now_ns)
        if stage.wants_image():
            asked.append(now_ns)
        stage.feed(market.image(turn % 3), now_ns)
    most = stage.adapter.snapshot_tries_per_minute
    assert len(asked) >= 4 * most
    assert all(sum(at <= other < at + MINUTE for other in asked) <= most for at in asked)


@pytest.mark.parametrize("name", [name for name in HERE if HERE[name].feed in HOLDS])
def test_m05_an_image_older_than_what_waits_is_refused_and_asked_again(name: str) -> None:
    dialect = HERE[name]
    market = Market(dialect, 20)
    stage = dialect.stage()
    stage.feed(market.updates[10])
    assert stage.wants_image()
    assert stage.feed(market.image(8)) == []
    assert (stage.state, stage.counters.snapshots_refused) == ("WAITING", 1)
    assert stage.wants_image()
    stage.feed(market.image(10))
    assert stage.sides() == market.sides(11)


def test_m07_a_crossed_book_has_one_update_of_grace_and_is_never_quoted_on() -> None:
    stage = kernel.Stage().quote(1, 99, 101)
    assert stage.view.book.status == BOOK_GOOD
    stage.show(kernel.Market().bid(2, 101, 1))
    assert (stage.view.book.status, stage.view.is_book_good) == (BOOK_SUSPECT, False)
    assert stage.ask(kernel.BUY, 1, 99) == "stale_book"
    stage.show(kernel.Market().bid(3, 98, 1))
    assert (stage.view.book.status, stage.view.is_book_good) == (BOOK_STALE, False)
    assert stage.ask(kernel.BUY, 1, 98) == "stale_book"


def test_m07_a_cross_that_the_next_update_mends_costs_nothing_but_the_quotes_meanwhile() -> None:
    stage = kernel.Stage().quote(1, 99, 101).show(kernel.Market().bid(2, 102, 1))
    stage.show(kernel.Market().bid(3, 102, 0))
    assert (stage.view.book.status, stage.ask(kernel.BUY, 1, 99)) == (BOOK_GOOD, "")


@EVERY
def test_m07_a_book_given_up_is_asked_for_anew(dialect: Dialect) -> None:
    stage, market = joined(dialect)
    stage.adapter.resync(dialect.symbol, stage.now_ns, stage.sink)
    assert (stage.state, stage.wants_image(), stage.book().is_stale) == ("STALE", True, True)
    stage.feed(market.image(3))
    assert (stage.state, stage.book().is_stale) == ("SYNCHRONISED", False)


@EVERY
def test_m09_a_frame_cut_at_any_byte_is_counted_and_keeps_the_book(dialect: Dialect) -> None:
    market = Market(dialect, 2)
    whole = market.updates[0].raw
    for cut in range(len(whole)):
        stage, _ = joined(dialect, market)
        before = stage.sides()
        rows = stage.feed(whole[:cut])
        assert not {"level_set", "level_delete"} & set(names(rows)), cut
        assert (stage.counters.errors, stage.sides()) == (1, before), cut
    stage, _ = joined(dialect, market)
    stage.feed(whole + whole)
    assert stage.counters.errors == 1
    stage, _ = joined(dialect, market)
    for number in range(stage.adapter.bad_frames_in_a_row):
        assert not any(isinstance(action, Reconnect) for action in stage.adapter.actions()), number
        stage.feed(b"\x00\x01")
    assert any(isinstance(action, Reconnect) for action in stage.adapter.actions())


@EVERY
def test_m10_what_is_too_large_or_too_deep_is_refused_in_flat_memory(dialect: Dialect) -> None:
    stage, market = joined(dialect)
    good = market.updates[0].raw
    deep = good.replace(b'"b":', b'"x":%s,"b":' % (b"[" * 10_000 + b"]" * 10_000)).replace(
        b'"bids":', b'"x":%s,"bids":' % (b"[" * 10_000 + b"]" * 10_000)
    )
    assert deep != good
    huge = good + b" " * (64 << 20)
    tracemalloc.start()
    stage.feed(huge)
    stage.feed(b"[" * 10_000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < len(huge) + (1 << 20), "one copy at most, and nothing is read of it"
    assert stage.counters.decode_errors["size"] == 1
    assert stage.counters.errors == 2
    stage.feed(deep)
    assert stage.sides() in (market.sides(0), market.sides(1))


@EVERY
def test_m10_a_million_levels_are_refused_unread(dialect: Dialect) -> None:
    stage, market = joined(dialect)
    huge = dialect.update(dialect.symbol, 500, 501, [("98.00", "1")] * 1_000_000, [])
    tracemalloc.start()
    stage.feed(huge)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 20, f"{peak} bytes for a frame of {len(huge.raw)}"
    assert stage.counters.decode_errors == {"size": 1}
    assert stage.sides() == market.sides(0)


@EVERY
@pytest.mark.parametrize("fill", [b"[", b'{"a":'], ids=["lists", "tables"])
def test_m10_nesting_without_end_raises_nothing_and_keeps_the_book(dialect: Dialect, fill: bytes) -> None:
    stage, market = joined(dialect)
    good = market.updates[0].raw
    for bad in (fill * 10_000, good[:-2] + b',"x":' + fill * 10_000, good.replace(b'["', fill * 10_000 + b'["', 1)):
        tracemalloc.start()
        stage.feed(bad)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 2 << 20
    assert stage.counters.errors == 3
    assert stage.sides() == market.sides(0)


NOISE = {
    "no utf-8": b"\xff\xfe\xfa",
    "a mark of byte order": b"\xef\xbb\xbf{}",
    "zeros": b"\x00" * 40,
    "a lone surrogate": b'{"topic":"\\ud800"',
    "colours": b'\x1b[31m{"',
}


@EVERY
@pytest.mark.parametrize("noise", NOISE.values(), ids=NOISE)
def test_m11_noise_is_counted_and_told_escaped(dialect: Dialect, noise: bytes) -> None:
    stage, market = joined(dialect)
    stage.feed(noise)
    assert stage.counters.errors == 1
    assert stage.counters.last_error.isascii()
    assert stage.counters.last_error.isprintable()
    assert stage.sides() == market.sides(0)


NUMBERS = [
    b'"NaN"',
    b'"Infinity"',
    b'"-1"',
    b'"1e400"',
    b'"1e-400"',
    b'"0x1"',
    b'""',
    b"null",
    b"true",
    b"NaN",
    b"1e400",
]


@EVERY
@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("old", [b"98.00", b"77", b"103.00", b"88"], ids=["bid", "its size", "offer", "its size"])
def test_m12_a_bad_number_refuses_the_whole_message(dialect: Dialect, number: bytes, old: bytes) -> None:
    stage, market = joined(dialect)
    stage.feed(market.updates[0])
    good = dialect.update(dialect.symbol, 501, 502, [("98.00", "77")], [("103.00", "88")]).raw
    quoted = b'"%s"' % old
    bad = good.replace(quoted if quoted in good else old, number, 1)
    assert bad != good
    rows = stage.feed(bad)
    assert not {"level_set", "level_delete"} & set(names(rows))
    assert stage.counters.errors == 1
    assert stage.sides() == market.sides(1), "not even the good half was applied"


@EVERY
def test_m13_long_numbers_are_kept_exactly_or_refused(dialect: Dialect) -> None:
    for price, exact in (("98.12", 9812), ("98.123", None), ("9" * 30 + ".00", None), ("98.1200000000000000", 9812)):
        stage, market = joined(dialect)
        stage.feed(dialect.update(dialect.symbol, 500, 501, [(price, "1.250")], []))
        bids, _ = stage.sides()
        if exact is None:
            assert (bids, stage.counters.errors) == (market.sides(0)[0], 1), price
        else:
            assert bids == {**market.sides(0)[0], exact: 1250}, price


@EVERY
def test_m14_levels_in_any_order_the_last_of_a_price_wins_and_zeros_are_none(dialect: Dialect) -> None:
    bids = [("97.00", "1"), ("99.00", "2"), ("98.00", "3"), ("99.00", "4"), ("96.00", "0")]
    stage = dialect.stage()
    rows = stage.feed(dialect.image(dialect.symbol, 500, bids, [("105.00", "5"), ("104.00", "6"), ("103.00", "0")]))
    assert "level_delete" not in names(rows), "a whole book has nothing to delete"
    assert stage.sides() == ({9700: 1000, 9900: 4000, 9800: 3000}, {10500: 5000, 10400: 6000})
    stage.feed(dialect.update(dialect.symbol, 500, 501, [("98.00", "9"), ("98.00", "0"), ("95.00", "1")], []))
    assert stage.sides()[0] == {9700: 1000, 9900: 4000, 9500: 1000}


@EVERY
def test_m16_odd_trades_are_refused_or_kept_without_a_taker_and_counted_once(dialect: Dialect) -> None:
    stage, _ = joined(dialect)
    rows = stage.feed(dialect.trade(dialect.symbol, "100.50", "0.5", "buy", 1))
    assert [(kind(row), side(row), row[2], row[3]) for row in rows] == [(codes.TRADE, codes.BUY, 10050, 500)]
    rows = stage.feed(dialect.trade(dialect.symbol, "100.50", "0", "buy", 2))
    assert "trade" not in names(rows), "a trade of nothing fills nobody"
    rows = stage.feed(dialect.trade(dialect.symbol, "-1", "1", "sell", 3))
    assert "trade" not in names(rows)
    assert stage.counters.errors >= 1


@EVERY
def test_m17_jumping_clocks_change_neither_order_nor_pauses(dialect: Dialect) -> None:
    stage, market = joined(dialect)
    hour = 3600 * SECOND
    for number, at_ns in enumerate((stage.now_ns + hour, stage.now_ns - hour, stage.now_ns + 1, stage.now_ns)):
        assert stage.feed(market.updates[number], at_ns), number
    assert (stage.state, stage.sides()) == ("SYNCHRONISED", market.sides(4))
    book = stage.adapter.books[dialect.symbol]
    stage.adapter.resync(dialect.symbol, stage.now_ns + hour, stage.sink)
    assert stage.wants_image()
    stage.adapter.request(book, stage.now_ns - hour)
    assert stage.wants_image(), "a clock that went back keeps no book waiting for an hour"


def test_m20_streams_that_disagree_for_too_long_warn_or_pull() -> None:
    for on_breach, state in (("warning", RiskState.WARNING), ("cancel_all", RiskState.CANCEL_ALL)):
        rule = StreamDisagreement(away="10 bps", lasting="2s", on_breach=on_breach)
        stage = kernel.Stage(rule).quote(SECOND, 9_999, 10_001)
        stage.show(kernel.Market().row(SECOND, 10_100, 5, BEST_QUOTE, BID))
        stage.show(kernel.Market().row(SECOND, 10_102, 5, BEST_QUOTE, OFFER)).wake()
        assert stage.wake(3 * SECOND - 1).gate.state == RiskState.NORMAL
        assert stage.wake(3 * SECOND).gate.state == state


@EVERY
def test_m22_the_wrong_symbol_on_a_stream_is_refused(dialect: Dialect) -> None:
    stage, market = joined(dialect)
    stage.feed(market.updates[0])
    good = market.updates[1].raw
    stream, _, data = good.partition(b'"data":')
    if dialect.feed == "okx":  # the symbol stands in the argument alone
        other = good.replace(b"BTC-USDT", b"ETH-USDT")
    else:
        other = (
            stream + b'"data":' + data.replace(dialect.symbol.encode(), dialect.symbol.replace("BTC", "ETH").encode())
        )
    before = stage.sides()
    assert stage.feed(other) == []
    assert stage.counters.errors + stage.counters.unlisted >= 1
    assert stage.sides() == before


def okx_sum(bids: list[tuple[str, str]], asks: list[tuple[str, str]]) -> int:
    """Return OKX's checksum: the best 25 levels of both sides by turns, price and size as text."""
    best_bids = sorted(bids, key=lambda level: -float(level[0]))[:25]
    best_asks = sorted(asks, key=lambda level: float(level[0]))[:25]
    parts: list[str] = []
    for place in range(25):
        for side_ in (best_bids, best_asks):
            if place < len(side_):
                parts += side_[place]
    found = zlib.crc32(":".join(parts).encode())
    return found - (1 << 32) if found >= 1 << 31 else found


def summed(frame: Frame, checksum: int | None) -> Frame:
    new = b"" if checksum is None else b'"checksum":%d,' % checksum
    assert b'"checksum":0,' in frame.raw
    return Frame(frame.raw.replace(b'"checksum":0,', new))


@pytest.mark.parametrize("dialect", [one for name, one in HERE.items() if name == "okx"], ids=["okx"])
def test_m08_a_wrong_checksum_asks_for_a_new_image_and_none_falls_back_to_numbers(dialect: Dialect) -> None:
    bids, asks = [("100.00", "5"), ("99.00", "6")], [("101.00", "7")]
    image = dialect.image(dialect.symbol, 500, bids, asks)
    update = dialect.update(dialect.symbol, 500, 501, [("98.00", "1")], [])
    right = okx_sum([*bids, ("98.00", "1")], asks)
    for checksum, state in ((right, "SYNCHRONISED"), (right + 1, "STALE"), (0, "SYNCHRONISED"), (None, "SYNCHRONISED")):
        stage = dialect.stage()
        stage.feed(summed(image, okx_sum(bids, asks)))
        assert stage.state == "SYNCHRONISED"
        stage.adapter.actions()
        rows = stage.feed(summed(update, checksum))
        assert stage.state == state, checksum
        assert stage.wants_image() is (state == "STALE")
        assert ("gap" in names(rows)) is (state == "STALE")
    for checksum in (0, None):
        stage = dialect.stage()
        stage.feed(summed(image, checksum))
        assert names(stage.feed(dialect.update(dialect.symbol, 502, 503, [("98.00", "1")], []))) == ["gap"]


def test_m15_a_book_whose_known_levels_are_used_up_is_asked_for_anew() -> None:
    watch = DepthWatch(least=5)
    stage = kernel.Stage().quote(1, 1_000, 1_001)
    for step in range(1, 1_000):
        stage.show(kernel.Market().bid(1, 1_000 - step, 1))
        stage.show(kernel.Market().offer(1, 1_001 + step, 1))
    asked = []
    for step in range(1_000):
        if watch.is_used_up("BTCUSDT", stage.view.book):
            asked.append(step)
        stage.show(kernel.Market().bid(2 + step, 1_000 - step, 0))
    assert asked == [996], "once, with four levels left"
    thin = kernel.Stage().quote(1, 99, 101)
    assert not any(watch.is_used_up("thin", thin.view.book) for _ in range(5))


def test_m21_a_burst_gives_up_books_but_nothing_else_and_stays_bounded() -> None:
    queue = FrameQueue(10_000, lambda number, frame: ("BTCUSDT", frame == b"book"))
    events: list[int] = []
    prints = given_up = 0
    for number in range(200_000):
        is_event, is_print = number % 1_000 == 0, number % 100 == 1
        prints += is_print
        if queue.put(number, 1, events.append if is_event else b"print" if is_print else b"book"):
            given_up += len(queue.shed())
        assert len(queue) <= 10_001
    assert given_up > 10
    taken = [queue.take() for _ in range(len(queue))]
    assert [entry[0] for entry in taken] == sorted(entry[0] for entry in taken)
    assert sum(callable(entry[2]) for entry in taken) == 200
    assert sum(entry[2] == b"print" for entry in taken) == prints
    assert queue.shed_frames > 180_000
