"""The USD-M futures door: REST, market and private streams on root and split paths, the WebSocket API."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from quotewright_simexchange.dialects.binance.coins import coins
from quotewright_simexchange.dialects.binance.errors import ApiError, encode
from quotewright_simexchange.dialects.binance.frames import FrameSession
from quotewright_simexchange.dialects.binance.keepalive import SECOND_NS, Pace
from quotewright_simexchange.dialects.binance.parameters import split
from quotewright_simexchange.dialects.binance.routes import Endpoint, RestDoor
from quotewright_simexchange.dialects.binance.streams import StreamSession, asked_streams
from quotewright_simexchange.dialects.binance.tape import Tapes
from quotewright_simexchange.dialects.binance.usdm_account import UsdmAccounts
from quotewright_simexchange.dialects.binance.usdm_funding import Fundings
from quotewright_simexchange.dialects.binance.usdm_history import Incomes
from quotewright_simexchange.dialects.binance.usdm_market import UsdmMarket
from quotewright_simexchange.dialects.binance.usdm_streams import PUBLIC, UsdmHub
from quotewright_simexchange.dialects.binance.usdm_trading import UsdmTrading
from quotewright_simexchange.dialects.binance.usdm_users import ListenKeys, UserEvents
from quotewright_simexchange.dialects.binance.usdm_words import Symbols
from quotewright_simexchange.dialects.binance.users import UserHub
from quotewright_simexchange.dialects.binance.waiting import Waiting
from quotewright_simexchange.doors import Connection, HttpRequest, HttpResponse, Session

if TYPE_CHECKING:
    from quotewright.model.cards import VenueCard
    from quotewright_simexchange.exchange.exchange import Exchange

API_PATH = "/ws-fapi/v1"
CONNECT_WEIGHT = 5
SPOT_FRAMES = ("userDataStream.subscribe", "userDataStream.subscribe.signature", "userDataStream.unsubscribe")
SIDE_LISTS = ("margin/allPairs", "margin/isolated/allPairs")
"""What clients ask of the venue's other services before their first order; there is nothing of it here."""


class UsdmSession(StreamSession):
    """A connection to streams whose listen keys end with time; *events* are the private ones it wants, None all."""

    keys: ListenKeys | None = None
    events: frozenset[str] | None = None

    def watch(self, keys: ListenKeys) -> None:
        """Let the connection's ticks end listen keys that are over."""
        self.keys = keys
        self._set_deadline()

    def tick(self, now_ns: int) -> None:
        if self.keys is not None:
            self.keys.expire(now_ns)
        super().tick(now_ns)

    def _set_deadline(self) -> None:
        super()._set_deadline()
        if self.keys is not None:
            self.deadline_ns = min(self.deadline_ns, self.keys.deadline_ns)


