"""The role of an order wire: how one market's orders are placed, changed, followed and asked for.

Like a feed's wire it is pure: what is to be sent comes out as bytes, what was received goes in, and there is no socket
and no clock. It knows the venue's words, signatures and errors; when something is sent, and what is believed, is
decided by :mod:`quotewright.live.order_session`. Interface version 1; see ``docs/live-venues.md``.

Prices, quantities, fees are decimal texts in the venue's own units; times are int nanoseconds; a *stamp* is the time
put into a signed request: the local clock moved by what the venue's clock was found to differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias

import attrs

from quotewright.wire import KeepAlive, Request, Window

if TYPE_CHECKING:
    from quotewright.live.deadman import DeadManRule

EXECUTION_INTERFACE_VERSION = 1

Ask = Literal[
    "place", "amend", "cancel", "cancel_all", "order", "open_orders", "fills", "account", "login", "renew", "countdown"
]
"""What a signed request is about; an answer is read by it. ``place``, ``amend`` and ``cancel`` are writes."""

Status = Literal["pending", "open", "filled", "canceled", "rejected"]


@attrs.frozen(kw_only=True)
class OrderLimits:
    """What the venue allows; empty: it states nothing."""

    requests: tuple[Window, ...] = ()
    """Weights of HTTP requests from one address."""
    orders: tuple[Window, ...] = ()
    """New orders of one account, by whatever way."""
    connects: tuple[Window, ...] = ()
    sends: tuple[Window, ...] = ()
    """Frames on one connection."""
    life_ns: int = 0
    """The venue closes a connection that is so old."""


@attrs.frozen(kw_only=True)
class Placing:
    """An order to place. *price* empty: a market order. *side* is BUY or SELL of :mod:`quotewright.kernel.codes`."""

    client_id: str
    symbol: str
    side: int
    price: str
    quantity: str
    time_in_force: int = 0
    """As :class:`~quotewright.model.orders.TimeInForce`: 0 GTC, 1 IOC, 2 FOK."""
    post_only: bool = False
    reduce_only: bool = False


@attrs.frozen(kw_only=True)
class Amending:
    """A change of an order to *price* and the total *quantity*, filled part included."""

    client_id: str
    symbol: str
    side: int
    price: str
    quantity: str
    keeps_price: bool = False
    """Whether only the quantity changes, and becomes less."""


@attrs.frozen
class Frame:
    """One frame for the line called *line*; its answer comes back as :class:`Answered` with the request's number."""

    line: str
    data: bytes = attrs.field(repr=False)
    weight: int = 0


Message: TypeAlias = Request | Frame


# What the venue tells.


@attrs.frozen(kw_only=True)
class OrderSeen:
    """An order as the venue states it, in an answer or on the private stream."""

    client_id: str
    symbol: str
    venue_id: str
    status: Status
    side: int
    price: str
    quantity: str
    filled: str
    """Executed so far."""
    event_ns: int
    """Venue time of what is told; 0: it tells none."""
    reason: str = ""
    """Why it was canceled or rejected, as ``CancelReason`` or ``RejectReason`` of :mod:`quotewright.model.orders`."""
    text: str = ""


@attrs.frozen(kw_only=True)
class Execution:
    """One fill of an order of ours. *fee* positive: a charge. *filled* is the order's sum with it, empty: not told."""

    client_id: str
    """Empty where the venue tells its own id only."""
    symbol: str
    venue_id: str
    side: int
    fill_id: str
    """Unique per venue and symbol."""
    price: str
    quantity: str
    is_maker: bool
    fee: str
    fee_currency: str
    event_ns: int
    filled: str = ""


@attrs.frozen
class BalanceSeen:
    """What the account has of *currency*: *free* to be used, *locked* by orders."""

    currency: str
    free: str
    locked: str


@attrs.frozen
class PositionSeen:
    """The account's position in a derivative, signed."""

    symbol: str
    quantity: str
    entry_price: str


@attrs.frozen
class Login:
    """What a line's address needs, such as a listen key."""

    token: str


@attrs.frozen
class Fault:
    """Why a request was no success. A closed list of outcomes decides what follows:

    ``reject``: the venue did not do it, *reason* says why. ``ambiguous``: it may have been done; nobody sends it
    again, it is asked for. ``retry_after``: it was surely not done, and nothing is to be sent for *wait_ns*
    (*is_ban*: not even cancels). ``fatal``: nothing signed by this key will be taken; *kind* says what is wrong.
    ``absent``: the order asked for, cancelled or changed is not open there, or not known.
    """

    outcome: Literal["reject", "ambiguous", "retry_after", "fatal", "absent"]
    code: str = ""
    text: str = ""
    reason: str = "venue"
    wait_ns: int = 0
    is_ban: bool = False
    kind: Literal["key", "signature", "skew"] = "key"
    is_of_orders: bool = False
    """Of ``retry_after``: only new orders have to wait, requests may go on."""


Told: TypeAlias = OrderSeen | Execution | BalanceSeen | PositionSeen | Login


@attrs.frozen(kw_only=True)
class Reading:
    """An answer read: what it tells, or what is wrong. *weights*: the venue's own count by name of window."""

    told: tuple[Told, ...] = ()
    fault: Fault | None = None
    weights: Mapping[str, int] = attrs.field(factory=dict)


# What comes on a line.


@attrs.frozen
class Answered:
    """The answer to the frame with this request *number*; it is read by :meth:`OrderWire.read`."""

    number: int
    status: int
    body: bytes


