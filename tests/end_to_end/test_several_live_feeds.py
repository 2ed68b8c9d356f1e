"""Two exchanges' public protocols at once over loopback: one pipeline, one order of rows, and each on its own feet."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quotewright.config.check import faults
from quotewright.config.load import load_config
from quotewright.errors import ConfigError
from quotewright.kernel.codes import BID, GAP, LAST, LEVEL_DELETE, LEVEL_SET, OFFER, SNAPSHOT_BEGIN
from quotewright.plugin.registry import PluginSet
from quotewright.runtime.paper_live import live_feeds, paper_live
from quotewright.runtime.replay import replay
from quotewright.runtime.session import backtest
from quotewright.runtime.terminal import draw_footer
from quotewright.tape.tape import TapeFile
from quotewright.testing.frames import Line
from quotewright.testing.scripted import Answer, Asked, Peer
from quotewright_plugins.exchanges.binance.frames import BinanceSession
from quotewright_plugins.exchanges.okx.frames import OkxSession
from tests.end_to_end.live_exchanges import Binance, Exchange, Okx

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "arbitrage-live.toml"
PATIENCE = 30.0
DEPTH = 5
FEE = Decimal("0.0005")
CONFIG = """config_version = 1
[run]
name = "several"
[feeds.okx]
{okx}
[feeds.binance]
{binance}
[venues.okx]
plugin = "simexchange"
taker_fee = "5 bps"
latency = {{ feed = "1ms", entry = "0ms", response = "1ms" }}
[venues.binance]
plugin = "simexchange"
taker_fee = "5 bps"
[strategies.arb]
plugin = "arbitrage"
mode = "{mode}"
legs = [
    {{ instrument = "BTC-USDT.spot@binance", venue = "binance" }},
    {{ instrument = "BTC-USDT.spot@okx", venue = "okx" }},
]
min_profit = "0 bps"
cooldown = "{cooldown}"
max_age = "1h"
[strategies.maker]
plugin = "fixed_spread"
instrument = "BTC-USDT.spot@okx"
venue = "okx"
spread = "1 bps"
size = "0.002 BTC"
max_position = "1 BTC"
[risk.fresh]
plugin = "stale_book"
max_age = "1h"
"""
FEED = """plugin = "{name}"
market = "spot"
instruments = ["{instrument}"]
channels = ["book", "trades"]
websocket = "{ws}"
rest = "{http}"
backoff = "5ms"
backoff_most = "20ms"
"""


class Directed(Exchange):
    """An exchange whose market moves when the test says so, around a mid in whole USDT."""

    unit: int
    """Ticks in one USDT."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: deque[Line | None] = deque()
        """What is to be sent; None ends the connection without a word."""
        self.is_shut = False
        self.session.bids, self.session.offers = self.sides(40_000)

    def sides(self, mid: int) -> tuple[dict[int, int], dict[int, int]]:
        ticks = mid * self.unit
        bids, offers = ({ticks + sign * distance: 2_000 for distance in range(1, DEPTH + 1)} for sign in (-1, 1))
        return bids, offers

    def changed(self, mid: int) -> tuple[dict[int, int], dict[int, int]]:
        """Move the book to *mid* and return what changes on either side."""
        before = self.session.bids, self.session.offers
        self.session.bids, self.session.offers = self.sides(mid)
        now = self.session.bids, self.session.offers
        return dict.fromkeys(before[0], 0) | now[0], dict.fromkeys(before[1], 0) | now[1]

    def moved(self, mid: int) -> Line:
        raise TypeError(f"{type(self).__name__} lacks moved()")

    def tell(self, *lines: Line | None) -> None:
        """Send *lines*; called from the thread of the run."""
        self.portal.call(self._tell, lines)

    def _tell(self, lines: tuple[Line | None, ...]) -> None:
        self.lines += lines
        self.server.count("told")

    def cut(self) -> None:
        """End the connection and let nobody in."""
        self.is_shut = True
        self.tell(None)

    def open(self) -> None:
        self.is_shut = False
        self.portal.call(self.server.count, "opened")

    async def serve(self, peer: Peer) -> None:
        while self.is_shut:
            await peer.server.change()
        await super().serve(peer)

    async def _move(self, peer: Peer) -> None:
        while peer not in self._books:
            await peer.server.change()
        await peer.send(self.moved(self.mid).raw)  # Binance's adapter asks for the image of a book that moves
        while True:
            while not self.lines:
                await peer.server.change()
            line = self.lines.popleft()
            if line is None:
                await peer.abort()
                return
            await peer.send(line.raw)

    @property
    def mid(self) -> int:
        return (max(self.session.bids) + min(self.session.offers)) // 2 // self.unit


