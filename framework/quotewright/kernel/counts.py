"""What a market maker is judged by, as far as it is counted while a run goes on; the figures are told elsewhere.

Nothing here is asked per row: quotes and inventory are looked at when the run samples, orders when they are sent or
filled.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

from quotewright.kernel.codes import BUY
from quotewright.kernel.orders import Order
from quotewright.kernel.view import View
from quotewright.model.orders import AmendOrder, CancelOrder, NewOrder

if TYPE_CHECKING:
    from quotewright.model.orders import Command, Fill

WITHIN_TICKS = (0, 1, 2, 5, 10, 20, 50, 100)
WITHIN_BPS = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0)
"""Distances from the touch within which the share of time is told."""
MOST_TIMES = 100_000


class QuoteCounts:
    """How a strategy's quotes stood at the sample times; pairs are of bids and offers.

    ``within`` counts bids, offers and both by distance: those of ``WITHIN_TICKS`` first, then those of ``WITHIN_BPS``.
    """

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

    def add(self, view: View, own_bid: int, own_offer: int) -> bool:
        """Count one sample; own quotes in ticks, 0 for none."""
        self.samples += 1
        if not view.was_good:
            self.stale += 1
            return False
        bid = view.best_bid_ticks()
        offer = view.best_offer_ticks()
        mid = view.mid_ticks()
        if mid > 0.0:
            self.good += 1
            self.market_spread_bps += (view.book.best_offer - view.book.best_bid) / view.tick_steps / mid * 10_000
        if own_bid:
            self.quoting[0] += 1
            self.distance_ticks[0] += bid - own_bid
            if own_bid >= bid:
                self.at_touch[0] += 1
        if own_offer:
            self.quoting[1] += 1
            self.distance_ticks[1] += own_offer - offer
            if own_offer <= offer:
                self.at_touch[1] += 1
        if own_bid or own_offer:
            place = 0
            for ticks in WITHIN_TICKS:
                self.count_within(place, ticks, bid, offer, own_bid, own_offer)
                place += 1
            for distance in WITHIN_BPS:
                self.count_within(place, distance * mid / 10_000, bid, offer, own_bid, own_offer)
                place += 1
        if own_bid and own_offer:
            self.two_sided += 1
            if mid > 0.0:
                self.own_spread_bps += (own_offer - own_bid) / mid * 10_000
            lots = rounded(two_sided_lots(view))
            self.sizes[lots] = self.sizes.get(lots, 0) + 1
        return True

    def count_within(self, place: int, ticks: float, bid: int, offer: int, own_bid: int, own_offer: int) -> bool:
        """Count whether own quotes stand within *ticks* of the best ones."""
        counts = self.within[place]
        is_near = own_bid > 0 and bid - own_bid <= ticks
        is_far = own_offer > 0 and own_offer - offer <= ticks
        if is_near:
            counts[0] += 1
        if is_far:
            counts[1] += 1
        if is_near and is_far:
            counts[2] += 1
        return True


class OrderCounts:
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

    def on_command(self, command: Command, view: View) -> bool:
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
        return True

    def on_fill(self, now_ns: int, report: Fill, order: Order) -> bool:
        """Count a fill after its order has booked it."""
        self.fills += 1
        self.filled_lots += report.quantity_lots
        if order.filled_lots == report.quantity_lots:
            self.filled_orders += 1
            if report.is_maker and len(self.times_ns) < MOST_TIMES:
                self.times_ns.append(now_ns - order.sent_ns)
        return True


class InventoryCounts:
    """How the position lived, from what it was at the sample times."""

    def __init__(self) -> None:
        self.samples = 0
        self.absolute_lots = 0
        self.largest_lots = 0
        self.long_samples = 0
        self.short_samples = 0
        self.squares = 0
        self.products = 0
        self.last_lots = 0
        self.first_ns = 0
        self.last_ns = 0

    def add(self, now_ns: int, lots: int) -> bool:
        """Count one sample."""
        if self.samples:
            self.squares += self.last_lots * self.last_lots
            self.products += self.last_lots * lots
        else:
            self.first_ns = now_ns
        self.samples += 1
        self.absolute_lots += abs(lots)
        self.largest_lots = max(self.largest_lots, abs(lots))
        if lots > 0:
            self.long_samples += 1
        elif lots < 0:
            self.short_samples += 1
        self.last_lots = lots
        self.last_ns = now_ns
        return True


def rounded(lots: int) -> int:
    """Return *lots* rounded down to three digits, so that there are never many different ones."""
    step = 1
    while lots >= 1000 * step:
        step *= 10
    return lots // step * step


def two_sided_lots(view: View) -> int:
    """Return the open quantity of our bids or of our offers, whichever is less."""
    bids = offers = 0
    for order in view.live:
        if order.side == BUY:
            bids += order.open_lots()
        else:
            offers += order.open_lots()
    return bids if bids < offers else offers


def own_quotes(view: View) -> tuple[int, int]:
    """Return our best live bid and offer in ticks, 0 for none."""
    bid = 0
    offer = 0
    for order in view.live:
        if order.side == BUY:
            bid = max(bid, order.price_ticks)
        elif offer == 0 or order.price_ticks < offer:
            offer = order.price_ticks
    return bid, offer
