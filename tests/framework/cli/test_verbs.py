"""The verbs that look at plugins, configs and the installation."""

from __future__ import annotations

import json
import tomllib

import pytest

from quotewright import binaries
from quotewright.cli import doctor as doctor_module
from quotewright.cli.config import STARTER
from quotewright.cli.main import main

RULE = '''\
"""Rules of acme."""
from quotewright.config.units import Amount
from quotewright.kernel.rules import CheckRule
from quotewright.plugin import configured, hookimpl, positive, setting

@configured
class MaxPosition(CheckRule):
    """Hold back what is too large."""

    limit: Amount = setting(doc="largest position", unit="base amount", check=positive)
    note: str = setting(default="x", doc="a remark")

    def check(self, order, view):
        return "too large" if view.command_quantity_lots(order) > 20 else ""

@hookimpl
def risk_rules():
    return {"max_position": MaxPosition}
'''


@pytest.fixture(autouse=True)
def plugins_folder(tmp_path, monkeypatch):
    folder = tmp_path / "plugins"
    folder.mkdir()
    (folder / "acme_rules.py").write_text(RULE, encoding="utf-8")
    monkeypatch.setenv("QUOTEWRIGHT_PLUGINS_DIR", str(folder))
    monkeypatch.chdir(tmp_path)
    return folder


def run(capsys, *arguments):
    code = main(list(arguments))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


# plugins


def test_plugins_prints_an_array_with_one_object_for_each_name(capsys):
    code, out, err = run(capsys, "plugins", "--json")
    records = json.loads(out)
    assert (code, err) == (0, "")
    (mine,) = [record for record in records if record["name"] == "max_position"]
    assert {key: mine[key] for key in ("name", "hook", "distribution", "version", "status", "reason")} == {
        "name": "max_position",
        "hook": "risk_rules",
        "distribution": "plugins/acme_rules.py",
        "version": "",
        "status": "ok",
        "reason": "",
    }
    assert {("ladder", "book_models"), ("fixed_spread", "strategies")} <= {
        (one["name"], one["hook"]) for one in records
    }


def test_every_offer_of_the_box_can_be_used(capsys):
    _, out, _ = run(capsys, "plugins", "--json")
    assert [record for record in json.loads(out) if record["status"] != "ok"] == []


def test_plugins_prints_a_table_for_people(capsys):
    code, out, _ = run(capsys, "plugins")
    assert code == 0
    assert out.splitlines()[0].split() == ["hook", "name", "distribution", "version", "status", "reason"]
    _, out, _ = run(capsys, "plugins", "--all")
    assert "module" in out.splitlines()[0]


def test_a_plugin_that_fails_to_import_is_listed_and_exits_0(capsys, plugins_folder):
    (plugins_folder / "bad_one.py").write_text("import no_such_module\n")
    code, out, err = run(capsys, "plugins")
    assert (code, err) == (0, "")
    assert "ModuleNotFoundError: No module named 'no_such_module' (bad_one.py, line 1)" in out
    assert "max_position" in out


MISMADE = {
    "misspelt hook": ("risk_rulez", "no hook called 'risk_rulez'; did you mean 'risk_rules'?"),
    "name offered twice": ("risk_rules", "two plugins offer risk_rules 'max_position': acme_rules and second"),
}


@pytest.mark.parametrize(("hook", "message"), MISMADE.values(), ids=MISMADE)
def test_a_misspelt_hook_and_a_clash_are_errors_after_the_list(capsys, plugins_folder, hook, message):
    (plugins_folder / "second.py").write_text(RULE.replace("def risk_rules", f"def {hook}"))
    code, out, err = run(capsys, "plugins", "--json")
    assert code == 4
    assert json.loads(out)
    assert message in err
    assert len(err.splitlines()) == 1


def test_info_tells_the_keys_of_a_plugin(capsys):
    code, out, _ = run(capsys, "plugins", "info", "max_position")
    assert code == 0
    assert "doc           Hold back what is too large." in out
    assert "  limit (required): largest position; an amount with its unit such as" in out
    assert "  note = 'x': a remark; text in quotes" in out
    _, out, _ = run(capsys, "plugins", "info", "max_position", "--json")
    assert json.loads(out)[0]["keys"][0]["key"] == "limit"
    _, out, _ = run(capsys, "plugins", "info", "acme_rules")
    assert "max_position" in out


