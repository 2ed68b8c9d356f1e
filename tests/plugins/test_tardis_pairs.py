"""Recorded pairs of raw and normalised messages: our output equals theirs, but for what is listed here."""

from __future__ import annotations

import json
import re
from decimal import Decimal

import pytest

from quotewright.errors import NotFoundError
from quotewright.plugin.registry import PluginSet
from tests.plugins.pairs import differences, exact, pairs, run
from tests.recorded import recorded

EXCHANGES = ("binance", "bybit", "okx", "deribit")

MORE_THAN_EXPECTED: dict[str, str] = {
    "tn-4f8a543f2d": "allLiquidation: told by its shape, whatever the day",
    "tn-8d82c166b4": "orderBook_200: a book of 200 levels is a book, whatever the day",
    "tn-bd5aad9fee": "liquidation-orders: Tardis passes over the first message of a connection",
    "tn-e663aded5c": "bbo-tbt: told by its shape, whatever the day",
    "tn-68b5245592": "quote: Tardis reads Deribit's best quotes from tickers alone",
}
"""Pairs with an empty expectation for a message that we support, by id, and why ours is not empty."""

OTHERWISE: dict[str, str] = {}
"""Pairs whose output differs on purpose, by id, and why."""


@pytest.fixture(scope="module")
def plugins() -> PluginSet:
    return PluginSet.discover(strict=False)


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_what_comes_of_recorded_messages_is_what_tardis_makes_of_them(plugins, exchange):
    if exchange not in plugins.names("feed_adapters"):
        pytest.skip(reason=f"no adapter of {exchange} is installed")
    wrong = {}
    for pair in pairs(recorded(f"pairs/tardis_node/{exchange}.jsonl")):
        try:
            came = run(plugins, pair)
        except NotFoundError as error:
            wrong[f"{pair.id} {pair.exchange}"] = [str(error)]
            continue
        if pair.id in MORE_THAN_EXPECTED:
            assert came
            assert not pair.expected
        elif found := differences(came, pair.expected):
            if pair.id not in OTHERWISE:
                wrong[f"{pair.id} {pair.exchange} {pair.channel}"] = found[:6]
        else:
            assert pair.id not in OTHERWISE, f"{pair.id} is listed as different and is not"
    assert not wrong


ASSETS = b"BTC|ETH|BNB|XRP|ADA|SOL|DOGE|LINK|XLM|FIL|REN|BSV|ACT|WNCG|PIPPIN"
RENAMED = re.compile(rb"\b(?:%b)(?=[-_A-Z0-9]|\b)|\b(?:%b)(?=usd|btc|-\d)" % (ASSETS, ASSETS.lower()))
"""Base assets in symbols, and in the names of streams."""


def renamed(text: bytes) -> bytes:
    """Return *text* with every base asset under another name of as many letters, upper or lower case as it was."""
    return RENAMED.sub(lambda found: _other(found[0]), text)


def _other(asset: bytes) -> bytes:
    name = b"QJ" + bytes(asset.upper()[2:])[::-1] if len(asset) > 2 else b"QJ"
    return name.lower() if asset.islower() else name


def symbols_renamed(value):
    """Return normalised messages with the same change made to their symbols."""
    if isinstance(value, list):
        return [symbols_renamed(item) for item in value]
    if isinstance(value, dict):
        keys = ("symbol", "underlyingIndex")
        return {key: renamed(item.encode()).decode() if key in keys else item for key, item in value.items()}
    return value


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_output_follows_when_every_symbol_is_renamed(plugins, exchange):
    if exchange not in plugins.names("feed_adapters"):
        pytest.skip(reason=f"no adapter of {exchange} is installed")
    compared = 0
    for pair in pairs(recorded(f"pairs/tardis_node/{exchange}.jsonl")):
        try:
            plain = exact(plugins, pair)
        except NotFoundError:
            continue
        assert differences(exact(plugins, pair, renamed), symbols_renamed(plain)) == [], pair.id
        compared += bool(plain)
    assert compared


