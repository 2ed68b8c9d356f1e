"""What Binance tells on its private lines: events and answers of one frame, for spot and for USD-M futures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

import msgspec

from quotewright.errors import InputError
from quotewright.execution import (
    Answered,
    BalanceSeen,
    Execution,
    Gone,
    Heard,
    OrderSeen,
    PositionSeen,
    Status,
)
from quotewright.kernel.codes import BUY, SELL
from quotewright_plugins.exchanges.binance import order_messages as messages
from quotewright_plugins.exchanges.binance.messages import nanoseconds

if TYPE_CHECKING:
    from quotewright.model.cards import VenueCard

SIDES: Final[Mapping[str, int]] = {"BUY": BUY, "SELL": SELL}
EXPIRIES: Final[Mapping[str, str]] = {
    "UNFILLED_IOC_QUANTITY_EXPIRED": "ioc",
    "UNFILLED_FOK_ORDER_EXPIRED": "fok",
    "INSUFFICIENT_LIQUIDITY": "no_liquidity",
    "EXECUTION_RULE_PRICE_RANGE_EXCEEDED": "protection",
    "1": "stp",
    "2": "ioc",
    "3": "stp",
    "4": "reduce_only",
    "5": "venue",
    "6": "expired",
    "7": "phase",
    "8": "expired",
    "9": "no_liquidity",
    "10": "fok",
    "11": "post_only",
}
"""Why an order expired: spot's words (``eR``) and the numbers of futures (``er``)."""
REJECTIONS: Final[Mapping[str, str]] = {
    "INSUFFICIENT_BALANCES": "insufficient_funds",
    "STOP_PRICE_WOULD_TRIGGER_IMMEDIATELY": "trigger_met",
    "WOULD_MATCH_IMMEDIATELY": "post_only",
}
GONE: Final[Mapping[str, str]] = {
    "serverShutdown": "the venue shuts this server down",
    "eventStreamTerminated": "the venue has ended the private events",
}
_SHOWN: Final = 160


class Statuses:
    """The venue's order states in ours, by the card."""

    def __init__(self, card: VenueCard) -> None:
        known = {"pending_new": "pending"}
        self._known: dict[str, Status] = {
            word: known.get(ours, ours)  # type: ignore[misc]
            for word, ours in card.statuses.items()
        }

    def of(self, word: str) -> Status:
        """Return what *word* says; InputError if the card does not know it."""
        status = self._known.get(word)
        if status is None:
            raise InputError(f"status should be one of {', '.join(self._known)}, was {word!r}")
        return status


def side_of(word: str) -> int:
    """Return the side; InputError if it is none."""
    side = SIDES.get(word)
    if side is None:
        raise InputError(f"side should be BUY or SELL, was {word!r}")
    return side


def expiry(status: str, time_in_force: str, order_type: str, told: str = "") -> str:
    """Return why an order ended in *status* without being asked to: as *told*, else by its own terms; or empty."""
    if status == "EXPIRED_IN_MATCH":
        return "stp"
    if status != "EXPIRED":
        return ""
    if told in EXPIRIES:
        return EXPIRIES[told]
    if time_in_force == "GTX":
        return "post_only"
    if order_type == "MARKET":
        return "no_liquidity"
    return {"IOC": "ioc", "FOK": "fok"}.get(time_in_force, "expired")


def ended(status: Status, reason: str, filled: str) -> tuple[Status, str]:
    """Return state and reason of an order: one that was post-only and has expired unfilled was never taken."""
    if reason == "post_only":
        return ("rejected", reason) if not filled.strip("0.") else (status, "venue")
    return status, reason


