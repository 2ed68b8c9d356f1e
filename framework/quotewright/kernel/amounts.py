"""Amounts of a config file tied to instruments: so many lots, or so much money, at the last known mid."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from quotewright.errors import ConfigError
from quotewright.kernel.codes import MONEY_SCALE
from quotewright.kernel.view import View

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quotewright.config.units import Amount
    from quotewright.model.instrument import Instrument


class ValuedLot:
    """How many lots a value buys at the mid it was last asked for: the mid stands still far longer than strategies."""

    def __init__(self, money2: int, lot_unit: int) -> None:
        self.money2 = money2
        self.lot_unit = lot_unit
        self.mid2 = 0
        self.lots = 0


class BoundAmount:
    """An amount of a config file tied to instruments: whole lots of a quantity, money of a value.

    A value (``200 USDT``) becomes lots at the last known mid, rounded down; a quantity (``0.5 BTC``) becomes
    money at that mid. Of inverse contracts it is the other way round: their value is their face, a quantity of coins
    (``0.5 BTC``) becomes contracts at the mid.
    """

    def __init__(self, amount: Amount, views: Sequence[View], where: str) -> None:
        self.amount = amount
        self.where = where
        self.quantities: dict[int, int] = {}
        self.values: dict[int, int] = {}
        self.coins: dict[int, int] = {}
        self.valued: dict[int, ValuedLot] = {}
        for view in views:
            self.bind(view)
        if views and not self.quantities and not self.values and not self.coins:
            units = sorted({unit for view in views for unit in _units(view.instrument)})
            raise ConfigError(
                f"{where}: unit '{amount.unit}' fits no instrument of this run; expected {', '.join(units)}"
            )

    def bind(self, view: View) -> None:
        """Find what the amount is on the instrument of *view*, nothing where its unit does not fit."""
        instrument = view.instrument
        portfolio = view.portfolio
        unit = self.amount.unit
        is_base = unit in (instrument.base, "base")
        if is_base and portfolio.is_inverse:
            self.coins[view.instrument_id] = to_money(self.amount.value)
        elif is_base or unit in ("lots", "contracts"):
            quantity = self.amount.value
            lot = instrument.lot_size * instrument.contract_size if is_base else instrument.lot_size
            lots = int(quantity) if unit == "lots" else int(quantity // lot)
            if quantity > 0 and lots == 0:
                raise ConfigError(f"{self.where}: {self.amount} is less than one lot of {instrument.name} ({lot})")
            self.quantities[view.instrument_id] = lots
        elif unit in (instrument.quote, instrument.settle, "quote"):
            amount = to_money(self.amount.value)
            self.values[view.instrument_id] = amount
            one_lot = portfolio.notional(view.lot_steps, 1)
            if portfolio.is_inverse:
                self.quantities[view.instrument_id] = amount // one_lot
            else:
                self.valued[view.instrument_id] = ValuedLot(2 * amount, one_lot)

    def lots(self, view: View) -> int:
        """Return whole lots, rounded down; 0 for a value while no mid is known."""
        number = view.instrument_id
        if not self.valued and not self.coins:
            return self.quantities.get(number, 0)
        valued = self.valued.get(number)
        if valued is None:
            if number in self.coins:
                one2 = 2 * view.portfolio.unit * view.lot_steps
                return self.coins[number] * view.known_mid2 // one2
            return self.quantities.get(number, 0)
        if view.known_mid2 != valued.mid2:
            valued.mid2 = view.known_mid2
            lot2 = valued.lot_unit * view.known_mid2
            valued.lots = valued.money2 // lot2 if lot2 > 0 else 0
        return valued.lots

    def money(self, view: View) -> int:
        """Return quote money; a quantity is valued at the last known mid, rounded down."""
        number = view.instrument_id
        fixed = self.values.get(number)
        if fixed is not None:
            return fixed
        portfolio = view.portfolio
        if number in self.coins:
            return self.coins[number] * view.known_mid2 // (2 * portfolio.price_scale)
        size = self.quantities.get(number, 0) * view.lot_steps
        return portfolio.notional(size, view.known_mid2) // (1 if portfolio.is_inverse else 2)

    def applies_to(self, view: View) -> bool:
        """Return whether the amount's unit means something for this instrument."""
        number = view.instrument_id
        return number in self.quantities or number in self.values or number in self.coins


def _units(instrument: Instrument) -> tuple[str, ...]:
    return tuple(dict.fromkeys(unit for unit in (instrument.base, instrument.quote, instrument.settle) if unit))


def to_money(value: Decimal) -> int:
    """Return *value* as whole 10^-18 of its currency; ConfigError if it is finer."""
    scaled = value.scaleb(MONEY_SCALE)
    if scaled != scaled.to_integral_value():
        raise ConfigError(f"{value} is finer than 10^-{MONEY_SCALE}")
    return int(scaled)
