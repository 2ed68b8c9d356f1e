"""Where orders go: addresses of requests, private streams and order entry by market and environment.

Source: Binance documentation of spot and USD-M futures, third quarter of 2026. Addresses of requests and streams are
those of the feed's wire.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from quotewright.errors import ConfigError
from quotewright_plugins.exchanges.binance.wire import MARKETS

API_PATHS: Mapping[str, str] = {"spot": "/ws-api/v3", "usdm": "/ws-fapi/v1"}
REST_PATHS: Mapping[str, tuple[str, ...]] = {
    "spot": ("/api/v3", "/api"),
    "usdm": ("/fapi/v1", "/fapi/v2", "/fapi/v3", "/fapi"),
}
ENTRIES: Mapping[str, Mapping[str, str]] = {
    "spot": {
        "production": "wss://ws-api.binance.com:443/ws-api/v3",
        "testnet": "wss://ws-api.testnet.binance.vision/ws-api/v3",
        "demo": "wss://demo-ws-api.binance.com/ws-api/v3",
    },
    "usdm": {
        "production": "wss://ws-fapi.binance.com/ws-fapi/v1",
        "testnet": "wss://testnet.binancefuture.com/ws-fapi/v1",
    },
}
"""The WebSocket API; the venue documents none for futures of the environment demo."""


@attrs.frozen(kw_only=True)
class Addresses:
    """Roots without a slash at the end; *ws_api* with its path. Empty: not needed."""

    rest: str
    websocket: str
    ws_api: str


def addresses(
    market: str, environment: str, needed: tuple[str, ...], *, rest: str = "", websocket: str = "", ws_api: str = ""
) -> Addresses:
    """Return the addresses that are *needed*: those given, or else all of *environment*.

    Raises:
        ConfigError: there is no such environment or address, or only some of those needed are given, so that one
            account's orders would go to two systems.
    """
    given = {"rest": rest, "websocket": websocket, "ws_api": ws_api}
    found = dict(given)
    if not any(given[name] for name in needed):
        hosts = MARKETS[market].hosts
        if environment not in hosts:
            raise ConfigError(f"binance: environment should be one of {', '.join(hosts)}, was {environment!r}")
        streams, requests = hosts[environment]
        found = {"rest": requests, "websocket": streams, "ws_api": ENTRIES[market].get(environment, "")}
        if "ws_api" in needed and not found["ws_api"]:
            raise ConfigError(
                f"binance {market}: no address of order entry over WebSocket is known for {environment!r}; set "
                'entry = "rest"'
            )
    missing = [name for name in needed if not found[name]]
    if missing:
        raise ConfigError(
            f"binance {market}: {' and '.join(name for name in needed if found[name])} given without "
            f"{' and '.join(missing)}; give all of {', '.join(needed)}, or none"
        )
    return Addresses(
        rest=_root(found["rest"], REST_PATHS[market]),
        websocket=_root(found["websocket"], ("/stream", "/ws", "/public", "/market", "/private")),
        ws_api=_root(found["ws_api"], (API_PATHS[market],)) + API_PATHS[market] if found["ws_api"] else "",
    )


def _root(address: str, paths: tuple[str, ...]) -> str:
    address = address.rstrip("/")
    for path in paths:
        address = address.removesuffix(path)
    return address.rstrip("/")
