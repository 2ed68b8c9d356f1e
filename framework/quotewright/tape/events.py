"""Tape rows as objects with exact decimals, for people, observers and tests; never per row on the hot path."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import TypeAlias

import attrs

from quotewright.errors import InputError
from quotewright.kernel.codes import (
    AGGREGATED,
    BEST_QUOTE,
    BID,
    BID_IV,
    CONNECTION,
    DELTA,
    EVENT_ESTIMATED,
    FLAG_SHIFT,
    FUNDING,
    GAP,
    INDEX,
    INSTRUMENT_CHANGE,
    INSTRUMENT_SHIFT,
    KIND_NAMES,
    LAST,
    LAST_PRICE,
    LEVEL_DELETE,
    LEVEL_SET,
    LIQUIDATION,
    MARK,
    MARK_IV,
    NO_MARKET,
    OPEN_INTEREST,
    ORDER_ADD,
    ORDER_DELETE,
    PREDICTED_FUNDING,
    RATE_SCALE,
    REFERENCE_SCALE,
    RESYNC,
    RHO,
    ROW_WORDS,
    SIDE_SHIFT,
    SNAPSHOT_BEGIN,
    STATUS,
    STATUS_NAMES,
    TRADE,
    UNDERLYING,
)
from quotewright.kernel.rows import Rows
from quotewright.model.instrument import Instrument


@attrs.frozen(kw_only=True)
class Event:
    """What all events tell: the instrument's name and both times in ns since the epoch."""

    instrument: str
    event_ns: int
    receive_ns: int
    is_estimated: bool = False
    """The venue gave no event time."""


@attrs.frozen(kw_only=True)
class BookDelta(Event):
    """Levels of one message, ``(price, size)``; size 0 deletes. With *is_snapshot* they replace the whole book."""

    id: int = 0
    is_snapshot: bool = False
    bids: tuple[tuple[Decimal, Decimal], ...] = ()
    offers: tuple[tuple[Decimal, Decimal], ...] = ()


@attrs.frozen(kw_only=True)
class BestQuote(Event):
    """The best prices and sizes; size 0 means that the side is empty."""

    id: int = 0
    bid: Decimal = Decimal(0)
    bid_size: Decimal = Decimal(0)
    offer: Decimal = Decimal(0)
    offer_size: Decimal = Decimal(0)


@attrs.frozen(kw_only=True)
class Trade(Event):
    """A trade; *side* is the taker's: BUY, SELL or NO_SIDE."""

    id: int
    side: int
    price: Decimal
    size: Decimal
    is_aggregated: bool = False
    is_outside_market: bool = False


@attrs.frozen(kw_only=True)
class Liquidation(Event):
    """A forced order; side BUY: a short was liquidated."""

    id: int
    side: int
    price: Decimal
    size: Decimal


@attrs.frozen(kw_only=True)
class Reference(Event):
    """A price that is no trade, in quote currency; *kind* is mark, index, last_price or underlying."""

    kind: str
    price: Decimal


@attrs.frozen(kw_only=True)
class Funding(Event):
    """A funding rate as a fraction, and when it is next due (ns, 0 unknown)."""

    rate: Decimal
    next_ns: int


@attrs.frozen(kw_only=True)
class PredictedFunding(Event):
    """The funding rate expected for the period after the next, as a fraction."""

    rate: Decimal


@attrs.frozen(kw_only=True)
class OptionFigure(Event):
    """One figure of an option: *kind* is bid_iv, offer_iv or mark_iv (fractions), or a greek's name."""

    kind: str
    value: Decimal


@attrs.frozen(kw_only=True)
class OpenInterest(Event):
    """The open interest in base units or contracts."""

    size: Decimal


@attrs.frozen(kw_only=True)
class OrderChange(Event):
    """One order of a market-by-order feed: *kind* is order_add, order_reduce, order_execute or order_delete."""

    kind: str
    id: int
    side: int
    price: Decimal
    size: Decimal


@attrs.frozen(kw_only=True)
class Gap(Event):
    """Updates are missing: the book is stale from here. *missing* is how many, 0 if nobody knows."""

    missing: int


