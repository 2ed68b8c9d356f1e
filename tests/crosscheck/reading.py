"""A slow replay venue in plain Python, in which each rule can be switched from ours to hftbacktest's.

It shares no code with either. With no rule switched it must fill as our venue does, with all of them as hftbacktest
does, and what lies between proves which rule makes a difference: the fills of an order change when it is switched.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import attrs

from quotewright.kernel.codes import (
    BID,
    BUY,
    FLAG_SHIFT,
    LAST_BIT,
    LEVEL_DELETE,
    LEVEL_SET,
    NO_MARKET,
    OFFER,
    ROW_WORDS,
    SELL,
    SIDE_SHIFT,
    SNAPSHOT_BEGIN,
    TRADE,
)
from tests.crosscheck.fills import Fills, Model, gather
from tests.crosscheck.markets import Market
from tests.crosscheck.script import AMEND, ENTRY_NS, NEW, RESPONSE_NS, Command

RULES = {
    "print_to_each": "every own order at the price is given the whole print; ours share it in order of arrival",
    "prints_count_behind": "what printed since an order joined counts as behind it; in ours what printed since the "
    "last update is gone",
    "place_below_zero": "a decrease may put an order before the front of the queue, so that the next print fills more "
    "than it printed; ours stops at the front",
    "rounded_place": "what a print leaves for an order is rounded to the nearest lot; ours fills whole lots only",
    "beyond_depth": "a crossing GTC order fills whole, what is not displayed at its limit; ours rests with the rest",
    "taken_again": "what we took is there again at once; ours stays taken until the level is updated",
    "amended_quantity": "an amend's quantity is what is open, and never raises it; in ours it is the total",
    "amend_across": "a post-only order amended across the market ends; ours refuses the amend and stays",
    "snapshot_clears": "a snapshot empties the book first, so that our places only shrink to the new sizes; ours is an "
    "update of every level",
    "prints_outside": "prints outside the market (insurance fund) fill us; ours passes over them",
    "crossed_levels": "a level across the other side hides what it crosses, until that is told anew; ours shows both",
}
"""What hftbacktest does where ours does something else; the manual has a section for each."""

ALL = frozenset(RULES)
NONE_BID = -(1 << 62)
NONE_OFFER = 1 << 62
Step = tuple[int, Command | None, list[tuple[int, int, int, int, bool]]]


def steps(market: Market, commands: Sequence[Command]) -> list[Step]:
    """Return what happens at the venue, in order: messages ``(time, None, rows)`` and commands that arrive.

    Levels that no command could rest at or take from are left out: bids below the lowest price of any order, offers
    above the highest. Rows are ``(kind, side, price, size, is_outside)``.
    """
    prices = [command.price for command in commands if command.price]
    lowest, highest = min(prices), max(prices)
    tape = market.tape
    words, order = tape.rows.words, tape.event_order
    found: list[Step] = []
    arriving = list(commands)
    next_command = at = 0
    while at < len(order):
        first = order[at]
        last = first + 1
        at += 1
        while not words[last * ROW_WORDS - 1] & LAST_BIT and at < len(order) and order[at] == last:
            last += 1
            at += 1
        time = words[first * ROW_WORDS]
        while next_command < len(arriving) and arriving[next_command].at + ENTRY_NS < time:
            command = arriving[next_command]
            found.append((command.at + ENTRY_NS, command, []))
            next_command += 1
        rows = []
        for row in range(first, last):
            _, _, price, size, _, word = words[row * ROW_WORDS : row * ROW_WORDS + ROW_WORDS]
            kind, side = word & 255, (word >> SIDE_SHIFT) & 255
            if kind in (LEVEL_SET, LEVEL_DELETE):
                if price < lowest if side == BID else price > highest:
                    continue
                size = size if kind == LEVEL_SET else 0
                kind = LEVEL_SET
            elif kind not in (TRADE, SNAPSHOT_BEGIN):
                continue
            rows.append((kind, side, price, size, bool((word >> FLAG_SHIFT) & NO_MARKET)))
        if rows:
            found.append((time, None, rows))
    found += [(command.at + ENTRY_NS, command, []) for command in arriving[next_command:]]
    return found


@attrs.define(eq=False)
class Order:
    """One of our orders; ``front`` is the place in floats of the size's unit, ``ahead`` and ``part`` in steps."""

    number: int
    side: int
    price: int
    quantity: int
    leaves: int
    post_only: bool
    ahead: int = 0
    part: float = 0.0
    front: float = 0.0
    printed: int = 0
    history: list[tuple[int, int]] = attrs.Factory(list)

    def open_at(self, time: int) -> int:
        """Return what was open of it when last heard of before *time*."""
        known = self.quantity
        for since, leaves in self.history:
            if since + RESPONSE_NS <= time:
                known = leaves
        return known


