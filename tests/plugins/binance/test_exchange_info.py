"""Instruments from Binance's metadata, and from symbols alone."""

from __future__ import annotations

import gzip
import json
from decimal import Decimal

import attrs
import pytest

from quotewright.errors import InputError
from quotewright.model.names import instrument_name
from quotewright_plugins.exchanges.binance.adapter import BinanceAdapter
from quotewright_plugins.exchanges.binance.exchange_info import guess_instrument, infer
from tests.recorded import recorded


def body(*symbols: dict[str, object]) -> bytes:
    return json.dumps({"timezone": "UTC", "symbols": symbols}).encode()


def spot(**changes: object) -> dict[str, object]:
    filters = [
        {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1000000.00", "tickSize": "0.01000000"},
        {"filterType": "LOT_SIZE", "minQty": "0.00001", "maxQty": "9000.00", "stepSize": "0.00001000"},
        {"filterType": "NOTIONAL", "minNotional": "5.00000000", "maxNotional": "9000000.00", "avgPriceMins": 5},
    ]
    base = {"symbol": "BTCUSDT", "status": "TRADING", "baseAsset": "BTC", "quoteAsset": "USDT", "baseAssetPrecision": 8}
    return {**base, "filters": filters, **changes}


def usdm(symbol: str, kind: str) -> dict[str, object]:
    filters = [
        {"filterType": "PRICE_FILTER", "minPrice": "556.8", "maxPrice": "4529764", "tickSize": "0.10"},
        {"filterType": "LOT_SIZE", "minQty": "0.001", "maxQty": "1000", "stepSize": "0.001"},
        {"filterType": "MIN_NOTIONAL", "notional": "100"},
    ]
    base = {"symbol": symbol, "status": "TRADING", "baseAsset": "BTC", "quoteAsset": "USDT", "marginAsset": "USDT"}
    return {**base, "contractType": kind, "baseAssetPrecision": 8, "pricePrecision": 2, "filters": filters}


def test_a_spot_instrument_has_tick_lot_and_notional_in_steps():
    (one,) = BinanceAdapter("spot").instruments(body(spot()))
    assert (one.name, one.symbol, one.kind, one.status) == ("BTC-USDT.spot@binance", "BTCUSDT", "spot", "trading")
    assert (one.price_decimals, one.tick_steps, one.tick_size) == (2, 1, Decimal("0.01"))
    assert (one.size_decimals, one.lot_steps, one.lot_size) == (8, 1000, Decimal("0.00001"))
    assert (one.min_quantity_steps, one.max_quantity_steps) == (1000, 900_000_000_000)
    assert one.min_notional == 5


def test_the_tick_comes_from_the_filter_not_from_the_precision():
    perp, dated = BinanceAdapter("usdm").instruments(
        body(usdm("BTCUSDT", "PERPETUAL"), usdm("BTCUSDT_250627", "CURRENT_QUARTER"))
    )
    assert (perp.name, perp.kind, perp.tick_size) == ("BTC-USDT.perp@binance", "perp", Decimal("0.1"))
    assert (dated.name, dated.kind) == ("BTC-USDT.250627@binance", "future")
    assert perp.min_notional == dated.min_notional == 100


def test_both_spellings_of_the_minimum_value_are_read_and_zero_is_off():
    old = {"filterType": "MIN_NOTIONAL", "minNotional": "10.0", "applyToMarket": True, "avgPriceMins": 5}
    off = [
        {"filterType": "PRICE_FILTER", "minPrice": "0", "maxPrice": "0", "tickSize": "0.00000000"},
        {"filterType": "LOT_SIZE", "minQty": "0", "maxQty": "0.00", "stepSize": "0"},
    ]
    with_old, without = BinanceAdapter("spot").instruments(
        body(spot(filters=[*spot()["filters"][:2], old]), spot(symbol="X", filters=off))
    )
    assert with_old.min_notional == 10
    assert (without.min_notional, without.min_quantity_steps, without.max_quantity_steps) == (0, 0, 0)
    assert (without.tick_steps, without.lot_steps) == (1, 1)


STATUS = {
    "TRADING": "trading",
    "BREAK": "halted",
    "CANCEL_ONLY": "cancel_only",
    "PENDING_TRADING": "closed",
    "PRE_DELIVERING": "cancel_only",
    "SETTLING": "closed",
    "NEW": "halted",
    "": "trading",
}


@pytest.mark.parametrize(("word", "ours"), STATUS.items(), ids=list(STATUS))
def test_a_status_is_told_in_our_words(word, ours):
    (one,) = BinanceAdapter("spot").instruments(body(spot(status=word)))
    assert one.status == ours


BAD = {
    "not JSON": b"{",
    "no symbols": b"{}",
    "an error": b'{"code":-1003,"msg":"x"}',
    "a tick that is no number": body(spot(filters=[{"filterType": "PRICE_FILTER", "tickSize": "abc"}])),
    "an infinite lot": body(spot(filters=[{"filterType": "LOT_SIZE", "stepSize": "Infinity"}])),
    "a lot of 400 digits": body(spot(filters=[{"filterType": "LOT_SIZE", "stepSize": "1e400"}])),
    "a tick too fine": body(spot(filters=[{"filterType": "PRICE_FILTER", "tickSize": "1e-400"}])),
    "a negative minimum": body(spot(filters=[{"filterType": "NOTIONAL", "minNotional": "-1"}])),
}


@pytest.mark.parametrize("text", BAD.values(), ids=BAD)
def test_another_body_is_refused(text):
    with pytest.raises(InputError, match="binance exchangeInfo: "):
        BinanceAdapter("spot").instruments(text)


def test_sizes_of_huge_quantities_fit_into_the_steps():
    lots = {"filterType": "LOT_SIZE", "minQty": "1", "maxQty": "92141578000000", "stepSize": "1"}
    (one,) = BinanceAdapter("spot").instruments(body(spot(filters=[spot()["filters"][0], lots])))
    assert one.max_quantity_steps <= 1 << 60
    assert one.lot_size == 1


GUESSES = {
    ("BTCUSDT", "spot"): "BTC-USDT.spot@binance",
    ("BTCUSDT", "usdm"): "BTC-USDT.perp@binance",
    ("BTCUSDT_250627", "usdm"): "BTC-USDT.250627@binance",
    ("BTCUSD_PERP", "coinm"): "BTC-USD.perp@binance",
    ("BNBUSD_211231", "coinm"): "BNB-USD.211231@binance",
    ("ADAEUR", "spot"): "ADA-EUR.spot@binance",
    ("BTCFDUSD", "spot"): "BTC-FDUSD.spot@binance",
    ("ETHBTC", "spot"): "ETH-BTC.spot@binance",
    ("BTC-251219-89000-C", "option"): "BTC-USDT.251219-89000-C@binance",
    ("DOGE-231006-0.06-P", "option"): "DOGE-USDT.231006-0.06-P@binance",
}


@pytest.mark.parametrize(("asked", "name"), GUESSES.items(), ids=str)
def test_a_symbol_alone_tells_the_name(asked, name):
    assert guess_instrument(*asked)["name"] == name


@pytest.mark.parametrize("symbol", ["USDT", "", "ABCXYZ", "btcusdt"])
def test_a_symbol_of_an_unknown_quote_is_refused(symbol):
    with pytest.raises(InputError, match="--instruments"):
        guess_instrument(symbol, "spot")


def option(symbol: str = "BTC-261225-90000.5-C", **changes: object) -> dict[str, object]:
    filters = [
        {"filterType": "PRICE_FILTER", "minPrice": "5", "maxPrice": "80000", "tickSize": "5.000"},
        {"filterType": "LOT_SIZE", "minQty": "0.01", "maxQty": "100", "stepSize": "0.01"},
    ]
    base = {"symbol": symbol, "side": "CALL", "strikePrice": "90000.5", "underlying": "BTCUSDT", "unit": 1}
    return {**base, "quoteAsset": "USDT", "filters": filters, "expiryDate": 1, **changes}


def test_an_option_is_named_by_its_terms_and_listed_under_its_own_key():
    text = json.dumps({"optionSymbols": [option(), option("ETH-261225-3000-P", unit="0.1")], "symbols": []}).encode()
    one, other = BinanceAdapter("option").instruments(text)
    assert (one.name, one.kind, one.settle) == ("BTC-USDT.261225-90000.5-C@binance", "option", "USDT")
    assert (one.price_decimals, one.tick_steps, one.size_decimals, one.min_quantity_steps) == (0, 5, 2, 1)
    assert (one.status, one.is_inverse, one.contract_size) == ("trading", False, 1)
    assert (other.contract_size, other.base) == (Decimal("0.1"), "ETH")
    assert instrument_name(one.name).kind == "option"
    guess = guess_instrument(one.symbol, "option")
    assert guess == {key: value for key, value in attrs.asdict(one).items() if key in guess}
    with pytest.raises(InputError, match="under optionSymbols"):
        BinanceAdapter("option").instruments(body(spot()))


@pytest.mark.parametrize(
    "symbol",
    ["BTC-251319-89000-C", "BTC-251219-0-C", "BTC-251219-8e4-C", "BTC-251219-89000-X", "BTC-89000-C", "BTCUSDT", ""],
)
def test_what_is_no_option_is_refused(symbol):
    with pytest.raises(InputError, match="BTC-251219-89000-C"):
        guess_instrument(symbol, "option")


def test_a_coin_settled_contract_is_worth_its_size_in_dollars():
    listed = usdm("BTCUSD_PERP", "PERPETUAL") | {"quoteAsset": "USD", "marginAsset": "BTC", "contractSize": 100}
    del listed["status"]
    (one,) = BinanceAdapter("coinm").instruments(body(listed | {"contractStatus": "DELIVERING"}))
    assert (one.name, one.is_inverse, one.contract_size) == ("BTC-USD.perp@binance", True, 100)
    assert (one.settle, one.status) == ("BTC", "closed")
    assert one.quote_quantity(Decimal(3), Decimal(50_000)) == 300


def test_inferred_fields_are_marked():
    (one,) = BinanceAdapter("spot").instruments(body(spot()))
    assert infer(one, price_decimals=3).inferred == ("price_decimals",)


RECORDED = {
    "spot": ("binance_spot_exchangeInfo_20211012", 1695, 0),
    "usdm": ("binance_usdm_exchangeInfo_20210722", 122, 0),
    "coinm": ("binance_coinm_exchangeInfo_20210722", 36, 0),
}


@pytest.mark.recorded
@pytest.mark.parametrize("market", RECORDED)
def test_recorded_metadata_is_read_whole_and_symbols_alone_agree_with_it(market):
    name, count, _ = RECORDED[market]
    with gzip.open(recorded(f"reference/{name}.jsonl.gz")) as file:
        text = json.dumps(json.loads(file.readline())["msg"]).encode()
    adapter = BinanceAdapter(market)
    found = adapter.instruments(text)
    assert len(found) == len({one.name for one in found}) == count
    for one in found:
        assert one.price_decimals + one.size_decimals <= 18
        guess = adapter.guess_instrument(one.symbol)
        assert guess == {key: value for key, value in attrs.asdict(one).items() if key in guess}
