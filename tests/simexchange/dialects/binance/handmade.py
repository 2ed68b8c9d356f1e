"""An exchange for tests of a door: books and records are made by hand, orders rest, time stands until it is moved."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import attrs

from quotewright_simexchange.exchange.records import (
    DepthEvent,
    Event,
    FillRecord,
    Listing,
    OrderEvent,
    OrderRecord,
    OrderRequest,
    PositionEvent,
    ReferenceEvent,
    Refused,
    TradeEvent,
)

START_NS = 1_700_000_000_000_000_000
D = Decimal

PERP = Listing(
    symbol="BTCUSDT:PERP",
    name="BTC-USDT-PERP.usdm@binance",
    kind="linear",
    base="BTC",
    quote="USDT",
    settle="USDT",
    settings={
        "tick": "0.1",
        "lot": "0.001",
        "min_notional": "5",
        "im_rate": "0.05",
        "mm_rate": "0.005",
        "maker_fee": "0.0002",
        "taker_fee": "0.0005",
    },
    price_decimals=1,
    size_decimals=3,
)


class Handmade:
    """What a door asks of an exchange, answered with what a test laid down."""

    def __init__(self) -> None:
        spot = attrs.evolve(PERP, symbol="BTCUSDT", kind="spot", name="BTC-USDT.spot@binance")
        self.listings = {listing.symbol: listing for listing in (spot, PERP)}
        self.accounts = {"alice": SimpleNamespace(name="alice", maker_fee=None, taker_fee=None)}
        self.keys: dict[str, Any] = {}
        self.now_ns = START_NS
        self.records: dict[int, OrderRecord] = {}
        self.made: list[FillRecord] = []
        self.bids: list[tuple[Decimal, Decimal]] = []
        self.offers: list[tuple[Decimal, Decimal]] = []
        self.sequence = 10
        self.trades: list[TradeEvent] = []
        self.money: dict[str, tuple[Decimal, Decimal]] = {"USDT": (D(1000), D(0))}
        self.held = SimpleNamespace(quantity=D(0), entry_price=D(0), unrealized=D(0), mark=D(40_000))
        self.refuses = ""
        self.ends: tuple[str, str] | None = None
        """Status and reason with which the next order ends at once."""
        self.funded: list[tuple[str, Decimal, int]] = []
        self._listeners: list[Callable[[Event], None]] = []
        self._due: dict[int, tuple[int, Callable[[], None]]] = {}
        self._numbers = itertools.count(1)

    def listen(self, listener: Callable[[Event], None]) -> Callable[[], None]:
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def tell(self, *events: Event) -> None:
        for event in events:
            for listener in list(self._listeners):
                listener(event)

    def at(self, when_ns: int, call: Callable[[], None]) -> int:
        number = next(self._numbers)
        self._due[number] = (when_ns, call)
        return number

    def forget(self, number: int) -> None:
        self._due.pop(number, None)

    def advance(self, until_ns: int) -> None:
        while True:
            due = sorted((when, number) for number, (when, _) in self._due.items() if when <= until_ns)
            if not due:
                break
            self.now_ns = max(self.now_ns, due[0][0])
            self._due.pop(due[0][1])[1]()
        self.now_ns = until_ns

    # Orders

    def place(self, account: str, request: OrderRequest) -> OrderRecord | Refused:
        refused = self.test(account, request)
        if refused is not None:
            return refused
        order_id = len(self.records) + 1
        status, reason = self.ends or ("untriggered" if request.trigger is not None else "open", "")
        self.ends = None
        assert request.quantity is not None
        record = OrderRecord(
            order_id=order_id,
            client_id=request.client_id or f"invented{order_id}",
            account=account,
            request=request,
            status=status,  # type: ignore[arg-type]
            price=request.price,
            quantity=request.quantity,
            leaves=request.quantity,
            reason=reason,
            created_ns=self.now_ns,
            updated_ns=self.now_ns,
        )
        return self._keep(record, "accepted")

    def test(self, account: str, request: OrderRequest) -> Refused | None:
        return Refused(reason=self.refuses) if self.refuses else None

    def cancel(self, account: str, symbol: str, *, order_id: int) -> OrderRecord | Refused:
        record = self.records[order_id]
        if not record.is_open:
            return Refused(reason="order_closed")
        return self._keep(attrs.evolve(record, status="canceled", leaves=D(0), reason="user"), "canceled")

    def amend(
        self, account: str, symbol: str, *, order_id: int, price: Decimal, quantity: Decimal
    ) -> OrderRecord | Refused:
        if self.refuses:
            return Refused(reason=self.refuses)
        record = self.records[order_id]
        return self._keep(attrs.evolve(record, price=price, quantity=quantity, amends=record.amends + 1), "amended")

    def fill(self, order_id: int, quantity: str, price: str) -> None:
        """Let an order trade as the maker."""
        record = self.records[order_id]
        size, at = D(quantity), D(price)
        filled = record.filled + size
        fill = FillRecord(
            trade_id=len(self.made) + 1,
            symbol=record.request.symbol,
            order_id=order_id,
            client_id=record.client_id,
            account=record.account,
            side=record.request.side,
            price=at,
            quantity=size,
            value=size * at,
            fee=size * at * D("0.0002"),
            fee_currency="USDT",
            is_maker=True,
            realized=D(0),
            event_ns=self.now_ns,
        )
        self.made.append(fill)
        self.money["USDT"] = (self.money["USDT"][0] - fill.fee, D(0))
        self.held.quantity += size if fill.side == "buy" else -size
        self.held.entry_price = at
        record = attrs.evolve(
            record,
            filled=filled,
            value=record.value + fill.value,
            leaves=record.quantity - filled,
            status="filled" if filled == record.quantity else "partial",
        )
        self._keep(record, "trade", fill)
        self.tell(
            PositionEvent(
                account=record.account,
                sequence=0,
                symbol=fill.symbol,
                quantity=self.held.quantity,
                entry_price=at,
                realized=D(0),
                why="trade",
                event_ns=self.now_ns,
            )
        )

    def trigger(self, order_id: int) -> None:
        record = attrs.evolve(self.records[order_id], status="open", is_triggered=True, working_ns=self.now_ns)
        self._keep(record, "triggered")

    def _keep(self, record: OrderRecord, what: Any, fill: FillRecord | None = None) -> OrderRecord:
        self.records[record.order_id] = record
        self.tell(
            OrderEvent(account=record.account, sequence=0, what=what, order=record, fill=fill, event_ns=self.now_ns)
        )
        return record

    def order(
        self, account: str, symbol: str, *, order_id: int | None = None, client_id: str = ""
    ) -> OrderRecord | None:
        found = [
            record
            for record in self.orders(account, symbol)
            if record.order_id == order_id or (client_id and record.client_id == client_id)
        ]
        return found[-1] if found else None

    def open_orders(self, account: str, symbol: str) -> list[OrderRecord]:
        return [record for record in self.orders(account, symbol) if record.is_open]

    def orders(self, account: str, symbol: str, **_: Any) -> list[OrderRecord]:
        return [record for record in self.records.values() if record.request.symbol == symbol]

    def fills(self, account: str, symbol: str, **_: Any) -> list[FillRecord]:
        return [fill for fill in self.made if fill.symbol == symbol]

    def balances(self, account: str) -> dict[str, tuple[Decimal, Decimal]]:
        return dict(self.money)

    def position(self, account: str, symbol: str) -> Any:
        return self.held

    # Market

    def book(self, symbol: str, levels: int = -1) -> Any:
        return SimpleNamespace(sequence=self.sequence, bids=self.bids[:levels], offers=self.offers[:levels])

    def change(self, side: Any, price: str, quantity: str) -> None:
        """Change a level of the book."""
        self.sequence += 1
        mine = self.bids if side == "bid" else self.offers
        mine[:] = sorted(
            [level for level in mine if level[0] != D(price)] + ([(D(price), D(quantity))] if D(quantity) else []),
            reverse=side == "bid",
        )
        changes = ((side, D(price), D(quantity)),)
        self.tell(DepthEvent(symbol=PERP.symbol, sequence=self.sequence, changes=changes, event_ns=self.now_ns))

    def match(self, price: str, quantity: str, side: Any = "buy") -> None:
        """Let others trade."""
        trade = TradeEvent(
            symbol=PERP.symbol,
            trade_id=len(self.trades) + 1,
            price=D(price),
            quantity=D(quantity),
            side=side,
            buy_order=1,
            sell_order=2,
            event_ns=self.now_ns,
        )
        self.trades.append(trade)
        self.tell(trade)

    def recent_trades(self, symbol: str, limit: int = 500) -> list[TradeEvent]:
        return [trade for trade in self.trades if trade.symbol == symbol][-limit:]

    def statistics(self, symbol: str) -> Any:
        prices = [trade.price for trade in self.trades]
        none = not prices
        return SimpleNamespace(
            open=None if none else prices[0],
            last=None if none else prices[-1],
            high=None if none else max(prices),
            low=None if none else min(prices),
            volume=sum((trade.quantity for trade in self.trades), D(0)),
            quote_volume=sum((trade.quantity * trade.price for trade in self.trades), D(0)),
            count=len(prices),
        )

    def reference(self, symbol: str) -> ReferenceEvent:
        return ReferenceEvent(
            symbol=symbol, mark=D(40_000), index=D(40_001), funding_rate=D("0.0001"), funding_ns=0, event_ns=0
        )

    def fund(self, symbol: str, rate: Decimal) -> None:
        self.funded.append((symbol, rate, self.now_ns))

    def phase(self, symbol: str) -> str:
        return "trading"
