"""How Binance's public connections are opened, subscribed, kept alive and read; its HTTP requests and their errors.

Sources: Binance documentation of spot (web-socket-streams, rest-api), USD-M futures (the change notice of the base
addresses of 2026), COIN-M futures and options, third quarter of 2026.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING
from urllib.parse import quote

import attrs
import msgspec

from quotewright.errors import ConfigError, InputError
from quotewright.feed import MINUTE, SECOND, Channel, Stream
from quotewright.wire import (
    Acknowledged,
    Closing,
    Control,
    KeepAlive,
    Poll,
    Reaction,
    Refused,
    Request,
    Told,
    Trouble,
    Window,
    Wire,
    WireLimits,
)

if TYPE_CHECKING:
    from quotewright.live.settings import LiveSettings

PUBLIC, MARKET = "public", "market"
"""Categories of the streams of USD-M futures and options: books and best quotes, and everything else."""


@attrs.frozen(kw_only=True)
class _Market:
    """What one market's interface is like."""

    hosts: Mapping[str, tuple[str, str]]
    """Addresses of streams and of requests by environment."""
    api: str
    weight: int
    """Weight of requests in a minute."""
    messages: int
    """Frames that one connection may send in a second, pongs included."""
    ping_ns: int
    """How often the venue sends a ping."""
    snapshots: tuple[tuple[int, int], ...]
    """Levels of a snapshot and what such a request weighs."""
    listing_weight: int
    speeds: tuple[str, ...]
    """Paces of the book's stream; the one that is named by no word first."""
    depths: tuple[int, ...]
    streams: int = 1024


_FUTURES_WEIGHTS = ((5, 2), (10, 2), (20, 2), (50, 2), (100, 5), (500, 10), (1000, 20))

MARKETS: Mapping[str, _Market] = {
    "spot": _Market(
        hosts={
            "production": ("wss://stream.binance.com:9443", "https://api.binance.com"),
            "testnet": ("wss://stream.testnet.binance.vision", "https://testnet.binance.vision"),
            "demo": ("wss://demo-stream.binance.com", "https://demo-api.binance.com"),
        },
        api="/api/v3",
        weight=6000,
        messages=5,
        ping_ns=20 * SECOND,
        snapshots=((100, 5), (500, 25), (1000, 50), (5000, 250)),
        listing_weight=20,
        speeds=("1000ms", "100ms"),
        depths=(5, 10, 20),
    ),
    "usdm": _Market(
        hosts={
            "production": ("wss://fstream.binance.com", "https://fapi.binance.com"),
            "testnet": ("wss://fstream.binancefuture.com", "https://testnet.binancefuture.com"),
            "demo": ("wss://demo-fstream.binance.com", "https://demo-fapi.binance.com"),
        },
        api="/fapi/v1",
        weight=2400,
        messages=10,
        ping_ns=3 * MINUTE,
        snapshots=_FUTURES_WEIGHTS,
        listing_weight=1,
        speeds=("250ms", "100ms", "500ms", "0ms"),
        depths=(5, 10, 20),
    ),
    "coinm": _Market(
        hosts={
            "production": ("wss://dstream.binance.com", "https://dapi.binance.com"),
            "testnet": ("wss://dstream.binancefuture.com", "https://testnet.binancefuture.com"),
            "demo": ("wss://demo-dstream.binance.com", "https://demo-dapi.binance.com"),
        },
        api="/dapi/v1",
        weight=2400,
        messages=10,
        ping_ns=3 * MINUTE,
        snapshots=_FUTURES_WEIGHTS,
        listing_weight=1,
        speeds=("250ms", "100ms", "500ms", "0ms"),
        depths=(5, 10, 20),
        streams=200,
    ),
    "option": _Market(
        hosts={
            "production": ("wss://fstream.binance.com", "https://eapi.binance.com"),
            "testnet": ("wss://fstream.binancefuture.com", "https://testnet.binancefuture.com"),
            "demo": ("wss://fstream.binancefuture.com", "https://testnet.binancefuture.com"),
        },
        api="/eapi/v1",
        weight=2400,
        messages=10,
        ping_ns=3 * MINUTE,
        snapshots=((10, 2), (20, 2), (50, 2), (100, 5), (500, 10), (1000, 20)),
        listing_weight=1,
        speeds=("500ms", "100ms"),
        depths=(5, 10, 20),
        streams=200,
    ),
}
FEW_STREAMS = 200
"""Streams in one subscribing frame."""
INTEREST_EVERY_NS = MINUTE
BLOCKED_NS = 5 * MINUTE
CLOSING_NS = MINUTE
"""How soon after ``serverShutdown`` a connection is taken to end; the venue does not say."""

