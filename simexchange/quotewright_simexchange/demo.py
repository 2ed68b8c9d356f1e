"""``quotewright demo``: a market maker on the embedded local exchange, with nothing to install or configure."""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path

import click

from quotewright.cli.options import RunOptions, announce, run_options
from quotewright.cli.run import SPEEDS, run_paper
from quotewright.errors import ConfigError

CONFIG = "demo.toml"


@click.command()
@click.option(
    "--seconds",
    default=60.0,
    show_default=True,
    type=click.FloatRange(min=0, min_open=True),
    help="Market time to run.",
)
@click.option("--speed", default=None, metavar="SPEED", help=f"{SPEEDS}; default real on a terminal, else max.")
@click.option("--no-report", is_flag=True, help="Write no HTML report.")
@click.option(
    "--write-config", metavar="FILE", type=click.Path(path_type=Path), help="Write the demo's config to FILE and stop."
)
@run_options
def demo(seconds: float, speed: str | None, no_report: bool, write_config: Path | None, options: RunOptions) -> int:
    """Run a market maker against the embedded local exchange: no keys, no network, nothing to set up."""
    resource = files("quotewright_simexchange") / CONFIG
    if write_config is not None:
        if write_config.exists():
            raise ConfigError(f"--write-config {write_config}: the file exists; name a new one")
        write_config.write_text(resource.read_text(encoding="utf-8"), encoding="utf-8")
        click.echo(f"wrote {write_config}; run it with: quotewright paper {write_config} --seconds 60")
        return 0
    announce()
    with as_file(resource) as path:
        config, plugins = options.load([path])
    return run_paper(config, plugins, seconds, speed, no_report, options, "demo")
