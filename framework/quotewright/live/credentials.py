"""What is known of a key, of a login that runs out, and whether own orders can be followed at all; pure."""

from __future__ import annotations

from enum import IntEnum
from typing import Final, Literal

import attrs

from quotewright.errors import InputError

SECOND: Final = 1_000_000_000

RefusalKind = Literal["key", "signature", "skew"]
"""Why the venue refuses a signed request: the key or its rights, the signature, the time in it."""


class KeyState(IntEnum):
    GOOD = 0
    SKEWED = 1
    """The venue finds our clock wrong: the clocks are compared, and the request is signed and sent once more."""
    BAD = 2
    """Nothing is signed with it until a person has replaced it."""


class Credential:
    """One API key. An error of it starts no loop: at most one comparison of clocks and one more try, then it is bad.

    Args:
        name: Of the key, as the config calls it; never the key itself.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.state = KeyState.GOOD
        self.reason = ""
        self.offset_ns = 0
        """Venue's clock less ours, added to the times that are signed."""
        self.refusals = 0
        self._is_synced = False

    @property
    def is_usable(self) -> bool:
        """Whether requests may be signed with it; if not, the account's orders are halted."""
        return self.state != KeyState.BAD

    def refused(self, kind: RefusalKind, code: str, text: str = "") -> Literal["resync", "halt"]:
        """Take note that a signed request was refused; return what to do.

        ``resync``: compare the clocks once, hand the result to :meth:`synced`, and send the request once more.
        ``halt``: the key is bad; no order of its account leaves, and nothing is tried again.
        """
        self.refusals += 1
        said = f"{code} {text}".strip().encode("unicode_escape").decode("ascii")[:160]
        if kind == "skew" and self.state == KeyState.GOOD:
            self.state = KeyState.SKEWED
            self._is_synced = False
            self.reason = f"the venue finds our clock wrong ({said}); the clocks are compared"
            return "resync"
        self.state = KeyState.BAD
        self.reason = {
            "key": f"the venue refuses the key '{self.name}' ({said}): check it, its rights and its list of addresses",
            "signature": f"the venue refuses what '{self.name}' signed ({said}): check that key and secret belong "
            "together, and to this environment",
            "skew": f"the venue finds our clock wrong even after the clocks were compared ({said}): set this "
            "machine's clock",
        }[kind]
        return "halt"

    def synced(self, offset_ns: int) -> None:
        """Take the difference of the clocks that was measured after ``resync``."""
        self.offset_ns = offset_ns
        self._is_synced = True

    @property
    def may_retry(self) -> bool:
        """Whether the request that found the clock wrong may be sent once more."""
        return self.state == KeyState.SKEWED and self._is_synced

    def accepted(self) -> None:
        """Take note that a signed request was accepted: the clocks agree. A bad key stays bad."""
        if self.state == KeyState.SKEWED:
            self.state = KeyState.GOOD
            self.reason = ""

    def replace(self) -> None:
        """Take a new key under the same name because a person says so."""
        self.state = KeyState.GOOD
        self.reason = ""


class Expiry:
    """A login that runs out unless it is renewed: a listen key, a token.

    Args:
        life_ns: How long it holds after being made or renewed.
        renew_ns: How long after that it is renewed; well below *life_ns*.
        retry_ns: Between tries to renew it.
    """

    def __init__(self, life_ns: int, renew_ns: int, retry_ns: int = 10 * SECOND) -> None:
        if not 0 < renew_ns < life_ns or retry_ns <= 0:
            raise InputError(
                f"a login of {life_ns / 1e9:g} s should be renewed earlier and tried again, was {renew_ns / 1e9:g} s "
                f"and every {retry_ns / 1e9:g} s"
            )
        self.life_ns = life_ns
        self.renew_ns = renew_ns
        self.retry_ns = retry_ns
        self.until_ns = 0
        self.due_ns = 0
        """When it is to be renewed."""
        self.failures = 0

    def renewed(self, asked_ns: int) -> None:
        """It holds anew since the request of *asked_ns*, whose answer said so."""
        self.until_ns = asked_ns + self.life_ns
        self.due_ns = asked_ns + self.renew_ns
        self.failures = 0

    def failed(self, now_ns: int) -> None:
        """It could not be renewed: it is tried again; what it has left it keeps."""
        self.failures += 1
        self.due_ns = now_ns + self.retry_ns

    def expired(self, now_ns: int) -> None:
        """The venue tells that it has run out, or does not know it: a new one is needed now."""
        self.until_ns = 0
        self.due_ns = now_ns

    def holds(self, now_ns: int) -> bool:
        return now_ns < self.until_ns


@attrs.frozen
class GateInput:
    """What the private side says to the gate: quotes may stand, or why not."""

    is_good: bool
    why: str = ""


class PrivateSide:
    """Whether own orders can be followed: the private stream is up, its login holds and the key is good.

    The public stream does not matter here: private loss alone pulls quotes.
    """

    def __init__(self, credential: Credential, login: Expiry | None = None) -> None:
        self.credential = credential
        self.login = login
        self.is_up = False
        self.why = "the private stream has not been opened"

    def up(self) -> None:
        """The private stream is open, logged in, and open orders were compared."""
        self.is_up = True
        self.why = ""

    def down(self, why: str) -> None:
        """The private stream is lost, or quiet for longer than its heartbeat."""
        self.is_up = False
        self.why = why

    def gate(self, now_ns: int) -> GateInput:
        """Return what quoting depends on at *now_ns*."""
        if not self.credential.is_usable:
            return GateInput(False, self.credential.reason)
        if not self.is_up:
            return GateInput(False, self.why)
        if self.login is not None and not self.login.holds(now_ns):
            return GateInput(False, "the private stream's login has run out")
        return GateInput(True)
