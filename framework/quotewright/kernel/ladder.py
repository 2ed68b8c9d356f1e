"""The default book: a window of prices in an array around the market, everything farther away in a hash table."""

from __future__ import annotations

from array import array

from quotewright.errors import InputError
from quotewright.kernel.book import FULL_LEVELS, MAX_STEPS, BookModel
from quotewright.kernel.codes import (
    BID,
    GAP,
    LEVEL_DELETE,
    OFFER,
    ROW_WORDS,
    SNAPSHOT_BEGIN,
)
from quotewright.kernel.far_levels import FarLevels
from quotewright.kernel.rows import Rows

WINDOW = 4096
WIDEST = 65_536
NO_KEY = -0x4000_0000_0000_0000
FLUSH = 0x2000_0000_0000_0000
TOUCHED = 1
HAD_SNAPSHOT = 2
HAS_GAP = 4


class LadderSide:
    """One side of a book. A level's *key* is its price for bids and minus its price for offers: higher is better.

    Keys ``base .. base + window - 1`` are in the window: ``sizes`` by offset, and one bit each in ``words``, 32 to a
    word. All other keys are in ``far`` and lie below the window. While there is any level, the window holds the best.
    A side that works much in ``far`` gets a window four times as wide, up to ``widest``.
    """

    def __init__(self, side: int, window: int, widest: int) -> None:
        self.sign = 1 if side == BID else -1
        self.reach = 1 if side == BID else 3
        self.window = window
        self.widest = widest
        self.sizes = array("q", bytes(8 * window))
        self.words = array("q", bytes(8 * (window // 32)))
        self.moved_keys = array("q", bytes(8 * 64))
        self.moved_sizes = array("q", bytes(8 * 64))
        self.far = FarLevels()
        self.far_work = 0
        self.near_count = 0
        self.base = 0
        self.best = NO_KEY
        self.best_size = 0
        self.dropped = 0
        self.is_partial = False

    def put_outside(self, key: int, size: int) -> bool:
        """Set the size of a level that is not in the window; return False if the window has changed instead."""
        self.far_work += 1
        if self.far_work > self.window >> 2 and self.window < self.widest:
            self.widen()
            return False
        if size == 0:
            if key < self.base and self.far.count:
                self.far.pop(key)
            return True
        if key > self.best:
            self.move(key)
            return False
        if self.near_count + self.far.count >= FULL_LEVELS and self.is_too_far(key) and self.far.get(key) == 0:
            return self.drop()
        self.far.put(key, size)
        return True

    def is_too_far(self, key: int) -> bool:
        """Return whether *key* is worse than the best price by more than half of it."""
        return 2 * key < self.reach * self.best

    def drop(self) -> bool:
        """Count a level that is not kept."""
        self.dropped += 1
        self.is_partial = True
        return True

    def find_best(self, place: int) -> bool:
        """Find the best level at or below word *place* after the best one went."""
        while place >= 0:
            word = self.words[place]
            if word:
                offset = 32 * place + high_bit(word)
                self.best = self.base + offset
                self.best_size = self.sizes[offset]
                if offset < self.window >> 3 and self.far.count:
                    # The market has walked down to the edge: what comes next would be far.
                    self.move(self.best)
                return True
            place -= 1
        if self.far.count:
            best = self.far.best()
            self.best = best
            self.best_size = self.far.get(best)
            self.move(best)
        else:
            self.best = NO_KEY
            self.best_size = 0
        return True

    def move(self, key: int) -> bool:
        """Move the window so that *key* stands three quarters up in it."""
        count = self.take_window()
        self.refill(key, count)
        return True

    def widen(self) -> bool:
        """Make the window four times as wide, or as wide as it may be."""
        count = self.take_window()
        self.window = min(4 * self.window, self.widest)
        self.sizes = array("q", bytes(8 * self.window))
        self.words = array("q", bytes(8 * (self.window // 32)))
        self.far_work = 0
        self.refill(self.best if count else self.base, count)
        return True

    def refill(self, key: int, count: int) -> bool:
        """Put the *count* levels taken, and the far ones that now fit, into the empty window set around *key*."""
        old_base = self.base
        self.base = key - 3 * (self.window >> 2)
        index = 0
        while index < count:
            offset = self.moved_keys[index] - self.base
            if offset < 0:
                self.far.put(self.moved_keys[index], self.moved_sizes[index])
            else:
                self.place_level(offset, self.moved_sizes[index])
            index += 1
        if self.base < old_base and self.far.count:
            for far_key in self.far.keys_from(self.base):
                self.place_level(far_key - self.base, self.far.pop(far_key))
        return True

    def place_level(self, offset: int, size: int) -> bool:
        """Put a level into an empty place of the window."""
        bit = 1
        bit <<= offset & 31
        self.words[offset >> 5] |= bit
        self.sizes[offset] = size
        self.near_count += 1
        return True

    def take_window(self) -> int:
        """Empty the window into ``moved_keys`` and ``moved_sizes``, best first; return how many there were."""
        count = 0
        while len(self.moved_keys) < self.near_count:
            self.moved_keys = array("q", bytes(16 * len(self.moved_keys)))
            self.moved_sizes = array("q", bytes(16 * len(self.moved_sizes)))
        place = (self.window >> 5) - 1
        while self.near_count:
            word = self.words[place]
            while word:
                index = high_bit(word)
                bit = 1
                bit <<= index
                word &= ~bit
                offset = 32 * place + index
                self.moved_keys[count] = self.base + offset
                self.moved_sizes[count] = self.sizes[offset]
                self.sizes[offset] = 0
                count += 1
                self.near_count -= 1
            self.words[place] = 0
            place -= 1
        return count

    def clear(self) -> bool:
        """Forget every level."""
        self.take_window()
        self.far.clear()
        self.best = NO_KEY
        self.best_size = 0
        self.is_partial = False
        return True

    def size_of(self, key: int) -> int:
        """Return the size of a level, 0 if there is none."""
        offset = key - self.base
        if 0 <= offset < self.window:
            return self.sizes[offset]
        return self.far.get(key)

    def list_levels(self, count: int, sign: int) -> list[tuple[int, int]]:
        """Return up to *count* levels ``(sign * key, size)``, best first."""
        found: list[tuple[int, int]] = []
        if count < 0 or count > self.near_count + self.far.count:
            count = self.near_count + self.far.count
        left = min(count, self.near_count)
        place = (self.best - self.base) >> 5
        while left > 0:
            word = self.words[place]
            while word and left > 0:
                index = high_bit(word)
                bit = 1
                bit <<= index
                word &= ~bit
                offset = 32 * place + index
                found.append((sign * (self.base + offset), self.sizes[offset]))
                left -= 1
            place -= 1
        left = count - len(found)
        if left > 0:
            for far_key in sorted(self.far.keys_from(NO_KEY), reverse=True)[:left]:
                found.append((sign * far_key, self.far.get(far_key)))
        return found

    def sum_sizes(self, count: int, lowest: int) -> int:
        """Return the summed size of the best *count* levels whose key is *lowest* or better."""
        total = 0
        part = 0
        left = min(count, self.near_count)
        place = (self.best - self.base) >> 5
        is_done = False
        while left > 0 and not is_done:
            word = self.words[place]
            while word and left > 0:
                index = high_bit(word)
                bit = 1
                bit <<= index
                word &= ~bit
                offset = 32 * place + index
                if self.base + offset < lowest:
                    is_done = True
                    break
                part += self.sizes[offset]
                if part > FLUSH:
                    total = total + part
                    part = 0
                left -= 1
            place -= 1
        total = total + part
        left = count - self.near_count
        if left > 0 and not is_done and self.far.count:
            if left >= self.far.count:
                return total + self.far.sum_from(lowest)
            for far_key in sorted(self.far.keys_from(lowest), reverse=True)[:left]:
                total = total + self.far.get(far_key)
        return total


def high_bit(word: int) -> int:
    """Return the place of the highest bit set in *word*, 0 to 31."""
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


class Ladder(BookModel):
    """A book for the hot path: constant time per level near the market, constant time for the best quotes.

    Args:
        window: How many price steps a side keeps in its array at first, a power of two from 64 to 2**20. Levels
            farther away cost more time, never correctness; a step of the window costs 8 bytes a side.
        widest: How far the window may grow when much happens outside it, likewise.
    """

    def __init__(self, window: int = WINDOW, widest: int = WIDEST) -> None:
        super().__init__()
        if not 64 <= window <= 1 << 20 or window & (window - 1):
            raise InputError(f"ladder: window should be a power of two from 64 to {1 << 20}, was {window}")
        if not 64 <= widest <= 1 << 20 or widest & (widest - 1):
            raise InputError(f"ladder: widest should be a power of two from 64 to {1 << 20}, was {widest}")
        self.bids = LadderSide(BID, window, widest)
        self.offers = LadderSide(OFFER, window, widest)

    def apply(self, rows: Rows, first: int, last: int) -> bool:
        if first < 0 or last > rows.count:
            raise InputError(f"rows {first} to {last} should lie within the {rows.count} rows there are")
        found = self.take(rows.words, first * ROW_WORDS, last * ROW_WORDS)
        if found == 0:
            return False
        is_moved = self.show_best()
        self.settle(found & HAD_SNAPSHOT != 0, found & HAS_GAP != 0)
        return is_moved

    def take(self, words: memoryview[int] | array[int], at: int, end: int) -> int:
        """Apply the rows in ``words[at:end]``; return what was among them."""
        # Every level goes through this loop; a call for each would cost as much as the level itself. Venues tell all
        # levels of one side, then all of the other, so that the side is looked up where it changes.
        found = 0
        held = BID
        one = self.bids
        while at < end:
            word = words[at + 5]
            kind = word & 255
            if kind == 0 or kind > LEVEL_DELETE:
                if kind == SNAPSHOT_BEGIN:
                    self.bids.clear()
                    self.offers.clear()
                    found = TOUCHED | HAD_SNAPSHOT
                elif kind == GAP:
                    found |= TOUCHED | HAS_GAP
                at += ROW_WORDS
                continue
            side = (word >> 8) & 255
            price = words[at + 2]
            size = words[at + 3]
            if kind == LEVEL_DELETE:
                size = 0
            if price < 1 or price > MAX_STEPS or size < 0 or size > MAX_STEPS:
                self.show_best()
                self.refuse_row(at // ROW_WORDS, side, price, size)
            if side != held:
                if side < BID or side > OFFER:
                    self.show_best()
                    self.refuse_row(at // ROW_WORDS, side, price, size)
                held = side
                one = self.bids if side == BID else self.offers
            key = price * one.sign
            offset = key - one.base
            if offset < 0 or offset >= one.window:
                if one.put_outside(key, size):
                    found |= TOUCHED
                    at += ROW_WORDS
                continue
            found |= TOUCHED
            at += ROW_WORDS
            old = one.sizes[offset]
            if size:
                if old == 0:
                    count = one.near_count
                    if count + one.far.count >= FULL_LEVELS and one.is_too_far(key):
                        one.drop()
                        continue
                    bit = 1
                    bit <<= offset & 31
                    one.words[offset >> 5] |= bit
                    one.near_count = count + 1
                one.sizes[offset] = size
                if key >= one.best:
                    one.best = key
                    one.best_size = size
            elif old:
                one.sizes[offset] = 0
                place = offset >> 5
                bit = 1
                bit <<= offset & 31
                one.words[place] &= ~bit
                count = one.near_count
                one.near_count = count - 1
                if key == one.best:
                    one.find_best(place)
        return found

    def show_best(self) -> bool:
        """Copy the best quotes of both sides to the fields everybody reads; return whether they differ."""
        bid = 0
        offer = 0
        if self.bids.near_count:
            bid = self.bids.best
        if self.offers.near_count:
            offer = -self.offers.best
        is_moved = (
            bid != self.best_bid
            or offer != self.best_offer
            or self.bids.best_size != self.best_bid_size
            or self.offers.best_size != self.best_offer_size
        )
        self.best_bid = bid
        self.best_offer = offer
        self.best_bid_size = self.bids.best_size
        self.best_offer_size = self.offers.best_size
        self.dropped = self.bids.dropped + self.offers.dropped
        self.is_partial = self.bids.is_partial or self.offers.is_partial
        return is_moved

    def size_at(self, side: int, price: int) -> int:
        if price < 1 or price > MAX_STEPS:
            return 0
        return self.bids.size_of(price) if side == BID else self.offers.size_of(-price)

    def levels(self, side: int, count: int) -> list[tuple[int, int]]:
        return self.bids.list_levels(count, 1) if side == BID else self.offers.list_levels(count, -1)

    def level_count(self, side: int) -> int:
        one = self.bids if side == BID else self.offers
        return one.near_count + one.far.count

    def volume(self, side: int, count: int) -> int:
        one = self.bids if side == BID else self.offers
        if count < 0:
            count = one.near_count + one.far.count
        return one.sum_sizes(count, NO_KEY)

    def volume_until(self, side: int, price: int) -> int:
        one = self.bids if side == BID else self.offers
        return one.sum_sizes(one.near_count + one.far.count, price if side == BID else -price)
