"""Quotes on several levels a side: what the shipped makers share."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from quotewright.config.units import Amount, Duration
from quotewright.kernel.strategy import Strategy
from quotewright.plugin.settings import at_least, between, configured, not_negative, positive, setting

if TYPE_CHECKING:
    from quotewright.kernel.strategy import Quotes
    from quotewright.kernel.view import View
    from quotewright.wiring import BindContext

WHOLE = 1_000_000
"""Sizes of farther levels are kept as millionths of the first one's."""

Target = tuple[float | None, float | None, float]
"""First bid and first offer in ticks, unrounded (None: nothing on that side), and the half-spread between levels."""


@configured
class MultiLevelMaker(Strategy):
    """A maker that states ``levels`` bids and offers; where the first of each stands comes from a subclass.

    Level *i* (0 first) stands ``half * level_step * i`` behind the first. Bids are rounded down to the tick, offers
    up, levels are at least a tick apart, and no quote would take: a bid stays below the best offer, an offer above the
    best bid. A size stated as a value is divided by each quote's own price and rounded down to the lot. A quote below
    the venue's least quantity is raised to it, one worth less than its least order is not stated.
    """

    size: Amount = setting(doc="quantity or value of one level", check=positive)
    levels: int = setting(default=1, doc="levels on each side", check=between(1, 100))
    level_step: float = setting(default=0.5, doc="distance between levels in half-spreads", check=not_negative)
    size_growth: float = setting(
        default=1.0, doc="each farther level's size as a multiple of the one before", check=positive
    )
    every: Duration = setting(default="100ms", doc="how often quotes are thought over", check=at_least(1))
    hold_within: Amount | None = setting(
        default=None, doc="largest position the quotes may lead to: what could pass it is not stated", check=positive
    )

    def bind(self, context: BindContext) -> None:
        """Tie the size to the instrument and take ``every`` as the wake-up."""
        self.wake_every_ns = int(self.every)
        self._size = context.amount(self.size, "size")
        instrument = context.instrument
        is_base = self.size.unit in (instrument.base, "base")
        # Coins buy a number of inverse contracts that depends on the price, as a value does of all others.
        self._is_value = instrument.is_inverse if is_base else self.size.unit not in ("lots", "contracts")
        self._room = None if self.hold_within is None else context.amount(self.hold_within, "hold_within")
        self._least_lots = max(1, -(-instrument.min_quantity_steps // instrument.lot_steps))
        self._most_lots = instrument.max_quantity_steps // instrument.lot_steps
        self._least_money = int(instrument.min_notional.scaleb(18))
        self._base_per_lot = float(instrument.lot_size * instrument.contract_size)
        self._is_inverse = instrument.is_inverse
        self._sizes = self._level_sizes(context.view)
        # Where the tick depends on the price: from which tick on how many of the finest make one.
        self._tick_zones = [
            (int(price / instrument.tick_size), int(tick / instrument.tick_size))
            for price, tick in instrument.tick_table
        ]

    def _level_sizes(self, view: View) -> list[tuple[int, int, int]]:
        """Return each level's size in millionths of the first, in lots, and what that is worth per tick of price.

        A size stated as a value has no lots before its price is known; the worth is 0 where it is not to be asked for.
        """
        first = 0 if self._is_value else self._size.lots(view)
        share = float(WHOLE)
        found = []
        for _ in range(self.levels):
            whole = int(share + 0.5)
            lots = self._bounded(first * whole // WHOLE) if first > 0 else 0
            worth = 0
            if self._least_money and lots:
                worth = view.notional(2, lots) - view.notional(1, lots)
                if not worth and view.notional(1, lots) < self._least_money:
                    lots = 0  # an inverse contract: worth the same at every price
            found.append((whole, lots, worth))
            share *= self.size_growth
        return found

    def centre_and_half(self, view: View) -> tuple[float, float] | None:
        """Return the centre and the half-spread in ticks, or None to quote nothing now."""
        raise TypeError(f"{type(self).__name__} lacks centre_and_half() or target()")

    def target(self, view: View) -> Target | None:
        """Return the first quotes of both sides in ticks and the half-spread, or None to quote nothing now."""
        wanted = self.centre_and_half(view)
        if wanted is None:
            return None
        centre, half = wanted
        return centre - half, centre + half, half

    def position_lots(self, view: View) -> int:
        """Return the position that this strategy answers for."""
        return view.own_position_lots

    def base_position(self, view: View) -> float:
        """Return the position in base units; an inverse contract is worth its value over the mid."""
        held = self.position_lots(view) * self._base_per_lot
        if not self._is_inverse:
            return held
        mid = view.mid()
        return held / mid if mid > 0 else 0.0

    def on_wake(self, view: View, quotes: Quotes) -> None:
        """State the quotes of all levels."""
        wanted = self.target(view)
        if wanted is None:
            return
        bid_at, offer_at, half = wanted
        step = half * self.level_step
        money = self._size.money(view) if self._is_value else 0
        buy_room = sell_room = -1
        if self._room is not None:
            limit = self._room.lots(view)
            position = self.position_lots(view)
            buy_room = max(0, limit - position)
            sell_room = max(0, limit + position)
        is_coarse = view.tick_grid != 1 or bool(self._tick_zones)
        if bid_at is not None:
            price = view.best_offer_ticks()
            for level, (share, size_lots, worth) in enumerate(self._sizes):
                lots = size_lots
                found = math.floor(bid_at - step * level)
                price = found if found < price else price - 1
                if is_coarse and price > 0:
                    price -= price % self._grid(view, price)
                if price <= 0:
                    break
                if money or buy_room >= 0:
                    lots = self._lots(view, price, money, share, lots, buy_room)
                    if buy_room >= 0:
                        buy_room -= lots
                elif worth and worth * price < self._least_money:
                    continue
                if lots:
                    quotes.bid(price, lots)
        if offer_at is not None:
            price = view.best_bid_ticks()
            for level, (share, size_lots, worth) in enumerate(self._sizes):
                lots = size_lots
                found = math.ceil(offer_at + step * level)
                price = found if found > price else price + 1
                if is_coarse:
                    price += -price % self._grid(view, price)
                if money or sell_room >= 0:
                    lots = self._lots(view, price, money, share, lots, sell_room)
                    if sell_room >= 0:
                        sell_room -= lots
                elif worth and worth * price < self._least_money:
                    continue
                if lots:
                    quotes.offer(price, lots)

    def _grid(self, view: View, price_ticks: int) -> int:
        """Return the multiple of the finest tick on which a price must lie now."""
        if view.tick_grid != 1 or not self._tick_zones:
            return view.tick_grid
        found = 1
        for from_ticks, multiple in self._tick_zones:
            if price_ticks >= from_ticks:
                found = multiple
        return found

    def _bounded(self, lots: int) -> int:
        """Return *lots* within the venue's least and largest order."""
        if lots < self._least_lots:
            lots = self._least_lots
        return self._most_lots if 0 < self._most_lots < lots else lots

    def _lots(self, view: View, price_ticks: int, money: int, share: int, lots: int, room: int) -> int:
        """Return the quantity of one quote, of *money* if that is not 0, else *lots*; 0 where none may be quoted.

        *share* is the level's size in millionths of the first one's, *room* what may be added, below 0 for no bound.
        """
        if money:
            one = view.notional(price_ticks, 1)
            if money < one or one <= 0:
                return 0
            lots = self._bounded(money // one if share == WHOLE else money * share // (WHOLE * one))
        if 0 <= room < lots:
            lots = room
            if lots < self._least_lots:
                return 0
        if self._least_money and view.notional(price_ticks, lots) < self._least_money:
            return 0
        return lots


def inventory_ratio(position_lots: int, limit_lots: int) -> float:
    """Return the position as a share of its limit, held within [-1, 1]; 0.0 without a limit."""
    if limit_lots <= 0:
        return 0.0
    return max(-1.0, min(1.0, position_lots / limit_lots))
