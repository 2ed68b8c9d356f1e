"""The session of a live venue with Binance's order wires at the local exchange's doors, in virtual time."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import pytest

from quotewright.kernel.codes import BUY, SELL
from quotewright.live.order_session import OrderSession
from quotewright.live.orders import AbortSocket, CloseSocket, Fetch, OpenSocket, SendPing, SendText
from quotewright.live.venue_settings import VenueSettings
from quotewright.model.instrument import Instrument
from quotewright.model.orders import (
    Accepted,
    Amended,
    AmendOrder,
    AmendRejected,
    Canceled,
    CancelOrder,
    CancelRejected,
    Fill,
    NewOrder,
    OrderUnknown,
    Rejected,
    VenueState,
)
from quotewright_simexchange.doors import Session
from tests.plugins.binance.order_doors import SECOND, SYMBOL, Desk, Peer

MS = 1_000_000
WAYS = [(market, entry) for market in ("spot", "usdm") for entry in ("rest", "websocket")]
TICK = Decimal("0.01")


class Trader:
    """A session whose sockets and requests end at the door, each hop taking a millisecond; *lose* drops some."""

    def __init__(self, market: str, entry: str, desk: Desk | None = None, tag: str = "1", **settings: Any) -> None:
        self.desk = desk or Desk(market, entry)
        self.sockets: dict[int, tuple[Session, Peer]] = {}
        self.queue: deque[Callable[[], None]] = deque()
        self.timeouts: deque[tuple[int, int]] = deque()
        self.reports: list[Any] = []
        self.lose: Callable[[str, Any], bool] = lambda hop, what: False
        instrument = Instrument(
            name="BTC-USDT.spot@binance" if market == "spot" else "BTC-USDT.perp@binance",
            symbol=SYMBOL,
            venue="binance",
            kind="spot" if market == "spot" else "perp",
            base="BTC",
            quote="USDT",
            settle="USDT",
            price_decimals=2,
            size_decimals=3,
        )
        made = VenueSettings(entry=entry, **settings)  # type: ignore[call-arg]
        self.session = OrderSession(self.desk.wire, made, [instrument], tag, random.Random(3))
        self.session.start(self.desk.now_ns)
        self.run(1)

    def run(self, seconds: float) -> None:
        """Let time pass in steps of 1 ms while something moves, else of 50 ms."""
        end_ns = self.desk.now_ns + round(seconds * SECOND)
        while self.desk.now_ns < end_ns:
            self._carry_out()
            batch, self.queue = self.queue, deque()
            for call in batch:
                call()
            while self.timeouts and self.timeouts[0][0] <= self.desk.now_ns:
                self.session.unanswered(self.timeouts.popleft()[1], "no answer in time", self.desk.now_ns)
            self._deliver()
            self.desk.pass_time(0.001 if self.queue or batch else 0.05)
            self.session.tick(self.desk.now_ns)
            self._take()
        self._carry_out()

    def _carry_out(self) -> None:
        for order in self.session.take_orders():
            if isinstance(order, OpenSocket):
                self.queue.append(lambda order=order: self._open(order))  # type: ignore[misc]
            elif isinstance(order, SendText):
                if not self.lose("send", order.frame):
                    self.queue.append(lambda order=order: self._send(order))  # type: ignore[misc]
            elif isinstance(order, SendPing):
                number = order.number
                self.queue.append(lambda number=number: self.session.ponged(number, self.desk.now_ns))  # type: ignore[misc]
            elif isinstance(order, CloseSocket | AbortSocket):
                session, _ = self.sockets.pop(order.number, (None, None))
                if session is not None:
                    session.closed()
            elif isinstance(order, Fetch):
                if self.lose("request", order.request):
                    self._unanswered(order)
                else:
                    self.queue.append(lambda order=order: self._fetch(order))  # type: ignore[misc]

    def _open(self, order: OpenSocket) -> None:
        url = urlsplit(order.url)
        peer = Peer()
        made = self.desk.door.connect(url.path, url.query.encode(), {}, "127.0.0.1", peer, self.desk.now_ns)
        if isinstance(made, Session):
            self.sockets[order.number] = (made, peer)
            self.session.opened(order.number, self.desk.now_ns)
        else:
            self.session.failed(order.number, "refused", made.status, {}, made.body, self.desk.now_ns)

    def _send(self, order: SendText) -> None:
        if order.number in self.sockets:
            self.sockets[order.number][0].heard(order.frame, self.desk.now_ns)

    def _fetch(self, order: Fetch) -> None:
        answer = self.desk.http(order.request)
        headers = {name.lower(): value for name, value in answer.headers.items()}
        if self.lose("answer", order.request):
            self._unanswered(order)
        else:
            self.session.answered(order.ticket, answer.status, headers, answer.body, self.desk.now_ns)

    def _unanswered(self, order: Fetch) -> None:
        """Report after the request's time that no answer has come, as the transport does."""
        self.timeouts.append((self.desk.now_ns + int(self.session.settings.request_timeout), order.ticket))

    def _deliver(self) -> None:
        for number, (session, peer) in list(self.sockets.items()):
            session.tick(self.desk.now_ns)
            pings, peer.pings = peer.pings, []
            for payload in pings:  # the transport answers them
                session.ponged(payload, self.desk.now_ns)
            frames, peer.frames = peer.frames, []
            for frame in frames:
                if not self.lose("frame", frame):
                    self.session.heard(number, frame, self.desk.now_ns)
            for code, reason in peer.closes:
                self.session.closed(number, code, reason, self.desk.now_ns)
                self.sockets.pop(number, None)

    def cut(self) -> None:
        """End every connection without a word."""
        for number, (session, _) in list(self.sockets.items()):
            session.closed()
            del self.sockets[number]
            self.session.closed(number, 1006, "", self.desk.now_ns)

    def _take(self) -> None:
        self.reports += self.session.take_reports()

    def told(self) -> list[tuple[Any, ...]]:
        """Return what was reported since the last time, in short."""
        self._take()
        reports, self.reports = self.reports, []
        return [_short(one) for one in reports]

    def place(self, number: int, side: int, price: str, lots: int, **more: Any) -> None:
        ticks = int(Decimal(price) / TICK) if price else 0
        order = NewOrder(order_number=number, instrument=0, side=side, price_ticks=ticks, quantity_lots=lots, **more)
        self.session.command(order, self.desk.now_ns)

    def cancel(self, number: int) -> None:
        self.session.command(CancelOrder(order_number=number, instrument=0), self.desk.now_ns)

    def amend(self, number: int, price: str, lots: int) -> None:
        order = AmendOrder(
            order_number=number, instrument=0, price_ticks=int(Decimal(price) / TICK), quantity_lots=lots
        )
        self.session.command(order, self.desk.now_ns)

    def truth(self) -> dict[str, Decimal]:
        """Return what is open at the exchange, by client id."""
        return {one.client_id: one.leaves for one in self.desk.exchange.open_orders("me", self.desk.symbol)}


