"""What an HTTP answer means in general, how long to wait, and when to give up; what one venue means, its wire tells.

No text made here holds a header, a query or a body: secrets stand in all three.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final

import attrs

from quotewright.wire import Trouble

if TYPE_CHECKING:
    from quotewright.live.backoff import Backoff
    from quotewright.wire import Wire

SECOND: Final = 1_000_000_000
MINUTE: Final = 60 * SECOND
LEAST_WAIT_NS: Final = SECOND
"""A venue that counts us out wants at least so long a pause, even if it says 0 or less."""
MOST_WAIT_NS: Final = 60 * MINUTE
"""A longer pause than that is not taken at a server's word."""
MOST_BAN_NS: Final = 72 * 60 * MINUTE
"""The longest ban that a venue tells of (Binance's)."""
USUAL_WAIT_NS: Final = 30 * SECOND
USUAL_BAN_NS: Final = 2 * MINUTE
BLOCKED_WAIT_NS: Final = 5 * MINUTE

RETRIED: Final = frozenset({408, 425, 429, *range(500, 600)})

_UNTIL = re.compile(rb"banned until\D{0,3}(\d{10,19})", re.IGNORECASE)
_BANNED = re.compile(rb"\b(?:ip|address|account)\b[^\r\n\"]{0,40}\bbanned\b|\bbanned until\b", re.IGNORECASE)
_UNKNOWN = re.compile(rb'"code"\s*:\s*-100[67]\b')


def general_trouble(
    status: int, headers: Mapping[str, str], now_ns: int, body: bytes = b"", *, is_write: bool = False
) -> Trouble | None:
    """Return what an answer means whatever the venue; None: a success that may be read.

    Args:
        status: The HTTP status.
        headers: Names in lower case.
        now_ns: Unix time, for dates in an answer that does not tell its own.
        body: Of which only the beginning is looked at.
        is_write: The request places, changes or cancels orders: where nobody knows whether it was done the kind is
            ``unknown``, and it must not be repeated.
    """
    start = bytes(body[:2048])
    html = is_html(headers, start)
    banned = status == 418 or (not 200 <= status < 300 and _BANNED.search(start) is not None)
    if banned:
        wait_ns = ban_ns(headers, start, now_ns)
        return Trouble(
            "banned", f"answers {status}: banned for {wait_ns / 1e9:.0f} s; nothing is asked before", wait_ns
        )
    if is_write and (status >= 500 or status == 408 or _UNKNOWN.search(start)):
        return Trouble("unknown", f"answers {status}: whether it was done is not known; it is asked, never repeated")
    if 200 <= status < 300:
        if not html:
            return None
        text = f"answers {status} with a web page instead of data: a proxy or a login page stands between"
        return Trouble("unknown" if is_write else "retry", text)
    if status == 401:
        return Trouble("final", "answers 401: the key is refused; check the key, its rights and its list of addresses")
    if status == 403:
        return Trouble(
            "final",
            "answers 403: refused by the venue or by what stands before it; check the key's rights and from where "
            "you connect",
            BLOCKED_WAIT_NS,
        )
    if status == 451:
        return Trouble(
            "final",
            "answers 451: the venue does not serve this region; if you may use another host, set the keys 'rest' and "
            "'websocket' of the feed",
            BLOCKED_WAIT_NS,
        )
    if status == 429:
        wait_ns = retry_after_ns(headers, now_ns) or USUAL_WAIT_NS
        return Trouble("retry", f"answers 429: too many requests; waiting {wait_ns / 1e9:.0f} s", wait_ns)
    if status in RETRIED:
        wait_ns = retry_after_ns(headers, now_ns) or 0
        return Trouble("retry", f"answers {status}{' with a web page' if html else ''}; asked again", wait_ns)
    if 300 <= status < 400:
        return Trouble("final", f"answers {status}: sends us elsewhere, where no request is sent; check the address")
    return Trouble("final", f"answers {status}: the request is not what it expects")


