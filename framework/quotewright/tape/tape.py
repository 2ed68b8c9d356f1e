"""Tapes: the rows of a recorded market in memory or in a file, with what is known of where they came from."""

from __future__ import annotations

import hashlib
import mmap
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import attrs
import msgspec
import numpy as np

from quotewright.errors import FormatVersionError, InputError, NotCausalError, NotFoundError
from quotewright.kernel import causal
from quotewright.kernel.codes import LAST, NEVER, ROW_WORDS
from quotewright.kernel.rows import Rows, TapeBuffer
from quotewright.model.instrument import Instrument
from quotewright.tape.layout import (
    BLOCK_ROWS,
    FORMAT,
    INFO_FILE,
    ORDER_BYTES,
    ORDER_FILE,
    ROW_BYTES,
    ROW_DTYPE,
    ROWS_FILE,
    TAPE_VERSION,
    require_little_endian,
)

if TYPE_CHECKING:
    import numpy.typing as npt

    from quotewright.kernel.source import RowSource

    RowArray = np.ndarray[Any, np.dtype[Any]]
    OrderArray = npt.NDArray[np.int64]

WINDOW_ENTRIES = 32_768
"""About how many rows are checked at a time before somebody reads them in order of event time."""
PAGE = mmap.ALLOCATIONGRANULARITY


@attrs.frozen(kw_only=True)
class SourceFile:
    """A file that a tape was imported from."""

    name: str
    sha256: str
    bytes: int
    importer: str = ""
    lines: int = 0
    is_truncated: bool = False


@attrs.frozen(kw_only=True)
class ConnectionClock:
    """One recorder's clock: what was added to its receive stamps, and the latencies that came out.

    *smallest_ns* is the smallest receive - event before the shift, the quantiles are those after it.
    """

    name: str
    shift_ns: int
    base_latency_ns: int
    smallest_ns: int
    messages: int
    without_event_time: int = 0
    backward_stamps: int = 0
    missing_stamps: int = 0
    latency_ns: dict[str, int] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class Verdict:
    """What an import found about one instrument: *book* is the status its book ended with."""

    instrument: str
    rows: int
    messages: int
    levels: int
    snapshots: int = 0
    trades: int = 0
    gaps: int = 0
    crossings: int = 0
    late_events: int = 0
    book: str = "empty"
    is_clean: bool = True


@attrs.frozen(kw_only=True)
class RefusedMessage:
    """A message that could not be written: it was left out whole and its book was made stale."""

    file: str
    line: int
    reason: str


