"""Tardis CSV data sets become tapes by the documented rules."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from quotewright.errors import InputError
from quotewright.kernel.codes import (
    BEST_QUOTE,
    BUY,
    EVENT_ESTIMATED,
    GAP,
    IN_SNAPSHOT,
    KIND_NAMES,
    LAST,
    LEVEL_DELETE,
    LEVEL_SET,
    NO_SIDE,
    RESYNC,
    SELL,
    SNAPSHOT_BEGIN,
    TRADE,
)
from quotewright.tape.importing import import_file, import_files
from quotewright.tape.tape import TapeFile
from tests.recorded import recorded

T = 1_772_323_200_000_000
BOOK = "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount\n"
TRADES = "exchange,symbol,timestamp,local_timestamp,id,side,price,amount\n"
QUOTES = "exchange,symbol,timestamp,local_timestamp,ask_amount,ask_price,bid_price,bid_amount\n"


def book_rows(*rows: str, exchange: str = "binance-futures") -> str:
    """Return rows written as ``+event +local word side price amount``, times in µs after T."""
    lines = []
    for row in rows:
        event, local, word, side, price, amount = row.split()
        is_snapshot = "true" if word == "snap" else "false"
        lines.append(f"{exchange},BTCUSDT,{T + int(event)},{T + int(local)},{is_snapshot},{side},{price},{amount}\n")
    return BOOK + "".join(lines)


SNAPSHOT = ("0 4000 snap bid 40000.1 1.5", "0 4000 snap ask 40000.2 0.7", "0 4000 snap ask 40000.3 1")


def imported(tmp_path: Path, *texts: str, **options: object) -> TapeFile:
    paths = []
    for number, text in enumerate(texts):
        paths.append(tmp_path / f"{number}.csv")
        paths[-1].write_text(text)
    import_files(paths, tmp_path / "tape", **options)
    tape = TapeFile.open(tmp_path / "tape")
    tape.require_causal()
    return tape


def kinds(tape: TapeFile) -> list[int]:
    return tape.array["kind"].tolist()


def test_rows_of_one_time_are_one_message(tmp_path):
    tape = imported(tmp_path, book_rows(*SNAPSHOT, "900 5000 - bid 40000.1 0", "900 5000 - bid 40000 1e-3"))
    assert kinds(tape) == [SNAPSHOT_BEGIN, LEVEL_SET, LEVEL_SET, LEVEL_SET, LEVEL_DELETE, LEVEL_SET]
    assert (tape.array["flags"] & LAST).tolist() == [0, 0, 0, 1, 0, 1]
    assert (tape.array["flags"] & IN_SNAPSHOT).tolist() == [0, 2, 2, 2, 0, 0]
    assert tape.array["price"].tolist() == [0, 400001, 400002, 400003, 400001, 400000]
    assert tape.array["size"].tolist() == [0, 1500, 700, 1000, 0, 1]
    assert np.unique(tape.array["receive_ns"] - tape.array["event_ns"]).tolist() == [1_000_000, 1_100_000]
    assert tape.info.verdicts[0].is_clean


def test_a_snapshot_lasts_until_is_snapshot_turns_false_and_a_later_one_is_a_resync(tmp_path):
    rows = (*SNAPSHOT, "0 4100 snap ask 40001 2", "900 5000 - bid 40000 1", "2000 6000 snap bid 39999 1")
    tape = imported(tmp_path, book_rows(*rows))
    assert kinds(tape).count(SNAPSHOT_BEGIN) == 2
    assert kinds(tape)[-3:] == [RESYNC, SNAPSHOT_BEGIN, LEVEL_SET]
    assert tape.info.verdicts[0].crossings == 0


def test_changes_before_the_first_snapshot_are_left_out(tmp_path):
    tape = imported(tmp_path, book_rows("-900 3000 - bid 1 1", *SNAPSHOT))
    assert kinds(tape)[0] == SNAPSHOT_BEGIN


def test_a_number_that_cannot_be_read_makes_the_book_stale_until_the_next_snapshot(tmp_path):
    rows = (
        *SNAPSHOT,
        "900 5000 - bid NaN 1",
        "900 5000 - bid 40000 1",
        "950 5100 - bid 39999 1",
        "2000 6000 snap bid 39999 1",
    )
    tape = imported(tmp_path, book_rows(*rows))
    verdict = tape.info.verdicts[0]
    assert (verdict.gaps, verdict.snapshots, verdict.book) == (1, 2, "good")
    assert tape.info.refused_count == 1
    assert "bid price should be a decimal number, was 'NaN'" in tape.info.refused[0].reason
    assert 399990 not in tape.array["price"][: kinds(tape).index(SNAPSHOT_BEGIN, 1)].tolist()


def test_several_files_are_merged_by_local_time_and_trades_come_first(tmp_path):
    trades = TRADES + f"binance-futures,BTCUSDT,{T + 900},{T + 5000},77,sell,40000.1,1.5\n"
    trades += f"binance-futures,BTCUSDT,{T + 950},{T + 5600},78,unknown,40000.2,0.5\n"
    quotes = QUOTES + f"binance-futures,BTCUSDT,{T + 900},{T + 5000},0.7,40000.2,40000,1\n"
    tape = imported(tmp_path, quotes, book_rows(*SNAPSHOT, "900 5000 - bid 40000.1 0"), trades)
    assert kinds(tape)[4:] == [TRADE, LEVEL_DELETE, BEST_QUOTE, BEST_QUOTE, TRADE]
    assert tape.array["side"][tape.array["kind"] == TRADE].tolist() == [SELL, NO_SIDE]
    assert tape.array["id"][tape.array["kind"] == TRADE].tolist() == [77, 78]
    assert len(tape.info.connections) == 1
    assert (np.diff(tape.array["receive_ns"]) >= 0).all()


def test_a_time_equal_to_the_local_one_is_no_event_time(tmp_path):
    quotes = QUOTES + f"binance,BTCUSDT,{T},{T},0.7,40000.2,40000,1\n"
    tape = imported(tmp_path, quotes)
    assert (tape.array["flags"] & EVENT_ESTIMATED).all()
    assert tape.info.connections[0].without_event_time == 1


def test_snapshots_of_a_few_levels_replace_the_book_each_time(tmp_path):
    head = "exchange,symbol,timestamp,local_timestamp," + ",".join(
        f"asks[{n}].price,asks[{n}].amount,bids[{n}].price,bids[{n}].amount" for n in range(2)
    )
    rows = [
        f"okex,BTC-USDT,{T},{T + 4000},40001,1,40000,2,40002,1,,",
        f"okex,BTC-USDT,{T + 9},{T + 5000},40001,1,40000,2,,,,",
    ]
    tape = imported(tmp_path, "\n".join([head, *rows]) + "\n")
    assert kinds(tape) == [SNAPSHOT_BEGIN, LEVEL_SET, LEVEL_SET, LEVEL_SET, SNAPSHOT_BEGIN, LEVEL_SET, LEVEL_SET]
    assert tape.instruments[0].name == "BTC-USDT.spot@okx"


def test_derivative_tickers_and_liquidations_are_read(tmp_path):
    columns = "funding_timestamp,funding_rate,predicted_funding_rate,open_interest,last_price,index_price,mark_price"
    ticker = f"exchange,symbol,timestamp,local_timestamp,{columns}\n"
    ticker += f"binance-futures,BTCUSDT,{T},{T + 9000},{T + 10**9},0.0001,,5.5,,40000.12345678,40000.5\n"
    trades = TRADES + f"binance-futures,BTCUSDT,{T},{T + 9001},1,buy,40000.1,1.5\n"
    (tmp_path / "liquidations.csv").write_text(trades)
    (tmp_path / "ticker.csv").write_text(ticker)
    (tmp_path / "trades.csv").write_text(trades)
    info = import_files(sorted(tmp_path.glob("*.csv")), tmp_path / "tape")
    assert info.kinds == {"trade": 1, "mark": 1, "index": 1, "funding": 1, "liquidation": 1, "open_interest": 1}


def test_two_books_of_one_instrument_are_refused(tmp_path):
    head = "exchange,symbol,timestamp,local_timestamp,asks[0].price,asks[0].amount,bids[0].price,bids[0].amount\n"
    other = head + f"binance-futures,BTCUSDT,{T},{T + 4000},40001,1,40000,2\n"
    with pytest.raises(InputError, match=r"BTCUSDT has a book in .* and in .*; import one of them"):
        imported(tmp_path, book_rows(*SNAPSHOT), other)


def test_a_row_with_other_columns_is_left_out_and_named(tmp_path):
    tape = imported(tmp_path, book_rows(*SNAPSHOT) + "half,a,row\n")
    assert tape.info.refused[0].line == 5
    assert tape.info.refused[0].reason == "should have 8 columns, has 3"


def test_files_of_two_formats_are_not_mixed(tmp_path):
    (tmp_path / "a.csv").write_text(book_rows(*SNAPSHOT))
    (tmp_path / "b.jsonl").write_text('{"ts":1,"src":"ws","msg":{}}\n')
    with pytest.raises(InputError, match=r"is not of the format of .*tardis_csv.*import it alone"):
        import_files([tmp_path / "a.csv", tmp_path / "b.jsonl"], tmp_path / "tape")


def test_a_cut_gzip_file_is_refused_or_imported_as_far_as_it_goes(tmp_path):
    rows = [f"{i} {4000 + i} - bid {40000 + i % 7} {i % 5}" for i in range(1, 4000)]
    data = gzip.compress(book_rows(*SNAPSHOT, *rows).encode())
    (tmp_path / "a.csv.gz").write_bytes(data[: len(data) // 2])
    with pytest.raises(InputError, match="ends too early after line"):
        import_file(tmp_path / "a.csv.gz", tmp_path / "tape")
    info = import_file(tmp_path / "a.csv.gz", tmp_path / "tape", allow_truncated=True)
    assert info.sources[0].is_truncated
    assert info.row_count > 100


def test_stamps_in_nanoseconds_are_told_by_their_size(tmp_path):
    trades = TRADES + f"binance-futures,BTCUSDT,{T * 1000 + 5},{T * 1000 + 4_000_007},1,buy,40000.1,1.5\n"
    tape = imported(tmp_path, trades)
    assert int(tape.array["event_ns"][0]) == T * 1000 + 5
    assert int(tape.array["side"][0]) == BUY


@pytest.mark.recorded
def test_recorded_trades_and_quotes_become_one_tape(tmp_path):
    names = ("quotes", "trades")
    paths = [recorded(f"binance/usdm/btcusdt_20200222_tardis_{name}.csv.gz") for name in names]
    info = import_files(paths, tmp_path / "tape")
    assert info.kinds == {"trade": 9_999, "best_quote": 2 * 9_999}
    (instrument,) = info.instruments
    assert (instrument.name, str(instrument.tick_size), str(instrument.lot_size)) == (
        "BTC-USDT.perp@binance",
        "0.01",
        "0.001",
    )
    with TapeFile.open(tmp_path / "tape") as tape:
        tape.require_causal()


FIXTURES = {  #                                              rows, instrument
    "binance-futures_book_snapshot_25_BTCUSDT.csv": (510, "BTC-USDT.perp@binance"),
    "binance-futures_book_snapshot_5_BTCUSDT.csv": (110, "BTC-USDT.perp@binance"),
    "deribit_incremental_book_L2_BTC-PERPETUAL.csv": (16, "BTC-USD.perp@deribit"),
}


@pytest.mark.recorded
@pytest.mark.parametrize(("name", "expected"), FIXTURES.items(), ids=FIXTURES)
def test_sample_files_become_tapes(tmp_path, name, expected):
    info = import_file(recorded(f"fixtures/tardis_csv/{name}"), tmp_path / "tape")
    assert (info.row_count, info.instruments[0].name) == expected
    assert info.verdicts[0].is_clean


LATER = (
    "900 5000 - bid 40000.1 9",
    "1900 6000 - bid 40000 3",
    "2900 7000 snap bid 40000.1 2",
    "2900 7000 snap ask 41000 1",
)


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ("binance-futures,BTCUSDT,{0},{1},false,bid,40000.1", "should have 8 columns, has 7"),
        ("binance-futures,BTCUSDT,{0},{1},false,bid,40000.1,9,9", "should have 8 columns, has 9"),
        ("binance-futures,BTCUSDT,{0},soon,false,bid,40000.1,9", "a time should be whole microseconds"),
        ("binance-futures,BTCUSDT,{0},99999999999999999999999,false,bid,40000.1,9", "a time should be microseconds"),
        ("binance-futures,BTCUSDT,{0},99999999999999999,false,bid,40000.1,9", "a time should be microseconds"),
        ("binance-futures,BTCUSDT,-1,{1},false,bid,40000.1,9", "a time should be microseconds"),
        ("binance-futures,BTCUSDT,{0},{1},maybe,bid,40000.1,9", "is_snapshot should be true or false"),
        ("binance-futures,BTCUSDT,{0},{1},false,mid,40000.1,9", "side should be bid or ask"),
    ],
)
def test_a_change_that_cannot_be_read_leaves_no_book_that_looks_good(tmp_path, broken, reason):
    lines = book_rows(*SNAPSHOT, *LATER).splitlines()
    lines[4] = broken.format(T + 900, T + 5000)

    tape = imported(tmp_path, "\n".join(lines) + "\n")

    assert kinds(tape)[4] == GAP
    assert kinds(tape)[5] == SNAPSHOT_BEGIN
    assert tape.info.refused_count == 1
    assert reason in tape.info.refused[0].reason
    assert tape.info.verdicts[0].gaps == 1


def test_is_snapshot_may_be_written_as_other_programs_write_it(tmp_path):
    text = book_rows(*SNAPSHOT, *LATER)
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    plain = imported(tmp_path / "a", text)
    titled = imported(tmp_path / "b", text.replace(",true,", ",True,").replace(",false,", ",False,"))

    assert (titled.array == plain.array).all()


def test_a_row_of_no_exchange_is_left_out(tmp_path):
    tape = imported(tmp_path, book_rows(*SNAPSHOT) + f",BTCUSDT,{T + 900},{T + 5000},false,bid,40000.1,9\n")

    assert tape.info.refused_count == 1
    assert "exchange should be a name" in tape.info.refused[0].reason


TICKER = (
    "exchange,symbol,timestamp,local_timestamp,funding_timestamp,funding_rate,predicted_funding_rate,open_interest,"
    "last_price,index_price,mark_price\n"
)
CHAIN = (
    "exchange,symbol,timestamp,local_timestamp,type,strike_price,expiration,open_interest,last_price,bid_price,"
    "bid_amount,bid_iv,ask_price,ask_amount,ask_iv,mark_price,mark_iv,underlying_index,underlying_price,delta,gamma,"
    "vega,theta,rho\n"
)


def test_every_column_of_a_ticker_is_read_and_empty_ones_write_nothing(tmp_path):
    rows = f"deribit,BTC-PERPETUAL,{T + 1},{T + 5000},{T + 9},1e-4,-0.00002,12.5,100.5,100.25,100.125\n"
    rows += f"deribit,BTC-PERPETUAL,{T + 2},{T + 5001},,,,,,,100\n"
    tape = imported(tmp_path, TICKER + rows)
    assert tape.info.kinds == {
        "mark": 2,
        "index": 1,
        "funding": 1,
        "open_interest": 1,
        "last_price": 1,
        "predicted_funding": 1,
    }


def test_an_options_chain_is_read_with_its_volatilities_as_fractions(tmp_path):
    cells = "call,100000,1798358400000000,3,0.05,0.04,1.5,61.25,0.06,2,62,0.05,61.5,SYN,90000.5,0.5,0.00001,10,-20,5"
    tape = imported(tmp_path, CHAIN + f"deribit,BTC-27DEC26-100000-C,{T + 1},{T + 5000},{cells}\n")
    values = {KIND_NAMES[row[5]]: row[2] for row in tape.array.tolist() if row[5] != BEST_QUOTE}
    assert values["bid_iv"] == 612_500_000
    assert values["mark_iv"] == 615_000_000
    assert values["theta"] == -20_000_000_000
    assert tape.info.kinds["best_quote"] == 2
    (instrument,) = tape.instruments
    assert instrument.name == "BTC-USD.261227-100000-C@deribit"
    with pytest.raises(InputError, match="type should be call or put"):
        import_file(
            written(tmp_path / "bad.csv", CHAIN + f"deribit,A-B,{T},{T},straddle,{cells[5:]}\n"), tmp_path / "no"
        )


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


HEADERS = {
    "a column missing": (BOOK.replace(",amount", ""), "lacks amount"),
    "a column twice": (BOOK.replace("price", "side"), "lacks price and names side twice"),
    "a level missing": (
        "exchange,symbol,timestamp,local_timestamp,asks[0].price,asks[0].amount,bids[0].price,bids[0].amount,"
        "asks[1].price,asks[1].amount\n",
        r"lacks bids\[1\]\.price, bids\[1\]\.amount",
    ),
    "a ticker's": (TICKER.replace("index_price,", ""), "lacks index_price"),
    "a chain's": (CHAIN.replace(",rho", ""), "lacks rho"),
}


@pytest.mark.parametrize(("header", "text"), HEADERS.values(), ids=HEADERS)
def test_a_header_that_lacks_or_repeats_a_column_is_refused_by_name(tmp_path, header, text):
    with pytest.raises(InputError, match=text):
        import_file(written(tmp_path / "x.csv", header + "a,b,1,2,3,4,5\n"), tmp_path / "tape")


def test_a_column_that_tardis_does_not_have_is_noted(tmp_path):
    text = TRADES.replace("amount", "amount,colour") + f"binance,BTCUSDT,{T},{T + 5},1,buy,2,3,red\n"
    tape = imported(tmp_path, text)
    assert "0.csv: the column colour is not read" in tape.info.notes


def test_days_are_merged_and_each_begins_with_its_own_snapshot(tmp_path):
    day = 86_400_000_000
    first = book_rows(*SNAPSHOT, "900 5000 - bid 40000 1")
    second = book_rows(*(f"{day} {day + 4000} snap bid 39000 1", f"{day + 5} {day + 4500} - ask 40000.5 2"))
    tape = imported(tmp_path, second, first)
    assert kinds(tape).count(SNAPSHOT_BEGIN) == 2
    verdict = tape.info.verdicts[0]
    assert (verdict.book, verdict.crossings, verdict.gaps) == ("good", 0, 0)


def test_an_id_that_is_no_number_becomes_one_that_is_always_the_same(tmp_path):
    rows = "".join(
        f"deribit,ETH-PERPETUAL,{T + n},{T + 5000 + n},{id},buy,1,2\n"
        for n, id in enumerate(("ETH-7", "ETH-8", "ETH-7"))
    )
    ids = imported(tmp_path, TRADES + rows).array["id"].tolist()
    assert ids[0] == ids[2] != ids[1]
    assert min(ids) > 0