@attrs.frozen
class Ready:
    """The line serves: private events come from now on."""


@attrs.frozen
class Gone:
    """The line's login has ended, or the line will close: it is opened anew."""

    text: str
    is_login: bool = False


@attrs.frozen
class Respond:
    """The venue wants these frames back at once."""

    frames: tuple[bytes, ...]


Heard: TypeAlias = Told | Answered | Ready | Gone | Respond


@attrs.frozen(kw_only=True)
class Line:
    """One private connection. *needs_login*: its address holds the token of a login.

    *is_private*: our own orders' events come here; *is_entry*: frames that place orders go here.
    """

    name: str
    needs_login: bool = False
    is_private: bool = True
    is_entry: bool = False
    keep_alive: KeepAlive = attrs.field(factory=KeepAlive)


@attrs.frozen(kw_only=True)
class LoginRule:
    """How long a login holds after it was made or renewed, and how soon it is renewed."""

    life_ns: int
    renew_ns: int


class OrderWire:
    """Base class: override what the venue has. Methods that build are called once per message and never fail."""

    interface_version = EXECUTION_INTERFACE_VERSION
    limits = OrderLimits()
    receive_window_ns = 5_000_000_000
    """A signed request that arrives later than so long after its stamp is refused by the venue: a lost write that the
    venue does not know after that time was never done."""
    has_amend = True
    keeps_priority_on_reduce = False
    login_rule: LoginRule | None = None
    dead_man: DeadManRule | None = None
    client_id_length = 36

    def lines(self) -> tuple[Line, ...]:
        """Return the private connections that are wanted; at least one is private."""
        raise TypeError(f"{type(self).__name__} lacks lines()")

    def url(self, line: str, token: str) -> str:
        """Return where *line* is opened; *token* is that of the login, empty without one."""
        raise TypeError(f"{type(self).__name__} lacks url()")

    def greeting(self, line: str, stamp_ns: int, number: int) -> tuple[bytes, ...]:
        """Return what is sent once the line is open; empty: the line is ready then."""
        return ()

    # Requests; *number* is unique to the session and comes back with the answer of a frame.

    def place(self, order: Placing, stamp_ns: int, number: int, *, by_rest: bool = False) -> Message:
        """Return what places *order*; *by_rest*: the entry line is down, use HTTP."""
        raise TypeError(f"{type(self).__name__} lacks place()")

    def amend(self, order: Amending, stamp_ns: int, number: int, *, by_rest: bool = False) -> Message | None:
        """Return what changes an order; None: the venue has no such change."""
        return None

    def cancel(self, symbol: str, client_id: str, stamp_ns: int, number: int, *, by_rest: bool = False) -> Message:
        """Return what cancels one order."""
        raise TypeError(f"{type(self).__name__} lacks cancel()")

    def cancel_all(self, symbol: str, stamp_ns: int) -> Request:
        """Return what cancels every order of *symbol*."""
        raise TypeError(f"{type(self).__name__} lacks cancel_all()")

    def order(self, symbol: str, client_id: str, stamp_ns: int) -> Request:
        """Return what asks for one order, open or ended."""
        raise TypeError(f"{type(self).__name__} lacks order()")

    def open_orders(self, symbol: str, stamp_ns: int) -> Request:
        """Return what asks for every open order of *symbol*."""
        raise TypeError(f"{type(self).__name__} lacks open_orders()")

    def fills(self, symbol: str, after_id: str, since_ns: int, stamp_ns: int) -> Request:
        """Return what asks for our fills of *symbol*, oldest first: those after the fill *after_id*, or, if that is
        empty, since venue time *since_ns*."""
        raise TypeError(f"{type(self).__name__} lacks fills()")

    def has_more_fills(self, body: bytes) -> bool:
        """Return whether an answer to :meth:`fills` was a full page, so that more may follow."""
        return False

    def account(self, stamp_ns: int) -> Sequence[Request]:
        """Return what asks for balances and positions."""
        raise TypeError(f"{type(self).__name__} lacks account()")

    def login(self, stamp_ns: int) -> Request | None:
        """Return what asks for a new token; None: lines need none."""
        return None

    def renew(self, token: str, stamp_ns: int) -> Request | None:
        """Return what makes *token* hold on."""
        return None

    def countdown(self, symbol: str, window_ns: int, stamp_ns: int) -> Request | None:
        """Return what arms the venue's dead-man switch anew, 0 turns it off; None: there is none."""
        return None

    def time_request(self) -> Request:
        """Return what asks for the venue's clock."""
        raise TypeError(f"{type(self).__name__} lacks time_request()")

    def server_time_ns(self, body: bytes) -> int:
        """Return the venue's clock in the answer to :meth:`time_request`; InputError if it tells none."""
        raise TypeError(f"{type(self).__name__} lacks server_time_ns()")

    # What comes back.

    def read(self, ask: Ask, status: int, headers: Mapping[str, str], body: bytes, symbol: str = "") -> Reading:
        """Read the answer to a request about *ask*; header names are in lower case. Never raises: what cannot be
        read is an ambiguous fault, or for a question one of ``retry_after``."""
        raise TypeError(f"{type(self).__name__} lacks read()")

    def heard(self, line: str, frame: bytes) -> Sequence[Heard]:
        """Read one frame of *line*; what is of no interest gives nothing.

        Raises:
            InputError: it cannot be read; says what came.
        """
        raise TypeError(f"{type(self).__name__} lacks heard()")
