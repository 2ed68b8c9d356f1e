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
    """Offer feed adapters under the names used as ``plugin`` in ``[feeds.X]``."""
    return {}


@hookspec
def book_models() -> Mapping[str, Factory]:
    """Offer book models under the names used as ``book`` in ``[feeds.X]``."""
    return {}


@hookspec
def strategies() -> Mapping[str, Factory]:
    """Offer strategies under the names used as ``plugin`` in ``[strategies.X]``."""
    return {}


@hookspec
def risk_rules() -> Mapping[str, Factory]:
    """Offer risk rules under the names used as ``plugin`` in ``[risk.X]``."""
    return {}


@hookspec
def execution_venues() -> Mapping[str, Factory]:
    """Offer execution venues under the names used as ``plugin`` in ``[venues.X]``."""
    return {}


@hookspec
def venue_cards() -> Mapping[str, Path]:
    """Offer venue cards: TOML files with a venue's filters, fees, limits and error codes."""
    return {}


@hookspec
def dialects() -> Mapping[str, Factory]:
    """Offer protocols in which the local exchange can be spoken to over the wire."""
    return {}


@hookspec
def importers() -> Mapping[str, Factory]:
    """Offer importers of recorded data under a format name."""
    return {}


@hookspec
def observers() -> Mapping[str, Factory]:
    """Offer observers of a run (reports, dashboards, alerts); they see events and change nothing."""
    return {}


@hookspec
def commands() -> Mapping[str, click.Command]:
    """Offer commands of the ``quotewright`` command line."""
    return {}
