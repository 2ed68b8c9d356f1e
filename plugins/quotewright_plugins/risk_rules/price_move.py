"""Step aside for a while when a reference price moves fast."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from quotewright.config.units import Bps, Duration, Percent
from quotewright.plugin.settings import at_least, between, configured, positive, setting
from quotewright_plugins.risk_rules.scoped import ScopedRule, breach_of, scope_of
from quotewright_plugins.risk_rules.windows import Extremes

if TYPE_CHECKING:
    from quotewright.kernel.rules import Refusal
    from quotewright.kernel.view import View
    from quotewright.model.orders import AmendOrder, NewOrder
    from quotewright.wiring import BindContext


@configured
class PriceMove(ScopedRule):
    """Set ``on_breach`` for ``cooldown`` when the reference has moved by ``move`` or more within ``window``.

    The move is that from the lowest or highest value within the window to the value now; after the cool-down the
    window starts anew. ``reference`` is the venue's mark or index price, the last trade or the mid; without one, orders
    that do more than reduce are refused.
    """

    example: ClassVar[dict[str, Any]] = {"move": "2%", "reference": "mid"}

    move: Percent | Bps = setting(doc="move of the reference that counts", check=positive)
    window: Duration = setting(default="10s", doc="window over which the move is taken", check=at_least(1))
    reference: Literal["mark", "index", "last", "mid"] = setting(default="mark", doc="price that is watched")
    cooldown: Duration = setting(default="30s", doc="how long the state lasts", check=at_least(1))
    scope: Literal["all", "instrument"] = setting(default="all", doc="what the state holds for")
    warn_at: Percent = setting(
        default="80%", doc="share of the move at which the rule warns", check=between("0.01", "1")
    )
    every: Duration = setting(default="100ms", doc="how often the reference is read", check=at_least(1))
    on_breach: Literal["reduce_only", "cancel_all"] = setting(default="cancel_all", doc="state after the move")

    def bind(self, context: BindContext) -> None:
        """Start the windows of every instrument."""
        self.wake_every_ns = int(self.every)
        self.breach = breach_of(self.on_breach)
        self.freeze_ns = int(self.cooldown)
        fraction = self.move.fraction if isinstance(self.move, Bps) else Decimal(self.move)
        self._move = fraction.as_integer_ratio()
        self._warn = (fraction * self.warn_at).as_integer_ratio()
        self._windows = {view.instrument_id: Extremes(int(self.window)) for view in context.views}
        self._warned: dict[int, str] = {}
        self._views = context.views

    def _price(self, view: View) -> int:
        if self.reference == "mark":
            return view.mark_price
        if self.reference == "index":
            return view.index_price
        return view.last_trade_steps if self.reference == "last" else view.mid2

    def verdict(self, command: NewOrder | AmendOrder, view: View) -> Refusal | None:
        """Refuse while there is nothing to watch."""
        if self._price(view) > 0:
            return None
        return self.refuse("no_reference", f"{view.instrument.name}: there is no {self.reference} price")

    def on_wake(self, view: View) -> None:
        """Read one instrument's reference."""
        now_ns = view.now_ns
        self.thaw(now_ns)
        scope = scope_of(self.scope, view)
        price = self._price(view)
        if price <= 0 or self.is_stopped(scope):
            return
        window = self._windows[view.instrument_id]
        window.add(now_ns, price)
        low, high = window.low, window.high
        away, base = (price - low, low) if (price - low) * high >= (high - price) * low else (high - price, high)
        share, whole = self._move
        if away * whole >= share * base:
            self.stop(scope, self._text(view, away, base), now_ns)
            return
        share, whole = self._warn
        if away * whole >= share * base:
            self._warned[view.instrument_id] = self._text(view, away, base)
        else:
            self._warned.pop(view.instrument_id, None)
        if not self._warned:
            self.calm(scope)
        elif self.scope == "all":
            self.warn(scope, next(iter(self._warned.values())))
        elif view.instrument_id in self._warned:
            self.warn(scope, self._warned[view.instrument_id])
        else:
            self.calm(scope)

    def _text(self, view: View, away: int, base: int) -> str:
        share = Decimal(away) / base * 100
        return f"{view.instrument.name}: {self.reference} moved {share:.3f} % within {self.window}, limit {self.move!s}"

    def forget(self, scope: str) -> None:
        """Start every window of *scope* anew."""
        for view in self._views:
            if scope in ("", scope_of("instrument", view)):
                self._windows[view.instrument_id].clear()
                self._warned.pop(view.instrument_id, None)

    def release(self, now_ns: int) -> bool:
        """Release every scope; a warning is only given again on a new reading of its instrument."""
        self._warned.clear()
        return super().release(now_ns)
