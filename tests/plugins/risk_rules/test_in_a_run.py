"""Rules within a real pipeline: what they stop is pulled at once, what they close is closed once."""

from __future__ import annotations

from quotewright.kernel.codes import BUY, CANCEL_ALL, HALT, NORMAL, SELL
from quotewright.model.orders import Rejected
from quotewright.testing.rule_stage import SECOND, RuleStage
from quotewright_plugins.risk_rules.kill_switch import KillSwitch
from quotewright_plugins.risk_rules.market_maker_protection import MarketMakerProtection
from quotewright_plugins.risk_rules.position_limit import PositionLimit
from quotewright_plugins.risk_rules.stale_private import StalePrivate


def test_the_fill_that_is_too_much_pulls_every_quote_at_once():
    stage = RuleStage(MarketMakerProtection(fills=2, window="1s", freeze="5s"))
    orders = [stage.place(BUY, 1, stage.mid - 2 - number) for number in range(4)]
    stage.fill(orders[0], 1)
    assert len(stage.view.live) == 3
    stage.fill(orders[1], 1)
    assert (stage.view.live, stage.state()) == ([], CANCEL_ALL)
    stage.wait(5 * SECOND)
    assert stage.place(BUY, 1, stage.mid - 2) is not None


def test_the_kill_switch_flattens_with_one_order_and_then_halts():
    stage = RuleStage(KillSwitch(rejects=2, flatten=True, collar="100 bps"))
    stage.deal(BUY, 4)
    quotes = [stage.place(BUY, 1, stage.mid - 3), stage.place(SELL, 1, stage.mid + 3)]
    for quote in quotes:
        stage.venue.tell(Rejected, order_number=quote.number, reason="venue")
    stage.wait(SECOND)
    (closing,) = stage.view.live
    assert (closing.rule, closing.side, closing.price_ticks, closing.open_lots()) == ("rule", SELL, 9_900, 4)
    stage.fill(closing, 3)
    stage.wait(SECOND)
    assert (stage.state(), len(stage.view.live)) == (CANCEL_ALL, 1)
    stage.fill(closing, 1)
    stage.wait(SECOND)
    assert (stage.state(), stage.view.live, stage.view.position_lots) == (HALT, [], 0)
    stage.pipeline.operate("resume", "the test")
    assert stage.state() == NORMAL


def test_a_liquidation_is_in_flight_once_and_is_not_cancelled_with_the_quotes():
    stage = RuleStage(PositionLimit(limit="5 lots", liquidate=True, retry="1s"))
    quote = stage.place(SELL, 1, stage.mid + 5)
    stage.view.portfolio.book_fill(BUY, stage.mid, 8, 0, "USDT", 0, True)
    for _ in range(10):
        stage.wait(SECOND)
    (closing,) = stage.view.live
    assert not quote.is_live()
    assert (closing.rule, closing.open_lots(), stage.pipeline.manager.sent) == ("rule", 3, 2)
    stage.fill(closing, 3)
    stage.wait(SECOND)
    assert (stage.view.position_lots, stage.view.live, stage.state() < CANCEL_ALL) == (5, [], True)


def test_a_venue_out_of_reach_is_not_traded_at_until_it_is_back():
    stage = RuleStage(StalePrivate())
    stage.reach(False, "the test")
    stage.wait(SECOND)
    assert (stage.state(), stage.place(BUY, 1, stage.mid - 2)) == (CANCEL_ALL, None)
    stage.reach(True)
    stage.wait(SECOND)
    assert stage.place(BUY, 1, stage.mid - 2) is not None
