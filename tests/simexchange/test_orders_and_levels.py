"""The local exchange told order by order and level by level: both books are the same, message for message."""

from __future__ import annotations

from quotewright.config.load import load_config
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
    TRADE,
    pack,
)
from quotewright.kernel.ladder import Ladder
from quotewright.kernel.rows import TapeBuffer
from quotewright.plugin.registry import PluginSet
from quotewright.runtime.session import backtest
from quotewright.tape.tape import MemoryTape
from quotewright_simexchange.local import LocalExchange
from quotewright_simexchange.matching.codes import (
    CANCELED,
    E_CODE,
    E_NUMBER,
    E_ORDER,
    E_PRICE,
    E_QUANTITY,
    E_TYPE,
    TRADED,
)
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
        rows.append(self.now_ns, self.now_ns + 2_000_000, price, size, order_id, pack(kind, side, 0, 0))

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
        prints = [event for event in self.core.events() if event[E_TYPE] == TRADED]
        for event in prints:  # a message of its own: a book is told by the first row whether a message is its
            for rows in (self.by_order, self.by_level):
                self.row(rows, TRADE, event[E_CODE], event[E_PRICE], event[E_QUANTITY], event[E_NUMBER])
        if prints:
            self.end()
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


def told(seconds):
    """Return the exchange after so many seconds of its agents' market."""
    exchange = Told().begin()
    exchange.open(11)
    until_ns = exchange.now_ns + seconds * 1_000_000_000
    while exchange.agents.next_ns <= until_ns:
        exchange.act()
    return exchange


def test_both_books_are_equal_after_every_message_and_the_queues_are_those_of_the_exchange():
    exchange = told(20)
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


CONFIG = """
config_version = 1
[run]
name = "told"
[feeds.tape]
plugin = "tape"
book = "{book}"
[venues.main]
plugin = "replay"
queue = {{ model = "{queue}" }}
[strategies.mm]
plugin = "fixed_spread"
spread = "1 bps"
size = "0.01 BTC"
max_position = "0.2 BTC"
"""


def test_a_backtest_sees_the_same_market_order_by_order_and_level_by_level(tmp_path):
    """What the strategy sees is equal; what is filled differs, for one venue knows the queue and one guesses it."""
    exchange, plugins = told(25), PluginSet.discover(environment={})
    seen = {}
    for book, queue, rows in (
        ("orders", "orders", exchange.by_order),
        ("ladder", "risk_averse", exchange.by_level),
    ):
        path = tmp_path / f"{book}.toml"
        path.write_text(CONFIG.format(book=book, queue=queue))
        kept = []
        tape = MemoryTape((exchange.traded,), rows)
        outcome = backtest(load_config([path]), plugins, tape, prepared=kept.append)
        assert outcome.exit_code == 0
        figures = outcome.summary["instruments"]["BTC-USDT.spot@local"]
        assert figures["fills"] > 0
        (view,) = kept[0].wired.views
        seen[book] = figures["trades"], figures["book_messages"], view.book.levels(BID, -1), view.book.levels(OFFER, -1)
    assert seen["orders"] == seen["ladder"]
