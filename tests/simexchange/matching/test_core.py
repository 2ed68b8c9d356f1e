"""Price-time priority, checks, events and level changes of the matching core, in whole steps."""

from __future__ import annotations

from array import array
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quotewright.kernel.codes import BUY, SELL
from quotewright_simexchange.matching.codes import (
    AMEND,
    CANCEL,
    CANCEL_ALL,
    COMMAND_WORDS,
    EVENT_NAMES,
    FOK,
    GTC,
    IOC,
    KEEP,
    LIMIT,
    MARKET,
    MOST,
    NEW,
    POST_ONLY_REJECT,
    POST_ONLY_REPRICE,
    REASON_NAMES,
    TRADED,
)
from quotewright_simexchange.matching.core import MatchingCore

FLAGS = {"ioc": IOC, "fok": FOK}


def place(core, number, text, side, account=1):
    """Place ``5@101``, ``5@101 ioc|fok|post|reprice`` or ``5 market`` and return what the events say."""
    first, *flags = text.split()
    quantity, _, price = first.partition("@")
    kind = MARKET if "market" in flags else LIMIT
    tif = next((FLAGS[flag] for flag in flags if flag in FLAGS), GTC)
    post_only = POST_ONLY_REJECT if "post" in flags else POST_ONLY_REPRICE if "reprice" in flags else 0
    core.new(number, account, side, kind, int(price or 0), int(quantity), tif, post_only)
    return told(core)


def told(core):
    words = []
    for kind, _, other, price, quantity, _, _, code, *_ in core.events():
        name = EVENT_NAMES[kind]
        if kind == TRADED:
            words.append(f"{quantity}@{price}")
        elif name in ("rejected", "cancel_rejected", "amend_rejected"):
            words.append(f"{name}:{REASON_NAMES[code]}")
        elif name == "canceled":
            words.append(f"{REASON_NAMES[code]}:{quantity}")
        elif name == "repriced":
            words.append(f"to {price}")
        assert other == 0 or kind == TRADED
    return " ".join(words)


INCOMING = {  #                     resting offers            incoming bid      fills            offers left
    "best price first":            (["7@102", "5@101"],       "6@102",          "5@101 1@102",   [(102, 6)]),
    "older order first":           (["2@101", "3@101"],       "4@101",          "2@101 2@101",   [(101, 1)]),
    "maker sets the price":        (["5@101"],                "5@109",          "5@101",         []),
    "below the best rests":        (["5@101"],                "5@100",          "",              [(101, 5)]),
    "market sweeps":               (["2@101", "2@500"],       "3 market",       "2@101 1@500",   [(500, 1)]),
    "market takes what there is":  (["2@101"],                "3 market",       "2@101 no_liquidity:1", []),
    "market finds nothing":        ([],                       "3 market",       "no_liquidity:3", []),
    "ioc stops at its limit":      (["2@101", "2@103"],       "5@102 ioc",      "2@101 ioc:3",   [(103, 2)]),
    "fok whole":                   (["2@101", "2@102"],       "4@102 fok",      "2@101 2@102",   []),
    "fok short by a lot":          (["2@101", "2@102"],       "5@102 fok",      "fok:5",         [(101, 2), (102, 2)]),
    "fok counts to its limit":     (["2@101", "9@103"],       "3@102 fok",      "fok:3",         [(101, 2), (103, 9)]),
    "fok across far levels":       (["2@101", "2@900000"],    "4@900000 fok",   "2@101 2@900000", []),
    "post-only never takes":       (["5@101"],                "5@101 post",     "rejected:post_only", [(101, 5)]),
    "post-only may join":          (["5@101"],                "5@100 post",     "",              [(101, 5)]),
    "reprice goes one tick back":  (["5@101"],                "5@109 reprice",  "to 100",        [(101, 5)]),
    "reprice finds no price left": (["5@1"],                  "5@9 reprice",    "rejected:post_only", [(1, 5)]),
    "post-only is no ioc":         (["5@101"],                "5@99 ioc post",  "rejected:bad_flags", [(101, 5)]),
}  # fmt: skip


