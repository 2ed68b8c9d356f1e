"""Normalised messages of every type become the calls of a sink, with their numbers' text untouched."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotewright.errors import InputError
from quotewright.feed import BookState, Reconnect
from quotewright_plugins.tardis.adapter import NormalisedAdapter
from quotewright_plugins.tardis.messages import print_id, stamp_ns
from tests.plugins.tardis.script import ScriptSink

T = 1_772_323_200_000_000_000
COMMON = '"symbol":"BTCUSDT","exchange":"binance-futures",'
TIMES = '"timestamp":"2026-03-01T00:00:00.100Z","localTimestamp":"2026-03-01T00:00:00.104512Z"}'
HEAD = f"BTCUSDT @{T + 100_000_000} <7"


def message(type_: str, body: str = "", exchange: str = "binance-futures", times: str = TIMES) -> bytes:
    head = f'{{"type":"{type_}","symbol":"BTCUSDT","exchange":"{exchange}",'
    return (head + body + ("," if body else "") + times).encode()


def book(is_snapshot: bool, bids: str = '{"price":40000.10,"amount":1e-7}', asks: str = "") -> bytes:
    return message("book_change", f'"isSnapshot":{json.dumps(is_snapshot)},"bids":[{bids}],"asks":[{asks}]')


def written(*frames: bytes, adapter: NormalisedAdapter | None = None) -> tuple[list[str], NormalisedAdapter]:
    adapter = adapter or NormalisedAdapter()
    sink = ScriptSink()
    for frame in frames:
        adapter.on_message(frame, "ws", None, 7, sink)
    return sink.lines, adapter


CASES = {
    "trade": (
        message("trade", '"id":"501","price":40000.10,"amount":0.250,"side":"sell"'),
        [f"{HEAD} #501", "trade 2 40000.10 0.250 501"],
    ),
    "trade without an id": (
        message("trade", '"price":1e3,"amount":2,"side":"unknown"'),
        [f"{HEAD} #0", "trade 0 1e3 2 0"],
    ),
    "trade with an id that is no number": (
        message("trade", '"id":"ETH-7","price":1,"amount":2,"side":"buy"'),
        [f"{HEAD} #{print_id('ETH-7')[0]}", f"trade 1 1 2 {print_id('ETH-7')[0]} name=ETH-7"],
    ),
    "snapshot": (book(True), [f"{HEAD} #0", "snapshot", "bid 40000.10 1e-7"]),
    "ten levels of a book": (
        message(
            "book_snapshot",
            '"name":"book_snapshot_2_50ms","depth":2,"interval":50,"bids":[{"price":2,"amount":3},{}],'
            '"asks":[{"price":4,"amount":5},{"price":null}]',
        ),
        [f"{HEAD} #0", "snapshot", "bid 2 3", "offer 4 5"],
    ),
    "quote": (
        message("book_snapshot", '"name":"quote","depth":1,"bids":[{"price":2,"amount":3}],"asks":[{}]'),
        [f"{HEAD} #0", "best 2 3 0 0"],
    ),
    "book ticker": (
        message("book_ticker", '"askAmount":5,"askPrice":4,"bidPrice":2.50,"bidAmount":3'),
        [f"{HEAD} #0", "best 2.50 3 4 5"],
    ),
    "derivative ticker": (
        message(
            "derivative_ticker",
            '"lastPrice":1.10,"openInterest":7,"fundingRate":-1e-5,"fundingTimestamp":"2026-03-01T08:00:00.000Z",'
            '"predictedFundingRate":0.0001,"indexPrice":1.2,"markPrice":1.3',
        ),
        [
            f"{HEAD} #0",
            *("mark 1.3", "index 1.2", "last 1.10"),
            *(f"funding -1e-5 {T + 8 * 3_600_000_000_000}", "predicted_funding 0.0001", "open_interest 7"),
        ],
    ),
    "derivative ticker that tells one thing": (
        message("derivative_ticker", '"markPrice":1.3'),
        [f"{HEAD} #0", "mark 1.3"],
    ),
    "liquidation": (
        message("liquidation", '"id":"9","price":1,"amount":2,"side":"buy"'),
        [f"{HEAD} #9", "liquidation 1 1 2 9"],
    ),
    "option": (
        message(
            "option_summary",
            '"optionType":"put","strikePrice":8750,"expirationDate":"2026-03-01T00:00:00.000Z","bestBidIV":0.5,'
            '"markIV":0.7,"delta":-0.1,"underlyingIndex":"x"',
        ),
        [f"{HEAD} #0", f"option P 8750 {T} 0.5 0.7 -0.1 x"],
    ),
}


@pytest.mark.parametrize(("frame", "lines"), CASES.values(), ids=CASES)
def test_a_message_is_written_with_its_numbers_as_they_stand(frame, lines):
    found, adapter = written(frame)
    assert found == lines
    assert adapter.counters.errors == 0
    assert (adapter.name, adapter.market_name) == ("binance", "usdm")


def test_volatilities_of_deribit_come_in_percent():
    found, _ = written(message("option_summary", '"optionType":"call","markIV":70.5', exchange="deribit"))
    assert found[-1] == "option C 0.705"


def test_a_time_equal_to_the_local_one_is_no_event_time():
    same = '"timestamp":"2026-03-01T00:00:00.100Z","localTimestamp":"2026-03-01T00:00:00.100Z"}'
    found, _ = written(message("trade", '"id":1,"price":1,"amount":1,"side":"buy"', times=same))
    assert found[0] == "BTCUSDT @0 <7 #1"


def test_changes_count_from_the_first_snapshot_and_again_after_a_disconnect():
    lost = b'{"type":"disconnect","exchange":"binance-futures","localTimestamp":"2026-03-01T00:02:11.000Z"}'
    found, adapter = written(book(False), book(True), book(False), lost, book(False), book(True), book(False))
    assert [line.split()[0] for line in found] == [
        *("BTCUSDT", "snapshot", "bid", "BTCUSDT", "bid"),
        *("BTCUSDT", "gap", "BTCUSDT", "resync", "snapshot", "bid", "BTCUSDT", "bid"),
    ]
    state = adapter.books["BTCUSDT"]
    assert (state.gaps, state.resyncs, state.messages) == (1, 1, 6)
    assert adapter.counters.buffer_dropped == 2


def test_a_disconnect_may_name_the_symbols_that_it_concerns():
    lost = b'{"type":"disconnect","exchange":"binance-futures","localTimestamp":"","symbols":["OTHER"]}'
    found, adapter = written(book(True), lost)
    assert "gap 0" not in found
    assert adapter.books["BTCUSDT"].state is BookState.SYNCHRONISED


def test_one_kind_of_book_is_followed_and_bars_are_counted():
    image = message("book_snapshot", '"name":"book_snapshot_2_50ms","depth":2,"bids":[],"asks":[]')
    found, adapter = written(book(True), image, message("trade_bar", '"name":"x","open":1'), message("news"))
    assert len(found) == 3
    assert adapter.counters.ignored == {"book_snapshot_2_50ms beside book_change": 1, "trade_bar": 1, "news": 1}


FAULTS = {
    "not JSON": (b"{", "json"),
    "cut": (book(False)[:-20], "json"),
    "no type": (b'{"exchange":"binance-futures"}', "shape"),
    "wrong shape": (message("book_change", '"isSnapshot":1,"bids":[],"asks":[]'), "shape"),
    "level without amount": (book(False, '{"price":1}'), "shape"),
    "side": (message("trade", '"price":1,"amount":1,"side":"up"'), "shape"),
    "number": (book(False, '{"price":"NaN","amount":1}'), "number"),
    "time": (message("trade", '"price":1,"amount":1', times='"timestamp":"yesterday","localTimestamp":""}'), "number"),
    "exchange": (message("trade", '"price":1,"amount":1', exchange="bybit"), "market"),
    "error": (message("error", '"details":"too many"'), "venue"),
    "deep": (b"[" * 100_000, "shape"),
}


@pytest.mark.parametrize(("frame", "reason"), FAULTS.values(), ids=FAULTS)
def test_a_message_that_cannot_be_read_is_counted_and_leaves_nothing(frame, reason):
    found, adapter = written(book(True), frame)
    gap = (
        ["gap 0"] if b"book_change" in frame and reason in ("number", "shape") and b'isSnapshot":1' not in frame else []
    )
    assert [line for line in found[3:] if not line.startswith("BTCUSDT")] == gap
    assert adapter.counters.decode_errors == {reason: 1}


def test_a_book_without_a_snapshot_asks_for_a_new_connection_after_a_while():
    adapter = NormalisedAdapter("binance-futures")
    sink = ScriptSink()
    adapter.on_message(book(False), "ws", None, 1, sink)
    adapter.actions()
    adapter.on_wake(1 + adapter.snapshot_timeout_ns)
    assert any(isinstance(action, Reconnect) for action in adapter.actions())


def test_every_cut_and_every_changed_byte_is_survived():
    frames = [frame for frame, _ in CASES.values()]
    adapter = NormalisedAdapter("binance-futures")
    sink = ScriptSink()
    for frame in frames:
        for at in range(len(frame)):
            adapter.on_message(frame[:at], "ws", None, 1, sink)
    assert adapter.counters.errors == sum(len(frame) for frame in frames)


@given(st.binary(max_size=80))
def test_noise_raises_nothing(noise):
    NormalisedAdapter("binance-futures").on_message(noise, "ws", None, 1, ScriptSink())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 0),
        ("2026-03-01T00:00:00Z", T),
        ("2026-03-01T00:00:00.1234567Z", T + 123_456_700),
        ("2026-03-01T00:00:00.104512Z", T + 104_512_000),
        ("2026-03-01", T),
    ],
)
def test_times_are_exact(text, expected):
    assert stamp_ns(text) == expected


@pytest.mark.parametrize("text", ["2026-03-01T00:00:61Z", "2026-03-01T00:00:00.1²Z", "2026-03-01T00:00:00", "x" * 30])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(InputError, match="time"):
        stamp_ns(text)
