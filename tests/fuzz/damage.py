"""What is done to a frame, and what must hold of an adapter that is handed the result."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any

import attrs

from quotewright.feed import BookState, FeedAdapter, Source
from quotewright.kernel.codes import GAP, LAST_BIT, ROW_WORDS, WORD
from quotewright.kernel.rows import TapeBuffer
from quotewright.kernel.sink import TapeSink

INTERESTING = (
    *(b"NaN", b"Infinity", b"-Infinity", b"-1", b"-0", b"1e400", b"1e-400", b"0x1", b'""', b"null", b"true", b"[]"),
    *(b"{}", b"9" * 30, b"0." + b"0" * 40 + b"1", b"18446744073709551616", b"\xef\xbb\xbf", b"\x00", b"\xff\xfe"),
    *(b'"\\ud800"', b'"\\u0000"', b"[" * 2_000, b'{"a":' * 500, b'"' * 3, b"\\", b",", b":", b"[", b"]", b"{", b"}"),
)


@attrs.frozen
class Frame:
    """One message as it is handed to an adapter."""

    raw: bytes
    source: Source = "ws"
    url: str | None = None


@attrs.define
class Tally:
    """What became of the damaged frames of one adapter."""

    cuts: int = 0
    mutations: int = 0
    declared: int = 0
    """Frames that the adapter refused and counted."""
    taken: int = 0
    """Frames that were still frames, or none of the adapter's business."""
    other: int = 0
    """Anything else: an exception, half a message, a book that was written to by a refused frame."""
    first_fault: str = ""


def cuts(frame: bytes) -> Iterator[bytes]:
    """Yield *frame* cut after every byte."""
    for end in range(len(frame)):
        yield frame[:end]


def mutations(frame: bytes, others: Sequence[bytes], chance: random.Random, count: int) -> Iterator[bytes]:
    """Yield *count* damaged copies: bytes changed, spans doubled or dropped, odd values put in, frames joined."""
    for _ in range(count):
        made = bytearray(frame)
        for _ in range(chance.choice((1, 1, 1, 2, 4))):
            size = len(made)
            at = chance.randrange(size) if size else 0
            span = min(chance.choice((1, 1, 2, 4, 16, 64)), size - at)
            kind = chance.randrange(8)
            if kind == 0 and size:
                made[at] = chance.randrange(256)
            elif kind == 1 and size:
                made[at] ^= 1 << chance.randrange(8)
            elif kind == 2:
                del made[at : at + span]
            elif kind == 3:
                made[at:at] = made[at : at + span]
            elif kind == 4:
                made[at:at] = chance.choice(INTERESTING)
            elif kind == 5:
                made[at : at + span] = chance.choice(INTERESTING)
            elif kind == 6:
                other = chance.choice(others)
                start = chance.randrange(len(other)) if other else 0
                made[at:at] = other[start : start + span]
            else:
                made += chance.choice(others)
        yield bytes(made)


class Watch:
    """An adapter that has followed a session so far, and the checks around every damaged frame."""

    def __init__(self, make: Any, symbols: Sequence[str], opening: Sequence[Frame]) -> None:
        self.make = make
        self.symbols = symbols
        self.opening = opening
        self.begin()

    def begin(self) -> None:
        """Start anew with a fresh adapter that has seen the opening."""
        self.adapter: FeedAdapter = self.make()
        self.buffer = TapeBuffer(4096)
        self.sink = TapeSink(self.buffer, {symbol: (at, 8, 8) for at, symbol in enumerate(self.symbols)})
        for frame in self.opening:
            self.adapter.on_message(frame.raw, frame.source, frame.url, 1, self.sink)
        self.buffer.truncate(0)

    def take(self, frame: Frame, raw: bytes) -> tuple[str, str]:
        """Hand *raw* over in place of *frame*; return ``declared``, ``taken`` or ``other``, and what was wrong."""
        adapter = self.adapter
        before = adapter.counters.errors
        states = {symbol: (book.state, book.last_id) for symbol, book in adapter.books.items()}
        try:
            adapter.on_message(raw, frame.source, frame.url, 2, self.sink)
        except Exception as error:  # whatever comes out is what is looked for
            return "other", f"{type(error).__name__}: {error}"
        fault = self._fault(adapter.counters.errors > before, states)
        if fault:
            return "other", fault
        return ("declared", "") if adapter.counters.errors > before else ("taken", "")

    def _fault(self, is_refused: bool, states: dict[str, tuple[BookState, int]]) -> str:
        if self.sink.is_open:
            return "a message was left open"
        words, count = self.buffer.words, self.buffer.count
        if count and not words[(count - 1) * ROW_WORDS + WORD] & LAST_BIT:
            return "half a message was written"
        if not is_refused:
            return ""
        for symbol, book in self.adapter.books.items():
            state, last_id = states.get(symbol, (BookState.WAITING, 0))
            if book.state is BookState.SYNCHRONISED and state is not BookState.SYNCHRONISED:
                return f"a refused frame made the book of {symbol} good"
            if book.state is BookState.SYNCHRONISED and book.last_id != last_id:
                return f"a refused frame moved the good book of {symbol} on"
        kinds = {words[at * ROW_WORDS + WORD] & 255 for at in range(count)}
        levels = kinds & {1, 2, 3}
        return f"a refused frame wrote rows of kinds {sorted(kinds)}" if levels and GAP not in kinds else ""

    @property
    def is_disturbed(self) -> bool:
        """Whether the adapter is no longer as it stood after the opening."""
        return self.buffer.count > 0 or any(
            book.state is not BookState.SYNCHRONISED or book.buffer for book in self.adapter.books.values()
        )


def damage(watch: Watch, frames: Sequence[Frame], count: int, chance: random.Random) -> Tally:
    """Hand every cut of *frames* and *count* mutations of them to the adapter of *watch*."""
    tally = Tally()
    others = [frame.raw for frame in frames]
    share = -(-count // len(frames)) if count else 0
    for frame in frames:
        damaged = [(True, raw) for raw in cuts(frame.raw)]
        damaged += [(False, raw) for raw in mutations(frame.raw, others, chance, min(share, count - tally.mutations))]
        for is_cut, raw in damaged:
            if is_cut:
                tally.cuts += 1
            else:
                tally.mutations += 1
            what, fault = watch.take(frame, raw)
            setattr(tally, what, getattr(tally, what) + 1)
            if fault and not tally.first_fault:
                tally.first_fault = f"{fault}: {raw[:300]!r}"
            if watch.is_disturbed or what == "other":
                watch.begin()
    return tally
