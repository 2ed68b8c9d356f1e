"""How Bybit's public connections are opened, subscribed, kept alive and read; its HTTP requests and their errors.

Source: Bybit v5 documentation (connect, rate limits, error codes), third quarter of 2026.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote, urlsplit

import msgspec

from quotewright.errors import ConfigError, InputError
from quotewright.feed import SECOND, Stream
from quotewright.wire import (
    Acknowledged,
    Control,
    KeepAlive,
    Pong,
    Refused,
    Request,
    Told,
    Trouble,
    Window,
    Wire,
    WireLimits,
)
from quotewright_plugins.exchanges.bybit.detection import CATEGORIES

if TYPE_CHECKING:
    from quotewright.live.settings import LiveSettings

HOSTS = {
    "production": ("wss://stream.bybit.com", "https://api.bybit.com"),
    "testnet": ("wss://stream-testnet.bybit.com", "https://api-testnet.bybit.com"),
    "demo": ("wss://stream.bybit.com", "https://api-demo.bybit.com"),
}
"""Addresses of streams and requests by environment; the demo has no public streams of its own."""
OPTION_COINS = ("BTC", "ETH", "SOL", "XRP", "MNT", "DOGE")
"""Options are listed coin by coin, BTC's alone if none is asked for."""
BANNED_NS = 600 * SECOND
ARGS_LENGTH = 21_000
_TOPIC_LENGTH = 43  # the longest topic of an option, quoted, with its comma

AUTH_ERRORS = frozenset({10003, 10004, 10005, 10007, 10010, 33004})
RATE_ERRORS = frozenset({10006, 10018, 10429, 20003, 170222})
UNKNOWN_OUTCOME = frozenset({10000, 10016, 10019})
_RETRY_LEAST = SECOND
_RETRY_MOST = 60 * SECOND
_REFUSED_TOPIC = re.compile(r"topic:\s*([A-Za-z0-9._\-]+)")


class _Topics(msgspec.Struct):
    failTopics: list[str] = []
    successTopics: list[str] = []


class _Reply(msgspec.Struct):
    """The answer to one of our frames, of whatever product."""

    op: str = ""
    type: str = ""
    success: bool | None = None
    ret_msg: str = ""
    retCode: int = 0
    retMsg: str = ""
    req_id: str | int = ""
    data: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class _Result(msgspec.Struct):
    nextPageCursor: str | None = None
    timeNano: str = ""
    timeSecond: str = ""


class _Answer(msgspec.Struct):
    retCode: int = 0
    retMsg: str = ""
    time: int = 0
    result: _Result = msgspec.field(default_factory=_Result)


class _Verdict(msgspec.Struct):
    retCode: int = 0
    retMsg: str = ""
    time: int = 0


_REPLY = msgspec.json.Decoder(_Reply)
_TOPICS = msgspec.json.Decoder(_Topics)
_ANSWER = msgspec.json.Decoder(_Answer)
_VERDICT = msgspec.json.Decoder(_Verdict)
_UNREADABLE = (msgspec.MsgspecError, RecursionError, UnicodeError)


