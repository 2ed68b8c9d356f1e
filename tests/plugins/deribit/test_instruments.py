"""Names and metadata of Deribit become instruments; what cannot be right is refused by name."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from quotewright.errors import InputError
from quotewright.model.instrument import Instrument
from quotewright_plugins.exchanges.deribit.adapter import DeribitAdapter
from quotewright_plugins.exchanges.deribit.instruments import index_of, is_combo, option_terms

SYMBOLS = {  # symbol: name, kind, settled in, inverse, index
    "BTC-PERPETUAL": ("BTC-USD.perp@deribit", "perp", "BTC", True, "btc_usd"),
    "BTC_USDC-PERPETUAL": ("BTC-USDC.perp@deribit", "perp", "USDC", False, "btc_usdc"),
    "ETH_USDT-PERPETUAL": ("ETH-USDT.perp@deribit", "perp", "USDT", False, "eth_usdt"),
    "BTC-25DEC26": ("BTC-USD.261225@deribit", "future", "BTC", True, "btc_usd"),
    "BTC-9JUN27": ("BTC-USD.270609@deribit", "future", "BTC", True, "btc_usd"),
    "BTC_USDC-25DEC26": ("BTC-USDC.261225@deribit", "future", "USDC", False, "btc_usdc"),
    "BTC-26MAR27-70000-C": ("BTC-USD.270326-70000-C@deribit", "option", "BTC", False, "btc_usd"),
    "XRP_USDC-26MAR27-0d625-P": ("XRP-USDC.270326-0.625-P@deribit", "option", "USDC", False, "xrp_usdc"),
    "BTC_USDC": ("BTC-USDC.spot@deribit", "spot", "USDC", False, "btc_usdc"),
    "PAXG_BTC": ("PAXG-BTC.spot@deribit", "spot", "BTC", False, "paxg_btc"),
    "BTCDVOL_USDC-28AUG24": ("BTCDVOL-USDC.240828@deribit", "future", "USDC", False, "btcdvol_usdc"),
}


@pytest.mark.parametrize(("symbol", "told"), SYMBOLS.items(), ids=SYMBOLS)
def test_a_symbol_tells_its_instrument(symbol, told):
    fields = DeribitAdapter().guess_instrument(symbol)
    instrument = Instrument(price_decimals=2, size_decimals=2, **fields)
    assert (instrument.name, instrument.kind, instrument.settle, instrument.is_inverse, index_of(symbol)) == told
    assert (instrument.symbol, instrument.contract_size) == (symbol, 1)
    assert (option_terms(symbol) is not None) is (told[1] == "option")
    assert not is_combo(symbol)


@pytest.mark.parametrize(
    "symbol",
    ["BTC", "BTCUSDT", "BTC-USDT-SWAP", "BTC-31FEB27", "BTC-1XYZ27", "BTC-26MAR27-70000", "", "BTC-PERPETUAL\n"],
)
def test_another_shape_is_refused(symbol):
    with pytest.raises(InputError, match="deribit"):
        DeribitAdapter().guess_instrument(symbol)


@pytest.mark.parametrize(
    "symbol", ["BTC-FS-25DEC26_PERP", "ETH-CS-26MAR27-3000_3500", "BTC_USDC-PS-26MAR27-70000_60000"]
)
def test_combos_are_told_by_their_name(symbol):
    assert is_combo(symbol)


def test_an_option_expires_at_eight():
    terms = option_terms("XRP_USDC-26MAR27-0d625-P")
    assert terms is not None
    assert (terms.strike, terms.right, terms.expiry_ns) == ("0.625", "P", 1_806_048_000 * 10**9)


LISTED = {
    "instrument_name": "BTC-26MAR27-70000-C", "kind": "option", "instrument_type": "reversed", "base_currency": "BTC",
    "quote_currency": "BTC", "counter_currency": "USD", "settlement_currency": "BTC", "settlement_period": "month",
    "contract_size": 1.0, "min_trade_amount": 0.1, "tick_size": 0.0001, "is_active": True, "state": "open",
    "tick_size_steps": [{"above_price": 0.005, "tick_size": 0.0005}], "strike": 70000.0, "option_type": "call",
}  # fmt: skip


def read(**fields: object) -> Instrument:
    body = json.dumps({"jsonrpc": "2.0", "result": [{**LISTED, **fields}], "testnet": False})
    (instrument,) = DeribitAdapter().instruments(body.encode())
    return instrument


def test_ticks_depend_on_the_price():
    option = read()
    assert option.tick_table == ((Decimal(0), Decimal("0.0001")), (Decimal("0.005"), Decimal("0.0005")))
    assert (option.tick_size, option.lot_size, option.status) == (Decimal("0.0001"), Decimal("0.1"), "trading")
    assert option.tick_size_at(Decimal("0.0049")) == Decimal("0.0001")
    assert option.tick_size_at(Decimal("0.005")) == Decimal("0.0005")
    with pytest.raises(InputError, match=r"0\.0052 is not a multiple of 0\.0005"):
        option.price_ticks(Decimal("0.0052"))
    assert read(tick_size_steps=[]).tick_table == read(tick_size_steps=None).tick_table == ()
    coarse = read(tick_size=0.002, tick_size_steps=[{"above_price": 1, "tick_size": 0.005}])
    assert (coarse.tick_size, coarse.tick_size_at(Decimal(2))) == (Decimal("0.001"), Decimal("0.005"))


def test_amounts_are_no_contracts_and_the_contract_size_is_in_the_lot():
    perpetual = read(
        instrument_name="BTC-PERPETUAL", kind="future", contract_size=10.0, min_trade_amount=10.0, tick_size=0.5,
        tick_size_steps=[],
    )  # fmt: skip
    assert (perpetual.contract_size, perpetual.lot_size, perpetual.is_inverse) == (1, 10, True)
    assert perpetual.quote_quantity(Decimal(100), Decimal(50_000)) == 100
    linear = read(
        instrument_name="XRP_USDC-26MAR27-0d625-P", instrument_type="linear", settlement_currency="USDC",
        contract_size=1000, min_trade_amount=1000,
    )  # fmt: skip
    assert (linear.lot_size, linear.settle, linear.is_inverse) == (1000, "USDC", False)


STATES = {"open": "trading", "closed": "closed", "locked": "halted", "terminated": "closed", "new word": "halted"}


@pytest.mark.parametrize(("state", "status"), STATES.items())
def test_states_become_ours(state, status):
    assert read(state=state).status == status
    assert read(state="", is_active=False).status == "closed"


BAD = {
    "no tick": {"tick_size": 0},
    "a tick below zero": {"tick_size": -1},
    "a tick out of this world": {"tick_size": 1e-30},
    "no lot": {"min_trade_amount": 0},
    "a step without a tick": {"tick_size_steps": [{"above_price": 1, "tick_size": 0}]},
    "another name": {"instrument_name": "BTCUSDT"},
    "a text for a number": {"tick_size": "x"},
}


@pytest.mark.parametrize("fields", BAD.values(), ids=BAD)
def test_metadata_that_cannot_be_right_are_refused(fields):
    with pytest.raises(InputError, match="deribit"):
        read(**fields)


def test_combos_are_left_out_and_a_single_instrument_is_read():
    combo = {**LISTED, "instrument_name": "BTC-FS-25DEC26_PERP", "kind": "future_combo"}
    adapter = DeribitAdapter()
    assert adapter.instruments(json.dumps({"result": [combo]}).encode()) == []
    assert [found.symbol for found in adapter.instruments(json.dumps({"result": LISTED}).encode())] == [
        LISTED["instrument_name"]
    ]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"error":{"code":10028,"message":"too_many_requests"}}', "error 10028, too_many_requests"),
        (b"{", "should be an answer"),
        (b"{}", "has no result"),
        (b'{"result":[1]}', "should be an answer"),
        (b"[" * 10_000, "should be an answer"),
    ],
)
def test_answers_that_are_none_are_refused(body, said):
    with pytest.raises(InputError, match=said):
        DeribitAdapter().instruments(body)