def test_why_tells_where_a_plugin_was_found_and_what_became_of_it(capsys, plugins_folder):
    (plugins_folder / "bad_two.py").write_text("1 / 0\n")
    _, out, _ = run(capsys, "plugins", "why", "max_position")
    assert out.startswith("risk rule 'max_position': plugin acme_rules of plugins/acme_rules.py, module acme_rules")
    assert "loaded: it can be used by this name" in out
    _, out, _ = run(capsys, "plugins", "why", "bad_two")
    assert "failed: ZeroDivisionError: division by zero (bad_two.py, line 1)" in out


def test_why_of_a_name_that_is_nowhere_tells_where_it_looked(capsys, plugins_folder):
    code, _, err = run(capsys, "plugins", "why", "max_positio")
    assert code == 2
    assert "nothing called 'max_positio' was found; did you mean 'max_position'?" in err
    assert str(plugins_folder) in err


def test_check_holds_plugins_to_their_role(capsys, plugins_folder):
    code, out, _ = run(capsys, "plugins", "check", "max_position")
    assert (code, out) == (
        0,
        "risk_rules max_position: ok; trips yes, releases yes, passes_cancel yes, passes_reducing yes\n",
    )
    code, out, _ = run(capsys, "plugins", "check", "--hook", "book_models", "--json")
    assert code == 0
    assert [one["name"] for one in json.loads(out)] == ["ladder", "orders", "sorted", "top_of_book"]
    (plugins_folder / "acme_rules.py").unlink()  # a module of that name is imported by now
    (plugins_folder / "acme_misspelt.py").write_text(
        RULE.replace("def check", "def chekc").replace(', doc="a remark"', "")
    )
    code, out, err = run(capsys, "plugins", "--plugins-dir", str(plugins_folder), "check", "max_position")
    assert code == 8
    assert "key 'note' has no doc line" in out
    assert "should override check()" in out
    assert "1 of 1 offers do not keep the interface of their role" in err


def test_every_offer_of_the_box_keeps_its_role(capsys):
    code, out, err = run(capsys, "plugins", "check")
    assert code == 0, out + err


# config


def test_the_config_to_start_from_holds(capsys):
    code, _, err = run(capsys, "config", "init")
    assert code == 0
    assert "quotewright.toml: written" in err
    code, out, err = run(capsys, "config", "check", "quotewright.toml")
    assert (code, err) == (0, "")
    assert out.startswith("quotewright.toml: ok (feeds 1, venues 1, strategies 1, risk 4)")
    code, _, err = run(capsys, "config", "init")
    assert code == 4
    assert "quotewright.toml: is there already; --force writes over it" in err
    assert run(capsys, "config", "init", "--force")[0] == 0
    assert run(capsys, "config", "init", "-")[1] == STARTER.read_text(encoding="utf-8")
    assert tomllib.loads(STARTER.read_text(encoding="utf-8"))["config_version"] == 1


CONFIG = """\
config_version = 1
[feeds.market]
plugin = "tape"
book = "laddder"
[venues.main]
plugin = "simexchange"
card = "nowhere"
[venues.other]
plugin = "simexchange"
pric = 3
[strategies.maker]
plugin = "fixed_spread"
size = "1"
spread = "4 bps"
max_position = "1 BTC"
[strategies.second]
plugin = "fixed_spred"
venue = "mian"
[risk.position]
plugin = "max_position"
limt = "0.5 BTC"
"""


def test_check_names_every_fault(capsys, tmp_path):
    (tmp_path / "paper.toml").write_text(CONFIG, encoding="utf-8")
    code, out, err = run(capsys, "config", "check", "paper.toml")
    assert (code, out) == (4, "")
    starts = (
        "paper.toml: venues.other: unknown key 'pric'; did you mean 'price'?",
        "paper.toml: strategies.maker.size: should be an amount with its unit",
        "paper.toml: strategies.second: no strategy called 'fixed_spred'; installed: a",
        "paper.toml: risk.position: unknown key 'limt'; did you mean 'limit'?",
        "paper.toml: feeds.market.book: no book model called 'laddder'; installed: ladder, orders, sorted, top_of_book",
        "paper.toml: venues.main.card: no venue card called 'nowhere'",
        "paper.toml: strategies.maker: missing key 'venue': one of main, other",
        "paper.toml: strategies.second.venue: there is no table [venues.mian]; did you mean 'main'?",
    )
    for line, start in zip(err.splitlines(), starts, strict=True):
        assert line.startswith(start)
    code, out, _ = run(capsys, "config", "check", "paper.toml", "--json")
    assert code == 4
    assert len(json.loads(out)["faults"]) == len(starts)


