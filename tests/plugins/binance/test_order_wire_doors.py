"""Order wires against the local exchange's doors, which check signatures and windows: the whole way and back."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import attrs
import pytest

from quotewright.execution import (
    Amending,
    Answered,
    BalanceSeen,
    Execution,
    Gone,
    Login,
    OrderSeen,
    PositionSeen,
    Reading,
)
from quotewright.kernel.codes import BUY, SELL
from quotewright.wire import Request
from quotewright_simexchange.doors import HttpResponse
from tests.plugins.binance.order_doors import KEY, SECOND, SECRET, START, SYMBOL, Desk, Peer, listing, of, shown

HOUR_NS = 3600 * SECOND
WAYS = [(market, entry) for market in ("spot", "usdm") for entry in ("rest", "websocket")]


def _desk(market: str, entry: str = "rest") -> Desk:
    """Return a desk whose lines are open."""
    desk = Desk(market, entry)
    if desk.wire.login_rule is not None:
        (login,) = desk.asked("login", desk.wire.login(desk.now_ns)).told
        assert isinstance(login, Login)
        desk.token = login.token
    for line in desk.wire.lines():
        told = desk.open(line.name)
        greeted = bool(desk.wire.greeting(line.name, desk.now_ns, 99))
        assert [type(one) for one in told] == ([Answered] if greeted else [])
        for answer in told:
            assert isinstance(answer, Answered)
            assert desk.wire.read("login", answer.status, {}, answer.body).fault is None
    return desk


def _one(reading: Reading) -> OrderSeen:
    assert reading.fault is None, reading.fault
    (order,) = of(OrderSeen, reading.told)
    return order  # type: ignore[no-any-return]


def _same(text: str, number: str) -> bool:
    return Decimal(text) == Decimal(number)


@pytest.mark.parametrize(("market", "entry"), WAYS)
def test_an_order_lives_from_its_placing_to_its_cancel(market: str, entry: str) -> None:
    desk = _desk(market, entry)
    seen = _one(desk.placed("qw1-1", quantity="0.010"))
    assert (seen.client_id, seen.symbol, seen.status, seen.side) == ("qw1-1", SYMBOL, "open", BUY)
    assert _same(seen.price, "40000")
    assert _same(seen.quantity, "0.010")
    assert (seen.event_ns, _same(seen.filled, "0")) == (START, True)
    (told,) = of(OrderSeen, desk.heard("user"))
    assert attrs.evolve(told, price=seen.price, quantity=seen.quantity, filled=seen.filled) == seen

    desk.pass_time(1)
    asked = _one(desk.asked("order", desk.wire.order(SYMBOL, "qw1-1", desk.now_ns)))
    assert shown(asked) == shown(seen)
    listed = desk.asked("open_orders", desk.wire.open_orders(SYMBOL, desk.now_ns))
    assert [shown(one) for one in listed.told] == [shown(seen)]

    change = Amending(
        client_id="qw1-1",
        symbol=SYMBOL,
        side=BUY,
        price="40000.00" if market == "spot" else "39990.00",
        quantity="0.006",
        keeps_price=market == "spot",
    )
    amended = _one(desk.asked("amend", desk.wire.amend(change, desk.now_ns, desk.number())))
    assert (amended.client_id, amended.venue_id, amended.status) == ("qw1-1", seen.venue_id, "open")
    assert _same(amended.quantity, "0.006")
    assert _same(amended.price, change.price)
    (told,) = of(OrderSeen, desk.heard("user"))
    assert shown(told) == shown(amended)
    assert told.event_ns == amended.event_ns == START + SECOND

    canceled = _one(desk.asked("cancel", desk.wire.cancel(SYMBOL, "qw1-1", desk.now_ns, desk.number())))
    assert (canceled.client_id, canceled.status, canceled.reason) == ("qw1-1", "canceled", "")
    (told,) = of(OrderSeen, desk.heard("user"))
    assert shown(told) == shown(canceled)
    assert _one(desk.asked("order", desk.wire.order(SYMBOL, "qw1-1", desk.now_ns))).status == "canceled"
    assert desk.asked("open_orders", desk.wire.open_orders(SYMBOL, desk.now_ns)) == Reading(
        weights=desk.asked("open_orders", desk.wire.open_orders(SYMBOL, desk.now_ns)).weights
        | {"request weight": _weight(desk) - desk.wire.open_orders_weight}
    )


def _weight(desk: Desk) -> int:
    """Return the weight that the door has counted."""
    return int(desk.door.limits.of_kind("REQUEST_WEIGHT")[0].count("127.0.0.1", desk.now_ns))  # type: ignore[attr-defined]


@pytest.mark.parametrize(("market", "entry"), WAYS)
def test_fills_come_once_by_their_id_on_the_stream_in_the_answer_and_when_asked_for(market: str, entry: str) -> None:
    desk = _desk(market, entry)
    desk.rival("sell", "40000", "0.004")
    reading = desk.placed("taker", quantity="0.010")
    assert _same(_one(reading).filled, "0.004")
    desk.rival("sell", "40000", "0.003")
    heard = desk.heard("user")
    streamed = of(Execution, heard)
    assert [one.client_id for one in streamed] == ["taker", "taker"]
    assert [(Decimal(one.quantity), Decimal(one.filled), one.is_maker) for one in streamed] == [
        (Decimal("0.004"), Decimal("0.004"), False),
        (Decimal("0.003"), Decimal("0.007"), True),
    ]
    currency = "BTC" if market == "spot" else "USDT"
    rates = (Decimal("0.002"), Decimal("0.001"))
    for one, rate in zip(streamed, rates, strict=True):
        value = Decimal(one.quantity) * (1 if market == "spot" else Decimal(40_000))
        assert (Decimal(one.fee), one.fee_currency) == (value * rate, currency)
        assert (_same(one.price, "40000"), one.side, one.event_ns) == (True, BUY, START)
    asked = desk.asked("fills", desk.wire.fills(SYMBOL, "", START, desk.now_ns)).told
    assert [attrs.evolve(one, client_id="taker") for one in asked] == [
        attrs.evolve(one, filled="", price=told.price, quantity=told.quantity, fee=told.fee)
        for one, told in zip(streamed, asked, strict=True)
    ]
    later = desk.asked("fills", desk.wire.fills(SYMBOL, streamed[0].fill_id, START, desk.now_ns)).told
    assert [one.fill_id for one in later] == [streamed[1].fill_id]
    assert desk.asked("fills", desk.wire.fills(SYMBOL, streamed[1].fill_id, START, desk.now_ns)).told == ()
    assert desk.asked("fills", desk.wire.fills(SYMBOL, "", START + SECOND, desk.now_ns)).told == ()
    if market == "spot":  # its answer holds the fills that the order took on arrival
        (taken,) = of(Execution, reading.told)
        assert attrs.evolve(taken, filled=streamed[0].filled) == streamed[0]
    else:
        assert of(Execution, reading.told) == []
    states = [one for one in of(OrderSeen, heard) if one.client_id == "taker"]
    assert [Decimal(one.filled) for one in states] == [0, Decimal("0.004"), Decimal("0.007")]
    desk.rival("sell", "40000", "0.003")
    assert of(OrderSeen, desk.heard("user"))[-1].status == "filled"


@pytest.mark.parametrize(("market", "entry"), WAYS)
def test_balances_and_positions_are_the_exchanges(market: str, entry: str) -> None:
    desk = _desk(market, entry)
    desk.rival("sell", "40000", "0.004")
    desk.placed("a", quantity="0.010")
    heard = desk.heard("user")
    told = [one for request in desk.wire.account(desk.now_ns) for one in desk.asked("account", request).told]
    truth = desk.exchange.balances("me")
    for source in (heard, told):
        newest = {one.currency: one for one in of(BalanceSeen, source)}
        if market == "spot":
            assert {name: (Decimal(one.free), Decimal(one.locked)) for name, one in newest.items()} == dict(truth)
        else:
            assert Decimal(newest["USDT"].free) == sum(truth["USDT"])
            (position,) = of(PositionSeen, source)
            assert (position.symbol, Decimal(position.quantity)) == (SYMBOL, Decimal("0.004"))
            assert _same(position.entry_price, "40000")
    if market == "spot":
        assert of(PositionSeen, told) == []


IMMEDIATE = {  # order, status and reason on the stream of both markets
    "immediate or cancel": ({"time_in_force": 1, "quantity": "1.000"}, "canceled", "ioc"),
    "fill or kill": ({"time_in_force": 2, "quantity": "1.000"}, "canceled", "fok"),
    "market with nothing there": ({"price": "", "side": SELL, "quantity": "1.000"}, "canceled", "no_liquidity"),
}


@pytest.mark.parametrize("market", ["spot", "usdm"])
@pytest.mark.parametrize(("order", "status", "reason"), IMMEDIATE.values(), ids=IMMEDIATE)
def test_what_expires_at_once_says_why(market: str, order: dict[str, Any], status: str, reason: str) -> None:
    desk = _desk(market, "websocket")
    desk.rival("sell", "40000", "0.004")
    reading = desk.placed("a", **order)
    (*_, last) = of(OrderSeen, desk.heard("user"))
    assert (last.status, last.reason) == (status, reason)
    if reading.fault is not None:  # futures do not record such an order
        assert (market, reading.fault.outcome, reading.fault.code) == ("usdm", "reject", "-5021")
    else:
        seen = _one(reading)
        assert (seen.status, seen.reason, seen.filled) == (status, reason, last.filled)


@pytest.mark.parametrize("market", ["spot", "usdm"])
def test_all_orders_of_a_symbol_are_canceled(market: str) -> None:
    desk = _desk(market, "rest")
    for number in range(3):
        desk.placed(f"a{number}", price=f"3999{number}.00")
    desk.heard("user")
    reading = desk.asked("cancel_all", desk.wire.cancel_all(SYMBOL, desk.now_ns))
    assert reading.fault is None
    ended = {one.client_id: one.status for one in of(OrderSeen, desk.heard("user"))}
    assert ended == dict.fromkeys(("a0", "a1", "a2"), "canceled")
    if market == "spot":
        assert {one.client_id: one.status for one in of(OrderSeen, reading.told)} == ended
    again = desk.asked("cancel_all", desk.wire.cancel_all(SYMBOL, desk.now_ns))
    assert (again.fault.outcome if again.fault else "") == ("absent" if market == "spot" else "")


@pytest.mark.parametrize("market", ["spot", "usdm"])
def test_an_order_entered_over_rest_while_the_line_is_down_is_the_same(market: str) -> None:
    desk = _desk(market, "websocket")
    by_rest = desk.wire.cancel(SYMBOL, "a", desk.now_ns, 0, by_rest=True)
    assert isinstance(by_rest, Request)
    desk.placed("a")
    assert _one(desk.asked("cancel", by_rest)).status == "canceled"


# Login, clock, dead-man switch.


def test_a_listen_key_is_made_renewed_and_ends() -> None:
    desk = _desk("usdm")
    rule = desk.wire.login_rule
    assert rule is not None
    for _ in range(3):
        desk.now_ns += rule.renew_ns
        renewed = desk.asked("renew", desk.wire.renew(desk.token, desk.now_ns))
        assert (renewed.told, renewed.fault) == ((Login(desk.token),), None)
    desk.now_ns += rule.life_ns
    session, _ = desk.sessions["user"]
    session.tick(desk.now_ns)
    assert desk.heard("user") == [Gone("the listen key has expired", is_login=True)]
    late = desk.asked("renew", desk.wire.renew(desk.token, desk.now_ns))
    assert late.fault is not None
    assert (late.fault.outcome, late.fault.code) == ("absent", "-1125")
    (login,) = desk.asked("login", desk.wire.login(desk.now_ns)).told
    assert login != Login(desk.token)


def test_a_countdown_cancels_what_is_open_unless_it_is_begun_anew() -> None:
    desk = _desk("usdm")
    desk.placed("a")
    for _ in range(3):
        armed = desk.asked("countdown", desk.wire.countdown(SYMBOL, 3 * SECOND, desk.now_ns))
        assert (armed.fault, armed.told) == (None, ())
        desk.pass_time(2)
    off = desk.asked("countdown", desk.wire.countdown(SYMBOL, 0, desk.now_ns))
    assert off.fault is None
    desk.pass_time(10)
    assert [one.status for one in of(OrderSeen, desk.heard("user"))] == ["open"]
    desk.asked("countdown", desk.wire.countdown(SYMBOL, 3 * SECOND, desk.now_ns))
    desk.pass_time(3)
    assert [one.status for one in of(OrderSeen, desk.heard("user"))] == ["canceled"]


@pytest.mark.parametrize("market", ["spot", "usdm"])
def test_the_venues_clock_is_read(market: str) -> None:
    desk = Desk(market)
    desk.now_ns += 123_456_789
    answer = desk.http(desk.wire.time_request())
    unit = 1_000 if market == "spot" else 1_000_000
    assert desk.wire.server_time_ns(answer.body) == desk.now_ns // unit * unit


# Errors that the doors answer with.


def _fault(reading: Reading) -> tuple[str, str, str]:
    assert reading.fault is not None
    return reading.fault.outcome, reading.fault.code, reading.fault.reason


PLACING = {  # what is placed, its fault on spot, on futures; a rival's offer of 1 stands at 40000
    "off the tick": ({"price": "39999.995"}, ("-1013", "tick"), ("-4014", "tick")),
    "off the lot": ({"quantity": "0.0105"}, ("-1013", "lot"), ("-1111", "bad_qty")),
    "little value": ({"price": "100.00", "quantity": "0.001"}, ("-1013", "min_notional"), ("-4164", "min_notional")),
    "would take": ({"price": "40000.00", "post_only": True}, ("-2010", "post_only"), ("-5022", "post_only")),
    "too much": ({"quantity": "900.000"}, ("-2010", "insufficient_funds"), ("-2019", "insufficient_margin")),
    "an id of an open order": ({"client_id": "first"}, ("-2010", "duplicate_id"), ("-4116", "duplicate_id")),
    "an id that cannot be": ({"client_id": "a b"}, ("-1100", "venue"), ("-4015", "venue")),
}  # fmt: skip


@pytest.mark.parametrize(("market", "entry"), WAYS)
@pytest.mark.parametrize(("order", "spot", "usdm"), PLACING.values(), ids=PLACING)
def test_an_order_that_the_door_refuses_is_rejected_for_a_reason(
    market: str, entry: str, order: dict[str, Any], spot: tuple[str, str], usdm: tuple[str, str]
) -> None:
    desk = _desk(market, entry)
    desk.rival("sell", "40000", "1")
    desk.placed("first", price="39000.00")
    fault = _fault(desk.placed(**{"client_id": "second", "price": "39000.00", **order}))
    assert fault == ("reject", *(spot if market == "spot" else usdm))


@pytest.mark.parametrize(("market", "entry"), WAYS)
def test_an_order_that_is_not_there_is_absent(market: str, entry: str) -> None:
    desk = _desk(market, entry)
    desk.placed("ended")
    desk.asked("cancel", desk.wire.cancel(SYMBOL, "ended", desk.now_ns, desk.number()))
    for name in ("never", "ended"):
        assert _fault(desk.asked("cancel", desk.wire.cancel(SYMBOL, name, desk.now_ns, desk.number())))[:2] == (
            "absent",
            "-2011",
        )
    assert _fault(desk.asked("order", desk.wire.order(SYMBOL, "never", desk.now_ns)))[:2] == ("absent", "-2013")
    change = Amending(client_id="never", symbol=SYMBOL, side=BUY, price="1.00", quantity="0.001", keeps_price=True)
    assert _fault(desk.asked("amend", desk.wire.amend(change, desk.now_ns, desk.number())))[:2] == ("absent", "-2013")


@pytest.mark.parametrize("market", ["spot", "usdm"])
def test_an_amend_that_cannot_be_is_rejected(market: str) -> None:
    desk = _desk(market)
    desk.placed("a", quantity="0.010")
    same = Amending(client_id="a", symbol=SYMBOL, side=BUY, price="40000.00", quantity="0.010", keeps_price=True)
    outcome, code, _ = _fault(desk.asked("amend", desk.wire.amend(same, desk.now_ns, desk.number())))
    assert (outcome, code) == ("reject", "-2038" if market == "spot" else "-5027")


IDENTITIES = {  # what is wrong with who asks, and what kind of fatal that is
    "one character of the secret": ({"secret": SECRET[:-1] + "x"}, 0, "-1022", "signature"),
    "an unknown key": ({"key": KEY[:-1] + "x"}, 0, "-2015", "key"),
    "a clock ahead": ({}, 60, "-1021", "skew"),
    "a clock behind": ({}, -60, "-1021", "skew"),
}


@pytest.mark.parametrize(("market", "entry"), WAYS)
@pytest.mark.parametrize(("keys", "skew", "code", "kind"), IDENTITIES.values(), ids=IDENTITIES)
def test_a_wrong_identity_is_fatal_and_of_three_kinds(
    market: str, entry: str, keys: dict[str, str], skew: int, code: str, kind: str
) -> None:
    desk = _desk(market, entry)
    desk.wire = desk.wired(entry, **keys)
    stamp_ns = desk.now_ns + skew * SECOND
    for ask, message in (
        ("cancel", desk.wire.cancel(SYMBOL, "a", stamp_ns, desk.number())),
        ("open_orders", desk.wire.open_orders(SYMBOL, stamp_ns)),
    ):
        fault = desk.asked(ask, message).fault  # type: ignore[arg-type]
        assert fault is not None
        assert (fault.outcome, fault.code, fault.kind) == ("fatal", code, kind)
    assert SECRET not in repr(fault)


def test_a_greeting_that_is_refused_says_why() -> None:
    desk = Desk("spot", "websocket")
    desk.wire = desk.wired("websocket", secret="another")
    (answer,) = desk.open("user")
    assert isinstance(answer, Answered)
    fault = desk.wire.read("login", answer.status, {}, answer.body).fault
    assert fault is not None
    assert (fault.outcome, fault.kind) == ("fatal", "signature")


@pytest.mark.parametrize("entry", ["rest", "websocket"])
@pytest.mark.parametrize("market", ["spot", "usdm"])
def test_orders_beyond_the_limit_wait_for_the_venues_own_second(market: str, entry: str) -> None:
    desk = _desk(market, entry)
    desk.pass_time(3)
    limit = desk.wire.limits.orders[0].limit
    readings = [
        desk.placed(f"a{number}", price=f"{39_000 - number}.00", quantity="0.001", post_only=True)
        for number in range(limit)
    ]
    assert [one.weights["orders"] for one in readings] == [*range(1, limit + 1)]
    fault = desk.placed("more", price="38000.00").fault
    assert fault is not None
    assert (fault.outcome, fault.code, fault.is_ban, fault.wait_ns) == ("retry_after", "-1015", False, 7 * SECOND)
    desk.pass_time(7)
    assert desk.placed("more", price="38000.00").fault is None


@pytest.mark.parametrize("market", ["spot", "usdm"])
def test_requests_beyond_the_limit_wait_and_then_are_banned(market: str) -> None:
    desk = _desk(market)
    door: Any = desk.door
    (pool,) = door.limits.of_kind("REQUEST_WEIGHT")
    pool.add("127.0.0.1", pool.limit, desk.now_ns)

    def ask() -> Any:
        return desk.asked("open_orders", desk.wire.open_orders(SYMBOL, desk.now_ns)).fault

    fault = ask()
    assert (fault.outcome, fault.code, fault.is_ban, fault.wait_ns) == ("retry_after", "-1003", False, 60 * SECOND)
    for _ in range(9):
        ask()
    fault = ask()
    assert (fault.outcome, fault.code, fault.is_ban, fault.wait_ns) == ("retry_after", "-1003", True, 120 * SECOND)
    frame_desk = Desk(market, "websocket")
    frame_desk.door = desk.door
    if market == "spot":
        (answer,) = frame_desk.open("user")
        assert isinstance(answer, Answered)
        told = frame_desk.wire.read("login", answer.status, {}, answer.body).fault
        assert told is not None
        assert (told.outcome, told.is_ban, told.wait_ns) == ("retry_after", True, 120 * SECOND)
    else:
        refused = desk.door.connect("/ws-fapi/v1", b"", {}, "127.0.0.1", Peer(), desk.now_ns)
        assert isinstance(refused, HttpResponse)
        headers = {name.lower(): value for name, value in refused.headers.items()}
        told = desk.wire.read("login", refused.status, headers, refused.body).fault
        assert told is not None
        assert (told.outcome, told.is_ban, told.wait_ns) == ("retry_after", True, 120 * SECOND)


@pytest.mark.parametrize(("status", "write", "question"), [
    (429, "retry_after", "retry_after"), (418, "retry_after", "retry_after"), (500, "ambiguous", "retry_after"),
    (502, "ambiguous", "retry_after"), (503, "retry_after", "retry_after"), (504, "ambiguous", "retry_after"),
])  # fmt: skip
@pytest.mark.parametrize("market", ["spot", "usdm"])
def test_what_a_fault_of_the_server_means(market: str, status: int, write: str, question: str) -> None:
    desk = Desk(market)
    answer = desk.door.refusal(status, 7, desk.now_ns)
    headers = {name.lower(): value for name, value in answer.headers.items()}
    for ask, outcome in (("place", write), ("cancel", write), ("order", question), ("open_orders", question)):
        fault = desk.wire.read(ask, answer.status, headers, answer.body).fault  # type: ignore[arg-type]
        assert fault is not None
        assert (fault.outcome, fault.is_ban) == (outcome, status == 418)
        assert fault.wait_ns == (7 * SECOND if status in (418, 429) else fault.wait_ns)


def test_a_market_that_is_halted_rejects() -> None:
    for market, expected in (("spot", ("reject", "-2010", "phase")), ("usdm", ("reject", "-4140", "phase"))):
        desk = _desk(market)
        desk.exchange.set_phase(listing(market).symbol, "halt")
        assert _fault(desk.placed("a")) == expected
