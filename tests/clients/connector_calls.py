"""binance-connector: everything in the query, streams and WebSocket API with callbacks."""

from __future__ import annotations

import json
import queue
import sys
from importlib.metadata import version
from typing import Any

from binance.error import ClientError
from binance.spot import Spot
from binance.websocket.spot.websocket_api import SpotWebsocketAPIClient
from binance.websocket.spot.websocket_stream import SpotWebsocketStreamClient
from calls import PATIENCE, Calls, door, raises, require, wrong

SPOT = door("binance-spot")
SYMBOL = "BTCUSDT"


def code(expected: int, call: Any) -> str:
    found: list[int] = []

    def noted() -> None:
        try:
            call()
        except ClientError as error:
            found.append(error.error_code)
            raise

    raises(ClientError, noted)
    require("code", found, [expected])
    return str(expected)


class Inbox:
    """Frames as they come."""

    def __init__(self) -> None:
        self.frames: queue.Queue[dict[str, Any]] = queue.Queue()

    def __call__(self, _: Any, frame: str) -> None:
        self.frames.put(json.loads(frame))

    def first(self, key: str, value: object) -> dict[str, Any]:
        while True:
            frame = self.frames.get(timeout=PATIENCE)
            if frame.get(key) == value:
                return frame


def rest(calls: Calls) -> None:
    own = Spot(SPOT["api_key"], SPOT["api_secret"], base_url=SPOT["rest"])
    calls.run("time", own.time)
    calls.run(
        "exchange_info", lambda: require("symbol", own.exchange_info(symbol=SYMBOL)["symbols"][0]["symbol"], SYMBOL)
    )
    book = own.depth(SYMBOL)
    low = round(float(book["bids"][0][0]) * 0.98, 2)
    order = {"symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": 0.01, "price": low}
    calls.run("new_order_test", lambda: require("answer", own.new_order_test(**order), {}))
    placed = calls.run("new_order", lambda: own.new_order(**order)) or {}
    number = placed.get("orderId", 0)
    calls.run("get_order", lambda: require("status", own.get_order(SYMBOL, orderId=number)["status"], "NEW"))
    replace = {**order, "cancelReplaceMode": "STOP_ON_FAILURE", "cancelOrderId": number, "price": low - 1}
    calls.run(
        "cancel_and_replace", lambda: require("result", own.cancel_and_replace(**replace)["newOrderResult"], "SUCCESS")
    )
    calls.run("get_open_orders", lambda: require("orders", len(own.get_open_orders(SYMBOL)), 1))
    calls.run("cancel_open_orders", lambda: require("status", own.cancel_open_orders(SYMBOL)[0]["status"], "CANCELED"))
    calls.run(
        "market order",
        lambda: require("status", own.new_order(SYMBOL, "SELL", "MARKET", quantity=0.01)["status"], "FILLED"),
    )
    calls.run("my_trades", lambda: require("buyer", own.my_trades(SYMBOL)[-1]["isBuyer"], False))
    calls.run("account", lambda: require("trades", own.account()["canTrade"], True))
    calls.run("unknown order", lambda: code(-2013, lambda: own.get_order(SYMBOL, orderId=999_999_999)))
    calls.run(
        "secret changed",
        lambda: code(-1022, Spot(SPOT["api_key"], wrong(SPOT["api_secret"]), base_url=SPOT["rest"]).account),
    )
    calls.run(
        "key unknown",
        lambda: code(-2015, Spot(wrong(SPOT["api_key"]), SPOT["api_secret"], base_url=SPOT["rest"]).account),
    )


def sockets(calls: Calls) -> None:
    inbox = Inbox()
    stream = SpotWebsocketStreamClient(stream_url=SPOT["ws"], on_message=inbox)
    try:
        stream.diff_book_depth(symbol=SYMBOL.lower(), speed=100)
        calls.run("diff_book_depth", lambda: inbox.first("e", "depthUpdate") and None)
        stream.trade(symbol=SYMBOL.lower())
        calls.run("trade", lambda: inbox.first("e", "trade") and None)
    finally:
        stream.stop()
    answers = Inbox()
    api = SpotWebsocketAPIClient(
        stream_url=SPOT["ws_api"], api_key=SPOT["api_key"], api_secret=SPOT["api_secret"], on_message=answers
    )
    try:
        api.new_order(id="one", symbol=SYMBOL, side="BUY", type="MARKET", quantity=0.01, newOrderRespType="FULL")
        calls.run(
            "new_order over WebSocket",
            lambda: require("status", answers.first("id", "one")["result"]["status"], "FILLED"),
        )
        api.account(id="two")
        calls.run("account over WebSocket", lambda: require("status", answers.first("id", "two")["status"], 200))
    finally:
        api.stop()


if __name__ == "__main__":
    told = Calls("binance-connector", version("binance-connector"), "spot")
    if not sys.argv[1:] or "spot" in sys.argv[1:]:
        rest(told)
        sockets(told)
