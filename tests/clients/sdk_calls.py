"""The venue's own modular packages: binance-sdk-spot and binance-sdk-derivatives-trading-usds-futures.

Pointed here by their configuration objects. Answers are parsed by the packages' own strict models.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

from binance_common.configuration import (
    ConfigurationRestAPI,
    ConfigurationWebSocketAPI,
    ConfigurationWebSocketStreams,
)
from binance_common.errors import (
    BadRequestError,
    Error,
    RateLimitBanError,
    ServerError,
    TooManyRequestsError,
    UnauthorizedError,
)
from binance_sdk_derivatives_trading_usds_futures.derivatives_trading_usds_futures import DerivativesTradingUsdsFutures
from binance_sdk_spot.spot import Spot
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

SYMBOL = "BTCUSDT"
NAMES = {"spot": "binance-sdk-spot", "usdm": "binance-sdk-derivatives-trading-usds-futures"}
ORDERS = {"spot": 201, "usdm": 601}


def client(market: str, key: str = "", secret: str = "") -> Any:
    """Return the package's client of *market*."""
    own = door(f"binance-{market}")
    keys = {"api_key": key or own["api_key"], "api_secret": secret or own["api_secret"]}
    stream = own["ws"] + "/stream"
    made = Spot if market == "spot" else DerivativesTradingUsdsFutures
    return made(
        config_rest_api=ConfigurationRestAPI(base_path=own["rest"], timeout=10_000, retries=1, backoff=10, **keys),
        config_ws_api=ConfigurationWebSocketAPI(stream_url=own["ws_api"], timeout=10_000, **keys),
        config_ws_streams=ConfigurationWebSocketStreams(stream_url=stream),
    )


def plain(found: Any) -> Any:
    """Return what a package's model holds, by the venue's own names."""
    if hasattr(found, "data") and callable(found.data):
        found = found.data()
    if hasattr(found, "actual_instance"):
        found = found.actual_instance
    if isinstance(found, list):
        return [plain(each) for each in found]
    return found.model_dump(by_alias=True) if hasattr(found, "model_dump") else found


class Session:
    """Calls of one package."""

    def __init__(self, market: str) -> None:
        self.market = market
        self.calls = Calls(NAMES[market], version(NAMES[market]), market)
        self.client = client(market)
        self.rest = self.client.rest_api

    def run(self, name: str, call: Callable[[], Any], check: Callable[[Any], object] = lambda found: True) -> Any:
        def made() -> Any:
            found = plain(call())
            if not check(found):
                raise AssertionError(f"came {str(found)[:300]}")
            return found

        return self.calls.run(name, made)

    async def run_async(
        self, name: str, call: Callable[[], Any], check: Callable[[Any], object] = lambda found: True
    ) -> Any:
        async def made() -> Any:
            found = plain(await call())
            if not check(found):
                raise AssertionError(f"came {str(found)[:300]}")
            return found

        return await self.calls.run_async(name, made)

    def refuse(self, name: str, kind: type[Error], code: int, call: Callable[[], Any]) -> None:
        """Make *call*, which must raise *kind* with the venue's *code* (0: it carries none)."""

        def made() -> str:
            try:
                call()
            except kind as error:
                if code:
                    require("code", error.status_code, code)
                return f"{type(error).__name__} {code}" if code else type(error).__name__
            raise AssertionError(f"should have raised {kind.__name__}")

        self.calls.run(name, made)

    def low(self, rate: float = 0.98) -> float:
        depth = self.rest.depth if self.market == "spot" else self.rest.order_book
        bid = float(plain(depth(symbol=SYMBOL, limit=5))["bids"][0][0])
        return round(bid * rate, 2 if self.market == "spot" else 1)


