"""Several tapes as one: days of the same instruments, or markets side by side, merged window by window.

The order is (receive time, place of the tape, sequence), that of event times (event time, then the first). Nothing is
written, and only a window of each tape is in memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from quotewright.errors import InputError
from quotewright.kernel.codes import LAST, NEVER, RECEIVE, ROW_WORDS
from quotewright.kernel.rows import Rows, TapeBuffer
from quotewright.kernel.source import RowSource
from quotewright.tape.layout import BLOCK_ROWS, ROW_DTYPE
from quotewright.tape.source import WINDOW_ROWS, row_at
from quotewright.tape.tape import Tape
from quotewright.tape.uniting import Part, united

if TYPE_CHECKING:
    from quotewright.tape.tape import RowArray

    Words = np.ndarray[Any, np.dtype[np.int64]]

IN_ONE_ARRAY = ("rows", "array", "event_order")


class JoinedTape(Tape):
    """*tapes* read as one; a tape's place decides between messages of one receive time.

    Has no ``rows``, ``array`` and ``event_order``: :meth:`source`, :meth:`blocks` and :meth:`event_windows` give them
    window by window.

    Raises:
        InputError: an instrument is not the same one on two tapes.
    """

    def __init__(self, tapes: Sequence[Tape], window: int = WINDOW_ROWS) -> None:
        if not tapes:
            raise InputError("there is no tape to join")
        self.tapes = tuple(tapes)
        self.window = window
        self.name = ", ".join(tape.name for tape in tapes)
        self.instruments, self.parts, self.info = united(self.tapes)

    def __getattr__(self, name: str) -> NoReturn:
        if name in IN_ONE_ARRAY:
            raise InputError(f"{self.name}: several tapes have no common {name}; read them by source() or blocks()")
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

    def __len__(self) -> int:
        return self.info.row_count

    def source(self, from_ns: int = 0, to_ns: int = NEVER, window: int = 0) -> JoinedSource:
        return JoinedSource(self.parts, from_ns, to_ns, window or self.window)

    def event_windows(self) -> Iterator[tuple[Rows, memoryview[int]]]:
        return event_windows(self.parts, self.window)

    def blocks(self, size: int = BLOCK_ROWS) -> Iterator[tuple[int, RowArray]]:
        """Yield ``(first, rows)`` for windows of about *size* rows of the joined tape."""
        source = self.source(window=size)
        first = 0
        while source.fill(NEVER - 1) != NEVER:
            words = np.asarray(source.rows.words)[source.first * ROW_WORDS : source.last * ROW_WORDS]
            rows: RowArray = words.view(ROW_DTYPE)
            yield first, rows
            first += len(rows)
            source.first = source.last

    def require_causal(self) -> None:
        for tape in self.tapes:
            tape.require_causal()
            _require_header(tape)

    def check_as_read(self) -> None:
        self.require_causal()

    def close(self) -> None:
        """Close every tape."""
        for tape in self.tapes:
            tape.close()


class JoinedSource(RowSource):
    """Rows of several tapes received in ``[from_ns, to_ns)``, merged window by window of whole messages.

    A window ends between two receive times. Where only one tape has rows in it, it is that tape's own memory.
    """

    def __init__(self, parts: Sequence[Part], from_ns: int = 0, to_ns: int = NEVER, window: int = WINDOW_ROWS) -> None:
        super().__init__()
        if window < 1:
            raise ValueError(f"window should be at least 1 row, was {window}")
        self.parts = tuple(parts)
        self.window = window
        self.at = [_row_at(part.tape, from_ns) for part in parts]
        self.ends = [_row_at(part.tape, to_ns) for part in parts]
        self.released = list(self.at)
        self.taps: list[TapeBuffer] = []

    def fill(self, until_ns: int) -> int:
        """Make the next window ready if the last one is used up; see :meth:`RowSource.fill`."""
        if self.first >= self.last and not self.advance():
            return NEVER
        receive_ns: int = self.rows.words[self.first * ROW_WORDS + RECEIVE]
        return receive_ns if receive_ns <= until_ns else NEVER

    def tap(self, buffer: TapeBuffer) -> bool:
        """Copy rows that become ready into *buffer* too; see :meth:`RowSource.tap`."""
        self.taps.append(buffer)
        return True

    def advance(self) -> bool:
        """Make the next window ready and return whether there is one; passed rows are given back."""
        self.give_back()
        size = self.window
        while True:
            taken = self.cut(size)
            if taken is None:
                return False
            if any(count for _, count, _ in taken):
                break
            size *= 2  # more rows of one receive time than the window holds
        found = [(place, count, keys) for place, count, keys in taken if count]
        if len(found) == 1 and self.parts[found[0][0]].is_plain:
            ((place, count, _),) = found
            self.rows = self.parts[place].tape.rows
            self.first = self.at[place]
            self.last = self.first + count
        else:
            pieces = [self.parts[place].words(self.at[place], self.at[place] + count) for place, count, _ in found]
            merged = np.concatenate(pieces) if len(pieces) > 1 else pieces[0]
            if len(pieces) > 1:
                order = np.argsort(np.concatenate([keys[:count] for _, count, keys in found]), kind="stable")
                merged = merged[order]
            flat: Any = np.ascontiguousarray(merged).reshape(-1)
            self.rows = Rows(memoryview(flat))
            self.first, self.last = 0, len(merged)
        for tap in self.taps:
            tap.extend(self.rows, self.first, self.last)
        for place, count, _ in found:
            self.at[place] += count
            self.parts[place].tape.expect(self.at[place], min(self.at[place] + 2 * self.window, self.ends[place]))
        return True

    def cut(self, size: int) -> list[tuple[int, int, Words]] | None:
        """Return for each tape that has rows left how many of the next *size* belong to the window, and their keys.

        A row's key is the receive time of its message. A window ends before the first key that a tape might go on
        with behind the rows that were looked at.
        """
        heads = []
        for place, part in enumerate(self.parts):
            if self.at[place] < self.ends[place]:
                begun = self.at[place] > 0
                head_ns = part.tape.array["receive_ns"][self.at[place]] if begun else part.tape.info.start_ns
                heads.append((int(head_ns), place))
        looked: list[tuple[int, Words]] = []
        bound = NEVER
        for head_ns, place in sorted(heads):
            if head_ns >= bound:
                break  # a tape of later is not touched
            first, end = self.at[place], self.ends[place]
            last = min(first + size, end)
            keys = self.parts[place].keys(first, last)
            if last < end:
                bound = min(bound, int(keys[-1]))
            looked.append((place, keys))
        looked.sort(key=lambda one: one[0])
        if not looked:
            return None
        return [(place, int(np.searchsorted(keys, bound, "left")), keys) for place, keys in looked]

    def give_back(self) -> None:
        """Give pages that were passed back, some windows further for a reader in event order that came by."""
        for place, part in enumerate(self.parts):
            if self.at[place] > self.released[place]:
                part.tape.release(max(0, self.released[place] - 4 * self.window), self.at[place])
                self.released[place] = self.at[place]

    def close(self) -> bool:
        """Give every page back; the tapes stay open for their owner."""
        for part in self.parts:
            part.tape.release(0, part.tape.rows.count)
        self.rows = Rows(memoryview(b"").cast("q"), 0)
        self.first = self.last = 0
        self.at = list(self.ends)
        return True


def _require_header(tape: Tape) -> None:
    """Raise InputError if the header is wrong about when the tape begins: by that tapes are opened in their order."""
    if not len(tape):
        return
    found = int(tape.array["receive_ns"][0]), int(tape.array["event_ns"][tape.event_order[0]])
    tape.release(0, tape.rows.count)
    if (tape.info.start_ns, tape.info.event_start_ns) != found:
        raise InputError(f"{tape.name}: its header is wrong about when it begins; import the recording again")


def _row_at(tape: Tape, time_ns: int) -> int:
    """Return the number of the first row received at or after *time_ns*; looks into the rows only if it must."""
    if time_ns <= tape.info.start_ns:
        return 0
    return row_at(tape.rows, time_ns) if time_ns <= tape.info.end_ns else tape.rows.count


def event_windows(parts: Sequence[Part], window: int) -> Iterator[tuple[Rows, memoryview[int]]]:
    """Yield rows in order of event time as windows ``(rows, numbers of the rows in order)``.

    Numbers follow one another exactly where the rows of one message do; no such run is in two windows.
    """
    at = [0] * len(parts)
    size = window
    while True:
        found, bound = _looked(parts, at, size)
        if not found and bound == NEVER:
            return
        piece = _Piece(parts, found)
        if bound != NEVER:
            piece.drop_unfinished()
        if not len(piece.rows):
            size *= 2
            continue
        size = window
        places, counts = np.unique(piece.places, return_counts=True)
        for place, count in zip(places.tolist(), counts.tolist(), strict=True):
            at[place] += count
        if len(places) == 1 and parts[int(places[0])].is_plain:
            tape, end = parts[int(places[0])].tape, at[int(places[0])]
            yield tape.rows, tape.event_order[end - len(piece.rows) : end]
        else:
            yield piece.laid_out(parts)


def _looked(parts: Sequence[Part], at: Sequence[int], size: int) -> tuple[list[tuple[int, Words]], int]:
    """Return each tape's next row numbers in order of event time, and the time that all of them lie before.

    From that time on a tape might go on with rows that were not looked at; NEVER: every tape is at its end.
    """
    orders: list[Words] = [np.frombuffer(part.tape.event_order, np.int64) for part in parts]
    heads = []
    for place, order in enumerate(orders):
        if at[place] < len(order):
            tape, begun = parts[place].tape, at[place] > 0
            head_ns = tape.array["event_ns"][int(order[at[place]])] if begun else tape.info.event_start_ns
            heads.append((int(head_ns), place))
    looked: list[tuple[int, Words]] = []
    bound = NEVER
    for head_ns, place in sorted(heads):
        if head_ns >= bound:
            break  # a tape of later is not touched
        numbers = orders[place][at[place] : at[place] + size]
        if at[place] + size < len(orders[place]):
            bound = min(bound, int(parts[place].tape.array["event_ns"][int(numbers[-1])]))
        looked.append((place, numbers))
    looked.sort(key=lambda one: one[0])
    found = []
    for place, numbers in looked:
        count = int(np.searchsorted(parts[place].tape.array["event_ns"][numbers], bound, "left"))
        if count:
            found.append((place, numbers[:count]))
    return found, bound


class _Piece:
    """Rows of several tapes in order of event time: the tape of each, and its number there."""

    def __init__(self, parts: Sequence[Part], found: Sequence[tuple[int, Words]]) -> None:
        nothing = [np.empty(0, np.int64)]
        self.places = np.concatenate(nothing + [np.full(len(rows), place, np.int64) for place, rows in found])
        self.rows: Words = np.concatenate(nothing + [rows for _, rows in found])
        arrays = [(parts[place].tape.array, rows) for place, rows in found]
        self.is_last = np.concatenate(
            [np.empty(0, bool)] + [array["flags"][rows] & LAST != 0 for array, rows in arrays]
        )
        if len(found) > 1:
            # Within one tape the rows of one event time are in their order already, and so are their receive times.
            received = np.concatenate([array["receive_ns"][rows] for array, rows in arrays])
            self.sort(np.lexsort((received, np.concatenate([array["event_ns"][rows] for array, rows in arrays]))))

    def sort(self, order: Any) -> None:
        self.places, self.rows, self.is_last = self.places[order], self.rows[order], self.is_last[order]

    def goes_on(self) -> Any:
        """Return for each row but the last whether the one after it is the next of the same message."""
        is_next = (self.places[1:] == self.places[:-1]) & (self.rows[1:] == self.rows[:-1] + 1)
        return is_next & ~self.is_last[:-1]

    def drop_unfinished(self) -> None:
        """Leave the rows at the end out that rows after them may go on with."""
        count = len(self.rows)
        if not count or self.is_last[-1]:
            return
        breaks = np.flatnonzero(~self.goes_on())
        self.sort(slice(0, int(breaks[-1]) + 1 if len(breaks) else 0))

    def laid_out(self, parts: Sequence[Part]) -> tuple[Rows, memoryview[int]]:
        """Return copies of the rows, with a hole wherever a message is broken off, and where they stand."""
        slots: Any = np.arange(len(self.rows), dtype=np.int64)
        slots[1:] += np.cumsum(~self.goes_on() & ~self.is_last[:-1])
        laid: Any = np.zeros((int(slots[-1]) + 1, ROW_WORDS), np.int64)
        for place in np.unique(self.places).tolist():
            mine = self.places == place
            laid[slots[mine]] = parts[place].picked(self.rows[mine])
        return Rows(memoryview(laid.reshape(-1))), memoryview(slots)
