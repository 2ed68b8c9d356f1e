"""The folder of a run: what it never overwrites, and names that no encoding holds."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from quotewright.errors import ConfigError
from quotewright.runtime.folder import new_folder, read_summary, write_summary

CONFIG: object = SimpleNamespace(run=SimpleNamespace(name="x", record="runs/{name}"))


def test_a_config_of_the_user_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("mine")

    with pytest.raises(ConfigError, match=r"holds a config\.toml, which the run would overwrite; name a new folder"):
        new_folder(CONFIG, "backtest", tmp_path)  # type: ignore[arg-type]

    assert (tmp_path / "config.toml").read_text() == "mine"


def test_what_a_killed_run_left_may_be_overwritten(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("config_version = 1")
    (tmp_path / "orders.jsonl").write_text("")

    assert new_folder(CONFIG, "backtest", tmp_path) == tmp_path  # type: ignore[arg-type]


def test_a_summary_may_hold_names_that_utf_8_cannot(tmp_path: Path) -> None:
    name = b"c\xc3\xb6nfig.toml".decode("ascii", "surrogateescape")

    write_summary(tmp_path, {"summary_version": 2, "config_files": [name], name: (1, None, 0.5)})

    assert read_summary(tmp_path)["config_files"] == ["c\\udcc3\\udcb6nfig.toml"]
