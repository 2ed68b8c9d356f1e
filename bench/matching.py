"""Matching core beside queues in a SortedDict, on two mixes of commands."""

from __future__ import annotations

import random
from array import array
from typing import Any

import attrs

from bench.measure import Candidate, Measured, Work, compare
from bench.peers import DictExchange
from quotewright_simexchange.matching.codes import (
    AMEND,
    CANCEL,
    COMMAND_WORDS,
    GTC,
    IOC,
    LIMIT,
    NEW,
    TRADED,
)
from quotewright_simexchange.matching.core import MatchingCore

MID = 100_000
ACCOUNTS = 16
STANDING = 1000
RUN_EVENTS = 4096
"""How many events are kept before they would be read."""


@attrs.frozen
class Mix:
    """Shares of new orders, cancels, immediate-or-cancel takers and price moves; they add up to 100."""

    name: str
    new: int
    cancel: int
    take: int
    move: int


MIXES = (Mix("9/3/6/82", 9, 6, 3, 82), Mix("45/45/10", 45, 45, 10, 0))
"""Busy makers (new, take, cancel, price move), and a book that is placed and withdrawn (new, cancel, take)."""


def commands(mix: Mix, count: int, seed: int) -> tuple[array[int], int]:
    """Return command rows, and how many of them at the start build a book and are not timed.

    The plain exchange runs along, so that cancels and price moves speak of orders that are open. One price move in
    about fourteen reaches the other side.
    """
    chance = random.Random(seed)
    exchange = DictExchange()
    rows: array[int] = array("q")
    live: list[int] = []
    accounts: dict[int, int] = {}
    next_order = 0
    drift = 0

    def away() -> int:
        return 1 + min(int(chance.expovariate(1 / 12)), 1500)

    def send(operation: int, order: int, account: int, side: int, price: int, quantity: int, tif: int) -> None:
        row = (operation, order, account, side, LIMIT, price, quantity, tif, *[0] * (COMMAND_WORDS - 8))
        rows.extend(row)
        exchange.run(row)

    def pick() -> int:
        while live:
            at = chance.randrange(len(live))
            order = live[at]
            if order in exchange.orders:
                return order
            live[at] = live[-1]
            live.pop()
        return -1

    def place(tif: int, is_taking: bool) -> None:
        nonlocal next_order
        side = chance.randint(1, 2)
        bid, offer = exchange.best()
        if is_taking and bid and offer:
            price = offer + 2 if side == 1 else max(1, bid - 2)
        else:
            price = _passive(side, bid, offer, MID + drift, away())
        account = chance.randrange(ACCOUNTS)
        send(NEW, next_order, account, side, price, chance.randint(1, 20), tif)
        accounts[next_order] = account
        if next_order in exchange.orders:
            live.append(next_order)
        next_order += 1

    for _ in range(STANDING):
        place(GTC, False)
    for _ in range(count):
        drift += chance.choice((-1, 0, 0, 1)) - (drift > 400) + (drift < -400)
        draw = chance.randrange(100)
        if draw >= mix.new + mix.take:
            order = pick()
            if order < 0:
                place(GTC, False)
            elif draw >= mix.new + mix.take + mix.move:
                send(CANCEL, order, accounts[order], 0, 0, 0, 0)
            else:
                side, _, _, total = exchange.orders[order]
                bid, offer = exchange.best()
                if chance.random() < 0.07 and bid and offer:
                    price = offer if side == 1 else bid
                else:
                    price = _passive(side, bid, offer, MID + drift, away())
                send(AMEND, order, accounts[order], 0, price, total, 0)
        else:
            place(IOC if draw < mix.take else GTC, draw < mix.take)
    return rows, STANDING


def _passive(side: int, bid: int, offer: int, mid: int, away: int) -> int:
    """Return a price *away* from the mid that does not reach the other side."""
    if side == 1:
        price = mid - away
        return max(1, min(price, offer - 1) if offer else price)
    price = mid + away
    return max(price, bid + 1)


