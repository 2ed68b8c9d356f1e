"""What sizes of one instrument are worth, exact: spot and linear contracts, inverse contracts, options.

Money is a whole number of 10^-18 of the *settlement currency*: the quote currency of spot and linear contracts, the
base currency of inverse contracts and of options that are settled in coin. Only what does not come out even is
rounded, once, half to even. See ``docs/money.md``.
"""

from __future__ import annotations

from decimal import Context, Decimal
from typing import TYPE_CHECKING

from quotewright.errors import ConfigError, InputError
from quotewright.kernel.codes import MONEY_SCALE, NEVER, RATE_SCALE, REFERENCE_SCALE
from quotewright.model.names import expiry_ns, parse_name

if TYPE_CHECKING:
    from quotewright.model.instrument import Instrument


def is_inverse(instrument: Instrument) -> bool:
    """Return whether a contract is worth its face divided by the price; an option's premium never is."""
    return instrument.is_inverse and instrument.kind != "option"


def money_unit(instrument: Instrument) -> int:
    """Return the money of one price step times one size step of a spot pair, a linear contract or an option."""
    if is_inverse(instrument):
        raise ConfigError(
            f"{instrument.name}: an inverse contract is not worth so much per step of its price; ask a Portfolio"
        )
    return _whole(
        instrument.contract_size.scaleb(MONEY_SCALE - instrument.price_decimals - instrument.size_decimals),
        instrument,
        "one price step times one size step is",
    )


def _whole(exact: Decimal, instrument: Instrument, what: str) -> int:
    if exact != int(exact):
        raise ConfigError(
            f"{instrument.name}: {what} {exact.scaleb(-MONEY_SCALE)} "
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


class ContractMoney:
    """The arithmetic of one instrument. Sizes are signed steps, prices steps, ``mid2`` is twice a mid in steps.

    ``unit`` is the money of one price step times one size step, of an inverse contract the money of one size step at
    a price of one step. ``size_unit`` is that of one size step at a price of 1. ``quote`` is the settlement currency;
    amounts in ``other`` are converted at the mid, those in any third currency are not.
    """

    def __init__(self, instrument: Instrument) -> None:
        self.is_inverse = is_inverse(instrument)
        exact = instrument.contract_size.scaleb(MONEY_SCALE - instrument.size_decimals)
        self.size_unit: int = _whole(exact, instrument, "one size step at a price of 1 is")
        # A power of two C integers would be a double.
        self.price_scale: int = 10**instrument.price_decimals
        self.unit: int = self.size_unit * self.price_scale
        if self.is_inverse:
            self.quote = instrument.settle or instrument.base
            self.other = instrument.quote
        else:
            self.unit = money_unit(instrument)
            self.quote = instrument.settle or instrument.quote
            self.other = "" if instrument.kind == "option" else instrument.base
        self.base = instrument.base
        self.kind = instrument.kind
        self.name = instrument.name
        self.tick_steps = instrument.tick_steps
        self.lot_steps = instrument.lot_steps
        self.size_decimals = instrument.size_decimals
        self.price_decimals = instrument.price_decimals
        self.mark_scale: int = 10 ** max(0, REFERENCE_SCALE - instrument.price_decimals)
        self.mark_factor: int = 10 ** max(0, instrument.price_decimals - REFERENCE_SCALE)
        self.expiry_ns = NEVER
        self.strike = -1
        self.is_put = False
        if instrument.kind in ("future", "option"):
            self._take_terms(instrument.name)

    def _take_terms(self, name: str) -> None:
        """Read the day of expiry (its first moment, UTC), strike and right off the canonical *name*."""
        try:
            terms = parse_name(name)
        except InputError:
            terms = None
        if terms is None or "expiry" not in terms:
            return
        self.expiry_ns = expiry_ns(terms["expiry"])
        if "strike" in terms:
            self.strike = int(Decimal(terms["strike"]).scaleb(REFERENCE_SCALE))
            self.is_put = terms["right"] == "P"

    def worth(self, size_steps: int, price_steps: int) -> int:
        """Return what a signed size at a price counts in the profit; a long of inverse contracts counts below zero.

        The profit of a size is its worth at the end less its worth at the start, in all kinds of contracts.
        """
        if self.is_inverse:
            if price_steps <= 0:
                raise InputError(f"{self.name}: an inverse contract has a positive price, was {price_steps} steps")
            return -divided(self.unit * size_steps, price_steps)
        return self.unit * size_steps * price_steps

    def worth_at(self, size_steps: int, mid2: int) -> int:
        """Return the worth of a signed size at a mid of *mid2* / 2 steps; 0 of an inverse contract without a mid."""
        if self.is_inverse:
            return -divided(2 * self.unit * size_steps, mid2) if mid2 > 0 else 0
        return divided(self.unit * size_steps * mid2, 2)

    def notional(self, size_steps: int, price_steps: int) -> int:
        """Return the value of a size in money of the quote currency: of an inverse contract its face."""
        if self.is_inverse:
            return self.size_unit * size_steps
        return self.unit * size_steps * price_steps

    def other_value(self, amount: int, mid2: int) -> int:
        """Return what *amount* of the currency ``other`` is worth in the settlement currency at the mid, 0 without."""
        if self.is_inverse:
            return divided(2 * amount * self.price_scale, mid2) if mid2 > 0 else 0
        return divided(amount * mid2, 2 * self.price_scale)

    def funding_of(self, size_steps: int, rate: int, mark: int) -> int:
        """Return what a signed size receives at a funding *rate* (10^-15) on its value at *mark* (10^-9 of quote).

        Longs pay a positive rate, so that it is below zero for them; 0 without a mark.
        """
        if mark <= 0:
            return 0
        exact = self.unit * size_steps * rate
        if self.is_inverse:
            return -divided(exact * self.mark_scale, mark * self.mark_factor * RATE_ONE)
        return -divided(exact * mark * self.mark_factor, self.mark_scale * RATE_ONE)

    def can_settle(self) -> bool:
        """Return whether the contract expires and its terms are known."""
        return self.expiry_ns != NEVER and (self.kind == "future" or self.strike >= 0)

    def settlement_of(self, size_steps: int, price: int) -> int:
        """Return the worth of a signed size when it expires at a settlement *price* (10^-9 of quote currency).

        A future is worth what that price makes it. An option is worth what it is in the money: in the quote currency,
        or divided by the settlement price where it is settled in coin.
        """
        if price <= 0:
            raise InputError(f"{self.name}: a settlement price should be positive, was {price} of 10^-9")
        if self.kind == "option":
            inside = self.strike - price if self.is_put else price - self.strike
            if inside < 0:
                inside = 0
            in_coin = self.quote == self.base
            return divided(self.size_unit * size_steps * inside, price if in_coin else REFERENCE_ONE)
        if self.is_inverse:
            return -divided(self.unit * size_steps * self.mark_scale, price * self.mark_factor)
        return divided(self.unit * size_steps * price * self.mark_factor, self.mark_scale)


RATE_ONE: int = 10**RATE_SCALE
REFERENCE_ONE: int = 10**REFERENCE_SCALE

_EXACT = Context(prec=100)


def money(amount: int) -> Decimal:
    """Return money as a decimal number of its currency, exactly."""
    return Decimal(amount).scaleb(-MONEY_SCALE, _EXACT)


def money_text(amount: int) -> str:
    """Return money as decimal text without needless zeros."""
    text = f"{money(amount):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
