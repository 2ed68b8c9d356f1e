"""Streams that are sent at a pace: what changed is gathered and goes out at the next whole multiple of it."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

import attrs

if TYPE_CHECKING:
    from quotewright_simexchange.exchange.exchange import Exchange
    from quotewright_simexchange.exchange.records import DepthEvent

MS_NS = 1_000_000


class Paced:
    """Calls *send* once at the next multiple of *pace_ns* of market time after something was marked."""

    def __init__(self, exchange: Exchange, pace_ns: int, send: Callable[[], None]) -> None:
        self.exchange = exchange
        self.pace_ns = pace_ns
        self.send = send
        self._number: int | None = None

    def mark(self) -> None:
        """Let :attr:`send` be called at the next multiple, if that is not so already."""
        if self._number is None:
            when_ns = (self.exchange.now_ns // self.pace_ns + 1) * self.pace_ns
            self._number = self.exchange.at(when_ns, self._due)

    def stop(self) -> None:
        """Send nothing any more."""
        if self._number is not None:
            self.exchange.forget(self._number)
            self._number = None

    def _due(self) -> None:
        self._number = None
        self.send()


@attrs.frozen
class BookBatch:
    """What became of a book within one beat: *first* and *last* sequence, *before* the one before the first."""

    first: int
    last: int
    before: int
    bids: tuple[tuple[Decimal, Decimal], ...]
    """Changed levels, best first, each with its newest quantity."""
    asks: tuple[tuple[Decimal, Decimal], ...]
    event_ns: int
    """Of the newest change."""


class BookPace:
    """Batches the changes of one book; *send* gets a batch at every beat in which the book changed."""

    def __init__(self, exchange: Exchange, pace_ns: int, sequence: int, send: Callable[[BookBatch], None]) -> None:
        self.send = send
        self._paced = Paced(exchange, pace_ns, self._flush)
        self._before = sequence
        self._first = 0
        self._last = sequence
        self._event_ns = 0
        self._changes: dict[tuple[Literal["bid", "ask"], Decimal], Decimal] = {}

    def take(self, event: DepthEvent) -> None:
        """Add a change of the book."""
        if not self._first:
            self._first = event.sequence
        self._last = event.sequence
        self._event_ns = event.event_ns
        for side, price, quantity in event.changes:
            self._changes[side, price] = quantity
        self._paced.mark()

    def stop(self) -> None:
        """Send nothing any more."""
        self._paced.stop()

    def _flush(self) -> None:
        sides = {
            side: tuple(
                sorted(
                    ((price, quantity) for (at, price), quantity in self._changes.items() if at == side),
                    reverse=side == "bid",
                )
            )
            for side in ("bid", "ask")
        }
        batch = BookBatch(self._first, self._last, self._before, sides["bid"], sides["ask"], self._event_ns)
        self._changes.clear()
        self._first, self._before = 0, self._last
        self.send(batch)
