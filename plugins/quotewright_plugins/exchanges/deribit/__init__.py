"""Deribit v2: perpetuals, futures, options and spot on one connection."""

from quotewright.plugin.lazy import lazy

FEEDS = {"deribit": lazy("quotewright_plugins.exchanges.deribit.feed:deribit_feed")}
"""The feed adapter as config files name it: ``plugin = "deribit"``, keys ``interval``, ``depth`` and ``group``."""
