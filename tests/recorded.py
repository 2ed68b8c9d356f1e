"""Where recorded market data stands beside the project, and the reason a test gives when it does not."""

from __future__ import annotations

from pathlib import Path

import pytest

DATA = Path(__file__).resolve().parent.parent.parent / "shared" / "data"


def recorded(name: str) -> Path:
    """Return the path of a recorded file, or skip the test because the recordings are not beside the project."""
    path = DATA / name
    if not path.exists():
        pytest.skip(reason=f"recorded market data is not beside the project: shared/data/{name} is absent")
    return path
