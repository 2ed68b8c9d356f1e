"""The market of a run: what its feeds open, as one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import attrs

from quotewright.errors import ConfigError, QuotewrightError
from quotewright.kernel.codes import NEVER
from quotewright.kernel.source import RowSource
from quotewright.kernel.venue import Venue
from quotewright.model.names import aliases
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
    """Open the market of the one feed, or those of several as one.

    Several venues in process have a market each; several live feeds were put together before the run, and their tape
    holds the rows of all.
    """
    tables = list(config.feeds.values())
    if not tables:
        raise ConfigError(f"{files_of(config)}: no feed is configured; a run takes a table [feeds.NAME]")
    if live is not None and live.parts:
        return live
    if tape is not None:
        feed_of = feeds_of(config, plugins, tape.instruments)
        tables = tables[:1]
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
    if tape is not None:
        return attrs.evolve(markets[tables[0].name], feeds=feed_of)
    if len(markets) == 1:
        return next(iter(markets.values()))
    from quotewright.merging import merge_markets

    return merge_markets(markets, files_of(config))


def feeds_of(config: Config, plugins: PluginSet, instruments: Sequence[Instrument]) -> tuple[str, ...]:
    """Return which feed each of a tape's *instruments* is of; none where there is one feed only.

    So the config of a run on several live feeds also runs on a tape of theirs. An instrument that no table names is of
    none: ``""``; one that may be of two of them (a symbol that two markets of a venue have) is of the first.

    Raises:
        ConfigError: a feed is not one of the live ones, or which of two it is would make another book.
    """
    if len(config.feeds) == 1:
        return ()
    from quotewright.live.market import live_adapter
    from quotewright.live.venue_feed import resolved_feed

    named: list[list[str]] = [[] for _ in instruments]
    exactly: list[list[str]] = [[] for _ in instruments]
    for stated in config.feeds.values():
        table = resolved_feed(config, plugins, stated)
        adapter = live_adapter(plugins, table)
        if adapter is None:
            raise ConfigError(
                f"{files_of(config)}: {len(config.feeds)} feeds are configured; a run on a tape takes one table "
                f"[feeds.NAME], or those of live feeds, which '{stated.name}' is not"
            )
        for number, instrument in enumerate(instruments):
            if adapter.name and instrument.venue != adapter.name:
                continue
            if instrument.name in table.instruments:
                exactly[number].append(stated.name)
            elif any(name in (instrument.symbol, *aliases(instrument)) for name in table.instruments):
                named[number].append(stated.name)
    found = [full or short for full, short in zip(exactly, named, strict=True)]
    for instrument, names in zip(instruments, found, strict=True):
        if any(config.feeds[name].book != config.feeds[names[0]].book for name in names[1:]):
            raise ConfigError(
                f"{files_of(config)}: {instrument.name} may be of the feeds {' and '.join(names)}, whose books differ; "
                "write full names under 'instruments' of both"
            )
    return tuple(names[0] if names else "" for names in found)
