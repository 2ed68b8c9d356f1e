"""Profits are added up by currency, and in one only where a mid says what another is worth."""

from __future__ import annotations

from decimal import Decimal

import attrs
import pytest

from quotewright.report.money import PARTS, attribution, in_one_currency, share, totals
from quotewright.report.words import amount, money_warnings, totals_lines
from tests.framework.kernel.stage import BUY, ONE, PLAIN, SELL, Stage
from tests.framework.kernel.test_portfolio_kinds import COIN_CALL, INVERSE, LINEAR

COIN_USD = attrs.evolve(PLAIN, name="BTC-USD.spot@test", quote="USD")
BNB = attrs.evolve(PLAIN, name="BNB-USDT.spot@test", base="BNB")


def stage(instrument, mid, *fills, fee=0, currency="USDT"):
    """Return a view of *instrument* at a mid, after fills of (side, lots, price in ticks)."""
    made = Stage(instrument=instrument).quote(1, mid - 1, mid + 1).view
    for side, lots, price in fills:
        made.portfolio.book_fill(side, price, lots, fee, currency, 2 * mid, True)
    return made


def total_of(*views):
    sums = totals(share(view.portfolio, view) for view in views)
    return sums, in_one_currency(sums, list(views))


def test_the_parts_of_one_portfolio_are_its_profit():
    view = stage(PLAIN, 100, (BUY, 3, 99), (SELL, 1, 102), fee=ONE // 7)
    found = attribution(view.portfolio, view.known_mid2)
    assert found["pnl"] == found["pnl_spread"] + found["pnl_inventory"] - found["fees"] + found["pnl_funding"]
    assert found["pnl"] == found["realised"] + found["unrealised"] - found["fees"]


def test_profits_of_one_currency_are_added_and_their_parts_too():
    sums, total = total_of(stage(PLAIN, 100, (BUY, 3, 99)), stage(LINEAR, 1_000_000, (SELL, 5, 1_000_100)))
    assert list(sums) == ["USDT"] == [total["currency"]]
    assert {name: total[name] for name in PARTS} == sums["USDT"]
    assert (total["conversions"], total["left_out"]) == ({}, [])


def test_coin_is_converted_at_the_mid_of_a_pair_between_exactly_the_two():
    spot = stage(COIN_USD, 10_000, (BUY, 1, 9_999), currency="USD")
    coin = stage(INVERSE, 100_000, (BUY, 1000, 2 * 8_000), currency="BTC")
    sums, total = total_of(spot, coin)
    assert (sums["BTC"]["pnl"], sums["USD"]["pnl"]) == (Decimal("0.25"), 1)
    assert (total["currency"], total["pnl"]) == ("USD", 2_501)
    assert total["conversions"] == {"BTC": {"rate": 10_000, "instrument": "BTC-USD.spot@test"}}
    assert total["pnl"] == total["pnl_spread"] + total["pnl_inventory"] - total["fees"] + total["pnl_funding"]


def test_an_inverse_perpetuals_own_mid_converts_into_coin_too():
    coin = stage(INVERSE, 80_000, (BUY, 1000, 2 * 8_000))
    option = stage(COIN_CALL, 100, (BUY, 10, 19))
    cash = stage(attrs.evolve(COIN_USD, base="ETH", name="ETH-USD.spot@test"), 2_000, (BUY, 8, 1_999), currency="USD")
    _, total = total_of(coin, option, cash)
    assert (total["currency"], total["conversions"]["USD"]["instrument"]) == ("BTC", "BTC-USD.perp@test")
    assert total["pnl"] == Decimal("0.0015")  # eight dollars at 8000, and one option worth a tick more


def test_without_a_mid_between_them_there_is_no_total():
    dollars = stage(attrs.evolve(COIN_USD, base="ETH"), 100, (BUY, 1, 99))
    tethers = stage(PLAIN, 100, (BUY, 1, 99))
    sums, total = total_of(dollars, tethers)
    assert [total[name] for name in ("currency", *PARTS)] == [None] * 6
    told = money_warnings(
        {"total": total, "totals": sums, "instruments": {"a": {"quote": "USD"}, "b": {"quote": "USDT"}}}
    )
    assert told == [
        "there is no total: between USD and USDT no instrument of this run has a mid; profits are told by currency"
    ]


@pytest.mark.parametrize("has_mid", [True, False])
def test_fees_in_a_third_currency_are_converted_or_left_out_and_named(has_mid):
    view = stage(PLAIN, 100, (BUY, 1, 99), fee=2 * ONE, currency="BNB")
    sums, total = total_of(view, stage(BNB if has_mid else attrs.evolve(PLAIN, base="ETH"), 600))
    assert sums["BNB"] == {"pnl": -2, "pnl_spread": 0, "pnl_inventory": 0, "fees": 2, "pnl_funding": 0}
    assert sums["USDT"]["pnl"] == 1
    assert (total["pnl"], total["left_out"]) == ((-1_199, []) if has_mid else (1, ["BNB"]))
    told = money_warnings({"total": total, "totals": sums, "instruments": {}})
    assert told == ([] if has_mid else [
        "fees of 2.00 BNB are not in the total: no instrument of this run has a mid between BNB and USDT"
    ])  # fmt: skip


def test_totals_are_told_by_currency_strategy_and_venue_where_there_are_several():
    spot = stage(COIN_USD, 10_000, (BUY, 1, 9_999), currency="USD")
    coin = stage(INVERSE, 100_000, (BUY, 1000, 2 * 8_000), currency="BTC")
    sums, total = total_of(spot, coin)
    legs = [share(view.portfolio, view) for view in (spot, coin)]
    summary = {
        "total": total, "totals": sums, "instruments": {"a": 1, "b": 2},
        "strategies": {"one": {"legs": legs[:1]}, "other": {"legs": legs[1:]}},
        "profit_by_venue": {"east": totals(legs[:1]), "west": totals(legs[1:]), "idle": {}},
    }  # fmt: skip
    lines = dict(totals_lines(summary))
    assert list(lines) == [
        "total BTC", "total USD", "all in USD", "strategy one", "strategy other", "venue east", "venue west",
    ]  # fmt: skip
    assert lines["all in USD"].startswith("+2,501.0000 = spread +2,501.0000, inventory 0.0000, fees 0.0000, funding")
    assert lines["all in USD"].endswith("BTC at 10000 (BTC-USD.spot@test)")


@pytest.mark.parametrize(
    ("value", "signed", "text"),
    [
        (Decimal("12.3456789"), True, "+12.3457"), (Decimal("-0.00004"), True, "-0.00004000"), (0, True, "0.0000"),
        (Decimal("0.0123"), False, "0.01230000"), (Decimal(1234), False, "1,234.00"), (None, True, "unknown"),
        (Decimal("1e-12"), True, "0.00000000"),
    ],
)  # fmt: skip
def test_money_is_shown_with_as_many_digits_as_it_has(value, signed, text):
    assert amount(value, signed) == text
