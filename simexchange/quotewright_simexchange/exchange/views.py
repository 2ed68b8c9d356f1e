"""What can be asked of the local exchange: accounts, orders, fills, the market. Asking changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from itertools import islice

from quotewright.errors import ConfigError, NotFoundError
from quotewright_simexchange.exchange.accounts import Account, Position
from quotewright_simexchange.exchange.market import Book, Day, Market
from quotewright_simexchange.exchange.orders import OrderStore
from quotewright_simexchange.exchange.positions import Held
from quotewright_simexchange.exchange.records import (
    FillRecord,
    Listing,
    OrderRecord,
    ReferenceEvent,
    TradeEvent,
)
from quotewright_simexchange.matching.door import FastEngine
from quotewright_simexchange.matching.ledger import Ledger


class Views:
    """The state of an exchange, and the questions about it."""

    def __init__(self, listings: Sequence[Listing], start_ns: int) -> None:
        self.now_ns = start_ns
        self.listings: dict[str, Listing] = {}
        self.accounts: dict[str, Account] = {}
        self.ledger = Ledger()
        self.ledger.now_ns = start_ns
        self._engines: dict[str, FastEngine] = {}
        self._markets: dict[str, Market] = {}
        self._store = OrderStore()
        self._balances: dict[str, dict[str, tuple[Decimal, Decimal]]] = {}
        self._held: dict[tuple[str, str], Held] = {}
        for listing in listings:
            if listing.symbol in self.listings:
                raise ConfigError(f"two instruments are called {listing.symbol}; a symbol stands for one")
            self.listings[listing.symbol] = listing
            self._engines[listing.symbol] = FastEngine(listing.settings, ledger=self.ledger, name=listing.symbol)
            self._markets[listing.symbol] = Market(listing.symbol, start_ns)

    def balances(self, account: str) -> dict[str, tuple[Decimal, Decimal]]:
        """Return (free, locked) by currency, currencies in order; those never touched are left out."""
        number = self.ledger.number(self._account(account).name)
        found = {}
        for currency in sorted(self.ledger.wallets):
            free, locked = self.ledger.balance(number, currency)
            if free or locked or currency in self._balances[account]:
                found[currency] = (self._money(free), self._money(locked))
        return found

    def position(self, account: str, symbol: str) -> Position:
        """Return the position of *account* in a derivative; flat for spot."""
        self._account(account)
        listing = self._listing(symbol)
        held = self._held.get((account, symbol)) or Held(listing)
        derivative = self._engines[symbol].derivative
        unrealized = 0 if derivative is None else derivative.unrealized(self.ledger.number(account))
        return Position(
            symbol=symbol,
            quantity=held.quantity,
            entry_price=held.entry_price,
            entry_value=held.entry_value,
            realized=held.realized,
            unrealized=self._money(unrealized),
            mark=self._markets[symbol].reference.mark,
        )

    # Orders.

    def order(
        self, account: str, symbol: str, *, order_id: int | None = None, client_id: str = ""
    ) -> OrderRecord | None:
        """Return one order of *account*, by its id, or the newest with that client id; None if there is none."""
        return self._store.find(account, symbol, order_id, client_id)

    def open_orders(self, account: str, symbol: str | None = None) -> list[OrderRecord]:
        """Return the open orders of *account* by acceptance."""
        return self._store.open_orders(self._account(account).name, symbol)

    def orders(
        self,
        account: str,
        symbol: str,
        *,
        from_id: int | None = None,
        start_ns: int = 0,
        end_ns: int | None = None,
        limit: int = 500,
    ) -> list[OrderRecord]:
        """Return orders, ended ones too, oldest first: the last *limit*, or the first from *from_id* or *start_ns*."""
        found = self._store.history(account, symbol, from_id or 0, start_ns, end_ns)
        return found[:limit] if from_id is not None or start_ns else found[-limit:] if limit else []

    def fills(
        self,
        account: str,
        symbol: str,
        *,
        order_id: int | None = None,
        from_id: int | None = None,
        start_ns: int = 0,
        end_ns: int | None = None,
        limit: int = 500,
    ) -> list[FillRecord]:
        """Return fills oldest first: the last *limit*, or the first from trade *from_id* or *start_ns* on."""
        found = self._store.fills(account, symbol, order_id, from_id or 0, start_ns, end_ns)
        return found[:limit] if from_id is not None or start_ns else found[-limit:] if limit else []

    def fills_of(self, order_id: int) -> list[FillRecord]:
        """Return the fills of one order, oldest first."""
        return list(self._store.fills_by_order.get(order_id, ()))

    # The market.

    def book(self, symbol: str, levels: int = -1) -> Book:
        """Return the displayed book, *levels* a side (negative: all)."""
        self._listing(symbol)
        return self._markets[symbol].book.top(levels)

    def recent_trades(self, symbol: str, limit: int = 500) -> list[TradeEvent]:
        """Return the last *limit* prints, oldest first; 10,000 are kept."""
        self._listing(symbol)
        recent = self._markets[symbol].recent
        return list(islice(reversed(recent), limit))[::-1] if limit > 0 else []

    def statistics(self, symbol: str) -> Day:
        """Return the prints of the last 24 hours of market time, summed up."""
        self._listing(symbol)
        return self._markets[symbol].statistics(self.now_ns)

    def reference(self, symbol: str) -> ReferenceEvent:
        """Return mark, index and funding as they were told last."""
        self._listing(symbol)
        return self._markets[symbol].reference

    def phase(self, symbol: str) -> str:
        """Return the state of trading."""
        self._listing(symbol)
        return self._markets[symbol].phase

    def ledger_sums(self) -> dict[str, Decimal]:
        """Return the sum of all accounts, fees, insurance and the outside by currency: zero each, always."""
        return {currency: self._money(total) for currency, total in self.ledger.sums().items()}

    def _money(self, amount: int) -> Decimal:
        return Decimal(amount).scaleb(-self.ledger.scale)

    def _account(self, name: str) -> Account:
        found = self.accounts.get(name)
        if found is None:
            raise NotFoundError(f"no account called {name!r}; accounts: {', '.join(self.accounts) or 'none'}")
        return found

    def _listing(self, symbol: str) -> Listing:
        found = self.listings.get(symbol)
        if found is None:
            raise NotFoundError(f"no instrument called {symbol!r}; traded here: {', '.join(self.listings)}")
        return found
