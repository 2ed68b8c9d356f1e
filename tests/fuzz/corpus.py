"""Where the frames come from: every exchange's own generator, and the recordings where they are at hand."""

from __future__ import annotations

import gzip
import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import msgspec

from quotewright.feed import FeedAdapter
from quotewright.plugin.registry import PluginSet
from quotewright.tape.importing import make_adapter
from quotewright_plugins import exchanges
from tests.fuzz.damage import Frame

RECORDED = {
    ("binance", "spot"): "binance/spot/multi4_20211012T0028_30s.jsonl.gz",
    ("binance", "usdm"): "binance/usdm/multi4_20210722T2225_30s.jsonl.gz",
    ("binance", "coinm"): "binance/coinm/multi10_20210722T0113_30s.jsonl.gz",
    ("bybit", "linear"): "bybit/legacy_v2/linear_20210417T1643_30s.jsonl.gz",
    ("bybit", "spot"): "bybit/spot/orderbook1_20250613T1651_28s.jsonl.gz",
    ("okx", ""): "okx/multi3_books_20220513T1627_11s.jsonl.gz",
    ("deribit", ""): "deribit/options10_20210405T1747_118s.jsonl.gz",
}
LONGEST = 6_000
"""Longer frames take too long to be cut at every byte."""
OPENING_UPDATES = 12
RECORDED_FRAMES = 60


@attrs.frozen
class Corpus:
    """One adapter, the session that it has followed, and the frames to be damaged: one of every kind."""

    exchange: str
    market: str
    make: Callable[[], FeedAdapter]
    symbols: tuple[str, ...]
    opening: tuple[Frame, ...]
    frames: tuple[Frame, ...]

    @property
    def name(self) -> str:
        return f"{self.exchange} {self.market}".strip()


def corpora(plugins: PluginSet, data: Path | None = None) -> Iterator[Corpus]:
    """Yield a corpus for every market of every exchange in the box; *data* is the folder of recordings, if any."""
    for exchange in sorted(exchanges.feeds()):
        generator = importlib.import_module(f"quotewright_plugins.exchanges.{exchange}.frames")
        markets = make_adapter(plugins, exchange).markets or ("",)
        for market in markets:
            yield generated(plugins, generator, exchange, market)
        for (recorded_exchange, market), name in RECORDED.items():
            if recorded_exchange == exchange and data is not None and (data / name).is_file():
                yield recorded(plugins, exchange, market, data / name)


def generated(plugins: PluginSet, generator: Any, exchange: str, market: str) -> Corpus:
    """Return the frames of a generated session."""
    session_type = next(value for name, value in vars(generator).items() if name.endswith("Session"))
    if not market:
        session = session_type()
    elif "market" in {field.name for field in attrs.fields(session_type)}:
        session = session_type(market=market)
    else:
        session = session_type(symbol=generator.SYMBOLS[market])
    lines = list(generator.session_lines(session, OPENING_UPDATES))
    lines += session.others() if hasattr(session, "others") else []
    return _corpus(plugins, exchange, market, [Frame(line.raw, line.source, line.url) for line in lines])


class _Line(msgspec.Struct):
    src: str
    msg: msgspec.Raw
    url: str | None = None


def recorded(plugins: PluginSet, exchange: str, market: str, path: Path) -> Corpus:
    """Return the first frames of one instrument in a recording."""
    frames: list[Frame] = []
    symbol = b""
    with gzip.open(path) as file:
        for text in file:
            line = msgspec.json.decode(text, type=_Line)
            raw = bytes(line.msg)
            if line.src not in ("ws", "rest"):
                continue
            symbol = symbol or _symbol(make_adapter(plugins, exchange, market), raw)
            if symbol and symbol.lower() in (raw + (line.url or "").encode()).lower():
                frames.append(Frame(raw, "rest" if line.src == "rest" else "ws", line.url))
            if len(frames) >= RECORDED_FRAMES:
                break
    return _corpus(plugins, exchange, market, frames)


def _symbol(adapter: FeedAdapter, raw: bytes) -> bytes:
    """Return the symbol whose book *raw* is about, nothing if it is none."""
    adapter.on_message(raw, "ws", None, 1, Symbols())
    return next(iter(adapter.books), "").encode()


def _corpus(plugins: PluginSet, exchange: str, market: str, frames: list[Frame]) -> Corpus:
    def make() -> FeedAdapter:
        return make_adapter(plugins, exchange, market)

    adapter = make()
    seen = Symbols()
    for frame in frames:
        adapter.on_message(frame.raw, frame.source, frame.url, 1, seen)
    kinds: dict[tuple[str, bytes], Frame] = {}
    for frame in frames:
        if len(frame.raw) <= LONGEST:
            kinds.setdefault((frame.source, _shape(frame.raw)), frame)
    return Corpus(exchange, market, make, tuple(seen.symbols), tuple(frames), tuple(kinds.values()))


def _shape(raw: bytes) -> bytes:
    """Return what frames of one kind share: what stands between their numbers, as far as it fits."""
    return bytes(code for code in raw if code > 57 or code in b'"[]{}:')[:120]


class Symbols:
    """A sink that lists whatever it is told and writes nothing."""

    def __init__(self) -> None:
        self.symbols: dict[str, None] = {}

    def begin(self, symbol: str, *_: Any, **__: Any) -> bool:
        self.symbols[symbol] = None
        return False

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_, **__: None
