"""A factory that is imported when it is asked for, so that a plugin module stays quick to import."""

from __future__ import annotations

import importlib
from typing import Any

from quotewright.errors import ConfigError


class Lazy:
    """Stands for the object at ``module:name`` until it is needed; *help* is the line a listing shows."""

    def __init__(self, target: str, help: str = "") -> None:
        module, colon, name = target.partition(":")
        if not (module and colon and name):
            raise ConfigError(f"lazy factory should be 'module:name', was '{target}'")
        self.target = target
        self.help = help
        self.module = module
        self.name = name

    def load(self) -> Any:
        """Import the module and return the object; whatever the import raises goes through."""
        found: Any = importlib.import_module(self.module)
        for part in self.name.split("."):
            found = getattr(found, part)
        return found

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the object that this stands for."""
        return self.load()(*args, **kwargs)

    def __repr__(self) -> str:
        return f"lazy({self.target!r})"


def lazy(target: str, help: str = "") -> Lazy:
    """Return a factory that imports ``module:name`` when it is first used.

    A hook of a plugin whose modules import much offers ``{"acme": lazy("acme.strategy:Acme")}``.
    """
    return Lazy(target, help)
