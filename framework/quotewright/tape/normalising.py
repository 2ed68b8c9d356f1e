"""Captures as normalised messages: lines in, one list of JSON texts per line out, in flat memory."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from quotewright.errors import InputError
from quotewright.tape.capture import envelope
from quotewright.tape.exchanges import recorded_market
from quotewright.tape.importing import make_adapter
from quotewright.tape.normalise import NormaliseSink
from quotewright.tape.recording import GZIP_MAGIC, LINE_LIMIT

if TYPE_CHECKING:
    from quotewright.plugin.registry import PluginSet

CHUNK_BYTES: Final = 1 << 18
ACTIONS_EVERY: Final = 1024
OPENED_LIMIT: Final = 1000


class Normaliser:
    """Hands the lines of a capture to the adapter of *exchange* (a recording's name) and gives what comes of them.

    Books are followed message by message (``FeedAdapter.is_sequenced`` off): no snapshot is waited for, unless the
    venue's updates mean nothing without one.
    """

    def __init__(self, plugins: PluginSet, exchange: str) -> None:
        name = exchange.strip().lower()
        self.adapter = make_adapter(plugins, *recorded_market(plugins, name))
        self.adapter.is_sequenced = False
        self.sink = NormaliseSink(name, self.adapter.shows_percent)
        self.lines = 0
        self.refused = 0
        self.first_refused = ""
        self._opened: dict[str | None, None] = {}

    def take(self, text: bytes) -> list[str]:
        """Return the messages that one line makes; a line that cannot be used makes none and is counted."""
        self.lines += 1
        if not text or text.isspace():
            return []
        adapter, sink = self.adapter, self.sink
        try:
            line = envelope(text)
        except InputError as error:
            self.refuse(str(error))
            return []
        source = line.src
        if source in ("ws", "file", "rest"):
            before = adapter.counters.errors
            adapter.on_message(bytes(line.msg), "rest" if source == "rest" else "ws", line.url, line.ts or 0, sink)
            if adapter.counters.errors > before:
                self.refuse(adapter.counters.last_error)
            if self.lines % ACTIONS_EVERY == 0:
                adapter.actions()
        elif source == "open":
            if line.url in self._opened:  # the same connection a second time: what came between is lost
                adapter.on_close(line.ts or 0, sink)
            elif len(self._opened) < OPENED_LIMIT:
                self._opened[line.url] = None
        elif source != "sent":
            self.refuse(f"src should be ws, rest, sent, open or file, was {source[:20]!r}")
        return sink.take()

    def refuse(self, why: str) -> None:
        """Count a line that cannot be used, and keep the sentence about the first one."""
        self.refused += 1
        if not self.first_refused:
            self.first_refused = f"line {self.lines}: {' '.join(why.split())}"

    def skip(self, why: str) -> None:
        """Count a line that was not even read."""
        self.lines += 1
        self.refuse(why)


def batches(stream: BinaryIO, name: str) -> Iterator[list[bytes | None]]:
    """Yield the lines of *stream*, plain or gzip, in batches as they come; None for a line that is too long.

    Raises:
        InputError: the gzip data end too early or are damaged; the lines before were given.
    """
    source = _unpacked(stream)
    parts: list[bytes] = []
    held = 0
    is_too_long = False
    while True:
        try:
            chunk = source.read1(CHUNK_BYTES)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise InputError(f"{name}: the gzip data are damaged or end too early ({error})") from error
        if not chunk:
            break
        first, newline, rest = chunk.partition(b"\n")
        held += len(first)
        if held > LINE_LIMIT:
            is_too_long = True
            parts.clear()
        if not is_too_long:
            parts.append(first)
        if not newline:
            continue
        lines: list[bytes | None] = [None if is_too_long else b"".join(parts)]
        complete, _, tail = rest.rpartition(b"\n")
        if len(tail) != len(rest):
            lines += complete.split(b"\n")
        parts = [tail]
        held = len(tail)
        is_too_long = False
        yield lines
    if held:
        yield [None if is_too_long else b"".join(parts)]


def _unpacked(stream: BinaryIO) -> Any:
    """Return *stream*, unpacked if it begins as gzip does."""
    head = b""
    while len(head) < 2 and (part := stream.read(2 - len(head))):
        head += part
    joined = io.BufferedReader(_Joined(head, stream), CHUNK_BYTES)
    return gzip.GzipFile(fileobj=joined, mode="rb") if head == GZIP_MAGIC else joined


class _Joined(io.RawIOBase):
    """The bytes read already, then the rest of a stream that cannot be rewound."""

    def __init__(self, head: bytes, stream: BinaryIO) -> None:
        self._head = head
        self._read: Callable[[int], bytes] = getattr(stream, "read1", stream.read)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill *buffer* with what is there, without waiting for more."""
        taken = self._head[: len(buffer)] or self._read(len(buffer))
        self._head = self._head[len(buffer) :]
        buffer[: len(taken)] = taken
        return len(taken)
