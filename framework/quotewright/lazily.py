"""Modules that are imported when something of them is first used: most runs need no HTTP client."""

from __future__ import annotations

from importlib import import_module
from typing import Any


class Lazily:
    """Stands for the module *name* and imports it when an attribute is asked for.

    Type checkers see the import itself::

        if TYPE_CHECKING:
            import httpx
        else:
            httpx = Lazily("httpx")
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(import_module(self._name), attribute)
