"""What a planted bug is: one text of one file replaced by another, and the tests that must notice."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import attrs

MARKET: Final = "tests/faults/test_market_data.py"
SIGNS: Final = (" ", "-", "+")


@attrs.frozen
class Mutant:
    """*old*, which stands once in *file*, becomes *new*; *tests* must notice, and are run in their order."""

    file: str
    old: str
    new: str
    tests: tuple[str, ...] = (MARKET,)
    bug: str = ""


def written(block: str, file: str, tests: tuple[str, ...]) -> Mutant:
    """Return the mutant of one block: its title, then lines as in a diff (``-`` old, ``+`` new, a space: both)."""
    title, *lines = block.rstrip("\n").splitlines()
    lines = [line or " " for line in lines]
    wrong = [line for line in lines if not line.startswith(SIGNS)]
    if wrong:
        raise ValueError(f"{file}: {title}: a line should begin with a space, - or +, was {wrong[0]!r}")
    old, new = ("".join(f"\n{line[1:]}" for line in lines if line[0] in signs) + "\n" for signs in (" -", " +"))
    if old == new:
        raise ValueError(f"{file}: {title}: nothing is replaced")
    return Mutant(file, old, new, tests, title)


def read(path: Path) -> dict[str, list[Mutant]]:
    """Return the mutants of a list by number: ``file``, the ``tests``, then blocks that begin with ``== title``."""
    head, *blocks = path.read_text(encoding="utf-8").split("\n== ")
    settings = [line.partition(" ") for line in head.splitlines() if line]
    tests = tuple(value for key, _, value in settings if key == "tests")
    (file,) = [value for key, _, value in settings if key == "file"]
    return {f"{path.stem}{number:02}": [written(block, file, tests)] for number, block in enumerate(blocks, 1)}
