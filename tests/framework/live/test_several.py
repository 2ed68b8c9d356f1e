"""Several live feeds in one run: one order of rows whatever each feed has to read, and each for itself otherwise."""

from __future__ import annotations

import random
from types import SimpleNamespace

import anyio
import pytest

from quotewright.config.load import load_config
from quotewright.errors import ConfigError, InputError
from quotewright.kernel.codes import INSTRUMENT_SHIFT, LAST_BIT, NEVER, ROW_WORDS
from quotewright.kernel.rows import TapeBuffer
from quotewright.kernel.sink import TapeSink
from quotewright.live.clock import LiveClock
from quotewright.live.driver import LiveFeed
from quotewright.live.market import LiveMarket, put_together
from quotewright.live.several import LiveFeeds, prepare_all
from quotewright.live.source import LiveSource
from quotewright.model.instrument import Instrument
from quotewright.opening import feeds_of
from quotewright.plugin.registry import PluginSet
from quotewright.runtime.paper_live import live_feed, live_feeds, paper_live
from quotewright.runtime.session import backtest
from quotewright.tape.tape import MemoryTape
from quotewright.testing.scripted import Answer
from quotewright.wiring import Market, assemble
from tests.framework.kernel.stage import Notes
from tests.framework.live.feeds import PATIENCE, VirtualTime
from tests.framework.live.test_paper import Stream
from tests.framework.live.toy import ToyAdapter, instrument

START_NS = 1_700_000_000_000_000_000
SYMBOLS = ("ETHUSDT", "BTCUSDT", "ADAUSDT")
"""One a feed; sorted by name they are numbered the other way round."""


@pytest.fixture(scope="module")
def plugins():
    return PluginSet.discover()


class Quiet:
    """A network that carries nothing."""

    def __init__(self, events):
        self.events = events

    async def __aenter__(self):
        return self

    async def __aexit__(self, *error):
        return None

    def carry_out(self, orders):
        list(orders)


def feeds_at(time: VirtualTime, *symbols: str) -> LiveFeeds:
    """A feed for each of *symbols*, without a network."""
    made = {}
    for symbol in symbols:
        adapter = ToyAdapter()
        listed = [instrument(one) for one in SYMBOLS]
        made[symbol] = put_together(adapter, listed, [symbol], time.clock, symbol, Quiet)
    return LiveFeeds(made)


class Writer:
    """Frames of one feed: each becomes a trade of its price at the time it was received."""

    def __init__(self, feeds: LiveFeeds, place: int) -> None:
        self.name = list(feeds.feeds)[place]
        self.feed = feeds.feeds[self.name]
        self.place = place
        self.sequence = 0
        self.sink = self.feed.session.sink

    def hear(self, expected: list[tuple[int, int, int]]) -> None:
        self.sequence += 1
        sequence = self.sequence

        def written(now_ns: int) -> None:
            self.sink.begin(self.name, now_ns, now_ns, 0, sequence)
            self.sink.trade(1, "90.00", "0.001", sequence)
            self.sink.trade(2, "91.00", "0.002", sequence)  # a message of two rows stays whole
            self.sink.end()
            expected.append((now_ns, self.place, sequence))

        self.feed._put(1, written)


def taken(feeds: LiveFeeds, until_ns: int) -> list[tuple[int, int, int]]:
    """Take the messages up to *until_ns* as the pipeline does: receive time, instrument and id of each."""
    source, found = feeds.source, []
    while True:
        receive_ns = source.fill(until_ns)
        if receive_ns == NEVER:
            return found
        while source.first < source.last:
            words = source.rows.words
            last = source.first
            while not words[last * ROW_WORDS + 5] & LAST_BIT:
                last += 1
            at = source.first * ROW_WORDS
            assert words[at + 1] <= until_ns
            found.append((words[at + 1], words[at + 5] >> INSTRUMENT_SHIFT, words[at + 4]))
            source.first = last + 1


