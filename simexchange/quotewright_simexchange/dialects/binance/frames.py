"""The WebSocket API: requests and answers with ids, sessions, and private events on the same connection."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from quotewright_simexchange.dialects.binance import auth
from quotewright_simexchange.dialects.binance.errors import ApiError
from quotewright_simexchange.dialects.binance.keepalive import LivingSession, Pace
from quotewright_simexchange.dialects.binance.parameters import Parameters, missing, read_json
from quotewright_simexchange.dialects.binance.routes import Call, RestDoor, account_name
from quotewright_simexchange.dialects.binance.streams import Payload, in_ms, in_us
from quotewright_simexchange.dialects.binance.users import UserHub
from quotewright_simexchange.doors import Connection

if TYPE_CHECKING:
    from quotewright_simexchange.exchange.accounts import ApiKey

REQUEST_KEYS = {"id", "method", "params"}


class FrameSession(LivingSession):
    """One connection to the WebSocket API of *door*."""

    def __init__(
        self,
        door: RestDoor,
        users: UserHub,
        connection: Connection,
        pace: Pace,
        now_ns: int,
        *,
        client: str,
        shows_limits: bool = True,
        is_micro: bool = False,
    ) -> None:
        super().__init__(connection, pace, now_ns)
        self.door = door
        self.users = users
        self.client = client
        self.shows_limits = shows_limits
        self.is_micro = is_micro
        self.key: ApiKey | None = None
        """Of a logon."""
        self.key_since_ns = 0
        self.since_ns = now_ns
        self._subscriptions: dict[int, tuple[str, Callable[[], None]]] = {}
        self._numbers = 0
        self.on_closed.append(self._leave)
        self._own = {
            "session.logon": self._log_on,
            "session.status": self._status,
            "session.logout": self._log_out,
            "session.subscriptions": self._list,
            "userDataStream.subscribe": self._subscribe,
            "userDataStream.subscribe.signature": self._subscribe_signed,
            "userDataStream.unsubscribe": self._unsubscribe,
        }

    def heard(self, frame: bytes, now_ns: int) -> None:
        if not self.is_allowed(now_ns):
            return
        call = Call(Parameters({}), now_ns, self.client, is_micro=self.is_micro)
        number: object = None
        shows_limits = self.shows_limits
        try:
            number, method, params = self._read(frame)
            wish = str(params.get("returnRateLimits", "")).lower()
            shows_limits = wish != "false" if wish else shows_limits
            answer: dict[str, object] = {"id": number, "status": 200, "result": self._carry_out(method, params, call)}
        except _Unreadable as problem:
            number = problem.number
            answer = {"id": number, "status": 400, "error": ApiError(-1135, problem.text).as_json()}
        except ApiError as error:
            answer = {"id": number, "status": error.http_status(self.door.card), "error": error.as_json()}
        if shows_limits:
            account = "" if call.key is None else account_name(call.key)
            kinds = ("ORDERS", "REQUEST_WEIGHT") if call.shows_orders else ("REQUEST_WEIGHT",)
            answer["rateLimits"] = self.door.limits.counters(self.client, account, now_ns, kinds)
        self.send(answer)

    def _read(self, frame: bytes) -> tuple[object, str, dict[str, object]]:
        try:
            request = read_json(frame)
        except (ValueError, RecursionError):
            raise _Unreadable(None, "Invalid JSON Request") from None
        if not isinstance(request, dict):
            raise _Unreadable(None, "Invalid JSON Request; an object was expected")
        number = request.get("id")
        if not (number is None or (type(number) is str and len(number) <= 36) or type(number) is int):
            raise _Unreadable(None, "Invalid JSON Request; 'id' should be an integer, a string or null")
        method, params = request.get("method"), request.get("params")
        if not isinstance(method, str):
            raise _Unreadable(number, "Invalid JSON Request; JSON sent for parameter 'method' is not valid")
        if not isinstance(params, dict | None):
            raise _Unreadable(number, "Invalid JSON Request; JSON sent for parameter 'params' is not valid")
        return number, method, params or {}

    def _carry_out(self, method: str, params: dict[str, object], call: Call) -> object:
        own = self._own.get(method)
        if own is not None:
            self.door.limits.take(self.client, 2, call.now_ns)
            call.parameters = Parameters.of_json(params)
            return own(call)
        endpoint = self.door.methods.get(method)
        if endpoint is None:
            self.door.limits.take(self.client, 1, call.now_ns)
            self.door.note_unserved(f"WS {method}")
            raise ApiError(-1020, "This operation is not supported.")
        return self.door.call_frame(endpoint, params, call, self.key)

    def _signed(self, call: Call) -> ApiKey:
        parameters = call.parameters
        if not parameters.has("apiKey"):
            raise missing("apiKey")
        key = auth.find_key(self.door.exchange.keys, parameters.text("apiKey"), "")
        text = auth.frame_text(parameters.values)
        auth.check_signed(key, parameters, text, parameters.values.get("signature", ""), call.now_ns)
        call.key = key
        return key

    def _log_on(self, call: Call) -> object:
        key = auth.find_key(self.door.exchange.keys, call.parameters.text("apiKey"), "")
        if not auth.is_asymmetric(key.secret):
            raise ApiError(-4056, "HMAC_SHA256 API key is not supported.")
        self.key = self._signed(call)
        self.key_since_ns = call.now_ns
        return self._status(call)

    def _log_out(self, call: Call) -> object:
        self.key = None
        return self._status(call)

    def _status(self, call: Call) -> object:
        return {
            "apiKey": None if self.key is None else self.key.key,
            "authorizedSince": None if self.key is None else call.time(self.key_since_ns),
            "connectedSince": call.time(self.since_ns),
            "returnRateLimits": self.shows_limits,
            "serverTime": call.time(call.now_ns),
            "userDataStream": bool(self._subscriptions),
        }

    def _list(self, call: Call) -> object:
        return [{"subscriptionId": number} for number in self._subscriptions]

    def _subscribe(self, call: Call) -> object:
        if self.key is None:
            raise ApiError(-2015, "Invalid API-key, IP, or permissions for action.")
        return self._listen(account_name(self.key))

    def _subscribe_signed(self, call: Call) -> object:
        return self._listen(account_name(self._signed(call)))

    def _listen(self, account: str) -> object:
        if any(other == account for other, _ in self._subscriptions.values()):
            raise ApiError(-2010, "A user data stream subscription is already active for this account.")
        number = self._numbers
        self._numbers += 1

        def tell(payload: Payload) -> None:
            self.send({"subscriptionId": number, "event": payload(in_us if self.is_micro else in_ms)})

        self._subscriptions[number] = (account, self.users.add(account, tell))
        return {"subscriptionId": number}

    def _unsubscribe(self, call: Call) -> object:
        if call.parameters.has("subscriptionId"):
            numbers = [call.parameters.integer("subscriptionId")]
            if numbers[0] not in self._subscriptions:
                raise ApiError(-1130, "Data sent for parameter 'subscriptionId' is not valid.")
        else:
            numbers = list(self._subscriptions)
        for number in numbers:
            self._subscriptions.pop(number)[1]()
        return {}

    def _leave(self) -> None:
        for _, end in self._subscriptions.values():
            end()
        self._subscriptions.clear()


class _Unreadable(Exception):
    def __init__(self, number: object, text: str) -> None:
        super().__init__(text)
        self.number = number
        self.text = text
