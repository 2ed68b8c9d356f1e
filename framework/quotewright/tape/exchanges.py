"""Names under which recordings call an exchange's markets, told by the installed feed adapters."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from quotewright.errors import ConfigError, InputError, NotFoundError
from quotewright.tape.capture import Line, envelope
from quotewright.tape.importing import Market, make_adapter
from quotewright.tape.recording import RecordedFile

if TYPE_CHECKING:
    from quotewright.plugin.registry import PluginSet

LOOKED_AT: Final = 400
"""How many lines are looked at to tell the exchange and market."""
ENOUGH: Final = 20


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


def detect_market(file: RecordedFile, plugins: PluginSet) -> Market:
    """Return the venue and market that most of the first frames belong to, by the word of the installed adapters."""
    detectors = {}
    for name in plugins.names("feed_adapters"):
        try:
            detectors[name] = make_adapter(plugins, name).detect_market
        except ConfigError:  # one that cannot be imported, or needs keys that nobody can guess
            continue
    votes: Counter[Market] = Counter()
    faults: list[str] = []
    for number, text in enumerate(_readable(file, faults)):
        for name, detect in detectors.items():
            market = detect(bytes(text.msg), text.url)
            if market is not None:
                votes[name, market] += 1
        if number >= LOOKED_AT or votes.total() >= ENOUGH:
            break
    file.close()
    if not votes:
        if faults and file.line == len(faults):
            raise InputError(f"{file.path}: none of {file.line} lines can be read; the first {faults[0]}")
        raise InputError(
            f"{file.path}: no installed feed adapter ({', '.join(detectors) or 'none'}) knows its frames; "
            "name where it was recorded with --exchange, such as binance or binance-futures"
        )
    return votes.most_common(1)[0][0]


def _readable(file: RecordedFile, faults: list[str]) -> Iterator[Line]:
    for text in file.lines():
        if text:
            try:
                yield envelope(text)
            except InputError as error:
                faults.append(str(error))
