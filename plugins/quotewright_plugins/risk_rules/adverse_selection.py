"""Step aside when the market moves against our fills, by a test on their markouts."""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING, Literal

from quotewright.config.units import Bps, Duration
from quotewright.kernel.codes import BUY
from quotewright.model.orders import Fill
from quotewright.plugin.settings import at_least, between, configured, not_negative, setting
from quotewright_plugins.risk_rules.own_orders import OwnOrders
from quotewright_plugins.risk_rules.scoped import ScopedRule, breach_of, scope_of

if TYPE_CHECKING:
    from quotewright.kernel.view import View
    from quotewright.model.orders import Command, Report
    from quotewright.wiring import BindContext

MANY = 1e9
"""What stands for a t that is infinite: markouts that are all the same."""


def mean_and_t(markouts: deque[tuple[int, float]], limit: float) -> tuple[float, float, int]:
    """Return the mean, how many standard errors it lies above ``-limit``, and the number of independent times.

    Each markout carries the number of the stretch of time its fill fell into. Markouts of one stretch overlap and move
    together, so that the stretches, not the fills, are what the error is estimated from.
    """
    count = len(markouts)
    total = 0.0
    for _, markout in markouts:
        total += markout
    mean = total / count
    squares = 0.0
    stretch, residual, stretches = -1, 0.0, 0
    for which, markout in markouts:
        if which != stretch:
            squares += residual * residual
            stretch, residual = which, 0.0
            stretches += 1
        residual += markout - mean
    squares += residual * residual
    distance = mean + limit
    if stretches < 2:
        return mean, 0.0, stretches
    error = math.sqrt(squares * stretches / (stretches - 1)) / count
    if error <= 1e-12:
        return mean, MANY if distance > 0 else -MANY, stretches
    return mean, distance / error, stretches


class _Settled:
    """The last markouts of one group of fills."""

    def __init__(self, fills: int) -> None:
        self.markouts: deque[tuple[int, float]] = deque(maxlen=fills)
        self.scope = ""


@configured
class AdverseSelection(ScopedRule):
    """Set ``on_breach`` for ``freeze`` when the last ``fills`` fills have a mean markout below ``-limit``.

    A markout is how far the mid moved in favour of a fill from the moment it became known until ``horizon`` later, in
    basis points, read at the first wake-up from then on. The mean must lie ``t`` standard errors below the limit, over
    at least ``stretches`` different stretches of one horizon, for fills of one stretch see one move: the error is
    estimated from the sums of the stretches in which markouts fell due. Warns while the mean alone lies below. ``by``
    says which fills are judged together; those of a level or a side stop their instrument.
    """

    limit: Bps = setting(default="1 bps", doc="mean move against the fills that is accepted", check=not_negative)
    horizon: Duration = setting(default="5s", doc="time from a fill to its markout", check=at_least(1))
    fills: int = setting(default=50, doc="fills that are judged together", check=between(2, 10_000))
    t: float = setting(default=3.0, doc="standard errors that the mean must lie below the limit", check=not_negative)
    stretches: int = setting(default=5, doc="least number of different stretches of time", check=at_least(2))
    by: Literal["instrument", "side", "level", "strategy", "venue", "all"] = setting(
        default="instrument", doc="which fills are judged together"
    )
    freeze: Duration = setting(default="1m", doc="how long the state lasts, 0 until the operator releases it")
    every: Duration = setting(default="100ms", doc="how often markouts are read", check=at_least(1))
    on_breach: Literal["warning", "reduce_only", "cancel_all", "halt"] = setting(
        default="cancel_all", doc="state after it"
    )

    def bind(self, context: BindContext) -> None:
        """Start with no fills."""
        self.wake_every_ns = int(self.every)
        self.breach = breach_of(self.on_breach)
        self.freeze_ns = int(self.freeze)
        self._accepted = float(self.limit)
        self._own = OwnOrders(context.views, with_levels=self.by == "level")
        self._due: dict[int, deque[tuple[int, int, int, str, str]]] = {
            view.instrument_id: deque() for view in context.views
        }
        self._settled: dict[str, _Settled] = {}

    def on_command(self, command: Command, view: View) -> None:
        """Remember whose order it is."""
        self._own.note(command, view)

    def on_report(self, report: Report, view: View) -> None:
        """Note a fill with the mid of now."""
        own = self._own.of(report, view)
        if not isinstance(report, Fill) or view.known_mid2 <= 0:
            return
        scope = scope_of("instrument" if self.by in ("side", "level") else self.by, view, own.strategy)
        group = scope
        if self.by == "side":
            group = f"{view.instrument.name} {'bids' if own.side == BUY else 'offers'}"
        elif self.by == "level":
            group = f"{view.instrument.name} level {own.level}"
        due_ns = view.now_ns + int(self.horizon)
        self._due[view.instrument_id].append((due_ns, own.side, view.known_mid2, group, scope))

    def on_wake(self, view: View) -> None:
        """Read the markouts that have fallen due."""
        now_ns = view.now_ns
        self.thaw(now_ns)
        due = self._due[view.instrument_id]
        while due and due[0][0] <= now_ns:
            due_ns, side, before2, group, scope = due.popleft()
            move = (view.known_mid2 - before2) * 10_000.0 / before2
            settled = self._settled.get(group)
            if settled is None:
                settled = self._settled[group] = _Settled(self.fills)
                settled.scope = scope
            settled.markouts.append((due_ns // int(self.horizon), move if side == BUY else -move))
            if len(settled.markouts) == self.fills and not self.is_stopped(scope):
                self._judge(group, settled, now_ns)

    def _judge(self, group: str, settled: _Settled, now_ns: int) -> None:
        mean, t, stretches = mean_and_t(settled.markouts, self._accepted)
        if mean >= -self._accepted:
            self.calm(settled.scope)
            return
        text = (
            f"{group or 'all'}: mean markout {mean:.2f} bps after {self.horizon} over {self.fills} fills, accepted "
            f"-{self.limit!s}, t {t:.1f}"
        )
        if t <= -self.t and stretches >= self.stretches:
            self.stop(settled.scope, text, now_ns)
        else:
            self.warn(settled.scope, text)

    def forget(self, scope: str) -> None:
        """Judge only fills from now on."""
        for group in [group for group, settled in self._settled.items() if settled.scope == scope]:
            del self._settled[group]
        for key, due in self._due.items():
            self._due[key] = deque(entry for entry in due if entry[4] != scope)
