"""One list of instruments for several tapes, and the exact way from each tape's rows to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from quotewright.errors import InputError
from quotewright.kernel.codes import (
    BEST_QUOTE,
    INSTRUMENT_CHANGE,
    INSTRUMENT_SHIFT,
    LAST,
    LEVEL_SET,
    LIQUIDATION,
    OPEN_INTEREST,
    PRICE,
    ROW_WORDS,
    SIZE,
    WORD,
    pack,
)
from quotewright.kernel.rows import TapeBuffer
from quotewright.tape.tape import MemoryTape, Tape, TapeInfo

if TYPE_CHECKING:
    from quotewright.model.instrument import Instrument

    Words = np.ndarray[Any, np.dtype[np.int64]]

SAME = ("symbol", "venue", "kind", "base", "quote", "settle", "contract_size", "is_inverse", "tick_table")
"""What must be the same of an instrument on every tape; tick and lot may change from one to the next."""
OF_FIRST = ("min_quantity", "max_quantity", "min_notional")
MASK = (1 << INSTRUMENT_SHIFT) - 1


@attrs.frozen(eq=False)
class Part:
    """One tape among those that are joined: its instruments' ids in the joined list, and their steps.

    *price_factors* and *size_factors* say by its own ids how many joined steps one of its steps is.
    """

    tape: Tape
    numbers: Words
    price_factors: Words
    size_factors: Words

    @property
    def is_plain(self) -> bool:
        """Whether the tape's rows can be read as they are."""
        is_scaled = (self.price_factors != 1).any() or (self.size_factors != 1).any()
        return not is_scaled and bool((self.numbers == np.arange(len(self.numbers))).all())

    def keys(self, first: int, last: int) -> Words:
        """Return the receive time of the message of each row ``[first, last)``; *first* begins a message."""
        array = self.tape.array[first:last]
        is_start = np.empty(last - first, bool)
        is_start[0] = True
        is_start[1:] = array["flags"][:-1] & LAST != 0
        starts = np.maximum.accumulate(np.where(is_start, np.arange(last - first), 0))
        found: Words = array["receive_ns"][starts]
        return found

    def words(self, first: int, last: int) -> Words:
        """Return copies of rows ``[first, last)`` as the joined tape has them, six words each."""
        flat = self.tape.array[first:last].view(np.int64)
        return self._joined(flat.reshape(-1, ROW_WORDS).copy())

    def picked(self, numbers: Words) -> Words:
        """Return copies of the rows of these numbers as the joined tape has them."""
        return self._joined(self.tape.array[numbers].view(np.int64).reshape(-1, ROW_WORDS))

    def _joined(self, words: Words) -> Words:
        word = words[:, WORD]
        own = word >> INSTRUMENT_SHIFT
        kinds = word & 0xFF
        words[:, WORD] = word & MASK | self.numbers[own] << INSTRUMENT_SHIFT
        is_level = (
            ((kinds >= LEVEL_SET) & (kinds <= BEST_QUOTE)) | (kinds == LIQUIDATION) | (kinds == INSTRUMENT_CHANGE)
        )
        self._scale(words, PRICE, np.where(is_level, self.price_factors[own], 1))
        self._scale(words, SIZE, np.where(is_level | (kinds == OPEN_INTEREST), self.size_factors[own], 1))
        return words

    def _scale(self, words: Words, column: int, factors: Words) -> None:
        if (factors == 1).all():
            return
        before = words[:, column]
        after = before * factors
        if (after // factors != before).any():
            at = int(np.argmax(after // factors != before))
            raise InputError(
                f"{self.tape.name}: {before[at]} steps are too many {factors[at]}ths of a step for 64 bits; import the "
                "recordings with the same decimals"
            )
        words[:, column] = after


def united(tapes: Sequence[Tape]) -> tuple[tuple[Instrument, ...], tuple[Part, ...], TapeInfo]:
    """Return the instruments of *tapes* sorted by name, each tape with its way there, and the header of them all.

    Steps are the finest of all tapes. Where tick or lot change from one tape to the next, rows that say so stand before
    the later one.

    Raises:
        InputError: an instrument is another one on another tape, or its tick or lot was only inferred and differs.
    """
    notes: list[str] = []
    seen: dict[str, list[tuple[Tape, Instrument]]] = {}
    for tape in sorted(tapes, key=lambda one: one.info.start_ns):
        for instrument in tape.instruments:
            seen.setdefault(instrument.name, []).append((tape, instrument))
    instruments = {name: _united(name, found, notes) for name, found in sorted(seen.items())}
    names = list(instruments)
    parts: list[Part] = []
    for tape in tapes:
        changes = _changes(tape, seen, instruments)
        if changes is not None:
            parts.append(_part(changes, instruments, names))
        parts.append(_part(tape, instruments, names))
    return tuple(instruments.values()), tuple(parts), _info(tapes, tuple(instruments.values()), notes)


def _united(name: str, found: Sequence[tuple[Tape, Instrument]], notes: list[str]) -> Instrument:
    first_tape, first = found[0]
    for tape, other in found[1:]:
        for field in SAME:
            if getattr(other, field) != getattr(first, field):
                raise InputError(
                    f"{name}: {field} is {getattr(first, field)} on {first_tape.name} and {getattr(other, field)} on "
                    f"{tape.name}; tapes of one run should mean the same instrument by one name"
                )
        for what in ("tick_size", "lot_size"):
            is_inferred = {what, what.replace("_size", "_steps")} & {*other.inferred, *first.inferred}
            if getattr(other, what) != getattr(first, what) and is_inferred:
                raise InputError(
                    f"{name}: {what} is {getattr(first, what)} on {first_tape.name} and {getattr(other, what)} on "
                    f"{tape.name}, and was read off the data; import both with the same metadata: --instruments FILE"
                )
        for what in OF_FIRST:
            if _limit(other, what) != _limit(first, what):
                notes.append(f"{name}: {what} differs between the tapes; that of {first_tape.name} is used")
    price = max(one.price_decimals for _, one in found)
    size = max(one.size_decimals for _, one in found)
    by_price, by_size = 10 ** (price - first.price_decimals), 10 ** (size - first.size_decimals)
    return attrs.evolve(
        first,
        price_decimals=price,
        size_decimals=size,
        tick_steps=first.tick_steps * by_price,
        lot_steps=first.lot_steps * by_size,
        min_quantity_steps=first.min_quantity_steps * by_size,
        max_quantity_steps=first.max_quantity_steps * by_size,
        inferred=tuple(dict.fromkeys(field for _, one in found for field in one.inferred)),
    )


def _limit(instrument: Instrument, what: str) -> Any:
    if what == "min_notional":
        return instrument.min_notional
    return instrument.size_from_steps(getattr(instrument, f"{what}_steps"))


def _part(tape: Tape, instruments: dict[str, Instrument], names: list[str]) -> Part:
    own = tape.instruments
    joined = [instruments[one.name] for one in own]
    return Part(
        tape,
        np.array([names.index(one.name) for one in own], np.int64),
        np.array([10 ** (there.price_decimals - here.price_decimals) for here, there in zip(own, joined, strict=True)]),
        np.array([10 ** (there.size_decimals - here.size_decimals) for here, there in zip(own, joined, strict=True)]),
    )


def _changes(
    tape: Tape, seen: dict[str, list[tuple[Tape, Instrument]]], instruments: dict[str, Instrument]
) -> Tape | None:
    """Return rows that tell what tick and lot are from the beginning of *tape* on, None if they are as before."""
    buffer = TapeBuffer(8)
    at_ns = tape.info.start_ns
    own = tuple(instruments[one.name] for one in tape.instruments)
    for number, one in enumerate(tape.instruments):
        found = seen[one.name]
        place = next(place for place, (other, _) in enumerate(found) if other is tape)
        if place == 0:
            continue
        before_tape, before = found[place - 1]
        if (before.tick_size, before.lot_size) == (one.tick_size, one.lot_size):
            continue
        if before_tape.info.end_ns > at_ns:
            raise InputError(
                f"{one.name}: {before_tape.name} and {tape.name} overlap in time and have different ticks or lots "
                f"({before.tick_size} and {one.tick_size}, {before.lot_size} and {one.lot_size})"
            )
        tick = int(one.tick_size.scaleb(own[number].price_decimals))
        lot = int(one.lot_size.scaleb(own[number].size_decimals))
        buffer.append(at_ns, at_ns, tick, lot, 0, pack(INSTRUMENT_CHANGE, 0, LAST, number))
    return MemoryTape(own, buffer) if buffer.count else None


def _info(tapes: Sequence[Tape], instruments: tuple[Instrument, ...], notes: list[str]) -> TapeInfo:
    infos = [tape.info for tape in tapes if tape.info.row_count]
    kinds: dict[str, int] = {}
    for info in infos:
        for kind, count in info.kinds.items():
            kinds[kind] = kinds.get(kind, 0) + count
    return TapeInfo(
        row_count=sum(info.row_count for info in infos),
        start_ns=min((info.start_ns for info in infos), default=0),
        end_ns=max((info.end_ns for info in infos), default=0),
        event_start_ns=min((info.event_start_ns for info in infos), default=0),
        event_end_ns=max((info.event_end_ns for info in infos), default=0),
        instruments=instruments,
        sources=tuple(source for info in infos for source in info.sources),
        connections=tuple(clock for info in infos for clock in info.connections),
        kinds=kinds,
        notes=(*notes, *dict.fromkeys(note for info in infos for note in info.notes)),
        is_synthetic=any(info.is_synthetic for info in infos),
    )
