"""The venue of a backtest: our orders against a recorded market that does not know of them.

Prices and sizes in here are *steps*, quantities of own orders *lots*, times int nanoseconds of the venue's clock.
"""

from __future__ import annotations

from bisect import insort
from collections import deque
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from quotewright.errors import ConfigError
from quotewright.kernel.book import BookModel
from quotewright.kernel.codes import (
    BEST_QUOTE,
    BID,
    BUY,
    FLAG_SHIFT,
    GAP,
    INSTRUMENT_SHIFT,
    LAST_BIT,
    LEVEL_DELETE,
    LEVEL_SET,
    MONEY_SCALE,
    NEVER,
    NO_MARKET,
    NO_SIDE,
    OFFER,
    ROW_WORDS,
    SELL,
    SIDE_SHIFT,
    SNAPSHOT_BEGIN,
    TRADE,
)
from quotewright.kernel.ladder import Ladder
from quotewright.kernel.portfolio import money_unit
from quotewright.kernel.rows import Rows
from quotewright.kernel.venue import Venue
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
    TimeInForce,
)
from quotewright_simexchange.latency import REFUSED, LatencyModel
from quotewright_simexchange.matching.queues import QueueModel

if TYPE_CHECKING:
    from quotewright.model.instrument import Instrument
    from quotewright.model.orders import Command, Report
    from quotewright.wiring import VenueContext

THROUGH = 0
AT_PRICE = 1
ARRIVED = 2
AFTER_GAP = 3
TAKEN = 4
EVIDENCE = ("print_through", "print_at_price", "opposite_arrived", "after_gap", "taken")
"""Why the venue filled us, by code, strongest first for resting orders."""


class TopBook(BookModel):
    """The displayed book of a tape that has best quotes but no levels: one level a side."""

    def apply(self, rows: Rows, first: int, last: int) -> bool:
        words = rows.words
        at = first * ROW_WORDS
        end = last * ROW_WORDS
        is_touched = False
        has_gap = False
        while at < end:
            kind = words[at + 5] & 255
            if kind == BEST_QUOTE:
                is_touched = True
                has_gap = False
                price = words[at + 2] if words[at + 3] > 0 else 0
                if (words[at + 5] >> SIDE_SHIFT) & 255 == BID:
                    self.best_bid = price
                    self.best_bid_size = words[at + 3]
                else:
                    self.best_offer = price
                    self.best_offer_size = words[at + 3]
            elif kind == GAP:
                is_touched = True
                has_gap = True
            at += ROW_WORDS
        if is_touched:
            self.settle(not has_gap, has_gap)
        return is_touched

    def size_at(self, side: int, price: int) -> int:
        if price < 1:
            return 0
        if side == BID:
            return self.best_bid_size if price == self.best_bid else 0
        return self.best_offer_size if price == self.best_offer else 0

    def levels(self, side: int, count: int) -> list[tuple[int, int]]:
        if count == 0:
            return []
        if side == BID:
            return [(self.best_bid, self.best_bid_size)] if self.best_bid else []
        return [(self.best_offer, self.best_offer_size)] if self.best_offer else []

    def level_count(self, side: int) -> int:
        return 1 if (self.best_bid if side == BID else self.best_offer) else 0


class OwnOrder:
    """One of our orders at the venue. ``ahead`` whole steps and ``ahead_part`` of a step stand in front of it.

    ``is_blind``: it joined where the data did not say what is displayed; the first size seen there is ahead of it.
    """

    def __init__(self, number: int, side: int, price: int, price_ticks: int, quantity_lots: int) -> None:
        self.number = number
        self.side = side
        self.price = price
        self.price_ticks = price_ticks
        self.quantity_lots = quantity_lots
        self.leaves_lots = quantity_lots
        self.ahead = 0
        self.ahead_part = 0.0
        self.is_blind = False
        self.post_only = False
        self.reduce_only = False


class OwnLevel:
    """A price at which we rest: what was displayed there last, and what printed since."""

    def __init__(self, side: int, price: int, displayed: int) -> None:
        self.side = side
        self.price = price
        self.displayed = displayed
        self.printed = 0
        self.orders: list[OwnOrder] = []


