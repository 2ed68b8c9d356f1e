"""Every rule and its reading answer alike, through random histories on a real pipeline.

``QUOTEWRIGHT_HISTORIES=5000`` runs that many histories of each rule instead.
"""

from __future__ import annotations

import pytest

from quotewright_plugins.bundle import risk_rules
from tests.plugins.risk_reading import fills, losses, markets, orders, positions, runs_of_fills
from tests.plugins.risk_reading.beside import HISTORIES, run

READINGS = {
    kind.plugin: kind
    for module in (orders, positions, losses, markets, fills, runs_of_fills)
    for kind in module.READINGS
}


@pytest.mark.parametrize("plugin", READINGS)
def test_the_rule_does_what_its_page_says(plugin):
    few = 8 if plugin in ("price_shock", "price_move", "rolling_loss") else 24
    for seed in range(HISTORIES or few):
        assert run(READINGS[plugin], seed) > 0


def test_every_rule_of_the_box_is_read():
    assert set(risk_rules()) == set(READINGS)
