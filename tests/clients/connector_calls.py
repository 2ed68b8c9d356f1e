"""binance-connector: everything in the query, streams and WebSocket API with callbacks.

Pointed here by ``base_url`` and ``stream_url``.
"""

from __future__ import annotations

import json
import queue
import sys
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

from binance.error import ClientError
from binance.spot import Spot
from binance.websocket.spot.websocket_api import SpotWebsocketAPIClient
from binance.websocket.spot.websocket_stream import SpotWebsocketStreamClient
from calls import (
    PATIENCE,
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

SPOT = door("binance-spot")
SYMBOL = "BTCUSDT"
LOW = 50_000.0
ORDER = {"symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": 0.01, "price": LOW}


class Inbox:
    """Frames as they come."""

    def __init__(self) -> None:
        self.frames: queue.Queue[dict[str, Any]] = queue.Queue()

    def __call__(self, _: Any, frame: str) -> None:
        self.frames.put(json.loads(frame))

    def first(self, fits: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        while True:
            frame = self.frames.get(timeout=PATIENCE)
            if fits(frame):
                return frame


class Session:
    def __init__(self) -> None:
        self.calls = Calls("binance-connector", version("binance-connector"), "spot")
        self.own = Spot(SPOT["api_key"], SPOT["api_secret"], base_url=SPOT["rest"])

    def run(self, name: str, check: Callable[[Any], object] = lambda found: True, *wanted: Any, **values: Any) -> Any:
        """Make the call that *name* begins with."""

        def made() -> Any:
            found = getattr(self.own, name.partition(" ")[0])(*wanted, **values)
            if not check(found):
                raise AssertionError(f"came {str(found)[:300]}")
            return found

        return self.calls.run(name, made)

    def refuse(self, name: str, code: int, call: Callable[[], Any]) -> None:
        """Make *call*, which must be refused with the venue's *code*."""

        def made() -> str:
            try:
                call()
            except ClientError as error:
                require("code", error.error_code, code)
                return f"ClientError {code}"
            raise AssertionError("should have raised ClientError")

        self.calls.run(name, made)


def rest(one: Session) -> None:
    own = one.own
    trade_outside("spot")
    one.run("ping", lambda found: found == {})
    one.run("time", lambda found: found["serverTime"] > 0)
    one.run("exchange_info", lambda found: found["symbols"][0]["symbol"] == SYMBOL, symbol=SYMBOL)
    with halted("spot", 100) as truth:
        one.run(
            "depth is the exchange's",
            lambda found: require_book(truth, found["lastUpdateId"], found["bids"], found["asks"]) is None,
            SYMBOL,
            limit=100,
        )
    for name in ("trades", "historical_trades", "agg_trades"):
        one.run(name, len, SYMBOL)
    for name in ("klines", "ui_klines"):
        one.run(name, lambda found: len(found[-1]) == 12, SYMBOL, "1m", limit=3)
    one.run("avg_price", lambda found: float(found["price"]) > 0, SYMBOL)
    for name in ("ticker_24hr", "trading_day_ticker", "ticker_price", "book_ticker", "rolling_window_ticker"):
        one.run(name, lambda found: found["symbol"] == SYMBOL, SYMBOL)
    one.run("account", lambda found: found["canTrade"])
    one.run("query_commission_rates", lambda found: found["symbol"] == SYMBOL, SYMBOL)
    one.run("get_order_rate_limit", len)
    one.run("coin_info", lambda found: {each["coin"] for each in found} >= {"BTC", "USDT"})
    one.run("trade_fee", len)
    one.run("new_order_test", lambda found: found == {}, **ORDER)
    placed = one.run("new_order", lambda found: found["status"] == "NEW", **ORDER) or {"orderId": 0}
    number = placed["orderId"]
    one.run("get_order", lambda found: found["status"] == "NEW", SYMBOL, orderId=number)
    replace = {**ORDER, "cancelReplaceMode": "STOP_ON_FAILURE", "cancelOrderId": number, "price": LOW - 1}
    replaced = one.run("cancel_and_replace", lambda found: found["newOrderResult"] == "SUCCESS", **replace)
    one.run("get_open_orders", lambda found: len(found) == 1, SYMBOL)
    number = replaced["newOrderResponse"]["orderId"] if replaced else number
    one.run("cancel_order", lambda found: found["status"] == "CANCELED", SYMBOL, orderId=number)
    own.new_order(**ORDER)
    one.run("cancel_open_orders", lambda found: found[0]["status"] == "CANCELED", SYMBOL)
    one.run("new_order market", lambda found: found["status"] == "FILLED", SYMBOL, "SELL", "MARKET", quantity=0.01)
    one.run("my_trades", lambda found: found[-1]["isBuyer"] is False, SYMBOL)
    one.run("get_orders", lambda found: len(found) > 3, SYMBOL)
    pair = {
        "symbol": SYMBOL,
        "side": "SELL",
        "quantity": 0.01,
        "aboveType": "LIMIT_MAKER",
        "abovePrice": 66_000,
        "belowType": "STOP_LOSS_LIMIT",
        "belowStopPrice": 51_000,
        "belowPrice": 50_900,
        "belowTimeInForce": "GTC",
    }
    listed = one.run("new_oco_order", lambda found: len(found["orders"]) == 2, **pair)
    if listed:
        number = listed["orderListId"]
        one.run("get_oco_order", lambda found: found["listOrderStatus"] == "EXECUTING", orderListId=number)
        one.run("get_oco_open_orders", lambda found: len(found) == 1)
        one.run("cancel_oco_order", lambda found: found["listOrderStatus"] == "ALL_DONE", SYMBOL, orderListId=number)
        one.run("get_oco_orders", len)
    one.refuse("unknown order", -2011, lambda: own.cancel_order(SYMBOL, orderId=999_999_999))
    one.refuse("unknown order asked for", -2013, lambda: own.get_order(SYMBOL, orderId=999_999_999))
    one.refuse("off the tick", -1013, lambda: own.new_order(**{**ORDER, "price": 50_000.001}))
    one.refuse("too much", -2010, lambda: own.new_order(**{**ORDER, "quantity": 900}))
    crossing = {"symbol": SYMBOL, "side": "BUY", "type": "LIMIT_MAKER", "quantity": 0.01, "price": 65_000}
    one.refuse("post-only that would take", -2010, lambda: own.new_order(**crossing))


def refusals(one: Session) -> None:
    def other(key: str = "", secret: str = "") -> Any:
        return Spot(key or SPOT["api_key"], secret or SPOT["api_secret"], base_url=SPOT["rest"])

    one.refuse("secret changed", -1022, other(secret=wrong(SPOT["api_secret"])).account)
    one.refuse("key unknown", -2015, other(key=wrong(SPOT["api_key"])).account)
    with slow_exchange():
        one.refuse("clock ahead", -1021, one.own.account)
    for status in ("429", "418"):
        answer_once(status, "spot", "account")
        one.refuse(status, -1003, one.own.account)
    hasty = other(*account("connector"))

    def too_many() -> None:
        for _ in range(201):
            hasty.new_order(**{**ORDER, "timeInForce": "IOC"})

    one.refuse("orders past the limit", -1015, too_many)


def sockets(one: Session) -> None:
    run, inbox = one.calls.run, Inbox()
    name = SYMBOL.lower()
    stream = SpotWebsocketStreamClient(stream_url=SPOT["ws"], on_message=inbox)
    try:
        book = Book(is_spot=True)
        stream.diff_book_depth(symbol=name, speed=100)
        run("diff_book_depth", lambda: book.update(inbox.first(lambda frame: frame.get("e") == "depthUpdate")))

        def equal() -> None:
            snapshot = one.own.depth(SYMBOL, limit=1000)
            book.begin(snapshot["lastUpdateId"], snapshot["bids"], snapshot["asks"])
            for _ in range(10):
                book.update(inbox.first(lambda frame: frame.get("e") == "depthUpdate"))
            with halted("spot") as truth:
                while book.sequence < truth["sequence"]:
                    book.update(inbox.first(lambda frame: frame.get("e") == "depthUpdate"))
                levels = len(truth["bids"]), len(truth["offers"])
                require_book(truth, book.sequence, book.bids[: levels[0]], book.offers[: levels[1]])

        run("watched book is the exchange's", equal)
        for call, fits in (
            (stream.trade, lambda frame: frame.get("e") == "trade"),
            (stream.agg_trade, lambda frame: frame.get("e") == "aggTrade"),
            (stream.book_ticker, lambda frame: "A" in frame and "u" in frame and "e" not in frame),
            (stream.mini_ticker, lambda frame: frame.get("e") == "24hrMiniTicker"),
            (stream.ticker, lambda frame: frame.get("e") == "24hrTicker"),
            (stream.partial_book_depth, lambda frame: "lastUpdateId" in frame),
        ):
            call(symbol=name)
            trade_outside("spot")
            run(call.__name__, lambda fits=fits: inbox.first(fits) and None)
        stream.kline(symbol=name, interval="1m")
        trade_outside("spot")
        run("kline", lambda: inbox.first(lambda frame: frame.get("e") == "kline") and None)
        key = one.own.new_listen_key()["listenKey"]
        one.run("renew_listen_key", lambda found: found == {}, key)
        stream.user_data(listen_key=key)
        inbox.first(lambda frame: frame.get("result", 0) is None)
        one.own.new_order(SYMBOL, "BUY", "MARKET", quantity=0.01)
        run("user_data", lambda: inbox.first(lambda frame: frame.get("X") == "FILLED") and "executionReport")
        one.run("close_listen_key", lambda found: found == {}, key)
    finally:
        stream.stop()
    frames(one)


def frames(one: Session) -> None:
    answers = Inbox()
    api = SpotWebsocketAPIClient(
        stream_url=SPOT["ws_api"], api_key=SPOT["api_key"], api_secret=SPOT["api_secret"], on_message=answers
    )
    made = 0

    def ask(name: str, check: Callable[[Any], object] = lambda found: True, status: int = 200, **values: Any) -> Any:
        """Make the call *name* begins with over the WebSocket API, and wait for the answer with its id."""
        nonlocal made
        made += 1
        number = f"id-{made}"
        getattr(api, name.partition(" ")[0])(id=number, **values)

        def answered() -> Any:
            frame = answers.first(lambda frame: frame.get("id") == number)
            if frame["status"] != status or not check(frame.get("result") or frame.get("error")):
                raise AssertionError(f"came {str(frame)[:300]}")
            return frame.get("result")

        return one.calls.run(f"WebSocket {name}", answered)

    try:
        ask("ping_connectivity")
        ask("server_time")
        ask("order_book", lambda found: found["bids"], symbol=SYMBOL, limit=5)
        ask("recent_trades", len, symbol=SYMBOL)
        ask("klines", len, symbol=SYMBOL, interval="1m")
        ask("account", lambda found: found["canTrade"])
        ask("new_order_test", **ORDER)
        placed = ask("new_order", lambda found: found["status"] == "NEW", **ORDER, newOrderRespType="FULL")
        number = (placed or {"orderId": 0})["orderId"]
        ask("get_order", symbol=SYMBOL, orderId=number)
        ask("get_open_orders", len, symbol=SYMBOL)
        ask("cancel_order", lambda found: found["status"] == "CANCELED", symbol=SYMBOL, orderId=number)
        bought = {"symbol": SYMBOL, "side": "BUY", "type": "MARKET", "quantity": 0.01, "newOrderRespType": "FULL"}
        ask("new_order market", lambda found: found["status"] == "FILLED", **bought)
        ask("my_trades", len, symbol=SYMBOL)
        ask("order_history", len, symbol=SYMBOL)
        ask(
            "cancel_order unknown",
            lambda found: found["code"] == -2011,
            400,
            symbol=SYMBOL,
            orderId=999_999_999,
        )
    finally:
        api.stop()


if __name__ == "__main__":
    if not sys.argv[1:] or "spot" in sys.argv[1:]:
        session = Session()
        rest(session)
        sockets(session)
        refusals(session)
