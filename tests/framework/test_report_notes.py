"""What the summary on the terminal says of a run's end."""

from __future__ import annotations

from typing import Any

import pytest

from quotewright.report.table import notes


def interrupted(left_open: list[str], open_orders: int) -> dict[str, Any]:
    quiet = {"faults": [], "foreign_fills": 0, "foreign_orders": 0, "unread": 0, "recoveries": 0}
    return {
        "failures": {},
        "interrupted": True,
        "market_seconds": 21.25,
        "risk_state": "NORMAL",
        "open_orders": open_orders,
        "integrity": {},
        "feeds": {},
        "venues": {"main": {**quiet, "left_open": left_open}},
        "instruments": {},
        "total": {"currency": "USDT", "left_out": []},
    }


@pytest.mark.parametrize(("left", "still_open"), [(["a-1"], 0), ([], 1), (["a-1"], 1)])
def test_an_interrupted_run_does_not_say_that_orders_were_cancelled_that_may_be_open(
    left: list[str], still_open: int
) -> None:
    assert notes(interrupted(left, still_open))[0] == (
        "interrupted after 21.2 s of market: not every order could be cancelled"
    )
    assert notes(interrupted([], 0)) == ["interrupted after 21.2 s of market: the orders were cancelled"]
