"""What an order of USD-M futures may hold: its parameters become the exchange's request or the venue's error."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Literal

from quotewright_simexchange.dialects.binance.errors import ApiError
from quotewright_simexchange.dialects.binance.parameters import Parameters, missing, not_required
from quotewright_simexchange.dialects.binance.usdm_words import MS_NS, STP_MODES
from quotewright_simexchange.exchange.records import OrderRequest, Side

if TYPE_CHECKING:
    from quotewright.model.cards import VenueCard
    from quotewright_simexchange.exchange.exchange import Exchange
    from quotewright_simexchange.exchange.records import Listing

Kind = Literal["limit", "market", "stop", "stop_limit", "take_profit", "take_profit_limit"]
CONDITIONAL: dict[str, Kind] = {
    "STOP": "stop_limit",
    "STOP_MARKET": "stop",
    "TAKE_PROFIT": "take_profit_limit",
    "TAKE_PROFIT_MARKET": "take_profit",
    "TRAILING_STOP_MARKET": "stop",
}
TRAILING = "TRAILING_STOP_MARKET"
LEAST_RATE, MOST_RATE = Decimal("0.1"), Decimal(10)
"""How far a stop trails, in percent."""
MOVED = ("STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET")
"""Types that /order refers to the algo endpoints."""
TIFS: dict[str, Literal["gtc", "ioc", "fok", "gtd"]] = {
    "GTC": "gtc",
    "IOC": "ioc",
    "FOK": "fok",
    "GTX": "gtc",
    "GTD": "gtd",
}
MATCHES = tuple(f"{side}{place}" for side in ("OPPONENT", "QUEUE") for place in ("", "_5", "_10", "_20"))
LEAST_LIFE_NS = 600_000 * MS_NS
LAST_DATE_MS = 253_402_300_799_000


def read_quantity(parameters: Parameters, listing: Listing) -> Decimal:
    if not parameters.has("quantity"):
        raise missing("quantity")
    quantity = parameters.number("quantity", decimals=20)
    if quantity <= 0:
        raise ApiError(-4003, "Quantity less than or equal to zero.")
    return _precise(quantity, listing.size_decimals)


def read_price(parameters: Parameters, listing: Listing, name: str = "price") -> Decimal:
    price = parameters.number(name, decimals=20)
    if price <= 0:
        raise ApiError(-4001, "Price less than 0.")
    return _precise(price, listing.price_decimals + 1)


def read_side(parameters: Parameters) -> Side:
    return "buy" if parameters.choice("side", ("BUY", "SELL"), None, -1117, "side") == "BUY" else "sell"


def read_client_id(parameters: Parameters, card: VenueCard, name: str = "newClientOrderId") -> str:
    client_id = parameters.text(name, "")
    if client_id and not card.client_ids.is_allowed(client_id):
        longest = card.client_ids.max_length
        if len(client_id) > longest:
            raise ApiError(-4015, f"Client order id length should be less than {longest + 1} chars")
        raise ApiError(-4015, "Client order id is not valid.")
    return client_id


def read_order(
    parameters: Parameters, listing: Listing, card: VenueCard, exchange: Exchange, now_ns: int
) -> OrderRequest:
    """Return what ``POST /order`` asks for; *now_ns* is the door clock, by which a good-till date is judged."""
    side = read_side(parameters)
    word = parameters.text("type")
    if word in MOVED:
        raise ApiError(
            -4120,
            "Order type not supported for this endpoint. Please use the Algo Order API endpoints instead.",
        )
    if word not in card.orders.types:
        raise ApiError(-1116, "Invalid orderType.")
    _check_position_side(parameters)
    if parameters.flag("closePosition"):
        raise ApiError(-4136, f"Target strategy invalid for orderType {word},closePosition true")
    labels = {}
    tif, expire_ns, post_only = "GTC", 0, False
    price: Decimal | None = None
    if word == "LIMIT":
        match = parameters.text("priceMatch", "NONE")
        if match != "NONE":
            price = _matched(match, parameters, listing, exchange, side)
            labels["match"] = match
        if not parameters.has("timeInForce"):
            raise missing("timeInForce")
        tif, expire_ns = read_life(parameters, card, now_ns)
        post_only = tif == "GTX"
        if price is None:
            price = read_price(parameters, listing)
    else:
        for name in ("price", "timeInForce"):
            if parameters.has(name):
                raise not_required(name)
    labels["tif"] = tif
    return OrderRequest(
        symbol=listing.symbol,
        side=side,
        type="limit" if word == "LIMIT" else "market",
        quantity=read_quantity(parameters, listing),
        price=price,
        tif=TIFS[tif],
        expire_ns=expire_ns,
        post_only="reject" if post_only else "",
        reduce_only=parameters.flag("reduceOnly"),
        stp=read_stp(parameters, card),
        client_id=read_client_id(parameters, card),
        labels=labels,
    )


def read_algo(
    parameters: Parameters, listing: Listing, card: VenueCard, now_ns: int, position: Decimal
) -> OrderRequest:
    """Return what ``POST /algoOrder`` asks for. *position* is the account's, for orders that close it."""
    if parameters.text("algoType") != "CONDITIONAL":
        raise ApiError(-1130, "Data sent for parameter 'algoType' is not valid.")
    side = read_side(parameters)
    word = parameters.text("type")
    if word not in CONDITIONAL:
        raise ApiError(-1116, "Invalid orderType.")
    _check_position_side(parameters)
    kind = CONDITIONAL[word]
    closes = parameters.flag("closePosition")
    labels = {"algo": word}
    if closes:
        if kind in ("stop_limit", "take_profit_limit") or word == TRAILING:
            raise ApiError(-4136, f"Target strategy invalid for orderType {word},closePosition true")
        if parameters.has("quantity"):
            raise ApiError(-4137, "Quantity must be zero with closePosition equals true.")
        if parameters.has("reduceOnly"):
            raise not_required("reduceOnly")
        if not position or (position > 0) != (side == "sell"):
            raise ApiError(
                -4509, "TIF GTE can only be used with open positions. Please ensure that positions are open."
            )
        labels["close"] = "true"
        quantity = abs(position)
    else:
        quantity = read_quantity(parameters, listing)
    trigger = None
    if word == TRAILING:
        labels |= _read_trailing(parameters, listing)
        trigger = Decimal(labels["activation"]) if labels["activation"] else None
    else:
        trigger = read_price(parameters, listing, "triggerPrice")
    working = parameters.choice("workingType", ("CONTRACT_PRICE", "MARK_PRICE"), "CONTRACT_PRICE")
    labels["working"] = working
    tif, expire_ns = read_life(parameters, card, now_ns)
    labels["tif"] = tif
    price = read_price(parameters, listing) if kind in ("stop_limit", "take_profit_limit") else None
    return OrderRequest(
        symbol=listing.symbol,
        side=side,
        type=kind,
        quantity=quantity,
        price=price,
        tif=TIFS[tif],
        expire_ns=expire_ns,
        post_only="reject" if tif == "GTX" else "",
        reduce_only=closes or parameters.flag("reduceOnly"),
        stp=read_stp(parameters, card),
        trigger=trigger,
        trigger_by="mark" if working == "MARK_PRICE" else "last",
        client_id=read_client_id(parameters, card, "clientAlgoId"),
        labels=labels,
    )


