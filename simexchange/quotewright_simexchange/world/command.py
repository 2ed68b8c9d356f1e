"""``quotewright chaos``: worlds by seeds, on the command line."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from quotewright.cli.options import announce, debug_option, json_option, plugins_dir_option, set_option
from quotewright.errors import ConfigError
from quotewright_simexchange.server.faults import KINDS

if TYPE_CHECKING:
    from quotewright_simexchange.world.world import Result

MINUTE_NS = 60_000_000_000


@click.command()
@click.argument("configs", metavar="CONFIG...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--seeds", default=10, show_default=True, type=click.IntRange(min=1), help="How many worlds.")
@click.option("--first", default=0, show_default=True, type=click.IntRange(min=0), help="Seed of the first one.")
@click.option(
    "--minutes",
    default=1.0,
    show_default=True,
    type=click.FloatRange(min=0, max=1440, min_open=True),
    help="Virtual time of each world, the time to recover not counted.",
)
@click.option(
    "--kinds", default=None, metavar="KIND,…", help="Only these kinds of faults, of those a seed draws; none."
)
@click.option("--no-checks", is_flag=True, help="Evaluate no invariant; the run is then no success.")
@click.option("--no-shrink", is_flag=True, help="Do not look for a smaller world that fails alike.")
@set_option
@plugins_dir_option
@json_option
@debug_option
def chaos(
    configs: tuple[Path, ...],
    seeds: int,
    first: int,
    minutes: float,
    kinds: str | None,
    no_checks: bool,
    no_shrink: bool,
    sets: tuple[str, ...],
    plugins_dir: tuple[Path, ...],
    as_json: bool,
) -> int:
    """Run CONFIG in simulated worlds full of faults and check invariants after every event; exit 1 if one breaks."""
    from quotewright_simexchange.world.chaos import prepare, repeat_command, run_seeds, shrunk
    from quotewright_simexchange.world.world import figures

    wanted = kinds_of(kinds)
    announce()
    ground = prepare(configs, sets, plugins_dir)

    def told(result: Result) -> None:
        if sys.stderr.isatty() and not as_json:
            click.echo(f"\rseed {result.plan.seed}", err=True, nl=False)

    span_ns = max(1_000_000_000, round(minutes * MINUTE_NS))
    tally = run_seeds(ground, range(first, first + seeds), span_ns, kinds=wanted, checks=not no_checks, told=told)
    smaller = None
    if tally.failed and not no_shrink and not no_checks:
        smaller = shrunk(ground, tally.failed[0])
    problem = tally.problem()
    if as_json:
        found = tally.as_json()
        if smaller is not None:
            found["smaller"] = figures(smaller) | {"command": repeat_command(configs, smaller.plan, sets)}
        click.echo(json.dumps(found, indent=2))
    else:
        for result in tally.failed:
            click.echo(f"seed {result.plan.seed} ({result.plan.market} market): {result.broken}")
            click.echo(f"  again: {repeat_command(configs, result.plan, sets)}")
        shown = smaller or (tally.failed[0] if tally.failed else None)
        if shown is not None:
            click.echo(f"smallest: {shown.broken}\n  again: {repeat_command(configs, shown.plan, sets)}")
            click.echo("\n".join(["  before it:", *(f"  {line}" for line in shown.newest)]))
        if problem:
            click.echo(f"no success: {problem}")
        click.echo(tally.line())
    return 1 if tally.failed or problem else 0


def kinds_of(text: str | None) -> tuple[str, ...] | None:
    """Return the kinds of faults that *text* names, None for all; ``none`` is none."""
    if text is None:
        return None
    if text == "none":
        return ()
    found = tuple(word.strip() for word in text.split(","))
    strange = [word for word in found if word not in KINDS]
    if strange:
        raise ConfigError(f"--kinds: should be some of {', '.join(KINDS)}, was {strange[0]!r}")
    return found
