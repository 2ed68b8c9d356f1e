"""What an arbitrage strategy remembers: opportunities with their open and close, trades with what came of them."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from quotewright_plugins.strategies.arbitrage_walk import Deal, Way

PLACES = 8
"""Decimals of money and sizes in records; figures are summed up exactly before they are rounded."""


def told(exact: Fraction | int) -> Decimal:
    """Return *exact* rounded half to even at eight decimals, without needless zeros."""
    text = f"{Decimal(round(Fraction(exact) * 10**PLACES)).scaleb(-PLACES):f}"
    return Decimal(text.rstrip("0").rstrip("."))


@attrs.frozen
class Finding:
    """A way that pays now: all that is ``available`` on it, and the ``deal`` that the capital buys."""

    way: Way
    available: Deal
    deal: Deal
    confidence: Fraction

    @property
    def key(self) -> tuple[int, int]:
        return self.way.buy.place, self.way.sell.place


@attrs.define
class TradeRecord:
    """What came of one trade; sizes are base units, money quote currency.

    ``outcome``: both (as much sold as bought), missed (nothing filled), hedged or unwound (one leg filled more, and was
    evened out at the other venue or undone), stranded (it was not). ``profit`` is after all fees.
    """

    opened_ns: int
    planned: Fraction
    expected: Fraction
    closed_ns: int | None = None
    bought: Fraction = Fraction(0)
    sold: Fraction = Fraction(0)
    is_legged: bool = False
    outcome: str = "open"
    attempts: int = 0
    unwind_cost: Fraction = Fraction(0)
    fees: Fraction = Fraction(0)
    profit: Fraction = Fraction(0)
    residue: Fraction = Fraction(0)

    def as_mapping(self) -> dict[str, Any]:
        """Return the record as it is written."""
        return {
            name: told(value) if isinstance(value, Fraction) else value
            for name, value in attrs.asdict(self, recurse=False).items()
        }


class Opportunity:
    """One opportunity from the moment it was seen until it was gone; seeing it again makes no new one."""

    def __init__(self, number: str, finding: Finding, now_ns: int) -> None:
        self.number = number
        self.way = finding.way
        self.opened_ns = now_ns
        self.closed_ns: int | None = None
        self.why = ""
        self.first = finding
        self.best = finding
        self.seen = 0
        self.trades: list[TradeRecord] = []

    def see(self, finding: Finding) -> None:
        """Note that it is there still."""
        self.seen += 1
        if finding.deal.net > self.best.deal.net:
            self.best = finding

    def as_mapping(self) -> dict[str, Any]:
        """Return the record as it is written: as it was first seen, and the most it would have yielded."""
        way, deal, available = self.way, self.first.deal, self.first.available
        gross = (deal.proceeds - deal.cost) / deal.cost * 10_000
        return {
            "id": self.number,
            "buy": way.buy.instrument.name,
            "sell": way.sell.instrument.name,
            "opened_ns": self.opened_ns,
            "closed_ns": self.closed_ns,
            "why": self.why,
            "buy_price": told(deal.cost / way.book.base(deal.size)),
            "sell_price": told(deal.proceeds / way.book.base(deal.size)),
            "buy_limit": way.buy.instrument.price(deal.buy_ticks),
            "sell_limit": way.sell.instrument.price(deal.sell_ticks),
            "quantity": told(way.book.base(deal.size)),
            "available_quantity": told(way.book.base(available.size)),
            "available_notional": told(available.notional),
            "capital_used": told(deal.cost),
            "gross_bps": told(gross),
            "net_bps": told(deal.net_bps),
            "profit": told(deal.net),
            "fees": told(deal.fees),
            "holding": told(deal.holding),
            "transfer": told(deal.fixed),
            "confidence": told(self.first.confidence),
            "best_profit": told(self.best.deal.net),
            "best_net_bps": told(self.best.deal.net_bps),
            "wakes_seen": self.seen,
            "trades": [trade.as_mapping() for trade in self.trades],
        }
