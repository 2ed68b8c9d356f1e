"""Decimal text at the door: exact numbers, names, spot money, and the cases of the project."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quotewright.errors import InputError
from quotewright_simexchange.matching.codes import MOST, OFF_STEP, UNREADABLE
from quotewright_simexchange.matching.decimals import read_steps, write_steps
from quotewright_simexchange.matching.door import FastEngine, NotSupportedError

NUMBERS = {  #        text                        decimals  steps
    "whole":         ("100",                       0,        100),
    "decimals":      ("100.25",                    2,        10025),
    "fewer decimals": ("100.2",                    2,        10020),
    "exponent":      ("1E1",                       1,        100),
    "small exponent": ("25e-2",                    2,        25),
    "leading point": (".5",                        1,        5),
    "trailing point": ("5.",                       1,        50),
    "plus sign":     ("+5",                        0,        5),
    "zeros behind":  ("1.50000",                   1,        15),
    "finer":         ("0.25",                      1,        OFF_STEP),
    "finest":        ("1.000000000000000001",      2,        OFF_STEP),
    "int":           (7,                           1,        70),
    "Decimal":       (Decimal("7.5"),              1,        75),
    "largest":       ("999999999999999999",        0,        10**18 - 1),
    "too large":     ("1000000000000000000",       0,        UNREADABLE),
    "too large exp": ("1e18",                      0,        UNREADABLE),
    "absurd":        ("1e400",                     0,        UNREADABLE),
    "absurdly small": ("1e-400",                   0,        UNREADABLE),
    "absurd int":    (10**500,                     0,        UNREADABLE),
    "absurdly long": ("1" * 5000,                  0,        UNREADABLE),
    "19 decimals":   ("0.0000000000000000001",     18,       UNREADABLE),
    "past the core": (str(10**17),                 3,        UNREADABLE),
    "zero":          ("0",                         0,        UNREADABLE),
    "minus zero":    ("-0.0",                      0,        UNREADABLE),
    "negative":      ("-1",                        0,        UNREADABLE),
    "NaN":           ("NaN",                       0,        UNREADABLE),
    "sNaN":          (Decimal("sNaN"),             0,        UNREADABLE),
    "Infinity":      ("Infinity",                  0,        UNREADABLE),
    "a word":        ("many",                      0,        UNREADABLE),
    "nothing":       ("",                          0,        UNREADABLE),
    "a point":       (".",                         0,        UNREADABLE),
    "a space":       (" 1",                        0,        UNREADABLE),
    "a newline":     ("1\n",                       0,        UNREADABLE),
    "underscore":    ("1_000",                     0,        UNREADABLE),
    "other digits":  ("١٢",                        0,        UNREADABLE),
    "absent":        (None,                        0,        UNREADABLE),
    "a float":       (1.5,                         1,        UNREADABLE),
    "a bool":        (True,                        0,        UNREADABLE),
}  # fmt: skip


@pytest.mark.parametrize(("value", "decimals", "steps"), NUMBERS.values(), ids=NUMBERS)
def test_text_becomes_exact_steps_or_says_why_not(value, decimals, steps):
    assert read_steps(value, decimals) == steps


@given(st.integers(1, MOST), st.integers(0, 18))
def test_steps_survive_the_way_out_and_in(steps, decimals):
    text = write_steps(steps, decimals)
    assert Decimal(text) == Decimal(steps).scaleb(-decimals)
    assert read_steps(text, decimals) == (steps if Decimal(text) < 10**18 else UNREADABLE)


def order(id, account, side, qty, price=None, **more):
    kind = {"type": "market"} if price is None else {"type": "limit", "price": price}
    return {"op": "new", "id": id, "account": account, "side": side, "qty": qty} | kind | more


def brief(events):
    words = []
    for event in events:
        detail = event.get("reason") or (f"{event['qty']}@{event['price']}" if event["ev"] == "trade" else "")
        words.append(f"{event['ev']} {detail}".strip())
    return ", ".join(words)


REFUSED = {  #      settings                     order                                         reason
    "quantity first": ({},                       order("a", "A", "buy", "x", "y"),             "bad_qty"),
    "then the price": ({},                       order("a", "A", "buy", "1", "y"),             "bad_price"),
    "no price":     ({},                         order("a", "A", "buy", "1", type="limit"),    "bad_price"),
    "tick":         ({"tick": "0.5"},            order("a", "A", "buy", "0.5", "100.25"),      "tick"),
    "much finer":   ({"tick": "0.5"},            order("a", "A", "buy", "1", "100.001"),       "tick"),
    "lot":          ({"lot": "0.2"},             order("a", "A", "buy", "0.3", "100"),         "lot"),
    "much finer lot": ({"lot": "0.2"},           order("a", "A", "buy", "0.2001"),             "lot"),
    "min finer than a lot": ({"min_qty": "1.5"}, order("a", "A", "buy", "1", "100"),           "min_qty"),
    "max finer than a lot": ({"max_qty": "1.5"}, order("a", "A", "buy", "2", "100"),           "max_qty"),
    "notional":     ({"min_notional": "10.5"},   order("a", "A", "buy", "1", "10"),            "min_notional"),
    "with a contract": ({"min_notional": "10", "mult": "0.1"}, order("a", "A", "buy", "9", "11"), "min_notional"),
    "flags":        ({},                         order("a", "A", "buy", "1", post_only="reject"), "bad_flags"),
}  # fmt: skip


@pytest.mark.parametrize(("instrument", "command", "reason"), REFUSED.values(), ids=REFUSED)
def test_a_bad_order_is_rejected_and_its_id_stays_free(instrument, command, reason):
    engine = FastEngine(instrument, {})
    assert engine.run(command) == ([{"ev": "rejected", "id": "a", "reason": reason}], [])
    events, changes = engine.run(order("a", "A", "buy", "2" if "lot" not in instrument else "0.2", "5000"))
    assert brief(events) == ("accepted" if "max_qty" not in instrument else "rejected max_qty")
    assert bool(changes) == ("max_qty" not in instrument)


@pytest.mark.parametrize(
    "command",
    [
        order("a", "A", "hold", "1", "1"),
        order("a", "A", "buy", "1", "1", tif="day"),
        order("a", "A", "buy", "1", "1", stp="both"),
        order("a", "A", "buy", "1", "1") | {"type": "trailing_stop", "trigger": "5"},
        {"op": "phase", "state": "closed"},
        {"op": "dance"},
        {},
    ],
    ids=str,
)
def test_what_is_not_there_is_refused_before_anything_happens(command):
    engine = FastEngine({}, {})
    with pytest.raises(NotSupportedError, match="nothing was done"):
        engine.run(command)
    assert engine.final() == {"bids": [], "asks": [], "stops": [], "last": None}


@pytest.mark.parametrize(
    ("settings_", "error"),
    [
        ({"kind": "future"}, "plain, spot, linear, inverse, option"),
        ({"tickk": "1"}, "unknown key 'tickk'"),
        ({"tick": "0"}, "tick should be positive"),
        ({"lot": "NaN"}, "lot should be a finite"),
        ({"exec_range": {}}, "exec_range: ref should be one of last, mark, index, ref"),
        ({"price_band": {"ref": "last", "upper": "2"}}, "price_band should be an object of"),
        ({"market_protection": {"ref": "last"}}, "either points or pct"),
        ({"stop_if_met": "wait"}, "stop_if_met should be one of reject, trigger"),
        ({"kind": "option", "option_type": "call"}, "strike should be a finite"),
        ({"fee_mode": "free"}, "fee_mode"),
        ({"max_qty": "0.5"}, "less than a lot"),
    ],
)
def test_settings_are_checked(settings_, error):
    with pytest.raises(InputError, match=error):
        FastEngine(settings_, {})


SPOT = {"kind": "spot", "base": "BTC", "quote": "USDT", "tick": "0.01", "lot": "0.001"}
MONEY = {  # maker fee, taker fee, mode; an unlisted maker's offers; the bid of A with 1000 USDT; A's BTC, USDT, locked
    "a buy locks its value":  ("0 0 received",         "",              "2@110",        "0 780 220"),
    "improvement comes back": ("0 0 received",         "1@100",         "2@110",        "1 790 110"),
    "fee of what comes in":   ("0 0.002 received",     "1@100",         "1@100",        "0.998 900 0"),
    "quote fee is locked":    ("0.001 0.002 quote",    "",              "1@100",        "0 899.8 100.2"),
    "quote fee is paid":      ("0.001 0.002 quote",    "1@50",          "1@100",        "1 949.9 0"),
    "a charge is rounded up": ("0 0.001051 received",  "0.001@0.07",    "0.001@0.07",   "0.00099894 999.99993 0"),
    "a taker rebate":         ("0 -0.001 quote",       "0.001@0.07",    "0.001@0.07",   "0.001 999.99993007 0"),
    "a market buy, too dear": ("0 0 received",         "9@100 9@110",   "10",           "0 1000 0"),
    "a market buy, not a lot more": ("0 0 received",   "9@100 9@110",   "9.909",        "9.909 0.01 0"),
    "a fill or kill that cannot fill costs nothing": ("0 0 received", "9@200", "10 fok", "0 1000 0"),
}  # fmt: skip


@pytest.mark.parametrize(("terms", "offers", "bid", "funds"), MONEY.values(), ids=MONEY)
def test_spot_money(terms, offers, bid, funds):
    fees = dict(zip(("maker_fee", "taker_fee", "fee_mode"), terms.split(), strict=True))
    engine = FastEngine(SPOT | fees, {"A": {"balances": {"BTC": "0", "USDT": "1000"}}})
    for number, offer in enumerate(offers.split()):
        engine.run(order(f"m{number}", "M", "sell", *offer.split("@")))
    number, *flags = bid.split()
    engine.run(order("a", "A", "buy", *number.split("@"), tif="".join(flags) or "gtc"))
    balances = engine.final()["accounts"]["A"]["balances"]
    assert " ".join([balances["BTC"]["free"], balances["USDT"]["free"], balances["USDT"]["locked"]]) == funds


def test_orders_and_amends_are_checked_against_what_is_free():
    engine = FastEngine(SPOT, {"A": {"balances": {"BTC": "1", "USDT": "1000"}}})
    answers = [
        engine.run(order("a", "A", "buy", "8", "100")),
        engine.run({"op": "amend", "id": "a", "account": "A", "qty": "11"}),
        engine.run(order("b", "A", "buy", "2.001", "100")),
        engine.run({"op": "amend", "id": "a", "account": "A", "qty": "10"}),
        engine.run({"op": "cancel", "id": "a", "account": "A"}),
        engine.run(order("b", "A", "buy", "10", "100")),
        engine.run(order("c", "A", "sell", "1.001", "101")),
        engine.run(order("c", "A", "sell", "1", "101")),
    ]
    assert [brief(events) for events, _ in answers] == [
        "accepted",
        "amend_rejected insufficient_funds",
        "rejected insufficient_funds",
        "amended",
        "canceled user",
        "accepted",
        "rejected insufficient_funds",
        "accepted",
    ]


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["received", "quote"]),
    st.sampled_from(["0", "0.001", "-0.00017"]),
    st.sampled_from(["0.001051", "0.002", "-0.0001"]),
    st.lists(
        st.tuples(
            st.sampled_from(["buy", "sell"]),
            st.sampled_from("ABC"),
            st.integers(1, 4000),
            st.one_of(st.none(), st.integers(9900, 10100)),
            st.sampled_from(["new", "new", "new", "amend", "cancel"]),
        ),
        max_size=40,
    ),
)
def test_money_is_conserved(mode, maker, taker, rows):
    """What all accounts hold and the fees taken are what was paid in, and nothing stays locked at the end."""
    funds = {name: {"balances": {"BTC": "5", "USDT": "500"}} for name in "ABC"}
    engine = FastEngine(SPOT | {"maker_fee": maker, "taker_fee": taker, "fee_mode": mode}, funds)
    for number, (side, account, lots, ticks, operation) in enumerate(rows):
        qty = write_steps(lots, 3)
        price = None if ticks is None else write_steps(ticks, 2)
        if operation == "new":
            engine.run(order(f"{account}{number}", account, side, qty, price))
        else:
            id = next(iter(engine.core.open_orders(engine.account_numbers[account])), None)
            if id is not None:
                engine.run(
                    {"op": operation, "id": engine.order_names[id], "account": account, "qty": qty, "price": price}
                )
        assert_money(engine)
    for account in "ABC":
        engine.run({"op": "cancel_all", "account": account})
    assert_money(engine)
    assert engine.spot.locks == {}
    assert all(engine.spot.balance(account)[1::2] == (0, 0) for account in engine.account_numbers.values())


def assert_money(engine):
    balances = [engine.spot.balance(account) for account in engine.account_numbers.values()]
    unit = 10**engine.money_decimals
    assert sum(base for base, *_ in balances) + sum(row[1] for row in balances) + engine.spot.base_fees == 15 * unit
    assert sum(row[2] + row[3] for row in balances) + engine.spot.quote_fees == 1500 * unit
    assert min(min(row) for row in balances) >= -60 * unit // 10**engine.fee_scale


CASES = Path(__file__).resolve().parents[4] / "shared" / "matching_cases.json"
TAGS = {
    "limit",
    "market",
    "ioc",
    "fok",
    "post_only",
    "reprice",
    "cancel",
    "amend",
    "fifo",
    "filters",
    "fees",
    "balances",
    "spot",
    "feed",
    "id",
    "numbers",
    "rounding",
}


def same(value):
    """Return *value* with decimal text as numbers, so that 10 and 10.0 are equal."""
    if isinstance(value, dict):
        return {key: same(each) for key, each in value.items()}
    if isinstance(value, list):
        return [same(each) for each in value]
    try:
        return Decimal(value) if isinstance(value, str) else value
    except ArithmeticError:
        return value


def test_the_shared_cases_of_what_is_built_pass():
    if not CASES.exists():
        pytest.skip(reason="the shared cases are not beside the project: shared/matching_cases.json is absent")
    file = json.loads(CASES.read_text(encoding="utf-8"))
    passed = 0
    for case in file["cases"]:
        if case["kind"] != "engine" or not set(case["tags"]) <= TAGS:
            continue
        engine = FastEngine(file["instrument_defaults"] | case.get("instrument", {}), case.get("accounts", {}))
        for step in case["steps"]:
            events, changes = engine.run(step["cmd"])
            assert same(events) == same(step["events"]), (case["id"], step["cmd"])
            assert same(changes) == same(step.get("l2", [])), (case["id"], step["cmd"])
        final = engine.final()
        assert {key: same(final[key]) for key in case["final"]} == same(case["final"]), case["id"]
        passed += 1
    assert passed >= 58
