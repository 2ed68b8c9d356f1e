"""Spellings of other programs and of the venues themselves, for every kind of instrument of the four exchanges."""

from __future__ import annotations

from decimal import Decimal

import pytest

from quotewright.errors import InputError
from quotewright.model.instrument import Instrument
from quotewright.model.names import NameTable, instrument_name, plain_name


def listed(name: str, symbol: str, settle: str, is_inverse: bool = False) -> Instrument:
    parsed = instrument_name(name)
    return Instrument(
        name=name, symbol=symbol, venue=parsed.venue, kind=parsed.kind, base=parsed.base, quote=parsed.quote,
        settle=settle, price_decimals=4, size_decimals=3, is_inverse=is_inverse, contract_size=Decimal(1),
    )  # fmt: skip


EVERY = {
    instrument.name: instrument
    for instrument in (
        listed("BTC-USDT.spot@binance", "BTCUSDT", "USDT"),
        listed("BTC-USDT.perp@binance", "BTCUSDT", "USDT"),
        listed("BTC-USDT.261225@binance", "BTCUSDT_261225", "USDT"),
        listed("BTC-USD.perp@binance", "BTCUSD_PERP", "BTC", True),
        listed("BTC-USD.261225@binance", "BTCUSD_261225", "BTC", True),
        listed("BTC-USDT.261225-100000-C@binance", "BTC-261225-100000-C", "USDT"),
        listed("BTC-USDT.spot@bybit", "BTCUSDT", "USDT"),
        listed("BTC-USDT.perp@bybit", "BTCUSDT", "USDT"),
        listed("BTC-USDC.perp@bybit", "BTCPERP", "USDC"),
        listed("BTC-USD.perp@bybit", "BTCUSD", "BTC", True),
        listed("BTC-USD.261225@bybit", "BTCUSDZ26", "BTC", True),
        listed("BTC-USDT.261226@bybit", "BTCUSDT-26DEC26", "USDT"),
        listed("BTC-USDT.270326-70000-P@bybit", "BTC-26MAR27-70000-P-USDT", "USDT"),
        listed("BTC-USDT.spot@okx", "BTC-USDT", "USDT"),
        listed("BTC-USDT.perp@okx", "BTC-USDT-SWAP", "USDT"),
        listed("BTC-USD.perp@okx", "BTC-USD-SWAP", "BTC", True),
        listed("BTC-USDT.261225@okx", "BTC-USDT-261225", "USDT"),
        listed("BTC-USD.270326-70000-C@okx", "BTC-USD-270326-70000-C", "BTC"),
        listed("BTC-USDC.spot@deribit", "BTC_USDC", "USDC"),
        listed("BTC-USD.perp@deribit", "BTC-PERPETUAL", "BTC", True),
        listed("BTC-USDC.perp@deribit", "BTC_USDC-PERPETUAL", "USDC"),
        listed("BTC-USD.261225@deribit", "BTC-25DEC26", "BTC", True),
        listed("BTC-USD.270326-70000-C@deribit", "BTC-26MAR27-70000-C", "BTC"),
        listed("XRP-USDC.270326-0.625-P@deribit", "XRP_USDC-26MAR27-0d625-P", "USDC"),
    )
}

