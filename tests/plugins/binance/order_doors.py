"""Both doors of the local exchange without sockets: order wires before them, an account to trade against."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import quotewright_plugins
from quotewright.execution import Answered, Ask, Frame, Heard, Message, Placing, Reading
from quotewright.kernel.codes import BUY
from quotewright.model.cards import load_card
from quotewright.wire import Request
from quotewright_plugins.exchanges.binance.order_wire import BinanceOrders
from quotewright_plugins.exchanges.binance.trading import order_wire
from quotewright_simexchange.dialects.binance.dialect import BinanceDialect
from quotewright_simexchange.doors import Door, HttpRequest, HttpResponse, Session
from quotewright_simexchange.exchange.exchange import Exchange
from quotewright_simexchange.exchange.records import Listing, OrderRecord, OrderRequest

SECOND = 1_000_000_000
START = 1_700_000_040 * SECOND
SYMBOL = "BTCUSDT"
FOLDER = Path(quotewright_plugins.__path__[0]) / "exchanges" / "binance"
CARDS = {name: load_card(FOLDER / f"{name}.toml") for name in ("binance-spot", "binance-usdm")}
KEY, SECRET = "binance-demo-key", "binance-demo-secret"


def listing(market: str) -> Listing:
    usual = {"tick": "0.01", "lot": "0.001", "min_notional": "5", "base": "BTC", "quote": "USDT"}
    usual |= {"maker_fee": "0.001", "taker_fee": "0.002"}
    own = {"kind": "spot", "fee_mode": "received"}
    if market == "usdm":
        own = {"kind": "linear", "fee_scale": 8, "im_rate": "0.05", "mm_rate": "0.02"}
    return Listing(
        symbol=SYMBOL if market == "spot" else f"{SYMBOL}:PERP",
        name=f"BTC-USDT.{'spot' if market == 'spot' else 'perp'}@binance",
        kind="spot" if market == "spot" else "linear",
        base="BTC",
        quote="USDT",
        settle="USDT",
        settings={**usual, **own},
        price_decimals=2,
        size_decimals=3,
    )


class Peer:
    """What a door sends on one connection."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.pings: list[bytes] = []
        self.closes: list[tuple[int, str]] = []

    def send(self, frame: bytes) -> None:
        self.frames.append(frame)

    def ping(self, payload: bytes) -> None:
        self.pings.append(payload)

    def close(self, code: int, reason: str) -> None:
        self.closes.append((code, reason))


class Desk:
    """One market: its door, the account *me* with a wire, the account *other* that trades against it."""

    def __init__(self, market: str, entry: str = "rest", **keys: Any) -> None:
        self.market = market
        self.exchange = Exchange([listing("spot"), listing("usdm")], start_ns=START)
        for name in ("me", "other"):
            self.exchange.open_account(name, {"BTC": Decimal(100), "USDT": Decimal(1_000_000)})
        self.exchange.add_key("me", KEY, SECRET)
        self.door: Door = BinanceDialect(self.exchange, CARDS).doors()[f"binance-{market}"]
        self.symbol = listing(market).symbol
        self.now_ns = START
        self.wire = self.wired(entry, **keys)
        self.sessions: dict[str, tuple[Session, Peer]] = {}
        self.numbers = 0
        self.token = ""

    def wired(self, entry: str, key: str = KEY, secret: str = SECRET, **more: Any) -> BinanceOrders:
        addresses = self.door.addresses("http://127.0.0.1:8", "ws://127.0.0.1:8")
        return order_wire(
            self.market,
            key,
            secret,
            card=CARDS[f"binance-{self.market}"],
            entry=entry,  # type: ignore[arg-type]
            rest=addresses["rest"],
            websocket=addresses["ws"],
            ws_api=addresses["ws_api"],
            **more,
        )

    def pass_time(self, seconds: float) -> None:
        self.now_ns += round(seconds * SECOND)
        self.exchange.advance(self.now_ns)

    def number(self) -> int:
        self.numbers += 1
        return self.numbers

    # HTTP.

    def http(self, request: Request) -> HttpResponse:
        url = urlsplit(request.url)
        headers = {name.lower(): value for name, value in request.headers.items()}
        return self.door.http(
            HttpRequest(request.method, url.path, url.query.encode(), request.body, headers), self.now_ns
        )

    def asked(self, ask: Ask, message: Message | None) -> Reading:
        """Send *message* by its way and return what its answer is read as."""
        assert message is not None
        if isinstance(message, Frame):
            return self.framed(ask, message)
        answer = self.http(message)
        headers = {name.lower(): value for name, value in answer.headers.items()}
        headers["content-type"] = answer.content_type
        return self.wire.read(ask, answer.status, headers, answer.body, SYMBOL)

    # Lines.

    def open(self, line: str) -> list[Heard]:
        """Open *line* and return what its greeting brings."""
        url = urlsplit(self.wire.url(line, self.token))
        peer = Peer()
        session = self.door.connect(url.path, url.query.encode(), {}, "127.0.0.1", peer, self.now_ns)
        assert isinstance(session, Session), session
        self.sessions[line] = (session, peer)
        for frame in self.wire.greeting(line, self.now_ns, self.number()):
            session.heard(frame, self.now_ns)
        return self.heard(line)

    def heard(self, line: str) -> list[Heard]:
        """Return what has come on *line* since the last time."""
        _, peer = self.sessions[line]
        frames, peer.frames = peer.frames, []
        return [told for frame in frames for told in self.wire.heard(line, frame)]

    def framed(self, ask: Ask, frame: Frame) -> Reading:
        """Send a frame; return its answer read, and keep everything else that came for :meth:`heard`."""
        session, peer = self.sessions[frame.line]
        session.heard(frame.data, self.now_ns)
        for place, data in enumerate(peer.frames):
            for told in self.wire.heard(frame.line, data):
                if isinstance(told, Answered):
                    del peer.frames[place]
                    assert told.number == self.numbers
                    return self.wire.read(ask, told.status, {}, told.body, SYMBOL)
        raise AssertionError(f"no answer among {peer.frames}")

    # Orders.

    def placed(self, client_id: str, side: int = BUY, price: str = "40000.00", **more: Any) -> Reading:
        quantity = more.pop("quantity", "0.010")
        order = Placing(client_id=client_id, symbol=SYMBOL, side=side, price=price, quantity=quantity, **more)
        return self.asked("place", self.wire.place(order, self.now_ns, self.number()))

    def rival(self, side: str, price: str, quantity: str) -> None:
        """Place an order of the other account."""
        order = OrderRequest(
            symbol=self.symbol,
            side=side,
            price=Decimal(price),
            quantity=Decimal(quantity),  # type: ignore[arg-type]
        )
        assert isinstance(self.exchange.place("other", order), OrderRecord)


def of(kind: type, told: Sequence[object]) -> list[Any]:
    """Return those of *told* that are of *kind*."""
    return [one for one in told if isinstance(one, kind)]


def shown(order: Any) -> tuple[Any, ...]:
    """Return what an order is told as, without ids and times."""
    return (order.client_id, order.status, order.price, order.quantity, order.filled, order.reason)


def headers_of(**headers: str) -> Mapping[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}
