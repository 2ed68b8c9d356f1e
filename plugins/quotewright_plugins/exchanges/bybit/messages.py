"""The shapes of Bybit's market data, as msgspec structs; level arrays stay raw text for the sink's scanner.

Source: Bybit v5 API documentation of the third quarter of 2026. Shapes of the APIs before v5 are in :mod:`.legacy`.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Annotated, Any

import msgspec

from quotewright.errors import InputError
from quotewright.kernel.layouts import UpdateLayout

MILLISECOND = 1_000_000
MOST_MS = 9_200_000_000_000

Stamp = Annotated[int, msgspec.Meta(ge=0, le=MOST_MS)]
"""Milliseconds."""
Id = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]

_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,3})?")


LAYOUT = UpdateLayout(
    b'{"topic":"orderbook.',
    4,
    1,
    [
        ("type=delta", 1, "word"),
        ("ts", 1, "sent"),
        ("data", 1, "open"),
        ("s", 2, "symbol"),
        ("b", 2, "bids"),
        ("a", 2, "offers"),
        ("u", 2, "last"),
        ("seq", 2, "sequence"),
        ("cts", 1, "event"),
    ],
    "counts",
    ["word", "sent", "symbol", "last", "bids", "offers"],
    latest=MOST_MS - 1,
)
"""How the changes of a book are written; options put an id first and are left to the decoder."""


class BookData(msgspec.Struct, gc=False):
    """``u`` counts the messages of one topic, ``seq`` orders all depths of a symbol."""

    s: str
    b: msgspec.Raw
    a: msgspec.Raw
    u: Id
    seq: Id = 0


class Book(msgspec.Struct, gc=False):
    """``orderbook.{depth}``. ``cts`` is the time of matching, ``ts`` that of sending."""

    topic: str
    type: str
    ts: Stamp
    data: BookData
    cts: Stamp = 0


class BestData(msgspec.Struct, gc=False):
    s: str
    b: list[tuple[str, str]]
    a: list[tuple[str, str]]
    u: Id
    seq: Id = 0


class Best(msgspec.Struct, gc=False):
    """``orderbook.1``: the best level of each side."""

    topic: str
    type: str
    ts: Stamp
    data: BestData
    cts: Stamp = 0


class Trade(msgspec.Struct, gc=False):
    """One fill; ``S`` is the taker's side, ``BT`` says block trade, ``RPI`` that a hidden retail quote was taken."""

    T: Stamp
    s: str
    p: str
    v: str
    i: str
    S: str = ""
    BT: bool = False
    RPI: bool = False


class Trades(msgspec.Struct, gc=False):
    topic: str
    data: list[Trade]
    ts: Stamp = 0


class TickerData(msgspec.Struct, gc=False):
    """A delta names only what changed; an empty text says that there is no such value."""

    symbol: str
    lastPrice: str = ""
    markPrice: str = ""
    indexPrice: str = ""
    openInterest: str = ""
    fundingRate: str = ""
    nextFundingTime: str = ""


class Ticker(msgspec.Struct, gc=False):
    topic: str
    ts: Stamp
    data: TickerData


class OptionData(msgspec.Struct, gc=False):
    """An option's ticker; the REST answer calls the best quotes ``bid1…`` and the volatility ``markIv``."""

    symbol: str
    bidPrice: str = ""
    bidSize: str = ""
    bidIv: str = ""
    askPrice: str = ""
    askSize: str = ""
    askIv: str = ""
    bid1Price: str = ""
    bid1Size: str = ""
    bid1Iv: str = ""
    ask1Price: str = ""
    ask1Size: str = ""
    ask1Iv: str = ""
    lastPrice: str = ""
    openInterest: str = ""
    markPrice: str = ""
    markPriceIv: str = ""
    markIv: str = ""
    delta: str = ""
    gamma: str = ""
    vega: str = ""
    theta: str = ""
    underlyingPrice: str = ""


class OptionTicker(msgspec.Struct, gc=False):
    topic: str
    ts: Stamp
    data: OptionData


class ForcedOrder(msgspec.Struct, gc=False):
    """``S`` is the side of the position that was liquidated."""

    T: Stamp
    s: str
    S: str
    v: str
    p: str


class ForcedOrders(msgspec.Struct, gc=False):
    topic: str
    data: list[ForcedOrder]


