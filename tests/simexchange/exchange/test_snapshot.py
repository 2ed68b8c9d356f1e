"""A snapshot and the rest of the log give the state and the events of the run that nobody interrupted."""

from __future__ import annotations

import struct
from decimal import Decimal
from typing import Any

import pytest

from quotewright.errors import FormatVersionError, InputError
from quotewright.kernel.codes import BUY
from quotewright_simexchange.exchange import snapshot
from quotewright_simexchange.exchange.command_log import LoggedCall, log_text, read_log
from quotewright_simexchange.exchange.exchange import Exchange
from quotewright_simexchange.exchange.records import Event, OrderRecord, OrderRequest
from quotewright_simexchange.matching.codes import LIMIT
from quotewright_simexchange.matching.core import MatchingCore
from quotewright_simexchange.matching.snapshot import restore_core, saved_core
from tests.simexchange.exchange.session import LISTINGS, NAMES, SECOND, Session

STEPS = 400


def answers(exchange: Exchange) -> dict[str, Any]:
    """Return what can be asked of an exchange."""
    found: dict[str, Any] = {}
    for one in LISTINGS:
        symbol = one.symbol
        found[symbol] = [
            *(exchange.book(symbol), exchange.recent_trades(symbol), exchange.statistics(symbol)),
            *(exchange.reference(symbol), exchange.phase(symbol), exchange._engines[symbol].final()),
        ]
        for name in exchange.accounts:
            orders, fills = exchange.orders(name, symbol), exchange.fills(name, symbol)
            found[f"{name} {symbol}"] = [exchange.position(name, symbol), orders, fills]
            found[f"{name} {symbol}"] += [exchange.fills_of(order.order_id) for order in orders]
    for name in exchange.accounts:
        found[name] = [exchange.balances(name), exchange.open_orders(name)]
    return found | {"accounts": exchange.accounts, "keys": exchange.keys, "sums": exchange.ledger_sums()}


@pytest.mark.parametrize("seed", range(8))
def test_a_snapshot_and_the_rest_of_the_log_are_the_whole_run(seed: int) -> None:
    session = Session.opened(seed)
    exchange = session.exchange
    told: list[Event] = []
    exchange.listen(told.append)
    points = sorted(session.chance.sample(range(STEPS), 3))
    taken = []
    for step in range(STEPS):
        if step in points:
            taken.append((exchange.snapshot(), exchange.state_hash(), len(exchange.log), len(told)))
        session.step()
    assert set(exchange.ledger_sums().values()) == {Decimal(0)}
    for data, digest, logged, heard in taken:
        again = Exchange.restore(data)
        assert again.state_hash() == digest
        assert again.snapshot() == data
        events: list[Event] = []
        again.listen(events.append)
        again.follow(read_log(log_text(exchange.log[logged:])))
        again.advance(exchange.now_ns)
        assert again.state_hash() == exchange.state_hash()
        assert events == told[heard:]
        assert answers(again) == answers(exchange)
        assert again.log == exchange.log[logged:]
    whole = Exchange.replay(exchange.log, LISTINGS, seed=seed)
    whole.advance(exchange.now_ns)
    assert whole.state_hash() == exchange.state_hash()


def test_the_sessions_do_everything_that_can_be_done() -> None:
    done: dict[str, int] = {}
    kinds: set[str] = set()

    def hear(event: Event) -> None:
        kinds.add(type(event).__name__)
        kinds.add(f"{getattr(event, 'what', '')} {getattr(getattr(event, 'order', None), 'reason', '')}")

    for seed in range(8):
        session = Session.opened(seed)
        session.exchange.listen(hear)
        session.run(STEPS)
        for what, count in session.done.items():
            done[what] = done.get(what, 0) + count
        kinds.update(entry.call for entry in session.exchange.log)
    assert min(done.values()) > 3, done
    for ended in ("user", "ioc", "fok", "stp", "expired", "reduce_only", "settled", "liquidation", "price_range"):
        assert f"canceled {ended}" in kinds, sorted(kinds)
    for what in ("triggered ", "repriced ", "reduced ", "prevented ", "refreshed ", "amended ", "LiquidationEvent"):
        assert what in kinds, sorted(kinds)
    assert kinds >= {"expire", "tell_time", "PhaseEvent", "PositionEvent", "ReferenceEvent"}


