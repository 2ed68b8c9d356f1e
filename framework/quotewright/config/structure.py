"""From the plain values of a config file to the attrs class of a plugin: strict, exact, every fault named."""

from __future__ import annotations

import difflib
import enum
import functools
import math
import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, TypeVar

import attrs
import cattrs
from cattrs.gen import make_dict_structure_fn

from quotewright.config.units import UNITS, UnitError, shown
from quotewright.errors import ConfigError, QuotewrightError
from quotewright.plugin.settings import info

T = TypeVar("T")


class SettingsError(ConfigError):
    """A table that does not fit its model; ``problems`` holds one sentence for each fault, the first is raised."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__(self.problems[0])


def structure(model: type[T], values: Mapping[str, Any], where: str, origins: Mapping[str, str] | None = None) -> T:
    """Return *values* as an instance of the attrs class *model*.

    Raises:
        SettingsError: an unknown or missing key, a value of the wrong type or without its unit, a failed check.
            Each sentence begins with *where*, or with the entry that *origins* has for its key.
    """
    try:
        return converter().structure(values, model)
    except Exception as error:
        faults = sorted(_faults(error, ()), key=lambda fault: fault.rank)
        raise SettingsError([fault.text(where, origins or {}) for fault in _without_echoes(faults)]) from error


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return ``; did you mean 'x'?`` for the nearest of *known*, an empty text if nothing is near."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean '{near[0]}'?" if near else ""


def type_text(hint: Any) -> str:
    """Return in a person's words what a value of type *hint* looks like in a config file."""
    if hint in UNITS:
        return str(hint.EXPECTED)
    words = {
        int: "a whole number",
        float: "a number",
        Decimal: "a decimal number",
        str: "text in quotes",
        bool: "true or false",
        NoneType: "nothing",
        Path: "a path in quotes",
    }
    if hint in words:
        return words[hint]
    if _is_literal(hint):
        return "one of " + ", ".join(shown(choice) for choice in typing.get_args(hint))
    if _is_union(hint):
        return " or ".join(type_text(part) for part in typing.get_args(hint) if part is not NoneType)
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return "one of " + ", ".join(f"'{member.name.lower()}'" for member in hint)
    if _is_sequence(hint):
        return "a list"
    if _is_mapping(hint) or attrs.has(hint):
        return "a table"
    return "a value"


def fields(model: type) -> dict[str, attrs.Attribute[Any]]:
    """Return the config keys of *model*, with their types resolved."""
    if not attrs.has(model):
        return {}
    attrs.resolve_types(model)
    return {field.name: field for field in attrs.fields(model) if field.init}


@functools.cache
def converter() -> cattrs.Converter:
    """Return the converter that config tables are read with."""
    made = cattrs.Converter(forbid_extra_keys=True, detailed_validation=True)
    for unit in UNITS:
        made.register_structure_hook(unit, lambda value, kind: kind.parse(value))
    made.register_structure_hook(int, _whole)
    made.register_structure_hook(float, _estimate)
    made.register_structure_hook(Decimal, _decimal)
    made.register_structure_hook(bool, _flag)
    made.register_structure_hook(str, _text)
    made.register_structure_hook(Path, lambda value, _: Path(_text(value, str)))
    made.register_structure_hook_func(_is_enum, _member)
    made.register_structure_hook_func(_is_literal, _choice)
    made.register_structure_hook_func(_is_union, lambda value, hint: _either(made, value, hint))
    made.register_structure_hook_func(_is_sequence, lambda value, hint: _items(made, value, hint))
    made.register_structure_hook_func(_is_mapping, lambda value, hint: _table(made, value, hint))
    made.register_structure_hook_factory(attrs.has, lambda model: _model(made, model))
    return made


class _Nested(Exception):
    """Faults inside a list or a table, each with its path."""

    def __init__(self, faults: list[_Fault]) -> None:
        self.faults = faults


@attrs.frozen
class _Fault:
    rank: int  # unknown keys first, then wrong values, then missing keys
    path: tuple[str, ...]
    message: str
    key: str = ""
    near: str = ""

    def text(self, where: str, origins: Mapping[str, str]) -> str:
        where = origins.get(self.path[0] if self.path else self.key, where)
        path = ".".join((where, *self.path)) if where else ".".join(self.path)
        return f"{path}: {self.message}" if path else self.message


def _without_echoes(faults: list[_Fault]) -> list[_Fault]:
    """Leave out a missing key that an unknown one was meant to be."""
    meant = {(fault.path, fault.near) for fault in faults if fault.near}
    return [fault for fault in faults if fault.rank < 2 or (fault.path, fault.key) not in meant]


def _faults(error: BaseException, path: tuple[str, ...]) -> Iterator[_Fault]:
    if isinstance(error, _Nested):
        for fault in error.faults:
            yield attrs.evolve(fault, path=path + fault.path)
    elif isinstance(error, cattrs.ClassValidationError):
        noted, bare = error.group_exceptions()
        for inner, note in noted:
            if isinstance(inner, KeyError) and inner.args == (note.name,):
                yield _missing(error.cl, note.name, path)
            else:
                yield from _faults(inner, (*path, note.name))
        for inner in bare:
            yield from _faults(inner, path)
    elif isinstance(error, cattrs.ForbiddenExtraKeysError):
        known = [name for name in fields(error.cl) if not name.startswith("_")]
        for key in sorted(error.extra_fields, key=str):
            yield unknown_key(str(key), known, path)
    elif isinstance(error, UnitError):
        inside = (error.key,) if error.key else ()
        yield _Fault(1, path + inside, f"should be {error.expected}, was {shown(error.came)}")
    elif isinstance(error, QuotewrightError):
        yield _Fault(1, path, str(error))
    else:
        text = str(error.args[0]) if error.args else str(error)
        is_check = isinstance(error, ValueError | TypeError)
        yield _Fault(1, path, text if is_check and text else f"{type(error).__name__}: {text}")


