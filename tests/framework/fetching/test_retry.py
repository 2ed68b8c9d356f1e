"""What answers mean, how long is waited, where a key came from."""

from __future__ import annotations

import random

import pytest

from quotewright.errors import ConfigError, InputError, NotFoundError
from quotewright.fetching.retry import (
    Backoff,
    FetchError,
    Key,
    QuotaError,
    RetryPolicy,
    outcome,
    refusal,
    retry_after_s,
)

KEY = Key("the variable TARDIS_API_KEY of the environment", "TD.secret")


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        *((status, "good") for status in (200, 206)),
        *((status, "final") for status in (400, 401, 403, 404, 451)),
        *((status, "retry") for status in (408, 425, 429, 500, 503)),
    ],
)
def test_a_status_is_good_retried_or_final(status, expected):
    assert outcome(status) == expected


def test_pauses_are_drawn_below_a_doubling_limit_and_never_below_what_is_asked():
    slept: list[float] = []
    backoff = Backoff(RetryPolicy(attempts=20, first_s=1, most_s=8), random.Random(1), slept.append)
    for attempt in range(1, 20):
        backoff.pause(attempt, None, "x answers 503")
    assert all(pause <= min(8, 2 ** (number)) for number, pause in enumerate(slept))
    assert max(slept) > 4
    assert len({round(pause, 6) for pause in slept}) == len(slept)
    backoff.pause(1, 30.0, "x answers 429")
    assert slept[-1] == 30.0


def test_the_same_seed_gives_the_same_pauses():
    def pauses() -> list[float]:
        slept: list[float] = []
        backoff = Backoff(RetryPolicy(), random.Random(7), slept.append)
        for attempt in range(1, 8):
            backoff.pause(attempt, None, "x")
        return slept

    assert pauses() == pauses()


def test_a_pause_beyond_the_quota_and_the_last_try_are_final():
    backoff = Backoff(RetryPolicy(attempts=3), random.Random(1), lambda _: None)
    with pytest.raises(QuotaError, match="a pause of 301 s, so the quota is used up"):
        backoff.pause(1, 301.0, "x answers 429")
    backoff.pause(2, 300.0, "x answers 429")
    with pytest.raises(FetchError, match="x answers 503; given up after 3 tries"):
        backoff.pause(3, None, "x answers 503")


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"retry-after": "17"}, 17.0),
        ({"retry-after": " 0 "}, 0.0),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "Sun, 01 Mar 2026 00:01:30 GMT", "date": "Sun, 01 Mar 2026 00:00:00 GMT"}, 90.0),
        ({"retry-after": "Sun, 01 Mar 2026 00:00:00 GMT", "date": "Sun, 01 Mar 2026 00:01:00 GMT"}, 0.0),
        ({"retry-after": "Sun, 01 Mar 2026 00:01:30 GMT"}, None),
    ],
)
def test_retry_after_is_read_in_both_forms(headers, expected):
    assert retry_after_s(headers) == expected


def test_a_key_is_named_by_its_origin_and_never_shown():
    found = Key.read("env:TARDIS_API_KEY", {"TARDIS_API_KEY": " TD.secret \n"})
    assert found == KEY
    assert "secret" not in repr(found)
    error = refusal(401, "http://x/y", "Unauthorized", found)
    assert isinstance(error, ConfigError)
    assert "the key from the variable TARDIS_API_KEY of the environment is refused" in str(error)
    assert "secret" not in str(error)
    missing = refusal(403, "http://x/y", "", Key.read("OTHER", {}))
    assert "no key was sent (the variable OTHER of the environment is not set)" in str(missing)


@pytest.mark.parametrize("reference", ["TD.secret", "env:", "", "env:A B", "1A", "env:ä"])
def test_a_key_written_out_where_a_name_belongs_is_refused_without_being_repeated(reference):
    with pytest.raises(ConfigError, match="name of a variable") as caught:
        Key.read(reference, {})
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [(404, NotFoundError, 2), (400, InputError, 1), (401, ConfigError, 4), (451, FetchError, 1)],
)
def test_a_final_answer_is_an_error_with_its_exit_code(status, kind, code):
    error = refusal(status, "http://x/y", "no such symbol", None)
    assert isinstance(error, kind)
    assert error.exit_code == code
    assert f"answers {status}: no such symbol" in str(error)
