"""Spot orders as the venue reads and writes them: parameters into requests, filters, records into answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from quotewright_simexchange.dialects.binance.errors import ApiError, of_reason
from quotewright_simexchange.dialects.binance.listings import LEAST_TRAILING, MOST_TRAILING, STP_MODES, usual_stp
from quotewright_simexchange.dialects.binance.parameters import Parameters, illegal, missing, not_required
from quotewright_simexchange.dialects.binance.written import fixed
from quotewright_simexchange.exchange.records import FillRecord, OrderRecord, OrderRequest, Refused

if TYPE_CHECKING:
    from quotewright.model.cards import VenueCard
    from quotewright_simexchange.dialects.binance.routes import Call
    from quotewright_simexchange.dialects.binance.waiting import Group

TIFS = ("GTC", "IOC", "FOK")
"""What the engine can do; which of them there are is the card's."""
TRIGGERED = ("STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT")
PRICED = ("LIMIT", "LIMIT_MAKER", "STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT")
TIMED = ("LIMIT", "STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT")
KINDS: Mapping[str, str] = {
    "LIMIT": "limit",
    "LIMIT_MAKER": "limit",
    "MARKET": "market",
    "STOP_LOSS": "stop",
    "STOP_LOSS_LIMIT": "stop_limit",
    "TAKE_PROFIT": "take_profit",
    "TAKE_PROFIT_LIMIT": "take_profit_limit",
}
WORDS = {kind: word for word, kind in KINDS.items() if word != "LIMIT_MAKER"}
STATUSES = {
    "untriggered": "NEW",
    "open": "NEW",
    "partial": "PARTIALLY_FILLED",
    "filled": "FILLED",
    "canceled": "CANCELED",
    "expired": "EXPIRED",
    "rejected": "REJECTED",
}
FORBIDDEN = {
    "pegPriceType": "Pegged orders are not supported for this symbol.",
}
STP_WORDS = {mode: word for word, mode in STP_MODES.items()}
FAILED = "Filter failure: "


def read_order(parameters: Parameters, symbol: str, card: VenueCard) -> OrderRequest:
    """Return the order that *parameters* state, or raise what the venue of *card* answers."""
    side = parameters.choice("side", ("BUY", "SELL"), None, -1117, "side")
    kind = parameters.choice("type", card.orders.types, None, -1116, "orderType")
    for name, text in FORBIDDEN.items():
        if parameters.has(name):
            raise ApiError(-2010, text)
    tif = _time_in_force(parameters, kind, card)
    quantity, budget = parameters.maybe_number("quantity"), parameters.maybe_number("quoteOrderQty")
    if kind == "MARKET" and quantity is not None and budget is not None:
        raise ApiError(-1128, "Combination of optional parameters invalid.")
    if budget is not None and kind != "MARKET":
        raise not_required("quoteOrderQty")
    if quantity is None and budget is None:
        raise missing("quantity")
    price = parameters.maybe_number("price")
    if kind in PRICED and price is None:
        raise missing("price")
    if kind not in PRICED and price is not None:
        raise not_required("price")
    trigger = parameters.maybe_number("stopPrice")
    trailing = read_trailing(parameters, kind)
    if kind in TRIGGERED and trigger is None and not trailing:
        raise missing("stopPrice")
    if kind not in TRIGGERED and trigger is not None:
        raise not_required("stopPrice")
    display = parameters.maybe_number("icebergQty")
    if display is not None and (kind not in PRICED or (kind != "LIMIT_MAKER" and tif != "GTC")):
        raise not_required("icebergQty")
    for name, value in (("quantity", quantity), ("price", price), ("stopPrice", trigger), ("quoteOrderQty", budget)):
        if value is not None and value <= 0:
            raise ApiError(-1013, f"Invalid {name}.")
    stp = parameters.text("selfTradePreventionMode", usual_stp(card))
    if stp not in STP_MODES:
        raise ApiError(-2010, "This symbol does not allow the specified self-trade prevention mode.")
    labels = {"type": kind}
    if trailing:
        labels["trailing"] = trailing
    for name in ("strategyId", "strategyType"):
        if parameters.has(name):
            labels[name] = str(parameters.integer(name))
    return OrderRequest(
        symbol=symbol,
        side="buy" if side == "BUY" else "sell",
        type=KINDS[kind],  # type: ignore[arg-type]
        quantity=quantity,
        quote_quantity=budget,
        price=price,
        tif=tif.lower(),  # type: ignore[arg-type]
        post_only="reject" if kind == "LIMIT_MAKER" else "",
        display=display if display else None,
        stp=STP_MODES[stp],
        trigger=trigger,
        client_id=read_client_id(parameters, card),
        labels=labels,
    )


