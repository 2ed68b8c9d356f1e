"""Orders of USD-M futures over REST and the WebSocket API: place, amend, cancel, ask, in batches, on a countdown."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from quotewright_simexchange.dialects.binance.errors import ApiError
from quotewright_simexchange.dialects.binance.parameters import Parameters, missing
from quotewright_simexchange.dialects.binance.routes import Call, Endpoint
from quotewright_simexchange.dialects.binance.usdm_amendments import Amendments
from quotewright_simexchange.dialects.binance.usdm_rules import read_algo, read_order, read_price, read_quantity
from quotewright_simexchange.dialects.binance.usdm_words import (
    MS_NS,
    Symbols,
    acknowledged,
    algo_id,
    algo_json,
    is_conditional,
    is_waiting,
    order_json,
    price_text,
    refusal,
    size_text,
    type_word,
    venue_symbol,
)
from quotewright_simexchange.dialects.binance.waiting import FIRST_NUMBER, Waiting
from quotewright_simexchange.dialects.binance.written import fixed
from quotewright_simexchange.exchange.records import FillRecord, Listing, OrderRecord, Refused

if TYPE_CHECKING:
    from quotewright.model.cards import VenueCard
    from quotewright_simexchange.dialects.binance.limits import Limits
    from quotewright_simexchange.exchange.exchange import Exchange

DONE = {"code": 200, "msg": "The operation of cancel all open order is done."}
MOST_CANCELS = 10
CANCEL_LISTS = {
    "orderIdList": "orderId",
    "origClientOrderIdList": "origClientOrderId",
    "orderidlist": "orderId",
    "origclientorderidlist": "origClientOrderId",
}
"""What a batch of cancels is named by; clients write it in small letters too, and the venue takes it."""
UNSENT = "Param 'orderId' or 'origClientOrderId' must be sent, but both were empty/null!"


class UsdmTrading:
    """What a key with the right to trade may do."""

    def __init__(self, exchange: Exchange, card: VenueCard, limits: Limits, symbols: Symbols, waiting: Waiting) -> None:
        self.exchange = exchange
        self.card = card
        self.limits = limits
        self.symbols = symbols
        self.waiting = waiting
        self.amendments = Amendments(exchange, symbols)
        self._countdowns: dict[tuple[str, str], int] = {}

    def endpoints(self) -> dict[tuple[str, str], Endpoint]:
        """Return what is served over REST."""
        return {
            ("POST", "/fapi/v1/order"): Endpoint(self.place, 0, "trade"),
            ("POST", "/fapi/v1/order/test"): Endpoint(self.test, 0, "trade"),
            ("PUT", "/fapi/v1/order"): Endpoint(self.amend, 0, "trade"),
            ("DELETE", "/fapi/v1/order"): Endpoint(self.cancel, 1, "trade"),
            ("GET", "/fapi/v1/order"): Endpoint(self.query, 1, "read"),
            ("GET", "/fapi/v1/openOrder"): Endpoint(self.open_order, 1, "read"),
            ("GET", "/fapi/v1/openOrders"): Endpoint(self.open_orders, _one_or_all, "read"),
            ("GET", "/fapi/v1/allOrders"): Endpoint(self.all_orders, 5, "read"),
            ("GET", "/fapi/v1/userTrades"): Endpoint(self.trades, 5, "read"),
            ("DELETE", "/fapi/v1/allOpenOrders"): Endpoint(self.cancel_all, 1, "trade"),
            ("POST", "/fapi/v1/batchOrders"): Endpoint(self.place_batch, 5, "trade"),
            ("PUT", "/fapi/v1/batchOrders"): Endpoint(self.amend_batch, 5, "trade"),
            ("DELETE", "/fapi/v1/batchOrders"): Endpoint(self.cancel_batch, 1, "trade"),
            ("POST", "/fapi/v1/countdownCancelAll"): Endpoint(self.countdown, 10, "trade"),
            ("POST", "/fapi/v1/algoOrder"): Endpoint(self.place_algo, 0, "trade"),
            ("DELETE", "/fapi/v1/algoOrder"): Endpoint(self.cancel_algo, 1, "trade"),
            ("GET", "/fapi/v1/algoOrder"): Endpoint(self.query_algo, 1, "read"),
            ("GET", "/fapi/v1/openAlgoOrders"): Endpoint(self.open_algos, _one_or_all, "read"),
            ("GET", "/fapi/v1/allAlgoOrders"): Endpoint(self.all_algos, 5, "read"),
            ("DELETE", "/fapi/v1/algoOpenOrders"): Endpoint(self.cancel_algos, 1, "trade"),
            **self.amendments.endpoints(),
        }

    def methods(self) -> dict[str, Endpoint]:
        """Return what is served over the WebSocket API."""
        served = self.endpoints()
        return {
            "order.place": served["POST", "/fapi/v1/order"],
            "order.test": served["POST", "/fapi/v1/order/test"],
            "order.modify": served["PUT", "/fapi/v1/order"],
            "order.cancel": served["DELETE", "/fapi/v1/order"],
            "order.status": served["GET", "/fapi/v1/order"],
            "algoOrder.place": served["POST", "/fapi/v1/algoOrder"],
            "algoOrder.cancel": served["DELETE", "/fapi/v1/algoOrder"],
        }

    # One order

    def place(self, call: Call) -> object:
        call.shows_orders = True
        self.limits.check_orders(call.account, call.now_ns)
        return self._place(call.account, call.parameters, call.now_ns)

    def test(self, call: Call) -> object:
        listing = self._listing(call.parameters)
        request = read_order(call.parameters, listing, self.card, self.exchange, call.now_ns)
        refused = self.exchange.test(call.account, request)
        if refused is not None:
            raise refusal(self.card, refused, listing, request.side, call.parameters.text("type"))
        return {}

    def amend(self, call: Call) -> object:
        call.shows_orders = True
        self.limits.check_orders(call.account, call.now_ns)
        return self._amend(call.account, call.parameters, call.now_ns)

    def cancel(self, call: Call) -> object:
        return self._cancel(call.account, call.parameters)

    def query(self, call: Call) -> object:
        listing = self._listing(call.parameters)
        return order_json(self._find(call.account, call.parameters, listing), listing)

    def open_order(self, call: Call) -> object:
        listing = self._listing(call.parameters)
        record = self._find(call.account, call.parameters, listing)
        if not record.is_open:
            raise ApiError(-2013, "Order does not exist.")
        return order_json(record, listing)

    def _listing(self, parameters: Parameters) -> Listing:
        return self.symbols.find(parameters.text("symbol"))

    def _place(self, account: str, parameters: Parameters, now_ns: int) -> dict[str, Any]:
        listing = self._listing(parameters)
        request = read_order(parameters, listing, self.card, self.exchange, now_ns)
        shows_result = parameters.choice("newOrderRespType", ("ACK", "RESULT"), "ACK") == "RESULT"
        record = self.exchange.place(account, request)
        if isinstance(record, Refused):
            raise refusal(self.card, record, listing, request.side, parameters.text("type"))
        self.limits.count_orders(account, now_ns)
        if not record.is_open and not record.filled and record.reason in ("post_only", "fok"):
            raise refusal(self.card, Refused(reason=record.reason), listing)
        return order_json(record, listing) if shows_result else acknowledged(record, listing)

    def _amend(self, account: str, parameters: Parameters, now_ns: int) -> dict[str, Any]:
        if self.card.orders.amend == "none":
            raise ApiError(-1020, "This operation is not supported.")
        listing = self._listing(parameters)
        record = self._find(account, parameters, listing)
        if not record.is_open:
            raise ApiError(-2013, "Order does not exist.")
        if type_word(record) != "LIMIT":
            raise ApiError(-5025, "Only limit order is supported")
        side = parameters.choice("side", ("BUY", "SELL"), None, -1117, "side")
        if side != record.request.side.upper():
            raise ApiError(-1117, "Invalid side.")
        if self.card.orders.max_amends and record.amends >= self.card.orders.max_amends:
            raise ApiError(-5026, "Exceed maximum modify order limit.")
        quantity, price = read_quantity(parameters, listing), read_price(parameters, listing)
        if (quantity, price) == (record.quantity, record.price):
            raise ApiError(-5027, "No need to modify the order.")
        if self.card.orders.amend == "reduce" and (price != record.price or quantity > record.quantity):
            raise ApiError(-5025, "Only a smaller quantity is supported")
        done: OrderRecord | Refused
        if quantity <= record.filled:
            done = self.exchange.cancel(account, listing.symbol, order_id=record.order_id)
        else:
            done = self.exchange.amend(
                account, listing.symbol, order_id=record.order_id, price=price, quantity=quantity
            )
            if isinstance(done, Refused) and done.reason == "post_only":
                done = self.exchange.cancel(account, listing.symbol, order_id=record.order_id)
        if isinstance(done, Refused):
            raise refusal(self.card, done, listing, record.request.side)
        self.limits.count_orders(account, now_ns)
        if done.is_open:
            self.amendments.add(record, done, listing, self.exchange.now_ns)
        return order_json(done, listing)

    def _cancel(self, account: str, parameters: Parameters) -> dict[str, Any]:
        listing = self._listing(parameters)
        order_id, client_id = _ids(parameters)
        found = self.exchange.order(account, listing.symbol, order_id=order_id, client_id=client_id)
        if found is None or not found.is_open or is_waiting(found):
            raise ApiError(-2011, "Unknown order sent.")
        done = self.exchange.cancel(account, listing.symbol, order_id=found.order_id)
        if isinstance(done, Refused):
            raise ApiError(-2011, "Unknown order sent.")
        return order_json(done, listing)

    def _find(self, account: str, parameters: Parameters, listing: Listing) -> OrderRecord:
        order_id, client_id = _ids(parameters)
        found: OrderRecord | None = self.exchange.order(account, listing.symbol, order_id=order_id, client_id=client_id)
        if found is None or is_waiting(found):
            raise ApiError(-2013, "Order does not exist.")
        return found

    # Many orders

    def open_orders(self, call: Call) -> object:
        return [
            order_json(record, listing)
            for listing, record in self._open(call.account, call.parameters.text("symbol", ""))
            if not is_waiting(record)
        ]

    def all_orders(self, call: Call) -> object:
        listing, records = self._history(call)
        return [order_json(record, listing) for record in records if not is_waiting(record)]

    def trades(self, call: Call) -> object:
        parameters = call.parameters
        listing = self._listing(parameters)
        found = self.exchange.fills(
            call.account,
            listing.symbol,
            order_id=parameters.integer("orderId") if parameters.has("orderId") else None,
            from_id=parameters.integer("fromId") if parameters.has("fromId") else None,
            start_ns=parameters.integer("startTime", 0) * MS_NS,
            end_ns=(parameters.integer("endTime") + 1) * MS_NS if parameters.has("endTime") else None,
            limit=parameters.integer("limit", 500, low=1, high=1000),
        )
        return [fill_json(fill, listing) for fill in found]

    def cancel_all(self, call: Call) -> object:
        listing = self._listing(call.parameters)
        self._cancel_open(call.account, venue_symbol(listing))
        return DONE

    def place_batch(self, call: Call) -> object:
        return self._batch(call, self._place)

    def amend_batch(self, call: Call) -> object:
        return self._batch(call, self._amend)

    def cancel_batch(self, call: Call) -> object:
        parameters = call.parameters
        self._listing(parameters)
        name = next((name for name in CANCEL_LISTS if parameters.has(name)), None)
        if name is None:
            raise missing("orderIdList")
        wanted = _list(parameters, name)
        if not 0 < len(wanted) <= MOST_CANCELS:
            raise ApiError(-4083, f"Number of cancelled orders should be 1 to {MOST_CANCELS}, was {len(wanted)}.")
        key = CANCEL_LISTS[name]
        each = ({"symbol": parameters.text("symbol"), key: value} for value in wanted)
        return [_attempt(partial(self._cancel, call.account, Parameters.of_json(one))) for one in each]

    def countdown(self, call: Call) -> object:
        parameters = call.parameters
        listing = self._listing(parameters)
        time_ms = parameters.integer("countdownTime", high=1 << 40)
        key = call.account, venue_symbol(listing)
        number = self._countdowns.pop(key, None)
        if number is not None:
            self.exchange.forget(number)
        if time_ms:
            self._countdowns[key] = self.exchange.at(
                self.exchange.now_ns + time_ms * MS_NS, lambda: self._silence(*key)
            )
        return {"symbol": key[1], "countdownTime": str(time_ms)}

    def _silence(self, account: str, symbol: str) -> None:
        self._countdowns.pop((account, symbol), None)
        self._cancel_open(account, symbol)

    def _cancel_open(self, account: str, symbol: str) -> None:
        for listing, record in self._open(account, symbol):
            if not is_waiting(record):
                self.exchange.cancel(account, listing.symbol, order_id=record.order_id)

    def _open(self, account: str, symbol: str) -> list[tuple[Listing, OrderRecord]]:
        listings = [self.symbols.find(symbol)] if symbol else list(self.symbols.listings.values())
        return [
            (listing, record) for listing in listings for record in self.exchange.open_orders(account, listing.symbol)
        ]

    def _history(self, call: Call) -> tuple[Listing, list[OrderRecord]]:
        parameters = call.parameters
        listing = self._listing(parameters)
        return listing, self.exchange.orders(
            call.account,
            listing.symbol,
            from_id=parameters.integer("orderId") if parameters.has("orderId") else None,
            start_ns=parameters.integer("startTime", 0) * MS_NS,
            end_ns=(parameters.integer("endTime") + 1) * MS_NS if parameters.has("endTime") else None,
            limit=parameters.integer("limit", 500, low=1, high=1000),
        )

    def _batch(self, call: Call, one: Callable[[str, Parameters, int], dict[str, Any]]) -> object:
        call.shows_orders = True
        most = self.card.limits.batch_orders
        given = _list(call.parameters, "batchOrders")
        if not 0 < len(given) <= most or not all(isinstance(entry, dict) for entry in given):
            raise ApiError(-4082, f"Invalid number of batch place orders; 1 to {most} are taken, came {len(given)}.")
        self.limits.check_orders(call.account, call.now_ns, len(given))
        return [_attempt(partial(one, call.account, Parameters.of_json(entry), call.now_ns)) for entry in given]

    # Conditional orders

    def place_algo(self, call: Call) -> object:
        call.shows_orders = True
        self.limits.check_orders(call.account, call.now_ns)
        listing = self._listing(call.parameters)
        position = self.exchange.position(call.account, listing.symbol).quantity
        request = read_algo(call.parameters, listing, self.card, call.now_ns, position)
        if "trailing" in request.labels:
            group = self.waiting.add(call.account, [request])
            record = group if isinstance(group, Refused) else self.waiting.record(group, group.legs[0])
        else:
            record = self.exchange.place(call.account, request)
        if isinstance(record, Refused):
            raise refusal(self.card, record, listing, request.side)
        self.limits.count_orders(call.account, call.now_ns)
        return algo_json(record, listing)

    def cancel_algo(self, call: Call) -> object:
        listing, record = self._find_algo(call, -2011, "Unknown order sent.")
        done = self._cancel_waiting(call.account, listing, record) if is_waiting(record) and record.is_open else None
        if done is None or isinstance(done, Refused):
            raise ApiError(-2011, "Unknown order sent.")
        return {"algoId": algo_id(record), "clientAlgoId": record.client_id, "code": "200", "msg": "success"}

    def query_algo(self, call: Call) -> object:
        listing, record = self._find_algo(call, -2013, "Order does not exist.")
        return algo_json(record, listing)

    def open_algos(self, call: Call) -> object:
        return [
            algo_json(record, listing)
            for listing, record in self._open_algos(call.account, call.parameters.text("symbol", ""))
        ]

    def all_algos(self, call: Call) -> object:
        listing, records = self._history(call)
        held = self.waiting.held(call.account, listing.symbol, is_open=False)
        found = [*(record for record in records if is_conditional(record)), *held]
        return [algo_json(record, listing) for record in sorted(found, key=lambda record: record.created_ns)]

    def cancel_algos(self, call: Call) -> object:
        for listing, record in self._open_algos(call.account, venue_symbol(self._listing(call.parameters))):
            self._cancel_waiting(call.account, listing, record)
        return DONE

    def _open_algos(self, account: str, symbol: str) -> list[tuple[Listing, OrderRecord]]:
        found = [(listing, record) for listing, record in self._open(account, symbol) if is_waiting(record)]
        for listing in [self.symbols.find(symbol)] if symbol else self.symbols.listings.values():
            found += [(listing, record) for record in self.waiting.held(account, listing.symbol, is_open=True)]
        return found

    def _cancel_waiting(self, account: str, listing: Listing, record: OrderRecord) -> OrderRecord | Refused:
        if record.order_id >= FIRST_NUMBER:
            return self.waiting.cancel_held(record, "")
        done: OrderRecord | Refused = self.exchange.cancel(account, listing.symbol, order_id=record.order_id)
        return done

    def _find_algo(self, call: Call, code: int, text: str) -> tuple[Listing, OrderRecord]:
        parameters = call.parameters
        order_id = parameters.integer("algoId") if parameters.has("algoId") else None
        client_id = parameters.text("clientAlgoId", "")
        if order_id is None and not client_id:
            raise ApiError(-1102, "Param 'algoId' or 'clientAlgoId' must be sent, but both were empty/null!")
        for listing in self.symbols.listings.values():
            held = self.waiting.find(call.account, listing.symbol, order_id, client_id)
            real = None if order_id is None else self.waiting.real(order_id)
            found = held or self.exchange.order(call.account, listing.symbol, order_id=real, client_id=client_id)
            if found is not None and is_conditional(found):
                return listing, found
        raise ApiError(code, text)


def fill_json(fill: FillRecord, listing: Listing) -> dict[str, Any]:
    """Return an own trade."""
    return {
        "buyer": fill.side == "buy",
        "commission": fixed(fill.fee),
        "commissionAsset": fill.fee_currency,
        "id": fill.trade_id,
        "maker": fill.is_maker,
        "orderId": fill.order_id,
        "price": price_text(listing, fill.price),
        "qty": size_text(listing, fill.quantity),
        "quoteQty": fixed(fill.value),
        "realizedPnl": fixed(fill.realized),
        "side": fill.side.upper(),
        "positionSide": "BOTH",
        "symbol": venue_symbol(listing),
        "time": fill.event_ns // MS_NS,
    }


def _attempt(one: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        return one()
    except ApiError as error:
        return {"code": error.code, "msg": error.text}


def _ids(parameters: Parameters) -> tuple[int | None, str]:
    order_id = parameters.integer("orderId") if parameters.has("orderId") else None
    client_id = parameters.text("origClientOrderId", "")
    if order_id is None and not client_id:
        raise ApiError(-1102, UNSENT)
    return order_id, "" if order_id is not None else client_id


def _list(parameters: Parameters, name: str) -> list[Any]:
    try:
        value = json.loads(parameters.text(name), parse_float=str)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, list):
        raise ApiError(-1130, f"Data sent for parameter '{name}' is not valid.")
    return value


def _one_or_all(parameters: Parameters) -> int:
    return 1 if parameters.has("symbol") else 40
