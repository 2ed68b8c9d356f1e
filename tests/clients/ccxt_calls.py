"""ccxt: REST synchronously and asynchronously, streams and orders over WebSocket with ccxt.pro.

Pointed here by exchanging the hosts in ``urls['api']``; the futures have a door of their own.
"""

from __future__ import annotations

import asyncio
import inspect
import re
import sys
from collections.abc import Callable
from typing import Any

import ccxt
import ccxt.async_support
import ccxt.pro
from calls import Calls, account, answer_once, door, halted, require_book, trade_outside, wrong

PAIRS = {"spot": ("binance", "BTC/USDT"), "usdm": ("binanceusdm", "BTC/USDT:USDT")}
AMOUNT = 0.01
VERSION = tuple(int(part) for part in ccxt.__version__.split(".") if part.isdigit())
SINCE = {
    ("usdm", "fetch_canceled_orders"): (4, 2),
    ("usdm", "create_order stop"): (4, 5, 30),
    ("spot", "cancel_all_orders_ws"): (4, 5),
    ("usdm", "cancel_orders"): (4, 4),
    ("usdm", "watch_balance"): (4, 4),
    ("spot", "fetch_balance_ws"): (4, 4),
    ("usdm", "fetch_balance_ws"): (4, 4),
    ("usdm", "create_order_ws"): (4, 4),
    ("usdm", "create_order_ws market"): (4, 4),
}
"""Since when a version asks what the venue answers. Before: conditional orders of futures went to an endpoint that
takes none since the end of 2025; cancel_all_orders_ws asked to cancel one order without naming it; cancel_orders signed
its text before it was percent-encoded; watch_balance of futures listened at the spot address; the rest raised
NotSupported of its own accord."""
ORDERS = {"spot": 201, "usdm": 601}
"""Orders among which one must be past the limit, whenever its window begins."""


def repoint(node: Any, http: str, ws: str) -> Any:
    """Return *node* with the hosts of all addresses in it exchanged; paths are kept."""
    if isinstance(node, dict):
        return {key: repoint(value, http, ws) for key, value in node.items()}
    if isinstance(node, str):
        return re.sub(r"^https?://[^/]+", http, re.sub(r"^wss?://[^/]+", ws, node))
    return node


def client(module: Any, market: str, **more: Any) -> Any:
    """Return an exchange object of *module* that speaks to the local exchange."""
    spot, usdm = door("binance-spot"), door("binance-usdm")
    own = spot if market == "spot" else usdm
    made = getattr(module, PAIRS[market][0])(
        {"apiKey": own["api_key"], "secret": own["api_secret"], "enableRateLimit": False, **more}
    )
    urls = repoint(made.urls["api"], spot["rest"], spot["ws"])
    for key, value in made.urls["api"].items():
        if key.startswith("fapi"):
            urls[key] = repoint(value, usdm["rest"], usdm["ws"])
    if "ws" in urls:
        # What is spot is known by the address: the newer versions look for /stream, the older for /testnet.binance.
        urls["ws"]["spot"] = spot["ws"] + ("/stream/ws" if VERSION >= (4, 4) else "/testnet.binance/stream/ws")
        urls["ws"]["linear"] = urls["ws"]["future"] = usdm["ws"] + "/ws"
        apis = made.urls["api"]["ws"].get("ws-api", {})
        for key in apis.keys() & {"linear", "future"}:
            urls["ws"]["ws-api"][key] = repoint(apis[key], usdm["rest"], usdm["ws"])
    made.urls["api"] = urls
    return made


async def got(value: Any) -> Any:
    """Return *value*, awaited if it must be: the same calls serve both clients."""
    return await value if inspect.isawaitable(value) else value


async def refused(kind: type[BaseException], call: Callable[[], Any]) -> str:
    """Make *call*, which must raise *kind*, and return the name of what it raised."""
    try:
        await got(call())
    except kind as error:
        return type(error).__name__
    raise AssertionError(f"should have raised {kind.__name__}")


