"""``quotewright walk-forward``: a table, or one JSON object, of what was chosen and what came of it."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path

import pytest

import quotewright as qw
from quotewright.cli.main import main
from quotewright.cli.walk_forward import grid_of
from quotewright.errors import ConfigError

ROOT = Path(__file__).resolve().parents[3]
TAPE = str(ROOT / "examples" / "synthetic-tape")
CONFIG = str(ROOT / "examples" / "backtest.toml")
WALK = (
    "walk-forward", CONFIG, "--data", TAPE, "--to", "2026-01-01T00:00:30Z", "--train", "10s", "--test", "5s",
    "--grid", "strategies.maker.levels=1,2",
)  # fmt: skip


def test_it_is_the_walk_of_the_api_and_prints_it_as_json(capsys):
    assert main([*WALK, "--json", "--every", "10s"]) == 0
    out, err = capsys.readouterr()
    found = json.loads(out)
    ours = qw.walk_forward(
        CONFIG, TAPE, train="10s", test="5s", step="10s", grid={"strategies.maker.levels": [1, 2]},
        end="2026-01-01T00:00:30Z",
    ).summary  # fmt: skip
    assert [row["order_log_sha256"] for row in found["windows"]] == [row["order_log_sha256"] for row in ours["windows"]]
    assert found["windows"][0]["chosen"] == ours["windows"][0]["chosen"]
    assert found["pnl"] == pytest.approx(float(ours["pnl"]))
    assert len([line for line in err.splitlines() if "in training" in line]) == len(found["windows"]) == 2


def test_it_prints_a_table(capsys):
    assert main([*WALK, "--select", "fills", "--set", "strategies.maker.gamma=0.05"]) == 0
    out = capsys.readouterr().out
    assert "walk-forward, chosen by fills" in out
    assert "pnl of all test ranges" in out
    assert re.search(r"2026-01-01 +2026-01-01 +levels=[12] ", out), "the date above the time, the key by its last word"
    assert len(re.findall(r"00:00:\d\d\.\d+Z", out)) == 6, "three windows, each with its two times whole"
    assert "…" not in out
    assert max(map(len, out.splitlines())) <= 80


GRIDS = {
    "strategies.mm.gamma=0.01,2": ("strategies.mm.gamma", [Decimal("0.01"), 2]),
    "strategies.mm.size=1 BTC, 500 quote": ("strategies.mm.size", ["1 BTC", "500 quote"]),
    'strategies.mm.x=["a,b", 1.5]': ("strategies.mm.x", ["a,b", Decimal("1.5")]),
    "strategies.mm.post=true,false": ("strategies.mm.post", [True, False]),
}


@pytest.mark.parametrize(("text", "found"), GRIDS.items())
def test_a_grid_is_read_as_a_config_would_be(text, found):
    assert grid_of(text) == found


@pytest.mark.parametrize("text", ["strategies.mm.gamma", "strategies.mm.gamma=", "strategies.mm.x=[1"])
def test_what_is_no_grid(text):
    with pytest.raises(ConfigError, match="--grid"):
        grid_of(text)


def test_faults_have_their_codes(capsys):
    assert main([*WALK[:2], "--data", "nowhere", *WALK[4:]]) == 2
    assert "no market data at nowhere" in capsys.readouterr().err
    assert main([*WALK, "--select", "profit"]) == 4
    assert "the summary has no figure 'profit'" in capsys.readouterr().err
