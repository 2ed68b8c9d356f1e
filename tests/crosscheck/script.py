"""A fixed, seeded script of orders for a market: what both engines are sent, word for word, at the same times."""

from __future__ import annotations

import random
from collections.abc import Sequence

import attrs

from quotewright.kernel.codes import BEST_QUOTE, BUY, LAST_BIT, ROW_WORDS, SELL
from quotewright.kernel.ladder import Ladder
from tests.crosscheck.markets import Market

ENTRY_NS = 5_000_000
RESPONSE_NS = 3_000_000
APART_NS = 20_000_000
"""Commands of one order keep this distance: hftbacktest refuses a request while the one before is under way."""

LATEST_NS = 300_000_000
"""The last cancel comes so long after the last order; data go on for longer."""

NEW = "new"
CANCEL = "cancel"
AMEND = "amend"


@attrs.frozen(kw_only=True)
class Command:
    """One command, sent at ``at``; prices in steps, quantities in lots. A new order is GTC, post-only or IOC."""

    at: int
    kind: str
    order: int
    side: int = 0
    price: int = 0
    quantity: int = 0
    post_only: bool = False
    immediate: bool = False


def touches(market: Market, times: Sequence[int]) -> list[tuple[int, int]]:
    """Return the best bid and offer at each of *times*, which are sorted."""
    tape = market.tape
    book = Ladder()
    words, order = tape.rows.words, tape.event_order
    found = []
    at = 0
    for time in times:
        while at < len(order) and words[order[at] * ROW_WORDS] <= time:
            first = order[at]
            last = first + 1
            at += 1
            while not words[last * ROW_WORDS - 1] & LAST_BIT and at < len(order) and order[at] == last:
                last += 1
                at += 1
            if words[first * ROW_WORDS + 5] & 255 != BEST_QUOTE:
                book.apply(tape.rows, first, last)
        found.append((book.best_bid, book.best_offer))
    return found


def write(market: Market, orders: int, seed: int) -> list[Command]:
    """Return the commands of *orders* orders in order of time: makers, several at a price, and takers."""
    draw = random.Random(seed)
    start, end = market.tape.info.event_start_ns, market.tape.info.event_end_ns
    start += (end - start) // 20
    end -= (end - start) // 10
    mean_ns = (end - start) / orders
    times = sorted(draw.randrange(start, end) for _ in range(orders))
    commands: list[Command] = []
    latest: dict[int, tuple[int, int]] = {}
    number = 0
    for drawn, (bid, offer) in zip(times, touches(market, times), strict=True):
        if not bid or not offer:
            continue
        number += 1
        time = drawn
        side = draw.choice((BUY, SELL))
        sign, near, far = (1, bid, offer) if side == BUY else (-1, offer, bid)
        quantity = 1 + int(market.size * draw.lognormvariate(0.5, 1.0)) + draw.randrange(1, 999)
        kind = draw.random()
        if kind < 0.12:
            price = far + sign * market.tick * draw.choice((0, 0, 1, 2, 5))
            many = quantity * draw.choice((1, 1, 5, 20))
            immediate = kind < 0.07
            commands.append(
                Command(at=time, kind=NEW, order=number, side=side, price=price, quantity=many, immediate=immediate)
            )
            if draw.random() < 0.5:  # a second one comes before the market has said what is left
                number += 1
                commands.append(
                    Command(
                        at=time + 1_000, kind=NEW, order=number, side=side, price=price, quantity=many, immediate=True
                    )
                )
            continue
        before = latest.get(side)
        if before is not None and before[0] > time - 2 * mean_ns and draw.random() < 0.45:
            price = before[1]  # several at one price
        else:
            price = near - sign * market.tick * draw.choice((-1, 0, 0, 0, 0, 1, 1, 2, 3, 6))
        latest[side] = (time, price)
        is_twin = False
        while True:
            life = round(APART_NS + draw.expovariate(1 / (6 * mean_ns)))
            commands.append(
                Command(
                    at=time, kind=NEW, order=number, side=side, price=price, quantity=quantity, post_only=kind < 0.9
                )
            )
            at = time + APART_NS + life // 2
            if draw.random() < 0.2 and at < end:
                moved, factor = draw.choice(((1, 1.0), (-1, 1.0), (-2, 1.0), (0, 0.6), (0, 1.7), (1, 1.4), (4, 1.0)))
                commands.append(
                    Command(
                        at=at,
                        kind=AMEND,
                        order=number,
                        side=side,
                        price=price + sign * moved * market.tick,
                        quantity=max(1, round(quantity * factor)),
                    )
                )
            at += APART_NS + life // 2
            commands.append(Command(at=min(at, end + LATEST_NS), kind=CANCEL, order=number))
            if is_twin or draw.random() < 0.7:
                break
            # Another one joins it a little later, when something may have printed.
            is_twin = True
            number += 1
            time += draw.randrange(1_000_000, 200_000_000)
    return sorted(commands, key=lambda command: command.at)
