"""python-binance: REST with the synchronous client, streams and user data with the asynchronous one."""

from __future__ import annotations

import asyncio
import sys
from importlib.metadata import version
from typing import Any

import binance
from binance.exceptions import BinanceAPIException
from calls import Calls, door, raises, require, until, wrong

SPOT, USDM = door("binance-spot"), door("binance-usdm")
SYMBOL = "BTCUSDT"
VERSION = version("python-binance")


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


def code(expected: int, call: Any) -> str:
    """Make *call*, which must be refused with the venue's code *expected*."""
    found: list[int] = []

    def noted() -> None:
        try:
            call()
        except BinanceAPIException as error:
            found.append(error.code)
            raise

    raises(BinanceAPIException, noted)
    require("code", found, [expected])
    return f"{expected}"


def spot() -> None:
    calls = Calls("python-binance", VERSION, "spot")
    own = Local(SPOT["api_key"], SPOT["api_secret"])
    calls.run("ping", own.ping)
    calls.run("get_exchange_info", lambda: require("status", own.get_symbol_info(SYMBOL)["status"], "TRADING"))
    book = own.get_order_book(symbol=SYMBOL)
    calls.run("get_order_book", lambda: require("update", own.get_order_book(symbol=SYMBOL)["lastUpdateId"] > 0, True))
    calls.run("get_recent_trades", lambda: until("a print", lambda: own.get_recent_trades(symbol=SYMBOL)) and None)
    calls.run("get_ticker", lambda: require("symbol", own.get_ticker(symbol=SYMBOL)["symbol"], SYMBOL))
    calls.run("get_account", lambda: require("trades", own.get_account()["canTrade"], True))
    low = f"{float(book['bids'][0][0]) * 0.98:.2f}"
    placed = calls.run("order_limit_buy", lambda: own.order_limit_buy(symbol=SYMBOL, quantity="0.01", price=low)) or {}
    number = placed.get("orderId", 0)
    calls.run("get_order", lambda: require("status", own.get_order(symbol=SYMBOL, orderId=number)["status"], "NEW"))
    calls.run("get_open_orders", lambda: require("orders", len(own.get_open_orders(symbol=SYMBOL)), 1))
    calls.run(
        "cancel_order", lambda: require("status", own.cancel_order(symbol=SYMBOL, orderId=number)["status"], "CANCELED")
    )
    bought = calls.run("order_market_buy", lambda: own.order_market_buy(symbol=SYMBOL, quantity="0.01")) or {}
    calls.run(
        "fills of the answer", lambda: require("status", (bought["status"], bool(bought["fills"])), ("FILLED", True))
    )
    calls.run(
        "get_my_trades", lambda: require("order", own.get_my_trades(symbol=SYMBOL)[-1]["orderId"], bought["orderId"])
    )
    calls.run(
        "create_test_order",
        lambda: require("answer", own.create_test_order(symbol=SYMBOL, side="BUY", type="MARKET", quantity="0.01"), {}),
    )
    calls.run("unknown order", lambda: code(-2011, lambda: own.cancel_order(symbol=SYMBOL, orderId=999_999_999)))
    calls.run(
        "filter", lambda: code(-1013, lambda: own.order_limit_buy(symbol=SYMBOL, quantity="0.00000001", price=low))
    )
    calls.run("secret changed", lambda: code(-1022, Local(SPOT["api_key"], wrong(SPOT["api_secret"])).get_account))
    calls.run("key unknown", lambda: code(-2015, Local(wrong(SPOT["api_key"]), SPOT["api_secret"]).get_account))
    ahead = Local(SPOT["api_key"], SPOT["api_secret"])
    ahead.timestamp_offset = 60_000
    calls.run("clock ahead", lambda: code(-1021, ahead.get_account))


def usdm() -> None:
    calls = Calls("python-binance", VERSION, "usdm")
    own = Local(USDM["api_key"], USDM["api_secret"])
    calls.run("futures_exchange_info", lambda: require("symbols", bool(own.futures_exchange_info()["symbols"]), True))
    book = own.futures_order_book(symbol=SYMBOL)
    low = f"{float(book['bids'][0][0]) * 0.98:.1f}"
    order = {"symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01", "price": low}
    placed = calls.run("futures_create_order", lambda: own.futures_create_order(**order)) or {}
    number = placed.get("orderId", 0)
    calls.run(
        "futures_get_order",
        lambda: require("status", own.futures_get_order(symbol=SYMBOL, orderId=number)["status"], "NEW"),
    )
    calls.run(
        "futures_cancel_order",
        lambda: require("status", own.futures_cancel_order(symbol=SYMBOL, orderId=number)["status"], "CANCELED"),
    )
    calls.run(
        "market order", lambda: own.futures_create_order(symbol=SYMBOL, side="BUY", type="MARKET", quantity="0.01")
    )
    calls.run("futures_account", lambda: require("assets", bool(own.futures_account()["assets"]), True))
    calls.run(
        "futures_position_information",
        lambda: require("position", float(own.futures_position_information(symbol=SYMBOL)[0]["positionAmt"]), 0.01),
    )
    calls.run(
        "unknown order", lambda: code(-2011, lambda: own.futures_cancel_order(symbol=SYMBOL, orderId=999_999_999))
    )


async def streams() -> None:
    """Streams of both markets and the user data of spot."""
    calls = Calls("python-binance", VERSION, "spot streams")
    own = await LocalAsync.create(SPOT["api_key"], SPOT["api_secret"])
    try:
        sockets = LocalSockets(own)
        for name, socket in (
            ("depth_socket", sockets.depth_socket(SYMBOL, interval=100)),
            ("trade_socket", sockets.trade_socket(SYMBOL)),
            ("symbol_book_ticker_socket", sockets.symbol_book_ticker_socket(SYMBOL)),
            ("multiplex_socket", sockets.multiplex_socket(["btcusdt@depth", "btcusdt@trade"])),
        ):
            async with socket as stream:
                await calls.run_async(name, stream.recv)
        async with sockets.user_socket() as stream:

            async def bought() -> str:
                await own.order_market_buy(symbol=SYMBOL, quantity="0.01")
                while True:
                    event = await stream.recv()
                    if event.get("e") == "executionReport" and event["X"] == "FILLED":
                        return "FILLED"

            await calls.run_async("user_socket", bought)
    finally:
        await own.close_connection()


if __name__ == "__main__":
    wanted = sys.argv[1:] or ["spot", "usdm"]
    if "spot" in wanted:
        spot()
        asyncio.run(streams())
    if "usdm" in wanted:
        usdm()
