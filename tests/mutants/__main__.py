"""``python -m tests.mutants [NUMBER|AREA|GROUP…]``: plant bugs one by one, and see that the tests notice.

Three groups: ``feed`` takes the handlers of faults out of the live feed (``table.py``), ``simulator`` plants bugs in
the matching core, its money, the replay venue and the exchange around them (``simulator/*.txt``), ``risk`` in the risk
rules and their gate (``risk/*.txt``). Works in temporary copies of the tree with interpreted kernels; exit 1 unless
every mutant is killed, and before that unless the tests pass without any. Offline.
"""

from __future__ import annotations

import compileall
import os
import py_compile
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Queue
from typing import Final

from tests.mutants import table
from tests.mutants.mutant import Mutant, read

TREE = Path(__file__).resolve().parents[2]
PARTS = ("framework", "plugins", "simexchange", "tests", "docs")
AT_ONCE = max(2, os.cpu_count() or 2)
PATIENCE_S = 120
LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.so", "*.pyd", "*.c", "compiled*.json", "*.egg-info", ".*")
FEED: Final = table.MUTANTS
GROUPS: Final[dict[str, dict[str, list[Mutant]]]] = {
    "feed": FEED,
    **{
        group: {
            number: mutants
            for path in sorted((Path(__file__).parent / group).glob("*.txt"))
            for number, mutants in read(path).items()
        }
        for group in ("simulator", "risk")
    },
}
ROWS: Final = {number: mutants for group in GROUPS.values() for number, mutants in group.items()}
FAILED: Final = re.compile(r"^(?:FAILED|ERROR) \S*?(\w+\.py(?:::.*?)?)(?: - .*)?$", re.MULTILINE)


def copy_of(folder: Path) -> Path:
    """Copy the sources, without binaries, into *folder*.

    Their bytecode goes by the hash of the source, not by its time: a mutant may be as long as the original, and be
    written within the same second.
    """
    for part in PARTS:
        shutil.copytree(TREE / part, folder / part, ignore=LEFT_OUT)
    shutil.copy(TREE / "pyproject.toml", folder / "pyproject.toml")
    for part in PARTS[:3]:
        mode = py_compile.PycInvalidationMode.CHECKED_HASH
        compileall.compile_dir(folder / part, quiet=2, invalidation_mode=mode)
    return folder


def run(folder: Path, tests: tuple[str, ...], words: str, patience_s: int = PATIENCE_S) -> tuple[int, str]:
    """Run *tests*, only those called by *words* if there are any; return the exit code and the end of the output."""
    environment = dict(os.environ, QUOTEWRIGHT_KERNELS="interpreted")
    environment["PYTHONPATH"] = os.pathsep.join(str(folder / part) for part in PARTS[:3])
    for name in (
        "PYTHONDONTWRITEBYTECODE",
        "QUOTEWRIGHT_EXPECT",
        "QUOTEWRIGHT_PLUGINS_DIR",
        "QUOTEWRIGHT_STREAMS",
        "PYTEST_ADDOPTS",
    ):
        environment.pop(name, None)
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-m", "not slow", "-p", "no:cacheprovider", *tests]
    if words:
        command += ["-k", words]
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=patience_s, check=False
        )
    except subprocess.TimeoutExpired:
        return 1, f"no end within {patience_s} s"
    return done.returncode, (done.stdout + done.stderr)[-2_000:]


def words_of(number: str) -> str:
    """Return what the names of the tests for a row have in common; nothing if its tests are named one by one."""
    return f"test_{number}_" if number in FEED else ""


def verdict(folder: Path, number: str, mutant: Mutant) -> tuple[bool, str]:
    """Return whether the mutant is killed, and by which test, or what is wrong."""
    file = folder / mutant.file
    text = file.read_text(encoding="utf-8")
    count = text.count(mutant.old) if mutant.old else 0
    if count != 1:
        return False, f"{mutant.file} holds the old text {count} times, should hold it once: {mutant.old!r}"
    file.write_text(text.replace(mutant.old, mutant.new), encoding="utf-8")
    try:
        code, told = run(folder, mutant.tests, words_of(number))
    finally:
        file.write_text(text, encoding="utf-8")
    if code == 1:
        found = FAILED.search(told)
        return True, found[1] if found else told.strip().splitlines()[-1]
    if code == 0:
        return False, "it survives"
    return False, f"the tests did not run (exit {code}): {told}"


def healthy(folder: Path, chosen: list[str]) -> str:
    """Return how the tests of the *chosen* rows fail without any mutation, nothing if they pass."""
    for group in GROUPS.values():
        numbers = [number for number in chosen if number in group]
        tests = dict.fromkeys(test for number in numbers for mutant in group[number] for test in mutant.tests)
        words = " or ".join(word for number in numbers if (word := words_of(number)))
        if tests:
            code, told = run(folder, tuple(tests), words, 5 * PATIENCE_S)
            if code:
                return f"without any mutation the tests should pass; exit {code}:\n{told}"
    return ""


def picked(wanted: list[str]) -> list[str]:
    """Return the numbers of the rows asked for: by number, by area (a number without its digits), by group."""
    found = []
    for word in wanted:
        numbers = [number for number in ROWS if word in (number, number.rstrip("0123456789"))]
        numbers += list(GROUPS.get(word, {}))
        if not numbers:
            areas = dict.fromkeys(number.rstrip("0123456789") for number in ROWS)
            raise SystemExit(f"no mutant is called {word}; groups: {', '.join(GROUPS)}; areas: {', '.join(areas)}")
        found += numbers
    return list(dict.fromkeys(found)) if wanted else list(ROWS)


def title(number: str, mutant: Mutant, killed: bool, told: str) -> str:
    """Return the line about one mutant."""
    name = mutant.bug or f"{Path(mutant.file).name}: {mutant.old.strip().splitlines()[0]}"
    return f"{number:<15}{'killed' if killed else 'ALIVE '}  {name}{'  by' if killed else ':'} {told}"


def main(wanted: list[str]) -> int:
    chosen = picked(wanted)
    pairs = [(number, mutant) for number in chosen for mutant in ROWS[number]]
    alive: set[str] = set()
    with tempfile.TemporaryDirectory(prefix="mutants") as made, ThreadPoolExecutor(AT_ONCE) as pool:
        folders: Queue[Path] = Queue()
        for number in range(AT_ONCE):
            folders.put(copy_of(Path(made) / str(number) / "tree"))
        if trouble := healthy(Path(made) / "0" / "tree", chosen):
            print(trouble)
            return 1

        def judge(pair: tuple[str, Mutant]) -> tuple[bool, str]:
            folder = folders.get()
            try:
                return verdict(folder, *pair)
            finally:
                folders.put(folder)

        for (name, mutant), (killed, told) in zip(pairs, pool.map(judge, pairs), strict=True):
            if not killed:
                alive.add(name)
            print(title(name, mutant, killed, told), flush=True)
    for group, rows in GROUPS.items():
        if numbers := [number for number in chosen if number in rows]:
            print(f"{group}: killed {len(numbers) - len(alive & set(numbers))}/{len(numbers)}")
    print(f"killed {len(chosen) - len(alive)}/{len(chosen)}")
    return 1 if alive else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
