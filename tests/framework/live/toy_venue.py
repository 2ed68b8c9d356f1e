"""A venue in memory for sessions of orders: its wire speaks JSON, its network loses, doubles, delays and cuts."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from typing import Any

from quotewright.errors import InputError
from quotewright.execution import (
    Amending,
    Answered,
    Ask,
    Execution,
    Fault,
    Frame,
    Heard,
    Line,
    Message,
    OrderLimits,
    OrderSeen,
    OrderWire,
    Placing,
    PositionSeen,
    Reading,
    Ready,
)
from quotewright.live.order_session import OrderSession
from quotewright.live.orders import AbortSocket, CloseSocket, Fetch, OpenSocket, SendText
from quotewright.live.venue_settings import VenueSettings
from quotewright.model.instrument import Instrument
from quotewright.model.orders import AmendOrder, CancelOrder, Fill, NewOrder, Report
from quotewright.wire import Request, Window

SECOND = 1_000_000_000
START_NS = 1_700_000_000 * SECOND
INSTRUMENT = Instrument(
    name="BTC-USDT.spot@toy", symbol="BTCUSDT", venue="toy", base="BTC", quote="USDT", price_decimals=1, size_decimals=3
)


class ToyOrderWire(OrderWire):
    """Everything goes over one line, or as a POST to ``/x``; *entry* says which."""

    limits = OrderLimits(
        requests=(Window("requests", 1000, 60 * SECOND),), orders=(Window("orders", 200, 10 * SECOND),)
    )
    keeps_priority_on_reduce = True

    def __init__(self, entry: str = "websocket") -> None:
        self.entry = entry

    def lines(self) -> tuple[Line, ...]:
        return (Line(name="user", is_entry=self.entry == "websocket"),)

    def url(self, line: str, token: str) -> str:
        return "ws://127.0.0.1/user"

    def greeting(self, line: str, stamp_ns: int, number: int) -> tuple[bytes, ...]:
        return (json.dumps({"n": number, "op": "hello", "stamp": stamp_ns}).encode(),)

    def _message(self, number: int, by_rest: bool, **body: Any) -> Message:
        if by_rest or self.entry == "rest":
            return self._request(**body)
        return Frame("user", json.dumps({"n": number} | body).encode())

    def _request(self, **body: Any) -> Request:
        return Request("http://127.0.0.1/x", "POST", json.dumps(body).encode())

    def place(self, order: Placing, stamp_ns: int, number: int, *, by_rest: bool = False) -> Message:
        return self._message(
            number, by_rest, op="place", id=order.client_id, side=order.side, price=order.price,
            quantity=order.quantity, stamp=stamp_ns,
        )  # fmt: skip

    def amend(self, order: Amending, stamp_ns: int, number: int, *, by_rest: bool = False) -> Message | None:
        return self._message(
            number, by_rest, op="amend", id=order.client_id, price=order.price, quantity=order.quantity, stamp=stamp_ns
        )

    def cancel(self, symbol: str, client_id: str, stamp_ns: int, number: int, *, by_rest: bool = False) -> Message:
        return self._message(number, by_rest, op="cancel", id=client_id, stamp=stamp_ns)

    def order(self, symbol: str, client_id: str, stamp_ns: int) -> Request:
        return self._request(op="order", id=client_id, stamp=stamp_ns)

    def open_orders(self, symbol: str, stamp_ns: int) -> Request:
        return self._request(op="open_orders", stamp=stamp_ns)

    def fills(self, symbol: str, after_id: str, since_ns: int, stamp_ns: int) -> Request:
        return self._request(op="fills", after=int(after_id or 0), stamp=stamp_ns)

    def has_more_fills(self, body: bytes) -> bool:
        return bool(json.loads(body)["more"])

    def account(self, stamp_ns: int) -> Sequence[Request]:
        return (self._request(op="account", stamp=stamp_ns),)

    def time_request(self) -> Request:
        return self._request(op="time")

    def server_time_ns(self, body: bytes) -> int:
        found = json.loads(body).get("time")
        if found is None:
            raise InputError(f"no time in {body!r}")
        return int(found)

    def read(self, ask: Ask, status: int, headers: Any, body: bytes, symbol: str = "") -> Reading:
        try:
            told = json.loads(body)
        except ValueError:
            return Reading(fault=Fault("ambiguous", text="not JSON"))
        fault = told.get("fault")
        if fault is not None:
            return Reading(fault=Fault(**fault))
        return Reading(told=tuple(read_told(one) for one in told.get("told", ())))

    def heard(self, line: str, frame: bytes) -> Sequence[Heard]:
        try:
            told = json.loads(frame)
        except ValueError as error:
            raise InputError(f"a frame of user should be JSON, was {frame[:40]!r}") from error
        if "n" in told:
            return (Answered(told["n"], 200, json.dumps(told["body"]).encode()),)
        return [read_told(one) for one in told.get("told", ())] or (Ready(),)


def read_told(one: dict[str, Any]) -> OrderSeen | Execution | PositionSeen:
    kind = {"order": OrderSeen, "fill": Execution, "position": PositionSeen}[one["kind"]]
    return kind(**{key: value for key, value in one.items() if key != "kind"})


class ToyVenue:
    """Its truth: orders, fills, and every placing that ever came, by client id."""

    def __init__(self) -> None:
        self.orders: dict[str, dict[str, Any]] = {}
        self.fills: list[dict[str, Any]] = []
        self.placed: list[str] = []
        self.now_ns = START_NS
        self.events: list[dict[str, Any]] = []
        self.position = "0"
        self.page = 3
        self.window_ns = 5 * SECOND
        self.faults: dict[str, dict[str, Any]] = {}
        """By operation: with which fault it is answered instead of done."""

    def answer(self, message: dict[str, Any]) -> dict[str, Any]:
        """Do what is asked; what it makes happen is put into ``events``."""
        op = message["op"]
        if op in self.faults:
            return {"fault": self.faults[op]}
        if op == "time":
            return {"time": self.now_ns}
        if self.now_ns - message["stamp"] > self.window_ns:
            return {"fault": {"outcome": "reject", "reason": "venue", "text": "too late"}}
        answer: dict[str, Any] = getattr(self, f"_{op}")(message)
        return answer

    def _hello(self, message: dict[str, Any]) -> dict[str, Any]:
        return {}

    def _place(self, message: dict[str, Any]) -> dict[str, Any]:
        name = message["id"]
        self.placed.append(name)
        if name in self.orders:
            return {"fault": {"outcome": "reject", "reason": "duplicate_id"}}
        self.orders[name] = {
            "client_id": name, "symbol": "BTCUSDT", "venue_id": str(len(self.orders) + 1), "status": "open",
            "side": message["side"], "price": message["price"], "quantity": message["quantity"], "filled": "0",
            "event_ns": self.now_ns,
        }  # fmt: skip
        return self._tell(name)

    def _tell(self, name: str, *fills: dict[str, Any]) -> dict[str, Any]:
        order = self.orders[name]
        order["event_ns"] = self.now_ns
        told = [*({"kind": "fill"} | one for one in fills), {"kind": "order"} | order]
        self.events.append({"told": told})
        return {"told": [{"kind": "order"} | order]}

    def _cancel(self, message: dict[str, Any]) -> dict[str, Any]:
        order = self.orders.get(message["id"])
        if order is None or order["status"] != "open":
            return {"fault": {"outcome": "absent", "text": "Unknown order sent."}}
        order["status"] = "canceled"
        return self._tell(message["id"])

    def _amend(self, message: dict[str, Any]) -> dict[str, Any]:
        order = self.orders.get(message["id"])
        if order is None or order["status"] != "open":
            return {"fault": {"outcome": "absent"}}
        if float(message["quantity"]) <= float(order["filled"]):
            order["status"] = "canceled"
        else:
            order["price"], order["quantity"] = message["price"], message["quantity"]
        return self._tell(message["id"])

    def _order(self, message: dict[str, Any]) -> dict[str, Any]:
        order = self.orders.get(message["id"])
        return {"told": [{"kind": "order"} | order]} if order else {"fault": {"outcome": "absent"}}

    def _open_orders(self, message: dict[str, Any]) -> dict[str, Any]:
        return {"told": [{"kind": "order"} | one for one in self.orders.values() if one["status"] == "open"]}

    def _fills(self, message: dict[str, Any]) -> dict[str, Any]:
        found = [one for one in self.fills if int(one["fill_id"]) > message["after"]]
        told = [{"kind": "fill"} | one | {"client_id": ""} for one in found[: self.page]]
        return {"told": told, "more": len(found) > self.page}

    def _account(self, message: dict[str, Any]) -> dict[str, Any]:
        return {"told": [{"kind": "position", "symbol": "BTCUSDT", "quantity": self.position, "entry_price": "0"}]}

    def fill(self, name: str, lots: int) -> None:
        """Fill *lots* of an open order, at most what is left of it."""
        order = self.orders[name]
        left = round(float(order["quantity"]) * 1000) - round(float(order["filled"]) * 1000)
        lots = min(lots, left)
        filled = round(float(order["filled"]) * 1000) + lots
        order["filled"] = f"{filled / 1000:.3f}"
        if lots == left:
            order["status"] = "filled"
        told = {
            "client_id": name, "symbol": "BTCUSDT", "venue_id": order["venue_id"], "side": order["side"],
            "fill_id": str(len(self.fills) + 1), "price": order["price"], "quantity": f"{lots / 1000:.3f}",
            "is_maker": True, "fee": "0.01", "fee_currency": "USDT", "event_ns": self.now_ns,
            "filled": order["filled"],
        }  # fmt: skip
        self.fills.append(told)
        self._tell(name, told)


class ToyNetwork:
    """Carries a session's messages to a venue and back in virtual time, by chance badly."""

    def __init__(self, entry: str = "websocket", seed: int = 0, faults: frozenset[str] = frozenset(), **settings: Any):
        self.venue = ToyVenue()
        made = {"backoff": "100ms", "backoff_most": "500ms", "answer_timeout": "1s", "reconcile": "5s"}
        self.settings = VenueSettings(**(made | settings))
        self.session = OrderSession(ToyOrderWire(entry), self.settings, (INSTRUMENT,), "t", random.Random(seed))
        self.chance = random.Random(seed)
        self.faults = faults
        self.now_ns = START_NS
        self.queue: list[tuple[int, int, Callable[[], None]]] = []
        self.number = 0
        self.line = 0
        """The connection that is open, 0 none."""
        self.line_is_dead = False
        self.reports: list[Report] = []
        self.sent: list[dict[str, Any]] = []
        self.struck: dict[str, int] = {}

    def later(self, call: Callable[[], None], delay_ns: int = 1_000_000) -> None:
        self.number += 1
        self.queue.append((self.now_ns + delay_ns, self.number, call))

    def strikes(self, kind: str, chance: float = 0.15) -> bool:
        if kind in self.faults and self.chance.random() < chance:
            self.struck[kind] = self.struck.get(kind, 0) + 1
            return True
        return False

    def start(self) -> None:
        self.session.start(self.now_ns)
        self.carry()

    def carry(self) -> None:
        """Do what the session wants, and keep what it reports."""
        for order in self.session.take_orders():
            if isinstance(order, OpenSocket):
                self.later(lambda number=order.number: self._open(number))
            elif isinstance(order, SendText):
                self._sent(order.number, json.loads(order.frame))
            elif isinstance(order, Fetch):
                self._fetch(order.ticket, json.loads(order.request.body))
            elif isinstance(order, (AbortSocket, CloseSocket)):
                self.line = 0
        self.reports += self.session.take_reports()

    def _open(self, number: int) -> None:
        if self.strikes("refused"):
            self.session.failed(number, "connection refused", 0, {}, b"", self.now_ns)
            return
        self.line, self.line_is_dead = number, False
        self.session.opened(number, self.now_ns)

    def _sent(self, number: int, message: dict[str, Any]) -> None:
        if number != self.line:
            return
        self.sent.append(message)
        if self.line_is_dead or self.strikes("lost_request"):
            self.line_is_dead = True  # a stream loses nothing in its middle: it is dead from here
            return

        def arrive() -> None:
            answer = self._ask(message)
            if self.strikes("lost_answer"):
                return
            body = json.dumps({"n": message["n"], "body": answer}).encode()
            self.later(lambda: self._frame(number, body), self._delay())
            if self.strikes("double"):
                self.later(lambda: self._frame(number, body), self._delay())

        self.later(arrive)

    def _fetch(self, ticket: int, message: dict[str, Any]) -> None:
        self.sent.append(message)

        def unanswered() -> None:
            self.session.unanswered(ticket, "the connection was reset", self.now_ns)

        if self.strikes("lost_request"):
            self.later(unanswered, 20_000_000)
            return

        def arrive() -> None:
            answer = self._ask(message)
            body = json.dumps(answer).encode()
            if self.strikes("lost_answer"):
                self.later(unanswered, 20_000_000)
            elif self.strikes("page"):
                self.later(lambda: self.session.answered(ticket, 502, {}, b"<html>", self.now_ns))
            else:
                self.later(lambda: self.session.answered(ticket, 200, {}, body, self.now_ns), self._delay())

        delay_ns = 3 * SECOND if self.strikes("late_request", 0.05) else 1_000_000
        self.later(arrive, delay_ns)

    def _delay(self) -> int:
        return self.chance.randrange(1, 300) * 1_000_000 if self.strikes("reorder", 0.3) else 1_000_000

    def _ask(self, message: dict[str, Any]) -> dict[str, Any]:
        self.venue.now_ns = self.now_ns
        answer = self.venue.answer(message)
        self.publish()
        return answer

    def publish(self) -> None:
        """Send what has happened at the venue to the private stream."""
        events, self.venue.events = self.venue.events, []
        for event in events:
            body = json.dumps(event).encode()
            if self.line_is_dead or not self.line:
                continue
            number = self.line
            self.later(lambda number=number, body=body: self._frame(number, body))
            if self.strikes("double"):
                self.later(lambda number=number, body=body: self._frame(number, body), 5_000_000)

    def _frame(self, number: int, body: bytes) -> None:
        if number == self.line and not self.line_is_dead:
            self.session.heard(number, body, self.now_ns)

    def cut(self) -> None:
        """End the connection."""
        if self.line:
            number, self.line = self.line, 0
            self.session.closed(number, 1006, "cut", self.now_ns)
            self.carry()

    def run(self, span_ns: int) -> None:
        """Let *span_ns* pass."""
        until_ns = self.now_ns + span_ns
        ticks = 0
        while True:
            self.queue.sort(key=lambda one: one[:2])
            next_ns = self.queue[0][0] if self.queue else until_ns + 1
            due_ns = max(self.session.deadline_ns, self.now_ns)
            if min(next_ns, due_ns) > until_ns:
                break
            if next_ns <= due_ns:
                at_ns, _, call = self.queue.pop(0)
                self.now_ns = max(self.now_ns, at_ns)
                call()
            else:
                ticks += due_ns <= self.now_ns
                assert ticks < 1000, f"something is due all the time: {self.session.report()}"
                self.now_ns = max(due_ns, self.now_ns + 1)
                self.session.tick(self.now_ns)
            self.carry()
        self.now_ns = until_ns
        self.venue.now_ns = until_ns

    def place(self, number: int, lots: int = 10, price_ticks: int = 600_000, side: int = 1) -> str:
        self.command(
            NewOrder(order_number=number, instrument=0, side=side, price_ticks=price_ticks, quantity_lots=lots)
        )
        return self.session.client_id(number)

    def cancel(self, number: int) -> None:
        self.command(CancelOrder(order_number=number, instrument=0))

    def amend(self, number: int, lots: int, price_ticks: int = 600_000) -> None:
        self.command(AmendOrder(order_number=number, instrument=0, price_ticks=price_ticks, quantity_lots=lots))

    def command(self, command: NewOrder | CancelOrder | AmendOrder) -> None:
        self.session.command(command, self.now_ns)
        self.carry()

    def of(self, number: int) -> list[str]:
        """Return the kinds of the reports about an order, in order."""
        return [type(one).__name__ for one in self.reports if one.order_number == number]

    def fills_of(self, number: int) -> list[Fill]:
        return [one for one in self.reports if isinstance(one, Fill) and one.order_number == number]
