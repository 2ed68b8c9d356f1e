"""The local exchange without I/O: commands in, events out, one at a time, on a market clock that its owner moves.

A command is carried out whole before its events are told, in this order: the orders' events as the engine made them (of
a trade the maker's before the taker's), balances and positions by account name, prints, the book's change. Numbers are
exact Decimals; nothing here reads a clock or draws by chance but the keys, which follow from the seed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import attrs

from quotewright.errors import ConfigError, InputError, NotFoundError
from quotewright_simexchange.exchange.accounts import Account, ApiKey, KeyMaker
from quotewright_simexchange.exchange.carrying import Carrying
from quotewright_simexchange.exchange.command_log import LoggedCall
from quotewright_simexchange.exchange.orders import decimal_text
from quotewright_simexchange.exchange.records import (
    ZERO,
    Listing,
    OrderEvent,
    OrderRecord,
    OrderRequest,
    ReferenceEvent,
    Refused,
    TradeEvent,
)
from quotewright_simexchange.exchange.snapshot import canonical, listings_of, packed, put, state_of, unpacked
from quotewright_simexchange.matching.decimals import scaled
from quotewright_simexchange.matching.door import FastEngine, NotSupportedError
from quotewright_simexchange.matching.ledger import Ledger

START_NS = 1_767_225_600_000_000_000
"""Market time begins at 2026-01-01 00:00 UTC unless something else is said."""

RATE_DECIMALS = 18
BY_REQUEST = ("user", "amend_below_filled", "")
"""Reasons of a cancel that somebody asked for; every other end is the exchange's doing: expired."""

Told = tuple[list[OrderEvent], list[TradeEvent], tuple[Any, ...]]


