"""Recorded markets, imported and traded on, with levels and with best quotes alone; generated ones go the same way."""

from __future__ import annotations

import csv
import gzip
from decimal import Decimal
from itertools import islice

import pytest

from quotewright.kernel.codes import BEST_QUOTE, BID, LAST_BIT, LEVEL_SET, OFFER, TRADE, pack
from quotewright.kernel.ladder import Ladder
from quotewright.tape.tape import TapeFile
from quotewright.tape.writer import TapeWriter
from tests.end_to_end.command import EXAMPLES, quotewright
from tests.recorded import recorded

LINES = 12_000
"""How much of the recorded market is taken: some three quarters of a minute."""

TRADES = 400
"""Of the trades beside the best quotes: those of the few minutes that the quotes last."""


def beginning(path, lines, place):
    """Write the first *lines* of a compressed file to *place*."""
    with gzip.open(path) as file:
        place.write_bytes(b"".join(islice(file, lines)))
    return place


def imported(home, *files):
    ran = quotewright("data", "import", *files, home / "tape")
    assert ran.code == 0, ran.err
    return home / "tape"


@pytest.fixture(scope="module")
def recorded_tape(tmp_path_factory):
    """The beginning of a recorded market with levels, trades and best quotes."""
    path = recorded("binance/usdm/btcusdt_20240808T2354_6m.jsonl.gz")
    home = tmp_path_factory.mktemp("recorded")
    return imported(home, beginning(path, LINES, home / "btcusdt.jsonl"))


@pytest.fixture(scope="module")
def recorded_quotes(tmp_path_factory):
    """A recorded market of which only trades and best quotes are known."""
    trades, quotes = (recorded(f"binance/usdm/btcusdt_20200222_tardis_{kind}.csv.gz") for kind in ("trades", "quotes"))
    home = tmp_path_factory.mktemp("quotes")
    return imported(home, beginning(trades, TRADES, home / "trades.csv"), quotes)


@pytest.fixture(scope="module")
def generated_quotes(tape, tmp_path_factory):
    """The generated market as its trades and best quotes tell it."""
    path = tmp_path_factory.mktemp("generated") / "tape"
    book = Ladder()
    with TapeFile.open(tape) as market, TapeWriter(path, market.instruments) as writer:
        rows, words = market.rows, market.rows.words
        first = 0
        for last in range(1, rows.count + 1):
            word = words[last * 6 - 1]
            if not word & LAST_BIT:
                continue
            times = words[first * 6], words[first * 6 + 1]
            if words[first * 6 + 5] & 255 == TRADE:
                for row in range(first, last):
                    writer.buffer.append(*words[row * 6 : row * 6 + 6])
            elif book.apply(rows, first, last):
                quotes = (BID, book.best_bid, book.best_bid_size), (OFFER, book.best_offer, book.best_offer_size)
                for side, price, size in quotes:
                    writer.buffer.append(*times, price, size, 0, pack(BEST_QUOTE, side, 0, 0))
                writer.buffer.mark_last()
            first = last
        writer.finish()
    return path


MARKETS = {
    "generated levels": ("tape", "ladder"),
    "generated quotes": ("generated_quotes", "top_of_book"),
    "recorded levels": ("recorded_tape", "ladder"),
    "recorded quotes": ("recorded_quotes", "top_of_book"),
}


def backtest(market, book, folder):
    return quotewright(
        *("backtest", EXAMPLES / "backtest.toml", "--data", market, "--out", folder, "--json", "--no-report"),
        *("--set", f"feeds.market.book={book}", "--set", "strategies.maker.volatility_window=10s"),
    )


@pytest.mark.parametrize(
    ("fixture", "book"),
    [
        pytest.param(*market, id=name, marks=pytest.mark.recorded if "recorded" in name else ())
        for name, market in MARKETS.items()
    ],
)
def test_a_market_is_traded_on_the_same_twice_and_venue_and_record_agree(fixture, book, request, tmp_path):
    market = request.getfixturevalue(fixture)
    runs = [backtest(market, book, tmp_path / number) for number in "12"]
    assert [ran.code for ran in runs] == [0, 0], runs[0].err
    said = runs[0].json
    assert said["order_log_sha256"] == runs[1].json["order_log_sha256"]
    for name in ("orders.jsonl", "fills.csv"):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()
    assert said["fills"] > 0
    (figures,) = said["instruments"].values()
    assert abs(figures["pnl_bps_of_turnover"]) < 50
    assert all(count == 0 for count in said["integrity"].values())
    agree_on_fills(said, figures, tmp_path / "1" / "fills.csv")


def agree_on_fills(said, figures, path):
    """Check the venue's own counters against the summary and the record of fills."""
    venue = said["venues"]["main"]
    with path.open(encoding="utf-8", newline="") as file:
        fills = list(csv.DictReader(file))
    assert venue["fills"] == said["fills"] == figures["fills"] == len(fills)
    evidence = venue["fills_by_evidence"]
    assert sum(evidence.values()) == venue["fills"]
    assert venue["fills"] - evidence["taken"] == figures["maker_fills"] == sum(one["is_maker"] == "1" for one in fills)
    sums = {
        side: sum((Decimal(one["quantity"]) for one in fills if one["side"] == side), Decimal(0))
        for side in ("buy", "sell")
    }
    assert (sums["buy"], sums["sell"]) == (figures["bought"], figures["sold"])
    assert sums["buy"] - sums["sell"] == figures["position"]
    assert sum((Decimal(one["fee"]) for one in fills), Decimal(0)) == figures["fees"]


def test_best_quotes_alone_are_told_to_need_a_book_of_them(generated_quotes, tmp_path):
    ran = backtest(generated_quotes, "ladder", tmp_path / "run")
    assert ran.code == 4
    assert "this tape holds best quotes of " in ran.last
    assert 'no levels: set book = "top_of_book" under [feeds.market]' in ran.last
    assert not (tmp_path / "run").exists()


def test_a_book_of_best_quotes_is_told_that_a_tape_has_none(tape, tmp_path):
    with TapeFile.open(tape) as market:
        kinds = set(market.array["kind"].tolist())
    assert LEVEL_SET in kinds
    assert BEST_QUOTE not in kinds
    ran = backtest(tape, "top_of_book", tmp_path / "run")
    assert ran.code == 4
    assert 'only, no best quotes: leave book out, or set book = "ladder"' in ran.last
