"""How Deribit's public connections are opened, subscribed, kept alive and read; its HTTP requests and their errors.

Source: Deribit API v2 (JSON-RPC over WebSocket, heartbeats, rate limits, error codes), middle of 2026.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

import msgspec

from quotewright.errors import ConfigError, InputError
from quotewright.feed import SECOND, Stream
from quotewright.wire import (
    Acknowledged,
    Control,
    KeepAlive,
    Refused,
    Request,
    Respond,
    Told,
    Trouble,
    Window,
    Wire,
    WireLimits,
)

if TYPE_CHECKING:
    from quotewright.live.settings import LiveSettings

HOSTS = {
    "production": ("wss://www.deribit.com", "https://www.deribit.com"),
    "testnet": ("wss://test.deribit.com", "https://test.deribit.com"),
}
"""Addresses of streams and requests by environment."""
SOCKET_PATH = "/ws/api/v2"
REST_PATH = "/api/v2"

HEARTBEAT_S = 15
"""The venue sends a heartbeat so often, and a test_request when it heard nothing from us."""
ASKED_LIMIT = 1_000

AUTH_ERRORS = frozenset({10000, 11042, 13004, 13009, 13021})
RATE_ERRORS = frozenset({10028, 10047, 10066})
RETRY_ERRORS = RATE_ERRORS | {10040, 10041, 11051, 13028}
UNKNOWN_OUTCOME = frozenset({10001, 11094, 13888})

_OWN_IDS: Final = 1_000_000
"""Ids below are of frames that ask for no channel; above, the request's number stands before the last six digits."""
_HEARTBEAT_ID = 1
_TEST_ID = 2
_WAIT_MOST = 60


class _Params(msgspec.Struct):
    type: str = ""


class _Error(msgspec.Struct):
    code: int = 0
    message: str = ""
    data: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class _Reply(msgspec.Struct):
    """A frame that is no data: a heartbeat or an answer."""

    method: str = ""
    params: _Params | None = None
    id: int | str | None = None
    result: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    error: _Error | None = None


class _Reason(msgspec.Struct):
    reason: str = ""
    param: str = ""
    wait: float = 0.0


_REPLY = msgspec.json.Decoder(_Reply)
_NAMES = msgspec.json.Decoder(list[str])
_NUMBER = msgspec.json.Decoder(int)
_REASON = msgspec.json.Decoder(_Reason)
_UNREADABLE = (msgspec.MsgspecError, RecursionError, UnicodeError)


