"""How a venue writes the updates of its books: what a reader of plain updates expects, key by key."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from quotewright.errors import InputError

# What a key's value is.
OPEN = 0
"""An object; its keys are one level deeper."""
OPEN_ONE = 1
"""An array of exactly one object."""
SYMBOL = 2
WORD = 3
"""A string that says this is an update; any other makes the frame unusual."""
TEXT = 4
"""A string that does not matter."""
FIRST = 5
"""Whole numbers from here: the first and the last id of the update, the last id of the one before."""
LAST = 6
PREVIOUS = 7
EVENT = 8
"""When it happened, in ms or, from 9.2e12 on, in microseconds."""
SENT = 9
"""When it was sent: stands in where nothing says when it happened."""
NUMBER = 10
"""A whole number that does not matter."""
ZERO = 11
"""The number 0; any other makes the frame unusual."""
SEQUENCE = 12
"""A second counter, which the chain keeps beside the id of the last update."""
BIDS = 13
OFFERS = 14

KINDS = {
    "open": OPEN,
    "open_one": OPEN_ONE,
    "symbol": SYMBOL,
    "word": WORD,
    "text": TEXT,
    "first": FIRST,
    "last": LAST,
    "previous": PREVIOUS,
    "event": EVENT,
    "sent": SENT,
    "number": NUMBER,
    "zero": ZERO,
    "sequence": SEQUENCE,
    "bids": BIDS,
    "offers": OFFERS,
}

# How an update follows the one before.
OVERLAPS = 0
"""``first <= last known + 1 <= last``."""
LINKS = 1
"""``previous == last known < last``."""
COUNTS = 2
"""``last == last known + 1``."""

RULES = {"overlaps": OVERLAPS, "links": LINKS, "counts": COUNTS}

# What a layout keeps of each key: kind, depth, whether a number is quoted, and where its name and value stand.
KIND = 0
DEPTH = 1
QUOTED = 2
NAME = 3
NAME_LENGTH = 4
VALUE = 5
VALUE_LENGTH = 6
KEY_WORDS = 7

MAX_KEYS = 32
MICROSECONDS_FROM = 9_200_000_000_000
LATEST_STAMP = 9_200_000_000_000_000


class UpdateLayout:
    """How a venue's book updates are written.

    Args:
        start: What frames begin with; any other is unusual.
        quotes: A stream's frames are alike up to their n-th quotation mark; what follows is read.
        depth: How many objects are open there.
        keys: The keys that may follow as (name, depth, kind): depth counts open objects, kind is one of ``KINDS``.
            A name may stand only once in a frame. A key of kind ``word`` carries its value: ``type=delta``. A whole
            number that the venue puts into quotation marks has the kind ``quoted event``. Bids and offers come in
            the order in which they are listed here, which is that of the rows.
        rule: How an update follows the one before: one of ``RULES``.
        needed: Kinds without which a frame is unusual; ids, symbol and both sides as the venue has them.
        has_actions: Levels are written ``[word, price, size]``, the word ``delete`` deletes.
        latest: The latest time that is not unusual.
    """

    def __init__(
        self,
        start: bytes,
        quotes: int,
        depth: int,
        keys: Sequence[tuple[str, int, str]],
        rule: str,
        needed: Sequence[str],
        has_actions: bool = False,
        latest: int = LATEST_STAMP,
    ) -> None:
        if not 0 < len(keys) <= MAX_KEYS:
            raise InputError(f"a layout should have 1 to {MAX_KEYS} keys, was {len(keys)}")
        if rule not in RULES:
            raise InputError(f"rule should be one of {', '.join(RULES)}, was {rule!r}")
        if not 0 <= latest <= LATEST_STAMP:
            raise InputError(f"latest should be 0 to {LATEST_STAMP}, was {latest}")
        self.start = start
        self.start_length = len(start)
        self.quotes = quotes - start.count(b'"')
        """How many quotation marks are still to come behind the start."""
        if self.quotes < 1:
            raise InputError(f"frames should go on behind {start!r} up to quotation mark {quotes}")
        self.depth = depth
        self.latest = latest
        self.rule = RULES[rule]
        self.has_actions = has_actions
        self.count = len(keys)
        self.keys = array("q", bytes(8 * KEY_WORDS * self.count))
        self.needed = 0
        names = b""
        for kind in needed:
            self.needed |= 1 << KINDS[kind]
        for place, (name, at_depth, told) in enumerate(keys):
            kind = told.removeprefix("quoted ")
            if kind not in KINDS:
                raise InputError(f"{name}: kind should be one of {', '.join(KINDS)}, was {kind!r}")
            key, _, word = name.partition("=")
            at = place * KEY_WORDS
            self.keys[at + KIND] = KINDS[kind]
            self.keys[at + DEPTH] = at_depth
            self.keys[at + QUOTED] = int(kind != told)
            self.keys[at + NAME] = len(names)
            self.keys[at + NAME_LENGTH] = len(key)
            self.keys[at + VALUE] = len(names) + len(key)
            self.keys[at + VALUE_LENGTH] = len(word)
            names += key.encode("ascii") + word.encode("ascii")
        self.names = names
        if len({name.partition("=")[0] for name, _, _ in keys}) != self.count:
            raise InputError("a layout should name each key once")
        sides = [kind for _, _, kind in keys if kind in ("bids", "offers")]
        if len(sides) != 2 or sides[0] == sides[1]:
            raise InputError("a layout should have one key for bids and one for offers")
        self.first_side = KINDS[sides[0]]