class Session:
    """Calls of one client on one market; a call that its version lacks is left out."""

    def __init__(self, name: str, module: Any, market: str) -> None:
        self.module, self.market = module, market
        self.symbol = PAIRS[market][1]
        self.calls = Calls(name, ccxt.__version__, market)
        self.own = client(module, market)

    async def run(self, name: str, call: Callable[[], Any] | None, check: Callable[[Any], object] | None = None) -> Any:
        """Make the call that *name* begins with; *check* tells whether what came is right."""
        method = name.partition(" ")[0]
        if ("_" in method and not hasattr(self.own, method)) or SINCE.get((self.market, name), ()) > VERSION:
            return None
        assert call is not None

        async def made() -> Any:
            found = await got(call())
            if check is not None and not check(found):
                raise AssertionError(f"came {str(found)[:300]}")
            return found if check is None or not isinstance(found, str) else None

        return await self.calls.run_async(name, made)

    async def refuse(self, name: str, kind: type[BaseException], call: Callable[[], Any]) -> None:
        await self.calls.run_async(name, lambda: refused(kind, call))

    def limit(self, side: str, price: object, amount: float = AMOUNT, **params: Any) -> Any:
        return self.own.create_order(self.symbol, "limit", side, amount, price, params)

    def taken(self, side: str = "buy", **params: Any) -> Any:
        return self.own.create_order(self.symbol, "market", side, AMOUNT, None, params)


async def rest(name: str, module: Any, market: str) -> None:
    """Everything over REST, one call after the other."""
    one = Session(name, module, market)
    try:
        await data(one)
        await orders(one)
        await (spot_only(one) if market == "spot" else usdm_only(one))
        await refusals(one)
    finally:
        if module is not ccxt:
            await one.own.close()


async def data(one: Session) -> None:
    own, symbol = one.own, one.symbol
    trade_outside(one.market)
    await one.run("load_markets", own.load_markets, lambda found: symbol in found)
    await one.run("fetch_time", own.fetch_time, lambda found: found > 0)
    await one.run("fetch_order_book", lambda: own.fetch_order_book(symbol, 50), lambda found: len(found["bids"]) > 4)

    async def equal() -> None:
        with halted(one.market, 100) as truth:
            book = await got(own.fetch_order_book(symbol, 100))
            require_book(truth, book["nonce"], book["bids"], book["asks"])

    await one.run("fetched book is the exchange's", equal)
    await one.run("fetch_ticker", lambda: own.fetch_ticker(symbol), lambda found: found["last"] > 0)
    await one.run("fetch_tickers", lambda: own.fetch_tickers([symbol]), lambda found: symbol in found)
    await one.run("fetch_bids_asks", lambda: own.fetch_bids_asks([symbol]), lambda found: found[symbol]["bid"] > 0)
    await one.run("fetch_last_prices", lambda: own.fetch_last_prices([symbol]), lambda found: found[symbol]["price"])
    await one.run(
        "fetch_trades", lambda: own.fetch_trades(symbol, limit=5), lambda found: found[-1]["symbol"] == symbol
    )
    await one.run("fetch_ohlcv", lambda: own.fetch_ohlcv(symbol, "1m", limit=5), lambda found: len(found[-1]) == 6)


