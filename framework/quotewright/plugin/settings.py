"""How a plugin declares its config keys: a class decorator, and fields with a doc line, a default and a unit.

@configured
class MaxPosition(CheckRule):
    limit: Amount = setting(doc="largest worst-case position", unit="base amount", check=positive)
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any, TypeVar, dataclass_transform

import attrs

from quotewright.config.units import UNITS, Amount, UnitError

Check = Callable[[Any, "attrs.Attribute[Any]", Any], None]
T = TypeVar("T")
KEY = "quotewright"
_REQUIRED: Any = attrs.NOTHING


@attrs.frozen
class SettingInfo:
    """What is told about a config key besides its type and default."""

    doc: str = ""
    unit: str = ""
    range: str = ""


def setting(
    default: Any = _REQUIRED,
    *,
    doc: str = "",
    unit: str = "",
    check: Check | None = None,
    factory: Callable[[], Any] | None = None,
    kw_only: bool = True,
) -> Any:
    """Return the field of one config key; without a default the key is required.

    A default of a field with a unit may be written as in the config file (``"30s"``). *check* is one of the
    checks of this module or any attrs validator. *doc* and *unit* are told by ``quotewright config explain``.
    """
    info = SettingInfo(doc, unit, getattr(check, "range", ""))
    options: dict[str, Any] = {"metadata": {KEY: info}, "validator": check, "kw_only": kw_only}
    if factory is not None:
        return attrs.field(factory=factory, **options)
    return attrs.field(default=default, **options)


@dataclass_transform(kw_only_default=True, field_specifiers=(setting, attrs.field))
def configured(cls: type[T]) -> type[T]:
    """Make *cls* an attrs class whose fields are its config keys; a base such as a role is initialised first.

    Values of fields with a unit may also be given as text, so that ``MaxPosition(limit="0.5 BTC")`` works.
    """
    if "__attrs_pre_init__" not in cls.__dict__:
        cls.__attrs_pre_init__ = _initialise_base  # type: ignore[attr-defined]
    try:
        hints = typing.get_type_hints(cls)
    except NameError:  # a type that is imported for type checkers only: the config loader reads units anyway
        hints = {}

    def transform(_: type, fields: list[attrs.Attribute[Any]]) -> list[attrs.Attribute[Any]]:
        return [_with_converter(field, hints.get(field.name, field.type)) for field in fields]

    return attrs.define(cls, slots=False, kw_only=True, eq=False, field_transformer=transform)


def _initialise_base(self: object) -> None:
    """Call the ``__init__`` of the nearest base that is no attrs class, nor a plain subclass of one."""
    base: Any = next(base for base in type(self).__mro__ if not attrs.has(base))
    base.__init__(self)


def _with_converter(field: attrs.Attribute[Any], hint: object) -> attrs.Attribute[Any]:
    units = [unit for unit in UNITS if unit is hint or unit in typing.get_args(hint)]
    if not units or field.converter is not None:
        return field
    is_optional = type(None) in typing.get_args(hint)

    def convert(value: Any) -> Any:
        if (value is None and is_optional) or not isinstance(value, str):
            return value
        return parse_any(units, value)

    return field.evolve(converter=convert)


def parse_any(units: Iterable[Any], value: object) -> Any:
    """Return *value* read as the first of *units* that it fits; UnitError naming all that were expected."""
    expected = []
    for unit in units:
        try:
            return unit.parse(value)
        except UnitError as error:
            expected.append(error.expected)
    raise UnitError(" or ".join(expected), value)


def info(field: attrs.Attribute[Any]) -> SettingInfo:
    """Return what is told about *field*; empty texts for a field that was not made by :func:`setting`."""
    found = field.metadata.get(KEY)
    return found if isinstance(found, SettingInfo) else SettingInfo()


def config_model(factory: Any) -> type | None:
    """Return the attrs class whose fields are the config keys of *factory*; None if it takes none."""
    model = getattr(factory, "config_model", None)
    if model is None and isinstance(factory, type) and attrs.has(factory):
        model = factory
    return model if isinstance(model, type) else None


def _number(value: Any) -> Decimal:
    return value.value if isinstance(value, Amount) else Decimal(value)


def _ranged(text: str, test: Callable[[Decimal], bool]) -> Check:
    def check(_: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
        if value is not None and not test(_number(value)):
            raise UnitError(text, str(value) if isinstance(value, UNITS) else value, attribute.name)

    check.range = text  # type: ignore[attr-defined]
    return check


positive: Check = _ranged("positive", lambda number: number > 0)
not_negative: Check = _ranged("zero or more", lambda number: number >= 0)


def at_least(least: Decimal | int | str) -> Check:
    """Return a check that a value is *least* or more."""
    return _ranged(f"at least {least}", lambda number: number >= Decimal(least))


def between(least: Decimal | int | str, most: Decimal | int | str) -> Check:
    """Return a check that a value lies between *least* and *most*, both included."""
    return _ranged(f"between {least} and {most}", lambda number: Decimal(least) <= number <= Decimal(most))


def one_of(*choices: str) -> Check:
    """Return a check that a value is one of *choices*."""
    expected = ", ".join(f"'{choice}'" for choice in choices)

    def check(_: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
        if value not in choices:
            raise UnitError(f"one of {expected}", value, attribute.name)

    check.range = f"one of {expected}"  # type: ignore[attr-defined]
    return check
