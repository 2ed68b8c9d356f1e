"""ccxt: REST synchronously and asynchronously, streams and orders over WebSocket with ccxt.pro."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Callable
from typing import Any

import ccxt
import ccxt.async_support
import ccxt.pro
from calls import Calls, control, door, raises, raises_async, require, same, wrong

PAIRS = {"spot": ("binance", "BTC/USDT", 0.01), "usdm": ("binanceusdm", "BTC/USDT:USDT", 0.01)}


def repoint(node: Any, http: str, ws: str) -> Any:
    """Return *node* with the hosts of all addresses in it exchanged; paths are kept."""
    if isinstance(node, dict):
        return {key: repoint(value, http, ws) for key, value in node.items()}
    if isinstance(node, str):
        return re.sub(r"^https?://[^/]+", http, re.sub(r"^wss?://[^/]+", ws, node))
    return node


def client(module: Any, market: str, **more: Any) -> Any:
    """Return an exchange object of *module* that speaks to the local exchange."""
    name = PAIRS[market][0]
    spot, usdm = door("binance-spot"), door("binance-usdm")
    own = spot if market == "spot" else usdm
    made = getattr(module, name)(
        {"apiKey": own["api_key"], "secret": own["api_secret"], "enableRateLimit": False, **more}
    )
    urls = repoint(made.urls["api"], spot["rest"], spot["ws"])
    for key, value in made.urls["api"].items():
        if key.startswith("fapi"):
            urls[key] = repoint(value, usdm["rest"], usdm["ws"])
    if "ws" in urls:
        urls["ws"]["spot"] = spot["ws"] + "/stream/ws"
        urls["ws"]["linear"] = usdm["ws"] + "/ws"
        urls["ws"]["ws-api"]["linear"] = re.sub(
            r"^wss?://[^/]+", usdm["ws"], made.urls["api"]["ws"]["ws-api"]["linear"]
        )
    made.urls["api"] = urls
    return made


def rest(market: str) -> None:
    """Everything over REST, one call after the other."""
    _, symbol, amount = PAIRS[market]
    calls = Calls("ccxt", ccxt.__version__, market)
    own = client(ccxt, market)
    calls.run("load_markets", lambda: require("listed", symbol in own.load_markets(), True))
    book = calls.run("fetch_order_book", lambda: own.fetch_order_book(symbol, 50)) or {
        "bids": [[60_000.0, 1]],
        "asks": [[60_001.0, 1]],
    }
    bid, offer = book["bids"][0][0], book["asks"][0][0]
    low = own.price_to_precision(symbol, bid * 0.98) if own.markets else bid
    calls.run("fetch_ticker", lambda: require("symbol", own.fetch_ticker(symbol)["symbol"], symbol))
    calls.run("fetch_trades", lambda: require("symbol", own.fetch_trades(symbol, limit=5)[-1]["symbol"], symbol))
    calls.run("fetch_ohlcv", lambda: require("columns", len(own.fetch_ohlcv(symbol, "1m", limit=5)[-1]), 6))
    calls.run("fetch_time", lambda: require("positive", own.fetch_time() > 0, True))
    before = calls.run("fetch_balance", own.fetch_balance)
    order = calls.run("create_order limit", lambda: own.create_order(symbol, "limit", "buy", amount, low)) or {
        "id": "0"
    }
    calls.run("fetch_order", lambda: require("status", own.fetch_order(order["id"], symbol)["status"], "open"))
    calls.run(
        "fetch_open_orders", lambda: require("ids", [o["id"] for o in own.fetch_open_orders(symbol)], [order["id"]])
    )
    lower = own.price_to_precision(symbol, bid * 0.97) if own.markets else bid
    edited = (
        calls.run("edit_order", lambda: own.edit_order(order["id"], symbol, "limit", "buy", amount, lower)) or order
    )
    calls.run("cancel_order", lambda: own.cancel_order(edited["id"], symbol))
    calls.run(
        "fetch_order canceled", lambda: require("status", own.fetch_order(edited["id"], symbol)["status"], "canceled")
    )
    bought = calls.run("create_order market", lambda: own.create_order(symbol, "market", "buy", amount)) or {"id": "0"}
    calls.run(
        "fetch_order filled", lambda: require("status", own.fetch_order(bought["id"], symbol)["status"], "closed")
    )
    calls.run("fetch_my_trades", lambda: require("order", own.fetch_my_trades(symbol)[-1]["order"], bought["id"]))
    if market == "spot":
        calls.run(
            "fetch_balance changed",
            lambda: require("more", own.fetch_balance()["BTC"]["total"] > before["BTC"]["total"], True),
        )
    else:
        calls.run(
            "fetch_positions", lambda: require("contracts", own.fetch_positions([symbol])[0]["contracts"], amount)
        )
    calls.run(
        "create_order post-only", lambda: own.create_order(symbol, "limit", "buy", amount, low, {"postOnly": True})
    )
    calls.run("cancel_all_orders", lambda: own.cancel_all_orders(symbol))
    calls.run("fetch_open_orders none", lambda: require("orders", own.fetch_open_orders(symbol), []))
    high = own.price_to_precision(symbol, offer * 1.01) if own.markets else offer
    calls.run(
        "post-only that would take",
        lambda: raises(
            ccxt.OrderImmediatelyFillable if market == "spot" else ccxt.InvalidOrder,
            lambda: own.create_order(symbol, "limit", "buy", amount, high, {"postOnly": True}),
        ),
    )
    calls.run("unknown order", lambda: raises(ccxt.OrderNotFound, lambda: own.cancel_order("999999999", symbol)))
    # ccxt knows by the real host which market's codes apply; elsewhere those of futures stay general.
    short = ccxt.InsufficientFunds if market == "spot" else ccxt.ExchangeError
    calls.run("too much", lambda: raises(short, lambda: own.create_order(symbol, "limit", "buy", 900, low)))
    calls.run(
        "off the tick",
        lambda: raises(ccxt.InvalidOrder, lambda: own.create_order(symbol, "limit", "buy", amount, 0.000001)),
    )
    refusals(calls, market)


def refusals(calls: Calls, market: str) -> None:
    """Three faults of signed requests, three different answers."""
    own = door("binance-spot" if market == "spot" else "binance-usdm")
    bad_secret = client(ccxt, market, secret=wrong(own["api_secret"]))
    calls.run("secret changed", lambda: raises(ccxt.AuthenticationError, bad_secret.fetch_balance))
    bad_key = client(ccxt, market, apiKey=wrong(own["api_key"]))
    calls.run("key unknown", lambda: raises(ccxt.AuthenticationError, bad_key.fetch_balance))
    ahead = client(ccxt, market)
    ahead.nonce = lambda: ahead.milliseconds() + 60_000
    calls.run("clock ahead", lambda: raises(ccxt.InvalidNonce, ahead.fetch_balance))


async def streams(market: str) -> None:
    """Streams and WebSocket orders."""
    _, symbol, amount = PAIRS[market]
    calls = Calls("ccxt.pro", ccxt.__version__, market)
    own = client(ccxt.pro, market)
    try:
        await calls.run_async("load_markets", own.load_markets)
        await calls.run_async("watch_order_book", lambda: own.watch_order_book(symbol))
        await calls.run_async("watched book is the exchange's", lambda: equal_books(own, symbol, market))
        await calls.run_async("watch_trades", lambda: own.watch_trades(symbol))
        await calls.run_async("watch_ticker", lambda: own.watch_ticker(symbol))
        await calls.run_async("watch_bids_asks", lambda: own.watch_bids_asks([symbol]))
        watched = asyncio.ensure_future(own.watch_orders(symbol))
        filled = asyncio.ensure_future(own.watch_my_trades(symbol))
        await asyncio.sleep(1.0)
        await calls.run_async("create_order", lambda: own.create_order(symbol, "market", "buy", amount))
        await calls.run_async("watch_orders", lambda: watched)
        await calls.run_async("watch_my_trades", lambda: filled)
        bid = (await own.fetch_order_book(symbol))["bids"][0][0]
        low = own.price_to_precision(symbol, bid * 0.98)
        order = await calls.run_async(
            "create_order_ws", lambda: own.create_order_ws(symbol, "limit", "buy", amount, low)
        )
        if order is not None:
            await calls.run_async("cancel_order_ws", lambda: own.cancel_order_ws(order["id"], symbol))
        await calls.run_async("un_watch_order_book", lambda: own.un_watch_order_book(symbol))
        await calls.run_async(
            "unknown order", lambda: raises_async(ccxt.OrderNotFound, own.cancel_order("999999999", symbol))
        )
    finally:
        await own.close()


async def equal_books(own: Any, symbol: str, market: str) -> None:
    """Halt the market, so that nothing moves, and compare the watched book with the exchange's at its sequence."""
    name = own.market(symbol)["id"] + ("" if market == "spot" else ":PERP")
    control("POST", "/set_phase", {"symbol": name, "phase": "halt"})
    try:
        truth = control("GET", f"/book?symbol={name}&levels=1000")
        book = own.orderbooks[symbol]
        for _ in range(100):
            if book["nonce"] == truth["sequence"]:
                break
            await asyncio.sleep(0.05)
        require("sequence", book["nonce"], truth["sequence"])
        for side, mine, theirs in (("bids", book["bids"], truth["bids"]), ("asks", book["asks"], truth["offers"])):
            if not same([level[:2] for level in mine], theirs):
                raise AssertionError(f"{side} differ at {book['nonce']}")
    finally:
        control("POST", "/set_phase", {"symbol": name, "phase": "trading"})


SCRIPTS: dict[str, Callable[[str], Any]] = {"rest": rest, "streams": lambda market: asyncio.run(streams(market))}

if __name__ == "__main__":
    for market in sys.argv[1:] or PAIRS:
        for script in SCRIPTS.values():
            script(market)
