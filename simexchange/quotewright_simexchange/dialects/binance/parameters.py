"""Parameters of a request: from the query, the body or both for any verb, or from a WebSocket request's JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import unquote_to_bytes

from quotewright_simexchange.dialects.binance.errors import ApiError

INTEGER = r"^[0-9]{1,20}$"
NUMBER = r"^([0-9]{1,20})(\.[0-9]{1,20})?$"
MOST_PARAMETERS = 200
ASSET_DECIMALS = 8
"""Decimals of every asset here; more of them are too much precision."""


def split(raw: bytes) -> list[tuple[str, str]]:
    """Return the pairs of form-encoded *raw*, as often as they stand there; an absent ``=`` is an empty value."""
    if b"%" not in raw and b"+" not in raw:
        parts = [part.partition("=") for part in raw.decode("utf-8", "replace").split("&") if part]
        return [(name, value) for name, _, value in parts]
    pairs = []
    for part in raw.split(b"&"):
        if part:
            name, _, value = part.partition(b"=")
            pairs.append((_plain(name), _plain(value)))
    return pairs


def _plain(raw: bytes) -> str:
    return unquote_to_bytes(raw.replace(b"+", b" ")).decode("utf-8", "replace")


def missing(name: str) -> ApiError:
    return ApiError(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")


def illegal(name: str, legal: str) -> ApiError:
    return ApiError(-1100, f"Illegal characters found in parameter '{name}'; legal range is '{legal}'.")


def not_required(name: str) -> ApiError:
    return ApiError(-1106, f"Parameter '{name}' sent when not required.")


class Parameters:
    """The parameters of one request by name; whatever nobody asks for is ignored, as the clients rely on."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self.values = dict(values)

    @classmethod
    def of_http(cls, query: bytes, body: bytes) -> Parameters:
        """Return those of a request; of a name in both the query's is taken, and none may stand twice in one.

        A body that is JSON is read as an object of parameters.
        """
        values: dict[str, str] = {}
        parts = [split(query)]
        if body.lstrip()[:1] == b"{":
            parts.append(list(cls.of_json(_object(body)).values.items()))
        else:
            parts.append(split(body))
        if sum(map(len, parts)) > MOST_PARAMETERS:
            raise ApiError(
                -1101, f"Too many parameters; expected '{MOST_PARAMETERS}' and received '{sum(map(len, parts))}'."
            )
        for pairs in reversed(parts):
            names = [name for name, _ in pairs]
            if len(set(names)) < len(names):
                raise ApiError(-1101, "Duplicate values for a parameter detected.")
            values.update(pairs)
        return cls(values)

    @classmethod
    def of_json(cls, given: Mapping[str, object]) -> Parameters:
        """Return those of a JSON object, as text as it is signed; null is as if it was not sent."""
        return cls({name: text_of(value) for name, value in given.items() if value is not None})

    def has(self, name: str) -> bool:
        """Return whether *name* was sent with a value."""
        return bool(self.values.get(name))

    def text(self, name: str, default: str | None = None, legal: str = "") -> str:
        """Return *name* as text; without a *default* it must be there. *legal* is the pattern it must match."""
        value = self.values.get(name, "")
        if not value:
            if default is None:
                raise missing(name)
            return default
        if legal and not re.fullmatch(legal, value, re.ASCII):
            raise illegal(name, legal)
        return value

    def integer(self, name: str, default: int | None = None, *, low: int = 0, high: int | None = None) -> int:
        """Return *name* as a whole number; above *high* it is *high*, below *low* an error."""
        if not self.has(name) and default is not None:
            return default
        text = self.text(name)
        if not re.fullmatch(r"[0-9]{1,20}", text, re.ASCII):
            raise illegal(name, INTEGER)
        value = int(text)
        if value < low:
            raise ApiError(-1130, f"Data sent for parameter '{name}' is not valid.")
        return value if high is None else min(value, high)

    def number(self, name: str, *, decimals: int = ASSET_DECIMALS) -> Decimal:
        """Return *name*, which must be there, exactly; trailing zeros do not count as precision."""
        value = self.maybe_number(name, decimals=decimals)
        if value is None:
            raise missing(name)
        return value

    def maybe_number(self, name: str, *, decimals: int = ASSET_DECIMALS) -> Decimal | None:
        """Return *name* exactly, None if it was not sent."""
        if not self.has(name):
            return None
        text = self.values[name]
        if not re.fullmatch(r"[0-9]{1,20}(\.[0-9]{1,20})?", text, re.ASCII):
            raise illegal(name, NUMBER)
        value = Decimal(text)
        if len(text.partition(".")[2].rstrip("0")) > decimals:
            raise ApiError(-1111, f"Parameter '{name}' has too much precision.")
        return value

    def choice(
        self, name: str, allowed: Iterable[str], default: str | None = None, code: int = 0, what: str = ""
    ) -> str:
        """Return *name*, one of *allowed*; otherwise the error *code*, called *what*."""
        value = self.text(name, default)
        if value not in allowed:
            if code:
                raise ApiError(code, f"Invalid {what or name}.")
            raise ApiError(-1130, f"Data sent for parameter '{name}' is not valid.")
        return value

    def flag(self, name: str, default: bool = False) -> bool:
        """Return *name* as true or false, in any case of letters."""
        if not self.has(name):
            return default
        value = self.values[name].lower()
        if value not in ("true", "false"):
            raise illegal(name, "^(true|false)$")
        return value == "true"

    def names(self, one: str, many: str) -> list[str] | None:
        """Return what *one* or the list *many* (JSON text) names; None if neither was sent, both are an error."""
        if self.has(one) and self.has(many):
            raise ApiError(-1128, "Combination of optional parameters invalid.")
        if self.has(one):
            return [self.values[one]]
        if not self.has(many):
            return None
        legal = r'^\["[A-Z0-9-_.]{1,20}"(,"[A-Z0-9-_.]{1,20}"){0,}\]$'
        try:
            names = json.loads(self.values[many])
        except ValueError:
            raise illegal(many, legal) from None
        if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
            raise illegal(many, legal)
        return names


def text_of(value: object) -> str:
    """Return a JSON value as it stands in the signed text: booleans in lower case, lists and objects as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, separators=(",", ":")) if isinstance(value, list | dict) else str(value)


class Fraction(str):
    """A JSON number that is not whole, as it was written: what is signed is the text."""


def read_json(raw: bytes) -> Any:
    """Return the JSON value *raw*; ValueError or RecursionError if it is none that text can hold.

    Half of a surrogate pair, as ``\\ud800`` writes it, is no text: nothing that holds it can be answered or signed.
    """
    value = json.loads(raw, parse_float=Fraction)
    if b"\\u" in raw:
        json.dumps(value, ensure_ascii=False).encode()
    return value


def _object(raw: bytes) -> Mapping[str, object]:
    try:
        value = read_json(raw)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise ApiError(-1100, "Illegal characters found in a parameter.")
    return value
