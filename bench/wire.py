"""Plain clients for a server's bench: requests and frames are bytes made beforehand, answers are only cut apart."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import selectors
import socket
import time
from collections.abc import Sequence
from urllib.parse import urlsplit

import attrs

WAIT_S = 20.0
"""How long anything is waited for before the bench gives up."""


@attrs.frozen
class Asked:
    """Requests that were answered: when each was sent, when its answer was there, and the answers."""

    sent_ns: list[int]
    answered_ns: list[int]
    answers: list[bytes]


def signature(secret: str, text: str) -> str:
    """Return the HMAC-SHA256 of *text* in hex."""
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def rest_request(method: str, path: str, query: str, key: str) -> bytes:
    """Return a request as an unadorned client writes it."""
    lines = (f"{method} {path}?{query} HTTP/1.1", "Host: 127.0.0.1", f"X-MBX-APIKEY: {key}", "Content-Length: 0")
    return "\r\n".join([*lines, "", ""]).encode()


def text_frame(payload: bytes) -> bytes:
    """Return *payload* as a client's text frame, masked as it must be."""
    mask = os.urandom(4)
    size = len(payload)
    head = bytes((0x81, 0x80 | size)) if size < 126 else b"\x81\xfe" + size.to_bytes(2, "big")
    whole = int.from_bytes((mask * (size // 4 + 1))[:size], "big") ^ int.from_bytes(payload, "big")
    return head + mask + whole.to_bytes(size, "big")


def frames_of(data: bytearray) -> list[bytes]:
    """Take all whole frames off the front of *data* and return what they carry."""
    found = []
    at = 0
    end = len(data)
    while end - at >= 2:
        size, start = data[at + 1], at + 2
        if size == 126:
            size, start = int.from_bytes(data[start : start + 2], "big"), start + 2
        if start > end or start + size > end:
            break
        assert data[at] == 0x81, f"a text frame should have come, was {bytes(data[at : at + 40])!r}"
        found.append(bytes(data[start : start + size]))
        at = start + size
    del data[:at]
    return found


class Wire:
    """One connection to a server."""

    def __init__(self, url: str) -> None:
        where = urlsplit(url)
        self.path = where.path or "/"
        self.socket = socket.create_connection((where.hostname or "", where.port or 0), timeout=WAIT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.data = bytearray()

    def close(self) -> None:
        self.socket.close()

    def more(self) -> None:
        """Wait for more bytes."""
        came = self.socket.recv(1 << 18)
        if not came:
            raise ConnectionError(f"the server ended the connection; it sent {bytes(self.data[:200])!r}")
        self.data += came

    def upgrade(self, path: str) -> None:
        """Make it a WebSocket connection."""
        head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        head += "Sec-WebSocket-Key: c3BlZWQgb2YgdGhlIHdpcg==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        self.socket.sendall(head.encode())
        while b"\r\n\r\n" not in self.data:
            self.more()
        assert self.data.startswith(b"HTTP/1.1 101"), f"the handshake was answered with {bytes(self.data[:200])!r}"
        del self.data[: self.data.index(b"\r\n\r\n") + 4]

    def ask(self, requests: Sequence[bytes]) -> Asked:
        """Send each request when the one before is answered."""
        asked = Asked([], [], [])
        send, now = self.socket.sendall, time.perf_counter_ns
        for request in requests:
            asked.sent_ns.append(now())
            send(request)
            body = self._answer()
            asked.answered_ns.append(now())
            asked.answers.append(body)
        return asked

    def _answer(self) -> bytes:
        data = self.data
        while (end := data.find(b"\r\n\r\n")) < 0:
            self.more()
        head = bytes(data[:end]).lower()
        place = head.index(b"content-length:") + 15
        size = int(head[place : head.find(b"\r\n", place) if b"\r\n" in head[place:] else end])
        while len(data) < end + 4 + size:
            self.more()
        body = bytes(data[end + 4 : end + 4 + size])
        assert head.startswith(b"http/1.1 200"), f"a request was answered with {head!r} {body!r}"
        del data[: end + 4 + size]
        return body

    def ask_frames(self, requests: Sequence[bytes], window: int) -> Asked:
        """Send frames, at most *window* of them unanswered."""
        asked = Asked([], [], [])
        send, now = self.socket.sendall, time.perf_counter_ns
        while len(asked.answers) < len(requests):
            while len(asked.sent_ns) < min(len(requests), len(asked.answers) + window):
                asked.sent_ns.append(now())
                send(requests[len(asked.sent_ns) - 1])
            self.more()
            came = frames_of(self.data)
            asked.answers.extend(came)
            asked.answered_ns.extend([now()] * len(came))
        return asked


class Audience:
    """Many WebSocket connections that get the same messages, read in one loop with the one that causes them."""

    def __init__(self, url: str, path: str, count: int) -> None:
        self.wires = [Wire(url) for _ in range(count)]
        for wire in self.wires:
            wire.upgrade(path)
            wire.socket.setblocking(False)

    def close(self) -> None:
        for wire in self.wires:
            wire.close()

    def watch(self, cause: Wire, requests: Sequence[bytes], window: int) -> tuple[Asked, list[int], list[bytes]]:
        """Send *requests* through *cause*, each of which makes one message for everybody.

        Returns:
            What was asked; how long each message took from its request until it was read, over all connections; and
            the messages of the last connection.
        """
        asked = Asked([], [], [])
        latencies: list[int] = []
        last: list[bytes] = []
        counts = [0] * len(self.wires)
        left = len(requests) * len(self.wires)
        now = time.perf_counter_ns
        with selectors.DefaultSelector() as selector:
            selector.register(cause.socket, selectors.EVENT_READ, -1)
            for number, wire in enumerate(self.wires):
                selector.register(wire.socket, selectors.EVENT_READ, number)
            while left or len(asked.answers) < len(requests):
                while len(asked.sent_ns) < min(len(requests), len(asked.answers) + window):
                    asked.sent_ns.append(now())
                    cause.socket.sendall(requests[len(asked.sent_ns) - 1])
                ready = selector.select(WAIT_S)
                assert ready, f"the server is silent; {left} messages are still to come"
                for key, _ in ready:
                    number = key.data
                    wire = cause if number < 0 else self.wires[number]
                    wire.more()
                    came = frames_of(wire.data)
                    at = now()
                    if number < 0:
                        asked.answers.extend(came)
                        asked.answered_ns.extend([at] * len(came))
                        continue
                    seen = counts[number]
                    latencies.extend(at - sent for sent in asked.sent_ns[seen : seen + len(came)])
                    counts[number] = seen + len(came)
                    left -= len(came)
                    if wire is self.wires[-1]:
                        last.extend(came)
        return asked, latencies, last


def order_query(number: int, side: str, price: str, key: str, secret: str) -> tuple[str, dict[str, str]]:
    """Return a new limit order, signed: as a query, and as the parameters of a frame."""
    terms = {
        "symbol": "BTCUSDT",
        "side": side,
        "type": "LIMIT",
        "timeInForce": "GTC",
        "quantity": "0.01",
        "price": price,
        "newClientOrderId": f"bench-{number}",
        "recvWindow": "60000",
        "timestamp": str(time.time_ns() // 1_000_000),
    }
    query = "&".join(f"{name}={value}" for name, value in terms.items())
    params = {**terms, "apiKey": key}
    text = "&".join(f"{name}={params[name]}" for name in sorted(params))
    return f"{query}&signature={signature(secret, query)}", {**params, "signature": signature(secret, text)}


def order_frame(number: int, params: dict[str, str]) -> bytes:
    """Return the frame that places an order."""
    return text_frame(json.dumps({"id": number, "method": "order.place", "params": params}).encode())
