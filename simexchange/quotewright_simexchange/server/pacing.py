"""How fast the market's clock goes: real time, a multiple of it, as fast as possible, or stepped by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol, TypeAlias

from quotewright.errors import ConfigError

MS_NS = 1_000_000
LONGEST_NS = 100 * MS_NS
"""Of wall time that a market catches up with; what is more (a suspended machine, too high a speed) is skipped."""
SLICE_NS = 10 * MS_NS
"""Of market time that is run at once as fast as possible."""
BUDGET_NS = 5 * MS_NS
"""Wall time for which the market may run before sockets are looked at again."""

Speed: TypeAlias = float | Literal["max", "step"]


class MarketClock(Protocol):
    """What is paced: an exchange."""

    @property
    def now_ns(self) -> int: ...

    def advance(self, until_ns: int) -> None: ...


def speed_of(text: str) -> Speed:
    """Return the speed that *text* states: ``max``, ``step``, or a factor such as ``1`` or ``20x``.

    Raises:
        ConfigError: it is none of them.
    """
    if text in ("max", "step"):
        return "max" if text == "max" else "step"
    try:
        factor = float(text.removesuffix("x"))
    except ValueError:
        factor = -1.0
    if not 0 < factor <= 1e6:
        raise ConfigError(f"speed: should be max, step, or a factor such as 1 or 20x, was {text!r}")
    return factor


class Pacer:
    """Moves a market's clock along with wall time, which is given."""

    def __init__(self, market: MarketClock, speed: Speed = 1.0, *, wall_ns: int = 0) -> None:
        self.market = market
        self.speed = speed
        self.is_paused = False
        self.skipped_ns = 0
        """Wall time that the market did not catch up with."""
        self._last_ns = wall_ns

    @property
    def is_stepped(self) -> bool:
        return self.speed == "step" or self.is_paused

    def catch_up(self, wall_ns: int) -> None:
        """Bring the market to where it belongs at *wall_ns*."""
        passed = wall_ns - self._last_ns
        if passed <= 0:
            return
        self._last_ns = wall_ns
        if self.is_paused or isinstance(self.speed, str):
            return
        if passed > LONGEST_NS:
            self.skipped_ns += passed - LONGEST_NS
            passed = LONGEST_NS
        self.market.advance(self.market.now_ns + int(passed * self.speed))

    def turn(self, wall: Callable[[], int]) -> None:
        """Let the market run on, at most for a short time on the wall's clock."""
        if self.speed != "max" or self.is_paused:
            self.catch_up(wall())
            return
        until = wall() + BUDGET_NS
        while True:
            self.market.advance(self.market.now_ns + SLICE_NS)
            if wall() >= until:
                return

    def step(self, by_ns: int) -> None:
        """Let the market run for *by_ns* at once, whatever its speed.

        Raises:
            ConfigError: *by_ns* is negative.
        """
        if by_ns < 0:
            raise ConfigError(f"the market's clock cannot go back by {-by_ns} ns; give 0 or more")
        self.market.advance(self.market.now_ns + by_ns)
