"""The venue adapter as config files name it: ``plugin = "binance"`` under ``[venues.X]``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from quotewright.errors import ConfigError
from quotewright.live.venue import Account, LiveVenue
from quotewright.live.venue_settings import VenueSettings
from quotewright.plugin.settings import configured, setting
from quotewright_plugins.exchanges.binance.trading import order_wire

if TYPE_CHECKING:
    from quotewright.execution import OrderWire


@configured
class BinanceVenue(VenueSettings):
    """Config keys of ``[venues.X]`` with ``plugin = "binance"``."""

    market: Literal["spot", "usdm"] = setting(default="spot", doc="spot, or usdm (futures settled in USDT or USDC)")


class _Factory:
    config_model = BinanceVenue

    def __call__(self, settings: BinanceVenue) -> LiveVenue:
        def wire(account: Account) -> OrderWire:
            if account.card is None:
                raise ConfigError(f"{account.where}.card: no venue card called '{settings.card}' is installed")
            return order_wire(
                settings.market,
                account.key.value,
                account.secret.value,
                card=account.card,
                environment=settings.environment,
                entry=settings.entry,
                rest=settings.rest,
                websocket=settings.websocket,
                ws_api=settings.ws_api,
                receive_window_ns=int(settings.receive_window),
            )

        feed = {"market": settings.market, "environment": settings.environment}
        feed |= {name: getattr(settings, name) for name in ("rest", "websocket", "proxy") if getattr(settings, name)}
        return LiveVenue(settings, wire, ("binance", feed), f"binance-{settings.market}")


binance_venue = _Factory()
