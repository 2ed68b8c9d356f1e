"""Fee tiers by traded volume: which line of a venue card's fee table holds, day by day."""

from __future__ import annotations

from collections import deque
from decimal import Decimal
from typing import TYPE_CHECKING

from quotewright.errors import ConfigError

if TYPE_CHECKING:
    from quotewright.model.cards import FeeTier, VenueCard

DAY_NS = 86_400_000_000_000
DAYS = 30
DOLLARS = frozenset({"USD", "USDT", "USDC", "FDUSD", "BUSD", "TUSD", "DAI"})
"""Currencies whose amounts count as US dollars of volume."""


def tier_for(card: VenueCard, volume: Decimal) -> FeeTier:
    """Return the tier that a traded value of 30 days takes: the dearest threshold that it reaches, else the first."""
    found = card.fees[0]
    for tier in card.fees:
        if tier.volume_30d > 0 and found.volume_30d <= tier.volume_30d <= volume:
            found = tier
    return found


class FeeTiers:
    """Follows the traded value of the last 30 days; at each 00:00 UTC the tier is read off the days before.

    Args:
        volume: Traded value in USD of the 30 days before the first fill, taken as spread evenly over them.

    Raises:
        ConfigError: the card's tiers have no thresholds, so that a volume says nothing.
    """

    def __init__(self, card: VenueCard, volume: Decimal) -> None:
        if all(tier.volume_30d == 0 for tier in card.fees):
            raise ConfigError(f"{card.name}: its fee tiers have no thresholds of volume; name one as fee_tier")
        self.card = card
        self.days: deque[Decimal] = deque([volume / DAYS] * DAYS, maxlen=DAYS)
        self.today = Decimal(0)
        self.day = -1
        self.tier = tier_for(card, volume)

    def at(self, now_ns: int) -> FeeTier:
        """Return the tier that holds at *now_ns*; times do not go back."""
        day = now_ns // DAY_NS
        if self.day < 0:
            self.day = day
        passed = day - self.day
        if passed > 0:
            self.days.append(self.today)
            for _ in range(min(passed - 1, DAYS)):
                self.days.append(Decimal(0))
            self.today = Decimal(0)
            self.day = day
            self.tier = tier_for(self.card, sum(self.days, Decimal(0)))
        return self.tier

    def add(self, value: Decimal, currency: str) -> bool:
        """Count a fill's value; False if its currency is no dollar, whose value in dollars is not known."""
        if currency not in DOLLARS:
            return False
        self.today += value
        return True
