"""Parts of a tape for other programs: instruments and spans picked out, and rows told to a sink as messages again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from quotewright.errors import InputError
from quotewright.fetching.times import time_ns
from quotewright.kernel.codes import (
    BEST_QUOTE,
    BID,
    BID_IV,
    BOOK_GOOD,
    CONNECTION,
    EVENT_ESTIMATED,
    FUNDING,
    GAP,
    IN_SNAPSHOT,
    INDEX,
    INSTRUMENT_CHANGE,
    LAST,
    LAST_PRICE,
    LEVEL_DELETE,
    LEVEL_SET,
    LIQUIDATION,
    MARK,
    NEVER,
    OFFER,
    OPEN_INTEREST,
    ORDER_ADD,
    ORDER_DELETE,
    PREDICTED_FUNDING,
    RATE_SCALE,
    REFERENCE_SCALE,
    RESYNC,
    RHO,
    SNAPSHOT_BEGIN,
    STATUS,
    TRADE,
    UNDERLYING,
)
from quotewright.kernel.ladder import Ladder
from quotewright.kernel.rows import Rows
from quotewright.model.names import TARDIS_EXCHANGES, aliases, parse_name
from quotewright.tape.causality import BOOK_KINDS
from quotewright.tape.layout import ROW_DTYPE
from quotewright.tape.sink import OptionSummary

if TYPE_CHECKING:
    from quotewright.model.instrument import Instrument
    from quotewright.tape.sink import Sink
    from quotewright.tape.tape import Tape

    RowArray = np.ndarray[Any, np.dtype[Any]]

SHOWN_IN_PERCENT = frozenset({"deribit"})
"""Exchanges whose volatilities recordings show in percent, as the exchange does; a tape holds fractions."""
OPTION_KINDS = range(BID_IV, RHO + 1)
OPTION_FIELDS = ("bid_iv", "offer_iv", "mark_iv", "delta", "gamma", "vega", "theta", "rho")
EXPIRY_HOUR_NS = 8 * 3_600_000_000_000
"""Options of the venues read here expire at 08:00 UTC of the day in their names."""


@attrs.frozen
class Selection:
    """What of a tape is exported: instruments by their ids, received in ``[from_ns, to_ns)``."""

    tape: Tape
    ids: tuple[int, ...]
    from_ns: int
    to_ns: int

    @classmethod
    def of(cls, tape: Tape, names: Sequence[str] = (), from_ns: int = 0, to_ns: int = NEVER) -> Selection:
        """Return the selection of instruments called *names*, all without any."""
        ids = sorted({tape.instrument_id(name) for name in names}) if names else range(len(tape.instruments))
        if to_ns <= from_ns:
            raise InputError(f"the end ({to_ns} ns) should lie after the beginning ({from_ns} ns)")
        return cls(tape, tuple(ids), from_ns, to_ns)

    @property
    def instruments(self) -> tuple[Instrument, ...]:
        return tuple(self.tape.instruments[id] for id in self.ids)

    @property
    def is_whole(self) -> bool:
        start_ns, end_ns = self.tape.span
        return len(self.ids) == len(self.tape.instruments) and self.from_ns <= start_ns and self.to_ns > end_ns

    def blocks(self) -> Iterator[RowArray]:
        """Yield the rows in runs of whole messages, instruments numbered by their place in the selection.

        Where the span begins inside the tape, each book that is good then comes first as a snapshot received at
        its beginning.
        """
        if self.is_whole:
            for rows in whole_messages(self.tape):
                yield rows
            return
        places = np.full(len(self.tape.instruments), -1, np.int64)
        places[list(self.ids)] = np.arange(len(self.ids))
        books: dict[int, Ladder] | None = {} if self.from_ns > self.tape.span[0] else None
        for whole in whole_messages(self.tape):
            rows = whole[places[whole["instrument"]] >= 0]
            if not len(rows):
                continue
            rows["instrument"] = places[rows["instrument"]]
            first = int(np.searchsorted(rows["receive_ns"], self.from_ns))
            end = int(np.searchsorted(rows["receive_ns"], self.to_ns))
            if books is not None:
                follow(books, rows[:first])
                if first < len(rows):
                    yield from self._opening(books)
                    books = None
            if first < end:
                yield rows[first:end]
            if end < len(rows):
                return
        if books is not None:
            yield from self._opening(books)

    def _opening(self, books: dict[int, Ladder]) -> Iterator[RowArray]:
        for number, book in sorted(books.items()):
            if book.status != BOOK_GOOD:
                continue
            levels = [
                (LEVEL_SET, side, price, size)
                for side in (BID, OFFER)
                for price, size in book.levels(side, book.level_count(side))
            ]
            rows = np.zeros(1 + len(levels), ROW_DTYPE)
            rows["event_ns"] = rows["receive_ns"] = self.from_ns
            rows["instrument"] = number
            rows["flags"] = IN_SNAPSHOT | EVENT_ESTIMATED
            rows["flags"][0] = EVENT_ESTIMATED
            rows["kind"][0] = SNAPSHOT_BEGIN
            for place, (kind, side, price, size) in enumerate(levels, start=1):
                rows[place]["kind"], rows[place]["side"] = kind, side
                rows[place]["price"], rows[place]["size"] = price, size
            rows["flags"][-1] |= LAST
            yield rows


def whole_messages(tape: Tape) -> Iterator[RowArray]:
    """Yield copies of a tape's rows in runs that end with whole messages."""
    rest = np.empty(0, ROW_DTYPE)
    for _, block in tape.blocks():
        rows = np.concatenate((rest, block))
        ends = np.flatnonzero(rows["flags"] & LAST)
        cut = int(ends[-1]) + 1 if len(ends) else 0
        rest = rows[cut:].copy()
        if cut:
            yield rows[:cut]
    if len(rest):
        raise InputError(f"{tape.name}: the last message is not complete; import the recording again")


