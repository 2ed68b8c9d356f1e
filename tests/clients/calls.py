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
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
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


def inside(market: str) -> str:
    """Return what the exchange calls BTCUSDT of *market*."""
    return "BTCUSDT" if market == "spot" else "BTCUSDT:PERP"


def trade_outside(market: str) -> None:
    """Let somebody else trade, so that there is something to see."""
    control("POST", "/place", {"symbol": inside(market), "side": "buy", "quantity": "0.01", "type": "market"})


def account(name: str) -> tuple[str, str]:
    """Open an account of its own and return key and secret."""
    made = control("POST", "/add_account", {"name": name, "balances": {"USDT": "1000000", "BTC": "10"}})
    return made["api_key"], made["api_secret"]


def answer_once(status: str, market: str, match: str, times: int = 1) -> None:
    """Let the next request, or the next *times*, that fit *match* be answered with *status*."""
    control("POST", "/inject", {"kind": status, "door": f"binance-{market}", "match": match, "times": times})


@contextmanager
def halted(market: str, levels: int = 1000) -> Iterator[dict[str, Any]]:
    """Let nothing move and give the exchange's own book, with its sequence."""
    control("POST", "/set_phase", {"symbol": inside(market), "phase": "halt"})
    try:
        yield control("GET", f"/book?symbol={inside(market)}&levels={levels}")
    finally:
        control("POST", "/set_phase", {"symbol": inside(market), "phase": "trading"})


def require_book(truth: dict[str, Any], sequence: int, bids: Any, offers: Any) -> None:
    """Raise AssertionError unless a client's book is the exchange's, level by level, at the same sequence."""
    require("sequence", sequence, truth["sequence"])
    for side, mine, theirs in (("bids", bids, truth["bids"]), ("offers", offers, truth["offers"])):
        if not same([list(level)[:2] for level in mine], theirs):
            raise AssertionError(f"{side} differ at {sequence}: {mine[:3]} and {theirs[:3]}")


class Book:
    """A book kept by the venue's own rules from what a client hands over: snapshot, then updates without a gap."""

    def __init__(self, is_spot: bool) -> None:
        self.is_spot = is_spot
        self.waiting: list[dict[str, Any]] = []
        self.sides: tuple[dict[Decimal, Decimal], dict[Decimal, Decimal]] = ({}, {})
        self.sequence = 0
        self.is_begun = False

    def begin(self, number: int, bids: Any, offers: Any) -> None:
        self.sequence = number
        for side, rows in zip(self.sides, (bids, offers), strict=True):
            self._set(side, rows)
        waiting, self.waiting, self.is_begun = self.waiting, [], True
        for update in waiting:
            self.update(update)

    def update(self, event: dict[str, Any]) -> None:
        if not self.is_begun:
            self.waiting.append(event)
            return
        first, last = int(event["U"]), int(event["u"])
        if last <= self.sequence if self.is_spot else last < self.sequence:
            return
        before = int(event["pu"]) if "pu" in event and event["pu"] is not None else first - 1
        if not (before <= self.sequence <= last):
            raise AssertionError(f"update {first} to {last} after {before} does not follow {self.sequence}")
        for side, rows in zip(self.sides, (event["b"], event["a"]), strict=True):
            self._set(side, rows)
        self.sequence = last

    def _set(self, side: dict[Decimal, Decimal], rows: Any) -> None:
        for price, quantity, *_ in rows:
            if Decimal(str(quantity)):
                side[Decimal(str(price))] = Decimal(str(quantity))
            else:
                side.pop(Decimal(str(price)), None)

    @property
    def bids(self) -> list[tuple[Decimal, Decimal]]:
        return sorted(self.sides[0].items(), reverse=True)

    @property
    def offers(self) -> list[tuple[Decimal, Decimal]]:
        return sorted(self.sides[1].items())


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
        told = {**self.about, "call": call, "ok": error is None, "note": note, "script": Path(sys.argv[0]).name}
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


@contextmanager
def slow_exchange(seconds: int = 60) -> Iterator[None]:
    """Let the exchange's clock go behind, so that every client's is ahead."""
    control("POST", "/set_door_clock", {"offset_seconds": -seconds})
    try:
        yield
    finally:
        control("POST", "/set_door_clock", {"offset_seconds": 0})
