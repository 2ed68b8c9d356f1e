"""What is to be served: from a TOML file, from the command line, the latter over the former."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs

from quotewright.config.model import CONFIG_VERSION
from quotewright.config.structure import suggestion
from quotewright.errors import ConfigError, NotFoundError

NS = 1_000_000_000
LATEST_NS = (1 << 62) - 1
START_OF_TAPE = "tape"


@attrs.frozen(kw_only=True)
class Settings:
    """An exchange with its market, and where it listens. Texts are as on the command line."""

    dialects: tuple[str, ...] = ("binance",)
    instruments: tuple[str, ...] = ()
    markets: tuple[str, ...] = ("agents",)
    accounts: tuple[str, ...] = ()
    """``ann,USDT=1000``; none: one that is called trader."""
    seed: int = 0
    speed: str = "1"
    start: str = ""
    """Of the market's clock, ISO 8601 or ``tape``; empty: now."""
    port: int = 0
    control_port: int = 0


def read_settings(path: Path) -> dict[str, Any]:
    """Return what the file at *path* sets, by the names of :class:`Settings`. Files it names are beside it.

    Raises:
        NotFoundError: there is no such file.
        ConfigError: it is not TOML, or holds what is not known here.
    """
    try:
        text = path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise NotFoundError(f"{path}: no such config file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from None
    try:
        values = tomllib.loads(text, parse_float=Decimal)
    except (tomllib.TOMLDecodeError, ArithmeticError) as error:
        raise ConfigError(f"{path}: this is not TOML: {error}") from None
    if values.pop("config_version", None) != CONFIG_VERSION:
        raise ConfigError(f"{path}: should begin with config_version = {CONFIG_VERSION}")
    _known(values, ("exchange",), f"{path}: table")
    table = _table(values.get("exchange", {}), f"{path}: exchange")
    _known(table, READERS, f"{path}: exchange: key")
    return {key: READERS[key](value, f"{path}: exchange.{key}", path.parent) for key, value in table.items()}


def _known(values: Iterable[str], known: Iterable[str], where: str) -> None:
    names = tuple(known)
    for name in values:
        if name not in names:
            hint = suggestion(name, names) or f"; known: {', '.join(names)}"
            raise ConfigError(f"{where} '{name}' is not known here{hint}")


def _table(value: object, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ConfigError(f"{where} should be a table, was {value!r}")
    return value


def _word(value: object, where: str) -> str:
    """Return one value as it would be written on the command line."""
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise ConfigError(f"{where} should be a text or a number, was {value!r}")
    return str(value)


def _text(value: object, where: str, _: Path) -> str:
    return _word(value, where)


def _texts(value: object, where: str, _: Path) -> tuple[str, ...]:
    return tuple(_word(one, where) for one in (value if isinstance(value, list) else [value]))


def _markets(value: object, where: str, folder: Path) -> tuple[str, ...]:
    names = _texts(value, where, folder)
    return tuple(name if name in ("agents", "none") else str(folder / name) for name in names)


def _number(value: object, where: str, _: Path) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ConfigError(f"{where} should be a whole number, zero or more, was {value!r}")
    return value


def _port(value: object, where: str, folder: Path) -> int:
    port = _number(value, where, folder)
    if port > 65_535:
        raise ConfigError(f"{where} should be at most 65535, was {port}")
    return port


def _named(value: object, where: str, _: Path) -> tuple[str, ...]:
    """Return ``{"ann": {"USDT": 1000}}`` as ``("ann,USDT=1000",)``."""
    return tuple(
        ",".join([name, *(f"{key}={_word(one, f'{where}.{name}.{key}')}" for key, one in inner.items())])
        for name, given in _table(value, where).items()
        for inner in [_table(given, f"{where}.{name}")]
    )


READERS: dict[str, Callable[[object, str, Path], Any]] = {
    "dialects": _texts,
    "instruments": _named,
    "markets": _markets,
    "accounts": _named,
    "seed": _number,
    "speed": _text,
    "start": _text,
    "port": _port,
    "control_port": _port,
}


def start_of(text: str, now: Callable[[], int], of_tape: Callable[[], int | None]) -> int:
    """Return the time that *text* states in ns: ISO 8601, UTC unless it says otherwise, ``tape``, or empty for now.

    Raises:
        ConfigError: it is no time, or there is no tape.
    """
    if not text:
        return now()
    if text == START_OF_TAPE:
        found = of_tape()
        if found is None:
            raise ConfigError("start: tape is for a market that is a tape; give --market FOLDER, or a time")
        return found
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"start: should be a time such as 2026-01-01T00:00:00Z, or tape, was {text!r}") from None
    when = when if when.tzinfo is not None else when.replace(tzinfo=UTC)
    since = when - datetime(1970, 1, 1, tzinfo=UTC)
    found_ns = (since.days * 86_400 + since.seconds) * NS + since.microseconds * 1000
    if not 0 <= found_ns <= LATEST_NS:
        raise ConfigError(f"start: should be from 1970 to 2116, was {text!r}")
    return found_ns
