"""The shapes of Binance market data, as msgspec structs; level arrays stay raw text for the sink's scanner.

Source: Binance API documentation of the third quarter of 2026 (spot ``/api/v3``, USD-M ``/fapi``, COIN-M ``/dapi``,
options ``/eapi``). The options' shapes before December 2025 are told by their keys and read too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Generic, TypeVar

import msgspec

from quotewright.kernel.layouts import UpdateLayout

Stamp = Annotated[int, msgspec.Meta(ge=0, le=9_200_000_000_000_000)]
"""Milliseconds, or microseconds where the connection asked for them."""
Id = Annotated[int, msgspec.Meta(ge=-1, le=(1 << 63) - 1)]

NO_ID = -1


def nanoseconds(stamp: int) -> int:
    """Return nanoseconds for *stamp*, which is in milliseconds below 9.2e12 (the year 2261), else in microseconds."""
    return stamp * 1_000_000 if stamp < 9_200_000_000_000 else stamp * 1_000


SPOT_LAYOUT = UpdateLayout(
    b'{"stream":"',
    4,
    1,
    [
        ("data", 1, "open"),
        ("e=depthUpdate", 2, "word"),
        ("E", 2, "sent"),
        ("s", 2, "symbol"),
        ("U", 2, "first"),
        ("u", 2, "last"),
        ("b", 2, "bids"),
        ("a", 2, "offers"),
    ],
    "overlaps",
    ["word", "sent", "symbol", "first", "last", "bids", "offers"],
)
"""How the diffs of a book are written."""
FUTURES_LAYOUT = UpdateLayout(
    b'{"stream":"',
    4,
    1,
    [
        ("data", 1, "open"),
        ("e=depthUpdate", 2, "word"),
        ("E", 2, "sent"),
        ("T", 2, "event"),
        ("s", 2, "symbol"),
        ("ps", 2, "text"),
        ("U", 2, "first"),
        ("u", 2, "last"),
        ("pu", 2, "previous"),
        ("b", 2, "bids"),
        ("a", 2, "offers"),
        ("st", 2, "number"),
    ],
    "links",
    ["word", "sent", "symbol", "first", "last", "previous", "bids", "offers"],
)


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


class Ticker(msgspec.Struct, gc=False, tag_field="e", tag="24hrTicker"):
    """Statistics of 24 hours, of which the last price is read."""

    s: str
    c: str
    E: Stamp


class IndexPrice(msgspec.Struct, gc=False, tag_field="e", tag="indexPriceUpdate"):
    """Index price of a pair (COIN-M), which all contracts of the pair share."""

    i: str
    p: str
    E: Stamp


class ContractInfo(msgspec.Struct, gc=False):
    """A contract was listed, settled or changed; ``cs`` is its state of trading."""

    s: str
    cs: str
    E: Stamp = 0


class OptionDepth(msgspec.Struct, gc=False):
    """Image of an option's book before December 2025; ``u`` came at the end of 2022."""

    s: str
    b: msgspec.Raw
    a: msgspec.Raw
    E: Stamp = 0
    T: Stamp = 0
    u: Id = NO_ID


class OptionTrade(msgspec.Struct, gc=False, tag_field="e", tag="trade"):
    """One fill of an option. ``S`` is the taker's side: BUY, SELL, or 1, -1 in the older shape, whose ``t`` is text."""

    s: str
    t: Id | str
    p: str
    q: str
    E: Stamp
    T: Stamp = 0
    m: bool | None = None
    S: str = ""
    X: str = ""


class OptionTold(msgspec.Struct, gc=False):
    """What is told of an option: all of it by ``markPrice`` (before December 2025 by the ticker), else a part."""

    s: str
    E: Stamp
    T: Stamp = 0
    c: str = ""
    mp: str = ""
    i: str = ""
    bo: str | msgspec.UnsetType = msgspec.UNSET
    ao: str = ""
    bq: str = ""
    aq: str = ""
    b: str = ""
    a: str = ""
    d: str = ""
    g: str = ""
    v: str = ""
    t: str = ""
    vo: str = ""


class OptionInterest(msgspec.Struct, gc=False):
    """Open interest of an option, in contracts."""

    s: str
    o: str
    E: Stamp = 0


