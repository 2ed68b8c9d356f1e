"""An example of a venue, not a model of one: an order fills whole once the tape's best price goes beyond it.

There is no queue, no partial fill and no other taker, so its results say nothing about a market. What it shows is the
interface: virtual time, latency both ways, and a stop at the first report that becomes known.
"""

from __future__ import annotations

from collections import deque
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import attrs

from quotewright.config.units import Bps, Duration
from quotewright.errors import ConfigError
from quotewright.kernel.codes import BUY, LAST_BIT, MONEY_SCALE, NEVER, ROW_WORDS
from quotewright.kernel.ladder import Ladder
from quotewright.kernel.venue import Venue
from quotewright.model.orders import (
    Accepted,
    Amended,
    AmendOrder,
    AmendRejected,
    Canceled,
    CancelOrder,
    CancelRejected,
    Command,
    Fill,
    NewOrder,
    Rejected,
    Report,
)
from quotewright.plugin import configured, hookimpl, setting
from quotewright.plugin.specs import Factory

if TYPE_CHECKING:
    from quotewright.wiring import VenueContext

RECEIVE, WORD = 1, 5


@attrs.define
class Resting:
    """An order in the venue's hands."""

    order: NewOrder
    price_ticks: int
    leaves_lots: int
    filled_lots: int = 0


