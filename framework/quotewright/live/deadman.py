"""The venue's dead-man switch: it cancels our orders when it hears nothing from us; pure.

It is a second net only. Whatever makes us doubt it (a refresh refused, unanswered, late) is treated as a lost
connection: quotes are pulled from here as well.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final, Literal

import attrs

from quotewright.errors import InputError

SECOND: Final = 1_000_000_000


@attrs.frozen(kw_only=True)
class DeadManRule:
    """How a venue's switch works.

    *refresh* ``request``: a countdown that every request begins anew; ``connection``: it runs as soon as the private
    connection is gone, and is set up once per connection. 0 as a window: the venue does it at once.
    """

    venue: str
    refresh: Literal["request", "connection"]
    least_ns: int
    most_ns: int
    usual_ns: int
    scope: str = ""

    def window_ns(self, wanted_ns: int = 0) -> int:
        """Return the window to ask for: *wanted_ns*, 0 the usual one.

        Raises:
            InputError: the venue does not offer it.
        """
        window_ns = wanted_ns or self.usual_ns
        if not self.least_ns <= window_ns <= self.most_ns:
            raise InputError(
                f"{self.venue}: the dead-man switch takes {self.least_ns / 1e9:g} to {self.most_ns / 1e9:g} s, "
                f"was {window_ns / 1e9:g} s"
            )
        return window_ns


OKX: Final = DeadManRule(
    venue="okx",
    refresh="request",
    least_ns=10 * SECOND,
    most_ns=120 * SECOND,
    usual_ns=30 * SECOND,
    scope="the sub-account, or the orders of one tag",
)
BYBIT: Final = DeadManRule(
    venue="bybit",
    refresh="connection",
    least_ns=3 * SECOND,
    most_ns=300 * SECOND,
    usual_ns=10 * SECOND,
    scope="the products whose dcp topic the private connection has subscribed",
)
DERIBIT: Final = DeadManRule(
    venue="deribit",
    refresh="connection",
    least_ns=0,
    most_ns=0,
    usual_ns=0,
    scope="the orders that the connection placed",
)
BINANCE_FUTURES: Final = DeadManRule(
    venue="binance",
    refresh="request",
    least_ns=SECOND,
    most_ns=3600 * SECOND,
    usual_ns=30 * SECOND,
    scope="one symbol of the futures market; spot has none",
)


class SwitchState(IntEnum):
    OFF = 0
    """Not asked for, or turned off by us."""
    ARMING = 1
    """Asked for the first time; nothing may be quoted on its account yet."""
    ARMED = 2
    DOUBTED = 3
    """A refresh failed: as if disconnected. It is tried again, and quotes stay pulled until one is confirmed."""


class DeadManSwitch:
    """The schedule of one switch: when to refresh it, and whether it can be counted on.

    Args:
        rule: The venue's.
        window_ns: The window asked for; 0: the venue's usual one.
        refreshes: How many refreshes fit into one window.
        answer_ns: So long may the answer to a refresh take; 0: half the time between two.
    """

    def __init__(self, rule: DeadManRule, window_ns: int = 0, refreshes: int = 3, answer_ns: int = 0) -> None:
        if refreshes < 2:
            raise InputError(f"a window should hold two refreshes at least, was {refreshes}")
        self.rule = rule
        self.window_ns = rule.window_ns(window_ns)
        self.every_ns = self.window_ns // refreshes
        self.answer_ns = answer_ns or max(SECOND, self.every_ns // 2)
        self.state = SwitchState.OFF
        self.why = "not armed"
        self.failures = 0
        self.fires_ns = 0
        """Not before this time does the venue cancel, if nothing more reaches it; by the clock here."""
        self._due_ns: int | None = None
        self._asked_ns: int | None = None

    def arm(self, now_ns: int) -> None:
        """Ask for it from now on: :attr:`is_due` says when to send."""
        self.state = SwitchState.ARMING
        self.why = "being armed"
        self._due_ns = now_ns
        self._asked_ns = None

    def off(self) -> None:
        """It was turned off at the venue, because we leave."""
        self.state = SwitchState.OFF
        self.why = "not armed"
        self._due_ns = self._asked_ns = None

    def is_due(self, now_ns: int) -> bool:
        """Return whether a refresh is to be sent now."""
        return self._due_ns is not None and self._asked_ns is None and now_ns >= self._due_ns

    def sent(self, now_ns: int) -> None:
        """A refresh leaves."""
        self._asked_ns = now_ns

    def confirmed(self, now_ns: int) -> None:
        """The venue confirms the refresh under way: the window counts from when it was sent, the careful reading."""
        if self._asked_ns is None:
            return
        asked_ns, self._asked_ns = self._asked_ns, None
        self.fires_ns = asked_ns + self.window_ns
        if self.rule.refresh == "request" and now_ns >= self.fires_ns:
            self._doubt("the answer to a refresh came after its window", now_ns)
            return
        self.state = SwitchState.ARMED
        self.why = ""
        self.failures = 0
        self._due_ns = asked_ns + self.every_ns if self.rule.refresh == "request" else None

    def failed(self, why: str, now_ns: int) -> None:
        """The refresh under way was refused or could not be sent."""
        if self._due_ns is None and self._asked_ns is None:
            return
        self._asked_ns = None
        self._doubt(why, now_ns)

    def disconnected(self, now_ns: int) -> None:
        """The connection that it hangs on is gone: the venue may cancel, and must be asked anew after connecting."""
        if self.state != SwitchState.OFF:
            self._asked_ns = None
            self._due_ns = None
            self.state = SwitchState.DOUBTED
            self.why = "the connection is gone"
            self.fires_ns = now_ns + self.window_ns

    def tick(self, now_ns: int) -> None:
        """Let time pass: an answer that stays away is a failure."""
        if self._asked_ns is not None and now_ns >= self._asked_ns + self.answer_ns:
            self._asked_ns = None
            self._doubt(f"no answer to a refresh within {self.answer_ns / 1e9:g} s", now_ns)

    @property
    def deadline_ns(self) -> int | None:
        """When :meth:`tick` or a refresh is due next; None: nothing is awaited."""
        return self._asked_ns + self.answer_ns if self._asked_ns is not None else self._due_ns

    @property
    def must_pull(self) -> bool:
        """Whether quotes are to be pulled from here too; true until the venue has confirmed the switch."""
        return self.state in (SwitchState.ARMING, SwitchState.DOUBTED)

    def _doubt(self, why: str, now_ns: int) -> None:
        self.failures += 1
        self.state = SwitchState.DOUBTED
        self.why = f"the dead-man switch is in doubt: {why}"
        self._due_ns = now_ns + min(max(self.every_ns, SECOND), SECOND * self.failures)