_PREFIX = b'{"stream":"'
_SHUTDOWN = b'{"stream":"!serverShutdown"'
_FINAL_CODES = frozenset({0, 1, 2, 3})
_UNREADABLE = (msgspec.MsgspecError, RecursionError, UnicodeError)


class _Error(msgspec.Struct):
    code: int = 0
    msg: str = ""


class _Reply(msgspec.Struct):
    """The answer to one of our frames, or an event without an envelope."""

    e: str = ""
    id: int | str | None = None
    result: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    code: int | None = None
    msg: str = ""
    error: _Error | None = None


class _Verdict(msgspec.Struct):
    code: int = 0
    msg: str = ""


class _Time(msgspec.Struct):
    serverTime: int


_REPLY = msgspec.json.Decoder(_Reply)
_VERDICT = msgspec.json.Decoder(_Verdict)
_TIME = msgspec.json.Decoder(_Time)


def streams_of(
    market: str, symbols: Iterable[str], channels: Iterable[str] | None, depth: int = 0, speed: str = ""
) -> list[Stream]:
    """Return the streams that carry *channels* (None: all there are) of *symbols*, books first."""
    symbols = list(symbols)
    known = MARKETS[market]
    speed = speed or "100ms"
    if speed not in known.speeds:
        raise ConfigError(f"binance {market}: speed should be one of {', '.join(known.speeds)}, was {speed!r}")
    if market == "option":
        depth = depth or 20
    if depth and depth not in known.depths:
        raise ConfigError(
            f"binance {market}: depth should be 0 or one of {', '.join(map(str, known.depths))}, was {depth}"
        )
    pace = "" if speed == known.speeds[0] and market != "option" else f"@{speed}"
    wanted = None if channels is None else set(channels)
    public, other = (PUBLIC, MARKET) if market in ("usdm", "option") else ("", "")
    streams: list[Stream] = []

    def add(channel: Channel, category: str, word: str, names: Iterable[str]) -> None:
        if wanted is None or channel in wanted:
            for name in names:
                symbol = name if name in symbols else ""
                streams.append(Stream(f"{name.lower()}@{word}", symbol, channel, category))

    add("book", public, f"depth{depth or ''}{pace}", symbols)
    add("best", public, "bookTicker", symbols)
    if market == "spot":
        add("trades", "", "trade", symbols)
    elif market == "option":
        if wanted is not None and "reference" in wanted:
            wanted.add("options")
        underlyings = dict.fromkeys(symbol.partition("-")[0] + "USDT" for symbol in symbols)
        add("trades", public, "optionTrade", symbols)
        add("options", other, "optionMarkPrice", underlyings)
        add("options", public, "optionTicker", symbols)
        expiries = dict.fromkeys(tuple(symbol.split("-")[:2]) for symbol in symbols if symbol.count("-") == 3)
        for base, day in expiries:
            add("options", other, f"optionOpenInterest@{day}", [base + "USDT"])
        if symbols and (wanted is None or "status" in wanted):
            streams.append(Stream("!optionSymbol", "", "status", other))
    else:
        add("trades", other, "aggTrade", symbols)
        add("reference", other, "markPrice@1s", symbols)
        if market == "coinm":
            add("reference", other, "indexPrice@1s", dict.fromkeys(symbol.partition("_")[0] for symbol in symbols))
        add("liquidations", other, "forceOrder", symbols)
        if symbols and (wanted is None or "status" in wanted):
            streams.append(Stream("!contractInfo", "", "status", other))
    return streams


