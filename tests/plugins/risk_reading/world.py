"""What happened, and what it adds up to: lists of facts, exact numbers, everything worked out anew when asked.

Nothing here is shared with the order manager, the portfolio or the rules; the readings rest on it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from quotewright.model.instrument import Instrument
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
    OrderUnknown,
    Rejected,
)

BUY, SELL = 1, 2
MS = 1_000_000
SECOND = 1000 * MS
START = 1_750_075_200 * SECOND  # 16 June 2025, 12:00 UTC, a Monday


@dataclass
class Mine:
    """One order of ours as the reports tell of it."""

    number: int
    which: int
    strategy: str
    side: int
    price: int
    lots: int
    sent: int
    filled: int = 0
    wanted: tuple[int, int] | None = None  # price and quantity of an amend that is under way
    live: bool = True
    accepted: bool = False
    waiting: dict[str, int] = field(default_factory=dict)  # what was asked and not answered, since when

    def open_lots(self) -> int:
        if not self.live:
            return 0
        return max(0, max(self.lots, self.wanted[1] if self.wanted else 0) - self.filled)

    def prices(self) -> set[int]:
        return {self.price} | ({self.wanted[0]} if self.wanted else set())


@dataclass
class Traded:
    """One execution."""

    at: int
    order: Mine
    lots: int
    price: Fraction
    fee: Fraction
    fill_id: str

    @property
    def signed(self) -> int:
        return self.lots if self.order.side == BUY else -self.lots


class World:
    """The facts of a run on several instruments."""

    def __init__(self, instruments: list[Instrument], venues: list[str]) -> None:
        self.instruments = instruments
        self.venues = venues
        self.now = START
        self.tick = [Fraction(one.tick_steps, 10**one.price_decimals) for one in instruments]
        self.lot = [Fraction(one.lot_steps, 10**one.size_decimals) for one in instruments]
        count = len(instruments)
        self.good = [False] * count
        self.touch: list[tuple[int, int] | None] = [None] * count
        self.last_mid: list[Fraction | None] = [None] * count
        self.spoke: list[int | None] = [None] * count
        self.trades: list[list[tuple[int, int]]] = [[] for _ in instruments]
        self.quoted: list[tuple[int, int] | None] = [None] * count
        self.references: list[dict[str, list[tuple[int, Fraction]]]] = [{"mark": [], "index": []} for _ in instruments]
        self.reachable = [True] * count
        self.orders: dict[int, Mine] = {}
        self.fills: list[Traded] = []
        self.paid: list[tuple[int, int, Fraction]] = []

    def name(self, which: int) -> str:
        return f"instrument:{self.instruments[which].name}"

    def scope_of(self, scope: str, which: int, strategy: str) -> str:
        """Return the scope that something on an instrument by a strategy is counted in."""
        if scope == "strategy":
            return f"strategy:{strategy}"
        if scope == "instrument":
            return self.name(which)
        return f"venue:{self.venues[which]}" if scope == "venue" else ""

    # what is known of the market

    def mid(self, which: int) -> Fraction | None:
        """Return the mid in quote currency, None while the book is not good."""
        touch = self.touch[which]
        return Fraction(sum(touch), 2) * self.tick[which] if self.good[which] and touch else None

    def book(self, which: int, bid: int, offer: int) -> None:
        self.touch[which], self.good[which], self.spoke[which] = (bid, offer), True, self.now
        self.last_mid[which] = self.mid(which)

    def gap(self, which: int) -> None:
        self.good[which], self.spoke[which] = False, self.now

    # what is ours

    def on_command(self, command: Any, which: int) -> None:
        if isinstance(command, NewOrder):
            self.orders[command.order_number] = Mine(
                command.order_number, which, command.strategy, command.side, command.price_ticks,
                command.quantity_lots, self.now, waiting={"new": self.now},
            )  # fmt: skip
        elif isinstance(command, AmendOrder):
            order = self.orders[command.order_number]
            order.wanted = (command.price_ticks, command.quantity_lots)
            order.waiting["amend"] = self.now
        elif isinstance(command, CancelOrder):
            self.orders[command.order_number].waiting["cancel"] = self.now

    def on_report(self, report: Any) -> None:
        order = self.orders[report.order_number]
        if isinstance(report, Fill):
            order.filled += report.quantity_lots
            price = report.price_ticks * self.tick[order.which]
            fee = Fraction(report.fee, 10**18)
            self.fills.append(Traded(self.now, order, report.quantity_lots, price, fee, report.fill_id))
        elif isinstance(report, Accepted):
            order.accepted = True
            order.waiting.pop("new", None)
            if "unknown" in order.waiting:  # it stands after all
                order.waiting.clear()
        elif isinstance(report, Rejected | Canceled):
            order.live = False
        elif isinstance(report, Amended):
            order.price, order.lots, order.wanted = report.price_ticks, report.quantity_lots, None
            order.waiting.pop("amend", None)
        elif isinstance(report, AmendRejected):
            order.wanted = None
            order.waiting.pop("amend", None)
        elif isinstance(report, CancelRejected):
            order.waiting.pop("cancel", None)
        elif isinstance(report, OrderUnknown):
            order.waiting["unknown"] = self.now
        if isinstance(report, CancelRejected | AmendRejected):
            if report.reason in ("order_closed", "unknown_order"):
                order.waiting["unknown"] = self.now
            else:  # whoever refuses to cancel an order has it
                order.waiting.pop("new", None)
                order.waiting.pop("unknown", None)
        if order.filled >= max(order.lots, order.wanted[1] if order.wanted else 0):
            order.live = False
        if not order.live:
            order.waiting.clear()

    def live(self, which: int | None = None, side: int = 0) -> list[Mine]:
        return [
            order for order in self.orders.values()
            if order.live and which in (None, order.which) and side in (0, order.side)
        ]  # fmt: skip

    def open_lots(self, which: int, side: int) -> int:
        return sum(order.open_lots() for order in self.live(which, side))

    def position(self, which: int, strategy: str | None = None) -> int:
        """Return the position in lots, of one strategy if asked for."""
        return sum(
            fill.signed for fill in self.fills
            if fill.order.which == which and strategy in (None, fill.order.strategy)
        )  # fmt: skip

    def equity(self, strategy: str | None = None, funding: bool = True) -> Fraction:
        """Return the profit since the start at the last mids, fees taken off."""
        total = Fraction(0)
        for fill in self.fills:
            if strategy in (None, fill.order.strategy):
                which = fill.order.which
                mid = self.last_mid[which] or Fraction(0)
                total += fill.signed * self.lot[which] * (mid - fill.price) - fill.fee
        return total + (sum((amount for _, _, amount in self.paid), Fraction(0)) if funding else 0)

    def realised(self) -> Fraction:
        """Return the profit of what has been closed, by average cost, fees and funding counted."""
        total = sum((amount for _, _, amount in self.paid), Fraction(0))
        for which in range(len(self.instruments)):
            held, entry = 0, Fraction(0)  # lots, and what they cost
            for fill in self.fills:
                if fill.order.which != which:
                    continue
                total -= fill.fee
                size, price = fill.signed, fill.price * self.lot[which]
                if held * size < 0:
                    closed = min(abs(size), abs(held)) * (1 if size > 0 else -1)
                    cost = entry / abs(held) * abs(closed)
                    total += -closed * price - cost
                    entry -= cost
                    held += closed
                    size -= closed
                held += size
                entry += size * price
        return total

    # what a command would do

    def side(self, command: Any) -> int:
        return command.side if isinstance(command, NewOrder) else self.orders[command.order_number].side

    def lots(self, command: Any) -> int:
        """Return the open quantity the order would have."""
        if isinstance(command, NewOrder):
            return command.quantity_lots
        return max(0, command.quantity_lots - self.orders[command.order_number].filled)

    def added(self, command: Any) -> int:
        if isinstance(command, NewOrder):
            return command.quantity_lots
        return max(0, self.lots(command) - self.orders[command.order_number].open_lots())

    def worst(self, command: Any, which: int) -> int:
        """Return the position with everything of the command's side filled, and the command."""
        side = self.side(command)
        sign = 1 if side == BUY else -1
        return self.position(which) + sign * (self.open_lots(which, side) + self.added(command))

    def reduces(self, command: Any, which: int) -> bool:
        held, worst = self.position(which), self.worst(command, which)
        return held < 0 and worst <= 0 if self.side(command) == BUY else held > 0 and worst >= 0

    def price(self, command: Any, which: int) -> int:
        """Return the price in ticks; a market order counts at the opposite best."""
        if command.price_ticks:
            return command.price_ticks
        touch = self.touch[which]
        assert touch is not None
        return touch[1] if self.side(command) == BUY else touch[0]

    # amounts of a config

    def as_lots(self, text: str, which: int) -> Fraction:
        """Return an amount in lots: a value at the last mid, rounded down."""
        number, _, unit = text.partition(" ")
        value = Fraction(number)
        if unit == "lots":
            return value
        if unit in ("quote", "USDT"):
            mid = self.last_mid[which]
            return Fraction(0) if mid is None else Fraction(value // (mid * self.lot[which]))
        return value / self.lot[which]


def ratio(text: str) -> Fraction:
    """Return what a percentage or a number of basis points is a share of one."""
    if text.endswith("%"):
        return Fraction(text[:-1]) / 100
    return Fraction(text.removesuffix(" bps")) / 10_000


def money(text: str) -> Fraction:
    return Fraction(text.partition(" ")[0])


def span(text: str) -> int:
    """Return a duration in ns."""
    for unit, size in (
        ("ns", 1),
        ("ms", MS),
        ("s", SECOND),
        ("m", 60 * SECOND),
        ("h", 3600 * SECOND),
        ("d", 86400 * SECOND),
    ):
        if text.endswith(unit) and text[: -len(unit)].isdigit():
            return int(text[: -len(unit)]) * size
    raise ValueError(text)