async def orders(one: Session) -> None:
    own, symbol = one.own, one.symbol
    book = await got(own.fetch_order_book(symbol))
    bid, offer = book["bids"][0][0], book["asks"][0][0]
    low, lower, high = (own.price_to_precision(symbol, price) for price in (bid * 0.98, bid * 0.97, offer * 1.01))
    before = await one.run("fetch_balance", own.fetch_balance, lambda found: found["USDT"]["free"] > 0)
    order = await one.run("create_order limit", lambda: one.limit("buy", low)) or {"id": "0"}
    await one.run("fetch_order", lambda: own.fetch_order(order["id"], symbol), lambda found: found["status"] == "open")
    await one.run(
        "fetch_open_orders",
        lambda: own.fetch_open_orders(symbol),
        lambda found: [each["id"] for each in found] == [order["id"]],
    )
    edited = await one.run(
        "edit_order",
        lambda: own.edit_order(order["id"], symbol, "limit", "buy", AMOUNT, lower),
        lambda found: str(found["price"]) == str(float(lower)),
    )
    number = (edited or order)["id"]
    await one.run("cancel_order", lambda: own.cancel_order(number, symbol))
    await one.run(
        "fetch_order canceled", lambda: own.fetch_order(number, symbol), lambda found: found["status"] == "canceled"
    )
    mine = f"mine-{one.calls.about['client'].replace('.', '-')}".replace(" ", "-")
    await one.run(
        "create_order with client id",
        lambda: one.limit("buy", low, clientOrderId=mine),
        lambda found: found["clientOrderId"] == mine,
    )
    await one.run(
        "create_order immediate or cancel",
        lambda: one.limit("buy", low, timeInForce="IOC"),
        lambda found: found["status"] in ("expired", "canceled"),
    )
    bought = await one.run("create_order market", one.taken) or {"id": "0"}
    await one.run(
        "fetch_order filled",
        lambda: own.fetch_order(bought["id"], symbol),
        lambda found: (found["status"], found["filled"]) == ("closed", AMOUNT),
    )
    await one.run(
        "fetch_my_trades", lambda: own.fetch_my_trades(symbol), lambda found: found[-1]["order"] == bought["id"]
    )
    await one.run("fetch_orders", lambda: own.fetch_orders(symbol), lambda found: len(found) >= 3)
    await one.run(
        "fetch_closed_orders",
        lambda: own.fetch_closed_orders(symbol),
        lambda found: found[-1]["id"] == bought["id"],
    )
    await one.run("fetch_canceled_orders", lambda: own.fetch_canceled_orders(symbol), lambda found: len(found) >= 1)
    if one.market == "spot" and before:
        await one.run(
            "fetch_balance changed", own.fetch_balance, lambda found: found["BTC"]["total"] > before["BTC"]["total"]
        )
    await one.run(
        "create_order post-only",
        lambda: one.limit("buy", low, postOnly=True),
        lambda found: found["status"] == "open",
    )
    await one.run("cancel_all_orders", lambda: own.cancel_all_orders(symbol))
    await one.run("fetch_open_orders none", lambda: own.fetch_open_orders(symbol), lambda found: found == [])
    taking = ccxt.OrderImmediatelyFillable if one.market == "spot" else ccxt.InvalidOrder
    await one.refuse("post-only that would take", taking, lambda: one.limit("buy", high, postOnly=True))
    await one.refuse("unknown order", ccxt.OrderNotFound, lambda: own.cancel_order("999999999", symbol))
    await one.refuse("unknown order fetched", ccxt.OrderNotFound, lambda: own.fetch_order("999999999", symbol))
    # ccxt knows by the real host which market's codes apply; elsewhere those of futures stay general.
    short = ccxt.InsufficientFunds if one.market == "spot" else ccxt.ExchangeError
    await one.refuse("too much", short, lambda: one.limit("buy", low, 900))
    await one.refuse("off the tick", ccxt.ExchangeError, lambda: one.limit("buy", 0.000001))


async def spot_only(one: Session) -> None:
    own, symbol = one.own, one.symbol
    bought = await got(one.taken())
    await one.run(
        "fetch_order_trades",
        lambda: own.fetch_order_trades(bought["id"], symbol),
        lambda found: found[0]["order"] == bought["id"],
    )
    await one.run("create_order test", lambda: one.taken(test=True))
    await one.run(
        "create_market_buy_order_with_cost",
        lambda: own.create_market_buy_order_with_cost(symbol, 100),
        lambda found: 90 < found["cost"] <= 100,
    )
    price = (await got(own.fetch_ticker(symbol)))["last"]
    stop = own.price_to_precision(symbol, price * 0.9)
    await one.run(
        "create_order stop loss limit",
        lambda: one.limit("sell", stop, stopLossPrice=own.price_to_precision(symbol, price * 0.91)),
        lambda found: found["status"] in ("open", None),
    )
    await one.run(
        "create_order take profit",
        lambda: one.taken("sell", takeProfitPrice=own.price_to_precision(symbol, price * 1.1)),
    )
    await one.run("cancel_all_orders of stops", lambda: own.cancel_all_orders(symbol))
    await one.run("fetch_trading_fee", lambda: own.fetch_trading_fee(symbol), lambda found: found["maker"] is not None)
    await one.run("fetch_trading_fees", own.fetch_trading_fees, lambda found: symbol in found)
    await one.run("fetch_status", own.fetch_status, lambda found: found["status"] == "ok")


