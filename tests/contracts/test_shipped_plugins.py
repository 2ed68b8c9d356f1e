"""Every offer that ships passes the conformance check of its hook."""

from __future__ import annotations

import pytest

from quotewright.plugin.discovery import OWN
from quotewright.plugin.registry import PluginSet
from quotewright.testing.plugins import check_offer

PLUGINS = PluginSet.discover()
SHIPPED = [offer for offer in PLUGINS.offers if offer.distribution == OWN]


@pytest.mark.parametrize("offer", SHIPPED, ids=lambda offer: f"{offer.hook}-{offer.name}")
def test_a_shipped_plugin_keeps_the_interface_of_its_hook(offer):
    assert offer.status == "ok", offer.reason
    assert check_offer(PLUGINS, offer) == []


def test_every_role_ships_at_least_one_plugin():
    hooks = {offer.hook for offer in SHIPPED}
    assert {"feed_adapters", "book_models", "strategies", "risk_rules", "execution_venues"} <= hooks