def spot_rest(one: Session) -> None:
    rest = one.rest
    trade_outside("spot")
    one.run("ping", rest.ping)
    one.run("time", rest.time, lambda found: found["serverTime"] > 0)
    one.run("exchange_info", lambda: rest.exchange_info(symbol=SYMBOL), lambda found: len(found["symbols"]) == 1)

    def equal() -> None:
        with halted("spot", 100) as truth:
            book = plain(rest.depth(symbol=SYMBOL, limit=100))
            require_book(truth, book["lastUpdateId"], book["bids"], book["asks"])

    one.calls.run("depth is the exchange's", equal)
    one.run("get_trades", lambda: rest.get_trades(symbol=SYMBOL, limit=5), lambda found: len(found) > 0)
    one.run("historical_trades", lambda: rest.historical_trades(symbol=SYMBOL), lambda found: len(found) > 0)
    one.run("agg_trades", lambda: rest.agg_trades(symbol=SYMBOL), lambda found: len(found) > 0)
    one.run("klines", lambda: rest.klines(symbol=SYMBOL, interval="1m"), lambda found: len(found[0]) == 12)
    one.run("ui_klines", lambda: rest.ui_klines(symbol=SYMBOL, interval="1m"), lambda found: len(found[0]) == 12)
    one.run("avg_price", lambda: rest.avg_price(symbol=SYMBOL), lambda found: float(found["price"]) > 0)
    for name in ("ticker24hr", "ticker_price", "ticker_book_ticker", "ticker_trading_day", "ticker"):
        one.run(name, lambda name=name: getattr(rest, name)(symbol=SYMBOL), lambda found: found["symbol"] == SYMBOL)
    one.run("get_account", rest.get_account, lambda found: found["canTrade"])
    one.run("account_commission", lambda: rest.account_commission(symbol=SYMBOL))
    one.run("rate_limit_order", rest.rate_limit_order, lambda found: len(found) == 2)
    low = one.low()
    order = {"symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "time_in_force": "GTC", "quantity": 0.01, "price": low}
    one.run("order_test", lambda: rest.order_test(**order))
    placed = one.run("new_order", lambda: rest.new_order(**order), lambda found: found["status"] == "NEW") or {}
    number = placed.get("orderId", 0)
    one.run(
        "get_order",
        lambda: rest.get_order(symbol=SYMBOL, order_id=number),
        lambda found: found["clientOrderId"] == placed["clientOrderId"],
    )
    one.run("get_open_orders", lambda: rest.get_open_orders(symbol=SYMBOL), lambda found: len(found) == 1)
    one.run(
        "order_amend_keep_priority",
        lambda: rest.order_amend_keep_priority(symbol=SYMBOL, order_id=number, new_qty=0.005),
        lambda found: float(found["amendedOrder"]["qty"]) == 0.005,
    )
    replaced = one.run(
        "order_cancel_replace",
        lambda: rest.order_cancel_replace(
            **{**order, "price": low - 1}, cancel_replace_mode="STOP_ON_FAILURE", cancel_order_id=number
        ),
        lambda found: found["newOrderResult"] == "SUCCESS",
    )
    if replaced:
        number = replaced["newOrderResponse"]["orderId"]
    one.run(
        "delete_order",
        lambda: rest.delete_order(symbol=SYMBOL, order_id=number),
        lambda found: found["status"] == "CANCELED",
    )
    rest.new_order(**order)
    one.run("delete_open_orders", lambda: rest.delete_open_orders(symbol=SYMBOL), lambda found: len(found) == 1)
    one.run(
        "new_order market",
        lambda: rest.new_order(symbol=SYMBOL, side="BUY", type="MARKET", quantity=0.01),
        lambda found: found["status"] == "FILLED" and found["fills"],
    )
    one.run("my_trades", lambda: rest.my_trades(symbol=SYMBOL), lambda found: found[-1]["isBuyer"])
    one.run("all_orders", lambda: rest.all_orders(symbol=SYMBOL), lambda found: found[-1]["status"] == "FILLED")
    pair = {
        "symbol": SYMBOL,
        "side": "SELL",
        "quantity": 0.01,
        "above_type": "LIMIT_MAKER",
        "above_price": round(low * 1.1, 2),
        "below_type": "STOP_LOSS_LIMIT",
        "below_stop_price": round(low * 0.9, 2),
        "below_price": round(low * 0.89, 2),
        "below_time_in_force": "GTC",
    }
    listed = one.run("order_list_oco", lambda: rest.order_list_oco(**pair), lambda found: len(found["orders"]) == 2)
    if listed:
        number = listed["orderListId"]
        one.run("get_order_list", lambda: rest.get_order_list(order_list_id=number))
        one.run("open_order_list", rest.open_order_list, lambda found: len(found) == 1)
        one.run("delete_order_list", lambda: rest.delete_order_list(symbol=SYMBOL, order_list_id=number))
        one.run("all_order_list", rest.all_order_list, lambda found: len(found) == 1)
    trailing = {"symbol": SYMBOL, "side": "SELL", "type": "STOP_LOSS", "quantity": 0.01, "trailing_delta": 500}
    one.run("new_order trailing", lambda: rest.new_order(**trailing))
    one.run("delete_open_orders of what waits", lambda: rest.delete_open_orders(symbol=SYMBOL), len)
    one.refuse("unknown order", BadRequestError, -2011, lambda: rest.delete_order(symbol=SYMBOL, order_id=999_999_999))
    one.refuse(
        "off the tick", BadRequestError, -1013, lambda: rest.new_order(**{**order, "price": round(low + 0.001, 3)})
    )
    high = round(one.low(1.03), 2)
    one.refuse(
        "post-only that would take",
        BadRequestError,
        -2010,
        lambda: rest.new_order(symbol=SYMBOL, side="BUY", type="LIMIT_MAKER", quantity=0.01, price=high),
    )


def usdm_rest(one: Session) -> None:
    rest = one.rest
    trade_outside("usdm")
    one.run("test_connectivity", rest.test_connectivity)
    one.run("check_server_time", rest.check_server_time, lambda found: found["serverTime"] > 0)
    one.run("exchange_information", rest.exchange_information, lambda found: found["symbols"][0]["symbol"] == SYMBOL)

    def equal() -> None:
        with halted("usdm", 100) as truth:
            book = plain(rest.order_book(symbol=SYMBOL, limit=100))
            require_book(truth, book["lastUpdateId"], book["bids"], book["asks"])

    one.calls.run("order_book is the exchange's", equal)
    one.run("recent_trades_list", lambda: rest.recent_trades_list(symbol=SYMBOL), lambda found: len(found) > 0)
    one.run("old_trades_lookup", lambda: rest.old_trades_lookup(symbol=SYMBOL), lambda found: len(found) > 0)
    one.run("compressed_aggregate_trades_list", lambda: rest.compressed_aggregate_trades_list(symbol=SYMBOL), len)
    candles = {"interval": "1m", "limit": 3}
    one.run("kline_candlestick_data", lambda: rest.kline_candlestick_data(symbol=SYMBOL, **candles), len)
    one.run(
        "continuous_contract_kline_candlestick_data",
        lambda: rest.continuous_contract_kline_candlestick_data(pair=SYMBOL, contract_type="PERPETUAL", **candles),
        len,
    )
    one.run(
        "mark_price_kline_candlestick_data",
        lambda: rest.mark_price_kline_candlestick_data(symbol=SYMBOL, **candles),
        len,
    )
    one.run(
        "index_price_kline_candlestick_data",
        lambda: rest.index_price_kline_candlestick_data(pair=SYMBOL, **candles),
        len,
    )
    one.run("premium_index_kline_data", lambda: rest.premium_index_kline_data(symbol=SYMBOL, **candles))
    one.run("mark_price", lambda: rest.mark_price(symbol=SYMBOL), lambda found: float(found["markPrice"]) > 0)
    one.run("get_funding_rate_history", lambda: rest.get_funding_rate_history(symbol=SYMBOL))
    one.run("get_funding_rate_info", rest.get_funding_rate_info)
    for name in (
        "ticker24hr_price_change_statistics",
        "symbol_price_ticker",
        "symbol_price_ticker_v2",
        "symbol_order_book_ticker",
        "open_interest",
    ):
        one.run(name, lambda name=name: getattr(rest, name)(symbol=SYMBOL), lambda found: found["symbol"] == SYMBOL)
    for name in (
        "account_information_v2",
        "account_information_v3",
        "futures_account_balance_v2",
        "futures_account_balance_v3",
        "futures_account_configuration",
        "get_current_multi_assets_mode",
        "get_current_position_mode",
        "symbol_configuration",
        "notional_and_leverage_brackets",
        "query_user_rate_limit",
        "get_income_history",
        "get_bnb_burn_status",
        "futures_trading_quantitative_rules_indicators",
        "position_adl_quantile_estimation",
    ):
        one.run(name, getattr(rest, name), lambda found: found is not None)
    one.run("users_force_orders", rest.users_force_orders)
    one.run("user_commission_rate", lambda: rest.user_commission_rate(symbol=SYMBOL))
    one.run("change_initial_leverage", lambda: rest.change_initial_leverage(symbol=SYMBOL, leverage=5))
    one.refuse(
        "change_margin_type to what it is",
        BadRequestError,
        -4046,
        lambda: rest.change_margin_type(symbol=SYMBOL, margin_type="CROSSED"),
    )
    low = one.low()
    order = {"symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "time_in_force": "GTC", "quantity": 0.01, "price": low}
    one.run("test_order", lambda: rest.test_order(**order))
    placed = one.run("new_order", lambda: rest.new_order(**order), lambda found: found["status"] == "NEW") or {}
    number = placed.get("orderId", 0)
    one.run("query_order", lambda: rest.query_order(symbol=SYMBOL, order_id=number))
    one.run("query_current_open_order", lambda: rest.query_current_open_order(symbol=SYMBOL, order_id=number))
    one.run("current_all_open_orders", lambda: rest.current_all_open_orders(symbol=SYMBOL), lambda it: len(it) == 1)
    one.run(
        "modify_order",
        lambda: rest.modify_order(symbol=SYMBOL, side="BUY", quantity=0.02, price=low, order_id=number),
        lambda found: float(found["origQty"]) == 0.02,
    )
    one.run("get_order_modify_history", lambda: rest.get_order_modify_history(symbol=SYMBOL, order_id=number), len)
    one.run("cancel_order", lambda: rest.cancel_order(symbol=SYMBOL, order_id=number))
    many = [
        {"symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01", "price": str(low)}
        for _ in range(2)
    ]
    made = one.run("place_multiple_orders", lambda: rest.place_multiple_orders(batch_orders=many), len)
    if made:
        numbers = [each["orderId"] for each in made]
        changes = [
            {"symbol": SYMBOL, "orderId": each, "side": "BUY", "quantity": "0.02", "price": str(low)}
            for each in numbers
        ]
        one.run("modify_multiple_orders", lambda: rest.modify_multiple_orders(batch_orders=changes), len)
        one.run(
            "cancel_multiple_orders",
            lambda: rest.cancel_multiple_orders(symbol=SYMBOL, order_id_list=numbers),
            lambda found: [each["status"] for each in found] == ["CANCELED", "CANCELED"],
        )
    rest.new_order(**order)
    one.run("auto_cancel_all_open_orders", lambda: rest.auto_cancel_all_open_orders(symbol=SYMBOL, countdown_time=0))
    one.run("cancel_all_open_orders", lambda: rest.cancel_all_open_orders(symbol=SYMBOL))
    one.run("new_order market", lambda: rest.new_order(symbol=SYMBOL, side="BUY", type="MARKET", quantity=0.01))
    one.run("account_trade_list", lambda: rest.account_trade_list(symbol=SYMBOL), lambda found: found[-1]["buyer"])
    one.run("all_orders", lambda: rest.all_orders(symbol=SYMBOL), lambda found: found[-1]["status"] == "FILLED")
    for name in ("position_information_v2", "position_information_v3"):
        one.run(
            name,
            lambda name=name: getattr(rest, name)(symbol=SYMBOL),
            lambda found: float(found[0]["positionAmt"]) == 0.01,
        )
    stop = {"symbol": SYMBOL, "side": "SELL", "type": "STOP_MARKET", "quantity": 0.01, "trigger_price": low}
    algo = one.run("new_algo_order", lambda: rest.new_algo_order(algo_type="CONDITIONAL", **stop)) or {}
    one.run("query_algo_order", lambda: rest.query_algo_order(algo_id=algo["algoId"]))
    one.run("current_all_algo_open_orders", rest.current_all_algo_open_orders, lambda found: len(found) == 1)
    one.run("cancel_algo_order", lambda: rest.cancel_algo_order(algo_id=algo["algoId"]))
    one.run("query_all_algo_orders", lambda: rest.query_all_algo_orders(symbol=SYMBOL), len)
    one.run("cancel_all_algo_open_orders", lambda: rest.cancel_all_algo_open_orders(symbol=SYMBOL))
    one.run("start_user_data_stream", rest.start_user_data_stream, lambda found: found["listenKey"])
    one.run("keepalive_user_data_stream", rest.keepalive_user_data_stream)
    one.run("close_user_data_stream", rest.close_user_data_stream)
    one.refuse("unknown order", BadRequestError, -2011, lambda: rest.cancel_order(symbol=SYMBOL, order_id=999_999_999))
    one.refuse(
        "off the tick", BadRequestError, -4014, lambda: rest.new_order(**{**order, "price": round(low + 0.05, 2)})
    )
    one.refuse(
        "post-only that would take",
        BadRequestError,
        -5022,
        lambda: rest.new_order(**{**order, "time_in_force": "GTX", "price": one.low(1.03)}),
    )
    one.refuse("too much", BadRequestError, -2019, lambda: rest.new_order(**{**order, "quantity": 900}))


def refusals(one: Session) -> None:
    own = door(f"binance-{one.market}")

    def asks(key: str = "", secret: str = "") -> Any:
        rest = client(one.market, key, secret).rest_api
        return rest.get_account if one.market == "spot" else rest.account_information_v3

    one.refuse("secret changed", BadRequestError, -1022, asks(secret=wrong(own["api_secret"])))
    one.refuse("key unknown", UnauthorizedError, -2015, asks(key=wrong(own["api_key"])))
    ask = asks()
    with slow_exchange():
        one.refuse("clock ahead", BadRequestError, -1021, ask)
    for status, kind, code in (("429", TooManyRequestsError, -1003), ("418", RateLimitBanError, -1003)):
        answer_once(status, one.market, "ccount")
        one.refuse(status, kind, code, ask)
    answer_once("5xx", one.market, "ccount", times=2)
    one.refuse("5xx, and 5xx when it is tried again", ServerError, 0, ask)
    answer_once("5xx", one.market, "ccount")
    one.run("5xx, and served when it is tried again", ask)
    rest = client(one.market, *account(f"sdk {one.market}")).rest_api
    low = one.low()

    def too_many() -> None:
        for _ in range(ORDERS[one.market]):
            rest.new_order(symbol=SYMBOL, side="BUY", type="LIMIT", time_in_force="IOC", quantity=0.01, price=low)

    one.refuse("orders past the limit", TooManyRequestsError, -1015, too_many)


async def frames(one: Session) -> None:
    """Orders over the WebSocket API."""
    api = one.client.websocket_api
    await api.create_connection()
    low = one.low()
    order = {"symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "time_in_force": "GTC", "quantity": 0.01, "price": low}
    try:
        if one.market == "spot":
            await one.run_async("WebSocket ping", api.ping)
            await one.run_async("WebSocket time", api.time)
            await one.run_async("WebSocket exchange_info", lambda: api.exchange_info(symbol=SYMBOL))
            await one.run_async("WebSocket depth", lambda: api.depth(symbol=SYMBOL, limit=5))
            await one.run_async("WebSocket trades_recent", lambda: api.trades_recent(symbol=SYMBOL))
            await one.run_async("WebSocket klines", lambda: api.klines(symbol=SYMBOL, interval="1m"))
            await one.run_async("WebSocket ticker_book", lambda: api.ticker_book(symbol=SYMBOL))
            await one.run_async("WebSocket ticker_price", lambda: api.ticker_price(symbol=SYMBOL))
            await one.run_async("WebSocket ticker24hr", lambda: api.ticker24hr(symbol=SYMBOL))
            await one.run_async("WebSocket account_status", api.account_status)
            await one.run_async("WebSocket account_rate_limits_orders", api.account_rate_limits_orders)
            await one.run_async("WebSocket order_test", lambda: api.order_test(**order))
            heard: asyncio.Queue[Any] = asyncio.Queue()
            told = await one.calls.run_async(
                "user_data_stream_subscribe_signature", api.user_data_stream_subscribe_signature
            )
            if told is not None:
                told.stream.on("message", lambda event: heard.put_nowait(event.actual_instance))
            placed = await one.run_async("order_place", lambda: api.order_place(**order))
            number = placed["result"]["orderId"]
            if told is not None:
                await one.run_async("executionReport", lambda: _event(heard, "ExecutionReport", "NEW"))
            await one.run_async("order_status", lambda: api.order_status(symbol=SYMBOL, order_id=number))
            await one.run_async("open_orders_status", lambda: api.open_orders_status(symbol=SYMBOL))
            await one.run_async(
                "order_amend_keep_priority over WebSocket",
                lambda: api.order_amend_keep_priority(symbol=SYMBOL, order_id=number, new_qty=0.005),
            )
            replaced = await one.run_async(
                "order_cancel_replace over WebSocket",
                lambda: api.order_cancel_replace(
                    **{**order, "price": low - 1}, cancel_replace_mode="STOP_ON_FAILURE", cancel_order_id=number
                ),
            )
            number = replaced["result"]["newOrderResponse"]["orderId"] if replaced else number
            await one.run_async("order_cancel", lambda: api.order_cancel(symbol=SYMBOL, order_id=number))
            await api.order_place(**order)
            await one.run_async("open_orders_cancel_all", lambda: api.open_orders_cancel_all(symbol=SYMBOL))
            await one.run_async(
                "order_place market",
                lambda: api.order_place(symbol=SYMBOL, side="BUY", type="MARKET", quantity=0.01),
                lambda found: found["result"]["status"] == "FILLED",
            )
            if told is not None:
                await one.run_async("fill told", lambda: _event(heard, "ExecutionReport", "FILLED"))
                await one.run_async("outboundAccountPosition", lambda: _event(heard, "OutboundAccountPosition"))
            await one.run_async("my_trades over WebSocket", lambda: api.my_trades(symbol=SYMBOL))
            await one.run_async("all_orders over WebSocket", lambda: api.all_orders(symbol=SYMBOL))
            unknown = api.order_cancel(symbol=SYMBOL, order_id=999_999_999)
        else:
            await one.run_async("WebSocket order_book", lambda: api.order_book(symbol=SYMBOL, limit=5))
            await one.run_async("WebSocket symbol_price_ticker", lambda: api.symbol_price_ticker(symbol=SYMBOL))
            await one.run_async(
                "WebSocket symbol_order_book_ticker", lambda: api.symbol_order_book_ticker(symbol=SYMBOL)
            )
            for name in (
                "account_information",
                "account_information_v2",
                "futures_account_balance",
                "futures_account_balance_v2",
                "position_information",
                "position_information_v2",
                "start_user_data_stream",
                "keepalive_user_data_stream",
            ):
                await one.run_async(f"WebSocket {name}", getattr(api, name))
            placed = await one.run_async("WebSocket new_order", lambda: api.new_order(**order))
            number = placed["result"]["orderId"]
            await one.run_async("WebSocket query_order", lambda: api.query_order(symbol=SYMBOL, order_id=number))
            await one.run_async(
                "WebSocket modify_order",
                lambda: api.modify_order(symbol=SYMBOL, side="BUY", quantity=0.02, price=low, order_id=number),
            )
            await one.run_async("WebSocket cancel_order", lambda: api.cancel_order(symbol=SYMBOL, order_id=number))
            stop = {"symbol": SYMBOL, "side": "SELL", "type": "STOP_MARKET", "quantity": 0.01, "trigger_price": low}
            algo = await one.run_async(
                "WebSocket new_algo_order", lambda: api.new_algo_order(algo_type="CONDITIONAL", **stop)
            )
            if algo:
                await one.run_async(
                    "WebSocket cancel_algo_order", lambda: api.cancel_algo_order(algo_id=algo["result"]["algoId"])
                )
            await one.run_async("WebSocket close_user_data_stream", api.close_user_data_stream)
            unknown = api.cancel_order(symbol=SYMBOL, order_id=999_999_999)

        # The packages raise nothing over this API: they hand over what the venue answered.
        async def refused() -> str:
            code = (await unknown).data()["error"]["code"]
            require("code", code, -2011)
            return str(code)

        await one.calls.run_async("unknown order over WebSocket", refused)
    finally:
        await api.close_connection(close_session=True)


async def streams(one: Session) -> None:
    market = one.market
    feed = one.client.websocket_streams
    await feed.create_connection()
    busy = asyncio.ensure_future(keep_trading(market))
    symbol = SYMBOL.lower()
    calls: dict[str, Callable[[], Any]] = (
        {
            "trade": lambda: feed.trade(symbol=symbol),
            "agg_trade": lambda: feed.agg_trade(symbol=symbol),
            "book_ticker": lambda: feed.book_ticker(symbol=symbol),
            "partial_book_depth": lambda: feed.partial_book_depth(symbol=symbol, levels="10"),
            "kline": lambda: feed.kline(symbol=symbol, interval="1m"),
            "mini_ticker": lambda: feed.mini_ticker(symbol=symbol),
            "ticker": lambda: feed.ticker(symbol=symbol),
            "avg_price": lambda: feed.avg_price(symbol=symbol),
            "all_mini_ticker": feed.all_mini_ticker,
        }
        if market == "spot"
        else {
            "aggregate_trade_streams": lambda: feed.aggregate_trade_streams(symbol=symbol),
            "individual_symbol_book_ticker_streams": lambda: feed.individual_symbol_book_ticker_streams(symbol=symbol),
            "partial_book_depth_streams": lambda: feed.partial_book_depth_streams(symbol=symbol, levels=10),
            "kline_candlestick_streams": lambda: feed.kline_candlestick_streams(symbol=symbol, interval="1m"),
            "mark_price_stream": lambda: feed.mark_price_stream(symbol=symbol, update_speed="1s"),
            "mark_price_stream_for_all_market": lambda: feed.mark_price_stream_for_all_market(update_speed="1s"),
            "individual_symbol_ticker_streams": lambda: feed.individual_symbol_ticker_streams(symbol=symbol),
            "individual_symbol_mini_ticker_stream": lambda: feed.individual_symbol_mini_ticker_stream(symbol=symbol),
            "all_book_tickers_stream": feed.all_book_tickers_stream,
            "all_market_mini_tickers_stream": feed.all_market_mini_tickers_stream,
            "continuous_contract_kline_candlestick_streams": lambda: feed.continuous_contract_kline_candlestick_streams(
                pair=symbol, contract_type="perpetual", interval="1m"
            ),
        }
    )
    try:
        for name, call in calls.items():
            await one.run_async(name, lambda call=call: _first(call), bool)
        depth = feed.diff_book_depth if market == "spot" else feed.diff_book_depth_streams
        await one.calls.run_async("watched book is the exchange's", lambda: _equal(one, depth(symbol=symbol)))
        if market == "usdm":
            await private(one, feed)
    finally:
        busy.cancel()
        await feed.close_connection(close_session=True)


async def private(one: Session, feed: Any) -> None:
    heard: asyncio.Queue[Any] = asyncio.Queue()
    key = plain(one.rest.start_user_data_stream())["listenKey"]
    stream = await one.calls.run_async("user_data", lambda: feed.user_data(key))
    stream.on("message", lambda event: heard.put_nowait(event.actual_instance))
    await asyncio.sleep(0.3)
    one.rest.new_order(symbol=SYMBOL, side="BUY", type="MARKET", quantity=0.01)
    await one.run_async("ORDER_TRADE_UPDATE", lambda: _event(heard, "OrderTradeUpdate"))
    await one.run_async("ACCOUNT_UPDATE", lambda: _event(heard, "AccountUpdate"))


async def _first(call: Callable[[], Any]) -> Any:
    heard: asyncio.Queue[Any] = asyncio.Queue()
    stream = await call()
    stream.on("message", lambda event: heard.put_nowait(plain(event)))
    found = await heard.get()
    await stream.unsubscribe()
    return found


async def _event(heard: asyncio.Queue[Any], name: str, status: str = "") -> Any:
    """Return the next event of the package's class *name*."""
    while True:
        event = await heard.get()
        if type(event).__name__ == name and status in ("", getattr(event, "X", "")):
            return event


async def _equal(one: Session, making: Any) -> None:
    """Keep a book from the package's own events and compare it with the exchange's."""
    book = Book(one.market == "spot")
    begun = asyncio.Event()

    def take(event: Any) -> None:
        book.update(plain(event))
        begun.set()

    stream = await making
    stream.on("message", take)
    await begun.wait()
    depth = one.rest.depth if one.market == "spot" else one.rest.order_book
    snapshot = plain(depth(symbol=SYMBOL, limit=1000))
    book.begin(snapshot["lastUpdateId"], snapshot["bids"], snapshot["asks"])
    await asyncio.sleep(1.0)
    with halted(one.market) as truth:
        for _ in range(100):
            if book.sequence == truth["sequence"]:
                break
            await asyncio.sleep(0.05)
        require_book(truth, book.sequence, book.bids[: len(truth["bids"])], book.offers[: len(truth["offers"])])


async def keep_trading(market: str) -> None:
    while True:
        await asyncio.to_thread(trade_outside, market)
        await asyncio.sleep(0.2)


if __name__ == "__main__":
    for market in sys.argv[1:] or NAMES:
        session = Session(market)
        (spot_rest if market == "spot" else usdm_rest)(session)
        asyncio.run(frames(session))
        asyncio.run(streams(session))
        refusals(session)
