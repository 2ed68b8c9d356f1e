"""``plugin = "venue"``: the market of the run's own venue, whatever that is, so that swapping it is one table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, cast, runtime_checkable

import attrs

from quotewright.errors import ConfigError
from quotewright.feed import FeedAdapter
from quotewright.live.venue import LiveVenue
from quotewright.plugin.settings import configured, setting

if TYPE_CHECKING:
    from quotewright.config.model import Config, FeedTable, VenueTable
    from quotewright.plugin.registry import PluginSet
    from quotewright.tape.sink import Sink
    from quotewright.wiring import FeedContext, Market


@runtime_checkable
class OwnMarket(Protocol):
    """A venue in process that makes its market itself."""

    def open(self, seed: int) -> Market: ...


@configured
class VenueFeed(FeedAdapter):
    """The market of the venue that takes the orders: of an exchange in process, or of a live venue's own feed."""

    venue: str = setting(default="", doc="table under [venues] whose market this is; not needed if there is only one")

    def market(self, context: FeedContext) -> Market:
        """Open the market of the venue named, or of the only one."""
        if context.live is not None or context.tape is not None:
            return super().market(context)
        names = [self.venue] if self.venue else list(context.venues)
        found: object = context.venues.get(names[0]) if len(names) == 1 else None
        if not isinstance(found, OwnMarket):
            raise ConfigError(
                f"{context.where}.venue: should name a venue that has a market of its own, was '{self.venue}'; "
                f"configured: {', '.join(context.venues) or 'none'}"
            )
        return found.open(context.seed)

    def on_message(self, raw: bytes | memoryview, source: str, url: str | None, receive_ns: int, sink: Sink) -> None:
        """Frames are read by the venue's own adapter; one that comes here is counted as of another market."""
        self.bad_frame("market", "a venue's market is read by its own adapter")


def resolved_feed(config: Config, plugins: PluginSet, table: FeedTable) -> FeedTable:
    """Return *table*, or what it stands for: the feed of the live venue whose market it names."""
    if table.plugin != "venue":
        return table
    feed: Any = plugins.build("feed_adapters", table)
    if not isinstance(feed, VenueFeed):
        return table
    venue_table = _venue_table(config, feed.venue)
    venue = plugins.build("execution_venues", venue_table) if venue_table is not None else None
    if not isinstance(venue, LiveVenue):
        return table
    name, settings = venue.feed
    if not name:
        raise ConfigError(
            f"{table.where}: the venue '{venue_table.name if venue_table else ''}' has no feed of its own"
        )
    own = {key: value for key, value in table.settings.items() if key != "venue"}
    found: FeedTable = attrs.evolve(cast(Any, table), plugin=name, settings={**settings, **own})
    return found


def _venue_table(config: Config, name: str) -> VenueTable | None:
    if name:
        return config.venues.get(name)
    return next(iter(config.venues.values())) if len(config.venues) == 1 else None