def test_two_exchanges_that_came_from_one_snapshot_go_on_alike() -> None:
    session = Session.opened(21)
    session.run(150)
    data = session.exchange.snapshot()
    ends = []
    for exchange in (session.exchange, Exchange.restore(data), Exchange.restore(data)):
        again = Session(exchange, 99)
        again.run(100)
        ends.append((exchange.state_hash(), exchange.add_key("ann")))
    assert ends[0] == ends[1] == ends[2]


def test_a_restored_exchange_ends_orders_in_time_and_keeps_no_call_of_others() -> None:
    session = Session.opened(1)
    called: list[int] = []
    session.exchange.at(session.exchange.now_ns + SECOND, lambda: called.append(1))
    ends_ns = session.exchange.now_ns + 2 * SECOND
    order = OrderRequest(symbol="SPOT", side="buy", price=Decimal(9), quantity=Decimal(1), tif="gtd", expire_ns=ends_ns)
    placed = session.exchange.place("bob", order)
    assert isinstance(placed, OrderRecord)
    again = Exchange.restore(session.exchange.snapshot())
    assert again.due_ns() == ends_ns
    again.advance(ends_ns)
    ended = again.order("bob", "SPOT", order_id=placed.order_id)
    assert ended is not None
    assert (ended.status, called) == ("expired", [])


def test_what_is_no_snapshot_is_refused() -> None:
    data = Session.opened(3).exchange.snapshot()
    assert len(Exchange.restore(data).accounts) == len(NAMES)
    for broken, message in (
        (b"", "begins with b'QW-EXCHANGE-SNAP', came b''"),
        (b"PK" + data, "begins with"),
        (data[:-1], "bytes should follow the header"),
        (data + b"x", "bytes should follow the header"),
        (data[:-9] + bytes([data[-9] ^ 1]) + data[-8:], "the checksum is not that of what follows"),
    ):
        with pytest.raises(InputError, match=message):
            Exchange.restore(broken)
    newer = data[:16] + struct.pack(">H", 2) + data[18:]
    with pytest.raises(FormatVersionError, match="version should be 1, was 2; replay the log"):
        Exchange.restore(newer)


def test_a_snapshot_with_other_fields_is_of_another_version() -> None:
    state = snapshot.state_of(Session.opened(3).exchange)
    state["records"]["OrderRecord"] = state["records"]["OrderRecord"][1:]
    with pytest.raises(FormatVersionError, match="its records have other fields: OrderRecord"):
        Exchange.restore(snapshot.packed(state))


def test_no_snapshot_is_taken_while_a_listener_is_told() -> None:
    exchange = Session.opened(3).exchange
    raised: list[str] = []

    def hear(event: Event) -> None:
        with pytest.raises(InputError) as caught:
            exchange.snapshot()
        raised.append(str(caught.value))

    exchange.listen(hear)
    exchange.deposit("ann", "BTC", Decimal(1))
    assert [text[:42] for text in raised] == ["a snapshot is taken between commands, not "]


def test_what_listeners_do_is_replayed_in_its_order() -> None:
    exchange = Session.opened(5).exchange
    exchange.place("ann", order("sell", "100", tif="gtd", expire_ns=exchange.now_ns + SECOND))
    exchange.place(
        "dan", OrderRequest(symbol="SPOT", side="buy", type="stop", quantity=Decimal(1), trigger=Decimal(99))
    )
    answered: list[Event] = []

    def hear(event: Event) -> None:
        if len(answered) < 6:
            answered.append(event)
            exchange.place("cid", order("buy", str(90 + len(answered)), tif="gtd", expire_ns=exchange.now_ns + 5))

    exchange.listen(hear)
    exchange.advance(exchange.now_ns + SECOND - 1)
    exchange.set_mark("SPOT", Decimal(101))
    exchange.at(exchange.now_ns + 1, lambda: exchange.place("bob", order("buy", "100", tif="ioc")) and None)
    exchange.advance(exchange.now_ns + SECOND)
    again = Exchange.replay(exchange.log, LISTINGS, seed=5)
    again.advance(exchange.now_ns)
    assert again.state_hash() == exchange.state_hash()
    assert len(answered) == 6


