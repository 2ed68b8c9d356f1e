"""Order-by-order replay: exact places, executions that meet ours first, gaps, and what a tape must hold for it."""

from __future__ import annotations

import random

import pytest

from quotewright.errors import ConfigError, InputError
from quotewright.kernel.codes import BID, BUY, OFFER, ORDER_DELETE, ORDER_REDUCE, SELL
from quotewright.kernel.rows import TapeBuffer
from quotewright.tape.tape import MemoryTape
from quotewright_simexchange.latency import ConstantLatency
from quotewright_simexchange.matching.codes import IOC
from quotewright_simexchange.matching.order_ladder import OrderLadder
from quotewright_simexchange.matching.queues import OrdersQueue, QueueModel
from quotewright_simexchange.matching.received import ReceivedMarket
from quotewright_simexchange.matching.replay import ReplayVenue
from quotewright_simexchange.replay_venue import QueueTable
from tests.simexchange.replay.support import PERP, Desk, Recording


def desk(recording: Recording) -> Desk:
    return Desk(recording, queue=OrdersQueue())


def test_what_trades_behind_us_meets_us_first() -> None:
    tape = Recording().add(1, 7, BID, 1000, 5).add(3, 8, BID, 1000, 9).less(4, 8, 4, ORDER_REDUCE)
    tape.less(5, 7, 5).less(6, 8, 3)
    found = desk(tape).new(2, 1, BUY, 1000, 2).until(3)
    assert found.venue.queue_ahead(1) == 5
    found.until(5)
    assert found.venue.queue_ahead(1) == 0
    assert found.end().told() == [("accepted", 1, ""), ("fill", 1, 1000, 2)]
    assert found.venue.figures()["fills_by_evidence"]["print_at_price"] == 1


def test_an_execution_below_our_bid_fills_us_as_far_as_it_goes() -> None:
    tape = Recording().add(1, 7, BID, 1000, 5).less(4, 7, 3).less(5, 7, 2)
    found = desk(tape).new(2, 1, BUY, 1001, 4).end()
    assert found.told() == [("accepted", 1, ""), ("fill", 1, 1001, 3), ("fill", 1, 1001, 1)]
    assert found.venue.figures()["fills_by_evidence"]["print_through"] == 2


def test_prints_and_levels_mean_nothing_where_orders_say_it_all() -> None:
    tape = Recording().add(1, 7, BID, 1000, 5).bid(3, 1000, 1).trade(4, SELL, 900, 50).snapshot(5, {1000: 1}, {1005: 1})
    found = desk(tape).new(2, 1, BUY, 1000, 4).end()
    assert found.told() == [("accepted", 1, "")]
    assert found.venue.queue_ahead(1) == 5


def test_what_we_took_from_a_price_comes_back_with_its_next_order() -> None:
    tape = Recording().add(1, 7, OFFER, 1000, 5).add(4, 8, OFFER, 1000, 2)
    found = desk(tape).new(2, 1, BUY, 1000, 5).new(3, 2, BUY, 1000, 1, time_in_force=IOC)
    found.new(5, 3, BUY, 1000, 9).end()
    assert found.told()[:2] == [("accepted", 1, ""), ("fill", 1, 1000, 5)]
    assert ("fill", 3, 1000, 7) in found.told()


def test_after_a_gap_known_orders_keep_their_places_and_so_do_we() -> None:
    tape = Recording().add(1, 7, BID, 1000, 5).add(1, 8, BID, 1000, 6).add(3, 9, BID, 1000, 7)
    tape.gap(4).less(5, 7, 1).orders(7, [(9, 1000, 7), (8, 1000, 4), (10, 1000, 3)], [(11, 1010, 1)])
    found = desk(tape).new(2, 1, BUY, 1000, 2).new(6, 2, BUY, 1000, 2)
    found.until(6)
    assert found.venue.queue_ahead(2) == -1.0
    found.end()
    assert found.venue.queue_ahead(1) == 4  # order 8; 9 came after ours, 10 is new
    assert found.venue.queue_ahead(2) == 14  # joined when nobody saw: behind the whole price
    assert found.venue.figures()["orders_through_gap"] == 2


