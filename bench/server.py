"""The exchange server on one core: orders over REST and over WebSocket, and best quotes fanned out to many.

``python -m bench.server`` is the server: it prints one JSON line, then its processor time in ns for every line it
reads. It serves the Binance spot door, with the venue's limits lifted and everything else as it is, and beside it a
door that answers everything at once: what is left to measure there are the sockets alone.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs

from bench.measure import Measured
from bench.wire import Asked, Audience, Wire, order_frame, order_query, rest_request
from quotewright_simexchange.doors import Connection, Dialect, Door, HttpRequest, HttpResponse, Session

ROOT = Path(__file__).resolve().parent.parent
PLENTY = {"BTC": Decimal(10**6), "USDT": Decimal(10**11)}
STANDING = ((59_990, "buy"), (60_010, "sell"))
WINDOW = 16
"""Orders on the way at once where they do not wait for each other."""
FAN_WINDOW = 4
AUDIENCES = (1, 10, 100)
PATH = "/api/v3/order"


@attrs.define(kw_only=True)
class Served(Measured):
    """What a server did: processor time is the server's alone, and each answer or message has a latency."""

    per_second: float = 0.0
    """In the quickest round."""
    p50_ns: float = 0.0
    p99_ns: float = 0.0


@attrs.define
class Rounds:
    """What was measured of one candidate so far."""

    units: int = 0
    cpu_ns: list[float] = attrs.field(factory=list)
    wall_ns: list[float] = attrs.field(factory=list)
    latencies: list[int] = attrs.field(factory=list)

    def add(self, units: int, cpu_ns: int, asked: Asked, end_ns: int, latencies: Sequence[int]) -> None:
        self.units = units
        self.cpu_ns.append(cpu_ns / units)
        self.wall_ns.append((end_ns - asked.sent_ns[0]) / units)
        self.latencies.extend(latencies)

    def measured(self, name: str, base_ns: float) -> Served:
        cuts = statistics.quantiles(self.latencies, n=100, method="inclusive")
        return Served(
            name=name,
            units=self.units,
            cpu_min_ns=min(self.cpu_ns),
            cpu_median_ns=statistics.median(self.cpu_ns),
            wall_min_ns=min(self.wall_ns),
            wall_median_ns=statistics.median(self.wall_ns),
            repeats=len(self.cpu_ns),
            ratio=min(self.cpu_ns) / base_ns if base_ns else 0.0,
            per_second=1e9 / min(self.wall_ns),
            p50_ns=cuts[49],
            p99_ns=cuts[98],
        )


class Bench:
    """The clients of a server in a process of its own."""

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        assert child.stdin is not None
        assert child.stdout is not None
        self._ask, self._told = child.stdin, child.stdout
        told: dict[str, Any] = json.loads(self._told.readline())
        self.doors: dict[str, dict[str, str]] = told["doors"]
        self.keys: list[tuple[str, str]] = [(key, secret) for key, secret in told["keys"]]
        self.number = 0
        self.check_signature()

    def cpu_ns(self) -> int:
        """Return the processor time that the server has had so far."""
        self._ask.write(b"\n")
        self._ask.flush()
        return int(self._told.readline())

    def orders(self, count: int) -> list[tuple[str, dict[str, str], str]]:
        """Return new orders, signed now: one rests at the best price, the next of another account takes it whole."""
        found = []
        for place in range(count):
            resting, is_buy = place % 2 == 0, place // 2 % 2 == 0
            key, secret = self.keys[place % 2]
            side = "BUY" if is_buy == resting else "SELL"
            self.number += 1
            found.append((*order_query(self.number, side, "60000", key, secret), key))
        return found

    def check_signature(self) -> None:
        """Make sure that signatures are looked at: the exchange would be quick without."""
        query, _, key = self.orders(1)[0]
        wire = Wire(self.doors["binance-spot"]["rest"])
        try:
            wire.socket.sendall(rest_request("POST", PATH, query[:-1] + ("1" if query[-1] == "0" else "0"), key))
            while b"-1022" not in wire.data:
                wire.more()
        finally:
            wire.close()

    def rest(self, door: str, count: int) -> tuple[int, Asked]:
        """Place *count* orders over one kept connection, each when the one before is answered."""
        requests = [rest_request("POST", PATH, query, key) for query, _, key in self.orders(count)]
        wire = Wire(self.doors[door]["rest"])
        try:
            before = self.cpu_ns()
            asked = wire.ask(requests)
            return self.cpu_ns() - before, asked
        finally:
            wire.close()

    def entry(self, door: str, count: int, window: int) -> tuple[int, Asked]:
        """Place *count* orders over one WebSocket connection, *window* of them on the way."""
        wire = Wire(self.doors[door]["ws_api"])
        requests = [order_frame(number, params) for number, (_, params, _) in enumerate(self.orders(count))]
        try:
            wire.upgrade(wire.path)
            before = self.cpu_ns()
            asked = wire.ask_frames(requests, window)
            return self.cpu_ns() - before, asked
        finally:
            wire.close()

    def fan(self, count: int, audience: int) -> tuple[int, Asked, list[int]]:
        """Place *count* orders, each of which changes the best quote, while *audience* connections watch it."""
        cause, watching = Wire(self.doors["binance-spot"]["ws_api"]), None
        requests = [order_frame(number, params) for number, (_, params, _) in enumerate(self.orders(count))]
        try:
            watching = Audience(self.doors["binance-spot"]["ws"], "/ws/btcusdt@bookTicker", audience)
            cause.upgrade(cause.path)
            before = self.cpu_ns()
            asked, latencies, last = watching.watch(cause, requests, FAN_WINDOW)
            spent = self.cpu_ns() - before
        finally:
            cause.close()
            if watching is not None:
                watching.close()
        check_orders(asked.answers)
        numbers = [json.loads(frame)["u"] for frame in last]
        assert numbers == sorted(set(numbers)), "best quotes should come in order, each once"
        return spent, asked, latencies