@pytest.mark.parametrize(("offers", "bid", "fills", "left"), INCOMING.values(), ids=INCOMING)
def test_incoming_bid(offers, bid, fills, left):
    core = MatchingCore()
    for number, offer in enumerate(offers):
        place(core, number, offer, SELL)
    assert place(core, 90, bid, BUY, account=2) == fills
    assert core.levels(SELL) == left


MIRRORED = {name: row for name, row in INCOMING.items() if name != "reprice finds no price left"}


@pytest.mark.parametrize(("offers", "bid", "fills", "left"), MIRRORED.values(), ids=MIRRORED)
def test_the_other_side_is_the_mirror_image(offers, bid, fills, left):
    """The same table with prices counted down from a million: every offer a bid, the bid an offer."""

    def mirrored(text):
        return " ".join(
            f"{quantity}@{1_000_000 - int(price)}" if (quantity := word.partition("@")[0]) and price else word
            for word in text.split()
            for price in [word.partition("@")[2]]
        )

    core = MatchingCore()
    for number, offer in enumerate(offers):
        place(core, number, mirrored(offer), BUY)
    expected = mirrored(fills) if "to" not in fills else "to 999900"
    assert place(core, 90, mirrored(bid), SELL, account=2) == expected
    assert core.levels(BUY) == [(1_000_000 - price, size) for price, size in left]


CHECKS = {  # settings of the core                       order                   reason
    "off the tick":      ({"tick_steps": 5},             "1@102",                "tick"),
    "off the lot":       ({"lot_steps": 10},             "15@100",               "lot"),
    "tick before lot":   ({"tick_steps": 5, "lot_steps": 10}, "15@102",          "tick"),
    "no quantity":       ({},                            "0@100",                "bad_qty"),
    "bad quantity first": ({},                           "-1@-1",                "bad_qty"),
    "price zero":        ({},                            "1@0",                  "bad_price"),
    "price too large":   ({},                            f"1@{MOST + 1}",        "bad_price"),
    "quantity too large": ({},                           f"{MOST + 1}@1",        "bad_qty"),
    "minimum quantity":  ({"min_quantity": 3},           "2@100",                "min_qty"),
    "maximum quantity":  ({"max_quantity": 3},           "4@100",                "max_qty"),
    "minimum notional":  ({"min_notional": 1001},        "10@100",               "min_notional"),
    "huge notional":     ({"min_notional": 1 << 90},     f"{MOST}@100",          "min_notional"),
    "quantity before notional": ({"min_quantity": 3, "min_notional": 1001}, "2@100", "min_qty"),
}  # fmt: skip


@pytest.mark.parametrize(("limits", "order", "reason"), CHECKS.values(), ids=CHECKS)
def test_first_failed_check_is_told_and_nothing_happens(limits, order, reason):
    core = MatchingCore(**limits)
    assert place(core, 1, order, BUY) == f"rejected:{reason}"
    assert (core.levels(BUY), core.changes(), core.is_used(1), core.accept_number) == ([], [], False, 0)


def test_limits_are_inclusive():
    core = MatchingCore(min_quantity=3, max_quantity=5, min_notional=300)
    assert [place(core, 1, "3@100", BUY), place(core, 2, "5@60", BUY)] == ["", ""]
    assert MatchingCore(min_notional=1 << 63).new(1, 1, BUY, LIMIT, 1 << 40, 1 << 23) == 1


def test_a_market_order_is_valued_at_the_last_price():
    core = MatchingCore(min_notional=500)
    place(core, 1, "6@100", SELL)
    assert place(core, 2, "1 market", BUY) == "1@100"
    assert place(core, 3, "4 market", BUY) == "rejected:min_notional"
    assert place(core, 4, "5 market", BUY) == "5@100"


def test_open_quantity_of_a_side_stays_within_int64():
    core = MatchingCore()
    assert place(core, 1, f"{MOST - 5}@100", BUY) == ""
    assert place(core, 2, "6@99", BUY) == "rejected:max_qty"
    assert place(core, 3, "5@100", BUY) == ""
    core.amend(3, 1, KEEP, 6)
    assert told(core) == "amend_rejected:max_qty"
    assert place(core, 4, f"{MOST} market", SELL).startswith(f"{MOST - 5}@100")


