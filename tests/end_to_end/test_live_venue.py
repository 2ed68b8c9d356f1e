"""A strategy trades at the local exchange's Binance doors over loopback, by the project's own venue adapter."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from quotewright.cli.status import lines
from quotewright.config.load import load_config
from quotewright.errors import ConfigError
from quotewright.kernel.codes import BID, OFFER, OPEN
from quotewright.plugin.registry import PluginSet
from quotewright.runtime.paper_live import paper_live
from quotewright.runtime.replay import replay
from quotewright.runtime.session import Session, paper
from quotewright.tape.tape import TapeFile
from quotewright_simexchange.local import START_NS
from quotewright_simexchange.server.opening import balances_of, open_dialects, open_exchange, open_market
from quotewright_simexchange.server.serving import Server, ServerThread

PATIENCE = 60.0
STEP_NS = 200_000_000
SYMBOLS = {"spot": "BTCUSDT", "usdm": "BTCUSDT:PERP"}
INSTRUMENTS = {"spot": "BTC-USDT.spot", "usdm": "BTC-USDT.perp"}
STRATEGY = '''"""Quote at prices that only our position moves."""
from decimal import Decimal
from quotewright.kernel.strategy import Strategy
from quotewright.plugin import configured, hookimpl, setting


@configured
class ByPosition(Strategy):
    """A bid and an offer around a price, both lower by a step for every lot that we hold."""

    wake_on_best = True
    wake_on_fill = True
    centre: Decimal = setting(doc="price between the quotes")
    half: Decimal = setting(doc="distance of each quote")
    step: Decimal = setting(doc="by which a position of one order moves them")
    size: Decimal = setting(doc="quantity")

    def bind(self, context):
        one = context.instrument
        self._lots = one.quantity_lots(self.size)
        self._centre, self._half, self._step = (one.price_ticks(x) for x in (self.centre, self.half, self.step))

    def on_wake(self, view, quotes):
        centre = self._centre - self._step * view.position_lots // self._lots
        quotes.bid(centre - self._half, self._lots)
        quotes.offer(centre + self._half, self._lots)


@hookimpl
def strategies():
    return {"by_position": ByPosition}
'''
SCRIPT = """instrument {symbol}
at 50ms    wall buys 50 at 59900 as low
+0ms       wall sells 50 at 60100 as high
at 1050ms  taker sells 0.03 at market
at 2050ms  taker buys 0.01 at market
at 3050ms  taker buys 0.09 at market
at 4050ms  taker sells 0.02 at 59950
at 5050ms  taker sells 0.04 at market
at 6050ms  taker buys 0.20 at 60020
at 7050ms  wall cancels high
"""
TABLES = """config_version = 1
[run]
name = "swap"
sample = "1s"
[feeds.market]
plugin = "venue"
instruments = [{instruments}]
[strategies.maker]
plugin = "by_position"
instrument = "{strategy}"
centre = 60000
half = 10
step = 2
size = 0.02
[risk.fresh]
plugin = "stale_book"
max_age = "60s"
{venue}
"""
IN_PROCESS = """[venues.main]
plugin = "exchange"
instruments = ["{instrument}"]
venue = "binance"
market = "{script}"
lead = "2s"
"""
LIVE = """[venues.main]
plugin = "binance"
market = "{market}"
entry = "{entry}"
rest = "{rest}"
websocket = "{ws}"
ws_api = "{ws_api}"
key = "env:QUOTEWRIGHT_TEST_KEY"
secret = "env:QUOTEWRIGHT_TEST_SECRET"
backoff = "10ms"
{more}
"""


@pytest.fixture(scope="module")
def plugins(tmp_path_factory: pytest.TempPathFactory) -> PluginSet:
    folder = tmp_path_factory.mktemp("plugins")
    (folder / "by_position.py").write_text(STRATEGY)
    return PluginSet.discover([folder])


class Served:
    """A local exchange behind its Binance doors, whose market moves only in steps."""

    def __init__(self, market: str, thread: ServerThread, keys: Any) -> None:
        self.market = market
        self.symbol = SYMBOLS[market]
        self.thread = thread
        self.server = thread.server
        self.exchange = thread.server.exchange
        self.door = {**thread.addresses()[f"binance-{market}"], "key": keys.key, "secret": keys.secret}
        self.book: Any = None
        self.steps = 0

    def step(self) -> None:
        """Let the market go on, and note the book as it is then: nobody has seen it yet."""
        self.exchange.advance(self.exchange.now_ns + STEP_NS)
        self.book = self._levels()

    def _levels(self) -> Any:
        book = self.exchange.book(self.symbol)
        return [tuple((f"{price:f}", f"{quantity:f}") for price, quantity in side) for side in (book.bids, book.offers)]

    def state(self) -> Any:
        orders = {one.client_id for one in self.exchange.open_orders("trader", self.symbol)}
        return orders, len(self.exchange.fills("trader", self.symbol)), self.book, self._levels()

    def fills(self) -> list[tuple[Any, ...]]:
        """Return our fills as the exchange booked them."""
        found = self.thread.call(self.exchange.fills, "trader", self.symbol)
        return [
            (one.side, one.price, one.quantity, one.fee, one.fee_currency, one.is_maker, str(one.trade_id))
            for one in found
        ]


@contextmanager
def serving(market: str, script: str) -> Iterator[Served]:
    exchange, prices = open_exchange([INSTRUMENTS[market]], "binance", seed=1, start_ns=START_NS)
    exchange.open_account("trader", balances_of((), exchange.listings))
    keys = exchange.add_key("trader")
    driver = open_market(script, prices, 1)
    assert driver is not None
    driver.start(exchange)
    server = Server(exchange, open_dialects(["binance"], exchange), speed="step", markets=[driver])
    with ServerThread(server) as thread:
        yield Served(market, thread, keys)


class Stepping:
    """Lets the market go on whenever both sides agree on orders and fills, and ends the run after the script."""

    def __init__(self, served: Served, steps: int) -> None:
        self.served = served
        self.steps = steps

    def __call__(self, session: Session) -> None:
        (view,) = session.wired.views
        (venue,) = session.wired.venues.values()
        own = venue.session
        if not own.is_good or own.under_way or any(order.state != OPEN for order in view.live):
            return
        orders, fills, book, now = self.served.thread.call(self.served.state)
        ours = {own.client_id(order.number) for order in view.live}
        if orders != ours or fills != session.recorder.fill_count:
            return
        if book is not None and (levels(view) != levels_in(view, book) and levels(view) != levels_in(view, now)):
            return
        if self.served.steps >= self.steps:
            session.stop()
            return
        self.served.steps += 1
        self.served.thread.call(self.served.step)


def levels(view: Any) -> Any:
    return [dict(view.book.levels(side, 100)) for side in (BID, OFFER)]


def levels_in(view: Any, book: Any) -> Any:
    from decimal import Decimal

    one = view.instrument
    return [
        {
            int(Decimal(price).scaleb(one.price_decimals)): int(Decimal(quantity).scaleb(one.size_decimals))
            for price, quantity in side
        }
        for side in book
    ]


def config_of(folder: Path, name: str, market: str, venue: str, plugins: PluginSet) -> Any:
    path = folder / f"{name}.toml"
    path.write_text(
        TABLES.format(
            instruments='"BTCUSDT"' if "binance" in name else "",
            strategy=INSTRUMENTS[market],
            venue=venue,
        )
    )
    return load_config([path])


def fills_in(folder: Path) -> list[tuple[Any, ...]]:
    """Return side, price, quantity, maker, fee and its currency of every fill of a run."""
    lines = (folder / "fills.csv").read_text().splitlines()
    rows = [line.split(",")[4:10] for line in lines[1:]]
    return [
        (side, Decimal(price), Decimal(quantity), is_maker, Decimal(fee), currency)
        for side, price, quantity, is_maker, fee, currency in rows
    ]


def status_lines(folder: Path) -> list[str]:
    """Return what ``quotewright status`` shows of a run."""
    return lines(json.loads((folder / "status.json").read_text()))


def run_live(
    served: Served, entry: str, folder: Path, plugins: PluginSet, monkeypatch: pytest.MonkeyPatch, more: str = ""
) -> Any:
    monkeypatch.setenv("QUOTEWRIGHT_TEST_KEY", served.door["key"])
    monkeypatch.setenv("QUOTEWRIGHT_TEST_SECRET", served.door["secret"])
    door = {name: served.door[name] for name in ("rest", "ws", "ws_api")}
    venue = LIVE.format(market=served.market, entry=entry, more=more, **door)
    config = config_of(folder, "binance", served.market, venue, plugins)
    return config, paper_live(config, plugins, PATIENCE, folder / "live", Stepping(served, 42))


@pytest.mark.parametrize("entry", ["rest", "websocket"])
@pytest.mark.parametrize("market", ["spot", "usdm"])
def test_one_table_moves_a_strategy_from_the_exchange_in_process_to_the_dialect(
    market: str, entry: str, plugins: PluginSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "market.txt"
    script.write_text(SCRIPT.format(symbol=SYMBOLS[market]))
    inside = IN_PROCESS.format(instrument=INSTRUMENTS[market], script=script)
    paper(config_of(tmp_path, "inside", market, inside, plugins), plugins, 12.0, folder=tmp_path / "inside")
    with serving(market, str(script)) as served:
        config, outcome = run_live(served, entry, tmp_path, plugins, monkeypatch)
        truth = served.fills()
        assert served.steps == 42, outcome.summary["venues"]
    assert outcome.exit_code == 0, outcome.summary["failures"]
    told = fills_in(tmp_path / "live")
    assert told == fills_in(tmp_path / "inside")
    assert len(told) >= 6
    assert {one[0] for one in told} == {"buy", "sell"}
    assert len(truth) == len(told)
    venue = outcome.summary["venues"]["main"]
    assert (venue["left_open"], venue["unknown_orders"], venue["duplicate_fills"], venue["faults"]) == ([], 0, 0, [])
    page = "\n".join(status_lines(tmp_path / "live"))
    assert "venue main: in reach; lost 0 times, compared 1 times, 0 orders open, 0 unknown" in page
    with TapeFile.open(tmp_path / "live" / "tape") as tape:
        made = replay(config, plugins, tmp_path / "live" / "inputs.log", tape)
    assert made == outcome.summary["orders"] + outcome.summary["cancels"] + outcome.summary["amends"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"rest": "https://api.binance.com"}, "should be an address of this machine"),
        ({"rest": ""}, "trading at real exchanges is not offered yet"),
        ({"key": "plain-text"}, 'as "env:NAME" or "file:PATH"'),
        ({"key": "env:QUOTEWRIGHT_NO_SUCH"}, "the variable QUOTEWRIGHT_NO_SUCH is not set"),
        ({"secret": "file:{folder}/open"}, "chmod 600"),
        ({"secret": "file:{folder}/none"}, "cannot be read"),
        ({"secret": "file:{folder}/empty"}, "is empty"),
        ({"client_prefix": "a-prefix-that-is-far-too-long-for-it"}, "client_prefix"),
        ({"card": "binance-usdm"}, "card should be binance-spot"),
    ],
)
def test_what_must_not_be_is_refused_before_anything_is_sent(
    change: dict[str, str], told: str, plugins: PluginSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text, mode in (("open", "secret", 0o644), ("empty", "", 0o600)):
        path = tmp_path / name
        path.write_text(text)
        os.chmod(path, mode)
    monkeypatch.setenv("QUOTEWRIGHT_TEST_KEY", "a-key-that-must-not-show")
    monkeypatch.setenv("QUOTEWRIGHT_TEST_SECRET", "a-secret-that-must-not-show")
    script = tmp_path / "market.txt"
    script.write_text(SCRIPT.format(symbol="BTCUSDT"))
    with serving("spot", str(script)) as served:
        values = {"market": "spot", "rest": served.door["rest"], "websocket": served.door["ws"]}
        values |= {"ws_api": served.door["ws_api"], "key": "env:QUOTEWRIGHT_TEST_KEY"}
        values |= {"secret": "env:QUOTEWRIGHT_TEST_SECRET"} | change
        venue = '[venues.main]\nplugin = "binance"\n' + "".join(
            f'{key} = "{value.format(folder=tmp_path)}"\n' for key, value in values.items()
        )
        feed = f'plugin = "binance"\nrest = "{served.door["rest"]}"\nwebsocket = "{served.door["ws"]}"'
        config = config_of(tmp_path, "binance", "spot", venue, plugins)
        path = tmp_path / "binance.toml"
        path.write_text(path.read_text().replace('plugin = "venue"', feed))
        config = load_config([path])
        with pytest.raises(ConfigError) as caught:
            paper_live(config, plugins, 1.0, tmp_path / "run")
    assert told in str(caught.value)
    assert "must-not-show" not in str(caught.value)
    assert "venues.main" in str(caught.value) or "binance" in str(caught.value)


def test_no_file_of_a_run_holds_the_key(
    plugins: PluginSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    script = tmp_path / "market.txt"
    script.write_text(SCRIPT.format(symbol="BTCUSDT"))
    with serving("spot", str(script)) as served:
        _, outcome = run_live(served, "rest", tmp_path, plugins, monkeypatch)
        canaries = [served.door["key"].encode(), served.door["secret"].encode()]
    found = [path for path in (tmp_path / "live").rglob("*") if path.is_file()]
    assert len(found) >= 4
    for path in found:
        assert not any(one in path.read_bytes() for one in canaries), path
    out, err = capfd.readouterr()
    assert not any(one.decode() in out + err + str(outcome.summary) for one in canaries)
