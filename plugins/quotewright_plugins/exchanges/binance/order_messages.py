"""The shapes of Binance's private messages, as msgspec structs, for spot and USD-M futures.

Source: Binance API documentation, third quarter of 2026. Where both markets write an order alike one shape reads both.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from quotewright_plugins.exchanges.binance.messages import Id, Stamp


class Fill(msgspec.Struct, gc=False):
    """One fill in the answer to a new spot order: what it took from the book."""

    price: str
    qty: str
    commission: str = "0"
    commissionAsset: str = ""
    tradeId: Id = -1


class Order(msgspec.Struct):
    """An order in an answer. ``origClientOrderId`` is its own id where ``clientOrderId`` is that of the request.

    ``qty`` stands in the answer to spot's amend in place of ``origQty``.
    """

    symbol: str
    orderId: Id
    clientOrderId: str
    status: str
    side: str
    price: str = "0"
    origQty: str = ""
    qty: str = ""
    executedQty: str = "0"
    timeInForce: str = ""
    type: str = ""
    origClientOrderId: str = ""
    transactTime: Stamp = 0
    updateTime: Stamp = 0
    fills: list[Fill] = []


class Amended(msgspec.Struct):
    """The answer to spot's amend."""

    amendedOrder: Order
    transactTime: Stamp = 0


class OwnTrade(msgspec.Struct, gc=False):
    """A fill in an answer; futures call ``buyer`` and ``maker`` what spot calls ``isBuyer`` and ``isMaker``."""

    symbol: str
    id: Id
    orderId: Id
    price: str
    qty: str
    commission: str
    commissionAsset: str
    time: Stamp
    isBuyer: bool | None = None
    isMaker: bool | None = None
    buyer: bool | None = None
    maker: bool | None = None


class Balance(msgspec.Struct, gc=False):
    asset: str
    free: str
    locked: str


class Account(msgspec.Struct):
    """Spot's ``/account``."""

    balances: list[Balance]


class Holding(msgspec.Struct, gc=False):
    """An entry of ``/v3/balance`` (with an asset) or of ``/v3/positionRisk`` (with a symbol)."""

    asset: str = ""
    balance: str = ""
    symbol: str = ""
    positionAmt: str = ""
    entryPrice: str = "0"


class ListenKey(msgspec.Struct):
    listenKey: str


class Renewed(msgspec.Struct):
    """The answer to a listen key's renewal, which may repeat the key."""

    listenKey: str = ""


class Subscription(msgspec.Struct):
    """The answer to a subscription of spot's private events."""

    subscriptionId: int


class Done(msgspec.Struct):
    """The answer to a cancel of all futures orders: nothing but a code."""

    code: Literal[200]


class Countdown(msgspec.Struct):
    """The answer to a countdown, which repeats what was asked for."""

    symbol: str
    countdownTime: str | int


class Time(msgspec.Struct):
    serverTime: int


# Events of spot.


class ExecutionReport(msgspec.Struct, gc=False):
    """An order of spot changed: ``x`` says how, ``X`` what it is now. ``C`` is its own id where ``c`` is a cancel's."""

    s: str
    c: str
    S: str
    o: str
    f: str
    q: str
    p: str
    x: str
    X: str
    i: Id
    z: str
    T: Stamp
    l: str = "0"  # noqa: E741  (the venue's key)
    L: str = "0"
    n: str | None = None
    N: str | None = None
    t: Id = -1
    m: bool = False
    C: str = ""
    r: str = "NONE"
    eR: str = ""


class Asset(msgspec.Struct, gc=False):
    a: str
    f: str
    l: str  # noqa: E741  (the venue's key)


class AccountPosition(msgspec.Struct):
    """outboundAccountPosition: the assets that changed."""

    B: list[Asset]


# Events of USD-M futures.


class OrderUpdate(msgspec.Struct, gc=False):
    """The order in ORDER_TRADE_UPDATE."""

    s: str
    c: str
    S: str
    o: str
    f: str
    q: str
    p: str
    x: str
    X: str
    i: Id
    z: str
    l: str = "0"  # noqa: E741  (the venue's key)
    L: str = "0"
    n: str | None = None
    N: str | None = None
    t: Id = 0
    m: bool = False
    er: str | int = "0"


class OrderTradeUpdate(msgspec.Struct):
    T: Stamp
    o: OrderUpdate


class Wallet(msgspec.Struct, gc=False):
    a: str
    wb: str


class Position(msgspec.Struct, gc=False):
    s: str
    pa: str
    ep: str = "0"


class AccountChange(msgspec.Struct):
    B: list[Wallet] = []
    P: list[Position] = []


class AccountUpdate(msgspec.Struct):
    """ACCOUNT_UPDATE: the wallets and positions that changed."""

    a: AccountChange


# Envelopes.


class Error(msgspec.Struct):
    """An error: the body of a failed request, or ``error`` in an answer of the WebSocket API."""

    code: int = 0
    msg: str = ""
    data: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class Pause(msgspec.Struct):
    """``data`` of an error about limits, in ms since the epoch."""

    retryAfter: int = 0
    serverTime: int = 0


class Counter(msgspec.Struct):
    rateLimitType: str
    interval: str
    intervalNum: int
    count: int = -1


class Envelope(msgspec.Struct):
    """A frame of a private line: an answer (``id``), an event, or an event in one of the venue's two wrappings.

    ``status`` is a number in answers of the WebSocket API, and a text in an order over REST.
    """

    e: str = ""
    id: int | str | None = None
    status: int | str = 0
    result: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    error: Error | None = None
    rateLimits: list[Counter] = []
    event: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    data: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    code: int | msgspec.UnsetType = msgspec.UNSET
    msg: str = ""


ENVELOPE = msgspec.json.Decoder(Envelope)
ERROR = msgspec.json.Decoder(Error)
PAUSE = msgspec.json.Decoder(Pause)
ORDER = msgspec.json.Decoder(Order)
ORDERS = msgspec.json.Decoder(list[Order])
AMENDED = msgspec.json.Decoder(Amended)
OWN_TRADES = msgspec.json.Decoder(list[OwnTrade])
ANY_LIST = msgspec.json.Decoder(list[msgspec.Raw])
ACCOUNT = msgspec.json.Decoder(Account)
HOLDINGS = msgspec.json.Decoder(list[Holding])
LISTEN_KEY = msgspec.json.Decoder(ListenKey)
RENEWED = msgspec.json.Decoder(Renewed)
SUBSCRIPTION = msgspec.json.Decoder(Subscription)
DONE = msgspec.json.Decoder(Done)
COUNTDOWN = msgspec.json.Decoder(Countdown)
TIME = msgspec.json.Decoder(Time)
EXECUTION_REPORT = msgspec.json.Decoder(ExecutionReport)
ACCOUNT_POSITION = msgspec.json.Decoder(AccountPosition)
ORDER_TRADE_UPDATE = msgspec.json.Decoder(OrderTradeUpdate)
ACCOUNT_UPDATE = msgspec.json.Decoder(AccountUpdate)
UNREADABLE = (msgspec.MsgspecError, RecursionError, UnicodeError, ValueError)
"""What reading a message may raise; InputError is a ValueError."""
