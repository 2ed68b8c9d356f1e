"""``quotewright config``: check, explain and begin config files."""

from __future__ import annotations

import json
from pathlib import Path

import attrs
import click

from quotewright.cli.options import RunOptions, debug_option, json_option, plugins_dir_option, set_option
from quotewright.errors import ConfigError

STARTER = Path(__file__).parent.parent / "config" / "starter.toml"

FILES = click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path))


@click.group()
def config() -> None:
    """Check, explain and begin config files."""


@config.command()
@FILES
@set_option
@plugins_dir_option
@json_option
@debug_option
def check(files: tuple[Path, ...], sets: tuple[str, ...], plugins_dir: tuple[Path, ...], as_json: bool) -> int:
    """Read config files (a later one over an earlier one) and name every fault; exit 4 if there is one."""
    from quotewright.config import check as checking
    from quotewright.config.load import load_config

    loaded = load_config(files, sets)
    plugins = RunOptions(plugins_dir=plugins_dir).discover(loaded, strict=False)
    found = checking.faults(loaded, plugins)
    if as_json:
        click.echo(json.dumps({"ok": not found, "faults": found}, indent=2))
    elif not found:
        counts = ", ".join(f"{name} {len(tables)}" for name, tables in _sections(loaded))
        click.echo(f"{', '.join(loaded.files)}: ok ({counts})")
    else:
        for fault in found:
            click.echo(fault, err=True)
    return ConfigError.exit_code if found else 0


def _sections(loaded: object) -> list[tuple[str, dict[str, object]]]:
    return [(name, getattr(loaded, name)) for name in ("feeds", "venues", "strategies", "risk")]


@config.command()
@click.argument("key")
@FILES
@set_option
@plugins_dir_option
@json_option
@debug_option
def explain(
    key: str, files: tuple[Path, ...], sets: tuple[str, ...], plugins_dir: tuple[Path, ...], as_json: bool
) -> None:
    """Say of KEY, such as risk.position.limit, or of every key of a table: value, source, default, meaning."""
    from quotewright.config import check as checking
    from quotewright.config.load import load_config

    loaded = load_config(files, sets)
    plugins = RunOptions(plugins_dir=plugins_dir).discover(loaded)
    found = checking.explain(loaded, plugins, key)
    if as_json:
        click.echo(json.dumps([attrs.asdict(one) for one in found], indent=2))
        return
    for number, one in enumerate(found):
        if number:
            click.echo()
        click.echo(one.key)
        for label in ("value", "source", "default", "type", "range", "unit", "doc"):
            if text := getattr(one, label):
                click.echo(f"  {label:<8} {text}")


@config.command()
@click.argument("file", default="quotewright.toml", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@debug_option
def init(file: Path, force: bool) -> None:
    """Write a commented config to start from into FILE (- prints it)."""
    text = STARTER.read_text(encoding="utf-8")
    if str(file) == "-":
        click.echo(text, nl=False)
        return
    if file.exists() and not force:
        raise ConfigError(f"{file}: is there already; --force writes over it")
    file.write_text(text, encoding="utf-8")
    click.echo(f"{file}: written; quotewright config check {file} says whether it holds", err=True)
