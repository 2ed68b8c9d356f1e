"""``python -m tests.mutants [NUMBER…]``: take the handlers of faults out one by one, and see that the tests notice.

Works in a temporary copy of the tree with interpreted kernels; exit 1 unless every mutant is killed. Offline.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Queue

from tests.mutants.table import MUTANTS, Mutant

TREE = Path(__file__).resolve().parents[2]
PARTS = ("framework", "plugins", "simexchange", "tests")
AT_ONCE = 2
PATIENCE_S = 120
LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.so", "*.pyd", "*.c", "compiled*.json", "*.egg-info", ".*")


def copy_of(folder: Path) -> Path:
    """Copy the sources, without binaries, into *folder*."""
    for part in PARTS:
        shutil.copytree(TREE / part, folder / part, ignore=LEFT_OUT)
    shutil.copy(TREE / "pyproject.toml", folder / "pyproject.toml")
    return folder


def run(folder: Path, tests: tuple[str, ...], words: str) -> tuple[int, str]:
    """Run the tests called by *words* in *folder*; return the exit code and the end of what was printed."""
    environment = dict(os.environ, QUOTEWRIGHT_KERNELS="interpreted", PYTHONDONTWRITEBYTECODE="1")
    environment["PYTHONPATH"] = os.pathsep.join(str(folder / part) for part in PARTS[:3])
    for name in ("QUOTEWRIGHT_EXPECT", "QUOTEWRIGHT_PLUGINS_DIR", "PYTEST_ADDOPTS"):
        environment.pop(name, None)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-x",
        "-m",
        "not slow",
        "-p",
        "no:cacheprovider",
        *tests,
        "-k",
        words,
    ]
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=PATIENCE_S, check=False
        )
    except subprocess.TimeoutExpired:
        return 1, f"no end within {PATIENCE_S} s"
    return done.returncode, (done.stdout + done.stderr)[-2_000:]


def verdict(folder: Path, number: str, mutant: Mutant) -> str:
    """Return an empty text if the mutant is killed, else what is wrong."""
    file = folder / mutant.file
    text = file.read_text(encoding="utf-8")
    count = text.count(mutant.old) if mutant.old else 0
    if count != 1:
        return f"{mutant.file} holds the old text {count} times, should hold it once: {mutant.old!r}"
    file.write_text(text.replace(mutant.old, mutant.new), encoding="utf-8")
    try:
        code, told = run(folder, mutant.tests, f"test_{number}_")
    finally:
        file.write_text(text, encoding="utf-8")
    if code == 1:
        return ""
    return "it survives" if code == 0 else f"the tests did not run (exit {code}): {told}"


def main(numbers: list[str]) -> int:
    wrong = [number for number in numbers if number not in MUTANTS]
    if wrong:
        print(f"no mutant is called {', '.join(wrong)}; they run from m01 to m22 and from c01 to c19")
        return 1
    chosen = {number: MUTANTS[number] for number in numbers or MUTANTS}
    killed = 0
    with tempfile.TemporaryDirectory(prefix="mutants") as made, ThreadPoolExecutor(AT_ONCE) as pool:
        folders: Queue[Path] = Queue()
        for number in range(AT_ONCE):
            folders.put(copy_of(Path(made) / str(number)))
        pairs = [(number, mutant) for number, mutants in chosen.items() for mutant in mutants]
        tests = tuple(dict.fromkeys(path for _, mutant in pairs for path in mutant.tests))
        code, told = run(Path(made) / "0", tests, " or ".join(f"test_{number}_" for number in chosen))
        if code:
            print(f"without any mutation the tests should pass; exit {code}:\n{told}")
            return 1

        def judge(pair: tuple[str, Mutant]) -> str:
            folder = folders.get()
            try:
                return verdict(folder, *pair)
            finally:
                folders.put(folder)

        faults: dict[str, list[str]] = {number: [] for number in chosen}
        left = Counter(number for number, _ in pairs)
        for (number, mutant), wrong_ in zip(pairs, pool.map(judge, pairs), strict=True):
            if wrong_:
                faults[number].append(f"{mutant.file}: {mutant.old.strip().splitlines()[0]}: {wrong_}")
            left[number] -= 1
            if not left[number]:
                killed += not faults[number]
                count = len(chosen[number])
                told = f"killed{f', all {count}' if count > 1 else ''}"
                print(f"{number}  {'; '.join(faults[number]) or told}", flush=True)
    print(f"killed {killed}/{len(chosen)}")
    return 0 if killed == len(chosen) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
