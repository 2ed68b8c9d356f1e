"""Positions in derivatives as fills build and close them, in Decimals: the profit that each single fill realises.

The ledger's own figures are those of a whole command; these are told fill by fill and sum to the same.
"""

from __future__ import annotations

import decimal
from decimal import Decimal

from quotewright_simexchange.exchange.records import ZERO, Listing

UNIT = Decimal("1E-8")
EXACT = decimal.Context(prec=80, rounding=decimal.ROUND_HALF_EVEN)


def rounded(number: Decimal) -> Decimal:
    """Round half-even at 1e-8."""
    return number.quantize(UNIT, context=EXACT)


def value_of(listing: Listing, price: Decimal, quantity: Decimal) -> Decimal:
    """Return what *quantity* at *price* is worth: in quote currency, of an inverse contract in coin."""
    multiplier = Decimal(str(listing.settings.get("mult", "1")))
    if listing.kind == "inverse":
        return rounded(EXACT.divide(quantity * multiplier, price))
    return price * quantity * multiplier


class Held:
    """One account's position in one instrument; *quantity* below zero is short."""

    def __init__(self, listing: Listing) -> None:
        self.listing = listing
        self.quantity = ZERO
        self.entry_value = ZERO
        self.realized = ZERO

    @property
    def entry_price(self) -> Decimal:
        """Return the mean entry price, zero if flat; an inverse contract's is harmonic."""
        if not self.quantity or not self.entry_value:
            return ZERO
        size = abs(self.quantity) * Decimal(str(self.listing.settings.get("mult", "1")))
        if self.listing.kind == "inverse":
            return EXACT.divide(size, self.entry_value)
        return EXACT.divide(self.entry_value, size)

    def trade(self, change: Decimal, value: Decimal) -> Decimal:
        """Take a fill of *change* worth *value*; return the profit that it realises.

        A partial close takes out its share of the entry value, rounded; through zero everything is closed and the
        rest opened at the trade's price. An option's premium is paid at once: nothing is realised.
        """
        held = self.quantity
        self.quantity += change
        if self.listing.kind == "option":
            return ZERO
        if held * change >= 0:
            self.entry_value += value
            return ZERO
        closing = min(abs(change), abs(held))
        share = self.entry_value
        if closing != abs(held):
            share = rounded(EXACT.divide(self.entry_value * closing, abs(held)))
        closed = value
        if closing != abs(change):
            closed = rounded(EXACT.divide(value * closing, abs(change)))
        gain = closed - share
        if (self.listing.kind == "linear") != (held > 0):
            gain = -gain
        self.entry_value = self.entry_value - share if closing == abs(change) else value - closed
        self.realized += gain
        return gain
