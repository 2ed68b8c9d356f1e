"""What a size of contracts is worth, exactly."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest

from quotewright.errors import InputError
from quotewright.model.instrument import Instrument


def contract(contract_size: str, is_inverse: bool) -> Instrument:
    return Instrument(
        name="BTC-USD.perp@test", symbol="BTCUSD", venue="test", kind="perp", base="BTC", quote="USD",
        price_decimals=1, size_decimals=0, contract_size=Decimal(contract_size), is_inverse=is_inverse,
    )  # fmt: skip


def test_a_linear_contract_is_worth_its_base_times_the_price():
    linear = contract("0.01", False)
    assert linear.base_quantity(Decimal(5), Decimal("48938.5")) == Fraction(5, 100)
    assert linear.quote_quantity(Decimal(5), Decimal("48938.5")) == Fraction("2446.925")


def test_an_inverse_contract_is_worth_its_quote_over_the_price():
    inverse = contract("100", True)
    assert inverse.quote_quantity(Decimal(15), Decimal("31769.9")) == 1500
    assert inverse.base_quantity(Decimal(15), Decimal("31769.9")) == Fraction(15000, 317699)
    assert inverse.base_quantity(Decimal(0), Decimal("31769.9")) == 0
    with pytest.raises(InputError, match="positive price, was 0"):
        inverse.base_quantity(Decimal(1), Decimal(0))
