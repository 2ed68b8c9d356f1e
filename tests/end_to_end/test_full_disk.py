"""A disk that takes no more: the run ends, its orders are cancelled, and what was written stays readable."""

from __future__ import annotations

import itertools
import json
import subprocess

import pytest

from quotewright.errors import InputError
from quotewright.runtime.inputlog import read_input_log
from tests.end_to_end.command import TREE, command, environment

resource = pytest.importorskip("resource", reason="this system has no limit on the size of files")
MOST_BYTES = 30_000


def limited() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (MOST_BYTES, MOST_BYTES))


def test_a_record_that_cannot_be_written_ends_the_run_and_cancels_its_orders(tmp_path):
    done = subprocess.run(
        command("demo", "--seconds", "60", "--json", "--out", tmp_path / "run"),
        check=False,
        capture_output=True,
        encoding="utf-8",
        cwd=TREE,
        env=environment(PYTHONDONTWRITEBYTECODE="1"),
        preexec_fn=limited,
        timeout=120,
    )
    assert done.returncode == 1
    said = json.loads(done.stdout)
    assert list(said["failures"]) == ["record"]
    assert (
        "the record cannot be written, so the run was ended and its orders cancelled: OSError: "
        in done.stderr + (said["failures"]["record"])
    )
    assert "internal fault" not in done.stderr
    assert not said["interrupted"]
    assert 0 < said["market_seconds"] < 60
    assert said["venues"]["main"]["open_orders"] == 0
    records = read_input_log(tmp_path / "run" / "inputs.log")
    assert [record.sequence for record in itertools.islice(records, 100)] == list(range(100))
    with pytest.raises(InputError, match="is cut off"):
        list(records)