async def usdm_only(one: Session) -> None:
    own, symbol = one.own, one.symbol
    book = await got(own.fetch_order_book(symbol))
    low, lower = (own.price_to_precision(symbol, book["bids"][0][0] * rate) for rate in (0.98, 0.97))
    await one.run(
        "fetch_positions", lambda: own.fetch_positions([symbol]), lambda found: found[0]["contracts"] == AMOUNT
    )
    await one.run("fetch_positions_risk", lambda: own.fetch_positions_risk([symbol]), lambda found: found[0]["symbol"])
    await one.run(
        "create_order reduce-only",
        lambda: one.taken("sell", reduceOnly=True),
        lambda found: found["filled"] == AMOUNT,
    )
    await one.refuse("reduce-only without a position", ccxt.ExchangeError, lambda: one.taken("sell", reduceOnly=True))

    def wish(price: Any) -> dict[str, Any]:
        return {"symbol": symbol, "type": "limit", "side": "buy", "amount": AMOUNT, "price": price}

    made = await one.run(
        "create_orders",
        lambda: own.create_orders([wish(low), wish(lower)]),
        lambda found: [each["status"] for each in found] == ["open", "open"],
    )
    if made:
        numbers = [each["id"] for each in made]
        await one.run(
            "edit_orders",
            lambda: own.edit_orders([{**wish(lower), "id": number} for number in numbers]),
            lambda found: len(found) == 2,
        )
        await one.run(
            "cancel_orders", lambda: own.cancel_orders(numbers, symbol), lambda found: len(found) == len(numbers)
        )
    await got(own.cancel_all_orders(symbol))
    price = (await got(own.fetch_ticker(symbol)))["last"]
    stop = own.price_to_precision(symbol, price * 0.9)
    stopped = await one.run("create_order stop", lambda: one.taken("sell", stopLossPrice=stop))
    if stopped:
        await one.run("cancel_order stop", lambda: own.cancel_order(stopped["id"], symbol, {"trigger": True}))
    await one.run("set_leverage", lambda: own.set_leverage(5, symbol), lambda found: int(found["leverage"]) == 5)
    await one.run("fetch_leverage", lambda: own.fetch_leverage(symbol), lambda found: found["longLeverage"] == 5)
    await one.run("fetch_leverages", lambda: own.fetch_leverages([symbol]), lambda found: symbol in found)
    await one.run("fetch_leverage_tiers", lambda: own.fetch_leverage_tiers([symbol]), lambda found: symbol in found)
    await one.run("fetch_margin_mode", lambda: own.fetch_margin_mode(symbol), lambda found: found["marginMode"])
    await one.run(
        "fetch_position_mode", lambda: own.fetch_position_mode(symbol), lambda found: found["hedged"] is False
    )
    await one.run("fetch_funding_rate", lambda: own.fetch_funding_rate(symbol), lambda found: found["markPrice"] > 0)
    await one.run("fetch_funding_rates", lambda: own.fetch_funding_rates([symbol]), lambda found: symbol in found)
    await one.run("fetch_funding_rate_history", lambda: own.fetch_funding_rate_history(symbol))
    await one.run("fetch_funding_intervals", lambda: own.fetch_funding_intervals([symbol]))
    await one.run("fetch_funding_history", lambda: own.fetch_funding_history(symbol))
    await one.run("fetch_ledger", lambda: own.fetch_ledger("USDT"))
    await one.run("fetch_mark_price", lambda: own.fetch_mark_price(symbol), lambda found: found["markPrice"] > 0)
    await one.run("fetch_mark_prices", lambda: own.fetch_mark_prices([symbol]), lambda found: symbol in found)
    await one.run("fetch_mark_ohlcv", lambda: own.fetch_mark_ohlcv(symbol, "1m", limit=3))
    await one.run("fetch_open_interest", lambda: own.fetch_open_interest(symbol), lambda found: found["symbol"])
    await one.run("fetch_trading_fee", lambda: own.fetch_trading_fee(symbol), lambda found: found["maker"] is not None)
    await one.run("fetch_trading_fees", own.fetch_trading_fees, lambda found: symbol in found)


