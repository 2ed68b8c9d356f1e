"""What is measured: each makes a fresh book, reads the opening, and returns the work over all frames."""

from __future__ import annotations

import importlib.metadata
import json
import subprocess
import tempfile
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar, Protocol

import msgspec
from sortedcontainers import SortedDict

from bench.exchanges.sessions import Session
from quotewright.kernel.ladder import Ladder
from quotewright.kernel.rows import TapeBuffer
from quotewright.kernel.sink import TapeSink
from quotewright.plugin.registry import PluginSet
from quotewright.tape.importing import make_adapter

Best = tuple[float, float]


class Missing(Exception):
    """A peer is not installed, or cannot be used."""


class Candidate(Protocol):
    """One program."""

    name: str

    def round(self, session: Session) -> tuple[int, Best]:
        """Return the ns of wall time that all frames took, and the best quotes after the last."""


class Ours:
    """The adapter, a sink, the ladder, both best quotes read after every message."""

    name = "quotewright"

    def __init__(self) -> None:
        self.plugins = PluginSet.discover(strict=False)

    def round(self, session: Session) -> tuple[int, Best]:
        adapter = make_adapter(self.plugins, session.exchange, session.market)
        buffer, book = TapeBuffer(1 << 20), Ladder()
        sink = TapeSink(buffer, {session.symbol: (0, session.price_decimals, session.size_decimals)})
        for source, address, body in session.opening:
            adapter.on_message(body, "rest" if source == "rest" else "ws", address or None, 1, sink)
        book.apply(buffer, 0, buffer.count)
        buffer.truncate(0)
        on_message, apply = adapter.on_message, book.apply
        received = 1
        start = time.perf_counter_ns()
        for frame in session.frames:
            received += 1
            on_message(frame, "ws", None, received, sink)
            apply(buffer, 0, buffer.count)
            buffer.truncate(0)
            bid, offer = book.best_bid, book.best_offer
        took = time.perf_counter_ns() - start
        scale = 10**session.price_decimals
        return took, (bid / scale, offer / scale)


class ByHand:
    """msgspec and a book of two sorted dictionaries, as one writes it in an afternoon."""

    name = "msgspec by hand"

    def round(self, session: Session) -> tuple[int, Best]:
        bids: SortedDict[Decimal, Decimal] = SortedDict()
        offers: SortedDict[Decimal, Decimal] = SortedDict()
        read = _READERS[session.exchange]
        for source, _, body in session.opening:
            data = msgspec.json.decode(body) if source == "rest" else _DATA[session.exchange](msgspec.json.decode(body))
            for book, names in ((bids, ("bids", "b")), (offers, ("asks", "a"))):
                for level in next((data[name] for name in names if name in data), []):
                    at, of = level[-2:] if session.exchange == "deribit" else level[:2]
                    book[Decimal(str(at))] = Decimal(str(of))
        start = time.perf_counter_ns()
        last: Any = None
        for frame in session.frames:
            last, bid_changes, offer_changes = read(frame, last)
            for book, changes in ((bids, bid_changes), (offers, offer_changes)):
                for at, of in changes:
                    price, size = Decimal(at), Decimal(of)
                    if size:
                        book[price] = size
                    else:
                        book.pop(price, None)
            bid, offer = bids.peekitem(-1)[0], offers.peekitem(0)[0]
        return time.perf_counter_ns() - start, (float(bid), float(offer))


class _BinanceData(msgspec.Struct):
    u: int
    pu: int
    b: list[tuple[str, str]]
    a: list[tuple[str, str]]


class _Binance(msgspec.Struct):
    data: _BinanceData


class _BybitData(msgspec.Struct):
    u: int
    b: list[tuple[str, str]]
    a: list[tuple[str, str]]


class _Bybit(msgspec.Struct):
    data: _BybitData


class _OkxData(msgspec.Struct):
    seqId: int
    prevSeqId: int
    bids: list[tuple[str, str, str, str]]
    asks: list[tuple[str, str, str, str]]


class _Okx(msgspec.Struct):
    data: list[_OkxData]


class _DeribitData(msgspec.Struct):
    change_id: int
    prev_change_id: int
    bids: list[tuple[str, Decimal, Decimal]]
    asks: list[tuple[str, Decimal, Decimal]]


class _DeribitParams(msgspec.Struct):
    data: _DeribitData


