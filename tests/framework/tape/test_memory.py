"""Memory stays flat: what is resident does not grow with the tape."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


def peak_mb(path: Path, *numbers: int, module: str = "replay_peak") -> float:
    """Return the peak resident memory of a process that writes, checks and replays tapes of so many rows."""
    paths = os.pathsep.join([str(ROOT), *(entry for entry in sys.path if entry)])
    done = subprocess.run(
        [sys.executable, "-m", f"tests.framework.tape.{module}", str(path), *map(str, numbers)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": paths},
        check=False,
    )
    shutil.rmtree(path, ignore_errors=True)
    assert done.returncode == 0, done.stderr
    return float(done.stdout)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")
def test_writing_and_replaying_ten_times_the_rows_takes_no_more_memory(tmp_path):
    small = peak_mb(tmp_path / "small", 500_000)
    large = peak_mb(tmp_path / "large", 5_000_000)
    assert large - small <= 20, f"{small:.1f} MB for 0.5 M rows, {large:.1f} MB for 5 M"


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")
def test_more_days_side_by_side_take_no_more_memory(tmp_path):
    few = peak_mb(tmp_path / "few", 2, 150_000, module="joined_peak")
    many = peak_mb(tmp_path / "many", 10, 150_000, module="joined_peak")
    assert many - few <= 20, f"{few:.1f} MB for 2 days, {many:.1f} MB for 10"
