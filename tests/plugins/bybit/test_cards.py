"""The shipped cards of Bybit load, and say what the venue documents; the feed is made from its settings."""

from __future__ import annotations

from decimal import Decimal

import pytest

from quotewright.errors import ConfigError
from quotewright.model.cards import load_card
from quotewright.plugin.settings import config_model
from quotewright_plugins import bundle
from quotewright_plugins.exchanges.bybit.adapter import BybitAdapter
from quotewright_plugins.exchanges.bybit.feed import BybitFeed, bybit_feed
from tests.plugins.bybit.support import MARKETS

CARDS = bundle.venue_cards()

CODES = {
    "busy": ("bybit-linear", 10006, "Too many visits. Exceeded the API Rate Limit.", "overload", "retry"),
    "restart": ("bybit-option", 10016, "", "", "unknown"),
    "time-out": ("bybit-spot", 10000, "", "", "unknown"),
    "contract post-only by reason": ("bybit-inverse", 110017, "", "reduce_only", "rejected"),
    "spot post-only": ("bybit-spot", 170218, "", "post_only", "rejected"),
    "poor": ("bybit-spot", 170131, "", "insufficient_funds", "rejected"),
    "twice": ("bybit-linear", 110072, "", "duplicate_id", "rejected"),
}


@pytest.mark.parametrize(("card", "code", "text", "reason", "outcome"), CODES.values(), ids=CODES)
def test_an_error_code_has_our_reason(card, code, text, reason, outcome):
    error = load_card(CARDS[card]).error(code, text)
    assert error is not None
    assert (error.reason, error.outcome) == (reason, outcome)


@pytest.mark.parametrize("market", MARKETS)
def test_every_filter_code_is_in_the_table_of_errors(market):
    card = load_card(CARDS[f"bybit-{market}"])
    assert (card.venue, card.market) == (BybitAdapter.name, market)
    for check in card.filters:
        assert card.error(check.code) is not None, check.name
    assert card.unverified == ("fees", "filters", "latency")
    assert all(tier.maker <= tier.taker for tier in card.fees)


def test_the_cards_differ_where_the_products_do():
    spot, linear = (load_card(CARDS[name]) for name in ("bybit-spot", "bybit-linear"))
    assert (spot.limits.batch_orders, linear.limits.batch_orders) == (10, 20)
    assert (spot.orders.has_reduce_only, linear.orders.has_reduce_only) == (False, True)
    assert (spot.client_ids.unique_among, linear.client_ids.unique_among) == ("open", "ever")
    assert linear.fee_tier().taker.fraction == Decimal("0.00055")
    assert not linear.client_ids.is_allowed("a.b")


def test_the_feed_is_made_from_its_settings():
    assert config_model(bundle.feed_adapters()["bybit"].load()) is BybitFeed
    adapter = bybit_feed(BybitFeed(market="option"))
    assert (adapter.market_name, adapter.depth) == ("option", 25)
    assert bybit_feed(BybitFeed(market="linear", depth=200)).depth == 200
    with pytest.raises(ConfigError, match="depth should be one of 25, 100, was 50"):
        bybit_feed(BybitFeed(market="option", depth=50))
    with pytest.raises(ConfigError, match="market should be one of"):
        BybitAdapter("swap")
