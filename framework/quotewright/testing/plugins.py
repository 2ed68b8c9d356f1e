"""Conformance of plugins: whether an offer keeps its role. Each check returns sentences, none if all is well.

``quotewright plugins check`` runs :func:`check_offer`; an author's own tests call the check of their role, such as
``assert check_book(MyBook) == []``.
"""

from __future__ import annotations

import functools
import random
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import attrs

from quotewright.errors import ConfigError, QuotewrightError
from quotewright.kernel.book import BookModel
from quotewright.kernel.codes import (
    BEST_QUOTE,
    BID,
    BOOK_GOOD,
    BOOK_STALE,
    GAP,
    IN_SNAPSHOT,
    LAST,
    LEVEL_DELETE,
    LEVEL_SET,
    OFFER,
    ORDER_ADD,
    ORDER_DELETE,
    ORDER_EXECUTE,
    ORDER_REDUCE,
    SNAPSHOT_BEGIN,
    pack,
)
from quotewright.kernel.rows import TapeBuffer
from quotewright.kernel.rules import CheckRule, RiskRule
from quotewright.kernel.strategy import MultiStrategy, Strategy
from quotewright.kernel.venue import Venue
from quotewright.model.cards import load_card
from quotewright.plugin.lazy import Lazy
from quotewright.plugin.registry import ROLES, Offer, PluginSet
from quotewright.plugin.settings import config_model, info
from quotewright.testing.rules import Certificate, certify

BOOK_MESSAGES = 300


def check_offer(plugins: PluginSet, offer: Offer) -> list[str]:
    """Return what is wrong with *offer*: it cannot be used, its keys are not documented, it breaks its role's rules."""
    if offer.status != "ok":
        return [f"{offer.status}: {offer.reason}"]
    try:
        factory = plugins.get(offer.hook, offer.name)
    except ConfigError as error:
        return [str(error)]
    found = check_settings(factory)
    if offer.hook == "venue_cards":
        return found + check_card(Path(factory))
    if offer.hook in ROLES and isinstance(factory, type):
        found += check_role(offer.hook, factory)
    if offer.hook == "risk_rules" and not found:
        found += _certificate(factory).problems()
    if offer.hook == "book_models" and not found and not _has_required_keys(factory):
        found += check_book(factory)
    return found


def rule_certificate(plugins: PluginSet, offer: Offer) -> Certificate | None:
    """Return what a risk rule did when it was made to trip; None for other offers and rules that cannot be used."""
    if offer.hook != "risk_rules" or offer.status != "ok":
        return None
    try:
        return _certificate(plugins.get(offer.hook, offer.name))
    except QuotewrightError:
        return None


@functools.lru_cache(maxsize=256)
def _certificate(factory: Any) -> Certificate:
    return certify(factory)


def check_settings(factory: Any) -> list[str]:
    """Return the config keys of *factory* that have no doc line."""
    model = config_model(factory)
    if model is None:
        return []
    keys = [field for field in attrs.fields(model) if field.init]
    return [f"key '{field.name}' has no doc line" for field in keys if not info(field).doc]


def check_role(hook: str, factory: Any) -> list[str]:
    """Return how the class *factory* falls short of the role that *hook* asks for."""
    role = Lazy(ROLES[hook]).load()
    if hook == "feed_adapters" and hasattr(factory, "market"):
        return []
    if not issubclass(factory, role):
        return [f"should be a subclass of {role.__module__}.{role.__name__}"]
    return list(_lacks(factory, role))


