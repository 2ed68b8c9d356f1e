"""The checksum that OKX sent with its books until mid 2026, and the texts of the levels that it is made of."""

from __future__ import annotations

from bisect import bisect_left
from decimal import Decimal, InvalidOperation
from zlib import crc32

import msgspec

from quotewright.feed import BadFrame
from quotewright_plugins.exchanges.okx.messages import LEVELS

DEPTH = 25
"""How many levels of each side are summed."""
_FLOAT_DIGITS = 15
"""Decimals of so many digits are told apart, and sorted, by their binary floats."""

Key = float | Decimal


class _Side:
    """One side: the keys of its prices in rising order, and of each the text ``price:size``."""

    __slots__ = ("keys", "texts")

    def __init__(self) -> None:
        self.keys: list[Key] = []
        self.texts: dict[Key, str] = {}

    def apply(self, levels: msgspec.Raw) -> None:
        """Set or delete every level of a JSON array; deleting an unknown one does nothing."""
        keys, texts = self.keys, self.texts
        for level in LEVELS.decode(levels):
            if len(level) < 2:
                raise BadFrame("shape", "a level should be [price, size, …]")
            price, size = level[0], level[1]
            key = _key(price)
            if size.strip("0.") or "0" not in size:
                if key not in texts:
                    place = bisect_left(keys, key)
                    keys.insert(place, key)
                texts[key] = f"{price}:{size}"
            elif texts.pop(key, None) is not None:
                del keys[bisect_left(keys, key)]


def _key(price: str) -> Key:
    try:
        key: Key = float(price) if len(price) <= _FLOAT_DIGITS else Decimal(price)
        is_good = 0 < key < float("inf")
    except (ValueError, InvalidOperation):
        is_good = False
    if not is_good:
        raise BadFrame("number", f"a price should be a positive decimal number, was {price[:40]!r}")
    return key


class Texts:
    """The levels of one book as the venue wrote them."""

    __slots__ = ("asks", "bids")

    def __init__(self) -> None:
        self.bids = _Side()
        self.asks = _Side()

    def apply(self, bids: msgspec.Raw, asks: msgspec.Raw) -> None:
        self.bids.apply(bids)
        self.asks.apply(asks)

    def checksum(self) -> int:
        """Return the checksum of the best levels, signed as the venue sends it."""
        bids = [self.bids.texts[key] for key in self.bids.keys[: -DEPTH - 1 : -1]]
        asks = [self.asks.texts[key] for key in self.asks.keys[:DEPTH]]
        return signed_crc(bids, asks)


def signed_crc(bids: list[str], asks: list[str]) -> int:
    """Return the checksum of levels written ``price:size``, best first; the longer side goes on alone."""
    both = min(len(bids), len(asks))
    texts = [text for pair in zip(bids, asks, strict=False) for text in pair]
    texts += bids[both:]
    texts += asks[both:]
    sum = crc32(":".join(texts).encode())
    return sum - (1 << 32) if sum >> 31 else sum
