"""``quotewright plugins``: what is installed, where it came from, why it is or is not used."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs
import click

from quotewright.cli.options import RunOptions, debug_option, json_option, plugins_dir_option
from quotewright.errors import ConfigError, ConformanceError, NotFoundError
from quotewright.plugin.registry import GROUP, SINGULAR, VARIABLE, Offer, PluginSet, fault
from quotewright.plugin.settings import config_model


@click.group(invoke_without_command=True)
@click.option("--all", "show_all", is_flag=True, help="Show disabled plugins, plugin names and modules too.")
@plugins_dir_option
@json_option
@debug_option
@click.pass_context
def plugins(ctx: click.Context, show_all: bool, plugins_dir: tuple[Path, ...], as_json: bool) -> int:
    """List what plugins offer: one line for each name."""
    found = RunOptions(plugins_dir=plugins_dir).discover(strict=False).loaded()
    ctx.obj = found
    if ctx.invoked_subcommand is not None:
        return 0
    if as_json:
        click.echo(json.dumps([offer.record() for offer in found.offers], indent=2))
    else:
        _print_table(found.offers, show_all)
    for error in found.errors:
        click.echo(f"quotewright: {error}", err=True)
    return ConfigError.exit_code if found.errors else 0


def _print_table(offers: Sequence[Offer], show_all: bool) -> None:
    columns = ["hook", "name", "distribution", "version", "status", "reason"]
    if show_all:
        columns[2:2] = ["plugin"]
        columns[-1:-1] = ["module"]
    rows = [offer.record() for offer in offers if show_all or offer.status != "disabled"]
    widths = {column: max([len(column), *(len(row[column]) for row in rows)]) for column in columns}
    for row in [{column: column for column in columns}, *rows]:
        click.echo("  ".join(row[column].ljust(widths[column]) for column in columns).rstrip())


def _matching(found: PluginSet, name: str) -> list[Offer]:
    offers = found.find(name)
    if not offers:
        from quotewright.config.structure import suggestion

        hint = suggestion(name, sorted({offer.name for offer in found.offers}))
        folders = ", ".join(str(folder) for folder in found.folders) or f"none ({VARIABLE}, --plugins-dir)"
        raise NotFoundError(
            f"nothing called '{name}' was found{hint or ''}; looked at entry points of the group '{GROUP}' and at "
            f"folders: {folders}; quotewright plugins --all lists what is there"
        )
    return offers


@plugins.command()
@click.argument("name")
@json_option
@debug_option
@click.pass_obj
def info(found: PluginSet, name: str, as_json: bool) -> None:
    """Say what NAME is: where it comes from, what it does, its config keys."""
    records = [_record(found, offer) for offer in _matching(found, name)]
    if as_json:
        click.echo(json.dumps(records, indent=2))
        return
    for number, record in enumerate(records):
        if number:
            click.echo()
        keys = record.pop("keys")
        for label, text in record.items():
            if text:
                click.echo(f"{label:<13} {text}")
        for key in keys:
            default = f" = {key['default']}" if key["default"] else " (required)"
            told = "; ".join(text for text in (key["doc"], key["type"], key["range"], key["unit"]) if text)
            click.echo(f"  {key['key']}{default}: {told}")


def _record(found: PluginSet, offer: Offer) -> dict[str, Any]:
    record: dict[str, Any] = {**offer.record(), "doc": "", "keys": []}
    if offer.status != "ok" or not offer.hook:
        return record
    factory = found.get(offer.hook, offer.name)
    text = (getattr(factory, "__doc__", None) or "").strip()
    record["doc"] = "" if isinstance(factory, Path | str) else text.split("\n", maxsplit=1)[0]
    model = config_model(factory)
    if model is not None:
        from quotewright.config import check
        from quotewright.config.structure import fields

        record["keys"] = [check.describe(field) for field in fields(model).values()]
    return record


@plugins.command()
@click.argument("name")
@debug_option
@click.pass_obj
def why(found: PluginSet, name: str) -> None:
    """Say where NAME was found and why it is or is not used."""
    for offer in _matching(found, name):
        what = f"{SINGULAR[offer.hook]} '{offer.name}'" if offer.hook in SINGULAR else f"plugin '{offer.name}'"
        origin = f"{offer.distribution} {offer.version}".strip() or "a module named by hand"
        click.echo(f"{what}: plugin {offer.plugin} of {origin}, module {offer.module}")
        click.echo(f"  {_outcome(offer)}")


def _outcome(offer: Offer) -> str:
    return f"{offer.status}: {offer.reason}" if offer.status != "ok" else "loaded: it can be used by this name"


@plugins.command()
@click.argument("name", required=False)
@click.option("--hook", type=click.Choice(list(SINGULAR)), help="Check the offers of one hook only.")
@json_option
@debug_option
@click.pass_obj
def check(found: PluginSet, name: str | None, hook: str | None, as_json: bool) -> None:
    """Check plugins against the interface of their role; exit 8 if one does not keep it.

    Risk rules are made to trip on a small run: whether each does, lets go again, and never holds back a cancel or an
    order that only reduces.
    """
    from quotewright.testing.plugins import check_offer, rule_certificate

    offers = _matching(found, name) if name else list(found.offers)
    offers = [offer for offer in offers if hook is None or offer.hook == hook]
    results = []
    for offer in offers:
        try:
            problems = check_offer(found, offer)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            problems = [f"the check itself raised {fault(error)}"]
        result: dict[str, Any] = {"hook": offer.hook, "name": offer.name, "problems": problems}
        certificate = rule_certificate(found, offer)
        if certificate is not None:
            result["certificate"] = attrs.asdict(certificate)
            result["line"] = certificate.line()
        results.append(result)
    broken = [result for result in results if result["problems"]]
    if as_json:
        click.echo(json.dumps(results, indent=2))
    else:
        for result in results:
            told = [*result["problems"]] or ["ok"]
            click.echo(f"{result['hook']} {result['name']}: {'; '.join([*told, *filter(None, [result.get('line')])])}")
    if broken:
        raise ConformanceError(f"{len(broken)} of {len(results)} offers do not keep the interface of their role")
