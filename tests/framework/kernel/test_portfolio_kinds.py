"""Money of every kind of contract: inverse ones in coin, options, funding, expiry, and lives that add up."""

from __future__ import annotations

import random
from decimal import Decimal
from fractions import Fraction

import attrs
import pytest

from quotewright.errors import ConfigError, InputError
from quotewright.kernel.contract_money import ContractMoney, divided, money
from quotewright.kernel.portfolio import Portfolio
from quotewright.model.instrument import Instrument
from tests.framework.kernel.stage import BUY, ONE, PLAIN, SECOND, SELL

INVERSE = Instrument(
    name="BTC-USD.perp@test", symbol="BTCUSD", venue="test", kind="perp", base="BTC", quote="USD", settle="BTC",
    price_decimals=1, size_decimals=0, tick_steps=5, contract_size=Decimal(10), is_inverse=True,
)  # fmt: skip
LINEAR = Instrument(
    name="BTC-USDT.perp@test", symbol="BTCUSDT", venue="test", kind="perp", base="BTC", quote="USDT", settle="USDT",
    price_decimals=2, size_decimals=3, contract_size=Decimal("0.1"),
)  # fmt: skip
COIN_CALL = Instrument(
    name="BTC-USD.270326-50000-C@test", symbol="CALL", venue="test", kind="option", base="BTC", quote="USD",
    settle="BTC", price_decimals=4, size_decimals=1, tick_steps=5,
)  # fmt: skip
COIN_PUT = attrs.evolve(COIN_CALL, name="BTC-USD.270326-50000-P@test")
CALL = attrs.evolve(COIN_CALL, name="BTC-USDT.270326-50000-C@test", quote="USDT", settle="USDT", price_decimals=2)
FUTURE = attrs.evolve(INVERSE, name="BTC-USD.270326@test", kind="future")


def life(instrument, *fills):
    """Book (side, lots, price) and return the portfolio; prices are decimals."""
    portfolio = Portfolio(instrument)
    for side, lots, price in fills:
        portfolio.book_fill(side, instrument.price_ticks(Decimal(str(price))), lots, 0, portfolio.quote, 0, True)
    return portfolio


def mid2(instrument, price):
    return int(2 * Decimal(str(price)).scaleb(instrument.price_decimals))


def coin(text):
    return int(Decimal(text).scaleb(18))


THIRD = "13333.33333333333333333333333"
GOLDEN = {  # contracts of 10 USD: fills, mark, realised, unrealised, average
    "long":               ([(BUY, 1000, 10_000), (SELL, 1000, 12_500)],  12_500, "0.2",    "0",        0),
    "short":              ([(SELL, 1000, 10_000), (BUY, 1000, 8_000)],  8_000, "0.25",   "0",        0),
    "from flat":          ([(SELL, 1000, 10_000)],  12_500, "0",      "-0.2",     10_000),
    "harmonic mean":      ([(BUY, 100, 10_000), (BUY, 100, 20_000)],  20_000, "0",      "0.05",     THIRD),
    "part of a short":    ([(SELL, 2000, 10_000), (BUY, 1000, 8_000)],  8_000, "0.25",   "0.25",     10_000),
    "flip to short":      ([(BUY, 1000, 10_000), (SELL, 2000, 12_500)],  10_000, "0.2",    "0.2",      12_500),
    "flip to long":       ([(SELL, 1000, 10_000), (BUY, 3000, 8_000)],  10_000, "0.25",   "0.5",      8_000),
}  # fmt: skip


@pytest.mark.parametrize(("fills", "mark", "realised", "unrealised", "average"), GOLDEN.values(), ids=GOLDEN)
def test_inverse_contracts_earn_coin_by_signed_average_cost(fills, mark, realised, unrealised, average):
    portfolio = life(INVERSE, *fills)
    at = mid2(INVERSE, mark)
    assert (money(portfolio.realised()), money(portfolio.unrealised_at(at))) == (Decimal(realised), Decimal(unrealised))
    assert portfolio.average_price() == Decimal(average)
    assert portfolio.realised() + portfolio.unrealised_at(at) == portfolio.cash + portfolio.value_at(at)
    assert (portfolio.quote, portfolio.other) == ("BTC", "USD")


def test_what_does_not_come_out_even_is_rounded_once_half_to_even():
    portfolio = life(INVERSE, (BUY, 10, 7_000))  # 100 USD at 7000 are 0.0142857142857142857142…
    assert portfolio.cash == 14_285_714_285_714_286
    assert portfolio.entry_value == -portfolio.cash
    portfolio.book_fill(SELL, INVERSE.price_ticks(Decimal(9_000)), 4, 0, "BTC", 0, True)
    assert portfolio.entry_value == -14_285_714_285_714_286 + divided(14_285_714_285_714_286 * 4, 10)
    assert portfolio.cash == 14_285_714_285_714_286 - divided(40 * ONE, 9_000)


