"""What a market maker is judged by: how quotes stood, what became of orders, inventory.

:mod:`quotewright.kernel.counts` counts while a run goes on, here it is told. Definitions stand in ``docs/money.md``.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from quotewright.kernel.counts import WITHIN_BPS, WITHIN_TICKS, InventoryCounts, OrderCounts, QuoteCounts

if TYPE_CHECKING:
    from collections.abc import Sequence

SIZE_SHARES = (25, 50, 75, 100)
"""Shares, in percent, of the largest two-sided size of the run."""
TIMES_TO_FILL_NS = tuple(int(seconds * 1e9) for seconds in (0.01, 0.1, 0.5, 1, 5, 10, 30, 60, 300))


class QuoteStatistics(QuoteCounts):
    """How a strategy's quotes stood at the sample times: shares of the samples, distances to the touch, spreads."""

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


class OrderStatistics(OrderCounts):
    """What became of the orders on one instrument: how many, how much of them was filled, and how soon."""

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
        until = [0, *(bisect_right(times, edge) for edge in TIMES_TO_FILL_NS), len(times)]
        counts = [after - before for before, after in pairwise(until)]
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


class InventoryStatistics(InventoryCounts):
    """How the position lived, from what it was at the sample times."""

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
            "long_share": self.long_samples / count,
            "short_share": self.short_samples / count,
            "half_life_seconds": -math.log(2) / math.log(kept) * step if 0 < kept < 1 else None,
            "holding_seconds": 2 * mean * seconds / traded_lots if traded_lots else None,
        }


class Scorecard:
    """Everything that is counted of one instrument."""

    def __init__(self) -> None:
        self.quotes = QuoteStatistics()
        self.orders = OrderStatistics()
        self.inventory = InventoryStatistics()
