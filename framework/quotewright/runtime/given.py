"""Configs and plugins as a script or a notebook gives them: files, tables as dicts, classes and objects as plugins."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from quotewright.config.load import load_config, with_value, with_values
from quotewright.config.model import SECTIONS, Config
from quotewright.errors import ConfigError
from quotewright.plugin.registry import PluginSet
from quotewright.plugin.specs import hookimpl

if TYPE_CHECKING:
    from quotewright.plugin.specs import Factory

ConfigLike: TypeAlias = "Config | str | Path | Mapping[str, Any] | Sequence[str | Path | Mapping[str, Any]]"
Overrides: TypeAlias = "Mapping[str, Any] | Iterable[str]"

PREFIX = "given."
"""What a class or object of a script is called in the record of a run: this and its name."""
HOOKS = {section: kind.HOOK for section, kind in SECTIONS.items()}


class GivenPlugins:
    """Classes and objects of a script as a plugin: it offers them under their names."""

    def __init__(self) -> None:
        self.offers: dict[str, dict[str, Factory]] = {hook: {} for hook in (*HOOKS.values(), "book_models")}

    def name(self, hook: str, plugin: Any) -> str:
        """Return the name under which *plugin* is offered from now on."""
        names = self.offers[hook]
        is_factory = callable(plugin)
        base = PREFIX + getattr(plugin if is_factory else type(plugin), "__name__", "plugin").strip("<>")
        factory = plugin if is_factory else _Itself(plugin)
        for name, offered in names.items():
            if offered is plugin or (isinstance(offered, _Itself) and offered.made is plugin):
                return name
        name = base
        while name in names:
            name = f"{base}.{len(names) + 1}"
        names[name] = factory
        return name

    def named(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the tables *values* with a name in place of every plugin that is a class or an object."""
        found: dict[str, Any] = dict(values)
        for section, hook in HOOKS.items():
            tables = found.get(section)
            if not isinstance(tables, Mapping):
                continue
            found[section] = {
                name: self._table(table, hook) if isinstance(table, Mapping) else table
                for name, table in tables.items()
            }
        return found

    def _table(self, table: Mapping[str, Any], hook: str) -> dict[str, Any]:
        made = dict(table)
        if not isinstance(made.get("plugin", ""), str):
            made["plugin"] = self.name(hook, made["plugin"])
        book = made.get("book", "")
        if hook == "feed_adapters" and not isinstance(book, str):
            made["book"] = (
                self._table(book, "book_models") if isinstance(book, Mapping) else self.name("book_models", book)
            )
        return made

    @hookimpl
    def feed_adapters(self) -> dict[str, Factory]:
        return self.offers["feed_adapters"]

    @hookimpl
    def book_models(self) -> dict[str, Factory]:
        return self.offers["book_models"]

    @hookimpl
    def strategies(self) -> dict[str, Factory]:
        return self.offers["strategies"]

    @hookimpl
    def risk_rules(self) -> dict[str, Factory]:
        return self.offers["risk_rules"]

    @hookimpl
    def execution_venues(self) -> dict[str, Factory]:
        return self.offers["execution_venues"]


class _Itself:
    """A factory that hands one object out, once: what it has learned in a run does not belong into another."""

    def __init__(self, made: Any) -> None:
        self.made = made
        self.is_used = False

    def __call__(self) -> Any:
        if self.is_used or getattr(self.made, "_has_run", False):
            kind = type(self.made).__name__
            raise ConfigError(
                f"this {kind} was in a run already and knows what it saw there; give the class, or a function that "
                f"returns a new one: lambda: {kind}(...)"
            )
        self.is_used = True
        try:
            self.made._has_run = True
        except AttributeError:  # it cannot be marked; within this run it is
            return self.made
        return self.made


def given_config(
    config: ConfigLike,
    overrides: Overrides | None = None,
    seed: int | None = None,
    plugins_dir: str | Path | Sequence[str | Path] = (),
) -> tuple[Config, PluginSet]:
    """Return the config that layers and overrides state, and the plugins that it may use.

    Args:
        config: A loaded config, a file, tables as a dict, or several files and dicts, later ones over earlier ones.
        overrides: Tables as a dict (keys may be dotted: ``{"strategies.mm.gamma": 0.02}``), or texts such as
            ``"strategies.mm.gamma=0.02"``.
        seed: Seed of everything random in the run.
        plugins_dir: Folders of plugin modules.

    Raises:
        NotFoundError: a file does not exist.
        ConfigError: the config has a fault.
    """
    from quotewright.config.check import faults

    given = GivenPlugins()
    loaded = _layers(config, given)
    if isinstance(overrides, Mapping):
        loaded = with_values(loaded, given.named(_nested(overrides)), "overrides")
    elif overrides is not None:
        if isinstance(overrides, str):
            raise ConfigError(f"overrides should be a list of texts or a dict, was the text '{overrides}'")
        for text in overrides:
            loaded = with_value(loaded, text)
    if seed is not None:
        loaded = with_value(loaded, f"run.seed={seed}")
    folders = [Path(plugins_dir)] if isinstance(plugins_dir, (str, Path)) else [Path(one) for one in plugins_dir]
    plugins = PluginSet.discover(folders, extra=[given], allow=loaded.plugins.allow, disabled=loaded.plugins.disable)
    found = faults(loaded, plugins)
    if found:
        raise ConfigError(found[0] + (f" (and {len(found) - 1} more)" if found[1:] else ""))
    return loaded, plugins


def _layers(config: ConfigLike, given: GivenPlugins) -> Config:
    if isinstance(config, Config):
        return config
    layers = [config] if isinstance(config, (str, Path, Mapping)) else list(config)
    if not layers:
        raise ConfigError("no config was given: a file, a dict of tables, or a list of them")
    loaded: Config | None = None
    files: list[str | Path] = []
    for layer in layers:
        if isinstance(layer, Mapping):
            if files and loaded is None:
                loaded = load_config(files)
            loaded = with_values(loaded, given.named(_nested(layer)), "config")
        elif loaded is None:
            files.append(layer)
        else:
            raise ConfigError(f"{layer}: a file stands before the tables that are laid over it, not behind them")
    return loaded if loaded is not None else load_config(files)


def _nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return *values* with every dotted key of the first level taken apart."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        at = found
        *path, last = str(key).split(".")
        for part in path:
            inner = at.get(part)
            at[part] = dict(inner) if isinstance(inner, Mapping) else {}
            at = at[part]
        if isinstance(value, Mapping) and isinstance(at.get(last), Mapping):
            at[last] = {**at[last], **value}
        else:
            at[last] = value
    return found
