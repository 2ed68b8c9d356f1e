"""Orders that wait for a price or a time, and the prices they are measured against: last, mark, index, reference."""

from __future__ import annotations

from heapq import heapify, heappop, heappush

from quotewright.kernel.codes import BUY
from quotewright_simexchange.matching.accounts import RATE_UNIT, REFERENCE_UNIT
from quotewright_simexchange.matching.book import OrderBook
from quotewright_simexchange.matching.codes import (
    BAND,
    BY_POINTS,
    BY_SHARE,
    ELECTED,
    F_GTD,
    INDEX,
    LAST,
    MARK,
    MOST,
    RANGE,
    REF,
    WAITING,
)
from quotewright_simexchange.matching.levels import zeros

BEYOND = MOST + 1
SPARE = 32
"""Dead entries a heap may hold beside as many as there are live ones."""


class ConditionalBook(OrderBook):
    """The book, the orders that wait beside it, and the price rules that follow a reference.

    A waiting order stands in the heap of its *slot*: twice the code of its reference price, plus 1 if it waits for a
    price at or below its trigger. ``aims`` holds the nearest trigger of each slot (negated where downward), so that a
    price that elects nothing costs a comparison. What left a heap otherwise is dropped when it comes to the top.

    Reference prices other than the last trade need no grid: their floor and ceiling in steps decide about triggers,
    the exact number, in REFERENCE_UNIT parts of a step, about bounds.
    """

    def __init__(self, tick_steps: int = 1, window: int = 4096) -> None:
        super().__init__(tick_steps, window)
        self.last_price = 0
        self.now = 0
        self.exact: list[int | None] = [None, None, None, None]
        self.reaches = zeros(6)
        self.aims = zeros(6)
        for slot in range(6):
            self.reaches[slot] = -BEYOND
            self.aims[slot] = BEYOND
        self.heaps: list[list[tuple[int, int, int]]] = [[], [], [], [], [], []]
        self.slot_counts = zeros(6)
        self.waiting_count = 0
        self.elected_first = 0
        self.elected_last = 0
        self.expiries: list[tuple[int, int, int]] = []
        self.expiry_room = SPARE

        self.rule_on = zeros(2)
        self.rule_source = zeros(2)
        self.rule_seen = zeros(2)
        self.shares: list[int | None] = [None] * 8
        self.bounds = zeros(8)
        self.protection = 0
        self.protection_of_last = False
        self.protection_rests = False
        self.protection_size: int = 0

    # Reference prices.

    def reference(self, source: int) -> int | None:
        """Return a reference price in REFERENCE_UNIT parts of a step; None: there was none yet."""
        if source == LAST:
            return self.last_price * REFERENCE_UNIT if self.last_price else None
        return self.exact[source]

    def _set_reference(self, source: int, price: int) -> bool:
        """Take a reference price other than the last trade and elect the orders it meets."""
        self.exact[source] = price
        for rule in (BAND, RANGE):
            if self.rule_source[rule] == source:
                self.rule_seen[rule] = -1
        if source != REF:
            self.reaches[2 * source] = max(-BEYOND, min(price // REFERENCE_UNIT, MOST))
            self.reaches[2 * source + 1] = max(-BEYOND, min(-price // REFERENCE_UNIT, MOST))
            self._elect(source)
        return True

    def _print(self, price: int) -> bool:
        """Take the price of a trade as the last one and elect the orders it meets."""
        self.last_price = price
        self.reaches[0] = price
        self.reaches[1] = -price
        if price >= self.aims[0] or -price >= self.aims[1]:
            self._elect(LAST)
        return True

    # Waiting orders.

    def _is_met(self, order: int) -> bool:
        """Return whether the condition of an order holds now."""
        slot = self.slots[order].slot
        trigger = self.slots[order].trigger
        return self._reach(slot) >= (trigger if slot % 2 == 0 else -trigger)

    def _reach(self, slot: int) -> int:
        if slot == 0:
            return self.last_price if self.last_price else -BEYOND
        if slot == 1:
            return -self.last_price if self.last_price else -BEYOND
        return self.reaches[slot]

    def _wait(self, order: int) -> bool:
        """Let an order wait for its trigger."""
        slot = self.slots[order].slot
        heap = self.heaps[slot]
        if len(heap) > 2 * self.slot_counts[slot] + SPARE:
            heap[:] = [entry for entry in heap if self._is_waiting(entry[2])]
            heapify(heap)
        trigger = self.slots[order].trigger
        heappush(heap, (trigger if slot % 2 == 0 else -trigger, self.slots[order].number, self.slots[order].id))
        self.slots[order].level = WAITING
        self.slot_counts[slot] += 1
        self.sides[self.slots[order].side].waiting_lots += self.slots[order].open
        self.waiting_count += 1
        if slot < 2:
            self.specials += 1
        self.aims[slot] = heap[0][0]
        return True

    def _is_waiting(self, order_id: int) -> bool:
        return self.handles[order_id] > 0 and self.slots[self.handles[order_id]].level == WAITING

    def _stop_waiting(self, order: int, level: int) -> bool:
        """Take an order out of those that wait; *level* says what it is from now on."""
        slot = self.slots[order].slot
        self.slots[order].level = level
        self.slot_counts[slot] -= 1
        self.sides[self.slots[order].side].waiting_lots -= self.slots[order].open
        self.waiting_count -= 1
        if slot < 2:
            self.specials -= 1
        heap = self.heaps[slot]
        while heap and not self._is_waiting(heap[0][2]):
            heappop(heap)
        self.aims[slot] = heap[0][0] if heap else BEYOND
        return True

    def _elect(self, source: int) -> bool:
        """Queue up the orders whose condition holds: nearest trigger first, equal ones by acceptance."""
        for slot in (2 * source, 2 * source + 1):
            reach = self._reach(slot)
            while reach >= self.aims[slot]:
                order = self.handles[self.heaps[slot][0][2]]
                self._stop_waiting(order, ELECTED)
                self._queue_elected(order)
        return True

    def _queue_elected(self, order: int) -> bool:
        self.slots[order].level = ELECTED
        self.slots[order].next = 0
        if self.elected_first:
            self.slots[self.elected_last].next = order
        else:
            self.elected_first = order
        self.elected_last = order
        return True

    def waiting_orders(self) -> list[int]:
        """Return the ids of the orders that wait for their trigger, by acceptance."""
        found = [entry[1:] for heap in self.heaps for entry in heap if self._is_waiting(entry[2])]
        return [order_id for _, order_id in sorted(found)]

    # Orders with an end.

    def _expire_later(self, order: int) -> bool:
        """Note when an order ends."""
        if len(self.expiries) > self.expiry_room:
            self.expiries = [entry for entry in self.expiries if self.handles[entry[2]] > 0]
            heapify(self.expiries)
            self.expiry_room = 2 * len(self.expiries) + SPARE
        heappush(self.expiries, (self.slots[order].expiry, self.slots[order].number, self.slots[order].id))
        return True

    def next_expiry(self) -> int:
        """Return when the next order ends, -1 if none does."""
        while self.expiries and self.handles[self.expiries[0][2]] <= 0:
            heappop(self.expiries)
        return self.expiries[0][0] if self.expiries else -1

    def _due(self) -> int:
        """Return an order whose end has come, the earliest first; 0: there is none."""
        end = self.next_expiry()
        if end < 0 or end > self.now:
            return 0
        order = self.handles[self.expiries[0][2]]
        assert self.slots[order].flags & F_GTD
        return order

    # Price rules.

    def set_price_band(
        self, source: int, low_buy: int | None, high_buy: int | None, low_sell: int | None, high_sell: int | None
    ) -> bool:
        """Bind limit prices to shares of a reference price, whole numbers of 10**-18; None: no bound."""
        return self._set_rule(BAND, source, low_buy, high_buy, low_sell, high_sell)

    def set_execution_range(
        self, source: int, low_buy: int | None, high_buy: int | None, low_sell: int | None, high_sell: int | None
    ) -> bool:
        """Bind the prices a taker may trade at to shares of a reference price as it is when the taker starts."""
        return self._set_rule(RANGE, source, low_buy, high_buy, low_sell, high_sell)

    def _set_rule(
        self,
        rule: int,
        source: int,
        low_buy: int | None,
        high_buy: int | None,
        low_sell: int | None,
        high_sell: int | None,
    ) -> bool:
        if not LAST <= source <= REF:
            raise ValueError(f"the reference price should be 0 (last) to 3 (ref), was {source}")
        if self.rule_on[rule] == 0:
            self.specials += 1
        self.rule_on[rule] = 1
        self.rule_source[rule] = source
        self.rule_seen[rule] = -1
        self.shares[4 * rule : 4 * rule + 4] = [low_buy, high_buy, low_sell, high_sell]
        return True

    def set_protection(self, of_last: bool, points: int | None, share: int | None, rests: bool) -> bool:
        """Give market orders a limit away from the opposite best or the last trade, by *points* ticks or by a *share*
        in 10**-18 of that price; what is left rests at the limit or is cancelled."""
        if (points is None) == (share is None):
            raise ValueError("market protection takes either points or a share")
        if self.protection == 0:
            self.specials += 1
        self.protection = BY_POINTS if share is None else BY_SHARE
        self.protection_of_last = of_last
        self.protection_rests = rests
        self.protection_size = max(0, min(points, MOST)) if points is not None else share if share is not None else 0
        return True

    def _refresh(self, rule: int) -> bool:
        """Bring the bounds of a rule up to its reference price."""
        source = self.rule_source[rule]
        seen = self.last_price if source == LAST else 0
        if self.rule_seen[rule] == seen:
            return True
        self.rule_seen[rule] = seen
        price = self.reference(source)
        unit = RATE_UNIT * REFERENCE_UNIT
        for index in range(4 * rule, 4 * rule + 4):
            share = self.shares[index]
            is_low = index % 2 == 0
            if price is None or share is None:
                self.bounds[index] = -BEYOND if is_low else BEYOND
            else:
                edge = -(-price * share // unit) if is_low else price * share // unit
                self.bounds[index] = max(-BEYOND, min(edge, BEYOND))
        return True

    def _low(self, rule: int, side: int) -> int:
        """Return the lowest price a rule allows *side*."""
        if self.rule_on[rule] == 0:
            return -BEYOND
        self._refresh(rule)
        return self.bounds[4 * rule + 2 * (side - BUY)]

    def _high(self, rule: int, side: int) -> int:
        """Return the highest price a rule allows *side*."""
        if self.rule_on[rule] == 0:
            return BEYOND
        self._refresh(rule)
        return self.bounds[4 * rule + 2 * (side - BUY) + 1]

    def _protected_rank(self, side: int) -> int:
        """Return the rank that market protection gives a market order of *side* now; MOST: none."""
        if self.protection == 0:
            return MOST
        if self.protection_of_last:
            ticks = self.last_price // self.tick_steps
        else:
            ticks = -self.sides[2].best_rank if side == BUY else self.sides[1].best_rank
            if self.sides[3 - side].best_level == 0:
                ticks = 0
        if ticks == 0:
            return MOST
        if self.protection == BY_POINTS:
            away = self.protection_size
        else:
            away = min(ticks * self.protection_size // RATE_UNIT, MOST)
        if side != BUY:
            return away - ticks
        return ticks + away if ticks + away < MOST else MOST - 1

    def references(self) -> str:
        """Return the reference prices and the clock as text."""
        return repr((self.last_price, self.exact[MARK], self.exact[INDEX], self.exact[REF], self.now))