class BinanceWire(Wire):
    """One market of Binance in one environment.

    Args:
        market: spot, usdm, coinm or option.
        live: Environment, addresses and channels; None: production, everything.
        snapshot_levels: Levels of a side that a snapshot asks for; the next amount that the market offers is taken.
    """

    venue = "binance"
    data_mark = b'"data"'

    def __init__(self, market: str, live: LiveSettings | None = None, snapshot_levels: int = 1000) -> None:
        known = MARKETS.get(market)
        if known is None:
            raise ConfigError(f"binance: market should be one of {', '.join(MARKETS)}, was {market!r}")
        environment = live.environment if live is not None else "production"
        if environment not in known.hosts:
            raise ConfigError(f"binance: environment should be one of {', '.join(known.hosts)}, was {environment!r}")
        websocket, rest = known.hosts[environment]
        self.market = market
        self.websocket = _root((live.websocket if live is not None else "") or websocket)
        self.rest = ((live.rest if live is not None else "") or rest).rstrip("/").removesuffix(known.api) + known.api
        self._snapshot = next((pair for pair in known.snapshots if pair[0] >= snapshot_levels), known.snapshots[-1])
        self._listing_weight = known.listing_weight
        self._polls = market in ("usdm", "coinm") and (live is None or "reference" in live.channels)
        self.limits = WireLimits(
            connects=(Window("new connections", 300, 5 * MINUTE),),
            streams_per_connection=known.streams,
            streams_per_request=FEW_STREAMS,
            # One is left for the pongs, which count too.
            sends=(Window("messages", known.messages - 1, SECOND),),
            requests=(Window("request weight", known.weight, MINUTE),),
            life_ns=24 * 60 * MINUTE,
        )
        # The venue pings; the transport answers. Two pings that did not come mean that the peer is gone.
        self.keep_alive = KeepAlive(silence_ns=2 * known.ping_ns)

    # Sockets.

    def address(self, category: str, streams: Sequence[Stream]) -> str:
        return f"{self.websocket}/{category}/stream" if category else f"{self.websocket}/stream"

    def subscribe(self, streams: Sequence[Stream], request: int) -> list[bytes]:
        return [_frame("SUBSCRIBE", streams, request)]

    def unsubscribe(self, streams: Sequence[Stream], request: int) -> list[bytes]:
        return [_frame("UNSUBSCRIBE", streams, request)]

    def control(self, frame: bytes) -> Control | None:
        if frame.startswith(_PREFIX) and not frame.startswith(_SHUTDOWN):
            return None
        if frame.startswith(_SHUTDOWN):
            return Closing("the venue shuts this server down", CLOSING_NS)
        try:
            reply = _REPLY.decode(frame)
        except _UNREADABLE:
            return None
        if reply.e:
            return Closing("the venue shuts this server down", CLOSING_NS) if reply.e == "serverShutdown" else None
        code, text = (reply.error.code, reply.error.msg) if reply.error is not None else (reply.code, reply.msg)
        if code is not None:
            shown = text[:200] or "no text"
            request = _number(reply.id)
            if request < 0:
                return Told(str(code), shown)
            return Refused((), request, str(code), shown, code in _FINAL_CODES)
        if reply.result is not msgspec.UNSET and bytes(reply.result) == b"null":
            return Acknowledged((), _number(reply.id))
        return None

    def stream_of(self, frame: bytes) -> str:
        if not frame.startswith(_PREFIX):
            return ""
        return frame[11 : frame.find(b'"', 11)].decode("utf-8", "replace")

    def reaction(self, code: int, reason: str) -> Reaction | None:
        text = reason.lower()
        if code == 1008 and "pong" in text:
            return Reaction("again", "the venue had no pong from us in time")
        if code == 1008 and ("too many" in text or "limit" in text):
            return Reaction("later", "we have sent more than the venue takes", MINUTE)
        return None

    # Requests.

    def instrument_requests(self) -> list[Request]:
        return [Request(f"{self.rest}/exchangeInfo", weight=self._listing_weight)]

    def snapshot_request(self, symbol: str) -> Request | None:
        levels, weight = self._snapshot
        return Request(f"{self.rest}/depth?symbol={quote(symbol, safe='')}&limit={levels}", weight=weight)

    def polls(self, symbols: Sequence[str]) -> list[Poll]:
        """Return the requests for open interest, which futures have no stream for."""
        if not self._polls:
            return []
        url = f"{self.rest}/openInterest?symbol="
        return [Poll(Request(url + quote(symbol, safe="")), INTEREST_EVERY_NS) for symbol in symbols]

    def time_request(self) -> Request | None:
        return Request(f"{self.rest}/time")

    def server_time_ns(self, body: bytes) -> int:
        try:
            told = _TIME.decode(body).serverTime
        except _UNREADABLE as error:
            raise InputError(f"binance time: should be an answer with serverTime, {error}") from None
        if not 0 < told < 9_200_000_000_000:
            raise InputError(f"binance time: serverTime should be milliseconds, was {told}")
        return told * 1_000_000

    def trouble(self, status: int, headers: Mapping[str, str], body: bytes) -> Trouble | None:
        """Return what is Binance's own: 418, 429 and ``banned until`` mean what they mean everywhere."""
        verdict = _verdict(body)
        code = verdict.code
        text = f"binance answers {status}, code {code}: {verdict.msg[:200] or 'no text'}"
        if status == 451:
            hosts = (
                "; market data alone is served by rest = https://data-api.binance.vision and "
                "websocket = wss://data-stream.binance.vision"
                if self.market == "spot"
                else "; if you may use another host, set the keys 'rest' and 'websocket' of the feed"
            )
            return Trouble("final", f"binance answers 451: it does not serve this region{hosts}", BLOCKED_NS)
        if status == 403:
            return Trouble(
                "final",
                "binance answers 403: its firewall refuses this address for now; nothing is asked for minutes",
                BLOCKED_NS,
            )
        if status in (418, 429) or not code:
            return None
        if code == -1003:
            if "banned until" in verdict.msg:
                return None if status >= 400 else _banned(verdict.msg, headers, text)
            return Trouble("retry", text, MINUTE)
        if code == -1021:
            return Trouble("retry", f"{text} (the clock here differs from the venue's)")
        if code == -1008:
            return Trouble("retry", text)
        if code in (-2014, -2015):
            return Trouble("final", text)
        return Trouble("final", text) if status < 500 and code < 0 else None


def _banned(message: str, headers: Mapping[str, str], text: str) -> Trouble:
    from quotewright.live.retry import ban_ns

    return Trouble("banned", text, ban_ns(headers, message.encode(), 0))


def _verdict(body: bytes) -> _Verdict:
    if not body[:64].lstrip().startswith(b'{"code"') and b'"code"' not in body[:200]:
        return _Verdict()
    try:
        return _VERDICT.decode(body)
    except _UNREADABLE:
        return _Verdict()


def _root(address: str) -> str:
    """Return where streams are served, whatever path was given."""
    address = address.rstrip("/")
    for path in ("/stream", "/ws", "/public", "/market"):
        address = address.removesuffix(path)
    return address


def _frame(method: str, streams: Sequence[Stream], request: int) -> bytes:
    params = [stream.name for stream in streams]
    text = json.dumps({"method": method, "params": params, "id": request}, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


def _number(id: int | str | None) -> int:
    if isinstance(id, int):
        return id
    return int(id) if id and id.isascii() and id.isdigit() and len(id) < 19 else -1