def read_client_id(parameters: Parameters, card: VenueCard, name: str = "newClientOrderId") -> str:
    """Return the client order id in *name*, empty if none was sent."""
    client_id = parameters.text(name, "")
    if client_id and not card.client_ids.is_allowed(client_id):
        raise illegal(name, f"^{card.client_ids.pattern}$")
    return client_id


def read_trailing(parameters: Parameters, kind: str) -> str:
    """Return in basis points by how much a stop trails, empty if it does not."""
    if not parameters.has("trailingDelta"):
        return ""
    if kind not in TRIGGERED:
        raise not_required("trailingDelta")
    bips = parameters.integer("trailingDelta")
    if not LEAST_TRAILING <= bips <= MOST_TRAILING:
        raise ApiError(-1013, f"{FAILED}TRAILING_DELTA")
    return str(bips)


def _time_in_force(parameters: Parameters, kind: str, card: VenueCard) -> str:
    if kind in TIMED:
        return parameters.choice(
            "timeInForce", [word for word in TIFS if word in card.orders.times_in_force], None, -1115, "timeInForce"
        )
    if parameters.has("timeInForce"):
        raise not_required("timeInForce")
    return "GTC"


def check_filters(request: OrderRequest, filters: Sequence[Mapping[str, Any]], reference: Decimal | None) -> None:
    """Hold *request* to *filters* in their order; *reference* is the mean price of the last minutes."""
    for entry in filters:
        name = entry["filterType"]
        check = _CHECKS.get(name)
        if check is not None and not check(request, entry, reference):
            raise ApiError(-1013, f"{FAILED}{name}")


def _is_on_price(request: OrderRequest, entry: Mapping[str, Any], reference: Decimal | None) -> bool:
    return all(
        price is None or _is_within(price, entry["minPrice"], entry["maxPrice"], entry["tickSize"])
        for price in (request.price, request.trigger)
    )


def _is_on_lot(request: OrderRequest, entry: Mapping[str, Any], reference: Decimal | None) -> bool:
    return all(
        quantity is None or _is_within(quantity, entry["minQty"], entry["maxQty"], entry["stepSize"])
        for quantity in (request.quantity, request.display)
    )


def _is_on_market_lot(request: OrderRequest, entry: Mapping[str, Any], reference: Decimal | None) -> bool:
    return request.type not in ("market", "stop", "take_profit") or _is_on_lot(request, entry, reference)


