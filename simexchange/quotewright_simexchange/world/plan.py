"""What a seed draws for its world: delays, the market, and which faults strike how often."""

from __future__ import annotations

import random
from typing import Any

import attrs

from quotewright_simexchange.server.faults import KINDS, PLACES, Fault

MS_NS = 1_000_000
SECOND_NS = 1_000_000_000
MARKETS = ("calm", "trending", "thin", "gapping", "halting")
MOST_KINDS = 6
LONGEST_FEW_NS = 3 * SECOND_NS
RARE = ("half_open", "outage", "418")
"""What costs a connection or everything for a while strikes seldom, or nothing else would be seen."""
FRAME_CHANCES = (0.004, 0.015, 0.05)
REQUEST_CHANCES = (0.1, 0.25, 0.5)
CONNECT_CHANCES = (0.1, 0.3)


@attrs.frozen(kw_only=True)
class Strike:
    """One rule of a plan: a kind of fault at one place."""

    kind: str
    where: str
    chance: float
    match: str
    delay_ns: int
    frames: int
    retry_after: int
    status: int
    is_done: bool

    def fault(self) -> Fault:
        """Return the rule as doors know it."""
        return Fault(
            kind=self.kind,
            where=self.where,
            match=self.match,
            chance=self.chance,
            times=0,
            delay_ns=self.delay_ns,
            frames=self.frames,
            retry_after=self.retry_after,
            status=self.status,
            is_done=self.is_done,
        )


@attrs.frozen(kw_only=True)
class Plan:
    """One world, before it begins. Everything in it follows from the seed."""

    seed: int
    span_ns: int
    """From the start to the end of the faults and a calm stretch after them."""
    market: str
    up_ns: int
    """Least delay from the client to the venue; *down_ns* the other way, *jitter_ns* the mean of what is added."""
    down_ns: int
    jitter_ns: int
    strikes: tuple[Strike, ...]

    @property
    def warm_ns(self) -> int:
        """How long nothing goes wrong at first."""
        return min(self.span_ns // 5, 10 * SECOND_NS)

    @property
    def faults_ns(self) -> int:
        """When the faults end."""
        return self.span_ns * 4 // 5

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of faults that may strike."""
        return tuple(kind for kind in KINDS if any(strike.kind == kind for strike in self.strikes))

    def only(self, kinds: tuple[str, ...]) -> Plan:
        """Return the plan with no other kinds of faults than these; all else stays as it was drawn."""
        return attrs.evolve(self, strikes=tuple(strike for strike in self.strikes if strike.kind in kinds))

    def lasting(self, span_ns: int) -> Plan:
        """Return the plan with another span."""
        return attrs.evolve(self, span_ns=span_ns)

    def as_json(self) -> dict[str, Any]:
        """Return it fit for JSON."""
        return {
            "seed": self.seed,
            "seconds": self.span_ns / SECOND_NS,
            "market": self.market,
            "delay_ms": [self.up_ns / MS_NS, self.down_ns / MS_NS, self.jitter_ns / MS_NS],
            "faults": [f"{strike.kind} {strike.where} {strike.chance:g}" for strike in self.strikes],
        }


class Draw:
    """Draws from one seeded generator by ``random()`` alone, which no Python version changes."""

    def __init__(self, name: str) -> None:
        self.random = random.Random(name).random

    def below(self, bound: int) -> int:
        """Return a whole number in ``[0, bound)``."""
        return int(self.random() * bound)

    def between(self, least: int, most: int) -> int:
        """Return a whole number from *least* to *most*."""
        return least + self.below(most - least + 1)

    def one(self, values: Any) -> Any:
        """Return one of *values*."""
        return values[self.below(len(values))]

    def some(self, values: tuple[str, ...], count: int) -> list[str]:
        """Return *count* different ones of *values*, in their own order."""
        left = list(values)
        while len(left) > count:
            del left[self.below(len(left))]
        return left


def drawn(seed: int, span_ns: int) -> Plan:
    """Return the plan of *seed*: few kinds of faults at high rates, or many at low ones."""
    draw = Draw(f"chaos {seed}")
    count = draw.between(1, MOST_KINDS)
    kinds = draw.some(KINDS, count)
    strikes = []
    for kind in kinds:
        places = draw.some(PLACES[kind], draw.between(1, len(PLACES[kind])))
        for where in places:
            chances = {"connect": CONNECT_CHANCES, "http": REQUEST_CHANCES}.get(where, FRAME_CHANCES)
            chance = draw.one(chances) * (2 if count <= 2 else 1)
            if kind in RARE:
                chance /= 10
            # A request that is written twice onto the wire is no fault that TCP and TLS let happen: only questions are.
            match = {"http": "GET ", "in": "SUBSCRI"}.get(where, "") if kind == "duplicate" else ""
            # A venue that says that it was not done has not done it: 503 and limits are clear answers, others are none.
            is_done = kind == "5xx" and draw.below(2) == 1
            status = draw.one((500, 502, 504) if is_done else (500, 502, 503, 504)) if kind == "5xx" else 0
            strikes.append(
                Strike(
                    kind=kind,
                    where=where,
                    chance=chance,
                    match=match,
                    delay_ns=draw.between(20 * MS_NS, draw.one((200 * MS_NS, SECOND_NS, LONGEST_FEW_NS))),
                    frames=draw.between(1, 5),
                    retry_after=draw.between(1, 3),
                    status=status,
                    is_done=is_done,
                )
            )
    return Plan(
        seed=seed,
        span_ns=span_ns,
        market=draw.one(MARKETS),
        up_ns=draw.between(MS_NS // 5, draw.one((2 * MS_NS, 20 * MS_NS, 120 * MS_NS))),
        down_ns=draw.between(MS_NS // 5, draw.one((2 * MS_NS, 20 * MS_NS, 120 * MS_NS))),
        jitter_ns=draw.between(0, draw.one((MS_NS, 10 * MS_NS, 60 * MS_NS))),
        strikes=tuple(strikes),
    )
