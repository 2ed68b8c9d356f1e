"""The spot door: REST, market streams and the WebSocket API of Binance spot."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from quotewright_simexchange.dialects.binance.errors import encode
from quotewright_simexchange.dialects.binance.frames import FrameSession
from quotewright_simexchange.dialects.binance.keepalive import Pace
from quotewright_simexchange.dialects.binance.listings import spot_listings
from quotewright_simexchange.dialects.binance.mean import MeanPrices
from quotewright_simexchange.dialects.binance.parameters import split
from quotewright_simexchange.dialects.binance.routes import RestDoor
from quotewright_simexchange.dialects.binance.spot_account import SpotAccount
from quotewright_simexchange.dialects.binance.spot_events import SpotEvents, execution_report, list_status
from quotewright_simexchange.dialects.binance.spot_lists import SpotLists
from quotewright_simexchange.dialects.binance.spot_market import SpotMarket
from quotewright_simexchange.dialects.binance.spot_prevented import Preventions
from quotewright_simexchange.dialects.binance.spot_streams import SpotStreams
from quotewright_simexchange.dialects.binance.spot_trading import SpotTrading
from quotewright_simexchange.dialects.binance.streams import (
    Payload,
    StreamSession,
    asked_streams,
    in_ms,
    in_us,
    is_in_microseconds,
)
from quotewright_simexchange.dialects.binance.tape import Tapes
from quotewright_simexchange.dialects.binance.users import UserHub
from quotewright_simexchange.dialects.binance.waiting import Group, Waiting
from quotewright_simexchange.doors import Connection, HttpResponse, Session

if TYPE_CHECKING:
    from quotewright.model.cards import VenueCard
    from quotewright_simexchange.exchange.exchange import Exchange
    from quotewright_simexchange.exchange.records import OrderEvent, OrderRecord

FRAMES_PATH = "/ws-api/v3"
OLD_PATHS = (
    "ping",
    "time",
    "exchangeInfo",
    "depth",
    "trades",
    "historicalTrades",
    "aggTrades",
    "klines",
    "ticker/24hr",
)
"""What was served under /api/v1 too."""
PRIVATE = (b"executionReport", b"listStatus", b"outboundAccountPosition", b"balanceUpdate")


class SpotDoor(RestDoor):
    """Binance spot. What the venue has taken away, listen keys and the paths of version 1, is served to old clients
    unless that is turned off."""

    name = "binance-spot"

    def __init__(self, exchange: Exchange, card: VenueCard, *, has_listen_keys: bool = True) -> None:
        super().__init__(exchange, card)
        self.tapes = Tapes(exchange)
        self.users = UserHub()
        means = MeanPrices(exchange, spot_listings(exchange))
        self.streams = SpotStreams(exchange, self.tapes, means, self.note_unserved)
        self.waiting = Waiting(exchange, self._tell_order, self._tell_list)
        self.events = SpotEvents(exchange, self.users, self.limits, self.waiting.dress)
        self.market = SpotMarket(exchange, card, self.limits, self.tapes, means)
        self.account = SpotAccount(exchange, has_listen_keys=has_listen_keys)
        self.trading = SpotTrading(exchange, card, self.limits, self.account.fees, means, self.waiting)
        self.preventions = Preventions(exchange, self.waiting)
        self.lists = SpotLists(exchange, self.limits, self.trading, self.waiting)
        limits = card.limits
        self.pace = Pace(
            life_ns=int(limits.connection_life) or Pace().life_ns,
            messages_per_second=self.limits.messages_per_second,
            streams=limits.streams_per_connection,
        )
        self.frames_pace = Pace(life_ns=self.pace.life_ns, messages_per_second=0)
        for (path, method), endpoint in self.market.endpoints().items():
            self.endpoints["GET", path] = self.methods[method] = endpoint
        for (verb, path, method), endpoint in (
            self.trading.endpoints() | self.lists.endpoints() | self.preventions.endpoints() | self.account.endpoints()
        ).items():
            self.endpoints[verb, path] = endpoint
            if method:
                self.methods[method] = endpoint
        if has_listen_keys:
            for verb, path in list(self.endpoints):
                if (verb == "GET" and path.removeprefix("/api/v3/") in OLD_PATHS) or path.endswith("/userDataStream"):
                    self.endpoints[verb, path.replace("/v3/", "/v1/")] = self.endpoints[verb, path]

    def _tell_order(self, event: OrderEvent) -> None:
        self.users.tell(event.account, lambda time: execution_report(event, time))

    def _tell_list(self, group: Group, orders: list[OrderRecord]) -> None:
        now_ns = self.exchange.now_ns
        self.users.tell(group.account, lambda time: list_status(group, orders, now_ns, time))

    def is_private(self, frame: bytes) -> bool:
        return any(b'"e":"' + name in frame[:400] for name in PRIVATE)

    def addresses(self, http: str, ws: str) -> Mapping[str, str]:
        return {"rest": http, "ws": ws, "ws_api": f"{ws}{FRAMES_PATH}"}

    def connect(
        self, path: str, query: bytes, headers: Mapping[str, str], client: str, connection: Connection, now_ns: int
    ) -> Session | HttpResponse:
        if not self.limits.connect(client, now_ns):
            return HttpResponse(429, encode({"code": -1003, "msg": "Too many requests; too many connections."}))
        is_micro = is_in_microseconds(query)
        if path.rstrip("/") == FRAMES_PATH:
            wishes = dict(split(query))
            return FrameSession(
                self,
                self.users,
                connection,
                self.frames_pace,
                now_ns,
                client=client,
                shows_limits=wishes.get("returnRateLimits", "").lower() != "false",
                is_micro=is_micro,
            )
        asked = asked_streams(path, query)
        if asked is None:
            self.note_unserved(f"WS {path}")
            return HttpResponse(404, encode({"code": -5000, "msg": f"Path {path}, Method GET is invalid"}))
        names, is_combined = asked
        session = SpotStreamSession(self, connection, now_ns, is_combined=is_combined, is_micro=is_micro)
        problem = session.subscribe(names)
        return HttpResponse(400, encode({"code": -1130, "msg": problem})) if problem else session


class SpotStreamSession(StreamSession):
    """A stream connection on which listen keys are names of streams too."""

    def __init__(
        self, door: SpotDoor, connection: Connection, now_ns: int, *, is_combined: bool, is_micro: bool
    ) -> None:
        super().__init__(
            door.streams,
            connection,
            door.pace,
            now_ns,
            is_combined=is_combined,
            is_micro=is_micro,
            allows=self._is_market,
        )
        self.door = door

    def _is_market(self, name: str) -> bool:
        held = self.door.account.listen_keys.get(name)
        if held is None:
            return True

        def tell(payload: Payload) -> None:
            if name in self.names:
                data = payload(in_us if self.is_micro else in_ms)
                self.send({"stream": name, "data": data} if self.is_combined else data)

        end = self.door.users.add(held.account, tell)
        held.sessions.append(end)
        self.on_closed.append(end)
        return False
