"""Seeded sessions that look like Deribit's: an image, chained changes, quotes, trades, tickers and the rest.

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

MILLISECOND = 1_000_000
START_NS = 1_700_000_000_000_000_000
KINDS = ("perpetual", "future", "option", "spot")
SYMBOLS = {
    "perpetual": "BTC-PERPETUAL",
    "future": "BTC-25DEC26",
    "option": "BTC-26MAR27-70000-C",
    "spot": "BTC_USDC",
}
GRIDS = {"perpetual": (1, 0, 400_000), "future": (1, 0, 400_000), "option": (4, 1, 900), "spot": (0, 4, 70_000)}
"""Decimals of prices and amounts, and the ticks around which the market begins."""

Fault: TypeAlias = Literal["gap", "duplicate", "reorder", "crossed", "bad_number", "truncated", "repair"]
FAULTS = ("gap", "duplicate", "reorder", "crossed", "bad_number", "truncated", "repair")

HEARTBEAT = b'{"jsonrpc":"2.0","method":"heartbeat","params":{"type":"heartbeat"}}'
TEST_REQUEST = b'{"jsonrpc":"2.0","method":"heartbeat","params":{"type":"test_request"}}'


class Text(str):
    """A number by its digits: it is written without quotes."""


@attrs.define(kw_only=True)
class DeribitSession:
    """A market of one instrument that can be asked for frames. Prices are whole ticks, amounts whole lots."""

    kind: str = attrs.field(default="perpetual", validator=attrs.validators.in_(KINDS))
    symbol: str = ""
    seed: int = 7
    interval: str = "100ms"
    levels: int = 40
    start_ns: int = START_NS
    with_quotes: bool = True
    with_trades: bool = True

    now_ns: int = attrs.field(init=False)
    change_id: int = attrs.field(init=False, default=31_479_598_064)
    bids: dict[int, int] = attrs.field(init=False, factory=dict)
    offers: dict[int, int] = attrs.field(init=False, factory=dict)
    _random: random.Random = attrs.field(init=False)
    _trade_seq: int = attrs.field(init=False, default=92_836_830)
    _trade_id: int = attrs.field(init=False, default=137_487_240)

    def __attrs_post_init__(self) -> None:
        _, _, middle = GRIDS[self.kind]
        if middle <= 2 * self.levels:
            raise ConfigError(f"levels should be below {middle // 2}, was {self.levels}")
        self.symbol = self.symbol or SYMBOLS[self.kind]
        self._random = random.Random(self.seed)
        self.now_ns = self.start_ns
        for distance in range(1, self.levels + 1):
            self.bids[middle - distance] = self._random.randint(1, 5_000)
            self.offers[middle + distance] = self._random.randint(1, 5_000)

    def price(self, ticks: int) -> Text:
        """Return a price as the venue writes it: with one decimal at least."""
        return _plain(Decimal(ticks).scaleb(-GRIDS[self.kind][0]))

    def amount(self, lots: int) -> Text:
        """Return an amount: tens of dollars for contracts settled in coin."""
        tens = 10 if self.kind in ("perpetual", "future") else 1
        return _plain(Decimal(lots * tens).scaleb(-GRIDS[self.kind][1]))

    def side(self, side: Literal["bids", "offers"]) -> list[tuple[int, int]]:
        """Return one side of the true book, best first."""
        book = self.bids if side == "bids" else self.offers
        return sorted(book.items(), reverse=side == "bids")

    # Frames.

    def image(self) -> Line:
        """Return the whole book as the channel sends it first."""
        sides = [[["new", *self._level(*level)] for level in self.side(side)] for side in ("bids", "offers")]
        return self._book("snapshot", None, sides)

    def step(self) -> list[Line]:
        """Let the market move once and return its frames: perhaps a trade, a change, the best quotes after it."""
        self.now_ns += self._random.randint(20, 180) * MILLISECOND
        before = (dict(self.bids), dict(self.offers))
        lines = self._trade() if self.with_trades and self._random.random() < 0.4 else []
        for _ in range(self._random.randint(1, 5)):
            self._change()
        previous = self.change_id
        self.change_id += self._random.randint(1, 150)
        sides = [_changes(self, old, new) for old, new in zip(before, (self.bids, self.offers), strict=True)]
        lines.append(self._book("change", previous, sides))
        if self.with_quotes:
            lines.append(self.quote())
        return lines

    def grouped(self, depth: int = 10) -> Line:
        """Return an image of the best levels as the channels with a group and a depth send it."""
        data: dict[str, Any] = {"timestamp": self.now_ns // MILLISECOND, "instrument_name": self.symbol}
        data["change_id"] = self.change_id
        for name, side in (("bids", "bids"), ("asks", "offers")):
            data[name] = [[*self._level(*level)] for level in self.side(side)[:depth]]  # type: ignore[arg-type]
        return self._frame(f"book.{self.symbol}.none.{depth}.{self.interval}", data, "grouped", self.change_id)

    def quote(self) -> Line:
        return self._frame(f"quote.{self.symbol}", self._head() | self._best(), "quote")

    def trade(self, ticks: int, lots: int, is_buy: bool, liquidation: str = "", is_block: bool = False) -> Line:
        """Return one fill."""
        self._trade_seq += 1
        self._trade_id += 1
        number = f"{'' if self.kind in ('perpetual', 'future') else 'ETH-'}{self._trade_id}"
        fill: dict[str, Any] = {"trade_seq": self._trade_seq, "trade_id": number}
        fill |= {"timestamp": self.now_ns // MILLISECOND, "tick_direction": 1, "price": self.price(ticks)}
        fill |= {"mark_price": self.price(ticks), "instrument_name": self.symbol, "index_price": Text("70100.25")}
        fill |= {"direction": "buy" if is_buy else "sell", "amount": self.amount(lots)}
        if liquidation:
            fill["liquidation"] = liquidation
        if is_block:
            fill["block_trade_id"] = "BLOCK-1"
        return self._frame(f"trades.{self.symbol}.{self.interval}", [fill], "trade", self._trade_seq)

    def ticker(self) -> Line:
        return self._frame(f"ticker.{self.symbol}.{self.interval}", self._ticker(), "ticker")

    def increment(self, is_change: bool = False) -> Line:
        """Return ``incremental_ticker``: everything, or what has changed."""
        data = self._head() | {"type": "change", "mark_price": self.price(self.side("bids")[0][0])}
        if not is_change:
            data = self._ticker() | {"type": "snapshot"}
        return self._frame(f"incremental_ticker.{self.symbol}", data, "increment")

    def references(self) -> list[Line]:
        """Return what is told of the instrument on channels of its kind and its index."""
        stamp = self.now_ns // MILLISECOND
        index = {"timestamp": stamp, "price": Text("70100.25"), "index_name": self._index()}
        lines = [self._frame(f"deribit_price_index.{self._index()}", index, "index")]
        if self.kind == "perpetual":
            data = {"timestamp": stamp, "interest": Text("0.0000125"), "index_price": Text("70100.25")}
            lines.append(self._frame(f"perpetual.{self.symbol}.{self.interval}", data, "perpetual"))
        if self.kind == "option":
            mark = {"mark_price": self.price(900), "iv": Text("0.6125"), "instrument_name": self.symbol}
            lines.append(self._frame(f"markprice.options.{self._index()}", [mark], "marks"))
        return lines

    def state(self, state: str) -> Line:
        """Return a change of the instrument's state."""
        kind = {"perpetual": "future"}.get(self.kind, self.kind)
        data = {"timestamp": self.now_ns // MILLISECOND, "state": state, "instrument_name": self.symbol}
        return self._frame(f"instrument.state.{kind}.BTC", data, "state")

    def platform(self, is_halted: bool) -> Line:
        """Return the beginning or the end of maintenance."""
        return self._frame("platform_state", {"maintenance": is_halted}, "platform")

    def others(self) -> list[Line]:
        """Return frames that the adapter passes over by name: heartbeats, an answer, channels and combos."""
        at_ns = self.now_ns + 4 * MILLISECOND
        answer = b'{"jsonrpc":"2.0","id":7,"result":["quote.%s"],"testnet":false}' % self.symbol.encode()
        lines = [Line(at_ns, "ws", None, raw, "other") for raw in (HEARTBEAT, TEST_REQUEST, answer)]
        lines.append(self._frame(f"chart.trades.{self.symbol}.1", {"tick": 1, "open": Text("1.0")}, "other"))
        lines.append(self._frame("deribit_volatility_index.btc_usd", {"volatility": Text("51.5")}, "other"))
        lines.append(self._frame("quote.BTC-FS-25DEC26_PERP", {"instrument_name": "BTC-FS-25DEC26_PERP"}, "other"))
        return lines

    # Parts of frames.

    def _level(self, price: int, lots: int) -> tuple[Text, Text]:
        return self.price(price), self.amount(lots)

    def _head(self) -> dict[str, Any]:
        return {"timestamp": self.now_ns // MILLISECOND, "instrument_name": self.symbol}

    def _best(self) -> dict[str, Any]:
        bid, offer = self._level(*self.side("bids")[0]), self._level(*self.side("offers")[0])
        best = {"best_bid_price": bid[0], "best_bid_amount": bid[1]}
        return best | {"best_ask_price": offer[0], "best_ask_amount": offer[1]}

    def _index(self) -> str:
        return "btc_usdc" if self.kind == "spot" else "btc_usd"

    def _ticker(self) -> dict[str, Any]:
        price = self.price(self.side("bids")[0][0])
        data = self._head() | self._best() | {"state": "open", "last_price": price, "mark_price": price}
        data |= {
            "stats": {"volume": Text("24618.46215298"), "low": None, "high": price},
            "index_price": Text("70100.25"),
        }
        if self.kind == "option":
            data |= {"underlying_price": Text("70210.5"), "underlying_index": "BTC-26MAR27", "mark_iv": Text("61.25")}
            data |= {"bid_iv": Text("60.5"), "ask_iv": Text("0.0"), "open_interest": Text("12.5")}
            greeks = {"delta": "0.55", "gamma": "1e-05", "vega": "41.5", "theta": "-22.125", "rho": "0.0"}
            data["greeks"] = {key: Text(text) for key, text in greeks.items()}
        elif self.kind != "spot":
            data["open_interest"] = 66_128_280
        if self.kind == "perpetual":
            data |= {"funding_8h": Text("2.55e-06"), "current_funding": Text("-0.00016281")}
        return data

    def _change(self) -> None:
        """Set or delete one level, always on its own side of the other's best."""
        is_bid = self._random.random() < 0.5
        best = self.side("offers" if is_bid else "bids")[0][0]
        distance = self._random.randint(1, self.levels)
        price = best - distance if is_bid else best + distance
        book = self.bids if is_bid else self.offers
        if self._random.random() < 0.35 and len(book) > 5:
            book.pop(price, None)
        else:
            book[price] = self._random.randint(1, 5_000)

    def _trade(self) -> list[Line]:
        """Let a taker take part or all of the best level."""
        is_buy = self._random.random() < 0.5
        book = self.offers if is_buy else self.bids
        price, resting = self.side("offers" if is_buy else "bids")[0]
        size = resting if self._random.random() < 0.3 and len(book) > 5 else self._random.randint(1, resting)
        if resting > size or len(book) <= 5:
            book[price] = max(resting - size, 1)
        else:
            del book[price]
        return [self.trade(price, size, is_buy)]

    def _book(self, kind: str, previous: int | None, sides: list[list[list[str]]]) -> Line:
        data: dict[str, Any] = {"type": kind, "timestamp": self.now_ns // MILLISECOND}
        if previous is not None:
            data["prev_change_id"] = previous
        data |= {"instrument_name": self.symbol, "change_id": self.change_id, "bids": sides[0], "asks": sides[1]}
        return self._frame(f"book.{self.symbol}.{self.interval}", data, "book", self.change_id)

    def _frame(self, channel: str, data: Any, what: str, id: int = 0) -> Line:
        body = {"jsonrpc": "2.0", "method": "subscription", "params": {"channel": channel, "data": data}}
        return Line(self.now_ns + 4 * MILLISECOND, "ws", None, written(body).encode(), what, id)


def _changes(session: DeribitSession, old: dict[int, int], new: dict[int, int]) -> list[list[str]]:
    """Return the levels that differ, with the word for what was done to each."""
    rows = [["delete", session.price(price), Text("0.0")] for price in old if price not in new]
    for price, lots in new.items():
        if old.get(price) != lots:
            rows.append(["change" if price in old else "new", session.price(price), session.amount(lots)])
    return rows


def _plain(number: Decimal) -> Text:
    text = f"{number.normalize():f}"
    return Text(text if "." in text else f"{text}.0")


def written(value: Any) -> str:
    """Return *value* as JSON, numbers by their digits."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(key)}:{written(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(written(item) for item in value) + "]"
    return str(value) if isinstance(value, Text) else json.dumps(value)


def session_lines(
    session: DeribitSession, updates: int = 200, image_after: int = 0, fault: Fault | None = None, fault_at: int = 0
) -> Iterator[Line]:
    """Yield a whole session: the image after *image_after* changes, the rest of the changes, other kinds among them.

    Args:
        session: The market; it stands at the end of the session afterwards.
        updates: How many changes there are.
        image_after: After how many of them the image comes (as it stands then).
        fault: What goes wrong at change *fault_at*.
        fault_at: Number of the change, from 0.
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
            lines.append(session.ticker())
        if number % 25 == 12:
            lines += [session.increment(number > 12), *session.references()]
        if number % 50 == 25:
            lines += session.others()
            price, lots = session.side("bids")[0]
            lines.append(session.trade(price, max(1, lots // 9), False, ("T", "M", "MT")[number // 50 % 3]))
        if fault is not None and number == fault_at:
            lines = list(_spoil(lines, fault, session, held))
        elif held:
            lines = lines + held
            held.clear()
        yield from lines


def _spoil(lines: list[Line], fault: Fault, session: DeribitSession, held: list[Line]) -> Iterator[Line]:
    """Yield the frames of one step with its change lost, doubled, held back, damaged or followed by an image."""
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
        elif fault in ("bad_number", "crossed"):
            price = b'"NaN"' if fault == "bad_number" else session.price(session.side("offers")[0][0] + 1).encode()
            raw = line.raw.replace(b'"bids":[', b'"bids":[["new",%s,10.0],' % price).replace(b",],", b"],")
            yield attrs.evolve(line, raw=raw)
        elif fault == "repair":
            yield line
            session.change_id += 3
            yield session.image()
