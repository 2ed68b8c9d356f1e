"""Book updates from the bytes of a frame to tape rows in one pass: the plain case of every venue.

Nearly every frame of a book's stream looks like the one before: the same keys in the same order, plain numbers, an
update that follows the last one. A reader takes those and nothing else. Whatever is unusual (another key, a space, an
exponent, a gap) it leaves alone, nothing written, for the adapter's full decoder to judge; so a reader can make an
adapter quicker and never make it say something else.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

from quotewright.kernel.codes import (
    BID,
    EVENT_ESTIMATED,
    FLAG_SHIFT,
    INSTRUMENT_SHIFT,
    LAST_BIT,
    LEVEL_DELETE,
    LEVEL_SET,
    NOT_READ,
    OFFER,
    ROW_WORDS,
    SIDE_SHIFT,
)
from quotewright.kernel.layouts import (
    BIDS,
    DEPTH,
    EVENT,
    FIRST,
    KEY_WORDS,
    KIND,
    LAST,
    LINKS,
    MICROSECONDS_FROM,
    NAME,
    NAME_LENGTH,
    OPEN_ONE,
    OVERLAPS,
    PREVIOUS,
    QUOTED,
    SENT,
    SEQUENCE,
    SYMBOL,
    VALUE,
    VALUE_LENGTH,
    WORD,
    ZERO,
    UpdateLayout,
)
from quotewright.kernel.rows import TapeBuffer
from quotewright.kernel.scanner import Scanner
from quotewright.kernel.sink import TapeSink

if TYPE_CHECKING:
    from quotewright.tape.sink import Sink

MAX_DEPTH = 6
MAX_ROUTES = 20_000


class Tally:
    """The counters of an adapter that a reader raises."""

    def __init__(self) -> None:
        self.messages = 0
        self.updates = 0


class Chain:
    """The part of a book's sequencing that a reader asks and moves on; see :class:`quotewright.feed.FeedBook`."""

    def __init__(self) -> None:
        self.state: object = None
        self.last_id = 0
        """Of the last update or snapshot that was applied."""
        self.is_joining = False
        """The first update after a snapshot is still to come; its rule may differ."""
        self.stale_run = 0
        """How many updates in a row were older than the book."""
        self.messages = 0
        """Snapshots and updates that came for this book, whatever became of them."""
        self.stamp = 0
        """Of the last update, where the venue's rules ask for it: when it happened, and its second counter."""
        self.sequence = 0


class Route:
    """One stream of one book."""

    def __init__(self, symbol: str, chain: Chain) -> None:
        self.symbol = symbol
        self.chain = chain
        self.symbol_text = symbol.encode()
        self.sink: TapeSink | None = None
        self.listings = 0
        self.word = 0
        self.price_decimals = 0
        self.size_decimals = 0


