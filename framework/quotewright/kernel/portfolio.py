"""Position, cash and profit of one instrument, exact: signed average cost that may flip through zero.

Money is a whole number of 10^-18 of the settlement currency, see :mod:`quotewright.kernel.contract_money`.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from quotewright.kernel.codes import BUY
from quotewright.kernel.contract_money import ContractMoney, divided, money, money_text, money_unit

if TYPE_CHECKING:
    from quotewright.model.instrument import Instrument

__all__ = ["Attribution", "Portfolio", "divided", "money", "money_text", "money_unit"]


class Attribution(NamedTuple):
    """Where the profit came from: ``total == spread + inventory - fees + funding``, exactly."""

    total: int
    spread: int
    inventory: int
    fees: int
    funding: int


class Portfolio(ContractMoney):
    """What our fills on one instrument add up to.

    Invariant, exact: ``realised + unrealised == cash + worth of the position``, fees and funding apart. ``entry_value``
    is the worth of the open position when it was entered (below zero for a short, and for a long of inverse
    contracts). A partial close takes out its share of it, rounded half-even at 10^-18.
    """

    def __init__(self, instrument: Instrument) -> None:
        super().__init__(instrument)
        self.position_lots = 0
        self.cash = 0
        self.entry_value = 0
        self.spread2 = 0
        self.fees: dict[str, int] = {}
        self.funding = 0
        self.funding_count = 0
        self.settled_lots = 0
        self.bought_lots = 0
        self.sold_lots = 0
        self.turnover = 0
        self.fills = 0
        self.maker_fills = 0
        self.maker_turnover = 0

    def book_fill(
        self, side: int, price_ticks: int, lots: int, fee: int, currency: str, mid2: int, is_maker: bool
    ) -> bool:
        """Book one execution; *mid2* is twice the mid in steps when it became known, 0 if not known: no spread then."""
        price_steps = price_ticks * self.tick_steps
        signed = lots if side == BUY else -lots
        size_steps = signed * self.lot_steps
        worth = self.worth(size_steps, price_steps)
        before = self.position_lots
        after = before + signed
        self.cash -= worth
        if side == BUY:
            self.bought_lots += lots
        else:
            self.sold_lots += lots
        if before == 0 or (before > 0) == (signed > 0):
            self.entry_value += worth
        elif after == 0:
            self.entry_value = 0
        elif (after > 0) == (before > 0):
            self.entry_value -= divided(self.entry_value * lots, abs(before))
        else:
            self.entry_value = self.worth(after * self.lot_steps, price_steps)
        self.position_lots = after
        value = abs(worth)
        self.turnover += value
        self.fills += 1
        if is_maker:
            self.maker_fills += 1
            self.maker_turnover += value
        if mid2 > 0:
            if self.is_inverse:
                self.spread2 += 2 * (self.worth_at(size_steps, mid2) - worth)
            else:
                self.spread2 += self.unit * size_steps * (mid2 - 2 * price_steps)
        if fee:
            self.fees[currency] = self.fees.get(currency, 0) + fee
        return True

    def book_funding(self, amount: int) -> bool:
        """Book a funding payment: positive received, negative paid."""
        self.funding += amount
        self.funding_count += 1
        return True

    def settle(self, price: int) -> int:
        """Close the position at expiry at a settlement *price* (10^-9 of quote currency) and return what it was worth.

        The price is that of the contract for a future, of what it is on for an option. No fee is charged.
        """
        worth = self.settlement_of(self.position_lots * self.lot_steps, price)
        self.cash += worth
        self.entry_value = 0
        self.settled_lots += self.position_lots
        self.position_lots = 0
        return worth

    def value_at(self, mid2: int) -> int:
        """Return the worth of the position at a mid of *mid2* / 2 steps, rounded half-even."""
        return self.worth_at(self.position_lots * self.lot_steps, mid2)

    def fees_at(self, mid2: int) -> int:
        """Return all fees in the settlement currency; fees in the pair's other currency are valued at the mid."""
        total = 0
        for currency, amount in self.fees.items():
            if currency == self.quote:
                total += amount
            elif currency == self.other:
                total += self.other_value(amount, mid2)
        return total

    def foreign_fees(self) -> dict[str, int]:
        """Return fees in third currencies; they are not part of the profit."""
        return {c: a for c, a in sorted(self.fees.items()) if c not in (self.quote, self.other)}

    def realised(self) -> int:
        """Return the profit of closed positions before fees and funding."""
        return self.cash + self.entry_value

    def unrealised_at(self, mid2: int) -> int:
        """Return the profit of the open position at the mid, before fees and funding."""
        return self.value_at(mid2) - self.entry_value

    def equity_at(self, mid2: int) -> int:
        """Return realised plus unrealised profit less all fees plus funding."""
        return self.cash + self.value_at(mid2) - self.fees_at(mid2) + self.funding

    def spread(self) -> int:
        """Return the profit captured against the mid at the moment each fill became known, before fees."""
        return divided(self.spread2, 2)

    def attribution_at(self, mid2: int) -> Attribution:
        """Return the profit at the mid and its parts, which add up to it exactly."""
        total = self.equity_at(mid2)
        fees = self.fees_at(mid2)
        spread = self.spread()
        return Attribution(total, spread, total + fees - self.funding - spread, fees, self.funding)

    def average_price(self) -> Decimal:
        """Return the average entry price in quote currency, 0 when flat; the harmonic one of inverse contracts."""
        size = self.unit * self.position_lots * self.lot_steps
        if self.position_lots == 0 or (self.is_inverse and self.entry_value == 0):
            return Decimal(0)
        if self.is_inverse:
            return (Decimal(size) / Decimal(-self.entry_value)).scaleb(-self.price_decimals)
        return (Decimal(self.entry_value) / Decimal(size)).scaleb(-self.price_decimals)
