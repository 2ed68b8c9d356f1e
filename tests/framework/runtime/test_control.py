"""Commands for a run that goes on: files between two inputs, answered, recorded, and replayed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from quotewright.config.load import load_config
from quotewright.errors import ConfigError, NotFoundError
from quotewright.plugin.registry import PluginSet
from quotewright.runtime.control import FOLDER, PROCESS, NoAnswerError, NotRunningError, command
from quotewright.runtime.inputlog import OPERATOR, read_input_log
from quotewright.runtime.replay import replay
from quotewright.runtime.session import paper

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"


@pytest.fixture(scope="module")
def plugins():
    return PluginSet.discover(environment={})


class Asking:
    """A watcher that leaves a request now and then, and hands its answer on; the run serves it at its next slice."""

    def __init__(self, folder, actions):
        self.folder = folder
        self.actions = dict(actions)
        self.answers = []
        self.slices = 0

    def __call__(self, session):
        self.slices += 1
        action = self.actions.pop(self.slices, None)
        if action is not None:
            serve = lambda _: session.control.serve(session.pipeline)  # noqa: E731 - the run's next slice, now
            try:
                self.answers.append(command(self.folder, action, sleep=serve).text)
            except ConfigError as error:
                self.answers.append(str(error).partition(": ")[2])


def run(plugins, folder, actions, seconds=60.0):
    config = load_config([EXAMPLES / "paper.toml"])
    watcher = Asking(folder, actions)
    outcome = paper(config, plugins, seconds, 0.0, folder, watcher)
    return outcome, watcher, config


def test_commands_are_done_recorded_and_replayed(plugins, tmp_path):
    actions = {
        110: "halt strategy:maker",
        120: "resume strategy:maker",
        130: "set strategies.maker.gamma=0.5",
        140: "reduce_only",
        150: "flatten",
        160: "resume",
    }
    folder = tmp_path / "run"
    outcome, watcher, config = run(plugins, folder, actions)
    assert watcher.answers == list(actions.values())
    assert outcome.exit_code == 0
    states = [(change["state"], change["rule"], change["scope"]) for change in outcome.summary["risk_changes"]]
    assert states == [
        ("HALT", "operator", "strategy:maker"), ("NORMAL", "", "strategy:maker"),
        ("REDUCE_ONLY", "operator", ""), ("NORMAL", "", ""),
    ]  # fmt: skip
    records = [record.body for record in read_input_log(folder / "inputs.log") if record.kind == OPERATOR]
    assert records == [*actions.values(), "finish"]
    assert replay(config, plugins, folder / "inputs.log") > 0
    assert not (folder / FOLDER).exists()


REFUSED = {
    "set strategies.maker.gamma=-1": "strategies.maker.gamma: ",
    "set strategies.maker.gama=1": "did you mean 'gamma'",
    "set risk.position.limit=1 BTC": "a key of strategies.maker can change while the run goes on",
    "halt strategy:nobody": "should be one of ",
    "stop": "should be halt, reduce_only, resume, flatten or set",
}


def test_what_does_not_fit_is_refused_with_the_reason_and_changes_nothing(plugins, tmp_path):
    plain, _, _ = run(plugins, tmp_path / "plain", {})
    asked, watcher, _ = run(plugins, tmp_path / "asked", dict(enumerate(REFUSED, start=120)))
    assert asked.summary["order_log_sha256"] == plain.summary["order_log_sha256"]
    for answer, expected in zip(watcher.answers, REFUSED.values(), strict=True):
        assert expected in answer


def test_a_file_that_is_no_request_is_answered_and_goes(plugins, tmp_path):
    folder = tmp_path / "run"

    def leave(session):
        if session.now_ns < session.start_ns + 10**9:
            (folder / FOLDER / "1.json").write_text("{")

    config = load_config([EXAMPLES / "paper.toml"])
    assert paper(config, plugins, 5.0, 0.0, folder, leave).exit_code == 0
    assert not (folder / FOLDER).exists()


def test_who_is_not_there_is_said(tmp_path):
    with pytest.raises(NotFoundError, match="no run in"):
        command(tmp_path / "none", "halt")
    with pytest.raises(NotRunningError, match="takes no commands: it has ended, or is a backtest"):
        command(tmp_path, "halt")
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / PROCESS).write_text("999999999")
    with pytest.raises(NotRunningError, match="has ended without a word"):
        command(tmp_path, "halt")


def test_a_run_that_does_not_answer_has_its_request_taken_back(tmp_path):
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / PROCESS).write_text(str(os.getpid()))
    naps = []
    with pytest.raises(NoAnswerError, match=r"no answer to 'halt' within 0.1 s; it was taken back"):
        command(tmp_path, "halt", wait_seconds=0.1, sleep=naps.append)
    assert len(naps) == 5
    assert [path.name for path in (tmp_path / FOLDER).iterdir()] == [PROCESS]


def test_a_run_that_ends_meanwhile_is_said(tmp_path):
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / PROCESS).write_text(str(os.getpid()))

    def end(_):
        for path in (tmp_path / FOLDER).iterdir():
            path.unlink()
        (tmp_path / FOLDER).rmdir()

    with pytest.raises(NotRunningError):
        command(tmp_path, "halt", sleep=end)
