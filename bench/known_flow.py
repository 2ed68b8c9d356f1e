"""A market whose truth is known: the matching core's own order flow, and what became of probes that stood in it.

The flow is drawn once, without probes, and told on two tapes: order by order, and stripped to levels and prints. The
truth of a probe is another run of the core: the same book, the probe at the back of its level, the same commands.
Nobody reacts to one lot, so until it fills the two worlds are the same but for it.
"""

from __future__ import annotations

import attrs

from quotewright.kernel.codes import (
    BID,
    BUY,
    LEVEL_DELETE,
    LEVEL_SET,
    ORDER_ADD,
    ORDER_DELETE,
    ORDER_EXECUTE,
    SELL,
    TRADE,
    pack,
)
from quotewright.kernel.rows import TapeBuffer
from quotewright.model.instrument import Instrument
from quotewright.tape.tape import MemoryTape
from quotewright_simexchange.agents import Dice
from quotewright_simexchange.matching.codes import GTC, IOC, LIMIT, TRADED
from quotewright_simexchange.matching.core import MatchingCore

CANCELS = ("proportional", "tail", "front")
"""Which order of a level its cancels hit: any lot's, the newest, the oldest."""
INSTRUMENT = Instrument(
    name="KNOWN-TRUTH.perp@local", symbol="KNOWN", venue="local", kind="perp", base="KNOWN", quote="TRUTH",
    price_decimals=0, size_decimals=0,
)  # fmt: skip
MIDDLE = 10_000
LEVELS = 6
DEPTH = 240
"""About how many lots the flow keeps at each price."""
MEAN_WAIT_NS = 10_000_000
OTHERS, OURS = 0, 1

Command = tuple[int, int, int, int, int]
"""Side (0: a cancel), order id, price, lots, time in force."""


@attrs.frozen
class Probe:
    """One lot that joins after command *after* and, unless it fills, leaves after command *until*.

    ``filled`` is the command that filled it in truth, -1: none. ``ahead`` lots stood at its price before it.
    """

    number: int
    after: int
    until: int
    side: int
    price: int
    ahead: int
    filled: int


