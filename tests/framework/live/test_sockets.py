"""Sockets and requests over real loopback; every wait is for an event."""

from __future__ import annotations

import gzip
import inspect
import os
import tracemalloc

import anyio
import pytest

from quotewright.feed import BookState
from quotewright.live.connection import ConnectionState
from quotewright.live.transport import Unpacking, Unsafe, require_safe
from quotewright.testing.scripted import BINARY, PING, PONG, TEXT, Answer, Gone, Peer, ScriptedServer, frame
from quotewright.wire import KeepAlive, WireLimits
from tests.framework.live.feeds import PATIENCE, ToyFeed, VirtualTime, consume
from tests.framework.live.toy import Book, ToyAdapter

MILLISECOND = 1_000_000


def loopback(test):
    """Run a coroutine test with a limit of time."""

    def run(*args, **kwargs):
        async def limited():
            with anyio.fail_after(PATIENCE):
                await test(*args, **kwargs)

        anyio.run(limited)

    run.__name__ = test.__name__
    run.__doc__ = test.__doc__
    if hasattr(test, "pytestmark"):
        run.pytestmark = test.pytestmark
    run.__signature__ = inspect.signature(test)
    return run


async def serve_book(peer: Peer) -> None:
    """Accept, send a snapshot and read on."""
    await peer.accept()
    await peer.receive_text()
    await peer.send(Book("BTCUSDT").full())
    await peer.drain()


def is_good(feed: ToyFeed) -> bool:
    book = feed.adapter.books.get("BTCUSDT")
    return book is not None and book.state is BookState.SYNCHRONISED


@loopback
async def test_a_book_comes_over_a_socket():
    async with ScriptedServer(serve_book) as server, ToyFeed(server) as feed:
        await feed.until(lambda: is_good(feed))
        assert feed.connection.state == ConnectionState.OPEN
        assert consume(feed.source) > 30
        assert server.faults == []


@loopback
async def test_c01_a_refused_connection_is_tried_again_and_its_reason_kept():
    async with ScriptedServer(serve_book) as server:
        dead = server.port
    async with ScriptedServer(serve_book) as server, ToyFeed(server, websocket=f"ws://127.0.0.1:{dead}") as feed:
        await feed.until(lambda: feed.connection.pause.tries >= 3)
        assert "refused" in feed.connection.counters.last_reason.lower()


@loopback
async def test_c01_a_captive_portal_is_told_by_its_status():
    async def portal(peer: Peer) -> None:
        await peer.refuse(Answer(200, b"<html>pay</html>", {"content-type": "text/html"}))

    async with ScriptedServer(portal) as server, ToyFeed(server) as feed:
        await feed.until(lambda: "200" in feed.connection.counters.last_reason)
        assert feed.connection.state != ConnectionState.ENDED


@loopback
async def test_c02_a_peer_that_accepts_and_says_nothing_is_left_at_the_deadline():
    async with ScriptedServer(serve_book, before=lambda number: number < 2) as server, ToyFeed(server) as feed:
        await feed.until(lambda: is_good(feed))
        assert server.counts["connections"] >= 3
        assert "handshake was not answered within 50ms" in feed.connection.counters.last_reason


@loopback
async def test_a_wrong_handshake_is_refused():
    async def wrong(peer: Peer) -> None:
        if peer.number == 0:
            await peer.accept(b"AAAAAAAAAAAAAAAAAAAAAAAAAAA=")
            await peer.swallow()
        else:
            await serve_book(peer)

    async with ScriptedServer(wrong) as server, ToyFeed(server) as feed:
        await feed.until(lambda: is_good(feed))
        assert "handshake" in feed.connection.counters.last_reason


@loopback
async def test_c03_a_peer_that_swallows_everything_is_found_by_its_missing_pong():
    async def half_open(peer: Peer) -> None:
        if peer.number == 0:
            await peer.accept()
            await peer.swallow()
        else:
            await serve_book(peer)

    wire_keep = KeepAlive(every_ns=20 * MILLISECOND, answer_ns=30 * MILLISECOND)
    async with ScriptedServer(half_open) as server:
        feed = ToyFeed(server)
        feed.wire.keep_alive = wire_keep
        async with feed:
            await feed.until(lambda: is_good(feed))
            assert "no answer to our ping" in feed.connection.counters.last_reason
            assert server.counts["pings"] >= 1