class Market:
    """One instrument at the venue: the displayed book, where we rest in it, and what we took out of it."""

    def __init__(self, instrument: Instrument, book: BookModel, is_top_only: bool) -> None:
        self.instrument = instrument
        self.book = book
        self.is_top_only = is_top_only
        self.tick_steps = instrument.tick_steps
        self.lot_steps = instrument.lot_steps
        self.size_unit = 10.0**instrument.size_decimals
        self.bids: list[OwnLevel] = []
        self.offers: list[OwnLevel] = []
        self.is_watching = False
        self.bids_from = NEVER
        self.offers_to = 0
        self.taken_bids: dict[int, int] = {}
        self.taken_offers: dict[int, int] = {}
        self.in_gap = False
        self.gap_began_ns = 0
        self.gap_ns = 0
        self.position_lots = 0
        self.unit: int | None = None
        self.trouble = ""
        try:
            self.unit = money_unit(instrument)
        except ConfigError as error:
            self.trouble = str(error)
        self.min_notional = 0
        if self.unit is not None:
            self.min_notional = int(instrument.min_notional.scaleb(MONEY_SCALE))


class ReplayVenue(Venue):
    """Fills our orders against the rows of a tape, in the order in which they happened at the venue.

    Args:
        queue: Judges decreases of our levels that no print explains.
        latency: Way to the venue and back.
        maker_fee: Fee of a resting fill as a fraction of the value; negative is a rebate.
        taker_fee: The same of a taking fill.
        unknown_side_helps: Prints without a side help both sides, not nobody.
        fee_scale: Decimals of a fee.
    """

    keeps_priority_on_reduce = True

    def __init__(
        self,
        queue: QueueModel,
        latency: LatencyModel,
        maker_fee: Decimal = Decimal(0),
        taker_fee: Decimal = Decimal(0),
        unknown_side_helps: bool = False,
        fee_scale: int = 8,
    ) -> None:
        super().__init__()
        self.queue = queue
        self.latency = latency
        self.fee_unit: int = 10 ** (MONEY_SCALE - fee_scale)
        self.set_fees(maker_fee, taker_fee)
        self.unknown_side_helps = unknown_side_helps
        self.rows = Rows(memoryview(b"").cast("q"), 0)
        self.order = memoryview(b"").cast("q")
        self.row_count = 0
        self.cursor = 0
        self.next_row_ns = NEVER
        self.next_command_ns = NEVER
        self.next_report_ns = NEVER
        self.now_ns = 0
        self.first_ns = NEVER
        self.markets: list[Market] = []
        self.commands: deque[tuple[int, Command]] = deque()
        self.last_arrival_ns = 0
        self.last_known_ns = 0
        self.reports: list[tuple[int, int, Report]] = []
        self.report_count = 0
        self.fill_count = 0
        self.open: dict[int, OwnOrder] = {}
        self.home: dict[int, Market] = {}
        self.used: set[int] = set()
        self.evidence = [0] * len(EVIDENCE)
        self.unknown_side_prints = 0
        self.prints_in_gap = 0
        self.orders_through_gap = 0
        self.name = "replay"

    def connect(self, context: VenueContext) -> None:
        tape = context.tape
        if tape is None:
            raise ConfigError(
                f"{context.where}: the replay venue needs a tape; run: quotewright backtest CONFIG --data TAPE"
            )
        self.name = context.name
        self.attach(context.instruments, tape)

    def attach(self, instruments: tuple[Instrument, ...], tape: Any) -> bool:
        """Stand at the beginning of *tape*, whose instrument ids are the places in *instruments*."""
        array = tape.array
        with_levels = set()
        with_quotes = set()
        for _, block in tape.blocks():
            kinds = block["kind"]
            is_level = (kinds == LEVEL_SET) | (kinds == LEVEL_DELETE) | (kinds == SNAPSHOT_BEGIN)
            with_levels.update(set(block["instrument"][is_level].tolist()))
            with_quotes.update(set(block["instrument"][kinds == BEST_QUOTE].tolist()))
        self.markets = []
        for number, instrument in enumerate(instruments):
            is_top_only = number in with_quotes and number not in with_levels
            self.markets.append(Market(instrument, TopBook() if is_top_only else Ladder(), is_top_only))
        self.rows = tape.rows
        self.order = tape.event_order
        self.row_count = len(array)
        self.cursor = 0
        self.find_next()
        self.first_ns = self.next_row_ns
        return True

    def set_fees(self, maker_fee: Decimal, taker_fee: Decimal) -> bool:
        """Charge *maker_fee* and *taker_fee*, fractions of the value, from now on."""
        self.maker_fee = maker_fee
        self.taker_fee = taker_fee
        self.maker_rate = maker_fee.as_integer_ratio()
        self.taker_rate = taker_fee.as_integer_ratio()
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
        rows = self.rows
        words = rows.words
        order = self.order
        count = self.row_count
        at = self.cursor
        now = self.next_row_ns
        while True:
            first = order[at]
            last = first + 1
            at += 1
            while not words[last * ROW_WORDS - 1] & LAST_BIT and at < count and order[at] == last:
                last += 1
                at += 1
            self.now_ns = now
            self.take_message(rows, first, last, now)
            if at >= count:
                now = NEVER
                break
            first = order[at]
            now = words[first * ROW_WORDS]
            if now > limit_ns or now > self.next_report_ns:
                break
        self.cursor = at
        self.next_row_ns = now
        return True

    def find_next(self) -> bool:
        """Find the time of the row at the cursor."""
        self.next_row_ns = NEVER
        if self.cursor < self.row_count:
            row = self.order[self.cursor]
            self.next_row_ns = self.rows.words[row * ROW_WORDS]
        return True

    # The market.

    def take_message(self, rows: Rows, first: int, last: int, now_ns: int) -> bool:
        """Let rows ``[first, last)``, one message, happen at *now_ns*: first to our orders, then to the book."""
        words = rows.words
        number = words[first * ROW_WORDS + 5] >> INSTRUMENT_SHIFT
        if number >= len(self.markets):
            return False
        market: Market = self.markets[number]
        is_watching = market.is_watching
        is_book = False
        had_snapshot = False
        at = first * ROW_WORDS
        end = last * ROW_WORDS
        while at < end:
            word = words[at + 5]
            kind = word & 255
            if kind == LEVEL_SET or kind == LEVEL_DELETE:  # noqa: SIM109
                is_book = True
                if is_watching and not had_snapshot:
                    side = (word >> SIDE_SHIFT) & 255
                    price = words[at + 2]
                    if price >= market.bids_from if side == BID else price <= market.offers_to:
                        size = words[at + 3] if kind == LEVEL_SET else 0
                        self.see_level(market, side, price, size, now_ns)
            elif kind == TRADE:
                if is_watching:
                    self.see_trade(market, word, words[at + 2], words[at + 3], now_ns)
            elif kind == BEST_QUOTE:
                if market.is_top_only:
                    is_book = True
                    if market.in_gap:
                        had_snapshot = True
                    if is_watching and not had_snapshot:
                        self.see_quote(market, (word >> SIDE_SHIFT) & 255, words[at + 2], words[at + 3], now_ns)
            elif kind == SNAPSHOT_BEGIN:
                is_book = True
                had_snapshot = True
            elif kind == GAP:
                is_book = True
                had_snapshot = False
                if not market.in_gap:
                    market.in_gap = True
                    market.gap_began_ns = now_ns
            at += ROW_WORDS
        if is_book:
            market.book.apply(rows, first, last)
            if had_snapshot:
                self.see_snapshot(market, now_ns)
        return True

    def see_trade(self, market: Market, word: int, price: int, size: int, now_ns: int) -> bool:
        """Let a print meet our orders: that of a seller our bids, that of a buyer our offers."""
        if (word >> FLAG_SHIFT) & NO_MARKET:
            return False
        if market.in_gap:
            self.prints_in_gap += 1
            return False
        side = (word >> SIDE_SHIFT) & 255
        if side == NO_SIDE:
            self.unknown_side_prints += 1
            if not self.unknown_side_helps:
                return False
        if side != BUY:
            self.print_on(market, market.bids, price, size, now_ns)
        if side != SELL:
            self.print_on(market, market.offers, price, size, now_ns)
        return True

    def print_on(self, market: Market, levels: list[OwnLevel], price: int, size: int, now_ns: int) -> bool:
        """Let a print of the opposite aggressor meet the orders of *levels*, which are best first."""
        while levels:
            level: OwnLevel = levels[0]
            if level.price == price:
                self.print_at(market, level, size, now_ns)
                break
            if level.price < price if level.side == BID else level.price > price:
                break
            self.fill_level(market, level, THROUGH, now_ns)
        return True

    def print_at(self, market: Market, level: OwnLevel, size: int, now_ns: int) -> bool:
        """Share a print at our price: what exceeds the quantity ahead fills us, in the order of arrival."""
        level.printed += size
        filled = 0
        for order in list(level.orders):
            if order.is_blind:
                continue
            excess = size - order.ahead
            if excess <= 0:
                order.ahead -= size
                continue
            if order.ahead_part > 0.0:
                excess -= 1
            order.ahead = 0
            order.ahead_part = 0.0
            lots = (excess - filled) // market.lot_steps
            if lots > order.leaves_lots:
                lots = order.leaves_lots
            if lots > 0:
                filled += lots * market.lot_steps
                self.fill(market, order, order.price_ticks, lots, AT_PRICE, now_ns)
        return True

    def see_level(self, market: Market, side: int, price: int, size: int, now_ns: int) -> bool:
        """Let a level's new displayed size meet our orders."""
        self.refresh(market, side, price)
        if market.in_gap:
            return False
        levels = market.bids if side == BID else market.offers
        for level in levels:
            if level.price == price:
                self.move_queue(market, level, size)
                break
            if level.price < price if side == BID else level.price > price:
                break
        if size > 0:
            self.arrive(market, side, price, ARRIVED, now_ns)
        return True

    def see_quote(self, market: Market, side: int, price: int, size: int, now_ns: int) -> bool:
        """Let the new best quote of one side meet our orders, on a tape without levels."""
        taken = market.taken_bids if side == BID else market.taken_offers
        if taken:
            taken.clear()
            self.watch(market)
        if size <= 0:
            return False
        for level in list(market.bids if side == BID else market.offers):
            if level.price == price:
                self.move_queue(market, level, size)
            elif level.price > price if side == BID else level.price < price:
                self.move_queue(market, level, 0)  # nobody else is left as good as we are
        self.arrive(market, side, price, ARRIVED, now_ns)
        return True

    def see_snapshot(self, market: Market, now_ns: int) -> bool:
        """Let a whole new book meet our orders; after a gap nobody knows what printed."""
        was_gap = market.in_gap
        if was_gap:
            market.in_gap = False
            market.gap_ns += now_ns - market.gap_began_ns
        if not market.is_watching:
            return True
        market.taken_bids.clear()
        market.taken_offers.clear()
        book = market.book
        for levels in (market.bids, market.offers):
            for level in levels:
                self.see_snapshot_level(market, level, was_gap)
        kind = AFTER_GAP if was_gap else ARRIVED
        if book.best_bid > 0:
            self.arrive(market, BID, book.best_bid, kind, now_ns)
        if book.best_offer > 0:
            self.arrive(market, OFFER, book.best_offer, kind, now_ns)
        self.watch(market)
        return True

    def see_snapshot_level(self, market: Market, level: OwnLevel, was_gap: bool) -> bool:
        """Let the size that a snapshot shows at our price move our orders."""
        if market.is_top_only:
            best = market.book.best_bid if level.side == BID else market.book.best_offer
            if level.price != best and (level.price < best) == (level.side == BID):
                return False
        size = market.book.size_at(level.side, level.price)
        if was_gap:
            self.orders_through_gap += len(level.orders)
            level.displayed = size
            level.printed = 0
        self.move_queue(market, level, size)
        return True

    def arrive(self, market: Market, side: int, price: int, kind: int, now_ns: int) -> bool:
        """Fill what rests against displayed quantity of *side* at *price*: such orders would have traded before it."""
        levels = market.offers if side == BID else market.bids
        while levels:
            level: OwnLevel = levels[0]
            if level.price > price if side == BID else level.price < price:
                break
            self.fill_level(market, level, kind, now_ns)
        return True

    def refresh(self, market: Market, side: int, price: int) -> bool:
        """Forget what we took from a level: the market has said anew what stands there."""
        taken = market.taken_bids if side == BID else market.taken_offers
        if taken and taken.pop(price, 0):
            self.watch(market)
        return True

    def move_queue(self, market: Market, level: OwnLevel, size: int) -> bool:
        """Move our orders at *level* as its displayed size becomes *size*; what printed has moved them already."""
        was = level.displayed - level.printed
        gone = was - size
        level.displayed = size
        level.printed = 0
        for order in level.orders:
            if order.is_blind:
                order.is_blind = False
                order.ahead = size
                order.ahead_part = 0.0
            elif order.ahead == 0 and order.ahead_part == 0.0:
                continue
            elif gone > 0:
                self.share(market, order, was, gone, size)
            elif order.ahead >= size:
                order.ahead = size
                order.ahead_part = 0.0
        return True

    def share(self, market: Market, order: OwnOrder, was: int, gone: int, size: int) -> bool:
        """Split a decrease between what stood ahead of and behind *order*, as the queue model judges."""
        behind = was - order.ahead - order.ahead_part
        if behind < 0.0:
            behind = 0.0
        share = self.queue.share_behind((order.ahead + order.ahead_part) / market.size_unit, behind / market.size_unit)
        if share < 1.0:
            surplus = behind - share * gone
            if surplus > 0.0:
                surplus = 0.0
            ahead = order.ahead + order.ahead_part - (1.0 - share) * gone + surplus
            if ahead < 0.0:
                ahead = 0.0
            order.ahead = int(ahead)
            order.ahead_part = ahead - order.ahead
            # A part that only rounding can have left must not cost a whole step of the next print.
            if order.ahead_part > 0.999999:
                order.ahead += 1
                order.ahead_part = 0.0
            elif order.ahead_part < 0.000001:
                order.ahead_part = 0.0
        if order.ahead >= size:
            order.ahead = size
            order.ahead_part = 0.0
        return True

    # Fills.

    def fill_level(self, market: Market, level: OwnLevel, kind: int, now_ns: int) -> bool:
        """Fill every order of *level* whole, each at its own price, and give the level up."""
        for order in list(level.orders):
            self.fill(market, order, order.price_ticks, order.leaves_lots, kind, now_ns)
        return True

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
            self.report(
                Fill(
                    order_number=order.number,
                    event_ns=now_ns,
                    receive_ns=self.known_at(now_ns),
                    fill_id=f"{self.name}-{self.fill_count}",
                    price_ticks=price_ticks,
                    quantity_lots=lots,
                    leaves_lots=order.leaves_lots,
                    is_maker=kind != TAKEN,
                    fee=self.fee(market, price_ticks, lots, kind != TAKEN),
                    fee_currency=market.instrument.settle or market.instrument.quote,
                )
            )
        if order.leaves_lots == 0:
            self.leave(market, order)
        elif is_short:
            self.end(market, order, "reduce_only", now_ns)
        return True

    def fee(self, market: Market, price_ticks: int, lots: int, is_maker: bool) -> int:
        """Return the fee of a fill in quote money: charges rounded up at the fee's scale, rebates toward zero."""
        rate: tuple[int, int] = self.maker_rate if is_maker else self.taker_rate
        if rate[0] == 0 or market.unit is None:
            return 0
        value: int = price_ticks * market.tick_steps * lots * market.lot_steps * market.unit
        unit: int = rate[1] * self.fee_unit
        if rate[0] > 0:
            return -(-value * rate[0] // unit) * self.fee_unit
        return -(value * -rate[0] // unit) * self.fee_unit

    def leave(self, market: Market, order: OwnOrder) -> bool:
        """Take an order that has ended out of the book."""
        self.open.pop(order.number, None)
        self.home.pop(order.number, None)
        return self.unrest(market, order)

    def unrest(self, market: Market, order: OwnOrder) -> bool:
        """Take an order from its level, if it rests."""
        levels = market.bids if order.side == BUY else market.offers
        for level in levels:
            if level.price == order.price and order in level.orders:
                level.orders.remove(order)
                if not level.orders:
                    levels.remove(level)
                    self.watch(market)
                return True
        return False

    def end(self, market: Market, order: OwnOrder, reason: str, now_ns: int) -> bool:
        """Cancel what is left of *order*."""
        self.leave(market, order)
        self.report(
            Canceled(
                order_number=order.number,
                event_ns=now_ns,
                receive_ns=self.known_at(now_ns),
                reason=reason,
                leaves_lots=order.leaves_lots,
            )
        )
        return True

    def watch(self, market: Market) -> bool:
        """Say which rows of *market* can concern us, from where we rest in it and took from what it displays."""
        bids = market.bids
        offers = market.offers
        has_taken = bool(market.taken_bids) or bool(market.taken_offers)
        market.is_watching = has_taken or bool(bids) or bool(offers)
        lowest = NEVER
        highest = 0
        if bids:
            level: OwnLevel = bids[len(bids) - 1]
            lowest = level.price
            level = bids[0]
            highest = level.price
        if offers:
            level = offers[0]
            if level.price < lowest:
                lowest = level.price
            level = offers[len(offers) - 1]
            if level.price > highest:
                highest = level.price
        market.bids_from = 0 if has_taken else lowest
        market.offers_to = NEVER if has_taken else highest
        return True

    # Commands.

    def submit(self, command: Command, now_ns: int) -> bool:
        arrival = self.latency.arrival_ns(now_ns)
        if arrival == REFUSED:
            self.refuse(command, "overload", now_ns, self.latency.refusal_ns(now_ns))
            return True
        # One session: a command never overtakes the one before it, nor the market that has passed.
        arrival = max(arrival, self.last_arrival_ns, self.now_ns)
        self.last_arrival_ns = arrival
        self.commands.append((arrival, command))
        if self.next_command_ns == NEVER:
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

    def known_at(self, venue_ns: int) -> int:
        """Return when a report of *venue_ns* is known here; reports of one session arrive in order."""
        known = self.latency.known_ns(venue_ns)
        if known > self.last_known_ns:
            self.last_known_ns = known
        return self.last_known_ns

    def report(self, report: Report) -> bool:
        """Send *report* on its way."""
        self.report_count += 1
        insort(self.reports, (report.receive_ns, self.report_count, report))
        self.next_report_ns = self.reports[0][0]
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
        now, command = self.commands.popleft()
        self.next_command_ns = self.commands[0][0] if self.commands else NEVER
        self.now_ns = now
        if isinstance(command, NewOrder):
            reason, text = self.check_new(command)
            if reason:
                return self.refuse(command, reason, now, self.known_at(now), text)
            return self.place(command, now)
        order = self.open.get(command.order_number)
        if order is None:
            reason = "order_closed" if command.order_number in self.used else "unknown_order"
            return self.refuse(command, reason, now, self.known_at(now))
        market = self.home[command.order_number]
        if isinstance(command, CancelOrder):
            return self.end(market, order, "user", now)
        return self.amend(market, order, command, now)

    def check_new(self, command: NewOrder) -> tuple[str, str]:
        """Return why a new order is refused and a text, or two empty texts."""
        if command.order_number in self.used:
            return "duplicate_id", ""
        if not 0 <= command.instrument < len(self.markets):
            return "venue", f"there is no instrument {command.instrument} on this tape"
        market: Market = self.markets[command.instrument]
        if market.unit is None:
            return "venue", market.trouble
        if command.side not in (BUY, SELL) or command.time_in_force not in tuple(TimeInForce):
            return "bad_flags", ""
        is_market = command.price_ticks == 0
        reason = self.check_size(market, command.price_ticks, command.quantity_lots, is_market)
        if reason:
            return reason, ""
        if command.post_only and (is_market or command.time_in_force != TimeInForce.GTC):
            return "bad_flags", "a post-only order has a price and rests"
        if command.reduce_only:
            if market.instrument.kind == "spot":
                return "bad_flags", "reduce-only orders need a derivative"
            if (market.position_lots >= 0) if command.side == BUY else (market.position_lots <= 0):
                return "reduce_only", ""
        if command.post_only and self.is_crossing(market, command.side, command.price_ticks * market.tick_steps):
            return "post_only", ""
        return "", ""

    def check_size(self, market: Market, price_ticks: int, quantity_lots: int, is_market: bool) -> str:
        """Return why a price and a total quantity are refused, or an empty text."""
        instrument = market.instrument
        if quantity_lots <= 0:
            return "bad_qty"
        if price_ticks < 0 or (price_ticks == 0 and not is_market):
            return "bad_price"
        size = quantity_lots * market.lot_steps
        if size < instrument.min_quantity_steps:
            return "min_qty"
        if instrument.max_quantity_steps and size > instrument.max_quantity_steps:
            return "max_qty"
        if is_market or not market.min_notional or market.unit is None:
            return ""
        if price_ticks * market.tick_steps * size * market.unit < market.min_notional:
            return "min_notional"
        return ""

    def is_crossing(self, market: Market, side: int, price: int) -> bool:
        """Return whether displayed quantity that we have not taken stands at *price* or better."""
        return self.takeable(market, side, price, 1) > 0

    def takeable(self, market: Market, side: int, limit: int, wanted_lots: int) -> int:
        """Return how many lots up to *wanted_lots* can be taken at *limit* or better; 0 is no limit."""
        found = 0
        for price, size in self.opposite(market, side, limit):
            found += self.left_at(market, side, price, size) // market.lot_steps
            if found >= wanted_lots:
                return wanted_lots
        return found

    def opposite(self, market: Market, side: int, limit: int) -> list[tuple[int, int]]:
        """Return the displayed levels that an order of *side* may take from, best first."""
        best = market.book.best_offer if side == BUY else market.book.best_bid
        if best == 0 or (limit and (best > limit if side == BUY else best < limit)):
            return []
        count = 16
        while True:
            levels = market.book.levels(OFFER if side == BUY else BID, count)
            is_whole = len(levels) < count
            if limit:
                inside = [level for level in levels if (level[0] <= limit if side == BUY else level[0] >= limit)]
                is_whole = is_whole or len(inside) < len(levels)
                levels = inside
            if is_whole:
                return levels
            count *= 4

    def left_at(self, market: Market, side: int, price: int, size: int) -> int:
        """Return what of a displayed level we have not taken yet."""
        taken = market.taken_offers if side == BUY else market.taken_bids
        left = size - taken.get(price, 0)
        return left if left > 0 else 0

    def place(self, command: NewOrder, now_ns: int) -> bool:
        """Accept a new order, let it take, and let the rest rest."""
        market: Market = self.markets[command.instrument]
        self.used.add(command.order_number)
        self.report(
            Accepted(
                order_number=command.order_number,
                event_ns=now_ns,
                receive_ns=self.known_at(now_ns),
                venue_order_id=str(command.order_number),
            )
        )
        price = command.price_ticks * market.tick_steps
        order = OwnOrder(command.order_number, command.side, price, command.price_ticks, command.quantity_lots)
        order.post_only = command.post_only
        order.reduce_only = command.reduce_only
        self.open[order.number] = order
        self.home[order.number] = market
        if command.time_in_force == TimeInForce.FOK:
            found = 0 if market.in_gap else self.takeable(market, order.side, price, order.leaves_lots)
            if found < order.leaves_lots:
                return self.end(market, order, "fok", now_ns)
        self.take(market, order, now_ns)
        if order.number not in self.open:
            return True
        if price == 0:
            return self.end(market, order, "no_liquidity", now_ns)
        if command.time_in_force != TimeInForce.GTC:
            return self.end(market, order, "ioc", now_ns)
        return self.rest(market, order)

    def take(self, market: Market, order: OwnOrder, now_ns: int) -> bool:
        """Let *order* take displayed quantity, level by level, each at its price; nothing during a gap."""
        if market.in_gap:
            return False
        taken = market.taken_offers if order.side == BUY else market.taken_bids
        for price, size in self.opposite(market, order.side, order.price):
            lots = min(order.leaves_lots, self.left_at(market, order.side, price, size) // market.lot_steps)
            if lots <= 0:
                continue
            before = order.leaves_lots
            # A level between two of today's ticks is rounded against us.
            ticks = price // market.tick_steps
            if order.side == BUY and ticks * market.tick_steps < price:
                ticks += 1
            self.fill(market, order, ticks, lots, TAKEN, now_ns)
            taken[price] = taken.get(price, 0) + (before - order.leaves_lots) * market.lot_steps
            if order.number not in self.open:
                break
        self.watch(market)
        return True

    def rest(self, market: Market, order: OwnOrder) -> bool:
        """Let *order* join its level behind everything that is displayed there."""
        levels = market.bids if order.side == BUY else market.offers
        book = market.book
        displayed = book.size_at(order.side, order.price)
        place = 0
        for level in levels:
            if level.price == order.price:
                break
            if level.price < order.price if order.side == BUY else level.price > order.price:
                levels.insert(place, OwnLevel(order.side, order.price, displayed))
                break
            place += 1
        else:
            levels.append(OwnLevel(order.side, order.price, displayed))
        levels[place].orders.append(order)
        order.ahead = displayed
        order.ahead_part = 0.0
        order.is_blind = market.in_gap
        if market.is_top_only:
            best = book.best_bid if order.side == BUY else book.best_offer
            if best == 0 or (order.price < best if order.side == BUY else order.price > best):
                order.is_blind = True
        return self.watch(market)

    def amend(self, market: Market, order: OwnOrder, command: AmendOrder, now_ns: int) -> bool:
        """Change an order: less at the same price keeps its place, anything else is matched and queues anew."""
        filled = order.quantity_lots - order.leaves_lots
        if 0 < command.quantity_lots <= filled:
            return self.end(market, order, "amend_below_filled", now_ns)
        reason = self.check_size(market, command.price_ticks, command.quantity_lots, False)
        price = command.price_ticks * market.tick_steps
        keeps = price == order.price and command.quantity_lots <= order.quantity_lots
        if not reason and not keeps and order.post_only and self.is_crossing(market, order.side, price):
            reason = "post_only"
        if reason:
            return self.refuse(command, reason, now_ns, self.known_at(now_ns))
        if not keeps:
            self.unrest(market, order)
        order.price = price
        order.price_ticks = command.price_ticks
        order.quantity_lots = command.quantity_lots
        order.leaves_lots = command.quantity_lots - filled
        self.report(
            Amended(
                order_number=order.number,
                event_ns=now_ns,
                receive_ns=self.known_at(now_ns),
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
            self.rest(market, order)
        return True

    # What is told about the run.

    def queue_ahead(self, number: int) -> float:
        """Return how many size steps stand ahead of an open order; -1.0 if it is not open or not known."""
        order = self.open.get(number)
        if order is None or order.is_blind:
            return -1.0
        return order.ahead + order.ahead_part

    def figures(self) -> dict[str, Any]:
        """Return counts for the report: fills by evidence, gaps, prints that nobody could use."""
        span = self.now_ns - self.first_ns if self.now_ns > self.first_ns else 0
        shares = {}
        for market in self.markets:
            gap_ns = market.gap_ns + (self.now_ns - market.gap_began_ns if market.in_gap else 0)
            shares[market.instrument.name] = round(gap_ns / span, 9) if span else 0.0
        return {
            "fills": self.fill_count,
            "fills_by_evidence": dict(zip(EVIDENCE, self.evidence, strict=True)),
            "gap_share": shares,
            "prints_in_gap": self.prints_in_gap,
            "orders_through_gap": self.orders_through_gap,
            "unknown_side_prints": self.unknown_side_prints,
            "queue": self.queue.describe(),
            "latency": self.latency.describe(),
            "maker_fee": str(self.maker_fee),
            "taker_fee": str(self.taker_fee),
        }

    def assumptions(self) -> list[str]:
        """Return what this venue takes for granted, one sentence each."""
        helped = "help both sides" if self.unknown_side_helps else "help nobody"
        return [
            "Recorded data does not react to our orders: no market impact, and nobody reacts to our quotes.",
            f"Queue model: {self.queue.describe()}; a resting order joins behind all displayed quantity.",
            f"Latency model: {self.latency.describe()}.",
            f"Fees: maker {self.maker_fee}, taker {self.taker_fee} of the value, charged in the quote currency.",
            f"Prints without a side {helped}.",
            "During a gap orders stay and nothing fills; an order that the snapshot after it crosses counts as filled "
            "at its own price.",
            "Balances are not checked, and own orders do not meet each other.",
        ]
