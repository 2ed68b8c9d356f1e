"""Orders and refusals in the words of USD-M futures: JSON of orders and conditional orders, codes and texts."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from quotewright_simexchange.dialects.binance.errors import ApiError, as_carded
from quotewright_simexchange.dialects.binance.written import fixed

if TYPE_CHECKING:
    from quotewright.model.cards import VenueCard
    from quotewright_simexchange.exchange.exchange import Exchange
    from quotewright_simexchange.exchange.records import Listing, OrderRecord, Refused

MS_NS = 1_000_000
MARK = ":"
"""What follows it in an exchange's symbol is not part of the venue's: it tells a future from spot of the same name."""
STP_MODES = {
    "NONE": "none",
    "EXPIRE_TAKER": "cancel_taker",
    "EXPIRE_MAKER": "cancel_maker",
    "EXPIRE_BOTH": "cancel_both",
}
STP_WORDS = {engine: venue for venue, engine in STP_MODES.items()}
STATUSES = {
    "untriggered": "NEW",
    "open": "NEW",
    "partial": "PARTIALLY_FILLED",
    "filled": "FILLED",
    "canceled": "CANCELED",
    "expired": "EXPIRED",
    "rejected": "REJECTED",
}
REFUSALS = {
    "bad_price": (-4001, "Price less than 0."),
    "bad_qty": (-4003, "Quantity less than or equal to zero."),
    "min_qty": (-4004, "Quantity less than min quantity."),
    "max_qty": (-4005, "Quantity greater than max quantity."),
    "tick": (-4014, "Price not increased by tick size."),
    "lot": (-4023, "Quantity not increased by step size."),
    "max_open_orders": (-2025, "Reach max open order limit."),
    "max_stop_orders": (-4045, "Reach max stop order limit."),
    "reduce_only": (-2022, "ReduceOnly Order is rejected."),
    "trigger_met": (-2021, "Order would immediately trigger."),
    "insufficient_margin": (-2019, "Margin is insufficient."),
    "insufficient_funds": (-2019, "Margin is insufficient."),
    "duplicate_client_id": (-4116, "ClientOrderId is duplicated."),
    "duplicate_id": (-4116, "ClientOrderId is duplicated."),
    "bad_client_id": (-4015, "Client order id is not valid."),
    "unknown_symbol": (-1121, "Invalid symbol."),
    "unknown_order": (-2013, "Order does not exist."),
    "order_closed": (-2013, "Order does not exist."),
    "phase": (-4140, "Invalid symbol status for opening position."),
    "account": (-1002, "You are not authorized to execute this request."),
    "not_allowed": (-1002, "You are not authorized to execute this request."),
    "post_only": (
        -5022,
        "Due to the order could not be executed as maker, the Post Only order will be rejected. "
        "The order will not be recorded in the order history",
    ),
    "fok": (
        -5021,
        "Due to the order could not be filled immediately, the FOK order has been rejected. "
        "The order will not be recorded in the order history",
    ),
}
"""Codes and texts by the engine's reason, unless the card has others."""
CARD_REASONS = {"duplicate_client_id": "duplicate_id", "order_closed": "unknown_order", "account": "not_allowed"}
"""The card's word for what the engine calls otherwise."""


class Symbols:
    """The linear instruments of an exchange by the venue's name."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.listings: dict[str, Listing] = {
            venue_symbol(listing): listing for listing in exchange.listings.values() if listing.kind == "linear"
        }

    def find(self, name: str) -> Listing:
        """Return the instrument that the venue calls *name*."""
        listing = self.listings.get(name)
        if listing is None:
            raise ApiError(-1121, "Invalid symbol.")
        return listing

    def of(self, symbol: str) -> Listing | None:
        """Return the instrument that the exchange calls *symbol*, None if it is none of these."""
        listing = self.exchange.listings[symbol]
        return listing if listing.kind == "linear" else None


def venue_symbol(listing: Listing) -> str:
    return listing.symbol.partition(MARK)[0]


def price_text(listing: Listing, price: Decimal | None) -> str:
    """Return a price as this instrument's are written; None is zero."""
    return fixed(price, listing.price_decimals + 1)


def size_text(listing: Listing, quantity: Decimal | None) -> str:
    return fixed(quantity, listing.size_decimals)


def setting(listing: Listing, key: str) -> Decimal | None:
    """Return a number of the engine's settings, None where it is off."""
    value = listing.settings.get(key)
    return None if value is None else Decimal(str(value))


def refusal(card: VenueCard, refused: Refused, listing: Listing, side: str = "", type_word: str = "LIMIT") -> ApiError:
    """Return the error of *card* for a command that the exchange refused."""
    reason = refused.reason
    if reason == "min_notional":
        least = (setting(listing, "min_notional") or Decimal(0)).normalize()
        text = f"Order's notional must be no smaller than {least:f} (unless you choose reduce only)."
        return as_carded(card, reason, -4164, text)
    if reason == "price_band":
        if type_word == "MARKET":
            text = "The counterparty's best price does not meet the PERCENT_PRICE filter limit."
            return as_carded(card, reason, -4131, text)
        bound = "higher" if side == "buy" else "lower"
        code, text = (-4016 if side == "buy" else -4024), f"Limit price can't be {bound} than the price band."
        return as_carded(card, reason, code, text)
    code, text = REFUSALS.get(reason, (-1130, f"The exchange refused it: {reason} {refused.text}".rstrip() + "."))
    return as_carded(card, CARD_REASONS.get(reason, reason), code, text)


