"""The ledger that engines share: every movement sums to zero, the drop copy says the same as the balances."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from decimal import Decimal

import pytest

from quotewright_simexchange.matching.door import FastEngine
from quotewright_simexchange.matching.ledger import Ledger
from quotewright_simexchange.matching.transactions import FEES, OUTSIDE, Posting

UNIT = 10**18
SPOT = {"kind": "spot", "tick": "0.01", "lot": "0.001", "maker_fee": "-0.0001", "taker_fee": "0.001"}
NAMES = ("ann", "bob", "cat", "dan")


def spot_pair(ledger: Ledger, **settings: str) -> tuple[FastEngine, FastEngine]:
    first = FastEngine(SPOT | {"base": "BTC", "quote": "USDT"} | settings, ledger=ledger, name="BTCUSDT")
    second = FastEngine(SPOT | {"base": "ETH", "quote": "USDT"} | settings, ledger=ledger, name="ETHUSDT")
    return first, second


def order(number: int, account: str, side: str, qty: str, price: str) -> dict[str, str]:
    return {"op": "new", "id": f"o{number}", "account": account, "side": side, "qty": qty, "price": price}


def test_two_engines_share_the_quote_currency_of_an_account():
    ledger = Ledger()
    btc, eth = spot_pair(ledger)
    btc.open("ann", {"USDT": Decimal(100)})
    assert btc.run(order(1, "ann", "buy", "1", "60"))[0][0]["ev"] == "accepted"
    assert eth.run(order(2, "ann", "buy", "1", "50"))[0] == [
        {"ev": "rejected", "id": "o2", "reason": "insufficient_funds"}
    ]
    assert ledger.balance(0, "USDT") == (40 * UNIT, 60 * UNIT)
    btc.run({"op": "cancel", "id": "o1", "account": "ann"})
    assert eth.run(order(3, "ann", "buy", "1", "50"))[0][0]["ev"] == "accepted"
    assert ledger.sums() == {"BTC": 0, "ETH": 0, "USDT": 0}


def test_a_trade_in_one_engine_pays_for_an_order_in_the_other():
    ledger = Ledger()
    btc, eth = spot_pair(ledger, maker_fee="0", taker_fee="0")
    btc.open("ann", {"BTC": Decimal(1)})
    btc.open("bob", {"USDT": Decimal(100)})
    btc.run(order(1, "bob", "buy", "1", "100"))
    assert eth.run(order(2, "ann", "buy", "2", "50"))[0][0]["ev"] == "rejected"
    btc.run(order(3, "ann", "sell", "1", "100"))
    assert eth.run(order(4, "ann", "buy", "2", "50"))[0][0]["ev"] == "accepted"
    assert btc.final()["accounts"]["ann"]["balances"] == {
        "BTC": {"free": "0", "locked": "0"},
        "USDT": {"free": "0", "locked": "100"},
    }


def test_an_account_is_funded_while_the_engine_runs():
    engine, _ = spot_pair(Ledger())
    engine.run(order(1, "ann", "buy", "1", "100"))
    engine.run({"op": "cancel", "id": "o1", "account": "ann"})
    engine.open("ann", {})
    assert engine.run(order(2, "ann", "buy", "1", "100"))[0][0]["reason"] == "insufficient_funds"
    engine.ledger.deposit(engine.ledger.number("ann"), "USDT", 100 * UNIT)
    assert engine.run(order(3, "ann", "buy", "1", "100"))[0][0]["ev"] == "accepted"


def test_the_transactions_of_a_trade_by_hand():
    ledger = Ledger(keep=None)
    engine, _ = spot_pair(ledger, maker_fee="0.001", taker_fee="0.002")
    engine.open("ann", {"USDT": Decimal(1000)})
    engine.open("bob", {"BTC": Decimal(2)})
    engine.run(order(1, "ann", "buy", "2", "100"))
    ledger.now_ns = 7
    engine.run(order(2, "bob", "sell", "2", "100"))
    found = list(ledger.transactions(after=2))
    assert [(one.sequence, one.now_ns, one.kind, one.source) for one in found] == [
        (3, 7, "trade", "BTCUSDT"),
        (4, 7, "fee", "BTCUSDT"),
        (5, 7, "fee", "BTCUSDT"),
    ]
    assert found[0].postings == (
        Posting(0, "BTC", 2 * UNIT),
        Posting(0, "USDT", -200 * UNIT),
        Posting(1, "BTC", -2 * UNIT),
        Posting(1, "USDT", 200 * UNIT),
    )
    assert found[1].postings == (Posting(0, "BTC", -UNIT // 500), Posting(FEES, "BTC", UNIT // 500))
    assert found[2].postings == (Posting(1, "USDT", -UNIT * 4 // 10), Posting(FEES, "USDT", UNIT * 4 // 10))
    assert ledger.system(FEES, "BTC") == UNIT // 500


def test_unfunded_parties_trade_against_the_outside():
    ledger = Ledger()
    engine, _ = spot_pair(ledger, maker_fee="0", taker_fee="0")
    engine.open("ann", {"USDT": Decimal(100)})
    engine.run(order(1, "ann", "buy", "1", "100"))
    engine.run(order(2, "nobody", "sell", "1", "100"))
    assert ledger.balance(ledger.number("nobody"), "USDT") == (0, 0)
    assert ledger.system(OUTSIDE, "BTC") == -UNIT
    assert ledger.system(OUTSIDE, "USDT") == 0
    assert ledger.sums() == {"BTC": 0, "ETH": 0, "USDT": 0}


def test_an_account_has_rates_of_its_own():
    ledger = Ledger()
    engine, other = spot_pair(ledger, maker_fee="0.001", taker_fee="0.002")
    engine.open("ann", {"USDT": Decimal(1000)})
    engine.open("bob", {"BTC": Decimal(4), "ETH": Decimal(4)})
    ledger.set_rates(0, None, 0)
    ledger.set_rates(1, UNIT // 100, UNIT // 50)
    engine.run(order(1, "ann", "buy", "1", "100"))
    events, _ = engine.run(order(2, "bob", "sell", "1", "100"))
    assert events[1]["fees"] == {"maker": ["0.001", "BTC"], "taker": ["2", "USDT"]}
    other.run(order(3, "bob", "sell", "1", "100"))
    events, _ = other.run(order(4, "ann", "buy", "1", "100"))
    assert events[1]["fees"] == {"maker": ["1", "USDT"], "taker": ["0", "ETH"]}
    assert ledger.sums() == {"BTC": 0, "ETH": 0, "USDT": 0}


def test_a_lock_and_a_market_buy_count_the_accounts_own_rate():
    ledger = Ledger()
    engine = FastEngine(SPOT | {"base": "BTC", "quote": "USDT", "fee_mode": "quote"}, ledger=ledger)
    engine.open("ann", {"USDT": Decimal(101)})
    engine.run(order(1, "bob", "sell", "1", "100"))
    ledger.set_rates(0, None, UNIT // 50)
    market = {"op": "new", "id": "m", "account": "ann", "side": "buy", "qty": "1", "type": "market"}
    assert engine.run(market)[0][0]["reason"] == "insufficient_funds"
    assert engine.run(order(2, "ann", "buy", "1", "100"))[0][0]["reason"] == "insufficient_funds"
    ledger.set_rates(0, None, UNIT // 100)
    assert [event["ev"] for event in engine.run(market)[0]] == ["accepted", "trade"]
    assert ledger.balance(0, "USDT") == (0, 0)


def test_deposits_withdrawals_and_transfers():
    ledger = Ledger(keep=2)
    ann, bob = ledger.number("ann"), ledger.number("bob")
    ledger.deposit(ann, "USDT", 10)
    assert not ledger.withdraw(ann, "USDT", 11)
    assert not ledger.transfer(ann, bob, "USDT", 11)
    assert ledger.transfer(ann, bob, "USDT", 4)
    assert ledger.withdraw(ann, "USDT", 5)
    assert (ledger.balance(ann, "USDT"), ledger.balance(bob, "USDT")) == ((1, 0), (4, 0))
    assert ledger.system(OUTSIDE, "USDT") == -5
    assert ledger.sequence == 3
    assert [one.kind for one in ledger.transactions()] == ["transfer", "withdrawal"]
    assert ledger.balance(ann, "BTC") == ledger.balance(7, "USDT") == (0, 0)


def test_amounts_below_zero_are_refused():
    ledger = Ledger()
    for call in (ledger.deposit, ledger.withdraw):
        with pytest.raises(ValueError, match="should not be negative, was -1"):
            call(0, "USDT", -1)
    with pytest.raises(ValueError, match="should not be negative, was -1"):
        ledger.transfer(0, 1, "USDT", -1)
    with pytest.raises(ValueError, match="account numbers start at 0, was -1"):
        ledger.deposit(-1, "USDT", 1)


def test_a_transaction_that_does_not_sum_to_zero_is_refused():
    ledger = Ledger(keep=1)
    with pytest.raises(ValueError, match=r"fee 1 of X does not sum to zero"):
        ledger.record("fee", "X", [Posting(0, "USDT", -1), Posting(FEES, "BTC", 1)])


def test_a_listener_hears_everything_until_it_stops():
    ledger = Ledger()
    heard = []
    stop = ledger.listen(heard.append)
    ledger.deposit(0, "USDT", 1)
    stop()
    ledger.deposit(0, "USDT", 2)
    assert [one.sequence for one in heard] == [1]
    assert not ledger.is_heard
    assert list(ledger.transactions()) == []


def random_order(rng: random.Random, number: int) -> dict[str, str]:
    cmd = order(
        number,
        rng.choice((*NAMES, "nobody")),
        rng.choice(("buy", "sell")),
        str(rng.randint(1, 30)),
        str(rng.randint(95, 105)),
    )
    cmd["type"] = rng.choice(("limit", "limit", "limit", "market"))
    if cmd["type"] == "market":
        del cmd["price"]
    return cmd


@pytest.mark.parametrize("seed", range(6))
def test_random_streams_over_two_instruments_sum_to_zero_after_every_command(seed):
    rng = random.Random(seed)
    ledger = Ledger(keep=None)
    engines = spot_pair(ledger, fee_mode=rng.choice(("received", "quote")), maker_fee=rng.choice(("-0.0001", "0.0003")))
    for name in NAMES:
        engines[0].open(name, {"BTC": Decimal(50), "ETH": Decimal(50), "USDT": Decimal(8000)})
    trades = 0
    for number in range(300):
        engine = rng.choice(engines)
        dice = rng.random()
        if dice < 0.7:
            cmd = random_order(rng, number)
        elif dice < 0.85:
            cmd = {"op": "cancel", "id": f"o{rng.randrange(number + 1)}", "account": rng.choice(NAMES)}
        elif dice < 0.95:
            cmd = {"op": "amend", "id": f"o{rng.randrange(number + 1)}", "account": rng.choice(NAMES)}
            cmd |= {"price": str(rng.randint(95, 105)), "qty": str(rng.randint(1, 30))}
        else:
            ledger.deposit(rng.randrange(4), rng.choice(("BTC", "USDT")), rng.randint(0, 5 * UNIT))
            ledger.withdraw(rng.randrange(4), rng.choice(("BTC", "USDT")), rng.randint(0, 5 * UNIT))
            continue
        events, _ = engine.run(cmd)
        trades += sum(event["ev"] == "trade" for event in events)
        assert set(ledger.sums().values()) == {0}
    assert trades > 50
    derived: dict[tuple[int, str], int] = defaultdict(int)
    for expected, transaction in enumerate(ledger.transactions(), 1):
        assert transaction.sequence == expected
        for account, currency, amount, _ in transaction.postings:
            derived[account, currency] += amount
    for currency, wallets in ledger.wallets.items():
        for account in range(len(ledger.names)):
            assert derived[account, currency] == sum(ledger.balance(account, currency))
        assert derived[FEES, currency] == wallets.fees
        assert derived[OUTSIDE, currency] == wallets.outside


def test_a_restored_ledger_goes_on_as_the_first_one():
    ledger = Ledger()
    engine, _ = spot_pair(ledger)
    engine.open("ann", {"BTC": Decimal(2), "USDT": Decimal(100)})
    ledger.set_rates(0, 5, None)
    engine.run(order(1, "ann", "buy", "1", "60"))
    saved = json.loads(json.dumps(ledger.snapshot()))
    assert engine.spot is not None
    locks = engine.spot.snapshot()
    copy = Ledger()
    again, _ = spot_pair(copy)
    copy.number("somebody else")
    copy.restore(saved)
    assert again.spot is not None
    again.spot.restore(locks)
    assert copy.state() == ledger.state()
    assert again.spot.state() == engine.spot.state()
    assert again.spot.locks == engine.spot.locks
    assert again.run(order(2, "ann", "buy", "1", "50"))[0][0]["reason"] == "insufficient_funds"
    copy.deposit(0, "USDT", 1)
    assert copy.state() != ledger.state()


def test_a_snapshot_of_another_scale_is_refused():
    with pytest.raises(ValueError, match="has 18 decimals, this ledger's 20"):
        Ledger(20).restore(Ledger().snapshot())


def test_the_hash_of_an_engine_covers_what_its_accounts_have():
    ledger = Ledger()
    engine, _ = spot_pair(ledger)
    before = engine.core.state_hash()
    ledger.deposit(0, "USDT", 1)
    assert engine.core.state_hash() != before
