"""The sink that writes tape rows: decimal text in, whole messages of int64 rows out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from quotewright.errors import InputError
from quotewright.kernel.codes import (
    BEST_QUOTE,
    BID,
    BID_IV,
    CLOSED,
    CONNECTION,
    DELTA,
    EVENT_ESTIMATED,
    FLAG_SHIFT,
    FUNDING,
    GAMMA,
    GAP,
    IN_SNAPSHOT,
    INDEX,
    INSTRUMENT_CHANGE,
    INSTRUMENT_SHIFT,
    LAST_BIT,
    LAST_PRICE,
    LEVEL_DELETE,
    LEVEL_SET,
    LIQUIDATION,
    MARK,
    MARK_IV,
    MAX_INSTRUMENTS,
    OFFER,
    OFFER_IV,
    OPEN_INTEREST,
    PREDICTED_FUNDING,
    RATE_SCALE,
    REFERENCE_SCALE,
    RESYNC,
    RHO,
    ROW_WORDS,
    SELL,
    SIDE_SHIFT,
    SNAPSHOT_BEGIN,
    STATUS,
    THETA,
    TRADE,
    UNDERLYING,
    VEGA,
)
from quotewright.kernel.rows import TapeBuffer
from quotewright.kernel.scanner import JsonText, Scanner

if TYPE_CHECKING:
    from quotewright.model.instrument import Instrument
    from quotewright.tape.sink import OptionSummary

MAX_UNLISTED = 1000
OTHERS = "…"
"""Under this name the sink counts unlisted symbols past the first thousand different ones."""


def listing(instruments: Iterable[Instrument]) -> dict[str, tuple[int, int, int]]:
    """Return symbol → (instrument id, price decimals, size decimals); ids are the places in *instruments*.

    Raises:
        InputError: two instruments have one symbol (of two venues or markets): each adapter gets its own listing.
    """
    listed: dict[str, tuple[int, int, int]] = {}
    for place, instrument in enumerate(instruments):
        if instrument.symbol in listed:
            raise InputError(f"two instruments are called {instrument.symbol}; list one venue and market at a time")
        listed[instrument.symbol] = (place, instrument.price_decimals, instrument.size_decimals)
    return listed


class Listed:
    """What the sink knows of one symbol."""

    def __init__(self, instrument: int, price_decimals: int, size_decimals: int) -> None:
        self.instrument = instrument
        self.price_decimals = price_decimals
        self.size_decimals = size_decimals


class TapeSink:
    """Writes messages into *buffer*; see :class:`quotewright.tape.sink.Sink` for what each method means.

    Args:
        buffer: Where the rows go.
        symbols: Venue's symbol → (instrument id, price decimals, size decimals); see :func:`listing`.

    ``unlisted`` counts the messages of every symbol that is not in *symbols*. Prices must be positive, sizes not
    negative; a side of a best quote may be empty (size 0). Levels of size 0 become deletions, or nothing within a
    snapshot.
    """

    def __init__(self, buffer: TapeBuffer, symbols: Mapping[str, tuple[int, int, int]]) -> None:
        self.buffer = buffer
        self.scanner = Scanner()
        self.unlisted: dict[str, int] = {}
        self.listed: dict[str, Listed] = {}
        self.listings = 0
        for symbol, (instrument, price_decimals, size_decimals) in symbols.items():
            self.list_symbol(symbol, instrument, price_decimals, size_decimals)
        self.is_open = False
        self.start = 0
        self.event_ns = 0
        self.receive_ns = 0
        self.id = 0
        self.base = 0
        self.price_decimals = 0
        self.size_decimals = 0
        self.in_snapshot = False
        self.quoted_size = 0

    def list_symbol(self, symbol: str, instrument: int, price_decimals: int, size_decimals: int) -> bool:
        """List *symbol*, or change what it stands for, from the next message on."""
        if not 0 <= instrument < MAX_INSTRUMENTS:
            raise InputError(f"{symbol}: instrument id should be 0 to {MAX_INSTRUMENTS - 1}, was {instrument}")
        for decimals in (price_decimals, size_decimals):
            if not 0 <= decimals <= 18:
                raise InputError(f"{symbol}: decimals should be 0 to 18, was {decimals}")
        self.listed[symbol] = Listed(instrument, price_decimals, size_decimals)
        self.listings += 1
        return True

    def begin(
        self, symbol: str, event_ns: int, receive_ns: int, flags: int = 0, id: int = 0, stamp_ns: int = 0
    ) -> bool:
        if self.is_open:
            raise InputError(f"{self.scanner.label}: the message before was neither ended nor abandoned")
        listed = self.listed.get(symbol)
        if listed is None:
            if symbol not in self.unlisted and len(self.unlisted) >= MAX_UNLISTED:
                symbol = OTHERS
            self.unlisted[symbol] = self.unlisted.get(symbol, 0) + 1
            return False
        base = listed.instrument
        base <<= INSTRUMENT_SHIFT
        if not 0 <= flags < 1 << 16:
            raise InputError(f"{symbol}: flags should fit into 16 bits, was {flags}")
        if event_ns == 0:
            event_ns = receive_ns
            flags |= EVENT_ESTIMATED
        flags <<= FLAG_SHIFT
        # LAST is set by end() alone.
        self.base = (base | flags) & ~LAST_BIT
        self.event_ns = event_ns
        self.receive_ns = receive_ns
        self.id = id
        self.price_decimals = listed.price_decimals
        self.size_decimals = listed.size_decimals
        self.in_snapshot = False
        self.scanner.label = symbol
        self.start = self.buffer.count
        self.is_open = True
        return True

    def snapshot(self) -> None:
        self.row(SNAPSHOT_BEGIN, 0, 0, 0, self.id)
        flag = IN_SNAPSHOT
        flag <<= FLAG_SHIFT
        self.base |= flag
        self.in_snapshot = True

    def bid(self, price: str | bytes, size: str | bytes) -> None:
        self.level(BID, price, size, "bid price", "bid size")

    def offer(self, price: str | bytes, size: str | bytes) -> None:
        self.level(OFFER, price, size, "offer price", "offer size")

    def level(self, side: int, price: str | bytes, size: str | bytes, price_name: str, size_name: str) -> bool:
        """Write one level."""
        price_steps = self.scanner.price(price, self.price_decimals, price_name)
        size_steps = self.scanner.size(size, self.size_decimals, size_name)
        if size_steps:
            return self.row(LEVEL_SET, side, price_steps, size_steps, self.id)
        if not self.in_snapshot:
            return self.row(LEVEL_DELETE, side, price_steps, 0, self.id)
        return False

    def bids(self, levels: JsonText) -> None:
        self.side_levels(BID, levels, "bids")

    def offers(self, levels: JsonText) -> None:
        self.side_levels(OFFER, levels, "offers")

    def side_levels(self, side: int, levels: JsonText, field: str) -> bool:
        """Write every level of a JSON array."""
        if not self.is_open:
            raise InputError(f"{field}: no message was begun")
        count = self.scanner.levels(levels, self.price_decimals, self.size_decimals, field)
        pairs = self.scanner.pairs
        buffer = self.buffer
        while (buffer.count + count) * ROW_WORDS > len(buffer.store):
            buffer.grow()
        store = buffer.store
        at = buffer.count * ROW_WORDS
        shifted = side << SIDE_SHIFT
        word = self.base | shifted
        index = 0
        while index < count:
            size = pairs[2 * index + 1]
            if size or not self.in_snapshot:
                store[at] = self.event_ns
                store[at + 1] = self.receive_ns
                store[at + 2] = pairs[2 * index]
                store[at + 3] = size
                store[at + 4] = self.id
                store[at + 5] = word | (LEVEL_SET if size else LEVEL_DELETE)
                at += ROW_WORDS
            index += 1
        buffer.count = at // ROW_WORDS
        return True

    def trade(self, side: int, price: str | bytes, size: str | bytes, id: int, flags: int = 0, name: str = "") -> None:
        self.print_row(TRADE, side, price, size, id, flags, "trade price", "trade size")

    def liquidation(self, side: int, price: str | bytes, size: str | bytes, id: int = 0, name: str = "") -> None:
        self.print_row(LIQUIDATION, side, price, size, id, 0, "liquidation price", "liquidation size")

    def print_row(
        self,
        kind: int,
        side: int,
        price: str | bytes,
        size: str | bytes,
        id: int,
        flags: int,
        price_name: str,
        size_name: str,
    ) -> bool:
        """Write a trade or a liquidation."""
        if not 0 <= side <= SELL:
            raise InputError(f"{self.scanner.label}: side should be 0, 1 (buy) or 2 (sell), was {side}")
        if not 0 <= flags < 1 << 16:
            raise InputError(f"{self.scanner.label}: flags should fit into 16 bits, was {flags}")
        price_steps = self.scanner.price(price, self.price_decimals, price_name)
        size_steps = self.scanner.size(size, self.size_decimals, size_name)
        base = self.base
        flags <<= FLAG_SHIFT
        self.base = (base | flags) & ~LAST_BIT
        self.row(kind, side, price_steps, size_steps, id)
        self.base = base
        return True

    def best(self, bid: str | bytes, bid_size: str | bytes, offer: str | bytes, offer_size: str | bytes) -> None:
        bid_steps = self.quote(bid, bid_size, "best bid", "best bid size")
        bid_size_steps = self.quoted_size
        offer_steps = self.quote(offer, offer_size, "best offer", "best offer size")
        self.row(BEST_QUOTE, BID, bid_steps, bid_size_steps, self.id)
        self.row(BEST_QUOTE, OFFER, offer_steps, self.quoted_size, self.id)

    def quote(self, price: str | bytes, size: str | bytes, price_name: str, size_name: str) -> int:
        """Return the price of one side of a best quote, 0 for an empty side; its size is left in ``quoted_size``."""
        self.quoted_size = self.scanner.size(size, self.size_decimals, size_name) if len(size) else 0
        if self.quoted_size:
            return self.scanner.price(price, self.price_decimals, price_name)
        return self.scanner.size(price, self.price_decimals, price_name) if len(price) else 0

    def mark(self, price: str | bytes) -> None:
        self.reference(MARK, price, "mark price")

    def index(self, price: str | bytes) -> None:
        self.reference(INDEX, price, "index price")

    def last(self, price: str | bytes) -> None:
        self.told_price(LAST_PRICE, price, "last price")

    def reference(self, kind: int, price: str | bytes, name: str) -> bool:
        """Write a reference price, rounded half-even to 10^-9."""
        value = self.scanner.rounded(price, REFERENCE_SCALE, name)
        if value <= 0:
            raise InputError(f"{self.scanner.where(name)} should be positive, was {value} of 10^-{REFERENCE_SCALE}")
        return self.row(kind, 0, value, 0, self.id)

    def told_price(self, kind: int, price: str | bytes, name: str) -> bool:
        """Write a reference price, or nothing if it is 0: so venues tell that there is none yet."""
        value = self.at_least_zero(price, name)
        if value:
            return self.row(kind, 0, value, 0, self.id)
        return False

    def at_least_zero(self, number: str | bytes, name: str) -> int:
        """Return a reference number, which is not negative, rounded half-even to 10^-9."""
        value = self.scanner.rounded(number, REFERENCE_SCALE, name)
        if value < 0:
            raise InputError(f"{self.scanner.where(name)} should not be negative, was {value} of 10^-{REFERENCE_SCALE}")
        return value

    def funding(self, rate: str | bytes, next_ns: int) -> None:
        value = self.scanner.rounded(rate, RATE_SCALE, "funding rate")
        self.row(FUNDING, 0, value, next_ns, self.id)

    def predicted_funding(self, rate: str | bytes) -> None:
        value = self.scanner.rounded(rate, RATE_SCALE, "predicted funding rate")
        self.row(PREDICTED_FUNDING, 0, value, 0, self.id)

    def open_interest(self, size: str | bytes) -> None:
        value = self.scanner.rounded(size, self.size_decimals, "open interest")
        if value < 0:
            raise InputError(f"{self.scanner.where('open interest')} should not be negative, was {value} steps")
        self.row(OPEN_INTEREST, 0, 0, value, self.id)

    def option(self, summary: OptionSummary) -> None:
        """Write what *summary* tells beside the best quotes, which :meth:`best` takes."""
        if len(summary.open_interest):
            self.open_interest(summary.open_interest)
        if len(summary.last_price):
            self.told_price(LAST_PRICE, summary.last_price, "last price")
        if len(summary.mark_price):
            self.row(MARK, 0, self.at_least_zero(summary.mark_price, "mark price"), 0, self.id)
        if len(summary.underlying_price):
            self.told_price(UNDERLYING, summary.underlying_price, "underlying price")
        self.volatility(BID_IV, summary.bid_iv, "bid volatility")
        self.volatility(OFFER_IV, summary.offer_iv, "offer volatility")
        self.volatility(MARK_IV, summary.mark_iv, "mark volatility")
        self.greek(DELTA, summary.delta, "delta")
        self.greek(GAMMA, summary.gamma, "gamma")
        self.greek(VEGA, summary.vega, "vega")
        self.greek(THETA, summary.theta, "theta")
        self.greek(RHO, summary.rho, "rho")

    def volatility(self, kind: int, value: str | bytes, name: str) -> bool:
        """Write a volatility if one is told."""
        if not len(value):
            return False
        return self.row(kind, 0, self.at_least_zero(value, name), 0, self.id)

    def greek(self, kind: int, value: str | bytes, name: str) -> bool:
        """Write a greek of any sign if one is told."""
        if not len(value):
            return False
        return self.row(kind, 0, self.scanner.rounded(value, REFERENCE_SCALE, name), 0, self.id)

    def status(self, status: int) -> None:
        if not 0 <= status <= CLOSED:
            raise InputError(f"{self.scanner.label}: status should be 0 to {CLOSED}, was {status}")
        self.row(STATUS, 0, 0, status, self.id)

    def change(self, tick: str | bytes, lot: str | bytes) -> None:
        tick_steps = self.scanner.price(tick, self.price_decimals, "tick")
        lot_steps = self.scanner.price(lot, self.size_decimals, "lot")
        self.row(INSTRUMENT_CHANGE, 0, tick_steps, lot_steps, self.id)

    def connection(self, is_up: bool, number: int = 0) -> None:
        """Write that the connection of this *number* is up or down, as far as the message's symbol is concerned."""
        self.row(CONNECTION, 0, 0, 1 if is_up else 0, number)

    def gap(self, missing: int = 0) -> None:
        self.row(GAP, 0, 0, missing, self.id)

    def resync(self) -> None:
        self.row(RESYNC, 0, 0, 0, self.id)

    def row(self, kind: int, side: int, price: int, size: int, id: int) -> bool:
        """Write one row of the message."""
        if not self.is_open:
            raise InputError("a row was written before a message was begun")
        shifted = side << SIDE_SHIFT
        self.buffer.append(self.event_ns, self.receive_ns, price, size, id, self.base | shifted | kind)
        return True

    def end(self) -> None:
        if self.is_open:
            self.is_open = False
            if self.buffer.count > self.start:
                self.buffer.mark_last()

    def abandon(self) -> None:
        if self.is_open:
            self.is_open = False
            self.buffer.truncate(self.start)
