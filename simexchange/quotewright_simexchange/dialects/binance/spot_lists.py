"""Lists of spot orders: one cancels the other (OCO), one triggers the other (OTO), one triggers such a pair (OTOCO)."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from quotewright_simexchange.dialects.binance.errors import ApiError
from quotewright_simexchange.dialects.binance.parameters import Parameters
from quotewright_simexchange.dialects.binance.routes import Call, Endpoint
from quotewright_simexchange.dialects.binance.spot_market import find_symbol, in_ns
from quotewright_simexchange.dialects.binance.spot_orders import TRIGGERED, read_client_id, refused_order
from quotewright_simexchange.dialects.binance.waiting import WORKING, Group, Waiting
from quotewright_simexchange.exchange.records import OrderRequest, Refused

if TYPE_CHECKING:
    from quotewright_simexchange.dialects.binance.limits import Limits
    from quotewright_simexchange.dialects.binance.spot_trading import SpotTrading
    from quotewright_simexchange.exchange.exchange import Exchange

OF_ORDER = (
    "side",
    "type",
    "timeInForce",
    "quantity",
    "price",
    "stopPrice",
    "trailingDelta",
    "icebergQty",
    "strategyId",
    "strategyType",
    "newClientOrderId",
)
COMMON = ("symbol", "selfTradePreventionMode", "timestamp")
BROKEN = "The relationship of the prices for the orders is not correct."


class SpotLists:
    """What an account does and asks about its lists of orders."""

    def __init__(self, exchange: Exchange, limits: Limits, trading: SpotTrading, waiting: Waiting) -> None:
        self.exchange = exchange
        self.limits = limits
        self.trading = trading
        self.waiting = waiting

    def endpoints(self) -> dict[tuple[str, str, str], Endpoint]:
        """Return what is served, by (verb, path) of REST and method of the WebSocket API."""
        return {
            ("POST", "/api/v3/orderList/oco", "orderList.place.oco"): Endpoint(self.place_oco, 1, "trade"),
            ("POST", "/api/v3/orderList/oto", "orderList.place.oto"): Endpoint(self.place_oto, 1, "trade"),
            ("POST", "/api/v3/orderList/otoco", "orderList.place.otoco"): Endpoint(self.place_otoco, 1, "trade"),
            ("POST", "/api/v3/order/oco", "orderList.place"): Endpoint(self.place_old, 1, "trade"),
            ("GET", "/api/v3/orderList", "orderList.status"): Endpoint(self.query, 4, "read"),
            ("DELETE", "/api/v3/orderList", "orderList.cancel"): Endpoint(self.cancel, 1, "trade"),
            ("GET", "/api/v3/openOrderList", "openOrderLists.status"): Endpoint(self.open_lists, 6, "read"),
            ("GET", "/api/v3/allOrderList", "allOrderLists"): Endpoint(self.all_lists, 20, "read"),
        }

    def place_oco(self, call: Call) -> object:
        both = {name: call.parameters.values.get(name, "") for name in ("side", "quantity")}
        pair = [self._leg(call.parameters, prefix, both) for prefix in ("above", "below")]
        _check_pair(pair)
        return self._begin(call, pair, "OCO", has_working=False)

    def place_old(self, call: Call) -> object:
        given = call.parameters.values
        both = {name: given.get(name, "") for name in ("side", "quantity")}
        limit = {
            "type": "LIMIT_MAKER",
            "price": call.parameters.text("price"),
            "newClientOrderId": given.get("limitClientOrderId", ""),
            "icebergQty": given.get("limitIcebergQty", ""),
        }
        has_limit = call.parameters.has("stopLimitPrice")
        stop = {
            "type": "STOP_LOSS_LIMIT" if has_limit else "STOP_LOSS",
            "price": given.get("stopLimitPrice", ""),
            "timeInForce": given.get("stopLimitTimeInForce", ""),
            "newClientOrderId": given.get("stopClientOrderId", ""),
            **{name: given.get(name, "") for name in ("stopPrice", "trailingDelta")},
        }
        is_sale = given.get("side") == "SELL"
        pair = [self._leg(call.parameters, "", {**both, **one}, True) for one in (limit, stop)]
        _check_pair(pair if is_sale else pair[::-1])
        return self._begin(call, pair[::-1], "OCO", has_working=False)

    def place_oto(self, call: Call) -> object:
        legs = [self._leg(call.parameters, prefix, {}) for prefix in ("working", "pending")]
        _check_working(legs[0])
        return self._begin(call, legs, "OTO", has_working=True)

    def place_otoco(self, call: Call) -> object:
        given = call.parameters.values
        both = {"side": given.get("pendingSide", ""), "quantity": given.get("pendingQuantity", "")}
        working = self._leg(call.parameters, "working", {})
        _check_working(working)
        pair = [self._leg(call.parameters, prefix, both) for prefix in ("pendingAbove", "pendingBelow")]
        _check_pair(pair)
        return self._begin(call, [working, *pair], "OTO", has_working=True)

    def query(self, call: Call) -> object:
        number = call.parameters.integer("orderListId") if call.parameters.has("orderListId") else None
        return self._shown(self._find(call, number, call.parameters.text("origClientOrderId", ""), -2013), call)

    def cancel(self, call: Call) -> object:
        find_symbol(self.exchange, call.parameters)
        number = call.parameters.integer("orderListId") if call.parameters.has("orderListId") else None
        group = self._find(call, number, call.parameters.text("listClientOrderId", ""), -2011)
        if group.is_done or group.symbol != call.parameters.text("symbol"):
            raise ApiError(-2011, "Unknown order list sent.")
        self.waiting.cancel(group)
        call.is_free = True
        return self.trading.list_json(group, call, canceled=True)

    def open_lists(self, call: Call) -> object:
        return [self._shown(group, call) for group in self.waiting.lists(call.account) if not group.is_done]

    def all_lists(self, call: Call) -> object:
        parameters = call.parameters
        first = parameters.integer("fromId", 0)
        start_ns, end_ns = in_ns(parameters.integer("startTime", 0)), in_ns(parameters.integer("endTime", 1 << 43))
        limit = parameters.integer("limit", 500, low=1, high=1000)
        found = [
            self._shown(group, call)
            for group in self.waiting.lists(call.account)
            if group.number >= first and start_ns <= group.made_ns <= end_ns
        ]
        return found[:limit] if first or start_ns else found[-limit:]

    def _leg(self, parameters: Parameters, prefix: str, own: Mapping[str, str], is_whole: bool = False) -> OrderRequest:
        """Return the order whose parameters begin with *prefix*; *own* are its own, *is_whole* if they are all."""
        given = parameters.values
        values = {name: given[name] for name in COMMON if name in given} | dict(own)
        if not is_whole:
            for name in OF_ORDER:
                value = given.get(_prefixed(prefix, name))
                if value is not None and name not in own:
                    values[name] = value
        try:
            return self.trading.read(Parameters(values))
        except ApiError as error:
            for name in OF_ORDER:
                if not is_whole and name not in own:
                    error.text = error.text.replace(f"'{name}'", f"'{_prefixed(prefix, name)}'")
            raise

    def _begin(self, call: Call, legs: list[OrderRequest], contingency: str, *, has_working: bool) -> object:
        client_id = read_client_id(call.parameters, self.trading.card, "listClientOrderId")
        group = self.waiting.group_of(None, call.account, client_id) if client_id else None
        if group is not None and not group.is_done:
            raise ApiError(-2010, "Duplicate order sent.")
        if any(leg.quantity is None for leg in legs):
            raise ApiError(-1128, "Combination of optional parameters invalid.")
        self.limits.check_orders(call.account, call.now_ns, len(legs))
        self.limits.count_orders(call.account, call.now_ns, len(legs))
        made = self.waiting.add(
            call.account, legs, contingency=contingency, has_working=has_working, client_id=client_id
        )
        if isinstance(made, Refused):
            self.limits.count_orders(call.account, call.now_ns, -len(legs))
            raise refused_order(self.trading.card, made)
        call.is_free = call.shows_orders = True
        return self.trading.list_json(made, call)

    def _find(self, call: Call, number: int | None, client_id: str, code: int) -> Group:
        if number is None and not client_id:
            raise ApiError(-1102, "Param 'origClientOrderId' or 'orderListId' must be sent, but both were empty/null!")
        group = self.waiting.group_of(number, call.account, client_id)
        if group is None:
            raise ApiError(code, "Order list does not exist." if code == -2013 else "Unknown order list sent.")
        return group

    def _shown(self, group: Group, call: Call) -> dict[str, Any]:
        return self.trading.list_json(group, call, reports=False)


def _prefixed(prefix: str, name: str) -> str:
    name = "clientOrderId" if name == "newClientOrderId" else name
    return prefix + name[0].upper() + name[1:]


def _level(request: OrderRequest) -> Decimal | None:
    return request.trigger if request.type in WORKING else request.price


def _check_pair(pair: list[OrderRequest]) -> None:
    """Hold a pair to the venue's rule: above stands higher than below, and one of them at most rests in the book."""
    above, below = pair
    kinds = [request.labels["type"] for request in pair]
    if any(kind not in (*TRIGGERED, "LIMIT_MAKER") for kind in kinds) or kinds == ["LIMIT_MAKER"] * 2:
        raise ApiError(-1116, "Invalid orderType.")
    rising = ("STOP_LOSS", "STOP_LOSS_LIMIT") if above.side == "buy" else ("TAKE_PROFIT", "TAKE_PROFIT_LIMIT")
    for kind, is_above in zip(kinds, (True, False), strict=True):
        belongs_above = above.side == "sell" if kind == "LIMIT_MAKER" else kind in rising
        if is_above != belongs_above:
            raise ApiError(-2010, BROKEN)
    high, low = _level(above), _level(below)
    if high is not None and low is not None and high <= low:
        raise ApiError(-2010, BROKEN)


def _check_working(working: OrderRequest) -> None:
    if working.labels["type"] not in ("LIMIT", "LIMIT_MAKER"):
        raise ApiError(-1116, "Invalid orderType.")
