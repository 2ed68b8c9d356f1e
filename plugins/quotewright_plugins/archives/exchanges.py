"""Where Binance, Bybit, OKX and Deribit keep recorded data for everybody.

Addresses: Binance's README of binance-public-data; the others from programs that fetch them, read in November 2026
and not confirmed (``unverified`` says which).
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from typing import IO, ClassVar
from urllib.parse import quote, urlencode

import msgspec

from quotewright.errors import ConfigError, InputError
from quotewright.fetching.archive import Archive, Order
from quotewright.fetching.client import HttpClient
from quotewright.fetching.download import Item
from quotewright.fetching.paging import Ask, TimeCursor
from quotewright.fetching.times import Span

MILLISECOND = 1_000_000


def required_symbols(order: Order) -> tuple[str, ...]:
    """Return the symbols asked for, safe in an address; ConfigError without any."""
    if not order.symbols:
        raise ConfigError("say which instruments: --symbol BTCUSDT, as the exchange calls them; it may be repeated")
    return tuple(quote(symbol, safe="") for symbol in order.symbols)


class BinanceArchive(Archive):
    """data.binance.vision: packed CSV by day or month, each with its checksum."""

    base_url = "https://data.binance.vision/data"
    exchanges = ("binance", "binance-futures", "binance-delivery")
    kinds = ("trades", "aggTrades", "bookTicker", "bookDepth")
    unverified = "bookTicker and bookDepth: which instruments and days there are"
    folders: ClassVar[dict[str, str]] = {
        "binance": "spot",
        "binance-futures": "futures/um",
        "binance-delivery": "futures/cm",
    }

    def items(self, order: Order) -> Iterator[Item]:
        days = order.span.days() if order.period == "daily" else order.span.months()
        for day in days:
            date = day.isoformat() if order.period == "daily" else day.isoformat()[:7]
            for kind in order.kinds:
                for symbol in required_symbols(order):
                    file = f"{symbol.upper()}-{kind}-{date}.zip"
                    folder = f"{self.folders[order.exchange]}/{order.period}/{kind}/{symbol.upper()}"
                    url = f"{order.base_url}/{folder}/{file}"
                    yield Item(name=f"{order.exchange}_{file}", url=url, checksum_url=f"{url}.CHECKSUM")


def require_daily(order: Order) -> None:
    if order.period != "daily":
        raise ConfigError(f"this archive has {order.period} files of nothing; leave --period out")


class BybitArchive(Archive):
    """public.bybit.com (trades) and quote-saver.bycsi.com (order books of 500 levels)."""

    base_url = "https://public.bybit.com"
    books_url = "https://quote-saver.bycsi.com"
    exchanges = ("bybit", "bybit-spot")
    kinds = ("trades", "ob500")
    unverified = "all addresses and columns"

    def items(self, order: Order) -> Iterator[Item]:
        require_daily(order)
        for day in order.span.days():
            for kind in order.kinds:
                for symbol in required_symbols(order):
                    yield self._item(order, kind, symbol, day.isoformat())

    def _item(self, order: Order, kind: str, symbol: str, date: str) -> Item:
        if kind == "ob500":
            base = self.books_url if order.base_url == self.base_url else order.base_url
            category = "spot" if order.exchange == "bybit-spot" else "inverse" if symbol.endswith("USD") else "linear"
            file = f"{date}_{symbol}_ob500.data.zip"
            return Item(name=f"{order.exchange}_{file}", url=f"{base}/orderbook/{category}/{symbol}/{file}")
        is_spot = order.exchange == "bybit-spot"
        file = f"{symbol}_{date}.csv.gz" if is_spot else f"{symbol}{date}.csv.gz"
        folder = "spot" if is_spot else "trading"
        return Item(
            name=f"{order.exchange}_{symbol}-trades-{date}.csv.gz", url=f"{order.base_url}/{folder}/{symbol}/{file}"
        )


class OkxArchive(Archive):
    """Trades of OKX by day."""

    base_url = "https://www.okx.com/cdn/okex/traderecords"
    exchanges = ("okex", "okex-swap", "okex-futures", "okex-options")
    kinds = ("trades", "aggtrades")
    unverified = "all addresses and columns"

    def items(self, order: Order) -> Iterator[Item]:
        require_daily(order)
        for day in order.span.days():
            for kind in order.kinds:
                for symbol in required_symbols(order):
                    file = f"{symbol}-{kind}-{day.isoformat()}.zip"
                    url = f"{order.base_url}/{kind}/daily/{day:%Y%m%d}/{file}"
                    yield Item(name=f"{order.exchange}_{file}", url=url)


class DeribitTrade(msgspec.Struct):
    """What paging needs of a trade."""

    timestamp: int
    trade_id: str | int


class _Result(msgspec.Struct):
    trades: list[msgspec.Raw] = []


class _Answer(msgspec.Struct):
    result: _Result


class DeribitArchive(Archive):
    """Trades from Deribit's public history, paged by time, as lines of a capture."""

    base_url = "https://history.deribit.com/api/v2"
    exchanges = ("deribit",)
    kinds = ("trades",)
    unverified = "the host, and how many trades a page may hold (1,000 here, 10,000 at most)"
    limit = 1_000
    most = 10_000

    def items(self, order: Order) -> Iterator[Item]:
        require_daily(order)
        for day in order.span.days():
            for symbol in required_symbols(order):
                span = Span.parse(day.isoformat())
                part = Span(max(span.from_ns, order.span.from_ns), min(span.to_ns, order.span.to_ns))
                url = f"{order.base_url}/public/get_last_trades_by_instrument_and_time?instrument_name={symbol}"
                name = f"deribit_{symbol}-trades-{day.isoformat()}.jsonl.gz"
                if part != span:
                    name = f"deribit_{symbol}-trades-{day.isoformat()}-{part.from_ns}-{part.to_ns}.jsonl.gz"
                yield Item(
                    name=name, url=f"{url}&from={part.from_ns}&to={part.to_ns}", write=self._writer(order, symbol, part)
                )

    def _writer(self, order: Order, symbol: str, span: Span) -> Callable[[HttpClient, IO[bytes]], None]:
        def fetch(client: HttpClient, ask: Ask) -> list[tuple[DeribitTrade, bytes]]:
            query = {
                "instrument_name": symbol,
                "start_timestamp": str(ask.start),
                "end_timestamp": str(ask.end),
                "count": str(ask.limit),
                "sorting": "asc",
            }
            path = "public/get_last_trades_by_instrument_and_time?" + urlencode(query)
            body = client.get(f"{order.base_url}/{path}").body
            try:
                trades = msgspec.json.decode(body, type=_Answer).result.trades
                return [(msgspec.json.decode(bytes(raw), type=DeribitTrade), bytes(raw)) for raw in trades]
            except (msgspec.MsgspecError, RecursionError) as error:
                raise InputError(f"{symbol}: the answer should hold a list of trades ({error})") from None

        def write(client: HttpClient, file: IO[bytes]) -> None:
            cursor: TimeCursor[tuple[DeribitTrade, bytes]] = TimeCursor(
                -(-span.from_ns // MILLISECOND),
                -(-span.to_ns // MILLISECOND),
                lambda row: row[0].timestamp,
                lambda row: row[0].trade_id,
                limit=self.limit,
                most=self.most,
            )
            head = b'{"ts":null,"src":"file","msg":{"jsonrpc":"2.0","method":"subscription","params":{"channel":'
            head += msgspec.json.encode(f"trades.{symbol}.raw")
            with gzip.GzipFile(fileobj=file, mode="wb", mtime=0) as packed:
                for _, raw in cursor.walk(lambda ask: fetch(client, ask)):
                    packed.write(head + b',"data":[' + raw + b"]}}}\n")

        return write
