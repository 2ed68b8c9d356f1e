"""Looking for plugins, importing them one by one, and keeping what each offers or why it cannot be used."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from hashlib import sha256
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import attrs
import pluggy

from quotewright.errors import ConfigError
from quotewright.plugin import specs
from quotewright.plugin.lazy import Lazy

GROUP: Final = "quotewright"
VARIABLE: Final = "QUOTEWRIGHT_PLUGINS_DIR"
OWN: Final = "quotewright"
"""Our own distribution: an allow-list does not need to name it."""

SINGULAR: Final[Mapping[str, str]] = {
    "feed_adapters": "feed adapter",
    "book_models": "book model",
    "strategies": "strategy",
    "risk_rules": "risk rule",
    "execution_venues": "execution venue",
    "venue_cards": "venue card",
    "dialects": "dialect",
    "importers": "importer",
    "archives": "archive",
    "observers": "observer",
    "commands": "command",
}
"""Every hook in life-cycle order, and what one of its offers is called."""

ROLES: Final[Mapping[str, str]] = {
    "feed_adapters": "quotewright.feed:FeedAdapter",
    "book_models": "quotewright.kernel.book:BookModel",
    "strategies": "quotewright.kernel.strategy:Strategy",
    "risk_rules": "quotewright.kernel.rules:RiskRule",
    "execution_venues": "quotewright.kernel.venue:Venue",
}
"""The base class of what a factory of a hook returns, as ``module:Class``."""

OWN_COMMANDS: Final = ("backtest", "config", "data", "doctor", "paper", "plugins", "report")
"""Commands that no plugin may offer under the same name."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]*", re.ASCII)


@attrs.frozen
class Offer:
    """One name offered under one hook, or a whole plugin that offers nothing (its *hook* is then empty).

    *status* is ``ok``, ``failed``, ``disabled`` or ``clash``; *reason* says why it is not ``ok``.
    """

    name: str
    hook: str
    plugin: str
    distribution: str
    version: str
    status: str = "ok"
    reason: str = ""
    factory: Any = None
    module: str = ""

    def record(self) -> dict[str, str]:
        """Return what a listing shows of this offer."""
        keys = ("name", "hook", "distribution", "version", "status", "reason", "plugin", "module")
        return {key: getattr(self, key) for key in keys}


@attrs.frozen
class Found:
    """A plugin before it is imported."""

    name: str
    distribution: str
    version: str
    module: str
    load: Callable[[], Any]
    is_entry_point: bool = False


def fault(error: BaseException) -> str:
    """Return one line about *error*: its kind, its text and the line of a file it came from."""
    text = " ".join(str(error).split())
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not _is_machinery(frame.filename)]
    place = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    if isinstance(error, SyntaxError) and error.filename:
        return f"SyntaxError: {error.msg} ({Path(error.filename).name}, line {error.lineno})"
    return f"{type(error).__name__}{f': {text}' if text else ''}{place}"


def _is_machinery(filename: str) -> bool:
    return filename.startswith("<") or filename == __file__ or f"{os.sep}importlib{os.sep}" in filename


def plugin_folders(given: Path | str | Sequence[Path | str] | None, environment: Mapping[str, str]) -> list[Path]:
    if given is None:
        given = []
    elif isinstance(given, str | Path):
        given = [given]
    from_environment = [part for part in environment.get(VARIABLE, "").split(os.pathsep) if part]
    named = [("--plugins-dir", Path(path)) for path in given]
    named += [(VARIABLE, Path(path)) for path in from_environment]
    for source, path in named:
        if not path.is_dir():
            raise ConfigError(f"{source} should be a folder of plugin modules, '{path}' is none")
    return list(dict.fromkeys(path.resolve() for _, path in named))


def installed() -> list[Found]:
    def found(entry: EntryPoint) -> Found:
        distribution = entry.dist.name if entry.dist else ""
        version = entry.dist.version if entry.dist else ""
        return Found(entry.name, distribution, version, entry.value, entry.load, is_entry_point=True)

    every = [found(entry) for entry in entry_points(group=GROUP)]
    return sorted(every, key=lambda one: (one.distribution != OWN, one.distribution, one.name))


def in_folders(folders: Sequence[Path]) -> list[Found]:
    every = []
    for folder in folders:
        for path in sorted(folder.iterdir()):
            is_module = path.suffix == ".py" or (path / "__init__.py").is_file()
            if is_module and path.name[0] not in "_.":
                load = _FromFile(path)
                every.append(Found(path.stem, f"{folder.name}/{path.name}", "", str(path), load))
    return every