def check_orders(answers: Sequence[bytes]) -> None:
    """Refuse to have measured anything but orders: the first rests, the second takes it, and so on."""
    told = [json.loads(answer) for answer in answers]
    bodies = [one.get("result", one) for one in told]
    wrong = [body for number, body in enumerate(bodies) if body.get("status") != ("FILLED" if number % 2 else "NEW")]
    assert not wrong, f"an order was answered with {wrong[0]}"
    places = [one["id"] for one in told if "result" in one]
    assert places == list(range(len(places))), "answers should come in the order of the requests"


def measure(count: int, repeats: int) -> list[tuple[str, list[Served]]]:
    """Return what each way to trade cost, and each audience."""
    found: dict[str, dict[str, Rounds]] = {}

    def note(what: str, name: str, units: int, spent: int, asked: Asked, latencies: Sequence[int] = ()) -> None:
        own = [end - start for start, end in zip(asked.sent_ns, asked.answered_ns, strict=True)]
        end_ns = asked.answered_ns[-1]
        found.setdefault(what, {}).setdefault(name, Rounds()).add(units, spent, asked, end_ns, latencies or own)

    with served() as bench:
        for _ in range(repeats):
            for door, name in (("binance-spot", "binance-spot door"), ("plain", "sockets alone")):
                spent, asked = bench.rest(door, count)
                note("new orders over one kept REST connection, per order", name, count, spent, asked)
                if door == "binance-spot":
                    check_orders(asked.answers)
                for window, how in ((1, "one at a time"), (WINDOW, f"{WINDOW} on the way")):
                    spent, asked = bench.entry(door, count, window)
                    note(f"new orders over WebSocket, {how}, per order", name, count, spent, asked)
                    if door == "binance-spot":
                        check_orders(asked.answers)
            for audience in AUDIENCES:
                spent, asked, latencies = bench.fan(count, audience)
                many = "1 subscriber" if audience == 1 else f"{audience} subscribers"
                note("best quotes fanned out, per message", many, count * audience, spent, asked, latencies)
    return [
        (what, [rounds.measured(name, min(next(iter(named.values())).cpu_ns)) for name, rounds in named.items()])
        for what, named in found.items()
    ]


@contextmanager
def served() -> Iterator[Bench]:
    """Run the server in a process of its own while the block runs."""
    command = [sys.executable, "-m", "bench.server"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        try:
            yield Bench(child)
        finally:
            child.communicate()


class PlainSession(Session):
    """Answers every frame at once."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def heard(self, frame: bytes, now_ns: int) -> None:
        self.connection.send(frame)


class PlainDoor(Door):
    """Answers every request at once."""

    name = "plain"
    answer = HttpResponse(200, b'{"symbol":"BTCUSDT","status":"NEW"}' + b" " * 400)

    def http(self, request: HttpRequest, now_ns: int) -> HttpResponse:
        return self.answer

    def connect(
        self, path: str, query: bytes, headers: Mapping[str, str], client: str, connection: Connection, now_ns: int
    ) -> Session | HttpResponse:
        return PlainSession(connection)

    def addresses(self, http: str, ws: str) -> Mapping[str, str]:
        return {"rest": http, "ws": ws, "ws_api": ws}


class PlainDialect(Dialect):
    name = "plain"

    def doors(self) -> Mapping[str, Door]:
        return {"plain": PlainDoor()}


async def serve() -> None:
    """Serve until standard input ends."""
    from quotewright.plugin.registry import PluginSet
    from quotewright_simexchange.exchange.records import OrderRequest
    from quotewright_simexchange.server import opening
    from quotewright_simexchange.server.serving import Server

    exchange, _ = opening.open_exchange(["BTC-USDT.spot"], "binance", seed=1, start_ns=time.time_ns())
    dialect = opening.open_dialects(["binance"], exchange)[0]
    cards = {name: lifted(card) for name, card in dialect.cards.items()}
    plugins = PluginSet.discover([])
    dialects = [plugins.get("dialects", "binance")(exchange, cards), PlainDialect(exchange, cards)]
    async with Server(exchange, dialects) as server:
        keys = []
        for name in ("maker", "taker", "standing"):
            exchange.open_account(name, PLENTY)
            key = exchange.add_key(name)
            keys.append((key.key, key.secret))
        for price, side in STANDING:
            terms: Any = {"symbol": "BTCUSDT", "side": side, "quantity": Decimal(100), "price": Decimal(price)}
            exchange.place("standing", OrderRequest(**terms))
        print(json.dumps({"doors": server.addresses(), "keys": keys}), flush=True)
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()

        def tell(when_over: Callable[[], object]) -> None:
            for _ in sys.stdin.buffer:
                print(time.process_time_ns(), flush=True)
            loop.call_soon_threadsafe(when_over)

        threading.Thread(target=tell, args=(ended.set,), daemon=True).start()
        await ended.wait()


def lifted(card: Any) -> Any:
    """Return a venue's card with limits that are counted and never reached."""
    rates = tuple(attrs.evolve(rate, limit=10**12) for rate in card.limits.rates)
    return attrs.evolve(card, limits=attrs.evolve(card.limits, rates=rates))


if __name__ == "__main__":
    asyncio.run(serve())