def trouble_of(wire: Wire, status: int, headers: Mapping[str, str], now_ns: int, body: bytes) -> Trouble | None:
    """Return what an answer means at the venue of *wire*, else in general; None: a success that may be read.

    A ban is one whatever else the answer says, and no pause is shorter than what ``Retry-After`` asks for.
    """
    general = general_trouble(status, headers, now_ns, body)
    own = wire.trouble(status, headers, body)
    if own is None or own.kind == "banned" or (general is not None and general.kind == "banned"):
        return own if own is not None and own.kind == "banned" else general
    asked_ns = retry_after_ns(headers, now_ns) if own.kind == "retry" else None
    return own if asked_ns is None or asked_ns <= own.wait_ns else attrs.evolve(own, wait_ns=asked_ns)


def is_html(headers: Mapping[str, str], body: bytes) -> bool:
    """Return whether an answer is a web page: so says its type, or so it begins."""
    if headers.get("content-type", "").strip().lower().startswith("text/html"):
        return True
    return body.lstrip()[:15].lower().startswith((b"<!doctype", b"<html", b"<head", b"<body"))


def retry_after_ns(headers: Mapping[str, str], now_ns: int) -> int | None:
    """Return the pause that an answer asks for, floored at one second and capped at an hour; None: it asks for none.

    Whole or decimal seconds, or a date, which is held against the answer's own ``Date``, else against *now_ns*.
    """
    text = headers.get("retry-after", "").strip()
    if not text:
        return None
    if re.fullmatch(r"[+-]?\d+(?:\.\d*)?", text):
        wait_ns = int(float(text[:18]) * SECOND)
    else:
        until = _date_ns(text)
        if until is None:
            return None
        wait_ns = until - (_date_ns(headers.get("date", "")) or now_ns)
    return min(MOST_WAIT_NS, max(LEAST_WAIT_NS, wait_ns))


def ban_ns(headers: Mapping[str, str], body: bytes, now_ns: int) -> int:
    """Return how long a ban lasts by the time that the body names (ms) or ``Retry-After``; the longer one counts."""
    found = _UNTIL.search(body)
    wait_ns = retry_after_ns(headers, now_ns) or 0
    if found:
        until = int(found[1])
        until_ns = until * 10 ** max(0, 19 - len(found[1]))
        wait_ns = max(wait_ns, until_ns - (_date_ns(headers.get("date", "")) or now_ns))
    if wait_ns <= 0:
        wait_ns = USUAL_BAN_NS
    return min(MOST_BAN_NS, max(LEAST_WAIT_NS, wait_ns))


def _date_ns(text: str) -> int | None:
    try:
        return int(parsedate_to_datetime(text).timestamp()) * SECOND
    except (TypeError, ValueError, OverflowError):
        return None


class Tries:
    """The tries of one request: when the next one is made, and when there is none; pure.

    Args:
        pause: Where pauses are drawn.
        begun_ns: When it was asked for first.
        total_ns: So long after that nothing is tried any more.
        is_idempotent: Asking twice does no harm. If it does, only what surely was not done is tried again.
    """

    def __init__(
        self, pause: Backoff, begun_ns: int, total_ns: int, most: int = 5, *, is_idempotent: bool = True
    ) -> None:
        self.pause = pause
        self.deadline_ns = begun_ns + total_ns
        self.most = most
        self.is_idempotent = is_idempotent
        self.made = 0
        self.reason = ""

    def next_ns(self, trouble: Trouble, now_ns: int) -> int | None:
        """Return when to try again after *trouble*; None: give up (``reason`` says why)."""
        self.made += 1
        self.reason = trouble.text
        if trouble.kind in ("final", "unknown"):
            return None
        if not self.is_idempotent and not (trouble.kind == "banned" or " 429" in trouble.text):
            self.reason = f"{trouble.text}; not repeated, since it might be done twice"
            return None
        if self.made >= self.most:
            self.reason = f"{trouble.text}; given up after {self.made} tries"
            return None
        at_ns = now_ns + self.pause.next_ns(trouble.wait_ns, trouble.text)
        if at_ns >= self.deadline_ns:
            self.reason = f"{trouble.text}; given up, since the next try would come too late"
            return None
        return at_ns
