"""The replay venue in decimals: worked scenarios in, events as plain values out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from quotewright.errors import ConfigError
from quotewright.kernel.codes import (
    BID,
    BUY,
    LAST_BIT,
    LEVEL_DELETE,
    LEVEL_SET,
    NEVER,
    OFFER,
    ORDER_ADD,
    ORDER_DELETE,
    ORDER_EXECUTE,
    ORDER_REDUCE,
    SELL,
    TRADE,
    pack,
)
from quotewright.kernel.rows import TapeBuffer
from quotewright.model.instrument import Instrument
from quotewright.model.orders import (
    Accepted,
    Amended,
    AmendOrder,
    AmendRejected,
    Canceled,
    CancelOrder,
    CancelRejected,
    Fill,
    NewOrder,
    Rejected,
    TimeInForce,
)
from quotewright.tape.tape import MemoryTape
from quotewright_simexchange.latency import ConstantLatency, InterpolatedLatency, LatencyModel
from quotewright_simexchange.matching.queues import FrontQueue, LogQueue, OrdersQueue, PowerQueue, QueueModel
from quotewright_simexchange.matching.replay import ReplayVenue

SUPPORTED_MODELS = ("risk_averse", "front", "prob", "l3")
"""Values of ``model["queue"]`` that :class:`FastReplay` takes; ``l3`` is order-by-order data."""

DECIMALS = 6
ORDER_KINDS = {"mbo_add": ORDER_ADD, "mbo_cancel": ORDER_REDUCE, "mbo_fill": ORDER_EXECUTE}
INSTRUMENT = Instrument(
    name="CASE-QUOTE.perp@case", symbol="CASE", venue="case", kind="perp", base="CASE", quote="QUOTE",
    price_decimals=DECIMALS, size_decimals=DECIMALS,
)  # fmt: skip


def queue_model(model: Mapping[str, Any]) -> QueueModel:
    """Return the queue model that a scenario's ``model`` names; ConfigError for one that there is not."""
    name = model.get("queue", "risk_averse")
    if name == "risk_averse":
        return QueueModel()
    if name == "front":
        return FrontQueue()
    if name == "l3":
        return OrdersQueue()
    if name == "prob":
        shape = model["prob"]
        form = int(shape.get("form", 1))
        return LogQueue(form) if shape["f"] == "log" else PowerQueue(float(shape.get("n", "1")), form)
    raise ConfigError(f"queue should be one of {', '.join(SUPPORTED_MODELS)}, was '{name}'")


def latency_model(model: Mapping[str, Any]) -> LatencyModel:
    """Return the latency model that a scenario's ``model`` names; none is no latency."""
    table = model.get("latency")
    if table is None:
        return ConstantLatency()
    if table["model"] == "interpolated":
        return InterpolatedLatency([(int(row[0]), int(row[1]), int(row[2])) for row in table["rows"]])
    return ConstantLatency(int(table["entry"]), int(table["response"]))


