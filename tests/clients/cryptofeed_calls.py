"""cryptofeed: books, trades, tickers and the rest of its channels, user data and orders.

Pointed here by its endpoint attributes. It speaks to wss:// only, so the exchange is served over TLS; the certificate
is trusted by the usual variables (SSL_CERT_FILE, REQUESTS_CA_BUNDLE).
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import sys
from collections.abc import Callable
from decimal import Decimal
from importlib.metadata import version
from typing import Any

import aiohttp
from calls import Calls, door, halted, require, require_book, trade_outside, wrong
from cryptofeed import FeedHandler
from cryptofeed.defines import (
    BALANCES,
    BUY,
    CANDLES,
    FUNDING,
    GOOD_TIL_CANCELED,
    L2_BOOK,
    LIMIT,
    MARKET,
    OPEN_INTEREST,
    ORDER_INFO,
    POSITIONS,
    TICKER,
    TRADES,
)
from cryptofeed.exchanges import Binance, BinanceFutures

CLASSES = {"spot": Binance, "usdm": BinanceFutures}
SYMBOLS = {"spot": "BTC-USDT", "usdm": "BTC-USDT-PERP"}
PUBLIC = {
    "spot": (L2_BOOK, TRADES, TICKER, CANDLES),
    "usdm": (L2_BOOK, TRADES, TICKER, FUNDING, OPEN_INTEREST, CANDLES),
}
PRIVATE = {"spot": (ORDER_INFO, BALANCES), "usdm": (ORDER_INFO, BALANCES, POSITIONS)}
QUIET = {"log": {"filename": "", "level": "ERROR", "disabled": True}}


def repoint(market: str) -> None:
    """Let the exchange's class speak to the local exchange."""
    own, kind = door(f"binance-{market}"), CLASSES[market]
    kind.websocket_endpoints = [
        dataclasses.replace(each, address=own["ws"], sandbox=None) for each in kind.websocket_endpoints
    ]
    kind.rest_endpoints = [dataclasses.replace(each, address=own["rest"], sandbox=None) for each in kind.rest_endpoints]
    kind.api = own["rest"] + ("/api/v3/" if market == "spot" else "/fapi/v1/")


def config(market: str, **more: str) -> dict[str, Any]:
    own = door(f"binance-{market}")
    keys = {"key_id": own["api_key"], "key_secret": own["api_secret"], **more}
    return {**QUIET, "binance": keys, "binance_futures": keys}


class Heard:
    """The newest of what came on each channel."""

    def __init__(self) -> None:
        self.newest: dict[str, Any] = {}
        self.changed = asyncio.Event()

    def on(self, channel: str) -> Callable[..., Any]:
        async def take(what: Any, receipt: float) -> None:
            self.newest[channel] = what
            self.changed.set()

        return take

    async def first(self, channel: str, check: Callable[[Any], object] = lambda found: True) -> Any:
        """Return what comes on *channel* and fits."""
        while channel not in self.newest or not check(self.newest[channel]):
            self.changed.clear()
            await self.changed.wait()
        return self.newest[channel]


async def watch(calls: Calls, market: str) -> None:
    symbol, heard = SYMBOLS[market], Heard()
    feeds = FeedHandler(config=QUIET)
    feeds.add_feed(
        CLASSES[market](
            config=QUIET,
            symbols=[symbol],
            channels=list(PUBLIC[market]),
            callbacks={channel: heard.on(channel) for channel in PUBLIC[market]},
            candle_closed_only=False,
        )
    )
    busy = asyncio.ensure_future(keep_trading(market))
    feeds.run(start_loop=False, install_signal_handlers=False)
    try:
        for channel in PUBLIC[market]:
            await calls.run_async(f"watch {channel}", lambda channel=channel: _watched(heard, channel, symbol))
        busy.cancel()

        async def equal() -> None:
            book = await heard.first(L2_BOOK)
            with halted(market) as truth:
                for _ in range(200):
                    if heard.newest[L2_BOOK].sequence_number == truth["sequence"]:
                        break
                    await asyncio.sleep(0.05)
                book = heard.newest[L2_BOOK]
                bids, offers = (side.to_list() for side in (book.book.bids, book.book.asks))
                require_book(truth, book.sequence_number, bids[: len(truth["bids"])], offers[: len(truth["offers"])])

        await calls.run_async("watched book is the exchange's", equal)
    finally:
        busy.cancel()
        await feeds.stop_async(loop=asyncio.get_running_loop())


