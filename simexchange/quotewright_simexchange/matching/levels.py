"""Price levels of both sides of a book on int64 pools: the best in O(1), any price, and the changes of each command.

Prices are kept as *ranks*, so that both sides share their code: the rank of a bid is its price in ticks, that of an
offer minus its price in ticks. On either side the highest rank is the best, and a taker of rank r reaches a maker of
rank m when r + m >= 0.

Levels are numbers of rows; 0 is none, free numbers are linked through ``tail``. Near levels
stand in a window of ranks with a bitmap over it, far ones in a dict and a sorted list; the window follows the best,
which is always in it. Nothing is allocated per level once the pools have grown, as long as it is near.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, insort

from quotewright.kernel.codes import BUY, SELL
from quotewright_simexchange.matching.codes import CHANGE_WORDS, MOST, NO_RANK
from quotewright_simexchange.matching.rows import ChangeRow, LevelRow, SideRow, doubled_rows, rows

IS_COMPILED = not __file__.endswith((".py", ".pyc"))


def zeros(count: int) -> array[int]:
    """Return *count* int64 zeros."""
    return array("q", bytes(8 * count))


def doubled(words: array[int]) -> array[int]:
    """Return *words* with as many zeros behind them."""
    larger = array("q")
    # Compiled, *words* is a view, which array() itself would take number by number.
    larger.frombytes(memoryview(words).cast("B"))
    larger.frombytes(bytes(8 * len(words)))
    return larger


def checked_side(side: int) -> int:
    """Return *side*; ValueError if it is neither buy nor sell."""
    if side not in (BUY, SELL):
        raise ValueError(f"side should be {BUY} (buy) or {SELL} (sell), was {side}")
    return side


def top_bit(word: int) -> int:
    """Return the place of the highest bit of *word*, 0 < word < 2**32."""
    place = 0
    if word >= 65536:
        word >>= 16
        place = 16
    if word >= 256:
        word >>= 8
        place += 8
    if word >= 16:
        word >>= 4
        place += 4
    if word >= 4:
        word >>= 2
        place += 2
    if word >= 2:
        place += 1
    return place


class LevelIndex:
    """The levels of both sides; quantities and queues are filled in by the book that stands on it.

    Prices outside are whole steps; ranks are in ticks of *tick_steps*. *window* is how many ticks a side keeps in its
    window, a power of two of at least 1024.
    """

    def __init__(self, tick_steps: int = 1, window: int = 4096) -> None:
        if not 0 < tick_steps <= MOST:
            raise ValueError(f"tick_steps should be 1 to {MOST}, was {tick_steps}")
        if window < 1024 or window & (window - 1):
            raise ValueError(f"window should be a power of two of at least 1024, was {window}")
        self.tick_steps = tick_steps
        self.window_size = window
        self.near = window - window // 4
        self.feed_sequence = 0

        self.rungs = rows(LevelRow, 1, IS_COMPILED)
        self.rung_count = 1
        self.free_level = 0

        self.sides = rows(SideRow, 3, IS_COMPILED)
        for side in range(3):
            self.sides[side].best_rank = NO_RANK
        self.sides[SELL].window_at = window
        self.sides[SELL].bits_at = window // 32
        self.sides[SELL].summary_at = window // 1024
        self.windows = zeros(2 * window)
        self.bits = zeros(2 * window // 32)
        self.summary = zeros(2 * window // 1024)
        self.far_levels: list[dict[int, int]] = [{}, {}, {}]
        self.far_ranks: list[list[int]] = [[], [], []]

        self.touched = zeros(256)
        self.touched_room = 256
        self.touched_count = 0
        self.change_rows = rows(ChangeRow, 256, IS_COMPILED)
        self.change_room = 256
        self.change_count = 0
        self._grow_levels()

    def _touch(self, level: int) -> bool:
        """Note what a level showed before the command; it is not touched yet."""
        self.rungs[level].is_touched = 1
        self.rungs[level].before = self.rungs[level].quantity
        if self.touched_count >= self.touched_room:
            self._grow_touched()
        self.touched[self.touched_count] = level
        self.touched_count = self.touched_count + 1
        return True

    # What happens in the window stands by itself: lists and dicts would make the quick way slower even where it does
    # not meet them. What is far has methods of its own.

    def _open_level(self, side: int, rank: int) -> int:
        """Return the level of *rank*, which the window does not hold; make it, and move the window if it should."""
        offset = rank - self.sides[side].base
        if offset < 0 or offset >= self.window_size:
            level = self._find_far(side, rank)
            if level:
                return level
            offset = rank - self.sides[side].base
        level = self.free_level
        if level == 0:
            self._grow_levels()
            level = self.free_level
        self.free_level = self.rungs[level].tail
        self.rungs[level].quantity = 0
        self.rungs[level].head = 0
        self.rungs[level].tail = 0
        self.rungs[level].hidden = 0
        self.rungs[level].rank = rank
        self.rungs[level].side = side
        if 0 <= offset < self.window_size:
            self.windows[self.sides[side].window_at + offset] = level
        else:
            self._place_far(level)
        return level

    def _find_far(self, side: int, rank: int) -> int:
        """Return the level of a *rank* outside the window, 0 if there is none; move the window if it should."""
        base = self.sides[side].base
        best = self.sides[side].best_rank
        is_moved = True
        if self.sides[side].level_count == 0 or rank > best:
            self._move_window(side, rank)
        elif best - base < self.window_size // 2 and best - rank <= self.near:
            self._move_window(side, best)
        else:
            is_moved = False
        level = self.far_levels[side].get(rank, 0)
        if is_moved and level == 0:
            level = self.windows[self.sides[side].window_at + rank - self.sides[side].base]
        return level

    def _place_far(self, level: int) -> bool:
        self.far_levels[self.rungs[level].side][self.rungs[level].rank] = level
        if self.rungs[level].is_shown:
            self._show_far(level)
        return True

    def _show_far(self, level: int) -> bool:
        insort(self.far_ranks[self.rungs[level].side], self.rungs[level].rank)
        return True

    def _hide_far(self, side: int, rank: int) -> bool:
        del self.far_ranks[side][bisect_left(self.far_ranks[side], rank)]
        return True

    def _drop_far(self, side: int, rank: int) -> bool:
        del self.far_levels[side][rank]
        return True

    def _place_level(self, level: int) -> bool:
        """Enter a level where it is looked for: the window, or the far ones."""
        side = self.rungs[level].side
        offset = self.rungs[level].rank - self.sides[side].base
        if 0 <= offset < self.window_size:
            self.windows[self.sides[side].window_at + offset] = level
            if self.rungs[level].is_shown:
                self._set_bit(side, offset)
            return True
        return self._place_far(level)

    def _show(self, level: int) -> bool:
        """Show a level that has its first order."""
        side = self.rungs[level].side
        rank = self.rungs[level].rank
        offset = rank - self.sides[side].base
        self.rungs[level].is_shown = 1
        self.sides[side].level_count = self.sides[side].level_count + 1
        if 0 <= offset < self.window_size:
            bit = 1
            bit <<= offset & 31
            at = self.sides[side].bits_at + (offset >> 5)
            word = self.bits[at]
            self.bits[at] = word | bit
            if word == 0:
                bit = 1
                bit <<= (offset >> 5) & 31
                at = self.sides[side].summary_at + (offset >> 10)
                self.summary[at] = self.summary[at] | bit
        else:
            self._show_far(level)
        if rank > self.sides[side].best_rank:
            self.sides[side].best_rank = rank
            self.sides[side].best_level = level
        return True

    def _hide(self, level: int) -> bool:
        """Hide a level that lost its last order, and find the next best if it was the best."""
        side = self.rungs[level].side
        rank = self.rungs[level].rank
        offset = rank - self.sides[side].base
        self.rungs[level].is_shown = 0
        self.sides[side].level_count = self.sides[side].level_count - 1
        if 0 <= offset < self.window_size:
            at = self.sides[side].bits_at + (offset >> 5)
            bit = 1
            bit <<= offset & 31
            bit ^= self.bits[at]
            self.bits[at] = bit
            if bit == 0:
                bit = 1
                bit <<= (offset >> 5) & 31
                at = self.sides[side].summary_at + (offset >> 10)
                self.summary[at] = self.summary[at] ^ bit
        else:
            self._hide_far(side, rank)
        if rank == self.sides[side].best_rank:
            if self.sides[side].level_count == 0:
                self.sides[side].best_rank = NO_RANK
                self.sides[side].best_level = 0
                return True
            offset = self._highest(side, offset)
            if offset < 0:
                self._move_to_far(side)
                offset = self.near
            self.sides[side].best_level = self.windows[self.sides[side].window_at + offset]
            self.sides[side].best_rank = self.sides[side].base + offset
        return True

    def _move_to_far(self, side: int) -> bool:
        """Move a side's empty window to its best far level."""
        return self._move_window(side, self.far_ranks[side][-1])

    def _set_bit(self, side: int, offset: int) -> bool:
        bit = 1
        bit <<= offset & 31
        self.bits[self.sides[side].bits_at + (offset >> 5)] = self.bits[self.sides[side].bits_at + (offset >> 5)] | bit
        bit = 1
        bit <<= (offset >> 5) & 31
        self.summary[self.sides[side].summary_at + (offset >> 10)] = (
            self.summary[self.sides[side].summary_at + (offset >> 10)] | bit
        )
        return True

    def _highest(self, side: int, offset: int) -> int:
        """Return the highest shown place of the window at or below *offset*, -1 if there is none."""
        if offset < 0:
            return -1
        at = offset >> 5
        mask = 2
        mask <<= offset & 31
        word = self.bits[self.sides[side].bits_at + at] & (mask - 1)
        if word == 0:
            if at == 0:
                return -1
            at -= 1
            group = at >> 5
            mask = 2
            mask <<= at & 31
            word = self.summary[self.sides[side].summary_at + group] & (mask - 1)
            while word == 0:
                if group == 0:
                    return -1
                group -= 1
                word = self.summary[self.sides[side].summary_at + group]
            at = (group << 5) + top_bit(word)
            word = self.bits[self.sides[side].bits_at + at]
        return (at << 5) + top_bit(word)

    def _next_level(self, side: int, rank: int) -> int:
        """Return the best shown level below *rank*, 0 if there is none."""
        offset = rank - self.sides[side].base
        if offset > 0:
            offset = self._highest(side, offset - 1 if offset <= self.window_size else self.window_size - 1)
            if offset >= 0:
                return self.windows[self.sides[side].window_at + offset]
        count = bisect_left(self.far_ranks[side], rank)
        if count == 0:
            return 0
        return self.far_levels[side][self.far_ranks[side][count - 1]]

    def _move_window(self, side: int, rank: int) -> bool:
        """Move a side's window so that *rank* stands at three quarters of it; levels change between near and far."""
        window = self.sides[side].window_at
        found = []
        offset = self._highest(side, self.window_size - 1)
        while offset >= 0:
            found.append(self.windows[window + offset])
            self.windows[window + offset] = 0
            offset = self._highest(side, offset - 1)
        for index in range(self.window_size >> 5):
            self.bits[self.sides[side].bits_at + index] = 0
        for index in range(self.window_size >> 10):
            self.summary[self.sides[side].summary_at + index] = 0
        for index in range(self.touched_count):
            level = self.touched[index]
            if self.rungs[level].side == side and self.rungs[level].is_shown == 0:
                offset = self.rungs[level].rank - self.sides[side].base
                if 0 <= offset < self.window_size:
                    self.windows[window + offset] = 0
                else:
                    del self.far_levels[side][self.rungs[level].rank]
                found.append(level)
        self.sides[side].base = rank - self.near
        while self.far_ranks[side] and self.far_ranks[side][-1] >= self.sides[side].base:
            found.append(self.far_levels[side].pop(self.far_ranks[side].pop()))
        for level in found:
            self._place_level(level)
        return True

    # Level changes.

    def _publish(self) -> bool:
        """End a command: write down the net changes of its levels, best first, and give back the empty ones."""
        count = self.touched_count
        if count == 2:
            level = self.touched[0]
            other = self.touched[1]
            side = self.rungs[level].side
            is_behind = side > self.rungs[other].side
            if side == self.rungs[other].side:
                is_behind = self.rungs[level].rank < self.rungs[other].rank
            if is_behind:
                self.touched[0] = other
                self.touched[1] = level
        elif count > 2:
            self._sort_touched()
        if self.change_count + count > self.change_room:
            self._grow_changes()
        number = self.feed_sequence
        for index in range(count):
            level = self.touched[index]
            quantity = self.rungs[level].quantity
            self.rungs[level].is_touched = 0
            if quantity != self.rungs[level].before:
                number = self.feed_sequence + 1
                at = self.change_count
                side = self.rungs[level].side
                price = self.rungs[level].rank * self.tick_steps
                self.change_rows[at].side = side
                self.change_rows[at].price = price if side == BUY else -price
                self.change_rows[at].quantity = quantity
                self.change_rows[at].sequence = number
                self.change_count = at + 1
            if self.rungs[level].head == 0:
                side = self.rungs[level].side
                offset = self.rungs[level].rank - self.sides[side].base
                self.rungs[level].tail = self.free_level
                self.free_level = level
                if 0 <= offset < self.window_size:
                    self.windows[self.sides[side].window_at + offset] = 0
                else:
                    self._drop_far(side, self.rungs[level].rank)
        self.feed_sequence = number
        self.touched_count = 0
        return True

    def _grow_touched(self) -> bool:
        self.touched = doubled(self.touched)
        self.touched_room *= 2
        return True

    def _grow_changes(self) -> bool:
        while self.change_count + self.touched_count > self.change_room:
            self.change_rows = doubled_rows(ChangeRow, self.change_rows, IS_COMPILED)
            self.change_room *= 2
        return True

    def _sort_touched(self) -> bool:
        """Put the touched levels in feed order: bids from high to low, then offers from low to high."""
        if self.touched_count > 64:
            self._sort_many()
            return True
        for index in range(1, self.touched_count):
            level = self.touched[index]
            side = self.rungs[level].side
            rank = self.rungs[level].rank
            at = index
            while at > 0:
                other = self.touched[at - 1]
                if self.rungs[other].side < side:
                    break
                if self.rungs[other].side == side and self.rungs[other].rank > rank:
                    break
                self.touched[at] = other
                at -= 1
            self.touched[at] = level
        return True

    def _sort_many(self) -> bool:
        placed = [
            (self.rungs[level].side, -self.rungs[level].rank, level)
            for level in (self.touched[index] for index in range(self.touched_count))
        ]
        for index, (_, _, level) in enumerate(sorted(placed)):
            self.touched[index] = level
        return True

    def changes(self) -> list[tuple[int, int, int, int]]:
        """Return the level changes as tuples ``(side, price, quantity, sequence)``; quantity 0: the level is gone."""
        found: list[tuple[int, int, int, int]] = []
        for index in range(self.change_count):
            found.append(self._change(index))
        return found

    def _change(self, index: int) -> tuple[int, int, int, int]:
        row = self.change_rows[index]
        return row.side, row.price, row.quantity, row.sequence

    def change(self, index: int, column: int) -> int:
        """Return one column of one level change."""
        if not (0 <= index < self.change_count and 0 <= column < CHANGE_WORDS):
            raise IndexError(f"change {index}, column {column}: there are {self.change_count} changes")
        return self._change(index)[column]

    # What is shown.

    def best_bid(self) -> int:
        """Return the highest displayed bid in steps, 0 if there is none."""
        level = self._shown_level(BUY)
        return self.rungs[level].rank * self.tick_steps if level else 0

    def best_offer(self) -> int:
        """Return the lowest displayed offer in steps, 0 if there is none."""
        level = self._shown_level(SELL)
        return -self.rungs[level].rank * self.tick_steps if level else 0

    def _shown_level(self, side: int) -> int:
        """Return the best level that shows something, 0 if there is none: hidden orders alone show nothing."""
        level = self.sides[side].best_level
        while level and self.rungs[level].quantity == 0:
            level = self._next_level(side, self.rungs[level].rank)
        return level

    def size_at(self, side: int, price: int) -> int:
        """Return the displayed quantity at *price*, 0 if nothing stands there."""
        level = self._level_at(side, price)
        return self.rungs[level].quantity if level else 0

    def level_count(self, side: int) -> int:
        """Return how many levels *side* has, those of hidden orders included."""
        return self.sides[checked_side(side)].level_count

    def levels(self, side: int, count: int = -1) -> list[tuple[int, int]]:
        """Return up to *count* levels ``(price, quantity)``, best first; all of them for a negative count.

        A level shows the sum of what its orders display; one of hidden orders alone is not among them.
        """
        found = []
        level = self.sides[checked_side(side)].best_level
        while level and count != 0:
            rank = self.rungs[level].rank
            if self.rungs[level].quantity:
                found.append((self._price(rank), self.rungs[level].quantity))
                count -= 1
            level = self._next_level(side, rank)
        return found

    def prices(self, side: int) -> list[int]:
        """Return the price of every level of *side*, best first, those of hidden orders included."""
        found = []
        level = self.sides[checked_side(side)].best_level
        while level:
            rank = self.rungs[level].rank
            found.append(self._price(rank))
            level = self._next_level(side, rank)
        return found

    def _price(self, rank: int) -> int:
        """Return the price of *rank* in steps."""
        return (rank if rank > 0 else -rank) * self.tick_steps

    def _level_at(self, side: int, price: int) -> int:
        """Return the level of *price*, 0 if there is none."""
        if (side != BUY and side != SELL) or price <= 0 or price > MOST:
            return 0
        ticks = price // self.tick_steps
        if ticks * self.tick_steps != price:
            return 0
        rank = ticks if side == BUY else -ticks
        offset = rank - self.sides[side].base
        if 0 <= offset < self.window_size:
            return self.windows[self.sides[side].window_at + offset]
        return self.far_levels[side].get(rank, 0)

    def _grow_levels(self) -> bool:
        first = self.rung_count
        self.rungs = doubled_rows(LevelRow, self.rungs, IS_COMPILED)
        self.rung_count *= 2
        self.free_level = 0
        for level in range(self.rung_count - 1, first - 1, -1):
            self.rungs[level].tail = self.free_level
            self.free_level = level
        return True
