"""Price levels of both sides of a book on int64 pools: the best in O(1), any price, and the changes of each command.

Prices are kept as *ranks*, so that both sides share their code: the rank of a bid is its price in ticks, that of an
offer minus its price in ticks. On either side the highest rank is the best, and a taker of rank r reaches a maker of
rank m when r + m >= 0.

Levels are numbers that index one array per field; 0 is none, free numbers are linked through ``tail``. Near levels
stand in a window of ranks with a bitmap over it, far ones in a dict and a sorted list; the window follows the best,
which is always in it. Nothing is allocated per level once the pools have grown, as long as it is near.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, insort

from quotewright.kernel.codes import BUY, SELL
from quotewright_simexchange.matching.codes import CHANGE_WORDS, MOST, NO_RANK


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

        self.level_quantity = zeros(1)
        self.level_head = zeros(1)
        self.level_tail = zeros(1)
        self.level_rank = zeros(1)
        self.level_side = zeros(1)
        self.level_before = zeros(1)
        self.level_is_touched = zeros(1)
        self.level_is_shown = zeros(1)
        self.level_hidden = zeros(1)
        self.free_level = 0

        self.best_rank = array("q", [NO_RANK, NO_RANK, NO_RANK])
        self.best_level = zeros(3)
        self.base = zeros(3)
        self.level_counts = zeros(3)
        self.window_at = array("q", [0, 0, window])
        self.bits_at = array("q", [0, 0, window // 32])
        self.summary_at = array("q", [0, 0, window // 1024])
        self.windows = zeros(2 * window)
        self.bits = zeros(2 * window // 32)
        self.summary = zeros(2 * window // 1024)
        self.far_levels: list[dict[int, int]] = [{}, {}, {}]
        self.far_ranks: list[list[int]] = [[], [], []]

        self.touched = zeros(256)
        self.touched_room = 256
        self.touched_count = 0
        self.change_words = zeros(256 * CHANGE_WORDS)
        self.change_room = 256
        self.change_count = 0
        self._grow_levels()

    def _touch(self, level: int) -> bool:
        """Note what a level showed before the command; it is not touched yet."""
        self.level_is_touched[level] = 1
        self.level_before[level] = self.level_quantity[level]
        if self.touched_count >= self.touched_room:
            self.touched = doubled(self.touched)
            self.touched_room *= 2
        self.touched[self.touched_count] = level
        self.touched_count += 1
        return True

    def _open_level(self, side: int, rank: int) -> int:
        """Return the level of *rank*, which the window does not hold; make it, and move the window if it should."""
        base = self.base[side]
        best = self.best_rank[side]
        if not 0 <= rank - base < self.window_size:
            is_moved = True
            if self.level_counts[side] == 0 or rank > best:
                self._move_window(side, rank)
            elif best - base < self.window_size // 2 and best - rank <= self.near:
                self._move_window(side, best)
            else:
                is_moved = False
            level = self.far_levels[side].get(rank, 0)
            if is_moved and level == 0:
                level = self.windows[self.window_at[side] + rank - self.base[side]]
            if level:
                return level
        level = self.free_level
        if level == 0:
            self._grow_levels()
            level = self.free_level
        self.free_level = self.level_tail[level]
        self.level_quantity[level] = 0
        self.level_head[level] = 0
        self.level_tail[level] = 0
        self.level_hidden[level] = 0
        self.level_rank[level] = rank
        self.level_side[level] = side
        self._place_level(level)
        return level

    def _place_level(self, level: int) -> bool:
        """Enter a level where it is looked for: the window, or the far ones."""
        side = self.level_side[level]
        rank = self.level_rank[level]
        offset = rank - self.base[side]
        if 0 <= offset < self.window_size:
            self.windows[self.window_at[side] + offset] = level
            if self.level_is_shown[level]:
                self._set_bit(side, offset)
        else:
            self.far_levels[side][rank] = level
            if self.level_is_shown[level]:
                insort(self.far_ranks[side], rank)
        return True

    def _drop_level(self, level: int) -> bool:
        """Give back an empty level."""
        side = self.level_side[level]
        offset = self.level_rank[level] - self.base[side]
        if 0 <= offset < self.window_size:
            self.windows[self.window_at[side] + offset] = 0
        else:
            del self.far_levels[side][self.level_rank[level]]
        self.level_tail[level] = self.free_level
        self.free_level = level
        return True

    def _show(self, level: int) -> bool:
        """Show a level that has its first order."""
        side = self.level_side[level]
        rank = self.level_rank[level]
        offset = rank - self.base[side]
        self.level_is_shown[level] = 1
        self.level_counts[side] += 1
        if 0 <= offset < self.window_size:
            self._set_bit(side, offset)
        else:
            insort(self.far_ranks[side], rank)
        if rank > self.best_rank[side]:
            self.best_rank[side] = rank
            self.best_level[side] = level
        return True

    def _hide(self, level: int) -> bool:
        """Hide a level that lost its last order, and find the next best if it was the best."""
        side = self.level_side[level]
        rank = self.level_rank[level]
        offset = rank - self.base[side]
        self.level_is_shown[level] = 0
        self.level_counts[side] -= 1
        if 0 <= offset < self.window_size:
            at = self.bits_at[side] + (offset >> 5)
            bit = 1
            bit <<= offset & 31
            self.bits[at] ^= bit
            if self.bits[at] == 0:
                bit = 1
                bit <<= (offset >> 5) & 31
                self.summary[self.summary_at[side] + (offset >> 10)] ^= bit
        else:
            del self.far_ranks[side][bisect_left(self.far_ranks[side], rank)]
        if rank == self.best_rank[side]:
            if self.level_counts[side] == 0:
                self.best_rank[side] = NO_RANK
                self.best_level[side] = 0
                return True
            offset = self._highest(side, offset)
            if offset < 0:
                self._move_window(side, self.far_ranks[side][-1])
                offset = self.near
            self.best_level[side] = self.windows[self.window_at[side] + offset]
            self.best_rank[side] = self.base[side] + offset
        return True

    def _set_bit(self, side: int, offset: int) -> bool:
        bit = 1
        bit <<= offset & 31
        self.bits[self.bits_at[side] + (offset >> 5)] |= bit
        bit = 1
        bit <<= (offset >> 5) & 31
        self.summary[self.summary_at[side] + (offset >> 10)] |= bit
        return True

    def _highest(self, side: int, offset: int) -> int:
        """Return the highest shown place of the window at or below *offset*, -1 if there is none."""
        if offset < 0:
            return -1
        at = offset >> 5
        mask = 2
        mask <<= offset & 31
        word = self.bits[self.bits_at[side] + at] & (mask - 1)
        if word == 0:
            if at == 0:
                return -1
            at -= 1
            group = at >> 5
            mask = 2
            mask <<= at & 31
            word = self.summary[self.summary_at[side] + group] & (mask - 1)
            while word == 0:
                if group == 0:
                    return -1
                group -= 1
                word = self.summary[self.summary_at[side] + group]
            at = (group << 5) + top_bit(word)
            word = self.bits[self.bits_at[side] + at]
        return (at << 5) + top_bit(word)

    def _next_level(self, side: int, rank: int) -> int:
        """Return the best shown level below *rank*, 0 if there is none."""
        offset = rank - self.base[side]
        if offset > 0:
            offset = self._highest(side, offset - 1 if offset <= self.window_size else self.window_size - 1)
            if offset >= 0:
                return self.windows[self.window_at[side] + offset]
        count = bisect_left(self.far_ranks[side], rank)
        if count == 0:
            return 0
        return self.far_levels[side][self.far_ranks[side][count - 1]]

    def _move_window(self, side: int, rank: int) -> bool:
        """Move a side's window so that *rank* stands at three quarters of it; levels change between near and far."""
        window = self.window_at[side]
        found = []
        offset = self._highest(side, self.window_size - 1)
        while offset >= 0:
            found.append(self.windows[window + offset])
            self.windows[window + offset] = 0
            offset = self._highest(side, offset - 1)
        for index in range(self.window_size >> 5):
            self.bits[self.bits_at[side] + index] = 0
        for index in range(self.window_size >> 10):
            self.summary[self.summary_at[side] + index] = 0
        for index in range(self.touched_count):
            level = self.touched[index]
            if self.level_side[level] == side and self.level_is_shown[level] == 0:
                offset = self.level_rank[level] - self.base[side]
                if 0 <= offset < self.window_size:
                    self.windows[window + offset] = 0
                else:
                    del self.far_levels[side][self.level_rank[level]]
                found.append(level)
        self.base[side] = rank - self.near
        while self.far_ranks[side] and self.far_ranks[side][-1] >= self.base[side]:
            found.append(self.far_levels[side].pop(self.far_ranks[side].pop()))
        for level in found:
            self._place_level(level)
        return True

    # Level changes.

    def _publish(self) -> bool:
        """End a command: write down the net changes of its levels, best first, and give back the empty ones."""
        count = self.touched_count
        if count > 1:
            self._sort_touched()
        is_first = True
        for index in range(count):
            level = self.touched[index]
            quantity = self.level_quantity[level]
            self.level_is_touched[level] = 0
            if quantity != self.level_before[level]:
                if is_first:
                    self.feed_sequence += 1
                    is_first = False
                if self.change_count >= self.change_room:
                    self.change_words = doubled(self.change_words)
                    self.change_room *= 2
                at = self.change_count * CHANGE_WORDS
                self.change_words[at] = self.level_side[level]
                self.change_words[at + 1] = self._price(self.level_rank[level])
                self.change_words[at + 2] = quantity
                self.change_words[at + 3] = self.feed_sequence
                self.change_count += 1
            if self.level_head[level] == 0:
                self._drop_level(level)
        self.touched_count = 0
        return True

    def _sort_touched(self) -> bool:
        """Put the touched levels in feed order: bids from high to low, then offers from low to high."""
        if self.touched_count > 64:
            self._sort_many()
            return True
        for index in range(1, self.touched_count):
            level = self.touched[index]
            side = self.level_side[level]
            rank = self.level_rank[level]
            at = index
            while at > 0:
                other = self.touched[at - 1]
                if self.level_side[other] < side:
                    break
                if self.level_side[other] == side and self.level_rank[other] > rank:
                    break
                self.touched[at] = other
                at -= 1
            self.touched[at] = level
        return True

    def _sort_many(self) -> None:
        placed = [
            (self.level_side[level], -self.level_rank[level], level)
            for level in (self.touched[index] for index in range(self.touched_count))
        ]
        for index, (_, _, level) in enumerate(sorted(placed)):
            self.touched[index] = level

    def changes(self) -> list[tuple[int, int, int, int]]:
        """Return the level changes as tuples ``(side, price, quantity, sequence)``; quantity 0: the level is gone."""
        found: list[tuple[int, int, int, int]] = []
        for index in range(self.change_count):
            at = index * CHANGE_WORDS
            found.append(
                (self.change_words[at], self.change_words[at + 1], self.change_words[at + 2], self.change_words[at + 3])
            )
        return found

    def change(self, index: int, column: int) -> int:
        """Return one column of one level change."""
        if not (0 <= index < self.change_count and 0 <= column < CHANGE_WORDS):
            raise IndexError(f"change {index}, column {column}: there are {self.change_count} changes")
        return self.change_words[index * CHANGE_WORDS + column]

    # What is shown.

    def best_bid(self) -> int:
        """Return the highest displayed bid in steps, 0 if there is none."""
        level = self._shown_level(BUY)
        return self.level_rank[level] * self.tick_steps if level else 0

    def best_offer(self) -> int:
        """Return the lowest displayed offer in steps, 0 if there is none."""
        level = self._shown_level(SELL)
        return -self.level_rank[level] * self.tick_steps if level else 0

    def _shown_level(self, side: int) -> int:
        """Return the best level that shows something, 0 if there is none: hidden orders alone show nothing."""
        level = self.best_level[side]
        while level and self.level_quantity[level] == 0:
            level = self._next_level(side, self.level_rank[level])
        return level

    def size_at(self, side: int, price: int) -> int:
        """Return the displayed quantity at *price*, 0 if nothing stands there."""
        level = self._level_at(side, price)
        return self.level_quantity[level] if level else 0

    def level_count(self, side: int) -> int:
        """Return how many levels *side* has, those of hidden orders included."""
        return self.level_counts[checked_side(side)]

    def levels(self, side: int, count: int = -1) -> list[tuple[int, int]]:
        """Return up to *count* levels ``(price, quantity)``, best first; all of them for a negative count.

        A level shows the sum of what its orders display; one of hidden orders alone is not among them.
        """
        found = []
        level = self.best_level[checked_side(side)]
        while level and count != 0:
            rank = self.level_rank[level]
            if self.level_quantity[level]:
                found.append((self._price(rank), self.level_quantity[level]))
                count -= 1
            level = self._next_level(side, rank)
        return found

    def prices(self, side: int) -> list[int]:
        """Return the price of every level of *side*, best first, those of hidden orders included."""
        found = []
        level = self.best_level[checked_side(side)]
        while level:
            rank = self.level_rank[level]
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
        offset = rank - self.base[side]
        if 0 <= offset < self.window_size:
            return self.windows[self.window_at[side] + offset]
        return self.far_levels[side].get(rank, 0)

    def _grow_levels(self) -> bool:
        first = len(self.level_rank)
        self.level_quantity = doubled(self.level_quantity)
        self.level_head = doubled(self.level_head)
        self.level_tail = doubled(self.level_tail)
        self.level_rank = doubled(self.level_rank)
        self.level_side = doubled(self.level_side)
        self.level_before = doubled(self.level_before)
        self.level_is_touched = doubled(self.level_is_touched)
        self.level_is_shown = doubled(self.level_is_shown)
        self.level_hidden = doubled(self.level_hidden)
        self.free_level = 0
        for level in range(len(self.level_rank) - 1, first - 1, -1):
            self.level_tail[level] = self.free_level
            self.free_level = level
        return True
