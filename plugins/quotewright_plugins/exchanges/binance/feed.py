"""The feed adapter as config files name it: ``plugin = "binance"`` with the key ``market``."""

from __future__ import annotations

from typing import Literal

from quotewright.plugin.settings import configured, setting
from quotewright_plugins.exchanges.binance.adapter import BinanceAdapter


@configured
class BinanceFeed:
    """Config keys of ``[feeds.X]`` with ``plugin = "binance"``."""

    market: Literal["spot", "usdm", "coinm"] = setting(
        default="spot", doc="spot, usdm (futures settled in USDT or USDC) or coinm (futures settled in coin)"
    )


class _Factory:
    config_model = BinanceFeed

    def __call__(self, settings: BinanceFeed) -> BinanceAdapter:
        return BinanceAdapter(settings.market)


binance_feed = _Factory()
