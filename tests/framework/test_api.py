"""The Python API does what the verbs do, in a script and where an event loop runs, and hands records back."""

from __future__ import annotations

import asyncio
import csv
import json
import math
import subprocess
import sys
import types
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import anyio
import numpy as np
import pytest

import quotewright as qw
from quotewright import api
from quotewright.cli.main import main
from quotewright.runtime.arrays import records
from quotewright.tape.tape import TapeFile

ROOT = Path(__file__).resolve().parents[2]
TAPE = ROOT / "examples" / "synthetic-tape"
CONFIG = ROOT / "examples" / "backtest.toml"
DEMO = ROOT / "simexchange" / "quotewright_simexchange" / "demo.toml"
START, END = "2026-01-01T00:00:05Z", "2026-01-01T00:00:45Z"
RANGE = {"start": START, "end": END}


class OneTickBehind(qw.Strategy):
    """Quote one lot a tick behind the best on either side, every second."""

    wake_every_ns = 1_000_000_000

    def on_wake(self, view, quotes):
        quotes.bid(view.best_bid_ticks() - 1, 1000)
        quotes.offer(view.best_offer_ticks() + 1, 1000)


@qw.configured
class Behind(qw.Strategy):
    """Quote some ticks behind the best."""

    ticks: int = qw.setting(doc="ticks behind the best", check=qw.positive)
    wake_every_ns = 1_000_000_000

    def on_wake(self, view, quotes):
        quotes.bid(view.best_bid_ticks() - self.ticks, 1000)
        quotes.offer(view.best_offer_ticks() + self.ticks, 1000)


class Never(qw.CheckRule):
    """Refuse every order."""

    def check(self, order, view):
        return "never"


TABLES = {
    "config_version": 1,
    "feeds": {"market": {"plugin": "tape"}},
    "venues": {"main": {"plugin": "replay", "taker_fee": "4 bps"}},
    "strategies": {"mm": {"plugin": OneTickBehind}},
}


@pytest.fixture(scope="module")
def result():
    return qw.backtest(CONFIG, TAPE, **RANGE)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """Return the folder of the same run, made by the command line."""
    folder = tmp_path_factory.mktemp("cli") / "run"
    arguments = ["backtest", str(CONFIG), "--data", str(TAPE), "--from", START, "--to", END, "--out", str(folder)]
    assert main(arguments) == 0
    return folder


def test_it_is_the_run_of_the_command_line(result, recorded):
    summary = json.loads((recorded / "summary.json").read_text())
    assert result.summary["order_log_sha256"] == summary["order_log_sha256"]
    assert (result.exit_code, result.folder, result.failures) == (0, None, {})
    assert float(result.summary["pnl"]) == summary["pnl"]
    assert repr(result).startswith("<Result of backtest 'backtest': 40 s of market, ")


def test_fills_are_those_of_the_record(result, recorded):
    with (recorded / "fills.csv").open() as file:
        lines = list(csv.DictReader(file))
    fills = result.fills
    assert isinstance(fills, np.recarray)
    assert len(fills) == len(lines) == result.summary["fills"] > 10
    for name, kind in (("time_ns", int), ("event_ns", int), ("price", float), ("quantity", float), ("mid", float),
                       ("fee", float)):  # fmt: skip
        assert fills[name] == pytest.approx([kind(line[name]) for line in lines])
    assert fills.side.tolist() == [line["side"] for line in lines]
    assert fills.instrument.tolist() == [line["instrument"] for line in lines]
    assert fills.is_maker.tolist() == [line["is_maker"] == "1" for line in lines]
    assert set(fills.strategy) == {"maker"}
    assert set(fills.fee_currency) == {"USDT"}


