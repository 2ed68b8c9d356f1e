"""A tape leaves for other programs and comes back: whole, in part, and with every number as it was."""

from __future__ import annotations

import builtins
import json
import random
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from quotewright.cli.data import data
from quotewright.errors import ConfigError, FormatVersionError, InputError
from quotewright.fetching.times import iso
from quotewright.kernel.codes import (
    GAP,
    KIND_NAMES,
    LEVEL_DELETE,
    LEVEL_SET,
    RESYNC,
    SNAPSHOT_BEGIN,
    TRADE,
)
from quotewright.kernel.ladder import Ladder
from quotewright.tape import hftbacktest as h
from quotewright.tape.export import Selection, contract, decimal_text, follow, recorded_exchange
from quotewright.tape.importing import import_file, import_files
from quotewright.tape.parquet import INFO_KEY, VERSION_KEY, read_parquet, write_parquet
from quotewright.tape.tape import TapeFile
from tests.recorded import recorded

T = 1_772_323_200_000_000_000
OPTION = "BTC-27DEC26-100000-C"


def normalised(seed: int = 5, count: int = 400) -> list[str]:
    """Return messages of every type, of three exchanges, over two days, with disconnects and new snapshots."""
    drawn = random.Random(seed)
    lines = []
    changed: dict[str, bool] = {}
    now = T + 86_000_000_000_000  # four minutes before midnight, so that a second day begins
    symbols = {"binance-futures": "BTCUSDT", "bybit": "ETHUSD", "deribit": OPTION}

    def message(type_: str, exchange: str, **body: object) -> None:
        times = {"timestamp": iso(now - drawn.randint(2_000, 90_000) * 1_000, 6), "localTimestamp": iso(now, 6)}
        lines.append(json.dumps({"type": type_, "symbol": symbols[exchange], "exchange": exchange, **body, **times}))

    def levels(low: int, count: int, can_remove: bool) -> list[dict[str, float]]:
        prices = drawn.sample(range(low, low + 40), count)
        return [
            {"price": price / 10, "amount": 0 if can_remove and drawn.random() < 0.3 else drawn.randint(1, 9999) / 1000}
            for price in prices
        ]

    for number in range(count):
        now += drawn.randint(100_000, 2_400_000) * 1_000
        exchange = drawn.choice(list(symbols))
        kind = drawn.random()
        if exchange == "deribit":
            numbers = {
                name: drawn.randint(1, 999) / 1000 for name in ("bestBidIV", "bestAskIV", "markIV", "delta", "gamma")
            }
            message(
                *("option_summary", exchange),
                optionType="call",
                strikePrice=100000,
                expirationDate="2026-12-27T08:00:00.000Z",
                bestBidPrice=0.05,
                bestBidAmount=1.5,
                bestAskPrice=0.06,
                bestAskAmount=drawn.randint(1, 50) / 10,
                lastPrice=0.055,
                openInterest=number,
                markPrice=0.0553,
                vega=1.25,
                theta=-2.5,
                rho=0.5,
                **{"underlyingPrice": 90000.5, "underlyingIndex": "", **numbers},
            )
        elif exchange not in changed or (kind < 0.03 and changed[exchange]):
            changed[exchange] = False
            message(
                "book_change", exchange, isSnapshot=True, bids=levels(9_900, 12, False), asks=levels(10_000, 12, False)
            )
        elif kind < 0.05 and changed[exchange] and number < count - 50:
            lines.append(
                json.dumps(
                    {
                        "type": "disconnect",
                        "exchange": exchange,
                        "symbols": [symbols[exchange]],
                        "localTimestamp": iso(now, 6),
                    }
                )
            )
            del changed[exchange]
        elif kind < 0.65:
            changed[exchange] = True
            message(
                "book_change", exchange, isSnapshot=False, bids=levels(9_900, 3, True), asks=levels(10_000, 2, True)
            )
        elif kind < 0.8:
            message(
                *("trade", exchange),
                id=str(number + 1),
                price=drawn.randint(9_900, 10_000) / 10,
                amount=drawn.randint(1, 99) / 1000,
                side=drawn.choice(["buy", "sell", "unknown"]),
            )
        elif kind < 0.85:
            message(
                "liquidation", exchange, id=str(number + 1), price=999.9, amount=0.5, side=drawn.choice(["buy", "sell"])
            )
        elif kind < 0.92:
            message(
                "book_ticker", exchange, bidPrice=999.9, bidAmount=drawn.randint(1, 99) / 10, askPrice=1000, askAmount=2
            )
        else:
            message(
                *("derivative_ticker", exchange),
                lastPrice=number + 1,
                openInterest=number + 0.5,
                fundingRate=0.0001,
                indexPrice=1000.123456789,
                fundingTimestamp="2026-03-02T08:00:00.000Z",
                predictedFundingRate=-1e-05,
                markPrice=1000.5,
            )
    return lines


