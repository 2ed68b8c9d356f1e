"""python-binance: REST with the synchronous and the asynchronous client, streams, user data, its own kept book.

Pointed here by class attributes; its asynchronous client places orders over the WebSocket API too.
"""

from __future__ import annotations

import asyncio
import inspect
import sys
from collections.abc import Callable
from decimal import Decimal
from importlib.metadata import version
from typing import Any

import binance
from binance.exceptions import BinanceAPIException
from calls import (
    Book,
    Calls,
    account,
    answer_once,
    door,
    halted,
    require,
    require_book,
    slow_exchange,
    trade_outside,
    wrong,
)

SPOT, USDM = door("binance-spot"), door("binance-usdm")
SYMBOL = "BTCUSDT"
VERSION = version("python-binance")
NUMBER = tuple(int(part) for part in VERSION.split(".") if part.isdigit())
BROKEN = {"get_current_order_count", "futures_cancel_orders", "futures_place_batch_order"}
"""What older versions cannot ask anywhere: it ends inside of the client, or lists are signed before they are
percent-encoded."""
SORTS = "category" in inspect.signature(binance.BinanceSocketManager.futures_multiplex_socket).parameters
PUBLIC = {"category": "public"} if SORTS else {}
"""Where the newer versions look for books."""
LOW = {"spot": "50000.00", "usdm": "50000.0"}
CANDLE = {"symbol": SYMBOL, "interval": "1m", "limit": 3}


class Local(binance.Client):
    API_URL = SPOT["rest"] + "/api"
    MARGIN_API_URL = SPOT["rest"] + "/sapi"
    FUTURES_URL = USDM["rest"] + "/fapi"
    FUTURES_DATA_URL = USDM["rest"] + "/futures/data"
    WS_API_URL = SPOT["ws_api"]
    WS_FUTURES_URL = USDM["ws_api"]


class LocalAsync(binance.AsyncClient):
    API_URL = Local.API_URL
    MARGIN_API_URL = Local.MARGIN_API_URL
    FUTURES_URL = Local.FUTURES_URL
    FUTURES_DATA_URL = Local.FUTURES_DATA_URL
    WS_API_URL = Local.WS_API_URL
    WS_FUTURES_URL = Local.WS_FUTURES_URL


class LocalSockets(binance.BinanceSocketManager):
    STREAM_URL = SPOT["ws"] + "/"
    FSTREAM_URL = USDM["ws"] + "/"


async def got(value: Any) -> Any:
    """Return *value*, awaited if it must be: the same calls serve both clients."""
    return await value if inspect.isawaitable(value) else value


class Session:
    """Calls of one client on one market; a call that its version lacks is left out."""

    def __init__(self, name: str, market: str, own: Any) -> None:
        self.calls = Calls(name, VERSION, market)
        self.market, self.own = market, own

    async def run(self, name: str, check: Callable[[Any], object] = lambda found: True, **values: Any) -> Any:
        """Make the call that *name* begins with."""
        method = getattr(self.own, name.partition(" ")[0], None)
        if method is None or (NUMBER < (1, 0, 29) and name in BROKEN):
            return None

        async def made() -> Any:
            found = await got(method(**values))
            if not check(found):
                raise AssertionError(f"came {str(found)[:300]}")
            return None if isinstance(found, str) else found

        return await self.calls.run_async(name, made)

    async def refuse(self, name: str, code: int, call: Callable[[], Any]) -> None:
        """Make *call*, which must be refused with the venue's *code*."""

        async def made() -> str:
            try:
                await got(call())
            except BinanceAPIException as error:
                require("code", error.code, code)
                return f"BinanceAPIException {code}"
            raise AssertionError("should have raised BinanceAPIException")

        await self.calls.run_async(name, made)


