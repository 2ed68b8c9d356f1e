"""Hook specs, discovery and the registry of plugins; what a plugin's author imports stands here."""

from quotewright.plugin.lazy import lazy
from quotewright.plugin.settings import at_least, between, configured, not_negative, one_of, positive, setting
from quotewright.plugin.specs import hookimpl

__all__ = [
    "at_least",
    "between",
    "configured",
    "hookimpl",
    "lazy",
    "not_negative",
    "one_of",
    "positive",
    "setting",
]
