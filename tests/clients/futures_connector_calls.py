"""binance-futures-connector: the frozen predecessor of the SDK of futures, with callbacks.

Pointed here by ``base_url`` and ``stream_url``; it opens the streams' root paths.
"""

from __future__ import annotations

import json
import queue
import sys
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

from binance.error import ClientError
from binance.um_futures import UMFutures
from binance.websocket.um_futures.websocket_client import UMFuturesWebsocketClient
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

USDM = door("binance-usdm")
SYMBOL = "BTCUSDT"
LOW = 50_000.0
ORDER = {"symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": 0.01, "price": LOW}


class Session:
    def __init__(self) -> None:
        self.calls = Calls("binance-futures-connector", version("binance-futures-connector"), "usdm")
        self.own = UMFutures(USDM["api_key"], USDM["api_secret"], base_url=USDM["rest"])

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


def data(one: Session) -> None:
    trade_outside("usdm")
    one.run("ping", lambda found: found == {})
    one.run("time", lambda found: found["serverTime"] > 0)
    one.run("exchange_info", lambda found: found["symbols"][0]["symbol"] == SYMBOL)
    with halted("usdm", 100) as truth:
        one.run(
            "depth is the exchange's",
            lambda found: require_book(truth, found["lastUpdateId"], found["bids"], found["asks"]) is None,
            SYMBOL,
            limit=100,
        )
    for name in ("trades", "historical_trades", "agg_trades"):
        one.run(name, len, SYMBOL)
    for name in ("klines", "mark_price_klines", "index_price_klines"):
        one.run(name, len, SYMBOL, "1m", limit=3)
    one.run("continuous_klines", len, SYMBOL, "PERPETUAL", "1m")
    one.run("mark_price", lambda found: float(found["markPrice"]) > 0, SYMBOL)
    one.run("funding_rate", lambda found: isinstance(found, list), SYMBOL)
    one.run("funding_info", lambda found: isinstance(found, list))
    for name in ("ticker_24hr_price_change", "ticker_price", "book_ticker", "open_interest"):
        one.run(name, lambda found: found["symbol"] == SYMBOL, SYMBOL)


def rest(one: Session) -> None:
    own = one.own
    data(one)
    for name in ("balance", "leverage_brackets", "adl_quantile", "query_user_rate_limit"):
        one.run(name, len)
    one.run("account", lambda found: found["assets"])
    one.run("get_position_mode", lambda found: found["dualSidePosition"] is False)
    one.run("get_multi_asset_mode", lambda found: found["multiAssetsMargin"] is False)
    one.run("futures_account_configuration", lambda found: found["canTrade"])
    one.run("symbol_configuration", len)
    one.run("commission_rate", lambda found: found["symbol"] == SYMBOL, SYMBOL)
    one.run("get_bnb_burn", lambda found: found["feeBurn"] is False)
    one.run("api_trading_status", lambda found: "indicators" in found)
    one.run("force_orders", lambda found: found == [])
    one.run("change_leverage", lambda found: found["leverage"] == 5, SYMBOL, 5)
    one.run("new_order_test", **ORDER)
    placed = one.run("new_order", lambda found: found["status"] == "NEW", **ORDER) or {"orderId": 0}
    number = placed["orderId"]
    one.run("query_order", lambda found: found["status"] == "NEW", SYMBOL, orderId=number)
    one.run("get_open_orders", lambda found: found["orderId"] == number, SYMBOL, orderId=number)
    one.run("get_orders", lambda found: len(found) == 1, symbol=SYMBOL)
    one.run("modify_order", lambda found: float(found["origQty"]) == 0.02, SYMBOL, "BUY", 0.02, LOW, orderId=number)
    one.run("cancel_order", lambda found: found["status"] == "CANCELED", SYMBOL, orderId=number)
    text = {**ORDER, "quantity": "0.01", "price": str(LOW)}
    made = one.run("new_batch_order", lambda found: len(found) == 2, [text, text])
    if made:
        numbers = [each["orderId"] for each in made]
        one.run("cancel_batch_order", len, symbol=SYMBOL, orderIdList=numbers, origClientOrderIdList=[])
    own.new_order(**ORDER)
    one.run("countdown_cancel_order", lambda found: found["countdownTime"] == "0", SYMBOL, 0)
    one.run("cancel_open_orders", lambda found: found["code"] == 200, SYMBOL)
    one.run("new_order market", symbol=SYMBOL, side="BUY", type="MARKET", quantity=0.01)
    one.run("get_position_risk", lambda found: float(found[0]["positionAmt"]) >= 0.01)
    one.run("get_account_trades", len, SYMBOL)
    one.run("get_all_orders", len, SYMBOL)
    one.run("get_income_history", len)
    one.refuse("unknown order", -2011, lambda: own.cancel_order(SYMBOL, orderId=999_999_999))
    one.refuse("off the tick", -4014, lambda: own.new_order(**{**ORDER, "price": 50_000.05}))
    one.refuse("too much", -2019, lambda: own.new_order(**{**ORDER, "quantity": 900}))
    crossing = {**ORDER, "timeInForce": "GTX", "price": 65_000}
    one.refuse("post-only that would take", -5022, lambda: own.new_order(**crossing))


