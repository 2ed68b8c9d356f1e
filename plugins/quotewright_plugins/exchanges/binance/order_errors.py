"""What an answer to a signed request means: unwrapped, its counters read, its error put on the closed list.

Codes, texts and reasons come from the venue card. Binance's rules, third quarter of 2026: 4xx was not done, 5xx may
have been; 418 and 429 were not, nor was what the venue calls overloaded (-1008) or too many orders (-1015).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import attrs
import msgspec

from quotewright.execution import Ask, Fault
from quotewright.live.retry import (
    BLOCKED_WAIT_NS,
    LEAST_WAIT_NS,
    MOST_BAN_NS,
    USUAL_BAN_NS,
    USUAL_WAIT_NS,
    is_html,
    retry_after_ns,
)
from quotewright_plugins.exchanges.binance.order_messages import ENVELOPE, ERROR, PAUSE, UNREADABLE, Counter, Error

if TYPE_CHECKING:
    from quotewright.model.cards import VenueCard

SECOND: Final = 1_000_000_000
MILLISECOND: Final = 1_000_000
WRITES: Final = frozenset({"place", "amend", "cancel", "cancel_all"})
FATAL: Final[Mapping[int, str]] = {-1021: "skew", -1022: "signature", -2014: "key", -2015: "key"}
ABSENT: Final = frozenset({-2011, -2013, -2026})
"""No such order, or none that is open."""
NO_LISTEN_KEY: Final = -1125
TOO_MANY_ORDERS: Final = -1015
LIMIT_CODES: Final = frozenset({-1003, TOO_MANY_ORDERS})

_INTERVALS: Final = (("DAY", "D", 86_400), ("HOUR", "H", 3_600), ("MINUTE", "M", 60), ("SECOND", "S", 1))
_UNTIL = re.compile(r"banned until (\d{10,16})", re.ASCII)
_TEXT_LENGTH: Final = 200


@attrs.frozen
class Answer:
    """An answer without its envelope. *error* None: the venue tells none."""

    status: int
    body: bytes
    error: Error | None
    weights: Mapping[str, int]


class Counters:
    """The venue's counters by the names of the card's rates: as headers of answers, and in them."""

    def __init__(self, card: VenueCard) -> None:
        self.headers: dict[str, str] = {}
        self.counters: dict[tuple[str, str, int], str] = {}
        for rate in card.limits.rates:
            kind = {"ip": "REQUEST_WEIGHT", "account": "ORDERS"}.get(rate.scope, "")
            if not kind or (kind == "REQUEST_WEIGHT" and rate.name != "request weight"):
                continue
            interval, letter, number = _interval(int(rate.per))
            header = "used-weight" if kind == "REQUEST_WEIGHT" else "order-count"
            self.headers[f"x-mbx-{header}-{number}{letter}".lower()] = rate.name
            self.counters[kind, interval, number] = rate.name

    def of_headers(self, headers: Mapping[str, str]) -> dict[str, int]:
        """Return the counts that *headers* tell."""
        found = {}
        for header, name in self.headers.items():
            text = headers.get(header, "")
            if text.isascii() and text.isdigit():
                found[name] = int(text[:18])
        return found

    def of_answer(self, counters: list[Counter]) -> dict[str, int]:
        """Return the counts that an answer of the WebSocket API tells."""
        found = {}
        for one in counters:
            name = self.counters.get((one.rateLimitType, one.interval, one.intervalNum))
            if name is not None and one.count >= 0:
                found[name] = one.count
        return found


def unwrap(status: int, headers: Mapping[str, str], body: bytes, counters: Counters) -> Answer:
    """Return an answer over REST or the WebSocket API without its envelope.

    Raises:
        ValueError: it is no JSON.
    """
    weights = counters.of_headers(headers)
    if is_html(headers, body):
        raise ValueError("a web page instead of data")
    if body.lstrip()[:1] == b"[":
        return Answer(status, body, None, weights)
    head = ENVELOPE.decode(body)
    if head.error is not None or head.result is not msgspec.UNSET:
        weights |= counters.of_answer(head.rateLimits)
        told = head.status if isinstance(head.status, int) and head.status else status
        return Answer(told, b"" if head.result is msgspec.UNSET else bytes(head.result), head.error, weights)
    error = None
    if head.code is not msgspec.UNSET and head.code < 0:
        error = ERROR.decode(body)
    return Answer(status, body, error, weights)


class Errors:
    """The errors of one market by its card."""

    def __init__(self, card: VenueCard) -> None:
        self.card = card

    def fault(self, ask: Ask, answer: Answer, headers: Mapping[str, str]) -> Fault | None:
        """Return why an answer is no success; None: it is one."""
        error, status = answer.error, answer.status
        if error is None:
            return None if 200 <= status < 300 else self.unread(ask, status, headers, answer.body, "")
        code, text = str(error.code), error.msg[:_TEXT_LENGTH]
        if status == 418 or "banned until" in error.msg:
            return Fault("retry_after", code, text, "overload", ban_wait_ns(headers, error), is_ban=True)
        if status == 429 or error.code in LIMIT_CODES:
            is_of_orders = error.code == TOO_MANY_ORDERS
            wait_ns = limit_wait_ns(headers, error)
            return Fault("retry_after", code, text, "overload", wait_ns, is_of_orders=is_of_orders)
        if error.code in FATAL:
            return Fault("fatal", code, text, kind=FATAL[error.code])  # type: ignore[arg-type]
        entry = self.card.error(error.code, error.msg)
        if entry is not None and entry.outcome == "retry":
            return Fault("retry_after", code, text, "overload", retry_after_ns(headers, 0) or LEAST_WAIT_NS)
        if status >= 500 or (entry is not None and entry.outcome == "unknown"):
            return _unknown(ask, code, text)
        if error.code in ABSENT or (error.code == NO_LISTEN_KEY and ask == "renew"):
            return Fault("absent", code, text, "unknown_order")
        return Fault("reject", code, text, (entry.reason if entry is not None else "") or "venue")

    def unread(self, ask: Ask, status: int, headers: Mapping[str, str], body: bytes, why: str) -> Fault:
        """Return what an answer means that holds no error of the venue's, or cannot be read at all."""
        text = f"answers {status}{': ' if why else ''}{why}"[:_TEXT_LENGTH]
        if status == 418:
            return Fault("retry_after", "418", text, "overload", ban_wait_ns(headers, _said(body)), is_ban=True)
        if status == 429:
            return Fault("retry_after", "429", text, "overload", limit_wait_ns(headers, Error()))
        if status == 403:
            text = "answers 403: its firewall refuses this address for now; nothing is asked for minutes"
            return Fault("retry_after", "403", text, "overload", BLOCKED_WAIT_NS, is_ban=True)
        if status == 401:
            return Fault("fatal", "401", "answers 401 without saying why: the key is refused", kind="key")
        if status == 451:
            return Fault("fatal", "451", "answers 451: it does not serve this region", kind="key")
        return _unknown(ask, str(status), text)


