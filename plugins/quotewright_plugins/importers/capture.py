"""Importer of captures: one JSON object per line around the exchange's own frame, read by that exchange's adapter.

:mod:`quotewright.tape.capture` tells what a line looks like.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from quotewright.errors import InputError
from quotewright.tape.capture import Line, envelope
from quotewright.tape.causality import Connection
from quotewright.tape.exchanges import detect_market
from quotewright.tape.importing import Importer, Market, Stage
from quotewright.tape.recording import RecordedFile
from quotewright_plugins.importers.venues import market_of


class CaptureImporter(Importer):
    """Reads captures of websocket frames and REST answers; several files are merged by receive time."""

    name = "capture"

    def recognises(self, path: Path, head: bytes) -> bool:
        """Return whether one of the first whole lines is an envelope."""
        lines = head.split(b"\n")
        for text in lines[:20] if len(lines) == 1 else lines[:-1][:20]:
            stamp, _, frame = text.partition(b" ")
            if stamp.isdigit() and frame[:1] == b"{":
                return True
            if text[:1] == b"{" and b'"ts"' in text[:200] and (b'"src"' in text[:300] or b'"msg"' in text[:300]):
                return True
        return False

    def read(self, files: Sequence[RecordedFile], stage: Stage) -> Iterator[None]:
        markets = [
            market_of(stage.exchange) if stage.exchange else detect_market(file, stage.plugins) for file in files
        ]
        readers = [_Reader(file, market, stage) for file, market in zip(files, markets, strict=True)]
        if len(readers) == 1:
            for line in readers[0].lines():
                readers[0].take(line)
                yield
            return
        # Ordered by what their stamps become; a line without one stays with the line before it.
        streams = [reader.stamped(number) for number, reader in enumerate(readers)]
        for _, number, line in heapq.merge(*streams, key=lambda item: (item[0], item[1])):
            readers[number].take(line)
            yield


class _Reader:
    """Hands the lines of one file to its adapter."""

    def __init__(self, file: RecordedFile, market: Market, stage: Stage) -> None:
        self.file = file
        self.stage = stage
        self.connection = file.path.name
        self.market = market
        self.is_head = True
        """No frame has come yet: answers may be the metadata that a recorder asks for first."""
        self.listings: set[str] = set()
        """Where metadata came from."""
        self.adapter = stage.adapter(*market)
        self.sink = stage.sink(*market)
        self.opened: set[str | None] = set()

    def lines(self) -> Iterator[Line]:
        """Yield the lines that can be read; the others are refused one by one."""
        for text in self.file.lines():
            if not text:
                continue
            try:
                yield envelope(text)
            except InputError as error:
                self.stage.refuse(self.file, str(error))

    def stamped(self, number: int) -> Iterator[tuple[int, int, Line]]:
        clock = Connection(self.connection)
        shift_ns = self.stage.shift_ns(self.connection)
        for line in self.lines():
            recorded_ns = clock.stamp(line.ts)
            yield (recorded_ns + shift_ns if recorded_ns else 0), number, line

    def take(self, line: Line) -> None:
        """Give one line to the adapter; what it refuses is noted."""
        receive_ns = self.stage.receive(self.connection, line.ts)
        source = line.src
        if source == "ws" or source == "file":
            self.is_head = False
            self._message(bytes(line.msg), "ws", line.url, receive_ns)
        elif source == "rest":
            if not (self.is_head and self._metadata(bytes(line.msg), line.url)):
                self._message(bytes(line.msg), "rest", line.url, receive_ns)
        elif source == "open":
            if line.url in self.opened:  # the same connection a second time: what came between is lost
                self.adapter.on_close(receive_ns, self.sink)
            self.opened.add(line.url)
        elif source == "close" or source == "stale":
            self._lost(source, bytes(line.msg), receive_ns)
        elif source != "sent":
            self.stage.refuse(
                self.file, f"src should be ws, rest, sent, open, close, stale or file, was {source[:20]!r}"
            )

    def _lost(self, source: str, text: bytes, receive_ns: int) -> None:
        """Follow the recorder: a connection is lost and the books named with it, or books were given up."""
        try:
            symbols = msgspec.json.decode(text, type=list[str])
        except msgspec.MsgspecError as error:
            self.stage.refuse(self.file, f"a line of src {source} should name symbols: {error}")
            return
        if source == "close":
            self.adapter.on_close(receive_ns, self.sink, symbols)
            return
        for symbol in symbols:
            self.adapter.resync(symbol, receive_ns, self.sink)

    def _metadata(self, body: bytes, url: str | None) -> bool:
        """Take *body* as the venue's list of instruments, or an empty page of it; False if it is something else."""
        try:
            listed = self.adapter.instruments(body)
        except InputError:
            return False
        address = (url or "").partition("?")[0]
        if listed:
            self.listings.add(address)
        self.stage.tell(self.market, listed)
        return address in self.listings

    def _message(self, frame: bytes, source: str, url: str | None, receive_ns: int) -> None:
        adapter = self.adapter
        counters = adapter.counters
        before = sum(counters.decode_errors.values())
        adapter.on_message(frame, "rest" if source == "rest" else "ws", url, receive_ns, self.sink)
        if counters.decode_errors and sum(counters.decode_errors.values()) > before:
            self.stage.refuse(self.file, counters.last_error)
