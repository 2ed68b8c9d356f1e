"""Every sampled signal against a slow reading of its description, on random markets, at every grid time."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable
from fractions import Fraction
from itertools import pairwise
from statistics import median
from typing import Any

import attrs
import numpy as np
import pytest

from quotewright.kernel.codes import BID, GAP, LEVEL_SET, OFFER, RESYNC, SNAPSHOT_BEGIN, TRADE
from quotewright.kernel.ladder import Ladder
from quotewright.kernel.signals import Concentration, Depth, Imbalance, Spread, WeightedMid
from quotewright.kernel.signals_flow import OrderFlowImbalance, SpreadMoves, TradeFlow, TradeRate
from quotewright.kernel.signals_impact import PriceImpact
from quotewright.kernel.signals_intensity import TradeIntensity
from quotewright.kernel.signals_liquidity import LargeOrders, LiquidityRegime
from quotewright.kernel.signals_microprice import Microprice
from quotewright.kernel.signals_volatility import RangeVolatility, Volatility
from quotewright_plugins.books.sorted_book import SortedBook
from tests.framework.kernel.signals_market import Message, Told, market
from tests.framework.kernel.stage import BUY, SECOND

STEP = SECOND // 2
SAMPLES = 20
W = STEP * SAMPLES
SECONDS = 60


@attrs.frozen
class Moment:
    """The market after every message of a time: sides best first, empty while the book is not good."""

    at: int
    bids: list[tuple[int, int]]
    offers: list[tuple[int, int]]

    @property
    def mid2(self) -> int:
        return self.bids[0][0] + self.offers[0][0] if self.bids and self.offers else 0


@attrs.frozen
class Print:
    at: int
    side: int
    price: int
    size: int
    mid2: int


class History:
    """All that happened: a moment for each time of a message, and every print."""

    def __init__(self, messages: Iterable[Message]) -> None:
        self.moments: list[Moment] = []
        self.prints: list[Print] = []
        sides: dict[int, dict[int, int]] = {BID: {}, OFFER: {}}
        is_good = False
        for at, rows in messages:
            for kind, side, price, size in rows:
                if kind == SNAPSHOT_BEGIN:
                    sides, is_good = {BID: {}, OFFER: {}}, True
                elif kind == GAP:
                    is_good = False
                elif kind == LEVEL_SET:
                    sides[side][price] = size
                    if not size:
                        del sides[side][price]
                elif kind == TRADE:
                    mid2 = self.moments[-1].mid2 if self.moments else 0
                    self.prints.append(Print(at, side, price, size, mid2))
                else:
                    assert kind == RESYNC
            bids = sorted(sides[BID].items(), reverse=True) if is_good else []
            offers = sorted(sides[OFFER].items()) if is_good else []
            self.moments.append(Moment(at, bids, offers))

    def at(self, time: int) -> Moment:
        """Return the market as it stood at *time*, its messages included."""
        found = bisect_right(self.moments, time, key=lambda moment: moment.at)
        return self.moments[found - 1] if found else Moment(0, [], [])

    def grid(self, now: int, count: int) -> list[Moment]:
        """Return the market at the last *count* grid times up to *now*, oldest first, none before the start."""
        return [self.at(time) for time in range(max(STEP, now - (count - 1) * STEP), now + 1, STEP)]

    def between(self, after: int, until: int) -> list[Print]:
        return [each for each in self.prints if after < each.at <= until]


def spread(history: History, now: int) -> float:
    values = [Fraction(20_000 * (m.offers[0][0] - m.bids[0][0]), m.mid2) for m in history.grid(now, SAMPLES) if m.mid2]
    return float(sum(values) / len(values)) if values else 0.0


def weighted_mid(history: History, now: int) -> float:
    values = []
    for moment in history.grid(now, SAMPLES):
        if moment.mid2:
            (bid, bid_size), (offer, offer_size) = moment.bids[0], moment.offers[0]
            values.append(Fraction(offer * bid_size + bid * offer_size, bid_size + offer_size))
    return float(sum(values) / len(values)) if values else 0.0


def within(moment: Moment, bps: int) -> tuple[int, int]:
    lowest = Fraction(moment.mid2, 2) * (1 - Fraction(bps, 10_000))
    highest = Fraction(moment.mid2, 2) * (1 + Fraction(bps, 10_000))
    bids = [size for price, size in moment.bids if price >= lowest]
    offers = [size for price, size in moment.offers if price <= highest]
    return sum(bids), sum(offers)


def imbalance(history: History, now: int) -> float:
    values = []
    for moment in history.grid(now, SAMPLES):
        if moment.mid2:
            bids, offers = within(moment, 5)
            values.append(Fraction(bids - offers, bids + offers) if bids + offers else Fraction(0))
    return float(sum(values) / len(values)) if values else 0.0


def depth(history: History, now: int) -> float:
    values = [
        sum(size for _, size in moment.bids[:3] + moment.offers[:3])
        for moment in history.grid(now, SAMPLES)
        if moment.mid2
    ]
    return float(Fraction(sum(values), len(values))) if values else 0.0


def concentration(history: History, now: int) -> float:
    values = []
    for moment in history.grid(now, SAMPLES):
        if moment.mid2:
            sizes = [size for _, size in moment.bids[:4] + moment.offers[:4]]
            values.append(Fraction(sum(size**2 for size in sizes), sum(sizes) ** 2))
    return float(sum(values) / len(values)) if values else 0.0


def volatility(history: History, now: int) -> float:
    mids = [moment.mid2 for moment in history.grid(now, SAMPLES + 1)]
    moves = [10_000 * math.log(new / old) for old, new in pairwise(mids) if old and new]
    return float(np.sqrt(np.mean(np.square(moves)) / 0.5)) if moves else 0.0


def ranges(history: History, now: int) -> float:
    found = []
    for start in range(max(STEP, now - SAMPLES * STEP), now, STEP):
        stood = [history.at(start)]
        times = sorted({moment.at for moment in history.moments if start < moment.at <= start + STEP})
        stood += [history.at(time) for time in times]
        if all(moment.mid2 for moment in stood):
            mids = [moment.mid2 for moment in stood]
            found.append(10_000 * math.log(max(mids) / min(mids)))
    return float(np.sqrt(np.mean(np.square(found)) / (4 * np.log(2)) / 0.5)) if found else 0.0


def order_flow(history: History, now: int) -> float:
    ends = [one for one, two in pairwise(history.moments) if one.at < two.at]
    total = 0
    for old, new in zip(ends, [*ends[1:], history.moments[-1]], strict=True):
        if not now - W < new.at <= now or not old.mid2 or not new.mid2:
            continue
        (bid0, bid_size0), (offer0, offer_size0) = old.bids[0], old.offers[0]
        (bid1, bid_size1), (offer1, offer_size1) = new.bids[0], new.offers[0]
        total += (bid1 >= bid0) * bid_size1 - (bid1 <= bid0) * bid_size0
        total += (offer1 >= offer0) * offer_size0 - (offer1 <= offer0) * offer_size1
    return float(total)


def spread_moves(history: History, now: int) -> float:
    ends = [one for one, two in pairwise(history.moments) if one.at < two.at]
    good = [end for end in range(max(STEP, now - W + STEP), now + 1, STEP) if history.at(end).mid2]
    count = 0
    for old, new in zip(ends, [*ends[1:], history.moments[-1]], strict=True):
        if old.mid2 and new.mid2 and any(end - STEP < new.at <= end for end in good):
            count += new.offers[0][0] - new.bids[0][0] != old.offers[0][0] - old.bids[0][0]
    return count / (len(good) * 0.5) if good else 0.0


def trade_flow(history: History, now: int) -> float:
    prints = history.between(now - W, now)
    signed = [each.size if each.side == BUY else -each.size for each in prints]
    return float(Fraction(sum(signed), sum(each.size for each in prints))) if prints else 0.0


def trade_rate(history: History, now: int) -> float:
    arrivals = {(each.at, each.side) for each in history.between(now - W, now)}
    return len(arrivals) / (min(now, W) / 1e9)


def impact(history: History, now: int) -> float:
    volumes, moves = [], []
    for end in range(max(STEP, now - W + STEP), now + 1, STEP):
        old, new = history.at(end - STEP).mid2 if end > STEP else 0, history.at(end).mid2
        if old and new:
            prints = history.between(end - STEP, end)
            volumes.append(sum(each.size if each.side == BUY else -each.size for each in prints))
            moves.append(1e4 * math.log(new / old))
    if len(volumes) < 2 or len(set(volumes)) < 2:
        return 0.0
    volume = np.array(volumes, float)
    design = np.stack([volume, np.ones_like(volume)], axis=1)
    return float(np.linalg.lstsq(design, np.array(moves), rcond=None)[0][0])


def arrivals_by_bin(history: History, now: int, bins: int) -> tuple[list[int], float]:
    reach: dict[tuple[int, int], tuple[int, float]] = {}
    for each in history.prints:
        key = (each.at, each.side)
        mid2 = reach[key][0] if key in reach else each.mid2
        away = ((2 * each.price - mid2) if each.side == BUY else (mid2 - 2 * each.price)) / 2
        reach[key] = (mid2, max(away, reach[key][1]) if key in reach else away)
    counts, seconds = [0] * (bins + 1), 0.0
    for end in range(max(STEP, now - W + STEP), now + 1, STEP):
        if not history.at(end).mid2:
            continue
        seconds += 0.5
        for (at, _), (mid2, away) in reach.items():
            if end - STEP < at <= end and mid2:
                counts[min(bins, max(0, math.floor(away)))] += 1
    return counts, seconds


def likelihood(history: History, now: int) -> float:
    """The decay that makes what was seen most likely, by search: arrivals stopped in their bins, or passed them all."""
    counts, seconds = arrivals_by_bin(history, now, 6)
    first = counts.index(max(counts[:6]))
    if not seconds or sum(counts[first + 1 :]) == 0 or sum(counts[first:6]) == 0:
        return 0.0

    def log_likelihood(k: float) -> float:
        inside = math.log(-math.expm1(-k))
        seen = sum(count * (inside - k * (j - first)) for j, count in enumerate(counts[:6]) if j >= first)
        return seen - counts[6] * k * (6 - first)

    low, high = 1e-6, 50.0
    for _ in range(200):
        third = (high - low) / 3
        if log_likelihood(low + third) < log_likelihood(high - third):
            low += third
        else:
            high -= third
    return low


def regression(history: History, now: int) -> float:
    counts, seconds = arrivals_by_bin(history, now, 6)
    first = counts.index(max(counts[:6]))
    reached = [sum(counts[j:]) for j in range(first, 7)]
    points = [(first + j, n) for j, n in enumerate(reached) if n]
    if not seconds or len(points) < 2:
        return 0.0
    far, n = np.array(points, float).T
    return -float(np.polyfit(far, np.log(n / (2 * seconds)), 1, w=np.sqrt(n))[0])


def regime(history: History, now: int) -> float:
    known = [moment for moment in history.grid(now, SAMPLES) if moment.mid2]
    last = history.at(now)
    if not last.mid2:
        return 0.0

    def rank(read: Callable[[Moment], Any]) -> Fraction:
        mine = read(last)
        below = sum(read(each) < mine for each in known)
        same = sum(read(each) == mine for each in known)
        return (below + Fraction(same, 2)) / len(known)

    deep = rank(lambda m: sum(size for _, size in m.bids[:3] + m.offers[:3]))
    wide = rank(lambda m: Fraction(m.offers[0][0] - m.bids[0][0], m.mid2))
    if deep <= Fraction(1, 5) or wide >= Fraction(4, 5):
        return -1.0
    return 1.0 if deep >= Fraction(4, 5) and wide <= Fraction(1, 2) else 0.0


def large_orders(history: History, now: int) -> float:
    medians: list[tuple[int, float]] = []
    tracked: dict[tuple[int, int], float] = {}
    born: list[int] = []
    for time in range(STEP, now + 1, STEP):
        moment = history.at(time)
        if not moment.mid2:
            continue
        sides = {BID: dict(moment.bids), OFFER: dict(moment.offers)}
        levels = [(BID, *each) for each in moment.bids[:5]] + [(OFFER, *each) for each in moment.offers[:5]]
        medians.append((time, median([float(size) for _, _, size in levels])))
        recent = [value for at, value in medians if at > time - W]
        bound = 3.0 * sum(recent) / len(recent)
        for side, price in list(tracked):
            if sides[side].get(price, 0) < tracked[side, price] / 2:
                del tracked[side, price]
        for side, price, size in levels:
            if size >= bound and (side, price) not in tracked:
                tracked[side, price] = bound
                born.append(time)
    return float(sum(time > now - W for time in born))


def microprice(history: History, now: int) -> float:
    """The adjusted mid with the sum of ``B^i G1`` taken in its plain form, over both halves of the states."""
    buckets, spreads = 4, 2
    states = buckets * spreads

    def state(moment: Moment) -> int:
        share = Fraction(moment.bids[0][1], moment.bids[0][1] + moment.offers[0][1])
        bucket = min(buckets - 1, math.floor(share * buckets))
        return bucket * spreads + min(spreads, moment.offers[0][0] - moment.bids[0][0]) - 1

    def mirror(one: int) -> int:
        return (buckets - 1 - one // spreads) * spreads + one % spreads

    last = history.at(now)
    if not last.mid2:
        return 0.0
    rests, moved = np.zeros((states, states)), np.zeros((states, states))
    drift, visits = np.zeros(states), np.zeros(states)
    grid = history.grid(now, SAMPLES + 1)
    pairs = [(old, new) for old, new in pairwise(grid) if old.mid2 and new.mid2]
    if 2 * len(pairs) < SAMPLES:
        return last.mid2 / 2
    for old, new in pairs:
        move = new.mid2 - old.mid2
        for one, two, by in ((state(old), state(new), move), (mirror(state(old)), mirror(state(new)), -move)):
            (moved if by else rests)[one, two] += 1
            drift[one] += by
            visits[one] += 1
    seen = np.maximum(visits, 1)[:, None]
    stay = np.eye(states) - rests / seen
    try:
        first = np.linalg.solve(stay, drift / seen[:, 0])
        onward = np.linalg.solve(stay, moved / seen)
    except np.linalg.LinAlgError:
        return float("nan")
    total, term = np.zeros(states), first
    for _ in range(1500):
        total, term = total + term, onward @ term
    if not np.all(np.abs(term) < 1e-9):
        return float("nan")  # the plain sum does not end, or takes turns
    return float(last.mid2 + total[state(last)]) / 2


SLOW = {
    "mean spread": (lambda: Spread(W, SAMPLES), spread),
    "mean weighted mid": (lambda: WeightedMid(W, SAMPLES), weighted_mid),
    "mean imbalance": (lambda: Imbalance(bps=5.0, window_ns=W, samples=SAMPLES), imbalance),
    "mean depth": (lambda: Depth(levels=3, window_ns=W, samples=SAMPLES), depth),
    "mean concentration": (lambda: Concentration(4, W, SAMPLES), concentration),
    "realised volatility": (lambda: Volatility(W, SAMPLES), volatility),
    "range volatility": (lambda: RangeVolatility(W, SAMPLES), ranges),
    "order-flow imbalance": (lambda: OrderFlowImbalance(W, SAMPLES), order_flow),
    "spread moves": (lambda: SpreadMoves(W, SAMPLES), spread_moves),
    "trade flow": (lambda: TradeFlow(W, SAMPLES), trade_flow),
    "trade rate": (lambda: TradeRate(W, SAMPLES), trade_rate),
    "price impact": (lambda: PriceImpact(W, SAMPLES), impact),
    "intensity by likelihood": (lambda: TradeIntensity(W, SAMPLES, 1.0, 6, "steps"), likelihood),
    "intensity by regression": (lambda: TradeIntensity(W, SAMPLES, 1.0, 6, "steps", "regression"), regression),
    "liquidity regime": (lambda: LiquidityRegime(W, SAMPLES, levels=3), regime),
    "large orders": (lambda: LargeOrders(W, SAMPLES, 5, 3.0), large_orders),
    "microprice": (lambda: Microprice(W, SAMPLES, 4, 2), microprice),
}


@pytest.mark.parametrize(("make", "slow"), SLOW.values(), ids=SLOW)
@pytest.mark.parametrize(("model", "seed"), [(Ladder, 1), (SortedBook, 2)])
def test_the_signal_is_what_its_description_says(make, slow, model, seed):
    messages = market(seed, SECONDS)
    history = History(messages)
    told = Told(make(), model=model)
    compared, distinct = 0, set()
    due = STEP
    for at, rows in messages:
        while due < at:
            told.view.catch_up(due)
            expected = slow(history, due)
            if not math.isnan(expected):
                assert told.signal.value == pytest.approx(expected, rel=1e-6, abs=1e-9), f"at {due}"
                compared += 1
                distinct.add(round(expected, 9))
            due += STEP
        told.message(at, rows)
    assert compared > SECONDS
    assert len(distinct) > 1
