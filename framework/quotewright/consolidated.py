"""One book over several venues: what is bid and offered for one pair anywhere, who shows it, and how old it is.

Venues count in their own ticks, lots and contracts; here every price is a whole number of 10^-``price_decimals`` of the
quote currency and every size base units: whole 10^-``size_decimals`` of them, or a Fraction where a size is an inverse
contract's, which is worth its face at a price. Nothing is rounded. A book over venues is often crossed, and good all
the same: that is what an arbitrageur looks for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from fractions import Fraction
from heapq import merge
from typing import TYPE_CHECKING, TypeAlias

import attrs

from quotewright.errors import ConfigError, InputError
from quotewright.kernel.codes import BID, BUY, OFFER

if TYPE_CHECKING:
    from quotewright.kernel.view import View
    from quotewright.model.instrument import Instrument

Size: TypeAlias = int | Fraction
"""Base units in 10^-``size_decimals`` of them."""

FIRST_LEVELS = 8
"""How many levels of a book are asked for at first; more only when a walk gets so far."""


@attrs.frozen
class Level:
    """A price of the consolidated book: all that is shown there, and by which venues (place among the legs, size)."""

    price: int
    size: Size
    parts: tuple[tuple[int, Size], ...]


@attrs.frozen
class Walk:
    """What a side yields when it is walked: base size, its value in quote currency, the worst price, by leg.

    ``value`` is in 10^-(``price_decimals`` + ``size_decimals``). ``is_whole``: as much as was asked for is there.
    """

    size: Size
    value: Size
    worst_price: int
    parts: tuple[tuple[int, Size], ...]
    is_whole: bool


class Leg:
    """One venue's book in the units of all: see the module. ``place`` is its place among the legs."""

    def __init__(self, view: View, place: int, price_decimals: int, size_decimals: int) -> None:
        instrument = view.instrument
        self.view = view
        self.place = place
        self.instrument = instrument
        self.price_factor: int = 10 ** (price_decimals - instrument.price_decimals)
        self.is_inverse = instrument.is_inverse
        scale = size_decimals - instrument.size_decimals
        if self.is_inverse:  # worth of one size step in quote currency, over a price: base units
            scale += price_decimals
        exact = Fraction(instrument.contract_size) * Fraction(10) ** scale
        if exact.denominator != 1:
            raise ConfigError(f"{instrument.name}: a size step is finer than 10^-{size_decimals} {instrument.base}")
        self.size_factor = exact.numerator

    def price(self, steps: int) -> int:
        """Return a price of this venue's steps in the common unit."""
        return steps * self.price_factor

    def size(self, steps: int, price: int) -> Size:
        """Return a size of this venue's steps in base units; *price* is in the common unit."""
        if not self.is_inverse:
            return steps * self.size_factor
        return whole(Fraction(steps * self.size_factor, price))

    def size_steps(self, size: Size, price: int) -> Size:
        """Return a base size in this venue's size steps, exactly; *price* is in the common unit."""
        return whole(Fraction(size) * (price if self.is_inverse else 1) / self.size_factor)

    def is_usable(self, now_ns: int, max_age_ns: int) -> bool:
        """Return whether the book is good and was heard of, at our end, at most *max_age_ns* ago (0: however long)."""
        view = self.view
        return view.is_book_good and (max_age_ns == 0 or now_ns - view.last_book_ns <= max_age_ns)

    def best(self, side: int) -> int:
        """Return the best price of *side* in the common unit, 0 without one."""
        book = self.view.book
        return (book.best_bid if side == BID else book.best_offer) * self.price_factor

    def levels(self, side: int) -> Iterator[tuple[int, Size]]:
        """Yield price and base size of the levels of *side*, best first."""
        book = self.view.book
        done, count = 0, FIRST_LEVELS
        while True:
            found = book.levels(side, count)
            for price_steps, size_steps in found[done:]:
                price = price_steps * self.price_factor
                yield price, self.size(size_steps, price)
            if len(found) < count:
                return
            done, count = count, count * 4


