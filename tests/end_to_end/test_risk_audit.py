"""``quotewright risk audit``: a rule watches a run that is over and says what it would have done."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.end_to_end.command import quotewright

EXAMPLES = Path(__file__).resolve().parent.parent.parent / "examples"
SHOCK = ("--rule", "price_shock", "--set", "move=0.02%", "--set", "resume.window=5s")
FAULTY = """
from quotewright.kernel.rules import CheckRule
from quotewright.plugin import hookimpl


class Faulty(CheckRule):
    def check(self, order, view):
        raise ValueError("cannot judge")


@hookimpl
def risk_rules():
    return {"faulty": Faulty}
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A paper run and a backtest, each once plain and once with a rule that observed."""
    folder = tmp_path_factory.mktemp("runs")
    (folder / "watch.toml").write_text(
        'config_version = 1\n[risk.watch]\nplugin = "max_order_size"\nlimit = "0.0001 BTC"\nmode = "observe"\n',
        encoding="utf-8",
    )
    paper, backtest = EXAMPLES / "paper.toml", EXAMPLES / "backtest.toml"
    tape = EXAMPLES / "synthetic-tape"
    for name, more in (("plain", ()), ("watched", (folder / "watch.toml",))):
        done = quotewright("paper", paper, *more, "--seconds", "60", "--no-report", "--out", folder / f"paper-{name}")
        assert done.code == 0, done.err
        done = quotewright("backtest", backtest, *more, "--data", tape, "--no-report", "--out", folder / f"back-{name}")
        assert done.code == 0, done.err
    return folder


def audited(folder, *arguments):
    done = quotewright("risk", "audit", folder, *arguments, "--json")
    assert done.code == 0, done.err
    return json.loads(done.out)


KINDS = {"paper": (), "back": ("--data", EXAMPLES / "synthetic-tape")}


@pytest.mark.parametrize(("kind", "more"), KINDS.items(), ids=KINDS)
def test_an_audit_counts_what_the_same_rule_counted_when_it_observed(runs, kind, more):
    summary = json.loads((runs / f"{kind}-watched" / "summary.json").read_text(encoding="utf-8"))
    limit = ("--rule", "max_order_size", "--set", "limit=0.0001 BTC")
    found = audited(runs / f"{kind}-plain", *limit, *more)
    assert found["reasons"] == summary["refusals"]["watch (observe)"]
    assert found["refused"] == sum(found["reasons"].values()) > 0
    again = audited(runs / f"{kind}-watched", "--rule", "watch", *more)
    assert again["reasons"] == found["reasons"]


def test_an_audit_says_when_a_state_would_have_held_and_for_how_long(runs):
    found = audited(runs / "back-plain", *SHOCK, *KINDS["back"])
    assert found["tripped"]
    assert found["changes"][0]["state"] == "CANCEL_ALL"
    assert "mid moved" in found["changes"][0]["why"]
    assert found["held_back"] > 0
    assert sum(found["held_ns"].values()) <= found["end_ns"] - found["start_ns"]
    times = [change["time_ns"] for change in found["changes"]]
    assert times == sorted(times)
    done = quotewright("risk", "audit", runs / "back-plain", *SHOCK, *KINDS["back"])
    assert done.out.startswith("price_shock over ")
    assert "it would have tripped" in done.out
    assert "CANCEL_ALL: BTC-USDT" in done.out


def test_a_rule_that_has_nothing_to_say_says_so(runs):
    found = audited(runs / "paper-plain", "--rule", "daily_loss", "--set", "limit=1000000 USDT")
    assert not found["tripped"]
    assert found["changes"] == []
    assert found["orders"] > 0


ERRORS = {
    "no run":         (lambda r: (r, "--rule", "price_shock"), 2, "no run in"),
    "no such rule":   (lambda r: (r / "paper-plain", "--rule", "price_shok"), 4, "did you mean 'price_shock'"),
    "a missing key":  (lambda r: (r / "paper-plain", "--rule", "price_shock"), 4, "missing key 'move'"),
    "an unknown key": (lambda r: (r / "paper-plain", *SHOCK, "--set", "moves=1%"), 4, "unknown key 'moves'"),
    "no tape":        (lambda r: (r / "back-plain", *SHOCK), 4, "name it with --data TAPE"),
    "another range":  (
        lambda r: (r / "back-plain", *SHOCK, *KINDS["back"], "--to", "1970-01-01T00:00:01Z"), 4, "nothing of the tape",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("arguments", "code", "message"), ERRORS.values(), ids=ERRORS)
def test_what_cannot_be_audited_is_said(runs, arguments, code, message):
    done = quotewright("risk", "audit", *arguments(runs))
    assert done.code == code, done.err
    assert message in done.err


def test_a_run_that_comes_out_otherwise_is_not_audited(runs, tmp_path):
    copy = tmp_path / "run"
    copy.mkdir()
    for name in ("config.toml", "summary.json"):
        text = (runs / "back-plain" / name).read_text(encoding="utf-8")
        (copy / name).write_text(text.replace('gamma = "', 'gamma = "1').replace("gamma = 0.", "gamma = 1."))
    done = quotewright("risk", "audit", copy, *SHOCK, *KINDS["back"])
    assert done.code == 7, done.err
    assert "the run sent other orders now" in done.err


def test_a_rule_that_raises_is_told_and_the_run_goes_by(runs, tmp_path):
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    (plugins / "faulty.py").write_text(FAULTY, encoding="utf-8")
    done = quotewright("risk", "audit", runs / "paper-plain", "--rule", "faulty", "--plugins-dir", plugins)
    assert done.code == 1
    assert "the rule itself failed, which would have halted the run: ValueError: cannot judge" in done.out
