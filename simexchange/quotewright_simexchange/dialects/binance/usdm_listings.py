"""Instruments of USD-M futures as exchangeInfo tells them, from a listing and the venue card."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from quotewright_simexchange.dialects.binance.listings import MOST_LOTS, MOST_TICKS
from quotewright_simexchange.dialects.binance.usdm_words import price_text, setting, size_text, venue_symbol

if TYPE_CHECKING:
    from quotewright.model.cards import VenueCard
    from quotewright_simexchange.exchange.records import Listing

FOREVER_MS = 4_133_404_800_000
"""Delivery date of what is never delivered."""
STATUSES = {"trading": "TRADING", "auction": "PENDING_TRADING", "halt": "CLOSE", "post_only": "PENDING_TRADING"}


def usdm_filters(listing: Listing, card: VenueCard) -> list[dict[str, Any]]:
    """Return the filters; PRICE_FILTER stands first, which clients rely on."""
    lot = {
        "minQty": size_text(listing, setting(listing, "min_qty") or listing.lot),
        "maxQty": size_text(listing, setting(listing, "max_qty") or listing.lot * MOST_LOTS),
        "stepSize": size_text(listing, listing.lot),
    }
    most = listing.settings.get("max_open_orders") or card.limits.max_open_orders
    filters: list[dict[str, Any]] = [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": price_text(listing, listing.tick),
            "maxPrice": price_text(listing, listing.tick * MOST_TICKS),
            "tickSize": price_text(listing, listing.tick),
        },
        {"filterType": "LOT_SIZE", **lot},
        {"filterType": "MARKET_LOT_SIZE", **lot},
        {"filterType": "MAX_NUM_ORDERS", "limit": most},
        {"filterType": "MAX_NUM_ALGO_ORDERS", "limit": most},
        {"filterType": "MIN_NOTIONAL", "notional": f"{(setting(listing, 'min_notional') or Decimal(0)).normalize():f}"},
    ]
    band = listing.settings.get("price_band")
    if isinstance(band, Mapping):
        filters.append(
            {
                "filterType": "PERCENT_PRICE",
                "multiplierUp": str(band.get("up", band.get("up_buy", 0))),
                "multiplierDown": str(band.get("down", band.get("down_sell", 0))),
                "multiplierDecimal": "4",
            }
        )
    return filters


def usdm_symbol(listing: Listing, card: VenueCard, phase: str) -> dict[str, Any]:
    """Return an instrument as exchangeInfo tells it."""
    maintenance = (setting(listing, "mm_rate") or Decimal(0)) * 100
    initial = (setting(listing, "im_rate") or Decimal(0)) * 100
    return {
        "symbol": venue_symbol(listing),
        "pair": f"{listing.base}{listing.quote}",
        "contractType": "PERPETUAL",
        "deliveryDate": FOREVER_MS,
        "onboardDate": 1_569_398_400_000,
        "status": STATUSES.get(phase, "CLOSE"),
        "maintMarginPercent": f"{maintenance:.4f}",
        "requiredMarginPercent": f"{initial:.4f}",
        "baseAsset": listing.base,
        "quoteAsset": listing.quote,
        "marginAsset": listing.settle,
        "pricePrecision": listing.price_decimals + 1,
        "quantityPrecision": listing.size_decimals,
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": "COIN",
        "underlyingSubType": [],
        "triggerProtect": "0.0500",
        "liquidationFee": "0.000000",
        "marketTakeBound": "0.05",
        "maxMoveOrderLimit": card.orders.max_amends,
        "filters": usdm_filters(listing, card),
        "orderTypes": [
            "LIMIT",
            "MARKET",
            "STOP",
            "STOP_MARKET",
            "TAKE_PROFIT",
            "TAKE_PROFIT_MARKET",
            "TRAILING_STOP_MARKET",
        ],
        "timeInForce": ["GTC", "IOC", "FOK", "GTX", "GTD"],
        "permissionSets": ["GRID", "COPY"],
    }
