"""Every kind of private event of both markets, in every wrapping, as it is told on."""

from __future__ import annotations

import json
from typing import Any

import attrs
import pytest

from quotewright.errors import InputError
from quotewright.execution import Answered, BalanceSeen, Execution, Gone, OrderSeen, PositionSeen
from quotewright.kernel.codes import BUY, SELL
from quotewright_plugins.exchanges.binance.trading import order_wire
from tests.plugins.binance.order_doors import CARDS, KEY, SECRET

WIRES = {market: order_wire(market, KEY, SECRET, card=CARDS[f"binance-{market}"]) for market in ("spot", "usdm")}
MS = 1_700_000_000_321
NS = MS * 1_000_000

SPOT = {
    "e": "executionReport", "E": MS + 5, "s": "BTCUSDT", "c": "qw1-7", "S": "BUY", "o": "LIMIT", "f": "GTC",
    "q": "0.01000000", "p": "40000.00000000", "P": "0.00000000", "F": "0.00000000", "g": -1, "C": "", "x": "NEW",
    "X": "NEW", "r": "NONE", "i": 31, "l": "0.00000000", "z": "0.00000000", "L": "0.00000000", "n": "0", "N": None,
    "T": MS, "t": -1, "v": 3, "I": 86, "w": True, "m": False, "M": False, "O": MS, "Z": "0.00000000",
    "Y": "0.00000000", "Q": "0.00000000", "W": MS, "V": "NONE",
}  # fmt: skip
USDM = {
    "s": "BTCUSDT", "c": "qw1-7", "S": "BUY", "o": "LIMIT", "f": "GTC", "q": "0.010", "p": "40000.0", "ap": "0",
    "sp": "0", "x": "NEW", "X": "NEW", "i": 31, "l": "0", "z": "0", "L": "0", "T": MS - 1, "t": 0, "b": "0", "a": "0",
    "m": False, "R": False, "wt": "CONTRACT_PRICE", "ot": "LIMIT", "ps": "BOTH", "cp": False, "rp": "0", "pP": False,
    "si": 0, "ss": 0, "V": "EXPIRE_MAKER", "pm": "NONE", "gtd": 0, "er": "0",
}  # fmt: skip
FILL = {"l": "0.004", "z": "0.006", "L": "39999.5", "n": "0.00000400", "N": "BTC", "t": 9, "m": True}


def _spot(**changes: Any) -> bytes:
    return json.dumps({**SPOT, **changes}).encode()


def _usdm(**changes: Any) -> bytes:
    return json.dumps({"e": "ORDER_TRADE_UPDATE", "E": MS + 5, "T": MS, "o": {**USDM, **changes}}).encode()


def _seen(**changes: Any) -> OrderSeen:
    usual = OrderSeen(
        client_id="qw1-7",
        symbol="BTCUSDT",
        venue_id="31",
        status="open",
        side=BUY,
        price="40000.0",
        quantity="0.010",
        filled="0",
        event_ns=NS,
    )
    return attrs.evolve(usual, **changes)


def _fill(**changes: Any) -> Execution:
    usual = Execution(
        client_id="qw1-7",
        symbol="BTCUSDT",
        venue_id="31",
        side=BUY,
        fill_id="9",
        price="39999.5",
        quantity="0.004",
        is_maker=True,
        fee="0.00000400",
        fee_currency="BTC",
        event_ns=NS,
        filled="0.006",
    )
    return attrs.evolve(usual, **changes)


