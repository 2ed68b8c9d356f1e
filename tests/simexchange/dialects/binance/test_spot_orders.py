"""Filters in the venue's order, refusals in its words, statuses in its terms."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest

from quotewright.model.cards import VenueCard, load_card
from quotewright_simexchange.dialects.binance.errors import ApiError
from quotewright_simexchange.dialects.binance.listings import spot_filters
from quotewright_simexchange.dialects.binance.spot_orders import check_filters, kind_of, refused_order, status_of
from quotewright_simexchange.exchange.records import Listing, OrderRecord, OrderRequest, Refused

CARD = Path(__file__).parents[4] / "plugins/quotewright_plugins/exchanges/binance/binance-spot.toml"
GOOD = OrderRequest(symbol="BTCUSDT", side="buy", quantity=Decimal("0.01"), price=Decimal(40_000))


@pytest.fixture(scope="module")
def card() -> VenueCard:
    return load_card(CARD)


@pytest.fixture
def filters(card: VenueCard) -> list[dict[str, Any]]:
    listing = Listing(
        symbol="BTCUSDT",
        name="BTC-USDT.spot@binance",
        kind="spot",
        base="BTC",
        quote="USDT",
        settle="USDT",
        settings={
            "tick": "0.01",
            "lot": "0.00001",
            "max_qty": "9000",
            "min_notional": "5",
            "price_band": {"ref": "last", "up": "5", "down": "0.2", "up_buy": "2"},
        },
        price_decimals=2,
        size_decimals=5,
    )
    return spot_filters(listing, card)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({}, ""),
        ({"price": Decimal("40000.005"), "quantity": Decimal(0)}, "PRICE_FILTER"),
        ({"price": Decimal(80_000)}, ""),
        ({"price": Decimal("80000.01")}, "PERCENT_PRICE_BY_SIDE"),
        ({"side": "sell", "price": Decimal(200_000)}, ""),
        ({"side": "sell", "price": Decimal("200000.01")}, "PERCENT_PRICE_BY_SIDE"),
        ({"price": Decimal(8_000)}, ""),
        ({"price": Decimal("7999.99")}, "PERCENT_PRICE_BY_SIDE"),
        ({"quantity": Decimal(9_000)}, ""),
        ({"quantity": Decimal("9000.00001")}, "LOT_SIZE"),
        ({"quantity": Decimal("0.000015")}, "LOT_SIZE"),
        ({"quantity": Decimal("0.00013")}, ""),
        ({"quantity": Decimal("0.00012")}, "NOTIONAL"),
        ({"display": Decimal("0.0001")}, ""),
        ({"display": Decimal("0.00009")}, "ICEBERG_PARTS"),
        ({"display": Decimal("0.02")}, "ICEBERG_PARTS"),
        ({"type": "market", "price": None, "quantity": Decimal("0.00012")}, "NOTIONAL"),
        ({"type": "market", "price": None, "quantity": None, "quote_quantity": Decimal("4.99")}, "NOTIONAL"),
        ({"type": "market", "price": None, "quantity": None, "quote_quantity": Decimal(5)}, ""),
    ],
)
def test_the_first_filter_that_fails_is_named(filters: list[dict[str, Any]], change: dict[str, Any], name: str) -> None:
    order = attrs.evolve(GOOD, **change)
    if not name:
        check_filters(order, filters, Decimal(40_000))
        return
    with pytest.raises(ApiError) as caught:
        check_filters(order, filters, Decimal(40_000))
    assert (caught.value.code, caught.value.text) == (-1013, f"Filter failure: {name}")


def test_without_a_trade_there_is_no_band(filters: list[dict[str, Any]]) -> None:
    check_filters(attrs.evolve(GOOD, price=Decimal(900_000)), filters, None)


@pytest.mark.parametrize(
    ("reason", "code", "text"),
    [
        ("insufficient_funds", -2010, "Account has insufficient balance for requested action."),
        ("post_only", -2010, "Order would immediately match and take."),
        ("duplicate_client_id", -2010, "Duplicate order sent."),
        ("phase", -2010, "Market is closed."),
        ("trigger_met", -2010, "Order would trigger immediately."),
        ("account", -2010, "This action is disabled on this account."),
        ("max_open_orders", -1013, "Filter failure: MAX_NUM_ORDERS"),
        ("price_band", -1013, "Filter failure: PERCENT_PRICE_BY_SIDE"),
        ("tick", -1013, "Filter failure: PRICE_FILTER"),
        ("min_notional", -1013, "Filter failure: NOTIONAL"),
        ("max_stop_orders", -1013, "Filter failure: MAX_NUM_ALGO_ORDERS"),
        ("unknown_symbol", -1121, "Invalid symbol."),
        ("something_else", -2010, "Order was rejected: something_else."),
    ],
)
def test_refusals_are_the_cards(card: VenueCard, reason: str, code: int, text: str) -> None:
    error = refused_order(card, Refused(reason=reason))
    assert (error.code, error.text, error.http_status(card)) == (code, text, 400)


@pytest.mark.parametrize(
    ("status", "reason", "word"),
    [
        ("untriggered", "", "NEW"),
        ("open", "", "NEW"),
        ("partial", "", "PARTIALLY_FILLED"),
        ("filled", "", "FILLED"),
        ("canceled", "user", "CANCELED"),
        ("expired", "ioc", "EXPIRED"),
        ("expired", "no_liquidity", "EXPIRED"),
        ("expired", "stp", "EXPIRED_IN_MATCH"),
        ("rejected", "", "REJECTED"),
    ],
)
def test_statuses(status: Any, reason: str, word: str) -> None:
    order = OrderRecord(
        order_id=1,
        client_id="a",
        account="me",
        request=GOOD,
        status=status,
        price=GOOD.price,
        quantity=Decimal(1),
        reason=reason,
    )
    assert status_of(order) == word


@pytest.mark.parametrize(
    ("request_", "word"),
    [
        (GOOD, "LIMIT"),
        (attrs.evolve(GOOD, post_only="reject"), "LIMIT_MAKER"),
        (attrs.evolve(GOOD, type="stop", price=None), "STOP_LOSS"),
        (attrs.evolve(GOOD, type="take_profit_limit"), "TAKE_PROFIT_LIMIT"),
        (attrs.evolve(GOOD, labels={"type": "LIMIT_MAKER"}), "LIMIT_MAKER"),
    ],
)
def test_orders_from_elsewhere_have_the_venues_type_too(request_: OrderRequest, word: str) -> None:
    order = OrderRecord(
        order_id=1, client_id="a", account="me", request=request_, status="open", price=None, quantity=Decimal(1)
    )
    assert kind_of(order) == word
