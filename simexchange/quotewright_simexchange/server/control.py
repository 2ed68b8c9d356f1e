"""The control plane: what a person or a test does to the exchange from outside, and what really happened there.

Every public method marked by :func:`command` or :func:`query` is also served over HTTP, under its name; arguments and
results are what JSON holds, with numbers that must be exact as text.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

import attrs

from quotewright.errors import InputError, NotFoundError
from quotewright_simexchange.exchange.records import OrderRecord, OrderRequest, Refused
from quotewright_simexchange.server.faults import KINDS, Fault, Faults

if TYPE_CHECKING:
    from quotewright_simexchange.doors import Dialect
    from quotewright_simexchange.exchange.exchange import Exchange
    from quotewright_simexchange.markets.driver import MarketDriver
    from quotewright_simexchange.server.faulty_door import FaultyDoor
    from quotewright_simexchange.server.pacing import Pacer

C = TypeVar("C", bound=Callable[..., Any])
OUTSIDE = "outside"
"""Account of orders that the control plane places when it is not told for whom."""
MS_NS = 1_000_000
NOW_KINDS = ("outage", "disconnect", "half_open")


def command(method: C) -> C:
    """Mark what changes something: POST."""
    method.__dict__["verb"] = "POST"
    return method


def query(method: C) -> C:
    """Mark what only tells: GET."""
    method.__dict__["verb"] = "GET"
    return method


class Surroundings(Protocol):
    """What is around the exchange: its clocks, doors and addresses."""

    pacer: Pacer
    faults: Faults

    @property
    def markets(self) -> Sequence[MarketDriver]: ...

    def now_ns(self) -> int: ...

    def catch_up(self) -> None: ...

    def set_door_offset(self, offset_ns: int) -> None: ...

    def faulty_doors(self) -> Sequence[FaultyDoor]: ...

    def addresses(self) -> Mapping[str, Mapping[str, str]]: ...

    def counts(self) -> Mapping[str, int]: ...


def plain(value: object) -> Any:
    """Return *value* as JSON holds it: Decimals as text, records as objects."""
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    if isinstance(value, bytes):
        return value.hex()
    kind: Any = type(value)
    if attrs.has(kind):
        return {field.name: plain(getattr(value, field.name)) for field in attrs.fields(kind)}
    if isinstance(value, (str, int, float, bool)) or value is None:
        return value
    return str(value)


class Control:
    """All of it in process; every call brings the market up to date first."""

    def __init__(self, exchange: Exchange, around: Surroundings, dialects: Sequence[Dialect] = ()) -> None:
        self.exchange = exchange
        self.around = around
        self.dialects = dialects

    def commands(self) -> dict[str, Callable[..., Any]]:
        """Return what is served, by name."""
        found = inspect.getmembers(self, lambda member: hasattr(member, "verb"))
        return dict(found)

    # What is there.

    @query
    def status(self) -> dict[str, Any]:
        """Return clocks, addresses, counts, instruments and accounts."""
        exchange, around = self.exchange, self.around
        return {
            "market_ns": exchange.now_ns,
            "door_ns": around.now_ns(),
            "speed": around.pacer.speed,
            "is_paused": around.pacer.is_paused,
            "skipped_ns": around.pacer.skipped_ns,
            "doors": plain(around.addresses()),
            "counts": dict(around.counts()),
            "faults": self.faults(),
            "instruments": {symbol: exchange.phase(symbol) for symbol in exchange.listings},
            "accounts": sorted(exchange.accounts),
            "markets": [plain(market.describe()) for market in around.markets],
            "unserved": {door.name: dict(door.door.unserved()) for door in around.faulty_doors()},
        }

    # The venue-side truth.

    @query
    def book(self, symbol: str, levels: int = 20) -> Any:
        """Return the book with its sequence."""
        self._known(symbol)
        return plain(self.exchange.book(symbol, levels))

    @query
    def order(self, account: str, symbol: str, order_id: int = 0, client_id: str = "") -> Any:
        """Return one order as it stands."""
        found = self.exchange.order(self._account(account), symbol, order_id=order_id or None, client_id=client_id)
        if found is None:
            raise NotFoundError(f"{account} has no order {order_id or client_id!r} in {symbol}")
        return plain(found)

    @query
    def orders(self, account: str, symbol: str, limit: int = 500) -> Any:
        """Return an account's orders in one instrument, oldest first."""
        self._known(symbol)
        return plain(self.exchange.orders(self._account(account), symbol, limit=limit))

    @query
    def open_orders(self, account: str, symbol: str = "") -> Any:
        """Return an account's open orders."""
        return plain(self.exchange.open_orders(self._account(account), symbol or None))

    @query
    def fills(self, account: str, symbol: str, limit: int = 500) -> Any:
        """Return an account's fills in one instrument, oldest first."""
        self._known(symbol)
        return plain(self.exchange.fills(self._account(account), symbol, limit=limit))

    @query
    def trades(self, symbol: str, limit: int = 500) -> Any:
        """Return the newest trades of everybody, oldest first."""
        self._known(symbol)
        return plain(self.exchange.recent_trades(symbol, limit))

    @query
    def balances(self, account: str) -> Any:
        """Return an account's balances: free and locked by currency."""
        return plain(self.exchange.balances(self._account(account)))

    @query
    def position(self, account: str, symbol: str) -> Any:
        """Return an account's position."""
        self._known(symbol)
        return plain(self.exchange.position(self._account(account), symbol))

    @query
    def reference(self, symbol: str) -> Any:
        """Return mark, index and funding of an instrument."""
        self._known(symbol)
        return plain(self.exchange.reference(symbol))

    @query
    def ledger(self) -> dict[str, Any]:
        """Return the sum over everything that holds money, by currency, and whether each is zero."""
        sums = self.exchange.ledger_sums()
        return {"sums": plain(sums), "is_balanced": not any(sums.values())}

    @query
    def state_hash(self) -> dict[str, Any]:
        """Return the hash of the whole state."""
        return {"state_hash": plain(self.exchange.state_hash()), "market_ns": self.exchange.now_ns}

    @query
    def log(self, start: int = 0, limit: int = 1000) -> dict[str, Any]:
        """Return the exchange's commands from number *start* on, without the secrets of keys."""
        entries = self.exchange.log
        shown = [entry.shown() for entry in entries[start : start + limit]]
        return {"count": len(entries), "entries": plain(shown)}

    # Accounts and keys.

    @command
    def add_account(self, name: str, balances: dict[str, Decimal] | None = None, dialect: str = "") -> dict[str, Any]:
        """Open an account with a key; return the key and snippets that point clients at the doors with it."""
        if name in self.exchange.accounts:
            raise InputError(f"account {name!r} is there already; give another name, or add_key for a second key")
        if not name or len(name) > 64 or not name.isprintable():
            raise InputError(f"account: the name should be 1 to 64 printable characters, was {name[:80]!r}")
        self._ready()
        self.exchange.open_account(name, balances or {})
        return self.add_key(name, dialect=dialect)

    @command
    def add_key(
        self, account: str, rights: list[str] | None = None, passphrase: str = "", dialect: str = ""
    ) -> dict[str, Any]:
        """Add a key to an account; return it with snippets."""
        self._ready()
        key = self.exchange.add_key(
            self._account(account), passphrase=passphrase, rights=tuple(rights or ("read", "trade"))
        )
        return {
            "account": account,
            "api_key": key.key,
            "api_secret": key.secret,
            "doors": plain(self.around.addresses()),
            "snippets": self.snippets(key.key, key.secret, dialect),
        }

    @command
    def enable_key(self, key: str, is_enabled: bool = True) -> dict[str, Any]:
        """Let a key be used, or not any more."""
        self.exchange.enable_key(key, is_enabled)
        return {"is_enabled": is_enabled}

    @command
    def deposit(self, account: str, currency: str, amount: Decimal) -> Any:
        """Credit an account from outside and return its balances."""
        if not amount.is_finite() or amount <= 0:
            raise InputError(f"deposit: the amount should be above zero, was {amount}")
        self._ready()
        self.exchange.deposit(self._account(account), currency, amount)
        return self.balances(account)

    @command
    def withdraw(self, account: str, currency: str, amount: Decimal) -> Any:
        """Debit an account and return its balances."""
        if not amount.is_finite() or amount <= 0:
            raise InputError(f"withdraw: the amount should be above zero, was {amount}")
        self._ready()
        refused = self.exchange.withdraw(self._account(account), currency, amount)
        if refused is not None:
            raise InputError(f"withdraw {amount} {currency} of {account}: {refused.reason} {refused.text}".rstrip())
        return self.balances(account)

    def snippets(self, key: str, secret: str, dialect: str = "") -> dict[str, str]:
        """Return code to paste, by client."""
        found: dict[str, str] = {}
        for one in self.dialects:
            if dialect in ("", one.name):
                found.update(one.snippets(self.around.addresses(), key, secret))
        return found

    # Orders from outside.

    @command
    def place(
        self,
        symbol: str,
        side: Literal["buy", "sell"],
        quantity: Decimal,
        price: Decimal | None = None,
        account: str = OUTSIDE,
        type: Literal["limit", "market"] = "limit",
        tif: Literal["gtc", "ioc", "fok"] = "gtc",
        client_id: str = "",
    ) -> Any:
        """Place an order; the account ``outside`` is opened when it is first used, and has what it needs."""
        self._known(symbol)
        self._ready()
        if account == OUTSIDE:
            self._provide(symbol, quantity, price)
        request = OrderRequest(
            symbol=symbol, side=side, type=type, quantity=quantity, price=price, tif=tif, client_id=client_id
        )
        return self._told(self.exchange.place(self._account(account), request))

    @command
    def cancel(self, symbol: str, account: str = OUTSIDE, order_id: int = 0, client_id: str = "") -> Any:
        """Cancel an order."""
        self._known(symbol)
        self._ready()
        return self._told(
            self.exchange.cancel(self._account(account), symbol, order_id=order_id or None, client_id=client_id)
        )

    @command
    def cancel_all(self, account: str, symbol: str = "") -> Any:
        """Cancel all orders of an account and return them."""
        self._ready()
        return plain(self.exchange.cancel_all(self._account(account), symbol or None))

    # The market.

    @command
    def set_phase(self, symbol: str, phase: Literal["trading", "halt", "cancel_only", "post_only", "auction"]) -> Any:
        """Halt an instrument, or let it trade again."""
        self._known(symbol)
        self._ready()
        self.exchange.set_phase(symbol, phase)
        return {"symbol": symbol, "phase": self.exchange.phase(symbol)}

    @command
    def uncross(self, symbol: str) -> Any:
        """End an auction: trade what crosses at one price."""
        self._known(symbol)
        self._ready()
        self.exchange.uncross(symbol)
        return {"symbol": symbol, "phase": self.exchange.phase(symbol)}

    @command
    def set_mark(self, symbol: str, price: Decimal) -> Any:
        """Set the mark price."""
        self._known(symbol)
        self._ready()
        self.exchange.set_mark(symbol, price)
        return self.reference(symbol)

    @command
    def set_index(self, symbol: str, price: Decimal) -> Any:
        """Set the index price."""
        self._known(symbol)
        self._ready()
        self.exchange.set_index(symbol, price)
        return self.reference(symbol)

    @command
    def fund(self, symbol: str, rate: Decimal) -> Any:
        """Let longs pay shorts the funding *rate* now."""
        self._known(symbol)
        self._ready()
        self._able("fund")(symbol, rate)
        return self.reference(symbol)

    @command
    def settle(self, symbol: str, price: Decimal) -> Any:
        """Settle an instrument at *price*."""
        self._known(symbol)
        self._ready()
        self._able("settle")(symbol, price)
        return self.ledger()

    # Clocks.

    @command
    def advance(self, seconds: float) -> Any:
        """Let the market run for that long at once."""
        self._ready()
        self.around.pacer.step(round(seconds * 1e9))
        return {"market_ns": self.exchange.now_ns}

    @command
    def pause(self, is_paused: bool = True) -> Any:
        """Stop the market's clock, or let it go on."""
        self._ready()
        self.around.pacer.is_paused = is_paused
        return {"is_paused": is_paused, "market_ns": self.exchange.now_ns}

    @command
    def set_speed(self, speed: str) -> Any:
        """Set how fast the market's clock goes: max, step, or a factor."""
        from quotewright_simexchange.server.pacing import speed_of

        wanted = speed_of(speed)
        self._ready()
        self.around.pacer.speed = wanted
        return {"speed": wanted}

    @command
    def set_door_clock(self, offset_seconds: float) -> Any:
        """Set the doors' clock so far off this machine's (receive windows, limits, /time)."""
        self.around.set_door_offset(round(offset_seconds * 1e9))
        return {"door_ns": self.around.now_ns()}

    # Faults.

    @query
    def faults(self) -> dict[str, Any]:
        """Return rules, counts by kind, and the newest faults that struck."""
        faults = self.around.faults
        return {
            "kinds": list(KINDS),
            "rules": [plain(rule) for rule in faults.rules],
            "counts": dict(faults.counts),
            "told": [plain(one) for one in list(faults.told)[-50:]],
            "is_out": faults.is_out(self.around.now_ns()),
        }

    @command
    def inject(
        self,
        kind: str,
        where: str = "",
        door: str = "",
        match: str = "",
        client: str = "",
        chance: float = 1.0,
        times: int = 1,
        delay_ms: int = 200,
        frames: int = 3,
        status: int = 0,
        is_done: bool = False,
        retry_after: int = 1,
        now: bool = False,
    ) -> dict[str, Any]:
        """Let a fault strike what fits from now on; with *now*, strike the open connections at once.

        An outage always begins at once. *now* is for ``outage``, ``disconnect`` and ``half_open``.
        """
        fault = Fault(
            kind=kind,
            where=where,
            door=door,
            match=match,
            client=client,
            chance=chance,
            times=times,
            delay_ns=delay_ms * MS_NS,
            frames=frames,
            status=status,
            is_done=is_done,
            retry_after=retry_after,
        )
        if door and door not in {one.name for one in self.around.faulty_doors()}:
            raise NotFoundError(f"no door called {door!r}; there are {', '.join(self.around.addresses())}")
        if now and kind not in NOW_KINDS:
            raise InputError(f"fault {kind}: now is for {', '.join(NOW_KINDS)}; leave it out")
        if kind == "outage" and chance == 1.0 and not match:
            now = True
        if not now:
            return {"number": self.around.faults.add(fault), "struck": 0}
        return {"number": 0, "struck": self._strike(fault)}

    @command
    def forget(self, number: int) -> dict[str, Any]:
        """Forget a rule."""
        if not self.around.faults.remove(number):
            raise NotFoundError(f"no fault rule {number}; it has struck as often as it should, or was forgotten")
        return {"number": number}

    @command
    def heal(self) -> dict[str, Any]:
        """Forget all rules, end an outage, let go what is held back, cut half-open connections."""
        self._ready()
        self.around.faults.clear()
        for door in self.around.faulty_doors():
            door.heal()
        return {"counts": dict(self.around.faults.counts)}

    def _strike(self, fault: Fault) -> int:
        now_ns, faults, struck = self.around.now_ns(), self.around.faults, 0
        if fault.kind == "outage":
            faults.out_until_ns = now_ns + fault.delay_ns
            faults.count("outage", fault.door or "all doors", b"", now_ns)
        for door in self.around.faulty_doors():
            if fault.door in ("", door.name):
                hit = door.hush_all(fault.client) if fault.kind == "half_open" else door.cut_all(fault.client)
                for _ in range(hit if fault.kind != "outage" else 0):
                    faults.count(fault.kind, door.name, b"an open connection", now_ns)
                struck += hit
        return struck

    # Inside.

    def _ready(self) -> None:
        self.around.catch_up()

    def _known(self, symbol: str) -> None:
        if symbol not in self.exchange.listings:
            raise NotFoundError(f"no instrument {symbol!r}; there are {', '.join(self.exchange.listings)}")

    def _able(self, name: str) -> Callable[..., Any]:
        """Return a method of the exchange that not every version has."""
        found: Callable[..., Any] | None = getattr(self.exchange, name, None)
        if found is None:
            raise InputError(f"{name}: the exchange of this version cannot do that")
        return found

    def _account(self, name: str) -> str:
        if name not in self.exchange.accounts:
            raise NotFoundError(f"no account {name!r}; there are {', '.join(sorted(self.exchange.accounts))}")
        return name

    def _provide(self, symbol: str, quantity: Decimal, price: Decimal | None) -> None:
        """Give the account ``outside`` more than the order needs."""
        exchange = self.exchange
        if OUTSIDE not in exchange.accounts:
            exchange.open_account(OUTSIDE, {})
        listing = exchange.listings[symbol]
        book = exchange.book(symbol, 1)
        best = [level[0] for level in (*book.bids, *book.offers)]
        worth = max([price or Decimal(1), *best]) * quantity * 4 + 1
        needed = {listing.settle: worth}
        if listing.kind == "spot":
            needed = {listing.base: quantity, listing.quote: worth}
        held = exchange.balances(OUTSIDE)
        for currency, amount in needed.items():
            if held.get(currency, (Decimal(0), Decimal(0)))[0] < amount:
                exchange.deposit(OUTSIDE, currency, amount)

    def _told(self, outcome: OrderRecord | Refused) -> Any:
        if isinstance(outcome, Refused):
            return {"refused": outcome.reason, "text": outcome.text}
        return plain(outcome)
