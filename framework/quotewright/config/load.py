"""Reading config files: layers of TOML and ``--set`` options, merged, checked and kept with their sources."""

from __future__ import annotations

import copy
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs

from quotewright.config.model import CONFIG_VERSION, SECTIONS, Config, PluginsTable, RunTable, Table
from quotewright.config.structure import structure, suggestion
from quotewright.config.units import shown
from quotewright.errors import ConfigError, FormatVersionError, NotFoundError

TOP_LEVEL = ("config_version", "run", *SECTIONS, "plugins")
SET = "--set"

_HEADER = re.compile(r"\s*\[\s*([^\[\]]+?)\s*\]\s*(?:#.*)?")
_ASSIGNMENT = re.compile(r"\s*([A-Za-z0-9_\-.\"' ]+?)\s*=")


class ConfigVersionError(ConfigError, FormatVersionError):
    """A config file of another format version than this program reads."""


@attrs.frozen
class _Layer:
    label: str
    values: dict[str, Any]
    lines: Mapping[str, int]

    def source(self, path: tuple[str, ...]) -> str:
        for length in range(len(path), 0, -1):
            line = self.lines.get(".".join(path[:length]))
            if line is not None:
                return f"{self.label}:{line}"
        return self.label


def load_config(
    paths: Sequence[Path | str], sets: Sequence[str] = (), environment: Mapping[str, str] | None = None
) -> Config:
    """Return the config that *paths* state, a later file over an earlier one, ``table.key=value`` options on top.

    A later layer that names another ``plugin`` for a table takes that table's plugin keys away; keys of the
    framework (``instrument``, ``mode``, ...) stay. *environment* supplies what a value such as ``"$NAME"`` stands for;
    None leaves such text as it is.

    Raises:
        NotFoundError: a file does not exist.
        ConfigError: text that is no TOML, another ``config_version``, unknown tables or keys, values of the wrong
            kind. The keys of a plugin are checked when the plugin is built.
    """
    if not paths:
        raise ConfigError("no config file was named; quotewright config init writes one to start from")
    layers = [_read(Path(path)) for path in paths]
    options = [_from_option(text) for text in sets]
    # Naming another plugin takes keys away, so it comes before the options that set the new one's keys.
    layers.extend(sorted(options, key=_sets_no_plugin))
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for layer in layers:
        _merge(values, sources, layer)
    if environment is not None:
        values = _with_environment(values, environment)
    return _config(values, sources, [layer.label for layer in layers[: len(paths)]])


def with_value(config: Config, assignment: str) -> Config:
    """Return *config* with one more ``table.key=value`` on top; the config itself stays as it is.

    Raises:
        ConfigError: the assignment cannot be read, or its table or value does not fit.
    """
    values, sources = copy.deepcopy(config.values), dict(config.sources)
    _merge(values, sources, _from_option(assignment))
    return _config(values, sources, list(config.files) or [SET])


def with_values(config: Config | None, values: Mapping[str, Any], label: str = SET) -> Config:
    """Return *config* with these tables on top, those alone without one; the config itself stays as it is.

    *values* are as TOML would hold them; a float counts as the decimal number that it is written as.

    Raises:
        ConfigError: unknown tables or keys, values of the wrong kind.
    """
    for key in values:
        if key not in TOP_LEVEL:
            raise ConfigError(f"{label}: unknown table '{key}'{_hint(key, TOP_LEVEL)}")
    if values.get("config_version", CONFIG_VERSION) != CONFIG_VERSION:
        _require_version(label, values)
    before = copy.deepcopy(config.values) if config is not None else {}
    sources = dict(config.sources) if config is not None else {}
    _merge(before, sources, _Layer(label, _exact(values), {}))
    return _config(before, sources, list(config.files) if config is not None else [label])


def _exact(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _exact(item) for key, item in value.items() if item is not None}
    if isinstance(value, (list, tuple)):
        return [_exact(item) for item in value]
    return Decimal(repr(value)) if isinstance(value, float) else value