def follow(books: dict[int, Ladder], rows: RowArray) -> None:
    """Bring the books of *rows* up to date."""
    if not len(rows):
        return
    words: Any = np.ascontiguousarray(rows).view(np.int64)
    view = Rows(memoryview(words), len(rows))
    ends = np.flatnonzero(rows["flags"] & LAST) + 1
    starts = np.concatenate(([0], ends[:-1]))
    has_book = np.isin(rows["kind"][starts], BOOK_KINDS)
    for start, end in zip(starts[has_book].tolist(), ends[has_book].tolist(), strict=True):
        books.setdefault(int(rows["instrument"][start]), Ladder()).apply(view, start, end)


def decimal_text(value: int, decimals: int) -> str:
    """Return *value* · 10^-*decimals* without trailing zeros."""
    if not decimals:
        return str(value)
    sign = "-" if value < 0 else ""
    digits = str(abs(value)).rjust(decimals + 1, "0")
    fraction = digits[-decimals:].rstrip("0")
    return f"{sign}{digits[:-decimals]}.{fraction}" if fraction else f"{sign}{digits[:-decimals]}"


def play(
    rows: RowArray,
    instruments: Sequence[Instrument],
    sinks: Sequence[Sink],
    after: Callable[[int, int, int], None] | None = None,
) -> int:
    """Tell whole messages of *rows* to the sink of their instrument as a feed adapter would.

    An estimated event time is told as none. Rows of single orders and of connections are left out.

    Args:
        sinks: One for each of *instruments*; several may be the same.
        after: Called behind each message with its instrument's number, its receive time and the kind of its first row.

    Returns:
        How many rows no sink has a word for.
    """
    names = ("event_ns", "receive_ns", "price", "size", "id", "kind", "side", "flags")
    columns = [rows[name].tolist() for name in names]
    message: list[Row] = []
    left_out = 0
    for number, row in zip(rows["instrument"].tolist(), zip(*columns, strict=True), strict=True):
        message.append(row)
        if row[7] & LAST:
            left_out += _message(message, instruments[number], sinks[number])
            if after is not None:
                after(number, row[1], message[0][5])
            message = []
    return left_out


Row = tuple[int, int, int, int, int, int, int, int]
"""Event and receive time, price, size, id, kind, side, flags."""


def _message(rows: list[Row], instrument: Instrument, sink: Sink) -> int:
    event_ns, receive_ns, _, _, id, kind, _, flags = rows[0]
    if ORDER_ADD <= kind <= ORDER_DELETE or kind == CONNECTION:
        return len(rows)
    if flags & EVENT_ESTIMATED:
        event_ns = 0
    kept = flags & ~(LAST | EVENT_ESTIMATED)
    if kind in (SNAPSHOT_BEGIN, RESYNC):
        kept &= ~IN_SNAPSHOT
    if not sink.begin(instrument.symbol, event_ns, receive_ns, kept, id):
        return len(rows)
    if any(row[5] in OPTION_KINDS for row in rows):
        sink.option(_option(rows, instrument))
    else:
        _rows(rows, instrument, sink)
    sink.end()
    return 0


