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
    server: Server, account: Mapping[str, Any], more: Mapping[str, Any], as_json: bool
) -> None:
    """Serve until a signal comes; print once where, with the key of *account*."""
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()
    before: list[tuple[int, Any]] = []
    for number in SIGNALS:
        before.append((number, signal.signal(number, lambda *_: loop.call_soon_threadsafe(stopped.set))))
    try:
        async with server:
            click.echo(json.dumps(as_line(server, account, more)) if as_json else as_table(server, account, more))
            sys.stdout.flush()
            await stopped.wait()
    finally:
        for number, handler in before:
            signal.signal(number, handler)
    counts = ", ".join(f"{name} {count:,}" for name, count in server.counts().items() if count)
    click.echo(f"stopped; {counts or 'nobody came'}", err=True)


def as_line(server: Server, account: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is printed as JSON: doors with addresses and key, and the control plane."""
    key = {"api_key": account["api_key"], "api_secret": account["api_secret"]}
    doors = {name: {**found, **key} for name, found in server.addresses().items()}
    return {**doors, "control": {"url": server.control_url, "token": server.token}, **more}


def as_table(server: Server, account: Mapping[str, Any], more: Mapping[str, Any]) -> str:
    """Return what is printed for people."""
    lines = []
    for name, found in server.addresses().items():
        lines += [f"{name:<16} {what:<8} {address}" for what, address in found.items()]
    lines += [
        f"{'control':<16} {'url':<8} {server.control_url}",
        f"{'':<16} {'token':<8} {server.token}",
        f"{'account':<16} {'name':<8} {account['account']}",
        f"{'':<16} {'key':<8} {account['api_key']}",
        f"{'':<16} {'secret':<8} {account['api_secret']}",
    ]
    lines += [f"{name:<25} {value}" for name, value in more.items()]
    for client, code in list(server.control.snippets(account["api_key"], account["api_secret"]).items())[:1]:
        lines += ["", f"# {client}", code.rstrip()]
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
