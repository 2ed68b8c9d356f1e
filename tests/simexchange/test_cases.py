"""Case files: both engines pass them, faults are found and told, malformed files are refused."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from quotewright.cli.main import main
from quotewright_simexchange import cases
from quotewright_simexchange.oracle.engine import OracleEngine

OWN = sorted((Path(__file__).parent / "cases").glob("*.json"))
SHARED = Path(__file__).resolve().parents[3] / "shared" / "matching_cases.json"
FILES = [*OWN, SHARED]
TAGS = frozenset(
    (
        *("limit", "market", "ioc", "fok", "gtd", "post_only", "reprice", "cancel", "amend", "fifo", "filters", "fees"),
        *("balances", "spot", "feed", "id", "numbers", "rounding", "stop", "stop_limit", "take_profit", "cascade"),
        *("iceberg", "hidden", "stp", "stp_group", "reduce_only", "protection", "price_band", "exec_range", "phase"),
        *("auction", "venue_policy", "linear", "inverse", "option", "pnl", "margin", "mark", "index", "funding"),
        *("settle", "liquidation", "queue", "risk_averse", "prob", "l3", "trade_through", "own_fifo", "taker"),
        *("consumption", "latency", "interpolated"),
    )
)
"""Every tag that docs/matching-cases.md lists."""


def existing(path: Path) -> Path:
    if not path.exists():
        pytest.skip(reason=f"the worked scenarios are not beside the project: shared/{path.name} is absent")
    return path


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_oracle_passes_every_case(path: Path) -> None:
    report = cases.run_cases(cases.load_cases(existing(path)), "oracle")

    assert [str(failure) for failure in report.failures] == []
    assert report.skipped == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_fast_engine_passes_every_case(path: Path) -> None:
    file = cases.load_cases(existing(path))

    report = cases.run_cases(file, "fast")

    assert [str(failure) for failure in report.failures] == []
    assert report.skipped == []
    assert len(report.passed) == len(file.cases)


def test_own_cases_cover_every_tag() -> None:
    own = [case for path in OWN for case in cases.load_cases(path).cases]

    assert len(own) >= 140
    assert {tag for case in own for tag in case["tags"]} == TAGS
    listed = (Path(__file__).resolve().parents[2] / "docs" / "matching-cases.md").read_text(encoding="utf-8")
    assert (
        set(listed.partition("`tags` name")[2].partition("The files")[0].replace("`", " ").replace(",", " ").split())
        >= TAGS
    )


def test_the_shared_cases_have_no_tag_that_own_cases_lack() -> None:
    assert {tag for case in cases.load_cases(existing(SHARED)).cases for tag in case["tags"]} <= TAGS


def small() -> dict[str, Any]:
    """Return a file of one case."""
    found: dict[str, Any] = json.loads(OWN[0].read_text(encoding="utf-8"))
    found["cases"] = [case for case in found["cases"] if case["kind"] == "engine"][:1]
    return found


def written(tmp_path: Path, given: Mapping[str, Any]) -> Path:
    path = tmp_path / "cases.json"
    path.write_text(json.dumps(given), encoding="utf-8")
    return path


def test_another_version_is_refused(tmp_path: Path) -> None:
    with pytest.raises(cases.CaseVersionError, match="schema should be 'matching-cases/1', was 'matching-cases/2'"):
        cases.load_cases(written(tmp_path, small() | {"schema": "matching-cases/2"}))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "magic"}, "kind should be 'engine' or 'replay', was 'magic'"),
        ({"tags": "limit"}, "tags should be a list of names"),
        ({"final": None}, "final should be an object"),
        ({"steps": None}, "steps should be a list"),
        ({"steps": [{"cmd": {"op": "dance"}, "events": []}]}, "step 1: op should be one of"),
        ({"steps": [{"cmd": {"op": "cancel", "id": "x"}, "events": []}]}, "step 1: cancel needs 'account'"),
        ({"steps": [{"cmd": {"op": "uncross"}}]}, "step 1: events should be a list"),
        ({"accounts": []}, "accounts should be an object"),
    ],
)
def test_malformed_case_is_named(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    given = small()
    given["cases"][0] |= change

    with pytest.raises(cases.CaseFormatError, match=message) as caught:
        cases.load_cases(written(tmp_path, given))

    assert f"case {given['cases'][0]['id']}: " in str(caught.value)


def test_an_id_given_twice_is_refused(tmp_path: Path) -> None:
    given = small()
    given["cases"] *= 2

    with pytest.raises(cases.CaseFormatError, match="its id is there twice"):
        cases.load_cases(written(tmp_path, given))


def test_numbers_compare_as_numbers_and_names_as_text() -> None:
    assert cases.is_same(
        {"price": "10", "fees": {"maker": ["1E1", "A"]}}, {"price": "10.0", "fees": {"maker": ["10", "A"]}}
    )
    assert not cases.is_same({"id": "1"}, {"id": "1.0"})
    assert not cases.is_same({"price": "10"}, {"price": "10.1"})
    assert not cases.is_same([{"ev": "accepted"}], [])


def test_first_difference_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = small()
    given["cases"][0]["steps"][0]["events"] = [{"ev": "rejected", "id": "zz", "reason": "tick"}]
    path = written(tmp_path, given)

    assert main(["exchange", "cases", str(path), "--engine", "oracle"]) == 1
    out = capsys.readouterr().out
    assert f"{given['cases'][0]['id']}: step 1: expected " in out
    assert "passed 0, failed 1, skipped 0" in out

    assert main(["exchange", "cases", str(path), "--engine", "oracle", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["passed"], found["failed"], found["skipped"], found["skipped_ids"]) == (0, 1, 0, [])
    assert found["failures"][0]["step"] == 1
    assert found["failures"][0]["expected"]["reason"] == "tick"


def test_every_part_of_a_case_is_compared() -> None:
    file = cases.load_cases(OWN[0])
    case = next(one for one in file.cases if one["kind"] == "engine" and any("l2" in step for step in one["steps"]))
    for change in ("l2", "events", "last", "bids"):
        changed = copy.deepcopy(dict(case))
        step = next(step for step in changed["steps"] if "l2" in step)
        if change == "l2":
            step["l2"][0][2] = "12345"
        elif change == "events":
            step["events"].append({"ev": "accepted", "id": "more"})
        else:
            changed["final"][change] = "12345" if change == "last" else [{"price": "1", "qty": "1", "orders": []}]
        report = cases.run_cases(cases.CaseFile(file.instrument_defaults, (changed,)), "oracle")
        assert [failure.id for failure in report.failures] == [case["id"]], change


@pytest.mark.parametrize("engine", ["fast", "oracle"])
def test_command_exit_codes(tmp_path: Path, engine: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["exchange", "cases", str(OWN[0]), "--engine", engine]) == 0
    assert main(["exchange", "cases", str(tmp_path / "absent.json"), "--engine", engine]) == 2
    assert "does not exist" in capsys.readouterr().err
    assert main(["exchange", "cases", str(written(tmp_path, {"schema": "other"})), "--engine", engine]) == 4
    assert "schema should be" in capsys.readouterr().err


class Minting(OracleEngine):
    """Gives every account a coin with each command."""

    def run(self, cmd: Mapping[str, Any]) -> Any:
        for account in self.money.accounts.values():
            account.balances["BTC"] += 1
        return super().run(cmd)


def test_money_that_is_made_is_found() -> None:
    file = cases.load_cases(OWN[0])
    case = next(one for one in file.cases if "balances" in one["tags"])
    instrument = dict(file.instrument_defaults) | case["instrument"]

    failure = cases.run_engine_case(case, instrument, Minting)

    assert failure is not None
    assert "BTC should sum to" in str(failure)
