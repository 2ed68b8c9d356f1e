"""The same small market told in the words of each exchange, so that a fault is tried on every adapter there is."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable
from typing import Any

import attrs

from quotewright.feed import FetchSnapshot, Resubscribe, Source
from quotewright.kernel.rows import TapeBuffer
from quotewright.kernel.sink import TapeSink
from quotewright_plugins import exchanges
from tests.plugins.binance.support import PlainBook, Row, rows_of

Levels = list[tuple[str, str]]
MS = 1_700_000_000_000
SECOND = 1_000_000_000


@attrs.frozen
class Frame:
    """What an adapter is handed."""

    raw: bytes
    source: Source = "ws"
    url: str | None = None


@attrs.frozen
class Dialect:
    """One market of one exchange: how its book and its trades are written."""

    feed: str
    market: str
    symbol: str
    image: Callable[[str, int, Levels, Levels], Frame]
    update: Callable[[str, int, int, Levels, Levels], Frame]
    trade: Callable[[str, str, str, str, int], Frame]

    def adapter(self) -> Any:
        factory = exchanges.feeds()[self.feed].load()
        settings = factory.config_model(market=self.market) if self.market else factory.config_model()
        return factory(settings)

    def stage(self) -> Stage:
        return Stage(self)


def compact(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


# Binance.


def binance_image(symbol: str, seq: int, bids: Levels, asks: Levels) -> Frame:
    body = compact({"lastUpdateId": seq, "bids": bids, "asks": asks})
    return Frame(body, "rest", f"https://api.binance.com/api/v3/depth?symbol={symbol}&limit=1000")


def binance_update(symbol: str, before: int, seq: int, bids: Levels, asks: Levels) -> Frame:
    data = {"e": "depthUpdate", "E": MS + seq, "s": symbol, "U": before + 1, "u": seq, "b": bids, "a": asks}
    return Frame(compact({"stream": f"{symbol.lower()}@depth@100ms", "data": data}))


def binance_trade(symbol: str, price: str, size: str, side: str, number: int) -> Frame:
    data = {"e": "trade", "E": MS, "s": symbol, "t": number, "p": price, "q": size, "T": MS, "m": side == "sell"}
    return Frame(compact({"stream": f"{symbol.lower()}@trade", "data": {**data, "M": True}}))


def usdm_image(symbol: str, seq: int, bids: Levels, asks: Levels) -> Frame:
    body = compact({"lastUpdateId": seq, "E": MS, "T": MS, "bids": bids, "asks": asks})
    return Frame(body, "rest", f"https://fapi.binance.com/fapi/v1/depth?symbol={symbol}&limit=1000")


def usdm_update(symbol: str, before: int, seq: int, bids: Levels, asks: Levels) -> Frame:
    data = {"e": "depthUpdate", "E": MS + seq, "T": MS + seq, "s": symbol, "U": before, "u": seq, "pu": before}
    return Frame(compact({"stream": f"{symbol.lower()}@depth@100ms", "data": {**data, "b": bids, "a": asks}}))


def usdm_trade(symbol: str, price: str, size: str, side: str, number: int) -> Frame:
    data = {"e": "aggTrade", "E": MS, "s": symbol, "a": number, "p": price, "q": size, "f": number, "l": number}
    return Frame(compact({"stream": f"{symbol.lower()}@aggTrade", "data": {**data, "T": MS, "m": side == "sell"}}))


# Bybit.


def bybit_book(kind: str, symbol: str, seq: int, bids: Levels, asks: Levels) -> Frame:
    data = {"s": symbol, "b": bids, "a": asks, "u": seq, "seq": 7 * seq}
    return Frame(
        compact({"topic": f"orderbook.50.{symbol}", "type": kind, "ts": MS + seq, "data": data, "cts": MS + seq - 1})
    )


def bybit_trade(symbol: str, price: str, size: str, side: str, number: int) -> Frame:
    row = {"T": MS, "s": symbol, "S": side.title(), "v": size, "p": price, "i": str(number), "BT": False}
    return Frame(compact({"topic": f"publicTrade.{symbol}", "type": "snapshot", "ts": MS, "data": [row]}))


# OKX.


def okx_book(action: str, symbol: str, before: int, seq: int, bids: Levels, asks: Levels) -> Frame:
    sides = {"asks": [[*level, "0", "1"] for level in asks], "bids": [[*level, "0", "1"] for level in bids]}
    row = {**sides, "ts": str(MS + seq), "checksum": 0, "prevSeqId": before, "seqId": seq}
    return Frame(compact({"arg": {"channel": "books", "instId": symbol}, "action": action, "data": [row]}))


def okx_trade(symbol: str, price: str, size: str, side: str, number: int) -> Frame:
    row = {"instId": symbol, "tradeId": str(number), "px": price, "sz": size, "side": side, "ts": str(MS)}
    return Frame(
        compact({"arg": {"channel": "trades", "instId": symbol}, "data": [{**row, "count": "1", "seqId": number}]})
    )


# Deribit: prices and sizes are bare numbers.


def deribit_rows(levels: Levels, word: str) -> str:
    rows = (f'["{"delete" if float(size) == 0 else word}",{price},{size}]' for price, size in levels)
    return f"[{','.join(rows)}]"


def deribit_book(symbol: str, before: int | None, seq: int, bids: Levels, asks: Levels) -> Frame:
    kind = "snapshot" if before is None else "change"
    link = "" if before is None else f'"prev_change_id":{before},'
    word = "new" if before is None else "change"
    return Frame(
        f'{{"jsonrpc":"2.0","method":"subscription","params":{{"channel":"book.{symbol}.100ms","data":{{'
        f'"type":"{kind}","timestamp":{MS + seq},{link}"instrument_name":"{symbol}","change_id":{seq},'
        f'"bids":{deribit_rows(bids, word)},"asks":{deribit_rows(asks, word)}}}}}}}'.encode()
    )


def deribit_trade(symbol: str, price: str, size: str, side: str, number: int) -> Frame:
    return Frame(
        f'{{"jsonrpc":"2.0","method":"subscription","params":{{"channel":"trades.{symbol}.100ms","data":[{{'
        f'"trade_seq":{number},"trade_id":"{number}","timestamp":{MS},"tick_direction":0,"price":{price},'
        f'"mark_price":{price},"instrument_name":"{symbol}","index_price":{price},"direction":"{side}",'
        f'"amount":{size}}}]}}}}'.encode()
    )


DIALECTS = {
    "binance": Dialect("binance", "spot", "BTCUSDT", binance_image, binance_update, binance_trade),
    "binance-usdm": Dialect("binance", "usdm", "BTCUSDT", usdm_image, usdm_update, usdm_trade),
    "bybit": Dialect(
        "bybit", "spot", "BTCUSDT",
        lambda symbol, seq, bids, asks: bybit_book("snapshot", symbol, seq, bids, asks),
        lambda symbol, before, seq, bids, asks: bybit_book("delta", symbol, seq, bids, asks),
        bybit_trade,
    ),
    "okx": Dialect(
        "okx", "spot", "BTC-USDT",
        lambda symbol, seq, bids, asks: okx_book("snapshot", symbol, -1, seq, bids, asks),
        lambda symbol, before, seq, bids, asks: okx_book("update", symbol, before, seq, bids, asks),
        okx_trade,
    ),
    "deribit": Dialect(
        "deribit", "", "BTC-PERPETUAL",
        lambda symbol, seq, bids, asks: deribit_book(symbol, None, seq, bids, asks),
        deribit_book,
        deribit_trade,
    ),
}  # fmt: skip
HERE = {name: dialect for name, dialect in DIALECTS.items() if dialect.feed in exchanges.feeds()}
"""Those whose exchange has a folder."""


class Stage:
    """An adapter of a dialect with its sink, and the rows that it wrote."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self.adapter = dialect.adapter()
        self.adapter.subscribe([dialect.symbol])
        self.adapter.actions()
        self.buffer = TapeBuffer()
        self.sink = TapeSink(self.buffer, {dialect.symbol: (0, 2, 3)})
        self.now_ns = SECOND
        self.asked = 0

    @property
    def counters(self) -> Any:
        return self.adapter.counters

    @property
    def state(self) -> str:
        return str(self.adapter.books[self.dialect.symbol].state.name)

    def feed(self, frame: Frame | bytes, now_ns: int | None = None) -> list[Row]:
        """Hand one frame in, a millisecond after the last one, and return the rows it made."""
        if isinstance(frame, bytes):
            frame = Frame(frame)
        self.now_ns = self.now_ns + 1_000_000 if now_ns is None else now_ns
        before = self.buffer.count
        self.adapter.on_message(frame.raw, frame.source, frame.url, self.now_ns, self.sink)
        return rows_of(self.buffer, before)

    def feed_all(self, frames: Iterable[Frame]) -> Stage:
        for frame in frames:
            self.feed(frame)
        return self

    def wants_image(self) -> bool:
        """Drain what the adapter wants and return whether an image of the book is among it."""
        wanted = any(isinstance(action, FetchSnapshot | Resubscribe) for action in self.adapter.actions())
        self.asked += wanted
        return wanted

    def book(self) -> PlainBook:
        """Return the book that all rows so far make."""
        book = PlainBook()
        book.apply(rows_of(self.buffer))
        return book

    def sides(self) -> tuple[dict[int, int], dict[int, int]]:
        book = self.book()
        return book.bids, book.offers


