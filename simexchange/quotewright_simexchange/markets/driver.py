"""What a market is: something that trades on an exchange, by itself, at times of the market clock."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from quotewright.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from quotewright_simexchange.exchange.exchange import Exchange
    from quotewright_simexchange.exchange.records import Listing

AMPLE_BASE = Decimal(10**15)
AMPLE_QUOTE = Decimal(10**15)
"""Funds of accounts that are to trade without ever running out."""


class MarketDriver:
    """A market: :meth:`start` it once on an exchange, then let the exchange's clock run.

    ``accounts`` are the names of the accounts it trades on, which it opens itself when it is started.
    """

    accounts: tuple[str, ...] = ()

    def start(self, exchange: Exchange) -> None:
        """Open the accounts and ask the exchange to be called, from its present market time on."""
        raise TypeError(f"{type(self).__name__} lacks start()")

    def describe(self) -> Mapping[str, Any]:
        """Return what it is and what it has done, fit for JSON."""
        raise TypeError(f"{type(self).__name__} lacks describe()")


def ample_funds(listing: Listing) -> dict[str, Decimal]:
    """Return funds that do not run out on *listing*."""
    if listing.kind == "spot":
        return {listing.base: AMPLE_BASE, listing.quote: AMPLE_QUOTE}
    return {listing.settle: AMPLE_QUOTE}


def find_listing(exchange: Exchange, symbol: str, where: str) -> Listing:
    """Return the listing called *symbol*; ConfigError says what is listed, and *where* it was asked for."""
    found = exchange.listings.get(symbol)
    if found is None:
        listed = ", ".join(sorted(exchange.listings)) or "nothing"
        raise ConfigError(f"{where}: no instrument called '{symbol}' on this exchange; it lists {listed}")
    return found
