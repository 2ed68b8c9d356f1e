"""Start small: tighter limits for the first hours of a deployment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from quotewright.config.units import Amount, Duration
from quotewright.errors import ConfigError
from quotewright.kernel.rules import RiskRule
from quotewright.model.orders import AmendOrder, NewOrder
from quotewright.plugin.settings import at_least, configured, positive, setting
from quotewright_plugins.risk_rules.windows import Times

if TYPE_CHECKING:
    from quotewright.kernel.rules import Refusal
    from quotewright.kernel.view import View
    from quotewright.model.orders import Command
    from quotewright.wiring import BindContext


@configured
class DeploymentRamp(RiskRule):
    """Hold size, position, pace and number of instruments low for ``period`` after the first order was asked for.

    With ``full_size`` the largest size grows evenly from ``size`` to it over the period. Afterwards the rule is silent;
    a restart begins anew. Limits that are not given do not hold.
    """

    example: ClassVar[dict[str, Any]] = {"size": "5 lots", "orders": 100}

    period: Duration = setting(default="24h", doc="how long the tighter limits hold", check=at_least(1))
    size: Amount | None = setting(default=None, doc="largest quantity or value of one order", check=positive)
    full_size: Amount | None = setting(default=None, doc="what size has grown to at the end", check=positive)
    position: Amount | None = setting(default=None, doc="largest worst-case position", check=positive)
    orders: int = setting(default=0, doc="orders and amends within orders_window, 0 for no limit", check=at_least(0))
    orders_window: Duration = setting(default="1m", doc="window over which they are counted", check=at_least(1))
    instruments: int = setting(default=0, doc="instruments that may be traded, 0 for no limit", check=at_least(0))

    def bind(self, context: BindContext) -> None:
        """Tie the amounts to the instruments."""
        self._size = context.amount(self.size, "size") if self.size else None
        self._full = context.amount(self.full_size, "full_size") if self.full_size else None
        self._position = context.amount(self.position, "position") if self.position else None
        if self._full is not None and self._size is None:
            raise ConfigError(f"{context.where}.size: full_size says what size grows to; size is missing")
        if not (self.size or self.position or self.orders or self.instruments):
            raise ConfigError(f"{context.where}: should limit size, position, orders or instruments; none is given")
        self._begin_ns = -1
        self._sent = Times(int(self.orders_window))
        self._traded: dict[int, None] = {}

    def verdict(self, command: NewOrder | AmendOrder, view: View) -> Refusal | None:
        """Compare with the limits of this moment."""
        if self._begin_ns < 0:
            self._begin_ns = view.now_ns
        elapsed_ns = view.now_ns - self._begin_ns
        if elapsed_ns >= self.period:
            return None
        if self._size is not None and self._size.applies_to(view):
            lots, limit = view.command_quantity_lots(command), self._size.lots(view)
            if self._full is not None and self._full.applies_to(view):
                limit += (self._full.lots(view) - limit) * elapsed_ns // int(self.period)
            if lots > limit:
                return self.refuse("size", f"{lots} lots, limit {limit} now")
        if self._position is not None and self._position.applies_to(view):
            worst, limit = abs(view.worst_case_lots(command)), self._position.lots(view)
            if worst > limit:
                return self.refuse("position", f"worst case {worst} lots, limit {limit} at first")
        if self.orders:
            count = self._sent.count(view.now_ns)
            if count >= self.orders:
                return self.refuse("orders", f"{count} within {self.orders_window}, limit {self.orders} at first")
        if self.instruments and view.instrument_id not in self._traded and len(self._traded) >= self.instruments:
            return self.refuse("instruments", f"{len(self._traded)} instruments are traded, limit {self.instruments}")
        return None

    def on_command(self, command: Command, view: View) -> None:
        """Count what leaves."""
        if isinstance(command, NewOrder | AmendOrder):
            self._sent.add(view.now_ns)
            self._traded[view.instrument_id] = None
