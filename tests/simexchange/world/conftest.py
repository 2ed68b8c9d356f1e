"""The shipped config of simulated worlds, once for all tests here."""

from __future__ import annotations

from pathlib import Path

import pytest

from quotewright_simexchange.world.chaos import prepare
from quotewright_simexchange.world.world import Ground

CONFIG = Path(__file__).parents[3] / "examples" / "chaos.toml"


@pytest.fixture(scope="session")
def ground() -> Ground:
    return prepare([CONFIG])
