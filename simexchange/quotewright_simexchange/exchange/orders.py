"""Orders and fills that the local exchange remembers, by id, client id and account."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import attrs

from quotewright_simexchange.exchange.records import ZERO, FillRecord, OrderRecord, OrderRequest

INVENTED = "sim"
BY_REQUEST = ("user", "amend_below_filled")
"""Reasons of a cancel that somebody asked for; every other end is the exchange's doing."""

WORDS = {
    "accepted": "accepted",
    "canceled": "canceled",
    "amended": "amended",
    "repriced": "repriced",
    "triggered": "triggered",
    "reduced": "reduced",
    "refreshed": "refreshed",
}


def decimal_text(number: Decimal) -> str:
    """Return *number* as text without an exponent."""
    return format(number, "f")


class OrderStore:
    """The newest record of every order, and every fill."""

    def __init__(self) -> None:
        self.next_id = 1
        self.orders: dict[int, OrderRecord] = {}
        self.fills_by_order: dict[int, list[FillRecord]] = {}
        self._own: dict[tuple[str, str], list[int]] = {}
        self._open: dict[tuple[str, str], dict[int, None]] = {}
        self.clients: dict[tuple[str, str, str], int] = {}
        self.fills_by_account: dict[tuple[str, str], list[FillRecord]] = {}
        self._forced: dict[str, int] = {}
        """Orders that the engine made itself, by the name it gives them."""

    def preview(self, account: str, request: OrderRequest, quantity: Decimal, now_ns: int) -> OrderRecord:
        """Return the record that an order would begin with."""
        waits = request.trigger is not None
        return OrderRecord(
            order_id=self.next_id,
            client_id=request.client_id or f"{INVENTED}{self.next_id}",
            account=account,
            request=request,
            status="untriggered" if waits else "open",
            price=request.price,
            quantity=quantity,
            leaves=quantity,
            created_ns=now_ns,
            updated_ns=now_ns,
            working_ns=0 if waits else now_ns,
        )

    def begin(self, account: str, request: OrderRequest, quantity: Decimal, now_ns: int) -> OrderRecord:
        """Take up an order that is about to be handed to the engine."""
        record = self.preview(account, request, quantity, now_ns)
        self.next_id += 1
        self.orders[record.order_id] = record
        return record

    def force(self, account: str, request: OrderRequest, quantity: Decimal, now_ns: int) -> None:
        """Take up an order by which a position is closed by force."""
        record = self.begin(account, request, quantity, now_ns)
        self._forced[request.client_id] = record.order_id
        key = (account, request.symbol)
        self._own.setdefault(key, []).append(record.order_id)
        self._open.setdefault(key, {})[record.order_id] = None

    def end_forced(self, now_ns: int) -> list[OrderRecord]:
        """End what the book could not take of forced orders; return those that were left."""
        ended = []
        for number in self._forced.values():
            record = self.orders[number]
            if record.is_open:
                record = attrs.evolve(record, status="expired", reason="no_liquidity", leaves=ZERO, updated_ns=now_ns)
                self.orders[number] = record
                self._open[record.account, record.request.symbol].pop(number, None)
                ended.append(record)
        self._forced.clear()
        return ended

    def named(self, name: str) -> OrderRecord:
        """Return the order that the engine calls *name*."""
        number = self._forced.get(name)
        return self.orders[int(name) if number is None else number]

    def put(self, record: OrderRecord) -> None:
        """Take up an order as it was saved; orders come by their ids."""
        key = (record.account, record.request.symbol)
        self.orders[record.order_id] = record
        self._own.setdefault(key, []).append(record.order_id)
        if record.is_open:
            self._open.setdefault(key, {})[record.order_id] = None

    def put_fill(self, fill: FillRecord) -> None:
        """Take up a fill as it was saved; fills of an account come by their time."""
        self.fills_by_order.setdefault(fill.order_id, []).append(fill)
        self.fills_by_account.setdefault((fill.account, fill.symbol), []).append(fill)

    def take_back(self, record: OrderRecord) -> None:
        """Forget an order that was never handed over; its id is free again."""
        del self.orders[record.order_id]
        self.next_id = record.order_id

    def drop(self, record: OrderRecord) -> None:
        """Forget an order that was refused; its id is not used again."""
        del self.orders[record.order_id]

    def change(self, order_id: int, event: Mapping[str, Any], now_ns: int) -> tuple[OrderRecord, str]:
        """Take one of the engine's events; return the new record and the event's word."""
        record = self.orders[order_id]
        kind = event["ev"]
        what = WORDS[kind]
        key = (record.account, record.request.symbol)
        if kind == "accepted":
            self._own.setdefault(key, []).append(order_id)
            self._open.setdefault(key, {})[order_id] = None
            self.clients[(*key, record.client_id)] = order_id
            return record, what
        values: dict[str, Any] = {"updated_ns": now_ns}
        if kind == "canceled":
            reason = event["reason"]
            values |= {"status": "canceled" if reason in BY_REQUEST else "expired", "reason": reason, "leaves": ZERO}
            if reason == "stp":
                values["prevented"] = record.prevented + record.leaves
            self._open[key].pop(order_id, None)
        elif kind == "amended":
            values |= {"quantity": Decimal(event["qty"]) + record.prevented, "leaves": Decimal(event["leaves"])}
            price = event["price"]
            values |= {"price": None if price is None else Decimal(price), "amends": record.amends + 1}
        elif kind == "repriced":
            values["price"] = Decimal(event["price"])
        elif kind == "triggered":
            values |= {"status": "open", "is_triggered": True, "working_ns": now_ns}
        elif kind == "reduced":
            by, leaves = Decimal(event["by"]), Decimal(event["leaves"])
            values["leaves"] = leaves
            if event["reason"] == "stp":
                what = "prevented"
                values["prevented"] = record.prevented + by
            else:
                values["quantity"] = record.quantity - by
        record = self.orders[order_id] = attrs.evolve(record, **values)
        return record, what

    def fill(self, record: OrderRecord, fill: FillRecord) -> OrderRecord:
        """Book one fill."""
        filled = record.filled + fill.quantity
        leaves = record.leaves - fill.quantity
        is_done = leaves == 0
        record = attrs.evolve(
            record,
            filled=filled,
            leaves=leaves,
            value=record.value + fill.value,
            status="filled" if is_done else "partial",
            updated_ns=fill.event_ns,
        )
        key = (record.account, fill.symbol)
        self.orders[record.order_id] = record
        if is_done:
            self._open[key].pop(record.order_id, None)
        self.fills_by_order.setdefault(record.order_id, []).append(fill)
        self.fills_by_account.setdefault(key, []).append(fill)
        return record

    def find(self, account: str, symbol: str, order_id: int | None, client_id: str) -> OrderRecord | None:
        """Return an order of *account* in *symbol* by its id; without one the newest with that client id."""
        if order_id is None:
            order_id = self.clients.get((account, symbol, client_id), -1)
        record = self.orders.get(order_id)
        if record is None or (record.account, record.request.symbol) != (account, symbol):
            return None
        return record

    def is_open_client(self, account: str, symbol: str, client_id: str) -> bool:
        """Return whether an open order has that client id."""
        record = self.find(account, symbol, None, client_id)
        return record is not None and record.is_open

    def open_orders(self, account: str, symbol: str | None) -> list[OrderRecord]:
        """Return open orders by acceptance."""
        found = [
            self.orders[number]
            for (name, one), numbers in self._open.items()
            if name == account and symbol in (None, one)
            for number in numbers
        ]
        return sorted(found, key=lambda record: record.order_id)

    def history(self, account: str, symbol: str, from_id: int, start_ns: int, end_ns: int | None) -> list[OrderRecord]:
        """Return orders, oldest first."""
        numbers = self._own.get((account, symbol), [])
        found = [self.orders[number] for number in numbers[bisect_left(numbers, from_id) :]]
        return [one for one in found if start_ns <= one.created_ns and (end_ns is None or one.created_ns <= end_ns)]

    def fills(
        self, account: str, symbol: str, order_id: int | None, from_id: int, start_ns: int, end_ns: int | None
    ) -> list[FillRecord]:
        """Return fills, oldest first."""
        return [
            one
            for one in self.fills_by_account.get((account, symbol), ())
            if one.trade_id >= from_id
            and order_id in (None, one.order_id)
            and start_ns <= one.event_ns
            and (end_ns is None or one.event_ns <= end_ns)
        ]
