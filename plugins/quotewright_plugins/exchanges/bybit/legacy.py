"""Shapes of Bybit's public APIs before v5, told by the words of their topics: recordings hold them still.

Contracts: ``orderBookL2_25`` and ``orderBook_200.100ms`` (levels by id: delete, update, insert), ``trade``,
``instrument_info.100ms`` (prices times 10^4, rates times 10^6), ``liquidation``. Spot: ``bookTicker``, ``depth``
(images), ``trade``, each with its symbol beside the topic.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from quotewright.errors import InputError
from quotewright.feed import BadFrame, BookState
from quotewright_plugins.exchanges.bybit.books import SYNCHRONISED, Books, Route
from quotewright_plugins.exchanges.bybit.messages import MILLISECOND, Stamp, is_zero, milliseconds
from quotewright_plugins.exchanges.bybit.prints import SIDES, forced_side

if TYPE_CHECKING:
    from quotewright.tape.sink import Sink

Number = str | int | msgspec.Raw
_MICROSECOND = 1_000
_RECENT = 64


class Level(msgspec.Struct, gc=False):
    price: msgspec.Raw
    side: str
    id: msgspec.Raw
    size: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    symbol: str = ""


class Changes(msgspec.Struct, gc=False):
    delete: list[Level] = []
    update: list[Level] = []
    insert: list[Level] = []


class Image(msgspec.Struct, gc=False):
    order_book: list[Level] | None = None
    orderBook: list[Level] | None = None


class OldBook(msgspec.Struct, gc=False):
    topic: str
    type: str
    data: msgspec.Raw
    cross_seq: int | str = 0
    crossSeq: int | str = 0
    timestamp_e6: int | str = 0
    timestampE6: int | str = 0


class OldTrade(msgspec.Struct, gc=False):
    symbol: str
    price: msgspec.Raw
    size: msgspec.Raw
    side: str = ""
    trade_id: str = ""
    tradeId: str = ""
    trade_time_ms: int | str = ""
    tradeTimeMs: int | str = ""
    timestamp: str = ""


class OldTrades(msgspec.Struct, gc=False):
    topic: str
    data: list[OldTrade]


class OldInfo(msgspec.Struct, gc=False):
    topic: str
    data: dict[str, msgspec.Raw]
    timestamp_e6: int | str = 0
    timestampE6: int | str = 0


class OldForcedOrder(msgspec.Struct, gc=False):
    symbol: str
    side: str
    price: msgspec.Raw
    qty: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    size: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    time: Stamp = 0
    updatedTime: Stamp = 0
    id: int = 0


class OldForced(msgspec.Struct, gc=False):
    topic: str
    data: list[OldForcedOrder] | OldForcedOrder
    ts: Stamp = 0


class SpotParams(msgspec.Struct, gc=False):
    symbol: str


class SpotBest(msgspec.Struct, gc=False):
    time: Stamp
    bidPrice: str = ""
    bidQty: str = ""
    askPrice: str = ""
    askQty: str = ""
    symbol: str = ""


class SpotTrade(msgspec.Struct, gc=False):
    """``m`` says here that the taker bought."""

    v: str
    t: Stamp
    p: str
    q: str
    m: bool


class SpotDepth(msgspec.Struct, gc=False):
    t: Stamp
    b: msgspec.Raw
    a: msgspec.Raw
    s: str = ""


class SpotFrame(msgspec.Struct, gc=False):
    topic: str
    params: SpotParams
    data: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_OLD_BOOK = msgspec.json.Decoder(OldBook)
_LEVELS = msgspec.json.Decoder(list[Level])
_IMAGE = msgspec.json.Decoder(Image)
_CHANGES = msgspec.json.Decoder(Changes)
_OLD_TRADES = msgspec.json.Decoder(OldTrades)
_OLD_INFO = msgspec.json.Decoder(OldInfo)
_INFOS: msgspec.json.Decoder[list[dict[str, msgspec.Raw]]] = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])
_FORCED = msgspec.json.Decoder(OldForced)
_SPOT = msgspec.json.Decoder(SpotFrame)
_SPOT_DATA: dict[str, msgspec.json.Decoder[Any]] = {
    "bookTicker": msgspec.json.Decoder(SpotBest),
    "trade": msgspec.json.Decoder(SpotTrade),
    "depth": msgspec.json.Decoder(SpotDepth),
}


class Chained:
    """What is known of a book by ids: the levels that stand, and the last numbers that were applied."""

    __slots__ = ("ids", "recent")

    def __init__(self) -> None:
        self.ids: set[str] = set()
        self.recent: dict[int, None] = {}

    def note(self, sequence: int) -> None:
        self.recent[sequence] = None
        if len(self.recent) > _RECENT:
            del self.recent[next(iter(self.recent))]


class Legacy(Books):
    """The part of the adapter that reads what Bybit sent before v5."""

    def __init__(self) -> None:
        super().__init__()
        self._chained: dict[str, Chained] = {}

    # Contracts: books.

    def _on_old_book(self, frame: bytes, route: Route, receive_ns: int, sink: Sink) -> None:
        """Write a book by ids; no counter is sent, but every id must be known, or new, and ``cross_seq`` grow."""
        event = _OLD_BOOK.decode(frame)
        symbol = route.symbol
        if event.type not in ("snapshot", "delta"):
            raise BadFrame("shape", f"type should be snapshot or delta, was {event.type[:20]!r}")
        is_image = event.type == "snapshot"
        changes = _levels(bytes(event.data), is_image)
        for level in (*changes.delete, *changes.update, *changes.insert):
            if level.symbol and level.symbol != symbol:
                raise BadFrame("symbol", f"the stream {route.topic!r} carries {level.symbol[:64]!r}")
            if level.side not in SIDES:
                raise BadFrame("shape", f"side should be Buy or Sell, was {level.side[:20]!r}")
        book = self._follow(route, is_image, receive_ns, sink)
        if book is None:
            return
        event_ns = _whole(event.timestamp_e6 or event.timestampE6, "timestamp_e6") * _MICROSECOND
        sequence = _whole(event.cross_seq or event.crossSeq, "cross_seq")
        chained = self._chained.setdefault(symbol, Chained())
        if self.is_sequenced:
            if book.state is SYNCHRONISED and sequence and sequence <= book.last_id:
                self._pass_over(book, event_ns, receive_ns, sink, sequence)
                if sequence not in chained.recent and not is_image:  # it was missing when a later one was applied
                    self.lose(book, event_ns, receive_ns, sink, sequence)
                    self.request(book, receive_ns)
                return
            if is_image:
                self.counters.snapshots += 1
                self.answered(book)
            elif book.state is not SYNCHRONISED:
                self.counters.buffer_dropped += 1
                self.request(book, receive_ns)
                return
            elif not _fits(chained.ids, changes):
                self.lose(book, event_ns, receive_ns, sink, sequence)
                self.request(book, receive_ns)
                return
        if sink.begin(symbol, event_ns, receive_ns, 0, sequence):
            try:
                if is_image:
                    if book.state is BookState.STALE:
                        sink.resync()
                    sink.snapshot()
                for level in changes.delete:
                    _write_level(level, "0", sink)
                for level in (*changes.update, *changes.insert):
                    _write_level(level, _told(level.size, "size"), sink)
            except InputError:
                sink.abandon()
                raise
            sink.end()
        book.messages += 1
        self.counters.updates += not is_image
        if is_image:
            chained.ids.clear()
            chained.recent.clear()
            if self.is_sequenced:
                self._good(book)
        chained.ids.difference_update(_text(level.id) for level in changes.delete)
        chained.ids.update(_text(level.id) for level in changes.insert)
        chained.note(sequence)
        book.last_id = sequence
        book.stale_run = 0

    # Contracts: the rest.

    def _on_old_trades(self, frame: bytes, route: Route, receive_ns: int, sink: Sink) -> None:
        event = _OLD_TRADES.decode(frame)
        trades = []
        for trade in event.data:
            price, size = _text(trade.price), _text(trade.size)
            self._check_trade(trade.symbol, route.symbol, price, size)
            stamp = milliseconds(str(trade.trade_time_ms or trade.tradeTimeMs or trade.timestamp), "trade_time_ms")
            trades.append((stamp, trade.side, price, size, trade.trade_id or trade.tradeId))
        for stamp, side, price, size, name in trades:
            self._print(route.symbol, stamp, receive_ns, side, price, size, name, 0, sink)

    def _on_info(self, frame: bytes, route: Route, receive_ns: int, sink: Sink) -> None:
        """Write what an ``instrument_info`` names: the text of a price where there is one, else its scaled integer."""
        event = _OLD_INFO.decode(frame)
        infos = [event.data] if "symbol" in event.data else _INFOS.decode(bytes(event.data.get("update", b"[]")))
        event_ns = _whole(event.timestamp_e6 or event.timestampE6, "timestamp_e6") * _MICROSECOND
        for info in infos:
            told = {key: _text(value) for key, value in info.items() if bytes(value)[:1] not in (b"{", b"[", b"n")}
            known = self._symbol(route.symbol, told.get("symbol", ""))
            if known is None:
                return
            rows: list[Callable[[], None]] = []
            for names, write in (
                (("last_price", "lastPrice"), sink.last),
                (("mark_price", "markPrice"), sink.mark),
                (("index_price", "indexPrice"), sink.index),
            ):
                text = _first(told, *names) or _scaled(_first(told, f"{names[0]}_e4", f"{names[1]}E4"), 4)
                if text and not is_zero(text):
                    rows.append(partial(write, text))
            interest = _first(told, "open_interest", "openInterest")
            interest = interest or _scaled(_first(told, "open_interest_e8", "openInterestE8"), 8)
            if interest:
                rows.append(partial(sink.open_interest, interest))
            rate = _scaled(_first(told, "funding_rate_e6", "fundingRateE6"), 6)
            date = _first(told, "next_funding_time", "nextFundingTime")
            next_ns = milliseconds(date, "next_funding_time") * MILLISECOND or known.next_funding_ns
            if (rate or known.rate) and (rate or next_ns != known.next_funding_ns):
                rows.append(partial(sink.funding, rate or known.rate, next_ns))
            predicted = _scaled(_first(told, "predicted_funding_rate_e6", "predictedFundingRateE6"), 6)
            if predicted:
                rows.append(partial(sink.predicted_funding, predicted))
            self._write(route.symbol, event_ns, receive_ns, sink, rows)
            known.rate, known.next_funding_ns = rate or known.rate, next_ns

    def _on_old_forced(self, frame: bytes, route: Route, receive_ns: int, sink: Sink) -> None:
        """Write liquidations of the retired stream, unless ``allLiquidation`` of this symbol comes too."""
        event = _FORCED.decode(frame)
        orders = event.data if isinstance(event.data, list) else [event.data]
        for order in orders:
            size = _told(order.qty if order.size is msgspec.UNSET else order.size, "qty")
            self._check_trade(order.symbol, route.symbol, _text(order.price), size)
            forced_side(order.side)
        for order in orders:
            known = self._symbol(route.symbol, order.symbol)
            if known is None:
                return
            if known.has_all_liquidations:
                self.counters.ignore("liquidation")
                return
            size = _told(order.qty if order.size is msgspec.UNSET else order.size, "qty")
            side, price = forced_side(order.side), _text(order.price)
            row = partial(sink.liquidation, side, price, size, order.id, str(order.id) if order.id else "")
            event_ns = (order.time or order.updatedTime or event.ts) * MILLISECOND
            self._write(route.symbol, event_ns, receive_ns, sink, (row,), 0, event.ts * MILLISECOND)

    # Spot.

    def _on_spot(self, frame: bytes, route: Route, receive_ns: int, sink: Sink) -> None:
        event = _SPOT.decode(frame)
        symbol = event.params.symbol
        if event.data is msgspec.UNSET:
            self.counters.ignore("reply")
            return
        data = _SPOT_DATA[route.topic].decode(bytes(event.data))
        if isinstance(data, SpotTrade):
            self._check_trade(symbol, "", data.p, data.q)
            self._print(symbol, data.t, receive_ns, "Buy" if data.m else "Sell", data.p, data.q, data.v, 0, sink)
        elif isinstance(data, SpotBest):
            if self._symbol(symbol, data.symbol or symbol) is not None:
                row = partial(sink.best, data.bidPrice, data.bidQty, data.askPrice, data.askQty)
                self._write(symbol, data.time * MILLISECOND, receive_ns, sink, (row,))
        else:
            self._on_spot_image(symbol, data, receive_ns, sink)

    def _on_spot_image(self, symbol: str, data: SpotDepth, receive_ns: int, sink: Sink) -> None:
        """Write an image of the book: every message is one, so that there is nothing to miss."""
        if data.s and data.s != symbol:
            raise BadFrame("symbol", f"the stream of {symbol} carries {data.s[:64]!r}")
        book = self.book(symbol)
        followed = self._followed.get(symbol)
        if book is None:
            return
        if followed is not None:
            self.counters.ignore("other depth")
            return
        if self.is_sequenced and data.t < book.last_id:
            self.counters.stale_dropped += 1
            return
        rows = (
            *((sink.resync,) if book.state is BookState.STALE else ()),
            sink.snapshot,
            partial(sink.bids, data.b),
            partial(sink.offers, data.a),
        )
        self._write(symbol, data.t * MILLISECOND, receive_ns, sink, rows, data.t)
        self.counters.snapshots += 1
        book.messages += 1
        self.answered(book)
        self._good(book)
        book.last_id = data.t


def _levels(data: bytes, is_image: bool) -> Changes:
    """Return the levels of a frame; those of an image count as inserted."""
    if not is_image:
        return _CHANGES.decode(data)
    if data[:1] == b"[":
        return Changes(insert=_LEVELS.decode(data))
    image = _IMAGE.decode(data)
    levels = image.orderBook if image.order_book is None else image.order_book
    if levels is None:
        raise BadFrame("shape", "an image should be a list of levels, or hold one under order_book")
    return Changes(insert=levels)


def _fits(ids: set[str], changes: Changes) -> bool:
    """Return whether every level deleted or updated is known, and every inserted one new."""
    deleted = {_text(level.id) for level in changes.delete}
    return (
        deleted <= ids
        and all(_text(level.id) in ids for level in changes.update)
        and not any(_text(level.id) in ids and _text(level.id) not in deleted for level in changes.insert)
    )


def _write_level(level: Level, size: str, sink: Sink) -> None:
    (sink.bid if level.side == "Buy" else sink.offer)(_text(level.price), size)


def _text(raw: msgspec.Raw) -> str:
    """Return the text of a JSON number or string."""
    text = bytes(raw).decode("utf-8")
    return text[1:-1] if text[:1] == '"' else text


def _told(raw: msgspec.Raw | msgspec.UnsetType, what: str) -> str:
    if isinstance(raw, msgspec.UnsetType):
        raise BadFrame("shape", f"{what} is missing")
    return _text(raw)


def _first(told: dict[str, str], *keys: str) -> str:
    return next((told[key] for key in keys if told.get(key)), "")


def _whole(value: int | str, what: str) -> int:
    number = int(value) if not isinstance(value, str) or (value.isascii() and value.isdigit()) else -1
    if not 0 <= number < 9_200_000_000_000_000:
        raise InputError(f"{what} should be a whole number, was {str(value)[:40]!r}")
    return number


def _scaled(text: str, decimals: int) -> str:
    """Return the whole number in *text* times 10**-*decimals* as decimal text; empty stays empty."""
    if not text:
        return ""
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 30):
        raise InputError(f"a scaled price should be a whole number, was {text[:40]!r}")
    try:
        return f"{Decimal(text).scaleb(-decimals):f}"
    except InvalidOperation:
        raise InputError(f"a scaled price should be a whole number, was {text[:40]!r}") from None
