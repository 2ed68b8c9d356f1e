"""The state of a matching core as plain numbers, and a new core in that state.

Pools and windows are left out: what counts is which orders are open, in which order they would trade, and what is known
beside them. So two cores that came to one state in different ways have the same saved form.
"""

from __future__ import annotations

from typing import Any

from quotewright.errors import InputError
from quotewright.kernel.codes import BUY, SELL
from quotewright_simexchange.matching.codes import (
    F_CONDITIONAL,
    F_GTD,
    F_ICEBERG,
    F_REDUCE,
    INDEX,
    MARK,
    REF,
    TRADING,
)
from quotewright_simexchange.matching.core import MatchingCore
from quotewright_simexchange.matching.levels import doubled

OPEN_ID = -1
FREE_ID = -2


def saved_core(core: MatchingCore) -> dict[str, Any]:
    """Return the state of *core* between two commands as what JSON can hold; its money is saved by itself."""
    ids: list[int] = []
    for number in range(core.id_end):
        handle = core.handles[number]
        ids.append(OPEN_ID if handle > 0 else FREE_ID if handle == 0 else -1 - handle)
    queues: list[list[int]] = []
    found: list[int] = []
    for side in (BUY, SELL):
        queue: list[int] = []
        level = core.sides[side].best_level
        while level:
            order = core.rungs[level].head
            while order:
                queue.append(core.slots[order].id)
                found.append(order)
                order = core.slots[order].next
            level = core._next_level(side, core.rungs[level].rank)
        queues.append(queue)
    for number in core.waiting_orders():
        found.append(core.handles[number])
    orders: list[list[int]] = []
    for order in found:
        flags = core.slots[order].flags
        is_resting = core.slots[order].level > 0
        orders.append(
            [
                core.slots[order].number,
                core.slots[order].id,
                core.slots[order].account,
                core.slots[order].side,
                core.slots[order].rank,
                core.slots[order].open,
                core.slots[order].total,
                flags,
                core.slots[order].display if flags & F_ICEBERG else 0,
                core.slots[order].shown if flags & F_ICEBERG and is_resting else 0,
                core.slots[order].expiry if flags & F_GTD else 0,
                core.slots[order].trigger if flags & F_CONDITIONAL else 0,
                core.slots[order].slot if flags & F_CONDITIONAL else 0,
            ]
        )
    orders.sort()
    groups: list[list[int]] = []
    for number in range(core.group_count):
        if core.groups[number]:
            groups.append([number, core.groups[number]])
    return {
        "phase": core.phase,
        "now": core.now,
        "last_price": core.last_price,
        "trade_number": core.trade_number,
        "accept_number": core.accept_number,
        "feed_sequence": core.feed_sequence,
        "references": [core.exact[MARK], core.exact[INDEX], core.exact[REF]],
        "groups": groups,
        "ids": ids,
        "orders": orders,
        "queues": queues,
    }


def restore_core(core: MatchingCore, saved: dict[str, Any]) -> dict[int, int]:
    """Bring a new *core*, of the same settings, into a saved state; return its own numbers of orders by their ids."""
    if core.id_end or core.accept_number:
        raise InputError("a state is restored into a core that has seen no order")
    for number, group in saved["groups"]:
        core.set_group(number, group)
    for number, price in zip((MARK, INDEX, REF), saved["references"], strict=True):
        if price is not None:
            core._set_reference(number, price)
    core.last_price = saved["last_price"]
    core.now = saved["now"]
    ids = saved["ids"]
    while core.id_count < len(ids):
        core.handles = doubled(core.handles)
        core.id_count *= 2
    for number in range(len(ids)):
        code: int = ids[number]
        if code >= 0:
            core.handles[number] = -1 - code
    core.id_end = len(ids)
    numbers: dict[int, int] = {}
    shown: dict[int, int] = {}
    for row in saved["orders"]:
        account: int = row[2]
        if account >= core.account_count:
            core._make_room_for_account(account)
        flags: int = row[7]
        order = core._enroll(row[1], account, row[3], row[4], row[5], row[6], flags, row[0])
        core.slots[order].display = row[8]
        core.slots[order].expiry = row[10]
        core.slots[order].trigger = row[11]
        core.slots[order].slot = row[12]
        if flags & F_GTD:
            core._expire_later(order)
        if flags & F_REDUCE:
            core.reduce_count += 1
        numbers[row[1]] = order
        shown[row[1]] = row[9]
    resting: set[int] = set()
    for queue in saved["queues"]:
        for number in queue:
            resting.add(number)
            order = numbers[number]
            core._join_level(order, core.slots[order].side, core.slots[order].rank, core.slots[order].open)
            if core.slots[order].flags & F_ICEBERG:
                level = core.slots[order].level
                slice_left: int = shown[number]
                core.rungs[level].quantity += slice_left - core.slots[order].shown
                core.slots[order].shown = slice_left
    for number, order in numbers.items():
        if number not in resting:
            core._wait(order)
    core.phase = saved["phase"]
    if core.phase != TRADING:
        core.specials += 1
    core._publish()
    core.clear()
    core.trade_number = saved["trade_number"]
    core.accept_number = saved["accept_number"]
    core.feed_sequence = saved["feed_sequence"]
    return numbers


def open_numbers(core: MatchingCore) -> dict[int, int]:
    """Return the core's own numbers of the open orders by their ids."""
    numbers: dict[int, int] = {}
    for order_id in range(core.id_end):
        if core.handles[order_id] > 0:
            numbers[order_id] = core.handles[order_id]
    return numbers
