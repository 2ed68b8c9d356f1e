"""The risk gate: every command passes here on its way to a venue, and there is no way around."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quotewright.kernel.codes import HALT, IOC, NORMAL, REDUCE_ONLY, WARNING
from quotewright.kernel.rules import Refusal, RiskRule
from quotewright.model.orders import CancelOrder, NewOrder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from quotewright.kernel.view import View
    from quotewright.model.orders import AmendOrder, Command, Report

MODES = ("observe", "warn", "enforce")


class Claim:
    """A state that holds for a part of the run, who set it, and why."""

    def __init__(self, state: int, holder: str, why: str) -> None:
        self.state = state
        self.holder = holder
        self.why = why


class RiskGate:
    """All rules of a run and the state they make together: the most severe one of the rules that are enforced.

    ``state`` is the whole system's; ``scoped`` holds what is more severe for a strategy, an instrument or a venue.
    ``scopes`` are all scopes there are, ``venue_of`` says at which venue an instrument is traded, by instrument id.

    Cancels always pass. An order that only reduces passes every rule that exempts reducing orders and every state
    below HALT. An order on a book that is not good is refused whatever the rules say. A rule that raises fails closed:
    its state is HALT until the operator releases it. A rule in mode ``warn`` counts as WARNING at most, one in mode
    ``observe`` not at all; what they would have refused is counted under their name and mode.
    """

    def __init__(self, rules: list[RiskRule], views: list[View]) -> None:
        self.rules = rules
        self.views = views
        self.scopes: frozenset[str] = frozenset(f"instrument:{view.instrument.name}" for view in views)
        self.venue_of: dict[int, str] = {}
        self.scoped: dict[str, Claim] = {}
        self.operator_scoped: dict[str, tuple[int, str]] = {}
        self.is_restricting = False
        self.operator_state = NORMAL
        self.operator_why = ""
        self.integrity_why = ""
        self.held_by = ""
        self.held_why = ""
        self.state = NORMAL
        self.refusals: dict[str, dict[str, int]] = {}
        self.failed: dict[str, str] = {}
        self.changes: list[tuple[int, int, str, str, str]] = []
        self.on_failure: Callable[[RiskRule, BaseException], None] | None = None
        self.sort()

    def sort(self) -> None:
        """Note which rules do anything in which method."""
        self.judges = [rule for rule in self.rules if overrides(rule, "verdict")]
        self.reported = [rule for rule in self.rules if overrides(rule, "on_report")]
        self.commanded = [rule for rule in self.rules if overrides(rule, "on_command")]
        self.acting = [rule for rule in self.rules if overrides(rule, "actions")]

    def put(self, place: int, rule: RiskRule) -> None:
        """Put *rule* in the place of another one, before a run begins: whoever watches a rule wraps it."""
        self.rules[place] = rule
        self.sort()

    def know(self, strategies: Iterable[str], venues: dict[int, str]) -> None:
        """Take the names that scopes may have: of strategies, and of the venue of each instrument by its id."""
        self.venue_of = dict(venues)
        names = [f"strategy:{name}" for name in strategies] + [f"venue:{name}" for name in venues.values()]
        self.scopes = self.scopes.union(names)

    def equity(self) -> int:
        """Return the profit since the start over all instruments, in quote money."""
        total = 0
        for view in self.views:
            total += view.equity
        return total

    def verdict(self, command: Command, view: View) -> Refusal | None:
        """Return why *command* must not leave, or None."""
        if type(command) is not NewOrder and isinstance(command, CancelOrder):
            return None
        state = self.state
        holder = self.held_by
        why = self.held_why
        if self.scoped:
            claim = self.claim_on(command.strategy, view)
            if claim is not None and claim.state > state:
                state, holder, why = claim.state, claim.holder, claim.why
        if state >= HALT:
            return self.count(Refusal(holder, "halt", why))
        if not view.is_book_good:
            return self.count(Refusal("book", "stale_book", f"{view.instrument.name}: the book is not good"))
        reducing = view.is_reduced_by(command)
        if isinstance(command, NewOrder) and command.reduce_only and not reducing:
            return self.count(Refusal("gate", "reduce_only", "the order does not only reduce"))
        if state >= REDUCE_ONLY and not reducing:
            return self.count(Refusal(holder, "reduce_only" if state == REDUCE_ONLY else "cancel_all", why))
        return self.ask_rules(command, view, reducing)

    def claim_on(self, strategy: str, view: View) -> Claim | None:
        """Return the most severe claim on orders of *strategy* on the instrument of *view*, None without one."""
        found = self.scoped.get(f"strategy:{strategy}") if strategy else None
        claim = self.scoped.get(f"instrument:{view.instrument.name}")
        if claim is not None and (found is None or claim.state > found.state):
            found = claim
        claim = self.scoped.get(f"venue:{self.venue_of.get(view.instrument_id, '')}")
        if claim is not None and (found is None or claim.state > found.state):
            found = claim
        return found

    def state_for(self, strategy: str, view: View) -> int:
        """Return the state that holds for orders of *strategy* on the instrument of *view*."""
        if self.scoped:
            claim = self.claim_on(strategy, view)
            if claim is not None and claim.state > self.state:
                return claim.state
        return self.state

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

    def actions(self, rule: RiskRule, view: View) -> list[NewOrder]:
        """Return the orders by which an enforced *rule* brings a position back; a rule that raises fails closed."""
        if rule.mode != "enforce" or rule.name in self.failed:
            return []
        try:
            wanted = list(rule.actions(view))
            for order in wanted:
                if not isinstance(order, NewOrder) or not order.reduce_only or order.time_in_force != IOC:
                    raise TypeError(
                        f"actions() should return new immediate-or-cancel orders that are reduce_only, was {order!r}"
                    )
        except Exception as error:
            self.fail(rule, error, view.now_ns)
            return []
        return wanted

    def refresh(self, now_ns: int) -> bool:
        """Take the most severe state of all enforced rules and the operator; return whether any state changed."""
        state = self.operator_state
        holder = "operator"
        why = self.operator_why
        has_scopes = bool(self.scoped or self.operator_scoped)
        if self.integrity_why and state < HALT:
            state = HALT
            holder = "integrity"
            why = self.integrity_why
        for rule in self.rules:
            claimed = rule.state
            said = rule.why
            if rule.scoped:
                has_scopes = True
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
        scoped_changed = False
        if has_scopes:
            worst = self.stray_claim()
            if worst is not None and worst.state > state:
                state, holder, why = worst.state, worst.holder, worst.why
            scoped_changed = self.refresh_scopes(now_ns)
        self.held_by = holder if state else ""
        self.held_why = why if state else ""
        if state == self.state and not scoped_changed:
            return False
        if state != self.state:
            self.state = state
            self.changes.append((now_ns, state, self.held_by, self.held_why, ""))
        self.is_restricting = state >= REDUCE_ONLY
        for claim in self.scoped.values():
            self.is_restricting = self.is_restricting or claim.state >= REDUCE_ONLY
        for view in self.views:
            view.risk_state = self.state_for("", view)
        return True

    def claims(self) -> list[tuple[str, Claim]]:
        """Return every claim on a scope as far as its rule's mode lets it count, in the order of the rules."""
        found = [(scope, Claim(state, "operator", why)) for scope, (state, why) in self.operator_scoped.items()]
        for rule in self.rules:
            if rule.mode == "observe":
                continue
            most = WARNING if rule.mode == "warn" else HALT
            found += [(scope, Claim(min(state, most), rule.name, why)) for scope, (state, why) in rule.scoped.items()]
        return found

    def stray_claim(self) -> Claim | None:
        """Return the most severe claim on a scope that names nothing of this run: it counts for the whole system."""
        worst: Claim | None = None
        for scope, claim in self.claims():
            if scope not in self.scopes and (worst is None or claim.state > worst.state):
                worst = Claim(claim.state, claim.holder, f"{claim.why} ('{scope}' names nothing of this run)")
        return worst

    def refresh_scopes(self, now_ns: int) -> bool:
        """Take the most severe claim on each scope, note what changed, and return whether anything did."""
        before = self.scoped
        after: dict[str, Claim] = {}
        for scope, claim in self.claims():
            held = after.get(scope)
            if scope in self.scopes and claim.state and (held is None or claim.state > held.state):
                after[scope] = claim
        self.scoped = after
        changed = False
        for scope, claim in after.items():
            if scope not in before or before[scope].state != claim.state:
                self.changes.append((now_ns, claim.state, claim.holder, claim.why, scope))
                changed = True
        for scope in before:
            if scope not in after:
                self.changes.append((now_ns, NORMAL, "", "", scope))
                changed = True
        return changed

    def holder(self) -> str:
        """Return who holds the system in its state: a rule's name, ``operator`` or ``integrity``."""
        return self.held_by

    def why(self) -> str:
        """Return the sentence that the holder gave."""
        return self.held_why

    def operate(self, state: int, why: str, now_ns: int, scope: str = "") -> bool:
        """Set the operator's own state of the system or of *scope*: HALT, REDUCE_ONLY, or NORMAL to take it back."""
        if not scope:
            self.operator_state = state
            self.operator_why = why
        elif state == NORMAL:
            self.operator_scoped.pop(scope, None)
        else:
            self.operator_scoped[scope] = (state, why)
        return self.refresh(now_ns)

    def release(self, now_ns: int, scope: str = "") -> bool:
        """Release every latch because the operator says so; with a *scope* only those set for it."""
        if scope:
            self.operator_scoped.pop(scope, None)
        else:
            self.operator_state = NORMAL
            self.operator_why = ""
            self.operator_scoped.clear()
            self.integrity_why = ""
            self.failed.clear()
        for rule in self.rules:
            try:
                if scope:
                    rule.release_scope(scope, now_ns)
                else:
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
