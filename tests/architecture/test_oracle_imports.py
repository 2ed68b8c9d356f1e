"""The oracle is an independent reading of the rules: it may not import the core it is compared with."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import quotewright_simexchange.oracle

FORBIDDEN = "quotewright_simexchange.matching"
MODULES = sorted(Path(quotewright_simexchange.oracle.__file__).parent.rglob("*.py"))


def imported_names(source: str, package: str) -> set[str]:
    """Return every module that *source* could import, relative and dynamic imports included."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*parts, *([node.module] if node.module else [])])
            found |= {base} | {f"{base}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found |= {word for word in node.value.split(":") if word.startswith("quotewright")}
    return found


def breaks_rule(name: str) -> bool:
    return name == FORBIDDEN or name.startswith(f"{FORBIDDEN}.")


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.name)
def test_oracle_module_does_not_import_the_matching_core(module: Path) -> None:
    found = imported_names(module.read_text(encoding="utf-8"), "quotewright_simexchange.oracle")

    assert not [name for name in sorted(found) if breaks_rule(name)]


@pytest.mark.parametrize(
    "planted",
    [
        "import quotewright_simexchange.matching.core",
        "from quotewright_simexchange import matching",
        "from ..matching import core",
        "from ..matching.core import MatchingCore",
        "import importlib; importlib.import_module('quotewright_simexchange.matching.door')",
    ],
)
def test_planted_import_of_the_matching_core_is_found(planted: str) -> None:
    assert any(breaks_rule(name) for name in imported_names(planted, "quotewright_simexchange.oracle"))
