"""The plain Python that ours is measured beside: sorted containers, dictionaries, ``json`` and ``Decimal``."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from sortedcontainers import SortedDict

from quotewright_simexchange.matching.codes import AMEND, CANCEL, IOC, MARKET, NEW

Row = tuple[int, int, int]
"""Side (1 bid, 2 offer), price and size in steps."""


class DictBook:
    """Sizes in one dictionary a side, the order of prices in a SortedDict: what is written first."""

    def __init__(self) -> None:
        self.bids: SortedDict[int, int] = SortedDict()
        self.offers: SortedDict[int, int] = SortedDict()

    def apply(self, side: int, price: int, size: int) -> None:
        """Set one level; size 0 deletes it."""
        levels = self.bids if side == 1 else self.offers
        if size:
            levels[price] = size
        else:
            levels.pop(price, None)

    def apply_all(self, rows: Sequence[Row]) -> None:
        """Set many levels."""
        bids, offers = self.bids, self.offers
        for side, price, size in rows:
            levels = bids if side == 1 else offers
            if size:
                levels[price] = size
            else:
                levels.pop(price, None)

    def best(self) -> tuple[int, int]:
        """Return the best bid and offer, 0 for none."""
        bid: int = self.bids.peekitem(-1)[0] if self.bids else 0
        offer: int = self.offers.peekitem(0)[0] if self.offers else 0
        return bid, offer


class DictExchange:
    """Price-time priority with a SortedDict of queues a side: limit, market, IOC, cancel, change of price.

    ``events`` holds the events of the last command in the form ``(kind, order, other, price, quantity)``.
    """

    def __init__(self) -> None:
        self.sides: tuple[SortedDict[int, Any], SortedDict[int, Any]] = (SortedDict(), SortedDict())
        self.orders: dict[int, list[int]] = {}  # id: side, price, open quantity, total
        self.events: list[tuple[str, int, int, int, int]] = []
        self.trades = 0

    def run(self, command: Sequence[int]) -> int:
        """Carry out one command row and return how many events it made."""
        self.events = []
        operation, order, _, side, kind, price, quantity, tif = command[:8]
        if operation == NEW:
            self.events.append(("accepted", order, 0, price, quantity))
            left = self._match(order, side, price if kind != MARKET else 0, quantity)
            if left and kind != MARKET and tif != IOC:
                self._rest(order, side, price, left, quantity)
            elif left:
                self.events.append(("canceled", order, 0, 0, left))
        elif order not in self.orders:
            self.events.append(("refused", order, 0, 0, 0))
        elif operation == CANCEL:
            side, price, left, _ = self._remove(order)
            self.events.append(("canceled", order, 0, price, left))
        elif operation == AMEND:
            self.events.append(("amended", order, 0, price, quantity))
            if self.orders[order][1] == price and self.orders[order][3] == quantity:
                return 1
            side, _, left, total = self._remove(order)
            left = self._match(order, side, price, left + quantity - total)
            if left:
                self._rest(order, side, price, left, quantity)
        return len(self.events)

    def best(self) -> tuple[int, int]:
        """Return the best bid and offer, 0 for none."""
        bids, offers = self.sides
        bid: int = -bids.peekitem(0)[0] if bids else 0
        offer: int = offers.peekitem(0)[0] if offers else 0
        return bid, offer

    def _rest(self, order: int, side: int, price: int, left: int, total: int) -> None:
        levels = self.sides[side - 1]
        key = -price if side == 1 else price
        queue = levels.get(key)
        if queue is None:
            queue = levels[key] = OrderedDict()
        queue[order] = left
        self.orders[order] = [side, price, left, total]

    def _remove(self, order: int) -> list[int]:
        found = self.orders.pop(order)
        levels = self.sides[found[0] - 1]
        key = -found[1] if found[0] == 1 else found[1]
        queue = levels[key]
        found[2] = queue.pop(order)
        if not queue:
            del levels[key]
        return found

    def _match(self, taker: int, side: int, price: int, left: int) -> int:
        levels = self.sides[2 - side]
        while left and levels:
            key, queue = levels.peekitem(0)
            at = abs(key)
            if price and (at > price if side == 1 else at < price):
                break
            while left and queue:
                maker = next(iter(queue))
                quantity = min(left, queue[maker])
                left -= quantity
                self.trades += 1
                self.events.append(("trade", maker, taker, at, quantity))
                if quantity == queue[maker]:
                    del queue[maker], self.orders[maker]
                else:
                    queue[maker] -= quantity
            if not queue:
                del levels[key]
        return left


class DecimalBook:
    """A Binance book from ``json`` and ``Decimal`` in two SortedDicts, with the update ids checked."""

    def __init__(self, last_id: int) -> None:
        self.bids: SortedDict[Decimal, Decimal] = SortedDict()
        self.offers: SortedDict[Decimal, Decimal] = SortedDict()
        self.last_id = last_id

    def on_message(self, raw: bytes) -> None:
        """Apply one diff of the book."""
        data = json.loads(raw)["data"]
        if data["pu"] != self.last_id:
            raise ValueError(f"update {data['u']} follows {data['pu']}, expected {self.last_id}")
        self.last_id = data["u"]
        for levels, changes in ((self.bids, data["b"]), (self.offers, data["a"])):
            for price_text, size_text in changes:
                price, size = Decimal(price_text), Decimal(size_text)
                if size:
                    levels[price] = size
                else:
                    levels.pop(price, None)

    def best(self) -> tuple[Decimal, Decimal]:
        """Return the best bid and offer."""
        return self.bids.peekitem(-1)[0], self.offers.peekitem(0)[0]