def test_the_face_of_an_inverse_contract_is_its_value_in_quote_currency():
    made = ContractMoney(INVERSE)
    assert made.notional(7, 123_456) == 70 * ONE
    assert ContractMoney(LINEAR).notional(7, 1_000_000) == 7 * ONE  # 0.007 contracts of 0.1 at 10,000


@pytest.mark.parametrize("price", [0, -1])
def test_an_inverse_contract_has_no_worth_at_no_price(price):
    with pytest.raises(InputError, match=r"BTC-USD.perp@test: an inverse contract has a positive price, was"):
        Portfolio(INVERSE).book_fill(BUY, price, 1, 0, "BTC", 0, True)


def test_the_spread_of_inverse_contracts_is_earned_in_coin():
    portfolio = Portfolio(INVERSE)
    portfolio.book_fill(BUY, 2 * 8_000, 1000, 0, "BTC", mid2(INVERSE, 10_000), True)
    assert money(portfolio.spread()) == Decimal("0.25")  # in at 1.25 coins, worth 1
    assert portfolio.equity_at(mid2(INVERSE, 10_000)) == portfolio.spread()


FEES = {  #                            instrument  currency  mid     in settlement currency  apart
    "coin of an inverse contract":    (INVERSE,   "BTC",    10_000, "1",                    {}),
    "dollars of an inverse contract": (INVERSE,   "USD",    10_000, "0.0001",               {}),
    "points of an inverse contract":  (INVERSE,   "BNB",    10_000, "0",                    {"BNB": ONE}),
    "coin of an option in coin":      (COIN_CALL, "BTC",    0.02,   "1",                    {}),
    "a premium is no exchange rate":  (CALL,      "BTC",    900,    "0",                    {"BTC": ONE}),
}  # fmt: skip


@pytest.mark.parametrize(("instrument", "currency", "at", "expected", "apart"), FEES.values(), ids=FEES)
def test_fees_are_valued_at_the_mid_only_where_it_is_an_exchange_rate(instrument, currency, at, expected, apart):
    portfolio = Portfolio(instrument)
    portfolio.book_fill(BUY, instrument.price_ticks(Decimal(str(at))), 1, ONE, currency, 0, True)
    assert money(portfolio.fees_at(mid2(instrument, at))) == Decimal(expected)
    assert portfolio.foreign_fees() == apart


FUNDING = {  #                      instrument  lots   rate          mark    received
    "a long pays":                 (LINEAR,   10_000, "0.0001",    50_000,  "-5"),
    "a short receives":            (LINEAR,  -10_000, "0.0001",    50_000,  "5"),
    "a negative rate is for longs": (LINEAR,  10_000, "-0.0001",   50_000,  "5"),
    "inverse, in coin":            (INVERSE,   5_000, "0.0001",    50_000,  "-0.0001"),
    "inverse short":               (INVERSE,  -5_000, "0.0001",    50_000,  "0.0001"),
    "rounded":                     (INVERSE,       1, "0.0001",    30_000,  "-0.000000033333333333"),
    "no mark, no payment":         (LINEAR,   10_000, "0.0001",    0,       "0"),
}  # fmt: skip


@pytest.mark.parametrize(("instrument", "lots", "rate", "mark", "received"), FUNDING.values(), ids=FUNDING)
def test_longs_pay_a_positive_rate_on_the_value_at_the_mark(instrument, lots, rate, mark, received):
    made = ContractMoney(instrument)
    amount = made.funding_of(lots * instrument.lot_steps, int(Decimal(rate).scaleb(15)), mark * 10**9)
    assert money(amount) == Decimal(received)


def test_funding_is_part_of_the_profit_and_of_no_other_part():
    portfolio = life(LINEAR, (BUY, 10_000, 50_000))
    at = mid2(LINEAR, 50_000)
    portfolio.book_funding(-5 * ONE)
    assert portfolio.attribution_at(at) == (-5 * ONE, 0, 0, 0, -5 * ONE)
    assert portfolio.funding_count == 1


EXPIRY = {  #               instrument  bought at     settled at  worth       profit
    "call in the money":   (COIN_CALL, (10, "0.01"),  62_500,    "0.2",      "0.19"),
    "call out of it":      (COIN_CALL, (10, "0.01"),  49_999,    "0",        "-0.01"),
    "put in the money":    (COIN_PUT,  (10, "0.01"),  40_000,    "0.25",     "0.24"),
    "call in dollars":     (CALL,      (10, 900),     51_000,    "1000",     "100"),
    "inverse future":      (FUTURE,    (1000, 10_000), 12_500,   "-0.8",     "0.2"),
}  # fmt: skip


