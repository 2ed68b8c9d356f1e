"""A tape as background flow: its book stands on the exchange, our own orders queue in it and take from it."""

from __future__ import annotations

import random
from decimal import Decimal

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quotewright.errors import ConfigError
from quotewright.kernel.codes import (
    BID,
    BUY,
    CONNECTION,
    GAP,
    LEVEL_DELETE,
    LEVEL_SET,
    OFFER,
    SELL,
    SNAPSHOT_BEGIN,
    TRADE,
)
from quotewright.tape.tape import TapeFile
from quotewright_simexchange.exchange.exchange import Exchange
from quotewright_simexchange.exchange.records import OrderRecord, OrderRequest
from quotewright_simexchange.markets.tape import TapeMarket, listing_of
from tests.simexchange.markets.support import BTC, SECOND, Levels, Row, levels_of, market_on, tape_of

WHOLE: list[Row] = [
    (SNAPSHOT_BEGIN, 0, 0, 0),
    (LEVEL_SET, BID, 100, 5),
    (LEVEL_SET, BID, 99, 7),
    (LEVEL_SET, OFFER, 102, 4),
    (LEVEL_SET, OFFER, 103, 6),
]


def ours(exchange: Exchange, side: str, quantity: int, price: int | None, **more: object) -> OrderRecord:
    request = OrderRequest(
        symbol="BTCUSDT",
        side=side,  # type: ignore[arg-type]
        type="limit" if price is not None else "market",
        quantity=Decimal(quantity),
        price=None if price is None else Decimal(price),
        **more,  # type: ignore[arg-type]
    )
    placed = exchange.place("us", request)
    assert isinstance(placed, OrderRecord)
    return placed


def filled(exchange: Exchange, order: OrderRecord) -> Decimal:
    found = exchange.order("us", "BTCUSDT", order_id=order.order_id)
    assert found is not None
    return found.filled


def run(exchange: Exchange, seconds: float) -> None:
    exchange.advance(exchange.now_ns + int(seconds * SECOND))


def levels(**told: int) -> Levels:
    """``levels(b100=5)`` and ``levels(s102=4)``."""
    sides = {"b": "buy", "s": "sell"}
    return {(sides[name[0]], Decimal(name[1:])): Decimal(quantity) for name, quantity in told.items()}


def test_an_own_order_fills_exactly_when_its_queue_is_consumed():
    tape = tape_of([
        (0, WHOLE),
        (2 * SECOND, [(TRADE, SELL, 100, 4)]),
        (3 * SECOND, [(LEVEL_SET, BID, 100, 1)]),
        (4 * SECOND, [(TRADE, SELL, 100, 1)]),
        (5 * SECOND, [(TRADE, SELL, 100, 1)]),
    ])  # fmt: skip
    exchange, _ = market_on(tape)
    run(exchange, 1)
    order = ours(exchange, "buy", 2, 100)
    seen = []
    for _ in range(5):
        run(exchange, 1)
        seen.append(int(filled(exchange, order)))
    assert seen == [0, 0, 0, 1, 1]


def test_cancels_behind_us_leave_our_queue_and_cancels_of_all_shorten_it():
    tape = tape_of([
        (0, WHOLE),
        (2 * SECOND, [(LEVEL_SET, BID, 100, 9)]),
        (3 * SECOND, [(LEVEL_SET, BID, 100, 5)]),
        (4 * SECOND, [(TRADE, SELL, 100, 5)]),
        (5 * SECOND, [(LEVEL_SET, BID, 100, 2)]),
        (6 * SECOND, [(TRADE, SELL, 100, 1)]),
    ])  # fmt: skip
    exchange, _ = market_on(tape)
    run(exchange, 1)
    order = ours(exchange, "buy", 2, 100)
    seen = []
    for _ in range(6):
        run(exchange, 1)
        seen.append(int(filled(exchange, order)))
    assert seen == [0, 0, 0, 0, 1, 1]


def test_our_taking_consumes_until_the_tape_tells_the_level_again():
    tape = tape_of([(0, WHOLE), (5 * SECOND, [(LEVEL_SET, OFFER, 102, 3)])])
    exchange, _ = market_on(tape)
    run(exchange, 1)
    assert ours(exchange, "buy", 6, None).value == 4 * 102 + 2 * 103
    assert levels_of(exchange) == levels(b100=5, b99=7, s103=4)
    run(exchange, 5)
    assert levels_of(exchange) == levels(b100=5, b99=7, s102=3, s103=4)


