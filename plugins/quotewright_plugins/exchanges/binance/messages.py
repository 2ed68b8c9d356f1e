"""The shapes of Binance market data, as msgspec structs; level arrays stay raw text for the sink's scanner.

Source: Binance API documentation of the third quarter of 2026 (spot ``/api/v3``, USD-M ``/fapi``, COIN-M ``/dapi``).
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

Stamp = Annotated[int, msgspec.Meta(ge=0, le=9_200_000_000_000_000)]
"""Milliseconds, or microseconds where the connection asked for them."""
Id = Annotated[int, msgspec.Meta(ge=-1, le=(1 << 63) - 1)]

NO_ID = -1


def nanoseconds(stamp: int) -> int:
    """Return nanoseconds for *stamp*, which is in milliseconds below 9.2e12 (the year 2261), else in microseconds."""
    return stamp * 1_000_000 if stamp < 9_200_000_000_000 else stamp * 1_000


class Depth(msgspec.Struct, gc=False, tag_field="e", tag="depthUpdate"):
    """Diff of a book. ``pu`` and ``T`` are sent by futures only."""

    s: str
    U: Id
    u: Id
    b: msgspec.Raw
    a: msgspec.Raw
    E: Stamp
    T: Stamp = 0
    pu: Id = NO_ID


class Trade(msgspec.Struct, gc=False, tag_field="e", tag="trade"):
    """One fill. ``m`` tells whether the buyer was the maker; ``X`` and ``M`` are sent by futures and spot only."""

    s: str
    t: Id
    p: str
    q: str
    E: Stamp
    T: Stamp = 0
    m: bool | None = None
    X: str = ""
    M: bool | None = None


class AggTrade(msgspec.Struct, gc=False, tag_field="e", tag="aggTrade"):
    """Fills of one taker at one price; ``f`` and ``l`` are the first and last trade id in it."""

    s: str
    a: Id
    p: str
    q: str
    E: Stamp
    T: Stamp = 0
    f: Id = NO_ID
    l: Id = NO_ID  # noqa: E741  (the venue's key)
    m: bool | None = None


class BestQuote(msgspec.Struct, gc=False):
    """bookTicker. Spot sends neither ``e`` nor a time."""

    s: str
    u: Id
    b: str
    B: str
    a: str
    A: str
    E: Stamp = 0
    T: Stamp = 0


class MarkPrice(msgspec.Struct, gc=False, tag_field="e", tag="markPriceUpdate"):
    """Mark, index and funding; ``T`` is the next funding time, ``r`` is empty for dated futures."""

    s: str
    p: str
    E: Stamp
    i: str = ""
    r: str = ""
    T: Stamp = 0


class LiquidationOrder(msgspec.Struct, gc=False):
    s: str
    S: str
    p: str
    q: str
    z: str = ""
    X: str = ""
    T: Stamp = 0


class ForceOrder(msgspec.Struct, gc=False, tag_field="e", tag="forceOrder"):
    """A liquidation order; ``S`` SELL means that a long was liquidated."""

    o: LiquidationOrder
    E: Stamp


class Snapshot(msgspec.Struct, gc=False):
    """REST answer of ``/depth``. Spot sends no time and nobody but COIN-M the symbol."""

    lastUpdateId: Id
    bids: msgspec.Raw
    asks: msgspec.Raw
    E: Stamp = 0
    T: Stamp = 0
    symbol: str = ""


class OpenInterest(msgspec.Struct):
    """REST answer of ``/openInterest``."""

    symbol: str
    openInterest: str
    time: Stamp = 0


class PremiumIndex(msgspec.Struct):
    """REST answer of ``/premiumIndex`` for one symbol."""

    symbol: str
    markPrice: str
    indexPrice: str = ""
    lastFundingRate: str = ""
    nextFundingTime: Stamp = 0
    time: Stamp = 0


class CombinedDepth(msgspec.Struct, gc=False):
    data: Depth


class CombinedTrade(msgspec.Struct, gc=False):
    data: Trade


class CombinedAggTrade(msgspec.Struct, gc=False):
    data: AggTrade


class CombinedBestQuote(msgspec.Struct, gc=False):
    data: BestQuote


class CombinedMarkPrice(msgspec.Struct, gc=False):
    data: MarkPrice


class CombinedForceOrder(msgspec.Struct, gc=False):
    data: ForceOrder


class Head(msgspec.Struct, gc=False):
    """What tells one frame from another: the envelope's keys, the event's name, and keys of frames without a name.

    ``stream`` and ``data`` come on combined streams; ``result``, ``error``, ``code`` answer control frames.
    """

    stream: str = ""
    data: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    e: str = ""
    lastUpdateId: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    u: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    B: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    result: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    error: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    code: int | None = None
    msg: str = ""


COMBINED: dict[str, msgspec.json.Decoder[Any]] = {
    "depth": msgspec.json.Decoder(CombinedDepth),
    "trade": msgspec.json.Decoder(CombinedTrade),
    "aggTrade": msgspec.json.Decoder(CombinedAggTrade),
    "bookTicker": msgspec.json.Decoder(CombinedBestQuote),
    "markPrice": msgspec.json.Decoder(CombinedMarkPrice),
    "forceOrder": msgspec.json.Decoder(CombinedForceOrder),
}
"""Decoders of whole combined frames, by the word before the pace in the stream's name."""

PLAIN: dict[str, msgspec.json.Decoder[Any]] = {
    "depthUpdate": msgspec.json.Decoder(Depth),
    "trade": msgspec.json.Decoder(Trade),
    "aggTrade": msgspec.json.Decoder(AggTrade),
    "bookTicker": msgspec.json.Decoder(BestQuote),
    "markPriceUpdate": msgspec.json.Decoder(MarkPrice),
    "forceOrder": msgspec.json.Decoder(ForceOrder),
}
"""Decoders of the frame itself, or of ``data`` of a combined one, by the event's name."""

CHANNEL_OF_EVENT = {
    "depthUpdate": "depth",
    "trade": "trade",
    "aggTrade": "aggTrade",
    "bookTicker": "bookTicker",
    "markPriceUpdate": "markPrice",
    "forceOrder": "forceOrder",
}

HEAD = msgspec.json.Decoder(Head)
SNAPSHOT = msgspec.json.Decoder(Snapshot)
OPEN_INTEREST = msgspec.json.Decoder(OpenInterest)
PREMIUM_INDEX = msgspec.json.Decoder(PremiumIndex)
RAW_ARRAY = msgspec.json.Decoder(list[msgspec.Raw])