@pytest.fixture(scope="module")
def tape(tmp_path_factory):
    folder = tmp_path_factory.mktemp("export")
    (folder / "all.ndjson").write_text("\n".join(normalised()) + "\n")
    import_file(folder / "all.ndjson", folder / "tape")
    with TapeFile.open(folder / "tape") as opened:
        opened.require_causal()
        yield opened


def run(*arguments: object) -> str:
    result = CliRunner().invoke(data, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def rows_of(path: Path, *without: int) -> list[tuple[object, ...]]:
    """Return the rows of a tape by the names of instruments, without the kinds that a format has no word for."""
    with TapeFile.open(path) as opened:
        opened.require_causal()
        names = [instrument.name for instrument in opened.instruments]
        return [(names[row[8]], *row[:8]) for row in opened.array.tolist() if row[5] not in without]


def test_the_generated_tape_holds_every_kind_that_these_formats_have(tape):
    assert set(tape.info.kinds) == set(KIND_NAMES[1:]) - {
        *("order_add", "order_reduce", "order_execute", "order_delete"),
        *("connection", "instrument_change", "status"),
    }
    assert tape.info.refused_count == 0


def test_parquet_gives_the_very_same_tape_back(tape, tmp_path):
    run("export", tape.path, tmp_path / "x.parquet", "--format", "parquet")
    info = import_file(tmp_path / "x.parquet", tmp_path / "tape")
    assert info.to_json() == tape.info.to_json()
    for name in ("rows.bin", "event_order.bin", "tape.json"):
        assert (tmp_path / "tape" / name).read_bytes() == (tape.path / name).read_bytes()


def test_csv_gives_every_row_back_that_it_has_a_column_for(tape, tmp_path):
    run("export", tape.path, tmp_path / "csv", "--format", "csv")
    files = sorted((tmp_path / "csv").iterdir())
    days = {file.name.split("_")[-2] for file in files}
    assert days == {"2026-03-01", "2026-03-02"}
    import_files(files, tmp_path / "tape")
    midnight = T + 86_400_000_000_000

    def known(rows):
        # A day's file begins with the book as it stands, which is no message of the market.
        return [row for row in rows if row[2] // 1_000_000 != midnight // 1_000_000]

    again = [row for row in known(rows_of(tmp_path / "tape", GAP, RESYNC)) if row[1] != midnight]
    assert again == known(rows_of(tape.path, GAP, RESYNC))


def test_a_snapshot_behind_a_snapshot_leaves_the_same_book_in_csv(tmp_path):
    times = {"timestamp": "2026-03-01T00:00:00.000Z", "localTimestamp": "2026-03-01T00:00:01.000Z"}
    head = {"type": "book_change", "exchange": "bybit", "symbol": "ETHUSD", "isSnapshot": True, **times}
    one = [{"price": 10, "amount": 1}, {"price": 9, "amount": 2}]
    two = [{"price": 9, "amount": 3}, {"price": 8, "amount": 4}]
    asks = [{"price": 11, "amount": 1}]
    later = {"timestamp": "2026-03-01T00:00:02.000Z", "localTimestamp": "2026-03-01T00:00:03.000Z"}
    lines = [json.dumps({**head, "bids": one, "asks": asks}), json.dumps({**head, "bids": two, "asks": asks, **later})]
    (tmp_path / "x.ndjson").write_text("\n".join(lines))
    import_file(tmp_path / "x.ndjson", tmp_path / "tape")
    run("export", tmp_path / "tape", tmp_path / "csv", "--format", "csv")
    import_files(sorted((tmp_path / "csv").iterdir()), tmp_path / "again")
    for path in ("tape", "again"):
        with TapeFile.open(tmp_path / path) as opened:
            assert final_book(Selection.of(opened)) == [(1, [(9, 3), (8, 4)], [(11, 1)])]


def final_book(selection: Selection) -> list[tuple[object, ...]]:
    """Return status, bids and offers of each book at the end of a selection."""
    books: dict[int, Ladder] = {}
    for rows in selection.blocks():
        follow(books, rows)
    return [(book.status, book.levels(1, 1000), book.levels(2, 1000)) for book in books.values()]


def test_normalised_lines_give_every_row_back(tape, tmp_path):
    run("export", tape.path, tmp_path / "x.ndjson.gz", "--format", "normalized")
    import_file(tmp_path / "x.ndjson.gz", tmp_path / "tape")
    assert rows_of(tmp_path / "tape") == rows_of(tape.path)


def test_hftbacktest_gives_books_and_trades_back(tape, tmp_path):
    run("export", tape.path, tmp_path / "npz", "--format", "hftbacktest", "--instrument", "BTC-USDT.perp@binance")
    (file,) = (tmp_path / "npz").iterdir()
    assert file.name == "binance-futures_BTCUSDT.npz"
    import_file(file, tmp_path / "tape")
    kept = (LEVEL_SET, LEVEL_DELETE, SNAPSHOT_BEGIN, TRADE)

    def told(path):
        return [row[:5] + row[6:8] for row in rows_of(path) if row[0] == "BTC-USDT.perp@binance" and row[6] in kept]

    assert told(tmp_path / "tape") == told(tape.path)


def test_events_are_in_order_on_both_sides(tape):
    found, _ = h.events(Selection.of(tape, ["BTC-USDT.perp@binance"]))
    local = found[(found["ev"] & np.uint64(h.LOCAL_EVENT)) != 0]
    exchange = found[(found["ev"] & np.uint64(h.EXCH_EVENT)) != 0]
    assert (np.diff(local["local_ts"]) >= 0).all()
    assert (np.diff(exchange["exch_ts"]) >= 0).all()
    assert sorted(local["px"].tolist()) == sorted(exchange["px"].tolist())
    assert (found["exch_ts"] < found["local_ts"]).all()


def test_the_layout_is_hftbacktest_s():
    assert h.EVENT_DTYPE.itemsize == 64
    assert h.EVENT_DTYPE.names == ("ev", "exch_ts", "local_ts", "px", "qty", "order_id", "ival", "fval")
    assert [str(h.EVENT_DTYPE[name]) for name in h.EVENT_DTYPE.names] == [
        *("uint64", "int64", "int64", "float64", "float64", "uint64", "int64", "float64")
    ]


def test_events_out_of_order_at_the_exchange_stand_once_for_each_side():
    found = np.zeros(5, h.EVENT_DTYPE)
    found["ev"] = h.EXCH_EVENT | h.LOCAL_EVENT | h.TRADE_EVENT
    found["exch_ts"] = [1, 5, 3, 4, 9]
    found["local_ts"] = [10, 11, 12, 13, 14]
    out = h.ordered(found)
    both, exchange, local = (h.EXCH_EVENT | h.LOCAL_EVENT, h.EXCH_EVENT, h.LOCAL_EVENT)
    assert (out["ev"] - h.TRADE_EVENT).tolist() == [both, exchange, exchange, exchange, local, local, local, both]
    assert out["exch_ts"].tolist() == [1, 3, 4, 5, 5, 3, 4, 9]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (40000.1, "40000.1"),
        (0.1 + 0.2, "0.3"),
        (3 * 0.001, "0.003"),
        (1e-07, "1e-07"),
        (123456.0, "123456.0"),
        (0.0, "0.0"),
    ],
)
def test_a_float_becomes_the_decimal_it_was_made_of(value, text):
    assert h.number_text(value) == text


