"""The market of a run: what its feeds open, as one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import attrs

from quotewright.errors import ConfigError, QuotewrightError
from quotewright.kernel.codes import NEVER
from quotewright.kernel.source import RowSource
from quotewright.kernel.venue import Venue
from quotewright.plugin.discovery import fault

if TYPE_CHECKING:
    from quotewright.config.model import Config
    from quotewright.model.instrument import Instrument
    from quotewright.plugin.registry import PluginSet
    from quotewright.tape.tape import Tape


@attrs.frozen(kw_only=True)
class FeedContext:
    """What a feed opens its market with: the tape given to the run, if any, and the venues by table name."""

    name: str
    where: str
    tape: Tape | None
    venues: Mapping[str, Venue]
    seed: int
    instruments: tuple[str, ...] = ()
    live: Market | None = None
    """The live market that was prepared for this run, if there is one."""
    to_ns: int = NEVER
    """Rows of the tape from this receive time on are not shown."""


@attrs.frozen(kw_only=True)
class Market:
    """Rows and what they speak of. ``end_ns`` is NEVER for a market that goes on; times are pipeline time.

    Where several feeds make one market, ``parts`` are theirs by table name and ``feeds`` says for each instrument which
    one it comes from.
    """

    source: RowSource
    instruments: tuple[Instrument, ...]
    start_ns: int
    end_ns: int = NEVER
    parts: Mapping[str, Market] = attrs.field(factory=dict)
    feeds: tuple[str, ...] = ()

    def is_of(self, source: RowSource) -> bool:
        """Return whether the rows are those of *source*, or those of *source* are among them."""
        return self.source is source or any(part.source is source for part in self.parts.values())


@contextmanager
def raising(where: str, what: str) -> Iterator[None]:
    """Turn whatever a plugin raises in *what* into a ConfigError that names its table."""
    try:
        yield
    except (KeyboardInterrupt, QuotewrightError):
        raise
    except BaseException as error:
        raise ConfigError(f"{where}: the plugin's {what} raised {fault(error)}") from error


def files_of(config: Config) -> str:
    """Return the files that a config was read from, for messages about all of it."""
    return ", ".join(config.files) or "config"


def open_market(
    config: Config, plugins: PluginSet, tape: Tape | None, venues: dict[str, Venue], live: Market | None, to_ns: int
) -> Market:
    """Open the market of the one feed, or those of several venues in process as one."""
    tables = list(config.feeds.values())
    if not tables:
        raise ConfigError(f"{files_of(config)}: no feed is configured; a run takes a table [feeds.NAME]")
    if len(tables) > 1 and (tape is not None or live is not None):
        kind = "tape" if tape is not None else "live feed"
        raise ConfigError(
            f"{files_of(config)}: {len(tables)} feeds are configured; a run on a {kind} takes one table [feeds.NAME], "
            "whose rows may be of several venues"
        )
    markets: dict[str, Market] = {}
    for number, table in enumerate(tables):
        feed = plugins.build("feed_adapters", table)
        context = FeedContext(
            name=table.name,
            where=table.where,
            tape=tape,
            venues=venues,
            seed=config.run.seed + number,
            instruments=table.instruments,
            live=live,
            to_ns=to_ns,
        )
        with raising(table.where, "market()"):
            market = feed.market(context)
        if not isinstance(market, Market):
            raise ConfigError(f"{table.where}: '{table.plugin}' opened no market, was {market!r}")
        markets[table.name] = market
    if len(markets) == 1:
        return next(iter(markets.values()))
    from quotewright.merging import merge_markets

    return merge_markets(markets, files_of(config))