def test_orders_are_those_of_the_log_with_what_became_of_them(result, recorded):
    commands = [json.loads(line)[1] for line in (recorded / "orders.jsonl").read_text().splitlines()]
    news = [command for command in commands if command["type"] == "new"]
    orders = result.orders
    assert orders.order.tolist() == [command["order_number"] for command in news]
    assert orders.price_ticks.tolist() == [command["price_ticks"] for command in news]
    assert orders.amends.sum() == sum(command["type"] == "amend" for command in commands)
    filled = dict.fromkeys(orders.order.tolist(), 0.0)
    for fill in result.fills:
        filled[int(fill.order)] += float(fill.quantity)
    assert orders.filled == pytest.approx([filled[order] for order in orders.order.tolist()])
    assert set(orders.state) <= {"filled", "canceled", "rejected"}
    assert (orders.end_ns >= orders.time_ns).all()
    assert ((orders.filled == orders.quantity) == (orders.state == "filled")).all()


def test_samples_equity_quotes_and_markouts_agree_with_the_summary(result):
    (name,) = result.instruments
    figures = result.summary["instruments"][name]
    assert result.equity.equity[-1] == pytest.approx(float(result.summary["pnl"]))
    assert result.equity.currency[-1] == "USDT"
    assert result.samples.position[-1] == pytest.approx(float(figures["position"]))
    assert (np.diff(result.samples.time_ns) > 0).all()
    quotes = result.quotes
    assert quotes.dtype.names == ("time_ns", "instrument", "best_bid", "best_offer", "own_bid", "own_offer", "is_good",
                                  "risk_state")  # fmt: skip
    quoting = quotes.own_bid > 0
    assert quoting.mean() == pytest.approx(figures["quotes"]["bid"]["quoting_share"], abs=0.02)
    assert (quotes.own_bid[quoting] <= quotes.best_offer[quoting]).all()
    assert set(quotes.risk_state) == {"normal"}
    assert result.markouts.seconds.tolist() == [1, 5, 30, 60]
    assert result.markouts.fills.tolist() == [row["fills"] for row in figures["markouts"]]
    assert math.isnan(result.markouts.bps[3]) == (figures["markouts"][3]["bps"] is None)


def test_a_report_is_one_file(result, tmp_path):
    path = result.report(tmp_path / "mine.html")
    assert "plotly" in path.read_text(encoding="utf-8")
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(qw.ConfigError, match="should be the file of a report, is a folder"):
        result.report(tmp_path)


def test_a_config_is_a_file_a_dict_or_layers_of_both(result):
    digest = result.summary["order_log_sha256"]
    same = qw.backtest([CONFIG, {"strategies": {"maker": {"gamma": 0.02}}}], TAPE, **RANGE)
    other = qw.backtest(CONFIG, TAPE, overrides={"strategies.maker.gamma": 0.2}, **RANGE)
    told = qw.backtest(CONFIG, TAPE, overrides=["strategies.maker.gamma=0.2"], **RANGE)
    assert same.summary["order_log_sha256"] == digest
    assert other.summary["order_log_sha256"] == told.summary["order_log_sha256"] != digest
    assert qw.backtest(CONFIG, TAPE, seed=11, **RANGE).summary["seed"] == 11


def test_strategies_and_rules_need_no_packaging():
    plain = qw.backtest(TABLES, TAPE, **RANGE)
    assert plain.summary["orders"] > 20
    behind = qw.backtest(TABLES, TAPE, overrides={"strategies.mm": {"plugin": Behind, "ticks": 1}}, **RANGE)
    assert behind.summary["order_log_sha256"] == plain.summary["order_log_sha256"]
    ruled = qw.backtest(TABLES, TAPE, overrides={"risk.no": {"plugin": Never}}, **RANGE)
    assert (ruled.summary["orders"], list(ruled.summary["refusals"])) == (0, ["no"])


