"""The whole server: doors, control plane, pacer. ``async with Server(exchange, dialects) as server``."""

from __future__ import annotations

import asyncio
import secrets
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

import attrs

from quotewright.errors import ConfigError
from quotewright_simexchange.server.control import Control
from quotewright_simexchange.server.control_http import ControlPort
from quotewright_simexchange.server.faults import Faults
from quotewright_simexchange.server.limits import ServerCounts, ServerLimits
from quotewright_simexchange.server.listener import Listener, is_loopback_host
from quotewright_simexchange.server.pacing import Pacer, Speed

if TYPE_CHECKING:
    from quotewright_simexchange.doors import Dialect
    from quotewright_simexchange.exchange.exchange import Exchange
    from quotewright_simexchange.markets.driver import MarketDriver
    from quotewright_simexchange.server.faulty_door import FaultyDoor

T = TypeVar("T")
BEAT_S = 0.002
"""How often a paced market is brought up to date when nobody asks."""


class Server:
    """Owns sockets and clocks; hands bytes to doors. Everything happens on the loop that entered it."""

    def __init__(
        self,
        exchange: Exchange,
        dialects: Sequence[Dialect],
        *,
        markets: Sequence[MarketDriver] = (),
        speed: Speed = 1.0,
        seed: int = 0,
        host: str = "127.0.0.1",
        port: int = 0,
        control_port: int = 0,
        allow_remote: bool = False,
        token: str = "",
        limits: ServerLimits | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        if not is_loopback_host(host) and not (allow_remote and token):
            raise ConfigError(
                f"host {host} can be reached from other machines: that needs --allow-remote and --token TOKEN; give "
                "both, or leave --host out"
            )
        if token and not (token.isascii() and token.isprintable() and " " not in token):
            raise ConfigError("token: should be of ASCII letters, digits and signs, without spaces; headers carry it")
        self.exchange = exchange
        self.dialects = list(dialects)
        self.markets = list(markets)
        """What trades by itself; whoever made it has started it."""
        self.host = host
        self.port = port
        self.control_port = control_port
        self.tls = tls
        self.limits = limits or ServerLimits()
        self.tallies = ServerCounts()
        self.faults = Faults(seed)
        self.pacer = Pacer(exchange, speed)
        self.token = token or secrets.token_urlsafe(24)
        self.control = Control(exchange, self, self.dialects)
        self.listeners: dict[str, Listener] = {}
        self._control = ControlPort(self.control, self.token, self.limits, self.tallies, (host,))
        self._offset_ns = 0
        self._beat: asyncio.TimerHandle | asyncio.Handle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    # Clocks.

    def now_ns(self) -> int:
        """Return the door clock."""
        return time.time_ns() + self._offset_ns

    def set_door_offset(self, offset_ns: int) -> None:
        """Set the door clock so far off this machine's."""
        self._offset_ns = offset_ns
        for one in self.listeners.values():
            one.clock_moved()

    def catch_up(self) -> None:
        """Bring the market up to date."""
        self.pacer.catch_up(time.monotonic_ns())

    def _turn(self) -> None:
        assert self._loop is not None
        self.pacer.turn(time.monotonic_ns)
        if self.pacer.speed == "max" and not self.pacer.is_paused:
            self._beat = self._loop.call_soon(self._turn)
        else:
            self._beat = self._loop.call_later(BEAT_S, self._turn)

    # What is told.

    @property
    def control_url(self) -> str:
        """Root of the control plane."""
        return f"{'https' if self.tls else 'http'}://{self._netloc(self._control.address[1])}"

    def addresses(self) -> dict[str, dict[str, str]]:
        """Return the addresses by door."""
        safe = "s" if self.tls else ""
        found = {}
        for name, one in self.listeners.items():
            netloc = self._netloc(one.address[1])
            found[name] = dict(one.door.door.addresses(f"http{safe}://{netloc}", f"ws{safe}://{netloc}"))
        return found

    def counts(self) -> dict[str, int]:
        return attrs.asdict(self.tallies)

    def faulty_doors(self) -> list[FaultyDoor]:
        return [one.door for one in self.listeners.values()]

    def _netloc(self, port: int) -> str:
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    # Life.

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        try:
            for dialect in self.dialects:
                for name, door in dialect.doors().items():
                    one = Listener(door, self.faults, self.limits, self.tallies, self.now_ns, self.catch_up)
                    await one.open(self.host, self.port + len(self.listeners) if self.port else 0, self.tls)
                    self.listeners[name] = one
            await self._control.open(self.host, self.control_port, self.tls)
        except BaseException:
            await self._close()
            raise
        self.pacer.catch_up(time.monotonic_ns() - 1)
        self._turn()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close()

    async def _close(self) -> None:
        if self._beat is not None:
            self._beat.cancel()
        await asyncio.gather(*(one.close() for one in self.listeners.values()), self._control.close())


class ServerThread:
    """A server on a loop of its own, for programs without one. ``with ServerThread(server) as server``.

    The exchange is not to be touched from outside while it runs: ``thread.call(function)`` calls on its loop.
    """

    def __init__(self, server: Server) -> None:
        self.server = server
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._ready = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="quotewright-exchange", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        if self._error is not None:
            self._thread.join()
            raise self._error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._loop is not None
        assert self._stop is not None
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def call(self, function: Callable[..., T], *arguments: Any, **more: Any) -> T:
        """Call *function* on the server's loop and return what it returns."""
        assert self._loop is not None

        async def inside() -> T:
            return function(*arguments, **more)

        return asyncio.run_coroutine_threadsafe(inside(), self._loop).result()

    def addresses(self) -> Mapping[str, Mapping[str, str]]:
        return self.server.addresses()

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        try:
            async with self.server:
                self._ready.set()
                await self._stop.wait()
        except BaseException as error:
            self._error = error
        finally:
            self._ready.set()
