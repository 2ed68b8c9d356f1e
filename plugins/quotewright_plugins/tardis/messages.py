"""Tardis-normalised messages, taken apart with their numbers as text."""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b

import msgspec

from quotewright.errors import InputError
from quotewright.fetching.times import time_ns

NOTHING = msgspec.Raw(b"")
Number = msgspec.Raw


class Level(msgspec.Struct):
    """One level; a book snapshot of a thin book pads with empty ones."""

    price: Number = NOTHING
    amount: Number = NOTHING


class _Message(msgspec.Struct, tag_field="type", kw_only=True):
    exchange: str = ""
    symbol: str = ""
    timestamp: str = ""
    localTimestamp: str = ""


class Trade(_Message, tag="trade"):
    price: Number
    amount: Number
    side: str = "unknown"
    id: str | int | None = None


class Liquidation(Trade, tag="liquidation"):
    pass


class BookChange(_Message, tag="book_change"):
    isSnapshot: bool
    bids: list[Level]
    asks: list[Level]


class BookSnapshot(_Message, tag="book_snapshot"):
    bids: list[Level]
    asks: list[Level]
    name: str = ""
    depth: int = 0


class BookTicker(_Message, tag="book_ticker"):
    bidPrice: Number = NOTHING
    bidAmount: Number = NOTHING
    askPrice: Number = NOTHING
    askAmount: Number = NOTHING


class DerivativeTicker(_Message, tag="derivative_ticker"):
    lastPrice: Number = NOTHING
    openInterest: Number = NOTHING
    fundingRate: Number = NOTHING
    fundingTimestamp: str | None = None
    predictedFundingRate: Number = NOTHING
    indexPrice: Number = NOTHING
    markPrice: Number = NOTHING


class OptionSummaryMessage(_Message, tag="option_summary"):
    optionType: str = ""
    strikePrice: Number = NOTHING
    expirationDate: str | None = None
    bestBidPrice: Number = NOTHING
    bestBidAmount: Number = NOTHING
    bestBidIV: Number = NOTHING
    bestAskPrice: Number = NOTHING
    bestAskAmount: Number = NOTHING
    bestAskIV: Number = NOTHING
    lastPrice: Number = NOTHING
    openInterest: Number = NOTHING
    markPrice: Number = NOTHING
    markIV: Number = NOTHING
    delta: Number = NOTHING
    gamma: Number = NOTHING
    vega: Number = NOTHING
    theta: Number = NOTHING
    rho: Number = NOTHING
    underlyingPrice: Number = NOTHING
    underlyingIndex: str | None = None


class TradeBar(_Message, tag="trade_bar"):
    name: str = ""


class Disconnect(_Message, tag="disconnect"):
    symbols: list[str] | None = None


class ErrorMessage(_Message, tag="error"):
    details: str = ""


Message = (
    Trade
    | Liquidation
    | BookChange
    | BookSnapshot
    | BookTicker
    | DerivativeTicker
    | OptionSummaryMessage
    | TradeBar
    | Disconnect
    | ErrorMessage
)


class Head(msgspec.Struct):
    """What is looked at first where a message is of no known type."""

    type: str
    exchange: str = ""
    localTimestamp: str = ""


STRUCTS = (
    *(Trade, Liquidation, BookChange, BookSnapshot, BookTicker, DerivativeTicker, OptionSummaryMessage),
    *(TradeBar, Disconnect, ErrorMessage),
)
TYPES = frozenset(str(struct.__struct_config__.tag) for struct in STRUCTS)
DECODER: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Message)
HEAD: msgspec.json.Decoder[Head] = msgspec.json.Decoder(Head)


def text(number: Number | None) -> str:
    """Return the text of a JSON number, or of a string that holds one; empty for null and for a missing one."""
    if number is None:
        return ""
    found = bytes(number).strip().decode("utf-8", "replace")
    if found[:1] == '"':
        return found.strip('"')
    return "" if found == "null" else found


@lru_cache(maxsize=512)
def _minute_ns(text: str) -> int:
    return time_ns(text + "Z")


def stamp_ns(text: str) -> int:
    """Return an ISO time in ns, 0 for an empty one."""
    if not text:
        return 0
    if len(text) >= 20 and text[16] == ":" and text[-1] == "Z":
        seconds, _, fraction = text[17:-1].partition(".")
        if seconds.isdigit() and len(seconds) == 2 and seconds < "60" and len(fraction) <= 9:
            if not fraction:
                return _minute_ns(text[:16]) + int(seconds) * 1_000_000_000
            if fraction.isdigit() and fraction.isascii():
                return _minute_ns(text[:16]) + int(seconds) * 1_000_000_000 + int(fraction.ljust(9, "0"))
    return time_ns(text)


def print_id(id: str | int | None, other: int = 0) -> tuple[int, str]:
    """Return the id of a trade as a number of 63 bits and, where it is none, its text; *other* where it has none."""
    if id is None or id == "":
        return other, ""
    word = str(id)
    if word.isascii() and word.isdigit() and len(word) < 19 and (word[0] != "0" or word == "0"):
        return int(word), ""
    return int.from_bytes(blake2b(word.encode(), digest_size=8).digest(), "big") >> 1, word


def decode(raw: bytes | memoryview) -> Message | Head:
    """Return the message in *raw*, or only its head if it is of an unknown type.

    Raises:
        InputError: it is not JSON, or not of the shape of its type; the message says which.
    """
    try:
        return DECODER.decode(raw)
    except msgspec.ValidationError as error:
        try:
            head = HEAD.decode(raw)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
            raise InputError(f"a message should be a JSON object with its type, {error}") from None
        if head.type in TYPES:
            raise InputError(f"{head.type}: {error}") from None
        return head
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise InputError(f"should be JSON ({error}), was {bytes(raw[:40])!r}") from None
