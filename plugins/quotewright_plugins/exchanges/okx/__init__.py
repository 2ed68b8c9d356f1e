"""OKX: spot, perpetual swaps, dated futures and options of its v5 interface."""

from quotewright.plugin.lazy import lazy

FEEDS = {"okx": lazy("quotewright_plugins.exchanges.okx.feed:okx_feed")}
