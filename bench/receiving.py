"""From a loopback socket to the book: a server in a process of its own sends bursts of Binance depth frames.

``python -m bench.receiving COUNT SEED`` is that server: it prints its port, and sends the next burst of a connection
whenever that connection says anything.
"""

from __future__ import annotations

import asyncio
import hashlib
import socket
import ssl
import subprocess
import sys
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from zlib import crc32

from bench.frames import OVERLAP, SNAPSHOT_URL, frames
from bench.measure import Candidate, Measured, Work, compare
from quotewright.kernel.ladder import Ladder
from quotewright.kernel.rows import TapeBuffer
from quotewright.kernel.sink import TapeSink
from quotewright.live.orders import OpenSocket, SendText
from quotewright.live.settings import LiveSettings
from quotewright.live.transport import Transport
from quotewright_plugins.exchanges.binance.adapter import BinanceAdapter

BURST = 500
TARGET_NS = 2000
TRUSTED = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Nobody: there is no TLS here."""
ROOT = Path(__file__).resolve().parent.parent
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def to_book(count: int, seed: int, repeats: int) -> list[Measured]:
    """Every frame from the socket to the best quotes; and the same frames received and counted."""
    snapshot, made = frames(count, seed)
    with served(count, seed) as port:
        connections: list[Connection] = []

        def opened(handle: Callable[[bytes], object]) -> Connection:
            while connections:
                connections.pop().close()
            connections.append(Connection(port, handle))
            return connections[0]

        def ours() -> Work:
            adapter, buffer, book = BinanceAdapter("usdm"), TapeBuffer(65_536), Ladder()
            sink = TapeSink(buffer, {"BTCUSDT": (0, 1, 3)})
            adapter.on_message(OVERLAP, "ws", None, 1, sink)
            adapter.on_message(snapshot, "rest", SNAPSHOT_URL, 1, sink)
            book.apply(buffer, 0, buffer.count)
            buffer.truncate(0)
            on_message, apply, truncate, now = adapter.on_message, book.apply, buffer.truncate, time.time_ns
            best = [0, 0]

            def handle(frame: bytes) -> None:
                on_message(frame, "ws", None, now(), sink)
                apply(buffer, 0, buffer.count)
                truncate(0)
                best[0], best[1] = book.best_bid, book.best_offer

            connection = opened(handle)

            def work() -> int:
                received = connection.receive(count)
                assert adapter.counters.updates >= count, "the adapter passed frames over"
                assert 0 < best[0] < best[1], f"the book ends crossed or empty: {best}"
                return received

            return work

        def alone() -> Work:
            connection = opened(lambda frame: None)
            return lambda: connection.receive(count)

        try:
            return compare(
                [
                    Candidate(
                        name="picows, adapter, sink, ladder",
                        units=len(made),
                        prepare=ours,
                        check=int,
                        target_ns=TARGET_NS,
                    ),
                    Candidate(name="picows alone", units=len(made), prepare=alone, check=int),
                ],
                repeats,
            )
        finally:
            while connections:
                connections.pop().close()


class Connection:
    """One connection of the live transport, held open by a task of a loop that runs while frames are received."""

    def __init__(self, port: int, handle: Callable[[bytes], object]) -> None:
        self.handle = handle
        self.runner = asyncio.Runner()
        self.left = 0
        self.sum = 0
        loop = self.runner.get_loop()
        self.is_open: asyncio.Future[None] = loop.create_future()
        self.is_done: asyncio.Future[None] = loop.create_future()
        self.is_over = asyncio.Event()
        self.task = loop.create_task(self._hold(f"ws://127.0.0.1:{port}/stream"))
        self.runner.run(self._reached(self.is_open))

    async def _hold(self, url: str) -> None:
        async with Transport(LiveSettings(), self, TRUSTED) as self.transport:
            self.transport.carry_out([OpenSocket(1, url)])
            await self.is_over.wait()

    async def _reached(self, future: asyncio.Future[None]) -> None:
        await future

    def receive(self, count: int) -> int:
        """Ask for bursts until *count* frames have come, and return a checksum of those that end a burst."""
        self.left = count
        self.sum = 0
        self.is_done = self.runner.get_loop().create_future()
        self.transport.carry_out([SendText(1, b"more")])
        self.runner.run(self._reached(self.is_done))
        return self.sum

    def close(self) -> None:
        """End the connection and its loop."""
        self.is_over.set()
        self.runner.run(asyncio.wait_for(self.task, 10))
        self.runner.close()

    # What the transport tells.

    def connected(self, number: int) -> None:
        pass

    def opened(self, number: int) -> None:
        self.is_open.set_result(None)

    def heard(self, number: int, frame: bytes) -> None:
        self.handle(frame)
        self.left = left = self.left - 1
        if left % BURST == 0:
            self.sum = crc32(frame, self.sum)
            if left:
                self.transport.carry_out([SendText(1, b"more")])
            else:
                self.is_done.set_result(None)

    def ponged(self, number: int) -> None:
        pass

    def closed(self, number: int, code: int, reason: str) -> None:
        self.failed(number, f"closed with {code} {reason}", 0, {}, b"")

    def failed(self, number: int, reason: str, status: int, headers: Mapping[str, str], body: bytes) -> None:
        for future in (self.is_open, self.is_done):
            if not future.done():
                future.set_exception(ConnectionError(reason))

    def answered(self, ticket: int, status: int, headers: Mapping[str, str], body: bytes) -> None:
        pass

    def unanswered(self, ticket: int, reason: str) -> None:
        pass


@contextmanager
def served(count: int, seed: int) -> Iterator[int]:
    """Run the server in a process of its own while the block runs; the value is its port."""
    command = [sys.executable, "-m", "bench.receiving", str(count), str(seed)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        try:
            yield int(child.stdout.readline())
        finally:
            child.communicate()


def serve(count: int, seed: int) -> None:
    """Serve until standard input ends."""
    _, made = frames(count, seed)
    wired = [_wired(frame) for frame in made]
    # The burst that completes a round is cut so that rounds of one connection do not run into each other.
    bursts = [b"".join(wired[at : at + BURST]) for at in range(count % BURST, count, BURST)]
    if count % BURST:
        bursts.insert(0, b"".join(wired[: count % BURST]))
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=_accept, args=(listener, bursts), daemon=True).start()
    print(listener.getsockname()[1], flush=True)
    sys.stdin.buffer.read()


def _accept(listener: socket.socket, bursts: list[bytes]) -> None:
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=_send, args=(connection, bursts), daemon=True).start()


def _send(connection: socket.socket, bursts: list[bytes]) -> None:
    """Shake hands, then send one burst for everything that comes."""
    with connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        head = b""
        while b"\r\n\r\n" not in head:
            head += connection.recv(4096)
        key = next(
            line.partition(b":")[2].strip()
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"sec-websocket-key")
        )
        accept = b64encode(hashlib.sha1(key + _GUID, usedforsecurity=False).digest())
        connection.sendall(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        try:
            for burst in bursts:
                if not connection.recv(4096):
                    return
                connection.sendall(burst)
            while connection.recv(4096):
                pass
        except ConnectionError:  # the round is over
            return


def _wired(frame: bytes) -> bytes:
    """Return *frame* as a text frame of a server."""
    size = len(frame)
    head = bytes((0x81, size)) if size < 126 else b"\x81\x7e" + size.to_bytes(2, "big")
    return head + frame


if __name__ == "__main__":
    serve(int(sys.argv[1]), int(sys.argv[2]))
