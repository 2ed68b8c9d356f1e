"""``avellaneda_stoikov`` and ``stationary_stoikov`` against the paper's figures and independent arithmetic."""

from __future__ import annotations

import math

import pytest

from quotewright.config.units import UnitError
from quotewright_plugins.strategies.avellaneda_stoikov import optimal_spread, reservation_price
from quotewright_plugins.strategies.stationary import natural_omega, printed_less, reservation_prices
from tests.framework.kernel.stage import SECOND
from tests.plugins.strategies.support import Shop, stationary, stoikov


def test_the_golden_values_of_avellaneda_and_stoikov():
    """s 100, q 1, gamma 0.1, sigma 2, T - t 1, k 1.5; the article's doubled term would give 2.090770."""
    assert reservation_price(100.0, 1.0, 0.1, 2.0, 1.0) == pytest.approx(99.6, abs=1e-12)
    assert optimal_spread(0.1, 2.0, 1.0, 1.5) == pytest.approx(1.690770, abs=5e-7)


def test_the_golden_values_as_quotes():
    """In units of price, at a mid of 100.00 and one BTC long: 99.6 less and plus half of 1.690770, on the tick."""
    shop = Shop(stoikov(units="price", sigma=2.0, horizon="1s"), bid=9_000, offer=11_000).position(1000)
    assert shop.quotes() == ([(9_875, 1000)], [(10_045, 1000)])


def test_basis_points_and_prices_say_the_same_when_converted():
    """One basis point of 100 is 0.01: gamma and k per bps are a hundredth, sigma a hundredfold."""
    per_price = Shop(stoikov(units="price", sigma=0.02, gamma=1.0, k=150.0, horizon="60s")).position(2000)
    per_bps = Shop(stoikov(units="bps", sigma=2.0, gamma=0.01, k=1.5, horizon="60s")).position(2000)
    assert per_price.quotes() == per_bps.quotes()


def test_without_inventory_the_quotes_are_centred_on_the_mid():
    (bid,), (offer,) = Shop(stoikov(sigma=1.0)).quotes()
    assert bid[0] + offer[0] == 20_000


def test_the_measured_volatility_is_waited_for_and_then_used():
    shop = Shop(stoikov(volatility_window="60s", min_spread="1 bps"))
    assert shop.quotes() == ([], [])
    shop.swing(61, 1)
    measured = shop.quotes()
    stated = Shop(stoikov(sigma=100 / 100.01, min_spread="1 bps"), bid=9_991, offer=10_011).quotes()
    assert measured[0][0][0] == pytest.approx(stated[0][0][0], abs=1)


def test_a_horizon_that_does_not_roll_runs_down_to_a_hundredth():
    shop = Shop(stoikov(sigma=5.0, horizon="10s", horizon_rolls=False))
    spreads = []
    for second in (1, 6, 11, 100):
        shop.stage.at(second * SECOND)
        bid, offer = shop.first()
        spreads.append(offer - bid)
    assert spreads[0] > spreads[1] > spreads[2] == spreads[3]


def test_new_parameters_do_not_start_the_horizon_anew():
    """Two seconds in, the horizon is changed from ten to twenty seconds: eighteen are left, not twenty."""
    shop = Shop(stoikov(sigma=5.0, horizon="10s", horizon_rolls=False))
    shop.stage.at(SECOND)
    shop.quotes()
    changed = stoikov(sigma=5.0, horizon="20s", horizon_rolls=False)
    changed.bind(shop.context)
    changed.take_over(shop.strategy)
    shop.stage.at(3 * SECOND)
    centre, half = changed.centre_and_half(shop.view)
    assert centre == 10_000
    assert 2 * half == pytest.approx(optimal_spread(0.1, 5.0, 18.0, 1.5))


CLAMPS = {"widest": ({"max_spread": "10 bps"}, 10), "least": ({"min_spread": "90 bps", "sigma": 0.001}, 90)}


@pytest.mark.parametrize(("keys", "bps"), CLAMPS.values(), ids=CLAMPS)
def test_the_spread_is_held_between_least_and_widest(keys, bps):
    bid, offer = Shop(stoikov(**{"sigma": 50.0, **keys})).first()
    assert offer - bid == bps


def worth(q, gamma, sigma, omega):
    """Return the paper's value of holding *q* for ever, less the cash: an integral over time, summed by Simpson."""
    decay = omega - 0.5 * gamma * gamma * sigma * sigma * q * q
    steps = 20_000
    end = 40.0 / decay
    width = end / steps
    total = 0.0
    for step in range(steps + 1):
        weight = 1 if step in (0, steps) else 4 if step % 2 else 2
        total += weight * math.exp(-decay * step * width)
    return -total * width / 3.0


@pytest.mark.parametrize("q", [-3, -1, 0, 1, 2, 3])
def test_the_stationary_reservation_prices_leave_the_dealer_as_well_off(q):
    """Buying one at the bid's reservation price, or selling one at the offer's, changes the value of nothing."""
    gamma, sigma = 0.1, 2.0
    omega = natural_omega(gamma, sigma, 4)
    more, less = reservation_prices(q, gamma, sigma, omega)
    before = worth(q, gamma, sigma, omega)
    assert worth(q + 1, gamma, sigma, omega) * math.exp(gamma * more) == pytest.approx(before, rel=1e-6)
    assert worth(q - 1, gamma, sigma, omega) * math.exp(-gamma * less) == pytest.approx(before, rel=1e-6)


