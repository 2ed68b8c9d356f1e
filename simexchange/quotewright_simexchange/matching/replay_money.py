"""What a fill at the replay venue costs, exactly: spot, linear and inverse contracts, options."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quotewright.kernel.codes import MONEY_SCALE, REFERENCE_SCALE
from quotewright.kernel.contract_money import ContractMoney

if TYPE_CHECKING:
    from quotewright.model.instrument import Instrument

Fraction = tuple[int, int]


class FillMoney(ContractMoney):
    """The money of one instrument: fees in its settlement currency, and the least value of an order in its quote."""

    def __init__(self, instrument: Instrument) -> None:
        super().__init__(instrument)
        self.min_notional: int = int(instrument.min_notional.scaleb(MONEY_SCALE))
        self.is_option = instrument.kind == "option"
        # The price of an option settled in coin is in that coin, and so is its fee: no price of the coin is needed.
        self.is_in_coin = self.is_option and self.quote == instrument.base

    def fee(
        self, price_steps: int, size_steps: int, rate: Fraction, fee_unit: int, option_cap: Fraction, underlying: int
    ) -> int:
        """Return the fee of a fill at *rate*, a fraction: charges rounded up to whole *fee_unit*, rebates toward zero.

        The rate is of the fill's value; of an option it is of the value of what it is on (*underlying*, in 10^-9 of
        quote currency), and a charge is at most *option_cap* of the premium. Where that price is not known (0), the cap
        itself is charged, and no rebate is given.
        """
        if rate[0] == 0:
            return 0
        if self.is_inverse:
            return _ceiled(self.unit * size_steps * rate[0], rate[1] * price_steps * fee_unit) * fee_unit
        value = self.unit * size_steps * price_steps
        if not self.is_option:
            return _ceiled(value * rate[0], rate[1] * fee_unit) * fee_unit
        most = _ceiled(value * option_cap[0], option_cap[1] * fee_unit) * fee_unit
        if self.is_in_coin:
            whole = _ceiled(self.size_unit * size_steps * rate[0], rate[1] * fee_unit) * fee_unit
        elif underlying > 0:
            scale: int = 10**REFERENCE_SCALE
            whole = _ceiled(self.size_unit * size_steps * underlying * rate[0], scale * rate[1] * fee_unit) * fee_unit
        else:
            whole = most if rate[0] > 0 else 0
        return min(whole, most)

    def is_too_small(self, price_steps: int, size_steps: int) -> bool:
        """Return whether an order of this size at this price is worth less than the instrument asks for."""
        return self.min_notional > 0 and self.notional(size_steps, price_steps) < self.min_notional


def _ceiled(numerator: int, denominator: int) -> int:
    """Return the least whole number that is no less than the fraction: up for a charge, toward zero for a rebate."""
    return -(-numerator // denominator)
