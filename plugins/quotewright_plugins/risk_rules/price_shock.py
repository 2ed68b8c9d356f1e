"""Step aside when the price jumps, and come back when it stands still again."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Literal

import attrs

from quotewright.config.units import Duration, Percent
from quotewright.kernel.codes import NORMAL
from quotewright.kernel.rules import RiskRule
from quotewright.plugin.settings import at_least, configured, positive, setting
from quotewright_plugins.risk_rules.scoped import breach_of, scope_of
from quotewright_plugins.risk_rules.windows import Extremes

if TYPE_CHECKING:
    from quotewright.kernel.view import View
    from quotewright.wiring import BindContext


@configured
class Resume:
    """When a shock is over: the mid has moved less than ``below`` within the last ``for``."""

    below: Percent = setting(default="0.5%", doc="moves below this count as standing still", check=positive)
    window: Duration = setting(default="30s", doc="how long the price must have stood still", check=at_least(1))


@configured
class PriceShock(RiskRule):
    """Set ``on_breach`` when the mid has moved by ``move`` or more within ``window``, up or down.

    The move is that between the highest or lowest mid of the rolling window and the mid now, so a slow drift never
    trips it. A shock starts the window anew: only a further move is another one. The state ends when the mid has stayed
    within ``resume.below`` for ``resume.window``, counted from the shock on and wherever the price then is; without a
    mid the count starts anew.
    """

    move: Percent = setting(doc="move of the mid that counts as a shock", check=positive)
    window: Duration = setting(default="30s", doc="window over which the move is taken", check=at_least(1))
    every: Duration = setting(default="100ms", doc="how often the mid is read", check=at_least(1))
    resume: Resume = setting(factory=Resume, doc="when the shock is over")
    on_breach: Literal["reduce_only", "cancel_all"] = setting(
        default="cancel_all", doc="state of the system during a shock"
    )

    scope: Literal["all", "instrument"] = setting(default="all", doc="what the state holds for")

    def bind(self, context: BindContext) -> None:
        """Start the windows of every instrument."""
        self.wake_every_ns = int(self.every)
        self._move = self.move.as_integer_ratio()
        self._still = self.resume.below.as_integer_ratio()
        self._breach = breach_of(self.on_breach)
        self._views = context.views
        self._watched = {
            view.instrument_id: _Watched(Extremes(int(self.window)), Extremes(int(self.resume.window)))
            for view in context.views
        }

    def on_wake(self, view: View) -> None:
        """Read one instrument's mid and take the most severe state of all."""
        one = self._watched[view.instrument_id]
        mid2 = view.mid2
        if mid2 > 0:
            self._read(one, view, mid2)
        elif one.shock_ns is not None:
            one.shock_ns = view.now_ns
            one.calm.clear()
        if self.scope == "instrument":
            state = self._breach if one.shock_ns is not None else NORMAL
            self.set_state(state, one.why, scope_of("instrument", view))
            return
        for watched in self._watched.values():
            if watched.shock_ns is not None:
                self.set_state(self._breach, watched.why)
                return
        if self.state != NORMAL:
            self.set_state(NORMAL, "")

    def _read(self, watched: _Watched, view: View, mid2: int) -> None:
        now_ns = view.now_ns
        moves = watched.moves
        moves.add(now_ns, mid2)
        if watched.shock_ns is not None:  # what was calm before a shock does not count
            watched.calm.add(now_ns, mid2)
        low, high = moves.low, moves.high
        away, base = (mid2 - low, low) if (mid2 - low) * high >= (high - mid2) * low else (high - mid2, high)
        move, whole = self._move
        if away * whole >= move * base:
            watched.shock_ns = now_ns
            share = Decimal(away) / base * 100
            watched.why = f"{view.instrument.name}: mid moved {share:.3f} % within {self.window}, limit {self.move!s}"
            for window in (watched.moves, watched.calm):
                window.clear()
                window.add(now_ns, mid2)
        elif watched.shock_ns is not None and now_ns - watched.shock_ns >= self.resume.window:
            low, high = watched.calm.low, watched.calm.high
            still, whole = self._still
            if (high - low) * whole < still * low:
                watched.shock_ns = None

    def release(self, now_ns: int) -> bool:
        """Forget shocks; their windows start anew."""
        for watched in self._watched.values():
            if watched.shock_ns is not None:
                watched.forget()
        return super().release(now_ns)

    def release_scope(self, scope: str, now_ns: int) -> bool:
        """Forget the shock of one instrument; its windows start anew."""
        for view in self._views:
            if scope in self.scoped and scope_of("instrument", view) == scope:
                self._watched[view.instrument_id].forget()
        return super().release_scope(scope, now_ns)


@attrs.define
class _Watched:
    """The windows of one instrument's mid, and when it last shocked."""

    moves: Extremes
    calm: Extremes
    shock_ns: int | None = None
    why: str = ""

    def forget(self) -> None:
        self.shock_ns = None
        self.moves.clear()
        self.calm.clear()
