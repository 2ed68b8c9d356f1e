"""The coins of the venue, as its wallet lists them: what clients read to know currencies."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from quotewright_simexchange.dialects.binance.written import fixed

if TYPE_CHECKING:
    from quotewright_simexchange.exchange.exchange import Exchange

NONE = (Decimal(0), Decimal(0))


def coins(exchange: Exchange, account: str) -> list[dict[str, Any]]:
    """Return every coin that is traded here with what *account* has of it; none can be sent anywhere."""
    listings = exchange.listings.values()
    names = sorted({name for listing in listings for name in (listing.base, listing.quote, listing.settle) if name})
    balances = exchange.balances(account)
    return [
        {
            "coin": name,
            "depositAllEnable": False,
            "free": fixed(balances.get(name, NONE)[0]),
            "freeze": "0",
            "ipoable": "0",
            "ipoing": "0",
            "isLegalMoney": False,
            "locked": fixed(balances.get(name, NONE)[1]),
            "name": name,
            "networkList": [],
            "storage": "0",
            "trading": True,
            "withdrawAllEnable": False,
            "withdrawing": "0",
        }
        for name in names
    ]
