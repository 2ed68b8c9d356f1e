"""What ``quotewright backtest`` can be told: speeds, steps, ranges of time, several tapes."""

from __future__ import annotations

import io
import itertools
import json
from pathlib import Path

import pytest

from quotewright.cli.main import main
from quotewright.cli.prompt import Prompt
from quotewright.config.load import load_config
from quotewright.plugin.registry import PluginSet
from quotewright.runtime import drivers
from quotewright.runtime.drivers import Step
from quotewright.runtime.session import open_backtest
from quotewright.tape.tape import TapeFile

ROOT = Path(__file__).resolve().parents[3]
TAPE = str(ROOT / "examples" / "synthetic-tape")
CONFIG = str(ROOT / "examples" / "backtest.toml")
RANGE = ("--from", "2026-01-01T00:00:05Z", "--to", "2026-01-01T00:00:15Z")
STOP = "2026-01-01T00:00:08Z"
STOP_NS = 1_767_225_608_000_000_000


@pytest.fixture
def run(capsys, tmp_path):
    def run_one(*arguments: str, typed: str = "", monkeypatch=None):
        if monkeypatch is not None:
            monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        out = tmp_path / f"run-{len(list(tmp_path.iterdir()))}"
        code = main(["backtest", CONFIG, "--data", TAPE, "--no-report", "--json", "--out", str(out), *arguments])
        captured = capsys.readouterr()
        return code, json.loads(captured.out) if captured.out else None, captured.err

    return run_one


@pytest.fixture
def session():
    tape = TapeFile.open(TAPE)
    return open_backtest(load_config([CONFIG]), PluginSet.discover(environment={}), tape, to_ns=STOP_NS)


def test_a_stepped_run_asks_tells_and_sends_the_same_orders(run, monkeypatch):
    code, plain, _ = run(*RANGE)
    typed = "s 3\nb\no\nw\ns\n1s\n\nu +500ms\nu nonsense\nhelp\nc\n"
    stepped_code, stepped, told = run(
        *RANGE, "--step", "message", "--until", STOP, typed=typed, monkeypatch=monkeypatch
    )
    assert (code, stepped_code) == (0, 0)
    assert stepped["order_log_sha256"] == plain["order_log_sha256"]
    lines = [line for line in told.splitlines() if line.startswith("2026-")]
    assert lines[0].startswith("2026-01-01T00:00:08.000000Z")
    counts = [int(line.split()[1]) for line in lines]
    assert [after - before for before, after in itertools.pairwise(counts[:4])] == [1, 1, 1]
    assert lines[-1][:26] > lines[-2][:26]
    assert "  offer " in told
    assert "BTC-USDT.spot@local: " in told
    assert "a time should be like 2026-03-01" in told
    assert "Enter, s     one step" in told


def test_the_end_of_what_is_typed_lets_the_run_go_on(run, monkeypatch):
    code, summary, told = run(*RANGE, "--step", "1s", typed="\n", monkeypatch=monkeypatch)
    assert code == 0
    assert summary["end_ns"] >= 1_767_225_615_000_000_000 - 1
    assert len([line for line in told.splitlines() if line.startswith("2026-")]) == 2


def test_a_person_may_end_the_run_where_it_stands(run, monkeypatch):
    code, summary, _ = run(*RANGE, "--step", "message", "--until", STOP, typed="q\n", monkeypatch=monkeypatch)
    assert code == 130
    assert summary["open_orders"] == 0
    assert STOP_NS <= summary["end_ns"] < STOP_NS + 2_000_000_000


def test_several_steps_are_told_one_by_one(session):
    told = io.StringIO()
    answers = iter(["s 2", "c"])
    prompt = Prompt(Step("wake"), lambda: next(answers), told)
    drivers.Stepped(Step("wake"), prompt)(session, session.end_ns)
    assert len(told.getvalue().splitlines()) == 3
    session.finish()


def test_a_paced_run_goes_by_the_clock(run, monkeypatch):
    slept = []
    monkeypatch.setattr(drivers.WallClock, "now", lambda clock: sum(slept))
    monkeypatch.setattr(drivers.WallClock, "sleep", lambda clock, seconds: slept.append(seconds))
    code, paced, _ = run(*RANGE, "--speed", "4x")
    assert code == 0
    assert sum(slept) == pytest.approx(2.5, abs=0.1)
    assert paced["order_log_sha256"] == run(*RANGE)[1]["order_log_sha256"]


USAGE = {
    "a speed that is none": (["--speed", "fast"], "--speed should be real, max, or a factor such as 10, was 'fast'"),
    "two drivers": (["--speed", "2", "--step", "wake"], "give one of them"),
    "a stop without steps": (["--until", STOP], "--until says where --step stops for the first time; give both"),
}


@pytest.mark.parametrize(("arguments", "message"), USAGE.values(), ids=USAGE)
def test_what_does_not_go_together_is_a_usage_error(run, arguments, message):
    code, _, err = run(*arguments)
    assert (code, message in " ".join(err.split())) == (64, True)


FAULTS = {
    "a step that is none": (["--step", "tick"], 4, "a step should be message, wake or a duration such as 1s"),
    "a time without its zone": (["--from", "2026-01-01T00:00:05"], 1, "a time of day needs its zone, which is UTC"),
    "a range backwards": (["--from", "2026-01-02", "--to", "2026-01-01"], 4, "--to should be later than --from"),
    "a range beside the data": (["--from", "2026-01-02"], 4, "nothing of the tape lies in the range"),
    "no such tape": (["--data", "nowhere"], 2, "no market data at nowhere"),
}


@pytest.mark.parametrize(("arguments", "code", "message"), FAULTS.values(), ids=FAULTS)
def test_what_cannot_be_run_is_said(run, arguments, code, message):
    found, summary, err = run(*arguments)
    assert (found, summary, message in err) == (code, None, True)
