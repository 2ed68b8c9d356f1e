"""Each shipped maker has its page: its keys, a config that fits it, and pictures drawn from what it quotes by."""

from __future__ import annotations

import re
import runpy
import tomllib
from pathlib import Path

import attrs
import pytest

from quotewright.plugin.settings import config_model
from quotewright_plugins.bundle import strategies
from quotewright_plugins.strategies.maker import MultiLevelMaker

DOCS = Path(__file__).resolve().parents[3] / "docs"
OVERVIEW = (DOCS / "strategies.md").read_text("utf-8")
OFFERED = {name: config_model(factory.load()) for name, factory in strategies().items()}
SHIPPED = sorted(
    name for name, model in OFFERED.items() if isinstance(model, type) and issubclass(model, MultiLevelMaker)
)
PLOTS = runpy.run_path(str(DOCS / "strategies" / "plots.py"))
BLOCK = re.compile(r"^```toml\n(.*?)^```", flags=re.DOTALL | re.MULTILINE)


def page(name):
    return (DOCS / "strategies" / f"{name}.md").read_text("utf-8")


def keys(text):
    """Return the keys in the first column of every table of keys."""
    found = re.findall(r"^\| (`[a-z_]+`(?:, `[a-z_]+`)*) \|", text, flags=re.MULTILINE)
    return {key for cell in found for key in re.findall(r"`([a-z_]+)`", cell)}


def test_the_makers_are_found():
    assert {"glft", "practical_spread", "fixed_spread"} <= set(SHIPPED)


@pytest.mark.parametrize("name", SHIPPED)
def test_every_key_is_documented_and_every_documented_key_exists(name):
    fields = {field.name for field in attrs.fields(OFFERED[name])}
    assert fields <= keys(page(name)) | keys(OVERVIEW)
    assert keys(page(name)) - fields <= {"pair"}, "keys of the article stand in its own column"


@pytest.mark.parametrize("name", SHIPPED)
def test_the_page_holds_a_config_a_worked_example_and_a_picture(name):
    (block,) = BLOCK.findall(page(name))
    table = tomllib.loads(block)["strategies"]["maker"]
    assert table.pop("plugin") == name
    table.pop("requote", None)
    assert isinstance(strategies()[name](**table), OFFERED[name])
    assert "## Worked example" in page(name)
    pictures = re.findall(r"!\[[^\]]+\]\((\w+)\.svg\)", page(name))
    assert name in pictures
    assert set(pictures) <= set(PLOTS["CHARTS"])


@pytest.mark.parametrize("name", sorted(PLOTS["CHARTS"]))
def test_drawing_again_changes_nothing(name):
    """``python docs/strategies/plots.py`` leaves ``git diff`` empty."""
    drawn = PLOTS["CHARTS"][name]().svg()
    assert drawn == (DOCS / "strategies" / f"{name}.svg").read_text("utf-8")
    assert drawn.count("<polyline") >= len([c for c in PLOTS["CHARTS"][name]().curves if c.name])


def test_the_command_writes_every_picture(tmp_path):
    PLOTS["main"](tmp_path)
    assert {path.stem for path in tmp_path.glob("*.svg")} == set(PLOTS["CHARTS"])


def test_the_pages_stand_in_the_index():
    index = (DOCS / "index.md").read_text("utf-8")
    assert all(f"(strategies/{name}.md)" in index and f"(strategies/{name}.md)" in OVERVIEW for name in SHIPPED)
