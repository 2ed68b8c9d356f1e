"""Hold the worst-case value of a position within a limit: of an instrument, of an underlying, of everything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from quotewright.config.units import Amount, Duration, Percent
from quotewright.kernel.codes import BUY, NORMAL, WARNING
from quotewright.kernel.portfolio import money_text
from quotewright.kernel.rules import RiskRule
from quotewright.plugin.settings import at_least, between, configured, positive, setting
from quotewright_plugins.risk_rules.exposure import lacks_price, longest_lots, shortest_lots, worth
from quotewright_plugins.risk_rules.scoped import breach_of, venue_of

if TYPE_CHECKING:
    from quotewright.kernel.rules import Refusal
    from quotewright.kernel.view import View
    from quotewright.model.orders import AmendOrder, NewOrder
    from quotewright.wiring import BindContext


@configured
class PositionValue(RiskRule):
    """Refuse an order whose worst case would make the net position worth more than ``limit``.

    ``per`` says what is netted: nothing, all instruments of one base currency over all venues, of one venue, or
    everything. The worst case is the position with all that is open on the order's side filled, at the last mids.
    ``side`` limits only longs or only shorts. A value beyond the limit sets ``on_breach`` until it is within again.
    """

    limit: Amount = setting(doc="largest value of the position, in quote currency", check=positive)
    per: Literal["instrument", "underlying", "venue", "all"] = setting(
        default="instrument", doc="what the limit holds for"
    )
    side: Literal["both", "long", "short"] = setting(default="both", doc="which positions are limited")
    warn_at: Percent = setting(
        default="80%", doc="share of the limit at which the rule warns", check=between("0.01", "1")
    )
    every: Duration = setting(default="1s", doc="how often the value is read", check=at_least(1))
    on_breach: Literal["warning", "reduce_only", "cancel_all"] = setting(
        default="reduce_only", doc="state of the system while the position is worth more"
    )

    def bind(self, context: BindContext) -> None:
        """Take the limit as money."""
        self.wake_every_ns = int(self.every)
        self._limit = context.money(self.limit, "limit")
        self._warn = int(self._limit * self.warn_at)
        self._breach = breach_of(self.on_breach)
        self._views = context.views
        self._groups: dict[str, list[View]] = {}

    def _group(self, view: View) -> str:
        if self.per == "venue":
            return venue_of(view)
        instrument = view.instrument
        return instrument.name if self.per == "instrument" else instrument.base if self.per == "underlying" else "all"

    def _grouped(self) -> dict[str, list[View]]:
        if not self._groups:  # which venue trades what is told after the rules are bound
            for view in self._views:
                self._groups.setdefault(self._group(view), []).append(view)
        return self._groups

    def verdict(self, command: NewOrder | AmendOrder, view: View) -> Refusal | None:
        """Value the worst case of the order's side."""
        is_buy = view.command_side(command) == BUY
        if self.side == ("short" if is_buy else "long"):
            return None
        if view.known_mid2 <= 0:
            return self.refuse("no_price", f"{view.instrument.name}: there is no price to value it")
        total, added = 0, view.added_lots(command)
        for one in self._grouped()[self._group(view)]:
            if lacks_price(one):
                return self.refuse("no_price", f"{one.instrument.name}: there is no price to value it")
            more = added if one is view else 0
            total += worth(one, longest_lots(one, more) if is_buy else shortest_lots(one, more))
        if (total if is_buy else -total) <= self._limit:
            return None
        return self.refuse("value", f"worst case worth {money_text(total)}, limit {money_text(self._limit)}")

    def on_wake(self, view: View) -> None:
        """Value every position."""
        most, where = 0, ""
        for name, views in self._grouped().items():
            total = 0
            for one in views:
                if one.position_lots:
                    total += worth(one, one.position_lots)
            value = abs(total) if self.side == "both" else total if self.side == "long" else -total
            if value > most:
                most, where = value, name
        if most >= self._warn:
            text = f"{where}: position worth {money_text(most)}, limit {money_text(self._limit)}"
            self.set_state(self._breach if most > self._limit else WARNING, text)
        elif self.state:
            self.set_state(NORMAL, "")
