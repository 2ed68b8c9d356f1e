"""The server over real loopback sockets: bytes to doors and back, limits, slow readers, faults, ends."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from picows import WSFrame, WSHandshakeError, WSListener, WSMsgType, WSTransport, ws_connect

from quotewright.errors import ConfigError
from quotewright_simexchange.server.faults import Fault
from quotewright_simexchange.server.limits import ServerLimits
from quotewright_simexchange.server.serving import Server, ServerThread
from tests.simexchange.server.lines import LineDoor, Lines, Market

PATIENCE = 20.0
HANDSHAKE = (
    b"GET /lines HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
HEADERS = {"X-Key": "K"}
SMALL = ServerLimits(body=1000, head=4000, frame=1000, queue=64 * 1024, connections=5)


@contextlib.asynccontextmanager
async def serving(*doors: LineDoor, **more: Any) -> AsyncIterator[Server]:
    market = Market()
    server = Server(market, [Lines(market, {}, *doors)], **{"speed": "step", "limits": SMALL, **more})
    async with asyncio.timeout(PATIENCE), server:
        yield server


def root(server: Server, door: str = "lines") -> str:
    return server.addresses()[door]["rest"]


class Listening(WSListener):
    """Keeps what comes in a queue that a test waits on."""

    def __init__(self) -> None:
        self.got: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()
        self.transport: WSTransport | None = None
        self.is_gone = asyncio.Event()

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        name = {WSMsgType.TEXT: "text", WSMsgType.PING: "ping", WSMsgType.PONG: "pong", WSMsgType.CLOSE: "close"}
        self.got.put_nowait((name[frame.msg_type], frame.get_payload_as_bytes()))
        if frame.msg_type == WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code(), b"")
            transport.disconnect()

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self.is_gone.set()

    async def text(self) -> str:
        kind, payload = await self.got.get()
        assert kind == "text", (kind, payload)
        return payload.decode()

    def say(self, text: str | bytes) -> None:
        assert self.transport is not None
        self.transport.send(WSMsgType.TEXT, text.encode() if isinstance(text, str) else text)


async def joined(server: Server, path: str = "/lines", door: str = "lines", **more: Any) -> Listening:
    url = server.addresses()[door]["ws"] + path
    _, listener = await ws_connect(Listening, url, enable_auto_pong=False, **more)
    assert isinstance(listener, Listening)
    if "hello" not in path:
        assert (await listener.text()).startswith("hello")
    return listener


def close_code(frame: tuple[str, bytes]) -> int:
    assert frame[0] == "close", frame
    return int.from_bytes(frame[1][:2], "big")


def test_a_request_comes_to_its_door_raw_and_its_answer_to_the_client():
    async def run() -> None:
        one, other = LineDoor("lines"), LineDoor("other")
        async with serving(one, other) as server, httpx.AsyncClient() as client:
            answer = await client.post(f"{root(server)}/a%20b?x=%2F&y=1", content=b"raw\x00body", headers=HEADERS)
            assert (answer.status_code, answer.json(), answer.headers["x-used"]) == (200, {"echo": "x=%2F&y=1"}, "1")
            assert answer.headers["content-type"] == "application/json"
            assert "date" in answer.headers
            request = one.requests[0]
            assert (request.method, request.path, request.query) == ("POST", "/a b", b"x=%2F&y=1")
            assert (request.body, request.headers["x-key"], request.client) == (b"raw\x00body", "K", "127.0.0.1")
            assert other.requests == []
            await client.get(root(server, "other"))
            assert len(other.requests) == 1

    asyncio.run(run())


def test_a_session_hears_lines_pings_and_pongs_and_is_told_of_its_end_once():
    async def run() -> None:
        door = LineDoor()
        async with serving(door) as server:
            listener = await joined(server, "/lines?a=%2F")
            listener.say("one")
            assert await listener.text() == "heard one"
            listener.transport.send_ping(b"payload")
            assert await listener.got.get() == ("pong", b"payload")
            listener.transport.send_pong(b"unasked")
            assert await listener.text() == "pong unasked"
            session = door.sessions[0]
            assert session.told == [("text", b"one"), ("ping", b"payload"), ("pong", b"unasked")]
            listener.transport.send_close(1000, b"")
            assert close_code(await listener.got.get()) == 1000
            await listener.is_gone.wait()
        assert (door.closed, session.is_closed, door.sessions) == (1, True, [])

    asyncio.run(run())


def test_a_session_is_called_at_its_deadline():
    async def run() -> None:
        async with serving(LineDoor(ping_ns=5_000_000)) as server:
            listener = await joined(server)
            assert await listener.got.get() == ("ping", b"are you there")

    asyncio.run(run())


def test_a_deadline_moves_with_the_door_clock():
    async def run() -> None:
        async with serving(LineDoor(ping_ns=3600 * 10**9)) as server:
            listener = await joined(server)
            server.control.set_door_clock(3601.0)
            assert await listener.got.get() == ("ping", b"are you there")

    asyncio.run(run())


def test_a_door_may_refuse_a_handshake_in_its_own_words():
    async def run() -> None:
        async with serving() as server:
            with pytest.raises(WSHandshakeError) as refused:
                await joined(server, "/elsewhere")
            assert refused.value.response.status == 400
            assert refused.value.raw_body == b"no such stream"

    asyncio.run(run())


def test_a_message_in_pieces_and_a_large_one_come_whole():
    async def run() -> None:
        door = LineDoor()
        async with serving(door, limits=ServerLimits()) as server:
            listener = await joined(server)
            long = "y" * 200_000
            listener.say(long)
            assert await listener.text() == f"heard {long}"
            listener.transport.send(WSMsgType.TEXT, b"in ", fin=False)
            listener.transport.send(WSMsgType.CONTINUATION, b"pieces")
            assert await listener.text() == "heard in pieces"

    asyncio.run(run())


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_is_too_large_is_answered_with_413(chunked):
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(30):
            yield b"z" * 1000

    async def run() -> None:
        door = LineDoor()
        async with serving(door) as server, httpx.AsyncClient() as client:
            answer = await client.post(root(server), content=parts() if chunked else b"z" * 1001)
            assert answer.status_code == 413
            assert (door.requests, server.counts()["large_bodies"]) == ([], 1)
            assert (await client.post(root(server), content=b"z" * 1000)).status_code == 200

    asyncio.run(run())


@pytest.mark.parametrize("head", [b"GET /?" + b"q" * 200_000, b"GET / HTTP/1.1\r\nhost: x\r\nx: " + b"v" * 200_000])
def test_a_head_without_end_is_refused(head):
    async def run() -> None:
        async with serving() as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", int(root(server).rpartition(":")[2]))
            writer.write(head)
            assert (await reader.readline()).startswith(b"HTTP/1.1 431")
            writer.close()
            assert server.counts()["large_heads"] == 1

    asyncio.run(run())


@pytest.mark.parametrize("pieces", [False, True])
def test_a_frame_that_is_too_large_closes_with_1009(pieces):
    async def run() -> None:
        door = LineDoor()
        async with serving(door) as server:
            listener = await joined(server)
            if pieces:
                for number in range(11):
                    kind = WSMsgType.CONTINUATION if number else WSMsgType.TEXT
                    listener.transport.send(kind, b"z" * 100, fin=False)
            else:
                listener.say(b"z" * 1001)
            assert close_code(await listener.got.get()) == 1009
            assert (door.heard, server.counts()["large_frames"]) == ([], 1)

    asyncio.run(run())


def test_binary_frames_are_refused_with_1003_and_wrong_text_with_1007():
    async def run() -> None:
        async with serving() as server:
            listener = await joined(server)
            listener.transport.send(WSMsgType.BINARY, b"\x00")
            assert close_code(await listener.got.get()) == 1003
            listener = await joined(server)
            listener.transport.send(WSMsgType.TEXT, b"\xff\xfe")
            assert close_code(await listener.got.get()) == 1007

    asyncio.run(run())


def test_who_does_not_read_is_cut_off_and_others_are_served():
    async def run() -> None:
        door = LineDoor()
        async with serving(door) as server:
            other = await joined(server)
            slow = await joined(server)
            slow.transport.underlying_transport.pause_reading()
            while not server.counts()["slow_readers"]:
                slow.say("flood 32")
                other.say("x")
                assert (await other.text()) == "heard x"
            slow.transport.underlying_transport.resume_reading()
            await slow.is_gone.wait()
            assert len(door.sessions) == 1
            assert server.counts()["slow_readers"] == 1

    asyncio.run(run())


def test_more_connections_than_allowed_are_refused():
    async def run() -> None:
        async with serving() as server:
            kept = [await joined(server) for _ in range(SMALL.connections)]
            with pytest.raises(WSHandshakeError) as refused:
                await joined(server)
            assert refused.value.response.status == 503
            assert len(kept) == SMALL.connections

    asyncio.run(run())


def test_a_door_that_raises_costs_its_request_or_connection_only(caplog):
    async def run() -> None:
        async with serving() as server, httpx.AsyncClient() as client:
            assert (await client.get(f"{root(server)}/raise")).status_code == 500
            listener = await joined(server)
            listener.say("raise")
            assert close_code(await listener.got.get()) == 1011
            assert (await client.get(root(server))).status_code == 200
            assert server.counts()["errors"] == 2

    asyncio.run(run())
    assert "GET /raise raised" in caplog.text


def test_what_is_not_served_is_logged_once(caplog):
    async def run() -> None:
        async with serving() as server, httpx.AsyncClient() as client:
            for _ in range(3):
                assert (await client.get(f"{root(server)}/none")).status_code == 404

    asyncio.run(run())
    assert [one.message for one in caplog.records] == ["lines: GET /none is not served"]


def test_at_the_end_clients_are_told_and_nothing_is_left():
    async def run() -> None:
        door = LineDoor()
        async with serving(door) as server:
            listener = await joined(server)
            address = root(server)
        assert close_code(await listener.got.get()) == 1001
        assert door.closed == 1
        with pytest.raises(httpx.ConnectError):
            httpx.get(address)

    asyncio.run(run())


def test_a_client_that_does_not_answer_the_close_does_not_hold_up_the_end():
    async def run() -> None:
        door = LineDoor()
        async with serving(door) as server:
            listener = await joined(server)
            listener.transport.underlying_transport.pause_reading()
        assert door.closed == 1
        listener.transport.disconnect(False)

    asyncio.run(run())


HTTP_FAULTS = {
    "drop": (httpx.RemoteProtocolError, httpx.ReadError),
    "lost_ack": (httpx.RemoteProtocolError, httpx.ReadError),
    "disconnect": (httpx.RemoteProtocolError, httpx.ReadError),
    "outage": (httpx.RemoteProtocolError, httpx.ReadError),
    "half_open": (httpx.ReadTimeout,),
    "429": 429,
    "418": 418,
    "5xx": 503,
    "delay": 200,
    "duplicate": 200,
    "reorder": 200,
    "corrupt": 200,
    "ack_after_fill": 200,
}


@pytest.mark.parametrize("kind", HTTP_FAULTS)
def test_a_fault_over_http(kind):
    async def run() -> None:
        door = LineDoor()
        timeout = 0.1 if kind == "half_open" else PATIENCE
        async with serving(door) as server, httpx.AsyncClient(timeout=timeout) as client:
            server.faults.add(Fault(kind=kind, where="http", delay_ns=20_000_000))
            expected = HTTP_FAULTS[kind]
            if isinstance(expected, int):
                answer = await client.post(f"{root(server)}/?a", content=b"1")
                assert answer.status_code == expected
                assert (answer.content == b'{"echo": "a"}') == (expected == 200 and kind != "corrupt")
            else:
                with pytest.raises(expected):
                    await client.post(f"{root(server)}/?a", content=b"1")
            assert server.faults.counts[kind] == 1
            server.control.heal()
            assert (await client.get(root(server))).status_code == 200

    asyncio.run(run())


SOCKET_FAULTS = {  # what the client gets of 1, 2, 3
    "drop": ["2", "3"],
    "gap": ["3"],
    "duplicate": ["1", "1", "2", "3"],
    "reorder": ["2", "1", "3"],
    "delay": ["1", "2", "3"],
}


@pytest.mark.parametrize("kind", SOCKET_FAULTS)
def test_a_fault_of_frames(kind):
    async def run() -> None:
        door = LineDoor()
        async with serving(door) as server:
            listener = await joined(server)
            server.faults.add(Fault(kind=kind, where="out", frames=2, delay_ns=10_000_000))
            for text in "123":
                door.tell(text)
            assert [(await listener.text())[7:] for _ in SOCKET_FAULTS[kind]] == SOCKET_FAULTS[kind]

    asyncio.run(run())


def test_a_cut_connection_ends_without_a_close_and_a_dead_one_is_silent_until_healed():
    async def run() -> None:
        door = LineDoor()
        async with serving(door) as server:
            cut = await joined(server)
            assert server.control.inject("disconnect", now=True) == {"number": 0, "struck": 1}
            await cut.is_gone.wait()
            dead = await joined(server)
            assert server.control.inject("half_open", now=True)["struck"] == 1
            dead.say("anyone")
            dead.transport.send_ping(b"there")
            probe = await joined(server)
            probe.say("x")
            assert await probe.text() == "heard x"
            assert dead.got.empty()
            assert door.heard == [b"x"]
            server.control.heal()
            await dead.is_gone.wait()
            assert dead.got.empty()
            assert (server.faults.counts["disconnect"], server.faults.counts["half_open"]) == (1, 1)

    asyncio.run(run())


def test_handshakes_are_struck_too():
    async def run() -> None:
        async with serving() as server:
            server.faults.add(Fault(kind="429", where="connect"))
            with pytest.raises(WSHandshakeError) as refused:
                await joined(server)
            assert refused.value.response.status == 429
            server.faults.add(Fault(kind="disconnect", where="connect"))
            reader, writer = await asyncio.open_connection("127.0.0.1", int(root(server).rpartition(":")[2]))
            writer.write(HANDSHAKE)
            with contextlib.suppress(ConnectionResetError):
                assert await reader.read() == b""
            writer.close()
            assert server.faults.counts["disconnect"] == 1
            await joined(server)

    asyncio.run(run())


def test_tls_with_a_certificate_made_here():
    trustme = pytest.importorskip("trustme")

    async def run() -> None:
        authority = trustme.CA()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        trusting = ssl.create_default_context()
        authority.configure_trust(trusting)
        async with serving(tls=context) as server, httpx.AsyncClient(verify=trusting) as client:
            assert root(server).startswith("https://")
            assert (await client.get(root(server))).status_code == 200
            listener = await joined(server, ssl_context=trusting)
            listener.say("x")
            assert await listener.text() == "heard x"

    asyncio.run(run())


def test_other_machines_are_let_in_only_when_that_is_asked_for():
    for host in ("0.0.0.0", "::", "192.0.2.1", "no.such.name.invalid"):
        for more in ({}, {"allow_remote": True}, {"token": "T"}):
            with pytest.raises(ConfigError, match="can be reached from other machines"):
                Server(Market(), [Lines(Market())], host=host, **more)
    Server(Market(), [Lines(Market())], host="0.0.0.0", allow_remote=True, token="T")
    Server(Market(), [Lines(Market())], host="localhost")


def test_a_port_that_is_taken_is_told():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()

        async def run() -> None:
            async with serving(port=taken.getsockname()[1]):
                raise AssertionError

        with pytest.raises(ConfigError, match="cannot be listened on"):
            asyncio.run(run())


def test_a_thread_serves_a_program_without_a_loop():
    market, door = Market(), LineDoor()
    with ServerThread(Server(market, [Lines(market, {}, door)], speed="step")) as thread:
        assert httpx.get(thread.addresses()["lines"]["rest"]).status_code == 200
        assert thread.call(len, door.requests) == 1
        thread.call(thread.server.control.advance, 1.5)
        assert market.now_ns == 1_500_000_000
