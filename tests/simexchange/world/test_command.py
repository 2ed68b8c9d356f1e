"""``quotewright chaos`` on the command line."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from quotewright_plugins.exchanges.binance.books import Books
from quotewright_simexchange.world.command import chaos, kinds_of
from tests.simexchange.world.conftest import CONFIG

BASE = [str(CONFIG), "--seeds", "2", "--minutes", "0.15"]


def test_the_last_line_tells_what_was_done() -> None:
    done = CliRunner().invoke(chaos, BASE, standalone_mode=False)
    assert done.return_value == 0, done.output
    last = done.stdout.splitlines()[-1]
    assert last.startswith("2 seeds, ")
    for words in ("events", "faults", "evaluations by invariant 1: ", "quotes placed after healing", "0 failed"):
        assert words in last


def test_json_holds_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    done = CliRunner().invoke(chaos, [*BASE, "--json", "--first", "5"], standalone_mode=False)
    assert done.return_value == 0, done.output
    told = json.loads(done.stdout)
    assert told["seeds"] == 2
    assert told["problem"] == ""
    assert told["quotes_after_healing"] > 0
    assert len(told["evaluations"]) >= 12


def test_a_failure_prints_the_command_that_repeats_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Books, "_follows", lambda self, book, event: True)
    arguments = [str(CONFIG), "--seeds", "12", "--minutes", "0.2"]
    done = CliRunner().invoke(chaos, arguments, standalone_mode=False)
    assert done.return_value == 1
    (again,) = [line for line in done.stdout.splitlines() if "again:" in line][-1:]
    words = again.split("quotewright chaos ")[1].split()
    repeated = CliRunner().invoke(chaos, [*words, "--no-shrink", "--json"], standalone_mode=False)
    assert repeated.return_value == 1
    assert json.loads(repeated.stdout)["failed"][0]["events_before"]


def test_a_run_without_checks_is_no_success() -> None:
    done = CliRunner().invoke(chaos, [*BASE, "--no-checks"], standalone_mode=False)
    assert done.return_value == 1
    assert "checks are off" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--set", "feeds.market.plugin=simexchange"], "has no live connection"),
        (["--set", "feeds.market.market=coinm"], "there is no door binance-coinm"),
        (["--set", "feeds.market.instruments=[]"], "name what is traded"),
        (["--kinds", "drop,rain"], "was 'rain'"),
    ],
)
def test_what_cannot_be_is_said(arguments: list[str], told: str) -> None:
    done = CliRunner().invoke(chaos, [*BASE, *arguments], standalone_mode=False)
    assert told in str(done.exception)


def test_kinds() -> None:
    assert kinds_of(None) is None
    assert kinds_of("none") == ()
    assert kinds_of("drop, gap") == ("drop", "gap")
