"""Recorded pairs of raw and normalised messages: our output equals theirs, but for what is listed here."""

from __future__ import annotations

import pytest

from quotewright.plugin.registry import PluginSet
from tests.plugins.pairs import differences, pairs, run
from tests.recorded import recorded

EXCHANGES = ("binance", "bybit", "okx", "deribit")

MORE_THAN_EXPECTED: dict[str, str] = {
    "tn-4f8a543f2d": "allLiquidation: told by its shape, whatever the day",
    "tn-8d82c166b4": "orderBook_200: a book of 200 levels is a book, whatever the day",
}
"""Pairs with an empty expectation for a message that we support, by id, and why ours is not empty."""

OTHERWISE: dict[str, str] = {}
"""Pairs whose output differs on purpose, by id, and why."""


@pytest.fixture(scope="module")
def plugins() -> PluginSet:
    return PluginSet.discover(strict=False)


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_what_comes_of_recorded_messages_is_what_tardis_makes_of_them(plugins, exchange):
    if exchange not in plugins.names("feed_adapters"):
        pytest.skip(reason=f"no adapter of {exchange} is installed")
    wrong = {}
    for pair in pairs(recorded(f"pairs/tardis_node/{exchange}.jsonl")):
        came = run(plugins, pair)
        if pair.id in MORE_THAN_EXPECTED:
            assert came
            assert not pair.expected
        elif found := differences(came, pair.expected):
            if pair.id not in OTHERWISE:
                wrong[f"{pair.id} {pair.exchange} {pair.channel}"] = found[:6]
        else:
            assert pair.id not in OTHERWISE, f"{pair.id} is listed as different and is not"
    assert not wrong
