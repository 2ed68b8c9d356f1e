"""Orders of USD-M futures as the clients send them, and the venue's answer to what is wrong with them."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from tests.simexchange.dialects.binance.handmade import START_NS
from tests.simexchange.dialects.binance.usdm_client import Client

NOW_MS = START_NS // 1_000_000


@pytest.fixture
def client() -> Client:
    return Client()


@pytest.mark.parametrize("in_body", [False, True], ids=["query", "body"])
def test_an_order_is_taken_and_asked_for_by_either_id(client: Client, in_body: bool) -> None:
    order = client.limit(newClientOrderId="x-cvBPrNm9:1", newOrderRespType="RESULT", price="40000.00")
    placed = client.ask("POST", "v1/order", in_body=in_body, **order)
    assert (placed["orderId"], placed["status"], placed["clientOrderId"]) == (1, "NEW", "x-cvBPrNm9:1")
    assert (placed["price"], placed["origQty"], placed["selfTradePreventionMode"]) == (
        "40000.00",
        "0.010",
        "EXPIRE_MAKER",
    )
    assert client.ask("GET", "v1/order", symbol="BTCUSDT", orderId=1) == placed
    assert client.ask("GET", "v1/openOrder", symbol="BTCUSDT", origClientOrderId="x-cvBPrNm9:1") == placed
    assert client.ask("GET", "v1/openOrders") == client.ask("GET", "v1/allOrders", symbol="BTCUSDT") == [placed]
    canceled = client.ask("DELETE", "v1/order", in_body=in_body, symbol="BTCUSDT", orderId=1)
    assert canceled["status"] == "CANCELED"
    assert client.ask("GET", "v1/openOrders", symbol="BTCUSDT") == []
    assert client.fail("GET", "v1/openOrder", symbol="BTCUSDT", orderId=1) == (400, -2013, "Order does not exist.")


@pytest.mark.parametrize(
    ("changed", "code", "text"),
    [
        ({"symbol": "DOGEUSDT"}, -1121, "Invalid symbol."),
        ({"symbol": None}, -1102, "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed."),
        ({"side": "LONG"}, -1117, "Invalid side."),
        ({"type": "LIMIT_MAKER"}, -1116, "Invalid orderType."),
        ({"type": "STOP_MARKET", "stopPrice": "39000"}, -4120, "Order type not supported for this endpoint."),
        ({"type": "TRAILING_STOP_MARKET"}, -4120, "Algo Order API endpoints"),
        ({"timeInForce": None}, -1102, "'timeInForce'"),
        ({"timeInForce": "DAY"}, -1115, "Invalid timeInForce."),
        ({"timeInForce": "GTD"}, -1102, "'goodTillDate'"),
        ({"timeInForce": "GTD", "goodTillDate": NOW_MS + 600_000}, -5040, "goodTillDate"),
        ({"quantity": "0"}, -4003, "Quantity less than or equal to zero."),
        ({"quantity": "-1"}, -1100, "Illegal characters found in parameter 'quantity'"),
        ({"quantity": None}, -1102, "'quantity'"),
        ({"quantity": "0.0015"}, -1111, "Precision is over the maximum defined for this asset."),
        ({"price": "0"}, -4001, "Price less than 0."),
        ({"price": None}, -1102, "'price'"),
        ({"price": "40000.001"}, -1111, "Precision"),
        ({"type": "MARKET", "timeInForce": None}, -1106, "Parameter 'price' sent when not required."),
        ({"positionSide": "LONG"}, -4061, "Order's position side does not match user's setting."),
        ({"positionSide": "UP"}, -4060, "Invalid position side."),
        ({"closePosition": "true"}, -4136, "Target strategy invalid"),
        ({"selfTradePreventionMode": "DECREMENT"}, -5039, "Invalid self trade prevention mode."),
        ({"newClientOrderId": "a b"}, -4015, "Client order id is not valid."),
        ({"newClientOrderId": "a" * 37}, -4015, "length should be less than 37 chars"),
        ({"price": None, "priceMatch": "BEST"}, -5037, "Invalid price match"),
        ({"priceMatch": "QUEUE"}, -1106, "Parameter 'price' sent when not required."),
        ({"price": None, "priceMatch": "OPPONENT"}, -5041, "No depth matches this BBO order"),
        ({"newOrderRespType": "FULL"}, -1130, "'newOrderRespType'"),
    ],
)
def test_what_is_wrong_with_an_order_is_said_and_nothing_is_placed(
    client: Client, changed: dict[str, Any], code: int, text: str
) -> None:
    status, came, said = client.fail("POST", "v1/order", **client.limit(**changed))
    assert (status, came) == (400, code)
    assert text in said
    assert not client.exchange.records


@pytest.mark.parametrize(
    ("reason", "code", "text"),
    [
        ("tick", -4014, "Price not increased by tick size."),
        ("lot", -4023, "Quantity not increased by step size."),
        ("min_notional", -4164, "Order's notional must be no smaller than 5 (unless you choose reduce only)."),
        ("price_band", -4016, "Limit price can't be higher"),
        ("reduce_only", -2022, "ReduceOnly Order is rejected."),
        ("insufficient_margin", -2019, "Margin is insufficient."),
        ("duplicate_client_id", -4116, "ClientOrderId is duplicated."),
        ("max_open_orders", -2025, "Reach max open order limit."),
        ("post_only", -5022, "could not be executed as maker"),
        ("phase", -4140, "Invalid symbol status"),
    ],
)
def test_what_the_exchange_refuses_has_the_venue_s_code(client: Client, reason: str, code: int, text: str) -> None:
    client.exchange.refuses = reason
    for path in ("v1/order", "v1/order/test"):
        status, came, said = client.fail("POST", path, **client.limit())
        assert (status, came) == (400, code)
        assert text in said


@pytest.mark.parametrize(("tif", "reason", "code"), [("GTX", "post_only", -5022), ("FOK", "fok", -5021)])
def test_post_only_and_fill_or_kill_that_end_at_once_are_errors(
    client: Client, tif: str, reason: str, code: int
) -> None:
    client.exchange.ends = ("expired", reason)
    assert client.fail("POST", "v1/order", **client.limit(timeInForce=tif))[1] == code


def test_what_became_of_an_order_is_told_by_result_and_not_by_ack(client: Client) -> None:
    market = client.limit(type="MARKET", price=None, timeInForce=None)
    client.exchange.ends = ("expired", "no_liquidity")
    assert client.ask("POST", "v1/order", **market)["status"] == "NEW"
    client.exchange.ends = ("expired", "no_liquidity")
    assert client.ask("POST", "v1/order", newOrderRespType="RESULT", **market)["status"] == "EXPIRED"
    client.exchange.ends = ("expired", "stp")
    assert client.ask("POST", "v1/order", newOrderRespType="RESULT", **market)["status"] == "EXPIRED_IN_MATCH"


def test_a_price_is_taken_from_the_book(client: Client) -> None:
    for place in range(5):
        client.exchange.change("bid", str(40_000 - place), "1")
        client.exchange.change("ask", str(40_010 + place), "1")
    for side, match, price in (
        ("BUY", "OPPONENT", "40010.00"),
        ("BUY", "QUEUE_5", "39996.00"),
        ("SELL", "OPPONENT_5", "39996.00"),
        ("SELL", "QUEUE", "40010.00"),
    ):
        placed = client.ask("POST", "v1/order", **client.limit(side=side, price=None, priceMatch=match))
        assert (placed["price"], placed["priceMatch"]) == (price, match)


def test_an_amend_changes_cancels_or_is_refused(client: Client) -> None:
    client.ask("POST", "v1/order", **client.limit())
    change = {"symbol": "BTCUSDT", "side": "BUY", "orderId": 1}
    assert client.fail("PUT", "v1/order", **change, quantity="0.010", price="40000") == (
        400,
        -5027,
        "No need to modify the order.",
    )
    amended = client.ask("PUT", "v1/order", in_body=True, **change, quantity="0.02", price="39999.9")
    assert (amended["origQty"], amended["price"], amended["status"]) == ("0.020", "39999.90", "NEW")
    assert client.fail("PUT", "v1/order", **{**change, "side": "SELL"}, quantity="1", price="1")[1] == -1117
    assert client.fail("PUT", "v1/order", **{**change, "orderId": 9}, quantity="1", price="1")[1] == -2013
    client.exchange.fill(1, "0.01", "39999.9")
    assert client.ask("PUT", "v1/order", **change, quantity="0.01", price="39999.9")["status"] == "CANCELED"
    client.ask("POST", "v1/order", **client.limit(timeInForce="GTX"))
    client.exchange.refuses = "post_only"
    crossed = client.ask("PUT", "v1/order", **{**change, "orderId": 2}, quantity="0.01", price="41000")
    assert crossed["status"] == "CANCELED"


def test_batches_answer_each_order_by_itself(client: Client) -> None:
    orders = [client.limit(), client.limit(side="UP"), client.limit(price=40_000.5)]
    text = json.dumps(orders)
    answer = client.ask("POST", "v1/batchOrders", in_body=True, batchOrders=text)
    assert [entry.get("orderId", entry.get("code")) for entry in answer] == [1, -1117, 2]
    changes = [{"symbol": "BTCUSDT", "side": "BUY", "orderId": 1, "quantity": "0.02", "price": "40000"}]
    assert client.ask("PUT", "v1/batchOrders", batchOrders=json.dumps(changes))[0]["origQty"] == "0.020"
    done = client.ask("DELETE", "v1/batchOrders", symbol="BTCUSDT", orderIdList="[1,7]")
    assert (done[0]["status"], done[1]) == ("CANCELED", {"code": -2011, "msg": "Unknown order sent."})
    done = client.ask("DELETE", "v1/batchOrders", symbol="BTCUSDT", origClientOrderIdList='["invented2"]')
    assert done[0]["status"] == "CANCELED"
    assert client.fail("POST", "v1/batchOrders", batchOrders=json.dumps(orders * 2))[1] == -4082
    assert client.fail("POST", "v1/batchOrders", batchOrders="[1")[1] == -1130


def test_all_orders_of_a_symbol_are_canceled_but_conditional_ones_are_not(client: Client) -> None:
    client.ask("POST", "v1/order", **client.limit())
    client.ask("POST", "v1/algoOrder", **_stop())
    assert client.ask("DELETE", "v1/allOpenOrders", symbol="BTCUSDT") == {
        "code": 200,
        "msg": "The operation of cancel all open order is done.",
    }
    assert [record.is_open for record in client.exchange.records.values()] == [False, True]
    assert client.ask("DELETE", "v1/algoOpenOrders", symbol="BTCUSDT")["code"] == 200
    assert not client.exchange.records[2].is_open


def test_a_countdown_cancels_when_it_is_over_and_a_new_one_takes_its_place(client: Client) -> None:
    client.ask("POST", "v1/order", **client.limit())
    answer = client.ask("POST", "v1/countdownCancelAll", symbol="BTCUSDT", countdownTime=1000)
    assert answer == {"symbol": "BTCUSDT", "countdownTime": "1000"}
    client.advance(900)
    client.ask("POST", "v1/countdownCancelAll", symbol="BTCUSDT", countdownTime=1000)
    client.advance(999)
    assert client.exchange.records[1].is_open
    client.advance(1)
    assert not client.exchange.records[1].is_open
    client.ask("POST", "v1/order", **client.limit())
    client.ask("POST", "v1/countdownCancelAll", symbol="BTCUSDT", countdownTime=500)
    client.ask("POST", "v1/countdownCancelAll", symbol="BTCUSDT", countdownTime=0)
    client.advance(10_000)
    assert client.exchange.records[2].is_open


def _stop(**changed: Any) -> dict[str, Any]:
    usual = {"algoType": "CONDITIONAL", "symbol": "BTCUSDT", "side": "SELL", "type": "STOP_MARKET"}
    return {**usual, "quantity": "0.01", "triggerPrice": "39000", "clientAlgoId": "algo1", **changed}


def test_a_conditional_order_stands_on_the_algo_side_until_it_is_triggered(client: Client) -> None:
    placed = client.ask("POST", "v1/algoOrder", **_stop(workingType="MARK_PRICE"))
    assert (placed["algoId"], placed["algoStatus"], placed["orderType"]) == (1, "NEW", "STOP_MARKET")
    request = client.exchange.records[1].request
    assert (request.type, request.trigger, request.trigger_by) == ("stop", Decimal("39000"), "mark")
    assert client.ask("GET", "v1/openOrders") == []
    assert client.fail("GET", "v1/order", symbol="BTCUSDT", orderId=1)[1] == -2013
    assert client.ask("GET", "v1/openAlgoOrders") == [client.ask("GET", "v1/algoOrder", algoId=1)]
    client.exchange.trigger(1)
    assert client.ask("GET", "v1/openAlgoOrders") == []
    assert client.ask("GET", "v1/algoOrder", clientAlgoId="algo1")["actualOrderId"] == "1"
    (order,) = client.ask("GET", "v1/openOrders")
    assert (order["type"], order["origType"], order["stopPrice"]) == ("MARKET", "STOP_MARKET", "39000.00")
    assert client.fail("DELETE", "v1/algoOrder", algoId=1)[1] == -2011
    client.ask("POST", "v1/algoOrder", **_stop(type="TAKE_PROFIT", price="41000", triggerPrice="41000", side="SELL"))
    assert client.exchange.records[2].request.type == "take_profit_limit"
    assert client.ask("DELETE", "v1/algoOrder", algoId=2)["code"] == "200"


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"algoType": "VP"}, -1130),
        ({"type": "LIMIT"}, -1116),
        ({"type": "TRAILING_STOP_MARKET"}, -1102),
        ({"type": "TRAILING_STOP_MARKET", "callbackRate": "10.1"}, -2007),
        ({"type": "TRAILING_STOP_MARKET", "callbackRate": "1", "closePosition": "true"}, -4136),
        ({"triggerPrice": ""}, -1102),
        ({"workingType": "INDEX"}, -1130),
        ({"closePosition": "true"}, -4137),
        ({"closePosition": "true", "quantity": ""}, -4509),
    ],
)
def test_what_is_wrong_with_a_conditional_order(client: Client, changed: dict[str, Any], code: int) -> None:
    assert client.fail("POST", "v1/algoOrder", **_stop(**changed))[1] == code
    assert not client.exchange.records


def test_a_conditional_order_that_closes_takes_the_position_s_size(client: Client) -> None:
    client.exchange.held.quantity = Decimal("0.5")
    placed = client.ask("POST", "v1/algoOrder", **_stop(closePosition="true", quantity=""))
    request = client.exchange.records[placed["algoId"]].request
    assert (request.quantity, request.reduce_only, placed["closePosition"]) == (Decimal("0.5"), True, True)


def test_own_trades_are_told(client: Client) -> None:
    client.ask("POST", "v1/order", **client.limit())
    client.exchange.fill(1, "0.004", "40000")
    (trade,) = client.ask("GET", "v1/userTrades", symbol="BTCUSDT")
    assert (trade["orderId"], trade["qty"], trade["commission"], trade["maker"]) == (1, "0.004", "0.03200000", True)
    order = client.ask("GET", "v1/order", symbol="BTCUSDT", orderId=1)
    assert (order["status"], order["executedQty"], order["cumQuote"]) == ("PARTIALLY_FILLED", "0.004", "160.00000000")


def test_one_order_too_many_has_the_venue_s_code_until_its_window_is_over(client: Client) -> None:
    for count in range(1, 301):
        answer = client.send("POST", "v1/order", **client.limit())
        assert answer.headers["X-MBX-ORDER-COUNT-10S"] == str(count)
    assert answer.headers["X-MBX-ORDER-COUNT-1M"] == "300"
    assert answer.headers["X-MBX-USED-WEIGHT-1M"] == "0"
    refused = client.send("POST", "v1/order", **client.limit())
    assert refused.status == 429
    assert json.loads(refused.body)["code"] == -1015
    client.now_ns += int(refused.headers["Retry-After"]) * 1_000_000_000
    assert client.send("POST", "v1/order", **client.limit()).status == 200


def test_who_is_not_let_in(client: Client) -> None:
    assert client.fail("GET", "v1/order", symbol="BTCUSDT")[1] == -1102
    assert client.fail("GET", "v1/openOrders", signed=False)[1] == -1102
    key = client.exchange.keys["binance-demo-key"]
    for skew_ns, text in ((60_000_000_000, "1000ms ahead"), (-60_000_000_000, "outside of the recvWindow")):
        client.skew_ns = skew_ns
        status, code, said = client.fail("GET", "v1/openOrders")
        assert (status, code) == (400, -1021)
        assert text in said
    client.skew_ns = 0
    key.secret = "binance-demo-secreT"
    assert client.fail("POST", "v1/order", **client.limit()) == (400, -1022, "Signature for this request is not valid.")
    key.secret = "binance-demo-secret"
    key.is_enabled = False
    assert client.fail("GET", "v1/openOrders")[:2] == (401, -2015)
    key.is_enabled = True
    key.rights = ("read",)
    assert client.fail("POST", "v1/order", **client.limit())[:2] == (401, -2015)
    assert client.fail("GET", "v1/gridOrders", signed=False)[0] == 404
    assert client.door.unserved() == {"GET /fapi/v1/gridOrders": 1}