def test_an_object_runs_once():
    made = OneTickBehind()
    tables = {**TABLES, "strategies": {"mm": {"plugin": made}}}
    first = qw.backtest(tables, TAPE, **RANGE)
    with pytest.raises(qw.ConfigError, match="this OneTickBehind was in a run already"):
        qw.backtest(tables, TAPE, **RANGE)

    def new_one():
        return OneTickBehind()

    new = {**TABLES, "strategies": {"mm": {"plugin": new_one}}}
    for _ in range(2):
        assert qw.backtest(new, TAPE, **RANGE).summary["order_log_sha256"] == first.summary["order_log_sha256"]


def test_a_strategy_that_breaks_is_told_and_the_run_comes_back(capsys):
    class Breaks(OneTickBehind):
        def on_wake(self, view, quotes):
            raise RuntimeError("as planned")

    broken = qw.backtest(TABLES, TAPE, overrides={"strategies.mm.plugin": Breaks}, **RANGE)
    assert broken.exit_code == 1
    assert "as planned" in broken.failures["mm"]
    assert "RuntimeError: as planned" in capsys.readouterr().err


FAULTS = {
    "a table that is unknown": ({"strategy": {}}, "overrides: unknown table 'strategy'"),
    "a plugin that is unknown": ({"strategies.mm.plugin": "nobody"}, "no strategy called 'nobody'"),
    "an unknown key": ({"strategies.mm.gamma": 3}, "unknown key 'gamma'"),
    "a text": ("strategies.mm.gamma=1", "overrides should be a list of texts or a dict"),
}


@pytest.mark.parametrize(("overrides", "message"), FAULTS.values(), ids=FAULTS)
def test_a_fault_of_the_config_is_said_before_anything_runs(overrides, message):
    with pytest.raises(qw.ConfigError, match=message):
        qw.backtest(TABLES, TAPE, overrides=overrides)
    with pytest.raises(qw.ConfigError, match="no config was given"):
        qw.backtest([], TAPE)
    with pytest.raises(qw.ConfigError, match="a file stands before the tables"):
        qw.backtest([TABLES, CONFIG], TAPE)


TIMES = {
    "text": "2026-01-01T00:00:05Z",
    "nanoseconds": 1_767_225_605_000_000_000,
    "aware": datetime(2026, 1, 1, 0, 0, 5, tzinfo=UTC),
    "another zone": datetime(2026, 1, 1, 5, 30, 5, tzinfo=timezone(timedelta(hours=5, minutes=30))),
}


@pytest.mark.parametrize("start", TIMES.values(), ids=TIMES)
def test_times_are_utc(start):
    assert api._ns(start, "start") == 1_767_225_605_000_000_000


def test_a_date_is_its_midnight_in_utc():
    assert api._ns(date(2026, 1, 1), "start") == 1_767_225_600_000_000_000


NO_TIMES = {
    "naive": (datetime(2026, 1, 1), "start: 2026-01-01 00:00:00 has no time zone"),
    "text without a zone": ("2026-01-01T00:00:05", "start: a time of day needs its zone"),
    "a float": (1.5, "start should be a text such as"),
    "a truth": (True, "start should be a time, was True"),
}


@pytest.mark.parametrize(("start", "message"), NO_TIMES.values(), ids=NO_TIMES)
def test_what_nobody_can_tell_the_zone_of_is_refused(start, message):
    with pytest.raises(qw.ConfigError, match=message):
        qw.backtest(CONFIG, TAPE, start=start)
    with pytest.raises(qw.ConfigError, match="end should be later than start"):
        qw.backtest(CONFIG, TAPE, start=END, end=START)


class HandClock:
    def __init__(self):
        self.time = 0.0

    def now(self):
        return self.time

    def sleep(self, seconds):
        self.time += seconds


