"""Config keys that every live feed has beside its own."""

from __future__ import annotations

from quotewright.config.units import Duration
from quotewright.plugin.settings import at_least, configured, positive, setting


@configured
class LiveSettings:
    """Keys of ``[feeds.X]`` for a feed with live connections; every adapter's own keys are added to them."""

    environment: str = setting(default="production", doc="which of the venue's systems: production, testnet or demo")
    websocket: str = setting(default="", doc="address of the streams instead of the environment's, as wss://host:port")
    rest: str = setting(default="", doc="address of HTTP requests instead of the environment's, as https://host:port")
    proxy: str = setting(default="", doc="proxy for sockets and requests, as http://user:password@host:port")
    channels: tuple[str, ...] = setting(
        default=("book", "best", "trades", "reference", "liquidations", "status"), doc="what is subscribed"
    )
    tiers: tuple[tuple[str, ...], ...] = setting(
        default=(), doc="instruments by priority, when there are more streams than the venue allows"
    )
    connect_timeout: Duration = setting(default="10s", doc="longest time for a connection to open", check=positive)
    handshake_timeout: Duration = setting(default="10s", doc="longest time for the WebSocket handshake", check=positive)
    close_timeout: Duration = setting(default="5s", doc="longest time for a closing handshake", check=positive)
    request_timeout: Duration = setting(default="10s", doc="longest time for an HTTP answer", check=positive)
    answer_timeout: Duration = setting(default="10s", doc="longest time for the answer to a subscription")
    data_timeout: Duration = setting(
        default="30s", doc="longest time from that answer to the first book", check=positive
    )
    silence: Duration | None = setting(
        default=None, doc="a book's stream that is silent for so long is stale; unset: twice the venue's heartbeat"
    )
    backoff: Duration = setting(default="1s", doc="first pause before connecting again", check=positive)
    backoff_most: Duration = setting(default="60s", doc="longest pause before connecting again", check=positive)
    healthy: Duration = setting(default="60s", doc="a connection that was good for so long resets the pause")
    switch_before: Duration = setting(
        default="5m", doc="how long before the venue's limit a connection is replaced by a new one"
    )
    overlap: Duration = setting(
        default="1s", doc="how long the old and the new connection run side by side before the old one is closed"
    )
    refresh: Duration = setting(default="1h", doc="how often instruments are asked for again; changes become rows")
    most_skew: Duration = setting(default="1s", doc="difference of the clocks above which the report warns")
    frame_limit: int = setting(default=8 << 20, doc="largest frame in bytes, unpacked", check=at_least(1024))
    queue_limit: int = setting(
        default=100_000, doc="frames that may wait; beyond, books are given up first", check=at_least(16)
    )