@attrs.frozen
class _FromFile:
    """Imports one file or package of a plugins folder under its own name, or another one if that is taken."""

    path: Path

    def __call__(self) -> ModuleType:
        folder = str(self.path.parent)
        if folder not in sys.path:
            sys.path.append(folder)  # at the end: a plugin's file never stands before an installed module
        file = self.path / "__init__.py" if self.path.is_dir() else self.path
        name = self.path.stem
        present = sys.modules.get(name)
        if present is not None and getattr(present, "__file__", None) == str(file):
            return present
        if importlib.util.find_spec(name) is None or not _is_origin(name, file):
            name = f"{name}_{sha256(str(file).encode()).hexdigest()[:8]}"
        spec = importlib.util.spec_from_file_location(name, file)
        if spec is None or spec.loader is None:
            raise ImportError(f"{file} cannot be imported as a module")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
        return module


def _is_origin(name: str, file: Path) -> bool:
    spec = importlib.util.find_spec(name)
    return spec is not None and spec.origin == str(file)


def named(extra: Iterable[Any]) -> list[Found]:
    every = []
    for one in extra:
        if isinstance(one, str):
            every.append(Found(one, "", "", one, _loader(one)))
        else:
            name = getattr(one, "__name__", type(one).__name__)
            every.append(Found(name, "", "", name, functools.partial(_itself, one)))
    return every


def _itself(plugin: Any) -> Any:
    return plugin


def _loader(target: str) -> Callable[[], Any]:
    if ":" in target:
        return Lazy(target).load
    return lambda: importlib.import_module(target)


def with_own_names(found: Iterable[Found]) -> list[Found]:
    """Give plugins of one name different ones, by their distribution."""
    taken: set[str] = set()
    every = []
    for one in found:
        name = one.name
        if name in taken:
            name = f"{one.distribution or one.module}.{one.name}"
        number = 2
        while name in taken:
            name = f"{one.distribution or one.module}.{one.name}.{number}"
            number += 1
        taken.add(name)
        every.append(attrs.evolve(one, name=name))
    return every