def bulk(mix: Mix, count: int, seed: int, repeats: int) -> list[Measured]:
    """All commands in one call of ``run``, events kept in runs of 4,096; the peer gets one call a command."""
    rows, standing = commands(mix, count, seed)
    view = memoryview(rows)
    last = len(rows) // COMMAND_WORDS
    listed = _listed(rows)

    def core() -> Work:
        core = MatchingCore()
        core.run(view, 0, standing)

        def work() -> MatchingCore:
            at = standing
            while at < last:
                at = core.run(view, at, last, RUN_EVENTS)
            return core

        return work

    return compare(
        [
            Candidate(name="core", units=count, prepare=core, check=_state, target_ns=60),
            Candidate(name="SortedDict", units=count, prepare=lambda: _plain(listed, standing), check=_plain_state),
        ],
        repeats,
    )


def calls(mix: Mix, count: int, seed: int, repeats: int) -> list[Measured]:
    """One Python call a command; once with the number of its events alone, once with all that it came to read:
    the number that stands for "done as told", or else every field of each event."""
    rows, standing = commands(mix, count, seed)
    view = memoryview(rows)
    listed = _listed(rows)

    def core() -> Work:
        core = MatchingCore()
        core.run(view, 0, standing)
        timed = [row[:8] for row in listed[standing:]]

        def work() -> MatchingCore:
            new, cancel, amend = core.new, core.cancel, core.amend
            events = 0
            for operation, order, account, side, kind, price, quantity, tif in timed:
                if operation == AMEND:
                    events += amend(order, account, price, quantity)
                elif operation == NEW:
                    events += new(order, account, side, kind, price, quantity, tif)
                else:
                    events += cancel(order, account)
            return core

        return work

    def reading() -> Work:
        core = MatchingCore()
        core.run(view, 0, standing)
        timed = [row[:8] for row in listed[standing:]]

        def work() -> tuple[MatchingCore, tuple[int, ...]]:
            tell = core.tell
            before = core.trade_number
            trades = told_more = 0
            for operation, mine, account, side, what, wanted, size, tif in timed:
                told = tell(operation, mine, account, side, what, wanted, size, tif)
                if told.__class__ is int:
                    continue  # done as told: it is the open quantity
                told_more += 1
                for event in told:
                    kind, order, other, price, quantity, leaves, other_leaves, code, one, two, number = event
                    if kind == TRADED:
                        trades += 1
            assert trades == core.trade_number - before, f"{trades} trades were read"
            assert 0 < told_more < len(timed)
            return core, (kind, order, other, price, quantity, leaves, other_leaves, code, one, two, number)

        return work

    return compare(
        [
            Candidate(name="core", units=count, prepare=core, check=_state, target_ns=150),
            Candidate(
                name="core, every event read",
                units=count,
                prepare=reading,
                check=lambda found: _state(found[0]),
                target_ns=150,
            ),
            Candidate(name="SortedDict", units=count, prepare=lambda: _plain(listed, standing), check=_plain_state),
        ],
        repeats,
    )


def _listed(rows: array[int]) -> list[tuple[int, ...]]:
    return [tuple(rows[at : at + COMMAND_WORDS]) for at in range(0, len(rows), COMMAND_WORDS)]


def _plain(listed: list[tuple[int, ...]], standing: int) -> Work:
    exchange = DictExchange()
    for command in listed[:standing]:
        exchange.run(command)
    timed = listed[standing:]

    def work() -> DictExchange:
        run = exchange.run
        trades = 0
        for command in timed:
            run(command)
            for event in exchange.events:
                if event[0] == "trade":
                    trades += 1
        return exchange

    return work


def _state(core: MatchingCore) -> Any:
    return core.trade_number, core.best_bid(), core.best_offer(), core.open_quantity(1), core.open_quantity(2)


def _plain_state(exchange: DictExchange) -> Any:
    bid, offer = exchange.best()
    bids, offers = (sum(sum(queue.values()) for queue in levels.values()) for levels in exchange.sides)
    return exchange.trades, bid, offer, bids, offers
