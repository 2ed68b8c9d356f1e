"""Whose order a report speaks of: side, strategy and level, also after the order has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from quotewright.kernel.codes import BUY, SELL
from quotewright.model.orders import Canceled, Fill, NewOrder, Rejected

if TYPE_CHECKING:
    from collections.abc import Iterable

    from quotewright.kernel.view import View
    from quotewright.model.orders import Command, Report

KEPT_ENDED = 4096
"""How many ended orders are remembered for fills that come late."""


class OwnOrder(NamedTuple):
    """What a rule wants to know of an order of ours.

    *level* is its place among the strategy's quotes, -1 none or not asked for.
    """

    side: int
    strategy: str
    level: int


class OwnOrders:
    """Orders that left, by number. The side of a fill whose order is not known is read off what was bought since."""

    def __init__(self, views: Iterable[View], *, with_levels: bool = False) -> None:
        self._with_levels = with_levels
        self._orders: dict[int, OwnOrder] = {}
        self._ended: dict[int, None] = {}
        self._bought = {view.instrument_id: view.portfolio.bought_lots for view in views}

    def note(self, command: Command, view: View) -> None:
        """Remember an order that leaves."""
        if isinstance(command, NewOrder):
            order = view.order(command.order_number) if self._with_levels else None
            level = order.level if order is not None else -1
            self._orders[command.order_number] = OwnOrder(command.side, command.strategy, level)

    def of(self, report: Report, view: View) -> OwnOrder:
        """Return whose order *report* speaks of."""
        found = self._orders.get(report.order_number)
        if isinstance(report, Fill):
            bought = view.portfolio.bought_lots
            if found is None:
                found = OwnOrder(BUY if bought > self._bought.get(view.instrument_id, 0) else SELL, "", -1)
            self._bought[view.instrument_id] = bought
            if report.leaves_lots == 0:
                self._end(report.order_number)
        elif isinstance(report, Canceled | Rejected):
            self._end(report.order_number)
        return found if found is not None else OwnOrder(0, "", -1)

    def _end(self, number: int) -> None:
        if number in self._orders:
            self._ended[number] = None
        if len(self._ended) > KEPT_ENDED:
            oldest = next(iter(self._ended))
            del self._ended[oldest]
            del self._orders[oldest]
