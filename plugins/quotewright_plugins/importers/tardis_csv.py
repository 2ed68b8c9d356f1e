"""Importer of Tardis CSV data sets: books, book snapshots, trades, quotes, liquidations, tickers, option chains.

Rules: Tardis's documentation of its downloadable CSV files, mid 2026. Times are microseconds; rows of equal
``timestamp``, ``local_timestamp`` and ``is_snapshot`` are one message; a snapshot begins where ``is_snapshot`` turns
true and lasts until it turns false. Several files are merged by ``local_timestamp``.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from quotewright.errors import InputError
from quotewright.kernel.codes import BUY, IN_SNAPSHOT, NO_SIDE, SELL
from quotewright.tape.importing import Importer, Stage
from quotewright.tape.recording import RecordedFile
from quotewright.tape.sink import OptionSummary, Sink
from quotewright_plugins.importers.tardis_columns import columns_of, depth_of, kind_of, other_columns, require_columns
from quotewright_plugins.importers.venues import market_of, volatility
from quotewright_plugins.tardis.messages import print_id

SIDES = {b"buy": BUY, b"sell": SELL, b"unknown": NO_SIDE, b"": NO_SIDE}
RIGHTS = {b"call": "C", b"put": "P"}
SNAPSHOT_WORDS = {b"true": True, b"false": False, b"True": True, b"False": False, b"1": True, b"0": False}
BOOKS = ("incremental_book_L2", "book_snapshot")
RANK = dict.fromkeys(("incremental_book_L2", "book_snapshot"), 2)
RANK |= {"trades": 0, "liquidations": 1, "quotes": 3, "derivative_ticker": 4, "options_chain": 5}
"""At one time trades come before the book changes that they caused, and those before the quotes."""

Cells = list[bytes]


def nanoseconds(cell: bytes) -> int:
    """Return a stamp in ns: microseconds, or what its size tells (converted files hold ns or ms); 0 if empty."""
    if not cell:
        return 0
    try:
        stamp = int(cell)
    except ValueError:
        raise InputError(f"a time should be whole microseconds, was {cell[:40]!r}") from None
    if stamp < 10**17:
        stamp *= 1_000 if stamp >= 10**14 else 1_000_000
    if not 0 <= stamp < 1 << 63:
        raise InputError(f"a time should be microseconds since 1970, was {cell[:40]!r}")
    return stamp


class TardisCsvImporter(Importer):
    """Reads Tardis CSV files, gzip or plain, any number of them together."""

    name = "tardis_csv"

    def recognises(self, path: Path, head: bytes) -> bool:
        return bool(kind_of(columns_of(head.split(b"\n", 1)[0])))

    def read(self, files: Sequence[RecordedFile], stage: Stage) -> Iterator[None]:
        tables = [_Table(file, stage) for file in files]
        streams = [table.messages(number) for number, table in enumerate(tables)]
        merged = streams[0] if len(streams) == 1 else heapq.merge(*streams, key=lambda item: item[:3])
        books: dict[tuple[bytes, bytes], str] = {}
        for _, _, number, rows in merged:
            table = tables[number]
            if table.kind in BOOKS:
                _require_one_book(books, table, rows[0])
            table.take(rows)
            yield


def _require_one_book(books: dict[tuple[bytes, bytes], str], table: _Table, row: Cells) -> None:
    key = (row[table.exchange], row[table.symbol])
    kind = books.setdefault(key, table.label)
    if kind != table.label:
        raise InputError(
            f"{table.file.path}: {key[1].decode()} has a book in {kind} and in {table.label}; import one of them"
        )


class _Table:
    """One file: its columns, and how its rows are written."""

    def __init__(self, file: RecordedFile, stage: Stage) -> None:
        self.file = file
        self.stage = stage
        columns = columns_of(file.head().split(b"\n", 1)[0])
        self.kind = kind_of(columns)
        try:
            require_columns(self.kind, columns)
        except InputError as error:
            raise InputError(f"{file.path}: {error}") from None
        for name in other_columns(self.kind, columns):
            stage.note(f"{file.name}: the column {name} is not read")
        if self.kind == "trades" and "liquidation" in file.name:
            self.kind = "liquidations"
        self.at = {name: place for place, name in enumerate(columns)}
        self.width = len(columns)
        self.exchange, self.symbol = self.at["exchange"], self.at["symbol"]
        self.timestamp, self.local_timestamp = self.at["timestamp"], self.at["local_timestamp"]
        self.depth = depth_of(columns)
        self.label = f"{self.kind}_{self.depth}" if self.kind == "book_snapshot" else self.kind
        self.write: Callable[[Sink, str, int, int, list[Cells]], None] = getattr(self, f"_{self.kind}")
        self.sinks: dict[bytes, tuple[Sink, str]] = {}
        self.in_snapshot: set[bytes] = set()
        self.had_snapshot: set[bytes] = set()

    def messages(self, number: int) -> Iterator[tuple[int, int, int, list[Cells]]]:
        """Yield local time with the clock's shift, rank, *number* and the rows of each message."""
        rank = RANK[self.kind]
        newest_ns = 0
        for group in self._groups():
            rows = group
            try:
                local_ns = nanoseconds(rows[0][self.local_timestamp] or rows[0][self.timestamp])
            except InputError as error:
                cells = rows[0][: self.width]
                cells[self.timestamp] = cells[self.local_timestamp] = b""
                rows, local_ns = [[*cells, str(error).encode()]], 0
            exchange = rows[0][self.exchange].decode("ascii", "replace")
            newest_ns = max(newest_ns, local_ns + self.stage.shift_ns(exchange))
            yield newest_ns, rank, number, rows

    def _groups(self) -> Iterator[list[Cells]]:
        """Yield the rows of each message; only book changes span several rows."""
        is_grouped = self.kind == "incremental_book_L2"
        together = (self.timestamp, self.local_timestamp, self.at.get("is_snapshot", 0), self.symbol, self.exchange)
        group: list[Cells] = []
        key: tuple[bytes, ...] = ()
        for text in self.file.lines():
            if self.file.line == 1 or not text:
                continue
            cells = text.split(b",")
            if len(cells) != self.width:
                fault = f"should have {self.width} columns, has {len(cells)}"
                if len(cells) <= max(self.exchange, self.symbol, self.timestamp, self.local_timestamp):
                    self.stage.refuse(self.file, fault)
                    continue
                if group:
                    yield group
                # A change that cannot be read is missing from its book: the row goes on, marked by one cell too many.
                group, key = [], ()
                yield [[*(cells + [b""] * self.width)[: self.width], fault.encode()]]
                continue
            if not is_grouped:
                yield [cells]
                continue
            own = tuple(cells[place] for place in together)
            if own != key and group:
                yield group
                group = []
            key = own
            group.append(cells)
        if group:
            yield group

    def take(self, rows: list[Cells]) -> None:
        """Write one message; if a number in it cannot be read it is left out whole and its book is stale."""
        cells = rows[0]
        exchange = cells[self.exchange]
        found = self.sinks.get(exchange)
        if found is None:
            name = exchange.decode("ascii", "replace")
            try:
                venue, market = market_of(self.stage.exchange or name, self.stage.plugins)
            except InputError as error:
                self.stage.refuse(self.file, str(error))
                return
            found = self.sinks[exchange] = (self.stage.sink(venue, market), name)
        sink, connection = found
        symbol = cells[self.symbol].decode("utf-8", "replace")
        local = cells[self.local_timestamp]
        receive_ns = self.stage.receive(connection, nanoseconds(local) or None)
        event_ns = 0
        try:
            if len(cells) > self.width:
                raise InputError(cells[-1].decode())
            # A time equal to the local one is the collector's, put there because the exchange sent none.
            if cells[self.timestamp] != local:
                event_ns = nanoseconds(cells[self.timestamp])
            self.write(sink, symbol, event_ns, receive_ns, rows)
        except InputError as error:
            sink.abandon()
            self.stage.refuse(self.file, str(error))
            if self.kind in BOOKS and cells[self.symbol] in self.had_snapshot and sink.begin(symbol, 0, receive_ns):
                sink.gap()
                sink.end()
                self.had_snapshot.discard(cells[self.symbol])

    def _incremental_book_L2(self, sink: Sink, symbol: str, event_ns: int, receive_ns: int, rows: list[Cells]) -> None:
        name = rows[0][self.symbol]
        word = rows[0][self.at["is_snapshot"]]
        is_snapshot = SNAPSHOT_WORDS.get(word)
        if is_snapshot is None:
            raise InputError(f"{symbol}: is_snapshot should be true or false, was {word[:20]!r}")
        is_first = is_snapshot and name not in self.in_snapshot
        if is_snapshot:
            self.in_snapshot.add(name)
        else:
            self.in_snapshot.discard(name)
        if not is_first and name not in self.had_snapshot:
            return  # changes of a book that is not known
        if not sink.begin(symbol, event_ns, receive_ns, IN_SNAPSHOT if is_snapshot and not is_first else 0):
            return
        if is_first:
            if name in self.had_snapshot:
                sink.resync()
            sink.snapshot()
        side, price, amount = self.at["side"], self.at["price"], self.at["amount"]
        for cells in rows:
            if cells[side] == b"bid":
                sink.bid(cells[price], cells[amount])
            elif cells[side] == b"ask":
                sink.offer(cells[price], cells[amount])
            else:
                raise InputError(f"{symbol}: side should be bid or ask, was {cells[side][:20]!r}")
        sink.end()
        if is_first:
            self.had_snapshot.add(name)

    def _book_snapshot(self, sink: Sink, symbol: str, event_ns: int, receive_ns: int, rows: list[Cells]) -> None:
        cells = rows[0]
        if not sink.begin(symbol, event_ns, receive_ns):
            return
        sink.snapshot()
        for level in range(self.depth):
            for side, write in (("bids", sink.bid), ("asks", sink.offer)):
                price = cells[self.at[f"{side}[{level}].price"]]
                amount = cells[self.at[f"{side}[{level}].amount"]]
                if price and amount:
                    write(price, amount)
        sink.end()
        self.had_snapshot.add(cells[self.symbol])

    def _trades(self, sink: Sink, symbol: str, event_ns: int, receive_ns: int, rows: list[Cells]) -> None:
        cells, at = rows[0], self.at
        id, name = print_id(cells[at["id"]].decode("utf-8", "replace"), self.file.line)
        if sink.begin(symbol, event_ns, receive_ns, 0, id):
            sink.trade(_side(cells[at["side"]]), cells[at["price"]], cells[at["amount"]], id, name=name)
            sink.end()

    def _liquidations(self, sink: Sink, symbol: str, event_ns: int, receive_ns: int, rows: list[Cells]) -> None:
        cells, at = rows[0], self.at
        id, name = print_id(cells[at["id"]].decode("utf-8", "replace"))
        if sink.begin(symbol, event_ns, receive_ns, 0, id):
            sink.liquidation(_side(cells[at["side"]]), cells[at["price"]], cells[at["amount"]], id, name=name)
            sink.end()

    def _quotes(self, sink: Sink, symbol: str, event_ns: int, receive_ns: int, rows: list[Cells]) -> None:
        cells, at = rows[0], self.at
        if sink.begin(symbol, event_ns, receive_ns):
            sink.best(
                cells[at["bid_price"]] or b"0",
                cells[at["bid_amount"]] or b"0",
                cells[at["ask_price"]] or b"0",
                cells[at["ask_amount"]] or b"0",
            )
            sink.end()

    def _derivative_ticker(self, sink: Sink, symbol: str, event_ns: int, receive_ns: int, rows: list[Cells]) -> None:
        cells, at = rows[0], self.at
        if sink.begin(symbol, event_ns, receive_ns):
            if price := cells[at["mark_price"]]:
                sink.mark(price)
            if price := cells[at["index_price"]]:
                sink.index(price)
            if price := cells[at["last_price"]]:
                sink.last(price)
            if rate := cells[at["funding_rate"]]:
                sink.funding(rate, nanoseconds(cells[at["funding_timestamp"]]))
            if rate := cells[at["predicted_funding_rate"]]:
                sink.predicted_funding(rate)
            if size := cells[at["open_interest"]]:
                sink.open_interest(size)
            sink.end()

    def _options_chain(self, sink: Sink, symbol: str, event_ns: int, receive_ns: int, rows: list[Cells]) -> None:
        cells, at = rows[0], self.at
        exchange = cells[self.exchange].decode("ascii", "replace")
        word = cells[at["type"]]
        right = RIGHTS.get(word)
        if right is None:
            raise InputError(f"{symbol}: type should be call or put, was {word[:20]!r}")

        def text(name: str) -> str:
            return cells[at[name]].decode("ascii", "replace")

        summary = OptionSummary(
            right=right,
            strike=text("strike_price"),
            expiry_ns=nanoseconds(cells[at["expiration"]]),
            bid_price=text("bid_price"),
            bid_size=text("bid_amount"),
            bid_iv=volatility(exchange, text("bid_iv")),
            offer_price=text("ask_price"),
            offer_size=text("ask_amount"),
            offer_iv=volatility(exchange, text("ask_iv")),
            last_price=text("last_price"),
            open_interest=text("open_interest"),
            mark_price=text("mark_price"),
            mark_iv=volatility(exchange, text("mark_iv")),
            delta=text("delta"),
            gamma=text("gamma"),
            vega=text("vega"),
            theta=text("theta"),
            rho=text("rho"),
            underlying_price=text("underlying_price"),
            underlying_index=text("underlying_index"),
        )
        if sink.begin(symbol, event_ns, receive_ns):
            sink.option(summary)
            if summary.bid_size or summary.offer_size:
                sink.best(summary.bid_price, summary.bid_size, summary.offer_price, summary.offer_size)
            sink.end()


def _side(cell: bytes) -> int:
    found = SIDES.get(cell)
    if found is None:
        raise InputError(f"side should be buy, sell or unknown, was {cell[:20]!r}")
    return found
