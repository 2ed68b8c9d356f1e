"""A WebSocket connection that lives as the venue lets it: pings, grace, messages a second, a day's life."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import attrs

from quotewright_simexchange.dialects.binance.errors import encode
from quotewright_simexchange.doors import Connection, Session

SECOND_NS = 1_000_000_000
POLICY = 1008
GOING_AWAY = 1001
WARNING_NS = 600 * SECOND_NS
"""How long before the end of its life a connection is told of it."""


@attrs.frozen
class Pace:
    """How the venue treats connections; 0 turns a rule off."""

    ping_ns: int = 20 * SECOND_NS
    grace_ns: int = 60 * SECOND_NS
    life_ns: int = 86_400 * SECOND_NS
    messages_per_second: int = 5
    streams: int = 1024


class LivingSession(Session):
    """Pings, and closes what does not answer, talks too much or has become too old."""

    def __init__(self, connection: Connection, pace: Pace, now_ns: int) -> None:
        self.connection = connection
        self.pace = pace
        self.is_closed = False
        self.on_closed: list[Callable[[], None]] = []
        self._born_ns = now_ns
        self._next_ping_ns = now_ns + pace.ping_ns
        self._awaited: deque[tuple[bytes, int]] = deque()
        self._heard: deque[int] = deque()
        self._is_warned = False
        self._set_deadline()

    def is_allowed(self, now_ns: int) -> bool:
        """Count a message that came; False if it was one too many, whereupon the connection is closed."""
        self.tick(now_ns)
        if self.is_closed:
            return False
        most = self.pace.messages_per_second
        if most:
            while self._heard and self._heard[0] <= now_ns - SECOND_NS:
                self._heard.popleft()
            if len(self._heard) >= most:
                self.end(POLICY, "Too many requests")
                return False
            self._heard.append(now_ns)
        return True

    def pinged(self, payload: bytes, now_ns: int) -> None:
        self.is_allowed(now_ns)

    def ponged(self, payload: bytes, now_ns: int) -> None:
        if self.is_allowed(now_ns) and any(payload == sent for sent, _ in self._awaited):
            while self._awaited and self._awaited.popleft()[0] != payload:
                pass
            self._set_deadline()

    def tick(self, now_ns: int) -> None:
        if self.is_closed:
            return
        if now_ns >= self._born_ns + self.pace.life_ns:
            self.end(GOING_AWAY, "Connection has reached the end of its life")
            return
        if self._awaited and now_ns >= self._awaited[0][1] + self.pace.grace_ns:
            self.end(POLICY, "Pong timeout")
            return
        if now_ns >= self._next_ping_ns:
            payload = str(now_ns // 1_000_000).encode()
            self._awaited.append((payload, now_ns))
            self.connection.ping(payload)
            self._next_ping_ns = now_ns + self.pace.ping_ns
        if not self._is_warned and now_ns >= self._born_ns + self.pace.life_ns - WARNING_NS:
            self._is_warned = True
            self.warn({"e": "serverShutdown", "E": now_ns // 1_000_000})
        self._set_deadline()

    def warn(self, event: dict[str, object]) -> None:
        """Tell that the connection will be closed."""
        self.send(event)

    def send(self, message: object) -> None:
        """Send *message* as JSON unless the connection is closed."""
        self.send_raw(encode(message))

    def send_raw(self, frame: bytes) -> None:
        if not self.is_closed:
            self.connection.send(frame)

    def end(self, code: int, reason: str) -> None:
        """Close the connection from here."""
        if not self.is_closed:
            self.closed()
            self.connection.close(code, reason)

    def closed(self) -> None:
        if not self.is_closed:
            self.is_closed = True
            self.deadline_ns = 1 << 62
            for call in self.on_closed:
                call()

    def _set_deadline(self) -> None:
        end_ns = self._born_ns + self.pace.life_ns
        deadlines = [self._next_ping_ns, end_ns]
        if self._awaited:
            deadlines.append(self._awaited[0][1] + self.pace.grace_ns)
        if not self._is_warned:
            deadlines.append(end_ns - WARNING_NS)
        self.deadline_ns = min(deadlines)
