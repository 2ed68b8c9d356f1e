"""Two exchanges in process in one run: one clock, one order of inputs, and neither learns of the other."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from quotewright.config.load import load_config
from quotewright.errors import ConfigError
from quotewright.plugin.registry import PluginSet
from quotewright.runtime.session import Session, paper

HEAD = "config_version = 1\n[run]\nname = 'two'\nseed = 5\n"
NORTH = """
[feeds.north]
plugin = "venue"
venue = "north"
[venues.north]
plugin = "exchange"
venue = "north"
instruments = ["BTC-USDT.spot,price=60000"]
latency = { feed = "2ms", entry = "3ms", response = "2ms" }
"""
EAST = """
[feeds.east]
plugin = "venue"
venue = "east"
[venues.east]
plugin = "exchange"
venue = "east"
instruments = ["ETH-USDT.spot,price=3000", "BTC-USDT.spot,price=60000"]
latency = { feed = "7ms", entry = "1ms", response = "9ms" }
"""
LOCAL = """
[feeds.south]
plugin = "simexchange"
venue = "south"
[venues.south]
plugin = "simexchange"
instrument = "BTC-USDT.spot@south"
"""
QUOTE = """
[strategies.{venue}]
plugin = "fixed_spread"
venue = "{venue}"
instrument = "BTC-USDT.spot@{venue}"
spread = "2 bps"
size = "0.01 BTC"
max_position = "0.1 BTC"
"""


@pytest.fixture(scope="module")
def plugins():
    return PluginSet.discover(environment={})


def configured(tmp_path: Path, *parts: str):
    path = tmp_path / "several.toml"
    path.write_text(HEAD + "".join(parts))
    return load_config([path])


def quoting(*venues: str) -> str:
    return "".join(QUOTE.format(venue=venue) for venue in venues)


def test_an_exchange_does_the_same_whether_another_one_is_there_or_not(tmp_path, plugins):
    alone = paper(configured(tmp_path, NORTH, quoting("north")), plugins, seconds=8).summary
    beside = paper(configured(tmp_path, NORTH, EAST, LOCAL, quoting("north", "east", "south")), plugins, seconds=8)
    summary = beside.summary
    assert beside.exit_code == 0
    assert alone["fills"] > 0
    for key in ("position", "fills", "pnl", "trades"):
        assert summary["instruments"]["BTC-USDT.spot@north"][key] == alone["instruments"]["BTC-USDT.spot@north"][key]
    for key in ("market_trades", "fills", "balances", "open_orders", "market"):  # its hash covers our order numbers
        assert summary["venues"]["north"][key] == alone["venues"]["north"][key]
    assert all(summary["instruments"][f"BTC-USDT.spot@{venue}"]["fills"] for venue in ("east", "south"))
    assert summary["instruments"]["BTC-USDT.spot@east"]["pnl"] != alone["pnl"]


def test_the_order_log_does_not_depend_on_how_far_the_driver_goes_at_a_time(tmp_path, plugins):
    digests = set()
    for step_ns, most in ((10**9, 50_000), (1_300_000, 50_000), (10**9, 1)):
        session = Session("paper", configured(tmp_path, LOCAL, NORTH, quoting("south", "north")), plugins)
        while session.now_ns < session.start_ns + 3_000_000_000:
            target = min(session.now_ns + step_ns, session.start_ns + 3_000_000_000)
            while session.advance(target, most):
                pass
        digests.add(session.finish().summary["order_log_sha256"])
    assert len(digests) == 1


def test_no_exchange_is_past_the_moment_of_what_is_told_next(tmp_path, plugins):
    """Without one clock the first exchange runs ahead of news of the other, which may make us act there."""
    wired = Session("paper", configured(tmp_path, NORTH, EAST, quoting("north", "east")), plugins).wired
    source, exchanges = wired.market.source, [venue.exchange for venue in wired.venues.values()]
    until_ns = wired.market.start_ns + 3_000_000_000
    told = ahead = 0
    while (receive_ns := source.fill(until_ns)) <= until_ns:
        ahead = max(ahead, *(exchange.now_ns - receive_ns for exchange in exchanges))
        source.first = source.last
        told += 1
    assert told > 200
    assert ahead == 0


def test_exchanges_of_one_name_are_refused(tmp_path, plugins):
    with pytest.raises(ConfigError, match=r"the feeds 'north' and 'east' both have BTC-USDT.spot@north"):
        paper(configured(tmp_path, NORTH, EAST.replace('venue = "east"\ninstr', 'venue = "north"\ninstr'),
                         quoting("north")), plugins, seconds=1)  # fmt: skip


PERPETUAL = """
[feeds.east]
plugin = "venue"
venue = "east"
[venues.east]
plugin = "exchange"
venue = "east"
instruments = ["ETH-USDT.perp,price=3000"]
[strategies.perpetual]
plugin = "fixed_spread"
venue = "east"
instrument = "ETH-USDT.perp@east"
spread = "1 bps"
size = "0.1 ETH"
max_position = "0.5 ETH"
"""


def test_funding_is_booked_to_the_instrument_it_was_paid_for_wherever_it_stands_in_the_run(tmp_path, plugins):
    """The perpetual is the first instrument of its venue and the second of the run."""
    session = Session("paper", configured(tmp_path, NORTH, quoting("north"), PERPETUAL), plugins)
    assert [view.instrument.name for view in session.wired.views] == ["BTC-USDT.spot@north", "ETH-USDT.perp@east"]
    exchange = session.wired.venues["east"].exchange
    for second in (3, 5, 7):
        exchange.at(session.start_ns + second * 10**9, lambda: exchange.fund("ETHUSDT:PERP", Decimal("0.0003")))
    session.run_through(session.start_ns + 8 * 10**9)
    instruments = session.finish().summary["instruments"]
    assert instruments["BTC-USDT.spot@north"]["funding_payments"] == 0
    assert instruments["ETH-USDT.perp@east"]["funding_payments"] > 0