GOLDEN = {  # gamma 0.1, bound 3: 10 ln((16 - (q+1)^2) / (16 - q^2)) and 10 ln((16 - q^2) / (16 - (q-1)^2))
    "flat":          (0,  10 * math.log(15 / 16),  10 * math.log(16 / 15)),
    "one long":      (1,  10 * math.log(12 / 15),  10 * math.log(15 / 16)),
    "two short":     (-2, 10 * math.log(15 / 12),  10 * math.log(12 / 7)),
    "at the bound":  (3,  None,                    10 * math.log(7 / 12)),
    "bound, short":  (-3, 10 * math.log(12 / 7),   None),
    "beyond":        (4,  None,                    None),
}  # fmt: skip


@pytest.mark.parametrize("sigma", [0.5, 2.0])
@pytest.mark.parametrize(("q", "more", "less"), GOLDEN.values(), ids=GOLDEN)
def test_with_the_natural_omega_the_volatility_falls_out(q, more, less, sigma):
    found = reservation_prices(q, 0.1, sigma, natural_omega(0.1, sigma, 3))
    assert found == (
        None if more is None else pytest.approx(more, abs=1e-9),
        None if less is None else pytest.approx(less, abs=1e-9),
    )


@pytest.mark.parametrize("q", [0.0, 0.5, 1.0, 2.0, 3.0])
def test_what_is_long_sells_as_what_is_short_buys(q):
    omega = natural_omega(0.1, 2.0, 3)
    more, less = reservation_prices(q, 0.1, 2.0, omega)
    mirrored_more, mirrored_less = reservation_prices(-q, 0.1, 2.0, omega)
    assert less == pytest.approx(-mirrored_more)
    assert (more is None and mirrored_less is None) or more == pytest.approx(-mirrored_less)


PRINTED = {  # gamma 0.1, bound 3: ten times the logarithm of 1 + (1 - 2q) / (16 - q^2)
    "flat":      (0,  10 * math.log(17 / 16)),
    "one long":  (1,  10 * math.log(14 / 15)),
    "two short": (-2, 10 * math.log(17 / 12)),
    "bound":     (3,  10 * math.log(2 / 7)),
}  # fmt: skip


@pytest.mark.parametrize(("q", "less"), PRINTED.values(), ids=PRINTED)
def test_the_paper_prints_another_price_for_one_less(q, less):
    """It agrees to first order in gamma; a holder who sold at it would be a little better or worse off."""
    omega = natural_omega(0.1, 2.0, 3)
    assert printed_less(q, 0.1, 2.0, omega) == pytest.approx(less)
    small = natural_omega(1e-4, 2.0, 300)
    assert printed_less(q, 1e-4, 2.0, small) == pytest.approx(reservation_prices(q, 1e-4, 2.0, small)[1], rel=2e-4)


def test_the_stationary_quotes_by_hand():
    """Two level sizes long, a basis point a tick: bid 10 ln(7/12) - 0.645385, offer 10 ln(12/15) + 0.645385."""
    shop = Shop(stationary(), bid=9_000, offer=11_000).position(2000)
    premium = math.log(1 + 0.1 / 1.5) / 0.1
    assert premium == pytest.approx(0.645385, abs=5e-7)
    assert 10 * math.log(7 / 12) - premium == pytest.approx(-6.035350, abs=5e-7)
    assert 10 * math.log(12 / 15) + premium == pytest.approx(-1.586050, abs=5e-7)
    assert shop.first() == (9_993, 9_999)


SIDES = {  #                     position  omega   bids  offers
    "within":                   (2000,    None,   1,    1),
    "at the largest, long":     (3000,    None,   0,    1),
    "beyond it, short":         (-5000,   None,   1,    0),
    "omega bounds it earlier":  (1500,    0.03,   0,    1),
    "omega allows nothing":     (0,       0.004,  0,    0),
}  # fmt: skip


@pytest.mark.parametrize(("position", "omega", "bids", "offers"), SIDES.values(), ids=SIDES)
def test_at_the_largest_inventory_only_the_side_that_reduces_it_is_quoted(position, omega, bids, offers):
    """gamma 0.1, sigma 1: omega 0.03 bounds the inventory at sqrt(0.06) / 0.1 - 1 = 1.45 level sizes."""
    found = Shop(stationary(omega=omega), bid=9_000, offer=11_000).position(position).quotes()
    assert tuple(map(len, found)) == (bids, offers)


@pytest.mark.parametrize(("omega", "quotes"), [(None, (9_998, 10_002)), (0.05, (9_999, 10_001))])
def test_in_a_market_that_does_not_move_the_stationary_quotes_stand(omega, quotes):
    """By the natural omega volatility does not matter; by a stated one nothing is at risk, and the premium is left."""
    shop = Shop(stationary(sigma=None, omega=omega), bid=9_000, offer=11_000).swing(61, 0, half=1000)
    assert shop.first() == quotes


def test_the_last_bid_is_no_larger_than_the_room():
    bids, _ = Shop(stationary(), bid=9_000, offer=11_000).position(2600).quotes()
    assert [lots for _, lots in bids] == [400]


def test_no_quote_stands_farther_from_the_mid_than_the_farthest():
    """Just below the largest inventory the reservation price of one more falls without end."""
    bid, _ = Shop(stationary(farthest="20 bps"), bid=9_000, offer=11_000).position(2900).first()
    assert bid == 9_980


def test_wrong_keys_are_refused_by_name():
    with pytest.raises(UnitError, match="gamma should be positive"):
        stoikov(gamma=0)
    with pytest.raises(UnitError, match="omega should be positive"):
        stationary(omega=0.0)
