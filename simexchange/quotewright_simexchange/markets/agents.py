"""Seeded agents on an exchange: each instrument has makers, takers and noise of its own, from one seed."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

from quotewright.errors import ConfigError
from quotewright.kernel.codes import BUY
from quotewright_simexchange.agents import FAIR, Agents, MarketSettings
from quotewright_simexchange.exchange.records import OrderRequest, Refused
from quotewright_simexchange.markets.driver import MarketDriver, ample_funds, find_listing

if TYPE_CHECKING:
    from quotewright_simexchange.exchange.exchange import Exchange
    from quotewright_simexchange.exchange.records import Listing

REFERENCE_NS = 1_000_000_000
FUNDING_NS = 8 * 3600 * 1_000_000_000
INTEREST = Decimal("0.0001")
MOST_PULL = Decimal("0.0005")
MOST_RATE = Decimal("0.0075")
MOST_SAMPLES = 28_800


class _Crowd:
    """The agents of one instrument."""

    def __init__(self, exchange: Exchange, listing: Listing, settings: MarketSettings, price: Decimal, seed: int):
        self.exchange = exchange
        self.listing = listing
        self.tick = listing.tick
        self.lot = listing.lot
        self.accounts = crowd_accounts(listing.symbol, settings)
        for account in self.accounts:
            exchange.open_account(account, ample_funds(listing))
        self.orders = 0
        self.refused: dict[str, int] = {}
        self.agents = Agents(
            settings,
            seed,
            exchange.now_ns,
            int(price / self.tick),
            int(Decimal(str(settings.size)) / self.lot),
            self._place,
            self._cancel,
            self._touch,
        )
        self.samples: list[Decimal] = []
        """How far the middle of the book lay above the index, as a share of it, since funding was paid last."""
        if listing.kind != "spot":
            self._refer()
            self._fund(exchange.now_ns // FUNDING_NS * FUNDING_NS + FUNDING_NS)
        self._next()

    def _next(self) -> None:
        self.exchange.at(max(self.agents.next_ns, self.exchange.now_ns), self._act)

    def _act(self) -> None:
        self.agents.act()
        self._next()

    def _refer(self) -> None:
        """State index and mark, once a second: what agents hold for fair, and that with the book's premium."""
        exchange, symbol = self.exchange, self.listing.symbol
        index = self.agents.fair // FAIR * self.tick
        bid, offer = self._touch()
        premium = Decimal(0)
        if bid and offer:
            premium = ((bid + offer) * self.tick / 2 - index) / index
            self.samples.append(premium)
            del self.samples[:-MOST_SAMPLES]
        exchange.set_index(symbol, index)
        exchange.set_mark(symbol, (index * (1 + premium)).quantize(self.tick))
        exchange.at(exchange.now_ns + REFERENCE_NS, self._refer)

    def _fund(self, when_ns: int) -> None:
        """Have funding paid at *when_ns*, and every eight hours from then on."""
        self.exchange.set_funding(self.listing.symbol, self._rate(), when_ns)

        def pay() -> None:
            self.exchange.fund(self.listing.symbol, self._rate())
            self.samples.clear()
            self._fund(when_ns + FUNDING_NS)

        self.exchange.at(when_ns, pay)

    def _rate(self) -> Decimal:
        """Return the rate that is due: the mean premium drawn towards the interest, and held within bounds."""
        mean = sum(self.samples, Decimal(0)) / len(self.samples) if self.samples else Decimal(0)
        rate = mean + max(-MOST_PULL, min(MOST_PULL, INTEREST - mean))
        return max(-MOST_RATE, min(MOST_RATE, rate)).quantize(Decimal("1e-8"))

    def _place(self, account: int, side: int, ticks: int, lots: int, immediate: bool, post_only: bool) -> int:
        request = OrderRequest(
            symbol=self.listing.symbol,
            side="buy" if side == BUY else "sell",
            quantity=lots * self.lot,
            price=ticks * self.tick,
            tif="ioc" if immediate else "gtc",
            post_only="reject" if post_only else "",
        )
        placed = self.exchange.place(self.accounts[account - Agents.FIRST_ACCOUNT], request)
        self.orders += 1
        if isinstance(placed, Refused):
            self.refused[placed.reason] = self.refused.get(placed.reason, 0) + 1
            return -1
        return placed.order_id if placed.is_open else -1

    def _cancel(self, account: int, order_id: int) -> None:
        # An order that is filled already is refused: to be expected, as on any venue.
        self.exchange.cancel(self.accounts[account - Agents.FIRST_ACCOUNT], self.listing.symbol, order_id=order_id)

    def _touch(self) -> tuple[int, int]:
        book = self.exchange.book(self.listing.symbol, 1)
        bid = int(book.bids[0][0] / self.tick) if book.bids else 0
        offer = int(book.offers[0][0] / self.tick) if book.offers else 0
        return bid, offer


def crowd_accounts(symbol: str, settings: MarketSettings) -> tuple[str, ...]:
    """Return the names of the agents' accounts on *symbol*: makers first, then takers, then noise."""
    makers = [f"{symbol}-maker-{number + 1}" for number in range(settings.makers)]
    return (*makers, f"{symbol}-takers", f"{symbol}-noise")


class AgentMarket(MarketDriver):
    """Agents on each symbol of *prices* (symbol to the price at which its market begins).

    The same seed, settings and listings give the same market, whatever the order in which *prices* names them; our own
    orders change what the agents see and so what they do.
    """

    def __init__(
        self, prices: Mapping[str, Decimal | int | str], seed: int = 0, settings: MarketSettings | None = None
    ) -> None:
        if not prices:
            raise ConfigError("an agent market should be given the price of at least one symbol, was given none")
        self.prices = {symbol: Decimal(prices[symbol]) for symbol in sorted(prices)}
        self.seed = seed
        self.settings = settings or MarketSettings()
        self.accounts = tuple(name for symbol in self.prices for name in crowd_accounts(symbol, self.settings))
        self._crowds: list[_Crowd] = []

    @property
    def symbols(self) -> Sequence[str]:
        return tuple(self.prices)

    def start(self, exchange: Exchange) -> None:
        listings = [find_listing(exchange, symbol, "agent market") for symbol in self.prices]
        make = partial(_Crowd, exchange)
        for listing in listings:
            price = self.prices[listing.symbol]
            if price < listing.tick:
                raise ConfigError(f"agent market: {listing.symbol}: price should be at least a tick, was {price}")
            seed = self.seed * 0x1_0000_0001 + zlib.crc32(listing.symbol.encode())
            self._crowds.append(make(listing, self.settings, price, seed))

    def describe(self) -> Mapping[str, Any]:
        return {
            "market": "agents",
            "seed": self.seed,
            "symbols": {
                crowd.listing.symbol: {
                    "price": str(self.prices[crowd.listing.symbol]),
                    "orders": crowd.orders,
                    "refused": dict(sorted(crowd.refused.items())),
                }
                for crowd in self._crowds
            },
        }
