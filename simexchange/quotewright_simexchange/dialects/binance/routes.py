"""One door's requests: who may ask what at what weight, over REST and over the WebSocket API alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Literal, TypeAlias

import attrs

from quotewright_simexchange.dialects.binance import auth
from quotewright_simexchange.dialects.binance.errors import ApiError, encode
from quotewright_simexchange.dialects.binance.limits import Limits
from quotewright_simexchange.dialects.binance.parameters import Parameters, missing
from quotewright_simexchange.dialects.binance.placing import placed
from quotewright_simexchange.doors import Door, HttpRequest, HttpResponse

if TYPE_CHECKING:
    from quotewright.model.cards import VenueCard
    from quotewright_simexchange.exchange.accounts import ApiKey
    from quotewright_simexchange.exchange.exchange import Exchange

MOST_BODY_BYTES = 1 << 20
JSON_TYPE = "application/json;charset=UTF-8"
MOST_UNSERVED = 1000


@attrs.define
class Call:
    """One request as a handler sees it."""

    parameters: Parameters
    now_ns: int
    """The door clock."""
    client: str = ""
    key: ApiKey | None = None
    is_micro: bool = False
    weight: int = 0
    """Taken already; a handler that finds the request free of charge sets :attr:`is_free`."""
    is_free: bool = False
    shows_orders: bool = False
    """Whether the answer carries the counters of orders."""

    @property
    def account(self) -> str:
        """Return the account of the key."""
        if self.key is None:
            raise ApiError(-2014, "API-key format invalid.")
        return account_name(self.key)

    def time(self, time_ns: int) -> int:
        """Return a time as the client wants it, in ms or µs."""
        return time_ns // (1_000 if self.is_micro else 1_000_000)


Handler: TypeAlias = "Callable[[Call], object]"
Security: TypeAlias = Literal["none", "key", "read", "trade"]
"""none: anybody; key: the key's header; read and trade: signed, with a key that has this right."""


@attrs.frozen
class Endpoint:
    """What is served: *handler* returns what is written as JSON. *weight* may depend on the parameters."""

    handler: Handler
    weight: int | Callable[[Parameters], int] = 1
    security: Security = "none"

    def weight_of(self, parameters: Parameters) -> int:
        return self.weight if isinstance(self.weight, int) else self.weight(parameters)


PRIVATE_EVENTS = tuple(
    f'"e":"{name}"'.encode()
    for name in (
        "executionReport",
        "outboundAccountPosition",
        "balanceUpdate",
        "ORDER_TRADE_UPDATE",
        "ACCOUNT_UPDATE",
        "TRADE_LITE",
        "ALGO_UPDATE",
    )
)
"""How frames that tell an account's own events are known."""


def account_name(key: ApiKey) -> str:
    """Return the name of the account of *key*."""
    return str(key.account)


