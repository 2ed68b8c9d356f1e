"""The shapes of Deribit's market data, as msgspec structs. Numbers are JSON numbers: their text is kept, never a float.

Source: Deribit API v2 as of the middle of 2026, and its shapes of 2019, which lack ``type`` in books.
"""

from __future__ import annotations

import re
from decimal import Decimal
from hashlib import blake2b
from typing import Annotated, Any, Generic, TypeVar

import msgspec

from quotewright.errors import InputError
from quotewright.kernel.layouts import UpdateLayout

MILLISECOND = 1_000_000
MOST_MS = 9_200_000_000_000

Stamp = Annotated[int, msgspec.Meta(ge=0, le=MOST_MS)]
"""Milliseconds."""
Id = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]
Told = msgspec.Raw | msgspec.UnsetType
"""A number as it was written; it may be ``null`` or not be there."""

UNSET = msgspec.UNSET
_NUMBER = re.compile(rb"(-?)(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,3})?")

Data = TypeVar("Data")


class Params(msgspec.Struct, Generic[Data], gc=False):
    channel: str
    data: Data


class Frame(msgspec.Struct, Generic[Data], gc=False):
    """A notification of a channel."""

    params: Params[Data]


LAYOUT = UpdateLayout(
    b'{"jsonrpc":"2.0","method":"subscription","params":{"channel":"book.',
    14,
    2,
    [
        ("data", 2, "open"),
        ("type=change", 3, "word"),
        ("timestamp", 3, "event"),
        ("prev_change_id", 3, "previous"),
        ("instrument_name", 3, "symbol"),
        ("change_id", 3, "last"),
        ("bids", 3, "bids"),
        ("asks", 3, "offers"),
    ],
    "links",
    ["word", "symbol", "event", "last", "previous", "bids", "offers"],
    has_actions=True,
    latest=MOST_MS - 1,
)
"""How the changes of a book are written."""


class BookData(msgspec.Struct, gc=False):
    """``book.…``. ``prev_change_id`` is missing or null on images; levels are ``[word, price, amount]``, or pairs."""

    instrument_name: str
    change_id: Id
    timestamp: Stamp
    bids: msgspec.Raw
    asks: msgspec.Raw
    type: str = ""
    prev_change_id: Id | None = None


class QuoteData(msgspec.Struct, gc=False):
    instrument_name: str
    timestamp: Stamp
    best_bid_price: Told = UNSET
    best_bid_amount: Told = UNSET
    best_ask_price: Told = UNSET
    best_ask_amount: Told = UNSET


class Trade(msgspec.Struct, gc=False):
    """One fill: ``direction`` is the taker's, ``liquidation`` says who was liquidated: M, T or MT."""

    instrument_name: str
    trade_id: str | int
    timestamp: Stamp
    price: msgspec.Raw
    amount: msgspec.Raw
    direction: str = ""
    trade_seq: Id | None = None
    liquidation: str | None = None
    block_trade_id: str | int | None = None
    combo_id: str | int | None = None


class Greeks(msgspec.Struct, gc=False):
    delta: Told = UNSET
    gamma: Told = UNSET
    vega: Told = UNSET
    theta: Told = UNSET
    rho: Told = UNSET


class TickerData(msgspec.Struct, gc=False):
    """``ticker.…`` of every kind of instrument; volatilities are percent."""

    instrument_name: str
    timestamp: Stamp
    state: str = ""
    last_price: Told = UNSET
    mark_price: Told = UNSET
    index_price: Told = UNSET
    open_interest: Told = UNSET
    current_funding: Told = UNSET
    best_bid_price: Told = UNSET
    best_bid_amount: Told = UNSET
    best_ask_price: Told = UNSET
    best_ask_amount: Told = UNSET
    bid_iv: Told = UNSET
    ask_iv: Told = UNSET
    mark_iv: Told = UNSET
    underlying_price: Told = UNSET
    underlying_index: str | None = None
    greeks: Greeks | None = None


class PerpetualData(msgspec.Struct, gc=False):
    timestamp: Stamp
    interest: Told = UNSET
    index_price: Told = UNSET


class IndexData(msgspec.Struct, gc=False):
    index_name: str
    timestamp: Stamp
    price: msgspec.Raw


class MarkData(msgspec.Struct, gc=False):
    """One option of ``markprice.options.…``; here the volatility is a fraction."""

    instrument_name: str
    mark_price: Told = UNSET
    iv: Told = UNSET
    timestamp: Stamp = 0


class StateData(msgspec.Struct, gc=False):
    instrument_name: str
    state: str
    timestamp: Stamp = 0


class PlatformData(msgspec.Struct, gc=False):
    maintenance: bool | None = None
    locked: bool | None = None
    price_index: str = ""


class HeadParams(msgspec.Struct, gc=False, frozen=True):
    channel: str = ""
    type: str = ""


class Failure(msgspec.Struct, gc=False):
    code: int = 0
    message: str = ""
    data: msgspec.Raw | msgspec.UnsetType = UNSET


