"""The markets of a world: seeded agents, and what makes them trend, thin out, gap or halt."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from quotewright.config.units import Bps
from quotewright_simexchange.agents import MarketSettings
from quotewright_simexchange.exchange.records import OrderRequest
from quotewright_simexchange.markets.agents import AgentMarket
from quotewright_simexchange.markets.driver import ample_funds
from quotewright_simexchange.world.plan import MS_NS, SECOND_NS, Draw

if TYPE_CHECKING:
    from collections.abc import Mapping

    from quotewright_simexchange.exchange.exchange import Exchange
    from quotewright_simexchange.exchange.records import Side

PUSHER = "pusher"
"""The account that makes a market trend or gap."""


def settings_of(kind: str) -> MarketSettings:
    """Return how lively the agents of a market of this *kind* are: livelier ones show no more and cost more."""
    if kind == "thin":
        return MarketSettings(makers=1, maker_levels=2, maker_rate=3.0, takers=1.0, noise=0.5)
    volatility = Bps.parse("3 bps" if kind == "trending" else "1 bps")
    return MarketSettings(makers=2, maker_levels=4, maker_rate=4.0, takers=2.0, noise=2.0, volatility=volatility)


class WorldMarket:
    """Agents on every symbol of *prices*, and what a kind of market adds to them, until :meth:`calm`."""

    def __init__(self, exchange: Exchange, prices: Mapping[str, Decimal], kind: str, seed: int) -> None:
        self.exchange = exchange
        self.kind = kind
        self.draw = Draw(f"market {seed}")
        self.is_calm = False
        self.agents = AgentMarket(prices, seed, settings_of(kind))
        self.agents.start(exchange)
        if kind in ("trending", "gapping"):
            funds: dict[str, Decimal] = {}
            for symbol in prices:
                funds |= ample_funds(exchange.listings[symbol])
            exchange.open_account(PUSHER, funds)
        for symbol in sorted(prices):
            self._later(symbol)

    def calm(self) -> None:
        """Add nothing to the agents any more; a halt ends."""
        self.is_calm = True
        for symbol in self.agents.symbols:
            if self.exchange.phase(symbol) != "trading":
                self.exchange.set_phase(symbol, "trading")

    def _later(self, symbol: str) -> None:
        wait_ns = {"trending": 300 * MS_NS, "gapping": 3 * SECOND_NS, "halting": 4 * SECOND_NS}.get(self.kind, 0)
        if wait_ns and not self.is_calm:
            when_ns = self.exchange.now_ns + wait_ns // 2 + self.draw.below(wait_ns)
            self.exchange.at(when_ns, lambda: self._act(symbol))

    def _act(self, symbol: str) -> None:
        if self.is_calm:
            return
        if self.kind == "trending":
            self._take(symbol, "buy" if self.exchange.now_ns // (20 * SECOND_NS) % 2 else "sell", Decimal("0.02"))
        elif self.kind == "gapping":
            self._take(symbol, self.draw.one(("buy", "sell")), self.draw.one((Decimal("0.3"), Decimal(2))))
        elif self.exchange.phase(symbol) == "trading":
            self.exchange.set_phase(symbol, self.draw.one(("halt", "cancel_only", "post_only")))
            self.exchange.at(self.exchange.now_ns + self.draw.between(200, 1500) * MS_NS, lambda: self._resume(symbol))
        self._later(symbol)

    def _resume(self, symbol: str) -> None:
        if self.exchange.phase(symbol) != "trading":
            self.exchange.set_phase(symbol, "trading")

    def _take(self, symbol: str, side: Side, quantity: Decimal) -> None:
        self.exchange.place(PUSHER, OrderRequest(symbol=symbol, side=side, type="market", quantity=quantity))
