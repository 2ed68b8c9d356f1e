"""Worked scenarios as short text, for both engines: a line is a command, a bar, and what it made happen.

A new order is ``A1 buy 5@100`` (account A; without a price a market order) and words: ``ioc fok gtd=9 post reprice
hidden reduce display=2 stp=cancel_both stop=101 take=99 by=mark``. Other commands: ``cancel A1``, ``cancel_all A``,
``amend A1 qty=3 price=99``, ``clock 9``, ``mark 100``, ``phase halt``, ``uncross``, ``funding 0.01``, ``settle 100``.
A line ``? bids`` asks for a side (``+n``: an iceberg's reserve, ``h``: hidden), ``? stops`` for waiting orders, ``? A``
for an account.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from quotewright_simexchange.matching.door import FastEngine
from quotewright_simexchange.oracle.engine import OracleEngine
from quotewright_simexchange.streams import INSTRUMENT_DEFAULTS

ENGINES = {"fast": FastEngine, "oracle": OracleEngine}
FLAGS: dict[str, dict[str, Any]] = {
    "ioc": {"tif": "ioc"},
    "fok": {"tif": "fok"},
    "post": {"post_only": "reject"},
    "reprice": {"post_only": "reprice"},
    "hidden": {"hidden": True},
    "reduce": {"reduce_only": True},
}
VALUES = ("price", "rate", "state", "account")
OF_MARKET = {"mark": 0, "index": 0, "ref": 0, "settle": 0, "funding": 1, "phase": 2, "cancel_all": 3}
ZEROS = ("0", None)


def order(words: list[str]) -> dict[str, Any]:
    """Return the command of a new order."""
    name, side, size, *rest = words
    quantity, _, price = size.partition("@")
    found: dict[str, Any] = {"op": "new", "id": name, "account": name[0], "side": side, "qty": quantity}
    kind = "limit" if price else "market"
    if price:
        found["price"] = price
    for word in rest:
        key, _, value = word.partition("=")
        if key in ("stop", "take"):
            kind = ("stop" if key == "stop" else "take_profit") + ("_limit" if price else "")
            found["trigger"] = value
        elif key == "gtd":
            found |= {"tif": "gtd", "expire_at": int(value)}
        elif value:
            found["trigger_by" if key == "by" else key] = value
        else:
            found |= FLAGS[key]
    return found | {"type": kind}


def command(text: str) -> dict[str, Any]:
    """Return the command that *text* is short for."""
    first, *rest = text.split()
    if first in OF_MARKET:
        return {"op": first, VALUES[OF_MARKET[first]]: rest[0]}
    if first == "clock":
        return {"op": "clock", "now": int(rest[0])}
    if first == "uncross":
        return {"op": "uncross"}
    if first in ("cancel", "amend"):
        change = dict(word.split("=") for word in rest[1:])
        return {"op": first, "id": rest[0], "account": change.pop("account", rest[0][0])} | change
    return order([first, *rest])


def told(event: Mapping[str, Any]) -> str:
    """Return an event as short text."""
    kind, name = event["ev"], event.get("id", event.get("account", ""))
    if kind == "trade":
        first, second = ("maker", "taker") if "maker" in event else ("buy", "sell")
        fees = event.get("fees", {})
        paid = " for " + ", ".join(" ".join(fees[role]) for role in (first, second)) if fees else ""
        return f"{event[first]}/{event[second]} {event['qty']}@{event['price']}{paid}"
    details = {
        "accepted": lambda: f"{name} ok",
        "canceled": lambda: f"{name} gone {event['qty']} {event['reason']}",
        "amended": lambda: f"{name} now {event['qty']}@{event['price']} open {event['leaves']} {event['priority']}",
        "reduced": lambda: f"{name} less {event['by']} open {event['leaves']} {event['reason']}",
        "refreshed": lambda: f"{name} shows {event['qty']}",
        "repriced": lambda: f"{name} to {event['price']}",
        "triggered": lambda: f"{name} fires",
        "phase": lambda: f"phase {event['state']}",
        "uncrossed": lambda: f"clears {event['qty']}@{event['price']}",
        "liquidation": lambda: f"{name} liquidated {event['side']} {event['qty']}",
    }
    if kind in details:
        return details[kind]()
    return f"{name} {event['reason']}" if kind.endswith("rejected") else f"{name} {kind} {event['amount']}"


def asked(final: Mapping[str, Any], what: str) -> str:
    """Return a part of the state as short text."""
    if what == "stops":
        return " ".join(final["stops"])
    if what in ("bids", "asks"):
        return "; ".join(
            f"{level['qty']}@{level['price']}: "
            + " ".join(
                one["id"]
                + f" {one['qty']}"
                + (f"+{one['reserve']}" if "reserve" in one else "")
                + "h" * ("hidden" in one)
                for one in level["orders"]
            )
            for level in final[what]
        )
    account = final.get("accounts", {}).get(what, {})
    if "balances" in account:
        return ", ".join(f"{name} {one['free']}/{one['locked']}" for name, one in sorted(account["balances"].items()))
    return ", ".join(f"{key} {account[key]}" for key in sorted(account) if account[key] not in ZEROS)


def follow(shown: dict[tuple[str, str], str], changes: list[list[str]], final: Mapping[str, Any]) -> None:
    """Take the level changes of a command into *shown*, which must be the displayed book of *final* then."""
    for side, price, quantity in changes:
        before = shown.pop((side, price), "0")
        assert quantity != before, f"{side} {price} was told though it did not change from {before}"
        if quantity != "0":
            shown[side, price] = quantity
    for side, levels in (("bid", final["bids"]), ("ask", final["asks"])):
        expected = {level["price"]: level["qty"] for level in levels if level["qty"] != "0"}
        assert {price: quantity for (one, price), quantity in shown.items() if one == side} == expected


def play(engine: str, story: str, instrument: Mapping[str, Any], accounts: Mapping[str, Any]) -> str:
    """Return *story* as *engine* tells it; its level changes must make up its displayed book."""
    machine = ENGINES[engine](INSTRUMENT_DEFAULTS | instrument, accounts)
    shown: dict[tuple[str, str], str] = {}
    lines = []
    for line in story.strip().splitlines():
        text = line.partition("|")[0].strip()
        if text.startswith("?"):
            found = asked(machine.final(), text[1:].strip())
        else:
            events, changes = machine.run(command(text))
            found = "; ".join(told(event) for event in events)
            follow(shown, changes, machine.final())
        lines.append(f"{text:<36}| {found}".rstrip())
    return "\n".join(lines)


def normal(story: str) -> str:
    """Return *story* with its bars in line."""
    rows = [line.partition("|") for line in story.strip().splitlines()]
    return "\n".join(f"{text.strip():<36}| {found.strip()}".rstrip() for text, _, found in rows)


def read(text: str) -> dict[str, tuple[dict[str, Any], dict[str, Any], str]]:
    """Return instrument, accounts and lines of each story of a file, by title.

    A story begins with ``== title``; ``instrument {…}`` and ``accounts {…}`` may follow, in JSON.
    """
    found = {}
    for part in ("\n" + text).split("\n== ")[1:]:
        title, *lines = part.strip().splitlines()
        settings: dict[str, dict[str, Any]] = {"instrument": {}, "accounts": {}}
        while lines[0].partition(" ")[0] in settings:
            key, _, value = lines.pop(0).partition(" ")
            settings[key] = json.loads(value)
        found[title] = settings["instrument"], settings["accounts"], normal("\n".join(lines))
    return found