@attrs.frozen(kw_only=True)
class Resync(Event):
    """The snapshot that follows makes the book good again."""


@attrs.frozen(kw_only=True)
class Connection(Event):
    """The connection came up or went down."""

    is_up: bool


@attrs.frozen(kw_only=True)
class InstrumentChange(Event):
    """Tick and lot changed."""

    tick_size: Decimal
    lot_size: Decimal


@attrs.frozen(kw_only=True)
class Status(Event):
    """The state of trading of the instrument from here on, one of ``STATUS_NAMES``."""

    status: str


MarketEvent: TypeAlias = (
    BookDelta
    | BestQuote
    | Trade
    | Liquidation
    | Reference
    | Funding
    | PredictedFunding
    | OptionFigure
    | OpenInterest
    | OrderChange
    | Gap
    | Resync
    | Connection
    | InstrumentChange
    | Status
)


def events(rows: Rows, first: int, last: int, instruments: Sequence[Instrument]) -> Iterator[MarketEvent]:
    """Yield rows ``[first, last)`` as events; levels and best quotes of one message come as one event each.

    Raises:
        InputError: a row is of an unknown kind, or of an instrument that is not in *instruments*.
    """
    if not 0 <= first <= last <= rows.count:
        raise InputError(f"rows {first} to {last} should lie within the {rows.count} rows there are")
    levels: list[int] = []
    quotes: list[int] = []
    for row in range(first, last):
        word = rows.words[row * ROW_WORDS + 5]
        kind = word & 0xFF
        if word >> INSTRUMENT_SHIFT >= len(instruments):
            raise InputError(
                f"row {row}: instrument id should be below {len(instruments)}, was {word >> INSTRUMENT_SHIFT}"
            )
        if kind == SNAPSHOT_BEGIN and levels:
            yield _book_delta(rows, levels, instruments)
            levels = []
        if kind in (SNAPSHOT_BEGIN, LEVEL_SET, LEVEL_DELETE):
            levels.append(row)
        elif kind == BEST_QUOTE:
            quotes.append(row)
        else:
            if levels:
                yield _book_delta(rows, levels, instruments)
                levels = []
            yield _single(rows, row, instruments)
        if len(quotes) == 2 or (quotes and word >> FLAG_SHIFT & LAST):
            yield _best_quote(rows, quotes, instruments)
            quotes = []
        if levels and word >> FLAG_SHIFT & LAST:
            yield _book_delta(rows, levels, instruments)
            levels = []
    if quotes:
        yield _best_quote(rows, quotes, instruments)
    if levels:
        yield _book_delta(rows, levels, instruments)


@attrs.frozen
class _Row:
    """One row taken apart."""

    event_ns: int
    receive_ns: int
    price: int
    size: int
    id: int
    word: int

    @classmethod
    def at(cls, rows: Rows, row: int) -> _Row:
        start = row * ROW_WORDS
        return cls(*(int(word) for word in rows.words[start : start + ROW_WORDS]))

    @property
    def kind(self) -> int:
        return self.word & 0xFF

    @property
    def side(self) -> int:
        return self.word >> SIDE_SHIFT & 0xFF

    @property
    def flags(self) -> int:
        return self.word >> FLAG_SHIFT & 0xFFFF

    def instrument(self, instruments: Sequence[Instrument]) -> Instrument:
        return instruments[self.word >> INSTRUMENT_SHIFT]

    @property
    def is_estimated(self) -> bool:
        return bool(self.flags & EVENT_ESTIMATED)


def _book_delta(rows: Rows, numbers: list[int], instruments: Sequence[Instrument]) -> BookDelta:
    taken = [_Row.at(rows, number) for number in numbers]
    head = taken[0]
    instrument = head.instrument(instruments)
    sides: tuple[list[tuple[Decimal, Decimal]], list[tuple[Decimal, Decimal]]] = ([], [])
    for row in taken:
        if row.kind != SNAPSHOT_BEGIN:
            size = row.size if row.kind == LEVEL_SET else 0
            level = (instrument.price_from_steps(row.price), instrument.size_from_steps(size))
            sides[0 if row.side == BID else 1].append(level)
    return BookDelta(
        instrument=instrument.name,
        event_ns=head.event_ns,
        receive_ns=head.receive_ns,
        is_estimated=head.is_estimated,
        id=head.id,
        is_snapshot=head.kind == SNAPSHOT_BEGIN,
        bids=tuple(sides[0]),
        offers=tuple(sides[1]),
    )


