"""Seeded agents that make a lively market: makers who quote, takers who know something, and noise.

Everything is drawn from one generator in one order, and in whole numbers, so that a seed gives the same market on every
platform and Python.
"""

from __future__ import annotations

import heapq
import math
import random
from typing import TYPE_CHECKING

import attrs

from quotewright.config.units import Bps, Duration
from quotewright.kernel.codes import BUY, SELL
from quotewright.plugin.settings import at_least, between, configured, not_negative, positive, setting

if TYPE_CHECKING:
    from collections.abc import Callable

SECOND = 1_000_000_000
_PARTS = 4096
_WAITS = tuple(round(-math.log((part + 0.5) / _PARTS) * 1_000_000) for part in range(_PARTS))
"""Quantiles of a waiting time with mean one, in millionths."""
FAIR = 1000
"""The fair value is kept in thousandths of a tick."""


@configured
class MarketSettings:
    """How lively the market is. Rates are per second of market time."""

    makers: int = setting(
        default=4, doc="market makers that quote around what they believe is fair", check=between(1, 64)
    )
    maker_levels: int = setting(default=6, doc="levels each maker quotes on a side", check=between(1, 50))
    maker_rate: float = setting(default=12.0, doc="quotes renewed per maker", check=positive)
    half_spread: Bps = setting(
        default="2 bps", doc="distance of a maker's first level from the fair value", check=positive
    )
    takers: float = setting(default=3.0, doc="orders that take", check=not_negative)
    informed: float = setting(default=0.25, doc="share of takers who know the fair value", check=between(0, 1))
    noise: float = setting(default=8.0, doc="orders placed at random near the touch", check=not_negative)
    noise_life: Duration = setting(default="4s", doc="mean life of a noise order", check=at_least(1))
    volatility: Bps = setting(default="1.2 bps", doc="move of the fair value per root second", check=not_negative)
    size: float = setting(default=0.02, doc="typical size of an order in base units", check=positive)
    move_every: Duration = setting(default="50ms", doc="how often the fair value moves", check=at_least(1))
    delay: Duration = setting(default="40ms", doc="how long makers take to learn of a move", check=at_least(0))
    shared: int = setting(
        default=0,
        doc="markets with one such number share a fair value, each strays from it; 0: its own",
        check=at_least(0),
    )
    stray: Bps = setting(default="3 bps", doc="how far a market strays from a shared fair value", check=not_negative)
    stray_for: Duration = setting(default="5s", doc="how long it takes to find back", check=at_least(1))


class Dice:
    """Draws whole numbers from one seeded generator; only its ``random()`` is used, which no Python version changes."""

    def __init__(self, seed: int) -> None:
        self._draw = random.Random(seed).random

    def below(self, bound: int) -> int:
        """Return a whole number in ``[0, bound)``."""
        return int(self._draw() * bound)

    def chance(self, per_million: int) -> bool:
        """Return True that many times in a million."""
        return self.below(1_000_000) < per_million

    def wait(self, mean_ns: int) -> int:
        """Return a waiting time without memory, at least 1 ns."""
        return 1 + mean_ns * _WAITS[self.below(_PARTS)] // 1_000_000 + self.below(1000)

    def normal(self, deviation: int) -> int:
        """Return a number around zero with this standard deviation: twelve dice, as bell-shaped as is needed here."""
        total = sum(self.below(1_000_001) for _ in range(12)) - 6_000_000
        return total * deviation // 1_000_000


@attrs.define
class _Quote:
    """One order of an agent that may still rest."""

    order_id: int
    side: int
    price_ticks: int


