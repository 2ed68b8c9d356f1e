"""The shipped cards of Binance say what the venue documents, and the hooks offer them."""

from __future__ import annotations

from decimal import Decimal

import pytest

from quotewright.model.cards import load_card
from quotewright.plugin.settings import config_model
from quotewright_plugins import bundle
from quotewright_plugins.exchanges.binance.adapter import BinanceAdapter
from quotewright_plugins.exchanges.binance.feed import BinanceFeed, binance_feed
from quotewright_plugins.exchanges.binance.wire import BinanceWire

CARDS = bundle.venue_cards()

CODES = {
    "no tick": ("binance-spot", -1013, "Filter failure: PRICE_FILTER", "tick", "rejected"),
    "notional": ("binance-spot", -1013, "Filter failure: NOTIONAL", "min_notional", "rejected"),
    "poor": (
        "binance-spot",
        -2010,
        "Account has insufficient balance for requested action.",
        "insufficient_funds",
        "rejected",
    ),
    "post-only": ("binance-spot", -2010, "Order would immediately match and take.", "post_only", "rejected"),
    "spot -2021 is cancel-replace": ("binance-spot", -2021, "", "", "rejected"),
    "futures -2021 is a trigger": ("binance-usdm", -2021, "", "trigger_met", "rejected"),
    "futures post-only": ("binance-usdm", -5022, "", "post_only", "rejected"),
    "time-out": ("binance-usdm", -1007, "", "", "unknown"),
    "banned": ("binance-spot", -1003, "Way too much request weight used; IP banned until 1", "overload", "retry"),
}


@pytest.mark.parametrize(("card", "code", "text", "reason", "outcome"), CODES.values(), ids=CODES)
def test_an_error_code_has_our_reason(card, code, text, reason, outcome):
    error = load_card(CARDS[card]).error(code, text)
    assert (error.reason, error.outcome) == (reason, outcome)


@pytest.mark.parametrize("name", [name for name in CARDS if name.startswith("binance")])
def test_every_filter_code_is_in_the_table_of_errors(name):
    card = load_card(CARDS[name])
    assert card.name == name
    assert card.venue == BinanceAdapter.name
    assert card.market in BinanceAdapter.markets
    for check in card.filters:
        assert not check.code or card.error(check.code) is not None, check.name
    assert {"fees", "latency"} <= set(card.unverified)
    assert all(check.code for check in card.filters) or "filters" in card.unverified
    assert all(source.startswith("https://") for source in card.sources)
    assert all(tier.maker <= tier.taker for tier in card.fees)
    makers = [tier.maker for tier in card.fees]
    assert makers == sorted(makers, reverse=True)


def test_every_market_has_a_card_and_its_limits_are_the_wires():
    assert [f"binance-{market}" for market in BinanceAdapter.markets if f"binance-{market}" not in CARDS] == []
    for market in BinanceAdapter.markets:
        card, limits = load_card(CARDS[f"binance-{market}"]), BinanceWire(market).limits
        assert card.limits.streams_per_connection == limits.streams_per_connection
        assert int(card.limits.connection_life) == limits.life_ns
        rates = {rate.name: (rate.limit, int(rate.per)) for rate in card.limits.rates}
        (weight,), (sends,), (connects,) = limits.requests, limits.sends, limits.connects
        assert rates["request weight"] == (weight.limit, weight.per_ns)
        assert rates["new connections"] == (connects.limit, connects.per_ns)
        assert rates["messages to a market data connection"] == (sends.limit + 1, sends.per_ns)


def test_the_cards_differ_where_the_products_do():
    spot, usdm = (load_card(CARDS[name]) for name in ("binance-spot", "binance-usdm"))
    assert (spot.orders.keeps_priority_on_reduce, usdm.orders.keeps_priority_on_reduce) == (True, False)
    assert (spot.orders.post_only, usdm.orders.post_only) == ("type=LIMIT_MAKER", "timeInForce=GTX")
    assert usdm.fee_tier().maker.fraction == Decimal("0.0002")
    assert (spot.client_ids.is_allowed("a.b"), usdm.client_ids.is_allowed("a.b")) == (False, True)


def test_the_feed_is_made_from_its_settings():
    assert config_model(bundle.feed_adapters()["binance"].load()) is BinanceFeed
    assert binance_feed(BinanceFeed(market="usdm")).market_name == "usdm"
    assert binance_feed(BinanceFeed()).market_name == "spot"
