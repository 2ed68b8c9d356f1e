"""Agents on several instruments of one exchange."""

from __future__ import annotations

from decimal import Decimal

import pytest

from quotewright.errors import ConfigError
from quotewright_simexchange.exchange.exchange import Exchange
from quotewright_simexchange.exchange.records import OrderRequest, Refused
from quotewright_simexchange.markets.agents import AgentMarket
from quotewright_simexchange.testing import usual_listings

SECOND = 1_000_000_000


def lively(seed: int, seconds: int = 2, prices: dict[str, int] | None = None) -> tuple[Exchange, AgentMarket]:
    exchange = Exchange(usual_listings(), seed=1)
    market = AgentMarket(prices or {"BTCUSDT": 60_000, "ETHUSDT": 3_000}, seed)
    market.start(exchange)
    exchange.advance(exchange.now_ns + seconds * SECOND)
    return exchange, market


def test_the_same_seed_gives_the_same_exchange():
    one, _ = lively(7)
    other, _ = lively(7, prices={"ETHUSDT": 3_000, "BTCUSDT": 60_000})
    assert one.state_hash() == other.state_hash()
    assert one.state_hash() != lively(8)[0].state_hash()


def test_the_clock_may_go_in_steps():
    whole, _ = lively(3)
    stepped, _ = lively(3, seconds=0)
    for _ in range(200):
        stepped.advance(stepped.now_ns + SECOND // 100)
    assert stepped.now_ns == whole.now_ns
    assert stepped.state_hash() == whole.state_hash()


def test_both_instruments_trade_around_their_prices_and_no_money_is_made():
    exchange, market = lively(5, seconds=4)
    for symbol, price in market.prices.items():
        book = exchange.book(symbol)
        assert len(book.bids) > 5
        assert len(book.offers) > 5
        assert abs(book.bids[0][0] - price) < price / 20
        assert exchange.recent_trades(symbol)
    assert set(exchange.ledger_sums().values()) == {Decimal(0)}
    assert set(market.accounts) == set(exchange.accounts)
    assert market.describe()["symbols"]["ETHUSDT"]["orders"] > 20


def test_agents_hit_our_orders():
    exchange, _ = lively(5, seconds=0)
    exchange.open_account("us", {"BTC": Decimal(10)})
    bid = exchange.book("BTCUSDT").bids[0][0]
    request = OrderRequest(symbol="BTCUSDT", side="sell", price=bid + Decimal("0.01"), quantity=Decimal("0.01"))
    order = exchange.place("us", request)
    assert not isinstance(order, Refused)
    exchange.advance(exchange.now_ns + 10 * SECOND)
    assert exchange.fills("us", "BTCUSDT")[0].is_maker


@pytest.mark.parametrize(
    ("prices", "says"),
    [({}, "at least one symbol"), ({"DOGE": 1}, "no instrument called 'DOGE'"), ({"BTCUSDT": 0}, "at least a tick")],
)
def test_what_cannot_begin_is_refused(prices: dict[str, int], says: str):
    with pytest.raises(ConfigError, match=says):
        AgentMarket(prices).start(Exchange(usual_listings()))
