"""Importer of hftbacktest's ``.npz`` files: one instrument a file, events with both times, numbers as floats."""

from __future__ import annotations

import heapq
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from quotewright.errors import InputError
from quotewright.kernel.codes import BUY
from quotewright.tape import hftbacktest as h
from quotewright.tape.importing import Importer, Stage
from quotewright.tape.recording import RecordedFile
from quotewright.tape.sink import Sink
from quotewright_plugins.importers.venues import TARDIS, market_of

Array = np.ndarray[Any, np.dtype[Any]]
CHUNK = 1 << 16
MEMBER = "data.npy"
LEVELS = (h.DEPTH_EVENT, h.DEPTH_SNAPSHOT_EVENT, h.DEPTH_CLEAR_EVENT)


class NpzImporter(Importer):
    """Reads event arrays; the instrument is told by the file's name: ``EXCHANGE_SYMBOL.npz`` or ``symbol_day.npz``."""

    name = "npz"

    def recognises(self, path: Path, head: bytes) -> bool:
        return head.startswith(b"PK\x03\x04") and MEMBER.encode() in head[:60]

    def read(self, files: Sequence[RecordedFile], stage: Stage) -> Iterator[None]:
        readers = [_Reader(file, stage) for file in files]
        streams = [reader.messages(number) for number, reader in enumerate(readers)]
        merged = streams[0] if len(streams) == 1 else heapq.merge(*streams, key=lambda item: item[:2])
        for _, number, row, events in merged:
            readers[number].take(row, events)
            yield


def exchange_and_symbol(stem: str, exchange: str) -> tuple[str, str]:
    """Return what a file's name says; InputError if it does not name the exchange and nobody else did."""
    for name in sorted(TARDIS, key=len, reverse=True):
        if stem.lower().startswith(f"{name}_"):
            return exchange or name, stem[len(name) + 1 :]
    if not exchange:
        raise InputError("its name should be EXCHANGE_SYMBOL.npz (binance-futures_BTCUSDT.npz); or say --exchange")
    return exchange, stem.partition("_")[0].upper()