def _read_trailing(parameters: Parameters, listing: Listing) -> dict[str, str]:
    """Return by how many basis points a stop trails and from which price on, empty for at once."""
    rate = parameters.number("callbackRate", decimals=20)
    if rate != round(rate, 1) or not LEAST_RATE <= rate <= MOST_RATE:
        raise ApiError(-2007, "Invalid callBack rate.")
    name = next((one for one in ("activatePrice", "activationPrice") if parameters.has(one)), "")
    return {
        "trailing": str(int(rate * 100)),
        "activation": str(read_price(parameters, listing, name)) if name else "",
    }


def read_life(parameters: Parameters, card: VenueCard, now_ns: int) -> tuple[str, int]:
    """Return timeInForce (GTC unless sent) and, of GTD, when the order ends, in ns."""
    tif = parameters.text("timeInForce", "GTC")
    if tif not in TIFS or tif not in card.orders.times_in_force:
        raise ApiError(-1115, "Invalid timeInForce.")
    if tif != "GTD":
        return tif, 0
    date = parameters.integer("goodTillDate")
    if date * MS_NS <= now_ns + LEAST_LIFE_NS or date >= LAST_DATE_MS:
        raise ApiError(
            -5040,
            "The goodTillDate timestamp must be greater than the current time plus 600 seconds and smaller than "
            f"{LAST_DATE_MS}",
        )
    return tif, date // 1000 * 1000 * MS_NS


def read_stp(parameters: Parameters, card: VenueCard) -> str:
    word = parameters.text("selfTradePreventionMode", card.orders.self_trade or "NONE")
    if word not in STP_MODES:
        raise ApiError(-5039, "Invalid self trade prevention mode.")
    return STP_MODES[word]


def _check_position_side(parameters: Parameters) -> None:
    word = parameters.text("positionSide", "BOTH")
    if word not in ("BOTH", "LONG", "SHORT"):
        raise ApiError(-4060, "Invalid position side.")
    if word != "BOTH":
        raise ApiError(-4061, "Order's position side does not match user's setting.")


def _matched(match: str, parameters: Parameters, listing: Listing, exchange: Exchange, side: Side) -> Decimal:
    if match not in MATCHES:
        raise ApiError(-5037, "Invalid price match")
    if parameters.has("price"):
        raise not_required("price")
    whose, _, place = match.partition("_")
    number = int(place or 1)
    book = exchange.book(listing.symbol, number)
    levels = book.bids if (side == "buy") == (whose == "QUEUE") else book.offers
    if len(levels) < number:
        raise ApiError(-5041, "No depth matches this BBO order")
    price: Decimal = levels[number - 1][0]
    return price


def _precise(value: Decimal, decimals: int) -> Decimal:
    if value != round(value, decimals):
        raise ApiError(-1111, "Precision is over the maximum defined for this asset.")
    return value
