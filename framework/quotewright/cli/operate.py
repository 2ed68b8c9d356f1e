"""Commands for a run that goes on: ``set``, ``halt``, ``reduce-only``, ``resume`` and ``flatten``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from quotewright.cli.options import debug_option, json_option

SCOPES = "strategy:NAME, instrument:NAME or venue:NAME; without it the whole run"


def tell(folder: Path, action: str, as_json: bool) -> int:
    """Send *action* to the run and print what it answered."""
    from quotewright.runtime.control import command

    answer = command(folder, action, why="operator, by command")
    if as_json:
        from quotewright.cli.run import print_json

        print_json({"action": action, "now_ns": answer.now_ns})
    else:
        click.echo(f"{folder}: {action}, done at {answer.now_ns} ns of pipeline time")
    return 0


def scoped(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the arguments of a command that may be for a part of the run."""
    for option in (
        click.option("--scope", default="", metavar="SCOPE", help=SCOPES),
        click.argument("run_path", metavar="RUN", type=click.Path(path_type=Path)),
    ):
        function = option(function)
    return json_option(debug_option(function))


@click.command("set")
@click.argument("run_path", metavar="RUN", type=click.Path(path_type=Path))
@click.argument("assignment", metavar="strategies.NAME.KEY=VALUE")
@json_option
@debug_option
def set_(run_path: Path, assignment: str, as_json: bool) -> int:
    """Change a parameter of a strategy while the run in the folder RUN goes on.

    The value is checked as in a config file; one that does not fit changes nothing (exit code 4). Quotes follow at the
    strategy's next wake-up. The change is recorded, so that the run can be replayed.
    """
    return tell(run_path, f"set {assignment}", as_json)


@click.command()
@scoped
def halt(run_path: Path, scope: str, as_json: bool) -> int:
    """Cancel everything and stop: only `flatten` trades until `resume`."""
    return tell(run_path, f"halt {scope}".rstrip(), as_json)


@click.command("reduce-only")
@scoped
def reduce_only(run_path: Path, scope: str, as_json: bool) -> int:
    """Let only orders pass that bring positions nearer to zero, until `resume`."""
    return tell(run_path, f"reduce_only {scope}".rstrip(), as_json)


@click.command()
@scoped
def resume(run_path: Path, scope: str, as_json: bool) -> int:
    """Release every latch of the risk rules and the operator's own state."""
    return tell(run_path, f"resume {scope}".rstrip(), as_json)


@click.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
@scoped
def flatten(run_path: Path, scope: str, as_json: bool, yes: bool) -> int:
    """Cancel everything and close the positions at once, at most 1 % through the mid."""
    if not yes and not sys.stdin.isatty():
        raise click.UsageError("nobody is there to ask: give --yes")
    if not yes:
        click.confirm(f"close the positions of {scope or 'the whole run'} at the market now?", abort=True, err=True)
    return tell(run_path, f"flatten {scope}".rstrip(), as_json)