def _read(path: Path) -> _Layer:
    try:
        text = path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise NotFoundError(f"{path}: no such config file") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: a config file should be UTF-8, byte {error.start} is not") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    try:
        values = tomllib.loads(text, parse_float=Decimal)
    except (tomllib.TOMLDecodeError, ArithmeticError) as error:
        raise ConfigError(f"{path}: this is not TOML: {error}") from None
    _require_version(str(path), values)
    for key in values:
        if key not in TOP_LEVEL:
            raise ConfigError(f"{path}: unknown table '{key}'{_hint(key, TOP_LEVEL)}")
    return _Layer(str(path), values, dict(_lines(text)))


def _hint(key: str, known: Sequence[str]) -> str:
    return suggestion(key, known) or f"; known: {', '.join(known)}"


def _require_version(label: str, values: Mapping[str, Any]) -> None:
    if "config_version" not in values:
        raise ConfigVersionError(
            f"{label}: missing key 'config_version'; begin the file with config_version = {CONFIG_VERSION}"
        )
    version = values["config_version"]
    if version != CONFIG_VERSION or isinstance(version, bool):
        raise ConfigVersionError(
            f"{label}: config_version should be {CONFIG_VERSION}, was {shown(version)}; "
            "docs/config.md lists what changed between versions"
        )


def _lines(text: str) -> Iterator[tuple[str, int]]:
    """Yield the dotted keys of a TOML text with their line numbers; text that only looks like one does no harm."""
    table = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.fullmatch(line):
            table = _dotted(header[1])
            yield table, number
        elif assignment := _ASSIGNMENT.match(line):
            key = _dotted(assignment[1])
            yield (f"{table}.{key}" if table else key), number


def _dotted(text: str) -> str:
    return ".".join(part.strip().strip("\"'") for part in text.split("."))


def _from_option(text: str) -> _Layer:
    """Return the layer of one ``table.key=value`` option; a value that is no TOML is text."""
    name, equals, value = text.partition("=")
    path = [part.strip() for part in name.split(".")]
    if not equals or len(path) < 2 or not all(path):
        raise ConfigError(f"{SET} should be table.key=value, was {shown(text)}")
    if path[0] not in TOP_LEVEL[1:]:
        raise ConfigError(f"{SET} {name.strip()}: unknown table '{path[0]}'{_hint(path[0], TOP_LEVEL[1:])}")
    try:
        found = tomllib.loads(f"value = {value.strip()}", parse_float=Decimal)
    except (tomllib.TOMLDecodeError, ArithmeticError):
        found = {}
    values: Any = found["value"] if set(found) == {"value"} else value.strip()
    for part in reversed(path):
        values = {part: values}
    return _Layer(SET, values, {})


def _sets_no_plugin(layer: _Layer) -> bool:
    return not any("plugin" in table for tables in layer.values.values() for table in _tables(tables))


def _tables(tables: Mapping[str, Any]) -> list[Any]:
    return [table for table in tables.values() if isinstance(table, dict)]


def _merge(values: dict[str, Any], sources: dict[str, str], layer: _Layer) -> None:
    for section, tables in layer.values.items():
        if section == "config_version":
            continue
        if not isinstance(tables, dict):
            raise ConfigError(f"{layer.label}: {section} should be a table, was {shown(tables)}")
        if section not in SECTIONS:
            _merge_table(values.setdefault(section, {}), sources, layer, (section,), tables)
            continue
        for name, table in tables.items():
            if not isinstance(table, dict):
                raise ConfigError(
                    f"{layer.label}: {section}.{name} should be a table such as [{section}.main], was {shown(table)}"
                )
            present = values.setdefault(section, {}).setdefault(name, {})
            if "plugin" in present and table.get("plugin", present["plugin"]) != present["plugin"]:
                _forget(present, sources, section, name)
            _merge_table(present, sources, layer, (section, name), table)


