"""What is known, when a run is wired, of the venue that takes a strategy's orders: its fees, our balance, its card."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from quotewright.config.model import VenueTable
    from quotewright.kernel.venue import Venue
    from quotewright.model.cards import VenueCard
    from quotewright.model.instrument import Instrument


@attrs.frozen(kw_only=True)
class VenueTerms:
    """The terms of one instrument at the venue of this table.

    Fees are shares of a fill's value, None where neither the venue nor a card tells them. ``balance`` is what the
    account has at the start by currency, empty where that is not known.
    """

    name: str
    maker_fee: Decimal | None = None
    taker_fee: Decimal | None = None
    balance: Mapping[str, Decimal] = attrs.field(factory=dict)
    card: VenueCard | None = None

    def taker_fee_of(self, tier: str = "") -> Decimal | None:
        """Return the taker fee of a *tier* of the venue's card; without one what the venue charges, else the card's.

        Raises:
            ConfigError: the card has no such tier.
        """
        if self.card is not None and (tier or self.taker_fee is None):
            return self.card.fee_tier(tier).taker.fraction
        return None if tier else self.taker_fee


def terms_of(table: VenueTable, venue: Venue, instrument: Instrument, cards: Mapping[str, Any]) -> VenueTerms:
    """Return the terms of *instrument* at *venue*, that of *table*; *cards* are the run's, by name.

    A venue that knows its fees offers ``fees(instrument)``, maker and taker; one that knows what the account has at
    the start offers ``balance``, a mapping from currency to amount.
    """
    told = getattr(venue, "fees", None)
    fees = told(instrument) if callable(told) else None
    balance = getattr(venue, "balance", None)
    return VenueTerms(
        name=table.name,
        maker_fee=None if fees is None else Decimal(fees[0]),
        taker_fee=None if fees is None else Decimal(fees[1]),
        balance=dict(balance) if isinstance(balance, Mapping) else {},
        card=cards.get(table.card or getattr(venue, "card_name", "")),
    )