@pytest.mark.parametrize("seed", range(12))
def test_rows_come_in_order_of_arrival_whatever_each_feed_has_left_to_read(seed):
    chance = random.Random(seed)
    time = VirtualTime(START_NS)
    feeds = feeds_at(time, *SYMBOLS)
    numbers = [[one.name for one in feeds.market.instruments].index(instrument(symbol).name) for symbol in SYMBOLS]
    assert numbers == [2, 1, 0]
    writers = [Writer(feeds, place) for place in range(len(SYMBOLS))]
    tap = TapeBuffer()
    feeds.source.tap(tap)
    kept = []
    feeds.source.writer = SimpleNamespace(write=lambda rows: kept.append(rows.tobytes()))
    written, came = [], []
    now_ns = feeds.market.start_ns
    came += taken(feeds, now_ns)
    assert [number for _, number, _ in came] == numbers  # the state of each, in the order of the tables
    came.clear()
    for _ in range(150):
        for _ in range(chance.randint(0, 6)):
            writers[chance.randrange(3)].hear(written)
            time.pass_ns(chance.choice((0, 0, 1, 1_000)))
        for writer in chance.sample(writers, chance.randint(0, 3)):
            writer.feed.process(chance.randint(1, 5))  # one may be far ahead of another
        settled_ns = feeds.settled_ns()
        if settled_ns > now_ns:
            now_ns = settled_ns
            came += taken(feeds, now_ns)
    while any(len(feed.queue) for feed in feeds.feeds.values()):
        feeds.process()
    came += taken(feeds, feeds.settled_ns())
    ordered = sorted(written)
    assert len({receive_ns for receive_ns, _, _ in ordered}) < len(ordered)  # some came at one time
    assert came == [(receive_ns, numbers[place], sequence) for receive_ns, place, sequence in ordered]
    feeds.source.close()
    assert b"".join(kept) == memoryview(tap.words).cast("B")[: tap.count * ROW_WORDS * 8].tobytes()


def test_rows_that_wait_for_a_feed_that_lags_do_not_make_the_buffer_grow():
    source = LiveSource()
    kept = []
    source.writer = SimpleNamespace(write=lambda rows: kept.append(len(rows)))
    for number in range(100):
        source.buffer.append(number, number, number, 1, 0, LAST_BIT)
    assert source.fill(NEVER - 1) == 0
    source.first = 40
    assert not source.compact(30)  # more is left than was taken
    source.first = 70
    assert not source.compact(71)
    assert source.compact(30)
    assert (source.first, source.last, source.buffer.count, kept) == (0, 30, 30, [70])
    assert source.fill(NEVER - 1) == 70
    source.buffer.append(100, 100, 100, 1, 0, LAST_BIT)
    source.first = source.last
    assert source.fill(NEVER - 1) == 100


def test_news_of_any_feed_wakes_the_run():
    time = VirtualTime(START_NS)
    feeds = feeds_at(time, *SYMBOLS)

    async def wait() -> None:
        async def tell() -> None:
            feeds.feeds["ADAUSDT"].heard(1, b"{}")

        with anyio.fail_after(PATIENCE):
            async with anyio.create_task_group() as group:
                group.start_soon(tell)
                await feeds.wait(1000 * PATIENCE)
            await feeds.wait(1000 * PATIENCE)  # a frame waits still

    anyio.run(wait)


def test_what_is_done_while_frames_wait_keeps_its_place_before_them():
    time = VirtualTime(START_NS)
    feeds = feeds_at(time, "BTCUSDT")
    feed = feeds.feeds["BTCUSDT"]
    assert feed.next_ns() == START_NS
    feed.heard(1, b"{}")
    time.pass_ns(5)
    assert feed.next_ns() == START_NS
    feed.process()
    assert feed.next_ns() == START_NS + 5


