"""Assertions that another project makes about recorded messages hold for what we make of the same messages."""

from __future__ import annotations

import json
import re
from decimal import Decimal

import attrs
import msgspec
import pytest

from quotewright.model.instrument import Instrument
from quotewright.plugin.registry import PluginSet
from quotewright.tape.exchanges import recorded_market
from quotewright.tape.importing import make_adapter
from quotewright.tape.normalising import Normaliser
from tests.recorded import recorded

RECEIVED_MS = 1_654_000_000_000
NAMES = {
    "binance": {"Spot": "binance", "Linear": "binance-futures", "Inverse": "binance-delivery"},
    "bybit": {"Linear": "bybit", "Inverse": "bybit"},
    "okx": {"Spot": "okex", "LinearSwap": "okex-swap", "InverseSwap": "okex-swap", "LinearFuture": "okex-futures",
            "InverseFuture": "okex-futures", "EuropeanOption": "okex-options"},
    "deribit": {"": "deribit"},
}  # fmt: skip
LEFT_OUT = {
    ("", "candlestick"): "candles are made of trades where they are wanted; no stream of them is read",
    ("", "l2_snapshot"): "answers over REST that were recorded without their address",
    ("binance", "l2_topk"): "partial books are read by no recording that has whole ones",
    ("", "open_interest"): "the symbol alone is asserted, or a table of all instruments",
    ("", "ticker"): "the symbol alone is asserted",
}
"""Kinds of messages whose assertions are not ours, by exchange (empty: every one)."""

OTHERWISE = {
    ("cmp-1799ff756d", "trade.quantity_base"): "the parser takes a contract of an OKX option for one coin",
    ("cmp-1799ff756d", "trade.quantity_quote"): "the parser takes a contract of an OKX option for one coin",
}
"""Assertions that contradict the venue's own metadata, and why."""


class Asserted(msgspec.Struct):
    id: str
    exchange: str
    message_kind: str
    market_type: str
    input: msgspec.Raw
    asserts: list[tuple[str, object]]


def exchange_name(case: Asserted) -> str | None:
    names = NAMES[case.exchange]
    return next((name for start, name in names.items() if case.market_type.startswith(start)), None)


def context(case: Asserted, name: str) -> list[bytes]:
    """Return what must have come before: Binance's updates mean nothing without a snapshot."""
    if case.exchange != "binance" or case.message_kind != "l2_event":
        return []
    event = json.loads(bytes(case.input))["data"]
    root = {"binance": "api/v3", "binance-futures": "fapi/v1", "binance-delivery": "dapi/v1"}[name]
    snapshot = {"lastUpdateId": event["U"], "bids": [], "asks": []}
    url = f"https://x.binance.com/{root}/depth?symbol={event['s']}"
    return [json.dumps({"ts": RECEIVED_MS * 10**6, "src": "rest", "url": url, "msg": snapshot}).encode()]


def facts(messages, instrument_of):
    """Return what our messages say under the names that the assertions use."""
    found = {}
    trades = [message for message in messages if message["type"] == "trade"]
    found["trades.len()"] = len(trades)
    for place, trade in enumerate(trades):
        for name in (f"trades[{place}]", "trade") if place == 0 else (f"trades[{place}]",):
            found[f"{name}.side"] = trade["side"].capitalize()
            found |= quantities(name, trade["price"], trade["amount"], instrument_of(trade["symbol"]))
    for book in (message for message in messages if message["type"] == "book_change"):
        found["orderbook.snapshot"] = book["isSnapshot"]
        for side in ("bids", "asks"):
            found[f"orderbook.{side}.len()"] = len(book[side])
            # The parser lists the levels of a whole book from the best one, however they came.
            levels = sorted(book[side], key=lambda level: level["price"], reverse=side == "bids")
            for place, level in enumerate(levels if book["isSnapshot"] else book[side]):
                name = f"orderbook.{side}[{place}]"
                found |= quantities(name, level["price"], level["amount"], instrument_of(book["symbol"]))
    for quote in (message for message in messages if message["type"] == "book_ticker"):
        for side in ("ask", "bid"):
            values = quantities("x", quote[f"{side}Price"], quote[f"{side}Amount"], instrument_of(quote["symbol"]))
            found |= {f"bbo_msg.{side}_{key.partition('.')[2]}": value for key, value in values.items()}
    for place, ticker in enumerate(message for message in messages if message["type"] == "derivative_ticker"):
        if "fundingRate" in ticker:
            found[f"funding_rates[{place}].funding_rate"] = ticker["fundingRate"]
            found["funding_rates.len()"] = place + 1
    return found


def quantities(name, price, amount, instrument):
    """Return price and quantities; spot has no contracts."""
    contracts = None if instrument.kind == "spot" else amount
    if instrument.venue == "deribit" and instrument.is_inverse:
        # Amounts are dollars there; the parser takes them for contracts of ten dollars.
        instrument = attrs.evolve(instrument, contract_size=Decimal(10))
    return {
        f"{name}.price": price,
        f"{name}.quantity_base": instrument.base_quantity(amount, price),
        f"{name}.quantity_quote": instrument.quote_quantity(amount, price),
        f"{name}.quantity_contract": contracts,
    }


@pytest.mark.parametrize("exchange", NAMES)
def test_prices_sides_and_quantities_are_those_that_the_parser_asserts(exchange):
    plugins = PluginSet.discover(strict=False)
    if exchange not in plugins.names("feed_adapters"):
        pytest.skip(reason=f"no adapter of {exchange} is installed")
    held, wrong = 0, []
    for text in recorded(f"pairs/crypto_msg_parser/{exchange}.jsonl").read_bytes().splitlines():
        case = msgspec.json.decode(text, type=Asserted)
        name = exchange_name(case)
        if {(exchange, case.message_kind), ("", case.message_kind)} & LEFT_OUT.keys() or name is None:
            continue
        normaliser = Normaliser(plugins, name)
        for before in context(case, name):
            normaliser.take(before)
        line = b'{"ts":%d,"src":"ws","msg":%b}' % (RECEIVED_MS * 10**6, bytes(case.input))
        messages = [json.loads(m, parse_float=Decimal, parse_int=Decimal) for m in normaliser.take(line)]
        adapter = make_adapter(plugins, *recorded_market(plugins, name))

        def instrument_of(symbol, adapter=adapter):
            return Instrument(**{"price_decimals": 8, "size_decimals": 8, **adapter.guess_instrument(symbol)})

        found = facts(messages, instrument_of)
        for key, value in case.asserts:
            if key not in found and not re.search(r"quantity|price$|side|len\(\)|snapshot$|funding_rate$", key):
                continue
            came = found.get(key)
            is_same = came == value if value is None or isinstance(value, bool | str) else (
                came is not None and float(came) == pytest.approx(value, rel=1e-12, abs=1e-15)
            )  # fmt: skip
            held += is_same
            if not is_same and (case.id, key) not in OTHERWISE:
                wrong.append(f"{case.id} {case.message_kind} {case.market_type} {key}: came {came}, asserted {value}")
    assert not wrong, "\n".join(wrong)
    assert held
