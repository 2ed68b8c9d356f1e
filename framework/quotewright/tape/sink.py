"""What a feed adapter writes into: decimal text in, whole messages out. One adapter serves every sink."""

from __future__ import annotations

from typing import Protocol

Text = str | bytes
JsonArray = bytes | bytearray | memoryview
"""The raw JSON text of an array of levels: ``[["50000.10","1.5"],...]``; numbers may also stand without quotes."""


class Sink(Protocol):
    """One message at a time: :meth:`begin`, any number of rows, then :meth:`end` or :meth:`abandon`.

    A number that cannot be read exactly raises InputError naming the field; the caller then abandons the message,
    so that a message is written whole or not at all.
    """

    def begin(self, symbol: str, event_ns: int, receive_ns: int, flags: int = 0, id: int = 0) -> bool:
        """Start a message about *symbol* (the venue's spelling); False if it is not listed (the sink counts it).

        *event_ns* 0 means that the venue gave no time; *id* is the update or trade id that rows carry by default.
        """

    def snapshot(self) -> None:
        """The levels that follow replace the whole book."""

    def bid(self, price: Text, size: Text) -> None: ...

    def offer(self, price: Text, size: Text) -> None: ...

    def bids(self, levels: JsonArray) -> None:
        """Write every level of a JSON array; size 0 deletes."""

    def offers(self, levels: JsonArray) -> None: ...

    def trade(self, side: int, price: Text, size: Text, id: int, flags: int = 0) -> None:
        """*side* is the taker's: BUY, SELL or NO_SIDE."""

    def best(self, bid: Text, bid_size: Text, offer: Text, offer_size: Text) -> None: ...

    def mark(self, price: Text) -> None: ...

    def index(self, price: Text) -> None: ...

    def funding(self, rate: Text, next_ns: int) -> None: ...

    def liquidation(self, side: int, price: Text, size: Text, id: int = 0) -> None: ...

    def open_interest(self, size: Text) -> None: ...

    def gap(self, missing: int = 0) -> None:
        """The book of this message's symbol is stale from here."""

    def resync(self) -> None:
        """The snapshot of this message makes a stale book good again."""

    def end(self) -> None:
        """Finish the message: its last row carries the LAST flag. A message without rows leaves nothing."""

    def abandon(self) -> None:
        """Take back every row of the message begun."""
