"""What the pytest plugin hands to tests: the exchange under watch, scripts on it, and the truth it holds."""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs

from quotewright.errors import InputError
from quotewright_simexchange.exchange.exchange import Exchange
from quotewright_simexchange.exchange.records import (
    BalanceEvent,
    DepthEvent,
    Event,
    FillRecord,
    Listing,
    OrderEvent,
    OrderRecord,
    TradeEvent,
)
from quotewright_simexchange.markets.scripted import ScriptMarket

LOG_LINES = 200
"""So many of the newest lines are shown with a failing test."""


def seed_of(name: str) -> int:
    """Return the seed of the test called *name*: the same each time and on every machine."""
    return zlib.crc32(name.encode())


def spot_listing(
    symbol: str, base: str, quote: str, *, tick: str = "0.01", lot: str = "0.00001", **settings: object
) -> Listing:
    """Return a spot instrument; *settings* add to the engine's, such as ``min_notional="5"``."""
    return Listing(
        symbol=symbol,
        name=f"{base}-{quote}.spot@local",
        kind="spot",
        base=base,
        quote=quote,
        settle=quote,
        settings={"tick": tick, "lot": lot, "kind": "spot", "base": base, "quote": quote, **settings},
        price_decimals=_decimals(tick),
        size_decimals=_decimals(lot),
    )


def usual_listings() -> list[Listing]:
    """Return the instruments that a test gets if it says nothing: BTCUSDT and ETHUSDT, both spot."""
    return [spot_listing("BTCUSDT", "BTC", "USDT"), spot_listing("ETHUSDT", "ETH", "USDT", lot="0.0001")]


class Watched:
    """An exchange and the newest lines of what happened on it."""

    def __init__(self, exchange: Exchange, seed: int) -> None:
        self.exchange = exchange
        self.seed = seed
        self.start_ns = exchange.now_ns
        self.lines: deque[str] = deque(maxlen=LOG_LINES)
        self.events = 0
        exchange.listen(self._heard)

    @classmethod
    def make(
        cls,
        seed: int,
        listings: Sequence[Listing] | None = None,
        accounts: Mapping[str, Mapping[str, Decimal | int | str]] | None = None,
    ) -> Watched:
        """Return a watched exchange with *listings* and funded *accounts*."""
        exchange = Exchange(usual_listings() if listings is None else list(listings), seed=seed)
        watched = cls(exchange, seed)
        for name, balances in (accounts or {}).items():
            exchange.open_account(name, {currency: Decimal(amount) for currency, amount in balances.items()})
        return watched

    def page(self) -> str:
        """Return the seed, the market time and the newest events."""
        left_out = self.events - len(self.lines)
        head = f"seed {self.seed}, market time {self._time(self.exchange.now_ns)}, {self.events} events"
        if left_out:
            head += f", the last {len(self.lines)}"
        return "\n".join([head, *self.lines])

    def _time(self, now_ns: int) -> str:
        return f"+{Decimal(now_ns - self.start_ns).scaleb(-9):.6f}s"

    def _heard(self, event: Event) -> None:
        self.events += 1
        self.lines.append(f"{self._time(event.event_ns)} {tell(event)}")


def tell(event: Event) -> str:
    """Return one line that says what *event* tells."""
    if isinstance(event, OrderEvent):
        order = event.order
        price = "market" if order.price is None else order.price
        line = f"{event.account} order {order.order_id} {event.what}: {order.request.side} {order.quantity} "
        line += f"{order.request.symbol} at {price}, {order.filled} filled, {order.status}"
        return f"{line} ({order.reason})" if order.reason else line
    if isinstance(event, BalanceEvent):
        held = sorted(event.balances.items())
        told = ", ".join(f"{name} {free.normalize():f}+{locked.normalize():f}" for name, (free, locked) in held)
        return f"{event.account} balances ({event.why}): {told}"
    if isinstance(event, TradeEvent):
        return f"{event.symbol} trade {event.trade_id}: {event.side} {event.quantity} at {event.price}"
    if isinstance(event, DepthEvent):
        told = ", ".join(f"{side} {price} {quantity}" for side, price, quantity in event.changes)
        return f"{event.symbol} depth {event.sequence}: {told}"
    return str(event)


class ScriptedMarkets:
    """Starts scripts on one exchange and runs its clock to their ends."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.markets: list[ScriptMarket] = []

    def __call__(self, text: str, *, run: bool = True) -> ScriptMarket:
        """Start the script in *text* and, with *run*, let the clock run to its end."""
        return self._start(ScriptMarket.of(text), run)

    def read(self, path: Path | str, *, run: bool = True) -> ScriptMarket:
        """The same for the file at *path*."""
        return self._start(ScriptMarket.read(path), run)

    def _start(self, market: ScriptMarket, run: bool) -> ScriptMarket:
        market.start(self.exchange)
        self.markets.append(market)
        if run:
            self.exchange.advance(self.exchange.now_ns + market.length_ns)
        return market

    def check(self) -> None:
        """Raise ScriptFailed if a script did not get what it expected."""
        for market in self.markets:
            market.check()


@attrs.frozen
class ExchangeDoors:
    """Where a served exchange is found. It is touched through ``call(function, …)`` only, while it is served."""

    addresses: Mapping[str, Mapping[str, str]]
    """``rest``, ``ws``, ``ws_api`` by door, such as ``binance-spot``."""
    api_key: str
    api_secret: str
    call: Callable[..., Any]

    @classmethod
    @contextmanager
    def serving(cls, exchange: Exchange, dialect: str) -> Iterator[ExchangeDoors]:
        """Serve *exchange* in *dialect* on free ports of loopback, in a thread of its own, until the block is left."""
        from quotewright_simexchange.server.opening import balances_of, open_dialects
        from quotewright_simexchange.server.serving import Server, ServerThread

        if "trader" not in exchange.accounts:
            exchange.open_account("trader", balances_of((), exchange.listings))
        key = exchange.add_key("trader")
        with ServerThread(Server(exchange, open_dialects([dialect], exchange))) as thread:
            yield cls(thread.addresses(), key.key, key.secret, thread.call)


class VenueTruth:
    """What the exchange itself knows, whatever clients were told or believe."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange

    def balances(self, account: str) -> dict[str, tuple[Decimal, Decimal]]:
        """Return (free, locked) by currency."""
        return dict(self.exchange.balances(account))

    def orders(self, account: str, symbol: str) -> list[OrderRecord]:
        """Return all orders there ever were."""
        return list(self.exchange.orders(account, symbol))

    def open_orders(self, account: str, symbol: str | None = None) -> list[OrderRecord]:
        """Return the open orders."""
        return list(self.exchange.open_orders(account, symbol))

    def fills(self, account: str, symbol: str) -> list[FillRecord]:
        """Return all fills."""
        return list(self.exchange.fills(account, symbol))

    def book(self, symbol: str, levels: int = -1) -> dict[str, list[tuple[Decimal, Decimal]]]:
        """Return displayed ``bids`` and ``asks``, best first."""
        book = self.exchange.book(symbol, levels)
        return {"bids": list(book.bids), "asks": list(book.offers)}

    def check(self) -> None:
        """Raise InputError if a currency does not sum to zero over all accounts, fees and the outside."""
        wrong = {currency: total for currency, total in self.exchange.ledger_sums().items() if total}
        if wrong:
            told = ", ".join(f"{currency} {total}" for currency, total in sorted(wrong.items()))
            raise InputError(f"local exchange: the ledger should sum to zero in each currency, was {told}")


def _decimals(step: str) -> int:
    exponent = Decimal(step).normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0