class DeribitWire(Wire):
    """The connections of Deribit's public market data, in one environment."""

    venue = "deribit"
    data_mark = b'"data"'
    limits = WireLimits(
        connections=32,
        streams_per_request=500,
        bytes_per_request=32_000,
        # A subscription costs 3,000 of 30,000 credits, any other request 500 of 50,000; 10,000 a second come back.
        sends=(Window("subscriptions", 10, 3 * SECOND),),
        requests=(Window("requests", 100, 5 * SECOND),),
    )
    keep_alive = KeepAlive(silence_ns=2 * HEARTBEAT_S * SECOND)

    def __init__(self, live: LiveSettings | None = None) -> None:
        environment = live.environment if live is not None else "production"
        if environment not in HOSTS:
            raise ConfigError(f"deribit: environment should be one of {', '.join(HOSTS)}, was {environment!r}")
        websocket, rest = HOSTS[environment]
        websocket = ((live.websocket if live is not None else "") or websocket).rstrip("/")
        rest = ((live.rest if live is not None else "") or rest).rstrip("/")
        self.websocket = websocket.removesuffix(SOCKET_PATH) + SOCKET_PATH
        self.rest = rest.removesuffix(REST_PATH) + REST_PATH
        self._serial = 0
        self._asked: dict[int, tuple[str, ...] | None] = {}
        """Channels asked for by the id of the request; None where they were ended."""

    # Sockets.

    def address(self, category: str, streams: Sequence[Stream]) -> str:
        return self.websocket

    def opening(self, category: str) -> list[bytes]:
        return [_frame("public/set_heartbeat", _HEARTBEAT_ID, {"interval": HEARTBEAT_S})]

    def subscribe(self, streams: Sequence[Stream], request: int) -> list[bytes]:
        channels = tuple(stream.name for stream in streams)
        return [_frame("public/subscribe", self._id(request, channels), {"channels": channels})]

    def unsubscribe(self, streams: Sequence[Stream], request: int) -> list[bytes]:
        channels = tuple(stream.name for stream in streams)
        return [_frame("public/unsubscribe", self._id(request, None), {"channels": channels})]

    def _id(self, request: int, channels: tuple[str, ...] | None) -> int:
        """Return an id that no other request has: connections count theirs independently."""
        self._serial = (self._serial + 1) % _OWN_IDS
        found = (request + 1) * _OWN_IDS + self._serial
        while len(self._asked) >= ASKED_LIMIT:
            del self._asked[next(iter(self._asked))]
        self._asked[found] = channels
        return found

    def control(self, frame: bytes) -> Control | None:
        if frame.find(b'"method":"subscription"', 0, 64) >= 0:
            return None
        try:
            reply = _REPLY.decode(frame)
            if reply.method == "heartbeat":
                if reply.params is not None and reply.params.type == "test_request":
                    return Respond((_frame("public/test", _TEST_ID, {}),))
                return None
            if reply.method:
                return None
            if reply.error is not None:
                return self._refusal(reply.id, reply.error)
            if isinstance(reply.id, int) and reply.id >= _OWN_IDS and not isinstance(reply.result, msgspec.UnsetType):
                return self._answer(reply.id, _NAMES.decode(reply.result))
        except _UNREADABLE:
            return None
        return None

    def _answer(self, id: int, served: Sequence[str]) -> Control:
        """Read which of the channels asked for are served: the venue leaves unknown ones out without a word."""
        request = id // _OWN_IDS - 1
        if id not in self._asked:
            return Acknowledged(tuple(served), request)
        asked = self._asked.pop(id)
        if asked is None:
            return Acknowledged((), request)
        known = frozenset(served)
        missing = tuple(channel for channel in asked if channel not in known)
        if not missing:
            return Acknowledged((), request)
        found = tuple(channel for channel in asked if channel in known)
        if not found:
            return Refused(missing, request, "", _NOT_SERVED)
        return Acknowledged(found, request, missing, _NOT_SERVED)

    def _refusal(self, id: int | str | None, error: _Error) -> Control:
        text = _text(error)
        if isinstance(id, int) and id >= _OWN_IDS:
            asked = self._asked.pop(id, ())
            request = id // _OWN_IDS - 1
            if asked is None:
                return Acknowledged((), request)
            is_final = error.code not in RETRY_ERRORS and error.code not in UNKNOWN_OUTCOME
            return Refused(asked, request, str(error.code), text, is_final)
        return Told(str(error.code), text, error.code in AUTH_ERRORS)

    def stream_of(self, frame: bytes) -> str:
        start = frame.find(b'"channel":"', 0, 256) + 11
        if start < 11:
            return ""
        return frame[start : frame.find(b'"', start)].decode("utf-8", "replace")

    # Requests.

    def _request(self, method: str, **query: str) -> Request:
        text = f"?{urlencode(query)}" if query else ""
        return Request(f"{self.rest}/{method}{text}")

    def instrument_requests(self) -> list[Request]:
        return [self._request("public/get_instruments", currency="any", expired="false")]

    def time_request(self) -> Request | None:
        return self._request("public/get_time")

    def server_time_ns(self, body: bytes) -> int:
        try:
            reply = _REPLY.decode(body)
            if isinstance(reply.result, msgspec.UnsetType):
                raise InputError("deribit get_time: the answer has no result")
            found = _NUMBER.decode(reply.result)
        except _UNREADABLE as error:
            raise InputError(f"deribit get_time: should be an answer with a time as result, {error}") from None
        if not 0 < found < 1 << 43:
            raise InputError(f"deribit get_time: the result should be a time in milliseconds, was {found}")
        return found * 1_000_000

    def trouble(self, status: int, headers: Mapping[str, str], body: bytes) -> Trouble | None:
        """Return what an answer means: errors come with HTTP 400 and a JSON-RPC error, whose code tells."""
        if status in (418, 451):
            return None
        try:
            error = _REPLY.decode(body).error
        except _UNREADABLE:
            error = None
        if error is None:
            return None
        text = f"deribit answers error {error.code}: {_text(error)}"
        if error.code in RATE_ERRORS or status == 429:
            return Trouble("retry", text, _wait_ns(error, headers))
        if error.code in RETRY_ERRORS:
            return Trouble("retry", text)
        if error.code in UNKNOWN_OUTCOME:
            return Trouble("unknown", text)
        return Trouble("final", text)


_NOT_SERVED = "the venue does not serve it: there is no such channel"


def _frame(method: str, id: int, params: Mapping[str, Any]) -> bytes:
    return msgspec.json.encode({"jsonrpc": "2.0", "id": id, "method": method, "params": params})


def _reason(error: _Error) -> _Reason:
    try:
        return _Reason() if isinstance(error.data, msgspec.UnsetType) else _REASON.decode(error.data)
    except _UNREADABLE:
        return _Reason()


def _text(error: _Error) -> str:
    """Return the error's text with the reason and the parameter that come with some."""
    reason = _reason(error)
    more = ", ".join(part for part in (reason.reason, reason.param and f"parameter {reason.param}") if part)
    return f"{error.message[:200] or 'no text'}{f' ({more[:200]})' if more else ''}"


def _wait_ns(error: _Error, headers: Mapping[str, str]) -> int:
    """Return how long to wait: what the answer says, at least the second in which credits come back."""
    after = headers.get("retry-after", "")
    told = float(after) if after.isascii() and after.isdigit() and len(after) < 6 else _reason(error).wait
    return int(min(max(told, 1.0), _WAIT_MOST) * SECOND)
