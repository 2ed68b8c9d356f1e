"""Signatures over exactly what is sent, addresses that go together, secrets that are never shown."""

from __future__ import annotations

import base64
import json
import sys
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from quotewright.errors import ConfigError
from quotewright.execution import Amending, Frame, Placing
from quotewright.kernel.codes import BUY, SELL
from quotewright.wire import Request
from quotewright_plugins.exchanges.binance.signing import HmacSigner, encoded, signer
from quotewright_plugins.exchanges.binance.trading import order_wire
from tests.plugins.binance.order_doors import CARDS, KEY, SECRET

STAMP_NS = 1_700_000_000_000_123_456
LIMIT = {"side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
SENT = {"quantity": "0.01", "price": "40000.00", "newClientOrderId": "sim-1", "recvWindow": 5000}

WORKED = {  # the worked examples of the venue's interface: query, body, signature
    "a query": (
        encoded({"symbol": "BTCUSDT", "timestamp": 1700000000000}.items()),
        "",
        "d232a5dc1c76285c51f0c8eefa992f1823a9a05bcd1976e4726adaef4da5c80a",
    ),
    "a body": (
        "",
        encoded({"symbol": "BTCUSDT", **LIMIT, **SENT, "timestamp": 1700000000000}.items()),
        "7a439145d1c20e90d14fa2fe38ba2f34d52d987ee17a4f4024be0efa6541dea3",
    ),
    "both, with nothing between": (
        encoded({"symbol": "BTCUSDT", **LIMIT}.items()),
        encoded({**SENT, "timestamp": 1700000000000}.items()),
        "1eead274c60921ade5855edd2da8ce676c6cdd17b589bc4de671bf221019f4d5",
    ),
}


@pytest.mark.parametrize(("query", "body", "signature"), WORKED.values(), ids=WORKED)
def test_a_request_is_signed_over_query_and_body(query: str, body: str, signature: str) -> None:
    signed_query, signed_body = HmacSigner(KEY, SECRET).signed(query, body)
    assert (signed_body or signed_query) == f"{body or query}&signature={signature}"
    assert not body or signed_query == query


WORKED_FRAMES = {
    "order.place": (
        {**LIMIT, **SENT, "symbol": "BTCUSDT", "timestamp": 1700000000000},
        "9d1c3c3820b37e6861afe866c775fec87e92784ce5d8862dfd1503d5bc8f6ae6",
    ),
    "userDataStream.subscribe.signature": (
        {"timestamp": 1700000000000},
        "aa256042bf142d24f0bff48310eb26fe3d372100de672639e5889d7cc950bbc9",
    ),
}


@pytest.mark.parametrize(("params", "signature"), WORKED_FRAMES.values(), ids=WORKED_FRAMES)
def test_a_frame_is_signed_over_its_parameters_by_name(params: dict[str, object], signature: str) -> None:
    signed = HmacSigner(KEY, SECRET).signed_params(params)
    assert signed == {"apiKey": KEY, **params, "signature": signature}


def test_what_is_signed_is_percent_encoded_as_it_is_sent() -> None:
    """A client id of futures may hold characters that a query may not."""
    wire = _wire("usdm", entry="rest")
    request = wire.cancel("BTCUSDT", "a:b/ä&c=d", STAMP_NS, 1)
    assert isinstance(request, Request)
    text, _, signature = urlsplit(request.url).query.partition("&signature=")
    assert "origClientOrderId=a%3Ab%2F%C3%A4%26c%3Dd" in text
    assert signature == HmacSigner(KEY, SECRET).sign(text.encode())


def test_an_ed25519_key_signs_in_base64() -> None:
    ed25519 = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ed25519")
    serialization = pytest.importorskip("cryptography.hazmat.primitives.serialization")
    private = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    made = signer(KEY, pem)
    assert base64.b64decode(made.sign(b"text")) == private.sign(b"text")
    query, _ = made.signed("symbol=BTCUSDT")
    pairs = dict(parse_qsl(query))
    private.public_key().verify(base64.b64decode(pairs["signature"]), b"symbol=BTCUSDT")
    assert not set("+/=") & set(query.partition("signature=")[2])
    assert PEM_MARK in pem
    assert not any(line in repr(made) for line in pem.splitlines() if line)
    with pytest.raises(ConfigError, match="cannot be read") as caught:
        signer(KEY, pem.replace("\n", "\nXX", 1))
    assert pem.splitlines()[1] not in str(caught.value)
    x25519 = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.x25519")
    other = x25519.X25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with pytest.raises(ConfigError, match="of Ed25519"):
        signer(KEY, other.decode())


PEM_MARK = "-----BEGIN PRIVATE KEY-----"


def test_a_private_key_without_the_package_for_it_is_an_error_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.serialization", None)
    with pytest.raises(ConfigError, match="needs the package 'cryptography'"):
        signer(KEY, f"{PEM_MARK}\nMC4CAQAw\n-----END PRIVATE KEY-----")


def _wire(market: str, **options: object):  # type: ignore[no-untyped-def]
    given = {"rest": "http://127.0.0.1:1", "websocket": "ws://127.0.0.1:1", "ws_api": "ws://127.0.0.1:1"}
    return order_wire(market, KEY, SECRET, card=CARDS[f"binance-{market}"], **{**given, **options})  # type: ignore[arg-type]


@pytest.mark.parametrize("market", ["spot", "usdm"])
@pytest.mark.parametrize("entry", ["rest", "websocket"])
def test_no_secret_stands_in_what_is_shown_or_sent(market: str, entry: str) -> None:
    wire = _wire(market, entry=entry)
    order = Placing(client_id="a", symbol="BTCUSDT", side=BUY, price="1", quantity="1")
    sent = [
        wire.place(order, STAMP_NS, 1),
        wire.cancel("BTCUSDT", "a", STAMP_NS, 2),
        wire.greeting("user", STAMP_NS, 3),
        *wire.account(STAMP_NS),
        wire.login(STAMP_NS),
    ]
    for shown in (wire, wire.signer, wire.addresses, vars(wire), vars(wire.signer), sent):
        assert SECRET not in f"{shown!r} {shown!s}"
    assert KEY not in repr(wire) + repr(wire.signer)


PLACED = {  # what an order is, and its own parameters on spot and on futures
    "resting": (
        {"price": "40000.00"},
        {"type": "LIMIT", "timeInForce": "GTC", "price": "40000.00"},
        {"type": "LIMIT", "timeInForce": "GTC", "price": "40000.00"},
    ),
    "immediate": (
        {"price": "40000.00", "time_in_force": 1},
        {"type": "LIMIT", "timeInForce": "IOC", "price": "40000.00"},
        {"type": "LIMIT", "timeInForce": "IOC", "price": "40000.00"},
    ),
    "whole or nothing": (
        {"price": "40000.00", "time_in_force": 2},
        {"type": "LIMIT", "timeInForce": "FOK", "price": "40000.00"},
        {"type": "LIMIT", "timeInForce": "FOK", "price": "40000.00"},
    ),
    "post-only": (
        {"price": "40000.00", "post_only": True},
        {"type": "LIMIT_MAKER", "price": "40000.00"},
        {"type": "LIMIT", "timeInForce": "GTX", "price": "40000.00"},
    ),
    "reduce-only": (
        {"price": "40000.00", "reduce_only": True},
        {"type": "LIMIT", "timeInForce": "GTC", "price": "40000.00"},
        {"type": "LIMIT", "timeInForce": "GTC", "price": "40000.00", "reduceOnly": "true"},
    ),
    "market": ({"price": ""}, {"type": "MARKET"}, {"type": "MARKET"}),
}


@pytest.mark.parametrize(("order", "spot", "usdm"), PLACED.values(), ids=PLACED)
def test_an_order_is_written_in_the_venues_words(
    order: dict[str, object], spot: dict[str, str], usdm: dict[str, str]
) -> None:
    placing = Placing(client_id="qw1-7", symbol="BTCUSDT", side=SELL, quantity="0.010", **order)  # type: ignore[arg-type]
    common = {"symbol": "BTCUSDT", "side": "SELL", "quantity": "0.010", "newClientOrderId": "qw1-7"}
    for market, own, form in (("spot", spot, "FULL"), ("usdm", usdm, "RESULT")):
        expected = {**common, **own, "newOrderRespType": form, "recvWindow": "5000", "timestamp": "1700000000000"}
        request = _wire(market, entry="rest").place(placing, STAMP_NS, 1)
        assert isinstance(request, Request)
        assert (request.method, urlsplit(request.url).query) == ("POST", "")
        assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
        assert request.headers["X-MBX-APIKEY"] == KEY
        pairs = dict(parse_qsl(request.body.decode()))
        assert len(pairs.pop("signature")) == 64
        assert pairs == expected
        frame = _wire(market).place(placing, STAMP_NS, 12)
        assert isinstance(frame, Frame)
        body = json.loads(frame.data)
        assert (body["id"], body["method"]) == (12, "order.place")
        params = {name: str(value) for name, value in body["params"].items()}
        assert params.pop("apiKey") == KEY
        params.pop("signature")
        assert params == expected
        assert frame.line == next(line.name for line in _wire(market).lines() if line.is_entry)


def test_spot_only_makes_the_quantity_less_and_futures_change_price_and_quantity() -> None:
    change = Amending(client_id="a", symbol="BTCUSDT", side=BUY, price="1.00", quantity="2")
    assert _wire("spot").amend(change, STAMP_NS, 1) is None
    less = Amending(client_id="a", symbol="BTCUSDT", side=BUY, price="1.00", quantity="2", keeps_price=True)
    request = _wire("spot").amend(less, STAMP_NS, 1, by_rest=True)
    assert (request.method, urlsplit(request.url).path) == ("PUT", "/api/v3/order/amend/keepPriority")
    assert dict(parse_qsl(urlsplit(request.url).query))["newClientOrderId"] == "a"
    request = _wire("usdm").amend(change, STAMP_NS, 1, by_rest=True)
    assert (request.method, urlsplit(request.url).path) == ("PUT", "/fapi/v1/order")
    assert json.loads(_wire("usdm").amend(change, STAMP_NS, 1).data)["method"] == "order.modify"


def test_fills_are_asked_for_after_an_id_else_since_a_time() -> None:
    def query(after: str) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(_wire("spot").fills("BTCUSDT", after, STAMP_NS, STAMP_NS).url).query))

    assert (query("41")["fromId"], query("41")["limit"]) == ("42", "1000")
    assert query("")["startTime"] == "1700000000000"
    assert {"fromId", "startTime"} <= {*query("41"), *query("")}
    assert "startTime" not in query("41")
    wire = _wire("spot")
    assert wire.has_more_fills(b"[" + b",".join([b"{}"] * 1000) + b"]")
    assert not wire.has_more_fills(b"[" + b",".join([b"{}"] * 999) + b"]")
    assert not wire.has_more_fills(b"<html>")


