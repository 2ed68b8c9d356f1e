"""Seeded sessions that look like OKX's: an image on subscribing, updates with right ids and checksums, and the rest.

The frames come from one coherent book that is never crossed, so that every rule of the adapter can be proved without
a recording. Faults are planted on request. The same seed gives the same bytes.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any, Literal, TypeAlias

import attrs

from quotewright.errors import ConfigError, InputError
from quotewright.testing.frames import Line
from quotewright_plugins.exchanges.okx.checksum import DEPTH, signed_crc
from quotewright_plugins.exchanges.okx.instruments import kind_of, pair_of

SECOND = 1_000_000_000
MILLISECOND = 1_000_000
START_NS = 1_700_000_000 * SECOND
SYMBOLS = {
    "spot": "BTC-USDT",
    "swap": "BTC-USDT-SWAP",
    "futures": "BTC-USD-261225",
    "option": "BTC-USD-270326-70000-C",
}
"""An instrument of each market."""
TYPES = {"": "SPOT", "perp": "SWAP", "future": "FUTURES", "option": "OPTION"}

Fault: TypeAlias = Literal["gap", "duplicate", "reorder", "crossed", "bad_number", "truncated", "bad_checksum"]
FAULTS = ("gap", "duplicate", "reorder", "crossed", "bad_number", "truncated", "bad_checksum")
Changes: TypeAlias = dict[int, int]


@attrs.define(kw_only=True)
class OkxSession:
    """A market of one instrument that can be asked for frames and images.

    Prices are whole ticks of 10**-price_decimals, sizes whole lots of 10**-size_decimals. *has_ids* and
    *has_checksums* say whether books carry them: until 2022 checksums alone, from mid 2026 ids alone.
    """

    symbol: str = "BTC-USDT"
    channel: str = "books"
    seed: int = 7
    price_decimals: int = 1
    size_decimals: int = 3
    price_ticks: int = 400_000
    depth: int = 20
    start_ns: int = START_NS
    has_ids: bool = True
    has_checksums: bool = False

    now_ns: int = attrs.field(init=False)
    seq: int = attrs.field(init=False, default=1_000)
    bids: Changes = attrs.field(init=False, factory=dict)
    offers: Changes = attrs.field(init=False, factory=dict)
    _random: random.Random = attrs.field(init=False)
    _trade_id: int = attrs.field(init=False, default=500)

    def __attrs_post_init__(self) -> None:
        if self.price_ticks <= 10 * self.depth:
            raise ConfigError(f"price_ticks should be far above the depth {self.depth}, was {self.price_ticks}")
        self._random = random.Random(self.seed)
        self.now_ns = self.start_ns
        for distance in range(1, self.depth + 1):
            self.bids[self.price_ticks - distance] = self._random.randint(1, 5_000)
            self.offers[self.price_ticks + distance] = self._random.randint(1, 5_000)

    @property
    def stamp(self) -> str:
        return str(self.now_ns // MILLISECOND)

    def price(self, ticks: int) -> str:
        return f"{Decimal(ticks).scaleb(-self.price_decimals):f}"

    def size(self, lots: int) -> str:
        return f"{Decimal(lots).scaleb(-self.size_decimals):f}" if lots else "0"

    def levels(self, side: Literal["bids", "offers"]) -> list[tuple[int, int]]:
        """Return the true book, best first."""
        book = self.bids if side == "bids" else self.offers
        return sorted(book.items(), reverse=side == "bids")

    def checksum(self) -> int:
        """Return the checksum of the book as it stands."""
        texts = [
            [f"{self.price(price)}:{self.size(size)}" for price, size in self.levels(side)[:DEPTH]]
            for side in ("bids", "offers")
        ]
        return signed_crc(texts[0], texts[1])

    # Books.

    def image(self) -> Line:
        """Return the whole book as a new subscription begins."""
        return self._book("snapshot", dict(self.levels("bids")), dict(self.levels("offers")), -1)

    def update(self, changes: int = 4) -> Line:
        """Let the book change and return the frame that says so."""
        self.now_ns += self._random.randint(20, 180) * MILLISECOND
        bids: Changes = {}
        offers: Changes = {}
        for _ in range(self._random.randint(1, changes)):
            self._change(bids, offers)
        before = self.seq
        self.seq += self._random.randint(1, 9)
        return self._book("update", bids, offers, before)

    def keep_alive(self) -> Line:
        """Return the frame that comes when nothing has changed for a minute."""
        self.now_ns += 60 * SECOND
        return self._book("update", {}, {}, self.seq)

    def restart(self) -> Line:
        """Return an update after maintenance: the counter begins anew, linked to the last one."""
        before, self.seq = self.seq, 0
        line = self.update(1)
        return attrs.evolve(line, raw=line.raw.replace(b'"prevSeqId":0', b'"prevSeqId":%d' % before))

    def _change(self, bids: Changes, offers: Changes) -> None:
        """Set or delete one level, always on its own side of the other's best."""
        is_bid = self._random.random() < 0.5
        book, changed = (self.bids, bids) if is_bid else (self.offers, offers)
        best = self.levels("offers" if is_bid else "bids")[0][0]
        distance = self._random.randint(1, self.depth)
        price = best - distance if is_bid else best + distance
        if price in book and self._random.random() < 0.5 and len(book) > 5:
            del book[price]
            changed[price] = 0
        elif price in book or len(book) < DEPTH:
            book[price] = changed[price] = self._random.randint(1, 5_000)
        else:
            worst = (min if is_bid else max)(book)
            del book[worst]
            changed[worst] = 0

    def _rows(self, levels: Iterable[tuple[int, int]]) -> list[list[str]]:
        return [[self.price(price), self.size(size), "0", "2" if size else "0"] for price, size in levels]

    def _book(self, action: str, bids: Changes, offers: Changes, before: int) -> Line:
        row: dict[str, Any] = {"asks": self._rows(offers.items()), "bids": self._rows(bids.items()), "ts": self.stamp}
        row["checksum"] = self.checksum() if self.has_checksums else 0
        if self.has_ids:
            row |= {"prevSeqId": before, "seqId": self.seq}
        return self._line({"channel": self.channel, "instId": self.symbol}, [row], "book", action)

    def five(self) -> Line:
        """Return an image of five levels a side."""
        row = {"asks": self._rows(self.levels("offers")[:5]), "bids": self._rows(self.levels("bids")[:5])}
        data = [{**row, "instId": self.symbol, "ts": self.stamp, "seqId": self.seq}]
        return self._line({"channel": "books5", "instId": self.symbol}, data, "five")

    def best(self) -> Line:
        """Return the best quotes."""
        row = {"asks": self._rows(self.levels("offers")[:1]), "bids": self._rows(self.levels("bids")[:1])}
        data = [{**row, "ts": self.stamp, "seqId": self.seq}]
        return self._line({"channel": "bbo-tbt", "instId": self.symbol}, data, "best")

    def answer(self) -> Line:
        """Return the whole book as REST tells it."""
        row = {"asks": self._rows(self.levels("offers")), "bids": self._rows(self.levels("bids")), "ts": self.stamp}
        url = f"https://www.okx.com/api/v5/market/books?instId={self.symbol}&sz=400"
        raw = _text({"code": "0", "msg": "", "data": [{**row, "seqId": self.seq}]})
        return Line(self.now_ns, "rest", url, raw, "answer", self.seq)

    # Everything else.

    def trade(self, count: int = 1, channel: str = "trades") -> Line:
        """Return a trade at the best level that leaves the book as it is."""
        self._trade_id += count
        is_buy = self._random.random() < 0.5
        price, _ = self.levels("offers" if is_buy else "bids")[0]
        row = {"instId": self.symbol, "tradeId": str(self._trade_id), "px": self.price(price), "sz": self.size(7)}
        row |= {"side": "buy" if is_buy else "sell", "ts": self.stamp, "count": str(count)}
        return self._line({"channel": channel, "instId": self.symbol}, [row], "trade", id=self._trade_id)

    def references(self) -> Iterator[Line]:
        """Yield one frame of each channel that tells references of this kind of instrument."""
        type = TYPES[kind_of(self.symbol)]
        (bid, bid_size), (offer, offer_size) = self.levels("bids")[0], self.levels("offers")[0]
        arg = {"instId": self.symbol}
        named = {"instType": type, "instId": self.symbol}
        ticker = {**named, "last": self.price(bid), "lastSz": self.size(7), "askPx": self.price(offer)}
        ticker |= {"askSz": self.size(offer_size), "bidPx": self.price(bid), "bidSz": self.size(bid_size)}
        yield self._line({"channel": "tickers", **arg}, [{**ticker, "ts": self.stamp}], "tickers")
        yield self._line({"channel": "price-limit", **arg}, [{**named, "buyLmt": "1", "ts": self.stamp}], "ignored")
        if type == "SPOT":
            return
        pair = pair_of(self.symbol)
        index = {"instId": pair, "idxPx": self.price(bid + 1), "ts": self.stamp}
        yield self._line({"channel": "index-tickers", "instId": pair}, [index], "index-tickers")
        mark = {**named, "markPx": self.price(bid) + "5", "ts": self.stamp}
        yield self._line({"channel": "mark-price", **arg}, [mark], "mark-price")
        interest = {**named, "oi": "236870", "oiCcy": "2368.7", "ts": self.stamp}
        yield self._line({"channel": "open-interest", **arg}, [interest], "open-interest")
        if type == "SWAP":
            rate = {**named, "fundingRate": "0.00010000", "fundingTime": "1700006400000", "nextFundingRate": ""}
            yield self._line({"channel": "funding-rate", **arg}, [{**rate, "ts": self.stamp}], "funding-rate")
        if type == "OPTION":
            greeks = {"delta": "0.5127", "gamma": "1.2", "vega": "0.00045", "theta": "-0.0002", "deltaBS": "0.53"}
            row = {**named, "uly": pair, **greeks, "markVol": "0.651", "bidVol": "", "askVol": "0.66", "ts": self.stamp}
            yield self._line({"channel": "opt-summary", "instFamily": pair}, [row], "opt-summary")
        else:
            order = {"side": "sell", "posSide": "long", "bkPx": self.price(bid - 9), "sz": "12", "bkLoss": "0"}
            forced: dict[str, Any] = {**named, "details": [{**order, "ccy": "", "ts": self.stamp}]}
            yield self._line({"channel": "liquidation-orders", "instType": type}, [forced], "liquidation-orders")

    def listing(self, state: str = "live", tick: str = "0.5", lot: str = "0.002") -> Line:
        """Return a change of the instrument's state and grid."""
        type = TYPES[kind_of(self.symbol)]
        row = {"instType": type, "instId": self.symbol, "state": state, "tickSz": tick, "lotSz": lot}
        return self._line({"channel": "instruments", "instType": type}, [row], "instruments")

    def events(self) -> Iterator[Line]:
        """Yield the frames that concern the connection and no market."""
        arg = {"channel": self.channel, "instId": self.symbol}
        for body in (
            {"id": "1", "event": "subscribe", "arg": arg, "connId": "a1"},
            {"event": "channel-conn-count", "channel": "orders", "connCount": "2", "connId": "a1"},
            {"event": "error", "code": "60012", "msg": "Invalid request", "connId": "a1"},
            {"event": "notice", "code": "64008", "msg": "The connection will soon be closed", "connId": "a1"},
        ):
            yield Line(self.now_ns, "ws", None, _text(body), "event")

    def _line(self, arg: dict[str, str], data: list[dict[str, Any]], kind: str, action: str = "", id: int = 0) -> Line:
        body: dict[str, Any] = {"arg": arg, **({"action": action} if action else {}), "data": data}
        return Line(self.now_ns + 2 * MILLISECOND, "ws", None, _text(body), kind, id or self.seq)


