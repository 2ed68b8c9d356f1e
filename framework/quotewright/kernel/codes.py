"""Whole numbers that tape rows, orders and kernels share. Plain constants: each kernel declares its own copy in C."""

from typing import Final

# Sides: of a book level (bid, offer), of an order (buy, sell), of a trade (the taker's).
NO_SIDE: Final = 0
BID: Final = 1
OFFER: Final = 2
BUY: Final = 1
SELL: Final = 2

# Kinds of tape rows.
LEVEL_SET: Final = 1
LEVEL_DELETE: Final = 2
SNAPSHOT_BEGIN: Final = 3
ORDER_ADD: Final = 4
ORDER_REDUCE: Final = 5
ORDER_EXECUTE: Final = 6
ORDER_DELETE: Final = 7
TRADE: Final = 8
BEST_QUOTE: Final = 9  # one row for the bid and one for the offer, in one message
MARK: Final = 10  # price in 10^-9 of quote currency
INDEX: Final = 11  # price in 10^-9 of quote currency
FUNDING: Final = 12  # price holds the rate in 10^-15, size the next funding time in ns
LIQUIDATION: Final = 13  # side buy: a short was liquidated
OPEN_INTEREST: Final = 14
GAP: Final = 15  # the book is stale from here; size holds the number of updates known to be missing, 0 unknown
RESYNC: Final = 16  # the snapshot that follows makes the book good again
CONNECTION: Final = 17  # size 1 up, 0 down
INSTRUMENT_CHANGE: Final = 18  # price and size hold the new tick and lot in steps
STATUS: Final = 19  # size holds the instrument's state of trading
LAST_PRICE: Final = 20  # price in 10^-9 of quote currency, from a ticker; no trade
PREDICTED_FUNDING: Final = 21  # price holds the rate in 10^-15
BID_IV: Final = 22  # of an option, in 10^-9, as the two that follow
OFFER_IV: Final = 23
MARK_IV: Final = 24
DELTA: Final = 25  # greeks in 10^-9
GAMMA: Final = 26
VEGA: Final = 27
THETA: Final = 28
RHO: Final = 29
UNDERLYING: Final = 30  # price in 10^-9 of what the option is on

KIND_NAMES: Final = (
    "none",
    "level_set",
    "level_delete",
    "snapshot_begin",
    "order_add",
    "order_reduce",
    "order_execute",
    "order_delete",
    "trade",
    "best_quote",
    "mark",
    "index",
    "funding",
    "liquidation",
    "open_interest",
    "gap",
    "resync",
    "connection",
    "instrument_change",
    "status",
    "last_price",
    "predicted_funding",
    "bid_iv",
    "offer_iv",
    "mark_iv",
    "delta",
    "gamma",
    "vega",
    "theta",
    "rho",
    "underlying",
)

# States of trading of an instrument, in rows of kind STATUS.
TRADING: Final = 0
POST_ONLY: Final = 1  # orders may be placed, but only to rest
CANCEL_ONLY: Final = 2
HALTED: Final = 3  # nothing is matched; orders may stay
AUCTION: Final = 4  # orders collect; the book may be crossed
CLOSED: Final = 5  # not yet open, in delivery, delisted or expired

STATUS_NAMES: Final = ("trading", "post_only", "cancel_only", "halted", "auction", "closed")

# Flags of a row.
LAST: Final = 1  # last row of its message: a message applies whole or not at all
IN_SNAPSHOT: Final = 2
EVENT_ESTIMATED: Final = 4  # the venue gave no event time; it was estimated
AGGREGATED: Final = 8  # several fills of one taker at one price in one row
NO_MARKET: Final = 16  # a trade outside the book (insurance fund, auto-deleveraging)
RELEASED: Final = 32  # waited in a buffer; receive_ns is the time of release

# The word of a row: kind in bits 0-7, side in 8-15, flags in 16-31, instrument in 32-62.
SIDE_SHIFT: Final = 8
FLAG_SHIFT: Final = 16
INSTRUMENT_SHIFT: Final = 32
LAST_BIT: Final = 1 << 16
NO_MARKET_BIT: Final = 1 << 20  # the flag NO_MARKET in place
ROW_WORDS: Final = 6
MAX_INSTRUMENTS: Final = 1 << 20

# Offsets of the six words of a row.
EVENT: Final = 0
RECEIVE: Final = 1
PRICE: Final = 2
SIZE: Final = 3
ID: Final = 4
WORD: Final = 5

NOT_READ: Final = -0x4000_0000_0000_0000
"""What the scanner returns for a number that its quick path leaves alone."""

NEVER: Final = 0x7FFF_FFFF_FFFF_FFFF
"""A time that does not come: the largest int64."""

# Status of a book.
BOOK_EMPTY: Final = 0  # no snapshot yet
BOOK_GOOD: Final = 1
BOOK_SUSPECT: Final = 2  # crossed after a message: quotes are withheld; stale if the next message leaves it crossed
BOOK_STALE: Final = 3  # a gap, a failed check, silence, or still crossed: until the next snapshot

BOOK_STATUS_NAMES: Final = ("empty", "good", "suspect", "stale")

# States of an order and of the risk gate, and the one time in force that kernels use: the ints of model/orders.py.
PENDING_NEW: Final = 0
OPEN: Final = 1
PENDING_AMEND: Final = 2
PENDING_CANCEL: Final = 3
UNKNOWN: Final = 4
FILLED: Final = 5
CANCELED: Final = 6
REJECTED: Final = 7
NORMAL: Final = 0
WARNING: Final = 1
REDUCE_ONLY: Final = 2
CANCEL_ALL: Final = 3
HALT: Final = 4
IOC: Final = 1

REFERENCE_SCALE: Final = 9  # decimals of mark and index prices
RATE_SCALE: Final = 15  # decimals of funding rates
MONEY_SCALE: Final = 18  # money is a whole number of 10^-18 of its currency


def pack(kind: int, side: int, flags: int, instrument: int) -> int:
    """Return the word of a row."""
    return kind | side << SIDE_SHIFT | flags << FLAG_SHIFT | instrument << INSTRUMENT_SHIFT