class Market:
    """A book that moves by seeded chance: images and updates of it at any time, in any dialect."""

    def __init__(self, dialect: Dialect, count: int = 200, seed: int = 7) -> None:
        chance = random.Random(seed)
        self.dialect = dialect
        bids = {100 - level: 5 + level for level in range(10)}
        asks = {101 + level: 5 + level for level in range(10)}
        self.states = [(dict(bids), dict(asks))]
        self.updates: list[Frame] = []
        self.first = 500
        for number in range(count):
            changed: tuple[Levels, Levels] = ([], [])
            for book, part, prices in ((bids, changed[0], range(91, 101)), (asks, changed[1], range(101, 111))):
                for price in chance.sample(prices, 2):
                    size = 0 if price not in (100, 101) and chance.random() < 0.3 and price in book else number + 1
                    if size:
                        book[price] = size
                    else:
                        book.pop(price, None)
                    part.append((f"{price}.00", f"{size}"))
            seq = self.first + number
            self.updates.append(dialect.update(dialect.symbol, seq, seq + 1, *changed))
            self.states.append((dict(bids), dict(asks)))

    def image(self, number: int = 0) -> Frame:
        """Return the whole book after *number* updates."""
        bids, asks = self.states[number]
        return self.dialect.image(self.dialect.symbol, self.first + number, text_of(bids), text_of(asks))

    def sides(self, number: int = -1) -> tuple[dict[int, int], dict[int, int]]:
        """Return the book after *number* updates in steps of price and size, as rows tell it."""
        bids, asks = self.states[number]
        return (
            {price * 100: size * 1000 for price, size in bids.items()},
            {price * 100: size * 1000 for price, size in asks.items()},
        )


def text_of(side: dict[int, int]) -> Levels:
    return [(f"{price}.00", f"{size}") for price, size in side.items()]
