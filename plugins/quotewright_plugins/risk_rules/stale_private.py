"""Stop where the venue no longer answers: without its reports nobody knows what stands there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from quotewright.config.units import Duration
from quotewright.kernel.codes import HALT, NORMAL, OPEN
from quotewright.kernel.rules import RiskRule
from quotewright.model.orders import OrderUnknown
from quotewright.plugin.settings import at_least, configured, setting
from quotewright_plugins.risk_rules.scoped import breach_of, scope_of

if TYPE_CHECKING:
    from quotewright.kernel.rules import Refusal
    from quotewright.kernel.view import View
    from quotewright.model.orders import AmendOrder, Command, NewOrder, Report
    from quotewright.wiring import BindContext


@configured
class StalePrivate(RiskRule):
    """Set ``on_breach`` where a command has waited ``max_age`` for its answer, or the venue says it cannot be reached.

    It ends when none has waited that long any more and the venue can be reached; a halt stays until the operator
    releases it. Meanwhile orders on that instrument are refused, a reducing one too: the position that it would reduce
    is not known. Every report on an order answers it; with another command under way, or an unknown outcome, it waits
    from then on.
    """

    exempts_reducing = False
    max_age: Duration = setting(default="5s", doc="longest wait for an answer", check=at_least(1))
    scope: Literal["venue", "instrument", "all"] = setting(default="venue", doc="what the state holds for")
    every: Duration = setting(default="100ms", doc="how often the wait is read", check=at_least(1))
    on_breach: Literal["reduce_only", "cancel_all", "halt"] = setting(
        default="cancel_all", doc="state while there is no answer"
    )

    def bind(self, context: BindContext) -> None:
        """Nothing has been sent yet."""
        self.wake_every_ns = int(self.every)
        self._breach = breach_of(self.on_breach)
        self._waiting: dict[int, dict[int, int]] = {view.instrument_id: {} for view in context.views}
        self._silent: dict[int, str] = {}
        self._views = context.views

    def on_command(self, command: Command, view: View) -> None:
        """Wait for the answer; an order that waits already has waited since its first command."""
        self._waiting[view.instrument_id].setdefault(command.order_number, view.now_ns)

    def on_report(self, report: Report, view: View) -> None:
        """Note that an order was answered; with another command under way it waits from now on."""
        waiting = self._waiting[view.instrument_id]
        if isinstance(report, OrderUnknown):
            if view.order(report.order_number) is not None:
                waiting.setdefault(report.order_number, view.now_ns)
            return
        if waiting.pop(report.order_number, None) is not None:
            order = view.order(report.order_number)
            if order is not None and order.state != OPEN:
                waiting[report.order_number] = view.now_ns

    def on_wake(self, view: View) -> None:
        """Read how long one instrument's oldest command has waited, and take the state of all that share its scope."""
        why = self._why(view)
        if not why and not self._silent:
            return
        if why:
            self._silent[view.instrument_id] = why
        else:
            self._silent.pop(view.instrument_id, None)
        scope = scope_of(self.scope, view)
        for one in self._views:
            if one.instrument_id in self._silent and scope_of(self.scope, one) == scope:
                self.set_state(self._breach, self._silent[one.instrument_id], scope)
                return
        if (self.scoped.get(scope, (NORMAL, ""))[0] if scope else self.state) < HALT:
            self.set_state(NORMAL, "", scope)

    def verdict(self, command: NewOrder | AmendOrder, view: View) -> Refusal | None:
        """Refuse while the venue does not answer."""
        why = self._why(view)
        return self.refuse("silent", why) if why else None

    def _why(self, view: View) -> str:
        if not view.is_reachable:
            return f"{view.instrument.name}: its venue cannot be reached"
        waiting = self._waiting[view.instrument_id]
        if not waiting:
            return ""
        number = next(iter(waiting))
        age_ns = view.now_ns - waiting[number]
        if age_ns < self.max_age:
            return ""
        return f"{view.instrument.name}: order {number} not answered for {age_ns / 1e9:.3f} s, limit {self.max_age}"

    def release(self, now_ns: int) -> bool:
        """Forget what is silent; the next reading judges anew, as unanswered commands still are."""
        self._silent.clear()
        return super().release(now_ns)
