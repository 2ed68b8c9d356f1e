"""Config keys that every live venue has beside its own, and where its keys come from."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Literal

import attrs

from quotewright.config.units import Duration
from quotewright.errors import ConfigError
from quotewright.plugin.settings import at_least, configured, positive, setting


@configured
class VenueSettings:
    """Keys of ``[venues.X]`` for a venue that is reached over the network."""

    card: str = setting(default="", doc="name of the venue card with filters, fees, limits and errors")
    environment: str = setting(default="production", doc="which of the venue's systems: production, testnet or demo")
    rest: str = setting(default="", doc="address of HTTP requests instead of the environment's, as https://host:port")
    websocket: str = setting(default="", doc="address of the streams instead of the environment's")
    ws_api: str = setting(default="", doc="address of order entry over WebSocket instead of the environment's")
    entry: Literal["rest", "websocket"] = setting(default="websocket", doc="how orders are entered")
    key: str = setting(default="", doc="where the key is: env:NAME of a variable, or file:PATH of a private file")
    secret: str = setting(default="", doc="where its secret is: env:NAME, or file:PATH")
    client_prefix: str = setting(default="qw", doc="beginning of our order ids at the venue")
    leftovers: Literal["cancel", "refuse"] = setting(
        default="cancel", doc="orders of an earlier run that are still open at the start: cancel them, or do not begin"
    )
    position: Literal["flat", "any"] = setting(
        default="flat", doc="begin only where the account holds no position, or count from zero whatever it holds"
    )
    dead_man: Duration | None = setting(
        default=None, doc="the venue cancels our orders when it hears nothing for so long; unset: not asked for"
    )
    receive_window: Duration = setting(
        default="5s", doc="a request older than so long is refused by the venue", check=positive
    )
    connect_timeout: Duration = setting(default="10s", doc="longest time for a connection to open", check=positive)
    handshake_timeout: Duration = setting(default="10s", doc="longest time for the WebSocket handshake", check=positive)
    close_timeout: Duration = setting(default="5s", doc="longest time for a closing handshake", check=positive)
    request_timeout: Duration = setting(default="10s", doc="longest time for an HTTP answer", check=positive)
    answer_timeout: Duration = setting(
        default="5s", doc="longest time for the answer to an order; then it is unknown, and asked for", check=positive
    )
    reconcile: Duration = setting(default="60s", doc="how often open orders are compared with the venue's")
    backoff: Duration = setting(default="1s", doc="first pause before connecting again", check=positive)
    backoff_most: Duration = setting(default="60s", doc="longest pause before connecting again", check=positive)
    healthy: Duration = setting(default="60s", doc="a connection that was good for so long resets the pause")
    cancel_reserve: float = setting(
        default=0.2, doc="share of the venue's limits that only cancels and questions about orders may use"
    )
    proxy: str = setting(default="", doc="proxy for sockets and requests, as http://user:password@host:port")
    frame_limit: int = setting(default=1 << 20, doc="largest frame in bytes", check=at_least(1024))


@attrs.frozen
class Secret:
    """A text that is never shown."""

    value: str = attrs.field(repr=False)

    def __str__(self) -> str:
        return "***"


def read_secret(given: str, where: str) -> Secret:
    """Return what *given* names: ``env:NAME`` or ``file:PATH``, a file that nobody else may read.

    Raises:
        ConfigError: it is neither, it is not there, it is empty, or others may read the file.
    """
    kind, colon, name = given.partition(":")
    if not colon or kind not in ("env", "file") or not name:
        raise ConfigError(
            f'{where} should say where it is kept, as "env:NAME" or "file:PATH"; the text itself has no place in a '
            "config file"
        )
    if kind == "env":
        value = os.environ.get(name, "").strip()
        if not value:
            raise ConfigError(f"{where}: the variable {name} is not set")
        return Secret(value)
    path = Path(name).expanduser()
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{where}: {path} cannot be read: {error}") from error
    if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ConfigError(
            f"{where}: {path} should be readable by its owner only (mode 600), was {stat.S_IMODE(mode):o}; "
            f"run: chmod 600 {path}"
        )
    if not text:
        raise ConfigError(f"{where}: {path} is empty")
    return Secret(text)
