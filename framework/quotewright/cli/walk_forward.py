"""``quotewright walk-forward``: parameters chosen on one range of time and tested on the next."""

from __future__ import annotations

import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import click

from quotewright.cli.options import (
    announce,
    data_options,
    debug_option,
    json_option,
    plugins_dir_option,
    set_option,
    time_range,
)
from quotewright.errors import ConfigError, NotFoundError


@click.command("walk-forward")
@click.argument("configs", metavar="CONFIG...", nargs=-1, required=True, type=click.Path(path_type=Path))
@data_options
@click.option("--train", required=True, metavar="SPAN", help="Length of the ranges parameters are chosen on: 1d, 6h.")
@click.option("--test", required=True, metavar="SPAN", help="Length of the ranges behind them that are run.")
@click.option("--every", metavar="SPAN", help="How far apart windows begin; default: as --test.")
@click.option(
    "--grid",
    multiple=True,
    required=True,
    metavar="TABLE.NAME.KEY=VALUES",
    help="Values to try, separated by commas; given more than once, every combination is tried.",
)
@click.option("--select", default="pnl", metavar="FIGURE", help="Figure of the summary that decides; default pnl.")
@click.option("--jobs", default=1, type=click.IntRange(min=1), help="Runs at a time; more than one needs joblib.")
@set_option
@click.option("--seed", type=click.IntRange(min=0), help="Seed of everything random in the runs.")
@plugins_dir_option
@json_option
@debug_option
def walk_forward(
    configs: tuple[Path, ...],
    data: tuple[Path, ...],
    begin: str | None,
    end: str | None,
    train: str,
    test: str,
    every: str | None,
    grid: tuple[str, ...],
    select: str,
    jobs: int,
    sets: tuple[str, ...],
    seed: int | None,
    plugins_dir: tuple[Path, ...],
    as_json: bool,
) -> int:
    """Choose parameters of CONFIG on one range of time, run the next with them, and go on through the data."""
    from quotewright import api
    from quotewright.cli.run import only_json_on_stdout, print_json

    announce()
    from_ns, to_ns = time_range(begin, end)
    for path in data:
        if not path.exists():
            raise NotFoundError(f"no market data at {path}; make a tape with: quotewright data import FILE {path}")
    with only_json_on_stdout(as_json):
        walked = api.walk_forward(
            list(configs),
            list(data),
            train=train,
            test=test,
            step=every,
            grid=dict(grid_of(text) for text in grid),
            select=select,
            overrides=list(sets),
            start=from_ns,
            end=to_ns,
            seed=seed,
            jobs=jobs,
            plugins_dir=list(plugins_dir),
            watcher=lambda line: click.echo(line, err=True),
        )
    if as_json:
        print_json(walked.summary)
    else:
        show(walked.summary)
    return 0


def grid_of(text: str) -> tuple[str, list[Any]]:
    """Return key and values of ``strategies.mm.gamma=0.01,0.02``; values with commas are written as a TOML list."""
    key, equals, values = text.partition("=")
    if not equals or not values.strip():
        raise ConfigError(f"--grid should be like strategies.mm.gamma=0.01,0.02, was '{text}'")
    written = values.strip()
    if written.startswith("["):
        try:
            found = tomllib.loads(f"values = {written}", parse_float=_exact)["values"]
        except (tomllib.TOMLDecodeError, ArithmeticError) as error:
            raise ConfigError(f"--grid {key}: {written} is no list as TOML writes it: {error}") from error
        return key.strip(), list(found)
    return key.strip(), [_value(part.strip()) for part in written.split(",")]


def _value(text: str) -> Any:
    """Return what a config file would hold: a number, true or false; anything else is text."""
    try:
        return tomllib.loads(f"value = {text}", parse_float=_exact)["value"]
    except (tomllib.TOMLDecodeError, ArithmeticError):
        return text


def _exact(text: str) -> Any:
    from decimal import Decimal

    return Decimal(text)


def show(summary: dict[str, Any]) -> None:
    """Print what was chosen and what came of it, window by window."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    from quotewright.report.table import amount

    by = summary["select"]
    table = Table(title=f"walk-forward, chosen by {by}", title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for column in ("test from", "to", "chosen"):
        table.add_column(column, overflow="fold", no_wrap=column != "chosen")
    for column in (f"{by},\ntrained", f"{by},\ntest", "pnl", "fills"):
        table.add_column(column, justify="right", overflow="fold")
    for row in summary["windows"]:
        # Narrow enough for 80 columns: dates over times, keys by their last word where that tells them apart.
        last = Counter(key.rpartition(".")[2] for key in row["chosen"])
        short = {key: key.rpartition(".")[2] if last[key.rpartition(".")[2]] == 1 else key for key in row["chosen"]}
        chosen = "\n".join(f"{short[key]}={value}" for key, value in row["chosen"].items())
        times = (row["test"].replace("T", "\n"), row["end"].replace("T", "\n"))
        pnl = "" if row["pnl"] is None else amount(row["pnl"])
        table.add_row(*times, chosen, _shown(row["train_figure"]), _shown(row["test_figure"]), pnl, str(row["fills"]))
    console = Console(highlight=False)
    console.print(table)
    pnl = "of several currencies" if summary["pnl"] is None else amount(summary["pnl"])
    console.print(f"pnl of all test ranges {pnl}, {summary['fills']} fills")


def _shown(figure: Any) -> str:
    return "" if figure is None else f"{float(figure):,.4f}"
