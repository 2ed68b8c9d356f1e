"""Bybit v5: spot, linear and inverse contracts, options."""

from quotewright.plugin.lazy import lazy

FEEDS = {"bybit": lazy("quotewright_plugins.exchanges.bybit.feed:bybit_feed")}
