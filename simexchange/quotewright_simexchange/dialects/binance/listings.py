"""Instruments as exchangeInfo tells them, from a listing and the venue card; orders are held to these filters."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from quotewright_simexchange.dialects.binance.written import fixed

if TYPE_CHECKING:
    from quotewright.model.cards import VenueCard
    from quotewright_simexchange.exchange.exchange import Exchange
    from quotewright_simexchange.exchange.records import Listing

MOST_TICKS = Decimal(10) ** 10
MOST_LOTS = 9 * Decimal(10) ** 9
LEAST_TRAILING, MOST_TRAILING = 10, 2000
"""In basis points."""
SPOT_STATUSES = {"trading": "TRADING", "halt": "HALT", "cancel_only": "CANCEL_ONLY"}
STP_MODES = {
    "NONE": "none",
    "EXPIRE_MAKER": "cancel_maker",
    "EXPIRE_TAKER": "cancel_taker",
    "EXPIRE_BOTH": "cancel_both",
    "DECREMENT": "decrement",
}
"""The venue's words and the engine's."""


def usual_stp(card: VenueCard) -> str:
    """Return the self-trade prevention of orders that state none."""
    return card.orders.self_trade if card.orders.self_trade in STP_MODES else "NONE"


def spot_listings(exchange: Exchange) -> dict[str, Listing]:
    """Return the instruments that a spot door shows, by symbol."""
    return {symbol: listing for symbol, listing in exchange.listings.items() if listing.kind == "spot"}


def number(settings: Mapping[str, Any], key: str) -> Decimal | None:
    """Return the setting *key* as a Decimal, None if it is off."""
    value = settings.get(key)
    return None if value is None else Decimal(str(value))


def price_filter(listing: Listing) -> dict[str, Any]:
    tick = listing.tick
    return {
        "filterType": "PRICE_FILTER",
        "minPrice": fixed(tick),
        "maxPrice": fixed(tick * MOST_TICKS),
        "tickSize": fixed(tick),
    }


def lot_size(listing: Listing, name: str = "LOT_SIZE") -> dict[str, Any]:
    lot, settings = listing.lot, listing.settings
    return {
        "filterType": name,
        "minQty": fixed(number(settings, "min_qty") or lot),
        "maxQty": fixed(number(settings, "max_qty") or lot * MOST_LOTS),
        "stepSize": fixed(lot),
    }


def spot_filters(listing: Listing, card: VenueCard) -> list[dict[str, Any]]:
    """Return the filters of a spot instrument in the order in which they are checked."""
    settings = listing.settings
    filters = [
        price_filter(listing),
        lot_size(listing),
        {"filterType": "ICEBERG_PARTS", "limit": 100},
        {**lot_size(listing, "MARKET_LOT_SIZE"), "minQty": fixed(None), "stepSize": fixed(None)},
    ]
    band = settings.get("price_band")
    if isinstance(band, Mapping):
        filters.append(_percent_price(band))
    filters.append(
        {
            "filterType": "TRAILING_DELTA",
            "minTrailingAboveDelta": LEAST_TRAILING,
            "maxTrailingAboveDelta": MOST_TRAILING,
            "minTrailingBelowDelta": LEAST_TRAILING,
            "maxTrailingBelowDelta": MOST_TRAILING,
        }
    )
    least = number(settings, "min_notional")
    if least is not None:
        filters.append(
            {
                "filterType": "NOTIONAL",
                "minNotional": fixed(least),
                "applyMinToMarket": True,
                "maxNotional": fixed(Decimal(9_000_000_000_000)),
                "applyMaxToMarket": False,
                "avgPriceMins": 5,
            }
        )
    most = settings.get("max_open_orders") or card.limits.max_open_orders
    if most:
        filters.append({"filterType": "MAX_NUM_ORDERS", "maxNumOrders": most})
    return filters


def _percent_price(band: Mapping[str, Any]) -> dict[str, Any]:
    def multiple(*keys: str) -> str:
        value = next((band[key] for key in keys if band.get(key) is not None), None)
        return fixed(None if value is None else Decimal(str(value)), 4).rstrip("0").rstrip(".") or "0"

    return {
        "filterType": "PERCENT_PRICE_BY_SIDE",
        "bidMultiplierUp": multiple("up_buy", "up"),
        "bidMultiplierDown": multiple("down_buy", "down"),
        "askMultiplierUp": multiple("up_sell", "up"),
        "askMultiplierDown": multiple("down_sell", "down"),
        "avgPriceMins": 5,
    }


def spot_symbol(listing: Listing, card: VenueCard, phase: str) -> dict[str, Any]:
    """Return a spot instrument as exchangeInfo tells it."""
    return {
        "symbol": listing.symbol,
        "status": SPOT_STATUSES.get(phase, "BREAK"),
        "baseAsset": listing.base,
        "baseAssetPrecision": 8,
        "quoteAsset": listing.quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": list(card.orders.types),
        "icebergAllowed": True,
        "ocoAllowed": True,
        "otoAllowed": True,
        "opoAllowed": False,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": True,
        "cancelReplaceAllowed": True,
        "amendAllowed": card.orders.amend != "none",
        "pegInstructionsAllowed": False,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": spot_filters(listing, card),
        "permissions": [],
        "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": usual_stp(card),
        "allowedSelfTradePreventionModes": list(STP_MODES),
    }
