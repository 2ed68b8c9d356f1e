"""The command ``data normalize``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from quotewright.cli.options import debug_option, plugins_dir_option


@click.command()
@click.argument("path", metavar="[FILE]", required=False, type=click.Path(path_type=Path, allow_dash=True))
@click.option("--exchange", required=True, metavar="NAME", help="Tardis's name of the exchange, e.g. binance-futures.")
@click.option("--per-line", is_flag=True, help="One JSON array for each line read, [] where nothing comes of it.")
@plugins_dir_option
@debug_option
def normalize(path: Path | None, exchange: str, per_line: bool, plugins_dir: tuple[Path, ...]) -> None:
    """Write the capture in FILE (or standard input) as normalised messages in Tardis's form, one JSON text a line.

    Numbers keep the digits that the exchange sent. Lines that cannot be used are left out, counted, and told at the
    end on standard error.
    """
    from quotewright.errors import InputError, NotFoundError
    from quotewright.plugin.registry import PluginSet
    from quotewright.tape.normalising import Normaliser, batches

    normaliser = Normaliser(PluginSet.discover(plugins_dir, strict=False), exchange)
    out = sys.stdout.buffer
    name = "standard input" if path is None or str(path) == "-" else str(path)
    if path is None or str(path) == "-":
        stream = sys.stdin.buffer
    elif path.is_file():
        stream = path.open("rb")
    elif path.exists():
        raise InputError(f"{path} should be a file")
    else:
        raise NotFoundError(f"no file at {path}")
    with stream:
        for batch in batches(stream, name):
            texts: list[str] = []
            for line in batch:
                if line is None:
                    normaliser.skip("the line is longer than any frame")
                    made: list[str] = []
                else:
                    made = normaliser.take(line)
                if per_line:
                    texts.append(f"[{','.join(made)}]")
                else:
                    texts += made
            if texts:
                texts.append("")
                out.write("\n".join(texts).encode())
                out.flush()
    if normaliser.refused:
        what = f"{name}: {normaliser.refused} of {normaliser.lines} lines cannot be used; {normaliser.first_refused}"
        if normaliser.refused == normaliser.lines:
            raise InputError(what)
        click.echo(f"quotewright: {what}", err=True)
