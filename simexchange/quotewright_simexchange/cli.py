"""``quotewright exchange``: the local exchange on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import click

from quotewright.cli.options import debug_option, json_option


@click.group()
def exchange() -> None:
    """Run and check the local exchange."""


@exchange.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--engine", type=click.Choice(["fast", "oracle"]), default="fast", show_default=True, help="What runs them."
)
@json_option
@debug_option
def cases(file: Path, engine: str, as_json: bool) -> int:
    """Run the worked scenarios of FILE; exit 1 if one fails, 4 if the file is malformed."""
    from quotewright_simexchange.cases import load_cases, run_cases

    report = run_cases(load_cases(file), engine)
    if as_json:
        click.echo(json.dumps(report.as_json(), indent=2))
    else:
        for failure in report.failures:
            click.echo(str(failure))
        click.echo(f"passed {len(report.passed)}, failed {len(report.failures)}, skipped {len(report.skipped)}")
    return 1 if report.failures else 0


@exchange.command()
@click.argument("tape", type=click.Path(path_type=Path))
@click.option("--seconds", default=240.0, show_default=True, type=click.FloatRange(min=0, min_open=True))
@click.option("--seed", default=11, show_default=True, type=click.IntRange(min=0), help="Seed of the agents.")
@click.option("--replace", is_flag=True, help="Replace the tape that stands there.")
@debug_option
def record(tape: Path, seconds: float, seed: int, replace: bool) -> int:
    """Record the market that the seeded agents make among themselves as a TAPE, labelled synthetic."""
    from quotewright_simexchange.local import LocalExchange
    from quotewright_simexchange.record import record_market

    info = record_market(tape, LocalExchange(), seed, seconds, replace)
    click.echo(f"{tape}: {info.row_count:,} rows, synthetic; use it with: quotewright backtest CONFIG --data {tape}")
    return 0
