"""The verbs that look at venue cards."""

from __future__ import annotations

import json

import pytest

from quotewright.cli.main import main
from quotewright_plugins import exchanges

CARD = """\
card_version = 1
name = "acme-spot"
venue = "acme"
market = "spot"
as_of = "2026-01-01"
sources = ["https://acme.example/docs"]
unverified = ["latency"]
fees = [{ name = "all", maker = "-1 bps", taker = "10 bps" }]
client_ids = { pattern = "[a-z0-9]{1,20}", max_length = 20 }
"""


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.delenv("QUOTEWRIGHT_PLUGINS_DIR", raising=False)
    monkeypatch.chdir(tmp_path)


def run(capsys, *arguments):
    code = main(list(arguments))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_venues_lists_every_card_with_its_date_and_what_is_unverified(capsys):
    code, out, err = run(capsys, "venues", "--json")
    records = {record["name"]: record for record in json.loads(out)}
    assert (code, err) == (0, "")
    assert set(exchanges.cards()) <= set(records)
    spot = records["binance-spot"]
    assert {key: spot[key] for key in ("venue", "market", "unverified")} == {
        "venue": "binance",
        "market": "spot",
        "unverified": ["fees", "latency"],
    }
    assert isinstance(spot["live"], bool)
    code, out, _ = run(capsys, "venues")
    lines = out.splitlines()
    assert lines[0].split() == ["name", "venue", "market", "as", "of", "unverified", "live", "feed"]
    assert len(lines) == len(records) + 1


def test_a_card_is_shown_whole_and_its_unverified_parts_are_marked(capsys):
    code, out, _ = run(capsys, "venue", "show", "binance-spot")
    assert code == 0
    assert "fees (unverified)" in out
    assert "PRICE_FILTER" in out
    code, out, _ = run(capsys, "venue", "show", "binance-spot", "--json")
    card = json.loads(out)
    assert (code, card["name"], card["fees"][0]["maker"]) == (0, "binance-spot", "10 bps")
    assert {entry["name"] for entry in card["limits"]["rates"]}


def test_a_card_may_be_a_file(capsys, tmp_path):
    (tmp_path / "mine.toml").write_text(CARD, encoding="utf-8")
    code, out, _ = run(capsys, "venue", "show", "mine.toml")
    assert (code, "acme" in out, "-1 bps" in out) == (0, True, True)
    (tmp_path / "bad.toml").write_text(CARD.replace('venue = "acme"', "venu = 1"), encoding="utf-8")
    code, _, err = run(capsys, "venue", "show", "bad.toml")
    assert (code, "venu" in err) == (4, True)
    code, _, err = run(capsys, "venue", "show", "none.toml")
    assert (code, "none.toml" in err) == (2, True)


def test_an_unknown_card_is_answered_with_the_nearest_name(capsys):
    code, out, err = run(capsys, "venue", "show", "binance-spt")
    assert (code, out) == (2, "")
    assert "binance-spot" in err
    code, _, err = run(capsys, "venue", "diff", "binance-spot", "nowhere")
    assert (code, "quotewright venues lists them" in err) == (2, True)


def test_two_cards_are_compared_entry_by_entry(capsys):
    code, out, _ = run(capsys, "venue", "diff", "binance-spot", "binance-usdm", "--json")
    changed = {entry["key"]: (entry["first"], entry["second"]) for entry in json.loads(out)}
    assert code == 0
    assert changed["market"] == ("spot", "usdm")
    assert changed["orders.post_only"] == ("type=LIMIT_MAKER", "timeInForce=GTX")
    assert "venue" not in changed
    code, out, _ = run(capsys, "venue", "diff", "binance-spot", "binance-usdm")
    assert out.splitlines()[0].split() == ["key", "binance-spot", "binance-usdm"]
    assert len(out.splitlines()) == len(changed) + 1


def test_a_card_does_not_differ_from_itself(capsys):
    code, out, _ = run(capsys, "venue", "diff", "binance-spot", "binance-spot")
    assert (code, out) == (0, "the cards say the same\n")
    code, out, _ = run(capsys, "venue", "diff", "binance-spot", "binance-spot", "--json")
    assert (code, json.loads(out)) == (0, [])
