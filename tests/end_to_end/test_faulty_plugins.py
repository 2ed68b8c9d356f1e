"""A plugin that fails, wherever it does: one clear sentence, an exit code, and nothing of the run is lost."""

from __future__ import annotations

import json
import re

import pytest

from quotewright.runtime.inputlog import read_input_log
from tests.end_to_end.command import EXAMPLES, quotewright

HERE = "tests.end_to_end.faulty_plugins:"
CONFIG = """\
config_version = 1
[run]
name = "faulty"
seed = 7
[feeds.market]
plugin = "simexchange"
[venues.main]
plugin = "simexchange"
[strategies.maker]
plugin = "HEREQuoter"
[risk.position]
plugin = "position_limit"
limit = "1 BTC"
""".replace("HERE", HERE)


@pytest.fixture
def run(tmp_path):
    """Return a function that runs the config for four seconds of market time with one table's plugin exchanged."""
    config = tmp_path / "faulty.toml"
    config.write_text(CONFIG, encoding="utf-8")

    def run(table, name, *more):
        swap = f"{table}={{plugin='{HERE}{name}'}}" if "book" not in table else f"{table}={HERE}{name}"
        arguments = ["paper", config, "--seconds", "4", "--no-report", "--out", tmp_path / "run", *more]
        return quotewright(*arguments, "--set", swap)

    return run


BEFORE = {  #               table               plugin                 said
    "factory":             ("strategies.maker", "FailsMade", "strategies.maker: the plugin's factory raised"),
    "strategy's bind":     ("strategies.maker", "FailsBound", r"strategies.maker: the plugin's bind\(\) raised"),
    "rule's bind":         ("risk.own", "RuleFailsBound", r"risk.own: the plugin's bind\(\) raised"),
    "venue's connect":     ("venues.main", "VenueFailsConnected", r"venues.main: the plugin's connect\(\) raised"),
}  # fmt: skip


@pytest.mark.parametrize(("table", "name", "said"), BEFORE.values(), ids=BEFORE)
def test_a_plugin_that_raises_before_the_run_is_named_with_its_line_and_nothing_is_left(
    run, tmp_path, table, name, said
):
    ran = run(table, name)
    assert (ran.code, ran.out) == (4, "")
    assert re.search(
        said + r" ZeroDivisionError: the plugin divides by zero \(faulty_plugins\.py, line \d+\)$", ran.last
    )
    assert len(ran.err.splitlines()) == 2
    assert not (tmp_path / "run").exists()


NOT_THERE = {
    "no such class": ("Missing", "cannot be imported: AttributeError: "),
    "another kind": ("NotABook", "should make a quotewright.kernel.strategy.Strategy, was tests.end_to_end"),
}


@pytest.mark.parametrize(("name", "said"), NOT_THERE.values(), ids=NOT_THERE)
def test_what_is_no_plugin_is_told(run, name, said):
    ran = run("strategies.maker", name)
    assert ran.code == 4
    assert said in ran.last


DURING = {  #                   table               plugin                  sentence
    "strategy's on_wake":      ("strategies.maker", "FailsWoken", "strategy maker raised and is stopped"),
    "strategy exits":          ("strategies.maker", "Leaves", "strategy maker (HERELeaves) raised and the run"),
    "off the grid":            ("strategies.maker", "QuotesFractions", "strategy maker raised and is stopped"),
    "not a number":            ("strategies.maker", "QuotesNan", "strategy maker raised and is stopped"),
    "no quantity":             ("strategies.maker", "QuotesNothing", "strategy maker raised and is stopped"),
    "rule's verdict":          ("risk.own", "RuleFailsAsked", "risk rule own raised and fails closed"),
    "rule's on_wake":          ("risk.own", "RuleFailsWoken", "risk rule own raised and fails closed"),
    "rule's on_report":        ("risk.own", "RuleFailsReported", "risk rule own raised and fails closed"),
    "rule's on_command":       ("risk.own", "RuleFailsTold", "risk rule own raised and fails closed"),
    "rule answers text":       ("risk.own", "RuleAnswersText", "risk rule own raised and fails closed"),
    "book's apply":            ("feeds.market.book", "BookFails", "(HEREBookFails) raised and the run was ended"),
    "venue's submit":          ("venues.main", "VenueFailsTaking", "venue main (HEREVenueFailsTaking) raised"),
    "venue's run":             ("venues.main", "VenueFailsRunning", "venue main (HEREVenueFailsRunning) raised"),
    "venue's take_reports":    ("venues.main", "VenueFailsReporting", "venue main (HEREVenueFailsReporting) raised"),
    "venue's close":           ("venues.main", "VenueFailsClosing", "venue main (HEREVenueFailsClosing) raised"),
}  # fmt: skip
SAID = {
    "QuotesFractions": r"InputError: bid price_ticks should be a whole number, was \d+\.\d",
    "QuotesNan": "InputError: bid price_ticks should be a whole number, was nan",
    "QuotesNothing": "InputError: bid quantity_lots should be positive, was 0",
    "RuleAnswersText": "should return a Refusal or None, was 'no'",
    "Leaves": "SystemExit: 3",
}


