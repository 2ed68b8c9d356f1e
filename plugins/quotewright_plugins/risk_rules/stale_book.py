"""Stop quoting on a book that nobody has written to for too long."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from quotewright.config.units import Duration
from quotewright.kernel.codes import CANCEL_ALL, NORMAL
from quotewright.kernel.rules import RiskRule
from quotewright.plugin.settings import at_least, configured, setting
from quotewright_plugins.risk_rules.scoped import scope_of

if TYPE_CHECKING:
    from quotewright.kernel.rules import Refusal
    from quotewright.kernel.view import View
    from quotewright.model.orders import AmendOrder, NewOrder


@configured
class StaleBook(RiskRule):
    """Set CANCEL_ALL while a book has been silent for ``max_age``, and refuse every order on it, a reducing one too.

    A book that is stale by its own account (a gap, a failed check, crossed) stops quoting whatever the rules say; this
    rule adds silence.
    """

    exempts_reducing = False
    max_age: Duration = setting(doc="silence after which a book is no longer believed", check=at_least(1))
    every: Duration = setting(default="100ms", doc="how often the age is read", check=at_least(1))
    scope: Literal["all", "instrument"] = setting(default="all", doc="what the state holds for")

    def __attrs_post_init__(self) -> None:
        self.wake_every_ns = int(self.every)
        self._silent: dict[int, str] = {}

    def on_wake(self, view: View) -> None:
        """Read the age of one book."""
        if view.messages and view.book_age_ns >= self.max_age:
            self._silent[view.instrument_id] = f"{view.instrument.name}: {self._silence(view)}"
        elif self._silent:
            self._silent.pop(view.instrument_id, None)
        if self.scope == "instrument":
            why = self._silent.get(view.instrument_id, "")
            self.set_state(CANCEL_ALL if why else NORMAL, why, scope_of("instrument", view))
        elif self._silent:
            self.set_state(CANCEL_ALL, self._silent[min(self._silent)])
        elif self.state:
            self.set_state(NORMAL, "")

    def verdict(self, command: NewOrder | AmendOrder, view: View) -> Refusal | None:
        """Refuse every order while the book is too old."""
        if view.book_age_ns < self.max_age:
            return None
        return self.refuse("silent", self._silence(view))

    def _silence(self, view: View) -> str:
        if not view.last_book_ns:
            return "no book message yet"
        return f"no book message for {view.book_age_ns / 1e9:.3f} s, limit {self.max_age}"