PLAIN = {"price": "40000.00000000", "quantity": "0.01000000", "filled": "0.00000000"}
SPOT_ORDERS = {  # what changes in the report, what comes of it
    "new": ({}, [_seen(**PLAIN)]),
    "in µs": ({"T": MS * 1000 + 7, "E": MS * 1000 + 9}, [_seen(**PLAIN, event_ns=NS + 7000)]),
    "pending": ({"X": "PENDING_NEW"}, [_seen(**PLAIN, status="pending")]),
    "sold": ({"S": "SELL"}, [_seen(**PLAIN, side=SELL)]),
    "canceled by a request with an id of its own": (
        {"x": "CANCELED", "X": "CANCELED", "c": "cancel-3", "C": "qw1-7"},
        [_seen(**PLAIN, status="canceled")],
    ),
    "canceled by the exchange": ({"x": "CANCELED", "X": "CANCELED"}, [_seen(**PLAIN, status="canceled")]),
    "amended": ({"x": "REPLACED", "q": "0.006"}, [_seen(**{**PLAIN, "quantity": "0.006"})]),
    "rejected": (
        {"x": "REJECTED", "X": "REJECTED", "r": "INSUFFICIENT_BALANCES"},
        [_seen(**PLAIN, status="rejected", reason="insufficient_funds", text="INSUFFICIENT_BALANCES")],
    ),
    "rejected for a reason of a new kind": (
        {"x": "REJECTED", "X": "REJECTED", "r": "OCO_BAD_PRICES"},
        [_seen(**PLAIN, status="rejected", reason="venue", text="OCO_BAD_PRICES")],
    ),
    "filled in part": (
        {**FILL, "x": "TRADE", "X": "PARTIALLY_FILLED"},
        [_fill(), _seen(**{**PLAIN, "filled": "0.006"})],
    ),
    "filled": (
        {**FILL, "x": "TRADE", "X": "FILLED", "z": "0.01000000"},
        [_fill(filled="0.01000000"), _seen(**{**PLAIN, "filled": "0.01000000", "status": "filled"})],
    ),
    "filled without a fee": (
        {**FILL, "x": "TRADE", "X": "PARTIALLY_FILLED", "n": "0", "N": None},
        [_fill(fee="0", fee_currency=""), _seen(**{**PLAIN, "filled": "0.006"})],
    ),
    "immediate and expired": (
        {"x": "EXPIRED", "X": "EXPIRED", "f": "IOC", "eR": "UNFILLED_IOC_QUANTITY_EXPIRED"},
        [_seen(**PLAIN, status="canceled", reason="ioc", text="UNFILLED_IOC_QUANTITY_EXPIRED")],
    ),
    "immediate and expired without a word": (
        {"x": "EXPIRED", "X": "EXPIRED", "f": "IOC"},
        [_seen(**PLAIN, status="canceled", reason="ioc")],
    ),
    "whole or nothing": (
        {"x": "EXPIRED", "X": "EXPIRED", "f": "FOK", "eR": "UNFILLED_FOK_ORDER_EXPIRED"},
        [_seen(**PLAIN, status="canceled", reason="fok", text="UNFILLED_FOK_ORDER_EXPIRED")],
    ),
    "nothing to take": (
        {"x": "EXPIRED", "X": "EXPIRED", "o": "MARKET", "eR": "INSUFFICIENT_LIQUIDITY"},
        [_seen(**PLAIN, status="canceled", reason="no_liquidity", text="INSUFFICIENT_LIQUIDITY")],
    ),
    "beyond the range of prices": (
        {"x": "EXPIRED", "X": "EXPIRED", "eR": "EXECUTION_RULE_PRICE_RANGE_EXCEEDED"},
        [_seen(**PLAIN, status="canceled", reason="protection", text="EXECUTION_RULE_PRICE_RANGE_EXCEEDED")],
    ),
    "against our own": (
        {"x": "TRADE_PREVENTION", "X": "EXPIRED_IN_MATCH", "A": "0.010", "v": 4},
        [_seen(**PLAIN, status="canceled", reason="stp")],
    ),
    "against our own, and goes on": ({"x": "TRADE_PREVENTION", "X": "NEW"}, [_seen(**PLAIN)]),
}

USDM_ORDERS = {
    "new": ({}, [_seen()]),
    "canceled": ({"x": "CANCELED", "X": "CANCELED"}, [_seen(status="canceled")]),
    "amended": ({"x": "AMENDMENT", "q": "0.020", "p": "39999.0"}, [_seen(quantity="0.020", price="39999.0")]),
    "filled in part": (
        {**FILL, "x": "TRADE", "X": "PARTIALLY_FILLED", "N": "USDT"},
        [_fill(fee_currency="USDT"), _seen(filled="0.006")],
    ),
    "filled": (
        {**FILL, "x": "TRADE", "X": "FILLED", "n": "-0.01", "N": "USDT"},
        [_fill(fee="-0.01", fee_currency="USDT"), _seen(filled="0.006", status="filled")],
    ),
    "filled without a fee": (
        {key: value for key, value in {**FILL, "x": "TRADE", "X": "FILLED"}.items() if key not in "nN"},
        [_fill(fee="0", fee_currency=""), _seen(filled="0.006", status="filled")],
    ),
    "liquidated": (
        {**FILL, "c": "autoclose-1", "x": "CALCULATED", "X": "FILLED", "o": "LIQUIDATION"},
        [_fill(client_id="autoclose-1"), _seen(client_id="autoclose-1", filled="0.006", status="filled")],
    ),
    "liquidated without an id of the fill": (
        {**FILL, "c": "autoclose-1", "x": "CALCULATED", "X": "FILLED", "t": 0},
        [_fill(client_id="autoclose-1", fill_id="31:0.006"),
         _seen(client_id="autoclose-1", filled="0.006", status="filled")],
    ),
    "liquidation begun": (
        {"c": "autoclose-1", "x": "NEW", "o": "LIQUIDATION"}, [_seen(client_id="autoclose-1")],
    ),
    "post-only that would take": (
        {"x": "EXPIRED", "X": "EXPIRED", "f": "GTX", "er": "11"}, [_seen(status="rejected", reason="post_only")],
    ),
    "post-only that would take, without a word": (
        {"x": "EXPIRED", "X": "EXPIRED", "f": "GTX"}, [_seen(status="rejected", reason="post_only")],
    ),
    "post-only that ends after a fill": (
        {"x": "EXPIRED", "X": "EXPIRED", "f": "GTX", "z": "0.006"},
        [_seen(status="canceled", reason="venue", filled="0.006")],
    ),
    "against our own": (
        {"x": "EXPIRED", "X": "EXPIRED_IN_MATCH", "er": 1}, [_seen(status="canceled", reason="stp")],
    ),
    **{
        f"expired, reason {number}": (
            {"x": "EXPIRED", "X": "EXPIRED", "er": str(number)}, [_seen(status="canceled", reason=reason)],
        )
        for number, reason in enumerate(
            ("expired", "stp", "ioc", "stp", "reduce_only", "venue", "expired", "phase", "expired", "no_liquidity",
             "fok")
        )
    },
}  # fmt: skip


