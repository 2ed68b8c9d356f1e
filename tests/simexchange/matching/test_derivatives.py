"""Derivative accounts: the arithmetic of positions against hand-made figures and the oracle's money."""

from __future__ import annotations

import decimal
import json
import random
from decimal import Decimal
from typing import Any

import pytest

from quotewright.kernel.codes import BUY, SELL
from quotewright_simexchange.matching.accounts import RATE_UNIT, REFERENCE_UNIT
from quotewright_simexchange.matching.derivatives import DerivativeAccounts
from quotewright_simexchange.matching.ledger import Ledger
from quotewright_simexchange.matching.transactions import CLEARING, FEES, INSURANCE, INVERSE, LINEAR, OPTION
from quotewright_simexchange.oracle.money import Money
from quotewright_simexchange.oracle.numbers import EXACT
from quotewright_simexchange.oracle.orders import Order

UNIT = 10**18
CENT = 10**10
"""One hundred-millionth, the unit that derivatives' money is rounded to."""
KINDS = {"linear": LINEAR, "inverse": INVERSE, "option": OPTION}
ANN, BOB = 0, 1


def linear(ledger: Ledger, **settings: Any) -> DerivativeAccounts:
    """Price steps of 0.1, size steps of 0.001."""
    return DerivativeAccounts(LINEAR, 1, 3, ledger=ledger, currency="USDT", **settings)


def inverse(ledger: Ledger, **settings: Any) -> DerivativeAccounts:
    """Whole prices, contracts of 100."""
    return DerivativeAccounts(INVERSE, 0, 0, multiplier=100, ledger=ledger, currency="BTC", **settings)


def buy(accounts: DerivativeAccounts, account: int, price: int, size: int, other: int = BOB) -> None:
    accounts.trade(other, 1, 0, account, BUY, price, size)


def test_a_linear_position_keeps_its_entry_value_and_realizes_on_closing():
    ledger = Ledger()
    accounts = linear(ledger)
    buy(accounts, ANN, 1000, 3000)  # 3 at 100
    buy(accounts, ANN, 1100, 1000)  # 1 at 110
    assert (accounts.position(ANN), accounts.entry_value(ANN)) == (4000, 410 * UNIT)
    accounts.trade(BOB, 1, 0, ANN, SELL, 1200, 1000)  # a quarter of 410 is 102.5
    assert accounts.realized_profit(ANN) == UNIT * 175 // 10
    assert accounts.entry_value(ANN) == UNIT * 3075 // 10
    assert accounts.realized_profit(BOB) == -UNIT * 175 // 10
    assert ledger.sums() == {"USDT": 0}
    accounts.set_mark(1300 * REFERENCE_UNIT)
    assert accounts.unrealized(ANN) == UNIT * (3900 - 3075) // 10
    assert accounts.unrealized(BOB) == -accounts.unrealized(ANN)


def test_a_trade_through_zero_opens_the_rest_at_its_own_price():
    accounts = linear(Ledger())
    buy(accounts, ANN, 1000, 1000)
    accounts.trade(BOB, 1, 0, ANN, SELL, 1500, 3000)
    assert accounts.position(ANN) == -2000
    assert accounts.entry_value(ANN) == 300 * UNIT
    assert accounts.realized_profit(ANN) == 50 * UNIT


def test_an_inverse_position_is_built_and_closed_in_coin():
    accounts = inverse(Ledger())
    buy(accounts, ANN, 30000, 3)  # 300 / 30000 = 0.01
    assert accounts.entry_value(ANN) == UNIT // 100
    accounts.trade(BOB, 1, 0, ANN, SELL, 40000, 3)  # 0.0075: a long gains what is left of its value
    assert accounts.realized_profit(ANN) == UNIT * 25 // 10000
    assert accounts.value(70000, 1) == 142857 * CENT  # 0.00142857142…


def test_a_rounded_share_stays_in_the_position():
    accounts = inverse(Ledger())
    buy(accounts, ANN, 70000, 3)  # 0.00428571
    accounts.trade(BOB, 1, 0, ANN, SELL, 70000, 2)  # its share is 0.00285714
    assert accounts.entry_value(ANN) == 142857 * CENT
    accounts.trade(BOB, 1, 0, ANN, SELL, 70000, 1)
    assert accounts.entry_value(ANN) == accounts.entry_value(BOB) == 0
    assert accounts.realized_profit(ANN) == -accounts.realized_profit(BOB) == 0


