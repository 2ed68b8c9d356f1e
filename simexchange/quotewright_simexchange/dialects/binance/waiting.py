"""Orders that a door itself holds: legs of order lists that wait for another one, and stops that trail.

The exchange knows an order from the moment at which it works. Until then it stands here under a number of the door's
own, which it keeps: what waits locks no funds, so that both sides of a one-cancels-the-other lock them once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Literal, TypeAlias

import attrs

from quotewright_simexchange.exchange.records import (
    ZERO,
    Event,
    OrderEvent,
    OrderRecord,
    OrderRequest,
    ReferenceEvent,
    Refused,
    TradeEvent,
)

if TYPE_CHECKING:
    from quotewright_simexchange.exchange.exchange import Exchange

FIRST_NUMBER = 1 << 40
"""From here on orders are numbered that the door held; the exchange's own numbers stay below."""
BIPS = Decimal(10_000)
WORKING: dict[str, Literal["limit", "market"]] = {
    "stop": "market",
    "stop_limit": "limit",
    "take_profit": "market",
    "take_profit_limit": "limit",
}
RISING = {("stop", "buy"), ("stop_limit", "buy"), ("take_profit", "sell"), ("take_profit_limit", "sell")}
"""Type and side of what is triggered by a rising price; the others are by a falling one."""


@attrs.define
class Leg:
    """One order of a group: *held* stands at the door, *order_id* at the exchange."""

    request: OrderRequest
    held: OrderRecord | None = None
    """As it stands or ended at the door; None once it is the exchange's."""
    number: int | None = None
    """The door's number, None of an order that went to the exchange at once."""
    order_id: int | None = None
    status: str = "waiting"
    """waiting (for a price), pending (for the working order), live, ended."""
    ended_by: str = ""
    """Why the group ended it."""
    extreme: Decimal | None = None
    """Of a trailing stop: the lowest or highest price since it waits."""


@attrs.define
class Group:
    """Orders that depend on each other; *number* is -1 of a single order."""

    number: int
    key: int
    account: str
    symbol: str
    client_id: str
    contingency: str
    """OCO or OTO; empty for a single order."""
    has_working: bool
    """Whether the first leg must be filled before the others begin."""
    made_ns: int
    legs: list[Leg]
    is_done: bool = False


TellList: TypeAlias = "Callable[[Group, list[OrderRecord]], None]"


