"""Hold the worst-case position within a limit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from quotewright.config.units import Amount, Duration, Percent
from quotewright.kernel.codes import HALT, NORMAL, WARNING
from quotewright.kernel.rules import RiskRule
from quotewright.model.orders import RiskState
from quotewright.plugin.settings import at_least, between, configured, positive, setting

if TYPE_CHECKING:
    from quotewright.kernel.rules import Refusal
    from quotewright.kernel.view import View
    from quotewright.model.orders import AmendOrder, NewOrder, Report
    from quotewright.wiring import BindContext


@configured
class PositionLimit(RiskRule):
    """Refuse an order whose worst case (open, pending and unknown orders all filled) lies beyond ``limit``.

    Warns from ``warn_at`` of the limit on. A position beyond the limit itself (fills that came late, a value limit
    overtaken by the price) sets ``on_breach`` until the position is below the limit again; a halt stays until the
    operator releases it.
    """

    limit: Amount = setting(doc="largest absolute position, a quantity or a value", check=positive)
    warn_at: Percent = setting(
        default="80%", doc="share of the limit at which the rule warns", check=between("0.01", "1")
    )
    on_breach: Literal["reduce_only", "cancel_all", "halt"] = setting(
        default="reduce_only", doc="state of the system from a position beyond the limit until it is below again"
    )
    every: Duration = setting(
        default="1s", doc="how often the position is read, besides after every report", check=at_least(1)
    )

    def bind(self, context: BindContext) -> None:
        """Tie the limit to every instrument it fits."""
        self.wake_every_ns = int(self.every)
        self._limit = context.amount(self.limit, "limit")
        self._views = [view for view in context.views if self._limit.applies_to(view)]
        self._warn = self.warn_at.as_integer_ratio()

    def verdict(self, command: NewOrder | AmendOrder, view: View) -> Refusal | None:
        """Refuse what could carry the position beyond the limit."""
        if not self._limit.applies_to(view):
            return None
        worst, limit = abs(view.worst_case_lots(command)), self._limit.lots(view)
        if worst <= limit:
            return None
        return self.refuse("position", f"worst case {worst} lots, limit {limit}")

    def on_report(self, report: Report, view: View) -> None:
        """Look at the position after every report."""
        self.on_wake(view)

    def on_wake(self, view: View) -> None:
        """Take the most severe state over all instruments."""
        if self.state >= HALT:
            return
        state, why = NORMAL, ""
        warn, whole = self._warn
        for one in self._views:
            position = abs(one.position_lots)
            if position == 0:
                continue
            limit = self._limit.lots(one)
            if limit <= 0 or position * whole < limit * warn:
                continue
            text = f"{one.instrument.name}: position {position} lots, limit {limit}"
            if position > limit:
                state, why = RiskState[self.on_breach.upper()], text
                break
            breached = self.state > WARNING and position >= limit
            state = max(state, self.state if breached else WARNING)
            why = text
        self.set_state(state, why)