def test_an_order_grown_in_a_snapshot_has_lost_its_place() -> None:
    tape = Recording().add(1, 7, BID, 1000, 5).orders(3, [(7, 1000, 6)], [])
    found = desk(tape).new(2, 1, BUY, 1000, 2).end()
    assert found.venue.queue_ahead(1) == 0


def test_a_snapshot_that_reaches_us_fills_us() -> None:
    tape = Recording().add(1, 7, BID, 1000, 5).gap(3).orders(4, [], [(8, 999, 1)])
    found = desk(tape).new(2, 1, BUY, 1000, 2).end()
    assert found.told() == [("accepted", 1, ""), ("fill", 1, 1000, 2)]
    assert found.venue.figures()["fills_by_evidence"]["after_gap"] == 1


def test_orders_that_the_feed_never_added_are_counted() -> None:
    tape = Recording().less(1, 99, 1).less(2, 98, 0, ORDER_DELETE).add(3, 1, BID, 1000, 1)
    found = desk(tape).end()
    assert found.venue.figures()["unknown_orders"] == 2
    assert "unknown_orders" not in Desk(Recording().bid(1, 1000, 1)).end().venue.figures()


def test_the_tape_has_to_fit_the_model() -> None:
    with pytest.raises(ConfigError, match="holds no single orders of it, which queue model 'orders' needs"):
        desk(Recording().bid(1, 1000, 1))
    with pytest.raises(ConfigError, match="holds only single orders of it; choose queue model 'orders'"):
        Desk(Recording().add(1, 7, BID, 1000, 5))
    received = ReceivedMarket(OrdersQueue(), ConstantLatency())
    with pytest.raises(ConfigError, match="has no single orders"):
        received.receive((PERP,), TapeBuffer(4))


def test_the_model_is_chosen_by_config_and_told() -> None:
    model = QueueTable(model="orders").make()
    assert isinstance(model, OrdersQueue)
    venue = ReplayVenue(model, ConstantLatency())
    venue.attach((PERP,), MemoryTape((PERP,), Recording().add(1, 7, BID, 1000, 5).buffer))
    assert any("Queue model: orders" in line for line in venue.assumptions())
    assert not QueueModel().wants_orders()


def test_the_book_of_orders_is_the_sum_of_its_orders() -> None:
    rng = random.Random(3)
    tape, book = Recording(), OrderLadder()
    known: dict[int, list[int]] = {}
    for step in range(600):
        if step % 90 == 89:
            known = {id: order for id, order in known.items() if id % 2}
            rows = [[(id, *order[1:]) for id, order in known.items() if order[0] == side] for side in (BID, OFFER)]
            tape.orders(step, rows[0], rows[1])
        elif not known or rng.random() < 0.6:
            side = rng.choice((BID, OFFER))
            known[step] = [side, 1000 + rng.randint(1, 9) * (1 if side == OFFER else -1), rng.randint(1, 50)]
            tape.add(step, step, *known[step])
        else:
            id = rng.choice(sorted(known))
            by = rng.randint(1, known[id][2])
            tape.less(step, id, by, ORDER_REDUCE)
            known[id][2] -= by
            if not known[id][2]:
                del known[id]
        last = tape.buffer.count
        first = last - 1 if step % 90 != 89 else last - 1 - len(known)
        book.apply(tape.buffer, first, last)
        for side, is_bid in ((BID, True), (OFFER, False)):
            sums: dict[int, int] = {}
            for one, price, size in known.values():
                if one == side:
                    sums[price] = sums.get(price, 0) + size
            levels = sorted(sums.items(), reverse=is_bid)
            assert book.levels(side, -1) == levels
            assert book.levels(side, 2) == levels[:2]
            assert book.level_count(side) == len(levels)
            best = (book.best_bid, book.best_bid_size) if is_bid else (book.best_offer, book.best_offer_size)
            assert best == (levels[0] if levels else (0, 0))
            assert all(book.size_at(side, price) == size for price, size in levels)
    assert book.unknown_orders == 0


def test_an_order_that_no_book_can_hold_is_refused() -> None:
    with pytest.raises(InputError, match="a level should have side"):
        OrderLadder().add(1, BID, 0, 5)
