"""Every error of the venue put on the closed list: rejected, ambiguous, wait, fatal, or nothing of the kind there."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from quotewright.execution import Ask, Fault
from quotewright.model.orders import RejectReason
from quotewright_plugins.exchanges.binance.order_wire import BinanceOrders
from quotewright_plugins.exchanges.binance.trading import order_wire
from tests.plugins.binance.order_doors import CARDS, KEY, SECOND, SECRET

MINUTE = 60 * SECOND
WIRES = {market: order_wire(market, KEY, SECRET, card=CARDS[f"binance-{market}"]) for market in ("spot", "usdm")}
ASKS = Ask.__args__  # type: ignore[attr-defined]
WRITES = ("place", "amend", "cancel", "cancel_all")
PAGE = b"<!DOCTYPE html><html><body>502 Bad Gateway</body></html>"


def _error(code: int, text: str = "", **data: int) -> bytes:
    return json.dumps({"code": code, "msg": text, **({"data": data} if data else {})}).encode()


def _framed(status: int, code: int, text: str = "", **data: int) -> bytes:
    error = {"code": code, "msg": text, **({"data": data} if data else {})}
    return json.dumps({"id": 7, "status": status, "error": error, "rateLimits": []}).encode()


def _fault(wire: BinanceOrders, ask: Ask, status: int, body: bytes, **headers: str) -> Fault:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    fault = wire.read(ask, status, named, body, "BTCUSDT").fault
    assert fault is not None
    return fault


# market (both: *), status, code, text: outcome of a write, of a question, reason
CODES = {
    "internal error": ("*", 500, -1000, "An unknown error occurred.", "ambiguous", "retry_after", "venue"),
    "internal error said with 400": ("*", 400, -1000, "An unknown error.", "ambiguous", "retry_after", "venue"),
    "disconnected": ("*", 400, -1001, "Internal error; unable to process.", "ambiguous", "retry_after", "venue"),
    "unexpected": ("*", 400, -1006, "An unexpected response.", "ambiguous", "retry_after", "venue"),
    "time-out": ("*", 408, -1007, "Timeout waiting for response.", "ambiguous", "retry_after", "venue"),
    "gateway time-out": ("*", 504, -1007, "Timeout waiting for response.", "ambiguous", "retry_after", "venue"),
    "unknown code of a 5xx": ("*", 500, -9999, "odd", "ambiguous", "retry_after", "venue"),
    "a reject said with 5xx": ("*", 502, -1121, "Invalid symbol.", "ambiguous", "retry_after", "venue"),
    "overloaded": ("*", 503, -1008, "Server is currently overloaded", "retry_after", "retry_after", "overload"),
    "too many requests": ("*", 429, -1003, "Too many requests;", "retry_after", "retry_after", "overload"),
    "too many orders": ("*", 429, -1015, "Too many new orders;", "retry_after", "retry_after", "overload"),
    "too many orders said with 400": ("*", 400, -1015, "Too many", "retry_after", "retry_after", "overload"),
    "unknown code": ("*", 400, -9999, "odd", "reject", "reject", "venue"),
    "no such symbol": ("*", 400, -1121, "Invalid symbol.", "reject", "reject", "venue"),
    "precision": ("*", 400, -1111, "Precision is over the maximum", "reject", "reject", "bad_qty"),
    "tick": ("spot", 400, -1013, "Filter failure: PRICE_FILTER", "reject", "reject", "tick"),
    "lot": ("spot", 400, -1013, "Filter failure: LOT_SIZE", "reject", "reject", "lot"),
    "market lot": ("spot", 400, -1013, "Filter failure: MARKET_LOT_SIZE", "reject", "reject", "lot"),
    "value": ("spot", 400, -1013, "Filter failure: NOTIONAL", "reject", "reject", "min_notional"),
    "value of old": ("spot", 400, -1013, "Filter failure: MIN_NOTIONAL", "reject", "reject", "min_notional"),
    "band": ("spot", 400, -1013, "Filter failure: PERCENT_PRICE_BY_SIDE", "reject", "reject", "price_band"),
    "open orders": ("spot", 400, -1013, "Filter failure: MAX_NUM_ORDERS", "reject", "reject", "max_open_orders"),
    "another filter": ("spot", 400, -1013, "Filter failure: TRAILING_DELTA", "reject", "reject", "venue"),
    "too poor": ("spot", 400, -2010, "Account has insufficient balance for requested action.", "reject", "reject",
                 "insufficient_funds"),
    "post-only": ("spot", 400, -2010, "Order would immediately match and take.", "reject", "reject", "post_only"),
    "duplicate": ("spot", 400, -2010, "Duplicate order sent.", "reject", "reject", "duplicate_id"),
    "closed market": ("spot", 400, -2010, "Market is closed.", "reject", "reject", "phase"),
    "trigger": ("spot", 400, -2010, "Order would trigger immediately.", "reject", "reject", "trigger_met"),
    "account": ("spot", 400, -2010, "This action is disabled on this account.", "reject", "reject", "not_allowed"),
    "a reject of a new kind": ("spot", 400, -2010, "Something else.", "reject", "reject", "venue"),
    "amend": ("spot", 400, -2038, "Order amend (quantity increase) is not supported.", "reject", "reject", "venue"),
    "two orders": ("spot", 400, -2039, "Client order ID is not correct.", "reject", "reject", "unknown_order"),
    "spot's -2021 is half a replacement": ("spot", 409, -2021, "partially failed.", "reject", "reject", "venue"),
    "futures' -2021 is a trigger": ("usdm", 400, -2021, "Order would immediately trigger.", "reject", "reject",
                                    "trigger_met"),
    "spot's -2022 is no replacement": ("spot", 400, -2022, "failed.", "reject", "reject", "venue"),
    "futures' -2022 is reduce-only": ("usdm", 400, -2022, "ReduceOnly Order is rejected.", "reject", "reject",
                                      "reduce_only"),
    "balance": ("usdm", 400, -2018, "Balance is insufficient.", "reject", "reject", "insufficient_funds"),
    "margin": ("usdm", 400, -2019, "Margin is insufficient.", "reject", "reject", "insufficient_margin"),
    "open orders of futures": ("usdm", 400, -2025, "Reach max open order limit.", "reject", "reject",
                               "max_open_orders"),
    "leverage": ("usdm", 400, -2027, "Exceeded the maximum allowable position.", "reject", "reject",
                 "insufficient_margin"),
    "tick of futures": ("usdm", 400, -4014, "Price not increased by tick size.", "reject", "reject", "tick"),
    "lot of futures": ("usdm", 400, -4023, "Quantity not increased by step size.", "reject", "reject", "lot"),
    "band for bids": ("usdm", 400, -4016, "Limit price can't be higher", "reject", "reject", "price_band"),
    "band for offers": ("usdm", 400, -4024, "Limit price can't be lower", "reject", "reject", "price_band"),
    "value of futures": ("usdm", 400, -4164, "Order's notional must be", "reject", "reject", "min_notional"),
    "duplicate of futures": ("usdm", 400, -4116, "ClientOrderId is duplicated.", "reject", "reject", "duplicate_id"),
    "phase of futures": ("usdm", 400, -4140, "Invalid symbol status", "reject", "reject", "phase"),
    "fill or kill": ("usdm", 400, -5021, "the FOK order has been rejected", "reject", "reject", "venue"),
    "post-only of futures": ("usdm", 400, -5022, "the Post Only order will be rejected", "reject", "reject",
                             "post_only"),
    "nothing to amend": ("usdm", 400, -5027, "No need to modify the order.", "reject", "reject", "venue"),
    "no such open order": ("*", 400, -2011, "Unknown order sent.", "absent", "absent", "unknown_order"),
    "no such order": ("*", 400, -2013, "Order does not exist.", "absent", "absent", "unknown_order"),
    "archived": ("spot", 400, -2026, "Order was canceled over 90 days ago.", "absent", "absent", "unknown_order"),
}  # fmt: skip


@pytest.mark.parametrize(("market", "status", "code", "text", "write", "question", "reason"), CODES.values(), ids=CODES)
@pytest.mark.parametrize("way", ["rest", "websocket"])
def test_a_code_means_the_same_over_both_ways(
    market: str, status: int, code: int, text: str, write: str, question: str, reason: str, way: str
) -> None:
    for wire in WIRES.values() if market == "*" else [WIRES[market]]:
        for ask in ASKS:
            body = _error(code, text) if way == "rest" else _framed(status, code, text)
            fault = _fault(wire, ask, status if way == "rest" else 0, body)
            assert (fault.outcome, fault.code, fault.text) == (write if ask in WRITES else question, str(code), text)
            assert fault.outcome != "retry_after" or fault.wait_ns > 0
            assert not fault.is_ban
            if fault.outcome in ("reject", "absent"):
                assert fault.reason == reason


def test_every_reason_is_one_of_the_list_and_every_code_of_the_cards_has_an_outcome() -> None:
    known = {*RejectReason.__args__}  # type: ignore[attr-defined]
    for market, wire in WIRES.items():
        for entry in CARDS[f"binance-{market}"].errors:
            fault = _fault(wire, "place", entry.http, _error(entry.code, entry.text))
            assert fault.reason in known
            expected = {"unknown": "ambiguous", "retry": "retry_after"}.get(entry.outcome)
            if expected is not None:
                assert fault.outcome == expected, entry
            else:
                assert fault.outcome in ("reject", "fatal", "absent"), entry


FATAL = {
    "clock ahead": (400, -1021, "Timestamp for this request was 1000ms ahead of the server's time.", "skew"),
    "clock behind": (400, -1021, "Timestamp for this request is outside of the recvWindow.", "skew"),
    "signature": (400, -1022, "Signature for this request is not valid.", "signature"),
    "key malformed": (401, -2014, "API-key format invalid.", "key"),
    "key unknown": (401, -2015, "Invalid API-key, IP, or permissions for action.", "key"),
}


@pytest.mark.parametrize(("status", "code", "text", "kind"), FATAL.values(), ids=FATAL)
def test_what_concerns_the_key_is_fatal_whatever_was_asked(status: int, code: int, text: str, kind: str) -> None:
    for wire in WIRES.values():
        for ask in ASKS:
            for given, body in ((status, _error(code, text)), (0, _framed(status, code, text))):
                fault = _fault(wire, ask, given, body)
                assert (fault.outcome, fault.kind, fault.code) == ("fatal", kind, str(code))


def test_a_listen_key_that_is_not_there_is_absent_when_it_is_renewed() -> None:
    body = _error(-1125, "This listenKey does not exist.")
    assert _fault(WIRES["usdm"], "renew", 400, body).outcome == "absent"
    assert _fault(WIRES["usdm"], "login", 400, body).outcome == "reject"


BANNED = "Way too much request weight used; IP banned until 1700000090000. Please use the websocket."
WAITS = {  # status, body, headers: how long, whether nothing at all may be sent
    "seconds": (429, _error(-1003, "Too many requests"), {"retry_after": "7"}, 7 * SECOND, False),
    "no seconds": (429, _error(-1003, "Too many requests"), {}, 30 * SECOND, False),
    "zero seconds": (429, _error(-1003), {"retry_after": "0"}, SECOND, False),
    "nonsense": (429, _error(-1003), {"retry_after": "soon"}, 30 * SECOND, False),
    "429 of something in between": (429, PAGE, {"retry_after": "9"}, 9 * SECOND, False),
    "429 with nothing": (429, b"", {}, 30 * SECOND, False),
    "orders": (429, _error(-1015, "Too many new orders"), {"retry_after": "3"}, 3 * SECOND, False),
    "orders in a frame": (
        0, _framed(429, -1015, "Too many", serverTime=1_700_000_000_000, retryAfter=1_700_000_004_000), {},
        4 * SECOND, False,
    ),
    "a frame without a time": (0, _framed(429, -1003, "Too many"), {}, 30 * SECOND, False),
    "a frame with a time that has passed": (
        0, _framed(429, -1003, "Too", serverTime=1_700_000_000_000, retryAfter=1_600_000_000_000), {}, 30 * SECOND,
        False,
    ),
    "busy": (503, _error(-1008, "Server is currently overloaded"), {}, SECOND, False),
    "busy for long": (503, _error(-1008, "Server is currently overloaded"), {"retry_after": "5"}, 5 * SECOND, False),
    "banned for seconds": (418, _error(-1003, BANNED), {"retry_after": "120"}, 120 * SECOND, True),
    "banned for three days": (418, _error(-1003, BANNED), {"retry_after": "259200"}, 259_200 * SECOND, True),
    "banned until": (
        418, _error(-1003, BANNED), {"date": "Tue, 14 Nov 2023 22:13:20 GMT"}, 90 * SECOND, True,
    ),
    "banned until, said with 429": (
        429, _error(-1003, BANNED), {"date": "Tue, 14 Nov 2023 22:13:20 GMT"}, 90 * SECOND, True,
    ),
    "banned in a frame": (
        0, _framed(418, -1003, BANNED, serverTime=1_700_000_000_000, retryAfter=1_700_000_090_000), {}, 90 * SECOND,
        True,
    ),
    "banned and no clock to hold it against": (418, _error(-1003, BANNED), {}, 2 * MINUTE, True),
    "banned by a page": (418, PAGE, {}, 2 * MINUTE, True),
    "the firewall": (403, PAGE, {}, 5 * MINUTE, True),
    "the firewall without a page": (403, b"", {}, 5 * MINUTE, True),
}  # fmt: skip


@pytest.mark.parametrize(("status", "body", "headers", "wait_ns", "is_ban"), WAITS.values(), ids=WAITS)
def test_a_pause_is_as_long_as_the_venue_asks(
    status: int, body: bytes, headers: dict[str, str], wait_ns: int, is_ban: bool
) -> None:
    for wire in WIRES.values():
        for ask in ASKS:
            fault = _fault(wire, ask, status, body, **headers)
            assert (fault.outcome, fault.wait_ns, fault.is_ban) == ("retry_after", wait_ns, is_ban)


UNREADABLE = {  # status, body
    "a page": (200, PAGE),
    "a page of a gateway": (502, PAGE),
    "a page that refuses": (400, PAGE),
    "nothing": (200, b""),
    "nothing of a failure": (500, b""),
    "no JSON": (200, b"upstream connect error"),
    "cut off": (200, b'{"symbol":"BTCUSDT","orderId":31,"clientOr'),
    "NUL": (200, b'{"symbol":"BTC\x00'),
    "not UTF-8": (200, b'{"symbol":"\xff\xfe"}'),
    "another shape": (200, b'{"serverTime":1}'),
    "null": (200, b"null"),
    "a number": (200, b"1e400"),
    "deep": (200, b"[" * 100_000),
    "an error without a code": (400, b'{"message":"no"}'),
    "moved": (302, b""),
    "a redirect to a page": (301, PAGE),
}


@pytest.mark.parametrize(("status", "body"), UNREADABLE.values(), ids=UNREADABLE)
def test_what_cannot_be_read_is_ambiguous_for_writes_and_asked_again_for_questions(status: int, body: bytes) -> None:
    for market, wire in WIRES.items():
        for ask in ASKS:
            if ask == "renew" and market == "usdm" and status == 200 and body[:1] == b"{" and body[-1:] == b"}":
                continue  # the venue may answer a renewal with an object that holds nothing
            if ask in ("renew", "countdown") and market == "spot":
                continue  # which spot does not have
            fault = _fault(wire, ask, status, body)
            assert fault.outcome == ("ambiguous" if ask in WRITES else "retry_after"), (ask, fault)
            assert ask in WRITES or fault.wait_ns > 0


def test_a_page_by_its_type_is_no_data() -> None:
    for ask, outcome in (("cancel", "ambiguous"), ("open_orders", "retry_after")):
        assert _fault(WIRES["spot"], ask, 200, b"[]", content_type="text/html; charset=utf-8").outcome == outcome  # type: ignore[arg-type]


@pytest.mark.parametrize(("status", "code"), [(401, "401"), (451, "451")])
def test_a_refusal_without_a_code_is_fatal(status: int, code: str) -> None:
    for body in (PAGE, b""):
        fault = _fault(WIRES["spot"], "place", status, body)
        assert (fault.outcome, fault.kind, fault.code) == ("fatal", "key", code)


def test_an_error_in_a_success_is_an_error() -> None:
    fault = _fault(WIRES["usdm"], "place", 200, _error(-2019, "Margin is insufficient."))
    assert (fault.outcome, fault.reason) == ("reject", "insufficient_margin")
    assert WIRES["usdm"].read("cancel_all", 200, {}, b'{"code":200,"msg":"done"}').fault is None


def test_a_long_text_is_cut() -> None:
    assert len(_fault(WIRES["spot"], "place", 400, _error(-2010, "x" * 10_000)).text) == 200


def test_counters_are_told_by_the_names_of_the_limits() -> None:
    headers = {"x-mbx-used-weight": "1", "x-mbx-used-weight-1m": "17", "x-mbx-order-count-10s": "3",
               "x-mbx-order-count-1d": "5", "x-mbx-order-count-1m": "4"}  # fmt: skip
    weights = {market: wire.read("open_orders", 200, headers, b"[]").weights for market, wire in WIRES.items()}
    assert weights == {
        "spot": {"request weight": 17, "orders": 3, "orders a day": 5},
        "usdm": {"request weight": 17, "orders": 3, "orders a minute": 4},
    }
    for market, wire in WIRES.items():
        names = {one.name for one in (*wire.limits.requests, *wire.limits.orders)}
        assert set(weights[market]) == names
    wrong = {"x-mbx-used-weight-1m": "many", "x-mbx-order-count-10s": ""}
    assert WIRES["spot"].read("open_orders", 200, wrong, b"[]").weights == {}
    failed = WIRES["spot"].read("open_orders", 429, headers, _error(-1003, "Too many requests"))
    assert failed.weights["request weight"] == 17
    assert WIRES["spot"].read("open_orders", 502, headers, PAGE).weights["request weight"] == 17
    limits = [
        {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 100, "count": 12},
        {"rateLimitType": "ORDERS", "interval": "DAY", "intervalNum": 1, "limit": 200_000, "count": 99},
        {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000, "count": 321},
        {"rateLimitType": "CONNECTIONS", "interval": "MINUTE", "intervalNum": 5, "limit": 300, "count": 1},
        {"rateLimitType": "ORDERS", "interval": "HOUR", "intervalNum": 1, "limit": 1},
    ]
    body = {"id": 1, "status": 400, "error": {"code": -2011, "msg": "Unknown order sent."}, "rateLimits": limits}
    reading = WIRES["spot"].read("cancel", 0, {}, json.dumps(body).encode())
    assert reading.weights == {"orders": 12, "orders a day": 99, "request weight": 321}
    assert reading.fault is not None


def test_nothing_that_comes_lets_reading_raise() -> None:
    """Bodies changed at random, at every question: a reading comes of it, and a write is never taken for done."""
    chance = random.Random(5)
    order = {"symbol": "BTCUSDT", "orderId": 31, "clientOrderId": "a", "status": "NEW", "side": "BUY", "price": "1.0",
             "origQty": "2", "executedQty": "0", "transactTime": 1700000000321, "fills": []}  # fmt: skip
    bodies = [
        json.dumps(order).encode(),
        json.dumps([order]).encode(),
        json.dumps({"id": 1, "status": 200, "result": order}).encode(),
        _framed(400, -2010, "Duplicate order sent."),
        b'{"balances":[{"asset":"BTC","free":"1","locked":"0"}]}',
        b'[{"asset":"USDT","balance":"1"},{"symbol":"BTCUSDT","positionAmt":"1"}]',
    ]
    for _ in range(3000):
        body = bytearray(chance.choice(bodies))
        for _ in range(chance.randint(0, 3)):
            body[chance.randrange(len(body))] = chance.randrange(256)
        if chance.random() < 0.3:
            del body[chance.randrange(len(body)) :]
        market, ask, status = chance.choice(list(WIRES)), chance.choice(ASKS), chance.choice((0, 200, 200, 400, 503))
        reading: Any = WIRES[market].read(ask, status, {}, bytes(body), "BTCUSDT")
        if ask in WRITES and reading.fault is not None:
            assert reading.fault.outcome in ("reject", "ambiguous", "absent", "retry_after", "fatal")
            assert reading.told == ()
