"""The shapes of OKX market data, as msgspec structs; level arrays stay raw text for the sink's scanner.

Source: OKX v5 API documentation, third quarter of 2026. Numbers come as strings; an empty one says that there is none.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from quotewright.feed import BadFrame
from quotewright.kernel.layouts import UpdateLayout

MILLISECOND = 1_000_000
NO_SEQ = -2
"""No sequence number was sent: recordings of 2021 and 2022 have none."""
EMPTY = msgspec.Raw(b"[]")

Stamp = Annotated[str, msgspec.Meta(pattern=r"^(?:[0-9]{1,12}|[0-8][0-9]{12}|9[01][0-9]{11})\Z")]
"""Milliseconds as OKX writes them, in quotes; those past the year 2261 do not fit into nanoseconds."""
Id = Annotated[int, msgspec.Meta(ge=NO_SEQ, le=(1 << 63) - 1)]
Count = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{0,9}\Z")]


def stamp_ns(text: str, field: str) -> int:
    """Return the nanoseconds of a time in milliseconds; 0 for an empty text."""
    if not text:
        return 0
    if not (text.isascii() and text.isdigit() and len(text) <= 13 and int(text) <= 9_200_000_000_000):
        raise BadFrame("number", f"{field} should be a time in milliseconds, was {text[:40]!r}")
    return int(text) * MILLISECOND


class Arg(msgspec.Struct, gc=False):
    """What a frame is about. Index tickers carry a pair as instId; summaries of options an underlying."""

    channel: str
    instId: str = ""
    instType: str = ""
    uly: str = ""
    instFamily: str = ""


class Head(msgspec.Struct, gc=False):
    """What tells one frame from another."""

    arg: Arg | None = None
    event: str = ""
    data: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    code: str = ""
    msg: str = ""
    op: str = ""


LAYOUT = UpdateLayout(
    b'{"arg":{"channel":"books',
    10,
    2,
    [
        ("action=update", 1, "word"),
        ("data", 1, "open_one"),
        ("asks", 2, "offers"),
        ("bids", 2, "bids"),
        ("ts", 2, "quoted event"),
        ("checksum", 2, "zero"),
        ("prevSeqId", 2, "previous"),
        ("seqId", 2, "last"),
    ],
    "links",
    ["word", "bids", "offers", "event", "previous", "last"],
    latest=9_199_999_999_999,
)
"""How the changes of a book without a checksum are written."""


class BookRow(msgspec.Struct, gc=False):
    """An image of a book or its changes. ``seqId`` and ``prevSeqId`` are missing before 2022, ``checksum`` is 0 now."""

    asks: msgspec.Raw
    bids: msgspec.Raw
    ts: Stamp
    checksum: int = 0
    seqId: Id = NO_SEQ
    prevSeqId: Id = NO_SEQ
    instId: str = ""


class Book(msgspec.Struct, gc=False):
    arg: Arg
    data: list[BookRow]
    action: str = ""


class Trade(msgspec.Struct, gc=False):
    """One match, or with ``count`` above 1 several of one taker at one price; the id is then the last one's."""

    instId: str
    tradeId: str
    px: str
    sz: str
    side: str
    ts: Stamp
    count: Count = ""


class Ticker(msgspec.Struct, gc=False):
    instId: str
    ts: Stamp
    last: str = ""
    askPx: str = ""
    askSz: str = ""
    bidPx: str = ""
    bidSz: str = ""
    instType: str = ""


class Funding(msgspec.Struct, gc=False):
    """The rate due at ``fundingTime`` and, where it is told, the estimate of the one after it."""

    instId: str
    fundingRate: str = ""
    fundingTime: str = ""
    nextFundingRate: str = ""
    ts: Stamp = "0"
    instType: str = ""


class Mark(msgspec.Struct, gc=False):
    instId: str
    markPx: str
    ts: Stamp
    instType: str = ""


class Index(msgspec.Struct, gc=False):
    instId: str
    idxPx: str
    ts: Stamp


class Interest(msgspec.Struct, gc=False):
    """Open interest: ``oi`` counts contracts."""

    instId: str
    oi: str
    ts: Stamp
    instType: str = ""


class Summary(msgspec.Struct, gc=False):
    """Greeks and volatilities of one option; ``delta`` and its like are in coin, ``deltaBS`` by Black and Scholes."""

    instId: str
    ts: Stamp
    uly: str = ""
    delta: str = ""
    gamma: str = ""
    vega: str = ""
    theta: str = ""
    markVol: str = ""
    bidVol: str = ""
    askVol: str = ""


class Forced(msgspec.Struct, gc=False):
    """One liquidation order; ``side`` is the order's, ``bkPx`` its bankruptcy price."""

    side: str
    bkPx: str
    sz: str
    ts: Stamp


class Liquidation(msgspec.Struct, gc=False):
    instId: str
    details: list[Forced]


class Listed(msgspec.Struct, gc=False):
    """A changed instrument."""

    instId: str
    state: str = ""
    tickSz: str = ""
    lotSz: str = ""
    uTime: str = ""


class Trades(msgspec.Struct, gc=False):
    data: list[Trade]


class Tickers(msgspec.Struct, gc=False):
    data: list[Ticker]


class Fundings(msgspec.Struct, gc=False):
    data: list[Funding]


class Marks(msgspec.Struct, gc=False):
    data: list[Mark]


class Indexes(msgspec.Struct, gc=False):
    data: list[Index]


class Interests(msgspec.Struct, gc=False):
    data: list[Interest]


class Summaries(msgspec.Struct, gc=False):
    data: list[Summary]


class Liquidations(msgspec.Struct, gc=False):
    data: list[Liquidation]


class ForcedOrders(msgspec.Struct, gc=False):
    data: list[Forced]


class Listings(msgspec.Struct, gc=False):
    data: list[Listed]


class Answer(msgspec.Struct, gc=False):
    """The envelope of every REST answer."""

    code: str
    data: msgspec.Raw = EMPTY
    msg: str = ""


HEAD = msgspec.json.Decoder(Head)
BOOK: msgspec.json.Decoder[Book] = msgspec.json.Decoder(Book)
TRADES: msgspec.json.Decoder[Trades] = msgspec.json.Decoder(Trades)
TICKERS: msgspec.json.Decoder[Tickers] = msgspec.json.Decoder(Tickers)
FUNDINGS: msgspec.json.Decoder[Fundings] = msgspec.json.Decoder(Fundings)
MARKS: msgspec.json.Decoder[Marks] = msgspec.json.Decoder(Marks)
INDEXES: msgspec.json.Decoder[Indexes] = msgspec.json.Decoder(Indexes)
INTERESTS: msgspec.json.Decoder[Interests] = msgspec.json.Decoder(Interests)
SUMMARIES: msgspec.json.Decoder[Summaries] = msgspec.json.Decoder(Summaries)
LIQUIDATIONS: msgspec.json.Decoder[Liquidations] = msgspec.json.Decoder(Liquidations)
FORCED_ORDERS: msgspec.json.Decoder[ForcedOrders] = msgspec.json.Decoder(ForcedOrders)
LISTINGS: msgspec.json.Decoder[Listings] = msgspec.json.Decoder(Listings)
ANSWER = msgspec.json.Decoder(Answer)
BOOK_ROWS: msgspec.json.Decoder[list[BookRow]] = msgspec.json.Decoder(list[BookRow])
LEVELS: msgspec.json.Decoder[list[list[str]]] = msgspec.json.Decoder(list[list[str]])