def test_an_id_is_used_up_by_acceptance():
    core = MatchingCore()
    place(core, 1, "1@100", BUY)
    core.cancel(1, 1)
    assert place(core, 1, "1@100", BUY) == "rejected:duplicate_id"
    assert place(core, 2, "0@100", BUY) == "rejected:bad_qty"
    assert place(core, 2, "1@100", BUY) == ""


def test_only_the_owner_learns_that_an_order_has_ended():
    core = MatchingCore()
    place(core, 1, "1@100", BUY, account=1)
    answers = []
    for account in (2, 1, 1, 2):
        core.cancel(1, account)
        answers.append(told(core))
    assert answers == [
        "cancel_rejected:unknown_order",
        "user:1",
        "cancel_rejected:order_closed",
        "cancel_rejected:unknown_order",
    ]
    core.amend(77, 1)
    assert told(core) == "amend_rejected:unknown_order"
    core.cancel(-1, 1)
    assert told(core) == "cancel_rejected:unknown_order"


def test_cancel_all_goes_by_acceptance_and_knows_its_account():
    core = MatchingCore()
    for number, (price, account) in enumerate([(100, 1), (101, 2), (99, 1), (103, 1)]):
        core.new(number, account, BUY, LIMIT, price, 1)
    core.amend(0, 1, 102)
    core.cancel_all(1)
    assert [event[1] for event in core.events()] == [0, 2, 3]
    assert core.changes() == [(BUY, 103, 0, 6), (BUY, 102, 0, 6), (BUY, 99, 0, 6)]
    assert (core.open_orders(1), core.open_orders(2), core.open_order_count(2)) == ([], [1], 1)
    assert core.cancel_all(9) == 0


AMENDS = {  #            policy  new price, quantity   queue afterwards
    "down keeps":       (0, (KEEP, 3), [(1, 3), (2, 5)]),
    "up loses":         (0, (KEEP, 6), [(2, 5), (1, 6)]),
    "same keeps":       (0, (100, 5), [(1, 5), (2, 5)]),
    "always requeues":  (1, (KEEP, 3), [(2, 5), (1, 3)]),
    "down only, down":  (2, (KEEP, 3), [(1, 3), (2, 5)]),
    "down only, up":    (2, (KEEP, 6), [(1, 5), (2, 5)]),
    "down only, price": (2, (99, 3), [(1, 5), (2, 5)]),
    "price leaves":     (0, (99, KEEP), [(2, 5)]),
}  # fmt: skip


@pytest.mark.parametrize(("policy", "change", "queue"), AMENDS.values(), ids=AMENDS)
def test_amend_and_place_in_the_queue(policy, change, queue):
    core = MatchingCore(amend_policy=policy)
    place(core, 1, "5@100", BUY)
    place(core, 2, "5@100", BUY)
    core.amend(1, 1, *change)
    assert core.orders_at(BUY, 100) == queue


def test_amend_means_the_total_and_ends_at_what_is_filled():
    core = MatchingCore()
    place(core, 1, "10@100", SELL)
    place(core, 2, "4@100", BUY)
    core.amend(1, 1, KEEP, 8)
    assert core.leaves(1) == 4
    core.amend(1, 1, KEEP, 4)
    assert told(core) == "amend_below_filled:4"
    assert core.leaves(1) == 0


def test_an_amended_order_trades_at_the_makers_prices():
    core = MatchingCore()
    place(core, 1, "2@101", SELL)
    place(core, 2, "5@99", BUY)
    core.amend(2, 1, 102)
    assert told(core) == "2@101"
    assert core.changes() == [(BUY, 102, 3, 3), (BUY, 99, 0, 3), (SELL, 101, 0, 3)]
    core.amend(2, 1, 98)
    place(core, 3, "9@98", SELL)
    assert (core.levels(BUY), core.levels(SELL), core.last_price) == ([], [(98, 6)], 98)


