"""Spot trading: orders placed, canceled, replaced, amended and asked for, over REST and the WebSocket API."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeAlias

from quotewright_simexchange.dialects.binance.errors import ApiError
from quotewright_simexchange.dialects.binance.listings import spot_filters, spot_listings
from quotewright_simexchange.dialects.binance.parameters import Parameters, missing
from quotewright_simexchange.dialects.binance.routes import Call, Endpoint
from quotewright_simexchange.dialects.binance.spot_market import find_symbol, in_ns
from quotewright_simexchange.dialects.binance.spot_orders import (
    canceled_json,
    check_filters,
    core_json,
    fill_json,
    list_head,
    list_number,
    order_json,
    placed_json,
    read_client_id,
    read_order,
    refused_order,
    stp_word,
)
from quotewright_simexchange.dialects.binance.waiting import FIRST_NUMBER, Group, Waiting
from quotewright_simexchange.dialects.binance.written import fixed
from quotewright_simexchange.exchange.records import Listing, OrderRecord, OrderRequest, Refused

if TYPE_CHECKING:
    from quotewright.model.cards import VenueCard
    from quotewright_simexchange.dialects.binance.limits import Limits
    from quotewright_simexchange.dialects.binance.mean import MeanPrices
    from quotewright_simexchange.exchange.exchange import Exchange

UNKNOWN_ORDER = ApiError(-2011, "Unknown order sent.")
NO_ORDER = ApiError(-2013, "Order does not exist.")
MOST_TIME = 1 << 43
LONGEST_NS = 24 * 3_600 * 1_000_000_000
Fees: TypeAlias = "Callable[[str, str], tuple[Decimal, Decimal]]"
"""Maker and taker rate by account and symbol."""


class SpotTrading:
    """What an account does and asks about its orders."""

    def __init__(
        self, exchange: Exchange, card: VenueCard, limits: Limits, fees: Fees, means: MeanPrices, waiting: Waiting
    ) -> None:
        self.exchange = exchange
        self.card = card
        self.limits = limits
        self.fees = fees
        self.means = means
        self.waiting = waiting
        self.cancel_ids = 0
        self._amended: dict[int, list[dict[str, Any]]] = {}
        self._symbols = spot_listings(exchange)
        self._known_filters: dict[str, tuple[Listing, list[dict[str, Any]]]] = {}

    def endpoints(self) -> dict[tuple[str, str, str], Endpoint]:
        """Return what is served, by (verb, path) of REST and method of the WebSocket API."""
        place = Endpoint(self.place, 1, "trade")
        return {
            ("POST", "/api/v3/order", "order.place"): place,
            ("POST", "/api/v3/order/test", "order.test"): Endpoint(self.test, 1, "trade"),
            ("GET", "/api/v3/order", "order.status"): Endpoint(self.query, 4, "read"),
            ("DELETE", "/api/v3/order", "order.cancel"): Endpoint(self.cancel, 1, "trade"),
            ("POST", "/api/v3/order/cancelReplace", "order.cancelReplace"): Endpoint(self.replace, 1, "trade"),
            ("PUT", "/api/v3/order/amend/keepPriority", "order.amend.keepPriority"): Endpoint(self.amend, 4, "trade"),
            ("GET", "/api/v3/openOrders", "openOrders.status"): Endpoint(self.open_orders, _open_weight, "read"),
            ("DELETE", "/api/v3/openOrders", "openOrders.cancelAll"): Endpoint(self.cancel_all, 1, "trade"),
            ("GET", "/api/v3/allOrders", "allOrders"): Endpoint(self.all_orders, 20, "read"),
            ("GET", "/api/v3/myTrades", "myTrades"): Endpoint(self.my_trades, _trades_weight, "read"),
            ("GET", "/api/v3/order/amendments", "order.amendments"): Endpoint(self.amendments, 4, "read"),
            ("GET", "/api/v3/myAllocations", "myAllocations"): Endpoint(self.allocations, 20, "read"),
            ("GET", "/api/v3/rateLimit/order", "account.rateLimits.orders"): Endpoint(self.order_limits, 40, "read"),
        }

    def place(self, call: Call) -> object:
        request = self.read(call.parameters)
        form = _form(call.parameters, request)
        self.limits.check_orders(call.account, call.now_ns)
        answer = self._place(request, form, call)
        call.is_free = call.shows_orders = True
        return answer

    def test(self, call: Call) -> object:
        request = self.read(call.parameters)
        _form(call.parameters, request)
        is_plain = "trailing" not in request.labels
        refused = self.exchange.test(self._account(call), request) if is_plain else None
        if refused is not None:
            raise refused_order(self.card, refused)
        if not call.parameters.flag("computeCommissionRates"):
            return {}
        maker, taker = self.fees(call.account, request.symbol)
        none = {key: fixed(None) for key in ("maker", "taker")}
        return {
            "standardCommissionForOrder": {"maker": fixed(maker), "taker": fixed(taker)},
            "specialCommissionForOrder": none,
            "taxCommissionForOrder": none,
            "discount": {
                "enabledForAccount": False,
                "enabledForSymbol": False,
                "discountAsset": "BNB",
                "discount": fixed(None),
            },
        }

    def query(self, call: Call) -> object:
        order = self._find(call)
        if order is None:
            raise NO_ORDER
        return order_json(order, call)

    def cancel(self, call: Call) -> object:
        symbol = find_symbol(self.exchange, call.parameters)
        canceled, client_id = self._cancel(call, symbol, "orderId", "origClientOrderId")
        call.is_free = True
        return canceled_json(canceled, client_id, call)

    def cancel_all(self, call: Call) -> object:
        symbol = find_symbol(self.exchange, call.parameters)
        account = self._account(call)
        single = [order for order in self.waiting.held(account, symbol, is_open=True) if list_number(order) < 0]
        ended = [self.waiting.cancel_held(order, "") for order in single]
        groups = [group for group in self.waiting.lists(account) if group.symbol == symbol and not group.is_done]
        canceled = self.exchange.cancel_all(account, symbol)
        ended += [self.waiting.dress(order) for order in canceled if list_number(order) < 0]
        if not ended and not groups:
            raise UNKNOWN_ORDER
        call.is_free = True
        answer = [canceled_json(order, self.cancel_id(), call) for order in ended]
        for group in groups:
            self.waiting.cancel(group)
            answer.append(self.list_json(group, call, canceled=True))
        return answer

    def replace(self, call: Call) -> object:
        parameters = call.parameters
        mode = parameters.choice("cancelReplaceMode", ("STOP_ON_FAILURE", "ALLOW_FAILURE"))
        if not parameters.has("cancelOrderId") and not parameters.has("cancelOrigClientOrderId"):
            raise ApiError(
                -1102, "Param 'cancelOrigClientOrderId' or 'cancelOrderId' must be sent, but both were empty/null!"
            )
        request = self.read(call.parameters)
        form = _form(parameters, request)
        self.limits.check_orders(call.account, call.now_ns)
        data: dict[str, Any] = {
            "cancelResult": "SUCCESS",
            "newOrderResult": "NOT_ATTEMPTED",
            "cancelResponse": None,
            "newOrderResponse": None,
        }
        try:
            canceled, client_id = self._cancel(call, request.symbol, "cancelOrderId", "cancelOrigClientOrderId")
            data["cancelResponse"] = canceled_json(canceled, client_id, call)
        except ApiError as error:
            data |= {"cancelResult": "FAILURE", "cancelResponse": error.as_json()}
        if data["cancelResult"] == "SUCCESS" or mode == "ALLOW_FAILURE":
            try:
                data |= {"newOrderResponse": self._place(request, form, call), "newOrderResult": "SUCCESS"}
            except ApiError as error:
                data |= {"newOrderResponse": error.as_json(), "newOrderResult": "FAILURE"}
        else:
            self.limits.count_orders(call.account, call.now_ns)
        call.shows_orders = True
        results = (data["cancelResult"], data["newOrderResult"])
        if results == ("SUCCESS", "SUCCESS"):
            call.is_free = True
            return data
        if "SUCCESS" in results:
            raise ApiError(-2021, "Order cancel-replace partially failed.", 409, data=data)
        raise ApiError(-2022, "Order cancel-replace failed.", 400, data=data)

    def amend(self, call: Call) -> object:
        if self.card.orders.amend == "none":
            raise ApiError(-1020, "This operation is not supported.")
        parameters = call.parameters
        quantity = parameters.number("newQty")
        order = self._find(call)
        if order is not None and order.order_id >= FIRST_NUMBER and self.waiting.real(order.order_id) >= FIRST_NUMBER:
            raise ApiError(-2038, "The order waits for its price; it cannot be amended.")
        if order is None or not order.is_open:
            raise NO_ORDER if order is None else ApiError(-2038, "The order is not open; it cannot be amended.")
        client_id = read_client_id(parameters, self.card)
        if client_id and client_id != order.client_id:
            raise ApiError(-2038, "The client order id of an order cannot be changed here; leave newClientOrderId out.")
        if quantity >= order.quantity:
            raise ApiError(-2038, "Order amend (quantity increase) is not supported.")
        changed = OrderRequest(
            symbol=order.request.symbol, side=order.request.side, quantity=quantity, price=order.price
        )
        check_filters(changed, self._filters(changed.symbol), self.reference(changed.symbol))
        amended = self.exchange.amend(
            self._account(call), order.request.symbol, order_id=self.waiting.real(order.order_id), quantity=quantity
        )
        if isinstance(amended, Refused):
            raise ApiError(-2038, f"Order amend was rejected: {amended.text or amended.reason}.")
        amended = self.waiting.dress(amended)
        self._amended.setdefault(amended.order_id, []).append(
            {
                "symbol": amended.request.symbol,
                "orderId": amended.order_id,
                "executionId": amended.amends,
                "origClientOrderId": amended.client_id,
                "newClientOrderId": amended.client_id,
                "origQty": fixed(order.quantity),
                "newQty": fixed(amended.quantity),
                "time": amended.updated_ns,
            }
        )
        core = core_json(amended)
        return {
            "transactTime": call.time(amended.updated_ns),
            "executionId": amended.amends,
            "amendedOrder": {
                "symbol": amended.request.symbol,
                "orderId": amended.order_id,
                "orderListId": list_number(amended),
                "origClientOrderId": amended.client_id,
                "clientOrderId": amended.client_id,
                "price": core["price"],
                "qty": core["origQty"],
                "executedQty": core["executedQty"],
                "preventedQty": fixed(amended.prevented),
                "quoteOrderQty": core["origQuoteOrderQty"],
                "cumulativeQuoteQty": core["cummulativeQuoteQty"],
                "status": core["status"],
                "timeInForce": core["timeInForce"],
                "type": core["type"],
                "side": core["side"],
                "workingTime": call.time(amended.working_ns),
                "selfTradePreventionMode": stp_word(amended),
            },
        }

    def amendments(self, call: Call) -> object:
        parameters = call.parameters
        parameters.integer("orderId")
        order = self._find(call)
        if order is None:
            raise NO_ORDER
        first, limit = parameters.integer("fromExecutionId", 0), parameters.integer("limit", 500, low=1, high=1000)
        rows = [row for row in self._amended.get(order.order_id, ()) if row["executionId"] >= first]
        return [{**row, "time": call.time(row["time"])} for row in rows[:limit]]

    def allocations(self, call: Call) -> object:
        """Return what smart routing allocated: nothing, there is none."""
        find_symbol(self.exchange, call.parameters)
        return []

    def open_orders(self, call: Call) -> object:
        symbol = find_symbol(self.exchange, call.parameters) if call.parameters.has("symbol") else None
        account = self._account(call)
        shown = [
            self.waiting.dress(order)
            for order in self.exchange.open_orders(account, symbol)
            if order.request.symbol in self._symbols
        ]
        shown += self.waiting.held(account, symbol, is_open=True)
        return [order_json(order, call) for order in sorted(shown, key=lambda order: order.created_ns)]

    def all_orders(self, call: Call) -> object:
        parameters = call.parameters
        symbol = find_symbol(self.exchange, parameters)
        account, from_id = self._account(call), parameters.integer("orderId") if parameters.has("orderId") else None
        start_ns, end_ns = _times(parameters)
        limit = parameters.integer("limit", 500, low=1, high=1000)
        held = [
            order
            for order in self.waiting.held(account, symbol, is_open=False)
            if order.order_id >= (from_id or 0) and start_ns <= order.created_ns <= end_ns
        ]
        orders = [
            self.waiting.dress(order)
            for order in self.exchange.orders(
                account,
                symbol,
                from_id=None if from_id is None else self.waiting.real(from_id),
                start_ns=start_ns,
                end_ns=end_ns,
                limit=limit,
            )
        ]
        if held:
            orders = sorted([*orders, *held], key=lambda order: (order.created_ns, order.order_id))
            orders = orders[:limit] if from_id is not None or start_ns else orders[-limit:]
        return [order_json(order, call) for order in orders]

    def my_trades(self, call: Call) -> object:
        parameters = call.parameters
        symbol = find_symbol(self.exchange, parameters)
        start_ns, end_ns = _times(parameters)
        fills = self.exchange.fills(
            self._account(call),
            symbol,
            order_id=self.waiting.real(parameters.integer("orderId")) if parameters.has("orderId") else None,
            from_id=parameters.integer("fromId") if parameters.has("fromId") else None,
            start_ns=start_ns,
            end_ns=end_ns,
            limit=parameters.integer("limit", 500, low=1, high=1000),
        )
        return [fill_json(fill, self.waiting.shown(fill.order_id), call) for fill in fills]

    def order_limits(self, call: Call) -> object:
        return self.limits.counters(call.client, call.account, call.now_ns, ("ORDERS",))

    def reference(self, symbol: str) -> Decimal | None:
        """Return the mean price of the last minutes, against which prices and market orders' values are held."""
        return self.means.mean(symbol)

    def read(self, parameters: Parameters) -> OrderRequest:
        """Return the order that *parameters* state, held to the instrument's filters."""
        symbol = find_symbol(self.exchange, parameters)
        request = read_order(parameters, symbol, self.card)
        check_filters(request, self._filters(symbol), self.reference(symbol))
        return request

    def _filters(self, symbol: str) -> list[dict[str, Any]]:
        listing = self.exchange.listings[symbol]
        known = self._known_filters.get(symbol)
        if known is None or known[0] is not listing:
            known = self._known_filters[symbol] = (listing, spot_filters(listing, self.card))
        return known[1]

    def _place(self, request: OrderRequest, form: str, call: Call) -> dict[str, Any]:
        self.limits.count_orders(call.account, call.now_ns)
        if "trailing" in request.labels:
            return self._hold(request, form, call)
        placed = self.exchange.place(self._account(call), request)
        if isinstance(placed, Refused):
            self.limits.count_orders(call.account, call.now_ns, -1)
            raise refused_order(self.card, placed)
        return placed_json(placed, self.exchange.fills_of(placed.order_id), form, call)

    def _find(self, call: Call) -> OrderRecord | None:
        parameters = call.parameters
        symbol = find_symbol(self.exchange, parameters)
        number, client_id = _ids(parameters, "orderId", "origClientOrderId")
        order = self._known(self._account(call), symbol, number, client_id)
        if number is not None and order is not None and client_id and order.client_id != client_id:
            raise ApiError(-2039, "Client order ID is not correct for this order ID.")
        return order

    def _known(self, account: str, symbol: str, number: int | None, client_id: str) -> OrderRecord | None:
        """Return an order as the door shows it, wherever it stands."""
        held = self.waiting.find(account, symbol, number, client_id)
        if held is not None:
            return held
        order: OrderRecord | None
        if number is None:
            order = self.exchange.order(account, symbol, client_id=client_id)
        else:
            order = self.exchange.order(account, symbol, order_id=self.waiting.real(number))
        return None if order is None else self.waiting.dress(order)

    def _hold(self, request: OrderRequest, form: str, call: Call) -> dict[str, Any]:
        if request.quantity is None:
            raise missing("quantity")
        group = self.waiting.add(self._account(call), [request])
        if isinstance(group, Refused):
            self.limits.count_orders(call.account, call.now_ns, -1)
            raise refused_order(self.card, group)
        return placed_json(self.waiting.record(group, group.legs[0]), (), form, call)

    def list_json(self, group: Group, call: Call, *, canceled: bool = False, reports: bool = True) -> dict[str, Any]:
        """Return a list of orders, with the reports that go with placing or canceling it."""
        orders = [self.waiting.record(group, leg) for leg in group.legs]
        body = list_head(group, orders, call)
        if canceled:
            body["orderReports"] = [canceled_json(order, self.cancel_id(), call) for order in orders]
        elif reports:
            body["orderReports"] = [placed_json(order, (), "RESULT", call) for order in orders]
        return body

    def _cancel(self, call: Call, symbol: str, id_name: str, client_name: str) -> tuple[OrderRecord, str]:
        parameters = call.parameters
        number, client_id = _ids(parameters, id_name, client_name)
        only = parameters.text("cancelRestrictions", "")
        if only not in ("", "ONLY_NEW", "ONLY_PARTIALLY_FILLED"):
            raise ApiError(-1145, "Invalid cancelRestrictions")
        account = self._account(call)
        order = self._known(account, symbol, number, client_id)
        if order is None or not order.is_open:
            raise UNKNOWN_ORDER
        if number is not None and client_id and order.client_id != client_id:
            raise ApiError(-2039, "Client order ID is not correct for this order ID.")
        if only and (only == "ONLY_PARTIALLY_FILLED") != (order.status == "partial"):
            raise ApiError(-2011, "Order was not canceled due to cancel restrictions.")
        name = "newClientOrderId" if id_name == "orderId" else "cancelNewClientOrderId"
        own = read_client_id(parameters, self.card, name) or self.cancel_id()
        real = self.waiting.real(order.order_id)
        if real >= FIRST_NUMBER:
            return self.waiting.cancel_held(order, own), own
        canceled = self.exchange.cancel(account, symbol, order_id=real, cause=own)
        if isinstance(canceled, Refused):
            raise UNKNOWN_ORDER
        return self.waiting.dress(canceled), own

    def cancel_id(self) -> str:
        """Invent the client id of a cancel that has none."""
        self.cancel_ids += 1
        return f"cancel-{self.cancel_ids}"

    def _account(self, call: Call) -> Any:
        return call.account


