"""From the quotes a strategy wants to the fewest commands that bring them about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quotewright.errors import InputError
from quotewright.kernel.book import MAX_STEPS
from quotewright.kernel.codes import BUY, IOC, OPEN, PENDING_CANCEL, SELL, UNKNOWN
from quotewright.kernel.orders import Order, OrderManager, amend_of, cancel_of
from quotewright.model.orders import NewOrder

if TYPE_CHECKING:
    from quotewright.kernel.strategy import Quotes
    from quotewright.kernel.view import View
    from quotewright.model.orders import Command


class QuoteManager:
    """Keeps the working orders of one strategy at the quotes it wants, level by level.

    The wanted quote of level *i* belongs to the order of level *i* on its side. That order stays while its price is
    within the threshold of the wanted one (``requote_ticks``, or ``bid_ticks`` and ``offer_ticks`` of the side if they
    are not -1, or that fraction of the wanted spread if it is larger)
    and its open quantity is not above the wanted one and at least half of it. An order in flight is left alone.
    Lowering the quantity at one price is an amend where the venue keeps the place for it; anything else is a cancel
    and a new order. Surplus orders are cancelled. A quote that would meet one of our own orders, resting or wanted, is
    held back: of two wanted quotes that meet, the offer.
    """

    def __init__(self, requote_ticks: int, requote_fraction_ppm: int, amends: bool) -> None:
        self.requote_ticks = requote_ticks
        self.requote_fraction_ppm = requote_fraction_ppm
        self.bid_ticks = -1
        self.offer_ticks = -1
        self.amends = amends
        self.held_back = 0
        self.next_number = 0
        self.highest_bid_ticks = 0
        self.lowest_offer_ticks = 0

    def reconcile(self, view: View, quotes: Quotes, manager: OrderManager, strategy: str) -> list[tuple[Command, int]]:
        """Return the commands, cancels first, each with the level its order belongs to.

        Raises:
            InputError: a price that no book can hold.
        """
        self.highest_bid_ticks = self.farthest(view, quotes.bids, True)
        self.lowest_offer_ticks = self.farthest(view, quotes.offers, False)
        bid_threshold = self.bid_ticks if self.bid_ticks >= 0 else self.requote_ticks
        offer_threshold = self.offer_ticks if self.offer_ticks >= 0 else self.requote_ticks
        if self.requote_fraction_ppm > 0 and quotes.bids and quotes.offers:
            spread = quotes.offers[0][0] - quotes.bids[0][0]
            share = spread * self.requote_fraction_ppm // 1_000_000
            bid_threshold = max(bid_threshold, share)
            offer_threshold = max(offer_threshold, share)
        self.next_number = manager.next_number
        cancels: list[tuple[Command, int]] = []
        orders: list[tuple[Command, int]] = []
        self.side(view, BUY, quotes.bids, bid_threshold, strategy, cancels, orders)
        self.side(view, SELL, quotes.offers, offer_threshold, strategy, cancels, orders)
        for side, quantity_lots, limit_ticks in quotes.takes:
            if self.meets_own(view, side, limit_ticks) or self.meets_wanted(side, limit_ticks):
                self.held_back += 1
                continue
            orders.append((self.new_order(view, side, limit_ticks, quantity_lots, strategy, IOC, False), -1))
        if not orders:
            return cancels
        cancels.extend(orders)
        return cancels

    def side(
        self,
        view: View,
        side: int,
        wanted: list[tuple[int, int]],
        threshold: int,
        strategy: str,
        cancels: list[tuple[Command, int]],
        orders: list[tuple[Command, int]],
    ) -> bool:
        """Compare one side level by level and add what it takes to *cancels* and *orders*."""
        levels = len(wanted)
        held: list[Order | None] = [None] * levels
        for order in view.live:
            if order.side != side or order.strategy != strategy or order.level < 0 or order.state == PENDING_CANCEL:
                continue
            level = order.level
            if level >= levels or held[level] is not None:
                if order.state == OPEN or order.state == UNKNOWN or level >= levels:
                    cancels.append((cancel_of(order), level))
                continue
            held[level] = order
        for level in range(levels):
            price_ticks, quantity_lots = wanted[level]
            holder = held[level]
            if holder is not None:
                away = price_ticks - holder.price_ticks
                leaves = holder.leaves_lots()
                if holder.state != OPEN:
                    continue
                if (away if away >= 0 else -away) <= threshold:
                    if leaves <= quantity_lots:
                        if leaves * 2 >= quantity_lots:
                            continue
                    elif self.amends and away == 0:
                        orders.append((amend_of(holder, price_ticks, holder.filled_lots + quantity_lots), level))
                        continue
                cancels.append((cancel_of(holder), level))
            if self.meets_own(view, side, price_ticks) or (side == SELL and self.meets_wanted(side, price_ticks)):
                self.held_back += 1
                continue
            orders.append((self.new_order(view, side, price_ticks, quantity_lots, strategy, 0, True), level))
        return True

    def farthest(self, view: View, wanted: list[tuple[int, int]], is_highest: bool) -> int:
        """Return the highest or the lowest wanted price in ticks, 0 if none is wanted; InputError beyond any book."""
        found = 0
        most = MAX_STEPS // view.tick_steps
        for price_ticks, _ in wanted:
            if price_ticks > most:
                raise InputError(
                    f"{view.instrument.name}: a quote should lie at or below {most} ticks, was {price_ticks}"
                )
            if found == 0 or (price_ticks > found if is_highest else price_ticks < found):
                found = price_ticks
        return found

    def meets_wanted(self, side: int, price_ticks: int) -> bool:
        """Return whether an order at this price would trade with a quote wanted on the other side."""
        if side == BUY:
            return 0 < self.lowest_offer_ticks <= price_ticks
        return self.highest_bid_ticks >= price_ticks

    def meets_own(self, view: View, side: int, price_ticks: int) -> bool:
        """Return whether a quote at this price would trade with an order of ours that may still rest."""
        for order in view.live:
            if order.side == side:
                continue
            if order.price_ticks <= price_ticks if side == BUY else order.price_ticks >= price_ticks:
                return True
        return False

    def new_order(
        self,
        view: View,
        side: int,
        price_ticks: int,
        quantity_lots: int,
        strategy: str,
        time_in_force: int,
        post_only: bool,
    ) -> NewOrder:
        """Return a new order with the number it gets if all before it leave; else the pipeline numbers it anew."""
        number = self.next_number
        self.next_number = number + 1
        return NewOrder(
            order_number=number,
            instrument=view.instrument_id,
            side=side,
            price_ticks=price_ticks,
            quantity_lots=quantity_lots,
            time_in_force=time_in_force,
            post_only=post_only,
            strategy=strategy,
        )
