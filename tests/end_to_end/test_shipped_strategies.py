"""Every shipped maker trades, as its page configures it: on a tape and, with one edit, on the embedded exchange."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.end_to_end.command import EXAMPLES, TREE, quotewright

BLOCK = re.compile(r"^```toml\n(\[strategies.maker\].*?)^```", flags=re.DOTALL | re.MULTILINE)
PAGES = [page for page in sorted((TREE / "docs" / "strategies").glob("*.md")) if BLOCK.search(page.read_text("utf-8"))]
QUICK = {  # what lets a spread that suits a whole market meet takers within a minute of a small one
    "fixed_spread": ["spread=0.5 bps"],
    "multi_level": ["spread=0.5 bps", "volatility_window=5s"],
    "practical_spread": ["base_spread=0 bps", "volatility_horizon=1s", "volatility_window=5s"],
    "order_book_imbalance": ["spread=0.5 bps"],
    "stationary_stoikov": ["k=6", "volatility_window=5s"],
}


def overlay(page: Path, folder: Path) -> list[str]:
    """Write the page's config as a layer over an example's, and return the arguments that make it quick."""
    layer = folder / page.name.replace(".md", ".toml")
    layer.write_text("config_version = 1\n" + BLOCK.findall(page.read_text("utf-8"))[0], encoding="utf-8")
    sets = QUICK.get(page.stem, ["volatility_window=5s"])
    return [str(layer), *(part for one in sets for part in ("--set", f"strategies.maker.{one}"))]


def figures(ran):
    assert ran.code == 0, ran.err
    assert ran.json["orders"] > 0
    (found,) = ran.json["instruments"].values()
    assert found["book_crossings"] == 0
    return ran.json


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_it_trades_on_a_tape_and_on_the_embedded_exchange(page, tape, tmp_path):
    layer = overlay(page, tmp_path)
    common = ["--json", "--no-report", "--out"]
    tested = figures(
        quotewright("backtest", EXAMPLES / "backtest.toml", *layer, "--data", tape, *common, tmp_path / "tape")
    )
    paper = figures(
        quotewright("paper", EXAMPLES / "paper.toml", *layer, "--seconds", "20", *common, tmp_path / "paper")
    )
    assert tested["fills"] > 0
    assert paper["fills"] > 0