class DirectedBinance(Directed, Binance):
    unit = 100

    def market(self) -> BinanceSession:
        return BinanceSession(market="spot", depth=DEPTH)

    def moved(self, mid: int) -> Line:
        session = self.session
        bids, offers = self.changed(mid)
        session.now_ns += 50_000_000
        session.update_id += 1
        line: Line = session._diff(session.update_id, bids, offers)
        return line


class DirectedOkx(Directed, Okx):
    unit = 10

    def market(self) -> OkxSession:
        return OkxSession(depth=DEPTH)

    def moved(self, mid: int) -> Line:
        session = self.session
        bids, offers = self.changed(mid)
        session.now_ns += 50_000_000
        before, session.seq = session.seq, session.seq + 1
        line: Line = session._book("update", bids, offers, before)
        return line

    def sold_through(self) -> Line:
        """Return a print below every bid of the book: whoever bids at the best is filled."""
        session = self.session
        row = {"instId": "BTC-USDT", "tradeId": "900", "px": session.price(min(session.bids) - 1), "sz": "9"}
        row |= {"side": "sell", "ts": session.stamp, "count": "1"}
        line: Line = session._line({"channel": "trades", "instId": "BTC-USDT"}, [row], "trade", id=900)
        return line


Story = Iterator[Callable[[], Any]]


def told_to(story: Callable[[Any], Story]) -> Callable[[Any], None]:
    """Return the watcher of a run that goes through *story*: what it yields must come true before it goes on."""
    going: list[Any] = []

    def watcher(session: Any) -> None:
        if not going:
            going[:] = [story(session), lambda: True]
        while going[1]():
            following = next(going[0], None)
            if following is None:
                session.stop()
                return
            going[1] = following

    return watcher


@pytest.fixture(scope="module")
def plugins() -> PluginSet:
    return PluginSet.discover()


def configured(folder: Path, binance: Exchange, okx: Exchange, mode: str = "detect", cooldown: str = "0s") -> Any:
    tables = {
        one.name: FEED.format(name=one.name, instrument=one.instrument, ws=one.server.ws, http=one.server.http)
        for one in (binance, okx)
    }
    path = folder / "several.toml"
    path.write_text(CONFIG.format(mode=mode, cooldown=cooldown, **tables))
    return load_config([path])


