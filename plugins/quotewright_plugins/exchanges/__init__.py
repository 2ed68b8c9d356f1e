"""Exchanges, one folder each: found by looking, so that a new one is a new folder and nothing else.

A folder's ``__init__`` says ``FEEDS`` and ``VENUES``: names of feed adapters and of execution venues, and where they
are. Its TOML files are venue cards.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from quotewright.plugin.specs import Factory


def _folders() -> Iterator[ModuleType]:
    for found in sorted(pkgutil.iter_modules(__path__), key=lambda module: module.name):
        if found.ispkg:
            yield importlib.import_module(f"{__name__}.{found.name}")


def feeds() -> dict[str, Factory]:
    """Return the feed adapters of every exchange by name."""
    return {name: factory for folder in _folders() for name, factory in getattr(folder, "FEEDS", {}).items()}


def venues() -> dict[str, Factory]:
    """Return the execution venues of every exchange by name."""
    return {name: factory for folder in _folders() for name, factory in getattr(folder, "VENUES", {}).items()}


def cards() -> dict[str, Path]:
    """Return the venue cards of every exchange by name."""
    return {
        card.stem: card
        for folder in _folders()
        for place in folder.__path__
        for card in sorted(Path(place).glob("*.toml"))
    }