async def spot(one: Session) -> None:
    trade_outside("spot")
    order = {"symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01"}
    order["price"] = low = LOW["spot"]
    await one.run("ping")
    await one.run("get_server_time", lambda found: found["serverTime"] > 0)
    await one.run("get_exchange_info", lambda found: any(each["symbol"] == SYMBOL for each in found["symbols"]))
    await one.run("get_symbol_info", lambda found: found["status"] == "TRADING", symbol=SYMBOL)
    with halted("spot", 100) as truth:
        await one.run(
            "get_order_book is the exchange's",
            lambda found: require_book(truth, found["lastUpdateId"], found["bids"], found["asks"]) is None,
            symbol=SYMBOL,
            limit=100,
        )
    await one.run("get_recent_trades", len, symbol=SYMBOL)
    await one.run("get_historical_trades", len, symbol=SYMBOL)
    await one.run("get_aggregate_trades", len, symbol=SYMBOL)
    await one.run("get_klines", lambda found: len(found[-1]) == 12, **CANDLE)
    await one.run("get_ui_klines", lambda found: len(found[-1]) == 12, **CANDLE)
    await one.run("get_historical_klines", len, symbol=SYMBOL, interval="1m", start_str="1 day ago UTC", limit=5)
    await one.run("get_avg_price", lambda found: Decimal(found["price"]) > 0, symbol=SYMBOL)
    await one.run("get_ticker", lambda found: found["symbol"] == SYMBOL, symbol=SYMBOL)
    await one.run("get_symbol_ticker", lambda found: found["symbol"] == SYMBOL, symbol=SYMBOL)
    await one.run("get_symbol_ticker_window", lambda found: found["symbol"] == SYMBOL, symbol=SYMBOL)
    await one.run("get_orderbook_ticker", lambda found: found["symbol"] == SYMBOL, symbol=SYMBOL)
    await one.run("get_all_tickers", len)
    await one.run("get_orderbook_tickers", len)
    await one.run("get_account", lambda found: found["canTrade"])
    await one.run("get_asset_balance", lambda found: Decimal(found["free"]) > 0, asset="USDT")
    await one.run("get_trade_fee", lambda found: found[0]["symbol"] == SYMBOL, symbol=SYMBOL)
    await one.run("get_all_coins_info", lambda found: {each["coin"] for each in found} >= {"BTC", "USDT"})
    await one.run("get_account_api_permissions", lambda found: found["enableReading"])
    await one.run("get_current_order_count", len)
    await one.run("get_system_status", lambda found: found["status"] == 0)
    await one.run("get_account_status", lambda found: found["data"] == "Normal")
    await one.run("get_user_asset", len)
    await one.run("create_test_order", lambda found: found == {}, **order)
    placed = await one.run("create_order", lambda found: found["status"] == "NEW", **order) or {"orderId": 0}
    number = placed["orderId"]
    await one.run("get_order", lambda found: found["status"] == "NEW", symbol=SYMBOL, orderId=number)
    await one.run("get_open_orders", lambda found: len(found) == 1, symbol=SYMBOL)
    replace = {**order, "price": "49999.00", "cancelReplaceMode": "STOP_ON_FAILURE", "cancelOrderId": number}
    replaced = await one.run("cancel_replace_order", lambda found: found["newOrderResult"] == "SUCCESS", **replace)
    if replaced:
        number = replaced["newOrderResponse"]["orderId"]
    await one.run("cancel_order", lambda found: found["status"] == "CANCELED", symbol=SYMBOL, orderId=number)
    await one.run("order_limit_buy", lambda found: found["status"] == "NEW", symbol=SYMBOL, quantity="0.01", price=low)
    await one.run("order_limit_sell", lambda found: found["fills"], symbol=SYMBOL, quantity="0.01", price="55000.00")
    await one.run(
        "create_order stop loss limit",
        **{**order, "side": "SELL", "type": "STOP_LOSS_LIMIT", "stopPrice": "51000.00", "price": low},
    )
    await one.run("cancel_all_open_orders", lambda found: len(found) == 2, symbol=SYMBOL)
    if not hasattr(one.own, "cancel_all_open_orders"):
        for each in await got(one.own.get_open_orders(symbol=SYMBOL)):
            await got(one.own.cancel_order(symbol=SYMBOL, orderId=each["orderId"]))
    if NUMBER >= (1, 0, 29):
        pair = {"aboveType": "LIMIT_MAKER", "abovePrice": "66000.00", "belowType": "STOP_LOSS", "belowStopPrice": low}
        pair |= {"symbol": SYMBOL, "side": "SELL", "quantity": "0.01"}
        listed = await one.run("create_oco_order", lambda found: len(found["orders"]) == 2, **pair)
        if listed:
            await one.run("get_open_oco_orders", lambda found: len(found) == 1)
            await one.run("cancel_all_open_orders of a pair", len, symbol=SYMBOL)
    bought = await one.run(
        "order_market_buy",
        lambda found: found["status"] == "FILLED" and found["fills"],
        symbol=SYMBOL,
        quantity="0.01",
    ) or {"orderId": 0}
    await one.run("order_market_buy by cost", lambda found: found["fills"], symbol=SYMBOL, quoteOrderQty="100")
    await one.run("order_market_sell", lambda found: found["fills"], symbol=SYMBOL, quantity="0.01")
    await one.run("get_my_trades", len, symbol=SYMBOL, orderId=bought["orderId"])
    await one.run("get_all_orders", lambda found: len(found) > 4, symbol=SYMBOL)
    own = one.own
    await one.refuse("unknown order", -2011, lambda: own.cancel_order(symbol=SYMBOL, orderId=999_999_999))
    await one.refuse("unknown order asked for", -2013, lambda: own.get_order(symbol=SYMBOL, orderId=999_999_999))
    await one.refuse("too small", -1013, lambda: own.create_order(**{**order, "quantity": "0.00001"}))
    await one.refuse("off the tick", -1013, lambda: own.create_order(**{**order, "price": "50000.001"}))
    await one.refuse("too much", -2010, lambda: own.create_order(**{**order, "quantity": "900"}))
    crossing = {"symbol": SYMBOL, "side": "BUY", "type": "LIMIT_MAKER", "quantity": "0.01", "price": "65000.00"}
    await one.refuse("post-only that would take", -2010, lambda: own.create_order(**crossing))
    await one.refuse("unknown symbol", -1121, lambda: own.get_order_book(symbol="NOPE"))