class Flow:
    """*count* commands of others from one seed, the two tapes of them, and probes every *every* commands."""

    def __init__(self, seed: int, cancels: str, count: int, every: int, patience: int) -> None:
        if cancels not in CANCELS:
            raise ValueError(f"cancels should be one of {', '.join(CANCELS)}, was {cancels!r}")
        self.dice = Dice(seed)
        self.cancels = cancels
        self.patience = patience
        self.core = MatchingCore()
        self.commands: list[Command] = []
        self.times: list[int] = []
        self.mids2: list[int] = []
        """Twice the mid after each command."""
        self.order_rows = TapeBuffer(4 * count)
        self.level_rows = TapeBuffer(4 * count)
        self.queues: dict[tuple[int, int], list[int]] = {}
        """Ids of the orders at each side and price, oldest first."""
        self.open: dict[int, int] = {}
        self.home: dict[int, tuple[int, int]] = {}
        self.now = 0
        self.taking = BUY
        self.probes: list[Probe] = []
        for _ in range(6):
            for away in range(1, LEVELS + 1):
                self.add(BUY, MIDDLE - away, 20 + self.dice.below(40))
                self.add(SELL, MIDDLE + away, 20 + self.dice.below(40))
        begun = len(self.commands)
        pending: list[tuple[int, int, int, int, list[tuple[int, int, int, int]]]] = []
        for number in range(count):
            self.act()
            if number % every == every - 1 and number + patience < count:
                place = number // every
                side = BUY if place % 2 else SELL
                away = (0, 0, 1, 2)[place // 2 % 4]
                bid, offer = self.core.best_bid(), self.core.best_offer()
                price = bid - away if side == BUY else offer + away
                pending.append((begun + number, side, price, self.core.size_at(side, price), self.book()))
        for place, (after, side, price, ahead, book) in enumerate(pending, 1):
            filled = self.truth(after, side, price, book)
            self.probes.append(Probe(place, after, after + patience, side, price, ahead, filled))

    # What the others do.

    def act(self) -> None:
        """Do one thing: take, add to a level, or cancel an order of one. Thin levels grow, thick ones shrink."""
        dice, core = self.dice, self.core
        bid, offer = core.best_bid(), core.best_offer()
        if dice.chance(25_000):
            self.taking = SELL if self.taking == BUY else BUY
        if dice.chance(200_000):
            side = self.taking if dice.chance(750_000) else BUY + SELL - self.taking
            size = 1 + dice.below(30) if dice.chance(850_000) else 40 + dice.below(160)
            limit, other = (offer + 1, SELL) if side == BUY else (bid - 1, BUY)
            # A remainder that nobody was left to fill would have met a probe, and no tape tells of it.
            there = core.size_at(other, limit) + core.size_at(other, offer if side == BUY else bid)
            self.take(side, limit, min(size, there))
            return
        side = BUY if dice.below(2) else SELL
        if offer - bid > 1 and dice.chance(300_000):
            self.add(side, bid + 1 if side == BUY else offer - 1, 5 + dice.below(30))
            return
        away = 0
        while away < LEVELS - 1 and dice.chance(550_000):
            away += 1
        price = bid - away if side == BUY else offer + away
        if dice.below(2 * DEPTH) >= core.size_at(side, price):
            self.add(side, price, 1 + dice.below(40))
        else:
            self.withdraw(side, price)

    def add(self, side: int, price: int, lots: int) -> None:
        number = len(self.commands)
        self.core.new(number, OTHERS, side, LIMIT, price, lots)
        self.queues.setdefault((side, price), []).append(number)
        self.open[number] = lots
        self.home[number] = (side, price)
        self.begin((side, number, price, lots, GTC))
        self.order_rows.append(self.now, self.now, price, lots, number, pack(ORDER_ADD, side, 0, 0))
        self.end()

    def withdraw(self, side: int, price: int) -> None:
        queue = self.queues[side, price]
        order = queue[-1] if self.cancels == "tail" else queue[0]
        if self.cancels == "proportional":
            lot = self.dice.below(sum(self.open[one] for one in queue))
            for order in queue:
                lot -= self.open[order]
                if lot < 0:
                    break
        self.core.cancel(order, OTHERS)
        self.forget(order)
        self.begin((0, order, 0, 0, 0))
        self.order_rows.append(self.now, self.now, 0, 0, order, pack(ORDER_DELETE, 0, 0, 0))
        self.end()

    def take(self, side: int, price: int, lots: int) -> None:
        number = len(self.commands)
        self.core.new(number, OTHERS, side, LIMIT, price, lots, IOC)
        self.begin((side, number, price, lots, IOC))
        now = self.now
        for kind, maker, _, at, size, *_ in self.core.events():
            if kind == TRADED:
                self.order_rows.append(now, now, 0, size, maker, pack(ORDER_EXECUTE, 0, 0, 0))
                self.level_rows.append(now, now, at, size, 0, pack(TRADE, side, 0, 0))
                self.open[maker] -= size
                if not self.open[maker]:
                    self.forget(maker)
        self.end()

    def forget(self, order: int) -> None:
        where = self.home.pop(order)
        del self.open[order]
        self.queues[where].remove(order)
        if not self.queues[where]:
            del self.queues[where]

    def begin(self, command: Command) -> None:
        self.commands.append(command)
        self.now += self.dice.wait(MEAN_WAIT_NS)
        self.times.append(self.now)

    def end(self) -> None:
        """Tell the levels that the command changed, and end its message on both tapes."""
        now = self.now
        for side, price, size, _ in self.core.changes():
            kind = LEVEL_SET if size else LEVEL_DELETE
            self.level_rows.append(now, now, price, size, 0, pack(kind, side, 0, 0))
        self.order_rows.mark_last()
        self.level_rows.mark_last()
        self.mids2.append(self.core.best_bid() + self.core.best_offer())

    def tape(self, is_by_order: bool) -> MemoryTape:
        """Return the market order by order, or stripped to levels and prints."""
        return MemoryTape((INSTRUMENT,), self.order_rows if is_by_order else self.level_rows)

    # The truth.

    def book(self) -> list[tuple[int, int, int, int]]:
        """Return the open orders as ``(id, side, price, open lots)``, at each price oldest first."""
        return [
            (order, side, price, self.open[order]) for (side, price), queue in self.queues.items() for order in queue
        ]

    def truth(self, after: int, side: int, price: int, book: list[tuple[int, int, int, int]]) -> int:
        """Return which command fills a probe in the core itself, -1 if none does within the patience."""
        core = MatchingCore()
        known = {}
        for number, (order, whose, at, lots) in enumerate(book):
            core.new(number, OTHERS, whose, LIMIT, at, lots)
            known[order] = number
        probe = len(book)
        core.new(probe, OURS, side, LIMIT, price, 1)
        new, cancel, leaves = core.new, core.cancel, core.leaves
        shift = probe + 1 - (after + 1)
        for number in range(after + 1, after + 1 + self.patience):
            whose, order, at, lots, tif = self.commands[number]
            local = order + shift if order > after else known[order]
            if whose:
                new(local, OTHERS, whose, LIMIT, at, lots, tif)
            else:
                cancel(local, OTHERS)
            if not leaves(probe):
                return number
        return -1


assert BID == BUY  # a level's side is that of the orders in it
