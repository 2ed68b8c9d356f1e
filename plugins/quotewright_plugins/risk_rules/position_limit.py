"""Hold the worst-case position within a limit, and bring one that is beyond it back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from quotewright.config.units import Amount, Bps, Duration, Percent
from quotewright.errors import ConfigError
from quotewright.kernel.codes import CANCEL_ALL, HALT, NORMAL, WARNING
from quotewright.kernel.rules import RiskRule
from quotewright.plugin.settings import at_least, between, configured, positive, setting
from quotewright_plugins.risk_rules.liquidation import closing_order, reach_of
from quotewright_plugins.risk_rules.scoped import breach_of, scope_of

if TYPE_CHECKING:
    from quotewright.kernel.rules import Refusal
    from quotewright.kernel.view import View
    from quotewright.model.orders import AmendOrder, NewOrder, Report
    from quotewright.wiring import BindContext


@configured
class PositionLimit(RiskRule):
    """Refuse an order whose worst case (open, pending and unknown orders all filled) lies beyond ``limit``.

    Warns from ``warn_at`` of the limit on. A position beyond the limit itself (fills that came late, a value limit
    overtaken by the price) sets ``on_breach`` until the position is below the limit again, or flat; a halt stays until
    the operator releases it. With ``liquidate`` all orders are then cancelled and what is beyond the limit is closed:
    by one reduce-only, immediate-or-cancel order at a time, at most ``slice``, at most ``collar`` through the mid, the
    next one ``retry`` later; the state then ends at the limit.
    """

    limit: Amount = setting(doc="largest absolute position, a quantity or a value", check=positive)
    warn_at: Percent = setting(
        default="80%", doc="share of the limit at which the rule warns", check=between("0.01", "1")
    )
    on_breach: Literal["reduce_only", "cancel_all", "halt"] = setting(
        default="reduce_only", doc="state of the system from a position beyond the limit until it is below again"
    )
    scope: Literal["all", "instrument"] = setting(default="all", doc="what the state holds for")
    every: Duration = setting(
        default="1s", doc="how often the position is read, besides after every report", check=at_least(1)
    )
    liquidate: bool = setting(default=False, doc="whether what is beyond the limit is closed")
    collar: Percent | Bps = setting(default="1%", doc="how far through the mid that may trade", check=positive)
    slice: Amount | None = setting(default=None, doc="most that one such order closes", check=positive)
    retry: Duration = setting(default="1s", doc="least time between two such orders", check=at_least(1))

    def bind(self, context: BindContext) -> None:
        """Tie the limit to every instrument it fits."""
        self.wake_every_ns = int(self.every)
        self._limit = context.amount(self.limit, "limit")
        self._slice = context.amount(self.slice, "slice") if self.slice else None
        self._warn = self.warn_at.as_integer_ratio()
        self._breach = breach_of(self.on_breach)
        if self.liquidate:
            if self._breach == HALT:
                raise ConfigError(f"{context.where}.liquidate: does not go with a halt, in which no order leaves")
            self._breach = int(CANCEL_ALL)
        self._reach = reach_of(self.collar)
        self._views = context.views
        self._states: dict[int, tuple[int, str]] = {}
        self._sent_ns: dict[int, int] = {}

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
        """Judge one instrument and take the most severe state of all."""
        if not self._limit.applies_to(view):
            return
        key = view.instrument_id
        before, why = self._states.get(key, (NORMAL, ""))
        state, why = self._judge(view, before, why)
        if state == before and state <= WARNING and (state == NORMAL or why == self._states[key][1]):
            return
        if state == NORMAL:
            self._states.pop(key, None)
        else:
            self._states[key] = (state, why)
        if self.scope == "instrument":
            self.set_state(state, why, scope_of("instrument", view))
            return
        for held, said in self._states.values():
            if held > state:
                state, why = held, said
        self.set_state(state, why)

    def _judge(self, view: View, before: int, why: str) -> tuple[int, str]:
        if before >= HALT:
            return before, why
        position = abs(view.position_lots)
        if position == 0:
            return NORMAL, ""
        limit = self._limit.lots(view)
        warn, whole = self._warn
        if position * whole < limit * warn:
            return NORMAL, ""
        text = f"{view.instrument.name}: position {position} lots, limit {limit}"
        if position > limit or (before > WARNING and position == limit and not self.liquidate):
            return self._breach, text
        return WARNING, text

    def actions(self, view: View) -> list[NewOrder]:
        """Close what is beyond the limit, one order at a time."""
        if not self.liquidate or not self._limit.applies_to(view):
            return []
        held = self._states.get(view.instrument_id)
        now_ns = view.now_ns
        if held is None or held[0] <= WARNING or now_ns - self._sent_ns.get(view.instrument_id, -1 << 62) < self.retry:
            return []
        limit = self._limit.lots(view)
        excess = abs(view.position_lots) - limit
        if excess <= 0:
            return []
        if self._slice is not None and self._slice.applies_to(view):
            excess = min(excess, self._slice.lots(view))
        order = closing_order(view, excess, self._reach, self.name)
        if order is None:
            return []
        self._sent_ns[view.instrument_id] = now_ns
        return [order]

    def release(self, now_ns: int) -> bool:
        """Release the latch; the next reading judges anew."""
        self._states.clear()
        return super().release(now_ns)

    def release_scope(self, scope: str, now_ns: int) -> bool:
        """Release the latch of one instrument; the next reading judges anew."""
        for view in self._views:
            if scope_of("instrument", view) == scope and scope in self.scoped:
                self._states.pop(view.instrument_id, None)
        return super().release_scope(scope, now_ns)
