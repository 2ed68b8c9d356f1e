"""The levels of one side that lie outside a ladder's window: a hash table of plain numbers.

A dict of ints would do the same; each of its look-ups follows four pointers into memory that the market has long left
behind, here it is one line of the cache.
"""

from __future__ import annotations

from array import array

LEAST = 64
"""Places in an empty table."""
LOW_BITS = 0x3FFF_FFFF
FLUSH = 0x2000_0000_0000_0000
SPREADER = 739_982_445
"""An odd number below 2**30: products with numbers of 30 bits stay within 64."""


class FarLevels:
    """Sizes by key, the key any 64-bit number; ``count`` levels are there.

    ``table`` holds key and size of each place in turn. A place whose size is -1 is free; one whose size is 0 held a
    level that is gone, and is still passed in a search. There are always free places.
    """

    def __init__(self) -> None:
        self.count = 0
        self.used = 0
        self.places = LEAST
        self.table = free_table(LEAST)

    def at(self, key: int) -> int:
        """Return where in the table *key* is, or where it would go."""
        mixed = ((key ^ (key >> 29)) & LOW_BITS) * SPREADER
        last = self.places - 1
        place = (mixed >> 14) & last
        while self.table[2 * place + 1] >= 0 and self.table[2 * place] != key:
            place = (place + 1) & last
        return 2 * place

    def get(self, key: int) -> int:
        """Return the size of the level at *key*, 0 if there is none."""
        size = self.table[self.at(key) + 1]
        return size if size > 0 else 0

    def put(self, key: int, size: int) -> bool:
        """Set the size of the level at *key*, above 0; return whether it is a new one."""
        index = self.at(key)
        before = self.table[index + 1]
        if before < 0:
            if 8 * self.used >= 5 * self.places:
                self.lay()
                index = self.at(key)
            self.used += 1
            self.table[index] = key
        self.table[index + 1] = size
        if before > 0:
            return False
        self.count += 1
        return True

    def pop(self, key: int) -> int:
        """Take the level at *key* away and return its size, 0 if there is none."""
        index = self.at(key)
        size = self.table[index + 1]
        if size <= 0:
            return 0
        self.table[index + 1] = 0
        self.count -= 1
        return size

    def lay(self) -> bool:
        """Make a table without the levels that are gone, at least twice as large as those that are left need."""
        old = self.table
        end = 2 * self.places
        while self.places > LEAST and 8 * self.count < self.places:
            self.places >>= 1
        while 2 * self.count >= self.places:
            self.places <<= 1
        self.table = free_table(self.places)
        self.used = self.count
        index = 0
        while index < end:
            if old[index + 1] > 0:
                found = self.at(old[index])
                self.table[found] = old[index]
                self.table[found + 1] = old[index + 1]
            index += 2
        return True

    def clear(self) -> bool:
        """Forget every level."""
        if self.used:
            self.places = LEAST
            self.table = free_table(LEAST)
            self.used = 0
            self.count = 0
        return True

    def best(self) -> int:
        """Return the highest key; asked only where there is one."""
        found = 0
        is_found = False
        index = 0
        while index < 2 * self.places:
            if self.table[index + 1] > 0 and (not is_found or self.table[index] > found):
                found = self.table[index]
                is_found = True
            index += 2
        return found

    def sum_from(self, lowest: int) -> int:
        """Return the summed size of all levels at or above *lowest*."""
        total = 0
        part = 0
        index = 0
        while index < 2 * self.places:
            if self.table[index + 1] > 0 and self.table[index] >= lowest:
                part += self.table[index + 1]
                if part > FLUSH:
                    total = total + part
                    part = 0
            index += 2
        return total + part

    def keys_from(self, lowest: int) -> list[int]:
        """Return the keys at or above *lowest*, in any order; the same history gives the same one."""
        found = []
        index = 0
        while index < 2 * self.places:
            if self.table[index + 1] > 0 and self.table[index] >= lowest:
                found.append(self.table[index])
            index += 2
        return found


def free_table(places: int) -> array[int]:
    """Return a table of so many free places."""
    return array("q", (0, -1)) * places
