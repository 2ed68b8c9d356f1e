"""Every key of every shipped maker may change while it quotes: the next wake-up quotes by it, nothing starts anew."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from quotewright.config.load import load_config
from quotewright.kernel.codes import NEVER
from quotewright.plugin.registry import PluginSet
from quotewright.tape.tape import TapeFile
from quotewright.wiring import assemble
from tests.framework.kernel.stage import SECOND, Notes

TREE = Path(__file__).resolve().parents[3]
BLOCK = re.compile(r"^```toml\n(\[strategies.maker\].*?)^```", flags=re.DOTALL | re.MULTILINE)
CHANGES = {  #               what is changed while it quotes; the last one is looked at
    "fixed_spread":         ["skew=0.5", "skew_exponent=2.0", "spread=2 bps"],
    "multi_level":          ["levels=2", "max_widening=1.5", "spread=4 bps"],
    "avellaneda_stoikov":   ["gamma=0.05", "horizon_rolls=false", "k=2.5"],
    "stationary_stoikov":   ["gamma=0.05", "omega=1.0", "k=2.5"],
    "glft":                 ["gamma=0.05", "solution=closed_form", "k=2.5"],
    "practical_spread":     ["imbalance_levels=3", "volatility_weight=0.1", "base_spread=4 bps"],
    "order_book_imbalance": ["imbalance_band=2 bps", "threshold=0.2", "spread=2 bps"],
}  # fmt: skip


@pytest.fixture(scope="module")
def plugins():
    return PluginSet.discover()


@pytest.mark.parametrize("name", CHANGES)
def test_a_maker_quotes_on_by_its_new_parameters(name, plugins, tmp_path):
    page = (TREE / "docs" / "strategies" / f"{name}.md").read_text("utf-8")
    layer = tmp_path / "maker.toml"
    layer.write_text(f"config_version = 1\n{BLOCK.findall(page)[0]}", encoding="utf-8")
    quick = [] if name in ("fixed_spread", "order_book_imbalance") else ["strategies.maker.volatility_window=5s"]
    config = load_config([TREE / "examples" / "backtest.toml", layer], quick)
    notes = Notes()
    with TapeFile.open(TREE / "examples" / "synthetic-tape") as tape:
        wired = assemble(config, plugins, tape, notes)
        (desk,) = wired.desks
        start_ns = wired.market.start_ns
        wired.pipeline.start(start_ns)
        wired.pipeline.advance(start_ns + 8 * SECOND, NEVER)
        assert {order.side for order in desk.view.live} == {1, 2}
        width = spread(desk)
        for change in CHANGES[name]:
            before = desk.strategy
            wired.pipeline.operate(f"set strategies.maker.{change}", "test")
            assert desk.strategy is not before
            assert desk.view.live, "what is working stays until the next wake-up"
        sent = len(notes.commands)
        wired.pipeline.advance(start_ns + 9 * SECOND, NEVER)
        assert {order.side for order in desk.view.live} == {1, 2}, "nothing had to be waited for again"
        assert len(notes.commands) > sent
        assert spread(desk) < width
    assert notes.failures == []
    assert tomllib.loads(BLOCK.findall(page)[0])["strategies"]["maker"]["plugin"] == name


def spread(desk):
    """Return the distance of the first working bid from the first working offer."""
    bids = [order.price_ticks for order in desk.view.live if order.side == 1 and order.level == 0]
    offers = [order.price_ticks for order in desk.view.live if order.side == 2 and order.level == 0]
    return max(offers) - min(bids)
