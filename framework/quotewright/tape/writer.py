"""Writing a tape in bounded memory: rows go out in chunks, the event order is merged from sorted runs on disk."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

import attrs
import numpy as np

from quotewright.errors import InputError
from quotewright.kernel.codes import KIND_NAMES, LAST, MAX_INSTRUMENTS
from quotewright.kernel.rows import TapeBuffer
from quotewright.model.instrument import Instrument
from quotewright.tape.layout import (
    BEGUN_FILE,
    BLOCK_ROWS,
    INFO_FILE,
    ORDER_FILE,
    ROW_DTYPE,
    ROWS_FILE,
    require_little_endian,
)
from quotewright.tape.tape import TapeInfo

if TYPE_CHECKING:
    from types import TracebackType

    RowArray = np.ndarray[Any, np.dtype[Any]]

PAIR = np.dtype([("event_ns", "<i8"), ("row", "<i8")])
MERGE_PAIRS = 1 << 18
"""How many pairs of all runs together are in memory while they are merged: 4 MB."""


class EventOrder:
    """Row numbers in order of event time, equal times in row order: an external merge sort of ``(event, row)``."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "runs.tmp"
        self.file = self.path.open("w+b")
        self.starts: list[int] = [0]
        self.lows: list[int] = []
        self.count = 0

    def add(self, events: np.ndarray[Any, np.dtype[np.int64]]) -> None:
        """Add the event times of the next rows as one sorted run."""
        for first in range(0, len(events), BLOCK_ROWS):
            part = events[first : first + BLOCK_ROWS]
            order = np.argsort(part, kind="stable")
            run = np.empty(len(part), PAIR)
            run["event_ns"] = part[order]
            run["row"] = order + self.count
            self.file.write(run.tobytes())
            self.count += len(part)
            self.starts.append(self.count)
            self.lows.append(int(run["event_ns"][0]))

    def merged(self, pairs: int = MERGE_PAIRS) -> Iterator[np.ndarray[Any, np.dtype[np.int64]]]:
        """Yield the order in pieces; at most about *pairs* pairs (64 a run) are in memory."""
        self.file.flush()
        runs = len(self.lows)
        if not runs:
            return
        size = max(64, pairs // runs)
        waiting = sorted(range(runs), key=lambda run: (self.lows[run], run))[::-1]
        chunks: dict[int, np.ndarray[Any, np.dtype[Any]]] = {}
        read = list(self.starts[:-1])
        while waiting or chunks:
            # Runs that begin at or before the earliest end of a loaded chunk take part in this round.
            bound = self._bound(chunks)
            while waiting and (bound is None or self.lows[waiting[-1]] <= bound[0]):
                run = waiting.pop()
                chunks[run] = self._read(read, run, size)
                bound = self._bound(chunks)
            assert bound is not None
            event_ns, owner = bound
            pieces = []
            for run in sorted(chunks):
                chunk = chunks[run]
                # Up to the owner's last pair: an equal event time comes first in an earlier run, later in a later one.
                side: Literal["left", "right"] = "left" if run > owner else "right"
                taken = len(chunk) if run == owner else int(chunk["event_ns"].searchsorted(event_ns, side))
                pieces.append(chunk[:taken])
                rest = chunk[taken:]
                chunks[run] = rest if len(rest) else self._read(read, run, size)
                if not len(chunks[run]):
                    del chunks[run]
            together = np.concatenate(pieces)
            yield together["row"][np.argsort(together["event_ns"], kind="stable")]

    @staticmethod
    def _bound(chunks: dict[int, np.ndarray[Any, np.dtype[Any]]]) -> tuple[int, int] | None:
        return min(((int(chunk["event_ns"][-1]), run) for run, chunk in chunks.items()), default=None)

    def _read(self, read: list[int], run: int, size: int) -> np.ndarray[Any, np.dtype[Any]]:
        count = min(size, self.starts[run + 1] - read[run])
        self.file.seek(read[run] * PAIR.itemsize)
        read[run] += count
        return np.frombuffer(self.file.read(count * PAIR.itemsize), dtype=PAIR)

    def close(self) -> None:
        self.file.close()
        self.path.unlink(missing_ok=True)


class TapeWriter:
    """Writes a tape: fill ``buffer`` with whole messages, :meth:`drain` it now and then, :meth:`finish`.

    Everything happens in a directory beside *path* that takes its name at the end, so that a tape is there whole or
    not at all. As a context manager it removes the unfinished directory when an error passes.
    """

    def __init__(
        self, path: str | Path, instruments: Sequence[Instrument], *, replace: bool = False, capacity: int = 4096
    ) -> None:
        require_little_endian()
        if len(instruments) > MAX_INSTRUMENTS:
            raise InputError(f"a tape holds at most {MAX_INSTRUMENTS} instruments, came {len(instruments)}")
        self.path = Path(path)
        self.instruments = tuple(instruments)
        self.replace = replace
        self._require_room()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        prefix = f".{self.path.name}."
        self.directory = Path(tempfile.mkdtemp(".unfinished", prefix, self.path.parent))
        self.buffer = TapeBuffer(capacity)
        self.row_count = 0
        self._rows: BinaryIO = (self.directory / ROWS_FILE).open("wb")
        self._digest = hashlib.sha256()
        self._order = EventOrder(self.directory)
        self._kinds = np.zeros(256, np.int64)
        self._start_ns = self._end_ns = 0
        self._event_start_ns = self._event_end_ns = 0
        self._is_open = True

    def _require_room(self) -> None:
        if not (self.path.exists() or self.path.is_symlink()):
            return
        is_tape = (self.path / INFO_FILE).exists() or (self.path / ROWS_FILE).exists()
        if not self.replace:
            raise InputError(f"{self.path} exists already; choose another name, or replace it with --replace")
        if not is_tape:
            raise InputError(f"{self.path} exists and is no tape, so it is not replaced; choose another name")

    def drain(self) -> None:
        """Write the rows of ``buffer`` out and empty it; call it between messages only."""
        count = self.buffer.count
        if count:
            # The copy is what may be written to: the buffer is used again at once.
            rows = np.frombuffer(self.buffer.words, dtype=ROW_DTYPE, count=count).copy()
            self.buffer.truncate(0)
            self.write(rows)

    def write(self, rows: RowArray) -> None:
        """Add *rows* (records of ``ROW_DTYPE``, whole messages) behind what was written."""
        if not len(rows):
            return
        assert int(rows["flags"][-1]) & LAST, "rows are written in whole messages"
        event, receive = rows["event_ns"], rows["receive_ns"]
        if self.row_count == 0:
            self._start_ns = int(receive[0])
            self._event_start_ns = self._event_end_ns = int(event[0])
        self._end_ns = int(receive[-1])
        self._event_start_ns = min(self._event_start_ns, int(event.min()))
        self._event_end_ns = max(self._event_end_ns, int(event.max()))
        self._kinds += np.bincount(rows["kind"], minlength=256)
        for first in range(0, len(rows), BLOCK_ROWS):
            data = rows[first : first + BLOCK_ROWS].tobytes()
            self._digest.update(data)
            self._rows.write(data)
        self._order.add(np.ascontiguousarray(event))
        self.row_count += len(rows)

    def flush(self) -> None:
        """Hand the rows so far to the system: should the program be killed, they can be recovered."""
        begun = self.directory / BEGUN_FILE
        if not begun.exists():
            begun.write_bytes(TapeInfo(instruments=self.instruments).to_json())
        self._rows.flush()

    def finish(self, info: TapeInfo | None = None) -> TapeInfo:
        """Write the event order and the header and put the tape in place; returns the header as written.

        *info* holds what the rows do not tell themselves: sources, clocks, verdicts, notes.
        """
        self.drain()
        self._rows.flush()
        os.fsync(self._rows.fileno())
        self._rows.close()
        digest = hashlib.sha256()
        with (self.directory / ORDER_FILE).open("wb") as file:
            for piece in self._order.merged():
                data = piece.tobytes()
                digest.update(data)
                file.write(data)
            file.flush()
            os.fsync(file.fileno())
        self._order.close()
        names = dict(enumerate(KIND_NAMES))
        kinds = {names.get(kind, str(kind)): int(count) for kind, count in enumerate(self._kinds) if count}
        info = attrs.evolve(
            info or TapeInfo(),
            instruments=self.instruments,
            row_count=self.row_count,
            start_ns=self._start_ns,
            end_ns=self._end_ns,
            event_start_ns=self._event_start_ns,
            event_end_ns=self._event_end_ns,
            kinds=kinds,
            checksums={ROWS_FILE: self._digest.hexdigest(), ORDER_FILE: digest.hexdigest()},
        )
        with (self.directory / INFO_FILE).open("wb") as file:
            file.write(info.to_json())
            file.flush()
            os.fsync(file.fileno())
        (self.directory / BEGUN_FILE).unlink(missing_ok=True)
        self._put_in_place()
        self._is_open = False
        return info

    def _put_in_place(self) -> None:
        self.directory.chmod(0o755)
        if self.path.exists():
            self._require_room()
            aside = self.directory.with_suffix(".replaced")
            self.path.rename(aside)
            self.directory.rename(self.path)
            shutil.rmtree(aside)
        else:
            self.directory.rename(self.path)

    def abort(self) -> None:
        """Remove what was written."""
        if self._is_open:
            self._is_open = False
            self._rows.close()
            self._order.close()
            shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> TapeWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.abort()  # after finish() there is nothing left to remove
