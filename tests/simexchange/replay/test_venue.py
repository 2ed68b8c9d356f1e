"""What the worked scenarios leave open: gaps, snapshots, amends, market orders, checks, best quotes, fees."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import attrs
import pytest

from quotewright.errors import ConfigError
from quotewright.kernel.codes import BUY, NO_MARKET, NO_SIDE, SELL
from quotewright.tape.tape import MemoryTape
from quotewright.wiring import VenueContext
from quotewright_simexchange.matching.queues import FrontQueue, LogQueue, PowerQueue, QueueModel
from quotewright_simexchange.replay_venue import ReplaySettings, replay
from tests.simexchange.replay.support import PERP, Desk, Recording, fees

ACCEPTED = ("accepted", 1, "")


def test_prints_without_a_side_help_nobody_unless_asked() -> None:
    recording = Recording().bid(0, 1000, 1).trade(10, NO_SIDE, 1000, 3)
    desk = Desk(recording).new(1, 1, BUY, 1000, 2).end()
    assert desk.told() == [ACCEPTED]
    assert desk.venue.figures()["unknown_side_prints"] == 1
    desk = Desk(recording, unknown_side_helps=True).new(1, 1, BUY, 1000, 2).end()
    assert desk.told() == [ACCEPTED, ("fill", 1, 1000, 2)]


def test_trades_outside_the_market_fill_nobody() -> None:
    recording = Recording().bid(0, 1000, 1).trade(10, SELL, 900, 500, NO_MARKET)
    assert Desk(recording).new(1, 1, BUY, 1000, 2).end().told() == [ACCEPTED]


def test_market_order_walks_the_book_and_never_beyond_it() -> None:
    recording = Recording().offer(0, 1010, 3).offer(0, 1012, 4)
    desk = Desk(recording).new(1, 1, BUY, 0, 9).end()
    assert desk.told() == [ACCEPTED, ("fill", 1, 1010, 3), ("fill", 1, 1012, 4), ("canceled", 1, "no_liquidity")]
    assert desk.reports[-1].leaves_lots == 2
    assert not any(report.is_maker for report in desk.reports[1:3])


def test_many_levels_are_walked() -> None:
    recording = Recording()
    for price in range(1010, 1110):
        recording.offer(0, price, 1)
    desk = Desk(recording).new(1, 1, BUY, 1099, 200).end()
    assert len(desk.told()) == 91
    assert desk.venue.queue_ahead(1) == 0.0


def test_fok_on_a_market_that_is_too_thin_takes_nothing() -> None:
    recording = Recording().offer(0, 1010, 3)
    desk = Desk(recording).new(1, 1, BUY, 1010, 4, time_in_force=2).new(2, 2, BUY, 1010, 3, time_in_force=2).end()
    assert desk.told() == [ACCEPTED, ("canceled", 1, "fok"), ("accepted", 2, ""), ("fill", 2, 1010, 3)]


def test_amend_keeps_the_place_only_for_less_at_the_same_price() -> None:
    recording = Recording().bid(0, 1000, 10).bid(5, 1000, 30).trade(50, SELL, 1000, 12)
    desk = Desk(recording).new(1, 1, BUY, 1000, 6).amend(10, 1, 1000, 4).end()
    assert desk.told() == [ACCEPTED, ("amended", 1, 4, True), ("fill", 1, 1000, 2)]
    desk = Desk(recording).new(1, 1, BUY, 1000, 6).amend(10, 1, 1000, 7).end()
    assert desk.told() == [ACCEPTED, ("amended", 1, 7, False)]
    assert desk.venue.queue_ahead(1) == 18.0


def test_amend_counts_the_filled_part_and_may_cross() -> None:
    recording = Recording().bid(0, 1000, 1).offer(0, 1005, 50).trade(5, SELL, 1000, 3)
    desk = Desk(recording).new(1, 1, BUY, 1000, 6).amend(10, 1, 1005, 5).end()
    assert desk.told() == [ACCEPTED, ("fill", 1, 1000, 2), ("amended", 1, 3, False), ("fill", 1, 1005, 3)]
    desk = Desk(recording).new(1, 1, BUY, 1000, 6).amend(10, 1, 1000, 2).end()
    assert desk.told()[-1] == ("canceled", 1, "amend_below_filled")
    desk = Desk(recording).new(1, 1, BUY, 1000, 6, post_only=True).amend(10, 1, 1005, 6).end()
    assert desk.told()[-1] == ("amendrejected", 1, "post_only")
    assert desk.venue.queue_ahead(1) == 0.0


def test_refusals_change_nothing() -> None:
    strict = attrs.evolve(
        PERP, lot_steps=10, min_quantity_steps=20, max_quantity_steps=90, min_notional=Decimal(5), tick_steps=5
    )
    desk = Desk(Recording().offer(0, 1010, 100), instrument=strict)
    desk.new(1, 1, BUY, 200, 0).new(1, 2, BUY, -1, 3).new(1, 3, BUY, 200, 1).new(1, 4, BUY, 200, 10)
    desk.new(1, 5, BUY, 200, 2).new(1, 6, BUY, 0, 4, post_only=True).new(1, 7, BUY, 202, 9, post_only=True)
    desk.new(1, 8, SELL, 300, 9, reduce_only=True).new(1, 9, BUY, 200, 9).new(1, 9, BUY, 200, 9)
    desk.cancel(2, 77).amend(2, 77, 100, 5).cancel(3, 9).cancel(4, 9).end()
    assert [report[2] for report in desk.told()] == [
        "bad_qty", "bad_price", "min_qty", "max_qty", "min_notional", "bad_flags", "post_only", "reduce_only", "",
        "duplicate_id", "unknown_order", "unknown_order", "user", "order_closed",
    ]  # fmt: skip


def test_reduce_only_order_fills_no_more_than_the_position() -> None:
    recording = Recording().offer(0, 1010, 3).bid(0, 990, 100)
    desk = Desk(recording).new(1, 1, BUY, 1010, 3).new(2, 2, SELL, 990, 5, reduce_only=True).end()
    assert desk.told()[2:] == [("accepted", 2, ""), ("fill", 2, 990, 3), ("canceled", 2, "reduce_only")]


def test_nothing_fills_in_a_gap_and_the_snapshot_after_it_sorts_things_out() -> None:
    recording = Recording().snapshot(0, {1000: 50}, {1010: 50}).gap(100).trade(110, SELL, 990, 500)
    recording.bid(120, 1000, 1).snapshot(300, {1000: 20, 980: 5}, {1012: 5}).trade(400, SELL, 1000, 25)
    desk = Desk(recording).new(1, 1, BUY, 1000, 9).new(150, 2, BUY, 1000, 9).new(160, 3, BUY, 1010, 1, time_in_force=1)
    desk.end()
    assert desk.told() == [
        ACCEPTED, ("accepted", 2, ""), ("accepted", 3, ""), ("canceled", 3, "ioc"), ("fill", 1, 1000, 5),
    ]  # fmt: skip
    figures = desk.venue.figures()
    assert figures["gap_share"] == {PERP.name: 0.5}
    assert (figures["prints_in_gap"], figures["orders_through_gap"]) == (1, 2)


def test_an_order_that_the_snapshot_after_a_gap_crosses_counts_as_filled() -> None:
    recording = Recording().snapshot(0, {1000: 50}, {1010: 50}).gap(100).snapshot(300, {980: 5}, {995: 5})
    desk = Desk(recording).new(1, 1, BUY, 1000, 9).end()
    assert desk.told() == [ACCEPTED, ("fill", 1, 1000, 9)]
    assert desk.venue.figures()["fills_by_evidence"]["after_gap"] == 1


def test_a_snapshot_without_a_gap_is_an_update_of_every_level() -> None:
    recording = Recording().snapshot(0, {1000: 50}, {1010: 5}).snapshot(100, {999: 5}, {1010: 5})
    desk = Desk(recording).new(1, 1, BUY, 1000, 9).new(2, 2, BUY, 1010, 5).new(200, 3, BUY, 1010, 5).end()
    assert desk.venue.queue_ahead(1) == 0.0
    assert desk.told()[-1] == ("fill", 3, 1010, 5)


def test_best_quotes_are_enough_where_there_are_no_levels() -> None:
    recording = Recording().best(0, 1000, 10, 1010, 5).trade(10, SELL, 1000, 4).best(20, 1000, 6, 1010, 5)
    recording.trade(30, SELL, 1000, 8).best(40, 995, 7, 1010, 5).trade(50, SELL, 995, 7).trade(60, SELL, 995, 3)
    desk = Desk(recording).new(1, 1, BUY, 1000, 2).new(2, 2, BUY, 995, 9).new(3, 3, BUY, 1010, 6, time_in_force=1).end()
    assert desk.told() == [
        ACCEPTED, ("accepted", 2, ""), ("accepted", 3, ""), ("fill", 3, 1010, 5), ("canceled", 3, "ioc"),
        ("fill", 1, 1000, 2), ("fill", 2, 995, 3),
    ]  # fmt: skip


def test_fees_are_exact_and_rounded_up() -> None:
    recording = Recording().offer(0, 10003, 7)
    desk = Desk(recording, taker_fee=fees("3.3333333")).new(1, 1, BUY, 10003, 7).end()
    # 1000.3 x 0.007 x 0.00033333333 = 0.002334033309999…
    assert (desk.reports[1].fee, desk.reports[1].fee_currency) == (2_334_040_000_000_000, "USDT")
    desk = Desk(recording, taker_fee=fees("-3.3333333")).new(1, 1, BUY, 10003, 7).end()
    assert desk.reports[1].fee == -2_334_030_000_000_000


@pytest.mark.parametrize(
    "queue", [QueueModel(), FrontQueue(), PowerQueue(0.5), PowerQueue(3, 3), LogQueue(2), LogQueue(3)]
)
def test_shares_lie_between_none_and_all(queue: QueueModel) -> None:
    for ahead, behind in ((1.0, 0.0), (0.0, 1.0), (1e-9, 1e9), (3.0, 4.0)):
        assert 0.0 <= queue.share_behind(ahead, behind) <= 1.0
    assert queue.describe()


def test_a_long_run_keeps_few_order_numbers_and_forgets_none() -> None:
    desk = Desk(Recording().bid(0, 1000, 1))
    for number in range(1, 50_001):
        desk.venue.remember(number)
    assert len(desk.venue.accepted) < 10_000
    desk.new(1, 1, BUY, 1000, 1).new(1, 49_999, BUY, 1000, 1).cancel(2, 2).cancel(2, 50_001).end()
    assert desk.told() == [
        ("rejected", 1, "duplicate_id"),
        ("rejected", 49_999, "duplicate_id"),
        ("cancelrejected", 2, "order_closed"),
        ("cancelrejected", 50_001, "unknown_order"),
    ]


def test_a_queue_model_written_in_python_is_asked() -> None:
    class Half(QueueModel):
        def share_behind(self, ahead: float, behind: float) -> float:
            return 0.5

    recording = Recording().bid(0, 1000, 10).bid(5, 1000, 30).bid(10, 1000, 22)
    desk = Desk(recording, queue=Half()).new(1, 1, BUY, 1000, 6).end()
    assert desk.venue.queue_ahead(1) == 6.0


def context(recording: Recording | None, **options: object) -> VenueContext:
    tape = MemoryTape((PERP,), recording.buffer) if recording else None
    given = {
        "name": "sim",
        "where": "bt.toml: venues.sim",
        "instruments": (PERP,),
        "tape": tape,
        "seed": 1,
        "start_ns": 0,
    }
    return VenueContext(**(given | options))


def test_venue_from_a_config_names_what_it_assumes() -> None:
    venue = replay(ReplaySettings(maker_fee="-0.5 bps", taker_fee="5 bps"))
    venue.connect(context(Recording().bid(0, 1000, 10)))
    assert venue.figures()["latency"] == "constant, entry 5ms, response 5ms"
    assert any("maker -0.00005, taker 0.0005" in sentence for sentence in venue.assumptions())


def test_venue_without_a_tape_says_what_to_do() -> None:
    with pytest.raises(ConfigError, match=r"venues\.sim: the replay venue needs a tape; run: quotewright backtest"):
        replay(ReplaySettings()).connect(context(None))


CARD = """
card_version = 1
name = "test-perp"
venue = "test"
market = "perp"
as_of = "2026-01-01"
sources = ["the test"]
fees = [
    { name = "entry", maker = "2 bps", taker = "5 bps" },
    { name = "high", maker = "-1 bps", taker = "3 bps" },
]

