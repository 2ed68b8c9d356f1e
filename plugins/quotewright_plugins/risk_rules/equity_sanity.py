"""Do not believe a sudden equity until it has been read a few times."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from quotewright.config.units import Amount, Duration
from quotewright.kernel.codes import NORMAL
from quotewright.kernel.portfolio import money_text
from quotewright.kernel.rules import RiskRule
from quotewright.plugin.settings import at_least, configured, positive, setting
from quotewright_plugins.risk_rules.scoped import breach_of

if TYPE_CHECKING:
    from quotewright.kernel.view import View
    from quotewright.wiring import BindContext


@configured
class EquitySanity(RiskRule):
    """Set ``on_breach`` while equity is ``jump`` or more away from the last reading that was believed.

    It ends when a reading is near the believed one again (a bad tick that came and went), or when ``confirm`` readings
    in a row were near one another: then the new level is believed.
    """

    jump: Amount = setting(doc="change of equity between two readings that is not believed at once", check=positive)
    confirm: int = setting(default=3, doc="readings in a row after which a new level is believed", check=at_least(2))
    every: Duration = setting(default="1s", doc="how often equity is read", check=at_least(1))
    on_breach: Literal["warning", "reduce_only", "cancel_all"] = setting(
        default="reduce_only", doc="state of the system while a reading is not believed"
    )

    def bind(self, context: BindContext) -> None:
        """Take the jump as money; nothing has been earned yet."""
        self.wake_every_ns = int(self.every)
        self._jump = context.money(self.jump, "jump")
        self._breach = breach_of(self.on_breach)
        self._believed: int | None = 0
        self._doubted = 0
        self._readings = 0
        self._read_ns = -1

    def on_wake(self, view: View) -> None:
        """Read equity."""
        equity = view.account_equity
        if self._believed is None or abs(equity - self._believed) < self._jump:
            self._believed = equity
            self._readings = 0
            if self.state:
                self.set_state(NORMAL, "")
            return
        if self._readings == 0 or abs(equity - self._doubted) >= self._jump:
            self._readings = 1
            self._read_ns = view.now_ns
        elif view.now_ns - self._read_ns >= self.wake_every_ns:
            self._readings += 1
            self._read_ns = view.now_ns
        self._doubted = equity
        if self._readings >= self.confirm:
            self._believed = equity
            self._readings = 0
            self.set_state(NORMAL, "")
            return
        away = money_text(abs(equity - self._believed))
        self.set_state(self._breach, f"equity jumped by {away}, believed below {money_text(self._jump)}")

    def release(self, now_ns: int) -> bool:
        """While there is doubt, believe the next reading, whatever it is."""
        if self.state:
            self._believed = None
        self._readings = 0
        return super().release(now_ns)
