"""Flow of orders over a window of elapsed time: signed volume, arrivals, and the contributions of the best quotes.

Prints of one taker's order, which bear one event time and one side, are one arrival. A window is made of slices that
close on the grid; the running slice counts from its close on.
"""

from __future__ import annotations

from array import array

from quotewright.kernel.book import BookModel
from quotewright.kernel.codes import BUY, SELL
from quotewright.kernel.signals import SECOND_NS, Signal


class TradeFlow(Signal):
    """Signed volume of prints over the window: (bought - sold) / (bought + sold); +1 if all takers bought."""

    def __init__(self, window_ns: int, samples: int = 60) -> None:
        super().__init__(window_ns, samples)
        self.unit = "share from -1 (all sold) to +1 (all bought)"
        self.wants_trades = True
        self.bought = array("d", bytes(8 * samples))
        self.sold = array("d", bytes(8 * samples))
        self.at = 0
        self.seen = 0

    def on_trade(self, now_ns: int, event_ns: int, side: int, price: int, size: int) -> bool:
        """Count one print in the running slice of the window."""
        if side == BUY:
            self.bought[self.at] += float(size)
        elif side == SELL:
            self.sold[self.at] += float(size)
        return True

    def sample(self, mid2: int, book: BookModel) -> bool:
        """Close the running slice and bring ``value`` up to date."""
        bought = 0.0
        sold = 0.0
        for index in range(self.samples):
            bought += self.bought[index]
            sold += self.sold[index]
        self.level = (bought - sold) / (bought + sold) if bought + sold > 0.0 else 0.0
        self.at = self.at + 1 if self.at + 1 < self.samples else 0
        self.bought[self.at] = 0.0
        self.sold[self.at] = 0.0
        self.seen += 1
        self.is_known = self.seen >= self.samples
        self.next_ns += self.sample_ns
        return True


class TradeRate(Signal):
    """Arrivals of takers' orders per second over the window; ``volume`` is the size they traded per second."""

    def __init__(self, window_ns: int, samples: int = 60) -> None:
        super().__init__(window_ns, samples)
        self.unit = "arrivals per second"
        self.time_base_ns = SECOND_NS
        self.wants_trades = True
        self.volume = 0.0
        self.arrivals = array("d", bytes(8 * samples))
        self.sizes = array("d", bytes(8 * samples))
        self.at = 0
        self.seen = 0
        self.last_event_ns = -1
        self.last_side = 0

    def on_trade(self, now_ns: int, event_ns: int, side: int, price: int, size: int) -> bool:
        if event_ns != self.last_event_ns or side != self.last_side:
            self.last_event_ns = event_ns
            self.last_side = side
            self.arrivals[self.at] += 1.0
        self.sizes[self.at] += float(size)
        return True

    def sample(self, mid2: int, book: BookModel) -> bool:
        """Close the running slice and bring ``value`` and ``volume`` up to date."""
        arrivals = 0.0
        size = 0.0
        for index in range(self.samples):
            arrivals += self.arrivals[index]
            size += self.sizes[index]
        self.seen += 1
        seconds = min(self.seen, self.samples) * (self.sample_ns * 1e-9)
        self.level = arrivals / seconds
        self.volume = size / self.size_scale / seconds
        self.at = self.at + 1 if self.at + 1 < self.samples else 0
        self.arrivals[self.at] = 0.0
        self.sizes[self.at] = 0.0
        self.is_known = self.seen >= self.samples
        self.next_ns += self.sample_ns
        return True


class BestMoves(Signal):
    """Follows the best quotes from one time to the next: what stood at one time is what its last message left.

    A time without a good book ends the run of moves. A subclass takes each move in :meth:`moved`.
    """

    def __init__(self, window_ns: int, samples: int) -> None:
        super().__init__(window_ns, samples)
        self.wants_quotes = True
        self.at = 0
        self.pending_ns = -1
        self.has_before = False
        self.has_pending = False
        self.bid = self.bid_size = self.offer = self.offer_size = 0
        self.new_bid = self.new_bid_size = self.new_offer = self.new_offer_size = 0

    def on_best(self, now_ns: int, book: BookModel) -> bool:
        if now_ns != self.pending_ns:
            self.settle()
            self.pending_ns = now_ns
        self.has_pending = book.is_good()
        self.new_bid = book.best_bid
        self.new_bid_size = book.best_bid_size
        self.new_offer = book.best_offer
        self.new_offer_size = book.best_offer_size
        return True

    def settle(self) -> bool:
        """Take the quotes noted last for those that stand."""
        if self.pending_ns < 0:
            return False
        self.pending_ns = -1
        if self.has_pending and self.has_before:
            self.moved()
        self.has_before = self.has_pending
        self.bid = self.new_bid
        self.bid_size = self.new_bid_size
        self.offer = self.new_offer
        self.offer_size = self.new_offer_size
        return True

    def moved(self) -> bool:
        """Count the move from the quotes that stood to the new ones in the running slice."""
        raise TypeError(f"{type(self).__name__} lacks moved()")


