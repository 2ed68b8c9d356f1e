"""What spot and USD-M futures of Binance share as order wires: signed requests, frames, answers, errors, clocks.

Source: Binance API documentation of the third quarter of 2026. Parameters of a POST go in its body, all others in the
query. Numbers of requests come back as ``id`` of frames.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Final, Literal

import msgspec

from quotewright.errors import ConfigError, InputError
from quotewright.execution import (
    Ask,
    Execution,
    Frame,
    Heard,
    Message,
    OrderLimits,
    OrderSeen,
    OrderWire,
    Reading,
    Told,
)
from quotewright.kernel.codes import BUY, SELL
from quotewright.wire import KeepAlive, Request, Window
from quotewright_plugins.exchanges.binance import order_messages as messages
from quotewright_plugins.exchanges.binance.messages import nanoseconds
from quotewright_plugins.exchanges.binance.order_errors import MILLISECOND, SECOND, Counters, Errors, unwrap
from quotewright_plugins.exchanges.binance.order_events import Events, Statuses, ended, expiry, side_of
from quotewright_plugins.exchanges.binance.signing import encoded

if TYPE_CHECKING:
    from quotewright.model.cards import VenueCard
    from quotewright_plugins.exchanges.binance.addresses import Addresses
    from quotewright_plugins.exchanges.binance.signing import Signer

Verb = Literal["GET", "POST", "PUT", "DELETE"]
Params = Sequence[tuple[str, object]]

MOST_WINDOW_NS: Final = 60 * SECOND
PAGE: Final = 1000
"""Fills in one answer."""
SIDE_WORDS: Final[Mapping[int, str]] = {BUY: "BUY", SELL: "SELL"}
TIFS: Final = ("GTC", "IOC", "FOK")
KEEP_ALIVE: Final = KeepAlive(every_ns=10 * SECOND, answer_ns=5 * SECOND)
"""We ping: the venue's own pings, minutes apart for futures, would show a dead peer too late."""
_FORM: Final[Mapping[str, str]] = {"Content-Type": "application/x-www-form-urlencoded"}


