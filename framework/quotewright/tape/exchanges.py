"""Names under which recordings call an exchange's markets, told by the installed feed adapters."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from quotewright.errors import ConfigError, InputError, NotFoundError
from quotewright.tape.importing import Market, make_adapter

if TYPE_CHECKING:
    from quotewright.plugin.registry import PluginSet


def recorded_names(plugins: PluginSet) -> dict[str, Market]:
    """Return the names that recordings use (Tardis's) with the venue and market meant, in order of venues."""
    return _asked(plugins)[0]


def _asked(plugins: PluginSet) -> tuple[dict[str, Market], list[str]]:
    """Return the names, and what the adapters that could not be asked said."""
    found: dict[str, Market] = {}
    silent: list[str] = []
    for venue in plugins.names("feed_adapters"):
        try:
            recordings = make_adapter(plugins, venue).recordings
        except ConfigError:  # one that cannot be imported, or needs keys that nobody can guess
            continue
        except Exception as error:  # a faulty plugin costs its own names, not those of the others
            silent.append(f"{venue}: {type(error).__name__}: {error}")
            continue
        for name, market in recordings.items():
            found.setdefault(name, (venue, market))
    return found, silent


def recorded_market(plugins: PluginSet, name: str) -> Market:
    """Return the venue and market that recordings call *name*.

    Raises:
        NotFoundError: no installed adapter reads such recordings; the known names are told.
    """
    names, silent = _asked(plugins)
    found = names.get(name.strip().lower())
    if found is None:
        close = difflib.get_close_matches(name.strip().lower(), names, 1)
        hint = f"; did you mean {close[0]}?" if close else ""
        known = ", ".join(names) or "no installed adapter tells any"
        faults = f"; faulty: {'; '.join(silent)}" if silent else ""
        raise NotFoundError(f"exchange '{name}' is not known{hint} (known: {known}){faults}")
    return found


def market_of(exchange: str, plugins: PluginSet | None = None) -> Market:
    """Return venue and market of an exchange's name: a recording's, or ``venue-market`` taken apart at its dash.

    Without *plugins* all that are installed are asked.
    """
    if plugins is None:
        from quotewright.plugin.registry import PluginSet

        plugins = PluginSet.discover(strict=False)
    name = exchange.strip().lower()
    found = recorded_names(plugins).get(name)
    if found is not None:
        return found
    venue, _, market = name.partition("-")
    if not venue.isalnum():
        known = ", ".join(list(recorded_names(plugins))[:3]) or "binance"
        raise InputError(f"exchange should be a name such as {known}, was '{exchange}'")
    return venue, market
