"""A loaded config: its tables in the order of the file, and where each value came from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import attrs

from quotewright.config.units import Duration
from quotewright.plugin.settings import at_least, configured, setting

CONFIG_VERSION = 1


@configured
class RunTable:
    """``[run]``: what concerns the run as a whole."""

    name: str = setting(default="run", doc="name of the run, part of its folder's name")
    seed: int = setting(default=1, doc="seed of everything random in the run", check=at_least(0))
    record: str = setting(
        default="runs/{name}-{started}", doc="folder of the run; {name} and {started} are filled in, --out overrides it"
    )
    sample: Duration = setting(default="1s", doc="how often the report samples equity and position", check=at_least(1))


@configured
class PluginsTable:
    """``[plugins]``: which plugins may be used."""

    allow: tuple[str, ...] | None = setting(default=None, doc="the only distributions whose plugins are imported")
    disable: tuple[str, ...] = setting(default=(), doc="plugins, distributions or 'plugin:name' that are not used")


@configured
class Table:
    """One table that names a plugin.

    *settings* are the plugin's own keys, not yet read. Messages about the table begin with *where*, those about a
    key that another file or option set with its entry in *origins*.
    """

    SECTION: ClassVar[str] = ""
    HOOK: ClassVar[str] = ""
    name: str
    plugin: str
    where: str
    settings: dict[str, Any]
    origins: dict[str, str] = setting(factory=dict)

    def common(self) -> dict[str, Any]:
        """Return the keys that belong to the framework; a plugin that declares one of them receives it too."""
        return {key: getattr(self, key) for key in self.common_keys()}

    @classmethod
    def common_keys(cls) -> list[str]:
        """Return the keys of this section's tables that belong to the framework, ``plugin`` aside."""
        return [name for name in field_names(cls) if name not in field_names(Table)]


def field_names(model: Any) -> list[str]:
    """Return the names of the fields of an attrs class, in order."""
    return [field.name for field in attrs.fields(model)]


@configured
class FeedTable(Table):
    """``[feeds.X]``: where market data comes from."""

    SECTION: ClassVar[str] = "feeds"
    HOOK: ClassVar[str] = "feed_adapters"
    instruments: tuple[str, ...] = setting(default=(), doc="instruments of this feed, such as 'BTC-USDT.perp@binance'")
    book: str | dict[str, Any] = setting(
        default="ladder", doc="book model: a name, or a table with plugin and its keys"
    )


@configured
class VenueTable(Table):
    """``[venues.X]``: where orders go."""

    SECTION: ClassVar[str] = "venues"
    HOOK: ClassVar[str] = "execution_venues"
    card: str = setting(default="", doc="name of the venue card with filters, fees and limits")


@configured
class Requote:
    """When a working quote is moved: only if the wanted one is farther away than this."""

    ticks: int = setting(default=0, doc="tolerated distance in ticks", check=at_least(0))
    bid_ticks: int | None = setting(default=None, doc="tolerated distance of bids, if another", check=at_least(0))
    offer_ticks: int | None = setting(default=None, doc="tolerated distance of offers, if another", check=at_least(0))
    spread_fraction: float = setting(default=0.0, doc="tolerated distance as a share of the spread", check=at_least(0))


@configured
class LegTable:
    """One leg of a strategy that trades several instruments."""

    instrument: str = setting(doc="instrument of this leg")
    venue: str = setting(default="", doc="table under [venues] that takes its orders; not needed if there is only one")


@configured
class StrategyTable(Table):
    """``[strategies.X]``: who quotes what, and where."""

    SECTION: ClassVar[str] = "strategies"
    HOOK: ClassVar[str] = "strategies"
    venue: str = setting(default="", doc="table under [venues] that takes the orders; not needed if there is only one")
    instrument: str = setting(default="", doc="instrument to quote; not needed if the run has only one")
    legs: tuple[LegTable, ...] = setting(
        default=(), doc="instruments of a strategy that trades several, in its order, in place of instrument and venue"
    )
    requote: Requote = setting(factory=Requote, doc="when a working quote is moved")


@configured
class RiskTable(Table):
    """``[risk.X]``: one rule that every order must pass; rules are asked in the order of the file."""

    SECTION: ClassVar[str] = "risk"
    HOOK: ClassVar[str] = "risk_rules"
    mode: Literal["enforce", "warn", "observe"] = setting(
        default="enforce", doc="enforce; warn: pass orders but show the state; observe: only count"
    )


SECTIONS: Mapping[str, type[Table]] = {kind.SECTION: kind for kind in (FeedTable, VenueTable, StrategyTable, RiskTable)}


@attrs.frozen(kw_only=True)
class Config:
    """A config as the files and options state it. Tables keep the order in which they first appear.

    *values* are all tables as read (exact values: int, Decimal, str, bool, lists, tables), without defaults;
    *sources* says for each dotted key where its value came from: ``paper.toml:12`` or ``--set``.
    """

    run: RunTable
    feeds: dict[str, FeedTable]
    venues: dict[str, VenueTable]
    strategies: dict[str, StrategyTable]
    risk: dict[str, RiskTable]
    plugins: PluginsTable
    files: tuple[str, ...]
    values: dict[str, Any]
    sources: dict[str, str]

    def tables(self) -> list[Table]:
        """Return every table that names a plugin, in the order of the sections."""
        return [table for section in SECTIONS for table in getattr(self, section).values()]