@pytest.mark.parametrize(("table", "name", "sentence"), DURING.values(), ids=DURING)
def test_a_plugin_that_raises_during_the_run_is_told_once_and_the_record_is_kept(run, tmp_path, table, name, sentence):
    ran = run(table, name)
    sentence = sentence.replace("HERE", HERE.replace(":", "."))
    assert ran.code == 1
    assert ran.err.count("Traceback (most recent call last)") == 1
    assert 'faulty_plugins.py", line ' in ran.err or name == "RuleAnswersText"
    assert sentence in ran.last
    assert sentence in ran.out
    assert re.search(SAID.get(name, "ZeroDivisionError: the plugin divides by zero"), ran.out)
    folder = tmp_path / "run"
    summary = json.loads((folder / "summary.json").read_text("utf-8"))
    assert len(summary["failures"]) == 1
    orders = [json.loads(line) for line in (folder / "orders.jsonl").read_text("utf-8").splitlines()]
    assert len(orders) == summary["orders"] + summary["cancels"] + summary["amends"]
    assert sum(record.kind == 4 for record in read_input_log(folder / "inputs.log")) == len(orders)
    if table != "venues.main":  # a venue that is out of order cannot confirm
        assert summary["open_orders"] == 0
        assert summary["venues"]["main"]["open_orders"] == 0


def test_a_report_is_written_for_a_run_that_failed(run, tmp_path):
    run("feeds.market.book", "BookFails")
    ran = quotewright("report", tmp_path / "run")
    assert ran.code == 0
    page = (tmp_path / "run" / "report.html").read_text("utf-8")
    assert "BookFails) raised and the run was ended; every order that could be was cancelled" in page


def test_a_halt_ends_with_its_own_exit_code_and_says_why(run, tmp_path):
    ran = run("risk.own", "FullRule")
    assert ran.code == 6
    assert "risk state          HALT (time is up)" in re.sub(r"risk state +", "risk state          ", ran.out)
    assert "the run ended halted: time is up" in ran.out
    assert (tmp_path / "run" / "summary.json").exists()


def test_what_a_strategy_prints_stays_out_of_the_json(run):
    ran = run("strategies.maker", "Prints", "--json")
    assert ran.code == 0
    assert ran.json["failures"] == {}
    assert ran.err.count("a word from the strategy") == 4


def test_a_plugin_that_fails_to_import_is_listed_and_blocks_nothing_else(tmp_path):
    (tmp_path / "broken_plugin.py").write_text("import a_module_that_is_not_there\n", encoding="utf-8")
    listed = quotewright("plugins", "--plugins-dir", tmp_path, "--json")
    assert listed.code == 0
    (broken,) = [one for one in json.loads(listed.out) if one["name"] == "broken_plugin"]
    assert broken["status"] == "failed"
    assert "a_module_that_is_not_there" in broken["reason"]
    why = quotewright("plugins", "--plugins-dir", tmp_path, "why", "broken_plugin")
    assert "No module named 'a_module_that_is_not_there' (broken_plugin.py, line 1)" in why.out
    ran = quotewright("demo", "--seconds", "1", "--no-report", "--out", tmp_path / "run", "--plugins-dir", tmp_path)
    assert ran.code == 0


def test_a_misspelt_hook_is_an_error_that_names_the_plugin(tmp_path):
    text = "from quotewright.plugin import hookimpl\n@hookimpl\ndef strategis():\n    return {}\n"
    (tmp_path / "misspelt.py").write_text(text, encoding="utf-8")
    ran = quotewright("demo", "--seconds", "1", "--out", tmp_path / "run", "--plugins-dir", tmp_path)
    assert ran.code == 4
    assert "misspelt" in ran.last
    assert "strategis" in ran.last


CONFIGS = {  #            --set                                             said
    "misspelt key":      ("risk.position.limt='1 BTC'", "risk.position: unknown key 'limt'; did you mean 'limit'?"),
    "misspelt table":    ("risks.position.limit='1 BTC'", "risks"),
    "missing unit":      ("risk.position.limit=1", "risk.position.limit"),
    "another unit":      ("risk.position.limit='1 ETH'", "unit 'ETH' fits no instrument"),
    "unknown plugin":    ("risk.position.plugin=positon_limit", "did you mean 'position_limit'?"),
    "unknown strategy":  ("strategies.maker.plugin=scalper", "no strategy called 'scalper'; installed: "),
    "not a number":      ("strategies.maker.gamma=nan", "strategies.maker.gamma"),
    "out of range":      ("strategies.maker.levels=0", "strategies.maker.levels"),
    "unknown venue":     ("strategies.maker.venue=other", "strategies.maker.venue: there is no table [venues.other]"),
    "other instrument":  ("strategies.maker.instrument=ETH-USDT.spot", "ETH-USDT.spot"),
}  # fmt: skip


@pytest.mark.parametrize(("value", "said"), CONFIGS.values(), ids=CONFIGS)
def test_a_faulty_config_is_told_in_one_line_before_anything_runs(tmp_path, value, said):
    ran = quotewright("paper", EXAMPLES / "paper.toml", "--seconds", "1", "--set", value, "--out", tmp_path / "run")
    assert (ran.code, ran.out) == (4, "")
    assert said in ran.last
    assert len(ran.err.splitlines()) == 2
    assert not (tmp_path / "run").exists()
