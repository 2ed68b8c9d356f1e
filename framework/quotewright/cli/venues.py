"""``quotewright venues`` and ``quotewright venue show|diff``: what venue cards say, and how two of them differ."""

from __future__ import annotations

import json
import shutil
import sys
import typing
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from quotewright.cli.options import RunOptions, debug_option, json_option, plugins_dir_option
from quotewright.errors import ConfigError, NotFoundError, QuotewrightError

if TYPE_CHECKING:
    from quotewright.model.cards import VenueCard
    from quotewright.plugin.registry import PluginSet

NONE = "-"


@click.command()
@plugins_dir_option
@json_option
@debug_option
def venues(plugins_dir: tuple[Path, ...], as_json: bool) -> int:
    """List venue cards: venue, market, date, what is unverified, and whether there is a live feed."""
    found = _plugins(plugins_dir)
    records: list[dict[str, Any]] = []
    faults = []
    for name in card_names(found):
        try:
            card = card_named(found, name)
        except QuotewrightError as error:
            faults.append(f"{name}: {error}")
            continue
        records.append(
            {
                "name": name,
                "venue": card.venue,
                "market": card.market,
                "as_of": card.as_of,
                "unverified": list(card.unverified),
                "live": has_live_feed(found, card),
            }
        )
    if as_json:
        click.echo(json.dumps(records, indent=2))
    else:
        _print_rows(
            ("name", "venue", "market", "as of", "unverified", "live feed"),
            [
                (
                    record["name"],
                    record["venue"],
                    record["market"],
                    record["as_of"],
                    ", ".join(record["unverified"]) or NONE,
                    "yes" if record["live"] else "no",
                )
                for record in records
            ],
        )
    for fault in faults:
        click.echo(f"quotewright: {fault}", err=True)
    return ConfigError.exit_code if faults else 0


@click.group()
def venue() -> None:
    """Show a venue card, or how two of them differ."""


@venue.command()
@click.argument("card")
@plugins_dir_option
@json_option
@debug_option
def show(card: str, plugins_dir: tuple[Path, ...], as_json: bool) -> None:
    """Show everything that CARD says: a card's name, or a file."""
    found = card_named(_plugins(plugins_dir), card)
    values = plain(found)
    if as_json:
        click.echo(json.dumps(values, indent=2))
        return
    for key, value in values.items():
        marked = f"{key} (unverified)" if key in found.unverified else key
        if isinstance(value, list) and value and isinstance(value[0], dict):
            click.echo(f"\n{marked}")
            _print_entries(value)
        elif isinstance(value, dict):
            click.echo(f"\n{marked}")
            for name, entry in value.items():
                if isinstance(entry, list) and entry and isinstance(entry[0], dict):
                    click.echo(f"  {name}")
                    _print_entries(entry, "    ")
                else:
                    click.echo(f"  {name:<26} {_text(entry)}")
        else:
            click.echo(f"{marked:<28} {_text(value)}")


@venue.command()
@click.argument("card")
@click.argument("other")
@plugins_dir_option
@json_option
@debug_option
def diff(card: str, other: str, plugins_dir: tuple[Path, ...], as_json: bool) -> None:
    """Show where CARD and OTHER differ; entries of lists are told apart by their names or codes."""
    found = _plugins(plugins_dir)
    changed = differences(card_named(found, card), card_named(found, other))
    if as_json:
        told = [{"key": key, "first": first, "second": second} for key, first, second in changed]
        click.echo(json.dumps(told, indent=2))
    elif not changed:
        click.echo("the cards say the same")
    else:
        _print_rows(("key", card, other), [(key, _text(first), _text(second)) for key, first, second in changed])


def card_names(found: PluginSet) -> list[str]:
    """Return the names of all cards that plugins offer."""
    return sorted({offer.name for offer in found.offers if offer.hook == "venue_cards" and offer.status == "ok"})


