"""A small recording in the example format acme-csv: a market that drifts up and down, the same every time."""

from __future__ import annotations

import random

START_US = 1_700_000_000_000_000
LEVELS = 5


def recording(messages: int = 2000, seed: int = 5) -> str:
    """Return the text of a recording: a snapshot, then updates 50 ms apart and a trade now and then."""
    drawn = random.Random(seed)
    mid = 10_000
    bids, offers = _levels(mid, drawn)
    lines = ["acme-csv,1", _line("S", 0, 1, bids, offers)]
    trades = 0
    for number in range(1, messages):
        at_us = number * 50_000
        mid += drawn.choice((-4, -2, -1, 0, 0, 1, 2, 4)) + (1 if mid < 9_950 else -1 if mid > 10_050 else 0)
        new_bids, new_offers = _levels(mid, drawn)
        lines.append(_line("U", at_us, number + 1, _changes(bids, new_bids), _changes(offers, new_offers)))
        bids, offers = new_bids, new_offers
        if drawn.random() < 0.3:
            trades += 1
            side, price = ("buy", min(offers)) if drawn.random() < 0.5 else ("sell", max(bids))
            stamp = START_US + at_us + 1000
            lines.append(f"T,{stamp},{stamp + 900},ACME-USD,{trades},{side},{price / 100:.2f},{drawn.randint(1, 3)}")
    return "\n".join(lines) + "\n"


def _levels(mid: int, drawn: random.Random) -> tuple[dict[int, int], dict[int, int]]:
    bids = {mid - 1 - step: drawn.randint(1, 20) for step in range(LEVELS)}
    offers = {mid + 1 + step: drawn.randint(1, 20) for step in range(LEVELS)}
    return bids, offers


def _changes(before: dict[int, int], after: dict[int, int]) -> dict[int, int]:
    gone = {price: 0 for price in before if price not in after}
    return gone | {price: size for price, size in after.items() if before.get(price) != size}


def _line(kind: str, at_us: int, sequence: int, bids: dict[int, int], offers: dict[int, int]) -> str:
    stamp = START_US + at_us
    sides = ("|".join(f"{price / 100:.2f}:{size}" for price, size in side.items()) for side in (bids, offers))
    return f"{kind},{stamp},{stamp + 900},ACME-USD,{sequence},{','.join(sides)}"
