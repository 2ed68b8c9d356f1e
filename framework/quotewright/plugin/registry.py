"""Finding plugins, listing what they offer, and building what a config table names.

Three ways lead in: the entry-point group ``quotewright`` of installed distributions, a folder of plugin modules, and
``module:Class`` written where a name would stand. A plugin that cannot be used is listed with its reason and blocks
nothing else; a misspelt hook and a name offered twice are errors, because they are meant otherwise.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import attrs

from quotewright.errors import ConfigError
from quotewright.plugin.discovery import (
    GROUP,
    ROLES,
    SINGULAR,
    VARIABLE,
    Collector,
    Offer,
    fault,
    in_folders,
    installed,
    named,
    plugin_folders,
    with_own_names,
)
from quotewright.plugin.lazy import Lazy
from quotewright.plugin.settings import config_model

__all__ = ["GROUP", "ROLES", "SINGULAR", "VARIABLE", "Offer", "PluginSet", "fault"]


class PluginSet:
    """All plugins of a run: what each offers, under which names, and whether it can be used."""

    def __init__(self, offers: Sequence[Offer], errors: Sequence[str], folders: Sequence[Path] = ()) -> None:
        self.offers = tuple(offers)
        self.errors = tuple(errors)
        self.folders = tuple(folders)

    @classmethod
    def discover(
        cls,
        plugins_dir: Path | str | Sequence[Path | str] | None = None,
        extra: Iterable[Any] = (),
        allow: Sequence[str] | None = None,
        disabled: Sequence[str] = (),
        *,
        strict: bool = True,
        environment: Mapping[str, str] | None = None,
    ) -> PluginSet:
        """Return every plugin that can be found.

        Args:
            plugins_dir: Folders whose modules and packages are plugins; those named by the environment variable
                ``QUOTEWRIGHT_PLUGINS_DIR`` come after them.
            extra: More plugins: ``"module"``, ``"module:object"``, or objects that carry hooks.
            allow: Names of distributions whose entry points may be imported; None allows all, ours is always
                allowed. Plugins of a folder and of *extra* were named by hand and need no permission.
            disabled: Plugins (by their own name or their distribution's) that are not imported, or single offers as
                ``plugin:name``.
            strict: Raise the first of ``errors``; a listing passes False and shows them.

        Raises:
            ConfigError: a misspelt hook, a hook with a wrong signature, one name offered twice, or a folder that
                does not exist.
        """
        environment = os.environ if environment is None else environment
        folders = plugin_folders(plugins_dir, environment)
        found = [*installed(), *in_folders(folders), *named(extra)]
        collector = Collector(allow, disabled)
        for one in with_own_names(found):
            collector.take(one)
        plugins = cls(*collector.finish(), folders)
        if strict:
            plugins.require_sound()
        return plugins

    def require_sound(self) -> None:
        """Raise ConfigError for the first misspelt hook or name that is offered twice."""
        if self.errors:
            raise ConfigError(self.errors[0])

    def names(self, hook: str) -> list[str]:
        """Return the names that can be used under *hook*, sorted."""
        return sorted(offer.name for offer in self.offers if offer.hook == hook and offer.status == "ok")

    def find(self, name: str) -> list[Offer]:
        """Return every offer called *name*, and every offer of a plugin or distribution called *name*."""
        exact = [offer for offer in self.offers if offer.name == name]
        return exact or [offer for offer in self.offers if name in (offer.plugin, offer.distribution)]

    def offer(self, hook: str, name: str) -> Offer:
        """Return the offer called *name* under *hook*; ConfigError says what is installed or why it cannot be used."""
        if hook not in SINGULAR:
            raise ConfigError(f"no hook called '{hook}'; hooks: {', '.join(SINGULAR)}")
        role = SINGULAR[hook]
        alike = [offer for offer in self.offers if offer.hook == hook and offer.name == name]
        for offer in alike:
            if offer.status == "ok":
                return offer
        if alike:
            offer = alike[0]
            raise ConfigError(f"{role} '{name}' of {_origin(offer)} cannot be used ({offer.status}): {offer.reason}")
        if ":" in name:
            return _direct(hook, name, self.folders)
        raise ConfigError(self._unknown(hook, name))

    def _unknown(self, hook: str, name: str) -> str:
        known = self.names(hook)
        text = f"no {SINGULAR[hook]} called '{name}'; installed: {', '.join(known) or 'none'}"
        near = get_close_matches(name, known, n=1)
        if near:
            text += f"; did you mean '{near[0]}'?"
        elsewhere = [offer.hook for offer in self.offers if offer.name == name and offer.status == "ok"]
        if elsewhere and elsewhere[0] in SINGULAR:
            text += f"; '{name}' is the name of a {SINGULAR[elsewhere[0]]}"
        absent = sorted({offer.plugin for offer in self.offers if not offer.hook and offer.status != "ok"})
        if absent:
            text += f"; not loaded: {', '.join(absent)} (see quotewright plugins why NAME)"
        return text

    def get(self, hook: str, name: str) -> Any:
        """Return the factory called *name* under *hook*, imported; *name* may be ``module:Class``.

        Raises:
            ConfigError: no such name, a plugin that cannot be used, or an import that fails.
        """
        offer = self.offer(hook, name)
        if not isinstance(offer.factory, Lazy):
            return offer.factory
        try:
            return offer.factory.load()
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            whose = "" if offer.plugin == name else f" of {_origin(offer)}"
            raise ConfigError(f"{SINGULAR[hook]} '{name}'{whose} cannot be imported: {fault(error)}") from error

    def loaded(self) -> PluginSet:
        """Return the same plugins with every factory imported; one that cannot be is listed as failed."""
        offers = []
        for offer in self.offers:
            reason = ""
            if offer.status == "ok":
                try:
                    self.get(offer.hook, offer.name)
                except ConfigError as error:
                    reason = str(error)
            offers.append(attrs.evolve(offer, status="failed", reason=reason) if reason else offer)
        return PluginSet(offers, self.errors, self.folders)

    def model(self, hook: str, name: str) -> type | None:
        """Return the attrs class with the config keys of a factory, None if it takes none."""
        return config_model(self.get(hook, name))

    def build(self, hook: str, table: Any, where: str = "") -> Any:
        """Return what the table's plugin makes of the table's keys.

        Args:
            hook: The hook under which the plugin's name is looked up.
            table: A table of a loaded config, or a plain mapping with the key ``plugin``.
            where: What error messages begin with, such as ``paper.toml: risk.position``; a table knows its own.

        Raises:
            ConfigError: no such plugin; unknown, missing or unfitting keys; a factory that raises; a result of
                another kind than the hook asks for.
        """
        name, settings, common, where = _parts(table, where)
        origins = getattr(table, "origins", None)
        prefix = f"{where}: " if where else ""
        try:
            factory = self.get(hook, name)
        except ConfigError as error:
            raise ConfigError(f"{prefix}{error}") from error
        made = _make(factory, settings, common, where, origins)
        _require_role(hook, name, made, prefix)
        return made


def _origin(offer: Offer) -> str:
    if offer.distribution and offer.distribution != offer.plugin:
        return f"{offer.plugin} ({offer.distribution} {offer.version})".replace(" )", ")")
    return f"{offer.plugin} {offer.version}".strip()


def _direct(hook: str, target: str, folders: Sequence[Path]) -> Offer:
    """Return an offer for ``module:Class`` written in a config, found from the working directory as well."""
    for folder in (*folders, Path.cwd()):
        if str(folder) not in sys.path:
            sys.path.append(str(folder))
    lazy = Lazy(target)
    return Offer(target, hook, target, "", "", factory=lazy, module=lazy.module)


def _parts(table: Any, where: str) -> tuple[str, dict[str, Any], dict[str, Any], str]:
    if hasattr(table, "settings"):
        return table.plugin, dict(table.settings), dict(table.common()), where or table.where
    settings = dict(table)
    name = settings.pop("plugin", None)
    if not isinstance(name, str):
        prefix = f"{where}: " if where else ""
        raise ConfigError(f"{prefix}missing key 'plugin': the name of a plugin in quotes")
    return name, settings, {}, where


def _make(
    factory: Any,
    settings: dict[str, Any],
    common: dict[str, Any],
    where: str,
    origins: Mapping[str, str] | None,
) -> Any:
    prefix = f"{where}: " if where else ""
    model = config_model(factory)
    if model is None:
        if settings:
            raise ConfigError(f"{prefix}unknown key '{next(iter(settings))}'; this plugin takes no keys")
        return _called(factory, (), prefix)
    # Importing cattrs takes longer than everything else here, and a listing needs none of it.
    from quotewright.config.structure import fields, structure

    known = fields(model)
    values = {key: value for key, value in common.items() if key in known} | settings
    made: Any = structure(model, values, where, origins)
    return made if model is factory else _called(factory, (made,), prefix)


def _called(factory: Any, args: tuple[Any, ...], prefix: str) -> Any:
    try:
        return factory(*args)
    except (KeyboardInterrupt, ConfigError):
        raise
    except BaseException as error:
        raise ConfigError(f"{prefix}the plugin's factory raised {fault(error)}") from error


INTERFACE_VERSION = 1
"""Version of every role's interface; a plugin written for another one is refused."""


def _require_role(hook: str, name: str, made: Any, prefix: str) -> None:
    if hook not in ROLES or (hook == "feed_adapters" and callable(getattr(made, "market", None))):
        return
    try:
        role = Lazy(ROLES[hook]).load()
    except ImportError:
        return
    if not isinstance(made, role):
        raise ConfigError(
            f"{prefix}{SINGULAR[hook]} '{name}' should make a {role.__module__}.{role.__name__}, "
            f"was {type(made).__module__}.{type(made).__name__}"
        )
    version = getattr(made, "interface_version", INTERFACE_VERSION)
    if version != INTERFACE_VERSION:
        raise ConfigError(
            f"{prefix}{SINGULAR[hook]} '{name}' is written for version {version} of its interface, this program has "
            f"version {INTERFACE_VERSION}; install the release of the plugin that fits"
        )
