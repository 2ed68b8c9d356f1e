"""Names under which recordings call an exchange's markets: Tardis's, and the plain ones."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

from quotewright.errors import InputError
from quotewright.tape import exchanges
from quotewright.tape.export import SHOWN_IN_PERCENT

if TYPE_CHECKING:
    from quotewright.plugin.registry import PluginSet

TARDIS = {
    "binance": ("binance", "spot"),
    "binance-futures": ("binance", "usdm"),
    "binance-delivery": ("binance", "coinm"),
    "binance-european-options": ("binance", "option"),
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


def market_of(exchange: str, plugins: PluginSet | None = None) -> tuple[str, str]:
    """Return venue and market of an exchange's name; any other ``venue-market`` is taken apart at its dash.

    The installed adapters say how recordings call their markets.
    """
    name = exchange.strip().lower()
    if plugins is not None and (found := exchanges.recorded_names(plugins).get(name)):
        return found
    return TARDIS.get(name) or OTHER.get(name) or exchanges.market_of(exchange, plugins)


def volatility(exchange: str, text: str) -> str:
    """Return a volatility told by Tardis for *exchange* as a fraction; empty if nothing is told."""
    if not text or exchange not in SHOWN_IN_PERCENT:
        return text
    try:
        return f"{Decimal(text).scaleb(-2):f}"
    except InvalidOperation:
        raise InputError(f"a volatility should be a decimal number, was {text[:40]!r}") from None
