"""One client: it trades on both doors, over REST and over frames, and notes what it knows of each order it sent."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from decimal import Decimal
from typing import Any

import attrs

from tests.hammer.wire import UNKNOWN, Answer, Line, Outcome, Rest

TRIES = 20


@attrs.frozen(kw_only=True)
class Product:
    """How one door wants to be spoken to."""

    door: str
    symbol: str
    """At the door."""
    listed: str
    """On the exchange."""
    order: str
    open_orders: str
    all_orders: str
    trades: str
    cancel_all: str
    tick: Decimal
    start: Decimal
    streams: str


SPOT = Product(
    door="binance-spot",
    symbol="BTCUSDT",
    listed="BTCUSDT",
    order="/api/v3/order",
    open_orders="/api/v3/openOrders",
    all_orders="/api/v3/allOrders",
    trades="/api/v3/myTrades",
    cancel_all="/api/v3/openOrders",
    tick=Decimal("0.01"),
    start=Decimal(60_000),
    streams="btcusdt@bookTicker/btcusdt@depth@100ms/btcusdt@trade",
)
USDM = Product(
    door="binance-usdm",
    symbol="BTCUSDT",
    listed="BTCUSDT:PERP",
    order="/fapi/v1/order",
    open_orders="/fapi/v1/openOrders",
    all_orders="/fapi/v1/allOrders",
    trades="/fapi/v1/userTrades",
    cancel_all="/fapi/v1/allOpenOrders",
    tick=Decimal("0.1"),
    start=Decimal(60_000),
    streams="btcusdt@bookTicker/btcusdt@depth@100ms/btcusdt@trade",
)
PRODUCTS = (SPOT, USDM)


@attrs.define
class Sent:
    """An order that was sent, and what is known of it."""

    product: Product
    outcome: Outcome
    order_id: int = 0


class Trader:
    """The client *name*; *addresses* are the doors', *pace* is how many orders each of its lanes sends a second."""

    def __init__(
        self,
        name: str,
        addresses: Mapping[str, Mapping[str, str]],
        key: str,
        secret: str,
        seed: int,
        pace: Mapping[str, float],
    ) -> None:
        self.name = name
        self.addresses = addresses
        self.key = key
        self.secret = secret
        self.random = random.Random(f"{name} {seed}")
        self.pace = pace
        self.rest = {product.door: Rest(addresses[product.door]["rest"], key, secret) for product in PRODUCTS}
        self.sent: dict[str, Sent] = {}
        self.counts: Counter[str] = Counter()
        self.best: dict[str, dict[str, str]] = {product.door: {} for product in PRODUCTS}
        self.is_over = False
        self._lines: dict[str, Line] = {}

    async def run(self) -> None:
        """Trade until :attr:`is_over`."""
        jobs: list[Coroutine[Any, Any, None]] = []
        for product in PRODUCTS:
            jobs += [self._lane(product, is_framed) for is_framed in (False, True)]
            jobs.append(self._stay(product, "market", self._market_url, renew_s=2.0))
        jobs.append(self._stay(USDM, "private", self._private_url))
        async with asyncio.TaskGroup() as group:
            for job in jobs:
                group.create_task(job)

    async def close(self) -> None:
        for line in self._lines.values():
            await line.end()
        for rest in self.rest.values():
            await rest.client.aclose()

    # Streams.

    async def _market_url(self, product: Product) -> str:
        return f"{self.addresses[product.door]['ws']}/stream?streams={product.streams}"

    async def _private_url(self, product: Product) -> str:
        answer = await self.rest[product.door].ask("POST", "/fapi/v1/listenKey")
        if answer.outcome != "accepted":
            return ""
        return f"{self.addresses[product.door]['ws']}/ws/{answer.body['listenKey']}"

    async def _stay(
        self,
        product: Product,
        what: str,
        address: Callable[[Product], Coroutine[Any, Any, str]],
        renew_s: float = 1e9,
    ) -> None:
        """Be connected: again whenever the connection is gone, and from time to time anew."""
        loop = asyncio.get_running_loop()
        while not self.is_over:
            url = await address(product)
            line = await Line.open(url) if url else None
            if line is None:
                await asyncio.sleep(0.05)
                continue
            self.counts[f"{what} connections"] += 1
            until = loop.time() + renew_s * (0.5 + self.random.random())
            while not self.is_over and not line.is_gone.is_set() and loop.time() < until:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(line.is_gone.wait(), 0.02)
                if line.best:
                    self.best[product.door] = line.best
            await line.end()
            self.counts[f"{what} events"] += line.events
            self.counts["spoiled frames"] += line.spoiled

    async def _frames(self, product: Product) -> Line | None:
        """Return the connection for order entry; on spot it carries the account's events too."""
        line = self._lines.get(product.door)
        if line is not None and not line.is_gone.is_set():
            return line
        if line is not None:
            self.counts["private events"] += line.events
        line = await Line.open(self.addresses[product.door]["ws_api"])
        if line is None:
            return None
        self._lines[product.door] = line
        self.counts["entry connections"] += 1
        if product is SPOT:
            await line.ask("userDataStream.subscribe.signature", self.key, self.secret)
        return line

    # Orders.

    async def _lane(self, product: Product, is_framed: bool) -> None:
        acts = (self._limit, self._market, self._cancel, self._amend, self._query, self._cancel_all)
        while not self.is_over:
            (act,) = self.random.choices(acts, (40, 22, 18, 10, 8, 2))
            answer = await act(product, is_framed)
            if answer.code in (-1003, -1015):
                self.counts["told to slow down"] += 1
            wait = max(answer.retry_after, self.random.uniform(0.5, 1.5) / self.pace[product.door])
            with contextlib.suppress(TimeoutError):
                await asyncio.sleep(min(wait, 5.0))

    async def _ask(self, product: Product, is_framed: bool, verb: str, method: str, **parameters: object) -> Answer:
        parameters = {"symbol": product.symbol, **parameters}
        if not is_framed or not method:
            path = product.order if verb != "DELETE ALL" else product.cancel_all
            if method == "order.cancelReplace":
                path = f"{product.order}/cancelReplace"
            return await self.rest[product.door].ask(verb.partition(" ")[0], path, **parameters)
        line = await self._frames(product)
        if line is None:
            await asyncio.sleep(0.02)
            return UNKNOWN
        return await line.ask(method, self.key, self.secret, **parameters)

    def _name(self, product: Product) -> str:
        self.counts["orders"] += 1
        return f"{self.name}-{product.door[8:]}-{self.counts['orders']}"

    def _note(self, name: str, product: Product, answer: Answer) -> Answer:
        number = int(answer.body["orderId"]) if answer.outcome == "accepted" else 0
        self.sent[name] = Sent(product, answer.outcome, number)
        return answer

    def _price(self, product: Product, side: str) -> str:
        best = self.best[product.door].get(side)
        base = Decimal(best) if best else product.start
        away = product.tick * self.random.randrange(-20, 200)
        return f"{base - away if side == 'BUY' else base + away:f}"

    def _size(self) -> str:
        return f"{Decimal(self.random.randrange(1, 20)) / 1000:f}"

    async def _limit(self, product: Product, is_framed: bool) -> Answer:
        name, side = self._name(product), self.random.choice(("BUY", "SELL"))
        terms = {"type": "LIMIT", "timeInForce": self.random.choice(("GTC", "GTC", "GTC", "IOC", "FOK"))}
        terms |= {"side": side, "quantity": self._size(), "price": self._price(product, side)}
        # Noted before it is sent: what is cancelled on its way may have been carried out.
        self.sent[name] = Sent(product, "unknown")
        return self._note(
            name, product, await self._ask(product, is_framed, "POST", "order.place", newClientOrderId=name, **terms)
        )

    async def _market(self, product: Product, is_framed: bool) -> Answer:
        name = self._name(product)
        terms = {"side": self.random.choice(("BUY", "SELL")), "type": "MARKET", "quantity": self._size()}
        self.sent[name] = Sent(product, "unknown")
        return self._note(
            name, product, await self._ask(product, is_framed, "POST", "order.place", newClientOrderId=name, **terms)
        )

    def _some(self, product: Product) -> str:
        """Return one of the newest orders, whatever is known of it."""
        newest = [name for name in list(self.sent)[-40:] if self.sent[name].product is product]
        return self.random.choice(newest) if newest else "none"

    async def _cancel(self, product: Product, is_framed: bool) -> Answer:
        return await self._ask(product, is_framed, "DELETE", "order.cancel", origClientOrderId=self._some(product))

    async def _cancel_all(self, product: Product, is_framed: bool) -> Answer:
        return await self._ask(product, is_framed, "DELETE ALL", "openOrders.cancelAll" if product is SPOT else "")

    async def _amend(self, product: Product, is_framed: bool) -> Answer:
        old, side = self._some(product), self.random.choice(("BUY", "SELL"))
        terms = {"side": side, "quantity": self._size(), "price": self._price(product, side)}
        if product is USDM:
            return await self._ask(product, is_framed, "PUT", "order.modify", origClientOrderId=old, **terms)
        name = self._name(product)
        terms |= {"type": "LIMIT", "timeInForce": "GTC", "cancelReplaceMode": "STOP_ON_FAILURE"}
        terms |= {"cancelOrigClientOrderId": old, "newClientOrderId": name}
        self.sent[name] = Sent(product, "unknown")
        answer = await self._ask(product, is_framed, "POST", "order.cancelReplace", **terms)
        if answer.outcome == "accepted":
            self.sent[name] = Sent(product, "accepted", int(answer.body["newOrderResponse"]["orderId"]))
        else:
            self.sent[name] = Sent(product, answer.outcome)
        return answer

    async def _query(self, product: Product, is_framed: bool) -> Answer:
        return await self._ask(product, is_framed, "GET", "order.status", origClientOrderId=self._some(product))

    # After healing.

    async def told(self, product: Product, path: str, **parameters: object) -> Any:
        """Return what REST shows now; the exchange is healthy, so that an answer comes."""
        for _ in range(TRIES):
            answer = await self.rest[product.door].ask("GET", path, **parameters)
            if answer.outcome == "accepted":
                return answer.body
            await asyncio.sleep(max(0.1, answer.retry_after))
        raise AssertionError(f"{self.name}: GET {path} has no answer after healing, the last was {answer}")

    async def all_pages(self, product: Product, path: str, number: str, first: str) -> list[dict[str, Any]]:
        """Return the whole history at *path*, page by page from *first* on, by the field *number*."""
        found: list[dict[str, Any]] = []
        start = 1
        while True:
            parameters = {"symbol": product.symbol, first: start, "limit": 1000}
            page = await self.told(product, path, **parameters)
            found += page
            if len(page) < 1000:
                return found
            start = max(int(one[number]) for one in page) + 1
