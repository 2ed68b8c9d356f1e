"""Names under which recordings call an exchange's markets: Tardis's, and the plain ones."""

from __future__ import annotations

from quotewright.errors import InputError

TARDIS = {
    "binance": ("binance", "spot"),
    "binance-futures": ("binance", "usdm"),
    "binance-delivery": ("binance", "coinm"),
    "bybit": ("bybit", "linear"),
    "bybit-spot": ("bybit", "spot"),
    "bybit-options": ("bybit", "option"),
    "okex": ("okx", "spot"),
    "okex-swap": ("okx", "swap"),
    "okex-futures": ("okx", "futures"),
    "okex-options": ("okx", "option"),
    "deribit": ("deribit", ""),
}
"""Tardis's exchange ids: venue and market."""

OTHER = {
    "binance-spot": ("binance", "spot"),
    "binance-usdm": ("binance", "usdm"),
    "binance-coinm": ("binance", "coinm"),
}


def market_of(exchange: str) -> tuple[str, str]:
    """Return venue and market of an exchange's name; any other ``venue-market`` is taken apart at its dash."""
    name = exchange.strip().lower()
    known = TARDIS.get(name) or OTHER.get(name)
    if known is not None:
        return known
    venue, _, market = name.partition("-")
    if not venue.isalnum():
        raise InputError(f"exchange should be a name such as {', '.join(list(TARDIS)[:3])}, was '{exchange}'")
    return venue, market
