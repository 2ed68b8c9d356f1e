"""One instrument as strategies and rules see it: market, own position and orders, profit, risk state."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from quotewright.kernel.book import BookModel
from quotewright.kernel.codes import (
    BEST_QUOTE,
    BUY,
    CLOSED,
    CONNECTION,
    FUNDING,
    GAP,
    INDEX,
    INSTRUMENT_CHANGE,
    MARK,
    NEVER,
    NO_MARKET_BIT,
    ORDER_DELETE,
    POST_ONLY,
    RESYNC,
    SNAPSHOT_BEGIN,
    STATUS,
    TRADE,
    TRADING,
    UNDERLYING,
)
from quotewright.kernel.markouts import Markouts
from quotewright.kernel.portfolio import Portfolio, divided
from quotewright.kernel.rows import Rows
from quotewright.model.orders import AmendOrder, NewOrder

if TYPE_CHECKING:
    from quotewright.kernel.orders import Order
    from quotewright.kernel.risk import RiskGate
    from quotewright.kernel.signals import Signal
    from quotewright.model.instrument import Instrument
    from quotewright.model.orders import Payment


SECOND_NS = 1_000_000_000
HOUR_NS = 3600 * SECOND_NS
PRINTED_PART = 0x2000_0000_0000_0000
SECONDS_OF_RATE = 8 * 3600
"""A rate that accrues is told for eight hours."""


def pay(views: list[View | None], payment: Payment) -> bool:
    """Book a venue's payment on the instrument that it is for; False if that is not watched."""
    number = payment.instrument
    view = views[number] if 0 <= number < len(views) else None
    return view is not None and view.take_payment(payment)


def multiple(new: int, old: int) -> int:
    """Return how many steps of *old* the least common multiple of both is: 1 where *old* lies on the new grid."""
    larger = new
    smaller = old
    while smaller:
        larger, smaller = smaller, larger % smaller
    found = new // larger if larger else 1
    return found if found > 0 else 1


def _described(signal: Signal) -> object:
    """Return what tells *signal*, newly made, from others of its class: what it says, and what a stranger's has set."""
    own = {} if type(signal).__module__.startswith("quotewright.kernel.") else getattr(signal, "__dict__", {})
    try:
        return signal.parameters(), copy.deepcopy(own)
    except Exception:  # what cannot be copied cannot be compared either: such a signal is like no other
        return object()


def _is_same(description: object, other: object) -> bool:
    """Return whether two descriptions are equal; those that cannot say so (arrays of a stranger) are not."""
    try:
        return bool(description == other)
    except Exception:
        return False


