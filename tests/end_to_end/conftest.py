"""Runs that many tests look at, made once."""

from __future__ import annotations

import pytest

from tests.end_to_end.command import EXAMPLES, quotewright


@pytest.fixture(autouse=True)
def _no_plugins_folder(monkeypatch):
    monkeypatch.delenv("QUOTEWRIGHT_PLUGINS_DIR", raising=False)


@pytest.fixture(scope="session")
def demos(tmp_path_factory):
    """The demo with seeds 7 and 8: seed → (what it said, its folder)."""
    home = tmp_path_factory.mktemp("demo")
    found = {}
    for seed in (7, 8):
        folder = home / str(seed)
        found[seed] = (quotewright("demo", "--seed", seed, "--seconds", "60", "--json", "--out", folder), folder)
    return found


@pytest.fixture(scope="session")
def tape(tmp_path_factory):
    """A minute of the local exchange's own market."""
    path = tmp_path_factory.mktemp("market") / "tape"
    ran = quotewright("exchange", "record", path, "--seconds", "60", "--seed", "3")
    assert ran.code == 0, ran.err
    return path


@pytest.fixture(scope="session")
def backtested(tape, tmp_path_factory):
    """The example's backtest on :func:`tape`: what it said and its folder."""
    folder = tmp_path_factory.mktemp("backtest") / "run"
    return quotewright(*backtest_of(tape), "--json", "--out", folder), folder


def backtest_of(tape):
    """Return the arguments of the example's backtest on a short tape."""
    quick = "strategies.maker.volatility_window=5s"
    return ["backtest", EXAMPLES / "backtest.toml", "--data", tape, "--set", quick]
