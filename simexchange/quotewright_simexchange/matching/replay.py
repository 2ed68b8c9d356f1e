"""The venue of a backtest: our orders against a recorded market that does not know of them.

Prices and sizes in here are *steps*, quantities of own orders *lots*, times int nanoseconds of the venue's clock.
"""

from __future__ import annotations

from array import array
from bisect import insort
from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from quotewright.errors import ConfigError
from quotewright.kernel.codes import (
    BEST_QUOTE,
    BUY,
    LAST_BIT,
    LEVEL_DELETE,
    LEVEL_SET,
    NEVER,
    ORDER_ADD,
    ORDER_DELETE,
    ROW_WORDS,
    SELL,
    SNAPSHOT_BEGIN,
)
from quotewright.kernel.ladder import Ladder
from quotewright.kernel.rows import Rows
from quotewright.kernel.top_of_book import TopOfBook
from quotewright.model.orders import (
    Accepted,
    Amended,
    AmendOrder,
    AmendRejected,
    Canceled,
    CancelOrder,
    CancelRejected,
    Fill,
    NewOrder,
    Rejected,
)
from quotewright_simexchange.latency import REFUSED, ConstantLatency, LatencyModel
from quotewright_simexchange.matching import replay_told
from quotewright_simexchange.matching.codes import FOK, GTC, IOC
from quotewright_simexchange.matching.evidence import EVIDENCE, TAKEN
from quotewright_simexchange.matching.order_ladder import OrderLadder
from quotewright_simexchange.matching.queues import QueueModel
from quotewright_simexchange.matching.replay_fees import FeeReplay
from quotewright_simexchange.matching.replay_market import Market, OwnOrder
from quotewright_simexchange.matching.taking_options import TakingOptions

if TYPE_CHECKING:
    from quotewright.model.instrument import Instrument
    from quotewright.model.orders import Command, Report
    from quotewright.wiring import VenueContext

REMEMBERED = 4096
"""How many numbers of accepted orders the venue remembers at least; older ones count as used."""
MOST_TAKEN = 64
"""How many commands that have arrived are cleared away at a time."""
OPTION_CAP = Decimal("0.125")