def test_runs_where_an_event_loop_is_running(result):
    """A notebook's cells do: paced runs, too, and live ones have a loop of their own in another thread."""
    clock = HandClock()

    async def cell():
        paced = qw.backtest(CONFIG, TAPE, speed=8, clock=clock, **RANGE)
        papered = qw.paper(DEMO, 2, speed="real", clock=HandClock())
        own = api._outside_the_loop(lambda: anyio.run(anyio.sleep, 0), lambda: None)
        return paced, papered, own

    paced, papered, own = asyncio.run(cell())
    assert clock.time == pytest.approx(5.0, abs=0.1)
    assert paced.summary["order_log_sha256"] == result.summary["order_log_sha256"]
    assert papered.summary["order_log_sha256"] == qw.paper(DEMO, 2).summary["order_log_sha256"]
    assert own is None


def test_what_fails_in_another_thread_is_raised_here():
    def fail():
        raise qw.InputError("over there")

    async def cell():
        api._outside_the_loop(fail, lambda: None)

    with pytest.raises(qw.InputError, match="over there"):
        asyncio.run(cell())


def test_paper_takes_a_time_and_an_end(tmp_path):
    done = qw.paper(DEMO, 3, out=tmp_path / "run")
    assert done.summary["market_seconds"] >= 3
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["verb"] == "paper"
    assert len(done.fills) == done.summary["fills"]
    with pytest.raises(qw.ConfigError, match="holds another run; name a new folder"):
        qw.paper(DEMO, 3, out=tmp_path / "run")
    with pytest.raises(qw.ConfigError, match="seconds should be positive, was 0"):
        qw.paper(DEMO, 0)


def test_a_run_can_be_stepped_through(result):
    until = "2026-01-01T00:00:10Z"
    with qw.step_through(CONFIG, TAPE, "wake", until=until, **RANGE) as steps:
        first = next(steps)
        assert first.now_ns == 1_767_225_610_000_000_000
        (view,) = first.views.values()
        assert view.best_bid_ticks() < view.best_offer_ticks()
        with pytest.raises(qw.ConfigError, match="the run goes on"):
            _ = steps.result
        times = [step.now_ns for step in steps]
        assert times == sorted(times)
        assert len(times) > 20
    assert steps.result.summary["order_log_sha256"] == result.summary["order_log_sha256"]
    assert (steps.order_count, steps.fill_count) == (result.summary["orders"], result.summary["fills"])
    assert steps.messages == result.summary["messages"]
    assert list(steps) == []


def test_a_stepped_run_ends_where_one_leaves_it():
    with qw.step_through(CONFIG, TAPE, "1s", **RANGE) as steps:
        for step in steps:
            if step.order_count:
                break
    assert steps.result.summary["open_orders"] == 0
    assert steps.result.summary["end_ns"] < 1_767_225_645_000_000_000


def test_several_tapes_are_one(tmp_path):
    with qw.load_tape(TAPE) as tape:
        assert isinstance(tape, TapeFile)
        assert qw.load_tape(tape) is tape
        prints = qw.trades(tape, "BTC-USDT.spot@local", START, END)
    joined = qw.load_tape([TAPE, TAPE])
    assert len(joined) == 2 * 25225
    joined.close()
    twice = qw.trades([TAPE, TAPE], start=START, end=END)
    assert len(twice) == 2 * len(prints) > 100
    assert set(prints.side) == {"buy", "sell"}
    assert (prints.quantity > 0).all()
    assert (prints.event_ns <= prints.time_ns).all()
    assert len(qw.trades(TAPE, start="2027-01-01")) == 0


def test_a_recording_is_imported(tmp_path):
    levels = {"bids": [{"price": 10, "amount": 1}], "asks": [{"price": 11, "amount": 1}]}
    times = {"timestamp": "2026-03-01T00:00:00.000Z", "localTimestamp": "2026-03-01T00:00:01.000Z"}
    head = {"type": "book_change", "exchange": "bybit", "symbol": "ETHUSD", "isSnapshot": True}
    (tmp_path / "x.ndjson").write_text(json.dumps({**head, **levels, **times}))
    for number, files in enumerate((tmp_path / "x.ndjson", [tmp_path / "x.ndjson"])):
        with qw.import_recording(files, tmp_path / f"tape-{number}") as tape:
            assert len(tape) == 3