@attrs.frozen(kw_only=True)
class TapeInfo:
    """The header of a tape, ``tape.json``; times are ns since the epoch, the span is that of ``receive_ns``."""

    format: str = FORMAT
    version: int = TAPE_VERSION
    row_count: int = 0
    start_ns: int = 0
    end_ns: int = 0
    event_start_ns: int = 0
    event_end_ns: int = 0
    instruments: tuple[Instrument, ...] = ()
    sources: tuple[SourceFile, ...] = ()
    connections: tuple[ConnectionClock, ...] = ()
    kinds: dict[str, int] = attrs.field(factory=dict)
    verdicts: tuple[Verdict, ...] = ()
    unlisted: dict[str, int] = attrs.field(factory=dict)
    refused: tuple[RefusedMessage, ...] = ()
    refused_count: int = 0
    checksums: dict[str, str] = attrs.field(factory=dict)
    notes: tuple[str, ...] = ()
    is_synthetic: bool = False

    def to_json(self) -> bytes:
        """Return the text of ``tape.json``."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n"


def read_info(path: Path) -> TapeInfo:
    """Return the header in directory *path*; refuses what is no tape, another version, or was not finished."""
    if not path.exists():
        raise NotFoundError(f"no tape at {path}; make one with: quotewright data import FILE {path}")
    if not path.is_dir():
        raise InputError(f"{path} is a file, not a tape (a directory); import it: quotewright data import {path} TAPE")
    header = path / INFO_FILE
    if not header.exists():
        if (path / ROWS_FILE).exists():
            raise InputError(f"{path}: {INFO_FILE} is missing, so the tape was not finished; import it again")
        raise InputError(f"{path} is no tape: it has no {INFO_FILE}")
    text = header.read_bytes()
    try:
        fields = msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise InputError(f"{header} is damaged ({error}); import the recording again") from error
    if not isinstance(fields, dict) or fields.get("format") != FORMAT:
        raise InputError(f"{header}: format should be '{FORMAT}'; this is not a tape of this program")
    version = fields.get("version")
    if version != TAPE_VERSION:
        raise FormatVersionError(
            f"{path} is a tape of version {version}, this program reads version {TAPE_VERSION}; "
            f"import the recording again: quotewright data import FILE {path}"
        )
    try:
        return msgspec.json.decode(text, type=TapeInfo)
    except msgspec.ValidationError as error:
        raise InputError(f"{header}: {error}; import the recording again") from error


class Tape:
    """A tape to read: ``instruments`` by id, ``rows`` for kernels, ``array`` the same memory as NumPy records.

    ``event_order`` holds row numbers in order of ``event_ns``; rows of one event time keep their order.
    """

    instruments: tuple[Instrument, ...]
    info: TapeInfo
    rows: Rows
    array: RowArray
    event_order: memoryview[int]
    name = "memory"
    _is_causal = False
    _watch: causal.CausalCheck | None = None
    _held = 0
    """How many rows ``_watch`` has seen in order."""

    @property
    def span(self) -> tuple[int, int]:
        """Return the receive times of the first and last row, ``(0, 0)`` for an empty tape."""
        return self.info.start_ns, self.info.end_ns

    def __len__(self) -> int:
        return len(self.array)

    def instrument_id(self, name: str) -> int:
        """Return the id of the instrument called *name* (its canonical name, or its symbol if that is unique)."""
        for number, instrument in enumerate(self.instruments):
            if instrument.name == name:
                return number
        found = [number for number, instrument in enumerate(self.instruments) if instrument.symbol == name]
        if len(found) == 1:
            return found[0]
        listed = ", ".join(instrument.name for instrument in self.instruments[:10]) or "none"
        raise NotFoundError(f"{self.name}: no instrument called '{name}'; it holds {listed}")

    def source(self, from_ns: int = 0, to_ns: int = NEVER, window: int = 0) -> RowSource:
        """Return the rows received in ``[from_ns, to_ns)`` as a source, in windows of about *window* rows."""
        from quotewright.tape.source import WINDOW_ROWS, TapeSource

        return TapeSource(self, from_ns, to_ns, window or WINDOW_ROWS)

    def event_windows(self) -> Iterator[tuple[Rows, memoryview[int]]]:
        """Yield all rows in order of event time as windows ``(rows, numbers of the rows in that order)``.

        Numbers follow one another where the rows of one message do. One tape is one window.
        """
        if self._watch is None:
            yield self.rows, self.event_order
            return
        check = self._causal_check()
        first, count = 0, len(self.event_order)
        while first < count:
            last = min(first + WINDOW_ENTRIES, count)
            while last < count and self._is_within_message(last):
                last += 1
            if not check.order_holds(first, last):
                self._refuse()
            self.hold(check.highest + 1)
            yield self.rows, self.event_order[first:last]
            first = last
        self._is_causal, self._watch = True, None  # all of it has been seen

    def _is_within_message(self, at: int) -> bool:
        """Return whether entry *at* of the event order is a row of the same message as the entry before it."""
        row = self.event_order[at - 1]
        return self.event_order[at] == row + 1 and not int(self.array["flags"][row]) & LAST

    def expect(self, first: int, last: int) -> None:
        """Have rows ``[first, last)`` read ahead from the disk; nothing but waiting depends on it."""

    def release(self, first: int, last: int) -> None:
        """Give resident pages of rows ``[first, last)`` back; they can still be read."""

    def close(self) -> None:
        """Let go of the files; ``rows`` and ``array`` must not be used afterwards."""

    def blocks(self, size: int = BLOCK_ROWS) -> Iterator[tuple[int, RowArray]]:
        """Yield ``(first, rows)`` for runs of *size* rows, giving each back when the next is asked for."""
        for first in range(0, len(self.array), size):
            last = min(first + size, len(self.array))
            yield first, self.array[first:last]
            self.release(first, last)

    def require_causal(self) -> None:
        """Raise NotCausalError if a row was received before it happened, or rows or their orders are not in order."""
        self.check_as_read()
        begin = 0
        for _ in self.event_windows() if self._watch is not None else ():
            self.release(max(0, begin - 2 * WINDOW_ENTRIES), self._held)
            begin = self._held

    def check_as_read(self) -> None:
        """Have :meth:`source` and :meth:`event_windows` check what they hand out, instead of reading everything twice.

        What is wrong is raised then, as :meth:`require_causal` would. Interpreted kernels check at once: row by row
        they would be slower than NumPy.
        """
        if self._is_causal or self._watch is not None:
            return
        ends_whole = not len(self.array) or int(self.array["flags"][-1]) & LAST
        if causal.IS_COMPILED and ends_whole and len(self.event_order) == len(self.array):
            self._watch = self._causal_check()
        else:
            self._check_rows()
            self._check_event_order()
            self._is_causal = True

    def hold(self, last: int) -> None:
        """Check the rows before *last* that are not yet, after :meth:`check_as_read`; else do nothing."""
        while self._watch is not None and self._held < last:
            first, end = self._held, min(last, self._held + BLOCK_ROWS)
            if not self._watch.rows_hold(first, end):
                self._refuse()
            if end < last:  # a long way to go, to where a run begins
                self.release(first, end)
            self._held = end

    def _causal_check(self) -> causal.CausalCheck:
        return causal.CausalCheck(self.rows, self.event_order, len(self.instruments))

    def _refuse(self) -> NoReturn:
        """Raise what is wrong with the rows or their order."""
        self._check_rows()
        self._check_event_order()
        raise NotCausalError(f"{self.name} changed while it was read; import the recording again")

    def _check_rows(self) -> None:
        before = -(2**63)
        known = len(self.instruments)
        for first, rows in self.blocks():
            event, receive = rows["event_ns"], rows["receive_ns"]
            if (event > receive).any():
                at = int(np.argmax(event > receive))
                raise NotCausalError(
                    f"{self.name}: row {first + at} is received at {receive[at]} ns, before it happened at {event[at]} "
                    "ns; such a tape would show the future: import the recording again"
                )
            is_back = receive < np.concatenate(([before], receive[:-1]))
            if is_back.any():
                at = int(np.argmax(is_back))
                raise NotCausalError(
                    f"{self.name}: row {first + at} is received at {receive[at]} ns, before the row in front of it; "
                    "receive times never decrease in a tape: import the recording again"
                )
            before = int(receive[-1])
            if int(rows["instrument"].max()) >= known:
                at = int(np.argmax(rows["instrument"] >= known))
                raise NotCausalError(
                    f"{self.name}: row {first + at} is about instrument {rows['instrument'][at]}, the tape has "
                    f"{known}; it is damaged: import the recording again"
                )
        if len(self.array) and not int(self.array["flags"][-1]) & LAST:
            raise NotCausalError(f"{self.name}: the last message is not complete; import the recording again")

    def _check_event_order(self) -> None:
        """Event time and row number must rise strictly along the order: then it is the one stable order."""
        count = len(self.array)
        order = np.frombuffer(self.event_order, dtype=np.int64)
        wrong = f"{self.name}: the event order is not the stable order by event time (%s); import the recording again"
        if len(order) != count:
            raise NotCausalError(wrong % f"{len(order)} entries for {count} rows")
        event_before, row_before = -(2**63), -1
        for first in range(0, count, BLOCK_ROWS):
            part = order[first : first + BLOCK_ROWS]
            low, high = int(part.min()), int(part.max())
            if low < 0 or high >= count:
                raise NotCausalError(wrong % f"entry {low if low < 0 else high} names no row")
            event = self.array["event_ns"][part]
            is_after = event[1:] > event[:-1]
            is_after |= (event[1:] == event[:-1]) & (part[1:] > part[:-1])
            is_joined = (int(event[0]), int(part[0])) > (event_before, row_before)
            if not (is_joined and is_after.all()):
                at = first + (int(np.argmin(is_after)) + 1 if is_joined else 0)
                raise NotCausalError(wrong % f"entry {at}")
            event_before, row_before = int(event[-1]), int(part[-1])
            self.release(low, high + 1)
            self.release(first, first + len(part))


class MemoryTape(Tape):
    """A tape in memory, made of a buffer's rows; the buffer may go on growing, the tape keeps what it saw."""

    def __init__(self, instruments: tuple[Instrument, ...], buffer: TapeBuffer, info: TapeInfo | None = None) -> None:
        require_little_endian()
        self.instruments = tuple(instruments)
        count = buffer.count
        self.rows = Rows(buffer.words, count)
        self.array = np.frombuffer(buffer.words, dtype=ROW_DTYPE, count=count) if count else np.empty(0, ROW_DTYPE)
        order: Any = np.argsort(self.array["event_ns"], kind="stable").astype(np.int64)
        self.event_order = memoryview(order)
        self.info = info or describe(self.instruments, self.array)


