"""What holds for every test: the kernels that run fit their sources, and random examples are the same each time."""

from __future__ import annotations

import os
from pathlib import Path

import hypothesis
import pytest

try:
    from quotewright import binaries
except ImportError as error:
    raise pytest.UsageError(f"quotewright cannot be imported ({error}): run pip install -e . first") from error

TREE = Path(__file__).resolve().parent.parent
SOURCES = {"quotewright": "framework", "quotewright_plugins": "plugins", "quotewright_simexchange": "simexchange"}
PROMISE = "QUOTEWRIGHT_EXPECT"
STALE = 3
"""Exit code when what would be tested is not what the sources say."""

hypothesis.settings.register_profile("fixed", derandomize=True, deadline=None, database=None)
hypothesis.settings.load_profile("fixed")


def pytest_configure(config: pytest.Config) -> None:
    if why := binaries.trouble() or outdated() or promise_broken():
        pytest.exit(why, returncode=STALE)


def pytest_report_header(config: pytest.Config) -> str:
    why = f" ({binaries.reason()})" if binaries.reason() else ""
    return f"quotewright: {binaries.form()} kernels{why}, from {Path(binaries.__file__).parent}"


def outdated() -> str:
    """Return which source file differs from the installed one that would be tested in its place."""
    site = Path(binaries.__file__).parent.parent
    if site == TREE / SOURCES["quotewright"]:
        return ""
    for package, root in SOURCES.items():
        for source in sorted((TREE / root / package).rglob("*.p*")):
            installed = site / source.relative_to(TREE / root)
            if source.suffix not in (".py", ".pxd"):
                continue
            if not installed.exists() or binaries.digest_of([installed]) != binaries.digest_of([source]):
                return f"{source.relative_to(TREE)} is not the installed one in {site}: run pip install . again"
    return ""


def promise_broken() -> str:
    """Return how the kernels' form differs from the one this environment was made for; no compiler excuses it."""
    promised = os.environ.get(PROMISE, "")
    if promised in ("", binaries.form()) or (
        promised == "compiled" and binaries.reason().startswith(binaries.NO_COMPILER)
    ):
        return ""
    return f"{PROMISE}={promised}, but the kernels are {binaries.form()}: {binaries.reason()}"
