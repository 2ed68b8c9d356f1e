"""Importer of the exchanges' own CSV archives: trades of Binance, Bybit and OKX, best quotes of Binance futures.

Such files know the exchange's time only, so every row is received as long after it as ``--base-latency`` says. The
exchange and the symbol are told by the file's name as ``data fetch`` writes it (``binance-futures_BTCUSDT-trades-…``).
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import attrs

from quotewright.errors import InputError
from quotewright.kernel.codes import AGGREGATED, BUY, SELL
from quotewright.tape.importing import Importer, Stage
from quotewright.tape.recording import RecordedFile
from quotewright.tape.sink import Sink
from quotewright_plugins.importers.venues import TARDIS, market_of
from quotewright_plugins.tardis.messages import print_id

NAME = re.compile(
    r"(?:(?P<exchange>[a-z-]+)_)?(?P<symbol>[A-Za-z0-9_-]+?)-(?P<kind>trades|aggTrades|bookTicker|aggtrades)-"
)
SIDES = {b"buy": BUY, b"sell": SELL}
TRUE = {b"true": True, b"false": False}


@attrs.frozen
class Format:
    """Where the cells of one kind of file are; *maker* is true where the buyer rested."""

    time: int
    price: int = -1
    size: int = -1
    id: int = -1
    side: int = -1
    maker: int = -1
    symbol: int = -1
    flags: int = 0
    quotes: tuple[int, int, int, int] = (-1, -1, -1, -1)


BINANCE = {
    ("trades", 6): Format(time=4, price=1, size=2, id=0, maker=5),
    ("trades", 7): Format(time=4, price=1, size=2, id=0, maker=5),
    ("aggTrades", 7): Format(time=5, price=1, size=2, id=0, maker=6, flags=AGGREGATED),
    ("aggTrades", 8): Format(time=5, price=1, size=2, id=0, maker=6, flags=AGGREGATED),
    ("bookTicker", 7): Format(time=5, id=0, quotes=(1, 2, 3, 4)),
}
"""By kind and number of columns: files of some years have no header."""
HEADED: tuple[dict[str, str], ...] = (
    # Bybit's derivatives, its spot market, and OKX, whose older headers say everything in two languages.
    {"time": "timestamp", "symbol": "symbol", "side": "side", "size": "size", "price": "price", "id": "trdmatchid"},
    {"time": "timestamp", "side": "side", "size": "volume", "price": "price", "id": "id"},
    {"time": "created_time", "side": "side", "size": "size", "price": "price", "id": "trade_id"},
)
"""Columns by what they hold, in lower case; the first that all are there is taken."""


def nanoseconds(cell: bytes) -> int:
    """Return a time in ns: seconds with a fraction, or whole milli-, micro- or nanoseconds, told by their size."""
    whole, point, fraction = cell.strip().partition(b".")
    if not whole.isdigit() or (point and not fraction.isdigit()) or len(whole) > 19 or len(fraction) > 18:
        raise InputError(f"a time should be a number, was {cell[:40]!r}")
    stamp = int(whole)
    unit = next(
        unit for least, unit in ((10**17, 1), (10**14, 1_000), (10**11, 1_000_000), (0, 10**9)) if stamp >= least
    )
    total = stamp * unit + int((fraction or b"0").ljust(18, b"0")) * unit // 10**18
    if total >= 1 << 63:
        raise InputError(f"a time should lie before the year 2262, was {cell[:40]!r}")
    return total


def format_of(name: str, first: bytes) -> Format | None:
    """Return where the cells are, by a file's name and first line; None if it is of another format."""
    names = [cell.split(b"/")[0].strip().lower().decode("utf-8", "replace") for cell in first.strip().split(b",")]
    for columns in HEADED:
        if names and set(columns.values()) <= set(names):
            at = {field: names.index(column) for field, column in columns.items()}
            symbol = "instrument_name" if "instrument_name" in names else columns.get("symbol", "")
            return Format(
                time=at["time"],
                price=at["price"],
                size=at["size"],
                id=at["id"],
                side=at["side"],
                symbol=names.index(symbol) if symbol else -1,
                flags=AGGREGATED if "aggtrades" in name else 0,
            )
    found = NAME.match(name)
    if found is None or found["kind"] == "aggtrades":
        return None
    return BINANCE.get((found["kind"], len(names)))