# What a spelling means among all of them, by program.
CCXT = {
    "binance:BTC/USDT": "BTC-USDT.spot@binance",
    "binance:BTC/USDT:USDT": "BTC-USDT.perp@binance",
    "binance:BTC/USDT:USDT-261225": "BTC-USDT.261225@binance",
    "binance:BTC/USD:BTC": "BTC-USD.perp@binance",
    "binance:BTC/USDT:USDT-261225-100000-C": "BTC-USDT.261225-100000-C@binance",
    "bybit:BTC/USDC:USDC": "BTC-USDC.perp@bybit",
    "bybit:BTC/USD:BTC": "BTC-USD.perp@bybit",
    "bybit:BTC/USD:BTC-261225": "BTC-USD.261225@bybit",
    "bybit:BTC/USDT:USDT-270326-70000-P": "BTC-USDT.270326-70000-P@bybit",
    "okx:BTC/USDT:USDT": "BTC-USDT.perp@okx",
    "okx:BTC/USDT:USDT-261225": "BTC-USDT.261225@okx",
    "okx:BTC/USD:BTC-270326-70000-C": "BTC-USD.270326-70000-C@okx",
    "deribit:BTC/USDC": "BTC-USDC.spot@deribit",
    "deribit:BTC/USD:BTC": "BTC-USD.perp@deribit",
    "deribit:BTC/USD:BTC-261225": "BTC-USD.261225@deribit",
    "deribit:BTC/USD:BTC-270326-70000-C": "BTC-USD.270326-70000-C@deribit",
    "XRP/USDC:USDC-270326-0.625-P": "XRP-USDC.270326-0.625-P@deribit",
}
TARDIS = {
    "binance:BTCUSDT": "BTC-USDT.spot@binance",
    "binance-futures:BTCUSDT": "BTC-USDT.perp@binance",
    "binance-delivery:BTCUSD_PERP": "BTC-USD.perp@binance",
    "binance-delivery:BTCUSD_261225": "BTC-USD.261225@binance",
    "binance-european-options:BTC-261225-100000-C": "BTC-USDT.261225-100000-C@binance",
    "bybit:BTCUSDT": "BTC-USDT.perp@bybit",
    "bybit:BTCUSDZ26": "BTC-USD.261225@bybit",
    "bybit-spot:BTCUSDT": "BTC-USDT.spot@bybit",
    "bybit-options:BTC-26MAR27-70000-P-USDT": "BTC-USDT.270326-70000-P@bybit",
    "okex:BTC-USDT": "BTC-USDT.spot@okx",
    "okex-swap:BTC-USDT-SWAP": "BTC-USDT.perp@okx",
    "okex-futures:BTC-USDT-261225": "BTC-USDT.261225@okx",
    "okex-options:BTC-USD-270326-70000-C": "BTC-USD.270326-70000-C@okx",
    "deribit:BTC-PERPETUAL": "BTC-USD.perp@deribit",
    "deribit:BTC_USDC": "BTC-USDC.spot@deribit",
    "deribit:XRP_USDC-26MAR27-0d625-P": "XRP-USDC.270326-0.625-P@deribit",
}
NAUTILUS = {
    "BTCUSDT.BINANCE": "BTC-USDT.spot@binance",
    "BTCUSDT-PERP.BINANCE": "BTC-USDT.perp@binance",
    "BTCUSDT_261225.BINANCE": "BTC-USDT.261225@binance",
    "BTCUSD-PERP.BINANCE": "BTC-USD.perp@binance",
    "BTCUSDT-SPOT.BYBIT": "BTC-USDT.spot@bybit",
    "BTCUSDT-LINEAR.BYBIT": "BTC-USDT.perp@bybit",
    "BTCUSD-INVERSE.BYBIT": "BTC-USD.perp@bybit",
    "BTCUSDZ26-INVERSE.BYBIT": "BTC-USD.261225@bybit",
    "BTC-26MAR27-70000-P-USDT-OPTION.BYBIT": "BTC-USDT.270326-70000-P@bybit",
    "BTC-USDT.OKX": "BTC-USDT.spot@okx",
    "BTC-USDT-SWAP.OKX": "BTC-USDT.perp@okx",
    "BTC-PERPETUAL.DERIBIT": "BTC-USD.perp@deribit",
    "BTC_USDC-PERPETUAL.DERIBIT": "BTC-USDC.perp@deribit",
    "BTC-26MAR27-70000-C.DERIBIT": "BTC-USD.270326-70000-C@deribit",
}
HUMMINGBOT = {
    "binance:BTC-USDT": "BTC-USDT.spot@binance",
    "binance_perpetual:BTC-USDT": "BTC-USDT.perp@binance",
    "bybit:BTC-USDT": "BTC-USDT.spot@bybit",
    "bybit_perpetual:BTC-USD": "BTC-USD.perp@bybit",
    "okx:BTC-USDT": "BTC-USDT.spot@okx",
    "okx_perpetual:BTC-USDT": "BTC-USDT.perp@okx",
}
PLAIN = {
    "binance:BTC-USDT-PERP": "BTC-USDT.perp@binance",
    "bybit:BTC-USD-20261225": "BTC-USD.261225@bybit",
    "okx:BTC-USDT-20261225": "BTC-USDT.261225@okx",
    "okx:BTC-USD-20270326-70000-C": "BTC-USD.270326-70000-C@okx",
    "deribit:BTC-USD-PERP": "BTC-USD.perp@deribit",
    "deribit:BTC-USD-20261225": "BTC-USD.261225@deribit",
    "deribit:BTC-USD-20270326-70000-C": "BTC-USD.270326-70000-C@deribit",
    "deribit:XRP-USDC-20270326-0.625-P": "XRP-USDC.270326-0.625-P@deribit",
    "BTC-USDC": "BTC-USDC.spot@deribit",
    "BTCUSDC": "BTC-USDC.spot@deribit",
}
OWN = {
    "BTCUSDT_261225": "BTC-USDT.261225@binance",
    "BTCUSD_PERP": "BTC-USD.perp@binance",
    "BTCPERP": "BTC-USDC.perp@bybit",
    "BTCUSDZ26": "BTC-USD.261225@bybit",
    "BTCUSDT-26DEC26": "BTC-USDT.261226@bybit",
    "BTC-USDT-SWAP": "BTC-USDT.perp@okx",
    "BTC-USDT-261225": "BTC-USDT.261225@okx",
    "BTC-PERPETUAL": "BTC-USD.perp@deribit",
    "BTC-25DEC26": "BTC-USD.261225@deribit",
    "BTC_USDC": "BTC-USDC.spot@deribit",
    "XRP_USDC-26MAR27-0d625-P": "XRP-USDC.270326-0.625-P@deribit",
}
SPELLINGS = {**CCXT, **TARDIS, **NAUTILUS, **HUMMINGBOT, **PLAIN, **OWN}
TABLE = NameTable(EVERY.values())