ADDRESSES = {  # market, what is given, what comes of it
    "production": ("spot", {}, ("https://api.binance.com", "wss://ws-api.binance.com:443/ws-api/v3")),
    "testnet": (
        "usdm",
        {"environment": "testnet"},
        ("https://testnet.binancefuture.com", "wss://testnet.binancefuture.com/ws-fapi/v1"),
    ),
    "roots": (
        "spot",
        {"rest": "http://127.0.0.1:1/", "ws_api": "ws://127.0.0.1:1"},
        ("http://127.0.0.1:1", "ws://127.0.0.1:1/ws-api/v3"),
    ),
    "with their paths": (
        "usdm",
        {"rest": "http://[::1]:1/fapi/v1", "websocket": "ws://[::1]:1/private/ws", "ws_api": "ws://[::1]:1/ws-fapi/v1"},
        ("http://[::1]:1", "ws://[::1]:1/ws-fapi/v1"),
    ),
}


@pytest.mark.parametrize(("market", "given", "expected"), ADDRESSES.values(), ids=ADDRESSES)
def test_addresses_are_those_of_the_environment_unless_given(
    market: str, given: dict[str, str], expected: tuple[str, str]
) -> None:
    wire = order_wire(market, KEY, SECRET, card=CARDS[f"binance-{market}"], **given)  # type: ignore[arg-type]
    assert (wire.addresses.rest, wire.addresses.ws_api) == expected
    if market == "usdm":
        root = "ws://[::1]:1" if "rest" in given else "wss://fstream.binancefuture.com"
        assert wire.url("user", "K") == f"{root}/private/ws?listenKey=K"


