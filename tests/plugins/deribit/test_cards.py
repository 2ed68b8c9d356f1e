"""The shipped cards of Deribit load, and say what the venue documents."""

from __future__ import annotations

from decimal import Decimal

import pytest

from quotewright.model.cards import load_card
from quotewright_plugins import bundle
from quotewright_plugins.exchanges.deribit.wire import AUTH_ERRORS, RETRY_ERRORS, UNKNOWN_OUTCOME, DeribitWire

CARDS = bundle.venue_cards()
NAMES = ("deribit", "deribit-option", "deribit-spot")

CODES = {
    "busy": (10028, "too_many_requests", "overload", "retry"),
    "time-out": (13888, "timed_out", "", "unknown"),
    "internal": (11094, "internal_server_error", "", "unknown"),
    "post-only": (11054, "post_only_reject", "post_only", "rejected"),
    "off the tick": (10043, "price_wrong_tick", "tick", "rejected"),
    "poor": (10009, "not_enough_funds", "insufficient_funds", "rejected"),
    "gone": (11044, "not_open_order", "order_closed", "rejected"),
    "unknown": (10004, "order_not_found", "unknown_order", "rejected"),
}


@pytest.mark.parametrize(("code", "text", "reason", "outcome"), CODES.values(), ids=CODES)
@pytest.mark.parametrize("name", NAMES)
def test_an_error_code_has_our_reason(name, code, text, reason, outcome):
    error = load_card(CARDS[name]).error(code, text)
    assert error is not None
    assert (error.reason, error.outcome) == (reason, outcome)


@pytest.mark.parametrize("name", NAMES)
def test_every_card_is_whole(name):
    card = load_card(CARDS[name])
    assert (card.venue, card.name) == ("deribit", name)
    for check in card.filters:
        assert card.error(check.code) is not None, check.name
    assert card.unverified == ("filters", "latency", "orders")
    assert all(tier.maker <= tier.taker for tier in card.fees)
    assert set(card.statuses.values()) <= {"open", "filled", "canceled", "rejected"}
    assert len({error.code for error in card.errors}) == len(card.errors) > 50


@pytest.mark.parametrize("name", NAMES)
def test_the_card_and_the_wire_say_the_same_of_errors_and_rates(name):
    card = load_card(CARDS[name])
    outcomes = {error.code: error.outcome for error in card.errors}
    assert {code for code, outcome in outcomes.items() if outcome == "retry"} == RETRY_ERRORS
    assert {code for code, outcome in outcomes.items() if outcome == "unknown"} == UNKNOWN_OUTCOME
    assert outcomes.keys() >= AUTH_ERRORS
    rates = {(rate.limit, int(rate.per)) for rate in card.limits.rates}
    limits = DeribitWire.limits
    assert {(window.limit, window.per_ns) for window in (*limits.sends, *limits.requests)} <= rates


def test_the_cards_differ_where_the_products_do():
    future, option, spot = (load_card(CARDS[name]) for name in NAMES)
    assert future.fee_tier().taker.fraction == Decimal("0.0005")
    assert future.fee_tier("weekly futures").maker.fraction == Decimal("-0.0001")
    assert option.fee_tier().maker.fraction == Decimal("0.0003")
    assert spot.fee_tier().taker.fraction == 0
    assert (future.orders.has_reduce_only, spot.orders.has_reduce_only) == (True, False)
    assert "trailing_stop" in future.orders.types
    assert not spot.client_ids.is_allowed("x" * 65)
