"""What a reader of a tape's header should know of the recording: missing books, wrong clocks, odd times."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from quotewright.tape.importing import Stage
    from quotewright.tape.recording import RecordedFile

STRAY_NS: Final = 1_000_000_000
FAR_SHIFT_NS: Final = 30 * 86_400_000_000_000


def remark(stage: Stage, survey: Stage, files: Sequence[RecordedFile], base_latency_ns: int) -> None:
    """Note what a reader of the header should know of the recording."""
    for file in files:
        if file.is_truncated:
            stage.note(f"{file.name} ends too early: only its {file.line} whole lines were imported")
    for (venue, market), adapter in sorted(stage.adapters.items()):
        where = f"{venue} {market}".strip()
        waiting = sorted(book.symbol for book in adapter.books.values() if not (book.was_good or book.state))
        if waiting:
            symbols = ", ".join(waiting[:5]) + (" …" if len(waiting) > 5 else "")
            stage.note(f"{where}: no snapshot joins the updates of {symbols}, so there is no book of them")
        if adapter.counters.ignored:
            kinds = ", ".join(f"{kind} {count:,}" for kind, count in sorted(adapter.counters.ignored.items()))
            stage.note(f"{where}: frames of kinds that are not read: {kinds}")
    for found in survey.connections.values():
        latency = found.clock(base_latency_ns).latency_ns
        if latency and latency["p01"] > 10_000_000_000:
            stage.note(
                f"{found.name}: 99 % of the latencies are above {latency['p01'] / 1e9:.1f} s; is an event time wrong?"
            )
        if found.missing_stamps:
            stage.note(f"{found.name}: {found.missing_stamps} lines have no receive time")
        if found.doubtful_stamps:
            stage.note(
                f"{found.name}: {found.doubtful_stamps} receive times leap ahead by more than a day and were not "
                "believed; those lines are received with the line before them"
            )
        if found.doubtful_events:
            stage.note(
                f"{found.name}: {found.doubtful_events} event times are more than a day off and were not believed"
            )
        if found.farthest_back_ns > STRAY_NS:
            stage.note(
                f"{found.name}: receive times go back by up to {found.farthest_back_ns / 1e9:.1f} s; until they pass "
                "the latest one again, messages are received late"
            )
        shift_ns = found.shift_ns(base_latency_ns)
        if abs(shift_ns) > FAR_SHIFT_NS:
            stage.note(
                f"{found.name}: receive times lie {abs(shift_ns) / 86_400e9:.0f} days from the event times; are they "
                "nanoseconds since 1970?"
            )
