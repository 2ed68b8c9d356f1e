"""Pull the quotes when too much of them was taken at once: the protection that venues give their market makers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from quotewright.config.units import Amount, Duration
from quotewright.errors import ConfigError
from quotewright.kernel.codes import BUY, MONEY_SCALE
from quotewright.kernel.portfolio import money_text
from quotewright.model.orders import Fill
from quotewright.plugin.settings import at_least, configured, positive, setting
from quotewright_plugins.risk_rules.own_orders import OwnOrders
from quotewright_plugins.risk_rules.scoped import ScopedRule, breach_of, scope_of
from quotewright_plugins.risk_rules.windows import Sum, Times

if TYPE_CHECKING:
    from quotewright.kernel.view import View
    from quotewright.model.orders import Command, Report
    from quotewright.wiring import BindContext


class _Taken:
    """What was taken of one group's quotes within the window."""

    def __init__(self, window_ns: int) -> None:
        self.fills = Times(window_ns)
        self.quantity = Sum(window_ns)
        self.delta = Sum(window_ns)
        self.value = Sum(window_ns)


@configured
class MarketMakerProtection(ScopedRule):
    """Cancel all quotes of a ``group`` for ``freeze`` when within ``window`` one of the limits was reached.

    ``fills`` counts executions, ``quantity`` what was bought and sold together, ``delta`` the difference
    between what was bought and what was sold, ``value`` is the quantity in quote currency at its prices. A freeze of 0
    lasts until the operator releases it. The windows of the group start anew afterwards. Quantities are in base units
    or lots.
    """

    example: ClassVar[dict[str, Any]] = {"quantity": "10 lots"}

    window: Duration = setting(default="5s", doc="window over which fills are counted", check=at_least(1))
    freeze: Duration = setting(default="0s", doc="how long quotes stay away, 0 until the operator releases it")
    fills: int = setting(default=0, doc="executions within the window, 0 for no such limit", check=at_least(0))
    quantity: Amount | None = setting(default=None, doc="quantity bought and sold within the window", check=positive)
    delta: Amount | None = setting(default=None, doc="net quantity within the window, either way", check=positive)
    value: Amount | None = setting(default=None, doc="value bought and sold within the window", check=positive)
    group: Literal["instrument", "underlying", "strategy", "venue", "all"] = setting(
        default="instrument", doc="what is counted together and stopped"
    )
    every: Duration = setting(default="100ms", doc="how often the freeze is looked at", check=at_least(1))
    on_breach: Literal["reduce_only", "cancel_all", "halt"] = setting(default="cancel_all", doc="state while frozen")

    def bind(self, context: BindContext) -> None:
        """Take the limits as whole numbers."""
        if not (self.fills or self.quantity or self.delta or self.value):
            raise ConfigError(f"{context.where}: should limit fills, quantity, delta or value; none is given")
        self.wake_every_ns = int(self.every)
        self.breach = breach_of(self.on_breach)
        self.freeze_ns = int(self.freeze)
        self._value = context.money(self.value, "value") if self.value else 0
        self._quantity, self._units = _quantity(context, self.quantity, "quantity")
        self._delta, self._delta_units = _quantity(context, self.delta, "delta")
        self._views = context.views
        self._own = OwnOrders(context.views)
        self._taken: dict[str, _Taken] = {}

    def on_command(self, command: Command, view: View) -> None:
        """Remember whose order it is."""
        self._own.note(command, view)

    def on_report(self, report: Report, view: View) -> None:
        """Add a fill to its group and freeze it if that was too much."""
        own = self._own.of(report, view)
        if not isinstance(report, Fill):
            return
        group = f"underlying:{view.instrument.base}"
        if self.group != "underlying":
            group = scope_of(self.group, view, own.strategy)
        taken = self._taken.get(group)
        if taken is None:
            taken = self._taken[group] = _Taken(int(self.window))
        why = self._add(taken, report, view, own.side)
        if why:
            for scope in self._scopes(group):
                self.stop(scope, why, view.now_ns)

    def _add(self, taken: _Taken, report: Fill, view: View, side: int) -> str:
        now_ns, lots, key = view.now_ns, report.quantity_lots, view.instrument_id
        if self.fills:
            count = taken.fills.add(now_ns)
            if count >= self.fills:
                return f"{count} executions within {self.window}, limit {self.fills}"
        if self._quantity and key in self._units:
            total = taken.quantity.add(now_ns, lots * self._units[key])
            if total >= self._quantity:
                return f"{money_text(total)} taken within {self.window}, limit {self.quantity!s}"
        if self._delta and key in self._delta_units:
            signed = lots * self._delta_units[key]
            total = abs(taken.delta.add(now_ns, signed if side == BUY else -signed))
            if total >= self._delta:
                return f"net {money_text(total)} taken within {self.window}, limit {self.delta!s}"
        if self._value:
            price_steps = report.price_ticks * view.tick_steps
            total = taken.value.add(now_ns, abs(view.portfolio.worth(lots * view.lot_steps, price_steps)))
            if total >= self._value:
                return f"worth {money_text(total)} taken within {self.window}, limit {self.value!s}"
        return ""

    def _scopes(self, group: str) -> list[str]:
        if self.group != "underlying":
            return [group]
        return [scope_of("instrument", one) for one in self._views if f"underlying:{one.instrument.base}" == group]

    def forget(self, scope: str) -> None:
        """Count anew for the group that *scope* belongs to."""
        if self.group != "underlying":
            self._taken.pop(scope, None)
            return
        for one in self._views:
            if scope_of("instrument", one) == scope:
                self._taken.pop(f"underlying:{one.instrument.base}", None)


def _quantity(context: BindContext, amount: Amount | None, key: str) -> tuple[int, dict[int, int]]:
    """Return *amount* in 10^-18 of its unit, and how much of it one lot of each instrument is; 0 if there is none."""
    if amount is None:
        return 0, {}
    context.amount(amount, key)
    one = 10**MONEY_SCALE
    units = {}
    for view in context.views:
        if amount.unit == "lots":
            units[view.instrument_id] = one
        elif amount.unit in (view.instrument.base, "base", "contracts"):
            units[view.instrument_id] = int(view.instrument.lot_size * one)
    if not units:
        raise ConfigError(f"{context.where}.{key}: should be a quantity such as '0.5 BTC' or '5 lots', was {amount!s}")
    return int(amount.value * one), units
