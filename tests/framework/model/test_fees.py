"""Fee tiers follow the volume of thirty days, day by day."""

from __future__ import annotations

from decimal import Decimal

import pytest

from quotewright.errors import ConfigError
from quotewright.model.cards import read_card
from quotewright.model.fees import DAY_NS, FeeTiers, tier_for

CARD = """
card_version = 1
name = "test"
venue = "test"
market = "perp"
as_of = "2026-01-01"
sources = ["the test"]
fees = [
    { name = "entry", maker = "2 bps", taker = "5 bps" },
    { name = "weekly", maker = "1 bps", taker = "1 bps" },
    { name = "VIP 1", maker = "1 bps", taker = "4 bps", volume_30d = 3000 },
    { name = "VIP 2", maker = "-1 bps", taker = "3 bps", volume_30d = 30000 },
]

[client_ids]
pattern = "[a-z]{1,36}"
max_length = 36
"""


@pytest.fixture
def card():
    return read_card(CARD, "test")


@pytest.mark.parametrize(
    ("volume", "tier"), [(0, "entry"), (2_999, "entry"), (3_000, "VIP 1"), (29_999, "VIP 1"), (10**9, "VIP 2")]
)
def test_a_volume_takes_the_highest_tier_whose_threshold_it_reaches(card, volume, tier):
    assert tier_for(card, Decimal(volume)).name == tier


def test_the_tier_changes_at_midnight_and_falls_again_as_days_pass(card):
    tiers = FeeTiers(card, Decimal(0))
    day = 20_000 * DAY_NS
    assert tiers.at(day + 5).name == "entry"
    assert tiers.add(Decimal(30_000), "USDT")
    assert tiers.at(day + DAY_NS - 1).name == "entry", "today does not count yet"
    assert tiers.at(day + DAY_NS).name == "VIP 2"
    assert tiers.at(day + 30 * DAY_NS).name == "VIP 2"
    assert tiers.at(day + 31 * DAY_NS).name == "entry"


def test_the_volume_before_the_run_runs_off_evenly(card):
    tiers = FeeTiers(card, Decimal(30_000))
    names = [tiers.at(day * DAY_NS).name for day in (1, 2, 3, 28, 29, 99)]
    assert names == ["VIP 2", "VIP 1", "VIP 1", "VIP 1", "entry", "entry"]


def test_what_is_not_traded_in_dollars_does_not_count(card):
    tiers = FeeTiers(card, Decimal(0))
    assert not tiers.add(Decimal(10**9), "BTC")
    assert tiers.today == 0


def test_tiers_without_thresholds_cannot_follow_a_volume():
    plain = read_card(CARD.replace(", volume_30d = 30000", "").replace(", volume_30d = 3000", ""), "test")
    with pytest.raises(ConfigError, match="test: its fee tiers have no thresholds of volume; name one as fee_tier"):
        FeeTiers(plain, Decimal(5))
