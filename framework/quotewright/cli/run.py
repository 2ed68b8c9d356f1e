"""The verbs that run something: ``backtest``, ``paper``, and ``report`` for what has run."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from quotewright.cli.options import RunOptions, announce, data_options, json_option, run_options, time_range
from quotewright.errors import ConfigError, NotFoundError
from quotewright.fetching.times import time_ns

if TYPE_CHECKING:
    from quotewright.config.model import Config
    from quotewright.plugin.registry import PluginSet
    from quotewright.runtime.drivers import Driver
    from quotewright.runtime.session import Outcome, Session
    from quotewright.tape.tape import Tape

INTERRUPTED = 130
SPEEDS = "real, max, or a factor such as 10"


@click.command()
@click.argument("configs", metavar="CONFIG...", nargs=-1, required=True, type=click.Path(path_type=Path))
@data_options
@click.option("--speed", default="max", metavar="SPEED", help=f"{SPEEDS}; default max.")
@click.option("--step", metavar="STEP", help="Stop after each step and ask: message, wake or a duration such as 1s.")
@click.option("--until", metavar="TIME", help="With --step: go there first, and stop for the first time.")
@click.option("--no-report", is_flag=True, help="Write no HTML report.")
@run_options
def backtest(
    configs: tuple[Path, ...],
    data: tuple[Path, ...],
    begin: str | None,
    end: str | None,
    speed: str,
    step: str | None,
    until: str | None,
    no_report: bool,
    options: RunOptions,
) -> int:
    """Run CONFIG on a recorded market, in virtual time."""
    from quotewright.runtime.session import backtest as run

    announce()
    factor = speed_factor(speed, options.as_json)
    if step is not None and factor:
        raise click.UsageError("--step stops after each step, --speed goes by the clock; give one of them")
    if until is not None and step is None:
        raise click.UsageError("--until says where --step stops for the first time; give both")
    from_ns, to_ns = time_range(begin, end)
    stop_ns = time_ns(until) if until is not None else 0
    config, plugins = options.load(configs)
    with only_json_on_stdout(options.as_json), run_folder(config, "backtest", options.out) as folder:
        tape = open_market_data(data, plugins, folder)
        with watching(options, live=factor > 0, is_stepped=step is not None) as (watcher, prepared):
            driver = driver_of(factor, step, stop_ns, watcher)
            outcome = run(config, plugins, tape, folder, watcher, prepared, from_ns=from_ns, to_ns=to_ns, driver=driver)
        tape.close()
    return conclude(outcome, options, no_report)


def driver_of(factor: float, step: str | None, stop_ns: int, watcher: Any) -> Driver | None:
    """Return what drives a backtest, None for as fast as possible."""
    from quotewright.runtime.drivers import Paced, Step, Stepped

    if step is not None:
        from quotewright.cli.prompt import Prompt

        wanted = Step.parse(step)
        return Stepped(wanted, Prompt(wanted), stop_ns)
    return Paced(factor, watcher) if factor > 0 else None


@click.command()
@click.argument("configs", metavar="CONFIG...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--seconds", type=click.FloatRange(min=0, min_open=True), help="Market time to run; default: until Ctrl-C."
)
@click.option("--speed", default=None, metavar="SPEED", help=f"{SPEEDS}; default real on a terminal, else max.")
@click.option("--no-report", is_flag=True, help="Write no HTML report.")
@run_options
def paper(
    configs: tuple[Path, ...], seconds: float | None, speed: str | None, no_report: bool, options: RunOptions
) -> int:
    """Run CONFIG against the market of its feed: a live exchange, or the embedded local one."""
    announce()
    config, plugins = options.load(configs)
    return run_paper(config, plugins, seconds, speed, no_report, options, "paper")


def run_paper(
    config: Config,
    plugins: PluginSet,
    seconds: float | None,
    speed: str | None,
    no_report: bool,
    options: RunOptions,
    verb: str,
) -> int:
    """Run *config* as ``paper`` does and tell how it ended; other commands that run one share it."""
    from quotewright.runtime.paper_live import live_feed, paper_live
    from quotewright.runtime.session import paper as run

    table = live_feed(config, plugins)
    if table is not None:
        if speed not in (None, "real"):
            raise ConfigError(f"--speed {speed}: {table.where} is a live feed, which goes as fast as the market does")
        with (
            only_json_on_stdout(options.as_json),
            run_folder(config, verb, options.out) as folder,
            watching(options, live=True) as (watcher, prepared),
        ):
            outcome = paper_live(config, plugins, seconds, folder, watcher, prepared)
        return conclude(outcome, options, no_report)
    factor = speed_factor(speed, options.as_json)
    if seconds is None and factor == 0:
        if speed is not None:
            raise ConfigError("--speed max needs an end: give --seconds")
        factor = 1.0
    with (
        only_json_on_stdout(options.as_json),
        run_folder(config, verb, options.out) as folder,
        watching(options, live=factor > 0) as (watcher, prepared),
    ):
        outcome = run(config, plugins, seconds, factor, folder, watcher, prepared)
    return conclude(outcome, options, no_report)


@click.command()
@click.argument("run_path", metavar="RUN", type=click.Path(path_type=Path))
@json_option
def report(run_path: Path, as_json: bool) -> int:
    """Write the report of a finished run again and say where it is."""
    from quotewright.report.html import write_report

    path = write_report(run_path)
    if as_json:
        print_json({"report": str(path)})
    else:
        from quotewright.report.table import print_summary
        from quotewright.runtime.folder import read_summary

        print_summary(read_summary(run_path))
    return 0


def speed_factor(speed: str | None, as_json: bool) -> float:
    """Return market seconds per second of wall time, 0.0 for as fast as possible."""
    from quotewright.runtime.drivers import speed_of

    if speed is None:
        return 1.0 if sys.stderr.isatty() and not as_json else 0.0
    try:
        return speed_of(speed)
    except ConfigError as error:
        raise click.UsageError(f"--{error}") from error


@contextlib.contextmanager
def run_folder(config: Config, verb: str, out: Path | None) -> Iterator[Path]:
    """Make and give the folder of a run: *out*, or what ``run.record`` says with a number that is free.

    It goes again if nothing was written into it because the run could not begin.
    """
    from quotewright.runtime.folder import new_folder

    folder = new_folder(config, verb, out)
    try:
        yield folder
    except BaseException:
        with contextlib.suppress(OSError):
            folder.rmdir()
        raise


def open_market_data(data: Sequence[Path], plugins: PluginSet, folder: Path) -> Tape:
    """Return the tapes at *data* as one tape; a recording is imported first, into the run's folder."""
    from quotewright.tape.tape import TapeFile

    for path in data:
        if not path.exists():
            raise NotFoundError(f"no market data at {path}; make a tape with: quotewright data import FILE {path}")
    paths = []
    for number, path in enumerate(data, start=1):
        if path.is_dir():
            paths.append(path)
            continue
        from quotewright.tape.importing import import_file

        made = folder / ("tape" if number == 1 else f"tape-{number}")
        import_file(path, made, plugins=plugins)
        paths.append(made)
    tapes = [TapeFile.open(path) for path in paths]
    if len(tapes) == 1:
        return tapes[0]
    from quotewright.tape.joined import JoinedTape

    return JoinedTape(tapes)