def sockets(one: Session) -> None:
    frames: queue.Queue[dict[str, Any]] = queue.Queue()
    stream = UMFuturesWebsocketClient(stream_url=USDM["ws"], on_message=lambda _, text: frames.put(json.loads(text)))
    run, name = one.calls.run, SYMBOL.lower()

    def first(*kinds: str) -> dict[str, Any]:
        while True:
            frame = frames.get(timeout=PATIENCE)
            if frame.get("e") in kinds:
                return frame

    try:
        book = Book(is_spot=False)
        stream.diff_book_depth(symbol=name, speed=100)
        run("diff_book_depth", lambda: book.update(first("depthUpdate")))

        def equal() -> None:
            snapshot = one.own.depth(SYMBOL, limit=1000)
            book.begin(snapshot["lastUpdateId"], snapshot["bids"], snapshot["asks"])
            for _ in range(10):
                book.update(first("depthUpdate"))
            with halted("usdm") as truth:
                while book.sequence < truth["sequence"]:
                    book.update(first("depthUpdate"))
                levels = len(truth["bids"]), len(truth["offers"])
                require_book(truth, book.sequence, book.bids[: levels[0]], book.offers[: levels[1]])

        run("watched book is the exchange's", equal)
        for call, kind, values in (
            (stream.agg_trade, "aggTrade", {}),
            (stream.mark_price, "markPriceUpdate", {"speed": 1}),
            (stream.book_ticker, "bookTicker", {}),
            (stream.kline, "kline", {"interval": "1m"}),
            (stream.mini_ticker, "24hrMiniTicker", {}),
            (stream.ticker, "24hrTicker", {}),
        ):
            call(symbol=name, **values)
            trade_outside("usdm")
            run(call.__name__, lambda kind=kind: first(kind) and None)
        key = one.own.new_listen_key()["listenKey"]
        one.run("renew_listen_key", lambda found: True, key)
        stream.user_data(listen_key=key)
        while frames.get(timeout=PATIENCE).get("result", 0) is not None:
            pass
        one.own.new_order(symbol=SYMBOL, side="BUY", type="MARKET", quantity=0.01)
        run("user_data", lambda: first("ORDER_TRADE_UPDATE") and "ORDER_TRADE_UPDATE")
        run("user_data of the account", lambda: first("ACCOUNT_UPDATE") and "ACCOUNT_UPDATE")
        one.run("close_listen_key", lambda found: found == {}, key)
    finally:
        stream.stop()


def refusals(one: Session) -> None:
    def other(key: str = "", secret: str = "") -> Any:
        return UMFutures(key or USDM["api_key"], secret or USDM["api_secret"], base_url=USDM["rest"])

    one.refuse("secret changed", -1022, other(secret=wrong(USDM["api_secret"])).account)
    one.refuse("key unknown", -2015, other(key=wrong(USDM["api_key"])).account)
    with slow_exchange():
        one.refuse("clock ahead", -1021, one.own.account)
    for status in ("429", "418"):
        answer_once(status, "usdm", "account")
        one.refuse(status, -1003, one.own.account)
    hasty = other(*account("connector"))

    def too_many() -> None:
        for _ in range(601):
            hasty.new_order(**{**ORDER, "timeInForce": "IOC"})

    one.refuse("orders past the limit", -1015, too_many)


if __name__ == "__main__":
    if not sys.argv[1:] or "usdm" in sys.argv[1:]:
        session = Session()
        rest(session)
        sockets(session)
        refusals(session)