@pytest.mark.parametrize("payload", [b"", b"1723161255030", bytes(range(125))])
@loopback
async def test_c08_a_ping_is_answered_with_its_own_payload(payload):
    echoed = []

    async def pinging(peer: Peer) -> None:
        await peer.accept()
        await peer.receive_text()
        await peer.ping(payload)
        while True:
            opcode, got = await peer.receive()
            if opcode == PONG:
                echoed.append(got)
                await peer.send(Book("BTCUSDT").full())

    async with ScriptedServer(pinging) as server, ToyFeed(server) as feed:
        await feed.until(lambda: is_good(feed))
        assert echoed == [payload]


@pytest.mark.parametrize("code", [1000, 1001, 1011, 1012, 4999])
@loopback
async def test_c05_a_close_comes_with_its_code_and_reason(code):
    async def closing(peer: Peer) -> None:
        if peer.number == 0:
            await peer.accept()
            await peer.receive_text()
            await peer.close(code, "so long")
            await peer.swallow()
        else:
            await serve_book(peer)

    async with ScriptedServer(closing) as server, ToyFeed(server) as feed:
        await feed.until(lambda: feed.connection.counters.losses == 1)
        assert f"closed with {code} (so long)" in feed.connection.counters.last_reason


@pytest.mark.parametrize("before", [b"", frame(TEXT, b'{"op":"pong"}') * 3], ids=["alone", "behind others"])
@loopback
async def test_m10_a_frame_beyond_the_limit_is_refused_and_memory_stays_flat(before):
    async def large(peer: Peer) -> None:
        if peer.number == 0:
            await peer.accept()
            await peer.receive_text()
            await peer.send_bytes(before + b"\x81\x7f" + (64 << 20).to_bytes(8, "big"))
            for _ in range(1024):
                await peer.send_bytes(b"[" * 65536)
        else:
            await serve_book(peer)

    async with (
        ScriptedServer(large) as server,
        ToyFeed(server, frame_limit=1 << 20, connect_timeout="5s", handshake_timeout="5s") as feed,
    ):
        tracemalloc.start()
        try:
            await feed.until(lambda: is_good(feed))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 4 << 20
        assert feed.connection.counters.losses == 1
        assert "1009" in feed.connection.counters.last_reason


@pytest.mark.parametrize("kind", [TEXT, BINARY])
@loopback
async def test_m10_a_message_in_pieces_is_put_together_and_bounded(kind):
    text = Book("BTCUSDT").full()

    async def pieces(peer: Peer) -> None:
        await peer.accept()
        await peer.receive_text()
        if peer.number == 0:
            await peer.send_bytes(frame(kind, b"x" * 1000, first=0))
            for _ in range(2000):
                await peer.send_bytes(frame(0, b"x" * 1000, first=0))
        await peer.send_bytes(frame(kind, text[:50], first=0))
        await peer.send_bytes(frame(PING, b"between"))
        await peer.send_bytes(frame(0, text[50:100], first=0))
        await peer.send_bytes(frame(0, text[100:]))
        await peer.drain()

    async with ScriptedServer(pieces) as server, ToyFeed(server, frame_limit=1 << 20) as feed:
        await feed.until(lambda: is_good(feed))
        assert "1009" in feed.connection.counters.last_reason


@loopback
async def test_c19_a_compressed_frame_was_not_agreed_on_and_is_refused():
    async def bomb(peer: Peer) -> None:
        assert "permessage-deflate" not in peer.asked.headers.get("sec-websocket-extensions", "")
        if peer.number == 0:
            await peer.accept()
            await peer.receive_text()
            await peer.send_bytes(frame(TEXT, b"\x00" * 100, first=0xC0))
            await peer.swallow()
        else:
            await serve_book(peer)

    async with ScriptedServer(bomb) as server, ToyFeed(server) as feed:
        await feed.until(lambda: is_good(feed))
        assert "1002" in feed.connection.counters.last_reason
        assert server.faults == []


