"""The feed of a tardis-machine server: live or replayed, normalised or as the exchange's own streams."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from quotewright.errors import ConfigError
from quotewright.feed import Channel, FeedAdapter, Stream
from quotewright.fetching.retry import Key
from quotewright.fetching.times import Span, iso
from quotewright.live.settings import LiveSettings
from quotewright.plugin.settings import at_least, configured, one_of, setting
from quotewright.wire import Control, KeepAlive, Reaction, Request, Told, Wire, WireLimits
from quotewright_plugins.importers.venues import market_of
from quotewright_plugins.tardis.adapter import NormalisedAdapter
from quotewright_plugins.tardis.instruments import MOST_DECIMALS, described, from_symbols

if TYPE_CHECKING:
    from quotewright.model.instrument import Instrument
    from quotewright.plugin.registry import PluginSet

SECOND = 1_000_000_000
TYPES: dict[str, tuple[Channel, ...]] = {
    "book_change": ("book",),
    "trade": ("trades",),
    "book_ticker": ("best",),
    "derivative_ticker": ("reference",),
    "liquidation": ("liquidations",),
    "option_summary": ("options",),
}
"""Normalised data types in the order in which they are asked for, and the channel each is."""
HEAD = re.compile(rb'\{"type":"([a-z_]+)","symbol":"([^"\\]+)"')
MODES = ("stream-normalized", "replay-normalized", "replay")


class Hidden(str):
    """Text that is sent but not shown."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'…'"


@configured
class TardisFeed(LiveSettings):
    """Config keys of ``[feeds.X]`` with ``plugin = "tardis"``: a tardis-machine server."""

    exchange: str = setting(doc="the exchange as Tardis calls it, such as binance-futures")
    symbols: tuple[str, ...] = setting(default=(), doc="instruments as the exchange calls them, where no key is given")
    mode: str = setting(
        default="stream-normalized",
        doc="stream-normalized (live), replay-normalized, or replay (the exchange's own messages)",
        check=one_of(*MODES),
    )
    begin: str = setting(default="", doc="where a replay begins, in UTC: 2026-03-01 or 2026-03-01T00:05Z")
    end: str = setting(default="", doc="where it ends; this very time is not part of it")
    session: str = setting(default="", doc="replays of one session name run together")
    key: str = setting(default="env:TARDIS_API_KEY", doc="the variable with the key for instruments' metadata")
    decimals: int = setting(default=9, doc="decimals of prices and sizes without metadata", check=at_least(0))


class MachineAdapter(NormalisedAdapter):
    """Normalised messages from a server, with what the live runtime needs to ask for them."""

    def __init__(self, settings: TardisFeed, span: Span | None) -> None:
        super().__init__(settings.exchange)
        self.settings = self.live = settings
        self.span = span
        self.key = Key.read(settings.key, os.environ)

    def streams(self) -> list[Stream]:
        types = [(name, channel) for name, (channel,) in TYPES.items() if channel in self.settings.channels]
        return [
            Stream(f"{name}:{symbol}", symbol, channel) for name, channel in types for symbol in sorted(self.subscribed)
        ]

    def wire(self) -> MachineWire:
        return MachineWire(self.settings, self.span, self.key)

    def instruments(self, body: bytes) -> list[Instrument]:
        if body.lstrip()[:1] == b"[":
            return described(body.strip(), self.guess_instrument)
        if not self.settings.symbols:
            raise ConfigError(
                f"the feed of {self.settings.exchange} needs symbols = […], or a key in {self.key.origin}, to know its "
                "instruments"
            )
        return from_symbols(self.settings.symbols, self.guess_instrument, min(self.settings.decimals, MOST_DECIMALS))


class _Machine(Wire):
    """What all of a server's sockets have in common: no acknowledgements, a ping every 30 s, its own close codes."""

    venue = "tardis"
    limits = WireLimits(connections=0)
    keep_alive = KeepAlive(every_ns=20 * SECOND, silence_ns=60 * SECOND)

    def __init__(self, settings: TardisFeed) -> None:
        self.settings = settings
        self.socket = settings.websocket or "ws://localhost:8001"
        self.http = settings.rest or "http://localhost:8000"

    def reaction(self, code: int, reason: str) -> Reaction | None:
        if code == 1000 and "finished" in reason:
            return Reaction("never", "the replay is over")
        if code == 1008:
            return Reaction("later", f"the server closed the connection: {reason or 'too slow, or no such path'}")
        if code == 1011:
            return Reaction("later", f"the server gave up: {reason or 'an error of its own'}")
        return None


