"""The local exchange without I/O: commands in, events out, one at a time, on a market clock that its owner moves.

A command is carried out whole before its events are told, in this order: the orders' events as the engine made them (of
a trade the maker's before the taker's), balances and positions by account name, prints, the book's change. Numbers are
exact Decimals; nothing here reads a clock or draws by chance but the keys, which follow from the seed.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import attrs

from quotewright.errors import ConfigError, InputError
from quotewright_simexchange.exchange.accounts import Account, ApiKey, KeyMaker
from quotewright_simexchange.exchange.orders import decimal_text
from quotewright_simexchange.exchange.records import (
    ZERO,
    BalanceEvent,
    DepthEvent,
    Event,
    FillRecord,
    Listing,
    OrderEvent,
    OrderRecord,
    OrderRequest,
    PhaseEvent,
    Refused,
    Side,
    TradeEvent,
)
from quotewright_simexchange.exchange.schedule import Schedule
from quotewright_simexchange.exchange.views import Views
from quotewright_simexchange.matching.decimals import scaled
from quotewright_simexchange.matching.door import FastEngine, NotSupportedError
from quotewright_simexchange.matching.ledger import Ledger

START_NS = 1_767_225_600_000_000_000
"""Market time begins at 2026-01-01 00:00 UTC unless something else is said."""

RATE_DECIMALS = 18
BY_REQUEST = ("user", "amend_below_filled", "")
"""Reasons of a cancel that somebody asked for; every other end is the exchange's doing: expired."""

Told = tuple[list[OrderEvent], list[TradeEvent], tuple[Any, ...]]


@attrs.frozen
class LoggedCall:
    """One command: the name of the method, and what it was called with."""

    at_ns: int
    call: str
    values: Mapping[str, Any]


