"""Frames of the relay in the four dialects of the articles (A to D). Unverified: no service was asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from quotewright.errors import InputError
from quotewright.feed import BadFrame, BookState, FeedBook
from quotewright.kernel.codes import BUY, NO_SIDE, SELL
from quotewright_plugins.tardis.adapter import NormalisedAdapter
from quotewright_plugins.tardis.instruments import from_symbols
from quotewright_plugins.tardis.messages import print_id, text

if TYPE_CHECKING:
    from quotewright.feed import Source
    from quotewright.model.instrument import Instrument
    from quotewright.tape.sink import Sink

MILLISECOND = 1_000_000
Raw = msgspec.Raw
SNAPSHOTS = frozenset({"snapshot", "orderbook_snapshot", "book_snapshot"})
DELTAS = frozenset({"update", "delta", "orderbook_update", "book_l2"})
SIDES = {"buy": BUY, "sell": SELL, "unknown": NO_SIDE, "": NO_SIDE}


class Levels(msgspec.Struct):
    """Both sides of a book; numbers or texts."""

    bids: list[list[Raw]] = []
    asks: list[list[Raw]] = []


class Trade(msgspec.Struct):
    """One trade of the REST answer."""

    price: Raw
    quantity: Raw
    timestamp: int = 0
    side: str = ""
    id: str | int | None = None


class Frame(msgspec.Struct):
    """Any frame or answer: what each dialect tells is optional here."""

    type: str = ""
    exchange: str = ""
    symbol: str = ""
    timestamp: int = 0
    seq: int | None = None
    data: Levels | None = None
    bids: list[list[Raw]] | None = None
    asks: list[list[Raw]] | None = None
    trades: list[Trade] | None = None


FRAME: msgspec.json.Decoder[Frame] = msgspec.json.Decoder(Frame)


class HolySheepAdapter(NormalisedAdapter):
    """Reads the relay's frames; *symbols* are those that were asked for, *decimals* those of their numbers.

    Changes before the first snapshot are dropped, and so are frames whose ``seq`` is smaller than the last. A frame
    without a symbol (dialects A and B) is about the one symbol that was asked for.
    """

    def __init__(self, exchange: str, symbols: tuple[str, ...] = (), decimals: int = 8) -> None:
        super().__init__(exchange)
        self.asked = symbols
        self.decimals = decimals
        self._known: dict[str, str] = {}

    def symbol_of(self, told: str) -> str:
        """Return the symbol as it was asked for, whichever way the relay spells it."""
        if not told:
            followed = self.asked or tuple(self.subscribed)
            if len(followed) != 1:
                raise BadFrame("symbol", f"holysheep: a frame without a symbol came, {len(followed)} are followed")
            return followed[0]
        found = self._known.get(told)
        if found is None:
            if len(self._known) > self.book_limit:
                self._known.clear()
            plain = told.replace("-", "")
            same = (one for one in (*self.asked, *self.subscribed) if one.replace("-", "") == plain)
            found = self._known[told] = next(same, plain)
        return found

    def on_message(self, raw: bytes | memoryview, source: Source, url: str | None, receive_ns: int, sink: Sink) -> None:
        self.counters.messages += 1
        if len(raw) > self.frame_limit[source]:
            self.bad_frame("size", f"holysheep: a frame of {len(raw)} bytes is larger than {self.frame_limit[source]}")
            return
        symbol = ""
        try:
            frame = FRAME.decode(raw)
            if frame.exchange and frame.exchange != self.exchange:
                raise BadFrame(
                    "market", f"holysheep: a frame of {frame.exchange[:40]!r} came, expected {self.exchange}"
                )
            symbol = self.symbol_of(frame.symbol)
            self.written(frame, symbol, receive_ns, sink)
            self._bad_run = 0
        except msgspec.ValidationError as error:
            self._refuse("shape", f"holysheep: {error}", symbol, receive_ns, sink)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            self._refuse("json", f"holysheep: should be JSON ({error})", symbol, receive_ns, sink)
        except BadFrame as error:
            self._refuse(error.reason, str(error), symbol, receive_ns, sink)
        except InputError as error:
            self._refuse("number", str(error), symbol, receive_ns, sink)

    def _refuse(self, reason: Any, sentence: str, symbol: str, receive_ns: int, sink: Sink) -> None:
        sink.abandon()
        self.bad_frame(reason, sentence)
        if not symbol and len(self.asked) == 1:
            symbol = self.asked[0]  # on a socket of one symbol every frame is about its book
        book = self.books.get(symbol)
        if book is not None and book.state is BookState.SYNCHRONISED:
            self.lose(book, 0, receive_ns, sink)
            self.request(book, receive_ns)

    def written(self, frame: Frame, symbol: str, receive_ns: int, sink: Sink) -> None:
        """Write one decoded frame."""
        if frame.trades is not None:
            for trade in frame.trades:
                self._trade(trade, symbol, receive_ns, sink)
            return
        is_image = frame.type in SNAPSHOTS or (not frame.type and frame.bids is not None)
        if not is_image and frame.type not in DELTAS:
            self.counters.ignore(frame.type or "empty")
            return
        levels = frame.data or Levels(frame.bids or [], frame.asks or [])
        book = self.book(symbol)
        if book is None:
            return
        book.messages += 1
        if frame.seq is not None:
            if frame.seq < book.last_id and not is_image:
                self.counters.stale_dropped += 1
                return
            book.last_id = frame.seq
        if not is_image and book.state is not BookState.SYNCHRONISED:
            self.counters.buffer_dropped += 1
            self.request(book, receive_ns)
            return
        if sink.begin(symbol, frame.timestamp * MILLISECOND, receive_ns, 0, frame.seq or 0):
            self._levels_of(levels, book, is_image, sink)

    def _levels_of(self, levels: Levels, book: FeedBook, is_image: bool, sink: Sink) -> None:
        is_back = is_image and book.state is BookState.STALE
        if is_back:
            sink.resync()
        if is_image:
            sink.snapshot()
        for side, write in ((levels.bids, sink.bid), (levels.asks, sink.offer)):
            for level in side:
                if len(level) < 2:
                    raise BadFrame("shape", f"{book.symbol}: a level should be [price, quantity]")
                write(text(level[0]), text(level[1]))
        sink.end()
        if not is_image:
            self.counters.updates += 1
            return
        self.counters.snapshots += 1
        self.counters.resyncs += is_back
        book.resyncs += is_back
        book.state = BookState.SYNCHRONISED
        book.was_good = True
        book.is_wanted = False
        self.answered(book)

    def _trade(self, trade: Trade, symbol: str, receive_ns: int, sink: Sink) -> None:
        side = SIDES.get(trade.side.lower())
        if side is None:
            raise BadFrame("shape", f"{symbol}: side should be buy or sell, was {trade.side[:20]!r}")
        id, name = print_id(trade.id)
        if sink.begin(symbol, trade.timestamp * MILLISECOND, receive_ns, 0, id):
            sink.trade(side, text(trade.price), text(trade.quantity), id, name=name)
            sink.end()
            self.counters.trades += 1

    def instruments(self, body: bytes) -> list[Instrument]:
        """Return the instruments asked for; the relay tells nothing of them but that the key is good."""
        return from_symbols(self.asked, self.guess_instrument, self.decimals)