@contextlib.contextmanager
def only_json_on_stdout(as_json: bool) -> Iterator[None]:
    """With ``--json``, let whatever a plugin prints go to standard error."""
    if not as_json:
        yield
        return
    with contextlib.redirect_stdout(sys.stderr):
        yield


@contextlib.contextmanager
def watching(options: RunOptions, live: bool, is_stepped: bool = False) -> Iterator[tuple[Any, Any]]:
    """Give what shows a run while it goes on: the live view or one line of progress, nothing when not on a terminal.

    A stepped run shows itself.
    """
    from quotewright.runtime.terminal import LiveView, Progress, tell_failures

    def prepared(session: Session) -> None:
        tell_failures(session, view)

    view: Any = None
    if sys.stderr.isatty() and not is_stepped:
        view = LiveView() if live and not options.as_json else Progress()
    if view is None:
        yield None, prepared
        return
    with view:
        yield view, prepared


def conclude(outcome: Outcome, options: RunOptions, no_report: bool) -> int:
    """Write the report and the summary, print what the user asked for, and return the exit code."""
    if outcome.folder is not None:
        try:
            keep(outcome, outcome.folder, not no_report)
        except OSError as error:
            click.echo(f"quotewright: summary or report cannot be written: {error}", err=True)
            outcome.exit_code = outcome.exit_code or 1
    if options.as_json:
        print_json(outcome.summary)
    else:
        from quotewright.report.table import print_summary

        print_summary(outcome.summary)
    return outcome.exit_code


def keep(outcome: Outcome, folder: Path, with_report: bool) -> None:
    """Write summary and report of a run into its folder; Ctrl-C leaves the report out."""
    from quotewright.runtime.folder import write_summary

    write_summary(folder, outcome.summary)
    if not with_report or "record" in outcome.summary["failures"]:
        return
    from quotewright.report.html import write_report

    try:
        outcome.summary["report"] = str(write_report(folder))
    except KeyboardInterrupt:
        click.echo(f"no report was written; write it with: quotewright report {folder}", err=True)
        outcome.exit_code = INTERRUPTED
    else:
        write_summary(folder, outcome.summary)


def print_json(value: Any) -> None:
    """Print one JSON object; Decimals come out as exact numbers."""
    from quotewright.runtime.folder import readable

    encoded = msgspec.json.Encoder(decimal_format="number").encode(readable(value))
    click.echo(msgspec.json.format(encoded, indent=2).decode())
