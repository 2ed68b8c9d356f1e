"""One bounded order that brings a position back: immediate-or-cancel, reduce-only, capped in price."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quotewright.config.units import Bps, Percent
from quotewright.kernel.codes import BUY, IOC, SELL, TRADING
from quotewright.model.orders import NewOrder

if TYPE_CHECKING:
    from quotewright.kernel.view import View


def reach_of(collar: Percent | Bps) -> tuple[int, int]:
    """Return a collar as a fraction of whole numbers."""
    fraction = collar.fraction if isinstance(collar, Bps) else collar
    return fraction.as_integer_ratio()


def closing_order(view: View, lots: int, reach: tuple[int, int], rule: str) -> NewOrder | None:
    """Return an order that closes *lots* of the position, at most *reach* through the mid; None if now is no time.

    There is none while an order of *rule* is in flight, the book is not good, the instrument does not trade, its venue
    cannot be reached, or open orders of ours that reduce leave nothing to close.
    """
    position = view.position_lots
    if position == 0 or not view.is_book_good or view.status != TRADING or not view.is_reachable:
        return None
    for order in view.live:
        if order.rule == rule:
            return None
    side = SELL if position > 0 else BUY
    reducing = view.open_sell_lots if position > 0 else view.open_buy_lots
    lots = min(lots, abs(position) - reducing)
    lots -= lots % view.lot_grid
    if lots <= 0:
        return None
    share, whole = reach
    mid2, grid = view.known_mid2, view.tick_grid
    half_tick = 2 * view.tick_steps * grid * whole
    if side == SELL:
        ticks = -(-mid2 * (whole - share) // half_tick) * grid
    else:
        ticks = mid2 * (whole + share) // half_tick * grid
    return NewOrder(
        order_number=0,
        instrument=view.instrument_id,
        side=side,
        price_ticks=max(grid, ticks),
        quantity_lots=lots,
        time_in_force=IOC,
        reduce_only=True,
    )
