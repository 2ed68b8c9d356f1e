"""Seeded sessions that look like Binance's: a snapshot over REST, diffs with right ids, quotes, trades, references.

A session may also be told in images of the best levels. :meth:`BinanceSession.others` has every other kind of frame.

The frames come from one coherent book that is never crossed, so that every rule of the adapter can be proved without
a recording. Faults are planted on request. The same seed gives the same bytes.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Literal, TypeAlias

import attrs

from quotewright.errors import ConfigError, InputError
from quotewright.testing.frames import Line

SECOND = 1_000_000_000
MILLISECOND = 1_000_000
START_NS = 1_700_000_000 * SECOND

Fault: TypeAlias = Literal[
    "gap", "duplicate", "reorder", "crossed", "bad_number", "truncated", "snapshot_late", "snapshot_old"
]
ROOTS = {
    "spot": "api.binance.com/api/v3",
    "usdm": "fapi.binance.com/fapi/v1",
    "coinm": "dapi.binance.com/dapi/v1",
    "option": "eapi.binance.com/eapi/v1",
}
OPTION = "BTC-261225-90000-C"
FAULTS = ("gap", "duplicate", "reorder", "crossed", "bad_number", "truncated", "snapshot_late", "snapshot_old")


@attrs.define(kw_only=True)
class BinanceSession:
    """A market of one symbol that can be asked for frames and snapshots.

    Prices are whole ticks of 10**-price_decimals, sizes whole lots of 10**-size_decimals. With *images* the book is
    told by partial depth of so many levels instead of diffs.
    """

    market: str = attrs.field(default="spot", validator=attrs.validators.in_(("spot", "usdm", "coinm", "option")))
    symbol: str = "BTCUSDT"
    seed: int = 7
    price_decimals: int = 2
    size_decimals: int = 3
    price_ticks: int = 4_000_000
    depth: int = 40
    start_ns: int = START_NS
    is_combined: bool = True
    with_quotes: bool = True
    with_trades: bool = True
    with_aggregates: bool = False
    images: int = 0

    now_ns: int = attrs.field(init=False)
    update_id: int = attrs.field(init=False, default=1_000)
    bids: dict[int, int] = attrs.field(init=False, factory=dict)
    offers: dict[int, int] = attrs.field(init=False, factory=dict)
    _random: random.Random = attrs.field(init=False)
    _last_u: int = attrs.field(init=False, default=1_000)
    _trade_id: int = attrs.field(init=False, default=500)
    _aggregate_id: int = attrs.field(init=False, default=100)

    def __attrs_post_init__(self) -> None:
        if self.price_ticks <= 10 * self.depth:
            raise ConfigError(f"price_ticks should be far above the depth {self.depth}, was {self.price_ticks}")
        if self.market == "option" and self.symbol == "BTCUSDT":
            self.symbol = OPTION
        self._random = random.Random(self.seed)
        self.now_ns = self.start_ns
        for distance in range(1, self.depth + 1):
            self.bids[self.price_ticks - distance] = self._random.randint(1, 5_000)
            self.offers[self.price_ticks + distance] = self._random.randint(1, 5_000)

    def price(self, ticks: int) -> str:
        return f"{Decimal(ticks).scaleb(-self.price_decimals):f}"

    def size(self, lots: int) -> str:
        return f"{Decimal(lots).scaleb(-self.size_decimals):f}"

    def levels(self, side: Literal["bids", "offers"]) -> list[tuple[int, int]]:
        """Return the true book, best first."""
        book = self.bids if side == "bids" else self.offers
        return sorted(book.items(), reverse=side == "bids")

    def snapshot(self, with_url: bool = True) -> Line:
        """Return the whole book as the REST answer that leaves the venue now."""
        body = self._image()
        if self.market != "spot":
            body |= {"E": self.now_ns // MILLISECOND, "T": self.now_ns // MILLISECOND - 1}
        if self.market == "coinm":
            body |= {"symbol": self.symbol, "pair": self.symbol.partition("_")[0]}
        url = f"https://{ROOTS[self.market]}/depth?symbol={self.symbol}&limit=1000" if with_url else None
        return Line(self.now_ns, "rest", url, _text(body), "snapshot", self._last_u)

    def _image(self, levels: int = 0) -> dict[str, Any]:
        """Return the book, or its best *levels*, as snapshots write it."""
        most = levels or None
        return {
            "lastUpdateId": self._last_u,
            "bids": [[self.price(p), self.size(q)] for p, q in self.levels("bids")[:most]],
            "asks": [[self.price(p), self.size(q)] for p, q in self.levels("offers")[:most]],
        }

    def image(self, levels: int = 20) -> Line:
        """Return the best levels as partial depth."""
        body = self._image(levels)
        if self.market != "spot":
            stamp = self.now_ns // MILLISECOND
            body = {
                "e": "depthUpdate",
                "E": stamp + 1,
                "T": stamp,
                "s": self.symbol,
                "U": self._last_u,
                "u": self._last_u,
            }
            body |= {"pu": self._last_u - 1}
            whole = self._image(levels)
            body |= {"b": whole["bids"], "a": whole["asks"]}
        return self._frame(f"depth{levels}@100ms", body, self._last_u)

    def step(self) -> list[Line]:
        """Let the market move once and return its frames: perhaps a trade, a diff, the best quote after it."""
        self.now_ns += self._random.randint(20, 180) * MILLISECOND
        lines = []
        changed_bids: dict[int, int] = {}
        changed_offers: dict[int, int] = {}
        first_id = self.update_id + 1
        if self.with_trades and self._random.random() < 0.4:
            lines += self._trade(changed_bids, changed_offers)
        for _ in range(self._random.randint(1, 6)):
            self._change(changed_bids, changed_offers)
        diff = self._diff(first_id, changed_bids, changed_offers)
        lines.append(self.image(self.images) if self.images else diff)
        if self.with_quotes:
            lines.append(self._best())
        return lines

    def _change(self, changed_bids: dict[int, int], changed_offers: dict[int, int]) -> None:
        """Set or delete one level, always on its own side of the other's best."""
        self.update_id += self._random.randint(1, 3) if self.market != "spot" else 1
        is_bid = self._random.random() < 0.5
        best = self.levels("offers" if is_bid else "bids")[0][0]
        distance = self._random.randint(1, self.depth)
        price = best - distance if is_bid else best + distance
        book, changed = (self.bids, changed_bids) if is_bid else (self.offers, changed_offers)
        size = 0 if self._random.random() < 0.35 and len(book) > 5 else self._random.randint(1, 5_000)
        if size:
            book[price] = size
        else:
            book.pop(price, None)  # deleting an absent level is normal
        changed[price] = size

    def _trade(self, changed_bids: dict[int, int], changed_offers: dict[int, int]) -> list[Line]:
        """Let a taker take part or all of the best level."""
        self.update_id += 1
        is_buy = self._random.random() < 0.5
        book, changed = (self.offers, changed_offers) if is_buy else (self.bids, changed_bids)
        price, resting = self.levels("offers" if is_buy else "bids")[0]
        size = resting if self._random.random() < 0.3 and len(book) > 5 else self._random.randint(1, resting)
        left = resting - size
        if left or len(book) <= 5:
            left = max(left, 1)
            book[price] = left
        else:
            del book[price]
        changed[price] = left
        self._trade_id += 1
        stamp = self.now_ns // MILLISECOND
        body: dict[str, Any] = {"e": "trade", "E": stamp + 1, "T": stamp, "s": self.symbol, "t": self._trade_id}
        body |= {"p": self.price(price), "q": self.size(size), "m": not is_buy}
        body |= {"M": True} if self.market == "spot" else {"X": "MARKET"}
        if self.market == "option":
            body["S"] = "BUY" if is_buy else "SELL"
        lines = [self._frame("optionTrade" if self.market == "option" else "trade", body, self._trade_id)]
        if self.with_aggregates:
            self._aggregate_id += 1
            body = {"e": "aggTrade", "E": stamp + 1, "s": self.symbol, "a": self._aggregate_id, "p": self.price(price)}
            body |= {"q": self.size(size), "f": self._trade_id, "l": self._trade_id, "T": stamp, "m": not is_buy}
            lines.append(self._frame("aggTrade", body, self._aggregate_id))
        return lines

    def _diff(self, first_id: int, bids: dict[int, int], offers: dict[int, int]) -> Line:
        stamp = self.now_ns // MILLISECOND
        body: dict[str, Any] = {"e": "depthUpdate", "E": stamp + 1}
        if self.market != "spot":
            body["T"] = stamp
        body |= {"s": self.symbol, "U": first_id, "u": self.update_id}
        if self.market != "spot":
            body["pu"] = self._last_u
        body["b"] = [[self.price(price), self.size(size)] for price, size in bids.items()]
        body["a"] = [[self.price(price), self.size(size)] for price, size in offers.items()]
        self._last_u = self.update_id
        return self._frame("depth@100ms", body, self.update_id)

    def _best(self) -> Line:
        (bid, bid_size), (offer, offer_size) = self.levels("bids")[0], self.levels("offers")[0]
        stamp = self.now_ns // MILLISECOND
        body: dict[str, Any] = {} if self.market == "spot" else {"e": "bookTicker", "E": stamp + 1, "T": stamp}
        body |= {"u": self.update_id, "s": self.symbol, "b": self.price(bid), "B": self.size(bid_size)}
        body |= {"a": self.price(offer), "A": self.size(offer_size)}
        return self._frame("bookTicker", body, self.update_id)

    def mark_price(self) -> Line:
        """Return what references there are: mark, index and funding of a future; the summary of an option."""
        mid = (self.levels("bids")[0][0] + self.levels("offers")[0][0]) // 2
        stamp = self.now_ns // MILLISECOND
        if self.market == "option":
            return self._stream("btcusdt@optionMarkPrice", [self._summary()], "optionMarkPrice")
        body = {"e": "markPriceUpdate", "E": stamp, "s": self.symbol, "p": self.price(mid) + "5"}
        if self.market != "coinm":
            body["i"] = self.price(mid)
        return self._frame("markPrice@1s", body | {"r": "0.00010000", "T": stamp + 3_600_000}, 0)

    def _summary(self) -> dict[str, Any]:
        (bid, bid_size), (offer, offer_size) = self.levels("bids")[0], self.levels("offers")[0]
        body = {"s": self.symbol, "mp": self.price((bid + offer) // 2), "E": self.now_ns // MILLISECOND}
        body |= {"e": "markPrice", "i": "91234.56000000", "P": "0.000", "bo": self.price(bid), "ao": self.price(offer)}
        body |= {"bq": self.size(bid_size), "aq": self.size(offer_size), "b": "0.61", "a": "0.64", "hl": "1", "ll": "1"}
        return body | {"vo": "0.62500000", "rf": "0.0", "d": "0.51", "t": "-40.5", "g": "0.00001", "v": "88.25"}

    def others(self) -> list[Line]:
        """Return one frame of every kind that :func:`session_lines` does not have, as the market stands."""
        stamp = self.now_ns // MILLISECOND
        lower = self.symbol.lower()
        last = self.price(self.levels("bids")[0][0])
        ticker = {"e": "24hrTicker", "E": stamp, "s": self.symbol, "p": "-1.0", "c": last, "o": last, "n": 7}
        lines = [self.image(5)]
        if self.market == "spot":
            ticker |= {"x": last, "b": last, "B": "1.0", "a": last, "A": "1.0"}
            return [*lines, self._frame("ticker", ticker, 0), self._plain({"e": "serverShutdown", "E": stamp})]
        if self.market == "option":
            old = {"e": "24hrTicker", "E": stamp, "T": stamp - 3, "s": self.symbol, "c": last, "n": 7}
            depth = {"e": "depth", "E": stamp, "T": stamp - 9, "s": self.symbol, "u": self._last_u, "pu": self._last_u}
            levels = self._image(10)
            trade = {"e": "trade", "E": stamp, "s": self.symbol, "t": "9001", "p": last, "q": "0.5", "b": "1", "a": "2"}
            interest = {"e": "openInterest", "E": stamp, "s": self.symbol, "o": "123.45", "h": "11025678.90"}
            symbol = {"e": "optionSymbol", "E": stamp, "s": self.symbol, "ps": "BTCUSDT", "cs": "TRADING"}
            return [
                *lines,
                self._frame("optionTicker", ticker | {"v": "44.43", "q": "28265.7"}, 0),
                self._stream("btcusdt@optionOpenInterest@261225", [interest], "optionOpenInterest"),
                self._stream("BTC@openInterest@261225", [interest], "openInterest"),
                self._stream("BTCUSDT@index", {"e": "index", "E": stamp, "s": "BTCUSDT", "p": "91234.5"}, "index"),
                self._stream(f"{self.symbol}@ticker", old | {**self._summary(), **old, "i": ""}, "ticker"),
                self._stream(f"{self.symbol}@trade", trade | {"T": stamp, "S": "-1"}, "trade", 9001),
                self._stream(
                    f"{self.symbol}@depth10@100ms", depth | {"b": levels["bids"], "a": levels["asks"]}, "depth10"
                ),
                self._stream("!optionSymbol", symbol, "optionSymbol"),
            ]
        pair = self.symbol.partition("_")[0]
        contract = {"e": "contractInfo", "E": stamp, "s": self.symbol, "ct": "PERPETUAL", "cs": "TRADING"}
        contract["st"] = 2 if self.market == "coinm" else 1
        if self.market == "coinm":
            index = {"e": "indexPriceUpdate", "E": stamp, "i": pair, "p": last + "123"}
            lines.append(self._stream(f"{pair.lower()}@indexPrice@1s", index, "indexPrice"))
        interest = {"symbol": self.symbol, "openInterest": "26286.181", "time": stamp}
        wrapped = b'{"stream":"%s@openInterest","generated":true,"data":%s}' % (lower.encode(), _text(interest))
        snapshot = b'{"stream":"%s@depthSnapshot","generated":true,"data":%s}' % (lower.encode(), self.snapshot().raw)
        premium = {"symbol": self.symbol, "markPrice": last, "indexPrice": last, "lastFundingRate": "0.0001"}
        root = f"https://{ROOTS[self.market]}"
        mark = {"e": "markPriceUpdate", "E": stamp, "s": self.symbol, "p": last, "r": "0.0001", "T": stamp, "st": 1}
        return [
            *lines,
            self._frame("ticker", ticker, 0),
            self.liquidation(),
            self.liquidation(False),
            self._stream("!contractInfo", contract, "contractInfo"),
            self._stream("!markPrice@arr@1s", [mark, mark | {"st": 2}], "markPrice"),
            Line(self.now_ns, "ws", None, wrapped, "openInterest"),
            Line(self.now_ns, "ws", None, snapshot, "depthSnapshot", self._last_u),
            Line(self.now_ns, "rest", f"{root}/openInterest?symbol={self.symbol}", _text(interest), "openInterest"),
            Line(
                self.now_ns,
                "rest",
                f"{root}/premiumIndex?symbol={self.symbol}",
                _text(premium | {"nextFundingTime": stamp + 3_600_000, "time": stamp}),
                "premiumIndex",
            ),
        ]

    def liquidation(self, is_long: bool = True) -> Line:
        """Return a liquidation order (futures) of a long or a short."""
        price = self.levels("bids" if is_long else "offers")[0][0]
        stamp = self.now_ns // MILLISECOND
        order = {"s": self.symbol, "S": "SELL" if is_long else "BUY", "o": "LIMIT", "f": "IOC", "q": self.size(14)}
        order |= {
            "p": self.price(price),
            "ap": self.price(price),
            "X": "FILLED",
            "l": self.size(14),
            "z": self.size(14),
        }
        body = {"e": "forceOrder", "E": stamp, "o": {**order, "T": stamp}}
        return self._frame("forceOrder", body, 0)

    def _plain(self, body: dict[str, Any]) -> Line:
        return Line(self.now_ns, "ws", None, _text(body), str(body["e"]))

    def _stream(self, stream: str, body: Any, kind: str, id: int = 0) -> Line:
        """Return a frame of a stream that is named otherwise than by the symbol and a word."""
        raw = b'{"stream":"%s","data":%s}' % (stream.encode(), _text(body))
        return Line(self.now_ns + 2 * MILLISECOND, "ws", None, raw, kind, id)

    def _frame(self, channel: str, body: dict[str, Any], id: int) -> Line:
        raw = _text(body)
        if self.is_combined:
            raw = b'{"stream":"%s@%s","data":%s}' % (self.symbol.lower().encode(), channel.encode(), raw)
        return Line(self.now_ns + 2 * MILLISECOND, "ws", None, raw, channel.partition("@")[0], id)


def session_lines(
    session: BinanceSession,
    updates: int = 200,
    snapshot_after: int = 3,
    fault: Fault | None = None,
    fault_at: int = 0,
    with_url: bool = True,
) -> Iterator[Line]:
    """Yield a whole session: diffs from the first on, the snapshot after *snapshot_after* of them, then the rest.

    Args:
        session: The market; it stands at the end of the session afterwards.
        updates: How many diffs there are.
        snapshot_after: After how many diffs the snapshot comes (as it stands then).
        fault: What goes wrong at diff *fault_at* (for snapshot_late and snapshot_old: with the snapshot).
        fault_at: Number of the diff, from 0; snapshot_late: how many diffs later the body arrives.
        with_url: Whether the REST line carries its URL.
    """
    if fault is not None and fault not in FAULTS:
        raise InputError(f"fault should be one of {', '.join(FAULTS)}, was {fault!r}")
    held: list[Line] = []
    late: tuple[int, Line] | None = None
    early = session.snapshot(with_url)
    if fault == "snapshot_old":  # what happens meanwhile is in neither
        session.step()
    for number in range(updates + 1):
        if number == snapshot_after and not session.images:
            line = early if fault == "snapshot_old" else session.snapshot(with_url)
            if fault == "snapshot_late":
                late = (number + fault_at, line)
            else:
                yield attrs.evolve(line, receive_ns=session.now_ns + 3 * MILLISECOND)
        if late is not None and number == late[0]:
            yield attrs.evolve(late[1], receive_ns=session.now_ns + 3 * MILLISECOND)
        if number == updates:
            break
        lines = session.step()
        if session.market != "spot" and number % 10 == 5:
            lines.append(session.mark_price())
        if fault is not None and number == fault_at and not fault.startswith("snapshot"):
            lines = list(_spoil(lines, fault, session, held))
        elif held:
            lines = lines + held
            held.clear()
        yield from lines


def _spoil(lines: list[Line], fault: Fault, session: BinanceSession, held: list[Line]) -> Iterator[Line]:
    """Yield the frames of one step with its diff lost, doubled, held back or damaged."""
    for line in lines:
        if not line.kind.startswith("depth"):
            yield line
        elif fault == "duplicate":
            yield line
            yield line
        elif fault == "reorder":
            held.append(line)
        elif fault == "truncated":
            yield attrs.evolve(line, raw=line.raw[: len(line.raw) * 2 // 3])
        elif fault == "bad_number":
            yield attrs.evolve(line, raw=line.raw.replace(b'"b":[', b'"b":[["NaN","1"],').replace(b'"],]', b'"]]'))
        elif fault == "crossed":
            price = session.levels("offers")[0][0] + 1
            level = b'["%s","1"]' % session.price(price).encode()
            raw = line.raw.replace(b'"b":[]', b'"b":[' + level + b"]")
            yield attrs.evolve(line, raw=raw if raw != line.raw else raw.replace(b'"b":[', b'"b":[' + level + b","))


def _text(body: Any) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode()
