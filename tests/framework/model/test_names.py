"""Names of instruments: one grammar, and other programs' spellings as input."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotewright.errors import InputError
from quotewright.model.instrument import Instrument
from quotewright.model.names import InstrumentName, NameTable, aliases, ccxt_name, instrument_name


def instrument(name: str, symbol: str, settle: str = "USDT", is_inverse: bool = False) -> Instrument:
    parsed = instrument_name(name)
    return Instrument(
        name=name,
        symbol=symbol,
        venue=parsed.venue,
        kind=parsed.kind,
        base=parsed.base,
        quote=parsed.quote,
        settle=settle,
        price_decimals=2,
        size_decimals=3,
        is_inverse=is_inverse,
    )


SPOT = instrument("BTC-USDT.spot@binance", "BTCUSDT")
PERP = instrument("BTC-USDT.perp@binance", "BTCUSDT")
DATED = instrument("BTC-USDT.250627@binance", "BTCUSDT_250627")
COIN = instrument("BTC-USD.perp@binance", "BTCUSD_PERP", "BTC", True)
OPTION = instrument("BTC-USD.250627-60000-C@deribit", "BTC-27JUN25-60000-C", "BTC", True)
OKX = instrument("BTC-USDT.perp@okx", "BTC-USDT-SWAP")
EVERY = (SPOT, PERP, DATED, COIN, OPTION, OKX)

PARSED = {
    "BTC-USDT.spot@binance": ("BTC", "USDT", "binance", "spot", "", None, ""),
    "BTC-USDT.perp@binance": ("BTC", "USDT", "binance", "perp", "", None, ""),
    "1000PEPE-USDT.perp@binance": ("1000PEPE", "USDT", "binance", "perp", "", None, ""),
    "BTC-USDT.250627@binance": ("BTC", "USDT", "binance", "future", "250627", None, ""),
    "BTC-USD.250627-60000-C@deribit": ("BTC", "USD", "deribit", "option", "250627", Decimal(60000), "C"),
    "XRP-USDC.250627-0.55-P@deribit": ("XRP", "USDC", "deribit", "option", "250627", Decimal("0.55"), "P"),
    "币安人生-USDT.spot@binance": ("币安人生", "USDT", "binance", "spot", "", None, ""),
}


@pytest.mark.parametrize(("text", "parts"), PARSED.items(), ids=list(PARSED))
def test_a_canonical_name_is_its_parts_and_back(text, parts):
    name = instrument_name(text)
    assert attrs_of(name) == parts
    assert str(name) == text


def attrs_of(name: InstrumentName) -> tuple[object, ...]:
    return (name.base, name.quote, name.venue, name.kind, name.expiry, name.strike, name.right)


ASSETS = st.text("ABCXYZ0189", min_size=1, max_size=8)
DAYS = st.dates(date(2000, 1, 1), date(2099, 12, 31)).map(lambda day: day.strftime("%y%m%d"))
STRIKES = st.decimals("0.01", "999999", places=2)


@given(ASSETS, ASSETS, st.sampled_from(["binance", "okx"]), DAYS, STRIKES, st.sampled_from("CP"))
def test_formatting_and_parsing_are_inverse(base, quote, venue, expiry, strike, right):
    for name in (
        InstrumentName(base, quote, venue),
        InstrumentName(base, quote, venue, "perp"),
        InstrumentName(base, quote, venue, "future", expiry),
        InstrumentName(base, quote, venue, "option", expiry, strike, right),
    ):
        assert instrument_name(str(name)) == name


WRONG = {
    "BTCUSDT": "should be BASE-QUOTE.KIND@VENUE",
    "": "should be BASE-QUOTE.KIND@VENUE",
    "BTC-USDT@binance": "did you mean 'BTC-USDT.spot@binance' or 'BTC-USDT.perp@binance'?",
    "BTC-USDT.swap@binance": "did you mean 'BTC-USDT.perp@binance'?",
    "BTC-USDT.Perp@Binance": "did you mean 'BTC-USDT.perp@binance'?",
    "BTC/USDT.spto@binance": "did you mean 'BTC-USDT.spot@binance'?",
    "BTC-USDT.perp": "the venue is missing",
    "BTC-USDT.251327@binance": "'251327' should be a day written YYMMDD",
    "BTC-USDT.250627-60000@binance": "should be BASE-QUOTE.KIND@VENUE",
    "BTC-USDT.250627-60000-X@deribit": "should be BASE-QUOTE.KIND@VENUE",
    "BTC-USDT.250627-1e5-C@deribit": "should be BASE-QUOTE.KIND@VENUE",
    "BTC-USDT.perp@binance\n": "should be BASE-QUOTE.KIND@VENUE",
    "BTC_X-USDT.perp@binance": "should be BASE-QUOTE.KIND@VENUE",
}


@pytest.mark.parametrize(("text", "said"), WRONG.items(), ids=list(WRONG))
def test_another_shape_is_refused_with_a_hint(text, said):
    with pytest.raises(InputError) as error:
        instrument_name(text)
    assert said in str(error.value)


@pytest.mark.parametrize(
    "parts",
    [{"kind": "perp", "expiry": "250627"}, {"kind": "future"}, {"kind": "option", "expiry": "250627"}, {"base": "B-C"}],
    ids=str,
)
def test_parts_that_do_not_fit_together_make_no_name(parts):
    with pytest.raises(InputError):
        InstrumentName(**{"base": "BTC", "quote": "USDT", "venue": "binance", **parts})


ALIASES = {
    "ccxt spot": ("BTC/USDT", SPOT),
    "ccxt perpetual": ("binance:BTC/USDT:USDT", PERP),
    "ccxt dated": ("BTC/USDT:USDT-250627", DATED),
    "ccxt inverse": ("BTC/USD:BTC", COIN),
    "ccxt option": ("BTC/USD:BTC-250627-60000-C", OPTION),
    "Tardis spot": ("binance:BTCUSDT", SPOT),
    "Tardis futures": ("binance-futures:BTCUSDT", PERP),
    "Tardis dated": ("binance-futures:BTCUSDT_250627", DATED),
    "Tardis coin": ("binance-delivery:BTCUSD_PERP", COIN),
    "Tardis still says okex": ("okex-swap:BTC-USDT-SWAP", OKX),
    "nautilus spot": ("BTCUSDT.BINANCE", SPOT),
    "nautilus perpetual": ("BTCUSDT-PERP.BINANCE", PERP),
    "the venue's own where one has it": ("BTCUSDT_250627", DATED),
    "canonical": ("BTC-USDT.perp@okx", OKX),
}


@pytest.mark.parametrize(("text", "expected"), ALIASES.values(), ids=ALIASES)
def test_an_alias_finds_its_instrument(text, expected):
    assert NameTable(EVERY).find(text) is expected


def test_hummingbot_names_need_their_connector():
    table = NameTable(EVERY)
    assert table.find("BTC-USDT", connector="binance") is SPOT
    assert table.find("BTC-USDT", connector="binance_perpetual") is PERP
    assert table.find("okx_perpetual:BTC-USDT") is OKX
    with pytest.raises(InputError, match="no hummingbot connector 'binanse'"):
        table.find("BTC-USDT", connector="binanse")


def test_an_alias_of_several_names_all_of_them():
    with pytest.raises(InputError, match=r"may mean BTC-USDT\.perp@binance, BTC-USDT\.spot@binance"):
        NameTable(EVERY).find("BTCUSDT")


def test_an_unknown_name_suggests_close_ones():
    with pytest.raises(InputError, match=r"did you mean 'BTC-USDT\.perp@okx'"):
        NameTable(EVERY).find("BTC-USDT.prep@okx")
    with pytest.raises(InputError, match="there are 6: BTC-USD"):
        NameTable(EVERY).find("zzz")


def test_two_instruments_of_one_name_are_refused():
    with pytest.raises(InputError, match=r"two instruments are called BTC-USDT\.spot@binance"):
        NameTable([SPOT, instrument("BTC-USDT.spot@binance", "XBTUSDT")])


@pytest.mark.parametrize("one", EVERY, ids=lambda one: one.name)
def test_every_alias_leads_back_where_nothing_else_is_listed(one):
    table = NameTable([one])
    assert {table.find(alias).name for alias in aliases(one)} == {one.name}
    assert ccxt_name(one) in aliases(one)