@pytest.mark.parametrize(("changes", "expected"), SPOT_ORDERS.values(), ids=SPOT_ORDERS)
def test_a_report_of_a_spot_order(changes: dict[str, Any], expected: list[Any]) -> None:
    told = list(WIRES["spot"].heard("user", _spot(**changes)))
    assert told == expected


@pytest.mark.parametrize(("changes", "expected"), USDM_ORDERS.values(), ids=USDM_ORDERS)
def test_an_update_of_a_futures_order(changes: dict[str, Any], expected: list[Any]) -> None:
    assert list(WIRES["usdm"].heard("user", _usdm(**changes))) == expected


@pytest.mark.parametrize("wrap", ["event", "data", ""])
@pytest.mark.parametrize(("market", "event"), [("spot", _spot()), ("usdm", _usdm())])
def test_an_event_is_the_same_in_every_wrapping(market: str, event: bytes, wrap: str) -> None:
    frames = {
        "event": b'{"subscriptionId":0,"event":' + event + b"}",
        "data": b'{"stream":"abcdef","data":' + event + b"}",
        "": event,
    }
    assert WIRES[market].heard("user", frames[wrap]) == WIRES[market].heard("user", event)


def test_balances_and_positions_are_told_as_they_change() -> None:
    position = {"e": "outboundAccountPosition", "E": MS, "u": MS,
                "B": [{"a": "BTC", "f": "1.5", "l": "0.5"}, {"a": "USDT", "f": "0", "l": "7"}]}  # fmt: skip
    assert WIRES["spot"].heard("user", json.dumps(position).encode()) == [
        BalanceSeen("BTC", "1.5", "0.5"),
        BalanceSeen("USDT", "0", "7"),
    ]
    account = {"e": "ACCOUNT_UPDATE", "E": MS, "T": MS, "a": {
        "m": "ORDER",
        "B": [{"a": "USDT", "wb": "99.9", "cw": "90.0", "bc": "0"}],
        "P": [{"s": "BTCUSDT", "pa": "-0.010", "ep": "40000.0", "bep": "0", "cr": "0", "up": "0", "mt": "cross",
               "iw": "0", "ps": "BOTH"}],
    }}  # fmt: skip
    assert WIRES["usdm"].heard("user", json.dumps(account).encode()) == [
        BalanceSeen("USDT", "99.9", "0"),
        PositionSeen("BTCUSDT", "-0.010", "40000.0"),
    ]
    funding = {"e": "ACCOUNT_UPDATE", "E": MS, "T": MS, "a": {"m": "FUNDING_FEE", "B": []}}
    assert list(WIRES["usdm"].heard("user", json.dumps(funding).encode())) == []


IGNORED = {
    "spot": ["balanceUpdate", "listStatus", "externalLockUpdate", "somethingNew"],
    "usdm": ["TRADE_LITE", "ALGO_UPDATE", "ACCOUNT_CONFIG_UPDATE", "MARGIN_CALL", "STRATEGY_UPDATE", "GRID_UPDATE",
             "CONDITIONAL_ORDER_TRIGGER_REJECT", "somethingNew"],
}  # fmt: skip


