"""Funding and expiry as a run books them from its own rows, and what fills came to in money afterwards."""

from __future__ import annotations

from decimal import Decimal

import attrs
import pytest

from quotewright.config.units import Amount
from quotewright.errors import ConfigError
from quotewright.kernel.amounts import BoundAmount
from quotewright.kernel.codes import CLOSED, FUNDING, INDEX, MARK, NEVER, STATUS, UNDERLYING
from quotewright.kernel.contract_money import money
from quotewright.kernel.markouts import Markouts
from quotewright.kernel.portfolio import Portfolio
from quotewright.kernel.view import pay
from quotewright.model.names import expiry_ns
from quotewright.model.orders import Payment
from quotewright.wiring import BindContext
from tests.framework.kernel.stage import BUY, ONE, PLAIN, SECOND, SELL, Market, ObedientVenue, Run, Stage, Told
from tests.framework.kernel.test_portfolio_kinds import COIN_CALL, INVERSE, LINEAR

PERP = attrs.evolve(PLAIN, name="BTC-USDT.perp@test", kind="perp")
RATE = 10**11  # one basis point, in 10^-15
HOUR = 3600 * SECOND


def held(lots, price=100, instrument=PERP):
    """Return a stage that holds a position."""
    return (
        Stage(instrument=instrument).quote(1, price - 1, price + 1).trade(BUY if lots > 0 else SELL, abs(lots), price)
    )


def announced(stage, at, rate, next_ns, mark=100 * 10**9):
    return stage.show(Market().row(at, mark, 0, MARK)).show(Market().row(at, rate, next_ns, FUNDING))


def test_funding_is_booked_at_its_time_on_the_position_held_then():
    stage = announced(held(10_000), 2, RATE, 8 * HOUR)
    stage.quote(8 * HOUR, 99, 101)
    assert stage.view.portfolio.funding == 0, "not before the hour has passed"
    stage.quote(8 * HOUR + 1, 99, 101)
    assert money(stage.view.portfolio.funding) == -100
    assert stage.view.equity == -100 * ONE
    assert stage.view.payments == [(8 * HOUR, "funding", 10_000, RATE, 100 * 10**9, -100 * ONE)]
    stage.quote(20 * HOUR, 99, 101)
    assert stage.view.portfolio.funding_count == 1, "once"


def test_the_last_rate_told_for_the_hour_counts_and_the_next_one_for_the_next():
    stage = announced(announced(held(-10_000), 2, 5 * RATE, HOUR), 3, -RATE, HOUR)
    announced(stage, HOUR, 9 * RATE, 2 * HOUR)  # told at the very moment the first one is due
    assert money(stage.view.portfolio.funding) == -100, "a short pays a negative rate"
    announced(stage, 2 * HOUR + 1, RATE, 3 * HOUR)
    assert [payment[3] for payment in stage.view.payments] == [-RATE, 9 * RATE]


def test_without_a_mark_the_mid_is_taken():
    stage = held(10_000).show(Market().row(2, RATE, HOUR, FUNDING)).quote(HOUR + 1, 109, 111)
    assert money(stage.view.portfolio.funding) == -100, "at the mid before the hour"


def test_a_rate_without_a_time_accrues_by_the_second_as_one_of_eight_hours():
    stage = announced(held(28_800), 0, RATE, 0)
    stage.quote(10 * SECOND + 1, 99, 101)
    assert money(stage.view.portfolio.funding) == Decimal("-0.1"), "ten seconds of 288 in eight hours"
    announced(stage, 15 * SECOND, 3 * RATE, 0)
    stage.quote(16 * SECOND, 99, 101).quote(20 * SECOND + 1, 99, 101)
    assert money(stage.view.portfolio.funding) == Decimal("-0.3")
    assert [payment[1:3] for payment in stage.view.payments] == [("accrual", 28_800)], "told once an hour"
    assert money(stage.view.payments[0][5]) == Decimal("-0.3")
    stage.quote(HOUR + 1, 99, 101).quote(2 * HOUR - 1, 99, 101)
    assert len(stage.view.payments) == 2


def test_a_time_told_once_is_kept_by_rates_that_tell_none():
    stage = announced(announced(held(10_000), 2, RATE, HOUR), 3, 2 * RATE, 0)
    stage.quote(HOUR + 1, 99, 101)
    assert [payment[1:4] for payment in stage.view.payments] == [("funding", 10_000, 2 * RATE)]
    assert stage.view.funding_due_ns == NEVER


