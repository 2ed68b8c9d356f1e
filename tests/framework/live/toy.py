"""A venue of our own for tests of the live runtime: small JSON frames, ids that follow one another."""

from __future__ import annotations

import random
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec

from quotewright.errors import InputError
from quotewright.feed import BadFrame, BookState, FeedAdapter, FeedBook, Stream
from quotewright.live.feed_session import FeedSession
from quotewright.live.settings import LiveSettings
from quotewright.live.source import LiveNotes, LiveSource, sink_of
from quotewright.model.instrument import Instrument
from quotewright.plugin.settings import configured
from quotewright.wire import (
    Acknowledged,
    Closing,
    KeepAlive,
    Pong,
    Refused,
    Request,
    Respond,
    Told,
    Wire,
    WireLimits,
)

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND


def instrument(symbol: str) -> Instrument:
    base = symbol.removesuffix("USDT")
    return Instrument(
        name=f"{base}-USDT.spot@toy",
        symbol=symbol,
        venue="toy",
        base=base,
        quote="USDT",
        price_decimals=2,
        size_decimals=3,
    )


class ToyAdapter(FeedAdapter):
    """Books by ``{"s","u","b","a"}`` where ``u`` counts up by one, snapshots by ``"full":true``, trades by ``"p"``."""

    name = "toy"

    def __init__(self, recovers_by: str = "subscription", channels: Sequence[str] = ("book",)) -> None:
        super().__init__()
        self.recovers_by = recovers_by  # type: ignore[misc]
        self.channels = channels

    def streams(self) -> list[Stream]:
        return [
            Stream(f"{channel}.{symbol}", symbol, channel)  # type: ignore[arg-type]
            for channel in self.channels
            for symbol in self.subscribed
        ]

    def on_message(self, raw, source, url, receive_ns, sink) -> None:
        self.counters.messages += 1
        try:
            frame = msgspec.json.decode(bytes(raw))
            if "instruments" in frame:
                self.counters.ignore("instruments")
                return
            symbol = frame["s"]
            book = self.book(symbol)
        except (msgspec.MsgspecError, KeyError, TypeError, BadFrame) as error:
            self.bad_frame("shape", f"toy: {error}")
            return
        if book is None:
            return
        if "p" in frame:
            if sink.begin(symbol, frame.get("t", 0), receive_ns, 0, frame["u"]):
                sink.trade(1, frame["p"], frame["q"], frame["u"])
                sink.end()
            return
        self._on_book(book, frame, receive_ns, sink)

    def _on_book(self, book: FeedBook, frame: dict[str, Any], receive_ns: int, sink) -> None:
        book.messages += 1
        number = frame["u"]
        if frame.get("full"):
            if book.state is BookState.SYNCHRONISED and number < book.last_id:
                self.counters.stale_dropped += 1
                return
            self.answered(book)
            self.counters.snapshots += 1
            if book.was_good and book.state is not BookState.SYNCHRONISED:
                self.counters.resyncs += 1
                book.resyncs += 1
        elif book.state is not BookState.SYNCHRONISED:
            self.request(book, receive_ns)
            return
        elif number <= book.last_id:
            self.counters.stale_dropped += 1
            return
        elif number != book.last_id + 1:
            self.lose(book, 0, receive_ns, sink, number)
            self.request(book, receive_ns)
            return
        if sink.begin(book.symbol, frame.get("t", 0), receive_ns, 0, number):
            if frame.get("full"):
                if book.was_good and book.state is not BookState.SYNCHRONISED:
                    sink.resync()
                sink.snapshot()
            sink.bids(msgspec.json.encode(frame.get("b", [])))
            sink.offers(msgspec.json.encode(frame.get("a", [])))
            sink.end()
        book.last_id = number
        book.state = BookState.SYNCHRONISED
        book.was_good = True
        book.is_wanted = False

    def wire(self) -> ToyWire:
        return ToyWire(self.live or LiveSettings())

    def instruments(self, body: bytes) -> list[Instrument]:
        try:
            return [instrument(symbol) for symbol in msgspec.json.decode(body)["instruments"]]
        except (msgspec.MsgspecError, KeyError, TypeError) as error:
            raise InputError(f"toy: no instruments: {error}") from error

    @classmethod
    def detect_market(cls, raw, url=None):
        return "" if b'"u":' in bytes(raw) else None

    def guess_instrument(self, symbol: str) -> dict[str, Any]:
        found = instrument(symbol)
        return {"name": found.name, "symbol": symbol, "venue": "toy", "base": found.base, "quote": "USDT"}