class Head(msgspec.Struct, gc=False):
    """What tells one frame from another; ``op`` and ``success`` come on answers to our own frames."""

    topic: str = ""
    type: str = ""
    data: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    op: str = ""
    success: bool | None = None
    ret_msg: str = ""
    retCode: int | None = None
    retMsg: str = ""
    code: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    event: str = ""


class Answer(msgspec.Struct, gc=False):
    """The envelope of every REST answer; HTTP says 200 for errors too."""

    retCode: int
    retMsg: str = ""
    result: msgspec.Raw = msgspec.Raw(b"{}")
    time: Stamp = 0


class BookAnswer(msgspec.Struct, gc=False):
    s: str
    b: msgspec.Raw
    a: msgspec.Raw
    u: Id
    ts: Stamp = 0
    seq: Id = 0
    cts: Stamp = 0


class PastTrade(msgspec.Struct, gc=False):
    execId: str
    symbol: str
    price: str
    size: str
    time: str
    side: str = ""
    isBlockTrade: bool = False
    isRPITrade: bool = False


class PastTrades(msgspec.Struct, gc=False):
    rows: list[PastTrade] = msgspec.field(name="list")


class Tickers(msgspec.Struct, gc=False):
    rows: list[TickerData] = msgspec.field(name="list")


class OptionTickers(msgspec.Struct, gc=False):
    rows: list[OptionData] = msgspec.field(name="list")


class OpenInterest(msgspec.Struct, gc=False):
    openInterest: str
    timestamp: str


class OpenInterests(msgspec.Struct, gc=False):
    symbol: str
    rows: list[OpenInterest] = msgspec.field(name="list")


HEAD = msgspec.json.Decoder(Head)
ANSWER = msgspec.json.Decoder(Answer)
BOOK_ANSWER = msgspec.json.Decoder(BookAnswer)
PAST_TRADES = msgspec.json.Decoder(PastTrades)
TICKERS = msgspec.json.Decoder(Tickers)
OPTION_TICKERS = msgspec.json.Decoder(OptionTickers)
OPEN_INTERESTS = msgspec.json.Decoder(OpenInterests)
KEYS: msgspec.json.Decoder[dict[str, msgspec.Raw]] = msgspec.json.Decoder(dict[str, msgspec.Raw])
DECODERS: dict[str, msgspec.json.Decoder[Any]] = {
    "book": msgspec.json.Decoder(Book),
    "best": msgspec.json.Decoder(Best),
    "trades": msgspec.json.Decoder(Trades),
    "ticker": msgspec.json.Decoder(Ticker),
    "option": msgspec.json.Decoder(OptionTicker),
    "forced": msgspec.json.Decoder(ForcedOrders),
}
"""Decoders of whole frames by what their topic carries."""


def check(text: str, what: str) -> str:
    """Return *text* if it is a number without sign; what is written row by row is checked before the first row."""
    if len(text) > 64 or _NUMBER.fullmatch(text) is None:
        raise InputError(f"{what} should be a decimal number, was {text[:40]!r}")
    return text


def is_zero(text: str) -> bool:
    """Return whether *text* is written with zeros and a point alone."""
    return not text.strip("0.") and "0" in text


def milliseconds(text: str, what: str) -> int:
    """Return the time in *text* (milliseconds, or a date as ISO 8601 writes it) in milliseconds; 0 if it is empty."""
    if not text:
        return 0
    if text.isascii() and text.isdigit() and len(text) <= 16:
        stamp = int(text)
    else:
        try:
            moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
        except ValueError:
            raise InputError(f"{what} should be a time in milliseconds, was {text[:40]!r}") from None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        stamp = int(moment.timestamp() * 1000)
    if not 0 <= stamp <= MOST_MS:
        raise InputError(f"{what} should be a time in milliseconds, was {text[:40]!r}")
    return stamp


def trade_id(text: str) -> tuple[int, str]:
    """Return a whole number for the id *text*, and the text itself where it is no such number."""
    if text.isascii() and text.isdigit() and len(text) <= 18 + (text < "9223372036854775808"):
        number = int(text)
        if str(number) == text:
            return number, ""
    return int.from_bytes(blake2b(text.encode("utf-8", "replace"), digest_size=8).digest(), "big") >> 1, text
