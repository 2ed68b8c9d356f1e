"""Read recordings in the text format acme-csv: a feed adapter for its lines and an importer for its files.

A file begins with the line ``acme-csv,1``. Each further line is one whole message; times are microseconds:

    S,EVENT,RECEIVED,SYMBOL,SEQUENCE,99.98:5|99.97:7,100.02:4|100.03:9     the whole book, bids and offers
    U,EVENT,RECEIVED,SYMBOL,SEQUENCE,99.98:0,                              changed levels; size 0 deletes
    T,EVENT,RECEIVED,SYMBOL,ID,buy,100.02,1                                a trade; the side is the taker's
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from quotewright.errors import InputError
from quotewright.feed import BadFrame, BookState, FeedAdapter, Source
from quotewright.kernel.codes import BUY, SELL
from quotewright.plugin import configured, hookimpl
from quotewright.plugin.specs import Factory
from quotewright.tape.importing import Importer, Stage
from quotewright.tape.recording import RecordedFile
from quotewright.tape.sink import Sink

HEADER = b"acme-csv,1"
SIDES = {"buy": BUY, "sell": SELL}


@configured
class AcmeFeed(FeedAdapter):
    """Frames of the acme exchange, one line each, with a sequence number for every book."""

    name = "acme"

    def on_message(self, raw: bytes | memoryview, source: Source, url: str | None, receive_ns: int, sink: Sink) -> None:
        """Write one line into *sink*; a line that cannot be read is counted and makes its book stale."""
        self.counters.messages += 1
        fields = bytes(raw).decode("utf-8", "replace").split(",")
        try:
            kind, event_us, _, symbol, number, *rest = fields
            event_ns, id = int(event_us) * 1000, int(number)
        except ValueError:
            self.bad_frame("shape", f"acme: a line should have six fields or more: {','.join(fields)[:80]!r}")
            return
        try:
            if kind == "T":
                self._trade(symbol, event_ns, receive_ns, id, rest, sink)
            elif kind in ("S", "U"):
                self._levels(kind == "S", symbol, event_ns, receive_ns, id, rest, sink)
            else:
                self.counters.ignore(kind)
        except (BadFrame, InputError, ValueError) as error:
            sink.abandon()
            reason = error.reason if isinstance(error, BadFrame) else "number"
            self.bad_frame(reason, f"acme {symbol}: {error}")
            if (book := self.books.get(symbol)) is not None and kind != "T":
                self.lose(book, event_ns, receive_ns, sink)

    def _trade(self, symbol: str, event_ns: int, receive_ns: int, id: int, rest: list[str], sink: Sink) -> None:
        side, price, size = rest
        if side not in SIDES:
            raise BadFrame("shape", f"side should be buy or sell, was {side!r}")
        if sink.begin(symbol, event_ns, receive_ns, 0, id):
            sink.trade(SIDES[side], price, size, id)
            sink.end()
            self.counters.trades += 1

    def _levels(
        self, is_snapshot: bool, symbol: str, event_ns: int, receive_ns: int, id: int, rest: list[str], sink: Sink
    ) -> None:
        bids, offers = rest
        book = self.book(symbol)
        if book is None:
            return
        if not is_snapshot and book.state is not BookState.SYNCHRONISED:
            self.counters.stale_dropped += 1
            return
        if not is_snapshot and id != book.last_id + 1:
            self.lose(book, event_ns, receive_ns, sink, id, max(0, id - book.last_id - 1))
            self.request(book, receive_ns)
            return
        book.last_id = id
        if not sink.begin(symbol, event_ns, receive_ns, 0, id):
            return
        if is_snapshot:
            if book.state is BookState.STALE:
                sink.resync()
            sink.snapshot()
        for text, write in ((bids, sink.bid), (offers, sink.offer)):
            for level in filter(None, text.split("|")):
                price, size = level.split(":")
                write(price, size)
        sink.end()
        if is_snapshot:
            self.answered(book)
            book.state = BookState.SYNCHRONISED
            book.was_good = True
            self.counters.snapshots += 1
        else:
            self.counters.updates += 1

    def guess_instrument(self, symbol: str) -> dict[str, Any]:
        """Return what the symbol tells: ``ACME-USD`` is ACME against USD, and all instruments here are spot."""
        base, dash, quote = symbol.partition("-")
        if not (base and dash and quote):
            raise InputError(f"acme: a symbol should be BASE-QUOTE, was {symbol!r}")
        name = f"{symbol}.spot@acme"
        return {"name": name, "symbol": symbol, "venue": "acme", "kind": "spot", "base": base, "quote": quote}


class AcmeCsv(Importer):
    """Files of the format acme-csv."""

    name = "acme_csv"

    def recognises(self, path: Path, head: bytes) -> bool:
        """Return whether the file begins with the format's own line."""
        return head.startswith(HEADER)

    def read(self, files: Sequence[RecordedFile], stage: Stage) -> Iterator[None]:
        """Hand every line to the adapter; what it could not read is named in the tape's header."""
        adapter = stage.adapter("acme")
        sink = stage.sink("acme")
        for file in files:
            for line in file.lines():
                if not line or line == HEADER:
                    continue
                errors = adapter.counters.errors
                stamp = line.split(b",", 3)[2:3]
                receive_ns = stage.receive(file.name, int(stamp[0]) * 1000 if stamp and stamp[0].isdigit() else None)
                adapter.on_message(line, "ws", None, receive_ns, sink)
                if adapter.counters.errors > errors:
                    stage.refuse(file, adapter.counters.last_error)
                yield


@hookimpl
def feed_adapters() -> dict[str, Factory]:
    """Offer the adapter as ``plugin = "acme"`` in ``[feeds.X]``."""
    return {"acme": AcmeFeed}


@hookimpl
def importers() -> dict[str, Factory]:
    """Offer the importer to ``quotewright data import``."""
    return {"acme_csv": AcmeCsv}
