"""No venue's name stands in the code of the exchange itself: what venues differ in comes from cards and dialects."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import quotewright_plugins
import quotewright_simexchange

ROOT = Path(quotewright_simexchange.__file__).parent
CORE = ("exchange", "matching", "oracle", "markets")
VENUES = sorted(path.name for path in (Path(quotewright_plugins.__path__[0]) / "exchanges").iterdir() if path.is_dir())


def words(text: str) -> Iterator[str]:
    """Yield names and strings of a module's code, its docstrings left out."""
    tree = ast.parse(text)
    told = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told:
            yield node.value
        elif isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.alias | ast.FunctionDef | ast.ClassDef):
            yield node.name


def venues_in(text: str) -> list[str]:
    names = "|".join(name for name in VENUES if not name.startswith("_"))
    return [word for word in words(text) if re.search(names, word, re.IGNORECASE)]


@pytest.mark.parametrize("part", CORE)
def test_no_venue_is_named(part: str) -> None:
    modules = sorted((ROOT / part).glob("*.py"))
    assert modules
    assert {path.name: found for path in modules if (found := venues_in(path.read_text(encoding="utf-8")))} == {}


def test_a_name_would_be_found() -> None:
    assert "binance" in VENUES
    assert venues_in('"""Of binance."""\nif door == "binance-spot":\n    pass\n') == ["binance-spot"]
