"""Spot user data: the exchange's private events in the venue's words."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import attrs

from quotewright_simexchange.dialects.binance.limits import Limits
from quotewright_simexchange.dialects.binance.listings import spot_listings
from quotewright_simexchange.dialects.binance.spot_orders import kind_of, list_number, status_of, stp_word
from quotewright_simexchange.dialects.binance.streams import TimeOf
from quotewright_simexchange.dialects.binance.users import UserHub
from quotewright_simexchange.dialects.binance.written import fixed
from quotewright_simexchange.exchange.records import BalanceEvent, Event, OrderEvent, OrderRecord

if TYPE_CHECKING:
    from quotewright_simexchange.dialects.binance.waiting import Group
    from quotewright_simexchange.exchange.exchange import Exchange

EXECUTIONS = {
    "accepted": "NEW",
    "trade": "TRADE",
    "canceled": "CANCELED",
    "amended": "REPLACED",
    "triggered": "NEW",
    "repriced": "REPLACED",
    "reduced": "TRADE_PREVENTION",
    "prevented": "TRADE_PREVENTION",
}
EXPIRIES = {
    "ioc": "UNFILLED_IOC_QUANTITY_EXPIRED",
    "fok": "UNFILLED_FOK_ORDER_EXPIRED",
    "no_liquidity": "INSUFFICIENT_LIQUIDITY",
    "protection": "EXECUTION_RULE_PRICE_RANGE_EXCEEDED",
    "OCO_TRIGGER": "OCO_TRIGGER",
    "OTO_PHASE_ONE_EXPIRED": "OTO_PHASE_ONE_EXPIRED",
}


def execution_report(event: OrderEvent, time: TimeOf) -> dict[str, Any]:
    """Return an executionReport."""
    order, fill, request = event.order, event.fill, event.order.request
    execution = EXECUTIONS[event.what]
    if event.what == "canceled" and order.status != "canceled":
        execution = "TRADE_PREVENTION" if order.reason == "stp" else "EXPIRED"
    is_own_cancel = execution == "CANCELED" and event.cause
    report: dict[str, Any] = {
        "e": "executionReport",
        "E": time(event.event_ns),
        "s": request.symbol,
        "c": event.cause if is_own_cancel else order.client_id,
        "S": request.side.upper(),
        "o": kind_of(order),
        "f": request.tif.upper(),
        "q": fixed(order.quantity),
        "p": fixed(order.price),
        "P": fixed(request.trigger),
        "F": fixed(request.display),
        "g": list_number(order),
        "C": order.client_id if is_own_cancel else "",
        "x": execution,
        "X": status_of(order),
        "r": "NONE",
        "i": order.order_id,
        "l": fixed(fill.quantity if fill else None),
        "z": fixed(order.filled),
        "L": fixed(fill.price if fill else None),
        "n": fixed(fill.fee) if fill else "0",
        "N": fill.fee_currency if fill else None,
        "T": time(event.event_ns),
        "t": fill.trade_id if fill else -1,
        "v": 0,
        "I": event.sequence,
        "w": order.is_open and order.status != "untriggered",
        "m": fill.is_maker if fill else False,
        "M": False,
        "O": time(order.created_ns),
        "Z": fixed(order.value),
        "Y": fixed(fill.value if fill else None),
        "Q": fixed(request.quote_quantity),
    }
    if order.working_ns:
        report["W"] = time(order.working_ns)
    report["V"] = stp_word(order)
    if order.prevented:
        report |= {"A": fixed(order.prevented), "v": event.sequence}
    if order.status == "expired" and order.reason in EXPIRIES:
        report["eR"] = EXPIRIES[order.reason]
    for key, name in (("d", "trailing"), ("j", "strategyId"), ("J", "strategyType")):
        if name in request.labels:
            report[key] = int(request.labels[name])
    return report


def list_status(group: Group, orders: list[OrderRecord], now_ns: int, time: TimeOf) -> dict[str, Any]:
    """Return a listStatus: a list of orders began or ended."""
    return {
        "e": "listStatus",
        "E": time(now_ns),
        "s": group.symbol,
        "g": group.number,
        "c": group.contingency,
        "l": "ALL_DONE" if group.is_done else "EXEC_STARTED",
        "L": "ALL_DONE" if group.is_done else "EXECUTING",
        "r": "NONE",
        "C": group.client_id,
        "T": time(now_ns),
        "O": [{"s": group.symbol, "i": order.order_id, "c": order.client_id} for order in orders],
    }


def position_report(event: BalanceEvent, time: TimeOf) -> dict[str, Any]:
    """Return an outboundAccountPosition."""
    return {
        "e": "outboundAccountPosition",
        "E": time(event.event_ns),
        "u": time(event.event_ns),
        "B": [{"a": asset, "f": fixed(free), "l": fixed(locked)} for asset, (free, locked) in event.balances.items()],
    }


class SpotEvents:
    """Tells the users of a door what happens on their accounts; gives order counts back at first fills.

    *dress* makes of an order what the door shows of it.
    """

    def __init__(
        self, exchange: Exchange, users: UserHub, limits: Limits, dress: Callable[[OrderRecord], OrderRecord]
    ) -> None:
        self.exchange = exchange
        self.users = users
        self.limits = limits
        self.dress = dress
        self._symbols = spot_listings(exchange)
        exchange.listen(self._take)

    def _take(self, event: Event) -> None:
        if isinstance(event, OrderEvent):
            if event.order.request.symbol not in self._symbols:
                return
            if event.fill is not None and event.fill.quantity == event.order.filled:
                self.limits.count_orders(event.account, self.limits.now_ns, -1)
            if event.what in EXECUTIONS and self.users.is_listening(event.account):
                shown = attrs.evolve(event, order=self.dress(event.order))
                self.users.tell(event.account, lambda time: execution_report(shown, time))
        elif isinstance(event, BalanceEvent) and self.users.is_listening(event.account):
            if event.why in ("deposit", "withdrawal", "transfer"):
                for asset, delta in event.delta.items():
                    self._tell_change(event, asset, fixed(delta))
            self.users.tell(event.account, lambda time: position_report(event, time))

    def _tell_change(self, event: BalanceEvent, asset: str, delta: str) -> None:
        self.users.tell(
            event.account,
            lambda time: {
                "e": "balanceUpdate",
                "E": time(event.event_ns),
                "a": asset,
                "d": delta,
                "T": time(event.event_ns),
            },
        )
