"""Market streams: who has subscribed to what, and the control frames of a connection."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias
from urllib.parse import unquote

from quotewright_simexchange.dialects.binance.errors import encode
from quotewright_simexchange.dialects.binance.keepalive import LivingSession, Pace
from quotewright_simexchange.dialects.binance.parameters import read_json, split
from quotewright_simexchange.doors import Connection

TimeOf: TypeAlias = "Callable[[int], int]"
Payload: TypeAlias = "Callable[[TimeOf], object]"
"""Builds what is published, given how times are written for a connection."""
METHODS = ("SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY")


def in_ms(time_ns: int) -> int:
    return time_ns // 1_000_000


def in_us(time_ns: int) -> int:
    return time_ns // 1_000


class Hub:
    """Streams of one door by name, each with the sessions that have it; a product says what begins and ends them."""

    def __init__(self) -> None:
        self.subscribers: dict[str, dict[int, StreamSession]] = {}
        self._numbers = 0

    def begin(self, name: str) -> None:
        """A stream has its first subscriber; unknown names are taken and stay silent."""

    def finish(self, name: str) -> None:
        """A stream has no subscriber any more."""

    def next_number(self) -> int:
        """Return the number of a new session."""
        self._numbers += 1
        return self._numbers

    def add(self, name: str, session: StreamSession) -> None:
        members = self.subscribers.setdefault(name, {})
        members[session.number] = session
        if len(members) == 1:
            self.begin(name)

    def remove(self, name: str, session: StreamSession) -> None:
        members = self.subscribers.get(name, {})
        if members.pop(session.number, None) is not None and not members:
            del self.subscribers[name]
            self.finish(name)

    def publish(self, name: str, payload: Payload) -> None:
        """Send *payload* to everybody who has *name*; it is written once a form, however many they are."""
        written: dict[tuple[bool, bool], bytes] = {}
        for session in list(self.subscribers.get(name, {}).values()):
            form = (session.is_combined, session.is_micro)
            frame = written.get(form)
            if frame is None:
                data = payload(in_us if session.is_micro else in_ms)
                frame = encode({"stream": name, "data": data} if session.is_combined else data)
                written[form] = frame
            session.send_raw(frame)


class StreamSession(LivingSession):
    """A connection to market streams: raw or combined, with its control frames."""

    def __init__(
        self,
        hub: Hub,
        connection: Connection,
        pace: Pace,
        now_ns: int,
        *,
        is_combined: bool = False,
        is_micro: bool = False,
        allows: Callable[[str], bool] | None = None,
    ) -> None:
        super().__init__(connection, pace, now_ns)
        self.hub = hub
        self.number = hub.next_number()
        self.is_combined = is_combined
        self.is_micro = is_micro
        self.names: dict[str, None] = {}
        self.allows = allows
        """Says which names this connection may really get; others are acknowledged and stay silent."""
        self.on_closed.append(self._leave)

    def subscribe(self, names: Iterable[str]) -> str:
        """Subscribe to *names*; return what is wrong, empty if nothing is. Names that it has already are no change."""
        new = [name for name in dict.fromkeys(names) if name not in self.names]
        if self.pace.streams and len(self.names) + len(new) > self.pace.streams:
            return f"too many streams, at most {self.pace.streams} on a connection"
        for name in new:
            self.names[name] = None
            if self.allows is None or self.allows(name):
                self.hub.add(name, self)
        return ""

    def unsubscribe(self, names: Iterable[str]) -> None:
        for name in names:
            if name in self.names:
                del self.names[name]
                self.hub.remove(name, self)

    def heard(self, frame: bytes, now_ns: int) -> None:
        if not self.is_allowed(now_ns):
            return
        try:
            message = read_json(frame)
        except (ValueError, RecursionError):
            self.send({"code": 3, "msg": "Invalid JSON: expected a value"})
            return
        self.send(self._answer(message))

    def warn(self, event: dict[str, object]) -> None:
        self.send({"stream": "!serverShutdown", "data": event} if self.is_combined else event)

    def _answer(self, message: object) -> dict[str, object]:
        if not isinstance(message, dict):
            return {"code": 2, "msg": "Invalid request: expected an object"}
        number = message.get("id")
        is_number = isinstance(number, int) and not isinstance(number, bool) and -(1 << 63) <= number < 1 << 64
        if number is not None and not is_number and not (type(number) is str and len(number) <= 36):
            return {
                "code": 2,
                "msg": "Invalid request: `id` should be an integer, a string of at most 36 characters or null",
            }
        code, problem, result = self._carry_out(message)
        if problem:
            return {"code": code, "msg": problem, "id": number}
        return {"result": result, "id": number}

    def _carry_out(self, message: dict[str, object]) -> tuple[int, str, object]:
        method, params = message.get("method"), message.get("params")
        if not isinstance(method, str) or method not in METHODS:
            came = "missing field `method`" if method is None else f"unknown variant `{method}`"
            return 2, f"Invalid request: {came}, expected one of {', '.join(f'`{name}`' for name in METHODS)}", None
        if method == "LIST_SUBSCRIPTIONS":
            return 0, "", list(self.names)
        if not isinstance(params, list):
            return (
                2,
                "Invalid request: missing field `params`"
                if params is None
                else ("Invalid request: `params` should be a list"),
                None,
            )
        if method in ("SET_PROPERTY", "GET_PROPERTY"):
            return self._property(method, params)
        if not all(type(name) is str for name in params):
            return 2, "Invalid request: `params` should be a list of stream names", None
        if method == "SUBSCRIBE":
            problem = self.subscribe(params)
            return 2, f"Invalid request: {problem}" if problem else "", None
        self.unsubscribe(params)
        return 0, "", None

    def _property(self, method: str, params: list[object]) -> tuple[int, str, object]:
        if len(params) != (2 if method == "SET_PROPERTY" else 1) or not isinstance(params[0], str):
            return 2, "Invalid request: `params` should be a property and, to set it, a value", None
        if params[0] != "combined":
            return 0, f"Unknown property: {params[0]}", None
        if method == "GET_PROPERTY":
            return 0, "", self.is_combined
        if not isinstance(params[1], bool):
            return 1, "Invalid value type: expected Boolean", None
        self.is_combined = params[1]
        return 0, "", None

    def _leave(self) -> None:
        for name in list(self.names):
            self.hub.remove(name, self)


def asked_streams(path: str, query: bytes) -> tuple[list[str], bool] | None:
    """Return the streams that an address asks for and whether they are combined; None if it is no stream address.

    ``/ws``, ``/ws/a/b``, ``/stream?streams=a/b``, ``/stream/ws/3`` and the like: numbers at the end are the clients'
    own, and a category before them (``/public``) is not looked at here.
    """
    parts = [part for part in unquote(path).split("/") if part]
    if "stream" in parts:
        place, combined = parts.index("stream"), True
    elif "ws" in parts:
        place, combined = parts.index("ws"), False
    else:
        return None
    rest = parts[place + 1 :]
    if combined and rest[:1] == ["ws"]:
        combined, rest = False, rest[1:]
    names = [name for name in rest if not name.isdigit()]
    for key, value in split(query):
        if key == "streams":
            names.extend(name for name in value.split("/") if name)
    return names, combined


def is_in_microseconds(query: bytes) -> bool:
    """Return whether an address asks for times in µs."""
    return any(key == "timeUnit" and value.upper() == "MICROSECOND" for key, value in split(query))