class ArchiveCsvImporter(Importer):
    """Reads the exchanges' own CSV files, packed or plain; several are merged by time."""

    name = "archive_csv"

    def recognises(self, path: Path, head: bytes) -> bool:
        return format_of(path.name, head.split(b"\n", 1)[0]) is not None

    def read(self, files: Sequence[RecordedFile], stage: Stage) -> Iterator[None]:
        readers = [_Reader(file, stage) for file in files]
        streams = [reader.rows(number) for number, reader in enumerate(readers)]
        merged = streams[0] if len(streams) == 1 else heapq.merge(*streams, key=lambda item: item[:2])
        for event_ns, number, line, cells in merged:
            readers[number].take(event_ns, line, cells)
            yield


class _Reader:
    """Writes the rows of one file."""

    def __init__(self, file: RecordedFile, stage: Stage) -> None:
        self.file = file
        self.stage = stage
        first = file.head().split(b"\n", 1)[0]
        found = format_of(file.name, first)
        if found is None:
            raise InputError(f"{file.path}: its name and first line tell no format of an exchange's archive")
        self.format = found
        named = NAME.match(file.name)
        exchange = stage.exchange or (named["exchange"] if named and named["exchange"] in TARDIS else "")
        if not exchange:
            raise InputError(f"{file.path}: say where it was recorded with --exchange, such as binance-futures")
        self.symbol = named["symbol"] if named else ""
        if not self.symbol and found.symbol < 0:
            raise InputError(f"{file.path}: its name should tell the symbol: EXCHANGE_SYMBOL-trades-DAY")
        self.exchange = exchange
        self.sink: Sink = stage.sink(*market_of(exchange, stage.plugins))
        self.write: Callable[[int, int, str, list[bytes]], None] = self._quotes if found.quotes[0] >= 0 else self._trade
        self.width = len(first.split(b","))

    def rows(self, number: int) -> Iterator[tuple[int, int, int, list[bytes]]]:
        newest_ns = 0
        for text in self.file.lines():
            cells = text.split(b",")
            if not text or (self.file.line == 1 and not cells[self.format.time].replace(b".", b"").strip().isdigit()):
                continue
            try:
                if len(cells) != self.width:
                    raise InputError(f"should have {self.width} columns, has {len(cells)}")
                newest_ns = max(newest_ns, nanoseconds(cells[self.format.time]))
            except InputError as error:
                self.stage.refuse(self.file, str(error))
                continue
            yield newest_ns, number, self.file.line, cells

    def take(self, event_ns: int, line: int, cells: list[bytes]) -> None:
        receive_ns = self.stage.receive(self.exchange, None)
        place = self.format.symbol
        symbol = cells[place].decode("utf-8", "replace").strip() if place >= 0 else self.symbol
        try:
            self.write(nanoseconds(cells[self.format.time]), receive_ns, symbol, cells)
        except InputError as error:
            self.sink.abandon()
            self.stage.refuse(self.file, str(error), line)

    def _trade(self, event_ns: int, receive_ns: int, symbol: str, cells: list[bytes]) -> None:
        found = self.format
        if found.maker >= 0:
            is_maker = TRUE.get(cells[found.maker].strip().lower())
            if is_maker is None:
                raise InputError(f"the buyer's column should be true or false, was {cells[found.maker][:20]!r}")
            side = SELL if is_maker else BUY
        else:
            known = SIDES.get(cells[found.side].strip().lower())
            if known is None:
                raise InputError(f"side should be buy or sell, was {cells[found.side][:20]!r}")
            side = known
        id, name = print_id(cells[found.id].decode("utf-8", "replace").strip(), self.file.line)
        if self.sink.begin(symbol, event_ns, receive_ns, 0, id):
            self.sink.trade(side, cells[found.price].strip(), cells[found.size].strip(), id, found.flags, name=name)
            self.sink.end()

    def _quotes(self, event_ns: int, receive_ns: int, symbol: str, cells: list[bytes]) -> None:
        bid, bid_size, offer, offer_size = (cells[place].strip() for place in self.format.quotes)
        id, _ = print_id(cells[self.format.id].decode("utf-8", "replace").strip())
        if self.sink.begin(symbol, event_ns, receive_ns, 0, id):
            self.sink.best(bid, bid_size, offer, offer_size)
            self.sink.end()
