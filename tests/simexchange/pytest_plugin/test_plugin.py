"""The pytest plugin as those see it who use nothing else of quotewright."""

from __future__ import annotations

import subprocess
import sys
import time
from importlib.metadata import distributions
from pathlib import Path

import pytest

from quotewright_simexchange.testing import ExchangeDoors, Watched, seed_of

pytest_plugins = ["pytester"]
ROOT = Path(__file__).resolve().parents[3]
IS_INSTALLED = any(
    Path(str(dist.locate_file(""))) != ROOT and dist.entry_points.select(group="pytest11", name="quotewright_exchange")
    for dist in distributions(name="quotewright")
)
"""Not so in an editable installation that is older than the plugin, even where a build has left its traces in the
tree: its tests name the module instead."""
PLUGIN = ("-p", "no:cacheprovider", *(() if IS_INSTALLED else ("-p", "quotewright_simexchange.pytest_plugin")))


def test_fixtures_work_together(pytester: pytest.Pytester):
    pytester.makepyfile(
        """
        from decimal import Decimal

        def test_fill(local_exchange, scripted_market, venue_truth):
            scripted_market('''
                instrument BTCUSDT
                account taker 100000 USDT
                maker sells 2 at 60010
                at 1s taker buys 1 at market
                expect offer 60010 1
            ''')
            assert venue_truth.fills("taker", "BTCUSDT")[0].price == Decimal(60010)
            assert venue_truth.balances("taker")["BTC"] == (Decimal(1), Decimal(0))
            assert local_exchange.book("BTCUSDT").offers == venue_truth.book("BTCUSDT")["asks"]
        """
    )
    pytester.runpytest_subprocess(*PLUGIN).assert_outcomes(passed=1)


def test_a_failing_test_shows_the_seed_and_the_exchanges_log(pytester: pytest.Pytester):
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.local_exchange(seed=4711)
        def test_wrong(local_exchange, scripted_market):
            scripted_market("instrument BTCUSDT\\nmaker sells 2 at 60010")
            assert local_exchange.book("BTCUSDT").bids
        """
    )
    result = pytester.runpytest_subprocess(*PLUGIN, "--strict-markers")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([
        "*local exchange of quotewright*",
        "seed 4711, market time +0.000000s, * events",
        "*maker order * accepted: sell 2 BTCUSDT at 60010, 0 filled, open*",
    ])  # fmt: skip


def test_a_script_that_did_not_get_what_it_expected_fails_its_test(pytester: pytest.Pytester):
    pytester.makepyfile(
        """
        def test_script(scripted_market):
            scripted_market("instrument BTCUSDT\\nm sells 2 at 60010\\nexpect bid 1")
        """
    )
    result = pytester.runpytest_subprocess(*PLUGIN)
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*script, line 3: 'expect bid 1': expected 1, came none"])


def test_listings_accounts_and_seed_come_from_the_marker(pytester: pytest.Pytester):
    pytester.makepyfile(
        """
        import pytest
        from quotewright_simexchange.testing import spot_listing

        LISTINGS = [spot_listing("DOGEEUR", "DOGE", "EUR", tick="0.00001", lot="1")]

        @pytest.mark.local_exchange(listings=LISTINGS, accounts={"us": {"EUR": 5}})
        def test_marked(local_exchange):
            assert list(local_exchange.listings) == ["DOGEEUR"]
            assert local_exchange.balances("us")["EUR"] == (5, 0)

        @pytest.mark.local_exchange(sed=1)
        def test_misspelt(local_exchange):
            pass
        """
    )
    result = pytester.runpytest_subprocess(*PLUGIN)
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*local_exchange takes listings, seed and accounts, was given 'sed'*"])


def test_parallel_tests_do_not_collide_and_have_the_same_seeds(pytester: pytest.Pytester):
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("number", range(6))
        def test_alone(local_exchange, number):
            assert not local_exchange.accounts
            local_exchange.open_account("us")

        @pytest.mark.parametrize("number", range(2))
        def test_served(exchange_doors, local_exchange, number):
            assert exchange_doors.call(lambda: list(local_exchange.accounts)) == ["trader"]
        """
    )
    pytester.runpytest_subprocess(*PLUGIN, "-n", "2").assert_outcomes(passed=8)


def test_tests_that_do_not_ask_pay_nothing():
    code = (
        "import sys, quotewright_simexchange.pytest_plugin\n"
        "heavy = [name for name in sys.modules if name.split('.')[0] in ('numpy', 'attrs', 'httpx', 'msgspec')]\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_same_name_gives_the_same_seed():
    assert seed_of("tests/test_a.py::test_b") == seed_of("tests/test_a.py::test_b") != seed_of("test_c")


def test_a_new_exchange_costs_under_a_tenth_of_a_second():
    took = []
    for seed in range(5):
        began = time.process_time()
        Watched.make(seed, accounts={"us": {"USDT": 1000}})
        took.append(time.process_time() - began)
    assert min(took) < 0.1


def test_a_served_exchange_costs_under_a_tenth_of_a_second():
    took = []
    for seed in range(5):
        began = time.process_time()
        with ExchangeDoors.serving(Watched.make(seed).exchange, "binance"):
            took.append(time.process_time() - began)
    assert min(took) < 0.1


def test_a_failing_test_of_served_doors_shows_what_clients_did(pytester: pytest.Pytester):
    pytester.makepyfile(
        """
        from decimal import Decimal
        import httpx

        def test_wrong(local_exchange, exchange_doors):
            exchange_doors.call(local_exchange.open_account, "late")
            exchange_doors.call(local_exchange.deposit, "late", "USDT", Decimal(12))
            root = exchange_doors.addresses["binance-spot"]["rest"]
            assert httpx.get(root + "/api/v3/depth?symbol=BTCUSDT", trust_env=False).json()["bids"]
        """
    )
    result = pytester.runpytest_subprocess(*PLUGIN)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["seed *, market time +*s, * events", "*late balances (deposit): USDT 12+0"])


def test_the_exchange_is_served_over_sockets(pytester: pytest.Pytester):
    pytester.makepyfile(
        """
        import httpx

        def test_time(local_exchange, exchange_doors):
            root = exchange_doors.addresses["binance-spot"]["rest"]
            assert "serverTime" in httpx.get(root + "/api/v3/time", trust_env=False).json()
            free, _ = exchange_doors.call(local_exchange.balances, "trader")["USDT"]
            assert free > 0
            assert exchange_doors.api_key
        """
    )
    pytester.runpytest_subprocess(*PLUGIN).assert_outcomes(passed=1)
