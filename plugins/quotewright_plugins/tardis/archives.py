"""What Tardis has: CSV data sets by day, raw recordings by the minute, and a tardis-machine server's replays."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import tempfile
from collections.abc import Callable, Iterator
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from quotewright.errors import ConfigError, InputError
from quotewright.fetching.archive import Archive, Order
from quotewright.fetching.client import HttpClient, pieces
from quotewright.fetching.download import Item
from quotewright.fetching.times import MINUTE_NS, Span, date_of, iso
from quotewright_plugins.importers.venues import TARDIS

if TYPE_CHECKING:
    import httpx

EXCHANGES = tuple(TARDIS)
KEY = "TARDIS_API_KEY"
SLICE_LIMIT = 4 << 30
REPLAY_LIMIT = 1 << 40
IN_MEMORY = 16 << 20
HOUR_NS = 60 * MINUTE_NS
LOWER_CASE = ("binance", "binance-futures", "binance-delivery")
"""Exchanges whose raw channels name symbols in lower case."""


def require_key(day: dt.date, order: Order) -> None:
    """Refuse a day that is not free where there is no key."""
    if day.day != 1 and not order.has_key:
        raise ConfigError(
            f"{day} needs a key, in the variable {KEY} of the environment (or another, by --key env:NAME); without one "
            "the first day of each month is free"
        )


class TardisArchive(Archive):
    """CSV data sets; the first day of each month is free."""

    base_url = "https://datasets.tardis.dev/v1"
    exchanges = EXCHANGES
    kinds = (
        *("trades", "incremental_book_L2", "quotes", "book_ticker", "derivative_ticker", "liquidations"),
        *("options_chain", "book_snapshot_5", "book_snapshot_25"),
    )
    key = KEY

    def items(self, order: Order) -> Iterator[Item]:
        if not order.symbols:
            raise ConfigError("say which instruments: --symbol BTCUSDT, or a group such as PERPETUALS or OPTIONS")
        for day in order.span.days():
            require_key(day, order)
            for kind in order.kinds:
                for symbol in order.symbols:
                    name = symbol.upper().replace("/", "-").replace(":", "-")
                    url = f"{order.base_url}/{order.exchange}/{kind}/{day:%Y/%m/%d}/{quote(name, safe='')}.csv.gz"
                    yield Item(name=f"{order.exchange}_{kind}_{day.isoformat()}_{name}.csv.gz", url=url)


class TardisRawArchive(Archive):
    """Raw recordings: the exchange's own messages with the collector's time, a file an hour.

    Kinds are channels as the exchange calls them (for Binance ``depth``, ``trade``, ``depthSnapshot``).
    """

    base_url = "https://api.tardis.dev/v1"
    exchanges = EXCHANGES
    kinds = ("trade", "depth", "depthSnapshot", "bookTicker")
    any_kind = True
    key = KEY
    slice_minutes = 1

    def items(self, order: Order) -> Iterator[Item]:
        symbols = [symbol.lower() if order.exchange in LOWER_CASE else symbol for symbol in order.symbols]
        filters = [{"channel": kind, "symbols": symbols} if symbols else {"channel": kind} for kind in order.kinds]
        text = json.dumps(filters, separators=(",", ":"))
        start = order.span.from_ns // MINUTE_NS * MINUTE_NS
        end = -(-order.span.to_ns // MINUTE_NS) * MINUTE_NS
        tail = "_".join([*order.kinds, *order.symbols])[:80].replace("/", "-").replace(":", "-")
        while start < end:
            until = min(end, (start // HOUR_NS + 1) * HOUR_NS)
            require_key(date_of(start), order)
            stamp = iso(start, 0)[:16].replace(":", "-")
            minutes = (until - start) // MINUTE_NS
            url = f"{order.base_url}/data-feeds/{order.exchange}?" + urlencode({"from": iso(start), "filters": text})
            yield Item(
                name=f"{order.exchange}_raw_{stamp}_{minutes}m_{tail}.ndjson.gz",
                url=url,
                write=self._writer(url, minutes),
            )
            start = until

    def _writer(self, url: str, minutes: int) -> Callable[[HttpClient, IO[bytes]], None]:
        def write(client: HttpClient, file: IO[bytes]) -> None:
            with gzip.GzipFile(fileobj=file, mode="wb", mtime=0) as packed:
                offset = 0
                while offset < minutes:
                    size = min(self.slice_minutes, minutes - offset)
                    offset += fetch_slice(client, f"{url}&offset={offset}", size, packed)

        return write


def fetch_slice(client: HttpClient, url: str, size: int, file: IO[bytes] | gzip.GzipFile) -> int:
    """Append one slice of raw lines to *file* and return how many minutes it holds.

    A slice that breaks off is asked for again; nothing of it has been written then.
    """
    query = f"{url}&compression=gzip" + (f"&sliceSize={size}" if size > 1 else "")
    with tempfile.SpooledTemporaryFile(IN_MEMORY) as spool:

        def take(response: httpx.Response) -> int:
            spool.seek(0)
            spool.truncate()
            last = b""
            for piece in pieces(response, SLICE_LIMIT):
                spool.write(piece)
                last = piece[-1:]
            if last not in (b"", b"\n"):
                spool.write(b"\n")
            return _minutes(response.headers.get("x-slice-size", ""), size)

        minutes: int = client.tried(query, take)
        spool.seek(0)
        while part := spool.read(1 << 20):
            file.write(part)
    return minutes


def _minutes(stated: str, asked: int) -> int:
    """Return how many minutes a slice holds: what the service says, if it says it."""
    if not stated:
        return asked
    if not stated.isdigit() or not 1 <= int(stated) <= asked:
        raise InputError(f"x-slice-size should be 1 to {asked} minutes, was {stated[:20]!r}")
    return int(stated)


class TardisMachineArchive(Archive):
    """Replays of a tardis-machine server: ``normalized`` messages, or ``raw`` ones; a file a day.

    Kinds are normalised data types (``trade``, ``book_change``, …), or ``raw:CHANNEL``.
    """

    base_url = "http://localhost:8000"
    exchanges = EXCHANGES
    kinds = ("trade", "book_change", "derivative_ticker", "book_ticker", "liquidation", "option_summary")
    any_kind = True

    def items(self, order: Order) -> Iterator[Item]:
        raw = [kind.removeprefix("raw:") for kind in order.kinds if kind.startswith("raw:")]
        if raw and len(raw) != len(order.kinds):
            raise ConfigError("normalised and raw kinds go into different files; fetch them one after the other")
        for day in order.span.days():
            whole = Span.parse(day.isoformat())
            first, end = max(whole.from_ns, order.span.from_ns), min(whole.to_ns, order.span.to_ns)
            options: dict[str, Any] = {"exchange": order.exchange, "from": iso(first), "to": iso(end)}
            if raw:
                symbols = {"symbols": list(order.symbols)} if order.symbols else {}
                options |= {"filters": [{"channel": kind, **symbols} for kind in raw], "withDisconnects": True}
            else:
                options |= {"dataTypes": list(order.kinds), "withDisconnectMessages": True}
                options |= {"symbols": list(order.symbols)} if order.symbols else {}
            path = "replay" if raw else "replay-normalized"
            text = json.dumps(options, separators=(",", ":"))
            tail = "_".join([*(raw or order.kinds), *order.symbols])[:80].replace("/", "-").replace(":", "-")
            part = "" if (first, end) == (whole.from_ns, whole.to_ns) else f"_{first // MINUTE_NS}-{end // MINUTE_NS}"
            url = f"{order.base_url}/{path}?" + urlencode({"options": text})
            yield Item(
                name=f"{order.exchange}_{path}_{day.isoformat()}{part}_{tail}.ndjson.gz", url=url, write=_replay(url)
            )


def _replay(url: str) -> Callable[[HttpClient, IO[bytes]], None]:
    def write(client: HttpClient, file: IO[bytes]) -> None:
        def take(response: httpx.Response) -> None:
            file.seek(0)
            file.truncate()
            with gzip.GzipFile(fileobj=file, mode="wb", mtime=0) as packed:
                for piece in pieces(response, REPLAY_LIMIT):
                    packed.write(piece)

        client.tried(url, take)

    return write
