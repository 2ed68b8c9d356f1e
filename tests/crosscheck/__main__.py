"""``python -m tests.crosscheck``: the same orders on the same data through the replay venue and through hftbacktest.

Exit codes: 0 every difference is explained, 1 some are not, 2 hftbacktest could not be installed or is not there.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import attrs

from tests.crosscheck import theirs as peer
from tests.crosscheck.check import Outcome, compare
from tests.crosscheck.fills import MODELS, ours, quantities
from tests.crosscheck.markets import MARKETS, Missing
from tests.crosscheck.reading import RULES
from tests.crosscheck.scenes import SCENES
from tests.crosscheck.script import write

INSTALL_SECONDS = 900
NOT_THERE = 2


def install() -> str:
    """Install the release of hftbacktest that the rules were read from; return why that failed, or nothing."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", f"hftbacktest=={peer.RELEASE}"]
    try:
        subprocess.run(command, check=True, stdout=sys.stderr, timeout=INSTALL_SECONDS)
    except (OSError, subprocess.SubprocessError) as error:
        return (
            f"hftbacktest {peer.RELEASE} could not be installed ({error}). The cross-check needs the network, or a "
            "package index that pip is told of (PIP_INDEX_URL); nothing was compared."
        )
    return ""


def run_scenes(folder: Path) -> list[Outcome]:
    """Compare the worked scenes: each must differ as it says, and by its own rule alone."""
    outcomes = []
    for scene in SCENES:
        market, commands, model = scene.made()
        path = folder / f"{scene.rule}.npz"
        peer.write_events(market, path)
        mine, others = ours(market, commands, model), peer.theirs(market, commands, model, path)
        outcome = compare(market, commands, model, mine, others)
        for whose, fills, expected in (("ours", mine, scene.ours), ("theirs", others, scene.theirs)):
            if (came := quantities(fills)) != expected:
                outcome.unexplained += 1
                outcome.reasons[0] = f"{whose} should fill {expected}, filled {came}"
        if set(outcome.rules) != {(scene.rule,)}:
            outcome.unexplained += 1
            outcome.reasons[-1] = f"should differ by {scene.rule} alone, differs by {list(outcome.rules)}"
        for why in outcome.reasons.values():
            print(f"scene {scene.rule}: {why}", file=sys.stderr)
        outcomes.append(outcome)
    return outcomes


def run(options: argparse.Namespace) -> list[Outcome]:
    """Compare every chosen market and model and print one line each."""
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory() as folder:
        scenes = run_scenes(Path(folder))
        if not options.json:
            print(
                f"{sum(not one.unexplained for one in scenes)} of {len(scenes)} worked scenes as written\n", flush=True
            )
        outcomes += scenes
        for name in options.market or MARKETS:
            try:
                market = MARKETS[name](options.rows)
            except Missing as error:
                print(f"{name:<10} skipped: {error}", file=sys.stderr)
                continue
            path = Path(folder) / f"{name}.npz"
            peer.write_events(market, path)
            for seed in range(1, options.seeds + 1):
                commands = write(market, options.orders, seed)
                for model in options.model or MODELS:
                    mine = ours(market, commands, MODELS[model])
                    try:
                        others = peer.theirs(market, commands, MODELS[model], path)
                    except peer.Stopped as error:
                        outcome = Outcome(market=market.name, model=model, orders=len(commands), unexplained=1)
                        outcome.reasons[0] = str(error)
                    else:
                        outcome = compare(market, commands, MODELS[model], mine, others)
                    outcomes.append(outcome)
                    if outcome.unexplained:
                        for order, why in outcome.reasons.items():
                            print(f"{name}, {model}, seed {seed}, order {order}: {why}", file=sys.stderr)
            if not options.json:
                show(name, [outcome for outcome in outcomes if outcome.market == market.name])
    return outcomes


def total(outcomes: Sequence[Outcome], market: str, model: str) -> Outcome:
    """Return *outcomes* added up."""
    found = Outcome(market=market, model=model, orders=sum(one.orders for one in outcomes))
    for one in outcomes:
        for name in ("both", "only_ours", "only_theirs", "explained", "unexplained"):
            setattr(found, name, getattr(found, name) + getattr(one, name))
        for rules, orders in one.rules.items():
            found.rules[rules] = found.rules.get(rules, 0) + orders
    return found


HEAD = f"{'':<10} {'model':<16} {'orders':>7} {'both':>6} {'only_ours':>10} {'only_theirs':>12} {'explained':>10} "
HEAD += f"{'unexplained':>12}"


def line(one: Outcome) -> str:
    text = f"{one.market:<10} {one.model:<16} {one.orders:>7} {one.both:>6} {one.only_ours:>10} {one.only_theirs:>12} "
    return text + f"{one.explained:>10} {one.unexplained:>12}"


def show(name: str, outcomes: Sequence[Outcome]) -> None:
    print(HEAD)
    for model in [model for model in MODELS if any(one.model == model for one in outcomes)]:
        print(line(total([one for one in outcomes if one.model == model], name, model)))
    print(flush=True)


def show_rules(outcomes: Sequence[Outcome]) -> None:
    """Print how often each rule was needed to turn our fills of an order into theirs."""
    print(f"{'rule':<24} {'alone':>6} {'with others':>12}   orders whose fills it changes into theirs")
    everything = total(outcomes, "all", "all")
    for rule, text in RULES.items():
        alone = everything.rules.get((rule,), 0)
        among = sum(orders for rules, orders in everything.rules.items() if rule in rules and len(rules) > 1)
        print(f"{rule:<24} {alone:>6} {among:>12}   {text}")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.crosscheck", description=__doc__)
    parser.add_argument("--install", action="store_true", help="install hftbacktest with pip first")
    parser.add_argument("--market", action="append", choices=list(MARKETS), help="repeatable; default all")
    parser.add_argument("--model", action="append", choices=list(MODELS), help="repeatable; default all")
    parser.add_argument("--rows", type=int, default=40_000, help="rows of each market that is made")
    parser.add_argument("--orders", type=int, default=700, help="about so many orders are sent a market")
    parser.add_argument("--seeds", type=int, default=2, help="scripts a market")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    options = parser.parse_args(arguments)
    if options.install and (trouble := install()):
        print(trouble, file=sys.stderr)
        return NOT_THERE
    try:
        peer.load()
    except ImportError as error:
        print(f"hftbacktest cannot be imported ({error}); run: tox run -e crosscheck", file=sys.stderr)
        return NOT_THERE
    began = time.perf_counter()
    outcomes = run(options)
    if options.json:
        found = [{**attrs.asdict(one), "rules": [[list(k), n] for k, n in one.rules.items()]} for one in outcomes]
        print(json.dumps({"hftbacktest": peer.release(), "outcomes": found}, indent=1))
    else:
        show("all", outcomes)
        show_rules(outcomes)
        took = time.perf_counter() - began
        print(f"\nhftbacktest {peer.release()}, {len(outcomes)} comparisons in {took:.0f} s")
    return 1 if any(one.unexplained for one in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