async def refusals(one: Session) -> None:
    """Three faults of signed requests, three different answers; then the limits."""
    own = door(f"binance-{one.market}")
    made = []

    def other(**more: Any) -> Any:
        made.append(client(one.module, one.market, **more))
        return made[-1]

    try:
        bad_secret = other(secret=wrong(own["api_secret"]))
        await one.refuse("secret changed", ccxt.AuthenticationError, bad_secret.fetch_balance)
        bad_key = other(apiKey=wrong(own["api_key"]))
        await one.refuse("key unknown", ccxt.AuthenticationError, bad_key.fetch_balance)
        ahead = other()
        ahead.nonce = lambda: ahead.milliseconds() + 60_000
        await one.refuse("clock ahead", ccxt.InvalidNonce, ahead.fetch_balance)
        answer_once("429", one.market, "/depth")
        await one.refuse("429", ccxt.NetworkError, lambda: one.own.fetch_order_book(one.symbol))
        answer_once("418", one.market, "/depth")
        await one.refuse("418", ccxt.NetworkError, lambda: one.own.fetch_order_book(one.symbol))
        answer_once("5xx", one.market, "/depth")
        await one.refuse("5xx", ccxt.BaseError, lambda: one.own.fetch_order_book(one.symbol))
        key, secret = account(f"{one.calls.about['client']} {one.market}")
        hasty = other(apiKey=key, secret=secret)
        hasty.markets = one.own.markets
        hasty.set_markets(one.own.markets)
        low = one.own.price_to_precision(
            one.symbol, (await got(one.own.fetch_order_book(one.symbol)))["bids"][0][0] * 0.98
        )

        async def too_many() -> None:
            for _ in range(ORDERS[one.market]):
                await got(hasty.create_order(one.symbol, "limit", "buy", AMOUNT, low, {"timeInForce": "IOC"}))

        await one.refuse("orders past the limit", ccxt.NetworkError, too_many)
    finally:
        for each in made:
            if one.module is not ccxt:
                await each.close()


async def streams(market: str) -> None:
    """Streams and WebSocket orders."""
    one = Session("ccxt.pro", ccxt.pro, market)
    own, symbol = one.own, one.symbol
    try:
        await one.run("load_markets", own.load_markets)
        await one.run("watch_order_book", lambda: own.watch_order_book(symbol))
        await one.run("watched book is the exchange's", lambda: equal_books(own, symbol, market))
        await one.run("watch_order_book_for_symbols", lambda: own.watch_order_book_for_symbols([symbol]))
        busy = asyncio.ensure_future(keep_trading(market))
        try:
            await one.run("watch_trades", lambda: own.watch_trades(symbol), lambda found: found[-1]["symbol"] == symbol)
            await one.run("watch_trades_for_symbols", lambda: own.watch_trades_for_symbols([symbol]))
            await one.run("watch_ohlcv", lambda: own.watch_ohlcv(symbol, "1m"), lambda found: len(found[-1]) == 6)
            await one.run("watch_ticker", lambda: own.watch_ticker(symbol), lambda found: found["last"] > 0)
            await one.run("watch_tickers", lambda: own.watch_tickers([symbol]), lambda found: symbol in found)
            await one.run("watch_bids_asks", lambda: own.watch_bids_asks([symbol]), lambda found: symbol in found)
            if market == "usdm":
                await one.run(
                    "watch_mark_price", lambda: own.watch_mark_price(symbol), lambda found: found["markPrice"] > 0
                )
                await one.run("watch_mark_prices", lambda: own.watch_mark_prices([symbol]))
        finally:
            busy.cancel()
        await private(one)
        await over_sockets(one)
        if hasattr(own, "un_watch_order_book"):
            await one.run("un_watch_order_book", lambda: own.un_watch_order_book(symbol))
        await one.refuse("unknown order", ccxt.OrderNotFound, lambda: own.cancel_order("999999999", symbol))
    finally:
        await own.close()