class Head(msgspec.Struct, gc=False):
    """What tells one frame from another; answers to our own frames carry ``result`` or ``error``."""

    method: str = ""
    params: HeadParams = HeadParams()
    id: int | str | None = None
    result: msgspec.Raw | msgspec.UnsetType = UNSET
    error: Failure | None = None


class BookAnswer(msgspec.Struct, gc=False):
    """What ``public/get_order_book`` answers: levels are pairs."""

    instrument_name: str
    change_id: Id
    timestamp: Stamp
    bids: msgspec.Raw
    asks: msgspec.Raw


class PastTrades(msgspec.Struct, gc=False):
    trades: list[Trade]


HEAD = msgspec.json.Decoder(Head)
BOOK: msgspec.json.Decoder[Frame[BookData]] = msgspec.json.Decoder(Frame[BookData])
QUOTE: msgspec.json.Decoder[Frame[QuoteData]] = msgspec.json.Decoder(Frame[QuoteData])
TRADES: msgspec.json.Decoder[Frame[list[Trade]]] = msgspec.json.Decoder(Frame[list[Trade]])
TICKER: msgspec.json.Decoder[Frame[TickerData]] = msgspec.json.Decoder(Frame[TickerData])
INCREMENT: msgspec.json.Decoder[Frame[dict[str, msgspec.Raw]]] = msgspec.json.Decoder(Frame[dict[str, msgspec.Raw]])
PERPETUAL: msgspec.json.Decoder[Frame[PerpetualData]] = msgspec.json.Decoder(Frame[PerpetualData])
INDEX: msgspec.json.Decoder[Frame[IndexData]] = msgspec.json.Decoder(Frame[IndexData])
MARKS: msgspec.json.Decoder[Frame[list[MarkData]]] = msgspec.json.Decoder(Frame[list[MarkData]])
STATE: msgspec.json.Decoder[Frame[StateData]] = msgspec.json.Decoder(Frame[StateData])
PLATFORM: msgspec.json.Decoder[Frame[PlatformData]] = msgspec.json.Decoder(Frame[PlatformData])
TICKER_DATA = msgspec.json.Decoder(TickerData)
BOOK_ANSWER = msgspec.json.Decoder(BookAnswer)
PAST_TRADES = msgspec.json.Decoder(PastTrades)
NAME = msgspec.json.Decoder(str)
KEYS: msgspec.json.Decoder[dict[str, msgspec.Raw]] = msgspec.json.Decoder(dict[str, msgspec.Raw])


def number(raw: msgspec.Raw, what: str, is_signed: bool = False) -> str:
    """Return the text of a JSON number; InputError naming *what* if it is another thing, or negative unasked."""
    text = bytes(raw)
    matched = _NUMBER.fullmatch(text) if len(text) <= 64 else None
    if matched is None or (matched[1] and not is_signed and not is_zero(text.decode())):
        kind = "a number" if is_signed else "a number of at least 0"
        raise InputError(f"{what} should be {kind}, was {text[:40]!r}")
    return text.decode() if is_signed else text.decode().removeprefix("-")


def told(raw: Told, what: str, is_signed: bool = False) -> str:
    """Return the text of a number; empty if it is null or not there."""
    if isinstance(raw, msgspec.UnsetType) or bytes(raw) == b"null":
        return ""
    return number(raw, what, is_signed)


def is_zero(text: str) -> bool:
    """Return whether a number's digits before any exponent are zeros alone."""
    return not text.lower().partition("e")[0].strip("-0.")


def percent(text: str) -> str:
    """Return a hundredth of the number *text*, exactly."""
    return f"{Decimal(text).scaleb(-2):f}" if text else ""


def trade_id(text: str | int) -> tuple[int, str]:
    """Return a whole number for the id *text*, and the text itself where it is no such number (``ETH-123``)."""
    text = str(text)
    if text.isascii() and text.isdigit() and len(text) <= 18 + (text < "9223372036854775808"):
        found = int(text)
        if str(found) == text:
            return found, ""
    return int.from_bytes(blake2b(text.encode("utf-8", "replace"), digest_size=8).digest(), "big") >> 1, text


def joined(keys: dict[str, msgspec.Raw]) -> bytes:
    """Return the object of *keys* as JSON again."""
    return b"{" + b",".join(msgspec.json.encode(key) + b":" + bytes(raw) for key, raw in keys.items()) + b"}"


def merged(before: dict[str, msgspec.Raw], change: dict[str, msgspec.Raw]) -> dict[str, Any]:
    """Return *before* with *change* laid over it; of nested objects only what is named changes."""
    found = {**before, **change}
    for key in ("greeks", "stats"):
        if key in change and key in before and bytes(change[key])[:1] == bytes(before[key])[:1] == b"{":
            found[key] = msgspec.Raw(joined({**KEYS.decode(before[key]), **KEYS.decode(change[key])}))
    return found
