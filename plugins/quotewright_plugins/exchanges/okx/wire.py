"""OKX's connections: addresses, subscriptions, text pings, limits, requests.

A stream is named ``channel:ID``, such as ``books:BTC-USDT``; ID is an instId, an instType (``liquidation-orders:SWAP``)
or an instFamily (``opt-summary:BTC-USD``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import ClassVar
from urllib.parse import parse_qs, urlencode

import msgspec

from quotewright.errors import ConfigError, InputError
from quotewright.feed import MINUTE, SECOND, Stream
from quotewright.live.settings import LiveSettings
from quotewright.wire import (
    Acknowledged,
    Closing,
    Control,
    KeepAlive,
    Pong,
    Reaction,
    Refused,
    Request,
    Told,
    Trouble,
    Window,
    Wire,
    WireLimits,
)

ENVIRONMENTS: Mapping[str, tuple[str, str]] = {
    "production": ("wss://ws.okx.com:8443", "https://www.okx.com"),
    "demo": ("wss://wspap.okx.com:8443", "https://www.okx.com"),
}
"""Roots of the streams and of HTTP requests."""
TYPES = {"spot": "SPOT", "swap": "SWAP", "futures": "FUTURES", "option": "OPTION"}
BY_TYPE = ("liquidation-orders", "instruments")
BY_FAMILY = ("opt-summary",)
BUSINESS = ("trades-all",)
"""Channels served on the business address."""
FAMILIES = ("BTC-USD", "ETH-USD")
"""Families of options asked for where none is followed."""

NOTICE_NS = MINUTE
"""How long before closing for a service upgrade the venue gives notice."""
WINDOW_NS = 2 * SECOND
"""Span of the venue's limits of requests."""
FINAL = {"60011", "60012", "60013", "60018", "64003"}
RETRY = {"50001", "50004", "50013", "50026"}
_WRONG = re.compile(r"channel:\s*([\w-]+)(?:,\s*(?:instId|instType|instFamily|uly):\s*([\w-]+))?")


class _Arg(msgspec.Struct):
    channel: str = ""
    instId: str = ""
    instFamily: str = ""
    uly: str = ""
    instType: str = ""


class _Event(msgspec.Struct):
    event: str = ""
    arg: _Arg | None = None
    code: str = ""
    msg: str = ""
    id: str = ""


class _Time(msgspec.Struct):
    ts: str


class _Times(msgspec.Struct):
    data: list[_Time]


class _Told(msgspec.Struct):
    code: str = ""
    msg: str = ""


_EVENT = msgspec.json.Decoder(_Event)
_TIMES = msgspec.json.Decoder(_Times)
_TOLD = msgspec.json.Decoder(_Told)


BANDS = "public/instrument-tick-bands"


