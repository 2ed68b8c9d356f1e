"""What the replay venue tells about a run: figures, assumptions, and where our orders stood when they filled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from quotewright.config.units import Duration
from quotewright_simexchange.matching.evidence import EVIDENCE

if TYPE_CHECKING:
    from quotewright_simexchange.matching.replay import ReplayVenue

PLACE_WORDS = 3


def figures(venue: ReplayVenue) -> dict[str, Any]:
    """Return counts for the report: fills by evidence, gaps, prints that nobody could use, places in the queue."""
    span = venue.now_ns - venue.first_ns if venue.now_ns > venue.first_ns else 0
    shares = {}
    for market in venue.markets:
        gap_ns = market.gap_ns + (venue.now_ns - market.gap_began_ns if market.in_gap else 0)
        shares[market.instrument.name] = round(gap_ns / span, 9) if span else 0.0
    unknown = sum(market.by_order.unknown_orders for market in venue.markets if market.by_order is not None)
    by_order = {"unknown_orders": unknown} if venue.queue.wants_orders() else {}
    return {
        "fills": venue.fill_count,
        "fills_by_evidence": dict(zip(EVIDENCE, venue.evidence, strict=True)),
        "queue_at_fill": _places(venue),
        "gap_share": shares,
        "prints_in_gap": venue.prints_in_gap,
        "orders_through_gap": venue.orders_through_gap,
        "unknown_side_prints": venue.unknown_side_prints,
        "queue": venue.queue.describe(),
        "latency": venue.latency.describe(),
        "maker_fee": str(venue.maker_fee),
        "taker_fee": str(venue.taker_fee),
        **by_order,
        **(venue.terms.figures() if venue.terms is not None else {}),
    }


def places(venue: ReplayVenue) -> list[tuple[int, int, int]]:
    """Return ``(order number, joined, ahead)`` of each fill of a resting order, oldest first.

    *joined* is how many size steps stood ahead when the order joined its price, *ahead* how many still did when the
    market told what filled it; -1 where nobody can know.
    """
    words = venue.places
    return [(words[at], words[at + 1], words[at + 2]) for at in range(0, len(words), PLACE_WORDS)]


def _places(venue: ReplayVenue) -> dict[str, Any]:
    """Return the mean place of resting fills, in size steps: when they joined, and when they filled."""
    known = [(joined, ahead) for _, joined, ahead in places(venue) if joined >= 0 and ahead >= 0]
    count = len(known)
    return {
        "fills": count,
        "joined_mean": round(sum(joined for joined, _ in known) / count, 6) if count else None,
        "ahead_mean": round(sum(ahead for _, ahead in known) / count, 6) if count else None,
    }


def assumptions(venue: ReplayVenue) -> list[str]:
    """Return what the venue takes for granted, one sentence each."""
    helped = "help both sides" if venue.unknown_side_helps else "help nobody"
    conflation = Duration(venue.conflation_ns)
    told = (
        f"a print also explains a decrease of its level told up to {conflation} before it"
        if conflation
        else "a print is taken to be told before the level that it shrank"
    )
    latency = venue.latency
    feed = f"; the strategy sees the market {Duration(latency.feed_ns)} later than the tape says" * bool(
        latency.feed_ns
    )
    order = "" if latency.keeps_order else " Commands may overtake one another."
    named = [market.instrument.name for market in venue.markets if market.gap_ns or market.in_gap]
    gaps = f" There were gaps in {', '.join(named)}: fills in them are unknown." if named else ""
    return [
        "Recorded data does not react to our orders: no market impact, and nobody reacts to our quotes.",
        f"Queue model: {venue.queue.describe()}; a resting order joins behind all displayed quantity; {told}.",
        f"Taking: {venue.taking.describe()}; what we took is not there again until its level is updated.",
        f"Latency model: {latency.describe()}{feed}.{order}",
        f"Fees: maker {venue.maker_fee}, taker {venue.taker_fee} of the value, charged in the quote (settlement) "
        "currency.",
        f"Prints without a side {helped}.",
        "During a gap orders stay and nothing fills; an order that the snapshot after it crosses counts as filled "
        f"at its own price.{gaps}",
        "Balances are not checked, and own orders do not meet each other; borrowing costs nothing.",
        "The times of our orders are not chance: a strategy quotes when its signal says so, and queue models are "
        "calibrated, if at all, on other orders.",
        "Instruments on a tape are those that somebody chose to record: what was delisted or failed may be missing.",
    ]
