"""pytest fixtures: a local exchange for each test, scripted markets on it, and what the exchange itself knows.

Importing this costs next to nothing and changes nothing for tests that do not ask for a fixture.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from quotewright_simexchange.exchange.exchange import Exchange
    from quotewright_simexchange.testing import ExchangeDoors, ScriptedMarkets, VenueTruth

MARKER = "local_exchange"
_WATCHED = "_quotewright_exchanges"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        f"{MARKER}(listings=None, seed=None, accounts=None): settings of quotewright's local exchange in this test",
    )


@pytest.fixture
def local_exchange(request: pytest.FixtureRequest) -> Exchange:
    """A new exchange in process, alone in the world: BTCUSDT and ETHUSDT, no accounts, its clock standing still.

    The seed comes from the test's name, so that it is the same each time and in every worker.
    """
    from quotewright_simexchange.testing import Watched, seed_of

    marker = request.node.get_closest_marker(MARKER)
    settings: dict[str, Any] = {} if marker is None else dict(marker.kwargs)
    unknown = settings.keys() - {"listings", "seed", "accounts"}
    if unknown or (marker is not None and marker.args):
        came = sorted(unknown)[0] if unknown else marker.args[0]
        raise pytest.UsageError(
            f"{request.node.nodeid}: {MARKER} takes listings, seed and accounts, was given {came!r}"
        )
    seed = settings.get("seed")
    watched = Watched.make(
        seed_of(request.node.nodeid) if seed is None else seed, settings.get("listings"), settings.get("accounts")
    )
    request.node.__dict__.setdefault(_WATCHED, []).append(watched)
    return watched.exchange


@pytest.fixture
def scripted_market(request: pytest.FixtureRequest, local_exchange: Exchange) -> Iterator[ScriptedMarkets]:
    """Start scripts on ``local_exchange``: ``scripted_market(text)`` or ``scripted_market.read(path)``.

    When the test has ended, what a script expected and did not get fails it.
    """
    from quotewright_simexchange.testing import ScriptedMarkets

    markets = ScriptedMarkets(local_exchange)
    yield markets
    markets.check()


@pytest.fixture
def venue_truth(local_exchange: Exchange) -> Iterator[VenueTruth]:
    """What the exchange itself knows of accounts, orders and fills; checks at the end that no money came or went."""
    from quotewright_simexchange.testing import VenueTruth

    truth = VenueTruth(local_exchange)
    yield truth
    truth.check()


@pytest.fixture
def exchange_doors(local_exchange: Exchange) -> Iterator[ExchangeDoors]:
    """``local_exchange`` served on loopback in Binance's protocol, with the keys of an account ``trader``."""
    from quotewright_simexchange.testing import ExchangeDoors

    with ExchangeDoors.serving(local_exchange, "binance") as doors:
        yield doors


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    watched = item.__dict__.get(_WATCHED)
    if watched and report.failed:
        for exchange in watched:
            report.sections.append(("local exchange of quotewright", exchange.page()))
    if watched and call.when == "teardown":
        del item.__dict__[_WATCHED]
    return report
