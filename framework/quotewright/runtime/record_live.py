"""Recording a live feed: no pipeline, only frames and answers as they came."""

from __future__ import annotations

import signal
from collections.abc import Iterable
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import anyio

from quotewright.errors import ConfigError, InputError
from quotewright.feed import FeedAdapter
from quotewright.kernel.codes import NEVER
from quotewright.live.clock import LiveClock
from quotewright.live.market import prepare
from quotewright.live.recording import CaptureWriter

if TYPE_CHECKING:
    from quotewright.live.source import LiveSource
    from quotewright.plugin.registry import PluginSet

SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


class Stopping:
    """Set by the first Ctrl-C or SIGTERM."""

    def __init__(self) -> None:
        self.is_set = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if self.is_set and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.is_set = True


def record_feed(
    plugins: PluginSet, table: Any, names: Iterable[str], output: Path, seconds: float | None, where: str
) -> dict[str, Any]:
    """Record the feed of *table* into *output* for *seconds* (None: until interrupted) and return what came.

    Raises:
        ConfigError: the feed has no live connection, or the file exists.
        InputError: the instruments cannot be fetched.
    """
    adapter = plugins.build("feed_adapters", table, where)
    if not isinstance(adapter, FeedAdapter):
        raise ConfigError(f"{where}: this feed has a market of its own, and no frames to record")
    adapter.wire()
    names = list(names)
    if not names:
        raise ConfigError(f"{where}: name what is to be recorded: --instruments NAME,…")
    stopping = Stopping()
    before: dict[int, Any] = {}
    try:
        writer = CaptureWriter(output)
    except FileExistsError:
        raise ConfigError(f"--output {output}: exists already; name a new file") from None
    except OSError as error:
        raise ConfigError(f"--output {output}: cannot be written: {error.strerror}") from error
    try:
        with writer:
            try:
                for number in SIGNALS:
                    before[number] = signal.signal(number, stopping)
            except ValueError:  # not the main thread
                pass
            summary = anyio.run(_record, adapter, names, writer, seconds, where, stopping)
    except (ConfigError, InputError):
        if not writer.lines:
            output.unlink(missing_ok=True)
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return summary | {"output": str(output), "lines": writer.lines}


async def _record(
    adapter: FeedAdapter,
    names: list[str],
    writer: CaptureWriter,
    seconds: float | None,
    where: str,
    stopping: Stopping,
) -> dict[str, Any]:
    clock = LiveClock()
    live = await prepare(adapter, names, clock, where, recorder=writer)
    start_ns = clock.now_ns()
    until_ns = start_ns + round(seconds * 1e9) if seconds is not None else NEVER

    def is_done() -> bool:
        drop(live.source)
        return stopping.is_set or clock.now_ns() >= until_ns

    async with live.feed:
        await live.feed.run(is_done)
        found = live.feed.report()
    found["interrupted"] = stopping.is_set
    found["seconds"] = (clock.now_ns() - start_ns) / 1e9
    found["losses"] = sum(one["losses"] for one in found["connections"])
    return found


def drop(source: LiveSource) -> None:
    """Let rows that nobody reads go, so that memory stays flat."""
    while source.fill(NEVER) != NEVER:
        source.first = source.last
