"""Corners of the replay venue: one session keeps its order, and what lies between two ticks is rounded against us."""

from __future__ import annotations

import attrs

from quotewright.kernel.codes import BID, BUY, OFFER, SELL
from quotewright.tape.tape import MemoryTape
from quotewright_simexchange.latency import InterpolatedLatency, LatencyModel
from quotewright_simexchange.matching.queues import OrdersQueue, QueueModel
from quotewright_simexchange.matching.replay import ReplayVenue
from tests.simexchange.replay.support import PERP, Desk, Recording


class Hasty(LatencyModel):
    """The first command takes ten, every later one takes one."""

    def arrival_ns(self, sent_ns: int, key: int = 0) -> int:
        return sent_ns + (10 if sent_ns <= 1 else 1)

    def known_ns(self, venue_ns: int, key: int = 0) -> int:
        return venue_ns

    def describe(self) -> str:
        return "hasty"


def desk_with(recording: Recording, latency: LatencyModel) -> Desk:
    desk = Desk(recording)
    desk.venue = ReplayVenue(QueueModel(), latency)
    desk.venue.attach((PERP,), MemoryTape((PERP,), recording.buffer))
    return desk


def test_a_command_never_overtakes_the_one_before_it() -> None:
    desk = desk_with(Recording().bid(0, 1000, 1), Hasty()).new(1, 1, BUY, 1000, 2).cancel(2, 1).end()
    assert desk.told() == [("accepted", 1, ""), ("canceled", 1, "user")]
    assert [report.event_ns for report in desk.reports] == [11, 11]


def test_a_report_never_overtakes_the_one_before_it() -> None:
    """A response takes ten at time 10 and nothing at time 11."""
    latency = InterpolatedLatency([(1, 10, 20), (5, 11, 11)])
    recording = Recording().bid(0, 1000, 1)
    desk = desk_with(recording, latency).new(1, 1, BUY, 1000, 2).new(5, 2, BUY, 999, 2).end()
    assert desk.told() == [("accepted", 1, ""), ("accepted", 2, "")]
    assert [(report.event_ns, report.receive_ns) for report in desk.reports] == [(10, 20), (11, 20)]


def test_an_amend_that_changes_nothing_keeps_its_place() -> None:
    recording = Recording().bid(0, 1000, 10).trade(50, SELL, 1000, 11)
    desk = Desk(recording).new(1, 1, BUY, 1000, 6).amend(10, 1, 1000, 6).end()
    assert desk.told() == [("accepted", 1, ""), ("amended", 1, 6, True), ("fill", 1, 1000, 1)]


def test_a_level_between_two_ticks_is_taken_at_the_worse_one() -> None:
    coarse = attrs.evolve(PERP, tick_steps=5)
    recording = Recording().offer(0, 1003, 2).bid(0, 998, 2)
    bought = Desk(recording, instrument=coarse).new(1, 1, BUY, 201, 1).end()
    assert bought.told() == [("accepted", 1, ""), ("fill", 1, 201, 1)]
    sold = Desk(recording, instrument=coarse).new(1, 1, SELL, 199, 1).end()
    assert sold.told() == [("accepted", 1, ""), ("fill", 1, 199, 1)]


def test_own_orders_share_an_execution_behind_them() -> None:
    tape = Recording().add(1, 7, BID, 1000, 9).less(4, 7, 5).add(5, 8, BID, 999, 9).less(6, 8, 5)
    desk = Desk(tape, queue=OrdersQueue()).new(2, 1, BUY, 1001, 3).new(3, 2, BUY, 1001, 4).end()
    assert desk.told()[2:] == [("fill", 1, 1001, 3), ("fill", 2, 1001, 2), ("fill", 2, 1001, 2)]


def test_an_order_that_arrives_across_ours_fills_it() -> None:
    tape = Recording().add(1, 7, BID, 1000, 9).add(4, 8, OFFER, 1001, 1)
    desk = Desk(tape, queue=OrdersQueue()).new(2, 1, BUY, 1001, 3).end()
    assert desk.told() == [("accepted", 1, ""), ("fill", 1, 1001, 3)]


def test_an_execution_without_a_size_is_one_of_the_whole_order() -> None:
    tape = Recording().add(1, 7, BID, 1000, 5).less(3, 7, 0)
    desk = Desk(tape, queue=OrdersQueue()).new(2, 1, BUY, 1000, 3).until(2)
    assert desk.venue.queue_ahead(1) == 5
    assert desk.end().venue.queue_ahead(1) == 0


def test_an_order_that_is_added_twice_is_the_newer_one() -> None:
    tape = Recording().add(1, 7, BID, 1000, 5).add(2, 7, BID, 1000, 3)
    assert Desk(tape, queue=OrdersQueue()).new(3, 1, BUY, 1000, 1).end().venue.queue_ahead(1) == 3
