"""The market as it stood when a run begins in the middle of a tape: books and signals from the rows before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

from quotewright.kernel.codes import INSTRUMENT_SHIFT, LAST_BIT, NEVER, RECEIVE, ROW_WORDS, WORD

if TYPE_CHECKING:
    from quotewright.kernel.view import View
    from quotewright.wiring import Wired


@attrs.frozen
class Before:
    """What was shown before a run began: *rows*, and by instrument id messages, crossings, trades and steps printed."""

    rows: int = 0
    counts: dict[int, tuple[int, int, int, int]] = attrs.field(factory=dict)

    def of(self, view: View) -> tuple[int, int, int, int]:
        """Return what the counts of *view* were when the run began."""
        return self.counts.get(view.instrument_id, (0, 0, 0, 0))


def warm(wired: Wired, from_ns: int) -> Before:
    """Show the rows received before *from_ns* to books and signals, and to nobody else; return what there was.

    Strategies sleep, rules do not see them, venues go along: at *from_ns* everything is as if somebody had watched.
    """
    source, views = wired.market.source, wired.pipeline.views
    for view in wired.views:
        view.start(wired.market.start_ns)
    count = 0
    while source.fill(from_ns - 1) != NEVER:
        rows = source.rows
        words = np.asarray(rows.words)[source.first * ROW_WORDS : source.last * ROW_WORDS].reshape(-1, ROW_WORDS)
        known = int(np.searchsorted(words[:, RECEIVE], from_ns, "left"))
        word = words[:known, WORD]
        ends = np.flatnonzero(word & LAST_BIT) + 1
        starts = np.concatenate(([0], ends[:-1]))
        heads = words[starts]
        first = source.first
        for start, end, receive_ns, number in zip(
            starts.tolist(),
            ends.tolist(),
            heads[:, RECEIVE].tolist(),
            (heads[:, WORD] >> INSTRUMENT_SHIFT).tolist(),
            strict=True,
        ):
            view = views[number]
            if view is not None:
                view.on_message(rows, first + start, first + end, receive_ns)
        source.first += known
        count += known
        for venue in wired.venues.values():
            venue.run(int(words[known - 1, RECEIVE]))
    for view in wired.views:
        if view.next_check_ns < from_ns:
            view.catch_up(from_ns - 1)
    counts = {
        view.instrument_id: (view.messages, view.book.crossings, view.trades, view.printed_steps)
        for view in wired.views
    }
    return Before(count, counts)


def resume(wired: Wired) -> None:
    """Keep what fell due later than the beginning in mind: the funding whose time was told before."""
    for view in wired.views:
        view.next_check_ns = min(view.next_check_ns, view.funding_due_ns)
