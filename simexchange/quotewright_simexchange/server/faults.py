"""What may go wrong between a client and a door: rules, drawn from a seed or commanded one by one, and counted."""

from __future__ import annotations

import random
from collections import deque
from typing import Literal

import attrs

from quotewright.errors import InputError

MS_NS = 1_000_000
TOLD = 1_000
Place = Literal["http", "in", "out", "connect"]
"""A request with its answer, a frame from the client, a frame to the client, a handshake."""
PLACES: dict[str, tuple[Place, ...]] = {
    "drop": ("http", "in", "out"),
    "delay": ("http", "out"),
    "duplicate": ("http", "in", "out"),
    "reorder": ("http", "out"),
    "corrupt": ("http", "out"),
    "gap": ("out",),
    "disconnect": ("http", "in", "out", "connect"),
    "half_open": ("http", "in", "out"),
    "429": ("http", "connect"),
    "418": ("http", "connect"),
    "5xx": ("http", "connect"),
    "outage": ("http", "in", "out", "connect"),
    "lost_ack": ("http", "in"),
    "late_fill": ("out",),
    "ack_after_fill": ("http", "in"),
}
"""Every kind of fault, with where it may happen."""
KINDS = tuple(PLACES)
STATUS = {"429": 429, "418": 418, "5xx": 503}
OF_WRITES = ("lost_ack", "ack_after_fill")
"""These strike requests that change something: not GET."""


@attrs.define(kw_only=True)
class Fault:
    """A rule: what goes wrong, where, how often. It strikes a message that fits it with *chance*, *times* times."""

    kind: str
    where: str = ""
    """One of ``http``, ``in``, ``out``, ``connect``; empty: wherever the kind may happen."""
    door: str = ""
    """Only at this door."""
    match: str = ""
    """Only where this stands in ``METHOD /path?query``, in the frame, or in the path of a handshake."""
    client: str = ""
    """Only of clients from this address."""
    chance: float = 1.0
    times: int = 1
    """How often it strikes before it is forgotten; 0: for ever."""
    delay_ns: int = 200 * MS_NS
    """How long things are held back, or an outage lasts."""
    frames: int = 3
    """How many frames a gap swallows."""
    status: int = 0
    """Of a ``5xx``: which; 0: 503."""
    is_done: bool = False
    """Of a ``5xx``: the request is carried out before it is answered so."""
    retry_after: int = 1
    """Seconds that a 429 or 418 tells."""
    number: int = 0

    def __attrs_post_init__(self) -> None:
        if self.kind not in PLACES:
            raise InputError(f"fault: kind should be one of {', '.join(KINDS)}, was {self.kind!r}")
        if self.where and self.where not in PLACES[self.kind]:
            raise InputError(
                f"fault {self.kind}: where should be one of {', '.join(PLACES[self.kind])}, was {self.where!r}"
            )
        if not 0 < self.chance <= 1:
            raise InputError(f"fault {self.kind}: chance should be above 0 and at most 1, was {self.chance}")
        if self.times < 0 or self.delay_ns < 0 or self.frames < 1:
            raise InputError(f"fault {self.kind}: times and delay should be 0 or more, frames 1 or more")
        if self.status and not 500 <= self.status <= 599:
            raise InputError(f"fault {self.kind}: status should be from 500 to 599, was {self.status}")

    @property
    def places(self) -> tuple[str, ...]:
        if self.where:
            return (self.where,)
        # Which frames are writes only their dialect knows: frames are struck where that is asked for.
        return ("http",) if self.kind in OF_WRITES else PLACES[self.kind]

    @property
    def answer_status(self) -> int:
        return self.status or STATUS[self.kind]


class Faults:
    """The rules of one server or world, with their random numbers and counts; doors ask it about every message."""

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed
        self.random = random.Random(f"faults {seed}")
        self.rules: list[Fault] = []
        self.counts: dict[str, int] = dict.fromkeys(KINDS, 0)
        """How often each kind has struck."""
        self.told: deque[tuple[int, str, str, str]] = deque(maxlen=TOLD)
        """The newest that struck: (door clock, kind, door, what it struck)."""
        self.out_until_ns = 0
        """Until when an outage lasts."""
        self._numbers = 0

    def add(self, fault: Fault) -> int:
        """Let *fault* strike from now on and return its number."""
        self._numbers += 1
        fault.number = self._numbers
        self.rules.append(fault)
        return fault.number

    def remove(self, number: int) -> bool:
        """Forget a rule; False if it is not there (any more)."""
        before = len(self.rules)
        self.rules = [rule for rule in self.rules if rule.number != number]
        return len(self.rules) < before

    def is_out(self, now_ns: int) -> bool:
        """Return whether an outage is on."""
        return now_ns < self.out_until_ns

    def pick(
        self,
        where: Place,
        door: str,
        what: bytes,
        client: str,
        now_ns: int,
        *,
        is_write: bool = True,
        is_private: bool = False,
    ) -> Fault | None:
        """Return the first rule that strikes a message, counted; None if it goes through unharmed."""
        for rule in self.rules:
            if where not in rule.places or (rule.door and rule.door != door) or (rule.client and rule.client != client):
                continue
            if (rule.kind in OF_WRITES and not is_write) or (rule.kind == "late_fill" and not is_private):
                continue
            if rule.match and rule.match.encode() not in what:
                continue
            if rule.chance < 1 and self.random.random() >= rule.chance:
                continue
            if rule.times:
                rule.times -= 1
                if not rule.times:
                    self.rules.remove(rule)
            self.count(rule.kind, door, what, now_ns)
            return rule
        return None

    def count(self, kind: str, door: str, what: bytes, now_ns: int) -> None:
        """Note that a fault struck; what was sent with a query is told without it, since that may be signed."""
        self.counts[kind] += 1
        self.told.append((now_ns, kind, door, what.split(b"?", 1)[0][:120].decode("ascii", "replace")))

    def clear(self) -> None:
        """Forget all rules; no outage is on any more."""
        self.rules.clear()
        self.out_until_ns = 0


def spoiled(data: bytes, source: random.Random) -> bytes:
    """Return *data* made unreadable: cut off before its end, or with a NUL somewhere."""
    if not data:
        return b"\0"
    place = source.randrange(len(data))
    return data[:place] if place and source.random() < 0.5 else data[:place] + b"\0" + data[place + 1 :]
