"""From a config to a pipeline: names become objects, units become lots and money, and what does not fit is named."""

from __future__ import annotations

from decimal import Decimal

import attrs
import pytest

from quotewright.config.load import load_config
from quotewright.config.units import Amount
from quotewright.errors import ConfigError, InputError
from quotewright.kernel.amounts import to_money
from quotewright.kernel.ladder import Ladder
from quotewright.kernel.strategy import MultiStrategy
from quotewright.kernel.view import View
from quotewright.plugin.registry import PluginSet
from quotewright.plugin.settings import configured, setting
from quotewright.tape.tape import MemoryTape
from quotewright.wiring import BindContext, assemble
from tests.framework.kernel.stage import ONE, PLAIN, SECOND, Market, Notes, Stage

CENTS = attrs.evolve(PLAIN, price_decimals=2, size_decimals=3, lot_steps=10)
ETH = attrs.evolve(PLAIN, name="ETH-USDT.spot@test", symbol="ETHUSDT", base="ETH")
CROSS = attrs.evolve(PLAIN, name="ETH-BTC.spot@test", symbol="ETHBTC", base="ETH", quote="BTC")

CONFIG = """
config_version = 1
[feeds.market]
plugin = "tape"
[venues.main]
plugin = "replay"
[strategies.mm]
plugin = "fixed_spread"
size = "1 BTC"
spread = "200 bps"
max_position = "10 BTC"
[risk.position]
plugin = "position_limit"
limit = "10 BTC"
mode = "warn"
"""


@pytest.fixture(scope="module")
def plugins():
    return PluginSet.discover(environment={})


def tape(market=None, instruments=(PLAIN,)):
    market = market or Market().snapshot(1, 99, 101).snapshot(SECOND, 99, 101)
    return MemoryTape(instruments, market.buffer)


def assembled(plugins, tmp_path, text="", sets=(), tape_=None, config=CONFIG):
    path = tmp_path / "run.toml"
    path.write_text(config + text, encoding="utf-8")
    return assemble(load_config([path], sets), plugins, tape_ or tape(), Notes())


