"""An adapter with its reader of plain updates says, to the row and the counter, what it says without."""

from __future__ import annotations

import gzip
import importlib
import random
from collections.abc import Iterable, Iterator
from typing import Any

import attrs
import msgspec
import pytest

from bench.exchanges import sessions
from quotewright.feed import Action, BookState, FeedAdapter, FetchSnapshot, Resubscribe, Source
from quotewright.kernel.rows import TapeBuffer
from quotewright.kernel.sink import TapeSink
from quotewright.plugin.registry import PluginSet
from quotewright.tape.importing import make_adapter
from tests.fuzz.corpus import Symbols
from tests.fuzz.damage import Frame, cuts, mutations
from tests.recorded import recorded

PLUGINS = PluginSet.discover(strict=False)
MARKETS = [
    *(("binance", "spot"), ("binance", "usdm"), ("binance", "coinm")),
    *(("bybit", "spot"), ("bybit", "linear"), ("bybit", "inverse"), ("bybit", "option")),
    *(("okx", "spot"), ("okx", "swap"), ("okx", "option"), ("deribit", "")),
]
RECORDED = {
    "binance/spot/multi4_20211012T0028_30s": ("binance", "spot", 50),
    "binance/spot/btcusdt_20240808T2354_11m": ("binance", "spot", 50),
    "binance/usdm/btcusdt_20240808T2354_6m": ("binance", "usdm", 50),
    "binance/coinm/btcusd_perp_20240808T2354_11m": ("binance", "coinm", 50),
    "bybit/linear/xrpusdt_ob500_20241201_2s": ("bybit", "linear", 10),
    "bybit/legacy_v2/linear_20210417T1643_30s": ("bybit", "linear", 0),
    "okx/multi10_books_l2_tbt_20210722T2315_30s": ("okx", "", 0),
    "okx/multi3_books_20220513T1627_11s": ("okx", "", 0),
    "deribit/options10_20210405T1747_118s": ("deribit", "", 50),
}
"""Captures, the adapter that reads them, and how many updates at least its reader takes of those that are read here:
none of books that tell no ids."""
RECORDED_LINES = 2_500
KEPT_FOR = {"stamp": ("okx",), "sequence": ("bybit",)}
"""What a reader notes beside the id, and the adapters that ask for it."""


@attrs.define
class One:
    """An adapter, its sink, and what it asked for since it was looked at."""

    adapter: FeedAdapter
    sink: TapeSink

    def feed(self, frame: Frame, receive_ns: int) -> dict[str, Any]:
        """Hand *frame* in and return everything that can be seen afterwards."""
        buffer = self.sink.buffer
        self.adapter.on_message(frame.raw, frame.source, frame.url, receive_ns, self.sink)
        rows = list(buffer.words[: buffer.count * 6])
        buffer.truncate(0)
        return {"rows": rows, **self.state()}

    def state(self) -> dict[str, Any]:
        adapter = self.adapter
        counters = adapter.counters
        told = {field.name: getattr(counters, field.name) for field in attrs.fields(type(counters))}
        return {
            "counters": {**told, "messages": counters.messages, "updates": counters.updates},
            "errors": dict(counters.decode_errors),
            "books": {symbol: _book(book, adapter.name) for symbol, book in adapter.books.items()},
            "bad run": adapter._bad_run,
            "unlisted": dict(self.sink.unlisted),
            "is open": self.sink.is_open,
            "actions": adapter.actions(),
        }


def _book(book: Any, exchange: str) -> dict[str, Any]:
    names = [*type(book).__slots__, "state", "last_id", "is_joining", "stale_run", "messages"]
    names += [name for name, exchanges in KEPT_FOR.items() if exchange in exchanges]
    return {
        name: list(value) if name in ("asked", "buffer") else value for name in names for value in [getattr(book, name)]
    }


