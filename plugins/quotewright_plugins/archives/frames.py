"""Importer of bare frames: an exchange's own messages, one a line, without any receive time (Bybit's order books)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from quotewright.tape.importing import Importer, Stage
from quotewright.tape.recording import RecordedFile
from quotewright_plugins.tardis.raw import exchange_of


class FramesImporter(Importer):
    """Reads files of frames one behind the other, through the feed adapter of their exchange."""

    name = "frames"

    def recognises(self, path: Path, head: bytes) -> bool:
        """Return whether the first line is a frame with a topic and data, as Bybit's archive of books holds."""
        first = head.split(b"\n", 1)[0]
        return first[:1] == b"{" and b'"topic"' in first[:200] and b'"data"' in first[:400]

    def read(self, files: Sequence[RecordedFile], stage: Stage) -> Iterator[None]:
        for file in sorted(files, key=lambda one: one.name):
            market = exchange_of(file, stage, bytes)
            adapter = stage.adapter(*market)
            sink = stage.sink(*market)
            for line in file.lines():
                if not line:
                    continue
                receive_ns = stage.receive("-".join(part for part in market if part), None)
                before = adapter.counters.errors
                adapter.on_message(line, "ws", None, receive_ns, sink)
                if adapter.counters.errors > before:
                    stage.refuse(file, adapter.counters.last_error)
                yield
