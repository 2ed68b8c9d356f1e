"""Corners of the matching core and its money that no story reaches: sums near int64, rows of commands, windows."""

from __future__ import annotations

from array import array
from decimal import Decimal

import pytest

from quotewright.kernel.codes import BUY, SELL
from quotewright_simexchange.matching.accounts import RATE_UNIT, REFERENCE_UNIT
from quotewright_simexchange.matching.codes import (
    AUCTION,
    C_ACCOUNT,
    C_EXPIRY,
    C_KIND,
    C_OPERATION,
    C_ORDER,
    C_PRICE,
    C_QUANTITY,
    C_SIDE,
    C_TIF,
    C_TRIGGER,
    C_TRIGGER_BY,
    CANCEL_ALL,
    CLOCK,
    COMMAND_WORDS,
    EVENT_NAMES,
    GTC,
    GTD,
    IS_HIDDEN,
    KEEP,
    LIMIT,
    MARK,
    MOST,
    NEW,
    NOT_POST_ONLY,
    PHASE,
    REASON_NAMES,
    REFERENCE,
    STOP,
    STOP_LIMIT,
    STP_DECREMENT,
    STP_TAKER,
    UNCROSS,
)
from quotewright_simexchange.matching.core import MatchingCore
from quotewright_simexchange.matching.derivatives import DerivativeAccounts
from quotewright_simexchange.matching.door import FastEngine
from quotewright_simexchange.matching.ledger import Ledger
from quotewright_simexchange.matching.transactions import LINEAR
from tests.simexchange.matching.story import command

UNIT = 10**18


def told(core: MatchingCore) -> list[str]:
    """Return the names of the last command's events, with the reason of what was refused."""
    return [
        EVENT_NAMES[row[0]] + (f" {REASON_NAMES[row[7]]}" if EVENT_NAMES[row[0]].endswith("rejected") else "")
        for row in core.events()
    ]


def limit(core: MatchingCore, number: int, side: int, price: int, quantity: int, marks: int = 0) -> list[str]:
    core.new(number, 1, side, LIMIT, price, quantity, GTC, NOT_POST_ONLY, 0, 0, marks)
    return told(core)


def stop(core: MatchingCore, number: int, trigger: int, quantity: int) -> list[str]:
    core.new(number, 1, BUY, STOP, 0, quantity, GTC, NOT_POST_ONLY, 0, 0, 0, trigger)
    return told(core)


def test_what_waits_counts_towards_the_open_quantity_of_its_side() -> None:
    core = MatchingCore()
    assert stop(core, 0, 200, MOST - 5) == ["accepted"]
    assert limit(core, 1, BUY, 99, 6) == ["rejected max_qty"]
    assert stop(core, 1, 200, 6) == ["rejected max_qty"]
    assert limit(core, 1, BUY, 99, 5) == ["accepted"]
    core.amend(0, 1, KEEP, MOST - 7)
    assert limit(core, 2, BUY, 99, 3) == ["rejected max_qty"]
    assert limit(core, 2, BUY, 99, 2) == ["accepted"]
    core.cancel(0, 1)
    assert limit(core, 3, BUY, 99, MOST - 7) == ["accepted"]


def test_what_traded_or_left_makes_room_on_its_side() -> None:
    core = MatchingCore()
    for number, marks in ((0, 0), (10, IS_HIDDEN)):
        assert limit(core, number, BUY, 99, MOST, marks) == ["accepted"]
        assert limit(core, number + 1, SELL, 99, 5)[0] == "accepted"
        assert limit(core, number + 2, BUY, 98, 6) == ["rejected max_qty"]
        assert limit(core, number + 2, BUY, 98, 5, marks) == ["accepted"]
        core.cancel(number, 1)
        assert limit(core, number + 3, BUY, 98, MOST - 5) == ["accepted"]
        core.cancel_all(1)
        assert core.open_quantity(BUY) == 0


