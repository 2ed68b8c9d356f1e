"""What was changed on USD-M orders, for those who ask about an order's amendments."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from quotewright_simexchange.dialects.binance.routes import Call, Endpoint
from quotewright_simexchange.dialects.binance.usdm_words import (
    MS_NS,
    Symbols,
    order_json,
    price_text,
    size_text,
    venue_symbol,
)

if TYPE_CHECKING:
    from quotewright_simexchange.exchange.exchange import Exchange
    from quotewright_simexchange.exchange.records import Listing, OrderRecord

KEPT = 10_000
FORCED = "LIQ-"
"""How the client ids begin that the exchange gives to orders by which it closes positions."""


class Amendments:
    """The newest amendments by account, and the orders by which the exchange closed positions."""

    def __init__(self, exchange: Exchange, symbols: Symbols) -> None:
        self.exchange = exchange
        self.symbols = symbols
        self._rows: dict[str, deque[dict[str, Any]]] = {}
        self._numbers = 0

    def endpoints(self) -> dict[tuple[str, str], Endpoint]:
        return {
            ("GET", "/fapi/v1/orderAmendment"): Endpoint(self.amendments, 1, "read"),
            ("GET", "/fapi/v1/forceOrders"): Endpoint(self.forced, 20, "read"),
        }

    def add(self, before: OrderRecord, after: OrderRecord, listing: Listing, now_ns: int) -> None:
        """Note that an order was changed."""
        self._numbers += 1
        rows = self._rows.setdefault(after.account, deque(maxlen=KEPT))
        prices = [price_text(listing, record.price) for record in (before, after)]
        sizes = [size_text(listing, record.quantity) for record in (before, after)]
        rows.append(
            {
                "amendmentId": self._numbers,
                "symbol": venue_symbol(listing),
                "pair": venue_symbol(listing),
                "orderId": after.order_id,
                "clientOrderId": after.client_id,
                "time": now_ns // MS_NS,
                "amendment": {
                    "price": {"before": prices[0], "after": prices[1]},
                    "origQty": {"before": sizes[0], "after": sizes[1]},
                    "count": after.amends,
                },
                "priceMatch": after.request.labels.get("match", "NONE"),
            }
        )

    def amendments(self, call: Call) -> object:
        parameters = call.parameters
        listing = self.symbols.find(parameters.text("symbol"))
        number = parameters.integer("orderId", 0)
        client_id = parameters.text("origClientOrderId", "")
        start, end = parameters.integer("startTime", 0), parameters.integer("endTime", 1 << 43)
        rows = [
            row
            for row in self._rows.get(call.account, ())
            if row["symbol"] == venue_symbol(listing)
            and number in (0, row["orderId"])
            and client_id in ("", row["clientOrderId"])
            and start <= row["time"] <= end
        ]
        return rows[::-1][: parameters.integer("limit", 50, low=1, high=100)]

    def forced(self, call: Call) -> object:
        parameters = call.parameters
        name = parameters.text("symbol", "")
        listings = [self.symbols.find(name)] if name else list(self.symbols.listings.values())
        parameters.choice("autoCloseType", ("LIQUIDATION", "ADL"), "LIQUIDATION")
        start, end = parameters.integer("startTime", 0), parameters.integer("endTime", 1 << 43)
        is_adl = parameters.text("autoCloseType", "") == "ADL"
        found = [
            order_json(record, listing)
            for listing in listings
            for record in self.exchange.orders(call.account, listing.symbol, limit=1 << 40)
            if record.client_id.startswith(FORCED) and not is_adl and start <= record.created_ns // MS_NS <= end
        ]
        return found[-parameters.integer("limit", 50, low=1, high=100) :]
