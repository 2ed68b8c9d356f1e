"""A book by order: orders in price-time priority at their levels, and each account's orders by acceptance."""

from __future__ import annotations

from quotewright_simexchange.matching.codes import (
    ACCEPTED,
    ACTIVE,
    AMENDED,
    CANCEL,
    CANCELED,
    EVENT_WORDS,
    F_CONDITIONAL,
    F_GTD,
    F_HIDDEN,
    F_ICEBERG,
    F_POST_ONLY,
    F_SPECIAL,
    R_USER,
    WAITING,
)
from quotewright_simexchange.matching.levels import IS_COMPILED, LevelIndex, checked_side, doubled, zeros
from quotewright_simexchange.matching.rows import EventRow, OrderRow, OwnerRow, doubled_rows, rows

ID_GAP = 1 << 24
"""How far an id may lie above the highest one so far: order ids and accounts index arrays, so they are counted up."""


class OrderBook(LevelIndex):
    """Orders are numbers of rows; 0 is none, free ones are linked through ``next``.

    ``handles`` maps the id of an order to its number while it is open, and to -1 - account when it has ended.

    At a level displayed orders stand before hidden ones; ``level_hidden`` is the first hidden one. ``specials`` counts
    what the quick ways of a plain order cannot do: icebergs, hidden and reduce-only orders in the book, stops that wait
    for a trade, rules that are on. As long as it is 0 nothing of all that is looked at.
    """

    def __init__(self, tick_steps: int = 1, window: int = 4096) -> None:
        super().__init__(tick_steps, window)
        self.slots = rows(OrderRow, 1, IS_COMPILED)
        self.slot_count = 1
        self.specials = 0
        self.free_order = 0

        self.handles = zeros(1024)
        self.id_count = 1024
        self.id_end = 0
        self.owners = rows(OwnerRow, 64, IS_COMPILED)
        self.account_count = 64
        self.event_rows = rows(EventRow, 256, IS_COMPILED)
        self.event_room = 256
        self.event_count = 0
        self._grow_orders()

    def _add_order(
        self,
        order_id: int,
        account: int,
        side: int,
        rank: int,
        leaves: int,
        total: int,
        flags: int,
        number: int,
    ) -> int:
        """Put a new order at the back of its level and of its account's orders and return it."""
        order = self._enroll(order_id, account, side, rank, leaves, total, flags, number)
        self._join_level(order, side, rank, leaves)
        return order

    def _enroll(
        self,
        order_id: int,
        account: int,
        side: int,
        rank: int,
        leaves: int,
        total: int,
        flags: int,
        number: int,
    ) -> int:
        """Make an order that stands at no level yet, at the back of its account's orders, and return it."""
        order = self.free_order
        if order == 0:
            self._grow_orders()
            order = self.free_order
        self.free_order = self.slots[order].next
        if order_id >= 0:
            self.handles[order_id] = order
        self.slots[order].id = order_id
        self.slots[order].rank = rank
        self.slots[order].level = ACTIVE
        self.slots[order].open = leaves
        self.slots[order].total = total
        self.slots[order].side = side
        self.slots[order].account = account
        self.slots[order].flags = flags
        self.slots[order].number = number
        tail = self.owners[account].last
        self.slots[order].account_previous = tail
        self.slots[order].account_next = 0
        if tail:
            self.slots[tail].account_next = order
        else:
            self.owners[account].first = order
        self.owners[account].last = order
        self.owners[account].count = self.owners[account].count + 1
        return order

    def _forget(self, order: int) -> bool:
        """Give back the number of an order that has left its level; its id stays used up."""
        account = self.slots[order].account
        before = self.slots[order].account_previous
        after = self.slots[order].account_next
        if before:
            self.slots[before].account_next = after
        else:
            self.owners[account].first = after
        if after:
            self.slots[after].account_previous = before
        else:
            self.owners[account].last = before
        self.owners[account].count = self.owners[account].count - 1
        if self.slots[order].id >= 0:
            self.handles[self.slots[order].id] = -1 - account
        self.slots[order].next = self.free_order
        self.free_order = order
        return True

    def _join_level(self, order: int, side: int, rank: int, leaves: int) -> bool:
        """Put an order at the back of the level of *rank*."""
        offset = rank - self.sides[side].base
        level = 0
        if 0 <= offset < self.window_size:
            level = self.windows[self.sides[side].window_at + offset]
        if level == 0:
            level = self._open_level(side, rank)
        if self.rungs[level].is_touched == 0:
            self.rungs[level].is_touched = 1
            self.rungs[level].before = self.rungs[level].quantity
            if self.touched_count >= self.touched_room:
                self._grow_touched()
            self.touched[self.touched_count] = level
            self.touched_count = self.touched_count + 1
        self.slots[order].rank = rank
        self.slots[order].level = level
        if self.specials or self.slots[order].flags & F_SPECIAL:
            return self._join_others(order, level, leaves)
        tail = self.rungs[level].tail
        self.slots[order].next = 0
        self.slots[order].previous = tail
        self.rungs[level].tail = order
        if tail:
            self.slots[tail].next = order
        else:
            self.rungs[level].head = order
            self._show(level)
        self.rungs[level].quantity = self.rungs[level].quantity + leaves
        self.sides[side].open_lots = self.sides[side].open_lots + leaves
        return True

    def _join_others(self, order: int, level: int, leaves: int) -> bool:
        """Put an order into a level where it, or what stands there, may be hidden or show a part."""
        flags = self.slots[order].flags
        shown = leaves
        before = self.rungs[level].hidden
        if flags & F_SPECIAL:
            self.specials = self.specials + 1
            if flags & F_HIDDEN:
                shown = 0
                if before == 0:
                    self.rungs[level].hidden = order
                before = 0
            elif flags & F_ICEBERG:
                if shown > self.slots[order].display:
                    shown = self.slots[order].display
                self.slots[order].shown = shown
        is_first = self.rungs[level].head == 0
        self._insert(order, level, before)
        if is_first:
            self._show(level)
        self.rungs[level].quantity = self.rungs[level].quantity + shown
        self.sides[self.slots[order].side].open_lots = self.sides[self.slots[order].side].open_lots + leaves
        return True

    def _insert(self, order: int, level: int, after: int) -> bool:
        """Link an order into a level's queue in front of *after*; 0: at the end."""
        before = self.slots[after].previous if after else self.rungs[level].tail
        self.slots[order].next = after
        self.slots[order].previous = before
        if before:
            self.slots[before].next = order
        else:
            self.rungs[level].head = order
        if after:
            self.slots[after].previous = order
        else:
            self.rungs[level].tail = order
        return True

    def _requeue(self, order: int) -> bool:
        """Move an order behind the other displayed ones of its level."""
        level = self.slots[order].level
        before = self.slots[order].previous
        after = self.slots[order].next
        if after == self.rungs[level].hidden:
            return True
        if before:
            self.slots[before].next = after
        else:
            self.rungs[level].head = after
        self.slots[after].previous = before
        self._insert(order, level, self.rungs[level].hidden)
        return True

    def _leave_level(self, order: int) -> bool:
        """Take an order out of its level's queue."""
        level = self.slots[order].level
        if self.rungs[level].is_touched == 0:
            self.rungs[level].is_touched = 1
            self.rungs[level].before = self.rungs[level].quantity
            if self.touched_count >= self.touched_room:
                self._grow_touched()
            self.touched[self.touched_count] = level
            self.touched_count = self.touched_count + 1
        before = self.slots[order].previous
        after = self.slots[order].next
        leaves = self.slots[order].open
        self.sides[self.slots[order].side].open_lots = self.sides[self.slots[order].side].open_lots - leaves
        if self.slots[order].flags & F_SPECIAL:
            self.specials = self.specials - 1
            if self.slots[order].flags & F_HIDDEN:
                leaves = 0
                if self.rungs[level].hidden == order:
                    self.rungs[level].hidden = after
            elif self.slots[order].flags & F_ICEBERG:
                leaves = self.slots[order].shown
        self.rungs[level].quantity = self.rungs[level].quantity - leaves
        self.slots[order].level = ACTIVE
        if before:
            self.slots[before].next = after
        else:
            self.rungs[level].head = after
        if after:
            self.slots[after].previous = before
        else:
            self.rungs[level].tail = before
            if before == 0:
                self._hide(level)
        return True

    # Events.

    def _emit(
        self,
        kind: int,
        order: int,
        other: int,
        price: int,
        quantity: int,
        leaves: int,
        other_leaves: int,
        code: int,
        account: int,
        other_account: int,
        number: int,
    ) -> bool:
        if self.event_count >= self.event_room:
            self._grow_events()
        at = self.event_count
        self.event_rows[at].kind = kind
        self.event_rows[at].order = order
        self.event_rows[at].other = other
        self.event_rows[at].price = price
        self.event_rows[at].quantity = quantity
        self.event_rows[at].leaves = leaves
        self.event_rows[at].other_leaves = other_leaves
        self.event_rows[at].code = code
        self.event_rows[at].account = account
        self.event_rows[at].other_account = other_account
        self.event_rows[at].number = number
        self.event_count = self.event_count + 1
        return True

    def events(self) -> list[tuple[int, ...]]:
        """Return the events as tuples of the columns of an event row."""
        if self.event_count == 1:
            return [self._event(0)]
        if self.event_count == 2:
            return [self._event(0), self._event(1)]
        found: list[tuple[int, ...]] = []
        for at in range(self.event_count):
            found.append(self._event(at))
        return found

    def _event(self, at: int) -> tuple[int, ...]:
        row = self.event_rows[at]
        return (
            row.kind,
            row.order,
            row.other,
            row.price,
            row.quantity,
            row.leaves,
            row.other_leaves,
            row.code,
            row.account,
            row.other_account,
            row.number,
        )

    def _told(self, operation: int, price: int, quantity: int) -> int | tuple[tuple[int, ...], ...]:
        """Return the events of the command at hand, or the open quantity if they only say that it was done as told."""
        if self.event_count != 1:
            return tuple(self.events())
        kind = self.event_rows[0].kind
        if operation == CANCEL:
            if kind == CANCELED and self.event_rows[0].code == R_USER:
                return self.event_rows[0].quantity
        elif self.event_rows[0].price == price and self.event_rows[0].quantity == quantity:
            if kind == AMENDED:
                return self.event_rows[0].leaves if self.event_rows[0].code else -self.event_rows[0].leaves
            if kind == ACCEPTED:
                return self.event_rows[0].leaves
        return (self._event(0),)

    def event(self, index: int, column: int) -> int:
        """Return one column of one event."""
        if not (0 <= index < self.event_count and 0 <= column < EVENT_WORDS):
            raise IndexError(f"event {index}, column {column}: there are {self.event_count} events")
        return self._event(index)[column]

    # What stands in the book.

    def open_quantity(self, side: int) -> int:
        """Return the sum of the open quantity on *side*, hidden and reserve included, waiting stops not."""
        return self.sides[checked_side(side)].open_lots

    def orders_at(self, side: int, price: int) -> list[tuple[int, int]]:
        """Return ``(order id, open quantity)`` at *price* in the order in which they would trade."""
        found = []
        level = self._level_at(side, price)
        order = self.rungs[level].head if level else 0
        while order:
            found.append((self.slots[order].id, self.slots[order].open))
            order = self.slots[order].next
        return found

    def queue_at(self, side: int, price: int) -> list[tuple[int, int, int, bool]]:
        """Return ``(order id, what can be hit now, reserve behind an iceberg's slice or -1, is hidden)`` in match
        order."""
        found = []
        level = self._level_at(side, price)
        order = self.rungs[level].head if level else 0
        while order:
            leaves = self.slots[order].open
            shown = self._shown(order)
            reserve = leaves - shown if self.slots[order].flags & F_ICEBERG else -1
            found.append((self.slots[order].id, shown, reserve, bool(self.slots[order].flags & F_HIDDEN)))
            order = self.slots[order].next
        return found

    def _shown(self, order: int) -> int:
        """Return what a taker can hit at once: an iceberg's slice, all of any other order."""
        return self.slots[order].shown if self.slots[order].flags & F_ICEBERG else self.slots[order].open

    def is_used(self, order_id: int) -> bool:
        """Return whether *order_id* was accepted, open or not."""
        return 0 <= order_id < self.id_count and self.handles[order_id] != 0

    def leaves(self, order_id: int) -> int:
        """Return the open quantity of an order, 0 if it is not open."""
        if order_id < 0 or order_id >= self.id_count or self.handles[order_id] <= 0:
            return 0
        return self.slots[self.handles[order_id]].open

    def order(self, order_id: int) -> tuple[int, int, int, int, int, int, int] | None:
        """Return ``(account, side, price, total, open, post_only, number of acceptance)``, None if it is not open."""
        if order_id < 0 or order_id >= self.id_count or self.handles[order_id] <= 0:
            return None
        order = self.handles[order_id]
        return (
            self.slots[order].account,
            self.slots[order].side,
            self._price(self.slots[order].rank),
            self.slots[order].total,
            self.slots[order].open,
            self.slots[order].flags & F_POST_ONLY,
            self.slots[order].number,
        )

    def conditions(self, order_id: int) -> tuple[int, int, int, int, int, int, int]:
        """Return ``(flags, displayed, shown, expiry, trigger, slot, is waiting)`` of an open order, zeros otherwise."""
        if order_id < 0 or order_id >= self.id_count or self.handles[order_id] <= 0:
            return 0, 0, 0, 0, 0, 0, 0
        order = self.handles[order_id]
        flags = self.slots[order].flags
        is_iceberg = flags & F_ICEBERG
        is_conditional = self.slots[order].trigger if flags & F_CONDITIONAL else 0
        return (
            flags,
            self.slots[order].display if is_iceberg else 0,
            self.slots[order].shown if is_iceberg and self.slots[order].level > 0 else 0,
            self.slots[order].expiry if flags & F_GTD else 0,
            is_conditional,
            self.slots[order].slot if flags & F_CONDITIONAL else 0,
            int(self.slots[order].level == WAITING),
        )

    def open_orders(self, account: int) -> list[int]:
        """Return the ids of an account's open orders, in order of acceptance."""
        found = []
        order = self.owners[account].first if 0 <= account < self.account_count else 0
        while order:
            found.append(self.slots[order].id)
            order = self.slots[order].account_next
        return found

    def open_order_count(self, account: int) -> int:
        """Return how many open orders *account* has."""
        return self.owners[account].count if 0 <= account < self.account_count else 0

    # Room.

    def _grow_events(self) -> bool:
        self.event_rows = doubled_rows(EventRow, self.event_rows, IS_COMPILED)
        self.event_room *= 2
        return True

    def _make_room_for_order(self, order_id: int) -> bool:
        if not 0 <= order_id < self.id_end + ID_GAP:
            raise ValueError(f"order id {order_id} is not in [0, {self.id_end + ID_GAP}): ids are counted up from 0")
        while order_id >= self.id_count:
            self.handles = doubled(self.handles)
            self.id_count *= 2
        return True

    def _make_room_for_account(self, account: int) -> bool:
        if not 0 <= account < ID_GAP:
            raise ValueError(f"account number {account} is not in [0, {ID_GAP}): accounts are counted up from 0")
        while account >= self.account_count:
            self.owners = doubled_rows(OwnerRow, self.owners, IS_COMPILED)
            self.account_count *= 2
        return True

    def _grow_orders(self) -> bool:
        first = self.slot_count
        self.slots = doubled_rows(OrderRow, self.slots, IS_COMPILED)
        self.slot_count *= 2
        self.free_order = 0
        for order in range(self.slot_count - 1, first - 1, -1):
            self.slots[order].next = self.free_order
            self.free_order = order
        return True