def _rows(rows: list[Row], instrument: Instrument, sink: Sink) -> None:
    price_decimals, size_decimals = instrument.price_decimals, instrument.size_decimals
    quotes: list[str] = []
    for _, _, price, size, id, kind, side, flags in rows:
        if kind in (LEVEL_SET, LEVEL_DELETE):
            amount = decimal_text(size, size_decimals) if kind == LEVEL_SET else "0"
            (sink.bid if side == BID else sink.offer)(decimal_text(price, price_decimals), amount)
        elif kind == SNAPSHOT_BEGIN:
            sink.snapshot()
        elif kind == TRADE:
            is_print = flags & ~(LAST | EVENT_ESTIMATED)
            sink.trade(side, decimal_text(price, price_decimals), decimal_text(size, size_decimals), id, is_print)
        elif kind == BEST_QUOTE:
            quotes += [decimal_text(price, price_decimals), decimal_text(size, size_decimals)]
            if len(quotes) == 4:
                sink.best(*quotes)
                quotes = []
        elif kind == MARK:
            sink.mark(decimal_text(price, REFERENCE_SCALE))
        elif kind == INDEX:
            sink.index(decimal_text(price, REFERENCE_SCALE))
        elif kind == LAST_PRICE:
            sink.last(decimal_text(price, REFERENCE_SCALE))
        elif kind == FUNDING:
            sink.funding(decimal_text(price, RATE_SCALE), size)
        elif kind == PREDICTED_FUNDING:
            sink.predicted_funding(decimal_text(price, RATE_SCALE))
        elif kind == LIQUIDATION:
            sink.liquidation(side, decimal_text(price, price_decimals), decimal_text(size, size_decimals), id)
        elif kind == OPEN_INTEREST:
            sink.open_interest(decimal_text(size, size_decimals))
        elif kind == GAP:
            sink.gap(size)
        elif kind == RESYNC:
            sink.resync()
        elif kind == STATUS:
            sink.status(size)
        elif kind == INSTRUMENT_CHANGE:
            sink.change(decimal_text(price, price_decimals), decimal_text(size, size_decimals))
        elif kind == UNDERLYING:
            sink.option(OptionSummary(underlying_price=decimal_text(price, REFERENCE_SCALE)))


def _option(rows: list[Row], instrument: Instrument) -> OptionSummary:
    """Return what the rows of one message tell of an option, with what its name tells."""
    fields: dict[str, Any] = dict(zip(("expiry_ns", "strike", "right"), contract(instrument), strict=True))
    for _, _, price, size, _, kind, side, _ in rows:
        if kind in OPTION_KINDS:
            fields[OPTION_FIELDS[kind - BID_IV]] = decimal_text(price, REFERENCE_SCALE)
        elif kind == BEST_QUOTE:
            name = "bid" if side == BID else "offer"
            fields[f"{name}_price"] = decimal_text(price, instrument.price_decimals)
            fields[f"{name}_size"] = decimal_text(size, instrument.size_decimals)
        elif kind == OPEN_INTEREST:
            fields["open_interest"] = decimal_text(size, instrument.size_decimals)
        elif kind in (MARK, LAST_PRICE, UNDERLYING):
            name = {MARK: "mark_price", LAST_PRICE: "last_price", UNDERLYING: "underlying_price"}[kind]
            fields[name] = decimal_text(price, REFERENCE_SCALE)
    return OptionSummary(**fields)


def contract(instrument: Instrument) -> tuple[int, str, str]:
    """Return expiry in ns, strike and right (``C`` or ``P``) of an option by its name; 0 and empty for others."""
    parts = parse_name(instrument.name) or {}
    if parts.get("kind") != "option":
        return 0, "", ""
    day = parts["expiry"]
    return time_ns(f"20{day[:2]}-{day[2:4]}-{day[4:]}") + EXPIRY_HOUR_NS, parts["strike"], parts["right"]


def recorded_exchange(instrument: Instrument) -> str:
    """Return how recordings (Tardis's) call the exchange of *instrument*; one that they do not know by its venue."""
    for alias in aliases(instrument):
        exchange, _, symbol = alias.partition(":")
        if symbol == instrument.symbol and exchange in TARDIS_EXCHANGES:
            return exchange
    return instrument.venue if instrument.kind == "spot" else f"{instrument.venue}-perp"
