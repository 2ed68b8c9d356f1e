"""The market as it stood when a run begins in the middle of a tape: books and signals from the rows before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from quotewright.kernel.codes import INSTRUMENT_SHIFT, LAST_BIT, NEVER, RECEIVE, ROW_WORDS, WORD

if TYPE_CHECKING:
    from quotewright.wiring import Wired


def warm(wired: Wired, from_ns: int) -> int:
    """Show the rows received before *from_ns* to books and signals, and to nobody else; return how many there were.

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
    return count