class _Deribit(msgspec.Struct):
    params: _DeribitParams


_BINANCE = msgspec.json.Decoder(_Binance)
_BYBIT = msgspec.json.Decoder(_Bybit)
_OKX = msgspec.json.Decoder(_Okx)
_DERIBIT = msgspec.json.Decoder(_Deribit)


def _follows(last: Any, before: Any) -> None:
    if last is not None and before != last:
        raise ValueError(f"the update follows {before}, expected {last}")


def _read_binance(frame: bytes, last: Any) -> Any:
    data = _BINANCE.decode(frame).data
    _follows(last, data.pu)
    return data.u, data.b, data.a


def _read_bybit(frame: bytes, last: Any) -> Any:
    data = _BYBIT.decode(frame).data
    _follows(last, data.u - 1)
    return data.u, data.b, data.a


def _read_okx(frame: bytes, last: Any) -> Any:
    (data,) = _OKX.decode(frame).data
    _follows(last, data.prevSeqId)
    return data.seqId, [level[:2] for level in data.bids], [level[:2] for level in data.asks]


def _read_deribit(frame: bytes, last: Any) -> Any:
    data = _DERIBIT.decode(frame).params.data
    _follows(last, data.prev_change_id)
    return data.change_id, [level[1:] for level in data.bids], [level[1:] for level in data.asks]


_READERS: dict[str, Callable[[bytes, Any], Any]] = {
    "binance": _read_binance,
    "bybit": _read_bybit,
    "okx": _read_okx,
    "deribit": _read_deribit,
}
_DATA: dict[str, Callable[[Any], Any]] = {
    "binance": lambda frame: frame["data"],
    "bybit": lambda frame: frame["data"],
    "okx": lambda frame: frame["data"][0],
    "deribit": lambda frame: frame["params"]["data"],
}


class Cryptofeed:
    """cryptofeed's message handler with a callback that reads the best quotes; its coroutines are driven by hand."""

    SYMBOLS: ClassVar = {
        "binance": "BTC-USDT-PERP",
        "bybit": "BTC-USDT-PERP",
        "okx": "BTC-USDT-PERP",
        "deribit": "BTC-USD-PERP",
    }

    def __init__(self) -> None:
        try:
            from cryptofeed import exchanges
            from cryptofeed.symbols import Symbols
        except ImportError as error:
            raise Missing(f"cryptofeed cannot be imported: {error}") from error
        self.symbols = Symbols
        self.classes = {
            "binance": exchanges.BinanceFutures,
            "bybit": exchanges.Bybit,
            "okx": exchanges.OKX,
            "deribit": exchanges.Deribit,
        }
        self.name = f"cryptofeed {importlib.metadata.version('cryptofeed')}"

    def round(self, session: Session) -> tuple[int, Best]:
        from cryptofeed.defines import L2_BOOK

        made = self.classes[session.exchange]
        symbol = self.SYMBOLS[session.exchange]
        self.symbols.set(made.id, {symbol: session.symbol}, {"instrument_type": {symbol: "perpetual"}})
        seen: list[Any] = [0, 0]

        async def on_book(book: Any, received: float) -> None:
            seen[0], seen[1] = book.book.bids.index(0)[0], book.book.asks.index(0)[0]

        # Deribit's raw books are for accounts; nothing is ever sent with these words.
        account = {made.id.lower(): {"key_id": "bench", "key_secret": "bench"}}
        feed = made(subscription={L2_BOOK: [symbol]}, callbacks={L2_BOOK: on_book}, config=account)
        feed.seq_no = {}  # Deribit's handler has it made when it subscribes
        connection = _Connection()
        for source, _, body in session.opening:
            if source == "rest":
                feed.http_conn = _Answer(body.decode())
        for source, _, body in session.opening:
            if source == "ws":
                _drive(feed.message_handler(body.decode(), connection, 1.0))
        texts = [frame.decode() for frame in session.frames]
        handler = feed.message_handler
        start = time.perf_counter_ns()
        for text in texts:
            _drive(handler(text, connection, 1.0))
        return time.perf_counter_ns() - start, (float(seen[0]), float(seen[1]))


class _Connection:
    address = "wss://localhost/linear"
    uuid = "bench"


class _Answer:
    def __init__(self, body: str) -> None:
        self.body = body

    async def read(self, *_: Any, **__: Any) -> str:
        return self.body


