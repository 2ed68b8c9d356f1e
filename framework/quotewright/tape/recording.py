"""Recorded files as importers read them: gzip, zip or plain, line by line, and what is said of one that ends early."""

from __future__ import annotations

import codecs
import gzip
import hashlib
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from quotewright.errors import InputError, NotFoundError
from quotewright.tape.tape import SourceFile

GZIP_MAGIC = b"\x1f\x8b"
ZIP_MAGIC = b"PK\x03\x04"
RATIO_LIMIT = 200
RATIO_BYTES = 256 << 20
"""A packed file that gives more than this and more than 200 times its size is no recording: those give 30 times."""
LINE_LIMIT = 128 << 20
HEAD_BYTES = 1 << 16


class RecordedFile:
    """One file of a recording. ``line`` is the number of the last line given out, from 1."""

    def __init__(self, path: Path, allow_truncated: bool = False) -> None:
        if not path.exists():
            raise NotFoundError(f"no file at {path}")
        if not path.is_file():
            raise InputError(f"{path} should be a file")
        self.path = path
        self.name = path.name
        self.size = path.stat().st_size
        self.allow_truncated = allow_truncated
        self.line = 0
        self.is_truncated = False
        self._raw: IO[bytes] | None = None

    @property
    def position(self) -> int:
        """Return how many bytes of the file have been read."""
        return self._raw.tell() if self._raw is not None and not self._raw.closed else 0

    def head(self) -> bytes:
        """Return the beginning of the content, unpacked; what can be read of a damaged file."""
        found = b""
        try:
            with self.path.open("rb") as raw, _unpacked(raw) as file:
                while len(found) < HEAD_BYTES:
                    part = file.read(min(4096, HEAD_BYTES - len(found)))
                    if not part:
                        break
                    found += part
        except (EOFError, OSError, zlib.error, zipfile.BadZipFile, RuntimeError):
            pass
        return found

    def lines(self) -> Iterator[bytes]:
        """Yield the lines without their ends.

        A gzip file that ends too early or is damaged raises InputError, unless it may be truncated: then its whole
        lines are given and ``is_truncated`` is set.
        """
        self.line = 0
        self.is_truncated = False
        with self.path.open("rb") as raw:
            self._raw = raw
            with self._opened(raw) as file:
                unpacked = 0
                try:
                    while line := file.readline(LINE_LIMIT):
                        unpacked += len(line)
                        if unpacked > RATIO_BYTES and unpacked > RATIO_LIMIT * self.size:
                            raise InputError(
                                f"{self.path}: {self.size} bytes unpack to more than {unpacked}; no recording does that"
                            )
                        if line[-1] != 10 and len(line) == LINE_LIMIT:
                            raise InputError(f"{self.path}: line {self.line + 1} is longer than {LINE_LIMIT} bytes")
                        self.line += 1
                        if self.line == 1:
                            line = line.removeprefix(codecs.BOM_UTF8)
                        yield line.rstrip(b"\r\n")
                except (EOFError, gzip.BadGzipFile, zipfile.BadZipFile, zlib.error, OSError) as error:
                    self.cut(error)

    def close(self) -> None:
        """Close what :meth:`lines` holds open: a reader that stopped half-way leaves it so."""
        if self._raw is not None:
            self._raw.close()

    def _opened(self, raw: IO[bytes]) -> Any:
        try:
            return _unpacked(raw)
        except (zipfile.BadZipFile, RuntimeError) as error:
            raise InputError(f"{self.path}: the zip file cannot be read ({error}); fetch it again") from None

    def cut(self, error: Exception) -> None:
        """Take note that the file ends after the last line given out, or raise InputError if that is not allowed."""
        self.is_truncated = True
        if self.allow_truncated:
            return
        what = "ends too early" if isinstance(error, EOFError) else f"is damaged ({error})"
        raise InputError(
            f"{self.path}: the packed data {what} after line {self.line} (byte {self.position} of {self.size}); no "
            f"tape was written: fetch the file again, or import the {self.line} whole lines with --allow-truncated"
        ) from error

    def source(self, importer: str) -> SourceFile:
        """Return what a tape's header keeps of this file, after it was read."""
        with self.path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return SourceFile(
            name=self.name,
            sha256=digest,
            bytes=self.size,
            importer=importer,
            lines=self.line,
            is_truncated=self.is_truncated,
        )


def _unpacked(raw: IO[bytes]) -> Any:
    """Return *raw*, unpacked if it is gzip or a zip of one file, whatever its name says; arrays stay as they are."""
    magic = raw.read(4)
    raw.seek(0)
    if magic == ZIP_MAGIC:
        archive = zipfile.ZipFile(raw)
        members = [member for member in archive.infolist() if not member.is_dir()]
        if any(member.filename.endswith(".npy") for member in members):
            raw.seek(0)
            return raw
        if len(members) != 1:
            raise InputError(f"{raw.name}: the zip file should hold one file, holds {len(members)}; unpack it first")
        return archive.open(members[0])
    # The size of the buffer is what makes reading line by line quick.
    return gzip.GzipFile(fileobj=raw, mode="rb") if magic[:2] == GZIP_MAGIC else raw
