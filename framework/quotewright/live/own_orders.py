"""Our orders at one live venue: what the venue says of them, in whatever order and however often, becomes reports.

Pure. A fill counts once by its id; an order ends once; its end is held back until every fill that the venue counts
has been told, so that nothing is missing when the order is closed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from enum import IntEnum
from typing import TYPE_CHECKING

import attrs

from quotewright.errors import InputError
from quotewright.model.orders import (
    Accepted,
    Amended,
    AmendRejected,
    Canceled,
    CancelRejected,
    Fill,
    OrderUnknown,
    Rejected,
)

if TYPE_CHECKING:
    from quotewright.execution import Execution, OrderSeen
    from quotewright.model.instrument import Instrument
    from quotewright.model.orders import AmendOrder, NewOrder, Report

MONEY = 18
"""Fees are whole 10^-18 of their currency."""
KEPT_ENDED = 4096
KEPT_FILLS = 65_536
KEPT_EARLY = 4096
"""Orders not known by the venue's id whose fills are kept."""


class Stage(IntEnum):
    """How far an order has come at the venue."""

    SENT = 0
    """No answer yet."""
    UNKNOWN = 1
    """It may be there: it is asked for."""
    OPEN = 2
    ENDED = 3


@attrs.define(eq=False)
class OwnOrder:
    """One order of ours; prices in ticks, quantities in lots."""

    number: int
    instrument: Instrument
    client_id: str
    side: int
    price_ticks: int
    quantity_lots: int
    stage: Stage = Stage.SENT
    venue_id: str = ""
    filled_lots: int = 0
    told_lots: int = 0
    """The most that the venue has said to be filled; more than ``filled_lots`` while fills are missing."""
    seen_ns: int = 0
    """Venue time of the newest that is known of it."""
    latest_stamp_ns: int = 0
    """The newest stamp of a write about it; it cannot arrive later than a receive window after that."""
    is_accepted: bool = False
    closing: OrderSeen | None = None
    """Its end, held back until the fills before it are known."""
    amend: AmendOrder | None = None
    """A change that is under way or waits for its turn."""
    is_cancel_wanted: bool = False
    writes: int = 0
    """Writes about it that are under way."""
    asks: int = 0
    """How often in a row it was asked for in vain."""
    ask_at_ns: int | None = None
    """When it is asked for next; None: nothing is unclear."""
    cancel_at_ns: int = 0
    """A cancel that is wanted is not sent before."""
    is_amend_sent: bool = False

    @property
    def is_live(self) -> bool:
        return self.stage != Stage.ENDED

    @property
    def leaves_lots(self) -> int:
        return max(0, self.quantity_lots - self.filled_lots)


