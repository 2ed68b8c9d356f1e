"""Private events of USD-M futures: listen keys, and orders, balances and positions as their stream tells them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import attrs

from quotewright_simexchange.dialects.binance.errors import ApiError
from quotewright_simexchange.dialects.binance.routes import Call, Endpoint
from quotewright_simexchange.dialects.binance.usdm_words import (
    MS_NS,
    STP_WORDS,
    Symbols,
    algo_id,
    algo_status,
    average,
    is_conditional,
    is_set_off,
    is_waiting,
    price_text,
    size_text,
    status_word,
    tif_word,
    type_word,
    venue_symbol,
)
from quotewright_simexchange.dialects.binance.written import fixed
from quotewright_simexchange.exchange.records import BalanceEvent, Event, OrderEvent, PositionEvent

if TYPE_CHECKING:
    from quotewright_simexchange.exchange.exchange import Exchange
    from quotewright_simexchange.exchange.records import FillRecord, Listing, OrderRecord

LIFE_NS = 3_600 * 1_000_000_000
NONE = 1 << 62
TOLD_ALGO = ("triggered", "accepted")
ZERO = Decimal(0)
EXECUTIONS = {
    "accepted": "NEW",
    "trade": "TRADE",
    "canceled": "CANCELED",
    "amended": "AMENDMENT",
    "repriced": "AMENDMENT",
    "reduced": "AMENDMENT",
    "triggered": "NEW",
    "prevented": "EXPIRED",
}
REASONS = {
    "order": "ORDER",
    "trade": "ORDER",
    "deposit": "DEPOSIT",
    "withdrawal": "WITHDRAW",
    "transfer": "ASSET_TRANSFER",
    "funding": "FUNDING_FEE",
    "settlement": "ADJUSTMENT",
    "liquidation": "INSURANCE_CLEAR",
}
UNKNOWN_KEY = "This listenKey does not exist."


@attrs.define
class ListenKey:
    """One account's key to its private events; it ends at *until_ns* of the door clock."""

    key: str
    account: str
    until_ns: int


