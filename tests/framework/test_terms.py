"""What strategies are told of their venues at wiring."""

from __future__ import annotations

from decimal import Decimal

import pytest

from quotewright.config.load import load_config
from quotewright.config.model import VenueTable
from quotewright.errors import ConfigError
from quotewright.kernel.strategy import MultiStrategy
from quotewright.kernel.venue import Venue
from quotewright.model.cards import load_card
from quotewright.plugin.registry import PluginSet
from quotewright.runtime.session import Session
from quotewright.terms import VenueTerms, terms_of
from quotewright.testing.plugins import check_role
from tests.framework.kernel.stage import PLAIN

CONFIG = """
config_version = 1
[run]
name = "terms"
[feeds.north]
plugin = "simexchange"
venue = "north"
[feeds.east]
plugin = "venue"
venue = "east"
[venues.north]
plugin = "simexchange"
instrument = "BTC-USDT.spot@north"
maker_fee = "-0.5 bps"
taker_fee = "3 bps"
balance = { USDT = "500", BTC = "2" }
[venues.east]
plugin = "exchange"
venue = "east"
instruments = ["BTC-USDT.spot,price=60000"]
[strategies.arb]
plugin = "arbitrage"
legs = [{ instrument = "BTC-USDT.spot@east", venue = "east" }, { instrument = "BTC-USDT.spot@north", venue = "north" }]
"""


def test_fees_and_balance_reach_the_strategy_in_the_order_of_its_legs(tmp_path):
    path = tmp_path / "terms.toml"
    path.write_text(CONFIG)
    session = Session("paper", load_config([path]), PluginSet.discover(environment={}))
    east, north = session.wired.desks[0].strategy._terms
    assert (north.name, north.maker_fee, north.taker_fee) == ("north", Decimal("-0.00005"), Decimal("0.0003"))
    assert north.balance == {"USDT": 500, "BTC": 2}
    assert (east.name, east.taker_fee, east.balance) == ("east", Decimal("0.001"), {})
    session.finish()


def table(card=""):
    return VenueTable(name="main", plugin="x", where="venues.main", settings={}, card=card)


def test_a_card_tells_what_the_venue_does_not_and_tiers_by_name():
    card = load_card(PluginSet.discover().get("venue_cards", "binance-spot"))
    terms = terms_of(table("binance-spot"), Venue(), PLAIN, {"binance-spot": card})
    assert (terms.maker_fee, terms.taker_fee, terms.card) == (None, None, card)
    assert terms.taker_fee_of() == card.fees[0].taker.fraction
    assert terms.taker_fee_of(card.fees[3].name) == card.fees[3].taker.fraction < terms.taker_fee_of()
    with pytest.raises(ConfigError, match="no fee tier 'VIP 99'"):
        terms.taker_fee_of("VIP 99")
    assert VenueTerms(name="main", taker_fee=Decimal("0.002"), card=card).taker_fee_of() == Decimal("0.002")
    assert terms_of(table(), Venue(), PLAIN, {}).taker_fee_of() is None


def test_a_strategy_with_legs_that_overrides_nothing_is_told_so():
    class Idle(MultiStrategy):
        wake_on_best = True

    assert check_role("strategies", Idle) == ["should override on_wake_legs()"]
