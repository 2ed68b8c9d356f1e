"""Rows of live feeds as a row source: written by sinks, compacted as they are consumed, kept as a tape if wanted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from quotewright.kernel.codes import CLOSED, NEVER, ROW_WORDS, STATUS_NAMES
from quotewright.kernel.rows import TapeBuffer
from quotewright.kernel.sink import TapeSink, listing
from quotewright.kernel.source import RowSource
from quotewright.tape.layout import ROW_DTYPE

if TYPE_CHECKING:
    from quotewright.model.instrument import Instrument
    from quotewright.tape.writer import TapeWriter

START_ROWS = 1 << 14


class KeptSource(RowSource):
    """Rows in ``buffer``; those that were consumed are handed to *writer*, if there is one, and forgotten.

    So memory stays flat, and the tape holds what the pipeline took, in its order.
    """

    def __init__(self, writer: TapeWriter | None = None) -> None:
        super().__init__()
        self.buffer = TapeBuffer(START_ROWS)
        self.rows = self.buffer
        self.writer = writer
        self.rows_written = 0
        self.taps: list[TapeBuffer] = []

    def tap(self, buffer: TapeBuffer) -> bool:
        """Copy rows that become ready into *buffer* too; see :meth:`RowSource.tap`."""
        self.taps.append(buffer)
        return True

    def keep(self) -> None:
        """Hand the rows that were consumed to the tape."""
        count = self.first
        self.rows_written += count
        if self.writer is not None and count:
            self.writer.write(np.frombuffer(self.buffer.words, dtype=ROW_DTYPE, count=count).copy())

    def close(self) -> bool:
        """Hand the rest of what was consumed to the tape; what nobody took is dropped."""
        self.keep()
        self.buffer.truncate(0)
        self.first = self.last = 0
        return True


class LiveSource(KeptSource):
    """What sinks write into ``buffer`` becomes ready at the next :meth:`fill`.

    A row that claims to have happened after it was received is put at its receipt: venues' clocks may be ahead of ours.
    """

    def __init__(self, writer: TapeWriter | None = None) -> None:
        super().__init__(writer)
        self.late_events = 0
        """Rows whose event time was after their receipt."""

    def fill(self, until_ns: int) -> int:
        """Make what was written ready; see :meth:`RowSource.fill`."""
        buffer = self.buffer
        if self.first >= self.last:
            if self.last and self.last == buffer.count:
                self.keep()
                buffer.truncate(0)
                self.first = self.last = 0
            if self.last < buffer.count:
                self.late_events += buffer.settle(self.last)
                for tap in self.taps:
                    tap.extend(buffer, self.last, buffer.count)
                self.last = buffer.count
            if self.first >= self.last:
                return NEVER
        receive_ns = buffer.words[self.first * ROW_WORDS + 1]
        return receive_ns if receive_ns <= until_ns else NEVER

    def compact(self, least: int = START_ROWS) -> bool:
        """Forget what was consumed although more waits behind it, once it is *least* rows and the greater part.

        Where another feed lags, this one's rows wait for it: the buffer may not run empty for long.
        """
        taken = self.first
        left = self.buffer.count - taken
        if taken < least or taken < left:
            return False
        self.keep()
        rest = TapeBuffer(left)
        rest.extend(self.buffer, taken, self.buffer.count)
        self.buffer.truncate(0)
        self.buffer.extend(rest, 0, left)
        self.first = 0
        self.last -= taken
        return True


class LiveNotes:
    """Writes connections' ups and downs and changes of instruments as rows."""

    def __init__(self, sink: TapeSink) -> None:
        self.sink = sink

    def connection(self, symbols: Iterable[str], number: int, is_up: bool, now_ns: int) -> None:
        sink = self.sink
        for symbol in symbols:
            if sink.begin(symbol, 0, now_ns):
                sink.connection(is_up, number)
                sink.end()

    def status(self, symbol: str, status: str, now_ns: int) -> None:
        """Write an instrument's state of trading."""
        sink = self.sink
        if sink.begin(symbol, 0, now_ns):
            sink.status(STATUS_NAMES.index(status))
            sink.end()

    def instrument(self, before: Instrument, after: Instrument | None, now_ns: int) -> None:
        """Write what has changed of an instrument; one that is listed no more is closed."""
        sink = self.sink
        if after is None:
            if before.status != STATUS_NAMES[CLOSED]:
                self.status(before.symbol, STATUS_NAMES[CLOSED], now_ns)
            return
        if after.status != before.status:
            self.status(before.symbol, after.status, now_ns)
        if (after.tick_size, after.lot_size) != (before.tick_size, before.lot_size) and sink.begin(
            before.symbol, 0, now_ns
        ):
            sink.change(f"{after.tick_size:f}", f"{after.lot_size:f}")
            sink.end()


def sink_of(source: LiveSource, instruments: Iterable[Instrument]) -> TapeSink:
    """Return the sink that writes the rows of *instruments*; their ids are their places."""
    symbols: Mapping[str, tuple[int, int, int]] = listing(instruments)
    return TapeSink(source.buffer, symbols)
