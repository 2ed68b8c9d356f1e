"""A live run that is killed keeps what it had flushed: its tape is recovered, its log replays as far as both reach."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest

from quotewright.cli.main import main
from quotewright.errors import InputError, NotFoundError
from quotewright.plugin.registry import PluginSet
from quotewright.runtime.inputlog import INTENT, read_input_log
from quotewright.runtime.replay import replay
from quotewright.tape.layout import BEGUN_FILE, ROW_BYTES, ROWS_FILE
from quotewright.tape.recovery import recover
from quotewright.tape.tape import TapeFile
from tests.end_to_end.command import TREE, environment
from tests.framework.live.test_paper import Stream


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """The folder of a run that was killed with -9, with its config, orders and rows at the last flush."""
    folder = tmp_path_factory.mktemp("killed")
    with Stream() as stream:
        config = stream.config(folder)
        run = subprocess.Popen(
            [sys.executable, "-m", "tests.framework.live.killed", str(folder)],
            cwd=TREE,
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            line = run.stdout.readline()
        finally:
            run.kill()
            run.communicate(timeout=60)
    found = re.fullmatch(r"flushed \[(\d+), (\d+)\]\n", line)
    assert found, line
    return folder / "run", config, int(found[1]), int(found[2])


def copied(folder, tmp_path):
    import shutil

    return shutil.copytree(folder, tmp_path / "run")


def test_a_killed_run_says_so(killed, capsys):
    folder, _, _, _ = killed
    assert main(["status", str(folder)]) == 3
    assert "ended without a word" in capsys.readouterr().out
    assert json.loads((folder / "status.json").read_text())["is_running"] is True


@pytest.mark.parametrize("torn", [0, 1, ROW_BYTES - 1])
def test_the_tape_of_a_killed_run_is_recovered_and_its_log_replays_as_far_as_both_reach(killed, tmp_path, torn):
    folder, config, orders, rows = killed
    folder = copied(folder, tmp_path)
    if torn:  # a row that had not wholly reached the disk
        (begun,) = folder.glob(".tape.*.unfinished")
        with (begun / ROWS_FILE).open("ab") as file:
            file.write(b"\x01" * torn)
        with (folder / "inputs.log").open("ab") as file:
            file.write(b"\x20\0\0\0\x01"[: torn % 5 + 1])
    info = recover(folder / "tape")
    assert info.row_count >= rows > 100
    assert not list(folder.glob(".tape.*"))
    with TapeFile.open(folder / "tape") as tape:
        made = replay(config, PluginSet.discover(), folder / "inputs.log", tape, is_cut=True)
    records = list(read_input_log(folder / "inputs.log", is_cut=True))
    assert made == sum(one.kind == INTENT for one in records) >= orders >= 2
    with pytest.raises(NotFoundError, match="no unfinished tape"):
        recover(folder / "tape")


def test_a_tape_shorter_than_the_log_is_followed_to_its_end(killed, tmp_path):
    folder, config, _, rows = killed
    folder = copied(folder, tmp_path)
    intents = [one.rows for one in read_input_log(folder / "inputs.log", is_cut=True) if one.kind == INTENT]
    cut = intents[0] + 5
    assert cut < rows
    (begun,) = folder.glob(".tape.*.unfinished")
    path = begun / ROWS_FILE
    path.write_bytes(path.read_bytes()[: cut * ROW_BYTES + 7])
    info = recover(folder / "tape")
    assert intents[0] <= info.row_count <= cut
    with TapeFile.open(folder / "tape") as tape:
        made = replay(config, PluginSet.discover(), folder / "inputs.log", tape, is_cut=True)
    records = list(read_input_log(folder / "inputs.log", is_cut=True))
    assert made == sum(one.kind == INTENT and one.rows <= info.row_count for one in records) > 0


def test_a_replay_of_a_killed_run_finds_a_record_that_differs(killed, tmp_path):
    folder, _, _, _ = killed
    folder = copied(folder, tmp_path)
    recover(folder / "tape")
    text = (folder.parent / "live.toml").write_text
    text(config_text(killed).replace('"20 bps"', '"30 bps"'))
    from quotewright.config.load import load_config

    other = load_config([folder.parent / "live.toml"])
    with TapeFile.open(folder / "tape") as tape, pytest.raises(InputError, match="differs"):
        replay(other, PluginSet.discover(), folder / "inputs.log", tape, is_cut=True)


def config_text(killed) -> str:
    return (killed[0].parent / "live.toml").read_text()


def test_what_cannot_be_recovered_is_said(tmp_path):
    with pytest.raises(NotFoundError, match="no unfinished tape"):
        recover(tmp_path / "tape")
    for name in (".tape.a.unfinished", ".tape.b.unfinished"):
        (tmp_path / name).mkdir()
        (tmp_path / name / BEGUN_FILE).write_text("{")
    with pytest.raises(InputError, match="2 unfinished tapes"):
        recover(tmp_path / "tape")
    (tmp_path / ".tape.b.unfinished" / BEGUN_FILE).unlink()
    with pytest.raises(InputError, match="is damaged"):
        recover(tmp_path / "tape")