def is_conditional(record: OrderRecord) -> bool:
    return "algo" in record.request.labels


def is_waiting(record: OrderRecord) -> bool:
    """Return whether *record* is a conditional order that never became an order: it stands on the algo side only."""
    return is_conditional(record) and not is_set_off(record)


def is_set_off(record: OrderRecord) -> bool:
    """Return whether a conditional order has become an order."""
    return record.is_triggered or "set_off" in record.request.labels


def algo_id(record: OrderRecord) -> int:
    """Return its number on the algo side: the order's own, unless the door held it."""
    return int(record.request.labels.get("as", record.order_id))


def trailing_json(record: OrderRecord, listing: Listing) -> dict[str, Any]:
    """Return what only a trailing stop has."""
    labels = record.request.labels
    if "trailing" not in labels:
        return {}
    start = Decimal(labels["activation"]) if labels["activation"] else None
    return {"activatePrice": price_text(listing, start), "callbackRate": f"{Decimal(labels['trailing']) / 100:f}"}


def status_word(record: OrderRecord) -> str:
    if record.status == "expired" and record.reason == "stp":
        return "EXPIRED_IN_MATCH"
    return STATUSES[record.status]


def type_word(record: OrderRecord) -> str:
    """Return LIMIT or MARKET: what it is in the book, whatever it was before it was triggered."""
    return "LIMIT" if record.request.price is not None else "MARKET"


def tif_word(record: OrderRecord) -> str:
    request = record.request
    return request.labels.get("tif") or ("GTX" if request.post_only else request.tif.upper())


def average(record: OrderRecord) -> Decimal:
    return record.value / record.filled if record.filled else Decimal(0)


def order_json(record: OrderRecord, listing: Listing) -> dict[str, Any]:
    """Return an order as REST and the WebSocket API tell it."""
    request = record.request
    return {
        "orderId": record.order_id,
        "symbol": venue_symbol(listing),
        "status": status_word(record),
        "clientOrderId": record.client_id,
        "price": price_text(listing, record.price),
        "avgPrice": fixed(average(record), listing.price_decimals + 4),
        "origQty": size_text(listing, record.quantity),
        "executedQty": size_text(listing, record.filled),
        "cumQty": size_text(listing, record.filled),
        "cumQuote": fixed(record.value),
        "timeInForce": tif_word(record),
        "type": type_word(record),
        "reduceOnly": request.reduce_only,
        "closePosition": request.labels.get("close") == "true",
        "side": request.side.upper(),
        "positionSide": "BOTH",
        "stopPrice": price_text(listing, request.trigger),
        "workingType": request.labels.get("working", "CONTRACT_PRICE"),
        "priceProtect": False,
        "origType": request.labels.get("algo", type_word(record)),
        "priceMatch": request.labels.get("match", "NONE"),
        "selfTradePreventionMode": STP_WORDS.get(request.stp, "NONE"),
        "goodTillDate": request.expire_ns // MS_NS,
        "time": record.created_ns // MS_NS,
        "updateTime": record.updated_ns // MS_NS,
    }


def acknowledged(record: OrderRecord, listing: Listing) -> dict[str, Any]:
    """Return an order as ACK tells it: taken, and nothing of what became of it."""
    body = order_json(record, listing)
    none = Decimal(0)
    body.update(
        status="NEW",
        avgPrice=fixed(none, listing.price_decimals + 4),
        executedQty=size_text(listing, none),
        cumQty=size_text(listing, none),
        cumQuote=fixed(none),
    )
    return body


def algo_status(record: OrderRecord) -> str:
    """Return the state of a conditional order on the algo side."""
    if not is_set_off(record):
        return {"untriggered": "NEW", "canceled": "CANCELED", "rejected": "REJECTED"}.get(record.status, "EXPIRED")
    return "TRIGGERED" if record.is_open else "FINISHED"


def algo_json(record: OrderRecord, listing: Listing) -> dict[str, Any]:
    """Return a conditional order as the algo endpoints tell it."""
    request = record.request
    return {
        "algoId": algo_id(record),
        "clientAlgoId": record.client_id,
        "algoType": "CONDITIONAL",
        "orderType": request.labels["algo"],
        "symbol": venue_symbol(listing),
        "side": request.side.upper(),
        "positionSide": "BOTH",
        "timeInForce": tif_word(record),
        "quantity": size_text(listing, record.quantity),
        "algoStatus": algo_status(record),
        "actualOrderId": str(record.order_id) if is_set_off(record) else "",
        "actualPrice": fixed(average(record), listing.price_decimals + 4),
        "triggerPrice": price_text(listing, request.trigger),
        "price": price_text(listing, request.price),
        "icebergQuantity": None,
        "selfTradePreventionMode": STP_WORDS.get(request.stp, "NONE"),
        "workingType": request.labels.get("working", "CONTRACT_PRICE"),
        "priceMatch": "NONE",
        "closePosition": request.labels.get("close") == "true",
        "priceProtect": False,
        "reduceOnly": request.reduce_only,
        "createTime": record.created_ns // MS_NS,
        "updateTime": record.updated_ns // MS_NS,
        "triggerTime": record.working_ns // MS_NS if is_set_off(record) else 0,
        **trailing_json(record, listing),
        "goodTillDate": request.expire_ns // MS_NS,
    }
