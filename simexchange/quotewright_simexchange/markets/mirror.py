"""One instrument's recorded book, kept standing on an exchange by the orders of one account."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

from quotewright_simexchange.exchange.records import OrderRecord, OrderRequest, Refused

if TYPE_CHECKING:
    from quotewright_simexchange.exchange.exchange import Exchange
    from quotewright_simexchange.exchange.records import Listing

Word = Literal["buy", "sell"]
Place = tuple[Word, Decimal]
ZERO = Decimal(0)


class Mirror:
    """Orders that together show what the recorded book shows, at each price, wherever that is possible.

    An increase of a level stands behind everything that is there; a decrease is taken from behind, so that our own
    orders keep their place, and lose those in front of them only when nobody stands behind any more. *makers* share
    the prices among them, since the margin of an order is asked for with all others of its account.
    """

    def __init__(self, exchange: Exchange, listing: Listing, makers: Sequence[str], taker: str) -> None:
        self.exchange = exchange
        self.listing = listing
        self.makers = makers
        self.taker = taker
        self.told: dict[Place, Decimal] = {}
        """What the recording shows."""
        self.is_good = False
        self.counts: Counter[str] = Counter()
        self.missing: set[Place] = set()
        """Levels that could not be shown as they were told; tried again after every message."""
        self._standing: dict[Place, list[int]] = {}

    # What the recording says.

    def show(self, wanted: dict[Place, Decimal]) -> None:
        """Take one message's levels (zero: gone): decreases first, so that a book that moves does not cross itself."""
        rises = []
        for place, quantity in wanted.items():
            if quantity:
                self.told[place] = quantity
            else:
                self.told.pop(place, None)
            standing = self._quantity(place)
            if quantity < standing:
                self._lower(place, standing - quantity)
            elif quantity > standing:
                rises.append(place)
        for place in rises:
            self._raise(place, may_trade=True)
        self.mend()

    def replace(self, levels: dict[Place, Decimal]) -> None:
        """Take a whole book; levels that stay keep their queues."""
        gone = dict.fromkeys((place for place in self.told if place not in levels), ZERO)
        self.is_good = True
        self.show(gone | levels)

    def stop(self) -> None:
        """Take everything away: what the recording's book is, is not known until it is told whole again."""
        self.is_good = False
        for place in list(self._standing):
            self._lower(place, self._quantity(place))
        self.told.clear()
        self.missing.clear()

    def print(self, side: Word, price: Decimal, quantity: Decimal) -> None:
        """Let a taker on *side* take *quantity* at *price*, by price and time from whatever stands there.

        Recorded levels that are better than the price cannot have been there any more: they step aside. What the
        print took of the recorded book is shown again, behind everybody, until the book itself says that it is gone.
        """
        other: Word = "sell" if side == "buy" else "buy"
        better = [place for place in self._standing if place[0] == other and _is_better(place[1], price, other)]
        for place in better:
            self.counts["stepped_aside"] += 1
            self._lower(place, self._quantity(place))
        placed = self._place(self.taker, side, price, quantity, "ioc")
        filled = placed.filled if placed is not None else ZERO
        self.counts["prints"] += 1
        if filled < quantity:
            self.counts["prints_short"] += 1
        for place in (*better, (other, price)):
            if place in self.told:
                self._raise(place, may_trade=False)
        self.mend()

    def mend(self) -> None:
        """Show what could not be shown so far, where our own orders do not stand against it any more."""
        for place in sorted(self.missing):
            if place in self.told:
                self._raise(place, may_trade=False)
            else:
                self.missing.discard(place)

    # Orders.

    def maker(self, price: Decimal) -> str:
        """Return whose orders stand at *price*."""
        return self.makers[int(price / self.listing.tick) % len(self.makers)]

    def _orders(self, place: Place) -> list[OrderRecord]:
        """Return the orders that still stand at *place*, first in time first."""
        records = []
        for order_id in self._standing.get(place, ()):
            record = self.exchange.order(self.maker(place[1]), self.listing.symbol, order_id=order_id)
            if record is not None and record.is_open:
                records.append(record)
        if records:
            self._standing[place] = [record.order_id for record in records]
        else:
            self._standing.pop(place, None)
        return records

    def _quantity(self, place: Place) -> Decimal:
        return sum((record.leaves for record in self._orders(place)), ZERO)

    def _lower(self, place: Place, quantity: Decimal) -> None:
        symbol = self.listing.symbol
        for record in reversed(self._orders(place)):
            if not quantity:
                return
            if record.leaves <= quantity:
                self.exchange.cancel(self.maker(place[1]), symbol, order_id=record.order_id)
                quantity -= record.leaves
                continue
            amended = self.exchange.amend(
                self.maker(place[1]), symbol, order_id=record.order_id, quantity=record.quantity - quantity
            )
            if isinstance(amended, Refused):
                # What is left of it stands behind the others, which the count tells.
                self.counts["requeued"] += 1
                self.exchange.cancel(self.maker(place[1]), symbol, order_id=record.order_id)
                self._rest(place, record.leaves - quantity)
            quantity = ZERO
        self._orders(place)

    def _raise(self, place: Place, may_trade: bool) -> None:
        """Let *place* show what was told; an increase that was told trades with those of us who stand in its way."""
        lacking = self.told[place] - self._quantity(place)
        if lacking <= 0:
            self.missing.discard(place)
            return
        if self._is_crossing(place):
            if place not in self.missing:
                self.counts["crossed_levels"] += 1
            self.missing.add(place)
            if not may_trade or self._is_own_crossing(place):
                return
            placed = self._place(self.taker, place[0], place[1], lacking, "ioc")
            if placed is not None and placed.filled:
                self.counts["crossing_fills"] += 1
            if self._is_crossing(place):
                return
        if self._rest(place, lacking):
            self.missing.discard(place)
        else:
            self.missing.add(place)

    def _rest(self, place: Place, quantity: Decimal) -> bool:
        placed = self._place(self.maker(place[1]), place[0], place[1], quantity, "gtc")
        if placed is None or not placed.is_open:
            return False
        self._standing.setdefault(place, []).append(placed.order_id)
        return True

    def _place(
        self, account: str, side: Word, price: Decimal, quantity: Decimal, tif: Literal["gtc", "ioc"]
    ) -> OrderRecord | None:
        request = OrderRequest(symbol=self.listing.symbol, side=side, price=price, quantity=quantity, tif=tif)
        placed = self.exchange.place(account, request)
        if isinstance(placed, Refused):
            self.counts[f"refused_{placed.reason}"] += 1
            return None
        return placed

    def _is_crossing(self, place: Place) -> bool:
        """Return whether an order at *place* would trade."""
        book = self.exchange.book(self.listing.symbol, 1)
        against = book.offers if place[0] == "buy" else book.bids
        return bool(against) and _crosses(place, against[0][0])

    def _is_own_crossing(self, place: Place) -> bool:
        """Return whether recorded levels stand in the way of a recorded level: they never trade with each other."""
        return any(side != place[0] and _crosses(place, price) for side, price in self._standing)


def _crosses(place: Place, price: Decimal) -> bool:
    """Return whether an order at *place* trades with one of the other side at *price*."""
    return price <= place[1] if place[0] == "buy" else price >= place[1]


def _is_better(price: Decimal, than: Decimal, side: Word) -> bool:
    """Return whether an order on *side* at *price* comes before one at *than*."""
    return price > than if side == "buy" else price < than
