"""The sink that keeps text: whole messages in, normalised JSON messages in Tardis's spelling out.

It needs no metadata. A number leaves as the very text it came in, as a JSON number; what is no finite number is
refused as it is for a tape. See ``docs/normalising.md``.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Final

import msgspec

from quotewright.errors import InputError
from quotewright.kernel.codes import BUY, NO_MARKET, NO_SIDE, RELEASED, SELL
from quotewright.kernel.scanner import shown
from quotewright.tape.sink import JsonArray, OptionSummary, Text

SYMBOL_LIMIT: Final = 20_000
"""Of how many symbols tickers are kept; past that the one seen first is forgotten."""

TICKER_KEYS: Final = (
    *("lastPrice", "openInterest", "fundingRate", "fundingTimestamp", "predictedFundingRate"),
    *("indexPrice", "markPrice"),
)
LAST, INTEREST, FUNDING, FUNDING_TIME, PREDICTED, INDEX, MARK = range(7)

WORDS: Final = (b'"new"', b'"change"', b'"delete"')
"""What a level may begin with: what was done to it."""

SIDES: Final = {NO_SIDE: "unknown", BUY: "buy", SELL: "sell"}
RIGHTS: Final = {"C": "call", "P": "put"}

_NUMBER = r"(?:0|[1-9][0-9]{0,199})(?:\.[0-9]{1,199})?"
_LEVEL = rf'\["?(?=[0.]*[1-9])({_NUMBER})"?,"?({_NUMBER})"?(?:,[^\[\]]*)?\]'
_ONE_LEVEL = re.compile(_LEVEL)
_DONE_LEVEL = _LEVEL.replace(r"\[", r'\["(new|change|delete)",', 1)
_ONE_DONE_LEVEL = re.compile(_DONE_LEVEL)
_DONE_LEVELS = re.compile(rf"\[{_DONE_LEVEL}(?:,{_DONE_LEVEL})*\]")
_LEVELS = re.compile(rf"\[(?:{_LEVEL}(?:,{_LEVEL})*)?\]")
_PLAIN = re.compile(rf"-?{_NUMBER}")
_ODD = re.compile(r"([+-]?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?)([0-9]{1,6}))?")
_RAW_LEVELS = msgspec.json.Decoder(list[list[msgspec.Raw]])

Pairs = list[tuple[str, str]]


def number(text: Text, where: str) -> str:
    """Return *text* as a JSON number of the same digits; InputError names *where* if it is no finite number."""
    try:
        plain = text if isinstance(text, str) else str(text, "ascii")
    except UnicodeDecodeError:
        plain = ""
    if _PLAIN.fullmatch(plain):
        return plain
    match = _ODD.fullmatch(plain)
    if match is None:
        raise InputError(f"{where} should be a decimal number, was {shown(_bytes(text))}")
    sign, whole, fraction, exponent_sign, exponent = match.groups("")
    number = ("-" if sign == "-" else "") + (whole.lstrip("0") or "0")
    if fraction:
        number += "." + fraction
    if exponent:
        number += "e" + exponent_sign + exponent
    if float(number) in (float("inf"), float("-inf")):
        raise InputError(f"{where} should be a number that JSON readers can hold, was {shown(_bytes(text))}")
    return number


def _bytes(text: Text) -> bytes:
    return text.encode("utf-8", "replace") if isinstance(text, str) else bytes(text)


def is_zero(text: str) -> bool:
    """Return whether the JSON number *text* is 0."""
    return not text.strip("-0.") or not any(digit in "123456789" for digit in text.partition("e")[0])


class _Book:
    """One ``book_change`` as it grows: released updates are merged into the snapshot that they follow."""

    __slots__ = ("asks", "bids", "head", "is_snapshot", "symbol", "tail")

    def __init__(self, symbol: str, is_snapshot: bool, bids: Pairs, asks: Pairs, head: str, tail: str) -> None:
        self.symbol = symbol
        self.is_snapshot = is_snapshot
        self.bids = bids
        self.asks = asks
        self.head = head
        self.tail = tail

    def text(self) -> str:
        flag = "true" if self.is_snapshot else "false"
        return f'{self.head},"isSnapshot":{flag},"bids":[{_text(self.bids)}],"asks":[{_text(self.asks)}],{self.tail}'


def _text(levels: Pairs) -> str:
    return ",".join([f'{{"price":{price},"amount":{size}}}' for price, size in levels])


def _merge(levels: Pairs, changes: Pairs) -> None:
    """Replace the levels of equal price by *changes*, and append the others; a removed one stays with the amount 0."""
    places = {price: place for place, (price, _) in enumerate(levels)}
    for change in changes:
        place = places.get(change[0])
        if place is None:
            levels.append(change)
        else:
            levels[place] = change


class _Ticker:
    """What is known of one contract: ``derivative_ticker`` tells all of it whenever one thing changed."""

    __slots__ = ("stamp_ns", "values")

    def __init__(self) -> None:
        self.values = [""] * len(TICKER_KEYS)
        self.stamp_ns = 0


class NormaliseSink:
    """Turns what an adapter writes into messages in Tardis's normalised form; see :class:`quotewright.tape.sink.Sink`.

    Args:
        exchange: What the messages name the exchange.
        shows_percent: Volatilities are shown in percent, as ``FeedAdapter.shows_percent`` says of the venue.

    After each frame :meth:`take` gives the messages that it made. Gaps, states and changes of instruments have no
    normalised message; trades outside the market (``NO_MARKET``) are left out.
    """

    def __init__(self, exchange: str, shows_percent: bool = False) -> None:
        self.exchange = exchange
        self.shows_percent = shows_percent
        self.is_open = False
        self._exchange = json.dumps(exchange)
        self._names: dict[str, str] = {}
        self._tickers: dict[str, _Ticker] = {}
        self._seconds: dict[int, str] = {}
        # What this input made, by kind, in the order in which Tardis lists them.
        self._trades: list[str] = []
        self._books: list[_Book] = []
        self._ticker_texts: list[str] = []
        self._liquidations: list[str] = []
        self._options: list[str] = []
        self._quotes: list[str] = []
        # What the message under way made.
        self._symbol = ""
        self._flags = 0
        self._stamp_ns = 0
        self._tail = ""
        self._new_trades: list[str] = []
        self._new_liquidations: list[str] = []
        self._new_options: list[str] = []
        self._new_quotes: list[str] = []
        self._bids: Pairs = []
        self._asks: Pairs = []
        self._has_book = False
        self._is_snapshot = False
        self._changes: list[tuple[int, str]] = []

    def take(self) -> list[str]:
        """Return the messages made since the last call as JSON texts: of several kinds, in a fixed order of kinds."""
        if self._books:
            texts = [*self._trades, *[book.text() for book in self._books], *self._ticker_texts]
            self._books.clear()
        elif self._trades or self._ticker_texts:
            texts = [*self._trades, *self._ticker_texts]
        else:
            texts = []
        self._trades.clear()
        self._ticker_texts.clear()
        for made in (self._liquidations, self._options, self._quotes):
            if made:
                texts += made
                made.clear()
        return texts

    # The Sink protocol.

    def begin(
        self, symbol: str, event_ns: int, receive_ns: int, flags: int = 0, id: int = 0, stamp_ns: int = 0
    ) -> bool:
        if self.is_open:
            raise InputError(f"{self._symbol}: the message before was neither ended nor abandoned")
        self._symbol = symbol
        self._flags = flags
        self._stamp_ns = stamp_ns or event_ns or receive_ns
        receive_ns = receive_ns or self._stamp_ns
        self._tail = f'"timestamp":"{self._time(self._stamp_ns)}","localTimestamp":"{self._time(receive_ns)}"}}'
        self._has_book = self._is_snapshot = False
        self.is_open = True
        return True

    def snapshot(self) -> None:
        self._require_open()
        self._has_book = self._is_snapshot = True

    def bid(self, price: Text, size: Text) -> None:
        self._require_open()
        self._bids.append((self._price(price, "bid price"), self._size(size, "bid size")))
        self._has_book = True

    def offer(self, price: Text, size: Text) -> None:
        self._require_open()
        self._asks.append((self._price(price, "offer price"), self._size(size, "offer size")))
        self._has_book = True

    def bids(self, levels: JsonArray) -> None:
        self._bids += self._levels(levels, "bids")
        self._has_book = True

    def offers(self, levels: JsonArray) -> None:
        self._asks += self._levels(levels, "offers")
        self._has_book = True

    def trade(self, side: int, price: Text, size: Text, id: int, flags: int = 0, name: str = "") -> None:
        text = self._print("trade", side, price, size, id, name)
        if not flags & NO_MARKET:
            self._new_trades.append(text)

    def liquidation(self, side: int, price: Text, size: Text, id: int = 0, name: str = "") -> None:
        self._new_liquidations.append(self._print("liquidation", side, price, size, id, name))

    def best(self, bid: Text, bid_size: Text, offer: Text, offer_size: Text) -> None:
        self._require_open()
        offer_size_text = self._told(offer_size, "best offer size")
        offer_text = self._told(offer, "best offer")
        bid_text = self._told(bid, "best bid")
        bid_size_text = self._told(bid_size, "best bid size")
        if (bid_size_text and not bid_text) or (offer_size_text and not offer_text):
            raise InputError(
                f"{self._symbol} best {'offer' if bid_text else 'bid'} should be positive, there is a size"
            )
        text = self._head("book_ticker") + ","
        if offer_size_text:
            text += f'"askAmount":{offer_size_text},'
        if offer_text:
            text += f'"askPrice":{offer_text},'
        if bid_text:
            text += f'"bidPrice":{bid_text},'
        if bid_size_text:
            text += f'"bidAmount":{bid_size_text},'
        self._new_quotes.append(text + self._tail)

    def mark(self, price: Text) -> None:
        self._change(MARK, self._price(price, "mark price"))

    def index(self, price: Text) -> None:
        self._change(INDEX, self._price(price, "index price"))

    def last(self, price: Text) -> None:
        self._change(LAST, self._size(price, "last price"))

    def funding(self, rate: Text, next_ns: int) -> None:
        self._change(FUNDING, number(rate, f"{self._symbol} funding rate"))
        if next_ns:
            self._change(FUNDING_TIME, f'"{self._time(next_ns)}"')

    def predicted_funding(self, rate: Text) -> None:
        self._change(PREDICTED, number(rate, f"{self._symbol} predicted funding rate"))

    def open_interest(self, size: Text) -> None:
        self._change(INTEREST, self._size(size, "open interest"))

    def option(self, summary: OptionSummary) -> None:
        self._require_open()
        fields = [self._head("option_summary")]
        if summary.right in RIGHTS:
            fields.append(f'"optionType":"{RIGHTS[summary.right]}"')
        if len(summary.strike):
            fields.append(f'"strikePrice":{self._price(summary.strike, "strike")}')
        if summary.expiry_ns:
            fields.append(f'"expirationDate":"{self._time(summary.expiry_ns)}"')
        for key, text in (
            ("bestBidPrice", self._told(summary.bid_price, "bid price")),
            ("bestBidAmount", self._told(summary.bid_size, "bid size")),
            ("bestBidIV", self._volatility(summary.bid_iv, "bid volatility", keeps_zero=False)),
            ("bestAskPrice", self._told(summary.offer_price, "offer price")),
            ("bestAskAmount", self._told(summary.offer_size, "offer size")),
            ("bestAskIV", self._volatility(summary.offer_iv, "offer volatility", keeps_zero=False)),
            ("lastPrice", self._told(summary.last_price, "last price")),
            ("openInterest", self._told(summary.open_interest, "open interest", keeps_zero=True)),
            ("markPrice", self._told(summary.mark_price, "mark price", keeps_zero=True)),
            ("markIV", self._volatility(summary.mark_iv, "mark volatility", keeps_zero=True)),
            ("delta", self._greek(summary.delta, "delta")),
            ("gamma", self._greek(summary.gamma, "gamma")),
            ("vega", self._greek(summary.vega, "vega")),
            ("theta", self._greek(summary.theta, "theta")),
            ("rho", self._greek(summary.rho, "rho")),
            ("underlyingPrice", self._told(summary.underlying_price, "underlying price")),
        ):
            if text:
                fields.append(f'"{key}":{text}')
        fields.append(f'"underlyingIndex":{json.dumps(summary.underlying_index)}')
        self._new_options.append(",".join([*fields, self._tail]))

    def status(self, status: int) -> None:
        self._require_open()

    def change(self, tick: Text, lot: Text) -> None:
        self._price(tick, "tick")
        self._price(lot, "lot")

    def gap(self, missing: int = 0) -> None:
        self._require_open()

    def resync(self) -> None:
        self._require_open()

    def end(self) -> None:
        if not self.is_open:
            return
        self.is_open = False
        if self._has_book:
            self._end_book()
        if self._new_trades:
            self._trades += self._new_trades
            self._new_trades.clear()
        if self._changes:
            self._end_ticker()
        for new, made in (
            (self._new_liquidations, self._liquidations),
            (self._new_options, self._options),
            (self._new_quotes, self._quotes),
        ):
            if new:
                made.extend(new)
                new.clear()

    def abandon(self) -> None:
        self.is_open = False
        self._bids, self._asks = [], []
        for new in (self._new_trades, self._new_liquidations, self._new_options, self._new_quotes):
            new.clear()
        self._changes.clear()

    # How messages are made.

    def _end_book(self) -> None:
        bids, self._bids = self._bids, []
        asks, self._asks = self._asks, []
        books = self._books
        if self._flags & RELEASED and not self._is_snapshot and books:
            last = books[-1]
            if last.is_snapshot and last.symbol == self._symbol:
                _merge(last.bids, bids)
                _merge(last.asks, asks)
                return
        books.append(_Book(self._symbol, self._is_snapshot, bids, asks, self._head("book_change"), self._tail))

    def _end_ticker(self) -> None:
        """Note what changed of a contract, and tell all that is known of it if anything did."""
        ticker = self._tickers.get(self._symbol)
        if ticker is None:
            if len(self._tickers) >= SYMBOL_LIMIT:
                del self._tickers[next(iter(self._tickers))]
            ticker = self._tickers[self._symbol] = _Ticker()
        changes, self._changes = self._changes, []
        values = ticker.values
        has_changed = False
        for field, text in changes:
            if text != values[field]:
                has_changed = has_changed or not _is_same(text, values[field])
                values[field] = text
        ticker.stamp_ns = max(ticker.stamp_ns, self._stamp_ns)
        if has_changed:
            fields = [f'"{key}":{text}' for key, text in zip(TICKER_KEYS, values, strict=True) if text]
            tail = f'"timestamp":"{self._time(ticker.stamp_ns)}",' + self._tail.partition(",")[2]
            self._ticker_texts.append(",".join([self._head("derivative_ticker"), *fields, tail]))

    def _change(self, field: int, text: str) -> None:
        self._require_open()
        self._changes.append((field, text))

    def _print(self, kind: str, side: int, price: Text, size: Text, id: int, name: str) -> str:
        """Return a trade or a liquidation; an id of 0 without a name is none."""
        self._require_open()
        word = SIDES.get(side)
        if word is None:
            raise InputError(f"{self._symbol}: side should be 0, 1 (buy) or 2 (sell), was {side}")
        shown_id = f'"id":{json.dumps(name)},' if name else f'"id":"{id}",' if id else ""
        return (
            f'{self._head(kind)},{shown_id}"price":{self._price(price, kind + " price")},'
            f'"amount":{self._size(size, kind + " size")},"side":"{word}",{self._tail}'
        )

    def _head(self, kind: str) -> str:
        symbol = self._names.get(self._symbol)
        if symbol is None:
            if len(self._names) >= SYMBOL_LIMIT:
                self._names.clear()
            symbol = self._names[self._symbol] = json.dumps(self._symbol)
        return f'{{"type":"{kind}","symbol":{symbol},"exchange":{self._exchange}'

    def _levels(self, levels: JsonArray, field: str) -> Pairs:
        """Return the levels of a JSON array as pairs of JSON numbers."""
        self._require_open()
        text = str(levels, "utf-8", "replace") if isinstance(levels, bytes | bytearray) else _decoded(levels)
        if _LEVELS.fullmatch(text):
            return _ONE_LEVEL.findall(text)
        if _DONE_LEVELS.fullmatch(text):
            found = _ONE_DONE_LEVEL.findall(text)
            return [(price, "0" if word == "delete" else size) for word, price, size in found]
        try:
            rows = _RAW_LEVELS.decode(levels)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise InputError(f"{self._symbol} {field} should be an array of levels ({error})") from None
        pairs = []
        for place, row in enumerate(rows):
            word = bytes(row[0]) if row else b""
            if word in WORDS:
                del row[0]
            if len(row) < 2:
                raise InputError(f"{self._symbol} {field}[{place}] should be [price, size]")
            price, size = _unquoted(row[0]), _unquoted(row[1])
            size_text = self._size(size, f"{field}[{place}][1]")
            pairs.append((self._price(price, f"{field}[{place}][0]"), "0" if word == b'"delete"' else size_text))
        return pairs

    def _price(self, price: Text, what: str) -> str:
        text = number(price, f"{self._symbol} {what}")
        if text[0] == "-" or is_zero(text):
            raise InputError(f"{self._symbol} {what} should be positive, was {shown(_bytes(price))}")
        return text

    def _size(self, size: Text, what: str) -> str:
        text = number(size, f"{self._symbol} {what}")
        if text[0] == "-":
            if not is_zero(text):
                raise InputError(f"{self._symbol} {what} should not be negative, was {shown(_bytes(size))}")
            return text[1:]
        return text

    def _told(self, value: Text, what: str, keeps_zero: bool = False) -> str:
        """Return a number that is not negative; empty where there is none: by most venues' telling, 0 is none."""
        if not len(value):
            return ""
        text = self._size(value, what)
        return "" if not keeps_zero and is_zero(text) else text

    def _volatility(self, value: Text, what: str, keeps_zero: bool) -> str:
        text = self._told(value, what, keeps_zero)
        return _hundredfold(text) if text and self.shows_percent else text

    def _greek(self, value: Text, what: str) -> str:
        return number(value, f"{self._symbol} {what}") if len(value) else ""

    def _require_open(self) -> None:
        if not self.is_open:
            raise InputError("a row was written before a message was begun")

    def _time(self, time_ns: int) -> str:
        """Return a time as ISO 8601 with milliseconds, and with microseconds where there are any."""
        second, rest = divmod(time_ns, 1_000_000_000)
        text = self._seconds.get(second)
        if text is None:
            if len(self._seconds) >= 1024:
                self._seconds.clear()
            text = self._seconds[second] = _second(second)
        micros = rest // 1_000
        return f"{text}.{micros:06d}Z" if micros % 1_000 else f"{text}.{micros // 1_000:03d}Z"


def _decoded(levels: memoryview | msgspec.Raw) -> str:
    return str(memoryview(levels), "utf-8", "replace")


def _unquoted(raw: msgspec.Raw) -> bytes:
    """Return a number that may stand in quotes."""
    text = bytes(raw).strip()
    return text[1:-1] if len(text) > 1 and text[:1] == text[-1:] == b'"' else text


def _second(second: int) -> str:
    try:
        return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%S}"
    except (OverflowError, ValueError, OSError):
        raise InputError(f"a time should lie between the years 1 and 9999, was {second} s since 1970") from None


def _is_same(one: str, other: str) -> bool:
    """Return whether two JSON numbers (or quoted times) are the same to a reader with binary floats."""
    if not other or one[0] == '"':
        return False
    return float(one) == float(other)


def _hundredfold(text: str) -> str:
    """Return a JSON number times 100, by its digits."""
    from decimal import Context, Decimal

    moved = Decimal(text).scaleb(2, Context(prec=500, Emax=10**9, Emin=-(10**9)))
    return f"{moved:f}" if abs(moved.adjusted()) < 40 else str(moved).lower()
