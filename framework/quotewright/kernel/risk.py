"""The risk gate: every command passes here on its way to a venue, and there is no way around."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quotewright.kernel.codes import HALT, NORMAL, REDUCE_ONLY, WARNING
from quotewright.kernel.rules import Refusal, RiskRule
from quotewright.model.orders import CancelOrder, NewOrder

if TYPE_CHECKING:
    from collections.abc import Callable

    from quotewright.kernel.view import View
    from quotewright.model.orders import AmendOrder, Command, Report

MODES = ("observe", "warn", "enforce")


class RiskGate:
    """All rules of a run and the state they make together: the most severe one of the rules that are enforced.

    Cancels always pass. An order that only reduces passes every rule that exempts reducing orders and every state
    below HALT. An order on a book that is not good is refused whatever the rules say. A rule that raises fails closed:
    its state is HALT until the operator releases it. A rule in mode ``warn`` counts as WARNING at most, one in mode
    ``observe`` not at all; what they would have refused is counted under their name and mode.
    """

    def __init__(self, rules: list[RiskRule], views: list[View]) -> None:
        self.rules = rules
        self.judges = [rule for rule in rules if overrides(rule, "verdict")]
        self.reported = [rule for rule in rules if overrides(rule, "on_report")]
        self.commanded = [rule for rule in rules if overrides(rule, "on_command")]
        self.views = views
        self.operator_state = NORMAL
        self.operator_why = ""
        self.integrity_why = ""
        self.held_by = ""
        self.held_why = ""
        self.state = NORMAL
        self.refusals: dict[str, dict[str, int]] = {}
        self.failed: dict[str, str] = {}
        self.changes: list[tuple[int, int, str, str]] = []
        self.on_failure: Callable[[RiskRule, BaseException], None] | None = None

    def equity(self) -> int:
        """Return the profit since the start over all instruments, in quote money."""
        total = 0
        for view in self.views:
            total += view.equity
        return total

    def verdict(self, command: Command, view: View) -> Refusal | None:
        """Return why *command* must not leave, or None."""
        if isinstance(command, CancelOrder):
            return None
        if self.state >= HALT:
            return self.count(Refusal(self.holder(), "halt", self.why()))
        if not view.is_book_good:
            return self.count(Refusal("book", "stale_book", f"{view.instrument.name}: the book is not good"))
        reducing = view.is_reduced_by(command)
        if isinstance(command, NewOrder) and command.reduce_only and not reducing:
            return self.count(Refusal("gate", "reduce_only", "the order does not only reduce"))
        if self.state >= REDUCE_ONLY and not reducing:
            reason = "reduce_only" if self.state == REDUCE_ONLY else "cancel_all"
            return self.count(Refusal(self.holder(), reason, self.why()))
        return self.ask_rules(command, view, reducing)

    def ask_rules(self, command: NewOrder | AmendOrder, view: View, reducing: bool) -> Refusal | None:
        """Return the first refusal of an enforced rule; observing and warning rules are counted and let pass."""
        for rule in self.judges:
            if reducing and rule.exempts_reducing:
                continue
            try:
                refusal = rule.verdict(command, view)
                if refusal is not None and not isinstance(refusal, Refusal):
                    raise TypeError(f"verdict() should return a Refusal or None, was {refusal!r}")
            except Exception as error:
                self.fail(rule, error, view.now_ns)
                return self.count(Refusal(rule.name, "rule_failed", self.failed[rule.name]))
            if refusal is None:
                continue
            if rule.mode == "enforce":
                return self.count(refusal)
            self.count(Refusal(f"{rule.name} ({rule.mode})", refusal.reason, refusal.text))
        return None

    def count(self, refusal: Refusal) -> Refusal:
        """Count *refusal* by rule and reason, and return it."""
        reasons = self.refusals.setdefault(refusal.rule, {})
        reasons[refusal.reason] = reasons.get(refusal.reason, 0) + 1
        return refusal

    def fail(self, rule: RiskRule, error: BaseException, now_ns: int) -> None:
        """Make *rule* fail closed: halted until the operator releases it, and said once."""
        if rule.name not in self.failed:
            self.failed[rule.name] = f"{type(error).__name__}: {error}"
            if self.on_failure is not None:
                self.on_failure(rule, error)
        self.refresh(now_ns)

    def wake(self, rule: RiskRule, now_ns: int) -> bool:
        """Let *rule* look at every instrument; return whether the system's state changed."""
        for view in self.views:
            try:
                rule.on_wake(view)
            except Exception as error:
                self.fail(rule, error, now_ns)
                return True
        return self.refresh(now_ns)

    def wake_all(self, view: View) -> bool:
        """Let every rule look at *view*, whose book has turned good or bad; return whether the state changed."""
        for rule in self.rules:
            try:
                rule.on_wake(view)
            except Exception as error:
                self.fail(rule, error, view.now_ns)
        return self.refresh(view.now_ns)

    def on_report(self, report: Report, view: View) -> bool:
        """Hand *report* to every rule; return whether the system's state changed."""
        for rule in self.reported:
            try:
                rule.on_report(report, view)
            except Exception as error:
                self.fail(rule, error, view.now_ns)
        return self.refresh(view.now_ns)

    def on_command(self, command: Command, view: View) -> bool:
        """Hand a command that leaves to every rule; return whether the system's state changed."""
        for rule in self.commanded:
            try:
                rule.on_command(command, view)
            except Exception as error:
                self.fail(rule, error, view.now_ns)
        return self.refresh(view.now_ns)

    def refresh(self, now_ns: int) -> bool:
        """Take the most severe state of all enforced rules and the operator; return whether it changed."""
        state = self.operator_state
        holder = "operator"
        why = self.operator_why
        if self.integrity_why and state < HALT:
            state = HALT
            holder = "integrity"
            why = self.integrity_why
        for rule in self.rules:
            claimed = rule.state
            said = rule.why
            if rule.mode != "enforce":
                claimed = WARNING if rule.mode == "warn" and claimed > WARNING else claimed
                claimed = NORMAL if rule.mode == "observe" else claimed
            if self.failed and rule.name in self.failed:
                claimed = HALT
                said = f"the rule itself failed: {self.failed[rule.name]}"
            if claimed > state:
                state = claimed
                holder = rule.name
                why = said
        self.held_by = holder if state else ""
        self.held_why = why if state else ""
        if state == self.state:
            return False
        self.state = state
        self.changes.append((now_ns, state, self.held_by, self.held_why))
        for view in self.views:
            view.risk_state = state
        return True

    def holder(self) -> str:
        """Return who holds the system in its state: a rule's name, ``operator`` or ``integrity``."""
        return self.held_by

    def why(self) -> str:
        """Return the sentence that the holder gave."""
        return self.held_why

    def operate(self, state: int, why: str, now_ns: int) -> bool:
        """Set the operator's own state: HALT, REDUCE_ONLY, or NORMAL to take it back."""
        self.operator_state = state
        self.operator_why = why
        return self.refresh(now_ns)

    def release(self, now_ns: int) -> bool:
        """Release every latch because the operator says so."""
        self.operator_state = NORMAL
        self.operator_why = ""
        self.integrity_why = ""
        self.failed.clear()
        for rule in self.rules:
            try:
                rule.release(now_ns)
            except Exception as error:
                self.fail(rule, error, now_ns)
        return self.refresh(now_ns)

    def break_integrity(self, why: str, now_ns: int) -> bool:
        """Halt because our books and the venue's disagree; only the operator releases it."""
        self.integrity_why = self.integrity_why or why
        return self.refresh(now_ns)


def overrides(rule: RiskRule, method: str) -> bool:
    """Return whether *rule* does anything of its own in *method*; calling the others costs more than they do."""
    own = getattr(rule, "__dict__", {})
    return method in own or getattr(type(rule), method) is not getattr(RiskRule, method)