WRONG = {
    "a market": ({"market": "coinm"}, "entered on spot and usdm, was 'coinm'"),
    "another card": ({"market": "usdm"}, "should be binance-usdm, was binance-spot"),
    "an environment": ({"environment": "test"}, "one of production, testnet, demo, was 'test'"),
    "half of the addresses": ({"rest": "http://127.0.0.1:1"}, "rest given without ws_api"),
    "an empty key": ({"key": ""}, "came 0 characters"),
    "a key of two lines": ({"key": "a\nb"}, "letters, digits"),
    "an empty secret": ({"secret": ""}, "secret is empty"),
    "a window": ({"receive_window_ns": 61_000_000_000}, "1 ms to 60 s in whole ms, was 61 s"),
    "half a millisecond": ({"receive_window_ns": 500_000}, "whole ms"),
    "an entry": ({"entry": "fix"}, "rest or websocket, was 'fix'"),
}


@pytest.mark.parametrize(("given", "text"), WRONG.values(), ids=WRONG)
def test_what_cannot_be_is_refused(given: dict[str, object], text: str) -> None:
    usual: dict[str, object] = {"market": "spot", "key": KEY, "secret": SECRET, "card": CARDS["binance-spot"]}
    with pytest.raises(ConfigError, match=text):
        order_wire(**{**usual, **given})  # type: ignore[arg-type]