async def _watched(heard: Heard, channel: str, symbol: str) -> None:
    require("symbol", (await heard.first(channel)).symbol, symbol)


async def private(calls: Calls, market: str, low: Decimal) -> None:
    heard = Heard()
    feeds = FeedHandler(config=QUIET)
    kind = CLASSES[market]
    feeds.add_feed(
        kind(
            config=config(market),
            symbols=[SYMBOLS[market]],
            channels=list(PRIVATE[market]),
            callbacks={channel: heard.on(channel) for channel in PRIVATE[market]},
        )
    )
    feeds.run(start_loop=False, install_signal_handlers=False)
    own = kind(config=config(market), symbols=[SYMBOLS[market]], channels=[TRADES])
    try:
        await asyncio.sleep(1.0)
        placed = await calls.run_async("place_order", lambda: placing(own, market, low))
        found = await calls.run_async("orders", lambda: own.orders(SYMBOLS[market]))
        calls.run("orders has it", lambda: require("ids", [each["orderId"] for each in found], [placed["orderId"]]))
        canceled = await calls.run_async("cancel_order", lambda: own.cancel_order(placed["orderId"], SYMBOLS[market]))
        calls.run("cancel_order canceled it", lambda: require("status", canceled["status"], "CANCELED"))
        await calls.run_async(
            "place_order market", lambda: own.place_order(SYMBOLS[market], BUY, MARKET, Decimal("0.01"))
        )
        await calls.run_async("balances", own.balances) if market == "spot" else None
        for channel in PRIVATE[market]:
            await calls.run_async(f"own {channel}", lambda channel=channel: _some(heard, channel))
        await refusals(calls, market, own, low)
    finally:
        await own.shutdown()
        await feeds.stop_async(loop=asyncio.get_running_loop())


async def placing(own: Any, market: str, low: Decimal) -> Any:
    return await own.place_order(
        SYMBOLS[market], BUY, LIMIT, Decimal("0.01"), price=low, time_in_force=GOOD_TIL_CANCELED
    )


async def _some(heard: Heard, channel: str) -> None:
    await heard.first(channel)


async def refusals(calls: Calls, market: str, own: Any, low: Decimal) -> None:
    """This client has no exceptions of its own: it raises what its HTTP library does."""

    async def refused(status: int, made: Any) -> str:
        try:
            await made
        except aiohttp.ClientResponseError as error:
            require("status", error.status, status)
            return f"ClientResponseError {status}"
        raise AssertionError("should have raised ClientResponseError")

    keys = door(f"binance-{market}")
    others = [
        CLASSES[market](config=config(market, **more), symbols=[SYMBOLS[market]], channels=[TRADES])
        for more in ({"key_secret": wrong(keys["api_secret"])}, {"key_id": wrong(keys["api_key"])})
    ]
    try:
        await calls.run_async("unknown order", lambda: refused(400, own.cancel_order("999999999", SYMBOLS[market])))
        await calls.run_async("secret changed", lambda: refused(400, placing(others[0], market, low)))
        await calls.run_async("key unknown", lambda: refused(401, placing(others[1], market, low)))
    finally:
        for other in others:
            await other.shutdown()


async def keep_trading(market: str) -> None:
    while True:
        await asyncio.to_thread(trade_outside, market)
        await asyncio.sleep(0.2)


async def main(market: str) -> None:
    calls = Calls("cryptofeed", version("cryptofeed"), market)
    repoint(market)
    calls.run("symbols", lambda: require("listed", SYMBOLS[market] in CLASSES[market].symbols(), True))
    with halted(market, 1) as truth:
        low = (Decimal(truth["bids"][0][0]) * Decimal("0.98")).quantize(Decimal("0.1"))
    await watch(calls, market)
    await private(calls, market, low)


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    for market in sys.argv[1:] or CLASSES:
        asyncio.run(main(market))