def _unknown(ask: Ask, code: str, text: str) -> Fault:
    if ask in WRITES:
        return Fault("ambiguous", code, text)
    return Fault("retry_after", code, text, wait_ns=LEAST_WAIT_NS)


def limit_wait_ns(headers: Mapping[str, str], error: Error) -> int:
    """Return how long to wait after too many requests or orders."""
    return retry_after_ns(headers, 0) or _told_pause_ns(error) or USUAL_WAIT_NS


def ban_wait_ns(headers: Mapping[str, str], error: Error) -> int:
    """Return how long a ban lasts: ``Retry-After``, else until the time it names held against the venue's clock."""
    seconds = headers.get("retry-after", "").strip()
    if seconds.isascii() and seconds.isdigit():  # days are no mistake here: not capped at an hour as elsewhere
        return min(MOST_BAN_NS, max(LEAST_WAIT_NS, int(seconds[:12]) * SECOND))
    wait_ns = _told_pause_ns(error)
    until = _UNTIL.search(error.msg)
    if not wait_ns and until is not None and headers.get("date"):
        # The answer's own date: what the clock here says does not matter.
        wait_ns = _since_ns(headers["date"], int(until[1]) * MILLISECOND)
    return min(MOST_BAN_NS, max(LEAST_WAIT_NS, wait_ns or USUAL_BAN_NS))


def _told_pause_ns(error: Error) -> int:
    """Return the pause that ``data`` of an error tells, 0 if it tells none."""
    if error.data is msgspec.UNSET:
        return 0
    try:
        pause = PAUSE.decode(error.data)
    except UNREADABLE:
        return 0
    if not 0 < pause.serverTime < pause.retryAfter:
        return 0
    return (pause.retryAfter - pause.serverTime) * MILLISECOND


def _since_ns(date: str, until_ns: int) -> int:
    from email.utils import parsedate_to_datetime

    try:
        return until_ns - int(parsedate_to_datetime(date).timestamp()) * SECOND
    except (TypeError, ValueError, OverflowError):
        return 0


def _said(body: bytes) -> Error:
    """Return the beginning of a body that is no JSON as an error's text."""
    return Error(msg=body[:2048].decode("ascii", "replace"))


def _interval(per_ns: int) -> tuple[str, str, int]:
    """Return a window's time as the venue writes it: MINUTE, M, 1."""
    seconds = per_ns // SECOND
    return next((word, letter, seconds // unit) for word, letter, unit in _INTERVALS if seconds % unit == 0)
