"""What makers have in common, as quick as the kernel: quotes on several levels, and leaning against inventory.

A strategy says where its first quotes stand; :class:`LevelQuotes` does the rest, :class:`Leaning` tells by how much
the position moves them. Both are made in ``bind()`` and asked at every wake-up.
"""

from __future__ import annotations

import math

from quotewright.kernel.amounts import BoundAmount
from quotewright.kernel.strategy import Quotes
from quotewright.kernel.view import View

WHOLE = 1_000_000
"""Sizes of farther levels are kept as millionths of the first one's."""
FAR = 4_000_000_000_000_000_000
"""Larger than any price in ticks and any quantity in lots that can be quoted."""


class Level:
    """One level: its size in millionths of the first one's, in lots, and what those are worth per tick of price.

    A size stated as a value has no lots before its price is known; the worth is 0 where it is not to be asked for.
    """

    def __init__(self, share: int, lots: int, worth: int) -> None:
        self.share = share
        self.lots = lots
        self.worth = worth


class LevelQuotes:
    """States *levels* bids and offers around two first prices.

    Level *i* (0 first) stands ``half * level_step * i`` behind the first and is ``size_growth ** i`` times as large.
    Bids are rounded down to the tick, offers up, levels are at least a tick apart, and no quote would take: a bid stays
    below the best offer, an offer above the best bid. A size stated as a value is divided by each quote's own price and
    rounded down to the lot. A quote below the venue's least quantity is raised to it, one worth less than its least
    order is not stated.
    """

    def __init__(self, view: View, size: BoundAmount, levels: int, level_step: float, size_growth: float) -> None:
        instrument = view.instrument
        unit = size.amount.unit
        is_base = unit in (instrument.base, "base")
        self.size = size
        # Coins buy a number of inverse contracts that depends on the price, as a value does of all others.
        self.is_value = instrument.is_inverse if is_base else unit not in ("lots", "contracts")
        self.level_step = level_step
        self.least_lots = max(1, -(-instrument.min_quantity_steps // instrument.lot_steps))
        self.most_lots = instrument.max_quantity_steps // instrument.lot_steps
        self.least_money = int(instrument.min_notional.scaleb(18))
        # Where the tick depends on the price: from which tick on how many of the finest make one.
        self.tick_zones = [
            (int(price / instrument.tick_size), int(tick / instrument.tick_size))
            for price, tick in instrument.tick_table
        ]
        self.levels: list[Level] = []
        first = 0 if self.is_value else size.lots(view)
        share = float(WHOLE)
        for _ in range(levels):
            self.levels.append(self.level(view, first, int(share + 0.5)))
            share *= size_growth

    def level(self, view: View, first: int, share: int) -> Level:
        """Return the level of *share* millionths of *first* lots."""
        lots = self.bounded(first * share // WHOLE) if first > 0 else 0
        worth = 0
        if self.least_money and lots:
            worth = view.notional(2, lots) - view.notional(1, lots)
            if not worth and view.notional(1, lots) < self.least_money:
                lots = 0  # an inverse contract: worth the same at every price
        return Level(share, lots, worth)

    def state(
        self,
        view: View,
        quotes: Quotes,
        bid_at: float | None,
        offer_at: float | None,
        half: float,
        room: BoundAmount | None = None,
        position_lots: int = 0,
    ) -> bool:
        """State the quotes of all levels.

        Args:
            bid_at: Where the first bid stands in ticks, unrounded; None: no bids.
            offer_at: The same of the first offer.
            half: The half-spread in ticks, which levels are apart by.
            room: The largest position that the quotes may lead to; None: no bound.
            position_lots: The position that this bounds.
        """
        step = half * self.level_step
        money = self.size.money(view) if self.is_value else None
        buy_room = sell_room = -1
        if room is not None:
            limit = room.lots(view)
            buy_room = _within(limit - position_lots)
            sell_room = _within(limit + position_lots)
        is_coarse = view.tick_grid != 1 or len(self.tick_zones) > 0
        if bid_at is not None:
            self.bids(view, quotes, bid_at, step, money, buy_room, is_coarse)
        if offer_at is not None:
            self.offers(view, quotes, offer_at, step, money, sell_room, is_coarse)
        return True

    def around_mid(
        self, view: View, quotes: Quotes, half_share: float, leaning: Leaning, room: BoundAmount | None = None
    ) -> bool:
        """State quotes around the mid, moved against the strategy's own position.

        Args:
            half_share: The half-spread as a share of the mid.
            leaning: By how many half-spreads the position moves both quotes.
            room: As in :meth:`state`, for the strategy's own position.
        """
        position: int = view.own.position_lots
        mid = view.mid_ticks()
        half = mid * half_share
        centre = mid - half * leaning.lean(view, position)
        return self.state(view, quotes, centre - half, centre + half, half, room, position)

    def bids(
        self, view: View, quotes: Quotes, first: float, step: float, money: int | None, room: int, is_coarse: bool
    ) -> bool:
        """State the bids, the first one at or below *first*."""
        price = -(-view.book.best_offer // view.tick_steps)
        for place, level in enumerate(self.levels):
            wanted = first - step * place
            if not wanted < price:
                _require_finite(wanted)
                price -= 1
            elif wanted < 1.0:
                _require_finite(wanted)
                break
            else:
                price = int(wanted)  # rounded down: it is positive
            if is_coarse and price > 0:
                price -= price % self.grid(view, price)
            if price <= 0:
                break
            lots = self.lots_at(view, price, money, level, room)
            if room >= 0:
                room -= lots
            if lots:
                quotes.bid(price, lots)
        return True

    def offers(
        self, view: View, quotes: Quotes, first: float, step: float, money: int | None, room: int, is_coarse: bool
    ) -> bool:
        """State the offers, the first one at or above *first*."""
        price = view.book.best_bid // view.tick_steps
        for place, level in enumerate(self.levels):
            wanted = first + step * place
            if not wanted > price:
                _require_finite(wanted)
                price += 1
            elif wanted > FAR:
                _require_finite(wanted)
                price = FAR
            else:
                price = int(wanted)
                if price < wanted:
                    price += 1
            if is_coarse:
                price += -price % self.grid(view, price)
            lots = self.lots_at(view, price, money, level, room)
            if room >= 0:
                room -= lots
            if lots:
                quotes.offer(price, lots)
        return True

    def grid(self, view: View, price_ticks: int) -> int:
        """Return the multiple of the finest tick on which a price must lie now."""
        if view.tick_grid != 1 or not self.tick_zones:
            return view.tick_grid
        found = 1
        for from_ticks, multiple in self.tick_zones:
            if price_ticks >= from_ticks:
                found = multiple
        return found

    def bounded(self, lots: int) -> int:
        """Return *lots* within the venue's least and largest order."""
        if lots < self.least_lots:
            lots = self.least_lots
        if 0 < self.most_lots < lots:
            lots = self.most_lots
        return _within(lots)

    def lots_at(self, view: View, price_ticks: int, money: int | None, level: Level, room: int) -> int:
        """Return the quantity of one quote, of *money* if there is any; 0 where none may be quoted.

        *room* is what may be added, below 0 for no bound.
        """
        lots = level.lots
        if not money and room < 0:  # mostly: what the lots are worth at a tick of price is known
            return 0 if level.worth and level.worth * price_ticks < self.least_money else lots
        if money:
            one = view.notional(price_ticks, 1)
            if money < one or one <= 0:
                return 0
            lots = self.bounded(money // one if level.share == WHOLE else money * level.share // (WHOLE * one))
        if 0 <= room < lots:
            lots = room
            if lots < self.least_lots:
                return 0
        if self.least_money and view.notional(price_ticks, lots) < self.least_money:
            return 0
        return lots


class Leaning:
    """How far quotes move against a position: nothing within the dead zone, everything at the limit."""

    def __init__(self, limit: BoundAmount | None, skew: float, exponent: float, dead_zone: float) -> None:
        self.limit = limit
        self.skew = skew
        self.exponent = exponent
        self.dead_zone = dead_zone

    def lean(self, view: View, position_lots: int) -> float:
        """Return the skew wanted now in half-spreads: positive when long, to be taken off both quotes."""
        if self.limit is None:
            return 0.0
        ratio = inventory_ratio(position_lots, self.limit.lots(view))
        return self.skew * leaning(ratio, self.exponent, self.dead_zone)


def leaning(ratio: float, exponent: float, dead_zone: float) -> float:
    """Return how much of the full skew a share *ratio* of the largest position asks for, within [-1, 1].

    Nothing within the dead zone, then ``((|r| - d) / (1 - d)) ** exponent`` with the sign of *ratio*.
    """
    beyond = abs(ratio) - dead_zone
    if beyond <= 0.0:
        return 0.0
    share = beyond / (1.0 - dead_zone)
    if share > 1.0:
        share = 1.0
    if exponent != 1.0:
        share = math.pow(share, exponent)
    return -share if ratio < 0.0 else share


def inventory_ratio(position_lots: int, limit_lots: int) -> float:
    """Return the position as a share of its limit, held within [-1, 1]; 0.0 without a limit."""
    if limit_lots <= 0:
        return 0.0
    if position_lots >= limit_lots:
        return 1.0
    if position_lots <= -limit_lots:
        return -1.0
    return position_lots / limit_lots


def _within(lots: int) -> int:
    """Return *lots* held within what the kernel counts in."""
    if lots < 0:
        return 0
    return FAR if lots > FAR else lots


def _require_finite(ticks: float) -> bool:
    """Raise the error that rounding *ticks* raises if it is no number."""
    if ticks - ticks != 0.0:
        math.floor(ticks)
    return True
