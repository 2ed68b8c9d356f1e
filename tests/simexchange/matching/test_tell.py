"""Commands whose events come back from the call, and a book that grows past every room it began with."""

from __future__ import annotations

import random

import pytest

from quotewright.kernel.codes import BUY, SELL
from quotewright_simexchange.matching.accounts import SpotAccounts
from quotewright_simexchange.matching.codes import (
    ACCEPTED,
    AMEND,
    AMENDED,
    CANCEL,
    CANCEL_ALL,
    CANCELED,
    F_HIDDEN,
    FOK,
    GTC,
    IOC,
    IS_HIDDEN,
    LIMIT,
    MARKET,
    NEW,
    R_USER,
    TRADED,
)
from quotewright_simexchange.matching.core import MatchingCore


def funded() -> SpotAccounts:
    money = SpotAccounts(2, 2, 10**15, 10**15)
    for account in range(3):
        money.deposit(account, 10**25, 10**27)
    return money


@pytest.mark.parametrize("has_money", [False, True])
def test_told_events_are_those_of_the_single_calls(has_money: bool) -> None:
    chance = random.Random(8)
    one, two = (MatchingCore(money=funded() if has_money else None) for _ in range(2))
    most = numbers = 0
    for number in range(1500):
        account, side = chance.randrange(4), chance.choice((BUY, SELL))
        price, quantity = chance.randint(90, 110), chance.randint(0, 30)
        draw = chance.random()
        if draw < 0.6:
            kind, tif = chance.choice((LIMIT, LIMIT, LIMIT, MARKET)), chance.choice((GTC, GTC, GTC, IOC, FOK))
            told = one.tell(NEW, number, account, side, kind, price, quantity, tif)
            two.new(number, account, side, kind, price, quantity, tif)
        elif draw < 0.8:
            order = chance.randrange(number + 1)
            told = one.tell(AMEND, order, order % 4, price=price, quantity=quantity)
            two.amend(order, order % 4, price, quantity)
        elif draw < 0.95:
            order = chance.randrange(number + 1)
            told = one.tell(CANCEL, order, account)
            two.cancel(order, account)
        else:
            marks = IS_HIDDEN
            for core in (one, two):
                core.new(number, account, side, LIMIT, price, 5, GTC, marks=marks)
            assert one.conditions(number)[0] in (0, F_HIDDEN)
            told = tuple(one.events())
        assert one.events() == two.events()
        if isinstance(told, int):
            ((kind, order, _, at, size, leaves, _, code, owner, _, _),) = two.events()
            numbers += 1
            if kind == CANCELED:
                assert (told, code, owner) == (size, R_USER, account)
            else:
                assert (at, size, abs(told)) == (price, quantity, leaves)
                assert (kind, told > 0) in ((ACCEPTED, True), (AMENDED, bool(code)))
        else:
            assert list(told) == two.events()
            assert told
        assert one.changes() == two.changes()
        most = max(most, len(two.events()))
    assert most > 3
    assert numbers > 200
    assert one.trade_number > 100
    assert one.state_hash() == two.state_hash()


def test_what_is_no_plain_command_is_not_told() -> None:
    core = MatchingCore()
    with pytest.raises(ValueError, match=r"operation should be 1 \(new\), 4 \(amend\) or 2 \(cancel\), was 3"):
        core.tell(CANCEL_ALL, 0, 0)
    with pytest.raises(ValueError, match="side should be 1"):
        core.tell(NEW, 0, 0, 3, LIMIT, 1, 1)
    assert core.events() == []


def test_a_book_keeps_everything_when_its_rooms_grow() -> None:
    core = MatchingCore()
    count = 700
    for number in range(count):
        core.new(number, number % 90, SELL, LIMIT, 10 + 13 * number, 1 + number % 3)
    assert [core.order(number) for number in range(count)] == [
        (number % 90, SELL, 10 + 13 * number, 1 + number % 3, 1 + number % 3, 0, number + 1) for number in range(count)
    ]
    assert core.open_orders(89) == list(range(89, count, 90))
    total = sum(1 + number % 3 for number in range(count))
    told = core.tell(NEW, count, 90, BUY, LIMIT, 10 + 13 * count, total)
    assert isinstance(told, tuple)
    assert [event[:2] for event in told[1:]] == [(TRADED, number) for number in range(count)]
    assert core.changes() == [(SELL, 10 + 13 * number, 0, core.feed_sequence) for number in range(count)]
    assert core.open_quantity(SELL) == core.open_quantity(BUY) == 0
    assert core.feed_sequence == count + 1
    for number in range(count + 1, count + 400):
        core.new(number, 7, BUY, LIMIT, 5, 1)
    core.cancel_all(7)
    assert [event[:2] for event in core.events()] == [(CANCELED, number) for number in range(count + 1, count + 400)]
    assert core.changes() == [(BUY, 5, 0, core.feed_sequence)]
