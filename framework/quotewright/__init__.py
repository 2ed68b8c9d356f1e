"""quotewright: a market-making framework fed by a tape, wired from plugins, run by three drivers.

``import quotewright as qw`` gives scripts and notebooks what the verbs of the command line do: see :mod:`~.api`. Its
names are imported when they are first used, so that the import itself takes no time.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from quotewright import binaries as _binaries

_binaries.install()

__version__ = "0.1.0"

_API = "quotewright.api"
_PLUGIN = "quotewright.plugin"
_NAMES = {
    "backtest": _API,
    "paper": _API,
    "step_through": _API,
    "walk_forward": _API,
    "load_tape": _API,
    "import_recording": _API,
    "trades": _API,
    "Result": _API,
    "Stepping": _API,
    "QuotewrightError": "quotewright.errors",
    "ConfigError": "quotewright.errors",
    "InputError": "quotewright.errors",
    "NotFoundError": "quotewright.errors",
    "Strategy": "quotewright.kernel.strategy",
    "MultiStrategy": "quotewright.kernel.strategy",
    "RiskRule": "quotewright.kernel.rules",
    "CheckRule": "quotewright.kernel.rules",
    "Amount": "quotewright.config.units",
    "Bps": "quotewright.config.units",
    "Duration": "quotewright.config.units",
    "configured": _PLUGIN,
    "positive": _PLUGIN,
    "setting": _PLUGIN,
}
"""Where each public name comes from."""

if TYPE_CHECKING:
    from quotewright.api import Result as Result
    from quotewright.api import Stepping as Stepping
    from quotewright.api import backtest as backtest
    from quotewright.api import import_recording as import_recording
    from quotewright.api import load_tape as load_tape
    from quotewright.api import paper as paper
    from quotewright.api import step_through as step_through
    from quotewright.api import trades as trades
    from quotewright.api import walk_forward as walk_forward
    from quotewright.config.units import Amount as Amount
    from quotewright.config.units import Bps as Bps
    from quotewright.config.units import Duration as Duration
    from quotewright.errors import ConfigError as ConfigError
    from quotewright.errors import InputError as InputError
    from quotewright.errors import NotFoundError as NotFoundError
    from quotewright.errors import QuotewrightError as QuotewrightError
    from quotewright.kernel.rules import CheckRule as CheckRule
    from quotewright.kernel.rules import RiskRule as RiskRule
    from quotewright.kernel.strategy import MultiStrategy as MultiStrategy
    from quotewright.kernel.strategy import Strategy as Strategy
    from quotewright.plugin import configured as configured
    from quotewright.plugin import positive as positive
    from quotewright.plugin import setting as setting


def __getattr__(name: str) -> Any:
    module = _NAMES.get(name)
    if module is None:
        raise AttributeError(f"module 'quotewright' has no attribute '{name}'")
    found = getattr(import_module(module), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_NAMES})
