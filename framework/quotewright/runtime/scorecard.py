"""What a market maker is judged by, counted while a run goes on: how quotes stood, what became of orders, inventory.

Nothing here is asked per row: quotes and inventory are looked at when the run samples, orders when they are sent or
filled. Definitions stand in ``docs/money.md``.
"""

from __future__ import annotations

import math
from array import array
from typing import TYPE_CHECKING, Any

from quotewright.kernel.codes import BUY
from quotewright.model.orders import AmendOrder, CancelOrder, NewOrder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quotewright.kernel.orders import Order
    from quotewright.kernel.view import View
    from quotewright.model.orders import Command, Fill

WITHIN_TICKS = (0, 1, 2, 5, 10, 20, 50, 100)
WITHIN_BPS = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0)
"""Distances from the touch within which the share of time is told."""
SIZE_SHARES = (25, 50, 75, 100)
"""Shares, in percent, of the largest two-sided size of the run."""
TIMES_TO_FILL_NS = tuple(int(seconds * 1e9) for seconds in (0.01, 0.1, 0.5, 1, 5, 10, 30, 60, 300))
MOST_TIMES = 100_000


class QuoteStatistics:
    """How a strategy's quotes stood at the sample times: shares of the samples, distances to the touch, spreads."""

    def __init__(self) -> None:
        self.samples = 0
        self.stale = 0
        self.quoting = [0, 0]
        self.at_touch = [0, 0]
        self.two_sided = 0
        self.distance_ticks = [0.0, 0.0]
        self.within = [[0, 0, 0] for _ in (*WITHIN_TICKS, *WITHIN_BPS)]
        self.sizes: dict[int, int] = {}
        self.market_spread_bps = 0.0
        self.own_spread_bps = 0.0
        self.good = 0

    def add(self, view: View, own_bid: int, own_offer: int) -> None:
        """Count one sample; own quotes in ticks, 0 for none."""
        self.samples += 1
        if not view.is_book_good:
            self.stale += 1
            return
        bid, offer = view.best_bid_ticks(), view.best_offer_ticks()
        mid = view.mid_ticks()
        if mid > 0:
            self.good += 1
            self.market_spread_bps += (view.book.best_offer - view.book.best_bid) / view.tick_steps / mid * 10_000
        if own_bid:
            self.quoting[0] += 1
            self.distance_ticks[0] += bid - own_bid
            self.at_touch[0] += own_bid >= bid
        if own_offer:
            self.quoting[1] += 1
            self.distance_ticks[1] += own_offer - offer
            self.at_touch[1] += own_offer <= offer
        limits = (*WITHIN_TICKS, *(distance * mid / 10_000 for distance in WITHIN_BPS))
        for ticks, counts in zip(limits, self.within, strict=True):
            near = own_bid > 0 and bid - own_bid <= ticks
            far = own_offer > 0 and own_offer - offer <= ticks
            counts[0] += near
            counts[1] += far
            counts[2] += near and far
        if own_bid and own_offer:
            self.two_sided += 1
            if mid > 0:
                self.own_spread_bps += (own_offer - own_bid) / mid * 10_000
            lots = min(_open_lots(view))
            self.sizes[_rounded(lots)] = self.sizes.get(_rounded(lots), 0) + 1

    def summary(self) -> dict[str, Any]:
        """Return the figures; shares are of all samples, distances and spreads means over the samples that have one."""
        count = max(1, self.samples)
        return {
            "samples": self.samples,
            "stale_share": self.stale / count,
            "two_sided_share": self.two_sided / count,
            "bid": self._side(0, count),
            "offer": self._side(1, count),
            "market_spread_bps": self.market_spread_bps / self.good if self.good else None,
            "quoted_spread_bps": self.own_spread_bps / self.two_sided if self.two_sided else None,
            "within_ticks": _within("ticks", WITHIN_TICKS, self.within[: len(WITHIN_TICKS)], count),
            "within_bps": _within("bps", WITHIN_BPS, self.within[len(WITHIN_TICKS) :], count),
            "by_size_lots": self._by_size(count),
        }

    def _side(self, side: int, count: int) -> dict[str, float | None]:
        quoting = self.quoting[side]
        return {
            "quoting_share": quoting / count,
            "at_touch_share": self.at_touch[side] / count,
            "distance_ticks": self.distance_ticks[side] / quoting if quoting else None,
        }

    def _by_size(self, count: int) -> list[dict[str, Any]]:
        largest = max(self.sizes, default=0)
        wanted = dict.fromkeys(max(1, -(-largest * share // 100)) for share in SIZE_SHARES) if largest else {}
        return [
            {"lots": lots, "two_sided_share": sum(n for size, n in self.sizes.items() if size >= lots) / count}
            for lots in wanted
        ]


def _within(unit: str, limits: Sequence[float], counts: list[list[int]], count: int) -> list[dict[str, Any]]:
    return [
        {unit: limit, "bid_share": bid / count, "offer_share": offer / count, "two_sided_share": both / count}
        for limit, (bid, offer, both) in zip(limits, counts, strict=True)
    ]


def _rounded(lots: int) -> int:
    """Return *lots* rounded down to three digits, so that there are never many different ones."""
    step = 1
    while lots >= 1000 * step:
        step *= 10
    return lots // step * step


def _open_lots(view: View) -> tuple[int, int]:
    """Return the open quantity of our bids and of our offers."""
    bids = offers = 0
    for order in view.live:
        if order.side == BUY:
            bids += order.open_lots()
        else:
            offers += order.open_lots()
    return bids, offers


class OrderStatistics:
    """What became of the orders on one instrument: how many, how much of them was filled, and how soon."""

    def __init__(self) -> None:
        self.placed = 0
        self.cancelled = 0
        self.amended = 0
        self.ordered_lots = 0
        self.filled_lots = 0
        self.fills = 0
        self.filled_orders = 0
        self.times_ns: array[int] = array("q")

    def on_command(self, command: Command, view: View) -> None:
        """Count a command that leaves."""
        if isinstance(command, NewOrder):
            self.placed += 1
            self.ordered_lots += command.quantity_lots
        elif isinstance(command, CancelOrder):
            self.cancelled += 1
        elif isinstance(command, AmendOrder):
            self.amended += 1
            order = view.order(command.order_number)
            if order is not None:
                self.ordered_lots += max(0, command.quantity_lots - order.quantity_lots)

    def on_fill(self, now_ns: int, report: Fill, order: Order) -> None:
        """Count a fill after its order has booked it."""
        self.fills += 1
        self.filled_lots += report.quantity_lots
        if order.filled_lots == report.quantity_lots:
            self.filled_orders += 1
            if report.is_maker and len(self.times_ns) < MOST_TIMES:
                self.times_ns.append(now_ns - order.sent_ns)

    def summary(self) -> dict[str, Any]:
        """Return the figures; ratios are None where nothing was counted below the line."""
        messages = self.placed + self.cancelled + self.amended
        return {
            "placed": self.placed,
            "cancelled": self.cancelled,
            "amended": self.amended,
            "fills": self.fills,
            "filled_orders": self.filled_orders,
            "order_to_trade": _ratio(messages, self.fills),
            "cancel_to_fill": _ratio(self.cancelled, self.fills),
            "fill_ratio": _ratio(self.filled_lots, self.ordered_lots),
            "filled_order_share": _ratio(self.filled_orders, self.placed),
            "seconds_to_fill": self._times(),
        }

    def _times(self) -> dict[str, Any]:
        times = sorted(self.times_ns)
        counts = [0] * (len(TIMES_TO_FILL_NS) + 1)
        for time_ns in times:
            counts[sum(time_ns > edge for edge in TIMES_TO_FILL_NS)] += 1
        edges: list[float | None] = [edge / 1e9 for edge in TIMES_TO_FILL_NS]
        return {
            "orders": len(times),
            **{f"p{percent}": _at(times, percent) for percent in (10, 50, 90)},
            "histogram": [{"up_to": edge, "orders": count} for edge, count in zip([*edges, None], counts, strict=True)],
        }


def _ratio(above: int, below: int) -> float | None:
    return above / below if below else None


def _at(ordered_ns: list[int], percent: int) -> float | None:
    """Return the value below which so many percent lie (the nearest one), in seconds."""
    if not ordered_ns:
        return None
    return ordered_ns[min(len(ordered_ns) - 1, len(ordered_ns) * percent // 100)] / 1e9


class InventoryStatistics:
    """How the position lived, from what it was at the sample times."""

    def __init__(self) -> None:
        self.samples = 0
        self.absolute_lots = 0
        self.largest_lots = 0
        self.long = 0
        self.short = 0
        self.squares = 0
        self.products = 0
        self.last_lots = 0
        self.first_ns = 0
        self.last_ns = 0

    def add(self, now_ns: int, lots: int) -> None:
        """Count one sample."""
        if self.samples:
            self.squares += self.last_lots * self.last_lots
            self.products += self.last_lots * lots
        else:
            self.first_ns = now_ns
        self.samples += 1
        self.absolute_lots += abs(lots)
        self.largest_lots = max(self.largest_lots, abs(lots))
        self.long += lots > 0
        self.short += lots < 0
        self.last_lots = lots
        self.last_ns = now_ns

    def summary(self, traded_lots: int) -> dict[str, Any]:
        """Return the figures; *traded_lots* is what was bought and sold."""
        count = max(1, self.samples)
        seconds = (self.last_ns - self.first_ns) / 1e9
        mean = self.absolute_lots / count
        kept = self.products / self.squares if self.squares else 0.0
        step = seconds / (self.samples - 1) if self.samples > 1 else 0.0
        return {
            "mean_lots": mean,
            "largest_lots": self.largest_lots,
            "long_share": self.long / count,
            "short_share": self.short / count,
            "half_life_seconds": -math.log(2) / math.log(kept) * step if 0 < kept < 1 else None,
            "holding_seconds": 2 * mean * seconds / traded_lots if traded_lots else None,
        }


class Scorecard:
    """Everything that is counted of one instrument."""

    def __init__(self) -> None:
        self.quotes = QuoteStatistics()
        self.orders = OrderStatistics()
        self.inventory = InventoryStatistics()
