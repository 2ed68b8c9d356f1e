"""The command ``data record``: a live feed's raw frames into a capture file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from quotewright.cli.options import debug_option, json_option, plugins_dir_option


@click.command()
@click.argument("configs", metavar="[CONFIG...]", nargs=-1, type=click.Path(path_type=Path))
@click.option("--feed", default="", metavar="NAME", help="The feed adapter, without a config, e.g. binance.")
@click.option("--market", default="", metavar="MARKET", help="Its market, e.g. usdm.")
@click.option("--instruments", default="", metavar="A,B", help="What to follow, as names or symbols.")
@click.option(
    "--output",
    required=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="The capture to write, FILE.jsonl.gz; it must not exist.",
)
@click.option(
    "--seconds", type=click.FloatRange(min=0, min_open=True), help="How long to record; default: until Ctrl-C."
)
@json_option
@plugins_dir_option
@debug_option
def record(
    configs: tuple[Path, ...],
    feed: str,
    market: str,
    instruments: str,
    output: Path,
    seconds: float | None,
    as_json: bool,
    plugins_dir: tuple[Path, ...],
) -> int:
    """Record the live feed of CONFIG, or the one named by --feed, as it comes.

    The file holds the instruments' metadata first, then every frame and answer in the order of receipt; it imports
    with: quotewright data import FILE TAPE
    """
    from quotewright.plugin.registry import PluginSet
    from quotewright.runtime.record_live import record_feed

    table: dict[str, Any]
    if bool(configs) == bool(feed):
        raise click.UsageError("give either a CONFIG with a feed table, or --feed NAME with --instruments")
    plugins = PluginSet.discover(plugins_dir)
    names = tuple(name.strip() for name in instruments.split(",") if name.strip())
    if configs:
        from quotewright.config.load import load_config
        from quotewright.errors import ConfigError

        config = load_config(configs)
        if len(config.feeds) != 1:
            raise ConfigError(f"{', '.join(config.files)}: a recording takes one table [feeds.NAME]")
        (feed_table,) = config.feeds.values()
        summary = record_feed(plugins, feed_table, names or feed_table.instruments, output, seconds, feed_table.where)
    else:
        table = {"plugin": feed} | ({"market": market} if market else {})
        summary = record_feed(plugins, table, names, output, seconds, f"--feed {feed}")
    if as_json:
        from quotewright.cli.run import print_json

        print_json(summary)
    else:
        click.echo(
            f"{output}: {summary['lines']} lines in {summary['seconds']:.1f} s, {summary['gaps']} gaps, "
            f"{summary['losses']} lost connections"
        )
    return 130 if summary["interrupted"] and seconds is not None else 0
