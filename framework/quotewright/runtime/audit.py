"""What a risk rule would have done in a run that is over: the run goes by once more, and the rule only watches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import attrs

from quotewright.config.load import load_config, with_value
from quotewright.errors import ConfigError, DivergenceError, NotFoundError
from quotewright.kernel.codes import NEVER
from quotewright.kernel.rules import RiskRule
from quotewright.model.orders import RiskState
from quotewright.runtime.folder import CONFIG, read_summary
from quotewright.runtime.replay import Follower, replay
from quotewright.tape.tape import TapeFile

if TYPE_CHECKING:
    from quotewright.config.model import Config, RiskTable
    from quotewright.kernel.rules import Refusal
    from quotewright.kernel.view import View
    from quotewright.model.orders import AmendOrder, Command, NewOrder, Report
    from quotewright.plugin.registry import PluginSet
    from quotewright.tape.tape import Tape
    from quotewright.wiring import BindContext, Wired

TABLE = "audit"
INPUTS = "inputs.log"
TAPE = "tape"
KEPT = 1000
"""How many changes and refusals are kept with their numbers; all are counted."""


@attrs.frozen
class Change:
    """A state that the rule set, for the whole system or for *scope*."""

    time_ns: int
    state: str
    scope: str
    why: str


@attrs.frozen
class Refused:
    """An order that the rule would have refused."""

    time_ns: int
    reason: str
    text: str
    strategy: str


@attrs.define
class Audit:
    """What was seen; ``held_ns`` is for how long the rule held each state, by name, over the span of the run."""

    plugin: str
    start_ns: int = 0
    end_ns: int = 0
    orders: int = 0
    refused: int = 0
    held_back: int = 0
    """Orders that a state it had set would have held back."""
    reasons: dict[str, int] = attrs.field(factory=dict)
    changes: list[Change] = attrs.field(factory=list)
    change_count: int = 0
    refusals: list[Refused] = attrs.field(factory=list)
    held_ns: dict[str, int] = attrs.field(factory=dict)
    failure: str = ""

    def tripped(self) -> bool:
        """Return whether the rule would have held anything back."""
        return self.refused > 0 or any(state not in ("NORMAL", "WARNING") for state in self.held_ns)


class Watched(RiskRule):
    """A rule in observe mode with everything it says written down; the run does not feel it."""

    def __init__(self, inner: RiskRule, audit: Audit) -> None:
        super().__init__()
        self.inner = inner
        self.audit = audit
        self.name = inner.name
        self.mode = "observe"
        self.wake_every_ns = inner.wake_every_ns
        self.exempts_reducing = inner.exempts_reducing
        self.known: dict[str, int] = {}
        self.last_ns = 0

    def bind(self, context: BindContext) -> None:
        """Nothing: the rule within is bound already."""

    def on_wake(self, view: View) -> None:
        self.call(view.now_ns, self.inner.on_wake, view)

    def on_report(self, report: Report, view: View) -> None:
        self.call(view.now_ns, self.inner.on_report, report, view)

    def on_command(self, command: Command, view: View) -> None:
        self.call(view.now_ns, self.inner.on_command, command, view)

    def verdict(self, command: NewOrder | AmendOrder, view: View) -> Refusal | None:
        audit = self.audit
        audit.orders += 1
        refusal: Refusal | None = self.call(view.now_ns, self.inner.verdict, command, view)
        if refusal is None:
            audit.held_back += self.holds(command.strategy, view)
            return None
        audit.refused += 1
        audit.reasons[refusal.reason] = audit.reasons.get(refusal.reason, 0) + 1
        if len(audit.refusals) < KEPT:
            audit.refusals.append(Refused(view.now_ns, refusal.reason, refusal.text, command.strategy))
        return refusal

    def release(self, now_ns: int) -> bool:
        return bool(self.call(now_ns, self.inner.release, now_ns))

    def release_scope(self, scope: str, now_ns: int) -> bool:
        return bool(self.call(now_ns, self.inner.release_scope, scope, now_ns))

    def call(self, now_ns: int, method: Callable[..., Any], *arguments: Any) -> Any:
        """Call the rule within and write down what it did; one that has raised is not called again."""
        if self.audit.failure:
            return None
        try:
            answer = method(*arguments)
        except Exception as error:
            self.audit.failure = f"{type(error).__name__}: {error}"
            return None
        self.note(now_ns)
        return answer

    def holds(self, strategy: str, view: View) -> bool:
        """Return whether a state that the rule has set would hold back an order that does more than reduce."""
        venue = view.account.venue_of.get(view.instrument_id, "") if view.account is not None else ""
        concerned = ("", f"strategy:{strategy}", f"instrument:{view.instrument.name}", f"venue:{venue}")
        return any(self.known.get(scope, 0) >= RiskState.REDUCE_ONLY for scope in concerned)

    def note(self, now_ns: int) -> None:
        """Write down what changed, and for how long the most severe state held until now."""
        self.settle(now_ns)
        now = {"": (int(self.inner.state), self.inner.why), **self.inner.scoped}
        for scope, (state, why) in now.items():
            if self.known.get(scope, 0) != state:
                self.changed(now_ns, state, scope, why)
        for scope in [scope for scope in self.known if scope not in now]:
            self.changed(now_ns, 0, scope, "")
        self.known = {scope: state for scope, (state, _) in now.items() if state}

    def changed(self, now_ns: int, state: int, scope: str, why: str) -> None:
        self.audit.change_count += 1
        if len(self.audit.changes) < KEPT:
            self.audit.changes.append(Change(now_ns, RiskState(state).name, scope, why))

    def settle(self, now_ns: int) -> None:
        """Count the time since the last look for the state that held then."""
        if self.last_ns and now_ns > self.last_ns:
            name = RiskState(max(self.known.values(), default=0)).name
            self.audit.held_ns[name] = self.audit.held_ns.get(name, 0) + now_ns - self.last_ns
        self.last_ns = now_ns


def audit_run(
    folder: Path,
    rule: str,
    sets: Sequence[str],
    plugins: PluginSet,
    tape: Tape | None = None,
    from_ns: int = 0,
    to_ns: int = NEVER,
) -> Audit:
    """Return what *rule* would have done in the run of *folder*, had it watched.

    Args:
        rule: A table ``[risk.NAME]`` of the run's config, or the name of a risk rule.
        sets: ``key=value`` of the rule, on top of its table.
        tape: The market of a backtest, whose folder does not hold it.
        from_ns, to_ns: The range of a backtest that ran on a part of its tape.

    Raises:
        NotFoundError: there is no run.
        ConfigError: the rule is not known, its keys do not fit, or a backtest's tape is not given.
        DivergenceError: the run could not be repeated: its market, config or this program are not what they were.
    """
    path = folder / CONFIG
    if not path.is_file():
        raise NotFoundError(f"no run in {folder}: it has no {CONFIG}")
    config = load_config([path])
    table = audited_table(config, rule, sets)
    config = attrs.evolve(config, risk={**config.risk, TABLE: table})
    audit = Audit(plugin=table.plugin)
    log = folder / INPUTS
    own = folder / TAPE
    if log.is_file():
        recorded = TapeFile.open(own) if own.is_dir() and tape is None else tape
        follow(config, plugins, log, recorded, not (folder / "summary.json").is_file(), audit)
        return audit
    if tape is None:
        raise ConfigError(f"{folder} is a backtest, whose folder does not hold its market; name it with --data TAPE")
    repeat(config, plugins, folder, tape, audit, from_ns, to_ns)
    return audit


def audited_table(config: Config, rule: str, sets: Sequence[str]) -> RiskTable:
    """Return the table of the rule that is to watch: that of the run's config, or a new one of its plugin."""
    if TABLE in config.risk:
        raise ConfigError(f"the run has a table [risk.{TABLE}] already, the name that an audit needs")
    if rule not in config.risk:
        config = with_value(config, f"risk.{rule}.plugin={rule}")
    for text in sets:
        config = with_value(config, f"risk.{rule}.{text}")
    changes = {"name": TABLE, "mode": "observe", "where": f"audit of {rule}"}
    return cast("RiskTable", attrs.evolve(cast(Any, config.risk[rule]), **changes))