def test_one_symbol_at_two_exchanges_is_two_instruments_of_two_feeds():
    time = VirtualTime(START_NS)
    asked = {}
    made = {}
    for venue in ("south", "north"):
        feed = LiveFeed(SimpleNamespace(settings=SimpleNamespace(queue_limit=10)), time.clock, venue, Quiet)
        feed.session.resync = lambda symbol, now_ns, is_thin, venue=venue: asked.setdefault(venue, (symbol, is_thin))
        one = Instrument(
            name=f"BTC-USDT.spot@{venue}", symbol="BTCUSDT", venue=venue, base="BTC", quote="USDT",
            price_decimals=2, size_decimals=3,
        )  # fmt: skip
        source = LiveSource()
        market = Market(source=source, instruments=(one,), start_ns=START_NS)
        made[venue] = LiveMarket(feed=feed, source=source, market=market)
    feeds = LiveFeeds(made)
    north, south = feeds.market.instruments
    feeds.of(south).resync(south.symbol, is_thin=True)
    assert asked == {"south": ("BTCUSDT", True)}
    assert feeds.of(north) is feeds.feeds["north"]


TWO = """config_version = 1
[run]
name = "two"
[feeds.first]
plugin = "tests.framework.live.toy:toy_feed"
instruments = ["BTC-USDT.spot@toy"]
websocket = "{one.ws}"
rest = "{one.http}"
answer_timeout = "0s"
[feeds.second]
plugin = "tests.framework.live.toy:toy_feed"
instruments = ["{instrument}"]
websocket = "{two.ws}"
rest = "{two.http}"
answer_timeout = "0s"
[venues.local]
plugin = "tests.framework.kernel.stage:ObedientVenue"
[strategies.maker]
plugin = "fixed_spread"
instrument = "BTC-USDT.spot@toy"
spread = "20 bps"
max_position = "1 BTC"
size = "0.01 BTC"
"""