def _short(one: Any) -> tuple[Any, ...]:
    match one:
        case VenueState():
            return ("good",) if one.is_good else ("bad",)
        case Accepted():
            return ("accepted", one.order_number)
        case Rejected() | AmendRejected() | CancelRejected() | OrderUnknown():
            reason = () if isinstance(one, OrderUnknown) else (one.reason,)
            return (type(one).__name__, one.order_number, *reason)
        case Fill():
            return ("fill", one.order_number, one.quantity_lots, one.leaves_lots, one.is_maker)
        case Canceled():
            return ("canceled", one.order_number, one.reason, one.leaves_lots)
        case Amended():
            return ("amended", one.order_number, one.price_ticks, one.quantity_lots, one.keeps_priority)
    raise AssertionError(one)


def _trader(market: str, entry: str, **settings: Any) -> Trader:
    trader = Trader(market, entry, **settings)
    assert trader.told()[-1] == ("good",), trader.session.last_trouble
    return trader


@pytest.mark.parametrize(("market", "entry"), WAYS)
def test_an_orders_life(market: str, entry: str) -> None:
    trader = _trader(market, entry)
    trader.desk.rival("sell", "40000", "0.004")
    trader.place(1, BUY, "40000", 10)
    trader.run(0.3)
    assert trader.told() == [("accepted", 1), ("fill", 1, 4, 6, False)]
    trader.amend(1, "40000", 8)
    trader.run(0.3)
    assert trader.told() == [("amended", 1, 4_000_000, 8, True)]
    trader.desk.rival("sell", "40000", "0.001")
    trader.run(0.3)
    assert trader.told() == [("fill", 1, 1, 3, True)]
    trader.amend(1, "39990", 8)
    trader.run(0.3)
    moved = ("AmendRejected", 1, "not_allowed") if market == "spot" else ("amended", 1, 3_999_000, 8, False)
    assert trader.told() == [moved]
    trader.cancel(1)
    trader.run(0.3)
    assert trader.told() == [("canceled", 1, "user", 3)]
    trader.place(2, BUY, "30000", 10)
    trader.place(3, SELL, "50000", 10, post_only=True)
    trader.run(0.3)
    trader.session.leave(trader.desk.now_ns)
    trader.run(0.3)
    assert sorted(trader.told()) == [
        ("accepted", 2),
        ("accepted", 3),
        ("canceled", 2, "user", 10),
        ("canceled", 3, "user", 10),
    ]
    assert trader.truth() == {}
    assert (trader.session.own.faults, trader.session.unread, trader.session.own.overfills) == ([], 0, 0)