class UsdmFrames(FrameSession):
    """A connection to the WebSocket API: private events come by listen key, so spot's subscriptions are not served."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        for method in SPOT_FRAMES:
            del self._own[method]


class UsdmDoor(RestDoor):
    """USD-M futures of *exchange*: its linear instruments."""

    name = "binance-usdm"

    def __init__(self, exchange: Exchange, card: VenueCard) -> None:
        super().__init__(exchange, card)
        self.symbols = Symbols(exchange)
        self.tapes = Tapes(exchange)
        self.fundings = Fundings(exchange, self.symbols)
        self.market = UsdmMarket(exchange, card, self.limits, self.symbols, self.tapes, self.fundings)
        self.keys = ListenKeys(self._tell)
        self.events = UserEvents(exchange, self.symbols, self.keys)
        self.waiting = Waiting(exchange, self.events.tell_order, None)
        self.trading = UsdmTrading(exchange, card, self.limits, self.symbols, self.waiting)
        self.accounts = UsdmAccounts(exchange, card, self.limits, self.symbols, self.events.tell)
        self.hub = UsdmHub(exchange, self.symbols, self.market, self.tapes, self.note_unserved)
        self.users = UserHub()
        nothing = Endpoint(lambda _: [], 1, "key")
        self.incomes = Incomes(exchange, self.symbols)
        self.endpoints.update(self.incomes.endpoints())
        self.endpoints["GET", "/sapi/v1/capital/config/getall"] = Endpoint(
            lambda call: coins(exchange, call.account), 10, "read"
        )
        for served in (self.market, self.trading, self.accounts, self.keys):
            self.endpoints.update(served.endpoints())
            self.methods.update(served.methods())
        self.endpoints.update({("GET", f"/sapi/v1/{path}"): nothing for path in SIDE_LISTS})
        self.pace = Pace(
            ping_ns=180 * SECOND_NS,
            grace_ns=600 * SECOND_NS,
            life_ns=int(card.limits.connection_life) or 86_400 * SECOND_NS,
            messages_per_second=self.limits.messages_per_second,
            streams=card.limits.streams_per_connection,
        )

    def addresses(self, http: str, ws: str) -> Mapping[str, str]:
        return {"rest": http, "ws": ws, "ws_api": f"{ws}{API_PATH}"}

    def http(self, request: HttpRequest, now_ns: int) -> HttpResponse:
        self.keys.expire(now_ns)
        return super().http(request, now_ns)

    def connect(
        self, path: str, query: bytes, headers: Mapping[str, str], client: str, connection: Connection, now_ns: int
    ) -> Session | HttpResponse:
        self.keys.expire(now_ns)
        options = dict(split(query))
        is_api = path.rstrip("/") == API_PATH
        asked = None if is_api else asked_streams(path, query)
        if not is_api and asked is None:
            self.note_unserved(f"WS {path}")
            return HttpResponse(404, encode({"code": -5000, "msg": f"Path {path}, Method GET is invalid"}))
        if not self.limits.connect(client, now_ns):
            return HttpResponse(429, encode({"code": -1003, "msg": "Too many requests; too many new connections."}))
        if is_api:
            try:
                self.limits.take(client, CONNECT_WEIGHT, now_ns)
            except ApiError as error:
                return HttpResponse(error.http_status(self.card), encode(error.as_json()), error.headers)
            shows = options.get("returnRateLimits", "true").lower() != "false"
            # The API's requests are limited by their weight, not by messages a second.
            pace = Pace(self.pace.ping_ns, self.pace.grace_ns, self.pace.life_ns, 0, 0)
            return UsdmFrames(self, self.users, connection, pace, now_ns, client=client, shows_limits=shows)
        assert asked is not None
        names, is_combined = asked
        session = UsdmSession(
            self.hub, connection, self.pace, now_ns, is_combined=is_combined, allows=_allowed(path, self.keys)
        )
        session.watch(self.keys)
        if options.get("events"):
            session.events = frozenset(options["events"].split("/"))
        if options.get("listenKey"):
            names.append(options["listenKey"])
        problem = session.subscribe(names)
        if problem:
            session.closed()
            return HttpResponse(400, encode({"code": 2, "msg": f"Invalid request: {problem}"}))
        return session

    def _tell(self, key: str, event: dict[str, Any]) -> None:
        for session in list(self.hub.subscribers.get(key, {}).values()):
            wanted = session.events if isinstance(session, UsdmSession) else None
            if wanted is None or event["e"] in wanted or event["e"] == "listenKeyExpired":
                session.send({"stream": key, "data": event} if session.is_combined else event)


def _allowed(path: str, keys: ListenKeys) -> Callable[[str], bool] | None:
    """Return which streams a connection on *path* really gets: all on the root, else those of its category."""
    parts = [part for part in path.split("/") if part]
    category = next((part for part in parts if part in ("public", "market", "private")), "")
    if not category:
        return None

    def allows(name: str) -> bool:
        if any(key.key == name for key in keys.by_account.values()):
            return category == "private"
        return category == ("public" if PUBLIC.fullmatch(name) else "market")

    return allows