@pytest.mark.parametrize(("instrument", "bought", "price", "worth", "profit"), EXPIRY.values(), ids=EXPIRY)
def test_expiry_pays_what_a_contract_is_worth_then(instrument, bought, price, worth, profit):
    portfolio = life(instrument, (BUY, *bought))
    sold = life(instrument, (SELL, *bought))
    assert money(portfolio.settle(price * 10**9)) == Decimal(worth)
    sold.settle(price * 10**9)
    assert (portfolio.position_lots, portfolio.entry_value, portfolio.settled_lots) == (0, 0, bought[0])
    assert money(portfolio.equity_at(0)) == Decimal(profit) == -money(sold.equity_at(0))


def test_an_option_without_terms_in_its_name_cannot_be_settled():
    assert not ContractMoney(attrs.evolve(COIN_CALL, name="CALL")).can_settle()
    assert not ContractMoney(PLAIN).can_settle()
    assert ContractMoney(COIN_CALL).can_settle()
    assert ContractMoney(COIN_CALL).expiry_ns == 1_806_019_200 * SECOND  # 26 March 2027, 00:00 UTC
    with pytest.raises(InputError, match="a settlement price should be positive"):
        ContractMoney(COIN_CALL).settlement_of(1, 0)


def test_a_contract_finer_than_money_is_refused():
    with pytest.raises(ConfigError, match="one size step at a price of 1 is 1E-20 USD, finer than"):
        Portfolio(attrs.evolve(INVERSE, contract_size=Decimal("1e-20")))


KINDS = {
    "spot": PLAIN,
    "linear": LINEAR,
    "inverse": INVERSE,
    "option in coin": COIN_CALL,
    "option in dollars": CALL,
    "inverse future": FUTURE,
}


@pytest.mark.parametrize("kind", KINDS)
def test_profit_is_spread_inventory_fees_and_funding_to_the_last_digit_in_ten_thousand_lives(kind):
    """Spread and inventory are reckoned apart here: of each fill against the mid, of each move on the position."""
    instrument, rng = KINDS[kind], random.Random(f"lives of {kind}")
    expires = instrument.kind in ("option", "future")
    for _ in range(10_000 // len(KINDS) + 1):
        portfolio, price, roundings = Portfolio(instrument), rng.randrange(200, 400_000), 0
        spread2 = inventory2 = 0
        fees, funding, last2 = 0, 0, 0
        for _ in range(rng.randrange(1, 9)):
            now2 = 2 * price + rng.randrange(-200, 200)
            size = portfolio.position_lots * instrument.lot_steps
            inventory2 += moved2(portfolio, size, last2, now2)
            last2 = now2
            price += rng.randrange(-50, 51)
            if rng.random() < 0.2:
                amount = portfolio.funding_of(size, rng.randrange(-(10**12), 10**12), price * 10**7)
                portfolio.book_funding(amount)
                funding += amount
                continue
            side, lots, ticks = rng.choice((BUY, SELL)), rng.randrange(1, 5_000), max(1, price // instrument.tick_steps)
            fee, currency = rng.randrange(-(10**14), 10**15), portfolio.quote if rng.random() < 0.9 else "BNB"
            portfolio.book_fill(side, ticks, lots, fee, currency, now2, True)
            signed = lots * instrument.lot_steps * (1 if side == BUY else -1)
            spread2 += moved2(portfolio, signed, 2 * ticks * instrument.tick_steps, now2)
            roundings += 2
            fees += fee if currency == portfolio.quote else 0
        if expires and portfolio.position_lots:
            size, index = portfolio.position_lots * instrument.lot_steps, rng.randrange(30_000, 70_000) * 10**9
            worth = portfolio.settle(index)
            inventory2 += 2 * worth + moved2(portfolio, size, last2, 0)
            roundings += 1
        elif portfolio.position_lots:
            end2 = max(2, last2 + rng.randrange(-99, 99))
            inventory2 += moved2(portfolio, portfolio.position_lots * instrument.lot_steps, last2, end2)
            last2 = end2
            roundings += 1
        found = portfolio.attribution_at(last2)
        total, *parts = (money(amount) for amount in found)
        assert total - (parts[0] + parts[1] - parts[2] + parts[3]) == 0
        assert portfolio.realised() + portfolio.unrealised_at(last2) == portfolio.cash + portfolio.value_at(last2)
        assert total == money(portfolio.realised() + portfolio.unrealised_at(last2) - found.fees + found.funding)
        assert (found.fees, found.funding) == (fees, funding)
        slack = roundings if portfolio.is_inverse else 0
        assert abs(found.spread - spread2 / 2 if slack else 2 * found.spread - spread2) <= slack
        assert abs(found.inventory - inventory2 / 2 if slack else 2 * found.inventory - inventory2) <= slack


def moved2(made, size, before2, after2):
    """Return twice what a size earns as the price goes from one to the other (both doubled, 0: none), unrounded."""
    if not made.is_inverse:
        return made.unit * size * (after2 - before2)
    worth = [Fraction(-2 * made.unit * size, price2) if price2 else Fraction(0) for price2 in (before2, after2)]
    return 2 * (worth[1] - worth[0])
