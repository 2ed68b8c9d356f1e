"""The command line as a person uses it: in this process, or in one of its own where signals and terminals matter."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs

from quotewright.cli.main import main

TREE = Path(__file__).resolve().parent.parent.parent
EXAMPLES = TREE / "examples"


@attrs.frozen
class Ran:
    """What a command said and how it ended; :attr:`json` reads money exactly."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.out, parse_float=Decimal)
        return found

    @property
    def last(self) -> str:
        """The last line on standard error."""
        return self.err.strip().splitlines()[-1]


def quotewright(*arguments: str | Path) -> Ran:
    """Run one command in this process."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main([str(argument) for argument in arguments])
    return Ran(code, out.getvalue(), err.getvalue())


def environment(**more: str) -> dict[str, str]:
    """Return the environment of a command in a process of its own."""
    clean = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "QUOTEWRIGHT_PLUGINS_DIR")}
    return {**clean, "PYTHONUTF8": "1", **more}


def command(*arguments: str | Path) -> list[str]:
    """Return the command line of ``quotewright`` with these arguments."""
    return [sys.executable, "-m", "quotewright", *map(str, arguments)]


def process(*arguments: str | Path, **variables: str) -> Ran:
    """Run one command in a process of its own, from the root of the project."""
    done = subprocess.run(
        command(*arguments),
        check=False,
        capture_output=True,
        encoding="utf-8",
        cwd=TREE,
        env=environment(**variables),
        timeout=120,
    )
    return Ran(done.returncode, done.stdout, done.stderr)
