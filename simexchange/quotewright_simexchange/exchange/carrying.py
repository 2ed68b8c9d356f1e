"""How a command of the local exchange is carried out: by an engine, then in records, then told to who listens."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import attrs

from quotewright.errors import InputError
from quotewright_simexchange.exchange.command_log import CALLS, LoggedCall
from quotewright_simexchange.exchange.positions import Held, value_of
from quotewright_simexchange.exchange.records import (
    ZERO,
    BalanceEvent,
    DepthEvent,
    Event,
    FillRecord,
    LiquidationEvent,
    Listing,
    OrderEvent,
    OrderRecord,
    OrderRequest,
    PhaseEvent,
    PositionEvent,
    ReferenceEvent,
    Refused,
    Side,
    TradeEvent,
)
from quotewright_simexchange.exchange.schedule import Schedule
from quotewright_simexchange.exchange.views import Views
from quotewright_simexchange.matching.door import NotSupportedError


class Carrying(Views):
    """The market clock, those who listen, and the way of a command through its engine."""

    def __init__(self, listings: Sequence[Listing], start_ns: int) -> None:
        super().__init__(listings, start_ns)
        self.log: list[LoggedCall] = []
        """Every command that changed something, with its market time; see :meth:`follow`."""
        self._schedule = Schedule()
        self._listeners: list[Callable[[Event], None]] = []
        self._queue: deque[Event] = deque()
        self._is_telling = False
        self._sequences: dict[str, int] = {}
        self._told_positions: dict[tuple[str, str], tuple[Decimal, Decimal, Decimal]] = {}

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

    def due_ns(self) -> int | None:
        """Return when the next call is due, None if nothing is."""
        return self._schedule.next_ns()

    def expire(self, symbol: str) -> None:
        """End the orders of an instrument whose time has come; the log's word for what the clock does by itself."""
        self._schedule.forget_first(symbol)
        self._end_due(symbol)

    def tell_time(self, symbol: str) -> None:
        """Tell the engine of an instrument the time; the log's word for what an order with an end needs."""
        self._must(symbol, {"op": "clock", "now": self.now_ns}, self._noted("tell_time", symbol=symbol))

    def _end_later(self, symbol: str, when_ns: int) -> None:
        self._schedule.at(when_ns, lambda: self._end_due(symbol), symbol)

    def _end_due(self, symbol: str) -> None:
        self._must(symbol, {"op": "clock", "now": self.now_ns}, self._noted("expire", symbol=symbol))

    # The log.

    def _noted(self, call: str, /, **values: Any) -> LoggedCall:
        return LoggedCall(self.now_ns, call, values)

    def follow(self, log: Iterable[LoggedCall]) -> None:
        """Carry out the commands of *log*, each at its time; together with the state before it gives the state after.

        Raises:
            InputError: a command lies in the past, or is none.
        """
        for number, entry in enumerate(log):
            if entry.at_ns < self.now_ns:
                raise InputError(
                    f"log, entry {number}: its time should be {self.now_ns} or later, was {entry.at_ns}; "
                    "follow the part of the log that comes after the snapshot"
                )
            if entry.call not in CALLS:
                raise InputError(f"log, entry {number}: {entry.call!r} is no command of an exchange")
            # What was due by then stands in the log as well, in the place where it happened.
            self._set_clock(entry.at_ns)
            getattr(self, entry.call)(**entry.values)

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

    # Commands.

    def _must(
        self, symbol: str, command: Mapping[str, Any], note: LoggedCall, reference: ReferenceEvent | None = None
    ) -> None:
        refused = self._run(symbol, command, note, reference=reference)
        if refused is not None:
            raise InputError(f"{symbol}: {command['op']} cannot be done: {refused.reason} {refused.text}".rstrip())

    def _run(
        self,
        symbol: str,
        command: Mapping[str, Any],
        note: LoggedCall,
        cause: str = "",
        begun: OrderRecord | None = None,
        reference: ReferenceEvent | None = None,
    ) -> Refused | None:
        """Carry out one engine command, note it and tell what came of it.

        What the engine refuses to read has not happened: it is not noted, and the id of *begun* is free again.
        """
        try:
            events, changes = self._engines[symbol].run(command)
        except ValueError as error:
            if begun is not None:
                self._store.take_back(begun)
            if isinstance(error, NotSupportedError):
                return Refused(reason="not_supported", text=str(error))
            raise
        self.log.append(note)
        if reference is not None:
            self._markets[symbol].reference = reference
        refused: Refused | None = None
        orders: list[OrderEvent] = []
        trades: list[TradeEvent] = []
        others: list[Event] = []
        amounts: dict[str, Decimal] = {}
        why = ""
        for event in events:
            kind = event["ev"]
            if kind in ("rejected", "cancel_rejected", "amend_rejected"):
                refused = Refused(reason=event["reason"])
            elif kind == "trade":
                self._traded(symbol, event, orders, trades, cause)
            elif kind == "phase":
                self._markets[symbol].phase = event["state"]
                others.append(PhaseEvent(symbol=symbol, phase=event["state"], event_ns=self.now_ns))
            elif kind == "liquidation":
                others.append(self._liquidated(symbol, event))
                why = kind
            elif kind in ("funding", "settled", "insurance"):
                amounts[event["account"]] = amounts.get(event["account"], ZERO) + Decimal(event["amount"])
                why = {"settled": "settlement", "insurance": "liquidation"}.get(kind, kind)
            elif kind != "uncrossed":
                record, what = self._store.change(int(event["id"]), event, self.now_ns)
                orders.append(self._order_event(record, what, None, cause))
                if what == "accepted" and record.request.tif == "gtd":
                    self._end_later(symbol, record.request.expire_ns)
        orders += [self._order_event(record, "canceled", None, "") for record in self._store.end_forced(self.now_ns)]
        touched = {event.account for event in orders} | amounts.keys()
        if refused is not None and begun is not None:
            self._store.drop(begun)
        first: list[Event] = [] if reference is None else [reference]
        if not touched and not changes and not others:
            self._tell(first)
            return refused
        if why == "settlement":
            self._settled(symbol)
        why = why or ("trade" if trades else "order")
        names = sorted(touched & self.accounts.keys())
        told: list[Event] = []
        for name in names:
            delta = {self.listings[symbol].settle: amounts[name]} if name in amounts else {}
            told += self._balance_events([name], why, delta, symbol if delta else "")
            told += self._position_events(name, symbol, why)
        self._tell([*first, *orders, *told, *trades, *others, *self._depth(symbol, changes)])
        return refused

    def _liquidated(self, symbol: str, event: Mapping[str, Any]) -> LiquidationEvent:
        """Take up the order by which the engine closes a position by force."""
        account, quantity = event["account"], Decimal(event["qty"])
        request = OrderRequest(symbol=symbol, side=event["side"], type="market", quantity=quantity)
        request = attrs.evolve(request, client_id=f"LIQ-{account}", reduce_only=True)
        self._store.force(account, request, quantity, self.now_ns)
        mark = self._markets[symbol].reference.mark
        return LiquidationEvent(
            account=account,
            symbol=symbol,
            side=event["side"],
            quantity=quantity,
            price=mark if mark is not None else ZERO,
            event_ns=self.now_ns,
        )

    def _settled(self, symbol: str) -> None:
        """Every position of the instrument is closed; the ledger tells the profit."""
        derivative = self._engines[symbol].derivative
        assert derivative is not None
        for (name, one), held in self._held.items():
            if one == symbol and held.quantity:
                held.quantity = held.entry_value = ZERO
                held.realized = self._money(derivative.realized_profit(self.ledger.number(name)))

    def _position_events(self, name: str, symbol: str, why: str) -> list[PositionEvent]:
        """Return the position of an account if it has changed since it was told last."""
        held = self._held.get((name, symbol))
        if held is None:
            return []
        now = (held.quantity, held.entry_value, held.realized)
        if self._told_positions.get((name, symbol)) == now:
            return []
        self._told_positions[name, symbol] = now
        return [
            PositionEvent(
                account=name,
                sequence=self._next(f"account {name}"),
                symbol=symbol,
                quantity=held.quantity,
                entry_price=held.entry_price,
                realized=held.realized,
                why=why,
                event_ns=self.now_ns,
            )
        ]

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
        listing = self.listings[symbol]
        value = value_of(listing, price, quantity)
        records = [self._store.named(event[role]) for role in roles]
        is_moved = listing.kind != "spot" and records[0].account != records[1].account
        for role, named in zip(roles, records, strict=True):
            record = self._store.orders[named.order_id]
            side = record.request.side
            realized = ZERO
            if is_moved:
                held = self._held.setdefault((record.account, symbol), Held(listing))
                realized = held.trade(quantity if side == "buy" else -quantity, value)
            amount, currency = event.get("fees", {}).get(role, ("0", listing.settle))
            fill = FillRecord(
                trade_id=market.trade_number,
                symbol=symbol,
                order_id=record.order_id,
                client_id=record.client_id,
                account=record.account,
                side=side,
                price=price,
                quantity=quantity,
                value=value,
                fee=Decimal(amount),
                fee_currency=currency,
                is_maker=role != "taker",
                realized=realized,
                event_ns=self.now_ns,
            )
            sides[side] = record.order_id
            if role in ("taker", "sell"):
                taker = side
            orders.append(self._order_event(self._store.fill(record, fill), "trade", fill, cause))
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

    def _balance_events(
        self, accounts: Iterable[str], why: str, delta: Mapping[str, Decimal], symbol: str = ""
    ) -> list[BalanceEvent]:
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
                        symbol=symbol,
                        event_ns=self.now_ns,
                    )
                )
        return found