AMOUNTS = {  #          amount        lots at mid 100.00  money at mid 100.00
    "in base":         ("0.5 BTC",   50,   50 * ONE),
    "in lots":         ("7 lots",     7,    7 * ONE),
    "rounded down":    ("0.019 BTC",  1,    1 * ONE),
    "in quote":        ("60 USDT",   60,   60 * ONE),
    "quote, any":      ("60.99 quote", 60, 60 * ONE + 99 * ONE // 100),
}  # fmt: skip


@pytest.mark.parametrize(("amount", "lots", "money"), AMOUNTS.values(), ids=AMOUNTS)
def test_an_amount_becomes_lots_and_money_at_the_last_mid(amount, lots, money):
    view = Stage(instrument=CENTS).quote(1, 9_990, 10_010).view
    bound = BindContext(name="x", where="risk.x", views=(view,)).amount(Amount.parse(amount))
    assert (bound.lots(view), bound.money(view)) == (lots, money)
    assert bound.applies_to(view)


def test_a_value_is_no_lots_while_there_is_no_mid():
    view = Stage(instrument=CENTS).view
    assert BindContext(name="x", where="risk.x", views=(view,)).amount(Amount.parse("60 USDT")).lots(view) == 0


def test_an_amount_holds_for_the_instruments_whose_unit_it_is_in():
    views = (View(PLAIN, 0, Ladder()), View(ETH, 1, Ladder()))
    context = BindContext(name="x", where="risk.x", views=views)
    bound = context.amount(Amount.parse("3 ETH"))
    assert [bound.applies_to(view) for view in views] == [False, True]
    assert context.money(Amount.parse("5 USDT")) == 5 * ONE


REFUSED = {
    "a unit of nobody": (lambda c: c.amount(Amount.parse("1 DOGE"), "limit"), "risk.x.limit: unit 'DOGE' fits no"),
    "less than a lot": (
        lambda c: c.amount(Amount.parse("0.001 BTC"), "size"),
        "risk.x.size: 0.001 BTC is less",
    ),
    "money of base": (
        lambda c: c.money(Amount.parse("1 BTC"), "limit"),
        "unit should be USDT, was 'BTC'",
    ),
}


@pytest.mark.parametrize(("ask", "message"), REFUSED.values(), ids=REFUSED)
def test_an_amount_that_fits_nothing_is_named(ask, message):
    view = Stage(instrument=CENTS).view
    with pytest.raises(ConfigError, match=message):
        ask(BindContext(name="x", where="risk.x", views=(view,)))


def test_one_amount_of_money_cannot_hold_for_two_currencies():
    views = (View(PLAIN, 0, Ladder()), View(CROSS, 1, Ladder()))
    with pytest.raises(ConfigError, match="settle in BTC and USDT; one amount cannot hold for all of them"):
        BindContext(name="x", where="risk.x", views=views).money(Amount.parse("5 USDT"), "limit")


def test_a_signal_belongs_to_one_instrument():
    views = (View(PLAIN, 0, Ladder()), View(ETH, 1, Ladder()))
    with pytest.raises(ConfigError, match=r"risk\.x: a signal belongs to one instrument"):
        BindContext(name="x", where="risk.x", views=views).volatility(SECOND)


def test_money_finer_than_counted_is_refused():
    assert to_money(Decimal("1.5")) == 15 * ONE // 10
    with pytest.raises(ConfigError, match="finer than 10\\^-18"):
        to_money(Decimal("1e-19"))


def test_a_config_becomes_a_pipeline(plugins, tmp_path):
    wired = assembled(plugins, tmp_path)
    assert [desk.name for desk in wired.desks] == ["mm"]
    assert [(rule.name, rule.mode) for rule in wired.rules] == [("position", "warn")]
    assert (list(wired.venues), wired.views[0].instrument) == (["main"], PLAIN)
    assert wired.views[0].account is wired.gate
    wired.pipeline.start(wired.market.start_ns)
    wired.pipeline.advance(SECOND, 10**6)
    assert wired.pipeline.messages == 2
    assert {command.side for _, command in wired.pipeline.recorder.commands} == {1, 2}


@pytest.mark.parametrize("name", ["BTC-USDT.spot@test", "BTC-USDT.spot", "*", ""])
def test_an_instrument_is_named_with_or_without_its_venue_or_not_at_all_if_there_is_one(plugins, tmp_path, name):
    wired = assembled(plugins, tmp_path, sets=[f"strategies.mm.instrument={name}"] if name else [])
    assert wired.desks[0].view.instrument_id == 0


FAULTS = {
    "an instrument that is not there": (["strategies.mm.instrument=ETH-USDT.spot"], "strategies.mm.instrument: "),
    "a venue that is not there": (
        ["strategies.mm.venue=other"],
        "no venue called 'other' is configured",
    ),
    "a strategy that is not there": (["strategies.mm.plugin=fixed_spred"], "no strategy called 'fixed_spred'"),
    "a unit of another instrument": (["risk.position.limit=1 DOGE"], "limit: unit 'DOGE' fits no instrument"),
}


@pytest.mark.parametrize(("sets", "message"), FAULTS.values(), ids=FAULTS)
def test_what_does_not_fit_is_named(plugins, tmp_path, sets, message):
    with pytest.raises(ConfigError, match=message):
        assembled(plugins, tmp_path, sets=sets)


SECOND_MM = CONFIG[CONFIG.index("[strategies.mm]") : CONFIG.index("[risk")].replace(".mm]", ".second]")


def test_strategies_share_an_instrument_at_one_venue(plugins, tmp_path):
    wired = assembled(plugins, tmp_path, SECOND_MM)
    first, second = wired.desks
    assert first.view is second.view
    assert first.portfolio is not second.portfolio
    text = SECOND_MM + 'venue = "second"\n[venues.second]\nplugin = "replay"\n'
    with pytest.raises(ConfigError, match=r"strategies.second.venue: BTC-USDT.spot@test is traded at venue 'main' by"):
        assembled(plugins, tmp_path, text, sets=["strategies.mm.venue=main"])


@configured
class Both(MultiStrategy):
    """Quotes nothing, in two legs."""

    wake_every_ns = SECOND
    width: int = setting(default=1, doc="nothing")

    def bind(self, context):
        self.names = [view.instrument.name for view in context.views]

    def on_wake_legs(self, views, quotes):
        """State nothing."""


LEGS = """
[strategies.both]
plugin = "tests.framework.test_wiring:Both"
legs = [{ instrument = "ETH-USDT.spot" }, { instrument = "BTC-USDT.spot", venue = "main" }]
"""
NO_MAKER = CONFIG.replace(SECOND_MM.replace(".second]", ".mm]"), "")


def two():
    market = Market().snapshot(1, 99, 101).snapshot(2, 49, 51, instrument=1).snapshot(SECOND, 99, 101)
    return tape(market, (PLAIN, ETH))


def test_a_strategy_with_legs_has_a_desk_for_each_in_its_order(plugins, tmp_path):
    wired = assembled(plugins, tmp_path, LEGS, tape_=two(), config=NO_MAKER)
    first, second = wired.desks
    assert first.strategy is second.strategy
    assert first.legs == second.legs == [first, second]
    assert [desk.view.instrument.name for desk in wired.desks] == first.strategy.names
    assert first.strategy.names == ["ETH-USDT.spot@test", "BTC-USDT.spot@test"]
    assert [timer.period_ns for timer in wired.pipeline.timers].count(SECOND) == 3  # rule, sample, strategy


LEG_FAULTS = {
    "a leg twice": ("legs = [{ instrument = 'BTC-USDT.spot' }, { instrument = 'BTC-USDT.spot@test' }]", "another leg"),
    "no legs": ("instrument = 'BTC-USDT.spot'", r"takes legs = \[\{ instrument, venue"),
    "both": (
        "instrument = 'BTC-USDT.spot'\n" + LEGS.splitlines()[3],
        "names instrument and venue in each of them only",
    ),
    "an unknown venue": ("legs = [{ instrument = 'BTC-USDT.spot', venue = 'x' }]", r"legs\[0\].venue: no venue called"),
    "an unknown instrument": ("legs = [{ instrument = 'DOGE-USDT.spot' }]", r"legs\[0\].instrument: "),
    "an unknown key": ("legs = [{ instrumnt = 'BTC-USDT.spot' }]", r"legs.0: unknown key 'instrumnt'; did you mean"),
}


@pytest.mark.parametrize(("line", "message"), LEG_FAULTS.values(), ids=LEG_FAULTS)
def test_legs_that_do_not_fit_are_named(plugins, tmp_path, line, message):
    text = LEGS.replace(LEGS.splitlines()[3], line)
    with pytest.raises(ConfigError, match=message):
        assembled(plugins, tmp_path, text, tape_=two(), config=NO_MAKER)


def test_a_plain_strategy_takes_no_legs(plugins, tmp_path):
    text = SECOND_MM + LEGS.splitlines()[3] + "\n"
    with pytest.raises(ConfigError, match=r"strategies\.second: 'fixed_spread' has no legs: it takes instrument"):
        assembled(plugins, tmp_path, text, tape_=two(), config=NO_MAKER)


def test_a_parameter_changes_while_the_run_goes_on(plugins, tmp_path):
    wired = assembled(plugins, tmp_path)
    wired.pipeline.start(wired.market.start_ns)
    before = wired.desks[0].strategy
    wired.pipeline.operate("set strategies.mm.spread=400 bps", "wider")
    after = wired.desks[0].strategy
    assert (before.spread.fraction, after.spread.fraction) == (Decimal("0.02"), Decimal("0.04"))
    wired.pipeline.operate("set strategies.mm.requote.ticks=7", "calmer")
    assert wired.desks[0].manager.requote_ticks == 7
    wired.pipeline.operate("set strategies.mm.requote.offer_ticks=3", "calmer still")
    manager = wired.desks[0].manager
    assert (manager.requote_ticks, manager.bid_ticks, manager.offer_ticks) == (7, -1, 3)
    assert wired.desks[0].strategy.spread.fraction == Decimal("0.04")


NO_CHANGE = {
    "of a rule":        ("risk.position.limit=1 BTC", "a key of strategies.mm can change while the run goes on"),
    "of nobody":        ("strategies.xx.spread=1 bps", "a key of strategies.mm can change|names no plugin|missing key"),
    "a wrong value":    ("strategies.mm.spread=wide", "strategies.mm.spread: "),
    "an unknown key":   ("strategies.mm.spred=1 bps", "unknown key 'spred'; did you mean 'spread'"),
    "another venue":    ("strategies.mm.venue=main", "'venue' is fixed for the run"),
    "no assignment":    ("strategies.mm.spread", "should be table.key=value"),
}  # fmt: skip


@pytest.mark.parametrize(("assignment", "message"), NO_CHANGE.values(), ids=NO_CHANGE)
def test_a_change_that_does_not_fit_is_refused_and_nothing_changes(plugins, tmp_path, assignment, message):
    wired = assembled(plugins, tmp_path)
    before = wired.desks[0].strategy
    with pytest.raises(ConfigError, match=message):
        wired.pipeline.operate(f"set {assignment}", "a slip")
    assert wired.desks[0].strategy is before


def test_a_run_on_a_tape_takes_one_feed_and_a_strategy(plugins, tmp_path):
    with pytest.raises(ConfigError, match="no strategy is configured; add a table"):
        assembled(plugins, tmp_path, config=CONFIG.replace(SECOND_MM.replace(".second]", ".mm]"), ""))
    with pytest.raises(ConfigError, match=r"2 feeds are configured; a run on a tape takes one table \[feeds.NAME\]"):
        assembled(plugins, tmp_path, '[feeds.other]\nplugin = "tape"\n')


def test_a_tape_that_shows_a_row_before_it_happened_is_refused(plugins, tmp_path):
    market = Market().snapshot(1, 99, 101)
    market.buffer.append(50, 49, 99, 7, 0, market.buffer.words[2 * 6 + 5] | 1 << 16)
    with pytest.raises(InputError, match="row 4"):
        assembled(plugins, tmp_path, tape_=tape(market))
