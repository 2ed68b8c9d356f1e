"""The microprice of Stoikov (2018), *The micro-price: a high-frequency estimator of future prices*.

Quantitative Finance 18(12). The market is a finite chain: the share of the bid in the best sizes falls into one of
``buckets``, the spread in ticks is 1 … ``spreads`` or more. With ``P`` its transitions over one grid step, ``Q`` those
at which the mid stood still, and ``r`` the mean move of the mid, all counted over the window,

    G1 = (I - Q)^-1 r            the move expected at the next change of the mid,
    G  = (I - P)^-1 r            the limit of the moves expected in the long run.

Every observation counts twice, as it came and mirrored (bid and offer exchanged): so ``G`` of a state is minus ``G`` of
its mirror image, moves without end cancel, and the limit exists on one half of the states, where it is solved.
"""

from __future__ import annotations

from array import array

from quotewright.kernel.book import BookModel
from quotewright.kernel.signals import Signal

SMALLEST_PIVOT = 1e-9


class Microprice(Signal):
    """Mid plus the adjustment ``G`` of the state the book is in, in quote currency.

    It reads the book as it stands with what was learnt on the grid; until it is ready that is nothing, and it is the
    mid. Ready once transitions of half of the window were seen. A state that was never left, or never seen, has no
    adjustment. Where mids move by many ticks at once it may lie beyond the best quotes; ``within`` holds it between
    them. ``adjustment(bucket, spread)`` and ``first_adjustment`` are ``G`` and ``G1`` in steps.
    """

    def __init__(
        self, window_ns: int, samples: int = 600, buckets: int = 10, spreads: int = 3, within: bool = False
    ) -> None:
        super().__init__(window_ns, samples)
        if samples < 1 or not 2 <= buckets <= 100 or not 1 <= spreads <= 20:
            raise ValueError(
                "Microprice: samples should be 1 or more, buckets 2 to 100 and spreads 1 to 20, "
                f"were {samples}, {buckets} and {spreads}"
            )
        self.unit = "quote currency"
        self.buckets = buckets
        self.spreads = spreads
        self.within = within
        states = buckets * spreads
        self.before = array("q", [-1]) * samples
        self.after = array("q", [-1]) * samples
        self.moves = array("d", bytes(8 * samples))
        self.at = 0
        self.count = 0
        self.last_state = -1
        self.last_mid2 = 0
        self.visits = array("q", bytes(8 * states))
        self.drifts = array("d", bytes(8 * states))
        self.transitions = array("q", bytes(8 * states * states))
        self.rests = array("q", bytes(8 * states * states))
        self.first = array("d", bytes(8 * states))
        self.limit = array("d", bytes(8 * states))
        half = buckets // 2 * spreads
        self.matrix = array("d", bytes(8 * half * (half + 1)))

    def parameters(self) -> tuple[object, ...]:
        return (self.window_ns, self.samples, self.buckets, self.spreads, self.within)

    def state_of(self, book: BookModel) -> int:
        """Return the state that a good *book* is in: bucket, then spread."""
        bid = float(book.best_bid_size)
        share = bid / (bid + float(book.best_offer_size))
        bucket = int(share * self.buckets)
        if bucket >= self.buckets:
            bucket = self.buckets - 1
        ticks = (book.best_offer - book.best_bid + self.tick_steps - 1) // self.tick_steps
        if ticks > self.spreads:
            ticks = self.spreads
        return (bucket * self.spreads) + (ticks - 1 if ticks > 0 else 0)

    def mirror_of(self, state: int) -> int:
        """Return the state with bid and offer exchanged."""
        return (self.buckets - 1 - state // self.spreads) * self.spreads + state % self.spreads

    def note(self, before: int, after: int, move: float, weight: int) -> bool:
        """Add a transition and its mirror image, or take them away again with *weight* -1."""
        states = self.buckets * self.spreads
        for _ in range(2):
            self.visits[before] += weight
            self.drifts[before] += move * weight
            self.transitions[before * states + after] += weight
            if move == 0.0:
                self.rests[before * states + after] += weight
            before = self.mirror_of(before)
            after = self.mirror_of(after)
            move = -move
        return True

    def sample(self, mid2: int, book: BookModel) -> bool:
        """Note the transition from the last grid point, and forget the one that has left the window."""
        at = self.at
        if self.before[at] >= 0:
            self.note(self.before[at], self.after[at], self.moves[at], -1)
            self.before[at] = -1
            self.count -= 1
        state = self.state_of(book) if mid2 > 0 else -1
        if state >= 0 and self.last_state >= 0:
            self.before[at] = self.last_state
            self.after[at] = state
            self.moves[at] = float(mid2 - self.last_mid2)
            self.note(self.last_state, state, self.moves[at], 1)
            self.count += 1
        self.last_state = state
        self.last_mid2 = mid2
        self.at = at + 1 if at + 1 < self.samples else 0
        self.is_due = True
        self.next_ns += self.sample_ns
        return True

    def solve(self, which: int) -> bool:
        """Work out ``G1`` (*which* 0) or ``G`` (1) on the half of the states with fewer bids, by elimination."""
        counts = self.transitions if which else self.rests
        found = self.limit if which else self.first
        matrix = self.matrix
        states = self.buckets * self.spreads
        half = self.buckets // 2 * self.spreads
        width = half + 1
        for row in range(half):
            for column in range(width):
                matrix[row * width + column] = 0.0
            matrix[row * width + row] = 1.0
            visits = float(self.visits[row])
            if visits == 0.0:
                continue  # never seen: no adjustment
            for column in range(states):
                part = float(counts[row * states + column]) / visits
                if column < half:
                    matrix[row * width + column] -= part
                else:
                    image = self.mirror_of(column)
                    if image < half:
                        matrix[row * width + image] += part
            matrix[row * width + half] = self.drifts[row] / visits
        for pivot in range(half):
            best = pivot
            for row in range(pivot + 1, half):
                if abs(matrix[row * width + pivot]) > abs(matrix[best * width + pivot]):
                    best = row
            if abs(matrix[best * width + pivot]) < SMALLEST_PIVOT:
                for column in range(width):  # the chain was never seen to turn from here: no adjustment
                    matrix[pivot * width + column] = 0.0
                matrix[pivot * width + pivot] = 1.0
                continue
            if best != pivot:
                for column in range(width):
                    part = matrix[pivot * width + column]
                    matrix[pivot * width + column] = matrix[best * width + column]
                    matrix[best * width + column] = part
            for row in range(pivot + 1, half):
                part = matrix[row * width + pivot] / matrix[pivot * width + pivot]
                if part != 0.0:
                    for column in range(pivot, width):
                        matrix[row * width + column] -= part * matrix[pivot * width + column]
        for index in range(half):
            row = half - 1 - index
            part = matrix[row * width + half]
            for column in range(row + 1, half):
                part -= matrix[row * width + column] * found[column]
            found[row] = part / matrix[row * width + row]
            found[self.mirror_of(row)] = -found[row]
        return True

    def estimate(self) -> float:
        self.solve(0)
        self.solve(1)
        self.is_known = self.count * 2 >= self.samples
        return self.level

    def current(self) -> float:
        if self.is_due:
            self.is_due = False
            self.estimate()
        book = self.book
        if book is None or not book.is_good():
            return 0.0
        price = float(book.mid2()) * 0.5
        if self.is_known:
            price += self.limit[self.state_of(book)] * 0.5
        if self.within:
            price = min(max(price, float(book.best_bid)), float(book.best_offer))
        return price / self.price_scale

    def ready(self) -> bool:
        if self.is_due:
            self.is_due = False
            self.estimate()
        book = self.book
        return self.is_known and book is not None and book.is_good()

    def adjustment(self, bucket: int, spread: int) -> float:
        """Return ``G`` in steps for the *bucket* (0: all offers) and the *spread* in ticks."""
        self.ready()
        return self.limit[bucket * self.spreads + spread - 1] * 0.5

    def first_adjustment(self, bucket: int, spread: int) -> float:
        """Return ``G1`` in steps for the *bucket* (0: all offers) and the *spread* in ticks."""
        self.ready()
        return self.first[bucket * self.spreads + spread - 1] * 0.5
