"""What the local exchange offers, hook by hook. Factories are imported when they are asked for."""

from __future__ import annotations

from quotewright.plugin.lazy import lazy
from quotewright.plugin.specs import Factory, hookimpl


@hookimpl
def feed_adapters() -> dict[str, Factory]:
    return {"simexchange": lazy("quotewright_simexchange.local:LocalFeed")}


@hookimpl
def execution_venues() -> dict[str, Factory]:
    return {
        "simexchange": lazy("quotewright_simexchange.local:LocalExchange"),
        "exchange": lazy("quotewright_simexchange.venue:ExchangeVenue"),
        "replay": lazy("quotewright_simexchange.replay_venue:replay"),
    }


@hookimpl
def dialects() -> dict[str, Factory]:
    return {"binance": lazy("quotewright_simexchange.dialects.binance.dialect:BinanceDialect")}


@hookimpl
def commands() -> dict[str, Factory]:
    return {
        "chaos": lazy("quotewright_simexchange.world.command:chaos", "Run a config in simulated worlds."),
        "demo": lazy("quotewright_simexchange.demo:demo", "Run a market maker against the embedded local exchange."),
        "exchange": lazy("quotewright_simexchange.cli:exchange", "The local exchange: case files, recorded markets."),
    }
