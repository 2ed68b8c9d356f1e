"""What a market maker is judged by is counted as its definitions say."""

from __future__ import annotations

import pytest

from quotewright.model.orders import AmendOrder, CancelOrder, Fill, NewOrder
from quotewright.runtime.scorecard import InventoryStatistics, OrderStatistics, QuoteStatistics
from tests.framework.kernel.stage import BUY, SECOND, SELL, Market, Stage
from tests.framework.kernel.test_view import live


def test_quote_statistics_say_how_quotes_stood():
    stage = Stage().quote(1, 99, 101)
    live(stage, (BUY, 4, 99), (BUY, 1, 98), (SELL, 3, 103))
    figures = QuoteStatistics()
    figures.add(stage.view, 99, 103)
    figures.add(stage.view, 97, 0)
    stage.show(Market().gap(2))
    figures.add(stage.view, 0, 0)
    told = figures.summary()
    near, around = told.pop("within_ticks"), told.pop("within_bps")
    assert told == {
        "samples": 3,
        "stale_share": pytest.approx(1 / 3),
        "two_sided_share": pytest.approx(1 / 3),
        "bid": {"quoting_share": pytest.approx(2 / 3), "at_touch_share": pytest.approx(1 / 3), "distance_ticks": 1.0},
        "offer": {"quoting_share": pytest.approx(1 / 3), "at_touch_share": 0.0, "distance_ticks": 2.0},
        "market_spread_bps": 200.0,
        "quoted_spread_bps": 400.0,
        "by_size_lots": [
            {"lots": lots, "two_sided_share": pytest.approx(1 / 3)} for lots in (1, 2, 3)
        ],
    }  # fmt: skip
    third = pytest.approx(1 / 3)
    assert [list(one.values()) for one in near[:3]] == [
        [0, third, 0, 0], [1, third, 0, 0], [2, pytest.approx(2 / 3), third, third]
    ]  # fmt: skip
    assert [one["bid_share"] for one in around] == [third] * 7, "two ticks off the touch are 200 bps here"


def test_uptime_by_size_is_the_share_of_time_with_so_much_on_both_sides():
    stage = Stage().quote(1, 99, 101)
    figures = QuoteStatistics()
    for bid, offer in ((8, 8), (2, 100), (4_567, 9_999)):
        stage.view.live.clear()
        live(stage, (BUY, bid, 99), (SELL, offer, 101))
        figures.add(stage.view, 99, 101)
    sizes = {one["lots"]: one["two_sided_share"] for one in figures.summary()["by_size_lots"]}
    assert sizes == {1_140: pytest.approx(1 / 3), 2_280: pytest.approx(1 / 3), 3_420: pytest.approx(1 / 3),
                     4_560: pytest.approx(1 / 3)}  # fmt: skip
    assert figures.sizes == {8: 1, 2: 1, 4_560: 1}, "three digits are kept"


def filled(number, lots, is_maker=True):
    return Fill(
        order_number=number, event_ns=0, receive_ns=0, fill_id=f"{number}-{lots}", price_ticks=99, quantity_lots=lots,
        leaves_lots=0, is_maker=is_maker, fee=0, fee_currency="USDT",
    )  # fmt: skip


def test_order_figures_count_messages_quantities_and_times():
    stage = Stage().quote(1, 99, 101)
    manager = live(stage, (BUY, 4, 99), (SELL, 6, 101), (BUY, 10, 98))
    figures = OrderStatistics()
    for number, side, lots in ((1, BUY, 4), (2, SELL, 6), (3, BUY, 10)):
        command = NewOrder(order_number=number, instrument=0, side=side, price_ticks=99, quantity_lots=lots)
        figures.on_command(command, stage.view)
    figures.on_command(AmendOrder(order_number=3, instrument=0, price_ticks=98, quantity_lots=15), stage.view)
    figures.on_command(AmendOrder(order_number=3, instrument=0, price_ticks=98, quantity_lots=5), stage.view)
    figures.on_command(CancelOrder(order_number=3, instrument=0), stage.view)
    for number, lots, at, is_maker in ((1, 1, 2 * SECOND, True), (1, 3, 7 * SECOND, True), (2, 1, SECOND, False)):
        report = filled(number, lots, is_maker)
        order = manager.on_report(report, at)
        figures.on_fill(at, report, order)
    told = figures.summary()
    times = told.pop("seconds_to_fill")
    assert told == {
        "placed": 3, "cancelled": 1, "amended": 2, "fills": 3, "filled_orders": 2, "order_to_trade": 2.0,
        "cancel_to_fill": pytest.approx(1 / 3), "fill_ratio": 5 / 25, "filled_order_share": pytest.approx(2 / 3),
    }  # fmt: skip
    assert (times["orders"], times["p10"], times["p50"], times["p90"]) == (1, 2.0, 2.0, 2.0)
    assert [one["up_to"] for one in times["histogram"] if one["orders"]] == [5.0]


def test_without_fills_the_ratios_are_unknown():
    told = OrderStatistics().summary()
    assert [told[name] for name in ("order_to_trade", "cancel_to_fill", "fill_ratio")] == [None] * 3
    assert told["seconds_to_fill"]["p50"] is None


def test_inventory_that_halves_every_second_has_a_half_life_of_a_second():
    figures = InventoryStatistics()
    for second in range(12):
        figures.add(second * SECOND, 4096 >> second)
    told = figures.summary(traded_lots=4096)
    assert told["half_life_seconds"] == pytest.approx(1.0)
    assert (told["largest_lots"], told["long_share"], told["short_share"]) == (4096, 1.0, 0.0)


def test_a_unit_is_held_as_long_as_the_mean_position_takes_to_turn_over():
    figures = InventoryStatistics()
    for second, lots in enumerate((10, -10, 10, -10, 10)):
        figures.add(second * SECOND, lots)
    told = figures.summary(traded_lots=80)  # 40 units came in and went out within 4 s, 10 held all the time
    assert (told["mean_lots"], told["holding_seconds"]) == (10.0, 1.0)
    assert told["half_life_seconds"] is None, "a position that turns over at every sample has none"


def test_an_empty_run_has_no_inventory_figures():
    told = InventoryStatistics().summary(0)
    assert (told["mean_lots"], told["half_life_seconds"], told["holding_seconds"]) == (0.0, None, None)