class View:
    """What the pipeline knows of one instrument at ``now_ns``.

    Prices of the book are steps, of orders ticks; sizes of the book steps, quantities of orders lots. ``open_buy_lots``
    and ``open_sell_lots`` are the worst case: open, pending and unknown orders. ``known_mid2`` is twice the last mid of
    a good book, in steps, 0 before the first. Ticks and lots are those of the run's start throughout; when the venue
    changes them, ``tick_grid`` and ``lot_grid`` say on which multiples of them orders must lie from then on. ``status``
    is the instrument's state of trading (``TRADING``, ``POST_ONLY``, …), told at ``status_ns``. ``quoted_bid`` and
    ``quoted_offer`` are the ticker's best prices, in steps. ``portfolio`` is the instrument's, ``own`` that of the
    strategy that is being woken: the same unless several strategies trade the instrument. ``is_reachable`` says whether
    its venue takes orders now.
    ``funding_rate`` (10^-15) is that of ``funding_ns``, the next time of funding (0: not told); at that time it is
    booked into all ``portfolios`` of the instrument if ``books_funding``, at the mark. ``payments`` holds what was
    booked: time, what for, position in lots, rate or 0, price in 10^-9, and what it came to.
    """

    def __init__(self, instrument: Instrument, instrument_id: int, book: BookModel) -> None:
        self.now_ns = 0
        self.instrument = instrument
        self.instrument_id = instrument_id
        self.tick_steps = instrument.tick_steps
        self.status = TRADING
        self.status_ns = 0
        self.tick_grid = 1
        self.lot_grid = 1
        self.terms_changed = False
        self.price_scale = 10.0**instrument.price_decimals
        self.lot_steps = instrument.lot_steps
        self.book = book
        self.portfolio = Portfolio(instrument)
        self.portfolios = [self.portfolio]
        self.own = self.portfolio
        self.is_reachable = True
        self.account: RiskGate | None = None
        self.live: list[Order] = []
        self.open_buy_lots = 0
        self.open_sell_lots = 0
        self.risk_state = 0
        self.order_count = 0
        self.known_mid2 = 0
        self.last_book_ns = 0
        self.last_trade_steps = 0
        self.last_trade_ns = 0
        self.quoted_bid = 0
        self.quoted_offer = 0
        self.quoted_ns = 0
        self.mark_price = 0
        self.index_price = 0
        self.underlying_price = 0
        self.funding_rate = 0
        self.funding_ns = 0
        self.books_funding = instrument.kind == "perp"
        self.funding_due_ns = NEVER
        self.payments: list[tuple[int, str, int, int, int, int]] = []
        self.messages = 0
        self.rows = 0
        self.trades = 0
        self.printed_whole = 0
        self.printed_part = 0
        self.next_check_ns = NEVER
        self.signals: list[Signal] = []
        self.flows: list[Signal] = []
        self.watchers: list[Signal] = []
        self.declared: list[object] = []
        self.is_started = False
        self.markouts = Markouts(self.portfolio)
        self.best_moved = False
        self.traded = False
        self.goodness_changed = False
        self.was_good = False
        self.last_rows = Rows(memoryview(b"").cast("q"), 0)

    def on_message(self, rows: Rows, first: int, last: int, receive_ns: int) -> bool:
        """Apply one whole message; ``best_moved``, ``traded`` and ``goodness_changed`` then tell what it did."""
        if receive_ns > self.next_check_ns:
            self.catch_up(receive_ns - 1)
        self.now_ns = receive_ns
        self.messages += 1
        self.rows += last - first
        self.best_moved = False
        self.traded = False
        self.goodness_changed = False
        self.terms_changed = False
        kind = rows.words[first * 6 + 5] & 255
        is_book = kind == BEST_QUOTE if self.book.wants_quotes else kind <= SNAPSHOT_BEGIN
        if self.book.wants_orders:
            is_book = kind <= ORDER_DELETE
        if is_book or kind == GAP or kind == RESYNC:  # noqa: SIM109
            self.best_moved = self.book.apply(rows, first, last)
            self.last_book_ns = receive_ns
            good = self.book.is_good()
            if good:
                self.known_mid2 = self.book.best_bid + self.book.best_offer
            if good != self.was_good:
                self.was_good = good
                self.goodness_changed = True
            if self.watchers and (self.best_moved or self.goodness_changed):
                self.on_best()
            return True
        for index in range(first, last):
            at = index * 6
            kind = rows.words[at + 5] & 255
            price = rows.words[at + 2]
            if kind == TRADE:
                size = rows.words[at + 3]
                self.traded = True
                self.trades += 1
                self.printed_part += size
                if self.printed_part > PRINTED_PART:
                    self.printed_whole = self.printed_steps
                    self.printed_part = 0
                self.last_trade_steps = price
                self.last_trade_ns = receive_ns
                if self.flows and not rows.words[at + 5] & NO_MARKET_BIT:
                    self.on_trade(rows.words[at], (rows.words[at + 5] >> 8) & 255, price, size)
            elif kind == BEST_QUOTE:  # of the ticker's stream, beside a book of levels
                if (rows.words[at + 5] >> 8) & 255 == BUY:
                    self.quoted_bid = price
                else:
                    self.quoted_offer = price
                self.quoted_ns = receive_ns
            elif kind == MARK:
                self.mark_price = price
            elif kind == INDEX:
                self.index_price = price
            elif kind == UNDERLYING:
                self.underlying_price = price
            elif kind == FUNDING:
                self.take_funding(price, rows.words[at + 3])
            elif kind == STATUS:
                self.status = rows.words[at + 3]
                self.status_ns = receive_ns
                self.terms_changed = True
                if self.status == CLOSED:
                    self.expire()
            elif kind == INSTRUMENT_CHANGE:
                self.tick_grid = multiple(price, self.tick_steps)
                self.lot_grid = multiple(rows.words[at + 3], self.lot_steps)
                self.terms_changed = True
            elif kind == CONNECTION and rows.words[at + 3] == 0:
                self.book.mark_stale()
                self.goodness_changed = self.was_good
                self.was_good = False
                if self.watchers:
                    self.on_best()
        return True

    def take_funding(self, rate: int, next_ns: int) -> bool:
        """Take note of the rate that is paid at *next_ns*; 0: it accrues, unless a time was told before."""
        while self.funding_due_ns <= self.now_ns:
            self.pay_funding()
        self.funding_rate = rate
        if next_ns == 0 and self.funding_ns != 0:
            return True
        self.funding_ns = next_ns
        if self.books_funding:
            if next_ns > self.now_ns:
                self.funding_due_ns = next_ns
            elif next_ns == 0 and self.funding_due_ns == NEVER:
                self.funding_due_ns = self.now_ns + SECOND_NS
            self.next_check_ns = min(self.next_check_ns, self.funding_due_ns)
        return True

    def pay_funding(self) -> bool:
        """Book the funding that fell due on the positions held, at the last mark, at the mid where none was told.

        Where no time is told, that is the part of a second in the rate of eight hours, every second.
        """
        due_ns = self.funding_due_ns
        accrues = self.funding_ns == 0
        self.funding_due_ns = due_ns + SECOND_NS if accrues else NEVER
        mark = self.mark_price
        if mark <= 0:
            portfolio = self.portfolio
            mark = self.known_mid2 * portfolio.mark_scale // (2 * portfolio.mark_factor)
        return self.book_payments(due_ns, "accrual" if accrues else "funding", self.funding_rate, mark)

    def book_payments(self, time_ns: int, what: str, rate: int, price: int) -> bool:
        """Book funding or a settlement at *price* (10^-9) into every portfolio, and remember the instrument's own."""
        for portfolio in self.portfolios:
            lots = portfolio.position_lots
            if lots == 0:
                continue
            if what == "settlement":
                amount = portfolio.settle(price)
            else:
                amount = portfolio.funding_of(lots * self.lot_steps, rate, price)
                if what == "accrual":
                    amount = divided(amount, SECONDS_OF_RATE)
                portfolio.book_funding(amount)
            if portfolio is self.portfolio:
                if what == "accrual" and self.payments:
                    last_ns, last_what, _, _, _, before = self.payments[-1]
                    if last_what == what and last_ns // HOUR_NS == time_ns // HOUR_NS:
                        amount += before  # one line an hour
                        self.payments.pop()
                self.payments.append((time_ns, what, lots, rate, price, amount))
        return True

    def take_payment(self, payment: Payment) -> bool:
        """Book what the venue paid (or charged) for what is held; strategies share funding as they share the position.

        A settlement is booked at its price, what it comes to is reckoned here.
        """
        if payment.what != "funding":
            return self.book_payments(payment.receive_ns, payment.what, 0, payment.price)
        held = self.portfolio.position_lots
        for portfolio in self.portfolios:
            amount = payment.amount
            if portfolio is not self.portfolio:
                lots = portfolio.position_lots if held >= 0 else -portfolio.position_lots
                amount = divided(amount * lots, abs(held)) if held else 0
            portfolio.book_funding(amount)
        told = (payment.receive_ns, payment.what, held, payment.rate, payment.price, payment.amount)
        self.payments.append(told)
        return True

    def expire(self) -> bool:
        """Settle what is held of a contract that has expired, at the last index price (its underlying's without one).

        A contract that closed before its day, or whose index was never told, keeps its position at the last mid.
        """
        portfolio = self.portfolio
        price = self.index_price or self.underlying_price
        if price <= 0 or not portfolio.can_settle() or self.now_ns < portfolio.expiry_ns:
            return False
        return self.book_payments(self.now_ns, "settlement", 0, price)

    def takes_orders(self) -> bool:
        """Return whether the instrument's state of trading lets new orders rest."""
        return self.status <= POST_ONLY

    def on_trade(self, event_ns: int, side: int, price: int, size: int) -> bool:
        """Hand one print to the signals that count prints."""
        for signal in self.flows:
            signal.on_trade(self.now_ns, event_ns, side, price, size)
        return True

    def on_best(self) -> bool:
        """Hand the best quotes to the signals that follow each of their moves."""
        for signal in self.watchers:
            signal.on_best(self.now_ns, self.book)
        return True

    def catch_up(self, now_ns: int) -> bool:
        """Sample signals and settle markouts that fell due at or before *now_ns*, with today's book."""
        mid2 = self.book.mid2() if self.was_good else 0
        next_ns = NEVER
        for signal in self.signals:
            while signal.next_ns <= now_ns:
                signal.sample(mid2, self.book)
            next_ns = min(next_ns, signal.next_ns)
        if self.markouts.next_ns <= now_ns:
            self.markouts.catch_up(now_ns, self.known_mid2)
        while self.funding_due_ns <= now_ns:
            self.pay_funding()
        self.next_check_ns = min(next_ns, self.markouts.next_ns, self.funding_due_ns)
        return True

    def add_signal(self, signal: Signal) -> Signal:
        """Keep *signal* from now on and return it, or the one of its class and parameters that is kept already."""
        told = _described(signal)
        for kept, description in zip(self.signals, self.declared, strict=True):
            if type(kept) is type(signal) and _is_same(description, told):
                return kept
        signal.attach(self.instrument, self.book)
        self.signals.append(signal)
        self.declared.append(told)
        if signal.wants_trades:
            self.flows.append(signal)
        if signal.wants_quotes:
            self.watchers.append(signal)
        if self.is_started:
            signal.start(self.now_ns)
            self.next_check_ns = min(self.next_check_ns, signal.next_ns)
            if signal.wants_quotes:
                signal.on_best(self.now_ns, self.book)
        return signal

    def start(self, now_ns: int) -> None:
        """Lay the grids of all signals at the start of a run."""
        self.now_ns = now_ns
        self.is_started = True
        for signal in self.signals:
            signal.start(now_ns)
        self.next_check_ns = min((signal.next_ns for signal in self.signals), default=NEVER)

    @property
    def mid2(self) -> int:
        """Twice the mid in steps, 0 unless the book is good with both sides present."""
        return self.book.mid2() if self.was_good else 0

    @property
    def printed_steps(self) -> int:
        """Size of all prints so far, in steps."""
        return self.printed_whole + self.printed_part

    @property
    def is_book_good(self) -> bool:
        return self.was_good

    @property
    def book_status(self) -> int:
        return self.book.status

    @property
    def book_age_ns(self) -> int:
        """Time since the last message of this book."""
        return self.now_ns - self.last_book_ns

    @property
    def position_lots(self) -> int:
        return self.portfolio.position_lots

    @property
    def own_position_lots(self) -> int:
        """Position of the strategy that is being woken, signed."""
        return self.own.position_lots

    @property
    def equity(self) -> int:
        """Profit since the start at the last known mid, fees taken off, in quote money."""
        return self.portfolio.equity_at(self.known_mid2)

    @property
    def realised(self) -> int:
        return self.portfolio.realised()

    @property
    def fees(self) -> int:
        return self.portfolio.fees_at(self.known_mid2)

    @property
    def account_equity(self) -> int:
        """Profit since the start over all instruments of the run, in quote money."""
        return self.account.equity() if self.account is not None else self.equity

    def mid(self) -> float:
        """Return the mid in quote currency, 0.0 while there is none."""
        return self.mid2 / (2.0 * self.price_scale)

    def mid_ticks(self) -> float:
        """Return the mid in ticks, 0.0 while there is none."""
        mid2 = self.book.mid2() if self.was_good else 0
        return mid2 / (2.0 * self.tick_steps)

    def best_bid_ticks(self) -> int:
        """Return the highest whole tick at or below the best bid."""
        return self.book.best_bid // self.tick_steps

    def best_offer_ticks(self) -> int:
        """Return the lowest whole tick at or above the best offer."""
        return -(-self.book.best_offer // self.tick_steps)

    def command_side(self, command: NewOrder | AmendOrder) -> int:
        """Return the side of the order that *command* places or changes."""
        if isinstance(command, NewOrder):
            return command.side
        order = self.order(command.order_number)
        return order.side if order is not None else 0

    def command_price_ticks(self, command: NewOrder | AmendOrder) -> int:
        """Return the price asked for; a market order counts at the opposite best."""
        if command.price_ticks > 0:
            return command.price_ticks
        return self.best_offer_ticks() if self.command_side(command) == BUY else self.best_bid_ticks()

    def command_quantity_lots(self, command: NewOrder | AmendOrder) -> int:
        """Return the open quantity that the order would have."""
        if isinstance(command, NewOrder):
            return command.quantity_lots
        order = self.order(command.order_number)
        return max(0, command.quantity_lots - (order.filled_lots if order is not None else 0))

    def order(self, number: int) -> Order | None:
        """Return the live order with this number."""
        for order in self.live:
            if order.number == number:
                return order
        return None

    def added_lots(self, command: NewOrder | AmendOrder) -> int:
        """Return by how much *command* can raise the open quantity of its side."""
        if isinstance(command, NewOrder):
            return command.quantity_lots
        order = self.order(command.order_number)
        return max(0, self.command_quantity_lots(command) - (order.open_lots() if order is not None else 0))

    def worst_case_lots(self, command: NewOrder | AmendOrder) -> int:
        """Return the signed position if *command* fills, and everything open, pending or unknown on its side."""
        if self.command_side(command) == BUY:
            return self.position_lots + self.open_buy_lots + self.added_lots(command)
        return self.position_lots - self.open_sell_lots - self.added_lots(command)

    def is_reduced_by(self, command: NewOrder | AmendOrder) -> bool:
        """Return whether *command* only brings the position nearer to zero, whatever else of its side fills first."""
        position = self.position_lots
        if self.command_side(command) == BUY:
            return position < 0 and self.worst_case_lots(command) <= 0
        return position > 0 and self.worst_case_lots(command) >= 0

    def notional(self, price_ticks: int, quantity_lots: int) -> int:
        """Return the value of a quantity at a price, in quote money; of inverse contracts their face."""
        return self.portfolio.notional(quantity_lots * self.lot_steps, price_ticks * self.tick_steps)