def _form(parameters: Parameters, request: OrderRequest) -> str:
    default = "FULL" if request.type in ("limit", "market") and not request.post_only else "ACK"
    return parameters.choice("newOrderRespType", ("ACK", "RESULT", "FULL"), default)


def _ids(parameters: Parameters, id_name: str, client_name: str) -> tuple[int | None, str]:
    number = parameters.integer(id_name) if parameters.has(id_name) else None
    client_id = parameters.text(client_name, "")
    if number is None and not client_id:
        raise ApiError(-1102, f"Param '{client_name}' or '{id_name}' must be sent, but both were empty/null!")
    return number, client_id


def _times(parameters: Parameters) -> tuple[int, int]:
    """Return between which times is asked, a day apart at most if both are stated."""
    start_ns = in_ns(parameters.integer("startTime", 0))
    end_ns = in_ns(parameters.integer("endTime", MOST_TIME))
    if parameters.has("startTime") and parameters.has("endTime") and end_ns - start_ns > LONGEST_NS:
        raise ApiError(-1127, "More than 24 hours between startTime and endTime.")
    return start_ns, end_ns


def _open_weight(parameters: Parameters) -> int:
    return 6 if parameters.has("symbol") else 80


def _trades_weight(parameters: Parameters) -> int:
    return 5 if parameters.has("orderId") else 20