def _drive(coroutine: Any) -> None:
    try:
        coroutine.send(None)
    except StopIteration:
        return
    raise RuntimeError("the handler waits for something that never comes")


class Ccxt:
    """ccxt pro: its JSON parser and its message handler, the best quotes read off its book."""

    MARKETS: ClassVar = {
        "binance": ("binanceusdm", "BTC/USDT:USDT", "wss://fstream.binance.com/ws"),
        "bybit": ("bybit", "BTC/USDT:USDT", "wss://stream.bybit.com/v5/public/linear"),
        "okx": ("okx", "BTC/USDT:USDT", "wss://ws.okx.com:8443/ws/v5/public"),
        "deribit": ("deribit", "BTC/USD:BTC", "wss://www.deribit.com/ws/api/v2"),
    }

    def __init__(self) -> None:
        try:
            import ccxt.pro
            from ccxt.async_support.base.ws import client
        except ImportError as error:
            raise Missing(f"ccxt cannot be imported: {error}") from error
        self.pro = ccxt.pro
        self.parse = client.json_parser.loads
        self.name = f"ccxt pro {ccxt.__version__}"

    def round(self, session: Session) -> tuple[int, Best]:
        name, symbol, url = self.MARKETS[session.exchange]
        exchange = getattr(self.pro, name)({"options": {"watchOrderBook": {"checksum": False}}})
        market = {
            "id": session.symbol,
            "symbol": symbol,
            "type": "swap",
            "swap": True,
            "contract": True,
            "linear": session.exchange != "deribit",
            "inverse": session.exchange == "deribit",
        }
        exchange.markets = {symbol: market}
        exchange.markets_by_id = {session.symbol: [market]}
        exchange.symbols = [symbol]
        client = _Client(url)
        for source, _, body in session.opening:
            data = self.parse(body)
            if source == "rest":
                made = exchange.parse_order_book(data, symbol)
                made["nonce"] = data["lastUpdateId"]
                exchange.orderbooks[symbol] = exchange.order_book(made)
            elif session.exchange != "binance":
                exchange.handle_message(client, data)
        book = exchange.orderbooks[symbol]
        texts = [frame.decode() for frame in session.frames]
        handle, parse = exchange.handle_message, self.parse
        start = time.perf_counter_ns()
        for text in texts:
            handle(client, parse(text))
            bid, offer = book["bids"][0][0], book["asks"][0][0]
        return time.perf_counter_ns() - start, (float(bid), float(offer))


class _Client:
    def __init__(self, url: str) -> None:
        self.url = url
        self.subscriptions: dict[str, Any] = {}
        self.futures: dict[str, Any] = {}

    def resolve(self, result: Any, *_: Any) -> Any:
        return result

    def reject(self, error: Any, *_: Any) -> None:
        raise RuntimeError(error)


class TardisDev:
    """tardis-dev in node: JSON.parse, its mapper, its book; one child process that measures when it is asked."""

    def __init__(self, modules: Path | None) -> None:
        if modules is None or not (modules / "tardis-dev").is_dir():
            raise Missing(f"tardis-dev is not in {modules or 'a folder named with --node-modules'}")
        version = json.loads((modules / "tardis-dev" / "package.json").read_text(encoding="utf-8"))["version"]
        self.name = f"tardis-dev {version}"
        self.modules = modules.resolve()
        self.child: subprocess.Popen[str] | None = None
        self.session: Session | None = None

    def round(self, session: Session) -> tuple[int, Best]:
        if self.session is not session:
            self.close()
            self.session = session
            script = Path(__file__).with_name("tardis_dev.cjs")
            with tempfile.NamedTemporaryFile("wb", suffix=".json", delete=False) as file:
                file.write(session.as_json())
            try:
                self.child = subprocess.Popen(
                    ["node", str(script), str(self.modules / "tardis-dev"), file.name],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            except OSError as error:
                raise Missing(f"node cannot be started: {error}") from error
        assert self.child is not None
        assert self.child.stdin is not None
        assert self.child.stdout is not None
        self.child.stdin.write("round\n")
        self.child.stdin.flush()
        line = self.child.stdout.readline()
        if not line:
            raise Missing(f"node ended with {self.child.wait()}")
        found = json.loads(line)
        return int(found["ns"]), (found["bid"], found["offer"])

    def close(self) -> None:
        """End the child process."""
        if self.child is not None:
            self.child.communicate("")
            self.child = None
