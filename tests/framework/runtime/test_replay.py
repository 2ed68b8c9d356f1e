"""A recorded paper run, replayed from its input log, makes the same commands; any difference is named."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from quotewright.config.load import load_config
from quotewright.errors import InputError
from quotewright.plugin.registry import PluginSet
from quotewright.runtime.inputlog import INTENT, OPERATOR, REPORT, InputLogWriter, read_input_log
from quotewright.runtime.replay import replay
from quotewright.runtime.session import Session, paper

DEMO = Path(__file__).resolve().parents[3] / "simexchange" / "quotewright_simexchange" / "demo.toml"


@pytest.fixture(scope="module")
def plugins():
    return PluginSet.discover(environment={})


@pytest.fixture(scope="module")
def recorded_run(tmp_path_factory, plugins):
    folder = tmp_path_factory.mktemp("runs") / "paper"
    outcome = paper(load_config([DEMO]), plugins, seconds=12, folder=folder)
    assert outcome.summary["fills"] > 0
    return folder


def rewritten(log, path, change):
    """Write the records of *log* to *path*, each as *change* returns it."""
    writer = InputLogWriter(path, {"verb": "paper"})
    for record in read_input_log(log):
        kind, now_ns, rows, body = change(record)
        writer._write((kind, now_ns, rows, body))
    writer.close()
    return path


def test_the_same_inputs_give_the_same_commands_byte_for_byte(recorded_run, plugins):
    commands = replay(load_config([recorded_run / "config.toml"]), plugins, recorded_run / "inputs.log")
    assert commands == len((recorded_run / "orders.jsonl").read_bytes().splitlines()) > 50


def test_the_intents_of_the_log_are_the_order_log(recorded_run):
    lines = (recorded_run / "orders.jsonl").read_bytes().splitlines()
    intents = [record for record in read_input_log(recorded_run / "inputs.log") if record.kind == INTENT]
    assert [msgspec.json.decode(line) for line in lines] == [[one.now_ns, one.body] for one in intents]


def test_operator_commands_are_replayed_where_they_were_given(tmp_path, plugins):
    session = Session("paper", load_config([DEMO]), plugins, None, tmp_path / "run", 0, record_inputs=True)
    for seconds, action in [(3, "reduce_only"), (4, "resume"), (6, "halt"), (7, "flatten"), (8, "resume")]:
        session.run_through(session.start_ns + seconds * 1_000_000_000)
        session.pipeline.operate(action, "a test says so")
    session.run_through(session.start_ns + 9_000_000_000)
    session.finish()
    log = tmp_path / "run" / "inputs.log"
    actions = [record.body for record in read_input_log(log) if record.kind == OPERATOR]
    assert actions == ["reduce_only", "resume", "halt", "flatten", "resume", "finish"]
    assert replay(load_config([DEMO]), plugins, log) > 20


def test_a_run_that_was_interrupted_anywhere_is_replayed(tmp_path, plugins):
    session = Session("paper", load_config([DEMO]), plugins, None, tmp_path / "run", 0, record_inputs=True)
    session.advance(session.start_ns + 5_000_000_000, 333)
    session.finish()
    assert replay(load_config([DEMO]), plugins, tmp_path / "run" / "inputs.log") >= 0


def test_another_seed_is_told_from_the_first_difference_on(recorded_run, plugins):
    other = load_config([recorded_run / "config.toml"], ["run.seed=8"])
    with pytest.raises(InputError, match=r"inputs.log: record \d+ differs: logged .*, came "):
        replay(other, plugins, recorded_run / "inputs.log")


def test_another_config_is_told_too(recorded_run, plugins):
    other = load_config([recorded_run / "config.toml"], ["strategies.maker.gamma=0.05"])
    with pytest.raises(InputError, match=r"differs: logged intent at .*, came"):
        replay(other, plugins, recorded_run / "inputs.log")


def test_a_report_that_was_changed_changes_the_commands(recorded_run, plugins, tmp_path):
    """The reports are the log's, not the exchange's: a fill made larger must show."""
    changed = []

    def change(record):
        body = record.body
        if record.kind == REPORT and body["type"] == "fill" and not changed:
            changed.append(record.sequence)
            body = {**body, "quantity_lots": body["quantity_lots"] * 2}
        return record.kind, record.now_ns, record.rows, body

    log = rewritten(recorded_run / "inputs.log", tmp_path / "changed.log", change)
    with pytest.raises(InputError) as caught:
        replay(load_config([recorded_run / "config.toml"]), plugins, log)
    found = re.search(r"record (\d+) differs", str(caught.value))
    assert changed[0] < int(found[1])
