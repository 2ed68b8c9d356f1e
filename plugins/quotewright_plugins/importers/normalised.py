"""Importer of Tardis-normalised messages: one JSON object (or an array of them) on each line.

Such lines come from a tardis-machine server, from tardis-dev, and from ``quotewright data normalize``.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from quotewright.errors import InputError
from quotewright.tape.causality import Connection
from quotewright.tape.importing import Importer, Stage
from quotewright.tape.recording import RecordedFile
from quotewright.tape.sink import Sink
from quotewright_plugins.importers.venues import market_of
from quotewright_plugins.tardis import messages as m
from quotewright_plugins.tardis.adapter import NormalisedAdapter

LINES = msgspec.json.Decoder(list[msgspec.Raw])


class NormalisedImporter(Importer):
    """Reads normalised messages of any number of exchanges; several files are merged by ``localTimestamp``."""

    name = "normalised"

    def recognises(self, path: Path, head: bytes) -> bool:
        """Return whether the first line that holds a message holds one of a known type."""
        lines = head.split(b"\n")
        for line in lines[:20] if len(lines) == 1 else lines[:-1][:20]:
            try:
                for part in _parts(line):
                    found = m.HEAD.decode(part)
                    return found.type in m.TYPES and bool(found.exchange)
            except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
                return False
        return False

    def read(self, files: Sequence[RecordedFile], stage: Stage) -> Iterator[None]:
        readers = [_Reader(file, stage) for file in files]
        streams = [reader.messages(number) for number, reader in enumerate(readers)]
        merged = streams[0] if len(streams) == 1 else heapq.merge(*streams, key=lambda item: item[:2])
        exchanges = _Exchanges(stage)
        for _, number, message in merged:
            exchanges.take(readers[number].file, message)
            yield
        exchanges.finish()


def _parts(line: bytes) -> list[msgspec.Raw]:
    """Return the messages on one line."""
    if line[:1] == b"[":
        return LINES.decode(line)
    return [msgspec.Raw(line)] if line.strip() else []


Message = m.Message | m.Head


class _Reader:
    """Takes the lines of one file apart."""

    def __init__(self, file: RecordedFile, stage: Stage) -> None:
        self.file = file
        self.stage = stage

    def messages(self, number: int) -> Iterator[tuple[int, int, Message]]:
        """Yield each message with its local time as the merged tape will have it."""
        clocks: dict[str, Connection] = {}
        newest_ns = 0
        for line in self.file.lines():
            try:
                for part in _parts(line):
                    message = m.decode(bytes(part))
                    clock = clocks.get(message.exchange)
                    if clock is None:
                        clock = clocks[message.exchange] = Connection(message.exchange)
                    local_ns = clock.stamp(m.stamp_ns(message.localTimestamp) or None)
                    shift_ns = self.stage.shift_ns(message.exchange)
                    newest_ns = max(newest_ns, local_ns + shift_ns if local_ns else 0)
                    yield newest_ns, number, message
            except (InputError, msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
                self.stage.refuse(self.file, str(error))


class _Exchanges:
    """One adapter and one sink for each exchange named in the messages."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.found: dict[str, tuple[NormalisedAdapter, Sink]] = {}

    def take(self, file: RecordedFile, message: Message) -> None:
        stage = self.stage
        try:
            local_ns = m.stamp_ns(message.localTimestamp)
            found = self.found.get(message.exchange) or self._made(message.exchange)
        except InputError as error:
            stage.refuse(file, str(error))
            return
        adapter, sink = found
        receive_ns = stage.receive(message.exchange, local_ns or None)
        before = adapter.counters.errors
        adapter.take(message, receive_ns, sink)
        if adapter.counters.errors > before:
            stage.refuse(file, adapter.counters.last_error)

    def _made(self, exchange: str) -> tuple[NormalisedAdapter, Sink]:
        if not exchange:
            raise InputError("a message should name its exchange")
        stage = self.stage
        sink = stage.sink(*market_of(stage.exchange or exchange, stage.plugins))
        found = self.found[exchange] = (NormalisedAdapter(exchange), sink)
        return found

    def finish(self) -> None:
        """Note what was left out."""
        for exchange, (adapter, _) in sorted(self.found.items()):
            if adapter.counters.ignored:
                kinds = ", ".join(f"{kind} {count:,}" for kind, count in sorted(adapter.counters.ignored.items()))
                self.stage.note(f"{exchange}: messages of kinds that are not read: {kinds}")
            if dropped := adapter.counters.buffer_dropped:
                self.stage.note(f"{exchange}: {dropped:,} book changes came before a snapshot and were left out")