@pytest.mark.parametrize(("market", "entry"), WAYS)
def test_what_the_venue_refuses_is_rejected(market: str, entry: str) -> None:
    trader = _trader(market, entry)
    trader.desk.rival("sell", "40000", "1")
    trader.place(1, BUY, "40000", 10, post_only=True)
    trader.place(2, BUY, "100", 1)
    trader.place(3, BUY, "39000", 1_000_000)
    trader.place(4, BUY, "40000", 2_000, time_in_force=2)
    trader.run(0.5)
    poor = "insufficient_funds" if market == "spot" else "insufficient_margin"
    told = trader.told()
    assert told[:3] == [("Rejected", 1, "post_only"), ("Rejected", 2, "min_notional"), ("Rejected", 3, poor)]
    # Futures answer with an error what cannot fill at once; spot takes it and lets it expire.
    end = ("canceled", 4, "fok", 2_000) if market == "spot" else ("Rejected", 4, "venue")
    assert end in told[3:]
    assert not [one for one in told if one[0] == "fill"]
    assert trader.session.own.live() == []


@pytest.mark.parametrize(("market", "entry"), WAYS)
@pytest.mark.parametrize("hop", ["there", "back"])
def test_a_lost_answer_makes_an_order_unknown_until_the_venue_has_told(market: str, entry: str, hop: str) -> None:
    """Nothing about the order comes: neither answer nor event. It is asked for, and never placed twice."""
    trader = _trader(market, entry)
    lost: list[str] = []

    def lose(way: str, what: Any) -> bool:
        if lost[1:] and hop == "there":
            return False
        data = what if isinstance(what, bytes) else what.body + what.method.encode()
        is_write = b"order.place" in data or (b"newClientOrderId" in data and b"POST" in data)
        is_told = way == "frame" and b"1-1" in data
        is_lost = is_write and hop == "there" and way in ("send", "request")
        is_lost |= (is_told or is_write) and hop == "back" and way in ("frame", "answer")
        if is_lost:
            lost.append(way)
        return is_lost

    trader.lose = lose
    trader.place(1, BUY, "39000", 10)
    trader.run(4)
    assert trader.told() == []
    trader.run(2)
    found = trader.told()
    assert ("OrderUnknown", 1) in found
    found.remove(("OrderUnknown", 1))
    assert lost
    trader.lose = lambda way, what: False
    trader.run(12)
    rest = [one for one in found + trader.told() if one not in (("bad",), ("good",))]
    if hop == "there":
        assert rest == [("Rejected", 1, "venue")]
        assert trader.truth() == {}
    else:
        assert rest == [("accepted", 1)]
        assert list(trader.truth().values()) == [Decimal("0.010")]


@pytest.mark.parametrize(("market", "entry"), WAYS)
def test_fills_missed_while_the_lines_were_down_are_found(market: str, entry: str) -> None:
    trader = _trader(market, entry)
    trader.place(1, BUY, "40000", 10)
    trader.place(2, BUY, "39000", 10)
    trader.run(0.3)
    trader.told()
    trader.cut()
    trader.desk.rival("sell", "40000", "0.015")
    trader.run(5)
    assert trader.told() == [("bad",), ("fill", 1, 10, 0, True), ("good",)]
    assert list(trader.truth()) == ["qw1-2"]


@pytest.mark.parametrize("market", ["spot", "usdm"])
def test_orders_of_an_earlier_run_are_canceled_at_the_start(market: str) -> None:
    first = _trader(market, "websocket")
    first.place(1, BUY, "39000", 10)
    first.run(0.3)
    assert list(first.truth()) == ["qw1-1"]
    second = Trader(market, "websocket", desk=first.desk, tag="2")
    assert second.told()[-1] == ("good",)
    assert second.truth() == {}
    assert second.session.leftovers == 1


