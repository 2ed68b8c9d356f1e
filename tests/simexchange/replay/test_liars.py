"""Venues that lie in the ways simulators commonly do: each check passes for the real venue and catches its liar."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from quotewright.kernel.codes import BUY, NEVER, SELL
from quotewright_simexchange.matching.evidence import EVIDENCE
from quotewright_simexchange.matching.replay import ReplayVenue
from quotewright_simexchange.matching.replay_market import Market, OwnLevel
from tests.simexchange.replay.support import Desk, Recording, fees


class TouchFill(ReplayVenue):
    """Fills a resting order whole as soon as anything prints at its price."""

    def print_at(self, market: Market, level: OwnLevel, size: int, now_ns: int) -> bool:
        return self.fill_level(market, level, EVIDENCE.index("print_at_price"), now_ns)


class OwnSidePrint(ReplayVenue):
    """Lets prints of buyers help resting bids, and those of sellers resting offers."""

    def see_trade(self, market: Market, word: int, price: int, size: int, now_ns: int) -> bool:
        self.print_on(market, market.bids, price, size, now_ns)
        return self.print_on(market, market.offers, price, size, now_ns)


class PrintTwice(ReplayVenue):
    """Hands the whole print to each own order at the price."""

    def print_at(self, market: Market, level: OwnLevel, size: int, now_ns: int) -> bool:
        for order in list(level.orders):
            alone = OwnLevel(level.side, level.price, level.displayed)
            alone.orders = [order]
            super().print_at(market, alone, size, now_ns)
        return True


class SharedTwice(ReplayVenue):
    """Counts a print again in the level update that tells of it."""

    def move_queue(self, market: Market, level: OwnLevel, size: int, now_ns: int) -> bool:
        printed = level.printed
        super().move_queue(market, level, size, now_ns)
        for order in level.orders:
            order.ahead = max(0, order.ahead - printed)
        return True


class SeesEarly(ReplayVenue):
    """Lets a command act on the book as it will be 10 ns later."""

    def take_command(self) -> bool:
        self.take_rows(self.next_command_ns + 10) if self.next_row_ns <= self.next_command_ns + 10 else None
        return super().take_command()


class RebateForTaking(ReplayVenue):
    """Has the sign of fees wrong."""

    def fee(self, market: Market, price_ticks: int, lots: int, is_maker: bool) -> int:
        return -super().fee(market, price_ticks, lots, is_maker)


class Instant(ReplayVenue):
    """Lets commands act when they are sent: what is in flight does not exist."""

    def submit(self, command: object, now_ns: int) -> bool:
        super().submit(command, now_ns)
        self.next_command_ns = now_ns
        self.commands[-1] = (now_ns, self.command_count, command)
        return True


def check_touch_is_no_fill(venue: type[ReplayVenue]) -> None:
    recording = Recording().bid(0, 1000, 100).trade(10, SELL, 1000, 60).trade(20, SELL, 1000, 50)
    desk = Desk(recording, venue_class=venue).new(1, 1, BUY, 1000, 20).end()
    assert desk.told() == [("accepted", 1, ""), ("fill", 1, 1000, 10)]


def check_own_side_prints_help_nobody(venue: type[ReplayVenue]) -> None:
    recording = Recording().bid(0, 1000, 10).trade(10, BUY, 1000, 500).trade(20, BUY, 990, 500)
    desk = Desk(recording, venue_class=venue).new(1, 1, BUY, 1000, 20).end()
    assert desk.told() == [("accepted", 1, "")]


def check_print_is_given_once(venue: type[ReplayVenue]) -> None:
    recording = Recording().bid(0, 1000, 10).trade(10, SELL, 1000, 16)
    desk = Desk(recording, venue_class=venue).new(1, 1, BUY, 1000, 4).new(1, 2, BUY, 1000, 4).end()
    assert desk.told()[2:] == [("fill", 1, 1000, 4), ("fill", 2, 1000, 2)]


def check_print_and_update_are_one(venue: type[ReplayVenue]) -> None:
    recording = Recording().bid(0, 1000, 100).trade(10, SELL, 1000, 40).bid(20, 1000, 60).trade(30, SELL, 1000, 50)
    desk = Desk(recording, venue_class=venue).new(1, 1, BUY, 1000, 5).end()
    assert desk.told() == [("accepted", 1, "")]


def check_book_is_seen_in_time(venue: type[ReplayVenue]) -> None:
    recording = Recording().offer(0, 1010, 5).offer(25, 1000, 5)
    desk = Desk(recording, entry=5, venue_class=venue).new(15, 1, BUY, 1010, 5, time_in_force=1).end()
    assert desk.told() == [("accepted", 1, ""), ("fill", 1, 1010, 5)]


def check_fee_sign(venue: type[ReplayVenue]) -> None:
    recording = Recording().bid(0, 1000, 0).offer(0, 1010, 5).trade(20, SELL, 999, 1)
    desk = Desk(recording, venue_class=venue, maker_fee=fees("-0.5"), taker_fee=fees("5"))
    desk.new(1, 1, BUY, 1010, 5).new(2, 2, BUY, 1000, 5).end()
    taking, resting = [report for report in desk.reports if type(report).__name__ == "Fill"]
    assert taking.fee > 0 > resting.fee
    assert Decimal(taking.fee).scaleb(-18) == Decimal("0.0002525")  # 101.0 x 0.005 x 5 bps
    assert Decimal(resting.fee).scaleb(-18) == Decimal("-0.000025")


def check_in_flight_counts(venue: type[ReplayVenue]) -> None:
    recording = Recording().bid(0, 1000, 1).trade(24, SELL, 1000, 3)
    desk = Desk(recording, entry=5, response=3, venue_class=venue).new(1, 1, BUY, 1000, 2).cancel(20, 1).end()
    assert desk.told() == [("accepted", 1, ""), ("fill", 1, 1000, 2), ("cancelrejected", 1, "order_closed")]


CHECKS = [
    (check_touch_is_no_fill, TouchFill),
    (check_own_side_prints_help_nobody, OwnSidePrint),
    (check_print_is_given_once, PrintTwice),
    (check_print_and_update_are_one, SharedTwice),
    (check_book_is_seen_in_time, SeesEarly),
    (check_fee_sign, RebateForTaking),
    (check_in_flight_counts, Instant),
]


@pytest.mark.parametrize(("check", "liar"), CHECKS, ids=lambda value: value.__name__)
def test_liar_is_caught(check: Callable[[type[ReplayVenue]], None], liar: type[ReplayVenue]) -> None:
    check(ReplayVenue)
    with pytest.raises(AssertionError):
        check(liar)


def test_reader_of_a_report_can_always_answer_in_time() -> None:
    """The venue stops at the first report; the market after it is still to come when the answer is sent."""
    recording = Recording().offer(0, 1010, 5).offer(30, 1005, 5).offer(60, 1000, 5)
    desk = Desk(recording, entry=5, response=3)
    desk.venue.submit(_order(1), 10)
    assert desk.venue.run(NEVER - 1) == 18
    assert desk.venue.now_ns == 15
    assert [type(report).__name__ for report in desk.venue.take_reports(18)] == ["Accepted"]
    assert desk.venue.take_reports(18) == []
    desk.venue.submit(_order(2), 18)
    assert desk.venue.run(NEVER - 1) == 26


def _order(number: int) -> object:
    from quotewright.model.orders import NewOrder

    return NewOrder(order_number=number, instrument=0, side=BUY, price_ticks=900, quantity_lots=1)
