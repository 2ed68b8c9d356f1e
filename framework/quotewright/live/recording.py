"""Raw frames as a capture file: what adapters were given, line by line, in whole gzip members."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import msgspec

FLUSH_BYTES = 1 << 18
FLUSH_NS = 1_000_000_000


class CaptureWriter:
    """Writes the capture format; :meth:`flush` ends a gzip member, so that a kill leaves whole lines.

    Members end after 256 KiB of lines or a second of receive time, whichever comes first. A file whose name does not
    end in ``.gz`` is written plain.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines = 0
        self.last_ns = 0
        self._file: IO[bytes] = path.open("xb")
        self._is_packed = path.suffix == ".gz"
        self._waiting: list[bytes] = []
        self._size = 0
        self._begun_ns = 0
        self._encode = msgspec.json.Encoder().encode

    def message(self, source: str, url: str | None, frame: bytes, now_ns: int) -> None:
        """Keep one frame, or the body of an answer, as it came."""
        told = b"" if url is None else b'"url":%s,' % self._encode(url)
        text = frame if is_one_line_of_json(frame) else self._encode(frame.decode("utf-8", "replace"))
        self._line(b'{"ts":%d,"src":"%s",%s"msg":%s}\n' % (now_ns, source.encode(), told, text), now_ns)

    def opened(self, url: str, now_ns: int) -> None:
        self._line(b'{"ts":%d,"src":"open","url":%s}\n' % (now_ns, self._encode(url)), now_ns)

    def closed(self, symbols: Iterable[str], now_ns: int) -> None:
        """Keep that the books of *symbols* were lost with their connection."""
        self._line(b'{"ts":%d,"src":"close","msg":%s}\n' % (now_ns, self._encode(list(symbols))), now_ns)

    def resynced(self, symbol: str, now_ns: int) -> None:
        """Keep that the book of *symbol* was given up."""
        self._line(b'{"ts":%d,"src":"stale","msg":%s}\n' % (now_ns, self._encode([symbol])), now_ns)

    def _line(self, line: bytes, now_ns: int) -> None:
        if not self._waiting:
            self._begun_ns = now_ns
        self._waiting.append(line)
        self._size += len(line)
        self.lines += 1
        self.last_ns = now_ns
        if self._size >= FLUSH_BYTES or now_ns - self._begun_ns >= FLUSH_NS:
            self.flush()

    def flush(self) -> None:
        """Write the lines that wait as one gzip member."""
        if not self._waiting:
            return
        text = b"".join(self._waiting)
        self._waiting.clear()
        self._size = 0
        if self._is_packed:
            packer = zlib.compressobj(6, zlib.DEFLATED, 31)
            text = packer.compress(text) + packer.flush()
        self._file.write(text)
        self._file.flush()

    def close(self) -> None:
        """Write what waits and close the file; calling it again does nothing."""
        if not self._file.closed:
            self.flush()
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def is_one_line_of_json(frame: bytes) -> bool:
    """Return whether *frame* may stand in a line as it is; one that is no JSON is kept as a JSON string instead."""
    if b"\n" in frame or b"\r" in frame:
        return False
    try:
        msgspec.json.decode(frame, type=msgspec.Raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return True
