"""One contract on one venue, and the exact way between decimal text, steps, ticks and lots."""

from __future__ import annotations

from decimal import Decimal

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

    @property
    def tick_size(self) -> Decimal:
        return Decimal(self.tick_steps).scaleb(-self.price_decimals)

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
        """Return *price* in whole ticks; a price off the grid raises InputError."""
        ticks, remainder = divmod(price, self.tick_size)
        if remainder:
            raise InputError(f"{self.name}: price {price} is not a multiple of the tick size {self.tick_size}")
        return int(ticks)

    def quantity_lots(self, quantity: Decimal) -> int:
        """Return *quantity* in whole lots; a quantity off the grid raises InputError."""
        lots, remainder = divmod(quantity, self.lot_size)
        if remainder:
            raise InputError(f"{self.name}: quantity {quantity} is not a multiple of the lot size {self.lot_size}")
        return int(lots)