class Exchange(Carrying):
    """An exchange of *listings* whose accounts share one ledger."""

    def __init__(self, listings: Sequence[Listing], *, start_ns: int = START_NS, seed: int = 0) -> None:
        super().__init__(listings, start_ns)
        self.seed = seed
        self.keys: dict[str, ApiKey] = {}
        self._groups: dict[str, int] = {}
        self._key_maker = KeyMaker(seed, self.keys)

    # Accounts.

    def open_account(
        self,
        name: str,
        balances: Mapping[str, Decimal] | None = None,
        *,
        maker_fee: Decimal | None = None,
        taker_fee: Decimal | None = None,
        stp_group: str = "",
    ) -> Account:
        """Open a test account with *balances* by currency and, if given, fee rates of its own.

        Raises:
            ConfigError: the name is empty or taken.
        """
        if not name or name in self.accounts:
            raise ConfigError(f"an account needs a name that nobody has, was {name!r}")
        account = Account(name=name, maker_fee=maker_fee, taker_fee=taker_fee, stp_group=stp_group)
        self._note("open_account", name=name, maker_fee=maker_fee, taker_fee=taker_fee, stp_group=stp_group)
        self.accounts[name] = account
        number = self.ledger.number(name)
        self.ledger.open(number)
        if maker_fee is not None or taker_fee is not None:
            rates = [None if rate is None else scaled(rate, RATE_DECIMALS) for rate in (maker_fee, taker_fee)]
            self.ledger.set_rates(number, *rates)
        if stp_group:
            group = self._groups.setdefault(stp_group, len(self._groups) + 1)
            for engine in self._engines.values():
                engine.core.set_group(number, group)
        self._balances[name] = {}
        for currency, amount in (balances or {}).items():
            self.deposit(name, currency, amount)
        return account

    def add_key(
        self,
        account: str,
        key: str = "",
        secret: str = "",
        *,
        passphrase: str = "",
        rights: tuple[str, ...] = ("read", "trade"),
    ) -> ApiKey:
        """Give *account* a key; what is empty is invented from the seed.

        Raises:
            ConfigError: another key is the same.
        """
        self._account(account)
        given = {"key": key, "secret": secret, "passphrase": passphrase, "rights": rights}
        key = key or self._key_maker.key()
        if key in self.keys:
            raise ConfigError(f"account {account}: the key {key[:8]}… is there already")
        made = ApiKey(
            key=key,
            secret=secret or self._key_maker.secret(),
            passphrase=passphrase,
            account=account,
            rights=rights,
        )
        self.keys[key] = made
        self._note("add_key", account=account, **given)
        return made

    def enable_key(self, key: str, is_enabled: bool = True) -> None:
        """Let a key be used, or not any more."""
        found = self.keys.get(key)
        if found is None:
            raise NotFoundError(f"no key {key[:12]!r}…; keys belong to the accounts {', '.join(self.accounts)}")
        found.is_enabled = is_enabled
        self._note("enable_key", key=key, is_enabled=is_enabled)

    def deposit(self, account: str, currency: str, amount: Decimal) -> None:
        """Add *amount* to what *account* has free."""
        self._account(account)
        if amount < 0:
            raise InputError(f"account {account}: a deposit should not be negative, was {amount}")
        self._note("deposit", account=account, currency=currency, amount=amount)
        self.ledger.deposit(self.ledger.number(account), currency, scaled(amount, self.ledger.scale))
        self._tell(self._balance_events([account], "deposit", {currency: amount}))

    def withdraw(self, account: str, currency: str, amount: Decimal) -> Refused | None:
        """Take *amount* out of what *account* has free."""
        self._account(account)
        if amount < 0:
            raise InputError(f"account {account}: a withdrawal should not be negative, was {amount}")
        self._note("withdraw", account=account, currency=currency, amount=amount)
        if not self.ledger.withdraw(self.ledger.number(account), currency, scaled(amount, self.ledger.scale)):
            return Refused(reason="insufficient_funds", text=f"less than {amount} {currency} is free")
        self._tell(self._balance_events([account], "withdrawal", {currency: -amount}))
        return None

    # Orders.

    def place(self, account: str, request: OrderRequest) -> OrderRecord | Refused:
        """Place an order; return it as it stands after the command."""
        refused = self._refusal(account, request)
        if refused is None and request.tif == "gtd" and self._engines[request.symbol].core.now != self.now_ns:
            self.tell_time(request.symbol)
            refused = self._refusal(account, request)
        if refused is not None:
            return refused
        record = self._store.begin(account, request, self._quantity(request), self.now_ns)
        note = self._noted("place", account=account, request=request)
        refused = self._run(request.symbol, self._command(record), note, begun=record)
        return refused if refused is not None else self._store.orders[record.order_id]

    def test(self, account: str, request: OrderRequest) -> Refused | None:
        """Return why an order would be refused, None if it would be accepted; nothing happens."""
        refused = self._refusal(account, request)
        if refused is not None:
            return refused
        listing = self._listing(request.symbol)
        quantity = self._quantity(request)
        aside = Ledger()
        engine = FastEngine(listing.settings, ledger=aside, name=listing.symbol)
        number = aside.number(account)
        aside.open(number)
        for currency, (free, _) in self.balances(account).items():
            aside.deposit(number, currency, scaled(free, aside.scale))
        book = self.book(request.symbol)
        for side, levels in (("buy", book.bids), ("sell", book.offers)):
            for place, (price, size) in enumerate(levels):
                engine.run(
                    {
                        "op": "new",
                        "id": f"{side}{place}",
                        "account": "others",
                        "side": side,
                        "price": decimal_text(price),
                        "qty": decimal_text(size),
                    }
                )
        record = self._store.preview(account, request, quantity, self.now_ns)
        try:
            events, _ = engine.run(self._command(record))
        except NotSupportedError as error:
            return Refused(reason="not_supported", text=str(error))
        for event in events:
            if event["ev"] == "rejected":
                return Refused(reason=event["reason"])
        return None

    def cancel(
        self, account: str, symbol: str, *, order_id: int | None = None, client_id: str = "", cause: str = ""
    ) -> OrderRecord | Refused:
        """Cancel one order, told by its id or client id; *cause* is the request's own id."""
        self._listing(symbol)
        record = self.order(account, symbol, order_id=order_id, client_id=client_id)
        if record is None:
            return Refused(reason="unknown_order")
        if not record.is_open:
            return Refused(reason="order_closed")
        note = self._noted("cancel", account=account, symbol=symbol, order_id=record.order_id, cause=cause)
        command = {"op": "cancel", "id": str(record.order_id), "account": account}
        refused = self._run(symbol, command, note, cause)
        return refused if refused is not None else self._store.orders[record.order_id]

    def cancel_all(self, account: str, symbol: str | None = None) -> list[OrderRecord]:
        """Cancel every open order of *account*, of one instrument or of all; return them as they ended."""
        self._account(account)
        ended = []
        for one in [symbol] if symbol is not None else list(self.listings):
            self._listing(one)
            wanted = [record.order_id for record in self.open_orders(account, one)]
            if not wanted:
                continue
            note = self._noted("cancel_all", account=account, symbol=one)
            self._run(one, {"op": "cancel_all", "account": account}, note)
            ended += [record for number in wanted if not (record := self._store.orders[number]).is_open]
        return ended

    def amend(
        self,
        account: str,
        symbol: str,
        *,
        order_id: int | None = None,
        client_id: str = "",
        price: Decimal | None = None,
        quantity: Decimal | None = None,
    ) -> OrderRecord | Refused:
        """Change price and total quantity (what was filled, and what was prevented, included) of an open order."""
        self._listing(symbol)
        record = self.order(account, symbol, order_id=order_id, client_id=client_id)
        if record is None:
            return Refused(reason="unknown_order")
        if not record.is_open:
            return Refused(reason="order_closed")
        note = self._noted(
            "amend", account=account, symbol=symbol, order_id=record.order_id, price=price, quantity=quantity
        )
        command: dict[str, Any] = {"op": "amend", "id": str(record.order_id), "account": account}
        if price is not None:
            command["price"] = decimal_text(price)
        if quantity is not None:
            command["qty"] = decimal_text(quantity - record.prevented)
        refused = self._run(symbol, command, note)
        return refused if refused is not None else self._store.orders[record.order_id]

    # The market.

    def set_phase(self, symbol: str, phase: str) -> None:
        """Halt, open or restrict trading; see ``docs/matching-cases.md`` for the phases."""
        self._listing(symbol)
        self._must(symbol, {"op": "phase", "state": phase}, self._noted("set_phase", symbol=symbol, phase=phase))

    def uncross(self, symbol: str) -> None:
        """End an auction at its clearing price."""
        self._listing(symbol)
        self._must(symbol, {"op": "uncross"}, self._noted("uncross", symbol=symbol))

    def set_mark(self, symbol: str, price: Decimal) -> None:
        """Set the mark price."""
        self._set_reference("mark", symbol, price)

    def set_index(self, symbol: str, price: Decimal) -> None:
        """Set the index price."""
        self._set_reference("index", symbol, price)

    def set_funding(self, symbol: str, rate: Decimal, next_ns: int) -> None:
        """Announce the funding rate and when it is paid; see :meth:`fund`."""
        self._listing(symbol)
        self._note("set_funding", symbol=symbol, rate=rate, next_ns=next_ns)
        market = self._markets[symbol]
        market.reference = self._referred(symbol, funding_rate=rate, funding_ns=next_ns)
        self._tell([market.reference])

    def fund(self, symbol: str, rate: Decimal) -> None:
        """Let longs pay shorts *rate* of the value at the mark; the other way round if it is negative."""
        self._listing(symbol)
        note = self._noted("fund", symbol=symbol, rate=rate)
        self._must(symbol, {"op": "funding", "rate": decimal_text(rate)}, note)

    def settle(self, symbol: str, price: Decimal) -> None:
        """Cancel every order and close every position at *price*."""
        self._listing(symbol)
        note = self._noted("settle", symbol=symbol, price=price)
        self._must(symbol, {"op": "settle", "price": decimal_text(price)}, note)

    def _set_reference(self, name: str, symbol: str, price: Decimal) -> None:
        self._listing(symbol)
        note = self._noted(f"set_{name}", symbol=symbol, price=price)
        self._must(symbol, {"op": name, "price": decimal_text(price)}, note, self._referred(symbol, **{name: price}))

    def _referred(self, symbol: str, **values: Any) -> ReferenceEvent:
        return attrs.evolve(self._markets[symbol].reference, event_ns=self.now_ns, **values)

    # What is true.

    def state_hash(self) -> str:
        """Return a SHA-256 over all that later commands and answers can depend on: all that a snapshot holds."""
        return hashlib.sha256(canonical(state_of(self))).hexdigest()

    def snapshot(self) -> bytes:
        """Return the whole state, keys and their secrets included, as bytes for :meth:`restore`.

        Raises:
            InputError: a listener is being told events, the rest of which would be lost.
        """
        if self._is_telling:
            raise InputError("a snapshot is taken between commands, not while a listener is told what came of one")
        return packed(state_of(self))

    @classmethod
    def restore(cls, data: bytes) -> Exchange:
        """Return an exchange in the state of a snapshot; its log is empty, and nobody listens.

        Raises:
            FormatVersionError: another version wrote the snapshot.
            InputError: it is no snapshot, or not whole.
        """
        state = unpacked(data)
        made = cls(listings_of(state), start_ns=state["now_ns"], seed=state["seed"])
        put(made, state)
        return made

    @classmethod
    def replay(
        cls, log: Sequence[LoggedCall], listings: Sequence[Listing], *, start_ns: int = START_NS, seed: int = 0
    ) -> Exchange:
        """Return an exchange on which the commands of *log* were carried out again: it has the same state."""
        made = cls(listings, start_ns=start_ns, seed=seed)
        made.follow(log)
        return made

    # Inside.

    def _note(self, call: str, /, **values: Any) -> None:
        self.log.append(self._noted(call, **values))

    def _refusal(self, account: str, request: OrderRequest) -> Refused | None:
        """Return what is wrong with an order before the engine sees it."""
        self._account(account)
        if request.symbol not in self.listings:
            return Refused(reason="unknown_symbol", text=f"traded here: {', '.join(self.listings)}")
        if request.client_id and self._store.is_open_client(account, request.symbol, request.client_id):
            return Refused(reason="duplicate_client_id", text=f"an open order is called {request.client_id}")
        if (request.quantity is None) == (request.quote_quantity is None):
            return Refused(reason="quote_quantity", text="an order has a quantity or a budget")
        if request.quote_quantity is not None and request.type != "market":
            return Refused(reason="quote_quantity", text="a budget goes with a market order")
        return None

    def _quantity(self, request: OrderRequest) -> Decimal:
        """Return the quantity of an order; with a budget the largest whole lots it pays in the present book."""
        if request.quantity is not None:
            return request.quantity
        assert request.quote_quantity is not None
        lot = self.listings[request.symbol].lot
        book = self.book(request.symbol)
        budget, total = request.quote_quantity, ZERO
        for price, size in book.offers if request.side == "buy" else book.bids:
            lots = min(size, budget / price // lot * lot)
            total += lots
            budget -= lots * price
            if lots < size:
                break
        return total

    def _command(self, record: OrderRecord) -> dict[str, Any]:
        """Return an order as the engine reads it."""
        request = record.request
        command: dict[str, Any] = {
            "op": "new",
            "id": str(record.order_id),
            "account": record.account,
            "side": request.side,
            "type": request.type,
            "qty": decimal_text(record.quantity),
            "tif": request.tif,
        }
        for key, number in (("price", request.price), ("trigger", request.trigger), ("display", request.display)):
            if number is not None:
                command[key] = decimal_text(number)
        if request.trigger is not None:
            command["trigger_by"] = request.trigger_by
        if request.post_only:
            command["post_only"] = request.post_only
        if request.stp != "none":
            command["stp"] = request.stp
        for key in ("reduce_only", "hidden"):
            if getattr(request, key):
                command[key] = True
        if request.tif == "gtd":
            command["expire_at"] = request.expire_ns
        return command
