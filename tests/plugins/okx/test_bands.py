"""Ticks of options depend on the price: bands of a family, asked for before its instruments."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from quotewright.errors import InputError
from quotewright_plugins.exchanges.okx.adapter import OkxAdapter
from quotewright_plugins.exchanges.okx.feed import okx_feed

BANDS: dict[str, Any] = {
    "instType": "OPTION",
    "instFamily": "BTC-USD",
    "tickBand": [
        {"minPx": "0.005", "maxPx": "", "tickSz": "0.0005"},
        {"minPx": "0", "maxPx": "0.005", "tickSz": "0.0001"},
    ],
}
OPTION = {
    "instType": "OPTION",
    "instId": "BTC-USD-270326-70000-C",
    "instFamily": "BTC-USD",
    "uly": "BTC-USD",
    "settleCcy": "BTC",
    "ctVal": "1",
    "ctMult": "0.01",
    "tickSz": "0.0005",
    "lotSz": "1",
    "minSz": "1",
    "state": "live",
}


def answer(*rows: dict[str, Any]) -> bytes:
    return json.dumps({"code": "0", "msg": "", "data": rows}).encode()


def test_options_have_the_ticks_of_their_family() -> None:
    adapter = OkxAdapter("option")
    assert adapter.instruments(answer(BANDS)) == []
    (option,) = adapter.instruments(answer(OPTION))
    assert option.tick_table == ((Decimal(0), Decimal("0.0001")), (Decimal("0.005"), Decimal("0.0005")))
    assert option.tick_size == Decimal("0.0001")
    assert option.tick_size_at(Decimal("0.02")) == Decimal("0.0005")
    assert option.is_on_tick(Decimal("0.0049"))
    assert not option.is_on_tick(Decimal("0.0051"))
    with pytest.raises(InputError, match=r"0\.0051"):
        option.price_ticks(Decimal("0.0051"))


def test_without_bands_an_option_has_the_one_tick_that_is_told() -> None:
    (option,) = OkxAdapter("option").instruments(answer(OPTION))
    assert (option.tick_table, option.tick_size) == ((), Decimal("0.0005"))


def test_bad_bands_are_refused_by_name() -> None:
    bad = {**BANDS, "tickBand": [{"minPx": "0", "tickSz": "none"}]}
    with pytest.raises(InputError, match="BTC-USD: tickSz should be a decimal"):
        OkxAdapter("option").instruments(answer(bad))
    with pytest.raises(InputError, match="instrument-tick-bands"):
        OkxAdapter("option").instruments(answer({**BANDS, "tickBand": 5}))


def test_the_bands_of_a_family_are_asked_for_before_its_options() -> None:
    wire = okx_feed(okx_feed.config_model(market="option")).wire()
    requests = wire.instrument_requests()
    assert requests
    for request in requests:
        assert "public/instrument-tick-bands?instType=OPTION&instFamily=" in request.url
        following = wire.next_request(request, answer(BANDS))
        assert following is not None
        assert following.url == request.url.replace("instrument-tick-bands", "instruments")
        assert wire.next_request(following, answer(OPTION)) is None
