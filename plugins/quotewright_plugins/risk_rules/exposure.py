"""The worst case in money: what positions with open, pending and unknown orders may come to be worth."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quotewright.kernel.codes import BUY

if TYPE_CHECKING:
    from quotewright.kernel.view import View
    from quotewright.model.orders import AmendOrder, NewOrder


def worth(view: View, lots: int) -> int:
    """Return what *lots* are worth at the last known mid, in settlement money; signed like *lots*."""
    value = abs(view.portfolio.worth_at(lots * view.lot_steps, view.known_mid2))
    return value if lots > 0 else -value


def added_by(command: NewOrder | AmendOrder, view: View) -> tuple[int, int]:
    """Return by how many lots *command* can raise what is open to buy, and to sell."""
    added = view.added_lots(command)
    return (added, 0) if view.command_side(command) == BUY else (0, added)


def longest_lots(view: View, added: int = 0) -> int:
    """Return the signed position if everything on the buying side fills."""
    return view.position_lots + view.open_buy_lots + added


def shortest_lots(view: View, added: int = 0) -> int:
    """Return the signed position if everything on the selling side fills."""
    return view.position_lots - view.open_sell_lots - added


def lacks_price(view: View) -> bool:
    """Return whether there is something to value and no price to value it at."""
    return view.known_mid2 <= 0 and bool(view.position_lots or view.open_buy_lots or view.open_sell_lots)
