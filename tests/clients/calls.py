"""What a client's script needs: named calls, their outcome as one JSON line each. Imports nothing of the project.

A script is run as ``python SCRIPT`` with the exchange's JSON line in the variable EXCHANGE.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import sys
import time
import traceback
import urllib.request
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

EXCHANGE: dict[str, Any] = json.loads(os.environ.get("EXCHANGE", "{}"))
PATIENCE = 20.0

Call = Callable[[], Any]


def door(name: str) -> dict[str, str]:
    """Return addresses and keys of one door."""
    found: dict[str, str] = EXCHANGE[name]
    return found


def control(method: str, path: str, body: Any = None) -> Any:
    """Ask the control plane."""
    plane = EXCHANGE["control"]
    request = urllib.request.Request(
        plane["url"] + path,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {plane['token']}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        return json.loads(answer.read())


def same(found: object, expected: object) -> bool:
    """Say whether two numbers, or two lists of levels, are equal as numbers."""
    if isinstance(found, (list, tuple)) and isinstance(expected, (list, tuple)):
        return len(found) == len(expected) and all(same(a, b) for a, b in zip(found, expected, strict=True))
    return Decimal(str(found)) == Decimal(str(expected))


def require(what: str, found: object, expected: object) -> None:
    """Raise AssertionError unless *found* equals *expected*."""
    if found != expected:
        raise AssertionError(f"{what} should be {expected!r}, was {found!r}")


def raises(kinds: type[BaseException] | tuple[type[BaseException], ...], call: Call) -> str:
    """Make *call*, which must raise exactly one of *kinds*, and return the class's name."""
    try:
        call()
    except kinds as error:
        return type(error).__name__
    raise AssertionError(f"should have raised {kinds}")


async def raises_async(kinds: type[BaseException] | tuple[type[BaseException], ...], made: Awaitable[Any]) -> str:
    """As :func:`raises`, of something awaited."""
    try:
        await made
    except kinds as error:
        return type(error).__name__
    raise AssertionError(f"should have raised {kinds}")


def until(what: str, look: Callable[[], Any], patience: float = PATIENCE) -> Any:
    """Return the first true value of *look*."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        if found := look():
            return found
        time.sleep(0.02)
    raise AssertionError(f"{what}: not seen within {patience} s")


class Calls:
    """Runs named calls in order and tells what became of each; one that fails does not stop the others."""

    def __init__(self, client: str, version: str, market: str) -> None:
        self.about = {"client": client, "version": version, "market": market}

    def tell(self, call: str, error: BaseException | None, note: str = "") -> None:
        told = {**self.about, "call": call, "ok": error is None, "note": note}
        if error is not None:
            told["error"] = f"{type(error).__name__}: {error}"[:400]
            told["trace"] = "".join(traceback.format_exception(error))[-3000:]
        print(json.dumps(told), flush=True)

    def run(self, name: str, call: Call) -> Any:
        """Make one call; a text that it returns is shown beside its name."""
        try:
            found = call()
        except Exception as error:
            self.tell(name, error)
            return None
        self.tell(name, None, found if isinstance(found, str) else "")
        return found

    async def run_async(self, name: str, call: Callable[[], Awaitable[Any]]) -> Any:
        """As :meth:`run`, of something awaited, with a time limit."""
        try:
            async with asyncio.timeout(PATIENCE):
                made = call()
                found = await made if inspect.isawaitable(made) else made
        except Exception as error:
            self.tell(name, error)
            return None
        self.tell(name, None, found if isinstance(found, str) else "")
        return found


def wrong(secret: str) -> str:
    """Return *secret* with its last character changed."""
    return secret[:-1] + ("0" if secret[-1] != "0" else "1")


def fail(text: str) -> None:
    """End the script because it cannot begin."""
    print(text, file=sys.stderr)
    raise SystemExit(2)