@pytest.mark.parametrize(("cross", "answer"), [(0, "amend_rejected:post_only"), (1, "post_only:3")])
def test_post_only_amended_through_the_market(cross, answer):
    core = MatchingCore(amend_post_only_cross=cross)
    place(core, 1, "3@99 post", BUY)
    place(core, 2, "1@100", SELL)
    core.amend(1, 1, 100)
    assert told(core) == answer


def test_open_orders_are_capped_per_account():
    core = MatchingCore(max_open_orders=1)
    assert place(core, 1, "1@99", BUY) == ""
    assert place(core, 2, "1@98", BUY) == "rejected:max_open_orders"
    assert place(core, 3, "1@98", BUY, account=2) == ""
    core.cancel(1, 1)
    assert place(core, 2, "1@98", BUY) == ""


def test_a_trade_row_tells_both_sides():
    core = MatchingCore(tick_steps=5)
    core.new(7, 3, SELL, LIMIT, 100, 5)
    assert core.new(9, 4, BUY, LIMIT, 105, 8) == 2
    assert core.events()[1] == (TRADED, 7, 9, 100, 5, 0, 3, BUY, 3, 4, 1)
    assert [core.event(1, column) for column in range(11)] == list(core.events()[1])
    assert core.order(9) == (4, BUY, 105, 8, 3, 0, 2)
    assert core.changes() == [(BUY, 105, 3, 2), (SELL, 100, 0, 2)]
    assert core.change(1, 1) == 100
    with pytest.raises(IndexError, match="there are 2 events"):
        core.event(2, 0)


def test_a_command_without_net_change_publishes_nothing():
    core = MatchingCore(amend_policy=1)
    place(core, 1, "1@100", BUY)
    sequence = core.feed_sequence
    core.amend(1, 1, 100, 1)
    assert (core.changes(), core.feed_sequence) == ([], sequence)


def test_a_sweep_over_many_levels_is_published_best_first():
    core = MatchingCore()
    for number in range(300):
        place(core, number, f"1@{1000 + 37 * number % 300}", SELL)
    place(core, 400, "299@5000", BUY)
    assert core.changes() == [(SELL, price, 0, 301) for price in range(1000, 1299)]
    core.cancel_all(1)
    assert [change[:3] for change in core.changes()] == [(SELL, 1299, 0)]


def test_what_is_no_command_raises_before_anything_happens():
    core = MatchingCore()
    for arguments in [
        (1, 1, 3, LIMIT, 1, 1),
        (1, 1, BUY, 9, 1, 1),
        (1, 1, BUY, LIMIT, 1, 1, 7),
        (-1, 1, BUY, LIMIT, 1, 1),
    ]:
        with pytest.raises(ValueError, match=r"order"):
            core.new(*arguments)
    with pytest.raises(ValueError, match="counted up"):
        core.new(1 << 40, 1, BUY, LIMIT, 1, 1)
    with pytest.raises(ValueError, match="operation"):
        core.run(array("q", [9] * COMMAND_WORDS), 0, 1)
    assert (core.accept_number, core.levels(BUY)) == (0, [])


PRICES = st.one_of(
    st.integers(95, 105), st.sampled_from([1, 2, 5000, 9000, 10**6, 10**12, 10**18, MOST]), st.integers(1, MOST)
)
COMMANDS = st.lists(
    st.tuples(
        st.sampled_from([NEW, NEW, NEW, NEW, CANCEL, AMEND, AMEND, CANCEL_ALL]),
        st.integers(0, 40),  # order
        st.integers(0, 3),  # account
        st.sampled_from([BUY, SELL]),
        st.sampled_from([LIMIT, LIMIT, LIMIT, MARKET]),
        PRICES,
        st.integers(1, 9),
        st.sampled_from([GTC, GTC, GTC, IOC, FOK]),
        st.sampled_from([0, 0, 0, 1, 2]),
    ),
    max_size=60,
)