class FastReplay:
    """A replay venue of one instrument whose prices and quantities are decimals, ids are texts.

    Use either :meth:`step`, where every input happens at once in the order given, or :meth:`run_timed`, once.
    """

    def __init__(self, model: Mapping[str, Any], venue_class: type[ReplayVenue] = ReplayVenue) -> None:
        self.venue = venue_class(queue_model(model), latency_model(model))
        self._buffer = TapeBuffer(64)
        self._numbers: dict[str, int] = {}
        self._ids: dict[int, str] = {}
        self._market_ids: dict[str, int] = {}
        self.venue.attach((INSTRUMENT,), MemoryTape((INSTRUMENT,), self._buffer))

    def step(self, input: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Let one input (``{"feed": …}`` or ``{"cmd": …}``) happen and return the events it causes, in order."""
        if "feed" in input:
            at = self._buffer.count
            self._write(input["feed"], 0)
            self.venue.take_message(self._buffer, at, at + 1, 0)
        else:
            self.venue.submit(self._command(input["cmd"]), 0)
        return self._events(0) if self.venue.run(0) != NEVER else []

    def queue(self) -> dict[str, Decimal]:
        """Return for each open order the quantity ahead, rounded half-even at 10^-6."""
        ahead = {}
        for number in self.venue.open:
            steps = Decimal(self.venue.queue_ahead(number)).scaleb(-DECIMALS)
            ahead[self._ids[number]] = steps.quantize(Decimal("1e-6"))
        return ahead

    def run_timed(self, inputs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Let every input happen at its time ``at`` and return all events with ``exch_ts`` and ``local_ts``."""
        ordered = sorted(inputs, key=lambda input: int(input["at"]))
        for input in ordered:
            if "feed" in input:
                self._write(input["feed"], int(input["at"]))
        self.venue.attach((INSTRUMENT,), MemoryTape((INSTRUMENT,), self._buffer))
        events: list[dict[str, Any]] = []
        for input in ordered:
            if "cmd" in input:
                self._catch_up(int(input["at"]), events)
                self.venue.submit(self._command(input["cmd"]), int(input["at"]))
        self._catch_up(NEVER - 1, events)
        return events

    def _catch_up(self, until_ns: int, events: list[dict[str, Any]]) -> None:
        while (known := self.venue.run(until_ns)) != NEVER:
            events.extend(self._events(known, with_times=True))

    def _write(self, feed: Mapping[str, Any], at_ns: int) -> None:
        if feed["op"] in ORDER_KINDS:
            self._write_order(feed, at_ns)
            return
        price, size = _steps(feed["price"]), _steps(feed["qty"])
        if feed["op"] == "level":
            word = pack(LEVEL_SET if size else LEVEL_DELETE, BID if feed["side"] == "bid" else OFFER, 0, 0)
        elif feed["op"] == "trade":
            word = pack(TRADE, {"buy": BUY, "sell": SELL}.get(feed.get("aggressor", ""), 0), 0, 0)
        else:
            raise ConfigError(f"feed op should be level, trade or {', '.join(ORDER_KINDS)}, was '{feed['op']}'")
        self._buffer.append(at_ns, at_ns, price, size, 0, word | LAST_BIT)

    def _write_order(self, feed: Mapping[str, Any], at_ns: int) -> None:
        """Write one row of one order of the market; without a quantity all of it goes."""
        kind = ORDER_KINDS[feed["op"]]
        if kind == ORDER_REDUCE and "qty" not in feed:
            kind = ORDER_DELETE
        number = self._market_ids.setdefault(feed["id"], len(self._market_ids) + 1)
        side = {"bid": BID, "ask": OFFER}.get(feed.get("side", ""), 0)
        price, size = _steps(feed.get("price", "0")), _steps(feed.get("qty", "0"))
        self._buffer.append(at_ns, at_ns, price, size, number, pack(kind, side, 0, 0) | LAST_BIT)

    def _command(self, command: Mapping[str, Any]) -> NewOrder | CancelOrder | AmendOrder:
        name = command["id"]
        number = self._numbers.setdefault(name, len(self._numbers) + 1)
        self._ids[number] = name
        if command["op"] == "cancel":
            return CancelOrder(order_number=number, instrument=0)
        if command["op"] == "amend":
            order = self.venue.open.get(number)
            return AmendOrder(
                order_number=number,
                instrument=0,
                price_ticks=_steps(command["price"]) if "price" in command else order.price_ticks if order else 1,
                quantity_lots=_steps(command["qty"]) if "qty" in command else order.quantity_lots if order else 1,
            )
        return NewOrder(
            order_number=number,
            instrument=0,
            side=BUY if command["side"] == "buy" else SELL,
            price_ticks=_steps(command["price"]) if command.get("type", "limit") == "limit" else 0,
            quantity_lots=_steps(command["qty"]),
            time_in_force=TimeInForce[command.get("tif", "gtc").upper()],
            post_only=bool(command.get("post_only")),
        )

    def _events(self, now_ns: int, with_times: bool = False) -> list[dict[str, Any]]:
        events = []
        for report in self.venue.take_reports(now_ns):
            event = self._event(report)
            if with_times:
                is_unseen = event.get("reason") == "overload"
                event |= {"exch_ts": None if is_unseen else report.event_ns, "local_ts": report.receive_ns}
            events.append(event)
        return events

    def _event(self, report: Any) -> dict[str, Any]:
        name = self._ids[report.order_number]
        match report:
            case Accepted():
                return {"ev": "accepted", "id": name}
            case Rejected():
                return {"ev": "rejected", "id": name, "reason": report.reason}
            case Fill():
                liquidity = "maker" if report.is_maker else "taker"
                price, size = _text(report.price_ticks), _text(report.quantity_lots)
                return {"ev": "fill", "id": name, "price": price, "qty": size, "liquidity": liquidity}
            case Canceled():
                return {"ev": "canceled", "id": name, "qty": _text(report.leaves_lots), "reason": report.reason}
            case CancelRejected():
                return {"ev": "cancel_rejected", "id": name, "reason": report.reason}
            case AmendRejected():
                return {"ev": "amend_rejected", "id": name, "reason": report.reason}
            case Amended():
                return {
                    "ev": "amended",
                    "id": name,
                    "price": _text(report.price_ticks),
                    "qty": _text(report.quantity_lots),
                    "leaves": _text(report.leaves_lots),
                    "priority": "kept" if report.keeps_priority else "lost",
                }
        raise TypeError(f"no event for a report of type {type(report).__name__}")


def _steps(text: str) -> int:
    scaled = Decimal(text).scaleb(DECIMALS)
    if scaled != scaled.to_integral_value():
        raise ConfigError(f"a number of a scenario should have at most {DECIMALS} decimals, was {text}")
    return int(scaled)


def _text(steps: int) -> str:
    value = Decimal(steps).scaleb(-DECIMALS)
    return f"{value.normalize():f}"