@configured
class TouchVenue(Venue):
    """Fill a resting order when the opposite best price goes beyond it, and a crossing one at once if it may take."""

    latency: Duration = setting(default="1ms", doc="time of a command to the venue, and of a report back")
    maker_fee: Bps = setting(default="1 bps", doc="fee on the value of a resting order's fill; negative is a rebate")
    taker_fee: Bps = setting(default="5 bps", doc="fee on the value of an order that took")

    def connect(self, context: VenueContext) -> None:
        """Keep the tape, a book for every instrument, and nothing else."""
        if context.tape is None:
            raise ConfigError(f"{context.where}: this venue fills on a tape; run: quotewright backtest --data TAPE")
        self._instruments = context.instruments
        self._rows = context.tape.rows
        self._next_row = 0
        self._books = [Ladder() for _ in context.instruments]
        self._commands: deque[tuple[int, Command]] = deque()
        self._reports: deque[Report] = deque()
        self._resting: dict[int, Resting] = {}
        self._fills = 0

    def submit(self, command: Command, now_ns: int) -> bool:
        """Take a command on its way: it arrives after the latency."""
        self._commands.append((now_ns + self.latency, command))
        return True

    def run(self, until_ns: int) -> int:
        """Let the market and our commands happen in order of time; market data first at equal time."""
        while True:
            row_ns = self._row_ns()
            command_ns = self._commands[0][0] if self._commands else NEVER
            next_ns = min(row_ns, command_ns)
            if next_ns > until_ns or (self._reports and next_ns > self._reports[0].receive_ns):
                break
            if row_ns <= command_ns:
                self._take_message()
            else:
                self._obey(*self._commands.popleft())
        known_ns = self._reports[0].receive_ns if self._reports else NEVER
        return known_ns if known_ns <= until_ns else NEVER

    def take_reports(self, now_ns: int) -> list[Report]:
        """Return what has become known by now."""
        known: list[Report] = []
        while self._reports and self._reports[0].receive_ns <= now_ns:
            known.append(self._reports.popleft())
        return known

    def _row_ns(self) -> int:
        if self._next_row >= self._rows.count:
            return NEVER
        return self._rows.words[self._next_row * ROW_WORDS + RECEIVE]

    def _take_message(self) -> None:
        """Apply the next whole message of the tape and fill what it trades through."""
        now_ns = self._row_ns()
        first, last = self._next_row, self._next_row + 1
        while not self._rows.words[(last - 1) * ROW_WORDS + WORD] & LAST_BIT:
            last += 1
        self._next_row = last
        instrument = self._rows.words[first * ROW_WORDS + WORD] >> 32
        if not self._books[instrument].apply(self._rows, first, last):
            return
        for number, resting in list(self._resting.items()):
            if resting.order.instrument == instrument and self._is_through(resting):
                del self._resting[number]
                self._fill(resting, resting.price_ticks, now_ns, is_maker=True)

    def _is_through(self, resting: Resting) -> bool:
        book = self._books[resting.order.instrument]
        price = resting.price_ticks * self._instruments[resting.order.instrument].tick_steps
        if resting.order.side == BUY:
            return 0 < book.best_offer < price
        return book.best_bid > price

    def _touch_ticks(self, order: NewOrder) -> int:
        """Return the opposite best price in whole ticks, no better than it is; 0 if there is none."""
        book, tick = self._books[order.instrument], self._instruments[order.instrument].tick_steps
        return -(-book.best_offer // tick) if order.side == BUY else book.best_bid // tick

    def _crosses(self, order: NewOrder, price_ticks: int) -> bool:
        touch = self._touch_ticks(order)
        if touch <= 0:
            return False
        return price_ticks == 0 or (price_ticks >= touch if order.side == BUY else price_ticks <= touch)

    def _obey(self, now_ns: int, command: Command) -> None:
        number = command.order_number
        stamps: dict[str, Any] = {"order_number": number, "event_ns": now_ns, "receive_ns": now_ns + self.latency}
        if isinstance(command, NewOrder):
            self._place(command, now_ns, stamps)
        elif isinstance(command, CancelOrder):
            resting = self._resting.pop(number, None)
            if resting is None:
                self._reports.append(CancelRejected(reason="order_closed", **stamps))
            else:
                self._reports.append(Canceled(reason="user", leaves_lots=resting.leaves_lots, **stamps))
        elif isinstance(command, AmendOrder):
            self._amend(command, stamps)

    def _place(self, order: NewOrder, now_ns: int, stamps: dict[str, Any]) -> None:
        is_crossing = self._crosses(order, order.price_ticks)
        if order.post_only and is_crossing:
            self._reports.append(Rejected(reason="post_only", **stamps))
            return
        self._reports.append(Accepted(venue_order_id=f"touch-{order.order_number}", **stamps))
        resting = Resting(order, order.price_ticks, order.quantity_lots)
        if is_crossing:
            self._fill(resting, self._touch_ticks(order), now_ns, is_maker=False)
        elif order.time_in_force or order.price_ticks == 0:
            self._reports.append(Canceled(reason="no_liquidity", leaves_lots=order.quantity_lots, **stamps))
        else:
            self._resting[order.order_number] = resting

    def _amend(self, amend: AmendOrder, stamps: dict[str, Any]) -> None:
        resting = self._resting.get(amend.order_number)
        leaves = amend.quantity_lots - (resting.filled_lots if resting else 0)
        if resting is None or leaves <= 0:
            self._reports.append(AmendRejected(reason="order_closed", **stamps))
        elif self._crosses(resting.order, amend.price_ticks):
            self._reports.append(AmendRejected(reason="post_only", **stamps))
        else:
            resting.price_ticks, resting.leaves_lots = amend.price_ticks, leaves
            self._reports.append(
                Amended(
                    price_ticks=amend.price_ticks,
                    quantity_lots=amend.quantity_lots,
                    leaves_lots=leaves,
                    keeps_priority=False,
                    **stamps,
                )
            )

    def _fill(self, resting: Resting, price_ticks: int, now_ns: int, is_maker: bool) -> None:
        instrument = self._instruments[resting.order.instrument]
        value = instrument.price(price_ticks) * instrument.quantity(resting.leaves_lots) * instrument.contract_size
        rate = (self.maker_fee if is_maker else self.taker_fee).fraction
        self._fills += 1
        self._reports.append(
            Fill(
                order_number=resting.order.order_number,
                event_ns=now_ns,
                receive_ns=now_ns + self.latency,
                fill_id=f"touch-{self._fills}",
                price_ticks=price_ticks,
                quantity_lots=resting.leaves_lots,
                leaves_lots=0,
                is_maker=is_maker,
                fee=int(Decimal(value * rate).scaleb(MONEY_SCALE)),
                fee_currency=instrument.quote,
            )
        )


@hookimpl
def execution_venues() -> dict[str, Factory]:
    """Offer the venue as ``plugin = "touch"`` in ``[venues.X]``."""
    return {"touch": TouchVenue}