@attrs.define(eq=False)
class Level:
    """A price at which we rest: what was displayed last, what printed since, and our orders in order of arrival."""

    displayed: int
    printed: int = 0
    orders: list[Order] = attrs.Factory(list)


class Reading:
    """One run of the venue. *switched* names the rules that are hftbacktest's."""

    def __init__(self, market: Market, model: Model, switched: frozenset[str] = frozenset()) -> None:
        assert switched <= ALL, f"no rules called {sorted(switched - ALL)}"
        self.model = model
        self.unit = 10.0**market.instrument.size_decimals
        self.lot = 10.0**-market.instrument.size_decimals
        self.each = "print_to_each" in switched
        self.count_behind = "prints_count_behind" in switched
        self.below_zero = "place_below_zero" in switched
        self.rounded = "rounded_place" in switched
        self.beyond = "beyond_depth" in switched
        self.again = "taken_again" in switched
        self.open_quantity = "amended_quantity" in switched
        self.across = "amend_across" in switched
        self.clears = "snapshot_clears" in switched
        self.outside = "prints_outside" in switched
        self.hides = "crossed_levels" in switched
        self.books: dict[int, dict[int, int]] = {BID: {}, OFFER: {}}
        self.taken: dict[int, dict[int, int]] = {BID: {}, OFFER: {}}
        self.levels: dict[int, dict[int, Level]] = {BID: {}, OFFER: {}}
        self.best = {BID: NONE_BID, OFFER: NONE_OFFER}
        self.orders: dict[int, Order] = {}
        self.executions: list[tuple[int, int, int, int]] = []
        self.now = 0

    def run(self, happenings: Sequence[Step]) -> Fills:
        """Let everything happen and return the fills."""
        for time, command, rows in happenings:
            self.now = time
            if command is None:
                self.message(rows)
            elif command.kind == NEW:
                self.place(command)
            elif command.order in self.orders:
                if command.kind == AMEND:
                    self.amend(self.orders[command.order], command)
                else:
                    self.end(self.orders[command.order])
        return gather(self.executions)

    # The market.

    def message(self, rows: list[tuple[int, int, int, int, bool]]) -> None:
        snapshot = False
        for kind, side, price, size, is_outside in rows:
            if kind == TRADE:
                if not is_outside or self.outside:
                    self.trade(side, price, size)
            elif kind == SNAPSHOT_BEGIN:
                snapshot = not self.clears
                self.books[BID].clear()
                self.books[OFFER].clear()
                self.taken[BID].clear()
                self.taken[OFFER].clear()
                self.best = {BID: NONE_BID, OFFER: NONE_OFFER}
            else:
                if snapshot:
                    if size:
                        self.books[side][price] = size
                        self.follow(side, price)
                    continue
                level = self.levels[side].get(price)
                if level is not None:
                    self.move(level, self.books[side].get(price, 0), size)
                self.taken[side].pop(price, None)
                best_before = self.best[side]
                if size:
                    self.books[side][price] = size
                    self.follow(side, price)
                    if not self.hides:
                        self.arrive(side, price)
                    elif price == self.best[side] and price != best_before:
                        self.rise(side, best_before, price)
                else:
                    self.books[side].pop(price, None)
                    if price == self.best[side]:
                        self.best[side] = self.next_best(side, price)
        if snapshot:
            for side in (BID, OFFER):
                for price, level in self.levels[side].items():
                    self.move(level, level.displayed, self.books[side].get(price, 0))
            for side, best in ((BID, max), (OFFER, min)):
                if self.books[side]:
                    self.arrive(side, best(self.books[side]))

    def follow(self, side: int, price: int) -> None:
        """Keep the best prices as hftbacktest does: a crossing level moves that of the other side behind itself."""
        if price > self.best[side] if side == BID else price < self.best[side]:
            self.best[side] = price
            if self.best[BID] >= self.best[OFFER]:
                other = OFFER if side == BID else BID
                self.best[other] = self.next_best(other, price)

    def next_best(self, side: int, price: int) -> int:
        """Return the best level of *side* beyond *price*."""
        if side == BID:
            return max((level for level in self.books[BID] if level < price), default=NONE_BID)
        return min((level for level in self.books[OFFER] if level > price), default=NONE_OFFER)

    def rise(self, side: int, before: int, price: int) -> None:
        """Fill what the best price of *side* reached on its way, as hftbacktest looks for it."""
        levels = self.levels[OFFER if side == BID else BID]
        is_far = before in (NONE_BID, NONE_OFFER) or self.resting() < abs(price - before)
        for own in list(levels):
            reached = own <= price if side == BID else own >= price
            if reached and (is_far or (own > before if side == BID else own < before)):
                self.fill_whole(levels[own])

    def resting(self) -> int:
        """Return how many orders rest."""
        return sum(len(level.orders) for levels in self.levels.values() for level in levels.values())

    def arrive(self, side: int, price: int) -> None:
        """Fill our orders that displayed quantity of the other *side* reaches."""
        levels = self.levels[OFFER if side == BID else BID]
        for own in [own for own in levels if (own <= price if side == BID else own >= price)]:
            self.fill_whole(levels[own])

    def fill_whole(self, level: Level) -> None:
        for order in list(level.orders):
            self.fill(order, order.price, order.leaves)

    def trade(self, taker: int, price: int, size: int) -> None:
        if taker not in (BUY, SELL):
            return
        levels = self.levels[BID if taker == SELL else OFFER]
        best = self.best[OFFER if taker == SELL else BID]
        is_far = best in (NONE_BID, NONE_OFFER) or self.resting() < abs(price - best)
        for own in sorted(levels, reverse=taker == SELL):
            if self.hides and not is_far and (own >= best if taker == SELL else own <= best):
                continue
            if own == price:
                self.print_at(levels[own], size)
            elif own > price if taker == SELL else own < price:
                self.fill_whole(levels[own])

    def print_at(self, level: Level, size: int) -> None:
        """Let a print at the price of *level* take from what stands ahead, and then from us."""
        level.printed += size
        given = 0
        for order in list(level.orders):
            order.printed += size
            if self.rounded:
                order.front -= size / self.unit
                lots = rounded(-order.front / self.lot)
                if lots <= 0:
                    continue
                order.front = 0.0
            else:
                lots = size - order.ahead
                if lots <= 0:
                    order.ahead -= size
                    continue
                if order.part > 0.0:
                    lots -= 1
                order.ahead, order.part = 0, 0.0
            lots = min(lots if self.each else lots - given, order.leaves)
            if lots > 0:
                given += lots
                self.fill(order, order.price, lots)

    def move(self, level: Level, before: int, size: int) -> None:
        """Move our places as the displayed size of their level becomes *size*."""
        level_printed = level.printed
        level.displayed, level.printed = size, 0
        for order in level.orders:
            printed = order.printed if self.count_behind else level_printed
            order.printed = 0
            gone = before - printed - size
            if self.rounded:
                self.move_front(order, before, printed, size)
                continue
            if gone > 0 and (order.ahead or order.part):
                place = order.ahead + order.part
                behind = before - place if self.count_behind else before - printed - place
                behind = max(behind, 0.0)
                share = self.share(place / self.unit, behind / self.unit)
                if share < 1.0:
                    place += min(behind - share * gone, 0.0) - (1.0 - share) * gone
                    if not self.below_zero:
                        place = max(place, 0.0)
                    order.ahead = math.floor(place)
                    order.part = place - order.ahead
                    if order.part > 0.999999:
                        order.ahead, order.part = order.ahead + 1, 0.0
                    elif order.part < 0.000001:
                        order.part = 0.0
            if order.ahead >= size:
                order.ahead, order.part = size, 0.0

    def move_front(self, order: Order, before: int, printed: int, size: int) -> None:
        """Do the same in floats, as hftbacktest does it."""
        change = before / self.unit - size / self.unit - printed / self.unit
        new = size / self.unit
        if self.model.f and change >= 0.0:
            front = order.front
            behind = before / self.unit - front
            if not self.count_behind:
                behind = max(behind - printed / self.unit, 0.0)
            share = self.share(front, behind)
            if not math.isnan(share):
                share = 1.0 if math.isinf(share) else share
                front = front - (1.0 - share) * change + min(behind - share * change, 0.0)
                order.front = min(front, new)
            else:
                order.front = new
        else:
            order.front = min(order.front, new)
        if not self.below_zero:
            order.front = max(order.front, 0.0)

    def share(self, ahead: float, behind: float) -> float:
        """Return the share of a decrease that happened behind us."""
        form = self.model.form
        if not self.model.f:
            return 1.0
        try:
            if form == 1:
                return self.f(behind) / (self.f(behind) + self.f(ahead))
            if form == 2:
                return self.f(behind) / self.f(behind + ahead)
            return 1.0 - self.f(ahead / (ahead + behind))
        except (ZeroDivisionError, ValueError):
            return math.nan

    def f(self, quantity: float) -> float:
        if self.model.f == "power":
            return math.pow(quantity, self.model.exponent)
        return math.log(1.0 + quantity) if self.rounded else math.log1p(quantity)

    # Our orders.

    def fill(self, order: Order, price: int, lots: int) -> None:
        order.leaves -= lots
        order.history.append((self.now, order.leaves))
        self.executions.append((order.number, self.now, price, lots))
        if order.leaves == 0:
            self.end(order)

    def end(self, order: Order) -> None:
        self.orders.pop(order.number, None)
        self.leave(order)

    def leave(self, order: Order) -> None:
        levels = self.levels[order.side]
        level = levels.get(order.price)
        if level is not None and order in level.orders:
            level.orders.remove(order)
            if not level.orders:
                del levels[order.price]

    def opposite(self, side: int, price: int) -> list[tuple[int, int]]:
        """Return the displayed levels that an order may take from, best first, with what is left of each."""
        side = OFFER if side == BUY else BID
        book, taken = self.books[side], self.taken[side]
        inside = sorted(level for level in book if (level <= price if side == OFFER else level >= price))
        if self.hides:
            inside = [
                level for level in inside if (level >= self.best[OFFER] if side == OFFER else level <= self.best[BID])
            ]
        if side == BID:
            inside.reverse()
        return [(level, book[level] - (0 if self.again else taken.get(level, 0))) for level in inside]

    def is_crossing(self, side: int, price: int) -> bool:
        return any(left > 0 for _, left in self.opposite(side, price))

    def place(self, command: Command) -> None:
        if command.post_only and self.is_crossing(command.side, command.price):
            return
        order = Order(command.order, command.side, command.price, command.quantity, command.quantity, command.post_only)
        self.orders[order.number] = order
        self.take_and_rest(order, not command.immediate)

    def take_and_rest(self, order: Order, may_rest: bool) -> None:
        side = OFFER if order.side == BUY else BID
        took = False
        for price, left in self.opposite(order.side, order.price):
            lots = min(left, order.leaves)
            if lots > 0:
                took = True
                self.taken[side][price] = self.taken[side].get(price, 0) + lots
                self.fill(order, price, lots)
            if order.leaves == 0:
                return
        if not may_rest:
            self.end(order)
        elif took and self.beyond:
            self.fill(order, order.price, order.leaves)
        else:
            self.rest(order)

    def rest(self, order: Order) -> None:
        displayed = self.books[order.side].get(order.price, 0)
        level = self.levels[order.side].setdefault(order.price, Level(displayed))
        level.orders.append(order)
        order.ahead, order.part, order.printed = displayed, 0.0, 0
        order.front = displayed / self.unit

    def amend(self, order: Order, command: Command) -> None:
        filled = order.quantity - order.leaves
        if self.open_quantity:
            keeps = command.price == order.price and command.quantity <= order.leaves
            leaves = command.quantity if keeps else order.open_at(command.at)
            quantity = command.quantity if keeps else order.quantity
        else:
            if command.quantity <= filled:
                self.end(order)
                return
            keeps = command.price == order.price and command.quantity <= order.quantity
            leaves, quantity = command.quantity - filled, command.quantity
        if not keeps and order.post_only and self.is_crossing(order.side, command.price):
            if self.across:
                self.end(order)
            return
        if not keeps:
            self.leave(order)
        order.price, order.quantity, order.leaves = command.price, quantity, leaves
        order.history.append((self.now, leaves))
        if not keeps:
            self.take_and_rest(order, True)


def rounded(value: float) -> int:
    """Return the nearest whole number, halves away from zero."""
    return math.floor(value + 0.5) if value >= 0 else math.ceil(value - 0.5)