@pytest.mark.parametrize(
    ("instrument", "answer", "error", "told"),
    [
        ("ETH-USDT.spot@toy", Answer(451), InputError, r"feeds\.second: the instruments cannot be fetched: .*451"),
        ("BTC-USDT.spot@toy", None, ConfigError, "the feeds 'first' and 'second' both have BTC-USDT.spot@toy"),
        ("XRP-USDT.spot@toy", None, ConfigError, r"feeds\.second\.instruments: "),
    ],
)
def test_a_run_that_cannot_begin_says_which_feed_is_why(tmp_path, plugins, instrument, answer, error, told):
    with Stream() as one, Stream(answer) as two:
        path = tmp_path / "two.toml"
        path.write_text(TWO.format(one=one.server, two=two.server, instrument=instrument))
        with pytest.raises(error, match=told):
            paper_live(load_config([path]), plugins, 5.0, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_pauses_of_each_feed_are_drawn_by_its_own_seed(tmp_path, plugins):
    with Stream() as one, Stream() as two:
        path = tmp_path / "two.toml"
        path.write_text(TWO.format(one=one.server, two=two.server, instrument="ETH-USDT.spot@toy"))
        feeds = anyio.run(prepare_all, live_feeds(load_config([path]), plugins), LiveClock(), 7)
    drawn = [feed.session.chance.random() for feed in feeds.feeds.values()]
    assert drawn == [random.Random(seed).random() for seed in (7, 8)]


def test_a_live_feed_and_a_market_in_process_do_not_go_together(tmp_path, plugins):
    path = tmp_path / "two.toml"
    path.write_text(
        "config_version = 1\n[feeds.one]\nplugin = 'okx'\ninstruments = ['BTC-USDT']\n"
        "[feeds.two]\nplugin = 'simexchange'\n"
    )
    with pytest.raises(ConfigError, match=r"live feeds \(one\) and markets without live connections \(two\) do not go"):
        live_feed(load_config([path]), plugins)


TAPE = """config_version = 1
[feeds.okx]
plugin = "okx"
instruments = [{okx}]
[feeds.spot]
plugin = "binance"
market = "spot"
book = "sorted"
instruments = [{spot}]
[feeds.usdm]
plugin = "binance"
market = "usdm"
instruments = [{usdm}]
[venues.local]
plugin = "tests.framework.kernel.stage:ObedientVenue"
[strategies.maker]
plugin = "fixed_spread"
instrument = "BTC-USDT.spot@binance"
spread = "20 bps"
max_position = "1 BTC"
size = "0.01 BTC"
"""
LISTED = [
    Instrument(
        name=name, symbol=symbol, venue=name.partition("@")[2], base="BTC", quote="USDT", settle="USDT",
        kind=name.partition(".")[2].partition("@")[0], price_decimals=2, size_decimals=3,
    )
    for name, symbol in (
        ("BTC-USDT.perp@binance", "BTCUSDT"),
        ("BTC-USDT.spot@binance", "BTCUSDT"),
        ("BTC-USDT.spot@okx", "BTC-USDT"),
    )
]  # fmt: skip


@pytest.mark.parametrize(
    ("okx", "spot", "usdm", "expected"),
    [
        ('"BTC-USDT"', '"BTC-USDT.spot@binance"', '"BTC-USDT.perp@binance"', ("usdm", "spot", "okx")),
        ('"BTC-USDT"', '"BTC-USDT.spot@binance"', '"BTCUSDT"', ("usdm", "spot", "okx")),
        ('"BTC-USDT.spot@okx"', '"BTC-USDT.spot@binance"', '"ETHUSDT"', ("", "spot", "okx")),
        (
            '"BTC-USDT"',
            '"BTCUSDT"',
            '"BTCUSDT"',
            "BTC-USDT.perp@binance may be of the feeds spot and usdm, whose books",
        ),
    ],
)
def test_instruments_of_a_tape_belong_to_the_feed_that_names_them(tmp_path, plugins, okx, spot, usdm, expected):
    path = tmp_path / "tape.toml"
    path.write_text(TAPE.format(okx=okx, spot=spot, usdm=usdm))
    config = load_config([path])
    if isinstance(expected, str):
        with pytest.raises(ConfigError, match=expected):
            feeds_of(config, plugins, LISTED)
    else:
        assert feeds_of(config, plugins, LISTED) == expected


def test_where_books_are_alike_it_does_not_matter_which_feed_is_meant(tmp_path, plugins):
    path = tmp_path / "tape.toml"
    text = TAPE.format(okx='"BTC-USDT"', spot='"BTCUSDT"', usdm='"BTCUSDT"')
    path.write_text(text.replace('book = "sorted"\n', ""))
    assert feeds_of(load_config([path]), plugins, LISTED) == ("spot", "spot", "okx")


def test_a_book_is_kept_as_the_feed_of_its_instrument_wants_it(tmp_path, plugins):
    path = tmp_path / "tape.toml"
    names = ('"BTC-USDT.spot@okx"', '"BTC-USDT.spot@binance"', '"ETH-USDT.perp@binance"')
    text = TAPE.format(okx=names[0], spot=names[1], usdm=names[2])
    path.write_text(text)
    tape = MemoryTape(tuple(LISTED), TapeBuffer())
    (view,) = assemble(load_config([path]), plugins, tape, Notes()).views
    assert type(view.book).__name__ == "SortedBook"
    path.write_text(text.replace('instrument = "BTC-USDT.spot@binance"', 'instrument = "BTC-USDT.perp@binance"'))
    with pytest.raises(ConfigError, match="perp@binance of the tape is under 'instruments' of none of the feeds okx"):
        assemble(load_config([path]), plugins, tape, Notes())


def test_a_book_that_the_tape_does_not_tell_is_a_fault_of_its_own_feed(tmp_path, plugins):
    path = tmp_path / "tape.toml"
    path.write_text(TAPE.format(okx='"BTC-USDT"', spot='"BTC-USDT.spot@binance"', usdm='"ETH-USDT.perp@binance"'))
    buffer = TapeBuffer()
    sink = TapeSink(buffer, {"BTCUSDT": (1, 2, 3)})
    sink.begin("BTCUSDT", START_NS, START_NS)
    sink.best("90.00", "1", "91.00", "1")
    sink.end()
    with pytest.raises(
        ConfigError, match=r"tape\.toml: feeds\.spot\.book: this tape holds best quotes of BTC-USDT.spot@b"
    ):
        backtest(load_config([path]), plugins, MemoryTape(tuple(LISTED), buffer))