@pytest.mark.parametrize("value", [1 / 3, float("nan"), float("inf"), 0.12345678901234567])
def test_a_float_that_is_no_decimal_is_refused(value):
    with pytest.raises(InputError, match="no decimal number of up to 15 digits"):
        h.number_text(value)


def test_a_number_too_long_for_a_float_is_refused_by_its_row(tape):
    class Long(Selection):
        def blocks(self):
            for rows in super().blocks():
                rows["size"][np.flatnonzero(rows["kind"] == LEVEL_SET)[0]] = 10**15
                yield rows

    with pytest.raises(InputError, match=r"row \d+: a size of 1000000000000000 steps has more than 15 digits"):
        h.events(Long(tape, (tape.instrument_id("BTC-USDT.perp@binance"),), 0, 2**62))


def test_a_part_begins_with_the_books_as_they_stood(tape, tmp_path):
    middle = int(tape.array["receive_ns"][len(tape.array) // 2])
    names = ["BTC-USDT.perp@binance"]
    whole = Selection.of(tape, names)
    part = Selection.of(tape, names, middle)
    first = next(part.blocks())
    assert first["kind"][0] == SNAPSHOT_BEGIN
    assert (first["receive_ns"] == middle).all()

    assert final_book(part) == final_book(whole)
    until = Selection.of(tape, names, 0, middle)
    assert max(int(rows["receive_ns"].max()) for rows in until.blocks()) < middle
    count = sum(len(rows) for rows in until.blocks()) + sum(len(rows) for rows in part.blocks()) - len(first)
    assert count == sum(len(rows) for rows in whole.blocks())
    run(
        *("export", tape.path, tmp_path / "part.parquet", "--format", "parquet", "--instrument", names[0]),
        *("--from", iso(middle, 9), "--to", iso(tape.span[1], 9)),
    )
    info = import_file(tmp_path / "part.parquet", tmp_path / "part")
    assert [instrument.name for instrument in info.instruments] == names
    with TapeFile.open(tmp_path / "part") as opened:
        opened.require_causal()


def test_blocks_are_whole_messages_wherever_the_pages_end(tape, monkeypatch):
    whole = np.concatenate(list(Selection.of(tape).blocks()))
    monkeypatch.setattr(
        TapeFile, "blocks", lambda self: ((first, self.array[first : first + 7]) for first in range(0, len(self), 7))
    )
    pieces = list(Selection.of(tape).blocks())
    assert all(int(rows["flags"][-1]) & 1 for rows in pieces)
    assert np.array_equal(np.concatenate(pieces), whole)


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [(0, 2, "0"), (1, 0, "1"), (150, 2, "1.5"), (5, 3, "0.005"), (-5, 3, "-0.005"), (1200, 2, "12"), (-100, 2, "-1")],
)
def test_steps_become_the_shortest_text(value, decimals, text):
    assert decimal_text(value, decimals) == text


def test_what_names_tell(tape):
    names = {recorded_exchange(instrument): instrument for instrument in tape.instruments}
    assert set(names) == {"binance-futures", "bybit", "deribit"}
    assert contract(names["deribit"]) == (1_798_358_400_000_000_000, "100000", "C")
    assert contract(names["bybit"]) == (0, "", "")


def test_without_pyarrow_the_extra_is_named(tape, tmp_path, monkeypatch):
    plain = builtins.__import__

    def without(name, *rest):
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return plain(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ConfigError, match=r"pip install 'quotewright\[parquet\]'"):
        write_parquet(Selection.of(tape), tmp_path / "x.parquet")


def altered(tape, path, metadata=None, drop="", change=None):
    """Write the tape as a Parquet file with something wrong in it."""
    import pyarrow.parquet

    write_parquet(Selection.of(tape), path)
    table = pyarrow.parquet.read_table(path)
    if change is not None:
        column, value = change
        values = table.column(column).to_pylist()
        values[3] = value
        place = table.schema.get_field_index(column)
        table = table.set_column(
            place, table.schema.field(column), pyarrow.array(values, table.schema.field(column).type)
        )
    if drop:
        table = table.drop_columns([drop])
    if metadata is not None:
        table = table.replace_schema_metadata({**(table.schema.metadata or {}), **metadata})
    pyarrow.parquet.write_table(table, path)


FAULTS = {
    "another schema": ({"metadata": {VERSION_KEY: b"9"}}, FormatVersionError, "is of schema 9"),
    "a damaged header": ({"metadata": {INFO_KEY: b"{"}}, InputError, "its header is damaged"),
    "a column missing": ({"drop": "side"}, InputError, "the column side is missing"),
    "an unknown instrument": ({"change": ("instrument", 99)}, InputError, "row 3 is about an instrument"),
    "no kind": ({"change": ("kind", 0)}, InputError, "row 3 is of no known kind"),
    "the future": ({"change": ("event_ns", 2**62)}, InputError, "row 3 is received before it happened"),
    "a change": ({"change": ("id", 12345)}, InputError, "the checksum differs"),
}


@pytest.mark.parametrize(("how", "kind", "text"), FAULTS.values(), ids=FAULTS)
def test_a_parquet_file_that_is_no_tape_is_refused(tape, tmp_path, how, kind, text):
    altered(tape, tmp_path / "x.parquet", **how)
    with pytest.raises(kind, match=text):
        read_parquet(tmp_path / "x.parquet", tmp_path / "tape")
    assert not (tmp_path / "tape").exists()


def test_other_parquet_files_are_refused(tmp_path):
    import pyarrow
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.table({"a": [1]}), tmp_path / "x.parquet")
    with pytest.raises(InputError, match="of another program"):
        import_file(tmp_path / "x.parquet", tmp_path / "tape")
    (tmp_path / "y.parquet").write_bytes(b"PAR1 and noise")
    with pytest.raises(InputError, match="is no Parquet file, or is damaged"):
        import_file(tmp_path / "y.parquet", tmp_path / "tape")


