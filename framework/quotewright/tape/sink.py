"""What a feed adapter writes into: decimal text in, whole messages out. One adapter serves every sink."""

from __future__ import annotations

from typing import Protocol

import attrs

Text = str | bytes
JsonArray = bytes | bytearray | memoryview
"""The raw JSON text of an array of levels: ``[["50000.10","1.5"],...]``; numbers may also stand without quotes."""


@attrs.frozen(kw_only=True)
class OptionSummary:
    """What a venue tells of one option at a time, as text; empty: not told.

    Volatilities are fractions (``0.65``), greeks as the venue counts them, the expiry in ns.
    """

    right: str = ""
    """``C`` or ``P``."""
    strike: Text = ""
    expiry_ns: int = 0
    bid_price: Text = ""
    bid_size: Text = ""
    bid_iv: Text = ""
    offer_price: Text = ""
    offer_size: Text = ""
    offer_iv: Text = ""
    last_price: Text = ""
    open_interest: Text = ""
    mark_price: Text = ""
    mark_iv: Text = ""
    delta: Text = ""
    gamma: Text = ""
    vega: Text = ""
    theta: Text = ""
    rho: Text = ""
    underlying_price: Text = ""
    underlying_index: str = ""


class Sink(Protocol):
    """One message at a time: :meth:`begin`, any number of rows, then :meth:`end` or :meth:`abandon`.

    A number that cannot be read exactly raises InputError naming the field; the caller then abandons the message,
    so that a message is written whole or not at all.
    """

    def begin(
        self, symbol: str, event_ns: int, receive_ns: int, flags: int = 0, id: int = 0, stamp_ns: int = 0
    ) -> bool:
        """Start a message about *symbol* (the venue's spelling); False if it is not listed (the sink counts it).

        *event_ns* 0 means that the venue gave no time; *id* is the update or trade id that rows carry by default;
        *stamp_ns* is the time that the venue prints on the message where that is another one than *event_ns* (when
        it was sent, not when it happened): the tape has no use for it, normalised messages show it.
        """

    def snapshot(self) -> None:
        """The levels that follow replace the whole book."""

    def bid(self, price: Text, size: Text) -> None: ...

    def offer(self, price: Text, size: Text) -> None: ...

    def bids(self, levels: JsonArray) -> None:
        """Write every level of a JSON array; size 0 deletes."""

    def offers(self, levels: JsonArray) -> None: ...

    def trade(self, side: int, price: Text, size: Text, id: int, flags: int = 0, name: str = "") -> None:
        """*side* is the taker's: BUY, SELL or NO_SIDE; *name* the venue's id where that is no whole number."""

    def best(self, bid: Text, bid_size: Text, offer: Text, offer_size: Text) -> None:
        """Write the best quotes; an empty side has the size 0 or an empty text."""

    def mark(self, price: Text) -> None: ...

    def index(self, price: Text) -> None: ...

    def last(self, price: Text) -> None:
        """Write the last traded price as a ticker tells it; it is no trade."""

    def funding(self, rate: Text, next_ns: int) -> None:
        """Write the rate that is due at *next_ns* (0: not told)."""

    def predicted_funding(self, rate: Text) -> None:
        """Write the rate expected for the period after the next."""

    def liquidation(self, side: int, price: Text, size: Text, id: int = 0, name: str = "") -> None:
        """*side* is that of the forced order: BUY means that a short was liquidated."""

    def open_interest(self, size: Text) -> None: ...

    def option(self, summary: OptionSummary) -> None: ...

    def status(self, status: int) -> None:
        """Write that the instrument's state of trading is *status*, one of the codes of ``kernel/codes.py``."""

    def change(self, tick: Text, lot: Text) -> None:
        """Write that tick and lot of the instrument are these from now on."""

    def gap(self, missing: int = 0) -> None:
        """The book of this message's symbol is stale from here."""

    def resync(self) -> None:
        """The snapshot of this message makes a stale book good again."""

    def end(self) -> None:
        """Finish the message: its last row carries the LAST flag. A message without rows leaves nothing."""

    def abandon(self) -> None:
        """Take back every row of the message begun."""
