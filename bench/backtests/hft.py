"""``python -m bench.backtests.hft maker|book EVENTS COUNT``: one run of hftbacktest in a process of its own.

Its environment needs hftbacktest and nothing of ours.
"""

from __future__ import annotations

import math
import sys
from typing import Any

import hftbacktest
import numpy as np
from hftbacktest.binding import event_dtype
from hftbacktest.order import GTX, LIMIT
from numba import njit

from bench.backtests.maker import (
    EVERY_NS,
    HALF_SHARE,
    LATENCY_NS,
    LOT,
    MOST_LOTS,
    SIZE_LOTS,
    TICK,
    Stopwatch,
    tell,
)


def asset(data: Any) -> Any:
    """Return the asset: risk-averse queue, constant latency, its default exchange, which fills whole orders."""
    found = hftbacktest.BacktestAsset().data(data).linear_asset(1.0).constant_order_latency(LATENCY_NS, LATENCY_NS)
    found = found.risk_adverse_queue_model().no_partial_fill_exchange().trading_value_fee_model(0.0, 0.0)
    return found.tick_size(TICK).lot_size(LOT).last_trades_capacity(0)


@njit  # type: ignore[misc]
def maker(bot: Any, counts: Any) -> None:
    """Requote both sides every 100 ms until the data ends; *counts* become orders, cancels, wake-ups."""
    next_id = 1
    while bot.elapse(EVERY_NS) == 0:
        counts[2] += 1
        bot.clear_inactive_orders(0)
        depth = bot.depth(0)
        best_bid, best_offer = depth.best_bid_tick, depth.best_ask_tick
        if best_bid <= 0 or best_offer <= best_bid or best_offer > 1_000_000_000:
            continue
        mid = (best_bid + best_offer) / 2.0
        half = mid * HALF_SHARE
        bid = min(math.floor(mid - half), best_offer - 1)
        offer = max(math.ceil(mid + half), best_bid + 1)
        position = round(bot.position(0) / LOT)
        buy = min(SIZE_LOTS, MOST_LOTS - position)
        sell = min(SIZE_LOTS, MOST_LOTS + position)
        has_bid = has_offer = False
        orders = bot.orders(0).values()
        while orders.has_next():
            order = orders.get()
            is_bid = order.side == 1
            wanted = bid if is_bid else offer
            if order.price_tick == wanted and (buy if is_bid else sell) > 0:
                if is_bid:
                    has_bid = True
                else:
                    has_offer = True
            elif order.cancellable:
                bot.cancel(0, order.order_id, False)
                counts[1] += 1
        if buy > 0 and not has_bid:
            bot.submit_buy_order(0, next_id, bid * TICK, buy * LOT, GTX, LIMIT, False)
            next_id += 1
        if sell > 0 and not has_offer:
            bot.submit_sell_order(0, next_id, offer * TICK, sell * LOT, GTX, LIMIT, False)
            next_id += 1
    counts[0] = next_id - 1


def few() -> Any:
    """Return a market of two levels, for compiling."""
    rows = np.zeros(4, event_dtype)
    flags = hftbacktest.DEPTH_EVENT | hftbacktest.EXCH_EVENT | hftbacktest.LOCAL_EVENT
    rows["ev"] = [flags | hftbacktest.BUY_EVENT, flags | hftbacktest.SELL_EVENT] * 2
    rows["exch_ts"] = rows["local_ts"] = [10**18, 10**18, 10**18 + 10**9, 10**18 + 10**9]
    rows["px"], rows["qty"] = [100.0, 100.1] * 2, 1.0
    return rows


def run(path: str, rows: int) -> None:
    """Compile the maker, then run it from loading the file to the end of the data, *rows* rows of the market."""
    compiling = Stopwatch()
    market = few()  # it reads the array where it lies, and does not keep it
    warm = hftbacktest.HashMapMarketDepthBacktest([asset(market)])
    maker(warm, np.zeros(3, np.int64))
    warm.close()
    compile_cpu, compile_wall = compiling.read()
    counts = np.zeros(3, np.int64)
    watch = Stopwatch()
    bot = hftbacktest.HashMapMarketDepthBacktest([asset(path)])
    maker(bot, counts)
    fills = int(bot.state_values(0).num_trades)
    tell(
        rows,
        watch,
        compile_s=compile_wall / 1e9,
        compile_cpu_s=compile_cpu / 1e9,
        orders=int(counts[0]),
        cancels=int(counts[1]),
        wakes=int(counts[2]),
        fills=fills,
    )
    bot.close()


def book(path: str) -> None:
    """Let one book, the venue's, take every event; nobody reads it. Loading is not counted."""
    with np.load(path) as file:
        data = file["data"]
    kinds = data["ev"] & np.uint64(0xFF)
    levels = np.ascontiguousarray(data[np.isin(kinds, (1, 3, 4))])
    levels["ev"] &= ~np.uint64(hftbacktest.LOCAL_EVENT)
    bot = hftbacktest.HashMapMarketDepthBacktest([asset(levels)])
    watch = Stopwatch()
    bot._goto_end()
    tell(len(levels), watch)
    bot.close()


if __name__ == "__main__":
    book(sys.argv[2]) if sys.argv[1] == "book" else run(sys.argv[2], int(sys.argv[3]))
