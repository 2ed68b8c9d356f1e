"""The feed ``holysheep``: sockets in dialects A, B and C, requests for books and trades, pages of dialect D.

Unverified: everything here follows articles that contradict each other; no service was asked.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import msgspec

from quotewright.errors import ConfigError, InputError
from quotewright.feed import Stream
from quotewright.fetching.client import HttpClient
from quotewright.fetching.paging import Ask, TimeCursor
from quotewright.fetching.retry import Key
from quotewright.live.settings import LiveSettings
from quotewright.plugin.settings import at_least, configured, one_of, setting
from quotewright.wire import KeepAlive, Request, Trouble, Wire, WireLimits
from quotewright_plugins.holysheep.adapter import HolySheepAdapter
from quotewright_plugins.tardis.feed import Hidden

SECOND = 1_000_000_000
BASE = "https://api.holysheep.ai/v1"
HISTORY = "https://api.tardis.dev/v1/historical"
RAW_LIST = msgspec.json.Decoder(list[msgspec.Raw])


@configured
class HolySheepFeed(LiveSettings):
    """Config keys of ``[feeds.X]`` with ``plugin = "holysheep"``. Unverified: the relay is known from articles only."""

    exchange: str = setting(doc="the exchange as the relay calls it: binance, bybit, okx or deribit")
    symbols: tuple[str, ...] = setting(doc="instruments, as BTC-USDT or BTCUSDT; dialects A and B take one")
    dialect: str = setting(
        default="C", doc="which article's protocol is spoken: A, B or C (unverified)", check=one_of("A", "B", "C")
    )
    key: str = setting(default="env:HOLYSHEEP_API_KEY", doc="the variable of the environment that holds the API key")
    stream_url: str = setting(default="", doc="dialect A: the address that /tardis/stream-token gave")
    decimals: int = setting(default=8, doc="decimals of prices and sizes; the relay tells none", check=at_least(0))


class HolySheep(HolySheepAdapter):
    """The adapter with its settings and its wire."""

    def __init__(self, settings: HolySheepFeed) -> None:
        super().__init__(settings.exchange, settings.symbols, min(settings.decimals, 12))
        if not settings.symbols or (settings.dialect != "C" and len(settings.symbols) != 1):
            raise ConfigError("holysheep: frames of dialects A and B name no symbol, so such a feed has exactly one")
        self.settings = self.live = settings
        self.key = Key.read(settings.key, os.environ)

    def streams(self) -> list[Stream]:
        return [Stream(f"orderbook:{symbol}", symbol, "book") for symbol in self.asked]

    def wire(self) -> HolySheepWire:
        return HolySheepWire(self.settings, self.key)


class HolySheepWire(Wire):
    """How the relay's sockets are opened: the key, and in dialects A and C the streams too, are in the address."""

    venue = "holysheep"
    limits = WireLimits()
    keep_alive = KeepAlive(every_ns=20 * SECOND, silence_ns=60 * SECOND)

    def __init__(self, settings: HolySheepFeed, key: Key) -> None:
        self.settings = settings
        self.key = key
        self.http = (settings.rest or BASE).rstrip("/")
        self.socket = (settings.websocket or self.http.replace("http", "ws", 1)).rstrip("/")

    def address(self, category: str, streams: Sequence[Stream]) -> str:
        settings = self.settings
        if settings.dialect == "A":
            if not settings.stream_url:
                raise ConfigError(
                    "holysheep: dialect A needs stream_url, which /tardis/stream-token gives; see docs/holysheep.md"
                )
            return settings.stream_url
        if settings.dialect == "B":
            return f"{self.socket}/tardis/ws?" + urlencode({"token": self.key.value})
        symbols = ",".join(stream.symbol for stream in streams)
        query = {"type": "orderbook", "symbols": symbols, "exchanges": settings.exchange, "format": "tardis"}
        return f"{self.socket}/stream?" + urlencode({"key": self.key.value, **query})

    def subscribe(self, streams: Sequence[Stream], request: int) -> list[bytes]:
        if self.settings.dialect != "B":
            return []
        asked = {"action": "subscribe", "channel": "orderbook", "exchange": self.settings.exchange}
        return [json.dumps({**asked, "symbol": stream.symbol}, separators=(",", ":")).encode() for stream in streams]

    def unsubscribe(self, streams: Sequence[Stream], request: int) -> list[bytes]:
        return []

    def stream_of(self, frame: bytes) -> str:
        symbols = self.settings.symbols
        if len(symbols) == 1:
            return f"orderbook:{symbols[0]}"
        at = frame.find(b'"symbol":"')
        told = frame[at + 10 : frame.find(b'"', at + 10)].decode("utf-8", "replace") if at >= 0 else ""
        plain = told.replace("-", "")
        return next((f"orderbook:{one}" for one in symbols if one.replace("-", "") == plain), "")

    def instrument_requests(self) -> list[Request]:
        return [Request(f"{self.http}/account/status", headers=self._headers())]

    def snapshot_request(self, symbol: str) -> Request | None:
        return None

    def trouble(self, status: int, headers: Mapping[str, str], body: bytes) -> Trouble | None:
        if status == 429:
            wait = headers.get("retry-after", "")
            return Trouble("retry", "the relay asks for a pause", (int(wait) if wait.isdigit() else 60) * SECOND)
        if status in (401, 403):
            return Trouble("final", f"the relay refuses the key from {self.key.origin}")
        return None

    def _headers(self) -> dict[str, str]:
        return {"authorization": Hidden(f"Bearer {self.key.value}")} if self.key else {}