def describe(instruments: tuple[Instrument, ...], rows: RowArray) -> TapeInfo:
    """Return the header of *rows* as far as they tell it themselves."""
    if not len(rows):
        return TapeInfo(instruments=instruments)
    return TapeInfo(
        instruments=instruments,
        row_count=len(rows),
        start_ns=int(rows["receive_ns"][0]),
        end_ns=int(rows["receive_ns"][-1]),
        event_start_ns=int(rows["event_ns"].min()),
        event_end_ns=int(rows["event_ns"].max()),
    )


class TapeFile(Tape):
    """A tape in a directory, mapped into memory and read-only: :meth:`open` it, :meth:`close` it."""

    def __init__(self, path: Path, info: TapeInfo) -> None:
        require_little_endian()
        self.path = path
        self.name = str(path)
        self.info = info
        self.instruments = info.instruments
        self._rows_map = self._map(ROWS_FILE, ROW_BYTES)
        self._order_map = self._map(ORDER_FILE, ORDER_BYTES)
        rows: Any = self._rows_map if self._rows_map is not None else array("q")
        order: Any = self._order_map if self._order_map is not None else array("q")
        words = memoryview(rows).cast("B").cast("q")
        self.rows = Rows(words, len(words) // ROW_WORDS)
        self.array = np.frombuffer(words, dtype=ROW_DTYPE)
        self.event_order = memoryview(order).cast("B").cast("q")

    @classmethod
    def open(cls, path: str | Path) -> TapeFile:
        """Return the tape in directory *path*; NotFoundError, FormatVersionError or InputError if it cannot be read."""
        path = Path(path)
        return cls(path, read_info(path))

    def _map(self, name: str, width: int) -> mmap.mmap | None:
        path = self.path / name
        expected = self.info.row_count * width
        size = path.stat().st_size if path.exists() else -1
        if size != expected:
            came = "is missing" if size < 0 else f"has {size} bytes"
            raise InputError(f"{path} should have {expected} bytes, {came}; import the recording again")
        if not expected:
            return None
        with path.open("rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    def expect(self, first: int, last: int) -> None:
        if self._rows_map is None or not hasattr(mmap, "MADV_WILLNEED"):
            return
        begin = first * ROW_BYTES // PAGE * PAGE
        end = min(last * ROW_BYTES, len(self._rows_map))
        if end > begin:
            self._rows_map.madvise(mmap.MADV_WILLNEED, begin, end - begin)

    def release(self, first: int, last: int) -> None:
        for mapped, width in ((self._rows_map, ROW_BYTES), (self._order_map, ORDER_BYTES)):
            if mapped is None or not hasattr(mmap, "MADV_DONTNEED"):
                continue
            begin = first * width // PAGE * PAGE
            end = min(last * width, len(mapped)) // PAGE * PAGE
            if last * width >= len(mapped):
                end = len(mapped)
            if end > begin:
                mapped.madvise(mmap.MADV_DONTNEED, begin, end - begin)

    def close(self) -> None:
        nothing: Any = array("q")
        self.rows = Rows(nothing, 0)
        self.array = np.empty(0, ROW_DTYPE)
        self.event_order = memoryview(nothing)
        for mapped in (self._rows_map, self._order_map):
            if mapped is not None:
                try:
                    mapped.close()
                except BufferError:  # someone still looks at the rows: the map goes when they do
                    continue
        self._rows_map = self._order_map = None

    def __enter__(self) -> TapeFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def verify(self) -> None:
        """Raise InputError if a file's checksum is not the one in the header."""
        for name, expected in sorted(self.info.checksums.items()):
            found = file_sha256(self.path / name)
            if found != expected:
                raise InputError(
                    f"{self.path / name}: checksum should be {expected}, is {found}; the tape is damaged: "
                    "import the recording again"
                )


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
