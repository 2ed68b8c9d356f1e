"""Whole numbers of the matching core: commands, events, reasons, and how their rows are laid out."""

from typing import Final

# Kinds of a derivative.
LINEAR: Final = 1
INVERSE: Final = 2
OPTION: Final = 3

# Kinds of an order.
LIMIT: Final = 1
MARKET: Final = 2
STOP: Final = 3  # from here on conditional: a market order once triggered
STOP_LIMIT: Final = 4
TAKE_PROFIT: Final = 5
TAKE_PROFIT_LIMIT: Final = 6

# Time in force (the codes of quotewright.model.orders.TimeInForce).
GTC: Final = 0
IOC: Final = 1
FOK: Final = 2
GTD: Final = 3

# What a post-only order does where it would take.
NOT_POST_ONLY: Final = 0
POST_ONLY_REJECT: Final = 1
POST_ONLY_REPRICE: Final = 2

# What an amend does to the place in the queue.
QTY_DOWN_KEEPS: Final = 0
ALWAYS_REQUEUES: Final = 1
QTY_DOWN_ONLY: Final = 2

# What happens to a post-only order that is amended through the market.
CROSS_REJECT: Final = 0
CROSS_CANCEL: Final = 1

# What happens to a stop whose condition holds when it comes.
MET_REJECT: Final = 0
MET_TRIGGER: Final = 1

# Self-trade prevention: the mode of the taker decides.
NO_STP: Final = 0
STP_TAKER: Final = 1
STP_MAKER: Final = 2
STP_BOTH: Final = 3
STP_DECREMENT: Final = 4

# Reference prices.
LAST: Final = 0
MARK: Final = 1
INDEX: Final = 2
REF: Final = 3

# Phases.
TRADING: Final = 0
HALT: Final = 1
CANCEL_ONLY: Final = 2
POST_ONLY_PHASE: Final = 3
AUCTION: Final = 4

PHASE_NAMES: Final = ("trading", "halt", "cancel_only", "post_only", "auction")

# Marks of an order in ``new``: any of them, added.
IS_HIDDEN: Final = 1
IS_REDUCE_ONLY: Final = 2

# Flags of an order in the book; the two lowest bits hold its post-only code.
F_POST_ONLY: Final = 3
F_HIDDEN: Final = 4
F_ICEBERG: Final = 8
F_REDUCE: Final = 16
F_SPECIAL: Final = 28
F_MARKET: Final = 32
F_IOC: Final = 64
F_FOK: Final = 128
F_GTD: Final = 256
F_STP: Final = 3584
STP_SHIFT: Final = 9
F_CONDITIONAL: Final = 4096  # a stop or take-profit, waiting or triggered

# Where an order is that stands at no level: ``order_level``.
WAITING: Final = 0
ACTIVE: Final = -1
ELECTED: Final = -2

# Price rules: the band of limit prices, the range of executions.
BAND: Final = 0
RANGE: Final = 1

# Market protection.
BY_POINTS: Final = 1
BY_SHARE: Final = 2

# Numbers that stand for what a door could not turn into steps. KEEP in an amend: leave this as it is.
UNREADABLE: Final = -0x8000_0000_0000_0000
OFF_STEP: Final = -0x7FFF_FFFF_FFFF_FFFF
KEEP: Final = -0x7FFF_FFFF_FFFF_FFFE

MOST: Final = 0x3FFF_FFFF_FFFF_FFFF
"""Largest price and quantity in steps, and largest sum of open quantity on a side: 2**62 - 1."""

# Commands, and the columns of a command row.
NEW: Final = 1
CANCEL: Final = 2
CANCEL_ALL: Final = 3
AMEND: Final = 4
REFERENCE: Final = 5  # C_KIND: which, C_PRICE: whole steps
CLOCK: Final = 6  # C_EXPIRY: now
PHASE: Final = 7  # C_KIND: which
UNCROSS: Final = 8

COMMAND_WORDS: Final = 16
C_OPERATION: Final = 0
C_ORDER: Final = 1
C_ACCOUNT: Final = 2
C_SIDE: Final = 3
C_KIND: Final = 4
C_PRICE: Final = 5
C_QUANTITY: Final = 6
C_TIF: Final = 7
C_POST_ONLY: Final = 8
C_STP: Final = 9
C_DISPLAY: Final = 10
C_MARKS: Final = 11
C_TRIGGER: Final = 12
C_TRIGGER_BY: Final = 13
C_EXPIRY: Final = 14

