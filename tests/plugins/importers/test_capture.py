"""Captures become causal tapes; broken ones give one clear message and lose nothing."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from quotewright.errors import ConfigError, InputError, NotFoundError
from quotewright.kernel.codes import (
    BEST_QUOTE,
    BID,
    BOOK_GOOD,
    EVENT_ESTIMATED,
    GAP,
    LEVEL_DELETE,
    LEVEL_SET,
    NEVER,
    OFFER,
    RELEASED,
    SNAPSHOT_BEGIN,
)
from quotewright.kernel.ladder import Ladder
from quotewright.tape.importing import import_file, import_files
from quotewright.tape.source import TapeSource
from quotewright.tape.tape import TapeFile, TapeInfo
from quotewright_plugins.exchanges.binance.frames import BinanceSession, Line, session_lines
from tests.recorded import recorded

BASE_NS = 1_000_000
CLOCK_ERROR_NS = -1_270_000_000


def capture(path: Path, lines: list[Line], error_ns: int = 0) -> Path:
    """Write a capture by a recorder whose clock is wrong by *error_ns*."""
    for line in lines:
        object.__setattr__(line, "receive_ns", line.receive_ns + error_ns)
    with gzip.open(path, "wb") as file:
        file.writelines(line.capture() for line in lines)
    return path


def session(market: str = "usdm", updates: int = 60, **options: object) -> list[Line]:
    symbol = {"spot": "BTCUSDT", "usdm": "BTCUSDT", "coinm": "BTCUSD_PERP"}[market]
    return list(session_lines(BinanceSession(market=market, symbol=symbol), updates, **options))


def final_book(tape: TapeFile, instrument: int = 0) -> Ladder:
    book = Ladder()
    ends = np.flatnonzero(tape.array["flags"] & 1) + 1
    start = 0
    for end in ends.tolist():
        if tape.array["instrument"][start] == instrument:
            book.apply(tape.rows, start, end)
        start = end
    return book


@pytest.mark.parametrize("market", ["spot", "usdm", "coinm"])
def test_a_capture_becomes_a_causal_tape_with_the_market_s_own_book(tmp_path, market):
    symbol = "BTCUSD_PERP" if market == "coinm" else "BTCUSDT"
    made = BinanceSession(market=market, symbol=symbol)
    lines = list(session_lines(made, 80))
    info = import_file(capture(tmp_path / "a.gz", lines, CLOCK_ERROR_NS), tmp_path / "tape")
    assert [instrument.symbol for instrument in info.instruments] == [symbol]
    assert info.verdicts[0].is_clean
    assert (info.verdicts[0].book, info.verdicts[0].gaps, info.refused_count) == ("good", 0, 0)
    with TapeFile.open(tmp_path / "tape") as tape:
        tape.require_causal()
        tape.verify()
        book = final_book(tape)
        assert book.status == BOOK_GOOD
        for side, name in ((BID, "bids"), (OFFER, "offers")):
            expected = made.levels(name)
            scale = 10 ** (made.price_decimals - info.instruments[0].price_decimals)
            assert [price * scale for price, _ in book.levels(side, -1)] == [price for price, _ in expected]


def test_the_clock_s_error_is_taken_out_and_recorded(tmp_path):
    lines = session()
    info = import_file(capture(tmp_path / "a.gz", lines, CLOCK_ERROR_NS), tmp_path / "tape")
    (clock,) = info.connections
    assert clock.smallest_ns + clock.shift_ns == BASE_NS == clock.base_latency_ns
    assert clock.smallest_ns < CLOCK_ERROR_NS + 10_000_000
    assert clock.latency_ns["min"] == BASE_NS <= clock.latency_ns["p50"] <= clock.latency_ns["max"]
    with TapeFile.open(tmp_path / "tape") as tape:
        given = (tape.array["flags"] & EVENT_ESTIMATED) == 0
        latency = tape.array["receive_ns"] - tape.array["event_ns"]
        assert int(latency[given].min()) == BASE_NS
        assert int(latency.min()) >= BASE_NS


def test_a_wrong_clock_gives_the_same_tape_as_a_right_one(tmp_path):
    capture(tmp_path / "right.gz", session())
    capture(tmp_path / "wrong.gz", session(), CLOCK_ERROR_NS)
    right = import_file(tmp_path / "right.gz", tmp_path / "right")
    wrong = import_file(tmp_path / "wrong.gz", tmp_path / "wrong")
    assert right.checksums == wrong.checksums
    assert wrong.connections[0].shift_ns - right.connections[0].shift_ns == -CLOCK_ERROR_NS


def test_importing_again_gives_the_same_tape(tmp_path):
    path = capture(tmp_path / "a.gz", session("spot"))
    first, second = import_file(path, tmp_path / "1"), import_file(path, tmp_path / "2")
    assert first == second
    assert (tmp_path / "1" / "tape.json").read_bytes() == (tmp_path / "2" / "tape.json").read_bytes()


def test_a_message_without_event_time_is_estimated_at_the_latest_time_it_can_have_happened(tmp_path):
    info = import_file(capture(tmp_path / "a.gz", session("spot")), tmp_path / "tape")
    assert info.connections[0].without_event_time > 0
    with TapeFile.open(tmp_path / "tape") as tape:
        quotes = tape.array[tape.array["kind"] == BEST_QUOTE]
        assert (quotes["flags"] & EVENT_ESTIMATED).all()
        assert (quotes["receive_ns"] - quotes["event_ns"] == BASE_NS).all()


def test_a_book_s_messages_keep_their_order_in_event_time(tmp_path):
    """A snapshot without a time and the updates released behind it would otherwise change places for matching."""
    info = import_file(capture(tmp_path / "a.gz", session("spot", snapshot_after=9)), tmp_path / "tape")
    with TapeFile.open(tmp_path / "tape") as tape:
        rows = tape.array[np.isin(tape.array["kind"], (LEVEL_SET, LEVEL_DELETE, SNAPSHOT_BEGIN))]
        assert (np.diff(rows["event_ns"]) >= 0).all()
        released = tape.array[(tape.array["flags"] & RELEASED) != 0]
        assert (released["receive_ns"] == tape.array["receive_ns"][0]).all() or len(released) == 0
    assert info.verdicts[0].book == "good"


def test_receive_times_that_go_back_take_the_latest_and_are_counted(tmp_path):
    lines = session()
    lines[30] = Line(lines[10].receive_ns, lines[30].source, lines[30].url, lines[30].raw)
    info = import_file(capture(tmp_path / "a.gz", lines), tmp_path / "tape")
    assert info.connections[0].backward_stamps == 1
    with TapeFile.open(tmp_path / "tape") as tape:
        tape.require_causal()


def test_lines_without_receive_time_are_received_when_they_happened_and_a_base_latency_later(tmp_path):
    text = b"".join(line.capture() for line in session()).replace(b"\n", b" \n")
    records = [json.loads(line) for line in text.splitlines()]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps({**record, "ts": None}) + "\n" for record in records))
    info = import_file(tmp_path / "a.jsonl", tmp_path / "tape")
    assert info.connections[0].missing_stamps == len(records)
    assert "have no receive time" in info.notes[0]
    with TapeFile.open(tmp_path / "tape") as tape:
        tape.require_causal()
        assert int((tape.array["receive_ns"] - tape.array["event_ns"]).min()) == BASE_NS


def test_a_gap_makes_one_row_and_is_told(tmp_path):
    info = import_file(capture(tmp_path / "a.gz", session(fault="gap", fault_at=30)), tmp_path / "tape")
    assert info.verdicts[0].gaps == 1
    assert not info.verdicts[0].is_clean
    with TapeFile.open(tmp_path / "tape") as tape:
        assert int((tape.array["kind"] == GAP).sum()) == 1


@pytest.mark.parametrize("fault", ["bad_number", "truncated"])
def test_a_frame_that_cannot_be_read_is_left_out_whole_and_named(tmp_path, fault):
    lines = session(fault=fault, fault_at=30)
    info = import_file(capture(tmp_path / "a.gz", lines), tmp_path / "tape")
    assert info.refused_count >= 1
    assert info.refused[0].file == "a.gz"
    assert info.refused[0].line > 30
    if fault == "bad_number":
        assert "NaN" in info.refused[0].reason
        assert info.verdicts[0].gaps == 1


def test_a_crossed_frame_is_told(tmp_path):
    info = import_file(capture(tmp_path / "a.gz", session(fault="crossed", fault_at=30)), tmp_path / "tape")
    assert info.verdicts[0].crossings >= 1
    assert not info.verdicts[0].is_clean


def test_a_line_that_is_no_json_is_left_out_and_named(tmp_path):
    path = tmp_path / "a.jsonl"
    lines = [line.capture() for line in session()]
    lines.insert(20, b'{"ts":17, what is this\n')
    path.write_bytes(b"".join(lines))
    info = import_file(path, tmp_path / "tape")
    assert (info.refused_count, info.refused[0].line) == (1, 21)
    assert '{"ts":17, what is this' in info.refused[0].reason
    assert info.verdicts[0].is_clean


def test_a_file_full_of_other_lines_is_refused(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"".join(line.capture() for line in session()) + b"nonsense\n" * 500)
    with pytest.raises(InputError, match=r"cannot be read; line .*is this a recording of another format"):
        import_file(path, tmp_path / "tape")
    assert not (tmp_path / "tape").exists()


def cut_capture(tmp_path: Path) -> Path:
    path = capture(tmp_path / "a.gz", session(updates=400))
    path.write_bytes(path.read_bytes()[:-5000])
    return path


def test_a_gzip_file_that_ends_too_early_is_refused_with_what_to_do(tmp_path):
    path = cut_capture(tmp_path)
    with pytest.raises(InputError, match=r"ends too early after line \d+ .*no tape was written.*--allow-truncated"):
        import_file(path, tmp_path / "tape")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["a.gz"]


def test_the_whole_lines_of_a_cut_file_can_be_imported(tmp_path):
    info = import_file(cut_capture(tmp_path), tmp_path / "tape", allow_truncated=True)
    assert info.sources[0].is_truncated
    assert info.row_count > 500
    assert f"only its {info.sources[0].lines} whole lines were imported" in info.notes[0]


BROKEN = {
    "empty": (b"", "is empty"),
    "text": (b"hello\nworld\n", "no importer recognises it"),
    "other exchange": (b'{"ts":1,"src":"ws","msg":{"topic":"x"}}\n', "no installed feed adapter .* knows its frames"),
    "a cut gzip head": (gzip.compress(b"x" * 100)[:6], "not one byte of it can be unpacked"),
}


@pytest.mark.parametrize(("content", "said"), BROKEN.values(), ids=BROKEN)
def test_what_is_no_capture_gives_one_clear_message(tmp_path, content, said):
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(InputError, match=said):
        import_file(tmp_path / "a", tmp_path / "tape")
    assert not (tmp_path / "tape").exists()


def test_wrong_names_are_told(tmp_path):
    path = capture(tmp_path / "a.gz", session())
    with pytest.raises(NotFoundError, match="no file at"):
        import_file(tmp_path / "none", tmp_path / "tape")
    with pytest.raises(ConfigError, match="no importer called 'captur'"):
        import_file(path, tmp_path / "tape", importer="captur")
    with pytest.raises(ConfigError, match="no feed adapter called 'binanse'"):
        import_file(path, tmp_path / "tape", exchange="binanse")
    with pytest.raises(InputError, match="the recording has no symbol XRPUSDT; it has BTCUSDT"):
        import_file(path, tmp_path / "tape", symbols=["XRPUSDT"])


def exchange_info(tick: str, step: str) -> bytes:
    filters = [
        {"filterType": "PRICE_FILTER", "tickSize": tick},
        {"filterType": "LOT_SIZE", "stepSize": step, "minQty": step, "maxQty": "1000"},
        {"filterType": "MIN_NOTIONAL", "notional": "5"},
    ]
    names = {"symbol": "BTCUSDT", "baseAsset": "BTC", "quoteAsset": "USDT", "status": "TRADING", "marginAsset": "USDT"}
    return json.dumps({"symbols": [{**names, "baseAssetPrecision": 3, "filters": filters}]}).encode()


def with_metadata(tmp_path: Path, body: bytes) -> TapeInfo:
    (tmp_path / "info.json").write_bytes(body)
    path = capture(tmp_path / "a.gz", session())
    return import_file(path, tmp_path / "tape", instruments=tmp_path / "info.json")


def test_given_metadata_stand(tmp_path):
    (instrument,) = with_metadata(tmp_path, exchange_info("0.01", "0.001")).instruments
    assert (str(instrument.tick_size), str(instrument.lot_size), instrument.inferred) == ("0.01", "0.001", ())


def test_metadata_that_the_data_contradict_give_way_and_are_marked(tmp_path):
    info = with_metadata(tmp_path, exchange_info("0.5", "0.1"))
    (instrument,) = info.instruments
    assert (str(instrument.tick_size), str(instrument.lot_size)) == ("0.01", "0.001")
    assert {"tick_steps", "lot_steps", "price_decimals"} <= set(instrument.inferred)


def test_metadata_in_the_envelope_of_a_capture_are_read_and_another_venue_s_are_not(tmp_path):
    body = exchange_info("0.01", "0.001")
    (instrument,) = with_metadata(tmp_path, b'{"ts":1,"src":"rest","msg":' + body + b"}").instruments
    assert instrument.min_notional == 5
    other = body.replace(b"BTCUSDT", b"XRPUSDT")
    with pytest.raises(InputError, match="none of the recording's instruments is in it"):
        import_file(tmp_path / "a.gz", tmp_path / "other", instruments=_written(tmp_path / "x.json", other))
    with pytest.raises(InputError, match="exchangeInfo: should be an object with symbols"):
        import_file(tmp_path / "a.gz", tmp_path / "other", instruments=_written(tmp_path / "x.json", b"[]"))


def _written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_a_number_finer_than_the_given_step_now_and_then_is_refused(tmp_path):
    lines = session()
    frame = next(line for line in lines[40:] if line.kind == "depth" and b'"b":[["' in line.raw)
    place = lines.index(frame)
    raw = frame.raw.replace(b'"b":[["', b'"b":[["39000.123456","1"],["', 1)
    lines[place] = Line(frame.receive_ns, frame.source, frame.url, raw)
    info = import_file(
        capture(tmp_path / "a.gz", lines),
        tmp_path / "tape",
        instruments=_written(tmp_path / "info.json", exchange_info("0.01", "0.001")),
    )
    assert info.refused_count == 1
    assert "should have at most 2 decimals, was '39000.123456'" in info.refused[0].reason
    assert info.refused[0].line == place + 1
    assert info.verdicts[0].gaps == 1


def test_two_markets_become_one_tape_with_a_clock_each(tmp_path):
    capture(tmp_path / "spot.gz", session("spot"), -500_000_000)
    capture(tmp_path / "usdm.gz", session("usdm"), 700_000_000)
    info = import_files([tmp_path / "spot.gz", tmp_path / "usdm.gz"], tmp_path / "tape")
    assert [instrument.name for instrument in info.instruments] == ["BTC-USDT.perp@binance", "BTC-USDT.spot@binance"]
    assert [clock.name for clock in info.connections] == ["spot.gz", "usdm.gz"]
    assert all(verdict.is_clean for verdict in info.verdicts)
    with TapeFile.open(tmp_path / "tape") as tape:
        tape.require_causal()
        assert TapeSource(tape).fill(NEVER) == tape.span[0]


def test_symbols_left_out_are_counted(tmp_path):
    one = list(session_lines(BinanceSession(symbol="BTCUSDT"), 20))
    other = list(session_lines(BinanceSession(symbol="ETHUSDT", seed=8), 20))
    lines = sorted([*one, *other], key=lambda line: line.receive_ns)
    info = import_file(capture(tmp_path / "a.gz", lines), tmp_path / "tape", symbols=["ETHUSDT"])
    assert [instrument.symbol for instrument in info.instruments] == ["ETHUSDT"]
    assert info.unlisted["BTCUSDT"] > 20


RECORDED = {  #                                         rows,    instruments, shift in ms
    "usdm/multi4_20210722T2225_30s.jsonl.gz": (13_186, 4, -39),
    "spot/multi10_20210417T1636_30s.jsonl.gz": (12_129, 10, -52),
    "spot/multi4_20211012T0028_30s.jsonl.gz": (5_230, 4, 7),
    "coinm/multi10_20210722T0113_30s.jsonl.gz": (29_570, 10, 33),
}


@pytest.mark.recorded
@pytest.mark.parametrize(("name", "expected"), RECORDED.items(), ids=RECORDED)
def test_recorded_captures_become_clean_causal_tapes(tmp_path, name, expected):
    info = import_file(recorded(f"binance/{name}"), tmp_path / "tape")
    shift_ms = round(info.connections[0].shift_ns / 1e6)
    assert (info.row_count, len(info.instruments), shift_ms) == expected
    assert all(verdict.is_clean for verdict in info.verdicts)
    with TapeFile.open(tmp_path / "tape") as tape:
        tape.require_causal()
        assert int((tape.array["receive_ns"] - tape.array["event_ns"]).min()) == BASE_NS


def test_lines_of_hftbacktest_s_recorder_are_read_too(tmp_path):
    lines = session()
    (tmp_path / "a.txt").write_bytes(b"".join(b"%d %s\n" % (line.receive_ns, line.raw) for line in lines))
    info = import_file(tmp_path / "a.txt", tmp_path / "plain")
    assert info.checksums == import_file(capture(tmp_path / "a.gz", lines), tmp_path / "wrapped").checksums


def test_a_connection_that_opens_again_makes_its_books_stale(tmp_path):
    opened = b'{"ts":%d,"src":"open","url":"wss://fstream.binance.com/stream?streams=x","msg":null}\n'
    lines = [line.capture() for line in session()]
    start_ns = json.loads(lines[0])["ts"]
    lines.insert(0, opened % start_ns)
    lines.insert(40, opened % json.loads(lines[39])["ts"])
    (tmp_path / "a.jsonl").write_bytes(b"".join(lines))
    info = import_file(tmp_path / "a.jsonl", tmp_path / "tape")
    assert (info.verdicts[0].gaps, info.verdicts[0].book) == (1, "stale")


def test_an_import_that_is_interrupted_leaves_nothing(tmp_path):
    def interrupt(what: str, share: float) -> None:
        if what == "rows":
            raise KeyboardInterrupt

    path = capture(tmp_path / "a.gz", session())
    with pytest.raises(KeyboardInterrupt):
        import_file(path, tmp_path / "tape", progress=interrupt)
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.gz"]


def stamped(path: Path, lines: list[Line], change: Callable[[int, int], int | float | None]) -> Path:
    """Write a plain capture whose receive stamps *change* makes from line number and stamp."""
    texts = [json.loads(line.capture()) for line in lines]
    for number, text in enumerate(texts):
        text["ts"] = change(number, text["ts"])
    path.write_text("".join(json.dumps(text) + "\n" for text in texts))
    return path


def span_s(info: TapeInfo) -> float:
    return (info.end_ns - info.start_ns) / 1e9


@pytest.mark.parametrize("known_from", [5, 10_000])
def test_rows_before_the_first_known_time_do_not_stand_at_the_beginning_of_the_epoch(
    tmp_path: Path, known_from: int
) -> None:
    lines = session("spot")  # neither a spot snapshot nor a spot best quote tells a time
    plain = import_file(stamped(tmp_path / "plain.jsonl", lines, lambda _, stamp: stamp), tmp_path / "plain")

    info = import_file(
        stamped(tmp_path / "late.jsonl", lines, lambda number, stamp: stamp if number >= known_from else None),
        tmp_path / "late",
    )

    assert info.row_count == plain.row_count
    assert abs(info.start_ns - plain.start_ns) < 2_000_000_000
    assert span_s(info) < span_s(plain) + 2
    with TapeFile.open(tmp_path / "late") as tape:
        tape.require_causal()


def test_one_stamp_far_ahead_does_not_end_time_for_the_lines_behind_it(tmp_path: Path) -> None:
    lines = session()
    plain = import_file(stamped(tmp_path / "plain.jsonl", lines, lambda _, stamp: stamp), tmp_path / "plain")

    info = import_file(
        stamped(tmp_path / "wrong.jsonl", lines, lambda number, stamp: 2**63 - 1 if number == 30 else stamp),
        tmp_path / "wrong",
    )

    assert info.row_count == plain.row_count
    assert span_s(info) == pytest.approx(span_s(plain), abs=0.1)
    assert any("1 receive times leap ahead" in note for note in info.notes)


def test_a_pause_of_days_is_believed(tmp_path: Path) -> None:
    days = 3 * 86_400_000_000_000
    texts = [json.loads(line.capture()) for line in session()]
    for text in texts[40:]:
        text["ts"] += days
        if text["src"] == "ws":
            event = text["msg"].get("data", text["msg"])
            event |= {key: event[key] + days // 1_000_000 for key in ("E", "T") if key in event}
    path = tmp_path / "pause.jsonl"
    path.write_text("".join(json.dumps(text) + "\n" for text in texts))

    info = import_file(path, tmp_path / "tape")

    assert span_s(info) > days / 1e9
    assert info.end_ns - info.connections[0].shift_ns == texts[-1]["ts"]


@pytest.mark.parametrize("stamp", [2**63, 10**30, -1])
def test_a_stamp_that_no_tape_can_hold_costs_its_own_line(tmp_path: Path, stamp: int) -> None:
    lines = [line for line in session() if b"bookTicker" in line.raw or b"depth" in line.raw or line.source != "ws"]
    at = next(number for number, line in enumerate(lines) if number > 20 and b"bookTicker" in line.raw)

    info = import_file(
        stamped(tmp_path / "wrong.jsonl", lines, lambda number, given: stamp if number == at else given),
        tmp_path / "tape",
    )

    assert info.refused_count == 1
    assert info.refused[0].line == at + 1
    assert "ts" in info.refused[0].reason


def test_a_clock_that_goes_back_for_long_is_told(tmp_path: Path) -> None:
    hour = 3_600_000_000_000

    info = import_file(
        stamped(tmp_path / "back.jsonl", session(), lambda number, stamp: stamp - hour * (number > 60)),
        tmp_path / "tape",
    )

    assert any("go back by up to 3" in note and "received late" in note for note in info.notes)


def test_stamps_in_milliseconds_are_asked_about(tmp_path: Path) -> None:
    info = import_file(
        stamped(tmp_path / "ms.jsonl", session(), lambda _, stamp: stamp // 1_000_000), tmp_path / "tape"
    )

    assert any("are they nanoseconds since 1970?" in note for note in info.notes)


def test_stamps_that_are_no_whole_numbers_are_named_as_the_fault(tmp_path: Path) -> None:
    path = stamped(tmp_path / "float.jsonl", session(), lambda _, stamp: stamp / 1e9)

    with pytest.raises(InputError, match=r"none of \d+ lines can be read; the first .* got `float`"):
        import_file(path, tmp_path / "tape")


def test_a_byte_order_mark_costs_nothing(tmp_path: Path) -> None:
    path = stamped(tmp_path / "bom.jsonl", session(), lambda _, stamp: stamp)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())

    assert import_file(path, tmp_path / "tape").refused_count == 0


def test_updates_without_a_snapshot_and_frames_that_are_not_read_are_told(tmp_path: Path) -> None:
    lines = [line for line in session() if line.source != "rest"]
    texts = [json.loads(line.capture()) for line in lines]
    texts.append({"ts": texts[-1]["ts"], "src": "ws", "msg": {"stream": "btcusdt@kline_1m", "data": {"e": "kline"}}})
    path = tmp_path / "bare.jsonl"
    path.write_text("".join(json.dumps(text) + "\n" for text in texts))

    info = import_file(path, tmp_path / "tape")

    assert "binance usdm: no snapshot joins the updates of BTCUSDT, so there is no book of them" in info.notes
    assert "binance usdm: frames of kinds that are not read: kline 1" in info.notes


def test_a_line_nested_without_end_is_one_bad_line(tmp_path: Path) -> None:
    path = stamped(tmp_path / "deep.jsonl", session(), lambda _, stamp: stamp)
    deep = b'{"ts":1,"src":"ws","msg":' + b"[" * 100_000 + b"]" * 100_000 + b"}\n"
    path.write_bytes(path.read_bytes() + deep)

    assert import_file(path, tmp_path / "tape").refused_count == 1


@pytest.mark.parametrize("absurd", [b"1e400", b"123456789012345678", b"1e-400"])
def test_an_absurd_number_costs_its_own_message(tmp_path: Path, absurd: bytes) -> None:
    lines = session()
    at = next(number for number, line in enumerate(lines) if number > 20 and b"bookTicker" in line.raw)
    texts = [line.capture() for line in lines]
    best = json.loads(texts[at])
    data = best["msg"].get("data", best["msg"])
    data["B"] = absurd.decode()
    texts[at] = json.dumps(best).encode() + b"\n"
    path = tmp_path / "absurd.jsonl"
    path.write_bytes(b"".join(texts))

    info = import_file(path, tmp_path / "tape")

    assert [refused.line for refused in info.refused] == [at + 1]
    assert info.verdicts[0].is_clean


def test_a_line_that_is_no_utf_8_costs_itself(tmp_path: Path) -> None:
    lines = session()
    at = next(number for number, line in enumerate(lines) if number > 20 and b"bookTicker" in line.raw)
    texts = [line.capture() for line in lines]
    texts[at] = texts[at].replace(b'"src":"ws"', b'"src":"w\xff"')
    path = tmp_path / "bytes.jsonl"
    path.write_bytes(b"".join(texts))

    info = import_file(path, tmp_path / "tape")

    assert [refused.line for refused in info.refused] == [at + 1]


@pytest.mark.parametrize("first", [1, 1_700_000])
def test_a_first_stamp_at_the_beginning_of_the_epoch_is_not_believed(tmp_path: Path, first: int) -> None:
    lines = session("spot")
    plain = import_file(stamped(tmp_path / "plain.jsonl", lines, lambda _, stamp: stamp), tmp_path / "plain")

    info = import_file(
        stamped(tmp_path / "wrong.jsonl", lines, lambda number, stamp: stamp if number else first), tmp_path / "wrong"
    )

    assert span_s(info) < span_s(plain) + 2


@pytest.mark.parametrize("stamp", [1, 9_000_000_000_000, 9_300_000_000_000, 99_999_999_999_999, 9_200_000_000_000_000])
@pytest.mark.parametrize("least", [0, 20])
def test_an_event_time_far_off_moves_no_clock(tmp_path: Path, stamp: int, least: int) -> None:
    lines = session()
    at = next(number for number, line in enumerate(lines) if number >= least and b"bookTicker" in line.raw)
    texts = [line.capture() for line in lines]
    best = json.loads(texts[at])
    best["msg"].get("data", best["msg"]).update(E=stamp, T=stamp)
    texts[at] = json.dumps(best).encode() + b"\n"
    path = tmp_path / "far.jsonl"
    path.write_bytes(b"".join(texts))

    info = import_file(path, tmp_path / "tape")

    assert abs(info.connections[0].shift_ns) < 10_000_000_000
    assert span_s(info) < 60
    assert any("1 event times are more than a day off" in note for note in info.notes)
    with TapeFile.open(tmp_path / "tape") as tape:
        tape.require_causal()
