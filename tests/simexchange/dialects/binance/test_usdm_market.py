"""Market data, accounts, settings and funding of USD-M futures."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.simexchange.dialects.binance.handmade import START_NS
from tests.simexchange.dialects.binance.usdm_client import Client

NOW_MS = START_NS // 1_000_000
HOUR_MS = 3_600_000


@pytest.fixture
def client() -> Client:
    return Client()


def test_only_linear_instruments_are_listed_by_the_venue_s_name_with_the_price_filter_first(client: Client) -> None:
    info = client.ask("GET", "v1/exchangeInfo", signed=False)
    (symbol,) = info["symbols"]
    assert (symbol["symbol"], symbol["contractType"], symbol["marginAsset"]) == ("BTCUSDT", "PERPETUAL", "USDT")
    assert symbol["filters"][0]["filterType"] == "PRICE_FILTER"
    assert Decimal(symbol["filters"][0]["tickSize"]) == Decimal("0.1")
    filters = {entry["filterType"]: entry for entry in symbol["filters"]}
    assert filters["MIN_NOTIONAL"]["notional"] == "5"
    assert filters["LOT_SIZE"]["stepSize"] == "0.001"
    assert {entry["rateLimitType"] for entry in info["rateLimits"]} == {"REQUEST_WEIGHT", "ORDERS"}


def test_books_and_trades(client: Client) -> None:
    client.exchange.change("bid", "40000", "0.5")
    client.exchange.change("ask", "40000.1", "1.5")
    client.exchange.match("40000.1", "0.25")
    client.exchange.match("40000.0", "0.75", "sell")
    book = client.ask("GET", "v1/depth", symbol="BTCUSDT", limit=5, signed=False)
    assert (book["lastUpdateId"], book["bids"], book["asks"]) == (
        12,
        [["40000.00", "0.500"]],
        [["40000.10", "1.500"]],
    )
    assert client.fail("GET", "v1/depth", symbol="BTCUSDT", limit=7, signed=False)[1] == -4021
    trades = client.ask("GET", "v1/trades", symbol="BTCUSDT", signed=False)
    assert [(trade["id"], trade["price"], trade["isBuyerMaker"]) for trade in trades] == [
        (1, "40000.10", False),
        (2, "40000.00", True),
    ]
    joined = client.ask("GET", "v1/aggTrades", symbol="BTCUSDT", signed=False)
    assert [(trade["p"], trade["q"], trade["m"]) for trade in joined] == [
        ("40000.10", "0.250", False),
        ("40000.00", "0.750", True),
    ]
    (candle,) = client.ask("GET", "v1/klines", symbol="BTCUSDT", interval="1m", limit=1, signed=False)
    assert candle[1:6] == ["40000.10", "40000.10", "40000.00", "40000.00", "1.000"]
    best = client.ask("GET", "v1/ticker/bookTicker", signed=False)
    assert (best[0]["bidPrice"], best[0]["askQty"]) == ("40000.00", "1.500")
    day = client.ask("GET", "v1/ticker/24hr", symbol="BTCUSDT", signed=False)
    assert (day["lastPrice"], day["volume"], day["count"]) == ("40000.00", "1.000", 2)
    assert client.ask("GET", "v2/ticker/price", symbol="BTCUSDT", signed=False)["price"] == "40000.00"


@pytest.mark.parametrize(("limit", "weight"), [(50, 2), (100, 5), (500, 10), (1000, 20)])
def test_a_deeper_book_weighs_more(client: Client, limit: int, weight: int) -> None:
    answer = client.send("GET", "v1/depth", symbol="BTCUSDT", limit=limit, signed=False)
    assert answer.headers["X-MBX-USED-WEIGHT-1M"] == str(weight)


def test_funding_is_paid_every_eight_hours_of_market_time(client: Client) -> None:
    index = client.ask("GET", "v1/premiumIndex", symbol="BTCUSDT", signed=False)
    first = index["nextFundingTime"]
    assert first % (8 * HOUR_MS) == 0
    assert 0 < first - NOW_MS <= 8 * HOUR_MS
    assert (index["markPrice"], index["indexPrice"]) == ("40000.00000000", "40001.00000000")
    client.advance(first - NOW_MS + 8 * HOUR_MS)
    assert client.exchange.funded == [
        ("BTCUSDT:PERP", Decimal("0.0001"), first * 1_000_000),
        ("BTCUSDT:PERP", Decimal("0.0001"), (first + 8 * HOUR_MS) * 1_000_000),
    ]
    rates = client.ask("GET", "v1/fundingRate", symbol="BTCUSDT", signed=False)
    assert [entry["fundingTime"] for entry in rates] == [first, first + 8 * HOUR_MS]
    (info,) = client.ask("GET", "v1/fundingInfo", signed=False)
    assert info["fundingIntervalHours"] == 8


def test_an_account_s_balances_positions_and_margins(client: Client) -> None:
    client.exchange.held.quantity = Decimal("0.1")
    client.exchange.held.entry_price = Decimal(39_000)
    client.exchange.held.unrealized = Decimal(100)
    client.ask("POST", "v1/order", **client.limit())
    (asset,) = client.ask("GET", "v3/balance")
    assert (asset["balance"], asset["crossUnPnl"], asset["availableBalance"]) == (
        "1000.00000000",
        "100.00000000",
        "880.00000000",
    )
    (risk,) = client.ask("GET", "v3/positionRisk")
    assert (risk["positionAmt"], risk["entryPrice"], risk["notional"]) == ("0.100", "39000.00", "4000.00000000")
    assert (risk["initialMargin"], risk["maintMargin"]) == ("220.00000000", "20.00000000")
    # 1000 + 0.1 (p - 39000) = 0.005 * 0.1 p
    assert risk["liquidationPrice"] == "29145.72864321"
    account = client.ask("GET", "v2/account")
    assert (account["totalMarginBalance"], account["totalInitialMargin"]) == ("1100.00000000", "220.00000000")
    assert account["positions"][0]["leverage"] == "20"
    assert client.ask("GET", "v3/account")["positions"][0]["notional"] == "4000.00000000"
    assert client.ask("GET", "v1/openInterest", symbol="BTCUSDT", signed=False)["openInterest"] == "0.100"


SETTINGS: list[tuple[str, dict[str, Any], int]] = [
    ("v1/leverage", {"symbol": "BTCUSDT", "leverage": 21}, -4028),
    ("v1/leverage", {"symbol": "BTCUSDT", "leverage": 0}, -4028),
    ("v1/marginType", {"symbol": "BTCUSDT", "marginType": "CROSSED"}, -4046),
    ("v1/marginType", {"symbol": "BTCUSDT", "marginType": "ISOLATED"}, -1020),
    ("v1/positionSide/dual", {"dualSidePosition": "false"}, -4059),
    ("v1/positionSide/dual", {"dualSidePosition": "true"}, -1020),
    ("v1/positionSide/dual", {}, -1102),
    ("v1/multiAssetsMargin", {"multiAssetsMargin": "false"}, -4171),
]


@pytest.mark.parametrize(("path", "values", "code"), SETTINGS)
def test_what_cannot_be_set_is_said(client: Client, path: str, values: dict[str, Any], code: int) -> None:
    assert client.fail("POST", path, **values)[1] == code


def test_a_leverage_is_kept(client: Client) -> None:
    assert client.ask("POST", "v1/leverage", symbol="BTCUSDT", leverage=7)["leverage"] == 7
    assert client.ask("GET", "v2/positionRisk")[0]["leverage"] == "7"
    assert client.ask("GET", "v1/symbolConfig", symbol="BTCUSDT")[0]["leverage"] == 7
    assert client.ask("GET", "v1/leverageBracket")[0]["brackets"][0]["initialLeverage"] == 20
    rates = client.ask("GET", "v1/commissionRate", symbol="BTCUSDT")
    assert (rates["makerCommissionRate"], rates["takerCommissionRate"]) == ("0.000200", "0.000500")


def test_a_new_leverage_is_told(client: Client) -> None:
    key = client.ask("POST", "v1/listenKey", signed=False)["listenKey"]
    _, wire = client.connect(f"/private/ws/{key}")
    client.ask("POST", "v1/leverage", symbol="BTCUSDT", leverage=7)
    [told] = wire.taken()
    assert (told["e"], told["ac"]) == ("ACCOUNT_CONFIG_UPDATE", {"s": "BTCUSDT", "l": 7})
