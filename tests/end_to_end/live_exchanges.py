"""Scripted servers that speak the public protocol of each exchange, driven by that exchange's generator of frames."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from typing import Any, ClassVar

import anyio
from anyio.from_thread import start_blocking_portal

from quotewright.testing.scripted import CLOSE, PING, PONG, TEXT, Answer, Asked, Gone, Peer, ScriptedServer, frame
from quotewright_plugins.exchanges.binance.frames import BinanceSession
from quotewright_plugins.exchanges.bybit.frames import BybitSession
from quotewright_plugins.exchanges.deribit.frames import DeribitSession
from quotewright_plugins.exchanges.okx.frames import OkxSession

MOST_STEPS = 20_000
"""The market ends here even if a test has not seen what it waits for."""


def compact(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


class Exchange:
    """One exchange on loopback: metadata over HTTP, and a market that moves *steps* times on its sockets.

    At step *gap_at* the book's update is lost; at step *cut_at* the connection ends without a word; after *life* steps
    on one connection the server closes it. When all steps are done and the test has seen enough, ``is_over`` is set and
    the server goes on answering.
    """

    name: ClassVar[str]
    keys: ClassVar[str] = ""
    instrument: ClassVar[str]
    book_kinds: ClassVar[tuple[str, ...]] = ("book", "depth", "delta", "change", "update")

    def __init__(self, steps: int = 250, gap_at: int = -1, cut_at: int = -1, life: int = 0) -> None:
        self.steps = steps
        self.life = life
        self.history: list[list[Any]] = []
        self.gap_at = gap_at
        self.cut_at = cut_at
        self.is_over = threading.Event()
        self.is_enough = threading.Event()
        self.session = self.market()
        self.subscribed: list[str] = []
        self.unsubscribed: list[str] = []
        self._books: set[Peer] = set()
        self._pongs: dict[Peer, bytes] = {}

    # What each exchange says for itself.

    def market(self) -> Any:
        raise TypeError(f"{type(self).__name__} lacks market()")

    def answer(self, asked: Asked) -> Answer:
        raise TypeError(f"{type(self).__name__} lacks answer()")

    def reply(self, request: dict[str, Any]) -> tuple[list[bytes], list[str], list[str]]:
        """Return the frames that answer *request*, and what it subscribes and unsubscribes."""
        raise TypeError(f"{type(self).__name__} lacks reply()")

    def is_book(self, stream: str) -> bool:
        raise TypeError(f"{type(self).__name__} lacks is_book()")

    def image(self) -> bytes | None:
        """Return what a new subscription of the book begins with; None where images come over HTTP."""
        image: bytes = self.session.image().raw
        return image

    def step(self) -> Iterable[Any]:
        lines: Iterable[Any] = self.session.step()
        return lines

    def books(self) -> tuple[dict[int, int], dict[int, int]]:
        """Return the true book in ticks and lots."""
        return dict(self.session.bids), dict(self.session.offers)

    # The server.

    async def serve(self, peer: Peer) -> None:
        await peer.accept()
        async with anyio.create_task_group() as group:
            group.start_soon(self._listen, peer, group.cancel_scope)
            await self._move(peer)
            await anyio.sleep_forever()

    async def _listen(self, peer: Peer, scope: anyio.CancelScope) -> None:
        try:
            while True:
                opcode, text = await peer.receive()
                if opcode == PONG:
                    self._pongs[peer] = text
                    peer.server.count("taken")
                if opcode == CLOSE:
                    raise Gone
                if opcode == PING:
                    await peer.send_bytes(frame(PONG, text))
                if opcode != TEXT:
                    continue
                if text == b"ping":
                    await peer.send(b"pong")
                    continue
                frames, wanted, ended = self.reply(json.loads(text))
                for one in frames:
                    await peer.send(one)
                self.subscribed += wanted
                self.unsubscribed += ended
                if any(self.is_book(stream) for stream in wanted):
                    image = self.image()
                    if image is not None:
                        await peer.send(image)
                    self._books.add(peer)
                    peer.server.count("books")
        except Gone:
            scope.cancel()

    async def _move(self, peer: Peer) -> None:
        """Let the market move as fast as the client takes it, on a connection that carries the book."""
        while peer not in self._books:
            await peer.server.change()
        begun = at = len(self.history)
        while at < self.steps or (not self.is_enough.is_set() and at < MOST_STEPS):
            if at == len(self.history):  # the connection that is ahead moves the market for all
                self.history.append(list(self.step()))
            at += 1
            if at == self.cut_at:
                await peer.abort()
                return
            for line in self.history[at - 1]:
                if not (at == self.gap_at and line.kind in self.book_kinds):
                    await peer.send(line.raw)
            await peer.ping(b"%d" % at)
            while self._pongs.get(peer) != b"%d" % at:
                await peer.server.change()
            if self.life and at - begun == self.life:
                await peer.close(1001, "the connection is too old")
                return
        self.is_over.set()

    def __enter__(self) -> Exchange:
        self._portal = start_blocking_portal()
        self.portal = portal = self._portal.__enter__()
        self.server = ScriptedServer(self.serve, self.answer)
        self._context = portal.wrap_async_context_manager(self.server)
        self._context.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._context.__exit__(None, None, None)
        self._portal.__exit__(None, None, None)


class Binance(Exchange):
    name = "binance"
    keys = 'market = "spot"'
    instrument = "BTC-USDT.spot@binance"

    def market(self) -> BinanceSession:
        return BinanceSession(market="spot", seed=5)

    def answer(self, asked: Asked) -> Answer:
        if asked.path == "/api/v3/depth":
            return Answer(200, self.session.snapshot().raw)
        if asked.path == "/api/v3/time":
            return Answer(200, b'{"serverTime":1700000000000}')
        filters = [
            {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1000000", "tickSize": "0.01"},
            {"filterType": "LOT_SIZE", "minQty": "0.001", "maxQty": "9000", "stepSize": "0.001"},
        ]
        symbol = {"symbol": "BTCUSDT", "status": "TRADING", "baseAsset": "BTC", "quoteAsset": "USDT"}
        return Answer(200, compact({"symbols": [{**symbol, "baseAssetPrecision": 8, "filters": filters}]}))

    def reply(self, request: dict[str, Any]) -> tuple[list[bytes], list[str], list[str]]:
        answer = [compact({"result": None, "id": request["id"]})]
        names = request.get("params") or []
        return (answer, names, []) if request["method"] == "SUBSCRIBE" else (answer, [], names)

    def is_book(self, stream: str) -> bool:
        return "@depth" in stream

    def image(self) -> None:
        return None


class Bybit(Exchange):
    name = "bybit"
    keys = 'market = "linear"'
    instrument = "BTC-USDT.perp@bybit"

    def market(self) -> BybitSession:
        return BybitSession(market="linear", seed=5)

    def answer(self, asked: Asked) -> Answer:
        if asked.path == "/v5/market/time":
            return Answer(200, compact({"retCode": 0, "result": {"timeNano": "1700000000000000000"}}))
        contract = {
            "symbol": "BTCUSDT",
            "contractType": "LinearPerpetual",
            "status": "Trading",
            "baseCoin": "BTC",
            "quoteCoin": "USDT",
            "settleCoin": "USDT",
            "deliveryTime": "0",
            "priceScale": "2",
            "priceFilter": {"minPrice": "0.01", "maxPrice": "1999999.8", "tickSize": "0.01"},
            "lotSizeFilter": {"minOrderQty": "0.001", "maxOrderQty": "1190", "qtyStep": "0.001"},
        }
        listed = [] if "status=PreLaunch" in asked.target else [contract]
        result = {"category": "linear", "list": listed, "nextPageCursor": ""}
        return Answer(200, compact({"retCode": 0, "retMsg": "OK", "result": result, "time": 1_700_000_000_000}))

    def reply(self, request: dict[str, Any]) -> tuple[list[bytes], list[str], list[str]]:
        if request["op"] == "ping":
            return [compact({"success": True, "ret_msg": "pong", "conn_id": "c", "req_id": "", "op": "ping"})], [], []
        answer = {"success": True, "ret_msg": "", "conn_id": "c", "req_id": request["req_id"], "op": request["op"]}
        names = request["args"]
        return ([compact(answer)], names, []) if request["op"] == "subscribe" else ([compact(answer)], [], names)

    def is_book(self, stream: str) -> bool:
        return stream.startswith("orderbook.50.")


class Okx(Exchange):
    name = "okx"
    keys = 'market = "spot"'
    instrument = "BTC-USDT.spot@okx"

    def market(self) -> OkxSession:
        return OkxSession(seed=5)

    def answer(self, asked: Asked) -> Answer:
        if asked.path == "/api/v5/public/time":
            return Answer(200, b'{"code":"0","data":[{"ts":"1700000000000"}],"msg":""}')
        spot = {"instType": "SPOT", "instId": "BTC-USDT", "baseCcy": "BTC", "quoteCcy": "USDT", "state": "live"}
        empty = dict.fromkeys(
            ("uly", "instFamily", "settleCcy", "ctType", "ctVal", "ctMult", "ctValCcy", "expTime"), ""
        )
        row = {
            **spot,
            **empty,
            "tickSz": "0.1",
            "lotSz": "0.001",
            "minSz": "0.001",
            "maxLmtSz": "9999",
            "listTime": "1",
        }
        return Answer(200, compact({"code": "0", "msg": "", "data": [row]}))

    def reply(self, request: dict[str, Any]) -> tuple[list[bytes], list[str], list[str]]:
        answers, names = [], []
        for arg in request["args"]:
            answer = {"event": request["op"], "arg": arg, "connId": "a1"}
            answers.append(compact(answer | ({"id": request["id"]} if "id" in request else {})))
            names.append(arg["channel"])
        return (answers, names, []) if request["op"] == "subscribe" else (answers, [], names)

    def is_book(self, stream: str) -> bool:
        return stream == "books"

    def step(self) -> Iterable[Any]:
        yield self.session.update()
        if len(self.history) % 2:
            yield self.session.trade()
        yield self.session.best()


class Deribit(Exchange):
    name = "deribit"
    instrument = "BTC-USDC.spot@deribit"

    def market(self) -> DeribitSession:
        return DeribitSession(kind="spot", seed=5)

    def answer(self, asked: Asked) -> Answer:
        if asked.path.endswith("get_time"):
            return Answer(200, b'{"jsonrpc":"2.0","result":1700000000000}')
        price = self.session.price(1)
        spot = {
            "instrument_name": self.session.symbol,
            "instrument_id": 1,
            "kind": "spot",
            "instrument_type": "linear",
            "base_currency": "BTC",
            "quote_currency": "USDC",
            "counter_currency": "USDC",
            "settlement_currency": "USDC",
            "contract_size": 1,
            "min_trade_amount": float(self.session.amount(1)),
            "tick_size": float(price),
            "tick_size_steps": [],
            "is_active": True,
            "state": "open",
            "creation_timestamp": 1,
            "expiration_timestamp": 32503708800000,
        }
        return Answer(200, compact({"jsonrpc": "2.0", "result": [spot]}))

    def reply(self, request: dict[str, Any]) -> tuple[list[bytes], list[str], list[str]]:
        method = request["method"].partition("/")[2]
        channels = request.get("params", {}).get("channels", [])
        result: Any = channels if channels else "ok"
        answer = [compact({"jsonrpc": "2.0", "id": request["id"], "result": result, "usIn": 1, "usOut": 2})]
        if method == "subscribe":
            return answer, channels, []
        return answer, [], channels if method == "unsubscribe" else []

    def is_book(self, stream: str) -> bool:
        return stream.startswith("book.")


EXCHANGES = {exchange.name: exchange for exchange in (Binance, Bybit, Okx, Deribit)}
