"""The prompt of a stepped run: where the market stands, and how far to go next."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, TextIO

import click

from quotewright.config.units import Duration, UnitError
from quotewright.errors import ConfigError, InputError
from quotewright.fetching.times import iso, time_ns
from quotewright.kernel.codes import BUY
from quotewright.kernel.portfolio import money
from quotewright.report.table import amount
from quotewright.runtime.drivers import Step

if TYPE_CHECKING:
    from quotewright.kernel.view import View
    from quotewright.runtime.session import Session

HELP = """\
  Enter, s     one step             s N    N steps, telling each
  m, w, 1s     step to the next message, the next wake, or so far, from now on
  u TIME       go on to a time: 2026-01-01T00:05Z, or +30s from here
  b            the book             o      our working orders
  c            go on to the end     q      end the run here"""


class Prompt:
    """Asks after each step how to go on; *answer* gives a line without its end, None where nobody is left to answer."""

    def __init__(self, step: Step, answer: Callable[[], str | None] | None = None, out: TextIO | None = None) -> None:
        self.step = step
        self.answer = answer or self._typed
        self.out = out
        self.left = 0
        """Steps that were asked for and are not told yet."""

    def __call__(self, session: Session) -> Step | int | None:
        """Tell how the run stands and return what to do next; see :class:`~quotewright.runtime.drivers.Stepped`."""
        self.tell(state_line(session))
        if self.left > 0:
            self.left -= 1
            return self.step
        while True:
            answer = self.answer()
            if answer is None:
                return None
            try:
                found = self.understood(session, answer.strip())
            except (ConfigError, InputError, UnitError) as error:
                self.tell(f"  {error}")
                continue
            if found is not None:
                return found if found != -1 else None

    def understood(self, session: Session, answer: str) -> Step | int | None:
        """Return what *answer* asks for: a step, a time, -1 for the end; None if it was only a question."""
        word, _, rest = answer.partition(" ")
        if word in ("", "s"):
            count = int(rest) if rest.strip().isdecimal() else 1
            self.left = max(0, count - 1)
            return self.step
        if word in ("m", "w"):
            self.step = Step("message" if word == "m" else "wake")
            return self.step
        if word == "u":
            return session.now_ns + int(Duration.parse(rest.strip()[1:])) if "+" in rest[:2] else time_ns(rest)
        if word == "c":
            return -1
        if word == "q":
            session.interrupt()
            return -1
        if word in ("b", "o"):
            for view in session.wired.views:
                self.tell("\n".join(book_lines(view) if word == "b" else order_lines(view)))
            return None
        if word[0].isdecimal():
            self.step = Step.parse(answer)
            return self.step
        self.tell(HELP)
        return None

    def tell(self, text: str) -> None:
        click.echo(text, file=self.out, err=self.out is None)

    def _typed(self) -> str | None:
        if sys.stdin.isatty():
            click.echo("step> ", nl=False, err=True)
        line = sys.stdin.readline()
        return line.rstrip("\n") if line else None


def state_line(session: Session) -> str:
    """Return one line on how a run stands."""
    parts = [iso(session.now_ns, 6), f"{session.pipeline.messages} messages"]
    for view in session.wired.views:
        instrument, book = view.instrument, view.book
        bid = f"{instrument.price_from_steps(book.best_bid):f}" if book.best_bid else "none"
        offer = f"{instrument.price_from_steps(book.best_offer):f}" if book.best_offer else "none"
        parts.append(
            f"{instrument.name} {bid} / {offer}{'' if view.is_book_good else ' (not good)'}, "
            f"position {instrument.quantity(view.position_lots):f}, {len(view.live)} working, "
            f"pnl {amount(money(view.equity))} {view.portfolio.quote}"
        )
    parts.append(f"{session.recorder.orders} orders, {session.recorder.fill_count} fills")
    return "  ".join(parts)


def book_lines(view: View, count: int = 5) -> list[str]:
    """Return the best levels, offers above bids."""
    instrument = view.instrument
    offers = [("offer", *level) for level in view.book.levels(2, count)]
    bids = [("bid", *level) for level in view.book.levels(1, count)]
    lines = [
        f"  {side:<6}{instrument.price_from_steps(price):>16f}{instrument.size_from_steps(size):>16f}"
        for side, price, size in [*reversed(offers), *bids]
    ]
    return [f"  {instrument.name}", *lines]


def order_lines(view: View) -> list[str]:
    """Return our working orders."""
    instrument = view.instrument
    lines = [
        f"  {order.number:>6} {'buy' if order.side == BUY else 'sell':<5}{instrument.price(order.price_ticks):>16f}"
        f"{instrument.quantity(order.open_lots()):>16f}"
        for order in view.live
    ]
    return [f"  {instrument.name}: {len(view.live)} working", *lines]
