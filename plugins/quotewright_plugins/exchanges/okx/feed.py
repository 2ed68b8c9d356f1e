"""The feed adapter as config files name it: ``plugin = "okx"``."""

from __future__ import annotations

from typing import Literal

from quotewright.live.settings import LiveSettings
from quotewright.plugin.settings import configured, setting
from quotewright_plugins.exchanges.okx.adapter import OkxAdapter


@configured
class OkxFeed(LiveSettings):
    """Config keys of ``[feeds.X]`` with ``plugin = "okx"``."""

    market: Literal["", "spot", "swap", "futures", "option"] = setting(
        default="", doc="only instruments of this market are read: spot, swap, futures or option; empty: of all"
    )
    depth: Literal["books", "books5", "bbo-tbt", "books50-l2-tbt", "books-l2-tbt"] = setting(
        default="books",
        doc="channel of the book: books (400 levels), books5 or bbo-tbt; books50-l2-tbt and books-l2-tbt need a login",
    )
    checksum: Literal["when_sent", "off"] = setting(
        default="when_sent", doc="whether the checksums of books are verified where the venue sends them"
    )


class _Factory:
    config_model = OkxFeed

    def __call__(self, settings: OkxFeed) -> OkxAdapter:
        return OkxAdapter(settings.market, depth=settings.depth, checksum=settings.checksum, live=settings)


okx_feed = _Factory()
