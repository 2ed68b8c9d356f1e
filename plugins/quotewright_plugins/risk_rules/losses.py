"""What rules on a loss of the whole account have in common: readings of equity, a limit, a warning, a latch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from quotewright.config.units import Amount, Duration, Percent
from quotewright.errors import ConfigError
from quotewright.kernel.codes import NORMAL, WARNING
from quotewright.kernel.portfolio import money_text
from quotewright.kernel.rules import RiskRule
from quotewright.model.orders import RiskState
from quotewright.plugin.settings import at_least, between, configured, positive, setting

if TYPE_CHECKING:
    from quotewright.kernel.rules import Refusal
    from quotewright.kernel.view import View
    from quotewright.model.orders import AmendOrder, NewOrder
    from quotewright.wiring import BindContext


def money_limit(context: BindContext, limit: Amount | Percent, capital: Amount | None, key: str = "limit") -> int:
    """Return *limit* as money: an amount, or a share of *capital*."""
    if isinstance(limit, Amount):
        return context.money(limit, key)
    if capital is None:
        raise ConfigError(f"{context.where}.capital: a {key} of {limit!s} needs the capital it is a share of")
    return int(context.money(capital, "capital") * limit)


@configured
class LossRule(RiskRule):
    """A rule that reads the account's equity and latches ``on_breach`` when a loss of ``limit`` was read.

    While a position has no price to value it there is no reading, and orders that do more than reduce are refused.
    """

    limit: Amount | Percent = setting(doc="largest loss: an amount, or a share of capital", check=positive)
    capital: Amount | None = setting(
        default=None, doc="capital that a percentage is taken of, in quote currency", check=positive
    )
    warn_at: Percent = setting(
        default="80%", doc="share of the limit at which the rule warns", check=between("0.01", "1")
    )
    every: Duration = setting(default="1s", doc="how often equity is read", check=at_least(1))
    confirm: int = setting(default=1, doc="readings in a row that must be beyond the limit", check=at_least(1))
    on_breach: Literal["reduce_only", "cancel_all", "halt"] = setting(
        default="halt", doc="state of the system after the loss"
    )

    def bind(self, context: BindContext) -> None:
        """Take the limit as money."""
        self.wake_every_ns = int(self.every)
        self._limit = money_limit(context, self.limit, self.capital)
        self._warn = int(self._limit * self.warn_at)
        self._breach = int(RiskState[self.on_breach.upper()])
        self._views = context.views
        self._unpriced = ""
        self._readings = 0
        self._read_ns = 0

    def read(self, now_ns: int, equity: int) -> None:
        """Take one reading of equity and judge the loss."""
        raise TypeError(f"{type(self).__name__} lacks read()")

    def on_wake(self, view: View) -> None:
        """Read equity."""
        self._unpriced = ""
        for one in self._views:
            if one.known_mid2 <= 0 and one.position_lots:
                self._unpriced = one.instrument.name
                return
        self.read(view.now_ns, view.account_equity)

    def verdict(self, command: NewOrder | AmendOrder, view: View) -> Refusal | None:
        """Refuse while the loss cannot be known."""
        if not self._unpriced:
            return None
        return self.refuse("no_price", f"{self._unpriced}: there is a position and no price to value it")

    def judge(self, now_ns: int, loss: int, what: str) -> None:
        """Set the state that a loss of *loss* asks for; what is latched stays."""
        if self.state > WARNING:
            return
        if loss < self._limit:
            self._readings = 0
        elif self._readings == 0 or now_ns - self._read_ns >= self.wake_every_ns:
            self._readings += 1
            self._read_ns = now_ns
        if loss < self._warn:
            if self.state:
                self.set_state(NORMAL, "")
            return
        text = f"{what.format(money_text(loss))}, limit {money_text(self._limit)}"
        self.set_state(self._breach if self._readings >= self.confirm else WARNING, text)

    def release(self, now_ns: int) -> bool:
        """Release the latch and count anew; a rule that is not latched goes on counting."""
        if self.state > WARNING:
            self._readings = 0
            self.count_anew()
        return super().release(now_ns)

    def count_anew(self) -> None:
        """Count from the next reading on."""
