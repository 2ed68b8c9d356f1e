"""A live feed of Binance in virtual time: addresses, subscriptions, the snapshot, a gap, a shutdown notice, polls."""

from __future__ import annotations

import json

import pytest

from quotewright.feed import BookState
from quotewright.live.orders import Fetch, OpenSocket, SendText
from quotewright.live.streams import StreamState
from quotewright_plugins.exchanges.binance.feed import BinanceFeed, binance_feed
from quotewright_plugins.exchanges.binance.frames import BinanceSession
from tests.framework.live.toy import SECOND, START, session_of

CONNECTIONS = {"spot": 1, "usdm": 2, "coinm": 1, "option": 2}
SYMBOL = {"spot": "BTCUSDT", "usdm": "BTCUSDT", "coinm": "BTCUSD_PERP", "option": "BTC-261225-90000-C"}


class Live:
    """A feed's session with a scripted venue at the other end."""

    def __init__(self, market: str, **keys: object) -> None:
        self.market = BinanceSession(market=market, symbol=SYMBOL[market], with_trades=False)
        settings = BinanceFeed(market=market, **keys)
        self.adapter = binance_feed(settings)
        self.adapter.subscribe([SYMBOL[market]])
        self.session, self.source = session_of(self.adapter, self.adapter.wire(), settings)
        self.now_ns = START
        self.fetched: list[str] = []
        self.urls: dict[int, str] = {}
        self.asked: dict[int, list[str]] = {}
        self.session.start(START)
        self.pump()

    def pump(self) -> None:
        """Do what the session asks of the transport, as the venue would answer it, until it asks no more."""
        session = self.session
        while orders := session.take_orders():
            for order in orders:
                if isinstance(order, OpenSocket):
                    self.urls[order.number] = order.url
                    session.connected(order.number, self.now_ns)
                    session.opened(order.number, self.now_ns)
                elif isinstance(order, SendText):
                    frame = json.loads(order.frame)
                    self.asked.setdefault(order.number, []).extend(frame["params"])
                    session.heard(order.number, b'{"result":null,"id":%d}' % frame["id"], self.now_ns)
                elif isinstance(order, Fetch):
                    url = order.request.url
                    path = url.partition("?")[0].rpartition("/")[2]
                    self.fetched.append(path)
                    session.answered(order.ticket, 200, {}, self.answer(path), self.now_ns)

    def answer(self, path: str) -> bytes:
        if path == "time":
            return b'{"serverTime":%d}' % (self.now_ns // 1_000_000)
        if path == "openInterest":
            return b'{"symbol":"%s","openInterest":"5","time":1700000000000}' % self.market.symbol.encode()
        assert path == "depth"
        return self.market.snapshot().raw

    def step(self, is_lost: bool = False) -> None:
        for line in self.market.step():
            self.now_ns = max(self.now_ns + 1, line.receive_ns)
            stream = json.loads(line.raw)["stream"]
            number = next(number for number, names in self.asked.items() if stream in names)
            if not (is_lost and "depth" in stream):
                self.session.heard(number, line.raw, self.now_ns)
        self.pump()

    @property
    def state(self) -> BookState:
        return self.adapter.books[self.market.symbol].state


@pytest.mark.parametrize("market", CONNECTIONS)
def test_a_feed_opens_asks_synchronises_and_finds_a_lost_update(market):
    depth = 20 if market == "option" else 0
    live = Live(market)
    live.market.images = depth
    assert len(live.urls) == CONNECTIONS[market]
    assert all(url.startswith("wss://") and url.endswith("/stream") for url in live.urls.values())
    asked = [name for names in live.asked.values() for name in names]
    assert sorted(asked) == sorted(stream.name for stream in live.adapter.streams())
    live.step()
    assert live.state is BookState.SYNCHRONISED
    assert "time" in live.fetched
    assert live.fetched.count("depth") == (0 if depth else 1)
    assert live.fetched.count("openInterest") == (market in ("usdm", "coinm"))
    live.step(is_lost=True)
    live.step()
    assert live.adapter.counters.gaps == (0 if depth else 1)
    live.step()
    assert live.state is BookState.SYNCHRONISED
    states = {
        one.stream.name: one.state
        for line in live.session.lines.values()
        for one in line.connection.subscriptions.values()
    }
    assert all(state in (StreamState.LIVE, StreamState.ACKNOWLEDGED) for state in states.values()), states
    assert sum(state is StreamState.LIVE for state in states.values()) == 2


def test_a_shutdown_notice_opens_a_second_connection_and_no_book_is_stale_meanwhile():
    live = Live("spot")
    for _ in range(3):
        live.step()
    (first,) = live.urls
    live.session.heard(first, b'{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1}}', live.now_ns)
    live.pump()
    assert len(live.urls) == 2
    assert live.state is BookState.SYNCHRONISED
    assert live.adapter.counters.gaps == 0


def test_open_interest_is_asked_for_again_every_minute():
    live = Live("usdm", channels=("book", "reference"))
    live.session.tick(START + 61 * SECOND)
    live.now_ns = START + 61 * SECOND
    live.pump()
    assert live.fetched.count("openInterest") == 2