class Frame:
    """What stands in for pandas: a table that remembers its columns."""

    def __init__(self, columns):
        self.columns = columns


def test_tables_become_data_frames_where_pandas_is(result, monkeypatch):
    pandas = types.ModuleType("pandas")
    pandas.DataFrame = Frame
    pandas.to_datetime = lambda values, unit, utc: (unit, utc, len(values))
    monkeypatch.setitem(sys.modules, "pandas", pandas)
    fills = result.to_pandas("fills").columns
    assert fills["time"] == ("ns", True, len(result.fills))
    assert fills["price"].tolist() == result.fills.price.tolist()
    assert list(result.to_pandas()) == ["fills", "orders", "samples", "equity", "quotes", "markouts"]
    with pytest.raises(qw.NotFoundError, match="no table called 'trades'; there are fills, orders"):
        result.to_pandas("trades")


def test_without_pandas_it_says_what_to_install(result, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(qw.NotFoundError, match="pandas is not installed: pip install pandas"):
        result.to_pandas()


def test_real_pandas(result):
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    frame = result.to_pandas("fills")
    assert isinstance(frame, pandas.DataFrame)
    assert str(frame["time"].dtype) == "datetime64[ns, UTC]"


def test_a_run_without_fills_has_empty_tables():
    nothing = qw.backtest(TABLES, TAPE, overrides={"risk.no": {"plugin": Never}}, **RANGE)
    assert (len(nothing.fills), len(nothing.orders)) == (0, 0)
    assert nothing.fills.dtype.names[:3] == ("time_ns", "event_ns", "order")
    assert nothing.equity.equity.tolist() == [0.0] * len(nothing.equity)
    assert records({"a": np.array([], dtype=str)}).a.tolist() == []


def test_importing_takes_nothing_along():
    """Its names come when they are used; the command line starts as quickly as before."""
    code = "import sys, quotewright; print(sorted({'numpy', 'attrs', 'anyio', 'click', 'msgspec'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert {"backtest", "load_tape", "Strategy", "walk_forward"} <= set(dir(qw))
    for name in dir(qw):
        getattr(qw, name)
    with pytest.raises(AttributeError, match="module 'quotewright' has no attribute 'backtests'"):
        _ = qw.backtests


# Walk-forward.

GRID = {"strategies.maker.gamma": [0.01, 0.3], "strategies.maker.levels": [1, 2]}
WALK = {"train": "15s", "test": "10s", "grid": GRID, "start": START, "end": END}


@pytest.fixture(scope="module")
def walked():
    return qw.walk_forward(CONFIG, TAPE, **WALK)


def test_a_walk_chooses_on_one_range_and_tests_on_the_next(walked):
    """Against the same runs made one by one."""
    first = 1_767_225_605_000_000_000
    assert walked.windows.train_ns.tolist() == [first, first + 10_000_000_000]
    assert walked.windows.end_ns.tolist() == [first + 25_000_000_000, first + 35_000_000_000]
    for place, window in enumerate(walked.windows):
        pnls = []
        for gamma in GRID["strategies.maker.gamma"]:
            for levels in GRID["strategies.maker.levels"]:
                chosen = {"strategies.maker.gamma": gamma, "strategies.maker.levels": levels}
                span = {"start": int(window.train_ns), "end": int(window.test_ns)}
                pnls.append((qw.backtest(CONFIG, TAPE, overrides=chosen, **span).summary["pnl"], chosen))
        best = max(pnl for pnl, _ in pnls)
        assert walked.chosen[place] == next(chosen for pnl, chosen in pnls if pnl == best)
        assert walked.candidates.figure[4 * place : 4 * place + 4] == pytest.approx([float(pnl) for pnl, _ in pnls])
        span = {"start": int(window.test_ns), "end": int(window.end_ns)}
        test = qw.backtest(CONFIG, TAPE, overrides=walked.chosen[place], **span)
        assert walked.tests[place]["order_log_sha256"] == test.summary["order_log_sha256"]
    assert walked.summary["pnl"] == walked.tests[0]["pnl"] + walked.tests[1]["pnl"]
    assert isinstance(walked.summary["pnl"], Decimal)
    assert walked.candidates.is_chosen.sum() == 2
    assert "2 windows, 4 candidates" in repr(walked)


def test_several_runs_at_a_time_come_to_the_same(walked, monkeypatch):
    """joblib as it is called; what a process is sent must be picklable, and what comes back too."""
    import pickle

    joblib = types.ModuleType("joblib")
    joblib.delayed = lambda function: lambda *arguments: (function, arguments)

    class Parallel:
        def __init__(self, n_jobs):
            assert n_jobs == 2

        def __call__(self, calls):
            sent = [pickle.loads(pickle.dumps(call)) for call in calls]
            return [pickle.loads(pickle.dumps(function(*arguments))) for function, arguments in sent]

    joblib.Parallel = Parallel
    monkeypatch.setitem(sys.modules, "joblib", joblib)
    told = []
    again = qw.walk_forward(CONFIG, TAPE, **WALK, jobs=2, watcher=told.append)
    assert again.summary == walked.summary
    assert [line[:20] for line in told] == ["2026-01-01T00:00:20.", "2026-01-01T00:00:30."]


def test_without_joblib_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "joblib", None)
    with pytest.raises(qw.NotFoundError, match=r"need joblib: pip install 'quotewright\[parallel\]'; jobs=1 needs"):
        qw.walk_forward(CONFIG, TAPE, **WALK, jobs=2)