class OrderFlowImbalance(BestMoves):
    """Order-flow imbalance of the best quotes (Cont, Kukanov and Stoikov 2014), summed over the window.

    Each change of the best quotes adds ``[Pb >= Pb'] Qb - [Pb <= Pb'] Qb' - [Pa <= Pa'] Qa + [Pa >= Pa'] Qa'``, the
    primed ones before it: positive when bids were added or offers taken. ``usual_depth`` is the mean size of a best
    quote at the grid points of the window, and ``share`` the value over it. Ready once the book was good at half of
    the window's grid points.
    """

    def __init__(self, window_ns: int, samples: int = 60) -> None:
        super().__init__(window_ns, samples)
        self.unit = "size"
        self.flows = array("d", bytes(8 * samples))
        self.depths = array("d", bytes(8 * samples))
        self.known = array("q", bytes(8 * samples))
        self.usual_depth = 0.0

    @property
    def share(self) -> float:
        """The value over the usual size of a best quote, 0.0 while there is none."""
        return self.current() / self.usual_depth if self.usual_depth > 0.0 else 0.0

    def moved(self) -> bool:
        flow = 0.0
        if self.new_bid >= self.bid:
            flow += float(self.new_bid_size)
        if self.new_bid <= self.bid:
            flow -= float(self.bid_size)
        if self.new_offer <= self.offer:
            flow -= float(self.new_offer_size)
        if self.new_offer >= self.offer:
            flow += float(self.offer_size)
        self.flows[self.at] += flow
        return True

    def sample(self, mid2: int, book: BookModel) -> bool:
        """Close the running slice and bring ``value`` up to date."""
        self.settle()
        at = self.at
        self.known[at] = 0
        if mid2 > 0:
            self.known[at] = 1
            self.depths[at] = (float(book.best_bid_size) + float(book.best_offer_size)) * 0.5
        flow = 0.0
        depth = 0.0
        count = 0
        for index in range(self.samples):
            flow += self.flows[index]
            if self.known[index]:
                depth += self.depths[index]
                count += 1
        self.level = flow / self.size_scale
        self.usual_depth = depth / count / self.size_scale if count > 0 else 0.0
        self.is_known = count * 2 >= self.samples
        self.at = at + 1 if at + 1 < self.samples else 0
        self.flows[self.at] = 0.0
        self.next_ns += self.sample_ns
        return True


class SpreadMoves(BestMoves):
    """How often the spread changes per second; ``mean_bps`` is by how much on average, in basis points of the mid.

    The time of slices counts at whose end the book was good. Ready once these are half of the window.
    """

    def __init__(self, window_ns: int, samples: int = 60) -> None:
        super().__init__(window_ns, samples)
        self.unit = "changes per second"
        self.time_base_ns = SECOND_NS
        self.changes = array("d", bytes(8 * samples))
        self.sizes = array("d", bytes(8 * samples))
        self.known = array("q", bytes(8 * samples))
        self.mean_bps = 0.0

    def moved(self) -> bool:
        change = (self.new_offer - self.new_bid) - (self.offer - self.bid)
        if change < 0:
            change = -change
        if change > 0:
            self.changes[self.at] += 1.0
            self.sizes[self.at] += 20_000.0 * float(change) / float(self.new_bid + self.new_offer)
        return True

    def sample(self, mid2: int, book: BookModel) -> bool:
        """Close the running slice and bring ``value`` and ``mean_bps`` up to date."""
        self.settle()
        at = self.at
        self.known[at] = 1 if mid2 > 0 else 0
        changes = 0.0
        size = 0.0
        count = 0
        for index in range(self.samples):
            if self.known[index]:
                changes += self.changes[index]
                size += self.sizes[index]
                count += 1
        self.level = changes / (count * (self.sample_ns * 1e-9)) if count > 0 else 0.0
        self.mean_bps = size / changes if changes > 0.0 else 0.0
        self.is_known = count * 2 >= self.samples
        self.at = at + 1 if at + 1 < self.samples else 0
        self.changes[self.at] = 0.0
        self.sizes[self.at] = 0.0
        self.next_ns += self.sample_ns
        return True
