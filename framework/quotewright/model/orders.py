"""Commands that leave the pipeline and reports that come back. Interface version 1.

Prices are whole ticks, quantities whole lots of the command's instrument, times int nanoseconds, money whole
numbers of 10^-18 of its currency. They are msgspec structs, because each is also a record of the input log.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Literal, TypeAlias

import msgspec

ORDER_INTERFACE_VERSION = 1


class Side(IntEnum):
    """Side of an order."""

    BUY = 1
    SELL = 2


class TimeInForce(IntEnum):
    """How long an order may rest."""

    GTC = 0
    IOC = 1
    FOK = 2


class OrderState(IntEnum):
    """Life of an order as seen here. PENDING_* and UNKNOWN count in the worst case like OPEN."""

    PENDING_NEW = 0
    OPEN = 1
    PENDING_AMEND = 2
    PENDING_CANCEL = 3
    UNKNOWN = 4
    FILLED = 5
    CANCELED = 6
    REJECTED = 7

    @property
    def is_live(self) -> bool:
        return self <= OrderState.UNKNOWN


class RiskState(IntEnum):
    """State of a risk rule; the system's state is the most severe active one."""

    NORMAL = 0
    WARNING = 1
    REDUCE_ONLY = 2
    CANCEL_ALL = 3
    HALT = 4


class NewOrder(msgspec.Struct, frozen=True, kw_only=True, tag="new"):
    """Place an order. ``price_ticks`` 0 means a market order."""

    order_number: int
    instrument: int
    side: int
    price_ticks: int
    quantity_lots: int
    time_in_force: int = 0
    post_only: bool = False
    reduce_only: bool = False
    strategy: str = ""


class CancelOrder(msgspec.Struct, frozen=True, kw_only=True, tag="cancel"):
    """Cancel one order."""

    order_number: int
    instrument: int
    strategy: str = ""


class AmendOrder(msgspec.Struct, frozen=True, kw_only=True, tag="amend"):
    """Change price and total quantity (filled part included) of one order."""

    order_number: int
    instrument: int
    price_ticks: int
    quantity_lots: int
    strategy: str = ""


Command: TypeAlias = NewOrder | CancelOrder | AmendOrder

RejectReason = Literal[
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
    "overload",
    "venue",
]
"""Why a venue rejects; ``venue`` stands for any reason not on the list, told in the report's ``text``."""

CancelReason = Literal[
    "user",
    "ioc",
    "fok",
    "no_liquidity",
    "protection",
    "amend_below_filled",
    "reduce_only",
    "stp",
    "expired",
    "phase",
    "session",
    "venue",
]


class Accepted(msgspec.Struct, frozen=True, kw_only=True, tag="accepted"):
    order_number: int
    event_ns: int
    receive_ns: int
    venue_order_id: str = ""


class Rejected(msgspec.Struct, frozen=True, kw_only=True, tag="rejected"):
    order_number: int
    event_ns: int
    receive_ns: int
    reason: str
    text: str = ""


class Fill(msgspec.Struct, frozen=True, kw_only=True, tag="fill"):
    """One execution. ``fee``: positive a charge, negative a rebate; ``fill_id`` is unique per venue and instrument."""

    order_number: int
    event_ns: int
    receive_ns: int
    fill_id: str
    price_ticks: int
    quantity_lots: int
    leaves_lots: int
    is_maker: bool
    fee: int
    fee_currency: str


class Canceled(msgspec.Struct, frozen=True, kw_only=True, tag="canceled"):
    order_number: int
    event_ns: int
    receive_ns: int
    reason: str
    leaves_lots: int = 0


class CancelRejected(msgspec.Struct, frozen=True, kw_only=True, tag="cancel_rejected"):
    order_number: int
    event_ns: int
    receive_ns: int
    reason: str


class Amended(msgspec.Struct, frozen=True, kw_only=True, tag="amended"):
    order_number: int
    event_ns: int
    receive_ns: int
    price_ticks: int
    quantity_lots: int
    leaves_lots: int
    keeps_priority: bool


class AmendRejected(msgspec.Struct, frozen=True, kw_only=True, tag="amend_rejected"):
    order_number: int
    event_ns: int
    receive_ns: int
    reason: str


class OrderUnknown(msgspec.Struct, frozen=True, kw_only=True, tag="unknown"):
    """The outcome of a command is not known: the order counts fully until the venue proves otherwise."""

    order_number: int
    event_ns: int
    receive_ns: int
    reason: str


class VenueState(msgspec.Struct, frozen=True, kw_only=True, tag="venue"):
    """Whether orders can be entered and followed at the venue now. It concerns no single order: its number is 0."""

    event_ns: int
    receive_ns: int
    is_good: bool
    reason: str = ""
    order_number: int = 0


class Payment(msgspec.Struct, frozen=True, kw_only=True, tag="payment"):
    """What a venue with ``reports_funding`` paid for a position held, apart from fills: its order number is 0.

    ``amount`` was received (below zero: charged), in 10^-18 of the settlement currency; ``rate`` (10^-15) and ``price``
    (10^-9 of quote currency) are what it was reckoned by, 0 if that was not told. A settlement closes the position at
    its ``price``, the amount is then not looked at.
    """

    instrument: int
    event_ns: int
    receive_ns: int
    what: Literal["funding", "settlement"]
    amount: int = 0
    rate: int = 0
    price: int = 0
    order_number: int = 0


Report: TypeAlias = (
    Accepted
    | Rejected
    | Fill
    | Canceled
    | CancelRejected
    | Amended
    | AmendRejected
    | OrderUnknown
    | VenueState
    | Payment
)
