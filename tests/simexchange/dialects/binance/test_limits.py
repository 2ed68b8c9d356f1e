"""Counters: the venue's headers, codes and moments at which a request is taken again."""

from __future__ import annotations

import pytest

from quotewright.model.cards import VenueCard, read_card
from quotewright_simexchange.dialects.binance.errors import ApiError
from quotewright_simexchange.dialects.binance.limits import FIRST_BAN_NS, PATIENCE, Limits

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND - 1_700_000_000 * SECOND % (60 * SECOND)


@pytest.fixture
def card() -> VenueCard:
    rates = "".join(
        f'[[limits.rates]]\nname = "{name}"\nlimit = {limit}\nper = "{per}"\nscope = "{scope}"\n'
        for name, limit, per, scope in (
            ("request weight", 20, "1m", "ip"),
            ("orders", 3, "10s", "account"),
            ("orders a day", 5, "24h", "account"),
            ("messages to a market data connection", 5, "1s", "connection"),
            ("new connections", 2, "5m", "ip"),
        )
    )
    return read_card(
        'card_version = 1\nname = "x"\nvenue = "x"\nmarket = "spot"\nas_of = "now"\nsources = []\n'
        '[[fees]]\nname = "one"\nmaker = "1 bps"\ntaker = "1 bps"\n[client_ids]\npattern = "a"\nmax_length = 1\n'
        + rates,
        "x.toml",
    )


def test_weight_is_counted_by_address_and_free_again_in_the_next_window(card: VenueCard) -> None:
    limits = Limits(card)
    limits.take("a", 20, START + 30 * SECOND)
    limits.take("b", 1, START + 30 * SECOND)
    with pytest.raises(ApiError) as caught:
        limits.take("a", 1, START + 30 * SECOND)
    assert (caught.value.code, caught.value.status, caught.value.headers["Retry-After"]) == (-1003, 429, "30")
    assert limits.headers("a", "", START + 59 * SECOND, with_orders=False) == {
        "X-MBX-USED-WEIGHT": "20",
        "X-MBX-USED-WEIGHT-1M": "20",
    }
    limits.take("a", 1, START + 60 * SECOND)
    assert limits.headers("a", "", START + 60 * SECOND, with_orders=False)["X-MBX-USED-WEIGHT-1M"] == "1"


def test_who_goes_on_is_banned_and_longer_the_next_time(card: VenueCard) -> None:
    limits = Limits(card)
    now = START
    for length in (FIRST_BAN_NS, 2 * FIRST_BAN_NS):
        limits.take("a", 20, now)
        statuses = []
        for _ in range(PATIENCE + 2):
            with pytest.raises(ApiError) as caught:
                limits.take("a", 1, now)
            statuses.append(caught.value.status)
        assert statuses == [429] * PATIENCE + [418] * 2
        assert caught.value.headers["Retry-After"] == str(length // SECOND)
        assert f"IP banned until {(now + length) // 1_000_000}." in caught.value.text
        with pytest.raises(ApiError):
            limits.take("a", 1, now + length - 1)
        now += length


def test_orders_are_counted_by_account_in_every_window_and_given_back(card: VenueCard) -> None:
    limits = Limits(card)
    for _ in range(3):
        limits.check_orders("me", START)
        limits.count_orders("me", START)
    with pytest.raises(ApiError) as caught:
        limits.check_orders("me", START)
    assert (caught.value.code, caught.value.status) == (-1015, 429)
    assert caught.value.text == "Too many new orders; current limit is 3 orders per 10 SECOND."
    limits.check_orders("you", START)
    limits.count_orders("me", START, -1)
    limits.check_orders("me", START)
    later = START + 10 * SECOND
    limits.check_orders("me", later)
    limits.count_orders("me", later, 3)
    assert limits.headers("a", "me", later, with_orders=True) == {
        "X-MBX-USED-WEIGHT": "0",
        "X-MBX-USED-WEIGHT-1M": "0",
        "X-MBX-ORDER-COUNT-10S": "3",
        "X-MBX-ORDER-COUNT-1D": "5",
    }
    with pytest.raises(ApiError, match="5 orders per 1 DAY"):
        limits.check_orders("me", later + 10 * SECOND)


def test_connections_are_counted_and_messages_come_from_the_card(card: VenueCard) -> None:
    limits = Limits(card)
    assert [limits.connect("a", START) for _ in range(3)] == [True, True, False]
    assert limits.connect("a", START + 300 * SECOND)
    assert limits.messages_per_second == 5
    assert limits.described()[0] == {
        "rateLimitType": "REQUEST_WEIGHT",
        "interval": "MINUTE",
        "intervalNum": 1,
        "limit": 20,
    }
