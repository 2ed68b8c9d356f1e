"""quotewright: a market-making framework fed by a tape, wired from plugins, run by three drivers."""

from quotewright import binaries as _binaries

_binaries.install()

__version__ = "0.1.0"
