"""The example packages: each keeps its role's interface, and all five together run a backtest by config alone."""

from __future__ import annotations

import importlib
import tomllib
from pathlib import Path

import pytest

from quotewright.config.check import faults
from quotewright.config.load import load_config
from quotewright.errors import InputError
from quotewright.plugin.registry import PluginSet
from quotewright.runtime.session import backtest
from quotewright.tape.importing import import_files
from quotewright.tape.tape import TapeFile
from quotewright.testing.plugins import check_offer
from tests.end_to_end.acme_recording import recording
from tests.end_to_end.plugin_environment import CONFIG, PACKAGES, ROOT

FOLDERS = {name: ROOT / "examples" / folder for name, (folder, _, _) in PACKAGES.items()}


@pytest.fixture(scope="module")
def plugins():
    """The example modules beside what is installed; their entry points name the same modules."""
    patch = pytest.MonkeyPatch()
    modules = []
    for folder in FOLDERS.values():
        patch.syspath_prepend(folder)
        project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
        modules.extend(project["project"]["entry-points"]["quotewright"].values())
    yield PluginSet.discover(extra=[importlib.import_module(name) for name in modules], environment={})
    patch.undo()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("acme")
    (folder / "acme.csv").write_text(recording(), encoding="utf-8")
    (folder / "acme.toml").write_text(CONFIG, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def tape(folder, plugins):
    import_files([folder / "acme.csv"], folder / "tape", plugins=plugins)
    return TapeFile.open(folder / "tape")


@pytest.mark.parametrize("name", PACKAGES)
def test_a_package_is_complete_and_uses_the_public_interface_alone(name):
    folder = FOLDERS[name]
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["name"] == name
    assert project["dependencies"] == ["quotewright"]
    (module,) = project["entry-points"]["quotewright"].values()
    text = (folder / f"{module}.py").read_text(encoding="utf-8")
    assert "import _" not in text
    assert "quotewright_plugins" not in text
    assert "quotewright_simexchange" not in text
    assert name in (folder / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(("hook", "name"), [(hook, name) for _, hook, name in PACKAGES.values()])
def test_an_example_keeps_the_interface_of_its_role(plugins, hook, name):
    assert check_offer(plugins, plugins.offer(hook, name)) == []


def test_all_five_run_by_config_alone_and_twice_the_same(plugins, folder, tape):
    config = load_config([folder / "acme.toml"])
    assert faults(config, plugins) == []
    first = backtest(config, plugins, tape).summary
    assert first["orders"] > 0
    assert first["fills"] > 0
    assert first["refusals"]["pace"]["limit"] > 0
    assert first["order_log_sha256"] == backtest(config, plugins, tape).summary["order_log_sha256"]


def test_the_plain_book_gives_the_same_run_as_the_ladder(plugins, folder, tape):
    plain = load_config([folder / "acme.toml"])
    ladder = load_config([folder / "acme.toml"], ["feeds.main.book=ladder"])
    hashes = {backtest(config, plugins, tape).summary["order_log_sha256"] for config in (plain, ladder)}
    assert len(hashes) == 1


def test_the_venue_takes_its_fee_and_fills_only_what_is_traded_through(plugins, folder, tape):
    free = load_config([folder / "acme.toml"], ["venues.main.maker_fee=0 bps"])
    dear = load_config([folder / "acme.toml"], ["venues.main.maker_fee=10 bps"])
    free_run, dear_run = (backtest(config, plugins, tape).summary for config in (free, dear))
    assert free_run["fees"] == 0
    assert dear_run["fees"] > 0
    assert free_run["pnl"] - dear_run["pnl"] == dear_run["fees"]
    assert free_run["integrity"]["overfills"] == 0


LINES = {
    "too few fields": ("X,1", "a line should have six fields or more"),
    "no number": ("U,x,2,ACME-USD,3,,", "a line should have six fields or more"),
    "no side": ("T,1700000000000000,1700000000000900,ACME-USD,1,hold,1.00,1", "side should be buy or sell, was 'hold'"),
    "no price": ("U,1700000000000000,1700000000000900,ACME-USD,2,abc:1,", "ACME-USD"),
    "no size": ("U,1700000000000000,1700000000000900,ACME-USD,2,1.00,", "ACME-USD"),
    "not a number": ("U,1700000000000000,1700000000000900,ACME-USD,2,nan:1,", "ACME-USD"),
}


@pytest.mark.parametrize(("line", "reason"), LINES.values(), ids=LINES)
def test_a_line_that_cannot_be_read_is_named_and_costs_one_message(tmp_path, plugins, line, reason):
    lines = recording(messages=40).splitlines()
    (tmp_path / "bad.csv").write_text("\n".join([*lines[:2], line, *lines[2:]]) + "\n", encoding="utf-8")
    info = import_files([tmp_path / "bad.csv"], tmp_path / "tape", plugins=plugins)
    (refused,) = info.refused
    assert refused.line == 3
    assert reason in refused.reason


def test_a_missing_update_makes_the_book_stale_until_the_next_snapshot(tmp_path, plugins):
    lines = recording(messages=40).splitlines()
    whole = import_file(tmp_path, lines, "whole", plugins)
    assert whole.kinds.get("gap", 0) == 0
    updates = [number for number, line in enumerate(lines) if line.startswith("U")]
    del lines[updates[10]]
    gapped = import_file(tmp_path, lines, "gapped", plugins)
    assert gapped.kinds["gap"] == 1
    assert gapped.verdicts[0].book == "stale"
    snapshot = lines[1].replace(",1,", ",900,", 1).replace("1700000000000000", "1700000001990000")
    healed = import_file(
        tmp_path, [*lines, snapshot.replace("1700000000000900", "1700000001990900")], "healed", plugins
    )
    assert (healed.kinds["gap"], healed.kinds["resync"], healed.verdicts[0].book) == (1, 1, "good")


def import_file(folder: Path, lines, name, plugins):
    (folder / f"{name}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return import_files([folder / f"{name}.csv"], folder / name, plugins=plugins)


def test_a_file_of_another_format_is_not_taken_for_one(tmp_path, plugins):
    (tmp_path / "other.csv").write_text("a,b,c\n1,2,3\n", encoding="utf-8")
    with pytest.raises(InputError):
        import_files([tmp_path / "other.csv"], tmp_path / "tape", plugins=plugins)
