"""The notebooks of the documentation: run anew, cell by cell, they put out what is committed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.notebooks import FOLDER, ROOT, code_cells, notebooks, outputs, read


@pytest.mark.parametrize("path", notebooks(), ids=lambda path: path.name)
def test_a_notebook_puts_out_what_is_committed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FOLDER)
    notebook = read(path)
    for cell, found in zip(code_cells(notebook), outputs(notebook), strict=True):
        assert cell["outputs"] == found, f"cell {cell['execution_count']}; after a change: python -m tests.notebooks"


@pytest.mark.parametrize("path", notebooks(), ids=lambda path: path.name)
def test_a_notebook_was_run_from_its_top_and_its_links_lead_somewhere(path: Path) -> None:
    notebook = read(path)
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert [cell["execution_count"] for cell in code_cells(notebook)] == list(range(1, len(code_cells(notebook)) + 1))
    assert len({cell["id"] for cell in notebook["cells"]}) == len(notebook["cells"])
    text = "".join("".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "markdown")
    for link in re.findall(r"\]\(([^)]+)\)", text):
        assert (path.parent / link).resolve().is_file(), link
    assert str(ROOT) not in path.read_text(encoding="utf-8")


def test_there_is_a_notebook() -> None:
    assert [path.name for path in notebooks()] == ["first-backtest.ipynb"]