class RestDoor(Door):
    """A door that serves :attr:`endpoints`, by (verb, path), with the venue's keys, limits and errors."""

    def __init__(self, exchange: Exchange, card: VenueCard) -> None:
        self.exchange = exchange
        self.card = card
        self.limits = Limits(card)
        self.endpoints: dict[tuple[str, str], Endpoint] = {}
        self.methods: dict[str, Endpoint] = {}
        """The same for the WebSocket API, by method."""
        self._unserved: dict[str, int] = {}

    def unserved(self) -> Mapping[str, int]:
        return self._unserved

    def refusal(self, status: int, retry_after: int, now_ns: int) -> HttpResponse:
        """Return the venue's words for a limit (429, 418) or an error inside it (5xx)."""
        until = now_ns // 1_000_000 + retry_after * 1_000
        texts = {
            429: (-1003, "Too many requests; please use WebSocket Streams for live updates to avoid polling the API."),
            418: (-1003, f"Way too much request weight used; IP banned until {until}."),
            503: (-1008, "Server is currently overloaded with other requests. Please try again in a few minutes."),
            504: (-1007, "Timeout waiting for response from backend server. Send status unknown; execution unknown."),
        }
        code, text = texts.get(status, (-1000, "An unknown error occurred while processing the request."))
        headers = {"Retry-After": str(retry_after)} if status in (418, 429) else {}
        return HttpResponse(status, encode({"code": code, "msg": text}), headers, JSON_TYPE)

    def note_unserved(self, what: str) -> None:
        """Count an endpoint, method or stream that was asked for and is not served."""
        if what in self._unserved or len(self._unserved) < MOST_UNSERVED:
            self._unserved[what] = self._unserved.get(what, 0) + 1

    def placed(self, message: HttpRequest | bytes) -> tuple[str, ...]:
        return placed(message)

    def is_private(self, frame: bytes) -> bool:
        return any(word in frame for word in PRIVATE_EVENTS)

    def http(self, request: HttpRequest, now_ns: int) -> HttpResponse:
        call = Call(Parameters({}), now_ns, request.client)
        call.is_micro = request.headers.get("x-mbx-time-unit", "").upper() == "MICROSECOND"
        try:
            status, body, headers = 200, self._answer(request, call), {}
        except ApiError as error:
            status, headers = error.http_status(self.card), error.headers
            shown = error.as_json()
            if status in (418, 429):
                shown.pop("data", None)
            body = encode(shown)
        account = "" if call.key is None else account_name(call.key)
        headers = {**self.limits.headers(request.client, account, now_ns, with_orders=call.shows_orders), **headers}
        return HttpResponse(status, body, headers, JSON_TYPE)

    def _answer(self, request: HttpRequest, call: Call) -> bytes:
        verb, path = request.method.upper(), request.path.rstrip("/") or "/"
        endpoint = self.endpoints.get((verb, path))
        if endpoint is None:
            self.limits.take(request.client, 1, call.now_ns)
            self.note_unserved(f"{verb} {path}")
            raise ApiError(-5000, f"Path {path}, Method {verb} is invalid", 404)
        if len(request.body) > MOST_BODY_BYTES:
            raise ApiError(-1101, f"Too many parameters; expected '{MOST_BODY_BYTES}' bytes at most.", 413)
        call.parameters = Parameters.of_http(request.query, request.body)
        self.charge(endpoint, call)
        if endpoint.security != "none":
            right = endpoint.security if endpoint.security == "trade" else ""
            call.key = auth.find_key(self.exchange.keys, request.headers.get("x-mbx-apikey", ""), right)
        if endpoint.security in ("read", "trade") and call.key is not None:
            text, signature = auth.signed_text(request.query, request.body)
            auth.check_signed(call.key, call.parameters, text, signature, call.now_ns)
        return encode(self.carry_out(endpoint, call))

    def charge(self, endpoint: Endpoint, call: Call) -> None:
        """Take the request's weight from its address."""
        call.weight = endpoint.weight_of(call.parameters)
        self.limits.take(call.client, call.weight, call.now_ns)

    def carry_out(self, endpoint: Endpoint, call: Call) -> object:
        """Call the handler; what it finds to be free of charge is given back."""
        answer = endpoint.handler(call)
        if call.is_free:
            self.limits.give_back(call.client, call.weight, call.now_ns)
        return answer

    def call_frame(
        self, endpoint: Endpoint, params: Mapping[str, object], call: Call, logged_on: ApiKey | None
    ) -> object:
        """Carry out a request of the WebSocket API: signed in itself, or after a logon of the connection."""
        call.parameters = Parameters.of_json(params)
        self.charge(endpoint, call)
        if endpoint.security != "none":
            right = "trade" if endpoint.security == "trade" else ""
            public = call.parameters.values.get("apiKey", "")
            if not public and logged_on is not None:
                call.key = auth.find_key(self.exchange.keys, logged_on.key, right)
            elif not public:
                raise missing("apiKey")
            else:
                call.key = auth.find_key(self.exchange.keys, public, right)
        if endpoint.security in ("read", "trade") and call.key is not None:
            signature = call.parameters.values.get("signature", "")
            if signature or logged_on is None or call.parameters.has("apiKey"):
                text = auth.frame_text(call.parameters.values)
                auth.check_signed(call.key, call.parameters, text, signature, call.now_ns)
            elif call.parameters.has("timestamp"):
                auth.check_clock(call.parameters, call.now_ns)
        return self.carry_out(endpoint, call)