class ToyWire(Wire):
    """Control frames have the key ``op``; data have ``s``."""

    venue = "toy"

    def __init__(self, settings: LiveSettings | None = None, **changed: Any) -> None:
        settings = settings or LiveSettings()
        self.websocket = settings.websocket or "wss://toy.example"
        self.rest = settings.rest or "https://toy.example"
        self.limits = WireLimits()
        self.keep_alive = KeepAlive(silence_ns=60 * SECOND)
        for name, value in changed.items():
            setattr(self, name, value)

    def address(self, category: str, streams: Sequence[Stream]) -> str:
        return f"{self.websocket}/{category}"

    def subscribe(self, streams: Sequence[Stream], request: int) -> list[bytes]:
        return [msgspec.json.encode({"op": "subscribe", "id": request, "args": [one.name for one in streams]})]

    def unsubscribe(self, streams: Sequence[Stream], request: int) -> list[bytes]:
        return [msgspec.json.encode({"op": "unsubscribe", "id": request, "args": [one.name for one in streams]})]

    def control(self, frame: bytes):
        if not frame.startswith(b'{"op":'):
            return None
        told = msgspec.json.decode(frame)
        kinds = {
            "ok": lambda: Acknowledged(tuple(told.get("args", ())), told.get("id", -1)),
            "no": lambda: Refused(
                tuple(told.get("args", ())), told.get("id", -1), "7", told.get("text", ""), told.get("final", True)
            ),
            "pong": Pong,
            "ping": lambda: Respond((b'{"op":"pong"}',)),
            "closing": lambda: Closing("going down"),
            "error": lambda: Told("9", told.get("text", ""), told.get("final", False)),
        }
        return kinds[told["op"]]()

    def stream_of(self, frame: bytes) -> str:
        try:
            told = msgspec.json.decode(frame, type=dict[str, Any])
        except msgspec.MsgspecError:
            return ""
        return f"{'trades' if 'p' in told else 'book'}.{told.get('s', '')}"

    def instrument_requests(self) -> list[Request]:
        return [Request(f"{self.rest}/instruments")]

    def snapshot_request(self, symbol: str) -> Request | None:
        return Request(f"{self.rest}/depth?symbol={symbol}", weight=5)


class Book:
    """The server's book of one symbol: updates one by one."""

    def __init__(self, symbol: str, seed: int = 1) -> None:
        self.symbol = symbol
        self.chance = random.Random(seed)
        self.number = 100
        self.bids = {9000 - step: 10 + step for step in range(1, 20)}
        self.offers = {9000 + step: 10 + step for step in range(1, 20)}

    def full(self) -> bytes:
        return self._frame(self.bids, self.offers, {"full": True})

    def update(self) -> bytes:
        self.number += 1
        side = self.bids if self.chance.random() < 0.5 else self.offers
        price = self.chance.choice(sorted(side))
        side[price] = self.chance.randint(1, 1000)
        changed = {price: side[price]}
        return self._frame(changed if side is self.bids else {}, changed if side is self.offers else {}, {})

    def trade(self) -> bytes:
        return msgspec.json.encode({"s": self.symbol, "u": self.number, "p": "90.00", "q": "0.001"})

    def _frame(self, bids: dict[int, int], offers: dict[int, int], more: dict[str, Any]) -> bytes:
        def levels(side: dict[int, int]) -> list[list[str]]:
            return [[f"{Decimal(p).scaleb(-2)}", f"{Decimal(q).scaleb(-3)}"] for p, q in side.items()]

        return msgspec.json.encode({"s": self.symbol, "u": self.number, "b": levels(bids), "a": levels(offers)} | more)


def session_of(
    adapter: FeedAdapter, wire: Wire, settings: LiveSettings | None = None, seed: int = 1, recorder=None, tiers=()
) -> tuple[FeedSession, LiveSource]:
    """A session over what *adapter* has subscribed to, with its rows."""
    source = LiveSource()
    instruments = [instrument(symbol) for symbol in sorted(adapter.subscribed)]
    sink = sink_of(source, instruments)
    session = FeedSession(
        adapter,
        wire,
        settings or LiveSettings(),
        sink,
        LiveNotes(sink),
        random.Random(seed),
        instruments,
        recorder,
        tiers,
    )
    return session, source


@configured
class ToyKeys(LiveSettings):
    """Config keys of ``[feeds.X]`` with this adapter."""


class _ToyFactory:
    config_model = ToyKeys

    def __call__(self, settings: ToyKeys) -> ToyAdapter:
        adapter = ToyAdapter(channels=("book", "trades"))
        adapter.live = settings
        return adapter


toy_feed = _ToyFactory()