def test_the_demo_futures_have_no_known_entry_over_websocket() -> None:
    card = CARDS["binance-usdm"]
    with pytest.raises(ConfigError, match='set entry = "rest"'):
        order_wire("usdm", KEY, SECRET, card=card, environment="demo")
    wire = order_wire("usdm", KEY, SECRET, card=card, environment="demo", entry="rest")
    assert [line.name for line in wire.lines()] == ["user"]


@pytest.mark.parametrize("market", ["spot", "usdm"])
def test_limits_are_the_cards(market: str) -> None:
    wire, card = _wire(market), CARDS[f"binance-{market}"]
    rates = {rate.name: rate.limit for rate in card.limits.rates}
    windows = (*wire.limits.requests, *wire.limits.orders, *wire.limits.connects)
    assert {one.name: one.limit for one in windows} == {
        name: limit
        for name, limit in rates.items()
        if name not in ("raw requests", "messages to a market data connection")
    }
    assert (wire.client_id_length, wire.limits.life_ns) == (36, 86_400_000_000_000)
    assert wire.keeps_priority_on_reduce == (market == "spot")
    assert (wire.dead_man is None, wire.login_rule is None) == (market == "spot", market == "spot")


@pytest.mark.parametrize("client_id", ["qw1-7", "a:b/c.d", "ä&c=d +%41"])
def test_the_http_client_sends_what_was_signed(client_id: str) -> None:
    """Nothing on the way rewrites the query: the venue verifies the bytes that arrive."""
    request = _wire("usdm", entry="rest").cancel("BTCUSDT", client_id, STAMP_NS, 1)
    sent = httpx.Request(request.method, request.url, headers=dict(request.headers))
    query = sent.url.raw_path.partition(b"?")[2]
    assert query.decode() == urlsplit(request.url).query
    text, _, signature = query.partition(b"&signature=")
    assert signature.decode() == HmacSigner(KEY, SECRET).sign(text)