class HolySheepClient:
    """The relay's requests, over a client that knows the key."""

    def __init__(self, client: HttpClient) -> None:
        self.client = client

    def stream_url(self, exchange: str, symbol: str) -> str:
        """Return the address of a socket of dialect A."""
        answer = self._json("tardis/stream-token", {"exchange": exchange, "symbol": symbol})
        url = answer.get("stream_url") if isinstance(answer, dict) else None
        if not isinstance(url, str) or not url.startswith(("wss://", "ws://")):
            raise InputError("holysheep: the answer should hold a stream_url that begins with wss://")
        return url

    def status(self) -> dict[str, Any]:
        """Return what the relay tells of the account."""
        answer = self._json("account/status", {})
        if not isinstance(answer, dict):
            raise InputError("holysheep: the account's status should be an object")
        return answer

    def book(self, exchange: str, symbol: str, limit: int = 20) -> bytes:
        """Return a book as the adapter reads it (source ``rest``)."""
        return self.client.get("tardis/orderbook", {"exchange": exchange, "symbol": symbol, "limit": str(limit)}).body

    def trades(
        self, exchange: str, symbol: str, start_ms: int, end_ms: int, *, limit: int = 1000, most: int = 10_000
    ) -> Iterator[dict[str, Any]]:
        """Yield trades of ``[start_ms, end_ms)``, each once, numbers with a fraction as Decimal."""

        def fetch(ask: Ask) -> list[dict[str, Any]]:
            query = {"exchange": exchange, "symbol": symbol, "limit": str(ask.limit)}
            answer = self._json("tardis/trades", {**query, "start_time": str(ask.start), "end_time": str(ask.end)})
            rows = answer.get("trades") if isinstance(answer, dict) else None
            if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
                raise InputError("holysheep: the answer should hold a list of trades")
            return rows

        cursor: TimeCursor[dict[str, Any]] = TimeCursor(
            start_ms, end_ms, lambda row: _whole(row, "timestamp"), _trade_key, limit=limit, most=most
        )
        return cursor.walk(fetch)

    def snapshots(
        self, exchange: str, symbol: str, start_ms: int, end_ms: int, *, limit: int = 1000, base: str = HISTORY
    ) -> Iterator[bytes]:
        """Yield the book snapshots (dialect D) of ``[start_ms, end_ms)`` as they came, each once."""

        def fetch(ask: Ask) -> list[bytes]:
            query = {"from": str(ask.start), "to": str(ask.end), "format": "json", "limit": str(ask.limit)}
            body = self.client.get(f"{base}/{exchange}/{symbol}/book_snapshot", query).body
            try:
                return [bytes(raw) for raw in RAW_LIST.decode(body)]
            except (msgspec.MsgspecError, RecursionError) as error:
                raise InputError(f"holysheep: the answer should be a list of snapshots ({error})") from None

        cursor: TimeCursor[bytes] = TimeCursor(
            start_ms, end_ms, lambda raw: _whole(_object(raw), "timestamp"), bytes, limit=limit, most=10 * limit
        )
        return cursor.walk(fetch)

    def _json(self, path: str, query: Mapping[str, str]) -> Any:
        return self.client.get(path, query).json()


def _trade_key(row: dict[str, Any]) -> object:
    """Return what tells one trade from another: its id, or all of it where it has none."""
    return row["id"] if row.get("id") is not None else tuple(sorted((name, str(value)) for name, value in row.items()))


def _object(raw: bytes) -> dict[str, Any]:
    found = msgspec.json.decode(raw)
    if not isinstance(found, dict):
        raise InputError("holysheep: a snapshot should be an object")
    return found


def _whole(row: dict[str, Any], name: str) -> int:
    value = row.get(name)
    if isinstance(value, bool) or not isinstance(value, int | Decimal) or value != int(value):
        raise InputError(f"holysheep: {name} should be whole milliseconds, was {str(value)[:40]!r}")
    return int(value)


class _Factory:
    """Unverified: the relay as articles describe it."""

    config_model = HolySheepFeed

    def __call__(self, settings: HolySheepFeed) -> HolySheep:
        return HolySheep(settings)


holysheep_feed = _Factory()
