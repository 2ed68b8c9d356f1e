"""Venue cards: one version, every key known, every fault named."""

from __future__ import annotations

from decimal import Decimal

import pytest

from quotewright.errors import ConfigError, FormatVersionError, NotFoundError
from quotewright.model.cards import as_mapping, load_card, read_card

SMALL = """
card_version = 1
name = "acme-spot"
venue = "acme"
market = "spot"
as_of = "2026-01-01"
sources = ["https://acme.example/docs"]
fees = [{ name = "all", maker = "-1 bps", taker = "10 bps" }, { name = "VIP", maker = "-2 bps", taker = "8 bps" }]
client_ids = { pattern = "[a-z0-9]{1,20}", max_length = 20 }

[[errors]]
code = -5
meaning = "anything"

[[errors]]
code = -5
text = "too poor"
meaning = "no money"
reason = "insufficient_funds"
"""


def test_a_small_card_is_read_exactly():
    card = read_card(SMALL, "acme.toml")
    assert (card.fee_tier().maker.fraction, card.fee_tier("VIP").taker.fraction) == (
        Decimal("-0.0001"),
        Decimal("0.0008"),
    )
    assert card.error(-5, "you are too poor").reason == "insufficient_funds"
    assert card.error(-5, "other").meaning == "anything"
    assert card.error(-6) is None
    assert card.client_ids.is_allowed("abc1")
    assert not card.client_ids.is_allowed("a" * 21)
    assert not card.client_ids.is_allowed("a_b")
    assert card.latency.order_entry == 0
    assert as_mapping(card)["venue"] == "acme"
    with pytest.raises(ConfigError, match="acme-spot: no fee tier 'Gold'; tiers: all, VIP"):
        card.fee_tier("Gold")


VERSIONS = {
    "newer": ("card_version = 1", "card_version = 2", "should be 1, was 2"),
    "text": ("card_version = 1", 'card_version = "1"', "should be 1, was '1'"),
    "truth": ("card_version = 1", "card_version = true", "should be 1, was True"),
    "none": ("card_version = 1", "", "should be 1, has none"),
}


@pytest.mark.parametrize(("old", "new", "said"), VERSIONS.values(), ids=VERSIONS)
def test_another_version_is_refused(old, new, said):
    with pytest.raises(FormatVersionError, match=said):
        read_card(SMALL.replace(old, new), "acme.toml")


FAULTS = {
    "misspelt key": ("market =", "markte =", "unknown key 'markte'; did you mean 'market'?"),
    "missing key": ('venue = "acme"', "", "missing key 'venue'"),
    "fee without unit": ('"10 bps"', "10", "taker"),
    "unknown reason": ('"insufficient_funds"', '"poverty"', "reason"),
    "no fee": ("fees = [{", "fees = []\nunused = [{", "unused"),
    "tier twice": ('"VIP"', '"all"', "'all' stands twice"),
    "pattern": ("[a-z0-9]{1,20}", "[a-z", "regular expression"),
    "unverified part": ("sources = [", 'unverified = ["fee"]\nsources = [', "'fee' is none"),
    "no TOML": ("name =", "name", "should be TOML"),
}


@pytest.mark.parametrize(("old", "new", "said"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_named(old, new, said):
    with pytest.raises(ConfigError) as error:
        read_card(SMALL.replace(old, new, 1), "acme.toml")
    assert said in str(error.value)
    assert str(error.value).startswith("acme.toml")


def test_a_card_that_is_not_there_is_named(tmp_path):
    with pytest.raises(NotFoundError, match="there is no venue card at"):
        load_card(tmp_path / "none.toml")
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="cannot be read as text"):
        load_card(tmp_path / "bytes.toml")
