"""Spot matches that self-trade prevention kept from happening, for those who ask about them."""

from __future__ import annotations

from collections import deque
from decimal import Decimal
from typing import TYPE_CHECKING

import attrs

from quotewright_simexchange.dialects.binance.errors import ApiError
from quotewright_simexchange.dialects.binance.listings import spot_listings
from quotewright_simexchange.dialects.binance.parameters import Parameters
from quotewright_simexchange.dialects.binance.routes import Call, Endpoint
from quotewright_simexchange.dialects.binance.spot_market import find_symbol
from quotewright_simexchange.dialects.binance.spot_orders import stp_word
from quotewright_simexchange.dialects.binance.waiting import Waiting
from quotewright_simexchange.dialects.binance.written import fixed
from quotewright_simexchange.exchange.records import ZERO, Event, OrderEvent, OrderRecord

if TYPE_CHECKING:
    from quotewright_simexchange.exchange.exchange import Exchange

KEPT = 10_000
ENTERS = ("accepted", "amended", "triggered")
"""What makes an order the one that meets others."""


@attrs.frozen
class Prevention:
    """Two orders of one account that would have met; *number* is that of the event which told it."""

    number: int
    symbol: str
    taker: OrderRecord
    maker: OrderRecord
    quantity: Decimal
    event_ns: int


class Preventions:
    """The newest preventions by account."""

    def __init__(self, exchange: Exchange, waiting: Waiting) -> None:
        self.exchange = exchange
        self.waiting = waiting
        self._symbols = spot_listings(exchange)
        self._entered: dict[tuple[str, str], OrderRecord] = {}
        self._prevented: dict[int, Decimal] = {}
        self._rows: dict[str, deque[Prevention]] = {}
        exchange.listen(self._take)

    def endpoints(self) -> dict[tuple[str, str, str], Endpoint]:
        """Return what is served, by (verb, path) of REST and method of the WebSocket API."""
        return {("GET", "/api/v3/myPreventedMatches", "myPreventedMatches"): Endpoint(self.matches, _weight, "read")}

    def matches(self, call: Call) -> object:
        parameters = call.parameters
        symbol = find_symbol(self.exchange, parameters)
        number = parameters.integer("preventedMatchId") if parameters.has("preventedMatchId") else None
        order = parameters.integer("orderId") if parameters.has("orderId") else None
        if (number is None) == (order is None):
            raise ApiError(-1128, "Combination of optional parameters invalid.")
        first, limit = parameters.integer("fromPreventedMatchId", 0), parameters.integer("limit", 500, low=1, high=1000)
        found = [
            row
            for row in self._rows.get(call.account, ())
            if row.symbol == symbol
            and row.number >= first
            and number in (None, row.number)
            and (order is None or order in (self._shown(row.taker), self._shown(row.maker)))
        ]
        return [
            {
                "symbol": row.symbol,
                "preventedMatchId": row.number,
                "takerOrderId": self._shown(row.taker),
                "makerSymbol": row.symbol,
                "makerOrderId": self._shown(row.maker),
                "tradeGroupId": -1,
                "selfTradePreventionMode": stp_word(row.taker),
                "price": fixed(row.maker.price),
                "makerPreventedQuantity": fixed(row.quantity),
                "transactTime": call.time(row.event_ns),
            }
            for row in found[:limit]
        ]

    def _shown(self, order: OrderRecord) -> int:
        return self.waiting.shown(order.order_id)[0]

    def _take(self, event: Event) -> None:
        if not isinstance(event, OrderEvent) or event.order.request.symbol not in self._symbols:
            return
        order, key = event.order, (event.account, event.order.request.symbol)
        if event.what in ENTERS:
            self._entered[key] = order
        if event.what != "prevented" and not (event.what == "canceled" and order.reason == "stp"):
            return
        quantity = order.prevented - self._prevented.get(order.order_id, ZERO)
        self._prevented[order.order_id] = order.prevented
        taker = self._entered.get(key)
        maker: OrderRecord | None = order
        if taker is None or order.order_id == taker.order_id:
            taker, quantity = order, ZERO
            maker = self._met(order) if order.request.stp == "cancel_taker" else None
        if maker is not None:
            rows = self._rows.setdefault(event.account, deque(maxlen=KEPT))
            rows.append(Prevention(event.sequence, key[1], taker, maker, quantity, event.event_ns))

    def _met(self, taker: OrderRecord) -> OrderRecord | None:
        """Return the own order that *taker*, taken out of the match, met: the best one of the other side."""
        others = [
            one
            for one in self.exchange.open_orders(taker.account, taker.request.symbol)
            if one.request.side != taker.request.side and one.price is not None and one.status != "untriggered"
        ]
        is_buy = taker.request.side == "buy"
        return min(others, key=lambda one: (one.price if is_buy else -(one.price or ZERO)) or ZERO, default=None)


def _weight(parameters: Parameters) -> int:
    return 20 if parameters.has("orderId") else 2
