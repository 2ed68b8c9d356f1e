"""Stop everything and stay stopped until a person resets it."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from quotewright.config.units import Duration
from quotewright.kernel.rules import RiskRule
from quotewright.model.orders import Fill, Rejected, RiskState
from quotewright.plugin.settings import at_least, configured, setting

if TYPE_CHECKING:
    from quotewright.kernel.view import View
    from quotewright.model.orders import Report


@configured
class KillSwitch(RiskRule):
    """Set HALT after ``rejects`` orders rejected, or ``fills`` executions, within ``window``; latched until released.

    It also gives a ``halt`` of the operator its place in the config: a run with this rule ends halted, never quietly
    resumed. 0 switches a trigger off.
    """

    rejects: int = setting(
        default=50, doc="rejected orders within the window that stop everything, 0 for never", check=at_least(0)
    )
    fills: int = setting(
        default=0, doc="executions within the window that stop everything, 0 for never", check=at_least(0)
    )
    window: Duration = setting(default="10s", doc="window over which rejects and fills are counted", check=at_least(1))

    def __attrs_post_init__(self) -> None:
        self._rejected: deque[int] = deque()
        self._filled: deque[int] = deque()

    def on_report(self, report: Report, view: View) -> None:
        """Count rejects and fills within the window."""
        if isinstance(report, Rejected):
            self._count(self._rejected, self.rejects, view.now_ns, "orders rejected")
        elif isinstance(report, Fill):
            self._count(self._filled, self.fills, view.now_ns, "executions")

    def _count(self, times: deque[int], limit: int, now_ns: int, what: str) -> None:
        times.append(now_ns)
        while times[0] <= now_ns - self.window:
            times.popleft()
        if limit and len(times) >= limit:
            self.set_state(RiskState.HALT, f"{len(times)} {what} within {self.window}, limit {limit}")

    def release(self, now_ns: int) -> bool:
        """Release the halt and start counting anew."""
        self._rejected.clear()
        self._filled.clear()
        return super().release(now_ns)