def test_nothing_is_written_over(tape, tmp_path):
    (tmp_path / "x.parquet").write_text("mine")
    result = CliRunner().invoke(data, ["export", str(tape.path), str(tmp_path / "x.parquet"), "--format", "parquet"])
    assert isinstance(result.exception, InputError)
    assert "exists already" in str(result.exception)
    assert (tmp_path / "x.parquet").read_text() == "mine"


RECORDED = ("binance/usdm/multi4_20210722T2225_30s.jsonl.gz", "okx/multi3_books_20220513T1627_11s.jsonl.gz")


@pytest.mark.recorded
@pytest.mark.parametrize("name", RECORDED[:1])
def test_recorded_tapes_come_back_too(tmp_path, name):
    import_file(recorded(name), tmp_path / "tape")
    run("export", tmp_path / "tape", tmp_path / "x.parquet", "--format", "parquet")
    import_file(tmp_path / "x.parquet", tmp_path / "copy")
    for file in ("rows.bin", "event_order.bin", "tape.json"):
        assert (tmp_path / "copy" / file).read_bytes() == (tmp_path / "tape" / file).read_bytes()
    run("export", tmp_path / "tape", tmp_path / "csv", "--format", "csv")
    import_files(sorted((tmp_path / "csv").iterdir()), tmp_path / "from_csv")
    run("export", tmp_path / "tape", tmp_path / "npz", "--format", "hftbacktest")
    import_files(sorted((tmp_path / "npz").iterdir()), tmp_path / "from_npz")
    kept = (LEVEL_SET, LEVEL_DELETE, SNAPSHOT_BEGIN, TRADE)

    def told(path):
        with TapeFile.open(path) as opened:
            found = {}
            for row in opened.array[np.isin(opened.array["kind"], kept)].tolist():
                instrument = opened.instruments[row[8]]
                price, size = instrument.price_from_steps(row[2]), instrument.size_from_steps(row[3])
                found.setdefault(instrument.symbol, []).append((row[5], row[6], price, size))
            return found

    assert told(tmp_path / "from_csv") == told(tmp_path / "tape")
    assert told(tmp_path / "from_npz") == told(tmp_path / "tape")
