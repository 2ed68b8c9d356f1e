"""Signatures of requests: HMAC-SHA256 with a secret, or Ed25519 with a private key; the secret is never shown.

What is signed is the text exactly as it is sent: query and body percent-encoded with nothing between. Requests over
the WebSocket API sign their parameters by name, not encoded.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import importlib
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from quotewright.errors import ConfigError

_KEY = re.compile(r"[A-Za-z0-9_-]{1,128}", re.ASCII)
_PEM = "-----BEGIN"


class Signer:
    """One account's key and what signs for it."""

    def __init__(self, key: str) -> None:
        if not _KEY.fullmatch(key):
            raise ConfigError(
                f"binance: the key should be 1 to 128 letters, digits, - and _, came {len(key)} characters with others"
            )
        self.key = key

    def __repr__(self) -> str:
        return f"{type(self).__name__}(***)"

    def sign(self, text: bytes) -> str:
        """Return the signature of *text*, not percent-encoded."""
        raise TypeError(f"{type(self).__name__} lacks sign()")

    def signed(self, query: str, body: str = "") -> tuple[str, str]:
        """Return *query* and *body* with the signature of both at the end: of the body, if there is one."""
        signature = quote(self.sign(f"{query}{body}".encode()), safe="")
        if body:
            return query, f"{body}&signature={signature}"
        return f"{query}&signature={signature}", ""

    def signed_params(self, params: Mapping[str, object]) -> dict[str, object]:
        """Return the parameters of a WebSocket request with key and signature."""
        full = {"apiKey": self.key, **params}
        text = "&".join(f"{name}={_text(full[name])}" for name in sorted(full))
        return {**full, "signature": self.sign(text.encode())}


class HmacSigner(Signer):
    """Signs with a secret text."""

    def __init__(self, key: str, secret: str) -> None:
        super().__init__(key)
        if not secret:
            raise ConfigError("binance: the secret is empty")
        self._begun = hmac.new(secret.encode(), digestmod=hashlib.sha256)

    def sign(self, text: bytes) -> str:
        code = self._begun.copy()
        code.update(text)
        return code.hexdigest()


class Ed25519Signer(Signer):
    """Signs with a private key in PEM."""

    def __init__(self, key: str, pem: str) -> None:
        super().__init__(key)
        self._private = _load(pem)

    def sign(self, text: bytes) -> str:
        return base64.b64encode(self._private.sign(text)).decode()


def signer(key: str, secret: str) -> Signer:
    """Return what signs with *secret*: a private Ed25519 key if it is in PEM, else a text for HMAC.

    Raises:
        ConfigError: key or secret cannot be ones, or the private key needs a package that is not here.
    """
    return Ed25519Signer(key, secret) if secret.lstrip().startswith(_PEM) else HmacSigner(key, secret)


def encoded(params: Iterable[tuple[str, object]]) -> str:
    """Return *params* as they stand in a query or a form."""
    return "&".join(f"{name}={quote(_text(value), safe='')}" for name, value in params)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _load(pem: str) -> Any:
    try:
        serialization = importlib.import_module("cryptography.hazmat.primitives.serialization")
        ed25519 = importlib.import_module("cryptography.hazmat.primitives.asymmetric.ed25519")
    except ImportError:
        raise ConfigError(
            "binance: the secret is a private key in PEM, which needs the package 'cryptography': install it, "
            "or use a key with an HMAC secret"
        ) from None
    try:
        private = serialization.load_pem_private_key(pem.strip().encode(), password=None)
    except Exception as error:  # whatever the library says may hold parts of the key
        raise ConfigError(
            f"binance: the secret should be a private Ed25519 key in PEM without password, it cannot be read "
            f"({type(error).__name__})"
        ) from None
    if not isinstance(private, ed25519.Ed25519PrivateKey):
        raise ConfigError(
            f"binance: the private key should be of Ed25519, was {type(private).__name__.strip('_')}: make one, or "
            "use a key with an HMAC secret"
        )
    return private