def test_explain_tells_value_source_default_and_meaning(capsys):
    run(capsys, "config", "init", "paper.toml")
    code, out, _ = run(
        capsys, "config", "explain", "risk.position.limit", "paper.toml", "--set", "risk.position.limit=1 BTC"
    )
    assert code == 0
    assert out.splitlines()[:4] == [
        "risk.position.limit",
        "  value    '1 BTC'",
        "  source   --set",
        "  default  none: the key is required",
    ]
    _, out, _ = run(capsys, "config", "explain", "venues.main.latency.entry", "paper.toml")
    assert "  source   default" in out
    _, out, _ = run(capsys, "config", "explain", "strategies.maker", "paper.toml", "--json")
    explained = {one["key"]: one for one in json.loads(out)}
    assert explained["strategies.maker.spread"]["source"].startswith("paper.toml:")
    assert explained["strategies.maker.requote"]["value"] == "{ ticks = 20 }"
    assert explained["strategies.maker.skew"]["default"] == "1.0"
    _, out, _ = run(capsys, "config", "explain", "run.seed", "paper.toml")
    assert "seed of everything random in the run" in out
    _, out, _ = run(capsys, "config", "explain", "venues.main.balance.USDT", "paper.toml")
    assert "'100000'" in out


NOWHERE = {
    "rsk": "there is no table [rsk]; did you mean 'risk'?",
    "risk.positio": "there is no table [risk.positio]; did you mean 'position'?",
    "risk.position.limt": "risk.position has no key 'limt'; did you mean 'limit'?",
    "strategies.maker.requote.tick": "strategies.maker.requote has no key 'tick'; did you mean 'ticks'?",
}


@pytest.mark.parametrize(("key", "message"), NOWHERE.items())
def test_explain_of_a_key_that_is_nowhere_names_the_nearest(capsys, key, message):
    run(capsys, "config", "init", "paper.toml")
    code, _, err = run(capsys, "config", "explain", key, "paper.toml")
    assert (code, err) == (2, f"quotewright: {message}\n")


# doctor


def test_doctor_tells_what_is_installed(capsys):
    code, out, _ = run(capsys, "doctor", "--json")
    found = json.loads(out)
    assert code == 0
    assert found["kernels"] == {"form": binaries.form(), "reason": binaries.reason(), "trouble": ""}
    assert all(found["packages"].values())
    assert {"max_position", "ladder"} <= {offer["name"] for offer in found["plugins"]}
    assert found["disk"]["free_bytes"] > 0
    assert found["clock"]["is_plausible"]
    code, out, _ = run(capsys, "doctor")
    assert code == 0
    assert out.splitlines()[0].startswith("quotewright ")
    assert "nothing must be mended" in out


def test_doctor_tells_what_must_be_mended_and_what_need_not(capsys, monkeypatch, plugins_folder):
    (plugins_folder / "bad_three.py").write_text("import no_such_module\n")
    (plugins_folder / "twice.py").write_text(RULE)
    monkeypatch.setattr(doctor_module.binaries, "trouble", lambda: "kernel/ladder.py has changed")
    monkeypatch.setattr(doctor_module, "PLAUSIBLE_FROM_S", 1 << 40)
    monkeypatch.setattr(doctor_module, "LOW_DISK_BYTES", 1 << 60)
    monkeypatch.setattr(doctor_module, "PACKAGES", ("attrs", "no-such-package"))
    code, out, _ = run(capsys, "doctor", "--json")
    found = json.loads(out)
    assert code == 1
    for start in ("kernels: kernel/ladder.py", "package no-such-package", "plugins: two plugins offer", "clock: "):
        assert any(error.startswith(start) for error in found["errors"])
    assert any(warning.startswith("plugins: bad_three: ModuleNotFoundError") for warning in found["warnings"])
    assert any(warning.startswith("disk: ") for warning in found["warnings"])
    assert "error      kernels: kernel/ladder.py has changed" in run(capsys, "doctor")[1]
    monkeypatch.setenv("QUOTEWRIGHT_PLUGINS_DIR", "gone")
    assert "should be a folder" in run(capsys, "doctor")[1]