class Waiting:
    """The groups of a door; told by the exchange's events what begins and ends in them."""

    def __init__(self, exchange: Exchange, tell: Callable[[OrderEvent], None], tell_list: TellList | None) -> None:
        self.exchange = exchange
        self.tell = tell
        """Told what happens to an order while it stands at the door."""
        self.tell_list = tell_list
        self.groups: dict[int, Group] = {}
        self._active: dict[int, Group] = {}
        self._legs: dict[int, tuple[Group, Leg]] = {}
        """By the door's number."""
        self._real: dict[int, tuple[Group, Leg]] = {}
        """By the exchange's."""
        self._numbers = FIRST_NUMBER
        self._lists = 0
        self._told = 0
        exchange.listen(self._take)

    # What the door asks.

    def add(
        self,
        account: str,
        requests: list[OrderRequest],
        *,
        contingency: str = "",
        has_working: bool = False,
        client_id: str = "",
    ) -> Group | Refused:
        """Begin a group; refused is what the exchange would not take of it."""
        for request in requests if not has_working else requests[:1]:
            if "trailing" not in request.labels:
                refused = self.exchange.test(account, request)
                if refused is not None:
                    return refused
        for request in requests:
            known = self.find(account, request.symbol, None, request.client_id) if request.client_id else None
            if known is not None and known.is_open:
                return Refused(reason="duplicate_client_id", text="")
        key = len(self.groups) + 1
        if contingency:
            self._lists += 1
        number = self._lists if contingency else -1
        symbol = requests[0].symbol
        group = Group(
            number,
            key,
            account,
            symbol,
            client_id or f"list{key}",
            contingency,
            has_working,
            self.exchange.now_ns,
            [
                Leg(
                    attrs.evolve(
                        request, labels={**request.labels, "group": str(key), "leg": str(place), "list": str(number)}
                    )
                )
                for place, request in enumerate(requests)
            ],
        )
        self.groups[key] = self._active[key] = group
        for place, leg in enumerate(group.legs):
            if has_working and place:
                self._hold(group, leg, "pending")
            elif leg.request.type in WORKING and (contingency or "trailing" in leg.request.labels):
                self._hold(group, leg, "waiting")
        for leg in group.legs:
            if leg.held is None:
                placed = self.exchange.place(account, leg.request)
                if isinstance(placed, Refused):
                    self._forget(group)
                    return placed
        for leg in group.legs:
            if leg.held is not None and leg.status in ("pending", "waiting"):
                self._tell(group, leg, "accepted")
        if not group.is_done:
            self._tell_list(group)
        return group

    def record(self, group: Group, leg: Leg) -> OrderRecord:
        """Return an order of a group as the door shows it."""
        if leg.held is not None or leg.order_id is None:
            assert leg.held is not None
            return leg.held
        found = self.exchange.order(group.account, group.symbol, order_id=leg.order_id)
        assert found is not None
        return self.dress(found)

    def dress(self, record: OrderRecord) -> OrderRecord:
        """Return an order of the exchange as the door shows it: number, trigger and end of one that it held."""
        labels = record.request.labels
        if "group" not in labels:
            return record
        leg = self.groups[int(labels["group"])].legs[int(labels["leg"])]
        status, reason = record.status, record.reason
        if leg.ended_by and status == "canceled":
            status, reason = "expired", leg.ended_by
        number = record.order_id if leg.number is None else leg.number
        return attrs.evolve(record, order_id=number, request=leg.request, status=status, reason=reason)

    def shown(self, order_id: int) -> tuple[int, int]:
        """Return the number that clients know of one of the exchange's orders, and its list's, -1 if it has none."""
        found = self._real.get(order_id)
        if found is None:
            return order_id, -1
        group, leg = found
        return (order_id if leg.number is None else leg.number), group.number

    def real(self, number: int) -> int:
        """Return the exchange's number of an order that clients know by *number*."""
        found = self._legs.get(number)
        return number if found is None or found[1].order_id is None else found[1].order_id

    def find(self, account: str, symbol: str, number: int | None, client_id: str) -> OrderRecord | None:
        """Return an order that the door holds or held to its end; without a number the open one of that client id."""
        for group, leg in [self._legs[number]] if number in self._legs else self._legs.values():
            held = leg.held
            if held is not None and (group.account, group.symbol) == (account, symbol):
                if number is not None and held.order_id == number:
                    return held
                is_meant = number is None and client_id and held.client_id == client_id
                if is_meant and (held.is_open or self.exchange.order(account, symbol, client_id=client_id) is None):
                    return held
        return None

    def held(self, account: str, symbol: str | None, *, is_open: bool) -> Iterator[OrderRecord]:
        """Yield the orders that stand at the door, or all that never went to the exchange."""
        for group, leg in self._legs.values():
            if leg.held is None or group.account != account or symbol not in (None, group.symbol):
                continue
            if leg.held.is_open or not is_open:
                yield leg.held

    def cancel(self, group: Group, why: str = "user") -> None:
        """End everything of a group that is not ended."""
        self._end(group, None, why)
        self._finish(group)

    def cancel_held(self, record: OrderRecord, cause: str) -> OrderRecord:
        """Cancel an order that stands at the door, and with it its group; return it as it ended."""
        group, leg = self._legs[record.order_id]
        self._end_leg(group, leg, "user", cause)
        self._settle(group, leg)
        assert leg.held is not None
        return leg.held

    def lists(self, account: str) -> list[Group]:
        """Return the lists of *account*, oldest first."""
        return [group for group in self.groups.values() if group.account == account and group.contingency]

    def group_of(self, number: int | None, account: str, client_id: str = "") -> Group | None:
        """Return the list of *account* with that number or client id."""
        for group in reversed(self.groups.values()):
            is_meant = group.number == number or (number is None and group.client_id == client_id)
            if is_meant and group.account == account and group.contingency:
                return group
        return None

    # What happens.

    def _take(self, event: Event) -> None:
        if isinstance(event, TradeEvent):
            if self._active:
                self._watch(event.symbol, event.price, "CONTRACT_PRICE")
        elif isinstance(event, ReferenceEvent):
            if self._active and event.mark is not None:
                self._watch(event.symbol, event.mark, "MARK_PRICE")
        elif isinstance(event, OrderEvent):
            labels = event.order.request.labels
            if "group" in labels:
                group = self.groups.get(int(labels["group"]))
                if group is None or group.symbol != event.order.request.symbol:
                    return  # another door's: every door counts its own, and no two have an instrument in common
                leg = group.legs[int(labels["leg"])]
                leg.order_id, leg.held = event.order.order_id, None
                self._real[event.order.order_id] = group, leg
                leg.status = "live" if event.order.is_open else "ended"
                self._follow(group, leg, event)

    def _follow(self, group: Group, leg: Leg, event: OrderEvent) -> None:
        if group.has_working and leg is group.legs[0]:
            if event.order.status == "filled":
                self._start(group)
        elif event.what == "trade":
            self._end(group, leg, "OCO_TRIGGER")
        if not event.order.is_open:
            self._settle(group, leg)

    def _settle(self, group: Group, leg: Leg) -> None:
        """An order of a group has ended: so have those that cannot go on without it, and then the group."""
        is_working = group.has_working and leg is group.legs[0]
        if not leg.ended_by and not (is_working and self._is_filled(group, leg)):
            self._end(group, leg, "OTO_PHASE_ONE_EXPIRED" if is_working else "OCO_TRIGGER")
        self._finish(group)

    def _finish(self, group: Group) -> None:
        if not group.is_done and all(one.status == "ended" for one in group.legs):
            group.is_done = True
            self._active.pop(group.key, None)
            self._tell_list(group)

    def _is_filled(self, group: Group, leg: Leg) -> bool:
        return leg.held is None and self.record(group, leg).status == "filled"

    def _start(self, group: Group) -> None:
        legs = group.legs[1:]
        for leg in legs:
            if leg.status != "pending":
                continue
            if leg.request.type in WORKING and (len(legs) > 1 or "trailing" in leg.request.labels):
                leg.status = "waiting"
                assert leg.held is not None
                leg.held = attrs.evolve(leg.held, reason="", updated_ns=self.exchange.now_ns)
                self._tell(group, leg, "accepted")
            else:
                self._place(group, leg, leg.request)

    def _watch(self, symbol: str, price: Decimal, source: str) -> None:
        for group in list(self._active.values()):
            if group.symbol != symbol:
                continue
            for leg in group.legs:
                is_asked = leg.request.labels.get("working", "CONTRACT_PRICE") == source
                if is_asked and leg.status == "waiting" and self._is_met(leg, price):
                    self._end(group, leg, "OCO_TRIGGER")
                    request = leg.request
                    labels = {**request.labels, "set_off": str(self.exchange.now_ns)}
                    working = attrs.evolve(request, type=WORKING[request.type], trigger=None, labels=labels)
                    self._place(group, leg, working)
                    break

    def _is_met(self, leg: Leg, price: Decimal) -> bool:
        request = leg.request
        is_rising = (request.type, request.side) in RISING
        trailing = request.labels.get("trailing")
        if trailing is None:
            assert request.trigger is not None
            return price >= request.trigger if is_rising else price <= request.trigger
        if leg.extreme is None:
            from_above = is_rising == ("activation" not in request.labels)
            started = request.trigger is None or (price >= request.trigger if from_above else price <= request.trigger)
            leg.extreme = price if started else None
            return False
        share = int(trailing) / BIPS
        if is_rising:
            leg.extreme = min(leg.extreme, price)
            return price >= leg.extreme * (1 + share)
        leg.extreme = max(leg.extreme, price)
        return price <= leg.extreme * (1 - share)

    def _place(self, group: Group, leg: Leg, request: OrderRequest) -> None:
        leg.status = "live"
        placed = self.exchange.place(group.account, request)
        if isinstance(placed, Refused):
            assert leg.held is not None
            leg.status = "ended"
            leg.held = attrs.evolve(
                leg.held, status="expired", reason=placed.reason, leaves=ZERO, updated_ns=self.exchange.now_ns
            )
            self._tell(group, leg, "canceled")
            self._settle(group, leg)
        else:
            leg.order_id, leg.held = placed.order_id, None

    def _hold(self, group: Group, leg: Leg, status: str) -> None:
        self._numbers += 1
        leg.number, leg.status = self._numbers, status
        request = leg.request
        assert request.quantity is not None
        now_ns = self.exchange.now_ns
        if "trailing" in request.labels and request.trigger is None and status == "waiting":
            trades = self.exchange.recent_trades(group.symbol, 1)
            leg.extreme = trades[-1].price if trades else None
        leg.held = OrderRecord(
            order_id=leg.number,
            client_id=request.client_id or f"door{leg.number}",
            account=group.account,
            request=request,
            status="untriggered",
            price=request.price,
            quantity=request.quantity,
            leaves=request.quantity,
            reason="pending" if status == "pending" else "",
            created_ns=now_ns,
            updated_ns=now_ns,
        )
        leg.request = attrs.evolve(
            request, client_id=leg.held.client_id, labels={**request.labels, "as": str(leg.number)}
        )
        leg.held = attrs.evolve(leg.held, request=leg.request)
        self._legs[leg.number] = group, leg

    def _end(self, group: Group, but: Leg | None, why: str) -> None:
        # What stands here first: an end at the exchange is told at once, and would end these for its own reason.
        for leg in sorted(group.legs, key=lambda one: one.held is None):
            if leg is not but and leg.status != "ended":
                self._end_leg(group, leg, why, "")

    def _end_leg(self, group: Group, leg: Leg, why: str, cause: str) -> None:
        was, leg.status = leg.status, "ended"
        leg.ended_by = "" if why == "user" else why
        if leg.held is not None:
            leg.held = attrs.evolve(
                leg.held,
                status="canceled" if why == "user" else "expired",
                reason=why,
                leaves=ZERO,
                updated_ns=self.exchange.now_ns,
            )
            self._tell(group, leg, "canceled", cause)
        elif was == "live":
            self.exchange.cancel(group.account, group.symbol, order_id=leg.order_id, cause=cause)

    def _forget(self, group: Group) -> None:
        for leg in group.legs:
            if leg.number is not None:
                del self._legs[leg.number]
            if leg.order_id is not None and leg.status == "live":
                self.exchange.cancel(group.account, group.symbol, order_id=leg.order_id)
            leg.status = "ended"
        group.is_done = True
        self._active.pop(group.key, None)

    def _tell(self, group: Group, leg: Leg, what: Literal["accepted", "canceled"], cause: str = "") -> None:
        assert leg.held is not None
        self._told += 1
        event = OrderEvent(
            account=group.account,
            sequence=FIRST_NUMBER + self._told,
            what=what,
            order=leg.held,
            cause=cause,
            event_ns=self.exchange.now_ns,
        )
        self.tell(event)

    def _tell_list(self, group: Group) -> None:
        if group.contingency and self.tell_list is not None:
            self.tell_list(group, [self.record(group, leg) for leg in group.legs])
