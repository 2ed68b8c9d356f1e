"""Tapes as CSV files in the manner of Tardis's data sets: one file per exchange, kind of data, day and instrument.

Columns and rules: Tardis's documentation of its downloadable CSV files, mid 2026. Times are whole microseconds, so
the last three digits of a tape's are lost; so are flags of trades, gaps and states, for which there are no columns.
"""

from __future__ import annotations

import gzip
from collections import OrderedDict
from decimal import Decimal
from pathlib import Path
from typing import IO, Final

from quotewright.errors import InputError
from quotewright.fetching.manifest import safe_path
from quotewright.fetching.times import DAY_NS, date_of
from quotewright.kernel.codes import BUY, SELL
from quotewright.tape.sink import JsonArray, OptionSummary, Text

COMMON: Final = "exchange,symbol,timestamp,local_timestamp"
HEADERS: Final = {
    "incremental_book_L2": f"{COMMON},is_snapshot,side,price,amount",
    "trades": f"{COMMON},id,side,price,amount",
    "liquidations": f"{COMMON},id,side,price,amount",
    "book_ticker": f"{COMMON},ask_amount,ask_price,bid_price,bid_amount",
    "derivative_ticker": f"{COMMON},funding_timestamp,funding_rate,predicted_funding_rate,open_interest,last_price,"
    "index_price,mark_price",
    "options_chain": f"{COMMON},type,strike_price,expiration,open_interest,last_price,bid_price,bid_amount,bid_iv,"
    "ask_price,ask_amount,ask_iv,mark_price,mark_iv,underlying_index,underlying_price,delta,gamma,vega,theta,rho",
}
SIDES: Final = {BUY: "buy", SELL: "sell"}
OPEN_FILES: Final = 64


def symbol_in_name(symbol: str) -> str:
    """Return *symbol* as it stands in names of files."""
    return symbol.upper().replace("/", "-").replace(":", "-")


def file_name(exchange: str, kind: str, date: str, symbol: str) -> str:
    return f"{exchange}_{kind}_{date}_{symbol_in_name(symbol)}.csv.gz"


class _Book:
    """The levels of one instrument as they were written, for the snapshot that every day begins with."""

    def __init__(self) -> None:
        self.sides: tuple[dict[str, str], dict[str, str]] = ({}, {})
        self.day = -1
        self.is_known = False
        self.was_snapshot = False