async def private(one: Session) -> None:
    own, symbol = one.own, one.symbol
    await one.run("create_order", one.taken, lambda found: found["status"] == "closed")

    async def keep_buying() -> None:
        while True:
            await one.taken()
            await asyncio.sleep(0.3)

    busy = asyncio.ensure_future(keep_buying())
    try:
        await one.run("watch_orders", lambda: own.watch_orders(symbol), lambda found: found[-1]["symbol"] == symbol)
        await one.run("watch_my_trades", lambda: own.watch_my_trades(symbol), lambda found: found[-1]["amount"] > 0)
        await one.run("watch_balance", own.watch_balance, lambda found: found["USDT"]["total"] > 0)
        if one.market == "usdm":
            await one.run(
                "watch_positions", lambda: own.watch_positions([symbol]), lambda found: found[0]["contracts"] > 0
            )
    finally:
        busy.cancel()
        await asyncio.gather(busy, return_exceptions=True)


async def over_sockets(one: Session) -> None:
    own, symbol = one.own, one.symbol
    book = await own.fetch_order_book(symbol)
    low, lower = (own.price_to_precision(symbol, book["bids"][0][0] * rate) for rate in (0.98, 0.97))
    # Of spot this call hands over what came, unparsed.
    await one.run("fetch_balance_ws", getattr(own, "fetch_balance_ws", None), lambda found: bool(found["info"]))
    order = await one.run(
        "create_order_ws",
        lambda: own.create_order_ws(symbol, "limit", "buy", AMOUNT, low),
        lambda found: found["status"] == "open",
    )
    if order is not None:
        await one.run(
            "fetch_order_ws",
            lambda: own.fetch_order_ws(order["id"], symbol),
            lambda found: found["status"] == "open",
        )
        edited = await one.run(
            "edit_order_ws", lambda: own.edit_order_ws(order["id"], symbol, "limit", "buy", AMOUNT, lower)
        )
        if one.market == "spot":
            await one.run(
                "fetch_open_orders_ws", lambda: own.fetch_open_orders_ws(symbol), lambda found: len(found) == 1
            )
        number = (edited or order)["id"] or order["id"]
        await one.run("cancel_order_ws", lambda: own.cancel_order_ws(number, symbol))
    await one.run(
        "create_order_ws market",
        lambda: own.create_order_ws(symbol, "market", "buy", AMOUNT),
        lambda found: found["status"] == "closed",
    )
    if one.market == "spot":
        await one.run("fetch_my_trades_ws", lambda: own.fetch_my_trades_ws(symbol), lambda found: len(found) > 0)
        await one.run("fetch_orders_ws", lambda: own.fetch_orders_ws(symbol), lambda found: len(found) > 0)
        await own.create_order_ws(symbol, "limit", "buy", AMOUNT, low)
        await one.run("cancel_all_orders_ws", lambda: own.cancel_all_orders_ws(symbol))
    else:
        await one.run(
            "fetch_positions_ws", lambda: own.fetch_positions_ws([symbol]), lambda found: found[0]["contracts"] > 0
        )
        await one.run(
            "fetch_order_book_ws", lambda: own.fetch_order_book_ws(symbol), lambda found: len(found["bids"]) > 0
        )
        await one.run("fetch_ticker_ws", lambda: own.fetch_ticker_ws(symbol), lambda found: found["symbol"] == symbol)
    await one.refuse("unknown order over WebSocket", ccxt.BaseError, lambda: own.cancel_order_ws("999999999", symbol))


async def keep_trading(market: str) -> None:
    while True:
        await asyncio.to_thread(trade_outside, market)
        await asyncio.sleep(0.2)


async def equal_books(own: Any, symbol: str, market: str) -> None:
    """Compare the watched book with the exchange's at its sequence."""
    with halted(market) as truth:
        book = own.orderbooks[symbol]
        for _ in range(100):
            if book["nonce"] == truth["sequence"]:
                break
            await asyncio.sleep(0.05)
        require_book(truth, book["nonce"], book["bids"], book["asks"])


if __name__ == "__main__":
    for market in sys.argv[1:] or PAIRS:
        asyncio.run(rest("ccxt", ccxt, market))
        asyncio.run(rest("ccxt.async_support", ccxt.async_support, market))
        asyncio.run(streams(market))
