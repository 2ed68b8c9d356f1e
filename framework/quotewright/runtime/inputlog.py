"""The input log: every input of a run in its one order, and every intent, each record with its checksum.

Format version 1 (``docs/input-log.md``): a header line of JSON, then records. A record is ``length`` (u32),
``sequence`` (u64), ``crc32c`` (u32) of sequence and payload, all little-endian, then *length* bytes of MessagePack
``[kind, now_ns, rows, body]``. *rows* is how many tape rows had been taken before. The last record is an end with the
number of records before it, so that a log cut off between two records is told from a whole one.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import attrs
import msgspec

from quotewright.errors import FormatVersionError, InputError, NotFoundError
from quotewright.kernel.crc32c import crc32c

if TYPE_CHECKING:
    from quotewright.model.orders import Command, Report

FORMAT = "quotewright-inputs"
VERSION = 1

REPORT = 1
TIMER = 2
OPERATOR = 3
INTENT = 4
END = 5
KIND_NAMES = {REPORT: "report", TIMER: "timer", OPERATOR: "operator", INTENT: "intent", END: "end"}

_HEAD = struct.Struct("<IQI")
_SEQUENCE = struct.Struct("<Q")
MOST_BYTES = 1 << 20


class InputLogWriter:
    """Appends records; :meth:`sync` makes what was written durable."""

    def __init__(self, path: Path, about: dict[str, Any]) -> None:
        self._file: IO[bytes] = path.open("wb")
        self._encoder = msgspec.msgpack.Encoder()
        self._sequence = 0
        header = {"format": FORMAT, "version": VERSION, **about}
        self._file.write(msgspec.json.encode(header) + b"\n")

    def report(self, now_ns: int, rows: int, report: Report) -> None:
        """Record a venue's report as it was taken."""
        self._write((REPORT, now_ns, rows, report))

    def timer(self, now_ns: int, rows: int, timer: int) -> None:
        """Record that a timer fell due, by its place among the timers."""
        self._write((TIMER, now_ns, rows, timer))

    def operator(self, now_ns: int, rows: int, action: str) -> None:
        """Record an operator's command."""
        self._write((OPERATOR, now_ns, rows, action))

    def intent(self, now_ns: int, rows: int, command: Command) -> None:
        """Record a command before it is handed to its venue."""
        self._write((INTENT, now_ns, rows, command))

    def _write(self, record: tuple[int, int, int, object]) -> None:
        payload = self._encoder.encode(record)
        check = crc32c(payload, crc32c(_SEQUENCE.pack(self._sequence), 0))
        self._file.write(_HEAD.pack(len(payload), self._sequence, check))
        self._file.write(payload)
        self._sequence += 1

    def flush(self) -> None:
        """Hand what was written to the system: it outlives the program, though not the machine."""
        self._file.flush()

    def sync(self) -> None:
        """Return once everything written so far is on the disk."""
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Write the end record, flush and close the file; calling it again does nothing."""
        if not self._file.closed:
            self._write((END, 0, 0, self._sequence))
            self._file.close()


@attrs.frozen
class InputRecord:
    """One record as read back; *body* is a plain mapping, number or text."""

    sequence: int
    kind: int
    now_ns: int
    rows: int
    body: Any


def read_input_log(path: Path, is_cut: bool = False) -> Iterator[InputRecord]:
    """Yield every record of the log at *path* but its end.

    *is_cut*: the run was killed, so a missing end or a last record that is not whole are no damage.

    Raises:
        NotFoundError: there is no such file.
        FormatVersionError: the log is of another version.
        InputError: a record is damaged; says which and where. A torn last record is damage like any other, and so is
            a missing end: every record before it has then been yielded.
    """
    try:
        file = path.open("rb")
    except FileNotFoundError:
        raise NotFoundError(f"{path}: no input log") from None
    with file:
        require_header(file.readline(MOST_BYTES), path)
        expected = 0
        while True:
            at = file.tell()
            head = file.read(_HEAD.size)
            if is_cut and len(head) < _HEAD.size:
                return
            if not head:
                raise InputError(
                    f"{path}: the end record is missing after {expected} records: the log was cut off at byte {at}, "
                    f"or the run was killed"
                )
            if len(head) < _HEAD.size:
                raise InputError(f"{path}: record {expected} at byte {at} is cut off in its head")
            length, sequence, check = _HEAD.unpack(head)
            payload = file.read(length) if length <= MOST_BYTES else b""
            if len(payload) < length:
                if is_cut and length <= MOST_BYTES:
                    return
                raise InputError(f"{path}: record {expected} at byte {at} is cut off or its length is damaged")
            if sequence != expected or check != crc32c(payload, crc32c(_SEQUENCE.pack(sequence), 0)):
                raise InputError(f"{path}: record {expected} at byte {at} is damaged: its checksum does not fit")
            kind, now_ns, rows, body = msgspec.msgpack.decode(payload)
            if kind == END:
                if body != expected or file.read(1):
                    raise InputError(f"{path}: record {expected} at byte {at} ends the log, yet more follows it")
                return
            yield InputRecord(sequence, kind, now_ns, rows, body)
            expected += 1


def require_header(line: bytes, path: Path) -> dict[str, Any]:
    """Return the header of an input log; FormatVersionError if it is of another version."""
    try:
        header = msgspec.json.decode(line, type=dict[str, Any])
    except msgspec.DecodeError:
        raise InputError(f"{path}: not an input log: its first line should be a JSON header") from None
    if header.get("format") != FORMAT:
        raise InputError(f"{path}: format should be '{FORMAT}', was {header.get('format')!r}")
    if header.get("version") != VERSION:
        raise FormatVersionError(
            f"{path}: input log version {header.get('version')!r}; this program reads version {VERSION}"
        )
    return header
