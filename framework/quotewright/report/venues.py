"""What is told of live venues: whether they were in reach, what was lost, what was left behind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def venue_line(venue: Mapping[str, Any]) -> str:
    """Return how a live venue stands, in one line."""
    reach = "in reach" if venue["is_good"] else f"out of reach: {venue['why']}"
    lost = sum(line["losses"] for line in venue["lines"].values())
    return (
        f"{reach}; lost {lost} times, compared {venue['recoveries']} times, {venue['open_orders']} orders open, "
        f"{venue['unknown_orders']} unknown, {venue['ambiguous']} answers ambiguous, "
        f"clock {venue['clock_offset_ms']:+.1f} ms"
    )


def venue_warnings(venue: Mapping[str, Any]) -> list[str]:
    """Return what a reader should not miss."""
    told = [str(fault) for fault in venue["faults"]]
    left = venue.get("left_open") or []
    if left:
        told.append(
            f"{len(left)} orders may still be open there ({', '.join(left[:3])}{', …' if len(left) > 3 else ''}): "
            "cancel them at the venue"
        )
    if venue["foreign_fills"]:
        told.append(f"{venue['foreign_fills']} fills of the account belong to no order of this run")
    if venue["foreign_orders"]:
        told.append(f"{venue['foreign_orders']} open orders of the account are not ours")
    if venue["unread"]:
        told.append(f"{venue['unread']} frames could not be read: {venue['last_trouble']}")
    return told


def live_venues(summary: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the figures of a run's live venues by name."""
    return {name: one for name, one in summary["venues"].items() if "recoveries" in one}
