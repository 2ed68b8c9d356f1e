"""Position, cash and profit are exact, whatever a life of fills does."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotewright.errors import ConfigError
from quotewright.kernel.portfolio import Portfolio, divided, money, money_text, money_unit
from tests.framework.kernel.stage import BUY, ONE, PLAIN, SELL

CENTS = attrs.evolve(PLAIN, price_decimals=2, size_decimals=3)


def booked(fills, instrument=PLAIN, mid2=0):
    portfolio = Portfolio(instrument)
    for side, lots, price in fills:
        portfolio.book_fill(side, price, lots, 0, "USDT", mid2, True)
    return portfolio


GOLDEN = {  #                      fills                               mark  realised  unrealised  position  average
    "short":                ([(SELL, 1, 100)],                                 100,  0,    0,   -1, 100),
    "short, then covered":  ([(SELL, 1, 100), (BUY, 1, 90)],                    90, 10,    0,    0,   0),
    "part of a short":      ([(SELL, 2, 100), (BUY, 1, 90)],                    90, 10,   10,   -1, 100),
    "flip to short":        ([(BUY, 1, 100), (SELL, 2, 110)],                  110, 10,    0,   -1, 110),
    "flip to long":         ([(SELL, 1, 100), (BUY, 3, 90)],                    95, 10,   10,    2,  90),
    "average of two buys":  ([(BUY, 1, 100), (BUY, 1, 110)],                   120,  0,   30,    2, 105),
    "part of a long":       ([(BUY, 2, 100), (SELL, 1, 110)],                  100, 10,    0,    1, 100),
    "adverse move":         ([(BUY, 1, 42_000)],                            41_800,  0, -200,    1, 42_000),
    "round trip":           ([(BUY, 1, 42_000), (SELL, 1, 42_100)],         42_000, 100,   0,    0,   0),
}  # fmt: skip


@pytest.mark.parametrize(
    ("fills", "mark", "realised", "unrealised", "position", "average"), GOLDEN.values(), ids=GOLDEN
)
def test_average_cost_is_signed_and_flips_through_zero(fills, mark, realised, unrealised, position, average):
    portfolio = booked(fills)
    assert portfolio.realised() == realised * ONE
    assert portfolio.unrealised_at(2 * mark) == unrealised * ONE
    assert (portfolio.position_lots, portfolio.average_price()) == (position, average)


FILLS = st.lists(
    st.tuples(st.sampled_from([BUY, SELL]), st.integers(1, 10**6), st.integers(1, 10**7)), min_size=1, max_size=30
)


@given(FILLS, st.integers(2, 2 * 10**7))
def test_realised_plus_unrealised_is_cash_plus_position_at_the_mark(fills, mid2):
    portfolio = booked(fills, CENTS)
    value = portfolio.value_at(mid2)
    assert portfolio.realised() + portfolio.unrealised_at(mid2) == portfolio.cash + value
    signed = [(lots if side == BUY else -lots, price) for side, lots, price in fills]
    unit = 10**13
    assert portfolio.cash == -sum(lots * price * unit for lots, price in signed)
    assert Fraction(value) == Fraction(unit * sum(lots for lots, _ in signed) * mid2, 2)
    assert portfolio.position_lots == portfolio.bought_lots - portfolio.sold_lots


@given(FILLS)
def test_realised_is_what_exact_average_cost_says_to_the_rounding_of_each_close(fills):
    position, entry, realised = 0, Fraction(0), Fraction(0)
    for side, lots, price in fills:
        signed = lots if side == BUY else -lots
        if position * signed >= 0:
            entry += signed * price
        else:
            closed = min(lots, abs(position))
            share = entry * closed / abs(position)
            realised += closed * price * (1 if position > 0 else -1) - share
            entry -= share
            if lots > closed:
                entry = Fraction((lots - closed) * (1 if signed > 0 else -1) * price)
        position += signed
    assert abs(Fraction(booked(fills).realised(), ONE) - realised) <= Fraction(len(fills), ONE)


@given(FILLS, st.integers(2, 2 * 10**7), st.integers(-(10**15), 10**15), st.integers(-(10**15), 10**15))
def test_spread_inventory_and_fees_add_up_to_the_profit(fills, mid2, quote_fee, base_fee):
    portfolio = Portfolio(CENTS)
    for side, lots, price in fills:
        portfolio.book_fill(side, price, lots, quote_fee, "USDT", mid2, True)
        portfolio.book_fill(side, price, lots, base_fee, "BTC", mid2, True)
    fees, spread = portfolio.fees_at(mid2), portfolio.spread()
    inventory = portfolio.realised() + portfolio.unrealised_at(mid2) - spread
    assert spread + inventory - fees == portfolio.equity_at(mid2)
    assert portfolio.equity_at(mid2) == portfolio.cash + portfolio.value_at(mid2) - fees


def test_the_spread_is_earned_against_the_mid_at_the_fill():
    portfolio = booked([(BUY, 2, 99), (SELL, 2, 101)], mid2=200)
    assert (portfolio.spread(), portfolio.equity_at(200)) == (4 * ONE, 4 * ONE)
    portfolio = booked([(BUY, 2, 99)], mid2=200)
    assert portfolio.equity_at(196) - portfolio.spread() == -4 * ONE  # two lots lost two each against the mid


FEES = {  #                          currency   fee          position is   fees in quote at mid 100   told apart
    "charge in quote":            ("USDT", ONE // 10,       ONE // 10,     {}),
    "rebate in quote":            ("USDT", -ONE // 10,      -ONE // 10,    {}),
    "charge in base at the mid":  ("BTC",  ONE // 1000,     ONE // 10,     {}),
    "a third currency":           ("BNB",  ONE // 1000,     0,             {"BNB": ONE // 1000}),
}  # fmt: skip


@pytest.mark.parametrize(("currency", "fee", "in_quote", "foreign"), FEES.values(), ids=FEES)
def test_fees_are_booked_in_their_currency_and_taken_off(currency, fee, in_quote, foreign):
    portfolio = Portfolio(PLAIN)
    portfolio.book_fill(BUY, 100, 1, fee, currency, 200, True)
    assert (portfolio.fees_at(200), portfolio.foreign_fees()) == (in_quote, foreign)
    assert portfolio.equity_at(200) == -in_quote


def test_a_fee_in_base_is_worth_the_same_whatever_the_contract_size():
    hundredth = attrs.evolve(PLAIN, kind="perp", contract_size=Decimal("0.01"))
    assert Portfolio(hundredth).other_value(ONE, 200) == Portfolio(PLAIN).other_value(ONE, 200) == 100 * ONE


def test_extreme_numbers_stay_exact():
    """Twelve digits of price and of size make values far beyond 64 bits."""
    lots, price = 10**12, 10**12
    portfolio = booked([(BUY, lots, price), (SELL, lots, price + 1)])
    assert portfolio.realised() == lots * ONE
    assert portfolio.turnover == (2 * price + 1) * lots * ONE
    portfolio = booked([(SELL, 3, price), (BUY, 1, 1)])
    assert portfolio.realised() == (price - 1) * ONE


@pytest.mark.parametrize(
    ("numerator", "denominator", "expected"),
    [(1, 2, 0), (3, 2, 2), (5, 2, 2), (-1, 2, 0), (-3, 2, -2), (7, 3, 2), (-7, 3, -2), (10**40 + 1, 2, 10**40 // 2)],
)
def test_division_rounds_half_to_even(numerator, denominator, expected):
    assert divided(numerator, denominator) == expected


def test_money_is_told_as_plain_decimals():
    assert money(15 * ONE // 10) == Decimal("1.5")
    assert [money_text(amount) for amount in (15 * ONE // 10, -ONE, 0, 1)] == ["1.5", "-1", "0", "0.000000000000000001"]


def test_what_cannot_be_counted_exactly_is_refused():
    with pytest.raises(ConfigError, match="an inverse contract is not worth so much per step"):
        money_unit(attrs.evolve(PLAIN, is_inverse=True))
    with pytest.raises(ConfigError, match="finer than the 10\\^-18"):
        money_unit(attrs.evolve(PLAIN, price_decimals=12, size_decimals=8))


def test_money_of_any_size_is_shown_to_its_last_digit():
    assert str(money(12_345_678_901_234_567_890_123_456_789_012_345)) == "12345678901234567.890123456789012345"
