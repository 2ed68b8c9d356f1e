"""Plugins that fail, each in one place, named ``module:Class`` in a config."""

from __future__ import annotations

from quotewright.kernel.rules import RiskRule
from quotewright.kernel.strategy import Strategy
from quotewright_plugins.books.sorted_book import SortedBook
from quotewright_simexchange.local import LocalExchange

LOTS = 1000
SECOND = 1_000_000_000
LATE = 2 * SECOND


def fail() -> None:
    raise ZeroDivisionError("the plugin divides by zero")


def is_late(now_ns: int) -> bool:
    """Return whether two seconds of the minute are over: by then orders rest."""
    return now_ns % (60 * SECOND) > LATE


class Quoter(Strategy):
    """Joins the best bid every 100 ms."""

    wake_every_ns = SECOND // 10

    def on_wake(self, view, quotes):
        quotes.bid(view.best_bid_ticks(), LOTS)


class FailsMade(Quoter):
    def __init__(self):
        fail()


class FailsBound(Quoter):
    def bind(self, context):
        fail()


class FailsWoken(Quoter):
    def on_wake(self, view, quotes):
        if is_late(view.now_ns):
            fail()
        super().on_wake(view, quotes)


class Leaves(Quoter):
    def on_wake(self, view, quotes):
        if is_late(view.now_ns):
            raise SystemExit(3)
        super().on_wake(view, quotes)


class QuotesFractions(Quoter):
    def on_wake(self, view, quotes):
        quotes.bid(view.mid_ticks() - 0.5, LOTS)


class QuotesNan(Quoter):
    def on_wake(self, view, quotes):
        quotes.bid(float("nan"), LOTS)


class QuotesNothing(Quoter):
    def on_wake(self, view, quotes):
        quotes.bid(view.best_bid_ticks(), 0)


class Prints(Quoter):
    def on_wake(self, view, quotes):
        if view.now_ns % SECOND == 0:
            print("a word from the strategy", flush=True)
        super().on_wake(view, quotes)


class Breaks(Quoter):
    """Stops in the debugger at its first wake-up."""

    def __init__(self):
        self.is_first = True

    def on_wake(self, view, quotes):
        if self.is_first:
            self.is_first = False
            marker = "seen from the debugger"
            breakpoint()
            self.marker = marker
        super().on_wake(view, quotes)


class Hangs(Quoter):
    """Never returns once its orders rest."""

    def on_wake(self, view, quotes):
        super().on_wake(view, quotes)
        if is_late(view.now_ns):
            print("the strategy hangs", flush=True)
            while True:
                pass


class RuleFailsBound(RiskRule):
    def bind(self, context):
        fail()


class RuleFailsAsked(RiskRule):
    def verdict(self, command, view):
        fail()


class RuleFailsWoken(RiskRule):
    wake_every_ns = SECOND

    def on_wake(self, view):
        if is_late(view.now_ns):
            fail()


class RuleFailsReported(RiskRule):
    def on_report(self, report, view):
        fail()


class RuleFailsTold(RiskRule):
    def on_command(self, command, view):
        fail()


class RuleAnswersText(RiskRule):
    def verdict(self, command, view):
        return "no"


class FullRule(RiskRule):
    """Halts when its time has come."""

    wake_every_ns = SECOND

    def on_wake(self, view):
        if is_late(view.now_ns):
            self.set_state(4, "time is up")


class BookFails(SortedBook):
    """A book that stops working after 300 messages."""

    def apply(self, rows, first, last):
        if self.messages > 300:
            fail()
        return super().apply(rows, first, last)


class VenueFailsConnected(LocalExchange):
    def connect(self, context):
        fail()


class VenueFailsTaking(LocalExchange):
    """A venue that takes ten commands and raises on every later one."""

    def submit(self, command, now_ns):
        self.commands = getattr(self, "commands", 0) + 1
        if self.commands > 10:
            fail()
        return super().submit(command, now_ns)


class VenueFailsReporting(LocalExchange):
    def take_reports(self, now_ns):
        if is_late(now_ns):
            fail()
        return super().take_reports(now_ns)


class VenueFailsRunning(LocalExchange):
    def run(self, until_ns):
        if is_late(until_ns):
            fail()
        return super().run(until_ns)


class VenueFailsClosing(LocalExchange):
    def close(self):
        fail()


class NotABook:
    pass