class ConsolidatedBook:
    """The books of *views* as one, each view the same pair at another venue; the legs are numbered in their order.

    A leg counts while its book is good and not older than *max_age_ns* (0: however old), by the time of receipt.

    Raises:
        ConfigError: the instruments are not of one base and one quote currency, or options.
    """

    def __init__(self, views: Sequence[View], max_age_ns: int = 0) -> None:
        if not views:
            raise ConfigError("a consolidated book takes at least one instrument, was given none")
        instruments = [view.instrument for view in views]
        require_one_pair(instruments)
        self.price_decimals = max(one.price_decimals for one in instruments)
        self.size_decimals = max(base_decimals(one) for one in instruments)
        self.max_age_ns = max_age_ns
        self.legs = tuple(Leg(view, place, self.price_decimals, self.size_decimals) for place, view in enumerate(views))

    def usable(self, now_ns: int) -> tuple[Leg, ...]:
        """Return the legs that count at *now_ns*."""
        return tuple(leg for leg in self.legs if leg.is_usable(now_ns, self.max_age_ns))

    def best_bid(self, now_ns: int) -> Level | None:
        """Return the highest bid of all venues, all that is bid there; None without one."""
        return next(self.each_level(BID, now_ns), None)

    def best_offer(self, now_ns: int) -> Level | None:
        """Return the lowest offer of all venues, all that is offered there; None without one."""
        return next(self.each_level(OFFER, now_ns), None)

    def is_crossed(self, now_ns: int) -> bool:
        """Return whether a venue bids at least what another one asks: normal here, no fault of any book."""
        bid, offer = self.best_bid(now_ns), self.best_offer(now_ns)
        return bid is not None and offer is not None and bid.price >= offer.price

    def levels(self, side: int, count: int, now_ns: int) -> list[Level]:
        """Return up to *count* merged levels, best first; all of them for a negative count."""
        found: list[Level] = []
        for level in self.each_level(side, now_ns):
            if len(found) == count:
                break
            found.append(level)
        return found

    def each_level(self, side: int, now_ns: int) -> Iterator[Level]:
        """Yield the merged levels of *side*, best first; at one price the legs stand in their order."""
        sign = -1 if side == BID else 1
        streams = [_signed(leg, side, sign) for leg in self.usable(now_ns)]
        at: int | None = None
        parts: list[tuple[int, Size]] = []
        for signed, place, size in merge(*streams, key=lambda one: one[:2]):
            if at is not None and signed != at:
                yield _level(sign * at, parts)
                parts = []
            at = signed
            parts.append((place, size))
        if at is not None:
            yield _level(sign * at, parts)

    def walk(self, side: int, now_ns: int, *, size: Size | None = None, value: Size | None = None) -> Walk:
        """Return what an order of *side* (BUY, SELL) for a base *size*, or worth a *value*, finds at all venues.

        *value* is in 10^-(``price_decimals`` + ``size_decimals``) of quote currency. Without either the whole side is
        walked.
        """
        left_size, left_value = size, value
        total: Size = 0
        worth: Size = 0
        worst = 0
        by_leg: dict[int, Size] = {}
        for level in self.each_level(OFFER if side == BUY else BID, now_ns):
            for place, there in level.parts:
                taken = there
                if left_size is not None:
                    taken = min(taken, left_size)
                if left_value is not None:
                    taken = min(taken, whole(Fraction(left_value) / level.price))
                if taken <= 0:
                    return Walk(total, worth, worst, tuple(sorted(by_leg.items())), True)
                total += taken
                worth += taken * level.price
                worst = level.price
                by_leg[place] = by_leg.get(place, 0) + taken
                if left_size is not None:
                    left_size -= taken
                if left_value is not None:
                    left_value -= taken * level.price
        is_whole = (left_size is None or left_size == 0) and (left_value is None or left_value == 0)
        return Walk(total, worth, worst, tuple(sorted(by_leg.items())), is_whole)

    def price(self, price: int) -> Decimal:
        """Return a price of the common unit in quote currency."""
        return Decimal(price).scaleb(-self.price_decimals)

    def base(self, size: Size) -> Fraction:
        """Return a size in base units."""
        return Fraction(size) * Fraction(10) ** -self.size_decimals

    def quote(self, value: Size) -> Fraction:
        """Return a value of the common unit in quote currency."""
        return Fraction(value) * Fraction(10) ** -(self.price_decimals + self.size_decimals)


def _signed(leg: Leg, side: int, sign: int) -> Iterator[tuple[int, int, Size]]:
    """Yield the levels of one leg such that those of several can be merged, best first."""
    for price, size in leg.levels(side):
        yield sign * price, leg.place, size


def _level(price: int, parts: list[tuple[int, Size]]) -> Level:
    total: Size = 0
    for _, size in parts:
        total += size
    return Level(price, total, tuple(parts))


def whole(exact: Fraction) -> Size:
    """Return a fraction as the int it is, if it is one."""
    return exact.numerator if exact.denominator == 1 else exact


def base_decimals(instrument: Instrument) -> int:
    """Return with how many decimals every size of *instrument* is a whole number, of base units or of face value."""
    exponent = instrument.contract_size.normalize().as_tuple().exponent
    if not isinstance(exponent, int):
        raise InputError(f"{instrument.name}: contract_size should be a number, was {instrument.contract_size}")
    return max(0, instrument.size_decimals - exponent)


def require_one_pair(instruments: Sequence[Instrument]) -> None:
    """Check that all are the same base for the same quote currency; ConfigError naming the two that are not."""
    first = instruments[0]
    for one in instruments:
        if one.kind == "option":
            raise ConfigError(f"{one.name}: an option is no pair that other venues trade; legs are spot or contracts")
        if (one.base, one.quote) != (first.base, first.quote):
            raise ConfigError(
                f"{one.name} is {one.base} for {one.quote}, {first.name} is {first.base} for {first.quote}: "
                "a book over venues takes one base and one quote currency; name instruments of one pair"
            )
