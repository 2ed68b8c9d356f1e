"""A recorded tape as the market of an exchange: its books stand there as orders, its prints take from them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from quotewright.errors import ConfigError
from quotewright.kernel.codes import (
    BID,
    BUY,
    CONNECTION,
    GAP,
    INDEX,
    KIND_NAMES,
    LEVEL_DELETE,
    LEVEL_SET,
    MARK,
    NO_MARKET,
    RESYNC,
    SNAPSHOT_BEGIN,
    STATUS,
    STATUS_NAMES,
    TRADE,
)
from quotewright_simexchange.exchange.records import Listing
from quotewright_simexchange.markets.driver import MarketDriver, ample_funds, find_listing
from quotewright_simexchange.markets.mirror import ZERO, Mirror, Place

if TYPE_CHECKING:
    from quotewright.model.instrument import Instrument
    from quotewright.tape.tape import Tape
    from quotewright_simexchange.exchange.exchange import Exchange

    Row = tuple[int, int, int, int, int]
    """Kind, side, price, size, flags."""

PHASES = dict(zip(STATUS_NAMES, ("trading", "post_only", "cancel_only", "halt", "auction", "halt"), strict=True))
REFERENCE_DECIMALS = 9
BOOK, PRINTS = "tape-book", "tape-prints"
MARGINED = 32
"""So many accounts share a derivative's book: its margin is worked out with every order of the account."""
KINDS = {"spot": "spot", "perp": "linear", "future": "linear"}


def listing_of(instrument: Instrument, **settings: object) -> Listing:
    """Return the listing on which *instrument*'s recorded market can stand; *settings* add to the engine's.

    Tick and lot are the tape's steps, for market data need not keep to those of orders. No minimum is set.
    """
    kind = KINDS.get(instrument.kind, "")
    if not kind:
        raise ConfigError(f"{instrument.name}: a tape's market is spot, perp or future, this is an {instrument.kind}")
    return Listing(
        symbol=instrument.symbol,
        name=instrument.name,
        kind="inverse" if instrument.is_inverse else "spot" if kind == "spot" else "linear",
        base=instrument.base,
        quote=instrument.quote,
        settle=instrument.settle or instrument.quote,
        settings={
            "tick": str(Decimal(1).scaleb(-instrument.price_decimals)),
            "lot": str(Decimal(1).scaleb(-instrument.size_decimals)),
            "mult": str(instrument.contract_size),
            **settings,
        },
        price_decimals=instrument.price_decimals,
        size_decimals=instrument.size_decimals,
    )


