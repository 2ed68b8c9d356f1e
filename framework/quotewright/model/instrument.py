"""One contract on one venue, and the exact way between decimal text, steps, ticks and lots."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import attrs

from quotewright.errors import InputError

KINDS = ("spot", "perp", "future", "option")


def _positive(instance: object, attribute: attrs.Attribute[int], value: int) -> None:
    if value <= 0:
        raise InputError(f"{attribute.name} should be positive, was {value}")


@attrs.frozen(kw_only=True)
class Instrument:
    """One contract on one venue.

    A *step* is 10**-price_decimals of price (quote currency) or 10**-size_decimals of size (base units or
    contracts) and never changes on a tape. ``tick_steps`` and ``lot_steps`` are today's tick and lot in steps;
    they bind orders, not market data. ``inferred`` names the fields that were read off the data.

    Where the tick depends on the price, ``tick_table`` holds pairs (from this price on, tick) with rising prices, and
    ``tick_steps`` is the finest tick, so that whole ticks stay linear in the price. Empty: one tick for all prices.
    """

    name: str
    symbol: str
    venue: str
    kind: str = attrs.field(default="spot", validator=attrs.validators.in_(KINDS))
    base: str
    quote: str
    settle: str = ""
    price_decimals: int = attrs.field(validator=attrs.validators.in_(range(19)))
    size_decimals: int = attrs.field(validator=attrs.validators.in_(range(19)))
    tick_steps: int = attrs.field(default=1, validator=_positive)
    lot_steps: int = attrs.field(default=1, validator=_positive)
    contract_size: Decimal = Decimal(1)
    is_inverse: bool = False
    min_quantity_steps: int = 0
    max_quantity_steps: int = 0
    min_notional: Decimal = Decimal(0)
    status: str = "trading"
    inferred: tuple[str, ...] = ()
    tick_table: tuple[tuple[Decimal, Decimal], ...] = attrs.field(default=())

    @tick_table.validator
    def _check_tick_table(self, attribute: object, table: tuple[tuple[Decimal, Decimal], ...]) -> None:
        finest = self.tick_size
        before = None
        for from_price, tick in table:
            if not (from_price.is_finite() and tick.is_finite()) or tick <= 0 or tick % finest:
                raise InputError(f"{self.name}: tick_table: {tick} should be a multiple of the finest tick {finest}")
            if from_price < 0 or (before is not None and from_price <= before):
                raise InputError(f"{self.name}: tick_table should rise from price to price, {from_price} does not")
            before = from_price

    @property
    def tick_size(self) -> Decimal:
        return Decimal(self.tick_steps).scaleb(-self.price_decimals)

    def tick_size_at(self, price: Decimal) -> Decimal:
        """Return the tick that an order at *price* must keep to."""
        found = self.tick_size
        for from_price, tick in self.tick_table:
            if price < from_price:
                break
            found = tick
        return found

    def is_on_tick(self, price: Decimal) -> bool:
        """Return whether an order may have this *price*."""
        return not price % self.tick_size_at(price)

    @property
    def lot_size(self) -> Decimal:
        return Decimal(self.lot_steps).scaleb(-self.size_decimals)

    def price(self, price_ticks: int) -> Decimal:
        """Return the price of *price_ticks* ticks in quote currency."""
        return Decimal(price_ticks * self.tick_steps).scaleb(-self.price_decimals)

    def quantity(self, quantity_lots: int) -> Decimal:
        """Return the size of *quantity_lots* lots in base units (contracts for derivatives)."""
        return Decimal(quantity_lots * self.lot_steps).scaleb(-self.size_decimals)

    def price_from_steps(self, steps: int) -> Decimal:
        return Decimal(steps).scaleb(-self.price_decimals)

    def size_from_steps(self, steps: int) -> Decimal:
        return Decimal(steps).scaleb(-self.size_decimals)

    def price_ticks(self, price: Decimal) -> int:
        """Return *price* in whole ticks, the finest where there are several; off its grid it raises InputError."""
        ticks, remainder = divmod(price, self.tick_size)
        if remainder:
            raise InputError(f"{self.name}: price {price} is not a multiple of the tick size {self.tick_size}")
        if self.tick_table and not self.is_on_tick(price):
            tick = self.tick_size_at(price)
            below = price // tick * tick
            raise InputError(
                f"{self.name}: price {price} is not a multiple of {tick}, the tick size at that price; "
                f"the next ones are {below} and {below + tick}"
            )
        return int(ticks)

    def quantity_lots(self, quantity: Decimal) -> int:
        """Return *quantity* in whole lots; a quantity off the grid raises InputError."""
        lots, remainder = divmod(quantity, self.lot_size)
        if remainder:
            raise InputError(f"{self.name}: quantity {quantity} is not a multiple of the lot size {self.lot_size}")
        return int(lots)

    def quote_quantity(self, size: Decimal, price: Decimal) -> Fraction:
        """Return what *size* (base units or contracts) at *price* is worth in quote currency, exactly."""
        value = Fraction(size) * Fraction(self.contract_size)
        return value if self.is_inverse else value * Fraction(price)

    def base_quantity(self, size: Decimal, price: Decimal) -> Fraction:
        """Return *size* (base units or contracts) in base units, exactly; inverse contracts are worth it at *price*."""
        value = Fraction(size) * Fraction(self.contract_size)
        if not self.is_inverse:
            return value
        if price <= 0:
            raise InputError(f"{self.name}: an inverse contract has a base quantity at a positive price, was {price}")
        return value / Fraction(price)
