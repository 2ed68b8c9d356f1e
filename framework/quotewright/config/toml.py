"""Exact values to TOML text and to JSON: what was read is written so that reading it again gives the same."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs

from quotewright.config.units import UNITS

_BARE = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r", "\b": "\\b", "\f": "\\f"}


def to_toml(values: Mapping[str, Any]) -> str:
    """Return *values* as a TOML document: plain keys first, tables two levels deep as headers, the rest inline.

    Values may be str, bool, int, Decimal, float, lists, tables, values with units and attrs objects; None is left
    out, as TOML has no word for nothing.
    """
    lines: list[str] = []
    _write(plain(values), (), lines)
    return "\n".join(lines).strip("\n") + "\n"


def to_json(values: Mapping[str, Any]) -> str:
    """Return *values* as JSON; decimals become text, so that nothing is rounded."""
    return json.dumps(plain(values), indent=2, default=str, ensure_ascii=False) + "\n"


def plain(value: Any) -> Any:
    """Return *value* made of tables, lists, text and numbers alone; values with units become their text."""
    if isinstance(value, (*UNITS, Path)):
        return str(value)
    if attrs.has(type(value)):
        made = {field.name: getattr(value, field.name) for field in attrs.fields(type(value)) if field.init}
        return plain(made)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def _write(values: Mapping[str, Any], path: tuple[str, ...], lines: list[str]) -> None:
    tables = {key: item for key, item in values.items() if isinstance(item, Mapping) and len(path) < 2}
    rest = {key: item for key, item in values.items() if key not in tables}
    if path and (rest or not tables):
        lines.extend(("", f"[{'.'.join(_key(part) for part in path)}]"))
    lines.extend(f"{_key(key)} = {_value(item)}" for key, item in rest.items())
    for key, item in tables.items():
        _write(item, (*path, key), lines)


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _text(key)


def _text(text: str) -> str:
    return '"' + "".join(_ESCAPES.get(c, c if c >= " " and c != "\x7f" else f"\\u{ord(c):04x}") for c in text) + '"'


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Decimal):
        return _decimal(value)
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(key)} = {_value(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    raise TypeError(f"a config value should be text, a number, a list or a table, was {type(value).__name__}")


def _decimal(value: Decimal) -> str:
    """Return *value* as a TOML float, which needs a point: 10 is written 10.0."""
    text = f"{value:f}"
    return text if "." in text else f"{text}.0"