class BybitWire(Wire):
    """One market of Bybit; *symbols* are those followed (their coins tell which options are listed)."""

    venue = "bybit"
    data_mark = b',"type"'
    keep_alive = KeepAlive(every_ns=20 * SECOND, frame=b'{"op":"ping"}', answer_ns=10 * SECOND, silence_ns=40 * SECOND)

    def __init__(self, market: str, live: LiveSettings | None = None, symbols: Iterable[str] = ()) -> None:
        if market not in CATEGORIES:
            raise ConfigError(f"bybit: market should be one of {', '.join(CATEGORIES)}, was {market!r}")
        environment = live.environment if live is not None else "production"
        if environment not in HOSTS:
            raise ConfigError(f"bybit: environment should be one of {', '.join(HOSTS)}, was {environment!r}")
        self.market = market
        self.symbols = symbols
        websocket, rest = HOSTS[environment]
        self.websocket = ((live.websocket if live is not None else "") or websocket).rstrip("/")
        self.rest = ((live.rest if live is not None else "") or rest).rstrip("/")
        self.limits = WireLimits(
            connects=(Window("connections", 500, 300 * SECOND),),
            connections=1_000,
            streams_per_connection=ARGS_LENGTH // _TOPIC_LENGTH,
            # A single bad topic fails the whole message, except for options, which answer topic by topic.
            streams_per_request=100 if market == "option" else 10,
            bytes_per_request=ARGS_LENGTH,
            requests=(Window("requests", 600, 5 * SECOND),),
        )

    # Sockets.

    def address(self, category: str, streams: Sequence[Stream]) -> str:
        return f"{self.websocket}/v5/public/{category or self.market}"

    def subscribe(self, streams: Sequence[Stream], request: int) -> list[bytes]:
        return [_frame("subscribe", streams, request)]

    def unsubscribe(self, streams: Sequence[Stream], request: int) -> list[bytes]:
        return [_frame("unsubscribe", streams, request)]

    def control(self, frame: bytes) -> Control | None:
        if frame.find(b'"topic"', 0, 256) >= 0:
            return None
        try:
            reply = _REPLY.decode(frame)
            if reply.op == "pong" or reply.op == "ping":
                return Pong()
            if reply.type == "COMMAND_RESP":
                return _by_topic(reply)
        except _UNREADABLE:
            return None
        text = reply.ret_msg or reply.retMsg
        if reply.success is False or reply.retCode:
            return _refusal(reply, text)
        if reply.op in ("subscribe", "unsubscribe") and reply.success:
            return Acknowledged((), _number(reply.req_id))
        return None

    def stream_of(self, frame: bytes) -> str:
        start = frame.find(b'"topic":"', 0, 256) + 9
        if start < 9:
            return ""
        return frame[start : frame.find(b'"', start)].decode("utf-8", "replace")

    # Requests.

    def instrument_requests(self) -> list[Request]:
        url = f"{self.rest}/v5/market/instruments-info?category={self.market}"
        if self.market == "spot":
            return [Request(url)]
        if self.market != "option":
            return [Request(f"{url}&limit=1000"), Request(f"{url}&limit=1000&status=PreLaunch")]
        coins = dict.fromkeys((*OPTION_COINS, *(symbol.partition("-")[0] for symbol in self.symbols)))
        return [Request(f"{url}&limit=1000&baseCoin={quote(coin, safe='')}") for coin in coins]

    def next_request(self, request: Request, body: bytes) -> Request | None:
        try:
            cursor = _ANSWER.decode(body).result.nextPageCursor
        except _UNREADABLE as error:
            raise InputError(f"{request.url}: the page should name nextPageCursor, {error}") from None
        if not cursor:
            return None
        parts = urlsplit(request.url)
        kept = [part for part in parts.query.split("&") if part and not part.startswith("cursor=")]
        # The cursor comes percent-encoded already; what it holds is sent back as it came.
        encoded = cursor if "%" in cursor else quote(cursor, safe="")
        if f"cursor={encoded}" in parts.query.split("&"):
            raise InputError(f"{request.url}: the page names itself as the next one")
        return Request(parts._replace(query="&".join([*kept, f"cursor={encoded}"])).geturl())

    def time_request(self) -> Request | None:
        return Request(f"{self.rest}/v5/market/time")

    def server_time_ns(self, body: bytes) -> int:
        try:
            result = _ANSWER.decode(body).result
        except _UNREADABLE as error:
            raise InputError(f"bybit time: should be an answer with result.timeNano, {error}") from None
        for text, scale in ((result.timeNano, 1), (result.timeSecond, SECOND)):
            if text.isascii() and text.isdigit() and len(text) <= 19:
                return int(text) * scale
        raise InputError(f"bybit time: result.timeNano should be nanoseconds, was {result.timeNano[:40]!r}")

    def trouble(self, status: int, headers: Mapping[str, str], body: bytes) -> Trouble | None:
        """Return what an answer means: errors come with HTTP 200 and a ``retCode``; 403 is the limit of the address."""
        if status == 403:
            return _forbidden(body)
        if status in (401, 404):
            text = "the key or its headers are missing" if status == 401 else "no such path, or not for this account"
            return Trouble("final", f"bybit answers {status}: {text}")
        if status != 200:
            return None
        try:
            verdict = _VERDICT.decode(body)
        except _UNREADABLE:
            return None
        code = verdict.retCode
        if not code:
            return None
        text = f"bybit answers code {code}: {verdict.retMsg[:200] or 'no text'}"
        if code in RATE_ERRORS:
            return Trouble("retry", text, _wait(headers, verdict.time))
        if code == 10002:
            return Trouble("retry", f"{text} (the clock here differs from the venue's)")
        if code in UNKNOWN_OUTCOME:
            return Trouble("unknown", text)
        return Trouble("final", text)