class OkxWire(Wire):
    """The connections of OKX's public market data, in one environment."""

    venue = "okx"
    data_mark = b'"data"'
    limits = WireLimits(
        connects=(Window("new connections", 3, SECOND),),
        streams_per_request=500,
        bytes_per_request=64_000,
        sends=(Window("subscriptions", 480, 60 * MINUTE),),
        requests=(Window("requests", 20, WINDOW_NS),),
    )
    keep_alive = KeepAlive(every_ns=20 * SECOND, frame=b"ping", answer_ns=10 * SECOND, silence_ns=35 * SECOND)
    reactions: ClassVar[Mapping[int, Reaction]] = {
        4004: Reaction("again", "the venue saw no traffic for 30 s"),
        4005: Reaction("again", "the venue's buffer for this connection is full"),
        4006: Reaction("again", "the venue ended an abnormal connection"),
    }

    def __init__(self, live: LiveSettings, market: str = "", families: Sequence[str] = ()) -> None:
        roots = ENVIRONMENTS.get(live.environment)
        if roots is None:
            known = ", ".join(ENVIRONMENTS)
            raise ConfigError(f"okx: environment should be one of {known}, was {live.environment!r}")
        self._socket = (live.websocket or roots[0]).rstrip("/").removesuffix("/ws/v5") + "/ws/v5/"
        self._rest = (live.rest or roots[1]).rstrip("/").removesuffix("/api/v5") + "/api/v5/"
        self._headers = {"x-simulated-trading": "1"} if live.environment == "demo" else {}
        self._market = market
        self._families = tuple(families)

    # Sockets.

    def address(self, category: str, streams: Sequence[Stream]) -> str:
        return self._socket + (category or "public")

    def subscribe(self, streams: Sequence[Stream], request: int) -> list[bytes]:
        return [_operation("subscribe", streams, request)]

    def unsubscribe(self, streams: Sequence[Stream], request: int) -> list[bytes]:
        return [_operation("unsubscribe", streams, request)]

    def control(self, frame: bytes) -> Control | None:
        if frame[:7] == b'{"arg":' and b'"event"' not in frame[:256]:
            return None
        if frame == b"pong":
            return Pong()
        try:
            event = _EVENT.decode(frame)
        except (msgspec.MsgspecError, RecursionError, UnicodeError):
            return None
        request = int(event.id) if event.id.isascii() and event.id.isdigit() and len(event.id) <= 18 else -1
        if event.event == "subscribe" and event.arg is not None:
            return Acknowledged((_name(event.arg),), request)
        if event.event == "unsubscribe":
            return Acknowledged((), request) if request >= 0 else None
        if event.event == "notice":
            return Closing(event.msg[:200], NOTICE_NS) if event.code == "64008" else Told(event.code, event.msg[:200])
        if event.event == "error":
            return self._error(event, request)
        return None

    def _error(self, event: _Event, request: int) -> Control:
        wrong = _WRONG.search(event.msg)
        streams: tuple[str, ...] = ()
        if event.arg is not None and event.arg.channel:
            streams = (_name(event.arg),)
        elif wrong is not None:
            streams = (f"{wrong[1]}:{wrong[2]}" if wrong[2] else wrong[1],)
        if not streams and request < 0 and event.code != "60014":
            return Told(event.code, event.msg[:200])
        return Refused(streams, request, event.code, event.msg[:200], event.code in FINAL)

    def stream_of(self, frame: bytes) -> str:
        if frame[:8] != b'{"arg":{':
            return ""
        try:
            return _name(msgspec.json.decode(frame[7 : frame.find(b"}") + 1], type=_Arg))
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return ""

    def reaction(self, code: int, reason: str) -> Reaction | None:
        return self.reactions.get(code)

    # Requests.

    def _request(self, path: str, **query: str) -> Request:
        text = f"?{urlencode(query)}" if query else ""
        return Request(f"{self._rest}{path}{text}", headers=self._headers)

    def instrument_requests(self) -> list[Request]:
        types = [TYPES[self._market]] if self._market else ["SPOT", "SWAP", "FUTURES"]
        families = self._families or (FAMILIES if self._market == "option" else ())
        return [
            *(self._request("public/instruments", instType=type) for type in types if type != "OPTION"),
            *(self._request(BANDS, instType="OPTION", instFamily=family) for family in families),
        ]

    def next_request(self, request: Request, body: bytes) -> Request | None:
        """Ask for the options of a family once its tick bands have come."""
        path, _, query = request.url.partition("?")
        if not path.endswith(BANDS):
            return None
        return self._request("public/instruments", **{name: values[0] for name, values in parse_qs(query).items()})

    def time_request(self) -> Request:
        return self._request("public/time")

    def server_time_ns(self, body: bytes) -> int:
        try:
            text = _TIMES.decode(body).data[0].ts
        except (msgspec.MsgspecError, UnicodeError, IndexError, RecursionError) as error:
            raise InputError(f"okx time: should be an answer with data[0].ts, {error}") from None
        if not (text.isascii() and text.isdigit() and len(text) <= 13):
            raise InputError(f"okx time: ts should be a time in milliseconds, was {text[:40]!r}")
        return int(text) * 1_000_000

    def trouble(self, status: int, headers: Mapping[str, str], body: bytes) -> Trouble | None:
        if status in (418, 451):
            return None
        try:
            told = _TOLD.decode(body)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            told = _Told()
        text = f"code {told.code[:20]}: {told.msg[:200]}" if told.code else f"HTTP {status}"
        if status == 429 or told.code == "50011":
            wait = headers.get("retry-after", "")
            asked = int(wait) * SECOND if wait.isascii() and wait.isdigit() and len(wait) < 6 else 0
            return Trouble("retry", text, max(asked, WINDOW_NS))
        if told.code in ("", "0"):
            return None
        if told.code in RETRY:
            return Trouble("retry", text)
        return Trouble("final", text)


def _operation(word: str, streams: Sequence[Stream], request: int) -> bytes:
    return msgspec.json.encode({"id": str(request), "op": word, "args": [argument(stream.name) for stream in streams]})


def argument(name: str) -> dict[str, str]:
    """Return the object that subscribes the stream *name*."""
    channel, _, value = name.partition(":")
    if not value:
        return {"channel": channel}
    key = "instType" if channel in BY_TYPE else "instFamily" if channel in BY_FAMILY else "instId"
    return {"channel": channel, key: value}


def _name(arg: _Arg) -> str:
    value = arg.instId or arg.instFamily or arg.uly or arg.instType
    return f"{arg.channel}:{value}" if value else arg.channel
