"""Notice when fills come too often on one side, by a test whose false alarms are known."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from quotewright.config.units import Duration, Percent
from quotewright.errors import ConfigError
from quotewright.kernel.codes import BUY
from quotewright.model.orders import Fill
from quotewright.plugin.settings import at_least, between, configured, setting
from quotewright_plugins.risk_rules.own_orders import OwnOrders
from quotewright_plugins.risk_rules.scoped import ScopedRule, breach_of, scope_of

if TYPE_CHECKING:
    from quotewright.kernel.view import View
    from quotewright.model.orders import Command, Report
    from quotewright.wiring import BindContext


def alarm_chance(threshold: int, up: int, down: int, share: float, fills: int) -> float:
    """Return how likely a walk that starts at 0 and never goes below it reaches *threshold* within *fills* steps.

    A step is *up* with probability *share*, else *down*. Exact, by the chances of every height after each step.
    """
    chances = [0.0] * threshold
    chances[0] = 1.0
    reached = 0.0
    for _ in range(fills):
        after = [0.0] * threshold
        for height in range(threshold):
            chance = chances[height]
            if chance == 0.0:
                continue
            if height + up >= threshold:
                reached += chance * share
            else:
                after[height + up] += chance * share
            after[height - down if height > down else 0] += chance * (1.0 - share)
        chances = after
    return reached


@lru_cache(maxsize=64)
def calibrated(usual: float, suspect: float, false_alarms: float, fills: int) -> tuple[int, int, int]:
    """Return the steps up and down and the least threshold by which both sides together alarm rarely enough.

    The steps stand in the ratio of the log-likelihoods of a side that has *suspect* against one that has *usual* of the
    fills: a cumulative sum test (Page 1954) for each side. The chances of both are added, which is never too little.
    """
    ratio = math.log((1.0 - usual) / (1.0 - suspect)) / math.log(suspect / usual)
    up, down = 4, max(1, round(4 * ratio))
    common = math.gcd(up, down)
    up, down = up // common, down // common
    low, high = up, 2 * up
    while 2.0 * alarm_chance(high, up, down, usual, fills) > false_alarms:
        low, high = high, 2 * high
    while low < high:
        middle = (low + high) // 2
        if 2.0 * alarm_chance(middle, up, down, usual, fills) > false_alarms:
            low = middle + 1
        else:
            high = middle
    return up, down, low


class _Walks:
    """How suspicious the fills of one scope are on either side."""

    def __init__(self) -> None:
        self.buys = 0
        self.sells = 0
        self.last_ns = -1
        self.last_sides = 0


@configured
class OneSidedFills(ScopedRule):
    """Set ``on_breach`` for ``freeze`` when fills are so much on one side that chance is no good reason.

    In flow where each fill's side is independent and either side has at most ``usual`` of the fills, an alarm within
    ``fills`` fills is raised with a probability of at most ``false_alarms``. The test is looked at after every fill and
    calibrated for that: for each side a sum that rises with a fill on it, falls with one on the other and never goes
    below 0 (a cumulative sum test against ``suspect``: 4 up and, to the nearest whole number, 4
    ln((1-usual)/(1-suspect)) / ln(suspect/usual) down), held to the threshold that an exact calculation gives. Fills of
    one side at one moment, a sweep through several levels, count once.
    """

    false_alarms: Percent = setting(
        default="1%", doc="probability of an alarm within fills when all is well", check=between("0.0001", "0.5")
    )
    fills: int = setting(default=1000, doc="fills that false_alarms is meant for", check=between(10, 20_000))
    usual: Percent = setting(default="50%", doc="most that one side has when all is well", check=between("0.3", "0.8"))
    suspect: Percent = setting(
        default="80%", doc="share of one side that should be noticed", check=between("0.4", "0.99")
    )
    scope: Literal["instrument", "strategy", "venue", "all"] = setting(
        default="instrument", doc="what is counted together and stopped"
    )
    freeze: Duration = setting(default="1m", doc="how long the state lasts, 0 until the operator releases it")
    warn_at: Percent = setting(
        default="80%", doc="share of the threshold at which the rule warns", check=between("0.01", "1")
    )
    every: Duration = setting(default="100ms", doc="how often the freeze is looked at", check=at_least(1))
    on_breach: Literal["warning", "reduce_only", "cancel_all", "halt"] = setting(
        default="cancel_all", doc="state after the alarm"
    )

    def bind(self, context: BindContext) -> None:
        """Calibrate the test."""
        if self.suspect < self.usual + Percent("0.05"):
            raise ConfigError(
                f"{context.where}.suspect: should be {self.usual!s} and 5 points more, or above, was {self.suspect!s}"
            )
        self.wake_every_ns = int(self.every)
        self.breach = breach_of(self.on_breach)
        self.freeze_ns = int(self.freeze)
        self._up, self._down, self.threshold = calibrated(
            float(self.usual), float(self.suspect), float(self.false_alarms), self.fills
        )
        self._warn = math.ceil(self.threshold * self.warn_at)
        self._own = OwnOrders(context.views)
        self._walks: dict[str, _Walks] = {}

    def on_command(self, command: Command, view: View) -> None:
        """Remember whose order it is."""
        self._own.note(command, view)

    def on_report(self, report: Report, view: View) -> None:
        """Take one fill into the sums of its scope."""
        own = self._own.of(report, view)
        if not isinstance(report, Fill):
            return
        now_ns = view.now_ns
        scope = scope_of(self.scope, view, own.strategy)
        walks = self._walks.get(scope)
        if walks is None:
            walks = self._walks[scope] = _Walks()
        if walks.last_ns != now_ns:
            walks.last_ns, walks.last_sides = now_ns, 0
        if walks.last_sides & own.side:
            return
        walks.last_sides |= own.side
        if own.side == BUY:
            walks.buys += self._up
            walks.sells = max(0, walks.sells - self._down)
        else:
            walks.sells += self._up
            walks.buys = max(0, walks.buys - self._down)
        height = max(walks.buys, walks.sells)
        if height >= self.threshold:
            self.stop(scope, self._text(walks), now_ns)
        elif height >= self._warn:
            self.warn(scope, self._text(walks))
        else:
            self.calm(scope)

    def _text(self, walks: _Walks) -> str:
        side, height = ("buying", walks.buys) if walks.buys >= walks.sells else ("selling", walks.sells)
        return f"fills are {side} too often: sum {height}, threshold {self.threshold}"

    def forget(self, scope: str) -> None:
        """Begin anew."""
        self._walks.pop(scope, None)
