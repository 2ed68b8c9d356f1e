"""Stop a strategy that has lost too much, and no other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from quotewright.config.units import Amount, Duration, Percent
from quotewright.kernel.portfolio import Portfolio, money_text
from quotewright.model.orders import Fill
from quotewright.plugin.settings import at_least, between, configured, positive, setting
from quotewright_plugins.risk_rules.losses import money_limit
from quotewright_plugins.risk_rules.own_orders import OwnOrders
from quotewright_plugins.risk_rules.scoped import ScopedRule, breach_of, scope_of

if TYPE_CHECKING:
    from quotewright.kernel.view import View
    from quotewright.model.orders import Command, Report
    from quotewright.wiring import BindContext


class _Book:
    """What one strategy has done on every instrument, and from which profit its loss is counted."""

    def __init__(self) -> None:
        self.parts: dict[int, tuple[View, Portfolio]] = {}
        self.opening: int | None = 0
        self.readings = 0
        self.read_ns = 0

    def portfolio(self, view: View) -> Portfolio:
        part = self.parts.get(view.instrument_id)
        if part is None:
            part = self.parts[view.instrument_id] = (view, Portfolio(view.instrument))
        return part[1]

    def equity(self) -> int:
        total = 0
        for view, portfolio in self.parts.values():
            total += portfolio.equity_at(view.known_mid2)
        return total


@configured
class StrategyLoss(ScopedRule):
    """Stop a strategy when the profit of its own fills, realised and open, fees taken off, is a loss of ``limit``.

    Counted over all its instruments from the start of the run, or from the reading after the operator released it. It
    stays stopped until the operator releases it; reducing orders pass below a halt. Funding is not part of it: the
    venue pays it on the whole position.
    """

    limit: Amount | Percent = setting(doc="largest loss: an amount, or a share of capital", check=positive)
    capital: Amount | None = setting(
        default=None, doc="capital that a percentage is taken of, in quote currency", check=positive
    )
    warn_at: Percent = setting(
        default="80%", doc="share of the limit at which the rule warns", check=between("0.01", "1")
    )
    every: Duration = setting(default="1s", doc="how often the profit is read", check=at_least(1))
    confirm: int = setting(default=1, doc="readings in a row that must be beyond the limit", check=at_least(1))
    on_breach: Literal["reduce_only", "cancel_all", "halt"] = setting(
        default="cancel_all", doc="state of the strategy after the loss"
    )

    def bind(self, context: BindContext) -> None:
        """Take the limit as money."""
        self.wake_every_ns = int(self.every)
        self.breach = breach_of(self.on_breach)
        self._limit = money_limit(context, self.limit, self.capital)
        self._warn = int(self._limit * self.warn_at)
        self._own = OwnOrders(context.views)
        self._books: dict[str, _Book] = {}

    def on_command(self, command: Command, view: View) -> None:
        """Remember whose order it is."""
        self._own.note(command, view)

    def on_report(self, report: Report, view: View) -> None:
        """Book a fill for its strategy."""
        own = self._own.of(report, view)
        if isinstance(report, Fill):
            scope = scope_of("strategy", view, own.strategy)
            book = self._books.get(scope)
            if book is None:
                book = self._books[scope] = _Book()
            book.portfolio(view).book_fill(
                own.side,
                report.price_ticks,
                report.quantity_lots,
                report.fee,
                report.fee_currency,
                view.known_mid2,
                report.is_maker,
            )

    def on_wake(self, view: View) -> None:
        """Read every strategy's profit."""
        now_ns = view.now_ns
        for scope, book in self._books.items():
            if self.is_stopped(scope):
                continue
            equity = book.equity()
            if book.opening is None:
                book.opening = equity
            loss = book.opening - equity
            if loss < self._limit:
                book.readings = 0
            elif book.readings == 0 or now_ns - book.read_ns >= self.wake_every_ns:
                book.readings += 1
                book.read_ns = now_ns
            text = f"lost {money_text(loss)}, limit {money_text(self._limit)}"
            if book.readings >= self.confirm:
                self.stop(scope, text, now_ns)
            elif loss >= self._warn:
                self.warn(scope, text)
            else:
                self.calm(scope)

    def forget(self, scope: str) -> None:
        """Count the loss from the next reading on."""
        book = self._books.get(scope)
        if book is not None:
            book.opening = None
            book.readings = 0
