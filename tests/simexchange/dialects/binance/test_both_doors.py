"""Spot and futures of one name on one exchange: each door shows its own instruments and nothing of the other."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs

from quotewright.model.cards import load_card
from quotewright_simexchange.dialects.binance.auth import sign
from quotewright_simexchange.dialects.binance.dialect import SPOT_CARD, USDM_CARD, BinanceDialect
from quotewright_simexchange.doors import Door, HttpRequest
from quotewright_simexchange.exchange.exchange import Exchange
from quotewright_simexchange.exchange.records import OrderRecord, OrderRequest
from tests.simexchange.dialects.binance.support import Wire
from tests.simexchange.dialects.binance.world import START, listing

CARDS = Path(__file__).parents[4] / "plugins/quotewright_plugins/exchanges/binance"


def test_each_door_shows_its_own_instruments() -> None:
    spot = listing()
    settings = {"kind": "linear", "tick": "0.1", "lot": "0.001", "base": "BTC", "quote": "USDT"}
    perp = attrs.evolve(spot, symbol="BTCUSDT:PERP", kind="linear", settings=settings)
    exchange = Exchange([spot, perp], start_ns=START)
    for name in ("ann", "bob"):
        exchange.open_account(name, {"BTC": Decimal(10), "USDT": Decimal(100_000)})
    cards = {SPOT_CARD: load_card(CARDS / "binance-spot.toml"), USDM_CARD: load_card(CARDS / "binance-usdm.toml")}
    doors = BinanceDialect(exchange, cards).doors()
    assert list(doors) == ["binance-spot", "binance-usdm"]

    def got(door: Door, path: str, query: str = "") -> Any:
        answer = door.http(HttpRequest("GET", path, query.encode(), b"", {}), START)
        return json.loads(answer.body)

    def symbols(door: Door, path: str) -> list[str]:
        return [entry["symbol"] for entry in got(door, path)["symbols"]]

    assert symbols(doors["binance-spot"], "/api/v3/exchangeInfo") == ["BTCUSDT"]
    assert symbols(doors["binance-usdm"], "/fapi/v1/exchangeInfo") == ["BTCUSDT"]
    wire = Wire()
    doors["binance-spot"].connect("/ws/btcusdt@trade/btcusdt:perp@trade", b"", {}, "127.0.0.1", wire, START)
    for symbol, price in (("BTCUSDT", "100"), ("BTCUSDT:PERP", "200")):
        for name, side in (("ann", "sell"), ("bob", "buy")):
            order = OrderRequest(symbol=symbol, side=side, price=Decimal(price), quantity=Decimal(1))  # type: ignore[arg-type]
            assert isinstance(exchange.place(name, order), OrderRecord)
    exchange.advance(START + 1_000_000_000)
    assert [trade["price"] for trade in got(doors["binance-spot"], "/api/v3/trades", "symbol=BTCUSDT")] == [
        "100.00000000"
    ]
    assert [trade["price"] for trade in got(doors["binance-usdm"], "/fapi/v1/trades", "symbol=BTCUSDT")] == ["200.000"]
    assert [frame["p"] for frame in wire.taken() if frame.get("e") == "trade"] == ["100.00000000"]


def test_a_list_of_one_door_is_nothing_to_the_other() -> None:
    spot = listing()
    settings = {"kind": "linear", "tick": "0.1", "lot": "0.001", "base": "BTC", "quote": "USDT"}
    perp = attrs.evolve(spot, symbol="BTCUSDT:PERP", kind="linear", settings=settings)
    exchange = Exchange([spot, perp], start_ns=START)
    exchange.open_account("ann", {"BTC": Decimal(10), "USDT": Decimal(100_000)})
    exchange.add_key("ann", "ann-key", "ann-secret")
    cards = {SPOT_CARD: load_card(CARDS / "binance-spot.toml"), USDM_CARD: load_card(CARDS / "binance-usdm.toml")}
    doors = BinanceDialect(exchange, cards).doors()

    def sent(verb: str, path: str, text: str) -> Any:
        text += f"&timestamp={START // 1_000_000}"
        query = f"{text}&signature={sign('ann-secret', text.encode())}".encode()
        return json.loads(
            doors["binance-spot"].http(HttpRequest(verb, path, query, b"", {"x-mbx-apikey": "ann-key"}), START).body
        )

    pair = "aboveType=LIMIT_MAKER&abovePrice=110&belowType=STOP_LOSS&belowStopPrice=90"
    made = sent("POST", "/api/v3/orderList/oco", f"symbol=BTCUSDT&side=SELL&quantity=1&{pair}")
    assert made["listOrderStatus"] == "EXECUTING"
    sent("DELETE", "/api/v3/openOrders", "symbol=BTCUSDT")
    (listed,) = sent("GET", "/api/v3/allOrderList", "limit=5")
    assert listed["listOrderStatus"] == "ALL_DONE"
