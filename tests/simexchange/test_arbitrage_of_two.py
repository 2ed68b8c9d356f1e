"""Arbitrage between two local exchanges, whole: the venues' ledgers, the report, the record and its replay."""

from __future__ import annotations

import json
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest

from quotewright.config.check import faults
from quotewright.config.load import load_config
from quotewright.errors import InputError
from quotewright.kernel.codes import MONEY_SCALE
from quotewright.plugin.registry import PluginSet
from quotewright.report.strategies import strategies_section, strategy_lines
from quotewright.runtime.inputlog import REPORT, InputLogWriter, read_input_log
from quotewright.runtime.replay import replay
from quotewright.runtime.session import backtest, paper
from quotewright.tape.tape import MemoryTape
from quotewright_simexchange.agents import MarketSettings
from quotewright_simexchange.local import LocalExchange

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "arbitrage.toml"
SECONDS = 14


@pytest.fixture(scope="module")
def plugins():
    return PluginSet.discover(environment={})


@pytest.fixture(scope="module")
def run(tmp_path_factory, plugins):
    """The example, and what was at work in it."""
    folder = tmp_path_factory.mktemp("runs") / "arb"
    kept = []
    outcome = paper(load_config([EXAMPLE]), plugins, SECONDS, folder=folder, prepared=kept.append)
    return outcome.summary, folder, kept[0].wired


def records(folder):
    return [json.loads(line, parse_float=Decimal) for line in (folder / "strategy-arb.jsonl").read_text().splitlines()]


def test_portfolios_are_what_the_venues_booked(run):
    """Each venue's own ledger is what it began with and what our portfolio says came of it, to the last digit."""
    summary, _, wired = run
    assert summary["fills"] > 10
    for view in wired.views:
        portfolio, instrument = view.portfolio, view.instrument
        balances = summary["venues"][instrument.venue]["balances"]
        money = Decimal(portfolio.cash - portfolio.fees_at(view.known_mid2)).scaleb(-MONEY_SCALE)
        assert balances["USDT"] == 50_000 + money
        assert balances["BTC"] == 1 + instrument.quantity(portfolio.position_lots)


def test_what_trades_say_they_earned_is_what_both_portfolios_hold(run):
    summary, folder, wired = run
    trades = [trade for one in records(folder) for trade in one["trades"]]
    figures = summary["strategies"]["arb"]["figures"]
    assert figures["traded"] == len(trades) == sum(figures["outcomes"].values()) > 5
    assert figures["legged"] == sum(trade["is_legged"] for trade in trades) > 0
    left = sum(view.instrument.quantity(view.position_lots) for view in wired.views)
    assert left == sum(trade["residue"] for trade in trades)
    assert abs(left) < Decimal("0.0005")  # the lots of east are coarser than those of north
    flow = sum(view.portfolio.cash - view.portfolio.fees_at(view.known_mid2) for view in wired.views)
    worth = Decimal(flow).scaleb(-MONEY_SCALE) + left * wired.views[0].instrument.price_from_steps(6_000_000)
    assert abs(figures["profit"] - worth) < abs(left) * 300 + Decimal("1e-8")
    assert abs(sum(trade["profit"] for trade in trades) - figures["profit"]) < Decimal("1e-6")
    assert abs(sum(trade["unwind_cost"] for trade in trades) - figures["unwind_cost"]) < Decimal("1e-6")
    assert figures["unwind_cost"] > 0


def test_opportunities_open_and_close_and_never_overlap_on_one_way(run):
    summary, folder, _ = run
    found = records(folder)
    assert [one["id"] for one in found] == [f"arb-{number}" for number in range(1, len(found) + 1)]
    ends: dict[tuple[str, str], int] = {}
    for one in found:
        way = one["buy"], one["sell"]
        assert one["opened_ns"] >= ends.get(way, 0)
        assert one["net_bps"] >= 2
        assert one["available_notional"] >= 1000
        ends[way] = (one["closed_ns"] or summary["end_ns"]) + 500_000_000
    assert summary["strategies"]["arb"]["figures"]["detected"] == len(found)


def test_the_terminal_and_the_page_tell_of_it(run):
    summary, _, _ = run
    ((name, line),) = strategy_lines(summary)
    assert name == "strategy arb"
    assert f"detected {summary['strategies']['arb']['figures']['detected']}, " in line
    assert "unwind cost " in line
    section = strategies_section(summary)
    assert "What strategy arb tells" in section
    assert f"<th>legged</th><td>{summary['strategies']['arb']['figures']['legged']}</td>" in section


