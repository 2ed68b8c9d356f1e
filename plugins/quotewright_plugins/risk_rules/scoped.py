"""What rules have in common that stop a strategy, an instrument, a venue or everything, and let go later."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quotewright.kernel.codes import HALT, NEVER, NORMAL, WARNING
from quotewright.kernel.rules import RiskRule
from quotewright.model.orders import RiskState

if TYPE_CHECKING:
    from quotewright.kernel.view import View


def scope_of(kind: str, view: View, strategy: str = "") -> str:
    """Return the scope of *kind* that an order of *strategy* belongs to; the whole system if it is unknown."""
    if kind == "strategy":
        return f"strategy:{strategy}" if strategy else ""
    if kind == "instrument":
        return f"instrument:{view.instrument.name}"
    if kind == "venue":
        venue = venue_of(view)
        return f"venue:{venue}" if venue else ""
    return ""


def venue_of(view: View) -> str:
    """Return the name of the venue table that the instrument is traded by, an empty text if nobody says."""
    account = view.account
    return account.venue_of.get(view.instrument_id, "") if account is not None else ""


class ScopedRule(RiskRule):
    """A rule that stops scopes: until the operator releases them, or for ``freeze_ns`` if that is not 0; a halt always
    until he does.

    A subclass calls :meth:`stop`, :meth:`warn` and :meth:`calm`; severity is never lost: only time (``freeze_ns``) or
    the operator ends a stop, and :meth:`forget` is then told so that counting starts anew.
    """

    breach = int(RiskState.CANCEL_ALL)
    freeze_ns = 0

    def __init__(self) -> None:
        super().__init__()
        self._until: dict[str, int] = {}

    def forget(self, scope: str) -> None:
        """Start counting anew for *scope*, which was just released."""

    def is_stopped(self, scope: str) -> bool:
        """Return whether *scope* is stopped now."""
        return scope in self._until

    def stop(self, scope: str, why: str, now_ns: int) -> None:
        """Stop *scope*; one that is stopped already stays so from its first time on, with its first reason."""
        if scope not in self._until:
            self._until[scope] = now_ns + self.freeze_ns if self.freeze_ns and self.breach < HALT else NEVER
            self.set_state(self.breach, why, scope)

    def warn(self, scope: str, why: str) -> None:
        """Warn of *scope* unless it is stopped."""
        if scope not in self._until:
            self.set_state(WARNING, why, scope)

    def calm(self, scope: str) -> None:
        """Take back a warning."""
        if scope not in self._until and (self.scoped.get(scope) if scope else self.state):
            self.set_state(NORMAL, "", scope)

    def thaw(self, now_ns: int) -> None:
        """Let go what was frozen long enough."""
        if self._until:
            for scope in [scope for scope, until_ns in self._until.items() if until_ns <= now_ns]:
                self._let_go(scope)

    def _let_go(self, scope: str) -> None:
        self._until.pop(scope, None)
        self.set_state(NORMAL, "", scope)
        self.forget(scope)

    def on_wake(self, view: View) -> None:
        """Let go what was frozen long enough."""
        self.thaw(view.now_ns)

    def release(self, now_ns: int) -> bool:
        """Release every scope and start counting anew."""
        for scope in list(self._until):
            self.forget(scope)
        self._until.clear()
        return super().release(now_ns)

    def release_scope(self, scope: str, now_ns: int) -> bool:
        """Release one scope and start counting anew for it."""
        if scope in self._until:
            self._until.pop(scope)
            self.forget(scope)
        return super().release_scope(scope, now_ns)


def breach_of(name: str) -> int:
    """Return the state that a config calls *name*."""
    return int(RiskState[name.upper()])