def test_an_option_moves_its_premium_and_caps_its_fee():
    ledger = Ledger()
    accounts = DerivativeAccounts(
        OPTION,
        4,
        1,
        option_rate=RATE_UNIT * 3 // 10000,
        option_cap=RATE_UNIT // 8,
        strike=50000 * 10**4 * REFERENCE_UNIT,
        ledger=ledger,
        currency="BTC",
    )
    accounts.trade(BOB, 1, 0, ANN, BUY, 500, 10)  # one at 0.05: the fee is 0.0003
    assert accounts.cash(ANN) == -UNIT * 5 // 100 - UNIT * 3 // 10000
    accounts.trade(BOB, 1, 0, ANN, BUY, 10, 10)  # one at 0.001: an eighth of the premium is less
    assert accounts.fees[1] == (UNIT * 125 // 1000000, True, UNIT * 125 // 1000000, True)
    assert accounts.settle(ANN, 62500 * 10**4 * REFERENCE_UNIT)  # (62500 - 50000) / 62500 is 0.2 each
    assert accounts.settle(BOB, 62500 * 10**4 * REFERENCE_UNIT)
    assert accounts.amounts == [UNIT * 4 // 10, -UNIT * 4 // 10]
    assert not accounts.settle(ANN, 62500 * 10**4 * REFERENCE_UNIT)
    assert ledger.system(CLEARING, "BTC") == 0
    assert ledger.sums() == {"BTC": 0}


def test_a_put_pays_below_its_strike():
    accounts = DerivativeAccounts(OPTION, 0, 0, strike=100 * REFERENCE_UNIT, is_put=True, ledger=Ledger())
    buy(accounts, ANN, 1, 1)
    accounts.settle(ANN, 80 * REFERENCE_UNIT)
    assert accounts.amounts == [UNIT // 4]


def test_funding_is_paid_by_longs_on_the_value_at_the_mark():
    ledger = Ledger()
    accounts = linear(ledger)
    assert not accounts.fund(ANN, RATE_UNIT)
    buy(accounts, ANN, 1000, 2000)
    assert not accounts.fund(ANN, RATE_UNIT)
    accounts.set_mark(1500 * REFERENCE_UNIT)
    assert accounts.fund(ANN, RATE_UNIT // 1000)
    assert accounts.fund(BOB, RATE_UNIT // 1000)
    assert accounts.amounts == [-UNIT * 3 // 10, UNIT * 3 // 10]
    assert accounts.funding_received(ANN) == accounts.cash(ANN) == -UNIT * 3 // 10
    assert ledger.sums() == {"USDT": 0}


def test_margin_counts_the_opening_part_of_orders_and_the_unrealized_profit():
    ledger = Ledger()
    accounts = linear(ledger, margin_rate=RATE_UNIT // 10)
    ledger.deposit(ANN, "USDT", 20 * UNIT)
    buy(accounts, ANN, 1000, 1000)  # entry value 100
    assert accounts.add_margin(ANN, BUY, 1000, 1000)
    assert accounts.can_margin(ANN)  # 0.1 x 200 is what there is
    accounts.add_margin(ANN, BUY, 1000, 1001)
    assert not accounts.can_margin(ANN)
    accounts.add_margin(ANN, SELL, 1000, 2000)  # one of the two closes
    assert accounts.can_margin(ANN)
    accounts.set_mark(990 * REFERENCE_UNIT)
    accounts.add_margin(ANN, BUY, 1000, 1000)
    assert not accounts.can_margin(ANN)
    accounts.add_margin(BOB, BUY, 1000, 10**9)
    assert accounts.can_margin(BOB)  # without funds nothing is checked


def test_margin_is_one_for_all_derivatives_of_a_currency():
    ledger = Ledger()
    first = linear(ledger, margin_rate=RATE_UNIT // 10, maintenance_rate=RATE_UNIT // 20)
    second = linear(ledger, margin_rate=RATE_UNIT // 10, maintenance_rate=RATE_UNIT // 20)
    ledger.deposit(ANN, "USDT", 20 * UNIT)
    buy(first, ANN, 1000, 1000)
    second.add_margin(ANN, BUY, 1000, 1001)
    assert not second.can_margin(ANN)
    buy(second, ANN, 1000, 1000)
    first.set_mark(900 * REFERENCE_UNIT)
    second.set_mark(1000 * REFERENCE_UNIT)
    assert first.equity(ANN) == second.equity(ANN) == 10 * UNIT
    assert not first.is_breached(ANN)  # 9.5 is needed
    second.set_mark(990 * REFERENCE_UNIT)
    assert second.is_breached(ANN)
    assert first.is_breached(ANN)
    assert not first.is_breached(BOB)


def test_the_insurance_covers_what_is_below_zero_once_all_positions_are_closed():
    ledger = Ledger()
    accounts = linear(ledger)
    ledger.deposit(ANN, "USDT", 5 * UNIT)
    buy(accounts, ANN, 1000, 2000)
    accounts.trade(BOB, 1, 0, ANN, SELL, 900, 1000)
    assert accounts.cash(ANN) == -5 * UNIT
    assert not accounts.insure(ANN)
    accounts.trade(BOB, 1, 0, ANN, SELL, 1000, 1000)
    assert accounts.insure(ANN)
    assert not accounts.insure(ANN)
    assert accounts.amounts == [5 * UNIT]
    assert (accounts.cash(ANN), ledger.system(INSURANCE, "USDT")) == (0, -5 * UNIT)
    assert ledger.sums() == {"USDT": 0}


def test_fees_go_to_the_exchange_and_an_account_can_have_rates_of_its_own():
    ledger = Ledger(keep=None)
    accounts = linear(ledger, maker_rate=-RATE_UNIT // 10000, taker_rate=RATE_UNIT // 1000)
    buy(accounts, ANN, 1000, 1000)
    assert accounts.fees == [(-UNIT // 100, False, UNIT // 10, False)]
    ledger.set_rates(ANN, None, 0)
    buy(accounts, ANN, 1000, 1000)
    assert accounts.fees[1] == (-UNIT // 100, False, 0, False)
    assert accounts.fees_paid(ANN) == UNIT // 10
    assert ledger.system(FEES, "USDT") == UNIT * 8 // 100
    assert [one.kind for one in ledger.transactions()] == ["trade", "fee", "fee", "trade", "fee"]


def test_an_account_that_trades_with_itself_pays_only_fees():
    accounts = linear(Ledger(), taker_rate=RATE_UNIT // 1000)
    buy(accounts, ANN, 1000, 1000, other=ANN)
    assert accounts.position(ANN) == accounts.entry_value(ANN) == 0
    assert accounts.cash(ANN) == -UNIT // 10


def test_a_position_is_given_and_given_only_once():
    ledger = Ledger()
    accounts = linear(ledger)
    accounts.add_position(ANN, -2000, 1000)
    assert (accounts.position(ANN), accounts.entry_value(ANN)) == (-2000, 200 * UNIT)
    assert ledger.sums() == {"USDT": 0}
    with pytest.raises(ValueError, match="has a position of -2000 size steps already"):
        accounts.add_position(ANN, 1, 1)


def test_settings_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="kind should be 1, 2 or 3, was 4"):
        DerivativeAccounts(4, 0, 0)
    with pytest.raises(ValueError, match="multiplier should be above zero"):
        DerivativeAccounts(LINEAR, 0, 0, multiplier=0)
    with pytest.raises(ValueError, match="cannot hold price, size and multiplier of 20 decimals"):
        DerivativeAccounts(LINEAR, 10, 10)


class Pair:
    """The same trades, funding and settlement in the accounts and in the oracle's money, on a grid of 0.5 and 0.1."""

    def __init__(self, kind: str, seed: int, ledger: Ledger, mult: str = "1") -> None:
        rng = random.Random(seed)
        rates = [rng.choice((-3, 0, 2, 5)) for _ in range(2)]
        option_rate, cap = ("0.0003", "0.125") if kind == "option" else (None, None)
        self.oracle = Money(
            {
                "kind": kind,
                "mult": mult,
                "base": "COIN",
                "quote": "COIN",
                "fee_mode": "received",
                "fee_scale": 8,
                "maker_fee": str(Decimal(rates[0]) / 10000),
                "taker_fee": str(Decimal(rates[1]) / 10000),
                "option_fee_rate": option_rate,
                "option_fee_cap": cap,
            },
            {name: {"cash": "0"} for name in ("0", "1", "2", "3")},
        )
        self.is_option = kind == "option"
        self.mult = Decimal(mult)
        self.accounts = DerivativeAccounts(
            KINDS[kind],
            1,
            1,
            multiplier=int(self.mult * 100),
            multiplier_decimals=2,
            maker_rate=rates[0] * RATE_UNIT // 10000,
            taker_rate=rates[1] * RATE_UNIT // 10000,
            option_rate=RATE_UNIT * 3 // 10000 if self.is_option else 0,
            option_cap=RATE_UNIT // 8 if self.is_option else -1,
            strike=1000 * REFERENCE_UNIT,
            ledger=ledger,
            currency="COIN",
        )

    def trade(self, maker: int, taker: int, side: int, price: int, size: int) -> None:
        self.accounts.clear()
        self.accounts.trade(maker, 1, 0, taker, side, price, size)
        sides = ("sell", "buy") if side == BUY else ("buy", "sell")
        qty, at = Decimal(size) / 10, Decimal(price) / 10
        made, taken = (
            Order(str(who), str(who), way, "limit", qty, qty, price=at)
            for who, way in zip((maker, taker), sides, strict=True)
        )
        fees = self.oracle.trade(made, taken, qty, ("maker", "taker"))
        ours = self.accounts.fees
        assert (fees is None) == (not ours)
        if fees is not None:
            assert Decimal(fees["maker"][0]) * UNIT == ours[0][0]
            assert Decimal(fees["taker"][0]) * UNIT == ours[0][2]

    def fund(self, account: int, mark: int, rate: int) -> None:
        self.accounts.clear()
        self.accounts.set_mark(mark * REFERENCE_UNIT)
        if self.accounts.fund(account, rate * RATE_UNIT // 10**6):
            amount = self.oracle.fund(self.oracle.account(str(account)), Decimal(mark) / 10, Decimal(rate) / 10**6)
            assert [amount * UNIT] == self.accounts.amounts

    def settle(self, account: int, price: int) -> None:
        self.accounts.clear()
        if self.accounts.settle(account, price * REFERENCE_UNIT):
            amount = self.oracle.settle(
                self.oracle.account(str(account)), Decimal(price) / 10, Decimal(100), "call" if self.is_option else None
            )
            assert [amount * UNIT] == self.accounts.amounts

    def compare(self, mark: int) -> None:
        accounts = self.accounts
        accounts.set_mark(mark * REFERENCE_UNIT)
        for number in range(4):
            theirs = self.oracle.account(str(number))
            assert theirs.position * 10 == accounts.position(number)
            assert theirs.entry_value * UNIT == accounts.entry_value(number)
            assert theirs.realized * UNIT == accounts.realized_profit(number)
            assert theirs.fees * UNIT == accounts.fees_paid(number)
            assert theirs.funding * UNIT == accounts.funding_received(number)
            assert self.oracle.unrealized(theirs, Decimal(mark) / 10) * UNIT == accounts.unrealized(number)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(4))
def test_random_streams_over_two_instruments_agree_with_the_oracle_and_sum_to_zero(kind: str, seed: int):
    rng = random.Random(seed)
    ledger = Ledger(keep=None)
    pairs = [Pair(kind, 2 * seed, ledger), Pair(kind, 2 * seed + 1, ledger, "0.37")]
    with decimal.localcontext(EXACT):
        for _ in range(250):
            pair = rng.choice(pairs)
            dice = rng.random()
            if dice < 0.9:
                maker, taker = rng.randrange(4), rng.randrange(4)
                pair.trade(maker, taker, rng.choice((BUY, SELL)), rng.randint(700, 1400), rng.randint(1, 60))
            elif dice < 0.97:
                pair.fund(rng.randrange(4), rng.randint(700, 1400), rng.randint(-900, 900))
            else:
                pair.settle(rng.randrange(4), rng.randint(700, 1400))
            pair.compare(rng.randint(700, 1400))
            assert ledger.sums() == {"COIN": 0}
        for number in range(4):
            cash = sum(pair.oracle.account(str(number)).cash for pair in pairs)
            assert cash * UNIT == pairs[0].accounts.cash(number)
    wallets = [0] * 4
    for transaction in ledger.transactions():
        for account, _, amount, is_position in transaction.postings:
            if account >= 0 and not is_position:
                wallets[account] += amount
    assert wallets == [pairs[0].accounts.cash(number) for number in range(4)]


def test_restored_accounts_have_the_same_state():
    ledger = Ledger()
    accounts = linear(ledger, taker_rate=RATE_UNIT // 1000)
    buy(accounts, ANN, 1000, 1000)
    accounts.set_mark(1100 * REFERENCE_UNIT)
    saved = json.loads(json.dumps([ledger.snapshot(), accounts.snapshot()]))
    copy = Ledger()
    again = linear(copy, taker_rate=RATE_UNIT // 1000)
    assert again.state() != accounts.state()
    copy.restore(saved[0])
    again.restore(saved[1])
    assert again.state() == accounts.state()
    assert again.unrealized(ANN) == accounts.unrealized(ANN) == 10 * UNIT
