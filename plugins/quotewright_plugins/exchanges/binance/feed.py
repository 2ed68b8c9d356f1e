"""The feed adapter as config files name it: ``plugin = "binance"`` with the key ``market``."""

from __future__ import annotations

from typing import Literal

from quotewright.live.settings import LiveSettings
from quotewright.plugin.settings import at_least, configured, setting
from quotewright_plugins.exchanges.binance.adapter import BinanceAdapter
from quotewright_plugins.exchanges.binance.wire import streams_of


@configured
class BinanceFeed(LiveSettings):
    """Config keys of ``[feeds.X]`` with ``plugin = "binance"``."""

    market: Literal["spot", "usdm", "coinm", "option"] = setting(
        default="spot", doc="spot, usdm (futures settled in USDT or USDC), coinm (futures settled in coin) or option"
    )
    speed: str = setting(default="", doc="pace of the book's stream, such as 100ms; empty: 100ms")
    depth: int = setting(
        default=0, doc="levels of the book's stream, a whole image each time: 5, 10, 20; 0: changes, for options 20"
    )
    snapshot_levels: int = setting(
        default=1000, doc="levels of a side in the snapshots that changes are put on", check=at_least(5)
    )


class _Factory:
    config_model = BinanceFeed

    def __call__(self, settings: BinanceFeed) -> BinanceAdapter:
        streams_of(settings.market, (), None, settings.depth, settings.speed)  # says at once which keys do not fit
        return BinanceAdapter(
            settings.market,
            live=settings,
            depth=settings.depth,
            speed=settings.speed,
            snapshot_levels=settings.snapshot_levels,
        )


binance_feed = _Factory()