class UpdateReader:
    """Reads the plain book updates of one adapter; see the module.

    Args:
        layout: How the venue writes them.
        tally: The adapter's counters.
        good: The state of a book (the object itself) in which updates are applied.
        limit: The longest frame that is taken.
    """

    def __init__(self, layout: UpdateLayout, tally: Tally, good: object, limit: int = 8 << 20) -> None:
        self.limit = limit
        self.layout = layout
        self.tally = tally
        self.good = good
        self.routes: dict[bytes, Route] = {}
        self.scanner = Scanner()
        self.at = 0
        self.number = 0
        self.values = array("q", bytes(8 * 16))
        self.taken = 0

    def prefix(self, data: bytes, text: bytes, end: int) -> int:
        """Return where the stream's own beginning of a frame ends, 0 if it has too few quotation marks.

        That it begins as the layout says is not looked at: of a frame that does not, the beginning was never learnt.
        """
        left = self.layout.quotes
        at = self.layout.start_length
        while at < end:
            if text[at] == 34:
                left -= 1
                if left == 0:
                    return at + 1
            at += 1
        return 0

    def learn(self, frame: bytes, symbol: str, chain: Chain) -> bool:
        """Read frames that begin like *frame*, an update of *symbol* that the adapter has taken, from now on."""
        if not frame.startswith(self.layout.start):
            return False
        end = self.prefix(frame, frame, len(frame))
        if end == 0 or b"\\" in frame[:end]:
            return False
        key = frame[:end]
        known = self.routes.get(key)
        if known is not None and known.chain is chain and known.symbol == symbol:
            return True
        if len(self.routes) >= MAX_ROUTES:
            return False
        self.routes[key] = Route(symbol, chain)
        return True

    def forget(self, chain: Chain) -> bool:
        """Leave the updates of *chain* alone until one of them is learnt again."""
        for key in list(self.routes):
            route = self.routes[key]
            if route.chain is chain:
                del self.routes[key]
        return True

    def take(self, frame: bytes | memoryview, receive_ns: int, sink: Sink) -> bool:
        """Write the update that *frame* holds and move its book on; False, and nothing done, if it is not plain.

        Plain is what comes as bytes and goes to a :class:`TapeSink` itself.
        """
        if type(frame) is not bytes or type(sink) is not TapeSink:
            return False
        return self.read_update(frame, receive_ns, sink)

    def read_update(self, frame: bytes, receive_ns: int, sink: TapeSink) -> bool:
        """Do what :meth:`take` says with what is of the right types."""
        end = len(frame)
        if end > self.limit:
            return False
        at = self.prefix(frame, frame, end)
        if at == 0:
            return False
        route = self.routes.get(frame[:at])
        if route is None:
            return False
        chain = route.chain
        if chain.state is not self.good or chain.is_joining or sink.is_open:
            return False
        if (route.sink is not sink or route.listings != sink.listings) and not self.bind(route, sink):
            return False
        buffer = sink.buffer
        start = buffer.count
        if not self.read(frame, frame, at, end, route, buffer) or not self.follows(chain):
            buffer.truncate(start)
            return False
        stamp = self.values[EVENT] if self.values[EVENT] else self.values[SENT]
        if self.values[EVENT] > self.layout.latest or self.values[SENT] > self.layout.latest:
            buffer.truncate(start)
            return False
        event_ns = stamp * 1_000_000 if stamp < MICROSECONDS_FROM else stamp * 1_000
        word = route.word
        if event_ns == 0:
            event_ns = receive_ns
            flag = EVENT_ESTIMATED
            word |= flag << FLAG_SHIFT
        last_id = self.values[LAST]
        count = buffer.count
        if count > start:
            at = start * ROW_WORDS
            end = count * ROW_WORDS
            while at < end:
                buffer.store[at] = event_ns
                buffer.store[at + 1] = receive_ns
                buffer.store[at + 4] = last_id
                buffer.store[at + 5] |= word
                at += ROW_WORDS
            buffer.store[end - 1] |= LAST_BIT
        chain.last_id = last_id
        chain.stamp = stamp
        chain.sequence = self.values[SEQUENCE]
        chain.stale_run = 0
        chain.messages += 1
        self.tally.messages += 1
        self.tally.updates += 1
        self.taken += 1
        return True

    def bind(self, route: Route, sink: TapeSink) -> bool:
        """Look up what *sink* knows of the route's symbol; False if it does not list it."""
        listed = sink.listed.get(route.symbol)
        if listed is None:
            return False
        word = listed.instrument
        word <<= INSTRUMENT_SHIFT
        route.word = word
        route.price_decimals = listed.price_decimals
        route.size_decimals = listed.size_decimals
        route.sink = sink
        route.listings = sink.listings
        return True

    def follows(self, chain: Chain) -> bool:
        """Return whether the update that was read follows what *chain* knows."""
        known = chain.last_id
        last = self.values[LAST]
        rule = self.layout.rule
        if rule == OVERLAPS:
            return self.values[FIRST] - 1 <= known < last
        if rule == LINKS:
            return self.values[PREVIOUS] == known < last and self.values[FIRST] <= last
        return last - 1 == known

    def read(self, data: bytes, text: bytes, at: int, end: int, route: Route, buffer: TapeBuffer) -> bool:
        """Read the keys from *at* on; levels become rows that lack stamps, ids and flags. *text* is *data* again."""
        layout = self.layout
        names = layout.names
        last_key = layout.count * KEY_WORDS
        self.values[FIRST] = 0
        self.values[PREVIOUS] = 0
        self.values[EVENT] = 0
        self.values[SENT] = 0
        self.values[SEQUENCE] = 0
        depth = layout.depth
        arrays = 0
        seen = 0
        found = 0
        place = 0
        is_start = False
        while True:
            if at >= end:
                return False
            code = text[at]
            if code == 125:
                if is_start:
                    return False
                at += 1
                if arrays & (1 << depth):
                    if at >= end or text[at] != 93:
                        return False
                    arrays ^= 1 << depth
                    at += 1
                depth -= 1
                if depth == 0:
                    break
                continue
            if is_start:
                is_start = False
            else:
                if code != 44:
                    return False
                at += 1
                if at >= end:
                    return False
                code = text[at]
            if code != 34:
                return False
            at += 1
            start = at
            while at < end and text[at] != 34:
                at += 1
            if at + 2 >= end or text[at + 1] != 58:
                return False
            # Keys mostly come in the order of the layout.
            tried = 0
            while layout.keys[place + DEPTH] != depth or not is_same(
                text, start, at, names, layout.keys[place + NAME], layout.keys[place + NAME_LENGTH]
            ):
                place += KEY_WORDS
                if place == last_key:
                    place = 0
                tried += KEY_WORDS
                if tried == last_key:
                    return False
            at += 2
            bit = place // KEY_WORDS
            bit = 1 << bit
            if seen & bit:
                return False
            seen |= bit
            kind = layout.keys[place + KIND]
            found |= 1 << kind
            if kind >= BIDS:
                if kind != layout.first_side and not found & 1 << layout.first_side:
                    return False
                at = self.levels(data, text, at, end, BID if kind == BIDS else OFFER, route, buffer)
                if at == 0:
                    return False
            elif kind >= FIRST:
                at = self.whole(text, at, end, layout.keys[place + QUOTED] != 0)
                if at == 0:
                    return False
                if kind == ZERO:
                    if self.number:
                        return False
                else:
                    self.values[kind] = self.number
            elif kind <= OPEN_ONE:
                if kind == OPEN_ONE:
                    if text[at] != 91:
                        return False
                    at += 1
                depth += 1
                if depth >= MAX_DEPTH or at >= end or text[at] != 123:
                    return False
                if kind == OPEN_ONE:
                    arrays |= 1 << depth
                at += 1
                is_start = True
            else:
                start = at + 1
                at = self.string(text, at, end)
                if at == 0:
                    return False
                if kind == SYMBOL:
                    if not is_same(text, start, at - 1, route.symbol_text, 0, len(route.symbol_text)):
                        return False
                elif kind == WORD and not is_same(
                    text, start, at - 1, names, layout.keys[place + VALUE], layout.keys[place + VALUE_LENGTH]
                ):
                    return False
            place += KEY_WORDS
            if place == last_key:
                place = 0
        return at == end and found & layout.needed == layout.needed

    def string(self, text: bytes, at: int, end: int) -> int:
        """Return where the plain string at *at* ends, 0 if it is none or holds anything but printable ASCII."""
        if at >= end or text[at] != 34:
            return 0
        at += 1
        while at < end:
            code = text[at]
            at += 1
            if code == 34:
                return at
            if code < 32 or code > 126 or code == 92:
                return 0
        return 0

    def whole(self, text: bytes, at: int, end: int, is_quoted: bool) -> int:
        """Read the whole number at *at* into ``number``; return where it ends, 0 if it is none."""
        if is_quoted:
            if at >= end or text[at] != 34:
                return 0
            at += 1
        start = at
        value = 0
        while at < end and at - start < 18:
            digit = text[at] - 48
            if digit < 0 or digit > 9:
                break
            value = value * 10 + digit
            at += 1
        if at == start or at >= end or (text[start] == 48 and at > start + 1):
            return 0
        if is_quoted:
            if text[at] != 34:
                return 0
            at += 1
        elif text[at] != 44 and text[at] != 125:
            return 0
        self.number = value
        return at

    def levels(self, data: bytes, text: bytes, at: int, end: int, side: int, route: Route, buffer: TapeBuffer) -> int:
        """Write the levels of the array at *at* as rows; return where it ends, 0 if anything in it is unusual."""
        scanner = self.scanner
        has_actions = self.layout.has_actions
        price_decimals = route.price_decimals
        size_decimals = route.size_decimals
        set_word = side << SIDE_SHIFT
        delete_word = set_word | LEVEL_DELETE
        set_word |= LEVEL_SET
        if at + 1 >= end or text[at] != 91:
            return 0
        at += 1
        if text[at] == 93:
            return at + 1
        room = len(buffer.store)
        target = buffer.count * ROW_WORDS
        while True:
            if at >= end or text[at] != 91:
                return 0
            at += 1
            is_delete = False
            if has_actions:
                start = at + 1
                at = self.string(text, at, end)
                if at == 0 or at >= end or text[at] != 44:
                    return 0
                is_delete = is_same(text, start, at - 1, b"delete", 0, 6)
                if (
                    not is_delete
                    and not is_same(text, start, at - 1, b"change", 0, 6)
                    and not is_same(text, start, at - 1, b"new", 0, 3)
                ):
                    return 0
                at += 1
            is_quoted = at < end and text[at] == 34
            if is_quoted:
                at += 1
            price = scanner.digits(text, at, end, price_decimals)
            if price == NOT_READ or price <= 0:
                return 0
            start = at
            at = scanner.at
            if not is_plain(text, start, end):
                return 0
            if is_quoted:
                if at >= end or text[at] != 34:
                    return 0
                at += 1
            if at >= end or text[at] != 44:
                return 0
            at += 1
            is_quoted = at < end and text[at] == 34
            if is_quoted:
                at += 1
            size = scanner.digits(text, at, end, size_decimals)
            if size == NOT_READ or size < 0:
                return 0
            start = at
            at = scanner.at
            if not is_plain(text, start, end):
                return 0
            if is_quoted:
                if at >= end or text[at] != 34:
                    return 0
                at += 1
            while at < end and text[at] == 44:
                at = self.string(text, at + 1, end)
                if at == 0:
                    return 0
            if at + 1 >= end or text[at] != 93:
                return 0
            at += 1
            if is_delete:
                size = 0
            if target + ROW_WORDS > room:
                buffer.grow()
                room = len(buffer.store)
            buffer.store[target + 2] = price
            buffer.store[target + 3] = size
            buffer.store[target + 5] = set_word if size else delete_word
            target += ROW_WORDS
            code = text[at]
            at += 1
            if code == 93:
                break
            if code != 44:
                return 0
        buffer.count = target // ROW_WORDS
        return at


def is_same(text: bytes, at: int, end: int, other: bytes, other_at: int, length: int) -> bool:
    """Return whether the bytes from *at* to *end* are the *length* bytes of *other* from *other_at* on."""
    if end - at != length:
        return False
    while at < end:
        if text[at] != other[other_at]:
            return False
        at += 1
        other_at += 1
    return True


def is_plain(text: bytes, at: int, end: int) -> bool:
    """Return whether the number at *at* is written as JSON wants it: no minus, no zero in front, no bare point."""
    if at >= end or text[at] == 45:
        return False
    return not (text[at] == 48 and at + 1 < end and 48 <= text[at + 1] <= 57)
