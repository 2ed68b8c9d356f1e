"""Orders on Binance as config files ask for them: from keys and addresses to an order wire."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from quotewright.errors import ConfigError
from quotewright_plugins.exchanges.binance.addresses import addresses
from quotewright_plugins.exchanges.binance.order_errors import SECOND
from quotewright_plugins.exchanges.binance.signing import signer
from quotewright_plugins.exchanges.binance.spot_orders import BinanceSpotOrders
from quotewright_plugins.exchanges.binance.usdm_orders import BinanceUsdmOrders

if TYPE_CHECKING:
    from quotewright.model.cards import VenueCard
    from quotewright_plugins.exchanges.binance.order_wire import BinanceOrders

WIRES: dict[str, type[BinanceOrders]] = {"spot": BinanceSpotOrders, "usdm": BinanceUsdmOrders}


def order_wire(
    market: str,
    key: str,
    secret: str,
    *,
    card: VenueCard,
    environment: str = "production",
    entry: Literal["rest", "websocket"] = "websocket",
    rest: str = "",
    websocket: str = "",
    ws_api: str = "",
    receive_window_ns: int = 5 * SECOND,
) -> BinanceOrders:
    """Return the order wire of *market*, spot or usdm.

    Args:
        key: The API key's public part.
        secret: Its secret, or a private Ed25519 key in PEM.
        card: The market's venue card.
        environment: production, testnet or demo; whose addresses are taken unless others are given.
        entry: How orders are entered.
        rest: Root of requests.
        websocket: Root of streams; spot needs none.
        ws_api: The WebSocket API, with its path or without; futures need it for entry over WebSocket only.
        receive_window_ns: How old a request may be when it arrives.

    Raises:
        ConfigError: something of it cannot be.
    """
    wire = WIRES.get(market)
    if wire is None:
        raise ConfigError(f"binance: orders are entered on {' and '.join(WIRES)}, was {market!r}")
    if (card.venue, card.market) != ("binance", market):
        raise ConfigError(f"binance {market}: the venue card should be binance-{market}, was {card.name}")
    needed = ["rest", "ws_api"] if market == "spot" else ["rest", "websocket"]
    if market == "usdm" and entry == "websocket":
        needed.append("ws_api")
    found = addresses(market, environment, tuple(needed), rest=rest, websocket=websocket, ws_api=ws_api)
    return wire(signer(key, secret), found, card, entry=entry, receive_window_ns=receive_window_ns)