def test_elected_orders_act_within_rows_of_commands() -> None:
    rows = [
        {C_ORDER: 0, C_SIDE: SELL, C_KIND: LIMIT, C_PRICE: 100, C_QUANTITY: 1},
        {C_ORDER: 1, C_SIDE: SELL, C_KIND: LIMIT, C_PRICE: 101, C_QUANTITY: 5},
        {C_ORDER: 2, C_SIDE: BUY, C_KIND: STOP, C_TRIGGER: 100, C_QUANTITY: 2},
        {C_ORDER: 3, C_SIDE: BUY, C_KIND: LIMIT, C_PRICE: 100, C_QUANTITY: 1},
        {C_ORDER: 4, C_SIDE: BUY, C_KIND: LIMIT, C_PRICE: 101, C_QUANTITY: 1},
    ]
    words = array("q", bytes(8 * COMMAND_WORDS * len(rows)))
    for at, row in enumerate(rows):
        for column, number in (row | {C_OPERATION: NEW, C_ACCOUNT: 1}).items():
            words[at * COMMAND_WORDS + column] = number
    core = MatchingCore()
    assert core.run(memoryview(words), 0, len(rows)) == len(rows)
    assert told(core) == [
        *["accepted"] * 3,
        *["accepted", "trade", "triggered", "trade"],
        *["accepted", "trade"],
    ]


def test_the_best_prices_are_those_that_show_something() -> None:
    core = MatchingCore()
    limit(core, 0, BUY, 99, 1, IS_HIDDEN)
    limit(core, 1, SELL, 101, 1, IS_HIDDEN)
    assert (core.best_bid(), core.best_offer()) == (0, 0)
    limit(core, 2, BUY, 90, 1)
    limit(core, 3, SELL, 110, 1)
    assert (core.best_bid(), core.best_offer()) == (90, 110)
    assert (core.prices(BUY), core.levels(BUY)) == ([99, 90], [(90, 1)])


def test_a_level_at_the_edge_of_the_window_is_one_level() -> None:
    """A window of 1024 keeps three quarters below the best: with 1768 as the best it begins at 1000."""
    core = MatchingCore(window=1024)
    for number, price in enumerate((5000, 1000, 1768)):
        limit(core, number, BUY, price, 1)
    core.cancel(0, 1)
    limit(core, 3, BUY, 1000, 1)
    assert core.orders_at(BUY, 1000) == [(1, 1), (3, 1)]
    assert core.levels(BUY) == [(1768, 1), (1000, 2)]
    core.cancel(2, 1)
    assert core.best_bid() == 1000
    limit(core, 4, SELL, 1000, 2)
    assert core.levels(BUY) == []


def test_after_a_jump_over_the_window_the_next_best_is_the_best() -> None:
    core = MatchingCore(window=1024)
    for number, price in enumerate((100_000, 50_000, 49_999)):
        limit(core, number, BUY, price, 1)
    core.cancel(0, 1)
    limit(core, 3, SELL, 50_001, 1)
    assert (core.best_bid(), core.best_offer()) == (50_000, 50_001)
    limit(core, 4, SELL, 49_999, 2)
    assert (core.levels(BUY), core.last_price) == ([], 49_999)


def test_a_protected_market_order_is_cancelled_unless_it_is_told_to_rest() -> None:
    engine = FastEngine({"market_protection": {"ref": "best", "points": "1"}})
    for text in ("A1 sell 1@100", "A2 sell 1@105"):
        engine.run(command(text))
    events, _ = engine.run(command("B1 buy 2"))
    assert [event["ev"] for event in events] == ["accepted", "trade", "canceled"]


def test_options_are_settled_in_their_coin() -> None:
    settings = {"kind": "option", "base": "BTC", "quote": "USD", "strike": "100", "option_type": "call", "tick": "0.1"}
    engine = FastEngine(settings)
    engine.open("A", {"BTC": Decimal(1), "USD": Decimal(50)})
    for text in ("A1 buy 1@0.5", "B1 sell 1@0.5"):
        engine.run(command(text))
    assert engine.final()["accounts"]["A"]["cash"] == "0.5"
    assert engine.ledger.balance(0, "USD") == (50 * UNIT, 0)