def _lacks(factory: Any, role: type) -> Iterable[str]:
    methods: dict[Any, tuple[str, ...]] = {
        Strategy: ("on_wake",),
        Venue: ("submit", "run", "take_reports"),
        BookModel: ("apply", "size_at", "levels", "level_count"),
    }
    if role is RiskRule:
        looks = ("verdict", "on_wake", "on_report", "on_command")
        if all(getattr(factory, name) is getattr(RiskRule, name) for name in looks):
            yield "should override verdict(), on_wake() or on_report(): it holds nothing back and looks at nothing"
        if issubclass(factory, CheckRule) and factory.check is CheckRule.check:
            yield "should override check()"
        return
    for name in methods.get(role, ("on_message",)):
        if getattr(factory, name) is getattr(role, name):
            yield f"should override {name}()"
    if issubclass(factory, MultiStrategy) and factory.on_wake_legs is MultiStrategy.on_wake_legs:
        yield "should override on_wake_legs()"
    if issubclass(factory, Strategy):
        wakes = ("wake_every_ns", "wake_on_best", "wake_on_trade", "wake_on_fill")
        if not any(getattr(factory, name, 0) for name in wakes):
            yield f"would never be woken: all of {', '.join(wakes)} are off"


def check_card(path: Path) -> list[str]:
    """Return what is wrong with the file of a venue card."""
    try:
        load_card(path)
    except (QuotewrightError, OSError) as error:
        return [f"card cannot be read: {error}"]
    return []


def _has_required_keys(factory: Any) -> bool:
    model = config_model(factory)
    return model is not None and any(field.default is attrs.NOTHING for field in attrs.fields(model) if field.init)


class _Level:
    """Levels of one side, kept in the plainest way there is."""

    def __init__(self) -> None:
        self.sizes: dict[int, int] = {}

    def best_first(self, side: int) -> list[tuple[int, int]]:
        return sorted(self.sizes.items(), reverse=side == BID)


def check_book(make: Callable[[], BookModel], seed: int = 1) -> list[str]:
    """Return where a book differs from two plain dicts under random whole messages, a gap and a new snapshot.

    A book that ``wants_quotes`` is held against the last best quotes instead, one that ``wants_orders`` is told the
    same levels as single orders.
    """
    book = make()
    plain = {BID: _Level(), OFFER: _Level()}
    crowd = _Crowd()
    drawn = random.Random(seed)
    buffer = TapeBuffer()
    for number in range(BOOK_MESSAGES):
        first = buffer.count
        is_snapshot = number % 100 == 0 and not book.wants_quotes
        update = _quote if book.wants_quotes else _update
        rows = _snapshot(plain) if is_snapshot else update(plain, drawn)
        _write(buffer, crowd.orders_of(rows, drawn) if book.wants_orders else rows, IN_SNAPSHOT if is_snapshot else 0)
        moved: object = book.apply(buffer, first, buffer.count)
        if not isinstance(moved, int):
            return [f"apply() should return whether the best quotes moved, returned {moved!r}"]
        if found := _differences(book, plain):
            return [f"after message {number}: {found}"]
    first = buffer.count
    _write(buffer, [(GAP, 0, 0, 0)], 0)
    book.apply(buffer, first, buffer.count)
    if book.status != BOOK_STALE or book.is_good():
        return ["a gap should make the book stale"]
    first = buffer.count
    again = _quote(plain, drawn) if book.wants_quotes else _snapshot(plain)
    if book.wants_orders:
        again = crowd.orders_of(again, drawn)
    _write(buffer, again, 0 if book.wants_quotes else IN_SNAPSHOT)
    book.apply(buffer, first, buffer.count)
    if book.status != BOOK_GOOD:
        return [f"{'quotes of both sides' if book.wants_quotes else 'a snapshot'} should make a stale book good again"]
    return []


Row = tuple[int, ...]
"""Kind, side, price and size of a row, and the id of its order if it has one."""