class CsvSink:
    """A sink for one exchange's instruments that writes CSV files into *folder*; :meth:`close` it at the end.

    *shows_percent*: volatilities are written in percent, as ``FeedAdapter.shows_percent`` says of the venue.
    """

    def __init__(self, folder: Path, exchange: str, shows_percent: bool = False) -> None:
        self.folder = folder
        self.exchange = exchange
        self.shows_percent = shows_percent
        self.rows_written: dict[str, int] = {}
        self.left_out = 0
        self._files: OrderedDict[str, IO[str]] = OrderedDict()
        self._begun: set[str] = set()
        self._books: dict[str, _Book] = {}
        self._symbol = ""
        self._stamps = ""
        self._day = 0
        self._id = 0
        self._levels: list[tuple[int, str, str]] = []
        self._is_snapshot = False
        self._ticker: dict[str, str] = {}

    def begin(
        self, symbol: str, event_ns: int, receive_ns: int, flags: int = 0, id: int = 0, stamp_ns: int = 0
    ) -> bool:
        local = receive_ns // 1_000
        self._symbol = symbol
        self._stamps = f"{event_ns // 1_000 if event_ns else local},{local}"
        self._day = receive_ns // DAY_NS
        self._id = id
        self._levels = []
        self._is_snapshot = False
        self._ticker = {}
        return True

    def snapshot(self) -> None:
        self._is_snapshot = True

    def bid(self, price: Text, size: Text) -> None:
        self._levels.append((0, _text(price), _text(size)))

    def offer(self, price: Text, size: Text) -> None:
        self._levels.append((1, _text(price), _text(size)))

    def bids(self, levels: JsonArray) -> None:
        raise InputError("levels are written one by one into CSV files")

    def offers(self, levels: JsonArray) -> None:
        raise InputError("levels are written one by one into CSV files")

    def trade(self, side: int, price: Text, size: Text, id: int, flags: int = 0, name: str = "") -> None:
        self._row("trades", f"{name or id},{SIDES.get(side, 'unknown')},{_text(price)},{_text(size)}")

    def best(self, bid: Text, bid_size: Text, offer: Text, offer_size: Text) -> None:
        quotes = (_text(offer_size), _text(offer), _text(bid), _text(bid_size))
        self._row("book_ticker", ",".join("" if text == "0" else text for text in quotes))

    def mark(self, price: Text) -> None:
        self._ticker["mark_price"] = _text(price)

    def index(self, price: Text) -> None:
        self._ticker["index_price"] = _text(price)

    def last(self, price: Text) -> None:
        self._ticker["last_price"] = _text(price)

    def funding(self, rate: Text, next_ns: int) -> None:
        self._ticker["funding_rate"] = _text(rate)
        self._ticker["funding_timestamp"] = str(next_ns // 1_000) if next_ns else ""

    def predicted_funding(self, rate: Text) -> None:
        self._ticker["predicted_funding_rate"] = _text(rate)

    def liquidation(self, side: int, price: Text, size: Text, id: int = 0, name: str = "") -> None:
        self._row("liquidations", f"{name or id or ''},{SIDES.get(side, 'unknown')},{_text(price)},{_text(size)}")

    def open_interest(self, size: Text) -> None:
        self._ticker["open_interest"] = _text(size)

    def option(self, summary: OptionSummary) -> None:
        if not summary.right:
            self.left_out += 1
            return
        texts = (
            *(summary.open_interest, summary.last_price, summary.bid_price, summary.bid_size, self._iv(summary.bid_iv)),
            *(summary.offer_price, summary.offer_size, self._iv(summary.offer_iv)),
            *(summary.mark_price, self._iv(summary.mark_iv), summary.underlying_index, summary.underlying_price),
            *(summary.delta, summary.gamma, summary.vega, summary.theta, summary.rho),
        )
        head = f"{'call' if summary.right == 'C' else 'put'},{_text(summary.strike)},{summary.expiry_ns // 1_000}"
        self._row("options_chain", ",".join((head, *(_text(text) for text in texts))))

    def _iv(self, fraction: Text) -> str:
        text = _text(fraction)
        return f"{Decimal(text).scaleb(2).normalize():f}" if text and self.shows_percent else text

    def status(self, status: int) -> None:
        self.left_out += 1

    def change(self, tick: Text, lot: Text) -> None:
        self.left_out += 1

    def gap(self, missing: int = 0) -> None:
        self._books.setdefault(self._symbol, _Book()).is_known = False
        self.left_out += 1

    def resync(self) -> None:
        """The snapshot that follows says it by itself."""

    def end(self) -> None:
        if self._ticker:
            columns = HEADERS["derivative_ticker"].split(",")[4:]
            self._row("derivative_ticker", ",".join(self._ticker.get(name, "") for name in columns))
        if self._levels or self._is_snapshot:
            self._book()

    def abandon(self) -> None:
        self._levels, self._ticker = [], {}

    def _book(self) -> None:
        book = self._books.setdefault(self._symbol, _Book())
        if self._is_snapshot:
            self._image(book)
        elif book.is_known:
            if book.day != self._day:
                # Every file begins with the book as it stands: who reads one day only finds it whole.
                midnight = self._day * DAY_NS // 1_000
                levels = [(side, *level) for side in (0, 1) for level in book.sides[side].items()]
                self._changes("true", levels, f"{midnight},{midnight}")
            for side, price, size in self._levels:
                if size == "0":
                    book.sides[side].pop(price, None)
                else:
                    book.sides[side][price] = size
            self._changes("false", self._levels)
            book.was_snapshot = False
        else:
            self.left_out += len(self._levels)
            return
        book.day = self._day

    def _image(self, book: _Book) -> None:
        fresh: tuple[dict[str, str], dict[str, str]] = ({}, {})
        for side, price, size in self._levels:
            fresh[side][price] = size
        if book.was_snapshot and book.day == self._day:
            # Snapshot rows that follow snapshot rows would only add to them: what is gone is deleted by name.
            gone = [(side, price, "0") for side in (0, 1) for price in book.sides[side] if price not in fresh[side]]
            self._changes("true", gone)
        book.sides = fresh
        self._changes("true", self._levels)
        book.is_known = book.was_snapshot = True

    def _changes(self, word: str, levels: list[tuple[int, str, str]], stamps: str = "") -> None:
        for side, price, size in levels:
            self._row("incremental_book_L2", f"{word},{'ask' if side else 'bid'},{price},{size}", stamps)

    def _row(self, kind: str, cells: str, stamps: str = "") -> None:
        name = file_name(self.exchange, kind, date_of(self._day * DAY_NS).isoformat(), self._symbol)
        file = self._files.get(name)
        if file is None:
            file = self._open(name, kind)
        self._files.move_to_end(name)
        file.write(f"{self.exchange},{self._symbol},{stamps or self._stamps},{cells}\n")
        self.rows_written[name] = self.rows_written.get(name, 0) + 1

    def _open(self, name: str, kind: str) -> IO[str]:
        if len(self._files) >= OPEN_FILES:
            self._files.popitem(last=False)[1].close()
        path = safe_path(self.folder, name)
        is_new = name not in self._begun
        if is_new and path.exists():
            raise InputError(f"{path} exists already; choose another folder")
        # Closed by close(), or when too many are open.
        file = gzip.open(path, "wt" if is_new else "at", compresslevel=6, encoding="utf-8", newline="\n")  # noqa: SIM115
        self._files[name] = file
        if is_new:
            self._begun.add(name)
            file.write(HEADERS[kind] + "\n")
        return file

    def close(self) -> None:
        """Finish every file."""
        while self._files:
            self._files.popitem()[1].close()


def _text(value: Text) -> str:
    return value if isinstance(value, str) else value.decode("ascii")