# Events, and the columns of an event row.
ACCEPTED: Final = 1
REJECTED: Final = 2
TRADED: Final = 3
CANCELED: Final = 4
CANCEL_REJECTED: Final = 5
AMENDED: Final = 6
AMEND_REJECTED: Final = 7
REPRICED: Final = 8
REDUCED: Final = 9
REFRESHED: Final = 10
TRIGGERED: Final = 11
PHASE_CHANGED: Final = 12
UNCROSSED: Final = 13
CROSSED: Final = 14
FUNDED: Final = 15
SETTLED: Final = 16
LIQUIDATED: Final = 17
INSURED: Final = 18

EVENT_NAMES: Final = (
    "",
    "accepted",
    "rejected",
    "trade",
    "canceled",
    "cancel_rejected",
    "amended",
    "amend_rejected",
    "repriced",
    "reduced",
    "refreshed",
    "triggered",
    "phase",
    "uncrossed",
    "trade",
    "funding",
    "settled",
    "liquidation",
    "insurance",
)

EVENT_WORDS: Final = 11
E_TYPE: Final = 0
E_ORDER: Final = 1  # the maker in a trade, the buyer in an auction
E_OTHER: Final = 2  # the taker in a trade, the seller in an auction; -2 - account closes a liquidated position
E_PRICE: Final = 3
E_QUANTITY: Final = 4  # funding, settlement, insurance: which of the amounts
E_LEAVES: Final = 5
E_OTHER_LEAVES: Final = 6
E_CODE: Final = 7  # a reason; amended: 1 priority kept, 0 lost; trade: the taker's side; phase: which
E_ACCOUNT: Final = 8
E_OTHER_ACCOUNT: Final = 9
E_NUMBER: Final = 10  # of the trade, or of the acceptance

# The columns of a level change.
CHANGE_WORDS: Final = 4
H_SIDE: Final = 0
H_PRICE: Final = 1
H_QUANTITY: Final = 2
H_SEQUENCE: Final = 3

# Reasons, in the order in which the checks of a new order are made; then those of cancels and amends.
R_NONE: Final = 0
R_PHASE: Final = 1
R_DUPLICATE_ID: Final = 2
R_BAD_QTY: Final = 3
R_BAD_PRICE: Final = 4
R_TICK: Final = 5
R_LOT: Final = 6
R_MIN_QTY: Final = 7
R_MAX_QTY: Final = 8
R_MIN_NOTIONAL: Final = 9
R_PRICE_BAND: Final = 10
R_BAD_FLAGS: Final = 11
R_MAX_OPEN_ORDERS: Final = 12
R_REDUCE_ONLY: Final = 13
R_TRIGGER_MET: Final = 14
R_POST_ONLY: Final = 15
R_INSUFFICIENT_FUNDS: Final = 16
R_INSUFFICIENT_MARGIN: Final = 17
R_UNKNOWN_ORDER: Final = 18
R_ORDER_CLOSED: Final = 19
R_NOT_ALLOWED: Final = 20
R_USER: Final = 21
R_IOC: Final = 22
R_FOK: Final = 23
R_NO_LIQUIDITY: Final = 24
R_PROTECTION: Final = 25
R_AMEND_BELOW_FILLED: Final = 26
R_PRICE_RANGE: Final = 27
R_STP: Final = 28
R_EXPIRED: Final = 29
R_SETTLED: Final = 30
R_LIQUIDATION: Final = 31

REASON_NAMES: Final = (
    "",
    "phase",
    "duplicate_id",
    "bad_qty",
    "bad_price",
    "tick",
    "lot",
    "min_qty",
    "max_qty",
    "min_notional",
    "price_band",
    "bad_flags",
    "max_open_orders",
    "reduce_only",
    "trigger_met",
    "post_only",
    "insufficient_funds",
    "insufficient_margin",
    "unknown_order",
    "order_closed",
    "not_allowed",
    "user",
    "ioc",
    "fok",
    "no_liquidity",
    "protection",
    "amend_below_filled",
    "price_range",
    "stp",
    "expired",
    "settled",
    "liquidation",
)

NO_RANK: Final = -0x4000_0000_0000_0000
"""Best rank of an empty side: below every rank, and no taker reaches it."""