class Agents:
    """All agents of one instrument. They act through callbacks on the exchange, at times from their own queue.

    *place* takes ``(account, side, price_ticks or 0, lots, immediate, post_only)`` and returns an order id, or -1 if
    nothing rests; *cancel* takes ``(account, order_id)``; *touch* returns best bid and offer in ticks, 0 for none.
    """

    FIRST_ACCOUNT = 1

    def __init__(
        self,
        settings: MarketSettings,
        seed: int,
        start_ns: int,
        fair_ticks: int,
        lots_per_size: int,
        place: Callable[[int, int, int, int, bool, bool], int],
        cancel: Callable[[int, int], None],
        touch: Callable[[], tuple[int, int]],
    ) -> None:
        self.settings = settings
        self.dice = Dice(seed)
        self.fair = fair_ticks * FAIR
        self.known = self.fair
        self.lots = max(1, lots_per_size)
        self.place = place
        self.cancel = cancel
        self.touch = touch
        self.start_fair = self.fair
        self.drift = 0
        self.taker_account = self.FIRST_ACCOUNT + settings.makers
        self.noise_account = self.taker_account + 1
        self.quotes: list[list[_Quote | None]] = [[None] * (2 * settings.maker_levels) for _ in range(settings.makers)]
        self.queue: list[tuple[int, int, int, int]] = []
        self._number = 0
        steps_per_second = SECOND / int(settings.move_every)
        per_step = float(settings.volatility) * 1e-4 / math.sqrt(steps_per_second)
        self._deviation = int(fair_ticks * FAIR * per_step)
        self._common = Dice(settings.shared) if settings.shared else self.dice
        self._aside = 0
        self._pull = max(1, int(settings.stray_for) // int(settings.move_every))
        strays = float(settings.stray) * 1e-4 * math.sqrt(2 / self._pull) if settings.shared else 0.0
        self._stray = int(fair_ticks * FAIR * strays)
        self._half = max(1, int(fair_ticks * float(settings.half_spread.fraction)))
        self._maker_wait = int(SECOND / settings.maker_rate)
        self._taker_wait = int(SECOND / settings.takers) if settings.takers > 0 else 0
        self._noise_wait = int(SECOND / settings.noise) if settings.noise > 0 else 0
        self._informed = int(settings.informed * 1_000_000)
        self._open(start_ns)

    MOVE = 0
    LEARN = 1
    QUOTE = 2
    TAKE = 3
    NOISE = 4
    LEAVE = 5

    @property
    def next_ns(self) -> int:
        return self.queue[0][0]

    def act(self) -> None:
        """Let whoever is next act."""
        now_ns, _, what, value = heapq.heappop(self.queue)
        if what == self.MOVE:
            self._move(now_ns)
        elif what == self.LEARN:
            self.known = value
        elif what == self.QUOTE:
            self._quote(value, self.dice.below(2 * self.settings.maker_levels))
            self._later(now_ns + self.dice.wait(self._maker_wait), self.QUOTE, value)
        elif what == self.TAKE:
            self._take()
            self._later(now_ns + self.dice.wait(self._taker_wait), self.TAKE, 0)
        elif what == self.NOISE:
            self._noise(now_ns)
            self._later(now_ns + self.dice.wait(self._noise_wait), self.NOISE, 0)
        else:
            self.cancel(self.noise_account, value)

    def _later(self, at_ns: int, what: int, value: int) -> None:
        self._number += 1
        heapq.heappush(self.queue, (at_ns, self._number, what, value))

    def _open(self, now_ns: int) -> None:
        """Fill the book once, then let everybody come when their time comes."""
        for maker in range(self.settings.makers):
            for slot in range(2 * self.settings.maker_levels):
                self._quote(maker, slot)
            self._later(now_ns + self.dice.wait(self._maker_wait), self.QUOTE, maker)
        self._later(now_ns + int(self.settings.move_every), self.MOVE, 0)
        if self._taker_wait:
            self._later(now_ns + self.dice.wait(self._taker_wait), self.TAKE, 0)
        if self._noise_wait:
            self._later(now_ns + self.dice.wait(self._noise_wait), self.NOISE, 0)

    def _move(self, now_ns: int) -> None:
        """Move the fair value: a walk with a little momentum, drawn gently back to where it began.

        A shared fair value takes the same steps in every market; what a market strays from it is drawn back to it.
        """
        step = self._common.normal(self._deviation)
        self.drift = self.drift * 7 // 10 + step * 3 // 10
        common = self.fair - self._aside
        common += step + self.drift + (self.start_fair - common) // 20_000
        common = max(common, self.start_fair // 4)
        if self._stray:
            self._aside += self.dice.normal(self._stray) - self._aside // self._pull
        self.fair = common + self._aside
        self._later(now_ns + int(self.settings.delay), self.LEARN, self.fair)
        self._later(now_ns + int(self.settings.move_every), self.MOVE, 0)

    def _size(self) -> int:
        """Return a size in lots: mostly small, now and then ten times that."""
        lots = 1 + self.lots * (20 + self.dice.below(180)) // 100
        return lots * 8 if self.dice.chance(40_000) else lots

    def _quote(self, maker: int, slot: int) -> None:
        """Renew one level of one maker."""
        old = self.quotes[maker][slot]
        if old is not None:
            self.cancel(self.FIRST_ACCOUNT + maker, old.order_id)
        side = BUY if slot % 2 == 0 else SELL
        level = slot // 2
        half = self._half + self._half * level * 6 // 10 + self.dice.below(self._half + 1) // 2
        lean = self.dice.normal(max(1, self._half // 5))
        fair_ticks = self.known // FAIR + lean
        price = fair_ticks - half if side == BUY else fair_ticks + half
        lots = self._size() * (2 + level)
        order_id = self.place(self.FIRST_ACCOUNT + maker, side, max(1, price), lots, False, True)
        self.quotes[maker][slot] = _Quote(order_id, side, price) if order_id >= 0 else None

    def _take(self) -> None:
        """Take from the touch: the informed towards the fair value if it pays, the others either way."""
        bid, offer = self.touch()
        if not bid or not offer:
            return
        if self.dice.chance(self._informed):
            if self.fair > offer * FAIR:
                side = BUY
            elif self.fair < bid * FAIR:
                side = SELL
            else:
                return
        else:
            side = BUY if self.dice.below(2) else SELL
        reach = self.dice.below(self._half + 1)
        limit = offer + reach if side == BUY else max(1, bid - reach)
        self.place(self.taker_account, side, limit, self._size(), True, False)

    def _noise(self, now_ns: int) -> None:
        """Place a small order near the touch and let it live for a while."""
        bid, offer = self.touch()
        if not bid or not offer:
            return
        side = BUY if self.dice.below(2) else SELL
        away = self.dice.below(2 * self._half + 1) - self._half // 4
        price = max(1, bid - away) if side == BUY else offer + away
        order_id = self.place(self.noise_account, side, price, self._size(), False, False)
        if order_id >= 0:
            self._later(now_ns + self.dice.wait(int(self.settings.noise_life)), self.LEAVE, order_id)
