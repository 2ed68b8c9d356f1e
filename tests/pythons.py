"""Run the tests on the newest other CPython of this machine: ``python tests/pythons.py MODE FOLDER [TESTS]``.

With ``QUOTEWRIGHT_ALL_PYTHONS=1`` in the environment they run on every other one.

*MODE* is what ``QUOTEWRIGHT_BUILD`` shall be, *FOLDER* where the environments are made, *TESTS*
what pytest is told to run. Of several interpreters of
one version the first found is taken, and the version that runs this script is left out: its tests have run.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

TREE = Path(__file__).resolve().parent.parent
OLDEST = (3, 11)
ASK = """
import json, platform, sys, sysconfig, venv
print(json.dumps([platform.python_implementation(), list(sys.version_info[:3]), sys._base_executable,
                  bool(sysconfig.get_config_var("Py_GIL_DISABLED")), sys.version_info.releaselevel]))
"""
QUICK = "not packaging and not slow and not recorded"


def candidates() -> Iterator[str]:
    """Yield commands and paths that may be interpreters."""
    for minor in range(OLDEST[1], 40):
        yield from filter(None, [shutil.which(f"python3.{minor}")])
    for name in ("python3", "python"):
        yield from filter(None, [shutil.which(name)])
    versions = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    for pattern in ("3.*/bin/python", "3.*/python.exe", "pyenv-win/versions/3.*/python.exe"):
        yield from map(str, sorted(versions.glob(pattern)))
    if launcher := shutil.which("py"):
        listed = subprocess.run([launcher, "-0p"], capture_output=True, text=True, check=False).stdout
        yield from (line.split()[-1] for line in listed.splitlines() if line.strip())


def others() -> dict[str, str]:
    """Return the other interpreters that run and are supported: version → path."""
    found: dict[tuple[int, ...], str] = {}
    for candidate in candidates():
        try:
            ran = subprocess.run([candidate, "-c", ASK], capture_output=True, text=True, check=True, timeout=60)
            kind, version, path, without_gil, level = json.loads(ran.stdout)
        except (OSError, ValueError, subprocess.SubprocessError):
            continue  # a launcher without an interpreter behind it, or a Python without venv
        minor = tuple(version[:2])
        if kind == "CPython" and minor >= OLDEST and level == "final" and not without_gil:
            found.setdefault(minor, path or candidate)
    found.pop(sys.version_info[:2], None)
    return {".".join(map(str, minor)): found[minor] for minor in sorted(found)}


def requirements() -> list[str]:
    """Return the dependency group ``test`` of this project."""
    groups = tomllib.loads((TREE / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]
    return [requirement for requirement in groups["test"] if isinstance(requirement, str)]


def run_tests(python: str, version: str, mode: str, folder: Path, tests: list[str]) -> tuple[int, str]:
    """Install the project for one interpreter and run its tests; return the exit code and the closing line."""
    home = folder / f"python{version}"
    subprocess.run([python, "-m", "venv", "--clear", "--without-pip", str(home)], check=True)
    inside = str(home / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))
    pip = [sys.executable, "-m", "pip", "--python", inside, "install", "-q", "--no-warn-script-location"]
    env = os.environ | {"QUOTEWRIGHT_BUILD": mode, "QUOTEWRIGHT_OPTIMIZE": "0"}
    subprocess.run([*pip, *requirements(), str(TREE)], env=env, check=True)
    command = [inside, "-m", "pytest", "-n", "2", "--dist", "worksteal", "-q", "-rsfE", "-m", QUICK, *tests]
    with subprocess.Popen(command, cwd=TREE, stdout=subprocess.PIPE, text=True, encoding="utf-8") as ran:
        assert ran.stdout is not None
        last = ""
        for line in ran.stdout:
            print(line, end="", flush=True)
            last = line.strip() or last
    return ran.returncode, last


def main(mode: str, folder: Path, tests: list[str]) -> int:
    """Return 0 if the tests pass on every other interpreter, or if there is none."""
    found = others()
    if not os.environ.get("QUOTEWRIGHT_ALL_PYTHONS"):
        found = dict(list(found.items())[-1:])
    if not found:
        print("no other CPython of version 3.11 or later was found on this machine")
        return 0
    folder.mkdir(parents=True, exist_ok=True)
    results = {}
    for version, python in found.items():
        print(f"Python {version}: QUOTEWRIGHT_BUILD={mode}", flush=True)
        results[version] = run_tests(python, version, mode, folder, tests)
    for version, (code, last) in results.items():
        print(f"Python {version}, QUOTEWRIGHT_BUILD={mode}: exit {code}: {last}")
    return max(code for code, _ in results.values())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:]))