@loopback
async def test_c19_a_packed_answer_that_unpacks_without_end_is_refused_in_flat_memory():
    bomb = gzip.compress(b"[" * (256 << 20), 9)

    def answer(asked):
        return Answer(200, bomb, {"content-encoding": "gzip"})

    async with ScriptedServer(serve_book, answer) as server:
        feed = ToyFeed(server, adapter=ToyAdapter("snapshot"))
        feed.feed.transport.most_body = 1 << 20
        async with feed:
            request = feed.wire.snapshot_request("BTCUSDT")
            feed.session.requests.ask("snapshot", "BTCUSDT", request, feed.feed.clock.now_ns())
            tracemalloc.start()
            try:
                await feed.until(lambda: "unpacked" in feed.session.requests.last_trouble)
                _, peak = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
        assert peak < 16 << 20


def test_an_unpacked_body_is_whole_or_refused():
    packed = gzip.compress(b"x" * 5000)
    unpacking = Unpacking("gzip", 5000)
    unpacking.add(packed[:20])
    unpacking.add(packed[20:])
    assert unpacking.done() == b"x" * 5000
    with pytest.raises(Exception, match="larger than 4999"):
        Unpacking("gzip", 4999).add(packed)
    with pytest.raises(Exception, match="not asked for"):
        Unpacking("br", 4999)
    cut = Unpacking("gzip", 5000)
    cut.add(packed[:20])
    with pytest.raises(Exception, match="ends too early"):
        cut.done()


@loopback
async def test_sockets_and_requests_go_through_the_proxy_of_the_config_and_none_of_the_environment():

    os.environ["HTTPS_PROXY"] = os.environ["HTTP_PROXY"] = os.environ["ALL_PROXY"] = "http://127.0.0.1:9"
    try:
        async with ScriptedServer(
            serve_book, lambda asked: Answer(200, Book("BTCUSDT").full()), is_proxy=True
        ) as proxy:
            feed = ToyFeed(proxy, proxy=proxy.http, adapter=ToyAdapter("snapshot"))
            async with feed:
                await feed.until(lambda: is_good(feed))
                request = feed.wire.snapshot_request("BTCUSDT")
                feed.session.requests.ask("snapshot", "BTCUSDT", request, feed.feed.clock.now_ns())
                await feed.until(lambda: len(proxy.requests) == 1)
            assert proxy.proxied[0].target.endswith(str(proxy.port))
            assert proxy.requests[0].target.startswith("http://")  # asked of the proxy, not of the host
        async with ScriptedServer(serve_book) as server, ToyFeed(server) as feed:
            await feed.until(lambda: is_good(feed))
    finally:
        for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"):
            os.environ.pop(name, None)


@pytest.mark.parametrize(
    ("url", "given", "is_safe"),
    [
        ("wss://stream.example/ws", "", True),
        ("https://api.example/x", "", True),
        ("ws://127.0.0.1:99/x", "", True),
        ("ws://localhost:99/x", "", True),
        ("ws://[::1]:99/x", "", True),
        ("ws://stream.example/ws", "", False),
        ("http://api.example/x", "", False),
        ("ws://10.0.0.7:9000/ws", "ws://10.0.0.7:9000", True),
        ("ws://10.0.0.8:9000/ws", "ws://10.0.0.7:9000", False),
        ("ftp://10.0.0.8/x", "ftp://10.0.0.8", False),
    ],
)
def test_only_addresses_with_tls_are_opened_unless_the_config_names_another(url, given, is_safe):
    if is_safe:
        require_safe(url, given)
    else:
        with pytest.raises(Unsafe, match="TLS"):
            require_safe(url, given)


UPDATE_NS = 2 * MILLISECOND
"""500 updates a second of the market's own time."""


class Market:
    """One book served to every connection alike; the venue ends a connection after *life* updates.

    Nothing is sent before every connection has received what was sent, and in the second half of a connection's life
    the market waits for its successor: so it depends on what the client does and on no clock.
    """

    def __init__(self, life: int, total: int, time: VirtualTime) -> None:
        self.book = Book("BTCUSDT")
        self.life = life
        self.total = total
        self.time = time
        self.peers: list[Peer] = []
        self.sent: dict[int, int] = {}

    async def serve(self, peer: Peer) -> None:
        await peer.accept()
        await peer.receive_text()
        await peer.send(self.book.full())
        self.sent[peer.number] = 0
        self.peers.append(peer)
        peer.server.count("served")
        try:
            await peer.drain()
        finally:
            if peer in self.peers:
                self.peers.remove(peer)
            peer.server.count("left")

    async def run(self, server: ScriptedServer) -> None:
        await server.until("served")
        while self.book.number < self.total:
            update = self.book.update()
            self.time.pass_ns(UPDATE_NS)
            for peer in list(self.peers):
                pongs, left = server.counts.get("pongs", 0), server.counts.get("left", 0)
                try:
                    await peer.send(update)
                    await peer.ping(b"")
                except Gone:
                    continue
                self.sent[peer.number] += 1
                while server.counts.get("pongs", 0) == pongs and server.counts.get("left", 0) == left:
                    await server.change()
                if self.sent[peer.number] >= self.life and peer in self.peers:
                    self.peers.remove(peer)
                    server.count("ended by the venue")
                    await peer.close(1001, "24 hours")
            if not self.peers or self.sent[self.peers[-1].number] > self.life * 3 // 4:
                await server.until("served", len(self.sent) + 1)


