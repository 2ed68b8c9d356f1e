"""Who asks: key, receive window and signature of a request, the signature over the text exactly as it was sent."""

from __future__ import annotations

import base64
import hashlib
import hmac
import importlib
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from quotewright_simexchange.dialects.binance.errors import ApiError
from quotewright_simexchange.dialects.binance.parameters import Parameters, illegal

if TYPE_CHECKING:
    from quotewright_simexchange.exchange.accounts import ApiKey

KEY_FORMAT = re.compile(r"[A-Za-z0-9_-]{1,128}", re.ASCII)
SIGNATURE = re.compile(rb"(?:^|&)signature=([^&]*)")
DEFAULT_WINDOW_MS = Decimal(5000)
MOST_WINDOW_MS = Decimal(60_000)
AHEAD_NS = 1_000_000_000
MICROSECONDS_FROM = 10**14
"""Timestamps from here on are in µs: the year 5138 in ms."""


def signed_text(query: bytes, body: bytes) -> tuple[bytes, str]:
    """Return what is signed, query and body with nothing between and without ``signature=``, and the signature."""
    signature = ""
    text = b""
    for part in (query, body):
        found = SIGNATURE.search(part)
        if found is None:
            text += part
        else:
            signature = unquote_to_bytes(found[1]).decode("utf-8", "replace")
            before, after = part[: found.start()], part[found.end() :]
            text += before + after if before else after.removeprefix(b"&")
    return text, signature


def frame_text(params: Mapping[str, str]) -> bytes:
    """Return what is signed of a WebSocket request: everything but the signature, by name, not percent-encoded."""
    return "&".join(f"{name}={params[name]}" for name in sorted(params) if name != "signature").encode()


def sign(secret: str, text: bytes) -> str:
    """Return the HMAC-SHA256 of *text* in hex."""
    return hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()


def is_signed(secret: str, text: bytes, signature: str) -> bool:
    """Return whether *signature* is right: HMAC with a secret, RSA or Ed25519 if *secret* is a public key in PEM."""
    if "-----BEGIN PUBLIC KEY-----" in secret:
        return _is_signed_by(secret, text, signature)
    return hmac.compare_digest(sign(secret, text), signature.lower().encode("ascii", "replace").decode())


def is_asymmetric(secret: str) -> bool:
    return "-----BEGIN PUBLIC KEY-----" in secret


def _is_signed_by(pem: str, text: bytes, signature: str) -> bool:
    try:
        serialization = importlib.import_module("cryptography.hazmat.primitives.serialization")
    except ImportError:
        raise ApiError(
            -2015, "Invalid API-key, IP, or permissions for action. (RSA and Ed25519 keys need 'cryptography'.)"
        ) from None
    key = serialization.load_pem_public_key(pem.encode())
    try:
        raw = base64.b64decode(signature, validate=True)
        if hasattr(key, "public_numbers"):
            padding = importlib.import_module("cryptography.hazmat.primitives.asymmetric.padding")
            hashes = importlib.import_module("cryptography.hazmat.primitives.hashes")
            key.verify(raw, text, padding.PKCS1v15(), hashes.SHA256())
        else:
            key.verify(raw, text)
    except (ValueError, importlib.import_module("cryptography.exceptions").InvalidSignature):
        return False
    return True


def find_key(keys: Mapping[str, ApiKey], public: str, right: str) -> ApiKey:
    """Return the key called *public* that may do *right* (empty: anything)."""
    if not KEY_FORMAT.fullmatch(public):
        raise ApiError(-2014, "API-key format invalid.")
    key = keys.get(public)
    if key is None or not key.is_enabled or (right and right not in key.rights):
        raise ApiError(-2015, "Invalid API-key, IP, or permissions for action.")
    return key


def check_clock(parameters: Parameters, now_ns: int) -> None:
    """Refuse a request from outside of its receive window: a second ahead at most, *recvWindow* behind."""
    stamp = parameters.integer("timestamp")
    stamp_ns = stamp * (1_000 if stamp >= MICROSECONDS_FROM else 1_000_000)
    window_ms = DEFAULT_WINDOW_MS
    if parameters.has("recvWindow"):
        text = parameters.text("recvWindow")
        if not re.fullmatch(r"[0-9]{1,20}(\.[0-9]{1,3}0*)?", text, re.ASCII):
            raise illegal("recvWindow", r"^([0-9]{1,5})(\.[0-9]{1,3})?$")
        window_ms = Decimal(text)
        if window_ms > MOST_WINDOW_MS:
            raise ApiError(-1131, f"recvWindow must be less than {MOST_WINDOW_MS}.")
    if stamp_ns >= now_ns + AHEAD_NS:
        raise ApiError(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
    if now_ns - stamp_ns > int(window_ms * 1_000_000):
        raise ApiError(-1021, "Timestamp for this request is outside of the recvWindow.")


def check_signed(key: ApiKey, parameters: Parameters, text: bytes, signature: str, now_ns: int) -> None:
    """Refuse a signed request without timestamp or signature, from outside of its window, or signed wrongly."""
    parameters.text("timestamp")
    if not signature:
        raise ApiError(-1102, "Mandatory parameter 'signature' was not sent, was empty/null, or malformed.")
    check_clock(parameters, now_ns)
    if not is_signed(key.secret, text, signature):
        raise ApiError(-1022, "Signature for this request is not valid.")
