"""Private events: who listens to which account, over the WebSocket API or by a listen key."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from quotewright_simexchange.dialects.binance.streams import Payload

Sink: TypeAlias = "Callable[[Payload], None]"


class UserHub:
    """Sinks by account, in the order in which they came."""

    def __init__(self) -> None:
        self._sinks: dict[str, dict[int, Sink]] = {}
        self._numbers = 0

    def add(self, account: str, sink: Sink) -> Callable[[], None]:
        """Let *sink* have the events of *account*; return what ends that."""
        number = self._numbers = self._numbers + 1
        self._sinks.setdefault(account, {})[number] = sink
        return lambda: self._remove(account, number)

    def tell(self, account: str, payload: Payload) -> None:
        """Hand an event of *account* to everybody who listens to it."""
        for sink in list(self._sinks.get(account, {}).values()):
            sink(payload)

    def is_listening(self, account: str) -> bool:
        """Return whether anybody listens to *account*."""
        return account in self._sinks

    def _remove(self, account: str, number: int) -> None:
        sinks = self._sinks.get(account, {})
        if sinks.pop(number, None) is not None and not sinks:
            del self._sinks[account]
