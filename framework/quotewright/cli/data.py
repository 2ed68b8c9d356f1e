"""The commands ``data import`` and ``data inspect``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from quotewright.cli.export import export
from quotewright.cli.fetch import fetch
from quotewright.cli.normalise import normalize
from quotewright.cli.options import debug_option, json_option, plugins_dir_option
from quotewright.cli.record import record
from quotewright.cli.verify import verify

if TYPE_CHECKING:
    from quotewright.tape.importing import Progress
    from quotewright.tape.tape import TapeInfo

PASSES = {"survey": "looking at the data (1 of 2)", "rows": "writing the tape (2 of 2)"}


@click.group()
def data() -> None:
    """Import recorded market data and look into tapes."""


@data.command("import")
@click.argument("paths", metavar="FILE... TAPE", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--instruments",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The venue's metadata answer (exchangeInfo): tick, lot and limits; without it they are inferred.",
)
@click.option("--exchange", default="", metavar="NAME", help="Where it was recorded, e.g. binance-futures.")
@click.option("--importer", default="", metavar="NAME", help="The format; without it the data tell.")
@click.option("--symbol", "symbols", multiple=True, metavar="SYMBOL", help="Only this one; may be repeated.")
@click.option(
    "--base-latency",
    default="1ms",
    show_default=True,
    metavar="TIME",
    help="What the smallest time between event and receipt becomes.",
)
@click.option("--allow-truncated", is_flag=True, help="Import the whole lines of a file that ends too early.")
@click.option("--replace", is_flag=True, help="Replace a tape of this name.")
@json_option
@plugins_dir_option
@debug_option
def import_(
    paths: tuple[Path, ...],
    instruments: Path | None,
    exchange: str,
    importer: str,
    symbols: tuple[str, ...],
    base_latency: str,
    allow_truncated: bool,
    replace: bool,
    as_json: bool,
    plugins_dir: tuple[Path, ...],
) -> None:
    """Write recorded FILEs as one TAPE: causal, with its event order, and with what was found out about it.

    Read are captures (one JSON object per line with ts, src and msg) and Tardis CSV data sets, gzip or plain; several
    files are merged by receive time.
    """
    if len(paths) < 2:
        raise click.UsageError("give one FILE or more to import, and the TAPE to write")
    from quotewright.config.units import Duration, UnitError
    from quotewright.errors import ConfigError
    from quotewright.plugin.registry import PluginSet
    from quotewright.tape.importing import import_files

    try:
        latency = Duration.parse(base_latency)
    except UnitError as error:
        raise ConfigError(f"--base-latency: {error}") from error
    *files, tape = paths
    info = import_files(
        files,
        tape,
        importer=importer,
        instruments=instruments,
        exchange=exchange,
        symbols=symbols,
        base_latency_ns=int(latency),
        allow_truncated=allow_truncated,
        replace=replace,
        plugins=PluginSet.discover(plugins_dir, strict=False),
        progress=_progress(),
    )
    _show(tape, info, as_json)
    for text in _warnings(info):
        click.echo(f"quotewright: {text}", err=True)


@data.command()
@click.argument("tape", type=click.Path(path_type=Path))
@click.option("--verify", is_flag=True, help="Compare checksums; check that no row was received before it happened.")
@json_option
@debug_option
def inspect(tape: Path, verify: bool, as_json: bool) -> None:
    """Show what a TAPE holds: span, instruments, clocks, latencies, gaps."""
    from quotewright.tape.tape import TapeFile

    with TapeFile.open(tape) as opened:
        if verify:
            opened.verify()
            opened.require_causal()
        _show(tape, opened.info, as_json, True if verify else None)


def _show(tape: Path, info: TapeInfo, as_json: bool, is_verified: bool | None = None) -> None:
    from quotewright.tape.inspect import page, record

    if as_json:
        click.echo(json.dumps(record(tape, info, is_verified), indent=2))
    else:
        click.echo(page(tape, info, is_verified), nl=False)


def _warnings(info: TapeInfo) -> list[str]:
    """Return what a person should be told even where only JSON is read."""
    found = []
    if info.refused_count:
        first = info.refused[0]
        found.append(
            f"{info.refused_count} messages could not be read and were left out, the first in {first.file} line "
            f"{first.line}: {first.reason}"
        )
    for source in info.sources:
        if source.is_truncated:
            found.append(f"{source.name} ends too early; only its {source.lines} whole lines were imported")
    unclean = [verdict.instrument for verdict in info.verdicts if not verdict.is_clean]
    if unclean:
        names = ", ".join(unclean[:5]) + (" …" if len(unclean) > 5 else "")
        found.append(f"gaps, crossings or a stale book at the end in {names}; see: quotewright data inspect")
    return found


def _progress() -> Progress | None:
    """Return what draws progress on standard error, None where nobody watches."""
    if not sys.stderr.isatty():
        return None

    def show(what: str, share: float) -> None:
        click.echo(f"\r{PASSES[what]} {share:4.0%}", nl=share >= 1.0, err=True)

    return show


data.add_command(normalize)
data.add_command(record)
data.add_command(export)
data.add_command(fetch)
data.add_command(verify)