def watch(wired: Wired, audit: Audit) -> Watched:
    """Wrap the audited rule, the last of all, before the run begins."""
    place = len(wired.gate.rules) - 1
    watched = Watched(wired.gate.rules[place], audit)
    wired.gate.put(place, watched)
    audit.start_ns = wired.market.start_ns
    return watched


def follow(config: Config, plugins: PluginSet, log: Path, tape: Tape | None, is_cut: bool, audit: Audit) -> None:
    """Let a recorded session go by once more, input by input."""
    found: list[tuple[Watched, Follower]] = []

    def prepared(wired: Wired, follower: Follower) -> None:
        watched = watch(wired, audit)
        if watched.wake_every_ns > 0:
            follower.added = sum(rule.wake_every_ns > 0 for rule in wired.gate.rules) - 1
        found.append((watched, follower))

    replay(config, plugins, log, tape, is_cut, prepared)
    (watched, follower) = found[0]
    assert follower.pipeline is not None
    conclude(watched, audit, follower.pipeline.now_ns)


def repeat(
    config: Config, plugins: PluginSet, folder: Path, tape: Tape, audit: Audit, from_ns: int, to_ns: int
) -> None:
    """Run a backtest once more and make sure that it sent the very same orders."""
    from quotewright.runtime.session import Session, backtest

    found: list[Watched] = []

    def prepared(session: Session) -> None:
        found.append(watch(session.wired, audit))

    outcome = backtest(config, plugins, tape, None, None, prepared, from_ns=from_ns, to_ns=to_ns)
    logged, came = read_summary(folder)["order_log_sha256"], outcome.summary["order_log_sha256"]
    if logged != came:
        raise DivergenceError(
            f"{folder}: the run sent other orders now (order log {came[:12]}…, was {logged[:12]}…); "
            "its tape, its range, a plugin or this program have changed since"
        )
    conclude(found[0], audit, outcome.summary["end_ns"])


def conclude(watched: Watched, audit: Audit, end_ns: int) -> None:
    watched.settle(end_ns)
    audit.end_ns = end_ns
