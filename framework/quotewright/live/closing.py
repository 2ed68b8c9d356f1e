"""What a close code means in general; what it means at one venue is told by its wire first."""

from __future__ import annotations

import re
from typing import Final

from quotewright.wire import Reaction

SECOND: Final = 1_000_000_000
MINUTE: Final = 60 * SECOND

AGAIN: Final = {
    1000: "an orderly end",
    1001: "the peer goes away",
    1005: "closed without a code",
    1006: "the connection broke",
    1011: "the peer failed",
    1012: "the peer restarts",
    1014: "a gateway failed",
    3008: "timed out",
}
LATER: Final = {
    1002: (MINUTE, "the peer says that we break the protocol"),
    1003: (MINUTE, "the peer does not take this kind of frame"),
    1007: (MINUTE, "the peer could not read a frame of ours"),
    1008: (5 * MINUTE, "against the peer's policy"),
    1009: (MINUTE, "a frame of ours was too long"),
    1010: (5 * MINUTE, "the peer lacks an extension"),
    1013: (10 * SECOND, "the peer is overloaded"),
    1015: (MINUTE, "TLS failed"),
    4408: (SECOND, "timed out"),
    4429: (MINUTE, "too many requests"),
}
NEVER: Final = {
    3000: "not authorised",
    3003: "forbidden",
    4401: "not authorised",
    4403: "forbidden",
    4451: "not served in this region",
}

_REFUSED = re.compile(
    r"\b(?:un)?auth\w*|\blog-?in\b|\bapi.?key\b|\bsignature\b|\bpermission|\bforbidden\b|\bdenied\b|\bbanned\b"
    r"|\brestricted\b|\bregion\b|\bip\b.*\b(?:block|white)",
    re.IGNORECASE,
)


def general_reaction(code: int, reason: str) -> Reaction:
    """Return what to do after a close with *code* (0: none came) and *reason*, whatever the venue.

    Every code has an answer. 1008 is tried again after minutes only, and never if the reason speaks of keys, rights
    or regions; neither are the codes that stand for them.
    """
    if code in NEVER:
        return Reaction("never", f"{NEVER[code]}: connecting again is vain until a person has looked")
    if (code == 1008 or code >= 3000) and _REFUSED.search(reason):
        return Reaction("never", "the reason speaks of rights: connecting again is vain until a person has looked")
    if code in LATER:
        wait_ns, text = LATER[code]
        return Reaction("later", text, wait_ns)
    if code in AGAIN or code == 0:
        return Reaction("again", AGAIN.get(code, "closed without a code"))
    if 4000 <= code <= 4999:
        return Reaction("later", "a code of the venue's own", 5 * SECOND)
    return Reaction("later", "a code without a meaning", 5 * SECOND)
