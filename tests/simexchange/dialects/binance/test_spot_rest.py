"""The spot door over REST: market data, orders, errors and limits as clients meet them."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import pytest

if TYPE_CHECKING:
    from tests.simexchange.dialects.binance.world import World


ORDER = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.01&price=40000.00"


def test_what_everybody_may_ask(world: World) -> None:
    world.limit("BUY", "40000", "0.5", name="other")
    world.limit("SELL", "40001", "1", name="other")
    world.limit("BUY", "40001", "0.25")
    assert world.got("/api/v3/ping") == {}
    assert world.got("/api/v3/time") == {"serverTime": world.now_ns // 1_000_000}
    assert world.got("/api/v3/depth", "symbol=BTCUSDT&limit=50") == {
        "lastUpdateId": world.exchange.book("BTCUSDT").sequence,
        "bids": [["40000.00000000", "0.50000000"]],
        "asks": [["40001.00000000", "0.75000000"]],
    }
    [trade] = world.got("/api/v3/trades", "symbol=BTCUSDT")
    assert (trade["price"], trade["qty"], trade["isBuyerMaker"]) == ("40001.00000000", "0.25000000", False)
    assert world.got("/api/v3/historicalTrades", f"symbol=BTCUSDT&fromId={trade['id']}") == [trade]
    [aggregate] = world.got("/api/v3/aggTrades", "symbol=BTCUSDT")
    assert (aggregate["p"], aggregate["q"], aggregate["f"], aggregate["l"]) == (
        "40001.00000000",
        "0.25000000",
        trade["id"],
        trade["id"],
    )
    [candle] = world.got("/api/v3/klines", "symbol=BTCUSDT&interval=1m&limit=1")
    assert candle[1:6] == ["40001.00000000"] * 4 + ["0.25000000"]
    assert candle[6] - candle[0] == 59_999
    assert world.got("/api/v3/avgPrice", "symbol=BTCUSDT")["price"] == "40001.00000000"
    assert world.got("/api/v3/ticker/price", "symbol=BTCUSDT") == {"symbol": "BTCUSDT", "price": "40001.00000000"}
    assert [entry["symbol"] for entry in world.got("/api/v3/ticker/price")] == ["BTCUSDT", "ETHUSDT"]
    assert world.got("/api/v3/ticker/bookTicker", "symbols=%5B%22BTCUSDT%22%5D") == [
        {
            "symbol": "BTCUSDT",
            "bidPrice": "40000.00000000",
            "bidQty": "0.50000000",
            "askPrice": "40001.00000000",
            "askQty": "0.75000000",
        }
    ]
    day = world.got("/api/v3/ticker/24hr", "symbol=BTCUSDT")
    assert (day["lastPrice"], day["volume"], day["count"]) == ("40001.00000000", "0.25000000", 1)


def test_matches_of_one_taker_at_one_price_are_one_aggregate_and_candles_without_trades_are_flat(world: World) -> None:
    for quantity in ("0.1", "0.2"):
        world.limit("SELL", "40000", quantity, name="other")
    world.limit("SELL", "40001", "1", name="other")
    world.limit("BUY", "40001", "0.4")
    found = [
        (entry["p"], entry["q"], entry["l"] - entry["f"]) for entry in world.got("/api/v3/aggTrades", "symbol=BTCUSDT")
    ]
    assert found == [("40000.00000000", "0.30000000", 1), ("40001.00000000", "0.10000000", 0)]
    world.pass_time(180)
    candles = world.got("/api/v3/klines", f"symbol=BTCUSDT&interval=1m&startTime={world.now_ns // 1_000_000 - 240_000}")
    assert [(candle[1], candle[4], candle[8]) for candle in candles] == [
        ("40000.00000000", "40001.00000000", 3),
        ("40001.00000000", "40001.00000000", 0),
        ("40001.00000000", "40001.00000000", 0),
        ("40001.00000000", "40001.00000000", 0),
    ]
    world_error = world.got("/api/v3/klines", "symbol=BTCUSDT&interval=7m", 400)
    assert world_error == {"code": -1120, "msg": "Invalid interval."}


def test_instruments_are_told_with_their_filters_price_first(world: World) -> None:
    info = world.got("/api/v3/exchangeInfo", "symbol=BTCUSDT")
    [symbol] = info["symbols"]
    filters = {entry["filterType"]: entry for entry in symbol["filters"]}
    assert symbol["filters"][0]["tickSize"] == "0.01000000"
    assert filters["LOT_SIZE"]["stepSize"] == "0.00001000"
    assert filters["NOTIONAL"]["minNotional"] == "5.00000000"
    assert filters["MAX_NUM_ORDERS"]["maxNumOrders"] == 200
    assert {entry["rateLimitType"] for entry in info["rateLimits"]} == {"REQUEST_WEIGHT", "RAW_REQUESTS", "ORDERS"}
    assert (symbol["baseAsset"], symbol["quoteAsset"], symbol["status"]) == ("BTC", "USDT", "TRADING")
    assert len(world.got("/api/v3/exchangeInfo")["symbols"]) == 2
    assert world.got("/api/v3/exchangeInfo", 'symbols=["BTCUSDT","NONE"]', 400)["code"] == -1121


@pytest.mark.parametrize("in_body", [False, True])
def test_an_order_lives_and_is_told_everywhere(world: World, in_body: bool) -> None:
    placed = world.sent("POST", "/api/v3/order", f"{ORDER}&newClientOrderId=sim-1", in_body=in_body)
    assert (placed["status"], placed["clientOrderId"], placed["fills"]) == ("NEW", "sim-1", [])
    assert (placed["origQty"], placed["executedQty"], placed["cummulativeQuoteQty"]) == (
        "0.01000000",
        "0.00000000",
        "0.00000000",
    )
    number = placed["orderId"]
    asked = world.sent("GET", "/api/v3/order", f"symbol=BTCUSDT&orderId={number}", in_body=in_body)
    assert (asked["status"], asked["isWorking"], asked["time"]) == ("NEW", True, placed["transactTime"])
    assert world.sent("GET", "/api/v3/openOrders", "symbol=BTCUSDT") == [asked]
    balances = {entry["asset"]: entry for entry in world.sent("GET", "/api/v3/account")["balances"]}
    assert balances["USDT"] == {"asset": "USDT", "free": "9999600.00000000", "locked": "400.00000000"}
    amended = world.sent(
        "PUT", "/api/v3/order/amend/keepPriority", f"symbol=BTCUSDT&orderId={number}&newQty=0.005", in_body=in_body
    )
    assert amended["amendedOrder"]["qty"] == "0.00500000"
    canceled = world.sent(
        "DELETE", "/api/v3/order", "symbol=BTCUSDT&origClientOrderId=sim-1&newClientOrderId=bye", in_body=in_body
    )
    assert (canceled["status"], canceled["origClientOrderId"], canceled["clientOrderId"]) == (
        "CANCELED",
        "sim-1",
        "bye",
    )
    assert world.sent("GET", "/api/v3/openOrders") == []
    assert [entry["status"] for entry in world.sent("GET", "/api/v3/allOrders", "symbol=BTCUSDT")] == ["CANCELED"]


def test_fills_are_told_in_the_answer_and_afterwards(world: World) -> None:
    world.limit("SELL", "40000", "0.006", name="other")
    world.limit("SELL", "40001", "1", name="other")
    placed = world.limit("BUY", "40001", "0.01")
    assert (placed["status"], placed["executedQty"], placed["cummulativeQuoteQty"]) == (
        "FILLED",
        "0.01000000",
        "400.00400000",
    )
    assert [(fill["price"], fill["qty"], fill["commission"], fill["commissionAsset"]) for fill in placed["fills"]] == [
        ("40000.00000000", "0.00600000", "0.00000600", "BTC"),
        ("40001.00000000", "0.00400000", "0.00000400", "BTC"),
    ]
    trades = world.sent("GET", "/api/v3/myTrades", f"symbol=BTCUSDT&orderId={placed['orderId']}")
    assert [(trade["id"], trade["isBuyer"], trade["isMaker"]) for trade in trades] == [
        (fill["tradeId"], True, False) for fill in placed["fills"]
    ]
    market = world.sent("POST", "/api/v3/order", "symbol=BTCUSDT&side=BUY&type=MARKET&quoteOrderQty=100")
    assert (market["status"], market["executedQty"], market["origQuoteOrderQty"]) == (
        "FILLED",
        "0.00249000",
        "100.00000000",
    )


@pytest.mark.parametrize(
    ("form", "has_status", "has_fills"), [("ACK", False, False), ("RESULT", True, False), ("FULL", True, True)]
)
def test_answers_have_the_form_that_was_asked_for(world: World, form: str, has_status: bool, has_fills: bool) -> None:
    placed = world.sent("POST", "/api/v3/order", f"{ORDER}&newOrderRespType={form}")
    assert ("status" in placed, "fills" in placed) == (has_status, has_fills)


def test_what_does_not_rest_expires(world: World) -> None:
    for tif in ("IOC", "FOK"):
        placed = world.sent("POST", "/api/v3/order", ORDER.replace("GTC", tif))
        assert (placed["status"], placed["executedQty"]) == ("EXPIRED", "0.00000000")


# Bad orders: what is changed in ORDER (None: left out), the venue's code and text.
REFUSED: list[tuple[dict[str, str | None], int, str]] = [
    ({"symbol": None}, -1102, "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed."),
    ({"symbol": "BTC/USDT"}, -1100, "Illegal characters found in parameter 'symbol'"),
    ({"symbol": "NOPE"}, -1121, "Invalid symbol."),
    ({"side": "UP"}, -1117, "Invalid side."),
    ({"type": "ODD"}, -1116, "Invalid orderType."),
    ({"timeInForce": "GTX"}, -1115, "Invalid timeInForce."),
    ({"timeInForce": None}, -1102, "Mandatory parameter 'timeInForce'"),
    ({"quantity": None}, -1102, "Mandatory parameter 'quantity'"),
    ({"price": None}, -1102, "Mandatory parameter 'price'"),
    ({"price": "abc"}, -1100, "Illegal characters found in parameter 'price'"),
    ({"price": "1e5"}, -1100, "Illegal characters found in parameter 'price'"),
    ({"price": "40000.123456789"}, -1111, "Parameter 'price' has too much precision."),
    ({"price": "0"}, -1013, "Invalid price."),
    ({"quantity": "0"}, -1013, "Invalid quantity."),
    ({"price": "40000.001"}, -1013, "Filter failure: PRICE_FILTER"),
    ({"price": "1000000000"}, -1013, "Filter failure: PRICE_FILTER"),
    ({"quantity": "0.010001"}, -1013, "Filter failure: LOT_SIZE"),
    ({"quantity": "100000"}, -1013, "Filter failure: LOT_SIZE"),
    ({"quantity": "0.0001"}, -1013, "Filter failure: NOTIONAL"),
    ({"price": "0.001", "quantity": "0.000001"}, -1013, "Filter failure: PRICE_FILTER"),
    ({"quantity": "1000"}, -2010, "Account has insufficient balance for requested action."),
    ({"newClientOrderId": "not allowed"}, -1100, "parameter 'newClientOrderId'; legal range is"),
    ({"type": "LIMIT_MAKER"}, -1106, "Parameter 'timeInForce' sent when not required."),
    ({"type": "MARKET", "timeInForce": None}, -1106, "Parameter 'price' sent when not required."),
    ({"type": "STOP_LOSS_LIMIT"}, -1102, "Mandatory parameter 'stopPrice'"),
    ({"selfTradePreventionMode": "TRANSFER"}, -2010, "self-trade prevention mode"),
    ({"trailingDelta": "100"}, -1106, "sent when not required"),
    ({"newOrderRespType": "LONG"}, -1130, "Data sent for parameter 'newOrderRespType' is not valid."),
    ({"recvWindow": "70000"}, -1131, "recvWindow must be less than 60000."),
]


@pytest.mark.parametrize(("change", "code", "text"), REFUSED)
def test_bad_orders_are_refused_with_the_venues_words_and_leave_nothing(
    world: World, change: dict[str, str | None], code: int, text: str
) -> None:
    values: dict[str, str | None] = {**dict(parse_qsl(ORDER)), **change}
    order = "&".join(f"{name}={value.replace(' ', '%20')}" for name, value in values.items() if value is not None)
    for path in ("/api/v3/order", "/api/v3/order/test"):
        answer = world.sent("POST", path, order, status=400)
        assert answer["code"] == code
        assert text in answer["msg"]
    assert world.sent("GET", "/api/v3/openOrders") == []
    assert world.exchange.balances("me")["USDT"] == (Decimal(10_000_000), Decimal(0))


def test_post_only_duplicates_and_unknown_orders(world: World) -> None:
    world.limit("SELL", "40000", "1", name="other")
    maker = ORDER.replace("LIMIT&timeInForce=GTC", "LIMIT_MAKER")
    assert world.sent("POST", "/api/v3/order", maker, status=400) == {
        "code": -2010,
        "msg": "Order would immediately match and take.",
    }
    world.limit("BUY", "39000", "0.01", more="&newClientOrderId=same")
    twice = ORDER.replace("40000", "39000") + "&newClientOrderId=same"
    assert world.sent("POST", "/api/v3/order", twice, status=400)["msg"] == "Duplicate order sent."
    for verb, text, code in (
        ("GET", "orderId=99", -2013),
        ("DELETE", "orderId=99", -2011),
        ("DELETE", "origClientOrderId=none", -2011),
        ("GET", "", -1102),
    ):
        assert world.sent(verb, "/api/v3/order", f"symbol=BTCUSDT&{text}".strip("&"), status=400)["code"] == code
    assert len(world.sent("DELETE", "/api/v3/openOrders", "symbol=BTCUSDT")) == 1
    assert world.sent("DELETE", "/api/v3/openOrders", "symbol=BTCUSDT", status=400)["code"] == -2011
    assert world.sent("POST", "/api/v3/order/test", ORDER) == {}


def test_cancel_restrictions(world: World) -> None:
    number = world.limit("BUY", "40000", "0.01")["orderId"]
    path, text = "/api/v3/order", f"symbol=BTCUSDT&orderId={number}&cancelRestrictions="
    assert world.sent("DELETE", path, text + "ONLY_OLD", status=400)["code"] == -1145
    refused = world.sent("DELETE", path, text + "ONLY_PARTIALLY_FILLED", status=400)
    assert refused == {"code": -2011, "msg": "Order was not canceled due to cancel restrictions."}
    assert world.sent("DELETE", path, text + "ONLY_NEW")["status"] == "CANCELED"


@pytest.mark.parametrize(
    ("mode", "cancels", "quantity", "status", "code", "results"),
    [
        ("STOP_ON_FAILURE", True, "0.02", 200, 0, ("SUCCESS", "SUCCESS")),
        ("STOP_ON_FAILURE", False, "0.02", 400, -2022, ("FAILURE", "NOT_ATTEMPTED")),
        ("STOP_ON_FAILURE", True, "1000", 409, -2021, ("SUCCESS", "FAILURE")),
        ("ALLOW_FAILURE", False, "0.02", 409, -2021, ("FAILURE", "SUCCESS")),
        ("ALLOW_FAILURE", False, "1000", 400, -2022, ("FAILURE", "FAILURE")),
    ],
)
def test_cancel_replace(
    world: World, mode: str, cancels: bool, quantity: str, status: int, code: int, results: tuple[str, str]
) -> None:
    number = world.limit("BUY", "40000", "0.01")["orderId"]
    order = ORDER.replace("0.01", quantity)
    text = f"{order}&cancelReplaceMode={mode}&cancelOrderId={number if cancels else 99}"
    answer = world.sent("POST", "/api/v3/order/cancelReplace", text, status=status)
    assert answer.get("code", 0) == code
    data: dict[str, Any] = answer["data"] if code else answer
    assert (data["cancelResult"], data["newOrderResult"]) == results
    opened = [entry["orderId"] for entry in world.sent("GET", "/api/v3/openOrders")]
    assert (number in opened) == (not cancels)
    assert (len(opened) - (not cancels)) == (results[1] == "SUCCESS")


def test_one_character_of_the_secret_the_clock_and_the_key_are_three_errors(world: World) -> None:
    text = f"timestamp={world.now_ns // 1_000_000}"
    for changed, key, status, code in (
        (f"{text}&signature={'0' * 64}", "me-key", 400, -1022),
        (f"timestamp={world.now_ns // 1_000_000 + 60_000}&signature=00", "me-key", 400, -1021),
        (f"{text}&signature=00", "you-key", 401, -2015),
        (f"{text}&signature=00", "", 401, -2014),
        (text, "me-key", 400, -1102),
        ("", "me-key", 400, -1102),
    ):
        answer = world.ask("GET", "/api/v3/account", changed, x_mbx_apikey=key)
        assert (answer.status, json.loads(answer.body)["code"]) == (status, code)


def test_one_order_more_than_allowed_is_refused_until_the_venues_second(world: World) -> None:
    order = ORDER.replace("quantity=0.01", "quantity=0.001")
    for number in range(100):
        world.sent("POST", "/api/v3/order", f"{order}&newClientOrderId=n{number}")
    refused = world.sent("POST", "/api/v3/order", order, status=429)
    assert refused == {"code": -1015, "msg": "Too many new orders; current limit is 100 orders per 10 SECOND."}
    world.limit("BUY", "40000", "0.001", name="other")
    counters = world.sent("GET", "/api/v3/rateLimit/order")
    assert [entry["count"] for entry in counters] == [100, 100]
    world.pass_time(9.999)
    world.sent("POST", "/api/v3/order", order, status=429)
    world.pass_time(0.001)
    assert world.sent("POST", "/api/v3/order", order)["status"] == "NEW"


def test_fees_are_those_of_the_account_else_the_instruments(world: World) -> None:
    world.exchange.open_account("vip", {"USDT": Decimal(1000)}, maker_fee=Decimal(0), taker_fee=Decimal("0.0005"))
    world.exchange.add_key("vip", "vip-key", "vip-secret")
    for name, maker, taker in (("me", "0.00100000", "0.00100000"), ("vip", "0.00000000", "0.00050000")):
        rates = world.sent("GET", "/api/v3/account", name=name)["commissionRates"]
        assert (rates["maker"], rates["taker"]) == (maker, taker)
        commission = world.sent("GET", "/api/v3/account/commission", "symbol=ETHUSDT", name=name)
        assert commission["standardCommission"]["taker"] == taker
        tested = world.sent("POST", "/api/v3/order/test", f"{ORDER}&computeCommissionRates=true", name=name)
        assert tested["standardCommissionForOrder"]["taker"] == taker
        [fee] = world.sent("GET", "/sapi/v1/asset/tradeFee", "symbol=BTCUSDT", name=name)
        assert (fee["makerCommission"], fee["takerCommission"]) == (maker, taker)


def test_an_orders_first_fill_gives_its_count_back(world: World) -> None:
    def counts() -> list[int]:
        return [entry["count"] for entry in world.sent("GET", "/api/v3/rateLimit/order")]

    world.limit("SELL", "40000", "0.02")
    world.limit("SELL", "40001", "0.02")
    assert counts() == [2, 2]
    for _ in range(2):
        world.limit("BUY", "40000", "0.01", name="other")
        assert counts() == [1, 1]
    world.limit("BUY", "39000", "0.01", name="other")
    world.sent("POST", "/api/v3/order", ORDER.replace("40000.00", "40001.00"))
    assert counts() == [0, 0]


def test_orders_are_free_of_weight_and_answers_carry_the_counters(world: World) -> None:
    world.got("/api/v3/depth", "symbol=BTCUSDT&limit=1000")
    first = world.ask("GET", "/api/v3/ping")
    assert first.headers["X-MBX-USED-WEIGHT-1M"] == "51"
    world.limit("BUY", "40000", "0.001")
    assert world.ask("GET", "/api/v3/ping").headers["X-MBX-USED-WEIGHT-1M"] == "52"
    answers = [world.ask("GET", "/api/v3/depth", "symbol=BTCUSDT&limit=5000") for _ in range(24)]
    assert [answer.status for answer in answers] == [200] * 23 + [429]
    assert answers[-1].headers["Retry-After"] == "60"
    assert json.loads(answers[-1].body)["code"] == -1003
    world.pass_time(60)
    assert world.ask("GET", "/api/v3/ping").status == 200


def test_times_in_microseconds_when_asked_for(world: World) -> None:
    answer = world.ask("GET", "/api/v3/time", x_mbx_time_unit="MICROSECOND")
    assert json.loads(answer.body) == {"serverTime": world.now_ns // 1000}


def test_unknown_endpoints_are_answered_in_the_venues_form_and_counted(world: World) -> None:
    for _ in range(2):
        assert world.got("/api/v3/nothing", "", 404)["code"] == -5000
    assert world.door.unserved() == {"GET /api/v3/nothing": 2}


# What clients read before they trade: (verb, path, query) as captured, signed or not.
SIDE = [
    ("/sapi/v1/margin/isolated/allPairs", True, []),
    ("/sapi/v1/margin/allPairs", True, []),
]


@pytest.mark.parametrize(("path", "is_signed", "wanted"), SIDE)
def test_side_endpoints(world: World, path: str, is_signed: bool, wanted: object) -> None:
    assert world.sent("GET", path, "recvWindow=10000") == wanted
    assert world.got("/dapi/v1/exchangeInfo")["symbols"] == []


def test_the_wallet_lists_the_coins_with_what_the_account_has(world: World) -> None:
    coins = {coin["coin"]: coin for coin in world.sent("GET", "/sapi/v1/capital/config/getall", "recvWindow=10000")}
    balances = world.exchange.balances("me")
    assert {"BTC", "USDT"} <= coins.keys()
    assert {name: Decimal(coin["free"]) for name, coin in coins.items() if name in balances} == {
        name: free for name, (free, _) in balances.items()
    }
    assert not any(coin["depositAllEnable"] or coin["withdrawAllEnable"] for coin in coins.values())


def test_the_wallet_says_what_clients_look_at_before_they_trade(world: World) -> None:
    assert world.got("/sapi/v1/system/status") == {"status": 0, "msg": "normal"}
    assert world.sent("GET", "/sapi/v1/account/status", "") == {"data": "Normal"}
    assert world.sent("GET", "/sapi/v1/account/apiTradingStatus", "")["data"]["isLocked"] is False
    assert world.sent("GET", "/sapi/v1/bnbBurn", "")["spotBNBBurn"] is False
    assets = world.sent("POST", "/sapi/v3/asset/getUserAsset", "")
    assert [asset["asset"] for asset in assets] == ["BTC", "ETH", "USDT"]
    assert world.sent("POST", "/sapi/v3/asset/getUserAsset", "asset=ETH") == [assets[1]]


def test_old_clients_are_served_under_the_paths_of_version_1(world: World) -> None:
    assert world.got("/api/v1/depth", "symbol=BTCUSDT") == world.got("/api/v3/depth", "symbol=BTCUSDT")
    key = json.loads(world.ask("POST", "/api/v1/userDataStream", x_mbx_apikey="me-key").body)["listenKey"]
    assert json.loads(world.ask("POST", "/api/v3/userDataStream", x_mbx_apikey="me-key").body)["listenKey"] == key
    assert world.got("/api/v1/account", "", 404)["code"] == -5000


def test_listen_keys_of_old_clients(world: World) -> None:
    key = json.loads(world.ask("POST", "/api/v3/userDataStream", x_mbx_apikey="me-key").body)["listenKey"]
    session, wire = world.connected(f"/ws/{key}")
    world.limit("BUY", "40000", "0.01")
    assert wire.taken()[0]["e"] == "executionReport"
    world.limit("BUY", "40000", "0.01", name="other")
    assert wire.taken() == []
    asked = f"listenKey={key}"
    assert world.ask("PUT", "/api/v3/userDataStream", asked, x_mbx_apikey="me-key").body == b"{}"
    assert json.loads(world.ask("PUT", "/api/v3/userDataStream", asked, x_mbx_apikey="other-key").body)["code"] == -1125
    assert world.ask("DELETE", "/api/v3/userDataStream", asked, x_mbx_apikey="me-key").status == 200
    world.limit("BUY", "40000", "0.01")
    assert wire.taken() == []
    session.closed()


def test_tickers_of_other_times_than_a_day(world: World) -> None:
    for minutes, price in ((0, "40000"), (30, "41000"), (40, "42000")):
        world.pass_time(60 * minutes)
        world.limit("SELL", price, "0.01", name="other")
        world.limit("BUY", price, "0.01")
    asked = "symbol=BTCUSDT&windowSize="
    hour = world.got("/api/v3/ticker", f"{asked}1h")
    assert (hour["openPrice"], hour["lastPrice"], hour["count"]) == ("41000.00000000", "42000.00000000", 2)
    assert (hour["volume"], hour["weightedAvgPrice"], hour["closeTime"] - hour["openTime"]) == (
        "0.02000000",
        "41500.00000000",
        3_600_000,
    )
    assert world.got("/api/v3/ticker", f"{asked}2h")["count"] == 3
    assert world.got("/api/v3/ticker", f"{asked}1m")["priceChange"] == "0.00000000"
    assert "priceChange" not in world.got("/api/v3/ticker", f"{asked}1h&type=MINI")
    assert world.got("/api/v3/ticker", f"{asked}60m", 400)["code"] == -1100
    assert world.got("/api/v3/ticker", "", 400)["code"] == -1128
    day = world.got("/api/v3/ticker/tradingDay", "symbol=BTCUSDT")
    assert day["openTime"] % 86_400_000 == 0
    assert world.got("/api/v3/ticker/tradingDay", "symbol=BTCUSDT&timeZone=-1:00")["openTime"] % 86_400_000 == 3_600_000
    assert world.got("/api/v3/ticker/tradingDay", "symbol=BTCUSDT&timeZone=15", 400)["code"] == -1130
    assert world.got("/api/v3/ticker", "symbol=ETHUSDT")["lastPrice"] == "0.00000000"


def test_history_from_a_number_or_time_on_begins_with_the_oldest(world: World) -> None:
    order = "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.001"
    placed = [world.sent("POST", "/api/v3/order", order) for _ in range(3)]
    trades = [fill["tradeId"] for one in placed for fill in one["fills"]]
    since = placed[0]["transactTime"]

    for since_then in ("fromId=0", f"startTime={since}"):
        told = world.sent("GET", "/api/v3/myTrades", f"symbol=BTCUSDT&limit=2&{since_then}")
        assert [entry["id"] for entry in told] == trades[:2]
    for since_then in ("orderId=0", f"startTime={since}"):
        told = world.sent("GET", "/api/v3/allOrders", f"symbol=BTCUSDT&limit=1&{since_then}")
        assert [entry["orderId"] for entry in told] == [placed[0]["orderId"]]
    assert [entry["id"] for entry in world.sent("GET", "/api/v3/myTrades", "symbol=BTCUSDT&limit=1")] == trades[-1:]
