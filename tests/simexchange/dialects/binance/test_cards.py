"""What a door does is its card's: another card makes it another venue."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import attrs
import pytest

from quotewright.model.cards import VenueCard, load_card
from quotewright_simexchange.dialects.binance.auth import sign
from quotewright_simexchange.dialects.binance.dialect import SPOT_CARD, BinanceDialect
from quotewright_simexchange.dialects.binance.spot import SpotDoor
from quotewright_simexchange.dialects.binance.usdm_door import UsdmDoor
from quotewright_simexchange.server.opening import listing_of, usual_fees
from tests.simexchange.dialects.binance.usdm_client import CARD as USDM
from tests.simexchange.dialects.binance.usdm_client import Client
from tests.simexchange.dialects.binance.world import CARD as SPOT
from tests.simexchange.dialects.binance.world import World

SPOT_ORDER = {
    "symbol": "BTCUSDT",
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "IOC",
    "quantity": "0.01",
    "price": "40000",
    "newClientOrderId": "a-1",
}
Change = Callable[[VenueCard], VenueCard]


def orders(**values: Any) -> Change:
    return lambda card: attrs.evolve(card, orders=attrs.evolve(card.orders, **values))


def client_ids(**values: Any) -> Change:
    return lambda card: attrs.evolve(card, client_ids=attrs.evolve(card.client_ids, **values))


def limits(**values: Any) -> Change:
    return lambda card: attrs.evolve(card, limits=attrs.evolve(card.limits, **values))


def rates(limit: int) -> Change:
    """Let there be *limit* orders in the shortest window."""
    return lambda card: attrs.evolve(
        card,
        limits=attrs.evolve(
            card.limits,
            rates=tuple(
                attrs.evolve(rate, limit=limit) if rate.name == "orders" else rate for rate in card.limits.rates
            ),
        ),
    )


def recoded(reason: str, code: int, text: str) -> Change:
    """Let the venue have another code and other words for *reason*."""
    return lambda card: attrs.evolve(
        card,
        errors=tuple(
            attrs.evolve(entry, code=code, text=text) if entry.reason == reason else entry for entry in card.errors
        ),
    )


def spot_world(change: Change | None) -> World:
    world = World()
    if change is not None:
        world.dialect = BinanceDialect(world.exchange, {SPOT_CARD: change(load_card(SPOT))})
        door = world.dialect.doors()["binance-spot"]
        assert isinstance(door, SpotDoor)
        world.door = door
    return world


def spot_code(world: World, verb: str = "POST", path: str = "/api/v3/order", **values: str) -> int:
    """Return the code of the answer, 0 of a success."""
    given = {**SPOT_ORDER, **values} if path.endswith("/order") else values
    text = "&".join(f"{name}={value}" for name, value in given.items() if value)
    signed = f"{text}&timestamp={world.now_ns // 1_000_000}"
    answer = world.ask(verb, path, f"{signed}&signature={sign('me-secret', signed.encode())}", x_mbx_apikey="me-key")
    body = json.loads(answer.body)
    return int(body["code"]) if isinstance(body, dict) and "code" in body else 0


@pytest.mark.parametrize(
    ("change", "values", "code"),
    [
        (orders(types=("MARKET",)), {}, -1116),
        (orders(times_in_force=("GTC", "FOK")), {}, -1115),
        (client_ids(pattern="[0-9]{1,4}"), {}, -1100),
        (rates(0), {}, -1015),
    ],
)
def test_a_spot_order_is_taken_or_refused_by_the_card(change: Change, values: dict[str, str], code: int) -> None:
    assert spot_code(spot_world(None), **values) == 0
    assert spot_code(spot_world(change), **values) == code


def test_what_spot_answers_and_lists_is_the_cards() -> None:
    world = spot_world(recoded("insufficient_funds", -2010, "Too poor."))
    text = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=9000&price=40000"
    assert world.sent("POST", "/api/v3/order", text, status=400) == {"code": -2010, "msg": "Too poor."}
    world = spot_world(orders(self_trade="EXPIRE_TAKER", amend="none"))
    [symbol] = world.got("/api/v3/exchangeInfo", "symbol=BTCUSDT")["symbols"]
    assert (symbol["defaultSelfTradePreventionMode"], symbol["amendAllowed"]) == ("EXPIRE_TAKER", False)
    placed = world.limit("BUY", "40000", "0.01")
    assert placed["selfTradePreventionMode"] == "EXPIRE_TAKER"
    amended = world.sent(
        "PUT",
        "/api/v3/order/amend/keepPriority",
        f"symbol=BTCUSDT&orderId={placed['orderId']}&newQty=0.005",
        status=400,
    )
    assert amended["code"] == -1020
    world = spot_world(limits(max_open_orders=7))
    [symbol] = world.got("/api/v3/exchangeInfo", "symbol=BTCUSDT")["symbols"]
    assert {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": 7} in symbol["filters"]


def usdm_client(change: Change | None) -> Client:
    client = Client()
    if change is not None:
        client.door = UsdmDoor(client.exchange, change(load_card(USDM)))  # type: ignore[arg-type]
    return client


@pytest.mark.parametrize(
    ("change", "values", "code"),
    [
        (orders(types=("MARKET",)), {}, -1116),
        (orders(times_in_force=("IOC",)), {}, -1115),
        (client_ids(pattern="[0-9]{1,4}"), {"newClientOrderId": "abc"}, -4015),
        (rates(0), {}, -1015),
    ],
)
def test_a_futures_order_is_taken_or_refused_by_the_card(change: Change, values: dict[str, str], code: int) -> None:
    plain = usdm_client(None)
    assert plain.ask("POST", "v1/order", **plain.limit(**values))["status"] == "NEW"
    client = usdm_client(change)
    assert client.fail("POST", "v1/order", **client.limit(**values))[1] == code


def test_the_code_and_words_of_a_futures_refusal_are_the_cards() -> None:
    client = usdm_client(recoded("insufficient_margin", -2999, "No margin."))
    client.exchange.refuses = "insufficient_margin"
    assert client.fail("POST", "v1/order", **client.limit())[1:] == (-2999, "No margin.")


@pytest.mark.parametrize(("policy", "code"), [("none", -1020), ("reduce", -5025), ("replace", 0)])
def test_how_a_futures_order_is_amended_is_the_cards(policy: str, code: int) -> None:
    client = usdm_client(orders(amend=policy))
    placed = client.ask("POST", "v1/order", **client.limit())
    answer = client.send(
        "PUT", "v1/order", symbol="BTCUSDT", orderId=placed["orderId"], side="BUY", quantity="0.02", price="40000.0"
    )
    assert json.loads(answer.body).get("code", 0) == code


def test_how_many_amends_and_orders_at_once_there_are_is_the_cards() -> None:
    client = usdm_client(limits(batch_orders=1))
    batch = json.dumps([client.limit(), client.limit()])
    assert client.fail("POST", "v1/batchOrders", batchOrders=batch)[1] == -4082
    client = usdm_client(orders(max_amends=1))
    placed = client.ask("POST", "v1/order", **client.limit())
    given = {"symbol": "BTCUSDT", "orderId": placed["orderId"], "side": "BUY", "price": "40000.0"}
    client.ask("PUT", "v1/order", **given, quantity="0.02")
    assert client.fail("PUT", "v1/order", **given, quantity="0.03")[1] == -5026


def test_an_instrument_without_fees_of_its_own_has_those_of_the_cards_first_line() -> None:
    for name, path in (("BTC-USDT.spot", SPOT), ("BTC-USDT.perp", USDM)):
        first = load_card(path).fees[0]
        settings = listing_of(name, "binance", usual_fees(["binance"]))[0].settings
        assert [Decimal(str(settings[key])) for key in ("maker_fee", "taker_fee")] == [
            rate.fraction for rate in (first.maker, first.taker)
        ]


def test_fees_of_another_card_are_charged_and_those_that_are_stated_come_first() -> None:
    fees = {"spot": {"maker_fee": "-0.0001", "taker_fee": "0.003"}}
    settings = listing_of("BTC-USDT.spot", "binance", fees)[0].settings
    assert (settings["maker_fee"], settings["taker_fee"]) == ("-0.0001", "0.003")
    settings = listing_of("BTC-USDT.spot,taker_fee=0.002", "binance", fees)[0].settings
    assert (settings["maker_fee"], settings["taker_fee"]) == ("-0.0001", "0.002")