class Pair:
    """Two adapters of one market that are handed the same; only the first has its reader."""

    def __init__(self, exchange: str, market: str, symbols: Iterable[str], decimals: int = 8) -> None:
        listed = {symbol: (at, decimals, decimals) for at, symbol in enumerate(symbols)}
        self.quick, self.plain = (
            One(make_adapter(PLUGINS, exchange, market), TapeSink(TapeBuffer(), listed)) for _ in range(2)
        )
        assert self.quick.adapter._reader is not None
        self.reader = self.quick.adapter._reader
        self.plain.adapter._reader = None
        self.now_ns = 1_700_000_000_000_000_000

    def feed(self, frame: Frame) -> list[Action]:
        """Hand *frame* to both, compare them, and return what they ask for."""
        self.now_ns += 7_000_000
        seen, expected = self.quick.feed(frame, self.now_ns), self.plain.feed(frame, self.now_ns)
        assert seen == expected, frame.raw[:600]
        actions: list[Action] = expected["actions"]
        return actions

    def ws(self, raw: bytes) -> list[Action]:
        return self.feed(Frame(raw))

    def is_good(self, symbol: str) -> bool:
        book = self.quick.adapter.books.get(symbol)
        return book is not None and book.state is BookState.SYNCHRONISED and not book.is_joining

    def give_up(self, symbol: str) -> None:
        for one in (self.quick, self.plain):
            one.adapter.resync(symbol, self.now_ns, one.sink)
            one.sink.buffer.truncate(0)
        assert self.quick.state() == self.plain.state()


# Generated sessions.


def generator(exchange: str) -> Any:
    return importlib.import_module(f"quotewright_plugins.exchanges.{exchange}.frames")


def made(exchange: str, market: str, seed: int, **options: Any) -> Any:
    module = generator(exchange)
    kind = next(value for name, value in vars(module).items() if name.endswith("Session"))
    if exchange == "okx":
        return kind(symbol=module.SYMBOLS[market], seed=seed, **options)
    return kind(market=market, seed=seed, **options) if market else kind(seed=seed, **options)


def followed(session: Any, lines: Iterable[Any], exchange: str, market: str) -> Pair:
    """Hand *lines* to a pair, and an image of the book whenever one is asked for."""
    pair = Pair(exchange, market, [session.symbol])
    for line in lines:
        asked = pair.feed(Frame(line.raw, line.source, line.url))
        if any(isinstance(action, FetchSnapshot | Resubscribe) for action in asked):
            image = session.snapshot() if hasattr(session, "snapshot") else session.image()
            pair.feed(Frame(image.raw, image.source, image.url))
    return pair


FAULTS = [(exchange, market, fault) for exchange, market in MARKETS for fault in (None, *generator(exchange).FAULTS)]


@pytest.mark.parametrize(("exchange", "market", "fault"), FAULTS, ids=str)
def test_a_session_with_any_fault_comes_out_the_same(exchange: str, market: str, fault: Any) -> None:
    for seed, at in ((3, 20), (4, 31)):
        session = made(exchange, market, seed)
        lines = generator(exchange).session_lines(session, 60, fault=fault, fault_at=at)
        pair = followed(session, lines, exchange, market)
        if market != "option" or exchange != "bybit":  # whose frames begin with an id of their own
            assert pair.reader.taken > 30


@pytest.mark.parametrize("has_checksums", [True, False])
def test_no_checksum_is_passed_by(has_checksums: bool) -> None:
    """The texts of levels are kept up to date while any update may carry a checksum, and checked where one does."""
    session = made("okx", "spot", 5, has_checksums=True)

    def lines() -> Iterator[Any]:
        yield session.image()
        yield from (session.update() for _ in range(5))
        session.has_checksums = has_checksums
        yield from (session.update() for _ in range(20))
        session.has_checksums = True
        yield from (session.update() for _ in range(5))
        wrong = session.update()
        yield attrs.evolve(wrong, raw=wrong.raw.replace(b'"checksum":', b'"checksum":1').replace(b":1-", b":-1"))
        yield from (session.update() for _ in range(5))

    pair = followed(session, lines(), "okx", "spot")
    (book,) = pair.quick.adapter.books.values()
    assert (pair.reader.taken, book.checksums_bad) == (0, 1)
    assert book.checksums_good >= (35 if has_checksums else 15)


def test_a_book_whose_checksums_have_ended_is_read_quickly_again() -> None:
    session = made("okx", "spot", 5, has_checksums=True)

    def lines() -> Iterator[Any]:
        yield session.image()
        session.has_checksums = False
        yield from (session.update() for _ in range(150))
        session.has_checksums = True
        yield from (session.update() for _ in range(3))
        yield session.image()
        yield from (session.update() for _ in range(3))

    pair = followed(session, lines(), "okx", "spot")
    assert 40 < pair.reader.taken < 60


