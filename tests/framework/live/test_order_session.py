"""Rows O1-O15 and C10-C18 of the fault catalogue: orders at a live venue in virtual time, without a socket."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest

from quotewright.execution import Frame
from quotewright.live.credentials import KeyState
from quotewright.live.orders import Fetch, OpenSocket, SendText
from quotewright.live.own_orders import Stage
from quotewright.model.orders import (
    Accepted,
    Canceled,
    Fill,
    Rejected,
    VenueState,
)
from quotewright.wire import Request
from tests.framework.live.toy_venue import SECOND, ToyNetwork

ENTRIES = ("websocket", "rest")
FAULTS = ("refused", "lost_request", "lost_answer", "double", "reorder", "page", "late_request", "cut")


def ready(entry: str = "websocket", **more: Any) -> ToyNetwork:
    net = ToyNetwork(entry, **more)
    net.start()
    net.run(SECOND)
    assert net.session.is_good, net.session.report()
    return net


@pytest.mark.parametrize("entry", ENTRIES)
def test_the_life_of_an_order(entry: str) -> None:
    net = ready(entry)
    name = net.place(1)
    net.run(SECOND)
    net.venue.fill(name, 4)
    net.publish()
    net.run(SECOND)
    net.cancel(1)
    net.run(SECOND)
    assert net.of(1) == ["Accepted", "Fill", "Canceled"]
    fill = net.fills_of(1)[0]
    assert (fill.price_ticks, fill.quantity_lots, fill.leaves_lots, fill.fee) == (600_000, 4, 6, 10**16)
    last = net.reports[-1]
    assert isinstance(last, Canceled)
    assert (last.reason, last.leaves_lots) == ("user", 6)
    assert Counter(one["op"] for one in net.sent if one["op"] in ("place", "cancel")) == {"place": 1, "cancel": 1}


def test_nothing_is_entered_before_everything_was_compared() -> None:
    net = ToyNetwork()
    net.start()
    net.place(1)
    first, second = net.reports[:2]
    assert isinstance(first, VenueState)
    assert (first.is_good, isinstance(second, Rejected)) == (False, True)
    net.run(SECOND)
    assert net.session.is_good
    asked = [one["op"] for one in net.sent]
    assert asked[0] == "time"
    assert {"open_orders", "fills", "account"} <= set(asked)
    assert "place" not in asked


@pytest.mark.parametrize("entry", ENTRIES)
def test_o1_an_order_whose_answer_is_lost_is_found_and_not_sent_again(entry: str) -> None:
    net = ready(entry, faults=frozenset({"lost_answer"}))
    net.chance.random = lambda: 0.0  # type: ignore[method-assign]
    net.line_is_dead = True  # neither the answer nor the event comes
    name = net.place(1)
    if entry == "websocket":  # the frame went into the dead connection, and arrived
        net.venue.answer(net.sent[-1])
    net.run(int(1.2 * SECOND))
    assert net.of(1)[0] == "OrderUnknown"
    net.faults = frozenset()
    net.run(5 * SECOND)
    assert net.of(1) == ["OrderUnknown", "Accepted"]
    assert net.venue.placed == [name]
    assert net.session.own.by_number[1].stage == Stage.OPEN


@pytest.mark.parametrize("entry", ENTRIES)
def test_o2_an_order_that_never_arrived_is_rejected_only_when_that_is_proven(entry: str) -> None:
    net = ready(entry)
    net.faults = frozenset({"lost_request"})
    net.chance.random = lambda: 0.0  # type: ignore[method-assign]
    net.place(1)
    net.faults = frozenset()
    net.run(int(4.5 * SECOND))
    assert net.of(1) == ["OrderUnknown"], "it might still arrive within its receive window"
    net.run(10 * SECOND)
    assert net.of(1) == ["OrderUnknown", "Rejected"]
    assert net.venue.placed == []
    assert sum(one["op"] == "order" for one in net.sent) >= 2


def test_an_order_whose_id_is_there_already_has_arrived() -> None:
    net = ready("rest")
    net.venue.faults = {"place": {"outcome": "reject", "reason": "duplicate_id", "text": "Duplicate order sent."}}
    net.place(1)
    net.venue.faults = {}
    net.venue.answer(net.sent[-1])  # the network has carried it twice, and lost the first answer
    net.venue.events.clear()
    net.venue.faults = {"place": {"outcome": "reject", "reason": "duplicate_id", "text": "Duplicate order sent."}}
    net.run(2 * SECOND)
    assert net.of(1) == ["OrderUnknown", "Accepted"]
    assert net.session.own.by_number[1].is_live


def test_o3_an_error_while_asking_is_not_not_found() -> None:
    net = ready("rest")
    net.faults = frozenset({"lost_request"})
    net.chance.random = lambda: 0.0  # type: ignore[method-assign]
    net.place(1)
    net.run(30 * SECOND)
    assert net.of(1) == ["OrderUnknown"]
    net.venue.faults["order"] = {"outcome": "retry_after", "wait_ns": 0}
    net.faults = frozenset()
    net.run(10 * SECOND)
    assert net.of(1) == ["OrderUnknown"]
    net.venue.faults.clear()
    net.run(20 * SECOND)
    assert net.of(1) == ["OrderUnknown", "Rejected"]


def test_o5_a_fill_told_again_counts_once() -> None:
    net = ready()
    name = net.place(1)
    net.run(SECOND)
    net.venue.fill(name, 4)
    net.publish()
    net.run(SECOND)
    net.cut()
    net.run(5 * SECOND)
    assert net.session.recoveries == 2
    assert len(net.fills_of(1)) == 1
    assert net.session.own.duplicate_fills == 1


def test_o8_a_cancel_of_a_filled_order_is_no_error() -> None:
    net = ready()
    name = net.place(1)
    net.run(SECOND)
    net.venue.fill(name, 10)
    net.venue.events.clear()  # the stream is late
    net.cancel(1)
    net.run(5 * SECOND)
    assert net.of(1) == ["Accepted", "Fill"]
    assert not net.session.own.live()


@pytest.mark.parametrize("entry", ENTRIES)
def test_o9_a_lost_cancel_is_asked_for_and_sent_again(entry: str) -> None:
    net = ready(entry)
    net.place(1)
    net.run(SECOND)
    net.faults = frozenset({"lost_request"})
    net.chance.random = lambda: 0.0  # type: ignore[method-assign]
    net.cancel(1)
    net.faults = frozenset()
    net.run(10 * SECOND)
    assert net.of(1) == ["Accepted", "Canceled"]
    assert sum(one["op"] == "cancel" for one in net.sent) == 2
    assert net.venue.placed == [net.session.client_id(1)]


def test_a_cancel_does_not_overtake_its_order() -> None:
    net = ready()
    net.place(1)
    net.cancel(1)
    assert [one["op"] for one in net.sent[-1:]] == ["place"]
    net.run(SECOND)
    assert net.of(1) == ["Accepted", "Canceled"]


@pytest.mark.parametrize(
    ("is_lost", "kinds"), [(False, ["Accepted", "Amended"]), (True, ["Accepted", "AmendRejected"])]
)
def test_o11_an_amend_whose_fate_is_unknown_is_read_off_the_order(is_lost: bool, kinds: list[str]) -> None:
    net = ready("rest")
    net.place(1)
    net.run(SECOND)
    net.faults = frozenset({"lost_request" if is_lost else "lost_answer"})
    net.chance.random = lambda: 0.0  # type: ignore[method-assign]
    net.line_is_dead = True
    net.amend(1, 6)
    net.run(10_000_000)
    net.faults = frozenset()
    net.run(20 * SECOND)
    assert net.of(1) == kinds


def test_o12_a_partial_fill_during_a_loss_is_fetched() -> None:
    net = ready()
    name = net.place(1)
    net.run(SECOND)
    net.line_is_dead = True
    for lots in (1, 2, 1, 1, 1):  # more than one page
        net.venue.fill(name, lots)
    net.venue.events.clear()
    net.cut()
    assert not net.session.is_good
    net.run(5 * SECOND)
    assert [one.quantity_lots for one in net.fills_of(1)] == [1, 2, 1, 1, 1]
    assert net.fills_of(1)[-1].leaves_lots == 4
    assert net.session.is_good


def test_o14_leftovers_are_cancelled_before_anything_is_entered() -> None:
    net = ToyNetwork()
    net.venue.answer({"op": "place", "id": "qwold-7", "side": 1, "price": "1", "quantity": "1", "stamp": net.now_ns})
    net.venue.answer({"op": "place", "id": "mine", "side": 1, "price": "1", "quantity": "1", "stamp": net.now_ns})
    net.start()
    net.run(2 * SECOND)
    assert net.session.is_good
    assert (net.venue.orders["qwold-7"]["status"], net.venue.orders["mine"]["status"]) == ("canceled", "open")
    assert (net.session.leftovers, net.session.foreign_orders) == (1, 1)


def test_o14_or_the_run_does_not_begin() -> None:
    net = ToyNetwork(leftovers="refuse")
    net.venue.answer({"op": "place", "id": "qwold-7", "side": 1, "price": "1", "quantity": "1", "stamp": net.now_ns})
    net.start()
    net.run(2 * SECOND)
    assert not net.session.is_good
    assert "qwold-7" in net.session.final
    assert net.venue.orders["qwold-7"]["status"] == "open"


def test_o15_an_order_that_has_vanished_is_asked_for_its_fills_first() -> None:
    net = ready()
    name = net.place(1)
    net.run(SECOND)
    net.venue.fill(name, 3)
    net.venue.events.clear()
    del net.venue.orders[name]
    net.run(20 * SECOND)
    assert net.of(1) == ["Accepted", "Fill", "Canceled"]
    last = net.reports[-1]
    assert isinstance(last, Canceled)
    assert (last.reason, last.leaves_lots) == ("venue", 7)


@pytest.mark.parametrize(("position", "is_good"), [("0.000", True), ("-0.5", False)])
def test_a_run_begins_flat(position: str, is_good: bool) -> None:
    net = ToyNetwork()
    net.venue.position = position
    net.start()
    net.run(2 * SECOND)
    assert net.session.is_good is is_good
    assert is_good or "-0.5 of BTCUSDT" in net.session.final


def test_c10_a_bad_key_starts_no_loop() -> None:
    net = ready()
    net.venue.faults = {"place": {"outcome": "fatal", "kind": "key", "code": "-2015", "text": "Invalid API-key"}}
    net.place(1)
    net.run(2 * SECOND)
    assert net.of(1) == ["Rejected"]
    assert (net.session.credential.state, net.session.is_good) == (KeyState.BAD, False)
    before = len(net.sent)
    net.run(60 * SECOND)
    assert [one["op"] for one in net.sent[before:]] == []


def test_c10_a_skewed_clock_is_compared_once() -> None:
    net = ready()
    fault = {"outcome": "fatal", "kind": "skew", "code": "-1021", "text": "outside of the recvWindow"}
    net.venue.faults = {"open_orders": fault, "fills": fault}
    net.cut()
    while sum(one["op"] == "time" for one in net.sent) < 2:
        net.run(1_000_000)
    net.venue.faults = {}
    net.run(10 * SECOND)
    assert net.session.is_good
    assert sum(one["op"] == "time" for one in net.sent) == 2


def test_c10_a_clock_that_stays_skewed_ends_it() -> None:
    net = ready()
    fault = {"outcome": "fatal", "kind": "skew", "code": "-1021", "text": "outside"}
    net.venue.faults = dict.fromkeys(("open_orders", "fills", "account"), fault)
    net.cut()
    net.run(60 * SECOND)
    assert net.session.credential.state == KeyState.BAD
    assert "set this machine's clock" in net.session.report()["why"]
    assert sum(one["op"] == "time" for one in net.sent) == 2


def test_c12_a_refused_rate_rejects_orders_and_holds_questions() -> None:
    net = ready("rest")
    net.venue.faults = {"place": {"outcome": "retry_after", "wait_ns": 3 * SECOND, "reason": "overload"}}
    net.place(1)
    net.run(SECOND)
    net.venue.faults = {}
    net.place(2)
    net.run(SECOND)
    assert [one.reason for one in net.reports if isinstance(one, Rejected)] == ["overload", "overload"]
    assert net.venue.placed == []
    net.run(2 * SECOND)
    net.place(3)
    net.run(SECOND)
    assert net.of(3) == ["Accepted"]


def test_c13_a_ban_silences_everything() -> None:
    net = ready("rest")
    net.place(1)
    net.run(SECOND)
    net.venue.faults = {"place": {"outcome": "retry_after", "wait_ns": 30 * SECOND, "is_ban": True}}
    net.place(2)
    net.run(SECOND)
    assert not net.session.is_good
    before = len(net.sent)
    net.cancel(1)
    net.venue.faults = {}
    net.run(25 * SECOND)
    assert len(net.sent) == before
    net.run(10 * SECOND)
    assert net.of(1) == ["Accepted", "Canceled"]
    assert net.session.is_good


def test_c17_without_its_private_stream_the_venue_is_out_of_reach() -> None:
    net = ready()
    net.cut()
    states = [one.is_good for one in net.reports if isinstance(one, VenueState)]
    assert states == [False, True, False]
    net.run(5 * SECOND)
    assert net.session.is_good


def test_a_venue_that_goes_on_counting_more_than_it_tells_is_not_trusted() -> None:
    net = ready()
    name = net.place(1)
    net.run(SECOND)
    net.venue.orders[name]["filled"] = "0.004"
    net.venue._tell(name)
    net.publish()
    net.run(30 * SECOND)
    assert not net.session.is_good
    assert "counts 4 lots" in net.session.own.faults[0]


@pytest.mark.parametrize("seed", range(60))
def test_whatever_happens_both_sides_agree_once_it_is_over(seed: int) -> None:
    chance = random.Random(seed)
    kinds = frozenset(chance.sample(FAULTS, chance.randrange(1, 6)))
    net = ready(ENTRIES[seed % 2], seed=seed, faults=frozenset())
    net.faults = kinds
    number = 0
    for _ in range(60):
        net.run(chance.randrange(1, 400) * 1_000_000)
        live = net.session.own.live()
        what = chance.random()
        if what < 0.4:
            number += 1
            net.place(number, chance.randrange(2, 20), 600_000 + chance.randrange(50), chance.choice((1, 2)))
        elif what < 0.6 and live:
            net.cancel(chance.choice(live).number)
        elif what < 0.7 and live:
            order = chance.choice(live)
            if order.amend is None and not order.is_cancel_wanted and order.quantity_lots > 1:
                net.amend(order.number, order.quantity_lots - 1, order.price_ticks)
        elif what < 0.95:
            resting = [name for name, one in net.venue.orders.items() if one["status"] == "open"]
            if resting:
                net.venue.now_ns = net.now_ns
                net.venue.fill(chance.choice(resting), chance.randrange(1, 8))
                net.publish()
        elif "cut" in kinds:
            net.cut()
    net.faults = frozenset()
    net.cut()
    net.run(60 * SECOND)
    own, venue = net.session.own, net.venue
    assert net.session.is_good, net.session.report()
    assert own.faults == []
    told = [one for one in net.reports if isinstance(one, Fill)]
    assert sorted(int(one.fill_id) for one in told) == [int(one["fill_id"]) for one in venue.fills]
    assert Counter(venue.placed).most_common(1)[0][1] == 1, "a write was sent twice"
    for order in list(own.by_number.values()):
        truth = venue.orders.get(order.client_id)
        if truth is None:
            assert not order.is_live
            continue
        assert order.is_live is (truth["status"] == "open"), (truth, order)
        assert f"{order.filled_lots / 1000:.3f}" == f"{float(truth['filled']):.3f}"
        if order.is_live:
            assert order.stage == Stage.OPEN
            assert f"{order.quantity_lots / 1000:.3f}" == f"{float(truth['quantity']):.3f}"
        kinds = net.of(order.number)
        assert kinds.count("Canceled") + kinds.count("Rejected") <= 1
        assert kinds.count("OrderUnknown") <= 1
    assert any(isinstance(one, Accepted) for one in net.reports)


def test_nothing_that_is_signed_shows_in_a_repr() -> None:
    request = Request("https://host/order?signature=canary", "POST", b"canary", {"X-KEY": "canary"})
    shown = [
        Fetch(1, request),
        Frame("user", b"canary"),
        SendText(1, b"canary"),
        OpenSocket(1, "wss://h/ws?key=canary"),
    ]
    assert "canary" not in repr(shown)
    assert "https://host/order" in repr(shown)
