"""How the mid moved after each of our fills: in basis points, and in money against the spread that was captured."""

from __future__ import annotations

from array import array
from typing import NamedTuple

from quotewright.kernel.codes import BUY, NEVER
from quotewright.kernel.contract_money import ContractMoney

MARKOUT_HORIZONS_NS = (1_000_000_000, 5_000_000_000, 30_000_000_000, 60_000_000_000)
"""Shortest first."""


class Markout(NamedTuple):
    """What became of the fills of one side (or both) after one horizon.

    ``bps_sum``: moves of the mid in favour of the fill added up; ``money``: what those moves made of the quantities
    filled; ``spread``: what the same fills captured against the mid when they became known; ``value``: their value.
    Money is in 10^-18 of the settlement currency.
    """

    seconds: int
    fills: int
    bps_sum: float
    money: int
    spread: int
    value: int


class Markouts:
    """How far the mid moved in favour of each fill, 1, 5, 30 and 60 s after the fill became known.

    A fill whose horizon lies beyond the end of the run, or falls on a time without a mid, is not counted. ``sums`` (in
    basis points) and ``counts`` are by horizon; those by side stand in lists of two for each horizon, buys first.
    Without a *contract* no money is counted.
    """

    def __init__(self, contract: ContractMoney | None = None) -> None:
        self.contract = contract
        self.horizons_ns = list(MARKOUT_HORIZONS_NS)
        self.sums = [0.0 for _ in self.horizons_ns]
        self.counts = [0 for _ in self.horizons_ns]
        both = 2 * len(self.horizons_ns)
        self.side_sums = [0.0] * both
        self.side_counts = [0] * both
        self.moneys = [0] * both
        self.spreads = [0] * both
        self.values = [0] * both
        self.waiting: list[tuple[int, int, int, int, int, int, int]] = []
        self.heads = array("q", [0] * len(self.horizons_ns))
        self.waits_ns = array("q", MARKOUT_HORIZONS_NS)
        self.next_ns = NEVER

    def on_fill(self, now_ns: int, side: int, mid2: int, lots: int = 0, price_ticks: int = 0) -> None:
        """Note a fill of ours at *now_ns* with the mid known then."""
        if mid2 <= 0:
            return
        size = known = spread = value = 0
        contract = self.contract
        if contract is not None and lots:
            size = (lots if side == BUY else -lots) * contract.lot_steps
            worth = contract.worth(size, price_ticks * contract.tick_steps)
            known = contract.worth_at(size, mid2)
            spread = known - worth
            value = abs(worth)
        self.waiting.append((now_ns, side, mid2, size, known, spread, value))
        if now_ns + self.waits_ns[0] < self.next_ns:
            self.next_ns = now_ns + self.waits_ns[0]

    def catch_up(self, now_ns: int, mid2: int) -> bool:
        """Settle what fell due at or before *now_ns* with the mid that was known until now."""
        next_ns = NEVER
        waiting = self.waiting
        for which in range(len(self.horizons_ns)):
            horizon_ns = self.waits_ns[which]
            head = self.heads[which]
            while head < len(waiting):
                fill_ns, side, before2, size, known, spread, value = waiting[head]
                if fill_ns + horizon_ns > now_ns:
                    if fill_ns + horizon_ns < next_ns:
                        next_ns = fill_ns + horizon_ns
                    break
                if mid2 > 0:
                    move = (mid2 - before2) * 10_000.0 / before2
                    if side != BUY:
                        move = -move
                    self.sums[which] += move
                    self.counts[which] += 1
                    place = 2 * which + (0 if side == BUY else 1)
                    self.side_sums[place] += move
                    self.side_counts[place] += 1
                    if size:
                        self.settle(place, size, known, mid2, spread, value)
                head += 1
            self.heads[which] = head
        settled = self.heads[len(self.horizons_ns) - 1]
        if settled > 1024:
            del waiting[:settled]
            for which in range(len(self.horizons_ns)):
                self.heads[which] -= settled
        self.next_ns = next_ns
        return True

    def settle(self, place: int, size: int, known: int, mid2: int, spread: int, value: int) -> None:
        """Add what a move of the mid made of a fill that was worth *known* at the mid known then."""
        contract = self.contract
        if contract is not None:
            self.moneys[place] += contract.worth_at(size, mid2) - known
            self.spreads[place] += spread
            self.values[place] += value

    def table(self) -> list[tuple[int, int, float]]:
        """Return ``(horizon in s, fills counted, mean in bps)`` for each horizon; the mean is NaN without a fill."""
        return [
            (horizon_ns // 1_000_000_000, count, total / count if count else float("nan"))
            for horizon_ns, count, total in zip(self.horizons_ns, self.counts, self.sums, strict=True)
        ]

    def of_side(self, side: int) -> list[Markout]:
        """Return what became of the buys, of the sells, or of all fills (*side* 0), by horizon."""
        found = []
        for which, horizon_ns in enumerate(self.horizons_ns):
            places = [2 * which + each for each in (0, 1) if side == 0 or (each == 0) == (side == BUY)]
            move = 0.0
            for place in places:
                move += self.side_sums[place]
            found.append(
                Markout(
                    horizon_ns // 1_000_000_000,
                    sum(self.side_counts[place] for place in places),
                    move,
                    sum(self.moneys[place] for place in places),
                    sum(self.spreads[place] for place in places),
                    sum(self.values[place] for place in places),
                )
            )
        return found
