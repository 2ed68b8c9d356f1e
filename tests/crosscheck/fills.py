"""What both engines are compared by, and how ours comes to it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import attrs

from quotewright.kernel.codes import NEVER
from quotewright.model.orders import AmendOrder, CancelOrder, Fill, NewOrder, TimeInForce
from quotewright_simexchange.latency import ConstantLatency
from quotewright_simexchange.matching.queues import LogQueue, PowerQueue, QueueModel
from quotewright_simexchange.matching.replay import ReplayVenue
from tests.crosscheck.markets import Market
from tests.crosscheck.script import AMEND, ENTRY_NS, NEW, RESPONSE_NS, Command


@attrs.frozen
class Filled:
    """What an order was filled at one time of the venue, and the price of the last of it."""

    time: int
    price: int
    quantity: int


Fills = dict[int, list[Filled]]
"""By order number, in order of time; orders that were never filled are not in it."""


@attrs.frozen
class Model:
    """A queue model that both have: ``f`` is "" (risk-averse), "power" or "log"."""

    name: str
    f: str = ""
    exponent: float = 0.0
    form: int = 1

    def ours(self) -> QueueModel:
        if self.f == "power":
            return PowerQueue(self.exponent, self.form)
        return LogQueue(self.form) if self.f == "log" else QueueModel()


MODELS = {
    model.name: model
    for model in (
        Model("risk_averse"),
        Model("power 1", "power", 1.0),
        Model("power 2", "power", 2.0),
        Model("power 3", "power", 3.0),
        Model("power 2, form 2", "power", 2.0, 2),
        Model("power 3, form 3", "power", 3.0, 3),
        Model("log", "log"),
        Model("log, form 2", "log", 0.0, 2),
    )
}


def gather(executions: Iterable[tuple[int, int, int, int]]) -> Fills:
    """Return executions ``(order, time, price, quantity)`` of each order with those of one time taken together."""
    fills: Fills = {}
    for order, time, price, quantity in executions:
        found = fills.setdefault(order, [])
        before = found.pop().quantity if found and found[-1].time == time else 0
        found.append(Filled(time, price, before + quantity))
    return fills


def quantities(fills: Fills) -> dict[int, int]:
    """Return what each order was filled in all."""
    return {order: sum(one.quantity for one in found) for order, found in fills.items()}


def ours(market: Market, commands: Sequence[Command], model: Model, venue: type[ReplayVenue] = ReplayVenue) -> Fills:
    """Return the fills of the replay venue."""
    replay = venue(model.ours(), ConstantLatency(ENTRY_NS, RESPONSE_NS))
    replay.attach(market.tape.instruments, market.tape)
    executions = []

    def until(time: int) -> None:
        while (known := replay.run(time)) != NEVER:
            for report in replay.take_reports(known):
                if isinstance(report, Fill):
                    executions.append((report.order_number, report.event_ns, report.price_ticks, report.quantity_lots))

    for command in commands:
        until(command.at)
        if command.kind == NEW:
            replay.submit(
                NewOrder(
                    order_number=command.order,
                    instrument=0,
                    side=command.side,
                    price_ticks=command.price,
                    quantity_lots=command.quantity,
                    time_in_force=TimeInForce.IOC if command.immediate else TimeInForce.GTC,
                    post_only=command.post_only,
                ),
                command.at,
            )
        elif command.kind == AMEND:
            replay.submit(
                AmendOrder(
                    order_number=command.order, instrument=0, price_ticks=command.price, quantity_lots=command.quantity
                ),
                command.at,
            )
        else:
            replay.submit(CancelOrder(order_number=command.order, instrument=0), command.at)
    until(NEVER - 1)
    return gather(executions)
