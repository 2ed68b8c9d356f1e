"""The feed adapter as config files and importers make it."""

from __future__ import annotations

from typing import Literal

from quotewright.live.settings import LiveSettings
from quotewright.plugin.settings import configured, setting
from quotewright_plugins.exchanges.deribit.adapter import DeribitAdapter


@configured
class DeribitFeed(LiveSettings):
    """Config keys of ``[feeds.X]`` with ``plugin = "deribit"``."""

    interval: Literal["raw", "100ms", "agg2"] = setting(
        default="100ms", doc="how often books, trades and tickers are sent; raw takes a login, agg2 is about a second"
    )
    depth: int = setting(default=0, doc="0: the whole book by changes; 1, 10 or 20: images of so many levels")
    group: str = setting(default="none", doc="with a depth: width of the levels, none, 1, 2, 5, 10, 25, 100 or 250")


class _Factory:
    config_model = DeribitFeed

    def __call__(self, settings: DeribitFeed) -> DeribitAdapter:
        return DeribitAdapter(settings.interval, depth=settings.depth, group=settings.group, live=settings)


deribit_feed = _Factory()