class BinanceOrders(OrderWire):
    """Base class of the two markets: override what they differ in.

    Args:
        signer: The account's key.
        addresses: Where requests go and lines are opened.
        card: The market's, for limits, states and errors.
        entry: How orders are entered.
        receive_window_ns: Up to 60 s, whole milliseconds.
    """

    market: ClassVar[str] = ""
    api: ClassVar[str] = ""
    """Path before an endpoint's name."""
    order_weight: ClassVar[int] = 1
    open_orders_weight: ClassVar[int] = 1
    fills_weight: ClassVar[int] = 5
    fills_path: ClassVar[str] = ""
    entry_line: ClassVar[str] = ""
    time_headers: ClassVar[Mapping[str, str]] = {}

    def __init__(
        self,
        signer: Signer,
        addresses: Addresses,
        card: VenueCard,
        *,
        entry: Literal["rest", "websocket"] = "websocket",
        receive_window_ns: int = 5 * SECOND,
    ) -> None:
        if not 0 < receive_window_ns <= MOST_WINDOW_NS or receive_window_ns % MILLISECOND:
            raise ConfigError(
                f"binance {self.market}: the receive window should be 1 ms to 60 s in whole ms, was "
                f"{receive_window_ns / 1e9:g} s"
            )
        if entry not in ("rest", "websocket"):
            raise ConfigError(f"binance {self.market}: entry should be rest or websocket, was {entry!r}")
        self.signer = signer
        self.addresses = addresses
        self.entry = entry
        self.receive_window_ns = receive_window_ns
        self.client_id_length = card.client_ids.max_length
        self.keeps_priority_on_reduce = card.orders.keeps_priority_on_reduce
        self.has_amend = card.orders.amend != "none"
        self.limits = limits_of(card)
        self.statuses = Statuses(card)
        self._errors = Errors(card)
        self._counters = Counters(card)
        self._events = Events(self.market, self.statuses)
        self._window_ms = receive_window_ns // MILLISECOND
        self._headers = {"X-MBX-APIKEY": signer.key, **self.time_headers}
        self._readers: dict[str, Callable[[bytes], Sequence[Told]]] = {
            "place": self._read_order,
            "amend": self._read_order,
            "cancel": self._read_order,
            "cancel_all": self._read_orders,
            "order": self._read_order,
            "open_orders": self._read_orders,
            "fills": self._read_fills,
            "account": self._read_account,
            "login": self._read_login,
        }

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.addresses.rest}, entry={self.entry})"

    # What is sent.

    def _stamped(self, params: Params, stamp_ns: int) -> Params:
        return [*params, ("recvWindow", self._window_ms), ("timestamp", stamp_ns // MILLISECOND)]

    def _signed(self, verb: Verb, path: str, params: Params, stamp_ns: int, weight: int = 1) -> Request:
        """Return a signed request."""
        text = encoded(self._stamped(params, stamp_ns))
        url = f"{self.addresses.rest}{path}"
        if verb == "POST":
            _, body = self.signer.signed("", text)
            return Request(url, verb, body.encode(), {**self._headers, **_FORM}, weight)
        query, _ = self.signer.signed(text)
        return Request(f"{url}?{query}", verb, b"", self._headers, weight)

    def _keyed(self, verb: Verb, path: str, weight: int = 1) -> Request:
        """Return a request that shows the key and is not signed."""
        return Request(f"{self.addresses.rest}{path}", verb, b"", self._headers, weight)

    def _frame(self, line: str, method: str, params: Params, stamp_ns: int, number: int, weight: int = 1) -> Frame:
        """Return a signed request of the WebSocket API."""
        signed = self.signer.signed_params(dict(self._stamped(params, stamp_ns)))
        return Frame(line, msgspec.json.encode({"id": number, "method": method, "params": signed}), weight)

    def time_request(self) -> Request:
        return Request(f"{self.addresses.rest}{self.api}/time", headers=self.time_headers)

    def server_time_ns(self, body: bytes) -> int:
        try:
            told = messages.TIME.decode(body).serverTime
        except messages.UNREADABLE as error:
            raise InputError(f"binance {self.market} time: should be an answer with serverTime, {error}") from None
        if not 0 < told < 9_200_000_000_000_000:
            raise InputError(f"binance {self.market} time: serverTime should be ms or µs, was {told}")
        return nanoseconds(told)

    def order(self, symbol: str, client_id: str, stamp_ns: int) -> Request:
        return self._signed("GET", f"{self.api}/order", _ids(symbol, client_id), stamp_ns, self.order_weight)

    def open_orders(self, symbol: str, stamp_ns: int) -> Request:
        return self._signed("GET", f"{self.api}/openOrders", [("symbol", symbol)], stamp_ns, self.open_orders_weight)

    def fills(self, symbol: str, after_id: str, since_ns: int, stamp_ns: int) -> Request:
        params: list[tuple[str, object]] = [("symbol", symbol), ("limit", PAGE)]
        if after_id.isascii() and after_id.isdigit():
            params.append(("fromId", int(after_id) + 1))
        else:
            params.append(("startTime", max(0, since_ns) // MILLISECOND))
        return self._signed("GET", f"{self.api}/{self.fills_path}", params, stamp_ns, self.fills_weight)

    def has_more_fills(self, body: bytes) -> bool:
        try:
            return len(messages.ANY_LIST.decode(body)) >= PAGE
        except messages.UNREADABLE:
            return False

    def _write(
        self,
        verb: Verb,
        path: str,
        method: str,
        params: Params,
        stamp_ns: int,
        number: int,
        weight: int,
        by_rest: bool,
    ) -> Message:
        """Return what places, changes or cancels an order, over the way that was chosen."""
        if by_rest or self.entry == "rest":
            return self._signed(verb, f"{self.api}/{path}", params, stamp_ns, weight)
        return self._frame(self.entry_line, method, params, stamp_ns, number, weight)

    # What comes back.

    def read(self, ask: Ask, status: int, headers: Mapping[str, str], body: bytes, symbol: str = "") -> Reading:
        try:
            answer = unwrap(status, headers, body, self._counters)
        except messages.UNREADABLE as error:
            weights = self._counters.of_headers(headers)
            return Reading(fault=self._errors.unread(ask, status, headers, body, str(error)), weights=weights)
        fault = self._errors.fault(ask, answer, headers)
        if fault is not None:
            return Reading(fault=fault, weights=answer.weights)
        reader = self._readers.get(ask)
        try:
            told = tuple(reader(answer.body)) if reader is not None else ()
        except messages.UNREADABLE as error:
            text = f"cannot be read, {error}"
            return Reading(fault=self._errors.unread(ask, status, {}, b"", text), weights=answer.weights)
        return Reading(told=told, weights=answer.weights)

    def heard(self, line: str, frame: bytes) -> Sequence[Heard]:
        return self._events.heard(line, frame)

    def _read_order(self, body: bytes) -> Sequence[Told]:
        return self._told_of(messages.ORDER.decode(body))

    def _read_orders(self, body: bytes) -> Sequence[Told]:
        return [told for order in messages.ORDERS.decode(body) for told in self._told_of(order)]

    def _told_of(self, order: messages.Order, stamp: int = 0) -> list[Told]:
        """Return an order as an answer states it, after the fills that stand in it: those it took on arrival."""
        side, venue_id = side_of(order.side), str(order.orderId)
        event_ns = nanoseconds(stamp or order.transactTime or order.updateTime)
        client_id = order.origClientOrderId or order.clientOrderId
        status, reason = ended(
            self.statuses.of(order.status),
            expiry(order.status, order.timeInForce, order.type),
            order.executedQty,
        )
        told: list[Told] = [
            Execution(
                client_id=client_id,
                symbol=order.symbol,
                venue_id=venue_id,
                side=side,
                fill_id=str(fill.tradeId),
                price=fill.price,
                quantity=fill.qty,
                is_maker=False,
                fee=fill.commission,
                fee_currency=fill.commissionAsset,
                event_ns=event_ns,
            )
            for fill in order.fills
            if fill.tradeId >= 0
        ]
        told.append(
            OrderSeen(
                client_id=client_id,
                symbol=order.symbol,
                venue_id=venue_id,
                status=status,
                side=side,
                price=order.price,
                quantity=order.origQty or order.qty,
                filled=order.executedQty,
                event_ns=event_ns,
                reason=reason,
            )
        )
        return told

    def _read_fills(self, body: bytes) -> Sequence[Told]:
        return [
            Execution(
                client_id="",
                symbol=one.symbol,
                venue_id=str(one.orderId),
                side=BUY if (one.buyer if one.isBuyer is None else one.isBuyer) else SELL,
                fill_id=str(one.id),
                price=one.price,
                quantity=one.qty,
                is_maker=bool(one.maker if one.isMaker is None else one.isMaker),
                fee=one.commission,
                fee_currency=one.commissionAsset,
                event_ns=nanoseconds(one.time),
            )
            for one in messages.OWN_TRADES.decode(body)
        ]

    def _read_login(self, body: bytes) -> Sequence[Told]:
        raise TypeError(f"{type(self).__name__} lacks _read_login()")

    def _read_account(self, body: bytes) -> Sequence[Told]:
        raise TypeError(f"{type(self).__name__} lacks _read_account()")


def _ids(symbol: str, client_id: str) -> list[tuple[str, object]]:
    return [("symbol", symbol), ("origClientOrderId", client_id)]


def limits_of(card: VenueCard) -> OrderLimits:
    """Return what *card* allows, windows under the card's names; weights count more than requests, so these do not."""

    def windows(is_wanted: Callable[[str, str], bool]) -> tuple[Window, ...]:
        return tuple(
            Window(rate.name, rate.limit, int(rate.per))
            for rate in card.limits.rates
            if is_wanted(rate.name, rate.scope)
        )

    return OrderLimits(
        requests=windows(lambda name, scope: name == "request weight"),
        orders=windows(lambda name, scope: scope == "account"),
        connects=windows(lambda name, scope: name == "new connections"),
        life_ns=int(card.limits.connection_life),
    )
