"""Parameters from query and body, and what the venue says of bad ones."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from quotewright_simexchange.dialects.binance.errors import ApiError
from quotewright_simexchange.dialects.binance.parameters import Parameters


@pytest.mark.parametrize(
    ("query", "body"),
    [
        (b"a=1&b=x%20y", b""),
        (b"", b"a=1&b=x+y"),
        (b"a=1", b"b=x%20y"),
        (b"a=1", b"a=2&b=x%20y"),
        (b"&a=1", b'{"b": "x y", "c": null}'),
    ],
)
def test_query_and_body_are_one_and_the_query_wins(query: bytes, body: bytes) -> None:
    assert Parameters.of_http(query, body).values == {"a": "1", "b": "x y"}


def test_json_that_is_no_text_is_refused() -> None:
    with pytest.raises(ApiError, match="-1100 Illegal characters found in a parameter"):
        Parameters.of_http(b"", b'{"symbol": "\\ud800"}')
    assert Parameters.of_http(b"", b'{"symbol": "\\u0042\\ud83d\\ude00"}').values == {"symbol": "B\U0001f600"}


def test_json_values_are_text_as_it_is_signed() -> None:
    given = {"a": 1, "b": True, "c": "40000.0", "d": None, "e": ["X", "Y"]}
    assert Parameters.of_json(given).values == {"a": "1", "b": "true", "c": "40000.0", "e": '["X","Y"]'}


def test_numbers_are_exact_and_trailing_zeros_are_no_precision() -> None:
    parameters = Parameters({"p": "40000.1000000000", "q": "7"})
    assert parameters.number("p") == Decimal("40000.1")
    assert parameters.maybe_number("none") is None
    assert parameters.integer("q") == 7
    assert parameters.integer("q", high=5) == 5
    assert parameters.integer("none", 3) == 3
    assert Parameters({"symbols": '["A","B"]'}).names("symbol", "symbols") == ["A", "B"]


BAD: list[tuple[dict[str, str], Callable[[Parameters], object], int, str]] = [
    ({}, lambda p: p.text("symbol"), -1102, "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed."),
    ({"symbol": ""}, lambda p: p.text("symbol"), -1102, "Mandatory parameter 'symbol'"),
    ({"c": "a b"}, lambda p: p.text("c", "", "^[a-z]{1,3}$"), -1100, "parameter 'c'; legal range is '^[a-z]{1,3}$'."),
    ({"c": "ab\n"}, lambda p: p.text("c", "", "^[a-z]{1,3}$"), -1100, "Illegal characters found in parameter 'c'"),
    ({"q": "1e3"}, lambda p: p.number("q"), -1100, "Illegal characters found in parameter 'q'"),
    ({"q": "-1"}, lambda p: p.number("q"), -1100, "Illegal characters found in parameter 'q'"),
    ({"q": "٣"}, lambda p: p.number("q"), -1100, "Illegal characters found in parameter 'q'"),
    ({"q": "NaN"}, lambda p: p.number("q"), -1100, "Illegal characters found in parameter 'q'"),
    ({"q": "0.000000001"}, lambda p: p.number("q"), -1111, "Parameter 'q' has too much precision."),
    ({"n": "x"}, lambda p: p.integer("n"), -1100, "Illegal characters found in parameter 'n'"),
    ({"n": "0"}, lambda p: p.integer("n", low=1), -1130, "Data sent for parameter 'n' is not valid."),
    ({"side": "UP"}, lambda p: p.choice("side", ("BUY",), None, -1117, "side"), -1117, "Invalid side."),
    ({"f": "1"}, lambda p: p.flag("f"), -1100, "parameter 'f'"),
    ({"s": "A", "m": "[]"}, lambda p: p.names("s", "m"), -1128, "Combination of optional parameters invalid."),
    ({"m": "A,B"}, lambda p: p.names("s", "m"), -1100, "parameter 'm'"),
]


@pytest.mark.parametrize(("values", "ask", "code", "text"), BAD)
def test_bad_parameters_have_the_venues_codes(
    values: dict[str, str], ask: Callable[[Parameters], object], code: int, text: str
) -> None:
    with pytest.raises(ApiError) as caught:
        ask(Parameters(values))
    assert caught.value.code == code
    assert text in caught.value.text


@pytest.mark.parametrize(("query", "body"), [(b"a=1&a=1", b""), (b"", b"a=1&a=2"), (b"&".join([b"x=1"] * 300), b"")])
def test_no_name_stands_twice_in_one_part(query: bytes, body: bytes) -> None:
    with pytest.raises(ApiError) as caught:
        Parameters.of_http(query, body)
    assert caught.value.code == -1101


def test_a_body_that_is_no_object_is_refused() -> None:
    with pytest.raises(ApiError) as caught:
        Parameters.of_http(b"", b"{nonsense")
    assert caught.value.code == -1100
