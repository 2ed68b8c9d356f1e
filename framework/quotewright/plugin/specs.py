"""Hook specs: what a plugin may offer. Each returns names and factories and does nothing else.

A factory is an attrs class whose fields are the config keys of its table, or any callable with an attribute
``config_model`` (an attrs class) that is called with the structured config; ``quotewright.plugin.lazy`` wraps
one that takes long to import. Hooks are listed in life-cycle order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    import click

PROJECT = "quotewright"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)

Factory = Callable[..., Any]


@hookspec
def feed_adapters() -> Mapping[str, Factory]:
    """Offer feed adapters under the names used as ``plugin`` in ``[feeds.X]``.

    ``docs/writing-plugins/feed_adapters.md`` holds the whole plugin.

    Example:
        @hookimpl
        def feed_adapters():
            return {"acme": AcmeFeed}
    """
    return {}


@hookspec
def book_models() -> Mapping[str, Factory]:
    """Offer book models under the names used as ``book`` in ``[feeds.X]``.

    ``docs/writing-plugins/book_models.md`` holds the whole plugin.

    Example:
        @hookimpl
        def book_models():
            return {"two_dicts": TwoDicts}
    """
    return {}


@hookspec
def strategies() -> Mapping[str, Factory]:
    """Offer strategies under the names used as ``plugin`` in ``[strategies.X]``.

    ``docs/writing-plugins/strategies.md`` holds the whole plugin.

    Example:
        @hookimpl
        def strategies():
            return {"one_tick_behind": OneTickBehind}
    """
    return {}


@hookspec
def risk_rules() -> Mapping[str, Factory]:
    """Offer risk rules under the names used as ``plugin`` in ``[risk.X]``.

    ``docs/writing-plugins/risk_rules.md`` holds the whole plugin.

    Example:
        @hookimpl
        def risk_rules():
            return {"no_round_prices": NoRoundPrices}
    """
    return {}


@hookspec
def execution_venues() -> Mapping[str, Factory]:
    """Offer execution venues under the names used as ``plugin`` in ``[venues.X]``.

    ``docs/writing-plugins/execution_venues.md`` holds the whole plugin.

    Example:
        @hookimpl
        def execution_venues():
            return {"never_fills": NeverFills}
    """
    return {}


@hookspec
def venue_cards() -> Mapping[str, Path]:
    """Offer venue cards: TOML files with a venue's filters, fees, limits and error codes.

    ``docs/writing-plugins/venue_cards.md`` holds the whole plugin.

    Example:
        @hookimpl
        def venue_cards():
            return {"acme-spot": Path(__file__).with_name("acme-spot.toml")}
    """
    return {}


@hookspec
def dialects() -> Mapping[str, Factory]:
    """Offer protocols in which the local exchange can be spoken to over the wire.

    ``docs/writing-plugins/dialects.md`` holds the whole plugin.

    Example:
        @hookimpl
        def dialects():
            return {"lines": Lines}
    """
    return {}


@hookspec
def importers() -> Mapping[str, Factory]:
    """Offer importers of recorded data under a format name.

    ``docs/writing-plugins/importers.md`` holds the whole plugin.

    Example:
        @hookimpl
        def importers():
            return {"blank_trades": BlankTrades}
    """
    return {}


@hookspec
def archives() -> Mapping[str, Factory]:
    """Offer archives of recorded data under the names used by ``quotewright data fetch``.

    ``docs/writing-plugins/archives.md`` holds the whole plugin.

    Example:
        @hookimpl
        def archives():
            return {"acme": AcmeArchive}
    """
    return {}


@hookspec
def observers() -> Mapping[str, Factory]:
    """Offer observers of a run (reports, dashboards, alerts); they see events and change nothing.

    ``docs/writing-plugins/observers.md`` holds the whole plugin.

    Example:
        @hookimpl
        def observers():
            return {"fill_counter": FillCounter}
    """
    return {}


@hookspec
def commands() -> Mapping[str, click.Command]:
    """Offer commands of the ``quotewright`` command line.

    ``docs/writing-plugins/commands.md`` holds the whole plugin.

    Example:
        @hookimpl
        def commands():
            return {"greet": lazy("acme.commands:greet", "Say hello.")}
    """
    return {}
