"""The feed adapter as config files name it: ``plugin = "bybit"`` with the keys ``market`` and ``depth``."""

from __future__ import annotations

from typing import Literal

from quotewright.live.settings import LiveSettings
from quotewright.plugin.settings import configured, setting
from quotewright_plugins.exchanges.bybit.adapter import BybitAdapter


@configured
class BybitFeed(LiveSettings):
    """Config keys of ``[feeds.X]`` with ``plugin = "bybit"``."""

    market: Literal["spot", "linear", "inverse", "option"] = setting(
        default="spot", doc="spot, linear (settled in USDT or USDC), inverse (settled in coin) or option"
    )
    depth: int = setting(default=0, doc="levels of the book: 50, 200 or 1000; options 25 or 100; 0: 50, for options 25")


class _Factory:
    config_model = BybitFeed

    def __call__(self, settings: BybitFeed) -> BybitAdapter:
        return BybitAdapter(settings.market, depth=settings.depth, live=settings)


bybit_feed = _Factory()