class MachineWire(_Machine):
    """Normalised streams: the address asks for them, no frame does."""

    def __init__(self, settings: TardisFeed, span: Span | None, key: Key) -> None:
        super().__init__(settings)
        self.span = span
        self.key = key

    def address(self, category: str, streams: Sequence[Stream]) -> str:
        types = [name for name in TYPES if any(stream.name.startswith(f"{name}:") for stream in streams)]
        options: dict[str, Any] = {
            "exchange": self.settings.exchange,
            "symbols": sorted({stream.symbol for stream in streams}),
            "dataTypes": types,
            "withDisconnectMessages": True,
        }
        path = "ws-stream-normalized"
        if self.span is not None:
            path = "ws-replay-normalized"
            options |= {"from": iso(self.span.from_ns), "to": iso(self.span.to_ns)}
        else:
            options |= {"withErrorMessages": True, "timeoutIntervalMS": 10_000}
        return f"{self.socket}/{path}?" + urlencode({"options": json.dumps(options, separators=(",", ":"))})

    def subscribe(self, streams: Sequence[Stream], request: int) -> list[bytes]:
        return []

    def unsubscribe(self, streams: Sequence[Stream], request: int) -> list[bytes]:
        return []

    def control(self, frame: bytes) -> Control | None:
        if frame.startswith(b'{"type":"error"'):
            return Told("error", frame[:200].decode("utf-8", "replace"))
        return None

    def stream_of(self, frame: bytes) -> str:
        found = HEAD.match(frame)
        return f"{found[1].decode()}:{found[2].decode('utf-8', 'replace')}" if found else ""

    def instrument_requests(self) -> list[Request]:
        if not self.key:
            return [Request(f"{self.http}/health-check")]
        url = "https://api.tardis.dev/v1/instruments/" + quote(self.settings.exchange, safe="")
        return [Request(url, headers={"authorization": Hidden(f"Bearer {self.key.value}")})]


class ReplayWire(_Machine):
    """``/ws-replay``: the exchange's own streams, asked for by its own frames; nothing is acknowledged."""

    def __init__(self, settings: TardisFeed, span: Span, inner: Wire) -> None:
        super().__init__(settings)
        self.span = span
        self.inner = inner
        self.limits = WireLimits(
            streams_per_request=inner.limits.streams_per_request, bytes_per_request=inner.limits.bytes_per_request
        )

    def address(self, category: str, streams: Sequence[Stream]) -> str:
        query = {"exchange": self.settings.exchange, "from": iso(self.span.from_ns), "to": iso(self.span.to_ns)}
        if self.settings.session:
            query["session"] = self.settings.session
        return f"{self.socket}/ws-replay?" + urlencode(query)

    def subscribe(self, streams: Sequence[Stream], request: int) -> list[bytes]:
        return [plain_args(frame) for frame in self.inner.subscribe(streams, request)]

    def unsubscribe(self, streams: Sequence[Stream], request: int) -> list[bytes]:
        return []

    def control(self, frame: bytes) -> Control | None:
        return self.inner.control(frame)

    def stream_of(self, frame: bytes) -> str:
        return self.inner.stream_of(frame)

    def instrument_requests(self) -> list[Request]:
        return self.inner.instrument_requests()

    def next_request(self, request: Request, body: bytes) -> Request | None:
        return self.inner.next_request(request, body)


def plain_args(frame: bytes) -> bytes:
    """Return a subscribing frame with OKX's objects as the strings that a server understands: ``books:BTC-USDT``."""
    if b'"args"' not in frame or b'"channel"' not in frame:
        return frame
    asked = json.loads(frame)
    args = []
    for arg in asked["args"]:
        name = arg.get("instId") or arg.get("instFamily") or arg.get("instType") if isinstance(arg, dict) else ""
        args.append((f"{arg['channel']}:{name}" if name else arg["channel"]) if isinstance(arg, dict) else arg)
    return json.dumps({**asked, "args": args}, separators=(",", ":")).encode()


class _Factory:
    config_model = TardisFeed

    def __call__(self, settings: TardisFeed) -> FeedAdapter:
        span = None
        if settings.mode != "stream-normalized":
            if not settings.begin:
                raise ConfigError('a replay needs its beginning: begin = "2026-03-01"')
            span = Span.parse(settings.begin, settings.end)
        elif settings.begin or settings.end:
            raise ConfigError('a live stream has neither begin nor end; for a replay set mode = "replay-normalized"')
        if settings.mode == "replay":
            assert span is not None
            return replayed(settings, span)
        return MachineAdapter(settings, span)


def replayed(settings: TardisFeed, span: Span, plugins: PluginSet | None = None) -> FeedAdapter:
    """Return the exchange's own adapter, connected to a server's replay."""
    if plugins is None:
        from quotewright.plugin.registry import PluginSet

        plugins = PluginSet.discover(strict=False)
    venue, market = market_of(settings.exchange, plugins)
    table: dict[str, Any] = {"plugin": venue, "channels": list(settings.channels), "answer_timeout": "24h"}
    if market:
        table["market"] = market
    adapter: FeedAdapter = plugins.build("feed_adapters", table)
    wire: Wire = ReplayWire(settings, span, adapter.wire())
    adapter.wire = lambda: wire  # type: ignore[method-assign]
    return adapter


tardis_feed = _Factory()
