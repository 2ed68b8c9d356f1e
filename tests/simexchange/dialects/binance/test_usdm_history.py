"""Income, candles of reference prices and the wallet's coins, on the exchange itself."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import attrs
import pytest

from quotewright.model.cards import load_card
from quotewright_simexchange.dialects.binance.usdm_door import UsdmDoor
from quotewright_simexchange.exchange.exchange import Exchange
from quotewright_simexchange.exchange.records import OrderRequest
from tests.simexchange.dialects.binance.handmade import PERP, START_NS
from tests.simexchange.dialects.binance.usdm_client import CARD, KEY, SECRET, Client

LINEAR = attrs.evolve(
    PERP, settings={**PERP.settings, "kind": "linear", "base": "BTC", "quote": "USDT", "fee_scale": 8}
)
SECOND_NS = 1_000_000_000


@pytest.fixture
def client() -> Client:
    client = Client()
    exchange = Exchange([LINEAR], start_ns=START_NS)
    for name in ("alice", "bob"):
        exchange.open_account(name, {"USDT": Decimal(1_000_000)})
    exchange.add_key("alice", KEY, SECRET)
    client.exchange = exchange  # type: ignore[assignment]
    client.door = UsdmDoor(exchange, load_card(CARD))
    return client


def trade(client: Client, price: str, side: str) -> None:
    """Let alice take one coin from bob."""
    for name, way in (("bob", "sell" if side == "buy" else "buy"), ("alice", side)):
        request = OrderRequest(symbol=LINEAR.symbol, side=way, quantity=Decimal(1), price=Decimal(price))  # type: ignore[arg-type]
        assert not hasattr(client.exchange.place(name, request), "text")


def kinds(rows: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    return [(row["incomeType"], row["symbol"], row["asset"]) for row in rows]


def test_income_is_what_fills_funding_and_transfers_brought(client: Client) -> None:
    exchange: Any = client.exchange
    trade(client, "40000", "buy")
    exchange.advance(START_NS + SECOND_NS)
    trade(client, "40100", "sell")
    exchange.advance(START_NS + 2 * SECOND_NS)
    trade(client, "40100", "buy")
    exchange.set_mark(LINEAR.symbol, Decimal(40_000))
    exchange.advance(START_NS + 3 * SECOND_NS)
    exchange.fund(LINEAR.symbol, Decimal("0.0001"))
    exchange.deposit("alice", "USDT", Decimal(5))
    rows = client.ask("GET", "v1/income")
    assert kinds(rows) == [
        ("COMMISSION", "BTCUSDT", "USDT"),
        ("REALIZED_PNL", "BTCUSDT", "USDT"),
        ("COMMISSION", "BTCUSDT", "USDT"),
        ("COMMISSION", "BTCUSDT", "USDT"),
        ("FUNDING_FEE", "BTCUSDT", "USDT"),
        ("TRANSFER", "", "USDT"),
    ]
    incomes = [Decimal(row["income"]) for row in rows]
    assert (incomes[1], incomes[4], incomes[5]) == (Decimal(100), Decimal(-4), Decimal(5))
    free, locked = exchange.balances("alice")["USDT"]
    assert Decimal(1_000_000) + sum(incomes) == free + locked
    assert client.ask("GET", "v1/income", incomeType="REALIZED_PNL") == [rows[1]]
    assert client.ask("GET", "v1/income", symbol="BTCUSDT") == rows[:5]
    assert client.ask("GET", "v1/income", limit=2) == rows[-2:]
    assert client.ask("GET", "v1/income", limit=2, page=2) == rows[2:4]
    start = (START_NS + SECOND_NS) // 1_000_000
    assert client.ask("GET", "v1/income", startTime=start, limit=1) == [rows[1]]


def test_candles_of_mark_and_index_and_of_the_premium(client: Client) -> None:
    exchange: Any = client.exchange
    for second, mark in enumerate(("40000", "40100", "39900", "40050")):
        exchange.advance(START_NS + (second + 1) * SECOND_NS)
        exchange.set_index(LINEAR.symbol, Decimal(40_000))
        exchange.set_mark(LINEAR.symbol, Decimal(mark))
    (candle,) = client.ask("GET", "v1/markPriceKlines", symbol="BTCUSDT", interval="1m", limit=1, signed=False)
    assert [Decimal(price) for price in candle[1:5]] == [40_000, 40_100, 39_900, 40_050]
    (flat,) = client.ask("GET", "v1/indexPriceKlines", pair="BTCUSDT", interval="1m", limit=1, signed=False)
    assert {Decimal(price) for price in flat[1:5]} == {Decimal(40_000)}
    (premium,) = client.ask("GET", "v1/premiumIndexKlines", symbol="BTCUSDT", interval="1m", limit=1, signed=False)
    assert Decimal(premium[2]) == Decimal("0.0025")
    trade(client, "40000", "buy")
    continuous = client.ask(
        "GET", "v1/continuousKlines", pair="BTCUSDT", contractType="PERPETUAL", interval="1m", signed=False
    )
    assert continuous == client.ask("GET", "v1/klines", symbol="BTCUSDT", interval="1m", signed=False)
    assert client.fail("GET", "v1/markPriceKlines", symbol="NONE", interval="1m", signed=False)[1] == -1121


def test_cancels_in_one_request_are_named_in_small_letters_too(client: Client) -> None:
    made = [client.ask("POST", "v1/order", **client.limit(newClientOrderId=name)) for name in ("one", "two")]
    canceled = client.ask("DELETE", "v1/batchOrders", symbol="BTCUSDT", orderidlist=f"[{made[0]['orderId']}]")
    assert [order["status"] for order in canceled] == ["CANCELED"]
    canceled = client.ask("DELETE", "v1/batchOrders", symbol="BTCUSDT", origclientorderidlist='["two"]')
    assert [order["status"] for order in canceled] == ["CANCELED"]
