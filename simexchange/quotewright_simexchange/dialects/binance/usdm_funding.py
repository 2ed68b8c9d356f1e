"""Funding every eight hours of market time, at the rate that the exchange has for the instrument."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from quotewright_simexchange.dialects.binance.usdm_words import Symbols
    from quotewright_simexchange.exchange.exchange import Exchange

EIGHT_HOURS_NS = 8 * 3_600_000_000_000


@attrs.frozen
class Paid:
    """One funding that was paid."""

    symbol: str
    rate: Decimal
    mark: Decimal | None
    event_ns: int


class Fundings:
    """Lets funding be paid at 00:00, 08:00 and 16:00 UTC of market time and remembers what was.

    Nothing is paid for an instrument without a mark price, nor on an exchange whose engines pay none.
    """

    def __init__(self, exchange: Exchange, symbols: Symbols) -> None:
        self.exchange = exchange
        self.symbols = symbols
        self.paid: list[Paid] = []
        self._plan()

    def next_ns(self, symbol: str) -> int:
        """Return when funding is paid next."""
        told: int = self.exchange.reference(symbol).funding_ns
        return told if told > self.exchange.now_ns else self._next_ns()

    def _next_ns(self) -> int:
        now_ns: int = self.exchange.now_ns
        return (now_ns // EIGHT_HOURS_NS + 1) * EIGHT_HOURS_NS

    def _plan(self) -> None:
        if self.symbols.listings:
            self.exchange.at(self._next_ns(), self._pay)

    def _pay(self) -> None:
        fund = getattr(self.exchange, "fund", None)
        for listing in self.symbols.listings.values():
            told = self.exchange.reference(listing.symbol)
            if fund is not None and told.mark is not None:
                fund(listing.symbol, told.funding_rate)
                self.paid.append(Paid(listing.symbol, told.funding_rate, told.mark, self.exchange.now_ns))
        self._plan()
