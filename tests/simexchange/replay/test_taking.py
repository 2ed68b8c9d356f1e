"""What taking gets: all that is displayed, unless a haircut, a decay or an impact say otherwise; never more."""

from __future__ import annotations

import random
from decimal import Decimal

import pytest

from quotewright.errors import ConfigError
from quotewright.kernel.codes import BUY, SELL
from quotewright_simexchange.matching.codes import FOK, IOC
from quotewright_simexchange.matching.taking_options import TakingOptions
from quotewright_simexchange.replay_venue import ReplaySettings, TakingTable, replay
from tests.simexchange.replay.support import Desk, Recording


def desk(recording: Recording, **options: object) -> Desk:
    given = {key: value if isinstance(value, bool) else Decimal(str(value)) for key, value in options.items()}
    return Desk(recording, taking=TakingOptions(**given))


def two_levels() -> Recording:
    return Recording().bid(0, 990, 9).offer(0, 1010, 10).offer(0, 1020, 7)


def test_a_haircut_leaves_the_rest_of_each_level_rounded_down() -> None:
    found = desk(two_levels(), haircut="0.25").new(1, 1, BUY, 1020, 99, time_in_force=IOC).end()
    assert found.told()[1:] == [("fill", 1, 1010, 7), ("fill", 1, 1020, 5), ("canceled", 1, "ioc")]


def test_what_the_haircut_left_is_taken_once() -> None:
    tape = two_levels().offer(50, 1010, 10)
    found = (
        desk(tape, haircut="0.5").new(1, 1, BUY, 1010, 4, time_in_force=IOC).new(2, 2, BUY, 1010, 9, time_in_force=IOC)
    )
    found.new(60, 3, BUY, 1010, 9, time_in_force=IOC).end()
    fills = [row for row in found.told() if row[0] == "fill"]
    assert fills == [("fill", 1, 1010, 4), ("fill", 2, 1010, 1), ("fill", 3, 1010, 5)]


def test_a_fill_or_kill_order_counts_what_is_there() -> None:
    found = desk(two_levels(), haircut="0.5").new(1, 1, BUY, 1020, 9, time_in_force=FOK)
    found.new(2, 2, BUY, 1020, 8, time_in_force=FOK).end()
    assert found.told()[1] == ("canceled", 1, "fok")
    assert found.told()[3:] == [("fill", 2, 1010, 5), ("fill", 2, 1020, 3)]


def test_a_post_only_order_sees_what_is_displayed_whatever_is_there() -> None:
    assert desk(two_levels(), haircut=1).new(1, 1, BUY, 1010, 1, post_only=True).end().told() == [
        ("rejected", 1, "post_only")
    ]


def test_a_level_decays_after_our_trade_until_its_next_update() -> None:
    tape = two_levels().offer(50, 1010, 10)
    found = (
        desk(tape, decay="1.5").new(1, 1, BUY, 1010, 3, time_in_force=IOC).new(2, 2, BUY, 1010, 9, time_in_force=IOC)
    )
    found.new(60, 3, BUY, 1010, 9, time_in_force=IOC).end()
    fills = [row for row in found.told() if row[0] == "fill"]
    assert fills == [("fill", 1, 1010, 3), ("fill", 2, 1010, 2), ("fill", 3, 1010, 9)]  # 10 - 3 - 4.5 rounded up


def test_impact_grows_with_the_square_root_of_what_an_order_takes() -> None:
    """1 % at a size of 0.016: half of it at 0.004, rounded against us."""
    tape = Recording().bid(0, 1000, 16).offer(0, 1010, 4).offer(0, 1020, 12)
    found = desk(tape, impact="0.01", impact_size="0.016").new(1, 1, BUY, 0, 16).new(2, 2, SELL, 0, 16).end()
    assert [row for row in found.told() if row[0] == "fill"] == [
        ("fill", 1, 1016, 4),  # 1010 + 5.05
        ("fill", 1, 1031, 12),  # 1020 + 10.2
        ("fill", 2, 990, 16),
    ]


def test_impact_may_grow_in_proportion() -> None:
    tape = Recording().offer(0, 1000, 4).offer(0, 1020, 12)
    found = desk(tape, impact="0.01", impact_size="0.016", is_linear=True).new(1, 1, BUY, 0, 16).end()
    assert [row for row in found.told() if row[0] == "fill"] == [("fill", 1, 1003, 4), ("fill", 1, 1031, 12)]


def test_impact_never_breaks_a_limit() -> None:
    tape = Recording().offer(0, 1000, 4).offer(0, 1005, 12)
    found = desk(tape, impact="0.01", impact_size="0.016").new(1, 1, BUY, 1005, 16, time_in_force=IOC).end()
    assert found.told()[1:] == [("fill", 1, 1005, 4), ("canceled", 1, "ioc")]


@pytest.mark.parametrize("side", [BUY, SELL])
def test_nothing_beyond_the_displayed_depth_is_ever_taken(side: int) -> None:
    chance = random.Random(side)
    for _ in range(40):
        sizes = {1000 + n if side == BUY else 1000 - n: chance.randint(0, 9) for n in range(1, 9)}
        tape = Recording()
        for price, size in sizes.items():
            (tape.offer if side == BUY else tape.bid)(0, price, size)
        found = desk(tape, haircut=chance.choice(("0", "0.3")), decay=chance.choice(("0", "0.7")))
        for number in range(1, 6):
            limit = chance.choice(list(sizes))
            found.new(number, number, side, limit, chance.randint(1, 30), time_in_force=IOC)
        got = dict.fromkeys(sizes, 0)
        for row in found.end().told():
            if row[0] == "fill":
                got[row[2]] += row[3]
        assert all(got[price] <= sizes[price] for price in sizes)


@pytest.mark.parametrize("options", [{"haircut": 2}, {"decay": -1}, {"impact": -1}, {"impact_size": 0}])
def test_options_that_mean_nothing_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="taking: "):
        TakingOptions(**{key: Decimal(value) for key, value in options.items()})


def test_the_report_names_what_taking_assumed() -> None:
    venue = replay(ReplaySettings(taking=TakingTable(haircut="20%", decay=Decimal("0.5"), impact="1.5 bps")))
    (told,) = [sentence for sentence in venue.assumptions() if sentence.startswith("Taking")]
    assert told == (
        "Taking: displayed quantity, each level at its price, of each level 20% is not there, a level loses 0.5 more "
        "for each lot taken, prices are worse by 1.5 bps at 1, growing with the square root of what is taken; what we "
        "took is not there again until its level is updated."
    )