def test_the_record_of_two_venues_is_replayed_byte_for_byte(run, plugins):
    _, folder, _ = run
    commands = replay(load_config([folder / "config.toml"]), plugins, folder / "inputs.log")
    assert commands == len((folder / "orders.jsonl").read_bytes().splitlines()) > 10


def test_a_report_that_is_of_no_order_cannot_be_given_back_to_a_venue(run, plugins, tmp_path):
    _, folder, _ = run
    log = tmp_path / "inputs.log"
    writer = InputLogWriter(log, {"verb": "paper"})
    is_first = True
    for record in read_input_log(folder / "inputs.log"):
        body = record.body
        if record.kind == REPORT and is_first:
            is_first, body = False, body | {"order_number": 999_999}
        writer._write((record.kind, record.now_ns, record.rows, body))
    writer.close()
    with pytest.raises(InputError, match=r"report of order 999999, which the log never placed: .* north, east gave it"):
        replay(load_config([folder / "config.toml"]), plugins, log)


def test_the_same_seed_gives_the_same_orders(plugins):
    digests = {paper(load_config([EXAMPLE]), plugins, 6).summary["order_log_sha256"] for _ in range(2)}
    assert len(digests) == 1


def test_markets_that_share_a_fair_value_stray_and_find_back(plugins):
    """Two seeds: with a shared fair value the markets stay near each other, without one each goes its way."""
    apart = {}
    for shared in (0, 11):
        settings = MarketSettings(shared=shared, stray="9 bps", stray_for="3s", volatility="8 bps")
        markets = [LocalExchange(market=settings) for _ in range(2)]
        for number, market in enumerate(markets):
            market.open(40 + number)
        gaps = []
        for step in range(1, 400):
            until_ns = markets[0].agents.start_fair and 1_767_225_600_000_000_000 + step * 100_000_000
            for market in markets:
                while market.agents.next_ns <= until_ns:
                    market.act()
            one, other = (market.agents.fair for market in markets)
            gaps.append(abs(Fraction(one - other, one)) * 10_000)
        apart[shared] = max(gaps), min(gaps[20:])
    assert 10 < apart[11][0] < 60
    assert apart[11][1] < 1
    assert apart[0][0] > 60


def test_legs_need_no_venue_of_the_strategy_and_each_is_checked(tmp_path, plugins):
    text = EXAMPLE.read_text()
    assert faults(load_config([EXAMPLE]), plugins) == []
    path = tmp_path / "wrong.toml"
    path.write_text(text.replace('east", venue = "east" }', 'east", venue = "esat" }'))
    (fault,) = faults(load_config([path]), plugins)
    assert "strategies.arb.legs[1].venue: there is no table [venues.esat]; did you mean 'east'?" in fault
    path.write_text(text.replace(', venue = "north" }', " }"))
    (fault,) = faults(load_config([path]), plugins)
    assert "strategies.arb.legs[0]: missing key 'venue': one of north, east" in fault


def test_a_tape_of_two_instruments_is_looked_through_without_an_order(tmp_path, plugins):
    """The rows of the example's market, recorded, are a tape of two venues: a backtest finds what is to be found."""
    path = tmp_path / "look.toml"
    path.write_text(EXAMPLE.read_text().replace('mode = "trade"', 'mode = "detect"'))
    rows = Recording()
    live = paper(load_config([path]), plugins, 12, prepared=rows.tap).summary
    path.write_text(DETECT)
    outcome = backtest(load_config([path]), plugins, MemoryTape(rows.instruments, rows.buffer), tmp_path / "run")
    figures = outcome.summary["strategies"]["arb"]["figures"]
    assert outcome.summary["orders"] == 0
    assert figures["detected"] == live["strategies"]["arb"]["figures"]["detected"] > 0
    assert len(records(tmp_path / "run")) == figures["detected"]


DETECT = """
config_version = 1
[run]
name = "look"
[feeds.tape]
plugin = "tape"
[venues.main]
plugin = "replay"
[strategies.arb]
plugin = "arbitrage"
legs = [{ instrument = "BTC-USDT.spot@north" }, { instrument = "BTC-USDT.spot@east" }]
min_profit = "2 bps"
max_position = "0.8 BTC"
cooldown = "500ms"
taker_fees = { north = "1 bps", east = "2 bps" }
"""


class Recording:
    """Keeps the rows that a session takes."""

    def tap(self, session):
        from quotewright.kernel.rows import TapeBuffer

        self.buffer = TapeBuffer(4096)
        self.instruments = session.wired.market.instruments
        source = session.wired.market.source
        take = source.take

        def taking(*arguments):
            take(*arguments)
            self.buffer.extend(source.buffer, 0, source.buffer.count)

        source.take = taking
