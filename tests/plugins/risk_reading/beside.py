"""The rule and its reading beside each other: after every event all that can be asked of both must agree."""

from __future__ import annotations

import importlib
import os
from random import Random
from typing import Any, ClassVar

from quotewright.model.orders import AmendOrder, NewOrder
from tests.plugins.risk_reading.floor import DESKS, MOVES, Floor, History
from tests.plugins.risk_reading.world import BUY, SELL, World

NORMAL, WARNING, REDUCE_ONLY, CANCEL_ALL, HALT = range(5)
STATES = {"warning": WARNING, "reduce_only": REDUCE_ONLY, "cancel_all": CANCEL_ALL, "halt": HALT}
HISTORIES = int(os.environ.get("QUOTEWRIGHT_HISTORIES", "0"))
"""How many histories of each rule to run; 0: a few."""


class Reading:
    """What a page says a rule does. ``states`` are by scope, the system's by the empty one.

    ``settings`` makes random keys for the rule, ``spans`` are the times worth waiting for.
    """

    plugin = ""
    exempts = True
    looks_at_reports = False
    moves: ClassVar[dict[str, int]] = {}
    """Weights that differ from the usual ones."""

    def __init__(self, world: World, keys: dict[str, Any]) -> None:
        self.world = world
        self.keys = keys
        self.states: dict[str, int] = {}
        self.begin()

    @staticmethod
    def settings(random: Random, layout: int) -> dict[str, Any]:
        raise TypeError("a reading lacks settings()")

    def begin(self) -> None:
        """Set up what is remembered."""

    def spans(self) -> list[int]:
        return [10**9]

    def hear(self, what: str, **facts: Any) -> None:
        """Take note of a fact; the page says when a rule looks."""
        if what == "operator":
            scope = facts["action"].partition(" ")[2]
            self.release(scope)
            return
        if what == "asked":
            command = facts["command"]
            if expected(self, "asked", command, command.instrument) == "":
                self.refuses(command, command.instrument)
        elif what == "command":
            self.on_command(facts["command"], facts["which"])
        elif what == "report":
            self.on_report(facts["report"], facts["order"])
        elif what == "trade":
            self.on_trade(facts["which"])
        if what == "timer":
            self.look(None)
        elif (what == "book" and facts["turned"]) or (what == "report" and self.looks_at_reports):
            self.look(facts["which"])

    def look(self, which: int | None) -> None:
        """Read what is read at every look: at the timer of everything, else because of one instrument."""

    def on_command(self, command: Any, which: int) -> None:
        """Count a command that leaves."""

    def on_report(self, report: Any, order: Any) -> None:
        """Count a report."""

    def on_trade(self, which: int) -> None:
        """Count a print of the market."""

    def refuses(self, command: NewOrder | AmendOrder, which: int) -> bool:
        """Return whether the rule itself refuses the order."""
        return False

    def release(self, scope: str) -> None:
        """The operator lets go of everything, or of one scope."""
        if scope:
            self.states.pop(scope, None)
        else:
            self.states.clear()

    def put(self, state: int, scope: str = "") -> None:
        if state == NORMAL:
            self.states.pop(scope, None)
        else:
            self.states[scope] = state

    def state_for(self, strategy: str, which: int) -> int:
        """Return what holds for orders of a strategy on an instrument."""
        names = ("", f"strategy:{strategy}", self.world.name(which), f"venue:{self.world.venues[which]}")
        return max(self.states.get(name, NORMAL) for name in names)


def rule_of(plugin: str, keys: dict[str, Any]) -> Any:
    """Return the shipped rule with these keys."""
    module = importlib.import_module(f"quotewright_plugins.risk_rules.{plugin}")
    name = "".join(part.title() for part in plugin.split("_"))
    if "resume" in keys:
        keys = keys | {"resume": module.Resume(**keys["resume"])}
    return getattr(module, name)(**keys)


def expected(reading: Reading, mode: str, command: Any, which: int) -> str:
    """Return how the gate answers, by the page on the interface."""
    world = reading.world
    state = bounded(reading.state_for(command.strategy, which), mode)
    if state == HALT:
        return "halt"
    if not world.good[which]:
        return "book"
    reducing = world.reduces(command, which)
    if isinstance(command, NewOrder) and command.reduce_only and not reducing:
        return "gate"
    if state >= REDUCE_ONLY and not reducing:
        return "reduce_only" if state == REDUCE_ONLY else "cancel_all"
    if reducing and reading.exempts:
        return "exempt" if mode == "asked" else ""
    refuses = reading.refuses(command, which)
    return "rule" if refuses and mode == "enforce" else ""


def bounded(state: int, mode: str) -> int:
    return state if mode in ("enforce", "asked") else min(state, WARNING) if mode == "warn" else NORMAL


def answered(floor: Floor, command: Any) -> str:
    view = floor.views[command.instrument]
    view.now_ns = floor.now
    refusal = floor.gate.verdict(command, view)
    if refusal is None:
        return ""
    if refusal.reason in ("halt", "reduce_only", "cancel_all") and refusal.rule != "gate":
        return str(refusal.reason)
    if refusal.rule in ("gate", "book"):
        return str(refusal.rule)
    assert refusal.text, "a refusal tells the numbers"
    return "rule"


def run(kind: type[Reading], seed: int, steps: int = 45) -> int:
    """Drive the rule and its reading with one random history; return how many answers were compared."""
    random = Random(f"{kind.plugin} {seed}")
    layout = random.randrange(3)
    keys = kind.settings(random, layout)
    mode = random.choices(("enforce", "warn", "observe"), (8, 1, 1))[0]
    rule = rule_of(kind.plugin, keys)
    rule.mode = mode
    floor = Floor([rule], layout)
    reading = kind(floor.world, keys)
    floor.listeners.append(reading)
    spans = reading.spans() or [10**9]
    period = rule.wake_every_ns
    history = History(
        floor, random, spans, max(spans) + 3 * period if not period else min(max(spans) + period, 60 * period)
    )
    history.floor.book(0, 19_999, 20_001)
    history.floor.book(1, history.mids[1] - 1, history.mids[1] + 1)
    moves: ClassVar = MOVES | kind.moves
    compared = 0
    for number in range(steps):
        where = f"{kind.plugin} seed {seed} step {number} mode {mode} keys {keys}"
        history.step(moves)
        for strategy, which in DESKS:
            should = bounded(reading.state_for(strategy, which), mode)
            was = floor.state(strategy, which)
            assert was == should, f"{where}: the state of {strategy} at {which} should be {should}, was {was}"
        strategy, which = random.choice(DESKS)
        probes: list[Any] = [
            floor.order(which, strategy, side, price, lots)
            for side in (BUY, SELL)
            for lots, price in ((random.choice((1, 2, 3, 7)), history.price(which)), (random.choice((1, 4, 20)), 0))
        ]
        change = history.amend() if random.random() < 0.3 else None
        for probe in [*probes, change] if change else probes:
            should_be = expected(reading, mode, probe, probe.instrument)
            came = answered(floor, probe)
            assert came == should_be, f"{where}: {probe} should be answered with {should_be!r}, was {came!r}"
            compared += 1
        assert not floor.gate.failed, f"{where}: {floor.gate.failed}"
    return compared
