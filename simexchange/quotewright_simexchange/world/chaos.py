"""Many worlds of one config: seeds run, results summed up, and a failing seed made smaller."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from quotewright.cli.options import RunOptions
from quotewright.cli.venues import card_named, card_names
from quotewright.errors import ConfigError
from quotewright.live.venue import LiveVenue
from quotewright_simexchange.exchange.exchange import Exchange
from quotewright_simexchange.server.faults import KINDS
from quotewright_simexchange.server.opening import listing_of
from quotewright_simexchange.world.plan import Plan, drawn
from quotewright_simexchange.world.town import addresses
from quotewright_simexchange.world.verdicts import NAMES, Broken
from quotewright_simexchange.world.world import KEY, SECRET, Ground, Result, World, adapter_of, feed_of, figures

if TYPE_CHECKING:
    from quotewright.config.model import Config
    from quotewright.model.cards import VenueCard
    from quotewright.plugin.registry import PluginSet

LEAST_INVARIANTS = 12
SHORTEST_NS = 2_000_000_000
MOST_SHRINKS = 40


def prepare(paths: Sequence[Path | str], sets: Sequence[str] = (), plugins_dir: Sequence[Path] = ()) -> Ground:
    """Return the ground of the config at *paths*, its feed and its venues led to the doors of the world.

    Raises:
        ConfigError: the config has a fault, or the local exchange does not speak what it names.
    """
    config, plugins = RunOptions(sets, plugins_dir=plugins_dir).load(paths)
    cards = {name: card_named(plugins, name) for name in card_names(plugins)}
    more = [f"{name}={value}" for name, value in led(config, plugins, cards).items()]
    config, plugins = RunOptions([*sets, *more], plugins_dir=plugins_dir).load(paths)
    return Ground(config=config, plugins=plugins, cards=cards)


def led(config: Config, plugins: PluginSet, cards: Mapping[str, VenueCard]) -> dict[str, str]:
    """Return the keys that lead feed and venues of *config* to the doors of a world."""
    table = feed_of(config, plugins)
    adapter = adapter_of(table, plugins)
    if adapter.name not in plugins.names("dialects"):
        known = ", ".join(plugins.names("dialects")) or "none"
        raise ConfigError(f"{table.where}.plugin: the local exchange does not speak {adapter.name}; it speaks {known}")
    listings = [listing_of(name.partition("@")[0], adapter.name)[0] for name in table.instruments]
    at = addresses(plugins.get("dialects", adapter.name)(Exchange(listings), cards).doors())

    def door(where: str, name: str, market: str) -> Mapping[str, str]:
        found = at.get(f"{name}-{market}")
        if found is None:
            raise ConfigError(
                f"{where}: there is no door {name}-{market} for these instruments; there are {', '.join(at) or 'none'}"
            )
        return found

    found = door(table.where, adapter.name, adapter.market_name)
    sets: dict[str, str] = {}
    if next(iter(config.feeds.values())).plugin != "venue":
        sets |= {f"feeds.{table.name}.rest": found["rest"], f"feeds.{table.name}.websocket": found["ws"]}
    for name, one in config.venues.items():
        venue = plugins.build("execution_venues", one)
        if isinstance(venue, LiveVenue):
            dialect, keys = venue.feed
            found = door(one.where, dialect, str(keys.get("market", "")))
            sets |= {f"venues.{name}.rest": found["rest"], f"venues.{name}.websocket": found["ws"]}
            sets |= {f"venues.{name}.ws_api": found["ws_api"]} if "ws_api" in found else {}
            sets |= {f"venues.{name}.key": f"env:{KEY}", f"venues.{name}.secret": f"env:{SECRET}"}
    return sets


@attrs.define(kw_only=True)
class Tally:
    """What came of many seeds."""

    seeds: int = 0
    events: int = 0
    orders: int = 0
    fills: int = 0
    quotes_after: int = 0
    faults: Counter[str] = attrs.Factory(Counter)
    evaluations: Counter[int] = attrs.Factory(Counter)
    without_quotes: list[int] = attrs.Factory(list)
    """Seeds in which nothing was quoted after the faults."""
    failed: list[Result] = attrs.Factory(list)

    def add(self, result: Result) -> None:
        """Count one world."""
        self.seeds += 1
        self.events += result.events
        self.orders += result.orders
        self.fills += result.fills
        self.quotes_after += result.quotes_after
        self.faults.update(result.faults)
        self.evaluations.update(result.evaluations)
        if not result.is_good:
            self.failed.append(result)
        elif not result.quotes_after:
            self.without_quotes.append(result.plan.seed)

    def problem(self) -> str:
        """Return why this is no success although no invariant was broken, empty if it is one."""
        if len(self.evaluations) < LEAST_INVARIANTS:
            count = len(self.evaluations)
            return f"only {count} invariants were evaluated, of {LEAST_INVARIANTS} at least: checks are off"
        if self.without_quotes:
            return f"nothing was quoted after the faults in seeds {', '.join(map(str, self.without_quotes[:10]))}"
        return ""

    def line(self) -> str:
        """Return the last line of the command."""
        faults = ", ".join(f"{kind} {self.faults[kind]:,}" for kind in KINDS if self.faults[kind]) or "none"
        evaluated = ", ".join(f"{number}: {count:,}" for number, count in sorted(self.evaluations.items())) or "none"
        return (
            f"{self.seeds:,} seeds, {self.events:,} events, {self.orders:,} orders, {self.fills:,} fills; "
            f"faults {faults}; evaluations by invariant {evaluated}; "
            f"{self.quotes_after:,} quotes placed after healing; {len(self.failed)} failed"
        )

    def as_json(self) -> dict[str, Any]:
        """Return it fit for JSON."""
        return {
            "seeds": self.seeds,
            "events": self.events,
            "orders": self.orders,
            "fills": self.fills,
            "faults": {kind: self.faults[kind] for kind in KINDS if self.faults[kind]},
            "evaluations": {str(number): count for number, count in sorted(self.evaluations.items())},
            "invariants": {str(number): NAMES[number] for number in sorted(self.evaluations)},
            "quotes_after_healing": self.quotes_after,
            "problem": self.problem(),
            "failed": [figures(result) for result in self.failed],
        }


def run_plan(ground: Ground, plan: Plan, *, checks: bool = True) -> Result:
    """Return what came of one world."""
    return World(ground, plan, checks=checks).run()


def run_seeds(
    ground: Ground,
    seeds: Sequence[int],
    span_ns: int,
    *,
    kinds: tuple[str, ...] | None = None,
    checks: bool = True,
    told: Callable[[Result], None] | None = None,
) -> Tally:
    """Run every seed, the first one twice: both times the same must happen."""
    tally = Tally()
    for place, seed in enumerate(seeds):
        plan = drawn(seed, span_ns)
        if kinds is not None:
            plan = plan.only(kinds)
        result = run_plan(ground, plan, checks=checks)
        if place == 0 and checks and result.is_good:
            again = run_plan(ground, plan, checks=checks)
            result.evaluations[22] = 1
            if again.digest != result.digest:
                result.broken = Broken(22, f"digest {result.digest[:16]}…, then {again.digest[:16]}…")
        tally.add(result)
        if told is not None:
            told(result)
    return tally


def shrunk(ground: Ground, result: Result) -> Result:
    """Return the same failure with fewer kinds of faults and a shorter span, as far as that can be found."""
    assert result.broken is not None
    number = result.broken.number
    tries = 0

    def still(plan: Plan) -> Result | None:
        nonlocal tries
        tries += 1
        found = run_plan(ground, plan)
        return found if found.broken is not None and found.broken.number == number else None

    for kind in result.plan.kinds:
        found = still(result.plan.only(tuple(one for one in result.plan.kinds if one != kind)))
        if found is not None:
            result = found
    while tries < MOST_SHRINKS and result.plan.span_ns // 2 >= SHORTEST_NS:
        found = still(result.plan.lasting(result.plan.span_ns // 2))
        if found is None:
            break
        result = found
    return result


def repeat_command(configs: Sequence[Path | str], plan: Plan, sets: Sequence[str] = ()) -> str:
    """Return the one command that runs the world of *plan* again."""
    words = ["quotewright", "chaos", *map(str, configs), "--first", str(plan.seed), "--seeds", "1"]
    words += ["--minutes", f"{plan.span_ns / 60e9:.12g}"]
    full = drawn(plan.seed, plan.span_ns)
    if plan.kinds != full.kinds:
        words += ["--kinds", ",".join(plan.kinds) or "none"]
    for one in sets:
        words += ["--set", f"'{one}'"]
    return " ".join(words)
