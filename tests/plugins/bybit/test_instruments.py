"""Instruments of every product, from instruments-info and from the symbol alone: both tell the same name."""

from __future__ import annotations

import gzip
import json
from decimal import Decimal

import msgspec
import pytest

from quotewright.errors import InputError
from quotewright.model.names import NameTable, instrument_name
from quotewright_plugins.exchanges.bybit.adapter import BybitAdapter
from quotewright_plugins.exchanges.bybit.instruments import read_instruments
from tests.recorded import recorded

SYMBOLS = {  # market, symbol: canonical name, settlement coin, inverse
    ("spot", "BTCUSDT"): ("BTC-USDT.spot@bybit", "USDT", False),
    ("spot", "ETHBTC"): ("ETH-BTC.spot@bybit", "BTC", False),
    ("spot", "1000PEPEUSDC"): ("1000PEPE-USDC.spot@bybit", "USDC", False),
    ("linear", "BTCUSDT"): ("BTC-USDT.perp@bybit", "USDT", False),
    ("linear", "BTCPERP"): ("BTC-USDC.perp@bybit", "USDC", False),
    ("linear", "BTC-26DEC26"): ("BTC-USDC.261226@bybit", "USDC", False),
    ("linear", "BTCUSDT-26DEC26"): ("BTC-USDT.261226@bybit", "USDT", False),
    ("linear", "BTCUSD"): ("BTC-USD.perp@bybit", "BTC", True),
    ("linear", "BTCUSDZ26"): ("BTC-USD.261225@bybit", "BTC", True),
    ("inverse", "BTCUSD"): ("BTC-USD.perp@bybit", "BTC", True),
    ("inverse", "ETHUSDM21"): ("ETH-USD.210625@bybit", "ETH", True),
    ("option", "BTC-26MAR27-70000-P-USDT"): ("BTC-USDT.270326-70000-P@bybit", "USDT", False),
    ("option", "BTC-6JAN23-17500-C"): ("BTC-USDC.230106-17500-C@bybit", "USDC", False),
    ("option", "XRP-30JUN23-0.55-C"): ("XRP-USDC.230630-0.55-C@bybit", "USDC", False),
}


@pytest.mark.parametrize(("market", "symbol"), SYMBOLS, ids="-".join)
def test_a_symbol_alone_tells_the_name(market, symbol):
    told = BybitAdapter(market).guess_instrument(symbol)
    name, settle, inverse = SYMBOLS[market, symbol]
    assert (told["name"], told["settle"], told["is_inverse"], told["contract_size"]) == (name, settle, inverse, 1)
    assert instrument_name(told["name"]).kind == told["kind"]


@pytest.mark.parametrize(
    ("market", "symbol"),
    [
        ("spot", "ZZZ"),
        ("spot", "A-USDT"),
        ("linear", "BTC-31FEB26"),
        ("linear", "USDT"),
        ("option", "BTC-1-C"),
        ("option", "BTC-32JAN26-1-C"),
        ("option", "BTCUSDT"),
    ],
)
def test_what_no_symbol_tells_is_refused(market, symbol):
    with pytest.raises(InputError, match="bybit"):
        BybitAdapter(market).guess_instrument(symbol)


def answer(**listed: object) -> bytes:
    return json.dumps({"retCode": 0, "retMsg": "OK", "result": {"list": [listed], "nextPageCursor": ""}}).encode()


CONTRACT = {
    "symbol": "BTCUSDZ26",
    "contractType": "InverseFutures",
    "status": "Trading",
    "baseCoin": "BTC",
    "quoteCoin": "USD",
    "settleCoin": "BTC",
    "deliveryTime": "1798185600000",
    "priceFilter": {"minPrice": "1", "maxPrice": "1000000", "tickSize": "0.50"},
    "lotSizeFilter": {"maxOrderQty": "1000000", "minOrderQty": "1", "qtyStep": "1", "minNotionalValue": "5"},
}
STATUSES = {
    "Trading": (None, "trading"),
    "PreLaunch": (None, "closed"),
    "PreLaunch, auction": ({"curAuctionPhase": "CallAuction"}, "auction"),
    "PreLaunch, continuous": ({"curAuctionPhase": "ContinuousTrading"}, "trading"),
    "Delivering": (None, "closed"),
    "Closed": (None, "closed"),
    "Unheard": (None, "halted"),
}