async def usdm(one: Session) -> None:
    trade_outside("usdm")
    order = {"symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01"}
    order["price"] = low = LOW["usdm"]
    await one.run("futures_ping")
    await one.run("futures_time", lambda found: found["serverTime"] > 0)
    await one.run("futures_exchange_info", lambda found: found["symbols"][0]["symbol"] == SYMBOL)
    with halted("usdm", 100) as truth:
        await one.run(
            "futures_order_book is the exchange's",
            lambda found: require_book(truth, found["lastUpdateId"], found["bids"], found["asks"]) is None,
            symbol=SYMBOL,
            limit=100,
        )
    for name in ("futures_recent_trades", "futures_historical_trades", "futures_aggregate_trades"):
        await one.run(name, len, symbol=SYMBOL)
    for name in ("futures_klines", "futures_mark_price_klines"):
        await one.run(name, len, **CANDLE)
    continuous = {"pair": SYMBOL, "interval": "1m", "limit": 3}
    await one.run("futures_index_price_klines", len, **continuous)
    await one.run("futures_continuous_klines", len, **continuous, contractType="PERPETUAL")
    await one.run("futures_mark_price", lambda found: Decimal(found["markPrice"]) > 0, symbol=SYMBOL)
    await one.run("futures_funding_rate", symbol=SYMBOL)
    for name in ("futures_ticker", "futures_symbol_ticker", "futures_orderbook_ticker", "futures_open_interest"):
        await one.run(name, lambda found: found["symbol"] == SYMBOL, symbol=SYMBOL)
    await one.run("futures_account", lambda found: found["assets"])
    await one.run("futures_account_balance", len)
    await one.run("futures_account_config")
    await one.run("futures_symbol_config")
    await one.run("futures_leverage_bracket", len)
    await one.run("futures_commission_rate", symbol=SYMBOL)
    await one.run("futures_get_position_mode", lambda found: found["dualSidePosition"] is False)
    await one.run("futures_get_multi_assets_mode", lambda found: found["multiAssetsMargin"] is False)
    await one.run("futures_change_leverage", lambda found: found["leverage"] == 5, symbol=SYMBOL, leverage=5)
    await one.run("futures_adl_quantile_estimate")
    await one.run("futures_create_test_order", **order)
    placed = await one.run("futures_create_order", lambda found: found["status"] == "NEW", **order) or {"orderId": 0}
    number = placed["orderId"]
    await one.run("futures_get_order", lambda found: found["status"] == "NEW", symbol=SYMBOL, orderId=number)
    await one.run("futures_get_open_orders", lambda found: len(found) == 1, symbol=SYMBOL)
    await one.run(
        "futures_modify_order",
        lambda found: Decimal(found["origQty"]) == Decimal("0.02"),
        symbol=SYMBOL,
        orderId=number,
        side="BUY",
        quantity="0.02",
        price=low,
    )
    await one.run("futures_cancel_order", lambda found: found["status"] == "CANCELED", symbol=SYMBOL, orderId=number)
    made = await one.run("futures_place_batch_order", lambda found: len(found) == 2, batchOrders=[{**order}, {**order}])
    if made:
        await one.run("futures_cancel_orders", len, symbol=SYMBOL, orderidlist=[each["orderId"] for each in made])
    await one.run("futures_countdown_cancel_all", symbol=SYMBOL, countdownTime=0)
    await one.run("futures_cancel_all_open_orders", symbol=SYMBOL)
    market = {"symbol": SYMBOL, "side": "BUY", "type": "MARKET", "quantity": "0.01"}
    await one.run("futures_create_order market", **market)
    await one.run(
        "futures_position_information", lambda found: Decimal(found[0]["positionAmt"]) >= Decimal("0.01"), symbol=SYMBOL
    )
    await one.run("futures_create_order reduce-only", **{**market, "side": "SELL"}, reduceOnly="true")
    await one.run("futures_account_trades", len, symbol=SYMBOL)
    await one.run("futures_get_all_orders", len, symbol=SYMBOL)
    await one.run("futures_income_history", len)
    if hasattr(one.own, "futures_create_algo_order"):
        stop = {"symbol": SYMBOL, "side": "SELL", "type": "STOP_MARKET", "quantity": "0.01", "triggerPrice": low}
        algo = await one.run("futures_create_algo_order", **stop) or {"algoId": 0}
        await one.run("futures_get_algo_order", algoId=algo["algoId"])
        await one.run("futures_get_open_algo_orders", lambda found: len(found) == 1)
        await one.run("futures_cancel_algo_order", algoId=algo["algoId"])
    own = one.own
    await one.refuse("unknown order", -2011, lambda: own.futures_cancel_order(symbol=SYMBOL, orderId=999_999_999))
    await one.refuse("off the tick", -4014, lambda: own.futures_create_order(**{**order, "price": "50000.05"}))
    await one.refuse("too much", -2019, lambda: own.futures_create_order(**{**order, "quantity": "900"}))
    crossing = {**order, "timeInForce": "GTX", "price": "65000.0"}
    await one.refuse("post-only that would take", -5022, lambda: own.futures_create_order(**crossing))


