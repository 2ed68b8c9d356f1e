"""Errors as Binance answers with them: code and text in JSON, the HTTP status from the venue card."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from quotewright.model.cards import VenueCard

_ENCODER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False)
STATUSES = {-1003: 429, -1015: 429, -2014: 401, -2015: 401}
"""HTTP status of codes for which a card has none of its own; every other is 400."""


class ApiError(Exception):
    """A request ends with the venue's error *code* and *text*; *status* 0 takes the card's."""

    def __init__(
        self,
        code: int,
        text: str,
        status: int = 0,
        *,
        headers: Mapping[str, str] | None = None,
        data: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(f"{code} {text}")
        self.code = code
        self.text = text
        self.status = status
        self.headers = dict(headers or {})
        self.data = data

    def http_status(self, card: VenueCard) -> int:
        """Return its HTTP status at the venue of *card*."""
        if self.status:
            return self.status
        entry = card.error(self.code, self.text)
        return entry.http if entry is not None else STATUSES.get(self.code, 400)

    def as_json(self) -> dict[str, object]:
        """Return what stands in the body."""
        body: dict[str, object] = {"code": self.code, "msg": self.text}
        if self.data is not None:
            body["data"] = self.data
        return body


def of_reason(card: VenueCard, reason: str, codes: tuple[int, ...], otherwise: str) -> ApiError:
    """Return the error of *card* for the engine's *reason* among *codes*; else the first code with *otherwise*."""
    for code in codes:
        for entry in card.errors:
            if entry.code == code and entry.reason == reason and entry.text:
                return ApiError(code, entry.text)
    return ApiError(codes[0], otherwise)


def as_carded(card: VenueCard, reason: str, code: int, text: str) -> ApiError:
    """Return the error for the engine's *reason*: *code* and *text* unless *card* has another code or words for it."""
    entries = [entry for entry in card.errors if entry.reason == reason]
    if not any(entry.code == code for entry in entries) and entries:
        code = next((entry for entry in entries if entry.text), entries[0]).code
    stated = next((entry.text for entry in entries if entry.code == code and entry.text), "")
    return ApiError(code, text if stated in text else stated)


def encode(value: object) -> bytes:
    """Return *value* as JSON without blanks, as the venue writes it."""
    return _ENCODER.encode(value).encode()
