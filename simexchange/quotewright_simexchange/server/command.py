"""``quotewright exchange serve`` and ``account add``: what they print, and how serving ends."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import sys
from collections.abc import Mapping
from typing import Any

import click
import httpx

from quotewright.errors import ConfigError, NotFoundError, QuotewrightError
from quotewright_simexchange.server.serving import Server

SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


async def serve_until_stopped(
    server: Server, accounts: Mapping[str, Mapping[str, Any]], more: Mapping[str, Any], as_json: bool
) -> None:
    """Serve until a signal comes; print once where, with the keys of *accounts*."""
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()
    before: list[tuple[int, Any]] = []
    for number in SIGNALS:
        before.append((number, signal.signal(number, lambda *_: loop.call_soon_threadsafe(stopped.set))))
    try:
        async with server:
            click.echo(json.dumps(as_line(server, accounts, more)) if as_json else as_table(server, accounts, more))
            sys.stdout.flush()
            await stopped.wait()
    finally:
        for number, handler in before:
            signal.signal(number, handler)
    counts = ", ".join(f"{name.replace('_', ' ')} {count:,}" for name, count in server.counts().items() if count)
    click.echo(f"stopped; {counts or 'nobody came'}", err=True)
    for market in server.markets:
        for line in market_lines(market.describe()):
            click.echo(line, err=True)


def market_lines(told: Mapping[str, Any]) -> list[str]:
    """Return what a person should know of a market's end: how far a tape or script came, and what failed."""
    if told["market"] == "script":
        done = f"script {told['script']}: {told['done']} of {told['steps']} lines done"
        return [f"{done}, {len(told['failures'])} not as expected", *(f"  {line}" for line in told["failures"])]
    if told["market"] == "tape":
        return [f"tape {told['tape']}: {'played to its end' if told['done'] else 'not at its end yet'}"]
    return []


def as_line(server: Server, accounts: Mapping[str, Mapping[str, Any]], more: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is printed as JSON: doors with addresses and the first account's key, and the control plane.

    Where there are several accounts, ``accounts`` has the keys of each.
    """
    keys = {name: {"api_key": one["api_key"], "api_secret": one["api_secret"]} for name, one in accounts.items()}
    doors = {name: {**found, **next(iter(keys.values()))} for name, found in server.addresses().items()}
    several = {"accounts": keys} if len(keys) > 1 else {}
    return {**doors, "control": {"url": server.control_url, "token": server.token}, **several, **more}


def as_table(server: Server, accounts: Mapping[str, Mapping[str, Any]], more: Mapping[str, Any]) -> str:
    """Return what is printed for people."""
    rows: list[tuple[str, str, str]] = []
    for name, found in server.addresses().items():
        rows += [(name, what, address) for what, address in found.items()]
    rows += [("control", "url", server.control_url), ("", "token", server.token)]
    for name, account in accounts.items():
        rows += [(f"account {name}", "key", account["api_key"]), ("", "secret", account["api_secret"])]
    rows += [("", name, value) for name, value in more.items()]
    lines, before = [], ""
    for name, what, value in rows:
        lines.append(f"{'' if name == before else name:<16} {what:<7} {value}")
        before = name or before
    names = (f"{one.symbol} ({one.name})" for one in server.exchange.listings.values())
    lines.append(f"{'instruments':<16} {'':<7} {', '.join(names)}")
    first = next(iter(accounts.values()))
    pieces = server.control.snippets(first["api_key"], first["api_secret"])
    for client, code in list(pieces.items())[:1]:
        lines += ["", f"# {client}", code.rstrip()]
    if len(pieces) > 1:
        add = f"quotewright exchange account add NAME --control {server.control_url} --token {server.token}"
        lines += ["", f"# another account, with code to paste for {', '.join(list(pieces)[1:4])} and others", add]
    return "\n".join([*lines, "", "Ctrl-C ends it."])


def log_to_stderr() -> None:
    """Let what the server has to say go to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    logging.getLogger("quotewright.exchange").addHandler(handler)


def ask_control(url: str, token: str, name: str, body: Mapping[str, Any], authority: str = "") -> Any:
    """Return what the control plane at *url* answers to POST *name*.

    Raises:
        NotFoundError: nobody answers there.
        ConfigError: the token is wrong.
        QuotewrightError: it refuses; its own words are told.
    """
    import ssl

    verify: Any = ssl.create_default_context(cafile=authority) if authority else True
    try:
        answer = httpx.post(
            f"{url.rstrip('/')}/{name}",
            json=dict(body),
            headers={"authorization": f"Bearer {token}"},
            trust_env=False,
            verify=verify,
            timeout=30.0,
        )
        told = answer.json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise NotFoundError(f"control plane {url}: {error}; exchange serve prints its address") from None
    if answer.status_code == 401:
        raise ConfigError(f"control plane {url}: {told['error']}")
    if answer.status_code != 200:
        raise QuotewrightError(f"control plane {url}: {told['error']}")
    return told


def print_account(told: Mapping[str, Any]) -> None:
    """Print an account's key and every snippet."""
    click.echo(f"account {told['account']}\nkey     {told['api_key']}\nsecret  {told['api_secret']}")
    for client, code in told["snippets"].items():
        click.echo(f"\n# {client}\n{code.rstrip()}")