def test_a_print_takes_better_orders_of_ours_first_and_recorded_ones_step_aside():
    tape = tape_of([(0, WHOLE), (2 * SECOND, [(TRADE, SELL, 99, 3)])])
    exchange, market = market_on(tape)
    run(exchange, 1)
    order = ours(exchange, "buy", 2, 101)
    run(exchange, 2)
    assert filled(exchange, order) == 2
    assert levels_of(exchange) == levels(b100=5, b99=7, s102=4, s103=6)
    assert market.describe()["symbols"]["BTCUSDT"]["stepped_aside"] == 1


def test_a_level_that_moves_onto_our_order_trades_with_it_and_then_stands():
    tape = tape_of([(0, WHOLE), (2 * SECOND, [(LEVEL_DELETE, OFFER, 102, 0), (LEVEL_SET, BID, 101, 3)])])
    exchange, market = market_on(tape)
    run(exchange, 1)
    order = ours(exchange, "sell", 1, 101)
    run(exchange, 2)
    assert filled(exchange, order) == 1
    assert levels_of(exchange) == levels(b101=3, b100=5, b99=7, s103=6)
    assert market.describe()["symbols"]["BTCUSDT"]["crossing_fills"] == 1


def test_what_our_order_keeps_from_standing_is_told_and_mended():
    tape = tape_of([
        (0, WHOLE),
        (2 * SECOND, [(LEVEL_DELETE, OFFER, 102, 0), (LEVEL_SET, BID, 101, 3)]),
        (4 * SECOND, [(LEVEL_SET, BID, 99, 8)]),
    ])  # fmt: skip
    exchange, market = market_on(tape)
    run(exchange, 1)
    order = ours(exchange, "sell", 9, 101)
    run(exchange, 2)
    assert filled(exchange, order) == 3
    assert market.describe()["symbols"]["BTCUSDT"]["missing_levels"] == 1
    exchange.cancel("us", "BTCUSDT", order_id=order.order_id)
    run(exchange, 2)
    assert levels_of(exchange) == levels(b101=3, b100=5, b99=8, s103=6)
    assert market.describe()["symbols"]["BTCUSDT"]["missing_levels"] == 0


def test_prints_of_one_event_time_come_before_the_levels_they_left():
    tape = tape_of([(0, WHOLE), (2 * SECOND, [(LEVEL_SET, BID, 100, 1)]), (2 * SECOND, [(TRADE, SELL, 100, 4)])])
    exchange, _ = market_on(tape)
    run(exchange, 1)
    order = ours(exchange, "buy", 2, 100)
    run(exchange, 2)
    assert filled(exchange, order) == 0
    assert levels_of(exchange)["buy", Decimal(100)] == 3


@pytest.mark.parametrize("stop", [(GAP, 0, 0, 0), (CONNECTION, 0, 0, 0)])
def test_a_gap_stops_the_mirror_until_a_whole_book_comes(stop: Row):
    tape = tape_of([
        (0, WHOLE),
        (2 * SECOND, [stop]),
        (3 * SECOND, [(LEVEL_SET, BID, 100, 1)]),
        (3 * SECOND, [(TRADE, SELL, 100, 1)]),
        (5 * SECOND, WHOLE),
    ])  # fmt: skip
    exchange, market = market_on(tape)
    run(exchange, 1)
    order = ours(exchange, "buy", 2, 100)
    run(exchange, 3)
    assert levels_of(exchange) == levels(b100=2)
    assert filled(exchange, order) == 0
    assert market.describe()["not_mirrored"]["levels_while_stopped"] == 1
    assert market.describe()["not_mirrored"]["prints_while_stopped"] == 1
    assert market.describe()["symbols"]["BTCUSDT"]["book"] == "stopped"
    run(exchange, 2)
    assert levels_of(exchange) == levels(b100=7, b99=7, s102=4, s103=6)
    assert market.is_done


def test_prints_are_told_as_trades_of_their_side():
    tape = tape_of([(0, WHOLE), (SECOND, [(TRADE, BUY, 102, 2)]), (2 * SECOND, [(TRADE, SELL, 90, 1)])])
    exchange, market = market_on(tape)
    run(exchange, 3)
    trades = [(trade.side, int(trade.price), int(trade.quantity)) for trade in exchange.recent_trades("BTCUSDT")]
    assert trades == [("buy", 102, 2)]
    assert market.describe()["symbols"]["BTCUSDT"]["prints_short"] == 1


