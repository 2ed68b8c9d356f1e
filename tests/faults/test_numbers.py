"""Every row of the catalogue has a test that is called by its number, a mutant for it to kill, and a line of docs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.mutants.table import MUTANTS, NUMBERS

TREE = Path(__file__).resolve().parents[2]
LIVE_TESTS = [*(TREE / "tests/faults").glob("test_*.py"), *(TREE / "tests/framework/live").glob("test_*.py")]


@pytest.mark.parametrize("number", NUMBERS)
def test_a_row_has_tests_a_mutant_and_a_line_of_docs(number: str) -> None:
    text = ""
    for mutant in MUTANTS[number]:
        tests = "\n".join((TREE / path).read_text(encoding="utf-8") for path in mutant.tests)
        assert re.search(rf"def test_{number}_", tests), f"no test_{number}_… in {', '.join(mutant.tests)}"
        assert (TREE / mutant.file).read_text(encoding="utf-8").count(mutant.old) == 1, (mutant.file, mutant.old)
        assert mutant.old != mutant.new
        text += tests
    docs = (TREE / "docs" / "faults.md").read_text(encoding="utf-8")
    assert f"| {number[0].upper()}{int(number[1:])} |" in docs
    text += "\n".join(path.read_text(encoding="utf-8") for path in LIVE_TESTS)
    named = re.findall(rf"`(test_{number}_\w+)`", docs)
    assert named
    assert [name for name in named if f"def {name}(" not in text] == []


def test_there_are_forty_one_numbers() -> None:
    assert (len(NUMBERS), list(MUTANTS)) == (41, NUMBERS)
