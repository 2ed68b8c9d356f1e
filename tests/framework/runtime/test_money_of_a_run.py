"""A backtest on inverse contracts and on options counts coins, and its parts add up in the report."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from quotewright.config.load import load_config
from quotewright.plugin.registry import PluginSet
from quotewright.report.html import render
from quotewright.report.table import print_summary
from quotewright.runtime.session import backtest
from quotewright.tape.tape import TapeFile

ROOT = Path(__file__).resolve().parent.parent.parent.parent
KINDS = {
    "inverse": {
        "name": "BTC-USD.perp@local", "kind": "perp", "quote": "USD", "settle": "BTC", "is_inverse": True,
        "contract_size": "60000",
    },
    "option in coin": {
        "name": "BTC-USD.270326-50000-C@local", "kind": "option", "quote": "USD", "settle": "BTC",
        "contract_size": "0.00001", "min_notional": "0",
    },
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_a_backtest_counts_in_the_settlement_currency_and_its_parts_add_up(kind, tmp_path, capsys):
    shutil.copytree(ROOT / "examples" / "synthetic-tape", tmp_path / "tape")
    told = tmp_path / "tape" / "tape.json"
    header = json.loads(told.read_text("utf-8"))
    header["instruments"][0] |= KINDS[kind]
    told.write_text(json.dumps(header), "utf-8")
    changed = [
        "strategies.maker.size=0.02 contracts", "strategies.maker.volatility_window=10s", "venues.main.maker_fee=1 bps",
        "risk.value.limit=1000000000 quote", "risk.position.limit=0.5 contracts",
        "risk.loss.limit=10 BTC", "risk.drawdown.limit=10 BTC",
    ]  # fmt: skip
    config = load_config([ROOT / "examples" / "backtest.toml"], changed)
    outcome = backtest(
        config, PluginSet.discover(environment={}), TapeFile.open(tmp_path / "tape"), folder=tmp_path / "run"
    )
    summary = outcome.summary
    (figures,) = summary["instruments"].values()
    assert (outcome.exit_code, figures["fills"] > 20, figures["quote"], summary["total"]["currency"]) == (
        0, True, "BTC", "BTC",
    )  # fmt: skip
    parts = figures["pnl_spread"] + figures["pnl_inventory"] - figures["fees"] + figures["pnl_funding"]
    assert figures["pnl"] - parts == 0
    assert figures["pnl"] == figures["realised"] + figures["unrealised"] - figures["fees"] == summary["pnl"]
    assert figures["fees"] > 0
    assert figures["pnl_spread"] > 0
    one = figures["spreads"]["horizons"][1]
    assert one["effective_bps"] - one["adverse_bps"] == pytest.approx(one["realised_bps"])
    assert figures["queue"]["known"] == figures["maker_fills"]
    print_summary(summary)
    printed = capsys.readouterr().out
    assert "BTC captured over" in printed
    with np.load(tmp_path / "run" / "samples.npz") as archive:
        page = render(summary, {name: archive[name] for name in archive.files})
    assert "Where the profit came from" in page