def test_a_flat_book_a_spot_pair_and_a_venue_that_tells_itself_are_not_charged():
    flat = announced(Stage(instrument=PERP).quote(1, 99, 101), 2, RATE, HOUR).quote(HOUR + 1, 99, 101)
    spot = announced(held(5, instrument=PLAIN), 2, RATE, HOUR).quote(HOUR + 1, 99, 101)
    told = held(5)
    told.view.books_funding = False
    announced(told, 2, RATE, HOUR).quote(HOUR + 1, 99, 101)
    assert [stage.view.payments for stage in (flat, spot, told)] == [[], [], []]


def test_every_portfolio_of_the_instrument_pays_on_its_own_position():
    stage = held(10_000)
    mine, other = Portfolio(PERP), Portfolio(PERP)
    mine.book_fill(BUY, 100, 30_000, 0, "USDT", 200, True)
    other.book_fill(SELL, 100, 20_000, 0, "USDT", 200, True)
    stage.view.portfolios.extend((mine, other))
    announced(stage, 2, RATE, HOUR).quote(HOUR + 1, 99, 101)
    assert [money(each.funding) for each in stage.view.portfolios] == [-100, -300, 200]
    assert len(stage.view.payments) == 1, "the instrument's own are remembered"


def test_a_fill_known_after_the_hour_pays_nothing_for_it_though_no_row_came_between():
    def quote(view, quotes):
        quotes.bid(99, 3)

    market = Market().snapshot(1, 99, 101).row(2, 100 * 10**9, 0, MARK).row(3, RATE, 500, FUNDING)
    venue = ObedientVenue(latency=10)
    run = Run(market.trade(5_000, SELL, 99, 1), Told(quote, every=100), venue=venue)
    run.view.books_funding = True
    venue.script.append((480, venue.hit(BUY, 2)))  # known at 490
    venue.script.append((495, venue.hit(BUY, 1)))  # known at 505
    run.until(550)
    assert [payment[:3] for payment in run.view.payments] == [(500, "funding", 2)]
    assert run.view.position_lots == 3


DAY = expiry_ns("270326")
EXPIRED = {  #               rows told                   at                 position and worth after
    "index":              ([(62_500, INDEX)],            DAY + 8 * HOUR,    0,  "0.2"),
    "underlying":         ([(62_500, UNDERLYING)],       DAY + 8 * HOUR,    0,  "0.2"),
    "index first":        ([(40_000, UNDERLYING), (62_500, INDEX)], DAY,    0,  "0.2"),
    "closed before":      ([(62_500, INDEX)],            DAY - 1,           10, None),
    "nothing known":      ([],                           DAY,               10, None),
}  # fmt: skip


@pytest.mark.parametrize(("rows", "at", "position", "worth"), EXPIRED.values(), ids=EXPIRED)
def test_an_option_is_settled_when_it_closes_on_its_day(rows, at, position, worth):
    stage = Stage(instrument=COIN_CALL).quote(1, 95, 105).trade(BUY, 10, 20)
    for price, kind in rows:
        stage.show(Market().row(2, price * 10**9, 0, kind))
    stage.show(Market().row(at, 0, CLOSED, STATUS))
    assert stage.view.position_lots == position
    assert [money(payment[5]) for payment in stage.view.payments] == ([Decimal(worth)] if worth else [])


def test_markouts_count_money_beside_the_spread_of_the_same_fills():
    markouts = Markouts(Portfolio(PLAIN))
    markouts.on_fill(0, BUY, 200, 3, 99)
    markouts.on_fill(0, SELL, 200, 2, 102)
    markouts.catch_up(SECOND, 196)
    buys, sells, both = markouts.of_side(BUY)[0], markouts.of_side(SELL)[0], markouts.of_side(0)[0]
    assert buys == (1, 1, -200.0, -6 * ONE, 3 * ONE, 297 * ONE)
    assert sells == (1, 1, 200.0, 4 * ONE, 4 * ONE, 204 * ONE)
    assert both == (1, 2, 0.0, -2 * ONE, 7 * ONE, 501 * ONE)