NO_WALKS = {
    "no grid": ({"grid": {}}, "grid: at least one key"),
    "a key of a table": ({"grid": {"run.seed": [1]}}, "grid: a key should be like strategies.mm.gamma, was 'run.seed'"),
    "a single value": ({"grid": {"strategies.maker.gamma": "0.1"}}, "should be a list of values"),
    "too short data": ({"train": "1d"}, "is shorter than one window: train and test are 1d and 10s"),
    "no time at all": ({"test": "0s"}, "test: should be longer than nothing"),
    "no length": ({"step": "often"}, "step: "),
    "no such figure": ({"select": "profit"}, "the summary has no figure 'profit': there is no 'profit'"),
    "no number": ({"select": "name"}, "'name' of the summary should be a number"),
    "a figure of nobody": (
        {"select": "instruments.BTC-USDT.spot@local.foreign_fees.XYZ"}, "there is no 'XYZ'"),
    "no jobs": ({"jobs": 0}, "jobs should be at least 1, was 0"),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "message"), NO_WALKS.values(), ids=NO_WALKS)
def test_what_is_no_walk(changes, message):
    with pytest.raises(qw.ConfigError, match=message):
        qw.walk_forward(CONFIG, TAPE, **{**WALK, "grid": {"strategies.maker.levels": [1]}, **changes})


def test_other_figures_may_decide():
    one = qw.walk_forward(CONFIG, TAPE, **{**WALK, "grid": {"strategies.maker.levels": [1, 2]}}, select="fills")
    assert (one.windows.train_figure == [max(one.candidates.figure[:2]), max(one.candidates.figure[2:])]).all()
    path = "instruments.BTC-USDT.spot@local.maker_fills"
    two = qw.walk_forward(CONFIG, TAPE, **{**WALK, "grid": {"strategies.maker.levels": [1]}}, select=path,
                          overrides=["strategies.maker.gamma=0.1"])  # fmt: skip
    assert two.windows.test_figure.tolist() == [
        test["instruments"]["BTC-USDT.spot@local"]["maker_fills"] for test in two.tests
    ]
