"""What must hold on the exchange, kept in step with its events: books, queues, quantities, money."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import attrs

from quotewright_simexchange.exchange.records import (
    ZERO,
    BalanceEvent,
    DepthEvent,
    OrderEvent,
    PositionEvent,
)

if TYPE_CHECKING:
    from quotewright_simexchange.exchange.exchange import Exchange
    from quotewright_simexchange.exchange.records import Event, FillRecord, OrderRecord
    from quotewright_simexchange.world.verdicts import Verdicts

FULL_EVERY = 256
"""Changes of a book after which all its levels are compared, not only those that changed."""
MOST_LEVELS = 10_000
Place = tuple[str, str, Decimal]
"""Symbol, side of the book, price."""


@attrs.define
class Level:
    """What rests at one price, oldest first."""

    total: Decimal = ZERO
    orders: dict[int, Decimal] = attrs.Factory(dict)


class VenueChecks:
    """Listens to an exchange from its beginning on; *ours* is the account of the run."""

    def __init__(self, exchange: Exchange, verdicts: Verdicts, ours: str) -> None:
        self.exchange = exchange
        self.verdicts = verdicts
        self.ours = ours
        self.levels: dict[Place, Level] = {}
        self.filled: dict[int, Decimal] = {}
        self.changes: dict[str, list[DepthEvent]] = {symbol: [] for symbol in exchange.listings}
        """Every change of every book, in order: what local books are held against."""
        self.our_orders: dict[str, OrderRecord] = {}
        """Orders of the run by client id, as they stand."""
        self.our_open: dict[str, OrderRecord] = {}
        self.our_fills: dict[tuple[str, str], FillRecord] = {}
        """By symbol and trade id."""
        self.accepted: list[OrderRecord] = []
        """Orders of the run that were accepted since somebody looked last."""
        self.uses: dict[str, int] = {}
        """How often each client id of ours was accepted."""
        self._rests: dict[int, tuple[Place, Decimal]] = {}
        self._positions: dict[tuple[str, str], Decimal] = {}
        self._sums: dict[str, Decimal] = {}
        self._is_money_moved = False
        self._told = 0
        if verdicts.is_on:
            exchange.listen(self.take)

    def take(self, event: Event) -> None:
        """Take one event of the exchange."""
        if isinstance(event, OrderEvent):
            self._order(event)
        elif isinstance(event, DepthEvent):
            self._depth(event)
        elif isinstance(event, BalanceEvent):
            self._is_money_moved = True
        elif isinstance(event, PositionEvent):
            self._position(event)

    def check(self) -> None:
        """Evaluate what is looked at once for everything that one event of the world has done."""
        if self._is_money_moved:
            self._is_money_moved = False
            self.verdicts.count(6)
            for currency, total in self.exchange.ledger_sums().items():
                if total:
                    self.verdicts.broken(6, f"{currency} sums to {total}")

    # Orders.

    def _order(self, event: OrderEvent) -> None:
        record, verdicts = event.order, self.verdicts
        verdicts.count(5)
        fill = event.fill
        if fill is not None:
            self.filled[record.order_id] = self.filled.get(record.order_id, ZERO) + fill.quantity
            if fill.is_maker:
                self._first_in_queue(record, fill)
        accounted = record.filled + record.prevented + record.leaves
        is_sound = accounted == record.quantity if record.is_open else accounted <= record.quantity
        if not is_sound or record.filled != self.filled.get(record.order_id, ZERO):
            verdicts.broken(
                5,
                f"order {record.order_id} ({record.status}) of {record.quantity}: filled {record.filled}, "
                f"prevented {record.prevented}, leaves {record.leaves}, sum of its fills "
                f"{self.filled.get(record.order_id, ZERO)}",
            )
        self._rest(record, event.what)
        if record.account == self.ours:
            self._own(event)

    def _first_in_queue(self, record: OrderRecord, fill: FillRecord) -> None:
        self.verdicts.count(4)
        place = (fill.symbol, "bid" if fill.side == "buy" else "ask", fill.price)
        level = self.levels.get(place)
        first = next(iter(level.orders)) if level is not None and level.orders else None
        if first != record.order_id:
            self.verdicts.broken(4, f"order {record.order_id} was filled at {fill.price} before order {first}")

    def _rest(self, record: OrderRecord, what: str) -> None:
        """Keep the queues in step: what rests where, and who is in front of whom."""
        request = record.request
        rests = record.is_open and record.price is not None and request.tif in ("gtc", "gtd")
        before = self._rests.pop(record.order_id, None)
        place: Place | None = None
        if rests and record.status != "untriggered" and record.price is not None:
            place = (request.symbol, "bid" if request.side == "buy" else "ask", record.price)
            self._rests[record.order_id] = (place, record.leaves)
        if before is not None:
            old_place, size = before
            level = self.levels[old_place]
            level.total -= size
            keeps = place == old_place and not (what == "amended" and record.leaves > size)
            if keeps:
                level.orders[record.order_id] = record.leaves
                level.total += record.leaves
                return
            del level.orders[record.order_id]
            if not level.orders:
                del self.levels[old_place]
        if place is not None:
            level = self.levels.setdefault(place, Level())
            level.orders[record.order_id] = record.leaves
            level.total += record.leaves

    def _own(self, event: OrderEvent) -> None:
        record = event.order
        if event.what == "accepted":
            self.accepted.append(record)
            self.uses[record.client_id] = self.uses.get(record.client_id, 0) + 1
        self.our_orders[record.client_id] = record
        if record.is_open:
            self.our_open[record.client_id] = record
        else:
            self.our_open.pop(record.client_id, None)
        if event.fill is not None:
            self.our_fills[event.fill.symbol, str(event.fill.trade_id)] = event.fill

    # Books.

    def _depth(self, event: DepthEvent) -> None:
        verdicts, symbol = self.verdicts, event.symbol
        self.changes[symbol].append(event)
        verdicts.count(3)
        for side, price, quantity in event.changes:
            level = self.levels.get((symbol, side, price))
            total = level.total if level is not None else ZERO
            if total != quantity or quantity < 0:
                verdicts.broken(3, f"{symbol} {side} {price}: {quantity} is told, its orders sum to {total}")
        self._told += 1
        if self._told % FULL_EVERY == 0:
            self._all_levels(symbol)
        verdicts.count(1)
        book = self.exchange.book(symbol, 1)
        if (
            book.bids
            and book.offers
            and book.bids[0][0] >= book.offers[0][0]
            and self.exchange.phase(symbol) != "auction"
        ):
            verdicts.broken(1, f"{symbol} on the exchange: bid {book.bids[0][0]}, offer {book.offers[0][0]}")

    def _all_levels(self, symbol: str) -> None:
        book = self.exchange.book(symbol)
        count = 0
        for side, levels in (("bid", book.bids), ("ask", book.offers)):
            for price, quantity in levels:
                count += 1
                found = self.levels.get((symbol, side, price))
                if found is None or found.total != quantity:
                    self.verdicts.broken(3, f"{symbol} {side} {price}: {quantity} is displayed, orders are {found}")
        known = sum(1 for place in self.levels if place[0] == symbol)
        if known != count or count > MOST_LEVELS:
            self.verdicts.broken(3, f"{symbol}: {count} levels are displayed, orders rest at {known}")

    def _position(self, event: PositionEvent) -> None:
        """Positions in a derivative sum to zero over all accounts once a command is through."""
        key = (event.account, event.symbol)
        change = event.quantity - self._positions.get(key, ZERO)
        self._positions[key] = event.quantity
        self._sums[event.symbol] = self._sums.get(event.symbol, ZERO) + change

    def positions_sum(self) -> None:
        """Evaluate the sum of all positions; between commands only."""
        for symbol, total in self._sums.items():
            if total:
                self.verdicts.broken(6, f"positions in {symbol} sum to {total}")