class _Reader:
    """Writes the events of one file."""

    def __init__(self, file: RecordedFile, stage: Stage) -> None:
        self.file = file
        self.stage = stage
        try:
            exchange, self.symbol = exchange_and_symbol(file.path.stem, stage.exchange)
        except InputError as error:
            raise InputError(f"{file.path}: {error}") from None
        self.connection = f"{exchange} {self.symbol}"
        self.sink: Sink = stage.sink(*market_of(exchange, stage.plugins))
        self.book: dict[int, dict[str, None]] = {0: {}, 1: {}}
        self.is_known = False

    def messages(self, number: int) -> Iterator[tuple[int, int, int, Array]]:
        """Yield merged time, *number*, number of the message's last event (from 1) and its events."""
        shift_ns = self.stage.shift_ns(self.connection)
        newest_ns = 0
        rest = np.empty(0, h.EVENT_DTYPE)
        self.file.line = 0
        for chunk in _chunks(self.file.path):
            pending = None
            for events in h.messages(np.concatenate((rest, chunk))):
                if pending is not None:
                    self.file.line += len(pending)
                    newest_ns = max(newest_ns, int(pending["local_ts"][0]) + shift_ns)
                    yield newest_ns, number, self.file.line, pending
                pending = events
            rest = pending if pending is not None else np.empty(0, h.EVENT_DTYPE)
        if len(rest):
            self.file.line += len(rest)
            yield max(newest_ns, int(rest["local_ts"][0]) + shift_ns), number, self.file.line, rest

    def take(self, row: int, events: Array) -> None:
        """Write one message; a number in it that is no decimal leaves it out whole, and the book is stale."""
        receive_ns = self.stage.receive(self.connection, int(events["local_ts"][0]) or None)
        event_ns = int(events["exch_ts"][0])
        kinds = [int(ev) & h.KIND_MASK for ev in events["ev"].tolist()]
        try:
            if kinds[0] in LEVELS:
                self._levels(kinds, events, event_ns, receive_ns)
            elif kinds[0] == h.TRADE_EVENT and self.sink.begin(self.symbol, event_ns, receive_ns):
                ev, price, size = (events[name][0] for name in ("ev", "px", "qty"))
                self.sink.trade(h.side_of(int(ev)), h.number_text(price), h.number_text(size), 0)
                self.sink.end()
            elif kinds[0] == h.DEPTH_BBO_EVENT and self.sink.begin(self.symbol, event_ns, receive_ns):
                self.sink.best(*self._quotes(events))
                self.sink.end()
            elif kinds[0] not in (h.TRADE_EVENT, h.DEPTH_BBO_EVENT):
                self.stage.note(f"{self.file.name}: events of kind {kinds[0]} are not read")
        except InputError as error:
            self.sink.abandon()
            self.stage.refuse(self.file, f"event {row}: {error}", row)
            if kinds[0] in LEVELS and self.is_known and self.sink.begin(self.symbol, 0, receive_ns):
                self.is_known = False
                self.sink.gap()
                self.sink.end()

    def _levels(self, kinds: list[int], events: Array, event_ns: int, receive_ns: int) -> None:
        sides = [h.side_of(ev) for ev in events["ev"].tolist()]
        cleared = {side for kind, side in zip(kinds, sides, strict=True) if kind == h.DEPTH_CLEAR_EVENT}
        is_image = 0 in cleared or len(cleared) == 2
        if not (is_image or self.is_known) or not self.sink.begin(self.symbol, event_ns, receive_ns):
            return
        if is_image:
            # What stands in front of a last clearing of everything in one message is gone with it.
            last = max(
                (at for at, side in enumerate(sides) if kinds[at] == h.DEPTH_CLEAR_EVENT and not side), default=0
            )
            kinds, sides, events = kinds[last:], sides[last:], events[last:]
            self.sink.snapshot()
            self.book = {0: {}, 1: {}}
        prices, sizes = events["px"].tolist(), events["qty"].tolist()
        for kind, side, price, size in zip(kinds, sides, prices, sizes, strict=True):
            write = self.sink.bid if side == BUY else self.sink.offer
            levels = self.book[0 if side == BUY else 1]
            if kind == h.DEPTH_CLEAR_EVENT:
                if not is_image:  # of one side, from the best price to this one
                    for text in [
                        text for text in levels if (float(text) >= price) is (side == BUY) or float(text) == price
                    ]:
                        write(text, "0")
                        del levels[text]
                continue
            if not side:
                raise InputError("an event of the book should have a side")
            text = h.number_text(price)
            write(text, h.number_text(size))
            if size:
                levels[text] = None
            else:
                levels.pop(text, None)
        self.sink.end()
        self.is_known = True

    @staticmethod
    def _quotes(events: Array) -> tuple[str, str, str, str]:
        quotes = {BUY: ("", ""), 0: ("", "")}
        for ev, price, size in zip(events["ev"].tolist(), events["px"].tolist(), events["qty"].tolist(), strict=True):
            quotes[BUY if h.side_of(ev) == BUY else 0] = (h.number_text(price), h.number_text(size))
        return (*quotes[BUY], *quotes[0])


def _chunks(path: Path) -> Iterator[Array]:
    """Yield the array in pieces, so that a large one is never in memory whole."""
    try:
        with zipfile.ZipFile(path) as file, file.open(MEMBER) as member:
            count, dtype = _header(member)
            while count:
                size = min(count, CHUNK) * dtype.itemsize
                data = b""
                while len(data) < size and (part := member.read(size - len(data))):
                    data += part
                if len(data) < size:
                    raise InputError("the array ends too early; fetch or write the file again")
                count -= size // dtype.itemsize
                chunk = np.frombuffer(data, dtype)
                found = np.empty(len(chunk), h.EVENT_DTYPE)
                for name in h.EVENT_DTYPE.names or ():
                    found[name] = chunk[name]
                yield found
    except (zipfile.BadZipFile, KeyError, EOFError, zlib.error, ValueError, RuntimeError) as error:
        raise InputError(f"{path}: {error}") from None


def _header(member: IO[bytes]) -> tuple[int, np.dtype[Any]]:
    version = np.lib.format.read_magic(member)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(member)
    expected = [(name, h.EVENT_DTYPE[name]) for name in h.EVENT_DTYPE.names or ()]
    if dtype.hasobject or [(name, dtype[name]) for name in dtype.names or ()] != expected or len(shape) != 1:
        raise InputError(f"its array should hold the events of hftbacktest 2.x ({h.EVENT_DTYPE.names}), holds {dtype}")
    return int(shape[0]), dtype
