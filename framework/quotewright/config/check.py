"""Looking at a config without running it: every fault it has, and what each of its keys means."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from typing import Any

import attrs

from quotewright.config.model import SECTIONS, Config, PluginsTable, RunTable, Table, field_names
from quotewright.config.structure import SettingsError, fields, structure, suggestion, type_text
from quotewright.config.toml import plain
from quotewright.config.units import shown
from quotewright.errors import ConfigError, NotFoundError
from quotewright.plugin.registry import PluginSet
from quotewright.plugin.settings import config_model, info

_FACTORY: Any = attrs.Factory


def faults(config: Config, plugins: PluginSet) -> list[str]:
    """Return one sentence for every fault of *config*: plugins that are absent, keys, references to tables."""
    found = list(plugins.errors)
    for table in config.tables():
        found.extend(_table_faults(table.HOOK, table.plugin, table.settings, table, plugins))
    for feed in config.feeds.values():
        book = {"plugin": feed.book} if isinstance(feed.book, str) else dict(feed.book)
        name = book.pop("plugin", "")
        found.extend(_table_faults("book_models", name, book, feed, plugins, ".book"))
    for venue in config.venues.values():
        if venue.card:
            found.extend(_offer_faults("venue_cards", venue.card, f"{venue.where}.card", plugins))
    for strategy in config.strategies.values():
        legs = [(f"{strategy.where}.legs[{place}]", leg.venue) for place, leg in enumerate(strategy.legs)]
        for where, name in legs or [(strategy.where, strategy.venue)]:
            if name and name not in config.venues:
                found.append(f"{where}.venue: there is no table [venues.{name}]{suggestion(name, config.venues)}")
            elif not name and len(config.venues) > 1:
                found.append(f"{where}: missing key 'venue': one of {', '.join(config.venues)}")
    return found


def _offer_faults(hook: str, name: str, where: str, plugins: PluginSet) -> list[str]:
    try:
        plugins.get(hook, name)
    except ConfigError as error:
        return [f"{where}: {error}"]
    return []


def _table_faults(
    hook: str, name: str, settings: Mapping[str, Any], table: Table, plugins: PluginSet, suffix: str = ""
) -> list[str]:
    where = table.where + suffix
    absent = _offer_faults(hook, name, where, plugins)
    if absent:
        return absent
    model = plugins.model(hook, name)
    if model is None:
        return [f"{where}: unknown key '{key}'; this plugin takes no keys" for key in settings]
    common = {} if suffix else {key: item for key, item in table.common().items() if key in fields(model)}
    try:
        structure(model, common | dict(settings), where, {} if suffix else table.origins)
    except SettingsError as error:
        return list(error.problems)
    return []


@attrs.frozen(kw_only=True)
class Explained:
    """What is known about one config key; texts are empty where nothing is known."""

    key: str
    value: str
    source: str
    default: str = ""
    type: str = ""
    range: str = ""
    unit: str = ""
    doc: str = ""


def explain(config: Config, plugins: PluginSet, key: str) -> list[Explained]:
    """Return what is known about *key*, or about every key of the table that it names.

    Raises:
        NotFoundError: there is no such table or key; the message names the nearest.
    """
    path = key.split(".")
    section, rest = path[0], path[1:]
    if section in SECTIONS:
        tables = getattr(config, section)
        if not rest:
            return [one for name in tables for one in explain(config, plugins, f"{section}.{name}")]
        if rest[0] not in tables:
            raise NotFoundError(f"there is no table [{section}.{rest[0]}]{_known(rest[0], tables)}")
        known = _table_keys(tables[rest[0]], plugins)
        start, keys = f"{section}.{rest[0]}", rest[1:]
    elif section in ("run", "plugins"):
        known = fields(RunTable if section == "run" else PluginsTable)
        start, keys = section, rest
    else:
        raise NotFoundError(f"there is no table [{section}]{_known(section, ['run', *SECTIONS, 'plugins'])}")
    return _explain_in(config, start, known, keys)


def _known(name: str, names: Any) -> str:
    return suggestion(name, names) or f"; there are: {', '.join(names) or 'none'}"


def _table_keys(table: Table, plugins: PluginSet) -> dict[str, attrs.Attribute[Any]]:
    common = fields(type(table))
    hidden = [name for name in field_names(Table) if name != "plugin"]
    keys = {name: field for name, field in common.items() if name not in hidden}
    model = config_model(plugins.get(table.HOOK, table.plugin))
    return keys | (fields(model) if model else {})


def _explain_in(
    config: Config, start: str, known: Mapping[str, attrs.Attribute[Any]], keys: list[str]
) -> list[Explained]:
    if not keys:
        return [one for name in known for one in _explain_in(config, start, known, [name])]
    here = f"{start}.{keys[0]}"
    if keys[0] not in known:
        raise NotFoundError(f"{start} has no key '{keys[0]}'{_known(keys[0], list(known))}")
    field = known[keys[0]]
    if keys[1:]:
        inner = _nested_model(field.type)
        if inner is not None:
            return _explain_in(config, here, fields(inner), keys[1:])
        here, field = f"{start}.{'.'.join(keys)}", field.evolve(default=attrs.NOTHING, type=Any, metadata={})
    return [_explained(config, here, field)]


def _nested_model(hint: Any) -> type | None:
    for part in (hint, *typing.get_args(hint)):
        if isinstance(part, type) and attrs.has(part):
            return part
    return None


def _explained(config: Config, key: str, field: attrs.Attribute[Any]) -> Explained:
    about = info(field)
    default = _default(field)
    value: Any = config.values
    for part in key.split("."):
        value = value.get(part, attrs.NOTHING) if isinstance(value, dict) else attrs.NOTHING
        if value is attrs.NOTHING:
            break
    is_set = value is not attrs.NOTHING
    return Explained(
        key=key,
        value=_text(value) if is_set else default,
        source=config.sources.get(key, "default") if is_set else ("default" if default else "not set"),
        default=default or "none: the key is required",
        type=type_text(field.type),
        range=about.range,
        unit=about.unit,
        doc=about.doc,
    )


def _default(field: attrs.Attribute[Any]) -> str:
    default: Any = field.default
    if default is attrs.NOTHING:
        return ""
    if isinstance(default, _FACTORY):
        default = default.factory() if not default.takes_self else "worked out from other keys"
    return _text(default)


def _text(value: Any) -> str:
    made = plain(value)
    if isinstance(made, dict):
        return "{ " + ", ".join(f"{key} = {_text(item)}" for key, item in made.items()) + " }"
    if isinstance(made, list):
        return "[" + ", ".join(_text(item) for item in made) + "]"
    return shown(made)


def describe(field: attrs.Attribute[Any]) -> dict[str, str]:
    """Return what is known about one config key of a plugin; an empty default means that the key is required."""
    about = info(field)
    return {
        "key": field.name,
        "default": _default(field),
        "type": type_text(field.type),
        "range": about.range,
        "unit": about.unit,
        "doc": about.doc,
    }


def resolved(config: Config, plugins: PluginSet) -> dict[str, Any]:
    """Return every table with all of its keys, defaults filled in: what the record of a run keeps."""
    made: dict[str, Any] = {"config_version": 1, "run": plain(config.run)}
    for section in SECTIONS:
        tables = {}
        for name, table in getattr(config, section).items():
            model = plugins.model(table.HOOK, table.plugin)
            keys = {"plugin": table.plugin, **table.common()}
            if model is not None:
                taken = {key: item for key, item in keys.items() if key in fields(model)}
                settings: Any = structure(model, taken | table.settings, table.where, table.origins)
                keys |= {name: getattr(settings, name) for name in fields(model)}
            tables[name] = plain(keys)
        if tables:
            made[section] = tables
    made["plugins"] = plain(config.plugins)
    return made
