"""Inverse contracts and options at the replay venue: fees in the settlement currency, the least value of an order."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import attrs
import pytest

from quotewright.kernel.codes import BUY, INDEX, LAST_BIT, SELL, UNDERLYING, pack
from quotewright.kernel.portfolio import Portfolio, money
from quotewright.model.instrument import Instrument
from quotewright_simexchange.matching.queues import OrdersQueue
from quotewright_simexchange.replay_venue import ReplaySettings, replay
from tests.simexchange.replay.support import Desk, Recording, fees

INVERSE = Instrument(
    name="BTC-USD.perp@test", symbol="BTCUSD", venue="test", kind="perp", base="BTC", quote="USD", settle="BTC",
    is_inverse=True, contract_size=Decimal(100), price_decimals=1, size_decimals=0, min_notional=Decimal(300),
)  # fmt: skip
COIN_OPTION = Instrument(
    name="BTC-USD.261225-70000-C@test", symbol="BTC-25DEC26-70000-C", venue="test", kind="option", base="BTC",
    quote="USD", settle="BTC", price_decimals=4, size_decimals=1,
)  # fmt: skip
DOLLAR_OPTION = Instrument(
    name="BTC-USDT.261225-70000-C@test", symbol="BTC-261225-70000-C", venue="test", kind="option", base="BTC",
    quote="USDT", settle="USDT", price_decimals=1, size_decimals=2,
)  # fmt: skip


def ceiled(value: Fraction) -> int:
    """Return *value* in 10^-18, rounded up at the eighth decimal."""
    return -(-value.numerator * 10**8 // value.denominator) * 10**10


def test_fees_of_inverse_contracts_are_paid_in_coin_on_the_exact_value() -> None:
    tape = Recording().offer(0, 600_001, 7).bid(0, 600_000, 9).trade(20, SELL, 599_990, 1)
    desk = Desk(tape, instrument=INVERSE, maker_fee=fees("-0.25"), taker_fee=fees("5"))
    desk.new(1, 1, BUY, 600_001, 7).new(2, 2, BUY, 600_000, 3).end()
    taking, resting = [report for report in desk.reports if type(report).__name__ == "Fill"]
    assert (taking.fee_currency, resting.fee_currency) == ("BTC", "BTC")
    assert taking.fee == ceiled(Fraction(700 * 10, 600_001) * Fraction(5, 10_000))
    assert resting.fee == ceiled(-Fraction(300 * 10, 600_000) * Fraction(25, 1_000_000))
    assert taking.fee > 0 > resting.fee


def test_a_round_trip_in_inverse_contracts_is_worth_the_difference_of_the_inverse_prices() -> None:
    tape = Recording().offer(0, 500_000, 9).bid(0, 499_990, 9).bid(50, 625_000, 9)
    desk = Desk(tape, instrument=INVERSE, taker_fee=fees("5")).new(1, 1, BUY, 500_000, 5).new(60, 2, SELL, 625_000, 5)
    book = Portfolio(INVERSE)
    for report in desk.end().reports:
        if type(report).__name__ == "Fill":
            side = BUY if report.order_number == 1 else SELL
            lots, fee = report.quantity_lots, report.fee
            book.book_fill(side, report.price_ticks, lots, fee, report.fee_currency, 0, report.is_maker)
    assert money(book.realised()) == Decimal("0.002")  # 500 / 50,000 - 500 / 62,500
    assert money(book.equity_at(1_250_000)) == Decimal("0.002") - Decimal("0.000005") - Decimal("0.000004")


def test_the_least_value_of_an_inverse_order_is_its_face() -> None:
    desk = Desk(Recording().bid(0, 600_000, 1), instrument=INVERSE)
    desk.new(1, 1, BUY, 600_000, 2).new(1, 2, BUY, 600_000, 3).end()
    assert desk.told() == [("rejected", 1, "min_notional"), ("accepted", 2, "")]


def test_the_fee_of_an_option_settled_in_coin_is_a_share_of_the_coin_up_to_a_share_of_the_premium() -> None:
    """Premiums 0.05 and 0.0002 on 0.5: 0.03 % of 0.5 is 0.00015, an eighth of 0.0001 less than that."""
    tape = Recording().offer(0, 500, 5).bid(0, 2, 5)
    desk = Desk(tape, instrument=COIN_OPTION, taker_fee=fees("3")).new(1, 1, BUY, 500, 5).new(2, 2, SELL, 2, 5).end()
    fills = [report for report in desk.reports if type(report).__name__ == "Fill"]
    assert [(money(fill.fee), fill.fee_currency) for fill in fills] == [
        (Decimal("0.00015"), "BTC"),
        (Decimal("0.0000125"), "BTC"),
    ]


@pytest.mark.parametrize("kind", [UNDERLYING, INDEX])
def test_the_fee_of_an_option_settled_in_dollars_is_a_share_of_what_it_is_on(kind: int) -> None:
    tape = Recording().row(0, 70_000 * 10**9, 0, pack(kind, 0, 0, 0)).offer(0, 20_000, 40).bid(0, 100, 40)
    desk = Desk(tape, instrument=DOLLAR_OPTION, taker_fee=fees("3")).new(1, 1, BUY, 20_000, 40).new(2, 2, SELL, 100, 40)
    fills = [report for report in desk.end().reports if type(report).__name__ == "Fill"]
    assert [(money(fill.fee), fill.fee_currency) for fill in fills] == [
        (Decimal("8.4"), "USDT"),  # 3 bps of 70,000 x 0.4
        (Decimal("0.5"), "USDT"),  # an eighth of the premium of 10 x 0.4
    ]


def test_without_the_price_of_what_it_is_on_an_option_pays_the_cap_and_gets_no_rebate() -> None:
    tape = Recording().offer(0, 20_000, 40).bid(0, 19_000, 1).trade(20, SELL, 18_000, 1)
    desk = Desk(tape, instrument=DOLLAR_OPTION, taker_fee=fees("3"), maker_fee=fees("-1"))
    desk.new(1, 1, BUY, 20_000, 40).new(2, 2, BUY, 19_000, 40).end()
    fills = [report for report in desk.reports if type(report).__name__ == "Fill"]
    assert [money(fill.fee) for fill in fills] == [Decimal(100), Decimal(0)]


def test_an_order_by_order_market_knows_the_price_of_what_an_option_is_on() -> None:
    tape = Recording().row(0, 70_000 * 10**9, 0, pack(UNDERLYING, 0, 0, 0) | LAST_BIT).add(1, 7, SELL, 20_000, 40)
    desk = Desk(tape, instrument=DOLLAR_OPTION, taker_fee=fees("3"), queue=OrdersQueue())
    desk.new(2, 1, BUY, 20_000, 40).end()
    assert money(desk.reports[1].fee) == Decimal("8.4")


def test_the_cap_is_a_config_key() -> None:
    venue = replay(ReplaySettings(option_fee_cap="10%"))
    assert Fraction(*venue.option_cap) == Fraction(1, 10)


def test_money_too_fine_to_count_is_refused_with_the_reason() -> None:
    fine = attrs.evolve(INVERSE, is_inverse=False, price_decimals=12, size_decimals=12)
    desk = Desk(Recording().bid(0, 1000, 1), instrument=fine).new(1, 1, BUY, 1000, 1).end()
    assert desk.told() == [("rejected", 1, "venue")]
    assert "finer than the 10^-18" in desk.reports[0].text