[client_ids]
pattern = "[a-z]{1,36}"
max_length = 36
"""


def test_fees_come_from_the_card_where_they_are_unset(tmp_path: Path) -> None:
    card = tmp_path / "card.toml"
    card.write_text(CARD)
    given = context(Recording().bid(0, 1000, 10), cards={"test-perp": card})
    for settings, maker, taker in (
        ({}, "0.0002", "0.0005"),
        ({"fee_tier": "high"}, "-0.0001", "0.0003"),
        ({"maker_fee": "0 bps"}, "0", "0.0005"),
    ):
        venue = replay(ReplaySettings(card="test-perp", **settings))
        venue.connect(given)
        assert (venue.maker_fee, venue.taker_fee) == (Decimal(maker), Decimal(taker))
    with pytest.raises(ConfigError, match=r"venues\.sim\.card: .*'best'.*entry, high"):
        replay(ReplaySettings(card="test-perp", fee_tier="best")).connect(given)


THRESHOLDS = CARD.replace('taker = "3 bps" },', 'taker = "3 bps", volume_30d = 100 },')


def test_the_tier_follows_the_volume_from_midnight_on(tmp_path: Path) -> None:
    card = tmp_path / "card.toml"
    card.write_text(THRESHOLDS)
    day = 86_400 * 10**9
    given = context(Recording().bid(0, 1000, 10).bid(2 * day, 999, 5), cards={"test-perp": card})
    venue = replay(ReplaySettings(card="test-perp", volume_30d=Decimal(0)))
    venue.connect(given)
    market = venue.markets[0]
    fees = []
    for now_ns in (1, 5, day + 1):
        venue.now_ns = now_ns
        fees.append(venue.fee(market, 1000 * 10**6, 10**6, False))
    value = market.money.notional(10**6 * market.lot_steps, 1000 * 10**6 * market.tick_steps)
    assert fees == [value * 5 // 10_000, value * 5 // 10_000, value * 3 // 10_000]
    assert venue.figures()["fee_tier"] == "high"
    assert venue.maker_fee == Decimal("-0.0001")
    both = ReplaySettings(card="test-perp", volume_30d=Decimal(0), fee_tier="high")
    with pytest.raises(ConfigError, match="fee_tier names one tier, volume_30d lets the volume choose"):
        replay(both).connect(given)
    card.write_text(CARD)
    with pytest.raises(ConfigError, match=r"venues\.sim\.card: .*have no thresholds"):
        replay(ReplaySettings(card="test-perp", volume_30d=Decimal(0))).connect(given)


def test_many_orders_leave_nothing_behind() -> None:
    recording = Recording().bid(0, 1000, 10)
    desk = Desk(recording)
    for number in range(1, 200):
        desk.new(number, number, BUY if number % 2 else SELL, 1000 + (number % 7 - 20) * (1 if number % 2 else -1), 1)
    for number in range(1, 200):
        desk.cancel(number + 300, number)
    desk.end()
    assert not desk.venue.open
    assert not desk.venue.home
    market = desk.venue.markets[0]
    assert not market.bids
    assert not market.offers
    assert not market.is_watching
