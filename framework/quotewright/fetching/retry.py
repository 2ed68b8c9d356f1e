"""What an HTTP answer means and how long to wait: one policy for every download, pure, with chance passed in."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import Final, Literal

import attrs

from quotewright.errors import ConfigError, InputError, NotFoundError, QuotewrightError

RETRIED: Final = frozenset({408, 425, 429, *range(500, 600)})


class FetchError(QuotewrightError):
    """What was asked for did not come, and asking again was given up."""


class QuotaError(FetchError):
    """The service will not answer for longer than anybody waits."""


@attrs.frozen(kw_only=True)
class RetryPolicy:
    """How often is asked, and how long is waited: the n-th pause is drawn from ``[0, first_s · 2^(n-1)]``, capped.

    What the service asks for (``Retry-After``) is waited at least; if that is more than *quota_s*, it is given up.
    """

    attempts: int = 8
    first_s: float = 1.0
    most_s: float = 120.0
    quota_s: float = 300.0


class Backoff:
    """The pauses of one request after the other; *sleep* and *chance* are passed in."""

    def __init__(self, policy: RetryPolicy, chance: random.Random, sleep: Callable[[float], object]) -> None:
        self.policy = policy
        self.chance = chance
        self.sleep = sleep

    def pause(self, attempt: int, asked_s: float | None, what: str) -> None:
        """Wait after the *attempt*-th try (from 1) failed by *what*.

        Raises:
            QuotaError: the service asks for a longer pause than the policy allows.
            FetchError: that was the last try.
        """
        policy = self.policy
        if asked_s is not None and asked_s > policy.quota_s:
            raise QuotaError(
                f"{what}; it asks for a pause of {asked_s:.0f} s, so the quota is used up: try again later, "
                "what was fetched stays"
            )
        if attempt >= policy.attempts:
            raise FetchError(f"{what}; given up after {attempt} tries: try again later, what was fetched stays")
        drawn = self.chance.uniform(0, min(policy.most_s, policy.first_s * 2.0 ** (attempt - 1)))
        self.sleep(max(drawn, asked_s or 0.0))


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Return the pause that an answer asks for; None if it asks for none.

    Either whole seconds or a date, which is held against the answer's own ``Date``: no clock of ours takes part.
    """
    text = headers.get("retry-after", "").strip()
    if text.isdigit():
        return float(text[:9])
    try:
        return max(0.0, (parsedate_to_datetime(text) - parsedate_to_datetime(headers["date"])).total_seconds())
    except (KeyError, TypeError, ValueError):
        return None


@attrs.frozen
class Key:
    """An API key and where it came from; the key itself is never shown."""

    origin: str
    value: str = attrs.field(repr=False)

    @classmethod
    def read(cls, reference: str, environment: Mapping[str, str]) -> Key:
        """Return the key that ``env:NAME`` (or plain ``NAME``) names, empty if the variable is not set.

        Raises:
            ConfigError: *reference* is no name of a variable, as when the key itself stands there.
        """
        name = reference.removeprefix("env:").strip()
        if not name.isascii() or not name.replace("_", "a").isalnum() or name[0].isdigit() or len(name) > 64:
            raise ConfigError("a key is given by the name of a variable of the environment, such as env:TARDIS_API_KEY")
        return cls(f"the variable {name} of the environment", "".join(environment.get(name, "").split()))

    def __bool__(self) -> bool:
        return bool(self.value)


Outcome = Literal["good", "retry", "final"]


def outcome(status: int) -> Outcome:
    """Return whether an answer is good, worth another try, or final."""
    if 200 <= status < 300:
        return "good"
    return "retry" if status in RETRIED else "final"


def refusal(status: int, where: str, text: str, key: Key | None) -> QuotewrightError:
    """Return the error of a final answer from *where*; *text* is what the service says about it."""
    said = f": {text}" if text else ""
    if status in (401, 403):
        if not key:
            origin = f"no key was sent ({key.origin} is not set)" if key is not None else "no key was sent"
        else:
            origin = f"the key from {key.origin} is refused"
        return ConfigError(f"{where} answers {status}{said}; {origin}: check the key and what its plan covers")
    if status in (404, 410):
        return NotFoundError(f"{where} answers {status}{said}; check the name, and whether there are data of that day")
    if status == 451:
        return FetchError(f"{where} answers 451{said}; the service does not serve this region: set another --base-url")
    return InputError(f"{where} answers {status}{said}; the request is not what the service expects")