def order(side: Any, price: str, **more: Any) -> OrderRequest:
    return OrderRequest(symbol="SPOT", side=side, price=Decimal(price), quantity=Decimal(1), **more)


def test_what_the_engine_cannot_read_is_not_in_the_log_and_uses_up_no_id() -> None:
    exchange = Session.opened(5).exchange
    count = len(exchange.log)
    before = exchange.state_hash()
    wrong: Any = "nonsense"
    with pytest.raises(InputError, match="expire_at should be a whole number"):
        exchange.place("ann", order("sell", "100", tif="gtd", expire_ns=wrong))
    assert getattr(exchange.place("ann", order("sell", "100", stp=wrong)), "reason", "") == "not_supported"
    for call, values in (("set_mark", Decimal(-1)), ("set_phase", "nonsense"), ("fund", Decimal("NaN"))):
        with pytest.raises(InputError):
            getattr(exchange, call)("LINEAR", values)
    assert [entry.call for entry in exchange.log[count:]] == ["tell_time"]
    exchange.advance(exchange.now_ns)
    placed = exchange.place("ann", order("sell", "100"))
    assert isinstance(placed, OrderRecord)
    assert placed.order_id == 1
    assert before != exchange.state_hash()
    assert Exchange.replay(exchange.log, LISTINGS, seed=5).state_hash() == exchange.state_hash()


def test_a_log_that_does_not_fit_is_refused() -> None:
    exchange = Session.opened(5).exchange
    exchange.advance(exchange.now_ns + 5)
    with pytest.raises(InputError, match=r"entry 0: its time should be \d+ or later"):
        exchange.follow([LoggedCall(exchange.now_ns - 1, "uncross", {"symbol": "SPOT"})])
    with pytest.raises(InputError, match="entry 0: 'state_hash' is no command"):
        exchange.follow([LoggedCall(exchange.now_ns, "state_hash", {})])
    text = log_text(exchange.log)
    assert read_log(text) == exchange.log
    for broken, message in (
        ("", "should begin with a line that names its format"),
        ("[1]\n", "should begin with a line that names its format"),
        (text + "{\n", f"line {len(exchange.log) + 2}: expected JSON"),
        (text + '[1,"__init__",{}]\n', r"expected \[time, command, values\]"),
    ):
        with pytest.raises(InputError, match=message):
            read_log(broken)
    with pytest.raises(FormatVersionError, match="version should be 1, was 9"):
        read_log(text.replace('"version":1', '"version":9', 1))
    with pytest.raises(TypeError, match="a snapshot holds no set"):
        log_text([LoggedCall(1, "uncross", {"symbol": {1}})])


def test_a_log_shows_no_secret_and_replays_it() -> None:
    exchange = Exchange(LISTINGS)
    exchange.open_account("ann")
    exchange.add_key("ann", "public", "very private", passphrase="whispered")
    made = exchange.add_key("ann")
    entry, invented = exchange.log[-2:]
    for text in (repr(entry), repr(entry.shown().values)):
        assert "public" in text
        assert "private" not in text
        assert "whispered" not in text
    assert invented.shown() == invented
    again = Exchange.replay(read_log(log_text(exchange.log)), LISTINGS)
    assert again.keys == exchange.keys
    assert again.keys[made.key].secret == made.secret


def test_a_core_is_restored_only_before_its_first_order() -> None:
    core = MatchingCore()
    core.new(0, 0, BUY, LIMIT, 100, 5)
    saved = saved_core(core)
    again = MatchingCore()
    assert list(restore_core(again, saved)) == [0]
    assert again.state_hash() == core.state_hash()
    with pytest.raises(InputError, match="has seen no order"):
        restore_core(again, saved)
