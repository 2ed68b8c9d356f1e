"""The command ``data verify``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from quotewright.cli.options import debug_option, json_option, plugins_dir_option


@click.command()
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--exchange", default="", metavar="NAME", help="Where it was recorded, e.g. okex-swap; the data tell it.")
@json_option
@plugins_dir_option
@debug_option
def verify(path: Path, exchange: str, as_json: bool, plugins_dir: tuple[Path, ...]) -> None:
    """Rebuild the books of the capture in FILE and say what they are worth; of a tape, what its import found.

    Told are, for each symbol: messages, gaps, checksums, crossings, agreement with the best quotes, final top levels.
    """
    from quotewright.plugin.registry import PluginSet
    from quotewright.tape.verify import page, verify_capture, verify_tape

    if path.is_dir():
        report = verify_tape(path)
    else:
        report = verify_capture(path, PluginSet.discover(plugins_dir, strict=False), exchange)
    click.echo(json.dumps(report, indent=2) if as_json else page(report), nl=as_json)
    if report.get("is_truncated"):
        click.echo(f"quotewright: {path} ends too early; its {report['lines']} whole lines were read", err=True)
    if report.get("refused"):
        click.echo(
            f"quotewright: {path}: {report['refused']} of {report['lines']} lines cannot be used; "
            f"{report['first_refused']}",
            err=True,
        )