def card_named(found: PluginSet, name: str) -> VenueCard:
    """Return the card that is called *name*, or the one in the file *name*.

    Raises:
        NotFoundError: neither is there; the nearest name is told.
        ConfigError: the card cannot be read.
    """
    from quotewright.config.structure import suggestion
    from quotewright.model.cards import load_card

    names = card_names(found)
    if name in names:
        return load_card(found.get("venue_cards", name))
    if name.endswith(".toml"):
        return load_card(name)
    hint = suggestion(name, names) or f"; there are: {', '.join(names) or 'none'}"
    raise NotFoundError(f"no venue card is called '{name}'{hint}; quotewright venues lists them")


def has_live_feed(found: PluginSet, card: VenueCard) -> bool:
    """Return whether a feed adapter of the card's venue takes the keys of live connections for its market."""
    from quotewright.live.settings import LiveSettings

    if not any(offer.hook == "feed_adapters" and offer.name == card.venue for offer in found.offers):
        return False
    try:
        model = found.model("feed_adapters", card.venue)
    except ConfigError:
        return False
    if model is None or not issubclass(model, LiveSettings):
        return False
    markets = typing.get_args(typing.get_type_hints(model).get("market"))
    return not markets or card.market in markets


def differences(first: VenueCard, second: VenueCard) -> list[tuple[str, Any, Any]]:
    """Return the keys that differ, with both values; None where a card has no such entry."""
    one, two = dict(flat(plain(first))), dict(flat(plain(second)))
    return [(key, one.get(key), two.get(key)) for key in dict.fromkeys((*one, *two)) if one.get(key) != two.get(key)]


def flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the leaves of *value* by path; entries of lists of tables by what they are called."""
    if isinstance(value, Mapping):
        for key, entry in value.items():
            yield from flat(entry, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and value and isinstance(value[0], Mapping):
        seen: dict[str, int] = {}
        for entry in value:
            label = " ".join(str(entry[key]) for key in ("name", "code", "text") if entry.get(key) not in (None, ""))
            seen[label] = seen.get(label, 0) + 1
            number = f" #{seen[label]}" if seen[label] > 1 else ""
            yield from flat(dict(entry), f"{path}[{label}{number}]")
    else:
        yield path, value


def plain(value: Any) -> Any:
    """Return a card, or a part of one, as tables, lists, texts and numbers; units are written as in the file."""
    import attrs

    if attrs.has(type(value)):
        return {field.name: plain(getattr(value, field.name)) for field in attrs.fields(type(value))}
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    if isinstance(value, bool) or value is None or type(value) in (int, str):
        return value
    return f"{value:f}" if type(value) is Decimal else str(value)


def _plugins(plugins_dir: tuple[Path, ...]) -> PluginSet:
    return RunOptions(plugins_dir=plugins_dir).discover(strict=False)


def _text(value: Any) -> str:
    if value is None or value == "" or value == []:
        return NONE
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(_text(entry) for entry in value)
    return str(value)


def _print_entries(entries: list[dict[str, Any]], indent: str = "  ") -> None:
    keys = [key for key in entries[0] if any(entry[key] not in ("", [], None) for entry in entries)]
    _print_rows(tuple(keys), [tuple(_text(entry[key]) for key in keys) for entry in entries], indent)


def _print_rows(titles: tuple[str, ...], rows: list[tuple[str, ...]], indent: str = "") -> None:
    """Print a table: folded into the terminal's width where there is one, else a line for each row."""
    widths = [max(len(row[place]) for row in [titles, *rows]) for place in range(len(titles))]
    if sys.stdout.isatty() and sum(widths) + 2 * len(widths) + len(indent) > shutil.get_terminal_size().columns:
        _print_folded(titles, rows)
        return
    for row in [titles, *rows]:
        line = "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True))
        click.echo(f"{indent}{line}".rstrip())


def _print_folded(titles: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, padding=(0, 1), show_edge=False)
    for title in titles:
        table.add_column(title, overflow="fold")
    for row in rows:
        table.add_row(*row)
    Console(markup=False, highlight=False).print(table)