class Collector:
    """Imports plugins one by one and keeps what they offer."""

    def __init__(self, allow: Sequence[str] | None, disabled: Sequence[str]) -> None:
        self.allow = None if allow is None else {_normal(name) for name in allow}
        self.disabled = set(disabled)
        self.offers: list[Offer] = []
        self.errors: list[str] = []
        self.manager = pluggy.PluginManager(specs.PROJECT)
        self.manager.add_hookspecs(specs)

    def take(self, found: Found) -> None:
        """Import one plugin, if it may be, and add its offers."""
        reason = self._why_not(found)
        if reason:
            self._whole(found, "disabled", reason)
            return
        try:
            plugin = found.load()
            self.manager.register(plugin, found.name)
        except KeyboardInterrupt:
            raise
        except pluggy.PluginValidationError as error:
            self._drop(found.name)
            self._refuse(found, _signature_fault(error))
            return
        except BaseException as error:
            self._drop(found.name)
            self._whole(found, "failed", fault(error))
            return
        misspelt = self._misspelt(plugin)
        if misspelt:
            self._drop(found.name)
            self._refuse(found, misspelt)
            return
        self._call_hooks(found, plugin)

    def finish(self) -> tuple[list[Offer], list[str]]:
        """Return all offers, those of one name marked as clashing, and the errors."""
        self.manager.check_pending()
        owners: dict[tuple[str, str], list[Offer]] = {}
        for offer in self.offers:
            if offer.hook and offer.status == "ok":
                owners.setdefault((offer.hook, offer.name), []).append(offer)
        reasons = {}
        for (hook, name), rivals in owners.items():
            if len(rivals) > 1:
                names = [offer.plugin for offer in rivals]
                reason = (
                    f"{_count(len(rivals))} plugins offer {hook} '{name}': {' and '.join(names)}; disable one under"
                    f' [plugins]: disable = ["{names[-1]}:{name}"]'
                )
                reasons[hook, name] = reason
                self.errors.append(reason)
        offers = [
            attrs.evolve(offer, status="clash", reason=reasons[offer.hook, offer.name])
            if offer.status == "ok" and (offer.hook, offer.name) in reasons
            else offer
            for offer in self.offers
        ]
        order = {hook: number for number, hook in enumerate(SINGULAR)}
        return sorted(offers, key=lambda one: (order.get(one.hook, len(order)), one.name, one.plugin)), self.errors

    def _why_not(self, found: Found) -> str:
        if found.name in self.disabled or found.distribution in self.disabled:
            return "disabled under [plugins]"
        needs_permission = found.is_entry_point and _normal(found.distribution) != OWN
        if self.allow is not None and needs_permission and _normal(found.distribution) not in self.allow:
            return f"distribution '{found.distribution}' is not on the list [plugins] allow"
        return ""

    def _misspelt(self, plugin: Any) -> str:
        for caller in self.manager.get_hookcallers(plugin) or []:
            if caller.has_spec():
                continue
            if all(one.optionalhook for one in caller.get_hookimpls() if one.plugin is plugin):
                continue
            near = get_close_matches(caller.name, SINGULAR, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"hooks: {', '.join(SINGULAR)}"
            return f"no hook called '{caller.name}'; {hint}"
        return ""

    def _call_hooks(self, found: Found, plugin: Any) -> None:
        callers = {caller.name: caller for caller in self.manager.get_hookcallers(plugin) or []}
        if not callers:
            self._whole(found, "failed", "offers nothing: none of its functions is marked @hookimpl")
        for hook in SINGULAR:
            if hook not in callers:
                continue
            for implementation in callers[hook].get_hookimpls():
                if implementation.plugin is plugin:
                    self._call(found, hook, implementation)

    def _call(self, found: Found, hook: str, implementation: Any) -> None:
        if implementation.wrapper or implementation.hookwrapper:
            self._whole(found, "failed", f"hook '{hook}' is a wrapper; a hook returns names and factories", hook)
            return
        try:
            offered = implementation.function()
            if not isinstance(offered, Mapping):
                raise TypeError(f"should return a mapping of names to factories, was {type(offered).__name__}")
            pairs = list(offered.items())
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            self._whole(found, "failed", f"hook '{hook}' raised {fault(error)}", hook)
            return
        for name, factory in pairs:
            self._offer(found, hook, name, factory)

    def _offer(self, found: Found, hook: str, name: Any, factory: Any) -> None:
        status, reason = "ok", ""
        if not isinstance(name, str) or _NAME.fullmatch(name) is None:
            status, reason = "failed", f"name should be letters, digits, '_', '-' or '.', was {name!r}"
        elif why := _unfit(hook, name, factory):
            status, reason = "failed", why
        elif not self.disabled.isdisjoint((f"{found.name}:{name}", f"{found.distribution}:{name}")):
            status, reason = "disabled", "disabled under [plugins]"
        module = factory.module if isinstance(factory, Lazy) else getattr(factory, "__module__", found.module)
        self.offers.append(
            Offer(str(name), hook, found.name, found.distribution, found.version, status, reason, factory, str(module))
        )

    def _whole(self, found: Found, status: str, reason: str, hook: str = "") -> None:
        self.offers.append(
            Offer(found.name, hook, found.name, found.distribution, found.version, status, reason, None, found.module)
        )

    def _refuse(self, found: Found, reason: str) -> None:
        self._whole(found, "failed", reason)
        self.errors.append(f"plugin '{found.name}' ({found.distribution or found.module}): {reason}")

    def _drop(self, name: str) -> None:
        if self.manager.has_plugin(name):
            self.manager.unregister(name=name)


def _signature_fault(error: pluggy.PluginValidationError) -> str:
    text = str(error)
    found = re.search(r"for hook '(\w+)'", text)
    hook = found[1] if found else "?"
    arguments = re.search(r"Argument\(s\) \{(.*)\} are declared", text)
    if arguments:
        return f"hook '{hook}' takes no arguments, but this one declares {arguments[1]}"
    return " ".join(text.split())


def _unfit(hook: str, name: str, factory: Any) -> str:
    if hook == "venue_cards":
        is_card = isinstance(factory, str | os.PathLike)
        return "" if is_card else f"should be the path of a card, was {type(factory).__name__}"
    if hook == "commands" and name in OWN_COMMANDS:
        return f"'{name}' is a command of quotewright itself"
    return "" if callable(factory) else f"factory should be callable, was {type(factory).__name__}"


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _count(number: int) -> str:
    return {2: "two", 3: "three", 4: "four"}.get(number, str(number))