def random_tape(seed: int, messages: int = 150) -> tuple[list[tuple[int, list[Row]]], list[Levels]]:
    """Return messages of a book that is never crossed, and the book after each, kept here by itself."""
    draw = random.Random(seed)
    book: dict[tuple[int, int], int] = {}
    made: list[tuple[int, list[Row]]] = []
    books: list[Levels] = []
    mid = 100
    for number in range(messages):
        rows: list[Row] = []
        if number == 0 or draw.random() < 0.05:
            mid += draw.randrange(-5, 6)
            book = {(BID, mid - place): draw.randrange(1, 9) for place in range(1, 6)}
            book |= {(OFFER, mid + place): draw.randrange(1, 9) for place in range(1, 6)}
            rows = [(SNAPSHOT_BEGIN, 0, 0, 0)]
            rows += [(LEVEL_SET, side, price, size) for (side, price), size in book.items()]
        elif draw.random() < 0.3:
            side = draw.choice((BID, OFFER))
            prices = [price for found, price in book if found == side]
            if prices:
                price = draw.choice(prices)
                rows = [(TRADE, SELL if side == BID else BUY, price, draw.randrange(1, 12))]
        if not rows:
            for _ in range(draw.randrange(1, 4)):
                side = draw.choice((BID, OFFER))
                price = mid - draw.randrange(1, 6) if side == BID else mid + draw.randrange(1, 6)
                size = draw.choice((0, 0, 1, 2, 5, 9))
                book.pop((side, price), None)
                if size:
                    book[side, price] = size
                rows.append((LEVEL_SET if size else LEVEL_DELETE, side, price, size))
        made.append(((number + 1) * SECOND, rows))
        books.append(
            {("buy" if side == BID else "sell", Decimal(p)): Decimal(size) for (side, p), size in book.items()}
        )
    return made, books


@settings(max_examples=10)
@given(st.integers(0, 10_000))
def test_the_book_is_the_tapes_after_every_message(seed: int):
    messages, books = random_tape(seed)
    exchange, market = market_on(tape_of(messages))
    run(exchange, 0)
    for book in books:
        assert levels_of(exchange) == book
        run(exchange, 1)
    assert market.is_done
    assert set(exchange.ledger_sums().values()) == {Decimal(0)}


def test_where_we_do_not_stand_the_book_is_the_tapes_and_where_we_do_it_is_more():
    messages, books = random_tape(3)
    exchange, _ = market_on(tape_of(messages))
    run(exchange, 0)
    draw = random.Random(5)
    for book in books:
        resting = {(o.request.side, o.price): o.leaves for o in exchange.open_orders("us", "BTCUSDT")}
        shown = levels_of(exchange)
        best = {side: [price for found, price in book if found == side] for side in ("buy", "sell")}
        if not resting:
            assert shown == book
        for place, quantity in book.items():
            assert shown.get(place) == quantity + resting.get(place, 0)
        exchange.cancel_all("us")
        if best["buy"] and draw.random() < 0.5:
            ours(exchange, "buy", 2, int(min(best["buy"])), post_only="reject")
        run(exchange, 1)


def test_the_same_tape_gives_the_same_exchange():
    messages, _ = random_tape(11)
    hashes = set()
    for step in (1, 50):
        exchange, _ = market_on(tape_of(messages))
        for _ in range(200 // step):
            run(exchange, step)
        hashes.add(exchange.state_hash())
    assert len(hashes) == 1


def test_a_tape_of_other_instruments_is_refused():
    exchange = Exchange([listing_of(BTC)])
    tape = tape_of([(0, WHOLE)], attrs.evolve(BTC, symbol="ETHUSDT"))
    with pytest.raises(ConfigError, match="holds ETHUSDT, the exchange lists BTCUSDT"):
        TapeMarket(tape).start(exchange)


def test_the_shipped_tape_stands_on_an_exchange():
    with TapeFile.open("examples/synthetic-tape") as tape:
        exchange = Exchange([listing_of(tape.instruments[0])])
        market = TapeMarket(tape)
        market.start(exchange)
        run(exchange, 5)
        mirror = market.mirrors[0]
        assert mirror.told
        assert levels_of(exchange, tape.instruments[0].symbol) == mirror.told
        assert market.steps > 100
        assert exchange.recent_trades(tape.instruments[0].symbol)