def _merge_table(
    into: dict[str, Any], sources: dict[str, str], layer: _Layer, path: tuple[str, ...], table: Mapping[str, Any]
) -> None:
    """Put *table* over *into*; an option may reach into an inline table, a file replaces it whole."""
    for key, value in table.items():
        here = (*path, key)
        if layer.label == SET and isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge_table(into[key], sources, layer, here, value)
            continue
        into[key] = value
        for old in [name for name in sources if name.startswith(".".join(here) + ".")]:
            del sources[old]
        sources[".".join(here)] = layer.source(here)
        for inner in _inner_paths(value, here):
            sources[".".join(inner)] = layer.source(inner)


def _inner_paths(value: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield (*path, key)
            yield from _inner_paths(item, (*path, key))


def _forget(table: dict[str, Any], sources: dict[str, str], section: str, name: str) -> None:
    """Take the keys of the plugin away that no longer stands in *table*."""
    kept = SECTIONS[section].common_keys()
    for key in [key for key in table if key not in kept]:
        del table[key]
        start = f"{section}.{name}.{key}"
        for old in [source for source in sources if source == start or source.startswith(f"{start}.")]:
            del sources[old]


def _with_environment(value: Any, environment: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _with_environment(item, environment) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_environment(item, environment) for item in value]
    if isinstance(value, str) and re.fullmatch(r"\$[A-Z_][A-Z0-9_]*", value):
        if value[1:] not in environment:
            raise ConfigError(f"config: environment variable {value[1:]} is not set")
        return environment[value[1:]]
    return value


def _config(values: dict[str, Any], sources: dict[str, str], files: list[str]) -> Config:
    label = files[-1]
    tables: dict[str, dict[str, Any]] = {section: {} for section in SECTIONS}
    for section, kind in SECTIONS.items():
        named = [name for name, raw in values.get(section, {}).items() if "plugin" in raw]
        for name, raw in values.get(section, {}).items():
            hint = "" if "plugin" in raw else suggestion(name, named)
            if hint:
                where, _ = _origins(f"{section}.{name}", raw, sources, label)
                raise ConfigError(f"{where}: this table names no plugin{hint}")
            tables[section][name] = _table(kind, name, raw, sources, label)
    return Config(
        run=_plain_table(RunTable, "run", values, sources, label),
        plugins=_plain_table(PluginsTable, "plugins", values, sources, label),
        feeds=tables["feeds"],
        venues=tables["venues"],
        strategies=tables["strategies"],
        risk=tables["risk"],
        files=tuple(files),
        values=values,
        sources=sources,
    )


def _plain_table(kind: type[Any], name: str, values: Mapping[str, Any], sources: Mapping[str, str], label: str) -> Any:
    raw = values.get(name, {})
    where, origins = _origins(name, raw, sources, label)
    return structure(kind, raw, where, origins)


def _table(kind: type[Table], name: str, raw: Mapping[str, Any], sources: Mapping[str, str], label: str) -> Table:
    where, origins = _origins(f"{kind.SECTION}.{name}", raw, sources, label)
    common = {key: raw[key] for key in kind.common_keys() if key in raw}
    settings = {key: value for key, value in raw.items() if key not in common and key != "plugin"}
    fixed = {"name": name, "where": where, "settings": settings, "origins": origins}
    if "plugin" in raw:
        fixed["plugin"] = raw["plugin"]
    return structure(kind, common | fixed, where, origins)


def _origins(path: str, raw: Mapping[str, Any], sources: Mapping[str, str], label: str) -> tuple[str, dict[str, str]]:
    """Return what messages about a table begin with, and what those about its keys of another file begin with."""
    files = {key: re.sub(r":\d+$", "", sources.get(f"{path}.{key}", label)) for key in raw}
    home = files.get("plugin", next(iter(files.values()), label))
    origins = {key: f"{file}: {path}" for key, file in files.items() if file != home}
    return f"{home}: {path}", origins
