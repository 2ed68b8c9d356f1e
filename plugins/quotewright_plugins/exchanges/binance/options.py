"""What Binance tells of its European options: trades, and summaries collected from several streams."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING

import attrs
import msgspec

from quotewright.errors import InputError
from quotewright.feed import BadFrame
from quotewright.kernel.codes import BUY, NO_MARKET, NO_SIDE, SELL
from quotewright.tape.sink import OptionSummary
from quotewright_plugins.exchanges.binance.messages import (
    OptionIndex,
    OptionInterest,
    OptionTold,
    OptionTrade,
    nanoseconds,
)
from quotewright_plugins.exchanges.binance.prints import Prints, plain

if TYPE_CHECKING:
    from quotewright.tape.sink import Sink

SIDES = {"BUY": BUY, "1": BUY, "SELL": SELL, "-1": SELL}
UNSIGNED = ("bo", "ao", "bq", "aq", "b", "a", "vo", "mp", "i")
SIGNED = ("d", "g", "v", "t")
"""Keys of a summary's numbers."""
NO_VOLATILITY = ("-1", "-1.0")
_RECENT = 256


@attrs.frozen
class OptionTerms:
    """What an option's symbol tells: ``BTC-251219-89000-C``."""

    base: str
    day: str
    strike: str
    right: str
    expiry_ns: int


@lru_cache(maxsize=20_000)
def option_terms(symbol: str) -> OptionTerms:
    """Return the terms of the option *symbol*, which expires at 8:00 UTC; InputError if it is none."""
    parts = symbol.split("-")
    if len(parts) == 4:
        base, day, strike, right = parts
        whole, _, fraction = strike.partition(".")
        digits = whole + fraction
        if base.isalnum() and day.isascii() and day.isdigit() and len(day) == 6 and right in ("C", "P"):
            try:
                moment = datetime(2000 + int(day[:2]), int(day[2:4]), int(day[4:]), 8, tzinfo=UTC)
            except ValueError:
                moment = None
            is_number = whole and digits.isascii() and digits.isdigit() and strike[-1] != "." and len(digits) <= 18
            if moment is not None and is_number and digits.strip("0"):
                return OptionTerms(base, day, strike, right, int(moment.timestamp()) * 1_000_000_000)
    raise InputError(f"binance: an option should be named like BTC-251219-89000-C, was {symbol[:64]!r}")


class _Option:
    """What streams beside the summary's own have told of one option."""

    __slots__ = ("interest", "last", "recent")

    def __init__(self) -> None:
        self.last = ""
        self.interest = ""
        self.recent: dict[int | str, None] = {}


class Options(Prints):
    """The part of the adapter that writes what only options have."""

    def __init__(self, is_spot: bool) -> None:
        super().__init__(is_spot)
        self._options: dict[str, _Option] = {}

    def _option(self, symbol: str, sent: str) -> _Option | None:
        """Return what is held of an option; None if it is not followed."""
        if self._symbol(symbol, sent) is None:
            return None
        option = self._options.get(symbol)
        if option is None:
            try:
                option_terms(symbol)
            except InputError as error:
                raise BadFrame("symbol", str(error)) from None
            option = self._options[symbol] = _Option()
        return option

    def _on_option_trade(self, event: OptionTrade, symbol: str, receive_ns: int, sink: Sink) -> None:
        option = self._option(symbol, event.s)
        if option is None:
            return
        if not event.q.strip("0.") and "0" in event.q:
            self.counters.empty_trades += 1
            return
        if event.t in option.recent:
            self.counters.duplicate_trades += 1
            return
        side = SIDES.get(event.S, NO_SIDE) if event.m is None else SELL if event.m else BUY
        # Block trades are agreed outside the book; messages show them all the same.
        flags = NO_MARKET if event.X and event.X != "MARKET" else 0
        number = event.t if isinstance(event.t, int) else _number(event.t)
        name = "" if str(number) == str(event.t) else str(event.t)
        if sink.begin(symbol, nanoseconds(event.T or event.E), receive_ns, flags, number):
            try:
                sink.trade(side, event.p, event.q, number, 0, name)
            except InputError:
                sink.abandon()
                raise
            sink.end()
        self.counters.trades += 1
        option.recent[event.t] = None
        if len(option.recent) > _RECENT:
            del option.recent[next(iter(option.recent))]

    def _on_option_told(self, event: OptionTold, symbol: str, receive_ns: int, sink: Sink) -> None:
        """Write a summary if this message has all that a summary holds, else keep what it tells for the next one."""
        option = self._option(symbol, event.s)
        if option is None:
            return
        last = option.last
        if event.c:
            last = "" if _is_none(event.c) else plain(event.c, f"{symbol} last price")
        if event.bo is msgspec.UNSET:
            if event.c:
                option.last = last
            return
        terms = option_terms(symbol)
        for key in UNSIGNED:
            text = getattr(event, key)
            if text and not (text in NO_VOLATILITY and key in ("b", "a", "vo")):
                plain(text, f"{symbol} {key}")
        for key in SIGNED:
            if text := getattr(event, key):
                plain(text, f"{symbol} {key}", True)
        index = f"{terms.base}USDT"
        bid, offer = _told(event.bo), _told(event.ao)
        is_ticker = not event.i
        sent_ns = nanoseconds(event.E)
        summary = OptionSummary(
            right=terms.right,
            strike=terms.strike,
            expiry_ns=terms.expiry_ns,
            bid_price=bid,
            bid_size=_told(event.bq),
            bid_iv=_volatility(event.b) if bid else "",
            offer_price=offer,
            offer_size=_told(event.aq),
            offer_iv=_volatility(event.a) if offer else "",
            last_price=last,
            open_interest=option.interest,
            mark_price=event.mp,
            # Tardis shows none for the ticker, which told all of it before December 2025.
            mark_iv="" if is_ticker and not self.is_sequenced else _volatility(event.vo),
            delta=event.d,
            gamma=event.g,
            vega=event.v,
            theta=event.t,
            underlying_price=event.i or self._indexes.get(index, ""),
            underlying_index=index,
        )
        if sink.begin(symbol, nanoseconds(event.T) or sent_ns, receive_ns, stamp_ns=sent_ns):
            try:
                sink.option(summary)
            except InputError:
                sink.abandon()
                raise
            sink.end()
        option.last = last

    def _on_option_interest(self, event: OptionInterest, symbol: str, receive_ns: int, sink: Sink) -> None:
        option = self._option(symbol, event.s)
        if option is not None:
            option.interest = plain(event.o, f"{symbol} open interest")

    def _on_option_index(self, event: OptionIndex, name: str, receive_ns: int, sink: Sink) -> None:
        if event.s != name:
            raise BadFrame("symbol", f"the stream of {name} carries {event.s!r}")
        if not _is_none(event.p):
            self._hold_index(name, event.p)


def _is_none(text: str) -> bool:
    """Return whether *text* is zero, by which the venue says that there is nothing."""
    return not text.strip("0.") and "0" in text


def _told(text: str) -> str:
    return "" if _is_none(text) else text


def _volatility(text: str) -> str:
    """Return a volatility; the venue writes -1 where there is none."""
    return "" if text in NO_VOLATILITY or _is_none(text) else text


def _number(text: str) -> int:
    """Return a number for a trade id that came as text: itself if it is one, else a stable one of 63 bits."""
    if text.isascii() and text.isdigit() and len(text) <= 18:
        return int(text)
    return int.from_bytes(blake2b(text.encode("utf-8", "replace"), digest_size=8).digest()) >> 1
