"""Trade only what, where and when it is allowed."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from quotewright.config.units import Duration, TimeOfDay
from quotewright.errors import ConfigError
from quotewright.kernel.codes import HALT, NORMAL
from quotewright.kernel.rules import RiskRule
from quotewright.plugin.settings import at_least, configured, setting
from quotewright_plugins.risk_rules.scoped import breach_of, venue_of

if TYPE_CHECKING:
    from quotewright.kernel.rules import Refusal
    from quotewright.kernel.view import View
    from quotewright.model.orders import AmendOrder, NewOrder
    from quotewright.wiring import BindContext

DAY_NS = 86_400_000_000_000
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@configured
class Restricted(RiskRule):
    """Refuse orders on instruments, at venues and from strategies that are not on the allow-lists, and out of hours.

    A name may hold ``*``. The list of instruments is empty by default, which allows none. Hours and days are UTC; out
    of hours ``on_breach`` holds, so that no quote stands. Hours may run over midnight; a halt stays until the operator
    releases it.
    """

    example: ClassVar[dict[str, Any]] = {"instruments": ["*"], "opens": "13:00 UTC", "closes": "12:05 UTC"}

    instruments: tuple[str, ...] = setting(default=(), doc="instruments that may be traded, such as 'BTC-*@binance'")
    venues: tuple[str, ...] = setting(default=("*",), doc="venue tables that orders may go to")
    strategies: tuple[str, ...] = setting(default=("*",), doc="strategy tables that may send orders")
    opens: TimeOfDay | None = setting(default=None, doc="time of day from which orders may leave")
    closes: TimeOfDay | None = setting(default=None, doc="time of day from which none may leave any more")
    days: tuple[str, ...] = setting(default=(), doc="days on which orders may leave: mon, tue, …; empty for every day")
    every: Duration = setting(default="1s", doc="how often the hours are looked at", check=at_least(1))
    on_breach: Literal["reduce_only", "cancel_all", "halt"] = setting(
        default="cancel_all", doc="state of the system out of hours"
    )

    def bind(self, context: BindContext) -> None:
        """Check that hours and days can be read."""
        self.wake_every_ns = int(self.every)
        self._breach = breach_of(self.on_breach)
        if (self.opens is None) != (self.closes is None):
            raise ConfigError(f"{context.where}: opens and closes go together; one of them is missing")
        if self.opens is not None and self.opens == self.closes:
            raise ConfigError(f"{context.where}.closes: opening and closing at {self.opens!s} leaves no hours")
        unknown = [day for day in self.days if day not in DAYS]
        if unknown:
            raise ConfigError(f"{context.where}.days: should be some of {', '.join(DAYS)}, was '{unknown[0]}'")
        self._allowed: dict[tuple[int, str], str] = {}

    def verdict(self, command: NewOrder | AmendOrder, view: View) -> Refusal | None:
        """Look the order up in every list."""
        key = (view.instrument_id, command.strategy)
        listed = self._allowed.get(key)
        if listed is None:
            listed = self._allowed[key] = self._missing(view, command.strategy)
        if listed:
            return self.refuse("not_allowed", listed)
        closed = self._closed(view.now_ns)
        return self.refuse("hours", closed) if closed else None

    def _missing(self, view: View, strategy: str) -> str:
        named = (
            ("instruments", view.instrument.name, self.instruments),
            ("venues", venue_of(view), self.venues),
            ("strategies", strategy, self.strategies),
        )
        for key, name, patterns in named:
            if not any(fnmatchcase(name, pattern) for pattern in patterns):
                return f"'{name}' is not on the list of {key}: {', '.join(patterns) or 'empty'}"
        return ""

    def _closed(self, now_ns: int) -> str:
        if self.days:
            day = DAYS[(now_ns // DAY_NS + 3) % 7]  # 1 January 1970 was a Thursday
            if day not in self.days:
                return f"closed on {day}"
        if self.opens is not None and self.closes is not None:
            time = now_ns % DAY_NS
            is_open = self.opens <= time < self.closes
            if self.opens > self.closes:
                is_open = time >= self.opens or time < self.closes
            if not is_open:
                return f"closed until {self.opens!s}"
        return ""

    def on_wake(self, view: View) -> None:
        """Look at the hours."""
        closed = self._closed(view.now_ns)
        if closed:
            self.set_state(self._breach, closed)
        elif self.state and self.state < HALT:
            self.set_state(NORMAL, "")
