"""``quotewright demo``: one JSON object, the same on every machine, and figures that agree with the venue's."""

from __future__ import annotations

import csv
import hashlib
import json
from decimal import Decimal
from pathlib import Path

import pytest

from quotewright import binaries
from tests.end_to_end.command import process, quotewright

ORDER_LOG = {
    7: "f3c5b555f90428b68219d8f240a2325223136165eaa5b1c87b97796d53795155",
    8: "c757bc4feeaa722f0f78222d78e01ed4797a8a60dfcd63e9b328f009b0bd138c",
}
"""Every Python, both forms of the kernels and every hash seed give these; a change of them is told in the changelog."""
PROMISED = (
    "orders",
    "fills",
    "position",
    "pnl",
    "fees",
    "rows",
    "refusals",
    "order_log_sha256",
    "report",
)


@pytest.mark.parametrize("seed", ORDER_LOG)
def test_the_demo_prints_one_json_object_with_what_is_promised(demos, seed):
    ran, folder = demos[seed]
    assert ran.code == 0
    assert ran.out.startswith("{")
    said = ran.json
    assert not [key for key in PROMISED if key not in said]
    assert said["fills"] >= 20
    assert said["refusals"]
    assert all(count > 0 for reasons in said["refusals"].values() for count in reasons.values())
    assert said["failures"] == {}
    assert all(count == 0 for count in said["integrity"].values())
    assert Path(said["report"]) == folder / "report.html"
    assert json.loads((folder / "summary.json").read_text("utf-8"))["order_log_sha256"] == said["order_log_sha256"]


@pytest.mark.parametrize("seed", ORDER_LOG)
def test_the_order_log_of_a_seed_is_the_same_everywhere(demos, seed):
    assert demos[seed][0].json["order_log_sha256"] == ORDER_LOG[seed]


def test_another_hash_seed_and_the_other_form_of_the_kernels_give_the_same_order_log(tmp_path):
    form = "interpreted" if binaries.form() == "compiled" else ""
    for number, hashes in enumerate("012"):
        variables = {"PYTHONHASHSEED": hashes} | ({"QUOTEWRIGHT_KERNELS": form} if form and number else {})
        ran = process(
            "demo", "--seed", "7", "--seconds", "60", "--json", "--no-report", "--out", tmp_path / hashes, **variables
        )
        assert ran.code == 0, ran.err
        assert ran.json["order_log_sha256"] == ORDER_LOG[7], variables
        assert f"{form if form and number else binaries.form()} kernels" in ran.err


def test_another_time_zone_and_locale_give_the_same_order_log(tmp_path):
    ran = process("demo", "--json", "--no-report", "--out", tmp_path / "run", TZ="Asia/Kathmandu", LC_ALL="C")
    assert ran.json["order_log_sha256"] == ORDER_LOG[7]


@pytest.mark.parametrize("seed", ORDER_LOG)
def test_profit_is_spread_and_inventory_less_fees_to_the_last_digit(demos, seed):
    said = demos[seed][0].json
    (figures,) = said["instruments"].values()
    assert figures["pnl_spread"] + figures["pnl_inventory"] - figures["fees"] == figures["pnl"] == said["pnl"]
    assert figures["realised"] + figures["unrealised"] - figures["fees"] == figures["pnl"]


@pytest.mark.parametrize("seed", ORDER_LOG)
def test_position_and_fees_are_those_of_the_fills_and_of_the_venue(demos, seed):
    ran, folder = demos[seed]
    said = ran.json
    with (folder / "fills.csv").open(encoding="utf-8") as file:
        fills = list(csv.DictReader(file))
    assert len(fills) == said["fills"]
    position = cash = fees = Decimal(0)
    for fill in fills:
        signed = Decimal(fill["quantity"]) * (1 if fill["side"] == "buy" else -1)
        position += signed
        cash -= signed * Decimal(fill["price"])
        fees += Decimal(fill["fee"])
    assert (position, fees) == (said["position"], said["fees"])
    venue = said["venues"]["main"]
    assert venue["open_orders"] == said["open_orders"] == 0
    assert venue["balances"] == {"BTC": 1 + position, "USDT": 100_000 + cash - fees}
    assert venue["fills"]["maker"] + venue["fills"]["taker"] == said["fills"]


def test_the_order_log_holds_every_order_and_its_digest(demos):
    ran, folder = demos[7]
    text = (folder / "orders.jsonl").read_bytes()
    assert hashlib.sha256(text).hexdigest() == ran.json["order_log_sha256"]
    said = ran.json
    assert text.count(b"\n") == said["orders"] + said["cancels"] + said["amends"]


def test_how_fast_it_runs_changes_nothing(tmp_path):
    orders = [
        quotewright(
            "demo", "--seconds", "3", "--no-report", "--json", "--speed", speed, "--out", tmp_path / speed
        ).json["order_log_sha256"]
        for speed in ("max", "20")
    ]
    assert orders[0] == orders[1]


def test_the_config_of_the_demo_written_out_runs_the_same_as_paper(tmp_path, demos):
    written = tmp_path / "maker.toml"
    assert quotewright("demo", "--write-config", written).code == 0
    refused = quotewright("demo", "--write-config", written)
    assert (refused.code, "the file exists" in refused.last) == (4, True)
    assert quotewright("config", "check", written).code == 0
    ran = quotewright("paper", written, "--seconds", "60", "--json", "--no-report", "--out", tmp_path / "run")
    assert ran.json["order_log_sha256"] == demos[7][0].json["order_log_sha256"]


def test_no_number_of_the_summary_is_cut_off(demos, tmp_path):
    ran = quotewright("report", demos[7][1])
    assert demos[7][0].json["order_log_sha256"] in ran.out
    assert "…" not in ran.out
    assert "-0.0000" not in ran.out
    assert "\x1b" not in ran.out
    assert not [line for line in ran.out.splitlines() if line != line.rstrip()]
