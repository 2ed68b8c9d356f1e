"""Limits as a client meets them at either door: 429, then a ban for going on, and the second at which both are over."""

from __future__ import annotations

import json
from typing import Any

import pytest

from quotewright_simexchange.dialects.binance.limits import FIRST_BAN_NS, PATIENCE
from quotewright_simexchange.doors import HttpRequest, HttpResponse
from tests.simexchange.dialects.binance.usdm_client import Client
from tests.simexchange.dialects.binance.world import World

SECOND = 1_000_000_000
DOORS = {
    #       heaviest request and its weight                          a light one      limit a minute
    "spot": ("/api/v3/depth", b"symbol=BTCUSDT&limit=5000", 250, "/api/v3/ping", 6_000),
    "usdm": ("/fapi/v1/depth", b"symbol=BTCUSDT&limit=1000", 20, "/fapi/v1/ping", 2_400),
}


class Asker:
    """Somebody at one of the doors, and the door clock."""

    def __init__(self, product: str) -> None:
        made: Any = World() if product == "spot" else Client()
        self.door, self.now_ns = made.door, made.now_ns - made.now_ns % (60 * SECOND)

    def get(self, path: str, query: bytes = b"", client: str = "10.0.0.1") -> HttpResponse:
        answer: HttpResponse = self.door.http(HttpRequest("GET", path, query, b"", {}, client), self.now_ns)
        return answer


@pytest.mark.parametrize("product", DOORS)
def test_too_much_weight_is_refused_until_the_minute_is_over(product: str) -> None:
    path, query, weight, light, limit = DOORS[product]
    asker = Asker(product)
    for number in range(1, limit // weight + 1):
        answer = asker.get(path, query)
        assert (answer.status, answer.headers["X-MBX-USED-WEIGHT-1M"]) == (200, str(number * weight))
    refused = asker.get(light)
    assert (refused.status, json.loads(refused.body)["code"], refused.headers["Retry-After"]) == (429, -1003, "60")
    assert asker.get(light, client="10.0.0.2").status == 200
    asker.now_ns += 59 * SECOND + SECOND - 1
    assert (asker.get(light).status, asker.get(light).headers["Retry-After"]) == (429, "1")
    asker.now_ns += 1
    answer = asker.get(light)
    assert (answer.status, answer.headers["X-MBX-USED-WEIGHT-1M"]) == (200, "1")


@pytest.mark.parametrize("product", DOORS)
def test_who_goes_on_is_banned_and_let_in_when_the_ban_is_over(product: str) -> None:
    path, query, weight, light, limit = DOORS[product]
    asker = Asker(product)
    for _ in range(limit // weight):
        asker.get(path, query)
    assert [asker.get(light).status for _ in range(PATIENCE + 2)] == [429] * PATIENCE + [418] * 2
    asker.now_ns += 61 * SECOND
    banned = asker.get(light)
    assert (banned.status, banned.headers["Retry-After"]) == (418, str(FIRST_BAN_NS // SECOND - 61))
    assert "IP banned until" in json.loads(banned.body)["msg"]
    asker.now_ns += FIRST_BAN_NS - 61 * SECOND
    assert asker.get(light).status == 200