class TapeMarket(MarketDriver):
    """The market of *tape*, from the exchange's present time on, in the tape's event order.

    Rows of one event time are one step: its prints come before its levels, which show what the prints left. Nothing
    is mirrored from a gap on, or while a connection is down, until a whole book is told again. The tape must stay
    open while the market runs. *symbols* maps the tape's instrument names to the exchange's symbols (None: equal
    symbols, those that the exchange lists).
    """

    def __init__(self, tape: Tape, symbols: Mapping[str, str] | None = None) -> None:
        self.tape = tape
        self.symbols = symbols
        self.accounts: tuple[str, ...] = ()
        self.mirrors: dict[int, Mirror] = {}
        self.counts: Counter[str] = Counter()
        self.steps = 0
        self.is_done = False
        self.event_ns = 0
        """Event time of the newest step, as on the tape."""
        self._exchange: Exchange | None = None
        self._shift_ns = 0
        self._steps: Iterator[tuple[int, list[tuple[int, Row]]]] = iter(())

    def start(self, exchange: Exchange) -> None:
        self.tape.require_causal()
        self._exchange = exchange
        for number, symbol in self._found(exchange).items():
            listing = find_listing(exchange, symbol, f"tape market of {self.tape.name}")
            makers = (BOOK,) if listing.kind == "spot" else tuple(f"{BOOK}-{place + 1}" for place in range(MARGINED))
            for account in (*makers, PRINTS):
                if account not in self.accounts:
                    exchange.open_account(account)
                    self.accounts += (account,)
                for currency, amount in ample_funds(listing).items():
                    exchange.deposit(account, currency, amount)
            self.mirrors[number] = Mirror(exchange, listing, makers, PRINTS)
        self._steps = self._grouped()
        first = next(self._steps, None)
        if first is None:
            self.is_done = True
            return
        self._shift_ns = exchange.now_ns - first[0]
        self._plan(first)

    def describe(self) -> Mapping[str, Any]:
        return {
            "market": "tape",
            "tape": self.tape.name,
            "steps": self.steps,
            "done": self.is_done,
            "not_mirrored": dict(sorted(self.counts.items())),
            "symbols": {
                mirror.listing.symbol: {
                    "book": "good" if mirror.is_good else "stopped",
                    "missing_levels": len(mirror.missing),
                    **dict(sorted(mirror.counts.items())),
                }
                for mirror in self.mirrors.values()
            },
        }

    def _found(self, exchange: Exchange) -> dict[int, str]:
        if self.symbols is not None:
            return {self.tape.instrument_id(name): symbol for name, symbol in self.symbols.items()}
        found = {
            number: instrument.symbol
            for number, instrument in enumerate(self.tape.instruments)
            if instrument.symbol in exchange.listings
        }
        if not found:
            on_tape = ", ".join(instrument.symbol for instrument in self.tape.instruments) or "none"
            raise ConfigError(
                f"tape market: {self.tape.name} holds {on_tape}, the exchange lists "
                f"{', '.join(exchange.listings) or 'nothing'}; list one of them, or map names to symbols"
            )
        return found

    def _grouped(self) -> Iterator[tuple[int, list[tuple[int, Row]]]]:
        """Yield the rows of one event time after another, with their instruments."""
        words = self.tape.rows.words
        rows: list[tuple[int, Row]] = []
        event_ns = 0
        for number in self.tape.event_order:
            at = number * 6
            if rows and words[at] != event_ns:
                yield event_ns, rows
                rows = []
            event_ns = words[at]
            word = words[at + 5]
            row = (word & 255, word >> 8 & 255, words[at + 2], words[at + 3], word >> 16 & 0xFFFF)
            rows.append((word >> 32, row))
        if rows:
            yield event_ns, rows

    def _plan(self, step: tuple[int, list[tuple[int, Row]]]) -> None:
        assert self._exchange is not None
        event_ns, rows = step
        self._exchange.at(event_ns + self._shift_ns, lambda: self._step(event_ns, rows))

    def _step(self, event_ns: int, rows: list[tuple[int, Row]]) -> None:
        self.steps += 1
        self.event_ns = event_ns
        by_instrument: dict[int, list[Row]] = {}
        for number, row in rows:
            if row[0] == CONNECTION:
                for mirror in self.mirrors.values():
                    mirror.stop() if row[3] == 0 else None
            elif number in self.mirrors:
                by_instrument.setdefault(number, []).append(row)
        for number, found in by_instrument.items():
            self._market(self.mirrors[number], self.tape.instruments[number], found)
        following = next(self._steps, None)
        if following is None:
            self.is_done = True
        else:
            self._plan(following)

    def _market(self, mirror: Mirror, instrument: Instrument, rows: list[Row]) -> None:
        for row in rows:
            if row[0] == TRADE:
                self._print(mirror, instrument, row)
        changes: dict[Place, Decimal] | None = None
        whole: dict[Place, Decimal] | None = None
        for kind, side, price, size, _ in rows:
            if kind in (LEVEL_SET, LEVEL_DELETE):
                place: Place = ("buy" if side == BID else "sell", instrument.price_from_steps(price))
                quantity = instrument.size_from_steps(size) if kind == LEVEL_SET else ZERO
                if not self._is_on_grid(mirror, place[1], quantity):
                    self.counts["off_grid_levels"] += 1
                elif whole is not None:
                    whole[place] = quantity
                elif mirror.is_good:
                    changes = {} if changes is None else changes
                    changes[place] = quantity
                else:
                    self.counts["levels_while_stopped"] += 1
            elif kind == SNAPSHOT_BEGIN:
                changes, whole = None, {}
            elif kind == GAP:
                changes = whole = None
                self.counts["gaps"] += 1
                mirror.stop()
            elif kind not in (TRADE, RESYNC):
                self._other(mirror, kind, price, size)
        if whole is not None:
            mirror.replace({place: quantity for place, quantity in whole.items() if quantity})
        elif changes:
            mirror.show(changes)

    def _print(self, mirror: Mirror, instrument: Instrument, row: Row) -> None:
        _, side, price_steps, size, flags = row
        price, quantity = instrument.price_from_steps(price_steps), instrument.size_from_steps(size)
        if flags & NO_MARKET or not side:
            self.counts["prints_outside_the_book"] += 1
        elif not mirror.is_good:
            self.counts["prints_while_stopped"] += 1
        elif not self._is_on_grid(mirror, price, quantity):
            self.counts["off_grid_prints"] += 1
        else:
            mirror.print("buy" if side == BUY else "sell", price, quantity)

    def _other(self, mirror: Mirror, kind: int, price: int, size: int) -> None:
        assert self._exchange is not None
        symbol = mirror.listing.symbol
        if kind in (MARK, INDEX) and mirror.listing.kind != "spot":
            reference = Decimal(price).scaleb(-REFERENCE_DECIMALS)
            (self._exchange.set_mark if kind == MARK else self._exchange.set_index)(symbol, reference)
        elif kind == STATUS:
            self._exchange.set_phase(symbol, PHASES[STATUS_NAMES[size]])
        else:
            self.counts[f"rows_{KIND_NAMES[kind] if kind < len(KIND_NAMES) else kind}"] += 1

    @staticmethod
    def _is_on_grid(mirror: Mirror, price: Decimal, quantity: Decimal) -> bool:
        return not price % mirror.listing.tick and not quantity % mirror.listing.lot
