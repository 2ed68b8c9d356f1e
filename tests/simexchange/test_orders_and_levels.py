"""The local exchange told order by order and level by level: both books are the same, message for message."""

from __future__ import annotations

from quotewright.kernel.by_order import ByOrderBook
from quotewright.kernel.codes import (
    BID,
    LEVEL_DELETE,
    LEVEL_SET,
    NO_SIDE,
    OFFER,
    ORDER_ADD,
    ORDER_DELETE,
    ORDER_EXECUTE,
    SNAPSHOT_BEGIN,
    pack,
)
from quotewright.kernel.ladder import Ladder
from quotewright.kernel.rows import TapeBuffer
from quotewright_simexchange.local import LocalExchange
from quotewright_simexchange.matching.codes import CANCELED, E_ORDER, E_QUANTITY, E_TYPE, TRADED
from tests.framework.kernel.differential import compare_depth, state


class Told(LocalExchange):
    """Writes the rows of each command of the agents twice: by order, and by level."""

    def begin(self):
        self.by_order, self.by_level = TapeBuffer(4096), TapeBuffer(4096)
        self.placing = (-1, NO_SIDE, 0)
        self.ends: list[tuple[int, int]] = []
        self.resting: dict[int, tuple[int, int]] = {}
        for rows in (self.by_order, self.by_level):
            self.row(rows, SNAPSHOT_BEGIN, NO_SIDE, 0, 0)
        self.end()
        return self

    def row(self, rows, kind, side, price, size, order_id=0):
        rows.append(0, 0, price, size, order_id, pack(kind, side, 0, 0))

    def end(self):
        self.by_order.mark_last()
        self.by_level.mark_last()
        self.ends.append((self.by_order.count, self.by_level.count))

    def _place(self, account, side, price_ticks, lots, immediate, post_only):
        self.placing = (self._next_id, side, price_ticks * self.traded.tick_steps)
        return super()._place(account, side, price_ticks, lots, immediate, post_only)

    def _cancel(self, account, order_id):
        self.placing = (-1, 0, 0)
        super()._cancel(account, order_id)

    def _publish(self, *told):
        changes = list(self.core.changes())
        for event in self.core.events():
            maker = event[E_ORDER]
            if event[E_TYPE] == TRADED:
                self.row(self.by_order, ORDER_EXECUTE, *self.resting[maker], event[E_QUANTITY], maker)
            elif event[E_TYPE] == CANCELED and maker in self.resting:
                self.row(self.by_order, ORDER_DELETE, *self.resting.pop(maker), event[E_QUANTITY], maker)
        order_id, side, price = self.placing
        if order_id >= 0 and self.core.leaves(order_id):
            self.resting[order_id] = (side, price)
            self.row(self.by_order, ORDER_ADD, side, price, self.core.leaves(order_id), order_id)
        for side, price, size, _ in changes:
            self.row(self.by_level, LEVEL_SET if size else LEVEL_DELETE, side, price, size)
        if changes:
            self.end()
        super()._publish(*told)


def test_both_books_are_equal_after_every_message_and_the_queues_are_those_of_the_exchange():
    exchange = Told().begin()
    exchange.open(11)
    until_ns = exchange.now_ns + 20_000_000_000
    while exchange.agents.next_ns <= until_ns:
        exchange.act()
    orders, levels = ByOrderBook(), Ladder()
    before = (0, 0)
    for ends in exchange.ends:
        moved = (
            orders.apply(exchange.by_order, before[0], ends[0]),
            levels.apply(exchange.by_level, before[1], ends[1]),
        )
        assert moved[0] == moved[1]
        assert state(orders) == state(levels)
        before = ends
    compare_depth(orders, levels, "at the end")
    assert len(exchange.ends) > 2000
    assert orders.unknown_orders == 0
    counted = 0
    for side in (BID, OFFER):
        for price, size in orders.levels(side, -1):
            queue = orders.orders_at(side, price)
            assert [one for one, _ in queue] == sorted(one for one, _ in queue)  # ids count up: older is smaller
            assert sum(open_size for _, open_size in queue) == size
            assert all(exchange.core.leaves(one) == open_size for one, open_size in queue)
            counted += len(queue)
    assert counted > 40