class ReplayVenue(FeeReplay):
    """Fills our orders against the rows of a tape, in the order in which they happened at the venue.

    Args:
        queue: Judges decreases of our levels that no print explains.
        latency: Way to the venue and back.
        maker_fee: Fee of a resting fill as a fraction of the value; negative is a rebate.
        taker_fee: The same of a taking fill.
        unknown_side_helps: Prints without a side help both sides, not nobody.
        fee_scale: Decimals of a fee.
        conflation_ns: Prints and levels of one event may be told so far apart, in either order.
        taking: What a taker gets of the displayed depth; unset: all of it, at its price.
        option_fee_cap: Most that a fill of an option costs, as a share of the premium.
    """

    keeps_priority_on_reduce = True
    reads_in_windows = True

    def __init__(
        self,
        queue: QueueModel,
        latency: LatencyModel,
        maker_fee: Decimal = Decimal(0),
        taker_fee: Decimal = Decimal(0),
        unknown_side_helps: bool = False,
        fee_scale: int = 8,
        conflation_ns: int = 0,
        taking: TakingOptions | None = None,
        option_fee_cap: Decimal = OPTION_CAP,
    ) -> None:
        super().__init__(queue, maker_fee, taker_fee, unknown_side_helps, fee_scale, conflation_ns, option_fee_cap)
        self.latency = latency
        self.taking = taking or TakingOptions()
        self.shift_ns = 0
        self.entry_ns = -1
        self.response_ns = -1
        self.keeps_order = True
        self.rows = Rows(memoryview(b"").cast("q"), 0)
        self.words = self.rows.words
        self.order = memoryview(b"").cast("q")
        self.windows: Iterator[tuple[Rows, memoryview[int]]] = iter(())
        self.row_count = 0
        self.cursor = 0
        self.next_row_ns = NEVER
        self.next_command_ns = NEVER
        self.next_report_ns = NEVER
        self.now_ns = 0
        self.first_ns = NEVER
        self.commands: list[tuple[int, int, Command]] = []
        self.commands_taken = 0
        self.command_count = 0
        self.last_arrival_ns = 0
        self.last_known_ns = 0
        self.reports: list[tuple[int, int, Report]] = []
        self.report_count = 0
        self.fill_count = 0
        self.open: dict[int, OwnOrder] = {}
        self.home: dict[int, Market] = {}
        self.accepted: set[int] = set()
        self.oldest_accepted = 0
        self.evidence = [0] * len(EVIDENCE)
        self.places = array("q")
        self.name = "replay"

    def connect(self, context: VenueContext) -> None:
        tape = context.tape
        if tape is None:
            raise ConfigError(
                f"{context.where}: the replay venue needs a tape; run: quotewright backtest CONFIG --data TAPE"
            )
        self.name = context.name
        if self.terms is not None:
            self.terms.prepare(self, context)
        self.attach(context.instruments, tape)

    def attach(self, instruments: tuple[Instrument, ...], tape: Any) -> bool:
        """Stand at the beginning of *tape*, whose instrument ids are the places in *instruments*."""
        with_levels: set[int] = set()
        with_quotes: set[int] = set()
        with_orders: set[int] = set()
        wanted = with_orders if self.queue.wants_orders() else with_levels
        for _, block in tape.blocks():
            kinds = block["kind"]
            is_level = (kinds == LEVEL_SET) | (kinds == LEVEL_DELETE) | (kinds == SNAPSHOT_BEGIN)
            with_levels.update(set(block["instrument"][is_level].tolist()))
            with_quotes.update(set(block["instrument"][kinds == BEST_QUOTE].tolist()))
            is_order = (kinds >= ORDER_ADD) & (kinds <= ORDER_DELETE)
            with_orders.update(set(block["instrument"][is_order].tolist()))
            if len(wanted) == len(instruments):
                break
        self.markets = []
        for number, instrument in enumerate(instruments):
            is_top_only = number in with_quotes and number not in with_levels
            is_by_order = self.queue.wants_orders()
            if is_by_order and number not in with_orders and (number in with_levels or is_top_only):
                raise ConfigError(
                    f"{instrument.name}: the tape holds no single orders of it, which queue model 'orders' needs; "
                    "choose another queue model"
                )
            if not is_by_order and number in with_orders and number not in with_levels and not is_top_only:
                raise ConfigError(
                    f"{instrument.name}: the tape holds only single orders of it; choose queue model 'orders'"
                )
            book = OrderLadder() if is_by_order else TopOfBook() if is_top_only else Ladder()
            self.markets.append(Market(instrument, book, is_top_only and not is_by_order, self.taking))
        self.latency.attach(tape)
        # Market data that comes later by so much is the same as a venue that is ahead of its tape by so much.
        self.shift_ns = self.latency.feed_ns
        self.use_latency()
        self.windows = tape.event_windows()
        self.next_window()
        self.first_ns = self.next_row_ns
        return True

    def next_window(self) -> bool:
        """Stand at the beginning of the next rows in order of event time, if there are more."""
        self.row_count = 0
        self.cursor = 0
        window = next(self.windows, None)
        if window is not None:
            self.rows = window[0]
            self.words = self.rows.words
            self.order = window[1]
            self.row_count = len(window[1])
        return self.find_next()

    def use_latency(self) -> bool:
        """Ask the latency model once, where it always gives the same answer."""
        latency = self.latency
        self.keeps_order = latency.keeps_order
        self.entry_ns = self.response_ns = -1
        if isinstance(latency, ConstantLatency) and type(latency) is ConstantLatency:  # a subclass may think otherwise
            self.entry_ns = latency.entry_ns
            self.response_ns = latency.response_ns
        return True

    # The clock: rows, then commands, up to the first report that somebody here could answer.

    def run(self, until_ns: int) -> int:
        if self.next_row_ns > until_ns and self.next_command_ns > until_ns and self.next_report_ns > until_ns:
            return NEVER
        while True:
            limit = until_ns if until_ns < self.next_report_ns else self.next_report_ns
            if self.next_row_ns <= limit and self.next_row_ns <= self.next_command_ns:
                self.take_rows(limit if limit < self.next_command_ns else self.next_command_ns)
            elif self.next_command_ns <= limit:
                self.take_command()
            else:
                break
        return self.next_report_ns if self.next_report_ns <= until_ns else NEVER

    def take_rows(self, limit_ns: int) -> bool:
        """Take messages that happened at or before *limit_ns*, until one makes a report known before the next."""
        # Mostly one short message: the views stay where they are, taking them out would cost more than the message.
        rows = self.rows
        count = self.row_count
        at = self.cursor
        shift = self.shift_ns
        now = self.next_row_ns
        while True:
            first = self.order[at]
            last = first + 1
            at += 1
            while not self.words[last * ROW_WORDS - 1] & LAST_BIT and at < count and self.order[at] == last:
                last += 1
                at += 1
            self.now_ns = now
            self.take_message(rows, first, last, now)
            if at >= count:
                now = NEVER
                break
            first = self.order[at]
            now = self.words[first * ROW_WORDS] - shift
            if now > limit_ns or now > self.next_report_ns:
                break
        self.cursor = at
        self.next_row_ns = now
        if now == NEVER:
            self.next_window()
        return True

    def find_next(self) -> bool:
        """Find the time of the row at the cursor."""
        self.next_row_ns = NEVER
        if self.cursor < self.row_count:
            row = self.order[self.cursor]
            self.next_row_ns = self.rows.words[row * ROW_WORDS] - self.shift_ns
        return True

    # Fills.

    def fill(self, market: Market, order: OwnOrder, price_ticks: int, lots: int, kind: int, now_ns: int) -> bool:
        """Book one execution of *order*; a reduce-only order is filled as far as it reduces."""
        is_short = False
        if order.reduce_only:
            position = -market.position_lots if order.side == BUY else market.position_lots
            if lots > position:
                is_short = True
                lots = position if position > 0 else 0
        if lots > 0:
            order.leaves_lots -= lots
            market.position_lots += lots if order.side == BUY else -lots
            self.fill_count += 1
            self.evidence[kind] += 1
            if kind != TAKEN:
                self.keep_place(order)
            self.report(
                Fill(
                    order_number=order.number,
                    event_ns=now_ns,
                    receive_ns=self.known_at(now_ns, order.number),
                    fill_id=f"{self.name}-{self.fill_count}",
                    price_ticks=price_ticks,
                    quantity_lots=lots,
                    leaves_lots=order.leaves_lots,
                    is_maker=kind != TAKEN,
                    fee=self.fee(market, price_ticks, lots, kind != TAKEN),
                    fee_currency=market.money.quote if market.money is not None else market.instrument.quote,
                )
            )
        if order.leaves_lots == 0:
            self.leave(market, order)
        elif is_short:
            self.end(market, order, "reduce_only", now_ns)
        return True

    def keep_place(self, order: OwnOrder) -> bool:
        """Keep where a resting order stood when it joined, and when the market told what fills it now."""
        ahead = order.met if order.met >= 0 else order.ahead + (order.ahead_part > 0.0)
        order.met = -1
        places = self.places
        places.append(order.number)
        places.append(order.joined)
        places.append(-1 if order.is_blind else ahead)
        return True

    def leave(self, market: Market, order: OwnOrder) -> bool:
        """Take an order that has ended out of the book."""
        self.open.pop(order.number, None)
        self.home.pop(order.number, None)
        return market.unrest(order)

    def end(self, market: Market, order: OwnOrder, reason: str, now_ns: int) -> bool:
        """Cancel what is left of *order*."""
        self.leave(market, order)
        self.report(
            Canceled(
                order_number=order.number,
                event_ns=now_ns,
                receive_ns=self.known_at(now_ns, order.number),
                reason=reason,
                leaves_lots=order.leaves_lots,
            )
        )
        return True

    # Commands.

    def submit(self, command: Command, now_ns: int) -> bool:
        if self.entry_ns >= 0:
            return self.send(command, now_ns + self.entry_ns)
        latency = self.latency
        shift = self.shift_ns
        key = 4 * command.order_number + (
            0 if isinstance(command, NewOrder) else 1 if isinstance(command, CancelOrder) else 2
        )
        arrival = latency.arrival_ns(now_ns + shift, key)
        if arrival == REFUSED:
            self.refuse(command, "overload", now_ns, latency.refusal_ns(now_ns + shift, key) - shift)
            return True
        return self.send(command, arrival - shift)

    def send(self, command: Command, arrival_ns: int) -> bool:
        """Put a command on its way; in one session it never overtakes the one before it, nor the passed market."""
        arrival = max(arrival_ns, self.last_arrival_ns, self.now_ns)
        self.command_count += 1
        if self.keeps_order:
            self.last_arrival_ns = arrival
            self.commands.append((arrival, self.command_count, command))
        else:
            insort(self.commands, (arrival, self.command_count, command), self.commands_taken)
        if arrival < self.next_command_ns:
            self.next_command_ns = arrival
        return True

    def take_reports(self, now_ns: int) -> list[Report]:
        taken: list[Report] = []
        reports = self.reports
        while len(taken) < len(reports) and reports[len(taken)][0] <= now_ns:
            taken.append(reports[len(taken)][2])
        del reports[: len(taken)]
        self.next_report_ns = reports[0][0] if reports else NEVER
        return taken

    def known_at(self, venue_ns: int, number: int) -> int:
        """Return when a report on order *number* is known here; reports of one session arrive in order."""
        if self.response_ns >= 0:
            known = venue_ns + self.response_ns
        else:
            known = self.latency.known_ns(venue_ns + self.shift_ns, 4 * number + 3) - self.shift_ns
        if known > self.last_known_ns:
            self.last_known_ns = known
        return self.last_known_ns

    def report(self, report: Report) -> bool:
        """Send *report* on its way."""
        self.report_count += 1
        reports = self.reports
        receive_ns = report.receive_ns
        if reports and reports[len(reports) - 1][0] > receive_ns:
            insort(reports, (receive_ns, self.report_count, report))
        else:
            reports.append((receive_ns, self.report_count, report))
        self.next_report_ns = reports[0][0]
        return True

    def refuse(self, command: Command, reason: str, event_ns: int, receive_ns: int, text: str = "") -> bool:
        """Report that *command* changed nothing."""
        if isinstance(command, NewOrder):
            self.report(
                Rejected(
                    order_number=command.order_number,
                    event_ns=event_ns,
                    receive_ns=receive_ns,
                    reason=reason,
                    text=text,
                )
            )
        else:
            kind = AmendRejected if isinstance(command, AmendOrder) else CancelRejected
            self.report(
                kind(order_number=command.order_number, event_ns=event_ns, receive_ns=receive_ns, reason=reason)
            )
        return True

    def take_command(self) -> bool:
        """Let the next command act at its time of arrival."""
        now, command = self.next_command()
        self.now_ns = now
        if isinstance(command, NewOrder):
            return self.take_new(command, now)
        order = self.open.get(command.order_number)
        if order is None:
            reason = "order_closed" if self.was_accepted(command.order_number) else "unknown_order"
            return self.refuse(command, reason, now, self.known_at(now, command.order_number))
        market = self.home[command.order_number]
        if isinstance(command, CancelOrder):
            return self.end(market, order, "user", now)
        return self.amend(market, order, command, now)

    def next_command(self) -> tuple[int, Command]:
        """Take the command that arrives next off the way and return when it does, and the command."""
        commands = self.commands
        now, _, command = commands[self.commands_taken]
        self.commands_taken += 1
        if self.commands_taken == len(commands) or self.commands_taken >= MOST_TAKEN:
            del commands[: self.commands_taken]
            self.commands_taken = 0
        self.next_command_ns = commands[self.commands_taken][0] if commands else NEVER
        return now, command

    def was_accepted(self, number: int) -> bool:
        """Return whether an order of this number was accepted; numbers of long ago all count as accepted."""
        return number < self.oldest_accepted or number in self.accepted

    def remember(self, number: int) -> bool:
        """Remember an accepted order's number. Numbers of a run grow, so that the lowest can be forgotten."""
        self.accepted.add(number)
        if len(self.accepted) >= 2 * REMEMBERED:
            kept = sorted(self.accepted)[-REMEMBERED:]
            self.oldest_accepted = kept[0]
            self.accepted = set(kept)
        return True

    def take_new(self, command: NewOrder, now_ns: int) -> bool:
        """Accept or refuse a new order."""
        # Each field of a command is read once: from here on it is the order that is asked.
        order = OwnOrder(command.order_number, command.side, 0, command.price_ticks, command.quantity_lots)
        order.post_only = command.post_only
        order.reduce_only = command.reduce_only
        instrument = command.instrument
        time_in_force = command.time_in_force
        reason, text = self.check_new(order, instrument, time_in_force)
        if reason:
            return self.refuse(command, reason, now_ns, self.known_at(now_ns, order.number), text)
        return self.place(self.markets[instrument], order, time_in_force, now_ns)

    def check_new(self, order: OwnOrder, instrument: int, time_in_force: int) -> tuple[str, str]:
        """Return why a new order is refused and a text, or two empty texts."""
        if self.was_accepted(order.number):
            return "duplicate_id", ""
        if not 0 <= instrument < len(self.markets):
            return "venue", f"there is no instrument {instrument} on this tape"
        market: Market = self.markets[instrument]
        if market.money is None:
            return "venue", market.trouble
        if (order.side != BUY and order.side != SELL) or time_in_force not in (GTC, IOC, FOK):
            return "bad_flags", ""
        is_market = order.price_ticks == 0
        reason = market.check_size(order.price_ticks, order.quantity_lots, is_market)
        if reason:
            return reason, ""
        if order.post_only and (is_market or time_in_force != GTC):
            return "bad_flags", "a post-only order has a price and rests"
        if order.reduce_only:
            if market.instrument.kind == "spot":
                return "bad_flags", "reduce-only orders need a derivative"
            if (market.position_lots >= 0) if order.side == BUY else (market.position_lots <= 0):
                return "reduce_only", ""
        order.price = order.price_ticks * market.tick_steps
        if order.post_only and market.is_reached(order.side, order.price):
            return "post_only", ""
        return "", ""

    def place(self, market: Market, order: OwnOrder, time_in_force: int, now_ns: int) -> bool:
        """Accept a new order, let it take, and let the rest rest."""
        number: int = order.number
        self.remember(number)
        self.report(
            Accepted(
                order_number=number,
                event_ns=now_ns,
                receive_ns=self.known_at(now_ns, number),
                venue_order_id=str(number),
            )
        )
        self.open[number] = order
        self.home[number] = market
        if time_in_force == FOK:
            found = 0 if market.in_gap else market.takeable(order.side, order.price, order.leaves_lots)
            if found < order.leaves_lots:
                return self.end(market, order, "fok", now_ns)
        if self.take(market, order, now_ns) and number not in self.open:
            return True
        if order.price == 0:
            return self.end(market, order, "no_liquidity", now_ns)
        if time_in_force != GTC:
            return self.end(market, order, "ioc", now_ns)
        return market.rest(order)

    def take(self, market: Market, order: OwnOrder, now_ns: int) -> bool:
        """Let *order* take displayed quantity, level by level, each at its price; nothing during a gap.

        Return whether there was any.
        """
        if market.in_gap or not market.touches(order.side, order.price):
            return False
        taken = market.taken_offers if order.side == BUY else market.taken_bids
        for price, ticks, lots in market.plan(order.side, order.price, order.leaves_lots):
            before = order.leaves_lots
            self.fill(market, order, ticks, lots, TAKEN, now_ns)
            gone = self.taking.gone((before - order.leaves_lots) * market.lot_steps)
            taken[price] = taken.get(price, 0) + gone
            if order.number not in self.open:
                break
        market.watch()
        return True

    def amend(self, market: Market, order: OwnOrder, command: AmendOrder, now_ns: int) -> bool:
        """Change an order: less at the same price keeps its place, anything else is matched and queues anew."""
        filled = order.quantity_lots - order.leaves_lots
        if 0 < command.quantity_lots <= filled:
            return self.end(market, order, "amend_below_filled", now_ns)
        reason = market.check_size(command.price_ticks, command.quantity_lots, False)
        price = command.price_ticks * market.tick_steps
        keeps = price == order.price and command.quantity_lots <= order.quantity_lots
        if not reason and not keeps and order.post_only and market.is_reached(order.side, price):
            reason = "post_only"
        if reason:
            return self.refuse(command, reason, now_ns, self.known_at(now_ns, order.number))
        if not keeps:
            market.unrest(order)
        order.price = price
        order.price_ticks = command.price_ticks
        order.quantity_lots = command.quantity_lots
        order.leaves_lots = command.quantity_lots - filled
        self.report(
            Amended(
                order_number=order.number,
                event_ns=now_ns,
                receive_ns=self.known_at(now_ns, order.number),
                price_ticks=order.price_ticks,
                quantity_lots=order.quantity_lots,
                leaves_lots=order.leaves_lots,
                keeps_priority=keeps,
            )
        )
        if keeps:
            return True
        self.take(market, order, now_ns)
        if order.number in self.open:
            market.rest(order)
        return True

    # What is told about the run.

    def queue_ahead(self, number: int) -> float:
        """Return how many size steps stand ahead of an open order; -1.0 if it is not open or not known."""
        order = self.open.get(number)
        if order is None or order.is_blind:
            return -1.0
        return order.ahead + order.ahead_part

    def queue_places(self) -> list[tuple[int, int, int]]:
        """Return ``(order number, joined, ahead)`` in size steps of each fill of a resting order, oldest first.

        *joined* stood ahead when the order joined its price, *ahead* still did when the market told what filled it; -1:
        unknown.
        """
        return replay_told.places(self)

    def figures(self) -> dict[str, Any]:
        """Return counts for the report: fills by evidence, gaps, prints that nobody could use."""
        return replay_told.figures(self)

    def assumptions(self) -> list[str]:
        """Return what this venue takes for granted, one sentence each."""
        return replay_told.assumptions(self)