class Events:
    """Reads the frames of private lines; *unread* names what came to whom it matters."""

    def __init__(self, market: str, statuses: Statuses) -> None:
        self.market = market
        self.statuses = statuses
        self._handlers: dict[str, Callable[[bytes], Sequence[Heard]]] = (
            {"executionReport": self._execution_report, "outboundAccountPosition": self._account_position}
            if market == "spot"
            else {"ORDER_TRADE_UPDATE": self._order_trade_update, "ACCOUNT_UPDATE": self._account_update}
        )

    def heard(self, line: str, frame: bytes) -> Sequence[Heard]:
        """Return what *frame* tells; events of no interest give nothing.

        Raises:
            InputError: it cannot be read.
        """
        try:
            return self._heard(frame)
        except messages.UNREADABLE as error:
            raise InputError(
                f"binance {self.market} {line}: a frame that cannot be read, {error}: "
                f"{frame[:_SHOWN].decode('utf-8', 'backslashreplace')!r}"
            ) from None

    def _heard(self, frame: bytes) -> Sequence[Heard]:
        head = messages.ENVELOPE.decode(frame)
        body = frame
        if not head.e:
            inner = head.event if head.event is not msgspec.UNSET else head.data
            if inner is msgspec.UNSET:
                return self._answer(head, frame)
            body = bytes(inner)
            head = messages.ENVELOPE.decode(body)
        handler = self._handlers.get(head.e)
        if handler is not None:
            return handler(body)
        if head.e in GONE:
            return (Gone(GONE[head.e]),)
        if head.e == "listenKeyExpired":
            return (Gone("the listen key has expired", is_login=True),)
        return ()

    def _answer(self, head: messages.Envelope, frame: bytes) -> Sequence[Heard]:
        if head.result is msgspec.UNSET and head.error is None:
            raise InputError("it is neither an event nor an answer")
        if not isinstance(head.id, int) or not isinstance(head.status, int):
            told = head.error
            raise InputError(
                f"an answer should repeat the number of a request, was {head.id!r}"
                + (f" ({told.code} {told.msg[:_SHOWN]})" if told is not None else "")
            )
        return (Answered(head.id, head.status, frame),)

    # Spot.

    def _execution_report(self, body: bytes) -> Sequence[Heard]:
        told = messages.EXECUTION_REPORT.decode(body)
        status = self.statuses.of(told.X)
        client_id = told.C or told.c
        if status == "rejected":
            reason = REJECTIONS.get(told.r, "venue")
        else:
            status, reason = ended(status, expiry(told.X, told.f, told.o, told.eR), told.z)
        return self._order(told, client_id, status, reason, told.T, told.r if told.r != "NONE" else told.eR)

    def _account_position(self, body: bytes) -> Sequence[Heard]:
        return [BalanceSeen(one.a, one.f, one.l) for one in messages.ACCOUNT_POSITION.decode(body).B]

    # USD-M futures.

    def _order_trade_update(self, body: bytes) -> Sequence[Heard]:
        event = messages.ORDER_TRADE_UPDATE.decode(body)
        told = event.o
        why = str(told.er)
        status, reason = ended(self.statuses.of(told.X), expiry(told.X, told.f, told.o, why), told.z)
        return self._order(told, told.c, status, reason, event.T, "")

    def _account_update(self, body: bytes) -> Sequence[Heard]:
        change = messages.ACCOUNT_UPDATE.decode(body).a
        balances = [BalanceSeen(one.a, one.wb, "0") for one in change.B]
        return [*balances, *(PositionSeen(one.s, one.pa, one.ep) for one in change.P)]

    # Both.

    def _order(
        self,
        told: messages.ExecutionReport | messages.OrderUpdate,
        client_id: str,
        status: Status,
        reason: str,
        stamp: int,
        text: str,
    ) -> Sequence[Heard]:
        """Return the fill that *told* holds, if it does, and the order after it."""
        side, venue_id, event_ns = side_of(told.S), str(told.i), nanoseconds(stamp)
        seen = OrderSeen(
            client_id=client_id,
            symbol=told.s,
            venue_id=venue_id,
            status=status,
            side=side,
            price=told.p,
            quantity=told.q,
            filled=told.z,
            event_ns=event_ns,
            reason=reason,
            text=text,
        )
        if told.x not in ("TRADE", "CALCULATED") or not told.l.strip("0."):
            return (seen,)
        fill = Execution(
            client_id=client_id,
            symbol=told.s,
            venue_id=venue_id,
            side=side,
            # A liquidation's execution may have no id: order and sum are unique too.
            fill_id=str(told.t) if told.t > 0 else f"{told.i}:{told.z}",
            price=told.L,
            quantity=told.l,
            is_maker=told.m,
            fee=told.n or "0",
            fee_currency=told.N or "",
            event_ns=event_ns,
            filled=told.z,
        )
        return (fill, seen)