def _has_few_parts(request: OrderRequest, entry: Mapping[str, Any], reference: Decimal | None) -> bool:
    if request.display is None or request.quantity is None:
        return True
    return request.display <= request.quantity and -(-request.quantity // request.display) <= entry["limit"]


def _is_in_band(request: OrderRequest, entry: Mapping[str, Any], reference: Decimal | None) -> bool:
    if request.price is None or reference is None:
        return True
    side = "bid" if request.side == "buy" else "ask"
    up, down = Decimal(entry[f"{side}MultiplierUp"]), Decimal(entry[f"{side}MultiplierDown"])
    return (not up or request.price <= reference * up) and request.price >= reference * down


def _is_worth_it(request: OrderRequest, entry: Mapping[str, Any], reference: Decimal | None) -> bool:
    is_market = request.price is None
    price = reference if request.price is None else request.price
    if request.quote_quantity is not None:
        value = request.quote_quantity
    elif price is None or request.quantity is None:
        return True
    else:
        value = price * request.quantity
    least, most = Decimal(entry["minNotional"]), Decimal(entry["maxNotional"])
    if value < least and (not is_market or entry["applyMinToMarket"]):
        return False
    return not most or value <= most or (is_market and not entry["applyMaxToMarket"])


def _is_within(value: Decimal, least: str, most: str, step: str) -> bool:
    low, high, size = Decimal(least), Decimal(most), Decimal(step)
    if (low and value < low) or (high and value > high):
        return False
    return not size or (value - low) % size == 0


_CHECKS = {
    "PRICE_FILTER": _is_on_price,
    "LOT_SIZE": _is_on_lot,
    "ICEBERG_PARTS": _has_few_parts,
    "MARKET_LOT_SIZE": _is_on_market_lot,
    "PERCENT_PRICE_BY_SIDE": _is_in_band,
    "NOTIONAL": _is_worth_it,
}


def refused_order(card: VenueCard, refused: Refused) -> ApiError:
    """Return what the venue answers to an order that the exchange refused."""
    other = {
        "unknown_symbol": ApiError(-1121, "Invalid symbol."),
        "bad_client_id": illegal("newClientOrderId", f"^{card.client_ids.pattern}$"),
        "bad_qty": ApiError(-1013, "Invalid quantity."),
        "bad_price": ApiError(-1013, "Invalid price."),
        "bad_flags": ApiError(-1128, "Combination of optional parameters invalid."),
        "min_qty": ApiError(-1013, f"{FAILED}LOT_SIZE"),
        "max_qty": ApiError(-1013, f"{FAILED}LOT_SIZE"),
        "max_stop_orders": ApiError(-1013, f"{FAILED}MAX_NUM_ALGO_ORDERS"),
        "max_iceberg_orders": ApiError(-1013, f"{FAILED}MAX_NUM_ICEBERG_ORDERS"),
        "account": ApiError(-2010, "This action is disabled on this account."),
        "quote_quantity": ApiError(-1013, f"{FAILED}LOT_SIZE"),
        "min_notional": ApiError(-1013, f"{FAILED}NOTIONAL"),
    }.get(refused.reason)
    if other is not None:
        return other
    reason = {"duplicate_client_id": "duplicate_id"}.get(refused.reason, refused.reason)
    return of_reason(card, reason, (-2010, -1013), refused.text or f"Order was rejected: {refused.reason}.")


def kind_of(order: OrderRecord) -> str:
    """Return the order's type in the venue's word, as its door called it."""
    word = order.request.labels.get("type", "")
    if word in KINDS:
        return word
    return "LIMIT_MAKER" if order.request.post_only else WORDS[order.request.type]


def status_of(order: OrderRecord) -> str:
    """Return the order's status in the venue's word."""
    if order.status == "expired" and order.reason == "stp":
        return "EXPIRED_IN_MATCH"
    if order.status == "untriggered" and order.reason == "pending":
        return "PENDING_NEW"
    return STATUSES[order.status]


def list_number(order: OrderRecord) -> int:
    """Return the number of the order's list, -1 if it is in none."""
    return int(order.request.labels.get("list", -1))


def core_json(order: OrderRecord) -> dict[str, Any]:
    """Return what every report of an order carries after its ids."""
    request = order.request
    body: dict[str, Any] = {
        "price": fixed(order.price),
        "origQty": fixed(order.quantity),
        "executedQty": fixed(order.filled),
        "origQuoteOrderQty": fixed(request.quote_quantity),
        "cummulativeQuoteQty": fixed(order.value),
        "status": status_of(order),
        "timeInForce": request.tif.upper(),
        "type": kind_of(order),
        "side": request.side.upper(),
    }
    if request.trigger is not None:
        body["stopPrice"] = fixed(request.trigger)
    if request.display is not None:
        body["icebergQty"] = fixed(request.display)
    for name, label in (("trailingDelta", "trailing"), ("strategyId", "strategyId"), ("strategyType", "strategyType")):
        if label in request.labels:
            body[name] = int(request.labels[label])
    if order.prevented:
        body["preventedQuantity"] = fixed(order.prevented)
    return body


def stp_word(order: OrderRecord) -> str:
    return STP_WORDS.get(order.request.stp, "NONE")


def placed_json(order: OrderRecord, fills: Sequence[FillRecord], form: str, call: Call) -> dict[str, Any]:
    """Return the answer to a new order in the *form* ACK, RESULT or FULL."""
    body: dict[str, Any] = {
        "symbol": order.request.symbol,
        "orderId": order.order_id,
        "orderListId": list_number(order),
        "clientOrderId": order.client_id,
        "transactTime": call.time(order.updated_ns),
    }
    if form == "ACK":
        return body
    body |= core_json(order)
    if order.working_ns:
        body["workingTime"] = call.time(order.working_ns)
    body["selfTradePreventionMode"] = stp_word(order)
    if form == "FULL":
        body["fills"] = [
            {
                "price": fixed(fill.price),
                "qty": fixed(fill.quantity),
                "commission": fixed(fill.fee),
                "commissionAsset": fill.fee_currency,
                "tradeId": fill.trade_id,
            }
            for fill in fills
        ]
    return body


def list_head(group: Group, orders: Sequence[OrderRecord], call: Call) -> dict[str, Any]:
    """Return what every answer about a list of orders begins with."""
    return {
        "orderListId": group.number,
        "contingencyType": group.contingency,
        "listStatusType": "ALL_DONE" if group.is_done else "EXEC_STARTED",
        "listOrderStatus": "ALL_DONE" if group.is_done else "EXECUTING",
        "listClientOrderId": group.client_id,
        "transactionTime": call.time(group.made_ns),
        "symbol": group.symbol,
        "orders": [
            {"symbol": group.symbol, "orderId": order.order_id, "clientOrderId": order.client_id} for order in orders
        ],
    }


def canceled_json(order: OrderRecord, client_id: str, call: Call) -> dict[str, Any]:
    """Return the answer to a cancel whose request had *client_id*."""
    return {
        "symbol": order.request.symbol,
        "origClientOrderId": order.client_id,
        "orderId": order.order_id,
        "orderListId": list_number(order),
        "clientOrderId": client_id,
        "transactTime": call.time(order.updated_ns),
        **core_json(order),
        "selfTradePreventionMode": stp_word(order),
    }


def order_json(order: OrderRecord, call: Call) -> dict[str, Any]:
    """Return an order as queries tell it."""
    core = core_json(order)
    return {
        "symbol": order.request.symbol,
        "orderId": order.order_id,
        "orderListId": list_number(order),
        "clientOrderId": order.client_id,
        **core,
        "stopPrice": core.get("stopPrice", fixed(None)),
        "icebergQty": core.get("icebergQty", fixed(None)),
        "time": call.time(order.created_ns),
        "updateTime": call.time(order.updated_ns),
        "isWorking": order.status != "untriggered",
        "workingTime": call.time(order.working_ns) if order.working_ns else -1,
        "selfTradePreventionMode": stp_word(order),
    }


def fill_json(fill: FillRecord, shown: tuple[int, int], call: Call) -> dict[str, Any]:
    """Return an own trade of the order and list that clients know by the numbers *shown*."""
    return {
        "symbol": fill.symbol,
        "id": fill.trade_id,
        "orderId": shown[0],
        "orderListId": shown[1],
        "price": fixed(fill.price),
        "qty": fixed(fill.quantity),
        "quoteQty": fixed(fill.value),
        "commission": fixed(fill.fee),
        "commissionAsset": fill.fee_currency,
        "time": call.time(fill.event_ns),
        "isBuyer": fill.side == "buy",
        "isMaker": fill.is_maker,
        "isBestMatch": True,
    }
