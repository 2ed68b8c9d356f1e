"""What the local exchange knows and tells: instruments, orders, fills and events. Numbers are exact Decimals.

Times are ns of the market clock. Records that are told in events are never changed afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Literal, TypeAlias

import attrs

Side = Literal["buy", "sell"]
Status = Literal["untriggered", "open", "partial", "filled", "canceled", "expired", "rejected"]
"""expired: ended by its own terms or by the exchange (IOC, FOK, post-only, GTD, self-trade prevention, liquidation)."""

ZERO = Decimal(0)


@attrs.frozen(kw_only=True)
class Listing:
    """One instrument as it is traded here. *settings* are the engine's (keys of ``instrument_defaults``)."""

    symbol: str
    """As the venue writes it: BTCUSDT. Unique on the exchange."""
    name: str
    """As quotewright writes it: BTC-USDT.spot@binance."""
    kind: Literal["spot", "linear", "inverse", "option"]
    base: str
    quote: str
    settle: str
    """Currency of margin, profit and fees of a derivative; the quote currency of spot."""
    settings: Mapping[str, object]
    price_decimals: int
    size_decimals: int

    @property
    def tick(self) -> Decimal:
        return Decimal(str(self.settings["tick"]))

    @property
    def lot(self) -> Decimal:
        return Decimal(str(self.settings["lot"]))


@attrs.frozen(kw_only=True)
class OrderRequest:
    """An order as a door hands it over. *quantity* None with *quote_quantity*: a market order with a budget."""

    symbol: str
    side: Side
    type: Literal["limit", "market", "stop", "stop_limit", "take_profit", "take_profit_limit"] = "limit"
    quantity: Decimal | None = None
    quote_quantity: Decimal | None = None
    price: Decimal | None = None
    tif: Literal["gtc", "ioc", "fok", "gtd"] = "gtc"
    expire_ns: int = 0
    post_only: Literal["", "reject", "reprice"] = ""
    reduce_only: bool = False
    display: Decimal | None = None
    hidden: bool = False
    stp: str = "none"
    """none, cancel_taker, cancel_maker, cancel_both, decrement."""
    trigger: Decimal | None = None
    trigger_by: Literal["last", "mark", "index"] = "last"
    client_id: str = ""
    """Empty: the exchange invents one."""
    labels: Mapping[str, str] = attrs.field(factory=dict)
    """What a door wants to be told again with the order (its own words for type, strategy ids, …)."""


@attrs.frozen(kw_only=True)
class FillRecord:
    """One side of one trade."""

    trade_id: int
    symbol: str
    order_id: int
    client_id: str
    account: str
    side: Side
    price: Decimal
    quantity: Decimal
    value: Decimal
    """In quote currency for spot and linear, in coin for inverse."""
    fee: Decimal
    """Positive a charge, negative a rebate."""
    fee_currency: str
    is_maker: bool
    realized: Decimal
    """Profit that this fill realised, in the settlement currency; zero for spot."""
    event_ns: int


@attrs.frozen(kw_only=True)
class OrderRecord:
    """One order as it stood at one moment: told anew after every change, never changed itself."""

    order_id: int
    client_id: str
    account: str
    request: OrderRequest
    """As it was sent; an amend makes a new one with the new price and quantity."""
    status: Status
    price: Decimal | None
    """Limit at which it works, after re-pricing; None for a market order."""
    quantity: Decimal
    """In total, the filled part included."""
    filled: Decimal = ZERO
    value: Decimal = ZERO
    """Of what was filled: the sum of price times quantity (linear, spot), in quote currency."""
    prevented: Decimal = ZERO
    """Taken away by self-trade prevention."""
    leaves: Decimal = ZERO
    reason: str = ""
    """Why it ended, in the engine's words: user, ioc, fok, no_liquidity, protection, stp, post_only, expired, …"""
    is_triggered: bool = False
    amends: int = 0
    created_ns: int = 0
    updated_ns: int = 0
    working_ns: int = 0
    """When it entered the book or the match; 0 before it was triggered."""

    @property
    def is_open(self) -> bool:
        return self.status in ("untriggered", "open", "partial")


@attrs.frozen(kw_only=True)
class Refused:
    """A command that was not carried out: *reason* is one of the engine's (``REASON_NAMES``), or one of these:

    ``unknown_symbol``, ``duplicate_client_id``, ``bad_client_id``, ``unknown_order``, ``order_closed``,
    ``quote_quantity``, ``account`` (closed for trading), ``max_stop_orders``, ``max_iceberg_orders``.
    """

    reason: str
    text: str = ""


# Events, in the order in which they happened. *sequence* counts up by one per account (private) or symbol (public).


@attrs.frozen(kw_only=True)
class OrderEvent:
    """An account's order changed. *what* names it; a trade carries its *fill*."""

    account: str
    sequence: int
    what: Literal[
        "accepted", "trade", "canceled", "amended", "triggered", "repriced", "reduced", "prevented", "refreshed"
    ]
    order: OrderRecord
    fill: FillRecord | None = None
    cause: str = ""
    """Client id of the request that caused it (of a cancel or amend), empty otherwise."""
    event_ns: int


@attrs.frozen(kw_only=True)
class BalanceEvent:
    """What an account has changed: *balances* are the changed currencies with (free, locked), after one command.

    *why*: ``order`` (lock or release), ``trade``, ``deposit``, ``withdrawal``, ``transfer``, ``funding``,
    ``settlement``, ``liquidation``. *delta* holds what came or went at a deposit, transfer or funding, *symbol* the
    instrument for which that was, if it was for one.
    """

    account: str
    sequence: int
    balances: Mapping[str, tuple[Decimal, Decimal]]
    why: str
    delta: Mapping[str, Decimal] = attrs.field(factory=dict)
    symbol: str = ""
    event_ns: int


@attrs.frozen(kw_only=True)
class PositionEvent:
    """A derivative position changed: signed quantity, mean entry price (zero if flat), realised profit in all."""

    account: str
    sequence: int
    symbol: str
    quantity: Decimal
    entry_price: Decimal
    realized: Decimal
    why: str
    event_ns: int


@attrs.frozen(kw_only=True)
class TradeEvent:
    """One match, told to everybody."""

    symbol: str
    trade_id: int
    price: Decimal
    quantity: Decimal
    side: Side
    """The taker's."""
    buy_order: int
    sell_order: int
    event_ns: int


@attrs.frozen(kw_only=True)
class DepthEvent:
    """Displayed levels that one command changed: ``(side, price, quantity)``, quantity zero where a level is gone."""

    symbol: str
    sequence: int
    """The book's: counts up by one per event."""
    changes: tuple[tuple[Literal["bid", "ask"], Decimal, Decimal], ...]
    event_ns: int


@attrs.frozen(kw_only=True)
class ReferenceEvent:
    """Mark, index or funding of an instrument: the newest of each."""

    symbol: str
    mark: Decimal | None
    index: Decimal | None
    funding_rate: Decimal
    funding_ns: int
    """When funding is paid next."""
    event_ns: int


@attrs.frozen(kw_only=True)
class PhaseEvent:
    """The state of trading of an instrument: trading, halt, cancel_only, post_only, auction."""

    symbol: str
    phase: str
    event_ns: int


@attrs.frozen(kw_only=True)
class LiquidationEvent:
    """An account's position is closed by force."""

    account: str
    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal
    event_ns: int


Event: TypeAlias = (
    OrderEvent | BalanceEvent | PositionEvent | TradeEvent | DepthEvent | ReferenceEvent | PhaseEvent | LiquidationEvent
)
