"""Position, cash and profit of one instrument, exact: signed average cost that may flip through zero.

Money is a whole number of 10^-18 of the quote currency. Linear contracts and spot; one number, the *unit*,
is the money of one price step times one size step.
"""

from __future__ import annotations

from decimal import Context, Decimal
from typing import TYPE_CHECKING

from quotewright.errors import ConfigError
from quotewright.kernel.codes import BUY, MONEY_SCALE

if TYPE_CHECKING:
    from quotewright.model.instrument import Instrument


def money_unit(instrument: Instrument) -> int:
    """Return the money of one price step times one size step of a linear instrument or spot pair."""
    if instrument.is_inverse:
        raise ConfigError(
            f"{instrument.name}: profit of inverse contracts is not computed by this version; choose a linear one"
        )
    exact = instrument.contract_size.scaleb(MONEY_SCALE - instrument.price_decimals - instrument.size_decimals)
    if exact != int(exact):
        raise ConfigError(
            f"{instrument.name}: one price step times one size step is {exact.scaleb(-MONEY_SCALE)} "
            f"{instrument.quote}, finer than the 10^-{MONEY_SCALE} in which money is counted"
        )
    return int(exact)


def divided(numerator: int, denominator: int) -> int:
    """Return numerator / denominator rounded half to even; *denominator* is positive."""
    whole, rest = divmod(numerator, denominator)
    twice = 2 * rest
    if twice > denominator or (twice == denominator and whole & 1):
        whole += 1
    return whole


class Portfolio:
    """What our fills on one instrument add up to.

    Invariant, exact: ``realised + unrealised == cash + position x mark``, fees apart. ``entry_value`` is what the open
    position cost (negative for a short). A partial close takes out its share of it, rounded half-even at 10^-18.
    """

    def __init__(self, instrument: Instrument) -> None:
        self.unit = money_unit(instrument)
        self.tick_steps = instrument.tick_steps
        self.lot_steps = instrument.lot_steps
        self.quote = instrument.settle or instrument.quote
        self.base = instrument.base
        self.size_decimals = instrument.size_decimals
        self.price_decimals = instrument.price_decimals
        # A power of two C integers would be a double.
        self.price_scale: int = 10**instrument.price_decimals
        self.position_lots = 0
        self.cash = 0
        self.entry_value = 0
        self.spread2 = 0
        self.fees: dict[str, int] = {}
        self.bought_lots = 0
        self.sold_lots = 0
        self.turnover = 0
        self.fills = 0
        self.maker_fills = 0

    def book_fill(
        self, side: int, price_ticks: int, lots: int, fee: int, currency: str, mid2: int, is_maker: bool
    ) -> bool:
        """Book one execution; *mid2* is twice the mid in steps when it became known, 0 if not known: no spread then."""
        price_steps = price_ticks * self.tick_steps
        size_steps = lots * self.lot_steps
        value = self.unit * price_steps * size_steps
        signed = lots if side == BUY else -lots
        before = self.position_lots
        after = before + signed
        if side == BUY:
            self.cash -= value
            self.bought_lots += lots
        else:
            self.cash += value
            self.sold_lots += lots
        if before == 0 or (before > 0) == (signed > 0):
            self.entry_value += value if signed > 0 else -value
        elif after == 0:
            self.entry_value = 0
        elif (after > 0) == (before > 0):
            self.entry_value -= divided(self.entry_value * lots, abs(before))
        else:
            self.entry_value = self.unit * price_steps * after * self.lot_steps
        self.position_lots = after
        self.turnover += value
        self.fills += 1
        if is_maker:
            self.maker_fills += 1
        if mid2 > 0:
            edge2 = mid2 - 2 * price_steps
            self.spread2 += self.unit * (edge2 if side == BUY else -edge2) * size_steps
        if fee:
            self.fees[currency] = self.fees.get(currency, 0) + fee
        return True

    def value_at(self, mid2: int) -> int:
        """Return the money value of the position at a mid of *mid2* / 2 steps, rounded half-even."""
        return divided(self.unit * self.position_lots * self.lot_steps * mid2, 2)

    def fees_at(self, mid2: int) -> int:
        """Return all fees in quote currency; fees taken in the base currency are valued at the mid."""
        total = 0
        for currency, amount in self.fees.items():
            if currency == self.quote:
                total += amount
            elif currency == self.base:
                total += self.base_value(amount, mid2)
        return total

    def base_value(self, amount: int, mid2: int) -> int:
        """Return the quote money that *amount* (10^-18 of the base currency) is worth at the mid."""
        return divided(amount * mid2, 2 * self.price_scale)

    def foreign_fees(self) -> dict[str, int]:
        """Return fees in currencies that are neither quote nor base; they are not part of the profit."""
        return {c: a for c, a in sorted(self.fees.items()) if c not in (self.quote, self.base)}

    def realised(self) -> int:
        """Return the profit of closed positions before fees, in quote money."""
        return self.cash + self.entry_value

    def unrealised_at(self, mid2: int) -> int:
        """Return the profit of the open position at the mid, before fees."""
        return self.value_at(mid2) - self.entry_value

    def equity_at(self, mid2: int) -> int:
        """Return realised plus unrealised profit less all fees, in quote money."""
        return self.cash + self.value_at(mid2) - self.fees_at(mid2)

    def spread(self) -> int:
        """Return the profit captured against the mid at the moment each fill became known, before fees."""
        return divided(self.spread2, 2)

    def average_price(self) -> Decimal:
        """Return the average entry price in quote currency, 0 when flat."""
        if self.position_lots == 0:
            return Decimal(0)
        size = self.unit * self.position_lots * self.lot_steps
        return (Decimal(self.entry_value) / Decimal(size)).scaleb(-self.price_decimals)


_EXACT = Context(prec=100)


def money(amount: int) -> Decimal:
    """Return money as a decimal number of its currency, exactly."""
    return Decimal(amount).scaleb(-MONEY_SCALE, _EXACT)


def money_text(amount: int) -> str:
    """Return money as decimal text without needless zeros."""
    text = f"{money(amount):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