class ListenKeys:
    """The listen keys of a door; *tell* sends an event to those who have a key."""

    def __init__(self, tell: Callable[[str, dict[str, Any]], None]) -> None:
        self.by_account: dict[str, ListenKey] = {}
        self.tell = tell
        self._made = 0

    @property
    def deadline_ns(self) -> int:
        """Return when the next key ends."""
        return min((key.until_ns for key in self.by_account.values()), default=NONE)

    def endpoints(self) -> dict[tuple[str, str], Endpoint]:
        path = "/fapi/v1/listenKey"
        return {
            ("POST", path): Endpoint(self.start, 1, "key"),
            ("PUT", path): Endpoint(self.keep, 1, "key"),
            ("DELETE", path): Endpoint(self.stop, 1, "key"),
        }

    def methods(self) -> dict[str, Endpoint]:
        served = list(self.endpoints().values())
        return dict(zip((f"userDataStream.{word}" for word in ("start", "ping", "stop")), served, strict=True))

    def start(self, call: Call) -> object:
        """Give the account's key, a new one if it has none; either lasts an hour from now."""
        self.expire(call.now_ns)
        found = self.by_account.get(call.account)
        if found is None:
            self._made += 1
            text = hashlib.sha256(f"{self._made} {call.account}".encode()).hexdigest()
            found = self.by_account[call.account] = ListenKey(text, call.account, 0)
        found.until_ns = call.now_ns + LIFE_NS
        return {"listenKey": found.key}

    def keep(self, call: Call) -> object:
        self.expire(call.now_ns)
        if call.account not in self.by_account:
            raise ApiError(-1125, UNKNOWN_KEY)
        return self.start(call)

    def stop(self, call: Call) -> object:
        self.expire(call.now_ns)
        if self.by_account.pop(call.account, None) is None:
            raise ApiError(-1125, UNKNOWN_KEY)
        return {}

    def expire(self, now_ns: int) -> None:
        """End the keys whose hour is over and tell those who have them."""
        for found in [key for key in self.by_account.values() if key.until_ns <= now_ns]:
            del self.by_account[found.account]
            self.tell(found.key, {"e": "listenKeyExpired", "E": now_ns // MS_NS, "listenKey": found.key})


class UserEvents:
    """Writes the exchange's private events for everybody who has the account's listen key."""

    def __init__(self, exchange: Exchange, symbols: Symbols, keys: ListenKeys) -> None:
        self.exchange = exchange
        self.symbols = symbols
        self.keys = keys
        self._traded: BalanceEvent | None = None
        """Of a trade: told together with the position that it changed."""
        self._wallets: dict[tuple[str, str], Decimal] = {}
        """What was told last, by account and asset."""
        self._stops = [exchange.listen(self._take)]

    def _take(self, event: Event) -> None:
        traded, self._traded = self._traded, None
        if traded is not None and not (isinstance(event, PositionEvent) and event.account == traded.account):
            self._tell_account(traded, [], _deltas(traded))
            traded = None
        if not isinstance(event, OrderEvent | BalanceEvent | PositionEvent):
            return
        key = self.keys.by_account.get(event.account)
        if isinstance(event, OrderEvent):
            listing = self.symbols.of(event.order.request.symbol)
            if listing is not None and key is not None:
                for told in order_events(event, listing, self.exchange.now_ns):
                    self.keys.tell(key.key, told)
        elif isinstance(event, PositionEvent):
            listing = self.symbols.of(event.symbol)
            if listing is not None:
                assets: dict[str, Decimal | None] = {listing.settle: None}
                if traded is not None:
                    assets |= _deltas(traded)
                self._tell_account(event, [self._position(event, listing)], assets)
        elif event.why == "trade":
            self._traded = event
        else:
            self._tell_account(event, [], _deltas(event))

    def tell(self, account: str, event: dict[str, Any]) -> None:
        """Tell those who listen to *account* an event that the door made."""
        key = self.keys.by_account.get(account)
        if key is not None:
            self.keys.tell(key.key, event)

    def tell_order(self, event: OrderEvent) -> None:
        """Tell of an order that stands at the door."""
        key, listing = self.keys.by_account.get(event.account), self.symbols.of(event.order.request.symbol)
        if listing is not None and key is not None:
            for told in order_events(event, listing, self.exchange.now_ns):
                self.keys.tell(key.key, told)

    def _tell_account(
        self, event: BalanceEvent | PositionEvent, positions: list[dict[str, Any]], assets: dict[str, Decimal | None]
    ) -> None:
        changed = []
        for asset, delta in assets.items():
            free, locked = self.exchange.balances(event.account).get(asset, (ZERO, ZERO))
            wallet = free + locked
            if self._wallets.get((event.account, asset)) != wallet:
                self._wallets[event.account, asset] = wallet
                changed.append({"a": asset, "wb": fixed(wallet), "cw": fixed(wallet), "bc": fixed(delta)})
        key = self.keys.by_account.get(event.account)
        if key is not None and (changed or positions):
            self.keys.tell(
                key.key,
                {
                    "e": "ACCOUNT_UPDATE",
                    "E": self.exchange.now_ns // MS_NS,
                    "T": event.event_ns // MS_NS,
                    "a": {"m": REASONS.get(event.why, "ADJUSTMENT"), "B": changed, "P": positions},
                },
            )

    def _position(self, event: PositionEvent, listing: Listing) -> dict[str, Any]:
        position = self.exchange.position(event.account, listing.symbol)
        return {
            "s": venue_symbol(listing),
            "pa": size_text(listing, event.quantity),
            "ep": price_text(listing, event.entry_price),
            "bep": price_text(listing, event.entry_price),
            "cr": fixed(event.realized),
            "up": fixed(position.unrealized),
            "mt": "cross",
            "iw": "0",
            "ps": "BOTH",
        }


def _deltas(event: BalanceEvent) -> dict[str, Decimal | None]:
    return {asset: event.delta.get(asset) for asset in event.balances}


def order_events(event: OrderEvent, listing: Listing, now_ns: int) -> list[dict[str, Any]]:
    """Return what one change of an order is told as, in order: the light copy of a trade, the algo side, the order."""
    if event.what == "refreshed":
        return []
    told: list[dict[str, Any]] = []
    record = event.order
    stamps = {"E": now_ns // MS_NS, "T": event.event_ns // MS_NS}
    if event.fill is not None:
        told.append({"e": "TRADE_LITE", **stamps, **_light(event.fill, record, listing)})
    if is_conditional(record) and (is_waiting(record) or event.what in TOLD_ALGO or not record.is_open):
        told.append({"e": "ALGO_UPDATE", **stamps, "o": algo_event(record, listing)})
    if not is_waiting(record):
        told.append({"e": "ORDER_TRADE_UPDATE", **stamps, "o": order_event(event, listing)})
    return told


def order_event(event: OrderEvent, listing: Listing) -> dict[str, Any]:
    """Return an order as ORDER_TRADE_UPDATE tells it."""
    record, fill = event.order, event.fill
    request = record.request
    status = status_word(record)
    execution = EXECUTIONS[event.what]
    if event.what in ("canceled", "prevented") and record.status == "expired":
        execution = "EXPIRED"
    body: dict[str, Any] = {
        "s": venue_symbol(listing),
        "c": record.client_id,
        "S": request.side.upper(),
        "o": type_word(record),
        "f": tif_word(record),
        "q": size_text(listing, record.quantity),
        "p": price_text(listing, record.price),
        "ap": fixed(average(record), listing.price_decimals + 4),
        "sp": price_text(listing, request.trigger),
        "x": execution,
        "X": status,
        "i": record.order_id,
        "l": size_text(listing, fill.quantity if fill else None),
        "z": size_text(listing, record.filled),
        "L": price_text(listing, fill.price if fill else None),
        "T": event.event_ns // MS_NS,
        "t": fill.trade_id if fill else 0,
        "b": "0",
        "a": "0",
        "m": fill.is_maker if fill else False,
        "R": request.reduce_only,
        "wt": request.labels.get("working", "CONTRACT_PRICE"),
        "ot": request.labels.get("algo", type_word(record)),
        "ps": "BOTH",
        "cp": request.labels.get("close") == "true",
        "rp": fixed(fill.realized if fill else None),
        "pP": False,
        "si": 0,
        "ss": 0,
        "V": STP_WORDS.get(request.stp, "NONE"),
        "pm": request.labels.get("match", "NONE"),
        "gtd": request.expire_ns // MS_NS,
        "er": "0",
    }
    if fill is not None:
        body.update(N=fill.fee_currency, n=fixed(fill.fee))
    return body


def algo_event(record: OrderRecord, listing: Listing) -> dict[str, Any]:
    """Return a conditional order as ALGO_UPDATE tells it."""
    request = record.request
    return {
        "caid": record.client_id,
        "aid": algo_id(record),
        "at": "CONDITIONAL",
        "o": request.labels["algo"],
        "s": venue_symbol(listing),
        "S": request.side.upper(),
        "ps": "BOTH",
        "f": tif_word(record),
        "q": size_text(listing, record.quantity),
        "X": algo_status(record),
        "ai": str(record.order_id) if is_set_off(record) else "",
        "ap": fixed(average(record), listing.price_decimals + 4),
        "aq": size_text(listing, record.filled),
        "act": type_word(record) if is_set_off(record) else "0",
        "tp": price_text(listing, request.trigger),
        "p": price_text(listing, request.price),
        "V": STP_WORDS.get(request.stp, "NONE"),
        "wt": request.labels.get("working", "CONTRACT_PRICE"),
        "pm": "NONE",
        "cp": request.labels.get("close") == "true",
        "pP": False,
        "R": request.reduce_only,
        "tt": record.working_ns // MS_NS if is_set_off(record) else 0,
        "gtd": request.expire_ns // MS_NS,
        "rm": record.reason if record.status == "rejected" else "",
    }


def _light(fill: FillRecord, record: OrderRecord, listing: Listing) -> dict[str, Any]:
    return {
        "s": venue_symbol(listing),
        "q": size_text(listing, record.quantity),
        "p": price_text(listing, record.price),
        "m": fill.is_maker,
        "c": record.client_id,
        "S": fill.side.upper(),
        "L": price_text(listing, fill.price),
        "l": size_text(listing, fill.quantity),
        "t": fill.trade_id,
        "i": record.order_id,
    }
