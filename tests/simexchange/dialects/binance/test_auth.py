"""Signatures over the text as sent, receive windows and keys, with the venue's texts."""

from __future__ import annotations

import base64

import attrs
import pytest

from quotewright_simexchange.dialects.binance import auth
from quotewright_simexchange.dialects.binance.errors import ApiError
from quotewright_simexchange.dialects.binance.parameters import Parameters

SECRET = "binance-demo-secret"
NOW_NS = 1_700_000_000_000_000_000
ORDER_TAIL = "quantity=0.01&price=40000.00&newClientOrderId=sim-1&recvWindow=5000&timestamp=1700000000000"
ORDER_HEAD = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC"

# (query, body, signature): worked examples, the signature at the end of what was sent.
SIGNED = [
    ("symbol=BTCUSDT&timestamp=1700000000000", "", "d232a5dc1c76285c51f0c8eefa992f1823a9a05bcd1976e4726adaef4da5c80a"),
    ("", f"{ORDER_HEAD}&{ORDER_TAIL}", "7a439145d1c20e90d14fa2fe38ba2f34d52d987ee17a4f4024be0efa6541dea3"),
    (ORDER_HEAD, ORDER_TAIL, "1eead274c60921ade5855edd2da8ce676c6cdd17b589bc4de671bf221019f4d5"),
]
FRAMES = [
    (
        {
            "symbol": "BTCUSDT",
            "side": "BUY",
            "type": "LIMIT",
            "timeInForce": "GTC",
            "quantity": "0.01",
            "price": "40000.00",
            "newClientOrderId": "sim-1",
            "recvWindow": "5000",
            "timestamp": "1700000000000",
            "apiKey": "binance-demo-key",
        },
        "9d1c3c3820b37e6861afe866c775fec87e92784ce5d8862dfd1503d5bc8f6ae6",
    ),
    (
        {"timestamp": "1700000000000", "apiKey": "binance-demo-key"},
        "aa256042bf142d24f0bff48310eb26fe3d372100de672639e5889d7cc950bbc9",
    ),
]


@attrs.frozen
class Key:
    key: str = "binance-demo-key"
    secret: str = SECRET
    rights: tuple[str, ...] = ("read", "trade")
    is_enabled: bool = True


@pytest.mark.parametrize(("query", "body", "signature"), SIGNED)
def test_worked_examples_are_signed_over_query_and_body_with_nothing_between(
    query: str, body: str, signature: str
) -> None:
    sent_query, sent_body = (query, f"{body}&signature={signature}") if body else (f"{query}&signature={signature}", "")
    text, came = auth.signed_text(sent_query.encode(), sent_body.encode())
    assert text == (query + body).encode()
    assert came == signature
    assert auth.is_signed(SECRET, text, signature)
    assert auth.is_signed(SECRET, text, signature.upper())
    assert not auth.is_signed(SECRET + "x", text, signature)
    assert not auth.is_signed(SECRET, text + b" ", signature)


@pytest.mark.parametrize(("params", "signature"), FRAMES)
def test_worked_examples_of_frames_are_signed_by_name(params: dict[str, str], signature: str) -> None:
    assert auth.sign(SECRET, auth.frame_text({**params, "signature": signature})) == signature


def test_a_signature_may_stand_before_what_it_signs() -> None:
    assert auth.signed_text(b"signature=00&symbol=BTCUSDT&timestamp=1", b"") == (b"symbol=BTCUSDT&timestamp=1", "00")
    assert auth.signed_text(b"signature=00&a=1", b"b=2") == (b"a=1b=2", "00")
    assert auth.signed_text(b"side=BUY&signature=00&symbol=X", b"") == (b"side=BUY&symbol=X", "00")
    assert auth.signed_text(b"signature=00", b"b=2") == (b"b=2", "00")


def test_only_the_text_as_sent_is_signed() -> None:
    text = b"symbol=BTCUSDT&newClientOrderId=a%2Db&timestamp=1"
    assert auth.signed_text(text + b"&signature=00", b"") == (text, "00")
    assert not auth.is_signed(SECRET, text, auth.sign(SECRET, text.replace(b"%2D", b"-")))


@pytest.mark.parametrize(
    ("values", "code", "text"),
    [
        ({"timestamp": "1700000000000"}, 0, ""),
        ({"timestamp": "1700000000000000"}, 0, ""),
        ({"timestamp": "1700000000999"}, 0, ""),
        ({"timestamp": "1700000001000"}, -1021, "Timestamp for this request was 1000ms ahead of the server's time."),
        ({"timestamp": "1699999995000"}, 0, ""),
        ({"timestamp": "1699999994999"}, -1021, "Timestamp for this request is outside of the recvWindow."),
        ({"timestamp": "1699999940000", "recvWindow": "60000"}, 0, ""),
        ({"timestamp": "1699999999999", "recvWindow": "0.999"}, -1021, "outside of the recvWindow."),
        ({"timestamp": "1699999999999", "recvWindow": "1.0"}, 0, ""),
        ({"timestamp": "1700000000000", "recvWindow": "60001"}, -1131, "recvWindow must be less than 60000."),
        ({"timestamp": "1700000000000", "recvWindow": "1.2345"}, -1100, "Illegal characters found in parameter"),
        ({"timestamp": "now"}, -1100, "Illegal characters found in parameter 'timestamp'"),
        ({}, -1102, "Mandatory parameter 'timestamp' was not sent, was empty/null, or malformed."),
    ],
)
def test_a_request_must_come_within_its_window(values: dict[str, str], code: int, text: str) -> None:
    if not code:
        auth.check_clock(Parameters(values), NOW_NS)
        return
    with pytest.raises(ApiError) as caught:
        auth.check_clock(Parameters(values), NOW_NS)
    assert caught.value.code == code
    assert text in caught.value.text


@pytest.mark.parametrize(
    ("public", "right", "code"),
    [
        ("binance-demo-key", "trade", 0),
        ("binance-demo-kez", "trade", -2015),
        ("", "trade", -2014),
        ("no key!", "", -2014),
        ("reader", "trade", -2015),
        ("reader", "", 0),
        ("off", "", -2015),
    ],
)
def test_a_key_must_be_known_enabled_and_allowed_to(public: str, right: str, code: int) -> None:
    keys = {"binance-demo-key": Key(), "reader": Key(rights=("read",)), "off": Key(is_enabled=False)}
    if not code:
        assert auth.find_key(keys, public, right) is keys[public]  # type: ignore[arg-type]
        return
    with pytest.raises(ApiError) as caught:
        auth.find_key(keys, public, right)  # type: ignore[arg-type]
    assert caught.value.code == code


@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
def test_public_keys_are_secrets_too(kind: str) -> None:
    pytest.importorskip("cryptography", reason="RSA and Ed25519 keys need 'cryptography'")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa

    text = b"apiKey=a&timestamp=1700000000000"
    if kind == "rsa":
        private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        raw = private.sign(text, padding.PKCS1v15(), hashes.SHA256())
        public = private.public_key()
    else:
        own = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
        raw, public = own.sign(text), own.public_key()
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
    signature = base64.b64encode(raw).decode()
    assert auth.is_signed(pem, text, signature)
    assert not auth.is_signed(pem, text + b" ", signature)
    assert not auth.is_signed(pem, text, signature[4:])
    assert not auth.is_signed(pem, text, "no base64!")
