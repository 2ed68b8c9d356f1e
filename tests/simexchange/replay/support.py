"""A market written row by row, and a venue that stands in it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from quotewright.kernel.codes import (
    BEST_QUOTE,
    BID,
    GAP,
    LAST_BIT,
    LEVEL_DELETE,
    LEVEL_SET,
    NEVER,
    OFFER,
    ORDER_ADD,
    ORDER_DELETE,
    ORDER_EXECUTE,
    ORDER_REDUCE,
    RESYNC,
    SNAPSHOT_BEGIN,
    TRADE,
    pack,
)
from quotewright.kernel.rows import TapeBuffer
from quotewright.model.instrument import Instrument
from quotewright.model.orders import AmendOrder, CancelOrder, NewOrder
from quotewright.tape.tape import MemoryTape
from quotewright_simexchange.latency import ConstantLatency
from quotewright_simexchange.matching.queues import QueueModel
from quotewright_simexchange.matching.replay import ReplayVenue

PERP = Instrument(
    name="BTC-USDT.perp@test", symbol="BTCUSDT", venue="test", kind="perp", base="BTC", quote="USDT",
    price_decimals=1, size_decimals=3,
)  # fmt: skip


class Recording:
    """Rows of one instrument; every call is one message, received *delay* after it happened."""

    def __init__(self, delay: int = 0) -> None:
        self.buffer = TapeBuffer(16)
        self.delay = delay

    def row(self, at: int, price: int, size: int, word: int) -> Recording:
        self.buffer.append(at, at + self.delay, price, size, 0, word | LAST_BIT)
        return self

    def bid(self, at: int, price: int, size: int) -> Recording:
        return self.row(at, price, size, pack(LEVEL_SET if size else LEVEL_DELETE, BID, 0, 0))

    def offer(self, at: int, price: int, size: int) -> Recording:
        return self.row(at, price, size, pack(LEVEL_SET if size else LEVEL_DELETE, OFFER, 0, 0))

    def trade(self, at: int, side: int, price: int, size: int, flags: int = 0) -> Recording:
        return self.row(at, price, size, pack(TRADE, side, flags, 0))

    def add(self, at: int, id: int, side: int, price: int, size: int) -> Recording:
        self.buffer.append(at, at + self.delay, price, size, id, pack(ORDER_ADD, side, 0, 0) | LAST_BIT)
        return self

    def less(self, at: int, id: int, size: int, kind: int = ORDER_EXECUTE) -> Recording:
        assert kind in (ORDER_REDUCE, ORDER_EXECUTE, ORDER_DELETE)
        self.buffer.append(at, at + self.delay, 0, size, id, pack(kind, 0, 0, 0) | LAST_BIT)
        return self

    def orders(self, at: int, bids: list[tuple[int, int, int]], offers: list[tuple[int, int, int]]) -> Recording:
        """Write a snapshot of orders ``(id, price, size)``."""
        self.buffer.append(at, at + self.delay, 0, 0, 0, pack(SNAPSHOT_BEGIN, 0, 0, 0))
        for side, orders in ((BID, bids), (OFFER, offers)):
            for id, price, size in orders:
                self.buffer.append(at, at + self.delay, price, size, id, pack(ORDER_ADD, side, 0, 0))
        self.buffer.mark_last()
        return self

    def gap(self, at: int) -> Recording:
        return self.row(at, 0, 0, pack(GAP, 0, 0, 0))

    def best(self, at: int, bid: int, bid_size: int, offer: int, offer_size: int) -> Recording:
        self.buffer.append(at, at + self.delay, bid, bid_size, 0, pack(BEST_QUOTE, BID, 0, 0))
        return self.row(at, offer, offer_size, pack(BEST_QUOTE, OFFER, 0, 0))

    def snapshot(self, at: int, bids: dict[int, int], offers: dict[int, int]) -> Recording:
        receive = at + self.delay
        self.buffer.append(at, receive, 0, 0, 0, pack(RESYNC, 0, 0, 0))
        self.buffer.append(at, receive, 0, 0, 0, pack(SNAPSHOT_BEGIN, 0, 0, 0))
        for side, levels in ((BID, bids), (OFFER, offers)):
            for price, size in levels.items():
                self.buffer.append(at, receive, price, size, 0, pack(LEVEL_SET, side, 0, 0))
        self.buffer.mark_last()
        return self


class Desk:
    """Sends commands to a venue at their times and collects what becomes known."""

    def __init__(
        self,
        recording: Recording,
        entry: int = 0,
        response: int = 0,
        venue_class: type[ReplayVenue] = ReplayVenue,
        instrument: Instrument = PERP,
        queue: QueueModel | None = None,
        **options: Any,
    ) -> None:
        self.venue = venue_class(queue or QueueModel(), ConstantLatency(entry, response), **options)
        self.venue.attach((instrument,), MemoryTape((instrument,), recording.buffer))
        self.reports: list[Any] = []

    def until(self, at: int) -> Desk:
        while (known := self.venue.run(at)) != NEVER:
            self.reports.extend(self.venue.take_reports(known))
        return self

    def new(self, at: int, number: int, side: int, price: int, quantity: int, **options: Any) -> Desk:
        self.until(at).venue.submit(
            NewOrder(
                order_number=number, instrument=0, side=side, price_ticks=price, quantity_lots=quantity, **options
            ),
            at,
        )
        return self

    def cancel(self, at: int, number: int) -> Desk:
        self.until(at).venue.submit(CancelOrder(order_number=number, instrument=0), at)
        return self

    def amend(self, at: int, number: int, price: int, quantity: int) -> Desk:
        command = AmendOrder(order_number=number, instrument=0, price_ticks=price, quantity_lots=quantity)
        self.until(at).venue.submit(command, at)
        return self

    def end(self) -> Desk:
        return self.until(NEVER - 1)

    def told(self) -> list[tuple[Any, ...]]:
        """Return what became known in short: kind, order, and what matters of it."""
        short = []
        for report in self.reports:
            kind = type(report).__name__
            if kind == "Fill":
                short.append(("fill", report.order_number, report.price_ticks, report.quantity_lots))
            elif kind == "Amended":
                short.append(("amended", report.order_number, report.leaves_lots, report.keeps_priority))
            else:
                short.append((kind.lower(), report.order_number, getattr(report, "reason", "")))
        return short


def fees(text: str) -> Decimal:
    """Return basis points as a fraction."""
    return Decimal(text) / 10_000
