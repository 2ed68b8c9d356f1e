"""Order by order: what both filled alike, and for every difference the rule that makes it."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from tests.crosscheck.fills import Fills, Model
from tests.crosscheck.markets import Market
from tests.crosscheck.reading import ALL, RULES, Reading, Step, steps
from tests.crosscheck.script import Command


@attrs.define(kw_only=True)
class Outcome:
    """What came of one model on one market, counted in fills (what an order was filled at one time).

    ``rules`` holds for each set of rules how many orders it explains; ``reasons`` says of an unexplained order why.
    An order that both fill alike and the reading does not is counted as unexplained too: the reading is no proof then.
    """

    market: str
    model: str
    orders: int
    both: int = 0
    only_ours: int = 0
    only_theirs: int = 0
    explained: int = 0
    unexplained: int = 0
    rules: dict[tuple[str, ...], int] = attrs.Factory(dict)
    reasons: dict[int, str] = attrs.Factory(dict)


class Explainer:
    """Finds the smallest set of rules that turns our fills of an order into theirs, by running the reading."""

    def __init__(self, market: Market, model: Model, happenings: Sequence[Step]) -> None:
        self.market = market
        self.model = model
        self.happenings = happenings
        self.runs: dict[frozenset[str], Fills] = {}

    def fills(self, switched: frozenset[str]) -> Fills:
        if switched not in self.runs:
            self.runs[switched] = Reading(self.market, self.model, switched).run(self.happenings)
        return self.runs[switched]

    def explain(self, order: int, ours: Fills, theirs: Fills) -> tuple[frozenset[str], str]:
        """Return the rules that make the difference of *order*, none of which can be spared; or why there are none."""
        if why_not := self.disagreement(order, ours, theirs):
            return frozenset(), why_not
        theirs_here = theirs.get(order)
        for rule in RULES:
            if self.fills(frozenset((rule,))).get(order) == theirs_here:
                return frozenset((rule,)), ""
        needed = ALL
        for rule in RULES:
            if self.fills(needed - {rule}).get(order) == theirs_here:
                needed -= {rule}
        return needed, ""

    def disagreement(self, order: int, ours: Fills, theirs: Fills) -> str:
        """Return in which of its two readings of *order* this is not what an engine did; empty if in none."""
        for whose, switched, fills in (("our", frozenset[str](), ours), ("their", ALL, theirs)):
            read = self.fills(switched).get(order)
            if read != fills.get(order):
                return f"{whose} engine filled {fills.get(order)}, the reading of {whose} rules {read}"
        return ""


def compare(market: Market, commands: Sequence[Command], model: Model, ours: Fills, theirs: Fills) -> Outcome:
    """Return what the two have in common, and every difference explained or not."""
    sent = {command.order for command in commands}
    outcome = Outcome(market=market.name, model=model.name, orders=len(sent))
    explainer = Explainer(market, model, steps(market, commands))
    for order in sorted(sent | set(ours) | set(theirs)):
        mine, others = set(ours.get(order, ())), set(theirs.get(order, ()))
        outcome.both += len(mine & others)
        outcome.only_ours += len(mine - others)
        outcome.only_theirs += len(others - mine)
        differences = len(mine ^ others)
        if not differences:
            if why_not := explainer.disagreement(order, ours, theirs):
                outcome.unexplained += 1
                outcome.reasons[order] = why_not
            continue
        rules, why_not = explainer.explain(order, ours, theirs)
        if why_not:
            outcome.unexplained += differences
            outcome.reasons[order] = why_not
        else:
            outcome.explained += differences
            name = tuple(sorted(rules))
            outcome.rules[name] = outcome.rules.get(name, 0) + 1
    return outcome
