"""One private connection of a venue: opened, greeted, kept alive, opened anew; pure."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

from quotewright.kernel.codes import NEVER
from quotewright.live.orders import AbortSocket, CloseSocket, OpenSocket, Order, SendPing, SendText

if TYPE_CHECKING:
    from quotewright.execution import Line
    from quotewright.live.backoff import Backoff
    from quotewright.live.budget import Windows
    from quotewright.live.venue_settings import VenueSettings


class LineState(IntEnum):
    DOWN = 0
    """Not open; it is opened when its pause is over."""
    OPENING = 1
    GREETED = 2
    """Open; the venue has not said yet that it serves."""
    READY = 3
    LEFT = 4
    """Closed for good."""


class PrivateLine:
    """Deadlines and states of one line. *orders* is where it puts what the transport is to do."""

    def __init__(
        self,
        line: Line,
        settings: VenueSettings,
        pause: Backoff,
        sends: Windows,
        orders: list[Order],
        life_ns: int = 0,
    ) -> None:
        self.line = line
        self.name = line.name
        self.settings = settings
        self.pause = pause
        self.sends = sends
        self.orders = orders
        self.life_ns = life_ns
        self.state = LineState.DOWN
        self.number = 0
        """Of the connection at hand, 0 none."""
        self.why = "not opened yet"
        self.open_at_ns = 0
        self.opens = 0
        self.losses = 0
        self.frames = 0
        self._deadline_ns = NEVER
        self._heard_ns = 0
        self._sent_ns = 0
        self._asked_ns = 0
        self._born_ns = 0

    @property
    def is_ready(self) -> bool:
        return self.state == LineState.READY

    def open(self, number: int, url: str, now_ns: int) -> None:
        """Open it as connection *number* at *url*."""
        self.state = LineState.OPENING
        self.number = number
        self.opens += 1
        self._deadline_ns = now_ns + int(self.settings.connect_timeout) + int(self.settings.handshake_timeout)
        self.orders.append(OpenSocket(number, url))

    def opened(self, greeting: tuple[bytes, ...], now_ns: int) -> None:
        """It is open: send *greeting*, and wait for what it brings."""
        self.state = LineState.GREETED
        self._born_ns = self._heard_ns = self._sent_ns = now_ns
        self._asked_ns = 0
        for frame in greeting:
            self.send(frame, now_ns)
        self._deadline_ns = now_ns + int(self.settings.answer_timeout)

    def ready(self) -> None:
        """The venue serves it."""
        self.state = LineState.READY
        self.why = ""
        self._deadline_ns = NEVER

    def heard(self, now_ns: int) -> None:
        """Something came: the peer lives."""
        self.frames += 1
        self._heard_ns = now_ns
        self._asked_ns = 0

    ponged = heard

    def send(self, frame: bytes, now_ns: int) -> None:
        """Send one frame."""
        self._sent_ns = now_ns
        self.sends.take(now_ns)
        self.orders.append(SendText(self.number, frame))

    def lost(self, why: str, now_ns: int, wait_ns: int = 0) -> None:
        """The connection is gone: open another one after a pause."""
        if self.state == LineState.READY:
            self.pause.lost(self._born_ns, now_ns)
        self.losses += 1
        self.state = LineState.DOWN
        self.number = 0
        self.why = why
        self._deadline_ns = NEVER
        self.open_at_ns = now_ns + self.pause.next_ns(wait_ns, why)

    def drop(self, why: str, now_ns: int, wait_ns: int = 0) -> None:
        """End the connection from here without a word, and open another one."""
        if self.number:
            self.orders.append(AbortSocket(self.number))
        self.lost(why, now_ns, wait_ns)

    def leave(self) -> None:
        """Close it for good."""
        if self.number:
            self.orders.append(CloseSocket(self.number, 1000, "bye"))
        self.state = LineState.LEFT
        self.number = 0
        self.why = "left"
        self._deadline_ns = NEVER

    def tick(self, now_ns: int) -> str:
        """Let time pass; return why the connection must be taken for dead, empty if it lives."""
        if self.state in (LineState.DOWN, LineState.LEFT):
            return ""
        if self._deadline_ns <= now_ns:
            return "it did not open in time" if self.state == LineState.OPENING else "the venue did not answer in time"
        if self.state == LineState.OPENING:
            return ""
        keep = self.line.keep_alive
        if keep.silence_ns and now_ns - self._heard_ns >= keep.silence_ns:
            return f"silent for {keep.silence_ns / 1e9:g} s"
        if self._asked_ns and now_ns - self._asked_ns >= keep.answer_ns:
            return f"no pong within {keep.answer_ns / 1e9:g} s"
        if keep.every_ns and not self._asked_ns and now_ns - max(self._sent_ns, self._heard_ns) >= keep.every_ns:
            self._asked_ns = self._sent_ns = now_ns
            self.orders.append(SendText(self.number, keep.frame) if keep.frame else SendPing(self.number, b""))
        if self.life_ns and now_ns - self._born_ns >= self.life_ns:
            return "it has reached its age: a new one is opened"
        return ""

    @property
    def deadline_ns(self) -> int:
        """When :meth:`tick`, or opening it, is due next."""
        if self.state == LineState.DOWN:
            return self.open_at_ns
        if self.state in (LineState.LEFT, LineState.OPENING):
            return self._deadline_ns
        keep = self.line.keep_alive
        due_ns = self._deadline_ns
        if keep.silence_ns:
            due_ns = min(due_ns, self._heard_ns + keep.silence_ns)
        if self._asked_ns:
            due_ns = min(due_ns, self._asked_ns + keep.answer_ns)
        elif keep.every_ns:
            due_ns = min(due_ns, max(self._sent_ns, self._heard_ns) + keep.every_ns)
        if self.life_ns:
            due_ns = min(due_ns, self._born_ns + self.life_ns)
        return due_ns