def carry_out(core, row):
    operation, order, account, side, kind, price, quantity, tif, post_only = row
    if operation == NEW:
        core.new(order, account, side, kind, price, quantity, tif, post_only)
    elif operation == CANCEL:
        core.cancel(order, account)
    elif operation == AMEND:
        core.amend(order, account, price, quantity)
    else:
        core.cancel_all(account)


@settings(max_examples=120, deadline=None)
@given(COMMANDS)
def test_whatever_comes_the_book_stays_right(rows):
    """Never crossed, levels are the sum of their orders, the feed leads from book to book, no lot is made or lost."""
    core = MatchingCore()
    shown = {BUY: {}, SELL: {}}
    placed = {}
    ended = Counter()
    sequence = 0
    for row in rows:
        carry_out(core, row)
        for event in core.events():
            name = EVENT_NAMES[event[0]]
            if name == "accepted":
                placed[event[1]] = row[6]
            elif name == "amended":
                placed[event[1]] = event[4]
            elif name == "canceled":
                ended[event[1]] += event[4]
            elif name == "trade":
                ended[event[1]] += event[4]
                ended[event[2]] += event[4]
        for side, price, size, number in core.changes():
            assert shown[side].get(price, 0) != size
            shown[side][price] = size
            assert number == sequence + 1
        sequence = core.feed_sequence
        for side in (BUY, SELL):
            levels = core.levels(side)
            assert dict(levels) == {price: size for price, size in shown[side].items() if size}
            assert [price for price, _ in levels] == sorted(dict(levels), reverse=side == BUY)
            assert len(levels) == core.level_count(side)
            assert core.open_quantity(side) == sum(size for _, size in levels)
            for price, size in levels:
                queue = core.orders_at(side, price)
                assert sum(leaves for _, leaves in queue) == size == core.size_at(side, price)
                assert all(leaves > 0 for _, leaves in queue)
        assert not (core.best_bid() and core.best_offer()) or core.best_bid() < core.best_offer()
        assert [core.best_bid(), core.best_offer()] == [
            core.levels(side, 1)[0][0] if core.levels(side, 1) else 0 for side in (BUY, SELL)
        ]
    assert placed == {order: ended[order] + core.leaves(order) for order in placed}


@settings(max_examples=60, deadline=None)
@given(COMMANDS, st.integers(1, 40))
def test_in_bulk_and_one_by_one_are_the_same(rows, most_events):
    single, bulk = MatchingCore(), MatchingCore(window=1024)
    expected, changed = [], []
    for row in rows:
        carry_out(single, row)
        expected += single.events()
        changed += single.changes()
    words = array("q", [word for row in rows for word in (*row, *[0] * (COMMAND_WORDS - len(row)))])
    events, changes, at = [], [], 0
    while at < len(rows):
        at = bulk.run(words, at, len(rows), most_events)
        events += bulk.events()
        changes += bulk.changes()
    assert (events, changes) == (expected, changed)
    assert bulk.state_hash() == single.state_hash()


def test_first_in_first_out_at_every_price():
    """Among orders at one price the earlier accepted one never has less filled while it is open."""
    core = MatchingCore()
    for number in range(60):
        place(core, number, f"{1 + number % 7}@{100 + number % 3}", BUY)
    before = {price: [order for order, _ in core.orders_at(BUY, price)] for price in (100, 101, 102)}
    fills = []
    for number in range(60, 90):
        place(core, number, f"{1 + number % 11}@100 ioc", SELL)
        fills += [event[1] for event in core.events() if event[0] == TRADED]
    order = [number for price in (102, 101, 100) for number in before[price]]
    assert list(dict.fromkeys(fills)) == order[: len(dict.fromkeys(fills))]


def test_the_state_hash_tells_states_apart_and_forgets_how_they_came():
    cores = [MatchingCore(), MatchingCore(window=1024), MatchingCore()]
    for core in cores:
        place(core, 1, "5@100", BUY)
        place(core, 2, "5@90000", SELL)
    assert cores[0].state_hash() == cores[1].state_hash()
    cores[2].cancel(2, 1)
    assert cores[2].state_hash() != cores[0].state_hash()