def test_a_book_that_another_stream_takes_over_is_not_written_by_the_first() -> None:
    deep, flat = (made("bybit", "linear", 5, depth=depth, with_quotes=False, with_trades=False) for depth in (200, 50))
    pair = Pair("bybit", "linear", [deep.symbol])
    pair.ws(flat.image().raw)
    for _ in range(3):
        pair.ws(flat.step()[-1].raw)
    flat.step()
    pair.ws(flat.step()[-1].raw)
    assert not pair.is_good(flat.symbol)
    flat_line = attrs.evolve(flat.step()[-1])
    deep.update_id = flat_line.id - 1
    pair.ws(deep.image().raw)
    taken = pair.reader.taken
    pair.ws(flat_line.raw)
    assert (pair.reader.taken, pair.quick.adapter.counters.ignored) == (taken, {"other depth": 1})
    for _ in range(3):
        pair.ws(deep.step()[-1].raw)
    assert pair.reader.taken == taken + 2


@pytest.mark.parametrize(("exchange", "market"), MARKETS)
def test_a_stream_that_is_normalised_message_by_message_is_left_to_the_decoder(exchange: str, market: str) -> None:
    session = made(exchange, market, 6)
    pair = Pair(exchange, market, [session.symbol])
    pair.quick.adapter.is_sequenced = pair.plain.adapter.is_sequenced = False
    for line in generator(exchange).session_lines(session, 20):
        pair.feed(Frame(line.raw, line.source, line.url))
    assert pair.reader.taken == 0


# Recorded captures.


class _Line(msgspec.Struct):
    src: str
    msg: msgspec.Raw
    ts: int | None = None
    url: str | None = None


@pytest.mark.parametrize("name", RECORDED)
def test_a_recording_comes_out_the_same(name: str) -> None:
    exchange, market, least = RECORDED[name]
    frames = []
    with gzip.open(recorded(f"{name}.jsonl.gz")) as file:
        for _, text in zip(range(RECORDED_LINES), file, strict=False):
            line = msgspec.json.decode(text, type=_Line)
            if line.src != "sent" and len(line.msg) < 200_000:
                source: Source = "rest" if line.src == "rest" else "ws"
                frames.append(Frame(bytes(line.msg), source, line.url))
    noted = Symbols()
    survey = make_adapter(PLUGINS, exchange, market)
    for frame in frames:
        survey.on_message(frame.raw, frame.source, frame.url, 1, noted)
    pair = Pair(exchange, market, list(noted.symbols)[:-1] if len(noted.symbols) > 3 else noted.symbols)
    for frame in frames:
        pair.feed(frame)
    assert pair.reader.taken >= least


# Damage.


@pytest.fixture(scope="module")
def small() -> Iterator[dict[str, sessions.Session]]:
    """Sessions of small books, which are quickly made good again."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sessions, "LEVELS", 6)
        yield {name: make(40, 11) for name, make in sessions.SESSIONS.items()}


def opened(session: sessions.Session) -> tuple[Pair, list[Frame], int]:
    """Return a pair that has followed two updates of *session*, what leads to the first of them, and its id."""
    pair = Pair(session.exchange, session.market, [session.symbol], 3)
    opening = [Frame(body, "rest" if source == "rest" else "ws", url or None) for source, url, body in session.opening]
    opening.append(Frame(session.frames[0]))
    for frame in opening:
        pair.feed(frame)
    assert pair.is_good(session.symbol)
    known = pair.quick.adapter.books[session.symbol].last_id
    pair.ws(session.frames[1])
    return pair, opening, known


@pytest.mark.parametrize("exchange", sessions.SESSIONS)
def test_a_damaged_update_comes_out_the_same_and_leaves_the_same_behind(
    exchange: str, small: dict[str, sessions.Session]
) -> None:
    """Every cut of two updates and 3,000 mutations, each followed by the update that is next."""
    session = small[exchange]
    pair, opening, known = opened(session)
    chance = random.Random(17)
    others = [session.opening[-1][2], *session.frames[:3]]
    plain = session.frames[1], max(session.frames[1:], key=len)
    assert len(plain[1]) < 4_000
    damaged = [*cuts(plain[0]), *cuts(plain[1]), *mutations(plain[0], others, chance, 3_000)]
    for raw in damaged:
        if not pair.is_good(session.symbol) or pair.quick.adapter.books[session.symbol].last_id != known:
            pair.give_up(session.symbol)
            for frame in opening:
                pair.feed(frame)
        pair.ws(raw)
        if chance.random() < 0.1:
            pair.ws(session.frames[1])
            pair.ws(session.frames[2])
    assert pair.reader.taken > 150