@pytest.mark.parametrize("overlap", ["20ms", "500ms"])
@loopback
async def test_c06_connections_are_replaced_before_the_venue_s_limit_under_500_updates_a_second(overlap):
    time = VirtualTime()
    market = Market(life=300, total=1500, time=time)
    async with ScriptedServer(market.serve) as server:
        # With the longer overlap it is the venue that ends each connection, while its successor waits.
        feed = ToyFeed(
            server,
            clock=time.clock,
            switch_before="300ms",
            overlap=overlap,
            connect_timeout="10s",
            handshake_timeout="10s",
        )
        feed.wire.limits = WireLimits(life_ns=600 * MILLISECOND)
        async with feed, anyio.create_task_group() as group:
            group.start_soon(market.run, server)
            rows = 0

            def is_done() -> bool:
                nonlocal rows
                rows += consume(feed.source)
                book = feed.adapter.books.get("BTCUSDT")
                return book is not None and book.last_id == market.total

            await feed.until(is_done)
            group.cancel_scope.cancel()
        told = feed.feed.report()
        assert told["switches"] >= 4
        assert told["gaps"] == 0
        assert told["books"]["BTCUSDT"]["stale_ns"] == 0
        assert (server.counts.get("ended by the venue", 0) >= 4) == (overlap == "500ms")
        assert rows > 1400
        assert server.faults == []


def test_the_clock_never_goes_back_and_stamps_follow_what_has_passed():
    from quotewright.live.clock import LiveClock

    times = iter([100, 5, 6, 4, 7, 7, 30])
    clock = LiveClock(wall=lambda: next(times), monotonic=lambda: next(times))
    assert clock.now_ns() == 101
    assert clock.now_ns() == 101
    clock.passed(102)
    assert [clock.now_ns(), clock.now_ns(), clock.now_ns()] == [103, 103, 125]


@loopback
async def test_m21_a_flood_gives_up_books_first_and_they_come_back():
    flood = 3000

    async def flooding(peer: Peer) -> None:
        await peer.accept()
        await peer.receive_text()
        books = {symbol: Book(symbol) for symbol in ("BTCUSDT", "ETHUSDT")}
        for book in books.values():
            await peer.send(book.full())
        busy, calm = books.values()
        for number in range(flood):
            await peer.send(busy.update())
            if number % 100 == 0:
                await peer.send(calm.update())
                await peer.send(calm.trade())
        peer.server.count("flooded")
        while True:
            asked = await peer.receive_text()
            if b'"subscribe"' in asked:
                for symbol, book in books.items():
                    if symbol.encode() in asked:
                        await peer.send(book.full())

    async with ScriptedServer(flooding) as server:
        feed = ToyFeed(server, ("BTCUSDT", "ETHUSDT"), queue_limit=200, adapter=ToyAdapter(channels=("book", "trades")))
        async with feed:
            await feed.until(lambda: server.counts.get("texts", 0) == 1)
            with anyio.fail_after(PATIENCE):
                await server.until("flooded")  # nothing is processed meanwhile: we are too slow
            assert len(feed.feed.queue) <= 400
            await feed.until(
                lambda: (
                    len(feed.adapter.books) == 2
                    and feed.session.counters.shed > 0
                    and all(book.state is BookState.SYNCHRONISED for book in feed.adapter.books.values())
                    and not len(feed.feed.queue)
                )
            )
            told = feed.feed.report()
        assert told["shed_frames"] > flood // 2
        assert told["longest_lag_ms"] > 0
        assert told["streams"]["trades.ETHUSDT"]["messages"] == flood // 100  # not one print was given up
        assert server.faults == []