def test_what_spot_orders_have_locked_covers_no_position() -> None:
    ledger = Ledger()
    spot = FastEngine({"kind": "spot", "base": "BTC", "quote": "USD"}, ledger=ledger, name="spot")
    future = FastEngine({"kind": "linear", "quote": "USD", "im_rate": "0.1"}, ledger=ledger, name="future")
    spot.open("A", {"USD": Decimal(100)})
    assert spot.run(command("A1 buy 1@60"))[0][0]["ev"] == "accepted"
    assert future.run(command("A1 buy 5@100"))[0][0]["reason"] == "insufficient_margin"
    assert future.run(command("A1 buy 4@100"))[0][0]["ev"] == "accepted"


@pytest.mark.parametrize("heard", [False, True])
def test_transactions_are_numbered_whether_anybody_listens_or_not(heard: bool) -> None:
    ledger = Ledger(keep=None if heard else 0)
    settings = {"kind": "spot", "base": "BTC", "quote": "USD", "maker_fee": "0.001", "taker_fee": "0.001"}
    engine = FastEngine(settings, ledger=ledger)
    engine.open("A", {"USD": Decimal(100)})
    engine.open("B", {"BTC": Decimal(1)})
    for text in ("A1 buy 1@50", "B1 sell 1@50"):
        engine.run(command(text))
    assert ledger.sequence == 5  # two deposits, the trade, two fees
    ledger.withdraw(0, "USD", UNIT)
    assert ledger.sequence == 6


def test_an_account_can_be_emptied_and_who_gets_money_is_checked() -> None:
    ledger = Ledger()
    ann, bob = ledger.number("ann"), ledger.number("bob")
    ledger.deposit(ann, "USD", 10)
    assert ledger.transfer(ann, bob, "USD", 4)
    assert ledger.is_funded == [True, True]
    assert ledger.withdraw(ann, "USD", 6)
    assert (ledger.balance(ann, "USD"), ledger.sums()) == ((0, 0), {"USD": 0})


def test_what_is_kept_is_kept_without_listeners() -> None:
    ledger = Ledger(keep=5)
    ledger.listen(lambda _: None)()
    ledger.deposit(0, "USD", 1)
    assert [one.sequence for one in ledger.transactions()] == [1]
    assert [one.sequence for one in ledger.transactions(after=1)] == []


def test_a_restored_ledger_checks_who_was_funded_and_keeps_their_rates() -> None:
    ledger = Ledger()
    ledger.deposit(0, "USD", 1)
    ledger.set_rates(0, 7, None)
    copy = Ledger()
    copy.restore(ledger.snapshot())
    assert (copy.is_funded, copy.rates) == ([True], {0: (7, None)})


def test_a_currency_that_comes_later_has_a_row_for_every_account() -> None:
    ledger = Ledger()
    ledger.deposit(2, "USD", 1)
    assert ledger.wallet("BTC").free == [0, 0, 0]