@pytest.mark.parametrize(("word", "listing", "status"), [(k, *v) for k, v in STATUSES.items()], ids=STATUSES)
def test_a_dated_inverse_contract_and_its_status(word, listing, status):
    body = answer(**{**CONTRACT, "status": word.partition(",")[0], "preListingInfo": listing})
    (made,) = read_instruments(body)
    assert (made.name, made.kind, made.is_inverse, made.settle) == ("BTC-USD.261225@bybit", "future", True, "BTC")
    assert (made.tick_size, made.lot_size, made.min_notional) == (Decimal("0.5"), Decimal(1), Decimal(5))
    assert (made.max_quantity_steps, made.status) == (1_000_000, status)


def test_the_spot_maximum_is_that_of_limit_orders():
    body = answer(
        symbol="BTCUSDT",
        baseCoin="BTC",
        quoteCoin="USDT",
        status="Trading",
        lotSizeFilter={
            "basePrecision": "0.000001",
            "minOrderQty": "0.000011",
            "maxLimitOrderQty": "83",
            "minOrderAmt": "5",
        },
        priceFilter={"tickSize": "0.1"},
    )
    (made,) = read_instruments(body)
    assert (made.name, made.lot_size, made.min_quantity_steps) == ("BTC-USDT.spot@bybit", Decimal("0.000001"), 11)
    assert (made.max_quantity_steps, made.min_notional) == (83_000_000, 5)


BAD = {
    "an error": b'{"retCode":10001,"retMsg":"bad","result":{}}',
    "no list": b'{"retCode":0,"result":{}}',
    "no JSON": b"<html>",
    "no tick": answer(**{**CONTRACT, "priceFilter": {}}),
    "a bad tick": answer(**{**CONTRACT, "priceFilter": {"tickSize": "NaN"}}),
    "a negative lot": answer(**{**CONTRACT, "lotSizeFilter": {"qtyStep": "-1"}}),
    "a huge tick": answer(**{**CONTRACT, "priceFilter": {"tickSize": "1e400"}}),
}


@pytest.mark.parametrize("body", BAD.values(), ids=BAD)
def test_an_answer_of_another_shape_is_refused(body):
    with pytest.raises(InputError, match="instruments-info"):
        read_instruments(body)


def test_the_documented_examples_of_every_product():
    class Fixture(msgspec.Struct):
        id: str
        msg: msgspec.Raw

    made = []
    for line in recorded("fixtures/bybit.jsonl").read_bytes().splitlines():
        fixture = msgspec.json.decode(line, type=Fixture)
        if fixture.id.startswith("http_get_instruments"):
            made += read_instruments(bytes(fixture.msg))
    assert {instrument.kind for instrument in made} == {"spot", "perp", "option"}
    for instrument in made:
        market = "option" if instrument.kind == "option" else "spot" if instrument.kind == "spot" else "linear"
        told = BybitAdapter(market).guess_instrument(instrument.symbol)
        assert (told["name"], told["is_inverse"]) == (instrument.name, instrument.is_inverse)


def test_the_recorded_list_of_the_years_before():
    with gzip.open(recorded("reference/bybit_v2_symbols_20210417.jsonl.gz")) as file:
        body = json.loads(file.read().splitlines()[0])["msg"]
    made = {instrument.symbol: instrument for instrument in read_instruments(json.dumps(body).encode())}
    assert len(made) == 15
    assert (made["BTCUSD"].is_inverse, made["BTCUSD"].tick_size) == (True, Decimal("0.5"))
    assert (made["BTCUSDT"].is_inverse, made["BTCUSDT"].settle) == (False, "USDT")
    assert NameTable(made.values()).find("BTC/USD:BTC").symbol == "BTCUSD"