def session_lines(
    session: OkxSession, updates: int = 200, fault: Fault | None = None, fault_at: int = 0
) -> Iterator[Line]:
    """Yield a whole session: the image, then updates with trades, quotes and references between them.

    Args:
        session: The market; it stands at the end of the session afterwards.
        updates: How many updates there are.
        fault: What goes wrong at update *fault_at*.
        fault_at: Number of the update, from 0.
    """
    if fault is not None and fault not in FAULTS:
        raise InputError(f"fault should be one of {', '.join(FAULTS)}, was {fault!r}")
    yield from session.events()
    yield session.image()
    held: Line | None = None
    for number in range(updates):
        line = session.update()
        if fault is not None and number == fault_at:
            if fault == "reorder":
                held = line
            else:
                yield from spoiled(line, fault, session)
        else:
            yield line
            if held is not None:
                yield held
                held = None
        if number % 3 == 0:
            yield session.trade(1 + number % 2)
        if number % 4 == 0:
            yield session.best()
        if number % 10 == 5:
            yield from session.references()


def spoiled(line: Line, fault: Fault, session: OkxSession) -> list[Line]:
    """Return what arrives instead of the update *line*."""
    raw = line.raw
    if fault == "gap":
        return []
    if fault == "duplicate":
        return [line, line]
    if fault == "truncated":
        return [attrs.evolve(line, raw=raw[: len(raw) * 2 // 3])]
    if fault == "bad_checksum":
        return [attrs.evolve(line, raw=raw.replace(b'"checksum":', b'"checksum":1').replace(b":1-", b":-1"))]
    level = b'["NaN","1","0","1"]'
    if fault == "crossed":
        level = b'["%s","1","0","1"]' % session.price(session.levels("offers")[0][0] + 1).encode()
    return [attrs.evolve(line, raw=raw.replace(b'"bids":[', b'"bids":[' + level + b",").replace(b",]", b"]"))]


def _text(body: Any) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode()
