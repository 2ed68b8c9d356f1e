"""The example with ccxt of the documentation, run as it stands there, where ccxt is installed."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from tests.simexchange.pytest_plugin.test_plugin import PLUGIN

pytest_plugins = ["pytester"]
PAGE = Path(__file__).resolve().parents[3] / "docs" / "pytest-plugin.md"


def test_the_example_runs(pytester: pytest.Pytester):
    if importlib.util.find_spec("ccxt") is None:
        pytest.skip(reason="ccxt is not installed: the environment of the clients has it")
    blocks = PAGE.read_text(encoding="utf-8").split("```python\n")[1:]
    (example,) = (block.partition("```")[0] for block in blocks if "import ccxt" in block)
    pytester.makepyfile(example)
    pytester.runpytest_subprocess(*PLUGIN, "-W", "ignore").assert_outcomes(passed=1)