@pytest.fixture(scope="module")
def run(plugins: PluginSet, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A run in which each exchange is above the other once, one goes away meanwhile, and both are there in the end."""
    folder = tmp_path_factory.mktemp("several")
    seen: dict[str, Any] = {}
    with DirectedBinance() as binance, DirectedOkx() as okx:
        config = configured(folder, binance, okx)

        def story(session: Any) -> Story:
            views = {view.instrument.venue: view for view in session.wired.views}
            arb = next(desk.strategy for desk in session.wired.desks if desk.name == "arb")
            recorder = session.recorder
            yield lambda: all(view.is_book_good for view in views.values()) and views["okx"].live
            okx.tell(okx.moved(40_400))
            yield lambda: arb.open
            okx.tell(okx.moved(40_010), okx.sold_through())
            yield lambda: len(arb.closed) == 1 and recorder.fill_count and views["okx"].live
            binance.tell(binance.moved(40_500))
            yield lambda: arb.open
            seen["footer"] = draw_footer(session).plain
            binance.cut()
            yield lambda: not views["binance"].is_book_good
            seen["alone"] = recorder.orders
            okx.tell(okx.moved(40_020))
            yield lambda: recorder.orders >= seen["alone"] + 2 and len(arb.closed) == 2
            seen["is_good"] = {name: view.is_book_good for name, view in views.items()}
            seen["feeds"] = session.feeds()
            binance.open()
            yield lambda: arb.open and views["binance"].is_book_good
            binance.tell(binance.moved(40_030))
            yield lambda: len(arb.closed) == 3
            okx.moved(40_300)  # an update that never comes
            okx.tell(okx.moved(40_020))
            yield lambda: session.feeds()["okx"]["gaps"] and views["okx"].is_book_good
            binance.tell(binance.moved(40_450))
            yield lambda: arb.open
            binance.tell(binance.moved(40_030))
            yield lambda: len(arb.closed) == 4
            seen["is_told"] = True

        outcome = paper_live(config, plugins, PATIENCE, folder / "run", told_to(story))
        assert (binance.server.faults, okx.server.faults) == ([], [])
    return config, outcome, folder / "run", seen


def found(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "strategy-arb.jsonl").read_text().splitlines()]


def crossed(tape: TapeFile) -> list[tuple[str, str, int, int]]:
    """Return from when to when buying at one and selling at the other paid after fees, read off the tape by itself."""
    names = [instrument.name for instrument in tape.instruments]
    books: list[dict[int, dict[Decimal, int]]] = [{BID: {}, OFFER: {}} for _ in names]
    since: dict[tuple[int, int], int] = {}
    spans = []
    for row in tape.array[["receive_ns", "kind", "side", "flags", "instrument", "price", "size"]].tolist():
        receive_ns, kind, side, flags, number, steps, size = row
        book, price = books[number], tape.instruments[number].price_from_steps(steps)
        if kind in (SNAPSHOT_BEGIN, GAP):
            book[BID], book[OFFER] = {}, {}
        elif kind == LEVEL_SET:
            book[side][price] = size
        elif kind == LEVEL_DELETE:
            book[side].pop(price, None)
        if not flags & LAST:
            continue
        for buy, sell in ((0, 1), (1, 0)):
            offers, bids = books[buy][OFFER], books[sell][BID]
            pays = bool(offers and bids) and max(bids) * (1 - FEE) >= min(offers) * (1 + FEE)
            if pays:
                since.setdefault((buy, sell), receive_ns)
            elif (buy, sell) in since:
                spans.append((names[buy], names[sell], since.pop((buy, sell)), receive_ns))
    return spans


def test_arbitrage_watches_one_coin_on_two_exchanges_and_finds_every_crossing_when_it_is_there(run: Any) -> None:
    _, outcome, folder, seen = run
    assert outcome.exit_code == 0, outcome.summary["failures"]
    assert seen.get("is_told"), f"the run ended before all had happened: {seen}"
    records = found(folder)
    with TapeFile.open(folder / "tape") as tape:
        assert [one.name for one in tape.instruments] == ["BTC-USDT.spot@binance", "BTC-USDT.spot@okx"]
        assert (np.diff(tape.array["receive_ns"]) >= 0).all()
        assert tape.info.row_count == outcome.summary["rows"]
        spans = crossed(tape)
    assert [(one["buy"], one["sell"], one["opened_ns"], one["closed_ns"]) for one in records] == spans
    binance, okx = "BTC-USDT.spot@binance", "BTC-USDT.spot@okx"
    assert [(one["buy"], one["sell"], one["why"]) for one in records] == [
        (binance, okx, "gone"),
        (okx, binance, "stale"),
        (okx, binance, "gone"),
        (okx, binance, "gone"),
    ]
    assert records[0]["buy_price"] == 40_000.01
    assert records[0]["sell_price"] == 40_399.9


def test_a_connection_that_is_lost_at_one_exchange_leaves_the_other_going(run: Any) -> None:
    _, outcome, folder, seen = run
    assert seen["is_good"] == {"binance": False, "okx": True}
    feeds = seen["feeds"]
    assert list(feeds) == ["okx", "binance"]  # as the config has them
    assert (feeds["binance"]["gaps"], feeds["binance"]["resyncs"]) == (1, 0)
    assert (feeds["okx"]["gaps"], feeds["okx"]["books"]["BTC-USDT"]["stale_ns"]) == (0, 0)
    assert [one["losses"] for one in feeds["okx"]["connections"]] == [0]
    feeds = outcome.summary["feeds"]  # in the end; then it was OKX's turn to lose an update
    assert [(one["gaps"], one["resyncs"]) for one in feeds.values()] == [(1, 1), (1, 1)]
    assert [one["losses"] for one in feeds["okx"]["connections"]] == [0]
    assert feeds["binance"]["books"]["BTCUSDT"]["stale_ns"] > 0
    _, stale, *_ = found(folder)
    commands = [json.loads(line) for line in (folder / "orders.jsonl").read_text().splitlines()]
    with TapeFile.open(folder / "tape") as tape:
        rows = tape.array
        begins = rows["receive_ns"][(rows["kind"] == SNAPSHOT_BEGIN) & (rows["instrument"] == 0)]
    (back_ns,) = begins[begins > stale["closed_ns"]].tolist()
    quoted = [one for now_ns, one in commands if stale["closed_ns"] < now_ns < back_ns and one["type"] == "new"]
    assert len(quoted) >= 2
    assert all(one["instrument"] == 1 for one in quoted)


def test_everything_that_tells_of_feeds_names_both(run: Any) -> None:
    _, outcome, folder, seen = run
    status = json.loads((folder / "status.json").read_text())
    assert sorted(status["feeds"]) == ["binance", "okx"]
    assert status["feeds"]["okx"]["messages"] > 3
    assert "feed okx: 1 of 1 connections open" in seen["footer"]
    assert "feed binance: 1 of 1 connections open" in seen["footer"]
    assert outcome.summary["instruments"]["BTC-USDT.spot@okx"]["fills"] > 0
    assert outcome.summary["instruments"]["BTC-USDT.spot@binance"]["fills"] == 0


def test_the_record_of_several_feeds_replays_byte_for_byte_and_is_a_tape_for_the_same_config(
    run: Any, plugins: PluginSet, tmp_path: Path
) -> None:
    config, outcome, folder, _ = run
    assert faults(config, plugins) == []
    summary = outcome.summary
    with TapeFile.open(folder / "tape") as tape:
        made = replay(config, plugins, folder / "inputs.log", tape)
        again = backtest(config, plugins, tape, tmp_path / "again")
    assert made == summary["orders"] + summary["cancels"] + summary["amends"] > 4
    for one, other in zip(found(tmp_path / "again"), found(folder), strict=True):
        assert one == other
    assert again.summary["fills"] == summary["fills"]


def test_both_legs_of_a_trade_are_filled_where_each_exchange_is_shown_and_replay(
    plugins: PluginSet, tmp_path: Path
) -> None:
    with DirectedBinance() as binance, DirectedOkx() as okx:
        config = configured(tmp_path, binance, okx, "trade", "1h")

        def story(session: Any) -> Story:
            views = {view.instrument.venue: view for view in session.wired.views}
            arb = next(desk.strategy for desk in session.wired.desks if desk.name == "arb")
            yield lambda: all(view.is_book_good for view in views.values())
            okx.tell(okx.moved(40_400))
            yield lambda: arb.outcomes["both"]
            okx.tell(okx.moved(40_010))
            yield lambda: arb.closed

        outcome = paper_live(config, plugins, PATIENCE, tmp_path / "run", told_to(story))
    assert outcome.exit_code == 0, outcome.summary["failures"]
    figures = outcome.summary["strategies"]["arb"]["figures"]
    assert (figures["detected"], figures["outcomes"]["both"], figures["traded"]) == (1, 1, 1)
    ((trade,),) = [one["trades"] for one in found(tmp_path / "run")]
    assert trade["bought"] == trade["sold"] == trade["planned"] == 0.249  # for 10,000 USDT, by lots of 0.001
    assert trade["profit"] > 0
    with TapeFile.open(tmp_path / "run" / "tape") as tape:
        made = replay(config, plugins, tmp_path / "run" / "inputs.log", tape)
    summary = outcome.summary
    assert made == summary["orders"] + summary["cancels"] + summary["amends"] >= 2


def test_the_example_names_two_live_feeds(plugins: PluginSet) -> None:
    config = load_config([EXAMPLE])
    assert faults(config, plugins) == []
    assert [table.instruments for table, _ in live_feeds(config, plugins).values()] == [
        ("BTC-USDT.spot@binance",),
        ("BTC-USDT.spot@okx",),
    ]


class Futures(Binance):
    """The USD-M market, as far as its list of instruments."""

    def answer(self, asked: Asked) -> Answer:
        listed = json.loads(super().answer(asked).body)
        for one in listed["symbols"]:
            one |= {"contractType": "PERPETUAL", "marginAsset": "USDT", "pair": "BTCUSDT"}
            one |= {"deliveryDate": 4_133_404_800_000, "pricePrecision": 2, "quantityPrecision": 3}
        return Answer(200, json.dumps(listed).encode())


def test_a_symbol_of_two_markets_of_one_venue_is_refused_where_its_tape_could_not_be_replayed(
    plugins: PluginSet, tmp_path: Path
) -> None:
    """Which feed it is of decides its book; a tape knows names, and 'BTCUSDT' is not one."""
    with Binance() as spot, Futures() as futures:
        texts = [
            FEED.format(name="binance", instrument="BTCUSDT", ws=one.server.ws, http=one.server.http)
            for one in (spot, futures)
        ]
        texts[1] = texts[1].replace('market = "spot"', 'market = "usdm"\nbook = "sorted"')
        text = CONFIG.format(okx=texts[0], binance=texts[1], mode="detect", cooldown="0s")
        path = tmp_path / "two.toml"
        path.write_text(text)
        with pytest.raises(
            ConfigError, match=r"BTC-USDT.perp@binance may be of the feeds okx and binance, whose books"
        ):
            paper_live(load_config([path]), plugins, 5.0, tmp_path / "run")
    assert not (tmp_path / "run").exists()
