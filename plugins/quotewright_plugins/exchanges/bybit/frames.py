"""Seeded sessions that look like Bybit's: an image, deltas with right counters, quotes, trades, tickers and the rest.

The frames come from one coherent book that is never crossed, so that every rule of the adapter can be proved without
a recording. Faults are planted on request. The same seed gives the same bytes.
"""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Literal, TypeAlias

import attrs

from quotewright.errors import ConfigError, InputError
from quotewright.testing.frames import Line

MILLISECOND = 1_000_000
START_NS = 1_700_000_000_000_000_000
MARKETS = ("spot", "linear", "inverse", "option")
SYMBOLS = {"spot": "BTCUSDT", "linear": "BTCUSDT", "inverse": "BTCUSD", "option": "BTC-26MAR27-70000-P-USDT"}
DEPTHS = {"spot": 50, "linear": 50, "inverse": 50, "option": 25}

Fault: TypeAlias = Literal["gap", "duplicate", "reorder", "crossed", "bad_number", "truncated", "restart", "repair"]
FAULTS = ("gap", "duplicate", "reorder", "crossed", "bad_number", "truncated", "restart", "repair")


@attrs.define(kw_only=True)
class BybitSession:
    """A market of one symbol that can be asked for frames. Prices are whole ticks, sizes whole lots."""

    market: str = attrs.field(default="linear", validator=attrs.validators.in_(MARKETS))
    symbol: str = ""
    seed: int = 7
    depth: int = 0
    price_decimals: int = 2
    size_decimals: int = 3
    price_ticks: int = 4_000_000
    levels: int = 40
    start_ns: int = START_NS
    with_quotes: bool = True
    with_trades: bool = True

    now_ns: int = attrs.field(init=False)
    update_id: int = attrs.field(init=False, default=9_000)
    sequence: int = attrs.field(init=False, default=7_700_000)
    bids: dict[int, int] = attrs.field(init=False, factory=dict)
    offers: dict[int, int] = attrs.field(init=False, factory=dict)
    _random: random.Random = attrs.field(init=False)
    _best_id: int = attrs.field(init=False, default=500)
    _trade_id: int = attrs.field(init=False, default=2_240_000_000_041_223_000)

    def __attrs_post_init__(self) -> None:
        if self.price_ticks <= 10 * self.levels:
            raise ConfigError(f"price_ticks should be far above the {self.levels} levels, was {self.price_ticks}")
        self.symbol = self.symbol or SYMBOLS[self.market]
        self.depth = self.depth or DEPTHS[self.market]
        self._random = random.Random(self.seed)
        self.now_ns = self.start_ns
        for distance in range(1, self.levels + 1):
            self.bids[self.price_ticks - distance] = self._random.randint(1, 5_000)
            self.offers[self.price_ticks + distance] = self._random.randint(1, 5_000)

    def price(self, ticks: int) -> str:
        return f"{Decimal(ticks).scaleb(-self.price_decimals):f}"

    def size(self, lots: int) -> str:
        return f"{Decimal(lots).scaleb(-self.size_decimals):f}"

    def side(self, side: Literal["bids", "offers"]) -> list[tuple[int, int]]:
        """Return one side of the true book, best first."""
        book = self.bids if side == "bids" else self.offers
        return sorted(book.items(), reverse=side == "bids")

    # Frames.

    def image(self, depth: int = 0) -> Line:
        """Return the whole book as the stream sends it first, or after a repair."""
        bids, offers = dict(self.side("bids")), dict(self.side("offers"))
        return self._book("snapshot", bids, offers, depth or self.depth)

    def restart(self) -> Line:
        """Let the venue's service begin anew: its counter is 1 again, and what it sends is an image."""
        self.update_id = 1
        return self.image()

    def step(self) -> list[Line]:
        """Let the market move once and return its frames: perhaps a trade, a delta, the best quotes after it."""
        self.now_ns += self._random.randint(20, 180) * MILLISECOND
        bids: dict[int, int] = {}
        offers: dict[int, int] = {}
        lines = self._trade(bids, offers) if self.with_trades and self._random.random() < 0.4 else []
        for _ in range(self._random.randint(1, 6)):
            self._change(bids, offers)
        self.update_id += 1
        self.sequence += self._random.randint(1, 9)
        lines.append(self._book("delta", bids, offers, self.depth))
        if self.with_quotes and self.market != "option":
            lines.append(self.best())
        return lines

    def best(self) -> Line:
        """Return the best quotes as ``orderbook.1`` sends them."""
        self._best_id += 1
        line = self._book("snapshot", dict(self.side("bids")[:1]), dict(self.side("offers")[:1]), 1)
        return attrs.evolve(line, kind="best")

    def _change(self, bids: dict[int, int], offers: dict[int, int]) -> None:
        """Set or delete one level, always on its own side of the other's best."""
        is_bid = self._random.random() < 0.5
        best = self.side("offers" if is_bid else "bids")[0][0]
        distance = self._random.randint(1, self.levels)
        price = best - distance if is_bid else best + distance
        book, changed = (self.bids, bids) if is_bid else (self.offers, offers)
        size = 0 if self._random.random() < 0.35 and len(book) > 5 else self._random.randint(1, 5_000)
        if size:
            book[price] = size
        else:
            book.pop(price, None)  # deleting an absent level is normal
        changed[price] = size

    def _trade(self, bids: dict[int, int], offers: dict[int, int]) -> list[Line]:
        """Let a taker take part or all of the best level."""
        is_buy = self._random.random() < 0.5
        book, changed = (self.offers, offers) if is_buy else (self.bids, bids)
        price, resting = self.side("offers" if is_buy else "bids")[0]
        size = resting if self._random.random() < 0.3 and len(book) > 5 else self._random.randint(1, resting)
        left = resting - size
        if left or len(book) <= 5:
            left = max(left, 1)
            book[price] = left
        else:
            del book[price]
        changed[price] = left
        return [self.trade(price, size, is_buy)]

    def trade(self, ticks: int, lots: int, is_buy: bool, is_block: bool = False) -> Line:
        self._trade_id += 1
        drawn = uuid.UUID(int=self._random.getrandbits(128), version=5)
        fill: dict[str, Any] = {"i": str(self._trade_id if self.market == "spot" else drawn)}
        fill |= {"T": self.now_ns // MILLISECOND, "p": self.price(ticks), "v": self.size(lots)}
        fill |= {"S": "Buy" if is_buy else "Sell", "s": self.symbol, "BT": is_block, "RPI": False}
        if self.market in ("linear", "inverse"):
            fill["L"] = "PlusTick"
        word = self.symbol.partition("-")[0] if self.market == "option" else self.symbol
        return self._frame(f"publicTrade.{word}", "snapshot", [fill], "trade")

    def ticker(self, is_delta: bool = False) -> Line:
        """Return the ticker: all of it, or (contracts only) what has changed."""
        mid = self.price((self.side("bids")[0][0] + self.side("offers")[0][0]) // 2)
        data: dict[str, Any] = {"symbol": self.symbol, "lastPrice": mid}
        if self.market == "option":
            data |= {"bidPrice": mid, "bidSize": "1", "bidIv": "0.61", "askPrice": "0", "askSize": "0", "askIv": "0"}
            data |= {"markPrice": mid, "markPriceIv": "0.62", "underlyingPrice": "70100.5", "openInterest": "12.5"}
            data |= {"delta": "-0.31", "gamma": "0.00002", "vega": "41.5", "theta": "-22.125"}
        elif self.market != "spot":
            data["openInterest"] = "4547176"
            if not is_delta:
                stamp = self.now_ns // MILLISECOND + 3_600_000
                data |= {"markPrice": mid + "5", "indexPrice": mid, "fundingRate": "-0.000212"}
                data |= {"nextFundingTime": str(stamp), "bid1Price": mid, "bid1Size": "1"}
        return self._frame(f"tickers.{self.symbol}", "delta" if is_delta else "snapshot", data, "ticker")

    def liquidation(self, is_long: bool = True) -> Line:
        """Return the liquidation of a long or a short position (contracts)."""
        price = self.side("bids" if is_long else "offers")[0][0]
        order = {"T": self.now_ns // MILLISECOND, "s": self.symbol, "S": "Buy" if is_long else "Sell"}
        order |= {"v": self.size(14), "p": self.price(price)}
        return self._frame(f"allLiquidation.{self.symbol}", "snapshot", [order], "liquidation")

    def others(self) -> list[Line]:
        """Return frames of the kinds that the adapter passes over by name."""
        topics = ("kline.1", "adlAlert", "insurance", "priceLimit", "orderbook.rpi")
        return [self._frame(f"{topic}.{self.symbol}", "snapshot", [], "other") for topic in topics]

    def _book(self, kind: str, bids: dict[int, int], offers: dict[int, int], depth: int) -> Line:
        id = self._best_id if depth == 1 else self.update_id
        data: dict[str, Any] = {"s": self.symbol}
        data["b"] = [[self.price(price), self.size(size)] for price, size in bids.items()]
        data["a"] = [[self.price(price), self.size(size)] for price, size in offers.items()]
        data |= {"u": id, "seq": self.sequence}
        return self._frame(f"orderbook.{depth}.{self.symbol}", kind, data, "book", id)

    def _frame(self, topic: str, kind: str, data: Any, what: str, id: int = 0) -> Line:
        """Return a frame with the keys in the order of the market."""
        stamp = self.now_ns // MILLISECOND
        body: dict[str, Any] = {"topic": topic, "type": kind, "ts": stamp + 2, "data": data}
        if self.market == "spot":
            body = {"topic": topic, "ts": stamp + 2, "type": kind, "data": data}
        elif self.market == "option":
            body = {"id": f"{topic}-{self.sequence}-{stamp}", "topic": topic, "ts": stamp + 2, "data": data} | {
                "type": kind
            }
        if what in ("book", "best") or topic.startswith("orderbook."):
            body["cts"] = stamp
        raw = json.dumps(body, separators=(",", ":")).encode()
        return Line(self.now_ns + 4 * MILLISECOND, "ws", None, raw, what, id)


def session_lines(
    session: BybitSession, updates: int = 200, image_after: int = 0, fault: Fault | None = None, fault_at: int = 0
) -> Iterator[Line]:
    """Yield a whole session: the image after *image_after* deltas, the rest of the deltas, the other kinds among them.

    Args:
        session: The market; it stands at the end of the session afterwards.
        updates: How many deltas there are.
        image_after: After how many of them the image comes (as it stands then).
        fault: What goes wrong at delta *fault_at*.
        fault_at: Number of the delta, from 0.
    """
    if fault is not None and fault not in FAULTS:
        raise InputError(f"fault should be one of {', '.join(FAULTS)}, was {fault!r}")
    held: list[Line] = []
    for number in range(updates + 1):
        if number == image_after:
            yield session.image()
        if number == updates:
            break
        lines = session.step()
        if number % 10 == 5:
            lines.append(session.ticker(is_delta=session.market in ("linear", "inverse") and number > 5))
        if number % 50 == 25:
            lines += session.others()
            if session.market in ("linear", "inverse"):
                lines.append(session.liquidation(number % 100 == 25))
        if fault is not None and number == fault_at:
            lines = list(_spoil(lines, fault, session, held))
        elif held:
            lines = lines + held
            held.clear()
        yield from lines


def _spoil(lines: list[Line], fault: Fault, session: BybitSession, held: list[Line]) -> Iterator[Line]:
    """Yield the frames of one step with its delta lost, doubled, held back, damaged or followed by an image."""
    for line in lines:
        if line.kind != "book":
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
            price = session.price(session.side("offers")[0][0] + 1).encode()
            raw = line.raw.replace(b'"b":[', b'"b":[["%s","1"],' % price).replace(b'"],]', b'"]]')
            yield attrs.evolve(line, raw=raw)
        elif fault == "restart":
            yield session.restart()
        elif fault == "repair":
            yield line
            session.update_id += 3
            yield session.image()