@pytest.mark.parametrize(("market", "name"), [(market, name) for market, names in IGNORED.items() for name in names])
def test_events_of_no_interest_give_nothing(market: str, name: str) -> None:
    """A light copy of a fill is one of them: the fill is told by the order's own event."""
    event = {
        "e": name,
        "E": MS,
        "T": MS,
        "s": "BTCUSDT",
        "c": "qw1-7",
        "l": "0.004",
        "L": "1",
        "t": 9,
        "i": 31,
        "o": {},
    }
    assert list(WIRES[market].heard("user", json.dumps(event).encode())) == []
    wrapped = {"subscriptionId": 0, "event": event}
    assert list(WIRES[market].heard("user", json.dumps(wrapped).encode())) == []


@pytest.mark.parametrize("market", ["spot", "usdm"])
def test_the_end_of_a_line_and_of_a_login_are_told(market: str) -> None:
    wire = WIRES[market]
    for frame in (
        {"e": "serverShutdown", "E": MS},
        {"stream": "!serverShutdown", "data": {"e": "serverShutdown", "E": MS}},
        {"subscriptionId": 0, "event": {"e": "serverShutdown", "E": MS}},
        {"subscriptionId": 0, "event": {"e": "eventStreamTerminated", "E": MS}},
    ):
        (gone,) = wire.heard("user", json.dumps(frame).encode())
        assert isinstance(gone, Gone)
        assert (bool(gone.text), gone.is_login) == (True, False)
    (gone,) = wire.heard("user", json.dumps({"e": "listenKeyExpired", "E": MS, "listenKey": "K"}).encode())
    assert isinstance(gone, Gone)
    assert gone.is_login


def test_answers_carry_the_number_of_their_request() -> None:
    frame = b'{"id":12,"status":200,"result":{"subscriptionId":0},"rateLimits":[]}'
    assert list(WIRES["spot"].heard("user", frame)) == [Answered(12, 200, frame)]
    failed = b'{"id":13,"status":400,"error":{"code":-2011,"msg":"Unknown order sent."}}'
    assert list(WIRES["usdm"].heard("entry", failed)) == [Answered(13, 400, failed)]


BAD = {
    "an answer without a number": (b'{"id":null,"status":400,"error":{"code":-1135,"msg":"Invalid JSON"}}', "-1135"),
    "an answer to somebody else": (b'{"id":"x","status":200,"result":{}}', "number of a request, was 'x'"),
    "no JSON": (b"hello", "cannot be read.*'hello'"),
    "nothing": (b"", "cannot be read"),
    "a list": (b"[]", "cannot be read"),
    "neither": (b"{}", "neither an event nor an answer"),
    "a state of a new kind": (_spot(X="FROZEN"), "status should be one of PENDING_NEW.*was 'FROZEN'"),
    "no side": (_spot(S="LONG"), "BUY or SELL, was 'LONG'"),
    "a number for a text": (_spot(z=1), "z"),
    "null for a number": (_spot(T=None), "T"),
    "a time before the beginning": (_spot(T=-1), "T"),
    "deep": (b'{"event":' + b"[" * 100_000, "cannot be read"),
}


@pytest.mark.parametrize(("frame", "text"), BAD.values(), ids=BAD)
def test_a_frame_that_cannot_be_read_says_what_came(frame: bytes, text: str) -> None:
    with pytest.raises(InputError, match=text) as caught:
        WIRES["spot"].heard("user", frame)
    assert str(caught.value).startswith("binance spot user: ")
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize(("market", "event"), [("spot", _spot(**FILL, x="TRADE")), ("usdm", _usdm(**FILL, x="TRADE"))])
def test_a_frame_cut_at_any_byte_is_an_error_of_its_own_kind(market: str, event: bytes) -> None:
    for wrapped in (event, b'{"subscriptionId":0,"event":' + event + b"}"):
        for length in range(len(wrapped)):
            with pytest.raises(InputError):
                WIRES[market].heard("user", wrapped[:length])


NUMBERS = ["NaN", "Infinity", "-1", "1e400", "0x1", "", None, True, 1.5]


@pytest.mark.parametrize("value", NUMBERS)
@pytest.mark.parametrize("key", ["l", "z", "L", "q", "p"])
def test_a_number_that_is_none_is_told_as_it_came_or_refused(key: str, value: Any) -> None:
    """Texts are judged where they become ticks and lots; nothing else than a text is taken for a number."""
    frame = _spot(**{**FILL, "x": "TRADE", key: value})
    if isinstance(value, str):
        assert any(value in attrs.astuple(one) for one in WIRES["spot"].heard("user", frame))  # type: ignore[arg-type]
    else:
        with pytest.raises(InputError):
            WIRES["spot"].heard("user", frame)
