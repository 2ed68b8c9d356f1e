"""What is told about a tape: a page for people, one JSON object for programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from quotewright.model.instrument import Instrument
from quotewright.tape.tape import ConnectionClock, TapeInfo, Verdict

LISTED = 40
"""How many instruments or remarks a page shows; JSON holds all of them."""


def record(path: Path, info: TapeInfo, is_verified: bool | None = None) -> dict[str, Any]:
    """Return the header of the tape at *path* as plain values, with the sizes in decimals beside the steps."""
    found: dict[str, Any] = {"path": str(path), **msgspec.to_builtins(info)}
    for fields, instrument in zip(found["instruments"], info.instruments, strict=True):
        fields["tick_size"] = plain(instrument.tick_size)
        fields["lot_size"] = plain(instrument.lot_size)
    found["rows"] = info.row_count
    found["is_verified"] = is_verified
    return found


def page(path: Path, info: TapeInfo, is_verified: bool | None = None) -> str:
    """Return a readable page about the tape at *path*."""
    return "\n".join(_lines(path, info, is_verified)) + "\n"


def _lines(path: Path, info: TapeInfo, is_verified: bool | None) -> Iterator[str]:
    made = "synthetic" if info.is_synthetic else "recorded"
    yield f"{path}: {made} tape, version {info.version}, {info.row_count:,} rows"
    if info.row_count:
        seconds = (info.end_ns - info.start_ns) / 1e9
        yield f"span       {time_text(info.start_ns)} to {time_text(info.end_ns)} ({seconds:,.3f} s, receive time)"
    yield "rows       " + (", ".join(f"{name} {count:,}" for name, count in info.kinds.items()) or "none")
    if is_verified is not None:
        yield "checksums  " + ("as in the header" if is_verified else "wrong")
    for source in info.sources:
        cut = ", ends too early" if source.is_truncated else ""
        yield f"source     {source.name}: {source.lines:,} lines by importer {source.importer}{cut}"
    for clock in info.connections:
        yield from _clock_lines(clock)
    verdicts = {verdict.instrument: verdict for verdict in info.verdicts}
    yield ""
    yield f"instruments ({len(info.instruments)}); * was inferred from the data"
    for instrument in info.instruments[:LISTED]:
        yield from _instrument_lines(instrument, verdicts.get(instrument.name))
    yield from _more(info.instruments)
    if info.unlisted:
        yield f"unlisted   {len(info.unlisted)} symbols: " + _some(f"{k} ({n:,})" for k, n in info.unlisted.items())
    if info.refused_count:
        yield f"refused    {info.refused_count:,} messages, left out whole:"
        for refused in info.refused[:10]:
            yield f"           {refused.file} line {refused.line}: {refused.reason}"
        if info.refused_count > 10:
            yield f"           and {info.refused_count - 10:,} more"
    for note in info.notes[:LISTED]:
        yield f"note       {note}"
    yield from _more(info.notes)


def _clock_lines(clock: ConnectionClock) -> Iterator[str]:
    yield (
        f"clock      {clock.name}: receive times shifted by {milliseconds(clock.shift_ns)}, so that the smallest "
        f"latency is {milliseconds(clock.base_latency_ns)} (it was {milliseconds(clock.smallest_ns)})"
    )
    if clock.latency_ns:
        quantiles = ", ".join(f"{name} {milliseconds(value)}" for name, value in clock.latency_ns.items())
        yield f"           latency {quantiles}"
    remarks = []
    if clock.without_event_time:
        remarks.append(f"{clock.without_event_time:,} messages without event time (estimated)")
    if clock.backward_stamps:
        remarks.append(f"{clock.backward_stamps:,} receive times that went back")
    if clock.missing_stamps:
        remarks.append(f"{clock.missing_stamps:,} lines without receive time")
    if remarks:
        yield "           " + ", ".join(remarks)


def _instrument_lines(instrument: Instrument, verdict: Verdict | None) -> Iterator[str]:
    def star(*names: str) -> str:
        return "*" if set(names) & set(instrument.inferred) else ""

    contract = "" if instrument.contract_size == 1 else f", contract {plain(instrument.contract_size)}"
    notional = f", min notional {plain(instrument.min_notional)}" if instrument.min_notional else ""
    yield (
        f"  {instrument.name}{star('base', 'quote')} ({instrument.symbol}): "
        f"tick {plain(instrument.tick_size)}{star('tick_steps')}, "
        f"lot {plain(instrument.lot_size)}{star('lot_steps')}, "
        f"steps of {instrument.price_decimals}{star('price_decimals')} and "
        f"{instrument.size_decimals}{star('size_decimals')} decimals{contract}{star('contract_size')}{notional}"
    )
    if verdict is not None:
        word = "clean" if verdict.is_clean else "look out"
        yield (
            f"    {word}: book {verdict.book}, {verdict.messages:,} book messages, {verdict.levels:,} levels, "
            f"{verdict.snapshots:,} snapshots, {verdict.trades:,} trades, {verdict.gaps:,} gaps, "
            f"{verdict.crossings:,} crossings"
        )


def _more(items: tuple[Any, ...]) -> Iterator[str]:
    if len(items) > LISTED:
        yield f"  and {len(items) - LISTED} more (--json lists them)"


def _some(items: Iterable[str]) -> str:
    every = list(items)
    return ", ".join(every[:10]) + (f" and {len(every) - 10} more" if len(every) > 10 else "")


def plain(number: Decimal) -> str:
    """Return a decimal without trailing zeros and without an exponent."""
    return f"{number.normalize():f}"


def milliseconds(value_ns: int) -> str:
    """Return a time span in milliseconds with three digits."""
    return f"{value_ns / 1e6:,.3f} ms"


def time_text(time_ns: int) -> str:
    """Return a time as ISO 8601 in UTC with milliseconds."""
    whole, rest = divmod(time_ns, 1_000_000_000)
    try:
        return f"{datetime.fromtimestamp(whole, UTC):%Y-%m-%dT%H:%M:%S}.{rest // 1_000_000:03d}Z"
    except (OverflowError, ValueError, OSError):
        return f"{time_ns} ns"