@pytest.mark.parametrize(("text", "name"), SPELLINGS.items(), ids=SPELLINGS)
def test_a_spelling_means_its_instrument_among_those_of_four_exchanges(text, name):
    assert TABLE.find(text) is EVERY[name]


AMBIGUOUS = {
    "BTCUSDT": ("BTC-USDT.perp@binance", "BTC-USDT.perp@bybit", "BTC-USDT.spot@binance", "BTC-USDT.spot@bybit"),
    "BTC/USDT": ("BTC-USDT.spot@binance", "BTC-USDT.spot@bybit", "BTC-USDT.spot@okx"),
    "BTC-USDT": ("BTC-USDT.spot@binance", "BTC-USDT.spot@bybit", "BTC-USDT.spot@okx"),
    "BTC-USDT-PERP": ("BTC-USDT.perp@binance", "BTC-USDT.perp@bybit", "BTC-USDT.perp@okx"),
    "BTC-USD-20261225": ("BTC-USD.261225@binance", "BTC-USD.261225@bybit", "BTC-USD.261225@deribit"),
}


@pytest.mark.parametrize(("text", "names"), AMBIGUOUS.items(), ids=AMBIGUOUS)
def test_a_spelling_of_several_is_refused_with_all_of_them_and_means_the_one_that_is_listed(text, names):
    with pytest.raises(InputError) as error:
        TABLE.find(text)
    assert all(name in str(error.value) for name in names)
    for name in names:
        assert NameTable([EVERY[name]]).find(text) is EVERY[name]


@pytest.mark.parametrize("name", EVERY)
def test_a_plain_name_has_the_day_in_full(name):
    parsed = instrument_name(name)
    plain = plain_name(parsed)
    assert plain.startswith(f"{parsed.base}-{parsed.quote}")
    assert (f"-20{parsed.expiry}" in plain) is bool(parsed.expiry)


def test_hummingbot_has_no_connector_for_deribit():
    with pytest.raises(InputError, match="no hummingbot connector 'deribit_perpetual'"):
        TABLE.find("BTC-USD", connector="deribit_perpetual")
