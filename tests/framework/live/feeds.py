"""Live feeds over loopback for tests: a toy adapter on a scripted server, with intervals of at most 50 ms."""

from __future__ import annotations

from collections.abc import Callable

import anyio

from quotewright.kernel.codes import NEVER
from quotewright.live.clock import LiveClock
from quotewright.live.driver import LiveFeed
from quotewright.live.settings import LiveSettings
from quotewright.live.source import LiveSource
from quotewright.testing.scripted import ScriptedServer
from tests.framework.live.toy import ToyAdapter, ToyWire, session_of

FAST = {
    "connect_timeout": "50ms",
    "handshake_timeout": "50ms",
    "close_timeout": "50ms",
    "answer_timeout": "0s",
    "data_timeout": "50ms",
    "backoff": "1ms",
    "backoff_most": "10ms",
    "healthy": "50ms",
    "overlap": "20ms",
    "request_timeout": "2s",
}
PATIENCE = 20
"""Seconds after which a test that waits for an event has failed."""


class VirtualTime:
    """Time that goes on only when the test says so; ``clock`` is what a feed takes for the time."""

    def __init__(self, start_ns: int = 1_700_000_000_000_000_000) -> None:
        self.now_ns = start_ns
        self.clock = LiveClock(wall=lambda: self.now_ns, monotonic=lambda: self.now_ns)

    def pass_ns(self, span_ns: int) -> None:
        self.now_ns += span_ns


class ToyFeed:
    """A feed on *server*; use it as ``async with``, then :meth:`until` something holds."""

    def __init__(
        self,
        server: ScriptedServer,
        symbols=("BTCUSDT",),
        adapter=None,
        wire=None,
        recorder=None,
        clock=None,
        **settings,
    ):
        made = LiveSettings(**(FAST | {"websocket": server.ws, "rest": server.http} | settings))
        self.adapter = adapter or ToyAdapter()
        self.adapter.subscribe(symbols)
        self.wire = wire or ToyWire(made)
        self.session, self.source = session_of(self.adapter, self.wire, made, recorder=recorder)
        self.feed = LiveFeed(self.session, clock or LiveClock())

    async def __aenter__(self) -> ToyFeed:
        await self.feed.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> bool | None:
        return await self.feed.__aexit__(*error)

    async def until(self, holds: Callable[[], bool]) -> None:
        """Process until *holds*; fails when it takes too long."""
        with anyio.fail_after(PATIENCE):
            await self.feed.run(holds)

    @property
    def connection(self):
        """The first connection of the feed."""
        return next(iter(self.session.lines.values())).connection


def consume(source: LiveSource) -> int:
    """Take every row that is ready, as a pipeline would; return how many."""
    taken = 0
    while source.fill(NEVER) != NEVER:
        taken += source.last - source.first
        source.first = source.last
    return taken
