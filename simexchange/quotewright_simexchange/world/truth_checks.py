"""What must hold between the run and the venue's own truth: its orders, its fills, its position."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from quotewright_simexchange.exchange.records import ZERO

if TYPE_CHECKING:
    from quotewright.kernel.orders import Order
    from quotewright.live.venue import LiveVenue
    from quotewright.model.orders import Fill
    from quotewright_simexchange.exchange.exchange import Exchange
    from quotewright_simexchange.world.network import Traffic
    from quotewright_simexchange.world.run_checks import RunChecks
    from quotewright_simexchange.world.venue_checks import VenueChecks
    from quotewright_simexchange.world.verdicts import Verdicts

MONEY_DECIMALS = 18


class TruthChecks:
    """One live venue of a run, held against the exchange behind the doors; *symbols* are the exchange's by ours."""

    def __init__(
        self,
        venue: LiveVenue,
        exchange: Exchange,
        run: RunChecks,
        books: VenueChecks,
        traffic: Traffic,
        symbols: dict[str, str],
        verdicts: Verdicts,
    ) -> None:
        self.venue = venue
        self.exchange = exchange
        self.run = run
        self.books = books
        self.traffic = traffic
        self.symbols = symbols
        self.verdicts = verdicts
        self.begun = {currency: sum(pair, ZERO) for currency, pair in exchange.balances(books.ours).items()}
        self._fills = 0

    def on_fill(self, fill: Fill, order: Order) -> None:
        """A fill that the run has booked is one that the exchange made, of this order, to the digit."""
        instrument = order.view.instrument
        found = self.books.our_fills.get((self.symbols[instrument.symbol], fill.fill_id))
        self._fills += 1
        if found is None:
            self.verdicts.broken(8, f"fill {fill.fill_id} of {instrument.name} was never made at the venue")
        elif (
            found.price != instrument.price(fill.price_ticks)
            or found.quantity != instrument.quantity(fill.quantity_lots)
            or found.is_maker != fill.is_maker
            or found.fee_currency != fill.fee_currency
            or found.fee.scaleb(MONEY_DECIMALS) != fill.fee
            or self.number_of(found.client_id) != order.number
        ):
            self.verdicts.broken(8, f"{fill} of order {order.number} is another one at the venue: {found}")

    def number_of(self, client_id: str) -> int:
        """Return our number of an order at the venue, 0 if it is none of ours."""
        session = self.venue.session
        order = session.own.by_client.get(client_id) if session is not None else None
        return order.number if order is not None else 0

    def check(self) -> None:
        """Evaluate what may have changed, after every event."""
        verdicts = self.verdicts
        for record in self.books.accepted:
            verdicts.count(10)
            if self.number_of(record.client_id) not in self.run.recorded:
                verdicts.broken(10, f"order {record.client_id} is at the venue and on no record")
            verdicts.count(11)
            if self.books.uses[record.client_id] > 1:
                verdicts.broken(11, f"client id {record.client_id} was used {self.books.uses[record.client_id]} times")
        self.books.accepted.clear()
        verdicts.count(13)
        if self.traffic.sent_again:
            verdicts.broken(13, f"order {self.traffic.sent_again[0]} was sent twice")
        orders = self.run.manager.orders
        for client_id, record in self.books.our_open.items():
            verdicts.count(9)
            number = self.number_of(client_id)
            order = orders.get(number)
            if order is None or not order.is_live():
                state = "unknown" if order is None else f"in state {order.state}"
                verdicts.broken(9, f"order {client_id} ({record.status}) is open at the venue and {state} here")

    def is_well(self) -> bool:
        """Return whether the venue is in reach."""
        session = self.venue.session
        return session is not None and session.is_good

    def ailing(self) -> str:
        """Return what is not well, for the message."""
        session = self.venue.session
        report = session.report() if session is not None else {}
        live = sorted((order.number, order.state) for view in self.run.views for order in view.live)
        return (
            f"venue {report.get('why')!r}, last trouble {report.get('last_trouble')!r}, lines {report.get('lines')}, "
            f"orders {live} here and {sorted(self.books.our_open)} there, "
            f"{self._fills} fills here and {len(self.books.our_fills)} there"
        )

    def compare(self) -> None:
        """Hold both sides against each other once all is over."""
        verdicts = self.verdicts
        verdicts.hold(17, not self.books.our_open, f"orders {sorted(self.books.our_open)} are open after the stop")
        verdicts.hold(8, self._fills == len(self.books.our_fills), self.ailing())
        verdicts.hold(17, not self.venue.left_open, f"the run left orders {self.venue.left_open} open")
        changes: dict[str, Decimal] = {}
        for view in self.run.views:
            instrument = view.instrument
            symbol = self.symbols[instrument.symbol]
            fills = [fill for (one, _), fill in self.books.our_fills.items() if one == symbol]
            total = sum((fill.quantity if fill.side == "buy" else -fill.quantity for fill in fills), ZERO)
            ours = instrument.quantity(abs(view.position_lots)) * (1 if view.position_lots >= 0 else -1)
            verdicts.hold(7, ours == total, f"{instrument.name}: position {ours} here, fills at the venue {total}")
            if self.exchange.listings[symbol].kind != "spot":
                held = self.exchange.position(self.books.ours, symbol).quantity
                verdicts.hold(7, held == total, f"{instrument.name}: position {held} at the venue, its fills {total}")
                continue
            for fill in fills:
                sign = 1 if fill.side == "buy" else -1
                changes[instrument.base] = changes.get(instrument.base, ZERO) + sign * fill.quantity
                changes[instrument.quote] = changes.get(instrument.quote, ZERO) - sign * fill.value
                changes[fill.fee_currency] = changes.get(fill.fee_currency, ZERO) - fill.fee
        for currency, change in changes.items():
            now = sum(self.exchange.balances(self.books.ours).get(currency, (ZERO, ZERO)), ZERO)
            wanted = self.begun.get(currency, ZERO) + change
            verdicts.hold(7, now == wanted, f"{currency}: {now} at the venue, deposits and fills make {wanted}")