class OwnOrders:
    """Every order of one run at one venue, by client id, by number and by the venue's id."""

    def __init__(self, instruments: Iterable[Instrument]) -> None:
        self.instruments: Mapping[str, Instrument] = {one.symbol: one for one in instruments}
        self.by_client: dict[str, OwnOrder] = {}
        self.by_number: dict[int, OwnOrder] = {}
        self._by_venue: dict[tuple[str, str], OwnOrder] = {}
        self._fills: dict[tuple[str, str, str], None] = {}
        self._early: dict[tuple[str, str], dict[str, Execution]] = {}
        """Fills told by a venue id that is not known: of others' orders, or of ours that nobody has answered yet."""
        self._live: dict[int, OwnOrder] = {}
        self._short: dict[int, OwnOrder] = {}
        self._ended: list[OwnOrder] = []
        self.reports: list[Report] = []
        self.foreign_fills = 0
        """Fills of this account that belong to no order of this run."""
        self.duplicate_fills = 0
        self.overfills = 0
        self.faults: list[str] = []
        """What the venue told that cannot be; nobody quotes after that."""

    def add(self, command: NewOrder, instrument: Instrument, client_id: str) -> OwnOrder:
        """Note an order before it is sent."""
        order = OwnOrder(
            command.order_number, instrument, client_id, command.side, command.price_ticks, command.quantity_lots
        )
        self.by_client[client_id] = order
        self.by_number[order.number] = order
        self._live[order.number] = order
        return order

    def live(self, symbol: str = "") -> list[OwnOrder]:
        """Return the orders that may still trade, in the order they were made."""
        return [one for one in self._live.values() if not symbol or one.instrument.symbol == symbol]

    def missing_fills(self) -> list[OwnOrder]:
        """Return the orders of which the venue counts more fills than it has told."""
        return list(self._short.values())

    # What the venue tells.

    def executed(self, told: Execution, now_ns: int) -> OwnOrder | None:
        """Take one fill; None if it is of no order of this run."""
        order = self.by_client.get(told.client_id) or self._by_venue.get((told.symbol, told.venue_id))
        if order is None:
            kept = self._early.setdefault((told.symbol, told.venue_id), {})
            self.foreign_fills += told.fill_id not in kept
            kept[told.fill_id] = told
            if len(self._early) > KEPT_EARLY:
                del self._early[next(iter(self._early))]
            return None
        if not told.fill_id:
            self.faults.append(f"{told.symbol}: a fill of order {order.client_id} has no id")
            return order
        key = (told.symbol, told.fill_id, order.client_id)
        if key in self._fills:
            self.duplicate_fills += 1
            return order
        price = self._ticks(order.instrument, told.price)
        lots = self._lots(order.instrument, told.quantity)
        fee = self._money(told.fee)
        if price is None or not lots or fee is None:
            self._strange(order, f"a fill of {told.quantity!r} at {told.price!r} with fee {told.fee!r}")
            return order
        self._fills[key] = None
        if len(self._fills) > 2 * KEPT_FILLS:
            for old in list(self._fills)[:KEPT_FILLS]:
                del self._fills[old]
        self._accept(order, told.venue_id, told.event_ns, now_ns)
        order.filled_lots += lots
        self._count(order, order.filled_lots)
        order.seen_ns = max(order.seen_ns, told.event_ns)
        if order.filled_lots > max(order.quantity_lots, order.amend.quantity_lots if order.amend else 0):
            self.overfills += 1
        self.reports.append(
            Fill(
                order_number=order.number,
                event_ns=told.event_ns,
                receive_ns=now_ns,
                fill_id=told.fill_id,
                price_ticks=price,
                quantity_lots=lots,
                leaves_lots=order.leaves_lots,
                is_maker=told.is_maker,
                fee=fee,
                fee_currency=told.fee_currency,
            )
        )
        if order.is_live and order.leaves_lots == 0 and order.amend is None:
            self._end(order)
        self._close(order, now_ns)
        return order

    def seen(self, told: OrderSeen, now_ns: int) -> OwnOrder | None:
        """Take what the venue says an order is now; None if it is of no order of this run."""
        order = self.by_client.get(told.client_id)
        if order is None:
            return None
        filled = self._lots(order.instrument, told.filled or "0", is_zero_good=True)
        if filled is None:
            self._strange(order, f"{told.filled!r} filled")
            return order
        self._count(order, filled)
        if told.status == "rejected":
            if order.is_live:
                self._end(order)
                self.reject(order, told.reason or "venue", told.text, told.event_ns, now_ns)
            return order
        self._accept(order, told.venue_id, told.event_ns, now_ns)
        if not order.is_live:
            return order
        is_newer = told.event_ns >= order.seen_ns
        order.seen_ns = max(order.seen_ns, told.event_ns)
        if is_newer and told.status in ("open", "pending"):
            self._amended(order, told, now_ns)
        if told.status in ("canceled", "filled"):
            order.closing = told
        self._close(order, now_ns)
        return order

    def settled(self, order: OwnOrder, now_ns: int) -> None:
        """Its fills have been asked for and all are here: what still seems missing was told wrongly or comes late."""
        order.told_lots = order.filled_lots
        self._count(order, 0)
        self._close(order, now_ns)

    # What becomes of our writes.

    def reject(self, order: OwnOrder, reason: str, text: str, event_ns: int, now_ns: int) -> None:
        """Report that the venue, or this side, has not taken *order*; it must have been ended before, or is here."""
        if order.is_live:
            self._end(order)
        self.reports.append(
            Rejected(order_number=order.number, event_ns=event_ns, receive_ns=now_ns, reason=reason, text=text)
        )

    def unknown(self, order: OwnOrder, reason: str, now_ns: int) -> None:
        """The outcome of placing *order* is not known; said once."""
        if order.stage == Stage.SENT:
            order.stage = Stage.UNKNOWN
            self.reports.append(
                OrderUnknown(order_number=order.number, event_ns=now_ns, receive_ns=now_ns, reason=reason)
            )

    def amend_rejected(self, order: OwnOrder, reason: str, event_ns: int, now_ns: int) -> None:
        """The change under way was not made."""
        order.amend = None
        order.is_amend_sent = False
        self.amend_refused(order.number, reason, now_ns, event_ns)
        if order.is_live and order.leaves_lots == 0:
            self._end(order)

    def amend_refused(self, number: int, reason: str, now_ns: int, event_ns: int = 0) -> None:
        """A change was not taken."""
        self.reports.append(
            AmendRejected(order_number=number, event_ns=event_ns or now_ns, receive_ns=now_ns, reason=reason)
        )

    def cancel_rejected(self, number: int, reason: str, now_ns: int) -> None:
        """A cancel was not taken."""
        self.reports.append(CancelRejected(order_number=number, event_ns=now_ns, receive_ns=now_ns, reason=reason))

    def never_arrived(self, order: OwnOrder, now_ns: int) -> None:
        """The venue does not know *order*, and no write about it can still arrive: it was never placed."""
        self.reject(order, "venue", "the venue does not know it: it never arrived there", now_ns, now_ns)

    def vanished(self, order: OwnOrder, now_ns: int) -> None:
        """The venue had accepted *order* and does not know it any more; its fills are all here."""
        self._canceled(order, "venue", now_ns, now_ns)

    def take_reports(self) -> list[Report]:
        """Return what is to be reported since the last call."""
        reports, self.reports = self.reports, []
        return reports

    def _count(self, order: OwnOrder, filled_lots: int) -> None:
        """Note how much the venue says to be filled."""
        order.told_lots = max(order.told_lots, filled_lots)
        if order.told_lots > order.filled_lots:
            self._short[order.number] = order
        else:
            self._short.pop(order.number, None)

    def _accept(self, order: OwnOrder, venue_id: str, event_ns: int, now_ns: int) -> None:
        if venue_id and venue_id != order.venue_id:
            order.venue_id = venue_id
            self._by_venue[(order.instrument.symbol, venue_id)] = order
        was_unknown = order.stage == Stage.UNKNOWN
        if order.stage in (Stage.SENT, Stage.UNKNOWN):
            order.stage = Stage.OPEN
            order.asks = 0
            order.ask_at_ns = None
        if order.is_live and (not order.is_accepted or was_unknown):
            order.is_accepted = True
            self.reports.append(
                Accepted(order_number=order.number, event_ns=event_ns, receive_ns=now_ns, venue_order_id=order.venue_id)
            )
        for early in self._early.pop((order.instrument.symbol, order.venue_id), {}).values():
            self.foreign_fills -= 1
            self.executed(early, now_ns)

    def _amended(self, order: OwnOrder, told: OrderSeen, now_ns: int) -> None:
        """Compare what rests at the venue with what is known here."""
        if order.amend is None or not order.price_ticks:
            return
        price = self._ticks(order.instrument, told.price)
        lots = self._lots(order.instrument, told.quantity)
        if price is None or not lots:
            self._strange(order, f"an order of {told.quantity!r} at {told.price!r}")
            return
        if (price, lots) == (order.price_ticks, order.quantity_lots):
            return
        is_reduction = price == order.price_ticks and lots < order.quantity_lots
        order.price_ticks, order.quantity_lots = price, lots
        order.amend = None
        order.is_amend_sent = False
        self.reports.append(
            Amended(
                order_number=order.number,
                event_ns=told.event_ns,
                receive_ns=now_ns,
                price_ticks=price,
                quantity_lots=lots,
                leaves_lots=order.leaves_lots,
                keeps_priority=is_reduction,
            )
        )

    def _close(self, order: OwnOrder, now_ns: int) -> None:
        """End *order* if the venue has said so and every fill before it is here."""
        told = order.closing
        if told is None or not order.is_live or order.told_lots > order.filled_lots:
            return
        if told.status == "filled" and order.leaves_lots == 0:
            self._end(order)
            return
        self._canceled(order, told.reason or ("user" if order.is_cancel_wanted else "venue"), told.event_ns, now_ns)

    def _canceled(self, order: OwnOrder, reason: str, event_ns: int, now_ns: int) -> None:
        leaves = order.leaves_lots
        self._end(order)
        self.reports.append(
            Canceled(order_number=order.number, event_ns=event_ns, receive_ns=now_ns, reason=reason, leaves_lots=leaves)
        )

    def _end(self, order: OwnOrder) -> None:
        order.stage = Stage.ENDED
        self._live.pop(order.number, None)
        order.ask_at_ns = None
        order.amend = None
        order.closing = None
        self._ended.append(order)
        if len(self._ended) > 2 * KEPT_ENDED:
            for old in self._ended[:KEPT_ENDED]:
                del self.by_client[old.client_id]
                del self.by_number[old.number]
                self._by_venue.pop((old.instrument.symbol, old.venue_id), None)
            del self._ended[:KEPT_ENDED]

    # From the venue's texts to ticks, lots and money.

    def _strange(self, order: OwnOrder, what: str) -> None:
        self.faults.append(f"{order.instrument.name}: the venue tells {what} for order {order.client_id}")

    def _ticks(self, instrument: Instrument, text: str) -> int | None:
        try:
            return instrument.price_ticks(Decimal(text))
        except (InputError, InvalidOperation, ValueError, OverflowError):
            return None

    def _lots(self, instrument: Instrument, text: str, *, is_zero_good: bool = False) -> int | None:
        try:
            lots = instrument.quantity_lots(Decimal(text))
        except (InputError, InvalidOperation, ValueError, OverflowError):
            return None
        return lots if lots > 0 or (is_zero_good and lots == 0) else None

    def _money(self, text: str) -> int | None:
        try:
            scaled = Decimal(text or "0").scaleb(MONEY)
            whole = int(scaled)
        except (InvalidOperation, ValueError, OverflowError):
            return None
        return whole if whole == scaled else None
