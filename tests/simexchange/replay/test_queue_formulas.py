"""Every queue model against its formula, worked in decimals of 50 digits; the rule for a surplus; the two bounds."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from decimal import Context, Decimal

import pytest

from quotewright.kernel.codes import SELL
from quotewright_simexchange.matching.queues import FrontQueue, LogQueue, PowerQueue, QueueModel
from tests.simexchange.replay.support import Desk, Recording

WIDE = Context(prec=50)
Share = Callable[[Decimal, Decimal], Decimal]


def power(exponent: str, form: int) -> Share:
    return formula(lambda x: WIDE.power(x, Decimal(exponent)) if x else Decimal(0), form)


def log(form: int) -> Share:
    return formula(lambda x: WIDE.ln(1 + x), form)


def formula(f: Callable[[Decimal], Decimal], form: int) -> Share:
    """Return the share behind of the table in the manual."""
    forms: dict[int, Share] = {
        1: lambda ahead, behind: WIDE.divide(f(behind), WIDE.add(f(behind), f(ahead))),
        2: lambda ahead, behind: WIDE.divide(f(behind), f(WIDE.add(behind, ahead))),
        3: lambda ahead, behind: WIDE.subtract(Decimal(1), f(WIDE.divide(ahead, WIDE.add(ahead, behind)))),
    }
    return forms[form]


MODELS: list[tuple[QueueModel, Share]] = [
    (QueueModel(), lambda ahead, behind: Decimal(1)),
    (FrontQueue(), lambda ahead, behind: Decimal(0)),
    *((PowerQueue(float(n), form), power(n, form)) for n in ("0.5", "1", "2", "3", "7.25") for form in (1, 2, 3)),
    *((LogQueue(form), log(form)) for form in (1, 2, 3)),
]
NAMES = [model.describe() for model, _ in MODELS]


@pytest.mark.parametrize(("model", "share"), MODELS, ids=NAMES)
def test_the_share_behind_is_that_of_the_formula(model: QueueModel, share: Share) -> None:
    """To within what rounding leaves of a float: four units in the last place of what is added up."""
    chance = random.Random(11)
    pairs = [(3.0, 4.0), (1.0, 0.0), (0.125, 1000.0), (1e-6, 1e6), (1e6, 1e-6)]
    pairs += [(chance.uniform(0.001, 900), chance.uniform(0, 900)) for _ in range(60)]
    for ahead, behind in pairs:
        exact = share(Decimal(ahead), Decimal(behind))
        found = model.share_behind(ahead, behind)
        assert abs(Decimal(found) - exact) <= 4 * Decimal(math.ulp(1.0)), (ahead, behind)
        assert 0.0 <= found <= 1.0


@pytest.mark.parametrize(
    ("model", "share"),
    [
        (PowerQueue(1.0), 4.0 / 7.0),
        (PowerQueue(2.0), 16.0 / 25.0),
        (PowerQueue(3.0), 64.0 / 91.0),
        (PowerQueue(2.0, 2), 16.0 / 49.0),
        (PowerQueue(2.0, 3), 1.0 - (3.0 / 7.0) ** 2),
        (PowerQueue(1.0, 2), 4.0 / 7.0),
        (PowerQueue(1.0, 3), 1.0 - 3.0 / 7.0),
        (LogQueue(), math.log(5.0) / (math.log(5.0) + math.log(4.0))),
        (LogQueue(2), math.log(5.0) / math.log(8.0)),
        (LogQueue(3), 1.0 - math.log1p(3.0 / 7.0)),
    ],
    ids=lambda value: value.describe() if isinstance(value, QueueModel) else "",
)
def test_three_ahead_and_four_behind(model: QueueModel, share: float) -> None:
    assert model.share_behind(3.0, 4.0) == share


class Fixed(QueueModel):
    """Puts this share of every decrease behind us, whatever stands there."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def share_behind(self, ahead: float, behind: float) -> float:
        return self.share

    def describe(self) -> str:
        return f"fixed, {self.share}"


@pytest.mark.parametrize(
    ("share", "size", "ahead"),
    [
        (0.5, 20, 15.0),  # 30 with 20 ahead: ten go, five of them ahead
        (0.9, 22, 19.2),
        (0.9, 12, 12.0),  # 18 go, 16.2 of them behind where 10 stood: the surplus of 6.2 comes from ahead
        (0.5, 8, 8.0),
        (0.0, 14, 4.0),
        (0.0, 5, 0.0),  # 25 go from ahead where 20 stood
        (1.0, 20, 20.0),
        (1.0, 19, 19.0),
    ],
)
def test_what_did_not_stand_behind_came_from_ahead(share: float, size: int, ahead: float) -> None:
    tape = Recording().bid(0, 1000, 20).bid(10, 1000, 30).bid(20, 1000, size)
    queue = Fixed(share) if share < 1.0 else QueueModel()
    desk = Desk(tape, queue=queue).new(5, 1, 1, 1000, 1).end()
    assert desk.venue.queue_ahead(1) == pytest.approx(ahead, abs=1e-6)


@pytest.mark.parametrize(
    "model", [model for model, _ in MODELS] + [Fixed(0.97), Fixed(0.03)], ids=lambda model: model.describe()
)
@pytest.mark.parametrize("conflation_ns", [0, 40])
def test_ahead_never_exceeds_the_level_nor_falls_below_zero(model: QueueModel, conflation_ns: int) -> None:
    chance = random.Random(5)
    for _ in range(6):
        tape, now, size = Recording().bid(0, 1000, 40), 10, 40
        steps = []
        for _ in range(60):
            now += chance.randint(1, 60)
            hit = min(size, chance.randint(1, 9)) if chance.random() < 0.3 else 0
            if hit:
                tape.trade(now, SELL, 1000, hit)
            size = max(0, size - hit if hit else size + chance.randint(-12, 9))
            tape.bid(now + 1, 1000, size)
            steps.append((now + 1, size))
            now += 1
        desk = Desk(tape, queue=model, conflation_ns=conflation_ns).new(5, 1, 1, 1000, 10**6)
        before = 40.0
        for at, size in steps:
            ahead = desk.until(at).venue.queue_ahead(1)
            assert 0.0 <= ahead <= size
            assert ahead <= before, "nobody comes to stand before us"
            before = ahead
