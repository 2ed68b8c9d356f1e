"""One listening socket of a door, with its connections."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

from uvicorn import Config
from uvicorn.server import ServerState

from quotewright.errors import ConfigError
from quotewright_simexchange.doors import HttpRequest, HttpResponse, Session
from quotewright_simexchange.server.faulty_door import FOREVER, FaultyDoor, Reply
from quotewright_simexchange.server.http import BoundedHttp, DoorApp
from quotewright_simexchange.server.limits import ServerCounts, ServerLimits
from quotewright_simexchange.server.sockets import GOING_AWAY, Socket

if TYPE_CHECKING:
    from quotewright_simexchange.doors import Door
    from quotewright_simexchange.server.faults import Faults

log = logging.getLogger("quotewright.exchange")
BACKLOG = 512


class Port:
    """An application on a listening socket: what doors and the control plane have in common."""

    def __init__(self, limits: ServerLimits, counts: ServerCounts) -> None:
        self.limits = limits
        self.counts = counts
        self.sockets: set[Socket] = set()
        self.address: tuple[str, int] = ("", 0)
        self._server: asyncio.Server | None = None
        self._state = ServerState()
        self._second = 0

    def application(self) -> Any:
        """Return the ASGI application."""
        raise TypeError(f"{type(self).__name__} lacks application()")

    async def open(self, host: str, port: int, tls: ssl.SSLContext | None) -> None:
        """Listen.

        Raises:
            ConfigError: the address cannot be listened on.
        """
        config = Config(
            self.application(),
            ws=Socket,
            http=BoundedHttp,
            interface="asgi3",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            timeout_keep_alive=self.limits.idle_seconds,
            limit_concurrency=self.limits.connections,
        )
        config.load()
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        state = {"listener": self}
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(
                lambda: BoundedHttp(config, self._state, state, loop), host, port, ssl=tls, backlog=BACKLOG
            )
        except (OSError, OverflowError) as error:
            raise ConfigError(f"{host} port {port} cannot be listened on: {error}; give another, or port 0") from None
        name = self._server.sockets[0].getsockname()
        self.address = (name[0], name[1])

    def stamp(self) -> None:
        """Keep the header ``date`` of answers right, to the second."""
        second = int(time.time())
        if second != self._second:
            self._second = second
            self._state.default_headers[:] = [(b"date", formatdate(second, usegmt=True).encode())]

    async def close(self) -> None:
        """Listen no more; end all connections, in order where the client takes part, and wait for requests at hand."""
        if self._server is None:
            return
        self._server.close()
        for one in list(self.sockets):
            one.close(GOING_AWAY, "the exchange ends")
        for connection in list(self._state.connections):
            connection.shutdown()
        tasks = list(self._state.tasks)
        if tasks:
            await asyncio.wait(tasks, timeout=1.0)
        if self.sockets:
            waiting = asyncio.get_running_loop().time() + 1.0
            while self.sockets and asyncio.get_running_loop().time() < waiting:
                await asyncio.sleep(0.005)
        for one in list(self.sockets):
            one.abort()
        for connection in list(self._state.connections):
            connection.transport.abort()
        for task in self._state.tasks:
            task.cancel()
        # Transports tell their protocols of the end in the next turns of the loop.
        await asyncio.sleep(0)
        await self._server.wait_closed()


class Listener(Port):
    """A door's port. *enter* brings the market up to date and returns the door clock."""

    def __init__(
        self,
        door: Door,
        faults: Faults,
        limits: ServerLimits,
        counts: ServerCounts,
        now_ns: Callable[[], int],
        catch_up: Callable[[], None],
    ) -> None:
        super().__init__(limits, counts)
        self.door = FaultyDoor(door, faults, now_ns, self._wake)
        self.now_ns = now_ns
        self.catch_up = catch_up
        self._timer: asyncio.TimerHandle | None = None
        self._timer_ns = FOREVER
        self._told: set[str] = set()

    def application(self) -> Any:
        return DoorApp(self)

    def enter(self) -> int:
        """Bring the market up to date and return the door clock, before anything is handed to the door."""
        self.catch_up()
        return self.now_ns()

    def take(self, request: HttpRequest, reply: Reply) -> None:
        self.stamp()
        self.door.http(request, self.enter(), reply)

    def connect(
        self, path: str, query: bytes, headers: Mapping[str, str], client: str, connection: Socket
    ) -> Session | HttpResponse | None:
        return self.door.connect(path, query, headers, client, connection, self.enter())

    def clock_moved(self) -> None:
        """The door clock was set: look at all deadlines again."""
        for one in list(self.sockets):
            one.clock_moved()
        self._due()

    def tell_unserved(self) -> None:
        """Log every endpoint that is asked for and not served, once."""
        for what in self.door.door.unserved():
            if what not in self._told:
                self._told.add(what)
                log.warning("%s: %s is not served", self.door.name, what)

    def tell_slow(self, one: Socket) -> None:
        log.warning("%s: a client does not read; it is cut off with %d bytes", self.door.name, self.limits.queue)

    def failed(self, what: str) -> None:
        """Note that the door raised."""
        self.counts.errors += 1
        log.exception("%s: %s raised", self.door.name, what)

    def _wake(self, when_ns: int) -> None:
        if when_ns < self._timer_ns:
            self._arm()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._timer_ns = self.door.deadline_ns
        if self._timer_ns < FOREVER:
            wait = max(0.0, (self._timer_ns - self.now_ns()) / 1e9)
            self._timer = asyncio.get_running_loop().call_later(wait, self._due)

    def _due(self) -> None:
        self._timer_ns = FOREVER
        self.door.tick(self.now_ns())
        self._arm()

    async def close(self) -> None:
        await super().close()
        if self._timer is not None:
            self._timer.cancel()


def is_loopback_host(host: str) -> bool:
    """Return whether everything *host* stands for is this machine."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return False
    return bool(found) and all(str(one[4][0]).startswith("127.") or one[4][0] == "::1" for one in found)
