"""Book, ticker and trades of one instrument are held against each other."""

from __future__ import annotations

import pytest

from quotewright.kernel.codes import BEST_QUOTE, BID, OFFER
from quotewright.model.orders import RiskState
from quotewright_plugins.risk_rules.stream_disagreement import StreamDisagreement
from tests.framework.kernel.stage import BUY, SECOND, SELL, Market, Stage

NORMAL, WARNING, REDUCE_ONLY, CANCEL_ALL, HALT = RiskState


def staged(**options):
    rule = StreamDisagreement(**{"away": "10 bps", "lasting": "2s", "on_breach": "cancel_all", **options})
    return Stage(rule).quote(SECOND, 9_999, 10_001)


def ticker(stage, at, bid, offer):
    stage.show(Market().row(at, bid, 5, BEST_QUOTE, BID)).show(Market().row(at, offer, 5, BEST_QUOTE, OFFER))
    return stage.wake()


def test_a_ticker_away_from_the_book_counts_only_after_it_has_lasted():
    stage = ticker(staged(), SECOND, 10_010, 10_012)
    stage.wake(3 * SECOND - 1)
    assert stage.gate.state == NORMAL
    stage.wake(3 * SECOND)
    assert stage.gate.state == CANCEL_ALL
    assert "11.00 bps apart for 2s" in stage.gate.why()
    ticker(stage, 4 * SECOND, 10_000, 10_002)
    assert stage.gate.state == NORMAL


def test_a_difference_within_the_tolerance_is_none():
    stage = ticker(staged(), SECOND, 10_009, 10_011)
    assert stage.wake(60 * SECOND).gate.state == NORMAL


def test_a_warning_pulls_nothing():
    stage = ticker(staged(on_breach="warning"), SECOND, 10_100, 10_102).wake(4 * SECOND)
    assert stage.gate.state == WARNING
    assert stage.ask(BUY, 1, 9_990) == ""


def test_a_short_difference_starts_anew():
    stage = ticker(staged(), SECOND, 10_100, 10_102)
    ticker(stage, 2 * SECOND, 9_999, 10_001)
    ticker(stage, 2 * SECOND + 1, 10_100, 10_102)
    assert stage.wake(4 * SECOND).gate.state == NORMAL
    assert stage.wake(4 * SECOND + 1).gate.state == CANCEL_ALL


@pytest.mark.parametrize(("side", "price"), [(BUY, 10_050), (SELL, 9_950)])
def test_trades_away_from_the_book_count_while_new_ones_come(side, price):
    stage = staged().show(Market().trade(SECOND, side, price, 1)).wake()
    assert stage.wake(30 * SECOND).gate.state == NORMAL, "one trade and then silence says nothing"
    stage.show(Market().trade(31 * SECOND, side, price, 1)).wake()
    assert stage.gate.state == CANCEL_ALL
    assert "trades and the book" in stage.gate.why()
    stage.show(Market().trade(32 * SECOND, side, 10_000, 1)).wake()
    assert stage.gate.state == NORMAL


def test_a_book_that_is_not_good_is_not_compared():
    stage = ticker(staged(), SECOND, 10_100, 10_102).show(Market().gap(2 * SECOND)).wake()
    stage.quote(10 * SECOND, 9_999, 10_001).wake()
    assert stage.gate.state == NORMAL, "the time without a book does not count"
    assert stage.wake(12 * SECOND).gate.state == CANCEL_ALL


def test_an_operator_releases_it():
    stage = ticker(staged(), SECOND, 10_100, 10_102).wake(4 * SECOND)
    stage.gate.release(4 * SECOND)
    assert stage.gate.state == NORMAL
    assert stage.wake(4 * SECOND).gate.state == NORMAL
    assert stage.wake(6 * SECOND).gate.state == CANCEL_ALL