async def refusals(one: Session, make: Callable[[str, str], Any]) -> None:
    """*make* makes a client of a key and a secret."""
    keys = SPOT if one.market == "spot" else USDM
    made = []

    async def other(key: str = "", secret: str = "") -> Any:
        made.append(await got(make(key or keys["api_key"], secret or keys["api_secret"])))
        return made[-1].get_account if one.market == "spot" else made[-1].futures_account

    try:
        await one.refuse("secret changed", -1022, await other(secret=wrong(keys["api_secret"])))
        await one.refuse("key unknown", -2015, await other(key=wrong(keys["api_key"])))
        ask = await other()
        with slow_exchange():
            await one.refuse("clock ahead", -1021, ask)
        answer_once("429", one.market, "ccount")
        await one.refuse("429", -1003, ask)
        answer_once("418", one.market, "ccount")
        await one.refuse("418", -1003, ask)
        key, secret = account(f"{one.calls.about['client']} {one.market}")
        await other(key, secret)
        place = made[-1].create_order if one.market == "spot" else made[-1].futures_create_order
        order = {"symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "timeInForce": "IOC", "quantity": "0.01"}

        async def too_many() -> None:
            for _ in range(201 if one.market == "spot" else 601):
                await got(place(**order, price=LOW[one.market]))

        await one.refuse("orders past the limit", -1015, too_many)
    finally:
        for each in made:
            await got(each.close_connection())


async def first(calls: Calls, name: str, socket: Any) -> None:
    async def received() -> None:
        async with socket as stream:
            found = await stream.recv()
            if found.get("e") == "error" if isinstance(found, dict) else not found:
                raise AssertionError(f"came {found}")

    await calls.run_async(name, received)


async def keep_trading(market: str) -> None:
    while True:
        await asyncio.to_thread(trade_outside, market)
        await asyncio.sleep(0.2)


async def spot_streams(one: Session) -> None:
    calls, own = one.calls, one.own
    sockets = LocalSockets(own)
    await first(calls, "depth_socket", sockets.depth_socket(SYMBOL, interval=100))
    await first(calls, "depth_socket of ten levels", sockets.depth_socket(SYMBOL, depth="10"))
    await first(calls, "trade_socket", sockets.trade_socket(SYMBOL))
    await first(calls, "aggtrade_socket", sockets.aggtrade_socket(SYMBOL))
    await first(calls, "kline_socket", sockets.kline_socket(SYMBOL))
    await first(calls, "symbol_book_ticker_socket", sockets.symbol_book_ticker_socket(SYMBOL))
    await first(calls, "symbol_miniticker_socket", sockets.symbol_miniticker_socket(SYMBOL))
    await first(calls, "symbol_ticker_socket", sockets.symbol_ticker_socket(SYMBOL))
    await first(calls, "multiplex_socket", sockets.multiplex_socket(["btcusdt@depth", "btcusdt@trade"]))

    async def kept() -> None:
        manager = binance.DepthCacheManager(
            own, SYMBOL, bm=sockets, limit=1000, conv_type=Decimal, refresh_interval=0, ws_interval=100
        )
        async with manager as cache:
            for _ in range(10):
                await cache.recv()
            with halted("spot") as truth:
                while cache._last_update_id < truth["sequence"]:
                    await cache.recv()
                book = cache.get_depth_cache()
                require_book(truth, cache._last_update_id, book.get_bids(), book.get_asks())

    await calls.run_async("DepthCacheManager's book is the exchange's", kept)

    async def bought() -> str:
        async with sockets.user_socket() as stream:
            await own.order_market_buy(symbol=SYMBOL, quantity="0.01")
            while True:
                event = await stream.recv()
                event = event.get("event", event)
                if event.get("e") == "executionReport" and event["X"] == "FILLED":
                    return "FILLED"

    await calls.run_async("user_socket", bought)


async def usdm_streams(one: Session) -> None:
    calls, own = one.calls, one.own
    sockets = LocalSockets(own)
    await first(calls, "futures_depth_socket", sockets.futures_depth_socket(SYMBOL))
    await first(calls, "aggtrade_futures_socket", sockets.aggtrade_futures_socket(SYMBOL))
    await first(calls, "symbol_mark_price_socket", sockets.symbol_mark_price_socket(SYMBOL))
    await first(calls, "all_mark_price_socket", sockets.all_mark_price_socket())
    await first(calls, "symbol_ticker_futures_socket", sockets.symbol_ticker_futures_socket(SYMBOL))
    await first(calls, "kline_futures_socket", sockets.kline_futures_socket(SYMBOL))
    await first(calls, "futures_multiplex_socket", sockets.futures_multiplex_socket(["btcusdt@bookTicker"], **PUBLIC))

    async def kept() -> None:
        book = Book(is_spot=False)
        async with sockets.futures_multiplex_socket(["btcusdt@depth@100ms"], **PUBLIC) as stream:
            book.update((await stream.recv())["data"])
            snapshot = await own.futures_order_book(symbol=SYMBOL, limit=1000)
            book.begin(snapshot["lastUpdateId"], snapshot["bids"], snapshot["asks"])
            for _ in range(10):
                book.update((await stream.recv())["data"])
            with halted("usdm") as truth:
                while book.sequence < truth["sequence"]:
                    book.update((await stream.recv())["data"])
                require_book(
                    truth,
                    book.sequence,
                    book.bids[: len(truth["bids"])],
                    book.offers[: len(truth["offers"])],
                )

    await calls.run_async("watched book is the exchange's", kept)

    async def bought() -> str:
        async with sockets.futures_user_socket() as stream:
            await own.futures_create_order(symbol=SYMBOL, side="BUY", type="MARKET", quantity="0.01")
            while True:
                event = await stream.recv()
                if event.get("e") == "ORDER_TRADE_UPDATE" and event["o"]["X"] == "FILLED":
                    return "FILLED"

    await calls.run_async("futures_user_socket", bought)


async def spot_frames(one: Session) -> None:
    """Orders over the WebSocket API; the older version has none of it."""
    order = {"symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01"}
    order["price"] = LOW["spot"]
    if not hasattr(one.own, "ws_create_order"):
        return
    await one.run("ws_ping")
    await one.run("ws_get_order_book", lambda found: found["bids"], symbol=SYMBOL, limit=5)
    await one.run("ws_get_account", lambda found: found["canTrade"])
    await one.run("ws_create_test_order", **order)
    placed = await one.run("ws_create_order", lambda found: found["status"] == "NEW", **order) or {"orderId": 0}
    await one.run("ws_get_order", symbol=SYMBOL, orderId=placed["orderId"])
    await one.run("ws_get_open_orders", len, symbol=SYMBOL)
    await one.run("ws_cancel_order", symbol=SYMBOL, orderId=placed["orderId"])
    await one.run("ws_order_market_buy", lambda found: found["status"] == "FILLED", symbol=SYMBOL, quantity="0.01")
    await one.run("ws_get_my_trades", len, symbol=SYMBOL)
    await one.run("ws_get_all_orders", len, symbol=SYMBOL)
    await one.refuse(
        "unknown order over WebSocket", -2011, lambda: one.own.ws_cancel_order(symbol=SYMBOL, orderId=999_999_999)
    )


async def usdm_frames(one: Session) -> None:
    order = {"symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01"}
    order["price"] = low = LOW["usdm"]
    if not hasattr(one.own, "ws_futures_create_order"):
        return
    await one.run("ws_futures_get_order_book", lambda found: found["bids"], symbol=SYMBOL, limit=5)
    placed = await one.run("ws_futures_create_order", lambda it: it["status"] == "NEW", **order) or {"orderId": 0}
    number = placed["orderId"]
    change = {"symbol": SYMBOL, "orderId": number, "side": "BUY", "quantity": "0.02", "price": low}
    await one.run("ws_futures_get_order", symbol=SYMBOL, orderId=number)
    await one.run("ws_futures_edit_order", **change)
    await one.run("ws_futures_cancel_order", symbol=SYMBOL, orderId=number)
    await one.run("ws_futures_account_position")
    await one.run("ws_futures_v2_account_position")
    await one.run("ws_futures_account_balance", len)
    await one.run("ws_futures_account_status", lambda found: found["assets"])
    await one.refuse(
        "unknown order over WebSocket",
        -2011,
        lambda: one.own.ws_futures_cancel_order(symbol=SYMBOL, orderId=999_999_999),
    )


async def synchronous(market: str) -> None:
    keys = SPOT if market == "spot" else USDM
    one = Session("python-binance", market, Local(keys["api_key"], keys["api_secret"]))
    try:
        await (spot(one) if market == "spot" else usdm(one))
        await refusals(one, Local)
    finally:
        one.own.close_connection()


async def asynchronous(market: str) -> None:
    keys = SPOT if market == "spot" else USDM
    own = await LocalAsync.create(keys["api_key"], keys["api_secret"])
    one = Session("python-binance async", market, own)
    busy = asyncio.ensure_future(keep_trading(market))
    try:
        await (spot(one) if market == "spot" else usdm(one))
        await (spot_streams(one) if market == "spot" else usdm_streams(one))
        await (spot_frames(one) if market == "spot" else usdm_frames(one))
        await refusals(one, LocalAsync.create)
    finally:
        busy.cancel()
        await own.close_connection()


if __name__ == "__main__":
    for market in sys.argv[1:] or ["spot", "usdm"]:
        asyncio.run(synchronous(market))
        asyncio.run(asynchronous(market))
