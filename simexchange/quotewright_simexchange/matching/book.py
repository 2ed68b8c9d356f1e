"""A book by order: orders in price-time priority at their levels, and each account's orders by acceptance."""

from __future__ import annotations

from quotewright_simexchange.matching.codes import (
    ACTIVE,
    EVENT_WORDS,
    F_CONDITIONAL,
    F_GTD,
    F_HIDDEN,
    F_ICEBERG,
    F_POST_ONLY,
    F_SPECIAL,
    WAITING,
)
from quotewright_simexchange.matching.levels import LevelIndex, checked_side, doubled, zeros

ID_GAP = 1 << 24
"""How far an id may lie above the highest one so far: order ids and accounts index arrays, so they are counted up."""


class OrderBook(LevelIndex):
    """Orders on int64 pools: numbers that index one array per field, 0 is none, free ones are linked through ``next``.

    ``handles`` maps the id of an order to its number while it is open, and to -1 - account when it has ended.

    At a level displayed orders stand before hidden ones; ``level_hidden`` is the first hidden one. ``specials`` counts
    what the quick ways of a plain order cannot do: icebergs, hidden and reduce-only orders in the book, stops that wait
    for a trade, rules that are on. As long as it is 0 nothing of all that is looked at.
    """

    def __init__(self, tick_steps: int = 1, window: int = 4096) -> None:
        super().__init__(tick_steps, window)
        self.order_id = zeros(1)
        self.order_rank = zeros(1)
        self.order_open = zeros(1)
        self.order_total = zeros(1)
        self.order_next = zeros(1)
        self.order_previous = zeros(1)
        self.order_level = zeros(1)
        self.order_side = zeros(1)
        self.order_account = zeros(1)
        self.order_account_next = zeros(1)
        self.order_account_previous = zeros(1)
        self.order_flags = zeros(1)
        self.order_number = zeros(1)
        self.order_display = zeros(1)
        self.order_shown = zeros(1)
        self.order_expiry = zeros(1)
        self.order_trigger = zeros(1)
        self.order_slot = zeros(1)
        self.specials = 0
        self.free_order = 0

        self.handles = zeros(1024)
        self.id_count = 1024
        self.id_end = 0
        self.account_head = zeros(64)
        self.account_tail = zeros(64)
        self.account_open = zeros(64)
        self.account_count = 64
        self.open_lots = zeros(3)
        self.event_words = zeros(256 * EVENT_WORDS)
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
        self.free_order = self.order_next[order]
        if order_id >= 0:
            self.handles[order_id] = order
        self.order_id[order] = order_id
        self.order_rank[order] = rank
        self.order_level[order] = ACTIVE
        self.order_open[order] = leaves
        self.order_total[order] = total
        self.order_side[order] = side
        self.order_account[order] = account
        self.order_flags[order] = flags
        self.order_number[order] = number
        tail = self.account_tail[account]
        self.order_account_previous[order] = tail
        self.order_account_next[order] = 0
        if tail:
            self.order_account_next[tail] = order
        else:
            self.account_head[account] = order
        self.account_tail[account] = order
        self.account_open[account] += 1
        return order

    def _forget(self, order: int) -> bool:
        """Give back the number of an order that has left its level; its id stays used up."""
        account = self.order_account[order]
        before = self.order_account_previous[order]
        after = self.order_account_next[order]
        if before:
            self.order_account_next[before] = after
        else:
            self.account_head[account] = after
        if after:
            self.order_account_previous[after] = before
        else:
            self.account_tail[account] = before
        self.account_open[account] -= 1
        if self.order_id[order] >= 0:
            self.handles[self.order_id[order]] = -1 - account
        self.order_next[order] = self.free_order
        self.free_order = order
        return True

    def _join_level(self, order: int, side: int, rank: int, leaves: int) -> bool:
        """Put an order at the back of the level of *rank*."""
        offset = rank - self.base[side]
        level = 0
        if 0 <= offset < self.window_size:
            level = self.windows[self.window_at[side] + offset]
        if level == 0:
            level = self._open_level(side, rank)
        if self.level_is_touched[level] == 0:
            self._touch(level)
        self.order_rank[order] = rank
        self.order_level[order] = level
        if self.specials or self.order_flags[order] & F_SPECIAL:
            return self._join_others(order, level, leaves)
        tail = self.level_tail[level]
        self.order_next[order] = 0
        self.order_previous[order] = tail
        self.level_tail[level] = order
        if tail:
            self.order_next[tail] = order
        else:
            self.level_head[level] = order
            self._show(level)
        self.level_quantity[level] += leaves
        self.open_lots[side] += leaves
        return True

    def _join_others(self, order: int, level: int, leaves: int) -> bool:
        """Put an order into a level where it, or what stands there, may be hidden or show a part."""
        flags = self.order_flags[order]
        shown = leaves
        before = self.level_hidden[level]
        if flags & F_SPECIAL:
            self.specials += 1
            if flags & F_HIDDEN:
                shown = 0
                if before == 0:
                    self.level_hidden[level] = order
                before = 0
            elif flags & F_ICEBERG:
                if shown > self.order_display[order]:
                    shown = self.order_display[order]
                self.order_shown[order] = shown
        is_first = self.level_head[level] == 0
        self._insert(order, level, before)
        if is_first:
            self._show(level)
        self.level_quantity[level] += shown
        self.open_lots[self.order_side[order]] += leaves
        return True

    def _insert(self, order: int, level: int, after: int) -> bool:
        """Link an order into a level's queue in front of *after*; 0: at the end."""
        before = self.order_previous[after] if after else self.level_tail[level]
        self.order_next[order] = after
        self.order_previous[order] = before
        if before:
            self.order_next[before] = order
        else:
            self.level_head[level] = order
        if after:
            self.order_previous[after] = order
        else:
            self.level_tail[level] = order
        return True

    def _requeue(self, order: int) -> bool:
        """Move an order behind the other displayed ones of its level."""
        level = self.order_level[order]
        before = self.order_previous[order]
        after = self.order_next[order]
        if after == self.level_hidden[level]:
            return True
        if before:
            self.order_next[before] = after
        else:
            self.level_head[level] = after
        self.order_previous[after] = before
        self._insert(order, level, self.level_hidden[level])
        return True

    def _leave_level(self, order: int) -> bool:
        """Take an order out of its level's queue."""
        level = self.order_level[order]
        if self.level_is_touched[level] == 0:
            self._touch(level)
        before = self.order_previous[order]
        after = self.order_next[order]
        leaves = self.order_open[order]
        self.open_lots[self.order_side[order]] -= leaves
        if self.order_flags[order] & F_SPECIAL:
            self.specials -= 1
            if self.order_flags[order] & F_HIDDEN:
                leaves = 0
                if self.level_hidden[level] == order:
                    self.level_hidden[level] = after
            elif self.order_flags[order] & F_ICEBERG:
                leaves = self.order_shown[order]
        self.level_quantity[level] -= leaves
        self.order_level[order] = ACTIVE
        if before:
            self.order_next[before] = after
        else:
            self.level_head[level] = after
        if after:
            self.order_previous[after] = before
        else:
            self.level_tail[level] = before
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
            self.event_words = doubled(self.event_words)
            self.event_room *= 2
        at = self.event_count * EVENT_WORDS
        self.event_words[at] = kind
        self.event_words[at + 1] = order
        self.event_words[at + 2] = other
        self.event_words[at + 3] = price
        self.event_words[at + 4] = quantity
        self.event_words[at + 5] = leaves
        self.event_words[at + 6] = other_leaves
        self.event_words[at + 7] = code
        self.event_words[at + 8] = account
        self.event_words[at + 9] = other_account
        self.event_words[at + 10] = number
        self.event_count += 1
        return True

    def events(self) -> list[tuple[int, ...]]:
        """Return the events as tuples of the columns of an event row."""
        words = self.event_words
        found: list[tuple[int, ...]] = []
        at = 0
        for _ in range(self.event_count):
            found.append(
                (
                    words[at],
                    words[at + 1],
                    words[at + 2],
                    words[at + 3],
                    words[at + 4],
                    words[at + 5],
                    words[at + 6],
                    words[at + 7],
                    words[at + 8],
                    words[at + 9],
                    words[at + 10],
                )
            )
            at += EVENT_WORDS
        return found

    def event(self, index: int, column: int) -> int:
        """Return one column of one event."""
        if not (0 <= index < self.event_count and 0 <= column < EVENT_WORDS):
            raise IndexError(f"event {index}, column {column}: there are {self.event_count} events")
        return self.event_words[index * EVENT_WORDS + column]

    # What stands in the book.

    def open_quantity(self, side: int) -> int:
        """Return the sum of the open quantity on *side*, hidden and reserve included, waiting stops not."""
        return self.open_lots[checked_side(side)]

    def orders_at(self, side: int, price: int) -> list[tuple[int, int]]:
        """Return ``(order id, open quantity)`` at *price* in the order in which they would trade."""
        found = []
        level = self._level_at(side, price)
        order = self.level_head[level] if level else 0
        while order:
            found.append((self.order_id[order], self.order_open[order]))
            order = self.order_next[order]
        return found

    def queue_at(self, side: int, price: int) -> list[tuple[int, int, int, bool]]:
        """Return ``(order id, what can be hit now, reserve behind an iceberg's slice or -1, is hidden)`` in match
        order."""
        found = []
        level = self._level_at(side, price)
        order = self.level_head[level] if level else 0
        while order:
            leaves = self.order_open[order]
            shown = self._shown(order)
            reserve = leaves - shown if self.order_flags[order] & F_ICEBERG else -1
            found.append((self.order_id[order], shown, reserve, bool(self.order_flags[order] & F_HIDDEN)))
            order = self.order_next[order]
        return found

    def _shown(self, order: int) -> int:
        """Return what a taker can hit at once: an iceberg's slice, all of any other order."""
        return self.order_shown[order] if self.order_flags[order] & F_ICEBERG else self.order_open[order]

    def is_used(self, order_id: int) -> bool:
        """Return whether *order_id* was accepted, open or not."""
        return 0 <= order_id < self.id_count and self.handles[order_id] != 0

    def leaves(self, order_id: int) -> int:
        """Return the open quantity of an order, 0 if it is not open."""
        if order_id < 0 or order_id >= self.id_count or self.handles[order_id] <= 0:
            return 0
        return self.order_open[self.handles[order_id]]

    def order(self, order_id: int) -> tuple[int, int, int, int, int, int, int] | None:
        """Return ``(account, side, price, total, open, post_only, number of acceptance)``, None if it is not open."""
        if order_id < 0 or order_id >= self.id_count or self.handles[order_id] <= 0:
            return None
        order = self.handles[order_id]
        return (
            self.order_account[order],
            self.order_side[order],
            self._price(self.order_rank[order]),
            self.order_total[order],
            self.order_open[order],
            self.order_flags[order] & F_POST_ONLY,
            self.order_number[order],
        )

    def conditions(self, order_id: int) -> tuple[int, int, int, int, int, int, int]:
        """Return ``(flags, displayed, shown, expiry, trigger, slot, is waiting)`` of an open order, zeros otherwise."""
        if order_id < 0 or order_id >= self.id_count or self.handles[order_id] <= 0:
            return 0, 0, 0, 0, 0, 0, 0
        order = self.handles[order_id]
        flags = self.order_flags[order]
        is_iceberg = flags & F_ICEBERG
        is_conditional = self.order_trigger[order] if flags & F_CONDITIONAL else 0
        return (
            flags,
            self.order_display[order] if is_iceberg else 0,
            self.order_shown[order] if is_iceberg and self.order_level[order] > 0 else 0,
            self.order_expiry[order] if flags & F_GTD else 0,
            is_conditional,
            self.order_slot[order] if flags & F_CONDITIONAL else 0,
            int(self.order_level[order] == WAITING),
        )

    def open_orders(self, account: int) -> list[int]:
        """Return the ids of an account's open orders, in order of acceptance."""
        found = []
        order = self.account_head[account] if 0 <= account < self.account_count else 0
        while order:
            found.append(self.order_id[order])
            order = self.order_account_next[order]
        return found

    def open_order_count(self, account: int) -> int:
        """Return how many open orders *account* has."""
        return self.account_open[account] if 0 <= account < self.account_count else 0

    # Room.

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
            self.account_head = doubled(self.account_head)
            self.account_tail = doubled(self.account_tail)
            self.account_open = doubled(self.account_open)
            self.account_count *= 2
        return True

    def _grow_orders(self) -> bool:
        first = len(self.order_id)
        self.order_id = doubled(self.order_id)
        self.order_rank = doubled(self.order_rank)
        self.order_open = doubled(self.order_open)
        self.order_total = doubled(self.order_total)
        self.order_next = doubled(self.order_next)
        self.order_previous = doubled(self.order_previous)
        self.order_level = doubled(self.order_level)
        self.order_side = doubled(self.order_side)
        self.order_account = doubled(self.order_account)
        self.order_account_next = doubled(self.order_account_next)
        self.order_account_previous = doubled(self.order_account_previous)
        self.order_flags = doubled(self.order_flags)
        self.order_number = doubled(self.order_number)
        self.order_display = doubled(self.order_display)
        self.order_shown = doubled(self.order_shown)
        self.order_expiry = doubled(self.order_expiry)
        self.order_trigger = doubled(self.order_trigger)
        self.order_slot = doubled(self.order_slot)
        self.free_order = 0
        for order in range(len(self.order_id) - 1, first - 1, -1):
            self.order_next[order] = self.free_order
            self.free_order = order
        return True
