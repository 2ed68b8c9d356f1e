"""The dialect ``binance``: its doors and what users paste to reach them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from quotewright.errors import ConfigError
from quotewright_simexchange.dialects.binance.snippets import snippets
from quotewright_simexchange.dialects.binance.spot import SpotDoor
from quotewright_simexchange.dialects.binance.usdm_door import UsdmDoor
from quotewright_simexchange.dialects.binance.usdm_words import venue_symbol
from quotewright_simexchange.doors import Dialect, Door

if TYPE_CHECKING:
    from quotewright.model.cards import VenueCard
    from quotewright_simexchange.exchange.exchange import Exchange

SPOT_CARD = "binance-spot"
USDM_CARD = "binance-usdm"


class BinanceDialect(Dialect):
    """Binance's protocol, a door for each product that has instruments on the exchange."""

    name = "binance"
    card_names = MappingProxyType({"spot": SPOT_CARD, "linear": USDM_CARD})

    def __init__(self, exchange: Exchange, cards: Mapping[str, VenueCard]) -> None:
        super().__init__(exchange, cards)
        self._doors: dict[str, Door] = {}
        if any(listing.kind == "spot" for listing in exchange.listings.values()):
            self._doors[SpotDoor.name] = SpotDoor(exchange, self._card(SPOT_CARD))
        if any(listing.kind == "linear" for listing in exchange.listings.values()):
            self._doors[UsdmDoor.name] = UsdmDoor(exchange, self._card(USDM_CARD))

    def doors(self) -> Mapping[str, Door]:
        return self._doors

    def _card(self, name: str) -> VenueCard:
        card = self.cards.get(name)
        if card is None:
            raise ConfigError(
                f"dialect binance: no venue card {name!r}, it came with {', '.join(sorted(self.cards)) or 'none'}; "
                "install quotewright-plugins, which has it"
            )
        return card

    def snippets(self, addresses: Mapping[str, Mapping[str, str]], key: str, secret: str) -> Mapping[str, str]:
        symbols: dict[str, str] = {}
        for listing in self.exchange.listings.values():
            symbols.setdefault(SpotDoor.name if listing.kind == "spot" else UsdmDoor.name, venue_symbol(listing))
        return snippets(addresses, key, secret, symbols)
