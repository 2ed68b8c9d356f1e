"""Hold what is in use over all instruments and venues within a credit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from quotewright.config.units import Amount, Duration, Percent
from quotewright.kernel.codes import NORMAL, WARNING
from quotewright.kernel.portfolio import money_text
from quotewright.kernel.rules import RiskRule
from quotewright.plugin.settings import at_least, between, configured, positive, setting
from quotewright_plugins.risk_rules.exposure import added_by, lacks_price, longest_lots, shortest_lots, worth
from quotewright_plugins.risk_rules.losses import money_limit
from quotewright_plugins.risk_rules.scoped import breach_of, venue_of

if TYPE_CHECKING:
    from quotewright.kernel.rules import Refusal
    from quotewright.kernel.view import View
    from quotewright.model.orders import AmendOrder, NewOrder
    from quotewright.wiring import BindContext


@configured
class CreditLimit(RiskRule):
    """Refuse an order that could bring the value in use, over all instruments, beyond ``limit``.

    In use is, for each instrument, the larger of the two positions that there are if all its buying, or all its selling
    orders fill, at the last mid, times ``margin``; nothing is netted between instruments. ``per = "venue"`` holds the
    limit for each venue alone. Beyond the limit by a move of the price, ``on_breach`` holds until it is within again.
    """

    limit: Amount | Percent = setting(doc="largest value in use: an amount, or a share of capital", check=positive)
    capital: Amount | None = setting(
        default=None, doc="capital that a percentage is taken of, in quote currency", check=positive
    )
    per: Literal["all", "venue"] = setting(default="all", doc="what the limit holds for")
    margin: Percent = setting(
        default="100%", doc="share of a value that is in use: the initial margin", check=between("0.0001", "1")
    )
    warn_at: Percent = setting(
        default="80%", doc="share of the limit at which the rule warns", check=between("0.01", "1")
    )
    every: Duration = setting(default="1s", doc="how often the value is read", check=at_least(1))
    on_breach: Literal["warning", "reduce_only", "cancel_all"] = setting(
        default="reduce_only", doc="state of the system while more is in use"
    )

    def bind(self, context: BindContext) -> None:
        """Take the limit as the value that it carries."""
        self.wake_every_ns = int(self.every)
        money = money_limit(context, self.limit, self.capital)
        share, whole = self.margin.as_integer_ratio()
        self._limit = money * whole // share
        self._warn = int(self._limit * self.warn_at)
        self._breach = breach_of(self.on_breach)
        self._views = context.views
        self._is_each = self.per == "venue"

    def verdict(self, command: NewOrder | AmendOrder, view: View) -> Refusal | None:
        """Add the order's worst case to what is in use."""
        total = 0
        for one in self._views:
            if self._is_each and venue_of(one) != venue_of(view):
                continue
            added = added_by(command, view) if one is view else (0, 0)
            if (one is view and one.known_mid2 <= 0) or lacks_price(one):
                return self.refuse("no_price", f"{one.instrument.name}: there is no price to value it")
            total += self._in_use(one, *added)
        if total <= self._limit:
            return None
        return self.refuse("credit", self._text(total))

    def _in_use(self, view: View, buys: int = 0, sells: int = 0) -> int:
        return worth(view, max(abs(longest_lots(view, buys)), abs(shortest_lots(view, sells))))

    def _text(self, total: int) -> str:
        margin = "" if self.margin == 1 else f" at a margin of {self.margin!s}"
        return f"value in use {money_text(total)}, limit {money_text(self._limit)}{margin}"

    def on_wake(self, view: View) -> None:
        """Value everything."""
        totals: dict[str, int] = {}
        for one in self._views:
            where = venue_of(one) if self._is_each else ""
            totals[where] = totals.get(where, 0) + self._in_use(one)
        total = max(totals.values())
        if total >= self._warn:
            self.set_state(self._breach if total > self._limit else WARNING, self._text(total))
        elif self.state:
            self.set_state(NORMAL, "")
