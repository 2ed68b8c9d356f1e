"""The role of a risk rule, and what it answers with. Interface version 1."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quotewright.model.orders import AmendOrder, NewOrder, RiskState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quotewright.kernel.view import View
    from quotewright.model.orders import Command, Report
    from quotewright.wiring import BindContext

RISK_INTERFACE_VERSION = 1


class Refusal:
    """Why the gate holds an order back: the rule's table name, a reason code, and a sentence with the numbers."""

    def __init__(self, rule: str, reason: str, text: str = "") -> None:
        self.rule = rule
        self.reason = reason
        self.text = text

    def __repr__(self) -> str:
        return f"Refusal({self.rule!r}, {self.reason!r}, {self.text!r})"


class RiskRule:
    """Base class of all risk rules: stateful, asked about every order, never about a cancel.

    Class attributes:
        exempts_reducing: True for position, loss and drawdown rules: the gate does not ask them about an order that
            only reduces the position. False for price, size and reference rules, which hold for every order.
        wake_every_ns: how often :meth:`on_wake` is called in pipeline time; 0 never.

    ``state`` is the rule's own state; the system's is the most severe of all. Only this rule changes it. ``scoped``
    holds states that concern a part of the run only, by scope: ``strategy:NAME``, ``instrument:NAME`` or
    ``venue:NAME``, each with its reason. What holds for an order is the most severe of the system's state and those of
    its strategy, its instrument and its venue.
    """

    interface_version = RISK_INTERFACE_VERSION
    exempts_reducing = True
    wake_every_ns = 0

    def __init__(self) -> None:
        self.name = ""
        self.state: int = RiskState.NORMAL
        self.why = ""
        self.scoped: dict[str, tuple[int, str]] = {}
        self.mode = "enforce"

    def bind(self, context: BindContext) -> None:
        """Turn settings with units into ticks, lots and money; called once, before the first event."""

    def on_wake(self, view: View) -> None:
        """Look at the market and the account: every ``wake_every_ns`` and whenever a book turns good or bad."""

    def on_report(self, report: Report, view: View) -> None:
        """Take note of a venue's report, after the order manager and the portfolio have booked it."""

    def on_command(self, command: Command, view: View) -> None:
        """Take note of a command that has passed every rule and leaves for the venue."""

    def verdict(self, command: NewOrder | AmendOrder, view: View) -> Refusal | None:
        """Return why *command* must not leave, or None. Called for orders and amends; cancels always pass."""
        return None

    def actions(self, view: View) -> Sequence[NewOrder]:
        """Return orders that bring a position back within its limits; asked after wake-ups and reports.

        Only immediate-or-cancel orders marked ``reduce_only`` are taken. They pass the gate like any other order; until
        they have ended they stand in ``view.live`` with this rule's name as ``rule``. ``strategy`` says whose position
        they reduce, by default that of the first strategy that trades the instrument.
        """
        return ()

    def release(self, now_ns: int) -> bool:
        """Release a latched state, and all of any scope, because the operator says so; return whether there was one."""
        latched = self.state > RiskState.WARNING
        for state, _ in self.scoped.values():
            latched = latched or state > RiskState.WARNING
        self.state = RiskState.NORMAL
        self.why = ""
        self.scoped.clear()
        return latched

    def release_scope(self, scope: str, now_ns: int) -> bool:
        """Release what is latched for *scope* only, because the operator says so; return whether there was anything."""
        found = self.scoped.pop(scope, None)
        return found is not None and found[0] > RiskState.WARNING

    def set_state(self, state: int, why: str, scope: str = "") -> None:
        """Change the rule's own state and say why (numbers included).

        *scope* is what it concerns: nothing for the whole system, else ``strategy:NAME``, ``instrument:NAME`` or
        ``venue:NAME``. A scope that names nothing of the run counts for the whole system.
        """
        if not scope:
            self.state = state
            self.why = why
        elif state == RiskState.NORMAL:
            self.scoped.pop(scope, None)
        else:
            self.scoped[scope] = (state, why)

    def refuse(self, reason: str, text: str) -> Refusal:
        """Return a refusal in this rule's name."""
        return Refusal(self.name, reason, text)


class CheckRule(RiskRule):
    """A rule without a state of its own: one method that looks at one order."""

    def check(self, order: NewOrder | AmendOrder, view: View) -> str:
        """Return a sentence with the numbers if *order* must not leave, an empty text if it may."""
        raise TypeError(f"{type(self).__name__} lacks check()")

    def verdict(self, command: NewOrder | AmendOrder, view: View) -> Refusal | None:
        why = self.check(command, view)
        return self.refuse("limit", why) if why else None
