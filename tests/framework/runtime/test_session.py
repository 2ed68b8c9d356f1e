"""A run from its config to its summary: the same each time, ended in order, with an exit code that says how."""

from __future__ import annotations

import gc
import shutil
import signal
from decimal import Decimal
from pathlib import Path

import pytest

from quotewright.config.load import load_config
from quotewright.errors import ConfigError
from quotewright.kernel.strategy import Strategy
from quotewright.plugin.registry import PluginSet
from quotewright.runtime.session import Session, backtest, collecting_seldom, interruptible, paper, sampling
from quotewright.tape.tape import TapeFile

ROOT = Path(__file__).resolve().parents[3]
DEMO = ROOT / "simexchange" / "quotewright_simexchange" / "demo.toml"
SECOND = 1_000_000_000


@pytest.fixture(scope="module")
def plugins():
    return PluginSet.discover(environment={})


@pytest.fixture(scope="module")
def run(tmp_path_factory, plugins):
    """Return the outcome of a paper run of 15 s of market time, and its folder."""
    return paper(load_config([DEMO]), plugins, seconds=15, folder=tmp_path_factory.mktemp("runs") / "one")


def test_the_same_config_gives_the_same_order_log_and_another_seed_another(run, plugins):
    again = paper(load_config([DEMO]), plugins, seconds=15)
    other = paper(load_config([DEMO], ["run.seed=8"]), plugins, seconds=15)
    digests = [outcome.summary["order_log_sha256"] for outcome in (run, again, other)]
    assert digests[0] == digests[1] != digests[2]


def test_the_summary_adds_up(run):
    summary = run.summary
    (figures,) = summary["instruments"].values()
    assert figures["pnl_spread"] + figures["pnl_inventory"] - figures["fees"] == figures["pnl"] == summary["pnl"]
    assert figures["realised"] + figures["unrealised"] - figures["fees"] == figures["pnl"]
    assert figures["bought"] - figures["sold"] == figures["position"] == summary["position"]
    assert summary["fills"] == figures["fills"] == len((run.folder / "fills.csv").read_text().splitlines()) - 1
    lines = (run.folder / "orders.jsonl").read_bytes().splitlines()
    assert summary["orders"] + summary["cancels"] + summary["amends"] == len(lines)
    assert (summary["open_orders"], run.exit_code) == (0, 0)
    assert isinstance(summary["pnl"], Decimal)


def test_the_profit_is_what_the_venue_says_our_balances_are_worth(run):
    """Our books against the exchange's, to the last digit."""
    summary = run.summary
    (figures,) = summary["instruments"].values()
    (venue,) = summary["venues"].values()
    change = venue["balances"]["USDT"] - 100_000 + (venue["balances"]["BTC"] - 1) * figures["mid"]
    assert change == pytest.approx(summary["pnl"], abs=Decimal("1e-15"))


def test_a_run_leaves_its_files(run):
    assert sorted(path.name for path in run.folder.iterdir()) == [
        "config.toml", "fills.csv", "inputs.log", "orders.jsonl", "samples.npz",
    ]  # fmt: skip


def test_the_config_in_the_folder_runs_again_the_same(run, plugins):
    again = paper(load_config([run.folder / "config.toml"]), plugins, seconds=15)
    assert again.summary["order_log_sha256"] == run.summary["order_log_sha256"]


def test_an_interrupt_ends_in_order(plugins, tmp_path):
    session = Session("paper", load_config([DEMO]), plugins, None, tmp_path, 0, record_inputs=True)
    with interruptible(session):
        session.run_through(session.start_ns + 5 * SECOND)
        signal.raise_signal(signal.SIGINT)
        session.run_through(session.start_ns + 50 * SECOND)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    outcome = session.finish()
    assert (outcome.exit_code, outcome.summary["interrupted"], outcome.summary["open_orders"]) == (130, True, 0)
    assert outcome.summary["market_seconds"] < 6


def test_the_former_signal_handlers_come_back(plugins):
    before = signal.getsignal(signal.SIGINT)
    with interruptible(Session("paper", load_config([DEMO]), plugins)):
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before


class Breaks(Strategy):
    """Raises when it is woken."""

    wake_every_ns = SECOND

    def on_wake(self, view, quotes):
        raise RuntimeError("as planned")


def prepared(session):
    """Let the run's strategy break."""
    session.wired.desks[0].strategy.on_wake = Breaks().on_wake


def test_the_garbage_collector_is_as_before_after_a_run():
    before = gc.get_threshold()
    with collecting_seldom():
        during = gc.get_threshold(), gc.get_freeze_count()
    assert during[0] == (100_000, *before[1:])
    assert during[1] > 0
    assert (gc.get_threshold(), gc.get_freeze_count()) == (before, 0)


def test_a_garbage_collector_that_somebody_else_has_set_up_is_left_alone():
    gc.freeze()
    try:
        before, frozen = gc.get_threshold(), gc.get_freeze_count()
        with collecting_seldom():
            assert gc.get_threshold() == before
        assert frozen > 0
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()


def test_a_strategy_that_breaks_ends_with_one(plugins):
    outcome = paper(load_config([DEMO]), plugins, seconds=3, prepared=prepared)
    assert outcome.exit_code == 1
    assert outcome.summary["failures"] == {
        "maker": "strategy maker raised and is stopped, its orders are cancelled: RuntimeError: as planned"
    }


def test_a_run_that_ends_halted_ends_with_six(plugins):
    outcome = paper(
        load_config([DEMO]), plugins, seconds=1, prepared=lambda run: run.pipeline.operate("halt", "enough")
    )
    assert (outcome.exit_code, outcome.summary["risk_state"], outcome.summary["orders"]) == (6, "HALT", 0)


def test_as_fast_as_possible_needs_an_end(plugins):
    with pytest.raises(ConfigError, match="as fast as possible needs an end: give --seconds, or --speed real"):
        paper(load_config([DEMO]), plugins, seconds=None)


def test_a_backtest_of_the_shipped_tape_is_the_same_twice(plugins, tmp_path):
    shutil.copytree(ROOT / "examples" / "synthetic-tape", tmp_path / "tape")
    config = load_config([ROOT / "examples" / "backtest.toml"])
    outcomes = [backtest(config, plugins, TapeFile.open(tmp_path / "tape")) for _ in range(2)]
    summaries = [outcome.summary for outcome in outcomes]
    assert summaries[0]["order_log_sha256"] == summaries[1]["order_log_sha256"]
    assert summaries[0]["rows"] == TapeFile.open(tmp_path / "tape").rows.count
    assert (summaries[0]["open_orders"], outcomes[0].exit_code) == (0, 0)
    assert summaries[0]["orders"] > 0


SPANS = {"a minute": (60, 0.1), "an hour": (3600, 1.8), "a day": (86_400, 43.2), "a month": (2_592_000, 60)}


@pytest.mark.parametrize(("span", "every"), SPANS.values(), ids=SPANS)
def test_a_report_has_about_two_thousand_points(span, every):
    assert sampling(span * SECOND) == every * SECOND
