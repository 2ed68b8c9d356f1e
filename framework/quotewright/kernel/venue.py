"""The role of an execution venue: commands go in, reports come out later. Interface version 1."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quotewright.kernel.codes import NEVER

if TYPE_CHECKING:
    from quotewright.model.orders import Command, Report
    from quotewright.wiring import VenueContext

VENUE_INTERFACE_VERSION = 1


class Venue:
    """Base class of all execution venues, in virtual time.

    The driver alternates :meth:`run`, :meth:`take_reports` and :meth:`submit`. Time never goes backwards: after
    ``run(t)`` every later command is sent at or after the time of the input that the driver took next.
    """

    interface_version = VENUE_INTERFACE_VERSION
    keeps_priority_on_reduce = False
    """Whether an amend that only lowers the quantity keeps the place in the queue (the quote manager asks)."""
    reports_funding = False
    """Whether the venue reports funding it has paid or charged; else the run books it from the market's own rows."""

    reads_in_windows = False
    """Whether it reads a tape by ``source()`` and ``event_windows()`` alone, which check what they hand out; for any
    other venue the whole tape is checked before :meth:`connect`."""

    def connect(self, context: VenueContext) -> None:
        """Take what the run consists of: instruments, the tape if there is one, seed and start; called once."""

    def run(self, until_ns: int) -> int:
        """Let everything happen at the venue up to *until_ns* and return when the first report becomes known here.

        Must stop before anything at the venue that is later than the moment its first pending report becomes known
        here: whoever reads that report may answer at once. NEVER: no report becomes known at or before *until_ns*.
        """
        return NEVER

    def submit(self, command: Command, now_ns: int) -> bool:
        """Hand *command* over at *now_ns*; its outcome arrives as reports. A bad order is rejected, never raised on."""
        raise TypeError(f"{type(self).__name__} lacks submit()")

    def take_reports(self, now_ns: int) -> list[Report]:
        """Return the reports known here at or before *now_ns*, in order, each once; each carries its ``receive_ns``."""
        return []

    def close(self) -> bool:
        """Release what the venue holds; called once at the end of a run."""
        return True