class OptionIndex(msgspec.Struct, gc=False):
    """Index price of what options are on."""

    s: str
    p: str
    E: Stamp = 0


class Snapshot(msgspec.Struct, gc=False):
    """REST answer of ``/depth``, and spot's partial depth. Spot sends no time and nobody but COIN-M the symbol.

    Options called the id ``u`` before December 2025.
    """

    bids: msgspec.Raw
    asks: msgspec.Raw
    lastUpdateId: Id | None = None
    E: Stamp = 0
    T: Stamp = 0
    symbol: str = ""
    u: Id | None = None


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


T = TypeVar("T")


class Combined(msgspec.Struct, Generic[T], gc=False):
    """A frame of a combined stream: ``{"stream","data"}``."""

    data: T


class Head(msgspec.Struct, gc=False):
    """What tells one frame from another: the envelope's keys, the event's name, and keys of frames without a name.

    ``stream`` and ``data`` come on combined streams; ``result``, ``error``, ``code`` answer control frames; ``st`` says
    of which futures an event is, where streams carry both (1 USD-M, 2 COIN-M).
    """

    stream: str = ""
    data: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    e: str = ""
    lastUpdateId: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    st: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    bids: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    u: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    B: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    result: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    error: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    code: int | None = None
    msg: str = ""


class Kind:
    """How one event is read: alone, and in the frame of a combined stream."""

    __slots__ = ("combined", "name", "plain")

    def __init__(self, name: str, shape: Any) -> None:
        self.name = name
        self.plain: msgspec.json.Decoder[Any] = msgspec.json.Decoder(shape)
        self.combined: msgspec.json.Decoder[Any] = msgspec.json.Decoder(Combined[shape])


_SPOT: dict[str, Any] = {"depthUpdate": Depth, "trade": Trade, "aggTrade": AggTrade, "bookTicker": BestQuote}
_FUTURES: dict[str, Any] = {
    **_SPOT,
    "markPriceUpdate": MarkPrice,
    "indexPriceUpdate": IndexPrice,
    "24hrTicker": Ticker,
    "forceOrder": ForceOrder,
    "contractInfo": ContractInfo,
}
_OPTION: dict[str, Any] = {
    "depthUpdate": Depth,
    "depth": OptionDepth,
    "trade": OptionTrade,
    "bookTicker": BestQuote,
    "24hrTicker": OptionTold,
    "markPrice": OptionTold,
    "openInterest": OptionInterest,
    "index": OptionIndex,
    "indexPrice": OptionIndex,
    "optionSymbol": ContractInfo,
}


def _kinds(shapes: dict[str, Any]) -> dict[str, Kind]:
    return {name: Kind(name, shape) for name, shape in shapes.items()}


SPOT_KINDS, FUTURES_KINDS, OPTION_KINDS = _kinds(_SPOT), _kinds(_FUTURES), _kinds(_OPTION)
KINDS: Mapping[str, Mapping[str, Kind]] = {
    "spot": SPOT_KINDS,
    "usdm": FUTURES_KINDS,
    "coinm": FUTURES_KINDS,
    "option": OPTION_KINDS,
}
"""Events that are read, by market and by the event's name."""

CHANNELS: Mapping[str, tuple[str, ...]] = {
    "depth": ("depthUpdate",),
    "trade": ("trade",),
    "aggTrade": ("aggTrade",),
    "bookTicker": ("bookTicker", ""),
    "markPrice": ("markPriceUpdate", "markPrice"),
    "indexPrice": ("indexPriceUpdate",),
    "ticker": ("24hrTicker",),
    "forceOrder": ("forceOrder",),
    "optionTrade": ("trade",),
    "optionTicker": ("24hrTicker",),
    "optionMarkPrice": ("markPrice",),
    "index": ("index", "indexPrice"),
}
"""What a stream carries, by the first word of its channel; other words are judged by their events alone."""

HEAD = msgspec.json.Decoder(Head)
SNAPSHOT = msgspec.json.Decoder(Snapshot)
COMBINED_SNAPSHOT = msgspec.json.Decoder(Combined[Snapshot])
OPEN_INTEREST = msgspec.json.Decoder(OpenInterest)
PREMIUM_INDEX = msgspec.json.Decoder(PremiumIndex)
RAW_ARRAY = msgspec.json.Decoder(list[msgspec.Raw])