def test_markouts_of_inverse_contracts_are_coins():
    markouts = Markouts(Portfolio(INVERSE))
    markouts.on_fill(0, BUY, 200_000, 1000, 2 * 10_000)
    markouts.catch_up(SECOND, 250_000)
    (first, *_) = markouts.of_side(0)
    assert (money(first.money), first.bps_sum) == (Decimal("0.2"), 2500.0)


def test_a_limit_of_money_is_in_the_settlement_currency_and_never_for_two_of_them():
    views = tuple(Stage(instrument=each).view for each in (attrs.evolve(INVERSE, settle=""), LINEAR))
    coin = BindContext(name="loss", where="risk.loss", views=views[:1])
    assert coin.money(Amount(Decimal("0.5"), "BTC")) == ONE // 2
    with pytest.raises(ConfigError, match=r"risk\.loss: unit should be BTC, was 'USD'"):
        coin.money(Amount(Decimal(5), "USD"))
    with pytest.raises(ConfigError, match="settle in BTC and USDT; one amount cannot hold for all of them"):
        BindContext(name="loss", where="risk.loss", views=views).money(Amount(Decimal(5), "quote"))


AMOUNTS = {  #                      amount                 lots  quote money
    "face of inverse contracts":  (INVERSE, "500", "USD",   50,   500),
    "coins of inverse contracts": (INVERSE, "0.05", "BTC",  50,   500),
    "contracts":                  (INVERSE, "7", "contracts", 7,  70),
    "coins of linear contracts":  (LINEAR,  "0.05", "BTC",  500,  500),
    "linear contracts":           (LINEAR,  "0.5", "contracts", 500, 500),
    "quote":                      (LINEAR,  "500", "USDT",  500,  500),
}  # fmt: skip


@pytest.mark.parametrize(("instrument", "value", "unit", "lots", "quote"), AMOUNTS.values(), ids=AMOUNTS)
def test_amounts_become_contracts_and_money(instrument, value, unit, lots, quote):
    scale = 10**instrument.price_decimals
    view = Stage(instrument=instrument).quote(1, 9_999 * scale, 10_001 * scale).view
    bound = BoundAmount(Amount(value=Decimal(value), unit=unit), [view], "here")
    assert (bound.lots(view), money(bound.money(view)), bound.applies_to(view)) == (lots, quote, True)


def told(what, amount=0, price=0, instrument=0):
    return Payment(
        instrument=instrument, event_ns=1, receive_ns=9, what=what, amount=amount, rate=RATE, price=price
    )  # fmt: skip


def test_a_venue_that_reports_funding_is_believed_and_strategies_share_it_by_position():
    view = held(-4).view
    mine, other = Portfolio(PERP), Portfolio(PERP)
    mine.book_fill(SELL, 100, 6, 0, "USDT", 200, True)
    other.book_fill(BUY, 100, 2, 0, "USDT", 200, True)
    view.portfolios.extend((mine, other))
    assert pay([view], told("funding", 10 * ONE, 100 * 10**9))
    assert [money(each.funding) for each in view.portfolios] == [10, 15, -5]
    assert view.payments == [(9, "funding", -4, RATE, 100 * 10**9, 10 * ONE)]


def test_a_settlement_by_the_venue_closes_the_position_at_its_price():
    stage = Stage(instrument=COIN_CALL).quote(1, 95, 105).trade(BUY, 10, 20)
    assert pay([stage.view], told("settlement", price=62_500 * 10**9))
    assert (stage.view.position_lots, money(stage.view.payments[0][5])) == (0, Decimal("0.2"))


@pytest.mark.parametrize("instrument", [-1, 1, 2])
def test_a_payment_for_what_is_not_watched_is_not_booked(instrument):
    assert not pay([held(1).view, None], told("funding", ONE, instrument=instrument))


def test_payments_among_the_reports_are_booked_and_belong_to_no_order():
    venue = ObedientVenue(latency=10)
    run = Run(Market().snapshot(1, 99, 101), Told(lambda view, quotes: None, every=100), venue=venue)
    venue.script.append((50, lambda market: market.tell(Payment, instrument=0, what="funding", amount=-ONE)))
    run.until(100)
    assert run.view.portfolio.funding == -ONE
    assert (run.pipeline.manager.strays, run.gate.state) == (0, 0)
