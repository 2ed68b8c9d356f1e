"""The market maker's scorecard of one instrument as figures: markouts, spreads, uptime, orders, queue, inventory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from quotewright.kernel.codes import BUY, SELL
from quotewright.kernel.contract_money import money

if TYPE_CHECKING:
    from collections.abc import Iterable

    from quotewright.kernel.markouts import Markout
    from quotewright.kernel.portfolio import Portfolio
    from quotewright.kernel.view import View
    from quotewright.runtime.session import Session

HEADLINE_SECONDS = 5
"""The horizon at which adverse selection is told in one line."""


def markouts(view: View) -> list[dict[str, Any]]:
    """Return the markouts of all fills by horizon, those of buys and of sells beside them."""
    found = []
    for both, buys, sells in zip(*(view.markouts.of_side(side) for side in (0, BUY, SELL)), strict=True):
        found.append({"seconds": both.seconds, **_markout(both), "buys": _markout(buys), "sells": _markout(sells)})
    return found


def _markout(one: Markout) -> dict[str, Any]:
    return {"fills": one.fills, "bps": one.bps_sum / one.fills if one.fills else None, "money": money(one.money)}


def spreads(view: View) -> dict[str, Any]:
    """Return what was captured against the mid and what of it was given back, in bps of the value and in money.

    Effective, realised and adverse figures are whole spreads, twice the distance from the mid, so that they compare
    with quoted ones; those of a horizon are of the fills whose horizon was reached.
    """
    portfolio: Portfolio = view.portfolio
    return {
        "effective_bps": _bps(2 * portfolio.spread(), portfolio.turnover),
        "horizons": [
            {
                "seconds": one.seconds,
                "fills": one.fills,
                "captured": money(one.spread),
                "adverse": money(-one.money),
                "effective_bps": _bps(2 * one.spread, one.value),
                "adverse_bps": _bps(-2 * one.money, one.value),
                "realised_bps": _bps(2 * (one.spread + one.money), one.value),
            }
            for one in view.markouts.of_side(0)
        ],
    }


def _bps(amount: int, value: int) -> float | None:
    return 10_000 * amount / value if value else None


def queue(session: Session, view: View, places: dict[int, list[tuple[int, int]]]) -> dict[str, Any]:
    """Return where orders stood in the queue, in base units or contracts; ``known`` fills of ``maker_fills``."""
    known = places.get(view.instrument_id, [])
    count = len(known)
    return {
        "maker_fills": view.portfolio.maker_fills,
        "known": count,
        "joined_mean": _mean(view, (joined for joined, _ in known), count),
        "ahead_mean": _mean(view, (ahead for _, ahead in known), count),
        "at_front_share": sum(ahead == 0 for _, ahead in known) / count if count else None,
    }


def _mean(view: View, steps: Iterable[int], count: int) -> float | None:
    return sum(steps) / count / 10**view.instrument.size_decimals if count else None


def queue_places(session: Session) -> dict[int, list[tuple[int, int]]]:
    """Return by instrument what stood ahead of each maker fill, in size steps: on joining, and before it was filled.

    Asked of the venues that have a method ``queue_places()``; what a venue does not know is not among them.
    """
    fills = session.recorder.fills
    home = dict(zip(fills["order_number"], fills["instrument"], strict=True))
    found: dict[int, list[tuple[int, int]]] = {}
    for venue in session.wired.venues.values():
        told = getattr(venue, "queue_places", None)
        if not callable(told):
            continue
        for number, joined, ahead in told():
            if joined >= 0 and ahead >= 0 and number in home:
                found.setdefault(home[number], []).append((joined, ahead))
    return found


def scorecard(session: Session, view: View, places: dict[int, list[tuple[int, int]]]) -> dict[str, Any]:
    """Return the figures that a market maker is judged by on one instrument."""
    card = session.recorder.scorecards[view.instrument_id]
    instrument, portfolio = view.instrument, view.portfolio
    quotes = card.quotes.summary()
    sizes = [
        {"quantity": instrument.quantity(one["lots"]), "two_sided_share": one["two_sided_share"]}
        for one in quotes.pop("by_size_lots")
    ]
    held = card.inventory.summary(portfolio.bought_lots + portfolio.sold_lots)
    lot = float(instrument.lot_size)
    seconds = (session.pipeline.now_ns - session.start_ns) / 1e9
    return {
        "markouts": markouts(view),
        "quotes": {**quotes, "by_size": sizes},
        "spreads": spreads(view),
        "order_figures": card.orders.summary(),
        "queue": queue(session, view, places),
        "inventory": {
            "mean": held["mean_lots"] * lot,
            "largest": instrument.quantity(held["largest_lots"]),
            "long_share": held["long_share"],
            "short_share": held["short_share"],
            "half_life_seconds": held["half_life_seconds"],
            "holding_seconds": held["holding_seconds"],
            "turnover_per_hour": float(money(portfolio.turnover)) * 3600 / seconds if seconds > 0 else None,
        },
    }