def unknown_key(key: str, known: list[str], path: tuple[str, ...] = ()) -> _Fault:
    """Return the fault of a key that is not among *known*."""
    hint = suggestion(key, known)
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.6)
    if not hint:
        hint = f"; known keys: {', '.join(known)}" if known else "; it takes no keys"
    return _Fault(0, path, f"unknown key '{key}'{hint}", key, near[0] if near else "")


def _missing(model: type, key: str, path: tuple[str, ...]) -> _Fault:
    field = fields(model)[key]
    doc = info(field).doc
    expected = type_text(field.type)
    return _Fault(2, path, f"missing key '{key}': {expected}{f' ({doc})' if doc else ''}", key)


def _is_literal(hint: Any) -> bool:
    return typing.get_origin(hint) is typing.Literal


def _is_union(hint: Any) -> bool:
    return typing.get_origin(hint) in (typing.Union, UnionType)


def _is_enum(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, enum.Enum)


def _is_sequence(hint: Any) -> bool:
    origin = typing.get_origin(hint) or hint
    return origin in (list, tuple, Sequence, set, frozenset)


def _is_mapping(hint: Any) -> bool:
    return (typing.get_origin(hint) or hint) in (dict, Mapping)


def _whole(value: Any, _: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise UnitError("a whole number", value)
    return value


def _decimal(value: Any, _: Any) -> Decimal:
    if isinstance(value, str):
        try:
            value = Decimal(value.strip())
        except InvalidOperation:
            raise UnitError("a decimal number", value) from None
    if isinstance(value, bool) or not isinstance(value, int | Decimal) or not Decimal(value).is_finite():
        raise UnitError("a decimal number", value)
    return Decimal(value)


def _estimate(value: Any, _: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal) or not math.isfinite(value):
        raise UnitError("a number", value)
    return float(value)


def _flag(value: Any, _: Any) -> bool:
    if not isinstance(value, bool):
        raise UnitError("true or false", value)
    return value


def _text(value: Any, _: Any) -> str:
    if not isinstance(value, str):
        raise UnitError("text in quotes", value)
    return value


def _member(value: Any, hint: Any) -> Any:
    for member in hint:
        if value == member.value or (isinstance(value, str) and value.lower() == member.name.lower()):
            return member
    raise UnitError(type_text(hint), value)


def _choice(value: Any, hint: Any) -> Any:
    choices = typing.get_args(hint)
    for choice in choices:
        if value == choice and type(value) is type(choice):
            return choice
    raise UnitError(type_text(hint), value)


def _either(made: cattrs.Converter, value: Any, hint: Any) -> Any:
    parts = [part for part in typing.get_args(hint) if part is not NoneType]
    if value is None and len(parts) < len(typing.get_args(hint)):
        return None
    if len(parts) == 1:
        return made.structure(value, parts[0])
    tables = [part for part in parts if attrs.has(part)]
    if isinstance(value, Mapping) and len(tables) == 1:
        return made.structure(value, tables[0])
    for part in parts:
        try:
            return made.structure(value, part)
        except Exception:
            continue
    raise UnitError(type_text(hint), value)


def _items(made: cattrs.Converter, value: Any, hint: Any) -> Any:
    if not isinstance(value, list | tuple):
        raise UnitError("a list", value)
    origin = typing.get_origin(hint) or hint
    args = typing.get_args(hint)
    if origin is tuple and args and args[-1] is not Ellipsis:
        if len(value) != len(args):
            raise UnitError(f"a list of {len(args)}", list(value))
        kinds: Sequence[Any] = args
    else:
        kinds = [args[0] if args else Any] * len(value)
    into = list if origin is Sequence else origin
    return into(_each(made, zip(range(len(value)), kinds, value, strict=True)).values())


def _table(made: cattrs.Converter, value: Any, hint: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise UnitError("a table", value)
    kind = (typing.get_args(hint) or (str, Any))[1]
    return _each(made, ((key, kind, item) for key, item in value.items()))


def _each(made: cattrs.Converter, items: Iterable[tuple[Any, Any, Any]]) -> dict[Any, Any]:
    found: dict[Any, Any] = {}
    faults: list[_Fault] = []
    for key, kind, item in items:
        try:
            found[key] = made.structure(item, kind)
        except Exception as error:
            faults.extend(_faults(error, (str(key),)))
    if faults:
        raise _Nested(faults)
    return found


def _model(made: cattrs.Converter, model: type) -> Any:
    attrs.resolve_types(model)
    inner: Any = make_dict_structure_fn(model, made, _cattrs_forbid_extra_keys=True, _cattrs_detailed_validation=True)

    def hook(value: Any, _: Any) -> Any:
        if isinstance(value, model):
            return value
        if not isinstance(value, Mapping):
            raise UnitError("a table", value)
        return inner(value, model)

    return hook