def _best_quote(rows: Rows, numbers: list[int], instruments: Sequence[Instrument]) -> BestQuote:
    taken = [_Row.at(rows, number) for number in numbers]
    head = taken[0]
    instrument = head.instrument(instruments)
    bids = [row for row in taken if row.side == BID]
    offers = [row for row in taken if row.side != BID]
    return BestQuote(
        instrument=instrument.name,
        event_ns=head.event_ns,
        receive_ns=head.receive_ns,
        is_estimated=head.is_estimated,
        id=head.id,
        bid=instrument.price_from_steps(bids[-1].price if bids else 0),
        bid_size=instrument.size_from_steps(bids[-1].size if bids else 0),
        offer=instrument.price_from_steps(offers[-1].price if offers else 0),
        offer_size=instrument.size_from_steps(offers[-1].size if offers else 0),
    )


def _single(rows: Rows, number: int, instruments: Sequence[Instrument]) -> MarketEvent:
    row = _Row.at(rows, number)
    instrument = row.instrument(instruments)
    stamp = Event(
        instrument=instrument.name,
        event_ns=row.event_ns,
        receive_ns=row.receive_ns,
        is_estimated=row.is_estimated,
    )
    common = attrs.asdict(stamp)
    price = instrument.price_from_steps(row.price)
    size = instrument.size_from_steps(row.size)
    if row.kind == TRADE:
        return Trade(
            **common,
            id=row.id,
            side=row.side,
            price=price,
            size=size,
            is_aggregated=bool(row.flags & AGGREGATED),
            is_outside_market=bool(row.flags & NO_MARKET),
        )
    if row.kind == LIQUIDATION:
        return Liquidation(**common, id=row.id, side=row.side, price=price, size=size)
    if row.kind in (MARK, INDEX, LAST_PRICE, UNDERLYING):
        return Reference(**common, kind=KIND_NAMES[row.kind], price=Decimal(row.price).scaleb(-REFERENCE_SCALE))
    if row.kind == FUNDING:
        return Funding(**common, rate=Decimal(row.price).scaleb(-RATE_SCALE), next_ns=row.size)
    if row.kind == PREDICTED_FUNDING:
        return PredictedFunding(**common, rate=Decimal(row.price).scaleb(-RATE_SCALE))
    if BID_IV <= row.kind <= MARK_IV or DELTA <= row.kind <= RHO:
        return OptionFigure(**common, kind=KIND_NAMES[row.kind], value=Decimal(row.price).scaleb(-REFERENCE_SCALE))
    if row.kind == OPEN_INTEREST:
        return OpenInterest(**common, size=size)
    if ORDER_ADD <= row.kind <= ORDER_DELETE:
        return OrderChange(**common, kind=KIND_NAMES[row.kind], id=row.id, side=row.side, price=price, size=size)
    if row.kind == GAP:
        return Gap(**common, missing=row.size)
    if row.kind == RESYNC:
        return Resync(**common)
    if row.kind == CONNECTION:
        return Connection(**common, is_up=row.size == 1)
    if row.kind == INSTRUMENT_CHANGE:
        return InstrumentChange(**common, tick_size=price, lot_size=size)
    if row.kind == STATUS and 0 <= row.size < len(STATUS_NAMES):
        return Status(**common, status=STATUS_NAMES[row.size])
    if row.kind == STATUS:
        raise InputError(f"row {number}: status should be 0 to {len(STATUS_NAMES) - 1}, was {row.size}")
    raise InputError(f"row {number}: kind should be 1 to {len(KIND_NAMES) - 1}, was {row.kind}")
