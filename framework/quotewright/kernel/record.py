"""The part of a run's record that every command, report and timer passes: counted here, written elsewhere."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

from quotewright.kernel.counts import OrderCounts
from quotewright.kernel.orders import ANSWERS, Order
from quotewright.kernel.view import View
from quotewright.model.orders import CancelOrder, Fill, NewOrder

if TYPE_CHECKING:
    from quotewright.kernel.recording import Recorder
    from quotewright.model.orders import Command, Report

MOST_PENDING = 64
"""How many commands wait for each other to be written, where nothing must be durable at once."""
MOST_FILLS = 100_000


class Record:
    """Base class of recorders. ``writes_at_once``: every input, and every command before it leaves, is written at once.

    ``pending`` are the commands that are not written yet. ``counts`` and ``fills`` (columns by name, in this order: the
    instrument, time, event time, order, side, price, quantity, whether it was a maker's, twice the mid) are laid by
    whoever subclasses it. After ``lost`` nothing but cancels leaves.
    """

    def __init__(self) -> None:
        self.writes_at_once = False
        self.writes_fills = False
        self.pending: list[tuple[int, Command]] = []
        self.lost: OSError | None = None
        self.counts: dict[int, OrderCounts] = {}
        self.orders = 0
        self.cancels = 0
        self.amends = 0
        self.fills: dict[str, array[int]] = {}
        self.fill_count = 0
        self.fills_dropped = 0

    def write_commands(self, now_ns: int, rows: int) -> None:
        """Write ``pending``, the last of which is about to leave, and clear it."""
        raise TypeError(f"{type(self).__name__} lacks write_commands()")

    def write_report(self, now_ns: int, rows: int, report: Report) -> None:
        """Write a report; asked only where everything is written at once."""
        raise TypeError(f"{type(self).__name__} lacks write_report()")

    def write_timer(self, now_ns: int, rows: int, timer: int) -> None:
        """Write that a timer fell due; asked only where everything is written at once."""
        raise TypeError(f"{type(self).__name__} lacks write_timer()")

    def write_fill(self, now_ns: int, report: Fill, order: Order) -> None:
        """Write a fill; asked only where ``writes_fills``."""
        raise TypeError(f"{type(self).__name__} lacks write_fill()")

    def on_command(self, now_ns: int, rows: int, command: Command, view: View) -> None:
        """Take a command that leaves."""
        self.pending.append((now_ns, command))
        if self.writes_at_once or len(self.pending) >= MOST_PENDING:
            self.write_commands(now_ns, rows)
        is_cancel = type(command) is CancelOrder
        if self.lost is not None and not is_cancel:
            raise self.lost  # cancels still leave, an order that is on no record does not
        counts = self.counts.get(command.instrument)
        if counts is not None:
            counts.on_command(command, view)
        if is_cancel:
            self.cancels += 1
        elif isinstance(command, NewOrder):
            self.orders += 1
        else:
            self.amends += 1

    def on_report(self, now_ns: int, rows: int, report: Report, order: Order | None) -> None:
        """Take a report that has been booked, and the order it is about."""
        if self.writes_at_once:
            self.write_report(now_ns, rows, report)
        if order is None or type(report) in ANSWERS or not isinstance(report, Fill):
            return
        view = order.view
        counts = self.counts.get(view.instrument_id)
        if counts is not None:
            counts.on_fill(now_ns, report, order)
        self.fill_count += 1
        if self.fill_count <= MOST_FILLS:
            values = (
                view.instrument_id,
                now_ns,
                report.event_ns,
                order.number,
                order.side,
                report.price_ticks,
                report.quantity_lots,
                int(report.is_maker),
                view.known_mid2,
            )
            for column, value in zip(self.fills.values(), values):  # noqa: B905 - nothing is kept before it is laid
                column.append(value)
        else:
            self.fills_dropped += 1
        if self.writes_fills:
            self.write_fill(now_ns, report, order)

    def on_timer(self, now_ns: int, rows: int, timer: int) -> None:
        """Take note that a timer fell due, by its place among the timers."""
        if self.writes_at_once:
            self.write_timer(now_ns, rows, timer)


class Handed(Record):
    """Hands commands, reports and timers to a recorder that is no :class:`Record`."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self.recorder = recorder

    def on_command(self, now_ns: int, rows: int, command: Command, view: View) -> None:
        self.recorder.on_command(now_ns, rows, command, view)

    def on_report(self, now_ns: int, rows: int, report: Report, order: Order | None) -> None:
        self.recorder.on_report(now_ns, rows, report, order)

    def on_timer(self, now_ns: int, rows: int, timer: int) -> None:
        self.recorder.on_timer(now_ns, rows, timer)


def record_of(recorder: Recorder) -> Record:
    """Return *recorder* itself where it is a :class:`Record`, which is quicker to tell, else one that hands it all."""
    return recorder if isinstance(recorder, Record) else Handed(recorder)