SHOWN = frozenset(
    (
        *("price", "amount", "bestBidPrice", "bestBidAmount", "bestAskPrice", "bestAskAmount", "lastPrice"),
        *("openInterest", "indexPrice", "markPrice", "askPrice", "askAmount", "bidPrice", "bidAmount"),
        "underlyingPrice",
    )
)
"""Keys of normalised messages that tell prices and sizes."""
TOLD = frozenset(
    (
        *("p", "q", "v", "b", "B", "a", "A", "P", "c", "z", "i", "o", "mp", "bo", "ao", "bq", "aq", "bids", "asks"),
        *("price", "size", "qty", "amount", "px", "sz", "bkPx", "bidPx", "bidSz", "askPx", "askSz", "oi", "markPx"),
        *("idxPx", "last", "lastPrice", "markPrice", "indexPrice", "openInterest", "bid1Price", "bid1Size"),
        *("ask1Price", "ask1Size", "bidPrice", "bidSize", "askPrice", "askSize", "bidQty", "askQty"),
        *("underlyingPrice", "last_price", "last_price_e4", "mark_price_e4", "index_price_e4", "mark_price"),
        *("index_price", "underlying_price", "open_interest", "best_bid_price", "best_bid_amount"),
        *("best_ask_price", "best_ask_amount"),
    )
)
"""Keys under which the venues tell prices and sizes."""
VOLATILITIES = frozenset(("b", "a", "v"))
"""What these tell in a frame about an option's mark price."""
NUMBER = re.compile(r"\d{1,15}(?:\.\d+)?")


def times_three(text: str) -> str:
    return f"{Decimal(text) * 3:f}" if NUMBER.fullmatch(text) else text


def trebled(text: bytes) -> bytes:
    """Return a frame with every price and size multiplied by 3, by its digits."""
    frame = json.loads(text, parse_float=Decimal, parse_int=Decimal)
    is_option = b'"mp"' in text
    return _written(_trebled(frame, TOLD - VOLATILITIES if is_option else TOLD, False)).encode()


def _trebled(value, keys, is_told):
    if isinstance(value, dict):
        return {key: _trebled(item, keys, key in keys) for key, item in value.items()}
    if isinstance(value, list):
        if (
            is_told and value and not isinstance(value[0], list | dict)
        ):  # one level: price and size, with or without a word
            first = 1 if value[0] in ("new", "change", "delete") else 0
            return [
                _trebled(item, keys, first <= place < first + 2) if not isinstance(item, list) else item
                for place, item in enumerate(value)
            ]
        return [_trebled(item, keys, is_told) for item in value]
    if not is_told:
        return value
    if isinstance(value, Decimal):
        return value * 3
    return times_three(value) if isinstance(value, str) else value


def _written(value) -> str:
    """Return *value* as JSON, decimals by their digits."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(key)}:{_written(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(_written(item) for item in value) + "]"
    return f"{value:f}" if isinstance(value, Decimal) else json.dumps(value)


def sizes_trebled(value, key=""):
    """Return normalised messages with the same change made to prices and sizes."""
    if isinstance(value, list):
        return [sizes_trebled(item) for item in value]
    if isinstance(value, dict):
        return {name: sizes_trebled(item, name) for name, item in value.items()}
    return value * 3 if key in SHOWN else value


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_output_follows_when_every_price_and_size_is_multiplied(plugins, exchange):
    if exchange not in plugins.names("feed_adapters"):
        pytest.skip(reason=f"no adapter of {exchange} is installed")
    wrong = {}
    for pair in pairs(recorded(f"pairs/tardis_node/{exchange}.jsonl")):
        try:
            plain = exact(plugins, pair)
        except NotFoundError:
            continue
        if found := differences(exact(plugins, pair, trebled), sizes_trebled(plain)):
            wrong[f"{pair.id} {pair.exchange} {pair.channel}"] = found[:4]
    assert not wrong