def _frame(op: Literal["subscribe", "unsubscribe"], streams: Sequence[Stream], request: int) -> bytes:
    args = [stream.name for stream in streams]
    return json.dumps({"op": op, "req_id": str(request), "args": args}, separators=(",", ":")).encode()


def _number(text: str | int) -> int:
    return int(text) if isinstance(text, int) or (text.isascii() and text.isdigit() and len(text) < 19) else -1


def _by_topic(reply: _Reply) -> Control:
    """Read the answer of the options' endpoint, which tells topic by topic; a refusal goes before what is served."""
    if isinstance(reply.data, msgspec.UnsetType):
        return Acknowledged((), _number(reply.req_id))
    topics = _TOPICS.decode(reply.data)
    if topics.failTopics:
        text = reply.ret_msg or "not served"
        return Refused(tuple(topics.failTopics), _number(reply.req_id), "", text[:200], True)
    return Acknowledged(tuple(topics.successTopics), _number(reply.req_id))


def _refusal(reply: _Reply, text: str) -> Control | None:
    code = reply.retCode
    shown = text[:200] or "no text"
    if reply.op == "auth" or code in AUTH_ERRORS:
        return Told(str(code or "auth"), shown, True)
    found = _REFUSED_TOPIC.search(text)
    topics = (found.group(1),) if found else ()
    if reply.op == "unsubscribe":
        return Acknowledged((), _number(reply.req_id))  # it is not served, which is what was asked for
    if reply.op == "subscribe":
        if "already subscribed" in text:
            return Acknowledged(topics, _number(reply.req_id))
        is_final = code not in RATE_ERRORS and code not in UNKNOWN_OUTCOME and "too many" not in text.lower()
        return Refused(topics, _number(reply.req_id), str(code or ""), shown, is_final)
    return Told(str(code or ""), shown)


def _forbidden(body: bytes) -> Trouble:
    text = body[:4096].decode("utf-8", "replace").lower()
    if "country" in text or "region" in text or "block access" in text:
        return Trouble("final", "bybit answers 403: it does not serve this country; name another host with 'rest'")
    return Trouble(
        "banned",
        "bybit answers 403: more than 600 requests in 5 s from this address; silence for ten minutes",
        BANNED_NS,
    )


def _wait(headers: Mapping[str, str], now_ms: int) -> int:
    """Return how long until the limit is reset, by the venue's own clock: at least a second, at most a minute."""
    text = headers.get("x-bapi-limit-reset-timestamp", "")
    if not (text.isascii() and text.isdigit() and len(text) <= 16 and now_ms):
        return _RETRY_LEAST
    return min(max((int(text) - now_ms) * 1_000_000, _RETRY_LEAST), _RETRY_MOST)