class _Crowd:
    """Orders that make the levels of a book: at each price some, by id, the oldest first."""

    def __init__(self) -> None:
        self.at: dict[tuple[int, int], dict[int, int]] = {}
        self.next_id = 1

    def orders_of(self, rows: list[Row], drawn: random.Random) -> list[Row]:
        """Return rows of orders that come to the same levels as *rows*."""
        found: list[Row] = []
        for kind, side, price, size in rows:
            if kind == SNAPSHOT_BEGIN:
                self.at = {}
                found.append((kind, side, price, size))
                continue
            orders = self.at.setdefault((side, price), {})
            surplus = sum(orders.values()) - size
            for order_id, have in list(orders.items()):
                taken = min(have, surplus)
                if taken <= 0:
                    break
                surplus -= taken
                lessened = drawn.choice((ORDER_REDUCE, ORDER_EXECUTE) if taken < have else ENDS)
                found.append((lessened, side, price, taken, order_id))
                orders[order_id] -= taken
                if taken == have:
                    del orders[order_id]
            while surplus < 0:
                part = -surplus if drawn.random() < 0.5 else 1 - surplus // 2
                part = min(part, -surplus)
                surplus += part
                orders[self.next_id] = part
                found.append((ORDER_ADD, side, price, part, self.next_id))
                self.next_id += 1
        return found


ENDS = (ORDER_REDUCE, ORDER_EXECUTE, ORDER_DELETE)
"""Rows that may take the last of an order."""


def _snapshot(plain: dict[int, _Level]) -> list[Row]:
    plain[BID].sizes = {10_000 - step: 10 + step for step in range(20)}
    plain[OFFER].sizes = {10_001 + step: 10 + step for step in range(20)}
    levels: list[Row] = [(LEVEL_SET, side, price, size) for side in plain for price, size in plain[side].sizes.items()]
    return [(SNAPSHOT_BEGIN, 0, 0, 0), *levels]


def _quote(plain: dict[int, _Level], drawn: random.Random) -> list[Row]:
    rows: list[Row] = []
    for side, price in ((BID, drawn.randint(9_900, 10_000)), (OFFER, drawn.randint(10_001, 10_100))):
        plain[side].sizes = {price: drawn.randint(1, 1 << 40)}
        rows.append((BEST_QUOTE, side, price, plain[side].sizes[price]))
    return rows


def _update(plain: dict[int, _Level], drawn: random.Random) -> list[Row]:
    rows: list[Row] = []
    for _ in range(drawn.randint(1, 6)):
        side = drawn.choice((BID, OFFER))
        price = 10_000 - drawn.randint(0, 40) if side == BID else 10_001 + drawn.randint(0, 40)
        if drawn.random() < 0.4:
            plain[side].sizes.pop(price, None)
            rows.append((LEVEL_DELETE, side, price, 0))
        else:
            size = drawn.randint(1, 1 << 40)
            plain[side].sizes[price] = size
            rows.append((LEVEL_SET, side, price, size))
    return rows


def _write(buffer: TapeBuffer, rows: list[Row], flags: int) -> None:
    for number, (kind, side, price, size, *ids) in enumerate(rows, start=1):
        last = LAST if number == len(rows) else 0
        order_id = ids[0] if ids else 0
        buffer.append(buffer.count, buffer.count, price, size, order_id, pack(kind, side, flags | last, 0))


def _differences(book: BookModel, plain: dict[int, _Level]) -> str:
    for side, name in ((BID, "bid"), (OFFER, "offer")):
        expected = plain[side].best_first(side)
        best = expected[0] if expected else (0, 0)
        is_bid = side == BID
        came = (book.best_bid, book.best_bid_size) if is_bid else (book.best_offer, book.best_offer_size)
        if came != best:
            return f"best {name} should be {best[0]} of size {best[1]}, was {came[0]} of size {came[1]}"
        if book.level_count(side) != len(expected):
            return f"there should be {len(expected)} {name} levels, were {book.level_count(side)}"
        if book.levels(side, 5) != expected[:5]:
            return f"the first {name} levels should be {expected[:5]}, were {book.levels(side, 5)}"
        if any(book.size_at(side, price) != size for price, size in expected) or book.size_at(side, 9_000):
            return f"size_at() of a {name} level differs from levels()"
    return ""
