"""The worked replay scenarios, and a small table of our own that needs no file."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from quotewright_simexchange.matching.replay_door import SUPPORTED_MODELS, FastReplay

CASES = Path(__file__).resolve().parents[4] / "shared" / "matching_cases.json"


def replay_cases() -> list[Any]:
    if not CASES.exists():
        return [
            pytest.param({}, id="absent", marks=pytest.mark.skip(reason="no matching_cases.json beside the project"))
        ]
    found = [case for case in json.loads(CASES.read_text())["cases"] if case["kind"] == "replay"]
    return [pytest.param(case, id=case["id"]) for case in found if case["model"]["queue"] in SUPPORTED_MODELS]


def plain(event: dict[str, Any]) -> dict[str, Any]:
    """Return an event with its numbers as numbers."""
    return {key: Decimal(value) if key in ("price", "qty") else value for key, value in event.items()}


@pytest.mark.parametrize("case", replay_cases())
def test_worked_scenario(case: dict[str, Any]) -> None:
    replay = FastReplay(case["model"])
    if "inputs" in case:
        found = [plain(event) for event in replay.run_timed(case["inputs"])]
        assert found == [plain(event) for event in case["events"]]
        return
    for number, step in enumerate(case["steps"]):
        found = [plain(event) for event in replay.step(step)]
        assert found == [plain(event) for event in step["events"]], f"step {number}"
        assert replay.queue() == {id: Decimal(ahead) for id, ahead in step["queue"].items()}, f"step {number}"
