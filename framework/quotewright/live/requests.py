"""Requests of one feed: asked within the venue's windows, a few at a time, tried again when that is of use."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING

import attrs

from quotewright.kernel.codes import NEVER
from quotewright.live.orders import Fetch, Order
from quotewright.live.retry import trouble_of

if TYPE_CHECKING:
    from quotewright.live.backoff import Backoff
    from quotewright.live.budget import Windows
    from quotewright.wire import Request, Wire

AT_ONCE = 4
MOST_TRIES = 5
MOST_WAITING = 10_000


@attrs.define
class Wanted:
    """One request and what it is for; *key* is what it is known by, and only one of a key is under way."""

    key: tuple[str, str]
    request: Request
    tries: int = 0
    not_before_ns: int = 0
    asked_ns: int = 0


class RequestQueue:
    """Pure: answers and times in, orders to fetch out.

    Args:
        windows: The venue's windows of request weights.
        pause: Pauses between tries of the whole queue after an answer that was no success.
    """

    def __init__(self, wire: Wire, windows: Windows, pause: Backoff) -> None:
        self.wire = wire
        self.windows = windows
        self.pause = pause
        self.orders: list[Order] = []
        self.waiting: deque[Wanted] = deque()
        self.under_way: dict[int, Wanted] = {}
        self.keys: set[tuple[str, str]] = set()
        self.held_ns = 0
        """Nothing is asked before: the venue said so."""
        self.final = ""
        """Why nothing is asked any more."""
        self.last_trouble = ""
        self.asked = 0
        self.failed = 0
        self.dropped = 0
        """Answers of another request, or given twice."""
        self._ticket = 0
        self._due_ns = NEVER

    def ask(self, kind: str, name: str, request: Request, now_ns: int) -> bool:
        """Ask for *request* unless the same is asked for already; return whether it is new."""
        key = (kind, name)
        if self.final or key in self.keys or len(self.waiting) >= MOST_WAITING:
            return False
        self.keys.add(key)
        self.waiting.append(Wanted(key, request))
        self.pump(now_ns)
        return True

    def answered(
        self, ticket: int, status: int, headers: Mapping[str, str], body: bytes, now_ns: int
    ) -> tuple[Wanted, bytes] | None:
        """Return what was wanted and its body; None if the answer is no success, or nobody waits for it."""
        wanted = self.under_way.pop(ticket, None)
        if wanted is None:
            self.dropped += 1
            return None
        trouble = trouble_of(self.wire, status, headers, now_ns, body)
        if trouble is None:
            self.keys.discard(wanted.key)
            self.pause.reset()
            self.pump(now_ns)
            return wanted, body
        self.last_trouble = f"{wanted.request.url.partition('?')[0]}: {trouble.text}"
        if trouble.kind == "final":
            self.failed += 1
            self.keys.discard(wanted.key)
            if status in (401, 403, 451):
                self.stop(self.last_trouble)
            self.pump(now_ns)
            return None
        pause_ns = self.pause.next_ns(trouble.wait_ns, trouble.text)
        if status in (418, 429) or trouble.kind == "banned":
            self.held_ns = max(self.held_ns, now_ns + pause_ns)
        self._again(wanted, now_ns + pause_ns)
        self.pump(now_ns)
        return None

    def unanswered(self, ticket: int, reason: str, now_ns: int) -> None:
        """Take note that no answer came: try again after a pause."""
        wanted = self.under_way.pop(ticket, None)
        if wanted is None:
            self.dropped += 1
            return
        self.last_trouble = f"{wanted.request.url.partition('?')[0]}: {reason}"
        self._again(wanted, now_ns + self.pause.next_ns())
        self.pump(now_ns)

    def stop(self, reason: str) -> None:
        """Ask for nothing any more."""
        self.final = reason
        self.waiting.clear()
        self.keys.clear()
        self.under_way.clear()

    def pump(self, now_ns: int) -> None:
        """Order what may be fetched now."""
        self._due_ns = NEVER
        if now_ns < self.held_ns:
            if self.waiting:
                self._due_ns = self.held_ns
            return
        for _ in range(len(self.waiting)):
            if len(self.under_way) >= AT_ONCE:
                return
            wanted = self.waiting.popleft()
            wait_ns = wanted.not_before_ns - now_ns
            if wait_ns <= 0:
                wait_ns = self.windows.wait_ns(now_ns, wanted.request.weight)
            if wait_ns > 0:
                self.waiting.append(wanted)
                self._due_ns = min(self._due_ns, now_ns + wait_ns)
                continue
            self.windows.take(now_ns, wanted.request.weight)
            self._ticket += 1
            wanted.tries += 1
            wanted.asked_ns = now_ns
            self.asked += 1
            self.under_way[self._ticket] = wanted
            self.orders.append(Fetch(self._ticket, wanted.request))

    def tick(self, now_ns: int) -> None:
        """Let time pass."""
        if self._due_ns <= now_ns:
            self.pump(now_ns)

    @property
    def deadline_ns(self) -> int:
        return self._due_ns

    def take_orders(self) -> list[Order]:
        """Return what the transport is to fetch since the last call."""
        orders, self.orders = self.orders, []
        return orders

    def _again(self, wanted: Wanted, at_ns: int) -> None:
        if wanted.tries >= MOST_TRIES:
            self.failed += 1
            self.keys.discard(wanted.key)
            return
        wanted.not_before_ns = at_ns
        self.waiting.append(wanted)