def test_a_listen_key_is_renewed_and_made_anew_when_it_ends() -> None:
    trader = _trader("usdm", "rest")
    token = trader.session.token
    trader.run(3_700)
    assert trader.told() == []
    assert trader.session.token == token
    keys: Any = trader.desk.door
    (held,) = keys.keys.by_account.values()
    held.until_ns = trader.desk.now_ns
    trader.run(5)
    assert trader.told() == [("bad",), ("good",)]
    assert trader.session.token not in ("", token)
    trader.place(1, BUY, "39000", 10)
    trader.run(0.3)
    assert trader.told() == [("accepted", 1)]


def test_the_dead_man_switch_holds_while_the_session_lives_and_fires_when_it_is_gone() -> None:
    trader = _trader("usdm", "websocket", dead_man="3s")
    trader.place(1, BUY, "39000", 10)
    trader.run(20)
    assert trader.told() == [("accepted", 1)]
    trader.desk.pass_time(3)
    assert trader.truth() == {}


def test_a_clock_that_is_wrong_is_compared_and_the_orders_go_through() -> None:
    trader = _trader("spot", "websocket")
    trader.session.credential.offset_ns -= 60 * SECOND
    trader.place(1, BUY, "39000", 10)
    trader.run(1)
    trader.told()
    trader.place(2, BUY, "39000", 10)
    trader.run(1)
    assert ("accepted", 2) in trader.told()


def test_a_wrong_secret_ends_trading_without_a_storm() -> None:
    desk = Desk("spot", "websocket")
    desk.wire = desk.wired("websocket", secret="another")
    trader = Trader("spot", "websocket", desk=desk)
    trader.run(60)
    assert {one[0] for one in trader.told()} <= {"bad"}
    assert not trader.session.credential.is_usable
    assert trader.session.credential.refusals <= 3


@pytest.mark.parametrize(("market", "entry"), WAYS)
@pytest.mark.parametrize("seed", range(3))
def test_after_losses_of_every_kind_session_and_exchange_agree(market: str, entry: str, seed: int) -> None:
    """Requests, answers and frames are lost and lines are cut while orders trade; once healed nothing is missing."""
    chance = random.Random(seed)
    trader = _trader(market, entry)
    is_faulty = False
    lost = 0

    def lose(way: str, what: Any) -> bool:
        nonlocal lost
        is_lost = is_faulty and chance.random() < 0.08 and way != "frame"
        lost += is_lost
        return is_lost

    trader.lose = lose
    live: list[int] = []
    for number in range(1, 120):
        is_faulty = number > 3
        side = chance.choice((BUY, SELL))
        away = chance.randint(-3, 9)
        price = 40_000 - away if side == BUY else 40_000 + away
        trader.place(number, side, str(price), chance.randint(2, 9), post_only=chance.random() < 0.3)
        live.append(number)
        if chance.random() < 0.5:
            trader.cancel(chance.choice(live))
        if chance.random() < 0.3:
            trader.amend(chance.choice(live), str(price), chance.randint(1, 9))
        if chance.random() < 0.6:
            trader.desk.rival(chance.choice(("buy", "sell")), str(40_000 + chance.randint(-6, 6)), "0.005")
        if chance.random() < 0.05:
            trader.cut()
        trader.run(chance.choice((0.01, 0.2, 2.0)))
    is_faulty = False
    trader.cut()
    trader.run(90)
    reports = trader.told()
    assert lost > 2
    assert trader.session.own.faults == []
    assert reports[-1] == ("good",) or ("good",) in reports
    ours = {one.client_id: Decimal(one.leaves_lots).scaleb(-3) for one in trader.session.own.live()}
    assert ours == trader.truth()
    filled: dict[str, Decimal] = {}
    for fill in trader.desk.exchange.fills("me", trader.desk.symbol, limit=1000):
        filled[fill.client_id] = filled.get(fill.client_id, Decimal(0)) + fill.quantity
    told: dict[str, Decimal] = {}
    for one in reports:
        if one[0] == "fill":
            name = f"qw1-{one[1]}"
            told[name] = told.get(name, Decimal(0)) + Decimal(one[2]).scaleb(-3)
    assert told == filled
    assert filled