class Exchange(Views):
    """An exchange of *listings* whose accounts share one ledger."""

    def __init__(self, listings: Sequence[Listing], *, start_ns: int = START_NS, seed: int = 0) -> None:
        super().__init__(listings, start_ns)
        self.seed = seed
        self.keys: dict[str, ApiKey] = {}
        self.log: list[LoggedCall] = []
        """Every command that changed something, with its market time; see :meth:`replay`."""
        self._schedule = Schedule()
        self._listeners: list[Callable[[Event], None]] = []
        self._queue: deque[Event] = deque()
        self._is_telling = False
        self._sequences: dict[str, int] = {}
        self._key_maker = KeyMaker(seed, self.keys)

    # The market clock.

    def advance(self, until_ns: int) -> None:
        """Let market time pass up to *until_ns*: what is due happens in order of time, then of asking.

        Raises:
            InputError: *until_ns* lies in the past.
        """
        if until_ns < self.now_ns:
            raise InputError(f"market time does not go back: it is {self.now_ns}, was asked to be {until_ns}")
        while (due_ns := self._schedule.next_ns()) is not None and due_ns <= until_ns:
            self._set_clock(max(due_ns, self.now_ns))
            self._schedule.take()()
        self._set_clock(until_ns)

    def _set_clock(self, now_ns: int) -> None:
        self.now_ns = self.ledger.now_ns = now_ns

    def at(self, when_ns: int, call: Callable[[], None]) -> int:
        """Have *call* made at *when_ns* of market time, at once if that is past; return its number."""
        return self._schedule.at(when_ns, call)

    def forget(self, number: int) -> None:
        """Do not make the call of that number."""
        self._schedule.forget(number)

    # Events.

    def listen(self, listener: Callable[[Event], None]) -> Callable[[], None]:
        """Tell *listener* every event from now on; call what is returned to stop that."""
        self._listeners.append(listener)

        def unlisten() -> None:
            self._listeners = [one for one in self._listeners if one is not listener]

        return unlisten

    def _tell(self, events: Iterable[Event]) -> None:
        """Tell events in order; what a listener's own commands cause comes after what is being told."""
        self._queue.extend(events)
        if self._is_telling:
            return
        self._is_telling = True
        try:
            while self._queue:
                event = self._queue.popleft()
                for listener in list(self._listeners):
                    listener(event)
        finally:
            self._is_telling = False

    def _next(self, name: str) -> int:
        self._sequences[name] = self._sequences.get(name, 0) + 1
        return self._sequences[name]

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
        return made

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
        if refused is not None:
            return refused
        record = self._store.begin(account, request, self._quantity(request), self.now_ns)
        self._note("place", account=account, request=request)
        refused = self._run(request.symbol, self._command(record))
        if refused is not None:
            self._store.drop(record)
            return refused
        return self._store.orders[record.order_id]

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
        self._note("cancel", account=account, symbol=symbol, order_id=record.order_id, cause=cause)
        command = {"op": "cancel", "id": str(record.order_id), "account": account}
        refused = self._run(symbol, command, cause=cause)
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
            self._note("cancel_all", account=account, symbol=one)
            self._run(one, {"op": "cancel_all", "account": account})
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
        """Change price and total quantity (the filled part included) of an open order."""
        self._listing(symbol)
        record = self.order(account, symbol, order_id=order_id, client_id=client_id)
        if record is None:
            return Refused(reason="unknown_order")
        if not record.is_open:
            return Refused(reason="order_closed")
        self._note("amend", account=account, symbol=symbol, order_id=record.order_id, price=price, quantity=quantity)
        command: dict[str, Any] = {"op": "amend", "id": str(record.order_id), "account": account}
        if price is not None:
            command["price"] = decimal_text(price)
        if quantity is not None:
            command["qty"] = decimal_text(quantity)
        refused = self._run(symbol, command)
        return refused if refused is not None else self._store.orders[record.order_id]

    # The market.

    def set_phase(self, symbol: str, phase: str) -> None:
        """Halt, open or restrict trading; see ``docs/matching-cases.md`` for the phases."""
        self._listing(symbol)
        self._note("set_phase", symbol=symbol, phase=phase)
        self._must(symbol, {"op": "phase", "state": phase})

    def uncross(self, symbol: str) -> None:
        """End an auction at its clearing price."""
        self._listing(symbol)
        self._note("uncross", symbol=symbol)
        self._must(symbol, {"op": "uncross"})

    def set_mark(self, symbol: str, price: Decimal) -> None:
        """Set the mark price."""
        self._set_reference("mark", symbol, price)

    def set_index(self, symbol: str, price: Decimal) -> None:
        """Set the index price."""
        self._set_reference("index", symbol, price)

    def _set_reference(self, name: str, symbol: str, price: Decimal) -> None:
        self._listing(symbol)
        self._note(f"set_{name}", symbol=symbol, price=price)
        self._must(symbol, {"op": name, "price": decimal_text(price)})

    # What is true.

    def state_hash(self) -> str:
        """Return a SHA-256 over all that later commands can depend on."""
        digest = hashlib.sha256(self.ledger.state().encode())
        for symbol in sorted(self._engines):
            digest.update(f"{symbol} {self._engines[symbol].core.state_hash()} ".encode())
        digest.update(f"{self.now_ns} {self._store.next_id} {sorted(self._sequences.items())}".encode())
        return digest.hexdigest()

    @classmethod
    def replay(
        cls, log: Sequence[LoggedCall], listings: Sequence[Listing], *, start_ns: int = START_NS, seed: int = 0
    ) -> Exchange:
        """Return an exchange on which the commands of *log* were carried out again: it has the same state."""
        made = cls(listings, start_ns=start_ns, seed=seed)
        for entry in log:
            made.advance(entry.at_ns)
            getattr(made, entry.call)(**entry.values)
        return made

    # Inside.

    def _note(self, call: str, /, **values: Any) -> None:
        self.log.append(LoggedCall(self.now_ns, call, values))

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

    def _must(self, symbol: str, command: Mapping[str, Any]) -> None:
        refused = self._run(symbol, command)
        if refused is not None:
            raise InputError(f"{symbol}: {command['op']} cannot be done: {refused.reason} {refused.text}".rstrip())

    def _run(self, symbol: str, command: Mapping[str, Any], cause: str = "") -> Refused | None:
        """Carry out one engine command and tell what came of it."""
        try:
            events, changes = self._engines[symbol].run(command)
        except NotSupportedError as error:
            return Refused(reason="not_supported", text=str(error))
        refused: Refused | None = None
        orders: list[OrderEvent] = []
        trades: list[TradeEvent] = []
        others: list[Event] = []
        for event in events:
            kind = event["ev"]
            if kind in ("rejected", "cancel_rejected", "amend_rejected"):
                refused = Refused(reason=event["reason"])
            elif kind == "trade":
                self._traded(symbol, event, orders, trades, cause)
            elif kind == "phase":
                self._markets[symbol].phase = event["state"]
                others.append(PhaseEvent(symbol=symbol, phase=event["state"], event_ns=self.now_ns))
            elif kind in ("accepted", "canceled", "amended", "repriced", "triggered", "reduced", "refreshed"):
                record, what = self._store.change(int(event["id"]), event, self.now_ns)
                orders.append(self._order_event(record, what, None, cause))
        touched = {event.account for event in orders}
        if not touched and not trades and not changes and not others:
            return refused
        depth = self._depth(symbol, changes)
        balances = self._balance_events(sorted(touched & self.accounts.keys()), "trade" if trades else "order", {})
        self._tell([*orders, *balances, *trades, *others, *depth])
        return refused

    def _order_event(self, record: OrderRecord, what: Any, fill: FillRecord | None, cause: str) -> OrderEvent:
        return OrderEvent(
            account=record.account,
            sequence=self._next(f"account {record.account}"),
            what=what,
            order=record,
            fill=fill,
            cause=cause,
            event_ns=self.now_ns,
        )

    def _traded(
        self, symbol: str, event: Mapping[str, Any], orders: list[OrderEvent], trades: list[TradeEvent], cause: str
    ) -> None:
        """Book one match with both orders and print it."""
        market = self._markets[symbol]
        market.trade_number += 1
        price, quantity = Decimal(event["price"]), Decimal(event["qty"])
        roles = ("maker", "taker") if "maker" in event else ("buy", "sell")
        sides: dict[str, int] = {}
        taker: Side = "buy"
        for role in roles:
            record = self._store.orders[int(event[role])]
            amount, currency = event.get("fees", {}).get(role, ("0", self.listings[symbol].quote))
            fill = FillRecord(
                trade_id=market.trade_number,
                symbol=symbol,
                order_id=record.order_id,
                client_id=record.client_id,
                account=record.account,
                side=record.request.side,
                price=price,
                quantity=quantity,
                value=price * quantity,
                fee=Decimal(amount),
                fee_currency=currency,
                is_maker=role != "taker",
                realized=ZERO,
                event_ns=self.now_ns,
            )
            record = self._store.fill(record, fill)
            sides[record.request.side] = record.order_id
            if role in ("taker", "sell"):
                taker = record.request.side
            orders.append(self._order_event(record, "trade", fill, cause))
        trade = TradeEvent(
            symbol=symbol,
            trade_id=market.trade_number,
            price=price,
            quantity=quantity,
            side=taker,
            buy_order=sides["buy"],
            sell_order=sides["sell"],
            event_ns=self.now_ns,
        )
        market.printed(trade)
        trades.append(trade)

    def _depth(self, symbol: str, changes: Sequence[Sequence[str]]) -> list[DepthEvent]:
        if not changes:
            return []
        book = self._markets[symbol].book
        told = []
        for side, price, quantity in changes:
            name = "bid" if side == "bid" else "ask"
            book.change(name, Decimal(price), Decimal(quantity))
            told.append((name, Decimal(price), Decimal(quantity)))
        book.sequence += 1
        return [
            DepthEvent(symbol=symbol, sequence=book.sequence, changes=tuple(told), event_ns=self.now_ns)  # type: ignore[arg-type]
        ]

    def _balance_events(self, accounts: Iterable[str], why: str, delta: Mapping[str, Decimal]) -> list[BalanceEvent]:
        """Return what has changed of each account's balances since it was told last."""
        found = []
        for name in accounts:
            told = self._balances[name]
            number = self.ledger.number(name)
            changed = {}
            for currency in sorted(self.ledger.wallets):
                free, locked = self.ledger.balance(number, currency)
                now = (self._money(free), self._money(locked))
                if now != told.get(currency, (ZERO, ZERO)):
                    changed[currency] = told[currency] = now
            if changed:
                found.append(
                    BalanceEvent(
                        account=name,
                        sequence=self._next(f"account {name}"),
                        balances=changed,
                        why=why,
                        delta=dict(delta),
                        event_ns=self.now_ns,
                    )
                )
        return found
