"""The run's books against the exchange's own: perpetuals in two currencies, fees and funding, to the last digit."""

from __future__ import annotations

from decimal import Decimal

import pytest

from quotewright.config.load import load_config
from quotewright.plugin.registry import PluginSet
from quotewright.report.table import notes, print_summary
from quotewright.runtime.session import Session
from quotewright_simexchange.venue import ACCOUNT

CONFIG = """
config_version = 1
[run]
name = "perpetuals"
seed = 11
[feeds.market]
plugin = "venue"
[venues.main]
plugin = "exchange"
instruments = [
    "BTC-USDT.perp,price=60000",
    "ETH-USDC.perp,price=3000,maker_fee=0",
]
[strategies.linear]
plugin = "fixed_spread"
instrument = "BTC-USDT.perp@local"
spread = "1 bps"
size = "0.01 BTC"
max_position = "0.05 BTC"
[strategies.other]
plugin = "fixed_spread"
instrument = "ETH-USDC.perp@local"
spread = "1 bps"
size = "0.1 ETH"
max_position = "0.5 ETH"
"""
SECOND = 1_000_000_000


@pytest.fixture(scope="module")
def outcome(tmp_path_factory):
    """Return the summary of 25 s in which funding is paid five times, the exchange, and our balances at the start."""
    path = tmp_path_factory.mktemp("money") / "run.toml"
    path.write_text(CONFIG)
    session = Session("paper", load_config([path]), PluginSet.discover(environment={}))
    venue = session.wired.venues["main"]
    exchange = venue.exchange
    before = {currency: free + locked for currency, (free, locked) in exchange.balances(ACCOUNT).items()}
    for second in (4, 8, 12, 16, 20):
        for symbol in exchange.listings:
            exchange.at(
                session.start_ns + second * SECOND, lambda symbol=symbol: exchange.fund(symbol, Decimal("0.0003"))
            )
    session.run_through(session.start_ns + 25 * SECOND)
    return session.finish().summary, exchange, before


CURRENCIES = {"BTC-USDT.perp@local": "USDT", "ETH-USDC.perp@local": "USDC"}


@pytest.mark.parametrize("name", CURRENCIES)
def test_realised_fees_and_funding_are_what_the_wallet_has_changed_by(outcome, name):
    summary, exchange, before = outcome
    figures, currency = summary["instruments"][name], CURRENCIES[name]
    free, locked = exchange.balances(ACCOUNT)[currency]
    booked = figures["realised"] - figures["fees"] + figures["pnl_funding"]
    assert (figures["quote"], figures["fills"] > 10, figures["funding_payments"] > 0) == (currency, True, True)
    # The exchange rounds shares of entry values and funding at eight digits.
    assert abs(free + locked - before[currency] - booked) <= Decimal("1e-8") * figures["fills"]
    parts = figures["pnl_spread"] + figures["pnl_inventory"] - figures["fees"] + figures["pnl_funding"]
    whole = figures["realised"] + figures["unrealised"] - figures["fees"] + figures["pnl_funding"]
    assert figures["pnl"] == parts == whole


def test_each_currency_is_told_apart_and_dollars_are_not_added_to_one_another(outcome):
    summary, _, _ = outcome
    assert sorted(summary["totals"]) == ["USDC", "USDT"]
    assert (summary["total"]["currency"], summary["pnl"], summary["total"]["left_out"]) == (
        None,
        None,
        ["USDC", "USDT"],
    )
    legs = [leg for one in summary["strategies"].values() for leg in one["legs"]]
    assert {leg["currency"]: leg["pnl"] for leg in legs} == {
        currency: parts["pnl"] for currency, parts in summary["totals"].items()
    }
    assert summary["profit_by_venue"]["main"] == summary["totals"]
    told = [sentence for sentence in summary["assumptions"] if "funding is what its venue reported" in sentence]
    assert len(told) == 2
    assert notes(summary)[0].startswith("there is no total: between USDC and USDT")


def test_a_run_without_a_total_is_drawn_and_printed_all_the_same(outcome, capsys):
    summary, _, _ = outcome
    print_summary(summary)
    printed = capsys.readouterr().out
    assert "total USDC" in printed
    assert "strategy other" in printed