def test_an_auction_of_futures_is_no_takers() -> None:
    accounts = DerivativeAccounts(LINEAR, 0, 0, 1, 0, RATE_UNIT // 1000, RATE_UNIT // 100, ledger=Ledger())
    accounts.cross(0, 1, 0, 100, 1, 2, 0, 100, 100, 1)
    assert accounts.fees == [(UNIT // 10, False, UNIT // 10, False)]


def test_any_account_can_belong_to_a_group() -> None:
    """Numbers at and beyond what there is room for at first, 64, and the same of order ids, 1024."""
    core = MatchingCore()
    for account in (64, 300):
        core.set_group(account, 7)
    core.new(1023, 64, SELL, LIMIT, 100, 1)
    core.new(1024, 300, BUY, LIMIT, 100, 1, GTC, NOT_POST_ONLY, STP_TAKER)
    assert told(core) == ["accepted", "canceled"]
    core.new(1025, 301, BUY, LIMIT, 100, 1, GTC, NOT_POST_ONLY, STP_TAKER)
    assert told(core) == ["accepted", "trade"]


def test_a_special_order_that_shrinks_in_its_place_makes_room() -> None:
    core = MatchingCore()
    assert limit(core, 0, BUY, 99, MOST, IS_HIDDEN) == ["accepted"]
    core.amend(0, 1, KEEP, MOST - 7)
    assert limit(core, 1, BUY, 99, 8, IS_HIDDEN) == ["rejected max_qty"]
    assert limit(core, 1, BUY, 99, 7, IS_HIDDEN) == ["accepted"]
    assert core.open_quantity(BUY) == MOST
    core.new(2, 1, SELL, LIMIT, 99, 5, GTC, NOT_POST_ONLY, STP_DECREMENT)
    assert core.open_quantity(BUY) == MOST - 5


def test_limits_of_numbers_are_inclusive_for_stops_too() -> None:
    core = MatchingCore()
    core.new(0, 1, BUY, STOP_LIMIT, MOST, 1, GTC, NOT_POST_ONLY, 0, 0, 0, MOST)
    assert told(core) == ["accepted"]
    for price, trigger in ((MOST + 1, 5), (5, MOST + 1), (0, 5), (5, 0)):
        core.new(1, 1, BUY, STOP_LIMIT, price, 1, GTC, NOT_POST_ONLY, 0, 0, 0, trigger)
        assert told(core) == ["rejected bad_price"]


def test_rows_can_hold_every_command_that_no_account_gives() -> None:
    core, one_by_one = MatchingCore(), MatchingCore()
    rows = [
        {C_OPERATION: CLOCK, C_EXPIRY: 5},
        {C_OPERATION: NEW, C_ORDER: 0, C_SIDE: BUY, C_KIND: LIMIT, C_PRICE: 99, C_QUANTITY: 3, C_TIF: GTD, C_EXPIRY: 9},
        {C_OPERATION: NEW, C_ORDER: 1, C_SIDE: BUY, C_KIND: STOP, C_QUANTITY: 1, C_TRIGGER: 105, C_TRIGGER_BY: MARK},
        {C_OPERATION: PHASE, C_KIND: AUCTION},
        {C_OPERATION: NEW, C_ORDER: 2, C_SIDE: SELL, C_KIND: LIMIT, C_PRICE: 98, C_QUANTITY: 2},
        {C_OPERATION: UNCROSS},
        {C_OPERATION: REFERENCE, C_KIND: MARK, C_PRICE: 105},
        {C_OPERATION: CLOCK, C_EXPIRY: 9},
        {C_OPERATION: CANCEL_ALL},
    ]
    words = array("q", bytes(8 * COMMAND_WORDS * len(rows)))
    for at, row in enumerate(rows):
        for column, number in (row | {C_ACCOUNT: 1}).items():
            words[at * COMMAND_WORDS + column] = number
    assert core.run(memoryview(words), 0, len(rows)) == len(rows)
    assert told(core) == [
        *["accepted", "accepted", "phase", "accepted"],
        *["uncrossed", "trade", "phase"],
        *["triggered", "canceled", "canceled"],
    ]
    one_by_one.set_time(5)
    one_by_one.new(0, 1, BUY, LIMIT, 99, 3, GTD, NOT_POST_ONLY, 0, 0, 0, 0, 0, 9)
    one_by_one.new(1, 1, BUY, STOP, 0, 1, GTC, NOT_POST_ONLY, 0, 0, 0, 105, MARK)
    one_by_one.set_phase(AUCTION)
    one_by_one.new(2, 1, SELL, LIMIT, 98, 2)
    one_by_one.uncross()
    one_by_one.set_reference(MARK, 105 * REFERENCE_UNIT)
    one_by_one.set_time(9)
    one_by_one.cancel_all(1)
    assert core.state_hash() == one_by_one.state_hash()
