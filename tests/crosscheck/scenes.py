"""One worked scene for every rule: a market of a few rows in which nothing but that rule makes a difference."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from quotewright.kernel.codes import (
    BID,
    BUY,
    IN_SNAPSHOT,
    LAST_BIT,
    LEVEL_DELETE,
    LEVEL_SET,
    NO_MARKET,
    OFFER,
    SELL,
    SNAPSHOT_BEGIN,
    TRADE,
    pack,
)
from quotewright.kernel.rows import TapeBuffer
from quotewright.tape.tape import MemoryTape
from tests.crosscheck.fills import MODELS, Model
from tests.crosscheck.markets import QUEUES, Market
from tests.crosscheck.script import AMEND, CANCEL, NEW, Command

START_NS = 1_000_000_000_000_000_000
STEP_NS = 50_000_000
LAST_STEP = 40


@attrs.frozen(kw_only=True)
class Scene:
    """What happens step by step (50 ms each), and what each order is filled in all by ours and by theirs."""

    rule: str
    model: str = "risk_averse"
    market: Sequence[tuple[int, str, int, int]]
    orders: Sequence[tuple[int, str, int, int, int]]
    ours: dict[int, int]
    theirs: dict[int, int]

    def made(self) -> tuple[Market, list[Command], Model]:
        """Return the market, the commands and the queue model."""
        buffer = TapeBuffer(64)

        def row(step: int, kind: int, side: int, price: int, size: int, flags: int = 0) -> None:
            time = START_NS + step * STEP_NS
            buffer.append(time, time + 1_000_000, price, size, 0, pack(kind, side, flags, 0) | LAST_BIT)

        for step, what, price, size in (*OPENING, *self.market, (LAST_STEP, "bid", 1, 1)):
            if what in ("bid", "offer"):
                row(step, LEVEL_SET if size else LEVEL_DELETE, BID if what == "bid" else OFFER, price, size)
            elif what == "snapshot":
                time = START_NS + step * STEP_NS
                buffer.append(time, time + 1_000_000, 0, 0, 0, pack(SNAPSHOT_BEGIN, 0, IN_SNAPSHOT, 0))
                for side, at, displayed in ((BID, price, size), (OFFER, 101, 10)):
                    word = pack(LEVEL_SET, side, IN_SNAPSHOT, 0)
                    buffer.append(time, time + 1_000_000, at, displayed, 0, word)
                buffer.mark_last()
            else:
                flags = NO_MARKET if what == "outside" else 0
                row(step, TRADE, BUY if what == "buyer" else SELL, price, size, flags)
        commands = []
        for step, what, order, price, quantity in self.orders:
            way, _, side = what.partition(" ")
            kind = way if way in (AMEND, CANCEL) else NEW
            commands.append(
                Command(
                    at=START_NS + step * STEP_NS + STEP_NS // 2,
                    kind=kind,
                    order=order,
                    side=BUY if side != "sell" else SELL,
                    price=price,
                    quantity=quantity,
                    post_only=way == "post",
                    immediate=way == "ioc",
                )
            )
        tape = MemoryTape((QUEUES,), buffer)
        return Market(name=self.rule, tape=tape, tick=1, size=10), commands, MODELS[self.model]


OPENING = ((0, "bid", 100, 10), (0, "bid", 99, 10), (0, "offer", 101, 10), (0, "offer", 102, 10))

SCENES = (
    Scene(
        rule="print_to_each",
        market=[(3, "seller", 100, 25)],
        orders=[(1, "post buy", 1, 100, 30), (2, "post buy", 2, 100, 30)],
        ours={1: 15},
        theirs={1: 15, 2: 15},
    ),
    Scene(
        rule="prints_count_behind",
        model="power 1",
        market=[
            (1, "bid", 100, 100),
            (3, "bid", 100, 150),
            (4, "seller", 100, 40),
            (5, "bid", 100, 90),
            (6, "seller", 100, 70),
        ],
        orders=[(2, "post buy", 1, 100, 57)],
        ours={1: 20},
        theirs={1: 18},
    ),
    Scene(
        rule="place_below_zero",
        model="log",
        market=[(2, "bid", 100, 30), (3, "bid", 100, 2), (4, "seller", 100, 5)],
        orders=[(1, "post buy", 1, 100, 57)],
        ours={1: 5},
        theirs={1: 7},
    ),
    Scene(
        rule="rounded_place",
        model="power 1",
        market=[(2, "bid", 100, 30), (3, "bid", 100, 16), (4, "seller", 100, 20)],
        orders=[(1, "post buy", 1, 100, 57)],
        ours={1: 14},
        theirs={1: 15},
    ),
    Scene(rule="beyond_depth", market=[], orders=[(1, "gtc buy", 1, 101, 30)], ours={1: 10}, theirs={1: 30}),
    Scene(
        rule="taken_again",
        market=[],
        orders=[(1, "ioc buy", 1, 101, 7), (2, "ioc buy", 2, 101, 7)],
        ours={1: 7, 2: 3},
        theirs={1: 7, 2: 7},
    ),
    Scene(
        rule="amended_quantity",
        market=[(2, "seller", 100, 15), (4, "seller", 98, 1)],
        orders=[(1, "post buy", 1, 100, 30), (3, "amend buy", 1, 100, 20)],
        ours={1: 20},
        theirs={1: 25},
    ),
    Scene(
        rule="amend_across",
        market=[(4, "seller", 97, 1)],
        orders=[(1, "post buy", 1, 98, 30), (2, "amend buy", 1, 101, 30)],
        ours={1: 30},
        theirs={},
    ),
    Scene(
        rule="snapshot_clears",
        model="power 1",
        market=[(2, "bid", 100, 30), (3, "snapshot", 100, 15), (4, "seller", 100, 20)],
        orders=[(1, "post buy", 1, 100, 57)],
        ours={1: 15},
        theirs={1: 10},
    ),
    Scene(
        rule="prints_outside",
        market=[(2, "outside", 99, 5)],
        orders=[(1, "post buy", 1, 100, 30)],
        ours={},
        theirs={1: 30},
    ),
    Scene(
        rule="crossed_levels",
        market=[(1, "bid", 101, 5)],
        orders=[(2, "ioc buy", 1, 101, 7)],
        ours={1: 7},
        theirs={},
    ),
)
