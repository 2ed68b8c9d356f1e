"""A print and the change of its level are one event told twice, in either order; prints inside the spread; places."""

from __future__ import annotations

import random

import pytest

from quotewright.kernel.codes import BUY, SELL
from quotewright_simexchange.matching.queues import FrontQueue, PowerQueue, QueueModel
from quotewright_simexchange.replay_venue import ReplaySettings, replay
from tests.simexchange.replay.support import Desk, Recording

WINDOW = 100


@pytest.mark.parametrize("queue", [QueueModel(), FrontQueue(), PowerQueue(1), PowerQueue(3, 2)])
def test_the_order_in_which_an_event_is_told_does_not_matter(queue: QueueModel) -> None:
    """Twenty stand at the price, ours in the middle; five of them are hit."""

    def ahead(book_first: bool, conflation_ns: int) -> float:
        tape = Recording().bid(0, 1000, 12).bid(10, 1000, 20)
        if book_first:
            tape.bid(40, 1000, 15).trade(45, SELL, 1000, 5)
        else:
            tape.trade(40, SELL, 1000, 5).bid(45, 1000, 15)
        desk = Desk(tape, queue=queue, conflation_ns=conflation_ns).new(5, 1, BUY, 1000, 2).until(60)
        return desk.venue.queue_ahead(1)

    assert ahead(False, WINDOW) == ahead(False, 0) == 7.0
    assert ahead(True, WINDOW) == pytest.approx(7.0, abs=1e-5)
    if not isinstance(queue, FrontQueue | PowerQueue):
        return
    assert ahead(True, 0) < 7.0  # told once too often: too far in front


def test_the_last_of_a_level_is_not_brought_forward_twice() -> None:
    tape = Recording().bid(0, 1000, 20).bid(40, 1000, 15).trade(45, SELL, 1000, 5).trade(300, SELL, 1000, 12)
    early = Desk(tape).new(5, 1, BUY, 1000, 2).end()
    assert early.told() == [("accepted", 1, ""), ("fill", 1, 1000, 2)]
    assert Desk(tape, conflation_ns=WINDOW).new(5, 1, BUY, 1000, 2).end().told() == [("accepted", 1, "")]


def test_a_print_explains_no_decrease_of_long_ago() -> None:
    tape = Recording().bid(0, 1000, 20).bid(40, 1000, 15).trade(141, SELL, 1000, 5)
    desk = Desk(tape, conflation_ns=WINDOW).new(5, 1, BUY, 1000, 2).end()
    assert desk.venue.queue_ahead(1) == 10.0
    desk = Desk(Recording().bid(0, 1000, 20).bid(40, 1000, 15).trade(140, SELL, 1000, 5), conflation_ns=WINDOW)
    assert desk.new(5, 1, BUY, 1000, 2).end().venue.queue_ahead(1) == 15.0


def test_who_joined_between_the_two_tellings_is_not_helped() -> None:
    tape = Recording().bid(0, 1000, 20).bid(40, 1000, 15).trade(45, SELL, 1000, 8)
    desk = Desk(tape, conflation_ns=WINDOW).new(5, 1, BUY, 1000, 2).new(42, 2, BUY, 1000, 2).until(50)
    assert desk.venue.queue_ahead(1) == 12.0  # 20 less the whole print
    assert desk.venue.queue_ahead(2) == 12.0  # 15 less what the level had not told yet


def test_what_the_level_told_is_not_taken_out_again_at_its_next_update() -> None:
    """The print of five was in the level's fifteen; the three that go then are cancelled ones, shared by the model."""
    tape = Recording().bid(0, 1000, 10).bid(10, 1000, 20).bid(40, 1000, 15).trade(45, SELL, 1000, 5).bid(60, 1000, 12)
    desk = Desk(tape, queue=PowerQueue(1), conflation_ns=WINDOW).new(5, 1, BUY, 1000, 2).end()
    assert desk.venue.queue_ahead(1) == pytest.approx(5.0 - 3 * 5 / 15, abs=1e-5)


def test_with_a_window_every_model_stays_within_the_level() -> None:
    for seed in range(30):
        chance = random.Random(seed)
        tape, now = Recording().bid(0, 1000, 30), 0
        size = 30
        for _ in range(80):
            now += chance.randint(1, 60)
            if chance.random() < 0.3:
                tape.trade(now, SELL, 1000, chance.randint(1, 9))
            else:
                size = max(0, size + chance.randint(-9, 8))
                tape.bid(now, 1000, size)
        queue = chance.choice((QueueModel(), FrontQueue(), PowerQueue(1), PowerQueue(2, 3)))
        desk = Desk(tape, queue=queue, conflation_ns=50).new(1, 1, BUY, 1000, 500)
        joined = desk.venue.markets[0]
        for at in range(2, now, 7):
            desk.until(at)
            for level in joined.bids:
                assert desk.venue.queue_ahead(1) >= 0
                assert level.gone >= 0


def test_a_print_inside_the_spread_is_evidence_of_its_own() -> None:
    tape = Recording().bid(0, 1000, 10).offer(0, 1010, 10).trade(20, SELL, 1004, 3).trade(30, SELL, 1003, 1)
    tape.trade(40, BUY, 1007, 2).trade(50, BUY, 1009, 1)
    desk = Desk(tape).new(1, 1, BUY, 1004, 5).new(2, 2, SELL, 1008, 5).new(3, 3, BUY, 1001, 5).end()
    fills = [row for row in desk.told() if row[0] == "fill"]
    # at our price as far as it goes, then through it; one that stops short of ours says nothing
    assert fills == [("fill", 1, 1004, 3), ("fill", 1, 1004, 2), ("fill", 2, 1008, 5)]


def test_places_say_where_an_order_stood_when_it_filled() -> None:
    tape = Recording().bid(0, 1000, 10).trade(20, SELL, 1000, 4).trade(30, SELL, 1000, 8).trade(40, SELL, 1000, 1)
    tape.trade(50, SELL, 990, 1)
    desk = Desk(tape).new(1, 1, BUY, 1000, 3).new(2, 2, BUY, 995, 2).new(3, 3, BUY, 990, 1, time_in_force=1).end()
    assert desk.venue.queue_places() == [(1, 10, 6), (1, 10, 0), (2, 0, 0)]
    assert desk.venue.figures()["queue_at_fill"] == {"fills": 3, "joined_mean": 6.666667, "ahead_mean": 2.0}


def test_the_config_key_is_told() -> None:
    venue = replay(ReplaySettings(conflation="100ms"))
    assert venue.conflation_ns == 100_000_000
    assert any("a decrease of its level told up to 100ms before it" in sentence for sentence in venue.assumptions())
