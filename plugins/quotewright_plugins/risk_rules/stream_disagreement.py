"""Notice when the streams of one instrument tell different markets for too long."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import attrs

from quotewright.config.units import Bps, Duration
from quotewright.kernel.codes import NORMAL
from quotewright.kernel.rules import RiskRule
from quotewright.plugin.settings import at_least, configured, not_negative, setting
from quotewright_plugins.risk_rules.scoped import breach_of, scope_of

if TYPE_CHECKING:
    from quotewright.kernel.view import View
    from quotewright.wiring import BindContext


@configured
class StreamDisagreement(RiskRule):
    """Set ``on_breach`` when the ticker's best prices, or the trades, are away from the book's touch for ``lasting``.

    The ticker disagrees while its bid or its offer differs from the book's by more than ``away``. Trades disagree while
    each new one is above the offer or below the bid by more than ``away``; without a new trade nothing is said of them,
    and how long is counted from print to print. Streams that are not followed, and a book that is not good, are not
    compared. The state ends when they agree again.
    """

    away: Bps = setting(default="10 bps", doc="difference of prices that counts, of the book's mid", check=not_negative)
    lasting: Duration = setting(default="2s", doc="how long they must differ", check=at_least(1))
    every: Duration = setting(default="100ms", doc="how often they are compared", check=at_least(1))
    on_breach: Literal["warning", "reduce_only", "cancel_all"] = setting(
        default="warning", doc="state of the system while they differ: warning tells, cancel_all pulls the quotes"
    )

    scope: Literal["all", "instrument"] = setting(default="all", doc="what the state holds for")

    def bind(self, context: BindContext) -> None:
        """Take every instrument as agreeing."""
        self.wake_every_ns = int(self.every)
        self._share = self.away.fraction.as_integer_ratio()
        self._breach = breach_of(self.on_breach)
        self._views = context.views
        self._watched = {view.instrument_id: _Watched(view.trades) for view in context.views}

    def on_wake(self, view: View) -> None:
        """Compare one instrument's streams and take the most severe state of all."""
        one = self._watched[view.instrument_id]
        one.why = self._compare(one, view)
        if self.scope == "instrument":
            self.set_state(self._breach if one.why else NORMAL, one.why, scope_of("instrument", view))
            return
        for watched in self._watched.values():
            if watched.why:
                self.set_state(self._breach, watched.why)
                return
        if self.state != NORMAL:
            self.set_state(NORMAL, "")

    def _compare(self, one: _Watched, view: View) -> str:
        mid2 = view.mid2
        if mid2 <= 0:
            one.quotes_ns = one.trades_ns = None
            one.trades = view.trades
            return ""
        bid, offer, now_ns = view.book.best_bid, view.book.best_offer, view.now_ns
        quotes = max(
            abs(view.quoted_bid - bid) if view.quoted_bid > 0 else 0,
            abs(view.quoted_offer - offer) if view.quoted_offer > 0 else 0,
        )
        if not self._is_far(quotes, mid2):
            one.quotes_ns = None
        elif one.quotes_ns is None:
            one.quotes_ns = now_ns
        if view.trades != one.trades:
            one.trades = view.trades
            one.trade_away = max(bid - view.last_trade_steps, view.last_trade_steps - offer)
            if not self._is_far(one.trade_away, mid2):
                one.trades_ns = one.trades_told_ns = None
            elif one.trades_ns is None:
                one.trades_ns = view.last_trade_ns
            else:
                one.trades_told_ns = view.last_trade_ns
        lasting_ns = int(self.lasting)
        if one.quotes_ns is not None and now_ns - one.quotes_ns >= lasting_ns:
            return self._text(view, "the ticker's best prices", quotes, mid2)
        since, told = one.trades_ns, one.trades_told_ns
        if since is not None and told is not None and told - since >= lasting_ns:
            return self._text(view, "trades", one.trade_away, mid2)
        return ""

    def _is_far(self, steps: int, mid2: int) -> bool:
        share, whole = self._share
        return 2 * steps * whole > share * mid2

    def _text(self, view: View, what: str, steps: int, mid2: int) -> str:
        return (
            f"{view.instrument.name}: {what} and the book are {20_000 * steps / mid2:.2f} bps apart for {self.lasting} "
            f"and more, limit {self.away!s}"
        )

    def release(self, now_ns: int) -> bool:
        """Forget since when the streams differ that have differed for too long."""
        for watched in self._watched.values():
            if watched.why:
                watched.forget()
        return super().release(now_ns)

    def release_scope(self, scope: str, now_ns: int) -> bool:
        """Forget since when the streams of one instrument differ."""
        for view in self._views:
            if scope in self.scoped and scope_of("instrument", view) == scope:
                self._watched[view.instrument_id].forget()
        return super().release_scope(scope, now_ns)


@attrs.define
class _Watched:
    """Since when the streams of one instrument differ."""

    trades: int
    quotes_ns: int | None = None
    trades_ns: int | None = None
    trades_told_ns: int | None = None
    trade_away: int = 0
    why: str = ""

    def forget(self) -> None:
        self.quotes_ns = self.trades_ns = self.trades_told_ns = None
        self.why = ""
