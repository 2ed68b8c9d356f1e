"""The role of a row source: rows in order of receive time, from a tape, a local exchange or live feeds."""

from __future__ import annotations

from array import array

from quotewright.kernel.codes import NEVER
from quotewright.kernel.rows import Rows, TapeBuffer


class RowSource:
    """Rows ``[first, last)`` of ``rows`` are ready, whole messages, ``receive_ns`` never decreasing.

    The consumer raises ``first`` as it goes. ``rows`` may be another object after each call of :meth:`fill`.
    """

    def __init__(self) -> None:
        self.rows = Rows(array("q"), 0)
        self.first = 0
        self.last = 0

    def fill(self, until_ns: int) -> int:
        """Make rows received at or before *until_ns* ready and return the receive time of the first one.

        Returns NEVER if there is no row at or before *until_ns*. Rows beyond *until_ns* may be ready too; the
        consumer stops by their stamps.
        """
        return NEVER

    def tap(self, buffer: TapeBuffer) -> bool:
        """Copy into *buffer* every row that :meth:`fill` makes ready from now on, before it returns.

        A venue that fills orders against the market it sees asks for this; who owns *buffer* empties it. Rows of one
        receive time become ready together.
        """
        raise TypeError(f"{type(self).__name__} lacks tap()")

    def close(self) -> bool:
        """Release files and memory."""
        return True
