"""Binance: spot, futures settled in stable coin (USD-M) and in coin (COIN-M)."""

from quotewright.plugin.lazy import lazy

FEEDS = {"binance": lazy("quotewright_plugins.exchanges.binance.feed:binance_feed")}
VENUES = {"binance": lazy("quotewright_plugins.exchanges.binance.venue:binance_venue")}
