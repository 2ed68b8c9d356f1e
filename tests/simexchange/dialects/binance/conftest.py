"""A spot door for each test that asks for one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.simexchange.dialects.binance.world import World


@pytest.fixture
def world() -> World:
    from tests.simexchange.dialects.binance.world import World

    return World()
