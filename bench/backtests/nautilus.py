"""``python -m bench.backtests.nautilus maker ROWS COUNT``: one run of nautilus_trader in a process of its own.

Its environment needs nautilus_trader and nothing of ours. ROWS is a file of tape rows.
"""

from __future__ import annotations

import math
import sys
from decimal import Decimal
from typing import Any

import numpy as np
from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
from nautilus_trader.backtest.models import LatencyModel
from nautilus_trader.config import LoggingConfig, StrategyConfig
from nautilus_trader.model.currencies import BTC, USDT
from nautilus_trader.model.data import BookOrder, OrderBookDelta, OrderBookDeltas, TradeTick
from nautilus_trader.model.enums import (
    AccountType,
    AggressorSide,
    BookAction,
    BookType,
    OmsType,
    OrderSide,
)
from nautilus_trader.model.identifiers import InstrumentId, Symbol, TradeId, TraderId, Venue
from nautilus_trader.model.instruments import CryptoPerpetual
from nautilus_trader.model.objects import Money, Price, Quantity
from nautilus_trader.trading.strategy import Strategy

from bench.backtests.maker import EVERY_NS, HALF_SHARE, LATENCY_NS, MOST_LOTS, SIZE_LOTS, Stopwatch, tell

VENUE = Venue("BINANCE")
ID = InstrumentId(Symbol("BTCUSDT-PERP"), VENUE)
LEVEL_DELETE, SNAPSHOT_BEGIN, TRADE = 2, 3, 8  # kinds of tape rows
LAST_OF_MESSAGE = 128


def instrument() -> CryptoPerpetual:
    return CryptoPerpetual(
        instrument_id=ID,
        raw_symbol=Symbol("BTCUSDT"),
        base_currency=BTC,
        quote_currency=USDT,
        settlement_currency=USDT,
        is_inverse=False,
        price_precision=1,
        size_precision=3,
        price_increment=Price.from_str("0.1"),
        size_increment=Quantity.from_str("0.001"),
        margin_init=Decimal("0.01"),
        margin_maint=Decimal("0.005"),
        maker_fee=Decimal(0),
        taker_fee=Decimal(0),
        ts_event=0,
        ts_init=0,
    )


def events(path: str, count: int) -> tuple[list[Any], int]:
    """Return the first *count* rows as its data, level changes of one message together; and how many rows those are."""
    rows = np.load(path, mmap_mode="r")[:count]
    made: list[Any] = []
    changes: list[OrderBookDelta] = []
    used = 0
    for event_ns, receive_ns, price, size, _, kind, side, flags, _ in rows.tolist():
        is_last = flags & 1
        if kind <= SNAPSHOT_BEGIN:
            if kind == SNAPSHOT_BEGIN:
                changes.append(OrderBookDelta.clear(ID, 0, event_ns, receive_ns))
            else:
                order = BookOrder(
                    OrderSide.BUY if side == 1 else OrderSide.SELL,
                    Price(price / 10.0, 1),
                    Quantity(size / 1000.0, 3),
                    price,
                )
                action = BookAction.DELETE if kind == LEVEL_DELETE else BookAction.UPDATE
                mark = LAST_OF_MESSAGE if is_last else 0
                changes.append(OrderBookDelta(ID, action, order, mark, 0, event_ns, receive_ns))
            used += 1
            if is_last:
                made.append(OrderBookDeltas(ID, changes))
                changes = []
        elif kind == TRADE:
            aggressor = AggressorSide.BUYER if side == 1 else AggressorSide.SELLER
            made.append(
                TradeTick(
                    ID,
                    Price(price / 10.0, 1),
                    Quantity(size / 1000.0, 3),
                    aggressor,
                    TradeId(str(used)),
                    event_ns,
                    receive_ns,
                )
            )
            used += 1
    return made, len(rows)


class Maker(Strategy):
    """The maker; it keeps its two orders and replaces one whose price has changed."""

    def __init__(self) -> None:
        super().__init__(StrategyConfig(strategy_id="MAKER-001"))
        self.bid: Any = None
        self.offer: Any = None
        self.counts = [0, 0, 0]

    def on_start(self) -> None:
        self.found = self.cache.instrument(ID)
        self.subscribe_order_book_deltas(ID, book_type=BookType.L2_MBP)
        self.subscribe_trade_ticks(ID)
        self.clock.set_timer_ns("requote", EVERY_NS, 0, 0, self.requote)

    def requote(self, _: Any) -> None:
        self.counts[2] += 1
        book = self.cache.order_book(ID)
        bid_price, offer_price = book.best_bid_price(), book.best_ask_price()
        if bid_price is None or offer_price is None:
            return
        best_bid, best_offer = round(float(bid_price) * 10.0), round(float(offer_price) * 10.0)
        mid = (best_bid + best_offer) / 2.0
        half = mid * HALF_SHARE
        position = round(float(self.portfolio.net_position(ID)) * 1000.0)
        buy, sell = min(SIZE_LOTS, MOST_LOTS - position), min(SIZE_LOTS, MOST_LOTS + position)
        self.bid = self.replace(self.bid, OrderSide.BUY, min(math.floor(mid - half), best_offer - 1), buy)
        self.offer = self.replace(self.offer, OrderSide.SELL, max(math.ceil(mid + half), best_bid + 1), sell)

    def replace(self, order: Any, side: Any, price_ticks: int, lots: int) -> Any:
        price = Price(price_ticks / 10.0, 1)
        if order is not None and not order.is_closed:
            if order.price == price and lots > 0:
                return order
            if not order.is_pending_cancel:
                self.cancel_order(order)
                self.counts[1] += 1
        if lots <= 0:
            return None
        made = self.order_factory.limit(ID, side, Quantity(lots / 1000.0, 3), price, post_only=True)
        self.submit_order(made)
        self.counts[0] += 1
        return made


def run(path: str, count: int) -> None:
    """Run the maker; making the data and handing it over is not counted."""
    data, rows = events(path, count)
    engine = BacktestEngine(
        BacktestEngineConfig(trader_id=TraderId("BENCH-001"), logging=LoggingConfig(log_level="OFF"))
    )
    engine.add_venue(
        venue=VENUE,
        oms_type=OmsType.NETTING,
        account_type=AccountType.MARGIN,
        base_currency=None,
        starting_balances=[Money(10_000_000, USDT)],
        book_type=BookType.L2_MBP,
        latency_model=LatencyModel(LATENCY_NS),
    )
    engine.add_instrument(instrument())
    engine.add_data(data)
    strategy = Maker()
    engine.add_strategy(strategy)
    watch = Stopwatch()
    engine.run()
    fills = sum(order.filled_qty > 0 for order in engine.cache.orders())
    orders, cancels, wakes = strategy.counts
    tell(rows, watch, orders=orders, cancels=cancels, wakes=wakes, fills=fills)
    engine.dispose()


if __name__ == "__main__":
    run(sys.argv[2], int(sys.argv[3]))
